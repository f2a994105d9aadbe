/* core/seal/pkh.h: a session that starts while the friend is away: the prekey handshake (B.7).
 *
 * Noise KK1psk2 between two friends' devices.  The owner of a prekey is the initiator, the prekey
 * its first message, which never travels; the sender's second message is the header that goes with
 * every message of the session until the owner has answered:
 *
 *     header = pkid u32 | e 32 | AEAD(the sender's own new prekey 40)
 *     prologue = "yaari/1/pkh" || ID_owner || ID_sender || pkid u32;  psk of the pair
 *
 * The owner's prekey is the sender's first remote ratchet key, so the sender may send at once.  Who
 * steals the prekey's secret and the pair's psk can pose as the friend until the prekey dies, as in
 * X3DH. */
#ifndef YR_PKH_H
#define YR_PKH_H

#include "core/seal/ratchet.h"

#define YR_PKH_LEN (4 + 32 + YR_PREKEY_LEN + YR_TAG_LEN)

/** Between whom; borrowed for the call. */
struct yr_pkh_pair {
    const struct yr_keypair *own;              /* device */
    const uint8_t *peer;                       /* the friend's device, 32 bytes */
    const uint8_t *own_id, *peer_id, *pkh_psk; /* 32 bytes each */
};

/** Start a session on the friend's prekey `theirs`; `fresh`: our own new prekey for the friend.
 *  Errors: YR_EAUTH: theirs is no usable key. */
YR_MUST_USE enum yr_err yr_pkh_start(struct yr_session *out, uint8_t header[YR_PKH_LEN],
                                     const struct yr_pkh_pair *pair, const struct yr_prekey *theirs,
                                     const struct yr_prekey *fresh, uint32_t day,
                                     const struct yr_rng *rng);
/** The prekey that a header is for: its id.  header: YR_PKH_LEN bytes. */
uint32_t yr_pkh_prekey(const uint8_t header[YR_PKH_LEN]);
/** The owner's side: the same session, and the friend's next prekey.  `own` has the id that
 *  yr_pkh_prekey said.  Errors: YR_EAUTH: not by this friend, or for another prekey; YR_EPROTO:
 * what is inside is no prekey.  Nothing is written then. */
YR_MUST_USE enum yr_err yr_pkh_accept(struct yr_session *out, struct yr_prekey *fresh,
                                      const struct yr_pkh_pair *pair,
                                      const struct yr_prekey_own *own,
                                      const uint8_t header[YR_PKH_LEN], uint32_t day);

#endif
