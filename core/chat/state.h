/* core/chat/state.h: what the files of this room share.  No other room includes it.
 *
 *     chat.c     conversations as a set, the flush
 *     say.c      what we say
 *     receive.c  what others say
 *     room.c     what is said in rooms
 *     order.c    where a message stands, and what moves when an ancestor comes late
 *     marker.c   what was read
 *     query.c    what front ends ask
 *     record.c, conv.c, hlc.c    rows and clocks, knowing nothing of the others */
#ifndef YR_CHAT_STATE_H
#define YR_CHAT_STATE_H

#include "core/chat/chat.h"
#include "core/chat/conv.h"

/*    X(NAME, counter name) */
#define YR_CHAT_COUNTER_MAP(X)                                                                   \
    X(DUPLICATE, "chat.duplicate") /* seen before, the same */                                   \
    X(CONFLICT, "chat.conflict")   /* an id used again for something else */                     \
    X(FOREIGN, "chat.foreign")     /* an id of another author or conversation */                 \
    X(DENIED, "chat.denied")       /* an operation on what is not the author's */                \
    X(REACTIONS_FULL, "chat.reactions_full")                                                     \
    X(ORPHANS_FULL, "chat.orphans_full") /* operations on unknown targets over the bound */      \
    X(CLASH, "chat.clash")               /* two messages whose ids hash alike claim one place */ \
    X(GAVE_UP, "chat.gave_up")           /* stopped waiting for ancestors */                     \
    X(UNREADABLE, "chat.unreadable")                                                             \
    X(VOIDED, "chat.voided") /* said after the fork of its chain */                              \
    X(UNKNOWN, "chat.unknown_type")                                                              \
    X(MALFORMED, "chat.malformed")         /* readable, but without what its type needs */       \
    X(RECEIPTS_LOST, "chat.receipts_lost") /* could not be queued; the sender goes on waiting */

enum yr_chat_counter {
#define X(name, text) YR_CHAT_##name,
    YR_CHAT_COUNTER_MAP(X)
#undef X
        YR_CHAT_COUNTER_COUNT
};

/** A known message that must be looked at again because of an ancestor. */
struct yr_job {
    uint8_t id[YR_MSG_ID_LEN];
    uint64_t eff; /* when it was put here: parents come first */
    bool done;
};

struct yr_chats {
    struct yr_mem *mem;
    struct yr_rows *rows;
    struct yr_events *events;
    const struct yr_rng *rng;
    const struct yr_chat_ops *ops;
    uint8_t self[YR_ID_LEN];
    uint8_t incarnation[YR_INCARNATION_LEN];
    struct yr_conv *convs[YR_FRIENDS_MAX + 1 + YR_ROOMS_MAX]; /* sorted by id */
    size_t conv_count;
    uint64_t counters[YR_CHAT_COUNTER_COUNT];
    struct yr_row purged; /* how far old idempotence keys were looked through */
    bool id_begun;
    uint8_t id_head[2]; /* how ids of this transaction begin */

    /* scratch, each for the one use its name says */
    uint8_t row[YR_RECORD_BUF];         /* the record read last */
    uint8_t out[YR_RECORD_MAX];         /* the record being written */
    uint8_t change[YR_CHANGE_MAX + 64]; /* an operation that waited */
    uint8_t text[YR_TEXT_MAX];          /* the best edit among those */
    uint8_t plain[YR_PLAIN_MAX];        /* a plaintext of ours: nothing else while ops->say runs */
    struct yr_record record;            /* of the message being looked at */
    struct yr_record moving;            /* of one that moves because of it */
    struct yr_job jobs[YR_EDGES_MAX];
    size_t job_count;
};

void yr_chats_count(struct yr_chats *chats, enum yr_chat_counter counter);
/** The open conversation, or NULL. */
struct yr_conv *yr_chats_conv(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN]);
bool yr_msg_id_ok(const uint8_t *id); /* there, and not zero */
void yr_chats_fresh_id(struct yr_chats *chats, uint8_t id[YR_MSG_ID_LEN]);
/** Is it the note to self? */
bool yr_chats_is_self(const struct yr_chats *chats, const struct yr_conv *conv);

/** Append an event about a message; *cursor (may be NULL) receives its cursor. */
YR_MUST_USE enum yr_err yr_chats_tell(struct yr_chats *chats, struct yr_now now,
                                      enum yr_event_kind kind, const struct yr_conv *conv,
                                      const uint8_t msg[YR_MSG_ID_LEN], enum yr_state state,
                                      uint64_t *cursor);
/** Encode and hand over to ops->deliver; nothing for notes to self. */
YR_MUST_USE enum yr_err yr_chats_post(struct yr_chats *chats, const struct yr_conv *conv,
                                      const struct yr_plain *plain);
/** A new line of kind SYSTEM. */
YR_MUST_USE enum yr_err yr_chats_line(struct yr_chats *chats, struct yr_now now,
                                      struct yr_conv *conv, const uint8_t author[YR_ID_LEN],
                                      const char *text);
/** Post one DELIVERED receipt for what is queued. */
YR_MUST_USE enum yr_err yr_chats_post_acks(struct yr_chats *chats, struct yr_now now,
                                           struct yr_conv *conv);

/* Lines in place of what cannot be shown. */
#define UNREADABLE_TEXT "a message could not be read"
#define UNKNOWN_TEXT    "a message needs a newer version of yaari"

/* ---- rows ---- */

struct yr_index {
    uint8_t conv[YR_ID_LEN];
    struct yr_place place;
    uint32_t epoch; /* the conversation's while it waits for ancestors; else another, or 0 */
};
/** Errors: YR_ENOENT; YR_ECORRUPT; as yr_rows_get. */
YR_MUST_USE enum yr_err yr_index_get(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                                     struct yr_index *out);
YR_MUST_USE enum yr_err yr_index_put(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                                     const struct yr_index *index);
/** The record at a place; its text lent from chats->row.  Errors: YR_ENOENT; YR_ECORRUPT; ... */
YR_MUST_USE enum yr_err yr_record_get(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN],
                                      const struct yr_place *place, struct yr_record *out);
YR_MUST_USE enum yr_err yr_record_put(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN],
                                      const struct yr_place *place, const struct yr_record *record);
/** The record an index promises; one that is not there, or of another message, is YR_ECORRUPT. */
YR_MUST_USE enum yr_err yr_record_at(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                                     const struct yr_index *index, struct yr_record *out);
/** Index and record of a message.  Errors: YR_ENOENT: unknown; the others of both. */
YR_MUST_USE enum yr_err yr_record_find(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                                       struct yr_index *index, struct yr_record *out);

/* ---- receive.c ---- */

/** What became of a message of ours; false claims fall through. */
YR_MUST_USE enum yr_err yr_chats_raise(struct yr_chats *chats, struct yr_now now,
                                       const struct yr_conv *conv, const uint8_t id[YR_MSG_ID_LEN],
                                       enum yr_state state);
/** Merge another's operation into the message it is about, which is here.
 *  Errors: YR_EPROTO: it has no effect; counted. */
YR_MUST_USE enum yr_err yr_chats_apply(struct yr_chats *chats, struct yr_now now,
                                       const struct yr_conv *conv, const struct yr_index *index,
                                       const struct yr_change *change);

/* ---- room.c ---- */

/** Say it in a room: encode it and hand it to ops->say.  chats->record is another's afterwards. */
YR_MUST_USE enum yr_err yr_chats_say(struct yr_chats *chats, struct yr_now now,
                                     const struct yr_conv *conv, const struct yr_plain *plain,
                                     uint8_t id[YR_MSG_ID_LEN]);

/* ---- order.c ---- */

/** Where a message stands that is `eff` after all it cites. */
void yr_place_make(struct yr_place *out, uint64_t eff, const struct yr_record *record);
int yr_place_compare(const struct yr_place *a, const struct yr_place *b);
YR_MUST_USE enum yr_err yr_place_free(struct yr_chats *chats, const struct yr_conv *conv,
                                      const struct yr_place *place, bool *out);

/** What is known of a message's ancestors. */
struct yr_weight {
    struct yr_spot spot;                          /* of the message itself */
    uint8_t waits[YR_PARENTS_MAX][YR_MSG_ID_LEN]; /* parents that are unknown, or wait */
    size_t wait_count;
};
YR_MUST_USE enum yr_err yr_order_weigh(struct yr_chats *chats, struct yr_conv *conv,
                                       const struct yr_record *record, struct yr_weight *out);
/** Merge the operations that waited for this message into `record`, and note in chats->jobs the
 *  messages that waited for it. */
YR_MUST_USE enum yr_err yr_order_collect(struct yr_chats *chats, struct yr_conv *conv,
                                         struct yr_record *record);
/** Store a new message at its place, and look again at those that waited for it. */
YR_MUST_USE enum yr_err yr_order_add(struct yr_chats *chats, struct yr_conv *conv,
                                     const struct yr_record *record, struct yr_weight *weight,
                                     const struct yr_place *place);
/** Keep an operation until its target comes. */
YR_MUST_USE enum yr_err yr_order_wait(struct yr_chats *chats, struct yr_conv *conv,
                                      const struct yr_change *change);

/** Look at the next that waits after *at; if it is an edit or a reaction of this chain, it goes.
 *  Errors: YR_ENOENT: that was the last; of the machine. */
YR_MUST_USE enum yr_err yr_order_disown(struct yr_chats *chats, struct yr_conv *conv,
                                        const uint8_t author[YR_ID_LEN],
                                        const uint8_t incarnation[YR_INCARNATION_LEN],
                                        enum yr_seek how, struct yr_row *at);

/* ---- marker.c ---- */

bool yr_marker_unread(const struct yr_conv *conv, const struct yr_record *record,
                      const struct yr_place *place);
void yr_marker_arrived(struct yr_conv *conv, const struct yr_record *record,
                       const struct yr_place *place);
/** Before a message moves down; may set record->seen.  true: it was the first unread one, so
 *  yr_marker_refind follows once its row is at the new place. */
bool yr_marker_move(struct yr_conv *conv, struct yr_record *record, const struct yr_place *from,
                    const struct yr_place *to);
/** Before a message becomes a line, which is not unread.  true: as above. */
bool yr_marker_gone(struct yr_conv *conv, const struct yr_record *record,
                    const struct yr_place *place);
YR_MUST_USE enum yr_err yr_marker_refind(struct yr_chats *chats, struct yr_conv *conv,
                                         const struct yr_place *from);

#endif
