/* core/room/log_state.h: what the files of a room's log share.  Nobody else includes it.
 *
 *     log.c         a log as a whole, what it is asked
 *     log_accept.c  one record: checked, placed, taken in, and those that waited for it after it
 *     log_hold.c    records that wait, and what they wait for
 *     log_tables.c  authors, chains, message heads, in memory
 *     log_rows.c    records on disk, and where each is
 *     log_load.c    the rows of authors, chains and heads: kept, and read at the start
 *     log_erase.c   all rows of a room, away */
#ifndef YR_ROOM_LOG_STATE_H
#define YR_ROOM_LOG_STATE_H

#include "core/room/log.h"

#define YR_LOG_PARENTS_MAX (YR_ROOM_DEPS_MAX + 1) /* deps, and prev */
#define YR_LOG_BUCKETS     3                      /* one for each class */

enum yr_log_counter {
#define X(NAME, text) YR_LOGGED_##NAME,
    YR_ROOM_LOG_COUNTER_MAP(X)
#undef X
        YR_LOGGED_COUNT
};

/** How fast an author may write, by its own clock; by ours once it was too fast. */
struct yr_log_bucket {
    uint32_t left_ms; /* YR_ROOM_RATE_MS of it a record */
    yr_ms clock_ms;   /* the highest claimed time, never far past our own */
    bool starved;     /* not in the row: a record had to wait ... */
    yr_us starved_us; /* ... and so much of our time was counted */
};

/** A record that some present member's record stands on, so that all on the way to it are taken. */
struct yr_log_goal {
    uint8_t incarnation[8];
    uint64_t seq; /* 0: none */
};

struct yr_log_author {
    uint8_t mid[YR_MID_LEN];
    uint32_t no; /* in the order they were added, from 0: the founder */
    uint8_t sign_pk[32], seal_pk[32];
    bool told;        /* seal_pk is from a KEY, else from the ADD below */
    uint64_t add_hlc; /* the newest ADD by (hlc, id) */
    uint8_t add_id[YR_REC_ID_LEN];
    bool forked;
    struct yr_log_bucket buckets[YR_LOG_BUCKETS]; /* of class - 1 */
    /* not in the row */
    bool dirty;
    unsigned unwritten; /* times a bucket was looked into since the row was written */
    size_t held_count, held_bytes;
    struct yr_log_goal goals[YR_LOG_BUCKETS];
    bool moved; /* one of them did, while it is found out what is wanted */
};

struct yr_log_chain {
    struct yr_chain_key key;
    uint32_t no; /* in the order they began, from 0 */
    struct yr_log_author *author;
    uint64_t seq;
    uint8_t digest[8];
    uint8_t head[YR_REC_ID_LEN]; /* the first that came with the highest seq; STATE: the newest */
    uint64_t fork;               /* the lowest seq that two records have; 0: none */
    uint64_t fork_done;          /* what the owner has said of it */
    bool dirty;
};

/** A message record that no other cites. */
struct yr_log_head {
    uint8_t id[YR_REC_ID_LEN];
    uint64_t eff;
};

/** Where a record is. */
struct yr_log_spot {
    uint8_t id[YR_REC_ID_LEN];
    uint8_t class;
    uint32_t chain;
    uint64_t seq, arrival, eff; /* class STATE: arrival and eff 0 */
};

/* ---- what waits ---- */

struct yr_log_held;
struct yr_log_want;

/** One record waits for one id. */
struct yr_log_link {
    struct yr_log_held *by;
    struct yr_log_want *want;
    struct yr_log_link *next, **at; /* of the same want */
};

/** An id that is not in the log and that something waits for. */
struct yr_log_want {
    uint8_t id[YR_REC_ID_LEN];
    struct yr_log_link *links;      /* never empty */
    struct yr_log_want *bucket;     /* next of the same hash */
    struct yr_log_want *next, **at; /* of all */
};

enum yr_log_queue {
    YR_LOG_WAITING, /* verified, for ancestors */
    YR_LOG_FAST,    /* verified, all is here, its author is too fast */
    YR_LOG_STRANGE, /* not verified: its author was never added as far as is known here */
    YR_LOG_READY,   /* to be looked at again, before the present call returns */
    YR_LOG_QUEUES
};

struct yr_log_held {
    struct yr_log_held *next, **at;          /* of its queue, the oldest first */
    struct yr_log_held *bucket, **at_bucket; /* next of the same hash */
    enum yr_log_queue queue;
    uint8_t id[YR_REC_ID_LEN];
    uint8_t mid[YR_MID_LEN];
    struct yr_log_author *author; /* NULL: STRANGE, or was */
    uint8_t class;
    uint8_t incarnation[8];
    uint64_t seq;
    unsigned slot;
    bool wanted; /* a present member's record that is held, and not its author's, stands on it */
    yr_us since_us, due_us;   /* due: of FAST */
    struct yr_log_held *work; /* while it is found out what is wanted */
    size_t link_count, lacks; /* lacks: links with a want */
    struct yr_log_link links[YR_LOG_PARENTS_MAX];
    size_t cost, len;
    uint8_t bytes[];
};

struct yr_log_list {
    struct yr_log_held *first, **last;
    size_t count, bytes;
};

#define YR_LOG_HASH 1024 /* buckets: a quarter of what can be held */

struct yr_room_log {
    struct yr_mem *mem;
    struct yr_rows *rows;
    struct yr_room_log_ops ops;
    uint8_t id[YR_ROOM_ID_LEN];
    struct yr_authority *authority;
    uint8_t *create; /* its bytes */
    size_t create_len;
    struct yr_room_body create_body; /* lent from them */

    struct yr_log_author **authors, **authors_by_mid;
    size_t author_count, author_cap, author_sorted_cap;
    struct yr_log_chain **chains, **chains_by_key;
    size_t chain_count, chain_cap, chain_sorted_cap;
    struct yr_log_head heads[YR_ROOM_HEADS_MAX];
    size_t head_count;
    uint64_t end;  /* the highest arrival number */
    uint64_t hlc;  /* of what we write: above all we wrote, and near what we saw */
    bool dirty;    /* the row of the above; authors and chains have bits of their own ... */
    bool dirties;  /* ... and some are set */
    bool fork_due; /* there may be a chain whose fork the owner does not know */
    bool digested;
    uint8_t digest[32];

    struct yr_log_list queues[YR_LOG_QUEUES];
    struct yr_log_held *held[YR_LOG_HASH];
    struct yr_log_want *wants[YR_LOG_HASH], *want_first, **want_last;

    uint64_t counters[YR_LOGGED_COUNT];
    uint8_t row[YR_ROOM_RECORD_MAX + 128]; /* scratch: one row with a record */
};

/* ---- log_tables.c ---- */

struct yr_log_author *yr_log_author(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN]);
/** Make an author that is not there yet; seal_pk and times are the caller's to set. */
YR_MUST_USE enum yr_err yr_log_author_new(struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                                          struct yr_log_author **out);
struct yr_log_chain *yr_log_chain(const struct yr_room_log *log, const struct yr_chain_key *key);
YR_MUST_USE enum yr_err yr_log_chain_new(struct yr_room_log *log, const struct yr_chain_key *key,
                                         struct yr_log_author *author, struct yr_log_chain **out);
/** The key of a record's chain; kind: of a STATE's body. */
void yr_log_key(struct yr_chain_key *out, const struct yr_room_record *record, uint8_t kind);
/** How many chains of a class an author has. */
size_t yr_log_chain_many(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                         uint8_t class);
/** A message record came: it is a head, and what it cites is none. */
void yr_log_heads_add(struct yr_room_log *log, const struct yr_room_record *record, uint64_t eff);
void yr_log_tables_clear(struct yr_room_log *log);

/** May a record that claims this time be taken now?  Takes its share if so; else *wait_us: until
 *  it may be. */
bool yr_log_bucket_take(struct yr_log_bucket *bucket, uint64_t hlc, struct yr_now now,
                        yr_us *wait_us);

static inline void yr_log_touch_author(struct yr_room_log *log, struct yr_log_author *author)
{
    author->dirty = log->dirties = true;
}
static inline void yr_log_touch_chain(struct yr_room_log *log, struct yr_log_chain *chain)
{
    chain->dirty = log->dirties = true;
    log->digested = false;
}

/* ---- log_rows.c ---- */

#define YR_LOG_RECORD_HEAD (1 + YR_REC_ID_LEN + 4 + 8) /* version, id, chain u32, eff u64 */
#define YR_LOG_SEQ_LEN     (4 + 8 + 8)

static inline void yr_log_be32(uint8_t out[4], uint32_t v)
{
    for (size_t i = 4; i-- > 0; v >>= 8)
        out[i] = (uint8_t)v;
}
static inline void yr_log_be64(uint8_t out[8], uint64_t v)
{
    for (size_t i = 8; i-- > 0; v >>= 8)
        out[i] = (uint8_t)v;
}
/** Owner of the rows of a record's id, or of those that wait for an epoch. */
static inline void yr_log_owner(uint8_t out[YR_ROOM_ID_LEN + 16],
                                const uint8_t room_id[YR_ROOM_ID_LEN], const uint8_t id[16])
{
    memcpy(out, room_id, YR_ROOM_ID_LEN);
    memcpy(out + YR_ROOM_ID_LEN, id, 16);
}

/** Where a record is, by the first 16 bytes of its id.  Errors: YR_ENOENT; YR_ECORRUPT; YR_EIO. */
YR_MUST_USE enum yr_err yr_log_find(const struct yr_room_log *log, const uint8_t id[16],
                                    struct yr_log_spot *out);
/** The same by all of the id: *here, and *out if it is. */
YR_MUST_USE enum yr_err yr_log_find_all(const struct yr_room_log *log,
                                        const uint8_t id[YR_REC_ID_LEN], bool *here,
                                        struct yr_log_spot *out);
/** The rows of a new record, and where it is. */
YR_MUST_USE enum yr_err yr_log_store(struct yr_room_log *log, const struct yr_log_spot *spot,
                                     const uint8_t *bytes, size_t len);
/** Those of a state record; `older`: the id of the one it takes the place of, NULL: none. */
YR_MUST_USE enum yr_err yr_log_store_state(struct yr_room_log *log, const struct yr_log_spot *spot,
                                           const struct yr_log_chain *chain, const uint8_t *older,
                                           const uint8_t *bytes, size_t len);

/** A stored record; the bytes are lent from log->row, arrival is left zero.  Errors: YR_ENOENT;
 *  YR_ECORRUPT; YR_EIO. */
YR_MUST_USE enum yr_err yr_log_read(struct yr_room_log *log, enum yr_table table,
                                    const uint8_t *suffix, size_t suffix_len, const uint8_t **bytes,
                                    size_t *len, struct yr_room_entry *entry);
YR_MUST_USE enum yr_err yr_log_edit_wait(struct yr_rows *rows,
                                         const uint8_t room_id[YR_ROOM_ID_LEN],
                                         const uint8_t epoch[16], uint64_t arrival, bool on);

/* ---- log_load.c ---- */

/** All of a stored log but what waits.  Errors: YR_ENOENT: there is none; YR_ECORRUPT; ... */
YR_MUST_USE enum yr_err yr_log_load_all(struct yr_room_log *log);

/* ---- log.c ---- */

/** Copy a CREATE and begin the authority with it. */
YR_MUST_USE enum yr_err yr_log_set_create(struct yr_room_log *log, const uint8_t *bytes,
                                          size_t len);

/* ---- log_hold.c ---- */

void yr_log_hold_init(struct yr_room_log *log);
void yr_log_hold_clear(struct yr_room_log *log);
/** Keep a record; `parents`: those of it that are not in the log.  Over the bounds something is
 *  forgotten, this or another.  wait_us: of FAST. */
void yr_log_hold(struct yr_room_log *log, struct yr_now now, enum yr_log_queue queue,
                 const struct yr_room_record *record, struct yr_log_author *author,
                 const uint8_t *const *parents, size_t parent_count, unsigned slot, size_t len,
                 yr_us wait_us);
/** The held record with this id, verified; NULL: none. */
struct yr_log_held *yr_log_held(const struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN]);
/** Does a held record of a present member, and not of this author, stand on this one? */
bool yr_log_wanted(const struct yr_room_log *log, const struct yr_room_record *record,
                   const struct yr_log_author *author);
/** A record is in the log: those that waited for it alone are ready. */
void yr_log_hold_came(struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN]);
/** An author is known: its records can be looked at. */
void yr_log_hold_known(struct yr_room_log *log, const uint8_t mid[YR_MID_LEN]);
/** What is due now is ready, what is too old forgotten. */
void yr_log_hold_tick(struct yr_room_log *log, struct yr_now now);
yr_us yr_log_hold_deadline(const struct yr_room_log *log);
/** Take the next ready one out; NULL: none.  Owned by the caller, to be given back with yr_free. */
struct yr_log_held *yr_log_hold_pop(struct yr_room_log *log);

/* ---- log_accept.c ---- */

/** One record that is to be looked at. */
struct yr_log_item {
    const struct yr_room_record *record;
    const struct yr_room_body *body;
    size_t len; /* of record->src, signature and all */
    unsigned slot;
    bool verified;
};
/** Take in the CREATE. */
YR_MUST_USE enum yr_err yr_log_accept_create(struct yr_room_log *log, struct yr_now now,
                                             const struct yr_log_item *item);
YR_MUST_USE enum yr_err yr_log_consider(struct yr_room_log *log, struct yr_now now,
                                        const struct yr_log_item *item, enum yr_put *what,
                                        bool *forged);
/** Look at what became ready, and what that makes ready. */
YR_MUST_USE enum yr_err yr_log_drain(struct yr_room_log *log, struct yr_now now, bool *any);

#endif
