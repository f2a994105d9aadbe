/* core/room/log.h: the records of one room as this node holds them: checked, in causal order, on
 * disk.  docs/protocol.md "Rooms"; B.9.1, B.9.3 (receive), B.9.6.
 *
 *     put: form -> room -> known? -> author's key -> signature -> ancestors present? -> right?
 *            |                          |                              |
 *         refused                   held until they come            accepted -> owner, once,
 *                                                                   ancestors first
 *
 * Every record that is accepted has all its ancestors here, so each author's log of a class and
 * incarnation is one chain from seq 1 on, unless the author signed two (a fork): then it is a tree,
 * all of it is kept, and the author is marked.  Each accepted record gets the next arrival number;
 * reading by arrival gives a causal order.
 *
 * Who is a member is judged by the control records alone (authority.h).  What somebody writes who
 * is no member now is accepted only if a record of a present member cites it, which also keeps an
 * operation that never had an effect from filling the log.
 *
 * eff = max(hlc, the ancestors' eff + 1) of a message, computed from the log: with it all who hold
 * the same records show them in the same order, whatever clocks say.
 *
 * The log keeps rows and what it needs to decide in memory; bodies of records are on disk only. */
#ifndef YR_ROOM_LOG_H
#define YR_ROOM_LOG_H

#include "core/room/authority.h"
#include "core/store/rows.h"
#include "yaari/node.h"

struct yr_room_log;

/** One author's chain of one class. */
struct yr_chain_key {
    uint8_t mid[YR_MID_LEN];
    uint8_t class;
    uint8_t incarnation[8]; /* class STATE: the kind's number in the first byte, else zero */
};

/** What this node has of a chain: two nodes that agree on all these hold the same records. */
struct yr_chain_info {
    struct yr_chain_key key;
    uint64_t seq;      /* highest; class STATE: hlc of the newest */
    uint8_t digest[8]; /* exclusive or of the first 8 bytes of all ids; STATE: of the newest id */
};

/** An accepted record beside its bytes. */
struct yr_room_entry {
    uint8_t id[YR_REC_ID_LEN];
    uint64_t arrival; /* from 1; class STATE: 0 */
    uint64_t eff;     /* class MESSAGE */
    unsigned slot;    /* the friend it came from; YR_ROOM_OWN: nobody, or it was read from disk */
    bool forked;      /* its author's chain is no single chain (any more) */
};
#define YR_ROOM_OWN UINT32_MAX

struct yr_room_log_ops {
    /** A record has been accepted: verified, its ancestors were told before.  Lent for the call;
     * the owner may read the log and put rows, not put records.  Errors go up out of put: those of
     * the machine (the caller trips the node). */
    enum yr_err (*accepted)(void *ctx, struct yr_now now, const struct yr_room_record *record,
                            const struct yr_room_body *body, const struct yr_room_entry *entry);
    void *ctx;
};

/** Begin a room here with its CREATE, as bytes (checked, stored, told through accepted; *out can be
 * read then).  mem, rows: borrowed.  *out owned by the caller, NULL after an error. Errors:
 * YR_EPROTO: no good CREATE; YR_ENOMEM; YR_EIO; YR_EEXIST: this room has rows already. */
YR_MUST_USE enum yr_err yr_room_log_new(struct yr_room_log **out, struct yr_mem *mem,
                                        struct yr_rows *rows, struct yr_now now,
                                        const uint8_t *create, size_t len,
                                        const struct yr_room_log_ops *ops);
/** Read a room's state: control records go through authority again, nothing is verified again,
 *  accepted is not called.  Errors: YR_ENOENT; YR_ECORRUPT; YR_ENOMEM; YR_EIO. */
YR_MUST_USE enum yr_err yr_room_log_load(struct yr_room_log **out, struct yr_mem *mem,
                                         struct yr_rows *rows,
                                         const uint8_t room_id[YR_ROOM_ID_LEN],
                                         const struct yr_room_log_ops *ops);
void yr_room_log_free(struct yr_room_log *log);
/** Delete up to `max` of the rows of a room whose log is not loaded; *more: some are left. */
YR_MUST_USE enum yr_err yr_room_log_erase(struct yr_rows *rows,
                                          const uint8_t room_id[YR_ROOM_ID_LEN], size_t max,
                                          bool *more);

enum yr_put {
    YR_PUT_NEW,     /* accepted, and perhaps others that waited for it */
    YR_PUT_KNOWN,   /* it is here */
    YR_PUT_HELD,    /* ancestors are missing (yr_room_log_missing), its author is not known yet, or
                     * writes too fast; YR_ROOM_OWN: not kept */
    YR_PUT_REFUSED, /* never: forged, malformed, of another room, without the right */
    YR_PUT_LATE,    /* not now: of somebody who is no member (any more), and cited by no one */
    YR_PUT_OLDER    /* class STATE: a newer one is here */
};
/** Take a record from the friend in `slot` (or YR_ROOM_OWN).  *forged: its bytes are such that no
 *  honest neighbour passes them on (bad form, foreign room, bad signature, an operation without the
 *  right): the link that brought it is closed.  Who is refused for what a later version may know,
 *  or for a bound, is not.  Held records are bounded per author and in all;
 *  over the bounds, or after 10 minutes, they are forgotten and will be asked for again.
 *  Errors: those of the machine and of accepted. */
YR_MUST_USE enum yr_err yr_room_log_put(struct yr_room_log *log, struct yr_now now,
                                        const uint8_t *bytes, size_t len, unsigned slot,
                                        enum yr_put *what, bool *forged);
/** Time passed: records of fast authors whose time has come are accepted, old held ones forgotten.
 */
YR_MUST_USE enum yr_err yr_room_log_tick(struct yr_room_log *log, struct yr_now now);
yr_us yr_room_log_deadline(const struct yr_room_log *log);
/** Rows that changed since the last transaction (chains' heads, counters).  Before one is taken. */
YR_MUST_USE enum yr_err yr_room_log_flush(struct yr_room_log *log);

/* ---- writing ---- */

/** Everything of our next record but its body: room, author, seq, prev, deps, hlc, incarnation.
 *  class MESSAGE: up to 4 message heads (those with the highest eff) and up to 4 control heads, or,
 *  with `all_control`, up to YR_ROOM_DEPS_MAX control heads first.  The caller seals, encodes
 *  (yr_room_record_encode) and puts it with YR_ROOM_OWN before it prepares another. */
void yr_room_log_prepare(struct yr_room_log *log, struct yr_now now, enum yr_room_class class,
                         const uint8_t self[YR_MID_LEN], const uint8_t incarnation[8],
                         bool all_control, struct yr_room_record *out);
/** Would our next record of this class have to wait, since we write too fast?  Ask before it is
 *  sealed: put with YR_ROOM_OWN keeps nothing it cannot accept. */
bool yr_room_log_fast(const struct yr_room_log *log, struct yr_now now,
                      const uint8_t self[YR_MID_LEN], enum yr_room_class class);

/* ---- reading ---- */

const uint8_t *yr_room_log_id(const struct yr_room_log *log); /* 32 bytes */
struct yr_authority *yr_room_log_authority(struct yr_room_log *log);
/** The decoded CREATE; lent for the life of the log. */
const struct yr_room_body *yr_room_log_create(const struct yr_room_log *log);
bool yr_room_log_has(struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN]);
/** The bytes of a record by its id's first 16 bytes, or by arrival number; *arrival, which may be
 *  NULL, receives that.  cap >= YR_ROOM_RECORD_MAX.  Errors: YR_ENOENT; YR_ECORRUPT; YR_EIO. */
YR_MUST_USE enum yr_err yr_room_log_get(struct yr_room_log *log, const uint8_t id[16],
                                        uint8_t *bytes, size_t cap, size_t *len,
                                        struct yr_room_entry *entry);
YR_MUST_USE enum yr_err yr_room_log_at(struct yr_room_log *log, uint64_t arrival, uint8_t *bytes,
                                       size_t cap, size_t *len, struct yr_room_entry *entry);
/** The highest arrival number. */
uint64_t yr_room_log_end(const struct yr_room_log *log);
/** Arrival numbers of the records of a chain with seq from..to, by seq and then by arrival: up to
 * cap, and all variants of a seq together unless there are more than cap of it (the rest of those
 * is had by id); *next: the seq to go on from, 0: that was all.  Class STATE: none. */
YR_MUST_USE enum yr_err yr_room_log_range(struct yr_room_log *log, const struct yr_chain_key *key,
                                          uint64_t from, uint64_t to, uint64_t *arrivals,
                                          size_t cap, size_t *count, uint64_t *next);
/** The i-th chain, sorted by key; false past the end.  Class STATE is among them. */
bool yr_room_log_chain(const struct yr_room_log *log, size_t i, struct yr_chain_info *out);
bool yr_room_log_chain_find(const struct yr_room_log *log, const struct yr_chain_key *key,
                            struct yr_chain_info *out);
/** Hash of all chains: equal logs have equal ones.  Kept up to date, cheap to ask. */
void yr_room_log_digest(struct yr_room_log *log, uint8_t out[32]);
/** Ids (first 16 bytes) that held records wait for and that nobody sent yet; how many (<= cap).
 *  `slot` of the friend who sent what waits goes into slots[]. */
size_t yr_room_log_missing(const struct yr_room_log *log, uint8_t (*ids)[16], unsigned *slots,
                           size_t cap);
/** How many records are held. */
size_t yr_room_log_held(const struct yr_room_log *log);

/** Was this mid ever added (by a valid operation that is here)?  Its keys then, 32 bytes each and
 *  lent: sign_pk as in its ADD, seal_pk the newest it told (KEY).  NULL: not wanted. */
bool yr_room_log_keys(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                      const uint8_t **sign_pk, const uint8_t **seal_pk);
/** The newest state record of a member and kind.  Errors: YR_ENOENT; YR_ECORRUPT; YR_EIO. */
YR_MUST_USE enum yr_err yr_room_log_state(struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                                          enum yr_room_kind kind, uint8_t *bytes, size_t cap,
                                          size_t *len);
/** Has this author signed two records with one (class, incarnation, seq)? */
bool yr_room_log_forked(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN]);

/** The lowest seq that two records of a chain have; 0: none (class STATE: always).  It depends on
 *  nothing but the records that are here. */
uint64_t yr_room_log_fork(const struct yr_room_log *log, const struct yr_chain_key *key);
/** A chain of messages that forks lower than the owner has said it knows; *known: what it said, 0
 *  at first.  false: there is none.  Kept across a restart. */
bool yr_room_log_fork_due(struct yr_room_log *log, struct yr_chain_key *key, uint64_t *fork,
                          uint64_t *known);
/** The owner knows that this chain forks at `fork`. */
void yr_room_log_fork_done(struct yr_room_log *log, const struct yr_chain_key *key, uint64_t fork);

/* ---- what waits for a key (an index for the owner) ---- */

/** This record cannot be opened before the secret of the epoch its body names is known. */
YR_MUST_USE enum yr_err yr_room_log_wait(struct yr_room_log *log, const uint8_t epoch[16],
                                         uint64_t arrival);
/** The first that waits for this epoch after *arrival (0: from the beginning).  Errors: YR_ENOENT.
 */
YR_MUST_USE enum yr_err yr_room_log_waiting(struct yr_room_log *log, const uint8_t epoch[16],
                                            uint64_t *arrival);
YR_MUST_USE enum yr_err yr_room_log_waited(struct yr_room_log *log, const uint8_t epoch[16],
                                           uint64_t arrival);

/*    X(NAME, counter name) */
#define YR_ROOM_LOG_COUNTER_MAP(X)                                               \
    X(ACCEPTED, "room.accepted")                                                 \
    X(KNOWN, "room.duplicate")                                                   \
    X(FORM, "room.drop.form")                                                    \
    X(FOREIGN, "room.drop.foreign") /* another room's id */                      \
    X(SIGNATURE, "room.drop.signature")                                          \
    X(RIGHT, "room.drop.right")       /* an operation its author may not do */   \
    X(STRANGER, "room.drop.stranger") /* of no member, cited by no one */        \
    X(HELD, "room.held")                                                         \
    X(FORGOTTEN, "room.forgotten") /* held too long, or over the bounds */       \
    X(FAST, "room.fast")           /* held because the author writes too fast */ \
    X(FULL, "room.full")           /* an operation over YR_ROOM_OPS_MAX */       \
    X(FORK, "room.fork")                                                         \
    X(OLDER, "room.older")                                                       \
    X(UNKNOWN, "room.unknown") /* a class or kind of a later version */

/** Named counters; NULL name at the end. */
struct yr_counter yr_room_log_counter(const struct yr_room_log *log, size_t i);

#endif
