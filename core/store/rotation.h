/* core/store/rotation.h: the life of the erasable key, SK (B.11).
 *
 * Rows of both slots' generations can be read in every state, so a crash between any two leaves a
 * readable store, and opening finds the state again from the slots that open and the generations
 * the rows carry.
 *
 *     first --durable--> idle --start--> new slot --durable--> reseal --committed--> overwrite
 *                         ^                  |failed                                     |
 *                         +<-----------------+<-------------------- durable -------------+
 *
 * Here are the states and the key file; the rows carry the resealing out. */
#ifndef YR_ROTATION_H
#define YR_ROTATION_H

#include "core/store/rowkeys.h"

#define YR_KEYFILE_TOKEN (1ULL << 63)

/** A write to shred.key that must be durable (fsync) before it is answered. */
struct yr_keyfile {
    uint64_t token; /* shares its numbers with no transaction: the top bit is set */
    unsigned slot;  /* 0 or 1 */
    uint8_t bytes[YR_SHRED_SLOT_LEN];
};

enum yr_rotation_state {
    YR_ROTATION_IDLE,
    YR_ROTATION_FIRST,    /* the first key is not in its file yet: nothing may be committed */
    YR_ROTATION_NEW,      /* a second key waits to be in its slot */
    YR_ROTATION_RESEAL,   /* new rows use it; a transaction is to move all others to it */
    YR_ROTATION_OVERWRITE /* no row uses the old key; its slot waits to be destroyed */
};

struct yr_rotation {
    enum yr_rotation_state state;
    bool stalled;       /* it failed: try again only when someone asks */
    bool out;           /* the last key-file write is being carried out */
    uint64_t count;     /* of key-file writes, never back */
    uint64_t out_token; /* of the last one */
};

/** Find the keys and the state from the key file (NULL: none) and the rows; keys are initialised.
 *  Errors: YR_EAUTH: no slot opens, or there is no file though there are rows; YR_ECORRUPT: rows of
 *  a key no slot holds, or of no form of ours; YR_EIO. */
YR_MUST_USE enum yr_err yr_rotation_open(struct yr_rotation *rotation, struct yr_rowkeys *keys,
                                         const struct yr_store_view *view, const uint8_t *file);
/** Forget all but the count, so that late answers stay unknown. */
void yr_rotation_clear(struct yr_rotation *rotation);

/** Make the next key, or go on with what is stalled.  Errors: YR_EFULL: 2^32 generations. */
YR_MUST_USE enum yr_err yr_rotation_start(struct yr_rotation *rotation, struct yr_rowkeys *keys);
/** The next key-file write; false when there is none. */
bool yr_rotation_keyfile(struct yr_rotation *rotation, const struct yr_rowkeys *keys,
                         struct yr_keyfile *out);
/** The answer to it; others are ignored.  false: the first key could not be written. */
bool yr_rotation_answer(struct yr_rotation *rotation, struct yr_rowkeys *keys, uint64_t token,
                        enum yr_err err);

/** Step through the erasable map: the first row on the side of `how`, whose key *at becomes.  Start
 *  with a key of one zero and YR_SEEK_GE, go on with YR_SEEK_GT.  *kv as the view lends it.
 *  Errors: YR_ENOENT: the end; YR_ECORRUPT: a key too long to be ours; YR_EIO. */
YR_MUST_USE enum yr_err yr_rotation_next_row(const struct yr_store_view *view, enum yr_seek how,
                                             struct yr_rowkey *at, struct yr_kv *kv);

#endif
