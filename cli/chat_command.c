/* chat_command.c: slash commands: the table, moving and texts. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/chat_int.h"
#include "cli/common/suggest.h"
#include "cli/common/text_safe.h"

/* ---- words ---- */

struct yr_talk_conv *yr_talk_current_room(struct yr_talk *chat)
{
    struct yr_talk_conv *conv = yr_talk_current(chat);

    if (conv != NULL && conv->room == NULL) {
        yr_talk_fail(chat, "/join lists rooms, /to #NAME goes into one", "this is no room");
        return NULL;
    }
    return conv;
}

struct yr_talk_conv *yr_talk_current(struct yr_talk *chat)
{
    if (chat->current == NULL)
        yr_talk_fail(chat, "/to NAME chooses somebody, /invite makes a friend",
                     "no conversation is open");
    return chat->current;
}

char *yr_talk_word(const char **args)
{
    struct yr_buf word = {0};
    const char *at = *args;
    const bool quoted = *at == '"' && strchr(at + 1, '"') != NULL;

    if (*at == '\0')
        return NULL;
    at += quoted ? 1 : 0;
    while (*at != '\0' && (quoted ? *at != '"' : strchr(" \t\n", *at) == NULL))
        yr_buf_addc(&word, *at++);
    at += quoted ? 1 : 0;
    *args = at + strspn(at, " \t\n");
    return yr_buf_take(&word);
}

char *yr_talk_rest(const char *args)
{
    struct yr_buf name = {0};

    if (args[0] == '"') // as Tab writes a name with a blank in it
        return yr_talk_word(&args);
    yr_buf_adds(&name, args);
    while (name.len > 0 && strchr(" \t\n", name.at[name.len - 1]) != NULL)
        yr_buf_cut(&name, name.len - 1);
    if (name.len == 0) {
        yr_buf_clear(&name);
        return NULL;
    }
    return yr_buf_take(&name);
}

char *yr_talk_message_id(struct yr_talk *chat, const char *word)
{
    const json_t *id;

    if (word[0] != '%')
        return yr_strdup(word);
    id = json_array_get(chat->numbered, strtoul(word + 1, NULL, 10) - 1);
    if (json_string_value(id) != NULL)
        return yr_strdup(json_string_value(id));
    yr_talk_fail(chat, "/log 20 --numbers shows numbers", "no message has the number '%s'", word);
    return NULL;
}

/** Takes a MSG off the arguments if they start with one: %N, or a prefix of an id in memory.
 * `more`: only when something follows it.  NULL: there is none (or, *bad, a number that is not
 * there). */
static char *optional_message(struct yr_talk *chat, const char **args, bool more, bool *bad)
{
    const char *rest = *args;
    char *word = yr_talk_word(&rest), *id = NULL;

    *bad = false;
    if (word != NULL && (*rest != '\0' || !more)) {
        if (word[0] == '%' && word[1] >= '0' && word[1] <= '9') {
            id = yr_talk_message_id(chat, word);
            *bad = id == NULL;
        } else if (strlen(word) >= 4 && yr_talk_conv_message(chat->current, word) != NULL) {
            id = yr_strdup(yr_json_str(yr_talk_conv_message(chat->current, word), "id", ""));
        }
    }
    if (id != NULL)
        *args = rest;
    free(word);
    return id;
}

/** MSG, or the last message that is own or not.  Owned by the caller; NULL: it was said why. */
static char *message_or_last(struct yr_talk *chat, const char **args, bool own, bool more)
{
    bool bad;
    char *id = optional_message(chat, args, more, &bad);
    json_t *last;

    if (id != NULL || bad)
        return id;
    last = yr_talk_conv_last(chat, chat->current, own);
    if (last != NULL)
        return yr_strdup(yr_json_str(last, "id", ""));
    yr_talk_fail(chat, NULL, own ? "you wrote nothing here yet" : "nobody wrote to you here yet");
    return NULL;
}

/* ---- texts ---- */

/** A text that was not answered may be on its way all the same: who enters it again means that one.
 *  The key under which the node is to know it. */
static const char *key_for(struct yr_talk *chat, const json_t *params)
{
    char *text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t bytes[16] = {0};

    if (chat->unsure == NULL || text == NULL || strcmp(chat->unsure, text) != 0) {
        (void)!getrandom(bytes, sizeof bytes, 0);
        for (size_t i = 0; i < sizeof bytes; i++)
            snprintf(chat->send_key + 2 * i, 3, "%02x", bytes[i]);
        free(chat->unsure);
        chat->unsure = text != NULL ? yr_strdup(text) : NULL;
    }
    free(text);
    return chat->send_key;
}

/** false: it was said why. */
static bool send_text(struct yr_talk *chat, const char *text, const char *kind,
                      const char *reply_to)
{
    struct yr_talk_conv *conv = yr_talk_current(chat);
    json_t *params, *message;

    if (conv == NULL)
        return false;
    params =
        json_pack("{s:s,s:s,s:s}", "target", yr_talk_conv_target(conv), "text", text, "kind", kind);
    if (reply_to != NULL)
        json_object_set_new(params, "reply_to", json_string(reply_to));
    json_object_set_new(params, "key", json_string(key_for(chat, params)));
    message = yr_talk_call(chat, "message.send", params);
    if (message != NULL) {
        free(chat->unsure);
        chat->unsure = NULL;
    }
    json_decref(message); // its event shows it
    return message != NULL;
}

static bool need(struct yr_talk *chat, const char *args, const char *usage)
{
    if (args[0] != '\0')
        return true;
    yr_talk_fail(chat, NULL, "usage: %s", usage);
    return false;
}

static void run_me(struct yr_talk *chat, const char *args)
{
    if (need(chat, args, "/me TEXT"))
        (void)send_text(chat, args, "action", NULL);
}

static void run_reply(struct yr_talk *chat, const char *args)
{
    char *id;

    if (!need(chat, args, "/reply [MSG] TEXT") || yr_talk_current(chat) == NULL)
        return;
    id = message_or_last(chat, &args, false, true);
    if (id != NULL)
        (void)send_text(chat, args, "text", id);
    free(id);
}

static void edit_message(struct yr_talk *chat, const char *id, const char *text)
{
    json_decref(yr_talk_call(chat, "message.edit", json_pack("{s:s,s:s}", "id", id, "text", text)));
}

static void run_edit(struct yr_talk *chat, const char *args)
{
    char *id;

    if (!need(chat, args, "/edit [MSG] TEXT") || yr_talk_current(chat) == NULL)
        return;
    id = message_or_last(chat, &args, true, true);
    if (id != NULL)
        edit_message(chat, id, args);
    free(id);
}

static void run_delete(struct yr_talk *chat, const char *args)
{
    char *id;

    if (yr_talk_current(chat) == NULL)
        return;
    id = message_or_last(chat, &args, true, false);
    if (id != NULL && args[0] != '\0')
        yr_talk_fail(chat, NULL, "usage: /delete [MSG]");
    else if (id != NULL)
        json_decref(yr_talk_call(chat, "message.delete", json_pack("{s:[s]}", "ids", id)));
    free(id);
}

static void run_react(struct yr_talk *chat, const char *args)
{
    char *id;

    if (!need(chat, args, "/react [MSG] EMOJI") || yr_talk_current(chat) == NULL)
        return;
    id = message_or_last(chat, &args, false, true);
    if (id != NULL)
        json_decref(
            yr_talk_call(chat, "message.react", json_pack("{s:s,s:s}", "id", id, "emoji", args)));
    free(id);
}

/** s/a/b/ on my last message.  false: the line is a text like any other. */
static bool substitute(struct yr_talk *chat, const char *line)
{
    struct yr_buf text = {0};
    const json_t *last;
    enum yr_talk_subst result = yr_talk_substitute(line, "", &text);

    if (result == YR_TALK_SUBST_NONE)
        return false;
    if (yr_talk_current(chat) == NULL)
        return true;
    last = yr_talk_conv_last(chat, chat->current, true);
    if (last != NULL)
        result = yr_talk_substitute(line, yr_json_str(last, "text", ""), &text);
    if (last == NULL)
        yr_talk_fail(chat, NULL, "you wrote nothing here yet");
    else if (result == YR_TALK_SUBST_ABSENT)
        yr_talk_fail(chat, NULL, "your last message does not have that text");
    else
        edit_message(chat, yr_json_str(last, "id", ""), yr_buf_str(&text));
    yr_buf_clear(&text);
    return true;
}

/* ---- /compose ---- */

/** Run $VISUAL on a file, on the terminal as it was.  false: it did not end well. */
static bool run_editor(const char *path)
{
    const char *editor = getenv("VISUAL");
    pid_t child;
    int status;

    if (editor == NULL || editor[0] == '\0')
        editor = getenv("EDITOR");
    if (editor == NULL || editor[0] == '\0')
        editor = "vi";
    child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        setenv("YAARI_EDITOR", editor, 1);
        execl("/bin/sh", "sh", "-c", "$YAARI_EDITOR \"$1\"", "sh", path, (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/** The draft in a file of our own, until the editor ends: the one moment it is on a disk, so in the
 *  runtime folder, which is memory on most systems. */
static void run_compose(struct yr_talk *chat, const char *args)
{
    struct yr_fail fail = {0};
    struct yr_buf path = {0};
    char *text = NULL;
    size_t len = 0;
    bool good = false;
    int fd;

    yr_buf_addf(&path, "%s/compose-XXXXXX", chat->cli->paths.run_dir);
    fd = mkostemp(path.at, O_CLOEXEC);
    if (fd >= 0) {
        good = write(fd, args, strlen(args)) == (ssize_t)strlen(args);
        close(fd);
    }
    if (good) {
        yr_talk_release(chat);
        good = run_editor(path.at);
        yr_talk_take(chat);
    }
    if (!good || yr_read_file(path.at, YR_EDIT_TEXT_MAX, &text, &len, &fail) != YR_EXIT_OK)
        yr_talk_fail(chat, "set VISUAL or EDITOR to a program that is there",
                     "nothing came from the editor");
    if (fd >= 0)
        unlink(path.at);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    if (len > 0)
        yr_edit_set_text(chat->edit, text, &chat->screen);
    free(text);
    yr_buf_clear(&path);
}

/* ---- moving ---- */

static void run_to(struct yr_talk *chat, const char *args)
{
    char *name = yr_talk_rest(args);
    struct yr_talk_conv *conv = NULL;

    if (need(chat, name != NULL ? name : "", "/to NAME"))
        conv = yr_talk_conv_resolve(chat, name);
    if (conv != NULL)
        yr_talk_conv_open(chat, conv);
    free(name);
}

static void run_next(struct yr_talk *chat, const char *args)
{
    struct yr_talk_conv *conv = yr_talk_conv_next_unread(chat);

    (void)args;
    if (conv != NULL)
        yr_talk_conv_open(chat, conv);
    else
        yr_talk_say(chat, "nothing unread");
}

static void run_list(struct yr_talk *chat, const char *args)
{
    struct yr_buf line = {0};
    bool any = false;

    (void)args;
    for (size_t i = 0; i < chat->conv_count; i++) {
        const struct yr_talk_conv *conv = chat->convs[i];

        if (!conv->opened && conv->unread == 0 && conv != chat->current)
            continue;
        yr_buf_cut(&line, 0);
        yr_talk_conv_describe(conv, &line);
        if (conv->unread > 0)
            yr_buf_addf(&line, ", %u unread", conv->unread);
        yr_talk_say(chat, "%s%s", yr_buf_str(&line), conv == chat->current ? " <- here" : "");
        any = true;
    }
    if (!any)
        yr_talk_say(chat, "no conversation is open");
    yr_buf_clear(&line);
}

static void run_close(struct yr_talk *chat, const char *args)
{
    struct yr_talk_conv *closed = yr_talk_current(chat), *next = NULL;

    (void)args;
    if (closed == NULL)
        return;
    for (size_t i = 0; i < chat->conv_count; i++)
        if (chat->convs[i] != closed && chat->convs[i]->opened)
            next = chat->convs[i];
    yr_talk_conv_open(chat, next);
    closed->opened = false;
    yr_talk_conv_today(chat, closed);
}

static void run_quit(struct yr_talk *chat, const char *args)
{
    (void)args;
    chat->leave = true;
}

static void run_clear(struct yr_talk *chat, const char *args)
{
    (void)args;
    if (!chat->plain)
        yr_edit_feed(chat->edit, "\x0c", 1);
}

/* ---- help ---- */

const char *const yr_talk_topics[YR_TALK_GROUPS] = {"moving", "writing", "history",
                                                    "people", "rooms",   "other"};

static void say_command(struct yr_talk *chat, const struct yr_talk_command *command)
{
    struct yr_buf line = {0};

    yr_buf_addf(&line, "/%s%s%s", command->name, command->operands[0] != '\0' ? " " : "",
                command->operands);
    for (const struct yr_talk_command *other = command + 1;
         other < yr_talk_commands + yr_talk_command_count && other->help == NULL; other++)
        yr_buf_addf(&line, ", /%s", other->name);
    yr_buf_addf(&line, ": %s", command->help);
    yr_talk_say(chat, "%s", yr_buf_str(&line));
    yr_buf_clear(&line);
}

static void say_group(struct yr_talk *chat, size_t group)
{
    for (size_t i = 0; i < yr_talk_command_count; i++)
        if (yr_talk_commands[i].group == group && yr_talk_commands[i].help != NULL)
            say_command(chat, &yr_talk_commands[i]);
    if (group != YR_TALK_WRITING)
        return;
    yr_talk_say(chat, "s/a/b/: correct your last message; s/a/b/g everywhere in it");
    yr_talk_say(chat, "//TEXT: a text that starts with a slash");
    yr_talk_say(chat, "Alt-Enter or Ctrl-J: a new line; Enter sends");
}

static const struct yr_talk_command *find_command(const char *name)
{
    for (size_t i = 0; i < yr_talk_command_count; i++)
        if (strcmp(yr_talk_commands[i].name, name) == 0) {
            while (yr_talk_commands[i].help == NULL)
                i--;
            return &yr_talk_commands[i];
        }
    return NULL;
}

static void run_help(struct yr_talk *chat, const char *args)
{
    const char *name = args[0] == '/' ? args + 1 : args;
    const struct yr_talk_command *command = find_command(name);

    for (size_t i = 0; i < YR_TALK_GROUPS; i++)
        if (strcmp(args, yr_talk_topics[i]) == 0) {
            say_group(chat, i);
            return;
        }
    if (command != NULL) {
        say_command(chat, command);
        return;
    }
    if (args[0] != '\0') {
        struct yr_buf safe = {0};

        yr_talk_snippet(&safe, args, 32);
        yr_talk_fail(chat, "/help", "no help about '%s'", yr_buf_str(&safe));
        yr_buf_clear(&safe);
        return;
    }
    yr_talk_say(chat, "type a text and press Enter; a line with / is a command");
    for (size_t i = 0; i < YR_TALK_GROUPS; i++) {
        struct yr_buf line = {0};

        for (size_t k = 0; k < yr_talk_command_count; k++)
            if (yr_talk_commands[k].group == i && yr_talk_commands[k].help != NULL)
                yr_buf_addf(&line, " /%s", yr_talk_commands[k].name);
        yr_talk_say(chat, "%s:%s", yr_talk_topics[i], yr_buf_str(&line));
        yr_buf_clear(&line);
    }
    yr_talk_say(chat,
                "/help COMMAND or /help TOPIC says more; Alt-a: next unread; Page Up: earlier "
                "lines; Ctrl-R: search what you typed");
}

/* ---- the table ---- */

const struct yr_talk_command yr_talk_commands[] = {
    {"to", "NAME", "talk to a friend, or in a room (#NAME); @me: notes to yourself", YR_TALK_MOVING,
     YR_TALK_TARGETS, run_to},
    {"q", "", NULL, YR_TALK_MOVING, YR_TALK_TARGETS, run_to},
    {"query", "", NULL, YR_TALK_MOVING, YR_TALK_TARGETS, run_to},
    {"next", "", "go where something is unread, as Alt-a", YR_TALK_MOVING, YR_TALK_NO_WORDS,
     run_next},
    {"list", "", "open conversations", YR_TALK_MOVING, YR_TALK_NO_WORDS, run_list},
    {"win", "", NULL, YR_TALK_MOVING, YR_TALK_NO_WORDS, run_list},
    {"close", "", "close this conversation", YR_TALK_MOVING, YR_TALK_NO_WORDS, run_close},
    {"quit", "", "leave, as Ctrl-D", YR_TALK_MOVING, YR_TALK_NO_WORDS, run_quit},

    {"me", "TEXT", "say what you do: * me waves", YR_TALK_WRITING, YR_TALK_NO_WORDS, run_me},
    {"reply", "[MSG] TEXT", "answer a message (the last one to you)", YR_TALK_WRITING,
     YR_TALK_NO_WORDS, run_reply},
    {"edit", "[MSG] TEXT", "change a message of yours (the last)", YR_TALK_WRITING,
     YR_TALK_NO_WORDS, run_edit},
    {"delete", "[MSG]", "delete a message of yours (the last)", YR_TALK_WRITING, YR_TALK_NO_WORDS,
     run_delete},
    {"react", "[MSG] EMOJI", "react to a message (the last one to you)", YR_TALK_WRITING,
     YR_TALK_NO_WORDS, run_react},
    {"compose", "[TEXT]", "write in $VISUAL; Enter then sends it", YR_TALK_WRITING,
     YR_TALK_NO_WORDS, run_compose},

    {"log", "[N] [--numbers]", "the last N messages; numbers stand for MSG", YR_TALK_HISTORY,
     YR_TALK_NO_WORDS, yr_talk_run_log},
    {"unread", "", "where something is unread", YR_TALK_HISTORY, YR_TALK_NO_WORDS,
     yr_talk_run_unread},
    {"show", "MSG", "one message and its way", YR_TALK_HISTORY, YR_TALK_NO_WORDS, yr_talk_run_show},
    {"why", "[MSG]", "why a message is not there yet (your last)", YR_TALK_HISTORY,
     YR_TALK_NO_WORDS, yr_talk_run_why},
    {"mark", "", "mark all in this conversation read", YR_TALK_HISTORY, YR_TALK_NO_WORDS,
     yr_talk_run_mark},

    {"friends", "", "all friends", YR_TALK_PEOPLE, YR_TALK_NO_WORDS, yr_talk_run_friends},
    {"whois", "[F]", "who F is; in a room also a member", YR_TALK_PEOPLE, YR_TALK_MEMBERS,
     yr_talk_run_whois},
    {"invite", "[F]", "in a room: bring friend F in; elsewhere: make a link for one person",
     YR_TALK_PEOPLE, YR_TALK_GUESTS, yr_talk_run_invite},
    {"add", "LINK", "become friends with who made the link", YR_TALK_PEOPLE, YR_TALK_NO_WORDS,
     yr_talk_run_add},
    {"accept", "[ID]", "go where you are invited; without ID: who waits for what", YR_TALK_PEOPLE,
     YR_TALK_NO_WORDS, yr_talk_run_accept},
    {"reject", "[ID]", "decline an invitation, or give up a link", YR_TALK_PEOPLE, YR_TALK_NO_WORDS,
     yr_talk_run_reject},
    {"verify", "[F]", "compare fingerprints", YR_TALK_PEOPLE, YR_TALK_FRIENDS, yr_talk_run_verify},
    {"rename", "[F] NAME", "call F NAME; in a room, without F: rename the room for all",
     YR_TALK_PEOPLE, YR_TALK_FRIENDS, yr_talk_run_rename},
    {"block", "[F]", "refuse F's link and texts", YR_TALK_PEOPLE, YR_TALK_FRIENDS,
     yr_talk_run_block},
    {"unblock", "[F]", "the opposite of /block", YR_TALK_PEOPLE, YR_TALK_FRIENDS,
     yr_talk_run_unblock},
    {"mute", "[DUR|off]", "no word of this conversation, for DUR or until off", YR_TALK_PEOPLE,
     YR_TALK_NO_WORDS, yr_talk_run_mute},
    {"nick", "NAME", "change the name your friends see", YR_TALK_PEOPLE, YR_TALK_NO_WORDS,
     yr_talk_run_nick},
    {"away", "[TEXT]", "say that you are away, and why", YR_TALK_PEOPLE, YR_TALK_NO_WORDS,
     yr_talk_run_away},
    {"back", "", "you are there again", YR_TALK_PEOPLE, YR_TALK_NO_WORDS, yr_talk_run_back},

    {"join", "[R]", "go into a room you are invited to; without R: all rooms", YR_TALK_ROOMS,
     YR_TALK_ROOM_NAMES, yr_talk_run_join},
    {"leave", "", "leave this room; its history stays readable", YR_TALK_ROOMS, YR_TALK_NO_WORDS,
     yr_talk_run_leave},
    {"new", "NAME", "make a room", YR_TALK_ROOMS, YR_TALK_NO_WORDS, yr_talk_run_new},
    {"topic", "[TEXT]", "show or change what the room is about (\"\": nothing)", YR_TALK_ROOMS,
     YR_TALK_NO_WORDS, yr_talk_run_topic},
    {"members", "", "who is in the room, and by whom they are reached", YR_TALK_ROOMS,
     YR_TALK_NO_WORDS, yr_talk_run_members},
    {"kick", "M", "remove a member from the room", YR_TALK_ROOMS, YR_TALK_MEMBERS,
     yr_talk_run_kick},
    {"role", "M ROLE", "make a member admin, mod or member", YR_TALK_ROOMS, YR_TALK_MEMBER_ROLE,
     yr_talk_run_role},

    {"help", "[COMMAND|TOPIC]", "what there is", YR_TALK_OTHER, YR_TALK_TOPIC_NAMES, run_help},
    {"status", "", "how the node is", YR_TALK_OTHER, YR_TALK_NO_WORDS, yr_talk_run_status},
    {"set", "KEY [VALUE]", "show or change a setting", YR_TALK_OTHER, YR_TALK_KEYS,
     yr_talk_run_set},
    {"clear", "", "clear the screen, as Ctrl-L", YR_TALK_OTHER, YR_TALK_NO_WORDS, run_clear},
    {"raw", "JSON", "call the node: {\"method\":\"net.status\",\"params\":{}}", YR_TALK_OTHER,
     YR_TALK_NO_WORDS, yr_talk_run_raw},
};
const size_t yr_talk_command_count = sizeof yr_talk_commands / sizeof yr_talk_commands[0];

static void unknown(struct yr_talk *chat, const char *name)
{
    struct yr_suggest suggest = yr_suggest_init(name);
    struct yr_buf safe = {0}, hint = {0};

    for (size_t i = 0; i < yr_talk_command_count; i++)
        yr_suggest_try(&suggest, yr_talk_commands[i].name);
    yr_talk_snippet(&safe, name, YR_TALK_NAME_MAX);
    if (suggest.best != NULL)
        yr_buf_addf(&hint, "did you mean '/%s'? ", suggest.best);
    yr_buf_addf(&hint, "//%s sends it as text", yr_buf_str(&safe));
    yr_talk_fail(chat, yr_buf_str(&hint), "no command '/%s'", yr_buf_str(&safe));
    yr_buf_clear(&safe);
    yr_buf_clear(&hint);
}

static void run_command(struct yr_talk *chat, const struct yr_talk_line *line)
{
    const struct yr_talk_command *command =
        find_command(line->name[0] != '\0' ? line->name : "help");

    if (command == NULL)
        unknown(chat, line->name);
    else
        command->run(chat, line->text);
}

/** Put back what could not be sent, unless something else is being typed already. */
static void give_back(struct yr_talk *chat, const char *line)
{
    if (!chat->plain && yr_edit_text(chat->edit)[0] == '\0')
        yr_edit_set_text(chat->edit, line, &chat->screen);
}

/** Blanks and a slash: the second Enter on the same line means it. */
static bool guard(struct yr_talk *chat, const char *line)
{
    if (chat->guarded != NULL && strcmp(chat->guarded, line) == 0)
        return false;
    free(chat->guarded);
    chat->guarded = yr_strdup(line);
    yr_talk_say(chat,
                "a text that starts with a slash? Enter again sends it; without the blanks it "
                "is a command");
    give_back(chat, line);
    return true;
}

void yr_talk_entered(struct yr_talk *chat, const char *typed)
{
    char *line = yr_strdup(typed); // commands may ask the editor for other things
    const struct yr_talk_line read = yr_talk_read(line);

    if (read.kind == YR_TALK_EMPTY || (read.kind == YR_TALK_GUARD && guard(chat, line))) {
        free(line);
        return;
    }
    free(chat->guarded);
    chat->guarded = NULL;
    if (chat->current != NULL) {
        yr_edit_history_add(&chat->current->history, line);
        yr_edit_use_history(chat->edit, &chat->current->history);
    }
    if (read.kind == YR_TALK_COMMAND)
        run_command(chat, &read);
    else if (!substitute(chat, line) && !send_text(chat, read.text, "text", NULL))
        give_back(chat, line);
    free(line);
}
