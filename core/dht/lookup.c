#include "core/dht/lookup.h"

#define PATH_WANTS  2   /* nearest nodes of a path that are asked in any case */
#define SURE        6   /* of YR_DHT_STORE */
#define LIKELY      12  /* ... where it is urgent: of those a few are silent, or lie ... */
#define LIKELY_ASKS 10  /* ... and so many are asked */
#define CROWD       4   /* times as dense as it should be */
#define THIN        2.0 /* times as sparse as it should be: one in a hundred honest lookups */
#define AT_ONCE     12  /* requests that wait for an answer on all paths */
#define PART_KEEPS  8   /* nodes of a sixteenth of a crowded region that are kept in mind ... */
#define PART_ASKS   4   /* nodes of a sixteenth of a crowded region that are asked ... */
#define PART_TAKES  2   /* ... and of which so many store */

void yr_dht_lookup_init(struct yr_dht_lookup *l, struct yr_mem *mem, const struct yr_rng *rng,
                        const uint8_t target[32], const uint8_t own_id[32], double estimate,
                        bool hard, bool lax, yr_us now)
{
    *l = (struct yr_dht_lookup){.mem = mem,
                                .rng = rng,
                                .estimate = estimate,
                                .paths = hard ? YR_DHT_PATHS_HARD : YR_DHT_PATHS,
                                .results = YR_DHT_RESULT,
                                .store = hard ? YR_DHT_RESULT : YR_DHT_STORE,
                                .thorough = hard,
                                .lax = lax,
                                .started_us = now};
    memcpy(l->target, target, 32);
    memcpy(l->own_id, own_id, 32);
}

void yr_dht_lookup_clear(struct yr_dht_lookup *l)
{
    yr_free(l->mem, l->list);
    l->list = NULL;
    l->count = l->cap = 0;
}

// Which share of all ids is nearer to the target than this one.
static double distance(const struct yr_dht_lookup *l, const uint8_t id[32])
{
    double d = 0;

    for (size_t i = 8; i-- > 0;)
        d = d / 256 + (id[i] ^ l->target[i]);
    return d / 256;
}

// Is it within the distance at which the n-th nearest node should be?
static bool within(const struct yr_dht_lookup *l, const struct yr_dht_candidate *c, double n)
{
    return c->distance * l->estimate < n;
}

// In which sixteenth of the region where the 16 nearest should be; 16: in none.
static unsigned part_of(const struct yr_dht_lookup *l, const struct yr_dht_candidate *c)
{
    const double n = c->distance * l->estimate;

    return n < YR_DHT_RESULT ? (unsigned)n : YR_DHT_RESULT;
}

static size_t in_part(const struct yr_dht_lookup *l, unsigned part)
{
    size_t n = 0;

    for (size_t i = 0; i < l->count; i++)
        n += part_of(l, &l->list[i]) == part;
    return n;
}

// It has become crowded: make room for nodes of the other parts.
static void thin_out(struct yr_dht_lookup *l)
{
    size_t per_part[YR_DHT_RESULT + 1] = {0}, n = 0;

    for (size_t i = 0; i < l->count; i++) {
        const unsigned part = part_of(l, &l->list[i]);

        per_part[part]++;
        if (part < YR_DHT_RESULT && per_part[part] > PART_KEEPS && l->list[i].state == YR_CAND_NEW)
            continue;
        l->list[n++] = l->list[i];
    }
    l->count = n;
}

static struct yr_dht_candidate *find(struct yr_dht_lookup *l, const struct yr_dht_contact *c)
{
    for (size_t i = 0; i < l->count; i++)
        if (yr_dht_same(&l->list[i].contact, c))
            return &l->list[i];
    return NULL;
}

// A liar cannot fill the list with one network's nodes, nor with one key at many addresses.
static bool admissible(const struct yr_dht_lookup *l, const struct yr_dht_contact *c)
{
    const uint64_t own_net = yr_dht_net(&c->addr);
    size_t net = 0, keys = 0;

    for (size_t i = 0; i < l->count; i++) {
        if (l->list[i].state == YR_CAND_FAILED)
            continue;
        net += l->list[i].net == own_net;
        keys += memcmp(l->list[i].contact.pk, c->pk, 32) == 0;
    }
    return (l->lax || net < YR_DHT_NET_TABLE) && keys < 2;
}

static bool reserve(struct yr_dht_lookup *l)
{
    const size_t more = YR_MIN(YR_MAX((size_t)16, l->cap * 2), (size_t)YR_DHT_CANDIDATES);
    void *next;

    if (l->count < l->cap)
        return true;
    next = yr_realloc(l->mem, YR_MEM_DHT, l->list, more * sizeof *l->list);
    if (next == NULL)
        return false;
    l->list = next;
    l->cap = more;
    return true;
}

// False: known already, or not one to ask.
static bool add(struct yr_dht_lookup *l, const struct yr_dht_contact *c, uint8_t path,
                uint8_t depth)
{
    struct yr_dht_candidate cand = {.contact = *c, .path = path, .depth = depth};
    size_t at = l->count;

    yr_dht_id(cand.id, c->pk);
    cand.distance = distance(l, cand.id);
    cand.net = yr_dht_net(&c->addr);
    if (memcmp(cand.id, l->own_id, 32) == 0 || find(l, c) != NULL || !admissible(l, c))
        return false;
    while (at > 0 && yr_dht_nearer(l->target, cand.id, l->list[at - 1].id))
        at--;
    if (l->wide && part_of(l, &cand) < YR_DHT_RESULT && in_part(l, part_of(l, &cand)) >= PART_KEEPS)
        return false;
    if (l->count == YR_DHT_CANDIDATES) {
        if (at == l->count || l->list[l->count - 1].state == YR_CAND_ASKED)
            return false;
        l->count--;
    }
    if (!reserve(l))
        return false;
    memmove(&l->list[at + 1], &l->list[at], (l->count - at) * sizeof *l->list);
    l->list[at] = cand;
    l->count++;
    return true;
}

void yr_dht_lookup_start(struct yr_dht_lookup *l, const struct yr_dht_contact *nodes, size_t count)
{
    l->marked = false;
    for (size_t i = 0; i < count; i++)
        (void)add(l, &nodes[i], (uint8_t)(i % l->paths), 0);
}

void yr_dht_lookup_widen(struct yr_dht_lookup *l, const struct yr_dht_contact *nodes, size_t count)
{
    l->astray = true;
    yr_dht_lookup_start(l, nodes, count);
}

// May this one be in a result beside those before it in the list that `in` says are?
static bool diverse(const struct yr_dht_lookup *l, const struct yr_dht_candidate *const *in,
                    size_t n, const struct yr_dht_candidate *c)
{
    size_t net = 0;

    if (l->lax)
        return true;
    for (size_t i = 0; i < n; i++) {
        if (in[i]->net != c->net)
            continue;
        if (memcmp(in[i]->contact.addr.ip, c->contact.addr.ip, 16) == 0)
            return false;
        net++;
    }
    return net < YR_DHT_NET_BUCKET;
}

// Do far more nodes live around the key than elsewhere?
static bool crowded(const struct yr_dht_lookup *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->count; i++)
        n += l->list[i].state == YR_CAND_ANSWERED &&
             within(l, &l->list[i], (double)YR_DHT_RESULT / CROWD);
    return n >= YR_DHT_RESULT;
}

// Mark who is to be asked: the nearest of all, the nearest of each path, in a crowd all that are
// near.
static void mark(struct yr_dht_lookup *l)
{
    const struct yr_dht_candidate *in[YR_DHT_WIDE];
    unsigned per_path[YR_DHT_PATHS_HARD] = {0}, per_part[YR_DHT_RESULT + 1] = {0};
    size_t n = 0;

    if (l->marked)
        return;
    l->marked = true;
    if (!l->wide && !l->any && crowded(l)) {
        l->wide = true;
        thin_out(l);
    }
    for (size_t i = 0; i < l->count; i++) {
        struct yr_dht_candidate *c = &l->list[i];

        c->wanted = false;
        if (c->state == YR_CAND_FAILED)
            continue;
        c->wanted = l->astray && c->depth == 0;
        if (l->wide && part_of(l, c) < YR_DHT_RESULT && per_part[part_of(l, c)]++ < PART_ASKS)
            c->wanted = true;
        if (n < l->results && diverse(l, in, n, c)) {
            in[n++] = c;
            c->wanted = true;
        }
        if (per_path[c->path] < PATH_WANTS) {
            per_path[c->path] += !l->thorough || !c->barren;
            c->wanted = true;
        }
    }
}

static unsigned bits(const struct yr_dht_lookup *l)
{
    unsigned b = 0;

    for (double n = l->estimate; n >= 2 && b < 32; n /= 2)
        b++;
    if (l->wide) // anywhere in the region, not just around the key
        return b > 4 ? b - 4 : 0;
    return YR_MIN(YR_MAX(b + 2, 6U), 20U);
}

static void mask(const struct yr_dht_lookup *l, uint8_t ask[32])
{
    const unsigned b = bits(l);

    yr_random(l->rng, ask, 32);
    for (unsigned i = 0; i < b; i++) {
        const uint8_t bit = (uint8_t)(0x80 >> i % 8);

        ask[i / 8] = (uint8_t)((ask[i / 8] & ~bit) | (l->target[i / 8] & bit));
    }
}

bool yr_dht_lookup_next(struct yr_dht_lookup *l, yr_us soft_us, yr_us now,
                        struct yr_dht_contact *to, uint8_t ask[32])
{
    bool busy[YR_DHT_PATHS_HARD] = {false};
    size_t waiting = 0;

    mark(l);
    l->looked_us = now;
    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].state == YR_CAND_ASKED && now - l->list[i].asked_us < soft_us) {
            busy[l->list[i].path] = true;
            waiting++;
        }
    for (size_t i = 0; i < l->count; i++) {
        struct yr_dht_candidate *c = &l->list[i];

        // Who will be asked in any case, being that near, need not wait for its turn.
        const bool at_once = !l->wide && waiting < AT_ONCE && within(l, c, SURE);

        if (!c->wanted || c->state != YR_CAND_NEW || (busy[c->path] && !at_once))
            continue;
        c->state = YR_CAND_ASKED;
        c->asked_us = now;
        l->asked++;
        *to = c->contact;
        mask(l, ask);
        return true;
    }
    return false;
}

void yr_dht_lookup_answered(struct yr_dht_lookup *l, const struct yr_dht_contact *from,
                            const struct yr_dht_contact *nodes, size_t count, yr_us now)
{
    struct yr_dht_candidate *c = find(l, from);
    uint8_t path, depth;
    size_t named = 0;

    if (c == NULL || (c->state != YR_CAND_ASKED && c->state != YR_CAND_FAILED))
        return;
    c->state = YR_CAND_ANSWERED;
    c->answered_us = now;
    l->marked = false;
    path = c->path;
    depth = c->depth;
    for (size_t i = 0; i < count; i++)
        named += add(l, &nodes[i], path, (uint8_t)YR_MIN(depth + 1, UINT8_MAX));
    if (named == 0 && (c = find(l, from)) != NULL) // the list may have moved
        c->barren = true;
}

void yr_dht_lookup_failed(struct yr_dht_lookup *l, const struct yr_dht_contact *who)
{
    struct yr_dht_candidate *c = find(l, who);

    if (c != NULL && c->state == YR_CAND_ASKED) {
        c->state = YR_CAND_FAILED;
        l->marked = false;
    }
}

bool yr_dht_lookup_done(struct yr_dht_lookup *l)
{
    mark(l);
    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].wanted &&
            (l->list[i].state == YR_CAND_NEW || l->list[i].state == YR_CAND_ASKED))
            return false;
    return true;
}

yr_us yr_dht_lookup_deadline(const struct yr_dht_lookup *l, yr_us soft_us)
{
    yr_us first = YR_NEVER;

    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].state == YR_CAND_ASKED && l->list[i].asked_us + soft_us > l->looked_us)
            first = YR_MIN(first, l->list[i].asked_us + soft_us); // older ones hold nobody up
    return first;
}

size_t yr_dht_lookup_result(const struct yr_dht_lookup *l, struct yr_dht_contact *out,
                            unsigned *hops, yr_us *known_us)
{
    const struct yr_dht_candidate *in[YR_DHT_WIDE];
    unsigned least = UINT8_MAX, per_part[YR_DHT_RESULT + 1] = {0};
    yr_us known = YR_NEVER;
    size_t n = 0;

    for (size_t i = 0; i < l->count && n < (l->wide ? YR_DHT_WIDE : l->store); i++) {
        const struct yr_dht_candidate *c = &l->list[i];

        if (c->state != YR_CAND_ANSWERED || !diverse(l, in, n, c) ||
            (l->wide && n >= YR_DHT_STORE / 2 && per_part[part_of(l, c)]++ >= PART_TAKES))
            continue;
        in[n] = c;
        out[n++] = c->contact;
        least = YR_MIN(least, (unsigned)c->depth);
        known = YR_MIN(known, c->answered_us);
    }
    if (hops != NULL)
        *hops = n > 0 ? least + 1 : 0;
    if (known_us != NULL)
        *known_us = n > 0 ? known - l->started_us : 0;
    return n;
}

double yr_dht_lookup_density(const struct yr_dht_lookup *l)
{
    double last = 0;
    size_t n = 0;

    for (size_t i = 0; i < l->count && n < YR_DHT_STORE; i++)
        if (l->list[i].state == YR_CAND_ANSWERED) {
            last = l->list[i].distance;
            n++;
        }
    return n == YR_DHT_STORE && last > 0 ? (double)n / last : 0;
}

bool yr_dht_lookup_thin(const struct yr_dht_lookup *l)
{
    return l->estimate >= 2 * YR_DHT_STORE && !l->wide &&
           yr_dht_lookup_density(l) * THIN < l->estimate;
}

size_t yr_dht_lookup_sure(const struct yr_dht_lookup *l, struct yr_dht_contact *out)
{
    const struct yr_dht_candidate *in[YR_DHT_STORE];
    size_t n = 0;

    for (size_t i = 0; i < l->count && n < YR_DHT_STORE && within(l, &l->list[i], SURE); i++)
        if (l->list[i].state == YR_CAND_ANSWERED && diverse(l, in, n, &l->list[i])) {
            in[n] = &l->list[i];
            out[n++] = l->list[i].contact;
        }
    return n;
}

size_t yr_dht_lookup_likely(const struct yr_dht_lookup *l, yr_us soft_us, yr_us now,
                            struct yr_dht_contact *out)
{
    const struct yr_dht_candidate *in[2 * YR_DHT_STORE];
    size_t n = 0, loud = 0;

    for (size_t i = 0; i < l->count && n < YR_COUNT(in) && loud < LIKELY_ASKS; i++) {
        const struct yr_dht_candidate *c = &l->list[i];
        const bool near = within(l, c, LIKELY),
                   silent = c->state == YR_CAND_ASKED && now - c->asked_us >= soft_us;

        if (!near && (c->state == YR_CAND_NEW || (c->state == YR_CAND_ASKED && !silent)))
            break; // it may answer, and name some that are nearer
        if (c->state == YR_CAND_FAILED || (!near && silent) || !diverse(l, in, n, c))
            continue;
        in[n] = c;
        out[n++] = c->contact;
        loud += !silent;
    }
    return n;
}
