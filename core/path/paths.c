#include "core/path/paths.h"

#include "core/base/mem.h"
#include "core/crypto/aead.h"

#define SEEN_LEN   19
#define PLAIN_LEN  (8 + 16 + SEEN_LEN)
#define HEAD_LEN   (1 + 8 + YR_NONCE_LEN)
#define PACKET_LEN (HEAD_LEN + PLAIN_LEN + YR_TAG_LEN)

enum { PROBE = 0x21, ANSWER = 0x22 };

struct candidate {
    struct yr_addr addr;
    enum yr_addr_source source;
    yr_us learnt_us;
};

struct place {
    const struct yr_pair *pair; // NULL: the slot is empty
    bool wanted, blocked;
    struct yr_probe_clock clock;
    struct candidate list[YR_ADDRS_MAX];
    size_t count;
    uint8_t round[16]; // random value of the last round: only its answers count
    yr_us round_us, next_us, hurry_us;
    unsigned rounds;
    yr_ms asked_ms, answered_ms;
    double tokens;
    yr_us tokens_at;
};

struct packet_out {
    struct yr_addr to;
    unsigned slot;
    uint64_t token;
    uint8_t bytes[PACKET_LEN];
};

enum counter {
    PROBES,
    ANSWERS,
    DROP_FORM,
    DROP_HINT,
    DROP_AEAD,
    DROP_CLOCK,
    DROP_ROUND,
    DROP_ROOM,
    COUNTERS
};
static const char *const counter_names[COUNTERS] = {
    "path.probes",    "path.answers",    "path.drop.form",  "path.drop.hint",
    "path.drop.aead", "path.drop.clock", "path.drop.round", "path.drop.room"};

struct yr_paths {
    struct yr_mem *mem;
    const struct yr_rng *rng;
    struct yr_path_ops ops;
    struct place places[YR_FRIENDS_MAX];
    unsigned end; // no slot from here on has ever been filled
    struct yr_addr peers[YR_PEERS_MAX];
    size_t peer_count;
    struct packet_out queue[YR_PROBE_QUEUE_MAX];
    size_t queue_count;
    uint64_t durable;
    uint64_t counters[COUNTERS];
};

enum yr_err yr_paths_new(struct yr_paths **out, struct yr_mem *mem, const struct yr_rng *rng,
                         const struct yr_path_ops *ops)
{
    struct yr_paths *p = yr_alloc(mem, YR_MEM_NODE, sizeof *p);

    if (p == NULL)
        return YR_ENOMEM;
    p->mem = mem;
    p->rng = rng;
    p->ops = *ops;
    *out = p;
    return YR_OK;
}

void yr_paths_free(struct yr_paths *p)
{
    if (p != NULL)
        yr_free(p->mem, p);
}

void yr_paths_set(struct yr_paths *p, unsigned slot, const struct yr_pair *pair,
                  const struct yr_probe_clock *clock, struct yr_now now)
{
    struct place *at = &p->places[slot];

    YR_ASSERT(slot < YR_FRIENDS_MAX);
    memset(at, 0, sizeof *at);
    at->pair = pair;
    p->end = YR_MAX(p->end, slot + 1);
    at->clock = *clock;
    at->wanted = true;
    at->next_us = at->hurry_us = now.mono_us;
    at->tokens = YR_PROBE_BURST;
    at->tokens_at = now.mono_us;
}

void yr_paths_remove(struct yr_paths *p, unsigned slot)
{
    size_t kept = 0;

    YR_ASSERT(slot < YR_FRIENDS_MAX);
    memset(&p->places[slot], 0, sizeof p->places[slot]);
    // After a failed commit the clocks in what waits are not durable, whatever token comes next.
    for (size_t i = 0; i < p->queue_count; i++)
        if (p->queue[i].slot != slot)
            p->queue[kept++] = p->queue[i];
    p->queue_count = kept;
}

void yr_paths_block(struct yr_paths *p, unsigned slot, bool blocked)
{
    YR_ASSERT(slot < YR_FRIENDS_MAX);
    p->places[slot].blocked = blocked;
}

void yr_paths_want(struct yr_paths *p, unsigned slot, bool want, struct yr_now now)
{
    struct place *at = &p->places[slot];

    if (want && !at->wanted) {
        at->rounds = 0;
        at->next_us = now.mono_us;
    }
    at->wanted = want;
}

void yr_paths_hurry(struct yr_paths *p, unsigned slot, struct yr_now now)
{
    struct place *at = &p->places[slot];

    if (at->pair == NULL || !at->wanted || now.mono_us < at->hurry_us)
        return;
    at->hurry_us = now.mono_us + YR_PROBE_HURRY_S * YR_S;
    at->rounds = 0;
    at->next_us = now.mono_us;
}

/* ---- candidates ---- */

static void forget(struct place *at, size_t i)
{
    memmove(&at->list[i], &at->list[i + 1], (at->count - i - 1) * sizeof at->list[0]);
    at->count--;
}

// Which goes when the list is full: the oldest of those where no link has been.
static size_t worst(const struct place *at)
{
    size_t w = 0;

    for (size_t i = 1; i < at->count; i++) {
        const struct candidate *a = &at->list[i], *b = &at->list[w];
        const bool linked_a = a->source == YR_ADDR_LINKED, linked_b = b->source == YR_ADDR_LINKED;
        if (linked_a != linked_b ? linked_b : a->learnt_us < b->learnt_us)
            w = i;
    }
    return w;
}

void yr_paths_learn(struct yr_paths *p, unsigned slot, const struct yr_addr *addr,
                    enum yr_addr_source source, struct yr_now now)
{
    struct place *at = &p->places[slot];
    size_t i = 0;

    if (at->pair == NULL || addr->family == 0 || addr->port == 0)
        return;
    while (i < at->count && !yr_addr_eq(&at->list[i].addr, addr))
        i++;
    if (i < at->count) {
        if (at->list[i].source != YR_ADDR_LINKED)
            at->list[i].source = source;
        at->list[i].learnt_us = now.mono_us;
        if (source != YR_ADDR_LAN)
            return;
    } else {
        if (at->count == YR_ADDRS_MAX)
            forget(at, worst(at));
        at->list[at->count++] = (struct candidate){*addr, source, now.mono_us};
    }
    yr_paths_hurry(p, slot, now);
}

// Not 0/8 or beyond multicast, not ::, not IPv4 in disguise: somebody may live there.
static bool unicast(const struct yr_addr *addr)
{
    static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (yr_addr_multicast(addr))
        return false;
    if (addr->family == 4)
        return addr->ip[0] != 0 && addr->ip[0] < 240;
    return memcmp(addr->ip, zero, sizeof zero) != 0 && memcmp(addr->ip, mapped, sizeof mapped) != 0;
}

void yr_paths_told(struct yr_paths *p, unsigned slot, const struct yr_addr *addrs, size_t count,
                   bool loopback, struct yr_now now)
{
    struct place *at = &p->places[slot];

    for (size_t i = at->count; i-- > 0;)
        if (at->list[i].source == YR_ADDR_TOLD)
            forget(at, i);
    for (size_t i = 0; i < count && i < YR_ADDRS_MAX / 2; i++)
        if (unicast(&addrs[i]) && (loopback || !yr_addr_loopback(&addrs[i])))
            yr_paths_learn(p, slot, &addrs[i], YR_ADDR_TOLD, now);
}

void yr_paths_peers(struct yr_paths *p, const struct yr_addr *addrs, size_t count,
                    struct yr_now now)
{
    p->peer_count = YR_MIN(count, (size_t)YR_PEERS_MAX);
    if (p->peer_count > 0)
        memcpy(p->peers, addrs, p->peer_count * sizeof *addrs);
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        yr_paths_hurry(p, slot, now);
}

bool yr_paths_candidate(const struct yr_paths *p, unsigned slot, size_t i, struct yr_addr *addr,
                        enum yr_addr_source *source)
{
    const struct place *at = &p->places[slot];

    if (i >= at->count)
        return false;
    *addr = at->list[i].addr;
    *source = at->list[i].source;
    return true;
}

/* ---- packets ---- */

static void queue_packet(struct yr_paths *p, const struct place *at, uint8_t type,
                         const struct yr_addr *to, uint64_t ms, const uint8_t random[16],
                         uint64_t token)
{
    uint8_t plain[PLAIN_LEN] = {0}, nonce[YR_NONCE_LEN], hint[8];
    const uint8_t dir = at->pair->out;
    struct packet_out *out;
    struct yr_wr wr = yr_wr_init(plain, sizeof plain);

    if (p->queue_count == YR_PROBE_QUEUE_MAX) {
        p->counters[DROP_ROOM]++;
        return;
    }
    out = &p->queue[p->queue_count++];
    out->to = *to;
    out->slot = (unsigned)(at - p->places);
    out->token = token;
    yr_wr_u64(&wr, ms);
    yr_wr_bytes(&wr, random, 16);
    yr_wr_addr(&wr, to, false);
    yr_random(p->rng, nonce, sizeof nonce);
    yr_siphash(hint, at->pair->link_hint[dir], nonce, sizeof nonce);
    wr = yr_wr_init(out->bytes, sizeof out->bytes);
    yr_wr_u8(&wr, type);
    yr_wr_bytes(&wr, hint, sizeof hint);
    yr_wr_bytes(&wr, nonce, sizeof nonce);
    yr_seal_x(wr.at, at->pair->probe[dir], nonce, out->bytes, HEAD_LEN, plain, sizeof plain);
    p->counters[type == PROBE ? PROBES : ANSWERS]++;
}

static void ask_all(struct yr_paths *p, unsigned slot, struct yr_now now)
{
    struct place *at = &p->places[slot];
    uint64_t token;

    at->clock.ours = YR_MAX(at->clock.ours + 1, (uint64_t)YR_MAX(now.wall_ms, 0));
    yr_random(p->rng, at->round, sizeof at->round);
    at->round_us = now.mono_us;
    at->asked_ms = now.wall_ms;
    token = p->ops.clock(p->ops.ctx, slot, &at->clock);
    for (size_t i = 0; i < at->count; i++)
        queue_packet(p, at, PROBE, &at->list[i].addr, at->clock.ours, at->round, token);
    for (size_t i = 0; i < p->peer_count; i++)
        queue_packet(p, at, PROBE, &p->peers[i], at->clock.ours, at->round, token);
}

static bool may_answer(struct place *at, struct yr_now now)
{
    at->tokens += (double)(now.mono_us - at->tokens_at) / (double)YR_S;
    at->tokens_at = now.mono_us;
    if (at->tokens > YR_PROBE_BURST)
        at->tokens = YR_PROBE_BURST;
    if (at->tokens < 1)
        return false;
    at->tokens--;
    return true;
}

// A round goes to every candidate at once: the first copy to arrive is answered, the rest are old.
static void got_probe(struct yr_paths *p, unsigned slot, struct yr_now now,
                      const struct yr_addr *from, uint64_t ms, const uint8_t random[16])
{
    struct place *at = &p->places[slot];
    uint64_t token;

    if (ms <= at->clock.theirs || !may_answer(at, now)) {
        p->counters[DROP_CLOCK]++;
        return;
    }
    at->clock.theirs = ms;
    token = p->ops.clock(p->ops.ctx, slot, &at->clock);
    queue_packet(p, at, ANSWER, from, (uint64_t)YR_MAX(now.wall_ms, 0), random, token);
    yr_paths_learn(p, slot, from, YR_ADDR_PROBED, now);
}

static void got_answer(struct yr_paths *p, unsigned slot, struct yr_now now,
                       const struct yr_addr *from, const uint8_t random[16])
{
    struct place *at = &p->places[slot];

    if (!yr_equal(random, at->round, 16) || now.mono_us > at->round_us + YR_PROBE_FRESH_S * YR_S) {
        p->counters[DROP_ROUND]++;
        return;
    }
    yr_random(p->rng, at->round, sizeof at->round); // the first answer wins its round
    at->rounds = 0;
    at->answered_ms = now.wall_ms;
    p->ops.found(p->ops.ctx, slot, from);
}

static const struct place *find_by_hint(const struct yr_paths *p, const uint8_t *hint,
                                        const uint8_t *nonce)
{
    uint8_t want[8];

    for (unsigned i = 0; i < YR_FRIENDS_MAX; i++) {
        const struct yr_pair *pair = p->places[i].pair;
        if (pair == NULL || p->places[i].blocked)
            continue;
        yr_siphash(want, pair->link_hint[1 - pair->out], nonce, YR_NONCE_LEN);
        if (yr_equal(want, hint, sizeof want))
            return &p->places[i];
    }
    return NULL;
}

void yr_paths_recv(struct yr_paths *p, struct yr_now now, const struct yr_addr *from,
                   const uint8_t *packet, size_t len)
{
    uint8_t plain[PLAIN_LEN];
    const uint8_t *nonce = packet + 9;
    const struct place *at;
    struct yr_rd rd;
    unsigned slot;
    uint64_t ms;

    if (len != PACKET_LEN || (packet[0] != PROBE && packet[0] != ANSWER)) {
        p->counters[DROP_FORM]++;
        return;
    }
    if ((at = find_by_hint(p, packet + 1, nonce)) == NULL) {
        p->counters[DROP_HINT]++;
        return;
    }
    if (yr_unseal_x(plain, at->pair->probe[1 - at->pair->out], nonce, packet, HEAD_LEN,
                    packet + HEAD_LEN, len - HEAD_LEN) != YR_OK) {
        p->counters[DROP_AEAD]++;
        return;
    }
    slot = (unsigned)(at - p->places);
    rd = yr_rd_init(plain, sizeof plain);
    ms = yr_rd_u64(&rd);
    if (packet[0] == PROBE)
        got_probe(p, slot, now, from, ms, rd.at);
    else
        got_answer(p, slot, now, from, rd.at);
}

void yr_paths_release(struct yr_paths *p, uint64_t durable)
{
    p->durable = durable;
}

size_t yr_paths_poll(struct yr_paths *p, struct yr_addr *to, uint8_t *buf, size_t cap)
{
    for (size_t i = 0; i < p->queue_count; i++) {
        struct packet_out *out = &p->queue[i];
        if (out->token > p->durable || cap < PACKET_LEN)
            continue;
        *to = out->to;
        memcpy(buf, out->bytes, PACKET_LEN);
        memmove(out, out + 1, (p->queue_count - i - 1) * sizeof *out);
        p->queue_count--;
        return PACKET_LEN;
    }
    return 0;
}

static bool looking(const struct yr_paths *p, const struct place *at)
{
    return at->pair != NULL && at->wanted && at->count + p->peer_count > 0;
}

// A round goes to all candidates or waits: with many friends the queue is filled many times over,
// and those behind must not lose their turn.
static bool has_room(const struct yr_paths *p, const struct place *at)
{
    return YR_PROBE_QUEUE_MAX - p->queue_count >= at->count + p->peer_count;
}
static_assert(YR_ADDRS_MAX + YR_PEERS_MAX <= YR_PROBE_QUEUE_MAX, "a round fits");

void yr_paths_tick(struct yr_paths *p, struct yr_now now)
{
    for (unsigned slot = 0; slot < p->end; slot++) {
        struct place *at = &p->places[slot];
        if (!looking(p, at) || at->next_us > now.mono_us || !has_room(p, at))
            continue;
        ask_all(p, slot, now);
        at->next_us = now.mono_us + yr_backoff(at->rounds);
        at->rounds++;
    }
}

// Who finds no room is due again when the queue has been sent.
yr_us yr_paths_deadline(const struct yr_paths *p)
{
    yr_us due = YR_NEVER;

    for (unsigned slot = 0; slot < p->end; slot++)
        if (looking(p, &p->places[slot]) && has_room(p, &p->places[slot]))
            due = YR_MIN(due, p->places[slot].next_us);
    return due;
}

void yr_paths_info(const struct yr_paths *p, unsigned slot, struct yr_path_info *out)
{
    const struct place *at = &p->places[slot];

    out->candidates = (unsigned)(at->count + p->peer_count);
    out->rounds = at->rounds;
    out->asked_ms = at->asked_ms;
    out->answered_ms = at->answered_ms;
    out->next_us = looking(p, at) ? at->next_us : YR_NEVER;
}

struct yr_counter yr_paths_counter(const struct yr_paths *p, size_t i)
{
    if (i >= COUNTERS)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], p->counters[i]};
}
