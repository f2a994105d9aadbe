/* chat_show.c: conversations on the screen: titles, messages, what is shown when one is opened. */
#include <stdlib.h>
#include <string.h>

#include "cli/chat_int.h"
#include "cli/common/columns.h"
#include "cli/common/text_safe.h"

#define UNREAD_SHOWN_MAX 200 /* unread messages shown at once */

/* ---- messages ---- */

static void show_day(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *message)
{
    const int64_t day = yr_message_day(&chat->cli->out, message);
    struct yr_buf line = {0};

    if (day == 0 || day == conv->last_day)
        return;
    conv->last_day = day;
    yr_message_day_add(&chat->cli->out, &line, message);
    yr_buf_cut(&line, line.len - 1);
    yr_talk_print(chat, yr_buf_str(&line));
    yr_buf_clear(&line);
}

static void show_message(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *message,
                         unsigned number)
{
    const char *reply_to = yr_json_str(message, "reply_to", NULL);
    const char *author = yr_json_str(json_object_get(message, "from"), "id", "");
    const json_t *answered = reply_to != NULL ? yr_talk_conv_message(conv, reply_to) : NULL;
    struct yr_buf line = {0}, snippet = {0}, speaker = {0};
    struct yr_talk_style style = {.out = &chat->cli->out,
                                  .columns = yr_talk_columns(chat),
                                  .self_id = yr_talk_conv_self(chat, conv),
                                  .number = number};

    yr_talk_conv_speaker(conv, message, &speaker);
    style.speaker = yr_buf_str(&speaker);
    if (conv->room != NULL)
        style.paint = yr_talk_author_paint(&chat->cli->out, author);
    if (answered != NULL) {
        yr_talk_snippet(&snippet, yr_json_str(answered, "text", ""), 24);
        style.reply = yr_buf_str(&snippet);
    }
    show_day(chat, conv, message);
    yr_talk_message(&line, message, &style);
    yr_talk_print(chat, yr_buf_str(&line));
    yr_buf_clear(&line);
    yr_buf_clear(&snippet);
    yr_buf_clear(&speaker);
}

void yr_talk_conv_show(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *messages,
                       bool numbered)
{
    size_t unread = 0, i;
    json_t *message;

    if (numbered)
        json_array_clear(chat->numbered);
    json_array_foreach(messages, i, message)
    {
        unread += yr_json_bool(message, "unread", false) ? 1 : 0;
    }
    json_array_foreach(messages, i, message)
    {
        const bool is_unread = yr_json_bool(message, "unread", false);

        if (is_unread && unread > 0) {
            if (i > 0)
                yr_talk_say(chat, "%zu unread --", unread);
            unread = 0;
        }
        if (numbered)
            json_array_append(chat->numbered, json_object_get(message, "id"));
        show_message(chat, conv, message, numbered ? (unsigned)i + 1 : 0);
        conv->to_mark = conv->to_mark || is_unread;
    }
}

/* ---- opening ---- */

/** "alice@default -> bob (online, verified)", and how to get help where there is room. */
static void show_header(struct yr_talk *chat, const struct yr_talk_conv *conv)
{
    const bool utf8 = chat->cli->out.utf8;
    const char *keys = utf8 ? "type /help \u00B7 Tab completes \u00B7 Ctrl-D leaves"
                            : "type /help - Tab completes - Ctrl-D leaves";
    const size_t columns = yr_talk_columns(chat), keys_columns = yr_columns(keys, strlen(keys));
    struct yr_buf line = {0}, folded = {0};

    yr_safe_name(&line, chat->self_name, strlen(chat->self_name));
    yr_buf_addf(&line, "@%s", chat->cli->paths.profile);
    if (conv != NULL) {
        yr_buf_adds(&line, utf8 ? " \u2192 " : " -> ");
        yr_talk_conv_describe(conv, &line);
    }
    if (columns > yr_columns(line.at, line.len) + keys_columns + 2) {
        for (size_t i = yr_columns(line.at, line.len) + keys_columns; i < columns; i++)
            yr_buf_addc(&line, ' ');
        yr_buf_adds(&line, keys);
        chat->greeted = true;
    }
    yr_talk_fold(&folded, "", 0, yr_buf_str(&line), columns, 3);
    yr_talk_print(chat, yr_buf_str(&folded));
    if (!chat->greeted && !chat->plain)
        yr_talk_say(chat, "type /help");
    chat->greeted = true;
    if (conv != NULL && conv->room != NULL && conv->room->topic[0] != '\0') {
        yr_buf_cut(&line, 0);
        yr_add_flat(&line, conv->room->topic);
        yr_talk_say(chat, "topic: %s", yr_buf_str(&line));
    }
    yr_buf_clear(&line);
    yr_buf_clear(&folded);
}

/** What to show of a conversation that is opened: its end, or all that is unread. */
static size_t wanted(const struct yr_talk_conv *conv)
{
    const size_t unread = conv->unread < UNREAD_SHOWN_MAX ? conv->unread : UNREAD_SHOWN_MAX;

    if (conv->opened)
        return unread;
    return unread > YR_TALK_OPEN_COUNT ? unread : YR_TALK_OPEN_COUNT;
}

static bool is_unread(const json_t *message)
{
    return yr_json_bool(message, "unread", false);
}

static size_t count_unread(const json_t *messages)
{
    const json_t *message;
    size_t count = 0, i;

    json_array_foreach((json_t *)(uintptr_t)messages, i, message) count += is_unread(message);
    return count;
}

/** That, remembered; owned by the caller; NULL: it was said why. */
static json_t *fetch_wanted(struct yr_talk *chat, struct yr_talk_conv *conv)
{
    const size_t limit = wanted(conv);
    const size_t unread = conv->unread < UNREAD_SHOWN_MAX ? conv->unread : UNREAD_SHOWN_MAX;
    json_t *messages;

    if (conv->room == NULL)
        return yr_talk_conv_fetch(chat, conv, limit, false);
    messages = yr_talk_conv_fetch(chat, conv, limit + YR_TALK_OPEN_COUNT, true);
    if (messages != NULL && count_unread(messages) < unread) { // so many came and went
        json_decref(messages);
        messages = yr_talk_conv_fetch(chat, conv, limit, false);
    }
    while ((conv->opened || json_array_size(messages) > limit) && json_array_size(messages) > 0 &&
           !is_unread(json_array_get(messages, 0)))
        json_array_remove(messages, 0);
    return messages;
}

void yr_talk_conv_prompt(struct yr_talk *chat)
{
    struct yr_buf prompt = {0};

    if (chat->current != NULL)
        yr_buf_adds(&prompt, chat->current->shown);
    if (chat->current != NULL && chat->current->writes)
        yr_buf_adds(&prompt, " is typing");
    yr_buf_adds(&prompt, "> ");
    yr_edit_prompt(chat->edit, yr_buf_str(&prompt), &chat->screen);
    yr_buf_clear(&prompt);
}

void yr_talk_conv_open(struct yr_talk *chat, struct yr_talk_conv *conv)
{
    struct yr_talk_conv *last = chat->current;
    json_t *messages;

    if (conv != NULL && conv->room != NULL) {
        (void)yr_talk_room_read(chat, conv);
        yr_talk_room_people(chat, conv);
    }
    if (last != NULL && last != conv) {
        free(last->draft);
        last->draft = yr_strdup(yr_edit_text(chat->edit));
    }
    chat->current = conv;
    show_header(chat, conv);
    if (conv != NULL && wanted(conv) > 0) {
        messages = fetch_wanted(chat, conv);
        if (conv->unread > UNREAD_SHOWN_MAX)
            yr_talk_say(chat, "%u unread, the last %d are here; more: /log N", conv->unread,
                        UNREAD_SHOWN_MAX);
        yr_talk_conv_show(chat, conv, messages, false);
        conv->opened = conv->opened || messages != NULL;
        if (messages != NULL && !conv->to_mark) { // deleted, or read elsewhere
            conv->unread = 0;
            if (conv->room != NULL)
                conv->room->mentions = 0;
        }
        json_decref(messages);
    }
    yr_edit_use_history(chat->edit, conv != NULL ? &conv->history : NULL);
    if (last != conv)
        yr_edit_set_text(chat->edit, conv != NULL && conv->draft != NULL ? conv->draft : "",
                         &chat->screen);
    yr_talk_conv_prompt(chat);
    if (conv != NULL)
        yr_talk_conv_mark(chat, conv);
}
