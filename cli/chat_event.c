/* chat_event.c: events of the node as lines. */
#include <string.h>

#include "cli/chat_int.h"
#include "cli/common/columns.h"
#include "cli/common/text_safe.h"

#define UNREAD_LINE_MS 10000 /* at most one "-- carol (2) --" in this time */
#define SNIPPET        32    /* columns of a text that is talked about */
#define OVERDUE_MS     30000 /* a text to somebody online is delivered long before */

/* ---- the line that says what else is new ---- */

int yr_talk_unread_line(struct yr_talk *chat, bool now)
{
    const yr_ms wait = chat->unread_at + UNREAD_LINE_MS - yr_talk_now();
    struct yr_buf line = {0};

    if (!chat->unread_due && !now)
        return -1;
    if (!now && chat->unread_at > 0 && wait > 0)
        return (int)wait;
    chat->unread_due = false;
    for (size_t i = 0; i < chat->conv_count; i++) {
        const struct yr_talk_conv *conv = chat->convs[i];

        if (conv == chat->current || conv->gone || conv->unread == 0 ||
            (!now && (conv->muted || yr_talk_conv_news(conv) == 0)))
            continue;
        yr_buf_addf(&line, "%s%s (%u", line.len > 0 ? " " : "", conv->shown, conv->unread);
        if (conv->room != NULL && conv->room->mentions > 0)
            yr_buf_addf(&line, ", %u mention%s", conv->room->mentions,
                        conv->room->mentions == 1 ? "" : "s");
        yr_buf_addc(&line, ')');
    }
    if (line.len > 0) {
        struct yr_buf painted = {0};

        chat->unread_at = yr_talk_now();
        yr_paint(&chat->cli->out, &painted, YR_ROLE_UNREAD);
        yr_buf_addf(&painted, "-- %s --", yr_buf_str(&line));
        yr_unpaint(&chat->cli->out, &painted, YR_ROLE_UNREAD);
        yr_talk_print(chat, yr_buf_str(&painted));
        yr_buf_clear(&painted);
    } else if (now) {
        yr_talk_say(chat, "nothing unread");
    }
    yr_buf_clear(&line);
    return -1;
}

/* ---- messages ---- */

static bool is_system(const json_t *message)
{
    return strcmp(yr_json_str(message, "kind", ""), "system") == 0;
}

static void show_one(struct yr_talk *chat, struct yr_talk_conv *conv, json_t *message)
{
    json_t *one = json_pack("[O]", message);

    // what arrives is unread, but no line has to say so: it is the last one there is
    if (yr_json_bool(message, "unread", false)) {
        json_array_set_new(one, 0, json_copy(message));
        json_object_del(json_array_get(one, 0), "unread");
    }
    yr_talk_conv_show(chat, conv, one, false);
    json_decref(one);
}

static bool waits(const json_t *message)
{
    return yr_json_bool(message, "own", false) && !yr_json_bool(message, "deleted", false) &&
           strcmp(yr_json_str(message, "state", ""), "accepted") == 0;
}

static void tell_waiting(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *message)
{
    if (conv->self || conv->told || !waits(message))
        return;
    if (conv->online) {
        if (conv->due_at == 0)
            conv->due_at = yr_talk_now() + OVERDUE_MS;
        return;
    }
    conv->told = true;
    yr_talk_say(chat, "not delivered yet: %s is offline; it goes out when both are online",
                conv->shown);
}

/** One text is there: the others have their time again. */
static void arrived(struct yr_talk_conv *conv)
{
    const json_t *message;
    bool more = false;
    size_t i;

    if (conv->room != NULL) // one that reached somebody says nothing about the others
        return;
    json_array_foreach(conv->recent, i, message) more = more || waits(message);
    conv->told = false;
    conv->due_at = more && conv->online ? yr_talk_now() + OVERDUE_MS : 0;
}

int yr_talk_overdue(struct yr_talk *chat)
{
    const yr_ms now = yr_talk_now();
    int wait = -1;

    for (size_t i = 0; i < chat->conv_count; i++) {
        struct yr_talk_conv *conv = chat->convs[i];
        const yr_ms left = conv->due_at - now;

        if (conv->due_at == 0 || (conv->room == NULL && !conv->online))
            continue;
        if (left > 0) {
            wait = wait < 0 || left < wait ? (int)left : wait;
            continue;
        }
        conv->due_at = 0;
        if (conv->room != NULL) {
            yr_talk_room_due(chat, conv);
            continue;
        }
        conv->told = true;
        yr_talk_say(chat, "not delivered for %d s, though %s is online; /why says more",
                    OVERDUE_MS / 1000, conv->shown);
    }
    return wait;
}

/** Somebody else's message that nobody looks at yet. */
static void count(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *message)
{
    const unsigned before = yr_talk_conv_news(conv);

    conv->unread++;
    if (conv->room != NULL && yr_json_bool(message, "mention", false))
        conv->room->mentions++;
    if (!conv->muted && yr_talk_conv_news(conv) > before)
        chat->unread_due = true;
}

/** Is it meant for me, and is it live? */
static bool rings(const struct yr_talk_conv *conv, const json_t *message)
{
    return !conv->muted && yr_json_bool(message, "unread", false) &&
           (conv->room == NULL || yr_json_bool(message, "mention", false));
}

static void on_message(struct yr_talk *chat, struct yr_talk_conv *conv, json_t *message)
{
    const bool own = yr_json_bool(message, "own", false), others = !own && !is_system(message);
    json_t *old = yr_talk_conv_remember(conv, message);

    json_decref(old);
    if (others && conv->writes) { // it is written
        conv->writes = false;
        if (conv == chat->current)
            yr_talk_conv_prompt(chat);
    }
    if (old != NULL) // shown with the history
        return;
    if (conv == chat->current) {
        show_one(chat, conv, message);
        conv->to_mark = conv->to_mark || others;
        if (own && conv->room != NULL)
            yr_talk_room_sent(chat, conv, message);
        else if (own)
            tell_waiting(chat, conv, message);
    } else if (others) {
        count(chat, conv, message);
    }
    if (others && rings(conv, message))
        yr_talk_ring(chat);
}

/** Friends keep a text for somebody who is away: said once while that lasts. */
static void tell_held(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *message)
{
    const long long by = yr_json_int(message, "held_by", 0);
    struct yr_buf until = {0};

    if (conv != chat->current || conv->told_held || by == 0)
        return;
    conv->told_held = true;
    yr_add_time(&chat->cli->out, &until, yr_json_str(message, "held_until", NULL));
    yr_talk_say(chat, "%lld %s it for %s, sealed, until %s; /why says who", by,
                by == 1 ? "friend keeps" : "friends keep", conv->shown, yr_buf_str(&until));
    yr_buf_clear(&until);
}

static void on_state(struct yr_talk *chat, struct yr_talk_conv *conv, json_t *message)
{
    struct yr_buf snippet = {0};

    json_decref(yr_talk_conv_remember(conv, message));
    if (yr_json_bool(message, "own", false) && !waits(message))
        arrived(conv);
    if (strcmp(yr_json_str(message, "state", ""), "held") == 0)
        tell_held(chat, conv, message);
    if (strcmp(yr_json_str(message, "state", ""), "failed") == 0) {
        yr_talk_snippet(&snippet, yr_json_str(message, "text", ""), SNIPPET);
        yr_talk_say(chat, "%s %s: \"%s\"; /why says more",
                    yr_json_str(message, "reason", NULL) != NULL ? "given up, not in time for"
                                                                 : "not delivered to",
                    conv->shown, yr_buf_str(&snippet));
        yr_buf_clear(&snippet);
    }
}

static void on_change(struct yr_talk *chat, struct yr_talk_conv *conv, json_t *message,
                      bool deleted)
{
    json_t *old = yr_talk_conv_remember(conv, message);
    struct yr_buf was = {0}, line = {0}, text = {0};

    if (conv == chat->current) {
        if (old != NULL)
            yr_talk_snippet(&was, yr_json_str(old, "text", ""), SNIPPET);
        yr_buf_adds(&line, "-- ");
        yr_talk_conv_speaker(conv, message, &line);
        yr_buf_adds(&line, deleted ? " deleted" : " edited");
        if (was.len > 0)
            yr_buf_addf(&line, " \"%s\"", yr_buf_str(&was));
        yr_buf_adds(&line, deleted ? "" : ": ");
        if (!deleted)
            yr_add_text(&text, yr_json_str(message, "text", ""));
        yr_buf_cut(&was, 0);
        yr_talk_fold(&was, yr_buf_str(&line), yr_columns(line.at, line.len), yr_buf_str(&text),
                     yr_talk_columns(chat), 3);
        yr_talk_print(chat, yr_buf_str(&was));
    }
    yr_buf_clear(&was);
    yr_buf_clear(&line);
    yr_buf_clear(&text);
    json_decref(old);
}

/** Is this id among those that gave this reaction to the message? */
static bool has_reaction(const json_t *message, const char *emoji, const char *id)
{
    const json_t *reaction, *who;
    size_t i, k;

    json_array_foreach(json_object_get(message, "reactions"), i, reaction)
    {
        if (strcmp(yr_json_str(reaction, "emoji", ""), emoji) == 0)
            json_array_foreach(
                json_object_get(reaction, "ids"), k,
                who) if (strcmp(json_string_value(who) != NULL ? json_string_value(who) : "", id) ==
                         0) return true;
    }
    return false;
}

/** Who gave a reaction, by the place in its list. */
static void add_reactor(const struct yr_talk *chat, const struct yr_talk_conv *conv,
                        const json_t *reaction, size_t at, struct yr_buf *out)
{
    const char *id = json_string_value(json_array_get(json_object_get(reaction, "ids"), at));
    const json_t *name = json_array_get(json_object_get(reaction, "from"), at);

    if (id != NULL && strcmp(id, yr_talk_conv_self(chat, conv)) == 0) {
        yr_buf_adds(out, "me");
    } else if (conv->room == NULL) {
        yr_buf_adds(out, conv->shown);
    } else {
        if (json_is_false(json_array_get(json_object_get(reaction, "friends"), at)))
            yr_buf_addc(out, '~');
        yr_add_name(out, json_string_value(name));
    }
}

/** Say each reaction of `message` that `other` does not have. */
static void say_reactions(struct yr_talk *chat, const struct yr_talk_conv *conv,
                          const json_t *message, const json_t *other, const char *did)
{
    const json_t *reaction, *who;
    struct yr_buf snippet = {0}, emoji = {0}, name = {0};
    size_t i, k;

    yr_talk_snippet(&snippet, yr_json_str(message, "text", ""), SNIPPET);
    json_array_foreach(json_object_get(message, "reactions"), i, reaction)
    {
        yr_buf_cut(&emoji, 0);
        yr_add_flat(&emoji, yr_json_str(reaction, "emoji", ""));
        json_array_foreach(json_object_get(reaction, "ids"), k, who)
        {
            const char *id = json_string_value(who) != NULL ? json_string_value(who) : "";

            if (has_reaction(other, yr_json_str(reaction, "emoji", ""), id))
                continue;
            yr_buf_cut(&name, 0);
            add_reactor(chat, conv, reaction, k, &name);
            yr_talk_say(chat, "%s %s %s \"%s\"", yr_buf_str(&name), did, yr_buf_str(&emoji),
                        yr_buf_str(&snippet));
        }
    }
    yr_buf_clear(&name);
    yr_buf_clear(&snippet);
    yr_buf_clear(&emoji);
}

static void on_reaction(struct yr_talk *chat, struct yr_talk_conv *conv, json_t *message)
{
    json_t *old = yr_talk_conv_remember(conv, message);

    if (conv == chat->current) {
        say_reactions(chat, conv, message, old, "reacted");
        if (old != NULL)
            say_reactions(chat, conv, old, message, "took back");
    }
    json_decref(old);
}

/* ---- the rest ---- */

static void on_friend(struct yr_talk *chat, const json_t *data)
{
    const json_t *ref = json_object_get(data, "friend");
    struct yr_talk_conv *conv = yr_talk_conv_of(chat, ref != NULL ? ref : data);
    const bool known = conv->friend;

    if (ref != NULL) { // removed
        conv->gone = true;
        conv->online = conv->friend = false;
        yr_talk_say(chat, "%s is no friend any more", conv->shown);
        return;
    }
    yr_talk_conv_update(chat, data);
    if (!known && chat->current == NULL) {
        yr_talk_say(chat, "%s is your friend now", conv->shown);
        yr_talk_conv_open(chat, conv);
    } else if (!known) {
        yr_talk_say(chat, "%s is your friend now; /to %s talks", conv->shown, conv->shown);
    }
    if (conv == chat->current)
        yr_talk_conv_prompt(chat);
    yr_talk_rooms_renamed(chat);
}

static void on_read(struct yr_talk *chat, const json_t *data)
{
    struct yr_talk_conv *conv = yr_talk_conv_of(chat, json_object_get(data, "target"));

    conv->unread = (unsigned)yr_json_int(data, "unread", 0);
    if (conv->room != NULL)
        conv->room->mentions = (unsigned)yr_json_int(data, "mentions", 0);
}

/** A link being added, or an own invite. */
static void on_request(struct yr_talk *chat, const json_t *data)
{
    const char *state = yr_json_str(data, "state", "");
    struct yr_buf name = {0}, text = {0};

    if (strcmp(state, "failed") != 0)
        return;
    yr_add_name(&name, yr_json_str(json_object_get(data, "from"), "name", "?"));
    yr_add_flat(&text, yr_json_str(data, "text", "failed"));
    yr_talk_say(chat, "the link of %s leads nowhere: %s", yr_buf_str(&name), yr_buf_str(&text));
    yr_buf_clear(&name);
    yr_buf_clear(&text);
}

static void on_notice(struct yr_talk *chat, const json_t *data)
{
    struct yr_buf text = {0};

    yr_add_flat(&text, yr_json_str(data, "text", ""));
    yr_talk_say(chat, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
}

static bool about_message(struct yr_talk *chat, const char *event, json_t *data)
{
    struct yr_talk_conv *conv;

    if (strncmp(event, "message", 7) != 0 && strcmp(event, "reaction") != 0)
        return false;
    conv = yr_talk_conv_of(chat, json_object_get(data, "target"));
    if (strcmp(event, "message") == 0)
        on_message(chat, conv, data);
    else if (strcmp(event, "message.state") == 0)
        on_state(chat, conv, data);
    else if (strcmp(event, "message.edit") == 0)
        on_change(chat, conv, data, false);
    else if (strcmp(event, "message.delete") == 0)
        on_change(chat, conv, data, true);
    else if (strcmp(event, "reaction") == 0)
        on_reaction(chat, conv, data);
    return true;
}

void yr_talk_event(struct yr_talk *chat, const json_t *event)
{
    const char *name = yr_json_str(event, "event", "");
    json_t *data = json_object_get(event, "data");
    const int64_t cursor = yr_json_int(event, "cursor", 0);

    if (cursor > 0 && (uint64_t)cursor > chat->cursor)
        chat->cursor = (uint64_t)cursor;
    if (!json_is_object(data) || about_message(chat, name, data))
        return;
    if (strcmp(name, "friend") == 0)
        on_friend(chat, data);
    else if (strcmp(name, "presence") == 0)
        yr_talk_presence_event(chat, data);
    else if (strcmp(name, "typing") == 0)
        yr_talk_typing_event(chat, data);
    else if (strcmp(name, "read") == 0)
        on_read(chat, data);
    else if (strcmp(name, "room") == 0)
        yr_talk_room_event(chat, data);
    else if (strcmp(name, "member") == 0)
        yr_talk_member_event(chat, data);
    else if (strcmp(name, "request") == 0)
        on_request(chat, data);
    else if (strcmp(name, "notice") == 0)
        on_notice(chat, data);
    else if (strcmp(name, "gap") == 0 && yr_talk_convs_load(chat, true))
        yr_talk_say(chat, "some events were missed; /log shows the history");
}
