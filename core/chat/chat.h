/* core/chat/chat.h: conversations: what was said, in which order it is shown, what became of it.
 * docs/protocol.md "Messages".
 *
 * A conversation is a set of messages and a set of operations on message ids (edit, delete,
 * reaction, receipt).  Both merge in any order: two members with the same records show the same
 * history.  Display key = (eff, author's first bytes, seq, hash of the id), where eff is the
 * message's hybrid logical clock as sent, raised to one above its parents' eff: causal first, then
 * by clock, nothing local in it.
 *
 * A conversation that is a room works alike, but its record log has ordered it before: `eff` comes
 * with each message, ancestors first, and never changes; ids are hashes of records.  There an
 * author is a mid and 16 zero bytes, and what we say leaves through ops->say and comes back through
 * yr_chat_take like everybody's.
 *
 * The module keeps its state in rows only, but for each conversation's heads and counters.  It asks
 * for delivery of what it says through ops->deliver and tells what happened through yr_events.
 *
 * Errors: those of the caller (ESIZE, EINVAL, ENOENT, ENOFRIEND, EDENIED, EEXIST, EFULL) and of the
 * peer (EPROTO, EEXIST) come before anything has changed, and so does what deliver refuses.  Those
 * of the machine (ENOMEM, EIO, ECORRUPT, ELOCKED) may leave half a change pending: nothing more may
 * be committed, the owner resets rows, events and chats as after a failed commit. */
#ifndef YR_CHAT_H
#define YR_CHAT_H

#include "core/chat/events.h"
#include "core/store/rows.h"
#include "core/wire/messages.h"
#include "yaari/node.h"

struct yr_chats;

struct yr_chat_ops {
    /** Deliver a plaintext of ours to the conversation's other member; called at most once per
     *  message or operation, and once more for the tombstone of one that was recalled, inside the
     *  transaction that stores it.  Not called for notes to self.
     *  Errors go up: the command fails and nothing was changed. */
    enum yr_err (*deliver)(void *ctx, const uint8_t conv[YR_ID_LEN],
                           const uint8_t id[YR_MSG_ID_LEN], const uint8_t *plain, size_t len);
    /** Take back what has not left yet: true if nobody else can have it. */
    bool (*recall)(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t id[YR_MSG_ID_LEN]);

    /* rooms; all five may be NULL while none is open */

    /** Seal a plaintext of ours (yr_plain_decode_room), log its record, and give it to yr_chat_take
     *  with said->own before this returns; id receives the first bytes of its rec_id.  Meanwhile
     *  yr_chat_take, _unreadable, _raise and _note may be called for anything; `plain` stays.
     *  Errors go up: the command fails and nothing was changed. */
    enum yr_err (*say)(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                       const uint8_t *plain, size_t len, uint8_t id[YR_MSG_ID_LEN]);
    /** In which chain we write in this room now: 8 bytes, lent; NULL: not known.  Calls nothing of
     *  the chats. */
    const uint8_t *(*incarnation)(void *ctx, const uint8_t conv[YR_ID_LEN]);
    /** An own text in a room is being shown: fill `of`, `delivered_to` and `read_by`, which are
     *  zero; the rest is there.  Calls nothing of the chats. */
    void (*counts)(void *ctx, struct yr_message *message);
    /** We have read this message of another member, which was unread: once for each, in no order,
     *  with the author's mid and the place of its record in the author's log.  Calls nothing of the
     *  chats.  Of more than YR_SKIPPED_READ_MAX that came late, above what was read, the oldest
     *  count as read without this: the highest seq of an author says what it needs to. */
    void (*seen)(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t mid[YR_MID_LEN],
                 const uint8_t incarnation[YR_INCARNATION_LEN], uint64_t seq);
    /** ... and after those, once: all up to here was read, or was before. */
    void (*read)(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                 const struct yr_place *marker);
    void *ctx;
};

/** All borrowed for the life of the chats.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_chats_new(struct yr_chats **out, struct yr_mem *mem,
                                     struct yr_rows *rows, struct yr_events *events,
                                     const struct yr_rng *rng, const struct yr_chat_ops *ops);
void yr_chats_free(struct yr_chats *chats);
/** Our identity is known: the log incarnation is read or made, the note to self opened. */
YR_MUST_USE enum yr_err yr_chats_start(struct yr_chats *chats, struct yr_now now,
                                       const uint8_t self[YR_ID_LEN]);
/** Forget all that is in memory (after a failed commit); yr_chats_start and yr_chat_open follow. */
void yr_chats_reset(struct yr_chats *chats);

/** Have the conversation with this friend at hand: heads, counters.  Idempotent.
 *  Errors: YR_EFULL: as many as friends, rooms and oneself; YR_ENOMEM, YR_EIO, YR_ECORRUPT. */
YR_MUST_USE enum yr_err yr_chat_open(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN]);
/** The same for a room, in which we are `mid`.  nick: our name there, with a final NUL, cut after
 *  YR_NICK_MAX bytes; of what comes from now on "@nick" is a mention.  Idempotent: another mid or
 *  nick replaces the one before.  Errors: as yr_chat_open; YR_EEXIST: it is open, and no room. */
YR_MUST_USE enum yr_err yr_chat_open_room(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN],
                                          const uint8_t mid[YR_MID_LEN], const char *nick);
/** Forget it; `history` deletes its rows too, all at once (yr_chat_erase does not). */
YR_MUST_USE enum yr_err yr_chat_drop(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN],
                                     bool history);
/** Delete up to `max` messages and what waits for them of a conversation that is not open; *more:
 *  some are left, go on in another transaction.  Nothing there is no error.  Whoever erases in
 *  steps remembers across a restart that there is more, and does not open it in between.
 *  Errors: YR_EEXIST: it is open; those of the machine. */
YR_MUST_USE enum yr_err yr_chat_erase(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN],
                                      size_t max, bool *more);

/** A text or action of ours.  A note to self (conv = self) is DELIVERED at once: its reader's disk
 *  is this one.  reply_to NULL or zero: none.  key: idempotence key (<= 64 bytes; used
 *  within 24 h before: that message's id, YR_EEXIST).  id receives the new id.
 *  Errors: YR_ESIZE (empty or > YR_TEXT_MAX; in a room > YR_ROOM_TEXT_MAX), YR_EINVAL (not UTF-8),
 *  YR_ENOENT (unknown reply_to), YR_ENOFRIEND, YR_EEXIST, what deliver or say returns. */
YR_MUST_USE enum yr_err yr_chat_send(struct yr_chats *chats, struct yr_now now,
                                     const uint8_t conv[YR_ID_LEN], bool action, const void *text,
                                     size_t len, const uint8_t *reply_to, const void *key,
                                     size_t key_len, uint8_t id[YR_MSG_ID_LEN]);
/** The same, of a text that is given up unless it is delivered by expires_ms (wall clock, rounded
 * up to a second; 0: never; not in a room): it becomes FAILED and is taken back, or, if somebody
 * may have it already, FAILED when YR_EXPIRY_GRACE_S have passed, within which it is still shown.
 *  Further errors: YR_EEXPIRED: that time has passed; YR_EINVAL: in a room, or further ahead than
 *  YR_EXPIRY_S_MAX. */
YR_MUST_USE enum yr_err yr_chat_send_until(struct yr_chats *chats, struct yr_now now,
                                           const uint8_t conv[YR_ID_LEN], bool action,
                                           const void *text, size_t len, const uint8_t *reply_to,
                                           const void *key, size_t key_len, yr_ms expires_ms,
                                           uint8_t id[YR_MSG_ID_LEN]);
/** Give up what is past its time, up to some, and say when there is more: *next_ms, wall clock;
 *  INT64_MAX: nothing has a time.  Errors: those of the machine. */
YR_MUST_USE enum yr_err yr_chats_expire(struct yr_chats *chats, struct yr_now now, yr_ms *next_ms);
/** A friend keeps this text of ours for the one it is for, durably: it becomes HELD, unless it has
 *  got further.  An unknown id, or one of an operation: nothing happens.  Errors: YR_ENOFRIEND: no
 *  open conversation; those of the machine. */
YR_MUST_USE enum yr_err yr_chat_held(struct yr_chats *chats, struct yr_now now,
                                     const uint8_t conv[YR_ID_LEN],
                                     const uint8_t id[YR_MSG_ID_LEN]);
/** Errors: YR_ENOENT; YR_EDENIED (not ours, deleted, or given up; in a room: said before our chain
 * began anew); YR_ESIZE; YR_EINVAL; YR_ENOFRIEND; what deliver or say returns. */
YR_MUST_USE enum yr_err yr_chat_edit(struct yr_chats *chats, struct yr_now now,
                                     const uint8_t id[YR_MSG_ID_LEN], const void *text, size_t len);
/** local: only here (any message); else one of ours, everywhere; one that nobody has yet becomes
 *  CANCELLED (events STATE and DELETE): a tombstone leaves in its stead, and of what it said or
 *  answered nothing does, nor of its edits.  What is deleted already is no error; what is deleted
 *  only here can still be deleted everywhere.  What was said in a room is never CANCELLED: its
 *  record is in the log.  Errors: YR_ENOENT; YR_EDENIED (not ours); YR_ENOFRIEND; what deliver or
 *  say returns. */
YR_MUST_USE enum yr_err yr_chat_delete(struct yr_chats *chats, struct yr_now now,
                                       const uint8_t id[YR_MSG_ID_LEN], bool local);
/** emoji: 1..YR_EMOJI_MAX bytes of UTF-8.  Setting it again, or taking back none, does nothing.
 *  Errors: YR_ENOENT; YR_EDENIED (deleted, or a system line); YR_EFULL: one more than are kept
 *  (record.h); YR_ESIZE; YR_EINVAL; YR_ENOFRIEND; what deliver or say returns. */
YR_MUST_USE enum yr_err yr_chat_react(struct yr_chats *chats, struct yr_now now,
                                      const uint8_t id[YR_MSG_ID_LEN], const void *emoji,
                                      size_t len, bool remove);
/** Move our read marker to `id` (never back; NULL or zero: to the end).  All at or above it in
 *  display order becomes read; a message that comes late and stands above the marker is unread
 * until the next read at or below it.  receipts: tell the author (in a room ops->seen and ops->read
 * are always called, and decide that).  Nothing to read is no error.
 *  Errors: YR_ENOENT; YR_ENOFRIEND. */
YR_MUST_USE enum yr_err yr_chat_read(struct yr_chats *chats, struct yr_now now,
                                     const uint8_t conv[YR_ID_LEN], const uint8_t *id,
                                     bool receipts);
/** A line of our own making ("bob's device key changed"): kind SYSTEM, local only, below all that
 *  is there.  In a room its author is zero.  Errors: YR_ENOFRIEND. */
YR_MUST_USE enum yr_err yr_chat_note(struct yr_chats *chats, struct yr_now now,
                                     const uint8_t conv[YR_ID_LEN], const char *text);

/** What a profile, prekey or other non-conversation plaintext was, for the owner to act on. */
struct yr_chat_aside {
    enum yr_plain_type type; /* YR_PLAIN_COUNT: nothing to do */
    struct yr_plain plain;   /* lent from the source bytes */
    bool receipted; /* a DELIVERED receipt will say that it came: it is a text, and shown */
};

/** An authenticated plaintext from `author` in `conv` (B.7 map).  Total, and never a reason to
 * close the link: bytes that do not decode leave a line "a message could not be read", at most one
 * a minute and conversation, and are YR_EPROTO.  A type that this version does not know stands in
 *  the history as a SYSTEM line when it has an incarnation, as messages do; else it is told like
 *  bytes that do not decode.
 *  Texts are queued for a delivered receipt (yr_chats_flush), those seen before too.  A tombstone
 *  stands in the history as a deleted text that is not unread; there is no event for it.
 *  A text that comes more than YR_EXPIRY_GRACE_S past its own time leaves no more than that either,
 *  and no receipt.
 *  Errors: YR_EEXIST: an id seen before (same content: harmless; other content: counted);
 *  YR_EPROTO: dropped and counted, also for a conversation that is not open; YR_ENOMEM; YR_EIO. */
YR_MUST_USE enum yr_err yr_chat_receive(struct yr_chats *chats, struct yr_now now,
                                        const uint8_t conv[YR_ID_LEN],
                                        const uint8_t author[YR_ID_LEN], const uint8_t *plain,
                                        size_t len, struct yr_chat_aside *aside);

/* ---- what comes out of a room's log ---- */

/** A record as the conversation needs it. */
struct yr_chat_said {
    const uint8_t *id;          /* lent: the first 16 bytes of its rec_id */
    const uint8_t *author;      /* lent: mid, 16 bytes */
    const uint8_t *incarnation; /* lent: of the author's log, 8 bytes */
    uint64_t hlc, seq;
    uint64_t eff; /* max(hlc, its ancestors' eff + 1): with author, seq and id its place for ever */
    bool own;     /* the author is ourselves */
    /** The lowest seq that two records of its chain have, as far as is known; 0: it does not fork.
     *  From there on the chain says nothing: a line stands for each of its contents, whoever can
     *  read it.  Edits and reactions do not count in any of it.  A deletion does: what it took away
     *  somewhere cannot come back. */
    uint64_t fork;
};
/** An opened content: a new message (own ones ACCEPTED), an operation on one (applied, or kept
 *  until its target comes), or, if it does not decode or is of a later version's type, a SYSTEM
 *  line at its place.  Whatever order they come in, all who took the same ones show the same.
 *  Idempotent.  What has no effect (not the author's to edit, a reaction too many) is counted and
 *  YR_OK.
 *  Errors: YR_ENOFRIEND: no open room; those of the machine. */
YR_MUST_USE enum yr_err yr_chat_take(struct yr_chats *chats, struct yr_now now,
                                     const uint8_t conv[YR_ID_LEN], const struct yr_chat_said *said,
                                     const uint8_t *plain, size_t len);
/** A content that nobody here will ever open: a SYSTEM line at its place, for good.  Errors: as
 *  yr_chat_take. */
YR_MUST_USE enum yr_err yr_chat_unreadable(struct yr_chats *chats, struct yr_now now,
                                           const uint8_t conv[YR_ID_LEN],
                                           const struct yr_chat_said *said);
/** A content at or after the fork of its chain (said->fork): the same line, also in place of what
 *  was shown, with its text, reactions and mention; event EDIT, or MESSAGE if nothing was.
 *  Idempotent.  Errors: as yr_chat_take. */
YR_MUST_USE enum yr_err yr_chat_void(struct yr_chats *chats, struct yr_now now,
                                     const uint8_t conv[YR_ID_LEN],
                                     const struct yr_chat_said *said);
/** How far yr_chat_disown is; zero at first. */
struct yr_chat_walk {
    struct yr_row at;
    bool begun, waiting_done;
};
/** A chain forks: take back what its edits and reactions did, looking at up to *left rows of the
 *  conversation, which are counted off.  Whoever does it in steps gives yr_chat_take the fork from
 *  before the first on, and begins anew after a crash.  Events EDIT and REACTION.
 *  Errors: as yr_chat_take; YR_EAGAIN: there is more. */
YR_MUST_USE enum yr_err yr_chat_disown(struct yr_chats *chats, struct yr_now now,
                                       const uint8_t conv[YR_ID_LEN], const uint8_t mid[YR_MID_LEN],
                                       const uint8_t incarnation[YR_INCARNATION_LEN],
                                       struct yr_chat_walk *walk, unsigned *left);
/** An own message of a room is DELIVERED to, or READ by, all who can have it.  A state that is no
 *  step forward, an unknown id, or one of an operation: nothing happens.
 *  Errors: YR_ENOFRIEND: no open room; those of the machine. */
YR_MUST_USE enum yr_err yr_chat_raise(struct yr_chats *chats, struct yr_now now,
                                      const uint8_t conv[YR_ID_LEN],
                                      const uint8_t id[YR_MSG_ID_LEN], enum yr_state state);

/** Before a transaction is taken: one delivered receipt per conversation for all texts received
 *  since the last (through deliver), and rows of counters and heads that changed. */
YR_MUST_USE enum yr_err yr_chats_flush(struct yr_chats *chats, struct yr_now now);

/** The node's queries of the same names (yaari/node.h). */
YR_MUST_USE enum yr_err yr_chat_message(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                                        struct yr_message *out);
YR_MUST_USE enum yr_err yr_chat_history(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN],
                                        enum yr_seek how, struct yr_place *key,
                                        struct yr_message *out);
YR_MUST_USE enum yr_err yr_chat_place(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                                      uint8_t conv[YR_ID_LEN], struct yr_place *out);
size_t yr_chat_prefix(struct yr_chats *chats, const uint8_t prefix[YR_MSG_ID_LEN], size_t bits,
                      uint8_t (*out)[YR_MSG_ID_LEN], size_t cap);
void yr_chat_unread(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN], struct yr_unread *out);

struct yr_counter yr_chats_counter(const struct yr_chats *chats, size_t i);

#endif
