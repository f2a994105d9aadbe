/* chat_int.h: what the parts of `yaari chat` share.
 *
 *     chat.c           life, terminal, the loop, the connection
 *     chat_conv.c      conversations: who they are with, what was said, what is read
 *     chat_show.c      conversations on the screen
 *     chat_room.c      what a conversation with many has beside: state, members, invitations
 *     chat_event.c     events of the node as lines
 *     chat_command.c   slash commands: the table, moving and texts
 *     chat_member.c    those about rooms and their members
 *     chat_request.c   those about links and invitations
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

enum yr_talk_state {
    YR_TALK_UNKNOWN, /* only its name is known */
    YR_TALK_INVITED,
    YR_TALK_JOINING,
    YR_TALK_ACTIVE,
    YR_TALK_KEYLESS,
    YR_TALK_LEFT
};
/** What a room has and a friend has not. */
struct yr_talk_room {
    enum yr_talk_state state;
    char role[12];  /* our own */
    char self[32];  /* our member id; empty: none yet */
    char *topic;    /* untrusted */
    json_t *from;   /* Ref of the friend who invited us; NULL: nobody */
    json_t *people; /* array of member records; NULL: not read yet */
    int64_t members, online, waiting;
    unsigned mentions; /* among what is unread */
    bool mentions_only;
    char due_id[32]; /* the message that due_at is about */
};

enum yr_talk_typing { YR_TALK_TYPING_DEFAULT, YR_TALK_TYPING_NO, YR_TALK_TYPING_YES };

/** A friend, a room, or the note to self. */
struct yr_talk_conv {
    char id[64];               /* full id */
    char *name;                /* as the node calls it; untrusted */
    char *shown;               /* safe; with '~' until renamed or verified; a room's with '#' */
    struct yr_talk_room *room; /* owned; NULL: no room */
    bool self, friend, gone, online, verified, blocked, muted;
    bool opened;    /* its history was shown */
    bool told;      /* it was said that texts to it wait */
    bool told_held; /* ... and that friends keep them */
    bool away;      /* so the friend says, and why: */
    char *away_text;
    bool writes;                /* to us, now */
    enum yr_talk_typing typing; /* may it know that we write? */
    bool wrote;                 /* the node was told that we do, or no more ... */
    yr_ms wrote_at;             /* ... then; monotonic */
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
    struct yr_talk_conv **convs; /* owned; friends, rooms; the note to self once it is used */
    size_t conv_count;
    struct yr_talk_conv *current; /* NULL: none yet */

    char *unsure;      /* what was sent and not answered; NULL: nothing */
    char send_key[33]; /* of it: sent again, the node knows it as the same */

    yr_ms bell_at;    /* monotonic: when the bell was rung last */
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
/** Ring the terminal's bell, unless it rang just now, the user wants none, or there is none. */
void yr_talk_ring(struct yr_talk *chat);
/** Width to fold at; 0: not at all. */
size_t yr_talk_columns(const struct yr_talk *chat);

/* ---- chat_conv.c ---- */

/** Read friends and rooms from the node; unread: how much of each is unread, too, which events
 * count on from there.  false: it was said why. */
YR_MUST_USE bool yr_talk_convs_load(struct yr_talk *chat, bool unread);
void yr_talk_convs_clear(struct yr_talk *chat);
/** The conversation of this id; NULL: none. */
struct yr_talk_conv *yr_talk_conv_by_id(const struct yr_talk *chat, const char *id);
/** The conversation of a Ref, friend or room record, made if it is new. */
struct yr_talk_conv *yr_talk_conv_of(struct yr_talk *chat, const json_t *ref);
/** Take over a friend record. */
struct yr_talk_conv *yr_talk_conv_update(struct yr_talk *chat, const json_t *friend);
/** Its name has changed.  theirs: it calls itself so. */
void yr_talk_conv_name(struct yr_talk_conv *conv, const char *name, bool theirs);
/** The friend, room or self that a user means; the node decides.  NULL: it was said why. */
struct yr_talk_conv *yr_talk_conv_resolve(struct yr_talk *chat, const char *text);
/** The same among friends. */
struct yr_talk_conv *yr_talk_friend_resolve(struct yr_talk *chat, const char *text);
/** Append who said it: "me", "bob", "~zed"; safe. */
void yr_talk_conv_speaker(const struct yr_talk_conv *conv, const json_t *message,
                          struct yr_buf *out);
/** Our own id in it, as authors of messages and reactions are named. */
const char *yr_talk_conv_self(const struct yr_talk *chat, const struct yr_talk_conv *conv);
/** How much of it is unread and worth a word: in a room where only mentions count, those. */
unsigned yr_talk_conv_news(const struct yr_talk_conv *conv);
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
 *  array owned by the caller; NULL: it was said why.  lines: in a room, its own lines too, as who
 *  came and went belongs to what was said. */
json_t *yr_talk_conv_fetch(struct yr_talk *chat, struct yr_talk_conv *conv, size_t limit,
                           bool lines);
json_t *yr_talk_conv_fetch_earlier(struct yr_talk *chat, struct yr_talk_conv *conv, size_t limit);

/** The next message is of today, as everybody knows: it needs no line that says so. */
void yr_talk_conv_today(const struct yr_talk *chat, struct yr_talk_conv *conv);
/** "bob (online, verified)". */
void yr_talk_conv_describe(const struct yr_talk_conv *conv, struct yr_buf *out);
/** Tell the node that what was shown is read. */
void yr_talk_conv_mark(struct yr_talk *chat, struct yr_talk_conv *conv);
/** The next one with something unread behind the current; NULL: none. */
struct yr_talk_conv *yr_talk_conv_next_unread(const struct yr_talk *chat);
/* ---- chat_show.c ---- */

/** Print messages, oldest first, with a line for each new day.  numbered: as %N. */
void yr_talk_conv_show(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *messages,
                       bool numbered);
/** Make it the current one; show its header, and its history or what is unread of it. */
void yr_talk_conv_open(struct yr_talk *chat, struct yr_talk_conv *conv);
/** Prompt and history of the current one. */
void yr_talk_conv_prompt(struct yr_talk *chat);

/* ---- chat_room.c ---- */

/** A room whose name alone is known. */
struct yr_talk_room *yr_talk_room_new(void);
void yr_talk_room_free(struct yr_talk_room *room);
/** Take over a room record. */
struct yr_talk_conv *yr_talk_room_update(struct yr_talk *chat, const json_t *record);
/** Ask the node how a room is.  false: it was said why. */
bool yr_talk_room_read(struct yr_talk *chat, struct yr_talk_conv *conv);
/** Read who is in it; nothing if we are not. */
void yr_talk_room_people(struct yr_talk *chat, struct yr_talk_conv *conv);
/** Append " (founder, 2 of 4 members seen lately)". */
void yr_talk_room_describe(const struct yr_talk_conv *conv, struct yr_buf *out);
/** Events "room" and "member"; borrowed. */
void yr_talk_room_event(struct yr_talk *chat, const json_t *data);
void yr_talk_member_event(struct yr_talk *chat, const json_t *data);
/** Names of friends have changed, and so have those of members. */
void yr_talk_rooms_renamed(struct yr_talk *chat);
/** Say which invitation waits for an answer; id NULL: all of them. */
void yr_talk_say_invitations(struct yr_talk *chat, const char *room_id);
/** An own message is in the room: see to it that it gets out. */
void yr_talk_room_sent(struct yr_talk *chat, struct yr_talk_conv *conv, const json_t *message);
/** Is there somebody who has the message that is due? */
void yr_talk_room_due(struct yr_talk *chat, struct yr_talk_conv *conv);
/** Append "delivered to 3 of 4, read by 2" of an own message in a room; nothing of others. */
void yr_talk_counts(struct yr_buf *out, const json_t *message);

/* ---- chat_member.c ---- */

/** Append a member's name as rooms show it: "bob", "~zed"; safe. */
void yr_talk_member_name(struct yr_buf *out, const json_t *member);
/** The member that a word means, of those in memory; borrowed; NULL: none, or more than one. */
const json_t *yr_talk_member_find(const struct yr_talk_conv *conv, const char *word);
/** Say who a member is. */
void yr_talk_say_member(struct yr_talk *chat, const struct yr_talk_conv *conv,
                        const json_t *member);

/* ---- chat_event.c ---- */

/** One event of the node; borrowed. */
void yr_talk_event(struct yr_talk *chat, const json_t *event);
/** Show "-- carol (2) --" if it is due; ms until it will be, or -1. */
int yr_talk_unread_line(struct yr_talk *chat, bool now);

/** Say which texts are not delivered though their friend is online; ms until that may be due, or
 * -1.
 */
int yr_talk_overdue(struct yr_talk *chat);

/* ---- chat_presence.c ---- */

/** Take over how a friend says to be, from a record or event; true: that has changed. */
bool yr_talk_conv_away(struct yr_talk_conv *conv, const json_t *record);
/** Events "presence" and "typing"; borrowed. */
void yr_talk_presence_event(struct yr_talk *chat, const json_t *data);
void yr_talk_typing_event(struct yr_talk *chat, const json_t *data);
/** Keys were pressed: a friend who may know it is told that we are writing. */
void yr_talk_composing(struct yr_talk *chat);

/* ---- chat_command.c, chat_people.c, chat_member.c, chat_request.c ---- */

enum yr_talk_group {
    YR_TALK_MOVING,
    YR_TALK_WRITING,
    YR_TALK_HISTORY,
    YR_TALK_PEOPLE,
    YR_TALK_ROOMS,
    YR_TALK_OTHER,
    YR_TALK_GROUPS
};
enum yr_talk_words {
    YR_TALK_NO_WORDS,
    YR_TALK_TARGETS, /* friends and rooms */
    YR_TALK_FRIENDS,
    YR_TALK_ROOM_NAMES,
    YR_TALK_GUESTS,      /* in a room: friends */
    YR_TALK_MEMBERS,     /* of the current room; elsewhere friends */
    YR_TALK_MEMBER_ROLE, /* the same, and behind it a role */
    YR_TALK_KEYS,
    YR_TALK_TOPIC_NAMES /* of /help */
};
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
/** All of the arguments as one name, without its quotes; owned by the caller; NULL: none. */
char *yr_talk_rest(const char *args);
/** The current conversation if it is a room; NULL: it was said that it is none. */
struct yr_talk_conv *yr_talk_current_room(struct yr_talk *chat);
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
YR_TALK_RUN(accept);
YR_TALK_RUN(reject);
YR_TALK_RUN(join);
YR_TALK_RUN(leave);
YR_TALK_RUN(new);
YR_TALK_RUN(topic);
YR_TALK_RUN(members);
YR_TALK_RUN(kick);
YR_TALK_RUN(role);
YR_TALK_RUN(verify);
YR_TALK_RUN(rename);
YR_TALK_RUN(block);
YR_TALK_RUN(unblock);
YR_TALK_RUN(mute);
YR_TALK_RUN(nick);
YR_TALK_RUN(away);
YR_TALK_RUN(back);
YR_TALK_RUN(status);
YR_TALK_RUN(set);
YR_TALK_RUN(raw);

/* ---- chat_complete.c ---- */

void yr_talk_complete(void *chat, const char *text, size_t cursor, struct yr_edit_words *words);

#endif
