/* chat_member.c: slash commands about rooms and their members. */
#include <stdlib.h>
#include <string.h>

#include "cli/chat_int.h"
#include "cli/common/text_safe.h"

#define MEMBERS_SHOWN_MAX 100 /* of one /members */
#define PREFIX_MIN        6   /* characters of an id that may stand for it */

/* ---- who ---- */

void yr_talk_member_name(struct yr_buf *out, const json_t *member)
{
    if (!yr_json_bool(member, "friend", false) && !yr_json_bool(member, "self", false))
        yr_buf_addc(out, '~'); // the name is the member's own choice
    yr_add_name(out, yr_json_str(member, "name", "?"));
}

/** As the node reads such words: a friend, and an id, are never outdone by what somebody calls
 *  himself.  0: not this one. */
static int fit(const json_t *member, const char *word)
{
    const bool friend = yr_json_bool(member, "friend", false);
    const bool self = yr_json_bool(member, "self", false);
    const bool as_friend = word[0] == '@', as_nick = word[0] == '~';
    const char *plain = word + (as_friend || as_nick);

    if (strcmp(word, "me") == 0 || strcmp(word, "@me") == 0)
        return self ? 3 : 0;
    if ((as_nick && friend) || (as_friend && !friend))
        return 0;
    if (friend && strcmp(yr_json_str(member, "name", ""), plain) == 0)
        return 2;
    if (strlen(plain) >= PREFIX_MIN &&
        (strncasecmp(yr_json_str(member, "id", ""), plain, strlen(plain)) == 0 ||
         strncasecmp(yr_json_str(member, "friend_id", ""), plain, strlen(plain)) == 0))
        return 2;
    return strcmp(yr_json_str(member, "name", ""), plain) == 0 ||
           strcmp(yr_json_str(member, "nick", ""), plain) == 0;
}

const json_t *yr_talk_member_find(const struct yr_talk_conv *conv, const char *word)
{
    const json_t *member, *found = NULL;
    int best = 0;
    size_t i;

    if (conv->room == NULL)
        return NULL;
    json_array_foreach(conv->room->people, i, member)
    {
        const int value = fit(member, word);

        if (value > best)
            found = member;
        else if (value > 0 && value == best)
            found = NULL;
        best = value > best ? value : best;
    }
    return found;
}

/** "mod, online", "member, offline, seen 3 min ago, via bob" */
static void add_standing(struct yr_buf *line, const json_t *member)
{
    const bool online = yr_json_bool(member, "online", false);
    const char *via = yr_json_str(member, "via", NULL);

    yr_buf_addf(line, "%s, %s", yr_json_str(member, "role", "?"), online ? "online" : "offline");
    if (yr_json_bool(member, "self", false)) {
        yr_buf_adds(line, ", me");
        return;
    }
    if (!online && yr_json_str(member, "last_seen", NULL) != NULL) {
        yr_buf_adds(line, ", seen ");
        yr_add_ago(line, yr_json_str(member, "last_seen", NULL));
    }
    if (via != NULL) {
        yr_buf_adds(line, ", via ");
        yr_add_name(line, via);
    } else if (!yr_json_bool(member, "friend", false)) {
        yr_buf_adds(line, ", no way is known");
    }
    if (yr_json_bool(member, "forked", false))
        yr_buf_adds(line, ", has signed two histories");
}

void yr_talk_say_member(struct yr_talk *chat, const struct yr_talk_conv *conv, const json_t *member)
{
    struct yr_buf line = {0};

    yr_talk_member_name(&line, member);
    yr_buf_adds(&line, ": ");
    add_standing(&line, member);
    yr_buf_adds(&line, ", calls itself ");
    yr_add_name(&line, yr_json_str(member, "nick", ""));
    yr_talk_say(chat, "%s", yr_buf_str(&line));
    yr_talk_say(chat, "in %s: id %.26s", conv->shown, yr_json_str(member, "id", ""));
    yr_buf_clear(&line);
}

void yr_talk_run_members(struct yr_talk *chat, const char *args)
{
    struct yr_talk_conv *conv = yr_talk_current_room(chat);
    struct yr_buf line = {0};
    const json_t *member;
    size_t i;

    (void)args;
    if (conv == NULL)
        return;
    yr_talk_room_people(chat, conv);
    json_array_foreach(conv->room->people, i, member)
    {
        if (i == MEMBERS_SHOWN_MAX)
            break;
        yr_buf_cut(&line, 0);
        yr_talk_member_name(&line, member);
        yr_buf_adds(&line, ": ");
        add_standing(&line, member);
        yr_talk_say(chat, "%s", yr_buf_str(&line));
    }
    if (json_array_size(conv->room->people) > i)
        yr_talk_say(chat, "and %zu more: yaari room members",
                    json_array_size(conv->room->people) - i);
    if (conv->room->people == NULL && chat->connected)
        yr_talk_say(chat, "who is in %s is for its members to know", conv->shown);
    yr_buf_clear(&line);
}

/* ---- what can be done to them ---- */

static void do_quietly(struct yr_talk *chat, const char *method, json_t *params)
{
    json_decref(yr_talk_call(chat, method, params)); // its line in the room says so
}

void yr_talk_run_kick(struct yr_talk *chat, const char *args)
{
    char *who = yr_talk_rest(args);
    const struct yr_talk_conv *conv = NULL;

    if (who == NULL)
        yr_talk_fail(chat, NULL, "usage: /kick M");
    else
        conv = yr_talk_current_room(chat);
    if (conv != NULL)
        do_quietly(chat, "room.kick", json_pack("{s:s,s:s}", "room", conv->id, "member", who));
    free(who);
}

void yr_talk_run_role(struct yr_talk *chat, const char *args)
{
    char *who = yr_talk_word(&args), *role = yr_talk_word(&args);
    const struct yr_talk_conv *conv = NULL;

    if (role == NULL || args[0] != '\0' ||
        (strcmp(role, "admin") != 0 && strcmp(role, "mod") != 0 && strcmp(role, "member") != 0))
        yr_talk_fail(chat, NULL, "usage: /role M ROLE, one of admin, mod, member");
    else
        conv = yr_talk_current_room(chat);
    if (conv != NULL)
        do_quietly(chat, "room.role",
                   json_pack("{s:s,s:s,s:s}", "room", conv->id, "member", who, "role", role));
    free(who);
    free(role);
}

/* ---- rooms ---- */

/** All that there are. */
static void list_rooms(struct yr_talk *chat)
{
    struct yr_buf line = {0};
    bool any = false;

    if (!yr_talk_convs_load(chat, true))
        return;
    for (size_t i = 0; i < chat->conv_count; i++) {
        const struct yr_talk_conv *conv = chat->convs[i];

        if (conv->room == NULL || conv->gone)
            continue;
        yr_buf_cut(&line, 0);
        yr_talk_conv_describe(conv, &line);
        if (conv->unread > 0)
            yr_buf_addf(&line, ", %u unread", conv->unread);
        yr_talk_say(chat, "%s", yr_buf_str(&line));
        any = true;
    }
    if (!any)
        yr_talk_say(chat, "no rooms yet: /new NAME makes one, /invite F then brings friends in");
    yr_buf_clear(&line);
}

void yr_talk_run_join(struct yr_talk *chat, const char *args)
{
    char *name = yr_talk_rest(args);
    json_t *record = NULL;

    if (name == NULL) {
        list_rooms(chat);
        return;
    }
    record = yr_talk_call(chat, "room.join", json_pack("{s:s}", "room", name));
    if (record != NULL) // the event tells what it means
        yr_talk_conv_open(chat, yr_talk_conv_of(chat, record));
    json_decref(record);
    free(name);
}

void yr_talk_run_leave(struct yr_talk *chat, const char *args)
{
    const struct yr_talk_conv *conv;

    if (args[0] != '\0') {
        yr_talk_fail(chat, NULL, "usage: /leave, in the room");
        return;
    }
    conv = yr_talk_current_room(chat);
    if (conv != NULL)
        do_quietly(chat, "room.leave", json_pack("{s:s}", "room", conv->id));
}

void yr_talk_run_new(struct yr_talk *chat, const char *args)
{
    char *name = yr_talk_rest(args);
    json_t *record = NULL;

    if (name == NULL)
        yr_talk_fail(chat, NULL, "usage: /new NAME");
    else
        record = yr_talk_call(chat, "room.new", json_pack("{s:s}", "name", name));
    if (record != NULL) {
        struct yr_talk_conv *conv = yr_talk_room_update(chat, record);

        yr_talk_say(chat, "room %s is made; /invite F brings friends in", conv->shown);
        yr_talk_conv_open(chat, conv);
    }
    json_decref(record);
    free(name);
}

void yr_talk_run_topic(struct yr_talk *chat, const char *args)
{
    struct yr_talk_conv *conv = yr_talk_current_room(chat);
    struct yr_buf topic = {0};

    if (conv == NULL)
        return;
    if (args[0] != '\0') {
        do_quietly(chat, "room.topic",
                   json_pack("{s:s,s:s}", "room", conv->id, "topic",
                             strcmp(args, "\"\"") == 0 ? "" : args));
    } else if (yr_talk_room_read(chat, conv)) {
        yr_add_flat(&topic, conv->room->topic);
        if (topic.len > 0)
            yr_talk_say(chat, "topic of %s: %s", conv->shown, topic.at);
        else
            yr_talk_say(chat, "%s has no topic", conv->shown);
    }
    yr_buf_clear(&topic);
}
