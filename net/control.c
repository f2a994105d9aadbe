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
#include "net/dir.h"

#define CHUNK   (64u << 10) /* bytes read at once: one caller cannot keep the loop to itself */
#define BACKLOG 64
#define TURNS   16  /* connections, or reads, before the loop's other work gets its turn */
#define REST_MS 100 /* between two tries to accept when the system has no means for it */

struct yr_caller {
    uv_poll_t poll;
    struct yr_control *control;
    struct yr_caller *next, **link; // all callers; link: what points to us
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
    uv_timer_t rest;
    struct yr_control_opts opts;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    int fd, spare; // spare: given up for a moment when descriptors run out
    dev_t dev;     // the socket's file, so that we remove no other
    ino_t ino;
    struct yr_caller *callers;
    size_t caller_count, handles;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

// ---- one caller ----

static void on_caller(uv_poll_t *poll, int status, int events);
static void released(struct yr_control *control);

static void on_caller_closed(uv_handle_t *handle)
{
    struct yr_caller *caller = (struct yr_caller *)handle; // its first member
    struct yr_control *control = caller->control;

    close(caller->fd);
    *caller->link = caller->next;
    if (caller->next != NULL)
        caller->next->link = caller->link;
    control->caller_count--;
    control->opts.on_close(control->opts.ctx, caller);
    if (caller->in_len > 0)
        explicit_bzero(caller->in, caller->in_len);
    free(caller->in);
    free(caller->out);
    free(caller);
    released(control);
}

static void end(struct yr_caller *caller)
{
    if (caller->dead)
        return;
    caller->dead = true;
    uv_close((uv_handle_t *)&caller->poll, on_caller_closed);
}

/** Ask the loop for what is wanted now, or end what wants nothing any more. */
static void settle(struct yr_caller *caller)
{
    int events = caller->out_len > 0 ? UV_WRITABLE : 0;

    if (caller->dead)
        return;
    if (caller->out_len == 0 && (caller->closing || (caller->eof && caller->holds == 0))) {
        end(caller);
        return;
    }
    if (!caller->eof && !caller->closing)
        events |= UV_READABLE;
    if (events == 0)
        uv_poll_stop(&caller->poll);
    else if (uv_poll_start(&caller->poll, events, on_caller) != 0)
        end(caller);
}

/** Write what is queued.  false: it is gone. */
static bool push(struct yr_caller *caller)
{
    while (caller->out_len > 0) {
        const ssize_t n = send(caller->fd, caller->out + caller->out_at, caller->out_len,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        caller->out_at += (size_t)n;
        caller->out_len -= (size_t)n;
    }
    caller->out_at = 0;
    if (caller->out_cap > CHUNK) { // a burst is over: give its memory back
        free(caller->out);
        caller->out = NULL;
        caller->out_cap = 0;
    }
    return true;
}

/** Room for `len` more bytes behind what is queued. */
static bool out_room(struct yr_caller *caller, size_t len)
{
    size_t cap = YR_MAX(caller->out_cap, (size_t)1024);
    char *grown;

    if (caller->out_at > 0 && caller->out_at + caller->out_len + len > caller->out_cap) {
        memmove(caller->out, caller->out + caller->out_at, caller->out_len);
        caller->out_at = 0;
    }
    if (caller->out_at + caller->out_len + len <= caller->out_cap)
        return true;
    while (cap < caller->out_len + len)
        cap *= 2;
    grown = realloc(caller->out, cap);
    if (grown == NULL)
        return false;
    caller->out = grown;
    caller->out_cap = cap;
    return true;
}

enum yr_err yr_caller_send(struct yr_caller *caller, const void *bytes, size_t len)
{
    const char *at = bytes;

    if (caller->dead || caller->closing)
        return YR_ENOENT;
    if (caller->out_len == 0 && len > 0) {
        const ssize_t n = send(caller->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            end(caller);
            return YR_ENOENT;
        }
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    if (len == 0)
        return YR_OK;
    if (len > YR_CONTROL_QUEUE_MAX - caller->out_len) {
        end(caller);
        return YR_EFULL;
    }
    if (!out_room(caller, len)) {
        end(caller);
        return YR_ENOMEM;
    }
    memcpy(caller->out + caller->out_at + caller->out_len, at, len);
    caller->out_len += len;
    settle(caller);
    return YR_OK;
}

static bool gone(const struct yr_caller *caller)
{
    return caller->dead || caller->closing;
}

/** Forget what was said up to `end`, but for the first in_len bytes: a passphrase may be in it. */
static void wipe_in(struct yr_caller *caller, size_t end)
{
    if (end > caller->in_len)
        explicit_bzero(caller->in + caller->in_len, end - caller->in_len);
}

/** Hand over the whole lines of in[0..in_len) and keep the rest. */
static void take_lines(struct yr_caller *caller, size_t fresh)
{
    const struct yr_control_opts *opts = &caller->control->opts;
    char *at = caller->in, *const stop = caller->in + caller->in_len;
    char *look = stop - fresh; // what was there before has no newline
    char *newline;

    while (!gone(caller) && (newline = memchr(look, '\n', (size_t)(stop - look))) != NULL) {
        const size_t len = (size_t)(newline - at);
        if (caller->discard)
            caller->discard = false;
        else if (len > YR_CONTROL_LINE_MAX)
            opts->on_too_long(opts->ctx, caller);
        else
            opts->on_line(opts->ctx, caller, at, len);
        at = look = newline + 1;
    }
    caller->in_len = (size_t)(stop - at);
    if (!gone(caller) && !caller->discard && caller->in_len > YR_CONTROL_LINE_MAX) {
        caller->discard = true;
        opts->on_too_long(opts->ctx, caller);
    }
    if (caller->discard)
        caller->in_len = 0;
    memmove(caller->in, at, caller->in_len);
    wipe_in(caller, (size_t)(stop - caller->in));
}

static bool in_room(struct yr_caller *caller)
{
    size_t cap = YR_MAX(caller->in_cap, (size_t)4096);
    char *grown;

    if (caller->in_cap - caller->in_len >= 4096)
        return true;
    while (cap - caller->in_len < 4096)
        cap *= 2;
    grown = malloc(cap); // not realloc, which leaves a copy behind
    if (grown == NULL)
        return false;
    if (caller->in_len > 0) {
        memcpy(grown, caller->in, caller->in_len);
        explicit_bzero(caller->in, caller->in_len);
    }
    free(caller->in);
    caller->in = grown;
    caller->in_cap = cap;
    return true;
}

/** It will say no more.  What it said last counts as a line, newline or not. */
static void on_eof(struct yr_caller *caller)
{
    const struct yr_control_opts *opts = &caller->control->opts;
    struct pollfd poll_fd = {.fd = caller->fd};
    size_t said;

    caller->eof = true;
    if (caller->in_len > 0 && !caller->discard)
        opts->on_line(opts->ctx, caller, caller->in, caller->in_len);
    said = caller->in_len;
    caller->in_len = 0;
    wipe_in(caller, said);
    if (poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLHUP | POLLERR)) != 0)
        end(caller); // nor does it listen any more
}

static void on_readable(struct yr_caller *caller)
{
    ssize_t n;

    if (!in_room(caller)) {
        end(caller);
        return;
    }
    n = recv(caller->fd, caller->in + caller->in_len,
             YR_MIN(caller->in_cap - caller->in_len, (size_t)CHUNK), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n < 0) {
        end(caller);
    } else if (n == 0) {
        on_eof(caller);
    } else {
        caller->in_len += (size_t)n;
        take_lines(caller, (size_t)n);
    }
    if (caller->in_len == 0 && caller->in_cap > CHUNK) {
        free(caller->in);
        caller->in = NULL;
        caller->in_cap = 0;
    }
}

static void on_caller(uv_poll_t *poll, int status, int events)
{
    struct yr_caller *caller = (struct yr_caller *)poll; // its first member

    if (status < 0) { // it hung up on what we sent; what it said before still counts
        for (int i = 0; i < TURNS && !gone(caller) && !caller->eof; i++)
            on_readable(caller);
        end(caller);
        return;
    }
    if ((events & UV_WRITABLE) != 0 && !push(caller)) {
        end(caller);
        return;
    }
    if ((events & UV_READABLE) != 0 && !gone(caller) && !caller->eof)
        on_readable(caller);
    settle(caller);
}

void *yr_caller_data(const struct yr_caller *caller)
{
    return caller->data;
}

void yr_caller_set_data(struct yr_caller *caller, void *data)
{
    caller->data = data;
}

uid_t yr_caller_uid(const struct yr_caller *caller)
{
    return caller->uid;
}

pid_t yr_caller_pid(const struct yr_caller *caller)
{
    return caller->pid;
}

size_t yr_caller_queued(const struct yr_caller *caller)
{
    return caller->out_len;
}

void yr_caller_hold(struct yr_caller *caller)
{
    caller->holds++;
}

void yr_caller_release(struct yr_caller *caller)
{
    YR_ASSERT(caller->holds > 0);
    caller->holds--;
    settle(caller);
}

void yr_caller_close(struct yr_caller *caller, bool at_once)
{
    caller->closing = true;
    if (at_once)
        end(caller);
    else
        settle(caller);
}

// ---- accepting ----

static bool allowed(const struct yr_control_opts *opts, uid_t uid)
{
    for (size_t i = 0; i < opts->extra_uid_count; i++)
        if (uid == opts->extra_uids[i])
            return true;
    return uid == geteuid() || uid == 0;
}

static void welcome(struct yr_control *control, int fd)
{
    struct yr_caller *caller = NULL;
    struct ucred who;
    socklen_t len = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        goto refuse;
    if (!allowed(&control->opts, who.uid)) {
        if (control->opts.on_refused != NULL)
            control->opts.on_refused(control->opts.ctx, who.uid, who.pid);
        goto refuse;
    }
    if (control->caller_count == YR_CONTROL_CLIENTS_MAX)
        goto refuse;
    caller = calloc(1, sizeof *caller);
    if (caller == NULL || uv_poll_init(control->opts.loop, &caller->poll, fd) != 0)
        goto refuse;
    caller->control = control;
    caller->fd = fd;
    caller->uid = who.uid;
    caller->pid = who.pid;
    caller->next = control->callers;
    caller->link = &control->callers;
    if (caller->next != NULL)
        caller->next->link = &caller->next;
    control->callers = caller;
    control->caller_count++;
    control->handles++;
    settle(caller);
    return;
refuse:
    free(caller);
    close(fd);
}

/** No descriptor is left: with the spare one, take the connection off the queue and drop it, or the
 *  loop would call us about it for ever.  false: not even that went. */
static bool shed(struct yr_control *control)
{
    int fd;

    if (control->spare >= 0)
        close(control->spare);
    fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && control->spare >= 0;
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_rested(uv_timer_t *rest)
{
    struct yr_control *control = rest->data;

    (void)uv_poll_start(&control->poll, UV_READABLE, on_connection);
}

/** Who waits can wait a moment longer; a loop that asks without end helps nobody. */
static void take_a_rest(struct yr_control *control)
{
    uv_poll_stop(&control->poll);
    uv_timer_start(&control->rest, on_rested, REST_MS, 0);
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
            if (!shed(control))
                take_a_rest(control);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                take_a_rest(control);
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

    if (slash != NULL) {
        const size_t len = slash == path ? 1 : (size_t)(slash - path);
        memcpy(dir, path, len);
        dir[len] = '\0';
    }
    return yr_dir_private(dir, fail);
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

    YR_ASSERT(opts->extra_uid_count <= YR_CONTROL_UIDS_MAX);
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
    (void)uv_timer_init(opts->loop, &control->rest); // cannot fail
    control->poll.data = control->rest.data = control;
    control->handles = 2;
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

static void on_own_closed(uv_handle_t *handle)
{
    released(handle->data);
}

size_t yr_control_clients(const struct yr_control *control)
{
    return control->caller_count;
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
    for (struct yr_caller *caller = control->callers; caller != NULL; caller = caller->next) {
        (void)push(caller); // a last answer, if there is room for it
        end(caller);
    }
    uv_close((uv_handle_t *)&control->poll, on_own_closed);
    uv_close((uv_handle_t *)&control->rest, on_own_closed);
}
