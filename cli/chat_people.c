/* chat_people.c: slash commands about history, people and the node. */
#include <stdlib.h>
#include <string.h>

#include "cli/chat_int.h"
#include "cli/common/suggest.h"
#include "cli/common/text_safe.h"

#define LOG_MAX 1000 /* messages of one /log */

/* ---- history ---- */

void yr_talk_run_log(struct yr_talk *chat, const char *args)
{
    struct yr_talk_conv *conv = yr_talk_current(chat);
    long count = YR_TALK_OPEN_COUNT;
    bool numbers = false;
    json_t *messages;
    char *word;

    while (conv != NULL && (word = yr_talk_word(&args)) != NULL) {
        char *end;
        const long number = strtol(word, &end, 10);

        if (strcmp(word, "--numbers") == 0) {
            numbers = true;
        } else if (*end == '\0' && number >= 1 && number <= LOG_MAX) {
            count = number;
        } else {
            yr_talk_fail(chat, NULL, "usage: /log [N] [--numbers], N up to %d", LOG_MAX);
            conv = NULL;
        }
        free(word);
    }
    if (conv == NULL)
        return;
    messages = yr_talk_conv_fetch(chat, conv, (size_t)count, true);
    yr_talk_conv_today(chat, conv);
    if (messages != NULL)
        yr_talk_conv_show(chat, conv, messages, numbers);
    if (messages != NULL && json_array_size(messages) == 0)
        yr_talk_say(chat, "nothing was said here yet");
    json_decref(messages);
}

void yr_talk_earlier(struct yr_talk *chat)
{
    struct yr_talk_conv *conv = yr_talk_current(chat);
    json_t *messages;

    if (conv == NULL)
        return;
    messages = yr_talk_conv_fetch_earlier(chat, conv, YR_TALK_OPEN_COUNT);
    if (messages != NULL && json_array_size(messages) == 0) {
        yr_talk_say(chat, "nothing earlier");
    } else if (messages != NULL) {
        yr_talk_say(chat, "earlier --");
        yr_talk_conv_today(chat, conv);
        yr_talk_conv_show(chat, conv, messages, false);
        yr_talk_conv_today(chat, conv);
        yr_talk_say(chat, "now --");
    }
    json_decref(messages);
}

void yr_talk_run_unread(struct yr_talk *chat, const char *args)
{
    (void)args;
    (void)yr_talk_unread_line(chat, true);
}

static void add_step(struct yr_talk *chat, struct yr_buf *line, const json_t *step)
{
    yr_buf_cut(line, 0);
    yr_add_time(&chat->cli->out, line, yr_json_str(step, "time", NULL));
    yr_buf_addc(line, ' ');
    yr_add_flat(line, yr_json_str(step, "text", yr_json_str(step, "state", "")));
}

static void say_steps(struct yr_talk *chat, const json_t *record)
{
    struct yr_buf line = {0};
    const json_t *step;
    size_t i;

    json_array_foreach(json_object_get(record, "steps"), i, step)
    {
        add_step(chat, &line, step);
        yr_talk_say(chat, "%s", yr_buf_str(&line));
    }
    if (yr_json_str(record, "next", NULL) != NULL) {
        yr_buf_cut(&line, 0);
        yr_add_time(&chat->cli->out, &line, yr_json_str(record, "next", NULL));
        yr_talk_say(chat, "next direct try %s, or at once when they appear", yr_buf_str(&line));
    }
    yr_buf_clear(&line);
}

void yr_talk_run_show(struct yr_talk *chat, const char *args)
{
    char *word = yr_talk_word(&args), *id = NULL;
    json_t *message = NULL, *one;
    struct yr_talk_conv *conv;
    struct yr_buf counts = {0};

    if (word == NULL)
        yr_talk_fail(chat, NULL, "usage: /show MSG");
    else
        id = yr_talk_message_id(chat, word);
    if (id != NULL)
        message = yr_talk_call(chat, "message.get", json_pack("{s:s}", "id", id));
    if (message != NULL) {
        conv = yr_talk_conv_of(chat, json_object_get(message, "target"));
        one = json_pack("[O]", message);
        yr_talk_conv_today(chat, conv);
        yr_talk_conv_show(chat, conv, one, false);
        yr_talk_conv_today(chat, conv);
        yr_talk_say(chat, "id %.26s", yr_json_str(message, "id", ""));
        yr_talk_counts(&counts, message);
        if (counts.len > 0)
            yr_talk_say(chat, "%s", counts.at);
        yr_buf_clear(&counts);
        say_steps(chat, message);
        json_decref(one);
    }
    json_decref(message);
    free(word);
    free(id);
}

void yr_talk_run_why(struct yr_talk *chat, const char *args)
{
    struct yr_talk_conv *conv = yr_talk_current(chat);
    char *word = yr_talk_word(&args), *id = NULL;
    const json_t *last;
    json_t *why, *params;

    if (conv == NULL) {
        free(word);
        return;
    }
    last = word == NULL ? yr_talk_conv_last(chat, conv, true) : NULL;
    if (word != NULL)
        id = yr_talk_message_id(chat, word);
    else if (last != NULL)
        id = yr_strdup(yr_json_str(last, "id", ""));
    if (id == NULL && word != NULL) {
        free(word);
        return;
    }
    if (id == NULL && (conv->self || conv->room != NULL)) {
        yr_talk_say(chat, "nothing is on its way here");
        return;
    }
    params = id != NULL ? json_pack("{s:s}", "id", id) : json_pack("{s:s}", "friend", conv->id);
    why = yr_talk_call(chat, "message.why", params);
    if (why != NULL) {
        yr_talk_say(chat, "to %s: %s", conv->shown, yr_json_str(why, "state", "?"));
        say_steps(chat, why);
    }
    json_decref(why);
    free(word);
    free(id);
}

void yr_talk_run_mark(struct yr_talk *chat, const char *args)
{
    struct yr_talk_conv *conv = yr_talk_current(chat);
    json_t *unread;

    (void)args;
    if (conv == NULL)
        return;
    unread =
        yr_talk_call(chat, "read.set", json_pack("{s:s}", "target", yr_talk_conv_target(conv)));
    if (unread != NULL) {
        conv->unread = 0;
        if (conv->room != NULL)
            conv->room->mentions = 0;
        yr_talk_say(chat, "all of %s is read", conv->shown);
    }
    json_decref(unread);
}

/* ---- people ---- */

/** F, or the friend of the current conversation.  NULL: it was said why. */
static struct yr_talk_conv *friend_or_current(struct yr_talk *chat, const char *args)
{
    char *word = yr_talk_word(&args);
    struct yr_talk_conv *conv =
        word != NULL ? yr_talk_friend_resolve(chat, word) : yr_talk_current(chat);

    free(word);
    if (conv != NULL && conv->self) {
        yr_talk_fail(chat, NULL, "that is yourself");
        return NULL;
    }
    if (conv != NULL && conv->room != NULL) {
        yr_talk_fail(chat, "/members shows who is here", "this is a room: which friend?");
        return NULL;
    }
    return conv;
}

void yr_talk_run_friends(struct yr_talk *chat, const char *args)
{
    struct yr_buf line = {0};
    bool any = false;

    (void)args;
    if (!yr_talk_convs_load(chat, true))
        return;
    for (size_t i = 0; i < chat->conv_count; i++) {
        const struct yr_talk_conv *conv = chat->convs[i];

        if (conv->self || conv->gone || conv->room != NULL)
            continue;
        yr_buf_cut(&line, 0);
        yr_talk_conv_describe(conv, &line);
        if (conv->unread > 0)
            yr_buf_addf(&line, ", %u unread", conv->unread);
        yr_talk_say(chat, "%s", yr_buf_str(&line));
        any = true;
    }
    if (!any)
        yr_talk_say(chat,
                    "no friends yet: /invite makes a link for one person, /add LINK uses one");
    yr_buf_clear(&line);
}

static void say_fingerprint(struct yr_talk *chat, const json_t *friend)
{
    struct yr_buf groups = {0};

    yr_add_fingerprint(&groups, yr_json_str(friend, "fingerprint", ""));
    yr_talk_print(chat, yr_buf_str(&groups));
    yr_buf_clear(&groups);
}

static void say_friend(struct yr_talk *chat, struct yr_talk_conv *conv)
{
    struct yr_buf line = {0};
    json_t *friend;

    friend = yr_talk_call(chat, "friend.get", json_pack("{s:s}", "friend", conv->id));
    if (friend == NULL)
        return;
    yr_talk_conv_describe(yr_talk_conv_update(chat, friend), &line);
    yr_buf_adds(&line, ", calls itself ");
    yr_add_name(&line, yr_json_str(friend, "nick", ""));
    yr_buf_addf(&line, ", trust %s", yr_json_str(friend, "trust", "?"));
    if (yr_json_str(friend, "path", NULL) != NULL) {
        yr_buf_adds(&line, ", path ");
        yr_add_path(&line, friend);
    }
    if (!conv->online) {
        yr_buf_adds(&line, ", last seen ");
        yr_add_ago(&line, yr_json_str(friend, "last_seen", NULL));
    }
    yr_talk_say(chat, "%s", yr_buf_str(&line));
    if (yr_json_str(friend, "status", NULL) != NULL) {
        yr_buf_cut(&line, 0);
        yr_add_flat(&line, yr_json_str(friend, "status", ""));
        yr_talk_say(chat, "status: %s", yr_buf_str(&line));
    }
    yr_talk_say(chat, "id %.52s", yr_json_str(friend, "id", ""));
    say_fingerprint(chat, friend);
    yr_buf_clear(&line);
    json_decref(friend);
}

void yr_talk_run_whois(struct yr_talk *chat, const char *args)
{
    struct yr_talk_conv *here = chat->current, *conv = NULL;
    char *who = yr_talk_rest(args);
    const json_t *member = NULL;

    if (here != NULL && here->room != NULL && who != NULL) {
        yr_talk_room_people(chat, here); // who was heard of lately is not told by events
        member = yr_talk_member_find(here, who);
    }
    if (member != NULL)
        yr_talk_say_member(chat, here, member);
    if (member != NULL && yr_json_str(member, "friend_id", NULL) != NULL)
        conv = yr_talk_friend_resolve(chat, yr_json_str(member, "friend_id", ""));
    else if (member == NULL)
        conv = friend_or_current(chat, args);
    if (conv != NULL)
        say_friend(chat, conv);
    free(who);
}

void yr_talk_run_verify(struct yr_talk *chat, const char *args)
{
    char *word = yr_talk_word(&args);
    const bool yes = word != NULL && (strcmp(args, "yes") == 0 || strcmp(word, "yes") == 0);
    struct yr_talk_conv *conv =
        friend_or_current(chat, word != NULL && strcmp(word, "yes") != 0 ? word : "");
    json_t *friend;

    free(word);
    if (conv == NULL)
        return;
    friend = yr_talk_call(chat, yes ? "friend.verify" : "friend.get",
                          json_pack("{s:s}", "friend", conv->id));
    if (friend == NULL)
        return;
    conv = yr_talk_conv_update(chat, friend);
    if (yes) {
        yr_talk_say(chat, "%s is verified", conv->shown);
        yr_talk_conv_prompt(chat);
    } else {
        yr_talk_say(chat, "compare with %s over a call or in person:", conv->shown);
        say_fingerprint(chat, friend);
        yr_talk_say(chat, "the same on both screens? /verify %s yes", conv->name);
    }
    json_decref(friend);
}

static void set_friend(struct yr_talk *chat, const char *method, json_t *params, const char *what)
{
    json_t *friend = yr_talk_call(chat, method, params);

    if (friend == NULL)
        return;
    yr_talk_say(chat, "%s%s", yr_talk_conv_update(chat, friend)->shown, what);
    yr_talk_conv_prompt(chat);
    json_decref(friend);
}

void yr_talk_run_rename(struct yr_talk *chat, const char *args)
{
    char *word = yr_talk_word(&args);
    struct yr_talk_conv *conv = NULL;

    if (word != NULL && args[0] == '\0' && chat->current != NULL && chat->current->room != NULL)
        json_decref(yr_talk_call(
            chat, "room.rename",
            json_pack("{s:s,s:s}", "room", chat->current->id, "name", word))); // an event says so
    else if (word == NULL || (args[0] == '\0' && chat->current == NULL))
        yr_talk_fail(chat, NULL, "usage: /rename [F] NAME");
    else
        conv = friend_or_current(chat, args[0] != '\0' ? word : "");
    if (conv != NULL)
        set_friend(
            chat, "friend.set",
            json_pack("{s:s,s:s}", "friend", conv->id, "name", args[0] != '\0' ? args : word),
            " is the name from now on");
    free(word);
}

void yr_talk_run_block(struct yr_talk *chat, const char *args)
{
    const struct yr_talk_conv *conv = friend_or_current(chat, args);

    if (conv != NULL)
        set_friend(chat, "friend.block", json_pack("{s:s,s:b}", "friend", conv->id, "blocked", 1),
                   " is blocked and sees silence; /unblock takes it back");
}

void yr_talk_run_unblock(struct yr_talk *chat, const char *args)
{
    const struct yr_talk_conv *conv = friend_or_current(chat, args);

    if (conv != NULL)
        set_friend(chat, "friend.block", json_pack("{s:s,s:b}", "friend", conv->id, "blocked", 0),
                   " is no longer blocked");
}

static void mute_room(struct yr_talk *chat, const struct yr_talk_conv *conv, int64_t muted_s)
{
    json_t *room =
        yr_talk_call(chat, "room.mute",
                     json_pack("{s:s,s:I}", "room", conv->id, "muted_s", (json_int_t)muted_s));

    if (room != NULL)
        yr_talk_say(chat, "%s is %s", yr_talk_room_update(chat, room)->shown,
                    muted_s == 0 ? "heard again" : "muted");
    json_decref(room);
}

void yr_talk_run_mute(struct yr_talk *chat, const char *args)
{
    const struct yr_talk_conv *conv = yr_talk_current(chat);
    int64_t ms = -1000;

    if (conv != NULL && conv->room == NULL)
        conv = friend_or_current(chat, "");
    if (conv == NULL)
        return;
    if (strcmp(args, "off") == 0) {
        ms = 0;
    } else if (args[0] != '\0' && (!yr_duration_read(args, &ms) || ms < 1000)) {
        yr_talk_fail(chat, NULL, "usage: /mute [DUR|off], DUR such as 2h");
        return;
    }
    if (conv->room != NULL) {
        mute_room(chat, conv, ms / 1000);
        return;
    }
    set_friend(chat, "friend.set",
               json_pack("{s:s,s:I}", "friend", conv->id, "muted_s", (json_int_t)(ms / 1000)),
               ms == 0 ? " is heard again" : " is muted");
}

void yr_talk_run_nick(struct yr_talk *chat, const char *args)
{
    json_t *me;

    if (args[0] == '\0') {
        yr_talk_fail(chat, NULL, "usage: /nick NAME");
        return;
    }
    me = yr_talk_call(chat, "identity.set", json_pack("{s:s}", "name", args));
    if (me != NULL) {
        struct yr_buf name = {0};

        free(chat->self_name);
        chat->self_name = yr_strdup(yr_json_str(me, "name", "?"));
        yr_safe_name(&name, chat->self_name, strlen(chat->self_name));
        yr_talk_say(chat, "your friends see %s", yr_buf_str(&name));
        yr_buf_clear(&name);
    }
    json_decref(me);
}

/* ---- the node ---- */

void yr_talk_run_status(struct yr_talk *chat, const char *args)
{
    json_t *status = yr_talk_call(chat, "net.status", NULL);
    struct yr_buf span = {0};

    (void)args;
    if (status == NULL)
        return;
    yr_span_add(&span, yr_json_int(status, "uptime_s", 0) * 1000);
    yr_talk_say(chat, "node %s, up %s, reachable: %s", yr_json_str(status, "state", "?"),
                yr_buf_str(&span), yr_json_str(status, "reachable", "?"));
    yr_talk_say(
        chat, "friends: %lld of %lld online; rooms: %lld; texts that wait: %lld; unread: %lld",
        (long long)yr_json_int(status, "friends_online", 0),
        (long long)yr_json_int(status, "friends", 0), (long long)yr_json_int(status, "rooms", 0),
        (long long)yr_json_int(status, "queue", 0), (long long)yr_json_int(status, "unread", 0));
    yr_buf_clear(&span);
    json_decref(status);
}

static void say_setting(struct yr_talk *chat, const json_t *record)
{
    struct yr_buf line = {0};

    yr_add_flat(&line, yr_json_str(record, "key", ""));
    yr_buf_adds(&line, " = ");
    yr_add_flat(&line, yr_json_str(record, "value", ""));
    yr_buf_adds(&line, "   ");
    yr_add_flat(&line, yr_json_str(record, "origin", ""));
    yr_talk_say(chat, "%s", yr_buf_str(&line));
    yr_buf_clear(&line);
}

/** What concerns the screen holds at once. */
static void reload_settings(struct yr_talk *chat)
{
    struct yr_config config;
    struct yr_buf errors = {0};

    if (yr_config_load(&config, &chat->cli->paths, false, &errors) == YR_EXIT_OK) {
        yr_config_clear(&chat->cli->config);
        chat->cli->config = config;
        yr_out_configure(&chat->cli->out, &chat->cli->config);
    } else {
        yr_config_clear(&config);
    }
    yr_buf_clear(&errors);
}

void yr_talk_run_set(struct yr_talk *chat, const char *args)
{
    char *key = yr_talk_word(&args);
    const char *near = key != NULL ? yr_config_nearest(key) : NULL;
    struct yr_buf hint = {0};
    json_t *record = NULL;

    if (near != NULL)
        yr_buf_addf(&hint, "did you mean '%s'?", near);
    else
        yr_buf_adds(&hint, "Tab behind '/set ' shows all");
    if (key == NULL)
        yr_talk_fail(chat, yr_buf_str(&hint), "usage: /set KEY [VALUE]");
    else if (yr_config_find(key) == YR_CFG_COUNT)
        yr_talk_fail(chat, yr_buf_str(&hint), "no setting of that name");
    else if (args[0] == '\0')
        record = yr_talk_call(chat, "config.get", json_pack("{s:s}", "key", key));
    else
        record =
            yr_talk_call(chat, "config.set", json_pack("{s:s,s:s}", "key", key, "value", args));
    if (record != NULL)
        say_setting(chat, record);
    if (record != NULL && args[0] != '\0')
        reload_settings(chat);
    yr_buf_clear(&hint);
    json_decref(record);
    free(key);
}

void yr_talk_run_raw(struct yr_talk *chat, const char *args)
{
    char why[120];
    json_t *call = yr_json_read(args, strlen(args), why, sizeof why), *params, *result = NULL;
    const char *method = yr_json_str(call, "method", NULL);
    struct yr_buf line = {0};

    if (method == NULL) {
        yr_talk_fail(chat, "/raw {\"method\":\"net.status\",\"params\":{}}", "%s",
                     call == NULL ? why : "no method");
    } else {
        params = json_object_get(call, "params");
        result = yr_talk_call(chat, method, json_incref(params));
    }
    if (result != NULL) {
        yr_json_dump(&line, result);
        yr_talk_print(chat, yr_buf_str(&line));
    }
    yr_buf_clear(&line);
    json_decref(result);
    json_decref(call);
}
