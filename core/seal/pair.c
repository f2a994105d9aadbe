#include "core/seal/pair.h"

#include "core/base/bytes.h"

#define ROW_VERSION 1

/* ---- pair ---- */

// One key for each direction.
static void both(uint8_t *out, size_t len, const uint8_t pair[32], enum yr_label label)
{
    for (uint8_t dir = 0; dir < 2; dir++)
        yr_kdf(out + dir * len, len, pair, label, &dir, 1);
}

void yr_pair_derive(struct yr_pair *out, uint8_t gen, const uint8_t pair[32],
                    const uint8_t own_id[32], const uint8_t peer_id[32])
{
    uint8_t off[8];
    struct yr_rd rd;

    memset(out, 0, sizeof *out);
    out->gen = gen;
    out->out = memcmp(own_id, peer_id, 32) < 0 ? 0 : 1;
    yr_kdf(out->link_psk, sizeof out->link_psk, pair, YR_LABEL_LINK_PSK, NULL, 0);
    both(out->link_init[0], sizeof out->link_init[0], pair, YR_LABEL_LINK_INIT);
    both(out->link_hint[0], sizeof out->link_hint[0], pair, YR_LABEL_LINK_HINT);
    both(out->probe[0], sizeof out->probe[0], pair, YR_LABEL_PATH_PROBE);
    both(out->lan[0], sizeof out->lan[0], pair, YR_LABEL_LAN);
    yr_kdf(out->next, sizeof out->next, pair, YR_LABEL_PAIR_NEXT, NULL, 0);
    yr_kdf(out->pkh_psk, sizeof out->pkh_psk, pair, YR_LABEL_PKH_PSK, NULL, 0);
    yr_kdf(out->rel, sizeof out->rel, pair, YR_LABEL_REL, NULL, 0);
    yr_kdf(off, sizeof off, pair, YR_LABEL_RV_OFF, NULL, 0);
    rd = yr_rd_init(off, sizeof off);
    out->off = (uint32_t)(yr_rd_u64(&rd) % YR_RENDEZVOUS_S);
}

size_t yr_pair_encode(uint8_t out[YR_PAIR_ROW_LEN], const struct yr_pair *pair)
{
    struct yr_wr wr = yr_wr_init(out, YR_PAIR_ROW_LEN);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u8(&wr, pair->gen);
    yr_wr_u8(&wr, pair->out);
    yr_wr_bytes(&wr, pair->link_psk, sizeof pair->link_psk);
    yr_wr_bytes(&wr, pair->link_init, sizeof pair->link_init);
    yr_wr_bytes(&wr, pair->link_hint, sizeof pair->link_hint);
    yr_wr_bytes(&wr, pair->probe, sizeof pair->probe);
    yr_wr_bytes(&wr, pair->lan, sizeof pair->lan);
    yr_wr_bytes(&wr, pair->next, sizeof pair->next);
    yr_wr_bytes(&wr, pair->pkh_psk, sizeof pair->pkh_psk);
    yr_wr_bytes(&wr, pair->rel, sizeof pair->rel);
    yr_wr_u32(&wr, pair->off);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == YR_PAIR_ROW_LEN);
    return YR_PAIR_ROW_LEN;
}

enum yr_err yr_pair_decode(struct yr_pair *out, const void *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    const uint8_t version = yr_rd_u8(&rd);
    struct yr_pair pair;
    enum yr_err err;

    memset(&pair, 0, sizeof pair);
    pair.gen = yr_rd_u8(&rd);
    pair.out = yr_rd_u8(&rd);
    yr_rd_copy(&rd, pair.link_psk, sizeof pair.link_psk);
    yr_rd_copy(&rd, pair.link_init, sizeof pair.link_init);
    yr_rd_copy(&rd, pair.link_hint, sizeof pair.link_hint);
    yr_rd_copy(&rd, pair.probe, sizeof pair.probe);
    yr_rd_copy(&rd, pair.lan, sizeof pair.lan);
    yr_rd_copy(&rd, pair.next, sizeof pair.next);
    yr_rd_copy(&rd, pair.pkh_psk, sizeof pair.pkh_psk);
    yr_rd_copy(&rd, pair.rel, sizeof pair.rel);
    pair.off = yr_rd_u32(&rd);

    if (len > 0 && version != ROW_VERSION) {
        err = YR_EVERSION;
    } else if (!yr_rd_done(&rd) || pair.out > 1 || pair.off >= YR_RENDEZVOUS_S) {
        err = YR_EPROTO;
    } else {
        *out = pair;
        err = YR_OK;
    }
    yr_wipe(&pair, sizeof pair);
    return err;
}

/* ---- time keys ---- */

static void day_bytes(uint8_t out[4], uint32_t day)
{
    struct yr_wr wr = yr_wr_init(out, 4);

    yr_wr_u32(&wr, day);
}

void yr_timekey_first(struct yr_timekey *out, const uint8_t pair[32], uint32_t day)
{
    uint8_t ctx[4];

    day_bytes(ctx, day);
    out->day = day;
    yr_kdf(out->key, sizeof out->key, pair, YR_LABEL_TIME, ctx, sizeof ctx);
}

enum yr_err yr_timekey_at(const struct yr_timekey *oldest, uint32_t day, uint8_t key[32])
{
    uint8_t at[32], next[32];

    if (day < oldest->day || day - oldest->day > YR_TIMEKEY_REACH)
        return YR_ENOENT;
    memcpy(at, oldest->key, sizeof at);
    for (uint32_t d = oldest->day; d != day; d++) {
        yr_kdf(next, sizeof next, at, YR_LABEL_TIME_NEXT, NULL, 0);
        memcpy(at, next, sizeof at);
    }
    memcpy(key, at, sizeof at);
    yr_wipe(at, sizeof at);
    yr_wipe(next, sizeof next);
    return YR_OK;
}

enum yr_err yr_timekey_advance(struct yr_timekey *tk, uint32_t day)
{
    uint8_t key[32];
    enum yr_err err;

    if (day <= tk->day)
        return YR_OK;
    if ((err = yr_timekey_at(tk, day, key)) != YR_OK)
        return err;
    memcpy(tk->key, key, sizeof key);
    tk->day = day;
    yr_wipe(key, sizeof key);
    return YR_OK;
}

enum yr_err yr_envelope_keys(const struct yr_timekey *oldest, uint8_t dir, uint32_t day,
                             uint8_t env[32], uint8_t tag[16])
{
    uint8_t key[32], tag_key[32];
    enum yr_err err;

    YR_ASSERT(dir <= 1);
    if ((err = yr_timekey_at(oldest, day, key)) != YR_OK)
        return err;
    yr_kdf(env, 32, key, YR_LABEL_ENV, &dir, 1);
    yr_kdf(tag_key, sizeof tag_key, key, YR_LABEL_TAG, &dir, 1);
    yr_kdf(tag, 16, tag_key, YR_LABEL_TAG_VAL, NULL, 0);
    yr_wipe(key, sizeof key);
    yr_wipe(tag_key, sizeof tag_key);
    return YR_OK;
}

size_t yr_timekey_encode(uint8_t out[YR_TIMEKEY_ROW_LEN], const struct yr_timekey *tk)
{
    struct yr_wr wr = yr_wr_init(out, YR_TIMEKEY_ROW_LEN);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u32(&wr, tk->day);
    yr_wr_bytes(&wr, tk->key, sizeof tk->key);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == YR_TIMEKEY_ROW_LEN);
    return YR_TIMEKEY_ROW_LEN;
}

enum yr_err yr_timekey_decode(struct yr_timekey *out, const void *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    const uint8_t version = yr_rd_u8(&rd);
    const uint32_t day = yr_rd_u32(&rd);
    const uint8_t *key = yr_rd_bytes(&rd, 32);

    if (len > 0 && version != ROW_VERSION)
        return YR_EVERSION;
    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    out->day = day;
    memcpy(out->key, key, sizeof out->key);
    return YR_OK;
}
