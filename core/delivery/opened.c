/* core/delivery/opened.c: which ratchet messages were opened lately, so that what comes a second
 * time is told from what only has the number of one: a friend whose store was set back seals other
 * texts with numbers that it used before, and nobody may acknowledge those as known.
 *
 * The beginnings of the last YR_OPENED_MAX nonces, which are random; a friend has at most a window
 * of letters for which it still waits.  In parts, each a row, so that a commit writes one of them.
 */
#include "core/delivery/delivery_state.h"

#define PART_ITEMS  (YR_OPENED_MAX / YR_OPENED_PARTS)
#define NONCE_AT    (1 + 8 + 32 + 4 + 4)
#define ROW_VERSION 1
#define ROW_LEN     (1 + 8 + PART_ITEMS * YR_OPENED_LEN)

static_assert(YR_OPENED_MAX == YR_WINDOW_MAX, "all that may come again");
static_assert(YR_RATCHET_OVERHEAD == NONCE_AT + YR_NONCE_LEN + YR_TAG_LEN, "layout of B.7");

static bool make(struct yr_delivery *d, struct yr_box *b)
{
    if (b->opened == NULL)
        b->opened = yr_alloc(d->mem, YR_MEM_CHAT, YR_OPENED_MAX * sizeof *b->opened);
    return b->opened != NULL;
}

void yr_opened_clear(struct yr_delivery *d, struct yr_box *b)
{
    yr_free(d->mem, b->opened);
    b->opened = NULL;
    b->opened_total = 0;
    b->opened_changed = 0;
}

bool yr_opened_has(const struct yr_box *b, const uint8_t *msg, size_t len)
{
    const size_t count = (size_t)YR_MIN(b->opened_total, (uint64_t)YR_OPENED_MAX);

    if (b->opened == NULL || len < YR_RATCHET_OVERHEAD)
        return false;
    for (size_t i = 0; i < count; i++)
        if (memcmp(b->opened[i], msg + NONCE_AT, YR_OPENED_LEN) == 0)
            return true;
    return false;
}

enum yr_err yr_opened_reserve(struct yr_delivery *d, struct yr_box *b)
{
    return make(d, b) ? YR_OK : YR_ENOMEM;
}

void yr_opened_add(struct yr_box *b, const uint8_t *msg)
{
    const size_t i = (size_t)(b->opened_total % YR_OPENED_MAX);

    memcpy(b->opened[i], msg + NONCE_AT, YR_OPENED_LEN);
    b->opened_total++;
    b->opened_changed |= 1U << (i / PART_ITEMS);
}

void yr_opened_flush(struct yr_delivery *d, struct yr_box *b)
{
    uint8_t row[ROW_LEN];

    for (uint8_t part = 0; b->opened_changed != 0; part++, b->opened_changed >>= 1) {
        struct yr_wr wr = yr_wr_init(row, sizeof row);
        if ((b->opened_changed & 1) == 0)
            continue;
        yr_wr_u8(&wr, ROW_VERSION);
        yr_wr_u64(&wr, b->opened_total);
        yr_wr_bytes(&wr, b->opened[part * PART_ITEMS], PART_ITEMS * YR_OPENED_LEN);
        YR_ASSERT(yr_wr_ok(&wr));
        yr_rows_put(d->rows, YR_TABLE_OPENED, b->id, 32, &part, 1, row, sizeof row);
    }
}

// What a part does not have is zero, which is no nonce's beginning.
enum yr_err yr_opened_load(struct yr_delivery *d, struct yr_box *b)
{
    for (uint8_t part = 0; part < YR_OPENED_PARTS; part++) {
        uint8_t row[ROW_LEN + 64];
        struct yr_rd rd;
        uint64_t total;
        size_t len;
        enum yr_err err =
            yr_rows_get(d->rows, YR_TABLE_OPENED, b->id, 32, &part, 1, row, sizeof row, &len);
        if (err == YR_ENOENT)
            continue;
        if (err != YR_OK)
            return err;
        rd = yr_rd_init(row, len);
        if (yr_rd_u8(&rd) != ROW_VERSION)
            return YR_ECORRUPT;
        total = yr_rd_u64(&rd);
        if (!make(d, b))
            return YR_ENOMEM;
        yr_rd_copy(&rd, b->opened[part * PART_ITEMS], PART_ITEMS * YR_OPENED_LEN);
        if (!yr_rd_done(&rd) || total > INT64_MAX)
            return YR_ECORRUPT;
        b->opened_total = YR_MAX(b->opened_total, total);
    }
    return YR_OK;
}

void yr_opened_remove(struct yr_delivery *d, struct yr_box *b)
{
    for (uint8_t part = 0; part < YR_OPENED_PARTS; part++)
        yr_rows_del(d->rows, YR_TABLE_OPENED, b->id, 32, &part, 1);
}
