#include "cli/common/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/suggest.h"
#include "cli/common/utf8.h"

/* ---- what a good value is: one check a kind, each on one item ---- */

static bool one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool number_ok(const char *text, unsigned long max)
{
    const size_t len = strspn(text, "0123456789");

    return len >= 1 && len <= 10 && text[len] == '\0' && strtoul(text, NULL, 10) <= max;
}

static bool check_bool(const char *text)
{
    static const char *const words[] = {"yes", "no", "true", "false", "on", "off", NULL};

    return one_of(text, words);
}

/** Splits HOST[:PORT] or [HOST][:PORT]; *port NULL when there is none. */
static bool split_port(const char *text, char *host, size_t cap, const char **port)
{
    const char *end;

    *port = NULL;
    if (text[0] == '[') {
        text++;
        end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return false;
        if (end[1] == ':')
            *port = end + 2;
    } else {
        end = strchr(text, ':');
        if (end != NULL && strchr(end + 1, ':') != NULL)
            end = NULL; // a bare IPv6 address
        if (end != NULL)
            *port = end + 1;
        else
            end = text + strlen(text);
    }
    if (end == text || (size_t)(end - text) >= cap)
        return false;
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = '\0';
    return true;
}

static bool check_listen(const char *text)
{
    char host[64], *scope;
    const char *port;
    struct in6_addr addr;

    if (!split_port(text, host, sizeof host, &port) || (port != NULL && !number_ok(port, 65535)))
        return false;
    if (inet_pton(AF_INET, host, &addr) == 1)
        return true;
    scope = strchr(host, '%');
    if (scope != NULL)
        *scope = '\0';
    return inet_pton(AF_INET6, host, &addr) == 1;
}

static bool check_peer(const char *text)
{
    static const char name_bytes[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";
    const char *slash = strchr(text, '/'), *port;
    char addr[320], host[256];
    const size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);

    if (len >= sizeof addr)
        return false;
    memcpy(addr, text, len);
    addr[len] = '\0';
    if (slash != NULL && (strlen(slash + 1) != 52 ||
                          strspn(slash + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789") != 52))
        return false;
    return split_port(addr, host, sizeof host, &port) && port != NULL && number_ok(port, 65535) &&
           strtoul(port, NULL, 10) > 0 && host[strspn(host, name_bytes)] == '\0';
}

static bool check_dht(const char *text)
{
    static const char *const words[] = {"auto", "server", "client", "off", NULL};

    return one_of(text, words);
}

static bool check_relay(const char *text)
{
    static const char *const words[] = {"friends", "off", NULL};

    return one_of(text, words);
}

static bool check_presence(const char *text)
{
    static const char *const words[] = {"off", "friends", "verified", NULL};

    return one_of(text, words);
}

static bool check_quota(const char *text)
{
    return strcmp(text, "auto") == 0 || (number_ok(text, 16777216) && strtoul(text, NULL, 10) > 0);
}

static bool check_time(const char *text)
{
    static const char *const words[] = {"short", "iso", "unix", "rel", NULL};

    return one_of(text, words) || (text[0] == '+' && text[1] != '\0' && strlen(text) <= 64);
}

static bool check_when(const char *text)
{
    static const char *const words[] = {"auto", "always", "never", NULL};

    return one_of(text, words);
}

static bool check_color(const char *text)
{
    static const char *const words[] = {"default", "black",     "red",  "green", "yellow",
                                        "blue",    "magenta",   "cyan", "white", "bold",
                                        "dim",     "underline", NULL};

    return one_of(text, words);
}

static bool check_log(const char *text)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace", NULL};
    const char *equals = strchr(text, '=');

    if (equals == NULL)
        return one_of(text, levels);
    return equals > text && equals - text <= 16 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz") == (size_t)(equals - text) &&
           one_of(equals + 1, levels);
}

static bool check_uid(const char *text)
{
    return number_ok(text, 4294967294ul);
}

/* ---- the table ---- */

const struct yr_config_desc yr_config_descs[YR_CFG_COUNT] = {
#define X(NAME, sec, k, kind, def, check, form, meaning) \
    [YR_CFG_##NAME] = {sec "." k, sec, k, def, form, meaning, YR_CONFIG_##kind},
    YR_CONFIG_MAP(X)
#undef X
};

static bool (*const checks[YR_CFG_COUNT])(const char *) = {
#define X(NAME, sec, k, kind, def, check, form, meaning) [YR_CFG_##NAME] = check_##check,
    YR_CONFIG_MAP(X)
#undef X
};

enum yr_config_key yr_config_find(const char *name)
{
    for (size_t i = 0; i < YR_CFG_COUNT; i++)
        if (strcmp(yr_config_descs[i].name, name) == 0)
            return (enum yr_config_key)i;
    return YR_CFG_COUNT;
}

const char *yr_config_nearest(const char *name)
{
    struct yr_suggest suggest = yr_suggest_init(name);

    for (size_t i = 0; i < YR_CFG_COUNT; i++)
        yr_suggest_try(&suggest, yr_config_descs[i].name);
    return suggest.best;
}

static bool section_known(const char *section)
{
    for (size_t i = 0; i < YR_CFG_COUNT; i++)
        if (strcmp(yr_config_descs[i].section, section) == 0)
            return true;
    return false;
}

/* ---- values ---- */

static void value_clear(struct yr_config_value *value)
{
    for (size_t i = 0; i < value->count; i++)
        free(value->items[i]);
    free(value->items);
    free(value->where);
    *value = (struct yr_config_value){0};
}

static void value_add(struct yr_config_value *value, const char *text, size_t len)
{
    value->items = yr_xrealloc(value->items, (value->count + 1) * sizeof *value->items);
    value->items[value->count++] = yr_strndup(text, len);
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/** Takes one item off text[*at..len): quoted or bare, up to a comma in a list.  NULL or the reason
 *  why it is no item; *at is then where. */
static const char *take_item(const char *text, size_t len, size_t *at, bool list,
                             struct yr_buf *item)
{
    size_t i = *at;

    while (i < len && blank(text[i]))
        i++;
    if (i < len && text[i] == '"') {
        for (i++; i < len && text[i] != '"'; i++) {
            if (text[i] == '\\' && i + 1 < len && (text[i + 1] == '"' || text[i + 1] == '\\'))
                i++;
            yr_buf_addc(item, text[i]);
        }
        if (i == len)
            return "a quote is not closed";
        i++;
        while (i < len && blank(text[i]))
            i++;
        *at = i;
        return i < len && !(list && text[i] == ',') ? "something follows the closing quote" : NULL;
    }
    for (; i < len && !(list && text[i] == ','); i++)
        yr_buf_addc(item, text[i]);
    while (item->len > 0 && blank(item->at[item->len - 1]))
        yr_buf_cut(item, item->len - 1);
    *at = i;
    return NULL;
}

/** A mistake in a value: what, and how many bytes into it. */
struct slip {
    char text[320];
    size_t at;
};

/** Appends the items of `text` to *value.  false: *slip says why. */
static bool value_read(struct yr_config_value *value, enum yr_config_key key, const char *text,
                       size_t len, struct slip *slip)
{
    const struct yr_config_desc *desc = &yr_config_descs[key];
    const bool list = desc->type == YR_CONFIG_LIST;
    struct yr_buf item = {0};
    const char *why;
    bool good = true;

    for (size_t at = 0; good;) {
        slip->at = at;
        while (slip->at < len && blank(text[slip->at]))
            slip->at++;
        yr_buf_cut(&item, 0);
        why = take_item(text, len, &at, list, &item);
        if (why != NULL) {
            slip->at = at < len ? at : slip->at;
            snprintf(slip->text, sizeof slip->text, "%s", why);
            good = false;
        } else if (list && len == 0) { // `listen =` is an empty list
            break;
        } else if (!checks[key](yr_buf_str(&item))) {
            snprintf(slip->text, sizeof slip->text, "bad value '%.40s' for '%s': %s",
                     yr_buf_str(&item), desc->name, desc->form);
            good = false;
        } else if (value->count >= YR_CONFIG_ITEMS_MAX) {
            snprintf(slip->text, sizeof slip->text, "too many entries for '%s': %d are possible",
                     desc->name, YR_CONFIG_ITEMS_MAX);
            good = false;
        } else {
            value_add(value, yr_buf_str(&item), item.len);
            if (at >= len)
                break;
            at++; // the comma
        }
    }
    yr_buf_clear(&item);
    return good;
}

void yr_config_init(struct yr_config *config)
{
    struct slip slip;

    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < YR_CFG_COUNT; i++)
        (void)value_read(&config->values[i], (enum yr_config_key)i, yr_config_descs[i].def,
                         strlen(yr_config_descs[i].def), &slip);
}

void yr_config_clear(struct yr_config *config)
{
    for (size_t i = 0; i < YR_CFG_COUNT; i++)
        value_clear(&config->values[i]);
}

const char *yr_config_str(const struct yr_config *config, enum yr_config_key key)
{
    const struct yr_config_value *value = &config->values[key];

    return value->count > 0 ? value->items[0] : "";
}

bool yr_config_bool(const struct yr_config *config, enum yr_config_key key)
{
    static const char *const words[] = {"yes", "true", "on", NULL};

    return one_of(yr_config_str(config, key), words);
}

char *yr_config_text(const struct yr_config *config, enum yr_config_key key)
{
    const struct yr_config_value *value = &config->values[key];
    struct yr_buf out = {0};

    for (size_t i = 0; i < value->count; i++) {
        const char *item = value->items[i];
        const size_t len = strlen(item);
        const bool quote = len > 0 && (blank(item[0]) || blank(item[len - 1]) || item[0] == '"' ||
                                       strchr(item, ',') != NULL);

        yr_buf_adds(&out, i > 0 ? ", " : "");
        if (!quote) {
            yr_buf_adds(&out, item);
            continue;
        }
        yr_buf_addc(&out, '"');
        for (size_t j = 0; j < len; j++) {
            if (item[j] == '"' || item[j] == '\\')
                yr_buf_addc(&out, '\\');
            yr_buf_addc(&out, item[j]);
        }
        yr_buf_addc(&out, '"');
    }
    return yr_buf_take(&out);
}

const char *yr_config_where(const struct yr_config *config, enum yr_config_key key)
{
    return config->values[key].where != NULL ? config->values[key].where : "default";
}

/* ---- lines: the one scanner behind the reader and the editor ---- */

enum line_kind { LINE_BLANK, LINE_SECTION, LINE_KEY, LINE_BAD };
struct line {
    enum line_kind kind;
    size_t start, end;       /* the line's bytes, without its end */
    size_t next;             /* where the following one starts */
    size_t name, name_len;   /* of the section or key */
    size_t value, value_len; /* of a key */
    size_t bad;              /* LINE_BAD: where */
    const char *why;
};

static struct line bad_line(struct line line, size_t at, const char *why)
{
    line.kind = LINE_BAD;
    line.bad = at;
    line.why = why;
    return line;
}

static bool bytes_ok(const char *text, size_t len, size_t *at)
{
    size_t used;

    for (size_t i = 0; i < len; i += used) {
        const uint32_t cp = yr_utf8_next(text + i, len - i, &used);

        if (cp == YR_UTF8_BAD || (cp < 0x20 && cp != '\t') || cp == 0x7F) {
            *at = i;
            return false;
        }
    }
    return true;
}

static struct line scan_line(const char *bytes, size_t len, size_t at)
{
    const char *newline = memchr(bytes + at, '\n', len - at);
    struct line line = {.kind = LINE_BLANK, .start = at};
    size_t i, end, odd = 0;

    line.next = newline != NULL ? (size_t)(newline - bytes) + 1 : len;
    end = newline != NULL ? line.next - 1 : len;
    if (newline != NULL && end > at && bytes[end - 1] == '\r')
        end--;
    line.end = end;
    if (end - at > YR_CONFIG_LINE_MAX)
        return bad_line(line, at + YR_CONFIG_LINE_MAX, "the line is too long: over 4096 bytes");
    if (!bytes_ok(bytes + at, end - at, &odd))
        return bad_line(line, at + odd,
                        "a byte that is no text (UTF-8 without control characters)");
    i = at == 0 && end >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : at; // a BOM
    while (i < end && blank(bytes[i]))
        i++;
    if (i == end || bytes[i] == '#' || bytes[i] == ';')
        return line;
    while (blank(bytes[end - 1]))
        end--;
    if (bytes[i] == '[') {
        if (bytes[end - 1] != ']' || end - i < 3)
            return bad_line(line, i, "a section is written [name]");
        line.kind = LINE_SECTION;
        line.name = i + 1;
        line.name_len = end - i - 2;
        return line;
    }
    line.name = i;
    while (i < end && bytes[i] != '=')
        i++;
    if (i == end)
        return bad_line(line, line.name, "neither a [section] nor key = value");
    line.kind = LINE_KEY;
    line.name_len = i - line.name;
    while (line.name_len > 0 && blank(bytes[line.name + line.name_len - 1]))
        line.name_len--;
    if (line.name_len == 0)
        return bad_line(line, i, "a key is missing before '='");
    for (i++; i < end && blank(bytes[i]);)
        i++;
    line.value = i;
    line.value_len = end - i;
    return line;
}

/* ---- the reader ---- */

struct reader {
    struct yr_config_value found[YR_CFG_COUNT];
    unsigned line_of[YR_CFG_COUNT]; /* where a key was first set; 0: it was not */
    const char *bytes, *file, *base;
    struct yr_buf *errors;
    size_t error_count;
    unsigned number;  /* of the present line */
    char section[64]; /* "": none or unknown */
    bool unknown;     /* the present section is unknown: its keys are not complained about */
};

static void complain(struct reader *r, size_t col, const char *format, ...) YR_PRINTF(3);
static void complain(struct reader *r, size_t col, const char *format, ...)
{
    char text[400];
    va_list args;

    if (++r->error_count > YR_CONFIG_ERRS_MAX || r->errors == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    yr_buf_addf(r->errors, "%s:%u:%zu: %s\n", r->base, r->number, col + 1, text);
}

/** A name out of the file into a C string; longer ones are cut, which no known name is. */
static void copy_name(const struct reader *r, const struct line *line, char out[64])
{
    const size_t len = line->name_len < 63 ? line->name_len : 63;

    memcpy(out, r->bytes + line->name, len);
    out[len] = '\0';
    while (!yr_utf8_valid(out, strlen(out), false))
        out[strlen(out) - 1] = '\0';
}

static void read_section(struct reader *r, const struct line *line)
{
    struct yr_suggest suggest;
    char name[64];

    copy_name(r, line, name);
    r->unknown = !section_known(name);
    snprintf(r->section, sizeof r->section, "%s", r->unknown ? "" : name);
    if (!r->unknown)
        return;
    suggest = yr_suggest_init(name);
    for (size_t i = 0; i < YR_CFG_COUNT; i++)
        yr_suggest_try(&suggest, yr_config_descs[i].section);
    complain(r, line->name - line->start, "unknown section [%s]%s%s%s", name,
             suggest.best != NULL ? " (did you mean [" : "",
             suggest.best != NULL ? suggest.best : "", suggest.best != NULL ? "]?)" : "");
}

static enum yr_config_key find_in(const char *section, const char *name)
{
    for (size_t i = 0; i < YR_CFG_COUNT; i++)
        if (strcmp(yr_config_descs[i].section, section) == 0 &&
            strcmp(yr_config_descs[i].key, name) == 0)
            return (enum yr_config_key)i;
    return YR_CFG_COUNT;
}

static void unknown_key(struct reader *r, const struct line *line, const char *name)
{
    struct yr_suggest suggest = yr_suggest_init(name);

    for (size_t i = 0; i < YR_CFG_COUNT; i++)
        if (strcmp(yr_config_descs[i].section, r->section) == 0)
            yr_suggest_try(&suggest, yr_config_descs[i].key);
    complain(r, line->name - line->start, "unknown key '%s' in [%s]%s%s%s", name, r->section,
             suggest.best != NULL ? " (did you mean '" : "",
             suggest.best != NULL ? suggest.best : "", suggest.best != NULL ? "'?)" : "");
}

static void read_key(struct reader *r, const struct line *line)
{
    enum yr_config_key key;
    struct slip slip;
    char name[64];

    copy_name(r, line, name);
    if (r->unknown)
        return;
    if (r->section[0] == '\0') {
        complain(r, line->name - line->start, "key '%s' stands before any [section]", name);
        return;
    }
    key = find_in(r->section, name);
    if (key == YR_CFG_COUNT) {
        unknown_key(r, line, name);
        return;
    }
    if (r->line_of[key] != 0 && yr_config_descs[key].type != YR_CONFIG_LIST) {
        complain(r, line->name - line->start, "'%s' is set twice, first in line %u",
                 yr_config_descs[key].name, r->line_of[key]);
        return;
    }
    if (r->line_of[key] == 0)
        r->line_of[key] = r->number;
    if (!value_read(&r->found[key], key, r->bytes + line->value, line->value_len, &slip))
        complain(r, line->value + slip.at - line->start, "%s", slip.text);
}

size_t yr_config_parse(struct yr_config *config, const char *file, enum yr_config_origin origin,
                       const char *bytes, size_t len, struct yr_buf *errors)
{
    const char *slash = strrchr(file, '/');
    struct reader r = {.bytes = bytes, .file = file, .base = slash != NULL ? slash + 1 : file};

    r.errors = errors;
    if (len > YR_CONFIG_FILE_MAX) {
        r.number = 1;
        complain(&r, 0, "the file is too large: over %d bytes", YR_CONFIG_FILE_MAX);
        return 1;
    }
    for (size_t at = 0; at < len;) {
        const struct line line = scan_line(bytes, len, at);

        r.number++;
        switch (line.kind) {
        case LINE_BLANK: break;
        case LINE_SECTION: read_section(&r, &line); break;
        case LINE_KEY: read_key(&r, &line); break;
        case LINE_BAD: complain(&r, line.bad - line.start, "%s", line.why); break;
        }
        at = line.next;
    }
    if (r.error_count > YR_CONFIG_ERRS_MAX && errors != NULL)
        yr_buf_addf(errors, "%s: and %zu more mistakes\n", r.base,
                    r.error_count - YR_CONFIG_ERRS_MAX);
    for (size_t i = 0; i < YR_CFG_COUNT; i++) {
        struct yr_config_value *value = &config->values[i];
        struct yr_buf where = {0};

        if (r.error_count > 0 || r.line_of[i] == 0 || value->origin > origin) {
            value_clear(&r.found[i]);
            continue;
        }
        value_clear(value);
        *value = r.found[i];
        value->origin = origin;
        yr_buf_addf(&where, "%s:%u", file, r.line_of[i]);
        value->where = yr_buf_take(&where);
    }
    return r.error_count;
}

enum yr_exit yr_config_override(struct yr_config *config, enum yr_config_key key, const char *value,
                                enum yr_config_origin origin, const char *where,
                                struct yr_fail *fail)
{
    struct yr_config_value next = {0};
    struct slip slip;

    if (!yr_utf8_valid(value, strlen(value), false) || strpbrk(value, "\n\r") != NULL)
        return yr_fail(fail, YR_EXIT_CONFIG, "bad value for '%s': it is not one line of text",
                       yr_config_descs[key].name);
    if (!value_read(&next, key, value, strlen(value), &slip)) {
        value_clear(&next);
        return yr_fail(fail, YR_EXIT_CONFIG, "%s", slip.text);
    }
    if (config->values[key].origin > origin) {
        value_clear(&next);
        return YR_EXIT_OK;
    }
    next.origin = origin;
    next.where = yr_strdup(where);
    value_clear(&config->values[key]);
    config->values[key] = next;
    return YR_EXIT_OK;
}

static size_t load_file(struct yr_config *config, const char *path, enum yr_config_origin origin,
                        bool must_exist, struct yr_buf *errors)
{
    struct yr_fail fail;
    char *bytes = NULL;
    size_t len = 0, bad;

    errno = 0;
    if (yr_read_file(path, YR_CONFIG_FILE_MAX, &bytes, &len, &fail) != YR_EXIT_OK) {
        if (errno == ENOENT && !must_exist)
            return 0;
        yr_buf_addf(errors, "%s\n", fail.what);
        return 1;
    }
    bad = yr_config_parse(config, path, origin, bytes, len, errors);
    free(bytes);
    return bad;
}

enum yr_exit yr_config_load(struct yr_config *config, const struct yr_paths *paths, bool must_exist,
                            struct yr_buf *errors)
{
    const char *log = getenv("YAARI_LOG");
    struct yr_fail fail;
    size_t bad = 0;

    yr_config_init(config);
    if (!paths->portable)
        bad += load_file(config, paths->site, YR_CONFIG_SITE, false, errors);
    bad += load_file(config, paths->config, YR_CONFIG_PROFILE, must_exist, errors);
    if (log != NULL && log[0] != '\0' &&
        yr_config_override(config, YR_CFG_LOG_LEVEL, log, YR_CONFIG_ENV, "YAARI_LOG", &fail) !=
            YR_EXIT_OK) {
        yr_buf_addf(errors, "YAARI_LOG: %s\n", fail.what);
        bad++;
    }
    if (bad == 0)
        return YR_EXIT_OK;
    yr_config_clear(config);
    yr_config_init(config);
    return YR_EXIT_CONFIG;
}

/* ---- the editor ---- */

enum yr_exit yr_config_edit(const char *bytes, size_t len, enum yr_config_key key,
                            const char *value, struct yr_buf *out, struct yr_fail *fail)
{
    const struct yr_config_desc *desc = &yr_config_descs[key];
    const char *eol = len > 0 && memmem(bytes, len, "\r\n", 2) != NULL ? "\r\n" : "\n";
    struct yr_config probe;
    struct yr_buf errors = {0};
    enum yr_exit err = YR_EXIT_OK;
    size_t insert = SIZE_MAX; // in out: behind the last line of the section that says something
    bool inside = false, done = false;

    yr_config_init(&probe);
    if (yr_config_parse(&probe, "file", YR_CONFIG_PROFILE, bytes, len, &errors) > 0) {
        err = yr_fail(fail, YR_EXIT_CONFIG, "the configuration has mistakes: %.*s",
                      (int)strcspn(yr_buf_str(&errors), "\n"), yr_buf_str(&errors));
        yr_fail_hint(fail, "yaari config check");
        goto out;
    }
    if (value != NULL) {
        err = yr_config_override(&probe, key, value, YR_CONFIG_FLAG, "set", fail);
        if (err == YR_EXIT_OK && strlen(value) + strlen(desc->key) + 3 > YR_CONFIG_LINE_MAX)
            err = yr_fail(fail, YR_EXIT_CONFIG, "the value is too long");
        if (err != YR_EXIT_OK)
            goto out;
    }
    for (size_t at = 0; at < len;) {
        const struct line line = scan_line(bytes, len, at);

        if (line.kind == LINE_SECTION)
            inside = line.name_len == strlen(desc->section) &&
                     memcmp(bytes + line.name, desc->section, line.name_len) == 0;
        if (line.kind == LINE_KEY && inside && line.name_len == strlen(desc->key) &&
            memcmp(bytes + line.name, desc->key, line.name_len) == 0) {
            if (value != NULL && !done)
                yr_buf_addf(out, "%s = %s%s", desc->key, value, eol);
            done = true;
        } else {
            yr_buf_add(out, bytes + at, line.next - at);
            if (line.next == len && line.end == len)
                yr_buf_adds(out, eol); // the last line gets the end it lacked
            if (inside && line.kind != LINE_BLANK)
                insert = out->len;
        }
        at = line.next;
    }
    if (value != NULL && !done && insert != SIZE_MAX) {
        struct yr_buf added = {0};

        yr_buf_addf(&added, "%s = %s%s", desc->key, value, eol);
        yr_buf_splice(out, insert, 0, yr_buf_str(&added), added.len);
        yr_buf_clear(&added);
    } else if (value != NULL && !done) {
        yr_buf_addf(out, "%s[%s]%s%s = %s%s", out->len > 0 ? eol : "", desc->section, eol,
                    desc->key, value, eol);
    }
out:
    yr_buf_clear(&errors);
    yr_config_clear(&probe);
    return err;
}

enum yr_exit yr_config_set(const struct yr_paths *paths, enum yr_config_key key, const char *value,
                           struct yr_fail *fail)
{
    char *bytes = NULL;
    size_t len = 0;
    struct yr_buf out = {0};
    enum yr_exit err;

    errno = 0;
    err = yr_read_file(paths->config, YR_CONFIG_FILE_MAX, &bytes, &len, fail);
    if (err == YR_EXIT_NOINPUT && errno == ENOENT)
        err = value != NULL ? yr_mkdirs(paths->config_dir, fail) : YR_EXIT_OK;
    if (err == YR_EXIT_OK)
        err = yr_config_edit(bytes != NULL ? bytes : "", len, key, value, &out, fail);
    if (err == YR_EXIT_OK && (bytes != NULL || value != NULL))
        err = yr_write_file(paths->config, yr_buf_str(&out), out.len, 0600, fail);
    yr_buf_clear(&out);
    free(bytes);
    return err;
}

void yr_config_print_defaults(struct yr_buf *out)
{
    const char *section = "";

    for (size_t i = 0; i < YR_CFG_COUNT; i++) {
        const struct yr_config_desc *desc = &yr_config_descs[i];

        if (strcmp(section, desc->section) != 0)
            yr_buf_addf(out, "%s[%s]\n", i > 0 ? "\n" : "", desc->section);
        section = desc->section;
        yr_buf_addf(out, "# %s\n# %s\n%s =%s%s\n", desc->meaning, desc->form, desc->key,
                    desc->def[0] != '\0' ? " " : "", desc->def);
    }
}
