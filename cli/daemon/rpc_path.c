/* rpc_path.c: net.addrs and net.path: where this node is, and how a friend is or was looked for. */
#include <stdio.h>

#include "cli/common/json.h"
#include "cli/daemon/rpc_internal.h"

/* ---- own addresses ---- */

enum yr_end yr_rpc_net_addrs(struct yr_call *call)
{
    static const char *const sources[] = {
        [YR_OWN_INTERFACE] = "interface", [YR_OWN_SEEN] = "seen", [YR_OWN_MAPPED] = "mapped"};
    char key[YR_ID_TEXT], peer[160];
    enum yr_own_source source;
    struct yr_net_info net;
    struct yr_addr addr;
    json_t *list = json_array();

    yr_node_net(call->rpc->node, &net);
    yr_id_text(key, net.dht_pk, sizeof net.dht_pk);
    for (size_t i = 0; yr_node_own_addr_at(call->rpc->node, i, &addr, &source); i++) {
        json_t *record = json_pack("{s:s, s:o, s:s}", "type", "addr", "addr", yr_json_addr(&addr),
                                   "source", sources[source]);
        if (net.serves) {
            snprintf(peer, sizeof peer, "%s/%s", yr_json_str(record, "addr", ""), key);
            json_object_set_new(record, "peer", json_string(peer));
            json_object_set_new(record, "lasting", json_boolean(net.dht == YR_ROLE_SERVER));
        }
        json_array_append_new(list, record);
    }
    return yr_call_ok(call, json_pack("{s:o}", "addrs", list));
}

/* ---- the way to a friend ---- */

void yr_put_path(struct yr_rpc *rpc, json_t *record, const struct yr_friend_info *info)
{
    if (!info->online)
        return;
    json_object_set_new(record, "path",
                        json_string_nocheck(info->relayed ? "relay"
                                            : info->lan   ? "lan"
                                                          : "direct"));
    if (info->relayed &&
        !yr_is_zero(info->via, sizeof info->via)) // its circuit may just have ended
        yr_put_name(rpc, record, "via", info->via);
}

static json_t *candidates(struct yr_call *call, const uint8_t id[YR_ID_LEN])
{
    static const char *const sources[] = {
        [YR_FOUND_LINKED] = "linked", [YR_FOUND_TOLD] = "told", [YR_FOUND_LAN] = "lan",
        [YR_FOUND_PROBED] = "probed", [YR_FOUND_DHT] = "dht",   [YR_FOUND_PEER] = "peer"};
    struct yr_candidate_info candidate;
    json_t *list = json_array();

    for (size_t i = 0; yr_node_candidate_at(call->rpc->node, id, i, &candidate); i++)
        json_array_append_new(list, json_pack("{s:o, s:s}", "addr", yr_json_addr(&candidate.addr),
                                              "source", sources[candidate.how]));
    return list;
}

json_t *yr_json_try(struct yr_rpc *rpc, const struct yr_try *try)
{
    json_t *out = json_object();

    yr_json_put_time(out, "time", try->at_ms);
    json_object_set_new(out, "way", json_string_nocheck(yr_way_name(try->way)));
    json_object_set_new(out, "outcome", json_string_nocheck(yr_outcome_name(try->outcome)));
    json_object_set_new(out, "count", json_integer(try->count));
    if (try->addr.family == 4 || try->addr.family == 6)
        json_object_set_new(out, "addr", yr_json_addr(&try->addr));
    if (!yr_is_zero(try->via, sizeof try->via))
        yr_put_name(rpc, out, "via", try->via);
    return out;
}

static json_t *tries(struct yr_call *call, const uint8_t id[YR_ID_LEN])
{
    json_t *list = json_array();
    struct yr_try try;

    for (size_t i = 0; yr_node_try_at(call->rpc->node, id, i, &try); i++)
        json_array_insert_new(list, 0, yr_json_try(call->rpc, &try)); // oldest first
    return list;
}

enum yr_end yr_rpc_net_path(struct yr_call *call)
{
    struct yr_friend_info info;
    uint8_t id[YR_ID_LEN];
    json_t *path;

    if (!yr_call_target(call, yr_call_str(call, "friend"), YR_NAMES_FRIENDS, id))
        return YR_END_FAILED;
    const enum yr_err err = yr_node_friend(call->rpc->node, id, &info);
    if (err != YR_OK)
        return yr_call_err(call, err);
    path = json_pack("{s:s, s:o, s:s}", "type", "path", "friend", yr_record_ref(call->rpc, id),
                     "state", info.online ? "online" : "offline");
    yr_put_path(call->rpc, path, &info);
    if (info.online && (info.addr.family == 4 || info.addr.family == 6))
        json_object_set_new(path, "addr", yr_json_addr(&info.addr));
    if (info.online && info.rtt_us > 0)
        json_object_set_new(path, "rtt_ms", json_real((double)info.rtt_us / 1000.0));
    json_object_set_new(path, "candidates", candidates(call, id));
    json_object_set_new(path, "tries", tries(call, id));
    json_object_set_new(path, "relayed_for_me", json_integer((json_int_t)info.relayed_for_me));
    json_object_set_new(path, "relayed_by_me", json_integer((json_int_t)info.relayed_by_me));
    return yr_call_ok(call, path);
}
