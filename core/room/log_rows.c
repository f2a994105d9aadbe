#include "core/room/log_state.h"

#define VERSION     1
#define RECORD_HEAD (1 + YR_REC_ID_LEN + 4 + 8)
#define SEQ_LEN     (4 + 8 + 8)

/* Rows of records that were read take this much with what the rows' padding wants. */
static_assert(sizeof((struct yr_room_log *)0)->row >= RECORD_HEAD + YR_ROOM_RECORD_MAX + 64,
              "a record's row and its padding");

static void be32(uint8_t out[4], uint32_t v)
{
    for (size_t i = 4; i-- > 0; v >>= 8)
        out[i] = (uint8_t)v;
}

static void be64(uint8_t out[8], uint64_t v)
{
    for (size_t i = 8; i-- > 0; v >>= 8)
        out[i] = (uint8_t)v;
}

/* ---- where a record is ---- */

static void id_owner(uint8_t out[YR_ROOM_ID_LEN + 16], const uint8_t room_id[YR_ROOM_ID_LEN],
                     const uint8_t id[16])
{
    memcpy(out, room_id, YR_ROOM_ID_LEN);
    memcpy(out + YR_ROOM_ID_LEN, id, 16);
}

static enum yr_err put_spot(struct yr_room_log *log, const struct yr_log_spot *spot)
{
    uint8_t owner[YR_ROOM_ID_LEN + 16], value[64];
    struct yr_wr wr = yr_wr_init(value, sizeof value);

    id_owner(owner, log->id, spot->id);
    yr_wr_u8(&wr, VERSION);
    yr_wr_bytes(&wr, spot->id + 16, YR_REC_ID_LEN - 16);
    yr_wr_u8(&wr, spot->class);
    yr_wr_u32(&wr, spot->chain);
    yr_wr_u64(&wr, spot->seq);
    yr_wr_u64(&wr, spot->arrival);
    yr_wr_u64(&wr, spot->eff);
    return yr_rows_put(log->rows, YR_TABLE_RECORD_ID, owner, sizeof owner, NULL, 0, value,
                       yr_wr_len(&wr));
}

enum yr_err yr_log_find(const struct yr_room_log *log, const uint8_t id[16],
                        struct yr_log_spot *out)
{
    uint8_t owner[YR_ROOM_ID_LEN + 16], value[64 + 64];
    struct yr_log_spot spot;
    struct yr_rd rd;
    size_t len;
    enum yr_err err;

    id_owner(owner, log->id, id);
    if ((err = yr_rows_get(log->rows, YR_TABLE_RECORD_ID, owner, sizeof owner, NULL, 0, value,
                           sizeof value, &len)) != YR_OK)
        return err;
    rd = yr_rd_init(value, len);
    if (yr_rd_u8(&rd) != VERSION)
        return YR_ECORRUPT;
    memcpy(spot.id, id, 16);
    yr_rd_copy(&rd, spot.id + 16, YR_REC_ID_LEN - 16);
    spot.class = yr_rd_u8(&rd);
    spot.chain = yr_rd_u32(&rd);
    spot.seq = yr_rd_u64(&rd);
    spot.arrival = yr_rd_u64(&rd);
    spot.eff = yr_rd_u64(&rd);
    if (!yr_rd_done(&rd) || spot.chain >= log->chain_count)
        return YR_ECORRUPT;
    *out = spot;
    return YR_OK;
}

enum yr_err yr_log_find_all(const struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN],
                            bool *here, struct yr_log_spot *out)
{
    const enum yr_err err = yr_log_find(log, id, out);

    *here = err == YR_OK && memcmp(out->id, id, YR_REC_ID_LEN) == 0;
    return err == YR_ENOENT ? YR_OK : err;
}

/* ---- records ---- */

static enum yr_err put_record(struct yr_room_log *log, enum yr_table table, const uint8_t *suffix,
                              size_t suffix_len, const struct yr_log_spot *spot,
                              const uint8_t *bytes, size_t len)
{
    struct yr_wr wr = yr_wr_init(log->row, sizeof log->row);

    yr_wr_u8(&wr, VERSION);
    yr_wr_bytes(&wr, spot->id, YR_REC_ID_LEN);
    yr_wr_u32(&wr, spot->chain);
    yr_wr_u64(&wr, spot->eff);
    yr_wr_bytes(&wr, bytes, len);
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_rows_put(log->rows, table, log->id, YR_ROOM_ID_LEN, suffix, suffix_len, log->row,
                       yr_wr_len(&wr));
}

enum yr_err yr_log_store(struct yr_room_log *log, const struct yr_log_spot *spot,
                         const uint8_t *bytes, size_t len)
{
    uint8_t arrival[8], seq[SEQ_LEN];
    enum yr_err err;

    be64(arrival, spot->arrival);
    be32(seq, spot->chain);
    be64(seq + 4, spot->seq);
    be64(seq + 12, spot->arrival);
    if ((err = put_record(log, YR_TABLE_RECORD, arrival, sizeof arrival, spot, bytes, len)) ==
            YR_OK &&
        (err = yr_rows_put(log->rows, YR_TABLE_RECORD_SEQ, log->id, YR_ROOM_ID_LEN, seq, sizeof seq,
                           "", 0)) == YR_OK)
        err = put_spot(log, spot);
    return err;
}

enum yr_err yr_log_store_state(struct yr_room_log *log, const struct yr_log_spot *spot,
                               const struct yr_log_chain *chain, const uint8_t *older,
                               const uint8_t *bytes, size_t len)
{
    uint8_t no[4], owner[YR_ROOM_ID_LEN + 16];
    enum yr_err err = YR_OK;

    be32(no, chain->no);
    if (older != NULL) {
        id_owner(owner, log->id, older);
        err = yr_rows_del(log->rows, YR_TABLE_RECORD_ID, owner, sizeof owner, NULL, 0);
    }
    if (err == YR_OK)
        err = put_record(log, YR_TABLE_RECORD_STATE, no, sizeof no, spot, bytes, len);
    return err == YR_OK ? put_spot(log, spot) : err;
}

// A stored record: its bytes lent from log->row.
static enum yr_err read_record(struct yr_room_log *log, enum yr_table table, const uint8_t *suffix,
                               size_t suffix_len, const uint8_t **bytes, size_t *len,
                               struct yr_room_entry *entry)
{
    struct yr_rd rd;
    uint32_t chain;
    size_t row_len;
    enum yr_err err;

    if ((err = yr_rows_get(log->rows, table, log->id, YR_ROOM_ID_LEN, suffix, suffix_len, log->row,
                           sizeof log->row, &row_len)) != YR_OK)
        return err == YR_ESIZE ? YR_ECORRUPT : err;
    rd = yr_rd_init(log->row, row_len);
    memset(entry, 0, sizeof *entry);
    if (yr_rd_u8(&rd) != VERSION)
        return YR_ECORRUPT;
    yr_rd_copy(&rd, entry->id, YR_REC_ID_LEN);
    chain = yr_rd_u32(&rd);
    entry->eff = yr_rd_u64(&rd);
    if (rd.bad || chain >= log->chain_count || yr_rd_left(&rd) > YR_ROOM_RECORD_MAX)
        return YR_ECORRUPT;
    entry->slot = YR_ROOM_OWN;
    entry->forked = log->chains[chain]->author->forked;
    *len = yr_rd_left(&rd);
    *bytes = yr_rd_bytes(&rd, *len);
    return YR_OK;
}

static enum yr_err hand_out(enum yr_err err, const uint8_t *from, size_t from_len, uint8_t *bytes,
                            size_t cap, size_t *len)
{
    if (err != YR_OK)
        return err;
    YR_ASSERT(cap >= from_len);
    memcpy(bytes, from, from_len);
    *len = from_len;
    return YR_OK;
}

enum yr_err yr_room_log_at(struct yr_room_log *log, uint64_t arrival, uint8_t *bytes, size_t cap,
                           size_t *len, struct yr_room_entry *entry)
{
    struct yr_room_entry ignored;
    const uint8_t *from = NULL;
    uint8_t suffix[8];
    size_t from_len = 0;
    enum yr_err err;

    be64(suffix, arrival);
    entry = entry != NULL ? entry : &ignored;
    err = read_record(log, YR_TABLE_RECORD, suffix, sizeof suffix, &from, &from_len, entry);
    entry->arrival = arrival;
    return hand_out(err, from, from_len, bytes, cap, len);
}

static enum yr_err state_at(struct yr_room_log *log, uint32_t chain, uint8_t *bytes, size_t cap,
                            size_t *len, struct yr_room_entry *entry)
{
    const uint8_t *from = NULL;
    uint8_t suffix[4];
    size_t from_len = 0;
    enum yr_err err;

    be32(suffix, chain);
    err = read_record(log, YR_TABLE_RECORD_STATE, suffix, sizeof suffix, &from, &from_len, entry);
    return hand_out(err, from, from_len, bytes, cap, len);
}

enum yr_err yr_room_log_get(struct yr_room_log *log, const uint8_t id[16], uint8_t *bytes,
                            size_t cap, size_t *len, struct yr_room_entry *entry)
{
    struct yr_room_entry ignored;
    struct yr_log_spot spot;
    const enum yr_err err = yr_log_find(log, id, &spot);

    if (err != YR_OK)
        return err;
    entry = entry != NULL ? entry : &ignored;
    return spot.class == YR_CLASS_STATE ? state_at(log, spot.chain, bytes, cap, len, entry)
                                        : yr_room_log_at(log, spot.arrival, bytes, cap, len, entry);
}

enum yr_err yr_room_log_state(struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                              enum yr_room_kind kind, uint8_t *bytes, size_t cap, size_t *len)
{
    struct yr_chain_key key = {.class = YR_CLASS_STATE};
    const struct yr_log_chain *chain;
    struct yr_room_entry entry;

    memcpy(key.mid, mid, sizeof key.mid);
    key.incarnation[0] = yr_room_kind_number(kind);
    chain = yr_log_chain(log, &key);
    return chain == NULL ? YR_ENOENT : state_at(log, chain->no, bytes, cap, len, &entry);
}

/* ---- a chain by seq ---- */

// The next row of a chain's index.  Errors: YR_ENOENT: past the chain, or past `to`.
static enum yr_err next_seq(struct yr_room_log *log, const struct yr_log_chain *chain, uint64_t to,
                            enum yr_seek how, struct yr_row *at, uint64_t *seq, uint64_t *arrival)
{
    uint8_t no[4];
    struct yr_rd rd;
    const enum yr_err err =
        yr_rows_seek(log->rows, YR_TABLE_RECORD_SEQ, log->id, YR_ROOM_ID_LEN, how, at, NULL, 0);

    if (err != YR_OK)
        return err;
    if (at->suffix_len != SEQ_LEN)
        return YR_ECORRUPT;
    be32(no, chain->no);
    if (memcmp(at->suffix, no, sizeof no) != 0)
        return YR_ENOENT;
    rd = yr_rd_init(at->suffix + sizeof no, at->suffix_len - sizeof no);
    *seq = yr_rd_u64be(&rd);
    *arrival = yr_rd_u64be(&rd);
    return *seq > to ? YR_ENOENT : YR_OK;
}

enum yr_err yr_room_log_range(struct yr_room_log *log, const struct yr_chain_key *key,
                              uint64_t from, uint64_t to, uint64_t *arrivals, size_t cap,
                              size_t *count, uint64_t *next)
{
    const struct yr_log_chain *chain = yr_log_chain(log, key);
    struct yr_row at = {.suffix_len = SEQ_LEN};
    enum yr_seek how = YR_SEEK_GE;
    size_t n = 0, group = 0; // group: where the present seq begins
    uint64_t seq, last = 0, arrival;
    enum yr_err err = YR_OK;

    YR_ASSERT(cap > 0);
    *count = 0;
    *next = 0;
    if (chain == NULL || key->class == YR_CLASS_STATE)
        return YR_OK;
    be32(at.suffix, chain->no);
    be64(at.suffix + 4, from);
    be64(at.suffix + 12, 0);
    while (*next == 0 && (err = next_seq(log, chain, to, how, &at, &seq, &arrival)) == YR_OK) {
        if (seq != last)
            group = n;
        if (n < cap) {
            arrivals[n++] = arrival;
        } else if (group > 0) { // all of one seq together, if that is possible at all
            n = group;
            *next = seq;
        }
        last = seq;
        how = YR_SEEK_GT;
    }
    *count = n;
    return err == YR_ENOENT ? YR_OK : err;
}

/* ---- what changes in place ---- */

static enum yr_err put_author(struct yr_room_log *log, const struct yr_log_author *author)
{
    uint8_t no[4], value[256];
    struct yr_wr wr = yr_wr_init(value, sizeof value);

    be32(no, author->no);
    yr_wr_u8(&wr, VERSION);
    yr_wr_bytes(&wr, author->mid, YR_MID_LEN);
    yr_wr_bytes(&wr, author->sign_pk, sizeof author->sign_pk);
    yr_wr_bytes(&wr, author->seal_pk, sizeof author->seal_pk);
    yr_wr_u8(&wr, author->told);
    yr_wr_u64(&wr, author->add_hlc);
    yr_wr_bytes(&wr, author->add_id, YR_REC_ID_LEN);
    yr_wr_u8(&wr, author->forked);
    for (size_t i = 0; i < YR_LOG_BUCKETS; i++) {
        yr_wr_u32(&wr, author->buckets[i].left_ms);
        yr_wr_u64(&wr, (uint64_t)author->buckets[i].clock_ms);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_rows_put(log->rows, YR_TABLE_RECORD_AUTHOR, log->id, YR_ROOM_ID_LEN, no, sizeof no,
                       value, yr_wr_len(&wr));
}

static enum yr_err read_author(struct yr_room_log *log, const uint8_t *value, size_t len)
{
    struct yr_rd rd = yr_rd_init(value, len);
    struct yr_log_author *author;
    uint8_t mid[YR_MID_LEN];
    enum yr_err err;

    if (yr_rd_u8(&rd) != VERSION)
        return YR_ECORRUPT;
    yr_rd_copy(&rd, mid, sizeof mid);
    if (yr_log_author(log, mid) != NULL)
        return YR_ECORRUPT;
    if ((err = yr_log_author_new(log, mid, &author)) != YR_OK)
        return err;
    yr_rd_copy(&rd, author->sign_pk, sizeof author->sign_pk);
    yr_rd_copy(&rd, author->seal_pk, sizeof author->seal_pk);
    author->told = yr_rd_u8(&rd) != 0;
    author->add_hlc = yr_rd_u64(&rd);
    yr_rd_copy(&rd, author->add_id, YR_REC_ID_LEN);
    author->forked = yr_rd_u8(&rd) != 0;
    for (size_t i = 0; i < YR_LOG_BUCKETS; i++) {
        const uint32_t left_ms = yr_rd_u32(&rd);

        author->buckets[i].left_ms = YR_MIN(left_ms, (uint32_t)(YR_ROOM_BURST * YR_ROOM_RATE_MS));
        author->buckets[i].clock_ms = (yr_ms)(yr_rd_u64(&rd) & INT64_MAX);
    }
    author->dirty = false;
    return yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
}

static enum yr_err put_chain(struct yr_room_log *log, const struct yr_log_chain *chain)
{
    uint8_t no[4], value[128];
    struct yr_wr wr = yr_wr_init(value, sizeof value);

    be32(no, chain->no);
    yr_wr_u8(&wr, VERSION);
    yr_wr_u32(&wr, chain->author->no);
    yr_wr_u8(&wr, chain->key.class);
    yr_wr_bytes(&wr, chain->key.incarnation, sizeof chain->key.incarnation);
    yr_wr_u64(&wr, chain->seq);
    yr_wr_bytes(&wr, chain->digest, sizeof chain->digest);
    yr_wr_bytes(&wr, chain->head, YR_REC_ID_LEN);
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_rows_put(log->rows, YR_TABLE_RECORD_CHAIN, log->id, YR_ROOM_ID_LEN, no, sizeof no,
                       value, yr_wr_len(&wr));
}

static enum yr_err read_chain(struct yr_room_log *log, const uint8_t *value, size_t len)
{
    struct yr_rd rd = yr_rd_init(value, len);
    struct yr_chain_key key;
    struct yr_log_chain *chain;
    uint32_t author;
    enum yr_err err;

    if (yr_rd_u8(&rd) != VERSION || (author = yr_rd_u32(&rd)) >= log->author_count)
        return YR_ECORRUPT;
    memcpy(key.mid, log->authors[author]->mid, sizeof key.mid);
    key.class = yr_rd_u8(&rd);
    yr_rd_copy(&rd, key.incarnation, sizeof key.incarnation);
    if (rd.bad || yr_log_chain(log, &key) != NULL)
        return YR_ECORRUPT;
    if ((err = yr_log_chain_new(log, &key, log->authors[author], &chain)) != YR_OK)
        return err;
    chain->seq = yr_rd_u64(&rd);
    yr_rd_copy(&rd, chain->digest, sizeof chain->digest);
    yr_rd_copy(&rd, chain->head, YR_REC_ID_LEN);
    chain->dirty = false;
    return yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
}

#define LOG_ROW_MAX (1 + 8 + 8 + 1 + YR_ROOM_HEADS_MAX * (YR_REC_ID_LEN + 8))

static enum yr_err put_log(struct yr_room_log *log)
{
    uint8_t value[LOG_ROW_MAX];
    struct yr_wr wr = yr_wr_init(value, sizeof value);

    yr_wr_u8(&wr, VERSION);
    yr_wr_u64(&wr, log->end);
    yr_wr_u64(&wr, log->hlc);
    yr_wr_u8(&wr, (uint8_t)log->head_count);
    for (size_t i = 0; i < log->head_count; i++) {
        yr_wr_bytes(&wr, log->heads[i].id, YR_REC_ID_LEN);
        yr_wr_u64(&wr, log->heads[i].eff);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_rows_put(log->rows, YR_TABLE_ROOM_LOG, log->id, YR_ROOM_ID_LEN, NULL, 0, value,
                       yr_wr_len(&wr));
}

static enum yr_err read_log(struct yr_room_log *log)
{
    uint8_t value[LOG_ROW_MAX + 64];
    struct yr_rd rd;
    size_t len;
    const enum yr_err err = yr_rows_get(log->rows, YR_TABLE_ROOM_LOG, log->id, YR_ROOM_ID_LEN, NULL,
                                        0, value, sizeof value, &len);

    if (err != YR_OK)
        return err == YR_ESIZE ? YR_ECORRUPT : err;
    rd = yr_rd_init(value, len);
    if (yr_rd_u8(&rd) != VERSION)
        return YR_ECORRUPT;
    log->end = yr_rd_u64(&rd);
    log->hlc = yr_rd_u64(&rd);
    log->head_count = yr_rd_u8(&rd);
    if (log->head_count > YR_ROOM_HEADS_MAX)
        return YR_ECORRUPT;
    for (size_t i = 0; i < log->head_count; i++) {
        yr_rd_copy(&rd, log->heads[i].id, YR_REC_ID_LEN);
        log->heads[i].eff = yr_rd_u64(&rd);
    }
    return yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
}

enum yr_err yr_room_log_flush(struct yr_room_log *log)
{
    enum yr_err err = YR_OK;

    if (log->dirty && (err = put_log(log)) != YR_OK)
        return err;
    log->dirty = false;
    if (!log->dirties)
        return YR_OK;
    for (size_t i = 0; i < log->author_count && err == YR_OK; i++)
        if (log->authors[i]->dirty && (err = put_author(log, log->authors[i])) == YR_OK)
            log->authors[i]->dirty = false;
    for (size_t i = 0; i < log->chain_count && err == YR_OK; i++)
        if (log->chains[i]->dirty && (err = put_chain(log, log->chains[i])) == YR_OK)
            log->chains[i]->dirty = false;
    if (err == YR_OK)
        log->dirties = false;
    return err;
}

/* ---- loading ---- */

// Every row of a table that is numbered from 0 without a gap.
static enum yr_err read_all(struct yr_room_log *log, enum yr_table table,
                            enum yr_err (*read)(struct yr_room_log *, const uint8_t *, size_t))
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    uint8_t value[256 + 64], no[4];
    enum yr_err err;

    for (uint32_t i = 0;; i++, how = YR_SEEK_GT) {
        if ((err = yr_rows_seek(log->rows, table, log->id, YR_ROOM_ID_LEN, how, &at, value,
                                sizeof value)) != YR_OK)
            return err == YR_ENOENT ? YR_OK : err == YR_ESIZE ? YR_ECORRUPT : err;
        be32(no, i);
        if (at.suffix_len != sizeof no || memcmp(at.suffix, no, sizeof no) != 0)
            return YR_ECORRUPT;
        if ((err = read(log, value, at.value_len)) != YR_OK)
            return err;
    }
}

static enum yr_err decode_at(struct yr_room_log *log, uint64_t arrival, const uint8_t **bytes,
                             size_t *len, struct yr_room_record *record, struct yr_room_body *body)
{
    struct yr_room_entry entry;
    uint8_t suffix[8];
    enum yr_err err;

    be64(suffix, arrival);
    err = read_record(log, YR_TABLE_RECORD, suffix, sizeof suffix, bytes, len, &entry);
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_ECORRUPT : err;
    return yr_room_record_decode(record, *bytes, *len) == YR_OK &&
                   yr_room_body_decode(body, record->class, record->body, record->body_len) ==
                       YR_OK &&
                   memcmp(record->id, entry.id, YR_REC_ID_LEN) == 0
               ? YR_OK
               : YR_ECORRUPT;
}

static enum yr_err load_create(struct yr_room_log *log)
{
    struct yr_room_record record;
    struct yr_room_body body;
    const uint8_t *bytes;
    size_t len;
    const enum yr_err err = decode_at(log, 1, &bytes, &len, &record, &body);

    if (err != YR_OK)
        return err;
    if (!record.create || memcmp(record.room_id, log->id, YR_ROOM_ID_LEN) != 0)
        return YR_ECORRUPT;
    return yr_log_set_create(log, bytes, len);
}

static int compare_arrivals(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

// The arrival numbers of all control records, in order.  Owned by the caller.
static enum yr_err list_control(struct yr_room_log *log, uint64_t **out, size_t *count)
{
    uint64_t *list = yr_alloc(log->mem, YR_MEM_ROOM, YR_ROOM_OPS_MAX * sizeof *list), next;
    size_t n = 0, more;
    enum yr_err err = list == NULL ? YR_ENOMEM : YR_OK;

    for (size_t i = 0; i < log->chain_count && err == YR_OK; i++) {
        if (log->chains[i]->key.class != YR_CLASS_CONTROL)
            continue;
        next = 1;
        while (next != 0 && err == YR_OK) {
            if (n == YR_ROOM_OPS_MAX)
                err = YR_ECORRUPT;
            else
                err = yr_room_log_range(log, &log->chains[i]->key, next, UINT64_MAX, list + n,
                                        YR_ROOM_OPS_MAX - n, &more, &next);
            n += err == YR_OK ? more : 0;
        }
    }
    if (err != YR_OK) {
        yr_free(log->mem, list);
        return err;
    }
    qsort(list, n, sizeof *list, compare_arrivals);
    *out = list;
    *count = n;
    return YR_OK;
}

static enum yr_err load_control(struct yr_room_log *log)
{
    struct yr_room_record record;
    struct yr_room_body body;
    struct yr_room_op op;
    uint64_t *list;
    const uint8_t *bytes;
    size_t count, len;
    enum yr_err err;

    if ((err = list_control(log, &list, &count)) != YR_OK)
        return err;
    if (count == 0 || list[0] != 1)
        err = YR_ECORRUPT;
    for (size_t i = 1; i < count && err == YR_OK; i++) {
        if ((err = decode_at(log, list[i], &bytes, &len, &record, &body)) != YR_OK)
            break;
        yr_room_op_from(&op, &record, &body);
        err = yr_authority_add(log->authority, &op);
        if (err != YR_OK && err != YR_ENOMEM)
            err = YR_ECORRUPT;
    }
    yr_free(log->mem, list);
    return err;
}

enum yr_err yr_log_load_all(struct yr_room_log *log)
{
    enum yr_err err;

    if ((err = read_log(log)) == YR_OK &&
        (err = read_all(log, YR_TABLE_RECORD_AUTHOR, read_author)) == YR_OK &&
        (err = read_all(log, YR_TABLE_RECORD_CHAIN, read_chain)) == YR_OK &&
        (err = load_create(log)) == YR_OK)
        err = load_control(log);
    log->dirties = false;
    return err;
}

/* ---- what waits for a key ---- */

static enum yr_err edit_wait(struct yr_rows *rows, const uint8_t room_id[YR_ROOM_ID_LEN],
                             const uint8_t epoch[16], uint64_t arrival, bool on)
{
    uint8_t owner[YR_ROOM_ID_LEN + 16], suffix[8];

    id_owner(owner, room_id, epoch);
    be64(suffix, arrival);
    return on ? yr_rows_put(rows, YR_TABLE_RECORD_WAIT, owner, sizeof owner, suffix, sizeof suffix,
                            "", 0)
              : yr_rows_del(rows, YR_TABLE_RECORD_WAIT, owner, sizeof owner, suffix, sizeof suffix);
}

enum yr_err yr_room_log_wait(struct yr_room_log *log, const uint8_t epoch[16], uint64_t arrival)
{
    return edit_wait(log->rows, log->id, epoch, arrival, true);
}

enum yr_err yr_room_log_waited(struct yr_room_log *log, const uint8_t epoch[16], uint64_t arrival)
{
    return edit_wait(log->rows, log->id, epoch, arrival, false);
}

enum yr_err yr_room_log_waiting(struct yr_room_log *log, const uint8_t epoch[16], uint64_t *arrival)
{
    uint8_t owner[YR_ROOM_ID_LEN + 16];
    struct yr_row at = {.suffix_len = 8};
    struct yr_rd rd;
    enum yr_err err;

    id_owner(owner, log->id, epoch);
    be64(at.suffix, *arrival);
    if ((err = yr_rows_seek(log->rows, YR_TABLE_RECORD_WAIT, owner, sizeof owner, YR_SEEK_GT, &at,
                            NULL, 0)) != YR_OK)
        return err;
    if (at.suffix_len != 8)
        return YR_ECORRUPT;
    rd = yr_rd_init(at.suffix, at.suffix_len);
    *arrival = yr_rd_u64be(&rd);
    return YR_OK;
}

/* ---- erasing ---- */

// The rows that belong to the one record in `row`.
static enum yr_err erase_of(struct yr_rows *rows, const uint8_t room_id[YR_ROOM_ID_LEN],
                            const struct yr_row *at, const uint8_t *row)
{
    struct yr_rd rd = yr_rd_init(row, at->value_len), number = yr_rd_init(at->suffix, 8);
    uint8_t id[YR_REC_ID_LEN], owner[YR_ROOM_ID_LEN + 16], seq[SEQ_LEN];
    struct yr_room_record record;
    struct yr_room_body body;
    uint32_t chain;
    enum yr_err err;

    (void)yr_rd_u8(&rd);
    yr_rd_copy(&rd, id, sizeof id);
    chain = yr_rd_u32(&rd);
    (void)yr_rd_u64(&rd);
    id_owner(owner, room_id, id);
    err = yr_rows_del(rows, YR_TABLE_RECORD_ID, owner, sizeof owner, NULL, 0);
    if (err != YR_OK || rd.bad || at->suffix_len != 8 ||
        yr_room_record_decode(&record, rd.at, yr_rd_left(&rd)) != YR_OK)
        return err;
    be32(seq, chain);
    be64(seq + 4, record.seq);
    memcpy(seq + 12, at->suffix, 8);
    err = yr_rows_del(rows, YR_TABLE_RECORD_SEQ, room_id, YR_ROOM_ID_LEN, seq, sizeof seq);
    if (err == YR_OK &&
        yr_room_body_decode(&body, record.class, record.body, record.body_len) == YR_OK &&
        body.known && body.epoch != NULL)
        err = edit_wait(rows, room_id, body.epoch, yr_rd_u64be(&number), false);
    return err;
}

// Delete one row of a table; YR_ENOENT: it is empty.
static enum yr_err erase_one(struct yr_rows *rows, enum yr_table table,
                             const uint8_t room_id[YR_ROOM_ID_LEN])
{
    uint8_t row[RECORD_HEAD + YR_ROOM_RECORD_MAX + 64];
    struct yr_row at = {.suffix_len = 0};
    const bool record = table == YR_TABLE_RECORD || table == YR_TABLE_RECORD_STATE;
    enum yr_err err;

    err = yr_rows_seek(rows, table, room_id, YR_ROOM_ID_LEN, YR_SEEK_GE, &at, record ? row : NULL,
                       record ? sizeof row : 0);
    if (err == YR_OK && record)
        err = erase_of(rows, room_id, &at, row);
    else if (err == YR_ECORRUPT || err == YR_ESIZE) // a damaged one goes by itself
        err = yr_rows_seek(rows, table, room_id, YR_ROOM_ID_LEN, YR_SEEK_GE, &at, NULL, 0);
    if (err == YR_OK)
        err = yr_rows_del(rows, table, room_id, YR_ROOM_ID_LEN, at.suffix, at.suffix_len);
    return err;
}

enum yr_err yr_room_log_erase(struct yr_rows *rows, const uint8_t room_id[YR_ROOM_ID_LEN],
                              size_t max, bool *more)
{
    static const enum yr_table tables[] = {
        YR_TABLE_RECORD,       YR_TABLE_RECORD_STATE,  YR_TABLE_RECORD_SEQ,
        YR_TABLE_RECORD_CHAIN, YR_TABLE_RECORD_AUTHOR, YR_TABLE_ROOM_LOG, // the last says: all
    };
    size_t table = 0;
    enum yr_err err;

    while (max > 0 && table < YR_COUNT(tables)) {
        err = erase_one(rows, tables[table], room_id);
        if (err == YR_ENOENT)
            table++;
        else if (err != YR_OK)
            return err;
        else
            max--;
    }
    *more = table < YR_COUNT(tables);
    return YR_OK;
}
