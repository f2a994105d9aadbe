#include "core/path/state.h"

static const char *const counter_names[] = {
#define X(NAME, text) text,
    YR_PATH_COUNT_MAP(X)
#undef X
};

enum yr_err yr_paths_new(struct yr_paths **out, struct yr_mem *mem, const struct yr_rng *rng,
                         struct yr_nat *nat, const struct yr_path_ops *ops)
{
    struct yr_paths *p = yr_alloc(mem, YR_MEM_NODE, sizeof *p);

    if (p == NULL)
        return YR_ENOMEM;
    p->mem = mem;
    p->rng = rng;
    p->nat = nat;
    p->ops = *ops;
    yr_keepalive_init(&p->keepalive);
    *out = p;
    return YR_OK;
}

void yr_paths_free(struct yr_paths *p)
{
    if (p != NULL)
        yr_free(p->mem, p);
}

/* ---- friends ---- */

void yr_paths_set(struct yr_paths *p, unsigned slot, const struct yr_pair *pair,
                  const struct yr_probe_clock *clock, struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];

    YR_ASSERT(slot < YR_FRIENDS_MAX);
    yr_paths_remove(p, slot);
    at->pair = pair;
    p->end = YR_MAX(p->end, slot + 1);
    at->clock = *clock;
    at->ours = clock->ours;
    yr_window_start(&at->theirs, clock->theirs);
    at->next_us = at->hurry_us = now.mono_us;
    at->need_us = now.mono_us + YR_PATH_SILENT_MS * YR_MS;
    at->answers = YR_PROBE_BURST;
    at->offers = YR_OFFER_BURST;
    at->answers_us = at->offers_us = now.mono_us;
    if (p->keepalive_us == 0)
        p->keepalive_us = now.mono_us + YR_KEEPALIVE_CALM_S * YR_S;
}

void yr_paths_remove(struct yr_paths *p, unsigned slot)
{
    struct yr_sought *at = &p->places[slot];
    size_t kept = 0;

    YR_ASSERT(slot < YR_FRIENDS_MAX);
    memset(&at->link, 0, sizeof at->link);
    if (p->birthday.on && p->birthday.slot == slot)
        p->birthday.on = false;
    yr_ports_settled(p, at);
    memset(at, 0, sizeof *at);
    // After a failed commit the clocks in what waits are not durable, whatever token comes next.
    for (size_t i = 0; i < p->queue_count; i++)
        if (p->queue[i].slot != slot)
            p->queue[kept++] = p->queue[i];
    p->queue_count = kept;
    for (size_t i = 0; i < YR_OFFERS_HELD; i++)
        if (p->held[i].slot == slot)
            p->held[i].used = false;
    for (size_t i = 0; i < YR_PROBES_OUT_MAX; i++)
        if (p->sent[i].slot == slot)
            p->sent[i].at = 0;
}

void yr_paths_block(struct yr_paths *p, unsigned slot, bool blocked, struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];

    YR_ASSERT(slot < YR_FRIENDS_MAX);
    if (at->blocked && !blocked) {
        at->rounds = at->needs = 0;
        at->next_us = now.mono_us;
        at->need_us = now.mono_us + YR_PATH_SILENT_MS * YR_MS;
    }
    if (blocked) { // nothing that was begun goes on
        at->punch_us = 0;
        at->unsaid = 0;
        memset(at->late, 0, sizeof at->late);
    }
    at->blocked = blocked;
}

void yr_paths_moved(struct yr_paths *p, const struct yr_addr *own, size_t count, struct yr_now now)
{
    yr_nat_moved(p->nat, own, count);
    p->tells = 0;
    yr_ports_moved(p, now);
    for (unsigned slot = 0; slot < p->end; slot++) {
        yr_paths_doubt(p, slot, now);
        yr_paths_hurry(p, slot, now);
    }
}

/* ---- candidates ---- */

void yr_paths_learn(struct yr_paths *p, unsigned slot, const struct yr_addr *addr,
                    enum yr_addr_source source, struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];
    bool fresh;

    if (at->pair == NULL || !yr_addr_udp(addr) || addr->port == 0)
        return;
    (void)yr_candidates_learn(&at->known, addr, source, now.mono_us, &fresh);
    if (fresh)
        yr_seek_fresh(at, now);
}

void yr_paths_told(struct yr_paths *p, unsigned slot, const struct yr_addr *addrs, size_t count,
                   enum yr_addr_source source, bool loopback, struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];

    yr_candidates_told(&at->known, addrs, count, source);
    for (size_t i = 0; i < count && i < YR_ADDRS_MAX / 2; i++)
        if (yr_addr_askable(&addrs[i], loopback))
            yr_paths_learn(p, slot, &addrs[i], source, now);
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
    const struct yr_candidates *known = &p->places[slot].known;

    if (i >= known->count)
        return false;
    *addr = known->list[i].addr;
    *source = known->list[i].source;
    return true;
}

/* ---- in and out ---- */

void yr_paths_recv(struct yr_paths *p, struct yr_now now, const struct yr_addr *from,
                   const uint8_t *packet, size_t len)
{
    if (len > 0 && packet[0] == YR_SIGNAL_TYPE)
        yr_offer_signal(p, packet, len);
    else
        yr_probe_recv(p, now, from, packet, len);
}

void yr_paths_release(struct yr_paths *p, uint64_t durable, struct yr_now now)
{
    p->durable = durable;
    yr_offer_release(p, now);
}

size_t yr_paths_poll(struct yr_paths *p, struct yr_now now, struct yr_addr *to, uint8_t *buf,
                     size_t cap)
{
    for (size_t i = 0; i < p->queue_count; i++) {
        struct yr_packet_out *out = &p->queue[i];
        if (out->token > p->durable || cap < YR_PROBE_LEN)
            continue;
        *to = out->to;
        memcpy(buf, out->bytes, YR_PROBE_LEN);
        memmove(out, out + 1, (p->queue_count - i - 1) * sizeof *out);
        p->queue_count--;
        return YR_PROBE_LEN;
    }
    return yr_nat_poll(p->nat, now, to, buf, cap);
}

// Others see us elsewhere than we have told: whoever cannot know is told.
static void tell_news(struct yr_paths *p, struct yr_now now)
{
    if (p->told == p->nat->version || now.mono_us < p->tell_us)
        return;
    p->told = p->nat->version;
    p->tell_us = now.mono_us + (YR_TELL_S * YR_S << YR_MIN(p->tells, YR_TELLS_MAX));
    p->tells++;
    for (unsigned slot = 0; slot < p->end; slot++) {
        struct yr_sought *at = &p->places[slot];
        if (at->pair == NULL || at->blocked)
            continue;
        if (yr_paths_lost(p, slot))
            at->need_us = now.mono_us;
        else
            yr_paths_tell(p, slot, now);
    }
}

// A port mapping is believed while somebody comes that way: a friend with a link is asked to.
static void check_mapped(struct yr_paths *p, struct yr_now now)
{
    if (p->nat->mapped.family == 0 || now.mono_us < p->mapped_us)
        return;
    p->mapped_us = now.mono_us + YR_NAT_ASK_S * YR_S;
    for (unsigned i = 0; i < p->end; i++) {
        struct yr_sought *at = &p->places[++p->mapped_slot % p->end];
        if (at->pair == NULL || at->blocked || at->doubt || !yr_addr_udp(&at->link) ||
            yr_seek_reach(p, at, &at->link) == YR_REACH_LAN)
            continue;
        yr_paths_tell(p, p->mapped_slot % p->end, now);
        return;
    }
}

void yr_paths_tick(struct yr_paths *p, struct yr_now now)
{
    tell_news(p, now);
    check_mapped(p, now);
    for (unsigned slot = 0; slot < p->end; slot++) {
        if (p->places[slot].pair == NULL)
            continue;
        yr_seek_tick(p, &p->places[slot], now);
        yr_probe_late(p, &p->places[slot], now);
    }
    yr_ports_tick(p, now);
    yr_nat_tick(p->nat, now);
}

yr_us yr_paths_deadline(const struct yr_paths *p)
{
    yr_us due = YR_MIN(yr_ports_deadline(p), yr_nat_deadline(p->nat));

    if (p->told != p->nat->version)
        due = YR_MIN(due, p->tell_us);
    if (p->nat->mapped.family != 0)
        due = YR_MIN(due, p->mapped_us);
    for (unsigned slot = 0; slot < p->end; slot++) {
        const struct yr_sought *at = &p->places[slot];
        if (at->pair == NULL)
            continue;
        due = YR_MIN(due, yr_seek_deadline(p, at));
        due = YR_MIN(due, yr_probe_late_due(at));
    }
    return due;
}

/* ---- what is known ---- */

void yr_paths_info(const struct yr_paths *p, unsigned slot, struct yr_path_info *out)
{
    const struct yr_sought *at = &p->places[slot];
    const yr_us due = at->pair != NULL ? yr_seek_deadline(p, at) : YR_NEVER;

    out->candidates = (unsigned)(at->known.count + p->peer_count);
    out->rounds = at->rounds;
    out->asked_ms = at->asked_ms;
    out->answered_ms = at->answered_ms;
    out->next_us = due;
}

struct yr_counter yr_paths_counter(const struct yr_paths *p, size_t i)
{
    if (i >= YR_PATH_N_COUNT)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], p->counts[i]};
}

unsigned yr_paths_keepalive(const struct yr_paths *p, bool *learned)
{
    *learned = p->keepalive.known;
    return yr_keepalive_s(&p->keepalive);
}

size_t yr_paths_networks(const struct yr_paths *p, uint8_t out[YR_NETWORKS_ROW_MAX])
{
    struct yr_wr wr = yr_wr_init(out, YR_NETWORKS_ROW_MAX);

    for (size_t i = 0; i < p->network_count; i++) {
        yr_wr_bytes(&wr, p->networks[i].key, sizeof p->networks[i].key);
        yr_wr_u16(&wr, p->networks[i].keepalive_s);
        yr_wr_u64(&wr, p->networks[i].used_s);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

enum yr_err yr_paths_networks_load(struct yr_paths *p, const uint8_t *row, size_t len)
{
    struct yr_network networks[YR_NETWORKS_MAX];
    struct yr_rd rd = yr_rd_init(row, len);
    size_t count = 0;

    while (yr_rd_left(&rd) > 0 && count < YR_NETWORKS_MAX) {
        yr_rd_copy(&rd, networks[count].key, sizeof networks[count].key);
        networks[count].keepalive_s = yr_rd_u16(&rd);
        networks[count++].used_s = yr_rd_u64(&rd);
    }
    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    p->network_count = count;
    if (count > 0)
        memcpy(p->networks, networks, count * sizeof networks[0]);
    return YR_OK;
}
