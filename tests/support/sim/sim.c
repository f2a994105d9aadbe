#include "tests/support/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/crypto/kdf.h"
#include "core/limits.h"

#define DONE_KEPT 4096
#define EPOCH_MS  1767225600000LL // 2026-01-01: where every run begins
#define PORT      7000

enum what { PACKET, COMMIT, TICK };

struct happening {
    yr_us at;
    uint64_t seq;
    enum what what;
    unsigned node;
    uint64_t life; // of the node it is for
    struct yr_addr from;
    uint8_t *bytes;
    size_t len;
};

struct sim_node {
    struct sim *sim;
    unsigned index;
    struct yr_node *node; // NULL: down
    struct yr_memstore *store;
    struct yr_mem mem;
    struct yr_rng rng;
    uint64_t draws, life, commits, next_ticket;
    uint64_t crash_commit, allocs, refuse_at;
    bool crash_after, crashed_at;
    uint8_t vk[32], id[32];
    yr_ms skew_ms;
    struct yr_addr addr;
    unsigned moves;
    int drop;       // first byte of packets that are lost; -1: none
    yr_us tick_at;  // of the tick in the heap; YR_NEVER: none
    yr_us storm_us; // when its last 1,000 ticks began
    unsigned ticks;
    struct yr_event done[DONE_KEPT];
};

struct recorded {
    uint8_t *bytes;
    size_t len;
};

struct sim {
    struct sim_opts opts;
    yr_us time;
    uint64_t seq, hash, packets, bytes, test_draws, strangers;
    void (*watch)(void *, unsigned, const struct yr_event *);
    void *watch_ctx;
    struct happening *heap;
    size_t count, cap;
    struct sim_node *nodes[SIM_NODES_MAX];
    unsigned node_count;
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
    struct recorded *recorded;
    size_t recorded_count;
};

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "sim: %s\n", what);
        abort();
    }
}

/* ---- draws ---- */

enum stream { STREAM_NODE = 1, STREAM_LINK, STREAM_TEST, STREAM_KEY };

static uint64_t draw(const struct sim *sim, enum stream stream, uint64_t entity, uint64_t n)
{
    uint8_t key[16] = "yaari simulator", out[8];
    const uint64_t in[4] = {sim->opts.seed, (uint64_t)stream, entity, n};
    uint64_t value;

    yr_siphash(out, key, in, sizeof in);
    memcpy(&value, out, sizeof value);
    return value;
}

uint64_t sim_draw(struct sim *sim, uint64_t entity)
{
    return draw(sim, STREAM_TEST, entity, sim->test_draws++);
}

static void node_random(void *ctx, void *out, size_t len)
{
    struct sim_node *sn = ctx;
    uint8_t *at = out;

    while (len > 0) {
        const uint64_t value = draw(sn->sim, STREAM_NODE, sn->index, sn->draws++);
        const size_t n = YR_MIN(len, sizeof value);
        memcpy(at, &value, n);
        at += n;
        len -= n;
    }
}

static void note(struct sim *sim, unsigned node, enum what what, const void *bytes, size_t len)
{
    uint8_t key[16] = "yaari trace", out[8];
    uint64_t head[5] = {sim->hash, sim->time, node, (uint64_t)what, len};

    if (len > 0) {
        yr_siphash(out, key, bytes, len);
        memcpy(&head[4], out, sizeof head[4]);
    }
    yr_siphash(out, key, head, sizeof head);
    memcpy(&sim->hash, out, sizeof sim->hash);
}

/* ---- heap ---- */

static bool before(const struct happening *a, const struct happening *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void push(struct sim *sim, struct happening h)
{
    size_t i;

    if (sim->count == sim->cap) {
        sim->cap = sim->cap > 0 ? sim->cap * 2 : 256;
        sim->heap = realloc(sim->heap, sim->cap * sizeof *sim->heap);
        check(sim->heap != NULL, "out of memory");
    }
    h.seq = sim->seq++;
    for (i = sim->count++; i > 0 && before(&h, &sim->heap[(i - 1) / 4]); i = (i - 1) / 4)
        sim->heap[i] = sim->heap[(i - 1) / 4];
    sim->heap[i] = h;
}

static struct happening pop(struct sim *sim)
{
    const struct happening top = sim->heap[0], last = sim->heap[--sim->count];
    size_t i = 0;

    for (;;) {
        size_t best = 0;
        for (size_t k = 4 * i + 1; k <= 4 * i + 4 && k < sim->count; k++)
            if (before(&sim->heap[k], best > 0 ? &sim->heap[best] : &last))
                best = k;
        if (best == 0)
            break;
        sim->heap[i] = sim->heap[best];
        i = best;
    }
    if (sim->count > 0)
        sim->heap[i] = last;
    return top;
}

/* ---- world ---- */

struct sim_opts sim_opts_default(uint64_t seed)
{
    return (struct sim_opts){.seed = seed,
                             .link = {.delay_us = 20 * YR_MS, .jitter_us = 2 * YR_MS},
                             .commit_us = 2 * YR_MS};
}

struct sim *sim_new(const struct sim_opts *opts)
{
    struct sim *sim = calloc(1, sizeof *sim);

    check(sim != NULL, "out of memory");
    sim->opts = *opts;
    sim->time = YR_S;
    if (opts->record)
        sim->recorded = calloc(SIM_PACKETS_KEPT, sizeof *sim->recorded);
    return sim;
}

void sim_free(struct sim *sim)
{
    for (unsigned i = 0; i < sim->node_count; i++) {
        struct sim_node *sn = sim->nodes[i];
        yr_node_free(sn->node);
        for (int k = 0; k < YR_MEM_COUNT; k++)
            check(sn->mem.used[k] == 0, "a node left memory behind");
        if (sn->store != NULL)
            yr_memstore_free(sn->store);
        free(sn);
    }
    for (size_t i = 0; i < sim->count; i++)
        free(sim->heap[i].bytes);
    for (size_t i = 0; i < sim->recorded_count; i++)
        free(sim->recorded[i].bytes);
    free(sim->recorded);
    free(sim->heap);
    free(sim);
}

yr_us sim_time(const struct sim *sim)
{
    return sim->time;
}

uint64_t sim_hash(const struct sim *sim)
{
    return sim->hash;
}

void sim_set_link(struct sim *sim, const struct sim_link *link)
{
    sim->opts.link = *link;
}

struct yr_now sim_now(const struct sim *sim, unsigned node)
{
    return (struct yr_now){.mono_us = sim->time,
                           .wall_ms =
                               EPOCH_MS + (yr_ms)(sim->time / 1000) + sim->nodes[node]->skew_ms};
}

static struct yr_addr stranger(void)
{
    return (struct yr_addr){.family = 4, .ip = {192, 0, 2, 66}, .port = 6666};
}

static int at_addr(const struct sim *sim, const struct yr_addr *addr)
{
    for (unsigned i = 0; i < sim->node_count; i++)
        if (yr_addr_eq(&sim->nodes[i]->addr, addr))
            return (int)i;
    return -1;
}

static void record(struct sim *sim, const uint8_t *bytes, size_t len)
{
    if (sim->recorded == NULL || sim->recorded_count == SIM_PACKETS_KEPT)
        return;
    sim->recorded[sim->recorded_count].bytes = malloc(len);
    memcpy(sim->recorded[sim->recorded_count].bytes, bytes, len);
    sim->recorded[sim->recorded_count++].len = len;
}

static void deliver(struct sim *sim, unsigned to, const struct yr_addr *from, const uint8_t *bytes,
                    size_t len, yr_us at)
{
    struct happening h = {.at = at, .what = PACKET, .node = to, .from = *from, .len = len};

    h.bytes = malloc(len > 0 ? len : 1);
    memcpy(h.bytes, bytes, len);
    push(sim, h);
}

// The network: each packet has its own draws.
static void carry(struct sim *sim, struct sim_node *from, const struct yr_addr *to,
                  const uint8_t *bytes, size_t len)
{
    const struct sim_link *l = &sim->opts.link;
    const uint64_t entity = sim->packets++;
    const int dst = at_addr(sim, to);
    yr_us at = sim->time + l->delay_us;

    record(sim, bytes, len);
    if (dst < 0) {
        const struct yr_addr nobody = stranger();
        sim->strangers += yr_addr_eq(to, &nobody);
        return;
    }
    sim->bytes += len;
    if (from->drop == bytes[0] || sim->cut[from->index][dst] ||
        draw(sim, STREAM_LINK, entity, 0) % 1000 < l->loss)
        return;
    if (l->jitter_us > 0)
        at += draw(sim, STREAM_LINK, entity, 1) % l->jitter_us;
    if (draw(sim, STREAM_LINK, entity, 2) % 1000 < l->reorder)
        at += draw(sim, STREAM_LINK, entity, 3) % (4 * l->delay_us + 1);
    deliver(sim, (unsigned)dst, &from->addr, bytes, len, at);
    if (draw(sim, STREAM_LINK, entity, 4) % 1000 < l->duplicate)
        deliver(sim, (unsigned)dst, &from->addr, bytes, len, at + l->delay_us / 2);
}

static void broadcast(struct sim *sim, struct sim_node *from, const uint8_t *bytes, size_t len)
{
    record(sim, bytes, len);
    for (unsigned i = 0; i < sim->node_count; i++)
        if (i != from->index && !sim->cut[from->index][i])
            deliver(sim, i, &from->addr, bytes, len, sim->time + YR_MS);
}

static void keep_event(struct sim *sim, struct sim_node *sn, const struct yr_event *event)
{
    if (sim->watch != NULL)
        sim->watch(sim->watch_ctx, sn->index, event);
    if (event->kind == YR_EV_DONE)
        sn->done[event->ticket % DONE_KEPT] = *event;
}

static void ask_commit(struct sim *sim, struct sim_node *sn)
{
    push(sim, (struct happening){.at = sim->time + sim->opts.commit_us,
                                 .what = COMMIT,
                                 .node = sn->index,
                                 .life = sn->life});
}

static void drain(struct sim *sim, struct sim_node *sn)
{
    struct yr_effect fx;
    uint8_t buf[YR_PACKET_MAX];
    yr_us due;

    while (sn->node != NULL &&
           yr_node_poll(sn->node, sim_now(sim, sn->index), &fx, buf, sizeof buf)) {
        switch (fx.kind) {
        case YR_FX_SEND: carry(sim, sn, &fx.to, buf, fx.len); break;
        case YR_FX_OPEN:
        case YR_FX_SHUT: break;
        case YR_FX_LAN: broadcast(sim, sn, buf, fx.len); break;
        case YR_FX_STORE:
            yr_memstore_submit(sn->store, fx.txn);
            ask_commit(sim, sn);
            break;
        case YR_FX_KEYFILE:
            yr_memstore_submit_keyfile(sn->store, fx.token, fx.slot, fx.slot_bytes);
            ask_commit(sim, sn);
            break;
        case YR_FX_EVENT: keep_event(sim, sn, &fx.event); break;
        }
    }
    if (sn->node == NULL)
        return;
    due = yr_node_deadline(sn->node);
    if (due == YR_NEVER || due >= sn->tick_at)
        return;
    sn->tick_at = YR_MAX(due, sim->time + 1);
    push(sim,
         (struct happening){.at = sn->tick_at, .what = TICK, .node = sn->index, .life = sn->life});
}

static void commit(struct sim *sim, struct sim_node *sn)
{
    uint64_t token;
    enum yr_err result;

    sn->commits++;
    if (sn->crash_commit == sn->commits && !sn->crash_after) {
        sn->crashed_at = true;
        sim_crash(sim, sn->index);
        return;
    }
    if (!yr_memstore_commit_next(sn->store, &token, &result))
        return;
    if (sn->crash_commit == sn->commits) {
        sn->crashed_at = true;
        sim_crash(sim, sn->index);
        return;
    }
    yr_node_stored(sn->node, sim_now(sim, sn->index), token, result);
}

static void happen(struct sim *sim, const struct happening *h)
{
    struct sim_node *sn = sim->nodes[h->node];

    if (sn->node == NULL || (h->what != PACKET && h->life != sn->life))
        return;
    note(sim, h->node, h->what, h->bytes, h->len);
    switch (h->what) {
    case PACKET: yr_node_recv(sn->node, sim_now(sim, h->node), &h->from, h->bytes, h->len); break;
    case COMMIT: commit(sim, sn); break;
    case TICK:
        if (sn->tick_at != h->at)
            return; // an earlier one took its place
        sn->tick_at = YR_NEVER;
        if (++sn->ticks % 1000 == 0) { // I15
            check(sim->time - sn->storm_us > 10 * YR_MS, "a node ticks without end");
            sn->storm_us = sim->time;
        }
        yr_node_tick(sn->node, sim_now(sim, h->node));
        break;
    }
    drain(sim, sn);
}

bool sim_run_until(struct sim *sim, yr_us limit_us, bool (*until)(struct sim *, void *), void *ctx)
{
    const yr_us end = sim->time + limit_us;

    while (sim->count > 0 && sim->heap[0].at <= end) {
        struct happening h;
        if (until != NULL && until(sim, ctx))
            return true;
        h = pop(sim);
        sim->time = h.at;
        happen(sim, &h);
        free(h.bytes);
    }
    if (until != NULL && until(sim, ctx))
        return true;
    sim->time = end;
    return false;
}

void sim_run(struct sim *sim, yr_us duration_us)
{
    sim_run_until(sim, duration_us, NULL, NULL);
}

void sim_watch(struct sim *sim, void (*event)(void *, unsigned, const struct yr_event *), void *ctx)
{
    sim->watch = event;
    sim->watch_ctx = ctx;
}

/* ---- nodes ---- */

static void *mem_realloc(void *ctx, void *ptr, size_t size)
{
    struct sim_node *sn = ctx;

    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (++sn->allocs == sn->refuse_at)
        return NULL;
    return realloc(ptr, size);
}

static enum yr_err start(struct sim *sim, struct sim_node *sn)
{
    struct yr_node_opts opts = yr_node_opts_default();
    enum yr_err err;

    opts.mem = &sn->mem;
    opts.rng = &sn->rng;
    opts.view = yr_memstore_view(sn->store);
    opts.lan = sim->opts.lan;
    opts.read_receipts = true;
    err = yr_node_new(&sn->node, &opts);
    check(err == YR_OK, "a node could not be made");
    sn->life++;
    sn->tick_at = YR_NEVER;
    err = yr_node_unlock(sn->node, sim_now(sim, sn->index), sn->vk,
                         yr_memstore_shred_file(sn->store));
    if (err != YR_OK) {
        yr_node_free(sn->node);
        sn->node = NULL;
        return err;
    }
    yr_node_addrs(sn->node, sim_now(sim, sn->index), &sn->addr, 1);
    drain(sim, sn);
    return YR_OK;
}

unsigned sim_add(struct sim *sim, const char *nick)
{
    const unsigned i = sim->node_count;
    struct sim_node *sn = calloc(1, sizeof *sn);
    struct yr_cmd cmd = {.kind = YR_CMD_IDENTITY_NEW, .text = nick, .text_len = strlen(nick)};
    struct yr_self self;

    check(sn != NULL && i < SIM_NODES_MAX, "too many nodes");
    sim->nodes[sim->node_count++] = sn;
    sn->sim = sim;
    sn->index = i;
    sn->drop = -1;
    sn->mem.realloc = mem_realloc;
    sn->mem.ctx = sn;
    for (int k = 0; k < YR_MEM_COUNT; k++)
        sn->mem.cap[k] = (size_t)256 << 20;
    sn->rng = (struct yr_rng){node_random, sn};
    sn->store = yr_memstore_new();
    sn->addr = (struct yr_addr){.family = 4, .port = PORT};
    memcpy(sn->addr.ip, (uint8_t[]){10, 0, (uint8_t)(i / 250), (uint8_t)(i % 250 + 1)}, 4);
    for (size_t k = 0; k < sizeof sn->vk; k++)
        sn->vk[k] = (uint8_t)draw(sim, STREAM_KEY, i, k);
    check(start(sim, sn) == YR_OK, "a node could not start");
    (void)sim_do(sim, i, &cmd);
    yr_node_self(sn->node, &self);
    memcpy(sn->id, self.id, sizeof sn->id);
    return i;
}

struct yr_node *sim_node(struct sim *sim, unsigned node)
{
    return sim->nodes[node]->node;
}

struct yr_memstore *sim_store(struct sim *sim, unsigned node)
{
    return sim->nodes[node]->store;
}

const uint8_t *sim_id(struct sim *sim, unsigned node)
{
    return sim->nodes[node]->id;
}

void sim_skew(struct sim *sim, unsigned node, yr_ms skew_ms)
{
    sim->nodes[node]->skew_ms = skew_ms;
}

struct yr_addr sim_addr(const struct sim *sim, unsigned node)
{
    return sim->nodes[node]->addr;
}

void sim_move(struct sim *sim, unsigned node)
{
    struct sim_node *sn = sim->nodes[node];

    sn->addr.ip[1] = (uint8_t)++sn->moves;
    if (sn->node == NULL)
        return;
    yr_node_addrs(sn->node, sim_now(sim, node), &sn->addr, 1);
    drain(sim, sn);
}

void sim_cut(struct sim *sim, unsigned a, unsigned b, bool cut)
{
    sim->cut[a][b] = sim->cut[b][a] = cut;
}

void sim_drop(struct sim *sim, unsigned node, int first_byte)
{
    sim->nodes[node]->drop = first_byte;
}

void sim_crash(struct sim *sim, unsigned node)
{
    struct sim_node *sn = sim->nodes[node];

    yr_node_free(sn->node);
    sn->node = NULL;
    yr_memstore_crash(sn->store);
}

bool sim_alive(const struct sim *sim, unsigned node)
{
    return sim->nodes[node]->node != NULL;
}

void sim_restart(struct sim *sim, unsigned node)
{
    const enum yr_err err = sim_try_restart(sim, node);

    check(err == YR_OK, yr_strerror(err));
}

enum yr_err sim_try_restart(struct sim *sim, unsigned node)
{
    check(!sim_alive(sim, node), "the node is up");
    return start(sim, sim->nodes[node]);
}

void sim_relock(struct sim *sim, unsigned node)
{
    struct sim_node *sn = sim->nodes[node];
    enum yr_err err;

    yr_node_lock(sn->node, sim_now(sim, node));
    drain(sim, sn);
    sim_run(sim, 2 * sim->opts.commit_us); // what was at the store is answered
    err = yr_node_unlock(sn->node, sim_now(sim, node), sn->vk, yr_memstore_shred_file(sn->store));
    check(err == YR_OK, yr_strerror(err));
    drain(sim, sn);
}

void sim_retire(struct sim *sim, unsigned node)
{
    struct sim_node *sn = sim->nodes[node];

    sim_crash(sim, node);
    for (int k = 0; k < YR_MEM_COUNT; k++)
        check(sn->mem.used[k] == 0, "a node left memory behind");
    yr_memstore_free(sn->store);
    sn->store = NULL;
    sn->addr.port = 1; // where nothing goes
}

uint64_t sim_allocs(const struct sim *sim, unsigned node)
{
    return sim->nodes[node]->allocs;
}

void sim_refuse_at(struct sim *sim, unsigned node, uint64_t alloc)
{
    sim->nodes[node]->refuse_at = alloc;
}

size_t sim_mem_used(const struct sim *sim, unsigned node)
{
    size_t used = 0;

    for (int k = 0; k < YR_MEM_COUNT; k++)
        used += sim->nodes[node]->mem.used[k];
    return used;
}

void sim_set_commit(struct sim *sim, yr_us commit_us)
{
    sim->opts.commit_us = commit_us;
}

void sim_drain(struct sim *sim, unsigned node)
{
    drain(sim, sim->nodes[node]);
}

uint64_t sim_commits(const struct sim *sim, unsigned node)
{
    return sim->nodes[node]->commits;
}

void sim_crash_at(struct sim *sim, unsigned node, uint64_t commit_number, bool after)
{
    sim->nodes[node]->crash_commit = commit_number;
    sim->nodes[node]->crash_after = after;
}

bool sim_crashed_at(const struct sim *sim, unsigned node)
{
    return sim->nodes[node]->crashed_at;
}

/* ---- commands ---- */

uint64_t sim_command(struct sim *sim, unsigned node, const struct yr_cmd *cmd, enum yr_err *err)
{
    struct sim_node *sn = sim->nodes[node];
    const uint64_t ticket = ++sn->next_ticket;

    *err =
        sn->node != NULL ? yr_node_command(sn->node, sim_now(sim, node), cmd, ticket) : YR_EAGAIN;
    drain(sim, sn);
    return ticket;
}

const struct yr_event *sim_done(const struct sim *sim, unsigned node, uint64_t ticket)
{
    const struct yr_event *event = &sim->nodes[node]->done[ticket % DONE_KEPT];

    return event->ticket == ticket && event->kind == YR_EV_DONE ? event : NULL;
}

struct ticket {
    unsigned node;
    uint64_t number;
};

static bool is_done(struct sim *sim, void *ctx)
{
    const struct ticket *t = ctx;

    return sim_done(sim, t->node, t->number) != NULL;
}

struct yr_event sim_do(struct sim *sim, unsigned node, const struct yr_cmd *cmd)
{
    enum yr_err err;
    struct ticket t = {node, sim_command(sim, node, cmd, &err)};

    check(err == YR_OK, yr_strerror(err));
    check(sim_run_until(sim, 10 * YR_S, is_done, &t), "a command was not answered");
    check(sim_done(sim, node, t.number)->err == YR_OK, "a command failed");
    return *sim_done(sim, node, t.number);
}

/* ---- replay ---- */

uint64_t sim_bytes(const struct sim *sim)
{
    return sim->bytes;
}

size_t sim_recorded(const struct sim *sim)
{
    return sim->recorded_count;
}

const uint8_t *sim_packet(const struct sim *sim, size_t i, size_t *len)
{
    *len = sim->recorded[i].len;
    return sim->recorded[i].bytes;
}

void sim_replay(struct sim *sim, size_t i, unsigned node)
{
    sim_inject(sim, node, sim->recorded[i].bytes, sim->recorded[i].len);
}

void sim_inject(struct sim *sim, unsigned node, const uint8_t *bytes, size_t len)
{
    const struct yr_addr from = stranger();

    deliver(sim, node, &from, bytes, len, sim->time + 1);
}

uint64_t sim_answers_to_strangers(const struct sim *sim)
{
    return sim->strangers;
}

/* ---- said often ---- */

bool sim_linked(struct sim *sim, unsigned a, unsigned b)
{
    struct yr_friend_info info;

    return sim_alive(sim, a) && sim_alive(sim, b) &&
           yr_node_friend(sim_node(sim, a), sim_id(sim, b), &info) == YR_OK && info.online &&
           yr_node_friend(sim_node(sim, b), sim_id(sim, a), &info) == YR_OK && info.online;
}

static bool pair_linked(struct sim *sim, void *ctx)
{
    const unsigned *pair = ctx;

    return sim_linked(sim, pair[0], pair[1]);
}

bool sim_run_linked(struct sim *sim, unsigned a, unsigned b, yr_us limit_us)
{
    unsigned pair[2] = {a, b};

    return sim_run_until(sim, limit_us, pair_linked, pair);
}

void sim_befriend(struct sim *sim, unsigned a, unsigned b)
{
    struct yr_cmd invite = {.kind = YR_CMD_INVITE_NEW,
                            .flags = YR_FLAG_HINTS,
                            .expires_ms = sim_now(sim, a).wall_ms + 3600 * 1000};
    struct yr_event done = sim_do(sim, a, &invite);
    struct yr_invite_info info;
    size_t i = 0;

    while (yr_node_invite_at(sim_node(sim, a), i, &info) && strcmp(info.id, done.text) != 0)
        i++;
    struct yr_cmd add = {.kind = YR_CMD_ADD, .text = info.link, .text_len = strlen(info.link)};
    (void)sim_do(sim, b, &add);
    check(sim_run_linked(sim, a, b, 60 * YR_S), "two friends found no link");
}

void sim_text(struct sim *sim, unsigned from, unsigned to, const char *text,
              uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = text, .body_len = strlen(text)};
    struct yr_event done;

    memcpy(cmd.conv, sim_id(sim, to), YR_ID_LEN);
    done = sim_do(sim, from, &cmd);
    if (id != NULL)
        memcpy(id, done.msg, YR_MSG_ID_LEN);
}

struct text {
    char *at;
    size_t len, cap;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *format, ...)
{
    va_list args;
    int n;

    for (;;) {
        va_start(args, format);
        n = vsnprintf(t->at + t->len, t->cap - t->len, format, args);
        va_end(args);
        if ((size_t)n < t->cap - t->len)
            break;
        t->cap = t->cap * 2 + (size_t)n;
        t->at = realloc(t->at, t->cap);
    }
    t->len += (size_t)n;
}

static void add_message(struct text *t, const struct yr_message *m, bool state)
{
    char id[27], author[53];

    yr_id_text(id, m->id, sizeof m->id);
    yr_id_text(author, m->author, sizeof m->author);
    add(t, "%s %.8s k%d%s%s %lld \"%s\"", id, author, m->kind, m->edited ? " edited" : "",
        m->deleted ? " deleted" : "", (long long)m->time_ms, m->text);
    for (size_t i = 0; i < m->reaction_count; i++) {
        yr_id_text(author, m->reactions[i].author, sizeof m->reactions[i].author);
        add(t, " %.8s:%s", author, m->reactions[i].emoji);
    }
    if (state)
        add(t, " s%d", m->state);
    add(t, "\n");
}

char *sim_history(struct sim *sim, unsigned a, unsigned b, bool state)
{
    struct text t = {.at = calloc(1, 4096), .cap = 4096};
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place place = {{0}};
    enum yr_seek how = YR_SEEK_GE;

    while (yr_node_history(sim_node(sim, a), sim_id(sim, b), how, &place, m) == YR_OK) {
        how = YR_SEEK_GT;
        if (m->kind != YR_MSG_SYSTEM)
            add_message(&t, m, state);
    }
    free(m);
    return t.at;
}

size_t sim_history_count(struct sim *sim, unsigned a, unsigned b)
{
    char *history = sim_history(sim, a, b, false);
    size_t n = 0;

    for (const char *c = history; *c != '\0'; c++)
        n += *c == '\n';
    free(history);
    return n;
}
