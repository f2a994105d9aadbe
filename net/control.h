/* net/control.h: the control socket: lines in, bytes out, over a Unix stream socket of the user's
 * own.
 *
 * It carries lines and knows nothing of what they say.  The socket is 0600 in a 0700 directory, and
 * who connects must have our uid (or root's, or one of those that were allowed). */
#ifndef YR_CONTROL_H
#define YR_CONTROL_H

#include <sys/types.h>
#include <uv.h>

#include "net/fail.h"
#include "yaari/api.h"

#define YR_CONTROL_LINE_MAX    (1u << 20) /* bytes of one line, its newline not counted */
#define YR_CONTROL_QUEUE_MAX   (4u << 20) /* bytes a client has not read yet; more: it is closed */
#define YR_CONTROL_CLIENTS_MAX 128
#define YR_CONTROL_UIDS_MAX    16 /* other users that may be allowed */

struct yr_control;
struct yr_caller; /* a program that has connected */

struct yr_control_opts {
    uv_loop_t *loop;
    const char *path;   /* <= 107 bytes; copied */
    bool replace_stale; /* the caller holds the profile's lock: a socket nobody answers is replaced
                         */
    uid_t extra_uids[YR_CONTROL_UIDS_MAX]; /* allowed besides our own and root's */
    size_t extra_uid_count;
    /** One whole line, without its newline, lent for the call; any bytes. */
    void (*on_line)(void *ctx, struct yr_caller *caller, const char *line, size_t len);
    /** A line grew past the limit; the rest of it is being thrown away. */
    void (*on_too_long)(void *ctx, struct yr_caller *caller);
    /** The client is gone, and its pointer with it; comes once for each, never from inside
     *  yr_caller_send. */
    void (*on_close)(void *ctx, struct yr_caller *caller);
    /** Somebody else tried; may be NULL. */
    void (*on_refused)(void *ctx, uid_t uid, pid_t pid);
    void *ctx;
};

/** *out owned by the caller.  Errors, worded in *fail: YR_ESIZE: path too long; YR_EDENIED:
 * directory or socket has the wrong owner or mode; YR_EEXIST: somebody listens there, or what is
 * there is no socket; YR_EIO; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_control_open(struct yr_control **out, const struct yr_control_opts *opts,
                                        struct yr_net_fail *fail);

size_t yr_control_clients(const struct yr_control *control);

/** What was attached to it; NULL at first. */
void *yr_caller_data(const struct yr_caller *caller);
void yr_caller_set_data(struct yr_caller *caller, void *data);
uid_t yr_caller_uid(const struct yr_caller *caller);
pid_t yr_caller_pid(const struct yr_caller *caller);

/** Send bytes (copied), a newline included by the caller.
 *  Errors: YR_EFULL: it reads too slowly, and is being closed; YR_ENOENT: it is being closed;
 *  YR_ENOMEM: likewise. */
YR_MUST_USE enum yr_err yr_caller_send(struct yr_caller *caller, const void *bytes, size_t len);
/** Bytes it has not read yet. */
size_t yr_caller_queued(const struct yr_caller *caller);

/** A client that shuts its writing side down (`echo ... | nc -N`) still gets its answers: it is
 * closed once its queue is empty and as many releases as holds came. */
void yr_caller_hold(struct yr_caller *caller);
void yr_caller_release(struct yr_caller *caller);

/** Close it once its queue is empty, or at once. */
void yr_caller_close(struct yr_caller *caller, bool at_once);

/** Close all clients (on_close comes for each), remove the socket, free; then on_closed.
 *  NULL is fine: on_closed at once. */
void yr_control_close(struct yr_control *control, void (*on_closed)(void *ctx), void *ctx);

#endif
