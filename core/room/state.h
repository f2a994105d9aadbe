/* core/room/state.h: what the files of yr_rooms share.  No other room includes it. */
#ifndef YR_ROOM_STATE_H
#define YR_ROOM_STATE_H

#include "core/chat/hlc.h"
#include "core/crypto/identity.h"
#include "core/room/epoch.h"
#include "core/room/rooms.h"

/*    X(NAME, counter name) */
#define YR_ROOMS_COUNTER_MAP(X)                                                     \
    X(INVITE_BAD, "rooms.drop.invite") /* no good CREATE, or not from its friend */ \
    X(INVITE_FULL, "rooms.full.invite")                                             \
    X(JOIN_BAD, "rooms.drop.join") /* not invited, not for us, signature */         \
    X(WAITING, "rooms.waiting")    /* content that waits for its key */             \
    X(UNREADABLE, "rooms.unreadable")                                               \
    X(NOT_FOR_US, "rooms.not_for_us") /* content of epochs that do not cover us */  \
    X(EPOCH_BAD, "rooms.drop.epoch")  /* a REKEY or HIST of which no key comes */   \
    X(REKEYS, "rooms.rekeys")         /* made here */

enum yr_rooms_counter {
#define X(name, text) YR_ROOMS_##name,
    YR_ROOMS_COUNTER_MAP(X)
#undef X
        YR_ROOMS_COUNTER_COUNT
};

/** Who is or was a member: the members of the authority with what is told of them.  Row
 *  ROOMMEMBER. */
struct yr_mate {
    uint8_t mid[YR_MID_LEN];
    uint8_t adder[YR_MID_LEN]; /* who added it; zero: the founder */
    uint8_t rank;              /* 0: no member any more */
    bool wrote;                /* something: it is shown when it is none any more */
    bool forked;
    bool profiled; /* nick is from a PROFILE, not from the ADD */
    char nick[YR_NICK_MAX + 1];
    yr_ms seen_ms, seen_stored_ms;
    /* of our own chain: what it was no member for, what it has, what it has read */
    uint64_t from_seq, delivered, read;
    bool dirty;
};

/** How far another author's chain of messages is read here.  Row ROOMCHAIN. */
struct yr_heard {
    uint8_t key[YR_MID_LEN + YR_INCARNATION_LEN];
    uint64_t read;            /* seen up to here */
    uint64_t gap;             /* the first that waits for a key ... */
    uint32_t waiting;         /* ... if this many do */
    uint64_t told, told_read; /* in our last receipt; not in the row */
    bool dirty;
};

/** What a friend is in this room.  Row ROOMFRIEND. */
struct yr_guest {
    uint8_t id[YR_ID_LEN];
    bool invited; /* by us, and not added since */
    bool asked;   /* wants to be added, with these: */
    bool known;   /* mid is his: he has proved it */
    uint8_t mid[YR_MID_LEN];
    uint8_t sign_pk[32], seal_pk[32], join_sig[YR_SIG_LEN];
    char nick[YR_NICK_MAX + 1];
};

struct yr_inviter {
    uint8_t id[YR_ID_LEN], mid[YR_MID_LEN];
};

/** An epoch for whose key content waits.  Row ROOMWAIT. */
struct yr_wait {
    uint8_t epoch[YR_EPOCH_ID_LEN];
    uint8_t author[YR_MID_LEN]; /* of the first content in it */
    bool counted;               /* it may be for us: what waits is not delivered */
    enum { YR_WAIT_IDLE, YR_WAIT_OPENING, YR_WAIT_DROPPING, YR_WAIT_LOST } what;
    uint64_t at; /* DROPPING: how far */
};

struct yr_room {
    struct yr_rooms *owner;
    uint8_t id[YR_ROOM_ID_LEN];
    uint32_t order;
    enum yr_room_state state;
    yr_ms created_ms, muted_until_ms, left_ms;
    bool mentions_only;
    bool leaving;   /* GONE here, and others must hear of it yet */
    bool forgotten; /* shown to no one */
    bool erasing;   /* GONE: the log's rows are being deleted */
    bool purging;   /* forgotten: the conversation's rows are being deleted */
    bool removed;   /* by an operation just accepted: what follows is done by yr_room_settle */

    /* ourselves: RS, our chains, RX (the newest first) */
    uint8_t self[YR_MID_LEN];
    uint8_t sign_pk[32], sign_sk[64];
    uint8_t incarnation[YR_INCARNATION_LEN];
    struct yr_keypair seals[YR_ROOM_SEALS_MAX];
    yr_ms seal_ms[YR_ROOM_SEALS_MAX];
    size_t seal_count;

    /* an invitation */
    size_t inviter_count;
    struct yr_inviter inviters[YR_ROOM_INVITERS]; /* the last one first */
    uint8_t create[YR_ROOM_CREATE_MAX];
    size_t create_len;
    uint32_t invited_members;
    yr_us asked_us; /* when we asked last to be added; 0: not since the start */

    char name[YR_ROOM_NAME_MAX + 1], topic[YR_ROOM_VALUE_MAX + 1];
    uint8_t name_set[YR_REC_ID_LEN], topic_set[YR_REC_ID_LEN]; /* the SETs they come from */

    struct yr_room_log *log;
    uint64_t unkept;          /* arrival of our first record that is not durable; UINT64_MAX */
    uint64_t unkept_state;    /* the same of states, which have no place: its clock */
    struct yr_epochs *epochs; /* while we are a member, or about to be */

    struct yr_mate *mates; /* by mid */
    size_t mate_count, mate_cap;
    size_t member_count; /* of these, present ones */
    uint16_t *sorted;    /* as shown; made when asked for */
    uint64_t sorted_version;
    size_t sorted_count;
    struct yr_heard *heard; /* by key */
    size_t heard_count, heard_cap;
    struct yr_guest *guests;
    size_t guest_count, guest_cap;
    struct yr_wait *waits;
    size_t wait_count, wait_cap;

    /* a fork whose consequences are being drawn; begun anew after a restart */
    struct {
        bool begun;
        struct yr_chain_key key;
        uint64_t fork, next; /* next: 0 when all records have been looked at */
        struct yr_chat_walk walk;
    } voiding;

    uint64_t own_delivered, own_read; /* our messages up to here were raised to these states */
    bool raise;                       /* there may be more to raise */

    /* what is due; YR_NEVER: not */
    yr_us rekey_us, needkey_us, answer_us, receipt_us, retry_us, look_us, gone_us;
    yr_us profile_us;                /* our nick must be told */
    uint8_t answer[YR_EPOCH_ID_LEN]; /* the epoch that an answer is about */
    uint8_t needed[YR_EPOCH_ID_LEN]; /* the epoch of our last NEEDKEY */
    yr_us receipt_last_us;
    bool look; /* at the epochs: something changed */
    bool dirty, mates_dirty, heard_dirty;
};

/** A record of ours that waits to be durable. */
struct yr_unspread {
    uint8_t room[YR_ROOM_ID_LEN], id[16];
    bool state;     /* of class STATE: */
    uint64_t place; /* its clock; else its arrival */
    uint64_t token;
};

struct yr_rooms {
    struct yr_mem *mem;
    struct yr_rows *rows;
    struct yr_events *events;
    struct yr_chats *chats;
    const struct yr_rng *rng;
    const struct yr_age *age; /* what keys grow old by */
    struct yr_rooms_ops ops;
    struct yr_room_sync *sync;
    struct yr_now now; /* of the call in progress */
    bool running;
    uint64_t version;
    uint32_t next_order;
    struct yr_room *list[YR_ROOMS_MAX + YR_ROOM_INVITES_MAX + YR_ROOMS_MAX]; /* by order */
    size_t count;
    struct yr_room *synced[YR_ROOMS_MAX + YR_ROOMS_MAX]; /* as numbered for spreading */
    size_t synced_count;
    bool renumber;
    struct yr_unspread *unspread;
    size_t unspread_count, unspread_cap;
    uint64_t counters[YR_ROOMS_COUNTER_COUNT];

    /* what we are saying: its text cannot be opened, it is here */
    const uint8_t *saying;
    size_t saying_len;

    /* scratch, each for the one use its name says */
    uint8_t out[YR_ROOM_RECORD_MAX];                        /* a record of ours */
    uint8_t body[YR_ROOM_RECORD_MAX];                       /* its body */
    uint8_t in[YR_ROOM_RECORD_MAX + 64];                    /* a record read from the log */
    uint8_t back[YR_ROOM_RECORD_MAX];                       /* one of those before it */
    uint8_t plain[YR_ROOM_RECORD_MAX];                      /* a content opened */
    struct yr_room_member members[YR_ROOM_MEMBERS_MAX * 2]; /* of the authority */
};

/** Milliseconds, near the wall clock's as long as that is right. */
static inline yr_ms yr_rooms_age(const struct yr_rooms *rooms)
{
    return yr_age_ms(rooms->age, rooms->now);
}

/* ---- rooms.c ---- */

void yr_rooms_count(struct yr_rooms *rooms, enum yr_rooms_counter counter);
struct yr_room *yr_rooms_find(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN]);
/** A room whose commands may be given: ACTIVE or KEYLESS.  Errors: YR_ENOENT; YR_EDENIED: GONE. */
YR_MUST_USE enum yr_err yr_rooms_active(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN],
                                        struct yr_room **out);
/** One that is in no list.  NULL: no memory. */
struct yr_room *yr_room_new(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN]);
/** A new one at the end of the list.  Errors: YR_EFULL; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_rooms_enter(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN],
                                       struct yr_room **out);
/** Forget it, rows too; its log is not loaded. */
void yr_rooms_remove(struct yr_rooms *rooms, struct yr_room *room);
void yr_room_changed(struct yr_rooms *rooms, struct yr_room *room, bool gone);
void yr_mate_changed(struct yr_rooms *rooms, struct yr_room *room, const uint8_t mid[YR_MID_LEN],
                     bool gone);
/** Grow an array of `size` each to hold one more, up to `max`.  Errors: YR_EFULL; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_room_grow(struct yr_rooms *rooms, void *array, size_t *cap, size_t count,
                                     size_t size, size_t max);
/** Open log and epochs; the keys are there.  create NULL: the log has rows. */
YR_MUST_USE enum yr_err yr_room_open(struct yr_rooms *rooms, struct yr_room *room,
                                     const uint8_t *create, size_t len);
/** What cannot be done inside a call of log or spreading; after each call from outside. */
YR_MUST_USE enum yr_err yr_rooms_settle(struct yr_rooms *rooms);
/** GONE and leaving: nobody needs to hear of it any more. */
YR_MUST_USE enum yr_err yr_room_let_go(struct yr_rooms *rooms, struct yr_room *room);
/** Take away all that a room that is GONE has left, at once; a forgotten one with itself. */
YR_MUST_USE enum yr_err yr_room_clear(struct yr_rooms *rooms, struct yr_room *room);

/* ---- room_rows.c ---- */

/** Fill the list with what is stored of all rooms; their parts are not opened. */
YR_MUST_USE enum yr_err yr_rooms_load(struct yr_rooms *rooms);
void yr_room_store(struct yr_rooms *rooms, struct yr_room *room);
void yr_room_store_seals(struct yr_rooms *rooms, const struct yr_room *room);
YR_MUST_USE enum yr_err yr_room_load_seals(struct yr_rooms *rooms, struct yr_room *room);
void yr_guest_store(struct yr_rooms *rooms, const struct yr_room *room,
                    const struct yr_guest *guest);
YR_MUST_USE enum yr_err yr_guests_load(struct yr_rooms *rooms, struct yr_room *room);
/** Every row of (table, room). */
YR_MUST_USE enum yr_err yr_room_delete_rows(struct yr_rooms *rooms, const struct yr_room *room,
                                            enum yr_table table);

/* ---- spread.c ---- */

extern const struct yr_room_sync_ops yr_rooms_sync_ops;
/** A record of ours is in the log; it is told to others when it is durable.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_room_remember(struct yr_rooms *rooms, struct yr_room *room,
                                         const struct yr_room_record *record,
                                         const struct yr_room_entry *entry);
/** The number under which a room is spread; false: it is not. */
bool yr_room_number(const struct yr_rooms *rooms, const struct yr_room *room, size_t *out);
/** Sign, store and act on a record of ours whose body is set; it is spread once durable.  record:
 *  from yr_room_log_prepare.  Errors: YR_EAGAIN: too many at once; YR_EDENIED: the log refuses it;
 *  of the machine. */
YR_MUST_USE enum yr_err yr_room_put(struct yr_rooms *rooms, struct yr_room *room,
                                    struct yr_room_record *record);
/** Prepare, encode a body, and put. */
YR_MUST_USE enum yr_err yr_room_publish(struct yr_rooms *rooms, struct yr_room *room,
                                        const struct yr_room_body *body);

/* ---- control.c ---- */

/** A control record was accepted. */
YR_MUST_USE enum yr_err yr_room_control(struct yr_rooms *rooms, struct yr_room *room,
                                        const struct yr_room_record *record,
                                        const struct yr_room_body *body);
/** Bring members, name and topic up to what the authority says.  quiet: no events. */
YR_MUST_USE enum yr_err yr_room_refresh(struct yr_rooms *rooms, struct yr_room *room, bool quiet);
/** A line in the room's history. */
YR_MUST_USE enum yr_err YR_PRINTF(3)
    yr_room_note(struct yr_rooms *rooms, struct yr_room *room, const char *format, ...);

/* ---- join.c ---- */

YR_MUST_USE enum yr_err yr_room_join_tick(struct yr_rooms *rooms, struct yr_room *room);
/** Ask this friend again to add us, if it invited us; not more often than once a minute. */
YR_MUST_USE enum yr_err yr_room_ask_friend(struct yr_rooms *rooms, struct yr_room *room,
                                           const uint8_t friend[YR_ID_LEN]);
struct yr_guest *yr_room_guest(struct yr_room *room, const uint8_t id[YR_ID_LEN]);
struct yr_guest *yr_room_guest_of(struct yr_room *room, const uint8_t mid[YR_MID_LEN]);
YR_MUST_USE enum yr_err yr_room_guest_add(struct yr_rooms *rooms, struct yr_room *room,
                                          const uint8_t id[YR_ID_LEN], struct yr_guest **out);

/* ---- keys.c ---- */

YR_MUST_USE enum yr_err yr_room_rekey(struct yr_rooms *rooms, struct yr_room *room);
/** Have an epoch to send in.  Errors: YR_EAGAIN; of the machine. */
YR_MUST_USE enum yr_err yr_room_keyed(struct yr_rooms *rooms, struct yr_room *room);
/** A new key of ours for epoch secrets, and a record that tells it.  Errors: YR_EAGAIN: too many
 *  records at once, there is none; YR_EDENIED; of the machine. */
YR_MUST_USE enum yr_err yr_room_seal_new(struct yr_rooms *rooms, struct yr_room *room);
/** An ADD, REKEY or HIST was accepted. */
YR_MUST_USE enum yr_err yr_room_keys(struct yr_rooms *rooms, struct yr_room *room,
                                     const struct yr_room_record *record,
                                     const struct yr_room_body *body);
YR_MUST_USE enum yr_err yr_room_needkey(struct yr_rooms *rooms, struct yr_room *room,
                                        const struct yr_room_record *record,
                                        const struct yr_room_body *body);
YR_MUST_USE enum yr_err yr_room_keys_tick(struct yr_rooms *rooms, struct yr_room *room);
yr_us yr_room_keys_deadline(const struct yr_room *room);

/* ---- says.c ---- */

YR_MUST_USE enum yr_err yr_room_content(struct yr_rooms *rooms, struct yr_room *room,
                                        const struct yr_room_record *record,
                                        const struct yr_room_body *body,
                                        const struct yr_room_entry *entry);
struct yr_wait *yr_room_wait_find(struct yr_room *room, const uint8_t epoch[YR_EPOCH_ID_LEN]);
/** An epoch became known: what waits for it is looked at. */
YR_MUST_USE enum yr_err yr_room_wait_look(struct yr_rooms *rooms, struct yr_room *room);
YR_MUST_USE enum yr_err yr_room_says_load(struct yr_rooms *rooms, struct yr_room *room);
YR_MUST_USE enum yr_err yr_room_says_tick(struct yr_rooms *rooms, struct yr_room *room);
bool yr_room_says_due(const struct yr_room *room);

/* ---- receipts.c ---- */

/** The place of a chain, made if need be.  Errors: YR_EFULL; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_room_heard(struct yr_rooms *rooms, struct yr_room *room,
                                      const uint8_t mid[YR_MID_LEN],
                                      const uint8_t incarnation[YR_INCARNATION_LEN],
                                      struct yr_heard **out);
void yr_heard_waits(struct yr_room *room, struct yr_heard *heard, uint64_t seq);
void yr_heard_opened(struct yr_room *room, struct yr_heard *heard, uint64_t seq);
/** There is something to tell. */
void yr_room_receipt_due(struct yr_rooms *rooms, struct yr_room *room);
YR_MUST_USE enum yr_err yr_room_receipt(struct yr_rooms *rooms, struct yr_room *room,
                                        const struct yr_room_record *record,
                                        const struct yr_room_body *body);
YR_MUST_USE enum yr_err yr_room_receipts_load(struct yr_rooms *rooms, struct yr_room *room);
YR_MUST_USE enum yr_err yr_room_receipts_tick(struct yr_rooms *rooms, struct yr_room *room);
void yr_room_receipts_flush(struct yr_rooms *rooms, struct yr_room *room);
uint64_t yr_room_own_seq(struct yr_room *room);

/* ---- members.c ---- */

struct yr_mate *yr_room_mate(struct yr_room *room, const uint8_t mid[YR_MID_LEN]);
YR_MUST_USE enum yr_err yr_room_mate_add(struct yr_rooms *rooms, struct yr_room *room,
                                         const uint8_t mid[YR_MID_LEN], struct yr_mate **out);
YR_MUST_USE enum yr_err yr_room_mates_load(struct yr_rooms *rooms, struct yr_room *room);
void yr_room_mates_flush(struct yr_rooms *rooms, struct yr_room *room);
/** How a member is called here. */
#define YR_ROOM_LABEL_MAX (YR_NICK_MAX + 2)
void yr_room_label(struct yr_rooms *rooms, struct yr_room *room, const uint8_t mid[YR_MID_LEN],
                   char out[YR_ROOM_LABEL_MAX]);
/** who: a friend, or a mid and 16 zero bytes.  Errors: YR_ENOENT: no present member. */
YR_MUST_USE enum yr_err yr_room_who(struct yr_room *room, const uint8_t who[YR_ID_LEN],
                                    uint8_t mid[YR_MID_LEN]);
YR_MUST_USE enum yr_err yr_room_profile(struct yr_rooms *rooms, struct yr_room *room,
                                        const struct yr_room_record *record,
                                        const struct yr_room_body *body);
/** It said something, or asked to be added, at this time. */
void yr_mate_heard(struct yr_rooms *rooms, struct yr_room *room, struct yr_mate *mate,
                   uint64_t hlc);
/** It has signed two records where an honest member signs one: say so, once. */
YR_MUST_USE enum yr_err yr_room_forked(struct yr_rooms *rooms, struct yr_room *room,
                                       const uint8_t mid[YR_MID_LEN]);
/** Something of this author was accepted. */
YR_MUST_USE enum yr_err yr_room_seen(struct yr_rooms *rooms, struct yr_room *room,
                                     const struct yr_room_record *record,
                                     const struct yr_room_entry *entry);

#endif
