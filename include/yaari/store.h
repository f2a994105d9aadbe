/* store.h: the interface between a node and its store.
 *
 * Writes leave the node as transactions (an effect with a token) and come back as
 * yr_node_stored(token, result).  A back end commits whole transactions, in the order of their
 * tokens, durably (a reported success survives power loss), and never half of one.
 * Reads are synchronous, through a view of the last commit.  Values are sealed by the node. */
#ifndef YAARI_STORE_H
#define YAARI_STORE_H

#include "yaari/api.h"
#include "yaari/error.h"

/** The two ordered maps of a store. */
enum yr_db {
    YR_DB_MAIN,  /* rows sealed under the vault key */
    YR_DB_SHRED, /* rows sealed under the erasable key */
    YR_DB_COUNT
};

/** One write; all pointers lent until the transaction is answered. */
struct yr_op {
    enum yr_db db;
    const uint8_t *key;
    size_t key_len;       /* 1..YR_KEY_MAX */
    const uint8_t *value; /* NULL: delete; deleting what is absent is no error */
    size_t value_len;
};

/** A transaction: all or nothing.  Immutable until answered, so a writer thread may read it. */
struct yr_txn {
    uint64_t token; /* rises by one with each */
    const struct yr_op *ops;
    size_t op_count;
    size_t byte_count; /* keys and values together */
};

struct yr_kv {
    const uint8_t *key, *value;
    size_t key_len, value_len;
};

enum yr_seek {
    YR_SEEK_GE, /* the first row whose key is >= the one given, bytewise */
    YR_SEEK_GT,
    YR_SEEK_LE, /* the last row whose key is <= the one given */
    YR_SEEK_LT
};

/** A read-only view of the last commit.  What it returns is lent until the next call to it. */
struct yr_store_view {
    void *ctx;
    /** Errors: YR_ENOENT; YR_EIO. */
    enum yr_err (*get)(void *ctx, enum yr_db db, const uint8_t *key, size_t key_len,
                       const uint8_t **value, size_t *value_len);
    /** Errors: YR_ENOENT past either end; YR_EIO. */
    enum yr_err (*seek)(void *ctx, enum yr_db db, enum yr_seek how, const uint8_t *key,
                        size_t key_len, struct yr_kv *out);
};

#endif
