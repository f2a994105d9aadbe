/* core/dht/rpc.h: the sealed datagrams of the DHT.  docs/protocol.md "DHT".
 *
 *     0x10 | sender_pk 32 | nonce 24 | AEAD_X(k; txid 8 | op u8 | body | zeros)
 *     k = KDF(DH(node keys), "dht/rpc", both public keys, the smaller first)
 *
 * A node key is an X25519 key that has nothing to do with an identity; a node's id is the hash of
 * its public half.  The first 33 bytes are authenticated too: k is the same both ways, and without
 * them a datagram could be sent back to its sender under the other's name.  A reply has the txid of
 * its request and bit 7 of op set; bit 6 says that the sender is a server. */
#ifndef YR_DHT_RPC_H
#define YR_DHT_RPC_H

#include "core/base/bytes.h"
#include "core/base/map.h"
#include "core/crypto/noise.h"
#include "core/limits.h"

#define YR_DHT_TYPE       0x10
#define YR_DHT_AD_LEN     (1 + 32)
#define YR_DHT_OVERHEAD   (YR_DHT_AD_LEN + YR_NONCE_LEN + YR_TAG_LEN)
#define YR_DHT_PLAIN_MAX  (YR_DATAGRAM_MAX - YR_DHT_OVERHEAD)
#define YR_DHT_TOKEN_LEN  8
#define YR_DHT_SIGNAL_LEN 16 /* a signal id */

/*    X(NAME, op, smallest request, body of a request, body of its reply)
 *
 * A request is padded to its smallest size, which makes three of it more than any reply to it: who
 * writes another's address as its own gets nothing out of us that it could not send itself.  PING
 * has no such reply and most of the idle traffic. */
#define YR_DHT_OP_MAP(X)                                                                  \
    X(PING, 1, 10, "flags u8 (bit 0: let another node dial me)", "address seen")          \
    X(FIND, 2, 256, "families u8 | target 32", "n u8 | n x node")                         \
    X(GET, 3, 256, "families u8 | key 32",                                                \
      "token 8 | 0 | n u8 | n x node, or token 8 | 1 | record")                           \
    X(PUT, 4, 256, "token 8 | record", "status u8")                                       \
    X(FWD, 5, 256, "node | len u16 | inner request", "status u8 | len u16 | inner reply") \
    X(SIGREG, 6, 256, "signal id 16", "status u8")                                        \
    X(SIGNAL, 7, 256, "signal id 16 | len u16 | bytes", "status u8")                      \
    X(INNER, 8, 256, "len u16 | inner request", "len u16 | inner reply")                  \
    X(DIAL, 9, 256, "node: ping it", "status u8")

enum yr_dht_op {
#define X(NAME, op, least, request, reply) YR_DHT_##NAME = op,
    YR_DHT_OP_MAP(X)
#undef X
};
#define YR_DHT_REPLY  0x80U
#define YR_DHT_SERVER 0x40U

#define YR_DHT_PING_DIAL 1U /* flag of a PING */
#define YR_DHT_V4        1U /* families */
#define YR_DHT_V6        2U

enum yr_dht_status {
    YR_DHT_DONE = 0,
    YR_DHT_REFUSED = 1, /* never: bad token, signature, quota, no such registration */
    YR_DHT_OLD = 2,     /* PUT: a newer record is here */
    YR_DHT_SILENT = 3   /* FWD: the node did not answer */
};

/** Somebody in the DHT: `kind u8 | ip | port u16 | pk 32`, 39 or 51 bytes. */
struct yr_dht_contact {
    struct yr_addr addr;
    uint8_t pk[32];
};

/** Where a signal to somebody is left: a node, and the id under which he listens there. */
struct yr_dht_ear {
    struct yr_dht_contact node;
    uint8_t id[YR_DHT_SIGNAL_LEN];
};

/** One decoded message; pointers are lent from the plaintext.  Which fields count is in the row of
 *  its op; the others are zero. */
struct yr_dht_msg {
    uint64_t txid;
    uint8_t op; /* enum yr_dht_op */
    bool reply, server;
    uint8_t flags;                             /* PING; FIND and GET: families */
    uint8_t status;                            /* replies of PUT FWD SIGREG SIGNAL DIAL */
    const uint8_t *target;                     /* FIND, GET: 32 bytes */
    const uint8_t *token;                      /* PUT, GET reply: 8 bytes */
    const uint8_t *id;                         /* SIGREG, SIGNAL: 16 bytes */
    struct yr_dht_contact nodes[YR_DHT_SHOWN]; /* FIND and GET replies; FWD, DIAL: one */
    size_t count;
    struct yr_addr addr;  /* PING reply */
    const uint8_t *bytes; /* PUT, GET reply: record or NULL; FWD, INNER: inner; SIGNAL: bytes */
    size_t len;
};

/** "FIND"; "?" for an unknown op. */
const char *yr_dht_op_name(uint8_t op);
/** How long a request of this op is at least, 0 for an unknown one. */
size_t yr_dht_least(uint8_t op);

/** Total: any bytes end in YR_OK with all of *out written or in YR_EPROTO with none of it: unknown
 *  op, not its form, a request below its smallest size, anything but zeros behind the body. */
YR_MUST_USE enum yr_err yr_dht_decode(struct yr_dht_msg *out, const uint8_t *src, size_t len);
/** Padded as its row says.  Errors: YR_ESIZE; YR_EINVAL: unknown op, a field missing or too long.
 */
YR_MUST_USE enum yr_err yr_dht_encode(const struct yr_dht_msg *msg, uint8_t *dst, size_t cap,
                                      size_t *len);

/** id = H(pk). */
void yr_dht_id(uint8_t id[32], const uint8_t pk[32]);
/** Is a nearer to target than b?  XOR, as big-endian numbers. */
bool yr_dht_nearer(const uint8_t target[32], const uint8_t a[32], const uint8_t b[32]);
/** How many leading bits a and b share: 0..256. */
unsigned yr_dht_common(const uint8_t a[32], const uint8_t b[32]);
/** The first 64 bits of an id, as a number. */
uint64_t yr_dht_place(const uint8_t id[32]);
bool yr_dht_same(const struct yr_dht_contact *a, const struct yr_dht_contact *b);

/** The key of two nodes.  Errors: YR_EAUTH: no public key. */
YR_MUST_USE enum yr_err yr_dht_rpc_key(uint8_t k[32], const struct yr_keypair *own,
                                       const uint8_t peer_pk[32]);
/** A datagram of len + YR_DHT_OVERHEAD bytes.  nonce: 24 random bytes. */
void yr_dht_seal(uint8_t *dst, const uint8_t k[32], const uint8_t own_pk[32],
                 const uint8_t nonce[24], const uint8_t *plain, size_t len);
/** The plaintext of a datagram from `peer_pk` = its bytes 1..32; len - YR_DHT_OVERHEAD bytes.
 *  Errors: YR_EPROTO: not that form; YR_EAUTH. */
YR_MUST_USE enum yr_err yr_dht_unseal(uint8_t *plain, const uint8_t k[32], const uint8_t *packet,
                                      size_t len);
/** Has it the form of a datagram of the DHT: first byte and length? */
bool yr_dht_form(const uint8_t *packet, size_t len);

/** The public addresses of the world.  `lax` (islands, tests): also private and loopback ones. */
bool yr_dht_addr_ok(const struct yr_addr *addr, bool lax);
/** What one network owns: the /24 of an IPv4 address, the /48 of an IPv6 one; 0 is no value. */
uint64_t yr_dht_net(const struct yr_addr *addr);
/** What one provider has at least: the /16, the /32. */
uint64_t yr_dht_wide_net(const struct yr_addr *addr);

/* ---- keys we share with others, the last used ones kept ---- */

struct yr_dht_peer {
    uint8_t k[32];
    uint64_t slot;   /* a hash of its public key under our secret: stands for it */
    uint64_t addr;   /* likewise of the address it answered from last ... */
    yr_us proven_us; /* ... which was then; 0: never */
    yr_us used_us;
    struct yr_dht_peer *older, *newer;
};

struct yr_dht_slab;

struct yr_dht_keys {
    struct yr_mem *mem;
    struct yr_keypair own;
    uint8_t secret[16]; /* of the map */
    struct yr_map map;
    struct yr_dht_peer *oldest, *newest;
    struct yr_dht_slab *slabs; /* where they lie, many to a block: half as large as each alone */
    size_t count;
    yr_us now_us; /* of the last tick or request */
};

/** seed: 32 secret bytes of the node key, borrowed. */
void yr_dht_keys_init(struct yr_dht_keys *keys, struct yr_mem *mem, const struct yr_rng *rng,
                      const uint8_t seed[32]);
void yr_dht_keys_clear(struct yr_dht_keys *keys);
/** NULL when not kept; lent until the next yr_dht_keys_make. */
struct yr_dht_peer *yr_dht_keys_find(struct yr_dht_keys *keys, const uint8_t pk[32]);
/** Find or derive: 40 us.  The one used longest ago makes room; beyond YR_DHT_KEYS_KEPT it also
 * does when it has not been used for a minute.  NULL: no public key, or no memory; the one at *peer
 * is lent as above. */
struct yr_dht_peer *yr_dht_keys_make(struct yr_dht_keys *keys, const uint8_t pk[32]);
/** It has answered from there. */
void yr_dht_keys_proven(struct yr_dht_keys *keys, struct yr_dht_peer *peer,
                        const struct yr_addr *addr, yr_us now);
/** Has who has this key answered from there within YR_DHT_PROVEN_S? */
bool yr_dht_keys_is_proven(struct yr_dht_keys *keys, const struct yr_dht_contact *who, yr_us now);
/** Forget those not used for YR_DHT_KEYS_S. */
void yr_dht_keys_tick(struct yr_dht_keys *keys, yr_us now);
/** Forget it, as if it had never been made: what came under it was forged. */
void yr_dht_keys_drop(struct yr_dht_keys *keys, struct yr_dht_peer *peer);

#endif
