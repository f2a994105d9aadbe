#include "cli/daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/text_safe.h"
#include "cli/common/times.h"

#define RUN_MAX  20 /* characters of base32 that may stand together */
#define RUN_KEEP 8

static const struct {
    const char *name;
    int priority; /* syslog's */
} levels[] = {[YR_LOG_ERROR] = {"error", 3},
              [YR_LOG_WARN] = {"warn", 4},
              [YR_LOG_INFO] = {"info", 6},
              [YR_LOG_DEBUG] = {"debug", 7},
              [YR_LOG_TRACE] = {"trace", 7}};

/* $JOURNAL_STREAM is DEVICE:INODE of the stream systemd gave us; stderr may have been redirected.
 */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void yr_log_init(struct yr_log *log, bool scrub)
{
    *log = (struct yr_log){
        .fd = STDERR_FILENO, .journal = is_journal(), .scrub = scrub, .level = YR_LOG_INFO};
}

void yr_log_clear(struct yr_log *log)
{
    if (log->path != NULL)
        close(log->fd);
    free(log->path);
    *log = (struct yr_log){.fd = STDERR_FILENO};
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
}

enum yr_exit yr_log_file(struct yr_log *log, const char *path, struct yr_fail *fail)
{
    const int fd = open_file(path);
    char *copy;

    if (fd < 0)
        return yr_fail_errno(fail, YR_EXIT_CANTCREAT, errno, "cannot open log file '%s'", path);
    copy = yr_strdup(path);
    if (log->path != NULL)
        close(log->fd);
    free(log->path);
    log->fd = fd;
    log->path = copy;
    log->journal = false;
    return YR_EXIT_OK;
}

enum yr_exit yr_log_reopen(struct yr_log *log, struct yr_fail *fail)
{
    int fd;

    if (log->path == NULL)
        return YR_EXIT_OK;
    if ((fd = open_file(log->path)) < 0)
        return yr_fail_errno(fail, YR_EXIT_CANTCREAT, errno, "cannot open log file '%s'",
                             log->path);
    close(log->fd);
    log->fd = fd;
    return YR_EXIT_OK;
}

static bool level_of(const char *name, enum yr_log_level *out)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(levels[i].name, name) == 0) {
            *out = (enum yr_log_level)i;
            return true;
        }
    return false;
}

void yr_log_levels(struct yr_log *log, const struct yr_config_value *value)
{
    log->level = YR_LOG_INFO;
    log->room_count = 0;
    for (size_t i = 0; i < value->count; i++) {
        const char *item = value->items[i], *equals = strchr(item, '=');
        enum yr_log_level level;
        if (equals == NULL) {
            if (level_of(item, &level))
                log->level = level;
        } else if (log->room_count < YR_LOG_ROOMS_MAX && level_of(equals + 1, &level)) {
            snprintf(log->rooms[log->room_count].room, sizeof log->rooms[0].room, "%.*s",
                     (int)(equals - item), item);
            log->rooms[log->room_count++].level = level;
        }
    }
}

bool yr_log_wants(const struct yr_log *log, enum yr_log_level level, const char *room)
{
    for (size_t i = log->room_count; i-- > 0;) // the last one said counts
        if (strcmp(log->rooms[i].room, room) == 0)
            return level <= log->rooms[i].level;
    return level <= log->level;
}

/* ---- what a line may hold ---- */

static bool is_base32(char c)
{
    return (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("abcdefghjkmnpqrstvwxyzABCDEFGHJKMNPQRSTVWXYZ", c) != NULL);
}

/* Append text with long runs of base32 cut: an id, a key or an invite that slipped in. */
static void add_cut(struct yr_buf *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t run = 0;
        while (at + run < len && is_base32(text[at + run]))
            run++;
        yr_buf_add(out, text + at, run > RUN_MAX ? RUN_KEEP : run);
        if (run > RUN_MAX)
            yr_buf_adds(out, "...");
        at += run;
        if (at < len)
            yr_buf_addc(out, text[at++]);
    }
}

/* The length of an IP address at the start of text, port and brackets aside; 0: there is none. */
static size_t address_len(const char *text)
{
    size_t len = strspn(text, "0123456789.");
    unsigned dots = 0, colons = 0;

    for (size_t i = 0; i < len; i++)
        dots += text[i] == '.';
    if (dots == 3 && len >= 7 && text[len - 1] != '.')
        return len;
    len = strspn(text, "0123456789abcdefABCDEF:.");
    for (size_t i = 0; i < len; i++)
        colons += text[i] == ':';
    if (colons < 2)
        return 0;
    return len + (text[len] == '%' ? 1 + strcspn(text + len + 1, "]: ,") : 0);
}

static void add_scrubbed(struct yr_buf *out, const char *text)
{
    bool word_start = true;

    while (*text != '\0') {
        const size_t len = word_start ? address_len(text) : 0;
        if (len > 0) {
            yr_buf_adds(out, "ADDR");
            text += len;
            word_start = false;
            continue;
        }
        word_start = strchr(" [(=,'", *text) != NULL;
        yr_buf_addc(out, *text++);
    }
}

void yr_log_line(const struct yr_log *log, struct yr_buf *out, enum yr_log_level level,
                 const char *room, const char *text, yr_ms now_ms)
{
    struct yr_buf safe = {0}, cut = {0};
    char time[YR_RFC3339_LEN + 1];

    if (log->journal) {
        yr_buf_addf(out, "<%d>%s: ", levels[level].priority, room);
    } else {
        yr_rfc3339(time, now_ms);
        yr_buf_addf(out, "%s %s %s: ", time, levels[level].name, room);
    }
    yr_safe_line(&safe, text, strlen(text));
    add_cut(&cut, yr_buf_str(&safe), safe.len);
    if (log->scrub)
        add_scrubbed(out, yr_buf_str(&cut));
    else
        yr_buf_add(out, yr_buf_str(&cut), cut.len);
    yr_buf_addc(out, '\n');
    yr_buf_clear(&safe);
    yr_buf_clear(&cut);
}

void yr_log(struct yr_log *log, enum yr_log_level level, const char *room, const char *format, ...)
{
    struct yr_buf line = {0};
    char text[1024];
    va_list args;

    if (!yr_log_wants(log, level, room))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    yr_log_line(log, &line, level, room, text, yr_wall_ms());
    while (write(log->fd, line.at, line.len) < 0 && errno == EINTR)
        ; // a full disk or a closed pipe must not stop a messenger
    yr_buf_clear(&line);
}
