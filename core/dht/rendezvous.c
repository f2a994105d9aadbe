#include "core/dht/rendezvous.h"

#include "core/crypto/aead.h"

#define PLAIN_LEN (YR_DHT_VALUE_MAX - YR_NONCE_LEN - YR_TAG_LEN)
static_assert(4 + 1 + YR_RV_ADDRS_MAX * 19 + YR_CERT_LEN + 1 <= PLAIN_LEN, "addresses always fit");

uint64_t yr_rendezvous_epoch(uint64_t unix_s, uint32_t off)
{
    return (unix_s + off) / YR_RENDEZVOUS_S;
}

uint64_t yr_rendezvous_start(uint64_t epoch, uint32_t off)
{
    const uint64_t s = epoch * YR_RENDEZVOUS_S;

    return s > off ? s - off : 0;
}

static void derive(struct yr_rendezvous *out, const uint8_t v[32], uint64_t epoch)
{
    struct yr_rendezvous rv = {.epoch = epoch};
    uint8_t seed[32], ctx[8];
    struct yr_wr wr = yr_wr_init(ctx, sizeof ctx);

    yr_wr_u64(&wr, epoch);
    yr_kdf(seed, sizeof seed, v, YR_LABEL_RV_KEY, ctx, sizeof ctx);
    yr_kdf(rv.value_key, sizeof rv.value_key, v, YR_LABEL_RV_VAL, ctx, sizeof ctx);
    yr_sign_keypair(rv.pk, rv.sign_sk, seed);
    *out = rv;
    yr_wipe(seed, sizeof seed);
    yr_wipe(&rv, sizeof rv);
}

void yr_rendezvous_invite(struct yr_rendezvous *out, const uint8_t f_rv[32], uint64_t epoch)
{
    derive(out, f_rv, epoch);
}

enum yr_err yr_rendezvous_derive(struct yr_rendezvous *out, const struct yr_timekey *oldest,
                                 uint8_t dir, uint64_t epoch, uint32_t off)
{
    const uint64_t day = yr_rendezvous_start(epoch, off) / YR_DAY_S;
    uint8_t t[32], v[32];
    enum yr_err err = YR_ENOENT;

    if (day <= UINT32_MAX && yr_timekey_at(oldest, (uint32_t)day, t) == YR_OK) {
        yr_kdf(v, sizeof v, t, YR_LABEL_RV, &dir, 1);
        derive(out, v, epoch);
        err = YR_OK;
    }
    yr_wipe(t, sizeof t);
    yr_wipe(v, sizeof v);
    return err;
}

static void write_plain(struct yr_wr *wr, const struct yr_whereabouts *where)
{
    uint8_t *count;
    size_t need;

    yr_wr_u32(wr, where->unix_s);
    yr_wr_u8(wr, (uint8_t)where->addr_count);
    for (size_t i = 0; i < where->addr_count; i++)
        yr_wr_addr(wr, &where->addrs[i], false);
    yr_wr_bytes(wr, where->cert, YR_CERT_LEN);
    count = yr_wr_room(wr, 1);
    *count = 0;
    for (size_t i = 0; i < where->relay_count; i++) {
        need = (where->relays[i].node.addr.family == 4 ? 7U : 19U) + 32 + YR_DHT_SIGNAL_LEN;
        if (need > (size_t)(wr->end - wr->at))
            continue;
        yr_wr_addr(wr, &where->relays[i].node.addr, false);
        yr_wr_bytes(wr, where->relays[i].node.pk, 32);
        yr_wr_bytes(wr, where->relays[i].id, YR_DHT_SIGNAL_LEN);
        (*count)++;
    }
    yr_wr_zero(wr, (size_t)(wr->end - wr->at));
}

size_t yr_rendezvous_make(uint8_t out[YR_DHT_RECORD_MAX], const struct yr_rendezvous *rv,
                          const struct yr_whereabouts *where, uint32_t seq, uint16_t ttl_s,
                          const struct yr_rng *rng)
{
    uint8_t plain[PLAIN_LEN], value[YR_DHT_VALUE_MAX];
    struct yr_wr wr = yr_wr_init(plain, sizeof plain);

    YR_ASSERT(where->addr_count <= YR_RV_ADDRS_MAX && where->relay_count <= YR_RV_RELAYS_MAX);
    write_plain(&wr, where);
    yr_random(rng, value, YR_NONCE_LEN);
    yr_seal_x(value + YR_NONCE_LEN, rv->value_key, value, rv->pk, 32, plain, sizeof plain);
    yr_wipe(plain, sizeof plain);
    return yr_dht_record_make(out, rv->pk, rv->sign_sk, seq, ttl_s, value, sizeof value);
}

static void rd_addr(struct yr_rd *rd, struct yr_addr *addr)
{
    bool flag = false;

    yr_rd_addr(rd, addr, &flag);
    rd->bad |= flag || addr->port == 0;
}

static bool read_plain(struct yr_whereabouts *where, const uint8_t *plain)
{
    struct yr_rd rd = yr_rd_init(plain, PLAIN_LEN);

    memset(where, 0, sizeof *where);
    where->unix_s = yr_rd_u32(&rd);
    where->addr_count = yr_rd_u8(&rd);
    rd.bad |= where->addr_count > YR_RV_ADDRS_MAX;
    for (size_t i = 0; i < where->addr_count && !rd.bad; i++)
        rd_addr(&rd, &where->addrs[i]);
    yr_rd_copy(&rd, where->cert, YR_CERT_LEN);
    where->relay_count = yr_rd_u8(&rd);
    rd.bad |= where->relay_count > YR_RV_RELAYS_MAX;
    for (size_t i = 0; i < where->relay_count && !rd.bad; i++) {
        rd_addr(&rd, &where->relays[i].node.addr);
        yr_rd_copy(&rd, where->relays[i].node.pk, 32);
        yr_rd_copy(&rd, where->relays[i].id, YR_DHT_SIGNAL_LEN);
    }
    while (yr_rd_left(&rd) > 0)
        rd.bad |= yr_rd_u8(&rd) != 0;
    return yr_rd_done(&rd);
}

enum yr_err yr_rendezvous_open(struct yr_whereabouts *out, uint32_t *seq,
                               const struct yr_rendezvous *rv, const uint8_t *record, size_t len)
{
    uint8_t plain[PLAIN_LEN];
    struct yr_whereabouts where;
    struct yr_dht_record rec;
    enum yr_err err = yr_dht_record_open(&rec, record, len);

    if (err != YR_OK)
        return err;
    if (memcmp(rec.pk, rv->pk, 32) != 0)
        return YR_EAUTH;
    if (rec.value_len != YR_DHT_VALUE_MAX)
        return YR_EPROTO;
    if ((err = yr_unseal_x(plain, rv->value_key, rec.value, rv->pk, 32, rec.value + YR_NONCE_LEN,
                           YR_DHT_VALUE_MAX - YR_NONCE_LEN)) != YR_OK)
        return err;
    if (read_plain(&where, plain)) {
        *out = where;
        if (seq != NULL)
            *seq = rec.seq;
    } else {
        err = YR_EPROTO;
    }
    yr_wipe(plain, sizeof plain);
    return err;
}
