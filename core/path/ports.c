/* core/path/ports.c: extra sockets: to be found by a friend behind a hard NAT, and to find out how
 * long the network remembers. */
#include "core/path/state.h"

/* ---- sockets ---- */

uint16_t yr_ports_open(struct yr_paths *p, uint8_t family, unsigned slot)
{
    for (uint16_t i = 1; i <= YR_SOCKETS_MAX; i++) {
        if (p->sockets[i].state != YR_SOCKET_FREE)
            continue;
        p->sockets[i] =
            (struct yr_socket){.state = YR_SOCKET_OPENING, .family = family, .slot = slot};
        p->sockets_due++;
        return i;
    }
    return 0;
}

void yr_ports_shut(struct yr_paths *p, uint16_t local)
{
    struct yr_socket *s = &p->sockets[local];

    if (local == 0 || s->state == YR_SOCKET_FREE || s->state == YR_SOCKET_SHUTTING)
        return;
    if (s->state == YR_SOCKET_OPENING) { // the host has not heard of it
        s->state = YR_SOCKET_FREE;
        p->sockets_due--;
        return;
    }
    s->state = YR_SOCKET_SHUTTING;
    p->sockets_due++;
}

bool yr_paths_socket(struct yr_paths *p, struct yr_addr *which, bool *open)
{
    for (uint16_t i = 1; p->sockets_due > 0 && i <= YR_SOCKETS_MAX; i++) {
        struct yr_socket *s = &p->sockets[i];
        if (s->state != YR_SOCKET_OPENING && s->state != YR_SOCKET_SHUTTING)
            continue;
        *which = (struct yr_addr){.family = s->family, .local = i};
        *open = s->state == YR_SOCKET_OPENING;
        s->state = *open ? YR_SOCKET_OPEN : YR_SOCKET_FREE;
        p->sockets_due--;
        return true;
    }
    return false;
}

// All that was opened for this friend, but the one that carries the link.
static void shut_all(struct yr_paths *p, struct yr_sought *at)
{
    for (uint16_t i = 1; i <= YR_SOCKETS_MAX; i++) {
        const struct yr_socket *s = &p->sockets[i];
        if (s->state == YR_SOCKET_FREE || s->slot != yr_sought_slot(p, at) || i == at->link.local ||
            i == p->keepalive_local)
            continue;
        yr_candidates_shut(&at->known, i);
        yr_ports_shut(p, i);
    }
}

void yr_ports_settled(struct yr_paths *p, struct yr_sought *at)
{
    if (p->birthday.on && p->birthday.slot == yr_sought_slot(p, at)) {
        if (!yr_addr_udp(&at->link))
            return; // not yet
        p->birthday.on = false;
    }
    shut_all(p, at);
}

/* ---- birthday ---- */

static bool depends(enum yr_nat_kind kind)
{
    return kind == YR_NAT_ADDRESS || kind == YR_NAT_PORT;
}

bool yr_ports_may_guess(const struct yr_paths *p, const struct yr_sought *at)
{
    return depends(yr_nat_mapping(p->nat)) != depends(at->mapping) && at->outside.family == 4;
}

bool yr_ports_birthday(struct yr_paths *p, struct yr_sought *at, bool asked, struct yr_now now)
{
    const unsigned slot = yr_sought_slot(p, at);
    const bool hard = depends(yr_nat_mapping(p->nat));

    if (p->birthday.on || !yr_ports_may_guess(p, at) || now.mono_us < at->birthday_us ||
        (!asked && !p->ops.waiting(p->ops.ctx, slot)))
        return false;
    // What friends make us send where they say is bounded for all of them together.
    if (asked && now.mono_us < p->asked_us)
        return false;
    if (asked)
        p->asked_us = now.mono_us + YR_BIRTHDAY_AGAIN_S * YR_S;
    at->birthday_us =
        now.mono_us + (at->birthdays++ % 2 == 0 ? YR_BIRTHDAY_AGAIN_S : YR_BIRTHDAY_REST_S) * YR_S;
    if (hard && yr_nat_rationed(p->nat)) {
        p->counts[YR_PATH_N_RATIONED]++;
        p->ops.note(p->ops.ctx, slot, YR_WAY_BIRTHDAY, YR_OUT_REFUSED, NULL);
        return false;
    }
    p->counts[YR_PATH_N_BIRTHDAYS]++;
    p->ops.note(p->ops.ctx, slot, YR_WAY_BIRTHDAY, YR_OUT_TRYING, NULL);
    yr_birthday_start(&p->birthday, p->rng, slot, hard, &at->outside, now.mono_us);
    return true;
}

static void birthday_tick(struct yr_paths *p, struct yr_now now)
{
    struct yr_birthday *b = &p->birthday;
    struct yr_sought *at = &p->places[b->slot];
    uint16_t port;

    if (!b->on)
        return;
    if (at->pair == NULL || at->blocked || yr_birthday_over(b, now.mono_us)) {
        b->on = false;
        shut_all(p, at);
        if (at->pair != NULL)
            p->ops.note(p->ops.ctx, b->slot, YR_WAY_BIRTHDAY, YR_OUT_SILENT, NULL);
        return;
    }
    while (p->queue_count < YR_PROBE_QUEUE_MAX / 2 && yr_birthday_next(b, now.mono_us, &port)) {
        struct yr_addr to = b->at;
        if (!b->hard)
            to.port = port;
        else if ((to.local = yr_ports_open(p, 4, b->slot)) == 0)
            break;
        yr_probe_to(p, at, &to, YR_FOR_FINDING, 0, now);
    }
}

/* ---- keepalive ---- */

static struct yr_network *network(struct yr_paths *p, const uint8_t key[16])
{
    for (size_t i = 0; i < p->network_count; i++)
        if (memcmp(p->networks[i].key, key, 16) == 0)
            return &p->networks[i];
    return NULL;
}

static void remember(struct yr_paths *p, struct yr_now now)
{
    struct yr_network *place;
    uint8_t key[16];

    yr_nat_network(p->nat, key);
    if ((place = network(p, key)) == NULL && p->network_count < YR_NETWORKS_MAX)
        place = &p->networks[p->network_count++];
    if (place == NULL) {
        place = &p->networks[0];
        for (size_t i = 1; i < p->network_count; i++)
            if (p->networks[i].used_s < place->used_s)
                place = &p->networks[i];
    }
    memcpy(place->key, key, sizeof key);
    place->keepalive_s = (uint16_t)yr_keepalive_s(&p->keepalive);
    place->used_s = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000;
}

static void keepalive_done(struct yr_paths *p, struct yr_now now)
{
    yr_ports_shut(p, p->keepalive_local);
    p->keepalive_local = 0;
    remember(p, now);
    p->ops.keepalive(p->ops.ctx, yr_keepalive_s(&p->keepalive), true);
}

// Whom to ask: a friend beyond our NAT, over a link that has been there for a while.
static struct yr_sought *whom(struct yr_paths *p, struct yr_now now)
{
    for (unsigned i = 1; i <= YR_FRIENDS_MAX; i++) {
        struct yr_sought *at = &p->places[(p->keepalive_slot + i) % YR_FRIENDS_MAX];
        if (at->pair != NULL && !at->blocked && !at->doubt && at->link.family == 4 &&
            at->link.local == 0 && yr_seek_reach(p, at, &at->link) != YR_REACH_LAN &&
            now.mono_us >= at->linked_us + YR_KEEPALIVE_CALM_S * YR_S)
            return at;
    }
    return NULL;
}

static void keepalive_ask(struct yr_paths *p, struct yr_now now)
{
    struct yr_sought *at = &p->places[p->keepalive_slot];
    struct yr_addr to;
    uint8_t key[16];
    const struct yr_network *known;

    p->keepalive_us = now.mono_us + YR_KEEPALIVE_CALM_S * YR_S;
    yr_nat_network(p->nat, key);
    if (p->keepalive.tests == 0 && (known = network(p, key)) != NULL) {
        yr_keepalive_known(&p->keepalive, known->keepalive_s);
        p->ops.keepalive(p->ops.ctx, yr_keepalive_s(&p->keepalive), false);
        return;
    }
    // One friend is asked to the end, if he is one until then.
    if (p->keepalive.low != 0 && (at->pair == NULL || at->blocked)) {
        yr_ports_shut(p, p->keepalive_local);
        p->keepalive_local = 0;
        yr_keepalive_init(&p->keepalive);
    }
    if (p->keepalive.low == 0 && (at = whom(p, now)) == NULL)
        return;
    if (at->pair == NULL || at->link.family != 4)
        return; // he has gone: later
    p->keepalive_slot = yr_sought_slot(p, at);
    if (p->keepalive_local == 0)
        p->keepalive_local = yr_ports_open(p, 4, p->keepalive_slot);
    if (p->keepalive_local == 0)
        return;
    to = at->link;
    to.local = p->keepalive_local;
    yr_probe_to(p, at, &to, YR_FOR_KEEPALIVE, (uint8_t)yr_keepalive_ask(&p->keepalive, now.mono_us),
                now);
}

void yr_ports_keepalive_answer(struct yr_paths *p, unsigned slot, struct yr_now now)
{
    if (slot != p->keepalive_slot || !p->keepalive.asking)
        return;
    if (yr_keepalive_answer(&p->keepalive, now.mono_us))
        keepalive_done(p, now);
    else if (!p->keepalive.asking)
        p->keepalive_us = now.mono_us;
}

static void keepalive_tick(struct yr_paths *p, struct yr_now now)
{
    bool next;

    if (p->keepalive.asking) {
        if (yr_keepalive_tick(&p->keepalive, now.mono_us, &next))
            keepalive_done(p, now);
        else if (!p->keepalive.asking)
            p->keepalive_us = now.mono_us;
        if (next) { // another socket for another friend: the NAT knows nothing of it
            yr_ports_shut(p, p->keepalive_local);
            p->keepalive_local = 0;
        }
    }
    if (yr_keepalive_asks(&p->keepalive) && now.mono_us >= p->keepalive_us)
        keepalive_ask(p, now);
}

/* ---- together ---- */

void yr_ports_moved(struct yr_paths *p, struct yr_now now)
{
    yr_ports_shut(p, p->keepalive_local);
    p->keepalive_local = 0;
    if (p->birthday.on) {
        p->birthday.on = false;
        shut_all(p, &p->places[p->birthday.slot]);
    }
    yr_keepalive_init(&p->keepalive);
    p->keepalive_us = now.mono_us + YR_KEEPALIVE_CALM_S * YR_S;
    p->ops.keepalive(p->ops.ctx, yr_keepalive_s(&p->keepalive), false);
}

void yr_ports_tick(struct yr_paths *p, struct yr_now now)
{
    birthday_tick(p, now);
    keepalive_tick(p, now);
}

yr_us yr_ports_deadline(const struct yr_paths *p)
{
    yr_us due = YR_NEVER;

    if (p->birthday.on && p->queue_count < YR_PROBE_QUEUE_MAX / 2)
        due = yr_birthday_deadline(&p->birthday);
    if (p->keepalive.asking)
        due = YR_MIN(due, yr_keepalive_deadline(&p->keepalive));
    else if (yr_keepalive_asks(&p->keepalive))
        due = YR_MIN(due, p->keepalive_us);
    return due;
}
