#include "core/path/nat.h"

#define TEST_PORTS 8    // outside ports that tell whether they are rationed
#define TEST_BLOCK 1024 // ... which they are if they lie so close together

void yr_nat_init(struct yr_nat *nat, const struct yr_rng *rng)
{
    memset(nat, 0, sizeof *nat);
    nat->rng = rng;
    yr_random(rng, nat->sent_key, sizeof nat->sent_key);
}

void yr_nat_moved(struct yr_nat *nat, const struct yr_addr *own, size_t count)
{
    const struct yr_rng *rng = nat->rng;
    const struct yr_addr mapped = nat->mapped;
    const uint64_t version = nat->version;

    yr_nat_init(nat, rng);
    nat->version = version; // who moves tells it anyway
    nat->mapped = mapped;
    nat->own_count = YR_MIN(count, YR_COUNT(nat->own));
    if (nat->own_count > 0)
        memcpy(nat->own, own, nat->own_count * sizeof *own);
}

/* ---- what others say ---- */

static bool same_ip(const struct yr_addr *a, const struct yr_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

static bool same_place(const struct yr_addr *a, const struct yr_addr *b)
{
    return same_ip(a, b) && a->port == b->port;
}

static bool depends(enum yr_nat_kind kind)
{
    return kind == YR_NAT_ADDRESS || kind == YR_NAT_PORT;
}

// /24 and /48: as many liars as one pays for.
static bool same_network(const struct yr_addr *a, const struct yr_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 3 : 6) == 0;
}

static bool own(const struct yr_nat *nat, const struct yr_addr *addr)
{
    for (size_t i = 0; i < nat->own_count; i++)
        if (same_place(&nat->own[i], addr))
            return true;
    return false;
}

static void drop(struct yr_nat *nat, size_t i)
{
    memmove(&nat->reports[i], &nat->reports[i + 1], (nat->count - i - 1) * sizeof nat->reports[0]);
    nat->count--;
}

// Which goes when there is no room: the oldest of a network that has said more than once.
static size_t worst(const struct yr_nat *nat)
{
    for (size_t i = 0; i < nat->count; i++)
        for (size_t k = i + 1; k < nat->count; k++)
            if (same_network(&nat->reports[i].from, &nat->reports[k].from))
                return i;
    return 0;
}

// Of how many networks are those who named the ports?
static size_t port_networks(const struct yr_nat *nat)
{
    size_t networks = 0;

    for (size_t i = 0; i < nat->port_count; i++) {
        size_t k = 0;
        while (k < i && !same_network(&nat->ports[k].by, &nat->ports[i].by))
            k++;
        networks += k == i;
    }
    return networks;
}

// Eight ports or more, close together, and not simply one after the other; by enough networks that
// one liar cannot keep us from guessing.
static bool from_a_block(const struct yr_nat *nat)
{
    uint16_t least = UINT16_MAX, most = 0;
    bool back = false;

    for (size_t i = 0; i < nat->port_count; i++) {
        least = YR_MIN(least, nat->ports[i].port);
        most = YR_MAX(most, nat->ports[i].port);
        back = back || (i > 0 && nat->ports[i].port < nat->ports[i - 1].port);
    }
    return nat->port_count >= TEST_PORTS && back && most - least < TEST_BLOCK &&
           port_networks(nat) >= YR_NAT_NETWORKS;
}

static void note_port(struct yr_nat *nat, uint16_t port, const struct yr_addr *by)
{
    for (size_t i = 0; i < nat->port_count; i++)
        if (nat->ports[i].port == port)
            return;
    if (nat->port_count == YR_COUNT(nat->ports)) {
        nat->port_count--;
        memmove(nat->ports, nat->ports + 1, nat->port_count * sizeof nat->ports[0]);
    }
    nat->ports[nat->port_count].port = port;
    nat->ports[nat->port_count++].by = *by;
    nat->rationed = nat->rationed || from_a_block(nat);
}

// Somebody sees us elsewhere than before.  When another network says so too, what was said before
// is void: the NAT has started again.
static void changed(struct yr_nat *nat, yr_us now, const struct yr_addr *from)
{
    if (nat->changed_us == 0 || now > nat->changed_us + YR_NAT_CHANGE_S * YR_S) {
        nat->changed_us = now;
        nat->changed_by = *from;
        return;
    }
    if (same_network(&nat->changed_by, from))
        return;
    for (size_t i = nat->count; i-- > 0;)
        if (nat->reports[i].seen.family == from->family && nat->reports[i].at < nat->changed_us)
            drop(nat, i);
}

void yr_nat_seen(struct yr_nat *nat, struct yr_now now, const struct yr_addr *from,
                 const struct yr_addr *seen)
{
    struct yr_addr before = {0}, after = {0};
    const enum yr_nat_kind kind = yr_nat_mapping(nat);
    bool first;

    if (!yr_addr_udp(from) || !yr_addr_udp(seen) || seen->port == 0 || from->local != 0 ||
        from->family != seen->family || yr_addr_loopback(seen) || yr_addr_multicast(seen))
        return;
    if (seen->family == 4)
        note_port(nat, seen->port, from);
    first = !yr_nat_outside(nat, seen->family, &before);
    for (size_t i = nat->count; i-- > 0;) {
        if (!same_place(&nat->reports[i].from, from))
            continue;
        if (!same_place(&nat->reports[i].seen, seen) && !depends(kind))
            changed(nat, now.mono_us, from);
        break;
    }
    for (size_t i = nat->count; i-- > 0;)
        if (same_place(&nat->reports[i].from, from))
            drop(nat, i);
    if (nat->count == YR_NAT_REPORTS_MAX)
        drop(nat, worst(nat));
    nat->reports[nat->count++] =
        (struct yr_nat_report){.from = *from, .seen = *seen, .at = now.mono_us};
    (void)yr_nat_outside(nat, seen->family, &after);
    // Where ports are another for each who looks, a new one is no news.
    if (depends(kind) && depends(yr_nat_mapping(nat)))
        before.port = after.port;
    if (!same_place(&before, &after) || kind != yr_nat_mapping(nat))
        nat->version++;
    if (first && seen->family == 4)
        nat->hairpin_due = nat->hairpin == YR_UNKNOWN && !own(nat, seen);
}

// The i-th report is its network's newest.
static bool counts(const struct yr_nat *nat, size_t i)
{
    if (nat->reports[i].seen.family == 0)
        return false;
    for (size_t k = i + 1; k < nat->count; k++)
        if (same_network(&nat->reports[i].from, &nat->reports[k].from))
            return false;
    return true;
}

// Of all networks, how many agree with the place that most name; -1: none has said anything.
static int most_named(const struct yr_nat *nat, uint8_t family, size_t *networks, size_t *named)
{
    int best = -1;

    *networks = *named = 0;
    for (size_t i = 0; i < nat->count; i++) {
        size_t n = 0;
        if (nat->reports[i].seen.family != family || !counts(nat, i))
            continue;
        ++*networks;
        for (size_t k = 0; k < nat->count; k++)
            n += counts(nat, k) && same_place(&nat->reports[i].seen, &nat->reports[k].seen);
        if (n >= *named) {
            *named = n;
            best = (int)i;
        }
    }
    return best;
}

bool yr_nat_outside(const struct yr_nat *nat, uint8_t family, struct yr_addr *out)
{
    size_t networks, named;
    const int best = most_named(nat, family, &networks, &named);

    if (best < 0)
        return false;
    *out = nat->reports[best].seen;
    out->local = 0;
    return true;
}

// Two ports of one address: does it matter which one is talked to?
static enum yr_nat_kind kind_of_dependence(const struct yr_nat *nat)
{
    for (size_t i = 0; i < nat->count; i++)
        for (size_t k = i + 1; k < nat->count; k++) {
            const struct yr_nat_report *a = &nat->reports[i], *b = &nat->reports[k];
            if (a->seen.family == 4 && same_ip(&a->from, &b->from) &&
                a->from.port != b->from.port && same_place(&a->seen, &b->seen))
                return YR_NAT_ADDRESS;
        }
    return YR_NAT_PORT;
}

enum yr_nat_kind yr_nat_mapping(const struct yr_nat *nat)
{
    size_t networks, named;
    const int best = most_named(nat, 4, &networks, &named);

    if (networks < YR_NAT_NETWORKS)
        return YR_NAT_UNKNOWN;
    if (named >= YR_NAT_NETWORKS && 2 * named > networks)
        return own(nat, &nat->reports[best].seen) ? YR_NAT_NONE : YR_NAT_INDEPENDENT;
    return named == 1 || 2 * named < networks ? kind_of_dependence(nat) : YR_NAT_UNKNOWN;
}

bool yr_nat_rationed(const struct yr_nat *nat)
{
    return nat->rationed;
}

/* ---- who comes unasked ---- */

static uint64_t place_key(const struct yr_nat *nat, const struct yr_addr *addr, bool port)
{
    uint8_t in[1 + 16 + 2] = {addr->family}, out[8];
    uint64_t key;

    memcpy(in + 1, addr->ip, addr->family == 4 ? 4 : 16);
    if (port) {
        in[17] = (uint8_t)addr->port;
        in[18] = (uint8_t)(addr->port >> 8);
        in[0] |= 0x80;
    }
    yr_siphash(out, nat->sent_key, in, sizeof in);
    memcpy(&key, out, sizeof key);
    return key;
}

static void remember(struct yr_nat *nat, yr_us now, uint64_t key)
{
    nat->sent[key % YR_NAT_SENT_MAX].key = key;
    nat->sent[key % YR_NAT_SENT_MAX].at = now;
}

static bool remembered(const struct yr_nat *nat, yr_us now, uint64_t key)
{
    return nat->sent[key % YR_NAT_SENT_MAX].key == key &&
           now < nat->sent[key % YR_NAT_SENT_MAX].at + YR_NAT_SENT_S * YR_S;
}

void yr_nat_sent(struct yr_nat *nat, struct yr_now now, const struct yr_addr *to)
{
    if (!yr_addr_udp(to) || to->local != 0)
        return;
    remember(nat, now.mono_us, place_key(nat, to, false));
    remember(nat, now.mono_us, place_key(nat, to, true));
}

static bool local_network(const struct yr_nat *nat, const struct yr_addr *addr)
{
    for (size_t i = 0; i < nat->own_count; i++)
        if (same_network(&nat->own[i], addr))
            return true;
    return yr_addr_loopback(addr);
}

void yr_nat_heard(struct yr_nat *nat, struct yr_now now, const struct yr_addr *from)
{
    if (!yr_addr_udp(from) || from->local != 0 || local_network(nat, from) ||
        remembered(nat, now.mono_us, place_key(nat, from, true)))
        return;
    if (!remembered(nat, now.mono_us, place_key(nat, from, false))) {
        nat->heard_stranger[from->family == 6] = true;
        nat->expected = 0;
    } else if (from->family == 4) {
        nat->heard_port = true;
    }
}

void yr_nat_expect(struct yr_nat *nat, struct yr_now now)
{
    nat->expected++;
    nat->expect_us = now.mono_us;
}

static bool waited(const struct yr_nat *nat, struct yr_now now)
{
    return nat->expected >= YR_NAT_NETWORKS && now.mono_us >= nat->expect_us + YR_NAT_WAIT_S * YR_S;
}

enum yr_nat_kind yr_nat_filtering(const struct yr_nat *nat, struct yr_now now)
{
    if (nat->heard_stranger[0])
        return yr_nat_mapping(nat) == YR_NAT_NONE ? YR_NAT_NONE : YR_NAT_INDEPENDENT;
    if (nat->heard_port)
        return YR_NAT_ADDRESS;
    return waited(nat, now) ? YR_NAT_PORT : YR_NAT_UNKNOWN;
}

enum yr_tri yr_nat_reachable(const struct yr_nat *nat, struct yr_now now, uint8_t family)
{
    if (nat->heard_stranger[family == 6])
        return YR_YES;
    return family == 4 && waited(nat, now) ? YR_NO : YR_UNKNOWN;
}

/* ---- a port mapping ---- */

void yr_nat_mapped(struct yr_nat *nat, const struct yr_addr *addr)
{
    if (!same_place(&nat->mapped, addr)) {
        nat->mapped_us = 0;
        nat->mapped_told = false;
        nat->version++;
    }
    nat->mapped = *addr;
}

void yr_nat_reached(struct yr_nat *nat, struct yr_now now, const struct yr_addr *at)
{
    if (!yr_addr_udp(at) || !same_place(&nat->mapped, at))
        return;
    nat->version += !nat->mapped_told;
    nat->mapped_told = true;
    nat->mapped_us = now.mono_us;
}

enum yr_tri yr_nat_mapped_works(const struct yr_nat *nat, struct yr_now now)
{
    if (nat->mapped.family == 0 || nat->mapped_us == 0)
        return YR_UNKNOWN;
    return now.mono_us < nat->mapped_us + YR_NAT_MAPPED_S * YR_S ? YR_YES : YR_NO;
}

/* ---- hairpin ---- */

size_t yr_nat_poll(struct yr_nat *nat, struct yr_now now, struct yr_addr *to, uint8_t *buf,
                   size_t cap)
{
    if (!nat->hairpin_due || cap < YR_HAIRPIN_LEN || !yr_nat_outside(nat, 4, to))
        return 0;
    nat->hairpin_due = false;
    if (own(nat, to))
        return 0;
    nat->hairpin_us = now.mono_us + YR_NAT_HAIRPIN_S * YR_S;
    nat->hairpin_at = *to;
    yr_random(nat->rng, nat->token, sizeof nat->token);
    nat->token[0] = 0x21;
    memcpy(buf, nat->token, sizeof nat->token);
    return sizeof nat->token;
}

bool yr_nat_hairpin(struct yr_nat *nat, struct yr_now now, const uint8_t *packet, size_t len)
{
    if (nat->hairpin_us == 0 || now.mono_us >= nat->hairpin_us || len != YR_HAIRPIN_LEN ||
        memcmp(packet, nat->token, len) != 0)
        return false;
    nat->hairpin = YR_YES;
    nat->hairpin_us = 0;
    return true;
}

static yr_us mapped_until(const struct yr_nat *nat)
{
    return nat->mapped_told ? nat->mapped_us + YR_NAT_MAPPED_S * YR_S : YR_NEVER;
}

yr_us yr_nat_deadline(const struct yr_nat *nat)
{
    return YR_MIN(nat->hairpin_us != 0 ? nat->hairpin_us : YR_NEVER, mapped_until(nat));
}

void yr_nat_tick(struct yr_nat *nat, struct yr_now now)
{
    if (nat->hairpin_us != 0 && now.mono_us >= nat->hairpin_us) {
        nat->hairpin = YR_NO;
        nat->hairpin_us = 0;
    }
    if (now.mono_us >= mapped_until(nat)) { // nobody comes that way: it is told no more
        nat->mapped_told = false;
        nat->version++;
    }
}

/* ---- our own addresses ---- */

bool yr_addr_private(const struct yr_addr *a)
{
    if (yr_addr_loopback(a))
        return true;
    if (a->family == 6)
        return (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80) || (a->ip[0] & 0xfe) == 0xfc;
    return a->ip[0] == 10 || (a->ip[0] == 172 && (a->ip[1] & 0xf0) == 16) ||
           (a->ip[0] == 192 && a->ip[1] == 168) || (a->ip[0] == 169 && a->ip[1] == 254) ||
           (a->ip[0] == 100 && (a->ip[1] & 0xc0) == 64);
}

// One of the list, of those `which` are: counted down to the one asked for.
static bool own_of(const struct yr_nat *nat, bool private, size_t *i, struct yr_addr *out)
{
    for (size_t k = 0; k < nat->own_count; k++)
        if (yr_addr_private(&nat->own[k]) == private && (*i)-- == 0) {
            *out = nat->own[k];
            return true;
        }
    return false;
}

bool yr_nat_own_at(const struct yr_nat *nat, struct yr_now now, size_t i, struct yr_addr *out,
                   enum yr_own_source *source)
{
    const enum yr_nat_kind mapping = yr_nat_mapping(nat);
    struct yr_addr seen;

    *source = YR_OWN_INTERFACE;
    if (own_of(nat, false, &i, out))
        return true;
    *source = YR_OWN_MAPPED;
    if (yr_nat_mapped_works(nat, now) == YR_YES && i-- == 0) {
        *out = nat->mapped;
        return true;
    }
    *source = YR_OWN_SEEN;
    for (uint8_t family = 4; family <= 6; family += 2) {
        if ((family == 4 && depends(mapping)) || !yr_nat_outside(nat, family, &seen) ||
            own(nat, &seen) || i-- > 0)
            continue;
        *out = seen;
        return true;
    }
    *source = YR_OWN_INTERFACE;
    return own_of(nat, true, &i, out);
}

/* ---- what is known ---- */

void yr_nat_info(const struct yr_nat *nat, struct yr_now now, struct yr_net_info *out)
{
    (void)yr_nat_outside(nat, 4, &out->seen4);
    (void)yr_nat_outside(nat, 6, &out->seen6);
    out->mapping = yr_nat_mapping(nat);
    out->filtering = yr_nat_filtering(nat, now);
    out->hairpin = nat->hairpin;
    out->reachable4 = yr_nat_reachable(nat, now, 4);
    out->reachable6 = yr_nat_reachable(nat, now, 6);
    out->mapped = nat->mapped;
    out->mapped_works = yr_nat_mapped_works(nat, now);
}

void yr_nat_network(const struct yr_nat *nat, uint8_t key[16])
{
    uint8_t in[(YR_OWN_ADDRS_MAX + 1) * 9] = {0};
    struct yr_wr wr = yr_wr_init(in, sizeof in);
    struct yr_addr outside;

    for (size_t i = 0; i < nat->own_count; i++) {
        yr_wr_u8(&wr, nat->own[i].family);
        yr_wr_bytes(&wr, nat->own[i].ip, nat->own[i].family == 4 ? 3 : 8);
    }
    if (yr_nat_outside(nat, 4, &outside)) {
        yr_wr_u8(&wr, 0x80);
        yr_wr_bytes(&wr, outside.ip, 3);
    }
    yr_hash16(key, in, yr_wr_len(&wr));
}
