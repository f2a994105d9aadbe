/* core/node/backup.c: see backup.h.  A record is a map with integer keys:
 *
 *     0 kind  1: the first   1 version  2 root  3 generation  4 made (ms)  5 nick  6 status
 *                            7 created (ms)
 *             2: a row       1 table  2 owner  3 suffix  4 value, as in the store, but for:
 *                            letters are without what was sealed of them
 *             3: the last    1 how many rows there were */
#include "yaari/backup.h"

#include "core/node/state.h"
#include "core/wire/value.h"

#define VERSION  1
#define EPOCH_MS 1577836800000LL /* 2020-01-01: generations count minutes since then */

enum kind { HEAD = 1, ROW = 2, END = 3 };

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

static struct yr_wr begin(uint8_t *dst, enum kind kind, unsigned pairs)
{
    struct yr_wr wr = yr_wr_init(dst, YR_BACKUP_RECORD_MAX);

    yr_wr_u8(&wr, (uint8_t)(0x80 | pairs));
    put_uint(&wr, 0, kind);
    return wr;
}

#define KEYS 8

/** A record: the values of keys it has; of a row: where it belongs. */
struct record {
    enum kind kind;
    bool has[KEYS];
    struct yr_value values[KEYS];
    enum yr_table table;
};

static bool is_bytes(const struct record *r, unsigned key, enum yr_value_kind kind, size_t min,
                     size_t max)
{
    return r->has[key] && r->values[key].kind == kind && r->values[key].len >= min &&
           r->values[key].len <= max;
}

static bool is_number(const struct record *r, unsigned key, uint64_t max)
{
    return r->has[key] && r->values[key].kind == YR_VALUE_UINT && r->values[key].number <= max;
}

static bool is_text(const struct record *r, unsigned key, size_t max)
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

static bool find_table(struct record *r)
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

static enum yr_err check_row(struct record *r)
{
    const bool form = is_bytes(r, 1, YR_VALUE_STR, 1, 32) && is_bytes(r, 2, YR_VALUE_BIN, 0, 64) &&
                      is_bytes(r, 3, YR_VALUE_BIN, 0, YR_KEY_MAX - 16) &&
                      is_bytes(r, 4, YR_VALUE_BIN, 0, YR_ROW_MAX);

    return form && find_table(r) ? YR_OK : YR_EPROTO;
}

static enum yr_err check_head(const struct record *r)
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

static enum yr_err decode(struct record *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_value map = yr_value_next(&rd);

    memset(out, 0, sizeof *out);
    if (rd.bad || map.kind != YR_VALUE_MAP || map.number > 2 * KEYS || len > YR_BACKUP_RECORD_MAX)
        return YR_EPROTO;
    for (uint64_t i = 0; i < map.number && !rd.bad; i++) {
        const struct yr_value key = yr_value_next(&rd);
        const struct yr_value value = yr_value_next(&rd);

        // Keys of later versions have plain values, too.
        if (rd.bad || key.kind != YR_VALUE_UINT || value.kind == YR_VALUE_ARRAY ||
            value.kind == YR_VALUE_MAP)
            return YR_EPROTO;
        if (key.number >= KEYS)
            continue;
        if (out->has[key.number])
            return YR_EPROTO;
        out->has[key.number] = true;
        out->values[key.number] = value;
    }
    if (!yr_rd_done(&rd) || !is_number(out, 0, END) || out->values[0].number < HEAD)
        return YR_EPROTO;
    out->kind = (enum kind)out->values[0].number;
    switch (out->kind) {
    case HEAD: return check_head(out);
    case ROW: return check_row(out);
    case END: break;
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

static enum yr_err check(struct yr_backup_info *info, const struct record *r)
{
    struct yr_identity self;
    static const uint8_t none[32];

    if (info->ended || (r->kind == HEAD) == info->begun)
        return YR_EPROTO;
    switch (r->kind) {
    case HEAD:
        yr_identity_from(&self, r->values[2].data, none, 1, 0);
        memset(info, 0, sizeof *info);
        info->begun = true;
        memcpy(info->id, self.id, sizeof info->id);
        memcpy(info->nick, r->values[5].data, r->values[5].len);
        info->gen = (uint32_t)r->values[3].number;
        info->made_ms = (yr_ms)r->values[4].number;
        yr_identity_clear(&self);
        return YR_OK;
    case ROW: count(info, r->table); return YR_OK;
    case END: break;
    }
    if (r->values[1].number != info->rows)
        return YR_EPROTO;
    info->ended = true;
    return YR_OK;
}

enum yr_err yr_backup_check(struct yr_backup_info *info, const uint8_t *record, size_t len)
{
    struct record r;
    const enum yr_err err = decode(&r, record, len);

    return err == YR_OK ? check(info, &r) : err;
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
    uint8_t spot_id[YR_ROOM_ID_LEN + 16];
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

static enum yr_err write_head(struct yr_backup *b, uint8_t *dst, size_t *len)
{
    struct yr_wr wr = begin(dst, HEAD, 8);
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
    struct yr_wr wr = begin(dst, ROW, 5);

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
            struct yr_wr wr = begin(dst, END, 2);

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
        memcpy(b->spot_id, b->owner.suffix, YR_ROOM_ID_LEN);
        memcpy(b->spot_id + YR_ROOM_ID_LEN, b->value + 1, 16);
    }
    return write_row(b, part->table, part->per == ALONE ? NULL : b->owner.suffix,
                     part->per == ALONE ? 0 : YR_ID_LEN, b->at.suffix, b->at.suffix_len, n, dst,
                     len);
}

enum yr_err yr_node_vault_key(const struct yr_node *n, uint8_t vk[32])
{
    if (!n->unlocked)
        return YR_ELOCKED;
    return n->has_identity ? yr_rows_vault_key(n->rows, vk) : YR_ENOID;
}

/* ---- being made of one ---- */

struct yr_restore {
    struct yr_backup_info info;
    uint8_t root[32];
    char nick[YR_NICK_MAX + 1], status[YR_STATUS_MAX + 1];
};

void yr_restore_free(struct yr_node *n)
{
    yr_free_secret(n->mem, n->restore);
    n->restore = NULL;
}

static void copy_text(char *out, const struct yr_value *text)
{
    memcpy(out, text->data, text->len);
    out[text->len] = '\0';
}

static void restore_head(struct yr_restore *at, const struct record *r)
{
    memcpy(at->root, r->values[2].data, sizeof at->root);
    copy_text(at->nick, &r->values[5]);
    copy_text(at->status, &r->values[6]);
}

static uint32_t day_of(yr_ms wall_ms)
{
    return (uint32_t)(YR_MAX(wall_ms, 0) / YR_DAY_MS);
}

// Nothing of the old device's goes on: what rows say of it is made anew.
static enum yr_err restore_row(struct yr_node *n, const struct record *r)
{
    const struct yr_value *owner = &r->values[2], *suffix = &r->values[3], *value = &r->values[4];
    uint8_t days[128], seal[40] = {0};
    const uint8_t *bytes = value->data;
    enum yr_err err;

    if (r->table == YR_TABLE_TIMEKEY) {
        if (value->len > sizeof days)
            return YR_EPROTO;
        memcpy(days, value->data, value->len);
        if (yr_delivery_days_restored(days, value->len, day_of(n->now.wall_ms)) != YR_OK)
            return YR_EPROTO;
        bytes = days;
    }
    err = yr_rows_put(n->rows, r->table, owner->data, owner->len, suffix->data, suffix->len, bytes,
                      value->len);
    yr_wipe(days, sizeof days);
    if (err == YR_OK && r->table == YR_TABLE_ROOM) { // its key is replaced by one that is told
        yr_random(n->rng, seal + 8, 32);
        err = yr_rows_put(n->rows, YR_TABLE_ROOMSEAL, NULL, 0, suffix->data, suffix->len, seal,
                          sizeof seal);
        yr_wipe(seal, sizeof seal);
    }
    return err;
}

static void restore_end(struct yr_node *n)
{
    const struct yr_restore *at = n->restore;
    const yr_ms minutes = (n->now.wall_ms - EPOCH_MS) / 60000;
    uint32_t gen = at->info.gen + 1;
    uint8_t device[32];

    if (minutes > (yr_ms)gen && minutes < UINT32_MAX)
        gen = (uint32_t)minutes;
    yr_random(n->rng, device, sizeof device);
    yr_identity_from(&n->self, at->root, device, gen, n->now.wall_ms);
    yr_wipe(device, sizeof device);
    memcpy(n->nick, at->nick, sizeof n->nick);
    memcpy(n->status, at->status, sizeof n->status);
    yr_self_store(n);
    yr_self_restored(n);
    yr_identity_clear(&n->self); // it lives from the next opening on
}

enum yr_err yr_node_restore(struct yr_node *n, struct yr_now now, const uint8_t *record, size_t len,
                            uint64_t ticket)
{
    struct yr_event done = {.kind = YR_EV_DONE, .ticket = ticket};
    struct yr_backup_info info = {0};
    struct record r;
    enum yr_err err;

    n->now = now;
    if (!n->unlocked)
        return YR_ELOCKED;
    if (n->failing || n->tripped != YR_OK)
        return n->failing ? n->fail_err : n->tripped;
    if (n->has_identity)
        return YR_EEXIST;
    if (n->restore == NULL &&
        (n->restore = yr_alloc_secret(n->mem, YR_MEM_NODE, sizeof *n->restore)) == NULL)
        return YR_ENOMEM;
    info = n->restore->info;
    if ((err = decode(&r, record, len)) != YR_OK || (err = check(&info, &r)) != YR_OK)
        return err;
    n->restore->info = info;
    switch (r.kind) {
    case HEAD: restore_head(n->restore, &r); return YR_OK;
    case ROW: return restore_row(n, &r);
    case END: break;
    }
    restore_end(n);
    memcpy(done.conv, info.id, sizeof done.conv);
    yr_node_event(n, &done);
    return YR_OK;
}
