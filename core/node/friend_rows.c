/* core/node/friend_rows.c: what is on disk of a friend beside its sessions and its history. */
#include "core/node/state.h"

#define ROW_VERSION 1

void yr_friend_store(struct yr_node *n, const struct yr_friend *f)
{
    uint8_t row[YR_FRIEND_ROW_MAX], *room;
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u8(&wr, (uint8_t)(f->pending | f->blocked << 1 | (int)f->anon << 2));
    yr_wr_u32(&wr, f->order);
    yr_wr_bytes(&wr, f->dev, 32);
    yr_wr_u32(&wr, f->gen);
    room = yr_wr_room(&wr, YR_PAIR_ROW_LEN);
    yr_pair_encode(room, &f->pair);
    yr_wr_text16(&wr, f->nick);
    yr_wr_text16(&wr, f->petname);
    yr_wr_text16(&wr, f->status);
    yr_wr_u8(&wr, (uint8_t)f->trust);
    yr_wr_u64(&wr, (uint64_t)f->created_ms);
    yr_wr_u64(&wr, (uint64_t)f->last_seen_ms);
    yr_wr_u64(&wr, (uint64_t)f->muted_until_ms);
    yr_wr_u8(&wr, (uint8_t)f->mail);
    yr_wr_u8(&wr, (uint8_t)f->presence);
    yr_wr_u8(&wr, (uint8_t)f->typing);
    yr_wr_u8(&wr, (uint8_t)f->receipts);
    yr_wr_u8(&wr, (uint8_t)(f->told | f->theirs.away << 1));
    yr_wr_u64(&wr, (uint64_t)f->theirs.active_ms);
    yr_wr_u64(&wr, (uint64_t)f->theirs.since_ms);
    yr_wr_text16(&wr, f->theirs.text);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(n->rows, YR_TABLE_FRIEND, NULL, 0, f->id, 32, row, yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
}

static enum yr_tri read_tri(struct yr_rd *rd)
{
    const uint8_t value = yr_rd_u8(rd);

    if (value > YR_YES)
        rd->bad = true;
    return value == YR_YES ? YR_YES : value == YR_NO ? YR_NO : YR_UNKNOWN;
}

enum yr_err yr_friend_decode(struct yr_friend *f, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t version = yr_rd_u8(&rd), flags = yr_rd_u8(&rd);
    const uint8_t *pair;
    uint8_t trust, said;

    f->pending = (flags & 1) != 0;
    f->blocked = (flags & 2) != 0;
    f->anon = (flags & 8) != 0 ? YR_YES : (flags & 4) != 0 ? YR_NO : YR_UNKNOWN;
    f->order = yr_rd_u32(&rd);
    yr_rd_copy(&rd, f->dev, 32);
    f->gen = yr_rd_u32(&rd);
    pair = yr_rd_bytes(&rd, YR_PAIR_ROW_LEN);
    yr_rd_text16(&rd, f->nick, sizeof f->nick);
    yr_rd_text16(&rd, f->petname, sizeof f->petname);
    yr_rd_text16(&rd, f->status, sizeof f->status);
    trust = yr_rd_u8(&rd);
    f->created_ms = (yr_ms)yr_rd_u64(&rd);
    f->last_seen_ms = (yr_ms)yr_rd_u64(&rd);
    f->muted_until_ms = (yr_ms)yr_rd_u64(&rd);
    if (yr_rd_left(&rd) > 0) { // a row of before there were consents ends here
        f->mail = read_tri(&rd);
        f->presence = read_tri(&rd);
        f->typing = read_tri(&rd);
        f->receipts = read_tri(&rd);
        said = yr_rd_u8(&rd);
        f->told = (said & 1) != 0;
        f->theirs.away = (said & 2) != 0;
        f->theirs.active_ms = (yr_ms)yr_rd_u64(&rd);
        f->theirs.since_ms = (yr_ms)yr_rd_u64(&rd);
        yr_rd_text16(&rd, f->theirs.text, sizeof f->theirs.text);
    }
    if (!yr_rd_done(&rd) || version != ROW_VERSION || trust > YR_TRUST_VERIFIED ||
        yr_pair_decode(&f->pair, pair, YR_PAIR_ROW_LEN) != YR_OK)
        return YR_ECORRUPT;
    f->trust = (enum yr_trust)trust;
    f->used = true;
    return YR_OK;
}

void yr_friend_store_clocks(struct yr_node *n, const struct yr_friend *f)
{
    uint8_t row[12 + 12 + 4 * 8];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_bytes(&wr, f->clock_theirs.bytes, 12);
    yr_wr_bytes(&wr, f->clock_ours.bytes, 12);
    yr_wr_u64(&wr, f->probe_clock.theirs);
    yr_wr_u64(&wr, f->probe_clock.ours);
    yr_wr_u64(&wr, f->probe_clock.signal_theirs);
    yr_wr_u64(&wr, f->probe_clock.signal_ours);
    yr_rows_put(n->rows, YR_TABLE_CLOCK, NULL, 0, f->id, 32, row, yr_wr_len(&wr));
}

enum yr_err yr_friend_load_clocks(struct yr_node *n, struct yr_friend *f)
{
    uint8_t row[64];
    struct yr_rd rd;
    size_t len;
    enum yr_err err =
        yr_rows_get(n->rows, YR_TABLE_CLOCK, NULL, 0, f->id, 32, row, sizeof row, &len);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    yr_rd_copy(&rd, f->clock_theirs.bytes, 12);
    yr_rd_copy(&rd, f->clock_ours.bytes, 12);
    f->probe_clock.theirs = yr_rd_u64(&rd);
    f->probe_clock.ours = yr_rd_u64(&rd);
    if (yr_rd_left(&rd) > 0) { // a row of before there were signals ends here
        f->probe_clock.signal_theirs = yr_rd_u64(&rd);
        f->probe_clock.signal_ours = yr_rd_u64(&rd);
    }
    return yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
}

void yr_friend_store_addrs(struct yr_node *n, const struct yr_friend *f)
{
    uint8_t row[1 + YR_ADDRS_MAX * 20];
    struct yr_wr wr = yr_wr_init(row, sizeof row);
    enum yr_addr_source source;
    struct yr_addr addr;

    for (size_t i = 0; yr_paths_candidate(n->paths, yr_friend_slot(n, f), i, &addr, &source); i++) {
        if ((source != YR_ADDR_LINKED && source != YR_ADDR_TOLD) || addr.local != 0)
            continue;
        yr_wr_u8(&wr, (uint8_t)source);
        yr_wr_addr(&wr, &addr, false);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(n->rows, YR_TABLE_ADDR, NULL, 0, f->id, 32, row, yr_wr_len(&wr));
}

enum yr_err yr_friend_load_addrs(struct yr_node *n, const struct yr_friend *f)
{
    uint8_t row[1 + YR_ADDRS_MAX * 20];
    struct yr_rd rd;
    size_t len;
    enum yr_err err =
        yr_rows_get(n->rows, YR_TABLE_ADDR, NULL, 0, f->id, 32, row, sizeof row, &len);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    while (yr_rd_left(&rd) > 0) {
        const uint8_t source = yr_rd_u8(&rd);
        struct yr_addr addr;
        bool flag;
        memset(&addr, 0, sizeof addr);
        yr_rd_addr(&rd, &addr, &flag);
        if (rd.bad || source > YR_ADDR_PROBED)
            return YR_ECORRUPT;
        yr_paths_learn(n->paths, yr_friend_slot(n, f), &addr, (enum yr_addr_source)source, n->now);
    }
    return YR_OK;
}
