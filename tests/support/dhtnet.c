#include "tests/support/dhtnet.h"

#include <malloc.h>
#include <stdio.h>

#include "core/crypto/aead.h"
#include "core/crypto/identity.h"

#define EARS      256 /* of a deaf node */
#define EAR_US    (60 * YR_S)
#define QUEUE_US  (500 * YR_MS) /* what waits longer to be sent is dropped */
#define NOBODY    UINT32_MAX
#define PORT      7000
#define FIRST_NET 20 /* 20.0.0.0 and up */

enum stream { STREAM_KEY, STREAM_RTT, STREAM_JITTER, STREAM_LOSS, STREAM_PARTED, STREAM_SESSION };

struct dhtnet_event {
    yr_us at_us;
    uint64_t seq;
    uint32_t node, from;
    struct flight *flight; /* NULL: an alarm */
};

struct flight {
    size_t len;
    uint8_t bytes[];
};

struct dhtnet_ear {
    uint32_t who;
    yr_us at_us;
};

struct dhtnet_liar {
    uint8_t id[32];
    struct yr_dht_contact contact;
};

static void *must(void *ptr)
{
    if (ptr == NULL) {
        fprintf(stderr, "dhtnet: no memory\n");
        abort();
    }
    return ptr;
}

// ---- draws

static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t dhtnet_draw(const struct dhtnet *net, uint64_t stream, uint64_t entity, uint64_t n)
{
    return mix(mix(mix(net->opts.seed ^ stream << 56) ^ entity) ^ n);
}

static void fill(void *ctx, void *out, size_t len)
{
    struct dhtnet_node *node = ctx;
    uint8_t *at = out;

    for (size_t n; len > 0; at += n, len -= n) {
        const uint64_t word = dhtnet_draw(node->net, STREAM_KEY, node->index, node->draws++);

        n = YR_MIN(len, sizeof word);
        memcpy(at, &word, n);
    }
}

// Thousandths of the median at 64 equal steps of the lognormal distribution with sigma 0.5.
static const uint16_t rtt_steps[64] = {
    299,  370,  414,  449,  479,  505,  529,  552,  573,  594,  613,  632,  651,  669,  687,  705,
    722,  740,  757,  775,  792,  809,  827,  844,  862,  879,  897,  915,  934,  952,  971,  990,
    1010, 1030, 1050, 1071, 1093, 1115, 1137, 1161, 1185, 1210, 1236, 1263, 1291, 1321, 1352, 1384,
    1419, 1455, 1494, 1536, 1581, 1631, 1685, 1745, 1812, 1890, 1980, 2089, 2227, 2413, 2701, 3349};

// Thousandths of the median at 128 equal steps of the Weibull distribution of shape 0.5.
static const uint16_t session_steps[128] = {
    0,     0,     1,     2,     3,     4,     6,     8,     10,    12,    15,    18,    22,
    26,    30,    35,    40,    45,    51,    57,    63,    70,    78,    86,    94,    103,
    112,   122,   132,   143,   154,   166,   179,   192,   205,   220,   235,   250,   266,
    283,   301,   320,   339,   359,   380,   402,   424,   448,   472,   498,   524,   551,
    580,   610,   641,   673,   706,   740,   776,   814,   852,   892,   934,   978,   1023,
    1070,  1118,  1169,  1221,  1276,  1333,  1392,  1453,  1517,  1584,  1653,  1725,  1800,
    1879,  1960,  2045,  2134,  2227,  2323,  2424,  2530,  2640,  2756,  2877,  3004,  3137,
    3277,  3423,  3578,  3740,  3911,  4091,  4282,  4483,  4696,  4922,  5162,  5418,  5690,
    5980,  6291,  6624,  6983,  7369,  7787,  8241,  8736,  9277,  9872,  10531, 11264, 12086,
    13015, 14078, 15308, 16754, 18486, 20617, 23330, 26964, 32241, 41153, 64000};

static uint64_t pair_of(uint32_t a, uint32_t b)
{
    return (uint64_t)YR_MIN(a, b) << 32 | YR_MAX(a, b);
}

yr_us dhtnet_rtt(const struct dhtnet *net, uint32_t a, uint32_t b)
{
    const uint32_t median_ms = net->opts.rtt_ms != 0 ? net->opts.rtt_ms : 100;

    if (net->opts.first_rtt_ms != 0 && (a == 0 || b == 0))
        return net->opts.first_rtt_ms * YR_MS;
    return rtt_steps[dhtnet_draw(net, STREAM_RTT, pair_of(a, b), 0) % 64] * (yr_us)median_ms;
}

yr_us dhtnet_session(const struct dhtnet *net, uint32_t node, uint64_t n, yr_us median_us)
{
    const uint64_t draw = dhtnet_draw(net, STREAM_SESSION, node, n);

    return median_us / 1000 * session_steps[draw % 128] + YR_S + draw % (20 * YR_S);
}

static bool parted(const struct dhtnet *net, uint32_t a, uint32_t b)
{
    return net->opts.parted > 0 && a != 0 && b != 0 &&
           dhtnet_draw(net, STREAM_PARTED, pair_of(a, b), 0) % 1000 < net->opts.parted;
}

// ---- memory

static void *node_realloc(void *ctx, void *ptr, size_t size)
{
    struct dhtnet_node *node = ctx;
    const size_t old = ptr != NULL ? malloc_usable_size(ptr) + sizeof(size_t) : 0;
    void *next;

    if (size == 0) {
        free(ptr);
        node->net->memory -= old;
        return NULL;
    }
    next = must(realloc(ptr, size));
    node->net->memory += malloc_usable_size(next) + sizeof(size_t) - old;
    return next;
}

// ---- events

static bool before(const struct dhtnet_event *a, const struct dhtnet_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

// A heap of four children a node: half as deep as one of two.
static void push(struct dhtnet *net, struct dhtnet_event e)
{
    size_t i = net->heap_count++;

    if (i == net->heap_cap) {
        net->heap_cap = YR_MAX((size_t)1024, 2 * net->heap_cap);
        net->heap = must(realloc(net->heap, net->heap_cap * sizeof *net->heap));
    }
    net->heap_most = YR_MAX(net->heap_most, net->heap_count);
    e.seq = net->seq++;
    for (; i > 0 && before(&e, &net->heap[(i - 1) / 4]); i = (i - 1) / 4)
        net->heap[i] = net->heap[(i - 1) / 4];
    net->heap[i] = e;
}

static struct dhtnet_event pop(struct dhtnet *net)
{
    const struct dhtnet_event top = net->heap[0], last = net->heap[--net->heap_count];
    size_t i = 0;

    for (;;) {
        const size_t first = 4 * i + 1, end = YR_MIN(first + 4, net->heap_count);
        size_t least = first;

        if (first >= net->heap_count)
            break;
        for (size_t c = first + 1; c < end; c++)
            if (before(&net->heap[c], &net->heap[least]))
                least = c;
        if (!before(&net->heap[least], &last))
            break;
        net->heap[i] = net->heap[least];
        i = least;
    }
    net->heap[i] = last;
    return top;
}

static void trace(struct dhtnet *net, uint32_t from, uint32_t to, const uint8_t *bytes, size_t len)
{
    uint64_t h = net->hash ^ (net->now_us * 0x9e3779b97f4a7c15u) ^ ((uint64_t)from << 32 | to), w;

    for (size_t i = 0; i + 8 <= len; i += 8) {
        memcpy(&w, bytes + i, 8);
        h = (h ^ w) * 0x100000001b3u;
        h ^= h >> 29;
    }
    net->hash = mix(h ^ len);
}

// ---- packets

static struct yr_addr address(uint32_t index)
{
    struct yr_addr addr = {.family = 4, .port = PORT};

    addr.ip[0] = (uint8_t)(FIRST_NET + (index >> 16)); // neighbours are in networks far apart
    addr.ip[1] = (uint8_t)index;
    addr.ip[2] = (uint8_t)(index >> 8);
    addr.ip[3] = 1;
    return addr;
}

uint32_t dhtnet_at(const struct dhtnet *net, const struct yr_addr *addr)
{
    const uint32_t i =
        (uint32_t)(addr->ip[0] - FIRST_NET) << 16 | (uint32_t)addr->ip[2] << 8 | addr->ip[1];

    if (addr->family == 4 && addr->ip[0] >= FIRST_NET && i < net->count &&
        yr_addr_eq(&net->nodes[i].addr, addr))
        return i;
    for (uint32_t j = 0; addr->ip[3] != 1 && j < net->count; j++) // one that is elsewhere
        if (yr_addr_eq(&net->nodes[j].addr, addr))
            return j;
    return NOBODY;
}

struct yr_dht_contact dhtnet_contact(const struct dhtnet *net, uint32_t node)
{
    struct yr_dht_contact c = {.addr = net->nodes[node].addr};

    memcpy(c.pk, yr_dht_pk(net->nodes[node].dht), 32);
    return c;
}

struct yr_now dhtnet_now(const struct dhtnet *net, const struct dhtnet_node *node)
{
    return (struct yr_now){.mono_us = net->now_us,
                           .wall_ms = 1800000000000 + (yr_ms)(net->now_us / 1000) +
                                      (node != NULL ? node->wall_off_ms : 0)};
}

static struct dhtnet_ear *ear(struct dhtnet_node *node, uint32_t who)
{
    return &node->heard[who % EARS];
}

static void sends_to(struct dhtnet_node *node, uint32_t who)
{
    if (!node->deaf)
        return;
    if (node->heard == NULL)
        node->heard = must(calloc(EARS, sizeof *node->heard));
    *ear(node, who) = (struct dhtnet_ear){who, node->net->now_us};
}

static bool hears(struct dhtnet_node *node, uint32_t who)
{
    return !node->deaf || (node->heard != NULL && ear(node, who)->who == who &&
                           node->net->now_us - ear(node, who)->at_us < EAR_US);
}

// When a node that can send only so much a second is done with this one; YR_NEVER: dropped.
static yr_us leaves_at(struct dhtnet_node *node, size_t len)
{
    const yr_us now = node->net->now_us;

    if (node->rate == 0)
        return now;
    node->busy_us = YR_MAX(node->busy_us, now) + (len + 28) * YR_S / node->rate;
    if (node->busy_us - now <= QUEUE_US)
        return node->busy_us;
    node->busy_us -= (len + 28) * YR_S / node->rate;
    return YR_NEVER;
}

static void send_one(struct dhtnet *net, struct dhtnet_node *node, const struct yr_addr *to,
                     const uint8_t *bytes, size_t len)
{
    const uint32_t dst = dhtnet_at(net, to);
    const uint64_t n = net->packets++;
    const yr_us leaves = leaves_at(node, len);
    struct flight *f;
    yr_us rtt;

    trace(net, node->index, dst, bytes, len);
    if (net->tap != NULL)
        net->tap(net->ctx, node->index, dst, bytes, len);
    node->out_bytes += len + 28;
    node->out_packets++;
    if (dst == NOBODY)
        return;
    sends_to(node, dst);
    if (leaves == YR_NEVER || net->nodes[dst].dht == NULL || net->nodes[dst].side != node->side ||
        parted(net, node->index, dst) ||
        (net->opts.loss > 0 &&
         dhtnet_draw(net, STREAM_LOSS, node->index, n) % 1000 < net->opts.loss)) {
        net->lost++;
        return;
    }
    f = must(malloc(sizeof *f + len));
    f->len = len;
    memcpy(f->bytes, bytes, len);
    rtt = dhtnet_rtt(net, node->index, dst) / 2;
    rtt += rtt * (dhtnet_draw(net, STREAM_JITTER, node->index, n) % 64) / 1024; // 0 to 6 %
    push(net, (struct dhtnet_event){
                  .at_us = leaves + rtt, .node = dst, .from = node->index, .flight = f});
}

// Does a tick before its deadline do nothing at all?  While it joins or searches it may do
// something.
static bool settled(const struct yr_dht *dht)
{
    return dht->joined && dht->search_count == 0 && yr_dht_known(dht) > 0;
}

static void alarm_at(struct dhtnet *net, struct dhtnet_node *node, yr_us at_us)
{
    if (node->alarm_us > net->now_us && node->alarm_us <= at_us)
        return;
    node->alarm_us = at_us;
    push(net, (struct dhtnet_event){.at_us = at_us, .node = node->index});
}

void dhtnet_drain(struct dhtnet *net, uint32_t index)
{
    struct dhtnet_node *node = &net->nodes[index];
    uint8_t buf[YR_DATAGRAM_MAX];
    struct yr_addr to;
    yr_us next;

    if (node->dht == NULL)
        return;
    for (size_t len; (len = yr_dht_poll(node->dht, &to, buf, sizeof buf)) > 0;)
        if (node->up)
            send_one(net, node, &to, buf, len);
    next = yr_dht_deadline(node->dht);
    node->due_us = settled(node->dht) ? next : 0;
    if (next == YR_NEVER || !node->up)
        return;
    alarm_at(net, node, YR_MAX(next, net->now_us + 1));
}

// ---- liars

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct dhtnet_liar *)a)->id, ((const struct dhtnet_liar *)b)->id, 32);
}

void dhtnet_liars(struct dhtnet *net)
{
    net->liar_count = 0;
    for (uint32_t i = 0; i < net->count; i++)
        net->liar_count += net->nodes[i].kind != DHTNET_HONEST && net->nodes[i].dht != NULL;
    net->liars = must(realloc(net->liars, (net->liar_count + 1) * sizeof *net->liars));
    net->liar_count = 0;
    for (uint32_t i = 0; i < net->count; i++)
        if (net->nodes[i].kind != DHTNET_HONEST && net->nodes[i].dht != NULL) {
            struct dhtnet_liar *l = &net->liars[net->liar_count++];

            l->contact = dhtnet_contact(net, i);
            yr_dht_id(l->id, l->contact.pk);
        }
    qsort(net->liars, net->liar_count, sizeof *net->liars, by_id);
}

// How many liars share the first `bits` bits with target, and where they begin.
static size_t sharing(const struct dhtnet *net, const uint8_t target[32], unsigned bits, size_t *at)
{
    size_t low = 0, high = net->liar_count, end;

    while (low < high) {
        const size_t mid = (low + high) / 2;

        if (yr_dht_common(net->liars[mid].id, target) < bits &&
            memcmp(net->liars[mid].id, target, 32) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (end = low; end < net->liar_count && end - low < 64 &&
                    yr_dht_common(net->liars[end].id, target) >= bits;)
        end++;
    *at = low;
    return end - low;
}

// The liars nearest to the target.
static size_t nearest_liars(const struct dhtnet *net, const uint8_t target[32],
                            const struct yr_addr *except, struct yr_dht_contact *out, size_t max)
{
    const struct dhtnet_liar *best[YR_DHT_SHOWN + 1];
    unsigned bits = 0;
    size_t at, n = 0, have;

    while (bits < 32 && sharing(net, target, bits + 1, &at) >= max + 1)
        bits++;
    have = sharing(net, target, bits, &at);
    for (size_t i = at; i < at + have; i++) {
        size_t place = n;

        if (yr_addr_eq(&net->liars[i].contact.addr, except))
            continue;
        while (place > 0 && yr_dht_nearer(target, net->liars[i].id, best[place - 1]->id))
            place--;
        if (place >= max)
            continue;
        n += n < max;
        memmove(&best[place + 1], &best[place], (n - place - 1) * sizeof *best);
        best[place] = &net->liars[i];
    }
    for (size_t i = 0; i < n; i++)
        out[i] = best[i]->contact;
    return n;
}

static void saw(struct dhtnet *net, struct dhtnet_sight sight)
{
    if (!net->pooling)
        return;
    if (net->sight_count == net->sight_cap) {
        net->sight_cap = YR_MAX((size_t)256, 2 * net->sight_cap);
        net->sights = must(realloc(net->sights, net->sight_cap * sizeof *net->sights));
    }
    sight.at_us = net->now_us;
    net->sights[net->sight_count++] = sight;
}

static void lie_about(struct dhtnet *net, struct dhtnet_node *node, const struct yr_addr *asker,
                      const struct yr_dht_msg *msg, const uint8_t inner[16],
                      struct yr_dht_msg *reply, uint8_t key[32])
{
    static const uint8_t token[YR_DHT_TOKEN_LEN] = {7};
    struct dhtnet_sight sight = {.who = *asker};

    memcpy(sight.inner, inner, 16);
    reply->op = msg->op;
    reply->txid = msg->txid;
    reply->reply = reply->server = true;
    if (msg->op == YR_DHT_PUT) {
        yr_dht_record_key(key, msg->bytes + 1);
        reply->status = YR_DHT_DONE;
    } else {
        memcpy(key, msg->target, 32);
        reply->token = token;
        reply->count = nearest_liars(net, msg->target, &node->addr, reply->nodes, YR_DHT_SHOWN);
    }
    sight.what = msg->op == YR_DHT_PUT   ? DHTNET_SAW_PUT
                 : msg->op == YR_DHT_GET ? DHTNET_SAW_GET
                                         : DHTNET_SAW_FIND;
    memcpy(sight.key, key, 32);
    saw(net, sight);
}

static void lie_inside(struct dhtnet *net, struct dhtnet_node *node,
                       const struct yr_dht_contact *from, const struct yr_dht_msg *msg)
{
    uint8_t k[32], plain[YR_DHT_INNER_MAX], out[YR_DHT_INNER_MAX], nonce[YR_NONCE_LEN] = {1};
    uint8_t key[32], hash[32];
    struct yr_dht_msg inner, reply = {0};
    struct yr_dht_msg outer = {
        .op = YR_DHT_INNER, .txid = msg->txid, .reply = true, .server = true, .bytes = out};
    size_t len;

    if (!yr_dht_form(msg->bytes, msg->len) ||
        yr_dht_rpc_key(k, &node->dht->keys.own, msg->bytes + 1) != YR_OK ||
        yr_dht_unseal(plain, k, msg->bytes, msg->len) != YR_OK ||
        yr_dht_decode(&inner, plain, msg->len - YR_DHT_OVERHEAD) != YR_OK || inner.reply)
        return;
    if (net->opened != NULL)
        net->opened(net->ctx, node->index, plain, msg->len - YR_DHT_OVERHEAD);
    yr_hash(hash, msg->bytes, msg->len);
    lie_about(net, node, &from->addr, &inner, hash, &reply, key);
    if (net->pooling)
        return;
    if (yr_dht_encode(&reply, plain, sizeof plain - YR_DHT_OVERHEAD, &len) != YR_OK)
        return;
    yr_random(&node->rng, nonce, sizeof nonce);
    yr_dht_seal(out, k, node->dht->keys.own.public_key, nonce, plain, len);
    outer.len = len + YR_DHT_OVERHEAD;
    (void)yr_dht_send(node->dht, from, &outer);
}

// True: answered, and not as an honest node would.
static bool lie(struct dhtnet *net, struct dhtnet_node *node, const struct yr_addr *from,
                const uint8_t *bytes, size_t len)
{
    struct yr_dht_contact who = {.addr = *from};
    struct yr_dht_msg msg, reply = {0};
    uint8_t plain[YR_DHT_PLAIN_MAX], key[32], none[16] = {0}, hash[32];
    struct yr_dht_peer *peer;

    if (!yr_dht_form(bytes, len))
        return false;
    memcpy(who.pk, bytes + 1, 32);
    peer = yr_dht_keys_make(&node->dht->keys, who.pk);
    if (peer == NULL || yr_dht_unseal(plain, peer->k, bytes, len) != YR_OK ||
        yr_dht_decode(&msg, plain, len - YR_DHT_OVERHEAD) != YR_OK || msg.reply)
        return false;
    if (net->opened != NULL)
        net->opened(net->ctx, node->index, plain, len - YR_DHT_OVERHEAD);
    switch ((enum yr_dht_op)msg.op) {
    case YR_DHT_FIND:
    case YR_DHT_GET:
    case YR_DHT_PUT: lie_about(net, node, from, &msg, none, &reply, key); break;
    case YR_DHT_INNER:
        lie_inside(net, node, &who, &msg);
        return !net->pooling; // who wants to learn something plays along

    case YR_DHT_FWD: {
        struct dhtnet_sight sight = {.what = DHTNET_SAW_FWD, .who = *from, .to = msg.nodes[0].addr};

        yr_hash(hash, msg.bytes, msg.len);
        memcpy(sight.inner, hash, 16);
        saw(net, sight);
        if (net->pooling)
            return false;
        if (node->kind == DHTNET_SILENTER)
            return true;
        reply = (struct yr_dht_msg){.op = YR_DHT_FWD,
                                    .txid = msg.txid,
                                    .reply = true,
                                    .server = true,
                                    .status = YR_DHT_SILENT};
        break;
    }
    case YR_DHT_PING:
    case YR_DHT_SIGREG:
    case YR_DHT_SIGNAL:
    case YR_DHT_DIAL: return false;
    }
    if (net->pooling)
        return false;
    (void)yr_dht_send(node->dht, &who, &reply);
    return true;
}

// ---- nodes

static struct dhtnet_job **job_of(struct dhtnet_node *node, uint64_t search)
{
    struct dhtnet_job **at = &node->jobs;

    while (*at != NULL && (*at)->search != search)
        at = &(*at)->next;
    return at;
}

static void on_found(void *ctx, uint64_t search, const uint8_t *record, size_t len)
{
    struct dhtnet_node *node = ctx;
    struct dhtnet_job *job = *job_of(node, search);
    struct yr_dht_record rec;

    if (job == NULL || yr_dht_record_open(&rec, record, len) != YR_OK)
        return;
    if (!job->found)
        job->found_us = node->net->now_us;
    job->found = true;
    job->seq = rec.seq;
    memcpy(job->record, record, len);
    job->record_len = len;
}

static void on_done(void *ctx, uint64_t search, const struct yr_dht_result *result)
{
    struct dhtnet_node *node = ctx;
    struct dhtnet_job **at = job_of(node, search), *job = *at;

    if (job == NULL)
        return;
    *at = job->next;
    job->done = true;
    job->done_us = node->net->now_us;
    job->result = *result;
}

static void on_signal(void *ctx, const uint8_t id[YR_DHT_SIGNAL_LEN], const uint8_t *bytes,
                      size_t len)
{
    (void)ctx, (void)id, (void)bytes, (void)len;
}

struct dhtnet *dhtnet_new(const struct dhtnet_opts *opts)
{
    struct dhtnet *net = must(calloc(1, sizeof *net));

    net->opts = *opts;
    net->nodes = must(calloc(opts->nodes_max, sizeof *net->nodes));
    net->now_us = YR_S;
    return net;
}

void dhtnet_end(struct dhtnet *net, uint32_t index)
{
    struct dhtnet_node *node = &net->nodes[index];

    for (; node->jobs != NULL; node->jobs = node->jobs->next)
        node->jobs->done = true;
    yr_dht_free(node->dht);
    node->dht = NULL;
    node->up = false;
    node->alarm_us = 0;
}

void dhtnet_free(struct dhtnet *net)
{
    if (net == NULL)
        return;
    for (uint32_t i = 0; i < net->count; i++) {
        dhtnet_end(net, i);
        YR_ASSERT(net->nodes[i].mem.used[YR_MEM_DHT] == 0);
        free(net->nodes[i].heard);
    }
    for (size_t i = 0; i < net->heap_count; i++)
        free(net->heap[i].flight);
    free(net->heap);
    free(net->nodes);
    free(net->liars);
    free(net->sights);
    free(net);
}

static void begin(struct dhtnet *net, struct dhtnet_node *node, enum yr_dht_role role,
                  uint32_t from)
{
    const struct yr_dht_opts opts = {.role = role, .direct = net->opts.direct};
    const struct yr_dht_calls calls = {
        .found = on_found, .done = on_done, .signal = on_signal, .ctx = node};
    const struct yr_now now = dhtnet_now(net, node);

    if (yr_dht_new(&node->dht, &node->mem, &node->rng, &opts, &calls, now) != YR_OK)
        abort();
    node->up = true;
    node->began_us = net->now_us;
    node->alarm_us = 0;
    if (from != NOBODY && net->nodes[from].dht != NULL) {
        const struct yr_dht_contact c = dhtnet_contact(net, from);

        yr_dht_bootstrap(node->dht, &c, 1, now);
    }
    yr_dht_tick(node->dht, now);
    dhtnet_drain(net, node->index);
}

uint32_t dhtnet_add_at(struct dhtnet *net, enum yr_dht_role role, uint32_t from,
                       const struct yr_addr *addr)
{
    const uint32_t index = net->count++;
    struct dhtnet_node *node = &net->nodes[index];

    YR_ASSERT(index < net->opts.nodes_max);
    node->net = net;
    node->index = index;
    node->addr = *addr;
    node->rng = (struct yr_rng){fill, node};
    node->mem = (struct yr_mem){.realloc = node_realloc, .ctx = node};
    node->mem.cap[YR_MEM_DHT] = 8U << 20;
    begin(net, node, role, from);
    return index;
}

uint32_t dhtnet_add(struct dhtnet *net, enum yr_dht_role role, uint32_t from)
{
    const struct yr_addr addr = address(net->count);

    return dhtnet_add_at(net, role, from, &addr);
}

void dhtnet_again(struct dhtnet *net, uint32_t node, enum yr_dht_role role, uint32_t from)
{
    dhtnet_end(net, node);
    begin(net, &net->nodes[node], role, from);
}

void dhtnet_wake(struct dhtnet *net, uint32_t index)
{
    struct dhtnet_node *node = &net->nodes[index];

    node->up = true;
    node->alarm_us = 0;
    yr_dht_tick(node->dht, dhtnet_now(net, node));
    dhtnet_drain(net, index);
}

static void fetch(const void *at, size_t len)
{
    for (size_t i = 0; i < len; i += 64)
        __builtin_prefetch((const char *)at + i);
}

// Ten thousand nodes are in no cache: what the next events need comes while this one is dealt with.
static void fetch_next(const struct dhtnet *net)
{
    const struct dhtnet_event *e = net->heap;
    const struct yr_dht *dht;

    for (size_t i = 1; i < YR_MIN(net->heap_count, (size_t)5); i++) {
        fetch(&net->nodes[e[i].node], sizeof *net->nodes);
        if (e[i].flight != NULL)
            fetch(e[i].flight, 192);
    }
    if (net->heap_count == 0 || (dht = net->nodes[e[0].node].dht) == NULL ||
        (e[0].flight == NULL && net->nodes[e[0].node].due_us > e[0].at_us))
        return;
    fetch(dht, offsetof(struct yr_dht, tables));
    fetch(&dht->serves, offsetof(struct yr_dht, votes) - offsetof(struct yr_dht, serves));
    fetch(&dht->rates, sizeof *dht - offsetof(struct yr_dht, rates));
    if (e[0].flight == NULL)
        fetch(&dht->tables[0], 512);
}

void dhtnet_run(struct dhtnet *net, yr_us for_us)
{
    const yr_us until = net->now_us + for_us;

    while (net->heap_count > 0 && net->heap[0].at_us <= until) {
        const struct dhtnet_event e = pop(net);
        struct dhtnet_node *node = &net->nodes[e.node];

        fetch_next(net);
        net->now_us = e.at_us;
        net->events++;
        if (node->dht == NULL || !node->up || (e.flight == NULL && e.at_us != node->alarm_us) ||
            (e.flight != NULL && !hears(node, e.from))) {
            free(e.flight);
            continue;
        }
        if (e.flight == NULL && node->due_us > e.at_us) { // it was for something that has been done
            if (node->due_us != YR_NEVER)
                alarm_at(net, node, node->due_us);
            continue;
        }
        if (e.flight != NULL) {
            const struct yr_addr *from = &net->nodes[e.from].addr;

            node->in_bytes += e.flight->len + 28;
            node->in_packets++;
            if (node->kind == DHTNET_HONEST ||
                !lie(net, node, from, e.flight->bytes, e.flight->len))
                yr_dht_recv(node->dht, dhtnet_now(net, node), from, e.flight->bytes, e.flight->len);
            free(e.flight);
        } else {
            yr_dht_tick(node->dht, dhtnet_now(net, node));
        }
        dhtnet_drain(net, e.node);
    }
    net->now_us = until;
}

// ---- searches

static void begin_job(struct dhtnet *net, uint32_t node, struct dhtnet_job *job)
{
    *job = (struct dhtnet_job){
        .node = node, .search = UINT64_MAX, .began_us = net->now_us, .next = net->nodes[node].jobs};
    net->nodes[node].jobs = job;
}

static void end_job(struct dhtnet *net, uint32_t node, struct dhtnet_job *job, enum yr_err err)
{
    if (err != YR_OK) {
        *job_of(&net->nodes[node], UINT64_MAX) = job->next;
        job->done = true;
    }
    dhtnet_drain(net, node);
}

void dhtnet_put(struct dhtnet *net, uint32_t node, const uint8_t *record, size_t len, bool hard,
                struct dhtnet_job *job)
{
    struct dhtnet_node *n = &net->nodes[node];

    begin_job(net, node, job);
    end_job(net, node, job,
            yr_dht_put(n->dht, dhtnet_now(net, n), record, len, hard, &job->search));
}

void dhtnet_get(struct dhtnet *net, uint32_t node, const uint8_t pk[32], bool hard,
                struct dhtnet_job *job)
{
    struct dhtnet_node *n = &net->nodes[node];

    begin_job(net, node, job);
    end_job(net, node, job, yr_dht_get(n->dht, dhtnet_now(net, n), pk, hard, &job->search));
}

size_t dhtnet_record(const struct dhtnet *net, uint64_t which, uint32_t seq,
                     uint8_t out[YR_DHT_RECORD_MAX], uint8_t pk[32])
{
    uint8_t seed[32] = {0}, sk[64], value[YR_DHT_VALUE_MAX];
    const uint64_t word = dhtnet_draw(net, 77, which, 0);

    memcpy(seed, &word, sizeof word);
    memcpy(seed + 8, &which, sizeof which);
    memset(value, (int)(seq & 0xff), sizeof value);
    yr_sign_keypair(pk, sk, seed);
    return yr_dht_record_make(out, pk, sk, seq, 7200, value, sizeof value);
}
