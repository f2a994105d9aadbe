/* core/node/meet.c: when word is left for whom, and looked for: see meet.h. */
#include "core/node/state.h"

#include <stdio.h>

#define SETTLE_US (400 * YR_MS) /* from the first answer until all is known of ourselves */
#define HALF_S    (YR_RENDEZVOUS_S / 2)
#define IDLE_MS   (30 * YR_DAY_MS) /* not seen for so long: looked for once a day */
#define HOT_US    (3600 * YR_S)    /* ... but for an hour after a start or a wish */
#define CLOCK_MS  600000           /* a difference that the epochs' edges no longer bear */
#define JUMP_MS   3600000          /* back by so much: who knows what time it is? */
#define REPUT_US  (5 * YR_S)       /* between two puts because something changed ... */
#define SOON_US   (300 * YR_MS)    /* ... but our first ears are told of at once: no way in else */
#define HURRY_US  (20 * YR_S)      /* between two gets because somebody waits */

/* Until the next get, seconds; then once an epoch. */
static const uint16_t get_friend_s[] = {1, 3, 10, 40, 120, 600};
static const uint16_t get_add_s[] = {1,  2,  4,  8,  15, 30,  60,  60,  60,
                                     60, 60, 60, 60, 60, 600, 600, 600, 600};
/* After a put that nobody answered. */
static const uint16_t retry_s[] = {2, 5, 15, 60, 300, 600};

/* ---- time ---- */

static int by_value(yr_ms a, yr_ms b)
{
    return (a > b) - (a < b);
}

// Of friends' clocks and our own: two friends who agree outvote us, one does not.
static yr_ms median(const struct yr_node *n, size_t *heard)
{
    yr_ms offs[YR_FRIENDS_MAX + 1] = {0}, low, high;
    size_t count = 1;

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        size_t at = count;

        if (!n->meet->rvs[slot].clock_heard)
            continue;
        for (; at > 0 && by_value(offs[at - 1], n->meet->rvs[slot].clock_off_ms) > 0; at--)
            offs[at] = offs[at - 1];
        offs[at] = n->meet->rvs[slot].clock_off_ms;
        count++;
    }
    *heard = count - 1;
    low = offs[(count - 1) / 2];
    high = offs[count / 2];
    return (low < 0 ? -low : low) < (high < 0 ? -high : high) ? low : high;
}

yr_ms yr_meet_clock_offset(const struct yr_node *n)
{
    return n->meet->clock_off_ms;
}

// How many friends' clocks are known; the offset follows them.
static size_t compare_clocks(struct yr_node *n)
{
    size_t heard;
    const yr_ms off = median(n, &heard);

    n->meet->clock_off_ms = off > CLOCK_MS || off < -CLOCK_MS ? off : 0;
    return heard;
}

bool yr_meet_time(const struct yr_node *n, uint64_t *unix_s)
{
    const yr_ms ms = n->now.wall_ms + yr_meet_clock_offset(n);

    *unix_s = (uint64_t)YR_MAX(ms, 0) / 1000;
    return n->now.mono_us >= n->meet->paused_us;
}

static void tell_clock(struct yr_node *n)
{
    const yr_ms off = yr_meet_clock_offset(n), min = ((off < 0 ? -off : off) + 30000) / 60000;
    struct yr_event event = {.kind = YR_EV_NOTICE};

    if (off - n->meet->told_off_ms < CLOCK_MS / 2 && n->meet->told_off_ms - off < CLOCK_MS / 2)
        return;
    n->meet->told_off_ms = off;
    if (off == 0)
        return;
    snprintf(event.text, sizeof event.text,
             "the clock of this computer is %d h %d min %s by what friends say: please set it",
             (int)(min / 60), (int)(min % 60), off > 0 ? "slow" : "fast");
    yr_node_event(n, &event);
}

// A clock that was set differs from all others by that much more, or less.
static void watch_clock(struct yr_node *n)
{
    struct yr_meet *m = n->meet;
    const yr_ms passed = (yr_ms)((n->now.mono_us - m->last.mono_us) / 1000);
    const yr_ms jump = n->now.wall_ms - m->last.wall_ms - passed;
    const bool first = m->last.mono_us == 0;

    m->last = n->now;
    if (first || (jump > -JUMP_MS && jump < CLOCK_MS))
        return;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        m->rvs[slot].clock_off_ms -= jump;
        if (jump > 0)
            m->rvs[slot].clock_heard = false; // it may have slept, and be right
    }
    // Not for ever: who has few friends may be linked with none before he is found.
    m->paused_us = compare_clocks(n) < 2 && jump < 0 ? n->now.mono_us + YR_MEET_PAUSE_S * YR_S : 0;
    tell_clock(n);
}

void yr_meet_clock(struct yr_node *n, unsigned slot, const struct yr_clock *theirs)
{
    struct yr_rd rd = yr_rd_init(theirs->bytes, sizeof theirs->bytes);
    const uint64_t tai = yr_rd_u64be(&rd), base = (1ULL << 62) + 10;
    struct yr_rv *rv = &n->meet->rvs[slot];

    watch_clock(n); // before it is compared
    if (tai < base || tai - base > (uint64_t)INT64_MAX / 4000)
        return;
    rv->clock_off_ms = (yr_ms)(tai - base) * 1000 - n->now.wall_ms;
    rv->clock_heard = true;
    if (compare_clocks(n) >= 2)
        n->meet->paused_us = 0; // two friends and we ourselves: that is a majority
    tell_clock(n);
}

/* ---- who ---- */

static bool is_friend(unsigned i)
{
    return i < YR_FRIENDS_MAX;
}

static bool contact_of(const struct yr_node *n, const char *id, struct yr_contact_rv *out)
{
    for (size_t at = 0; yr_contacts_rv_next(n->contacts, n->now, &at, out);)
        if (strcmp(out->id, id) == 0)
            return true;
    yr_wipe(out, sizeof *out);
    return false;
}

static void begin(struct yr_node *n, struct yr_rv *rv)
{
    rv->wanted = true;
    rv->gets = rv->fails = 0;
    rv->puts[0].at_us = rv->puts[1].at_us = 0;
    rv->get_us = rv->retry_us = n->now.mono_us;
    rv->hot_us = n->now.mono_us + HOT_US;
}

static void drop_jobs(struct yr_node *n, unsigned i)
{
    for (size_t k = 0; k < YR_MEET_JOBS_MAX; k++)
        if (n->meet->jobs[k].rv == i)
            n->meet->jobs[k].used = false; // it ends unheard
}

static struct yr_rv *rv_of_invite(struct yr_node *n, const struct yr_contact_rv *c)
{
    struct yr_rv *place = NULL;

    for (unsigned i = YR_FRIENDS_MAX; i < YR_RVS; i++) {
        struct yr_rv *rv = &n->meet->rvs[i];

        if (rv->wanted && strcmp(rv->invite, c->id) == 0)
            return rv;
        if (!rv->wanted)
            place = rv;
    }
    if (place == NULL)
        return NULL;
    memset(place, 0, sizeof *place);
    memcpy(place->invite, c->id, sizeof place->invite);
    place->add = c->add;
    place->off = c->off;
    place->own = !c->add;
    begin(n, place);
    return place;
}

static void look_at_contacts(struct yr_node *n)
{
    struct yr_contact_rv c;

    for (unsigned i = YR_FRIENDS_MAX; i < YR_RVS; i++)
        n->meet->rvs[i].seen = false;
    for (size_t at = 0; yr_contacts_rv_next(n->contacts, n->now, &at, &c);) {
        struct yr_rv *rv = c.open ? rv_of_invite(n, &c) : NULL;

        if (rv != NULL)
            rv->seen = true;
    }
    yr_wipe(&c, sizeof c);
    for (unsigned i = YR_FRIENDS_MAX; i < YR_RVS; i++)
        if (n->meet->rvs[i].wanted && !n->meet->rvs[i].seen) {
            drop_jobs(n, i);
            memset(&n->meet->rvs[i], 0, sizeof n->meet->rvs[i]);
        }
}

// No link, or one that leads nowhere as far as the path layer can tell.
static bool lost(const struct yr_node *n, unsigned slot)
{
    const struct yr_friend *f = &n->friends[slot];

    return f->used && !f->blocked && !f->pending && yr_paths_lost(n->paths, slot) &&
           (!f->online || n->meet->rvs[slot].needed);
}

static void look_at_friends(struct yr_node *n)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        const bool want = lost(n, slot);
        struct yr_rv *rv = &n->meet->rvs[slot];

        if (want && !rv->wanted)
            begin(n, rv);
        if (!want)
            rv->needed = false;
        rv->wanted = rv->own = want;
    }
}

// Long ago the two agreed when in a day they look: both go by the pair's own count of epochs.
static bool awake(const struct yr_node *n, unsigned i, uint64_t epoch)
{
    const struct yr_friend *f = is_friend(i) ? &n->friends[i] : NULL;

    if (f == NULL || n->now.mono_us < n->meet->rvs[i].hot_us)
        return true;
    if (n->now.wall_ms - YR_MAX(f->last_seen_ms, f->created_ms) < IDLE_MS)
        return true;
    return epoch % 12 == f->pair.off / 600;
}

/** out: the keys we write under, else those we read under.  False: there are none. */
static bool keys_of(const struct yr_node *n, unsigned i, bool out, uint64_t epoch,
                    struct yr_rendezvous *keys)
{
    const struct yr_friend *f = is_friend(i) ? &n->friends[i] : NULL;
    const struct yr_timekey *t;
    struct yr_contact_rv c;

    if (f != NULL) {
        t = yr_delivery_timekey(n->delivery, i);
        return t != NULL &&
               yr_rendezvous_derive(keys, t, out ? f->pair.out : (uint8_t)(1 - f->pair.out), epoch,
                                    f->pair.off) == YR_OK;
    }
    if (!contact_of(n, n->meet->rvs[i].invite, &c))
        return false;
    yr_rendezvous_invite(keys, c.f_rv, epoch);
    yr_wipe(&c, sizeof c);
    return true;
}

static uint32_t off_of(const struct yr_node *n, unsigned i)
{
    return is_friend(i) ? n->friends[i].pair.off : n->meet->rvs[i].off;
}

/* ---- what we say ---- */

static bool worth_telling(const struct yr_node *n, const struct yr_addr *addr)
{
    return yr_addr_udp(addr) && addr->scope == 0 && yr_dht_addr_ok(addr, true) &&
           (n->dht_lax || !yr_addr_loopback(addr));
}

void yr_meet_whereabouts(const struct yr_node *n, struct yr_whereabouts *out)
{
    enum yr_own_source source;
    struct yr_addr addr;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; yr_node_own_addr_at(n, i, &addr, &source); i++)
        if (worth_telling(n, &addr) && out->addr_count < YR_RV_ADDRS_MAX) {
            addr.local = 0;
            out->addrs[out->addr_count++] = addr;
        }
    out->relay_count = yr_ears_ok(n, out->relays);
    memcpy(out->cert, n->cert, YR_CERT_LEN);
}

// Is it something else than before?
static void look_at_ourselves(struct yr_node *n)
{
    uint8_t bytes[YR_RV_ADDRS_MAX * 20 + YR_RV_RELAYS_MAX * 80], hash[16];
    struct yr_wr wr = yr_wr_init(bytes, sizeof bytes);
    struct yr_whereabouts where;

    yr_meet_whereabouts(n, &where);
    for (size_t i = 0; i < where.addr_count; i++)
        yr_wr_addr(&wr, &where.addrs[i], false);
    for (size_t i = 0; i < where.relay_count; i++) {
        yr_wr_addr(&wr, &where.relays[i].node.addr, false);
        yr_wr_bytes(&wr, where.relays[i].id, YR_DHT_SIGNAL_LEN);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    yr_hash16(hash, bytes, yr_wr_len(&wr));
    if (memcmp(hash, n->meet->said, sizeof hash) == 0)
        return;
    memcpy(n->meet->said, hash, sizeof hash);
    n->meet->version++;
}

/* ---- when ---- */

enum what { NOTHING, PUT, GET };

struct due {
    enum what what;
    yr_us at; /* mono; YR_NEVER */
    uint64_t epoch;
};

static void sooner(struct due *d, enum what what, yr_us at, uint64_t epoch)
{
    if (at < d->at)
        *d = (struct due){what, at, epoch};
}

static yr_us at_unix(const struct yr_node *n, uint64_t now_s, uint64_t s)
{
    return s <= now_s ? n->now.mono_us : n->now.mono_us + (yr_us)(s - now_s) * YR_S;
}

static void due_put(const struct yr_node *n, const struct yr_rv *rv, uint64_t epoch, yr_us begin_us,
                    yr_us half_us, struct due *d)
{
    const yr_us now = n->now.mono_us;
    const size_t k = epoch & 1;

    begin_us = YR_MAX(begin_us, n->meet->settle_us);
    if (rv->puts[k].epoch != epoch) {
        sooner(d, PUT, YR_MAX(begin_us, rv->retry_us), epoch);
        return;
    }
    if (rv->puts[k].busy)
        return;
    if (!rv->puts[k].done)
        sooner(d, PUT, YR_MAX(begin_us, rv->retry_us), epoch);
    else if (rv->puts[k].version != n->meet->version)
        sooner(d, PUT, YR_MAX(now, rv->puts[k].at_us + (rv->puts[k].many ? REPUT_US : SOON_US)),
               epoch);
    else if (!rv->puts[k].half)
        sooner(d, PUT, half_us, epoch);
}

// The first thing to do for this one, and when.
static struct due due_of(const struct yr_node *n, unsigned i)
{
    const struct yr_rv *rv = &n->meet->rvs[i];
    struct due d = {NOTHING, YR_NEVER, 0};
    uint64_t now_s, epoch, start;
    uint32_t off;

    if (!rv->wanted || !yr_meet_time(n, &now_s))
        return d;
    off = off_of(n, i);
    epoch = yr_rendezvous_epoch(now_s, off);
    start = yr_rendezvous_start(epoch, off);
    if (!awake(n, i, epoch)) {
        sooner(&d, NOTHING, at_unix(n, now_s, start + YR_RENDEZVOUS_S), epoch);
        return d;
    }
    if (rv->own) {
        // Ten minutes by pair, so that one's friends are not all refreshed at once.
        const uint64_t half = start + HALF_S + off % 600;

        due_put(n, rv, epoch, n->now.mono_us, at_unix(n, now_s, half), &d);
        due_put(n, rv, epoch + 1, at_unix(n, now_s, start + YR_RENDEZVOUS_S - YR_RENDEZVOUS_EDGE_S),
                YR_NEVER, &d);
        sooner(&d, NOTHING, at_unix(n, now_s, start + YR_RENDEZVOUS_S), epoch);
    }
    if (is_friend(i) || rv->add)
        sooner(&d, GET, rv->get_us, epoch);
    return d;
}

// Is there anybody to leave word with?  A server has itself.
static bool reach(const struct yr_node *n)
{
    return yr_dht_known(n->dht) > 0 || yr_dht_serves(n->dht);
}

static bool ready(const struct yr_node *n)
{
    return n->meet->joined && n->now.mono_us >= n->meet->joined_us + SETTLE_US && reach(n);
}

static struct yr_meet_job *free_job(struct yr_node *n)
{
    for (size_t k = 0; k < YR_MEET_JOBS_MAX; k++)
        if (!n->meet->jobs[k].used)
            return &n->meet->jobs[k];
    return NULL;
}

static void refill(struct yr_node *n)
{
    const yr_us ms = (n->now.mono_us - n->meet->milli_us) / 1000;
    const uint64_t more = n->meet->milli + ms / YR_MEET_SEARCH_S;

    if (n->meet->milli_us == 0 || more >= YR_MEET_BURST * 1000) {
        n->meet->milli = YR_MEET_BURST * 1000;
        n->meet->milli_us = n->now.mono_us;
    } else if (ms >= YR_MEET_SEARCH_S) {
        n->meet->milli = (uint32_t)more;
        n->meet->milli_us += ms / YR_MEET_SEARCH_S * YR_MEET_SEARCH_S * 1000;
    }
}

static bool start_job(struct yr_node *n, unsigned i, bool put, uint64_t epoch, uint64_t search)
{
    struct yr_meet_job *job = free_job(n);

    if (job == NULL)
        return false;
    *job = (struct yr_meet_job){.used = true,
                                .put = put,
                                .search = search,
                                .epoch = epoch,
                                .rv = i,
                                .version = n->meet->version};
    n->meet->milli -= YR_MIN(n->meet->milli, 1000U);
    return true;
}

static void note(struct yr_node *n, unsigned i, enum yr_way way, enum yr_outcome outcome)
{
    if (is_friend(i))
        yr_path_note(n->traces, n->now, i, way, outcome, NULL, NULL);
}

static void put(struct yr_node *n, unsigned i, uint64_t epoch)
{
    struct yr_rv *rv = &n->meet->rvs[i];
    const size_t k = epoch & 1;
    uint8_t record[YR_DHT_RECORD_MAX];
    struct yr_whereabouts where;
    struct yr_rendezvous keys;
    uint64_t now_s, search;
    size_t len;

    if (rv->puts[k].epoch != epoch) {
        memset(&rv->puts[k], 0, sizeof rv->puts[k]);
        rv->puts[k].epoch = epoch;
    }
    rv->retry_us = n->now.mono_us + retry_s[YR_MIN(rv->fails, YR_COUNT(retry_s) - 1)] * YR_S;
    if (!yr_meet_time(n, &now_s) || !keys_of(n, i, true, epoch, &keys)) {
        rv->fails++;
        return;
    }
    yr_meet_whereabouts(n, &where);
    where.unix_s = (uint32_t)now_s;
    rv->seq = YR_MAX(rv->seq + 1, (uint32_t)now_s);
    len = yr_rendezvous_make(record, &keys, &where, rv->seq, YR_DHT_RECORD_TTL_S, n->rng);
    yr_wipe(&keys, sizeof keys);
    rv->puts[k].many = rv->puts[k].at_us != 0;
    rv->puts[k].at_us = n->now.mono_us;
    rv->puts[k].half = now_s >= yr_rendezvous_start(epoch, off_of(n, i)) + HALF_S;
    if (yr_dht_put_here(n->dht, n->now, record, len)) {
        rv->puts[k].done = true; // a server asks itself, too
        rv->puts[k].version = n->meet->version;
    }
    if (yr_dht_known(n->dht) == 0) {
        note(n, i, YR_WAY_DHT_PUT, YR_OUT_WORKED);
        return;
    }
    if (yr_dht_put(n->dht, n->now, record, len, rv->fails > 0, &search) != YR_OK)
        return; // no room for a search: later
    if (!start_job(n, i, true, epoch, search))
        return;
    rv->puts[k].busy = true;
    note(n, i, YR_WAY_DHT_PUT, YR_OUT_TRYING);
}

static void take_record(struct yr_node *n, unsigned i, const struct yr_rendezvous *keys,
                        const uint8_t *record, size_t len);

static void get_epoch(struct yr_node *n, unsigned i, uint64_t epoch)
{
    struct yr_rendezvous keys;
    const uint8_t *here;
    uint64_t search;
    size_t len;

    if (!keys_of(n, i, false, epoch, &keys))
        return;
    if ((here = yr_dht_get_here(n->dht, n->now, keys.pk, &len)) != NULL)
        take_record(n, i, &keys, here, len);
    if (yr_dht_known(n->dht) == 0)
        note(n, i, YR_WAY_DHT_GET, n->meet->rvs[i].found ? YR_OUT_WORKED : YR_OUT_NOTHING);
    else if (free_job(n) != NULL &&
             yr_dht_get(n->dht, n->now, keys.pk, n->meet->rvs[i].gets > 2, &search) == YR_OK) {
        (void)start_job(n, i, false, epoch, search);
        note(n, i, YR_WAY_DHT_GET, YR_OUT_TRYING);
    }
    yr_wipe(&keys, sizeof keys);
}

static void get(struct yr_node *n, unsigned i, uint64_t epoch)
{
    struct yr_rv *rv = &n->meet->rvs[i];
    const uint16_t *wait = rv->add ? get_add_s : get_friend_s;
    const size_t count = rv->add ? YR_COUNT(get_add_s) : YR_COUNT(get_friend_s);
    const uint64_t start = yr_rendezvous_start(epoch, off_of(n, i));
    uint64_t now_s;
    uint32_t r;

    if (!yr_meet_time(n, &now_s))
        return;
    rv->found = false;
    rv->got_us = n->now.mono_us;
    get_epoch(n, i, epoch);
    if (now_s < start + YR_RENDEZVOUS_EDGE_S && epoch > 0)
        get_epoch(n, i, epoch - 1); // a slow clock is still there
    if (now_s + YR_RENDEZVOUS_EDGE_S > start + YR_RENDEZVOUS_S)
        get_epoch(n, i, epoch + 1); // a fast one is there already
    yr_random(n->rng, &r, sizeof r);
    if (rv->gets < count)
        rv->get_us = n->now.mono_us + wait[rv->gets] * YR_S;
    else // in the middle of the next epoch, when all have left word
        rv->get_us = at_unix(n, now_s, start + YR_RENDEZVOUS_S + YR_RENDEZVOUS_EDGE_S + r % HALF_S);
    rv->gets++;
}

// Whom to serve first: who was seen last is the likeliest to be there.
static bool before(const struct yr_node *n, unsigned a, unsigned b)
{
    if (!is_friend(a) || !is_friend(b))
        return !is_friend(a);
    return n->friends[a].last_seen_ms > n->friends[b].last_seen_ms;
}

// One that friends know of, for when their network changes; more while somebody is looked for.
static size_t ears_wanted(const struct yr_node *n)
{
    size_t want = 0;

    for (unsigned i = 0; i < YR_RVS; i++) {
        const struct yr_rv *rv = &n->meet->rvs[i];

        if (rv->wanted)
            want = YR_MAX(want, n->now.mono_us < rv->hot_us ? 3 : is_friend(i) ? 1 : 2);
        else if (is_friend(i) && n->friends[i].used && n->friends[i].online)
            want = YR_MAX(want, 1U);
    }
    return want;
}

void yr_meet_tick(struct yr_node *n)
{
    watch_clock(n);
    if (n->dht == NULL)
        return;
    if (yr_dht_serves(n->dht))
        yr_meet_answered(n); // by ourselves
    look_at_friends(n);
    look_at_contacts(n);
    yr_ears_tick(n, ears_wanted(n));
    if (!ready(n))
        return;
    look_at_ourselves(n);
    refill(n);
    // Three jobs may come of one.
    for (int rounds = 0; rounds < YR_MEET_JOBS_MAX && n->meet->milli >= 1000; rounds++) {
        struct due best = {NOTHING, YR_NEVER, 0};
        unsigned who = 0;
        size_t room = 0;

        for (size_t k = 0; k < YR_MEET_JOBS_MAX; k++)
            room += !n->meet->jobs[k].used;
        if (room < 3)
            return;
        for (unsigned i = 0; i < YR_RVS; i++) {
            const struct due d = due_of(n, i);

            if (d.what == NOTHING || d.at > n->now.mono_us)
                continue;
            // Word is left before word is looked for: who looks later finds it.
            if (best.what == NOTHING || d.what < best.what ||
                (d.what == best.what && before(n, i, who))) {
                best = d;
                who = i;
            }
        }
        if (best.what == PUT)
            put(n, who, best.epoch);
        else if (best.what == GET)
            get(n, who, best.epoch);
        else
            return;
    }
}

yr_us yr_meet_deadline(const struct yr_node *n)
{
    yr_us due = YR_NEVER;
    size_t room = 0;

    if (n->dht == NULL || !n->meet->joined)
        return YR_NEVER; // the first answer makes us tick
    if (n->now.mono_us < n->meet->joined_us + SETTLE_US)
        return YR_MIN(n->meet->joined_us + SETTLE_US, yr_ears_deadline(n));
    for (size_t k = 0; k < YR_MEET_JOBS_MAX; k++)
        room += !n->meet->jobs[k].used;
    if (room >= 3 && reach(n)) // else the end of one makes us tick
        for (unsigned i = 0; i < YR_RVS; i++)
            due = YR_MIN(due, due_of(n, i).at);
    if (n->now.mono_us < n->meet->paused_us)
        due = YR_MIN(due, n->meet->paused_us);
    if (n->meet->milli < 1000)
        due = YR_MAX(due, n->meet->milli_us + 1000 * YR_MEET_SEARCH_S * 1000);
    return YR_MIN(due, yr_ears_deadline(n));
}

/* ---- what the DHT says ---- */

static struct yr_meet_job *job_of(struct yr_node *n, uint64_t search)
{
    for (size_t k = 0; k < YR_MEET_JOBS_MAX; k++)
        if (n->meet->jobs[k].used && n->meet->jobs[k].search == search)
            return &n->meet->jobs[k];
    return NULL;
}

// Of the epoch before, and we know better?  What was written by a clock that ran ahead counts no
// more than that clock may.
static bool outdated(const struct yr_node *n, const struct yr_rv *rv,
                     const struct yr_whereabouts *where)
{
    uint64_t now_s;

    return where->unix_s < rv->heard_s && yr_meet_time(n, &now_s) &&
           rv->heard_s <= now_s + YR_RENDEZVOUS_EDGE_S;
}

static void friend_found(struct yr_node *n, unsigned slot, const struct yr_whereabouts *where)
{
    struct yr_rv *rv = &n->meet->rvs[slot];
    const enum yr_err known = yr_renew_take(n, slot, where->cert, NULL);

    if (known != YR_OK && known != YR_EEXIST)
        return; // no good one, or word of an older device
    if (outdated(n, rv, where))
        return;
    rv->heard_s = where->unix_s;
    rv->found = true;
    yr_meet_told(n, slot, where->relays, where->relay_count, (uint64_t)where->unix_s * 1000);
    if (!lost(n, slot))
        return;
    yr_paths_told(n->paths, slot, where->addrs, where->addr_count, YR_ADDR_DHT, n->dht_lax, n->now);
    yr_paths_hurry(n->paths, slot, n->now);
}

static void inviter_found(struct yr_node *n, struct yr_rv *rv, const struct yr_whereabouts *where)
{
    struct yr_addr good[YR_RV_ADDRS_MAX], way = {0};
    size_t count = 0;

    if (outdated(n, rv, where))
        return;
    rv->heard_s = where->unix_s;
    for (size_t i = 0; i < where->addr_count; i++)
        if (worth_telling(n, &where->addrs[i]))
            good[count++] = where->addrs[i];
    if (where->relay_count > 0)
        way = yr_meet_way(n, rv->invite, where->relays, where->relay_count, good, count);
    (void)!yr_contacts_found(n->contacts, n->now, rv->invite, where->cert, good, count, &way);
}

static void take_record(struct yr_node *n, unsigned i, const struct yr_rendezvous *keys,
                        const uint8_t *record, size_t len)
{
    struct yr_whereabouts where;

    if (yr_rendezvous_open(&where, NULL, keys, record, len) != YR_OK)
        return;
    if (is_friend(i))
        friend_found(n, i, &where);
    else
        inviter_found(n, &n->meet->rvs[i], &where);
}

void yr_meet_record(struct yr_node *n, uint64_t search, const uint8_t *record, size_t len)
{
    const struct yr_meet_job *job = job_of(n, search);
    struct yr_rendezvous keys;

    if (job == NULL || job->put || !keys_of(n, job->rv, false, job->epoch, &keys))
        return;
    take_record(n, job->rv, &keys, record, len);
    yr_wipe(&keys, sizeof keys);
}

static enum yr_outcome outcome(const struct yr_dht_result *r)
{
    if (r->put ? r->answered > 0 : r->found)
        return YR_OUT_WORKED;
    return r->asked == 0 || r->answered > 0 ? YR_OUT_NOTHING : YR_OUT_SILENT;
}

void yr_meet_done(struct yr_node *n, uint64_t search, const struct yr_dht_result *result)
{
    struct yr_meet_job *job = job_of(n, search);
    struct yr_rv *rv;

    if (job == NULL)
        return;
    rv = &n->meet->rvs[job->rv];
    job->used = false;
    if (job->put) {
        const size_t k = job->epoch & 1;

        n->dht_direct = result->direct;
        if (rv->puts[k].epoch == job->epoch) {
            rv->puts[k].busy = false;
            rv->puts[k].done = result->answered > 0; // what was said before is not this
            rv->puts[k].version = job->version;
        }
        rv->fails = result->answered > 0 ? 0 : rv->fails + 1;
    }
    if (job->put)
        note(n, job->rv, YR_WAY_DHT_PUT, outcome(result));
    else // what a neighbouring epoch lacks counts little where another had it
        note(n, job->rv, YR_WAY_DHT_GET, rv->found ? YR_OUT_WORKED : outcome(result));
}

void yr_meet_answered(struct yr_node *n)
{
    if (n->meet->joined)
        return;
    n->meet->joined = true;
    n->meet->joined_us = n->now.mono_us;
}

/* ---- life ---- */

void yr_meet_ended(struct yr_node *n)
{
    memset(n->meet->jobs, 0, sizeof n->meet->jobs);
    for (unsigned i = 0; i < YR_RVS; i++)
        for (size_t k = 0; k < 2; k++)
            n->meet->rvs[i].puts[k].done = n->meet->rvs[i].puts[k].busy = false;
    yr_meet_moved(n);
}

void yr_meet_reset(struct yr_node *n)
{
    const struct yr_now last = n->meet->last;
    const bool joined = n->meet->joined && n->dht != NULL;

    yr_wipe(n->meet, sizeof *n->meet);
    n->meet->last = last;
    n->meet->joined = joined; // the DHT goes on when the store fails
    n->meet->joined_us = n->now.mono_us;
}

void yr_meet_forget(struct yr_node *n, unsigned slot)
{
    drop_jobs(n, slot);
    yr_wipe(&n->meet->rvs[slot], sizeof n->meet->rvs[slot]);
    (void)compare_clocks(n);
}

void yr_meet_moved(struct yr_node *n)
{
    n->meet->joined = false;
    for (unsigned i = 0; i < YR_RVS; i++)
        if (n->meet->rvs[i].wanted)
            begin(n, &n->meet->rvs[i]);
    yr_ears_moved(n);
}

void yr_meet_need(struct yr_node *n, unsigned slot)
{
    n->meet->rvs[slot].needed = true;
}

void yr_meet_hurry(struct yr_node *n, unsigned slot)
{
    struct yr_rv *rv = &n->meet->rvs[slot];

    rv->hot_us = n->now.mono_us + HOT_US;
    if (!rv->wanted || rv->gets == 0)
        return; // nobody to look for, or due already
    rv->gets = YR_MIN(rv->gets, 3U);
    rv->get_us = YR_MIN(rv->get_us, YR_MAX(n->now.mono_us, rv->got_us + HURRY_US));
}
