#include "core/path/candidates.h"

bool yr_addr_askable(const struct yr_addr *addr, bool loopback)
{
    static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (!yr_addr_udp(addr) || addr->port == 0 || yr_addr_multicast(addr))
        return false;
    if (yr_addr_loopback(addr))
        return loopback;
    if (addr->family == 4)
        return addr->ip[0] != 0 && addr->ip[0] < 240;
    return memcmp(addr->ip, zero, sizeof zero) != 0 && memcmp(addr->ip, mapped, sizeof mapped) != 0;
}

static size_t place_of(const struct yr_candidates *c, const struct yr_addr *addr)
{
    size_t i = 0;

    while (i < c->count && !yr_addr_eq(&c->list[i].addr, addr))
        i++;
    return i;
}

const struct yr_spot *yr_candidates_find(const struct yr_candidates *c, const struct yr_addr *addr)
{
    const size_t i = place_of(c, addr);

    return i < c->count ? &c->list[i] : NULL;
}

static void forget(struct yr_candidates *c, size_t i)
{
    memmove(&c->list[i], &c->list[i + 1], (c->count - i - 1) * sizeof c->list[0]);
    c->count--;
}

// The oldest of those where no link has been; where links have been is half of the list at most.
static size_t worst(const struct yr_candidates *c)
{
    size_t linked = 0, w = c->count;
    bool crowd;

    for (size_t i = 0; i < c->count; i++)
        linked += c->list[i].source == YR_ADDR_LINKED;
    crowd = linked > YR_ADDRS_MAX / 2;
    for (size_t i = 0; i < c->count; i++)
        if ((c->list[i].source == YR_ADDR_LINKED) == crowd &&
            (w == c->count || c->list[i].learnt_us < c->list[w].learnt_us))
            w = i;
    return w;
}

struct yr_spot *yr_candidates_learn(struct yr_candidates *c, const struct yr_addr *addr,
                                    enum yr_addr_source source, yr_us now, bool *fresh)
{
    const size_t i = place_of(c, addr);
    struct yr_spot *at = &c->list[i];

    *fresh = i == c->count || source == YR_ADDR_LAN;
    if (i == c->count) {
        if (c->count == YR_ADDRS_MAX)
            forget(c, worst(c));
        at = &c->list[c->count++];
        *at = (struct yr_spot){.addr = *addr, .source = source};
    } else if (at->source != YR_ADDR_LINKED) {
        at->source = source;
    }
    at->told = at->told || source == YR_ADDR_TOLD || source == YR_ADDR_DHT;
    at->learnt_us = now;
    return at;
}

static bool among(const struct yr_addr *addr, const struct yr_addr *addrs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (yr_addr_eq(addr, &addrs[i]))
            return true;
    return false;
}

void yr_candidates_told(struct yr_candidates *c, const struct yr_addr *addrs, size_t count,
                        enum yr_addr_source source)
{
    for (size_t i = c->count; i-- > 0;) {
        if (among(&c->list[i].addr, addrs, count))
            continue;
        c->list[i].told = false;
        if (c->list[i].source == source)
            forget(c, i);
    }
}

void yr_candidates_shut(struct yr_candidates *c, uint16_t local)
{
    for (size_t i = c->count; i-- > 0;)
        if (c->list[i].addr.local == local)
            forget(c, i);
}

static bool near(const struct yr_addr *a, const struct yr_addr *own, size_t own_count)
{
    if (yr_addr_loopback(a))
        return true;
    for (size_t i = 0; i < own_count; i++)
        if (a->family == own[i].family && memcmp(a->ip, own[i].ip, a->family == 4 ? 3 : 8) == 0)
            return yr_addr_private(a);
    return false;
}

enum yr_reach yr_candidate_rank(const struct yr_spot *c, const struct yr_addr *own,
                                size_t own_count)
{
    if (c->addr.family == 0)
        return YR_REACH_NOWHERE;
    if (!yr_addr_udp(&c->addr))
        return YR_REACH_RELAY;
    if (c->source == YR_ADDR_LAN || near(&c->addr, own, own_count))
        return YR_REACH_LAN;
    if (c->addr.family == 6)
        return YR_REACH_V6;
    return c->told && c->addr.local == 0 ? YR_REACH_MAPPED : YR_REACH_PUNCHED;
}
