#include "core/delivery/eids.h"

#include "core/crypto/kdf.h"

#define ROW_VERSION 1
#define ROW_LEN     (1 + 8 + 1 + YR_HASH16 + YR_HASH16 + YR_MSG_ID_LEN)

void yr_eids_init(struct yr_eids *e, struct yr_mem *mem, struct yr_rows *rows,
                  const struct yr_rng *rng, enum yr_eids_table table)
{
    memset(e, 0, sizeof *e);
    e->mem = mem;
    e->rows = rows;
    e->table = table;
    yr_random(rng, e->secret, sizeof e->secret);
    yr_map_init(&e->map, mem, YR_MEM_CHAT);
}

void yr_eids_clear(struct yr_eids *e)
{
    yr_map_clear(&e->map);
    yr_free(e->mem, e->ring);
    e->ring = NULL;
    e->next = 0;
}

// Who keeps an envelope chooses its id.
static uint64_t key_of(const struct yr_eids *e, const uint8_t eid[YR_HASH16])
{
    uint8_t hash[8];
    struct yr_rd rd;
    uint64_t key;

    yr_siphash(hash, e->secret, eid, YR_HASH16);
    rd = yr_rd_init(hash, sizeof hash);
    key = yr_rd_u64(&rd);
    return key != 0 ? key : 1;
}

struct yr_seen *yr_eids_find(const struct yr_eids *e, const uint8_t eid[YR_HASH16])
{
    struct yr_seen *s = yr_map_get(&e->map, key_of(e, eid));

    return s != NULL && memcmp(s->eid, eid, YR_HASH16) == 0 ? s : NULL;
}

// Put it at a place of the ring, over what is there.
static bool place(struct yr_eids *e, size_t at, const struct yr_seen *seen)
{
    struct yr_seen *s;

    if (e->ring == NULL &&
        (e->ring = yr_alloc(e->mem, YR_MEM_CHAT, YR_MAIL_SEEN_MAX * sizeof *e->ring)) == NULL)
        return false;
    s = &e->ring[at];
    if (yr_map_get(&e->map, key_of(e, s->eid)) == s)
        yr_map_del(&e->map, key_of(e, s->eid));
    *s = *seen;
    return yr_map_put(&e->map, key_of(e, s->eid), s) == YR_OK;
}

static void place_key(const struct yr_eids *e, uint64_t number, uint8_t owner[1], uint8_t suffix[2])
{
    const uint64_t at = number % YR_MAIL_SEEN_MAX;

    owner[0] = (uint8_t)e->table;
    suffix[0] = (uint8_t)(at >> 8);
    suffix[1] = (uint8_t)at;
}

void yr_eids_add(struct yr_eids *e, const struct yr_seen *seen)
{
    uint8_t row[ROW_LEN], owner[1], suffix[2];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    if (yr_eids_find(e, seen->eid) != NULL)
        return;
    if (!place(e, e->next % YR_MAIL_SEEN_MAX, seen))
        return;
    e->ring[e->next % YR_MAIL_SEEN_MAX].token = yr_rows_pending(e->rows);
    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u64(&wr, e->next);
    yr_wr_u8(&wr, (uint8_t)seen->kind);
    yr_wr_bytes(&wr, seen->eid, sizeof seen->eid);
    yr_wr_bytes(&wr, seen->who, sizeof seen->who);
    yr_wr_bytes(&wr, seen->msg, sizeof seen->msg);
    YR_ASSERT(yr_wr_ok(&wr));
    place_key(e, e->next, owner, suffix);
    yr_rows_put(e->rows, YR_TABLE_SEEN, owner, 1, suffix, 2, row, sizeof row);
    e->next++;
}

static enum yr_err load_one(struct yr_eids *e, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t version = yr_rd_u8(&rd);
    const uint64_t number = yr_rd_u64(&rd);
    struct yr_seen seen = {.kind = (enum yr_seen_kind)yr_rd_u8(&rd)};

    yr_rd_copy(&rd, seen.eid, sizeof seen.eid);
    yr_rd_copy(&rd, seen.who, sizeof seen.who);
    yr_rd_copy(&rd, seen.msg, sizeof seen.msg);
    if (!yr_rd_done(&rd) || version != ROW_VERSION || seen.kind > YR_SEEN_LETTER)
        return YR_ECORRUPT;
    if (!place(e, number % YR_MAIL_SEEN_MAX, &seen))
        return YR_ENOMEM;
    e->next = YR_MAX(e->next, number + 1);
    return YR_OK;
}

enum yr_err yr_eids_load(struct yr_eids *e)
{
    const uint8_t owner = (uint8_t)e->table;
    uint8_t row[ROW_LEN + 64];
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    yr_eids_clear(e);
    while ((err = yr_rows_seek(e->rows, YR_TABLE_SEEN, &owner, 1, how, &at, row, sizeof row)) ==
           YR_OK) {
        how = YR_SEEK_GT;
        if ((err = load_one(e, row, at.value_len)) != YR_OK)
            break;
    }
    return err == YR_ENOENT ? YR_OK : err;
}
