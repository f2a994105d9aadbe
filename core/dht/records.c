#include "core/dht/records.h"

#include "core/crypto/identity.h"

#define VERSION    1
#define LOC        "yaari/1/rv/loc"
#define SIGN_LABEL "yaari/1/rec"
#define SWEEP_US   (30 * YR_S) /* what has expired is not served; it may lie a little longer */

struct yr_dht_stored {
    uint8_t key[32];
    uint64_t source;
    yr_us expires_us;
    uint32_t seq;
    uint32_t at; /* in the list */
    size_t len;
    uint8_t bytes[];
};

struct source {
    size_t count;
};

static_assert(YR_DHT_RECORD_MAX == YR_DHT_RECORD_HEAD + YR_DHT_VALUE_MAX + 64, "limits agree");

void yr_dht_record_key(uint8_t key[32], const uint8_t pk[32])
{
    yr_hash2(key, LOC, sizeof LOC - 1, pk, 32);
}

static enum yr_err read_form(struct yr_dht_record *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_dht_record rec;
    const uint8_t ver = yr_rd_u8(&rd);

    rec.pk = yr_rd_bytes(&rd, 32);
    rec.seq = yr_rd_u32(&rd);
    rec.ttl_s = yr_rd_u16(&rd);
    rec.value_len = yr_rd_u16(&rd);
    if (rec.value_len > YR_DHT_VALUE_MAX || rec.ttl_s == 0 || rec.ttl_s > YR_DHT_RECORD_TTL_S)
        return YR_EPROTO;
    rec.value = yr_rd_bytes(&rd, rec.value_len);
    yr_rd_skip(&rd, 64);
    if (ver != VERSION || !yr_rd_done(&rd))
        return YR_EPROTO;
    *out = rec;
    return YR_OK;
}

enum yr_err yr_dht_record_open(struct yr_dht_record *out, const uint8_t *src, size_t len)
{
    struct yr_dht_record rec;

    if (read_form(&rec, src, len) != YR_OK)
        return YR_EPROTO;
    if (yr_verify(src + len - 64, rec.pk, SIGN_LABEL, src, len - 64) != YR_OK)
        return YR_EAUTH;
    *out = rec;
    return YR_OK;
}

size_t yr_dht_record_make(uint8_t out[YR_DHT_RECORD_MAX], const uint8_t pk[32],
                          const uint8_t sign_sk[64], uint32_t seq, uint16_t ttl_s,
                          const uint8_t *value, size_t value_len)
{
    struct yr_wr wr = yr_wr_init(out, YR_DHT_RECORD_MAX);
    size_t signed_len;

    YR_ASSERT(value_len <= YR_DHT_VALUE_MAX && ttl_s > 0 && ttl_s <= YR_DHT_RECORD_TTL_S);
    yr_wr_u8(&wr, VERSION);
    yr_wr_bytes(&wr, pk, 32);
    yr_wr_u32(&wr, seq);
    yr_wr_u16(&wr, ttl_s);
    yr_wr_u16(&wr, (uint16_t)value_len);
    yr_wr_bytes(&wr, value, value_len);
    signed_len = yr_wr_len(&wr);
    yr_sign(yr_wr_room(&wr, 64), sign_sk, SIGN_LABEL, out, signed_len);
    return yr_wr_len(&wr);
}

void yr_dht_records_init(struct yr_dht_records *r, struct yr_mem *mem, const struct yr_rng *rng,
                         const uint8_t own_id[32], yr_us now)
{
    *r = (struct yr_dht_records){.mem = mem, .secret_us = now, .sweep_us = now};
    memcpy(r->own_id, own_id, 32);
    yr_random(rng, r->map_key, sizeof r->map_key);
    yr_random(rng, r->secrets, sizeof r->secrets);
    yr_map_init(&r->map, mem, YR_MEM_DHT);
    yr_map_init(&r->sources, mem, YR_MEM_DHT);
}

static uint64_t hash_of(const struct yr_dht_records *r, const void *bytes, size_t len)
{
    uint64_t h;

    yr_siphash((uint8_t *)&h, r->map_key, bytes, len);
    return h | 1;
}

static void release_source(struct yr_dht_records *r, uint64_t source)
{
    struct source *s = yr_map_get(&r->sources, source);

    if (s != NULL && --s->count == 0) {
        yr_map_del(&r->sources, source);
        yr_free(r->mem, s);
    }
}

static enum yr_err claim_source(struct yr_dht_records *r, uint64_t source, size_t max)
{
    struct source *s = yr_map_get(&r->sources, source);

    if (s == NULL) {
        s = yr_alloc(r->mem, YR_MEM_DHT, sizeof *s);
        if (s == NULL || yr_map_put(&r->sources, source, s) != YR_OK) {
            yr_free(r->mem, s);
            return YR_ENOMEM;
        }
    }
    if (s->count >= max)
        return YR_EFULL;
    s->count++;
    return YR_OK;
}

static void forget(struct yr_dht_records *r, struct yr_dht_stored *rec)
{
    r->list[rec->at] = r->list[--r->count];
    r->list[rec->at]->at = rec->at;
    yr_map_del(&r->map, hash_of(r, rec->key, 32));
    release_source(r, rec->source);
    yr_free(r->mem, rec);
}

void yr_dht_records_clear(struct yr_dht_records *r)
{
    while (r->count > 0)
        forget(r, r->list[0]);
    yr_free(r->mem, r->list);
    yr_map_clear(&r->map);
    yr_map_clear(&r->sources);
    yr_wipe(r->secrets, sizeof r->secrets);
    r->list = NULL;
    r->cap = 0;
}

static void rotate(struct yr_dht_records *r, const struct yr_rng *rng, yr_us now)
{
    const yr_us age = now - r->secret_us;

    if (age < YR_DHT_TOKEN_S * YR_S)
        return;
    memcpy(r->secrets[1], r->secrets[0], 32);
    yr_random(rng, r->secrets[0], 32);
    if (age >= 2 * YR_DHT_TOKEN_S * YR_S)
        yr_random(rng, r->secrets[1], 32);
    r->secret_us = now;
}

static void token_of(const uint8_t secret[32], const struct yr_addr *ip, const uint8_t key[32],
                     uint8_t token[YR_DHT_TOKEN_LEN])
{
    uint8_t bytes[1 + 16 + 32] = {ip->family}, mac[16];

    memcpy(bytes + 1, ip->ip, ip->family == 4 ? 4 : 16);
    memcpy(bytes + 17, key, 32);
    yr_mac16(mac, secret, bytes, sizeof bytes);
    memcpy(token, mac, YR_DHT_TOKEN_LEN);
}

void yr_dht_token(struct yr_dht_records *r, const struct yr_rng *rng, const struct yr_addr *ip,
                  const uint8_t key[32], yr_us now, uint8_t token[YR_DHT_TOKEN_LEN])
{
    rotate(r, rng, now);
    token_of(r->secrets[0], ip, key, token);
}

bool yr_dht_token_ok(struct yr_dht_records *r, const struct yr_rng *rng, const struct yr_addr *ip,
                     const uint8_t key[32], yr_us now, const uint8_t token[YR_DHT_TOKEN_LEN])
{
    uint8_t good[YR_DHT_TOKEN_LEN];
    bool ok = false;

    rotate(r, rng, now);
    for (size_t i = 0; i < 2; i++) {
        token_of(r->secrets[i], ip, key, good);
        ok |= yr_equal(good, token, sizeof good);
    }
    return ok;
}

// Its bytes are those of the one with the key that was asked for, not of one with the same hash.
static struct yr_dht_stored *find(struct yr_dht_records *r, const uint8_t key[32])
{
    struct yr_dht_stored *rec = yr_map_get(&r->map, hash_of(r, key, 32));

    return rec != NULL && memcmp(rec->key, key, 32) == 0 ? rec : NULL;
}

// What a /24 or /56 brings is counted together.
static uint64_t source_of(const struct yr_dht_records *r, const struct yr_addr *from)
{
    uint8_t net[1 + 7] = {from->family};

    memcpy(net + 1, from->ip, from->family == 4 ? 3 : 7);
    return hash_of(r, net, sizeof net);
}

static struct yr_dht_stored *farthest(const struct yr_dht_records *r)
{
    struct yr_dht_stored *worst = r->list[0];

    for (size_t i = 1; i < r->count; i++)
        if (yr_dht_nearer(r->own_id, worst->key, r->list[i]->key))
            worst = r->list[i];
    return worst;
}

static enum yr_err make_room(struct yr_dht_records *r, const uint8_t key[32])
{
    struct yr_dht_stored *worst;
    size_t more = YR_MIN(YR_MAX((size_t)16, r->cap * 2), (size_t)YR_DHT_RECORDS_MAX);
    void *next;

    if (r->count == YR_DHT_RECORDS_MAX) {
        worst = farthest(r);
        if (!yr_dht_nearer(r->own_id, key, worst->key))
            return YR_EFULL;
        forget(r, worst);
    }
    if (r->count < r->cap)
        return YR_OK;
    next = yr_realloc(r->mem, YR_MEM_DHT, r->list, more * sizeof *r->list);
    if (next == NULL)
        return YR_ENOMEM;
    r->list = next;
    r->cap = more;
    return YR_OK;
}

// In the place of `old`, which may be NULL.
static enum yr_err add(struct yr_dht_records *r, uint64_t source, const uint8_t key[32],
                       const struct yr_dht_record *rec, struct yr_dht_stored *old,
                       const uint8_t *bytes, size_t len, yr_us now)
{
    const bool same = old != NULL && old->source == source; // it is counted twice for a moment
    struct yr_dht_stored *new = NULL;
    enum yr_err err = claim_source(r, source, (size_t)YR_DHT_RECORDS_EACH + same);

    if (err != YR_OK)
        return err;
    if (old == NULL && (err = make_room(r, key)) != YR_OK)
        goto out;
    err = YR_ENOMEM;
    if ((new = yr_alloc(r->mem, YR_MEM_DHT, sizeof *new + len)) == NULL)
        goto out;
    if (old == NULL)
        old = yr_map_get(&r->map, hash_of(r, key, 32)); // another key with the same hash
    if (old != NULL)
        forget(r, old);
    if (yr_map_put(&r->map, hash_of(r, key, 32), new) != YR_OK)
        goto out;
    *new = (struct yr_dht_stored){.source = source,
                                  .expires_us = now + rec->ttl_s * YR_S,
                                  .seq = rec->seq,
                                  .at = (uint32_t)r->count,
                                  .len = len};
    memcpy(new->key, key, 32);
    memcpy(new->bytes, bytes, len);
    r->list[r->count++] = new;
    return YR_OK;
out:
    yr_free(r->mem, new);
    release_source(r, source);
    return err;
}

enum yr_err yr_dht_records_put(struct yr_dht_records *r, const struct yr_addr *from,
                               const uint8_t *record, size_t len, yr_us now)
{
    struct yr_dht_stored *old;
    struct yr_dht_record rec;
    uint8_t key[32];
    enum yr_err err;

    if ((err = read_form(&rec, record, len)) != YR_OK)
        return err;
    yr_dht_record_key(key, rec.pk);
    old = find(r, key);
    if (old != NULL && old->expires_us > now) {
        if (old->len == len && memcmp(old->bytes, record, len) == 0) {
            old->expires_us = now + rec.ttl_s * YR_S; // signed as it was
            return YR_OK;
        }
        if (rec.seq <= old->seq)
            return YR_EEXIST;
    }
    if ((err = yr_dht_record_open(&rec, record, len)) != YR_OK)
        return err;
    return add(r, source_of(r, from), key, &rec, old, record, len, now);
}

const uint8_t *yr_dht_records_get(struct yr_dht_records *r, const uint8_t key[32], yr_us now,
                                  size_t *len)
{
    const struct yr_dht_stored *rec = find(r, key);

    if (rec == NULL || rec->expires_us <= now)
        return NULL;
    *len = rec->len;
    return rec->bytes;
}

void yr_dht_records_tick(struct yr_dht_records *r, yr_us now)
{
    if (now < r->sweep_us)
        return;
    r->sweep_us = now + SWEEP_US;
    for (size_t i = r->count; i-- > 0;)
        if (r->list[i]->expires_us <= now)
            forget(r, r->list[i]);
}
