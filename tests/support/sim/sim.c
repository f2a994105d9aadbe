#include "tests/support/sim/state.h"

#include <stdio.h>

#include "core/crypto/kdf.h"
#include "core/limits.h"

void sim_check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "sim: %s\n", what);
        abort();
    }
}

/* ---- draws ---- */

uint64_t sim_prf(const struct sim *sim, enum stream stream, uint64_t entity, uint64_t n)
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
    return sim_prf(sim, STREAM_TEST, entity, sim->test_draws++);
}

static void node_random(void *ctx, void *out, size_t len)
{
    struct sim_node *sn = ctx;
    uint8_t *at = out;

    while (len > 0) {
        const uint64_t value = sim_prf(sn->sim, STREAM_NODE, sn->index, sn->draws++);
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

void sim_push(struct sim *sim, struct happening h)
{
    size_t i;

    if (sim->count == sim->cap) {
        sim->cap = sim->cap > 0 ? sim->cap * 2 : 256;
        sim->heap = realloc(sim->heap, sim->cap * sizeof *sim->heap);
        sim_check(sim->heap != NULL, "out of memory");
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

    sim_check(sim != NULL, "out of memory");
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
            sim_check(sn->mem.used[k] == 0, "a node left memory behind");
        if (sn->store != NULL)
            yr_memstore_free(sn->store);
        free(sn);
    }
    for (size_t i = 0; i < sim->count; i++)
        free(sim->heap[i].bytes);
    for (size_t i = 0; i < sim->recorded_count; i++)
        free(sim->recorded[i].bytes);
    for (unsigned i = 0; i < sim->box_count; i++)
        nat_free(sim->boxes[i].nat);
    free(sim->boxes);
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

static void notice(struct sim *sim, unsigned node)
{
    if (sim->changed != NULL)
        sim->changed(sim->changed_ctx, node);
}

static void keep_event(struct sim *sim, struct sim_node *sn, const struct yr_event *event)
{
    if (event->kind == YR_EV_PRESENCE)
        notice(sim, sn->index);
    if (sim->watch != NULL)
        sim->watch(sim->watch_ctx, sn->index, event);
    if (event->kind == YR_EV_DONE)
        sn->done[event->ticket % DONE_KEPT] = *event;
}

static void ask_commit(struct sim *sim, struct sim_node *sn)
{
    sim_push(sim, (struct happening){.at = sim->time + sim->opts.commit_us,
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
        case YR_FX_SEND: sim_carry(sim, sn, &fx.to, buf, fx.len); break;
        case YR_FX_OPEN: sim_open_socket(sn, &fx.to); break;
        case YR_FX_SHUT: sim_shut_socket(sn, &fx.to); break;
        case YR_FX_LAN: sim_broadcast(sim, sn, buf, fx.len); break;
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
    sim_push(sim, (struct happening){
                      .at = sn->tick_at, .what = TICK, .node = sn->index, .life = sn->life});
}

// What waits is made durable; a key file half way.
static void commit_group(struct sim_node *sn)
{
    uint64_t token;
    enum yr_err result;

    while (!yr_memstore_first_is_keyfile(sn->store) &&
           yr_memstore_commit_next(sn->store, &token, &result))
        ;
    yr_memstore_crash_during_keyfile(sn->store, YR_SHRED_SLOT_LEN / 2);
}

static void commit(struct sim *sim, struct sim_node *sn)
{
    uint64_t token;
    enum yr_err result;

    sn->commits++;
    if (sn->fail_commit == sn->commits)
        yr_memstore_fail(sn->store, sn->fail_err, sn->fail_count);
    if (sn->crash_commit == sn->commits && !sn->crash_after) {
        if (sn->crash_within)
            commit_group(sn);
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

static void happen(struct sim *sim, struct happening *h)
{
    struct sim_node *sn;

    if (h->what == TRANSIT && !sim_arrive(sim, h))
        return;
    sn = sim->nodes[h->node];
    if (sn->node == NULL || (h->what != PACKET && h->life != sn->life))
        return;
    note(sim, h->node, h->what, h->bytes, h->len);
    switch (h->what) {
    case PACKET:
        sn->traffic.in += h->len + (h->from.family == 6 ? 48 : 28);
        sn->traffic.packets_in++;
        yr_node_recv(sn->node, sim_now(sim, h->node), &h->from, h->bytes, h->len);
        break;
    case TRANSIT: break;
    case COMMIT: commit(sim, sn); break;
    case TICK:
        if (sn->tick_at != h->at)
            return; // an earlier one took its place
        sn->tick_at = YR_NEVER;
        if (++sn->ticks % 1000 == 0) { // I15
            sim_check(sim->time - sn->storm_us > 10 * YR_MS, "a node ticks without end");
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

void sim_notice(struct sim *sim, void (*changed)(void *, unsigned), void *ctx)
{
    sim->changed = changed;
    sim->changed_ctx = ctx;
}

/* ---- nodes ---- */

// The same with a ring of all blocks.
static void *realloc_block(struct sim_node *sn, void *ptr, size_t size)
{
    struct sim_block *b = ptr != NULL ? (struct sim_block *)ptr - 1 : NULL;

    if (b != NULL) {
        b->next->previous = b->previous;
        b->previous->next = b->next;
    }
    if (size == 0) {
        free(b);
        return NULL;
    }
    b = realloc(b, sizeof *b + size);
    sim_check(b != NULL, "out of memory");
    b->size = size;
    b->next = sn->blocks.next;
    b->previous = &sn->blocks;
    b->next->previous = sn->blocks.next = b;
    return b + 1;
}

static bool contains(const void *in, size_t in_len, const void *bytes, size_t len)
{
    const uint8_t *at = in, *end = at + in_len;

    while (in_len >= len && at + len <= end &&
           (at = memchr(at, *(const uint8_t *)bytes, (size_t)(end - at) - len + 1)) != NULL) {
        if (memcmp(at, bytes, len) == 0)
            return true;
        at++;
    }
    return false;
}

bool sim_has(const struct sim *sim, unsigned node, const void *bytes, size_t len)
{
    const struct sim_node *sn = sim->nodes[node];
    const struct yr_store_view *view = yr_memstore_view(sn->store);
    uint8_t key[YR_KEY_MAX] = {0};
    size_t key_len = 1;
    struct yr_kv kv;

    sim_check(sim->opts.scan, "memory was not watched");
    for (const struct sim_block *b = sn->blocks.next; b != &sn->blocks; b = b->next)
        if (contains(b + 1, b->size, bytes, len))
            return true;
    for (int db = 0; db < YR_DB_COUNT; db++) {
        enum yr_seek how = YR_SEEK_GE;
        memset(key, 0, sizeof key);
        for (key_len = 1; view->seek(view->ctx, (enum yr_db)db, how, key, key_len, &kv) == YR_OK;
             how = YR_SEEK_GT) {
            if (contains(kv.key, kv.key_len, bytes, len) ||
                contains(kv.value, kv.value_len, bytes, len))
                return true;
            memcpy(key, kv.key, key_len = kv.key_len);
        }
    }
    return false;
}

void sim_look_for(struct sim *sim, const void *bytes, size_t len)
{
    sim_check(len > 0 && len <= sizeof sim->wanted, "too much to look for");
    memcpy(sim->wanted, bytes, sim->wanted_len = len);
}

uint64_t sim_seen(const struct sim *sim)
{
    return sim->seen;
}

void sim_scan_packet(struct sim *sim, const uint8_t *bytes, size_t len)
{
    sim->seen += sim->wanted_len > 0 && contains(bytes, len, sim->wanted, sim->wanted_len);
}

static void *mem_realloc(void *ctx, void *ptr, size_t size)
{
    struct sim_node *sn = ctx;

    if (sn->sim->opts.scan && (size == 0 || sn->allocs + 1 != sn->refuse_at)) {
        sn->allocs += size > 0;
        return ptr == NULL && size == 0 ? NULL : realloc_block(sn, ptr, size);
    }
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (++sn->allocs == sn->refuse_at)
        return NULL;
    return realloc(ptr, size);
}

static void bootstrap(struct sim *sim, struct sim_node *sn, unsigned from)
{
    struct sim_node *other = sim->nodes[from];
    struct yr_net_info net;
    enum yr_err err;

    if (other->node != NULL) {
        yr_node_net(other->node, &net);
        memcpy(other->dht_pk, net.dht_pk, 32);
    }
    err = yr_node_bootstrap(sn->node, sim_now(sim, sn->index), &other->addr, other->dht_pk);
    sim_check(err == YR_OK, "a node of the DHT was not taken");
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
    opts.dht = sn->dht;
    opts.mail.keeper = sn->keeper;
    err = yr_node_new(&sn->node, &opts);
    sim_check(err == YR_OK, "a node could not be made");
    sn->life++;
    memset(sn->sockets, 0, sizeof sn->sockets);
    sn->tick_at = YR_NEVER;
    err = yr_node_unlock(sn->node, sim_now(sim, sn->index), sn->vk,
                         yr_memstore_shred_file(sn->store));
    if (err != YR_OK) {
        yr_node_free(sn->node);
        sn->node = NULL;
        return err;
    }
    sim_tell_addrs(sn);
    for (unsigned i = 0; i < sn->boot_count; i++)
        bootstrap(sim, sn, sn->boots[i]);
    drain(sim, sn);
    notice(sim, sn->index);
    return YR_OK;
}

unsigned sim_add_nobody(struct sim *sim)
{
    const unsigned i = sim->node_count;
    struct sim_node *sn = calloc(1, sizeof *sn);

    sim_check(sn != NULL && i < SIM_NODES_MAX, "too many nodes");
    sim->nodes[sim->node_count++] = sn;
    sn->sim = sim;
    sn->index = i;
    sn->drop = -1;
    sn->blocks.next = sn->blocks.previous = &sn->blocks;
    sn->mem.realloc = mem_realloc;
    sn->mem.ctx = sn;
    for (int k = 0; k < YR_MEM_COUNT; k++)
        sn->mem.cap[k] = (size_t)256 << 20;
    sn->rng = (struct yr_rng){node_random, sn};
    sn->store = yr_memstore_new();
    sim_first_addr(sn);
    sn->dht = sim->opts.dht;
    for (size_t k = 0; k < sizeof sn->vk; k++)
        sn->vk[k] = (uint8_t)sim_prf(sim, STREAM_KEY, i, k);
    sim_check(start(sim, sn) == YR_OK, "a node could not start");
    return i;
}

unsigned sim_add(struct sim *sim, const char *nick)
{
    const unsigned i = sim_add_nobody(sim);
    struct sim_node *sn = sim->nodes[i];
    struct yr_cmd cmd = {.kind = YR_CMD_IDENTITY_NEW, .text = nick, .text_len = strlen(nick)};
    struct yr_self self;

    (void)sim_do(sim, i, &cmd);
    yr_node_self(sn->node, &self);
    memcpy(sn->id, self.id, sizeof sn->id);
    return i;
}

void sim_set_dht(struct sim *sim, unsigned node, enum yr_dht_mode mode)
{
    struct sim_node *sn = sim->nodes[node];

    sn->dht = mode;
    if (sn->node == NULL)
        return;
    yr_node_set_dht(sn->node, sim_now(sim, node), mode);
    drain(sim, sn);
}

void sim_keeper(struct sim *sim, unsigned node)
{
    const struct yr_mail_opts mail = {.hold = true, .keeper = true};
    struct sim_node *sn = sim->nodes[node];

    sn->keeper = true;
    yr_node_set_mail(sn->node, sim_now(sim, node), &mail);
    drain(sim, sn);
}

void sim_bootstrap(struct sim *sim, unsigned node, unsigned from)
{
    struct sim_node *sn = sim->nodes[node];

    sim_check(sn->boot_count < BOOTS_MAX, "too many nodes to start from");
    sn->boots[sn->boot_count++] = from;
    if (sn->node == NULL)
        return;
    bootstrap(sim, sn, from);
    drain(sim, sn);
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

void sim_cut(struct sim *sim, unsigned a, unsigned b, bool cut)
{
    sim_cut_way(sim, a, b, cut);
    sim_cut_way(sim, b, a, cut);
}

void sim_cut_way(struct sim *sim, unsigned from, unsigned to, bool cut)
{
    sim->cut[from][to] = cut;
    notice(sim, from);
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
    notice(sim, node);
}

void sim_leave(struct sim *sim, unsigned node)
{
    struct sim_node *sn = sim->nodes[node];

    yr_node_close(sn->node, sim_now(sim, node));
    drain(sim, sn);
    sim_crash(sim, node);
}

bool sim_alive(const struct sim *sim, unsigned node)
{
    return sim->nodes[node]->node != NULL;
}

void sim_restart(struct sim *sim, unsigned node)
{
    const enum yr_err err = sim_try_restart(sim, node);

    sim_check(err == YR_OK, yr_strerror(err));
}

enum yr_err sim_try_restart(struct sim *sim, unsigned node)
{
    sim_check(!sim_alive(sim, node), "the node is up");
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
    sim_check(err == YR_OK, yr_strerror(err));
    drain(sim, sn);
}

void sim_retire(struct sim *sim, unsigned node)
{
    struct sim_node *sn = sim->nodes[node];

    sim_crash(sim, node);
    for (int k = 0; k < YR_MEM_COUNT; k++)
        sim_check(sn->mem.used[k] == 0, "a node left memory behind");
    yr_memstore_free(sn->store);
    sn->store = NULL;
    sn->addr.port = 1; // where nothing goes
    sn->addr6.family = 0;
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
    sim->nodes[node]->crash_within = false;
}

void sim_crash_within(struct sim *sim, unsigned node, uint64_t commit_number)
{
    sim_crash_at(sim, node, commit_number, false);
    sim->nodes[node]->crash_within = true;
}

void sim_fail_at(struct sim *sim, unsigned node, uint64_t commit_number, enum yr_err err,
                 size_t count)
{
    sim->nodes[node]->fail_commit = commit_number;
    sim->nodes[node]->fail_err = err;
    sim->nodes[node]->fail_count = count;
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

    sim_check(err == YR_OK, yr_strerror(err));
    sim_check(sim_run_until(sim, 10 * YR_S, is_done, &t), "a command was not answered");
    sim_check(sim_done(sim, node, t.number)->err == YR_OK, "a command failed");
    return *sim_done(sim, node, t.number);
}

/* ---- replay ---- */

struct sim_traffic sim_traffic(const struct sim *sim, unsigned node)
{
    return sim->nodes[node]->traffic;
}

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
    const struct yr_addr from = sim_stranger();

    sim_deliver(sim, node, &from, bytes, len, sim->time + 1);
}

uint64_t sim_answers_to_strangers(const struct sim *sim)
{
    return sim->strangers;
}
