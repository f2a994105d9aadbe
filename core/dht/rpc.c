#include "core/dht/rpc.h"

#include "core/crypto/aead.h"

static const struct {
    const char *name;
    size_t least;
} ops[] = {
#define X(NAME, op, least, request, reply) [op] = {#NAME, least},
    YR_DHT_OP_MAP(X)
#undef X
};

#define HEAD        (8 + 1)
#define CONTACT_MAX (19 + 32)
#define REPLY_GET   (HEAD + YR_DHT_TOKEN_LEN + 1 + YR_DHT_RECORD_MAX)
#define REPLY_NODES (HEAD + YR_DHT_TOKEN_LEN + 1 + 1 + YR_DHT_SHOWN * CONTACT_MAX)
#define REPLY_FWD   (HEAD + 1 + 2 + YR_DHT_INNER_MAX)
static_assert(YR_MAX(YR_MAX(REPLY_GET, REPLY_NODES), REPLY_FWD) + YR_DHT_OVERHEAD <=
                  3 * (256 + YR_DHT_OVERHEAD),
              "no reply is more than three times its request");
static_assert(HEAD + CONTACT_MAX + 2 + YR_DHT_INNER_MAX <= YR_DHT_PLAIN_MAX, "FWD fits");
static_assert(YR_MAX(REPLY_GET, REPLY_NODES) + YR_DHT_OVERHEAD <= YR_DHT_INNER_MAX,
              "what a storing node answers fits a FWD");

const char *yr_dht_op_name(uint8_t op)
{
    return op < YR_COUNT(ops) && ops[op].name != NULL ? ops[op].name : "?";
}

size_t yr_dht_least(uint8_t op)
{
    return op < YR_COUNT(ops) ? ops[op].least : 0;
}

static void rd_contact(struct yr_rd *rd, struct yr_dht_contact *out)
{
    bool flag = false;

    yr_rd_addr(rd, &out->addr, &flag);
    yr_rd_copy(rd, out->pk, sizeof out->pk);
    rd->bad |= flag;
}

static void rd_contacts(struct yr_rd *rd, struct yr_dht_msg *msg)
{
    const size_t n = yr_rd_u8(rd);

    if (n > YR_DHT_SHOWN)
        rd->bad = true;
    for (size_t i = 0; i < n && !rd->bad; i++)
        rd_contact(rd, &msg->nodes[i]);
    msg->count = n;
}

// `len u16 | bytes`, at least one and at most `max`.
static void rd_bytes(struct yr_rd *rd, struct yr_dht_msg *msg, size_t min, size_t max)
{
    msg->len = yr_rd_u16(rd);
    if (msg->len < min || msg->len > max)
        rd->bad = true;
    msg->bytes = msg->len > 0 ? yr_rd_bytes(rd, msg->len) : NULL;
}

// A record tells its own length.
static void rd_record(struct yr_rd *rd, struct yr_dht_msg *msg)
{
    struct yr_rd peek = *rd;

    yr_rd_skip(&peek, YR_DHT_RECORD_HEAD - 2);
    msg->len = (size_t)YR_DHT_RECORD_HEAD + yr_rd_u16(&peek) + 64;
    if (peek.bad || msg->len > YR_DHT_RECORD_MAX)
        rd->bad = true;
    msg->bytes = yr_rd_bytes(rd, msg->len);
}

static void rd_request(struct yr_rd *rd, struct yr_dht_msg *msg)
{
    switch ((enum yr_dht_op)msg->op) {
    case YR_DHT_PING: msg->flags = yr_rd_u8(rd); return;
    case YR_DHT_FIND:
    case YR_DHT_GET:
        msg->flags = yr_rd_u8(rd);
        msg->target = yr_rd_bytes(rd, 32);
        return;
    case YR_DHT_PUT:
        msg->token = yr_rd_bytes(rd, YR_DHT_TOKEN_LEN);
        rd_record(rd, msg);
        return;
    case YR_DHT_FWD:
        rd_contact(rd, &msg->nodes[0]);
        msg->count = 1;
        rd_bytes(rd, msg, YR_DHT_OVERHEAD, YR_DHT_INNER_MAX);
        return;
    case YR_DHT_SIGREG: msg->id = yr_rd_bytes(rd, YR_DHT_SIGNAL_LEN); return;
    case YR_DHT_SIGNAL:
        msg->id = yr_rd_bytes(rd, YR_DHT_SIGNAL_LEN);
        rd_bytes(rd, msg, 1, YR_DHT_SIGNAL_MAX);
        return;
    case YR_DHT_INNER: rd_bytes(rd, msg, YR_DHT_OVERHEAD, YR_DHT_INNER_MAX); return;
    case YR_DHT_DIAL:
        rd_contact(rd, &msg->nodes[0]);
        msg->count = 1;
        return;
    }
    rd->bad = true;
}

static void rd_reply(struct yr_rd *rd, struct yr_dht_msg *msg)
{
    bool flag = false;

    switch ((enum yr_dht_op)msg->op) {
    case YR_DHT_PING:
        yr_rd_addr(rd, &msg->addr, &flag);
        rd->bad |= flag;
        return;
    case YR_DHT_FIND: rd_contacts(rd, msg); return;
    case YR_DHT_GET:
        msg->token = yr_rd_bytes(rd, YR_DHT_TOKEN_LEN);
        switch (yr_rd_u8(rd)) {
        case 0: rd_contacts(rd, msg); return;
        case 1: rd_record(rd, msg); return;
        default: rd->bad = true; return;
        }
    case YR_DHT_FWD:
        msg->status = yr_rd_u8(rd);
        rd_bytes(rd, msg, msg->status == YR_DHT_DONE ? YR_DHT_OVERHEAD : 0,
                 msg->status == YR_DHT_DONE ? YR_DHT_INNER_MAX : 0);
        return;
    case YR_DHT_INNER: rd_bytes(rd, msg, YR_DHT_OVERHEAD, YR_DHT_INNER_MAX); return;
    case YR_DHT_PUT:
    case YR_DHT_SIGREG:
    case YR_DHT_SIGNAL:
    case YR_DHT_DIAL: msg->status = yr_rd_u8(rd); return;
    }
    rd->bad = true;
}

static bool only_zeros(struct yr_rd *rd)
{
    while (rd->at < rd->end)
        if (*rd->at++ != 0)
            return false;
    return true;
}

enum yr_err yr_dht_decode(struct yr_dht_msg *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_dht_msg msg = {.txid = yr_rd_u64(&rd)};
    const uint8_t op = yr_rd_u8(&rd);

    msg.op = op & (uint8_t) ~(YR_DHT_REPLY | YR_DHT_SERVER);
    msg.reply = (op & YR_DHT_REPLY) != 0;
    msg.server = (op & YR_DHT_SERVER) != 0;
    if (rd.bad || yr_dht_least(msg.op) == 0 || (!msg.reply && len < yr_dht_least(msg.op)))
        return YR_EPROTO;
    if (msg.reply)
        rd_reply(&rd, &msg);
    else
        rd_request(&rd, &msg);
    if (rd.bad || !only_zeros(&rd))
        return YR_EPROTO;
    *out = msg;
    return YR_OK;
}

static void wr_contact(struct yr_wr *wr, const struct yr_dht_contact *c)
{
    yr_wr_addr(wr, &c->addr, false);
    yr_wr_bytes(wr, c->pk, sizeof c->pk);
}

static void wr_contacts(struct yr_wr *wr, const struct yr_dht_msg *msg)
{
    yr_wr_u8(wr, (uint8_t)msg->count);
    for (size_t i = 0; i < msg->count; i++)
        wr_contact(wr, &msg->nodes[i]);
}

static void wr_sized(struct yr_wr *wr, const struct yr_dht_msg *msg)
{
    yr_wr_u16(wr, (uint16_t)msg->len);
    yr_wr_bytes(wr, msg->bytes, msg->len);
}

static void wr_request(struct yr_wr *wr, const struct yr_dht_msg *msg)
{
    switch ((enum yr_dht_op)msg->op) {
    case YR_DHT_PING: yr_wr_u8(wr, msg->flags); return;
    case YR_DHT_FIND:
    case YR_DHT_GET:
        yr_wr_u8(wr, msg->flags);
        yr_wr_bytes(wr, msg->target, 32);
        return;
    case YR_DHT_PUT:
        yr_wr_bytes(wr, msg->token, YR_DHT_TOKEN_LEN);
        yr_wr_bytes(wr, msg->bytes, msg->len);
        return;
    case YR_DHT_FWD:
        wr_contact(wr, &msg->nodes[0]);
        wr_sized(wr, msg);
        return;
    case YR_DHT_SIGREG: yr_wr_bytes(wr, msg->id, YR_DHT_SIGNAL_LEN); return;
    case YR_DHT_SIGNAL:
        yr_wr_bytes(wr, msg->id, YR_DHT_SIGNAL_LEN);
        wr_sized(wr, msg);
        return;
    case YR_DHT_INNER: wr_sized(wr, msg); return;
    case YR_DHT_DIAL: wr_contact(wr, &msg->nodes[0]); return;
    }
}

static void wr_reply(struct yr_wr *wr, const struct yr_dht_msg *msg)
{
    switch ((enum yr_dht_op)msg->op) {
    case YR_DHT_PING: yr_wr_addr(wr, &msg->addr, false); return;
    case YR_DHT_FIND: wr_contacts(wr, msg); return;
    case YR_DHT_GET:
        yr_wr_bytes(wr, msg->token, YR_DHT_TOKEN_LEN);
        yr_wr_u8(wr, msg->bytes != NULL);
        if (msg->bytes != NULL)
            yr_wr_bytes(wr, msg->bytes, msg->len);
        else
            wr_contacts(wr, msg);
        return;
    case YR_DHT_FWD:
        yr_wr_u8(wr, msg->status);
        wr_sized(wr, msg);
        return;
    case YR_DHT_INNER: wr_sized(wr, msg); return;
    case YR_DHT_PUT:
    case YR_DHT_SIGREG:
    case YR_DHT_SIGNAL:
    case YR_DHT_DIAL: yr_wr_u8(wr, msg->status); return;
    }
}

// Are the pointers there that the row's form needs?
static bool whole(const struct yr_dht_msg *msg)
{
    if (msg->count > YR_DHT_SHOWN || msg->len > YR_DHT_INNER_MAX ||
        (msg->len > 0 && msg->bytes == NULL))
        return false;
    switch ((enum yr_dht_op)msg->op) {
    case YR_DHT_FIND: return msg->reply || msg->target != NULL;
    case YR_DHT_GET: return msg->reply ? msg->token != NULL : msg->target != NULL;
    case YR_DHT_PUT: return msg->reply || (msg->token != NULL && msg->bytes != NULL);
    case YR_DHT_FWD: return msg->reply || (msg->count == 1 && msg->bytes != NULL);
    case YR_DHT_SIGREG: return msg->reply || msg->id != NULL;
    case YR_DHT_SIGNAL: return msg->reply || (msg->id != NULL && msg->bytes != NULL);
    case YR_DHT_INNER: return msg->bytes != NULL;
    case YR_DHT_DIAL: return msg->reply || msg->count == 1;
    case YR_DHT_PING: return true;
    }
    return false;
}

enum yr_err yr_dht_encode(const struct yr_dht_msg *msg, uint8_t *dst, size_t cap, size_t *len)
{
    struct yr_wr wr = yr_wr_init(dst, YR_MIN(cap, (size_t)YR_DHT_PLAIN_MAX));
    const size_t least = msg->reply ? 0 : yr_dht_least(msg->op);

    if (!whole(msg))
        return YR_EINVAL;
    yr_wr_u64(&wr, msg->txid);
    yr_wr_u8(&wr, (uint8_t)(msg->op | (msg->reply ? YR_DHT_REPLY : 0U) |
                            (msg->server ? YR_DHT_SERVER : 0U)));
    if (msg->reply)
        wr_reply(&wr, msg);
    else
        wr_request(&wr, msg);
    if (yr_wr_ok(&wr) && yr_wr_len(&wr) < least)
        yr_wr_zero(&wr, least - yr_wr_len(&wr));
    if (!yr_wr_ok(&wr))
        return YR_ESIZE;
    *len = yr_wr_len(&wr);
    return YR_OK;
}

void yr_dht_id(uint8_t id[32], const uint8_t pk[32])
{
    yr_hash(id, pk, 32);
}

uint64_t yr_dht_place(const uint8_t id[32])
{
    uint64_t place = 0;

    for (size_t i = 0; i < 8; i++)
        place = place << 8 | id[i];
    return place;
}

bool yr_dht_nearer(const uint8_t target[32], const uint8_t a[32], const uint8_t b[32])
{
    const uint64_t to = yr_dht_place(target), x = yr_dht_place(a), y = yr_dht_place(b);

    if (x != y)
        return (x ^ to) < (y ^ to);
    for (size_t i = 8; i < 32; i++)
        if (a[i] != b[i])
            return (a[i] ^ target[i]) < (b[i] ^ target[i]);
    return false;
}

unsigned yr_dht_common(const uint8_t a[32], const uint8_t b[32])
{
    unsigned bits = 0;

    for (size_t i = 0; i < 32; i++, bits += 8)
        for (unsigned x = a[i] ^ b[i]; x != 0; bits++, x <<= 1)
            if ((x & 0x80) != 0)
                return bits;
    return bits;
}

bool yr_dht_same(const struct yr_dht_contact *a, const struct yr_dht_contact *b)
{
    return memcmp(a->pk, b->pk, sizeof a->pk) == 0 && yr_addr_eq(&a->addr, &b->addr);
}

enum yr_err yr_dht_rpc_key(uint8_t k[32], const struct yr_keypair *own, const uint8_t peer_pk[32])
{
    uint8_t shared[32], both[64];
    const bool first = memcmp(own->public_key, peer_pk, 32) < 0;

    if (yr_dh(shared, own->secret_key, peer_pk) != YR_OK)
        return YR_EAUTH;
    memcpy(both, first ? own->public_key : peer_pk, 32);
    memcpy(both + 32, first ? peer_pk : own->public_key, 32);
    yr_kdf(k, 32, shared, YR_LABEL_DHT_RPC, both, sizeof both);
    yr_wipe(shared, sizeof shared);
    return YR_OK;
}

void yr_dht_seal(uint8_t *dst, const uint8_t k[32], const uint8_t own_pk[32],
                 const uint8_t nonce[24], const uint8_t *plain, size_t len)
{
    dst[0] = YR_DHT_TYPE;
    memcpy(dst + 1, own_pk, 32);
    memcpy(dst + YR_DHT_AD_LEN, nonce, YR_NONCE_LEN);
    yr_seal_x(dst + YR_DHT_AD_LEN + YR_NONCE_LEN, k, nonce, dst, YR_DHT_AD_LEN, plain, len);
}

bool yr_dht_form(const uint8_t *packet, size_t len)
{
    return len > YR_DHT_OVERHEAD && len <= YR_DATAGRAM_MAX && packet[0] == YR_DHT_TYPE;
}

enum yr_err yr_dht_unseal(uint8_t *plain, const uint8_t k[32], const uint8_t *packet, size_t len)
{
    const size_t head = YR_DHT_AD_LEN + YR_NONCE_LEN;

    if (!yr_dht_form(packet, len))
        return YR_EPROTO;
    return yr_unseal_x(plain, k, packet + YR_DHT_AD_LEN, packet, YR_DHT_AD_LEN, packet + head,
                       len - head);
}

static bool v4_public(const uint8_t ip[4])
{
    return ip[0] != 10 && ip[0] != 127 && !(ip[0] == 172 && ip[1] >> 4 == 1) &&
           !(ip[0] == 192 && ip[1] == 168) && !(ip[0] == 169 && ip[1] == 254) &&
           !(ip[0] == 100 && ip[1] >> 6 == 1) && !(ip[0] == 192 && ip[1] == 0 && ip[2] == 0) &&
           !(ip[0] == 198 && (ip[1] & 0xfe) == 18);
}

bool yr_dht_addr_ok(const struct yr_addr *addr, bool lax)
{
    static const uint8_t zero[16];

    if ((addr->family != 4 && addr->family != 6) || addr->port == 0 || yr_addr_multicast(addr))
        return false;
    if (addr->family == 4)
        return addr->ip[0] != 0 && addr->ip[0] < 240 && (lax || v4_public(addr->ip));
    if (memcmp(addr->ip, zero, 16) == 0)
        return false;
    return lax || addr->ip[0] >> 5 == 1; // 2000::/3 is what there is to reach
}

static uint64_t prefix(const struct yr_addr *addr, size_t v4, size_t v6)
{
    uint64_t net = addr->family;

    for (size_t i = 0; i < (addr->family == 4 ? v4 : v6); i++)
        net = net << 8 | addr->ip[i];
    return net;
}

uint64_t yr_dht_net(const struct yr_addr *addr)
{
    return prefix(addr, 3, 6);
}

uint64_t yr_dht_wide_net(const struct yr_addr *addr)
{
    return prefix(addr, 2, 4);
}

// ---- keys

#define SLAB 32

struct yr_dht_slab {
    struct yr_dht_slab *next;
    struct yr_dht_peer *free; /* linked by newer */
    size_t used;
    struct yr_dht_peer peers[SLAB];
};

static struct yr_dht_slab *slab_new(struct yr_dht_keys *keys)
{
    struct yr_dht_slab *slab = yr_alloc(keys->mem, YR_MEM_DHT, sizeof *slab);

    if (slab == NULL)
        return NULL;
    for (size_t i = SLAB; i-- > 0;) {
        slab->peers[i].newer = slab->free;
        slab->free = &slab->peers[i];
    }
    slab->next = keys->slabs;
    keys->slabs = slab;
    return slab;
}

static struct yr_dht_peer *take(struct yr_dht_keys *keys)
{
    struct yr_dht_slab *slab = keys->slabs;
    struct yr_dht_peer *p;

    while (slab != NULL && slab->free == NULL)
        slab = slab->next;
    if (slab == NULL && (slab = slab_new(keys)) == NULL)
        return NULL;
    p = slab->free;
    slab->free = p->newer;
    slab->used++;
    p->newer = NULL;
    return p;
}

// The block it lies in goes back, too, when it was the last there.
static void give_back(struct yr_dht_keys *keys, struct yr_dht_peer *p)
{
    struct yr_dht_slab **at = &keys->slabs, *slab;

    while ((uintptr_t)p < (uintptr_t)(*at)->peers || (uintptr_t)p >= (uintptr_t)(*at + 1))
        at = &(*at)->next;
    slab = *at;
    yr_wipe(p, sizeof *p);
    p->newer = slab->free;
    slab->free = p;
    if (--slab->used > 0)
        return;
    *at = slab->next;
    yr_free(keys->mem, slab);
}

void yr_dht_keys_init(struct yr_dht_keys *keys, struct yr_mem *mem, const struct yr_rng *rng,
                      const uint8_t seed[32])
{
    *keys = (struct yr_dht_keys){.mem = mem};
    yr_random(rng, keys->secret, sizeof keys->secret);
    yr_keypair_from_seed(&keys->own, seed);
    yr_map_init(&keys->map, mem, YR_MEM_DHT);
}

static uint64_t hash_of(const struct yr_dht_keys *keys, const void *bytes, size_t len)
{
    uint64_t h;

    yr_siphash((uint8_t *)&h, keys->secret, bytes, len);
    return h | 1; // 0 is no key
}

static uint64_t slot_of(const struct yr_dht_keys *keys, const uint8_t pk[32])
{
    return hash_of(keys, pk, 32);
}

static uint64_t addr_of(const struct yr_dht_keys *keys, const struct yr_addr *addr)
{
    uint8_t bytes[1 + 16 + 2] = {addr->family};

    memcpy(bytes + 1, addr->ip, addr->family == 4 ? 4 : 16);
    bytes[17] = (uint8_t)(addr->port >> 8);
    bytes[18] = (uint8_t)addr->port;
    return hash_of(keys, bytes, sizeof bytes);
}

static void unhook(struct yr_dht_keys *keys, struct yr_dht_peer *p)
{
    *(p->older != NULL ? &p->older->newer : &keys->oldest) = p->newer;
    *(p->newer != NULL ? &p->newer->older : &keys->newest) = p->older;
}

static void hook(struct yr_dht_keys *keys, struct yr_dht_peer *p)
{
    p->older = keys->newest;
    p->newer = NULL;
    p->used_us = keys->now_us;
    *(keys->newest != NULL ? &keys->newest->newer : &keys->oldest) = p;
    keys->newest = p;
}

void yr_dht_keys_drop(struct yr_dht_keys *keys, struct yr_dht_peer *p)
{
    yr_map_del(&keys->map, p->slot);
    unhook(keys, p);
    give_back(keys, p);
    keys->count--;
}

void yr_dht_keys_clear(struct yr_dht_keys *keys)
{
    while (keys->oldest != NULL)
        yr_dht_keys_drop(keys, keys->oldest);
    yr_map_clear(&keys->map);
    yr_wipe(&keys->own, sizeof keys->own);
}

void yr_dht_keys_tick(struct yr_dht_keys *keys, yr_us now)
{
    keys->now_us = now;
    while (keys->oldest != NULL && now - keys->oldest->used_us >= YR_DHT_KEYS_S * YR_S)
        yr_dht_keys_drop(keys, keys->oldest);
}

void yr_dht_keys_proven(struct yr_dht_keys *keys, struct yr_dht_peer *peer,
                        const struct yr_addr *addr, yr_us now)
{
    peer->addr = addr_of(keys, addr);
    peer->proven_us = now;
}

bool yr_dht_keys_is_proven(struct yr_dht_keys *keys, const struct yr_dht_contact *who, yr_us now)
{
    const struct yr_dht_peer *peer = yr_dht_keys_find(keys, who->pk);

    return peer != NULL && peer->proven_us > 0 && now - peer->proven_us < YR_DHT_PROVEN_S * YR_S &&
           peer->addr == addr_of(keys, &who->addr);
}

struct yr_dht_peer *yr_dht_keys_find(struct yr_dht_keys *keys, const uint8_t pk[32])
{
    struct yr_dht_peer *p = yr_map_get(&keys->map, slot_of(keys, pk));

    if (p == NULL)
        return NULL;
    if (keys->now_us - p->used_us >= YR_S) { // else it stands well enough where it is
        unhook(keys, p);
        hook(keys, p);
    }
    return p;
}

static bool crowded(const struct yr_dht_keys *keys)
{
    return keys->count >= YR_DHT_KEYS_MAX ||
           (keys->count >= YR_DHT_KEYS_KEPT && keys->now_us - keys->oldest->used_us >= 60 * YR_S);
}

struct yr_dht_peer *yr_dht_keys_make(struct yr_dht_keys *keys, const uint8_t pk[32])
{
    struct yr_dht_peer *p = yr_dht_keys_find(keys, pk);

    if (p != NULL)
        return p;
    while (crowded(keys))
        yr_dht_keys_drop(keys, keys->oldest);
    if ((p = take(keys)) == NULL)
        return NULL;
    if (yr_dht_rpc_key(p->k, &keys->own, pk) != YR_OK ||
        yr_map_put(&keys->map, slot_of(keys, pk), p) != YR_OK) {
        give_back(keys, p);
        return NULL;
    }
    p->slot = slot_of(keys, pk);
    hook(keys, p);
    keys->count++;
    return p;
}
