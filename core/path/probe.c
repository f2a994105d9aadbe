/* core/path/probe.c: probes and their answers.
 *
 * Every probe has a clock value and random bytes of its own.  Values are made durable some seconds
 * ahead, so that a round is no commit; a value is answered once, be it on time or a second late. */
#include "core/path/state.h"

bool yr_probe_room(const struct yr_paths *p, const struct yr_sought *at)
{
    return YR_PROBE_QUEUE_MAX - p->queue_count >= at->known.count + p->peer_count + 1;
}
static_assert(YR_ADDRS_MAX + YR_PEERS_MAX + 1 <= YR_PROBE_QUEUE_MAX, "a round fits");

static void commit(struct yr_paths *p, struct yr_sought *at)
{
    at->token = p->ops.clock(p->ops.ctx, yr_sought_slot(p, at), &at->clock);
}

uint64_t yr_probe_clock(struct yr_paths *p, struct yr_sought *at, struct yr_now now)
{
    const uint64_t wall = (uint64_t)YR_MAX(now.wall_ms, 0);

    at->ours = YR_MAX(at->ours + 1, wall);
    if (at->ours > at->clock.ours) {
        at->clock.ours = at->ours + YR_PROBE_LEASE_MS;
        commit(p, at);
    }
    return at->ours;
}

static bool queue(struct yr_paths *p, struct yr_sought *at, const struct yr_addr *to,
                  const struct yr_probe *probe)
{
    struct yr_packet_out *out;

    if (p->queue_count == YR_PROBE_QUEUE_MAX) {
        p->counts[YR_PATH_N_DROP_ROOM]++;
        return false;
    }
    out = &p->queue[p->queue_count++];
    out->to = *to;
    out->slot = yr_sought_slot(p, at);
    out->token = at->token;
    yr_probe_seal(out->bytes, at->pair, probe, p->rng);
    p->counts[probe->type == YR_PROBE ? YR_PATH_N_PROBES : YR_PATH_N_ANSWERS]++;
    return true;
}

void yr_probe_to(struct yr_paths *p, struct yr_sought *at, const struct yr_addr *to,
                 enum yr_probe_for purpose, uint8_t delay_s, struct yr_now now)
{
    struct yr_probe probe = {.type = YR_PROBE, .addr = *to, .delay_s = delay_s};
    struct yr_probe_sent *sent = &p->sent[p->sent_at];

    probe.ms = yr_probe_clock(p, at, now);
    yr_random(p->rng, probe.random, sizeof probe.random);
    if (!queue(p, at, to, &probe))
        return;
    p->sent_at = (p->sent_at + 1) % YR_PROBES_OUT_MAX;
    *sent = (struct yr_probe_sent){
        .slot = yr_sought_slot(p, at), .purpose = purpose, .to = *to, .at = now.mono_us};
    memcpy(sent->random, probe.random, sizeof sent->random);
    if (purpose == YR_FOR_FINDING)
        at->asked_ms = now.wall_ms;
}

void yr_probe_all(struct yr_paths *p, struct yr_sought *at, struct yr_now now)
{
    for (size_t i = 0; i < at->known.count; i++)
        yr_probe_to(p, at, &at->known.list[i].addr, YR_FOR_FINDING, 0, now);
    for (size_t i = 0; i < p->peer_count; i++)
        yr_probe_to(p, at, &p->peers[i], YR_FOR_FINDING, 0, now);
    if (at->doubt && !yr_addr_udp(&at->link))
        yr_probe_to(p, at, &at->link, YR_FOR_FINDING, 0, now);
}

/* ---- answering ---- */

static bool may_answer(struct yr_sought *at, struct yr_now now)
{
    at->answers += (double)(now.mono_us - at->answers_us) * YR_PROBE_RATE / (double)YR_S;
    at->answers_us = now.mono_us;
    if (at->answers > YR_PROBE_BURST)
        at->answers = YR_PROBE_BURST;
    if (at->answers < 1)
        return false;
    at->answers--;
    return true;
}

static void answer(struct yr_paths *p, struct yr_sought *at, const struct yr_addr *to,
                   const uint8_t random[16], struct yr_now now)
{
    struct yr_probe probe = {
        .type = YR_ANSWER, .ms = (uint64_t)YR_MAX(now.wall_ms, 0), .addr = *to};

    memcpy(probe.random, random, sizeof probe.random);
    (void)queue(p, at, to, &probe);
}

static void answer_later(struct yr_sought *at, const struct yr_addr *to,
                         const struct yr_probe *probe, struct yr_now now)
{
    for (size_t i = 0; i < YR_LATE_MAX; i++) {
        struct yr_late *late = &at->late[i];
        if (late->due_us != 0)
            continue;
        late->due_us = now.mono_us + YR_MIN(probe->delay_s, YR_LATE_S_MAX) * YR_S;
        late->to = *to;
        memcpy(late->random, probe->random, sizeof late->random);
        return;
    }
}

void yr_probe_late(struct yr_paths *p, struct yr_sought *at, struct yr_now now)
{
    for (size_t i = 0; i < YR_LATE_MAX; i++) {
        if (at->late[i].due_us == 0 || at->late[i].due_us > now.mono_us)
            continue;
        at->late[i].due_us = 0;
        answer(p, at, &at->late[i].to, at->late[i].random, now);
    }
}

yr_us yr_probe_late_due(const struct yr_sought *at)
{
    yr_us due = YR_NEVER;

    for (size_t i = 0; i < YR_LATE_MAX; i++)
        if (at->late[i].due_us != 0)
            due = YR_MIN(due, at->late[i].due_us);
    return due;
}

// A mark some way ahead is made durable: after a restart all below it counts as answered.
static void take(struct yr_paths *p, struct yr_sought *at, uint64_t ms)
{
    yr_window_take(&at->theirs, ms);
    at->heard_ms = YR_MAX(at->heard_ms, ms);
    if (ms <= at->clock.theirs)
        return;
    at->clock.theirs = ms + YR_PROBE_LEASE_MS / 2;
    commit(p, at);
}

static void got_probe(struct yr_paths *p, struct yr_sought *at, struct yr_now now,
                      const struct yr_addr *from, const struct yr_probe *probe)
{
    const unsigned slot = yr_sought_slot(p, at);

    // What is not far above the mark in force may have been answered before a restart.
    if (!yr_window_fresh(&at->theirs, probe->ms) || probe->ms > UINT64_MAX / 2) {
        p->counts[YR_PATH_N_DROP_CLOCK]++;
        return;
    }
    if (!may_answer(at, now)) {
        p->counts[YR_PATH_N_DROP_BUCKET]++;
        return;
    }
    take(p, at, probe->ms);
    yr_nat_heard(p->nat, now, from);
    yr_nat_reached(p->nat, now, &probe->addr);
    if (probe->delay_s > 0)
        answer_later(at, from, probe, now);
    else
        answer(p, at, from, probe->random, now);
    // From another port than the friend's own: it is no place to find him at later.
    if (yr_addr_udp(from) && probe->delay_s == 0)
        yr_paths_learn(p, slot, from, YR_ADDR_PROBED, now);
}

/* ---- being answered ---- */

static struct yr_probe_sent *find_sent(struct yr_paths *p, unsigned slot, const uint8_t random[16],
                                       struct yr_now now)
{
    for (size_t i = 0; i < YR_PROBES_OUT_MAX; i++) {
        struct yr_probe_sent *sent = &p->sent[i];
        if (sent->at != 0 && sent->slot == slot && yr_equal(sent->random, random, 16))
            return sent->purpose == YR_FOR_KEEPALIVE ||
                           now.mono_us <= sent->at + YR_PROBE_FRESH_S * YR_S
                       ? sent
                       : NULL;
    }
    return NULL;
}

static void got_answer(struct yr_paths *p, struct yr_sought *at, struct yr_now now,
                       const struct yr_addr *from, const struct yr_probe *probe)
{
    struct yr_probe_sent *sent = find_sent(p, yr_sought_slot(p, at), probe->random, now);
    enum yr_probe_for purpose;

    if (sent == NULL) {
        p->counts[YR_PATH_N_DROP_ROUND]++;
        return;
    }
    purpose = sent->purpose;
    sent->at = 0; // each answer counts once
    yr_nat_seen(p->nat, now, from, &probe->addr);
    if (purpose == YR_FOR_KEEPALIVE) {
        yr_ports_keepalive_answer(p, yr_sought_slot(p, at), now);
        return;
    }
    at->answered_ms = now.wall_ms;
    yr_seek_answered(p, at, from, now);
}

static struct yr_sought *find_by_hint(struct yr_paths *p, const uint8_t *packet, size_t len)
{
    for (unsigned slot = 0; slot < p->end; slot++) {
        struct yr_sought *at = &p->places[slot];
        if (at->pair != NULL && !at->blocked && yr_probe_is(at->pair, packet, len))
            return at;
    }
    return NULL;
}

void yr_probe_recv(struct yr_paths *p, struct yr_now now, const struct yr_addr *from,
                   const uint8_t *packet, size_t len)
{
    struct yr_probe probe;
    struct yr_sought *at;

    if (len != YR_PROBE_LEN) {
        p->counts[YR_PATH_N_DROP_FORM]++;
        return;
    }
    if (yr_nat_hairpin(p->nat, now, packet, len))
        return;
    if ((at = find_by_hint(p, packet, len)) == NULL) {
        p->counts[YR_PATH_N_DROP_HINT]++;
        return;
    }
    if (yr_probe_open(&probe, at->pair, packet, len) != YR_OK) {
        p->counts[YR_PATH_N_DROP_AEAD]++;
        return;
    }
    if (probe.type == YR_PROBE)
        got_probe(p, at, now, from, &probe);
    else
        got_answer(p, at, now, from, &probe);
}
