#include "core/seal/pkh.h"

#include "core/base/bytes.h"

#define NAME         "yaari/1/pkh"
#define PROLOGUE_LEN (sizeof NAME - 1 + 32 + 32 + 4)

static void begin(struct yr_noise *hs, const struct yr_pkh_pair *pair, bool owner, uint32_t pkid)
{
    uint8_t prologue[PROLOGUE_LEN];
    struct yr_wr wr = yr_wr_init(prologue, sizeof prologue);

    yr_wr_bytes(&wr, NAME, sizeof NAME - 1);
    yr_wr_bytes(&wr, owner ? pair->own_id : pair->peer_id, 32);
    yr_wr_bytes(&wr, owner ? pair->peer_id : pair->own_id, 32);
    yr_wr_u32(&wr, pkid);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == sizeof prologue);
    yr_noise_init(hs, YR_NOISE_KK1PSK2, owner, pair->own, pair->peer, pair->pkh_psk, prologue,
                  sizeof prologue);
}

enum yr_err yr_pkh_start(struct yr_session *out, uint8_t header[YR_PKH_LEN],
                         const struct yr_pkh_pair *pair, const struct yr_prekey *theirs,
                         const struct yr_prekey *fresh, uint32_t day, const struct yr_rng *rng)
{
    uint8_t seed[32], exporter[32], payload[YR_PREKEY_LEN];
    struct yr_wr wr = yr_wr_init(header, YR_PKH_LEN);
    struct yr_noise hs;
    size_t len = 0;
    enum yr_err err;

    begin(&hs, pair, false, theirs->id);
    yr_noise_prekey(&hs, NULL, theirs->pk);
    yr_wr_u32(&wr, theirs->id);
    yr_prekey_encode(payload, fresh);
    yr_random(rng, seed, sizeof seed);
    err = yr_noise_write(&hs, seed, payload, sizeof payload, header + 4, YR_PKH_LEN - 4, &len);
    YR_ASSERT(err != YR_OK || len == YR_PKH_LEN - 4);
    if (err == YR_OK) {
        yr_noise_split(&hs, NULL, NULL, exporter);
        err = yr_session_start_sender(out, exporter, hs.hash, theirs->pk, day, rng);
        yr_wipe(exporter, sizeof exporter);
    }
    yr_wipe(seed, sizeof seed);
    yr_noise_clear(&hs);
    return err;
}

uint32_t yr_pkh_prekey(const uint8_t header[YR_PKH_LEN])
{
    struct yr_rd rd = yr_rd_init(header, YR_PKH_LEN);

    return yr_rd_u32(&rd);
}

enum yr_err yr_pkh_accept(struct yr_session *out, struct yr_prekey *fresh,
                          const struct yr_pkh_pair *pair, const struct yr_prekey_own *own,
                          const uint8_t header[YR_PKH_LEN], uint32_t day)
{
    uint8_t exporter[32], payload[YR_PREKEY_LEN];
    struct yr_noise hs;
    size_t len = 0;
    enum yr_err err;

    begin(&hs, pair, true, own->id);
    yr_noise_prekey(&hs, &own->pair, NULL);
    err = yr_noise_read(&hs, header + 4, YR_PKH_LEN - 4, payload, sizeof payload, &len);
    if (err == YR_OK)
        err = yr_prekey_decode(fresh, payload, len);
    if (err == YR_OK) {
        yr_noise_split(&hs, NULL, NULL, exporter);
        yr_session_start_receiver(out, exporter, hs.hash, &own->pair, day);
        yr_wipe(exporter, sizeof exporter);
    }
    yr_noise_clear(&hs);
    return err;
}
