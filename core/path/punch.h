/* core/path/punch.h: the punch offer: where one is and how to be reached, told to one friend.
 * docs/protocol.md "Paths".
 *
 *     unix ms 8 | random 16 | flags u8 | nat u8 | address seen | n u8 | n x address |
 *     m u8 | m x blinded relay 16 | k u8 | k x (address | pk 32 | signal id 16)
 *
 * flags: bit 0: answer with an offer of your own; bit 1: punch: send probes to these addresses now,
 * as the sender does; bit 2: ... and at many ports.  nat: mapping in the low half, filtering in the
 * high one (enum yr_nat_kind).  Bit 7 of an address's kind: not sure yet that it leads to the
 * sender; a probe tells.  The address seen is where the sender sees the receiver; 0 for none.
 *
 * It travels as a frame on a live link (ADDRS), and to a friend without one in a SIGNAL:
 *
 *     20 | hint 8 | nonce 24 | AEAD_X(KDF(probe key, "path/signal"); offer, zeros), 640 bytes
 *
 * whose clock rises strictly for each friend and direction, and is durable before the offer acts:
 * a copy does nothing. */
#ifndef YR_PUNCH_H
#define YR_PUNCH_H

#include "core/dht/rpc.h"
#include "core/seal/pair.h"
#include "yaari/node.h"

enum yr_offer_flag { YR_OFFER_ANSWER = 1, YR_OFFER_PUNCH = 2, YR_OFFER_MANY = 4 };

struct yr_offer {
    uint64_t ms;
    uint8_t random[16];
    unsigned flags;
    enum yr_nat_kind mapping, filtering;
    struct yr_addr seen;
    struct {
        struct yr_addr addr;
        bool unsure;
    } addrs[YR_OWN_ADDRS_MAX]; /* best first */
    size_t addr_count;
    uint8_t relays[YR_OFFER_RELAYS_MAX][16];
    size_t relay_count;
    struct {
        struct yr_dht_contact node;
        uint8_t id[YR_DHT_SIGNAL_LEN];
    } signals[YR_RV_RELAYS_MAX]; /* who passes a signal on to the sender */
    size_t signal_count;
};

#define YR_OFFER_MAX                                                                      \
    (8 + 16 + 1 + 1 + 19 + 1 + YR_OWN_ADDRS_MAX * 19 + 1 + YR_OFFER_RELAYS_MAX * 16 + 1 + \
     YR_RV_RELAYS_MAX * (19 + 32 + YR_DHT_SIGNAL_LEN))

/** Returns the length.  Counts within their maxima.  At most `addrs` addresses are told. */
size_t yr_offer_encode(uint8_t out[YR_OFFER_MAX], const struct yr_offer *offer, size_t addrs);
/** Total decoder; nothing written unless YR_OK.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_offer_decode(struct yr_offer *out, const uint8_t *src, size_t len);

#define YR_SIGNAL_TYPE  0x20
#define YR_SIGNAL_HEAD  (1 + 8 + YR_NONCE_LEN)
#define YR_SIGNAL_PLAIN (YR_SIGNAL_BYTES - YR_SIGNAL_HEAD - YR_TAG_LEN)

/** An offer of ours, sealed; with as many addresses as fit. */
void yr_signal_seal(uint8_t out[YR_SIGNAL_BYTES], const struct yr_pair *pair,
                    const struct yr_offer *offer, const struct yr_rng *rng);
/** Does its hint say that this pair's friend sent it?  src: YR_SIGNAL_BYTES. */
bool yr_signal_is(const struct yr_pair *pair, const uint8_t *src);
/** Errors: YR_EPROTO: not that form; YR_EAUTH: not the friend's. */
YR_MUST_USE enum yr_err yr_signal_open(struct yr_offer *out, const struct yr_pair *pair,
                                       const uint8_t *src, size_t len);

/* ---- when both send ---- */

/** The rounds of probes after an offer: 0, 100, 200, 400, 800, 1600 ms. */
#define YR_PUNCH_ROUNDS 6
/** When round i (0..YR_PUNCH_ROUNDS-1) is due, from the offer on. */
yr_us yr_punch_round(unsigned i);
/** How long after the n-th try (0, 1, ...) that came to nothing the next one is due: the first
 *  three soon, then after 1, 5 and every 30 minutes. */
yr_us yr_punch_retry(unsigned n);

#endif
