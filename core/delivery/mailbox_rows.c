#include "core/delivery/mailbox_state.h"

/* ---- tags ---- */

static void day_suffix(uint8_t out[4], uint32_t day)
{
    out[0] = (uint8_t)(day >> 24);
    out[1] = (uint8_t)(day >> 16);
    out[2] = (uint8_t)(day >> 8);
    out[3] = (uint8_t)day;
}

void yr_mb_day_del(struct yr_mailbox *mb, const struct yr_mb_friend *f, uint32_t day)
{
    uint8_t suffix[4];

    day_suffix(suffix, day);
    yr_rows_del(mb->rows, YR_TABLE_MAILTAG, f->id, 32, suffix, sizeof suffix);
}

enum yr_err yr_mb_day_put(struct yr_mailbox *mb, const struct yr_mb_friend *f, uint32_t day,
                          const uint8_t *tags, size_t count)
{
    uint8_t row[1 + YR_MAIL_TAGS_MAX * 16], suffix[4];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, YR_MB_VERSION);
    yr_wr_bytes(&wr, tags, count * 16);
    day_suffix(suffix, day);
    return yr_rows_put(mb->rows, YR_TABLE_MAILTAG, f->id, 32, suffix, sizeof suffix, row,
                       yr_wr_len(&wr));
}

static enum yr_err load_days(struct yr_mailbox *mb, unsigned slot)
{
    struct yr_mb_friend *f = mb->friends[slot];
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    while ((err = yr_rows_seek(mb->rows, YR_TABLE_MAILTAG, f->id, 32, how, &at, mb->row,
                               sizeof mb->row)) == YR_OK) {
        struct yr_rd key = yr_rd_init(at.suffix, at.suffix_len);
        const uint32_t high = yr_rd_u16be(&key), day = high << 16 | yr_rd_u16be(&key);
        how = YR_SEEK_GT;
        if (!yr_rd_done(&key) || at.value_len == 0 || mb->row[0] != YR_MB_VERSION ||
            (at.value_len - 1) % 16 != 0 || (at.value_len - 1) / 16 > YR_MAIL_TAGS_MAX)
            return YR_ECORRUPT;
        err = yr_mb_take_day(mb, slot, day, mb->row + 1, (at.value_len - 1) / 16);
        if (err != YR_OK && err != YR_EFULL)
            return err;
    }
    return err == YR_ENOENT ? YR_OK : err;
}

/* ---- envelopes ---- */

static void mail_suffix(uint8_t out[YR_MB_KEY_LEN], const struct yr_mb_kept *k)
{
    struct yr_wr wr = yr_wr_init(out, YR_MB_KEY_LEN);

    yr_wr_u64be(&wr, k->order);
    yr_wr_bytes(&wr, k->eid, YR_EID_LEN);
}

enum yr_err yr_mb_mail_get(struct yr_mailbox *mb, const struct yr_mb_friend *f,
                           const struct yr_mb_kept *k, const uint8_t **envelope, size_t *len)
{
    uint8_t suffix[YR_MB_KEY_LEN];
    enum yr_err err;

    mail_suffix(suffix, k);
    err = yr_rows_get(mb->rows, YR_TABLE_MAIL, f->id, 32, suffix, sizeof suffix, mb->row,
                      sizeof mb->row, len);
    if (err == YR_ENOENT || (err == YR_OK && *len != YR_MB_MAIL_HEAD + k->len))
        return YR_ECORRUPT;
    *envelope = mb->row + YR_MB_MAIL_HEAD;
    *len = k->len;
    return err;
}

/* ---- the index ---- */

// The first that is not before this order.
static size_t first_from(const struct yr_mb_friend *f, uint64_t order)
{
    size_t low = 0, high = f->count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (f->kept[mid]->order < order)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void part_suffix(uint8_t out[8], uint64_t part)
{
    struct yr_wr wr = yr_wr_init(out, 8);

    yr_wr_u64be(&wr, part);
}

static void write_part(struct yr_mailbox *mb, const struct yr_mb_friend *f, uint64_t part)
{
    uint8_t row[YR_MB_PART_LEN], suffix[8];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    part_suffix(suffix, part);
    yr_wr_u8(&wr, YR_MB_VERSION);
    for (size_t i = first_from(f, part * YR_MB_PART);
         i < f->count && f->kept[i]->order / YR_MB_PART == part; i++) {
        const struct yr_mb_kept *k = f->kept[i];
        yr_wr_u8(&wr, (uint8_t)(k->order % YR_MB_PART));
        yr_wr_bytes(&wr, k->eid, sizeof k->eid);
        yr_wr_u64(&wr, k->until_s);
        yr_wr_u32(&wr, k->len);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    if (yr_wr_len(&wr) > 1)
        yr_rows_put(mb->rows, YR_TABLE_MAILINDEX, f->id, 32, suffix, sizeof suffix, row,
                    yr_wr_len(&wr));
    else
        yr_rows_del(mb->rows, YR_TABLE_MAILINDEX, f->id, 32, suffix, sizeof suffix);
}

static void flush(struct yr_mailbox *mb, struct yr_mb_friend *f)
{
    for (size_t i = 0; i < f->dirty_count; i++)
        write_part(mb, f, f->dirty[i]);
    f->dirty_count = 0;
}

static void touch(struct yr_mailbox *mb, struct yr_mb_friend *f, uint64_t part)
{
    for (size_t i = 0; i < f->dirty_count; i++)
        if (f->dirty[i] == part)
            return;
    if (f->dirty_count == YR_MB_DIRTY)
        flush(mb, f);
    f->dirty[f->dirty_count++] = part;
}

void yr_mailbox_flush(struct yr_mailbox *mb)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (mb->friends[slot] != NULL)
            flush(mb, mb->friends[slot]);
}

enum yr_err yr_mb_mail_put(struct yr_mailbox *mb, struct yr_mb_friend *f,
                           const struct yr_mb_kept *k, const uint8_t *envelope)
{
    struct yr_wr wr = yr_wr_init(mb->row, sizeof mb->row);
    uint8_t suffix[YR_MB_KEY_LEN];

    yr_wr_u8(&wr, YR_MB_VERSION);
    yr_wr_u64(&wr, k->until_s);
    yr_wr_bytes(&wr, envelope, k->len);
    YR_ASSERT(yr_wr_ok(&wr));
    mail_suffix(suffix, k);
    touch(mb, f, k->order / YR_MB_PART);
    return yr_rows_put(mb->rows, YR_TABLE_MAIL, f->id, 32, suffix, sizeof suffix, mb->row,
                       yr_wr_len(&wr));
}

void yr_mb_mail_del(struct yr_mailbox *mb, struct yr_mb_friend *f, const struct yr_mb_kept *k)
{
    uint8_t suffix[YR_MB_KEY_LEN];

    mail_suffix(suffix, k);
    touch(mb, f, k->order / YR_MB_PART);
    yr_rows_del(mb->rows, YR_TABLE_MAIL, f->id, 32, suffix, sizeof suffix);
}

static enum yr_err load_part(struct yr_mailbox *mb, unsigned slot, uint64_t part, size_t len)
{
    struct yr_rd rd = yr_rd_init(mb->row, len);
    const uint8_t version = yr_rd_u8(&rd);
    enum yr_err err = YR_OK;

    if (version != YR_MB_VERSION || part > UINT64_MAX / YR_MB_PART - 1)
        return YR_ECORRUPT;
    for (unsigned least = 0; err == YR_OK && yr_rd_left(&rd) > 0;) {
        struct yr_mb_kept *k = yr_alloc(mb->mem, YR_MEM_CHAT, sizeof *k);
        const uint8_t low = yr_rd_u8(&rd);
        if (k == NULL)
            return YR_ENOMEM;
        k->order = part * YR_MB_PART + low;
        yr_rd_copy(&rd, k->eid, sizeof k->eid);
        k->from = YR_FRIENDS_MAX;
        k->until_s = yr_rd_u64(&rd);
        k->len = yr_rd_u32(&rd);
        if (rd.bad || low < least || low >= YR_MB_PART || k->len == 0 || k->len > YR_ENVELOPE_MAX) {
            yr_free(mb->mem, k);
            return YR_ECORRUPT;
        }
        least = low + 1u;
        err = yr_mb_add(mb, slot, k);
    }
    return err;
}

static enum yr_err load_mail(struct yr_mailbox *mb, unsigned slot)
{
    const struct yr_mb_friend *f = mb->friends[slot];
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    while ((err = yr_rows_seek(mb->rows, YR_TABLE_MAILINDEX, f->id, 32, how, &at, mb->row,
                               sizeof mb->row)) == YR_OK) {
        struct yr_rd key = yr_rd_init(at.suffix, at.suffix_len);
        const uint64_t part = yr_rd_u64be(&key);
        how = YR_SEEK_GT;
        if (!yr_rd_done(&key))
            return YR_ECORRUPT;
        if ((err = load_part(mb, slot, part, at.value_len)) != YR_OK)
            break;
    }
    return err == YR_ENOENT ? YR_OK : err;
}

enum yr_err yr_mb_load(struct yr_mailbox *mb, unsigned slot)
{
    const enum yr_err err = load_days(mb, slot);

    return err == YR_OK ? load_mail(mb, slot) : err;
}
