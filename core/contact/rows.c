/* core/contact/rows.c: invites and adds as rows. */
#include "core/contact/state.h"

/* ---- rows ---- */

#define ROW_VERSION 1
#define ROW_MAX     1024

static void put_invite(struct yr_wr *wr, const struct yr_invite *in)
{
    yr_wr_u8(wr, in->flags);
    yr_wr_u32(wr, in->exp_s);
    yr_wr_bytes(wr, in->secret, 32);
    yr_wr_bytes(wr, in->id, 32);
    yr_wr_bytes(wr, in->dev, 32);
    yr_wr_u32(wr, in->gen);
    yr_wr_u8(wr, (uint8_t)in->hint_count);
    for (unsigned i = 0; i < in->hint_count; i++)
        yr_wr_addr(wr, &in->hints[i], false);
}

static void get_invite(struct yr_rd *rd, struct yr_invite *in)
{
    bool flag;

    in->flags = yr_rd_u8(rd);
    in->exp_s = yr_rd_u32(rd);
    yr_rd_copy(rd, in->secret, 32);
    yr_rd_copy(rd, in->id, 32);
    yr_rd_copy(rd, in->dev, 32);
    in->gen = yr_rd_u32(rd);
    in->hint_count = yr_rd_u8(rd);
    if (in->hint_count > YR_HINTS_MAX) {
        in->hint_count = 0;
        rd->bad = true;
    }
    for (unsigned i = 0; i < in->hint_count; i++)
        yr_rd_addr(rd, &in->hints[i], &flag);
}

enum yr_err yr_fc_store_invite(struct yr_contacts *c, const struct yr_fc_invite *i)
{
    uint8_t row[ROW_MAX];
    struct yr_wr wr = yr_wr_init(row, sizeof row);
    enum yr_err err;

    yr_wr_u8(&wr, ROW_VERSION);
    put_invite(&wr, &i->in);
    yr_wr_text16(&wr, i->petname);
    yr_wr_u64(&wr, (uint64_t)i->created_ms);
    yr_wr_u8(&wr, (uint8_t)i->state);
    yr_wr_u8(&wr, i->settled);
    yr_wr_bytes(&wr, i->by_id, 32);
    yr_wr_bytes(&wr, i->by_dev, 32);
    yr_wr_bytes(&wr, i->clock.bytes, sizeof i->clock.bytes);
    YR_ASSERT(yr_wr_ok(&wr));
    err = yr_rows_put(c->rows, YR_TABLE_INVITE, NULL, 0, i->keys.id, YR_INVITE_ID_LEN, row,
                      yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
    return err;
}

static enum yr_err load_invite(struct yr_fc_invite *i, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    uint8_t version = yr_rd_u8(&rd), state;

    memset(i, 0, sizeof *i);
    get_invite(&rd, &i->in);
    yr_rd_text16(&rd, i->petname, sizeof i->petname);
    i->created_ms = (yr_ms)yr_rd_u64(&rd);
    state = yr_rd_u8(&rd);
    i->settled = yr_rd_u8(&rd) != 0;
    yr_rd_copy(&rd, i->by_id, 32);
    yr_rd_copy(&rd, i->by_dev, 32);
    yr_rd_copy(&rd, i->clock.bytes, sizeof i->clock.bytes);
    if (!yr_rd_done(&rd) || version != ROW_VERSION || state > YR_INVITE_LEAKED)
        return YR_ECORRUPT;
    i->state = (enum yr_invite_state)state;
    i->used = true;
    i->tokens = YR_FC_BURST;
    yr_invite_keys(&i->keys, i->in.secret);
    return YR_OK;
}

enum yr_err yr_fc_store_add(struct yr_contacts *c, const struct yr_fc_add *a)
{
    uint8_t row[ROW_MAX];
    struct yr_wr wr = yr_wr_init(row, sizeof row);
    enum yr_err err;

    yr_wr_u8(&wr, ROW_VERSION);
    put_invite(&wr, &a->in);
    yr_wr_text16(&wr, a->petname);
    yr_wr_text16(&wr, a->greeting);
    yr_wr_u8(&wr, a->verified);
    yr_wr_u64(&wr, (uint64_t)a->created_ms);
    YR_ASSERT(yr_wr_ok(&wr));
    err = yr_rows_put(c->rows, YR_TABLE_ADD, NULL, 0, a->keys.id, YR_INVITE_ID_LEN, row,
                      yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
    return err;
}

static enum yr_err load_add(struct yr_fc_add *a, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t version = yr_rd_u8(&rd);

    memset(a, 0, sizeof *a);
    get_invite(&rd, &a->in);
    yr_rd_text16(&rd, a->petname, sizeof a->petname);
    yr_rd_text16(&rd, a->greeting, sizeof a->greeting);
    a->verified = yr_rd_u8(&rd) != 0;
    a->created_ms = (yr_ms)yr_rd_u64(&rd);
    if (!yr_rd_done(&rd) || version != ROW_VERSION)
        return YR_ECORRUPT;
    a->used = true;
    yr_invite_keys(&a->keys, a->in.secret);
    return YR_OK;
}

static enum yr_err load_table(struct yr_contacts *c, enum yr_table table)
{
    uint8_t value[ROW_MAX];
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    size_t n = 0;
    enum yr_err err;

    while ((err = yr_rows_seek(c->rows, table, NULL, 0, how, &at, value, sizeof value)) == YR_OK) {
        how = YR_SEEK_GT;
        if (table == YR_TABLE_INVITE && n < INVITE_ROOM)
            err = load_invite(&c->invites[n++], value, at.value_len);
        else if (table == YR_TABLE_ADD && n < YR_ADDS_MAX)
            err = load_add(&c->adds[n++], value, at.value_len);
        if (err != YR_OK)
            break;
    }
    yr_wipe(value, sizeof value);
    return err == YR_ENOENT ? YR_OK : err;
}

enum yr_err yr_contacts_start(struct yr_contacts *c, struct yr_now now,
                              const struct yr_identity *self)
{
    enum yr_err err;

    yr_contacts_reset(c);
    if ((err = load_table(c, YR_TABLE_INVITE)) != YR_OK)
        return err;
    if ((err = load_table(c, YR_TABLE_ADD)) != YR_OK)
        return err;
    c->self = self;
    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        c->adds[i].next_us = now.mono_us;
    for (size_t i = 0; i < INVITE_ROOM; i++)
        c->invites[i].expiry_us = now.mono_us;
    return YR_OK;
}
