#include "core/path/punch.h"

#include "core/crypto/aead.h"

static_assert(YR_OFFER_MAX <= YR_FRAME_MAX, "an offer fits a frame");
// With as many addresses as a signal has.
static_assert(YR_OFFER_MAX - (YR_OWN_ADDRS_MAX - YR_SIGNAL_ADDRS_MAX) * 19 <= YR_SIGNAL_PLAIN,
              "an offer fits a signal");

static void wr_addr(struct yr_wr *wr, const struct yr_addr *addr, bool flag)
{
    if (yr_addr_udp(addr))
        yr_wr_addr(wr, addr, flag);
    else
        yr_wr_u8(wr, 0);
}

size_t yr_offer_encode(uint8_t out[YR_OFFER_MAX], const struct yr_offer *offer, size_t addrs)
{
    struct yr_wr wr = yr_wr_init(out, YR_OFFER_MAX);
    const size_t count = YR_MIN(offer->addr_count, addrs);

    yr_wr_u64(&wr, offer->ms);
    yr_wr_bytes(&wr, offer->random, sizeof offer->random);
    yr_wr_u8(&wr, (uint8_t)offer->flags);
    yr_wr_u8(&wr, (uint8_t)((unsigned)offer->mapping | (unsigned)offer->filtering << 4));
    wr_addr(&wr, &offer->seen, false);
    yr_wr_u8(&wr, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        yr_wr_addr(&wr, &offer->addrs[i].addr, offer->addrs[i].unsure);
    yr_wr_u8(&wr, (uint8_t)offer->relay_count);
    for (size_t i = 0; i < offer->relay_count; i++)
        yr_wr_bytes(&wr, offer->relays[i], sizeof offer->relays[i]);
    yr_wr_u8(&wr, (uint8_t)offer->signal_count);
    for (size_t i = 0; i < offer->signal_count; i++) {
        yr_wr_addr(&wr, &offer->signals[i].node.addr, false);
        yr_wr_bytes(&wr, offer->signals[i].node.pk, sizeof offer->signals[i].node.pk);
        yr_wr_bytes(&wr, offer->signals[i].id, sizeof offer->signals[i].id);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

static void rd_seen(struct yr_rd *rd, struct yr_addr *addr)
{
    if (yr_rd_left(rd) > 0 && *rd->at == 0)
        yr_rd_skip(rd, 1);
    else
        yr_rd_addr(rd, addr, NULL);
}

static void rd_addrs(struct yr_rd *rd, struct yr_offer *offer)
{
    const size_t count = yr_rd_u8(rd);

    if (count > YR_COUNT(offer->addrs)) {
        rd->bad = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        yr_rd_addr(rd, &offer->addrs[i].addr, &offer->addrs[i].unsure);
        rd->bad = rd->bad || offer->addrs[i].addr.port == 0;
    }
    offer->addr_count = count;
}

static void rd_relays(struct yr_rd *rd, struct yr_offer *offer)
{
    const size_t count = yr_rd_u8(rd);

    if (count > YR_COUNT(offer->relays)) {
        rd->bad = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        yr_rd_copy(rd, offer->relays[i], sizeof offer->relays[i]);
    offer->relay_count = count;
}

static void rd_signals(struct yr_rd *rd, struct yr_offer *offer)
{
    const size_t count = yr_rd_u8(rd);

    if (count > YR_COUNT(offer->signals)) {
        rd->bad = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        yr_rd_addr(rd, &offer->signals[i].node.addr, NULL);
        yr_rd_copy(rd, offer->signals[i].node.pk, sizeof offer->signals[i].node.pk);
        yr_rd_copy(rd, offer->signals[i].id, sizeof offer->signals[i].id);
        rd->bad = rd->bad || offer->signals[i].node.addr.port == 0;
    }
    offer->signal_count = count;
}

static enum yr_err decode(struct yr_offer *out, const uint8_t *src, size_t len, bool padded)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_offer offer;
    uint8_t nat;

    memset(&offer, 0, sizeof offer);
    offer.ms = yr_rd_u64(&rd);
    yr_rd_copy(&rd, offer.random, sizeof offer.random);
    offer.flags = yr_rd_u8(&rd);
    nat = yr_rd_u8(&rd);
    rd_seen(&rd, &offer.seen);
    rd_addrs(&rd, &offer);
    rd_relays(&rd, &offer);
    rd_signals(&rd, &offer);
    while (padded && yr_rd_left(&rd) > 0)
        if (yr_rd_u8(&rd) != 0)
            return YR_EPROTO;
    if (!yr_rd_done(&rd) || (nat & 0x0f) > YR_NAT_PORT || nat >> 4 > YR_NAT_PORT)
        return YR_EPROTO;
    offer.mapping = (enum yr_nat_kind)(nat & 0x0f);
    offer.filtering = (enum yr_nat_kind)(nat >> 4);
    *out = offer;
    return YR_OK;
}

enum yr_err yr_offer_decode(struct yr_offer *out, const uint8_t *src, size_t len)
{
    return decode(out, src, len, false);
}

/* ---- sealed ---- */

// The pair itself is forgotten as soon as its keys are made: this one comes from that of probes,
// which every pair has.
static void signal_key(uint8_t key[YR_KEY_LEN], const struct yr_pair *pair, uint8_t dir)
{
    yr_kdf(key, YR_KEY_LEN, pair->probe[dir], YR_LABEL_PATH_SIGNAL, NULL, 0);
}

void yr_signal_seal(uint8_t out[YR_SIGNAL_BYTES], const struct yr_pair *pair,
                    const struct yr_offer *offer, const struct yr_rng *rng)
{
    uint8_t plain[YR_OFFER_MAX + YR_SIGNAL_PLAIN] = {0}, key[YR_KEY_LEN], nonce[YR_NONCE_LEN];
    struct yr_wr wr = yr_wr_init(out, YR_SIGNAL_BYTES);

    (void)yr_offer_encode(plain, offer, YR_SIGNAL_ADDRS_MAX);
    yr_random(rng, nonce, sizeof nonce);
    yr_wr_u8(&wr, YR_SIGNAL_TYPE);
    yr_siphash(yr_wr_room(&wr, 8), pair->link_hint[pair->out], nonce, sizeof nonce);
    yr_wr_bytes(&wr, nonce, sizeof nonce);
    signal_key(key, pair, pair->out);
    yr_seal_x(wr.at, key, nonce, out, YR_SIGNAL_HEAD, plain, YR_SIGNAL_PLAIN);
    yr_wipe(key, sizeof key);
}

bool yr_signal_is(const struct yr_pair *pair, const uint8_t *src)
{
    uint8_t want[8];

    yr_siphash(want, pair->link_hint[1 - pair->out], src + 9, YR_NONCE_LEN);
    return yr_equal(want, src + 1, sizeof want);
}

enum yr_err yr_signal_open(struct yr_offer *out, const struct yr_pair *pair, const uint8_t *src,
                           size_t len)
{
    uint8_t plain[YR_SIGNAL_PLAIN], key[YR_KEY_LEN];
    enum yr_err err;

    if (len != YR_SIGNAL_BYTES || src[0] != YR_SIGNAL_TYPE)
        return YR_EPROTO;
    signal_key(key, pair, 1 - pair->out);
    err = yr_unseal_x(plain, key, src + 9, src, YR_SIGNAL_HEAD, src + YR_SIGNAL_HEAD,
                      len - YR_SIGNAL_HEAD);
    yr_wipe(key, sizeof key);
    return err == YR_OK ? decode(out, plain, sizeof plain, true) : err;
}

/* ---- when ---- */

yr_us yr_punch_round(unsigned i)
{
    static const uint16_t ms[YR_PUNCH_ROUNDS] = {0, 100, 200, 400, 800, 1600};

    return ms[i] * YR_MS;
}

yr_us yr_punch_retry(unsigned n)
{
    static const uint16_t s[] = {3, 6, 60, 300};

    return (n < YR_COUNT(s) ? s[n] : 1800) * YR_S;
}
