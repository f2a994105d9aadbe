/* core/dht/rendezvous.h: where two friends leave word for each other.  docs/protocol.md "DHT".
 *
 * For each pair, direction and epoch of two hours both derive a signing key, which is also the
 * record's place, and a key for what is in it.  Nobody else can tell that two epochs, or the two
 * directions, belong to the same pair, or to whom.
 *
 *     e    = (unix + off) / 7,200;  V[dir,d] = KDF(T[d], "rv", dir), d the day e begins in
 *     pk   = Ed25519 of KDF(V, "rv/key", u64 e);  value key = KDF(V, "rv/val", u64 e)
 *     v    = nonce 24 | AEAD_X(value key; unix u32 | n u8 | n x address | cert 142 | m u8 |
 *            m x (node | signal id 16) | zeros), always 512 bytes; AD = pk */
#ifndef YR_RENDEZVOUS_H
#define YR_RENDEZVOUS_H

#include "core/crypto/identity.h"
#include "core/dht/records.h"
#include "core/seal/pair.h"

/** The keys of one direction and epoch.  Secret: wipe with yr_wipe. */
struct yr_rendezvous {
    uint64_t epoch;
    uint8_t pk[32], sign_sk[64], value_key[32];
};

/** What the record says. */
struct yr_whereabouts {
    uint32_t unix_s; /* when it was written */
    struct yr_addr addrs[YR_RV_ADDRS_MAX];
    size_t addr_count;
    struct yr_dht_ear relays[YR_RV_RELAYS_MAX]; /* who passes a signal on to the writer */
    size_t relay_count;
    uint8_t cert[YR_CERT_LEN]; /* as it came: the reader verifies it */
};

/** The pair's epoch at this time; off: of struct yr_pair. */
uint64_t yr_rendezvous_epoch(uint64_t unix_s, uint32_t off);
/** When it begins, unix seconds; 0 for one that began before 1970. */
uint64_t yr_rendezvous_start(uint64_t epoch, uint32_t off);
/** oldest: T of the pair.  Errors: YR_ENOENT as yr_timekey_at. */
YR_MUST_USE enum yr_err yr_rendezvous_derive(struct yr_rendezvous *out,
                                             const struct yr_timekey *oldest, uint8_t dir,
                                             uint64_t epoch, uint32_t off);

/** The same for an open invite, under whose key (F_rv) the inviter alone leaves word. */
void yr_rendezvous_invite(struct yr_rendezvous *out, const uint8_t f_rv[32], uint64_t epoch);

/** A record for the DHT; returns its length.  Relays that find no room beside the addresses are
 *  left out; counts within their maxima. */
size_t yr_rendezvous_make(uint8_t out[YR_DHT_RECORD_MAX], const struct yr_rendezvous *rv,
                          const struct yr_whereabouts *where, uint32_t seq, uint16_t ttl_s,
                          const struct yr_rng *rng);
/** Total: whatever a node of the DHT answers.  *seq may be NULL; nothing is written on an error.
 *  Errors: YR_EPROTO: not a record, or not that form inside; YR_EAUTH: not by the friend. */
YR_MUST_USE enum yr_err yr_rendezvous_open(struct yr_whereabouts *out, uint32_t *seq,
                                           const struct yr_rendezvous *rv, const uint8_t *record,
                                           size_t len);

#endif
