/* log.h: the daemon's log: one line an entry, on stderr, to journald or into a file.
 *
 *     2026-11-22T15:46:35.123Z info net: ...      stderr, file
 *     <6>net: ...                                 when stderr is the journal
 *
 * What a friend wrote, keys, whole ids and invites are never logged: callers do not pass them, and
 * as a second line of defence every run of 20 or more characters of our base32 is cut to 8. */
#ifndef YR_LOG_H
#define YR_LOG_H

#include "cli/common/buf.h"
#include "cli/common/config.h"
#include "yaari/host.h"

#define YR_LOG_ROOMS_MAX 16

struct yr_log {
    int fd;       /* where lines go: 2, or the file */
    char *path;   /* owned; NULL: stderr */
    bool journal; /* lines carry a priority and no time */
    bool scrub;   /* no addresses and names */
    enum yr_log_level level;
    size_t room_count;
    struct {
        char room[16];
        enum yr_log_level level;
    } rooms[YR_LOG_ROOMS_MAX];
};

/** Log to stderr at level info, as the journal wants it if stderr is the journal. */
void yr_log_init(struct yr_log *log, bool scrub);
void yr_log_clear(struct yr_log *log);
/** Log into a file (0600, made if missing) from now on.  Errors: YR_EXIT_CANTCREAT; the log stays
 *  where it was. */
YR_MUST_USE enum yr_exit yr_log_file(struct yr_log *log, const char *path, struct yr_fail *fail);
/** Open the file again, after someone moved it away; the old one stays if that fails. */
YR_MUST_USE enum yr_exit yr_log_reopen(struct yr_log *log, struct yr_fail *fail);
/** Levels from the entries of log.level: "info", "net=debug". */
void yr_log_levels(struct yr_log *log, const struct yr_config_value *value);

bool yr_log_wants(const struct yr_log *log, enum yr_log_level level, const char *room);
void yr_log(struct yr_log *log, enum yr_log_level level, const char *room, const char *format, ...)
    YR_PRINTF(4);
/** The line that an entry becomes, with its newline. */
void yr_log_line(const struct yr_log *log, struct yr_buf *out, enum yr_log_level level,
                 const char *room, const char *text, yr_ms now_ms);

#endif
