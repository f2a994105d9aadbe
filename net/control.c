#include "net/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/base.h"

#define CHUNK   (64u << 10) /* bytes read at once: one client cannot keep the loop to itself */
#define BACKLOG 64
#define TURNS   16 /* connections, or reads, before the loop's other work gets its turn */

struct yr_client {
    uv_poll_t poll;
    struct yr_control *control;
    struct yr_client *next, **link; // all clients; link: what points to us
    int fd;
    uid_t uid;
    pid_t pid;
    void *data;
    char *in; // the unfinished line
    size_t in_len, in_cap;
    char *out; // what is not read yet: out_len bytes from out_at on
    size_t out_at, out_len, out_cap;
    unsigned holds;
    bool discard; // inside a line that was too long
    bool eof;     // it will say no more
    bool closing; // as soon as it has read everything
    bool dead;    // its handle is being closed
};

struct yr_control {
    uv_poll_t poll;
    struct yr_control_opts opts;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    int fd, spare; // spare: given up for a moment when descriptors run out
    dev_t dev;     // the socket's file, so that we remove no other
    ino_t ino;
    struct yr_client *clients;
    size_t client_count, handles;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

// ---- one client ----

static void on_client(uv_poll_t *poll, int status, int events);
static void released(struct yr_control *control);

static void on_client_closed(uv_handle_t *handle)
{
    struct yr_client *client = (struct yr_client *)handle; // its first member
    struct yr_control *control = client->control;

    close(client->fd);
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    control->client_count--;
    control->opts.on_close(control->opts.ctx, client);
    free(client->in);
    free(client->out);
    free(client);
    released(control);
}

static void end(struct yr_client *client)
{
    if (client->dead)
        return;
    client->dead = true;
    uv_close((uv_handle_t *)&client->poll, on_client_closed);
}

/** Ask the loop for what is wanted now, or end what wants nothing any more. */
static void settle(struct yr_client *client)
{
    int events = client->out_len > 0 ? UV_WRITABLE : 0;

    if (client->dead)
        return;
    if (client->out_len == 0 && (client->closing || (client->eof && client->holds == 0))) {
        end(client);
        return;
    }
    if (!client->eof && !client->closing)
        events |= UV_READABLE;
    if (events == 0)
        uv_poll_stop(&client->poll);
    else if (uv_poll_start(&client->poll, events, on_client) != 0)
        end(client);
}

/** Write what is queued.  false: it is gone. */
static bool push(struct yr_client *client)
{
    while (client->out_len > 0) {
        const ssize_t n = send(client->fd, client->out + client->out_at, client->out_len,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        client->out_at += (size_t)n;
        client->out_len -= (size_t)n;
    }
    client->out_at = 0;
    if (client->out_cap > CHUNK) { // a burst is over: give its memory back
        free(client->out);
        client->out = NULL;
        client->out_cap = 0;
    }
    return true;
}

/** Room for `len` more bytes behind what is queued. */
static bool out_room(struct yr_client *client, size_t len)
{
    size_t cap = YR_MAX(client->out_cap, (size_t)1024);
    char *grown;

    if (client->out_at > 0 && client->out_at + client->out_len + len > client->out_cap) {
        memmove(client->out, client->out + client->out_at, client->out_len);
        client->out_at = 0;
    }
    if (client->out_at + client->out_len + len <= client->out_cap)
        return true;
    while (cap < client->out_len + len)
        cap *= 2;
    grown = realloc(client->out, cap);
    if (grown == NULL)
        return false;
    client->out = grown;
    client->out_cap = cap;
    return true;
}

enum yr_err yr_client_send(struct yr_client *client, const void *bytes, size_t len)
{
    const char *at = bytes;

    if (client->dead || client->closing)
        return YR_ENOENT;
    if (client->out_len == 0 && len > 0) {
        const ssize_t n = send(client->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            end(client);
            return YR_ENOENT;
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    if (len == 0)
        return YR_OK;
    if (len > YR_CONTROL_QUEUE_MAX - client->out_len) {
        end(client);
        return YR_EFULL;
    }
    if (!out_room(client, len)) {
        end(client);
        return YR_ENOMEM;
    }
    memcpy(client->out + client->out_at + client->out_len, at, len);
    client->out_len += len;
    settle(client);
    return YR_OK;
}

static bool gone(const struct yr_client *client)
{
    return client->dead || client->closing;
}

/** Hand over the whole lines of in[0..in_len) and keep the rest. */
static void take_lines(struct yr_client *client, size_t fresh)
{
    const struct yr_control_opts *opts = &client->control->opts;
    char *at = client->in, *const stop = client->in + client->in_len;
    char *look = stop - fresh; // what was there before has no newline
    char *newline;

    while (!gone(client) && (newline = memchr(look, '\n', (size_t)(stop - look))) != NULL) {
        const size_t len = (size_t)(newline - at);
        if (client->discard)
            client->discard = false;
        else if (len > YR_CONTROL_LINE_MAX)
            opts->on_too_long(opts->ctx, client);
        else
            opts->on_line(opts->ctx, client, at, len);
        at = look = newline + 1;
    }
    client->in_len = (size_t)(stop - at);
    if (!gone(client) && !client->discard && client->in_len > YR_CONTROL_LINE_MAX) {
        client->discard = true;
        opts->on_too_long(opts->ctx, client);
    }
    if (client->discard)
        client->in_len = 0;
    memmove(client->in, at, client->in_len);
}

static bool in_room(struct yr_client *client)
{
    size_t cap = YR_MAX(client->in_cap, (size_t)4096);
    char *grown;

    if (client->in_cap - client->in_len >= 4096)
        return true;
    while (cap - client->in_len < 4096)
        cap *= 2;
    grown = realloc(client->in, cap);
    if (grown == NULL)
        return false;
    client->in = grown;
    client->in_cap = cap;
    return true;
}

/** It will say no more.  What it said last counts as a line, newline or not. */
static void on_eof(struct yr_client *client)
{
    const struct yr_control_opts *opts = &client->control->opts;
    struct pollfd poll_fd = {.fd = client->fd};

    client->eof = true;
    if (client->in_len > 0 && !client->discard)
        opts->on_line(opts->ctx, client, client->in, client->in_len);
    client->in_len = 0;
    if (poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLHUP | POLLERR)) != 0)
        end(client); // nor does it listen any more
}

static void on_readable(struct yr_client *client)
{
    ssize_t n;

    if (!in_room(client)) {
        end(client);
        return;
    }
    n = recv(client->fd, client->in + client->in_len,
             YR_MIN(client->in_cap - client->in_len, (size_t)CHUNK), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n < 0) {
        end(client);
    } else if (n == 0) {
        on_eof(client);
    } else {
        client->in_len += (size_t)n;
        take_lines(client, (size_t)n);
    }
    if (client->in_len == 0 && client->in_cap > CHUNK) {
        free(client->in);
        client->in = NULL;
        client->in_cap = 0;
    }
}

static void on_client(uv_poll_t *poll, int status, int events)
{
    struct yr_client *client = (struct yr_client *)poll; // its first member

    if (status < 0) { // it hung up on what we sent; what it said before still counts
        for (int i = 0; i < TURNS && !gone(client) && !client->eof; i++)
            on_readable(client);
        end(client);
        return;
    }
    if ((events & UV_WRITABLE) != 0 && !push(client)) {
        end(client);
        return;
    }
    if ((events & UV_READABLE) != 0 && !gone(client) && !client->eof)
        on_readable(client);
    settle(client);
}

void *yr_client_data(const struct yr_client *client)
{
    return client->data;
}

void yr_client_set_data(struct yr_client *client, void *data)
{
    client->data = data;
}

uid_t yr_client_uid(const struct yr_client *client)
{
    return client->uid;
}

pid_t yr_client_pid(const struct yr_client *client)
{
    return client->pid;
}

size_t yr_client_queued(const struct yr_client *client)
{
    return client->out_len;
}

void yr_client_hold(struct yr_client *client)
{
    client->holds++;
}

void yr_client_release(struct yr_client *client)
{
    YR_ASSERT(client->holds > 0);
    client->holds--;
    settle(client);
}

void yr_client_close(struct yr_client *client, bool at_once)
{
    client->closing = true;
    if (at_once)
        end(client);
    else
        settle(client);
}

// ---- accepting ----

static bool allowed(const struct yr_control_opts *opts, uid_t uid)
{
    return uid == geteuid() || uid == 0 || (opts->has_extra_uid && uid == opts->extra_uid);
}

static void welcome(struct yr_control *control, int fd)
{
    struct yr_client *client = NULL;
    struct ucred who;
    socklen_t len = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        goto refuse;
    if (!allowed(&control->opts, who.uid)) {
        if (control->opts.on_refused != NULL)
            control->opts.on_refused(control->opts.ctx, who.uid, who.pid);
        goto refuse;
    }
    if (control->client_count == YR_CONTROL_CLIENTS_MAX)
        goto refuse;
    client = calloc(1, sizeof *client);
    if (client == NULL || uv_poll_init(control->opts.loop, &client->poll, fd) != 0)
        goto refuse;
    client->control = control;
    client->fd = fd;
    client->uid = who.uid;
    client->pid = who.pid;
    client->next = control->clients;
    client->link = &control->clients;
    if (client->next != NULL)
        client->next->link = &client->next;
    control->clients = client;
    control->client_count++;
    control->handles++;
    settle(client);
    return;
refuse:
    free(client);
    close(fd);
}

/** No descriptor is left: with the spare one, take the connection off the queue and drop it, or the
 *  loop would call us about it for ever. */
static void shed(struct yr_control *control)
{
    int fd;

    close(control->spare);
    fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct yr_control *control = (struct yr_control *)poll; // its first member

    (void)events;
    if (status < 0)
        (void)uv_poll_start(poll, UV_READABLE, on_connection);
    for (int i = 0; i < TURNS; i++) {
        const int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(control, fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            shed(control);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

// ---- opening ----

/** The directory of `path` must be ours and closed to others; it is made if it is missing. */
static enum yr_err check_dir(const char *path, struct yr_net_fail *fail)
{
    char dir[sizeof((struct sockaddr_un *)0)->sun_path] = ".";
    const char *slash = strrchr(path, '/');
    struct stat st;

    if (slash != NULL) {
        const size_t len = slash == path ? 1 : (size_t)(slash - path);
        memcpy(dir, path, len);
        dir[len] = '\0';
    }
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot make directory %s", dir);
    if (stat(dir, &st) != 0)
        return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot look at %s", dir);
    if (!S_ISDIR(st.st_mode))
        return yr_net_fail(fail, YR_EDENIED, 0, "%s is not a directory", dir);
    if (st.st_uid != geteuid())
        return yr_net_fail(fail, YR_EDENIED, 0, "directory %s belongs to uid %lu, not to us", dir,
                           (unsigned long)st.st_uid);
    if ((st.st_mode & 077) != 0)
        return yr_net_fail(fail, YR_EDENIED, 0,
                           "directory %s is open to others (mode %03o): chmod 700 it", dir,
                           (unsigned)st.st_mode & 0777u);
    return YR_OK;
}

/** Does somebody answer at the socket? */
static bool answered(const struct sockaddr_un *at)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool yes = false;

    if (fd >= 0) {
        yes = connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno == EAGAIN;
        close(fd);
    }
    return yes;
}

/** What a crash left behind goes, nothing else does. */
static enum yr_err clear_stale(const struct sockaddr_un *at, bool replace, struct yr_net_fail *fail)
{
    struct stat st;

    if (lstat(at->sun_path, &st) != 0)
        return errno == ENOENT ? YR_OK
                               : yr_net_fail(fail, yr_errno_err(errno), errno, "cannot look at %s",
                                             at->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return yr_net_fail(fail, YR_EEXIST, 0, "%s is there and is not a socket", at->sun_path);
    if (answered(at))
        return yr_net_fail(fail, YR_EEXIST, 0, "another program listens on %s", at->sun_path);
    if (!replace)
        return yr_net_fail(fail, YR_EEXIST, 0, "%s is there already", at->sun_path);
    if (unlink(at->sun_path) != 0 && errno != ENOENT)
        return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot remove %s", at->sun_path);
    return YR_OK;
}

static enum yr_err listen_at(struct yr_control *control, struct yr_net_fail *fail)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    enum yr_err err;
    struct stat st;

    strcpy(at.sun_path, control->path); // both have the system's length
    err = check_dir(control->path, fail);
    if (err == YR_OK)
        err = clear_stale(&at, control->opts.replace_stale, fail);
    if (err != YR_OK)
        return err;
    control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->fd < 0 || control->spare < 0)
        return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot make a socket");
    // The mode of the file comes from the socket: there is no moment at which it is open to others.
    if (fchmod(control->fd, 0600) != 0 ||
        bind(control->fd, (const struct sockaddr *)&at, sizeof at) != 0 ||
        lstat(control->path, &st) != 0 || chmod(control->path, 0600) != 0 ||
        listen(control->fd, BACKLOG) != 0)
        return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot listen on %s", control->path);
    control->dev = st.st_dev;
    control->ino = st.st_ino;
    return YR_OK;
}

enum yr_err yr_control_open(struct yr_control **out, const struct yr_control_opts *opts,
                            struct yr_net_fail *fail)
{
    struct yr_control *control = calloc(1, sizeof *control);
    enum yr_err err;
    int uv;

    if (control == NULL)
        return yr_net_fail(fail, YR_ENOMEM, 0, "no memory for the control socket");
    control->opts = *opts;
    control->opts.path = NULL; // copied
    control->fd = control->spare = -1;
    if (strlen(opts->path) >= sizeof control->path) {
        err = yr_net_fail(fail, YR_ESIZE, 0, "socket path is longer than %zu bytes: %s",
                          sizeof control->path - 1, opts->path);
        goto out;
    }
    strcpy(control->path, opts->path); // fits, just checked
    err = listen_at(control, fail);
    if (err != YR_OK)
        goto out;
    uv = uv_poll_init(opts->loop, &control->poll, control->fd);
    if (uv != 0) {
        err = yr_net_fail(fail, YR_EIO, 0, "cannot watch a socket: %s", uv_strerror(uv));
        goto out;
    }
    control->handles = 1;
    uv = uv_poll_start(&control->poll, UV_READABLE, on_connection);
    YR_ASSERT(uv == 0); // fails only for a handle that is being closed
    *out = control;
    control = NULL; // taken
out:
    yr_control_close(control, NULL, NULL);
    return err;
}

// ---- closing ----

static void finish(struct yr_control *control)
{
    void (*on_closed)(void *) = control->on_closed;
    void *ctx = control->closed_ctx;

    if (control->fd >= 0)
        close(control->fd);
    if (control->spare >= 0)
        close(control->spare);
    free(control);
    if (on_closed != NULL)
        on_closed(ctx);
}

static void released(struct yr_control *control)
{
    if (--control->handles == 0)
        finish(control);
}

static void on_listener_closed(uv_handle_t *handle)
{
    released((struct yr_control *)handle);
}

size_t yr_control_clients(const struct yr_control *control)
{
    return control->client_count;
}

void yr_control_close(struct yr_control *control, void (*on_closed)(void *ctx), void *ctx)
{
    struct stat st;

    if (control == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    control->on_closed = on_closed;
    control->closed_ctx = ctx;
    if (control->ino != 0 && lstat(control->path, &st) == 0 && st.st_dev == control->dev &&
        st.st_ino == control->ino)
        unlink(control->path);
    if (control->handles == 0) {
        finish(control);
        return;
    }
    for (struct yr_client *client = control->clients; client != NULL; client = client->next) {
        (void)push(client); // a last answer, if there is room for it
        end(client);
    }
    uv_close((uv_handle_t *)&control->poll, on_listener_closed);
}
