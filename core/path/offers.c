/* core/path/offers.c: telling a friend where we are, and acting on what he tells. */
#include "core/path/state.h"

#define STALE_MS 60000 // a signal is this much older than the friend's last probe: it was held back

static void add_addr(struct yr_offer *offer, const struct yr_addr *addr, bool unsure)
{
    for (size_t i = 0; i < offer->addr_count; i++)
        if (yr_addr_eq(&offer->addrs[i].addr, addr))
            return;
    if (offer->addr_count == YR_COUNT(offer->addrs))
        return;
    offer->addrs[offer->addr_count].addr = *addr;
    offer->addrs[offer->addr_count++].unsure = unsure;
}

static void fill(struct yr_paths *p, struct yr_sought *at, struct yr_offer *offer, unsigned flags,
                 struct yr_now now)
{
    enum yr_own_source source;
    struct yr_addr addr;

    memset(offer, 0, sizeof *offer);
    p->ops.here(p->ops.ctx, yr_sought_slot(p, at), offer);
    // After a restart signals are ahead of the clock: this is newer than they.
    offer->ms = YR_MAX((uint64_t)YR_MAX(now.wall_ms, 0), at->clock.signal_ours);
    offer->flags = flags;
    yr_random(p->rng, offer->random, sizeof offer->random);
    offer->mapping = yr_nat_mapping(p->nat);
    offer->filtering = yr_nat_filtering(p->nat, now);
    if (yr_addr_udp(&at->link) && !at->doubt)
        offer->seen = at->link;
    for (size_t i = 0; yr_nat_own_at(p->nat, now, i, &addr, &source); i++)
        add_addr(offer, &addr, false);
    // Not for keeping, but for a probe: our address outside, though our port is another there for
    // each who looks; and what a gateway claims, until somebody came that way.
    if (yr_nat_outside(p->nat, 4, &addr))
        add_addr(offer, &addr, true);
    if (p->nat->mapped.family != 0)
        add_addr(offer, &p->nat->mapped, true);
}

/* ---- out ---- */

static struct yr_held *hold(struct yr_paths *p, struct yr_sought *at, bool out)
{
    struct yr_held *place = NULL;

    for (size_t i = 0; i < YR_OFFERS_HELD; i++) {
        struct yr_held *held = &p->held[i];
        if (held->used && held->slot == yr_sought_slot(p, at) && held->out == out)
            return held; // the newer one says it better
        if (!held->used)
            place = held;
    }
    return place;
}

// It leaves when its clock is durable: see yr_offer_release.
static void send_signal(struct yr_paths *p, struct yr_sought *at, const struct yr_offer *offer,
                        struct yr_now now)
{
    struct yr_held *held = hold(p, at, true);
    uint64_t ms = (uint64_t)YR_MAX(now.wall_ms, 0);
    unsigned before; // what the one asked for that has not left yet

    at->unsaid = held == NULL ? offer->flags : 0; // said when there is room
    if (held == NULL)
        return;
    before = held->used ? held->offer.flags : 0;
    // Never below the clock of probes: by that the friend tells what was held back.
    ms = YR_MAX(YR_MAX(ms, at->ours), at->clock.signal_ours) + 1;
    at->clock.signal_ours = ms;
    at->token = p->ops.clock(p->ops.ctx, yr_sought_slot(p, at), &at->clock);
    *held = (struct yr_held){
        .used = true, .out = true, .slot = yr_sought_slot(p, at), .token = at->token};
    held->offer = *offer;
    held->offer.ms = ms;
    held->offer.flags |= before;
}

void yr_offer_send(struct yr_paths *p, struct yr_sought *at, unsigned flags, struct yr_now now)
{
    const unsigned slot = yr_sought_slot(p, at);
    uint8_t body[YR_OFFER_MAX];
    struct yr_offer offer;

    fill(p, at, &offer, flags, now);
    p->counts[YR_PATH_N_OFFERS]++;
    if (at->link.family != 0 && !at->doubt)
        (void)!p->ops.frame(p->ops.ctx, slot, body,
                            yr_offer_encode(body, &offer, YR_OWN_ADDRS_MAX));
    else if (p->ops.can_signal(p->ops.ctx, slot))
        send_signal(p, at, &offer, now);
}

void yr_paths_tell(struct yr_paths *p, unsigned slot, struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];
    uint8_t body[YR_OFFER_MAX];
    struct yr_offer offer;

    if (at->pair == NULL)
        return;
    fill(p, at, &offer, 0, now);
    (void)!p->ops.frame(p->ops.ctx, slot, body, yr_offer_encode(body, &offer, YR_OWN_ADDRS_MAX));
}

/* ---- in ---- */

static bool may_act(struct yr_sought *at, struct yr_now now)
{
    at->offers += (double)(now.mono_us - at->offers_us) / (double)(YR_OFFER_S * YR_S);
    at->offers_us = now.mono_us;
    if (at->offers > YR_OFFER_BURST)
        at->offers = YR_OFFER_BURST;
    if (at->offers < 1)
        return false;
    at->offers--;
    return true;
}

// We are not among those we send to.
static bool is_us(const struct yr_paths *p, const struct yr_addr *addr, struct yr_now now)
{
    enum yr_own_source source;
    struct yr_addr own;

    for (size_t i = 0; yr_nat_own_at(p->nat, now, i, &own, &source); i++)
        if (yr_addr_eq(&own, addr))
            return true;
    return false;
}

static void take_addrs(struct yr_paths *p, struct yr_sought *at, const struct yr_offer *offer,
                       struct yr_now now)
{
    const bool loopback = yr_addr_loopback(&at->link);
    struct yr_addr sure[YR_OWN_ADDRS_MAX];
    size_t count = 0;

    memset(&at->outside, 0, sizeof at->outside);
    for (size_t i = 0; i < offer->addr_count; i++) {
        const struct yr_addr *addr = &offer->addrs[i].addr;
        const bool outside = addr->family == 4 && !yr_addr_private(addr);
        if (!yr_addr_askable(addr, loopback) || is_us(p, addr, now))
            continue;
        if (!offer->addrs[i].unsure)
            sure[count++] = *addr;
        // Of a NAT that depends on who looks, only the address is right, and it is not sure.
        if (outside && (at->outside.family == 0 || offer->addrs[i].unsure))
            at->outside = *addr;
    }
    yr_paths_told(p, yr_sought_slot(p, at), sure, count, YR_ADDR_TOLD, loopback, now);
    for (size_t i = 0; i < offer->addr_count; i++)
        if (offer->addrs[i].unsure && yr_addr_askable(&offer->addrs[i].addr, loopback) &&
            !is_us(p, &offer->addrs[i].addr, now))
            yr_probe_to(p, at, &offer->addrs[i].addr, YR_FOR_FINDING, 0, now);
}

static void take(struct yr_paths *p, struct yr_sought *at, const struct yr_offer *offer,
                 bool signal, struct yr_now now)
{
    const unsigned slot = yr_sought_slot(p, at);

    if (!may_act(at, now)) {
        p->counts[YR_PATH_N_DROP_BUCKET]++;
        return;
    }
    p->counts[YR_PATH_N_OFFERS_IN]++;
    at->mapping = offer->mapping;
    take_addrs(p, at, offer, now);
    if (!signal)
        yr_nat_seen(p->nat, now, &at->link, &offer->seen);
    else
        p->ops.note(p->ops.ctx, slot, YR_WAY_SIGNAL, YR_OUT_WORKED, NULL);
    p->ops.told(p->ops.ctx, slot, offer);
    if ((offer->flags & YR_OFFER_PUNCH) == 0)
        return;
    if (signal)
        yr_paths_doubt(p, slot, now); // he has no link to us, whatever we believe
    if (yr_addr_udp(&at->link) && !at->doubt)
        return;
    if ((offer->flags & YR_OFFER_ANSWER) != 0)
        yr_offer_send(p, at, YR_OFFER_PUNCH, now);
    yr_seek_punch(p, at, now);
    if ((offer->flags & YR_OFFER_ANSWER) != 0)
        yr_seek_stir(p, at, now);
    if ((offer->flags & YR_OFFER_MANY) != 0)
        (void)yr_ports_birthday(p, at, true, now);
}

enum yr_err yr_paths_frame(struct yr_paths *p, unsigned slot, const uint8_t *body, size_t len,
                           struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];
    struct yr_offer offer;

    if (yr_offer_decode(&offer, body, len) != YR_OK)
        return YR_EPROTO;
    if (at->pair != NULL && !at->blocked)
        take(p, at, &offer, false, now);
    return YR_OK;
}

static struct yr_sought *find_by_hint(struct yr_paths *p, const uint8_t *packet)
{
    for (unsigned slot = 0; slot < p->end; slot++) {
        struct yr_sought *at = &p->places[slot];
        if (at->pair != NULL && !at->blocked && yr_signal_is(at->pair, packet))
            return at;
    }
    return NULL;
}

void yr_offer_signal(struct yr_paths *p, const uint8_t *packet, size_t len)
{
    struct yr_sought *at;
    struct yr_offer offer;
    struct yr_held *held;

    if (len != YR_SIGNAL_BYTES) {
        p->counts[YR_PATH_N_DROP_FORM]++;
    } else if ((at = find_by_hint(p, packet)) == NULL) {
        p->counts[YR_PATH_N_DROP_HINT]++;
    } else if (yr_signal_open(&offer, at->pair, packet, len) != YR_OK) {
        p->counts[YR_PATH_N_DROP_AEAD]++;
    } else if (offer.ms <= at->clock.signal_theirs || offer.ms > UINT64_MAX / 2 ||
               offer.ms + STALE_MS < at->heard_ms) {
        p->counts[YR_PATH_N_DROP_CLOCK]++;
    } else if ((held = hold(p, at, false)) == NULL) {
        p->counts[YR_PATH_N_DROP_ROOM]++;
    } else {
        if (held->used)
            offer.flags |= held->offer.flags; // what that one asked for is not done yet
        at->clock.signal_theirs = offer.ms;
        at->token = p->ops.clock(p->ops.ctx, yr_sought_slot(p, at), &at->clock);
        *held = (struct yr_held){
            .used = true, .slot = yr_sought_slot(p, at), .token = at->token, .offer = offer};
    }
}

// What is waiting when many are looked for at once goes in turn, a commit after the other.
static void say_unsaid(struct yr_paths *p, struct yr_now now)
{
    for (unsigned slot = 0; slot < p->end; slot++) {
        struct yr_sought *at = &p->places[slot];
        const unsigned flags = at->unsaid;
        if (flags == 0)
            continue;
        if (hold(p, at, true) == NULL)
            return;
        at->unsaid = 0;
        if (yr_paths_lost(p, slot))
            yr_offer_send(p, at, flags, now);
    }
}

static void release(struct yr_paths *p, struct yr_now now)
{
    uint8_t packet[YR_SIGNAL_BYTES];

    for (size_t i = 0; i < YR_OFFERS_HELD; i++) {
        struct yr_held *held = &p->held[i];
        struct yr_sought *at = &p->places[held->slot];
        if (!held->used || held->token > p->durable)
            continue;
        held->used = false;
        if (at->blocked)
            continue;
        if (!held->out) {
            const struct yr_offer offer = held->offer; // the answer may take its place
            take(p, at, &offer, true, now);
            continue;
        }
        yr_signal_seal(packet, at->pair, &held->offer, p->rng);
        p->ops.signal(p->ops.ctx, held->slot, packet, sizeof packet);
        p->ops.note(p->ops.ctx, held->slot, YR_WAY_SIGNAL, YR_OUT_TRYING, NULL);
    }
}

void yr_offer_release(struct yr_paths *p, struct yr_now now)
{
    release(p, now);
    say_unsaid(p, now);
}
