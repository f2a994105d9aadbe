/* cli/output.c: see output.h. */
#include "cli/output.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/common/columns.h"
#include "cli/common/json.h"
#include "cli/common/text_safe.h"
#include "cli/common/utf8.h"

/* ---- the terminal ---- */

static bool env_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0';
}

static unsigned env_number(const char *name, unsigned fallback)
{
    const char *value = getenv(name);
    const long number = value == NULL ? 0 : strtol(value, NULL, 10);

    return number > 0 && number < 10000 ? (unsigned)number : fallback;
}

static bool want_color(const char *when, bool tty)
{
    const char *term = getenv("TERM");

    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    if (env_set("NO_COLOR"))
        return false;
    if (env_set("CLICOLOR_FORCE") && strcmp(getenv("CLICOLOR_FORCE"), "0") != 0)
        return true;
    return tty && term != NULL && strcmp(term, "dumb") != 0;
}

static void choose_color(struct yr_out *out, const char *when)
{
    out->color = want_color(when, out->tty) && !out->json;
    out->err_color = want_color(when, out->err_tty) && !out->json;
}

static void find_size(struct yr_out *out)
{
    struct winsize size = {0};
    const int fd = out->tty ? STDOUT_FILENO : STDERR_FILENO;

    if ((out->tty || out->err_tty) && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        out->columns = size.ws_col;
        out->rows = size.ws_row > 0 ? size.ws_row : 24;
    } else {
        out->columns = 80;
        out->rows = 24;
    }
    out->columns = env_number("COLUMNS", out->columns);
    out->rows = env_number("LINES", out->rows);
}

void yr_out_init(struct yr_out *out, const char *color)
{
    out->tty = isatty(STDOUT_FILENO) == 1;
    out->err_tty = isatty(STDERR_FILENO) == 1;
    out->utf8 = yr_locale_utf8();
    out->color_given = color != NULL;
    choose_color(out, color == NULL ? "auto" : color);
    out->time.format = "short";
    find_size(out);
}

static const struct {
    const char *word, *code;
} colors[] = {
    {"default", "39"}, {"black", "30"}, {"red", "31"},     {"green", "32"},
    {"yellow", "33"},  {"blue", "34"},  {"magenta", "35"}, {"cyan", "36"},
    {"white", "37"},   {"bold", "1"},   {"dim", "2"},      {"underline", "4"},
};

/** "yellow", "bold" -> ESC [33;1m */
static void paint_of(const struct yr_config_value *value, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < value->count; i++)
        for (size_t k = 0; k < sizeof colors / sizeof colors[0]; k++)
            if (strcmp(value->items[i], colors[k].word) == 0 && len + 6 < size)
                len += (size_t)snprintf(out + len, size - len, "%s%s", len == 0 ? "\033[" : ";",
                                        colors[k].code);
    if (len > 0)
        snprintf(out + len, size - len, "m");
}

void yr_out_configure(struct yr_out *out, const struct yr_config *config)
{
    static const enum yr_config_key keys[YR_ROLE_COUNT] = {
        [YR_ROLE_NICK] = YR_CFG_UI_COLOR_NICK,     [YR_ROLE_SELF] = YR_CFG_UI_COLOR_SELF,
        [YR_ROLE_SYSTEM] = YR_CFG_UI_COLOR_SYSTEM, [YR_ROLE_TIME] = YR_CFG_UI_COLOR_TIME,
        [YR_ROLE_UNREAD] = YR_CFG_UI_COLOR_UNREAD, [YR_ROLE_MENTION] = YR_CFG_UI_COLOR_MENTION,
        [YR_ROLE_ERROR] = YR_CFG_UI_COLOR_ERROR,
    };

    for (int i = YR_ROLE_NONE + 1; i < YR_ROLE_COUNT; i++)
        paint_of(&config->values[keys[i]], out->paint[i], sizeof out->paint[i]);
    if (!out->time_given)
        out->time.format = yr_config_str(config, YR_CFG_UI_TIME);
    if (!out->color_given)
        choose_color(out, yr_config_str(config, YR_CFG_UI_COLOR));
}

bool yr_out_human(const struct yr_out *out)
{
    return out->tty && !out->json;
}

/* ---- writing ---- */

/** For a terminal that is not UTF-8: what it cannot show becomes '?', and the first time that is
 *  said. */
static void write_ascii(FILE *file, const char *bytes, size_t len)
{
    static bool warned;
    struct yr_buf ascii = {0};

    yr_safe_ascii(&ascii, bytes, len);
    if (!warned && (ascii.len != len || memcmp(yr_buf_str(&ascii), bytes, len) != 0)) {
        warned = true;
        fflush(file);
        fputs("yaari: warning: this locale is not UTF-8; what it cannot show is '?'\n", stderr);
    }
    fwrite(yr_buf_str(&ascii), 1, ascii.len, file);
    yr_buf_clear(&ascii);
}

static void write_to(const struct yr_out *out, FILE *file, bool tty, const char *bytes, size_t len)
{
    if (!tty || out->utf8 || out->json)
        fwrite(bytes, 1, len, file);
    else
        write_ascii(file, bytes, len);
}

void yr_out_write(struct yr_out *out, const char *bytes, size_t len)
{
    if (out->paged)
        yr_buf_add(&out->page, bytes, len);
    else
        write_to(out, stdout, out->tty, bytes, len);
}

__attribute__((format(printf, 2, 0))) static void add_formatted(struct yr_buf *line,
                                                                const char *format, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        return;
    yr_buf_adds(line, text);
    yr_buf_addc(line, '\n');
    free(text);
}

void yr_out_say(struct yr_out *out, const char *format, ...)
{
    struct yr_buf line = {0};
    va_list args;

    if (out->json)
        return;
    va_start(args, format);
    add_formatted(&line, format, args);
    va_end(args);
    yr_out_write(out, yr_buf_str(&line), line.len);
    yr_buf_clear(&line);
}

__attribute__((format(printf, 2, 0))) static void note(struct yr_out *out, const char *format,
                                                       va_list args)
{
    struct yr_buf line = {0};

    if (out->quiet || out->json)
        return;
    fflush(stdout); // so that lines of both streams keep their order on one terminal
    add_formatted(&line, format, args);
    write_to(out, stderr, out->err_tty, yr_buf_str(&line), line.len);
    yr_buf_clear(&line);
}

void yr_out_note(struct yr_out *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(out, format, args);
    va_end(args);
}

void yr_out_next(struct yr_out *out, const char *format, ...)
{
    va_list args;

    if (!out->err_tty)
        return;
    va_start(args, format);
    note(out, format, args);
    va_end(args);
}

/* ---- the pager ---- */

/** How many rows of the terminal a text takes. */
static size_t rows_of(const struct yr_out *out, const char *text, size_t len)
{
    size_t rows = 0;

    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t line = end == NULL ? len - at : (size_t)(end - text) - at;
        const size_t columns = yr_columns(text + at, line);

        rows += columns == 0 ? 1 : (columns + out->columns - 1) / out->columns;
        at += line + 1;
    }
    return rows;
}

static const char *pager_command(void)
{
    if (env_set("YAARI_PAGER"))
        return getenv("YAARI_PAGER");
    if (env_set("PAGER"))
        return getenv("PAGER");
    return "less";
}

/** Hand the page to the pager.  false: it could not be started. */
static bool run_pager(const char *command, const char *bytes, size_t len)
{
    int fds[2], status = 0;
    pid_t pid;

    if (pipe(fds) != 0)
        return false;
    pid = fork();
    if (pid == 0) {
        dup2(fds[0], STDIN_FILENO);
        close(fds[0]);
        close(fds[1]);
        setenv("LESS", "FRX", 0);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(fds[0]);
    if (pid > 0) {
        void (*before)(int) = signal(SIGPIPE, SIG_IGN);

        for (ssize_t n; len > 0; bytes += n, len -= (size_t)n)
            if ((n = write(fds[1], bytes, len)) < 0) {
                if (errno != EINTR)
                    break; // the reader has seen enough
                n = 0;
            }
        close(fds[1]);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        signal(SIGPIPE, before);
        return !(WIFEXITED(status) && WEXITSTATUS(status) == 127);
    }
    close(fds[1]);
    return false;
}

enum yr_exit yr_out_finish(struct yr_out *out)
{
    const char *command = pager_command();

    if (out->page.len > 0) {
        struct yr_buf ascii = {0};
        const struct yr_buf *page = &out->page;

        if (!out->utf8) {
            yr_safe_ascii(&ascii, page->at, page->len);
            page = &ascii;
        }
        if (rows_of(out, page->at, page->len) < out->rows || strcmp(command, "cat") == 0 ||
            !run_pager(command, page->at, page->len))
            fwrite(page->at, 1, page->len, stdout);
        yr_buf_clear(&ascii);
    }
    yr_buf_clear(&out->page);
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? YR_EXIT_OK : YR_EXIT_IOERR;
}

/* ---- records ---- */

static const struct {
    const char *type;
    const char *fields[28];
} records[] = {
    {"friend",
     {"id",       "short",     "name",      "nick",       "petname",    "trust",    "state",
      "status",   "last_seen", "path",      "unread",     "queue",      "muted",    "muted_until",
      "blocked",  "created",   "via",       "relay",      "mail",       "presence", "typing",
      "receipts", "anon",      "away_text", "away_since", "last_active"}},
    {"message",
     {"id",      "cursor",     "target",  "from",       "kind",    "text",  "time",   "received",
      "late",    "reply_to",   "edited",  "deleted",    "own",     "state", "unread", "reactions",
      "mention", "per_member", "held_by", "held_until", "expires", "reason"}},
    {"invite", {"id", "link", "expires", "uses_left", "state", "used_by", "name", "created"}},
    {"request",
     {"id", "what", "dir", "state", "from", "invite", "reason", "text", "tried", "time", "room",
      "members"}},
    {"room",
     {"id", "short", "name", "topic", "state", "role", "members", "online", "unread", "mentions",
      "muted", "muted_until", "mentions_only", "history_days", "waiting", "self", "inviter",
      "created"}},
    {"member",
     {"room", "id", "name", "nick", "role", "online", "friend", "self", "friend_id", "via",
      "last_seen", "forked"}},
    {"unread", {"target", "unread", "mentions", "first", "marker"}},
    {"peer", {"id", "addr", "role", "ip", "rtt_ms", "answered", "name", "via"}},
    {"check", {"name", "result", "text", "fix"}},
    {"addr", {"addr", "source", "peer", "lasting"}},
    {"stats",
     {"friend", "name", "purpose", "in", "out", "relayed_for_me", "relayed_by_me", "since",
      "mail_kept", "mail_kept_bytes", "mail_for_me", "mail_left", "mail_left_bytes", "mail_refused",
      "mail_handed_on_bytes"}},
    {"config", {"key", "value", "origin"}},
};

const char *const *yr_record_fields(const char *type)
{
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++)
        if (strcmp(records[i].type, type) == 0)
            return records[i].fields;
    return NULL;
}

static void add_number(struct yr_buf *out, const json_t *value)
{
    char text[40];

    if (json_is_integer(value))
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(text, sizeof text, "%.10g", json_real_value(value));
    yr_buf_adds(out, text);
}

// For programs: without the mark that warns people of names.
static void add_ref_name(struct yr_buf *out, const json_t *ref)
{
    if (strcmp(yr_json_str(ref, "kind", ""), "room") == 0)
        yr_buf_addc(out, '#');
    yr_add_name(out, yr_json_str(ref, "name", "?"));
}

void yr_tsv_field(struct yr_buf *out, const json_t *value, bool raw)
{
    struct yr_buf text = {0};

    if (json_is_string(value) && raw)
        yr_buf_adds(&text, json_string_value(value));
    else if (json_is_string(value))
        yr_safe_body(&text, json_string_value(value), json_string_length(value));
    else if (json_is_object(value) && json_is_string(json_object_get(value, "name")))
        add_ref_name(&text, value);
    else if (json_is_number(value))
        add_number(&text, value);
    else if (json_is_boolean(value))
        yr_buf_adds(&text, json_is_true(value) ? "true" : "false");
    else if (json_is_object(value) || json_is_array(value))
        yr_json_dump(&text, value);
    yr_tsv_add(out, yr_buf_str(&text));
    yr_buf_clear(&text);
}

/** Times are RFC 3339 in records; a pipe gets them with the offset of the user's zone. */
static bool add_as_time(const struct yr_out *out, struct yr_buf *line, const char *field,
                        const json_t *value)
{
    static const char *const fields[] = {"time",       "received",   "edited",      "last_seen",
                                         "created",    "expires",    "muted_until", "since",
                                         "held_until", "away_since", "last_active"};
    struct yr_time_style style = out->time;
    yr_ms time_ms;

    if (!out->time_given)
        style.format = "iso";
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(field, fields[i]) == 0 && json_is_string(value) &&
            yr_rfc3339_read(json_string_value(value), &time_ms)) {
            yr_time_add(line, time_ms, yr_wall_ms(), &style);
            return true;
        }
    return false;
}

static void tsv_line(struct yr_out *out, const json_t *record, bool raw)
{
    const char *const *fields = yr_record_fields(yr_json_str(record, "type", ""));
    struct yr_buf line = {0};

    for (size_t i = 0; fields != NULL && fields[i] != NULL; i++) {
        if (i > 0)
            yr_buf_addc(&line, '\t');
        if (!add_as_time(out, &line, fields[i], json_object_get(record, fields[i])))
            yr_tsv_field(&line, json_object_get(record, fields[i]), raw);
    }
    yr_buf_addc(&line, '\n');
    yr_out_write(out, yr_buf_str(&line), line.len);
    yr_buf_clear(&line);
}

void yr_out_json_line(struct yr_out *out, const json_t *record)
{
    struct yr_buf line = {0};

    yr_json_dump(&line, record);
    yr_buf_addc(&line, '\n');
    yr_out_write(out, yr_buf_str(&line), line.len);
    yr_buf_clear(&line);
}

void yr_out_record(struct yr_out *out, const json_t *record)
{
    if (out->json)
        yr_out_json_line(out, record);
    else
        tsv_line(out, record, false);
}

void yr_out_record_raw(struct yr_out *out, const json_t *record)
{
    if (out->json)
        yr_out_json_line(out, record);
    else
        tsv_line(out, record, true);
}

void yr_out_json(struct yr_out *out, const json_t *record)
{
    if (out->json)
        yr_out_json_line(out, record);
}

/* ---- errors ---- */

static void error_as_json(int exit, int code, const char *name, const char *what, const char *hint,
                          const json_t *data)
{
    const json_t *candidates = json_object_get(data, "candidates"),
                 *id = json_object_get(data, "id");
    json_t *error = json_object();

    json_object_set_new(error, "type", json_string("error"));
    json_object_set_new(error, "exit", json_integer(exit));
    json_object_set_new(error, "code", json_integer(code));
    yr_json_put_str(error, "name", name);
    yr_json_put_str(error, "message", what);
    if (hint != NULL && hint[0] != '\0')
        yr_json_put_str(error, "hint", hint);
    if (json_is_array(candidates))
        json_object_set_new(error, "candidates", json_deep_copy(candidates));
    if (json_is_string(id))
        json_object_set_new(error, "id", json_deep_copy(id));
    yr_json_print(error, stderr);
    json_decref(error);
}

void yr_out_error(const struct yr_out *out, int exit, int code, const char *name, const char *what,
                  const char *hint, const json_t *data)
{
    struct yr_buf line = {0};

    fflush(stdout);
    if (out->json) {
        error_as_json(exit, code, name, what, hint, data);
        return;
    }
    if (out->err_color)
        yr_buf_adds(&line, out->paint[YR_ROLE_ERROR]);
    yr_buf_adds(&line, "yaari:");
    if (out->err_color && out->paint[YR_ROLE_ERROR][0] != '\0')
        yr_buf_adds(&line, "\033[0m");
    yr_buf_addc(&line, ' ');
    yr_safe_line(&line, what, strlen(what));
    yr_buf_addc(&line, '\n');
    if (hint != NULL && hint[0] != '\0') {
        yr_buf_adds(&line, "hint: ");
        yr_safe_line(&line, hint, strlen(hint));
        yr_buf_addc(&line, '\n');
    }
    write_to(out, stderr, out->err_tty, yr_buf_str(&line), line.len);
    yr_buf_clear(&line);
}

/* ---- pieces of a line ---- */

void yr_add_name(struct yr_buf *line, const char *name)
{
    if (name != NULL)
        yr_safe_name(line, name, strlen(name));
}

void yr_add_ref(struct yr_buf *line, const json_t *ref)
{
    if (strcmp(yr_json_str(ref, "kind", ""), "member") == 0 && !yr_json_bool(ref, "friend", false))
        yr_buf_addc(line, '~');
    add_ref_name(line, ref);
}

void yr_add_text(struct yr_buf *line, const char *text)
{
    if (text != NULL)
        yr_safe_body(line, text, strlen(text));
}

void yr_add_flat(struct yr_buf *line, const char *text)
{
    if (text != NULL)
        yr_safe_line(line, text, strlen(text));
}

void yr_paint(const struct yr_out *out, struct yr_buf *line, enum yr_role role)
{
    if (out->color)
        yr_buf_adds(line, out->paint[role]);
}

void yr_unpaint(const struct yr_out *out, struct yr_buf *line, enum yr_role role)
{
    if (out->color && out->paint[role][0] != '\0')
        yr_buf_adds(line, "\033[0m");
}

void yr_add_time(const struct yr_out *out, struct yr_buf *line, const char *rfc3339)
{
    yr_ms time_ms;

    if (rfc3339 != NULL && yr_rfc3339_read(rfc3339, &time_ms))
        yr_time_add(line, time_ms, yr_wall_ms(), &out->time);
    else
        yr_buf_addc(line, '-');
}

void yr_add_ago(struct yr_buf *line, const char *rfc3339)
{
    const struct yr_time_style style = {.format = "rel"};
    yr_ms time_ms;

    if (rfc3339 != NULL && yr_rfc3339_read(rfc3339, &time_ms))
        yr_time_add(line, time_ms, yr_wall_ms(), &style);
    else
        yr_buf_addc(line, '-');
}

void yr_add_fingerprint(struct yr_buf *line, const char *groups)
{
    size_t count = 0;

    yr_buf_adds(line, "  ");
    for (const char *c = groups; *c != '\0'; c++) {
        if (*c != ' ')
            yr_buf_addc(line, *c);
        else
            yr_buf_adds(line, ++count % 6 == 0 ? "\n  " : count % 3 == 0 ? "   " : " ");
    }
}

/* ---- tables ---- */

struct yr_table yr_table_init(size_t columns, const char *const *heads)
{
    struct yr_table table = {.columns = columns};

    for (size_t i = 0; i < columns; i++)
        table.heads[i] = heads == NULL ? "" : heads[i];
    return table;
}

void yr_table_add(struct yr_table *table, enum yr_role role, const char *cell)
{
    if (table->count == table->cap) {
        table->cap = table->cap == 0 ? 64 : table->cap * 2;
        table->cells = yr_xrealloc(table->cells, table->cap * sizeof *table->cells);
        table->roles = yr_xrealloc(table->roles, table->cap * sizeof *table->roles);
    }
    table->roles[table->count] = role;
    table->cells[table->count++] = yr_strdup(cell);
}

static size_t width_of(const char *cell)
{
    return yr_columns(cell, strlen(cell));
}

static void add_cell(const struct yr_out *out, struct yr_buf *line, const char *cell,
                     enum yr_role role, size_t width, bool last)
{
    yr_paint(out, line, role);
    yr_buf_adds(line, cell);
    yr_unpaint(out, line, role);
    for (size_t n = width_of(cell); !last && n < width + 2; n++)
        yr_buf_addc(line, ' ');
}

static void end_line(struct yr_buf *line)
{
    while (line->len > 0 && line->at[line->len - 1] == ' ')
        yr_buf_cut(line, line->len - 1);
    yr_buf_addc(line, '\n');
}

void yr_table_print(struct yr_out *out, struct yr_table *table)
{
    size_t width[YR_TABLE_COLUMNS_MAX] = {0};
    struct yr_buf text = {0};
    bool heads = false;

    for (size_t i = 0; i < table->columns; i++) {
        width[i] = width_of(table->heads[i]);
        heads = heads || width[i] > 0;
    }
    for (size_t i = 0; i < table->count; i++) {
        const size_t columns = width_of(table->cells[i]);

        if (columns > width[i % table->columns])
            width[i % table->columns] = columns;
    }
    for (size_t i = 0; heads && table->count > 0 && i < table->columns; i++)
        add_cell(out, &text, table->heads[i], YR_ROLE_NONE, width[i], i + 1 == table->columns);
    if (heads && table->count > 0)
        end_line(&text);
    for (size_t i = 0; i < table->count; i++) {
        const size_t column = i % table->columns;
        const bool last = column + 1 == table->columns;

        add_cell(out, &text, table->cells[i], table->roles[i], width[column], last);
        if (last)
            end_line(&text);
        free(table->cells[i]);
    }
    yr_out_write(out, yr_buf_str(&text), text.len);
    yr_buf_clear(&text);
    free(table->cells);
    free(table->roles);
    memset(table, 0, sizeof *table);
}
