/* core/path/seek.c: what is done about one friend, and when. */
#include "core/path/state.h"

#define TRIPS        2   // answers in a row until a working link is moved
#define DIAL_S       2   // a dial is left alone for so long
#define BETTER_S     2   // after a link is up, until a better way is looked for
#define BETTER_TRIES 2   // ... if it is a direct one
#define FRESH_ROUNDS 8U  // a new address is tried as if so many rounds had been in vain
#define FRESH_S      60  // ... or, where a friend carries, so much later
#define CALM_ROUNDS  70  // once a minute for an hour, then ...
#define CALM_S       300 // ... so often

static bool unlinked(const struct yr_sought *at)
{
    return at->link.family == 0;
}

static bool relayed(const struct yr_sought *at)
{
    return !unlinked(at) && !yr_addr_udp(&at->link);
}

static bool urgent(const struct yr_sought *at)
{
    return at->pair != NULL && !at->blocked && (unlinked(at) || at->doubt);
}

bool yr_paths_lost(const struct yr_paths *p, unsigned slot)
{
    return urgent(&p->places[slot]);
}

enum yr_reach yr_seek_reach(const struct yr_paths *p, const struct yr_sought *at,
                            const struct yr_addr *addr)
{
    const struct yr_spot *c = yr_candidates_find(&at->known, addr);
    const struct yr_spot unknown = {.addr = *addr, .source = YR_ADDR_PROBED};

    return yr_candidate_rank(c != NULL ? c : &unknown, p->nat->own, p->nat->own_count);
}

static enum yr_reach link_reach(const struct yr_paths *p, const struct yr_sought *at)
{
    return yr_seek_reach(p, at, &at->link);
}

static bool better_known(const struct yr_paths *p, const struct yr_sought *at)
{
    const enum yr_reach now = link_reach(p, at);

    for (size_t i = 0; i < at->known.count; i++)
        if (yr_candidate_rank(&at->known.list[i], p->nat->own, p->nat->own_count) > now)
            return true;
    return false;
}

static void note(struct yr_paths *p, const struct yr_sought *at, enum yr_way way,
                 enum yr_outcome outcome, const struct yr_addr *addr)
{
    p->ops.note(p->ops.ctx, yr_sought_slot(p, at), way, outcome, addr);
}

static enum yr_way way_of(const struct yr_paths *p, const struct yr_sought *at,
                          const struct yr_addr *addr)
{
    const struct yr_spot *c = yr_candidates_find(&at->known, addr);

    if (!yr_addr_udp(addr))
        return YR_WAY_RELAY;
    if (p->birthday.on && &p->places[p->birthday.slot] == at &&
        (addr->local != 0 || (!p->birthday.hard && c != NULL && c->source == YR_ADDR_PROBED)))
        return YR_WAY_BIRTHDAY;
    if (yr_seek_reach(p, at, addr) == YR_REACH_LAN)
        return YR_WAY_LAN;
    if (c != NULL && c->source == YR_ADDR_PEER)
        return YR_WAY_PEER;
    return at->punch_us != 0 ? YR_WAY_PUNCH : YR_WAY_CACHED;
}

/* ---- the answers ---- */

static void move(struct yr_paths *p, struct yr_sought *at, const struct yr_addr *to,
                 struct yr_now now)
{
    p->counts[YR_PATH_N_MOVES]++;
    note(p, at, way_of(p, at, to), YR_OUT_WORKED, to);
    note(p, at, YR_WAY_MOVE, YR_OUT_WORKED, to);
    p->ops.move(p->ops.ctx, yr_sought_slot(p, at), to);
    yr_paths_linked(p, yr_sought_slot(p, at), to, now);
}

static void found(struct yr_paths *p, struct yr_sought *at, const struct yr_addr *to,
                  struct yr_now now)
{
    const enum yr_reach reach = yr_seek_reach(p, at, to);

    // One dial at a time; a newer one takes the place of one that is out, so it must be worth it.
    if (at->dialled_us != 0 && now.mono_us < at->dialled_us + DIAL_S * YR_S && reach <= at->dialled)
        return;
    at->dialled_us = now.mono_us;
    at->dialled = reach;
    p->counts[YR_PATH_N_FOUND]++;
    note(p, at, way_of(p, at, to), YR_OUT_WORKED, to);
    p->ops.found(p->ops.ctx, yr_sought_slot(p, at), to);
}

void yr_seek_answered(struct yr_paths *p, struct yr_sought *at, const struct yr_addr *from,
                      struct yr_now now)
{
    struct yr_spot *c;
    bool fresh;

    if (!yr_addr_udp(from)) {
        if (at->doubt && yr_addr_eq(from, &at->link))
            yr_paths_alive(p, yr_sought_slot(p, at), now);
        return;
    }
    c = yr_candidates_learn(&at->known, from, YR_ADDR_PROBED, now.mono_us, &fresh);
    if (c->answer_us + YR_PROBE_FRESH_S * YR_S < now.mono_us)
        c->trips = 0;
    c->trips++;
    c->answer_us = now.mono_us;
    at->rounds = 0;
    if (unlinked(at)) {
        at->next_us = now.mono_us + yr_backoff(0);
        at->rounds = 1;
        found(p, at, from, now);
    } else if (yr_addr_eq(from, &at->link)) {
        yr_paths_alive(p, yr_sought_slot(p, at), now);
    } else if (at->doubt) {
        move(p, at, from, now);
    } else if (yr_seek_reach(p, at, from) > link_reach(p, at)) {
        if (c->trips >= TRIPS)
            move(p, at, from, now);
        else
            yr_probe_to(p, at, from, YR_FOR_FINDING, 0, now);
    }
}

/* ---- the link ---- */

void yr_paths_linked(struct yr_paths *p, unsigned slot, const struct yr_addr *addr,
                     struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];
    const bool was = !unlinked(at), was_relayed = relayed(at);

    YR_ASSERT(slot < YR_FRIENDS_MAX);
    if (at->pair == NULL)
        return;
    if (addr == NULL) {
        memset(&at->link, 0, sizeof at->link);
        at->doubt = false;
        at->rounds = at->needs = at->tries = 0;
        at->next_us = now.mono_us;
        at->need_us = now.mono_us + YR_PATH_SILENT_MS * YR_MS;
        at->punch_us = 0;
        at->dialled_us = 0;
        return;
    }
    if (was && !at->doubt && yr_addr_eq(&at->link, addr))
        return;
    if (!was)
        at->linked_us = now.mono_us;
    at->link = *addr;
    at->doubt = false;
    at->rounds = at->needs = 0;
    at->dialled_us = 0;
    if (yr_addr_udp(addr)) {
        bool fresh;
        (void)yr_candidates_learn(&at->known, addr, YR_ADDR_LINKED, now.mono_us, &fresh);
        at->punch_us = 0;
        at->tries = 0;
        at->try_us = now.mono_us + BETTER_S * YR_S;
        yr_ports_settled(p, at);
    } else if (!was || !was_relayed) {
        at->tries = 0;
        at->try_us = now.mono_us;
    }
}

void yr_paths_alive(struct yr_paths *p, unsigned slot, struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];
    const struct yr_addr link = at->link;

    if (at->pair != NULL && at->doubt)
        yr_paths_linked(p, slot, &link, now);
}

void yr_paths_doubt(struct yr_paths *p, unsigned slot, struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];

    if (at->pair == NULL || unlinked(at) || at->doubt)
        return;
    at->doubt = true;
    at->doubt_us = now.mono_us;
    at->rounds = at->needs = at->tries = 0;
    at->next_us = at->need_us = now.mono_us;
}

void yr_paths_circuit(struct yr_paths *p, unsigned slot, const struct yr_addr *via,
                      struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];

    if (at->pair == NULL || at->blocked)
        return;
    if (unlinked(at))
        found(p, at, via, now);
    else if (at->doubt)
        move(p, at, via, now);
}

void yr_paths_hurry(struct yr_paths *p, unsigned slot, struct yr_now now)
{
    struct yr_sought *at = &p->places[slot];

    if (at->pair == NULL || now.mono_us < at->hurry_us)
        return;
    at->hurry_us = now.mono_us + YR_PROBE_HURRY_S * YR_S;
    if (urgent(at)) {
        at->rounds = at->needs = 0;
        at->next_us = now.mono_us;
        at->need_us = YR_MIN(at->need_us, now.mono_us + YR_PATH_SILENT_MS * YR_MS);
    } else if (relayed(at)) {
        at->try_us = YR_MIN(at->try_us, now.mono_us + YR_S);
        at->tries = YR_MIN(at->tries, 2U);
    }
}

void yr_seek_fresh(struct yr_sought *at, struct yr_now now)
{
    if (now.mono_us < at->hurry_us)
        return;
    at->hurry_us = now.mono_us + YR_PROBE_HURRY_S * YR_S;
    if (urgent(at)) {
        at->next_us = now.mono_us;
        at->rounds = YR_MIN(at->rounds, FRESH_ROUNDS);
    } else if (relayed(at)) {
        at->try_us = YR_MIN(at->try_us, now.mono_us + (at->tries < 3 ? 1 : FRESH_S) * YR_S);
    } else {
        at->try_us = now.mono_us + BETTER_S * YR_S;
        at->tries = 0;
    }
}

/* ---- time ---- */

void yr_seek_punch(struct yr_paths *p, struct yr_sought *at, struct yr_now now)
{
    (void)p;
    at->punch_us = now.mono_us;
    at->punch_round = 0;
}

void yr_seek_stir(struct yr_paths *p, struct yr_sought *at, struct yr_now now)
{
    if (!urgent(at) || at->needs < 3 || now.mono_us < at->stir_us || !yr_ports_may_guess(p, at) ||
        !p->ops.waiting(p->ops.ctx, yr_sought_slot(p, at)))
        return;
    at->stir_us = now.mono_us + YR_STIR_S * YR_S;
    at->needs = 1;
    at->need_us = now.mono_us + YR_S;
}

static bool punching(const struct yr_sought *at)
{
    return at->punch_us != 0 && at->punch_round < YR_PUNCH_ROUNDS;
}

static yr_us punch_due(const struct yr_sought *at)
{
    return at->punch_us + yr_punch_round(at->punch_round);
}

static bool may_better(const struct yr_sought *at)
{
    if (at->pair == NULL || at->blocked || unlinked(at) || at->doubt)
        return false;
    return relayed(at) || at->tries < BETTER_TRIES;
}

// Tell the friend to send as we do, at many ports if twice it was in vain and that may help.
static void offer(struct yr_paths *p, struct yr_sought *at, unsigned tries, struct yr_now now)
{
    unsigned flags = YR_OFFER_ANSWER | YR_OFFER_PUNCH;

    if (tries > 2 && yr_ports_birthday(p, at, false, now))
        flags |= YR_OFFER_MANY;
    yr_offer_send(p, at, flags, now);
}

static void ask_elsewhere(struct yr_paths *p, struct yr_sought *at, struct yr_now now)
{
    static const uint16_t wait_s[] = {1, 1, 2, 4, 8, 16, 30, 60};
    const unsigned times = at->needs++;

    for (size_t i = 0; i < at->known.count && times == 1; i++)
        note(p, at, way_of(p, at, &at->known.list[i].addr), YR_OUT_SILENT, &at->known.list[i].addr);
    at->need_us = now.mono_us + (times < YR_COUNT(wait_s) ? wait_s[times] : CALM_S) * YR_S;
    p->ops.need(p->ops.ctx, yr_sought_slot(p, at), times);
    offer(p, at, at->needs, now);
}

static void try_better(struct yr_paths *p, struct yr_sought *at, struct yr_now now)
{
    if (!relayed(at) && !better_known(p, at)) {
        at->tries = BETTER_TRIES; // until something is learnt
        return;
    }
    at->try_us = now.mono_us + yr_punch_retry(at->tries++);
    if (relayed(at)) {
        if (at->tries > 1)
            note(p, at, YR_WAY_PUNCH, YR_OUT_SILENT, NULL);
        note(p, at, YR_WAY_PUNCH, YR_OUT_TRYING, NULL);
        offer(p, at, at->tries + 1, now);
    }
    yr_seek_punch(p, at, now);
}

void yr_seek_tick(struct yr_paths *p, struct yr_sought *at, struct yr_now now)
{
    if (at->doubt && at->next_us <= now.mono_us &&
        p->ops.heard(p->ops.ctx, yr_sought_slot(p, at)) > at->doubt_us)
        yr_paths_alive(p, yr_sought_slot(p, at), now);
    if (urgent(at)) {
        if (at->next_us <= now.mono_us && yr_probe_room(p, at)) {
            if (at->rounds == 0)
                for (size_t i = 0; i < at->known.count; i++)
                    note(p, at, way_of(p, at, &at->known.list[i].addr), YR_OUT_TRYING,
                         &at->known.list[i].addr);
            yr_probe_all(p, at, now);
            at->next_us =
                now.mono_us + (at->rounds < CALM_ROUNDS ? yr_backoff(at->rounds) : CALM_S * YR_S);
            at->rounds++;
        }
        if (at->need_us <= now.mono_us)
            ask_elsewhere(p, at, now);
    } else if (may_better(at) && at->try_us <= now.mono_us) {
        try_better(p, at, now);
    }
    if (punching(at) && punch_due(at) <= now.mono_us && yr_probe_room(p, at)) {
        yr_probe_all(p, at, now);
        at->punch_round++;
    }
}

yr_us yr_seek_deadline(const struct yr_paths *p, const struct yr_sought *at)
{
    yr_us due = YR_NEVER;

    if (urgent(at)) {
        due = at->need_us;
        if (yr_probe_room(p, at)) // else it is due again when the queue has been sent
            due = YR_MIN(due, at->next_us);
    } else if (may_better(at)) {
        due = at->try_us;
    }
    if (punching(at) && yr_probe_room(p, at))
        due = YR_MIN(due, punch_due(at));
    return due;
}
