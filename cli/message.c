/* cli/message.c: see message.h. */
#include "cli/message.h"

#include <string.h>

#include "cli/common/columns.h"
#include "cli/common/json.h"

#define ID_SHOWN 6 /* characters of a message id that people see */

static bool is_self(const json_t *message)
{
    return yr_json_bool(message, "own", false);
}

/** "alice", or "alice -> bob" where several conversations are shown. */
static void add_who(const struct yr_out *out, struct yr_buf *line, const json_t *message,
                    const struct yr_message_style *style)
{
    const json_t *target = json_object_get(message, "target");
    const bool room = strcmp(yr_json_str(target, "kind", ""), "room") == 0;

    yr_add_ref(line, json_object_get(message, "from"));
    if (style->targets && (room || is_self(message))) {
        yr_buf_adds(line, out->utf8 ? " \u2192 " : " -> ");
        yr_add_ref(line, target);
    }
}

/** A line of the conversation itself: "--", or "-- #garden" where several are shown. */
static void add_system(struct yr_buf *line, const json_t *message,
                       const struct yr_message_style *style)
{
    yr_buf_adds(line, "--");
    if (style->targets) {
        yr_buf_addc(line, ' ');
        yr_add_ref(line, json_object_get(message, "target"));
    }
}

size_t yr_message_name_width(const struct yr_out *out, const json_t *message,
                             const struct yr_message_style *style)
{
    struct yr_buf who = {0};
    size_t width;

    add_who(out, &who, message, style);
    width = yr_columns(yr_buf_str(&who), who.len);
    yr_buf_clear(&who);
    return width;
}

static void add_blanks(struct yr_buf *line, size_t count)
{
    while (count-- > 0)
        yr_buf_addc(line, ' ');
}

/** The time of day alone in `log`, where lines between say the day. */
static void add_clock(const struct yr_out *out, struct yr_buf *line, const char *rfc3339)
{
    struct yr_time_style style = out->time;
    yr_ms time_ms;

    if (!yr_rfc3339_read(rfc3339, &time_ms)) {
        yr_buf_addc(line, '-');
        return;
    }
    if (strcmp(style.format, "short") == 0)
        style.format = "+%H:%M";
    yr_time_add(line, time_ms, yr_wall_ms(), &style);
}

static void add_reactions(struct yr_buf *line, const json_t *message)
{
    const json_t *reactions = json_object_get(message, "reactions");
    const json_t *reaction, *name;
    size_t i, k;

    json_array_foreach(reactions, i, reaction)
    {
        yr_buf_adds(line, "  ");
        yr_add_flat(line, yr_json_str(reaction, "emoji", ""));
        json_array_foreach(json_object_get(reaction, "from"), k, name)
        {
            const json_t *friend = json_array_get(json_object_get(reaction, "friends"), k);

            yr_buf_adds(line, json_is_false(friend) ? " ~" : " ");
            yr_add_name(line, json_string_value(name));
        }
    }
}

static void add_state(const struct yr_out *out, struct yr_buf *line, const json_t *message)
{
    const char *state = yr_json_str(message, "state", "");
    const json_t *members = json_object_get(message, "per_member");
    const long long of = (long long)yr_json_int(members, "of", 0);

    if (yr_json_bool(message, "late", false))
        yr_buf_adds(line, "  (arrived late)");
    if (!is_self(message) || yr_json_bool(message, "deleted", false))
        return;
    yr_buf_adds(line, "  ");
    yr_paint(out, line, YR_ROLE_TIME);
    if (strcmp(state, "accepted") == 0 && of > 0)
        yr_buf_addf(line, "delivered to %lld of %lld",
                    (long long)yr_json_int(members, "delivered", 0), of);
    else
        yr_add_flat(line, state);
    yr_unpaint(out, line, YR_ROLE_TIME);
}

/** The text; its further lines start at `indent`. */
static void add_body(const struct yr_out *out, struct yr_buf *lines, const json_t *message,
                     size_t indent)
{
    const char *reply = yr_json_str(message, "reply_to", NULL);
    struct yr_buf text = {0};

    if (reply != NULL) {
        yr_paint(out, lines, YR_ROLE_SYSTEM);
        yr_buf_addf(lines, "re %.*s: ", ID_SHOWN, reply);
        yr_unpaint(out, lines, YR_ROLE_SYSTEM);
    }
    if (yr_json_bool(message, "deleted", false)) {
        yr_buf_adds(lines, "(deleted)");
        return;
    }
    yr_add_text(&text, yr_json_str(message, "text", ""));
    for (const char *c = yr_buf_str(&text); *c != '\0'; c++) {
        yr_buf_addc(lines, *c);
        if (*c == '\n')
            add_blanks(lines, indent);
    }
    yr_buf_clear(&text);
    if (json_object_get(message, "edited") != NULL)
        yr_buf_adds(lines, "  (edited)");
    add_reactions(lines, message);
}

void yr_message_add(const struct yr_out *out, struct yr_buf *lines, const json_t *message,
                    const struct yr_message_style *style)
{
    const char *kind = yr_json_str(message, "kind", "text");
    const bool action = strcmp(kind, "action") == 0, system = strcmp(kind, "system") == 0;
    const enum yr_role role = system             ? YR_ROLE_SYSTEM
                              : is_self(message) ? YR_ROLE_SELF
                                                 : YR_ROLE_NICK;
    struct yr_buf who = {0};
    size_t indent, width;

    yr_paint(out, lines, YR_ROLE_TIME);
    add_clock(out, lines, yr_json_str(message, "time", ""));
    yr_unpaint(out, lines, YR_ROLE_TIME);
    indent = 7;
    yr_buf_adds(lines, "  ");
    if (style->ids) {
        yr_buf_addf(lines, "%.*s  ", ID_SHOWN, yr_json_str(message, "id", ""));
        indent += ID_SHOWN + 2;
    }
    if (action)
        yr_buf_adds(&who, "* ");
    if (system)
        add_system(&who, message, style);
    else
        add_who(out, &who, message, style);
    width = yr_columns(yr_buf_str(&who), who.len);
    yr_paint(out, lines, role);
    yr_buf_adds(lines, yr_buf_str(&who));
    yr_unpaint(out, lines, role);
    add_blanks(lines, action ? 1 : (style->name_width > width ? style->name_width - width : 0) + 2);
    indent += (style->name_width > width ? style->name_width : width) + 2;
    yr_buf_clear(&who);
    add_body(out, lines, message, indent);
    add_state(out, lines, message);
    yr_buf_addc(lines, '\n');
}

void yr_rule_add(const struct yr_out *out, struct yr_buf *lines, enum yr_role role,
                 const char *text)
{
    const char *dash = out->utf8 ? "\u2500\u2500" : "--";

    yr_paint(out, lines, role);
    yr_buf_addf(lines, "%s %s %s", dash, text, dash);
    yr_unpaint(out, lines, role);
    yr_buf_addc(lines, '\n');
}

int64_t yr_message_day(const struct yr_out *out, const json_t *message)
{
    yr_ms time_ms;

    if (!yr_rfc3339_read(yr_json_str(message, "time", ""), &time_ms))
        return 0;
    return yr_day_of(time_ms, out->time.utc);
}

void yr_message_day_add(const struct yr_out *out, struct yr_buf *lines, const json_t *message)
{
    struct yr_buf day = {0};
    yr_ms time_ms;

    if (!yr_rfc3339_read(yr_json_str(message, "time", ""), &time_ms))
        return;
    yr_day_add(&day, time_ms, out->time.utc);
    yr_rule_add(out, lines, YR_ROLE_TIME, yr_buf_str(&day));
    yr_buf_clear(&day);
}
