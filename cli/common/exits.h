/* exits.h: how a program of ours ends and why: exit codes (sysexits), the errors of the control
 * socket, and the one shape in which a failure travels up to whoever prints it. */
#ifndef YR_CLI_EXITS_H
#define YR_CLI_EXITS_H

#include "yaari/api.h"

/*    X(NAME, code, name in the manual, meaning) */
#define YR_EXIT_MAP(X)                                                                            \
    X(OK, 0, "OK", "done (for send: at least accepted by the local node, on disk)")               \
    X(NOTHING, 1, "", "ran, but nothing found or the condition is false")                         \
    X(USAGE, 64, "USAGE", "bad command line; a prompt was needed but impossible")                 \
    X(DATAERR, 65, "DATAERR",                                                                     \
      "malformed id, invite or JSON; ambiguous name; expired or spent invite; too long")          \
    X(NOINPUT, 66, "NOINPUT", "input file unreadable; no such message, file or invite")           \
    X(NOUSER, 67, "NOUSER", "no such friend, room, member or request")                            \
    X(NOHOST, 68, "NOHOST", "the friend is not reachable now")                                    \
    X(UNAVAILABLE, 69, "UNAVAILABLE", "the daemon is not running, or its vault is locked")        \
    X(SOFTWARE, 70, "SOFTWARE", "a bug")                                                          \
    X(OSERR, 71, "OSERR", "a system call failed")                                                 \
    X(CANTCREAT, 73, "CANTCREAT",                                                                 \
      "refuses to overwrite; the profile exists; another daemon has the store")                   \
    X(IOERR, 74, "IOERR", "input or output failed, disk full")                                    \
    X(TEMPFAIL, 75, "TEMPFAIL", "time ran out; the work continues in the daemon")                 \
    X(PROTOCOL, 76, "PROTOCOL", "daemon and client versions do not fit")                          \
    X(NOPERM, 77, "NOPERM",                                                                       \
      "not allowed: blocked, no such role in the room, wrong passphrase, socket of another user") \
    X(CONFIG, 78, "CONFIG", "configuration error")

enum yr_exit {
#define X(name, code, label, meaning) YR_EXIT_##name = code,
    YR_EXIT_MAP(X)
#undef X
};

/*    X(NAME, code, name in data.name, exit) */
#define YR_RPC_ERR_MAP(X)                                  \
    X(PARSE, -32700, "parse_error", DATAERR)               \
    X(INVALID_REQUEST, -32600, "invalid_request", DATAERR) \
    X(NO_SUCH_METHOD, -32601, "no_such_method", PROTOCOL)  \
    X(INVALID_PARAMS, -32602, "invalid_params", DATAERR)   \
    X(INTERNAL, -32603, "internal", SOFTWARE)              \
    X(NO_SUCH_TARGET, -32001, "no_such_target", NOUSER)    \
    X(AMBIGUOUS, -32002, "ambiguous", DATAERR)             \
    X(EXISTS, -32003, "exists", CANTCREAT)                 \
    X(UNREACHABLE, -32004, "unreachable", NOHOST)          \
    X(TIMEOUT, -32005, "timeout", TEMPFAIL)                \
    X(DENIED, -32006, "denied", NOPERM)                    \
    X(BAD_LINK, -32007, "bad_link", DATAERR)               \
    X(EXPIRED, -32008, "expired", DATAERR)                 \
    X(TOO_LARGE, -32009, "too_large", DATAERR)             \
    X(LOCKED, -32010, "locked", UNAVAILABLE)               \
    X(NO_IDENTITY, -32011, "no_identity", UNAVAILABLE)     \
    X(IO, -32012, "io", IOERR)                             \
    X(UNSUPPORTED, -32013, "unsupported", PROTOCOL)        \
    X(NO_SUCH_OBJECT, -32014, "no_such_object", NOINPUT)   \
    X(RATE_LIMITED, -32015, "rate_limited", TEMPFAIL)      \
    X(CONFIG, -32016, "config", CONFIG)

enum yr_rpc_err {
#define X(name, code, label, exit) YR_RPC_##name = code,
    YR_RPC_ERR_MAP(X)
#undef X
};

/** The row of an RPC error code; an unknown code reads as "internal" / YR_EXIT_SOFTWARE. */
const char *yr_rpc_err_name(int code);
enum yr_exit yr_rpc_err_exit(int code);

/** The sysexits name ("NOUSER") and meaning of an exit code; "" for what is not in the table. */
const char *yr_exit_name(int code);
const char *yr_exit_meaning(int code);

/** A failure on its way to the user.  `what` is "WHAT: WHY" without the program's name, lower case,
 *  no full stop; names in it are already safe to show. */
struct yr_fail {
    enum yr_exit exit;
    char what[512];
    char hint[256]; /* empty: none */
};

/** Fill `fail` (NULL is fine) and return `exit`, so that a function can `return yr_fail(...)`. */
enum yr_exit yr_fail(struct yr_fail *fail, enum yr_exit exit, const char *format, ...) YR_PRINTF(3);
/** The same with ": " and the sentence of `errnum` behind it. */
enum yr_exit yr_fail_errno(struct yr_fail *fail, enum yr_exit exit, int errnum, const char *format,
                           ...) YR_PRINTF(4);
/** Set the hint of a failure already filled. */
void yr_fail_hint(struct yr_fail *fail, const char *format, ...) YR_PRINTF(2);

#endif
