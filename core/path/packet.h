/* core/path/packet.h: probes and their answers as bytes.  docs/protocol.md "Paths".
 *
 *     type 21 | 22 | hint 8 | nonce 24 | AEAD_X(KDF(PAIR,"path/probe",dir);
 *     unix ms 8 | random 16 | address 19 | delay u8)
 *
 * The address is, in a probe, where it is sent; in an answer, where the probe came from. */
#ifndef YR_PACKET_H
#define YR_PACKET_H

#include "core/base/bytes.h"
#include "core/seal/pair.h"

enum yr_probe_type { YR_PROBE = 0x21, YR_ANSWER = 0x22 };

struct yr_probe {
    enum yr_probe_type type;
    uint64_t ms;
    uint8_t random[16];
    struct yr_addr addr; /* family 0: none that can be told */
    uint8_t delay_s;     /* PROBE: answer so much later */
};

#define YR_PROBE_PLAIN (8 + 16 + 19 + 1)
#define YR_PROBE_HEAD  (1 + 8 + YR_NONCE_LEN)
#define YR_PROBE_LEN   (YR_PROBE_HEAD + YR_PROBE_PLAIN + YR_TAG_LEN)

void yr_probe_seal(uint8_t out[YR_PROBE_LEN], const struct yr_pair *pair,
                   const struct yr_probe *probe, const struct yr_rng *rng);
/** Is it of that form, and does its hint say that this pair's friend sent it? */
bool yr_probe_is(const struct yr_pair *pair, const uint8_t *src, size_t len);
/** Total.  Errors: YR_EPROTO; YR_EAUTH: not the friend's. */
YR_MUST_USE enum yr_err yr_probe_open(struct yr_probe *out, const struct yr_pair *pair,
                                      const uint8_t *src, size_t len);

#endif
