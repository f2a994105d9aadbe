/* chat_int.h: what the parts of `yaari chat` share.
 *
 *     chat.c           life, terminal, the loop, the connection
 *     chat_conv.c      conversations: who they are with, what was shown, what is unread
 *     chat_event.c     events of the node as lines
 *     chat_command.c   slash commands: the table, moving and texts
 *     chat_people.c    the rest of them: people, node, history
 *     chat_complete.c  Tab */
#ifndef YR_TALK_INT_H
#define YR_TALK_INT_H

#include "cli/chat_text.h"
#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/edit.h"
#include "cli/message.h"

#define YR_TALK_RECENT_MAX 1000 /* messages of a conversation kept in memory */
#define YR_TALK_OPEN_COUNT 20   /* messages shown when a conversation is opened */

/** A friend, or the note to self. */
struct yr_talk_conv {
    char id[64]; /* full id */
    char *name;  /* as the node calls it; untrusted */
    char *shown; /* safe; with '~' until renamed or verified */
    bool self, friend, gone, online, verified, blocked, muted;
    bool opened; /* its history was shown */
    bool told;   /* it was said that texts to it wait */
    yr_ms
        due_at; /* monotonic: a text to it that is not delivered by then is talked about; 0: none */
    bool to_mark; /* messages were shown that the node does not know to be read */
    bool loaded;  /* some history is in `recent` */
    unsigned unread;
    int64_t last_day; /* that a line above the next message said; at first today */
    json_t *recent;   /* array of message records, oldest first */
    struct yr_edit_history history;
    char *draft; /* what was being typed; NULL: nothing */
};

struct yr_talk {
    struct yr_cli *cli;
    struct yr_edit *edit;
    struct yr_buf screen; /* bytes not yet written */
    bool plain, leave;
    bool greeted; /* it was said how to get help */
    bool running; /* the screen is ours; before, errors go to stderr and end us */
    enum yr_exit exit;

    bool connected;
    int call_ms;       /* how long a call may take; -1: for ever */
    unsigned retry_ms; /* until the next try to connect; doubles */
    yr_ms retry_at;    /* monotonic */
    uint64_t cursor;   /* of the last event */

    char self_id[64];
    char *self_name;             /* untrusted */
    struct yr_talk_conv **convs; /* owned; friends, then the note to self once it is used */
    size_t conv_count;
    struct yr_talk_conv *current; /* NULL: none yet */

    char *unsure;      /* what was sent and not answered; NULL: nothing */
    char send_key[33]; /* of it: sent again, the node knows it as the same */

    bool unread_due;  /* the "-- carol (2) --" line should be shown */
    yr_ms unread_at;  /* monotonic: when it was shown last */
    char *guarded;    /* the line that Enter was pressed on once, see YR_TALK_GUARD */
    json_t *numbered; /* array of message ids: %1 is the first */
};

/* ---- chat.c ---- */

/** Monotonic milliseconds. */
yr_ms yr_talk_now(void);
/** Print safe text, lines separated by '\n', above the row. */
void yr_talk_print(struct yr_talk *chat, const char *text);
/** Print "-- ..." in the colour of system lines.  Arguments are safe. */
void yr_talk_say(struct yr_talk *chat, const char *format, ...) YR_PRINTF(2);
/** Print "yaari: ..." and a hint (NULL: none); made safe here. */
void yr_talk_fail(struct yr_talk *chat, const char *hint, const char *format, ...) YR_PRINTF(3);
/** Call the node; params taken.  NULL: it was said why. */
YR_MUST_USE json_t *yr_talk_call(struct yr_talk *chat, const char *method, json_t *params);
/** Hide the row and give the terminal back, and the opposite. */
void yr_talk_release(struct yr_talk *chat);
void yr_talk_take(struct yr_talk *chat);
/** Write what is to be shown. */
void yr_talk_flush(struct yr_talk *chat);
/** Width to fold at; 0: not at all. */
size_t yr_talk_columns(const struct yr_talk *chat);

/* ---- chat_conv.c ---- */

/** Read the friends from the node; unread: how much of each is unread, too, which events count on
 *  from there.  false: it was said why. */
YR_MUST_USE bool yr_talk_convs_load(struct yr_talk *chat, bool unread);
void yr_talk_convs_clear(struct yr_talk *chat);
/** The conversation of this id; NULL: none. */
struct yr_talk_conv *yr_talk_conv_by_id(const struct yr_talk *chat, const char *id);
/** The conversation of a Ref or friend record, made if it is new. */
struct yr_talk_conv *yr_talk_conv_of(struct yr_talk *chat, const json_t *ref);
/** Take over a friend record. */
struct yr_talk_conv *yr_talk_conv_update(struct yr_talk *chat, const json_t *friend);
/** Who a user means; the node decides.  NULL: it was said why. */
struct yr_talk_conv *yr_talk_conv_resolve(struct yr_talk *chat, const char *text);
/** How the node wants it named: an id, or "@me". */
const char *yr_talk_conv_target(const struct yr_talk_conv *conv);

/** Put a record into `recent`, in place of an older one with its id.  Returns the older one, owned
 * by the caller, or NULL. */
json_t *yr_talk_conv_remember(struct yr_talk_conv *conv, json_t *message);
/** The record in `recent` of this id or prefix; borrowed; NULL: not there or not unique. */
json_t *yr_talk_conv_message(const struct yr_talk_conv *conv, const char *id);
/** The last message that is own or not, not deleted; borrowed; NULL: none.  Looks into the node's
 *  history if nothing was read yet. */
json_t *yr_talk_conv_last(struct yr_talk *chat, struct yr_talk_conv *conv, bool own);

/** The last messages of a conversation, or those before the first one in memory, remembered; an
 * array owned by the caller; NULL: it was said why. */
json_t *yr_talk_conv_fetch(struct yr_talk *chat, struct yr_talk_conv *conv, size_t limit);
json_t *yr_talk_conv_fetch_earlier(struct yr_talk *chat, struct yr_talk_conv *conv, size_t limit);

/** Print messages, oldest first, with a line for each new day.  numbered: as %N. */
void yr_talk_conv_show(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *messages,
                       bool numbered);
/** Make it the current one; show its header, and its history or what is unread of it. */
void yr_talk_conv_open(struct yr_talk *chat, struct yr_talk_conv *conv);
/** The next message is of today, as everybody knows: it needs no line that says so. */
void yr_talk_conv_today(const struct yr_talk *chat, struct yr_talk_conv *conv);
/** "bob (online, verified)". */
void yr_talk_conv_describe(const struct yr_talk_conv *conv, struct yr_buf *out);
/** Tell the node that what was shown is read. */
void yr_talk_conv_mark(struct yr_talk *chat, struct yr_talk_conv *conv);
/** The next one with something unread behind the current; NULL: none. */
struct yr_talk_conv *yr_talk_conv_next_unread(const struct yr_talk *chat);
/** Prompt and history of the current one. */
void yr_talk_conv_prompt(struct yr_talk *chat);

/* ---- chat_event.c ---- */

/** One event of the node; borrowed. */
void yr_talk_event(struct yr_talk *chat, const json_t *event);
/** Show "-- carol (2) --" if it is due; ms until it will be, or -1. */
int yr_talk_unread_line(struct yr_talk *chat, bool now);

/** Say which texts are not delivered though their friend is online; ms until that may be due, or
 * -1.
 */
int yr_talk_overdue(struct yr_talk *chat);

/* ---- chat_command.c, chat_people.c ---- */

enum yr_talk_group {
    YR_TALK_MOVING,
    YR_TALK_WRITING,
    YR_TALK_HISTORY,
    YR_TALK_PEOPLE,
    YR_TALK_OTHER,
    YR_TALK_GROUPS
};
enum yr_talk_words { YR_TALK_NO_WORDS, YR_TALK_FRIENDS, YR_TALK_KEYS, YR_TALK_TOPICS };
struct yr_talk_command {
    const char *name, *operands;
    const char *help; /* NULL: another name of the command before it */
    enum yr_talk_group group;
    enum yr_talk_words words; /* what its first operand is */
    void (*run)(struct yr_talk *chat, const char *args);
};
extern const struct yr_talk_command yr_talk_commands[];
extern const size_t yr_talk_command_count;
extern const char *const yr_talk_topics[YR_TALK_GROUPS];

/** A line was entered. */
void yr_talk_entered(struct yr_talk *chat, const char *line);
/** The current conversation; NULL: it was said that there is none. */
struct yr_talk_conv *yr_talk_current(struct yr_talk *chat);
/** The first word of *args, owned by the caller; *args then stands at the next one.  NULL: none. */
char *yr_talk_word(const char **args);
/** A message id as typed: %N becomes the id it stands for.  Owned by the caller; NULL: said why. */
char *yr_talk_message_id(struct yr_talk *chat, const char *word);
/** Show the messages before the first one in memory. */
void yr_talk_earlier(struct yr_talk *chat);

#define YR_TALK_RUN(name) void yr_talk_run_##name(struct yr_talk *chat, const char *args)
YR_TALK_RUN(log);
YR_TALK_RUN(unread);
YR_TALK_RUN(show);
YR_TALK_RUN(why);
YR_TALK_RUN(mark);
YR_TALK_RUN(friends);
YR_TALK_RUN(whois);
YR_TALK_RUN(invite);
YR_TALK_RUN(add);
YR_TALK_RUN(reject);
YR_TALK_RUN(verify);
YR_TALK_RUN(rename);
YR_TALK_RUN(block);
YR_TALK_RUN(unblock);
YR_TALK_RUN(mute);
YR_TALK_RUN(nick);
YR_TALK_RUN(status);
YR_TALK_RUN(set);
YR_TALK_RUN(raw);

/* ---- chat_complete.c ---- */

void yr_talk_complete(void *chat, const char *text, size_t cursor, struct yr_edit_words *words);

#endif
