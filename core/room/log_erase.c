#include "core/room/log_state.h"

// The rows that belong to the one record in `row`.
static enum yr_err erase_of(struct yr_rows *rows, const uint8_t room_id[YR_ROOM_ID_LEN],
                            const struct yr_row *at, const uint8_t *row)
{
    struct yr_rd rd = yr_rd_init(row, at->value_len);
    uint8_t id[YR_REC_ID_LEN], owner[YR_ROOM_ID_LEN + 16];
    struct yr_room_record record;
    struct yr_room_body body;
    enum yr_err err;

    (void)yr_rd_u8(&rd);
    yr_rd_copy(&rd, id, sizeof id);
    (void)yr_rd_u32(&rd);
    (void)yr_rd_u64(&rd);
    if (rd.bad)
        return YR_OK;
    yr_log_owner(owner, room_id, id);
    err = yr_rows_del(rows, YR_TABLE_RECORD_ID, owner, sizeof owner, NULL, 0);
    if (err == YR_OK && at->suffix_len == 8 &&
        yr_room_record_decode(&record, rd.at, yr_rd_left(&rd)) == YR_OK &&
        yr_room_body_decode(&body, record.class, record.body, record.body_len) == YR_OK &&
        body.known && body.epoch != NULL) {
        rd = yr_rd_init(at->suffix, at->suffix_len);
        err = yr_log_edit_wait(rows, room_id, body.epoch, yr_rd_u64be(&rd), false);
    }
    return err;
}

// Delete up to *left rows of a table, with what belongs to them; YR_OK: none is left.
static enum yr_err erase_table(struct yr_rows *rows, enum yr_table table,
                               const uint8_t room_id[YR_ROOM_ID_LEN], size_t *left)
{
    uint8_t row[YR_LOG_RECORD_HEAD + YR_ROOM_RECORD_MAX + 64];
    const bool record = table == YR_TABLE_RECORD || table == YR_TABLE_RECORD_STATE;
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    for (; *left > 0; --*left, how = YR_SEEK_GT) {
        err = yr_rows_seek(rows, table, room_id, YR_ROOM_ID_LEN, how, &at, record ? row : NULL,
                           record ? sizeof row : 0);
        if (err == YR_OK && record)
            err = erase_of(rows, room_id, &at, row);
        else if (err == YR_ECORRUPT || err == YR_ESIZE) // a damaged one goes by itself
            err = yr_rows_seek(rows, table, room_id, YR_ROOM_ID_LEN, how, &at, NULL, 0);
        if (err == YR_OK)
            err = yr_rows_del(rows, table, room_id, YR_ROOM_ID_LEN, at.suffix, at.suffix_len);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
    }
    return YR_EAGAIN;
}

enum yr_err yr_room_log_erase(struct yr_rows *rows, const uint8_t room_id[YR_ROOM_ID_LEN],
                              size_t max, bool *more)
{
    static const enum yr_table tables[] = {
        YR_TABLE_RECORD,       YR_TABLE_RECORD_STATE,  YR_TABLE_RECORD_SEQ,
        YR_TABLE_RECORD_CHAIN, YR_TABLE_RECORD_AUTHOR, YR_TABLE_ROOM_LOG, // the last says: all
    };
    enum yr_err err = YR_OK;

    for (size_t i = 0; i < YR_COUNT(tables) && err == YR_OK; i++)
        err = erase_table(rows, tables[i], room_id, &max);
    if (err != YR_OK && err != YR_EAGAIN)
        return err;
    *more = err == YR_EAGAIN;
    return YR_OK;
}
