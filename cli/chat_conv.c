/* chat_conv.c: conversations: who they are with, what was said, what is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chat_int.h"
#include "cli/common/text_safe.h"

/* ---- who ---- */

struct yr_talk_conv *yr_talk_conv_by_id(const struct yr_talk *chat, const char *id)
{
    for (size_t i = 0; i < chat->conv_count; i++)
        if (strcmp(chat->convs[i]->id, id) == 0)
            return chat->convs[i];
    return NULL;
}

void yr_talk_conv_today(const struct yr_talk *chat, struct yr_talk_conv *conv)
{
    conv->last_day = yr_day_of(yr_wall_ms(), chat->cli->out.time.utc);
}

static struct yr_talk_conv *add_conv(struct yr_talk *chat, const char *id)
{
    struct yr_talk_conv *conv = yr_xrealloc(NULL, sizeof *conv);

    memset(conv, 0, sizeof *conv);
    snprintf(conv->id, sizeof conv->id, "%s", id);
    conv->self = strcmp(id, chat->self_id) == 0;
    conv->recent = json_array();
    yr_talk_conv_today(chat, conv);
    chat->convs = yr_xrealloc(chat->convs, (chat->conv_count + 1) * sizeof(struct yr_talk_conv *));
    chat->convs[chat->conv_count++] = conv;
    return conv;
}

void yr_talk_conv_name(struct yr_talk_conv *conv, const char *name, bool theirs)
{
    struct yr_buf shown = {0};
    size_t lead;

    free(conv->name);
    conv->name = yr_strdup(name);
    if (conv->self) {
        yr_buf_adds(&shown, "note to self");
    } else {
        yr_buf_adds(&shown, conv->room != NULL ? "#" : theirs ? "~" : "");
        lead = shown.len;
        yr_safe_name(&shown, name, strlen(name));
        if (shown.len == lead) // a name of nothing
            yr_buf_addf(&shown, "%.8s", conv->id);
    }
    free(conv->shown);
    conv->shown = yr_buf_take(&shown);
}

struct yr_talk_conv *yr_talk_conv_of(struct yr_talk *chat, const json_t *ref)
{
    const char *id = yr_json_str(ref, "id", "");
    struct yr_talk_conv *conv = yr_talk_conv_by_id(chat, id);

    if (conv == NULL) {
        conv = add_conv(chat, id);
        if (strcmp(yr_json_str(ref, "kind", ""), "room") == 0 ||
            strcmp(yr_json_str(ref, "type", ""), "room") == 0)
            conv->room = yr_talk_room_new();
        yr_talk_conv_name(conv, yr_json_str(ref, "name", "?"), true);
    }
    return conv;
}

struct yr_talk_conv *yr_talk_conv_update(struct yr_talk *chat, const json_t *friend)
{
    struct yr_talk_conv *conv = yr_talk_conv_of(chat, friend);

    conv->verified = strcmp(yr_json_str(friend, "trust", ""), "verified") == 0;
    conv->online = yr_friend_linked(friend);
    (void)yr_talk_conv_away(conv, friend);
    conv->typing = strcmp(yr_json_str(friend, "typing", ""), "yes") == 0  ? YR_TALK_TYPING_YES
                   : strcmp(yr_json_str(friend, "typing", ""), "no") == 0 ? YR_TALK_TYPING_NO
                                                                          : YR_TALK_TYPING_DEFAULT;
    conv->blocked = yr_json_bool(friend, "blocked", false);
    conv->muted = yr_json_bool(friend, "muted", false);
    conv->friend = true;
    conv->gone = false;
    yr_talk_conv_name(conv, yr_json_str(friend, "name", "?"),
                      !conv->verified && yr_json_str(friend, "petname", NULL) == NULL);
    return conv;
}

static bool load_self(struct yr_talk *chat)
{
    json_t *me = yr_talk_call(chat, "identity.get", NULL);

    if (me == NULL)
        return false;
    snprintf(chat->self_id, sizeof chat->self_id, "%s", yr_json_str(me, "id", ""));
    free(chat->self_name);
    chat->self_name = yr_strdup(yr_json_str(me, "name", "?"));
    json_decref(me);
    return true;
}

static void load_friends(struct yr_talk *chat, const json_t *list, bool unread)
{
    const json_t *friend;
    size_t i;

    json_array_foreach(json_object_get(list, "friends"), i, friend)
    {
        struct yr_talk_conv *conv = yr_talk_conv_update(chat, friend);

        if (unread)
            conv->unread = (unsigned)yr_json_int(friend, "unread", 0);
    }
}

static void load_rooms(struct yr_talk *chat, const json_t *list, bool unread)
{
    const json_t *room;
    size_t i;

    json_array_foreach(json_object_get(list, "rooms"), i, room)
    {
        struct yr_talk_conv *conv = yr_talk_room_update(chat, room);

        if (unread) {
            conv->unread = (unsigned)yr_json_int(room, "unread", 0);
            conv->room->mentions = (unsigned)yr_json_int(room, "mentions", 0);
        }
    }
}

bool yr_talk_convs_load(struct yr_talk *chat, bool unread)
{
    json_t *friends = NULL, *rooms = NULL;
    const bool good =
        load_self(chat) && (friends = yr_talk_call(chat, "friend.list", NULL)) != NULL &&
        (rooms = yr_talk_call(chat, "room.list", json_pack("{s:b}", "all", 1))) != NULL;

    for (size_t i = 0; good && i < chat->conv_count; i++)
        chat->convs[i]->gone = !chat->convs[i]->self;
    if (good) {
        load_friends(chat, friends, unread);
        load_rooms(chat, rooms, unread);
    }
    json_decref(friends);
    json_decref(rooms);
    return good;
}

void yr_talk_convs_clear(struct yr_talk *chat)
{
    for (size_t i = 0; i < chat->conv_count; i++) {
        struct yr_talk_conv *conv = chat->convs[i];

        free(conv->name);
        free(conv->shown);
        free(conv->draft);
        free(conv->away_text);
        yr_talk_room_free(conv->room);
        json_decref(conv->recent);
        yr_edit_history_clear(&conv->history);
        free(conv);
    }
    free(chat->convs);
    chat->convs = NULL;
    chat->conv_count = 0;
}

/** The note to self, made if it is new. */
static struct yr_talk_conv *self_conv(struct yr_talk *chat)
{
    json_t *ref =
        json_pack("{s:s,s:s,s:s}", "kind", "self", "id", chat->self_id, "name", chat->self_name);
    struct yr_talk_conv *conv = yr_talk_conv_of(chat, ref);

    json_decref(ref);
    return conv;
}

struct yr_talk_conv *yr_talk_friend_resolve(struct yr_talk *chat, const char *text)
{
    struct yr_talk_conv *conv = NULL;
    json_t *friend;

    if (strcmp(text, "@me") == 0 || strcmp(text, "self") == 0)
        return self_conv(chat);
    if (text[0] == '~' && text[1] != '\0') // as it is shown
        text++;
    friend = yr_talk_call(chat, "friend.get", json_pack("{s:s}", "friend", text));
    if (friend != NULL)
        conv = yr_talk_conv_update(chat, friend);
    json_decref(friend);
    return conv;
}

struct yr_talk_conv *yr_talk_conv_resolve(struct yr_talk *chat, const char *text)
{
    struct yr_talk_conv *conv = NULL;
    json_t *found;
    const json_t *ref;

    if (strcmp(text, "@me") == 0 || strcmp(text, "self") == 0)
        return self_conv(chat);
    // what any target may be is known to what takes any target
    found = yr_talk_call(chat, "read.get", json_pack("{s:s}", "target", text));
    ref = json_object_get(json_array_get(json_object_get(found, "unread"), 0), "target");
    if (ref != NULL && strcmp(yr_json_str(ref, "kind", ""), "friend") == 0) {
        conv = yr_talk_friend_resolve(chat, yr_json_str(ref, "id", ""));
    } else if (ref != NULL) {
        conv = yr_talk_conv_of(chat, ref);
        if (conv->room != NULL && !yr_talk_room_read(chat, conv))
            conv = NULL;
    }
    json_decref(found);
    return conv;
}

const char *yr_talk_conv_target(const struct yr_talk_conv *conv)
{
    return conv->self ? "@me" : conv->id;
}

void yr_talk_conv_describe(const struct yr_talk_conv *conv, struct yr_buf *out)
{
    yr_buf_adds(out, conv->shown);
    if (conv->self)
        return;
    if (conv->room != NULL) {
        yr_talk_room_describe(conv, out);
        return;
    }
    yr_buf_addf(out, " (%s%s%s%s)",
                conv->gone                   ? "no friend any more"
                : conv->online && conv->away ? "away"
                : conv->online               ? "online"
                                             : "offline",
                conv->verified ? ", verified" : "", conv->blocked ? ", blocked" : "",
                conv->muted ? ", muted" : "");
    if (conv->away_text != NULL)
        yr_buf_addf(out, ": %s", conv->away_text);
}

const char *yr_talk_conv_self(const struct yr_talk *chat, const struct yr_talk_conv *conv)
{
    return conv->room != NULL ? conv->room->self : chat->self_id;
}

void yr_talk_conv_speaker(const struct yr_talk_conv *conv, const json_t *message,
                          struct yr_buf *out)
{
    if (yr_json_bool(message, "own", false))
        yr_buf_adds(out, "me");
    else if (conv->room != NULL)
        yr_add_ref(out, json_object_get(message, "from"));
    else
        yr_buf_adds(out, conv->shown);
}

/* ---- what was said ---- */

static bool same_id(const json_t *message, const char *id)
{
    return strcmp(yr_json_str(message, "id", ""), id) == 0;
}

json_t *yr_talk_conv_remember(struct yr_talk_conv *conv, json_t *message)
{
    const char *id = yr_json_str(message, "id", "");

    for (size_t i = json_array_size(conv->recent); i-- > 0;) {
        json_t *old = json_array_get(conv->recent, i);

        if (!same_id(old, id))
            continue;
        json_incref(old);
        json_array_set(conv->recent, i, message);
        return old;
    }
    json_array_append(conv->recent, message);
    if (json_array_size(conv->recent) > YR_TALK_RECENT_MAX)
        json_array_remove(conv->recent, 0);
    return NULL;
}

json_t *yr_talk_conv_message(const struct yr_talk_conv *conv, const char *id)
{
    const size_t len = strlen(id);
    json_t *message, *found = NULL;
    size_t i;

    json_array_foreach(conv->recent, i, message)
    {
        if (strncasecmp(yr_json_str(message, "id", ""), id, len) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = message;
    }
    return found;
}

/** The last `limit` messages of a conversation before `before` (NULL: the last of all), as an array
 *  owned by the caller; lines: those of the room itself, too.  NULL: it was said why. */
static json_t *fetch(struct yr_talk *chat, const struct yr_talk_conv *conv, size_t limit,
                     const char *before, bool lines)
{
    json_t *params =
        json_pack("{s:s,s:i}", "target", yr_talk_conv_target(conv), "limit", (int)limit);
    json_t *result, *messages;

    if (before != NULL)
        json_object_set_new(params, "before", json_string(before));
    if (lines && conv->room != NULL)
        json_object_set_new(params, "all", json_true());
    result = yr_talk_call(chat, "message.list", params);
    messages = json_incref(json_object_get(result, "messages"));
    json_decref(result);
    return messages;
}

/** Take over the end of a conversation's history. */
static void remember_all(struct yr_talk_conv *conv, json_t *messages)
{
    json_t *message;
    size_t i;

    if (messages == NULL)
        return;
    conv->loaded = true;
    if (json_array_size(messages) >= json_array_size(conv->recent)) {
        json_decref(conv->recent);
        conv->recent = json_copy(messages);
        return;
    }
    json_array_foreach(messages, i, message)
    {
        json_decref(yr_talk_conv_remember(conv, message));
    }
}

json_t *yr_talk_conv_fetch(struct yr_talk *chat, struct yr_talk_conv *conv, size_t limit,
                           bool lines)
{
    json_t *messages = fetch(chat, conv, limit, NULL, lines);

    remember_all(conv, messages);
    return messages;
}

json_t *yr_talk_conv_fetch_earlier(struct yr_talk *chat, struct yr_talk_conv *conv, size_t limit)
{
    const json_t *first = json_array_get(conv->recent, 0);
    json_t *messages =
        fetch(chat, conv, limit, first != NULL ? yr_json_str(first, "id", "") : NULL, true);

    if (messages != NULL) {
        json_t *joined = json_copy(messages);

        json_array_extend(joined, conv->recent);
        json_decref(conv->recent);
        conv->recent = joined;
        conv->loaded = true;
    }
    return messages;
}

json_t *yr_talk_conv_last(struct yr_talk *chat, struct yr_talk_conv *conv, bool own)
{
    if (!conv->loaded)
        json_decref(yr_talk_conv_fetch(chat, conv, YR_TALK_OPEN_COUNT, true));
    for (size_t i = json_array_size(conv->recent); i-- > 0;) {
        json_t *message = json_array_get(conv->recent, i);

        if (yr_json_bool(message, "own", false) == own &&
            !yr_json_bool(message, "deleted", false) &&
            strcmp(yr_json_str(message, "kind", ""), "system") != 0)
            return message;
    }
    return NULL;
}

/* ---- what is read ---- */

void yr_talk_conv_mark(struct yr_talk *chat, struct yr_talk_conv *conv)
{
    json_t *params;

    if (!conv->to_mark || !chat->connected)
        return;
    conv->to_mark = false;
    if (json_array_size(conv->recent) == 0)
        return;
    params = json_pack("{s:s}", "target", yr_talk_conv_target(conv));
    if (conv->room == NULL) // in a room, what comes last may stand above others
        json_object_set(
            params, "message",
            json_object_get(json_array_get(conv->recent, json_array_size(conv->recent) - 1), "id"));
    conv->unread = 0;
    if (conv->room != NULL)
        conv->room->mentions = 0;
    json_decref(yr_talk_call(chat, "read.set", params));
}

unsigned yr_talk_conv_news(const struct yr_talk_conv *conv)
{
    return conv->room != NULL && conv->room->mentions_only ? conv->room->mentions : conv->unread;
}

struct yr_talk_conv *yr_talk_conv_next_unread(const struct yr_talk *chat)
{
    size_t start = 0;

    for (size_t i = 0; i < chat->conv_count; i++)
        if (chat->convs[i] == chat->current)
            start = i + 1;
    for (size_t i = 0; i < chat->conv_count; i++) {
        struct yr_talk_conv *conv = chat->convs[(start + i) % chat->conv_count];

        if (conv != chat->current && yr_talk_conv_news(conv) > 0 && !conv->gone)
            return conv;
    }
    return NULL;
}
