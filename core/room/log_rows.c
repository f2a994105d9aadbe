#include "core/room/log_state.h"

#define VERSION 1

/* Rows of records that were read take this much with what the rows' padding wants. */
static_assert(sizeof((struct yr_room_log *)0)->row >= YR_LOG_RECORD_HEAD + YR_ROOM_RECORD_MAX + 64,
              "a record's row and its padding");

/* ---- where a record is ---- */

static enum yr_err put_spot(struct yr_room_log *log, const struct yr_log_spot *spot)
{
    uint8_t owner[YR_ROOM_ID_LEN + 16], value[64];
    struct yr_wr wr = yr_wr_init(value, sizeof value);

    yr_log_owner(owner, log->id, spot->id);
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

    yr_log_owner(owner, log->id, id);
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
    uint8_t arrival[8], seq[YR_LOG_SEQ_LEN];
    enum yr_err err;

    yr_log_be64(arrival, spot->arrival);
    yr_log_be32(seq, spot->chain);
    yr_log_be64(seq + 4, spot->seq);
    yr_log_be64(seq + 12, spot->arrival);
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

    yr_log_be32(no, chain->no);
    if (older != NULL) {
        yr_log_owner(owner, log->id, older);
        err = yr_rows_del(log->rows, YR_TABLE_RECORD_ID, owner, sizeof owner, NULL, 0);
    }
    if (err == YR_OK)
        err = put_record(log, YR_TABLE_RECORD_STATE, no, sizeof no, spot, bytes, len);
    return err == YR_OK ? put_spot(log, spot) : err;
}

// A stored record: its bytes lent from log->row.
enum yr_err yr_log_read(struct yr_room_log *log, enum yr_table table, const uint8_t *suffix,
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

    yr_log_be64(suffix, arrival);
    entry = entry != NULL ? entry : &ignored;
    if ((err = yr_log_read(log, YR_TABLE_RECORD, suffix, sizeof suffix, &from, &from_len, entry)) ==
        YR_OK)
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

    yr_log_be32(suffix, chain);
    err = yr_log_read(log, YR_TABLE_RECORD_STATE, suffix, sizeof suffix, &from, &from_len, entry);
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
    if (at->suffix_len != YR_LOG_SEQ_LEN)
        return YR_ECORRUPT;
    yr_log_be32(no, chain->no);
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
    struct yr_row at = {.suffix_len = YR_LOG_SEQ_LEN};
    enum yr_seek how = YR_SEEK_GE;
    size_t n = 0, group = 0; // group: where the present seq begins
    uint64_t seq, last = 0, arrival;
    enum yr_err err = YR_OK;

    YR_ASSERT(cap > 0);
    *count = 0;
    *next = 0;
    if (chain == NULL || key->class == YR_CLASS_STATE)
        return YR_OK;
    yr_log_be32(at.suffix, chain->no);
    yr_log_be64(at.suffix + 4, from);
    yr_log_be64(at.suffix + 12, 0);
    while (*next == 0 && (err = next_seq(log, chain, to, how, &at, &seq, &arrival)) == YR_OK) {
        if (seq != last)
            group = n;
        how = YR_SEEK_GT;
        if (n < cap) {
            arrivals[n++] = arrival;
        } else if (group > 0) { // all of one seq together, if that is possible at all
            n = group;
            *next = seq;
        } else if (seq == UINT64_MAX) {
            break;
        } else { // it is not: past the rest of them, however many there are
            yr_log_be64(at.suffix + 4, seq + 1);
            yr_log_be64(at.suffix + 12, 0);
            how = YR_SEEK_GE;
        }
        last = seq;
    }
    *count = n;
    return err == YR_ENOENT ? YR_OK : err;
}

/* ---- what waits for a key ---- */

enum yr_err yr_log_edit_wait(struct yr_rows *rows, const uint8_t room_id[YR_ROOM_ID_LEN],
                             const uint8_t epoch[16], uint64_t arrival, bool on)
{
    uint8_t owner[YR_ROOM_ID_LEN + 16], suffix[8];

    yr_log_owner(owner, room_id, epoch);
    yr_log_be64(suffix, arrival);
    return on ? yr_rows_put(rows, YR_TABLE_RECORD_WAIT, owner, sizeof owner, suffix, sizeof suffix,
                            "", 0)
              : yr_rows_del(rows, YR_TABLE_RECORD_WAIT, owner, sizeof owner, suffix, sizeof suffix);
}

enum yr_err yr_room_log_wait(struct yr_room_log *log, const uint8_t epoch[16], uint64_t arrival)
{
    return yr_log_edit_wait(log->rows, log->id, epoch, arrival, true);
}

enum yr_err yr_room_log_waited(struct yr_room_log *log, const uint8_t epoch[16], uint64_t arrival)
{
    return yr_log_edit_wait(log->rows, log->id, epoch, arrival, false);
}

enum yr_err yr_room_log_waiting(struct yr_room_log *log, const uint8_t epoch[16], uint64_t *arrival)
{
    uint8_t owner[YR_ROOM_ID_LEN + 16];
    struct yr_row at = {.suffix_len = 8};
    struct yr_rd rd;
    enum yr_err err;

    yr_log_owner(owner, log->id, epoch);
    yr_log_be64(at.suffix, *arrival);
    if ((err = yr_rows_seek(log->rows, YR_TABLE_RECORD_WAIT, owner, sizeof owner, YR_SEEK_GT, &at,
                            NULL, 0)) != YR_OK)
        return err;
    if (at.suffix_len != 8)
        return YR_ECORRUPT;
    rd = yr_rd_init(at.suffix, at.suffix_len);
    *arrival = yr_rd_u64be(&rd);
    return YR_OK;
}
