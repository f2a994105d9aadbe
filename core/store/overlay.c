#include "core/store/overlay.h"

#define CHUNK_LEN 16000
#define FEW_ROWS  64 /* up to so many take what they need: most transactions are one message */

struct yr_overlay *yr_overlay_new(struct yr_mem *mem)
{
    struct yr_overlay *overlay = yr_alloc(mem, YR_MEM_STORE, sizeof *overlay);

    if (overlay != NULL)
        overlay->mem = mem;
    return overlay;
}

// The plaintext alone is a secret: the key is not, and the sealed row is sealed.
static void entry_wipe(const struct yr_entry *entry)
{
    yr_wipe(yr_entry_plain(entry), entry->room);
}

static void *chunk_take(struct yr_overlay *overlay, struct yr_chunk **chunks, size_t size)
{
    struct yr_chunk *chunk = *chunks;

    size = (size + 15) & ~(size_t)15;
    if (chunk == NULL || size > chunk->size - chunk->used) {
        const size_t room = overlay->count < FEW_ROWS ? size : YR_MAX(size, (size_t)CHUNK_LEN);

        if ((chunk = yr_realloc(overlay->mem, YR_MEM_STORE, NULL, sizeof *chunk + room)) == NULL)
            return NULL;
        *chunk = (struct yr_chunk){*chunks, room, 0};
        *chunks = chunk;
    }
    chunk->used += size;
    return chunk->bytes + chunk->used - size;
}

static void chunks_free(struct yr_mem *mem, struct yr_chunk **chunks)
{
    while (*chunks != NULL) {
        struct yr_chunk *chunk = *chunks;

        *chunks = chunk->next;
        yr_free(mem, chunk);
    }
}

void yr_overlay_free(struct yr_overlay *overlay)
{
    if (overlay == NULL)
        return;
    yr_overlay_wipe(overlay);
    chunks_free(overlay->mem, &overlay->chunks);
    chunks_free(overlay->mem, &overlay->reseal_chunks);
    yr_free(overlay->mem, overlay->ops);
    yr_free(overlay->mem, overlay);
}

void yr_overlay_wipe(struct yr_overlay *overlay)
{
    for (struct yr_entry *at = overlay->head[0]; at != NULL; at = at->next[0])
        entry_wipe(at);
}

// One row in four is one level higher than the rest: xorshift64* is dice enough.
static uint8_t throw_level(uint64_t *dice)
{
    uint64_t x = *dice;
    uint8_t level = 1;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *dice = x;
    x *= 0x2545f4914f6cdd1dULL;
    for (x >>= 32; level < YR_OVERLAY_LEVELS && (x & 3) == 0; x >>= 2)
        level++;
    return level;
}

// Room for one more operation.
static enum yr_err reserve_op(struct yr_overlay *overlay)
{
    const size_t cap = overlay->op_cap > 0 ? overlay->op_cap * 2 : 16;
    struct yr_op *ops;

    if (overlay->count < overlay->op_cap)
        return YR_OK;
    ops = yr_realloc(overlay->mem, YR_MEM_STORE, overlay->ops, cap * sizeof *ops);
    if (ops == NULL)
        return YR_ENOMEM;
    overlay->ops = ops;
    overlay->op_cap = cap;
    return YR_OK;
}

static struct yr_entry *entry_new(struct yr_overlay *overlay, struct yr_chunk **chunks,
                                  enum yr_db db, const struct yr_rowkey *key, uint8_t level,
                                  uint32_t room, uint32_t sealed)
{
    const size_t head = sizeof(struct yr_entry) + level * sizeof(struct yr_entry *);
    struct yr_entry *entry;

    YR_ASSERT(key->len <= YR_KEY_MAX);
    if ((entry = chunk_take(overlay, chunks, head + room + sealed)) == NULL)
        return NULL;
    memset(entry, 0, head);
    entry->room = room;
    entry->db = (uint8_t)db;
    entry->key_len = (uint8_t)key->len;
    entry->level = level;
    memcpy(entry->key, key->bytes, key->len);
    return entry;
}

static int order(const struct yr_entry *entry, const struct yr_rowkey *key)
{
    return yr_key_cmp(entry->key, entry->key_len, key->bytes, key->len);
}

enum yr_err yr_overlay_edit(struct yr_overlay *overlay, uint64_t *dice, enum yr_db db,
                            const struct yr_rowkey *key, uint32_t pad, struct yr_entry **out)
{
    struct yr_entry **links[YR_OVERLAY_LEVELS], **row = overlay->head, *at, *entry;
    uint8_t level;

    for (size_t i = YR_OVERLAY_LEVELS; i-- > 0;) {
        while (row[i] != NULL && order(row[i], key) < 0)
            row = row[i]->next;
        links[i] = &row[i];
    }
    at = *links[0] != NULL && order(*links[0], key) == 0 ? *links[0] : NULL;

    if (at != NULL && at->room >= pad) {
        yr_wipe(yr_entry_plain(at), at->room);
        at->len = 0;
        at->pad = pad;
        *out = at;
        return YR_OK;
    }
    if (at == NULL && reserve_op(overlay) != YR_OK)
        return YR_ENOMEM;
    level = at != NULL ? at->level : throw_level(dice);
    entry = entry_new(overlay, &overlay->chunks, db, key, level, pad,
                      pad > 0 ? pad + YR_ROW_OVERHEAD : 0);
    if (entry == NULL)
        return YR_ENOMEM;

    entry->pad = pad;
    for (size_t i = 0; i < level; i++) {
        entry->next[i] = at != NULL ? at->next[i] : *links[i];
        *links[i] = entry;
    }
    if (at != NULL)
        entry_wipe(at);
    else
        overlay->count++;
    *out = entry;
    return YR_OK;
}

enum yr_err yr_overlay_reseal(struct yr_overlay *overlay, enum yr_db db,
                              const struct yr_rowkey *key, uint32_t pad, struct yr_entry **out)
{
    struct yr_entry *entry;

    if (reserve_op(overlay) != YR_OK ||
        (entry = entry_new(overlay, &overlay->reseal_chunks, db, key, 1, 0,
                           pad + YR_ROW_OVERHEAD)) == NULL)
        return YR_ENOMEM;
    entry->pad = pad;
    entry->next[0] = overlay->resealed;
    overlay->resealed = entry;
    overlay->count++;
    *out = entry;
    return YR_OK;
}

void yr_overlay_unreseal(struct yr_overlay *overlay)
{
    for (const struct yr_entry *at = overlay->resealed; at != NULL; at = at->next[0])
        overlay->count--;
    overlay->resealed = NULL;
    chunks_free(overlay->mem, &overlay->reseal_chunks);
}

const struct yr_entry *yr_overlay_get(const struct yr_overlay *overlay, const struct yr_rowkey *key)
{
    const struct yr_entry *at = yr_overlay_seek(overlay, YR_SEEK_GE, key);

    return at != NULL && order(at, key) == 0 ? at : NULL;
}

const struct yr_entry *yr_overlay_seek(const struct yr_overlay *overlay, enum yr_seek how,
                                       const struct yr_rowkey *key)
{
    // Pass every entry below the bound, and with GT and LE the bound itself.
    const int limit = how == YR_SEEK_GT || how == YR_SEEK_LE ? 1 : 0;
    struct yr_entry *const *row;
    const struct yr_entry *passed = NULL;

    if (overlay == NULL)
        return NULL;
    row = overlay->head;
    for (size_t i = YR_OVERLAY_LEVELS; i-- > 0;) {
        while (row[i] != NULL && order(row[i], key) < limit) {
            passed = row[i];
            row = row[i]->next;
        }
    }
    return how == YR_SEEK_GE || how == YR_SEEK_GT ? row[0] : passed;
}
