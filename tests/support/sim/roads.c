/* How a packet goes from host to host: out through the boxes its sender is behind, at once; over
 * the network; and, when it arrives, in through those its receiver is behind then. */
#include "core/limits.h"
#include "tests/support/sim/state.h"

#define LAN_US YR_MS

/* ---- addresses ---- */

static bool same_ip(const struct yr_addr *a, const struct yr_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

struct yr_addr sim_stranger(void)
{
    return (struct yr_addr){.family = 4, .ip = {192, 0, 2, 66}, .port = 6666};
}

// The i-th public address, each in a /16 of its own for the first 19,750.  No private or special
// network begins with 20 to 98.
static void public_addr(struct yr_addr *addr, unsigned i)
{
    sim_check(i < 79 * 250, "too many public addresses");
    addr->family = 4;
    memcpy(addr->ip,
           (uint8_t[]){(uint8_t)(20 + i / 250), (uint8_t)(i % 250 + 1), (uint8_t)(i * 7 % 256),
                       (uint8_t)(i % 199 + 2)},
           4);
}

static void public_addr6(struct yr_addr *addr, unsigned i)
{
    *addr = (struct yr_addr){.family = 6, .port = PORT};
    memcpy(addr->ip, (uint8_t[]){0x2a, 0x01, (uint8_t)(i >> 8), (uint8_t)i, 0, 1, 0, 1}, 8);
    addr->ip[15] = 7;
}

// Homes use the same few networks, as they do; boxes that have boxes behind them use RFC 6598's.
static void lan_addr(const struct sim *sim, unsigned box, unsigned host, struct yr_addr *addr)
{
    bool carrier = false;

    for (unsigned i = 0; i < sim->box_count; i++)
        carrier |= sim->boxes[i].outer == box;
    addr->family = 4;
    if (carrier)
        memcpy(addr->ip,
               (uint8_t[]){100, (uint8_t)(64 + box % 64), (uint8_t)(host / 250),
                           (uint8_t)(host % 250 + 2)},
               4);
    else
        memcpy(addr->ip, (uint8_t[]){192, 168, (uint8_t)(box % 3), (uint8_t)(host % 250 + 2)}, 4);
}

// Is this an address behind that box?
static bool in_lan(const struct sim *sim, unsigned box, const struct yr_addr *addr)
{
    struct yr_addr first;

    lan_addr(sim, box, 0, &first);
    return addr->family == 4 && memcmp(addr->ip, first.ip, first.ip[0] == 100 ? 2 : 3) == 0;
}

void sim_first_addr(struct sim_node *sn)
{
    const unsigned i = sn->index;

    sn->box = SIM_INTERNET;
    sn->addr = (struct yr_addr){.family = 4, .port = PORT};
    memcpy(sn->addr.ip, (uint8_t[]){10, 0, (uint8_t)(i / 250), (uint8_t)(i % 250 + 1)}, 4);
    if (!sn->sim->opts.open)
        return;
    public_addr(&sn->addr, i);
    sn->placed = true;
}

void sim_tell_addrs(struct sim_node *sn)
{
    const struct yr_addr addrs[2] = {sn->addr, sn->addr6};

    if (sn->node != NULL)
        yr_node_addrs(sn->node, sim_now(sn->sim, sn->index), addrs, sn->addr6.family != 0 ? 2 : 1);
}

struct yr_addr sim_addr(const struct sim *sim, unsigned node)
{
    return sim->nodes[node]->addr;
}

static void new_addrs(struct sim_node *sn)
{
    const unsigned i = 10000 + 30 * sn->index + ++sn->moves % 30;

    if (sn->box != SIM_INTERNET)
        lan_addr(sn->sim, sn->box, sn->sim->boxes[sn->box].hosts++, &sn->addr);
    else if (sn->placed)
        public_addr(&sn->addr, i);
    else
        sn->addr.ip[1] = (uint8_t)sn->moves;
    if (sn->addr6.family != 0)
        public_addr6(&sn->addr6, i);
    sim_tell_addrs(sn);
    sim_drain(sn->sim, sn->index);
}

void sim_move(struct sim *sim, unsigned node)
{
    new_addrs(sim->nodes[node]);
}

void sim_behind(struct sim *sim, unsigned node, unsigned box)
{
    struct sim_node *sn = sim->nodes[node];

    sim_check(box == SIM_INTERNET || box < sim->box_count, "no such box");
    sn->box = box;
    sn->placed = true;
    new_addrs(sn);
}

void sim_give6(struct sim *sim, unsigned node, bool on)
{
    struct sim_node *sn = sim->nodes[node];

    sn->addr6.family = 0;
    if (on)
        public_addr6(&sn->addr6, node);
    sim_tell_addrs(sn);
    sim_drain(sim, node);
}

/* ---- boxes ---- */

unsigned sim_nat_behind(struct sim *sim, const struct nat_opts *opts, unsigned outer)
{
    const unsigned i = sim->box_count++;
    struct yr_addr outside = {0};

    sim->boxes = realloc(sim->boxes, sim->box_count * sizeof *sim->boxes);
    sim_check(sim->boxes != NULL, "out of memory");
    sim->boxes[i] = (struct box){.outer = outer};
    if (outer == SIM_INTERNET)
        public_addr(&outside, 1000 + i * 20);
    else
        lan_addr(sim, outer, sim->boxes[outer].hosts++, &outside);
    sim->boxes[i].nat = nat_new(opts, &outside, sim_prf(sim, STREAM_NAT, i, 0));
    return i;
}

unsigned sim_nat(struct sim *sim, const struct nat_opts *opts)
{
    return sim_nat_behind(sim, opts, SIM_INTERNET);
}

struct nat *sim_box(struct sim *sim, unsigned box)
{
    return sim->boxes[box].nat;
}

void sim_reboot_nat(struct sim *sim, unsigned box, bool new_address)
{
    struct box *b = &sim->boxes[box];
    struct yr_addr outside = nat_outside(b->nat);

    if (new_address && b->outer == SIM_INTERNET)
        public_addr(&outside, 1000 + box * 20 + ++b->moves % 20);
    else if (new_address)
        lan_addr(sim, b->outer, sim->boxes[b->outer].hosts++, &outside);
    nat_reboot(b->nat, &outside);
}

void sim_map_port(struct sim *sim, unsigned node, enum sim_mapping how)
{
    struct sim_node *sn = sim->nodes[node];
    struct yr_addr outside = {0};

    sim_check(sn->box != SIM_INTERNET, "no box that could map");
    if (how != SIM_MAP_NONE) {
        outside = nat_outside(sim->boxes[sn->box].nat);
        outside.port = how == SIM_MAP_TRUE ? sn->addr.port : (uint16_t)(50000 + node);
    }
    nat_forget_forwards(sim->boxes[sn->box].nat);
    if (how == SIM_MAP_TRUE)
        nat_forward(sim->boxes[sn->box].nat, outside.port, &sn->addr);
    if (sn->node != NULL)
        yr_node_mapped(sn->node, sim_now(sim, node), &outside);
    sim_drain(sim, node);
}

/* ---- sockets ---- */

void sim_open_socket(struct sim_node *sn, const struct yr_addr *which)
{
    sim_check(which->local > 0 && which->local <= YR_SOCKETS_MAX, "no such socket");
    sim_check(sn->sockets[which->local].family == 0, "a socket was opened twice");
    sn->sockets[which->local].family = which->family;
    sn->sockets[which->local].port = (uint16_t)(30000 + sn->opened++ % 30000);
}

void sim_shut_socket(struct sim_node *sn, const struct yr_addr *which)
{
    sim_check(which->local > 0 && which->local <= YR_SOCKETS_MAX, "no such socket");
    sim_check(sn->sockets[which->local].family != 0, "a socket was shut twice");
    sn->sockets[which->local].family = 0;
}

unsigned sim_sockets(const struct sim *sim, unsigned node)
{
    unsigned n = 0;

    for (size_t i = 1; i <= YR_SOCKETS_MAX; i++)
        n += sim->nodes[node]->sockets[i].family != 0;
    return n;
}

// Where a packet that leaves by this socket comes from; family 0: it does not leave.
static struct yr_addr source(const struct sim_node *sn, const struct yr_addr *to)
{
    struct yr_addr addr = to->family == 6 ? sn->addr6 : sn->addr;

    if (to->local == 0)
        return addr;
    sim_check(to->local <= YR_SOCKETS_MAX, "no such socket");
    if (sn->sockets[to->local].family != to->family)
        addr.family = 0;
    addr.port = sn->sockets[to->local].port;
    return addr;
}

// The socket of this host at this address, or -1.
static int socket_at(const struct sim_node *sn, const struct yr_addr *to)
{
    const struct yr_addr *own = to->family == 6 ? &sn->addr6 : &sn->addr;

    if (!same_ip(own, to))
        return -1;
    if (own->port == to->port)
        return 0;
    for (int i = 1; i <= YR_SOCKETS_MAX; i++)
        if (sn->sockets[i].family == to->family && sn->sockets[i].port == to->port)
            return i;
    return -1;
}

/* ---- the network ---- */

static void record(struct sim *sim, const uint8_t *bytes, size_t len)
{
    if (sim->recorded == NULL || sim->recorded_count == SIM_PACKETS_KEPT)
        return;
    sim->recorded[sim->recorded_count].bytes = malloc(len);
    memcpy(sim->recorded[sim->recorded_count].bytes, bytes, len);
    sim->recorded[sim->recorded_count++].len = len;
}

static void send(struct sim *sim, struct happening h, const uint8_t *bytes, size_t len)
{
    h.bytes = malloc(len > 0 ? len : 1);
    h.len = len;
    memcpy(h.bytes, bytes, len);
    sim_push(sim, h);
}

void sim_deliver(struct sim *sim, unsigned to, const struct yr_addr *from, const uint8_t *bytes,
                 size_t len, yr_us at)
{
    send(sim, (struct happening){.at = at, .what = PACKET, .node = to, .from = *from}, bytes, len);
}

// The host at this address behind this box, and which of its sockets.
static int host_at(const struct sim *sim, unsigned box, const struct yr_addr *to, int *local)
{
    for (unsigned i = 0; i < sim->node_count; i++)
        if (sim->nodes[i]->box == box && (*local = socket_at(sim->nodes[i], to)) >= 0)
            return (int)i;
    return -1;
}

static bool is_behind(const struct sim *sim, unsigned box, unsigned outer)
{
    while (box != SIM_INTERNET && box != outer)
        box = sim->boxes[box].outer;
    return box == outer;
}

// The box in this network that leads to an address: it has it, or (IPv6) a host with it is behind.
static int box_to(const struct sim *sim, unsigned net, const struct yr_addr *to)
{
    int host = -1;

    for (unsigned i = 0; to->family == 6 && i < sim->node_count; i++)
        if (same_ip(&sim->nodes[i]->addr6, to))
            host = (int)i;
    for (unsigned i = 0; i < sim->box_count; i++) {
        const struct yr_addr outside = nat_outside(sim->boxes[i].nat);
        if (sim->boxes[i].outer == net &&
            (to->family == 6 ? host >= 0 && is_behind(sim, sim->nodes[host]->box, i)
                             : same_ip(&outside, to)))
            return (int)i;
    }
    return -1;
}

bool sim_arrive(struct sim *sim, struct happening *h)
{
    unsigned net = h->net;
    int local, node, box;

    while ((node = host_at(sim, net, &h->to, &local)) < 0) {
        if ((box = box_to(sim, net, &h->to)) < 0 ||
            !nat_in(sim->boxes[box].nat, sim->time, &h->to, &h->from, &h->to))
            return false;
        net = (unsigned)box;
    }
    if (sim->cut[h->node][node])
        return false;
    sim->bytes += h->len;
    h->what = PACKET;
    h->node = (unsigned)node;
    h->from.local = (uint16_t)local;
    return true;
}

// Out through the boxes: false if it is lost; else where it is to arrive.
static bool leave(struct sim *sim, const struct sim_node *sn, struct happening *h)
{
    for (unsigned box = sn->box; box != SIM_INTERNET; box = sim->boxes[box].outer) {
        struct nat *nat = sim->boxes[box].nat;
        const struct yr_addr outside = nat_outside(nat);
        h->net = box;
        if (in_lan(sim, box, &h->to) || (h->to.family == 6 && box_to(sim, box, &h->to) >= 0) ||
            (h->to.family == 6 && host_at(sim, box, &h->to, &(int){0}) >= 0))
            return nat_opts(nat)->lan;
        if (!nat_out(nat, sim->time, &h->from, &h->to, &h->from))
            return false;
        h->net = sim->boxes[box].outer;
        if (same_ip(&outside, &h->to))
            return nat_opts(nat)->hairpin;
    }
    h->net = SIM_INTERNET;
    return true;
}

// A host without boxes in the plain network of 10.0.0.0/8, at this address; or -1.
static int plain_at(const struct sim *sim, const struct yr_addr *addr)
{
    for (unsigned i = 0; i < sim->node_count; i++)
        if (!sim->nodes[i]->placed && yr_addr_eq(&sim->nodes[i]->addr, addr))
            return (int)i;
    return -1;
}

// Each packet has its own draws.
void sim_carry(struct sim *sim, struct sim_node *from, const struct yr_addr *to,
               const uint8_t *bytes, size_t len)
{
    const struct yr_addr nobody = sim_stranger();
    const struct sim_link *l = &sim->opts.link;
    const uint64_t entity = sim->packets++;
    const int dst = from->placed || to->local != 0 ? -1 : plain_at(sim, to);
    struct happening h = {.what = TRANSIT,
                          .at = sim->time + l->delay_us,
                          .node = from->index,
                          .net = SIM_INTERNET,
                          .from = source(from, to),
                          .to = *to};

    record(sim, bytes, len);
    sim_scan_packet(sim, bytes, len);
    from->traffic.out += len + (to->family == 6 ? 48 : 28);
    from->traffic.packets_out++;
    if (dst < 0 && yr_addr_eq(to, &nobody)) {
        sim->strangers++;
        return;
    }
    h.to.local = 0;
    if (h.from.family == 0 || (dst < 0 && !leave(sim, from, &h)))
        return;
    if (dst >= 0) {
        h.what = PACKET;
        h.node = (unsigned)dst;
    }
    if (h.net != SIM_INTERNET)
        h.at = sim->time + LAN_US;
    sim->bytes += dst >= 0 ? len : 0;
    if (from->drop == bytes[0] || (dst >= 0 && sim->cut[from->index][dst]) ||
        sim_prf(sim, STREAM_LINK, entity, 0) % 1000 < l->loss)
        return;
    if (l->jitter_us > 0)
        h.at += sim_prf(sim, STREAM_LINK, entity, 1) % l->jitter_us;
    if (sim_prf(sim, STREAM_LINK, entity, 2) % 1000 < l->reorder)
        h.at += sim_prf(sim, STREAM_LINK, entity, 3) % (4 * l->delay_us + 1);
    send(sim, h, bytes, len);
    h.at += l->delay_us / 2;
    if (sim_prf(sim, STREAM_LINK, entity, 4) % 1000 < l->duplicate)
        send(sim, h, bytes, len);
}

// Hosts of the plain network hear each other; so do those behind a box that lets them.
static bool same_lan(const struct sim *sim, const struct sim_node *a, const struct sim_node *b)
{
    if (!a->placed || !b->placed)
        return !a->placed && !b->placed;
    return a->box == b->box && a->box != SIM_INTERNET && nat_opts(sim->boxes[a->box].nat)->lan;
}

void sim_broadcast(struct sim *sim, struct sim_node *from, const uint8_t *bytes, size_t len)
{
    record(sim, bytes, len);
    from->traffic.out += len + 28;
    from->traffic.packets_out++;
    for (unsigned i = 0; i < sim->node_count; i++)
        if (i != from->index && !sim->cut[from->index][i] && same_lan(sim, from, sim->nodes[i]))
            sim_deliver(sim, i, &from->addr, bytes, len, sim->time + LAN_US);
}
