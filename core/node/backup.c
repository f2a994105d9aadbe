/* core/node/backup.c: see yaari/backup.h.  A record is a map with integer keys:
 *
 *     0 kind  1: the first   1 version  2 root  3 generation  4 made (ms)  5 nick  6 status
 *                            7 created (ms)
 *             2: a row       1 table  2 owner  3 suffix  4 value, as in the store, but for:
 *                            letters are without what was sealed of them
 *             3: the last    1 how many rows there were */
#include "core/node/backup.h"

#include "core/base/bytes.h"
#include "core/crypto/identity.h"
#include "core/delivery/delivery.h"

#define VERSION 1

/* Of whom a table has rows: of nobody in particular, or of each row of another table. */
enum per { ALONE, OF_CONV, OF_FRIEND, OF_ROOM };

/* In the order of the file: the friends come last, and what it takes to know them. */
static const struct part {
    enum yr_table table;
    enum per per;
} parts[] = {
    {YR_TABLE_PEER, ALONE},
    {YR_TABLE_EVENT, ALONE}, /* the last one only: cursors go on */
    {YR_TABLE_INDEX, ALONE},
    {YR_TABLE_EXPIRY, ALONE},
    {YR_TABLE_MESSAGE, OF_CONV},
    {YR_TABLE_ORPHAN, OF_CONV},
    {YR_TABLE_CONV, ALONE},
    {YR_TABLE_ROOM_LOG, OF_ROOM},
    {YR_TABLE_RECORD, OF_ROOM}, /* each followed by its RECORD_ID */
    {YR_TABLE_RECORD_STATE, OF_ROOM},
    {YR_TABLE_RECORD_SEQ, OF_ROOM},
    {YR_TABLE_RECORD_CHAIN, OF_ROOM},
    {YR_TABLE_RECORD_AUTHOR, OF_ROOM},
    {YR_TABLE_ROOMFRIEND, OF_ROOM},
    {YR_TABLE_ROOMMEMBER, OF_ROOM},
    {YR_TABLE_ROOMCHAIN, OF_ROOM},
    {YR_TABLE_ROOM, ALONE},
    {YR_TABLE_OUTBOX, OF_FRIEND},
    {YR_TABLE_CLOCK, ALONE},
    {YR_TABLE_ADDR, ALONE},
    {YR_TABLE_RELAY, ALONE},
    {YR_TABLE_CERT, ALONE},
    {YR_TABLE_TIMEKEY, ALONE},
    {YR_TABLE_FRIEND, ALONE},
};

static const char *const names[] = {
#define X(NAME, text, db, meaning) [YR_TABLE_##NAME] = text,
    YR_TABLE_MAP(X)
#undef X
};

static const enum yr_table owners[] = {
    [OF_CONV] = YR_TABLE_CONV, [OF_FRIEND] = YR_TABLE_FRIEND, [OF_ROOM] = YR_TABLE_ROOM};

/* ---- maps ---- */

static void put_uint(struct yr_wr *wr, uint8_t key, uint64_t number)
{
    yr_wr_u8(wr, key);
    yr_wr_u8(wr, 0xcf);
    for (unsigned i = 8; i-- > 0;)
        yr_wr_u8(wr, (uint8_t)(number >> 8 * i));
}

// Of any length; those of texts say that they are text.
static void put_bytes(struct yr_wr *wr, uint8_t key, bool text, const void *src, size_t len)
{
    yr_wr_u8(wr, key);
    yr_wr_u8(wr, text ? 0xdb : 0xc6);
    for (unsigned i = 4; i-- > 0;)
        yr_wr_u8(wr, (uint8_t)(len >> 8 * i));
    yr_wr_bytes(wr, src, len);
}

static struct yr_wr begin(uint8_t *dst, enum yr_record_kind kind, unsigned pairs)
{
    struct yr_wr wr = yr_wr_init(dst, YR_BACKUP_RECORD_MAX);

    yr_wr_u8(&wr, (uint8_t)(0x80 | pairs));
    put_uint(&wr, 0, kind);
    return wr;
}

static bool is_bytes(const struct yr_backup_record *r, unsigned key, enum yr_value_kind kind,
                     size_t min, size_t max)
{
    return r->has[key] && r->values[key].kind == kind && r->values[key].len >= min &&
           r->values[key].len <= max;
}

static bool is_number(const struct yr_backup_record *r, unsigned key, uint64_t max)
{
    return r->has[key] && r->values[key].kind == YR_VALUE_UINT && r->values[key].number <= max;
}

static bool is_text(const struct yr_backup_record *r, unsigned key, size_t max)
{
    return is_bytes(r, key, YR_VALUE_STR, 0, max) &&
           (r->values[key].len == 0 ||
            yr_utf8_ok((const char *)r->values[key].data, r->values[key].len));
}

static bool may_hold(enum yr_table table)
{
    for (size_t i = 0; i < YR_COUNT(parts); i++)
        if (parts[i].table == table)
            return true;
    return table == YR_TABLE_RECORD_ID;
}

static bool find_table(struct yr_backup_record *r)
{
    for (size_t i = 0; i < YR_COUNT(names); i++)
        if (strlen(names[i]) == r->values[1].len &&
            memcmp(names[i], r->values[1].data, r->values[1].len) == 0 &&
            may_hold((enum yr_table)i)) {
            r->table = (enum yr_table)i;
            return true;
        }
    return false;
}

static enum yr_err check_row(struct yr_backup_record *r)
{
    const bool form = is_bytes(r, 1, YR_VALUE_STR, 1, 32) && is_bytes(r, 2, YR_VALUE_BIN, 0, 64) &&
                      is_bytes(r, 3, YR_VALUE_BIN, 0, YR_KEY_MAX - 16) &&
                      is_bytes(r, 4, YR_VALUE_BIN, 0, YR_ROW_MAX);

    return form && find_table(r) ? YR_OK : YR_EPROTO;
}

static enum yr_err check_head(const struct yr_backup_record *r)
{
    if (!is_number(r, 1, UINT64_MAX))
        return YR_EPROTO;
    if (r->values[1].number != VERSION)
        return YR_EVERSION;
    return is_bytes(r, 2, YR_VALUE_BIN, 32, 32) && is_number(r, 3, UINT32_MAX - 1) &&
                   is_number(r, 4, INT64_MAX) && is_text(r, 5, YR_NICK_MAX) &&
                   is_text(r, 6, YR_STATUS_MAX) && is_number(r, 7, INT64_MAX)
               ? YR_OK
               : YR_EPROTO;
}

enum yr_err yr_backup_decode(struct yr_backup_record *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_value map = yr_value_next(&rd);

    memset(out, 0, sizeof *out);
    if (rd.bad || map.kind != YR_VALUE_MAP || map.number > 2 * YR_RECORD_KEYS ||
        len > YR_BACKUP_RECORD_MAX)
        return YR_EPROTO;
    for (uint64_t i = 0; i < map.number && !rd.bad; i++) {
        const struct yr_value key = yr_value_next(&rd);
        const struct yr_value value = yr_value_next(&rd);

        // Keys of later versions have plain values, too.
        if (rd.bad || key.kind != YR_VALUE_UINT || value.kind == YR_VALUE_ARRAY ||
            value.kind == YR_VALUE_MAP)
            return YR_EPROTO;
        if (key.number >= YR_RECORD_KEYS)
            continue;
        if (out->has[key.number])
            return YR_EPROTO;
        out->has[key.number] = true;
        out->values[key.number] = value;
    }
    if (!yr_rd_done(&rd) || !is_number(out, 0, YR_RECORD_END) ||
        out->values[0].number < YR_RECORD_HEAD)
        return YR_EPROTO;
    out->kind = (enum yr_record_kind)out->values[0].number;
    switch (out->kind) {
    case YR_RECORD_HEAD: return check_head(out);
    case YR_RECORD_ROW: return check_row(out);
    case YR_RECORD_END: break;
    }
    return is_number(out, 1, UINT64_MAX) ? YR_OK : YR_EPROTO;
}

static void count(struct yr_backup_info *info, enum yr_table table)
{
    info->rows++;
    info->friends += table == YR_TABLE_FRIEND;
    info->rooms += table == YR_TABLE_ROOM;
    info->messages += table == YR_TABLE_MESSAGE;
}

enum yr_err yr_backup_follow(struct yr_backup_info *info, const struct yr_backup_record *r)
{
    struct yr_identity self;
    static const uint8_t none[32];

    if (info->ended || (r->kind == YR_RECORD_HEAD) == info->begun)
        return YR_EPROTO;
    switch (r->kind) {
    case YR_RECORD_HEAD:
        yr_identity_from(&self, r->values[2].data, none, 1, 0);
        memset(info, 0, sizeof *info);
        info->begun = true;
        memcpy(info->id, self.id, sizeof info->id);
        memcpy(info->nick, r->values[5].data, r->values[5].len);
        info->gen = (uint32_t)r->values[3].number;
        info->made_ms = (yr_ms)r->values[4].number;
        yr_identity_clear(&self);
        return YR_OK;
    case YR_RECORD_ROW: count(info, r->table); return YR_OK;
    case YR_RECORD_END: break;
    }
    if (r->values[1].number != info->rows)
        return YR_EPROTO;
    info->ended = true;
    return YR_OK;
}

enum yr_err yr_backup_check(struct yr_backup_info *info, const uint8_t *record, size_t len)
{
    struct yr_backup_record r;
    const enum yr_err err = yr_backup_decode(&r, record, len);

    return err == YR_OK ? yr_backup_follow(info, &r) : err;
}

/* ---- making one ---- */

struct yr_backup {
    struct yr_mem *mem;
    struct yr_rows *rows;
    struct yr_backup_info info;
    yr_ms now_ms;
    size_t part;
    bool walks, owns;        /* `at` is a row of this part; `owner` one that has such rows */
    struct yr_row at, owner; /* where the walks are */
    bool spot;               /* a RECORD_ID is next: */
    uint8_t spot_id[YR_ID_LEN + 16];
    uint8_t value[YR_ROW_MAX + 64];
};

void yr_backup_free(struct yr_backup *b)
{
    if (b == NULL)
        return;
    yr_rows_free(b->rows);
    yr_free_secret(b->mem, b);
}

enum yr_err yr_backup_new(struct yr_backup **out, struct yr_mem *mem, const struct yr_rng *rng,
                          const struct yr_store_view *view, const uint8_t vk[32],
                          const uint8_t *shred_file, yr_ms now_ms)
{
    struct yr_backup *b = yr_alloc_secret(mem, YR_MEM_NODE, sizeof *b);
    enum yr_err err;

    if (b == NULL)
        return YR_ENOMEM;
    b->mem = mem;
    b->now_ms = now_ms;
    if ((err = yr_rows_new(&b->rows, mem, rng, view)) != YR_OK ||
        (err = yr_rows_unlock(b->rows, vk, shred_file)) != YR_OK) {
        yr_backup_free(b);
        return err;
    }
    *out = b;
    return YR_OK;
}

enum yr_err yr_self_read(struct yr_rows *rows, struct yr_self_row *out)
{
    uint8_t row[1024], version;
    struct yr_rd rd;
    size_t len;
    enum yr_err err = yr_rows_get(rows, YR_TABLE_SELF, NULL, 0, YR_SELF_ROW_KEY,
                                  sizeof YR_SELF_ROW_KEY - 1, row, sizeof row, &len);

    if (err != YR_OK)
        return err;
    rd = yr_rd_init(row, len);
    version = yr_rd_u8(&rd);
    yr_rd_copy(&rd, out->root, 32);
    yr_rd_copy(&rd, out->device, 32);
    out->gen = yr_rd_u32(&rd);
    out->created_ms = (yr_ms)yr_rd_u64(&rd);
    yr_rd_text16(&rd, out->nick, sizeof out->nick);
    yr_rd_text16(&rd, out->status, sizeof out->status);
    yr_wipe(row, sizeof row);
    return yr_rd_done(&rd) && version == YR_SELF_ROW_VERSION ? YR_OK : YR_ECORRUPT;
}

static enum yr_err write_head(struct yr_backup *b, uint8_t *dst, size_t *len)
{
    struct yr_wr wr = begin(dst, YR_RECORD_HEAD, 8);
    struct yr_self_row self;
    enum yr_err err = yr_self_read(b->rows, &self);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_ENOID : err;
    put_uint(&wr, 1, VERSION);
    put_bytes(&wr, 2, false, self.root, sizeof self.root);
    put_uint(&wr, 3, self.gen);
    put_uint(&wr, 4, (uint64_t)YR_MAX(b->now_ms, 0));
    put_bytes(&wr, 5, true, self.nick, strlen(self.nick));
    put_bytes(&wr, 6, true, self.status, strlen(self.status));
    put_uint(&wr, 7, (uint64_t)YR_MAX(self.created_ms, 0));
    yr_wipe(&self, sizeof self);
    b->info.begun = true;
    *len = yr_wr_len(&wr);
    return YR_OK;
}

static enum yr_err write_row(struct yr_backup *b, enum yr_table table, const void *owner,
                             size_t owner_len, const void *suffix, size_t suffix_len,
                             size_t value_len, uint8_t *dst, size_t *len)
{
    struct yr_wr wr = begin(dst, YR_RECORD_ROW, 5);

    put_bytes(&wr, 1, true, names[table], strlen(names[table]));
    put_bytes(&wr, 2, false, owner, owner_len);
    put_bytes(&wr, 3, false, suffix, suffix_len);
    put_bytes(&wr, 4, false, b->value, value_len);
    if (!yr_wr_ok(&wr))
        return YR_ECORRUPT;
    count(&b->info, table);
    *len = yr_wr_len(&wr);
    return YR_OK;
}

// The row that says where the record is which was written last.
static enum yr_err write_spot(struct yr_backup *b, uint8_t *dst, size_t *len)
{
    size_t n;
    enum yr_err err = yr_rows_get(b->rows, YR_TABLE_RECORD_ID, b->spot_id, sizeof b->spot_id, NULL,
                                  0, b->value, sizeof b->value, &n);

    b->spot = false;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_ECORRUPT : err;
    return write_row(b, YR_TABLE_RECORD_ID, b->spot_id, sizeof b->spot_id, NULL, 0, n, dst, len);
}

// The next one who may have rows of this part.  Errors: YR_ENOENT.
static enum yr_err next_owner(struct yr_backup *b, enum per per)
{
    const enum yr_seek how = b->owns ? YR_SEEK_GT : YR_SEEK_GE;
    enum yr_err err;

    if (!b->owns)
        b->owner.suffix_len = 0;
    err = yr_rows_seek(b->rows, owners[per], NULL, 0, how, &b->owner, NULL, 0);
    if (err != YR_OK)
        return err;
    if (b->owner.suffix_len != YR_ID_LEN)
        return YR_ECORRUPT;
    b->owns = true;
    b->walks = false;
    return YR_OK;
}

// The next row of this part.  Errors: YR_ENOENT.
static enum yr_err next_row(struct yr_backup *b, const struct part *part)
{
    const bool last_only = part->table == YR_TABLE_EVENT;
    enum yr_err err;

    if (part->per != ALONE && !b->owns && (err = next_owner(b, part->per)) != YR_OK)
        return err;
    for (;;) {
        enum yr_seek how = b->walks ? YR_SEEK_GT : YR_SEEK_GE;

        if (!b->walks && last_only) {
            how = YR_SEEK_LE;
            b->at.suffix_len = 8;
            memset(b->at.suffix, 0xff, b->at.suffix_len);
        } else if (!b->walks) {
            b->at.suffix_len = 0;
        }
        err = yr_rows_seek(b->rows, part->table, part->per == ALONE ? NULL : b->owner.suffix,
                           part->per == ALONE ? 0 : YR_ID_LEN, how, &b->at, b->value,
                           sizeof b->value);
        if (err != YR_ENOENT)
            break;
        if (part->per == ALONE || (err = next_owner(b, part->per)) != YR_OK)
            return err;
    }
    b->walks = true;
    return err;
}

enum yr_err yr_backup_next(struct yr_backup *b, uint8_t *dst, size_t *len)
{
    const struct part *part;
    enum yr_err err;

    if (!b->info.begun)
        return write_head(b, dst, len);
    if (b->info.ended)
        return YR_ENOENT;
    if (b->spot)
        return write_spot(b, dst, len);
    for (;;) {
        if (b->part == YR_COUNT(parts)) {
            struct yr_wr wr = begin(dst, YR_RECORD_END, 2);

            put_uint(&wr, 1, b->info.rows);
            b->info.ended = true;
            *len = yr_wr_len(&wr);
            return YR_OK;
        }
        part = &parts[b->part];
        if ((err = next_row(b, part)) == YR_OK)
            break;
        if (err != YR_ENOENT)
            return err;
        b->part++;
        b->walks = b->owns = false;
    }
    size_t n = b->at.value_len;
    if (part->table == YR_TABLE_OUTBOX && (err = yr_delivery_letter_plain(b->value, &n)) != YR_OK)
        return err;
    if (part->table == YR_TABLE_RECORD || part->table == YR_TABLE_RECORD_STATE) {
        if (n < 1 + 16)
            return YR_ECORRUPT;
        b->spot = true;
        memcpy(b->spot_id, b->owner.suffix, YR_ID_LEN);
        memcpy(b->spot_id + YR_ID_LEN, b->value + 1, 16);
    }
    return write_row(b, part->table, part->per == ALONE ? NULL : b->owner.suffix,
                     part->per == ALONE ? 0 : YR_ID_LEN, b->at.suffix, b->at.suffix_len, n, dst,
                     len);
}
