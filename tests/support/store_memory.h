/* tests/support/store_memory.h: a store back end in memory, for the simulator and tests.
 *
 * Semantics as LMDB's: one writer, commits whole and in order, a view of the last commit.  What is
 * submitted waits until the test says so, which is how it delays, crashes and fails commits.  The
 * two slots of shred.key are kept too.  Nothing in it depends on time, addresses or chance. */
#ifndef YR_STORE_MEMORY_H
#define YR_STORE_MEMORY_H

#include "core/crypto/vault.h"
#include "core/store/view.h"

struct yr_memstore;

/** Never NULL.  Owned by the caller. */
struct yr_memstore *yr_memstore_new(void);
void yr_memstore_free(struct yr_memstore *store);

/** Lent for the life of the store, crashes included.  Each answer is freed at the next call, so
 *  that AddressSanitizer sees whoever keeps one. */
const struct yr_store_view *yr_memstore_view(struct yr_memstore *store);
/** The 192 bytes of shred.key, or NULL while it was never written.  Lent until the next write. */
const uint8_t *yr_memstore_shred_file(const struct yr_memstore *store);

/** Queue a transaction (copied). */
void yr_memstore_submit(struct yr_memstore *store, const struct yr_txn *txn);
/** Queue a write of one slot of shred.key, behind what waits already (copied). */
void yr_memstore_submit_keyfile(struct yr_memstore *store, uint64_t token, unsigned slot,
                                const uint8_t bytes[YR_SHRED_SLOT_LEN]);
/** Carry out the first thing in the queue, durably.  false: the queue is empty.
 *  *result: YR_OK, or the injected error, and then nothing of it happened. */
bool yr_memstore_commit_next(struct yr_memstore *store, uint64_t *token, enum yr_err *result);
/** How many things wait in the queue. */
size_t yr_memstore_waiting(const struct yr_memstore *store);
/** Is the first of them a write of the key file?  false: no, or nothing waits. */
bool yr_memstore_first_is_keyfile(const struct yr_memstore *store);

/** Power fails: the queue is lost, what was committed stays. */
void yr_memstore_crash(struct yr_memstore *store);
/** Power fails during the first key-file write in the queue: `bytes` bytes of it got to the slot.
 *  The first write makes the file, at once or not at all. */
void yr_memstore_crash_during_keyfile(struct yr_memstore *store, size_t bytes);

/** The next `count` transactions fail with `err`. */
void yr_memstore_fail(struct yr_memstore *store, enum yr_err err, size_t count);
/** The same for key-file writes; `torn` bytes get to the slot all the same. */
void yr_memstore_fail_keyfile(struct yr_memstore *store, enum yr_err err, size_t count,
                              size_t torn);
/** The same for calls to the view. */
void yr_memstore_fail_reads(struct yr_memstore *store, enum yr_err err, size_t count);

/** A copy of what is committed, key file included: a backup.  Owned by the caller. */
struct yr_memstore *yr_memstore_copy(const struct yr_memstore *store);
/** Lose everything and be as `copy` is: a backup restored. */
void yr_memstore_restore(struct yr_memstore *store, const struct yr_memstore *copy);

/** Committed rows of one map. */
size_t yr_memstore_count(const struct yr_memstore *store, enum yr_db db);
/** A hash of all that is committed, to compare two runs. */
uint64_t yr_memstore_hash(const struct yr_memstore *store);

#endif
