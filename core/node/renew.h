/* core/node/renew.h: devices that change: ours after a restore, a friend's after his.
 * docs/protocol.md "New devices".  Private to core/node.
 *
 *   restored: as long as a friend has not been linked with this device, its certificate goes
 *             wherever a dial of ours goes, into our word in the DHT, into envelopes
 *   friend:   takes the newest certificate of an identity, drops what it had with the device before
 *   old copy: nobody links with it any more; who knows better tells it, once a minute; shown a
 * newer certificate of its own identity, it stops for good */
#ifndef YR_RENEW_H
#define YR_RENEW_H

#include "core/seal/renewal.h"
#include "yaari/node.h"

struct yr_node;
struct yr_clock;

/** What is known of one friend; row CERT. */
struct yr_renew_friend {
    uint32_t told; /* our newest generation that it has been linked with; 0: the first */
    bool has_cert; /* its device has changed since we met: */
    uint8_t cert[YR_CERT_LEN];
    /* A packet is answered once, and after that is durable: */
    uint64_t heard_ms;
    uint8_t heard_clock[12];
    /* not kept */
    yr_us answered_us, told_us;  /* 0: never */
    yr_us checks_us, checked_us; /* token bucket: time saved up, until when */
    uint64_t post_token; /* with this what a post depends on is durable; 0: nothing is made */
    yr_us posted_us;     /* last left with others */
    bool due;            /* to be taken when nothing else is going on: */
    uint8_t next[YR_CERT_LEN];
    struct yr_addr from;
};

struct yr_renew_out {
    struct yr_addr to;
    uint64_t token;
    uint8_t bytes[YR_RENEWAL_LEN];
};

struct yr_renew {
    struct yr_renew_friend friends[YR_FRIENDS_MAX];
    bool due; /* somebody's, or we are to retire: */
    bool outdated;
    uint8_t newer[YR_CERT_LEN]; /* of our identity */
    struct yr_renew_out queue[YR_RENEWALS_OUT];
    size_t queue_count;
    uint64_t durable, ours_ms;
    yr_us look_us; /* at who still has to be told by post; YR_NEVER */
    uint64_t in, out, taken, dropped;
};

/** Errors: of the store. */
YR_MUST_USE enum yr_err yr_renew_load(struct yr_node *n, unsigned slot);
void yr_renew_forget(struct yr_node *n, unsigned slot);
void yr_renew_reset(struct yr_node *n);
/** Is this copy an old one?  Reads it.  Errors: of the store. */
YR_MUST_USE enum yr_err yr_renew_load_self(struct yr_node *n);

/** A dial goes to this address. */
void yr_renew_dialled(struct yr_node *n, unsigned slot, const struct yr_addr *addr);
/** A signal was sent to the friend. */
void yr_renew_signalled(struct yr_node *n, unsigned slot);
/** See yr_link_ops.stranger. */
void yr_renew_stranger(struct yr_node *n, unsigned slot, const struct yr_addr *addr,
                       const struct yr_clock *clock);
/** The friend knows this device: linked, or met with it. */
void yr_renew_known(struct yr_node *n, unsigned slot);
/** Packet 0x24. */
void yr_renew_recv(struct yr_node *n, const struct yr_addr *from, const uint8_t *bytes, size_t len);

/** A certificate said to be the friend's, from anywhere (an envelope, a record): taken before the
 *  next commit if it is good and newer.  from: where it came from, NULL: not known.
 *  YR_EEXIST: it is the one we know; YR_EDENIED: an older one; YR_EPROTO, YR_EVERSION, YR_EAUTH: it
 *  is no good one, or somebody else's. */
YR_MUST_USE enum yr_err yr_renew_take(struct yr_node *n, unsigned slot,
                                      const uint8_t cert[YR_CERT_LEN], const struct yr_addr *from);
/** What was taken becomes true.  After every verb that may take something. */
void yr_renew_settle(struct yr_node *n);

/** Does the friend know our device? */
bool yr_renew_is_known(const struct yr_node *n, unsigned slot);
/** The body of an envelope of kind 4 for this friend: our certificate and newest prekey.
 *  Errors: as yr_delivery_prekey. */
YR_MUST_USE enum yr_err yr_renew_envelope_body(struct yr_node *n, unsigned slot,
                                               uint8_t out[YR_RENEWAL_BODY]);
/** One came.  Taken before the next commit.  Errors: as yr_renew_take; YR_OK also for a device that
 *  is known, whose prekey is taken. */
YR_MUST_USE enum yr_err yr_renew_envelope_take(struct yr_node *n, unsigned slot,
                                               const uint8_t *body, size_t len);

/** Leave word with friends for those who are away and do not know us. */
void yr_renew_tick(struct yr_node *n);
yr_us yr_renew_deadline(const struct yr_node *n);
struct yr_counter yr_renew_counter(const struct yr_node *n, size_t i);
size_t yr_renew_poll(struct yr_node *n, struct yr_addr *to, uint8_t *buf, size_t cap);
void yr_renew_release(struct yr_node *n, uint64_t durable);

#endif
