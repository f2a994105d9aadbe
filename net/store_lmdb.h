/* net/store_lmdb.h: the store on disk: LMDB, written by one thread of its own.
 *
 *     submit -> queue -> [writer: all that waits in one LMDB transaction, synced] -> on_done each
 *
 * Reads come from one other thread through the view, which copies what it lends, so that the writer
 * may let go of the reader's snapshot and move the map at any time.  A full map grows while both
 * run.  After a failure everything that is still queued fails too: what is durable is always all up
 * to some token.  Nothing of a failed transaction is there, and the next may succeed.
 *
 * The caller makes sure that one process at a time has the store open (the profile's lock). */
#ifndef YR_STORE_LMDB_H
#define YR_STORE_LMDB_H

#include "core/store/view.h"

#define YR_LMDB_QUEUE_MAX 64                /* transactions not yet answered */
#define YR_LMDB_VALUE_MAX ((size_t)1 << 20) /* bytes; a larger one is not ours */

struct yr_lmdb;

struct yr_lmdb_opts {
    size_t map_size;     /* bytes at first: address space, not disk */
    size_t map_size_max; /* growth ends here, with YR_ENOSPC */
    /** On the writer thread: `token` is durable, or failed.  Its transaction is no longer read.
     *  NULL: there is no thread, and yr_lmdb_commit alone writes. */
    void (*on_done)(void *ctx, uint64_t token, enum yr_err err);
    /** Tests: called on the writing thread before each commit; what it returns, an errno or MDB_*,
     *  the commit fails with; 0: nothing.  May be NULL. */
    int (*fault)(void *ctx);
    void *ctx;
};
/** 64 MiB at first, 64 GiB at most, no thread. */
struct yr_lmdb_opts yr_lmdb_opts_default(void);

/** Open the store in folder `dir`, which is made with mode 0700 if its parent is there.
 *  *out owned by the caller.
 *  Errors: YR_EDENIED: dir belongs to another or its mode is not 0700; YR_ECORRUPT; YR_EVERSION:
 *  another LMDB format; YR_ENOENT: no parent; YR_ENOSPC; YR_EINVAL: not a folder; YR_EIO;
 *  YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_lmdb_open(struct yr_lmdb **out, const char *dir,
                                     const struct yr_lmdb_opts *opts);

/** The view of the last commit, for one thread.  Lent until yr_lmdb_close.
 *  Errors of its calls also: YR_ECORRUPT; YR_ENOMEM. */
const struct yr_store_view *yr_lmdb_view(struct yr_lmdb *db);

/** A view that stays at the present commit whatever is written meanwhile, for another thread; one
 * at a time, closed before the store is.  *out owned by the caller. Errors: as of the view;
 * YR_ENOMEM. */
struct yr_lmdb_snapshot;
YR_MUST_USE enum yr_err yr_lmdb_snapshot(struct yr_lmdb *db, struct yr_lmdb_snapshot **out);
/** Lent until closed.  Errors of its calls also: YR_EAGAIN: it was lost, for the map had to move.
 */
const struct yr_store_view *yr_lmdb_snapshot_view(const struct yr_lmdb_snapshot *snapshot);
void yr_lmdb_snapshot_close(struct yr_lmdb_snapshot *snapshot);

/** Hand a transaction to the writer.  Lent until on_done.  From one thread.
 *  Errors: YR_EFULL: YR_LMDB_QUEUE_MAX wait. */
YR_MUST_USE enum yr_err yr_lmdb_submit(struct yr_lmdb *db, const struct yr_txn *txn);

/** Commit on this thread; durable on return.  Errors, after which nothing has changed: YR_ENOSPC;
 *  YR_EIO; YR_ECORRUPT; YR_ENOMEM; YR_EINVAL: a key that cannot be. */
YR_MUST_USE enum yr_err yr_lmdb_commit(struct yr_lmdb *db, const struct yr_txn *txn);

/** What was read of the map no longer counts as this process's memory: it is the kernel's, who has
 * it as long as it has room.  After a start, which touches a page here and there, and to each the
 *  kernel adds those around it.  Does nothing where the system does not tell where the map is. */
void yr_lmdb_trim(struct yr_lmdb *db);

/** Bytes of the map at present. */
size_t yr_lmdb_map_size(struct yr_lmdb *db);

/** Commit and answer what is queued, then end the thread and close.  NULL is fine. */
void yr_lmdb_close(struct yr_lmdb *db);

#endif
