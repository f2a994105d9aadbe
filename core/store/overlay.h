/* core/store/overlay.h: rows that were put and are not committed yet, in key order.
 *
 * A skip list.  It only grows: a deleted row leaves an entry that hides the stored one.  Each entry
 * has the room for its sealed form, and the overlay the room for its operations, so that taking the
 * transaction cannot fail for want of memory.  Entries lie in large pieces of memory, given back
 * with the overlay.  Plaintexts are wiped before that. */
#ifndef YR_OVERLAY_H
#define YR_OVERLAY_H

#include "core/base/mem.h"
#include "core/limits.h"
#include "core/store/rowkeys.h"

#define YR_OVERLAY_LEVELS 12 /* four times as many rows a level: quick up to 16 million */

struct yr_entry {
    uint32_t len;  /* of the plaintext */
    uint32_t pad;  /* of the padded plaintext, 0: the row is deleted */
    uint32_t room; /* pad it could hold */
    uint8_t db, key_len, level;
    uint8_t key[YR_KEY_MAX];
    struct yr_entry *next[]; /* `level` of them, then the plaintext, then the sealed row */
};

/** A piece of memory in which entries lie. */
struct yr_chunk {
    struct yr_chunk *next;
    size_t size, used;
    _Alignas(16) uint8_t bytes[];
};

struct yr_overlay {
    struct yr_mem *mem;
    struct yr_chunk *chunks, *reseal_chunks;  /* the newest first */
    struct yr_overlay *older;                 /* the owner's chain */
    struct yr_entry *head[YR_OVERLAY_LEVELS]; /* in key order */
    struct yr_entry *resealed;                /* stored rows under a new key: sealed form only */
    size_t count;                             /* of both */
    struct yr_op *ops;                        /* room for `op_cap` >= count */
    size_t op_cap;
    struct yr_txn txn; /* once taken */
};

/** NULL: no memory.  Owned by the caller. */
YR_MUST_USE struct yr_overlay *yr_overlay_new(struct yr_mem *mem);
void yr_overlay_free(struct yr_overlay *overlay);
/** Wipe the plaintexts; the sealed rows stay as they are. */
void yr_overlay_wipe(struct yr_overlay *overlay);

/** The entry of `key`, made if need be, with room for `pad` bytes of padded plaintext and those
 *  wiped; pad 0 deletes.  The caller writes len and the plaintext.
 *  dice: state of the draw of levels, not 0; no row's writer can foresee it.
 *  *out lent until the next edit.  Errors: YR_ENOMEM: nothing changed. */
YR_MUST_USE enum yr_err yr_overlay_edit(struct yr_overlay *overlay, uint64_t *dice, enum yr_db db,
                                        const struct yr_rowkey *key, uint32_t pad,
                                        struct yr_entry **out);
/** Add an entry outside the order, for a sealed row of `pad` + YR_ROW_OVERHEAD bytes.
 *  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_overlay_reseal(struct yr_overlay *overlay, enum yr_db db,
                                          const struct yr_rowkey *key, uint32_t pad,
                                          struct yr_entry **out);
/** Take back every resealed row. */
void yr_overlay_unreseal(struct yr_overlay *overlay);

/** NULL when the overlay (which may be NULL) says nothing of this key. */
const struct yr_entry *yr_overlay_get(const struct yr_overlay *overlay,
                                      const struct yr_rowkey *key);
/** Deleted rows are found too.  NULL past either end. */
const struct yr_entry *yr_overlay_seek(const struct yr_overlay *overlay, enum yr_seek how,
                                       const struct yr_rowkey *key);

static inline uint8_t *yr_entry_plain(const struct yr_entry *entry)
{
    return (uint8_t *)(uintptr_t)(entry->next + entry->level);
}
static inline uint8_t *yr_entry_sealed(const struct yr_entry *entry)
{
    return yr_entry_plain(entry) + entry->room;
}

#endif
