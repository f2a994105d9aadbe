/* chat_room.c: what a conversation with many has beside: state, members, invitations.
 *
 *     invited -> joining -> active <-> keyless -> left (by us, or removed)
 *                             ^------- invited again -------'
 *
 * Who came, went or changed something is told by the room's own messages; here is told what it
 * means for us. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chat_int.h"
#include "cli/common/text_safe.h"

#define SNIPPET    32    /* columns of a text that is talked about */
#define OVERDUE_MS 30000 /* where somebody is reached, one has a text long before */

/* ---- what is known of it ---- */

struct yr_talk_room *yr_talk_room_new(void)
{
    struct yr_talk_room *room = yr_xrealloc(NULL, sizeof *room);

    memset(room, 0, sizeof *room);
    room->topic = yr_strdup("");
    return room;
}

void yr_talk_room_free(struct yr_talk_room *room)
{
    if (room == NULL)
        return;
    free(room->topic);
    json_decref(room->from);
    json_decref(room->people);
    free(room);
}

static enum yr_talk_state state_of(const char *word)
{
    static const char *const words[] = {[YR_TALK_INVITED] = "invited",
                                        [YR_TALK_JOINING] = "joining",
                                        [YR_TALK_ACTIVE] = "active",
                                        [YR_TALK_KEYLESS] = "keyless",
                                        [YR_TALK_LEFT] = "gone"};

    for (size_t i = YR_TALK_INVITED; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], word) == 0)
            return (enum yr_talk_state)i;
    return YR_TALK_UNKNOWN;
}

bool yr_talk_room_read(struct yr_talk *chat, struct yr_talk_conv *conv)
{
    json_t *record = yr_talk_call(chat, "room.get", json_pack("{s:s}", "room", conv->id));

    if (record != NULL)
        (void)yr_talk_room_update(chat, record);
    json_decref(record);
    return record != NULL;
}

static bool is_member(const struct yr_talk_conv *conv)
{
    return !conv->gone &&
           (conv->room->state == YR_TALK_ACTIVE || conv->room->state == YR_TALK_KEYLESS);
}

void yr_talk_room_people(struct yr_talk *chat, struct yr_talk_conv *conv)
{
    json_t *list = NULL;

    if (is_member(conv) && chat->connected)
        list = yr_talk_call(chat, "room.members", json_pack("{s:s}", "room", conv->id));
    json_decref(conv->room->people);
    conv->room->people = json_incref(json_object_get(list, "members"));
    json_decref(list);
}

void yr_talk_rooms_renamed(struct yr_talk *chat)
{
    for (size_t i = 0; i < chat->conv_count; i++) {
        struct yr_talk_conv *conv = chat->convs[i];

        if (conv->room == NULL || conv->room->people == NULL)
            continue;
        if (conv == chat->current) {
            yr_talk_room_people(chat, conv);
        } else { // read when it is opened
            json_decref(conv->room->people);
            conv->room->people = NULL;
        }
    }
}

/** The friend who invited us, as conversations are called. */
static const char *inviter(struct yr_talk *chat, const struct yr_talk_conv *conv)
{
    return conv->room->from != NULL ? yr_talk_conv_of(chat, conv->room->from)->shown : "somebody";
}

static void add_seen(const struct yr_talk_conv *conv, struct yr_buf *out)
{
    const struct yr_talk_room *room = conv->room;

    yr_buf_addf(out, "%s, %lld of %lld member%s seen lately", room->role, (long long)room->online,
                (long long)room->members, room->members == 1 ? "" : "s");
    if (room->waiting > 0)
        yr_buf_addf(out, ", waiting for %lld earlier message%s", (long long)room->waiting,
                    room->waiting == 1 ? "" : "s");
    if (room->state == YR_TALK_KEYLESS)
        yr_buf_adds(out, ", without the key to what is said now");
}

void yr_talk_room_describe(const struct yr_talk_conv *conv, struct yr_buf *out)
{
    yr_buf_adds(out, " (");
    switch (conv->gone ? YR_TALK_UNKNOWN : conv->room->state) {
    case YR_TALK_UNKNOWN: yr_buf_adds(out, "not there"); break;
    case YR_TALK_INVITED:
        yr_buf_adds(out, "invited");
        if (conv->room->from != NULL) {
            yr_buf_adds(out, " by ");
            yr_add_ref(out, conv->room->from);
        }
        break;
    case YR_TALK_JOINING: yr_buf_adds(out, "joining, not let in yet"); break;
    case YR_TALK_ACTIVE:
    case YR_TALK_KEYLESS: add_seen(conv, out); break;
    case YR_TALK_LEFT: yr_buf_adds(out, "no longer a member"); break;
    }
    yr_buf_addf(out, "%s%s)", conv->muted ? ", muted" : "",
                conv->room->mentions_only ? ", only mentions count" : "");
}

/* ---- invitations ---- */

static void say_invitation(struct yr_talk *chat, const json_t *request)
{
    const struct yr_talk_conv *from = yr_talk_conv_of(chat, json_object_get(request, "from"));
    const struct yr_talk_conv *room = yr_talk_conv_of(chat, json_object_get(request, "room"));

    yr_talk_say(chat, "%s invites you to %s: /accept %lld", from->shown, room->shown,
                (long long)yr_json_int(request, "id", 0));
}

void yr_talk_say_invitations(struct yr_talk *chat, const char *room_id)
{
    const json_t *request;
    bool any = room_id != NULL;
    json_t *list;
    size_t i;

    for (i = 0; i < chat->conv_count; i++)
        any = any || (chat->convs[i]->room != NULL && !chat->convs[i]->gone &&
                      chat->convs[i]->room->state == YR_TALK_INVITED);
    if (!any)
        return;
    list = yr_talk_call(chat, "request.list", NULL);
    json_array_foreach(json_object_get(list, "requests"), i, request)
    {
        const char *id = yr_json_str(json_object_get(request, "room"), "id", "");

        if (strcmp(yr_json_str(request, "what", ""), "room") == 0 &&
            strcmp(yr_json_str(request, "state", ""), "waiting") == 0 &&
            (room_id == NULL || strcmp(room_id, id) == 0))
            say_invitation(chat, request);
    }
    json_decref(list);
}

/* ---- changes ---- */

static void say_here(struct yr_talk *chat, struct yr_talk_conv *conv)
{
    if (chat->current != NULL && conv != chat->current) {
        yr_talk_say(chat, "you are in %s now; /to %s talks", conv->shown, conv->shown);
        return;
    }
    yr_talk_say(chat, "you are in %s now", conv->shown);
    if (conv == chat->current)
        yr_talk_room_people(chat, conv);
}

/** What a change means for us. */
static void say_change(struct yr_talk *chat, struct yr_talk_conv *conv, enum yr_talk_state was)
{
    switch (conv->room->state) {
    case YR_TALK_UNKNOWN: break;
    case YR_TALK_INVITED: yr_talk_say_invitations(chat, conv->id); break;
    case YR_TALK_JOINING:
        yr_talk_say(chat, "asked %s to let you into %s", inviter(chat, conv), conv->shown);
        break;
    case YR_TALK_ACTIVE:
        if (was == YR_TALK_KEYLESS)
            yr_talk_say(chat, "what is said in %s can be read again", conv->shown);
        else
            say_here(chat, conv);
        break;
    case YR_TALK_KEYLESS:
        yr_talk_say(chat, "the key to what is said in %s now is not here; it was asked for",
                    conv->shown);
        break;
    case YR_TALK_LEFT:
        if (was == YR_TALK_INVITED)
            yr_talk_say(chat, "the invitation to %s is gone", conv->shown);
        else if (was == YR_TALK_JOINING)
            yr_talk_say(chat, "no longer waiting to be let into %s", conv->shown);
        else if (was != YR_TALK_UNKNOWN)
            yr_talk_say(chat, "you are no longer a member of %s; what was said stays readable",
                        conv->shown);
        break;
    }
}

static bool same_id(const json_t *a, const json_t *b)
{
    return strcmp(yr_json_str(a, "id", ""), yr_json_str(b, "id", "")) == 0;
}

/** Take over a record. */
static void copy_record(struct yr_talk_room *room, const json_t *record)
{
    const json_t *from = json_object_get(record, "inviter");

    room->state = state_of(yr_json_str(record, "state", ""));
    snprintf(room->role, sizeof room->role, "%s", yr_json_str(record, "role", ""));
    snprintf(room->self, sizeof room->self, "%s", yr_json_str(record, "self", ""));
    free(room->topic);
    room->topic = yr_strdup(yr_json_str(record, "topic", ""));
    json_decref(room->from);
    room->from = from != NULL ? json_deep_copy(from) : NULL;
    room->members = yr_json_int(record, "members", 0);
    room->online = yr_json_int(record, "online", 0);
    room->waiting = yr_json_int(record, "waiting", 0);
    room->mentions_only = yr_json_bool(record, "mentions_only", false);
}

struct yr_talk_conv *yr_talk_room_update(struct yr_talk *chat, const json_t *record)
{
    struct yr_talk_conv *conv = yr_talk_conv_of(chat, record);
    enum yr_talk_state was;
    json_t *from;
    char *name;

    if (conv->room == NULL) // a friend and a room never share an id
        conv->room = yr_talk_room_new();
    was = conv->room->state;
    from = json_incref(conv->room->from);
    name = yr_strdup(conv->shown);
    copy_record(conv->room, record);
    conv->muted = yr_json_bool(record, "muted", false);
    conv->gone = false;
    yr_talk_conv_name(conv, yr_json_str(record, "name", "?"), false);
    if (was != YR_TALK_UNKNOWN && strcmp(name, conv->shown) != 0)
        yr_talk_say(chat, "%s is called %s now", name, conv->shown);
    if (was != YR_TALK_UNKNOWN &&
        (was != conv->room->state ||
         (was == YR_TALK_INVITED && !same_id(from, conv->room->from)))) // by one more
        say_change(chat, conv, was);
    free(name);
    json_decref(from);
    return conv;
}

/* ---- events ---- */

/** It is no longer there at all. */
static void forgotten(struct yr_talk *chat, struct yr_talk_conv *conv)
{
    const bool invited = conv->room->state == YR_TALK_INVITED;

    if (conv->gone)
        return;
    conv->gone = true;
    conv->unread = conv->room->mentions = 0;
    conv->room->state = YR_TALK_UNKNOWN;
    if (invited)
        yr_talk_say(chat, "the invitation to %s is gone", conv->shown);
    else
        yr_talk_say(chat, "%s is left, and its history deleted", conv->shown);
}

void yr_talk_room_event(struct yr_talk *chat, const json_t *data)
{
    const json_t *ref = json_object_get(data, "room");
    struct yr_talk_conv *conv = yr_talk_conv_of(chat, ref != NULL ? ref : data);
    enum yr_talk_state was;

    if (conv->room == NULL)
        return;
    if (ref != NULL) {
        forgotten(chat, conv);
        return;
    }
    was = conv->room->state;
    (void)yr_talk_room_update(chat, data);
    if (was == YR_TALK_UNKNOWN)
        say_change(chat, conv, was);
    if (was != conv->room->state && conv->room->state == YR_TALK_ACTIVE && chat->current == NULL)
        yr_talk_conv_open(chat, conv);
    if (conv == chat->current)
        yr_talk_conv_prompt(chat);
}

void yr_talk_member_event(struct yr_talk *chat, const json_t *data)
{
    const bool gone = yr_json_bool(data, "gone", false);
    const json_t *room = json_object_get(data, "room");
    const json_t *member = gone ? json_object_get(data, "member") : data, *known;
    struct yr_talk_conv *conv = yr_talk_conv_by_id(
        chat, json_is_string(room) ? json_string_value(room) : yr_json_str(room, "id", ""));
    size_t i;

    if (conv == NULL || conv->room == NULL || conv->room->people == NULL)
        return;
    json_array_foreach(conv->room->people, i, known)
    {
        if (!same_id(known, member))
            continue;
        json_array_remove(conv->room->people, i);
        break;
    }
    if (!gone && strcmp(yr_json_str(data, "role", ""), "none") != 0)
        json_array_append_new(conv->room->people, json_deep_copy(data));
}

/* ---- own messages ---- */

void yr_talk_counts(struct yr_buf *out, const json_t *message)
{
    const json_t *members = json_object_get(message, "per_member");
    const long long of = (long long)yr_json_int(members, "of", 0);
    const long long read = (long long)yr_json_int(members, "read", 0);

    if (members == NULL)
        return;
    if (of == 0) {
        yr_buf_adds(out, "nobody else was in the room");
        return;
    }
    yr_buf_addf(out, "delivered to %lld of %lld", (long long)yr_json_int(members, "delivered", 0),
                of);
    if (read > 0)
        yr_buf_addf(out, ", read by %lld", read);
}

/** Texts of a room go over friends who are in it: is one of them online? */
static bool is_reached(const struct yr_talk *chat, const struct yr_talk_conv *conv)
{
    const json_t *member;
    size_t i;

    json_array_foreach(conv->room->people, i, member)
    {
        const char *id = yr_json_str(member, "friend_id", NULL);
        const struct yr_talk_conv *friend = id != NULL ? yr_talk_conv_by_id(chat, id) : NULL;

        if (friend != NULL && friend->online)
            return true;
    }
    return false;
}

void yr_talk_room_sent(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *message)
{
    if (strcmp(yr_json_str(message, "state", ""), "accepted") != 0 ||
        json_array_size(conv->room->people) <= 1)
        return;
    if (!conv->told && !is_reached(chat, conv)) {
        conv->told = true;
        yr_talk_say(chat, "not delivered yet: no friend who is in %s is online", conv->shown);
    }
    if (conv->due_at > 0)
        return;
    conv->due_at = yr_talk_now() + OVERDUE_MS;
    snprintf(conv->room->due_id, sizeof conv->room->due_id, "%s", yr_json_str(message, "id", ""));
}

void yr_talk_room_due(struct yr_talk *chat, struct yr_talk_conv *conv)
{
    struct yr_buf snippet = {0};
    const json_t *counts;
    json_t *message;

    if (!chat->connected || !is_member(conv))
        return;
    message = yr_talk_call(chat, "message.get", json_pack("{s:s}", "id", conv->room->due_id));
    counts = json_object_get(message, "per_member");
    if (message == NULL || yr_json_bool(message, "deleted", false) ||
        yr_json_int(counts, "of", 0) == 0 || yr_json_int(counts, "delivered", 0) > 0) {
        conv->told = conv->told && message == NULL;
    } else if (!conv->told) {
        conv->told = true;
        yr_talk_snippet(&snippet, yr_json_str(message, "text", ""), SNIPPET);
        yr_talk_say(chat, "nobody in %s has \"%s\" yet; /why says more", conv->shown,
                    yr_buf_str(&snippet));
    }
    yr_buf_clear(&snippet);
    json_decref(message);
}
