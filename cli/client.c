/* cli/client.c: see client.h. */
#include "cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli/common/buf.h"
#include "cli/common/exits.h"

#define API_VERSION 1
#define LINE_MAX_IN (256u << 20) /* bytes of one line of the daemon; a whole history fits */
#define READ_STEP   65536u

struct yr_client {
    int fd;
    unsigned timeout_ms;
    json_int_t next_id;
    json_t *hello;
    json_t *events;  /* array: notifications not yet taken */
    json_t *answers; /* array: of calls not yet finished */
    char *buf;
    size_t len, cap, scanned; /* bytes held, room, and how far no newline is known */
};

void yr_client_error_clear(struct yr_client_error *err)
{
    json_decref(err->data);
    memset(err, 0, sizeof *err);
}

/** Fill in an error of this side; frees what was there. */
__attribute__((format(printf, 4, 5))) static void
set_error(struct yr_client_error *err, int exit, const char *name, const char *format, ...)
{
    va_list args;

    yr_client_error_clear(err);
    err->exit = exit;
    snprintf(err->name, sizeof err->name, "%s", name);
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
}

static void set_hint(struct yr_client_error *err, const char *hint)
{
    snprintf(err->hint, sizeof err->hint, "%s", hint);
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/** When a wait that starts now ends; -1: never. */
static int64_t deadline_after(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
}

static int call_timeout(const struct yr_client *client)
{
    return client->timeout_ms == 0 ? -1 : (int)client->timeout_ms;
}

static void closed_by_daemon(struct yr_client_error *err)
{
    set_error(err, YR_EXIT_UNAVAILABLE, "daemon_gone", "the node closed the connection");
    set_hint(err, "yaari daemon status");
}

/** Wait until `events` are there.  1: they are; 0: the deadline passed; -1: a signal or an error.
 */
static int wait_for(const struct yr_client *client, short events, int64_t deadline,
                    struct yr_client_error *err)
{
    struct pollfd pfd = {.fd = client->fd, .events = events};
    int wait = -1, n;

    if (deadline >= 0) {
        const int64_t left = deadline - now_ms();
        wait = left <= 0 ? 0 : left > 86400000 ? 86400000 : (int)left;
    }
    n = poll(&pfd, 1, wait);
    if (n == 0)
        set_error(err, YR_EXIT_TEMPFAIL, "timeout", "no answer in time");
    else if (n < 0 && errno == EINTR)
        yr_client_error_clear(err);
    else if (n < 0)
        set_error(err, YR_EXIT_OSERR, "os_error", "poll: %s", strerror(errno));
    return n;
}

static bool write_all(struct yr_client *client, const char *bytes, size_t len, int64_t deadline,
                      struct yr_client_error *err)
{
    while (len > 0) {
        const ssize_t n = send(client->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            const int ready = wait_for(client, POLLOUT, deadline, err);
            if (ready == 0 || (ready < 0 && err->exit != 0))
                return false;
        } else if (errno != EINTR) {
            closed_by_daemon(err);
            return false;
        }
    }
    return true;
}

static bool make_room(struct yr_client *client, struct yr_client_error *err)
{
    size_t cap = client->cap < READ_STEP ? READ_STEP : client->cap * 2;
    char *bigger;

    if (client->cap - client->len >= READ_STEP / 2)
        return true;
    bigger = cap > LINE_MAX_IN ? NULL : realloc(client->buf, cap);
    if (bigger == NULL) {
        set_error(err, YR_EXIT_OSERR, "out_of_memory", "the node's answer is too long");
        return false;
    }
    client->buf = bigger;
    client->cap = cap;
    return true;
}

/** Take the first whole line out of the buffer; NULL: there is none.  Owned by the caller. */
static char *take_line(struct yr_client *client, size_t *len)
{
    char *end, *line;

    if (client->len == client->scanned)
        return NULL;
    end = memchr(client->buf + client->scanned, '\n', client->len - client->scanned);
    if (end == NULL) {
        client->scanned = client->len;
        return NULL;
    }
    *len = (size_t)(end - client->buf);
    line = malloc(*len + 1);
    if (line == NULL)
        return NULL;
    memcpy(line, client->buf, *len);
    line[*len] = '\0';
    client->len -= *len + 1;
    memmove(client->buf, end + 1, client->len);
    client->scanned = 0;
    return line;
}

static char *read_line(struct yr_client *client, size_t *len, int64_t deadline,
                       struct yr_client_error *err)
{
    char *line;

    while ((line = take_line(client, len)) == NULL) {
        ssize_t n;

        if (!make_room(client, err))
            return NULL;
        n = recv(client->fd, client->buf + client->len, client->cap - client->len, MSG_DONTWAIT);
        if (n > 0) {
            client->len += (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            if (wait_for(client, POLLIN, deadline, err) <= 0)
                return NULL;
        } else if (n == 0 || errno != EINTR) {
            closed_by_daemon(err);
            return NULL;
        }
    }
    return line;
}

char *yr_client_read_line(struct yr_client *client, int timeout_ms, size_t *len,
                          struct yr_client_error *err)
{
    return read_line(client, len, deadline_after(timeout_ms), err);
}

bool yr_client_write_line(struct yr_client *client, const char *line, size_t len,
                          struct yr_client_error *err)
{
    const int64_t deadline = deadline_after(call_timeout(client));

    return write_all(client, line, len, deadline, err) && write_all(client, "\n", 1, deadline, err);
}

/** One message of the daemon; NULL with *err as read_line, or when it is no JSON object. */
static json_t *read_message(struct yr_client *client, int64_t deadline, struct yr_client_error *err)
{
    size_t len = 0;
    char *line = read_line(client, &len, deadline, err);
    json_t *message;

    if (line == NULL)
        return NULL;
    message = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    free(line);
    if (!json_is_object(message)) {
        json_decref(message);
        set_error(err, YR_EXIT_PROTOCOL, "bad_answer", "the node's answer is not understood");
        return NULL;
    }
    return message;
}

/** The event record in a notification, or NULL.  Borrowed from it. */
static json_t *event_of(json_t *message)
{
    const char *method = json_string_value(json_object_get(message, "method"));
    json_t *params = json_object_get(message, "params");

    return method != NULL && strcmp(method, "event") == 0 && json_is_object(params) ? params : NULL;
}

static void copy_text(char *out, size_t size, const json_t *from, const char *key)
{
    const char *text = json_string_value(json_object_get(from, key));

    snprintf(out, size, "%s", text == NULL ? "" : text);
}

static void error_from(struct yr_client_error *err, const json_t *answer)
{
    json_t *data = json_object_get(answer, "data");
    const json_t *exit = json_object_get(data, "exit");

    yr_client_error_clear(err);
    err->code = (int)json_integer_value(json_object_get(answer, "code"));
    err->exit = json_is_integer(exit) ? (int)json_integer_value(exit) : YR_EXIT_SOFTWARE;
    if (err->exit <= 0 || err->exit > 255)
        err->exit = YR_EXIT_SOFTWARE;
    copy_text(err->message, sizeof err->message, answer, "message");
    copy_text(err->name, sizeof err->name, data, "name");
    copy_text(err->hint, sizeof err->hint, data, "hint");
    if (err->name[0] == '\0')
        snprintf(err->name, sizeof err->name, "rpc_error");
    if (err->message[0] == '\0')
        snprintf(err->message, sizeof err->message, "the node's answer is not understood");
    err->data = json_incref(data);
}

static bool send_request(struct yr_client *client, json_int_t id, const char *method,
                         json_t *params, int64_t deadline, struct yr_client_error *err)
{
    json_t *request = json_pack("{s:s, s:I, s:s}", "jsonrpc", "2.0", "id", id, "method", method);
    char *text = NULL;
    bool sent = false;

    if (request != NULL && params != NULL && json_object_set(request, "params", params) != 0) {
        json_decref(request);
        request = NULL;
    }
    if (request != NULL)
        text = json_dumps(request, JSON_COMPACT);
    if (text == NULL)
        set_error(err, YR_EXIT_DATAERR, "bad_text", "a text is not valid UTF-8");
    else
        sent = write_all(client, text, strlen(text), deadline, err) &&
               write_all(client, "\n", 1, deadline, err);
    if (text != NULL)
        explicit_bzero(text, strlen(text)); // a passphrase may be in it
    free(text);
    json_decref(request);
    return sent;
}

int64_t yr_client_start(struct yr_client *client, const char *method, json_t *params,
                        struct yr_client_error *err)
{
    const int64_t id = client->next_id++;
    const bool sent =
        send_request(client, id, method, params, deadline_after(call_timeout(client)), err);

    json_decref(params);
    return sent ? id : 0;
}

/** The answer to call `id` among those that came before their turn; NULL: not there.  Owned. */
static json_t *take_answer(struct yr_client *client, int64_t id)
{
    for (size_t i = 0; i < json_array_size(client->answers); i++) {
        json_t *message = json_array_get(client->answers, i);

        if (json_integer_value(json_object_get(message, "id")) == id) {
            json_incref(message);
            json_array_remove(client->answers, i);
            return message;
        }
    }
    return NULL;
}

/** Keep an answer whose turn has not come.  Those of calls that were given up make room. */
static void keep_answer(struct yr_client *client, json_t *message)
{
    if (json_array_size(client->answers) == YR_CLIENT_CALLS_MAX)
        json_array_remove(client->answers, 0);
    json_array_append(client->answers, message);
}

/** The next answer that is for call `id`, or for a line the node could not read.  Owned.
 *  NULL with *err. */
static json_t *wait_answer(struct yr_client *client, int64_t id, struct yr_client_error *err)
{
    const int64_t deadline = deadline_after(call_timeout(client));
    json_t *message = take_answer(client, id);

    while (message == NULL) {
        json_t *event;

        message = read_message(client, deadline, err);
        if (message == NULL && err->exit != 0)
            return NULL; // else a signal
        event = event_of(message);
        if (event != NULL)
            json_array_append(client->events, event);
        else if (message != NULL && !json_is_null(json_object_get(message, "id")) &&
                 json_integer_value(json_object_get(message, "id")) != id)
            keep_answer(client, message);
        else
            continue;
        json_decref(message);
        message = NULL;
    }
    return message;
}

json_t *yr_client_finish(struct yr_client *client, int64_t id, struct yr_client_error *err)
{
    json_t *message = wait_answer(client, id, err);
    json_t *result = json_incref(json_object_get(message, "result"));

    if (message != NULL && result == NULL)
        error_from(err, json_object_get(message, "error"));
    json_decref(message);
    return result;
}

json_t *yr_client_call(struct yr_client *client, const char *method, json_t *params,
                       struct yr_client_error *err)
{
    const int64_t id = yr_client_start(client, method, params, err);

    return id == 0 ? NULL : yr_client_finish(client, id, err);
}

bool yr_client_subscribe(struct yr_client *client, json_t *params, uint64_t *cursor,
                         struct yr_client_error *err)
{
    json_t *result =
        yr_client_call(client, "events.subscribe", params == NULL ? json_object() : params, err);

    if (result == NULL)
        return false;
    if (cursor != NULL)
        *cursor = (uint64_t)json_integer_value(json_object_get(result, "cursor"));
    json_decref(result);
    return true;
}

json_t *yr_client_next_event(struct yr_client *client, int timeout_ms, struct yr_client_error *err)
{
    const int64_t deadline = deadline_after(timeout_ms);
    json_t *event = NULL;

    if (json_array_size(client->events) > 0) {
        event = json_incref(json_array_get(client->events, 0));
        json_array_remove(client->events, 0);
        return event;
    }
    while (event == NULL) {
        json_t *message = read_message(client, deadline, err);

        if (message == NULL)
            return NULL;
        event = json_incref(event_of(message));
        json_decref(message);
    }
    return event;
}

int yr_client_fd(const struct yr_client *client)
{
    return client->fd;
}

const json_t *yr_client_hello(const struct yr_client *client)
{
    return client->hello;
}

void yr_client_set_timeout(struct yr_client *client, unsigned timeout_ms)
{
    client->timeout_ms = timeout_ms;
}

void yr_client_close(struct yr_client *client)
{
    if (client == NULL)
        return;
    if (client->fd >= 0)
        close(client->fd);
    json_decref(client->hello);
    json_decref(client->events);
    json_decref(client->answers);
    free(client->buf);
    free(client);
}

/** Root may use the socket of a service that runs as a user of its own: one that lies in a folder
 *  into which nobody else could have put it. */
static bool service_of(uid_t owner, const char *path)
{
    char *folder = yr_strdup(path), *slash = strrchr(folder, '/');
    struct stat info;
    bool safe;

    if (slash != NULL)
        *slash = '\0';
    safe = getuid() == 0 && slash != NULL && slash != folder && stat(folder, &info) == 0 &&
           info.st_uid == owner && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    free(folder);
    return safe;
}

static enum yr_err connect_to(int fd, const char *path, struct yr_client_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (strlen(path) >= sizeof addr.sun_path) {
        set_error(err, YR_EXIT_CONFIG, "socket_path",
                  "the socket's path is longer than %zu bytes: '%s'", sizeof addr.sun_path - 1,
                  path);
        return YR_EINVAL;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) != 0) {
        if (errno == EACCES || errno == EPERM) {
            set_error(err, YR_EXIT_NOPERM, "denied", "socket '%s': %s", path, strerror(errno));
            return YR_EDENIED;
        }
        if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) {
            set_error(err, YR_EXIT_UNAVAILABLE, "daemon_not_running",
                      "the node is not running (no answer at '%s')", path);
            set_hint(err, "yaari daemon start");
            return YR_ENOENT;
        }
        set_error(err, YR_EXIT_OSERR, "os_error", "socket '%s': %s", path, strerror(errno));
        return YR_EIO;
    }
    // Whoever answers must be us or root: another user could have put the socket there.
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
        (peer.uid != getuid() && peer.uid != 0 && !service_of(peer.uid, path))) {
        set_error(err, YR_EXIT_NOPERM, "denied", "socket '%s': it belongs to another user", path);
        return YR_EDENIED;
    }
    return YR_OK;
}

static enum yr_err say_hello(struct yr_client *client, const char *name,
                             struct yr_client_error *err)
{
    json_t *params = json_pack("{s:s, s:i}", "client", name, "api", API_VERSION);

    client->hello = yr_client_call(client, "hello", params, err);
    if (client->hello == NULL && err->exit == YR_EXIT_PROTOCOL)
        return YR_EVERSION;
    if (client->hello == NULL)
        return err->exit == YR_EXIT_TEMPFAIL ? YR_EAGAIN : YR_EIO;
    if (json_integer_value(json_object_get(client->hello, "api")) != API_VERSION) {
        set_error(err, YR_EXIT_PROTOCOL, "unsupported", "the node speaks API %lld, this program %d",
                  (long long)json_integer_value(json_object_get(client->hello, "api")),
                  API_VERSION);
        set_hint(err, "yaari daemon restart");
        return YR_EVERSION;
    }
    return YR_OK;
}

enum yr_err yr_client_open(struct yr_client **out, const struct yr_client_opts *opts,
                           struct yr_client_error *err)
{
    struct yr_client *client = calloc(1, sizeof *client);
    enum yr_err result = YR_ENOMEM;

    if (client != NULL) {
        client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        client->events = json_array();
        client->answers = json_array();
        client->timeout_ms = opts->timeout_ms;
        client->next_id = 1;
    }
    if (client == NULL || client->fd < 0 || client->events == NULL || client->answers == NULL) {
        set_error(err, YR_EXIT_OSERR, "os_error", "%s", strerror(errno));
        goto out;
    }
    result = connect_to(client->fd, opts->socket, err);
    if (result == YR_OK)
        result = say_hello(client, opts->name, err);
    if (result == YR_OK) {
        *out = client;
        client = NULL; // taken
    }
out:
    yr_client_close(client);
    return result;
}
