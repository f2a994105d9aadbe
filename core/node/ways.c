/* core/node/ways.c: what binds the ways to a friend together: the path layer asks here for links to
 * be dialled and moved, for circuits, for word in the DHT, and tells what it tried. */
#include "core/node/state.h"

#define ROW_NETWORKS "networks"

void yr_way_dial(struct yr_node *n, struct yr_friend *f, const struct yr_addr *addr)
{
    if (addr->family == YR_FAMILY_SIGNAL)
        return; // first contact only
    f->dialled = *addr;
    yr_renew_dialled(n, yr_friend_slot(n, f), addr); // before the dial: it makes that one work
    (void)!yr_links_dial(n->links, yr_friend_slot(n, f), addr, false, n->now);
}

/* ---- what the path layer asks ---- */

static uint64_t path_clock(void *ctx, unsigned slot, const struct yr_probe_clock *clock)
{
    struct yr_node *n = ctx;

    n->friends[slot].probe_clock = *clock;
    yr_friend_store_clocks(n, &n->friends[slot]);
    return yr_rows_pending(n->rows);
}

static void path_found(void *ctx, unsigned slot, const struct yr_addr *addr)
{
    struct yr_node *n = ctx;

    yr_way_dial(n, &n->friends[slot], addr);
}

static void path_move(void *ctx, unsigned slot, const struct yr_addr *addr)
{
    struct yr_node *n = ctx;

    yr_links_move(n->links, slot, addr, n->now);
}

static void path_need(void *ctx, unsigned slot, unsigned times)
{
    yr_circuit_need(ctx, slot, times);
    yr_meet_need(ctx, slot);
}

static void path_here(void *ctx, unsigned slot, struct yr_offer *out)
{
    struct yr_node *n = ctx;
    struct yr_dht_ear ears[YR_RV_RELAYS_MAX];

    yr_relay_list(n->relay, slot, out->relays);
    out->relay_count = YR_RELAY_LIST;
    out->signal_count = yr_meet_here(n, slot, ears);
    for (size_t i = 0; i < out->signal_count; i++) {
        out->signals[i].node = ears[i].node;
        memcpy(out->signals[i].id, ears[i].id, YR_DHT_SIGNAL_LEN);
    }
}

static enum yr_err path_frame(void *ctx, unsigned slot, const uint8_t *body, size_t len)
{
    struct yr_node *n = ctx;

    return yr_links_send(n->links, slot, YR_CHANNEL_CONTROL, YR_FRAME_ADDRS, body, len);
}

static bool path_can_signal(void *ctx, unsigned slot)
{
    return yr_meet_can_signal(ctx, slot);
}

static void path_signal(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    yr_renew_signalled(ctx, slot);
    (void)yr_meet_signal(ctx, slot, bytes, len);
}

static void path_told(void *ctx, unsigned slot, const struct yr_offer *offer)
{
    struct yr_node *n = ctx;
    struct yr_dht_ear ears[YR_RV_RELAYS_MAX];

    yr_circuit_offered(n, slot, offer);
    for (size_t i = 0; i < offer->signal_count; i++) {
        ears[i].node = offer->signals[i].node;
        memcpy(ears[i].id, offer->signals[i].id, YR_DHT_SIGNAL_LEN);
    }
    yr_meet_told(n, slot, ears, offer->signal_count, offer->ms);
    yr_friend_store_addrs(n, &n->friends[slot]);
}

static yr_us path_heard(void *ctx, unsigned slot)
{
    struct yr_node *n = ctx;
    struct yr_link_info link;

    yr_links_info(n->links, slot, &link);
    return link.up ? link.heard_us : 0;
}

static bool path_waiting(void *ctx, unsigned slot)
{
    struct yr_node *n = ctx;

    return yr_delivery_queued(n->delivery, slot) > 0;
}

static void path_keepalive(void *ctx, unsigned seconds, bool learnt)
{
    struct yr_node *n = ctx;
    uint8_t row[YR_NETWORKS_ROW_MAX];

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->friends[slot].used)
            yr_links_keepalive(n->links, slot, seconds, n->now);
    if (learnt)
        yr_rows_put(n->rows, YR_TABLE_SELF, NULL, 0, ROW_NETWORKS, sizeof ROW_NETWORKS - 1, row,
                    yr_paths_networks(n->paths, row));
}

static void path_note(void *ctx, unsigned slot, enum yr_way way, enum yr_outcome outcome,
                      const struct yr_addr *addr)
{
    struct yr_node *n = ctx;
    struct yr_relay_info info;

    if (addr != NULL && yr_relay_at(n->relay, addr, &info)) // whose name says more
        yr_path_note(n->traces, n->now, slot, way, outcome, NULL, n->friends[info.via].id);
    else
        yr_path_note(n->traces, n->now, slot, way, outcome, addr, NULL);
}

const struct yr_path_ops yr_way_path_ops = {.clock = path_clock,
                                            .found = path_found,
                                            .move = path_move,
                                            .need = path_need,
                                            .here = path_here,
                                            .frame = path_frame,
                                            .can_signal = path_can_signal,
                                            .signal = path_signal,
                                            .told = path_told,
                                            .heard = path_heard,
                                            .waiting = path_waiting,
                                            .keepalive = path_keepalive,
                                            .note = path_note};

/* ---- where we are ---- */

enum yr_err yr_way_load(struct yr_node *n)
{
    uint8_t row[YR_NETWORKS_ROW_MAX];
    size_t len;
    enum yr_err err = yr_rows_get(n->rows, YR_TABLE_SELF, NULL, 0, ROW_NETWORKS,
                                  sizeof ROW_NETWORKS - 1, row, sizeof row, &len);

    if (err == YR_ENOENT)
        return YR_OK;
    if (err != YR_OK)
        return err;
    return yr_paths_networks_load(n->paths, row, len) == YR_OK ? YR_OK : YR_ECORRUPT;
}

void yr_way_moved(struct yr_node *n)
{
    yr_paths_moved(n->paths, n->addrs, n->addr_count, n->now);
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->friends[slot].used && n->friends[slot].online)
            yr_paths_tell(n->paths, slot, n->now);
}

size_t yr_way_own(const struct yr_node *n, struct yr_addr *out, size_t max)
{
    enum yr_own_source source;
    size_t count = 0;

    while (count < max && yr_nat_own_at(&n->nat, n->now, count, &out[count], &source))
        count++;
    return count;
}

bool yr_node_own_addr_at(const struct yr_node *n, size_t i, struct yr_addr *out,
                         enum yr_own_source *source)
{
    return yr_nat_own_at(&n->nat, n->now, i, out, source);
}

void yr_node_mapped(struct yr_node *n, struct yr_now now, const struct yr_addr *addr)
{
    n->now = now;
    yr_nat_mapped(&n->nat, addr);
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->friends[slot].used && n->friends[slot].online)
            yr_paths_tell(n->paths, slot, now);
}

bool yr_way_socket(struct yr_node *n, struct yr_effect *out)
{
    bool open;

    if (!yr_paths_socket(n->paths, &out->to, &open))
        return false;
    out->kind = open ? YR_FX_OPEN : YR_FX_SHUT;
    out->len = 0;
    return true;
}
