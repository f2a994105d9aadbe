/* chat_request.c: slash commands about links and invitations. */
#include <stdlib.h>
#include <string.h>

#include "cli/chat_int.h"
#include "cli/common/text_safe.h"

/* ---- giving ---- */

static void make_link(struct yr_talk *chat, const char *name)
{
    json_t *params = json_object(), *invite;
    const char *qr;

    if (name[0] != '\0')
        json_object_set_new(params, "name", json_string(name));
    invite = yr_talk_call(chat, "invite.create", params);
    if (invite == NULL)
        return;
    yr_talk_print(chat, yr_json_str(invite, "link", ""));
    qr = yr_json_str(invite, "qr", NULL);
    if (qr != NULL && !chat->plain) {
        yr_talk_release(chat);
        (void)yr_qr_print(&chat->cli->out, qr, "auto");
        yr_talk_take(chat);
    }
    yr_talk_say(chat, "give this link to one person; it is good for 7 days");
    json_decref(invite);
}

static void invite_into(struct yr_talk *chat, const struct yr_talk_conv *room, const char *args)
{
    json_t *friends = json_array(), *answer;
    struct yr_buf names = {0};
    const json_t *ref;
    char *word;
    size_t i;

    while ((word = yr_talk_word(&args)) != NULL) {
        json_array_append_new(friends, json_string(word[0] == '~' ? word + 1 : word));
        free(word);
    }
    answer = yr_talk_call(chat, "room.invite",
                          json_pack("{s:s,s:o}", "room", room->id, "friends", friends));
    json_array_foreach(json_object_get(answer, "invited"), i, ref)
        yr_buf_addf(&names, "%s%s", i > 0 ? ", " : "", yr_talk_conv_of(chat, ref)->shown);
    if (answer != NULL)
        yr_talk_say(chat, "invited to %s: %s", room->shown, yr_buf_str(&names));
    yr_buf_clear(&names);
    json_decref(answer);
}

void yr_talk_run_invite(struct yr_talk *chat, const char *args)
{
    const struct yr_talk_conv *here = chat->current;

    if (here == NULL || here->room == NULL)
        make_link(chat, args);
    else if (args[0] == '\0')
        yr_talk_fail(chat, "outside of rooms, /invite makes a link for one person",
                     "usage, in a room: /invite F");
    else
        invite_into(chat, here, args);
}

void yr_talk_run_add(struct yr_talk *chat, const char *args)
{
    char *link = yr_talk_word(&args);
    struct yr_buf name = {0};
    json_t *answer = NULL;

    if (link == NULL)
        yr_talk_fail(chat, NULL, "usage: /add LINK");
    else
        answer = yr_talk_call(chat, "friend.add", json_pack("{s:s}", "link", link));
    if (answer != NULL && strcmp(yr_json_str(answer, "type", ""), "friend") == 0) {
        yr_talk_say(chat, "%s is your friend", yr_talk_conv_update(chat, answer)->shown);
    } else if (answer != NULL) {
        yr_add_name(&name, yr_json_str(json_object_get(answer, "from"), "name", "?"));
        yr_talk_say(chat,
                    "looking for %s; the node goes on until it finds them, /reject %lld gives "
                    "up",
                    yr_buf_str(&name), (long long)yr_json_int(answer, "id", 0));
    }
    yr_buf_clear(&name);
    json_decref(answer);
    free(link);
}

/* ---- answering ---- */

static void say_request(struct yr_talk *chat, const json_t *request)
{
    const long long id = (long long)yr_json_int(request, "id", 0);
    const bool waits = strcmp(yr_json_str(request, "state", ""), "waiting") == 0;
    struct yr_buf from = {0}, room = {0};

    yr_add_ref(&from, json_object_get(request, "from"));
    yr_add_ref(&room, json_object_get(request, "room"));
    if (strcmp(yr_json_str(request, "what", ""), "room") != 0)
        yr_talk_say(chat, "%lld: %s, %s", id, yr_buf_str(&from),
                    yr_json_str(request, "state", "?"));
    else if (waits)
        yr_talk_say(chat, "%lld: %s invites you to %s, members: %lld", id, yr_buf_str(&from),
                    yr_buf_str(&room), (long long)yr_json_int(request, "members", 0));
    else
        yr_talk_say(chat, "%lld: %s is to let you into %s", id, yr_buf_str(&from),
                    yr_buf_str(&room));
    yr_buf_clear(&from);
    yr_buf_clear(&room);
}

static void list_requests(struct yr_talk *chat)
{
    json_t *list = yr_talk_call(chat, "request.list", NULL), *request;
    size_t i;

    json_array_foreach(json_object_get(list, "requests"), i, request) say_request(chat, request);
    if (list != NULL && json_array_size(json_object_get(list, "requests")) == 0)
        yr_talk_say(chat, "no link is being added, and no invitation waits");
    json_decref(list);
}

/** The number of a request; 0: it was said why there is none, or all of them were listed. */
static long long request_id(struct yr_talk *chat, const char *args, const char *usage)
{
    char *end;
    const long long id = strtoll(args, &end, 10);

    end += strspn(end, " \t\n");
    if (args[0] == '\0')
        list_requests(chat);
    else if (*end != '\0' || id < 1)
        yr_talk_fail(chat, "without ID it lists them", "usage: %s", usage);
    else
        return id;
    return 0;
}

void yr_talk_run_accept(struct yr_talk *chat, const char *args)
{
    const long long id = request_id(chat, args, "/accept ID");
    const json_t *ref;
    json_t *request = NULL;

    if (id > 0)
        request = yr_talk_call(chat, "request.accept", json_pack("{s:I}", "id", (json_int_t)id));
    ref = json_object_get(request, "room");
    if (ref != NULL) // the event tells what it means
        yr_talk_conv_open(chat, yr_talk_conv_of(chat, ref));
    json_decref(request);
}

void yr_talk_run_reject(struct yr_talk *chat, const char *args)
{
    const long long id = request_id(chat, args, "/reject ID");
    json_t *done = NULL;

    if (id > 0)
        done = yr_talk_call(chat, "request.reject", json_pack("{s:I}", "id", (json_int_t)id));
    if (done != NULL)
        yr_talk_say(chat, "given up");
    json_decref(done);
}
