#include "core/path/packet.h"

#include "core/crypto/aead.h"

#define ADDR_LEN 19 // of IPv6; a shorter one is padded

void yr_probe_seal(uint8_t out[YR_PROBE_LEN], const struct yr_pair *pair,
                   const struct yr_probe *probe, const struct yr_rng *rng)
{
    uint8_t plain[YR_PROBE_PLAIN] = {0}, nonce[YR_NONCE_LEN];
    struct yr_wr wr = yr_wr_init(plain, sizeof plain);

    yr_wr_u64(&wr, probe->ms);
    yr_wr_bytes(&wr, probe->random, sizeof probe->random);
    if (yr_addr_udp(&probe->addr))
        yr_wr_addr(&wr, &probe->addr, false);
    plain[YR_PROBE_PLAIN - 1] = probe->delay_s;
    yr_random(rng, nonce, sizeof nonce);
    wr = yr_wr_init(out, YR_PROBE_LEN);
    yr_wr_u8(&wr, (uint8_t)probe->type);
    yr_siphash(yr_wr_room(&wr, 8), pair->link_hint[pair->out], nonce, sizeof nonce);
    yr_wr_bytes(&wr, nonce, sizeof nonce);
    yr_seal_x(wr.at, pair->probe[pair->out], nonce, out, YR_PROBE_HEAD, plain, sizeof plain);
}

bool yr_probe_is(const struct yr_pair *pair, const uint8_t *src, size_t len)
{
    uint8_t want[8];

    if (len != YR_PROBE_LEN)
        return false;
    yr_siphash(want, pair->link_hint[1 - pair->out], src + 9, YR_NONCE_LEN);
    return yr_equal(want, src + 1, sizeof want);
}

enum yr_err yr_probe_open(struct yr_probe *out, const struct yr_pair *pair, const uint8_t *src,
                          size_t len)
{
    uint8_t plain[YR_PROBE_PLAIN];
    struct yr_probe probe;
    struct yr_rd rd;
    enum yr_err err;

    if (len != YR_PROBE_LEN || (src[0] != YR_PROBE && src[0] != YR_ANSWER))
        return YR_EPROTO;
    err = yr_unseal_x(plain, pair->probe[1 - pair->out], src + 9, src, YR_PROBE_HEAD,
                      src + YR_PROBE_HEAD, len - YR_PROBE_HEAD);
    if (err != YR_OK)
        return err;
    memset(&probe, 0, sizeof probe);
    probe.type = (enum yr_probe_type)src[0];
    rd = yr_rd_init(plain, sizeof plain);
    probe.ms = yr_rd_u64(&rd);
    yr_rd_copy(&rd, probe.random, sizeof probe.random);
    if (*rd.at != 0)
        yr_rd_addr(&rd, &probe.addr, NULL);
    if (rd.bad)
        return YR_EPROTO;
    probe.delay_s = plain[YR_PROBE_PLAIN - 1];
    *out = probe;
    return YR_OK;
}
