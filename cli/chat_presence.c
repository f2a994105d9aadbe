/* chat_presence.c: who is there, away or writing, and that we are. */
#include <stdlib.h>
#include <string.h>

#include "cli/chat_int.h"
#include "cli/common/text_safe.h"

#define TYPING_MS 3000 /* between two times the node is told that we are writing */

bool yr_talk_conv_away(struct yr_talk_conv *conv, const json_t *record)
{
    const char *text = yr_json_str(record, "away_text", "");
    const bool away = strcmp(yr_json_str(record, "state", ""), "away") == 0;
    struct yr_buf safe = {0};
    bool changed;

    yr_safe_line(&safe, text, strlen(text));
    changed = conv->away != away ||
              strcmp(conv->away_text != NULL ? conv->away_text : "", yr_buf_str(&safe)) != 0;
    conv->away = away;
    free(conv->away_text);
    conv->away_text = safe.len > 0 ? yr_buf_take(&safe) : NULL;
    yr_buf_clear(&safe);
    return changed;
}

void yr_talk_presence_event(struct yr_talk *chat, const json_t *data)
{
    struct yr_talk_conv *conv = yr_talk_conv_of(chat, json_object_get(data, "friend"));
    const bool was_online = conv->online, was_away = conv->away, online = yr_friend_linked(data);
    const bool changed = yr_talk_conv_away(conv, data);

    if (was_online == online && !changed)
        return;
    conv->online = online;
    if (was_online != online) {
        conv->told = conv->told && !online;
        conv->told_held = conv->told_held && !online;
        conv->due_at = 0;
    }
    if (conv != chat->current || (!online && !was_online))
        return;
    if (!online)
        yr_talk_say(chat, "%s is offline", conv->shown);
    else if (conv->away)
        yr_talk_say(chat, "%s is away%s%s", conv->shown, conv->away_text != NULL ? ": " : "",
                    conv->away_text != NULL ? conv->away_text : "");
    else
        yr_talk_say(chat, "%s is %s", conv->shown, was_online && was_away ? "back" : "online");
}

/* ---- writing ---- */

void yr_talk_typing_event(struct yr_talk *chat, const json_t *data)
{
    struct yr_talk_conv *conv = yr_talk_conv_of(chat, json_object_get(data, "friend"));
    const bool writes = yr_json_bool(data, "typing", false);

    if (conv->writes == writes)
        return;
    conv->writes = writes;
    if (conv == chat->current)
        yr_talk_conv_prompt(chat);
}

/** May this friend know that we are writing? */
static bool may_know(const struct yr_talk *chat, const struct yr_talk_conv *conv)
{
    if (conv == NULL || conv->room != NULL || conv->self || !conv->friend || !conv->online)
        return false;
    return conv->typing == YR_TALK_TYPING_DEFAULT
               ? yr_config_bool(&chat->cli->config, YR_CFG_PRIVACY_TYPING)
               : conv->typing == YR_TALK_TYPING_YES;
}

void yr_talk_composing(struct yr_talk *chat)
{
    struct yr_talk_conv *conv = chat->current;
    const char *text = yr_edit_text(chat->edit);
    const bool writes = text[0] != '\0' && (text[0] != '/' || text[1] == '/');
    const yr_ms now = yr_talk_now();

    if (chat->plain || !chat->connected || !may_know(chat, conv))
        return;
    if (writes == conv->wrote && (!writes || now - conv->wrote_at < TYPING_MS))
        return;
    conv->wrote = writes;
    conv->wrote_at = now;
    json_decref(yr_talk_call(chat, "typing.set",
                             json_pack("{s:s, s:b}", "friend", conv->id, "typing", (int)writes)));
}

/* ---- ourselves ---- */

static void set_away(struct yr_talk *chat, json_t *params)
{
    json_t *me = yr_talk_call(chat, "presence.set", params);
    struct yr_buf why = {0};

    if (me == NULL)
        return;
    yr_add_flat(&why, yr_json_str(me, "away_text", ""));
    if (yr_json_bool(me, "away", false))
        yr_talk_say(chat, "you are away%s%s; friends who may know are told (/back ends it)",
                    why.len > 0 ? ": " : "", yr_buf_str(&why));
    else
        yr_talk_say(chat, "you are back");
    yr_buf_clear(&why);
    json_decref(me);
}

void yr_talk_run_away(struct yr_talk *chat, const char *args)
{
    json_t *params = json_pack("{s:b}", "away", 1);

    if (args[0] != '\0')
        json_object_set_new(params, "text", json_string(args));
    set_away(chat, params);
}

void yr_talk_run_back(struct yr_talk *chat, const char *args)
{
    (void)args;
    set_away(chat, json_pack("{s:b}", "away", 0));
}
