/* core/store/rows.h: the node's rows: sealed, collected into transactions, readable at once.
 *
 * A put is seen by every later get and seek although the store's view does not show it yet: rows
 * keep what was put until it is committed.  Everything put while one transaction is at the store
 * goes into the next, which is how commits group by themselves.
 *
 *     put -> pending --take--> in flight --stored(OK)--> durable
 *                                   \--stored(error)--> the caller resets: a failed commit is
 *                                      treated as a crash, and all state is read again
 *
 * Stored key = KDF(VK, "db/idx", table name || 0 || owner)[16] || suffix; stored value = ver 1 |
 * kgen u32 | nonce 24 | AEAD_X(VAL or SK, pad64(plain)), AD = db name || 0 || key (B.11).
 * Suffixes order bytewise, write numbers big-endian; but where the suffix is a friend's or a
 * conversation's id it is enciphered in the stored key, and rows come in no meaningful order. */
#ifndef YR_ROWS_H
#define YR_ROWS_H

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/crypto/vault.h"
#include "core/limits.h"
#include "core/store/rotation.h"
#include "core/store/view.h"

/*    X(NAME, stored name, db, owner -> suffix: what a row holds) */
#define YR_TABLE_MAP(X)                                                                         \
    X(SELF, "self", MAIN, "- -> -: identity, profile, counters")                                \
    X(FRIEND, "friend", MAIN, "- -> friend id: the friend, its names, certificate, pair keys")  \
    X(CLOCK, "clock", MAIN, "- -> friend id: handshake clock series, probe clock")              \
    X(ADDR, "addr", MAIN, "- -> friend id: addresses last seen")                                \
    X(CERT, "cert", MAIN, "- -> friend id: which device of ours it knows, its own if renewed")  \
    X(INVITE, "invite", MAIN, "- -> invite id: an invite of ours")                              \
    X(ADD, "add", MAIN, "- -> invite id: a link being added")                                   \
    X(RELAY, "relay", MAIN, "- -> friend id: consent, who may carry for us and for the friend") \
    X(PEER, "peer", MAIN, "- -> peer id: a configured peer")                                    \
    X(MESSAGE, "message", MAIN, "conversation -> display key: a message as shown")              \
    X(INDEX, "index", MAIN, "- -> message id: conversation and display key")                    \
    X(ORPHAN, "orphan", MAIN, "conversation -> target id, id: who waits for it")                \
    X(CONV, "conv", MAIN, "- -> conversation id: heads, counters, read marker")                 \
    X(EVENT, "event", MAIN, "- -> cursor: what happened, for replay")                           \
    X(SENDKEY, "sendkey", MAIN, "- -> H16(key): idempotent send")                               \
    X(EXPIRY, "expiry", MAIN, "- -> ms u64be, message id: a text of ours to be given up then")  \
    X(ROOM_LOG, "roomlog", MAIN, "room -> -: message heads, clock, how many records")           \
    X(RECORD, "record", MAIN, "room -> arrival u64be: a record, where it stands")               \
    X(RECORD_ID, "recid", MAIN, "room, id 16 -> -: where a record is")                          \
    X(RECORD_SEQ, "recseq", MAIN, "room -> chain u32be, seq u64be, arrival u64be: nothing")     \
    X(RECORD_CHAIN, "recchain", MAIN, "room -> chain u32be: an author's chain and its head")    \
    X(RECORD_AUTHOR, "author", MAIN, "room -> author u32be: keys, rate")                        \
    X(RECORD_STATE, "recstate", MAIN, "room -> chain u32be: the newest state record")           \
    X(RECORD_WAIT, "recwait", MAIN, "room, epoch -> arrival u64be: what waits for a key")       \
    X(TIMEKEY, "timekey", SHRED, "- -> friend id: oldest kept day key T")                       \
    X(SESSION, "session", SHRED, "- -> friend id: ratchet sessions")                            \
    X(SKIPPED, "skipped", SHRED, "- -> friend id: skipped message keys")                        \
    X(PREKEY, "prekey", SHRED, "- -> friend id: own prekeys and the friend's newest")           \
    X(OPENED, "opened", MAIN, "friend id -> part u8: which ratchet messages were opened last")  \
    X(EPOCH, "epoch", SHRED, "room -> epoch id: who made it, for which membership, when")       \
    X(EPOCHKEY, "epochkey", SHRED, "room -> epoch id, which: members, trees of keys, parts")    \
    X(EPOCHCHAIN, "epochchain", SHRED, "room id, epoch id -> which, mid: a chain key")          \
    X(OUTBOX, "outbox", SHRED, "friend id -> order u64be: what waits for the friend")           \
    X(ROOM, "room", MAIN, "- -> room id: a room, our key and place in it")                      \
    X(ROOMFRIEND, "roomfriend", MAIN, "room id -> friend id: invited, and who he is there")     \
    X(ROOMMEMBER, "roommember", MAIN, "room id -> mid: name, how far our texts reached it")     \
    X(ROOMCHAIN, "roomchain", MAIN, "room id -> mid, incarnation: how far it was read")         \
    X(ROOMWAIT, "roomwait", MAIN, "room id -> epoch: content waits for its key")                \
    X(ROOMSEAL, "roomseal", SHRED, "- -> room id: our keys for epoch secrets")                  \
    X(MAILTAG, "mailtag", MAIN, "friend id -> day u32be: tags of envelopes to keep")            \
    X(MAIL, "mail", MAIN, "friend id -> order u64be, eid 16: an envelope kept")                 \
    X(MAILINDEX, "mailindex", MAIN, "friend id -> part u64be: of 64 envelopes what is needed")  \
    X(SEEN, "seen", MAIN, "which u8 -> place u16be: an envelope that came, or was given out")   \
    X(HABIT, "habit", MAIN, "- -> friend id: at which hours it is there")                       \
    X(POSTED, "posted", SHRED, "friend id -> order u64be: an envelope others keep for it")

enum yr_table {
#define X(name, text, db, meaning) YR_TABLE_##name,
    YR_TABLE_MAP(X)
#undef X
        YR_TABLE_COUNT
};

struct yr_rows;

/** view: borrowed for the life of the rows; rng, mem likewise.  Locked until yr_rows_unlock.
 *  *out owned by the caller.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_rows_new(struct yr_rows **out, struct yr_mem *mem,
                                    const struct yr_rng *rng, const struct yr_store_view *view);
void yr_rows_free(struct yr_rows *rows);

/** Derive the sealing keys.  The slots of shred.key are given as read from the file, which must be
 *  durable as read (NULL: there is none yet; a first key is made and leaves as a key-file write,
 *  and until that is durable no transaction is taken).  A rotation that was interrupted goes on.
 *  Errors: YR_EAUTH: no slot opens under VK, or without a file the rows do not (the store would be
 *  unreadable); YR_ECORRUPT: VK is right, but the first row, or rows of a key no slot holds, are
 *  damaged; YR_EAGAIN: the store has not answered a transaction taken before (yr_rows_busy): what
 *  would be read now might change under the reader; YR_EIO; YR_ENOMEM.  Locked after an error. */
YR_MUST_USE enum yr_err yr_rows_unlock(struct yr_rows *rows, const uint8_t vk[32],
                                       const uint8_t *shred_file);
/** The key it was unlocked with.  Errors: YR_ELOCKED. */
YR_MUST_USE enum yr_err yr_rows_vault_key(const struct yr_rows *rows, uint8_t vk[32]);
/** Wipe keys and everything uncommitted. */
void yr_rows_lock(struct yr_rows *rows);

/** Read one row into `out`.  owner (<= 64 bytes) may be NULL with length 0, so may suffix.
 *  Fastest when cap is 64 bytes more than the row.
 *  Errors: YR_ENOENT; YR_ECORRUPT (seal does not open); YR_ESIZE (does not fit); YR_EIO;
 * YR_ELOCKED; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_rows_get(struct yr_rows *rows, enum yr_table table, const void *owner,
                                    size_t owner_len, const void *suffix, size_t suffix_len,
                                    void *out, size_t cap, size_t *out_len);
/** Write one row (copied); seen by later reads at once.  suffix_len <= YR_KEY_MAX - 16.
 *  Errors: YR_ENOMEM; YR_ELOCKED; YR_ESIZE (over YR_ROW_MAX).
 *  A refused put or delete breaks the present transaction: yr_rows_take gives nothing until
 *  yr_rows_reset, and yr_rows_broken asks for that.  So a caller in the middle of several writes
 * may go on, and the one place that takes transactions looks. */
enum yr_err yr_rows_put(struct yr_rows *rows, enum yr_table table, const void *owner,
                        size_t owner_len, const void *suffix, size_t suffix_len, const void *value,
                        size_t len);
/** Delete one row; an absent one is no error.  Errors as yr_rows_put. */
enum yr_err yr_rows_del(struct yr_rows *rows, enum yr_table table, const void *owner,
                        size_t owner_len, const void *suffix, size_t suffix_len);

/** Where a walk over one owner's rows stands. */
struct yr_row {
    uint8_t suffix[YR_KEY_MAX];
    size_t suffix_len;
    size_t value_len; /* the value itself is in the caller's buffer */
};

/** The next row of (table, owner) from `at->suffix` on, in the direction of `how`, merged from what
 *  is pending and what is stored.  Walk: set at->suffix_len = 0 and YR_SEEK_GE (or fill suffix with
 *  0xff and YR_SEEK_LE), then YR_SEEK_GT (YR_SEEK_LT) with the row returned.
 *  Rows may be put and deleted during a walk.  value NULL: the suffix alone, value_len 0, and the
 *  row is not opened.
 *  Errors, after which *at is as it was: YR_ENOENT at the end; YR_ECORRUPT; YR_ESIZE; YR_EIO;
 *  YR_ELOCKED; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_rows_seek(struct yr_rows *rows, enum yr_table table, const void *owner,
                                     size_t owner_len, enum yr_seek how, struct yr_row *at,
                                     void *value, size_t cap);

/** Since the last reset a write was refused, so that half a change is pending which must not be
 *  committed, or a transaction failed, or the first key could not be written: reset and read all
 *  state again.  True only once the store has answered what was taken before, which is when that is
 *  safe: a transaction that is committed after the reading would make what was read stale. */
bool yr_rows_broken(const struct yr_rows *rows);
/** The token with which everything put so far is durable.  Waiting for it always ends: with nothing
 *  on the way it is durable already. */
uint64_t yr_rows_pending(const struct yr_rows *rows);
/** All transactions up to and including this token are durable. */
uint64_t yr_rows_durable(const struct yr_rows *rows);

/** The next transaction, if something is pending and none is in flight; NULL otherwise, and after a
 *  failed one until yr_rows_reset.  Seals the rows; needs no memory for it, except to reseal.
 *  Lent until yr_rows_stored with its token or yr_rows_free. */
const struct yr_txn *yr_rows_take(struct yr_rows *rows);

/** The next key-file write; false when there is none.  Rotation (B.11): new key into the free slot
 *  -> all shreddable rows sealed again in one transaction -> old slot overwritten with random.
 *  A rotation whose write fails goes on at the next yr_rows_rotate or unlock; no row depends on it,
 *  and nothing is to be reset.  If it was the first key, nothing can be committed: yr_rows_broken,
 *  and the write is tried again with the first put after the reset. */
bool yr_rows_keyfile(struct yr_rows *rows, struct yr_keyfile *out);
/** Start a rotation unless one is going on; one that got stuck goes on.  The node asks daily and on
 *  "delete now".  The transaction of a rotation holds every shreddable row: if there is no memory
 *  for it, both keys stay until it is asked for again.
 *  Errors: YR_ELOCKED; YR_EFULL: 2^32 generations. */
YR_MUST_USE enum yr_err yr_rows_rotate(struct yr_rows *rows);
/** A rotation is going on; when it no longer is, what was deleted before it cannot be read again.
 */
bool yr_rows_rotating(const struct yr_rows *rows);

/** The store's answer to a transaction or key-file write.  On err look at yr_rows_broken. */
void yr_rows_stored(struct yr_rows *rows, uint64_t token, enum yr_err err);
/** Forget everything not committed (also what is in flight: a late answer to it is ignored).
 *  Reset after the answer, never before it, or a transaction may be committed after the state was
 *  read again: see yr_rows_busy. */
void yr_rows_reset(struct yr_rows *rows);
/** The store holds a transaction it has not answered, be it forgotten here or not. */
bool yr_rows_busy(const struct yr_rows *rows);

#endif
