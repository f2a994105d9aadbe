/* core/dht/records.h: what we store for others.  docs/protocol.md "DHT".
 *
 *     record = ver 1 | pk 32 | seq u32 | ttl u16 s | vlen u16 | v <= 512 | sig 64
 *     key = H("yaari/1/rv/loc" || pk)
 *
 * A record is signed by the key it lies under: we need not know whose it is, and nobody can put
 * another in its place.  A write needs a token, which only who is at its address has seen. */
#ifndef YR_DHT_RECORDS_H
#define YR_DHT_RECORDS_H

#include "core/dht/rpc.h"

struct yr_dht_record {
    const uint8_t *pk; /* 32 */
    uint32_t seq;
    uint16_t ttl_s;
    const uint8_t *value;
    size_t value_len;
};

/** The place of what `pk` signs. */
void yr_dht_record_key(uint8_t key[32], const uint8_t pk[32]);
/** Total: form and signature.  Pointers lent from `src`.  Errors: YR_EPROTO; YR_EAUTH. */
YR_MUST_USE enum yr_err yr_dht_record_open(struct yr_dht_record *out, const uint8_t *src,
                                           size_t len);
/** Returns the length.  value_len <= YR_DHT_VALUE_MAX, ttl_s <= YR_DHT_RECORD_TTL_S. */
size_t yr_dht_record_make(uint8_t out[YR_DHT_RECORD_MAX], const uint8_t pk[32],
                          const uint8_t sign_sk[64], uint32_t seq, uint16_t ttl_s,
                          const uint8_t *value, size_t value_len);

struct yr_dht_stored;

struct yr_dht_records {
    struct yr_mem *mem;
    uint8_t own_id[32], map_key[16];
    uint8_t secrets[2][32]; /* of tokens: present and previous */
    yr_us secret_us;        /* when the present one was made */
    struct yr_map map, sources;
    struct yr_dht_stored **list; /* in no order */
    size_t count, cap;
    yr_us sweep_us; /* nothing expires before */
};

void yr_dht_records_init(struct yr_dht_records *r, struct yr_mem *mem, const struct yr_rng *rng,
                         const uint8_t own_id[32], yr_us now);
void yr_dht_records_clear(struct yr_dht_records *r);

/** The token with which who is at `ip` may write under `key`, for 5 to 10 minutes. */
void yr_dht_token(struct yr_dht_records *r, const struct yr_rng *rng, const struct yr_addr *ip,
                  const uint8_t key[32], yr_us now, uint8_t token[YR_DHT_TOKEN_LEN]);
bool yr_dht_token_ok(struct yr_dht_records *r, const struct yr_rng *rng, const struct yr_addr *ip,
                     const uint8_t key[32], yr_us now, const uint8_t token[YR_DHT_TOKEN_LEN]);

/** Store for `from`, whose token was good.  The same sequence number with the same bytes makes the
 *  record live longer.  Errors: YR_EPROTO, YR_EAUTH as open; YR_EEXIST: a newer one is here, or
 *  another with this number; YR_EFULL: this source has its share, or all that is here is nearer to
 *  us; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_dht_records_put(struct yr_dht_records *r, const struct yr_addr *from,
                                           const uint8_t *record, size_t len, yr_us now);
/** The bytes of the record under `key`, lent until the next put or tick; NULL. */
const uint8_t *yr_dht_records_get(struct yr_dht_records *r, const uint8_t key[32], yr_us now,
                                  size_t *len);
/** Forget what has expired. */
void yr_dht_records_tick(struct yr_dht_records *r, yr_us now);

#endif
