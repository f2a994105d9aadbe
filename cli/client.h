/* cli/client.h: a connection to a running yaarid: JSON-RPC 2.0, one object a line, on its socket.
 *
 *     open (hello) -> call ... call -> close
 *                  -> subscribe -> next_event ...      calls may go on in between
 *
 * One thread.  A call blocks until its answer; events that arrive meanwhile are kept in order. */
#ifndef YR_CLIENT_H
#define YR_CLIENT_H

#include <jansson.h>

#include "yaari/api.h"
#include "yaari/error.h"

#define YR_CLIENT_CALLS_MAX 64 /* calls on their way at once */

struct yr_client;

/** Why something failed, as the user is told.  Zero it before its first use. */
struct yr_client_error {
    int exit;          /* sysexits code; 0: no error */
    int code;          /* JSON-RPC code; 0: found out on this side */
    char name[40];     /* "no_such_target" */
    char message[512]; /* lower case, no full stop; untrusted */
    char hint[512];    /* empty: none; untrusted */
    json_t *data;      /* the daemon's error data, owned by this struct; NULL: none */
};
/** Free what it owns and zero it. */
void yr_client_error_clear(struct yr_client_error *err);

struct yr_client_opts {
    const char *socket;  /* path of the control socket */
    const char *name;    /* what we call ourselves in hello */
    unsigned timeout_ms; /* for each call; 0: wait for ever */
};

/** Connect and say hello.  *out owned by the caller.
 *  Errors, each with *err filled in: YR_ENOENT nobody listens (exit 69); YR_EDENIED the socket
 *  belongs to another user (77); YR_EVERSION no common API (76); YR_EINVAL the path is too long
 *  (78); YR_EAGAIN no answer in time (75); YR_EIO. */
YR_MUST_USE enum yr_err yr_client_open(struct yr_client **out, const struct yr_client_opts *opts,
                                       struct yr_client_error *err);
void yr_client_close(struct yr_client *client);

/** The answer to hello; lent for the client's life. */
const json_t *yr_client_hello(const struct yr_client *client);

/** The limit of the calls that follow, in milliseconds; 0: wait for ever. */
void yr_client_set_timeout(struct yr_client *client, unsigned timeout_ms);

/** Call a method and wait for its answer.
 *  params  taken, also on error; NULL: none.
 *  The result is owned by the caller; NULL: *err says why (75 no answer in time, 69 the daemon went
 *  away, else what the daemon answered). */
YR_MUST_USE json_t *yr_client_call(struct yr_client *client, const char *method, json_t *params,
                                   struct yr_client_error *err);

/** The same in two steps, so that up to YR_CLIENT_CALLS_MAX calls can be on their
 *  way: params taken.  0: *err says why. */
YR_MUST_USE int64_t yr_client_start(struct yr_client *client, const char *method, json_t *params,
                                    struct yr_client_error *err);
/** The answer to a call that was started; each is finished once, in any order.  As yr_client_call.
 */
YR_MUST_USE json_t *yr_client_finish(struct yr_client *client, int64_t id,
                                     struct yr_client_error *err);

/** Ask for events.  params as of events.subscribe, taken; NULL: all from now on.
 *  *cursor (may be NULL): where the stream starts.  false: *err says why. */
YR_MUST_USE bool yr_client_subscribe(struct yr_client *client, json_t *params, uint64_t *cursor,
                                     struct yr_client_error *err);

/** The next event record, owned by the caller.
 *  timeout_ms  -1: wait for ever; 0: only what is here.
 *  NULL: err->exit is 75 when there was none in time, 0 when a signal came, 69 when the daemon went
 *  away.  Before waiting on yr_client_fd, call this with 0 until it gives NULL. */
YR_MUST_USE json_t *yr_client_next_event(struct yr_client *client, int timeout_ms,
                                         struct yr_client_error *err);

/** The descriptor to wait on for POLLIN; lent. */
int yr_client_fd(const struct yr_client *client);

/** Send one line as it is and give back the answer with its id as it is: for `yaari rpc --stdio`.
 */
YR_MUST_USE bool yr_client_write_line(struct yr_client *client, const char *line, size_t len,
                                      struct yr_client_error *err);
/** The next line of the daemon without its newline, owned by the caller (free); NULL as next_event.
 */
YR_MUST_USE char *yr_client_read_line(struct yr_client *client, int timeout_ms, size_t *len,
                                      struct yr_client_error *err);

#endif
