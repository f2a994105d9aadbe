/* rpc_check.c: net.check: what works between this node and others, what does not, what to do next;
 * facts only, and what nobody has found out yet is said to be so. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/common/json.h"
#include "cli/common/times.h"
#include "cli/daemon/rpc_internal.h"

/* ---- what is known ---- */

/* The running value of a key; NULL: there is no such key. */
static const char *config_of(struct yr_rpc *rpc, const char *wanted)
{
    const char *key, *value, *origin;

    for (size_t i = 0; rpc->env.config_at(rpc->env.ctx, i, &key, &value, &origin); i++)
        if (strcmp(key, wanted) == 0)
            return value;
    return NULL;
}

static bool node_has(const struct yr_node *node, const char *name, size_t len)
{
    struct yr_peer_info peer;

    for (size_t i = 0; yr_node_peer_at(node, i, &peer); i++)
        if (strlen(peer.name) == len && memcmp(peer.name, name, len) == 0)
            return true;
    return false;
}

size_t yr_rpc_net(struct yr_rpc *rpc, struct yr_net_info *out)
{
    const char *list = config_of(rpc, "net.bootstrap");
    struct yr_self self;
    size_t unfound = 0;

    yr_node_net(rpc->node, out);
    yr_node_self(rpc->node, &self);
    if (!self.unlocked)
        return 0; // it has been given none
    while (list != NULL && *list != '\0') {
        const size_t len = strcspn(list, ",");
        if (memchr(list, '/', len) != NULL && !node_has(rpc->node, list, len))
            unfound++;
        list += len + strspn(list + len, ", ");
    }
    out->bootstraps += unfound;
    return unfound;
}

/* ---- how others reach us ---- */

/* May the whole internet reach this address, if nothing filters in between? */
static bool is_public(const struct yr_addr *addr)
{
    const uint8_t *ip = addr->ip;

    if (addr->family == 6)
        return (ip[0] & 0xe0) == 0x20; // 2000::/3
    return addr->family == 4 && ip[0] != 0 && ip[0] != 10 && ip[0] != 127 && ip[0] < 224 &&
           !(ip[0] == 100 && (ip[1] & 0xc0) == 64) && !(ip[0] == 169 && ip[1] == 254) &&
           !(ip[0] == 172 && (ip[1] & 0xf0) == 16) && !(ip[0] == 192 && ip[1] == 168);
}

/* What the interfaces have of one family. */
struct own {
    size_t count;
    bool public, loopback;
    struct yr_addr first;
};

static struct own own_addrs(const struct yr_node *node, uint8_t family)
{
    struct own own = {0};
    enum yr_own_source source;
    struct yr_addr addr;

    for (size_t i = 0; yr_node_own_addr_at(node, i, &addr, &source); i++) {
        if (addr.family != family || source != YR_OWN_INTERFACE)
            continue;
        if (own.count++ == 0)
            own.first = addr;
        own.public = own.public || is_public(&addr);
        own.loopback = family == 4 && addr.ip[0] == 127;
    }
    return own;
}

static bool dht_works(const struct yr_net_info *net)
{
    return net->dht != YR_ROLE_OFF && net->nodes4 + net->nodes6 > 0;
}

/* Why this node is on no network at all; NULL: it is on one.  *fix: what to do. */
static const char *away(struct yr_rpc *rpc, const struct yr_net_info *net, const char **fix)
{
    struct yr_rpc_status status;
    struct yr_self self;

    rpc->env.status(rpc->env.ctx, &status);
    yr_node_self(rpc->node, &self);
    *fix = status.offline                   ? "start yaarid without --offline"
           : !self.unlocked && status.vault ? "yaari key unlock"
                                            : "yaari init";
    if (status.offline)
        return "the node is offline";
    if (!self.unlocked && status.vault)
        return "the vault is locked";
    return self.has_identity || net->dht == YR_ROLE_SERVER ? NULL : "there is no identity yet";
}

enum yr_reach yr_rpc_reach(struct yr_rpc *rpc, const struct yr_net_info *net)
{
    struct yr_self self;
    const char *fix;

    yr_node_self(rpc->node, &self);
    if (away(rpc, net, &fix) != NULL)
        return YR_REACH_NONE;
    if (net->reachable4 == YR_YES || net->reachable6 == YR_YES || net->mapped_works == YR_YES)
        return YR_REACH_DIRECT;
    if (dht_works(net))
        return YR_REACH_NAT; // at least
    if (net->dht == YR_ROLE_SERVER &&
        net->bootstraps == 0) // asks nobody, so who comes is a stranger
        return net->records > 0 ? YR_REACH_DIRECT : YR_REACH_UNKNOWN;
    if ((own_addrs(rpc->node, 4).public && net->reachable4 == YR_UNKNOWN) ||
        (own_addrs(rpc->node, 6).public && net->reachable6 == YR_UNKNOWN))
        return YR_REACH_UNKNOWN;
    return self.friends_online > 0 ? YR_REACH_NAT : YR_REACH_NONE;
}

const char *yr_reach_name(enum yr_reach reach)
{
    static const char *const names[] = {[YR_REACH_UNKNOWN] = "unknown",
                                        [YR_REACH_NONE] = "none",
                                        [YR_REACH_NAT] = "nat",
                                        [YR_REACH_DIRECT] = "direct"};
    return names[reach];
}

const char *yr_dht_mode_name(enum yr_dht_mode mode)
{
    static const char *const names[] = {[YR_ROLE_OFF] = "off",
                                        [YR_ROLE_AUTO] = "auto",
                                        [YR_ROLE_CLIENT] = "client",
                                        [YR_ROLE_SERVER] = "server"};
    return names[mode];
}

json_t *yr_json_dht(const struct yr_net_info *net)
{
    json_t *dht =
        json_pack("{s:s, s:b, s:I, s:I, s:I}", "mode", yr_dht_mode_name(net->dht), "serves",
                  (int)net->serves, "nodes", (json_int_t)(net->nodes4 + net->nodes6), "peers",
                  (json_int_t)net->bootstraps, "answered", (json_int_t)net->bootstraps_answered);
    if (net->network > 0)
        json_object_set_new(dht, "network", json_integer((json_int_t)net->network));
    return dht;
}

/* ---- findings ---- */

#define OK      "ok"
#define WARN    "warn"
#define FAIL    "fail"
#define UNKNOWN "unknown" /* nobody has found out yet */

static void put(json_t *list, const char *name, const char *result, const char *fix,
                const char *format, ...) YR_PRINTF(5);
static void put(json_t *list, const char *name, const char *result, const char *fix,
                const char *format, ...)
{
    json_t *check = json_pack("{s:s, s:s, s:s}", "type", "check", "name", name, "result", result);
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    yr_json_put_str(check, "text", text);
    yr_json_put_str(check, "fix", fix);
    json_array_append_new(list, check);
}

/* An address as text; room for it is the caller's. */
static const char *addr_text(char out[80], const struct yr_addr *addr)
{
    json_t *text = yr_json_addr(addr);

    snprintf(out, 80, "%s", json_string_value(text));
    json_decref(text);
    return out;
}

static void check_reachable(json_t *list, enum yr_reach reach, const struct yr_net_info *net)
{
    static const char port[] = "yaari config set net.port_mapping yes";

    if (reach == YR_REACH_DIRECT)
        put(list, "reachable", OK, NULL, "directly: strangers have reached this node");
    else if (reach == YR_REACH_UNKNOWN && net->dht == YR_ROLE_SERVER)
        put(list, "reachable", UNKNOWN, NULL,
            "not known yet: nobody has left anything here so far");
    else if (reach == YR_REACH_UNKNOWN)
        put(list, "reachable", UNKNOWN, NULL,
            "not known yet: an address is public, but nobody has tried it from outside");
    else if (reach == YR_REACH_NAT && dht_works(net))
        put(list, "reachable", OK, NULL,
            "by friends: found through the DHT, then directly where the networks allow it, else "
            "through a common friend");
    else if (reach == YR_REACH_NAT)
        put(list, "reachable", WARN, "yaari peer add HOST:PORT/KEY",
            "by friends who know where this node is; nobody else can find it");
    else
        put(list, "reachable", FAIL,
            net->dht == YR_ROLE_OFF ? port : "yaari peer add HOST:PORT/KEY",
            "nobody outside this network can reach this node");
}

static void check_direct(json_t *list, const char *name, enum yr_tri reachable,
                         const struct yr_addr *at, bool public)
{
    char text[80];

    addr_text(text, at);
    if (reachable == YR_YES)
        put(list, name, OK, NULL, "direct: strangers reach %s", text);
    else if (reachable == YR_NO)
        put(list, name, WARN, "let UDP to this port through the firewall",
            "no NAT, but what comes unasked to %s is lost: a firewall", text);
    else
        put(list, name, UNKNOWN, NULL, "%s%s, not known yet whether others reach it", text,
            public ? "" : ", no public address");
}

static void check_ipv6(json_t *list, const struct yr_node *node, const struct yr_net_info *net)
{
    const struct own own = own_addrs(node, 6);

    if (own.count == 0 && net->seen6.family == 0)
        put(list, "ipv6", OK, NULL, "no address here");
    else
        check_direct(list, "ipv6", net->reachable6, own.count > 0 ? &own.first : &net->seen6,
                     own.public);
}

static const char *nat_word(enum yr_nat_kind kind)
{
    static const char *const words[] = {[YR_NAT_UNKNOWN] = "not known yet",
                                        [YR_NAT_NONE] = "none",
                                        [YR_NAT_INDEPENDENT] = "endpoint-independent",
                                        [YR_NAT_ADDRESS] = "address-dependent",
                                        [YR_NAT_PORT] = "address- and port-dependent"};
    return words[kind];
}

static const char *tri_word(enum yr_tri tri)
{
    return tri == YR_YES ? "yes" : tri == YR_NO ? "no" : "not known yet";
}

static void check_ipv4(json_t *list, const struct yr_node *node, const struct yr_net_info *net)
{
    const bool hard = net->mapping == YR_NAT_ADDRESS || net->mapping == YR_NAT_PORT;
    const struct own own = own_addrs(node, 4);
    char at[80] = "", seen[100] = "";

    if (net->seen4.family != 0)
        snprintf(seen, sizeof seen, ", seen by others at %s", addr_text(at, &net->seen4));
    if (own.count == 0 && net->seen4.family == 0) {
        put(list, "ipv4", OK, NULL, "no address here");
    } else if (net->mapping == YR_NAT_UNKNOWN && net->reachable4 == YR_UNKNOWN) {
        put(list, "ipv4", UNKNOWN, NULL, "%s%s, kind of NAT not known yet",
            own.public     ? "a public address"
            : own.loopback ? "this machine only"
                           : "a private address",
            seen);
    } else if (net->mapping == YR_NAT_NONE || net->mapping == YR_NAT_UNKNOWN) {
        check_direct(list, "ipv4", net->reachable4,
                     net->seen4.family != 0 ? &net->seen4 : &own.first, own.public);
    } else {
        put(list, "ipv4", hard ? WARN : OK, hard ? "yaari config set net.port_mapping yes" : NULL,
            "nat %s%s, filtering %s, hairpin %s: %s", nat_word(net->mapping), seen,
            nat_word(net->filtering), tri_word(net->hairpin),
            hard ? "direct links only to friends who are easier to reach, else through a common "
                   "friend"
                 : "direct links by punching a hole");
    }
}

static bool config_on(struct yr_rpc *rpc, const char *key)
{
    const char *value = config_of(rpc, key);

    return value != NULL &&
           (strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 || strcmp(value, "on") == 0);
}

static void check_mapping(json_t *list, const struct yr_mapping_info *mapping,
                          const struct yr_net_info *net)
{
    char at[80];

    addr_text(at, &mapping->addr);
    switch (mapping->state) {
    case YR_MAPPING_OFF:
        put(list, "mapping", OK, NULL, "off: no router is asked to let others in");
        break;
    case YR_MAPPING_ASKING: put(list, "mapping", UNKNOWN, NULL, "the router is being asked"); break;
    case YR_MAPPING_NONE:
        put(list, "mapping", WARN,
            "open the port in the router by hand, or enable PCP or UPnP there", "none: %s",
            mapping->why);
        break;
    case YR_MAPPING_ON:
        if (net->mapped_works == YR_YES)
            put(list, "mapping", OK, NULL, "%s by %s: others come in there", at, mapping->by);
        else if (net->mapped_works == YR_NO)
            put(list, "mapping", WARN, "look for a second router in front of yours",
                "%s by %s, but nobody gets in there", at, mapping->by);
        else
            put(list, "mapping", UNKNOWN, NULL,
                "%s by %s, not known yet whether others get in there", at, mapping->by);
        break;
    }
}

static void check_lan(json_t *list, struct yr_rpc *rpc)
{
    struct yr_friend_info friend;
    size_t count = 0;

    for (size_t i = 0; yr_node_friend_at(rpc->node, i, &friend); i++)
        count += friend.online && friend.lan;
    if (config_on(rpc, "net.lan"))
        put(list, "lan", OK, NULL, "on, %zu friend%s linked here", count, count == 1 ? "" : "s");
    else
        put(list, "lan", OK, NULL, "off");
}

static void check_dht(json_t *list, const struct yr_net_info *net, size_t unfound)
{
    static const char add[] = "yaari peer add HOST:PORT/KEY";
    const size_t nodes = net->nodes4 + net->nodes6;
    char network[40] = "";

    if (net->network >= 1)
        snprintf(network, sizeof network, " of about %.0f", net->network);
    if (net->dht == YR_ROLE_OFF)
        put(list, "dht", OK, NULL, "off: friends, local network and configured peers only");
    else if (nodes > 0)
        put(list, "dht", OK, NULL, "%s, knows %zu node%s%s", net->serves ? "server" : "client",
            nodes, nodes == 1 ? "" : "s", network);
    else if (unfound > 0 && net->bootstraps_answered == 0)
        put(list, "dht", FAIL, "check the names in net.bootstrap, and the DNS",
            "no known peer answers (%zu known): no address is found for %zu", net->bootstraps,
            unfound);
    else if (net->bootstraps > 0 && net->bootstraps_answered == 0)
        put(list, "dht", FAIL, add,
            net->bootstraps == 1 ? "the one known peer does not answer"
                                 : "none of %zu known peers answers",
            net->bootstraps);
    else if (net->bootstraps == 0 && net->dht == YR_ROLE_SERVER)
        put(list, "dht", OK, NULL, "server, keeps %zu record%s for others, knows no other server",
            net->records, net->records == 1 ? "" : "s");
    else if (net->bootstraps == 0 && net->peers_without_key > 0)
        put(list, "dht", WARN, add,
            "no peer is known to start from: %zu known without a KEY can only be tried for friends",
            net->peers_without_key);
    else if (net->bootstraps == 0)
        put(list, "dht", WARN, add, "no peer is known to start from");
    else
        put(list, "dht", UNKNOWN, NULL, "a known peer answers, no node is in the table yet");
}

/* Who could see what while there is nobody to forward through. */
static void check_records(json_t *list, const struct yr_net_info *net)
{
    if (dht_works(net) && (net->direct_records || net->nodes4 + net->nodes6 == 1))
        put(list, "records", WARN, "yaari peer add HOST:PORT/KEY",
            "too few nodes to forward through: the node that keeps our records sees this address "
            "leave and fetch them, so it can tell which addresses look for each other; not who "
            "they are, nor what the records say");
    else if (dht_works(net))
        put(list, "records", OK, NULL,
            "through forwarders: who keeps them does not see this address");
}

static void check_relay(json_t *list, const struct yr_net_info *net)
{
    if (net->relays)
        put(list, "relay", OK, NULL, "carries for friends, %zu circuit%s now", net->circuits,
            net->circuits == 1 ? "" : "s");
    else
        put(list, "relay", OK, NULL, "off: carries for nobody");
}

static void check_clock(json_t *list, const struct yr_net_info *net)
{
    const int64_t off = net->clock_offset_ms < 0 ? -net->clock_offset_ms : net->clock_offset_ms;
    struct yr_buf span = {0};

    yr_span_add(&span, off);
    if (off == 0)
        put(list, "clock", OK, NULL, "ok");
    else
        put(list, "clock", FAIL, "set the clock: timedatectl set-ntp true",
            "%s %s the clocks of friends, who may look for this node under another hour's keys",
            yr_buf_str(&span), net->clock_offset_ms > 0 ? "ahead of" : "behind");
    yr_buf_clear(&span);
}

enum yr_end yr_rpc_net_check(struct yr_call *call)
{
    struct yr_rpc *rpc = call->rpc;
    struct yr_rpc_status status;
    struct yr_net_info net;
    const char *fix;
    json_t *list = json_array();

    const size_t unfound = yr_rpc_net(rpc, &net);
    const enum yr_reach reach = yr_rpc_reach(rpc, &net);
    const char *why = away(rpc, &net, &fix);
    const bool settled =
        why != NULL || (reach != YR_REACH_UNKNOWN &&
                        (net.bootstraps == 0 || net.dht == YR_ROLE_OFF || dht_works(&net)));
    rpc->env.status(rpc->env.ctx, &status);
    if (why != NULL) {
        put(list, "reachable", FAIL, fix, "no: %s", why);
    } else {
        check_reachable(list, reach, &net);
        check_ipv6(list, rpc->node, &net);
        check_ipv4(list, rpc->node, &net);
        check_mapping(list, &status.mapping, &net);
        check_lan(list, rpc);
        check_dht(list, &net, unfound);
        check_records(list, &net);
        check_relay(list, &net);
        put(list, "keepalive", OK, NULL, "%u s%s", net.keepalive_s,
            net.keepalive_learned ? ", as this network allows" : ", not measured yet");
    }
    check_clock(list, &net);
    return yr_call_ok(call, json_pack("{s:s, s:b, s:o}", "reachable", yr_reach_name(reach),
                                      "settled", (int)settled, "checks", list));
}
