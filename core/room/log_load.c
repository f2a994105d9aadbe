#include "core/room/log_state.h"

#define VERSION       1
#define CHAIN_VERSION 2

/* ---- what changes in place ---- */

static enum yr_err put_author(struct yr_room_log *log, const struct yr_log_author *author)
{
    uint8_t no[4], value[256];
    struct yr_wr wr = yr_wr_init(value, sizeof value);

    yr_log_be32(no, author->no);
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

    yr_log_be32(no, chain->no);
    yr_wr_u8(&wr, CHAIN_VERSION);
    yr_wr_u32(&wr, chain->author->no);
    yr_wr_u8(&wr, chain->key.class);
    yr_wr_bytes(&wr, chain->key.incarnation, sizeof chain->key.incarnation);
    yr_wr_u64(&wr, chain->seq);
    yr_wr_bytes(&wr, chain->digest, sizeof chain->digest);
    yr_wr_bytes(&wr, chain->head, YR_REC_ID_LEN);
    yr_wr_u64(&wr, chain->fork);
    yr_wr_u64(&wr, chain->fork_done);
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

    if (yr_rd_u8(&rd) != CHAIN_VERSION || (author = yr_rd_u32(&rd)) >= log->author_count)
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
    chain->fork = yr_rd_u64(&rd);
    chain->fork_done = yr_rd_u64(&rd);
    log->fork_due |= chain->fork != chain->fork_done;
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
        if (log->authors[i]->dirty && (err = put_author(log, log->authors[i])) == YR_OK) {
            log->authors[i]->dirty = false;
            log->authors[i]->unwritten = 0;
        }
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
        yr_log_be32(no, i);
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

    yr_log_be64(suffix, arrival);
    err = yr_log_read(log, YR_TABLE_RECORD, suffix, sizeof suffix, bytes, len, &entry);
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
