/* core/node/net.c: what a user may ask about the network: where we are, how friends were looked
 * for, what it cost. */
#include "core/node/state.h"

static const char *const purpose_names[] = {[YR_FOR_LINK] = "link",
                                            [YR_FOR_PATH] = "path",
                                            [YR_FOR_CONTACT] = "contact",
                                            [YR_FOR_DHT] = "dht",
                                            [YR_FOR_RELAYED] = "relayed"};
static_assert(YR_COUNT(purpose_names) == YR_PURPOSE_COUNT, "a name for each purpose");

const char *yr_purpose_name(enum yr_purpose purpose)
{
    return purpose_names[purpose];
}

void yr_node_net(const struct yr_node *n, struct yr_net_info *out)
{
    memset(out, 0, sizeof *out);
    out->dht = n->opts.dht;
    out->relays = n->opts.relay;
    out->circuits = yr_relay_carrying(n->relay);
    out->keepalive_s = yr_paths_keepalive(n->paths, &out->keepalive_learned);
    yr_node_dht_info(n, out);
    yr_nat_info(&n->nat, n->now, out);
}

static bool slot_of(const struct yr_node *n, const uint8_t friend_id[YR_ID_LEN], unsigned *out)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->friends[slot].used && memcmp(n->friends[slot].id, friend_id, YR_ID_LEN) == 0) {
            *out = slot;
            return true;
        }
    return false;
}

bool yr_node_candidate_at(const struct yr_node *n, const uint8_t friend_id[YR_ID_LEN], size_t i,
                          struct yr_candidate_info *out)
{
    static const enum yr_found how[] = {
        [YR_ADDR_LINKED] = YR_FOUND_LINKED, [YR_ADDR_TOLD] = YR_FOUND_TOLD,
        [YR_ADDR_LAN] = YR_FOUND_LAN,       [YR_ADDR_PROBED] = YR_FOUND_PROBED,
        [YR_ADDR_DHT] = YR_FOUND_DHT,       [YR_ADDR_PEER] = YR_FOUND_PEER};
    enum yr_addr_source source;
    unsigned slot;

    if (!slot_of(n, friend_id, &slot) ||
        !yr_paths_candidate(n->paths, slot, i, &out->addr, &source))
        return false;
    out->how = how[source];
    return true;
}

bool yr_node_try_at(const struct yr_node *n, const uint8_t friend_id[YR_ID_LEN], size_t i,
                    struct yr_try *out)
{
    unsigned slot;

    return slot_of(n, friend_id, &slot) && yr_traces_at(n->traces, slot, i, out);
}

void yr_node_traffic(const struct yr_node *n, enum yr_purpose purpose, struct yr_traffic *out)
{
    const uint64_t carried = yr_relay_carried_all(n->relay);

    *out = n->traffic[purpose];
    if (purpose == YR_FOR_RELAYED) {
        out->in = out->out = carried;
    } else if (purpose == YR_FOR_LINK) { // it travels in packets of links, and is counted once
        out->in -= YR_MIN(out->in, carried);
        out->out -= YR_MIN(out->out, carried);
    }
}

void yr_node_set_relay(struct yr_node *n, struct yr_now now, bool on)
{
    n->now = now;
    n->opts.relay = on;
    yr_relay_allow(n->relay, on, now);
}
