/* core/room/rooms.h: the rooms of a node: what binds logs, keys, conversations and spreading.
 * docs/protocol.md "Rooms"; B.9.
 *
 *     ROOM_INVITE came -> INVITED --join--> JOINING --our ADD came--> ACTIVE <-> KEYLESS
 *                            \--reject--> forgotten        removed, or left --> GONE
 *
 * A record of ours goes: written -> stored -> durable -> spread, so that no crash can make us write
 * a second one with its number.  Those of others are spread as soon as they are accepted.
 *
 * What a room needs of itself it does in time: a new epoch when none covers exactly the members,
 * or the present one is old; a new key for epoch secrets every week; the question for a key that is
 * missing; receipts.  Nothing of this asks anybody to be first: who comes second sees it is done.
 *
 *     rooms.c     the set of rooms, what is done when
 *     age.c       the clock by which keys grow old
 *     room_rows.c their rows
 *     spread.c    links, and when what is ours is spread
 *     join.c      how rooms begin: invitations, asking to join, adding
 *     acts.c      leaving, removing, ranks, settings
 *     control.c   control records: what they change, and the lines that say so
 *     keys.c      epochs: making them, asking for them, opening what waited for them
 *     says.c      content, ours and others'
 *     receipts.c  who has what, and has read it
 *     members.c   names, queries
 *
 * Errors: those of the caller come before anything has changed.  Those of the machine (ENOMEM, EIO,
 * ECORRUPT, ELOCKED) may leave half a change pending: nothing more may be committed, the owner
 * resets rows, events, chats and rooms as after a failed commit. */
#ifndef YR_ROOMS_H
#define YR_ROOMS_H

#include "core/chat/chat.h"
#include "core/room/sync.h"
#include "core/store/age.h"
#include "core/wire/messages.h"
#include "yaari/node.h"

struct yr_rooms;

/** A friend, as rooms see it.  Lent for the call. */
struct yr_rooms_friend {
    const uint8_t *id; /* 32 bytes */
    const char *name;  /* as shown here */
    bool online;
};

struct yr_rooms_ops {
    /** Queue a frame on the friend's rooms channel.  Errors: YR_EAGAIN: the link is down; YR_EFULL:
     *  yr_rooms_space will be called; others. */
    enum yr_err (*frame)(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len);
    /** 32 bytes that this friend and we alone know, and the direction byte of what we send. */
    const uint8_t *(*pair)(void *ctx, unsigned slot, uint8_t *out_dir);
    /** Put a plaintext into the friend's outbox; id and clock are the owner's to fill in. */
    enum yr_err (*tell)(void *ctx, unsigned slot, struct yr_plain *plain);
    /** The friend's slot; false: no friend, or one that is blocked. */
    bool (*slot_of)(void *ctx, const uint8_t id[YR_ID_LEN], unsigned *slot);
    /** The friend in a slot; false: none. */
    bool (*friend_at)(void *ctx, unsigned slot, struct yr_rooms_friend *out);
    /** How we call ourselves; NUL-terminated. */
    const char *(*nick)(void *ctx);
    /** Do we tell others what we have read? */
    bool (*read_receipts)(void *ctx);
    void *ctx;
};

/** All borrowed for the life of the rooms.  *out owned by the caller.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_rooms_new(struct yr_rooms **out, struct yr_mem *mem,
                                     struct yr_rows *rows, struct yr_events *events,
                                     struct yr_chats *chats, const struct yr_rng *rng,
                                     const struct yr_age *age, const struct yr_rooms_ops *ops);
void yr_rooms_free(struct yr_rooms *rooms);
/** Read all rooms; after yr_chats_start and the friends.  Nothing is verified again.
 *  Errors: YR_ECORRUPT; YR_ENOMEM; YR_EIO. */
YR_MUST_USE enum yr_err yr_rooms_start(struct yr_rooms *rooms, struct yr_now now);
/** Forget all that is in memory, keys wiped. */
/** After start: the store is an old copy of ours, and another one has written since.  What we say
 *  from now on is under new incarnations and keys.  Errors: of the machine. */
YR_MUST_USE enum yr_err yr_rooms_restored(struct yr_rooms *rooms, struct yr_now now);
void yr_rooms_reset(struct yr_rooms *rooms);

/* ---- commands (yaari/node.h); the caller has checked texts to be UTF-8 without NUL ---- */

/** Make a room of one member.  id receives its id.  Errors: YR_ESIZE; YR_EINVAL: hist_days;
 *  YR_EFULL: YR_ROOMS_MAX. */
YR_MUST_USE enum yr_err yr_rooms_make(struct yr_rooms *rooms, struct yr_now now, const char *name,
                                      size_t name_len, const char *topic, size_t topic_len,
                                      unsigned hist_days, uint8_t id[YR_ROOM_ID_LEN]);
/** Let a friend join: he is told, and added once he asks.  Errors: YR_ENOENT: no such room;
 *  YR_ENOFRIEND; YR_EDENIED; YR_EEXIST: a member already; YR_EFULL: no room for one more. */
YR_MUST_USE enum yr_err yr_rooms_invite(struct yr_rooms *rooms, struct yr_now now,
                                        const uint8_t room[YR_ROOM_ID_LEN],
                                        const uint8_t friend[YR_ID_LEN]);
/** Say yes to an invitation.  Errors: YR_ENOENT: there is none; YR_EEXIST: we are in it;
 *  YR_ENOFRIEND: none of those who invited us is a friend any more; YR_EFULL. */
YR_MUST_USE enum yr_err yr_rooms_join(struct yr_rooms *rooms, struct yr_now now,
                                      const uint8_t room[YR_ROOM_ID_LEN]);
/** Forget an invitation, or one's own wish to join.  Errors: YR_ENOENT. */
YR_MUST_USE enum yr_err yr_rooms_reject(struct yr_rooms *rooms, struct yr_now now,
                                        const uint8_t room[YR_ROOM_ID_LEN]);
/** Leave; `forget`: the history goes too, also of a room that is GONE.  Errors: YR_ENOENT;
 *  YR_EDENIED: gone already, and nothing to forget. */
YR_MUST_USE enum yr_err yr_rooms_leave(struct yr_rooms *rooms, struct yr_now now,
                                       const uint8_t room[YR_ROOM_ID_LEN], bool forget);
/** who: a friend's identity, or a mid and 16 zero bytes.  A new epoch without him follows at once.
 *  Errors: YR_ENOENT: no such room or member; YR_EDENIED; YR_EAGAIN: too many records at once. */
YR_MUST_USE enum yr_err yr_rooms_kick(struct yr_rooms *rooms, struct yr_now now,
                                      const uint8_t room[YR_ROOM_ID_LEN],
                                      const uint8_t who[YR_ID_LEN]);
/** rank: YR_RANK_ADMIN, _MOD or _MEMBER.  Errors as above; YR_EINVAL. */
YR_MUST_USE enum yr_err yr_rooms_role(struct yr_rooms *rooms, struct yr_now now,
                                      const uint8_t room[YR_ROOM_ID_LEN],
                                      const uint8_t who[YR_ID_LEN], unsigned rank);
/** Name or topic.  Errors: YR_ENOENT; YR_ESIZE; YR_EDENIED; YR_EAGAIN. */
YR_MUST_USE enum yr_err yr_rooms_set(struct yr_rooms *rooms, struct yr_now now,
                                     const uint8_t room[YR_ROOM_ID_LEN], enum yr_room_setting key,
                                     const char *value, size_t len);
/** Errors: YR_ENOENT. */
YR_MUST_USE enum yr_err yr_rooms_mute(struct yr_rooms *rooms, struct yr_now now,
                                      const uint8_t room[YR_ROOM_ID_LEN], yr_ms until_ms);
YR_MUST_USE enum yr_err yr_rooms_mentions(struct yr_rooms *rooms, struct yr_now now,
                                          const uint8_t room[YR_ROOM_ID_LEN], bool only);
/** Our nick changed. */
YR_MUST_USE enum yr_err yr_rooms_nick(struct yr_rooms *rooms, struct yr_now now);

/* ---- for the conversations (yr_chat_ops) ---- */

YR_MUST_USE enum yr_err yr_rooms_say(struct yr_rooms *rooms, struct yr_now now,
                                     const uint8_t conv[YR_ID_LEN], const uint8_t *plain,
                                     size_t len, uint8_t id[YR_MSG_ID_LEN]);
/** Our incarnation there, 8 bytes; NULL: not in it.  For chat. */
const uint8_t *yr_rooms_incarnation(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN]);
void yr_rooms_counts(struct yr_rooms *rooms, struct yr_message *message);
void yr_rooms_seen(struct yr_rooms *rooms, const uint8_t conv[YR_ID_LEN],
                   const uint8_t mid[YR_MID_LEN], const uint8_t incarnation[YR_INCARNATION_LEN],
                   uint64_t seq);
void yr_rooms_read(struct yr_rooms *rooms, struct yr_now now, const uint8_t conv[YR_ID_LEN]);

/* ---- friends and links ---- */

/** The link is up; again without `down`: by another connection, all begins anew. */
YR_MUST_USE enum yr_err yr_rooms_up(struct yr_rooms *rooms, struct yr_now now, unsigned slot);
void yr_rooms_down(struct yr_rooms *rooms, struct yr_now now, unsigned slot);
void yr_rooms_space(struct yr_rooms *rooms, struct yr_now now, unsigned slot);
/** Errors: YR_EPROTO: close the link; those of the machine. */
YR_MUST_USE enum yr_err yr_rooms_frame(struct yr_rooms *rooms, struct yr_now now, unsigned slot,
                                       uint8_t type, const uint8_t *body, size_t len);
/** No friend any more: who he is in our rooms is forgotten. */
void yr_rooms_unfriend(struct yr_rooms *rooms, struct yr_now now, const uint8_t id[YR_ID_LEN]);
/** A ROOM_INVITE or ROOM_JOIN came from this friend; what is no good is dropped and counted.
 *  Errors: those of the machine. */
YR_MUST_USE enum yr_err yr_rooms_plain(struct yr_rooms *rooms, struct yr_now now, unsigned slot,
                                       const struct yr_plain *plain);

/* ---- time and the store ---- */

YR_MUST_USE enum yr_err yr_rooms_tick(struct yr_rooms *rooms, struct yr_now now);
yr_us yr_rooms_deadline(const struct yr_rooms *rooms);
/** Before a transaction is taken: rows that changed. */
YR_MUST_USE enum yr_err yr_rooms_flush(struct yr_rooms *rooms, struct yr_now now);
/** Everything up to this token is durable: records of ours that waited are spread. */
YR_MUST_USE enum yr_err yr_rooms_release(struct yr_rooms *rooms, struct yr_now now,
                                         uint64_t durable);

/* ---- queries (yaari/node.h) ---- */

uint64_t yr_rooms_version(const struct yr_rooms *rooms);
bool yr_rooms_at(struct yr_rooms *rooms, struct yr_now now, size_t i, struct yr_room_info *out);
YR_MUST_USE enum yr_err yr_rooms_info(struct yr_rooms *rooms, struct yr_now now,
                                      const uint8_t room[YR_ROOM_ID_LEN], struct yr_room_info *out);
bool yr_rooms_member_at(struct yr_rooms *rooms, struct yr_now now,
                        const uint8_t room[YR_ROOM_ID_LEN], size_t i, struct yr_member_info *out);
YR_MUST_USE enum yr_err yr_rooms_member(struct yr_rooms *rooms, struct yr_now now,
                                        const uint8_t room[YR_ROOM_ID_LEN],
                                        const uint8_t mid[YR_MID_LEN], struct yr_member_info *out);
/** The i-th present member but us whom a message of ours was for and who has not got it yet; false
 *  past the end. */
bool yr_rooms_missing(struct yr_rooms *rooms, const uint8_t room[YR_ROOM_ID_LEN], uint64_t seq,
                      const uint8_t incarnation[8], size_t i, uint8_t mid[YR_MID_LEN]);

struct yr_counter yr_rooms_counter(const struct yr_rooms *rooms, size_t i);

#endif
