/* net/writer.h: what a node wants durable: transactions and slots of shred.key, each written beside
 * the loop and answered on it.
 *
 *     store -> [LMDB's writer thread] -> uv_async ---+
 *     keyfile -> [a worker, one at a time] ----------+-> on_answer(token, err)
 *
 * Transactions are answered in their order, and so are slots. */
#ifndef YR_WRITER_H
#define YR_WRITER_H

#include <uv.h>

#include "core/crypto/vault.h"
#include "net/fail.h"
#include "yaari/store.h"

struct yr_writer;

struct yr_writer_opts {
    uv_loop_t *loop;
    const char *store_dir, *shred_path; /* the latter borrowed until closed */
    /** `token` is durable, or err says why not. */
    void (*on_answer)(void *ctx, uint64_t token, enum yr_err err);
    /** All answers that were there have been given. */
    void (*on_answers)(void *ctx);
    void *ctx;
};

/** Open the store, made if it is missing.  *out owned by the caller.
 *  Errors, worded in *fail: those of yr_lmdb_open. */
YR_MUST_USE enum yr_err yr_writer_open(struct yr_writer **out, const struct yr_writer_opts *opts,
                                       struct yr_net_fail *fail);

/** The view of the last commit; lent until close. */
const struct yr_store_view *yr_writer_view(struct yr_writer *writer);
/** See yr_lmdb_snapshot; may be called on another thread. */
struct yr_lmdb_snapshot;
YR_MUST_USE enum yr_err yr_writer_snapshot(struct yr_writer *writer, struct yr_lmdb_snapshot **out);
/** See yr_lmdb_trim. */
void yr_writer_trim(struct yr_writer *writer);
/** Not one row is in it. */
bool yr_writer_is_empty(struct yr_writer *writer);

/** Commit a transaction, which is lent until answered. */
void yr_writer_store(struct yr_writer *writer, const struct yr_txn *txn);
/** Write one slot of shred.key (copied). */
void yr_writer_keyfile(struct yr_writer *writer, uint64_t token, unsigned slot,
                       const uint8_t bytes[YR_SHRED_SLOT_LEN]);
/** Something is not answered yet. */
bool yr_writer_busy(const struct yr_writer *writer);
/** Transactions answered so far. */
uint64_t yr_writer_commits(const struct yr_writer *writer);

/** Not while busy with a slot.  Transactions not answered are committed but answered no more.
 *  NULL is fine: on_closed at once.  on_closed may be NULL. */
void yr_writer_close(struct yr_writer *writer, void (*on_closed)(void *ctx), void *ctx);

#endif
