#include "tests/support/sim/nat.h"

#include <stdlib.h>
#include <string.h>

#include "core/crypto/kdf.h"

#define PORT_FIRST 1024

struct filter {
    struct yr_addr remote;
    yr_us last; // when it was refreshed
};

struct mapping {
    struct yr_addr inside;
    struct yr_addr remote; // of the first packet; means something if the scope is not ANY
    uint16_t port;         // outside
    yr_us last;
    struct filter *filters;
    size_t filter_count;
};

struct forward {
    uint16_t port;
    struct yr_addr inside;
};

struct nat {
    struct nat_opts opts;
    struct yr_addr outside;
    uint64_t seed, draws;
    uint16_t next; // of SEQUENTIAL
    struct mapping *mappings;
    size_t count, cap;
    struct forward forwards[64];
    size_t forward_count;
    struct nat_counts counts;
};

struct nat_opts nat_opts_default(void)
{
    return (struct nat_opts){.mapping = NAT_ANY,
                             .filtering = NAT_PORT,
                             .ports = NAT_PRESERVE,
                             .timeout_us = 120 * YR_S,
                             .lan = true,
                             .filter6 = NAT_PORT};
}

struct nat *nat_new(const struct nat_opts *opts, const struct yr_addr *outside, uint64_t seed)
{
    struct nat *nat = calloc(1, sizeof *nat);

    nat->opts = *opts;
    nat->outside = *outside;
    nat->outside.port = 0;
    nat->seed = seed;
    nat->next = 20000;
    return nat;
}

static void forget_mappings(struct nat *nat)
{
    for (size_t i = 0; i < nat->count; i++)
        free(nat->mappings[i].filters);
    nat->count = 0;
}

void nat_free(struct nat *nat)
{
    if (nat == NULL)
        return;
    forget_mappings(nat);
    free(nat->mappings);
    free(nat);
}

const struct nat_opts *nat_opts(const struct nat *nat)
{
    return &nat->opts;
}

void nat_set_opts(struct nat *nat, const struct nat_opts *opts)
{
    nat->opts = *opts;
}

struct yr_addr nat_outside(const struct nat *nat)
{
    return nat->outside;
}

void nat_counts(const struct nat *nat, struct nat_counts *out)
{
    *out = nat->counts;
}

static uint64_t draw(struct nat *nat)
{
    static const uint8_t key[16] = "yaari nat ports";
    const uint64_t in[2] = {nat->seed, nat->draws++};
    uint64_t value;
    uint8_t out[8];

    yr_siphash(out, key, in, sizeof in);
    memcpy(&value, out, sizeof value);
    return value;
}

/* ---- addresses: which of our sockets a host names is none of the box's business ---- */

static bool same_ip(const struct yr_addr *a, const struct yr_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

static bool within(enum nat_scope scope, const struct yr_addr *a, const struct yr_addr *b)
{
    switch (scope) {
    case NAT_ANY: return true;
    case NAT_ADDRESS: return same_ip(a, b);
    case NAT_PORT: return same_ip(a, b) && a->port == b->port;
    }
    return false;
}

static bool alive(const struct nat *nat, yr_us last, yr_us now)
{
    return now - last < nat->opts.timeout_us;
}

/* ---- mappings ---- */

// Dead ones make room: what is left keeps its order.
static void sweep(struct nat *nat, yr_us now)
{
    size_t kept = 0;

    for (size_t i = 0; i < nat->count; i++) {
        if (alive(nat, nat->mappings[i].last, now))
            nat->mappings[kept++] = nat->mappings[i];
        else
            free(nat->mappings[i].filters);
    }
    nat->count = kept;
}

unsigned nat_mapped(const struct nat *nat, yr_us now, const struct yr_addr *inside)
{
    unsigned n = 0;

    for (size_t i = 0; i < nat->count; i++)
        n += same_ip(&nat->mappings[i].inside, inside) && alive(nat, nat->mappings[i].last, now);
    return n;
}

static bool port_free(const struct nat *nat, uint16_t port)
{
    for (size_t i = 0; i < nat->count; i++)
        if (nat->mappings[i].port == port && nat->mappings[i].inside.family == 4)
            return false;
    for (size_t i = 0; i < nat->forward_count; i++)
        if (nat->forwards[i].port == port)
            return false;
    return true;
}

static uint16_t from(uint64_t first, uint64_t count, uint64_t n)
{
    return (uint16_t)(first + n % count);
}

// Where this subscriber's block begins: blocks lie side by side, subscribers by their address.
static uint64_t block_of(const struct nat *nat, const struct yr_addr *inside)
{
    const uint64_t blocks = (65536u - PORT_FIRST) / nat->opts.quota;
    const uint64_t who = (uint64_t)inside->ip[2] << 8 | inside->ip[3];

    return PORT_FIRST + who % blocks * nat->opts.quota;
}

// A free port, or 0.
static uint16_t pick_port(struct nat *nat, const struct yr_addr *inside)
{
    uint64_t first = PORT_FIRST, count = 65536u - PORT_FIRST, start = 0;

    switch (nat->opts.ports) {
    case NAT_PRESERVE: start = inside->port - PORT_FIRST; break;
    case NAT_SEQUENTIAL: start = (uint64_t)nat->next++ - PORT_FIRST; break;
    case NAT_RANDOM: start = draw(nat); break;
    case NAT_BLOCK:
        first = block_of(nat, inside);
        count = nat->opts.quota;
        start = draw(nat);
        break;
    }
    if (nat->next < PORT_FIRST)
        nat->next = PORT_FIRST;
    for (uint64_t i = 0; i < count; i++)
        if (port_free(nat, from(first, count, start % count + i)))
            return from(first, count, start % count + i);
    return 0;
}

static struct mapping *find(struct nat *nat, yr_us now, const struct yr_addr *inside,
                            const struct yr_addr *remote)
{
    const enum nat_scope scope = inside->family == 6 ? NAT_ANY : nat->opts.mapping;

    for (size_t i = 0; i < nat->count; i++) {
        struct mapping *m = &nat->mappings[i];
        if (m->inside.port == inside->port && same_ip(&m->inside, inside) &&
            within(scope, &m->remote, remote) && alive(nat, m->last, now))
            return m;
    }
    return NULL;
}

static struct mapping *add(struct nat *nat, yr_us now, const struct yr_addr *inside,
                           const struct yr_addr *remote)
{
    uint16_t port = inside->port;

    sweep(nat, now);
    if (inside->family == 4) {
        if (nat->opts.quota > 0 && nat_mapped(nat, now, inside) >= nat->opts.quota)
            return NULL;
        if ((port = pick_port(nat, inside)) == 0)
            return NULL;
    }
    if (nat->count == nat->cap) {
        nat->cap = nat->cap > 0 ? 2 * nat->cap : 16;
        nat->mappings = realloc(nat->mappings, nat->cap * sizeof *nat->mappings);
    }
    nat->mappings[nat->count++] =
        (struct mapping){.inside = *inside, .remote = *remote, .port = port, .last = now};
    nat->counts.most = YR_MAX(nat->counts.most, nat_mapped(nat, now, inside));
    return &nat->mappings[nat->count - 1];
}

/* ---- filters ---- */

static struct filter *filter_of(const struct nat *nat, struct mapping *m, enum nat_scope scope,
                                const struct yr_addr *remote, yr_us now)
{
    for (size_t i = 0; i < m->filter_count; i++)
        if (within(scope, &m->filters[i].remote, remote) && alive(nat, m->filters[i].last, now))
            return &m->filters[i];
    return NULL;
}

// Dead ones are written over, so that a mapping that lives for ever does not grow for ever.
static void let_in(const struct nat *nat, struct mapping *m, const struct yr_addr *remote,
                   yr_us now)
{
    size_t i = 0;

    while (i < m->filter_count && !within(NAT_PORT, &m->filters[i].remote, remote) &&
           alive(nat, m->filters[i].last, now))
        i++;
    if (i == m->filter_count) {
        if ((i & (i - 1)) == 0) // a power of two: full
            m->filters = realloc(m->filters, YR_MAX(2 * i, 1) * sizeof *m->filters);
        m->filter_count++;
    }
    m->filters[i] = (struct filter){*remote, now};
}

/* ---- packets ---- */

bool nat_out(struct nat *nat, yr_us now, const struct yr_addr *inside, const struct yr_addr *remote,
             struct yr_addr *as)
{
    struct mapping *m;

    if (nat->opts.blocked)
        return false;
    if (inside->family == 4)
        for (size_t i = 0; i < nat->forward_count; i++)
            if (nat->forwards[i].inside.port == inside->port &&
                same_ip(&nat->forwards[i].inside, inside)) {
                *as = nat->outside;
                as->port = nat->forwards[i].port;
                return true;
            }
    m = find(nat, now, inside, remote);
    if (m == NULL && (m = add(nat, now, inside, remote)) == NULL) {
        nat->counts.exhausted++;
        return false;
    }
    m->last = now;
    let_in(nat, m, remote, now);
    *as = inside->family == 6 ? *inside : nat->outside;
    as->port = m->port;
    as->local = 0;
    return true;
}

static struct forward *forward_of(struct nat *nat, uint16_t port)
{
    for (size_t i = 0; i < nat->forward_count; i++)
        if (nat->forwards[i].port == port)
            return &nat->forwards[i];
    return NULL;
}

// Is this mapping where a packet for `to` goes?
static bool leads_to(const struct mapping *m, const struct yr_addr *to)
{
    return m->port == to->port && m->inside.family == to->family &&
           (to->family == 4 || same_ip(&m->inside, to));
}

bool nat_in(struct nat *nat, yr_us now, const struct yr_addr *to, const struct yr_addr *remote,
            struct yr_addr *inside)
{
    const enum nat_scope scope = to->family == 6 ? nat->opts.filter6 : nat->opts.filtering;
    const struct forward *fixed = to->family == 4 ? forward_of(nat, to->port) : NULL;
    bool mapped = false;

    if (nat->opts.blocked)
        return false;
    if (fixed != NULL || (to->family == 6 && scope == NAT_ANY)) {
        *inside = fixed != NULL ? fixed->inside : *to;
        return true;
    }
    for (size_t i = 0; i < nat->count; i++) {
        struct mapping *m = &nat->mappings[i];
        struct filter *f;
        if (!leads_to(m, to) || !alive(nat, m->last, now))
            continue;
        mapped = true;
        f = filter_of(nat, m, scope, remote, now);
        if (f == NULL && scope != NAT_ANY)
            continue;
        if (nat->opts.refresh_in) {
            m->last = now;
            if (f != NULL)
                f->last = now;
        }
        *inside = m->inside;
        return true;
    }
    nat->counts.filtered += mapped;
    nat->counts.unmapped += !mapped;
    return false;
}

/* ---- events ---- */

void nat_forward(struct nat *nat, uint16_t port, const struct yr_addr *inside)
{
    if (nat->forward_count < YR_COUNT(nat->forwards))
        nat->forwards[nat->forward_count++] = (struct forward){port, *inside};
}

void nat_forget_forwards(struct nat *nat)
{
    nat->forward_count = 0;
}

void nat_reboot(struct nat *nat, const struct yr_addr *outside)
{
    forget_mappings(nat);
    nat->forward_count = 0;
    if (outside != NULL)
        nat->outside = *outside;
    nat->outside.port = 0;
}
