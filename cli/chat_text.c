#include "cli/chat_text.h"

#include <string.h>

#include "cli/common/columns.h"
#include "cli/common/json.h"
#include "cli/common/text_safe.h"

#define TAB_COLUMNS 4

/* ---- what was typed ---- */

struct yr_talk_line yr_talk_read(const char *line)
{
    const size_t blanks = strspn(line, " \t\n");
    struct yr_talk_line read = {.kind = YR_TALK_TEXT, .text = line};
    size_t len;

    if (line[blanks] == '\0') {
        read.kind = YR_TALK_EMPTY;
    } else if (line[blanks] == '/' && blanks > 0) {
        read.kind = YR_TALK_GUARD;
    } else if (line[0] == '/' && line[1] == '/') {
        read.text = line + 1;
    } else if (line[0] == '/') {
        read.kind = YR_TALK_COMMAND;
        len = strcspn(line + 1, " \t\n");
        memcpy(read.name, line + 1, len < YR_TALK_NAME_MAX ? len : YR_TALK_NAME_MAX);
        read.text = line + 1 + len;
        read.text += strspn(read.text, " \t\n");
    }
    return read;
}

/** The part up to the next bare slash, "\/" as "/".  false: there is no slash. */
static bool take_part(const char **at, struct yr_buf *part)
{
    for (; **at != '/'; (*at)++) {
        if (**at == '\0')
            return false;
        if ((*at)[0] == '\\' && (*at)[1] == '/')
            (*at)++;
        yr_buf_addc(part, **at);
    }
    (*at)++;
    return true;
}

static enum yr_talk_subst replace(const char *text, const struct yr_buf *from,
                                  const struct yr_buf *to, bool all, struct yr_buf *out)
{
    const char *found = strstr(text, from->at);

    if (found == NULL)
        return YR_TALK_SUBST_ABSENT;
    for (; found != NULL; found = all ? strstr(text, from->at) : NULL) {
        yr_buf_add(out, text, (size_t)(found - text));
        yr_buf_add(out, yr_buf_str(to), to->len);
        text = found + from->len;
    }
    yr_buf_adds(out, text);
    return YR_TALK_SUBST_DONE;
}

enum yr_talk_subst yr_talk_substitute(const char *line, const char *text, struct yr_buf *out)
{
    enum yr_talk_subst result = YR_TALK_SUBST_NONE;
    struct yr_buf from = {0}, to = {0};

    if (line[0] != 's' || line[1] != '/' || strchr(line, '\n') != NULL)
        return result;
    line += 2;
    if (take_part(&line, &from) && from.len > 0 && take_part(&line, &to) &&
        (line[0] == '\0' || strcmp(line, "g") == 0))
        result = replace(text, &from, &to, line[0] == 'g', out);
    yr_buf_clear(&from);
    yr_buf_clear(&to);
    return result;
}

/* ---- rows ---- */

struct fold {
    struct yr_buf *out;
    size_t columns, indent, at; // at: columns used of this row
};

static void next_row(struct fold *fold)
{
    yr_buf_addc(fold->out, '\n');
    for (size_t i = 0; i < fold->indent; i++)
        yr_buf_addc(fold->out, ' ');
    fold->at = fold->indent;
}

/** A run of no blanks; what is wider than a row is cut between clusters. */
static void add_word(struct fold *fold, const char *word, size_t len)
{
    while (fold->columns > 0 && fold->at + yr_columns(word, len) > fold->columns) {
        const size_t room = fold->columns > fold->at ? fold->columns - fold->at : 0;
        size_t cut = yr_columns_cut(word, len, room);

        if (cut == 0 && fold->at <= fold->indent) // a cluster wider than a whole row
            cut = yr_cluster_end(word, len, 0);
        yr_buf_add(fold->out, word, cut);
        word += cut;
        len -= cut;
        if (len == 0) {
            fold->at = fold->columns;
            return;
        }
        next_row(fold);
    }
    yr_buf_add(fold->out, word, len);
    fold->at += yr_columns(word, len);
}

static size_t blank_columns(const char *text, size_t len)
{
    size_t columns = 0;

    for (size_t i = 0; i < len; i++)
        columns += text[i] == '\t' ? TAB_COLUMNS : 1;
    return columns;
}

static void fold_line(struct fold *fold, const char *text, size_t len)
{
    for (size_t i = 0, blanks, word; i < len; i += blanks + word) {
        size_t gap, width;

        for (blanks = 0; i + blanks < len && strchr(" \t", text[i + blanks]) != NULL;)
            blanks++;
        for (word = 0; i + blanks + word < len && strchr(" \t", text[i + blanks + word]) == NULL;)
            word++;
        gap = blank_columns(text + i, blanks);
        width = yr_columns(text + i + blanks, word);
        if (fold->columns > 0 && fold->at + gap + width > fold->columns &&
            (fold->indent + width <= fold->columns || fold->at + gap >= fold->columns)) {
            next_row(fold);
        } else {
            for (size_t k = 0; k < gap; k++)
                yr_buf_addc(fold->out, ' ');
            fold->at += gap;
        }
        add_word(fold, text + i + blanks, word);
    }
}

void yr_talk_fold(struct yr_buf *out, const char *lead, size_t lead_columns, const char *text,
                  size_t columns, size_t indent)
{
    struct fold fold = {out, columns, columns > 0 && indent * 3 > columns ? 2 : indent,
                        lead_columns};

    yr_buf_adds(out, lead);
    for (bool first = true;; first = false) {
        const size_t len = strcspn(text, "\n");

        if (!first)
            next_row(&fold);
        fold_line(&fold, text, len);
        if (text[len] == '\0')
            return;
        text += len + 1;
    }
}

void yr_talk_snippet(struct yr_buf *out, const char *text, size_t columns)
{
    struct yr_buf safe = {0};
    size_t cut;

    yr_safe_line(&safe, text, strlen(text));
    cut = yr_columns_cut(yr_buf_str(&safe), safe.len, columns);
    yr_buf_add(out, yr_buf_str(&safe), cut);
    yr_buf_adds(out, cut < safe.len ? "..." : "");
    yr_buf_clear(&safe);
}

/* ---- messages ---- */

static void add_clock(struct yr_buf *out, const json_t *message, const struct yr_out *options)
{
    struct yr_time_style style = options->time;
    yr_ms time_ms;

    if (!yr_rfc3339_read(yr_json_str(message, "time", ""), &time_ms))
        return;
    if (strcmp(style.format, "short") == 0)
        style.format = "+%H:%M";
    yr_time_add(out, time_ms, yr_wall_ms(), &style);
}

/** What is wrong with it or happened to it, behind the text. */
static void add_marks(struct yr_buf *out, const json_t *message, const char *self_id)
{
    const char *state = yr_json_str(message, "state", "");
    const json_t *reaction, *name;
    size_t i, k;

    if (yr_json_str(message, "edited", NULL) != NULL && !yr_json_bool(message, "deleted", false))
        yr_buf_adds(out, " (edited)");
    if (yr_json_bool(message, "late", false))
        yr_buf_adds(out, " (arrived late)");
    if (yr_json_bool(message, "own", false) && strcmp(state, "failed") == 0)
        yr_buf_adds(out, " (not delivered)");
    if (yr_json_bool(message, "own", false) && strcmp(state, "cancelled") == 0)
        yr_buf_adds(out, " (cancelled)");
    json_array_foreach(json_object_get(message, "reactions"), i, reaction)
    {
        yr_buf_adds(out, "  ");
        yr_add_flat(out, yr_json_str(reaction, "emoji", ""));
        json_array_foreach(json_object_get(reaction, "from"), k, name)
        {
            const char *id = json_string_value(json_array_get(json_object_get(reaction, "ids"), k));

            yr_buf_addc(out, ' ');
            if (id != NULL && self_id != NULL && strcmp(id, self_id) == 0) {
                yr_buf_adds(out, "me");
                continue;
            }
            if (json_is_false(json_array_get(json_object_get(reaction, "friends"), k)))
                yr_buf_addc(out, '~');
            yr_add_name(out, json_string_value(name));
        }
    }
}

const char *yr_talk_author_paint(const struct yr_out *out, const char *id)
{
    // neither that of errors nor that of mentions
    static const char *const paints[] = {"\033[36m",   "\033[35m",   "\033[33m",  "\033[34m",
                                         "\033[1;36m", "\033[1;35m", "\033[1;34m"};
    uint32_t hash = 2166136261u; // FNV-1a

    for (; *id != '\0'; id++)
        hash = (hash ^ (uint8_t)*id) * 16777619u;
    return out->paint[YR_ROLE_NICK][0] == '\0' ? ""
                                               : paints[hash % (sizeof paints / sizeof paints[0])];
}

static void add_speaker(struct yr_buf *lead, const char *who, enum yr_role role,
                        const struct yr_talk_style *style)
{
    if (role != YR_ROLE_NICK || style->paint == NULL) {
        yr_paint(style->out, lead, role);
        yr_buf_adds(lead, who);
        yr_unpaint(style->out, lead, role);
        return;
    }
    yr_buf_adds(lead, style->out->color ? style->paint : "");
    yr_buf_adds(lead, who);
    yr_buf_adds(lead, style->out->color && style->paint[0] != '\0' ? "\033[0m" : "");
}

static void add_lead(struct yr_buf *lead, size_t *columns, size_t *indent, const json_t *message,
                     const struct yr_talk_style *style)
{
    const char *kind = yr_json_str(message, "kind", "text");
    const bool action = strcmp(kind, "action") == 0, system = strcmp(kind, "system") == 0;
    const enum yr_role role = system                                ? YR_ROLE_SYSTEM
                              : yr_json_bool(message, "own", false) ? YR_ROLE_SELF
                                                                    : YR_ROLE_NICK;
    struct yr_buf clock = {0}, who = {0};

    add_clock(&clock, message, style->out);
    yr_buf_addf(&who, "%s%s%s",
                action   ? "* "
                : system ? "-- "
                         : "",
                system ? "" : style->speaker, action || system ? "" : ":");
    yr_paint(style->out, lead, YR_ROLE_TIME);
    yr_buf_adds(lead, yr_buf_str(&clock));
    yr_unpaint(style->out, lead, YR_ROLE_TIME);
    yr_buf_addc(lead, ' ');
    *indent = yr_columns(yr_buf_str(&clock), clock.len) + 1;
    *columns = *indent;
    if (style->number > 0) {
        char number[16];

        *columns += (size_t)snprintf(number, sizeof number, "%%%u ", style->number);
        yr_buf_adds(lead, number);
    }
    add_speaker(lead, yr_buf_str(&who), role, style);
    yr_buf_adds(lead, system ? "" : " ");
    *columns += yr_columns(yr_buf_str(&who), who.len) + (system ? 0 : 1);
    yr_buf_clear(&clock);
    yr_buf_clear(&who);
}

/** A line of the room itself. */
static void add_event(struct yr_buf *out, const json_t *message, const struct yr_talk_style *style)
{
    struct yr_buf text = {0};

    yr_add_flat(&text, yr_json_str(message, "text", ""));
    yr_buf_adds(&text, " --");
    yr_paint(style->out, out, YR_ROLE_SYSTEM);
    yr_talk_fold(out, "-- ", 3, yr_buf_str(&text), style->columns, 3);
    yr_unpaint(style->out, out, YR_ROLE_SYSTEM);
    yr_buf_clear(&text);
}

void yr_talk_message(struct yr_buf *out, const json_t *message, const struct yr_talk_style *style)
{
    const bool room =
        strcmp(yr_json_str(json_object_get(message, "target"), "kind", ""), "room") == 0;
    const bool mention = yr_json_bool(message, "mention", false);
    struct yr_buf lead = {0}, text = {0};
    size_t columns, indent;

    if (room && strcmp(yr_json_str(message, "kind", ""), "system") == 0) {
        add_event(out, message, style);
        return;
    }
    add_lead(&lead, &columns, &indent, message, style);
    if (mention)
        yr_paint(style->out, &lead, YR_ROLE_MENTION);
    if (yr_json_bool(message, "deleted", false)) {
        yr_buf_adds(&text, "(deleted)");
    } else {
        if (yr_json_str(message, "reply_to", NULL) != NULL)
            yr_buf_addf(&text, "(re: %s) ", style->reply != NULL ? style->reply : "...");
        yr_add_text(&text, yr_json_str(message, "text", ""));
    }
    add_marks(&text, message, style->self_id);
    yr_talk_fold(out, yr_buf_str(&lead), columns, yr_buf_str(&text), style->columns, indent);
    if (mention)
        yr_unpaint(style->out, out, YR_ROLE_MENTION);
    yr_buf_clear(&lead);
    yr_buf_clear(&text);
}
