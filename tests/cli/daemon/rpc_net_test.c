/* What the node is asked about the network: check, addrs, path, stats, why, peers. */
#include "tests/cli/daemon/rpc_world.h"

static const struct yr_addr home = {.family = 4, .ip = {192, 168, 1, 7}, .port = 7722};
static const struct yr_addr outside = {.family = 4, .ip = {198, 51, 100, 7}, .port = 4444};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    world_open(w);
    fake_friend(w->node, 2, "", "bob");
    fake_friend(w->node, 3, "", "carol");
    w->node->own[0] = home;
    w->node->own_source[0] = YR_OWN_INTERFACE;
    w->node->own_count = 1;
    w->node->net.dht = YR_ROLE_AUTO;
    w->node->net.keepalive_s = 25;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* The finding called `name`; NULL: there is none.  Lent from *answer. */
static const json_t *finding(struct world *w, json_t **answer, const char *name)
{
    json_t *list = json_object_get(call(w, answer, "net.check", "{}"), "checks"), *check;
    size_t i;

    json_array_foreach(list, i, check) if (strcmp(str(check, "name"), name) == 0) return check;
    return NULL;
}

static void assert_finding(struct world *w, const char *name, const char *result, const char *text)
{
    json_t *answer;
    const json_t *check = finding(w, &answer, name);

    assert_non_null(check);
    if (strcmp(str(check, "result"), result) != 0 || strstr(str(check, "text"), text) == NULL)
        print_error("%s %s %s\n", name, str(check, "result"), str(check, "text"));
    assert_string_equal(str(check, "result"), result);
    assert_non_null(strstr(str(check, "text"), text));
    json_decref(answer);
}

static void assert_reach(struct world *w, const char *reach)
{
    json_t *answer;

    assert_string_equal(str(call(w, &answer, "net.check", "{}"), "reachable"), reach);
    json_decref(answer);
    assert_string_equal(str(call(w, &answer, "net.status", "{}"), "reachable"), reach);
    json_decref(answer);
}

static void who_is_reachable_is_said_by_what_was_found_out(void **state)
{
    struct world *w = *state;
    struct yr_net_info *net = &w->node->net;

    assert_reach(w, "none"); // a private address, nobody known
    net->nodes4 = 5;
    assert_reach(w, "nat");
    net->nodes4 = 0;
    w->node->self.friends_online = 1;
    assert_reach(w, "nat");
    w->node->self.friends_online = 0;
    w->node->own[0] = outside;
    assert_reach(w, "unknown"); // public, but who knows
    net->nodes6 = 1;
    assert_reach(w, "nat"); // at least that
    net->nodes6 = 0;
    net->reachable4 = YR_NO;
    assert_reach(w, "none");
    net->reachable4 = YR_YES;
    assert_reach(w, "direct");
    net->reachable4 = YR_UNKNOWN;
    net->mapped_works = YR_YES;
    assert_reach(w, "direct");
    w->node->self.unlocked = false;
    assert_reach(w, "none");
}

static void who_is_on_no_network_hears_why(void **state)
{
    struct world *w = *state;
    json_t *answer;

    w->bootstrap = "nowhere.invalid:2/k"; // not looked for
    w->node->self.has_identity = false;
    assert_finding(w, "reachable", "fail", "no: there is no identity yet");
    w->node->self.unlocked = false;
    assert_finding(w, "reachable", "fail", "no: the vault is locked");
    assert_null(finding(w, &answer, "dht"));
    json_decref(answer);
    assert_int_equal(num(json_object_get(call(w, &answer, "net.status", "{}"), "dht"), "peers"), 0);
    json_decref(answer);
    w->vault = false;
    assert_finding(w, "reachable", "fail", "no: there is no identity yet");
}

static void a_server_from_which_others_start_does_not_know_at_first(void **state)
{
    struct world *w = *state;

    w->node->net.dht = YR_ROLE_SERVER;
    assert_reach(w, "unknown");
    assert_finding(w, "reachable", "unknown", "nobody has left anything here");
    w->node->net.records = 3;
    assert_reach(w, "direct");
    assert_finding(w, "dht", "ok", "server, keeps 3 records for others");
    w->node->net.bootstraps = 1; // but nobody there answers
    assert_reach(w, "none");
}

static void a_check_says_what_is_not_known_yet(void **state)
{
    struct world *w = *state;

    assert_finding(w, "ipv4", "unknown", "not known yet");
    w->node->net.seen4 = outside;
    assert_finding(w, "ipv4", "unknown", "198.51.100.7:4444, kind of NAT not known yet");
    w->node->own[0] = outside;
    assert_finding(w, "reachable", "unknown", "not known yet");
    assert_finding(w, "ipv6", "ok", "no address here");
    w->node->own[0] = (struct yr_addr){.family = 6, .ip = {0x20, 1, 0xd, 0xb8}, .port = 1};
    assert_finding(w, "ipv6", "unknown", "not known yet whether others reach it");
    w->node->net.reachable6 = YR_NO;
    assert_finding(w, "ipv6", "warn", "firewall");
}

static void a_check_names_the_kind_of_nat(void **state)
{
    struct world *w = *state;
    struct yr_net_info *net = &w->node->net;

    net->seen4 = outside;
    net->mapping = YR_NAT_INDEPENDENT;
    net->filtering = YR_NAT_ADDRESS;
    assert_finding(w, "ipv4", "ok",
                   "nat endpoint-independent, seen by others at 198.51.100.7:4444, filtering "
                   "address-dependent, hairpin not known yet: direct links by punching a hole");
    net->mapping = YR_NAT_PORT;
    assert_finding(w, "ipv4", "warn", "else through a common friend");
    net->mapping = YR_NAT_NONE;
    net->reachable4 = YR_YES;
    assert_finding(w, "ipv4", "ok", "direct: strangers reach 198.51.100.7:4444");
}

static void a_check_says_why_the_dht_does_not_help(void **state)
{
    struct world *w = *state;
    struct yr_net_info *net = &w->node->net;

    assert_finding(w, "dht", "warn", "no peer is known to start from");
    net->bootstraps = 1;
    assert_finding(w, "dht", "fail", "the one known peer does not answer");
    net->bootstraps = 3;
    assert_finding(w, "dht", "fail", "none of 3 known peers answers");
    net->bootstraps_answered = 1;
    assert_finding(w, "dht", "unknown", "answers");
    net->nodes4 = 33;
    net->nodes6 = 1;
    net->network = 1234.5;
    assert_finding(w, "dht", "ok", "client, knows 34 nodes of about 1234");
    net->dht = YR_ROLE_OFF;
    assert_finding(w, "dht", "ok", "off");
}

static void a_check_says_which_peers_are_of_no_use(void **state)
{
    struct world *w = *state;
    json_t *answer;

    w->node->net.peers_without_key = 1;
    assert_finding(w, "dht", "warn", "1 known without a KEY");
    w->bootstrap = "192.0.2.1:1/k, nowhere.invalid:2/k, other.invalid:3";
    strcpy(w->node->peers[0].name, "192.0.2.1:1/k");
    w->node->peer_count = 1;
    w->node->net.bootstraps = 1;
    assert_finding(w, "dht", "fail", "no known peer answers (2 known): no address is found for 1");
    const json_t *dht = json_object_get(call(w, &answer, "net.status", "{}"), "dht");
    assert_int_equal(num(dht, "peers"), 2);
    json_decref(answer);
}

static void with_a_single_server_a_check_says_what_it_sees(void **state)
{
    struct world *w = *state;
    json_t *answer;

    assert_null(finding(w, &answer, "records"));
    json_decref(answer);
    w->node->net.nodes4 = 12;
    assert_finding(w, "records", "ok", "does not see this address");
    w->node->net.direct_records = true; // the last record had nobody to go through
    assert_finding(w, "records", "warn", "which addresses look for each other");
    w->node->net.direct_records = false;
    w->node->net.nodes4 = 1;
    assert_finding(w, "records", "warn", "which addresses look for each other");
}

static void a_check_says_what_became_of_the_port_mapping(void **state)
{
    struct world *w = *state;

    assert_finding(w, "mapping", "ok", "off");
    w->mapping.state = YR_MAPPING_ASKING;
    assert_finding(w, "mapping", "unknown", "being asked");
    w->mapping.state = YR_MAPPING_NONE;
    strcpy(w->mapping.why, "the router speaks no such protocol");
    assert_finding(w, "mapping", "warn", "none: the router speaks no such protocol");
    w->mapping.state = YR_MAPPING_ON;
    w->mapping.addr = outside;
    w->mapping.by = "pcp";
    assert_finding(w, "mapping", "unknown", "198.51.100.7:4444 by pcp, not known yet");
    w->node->net.mapped_works = YR_YES;
    assert_finding(w, "mapping", "ok", "198.51.100.7:4444 by pcp: others come in there");
    w->node->net.mapped_works = YR_NO;
    assert_finding(w, "mapping", "warn", "nobody gets in there");
}

static void a_clock_that_is_off_fails_the_check(void **state)
{
    struct world *w = *state;

    assert_finding(w, "clock", "ok", "ok");
    w->node->net.clock_offset_ms = 25 * 60000;
    assert_finding(w, "clock", "fail", "25 min ahead of");
    w->node->net.clock_offset_ms = -25 * 60000;
    assert_finding(w, "clock", "fail", "25 min behind");
}

static void own_addresses_are_peers_while_the_node_serves(void **state)
{
    struct world *w = *state;
    struct yr_net_info *net = &w->node->net;
    json_t *answer;
    const json_t *addr;

    addr = json_array_get(json_object_get(call(w, &answer, "net.addrs", "{}"), "addrs"), 0);
    assert_string_equal(str(addr, "addr"), "192.168.1.7:7722");
    assert_string_equal(str(addr, "source"), "interface");
    assert_null(json_object_get(addr, "peer"));
    json_decref(answer);
    net->serves = true;
    memset(net->dht_pk, 0xff, sizeof net->dht_pk);
    addr = json_array_get(json_object_get(call(w, &answer, "net.addrs", "{}"), "addrs"), 0);
    assert_memory_equal(str(addr, "peer"), "192.168.1.7:7722/zzzz", 21);
    assert_int_equal(strlen(str(addr, "peer")), 17 + 52);
    assert_true(json_is_false(json_object_get(addr, "lasting")));
    json_decref(answer);
    net->dht = YR_ROLE_SERVER;
    addr = json_array_get(json_object_get(call(w, &answer, "net.addrs", "{}"), "addrs"), 0);
    assert_true(json_is_true(json_object_get(addr, "lasting")));
    json_decref(answer);
}

static void a_relayed_link_names_the_friend_who_relays(void **state)
{
    struct world *w = *state;
    struct yr_friend_info *bob = &w->node->friends[0];
    json_t *answer;

    bob->online = bob->relayed = true;
    bob->addr = (struct yr_addr){.family = YR_FAMILY_VIA, .port = 1};
    fake_id(bob->via, 3);
    w->node->friends[1].online = true;
    w->node->friends[1].addr = outside;
    const json_t *friend = call(w, &answer, "friend.get", "{\"friend\":\"bob\"}");
    assert_string_equal(str(friend, "path"), "relay");
    assert_string_equal(str(friend, "via"), "carol");
    json_decref(answer);
    friend = call(w, &answer, "net.path", "{\"friend\":\"bob\"}");
    assert_string_equal(str(friend, "path"), "relay");
    assert_string_equal(str(friend, "via"), "carol");
    assert_null(json_object_get(friend, "addr"));
    json_decref(answer);
    const json_t *peers = json_object_get(call(w, &answer, "peer.list", "{}"), "peers");
    assert_string_equal(str(json_array_get(peers, 0), "addr"), "relay(carol)");
    assert_string_equal(str(json_array_get(peers, 0), "role"), "friend");
    assert_string_equal(str(json_array_get(peers, 1), "role"), "relay");
    json_decref(answer);

    memset(bob->via, 0, sizeof bob->via); // the circuit has ended, the link not yet
    friend = call(w, &answer, "friend.get", "{\"friend\":\"bob\"}");
    assert_string_equal(str(friend, "path"), "relay");
    assert_null(json_object_get(friend, "via"));
    json_decref(answer);
    peers = json_object_get(call(w, &answer, "peer.list", "{}"), "peers");
    assert_string_equal(str(json_array_get(peers, 0), "addr"), "relay");
    json_decref(answer);
}

static void a_path_lists_candidates_and_attempts_oldest_first(void **state)
{
    struct world *w = *state;
    json_t *answer;

    w->node->candidates[0] = (struct yr_candidate_info){home, YR_FOUND_TOLD};
    w->node->candidate_count = 1;
    w->node->tries[0] = (struct yr_try){
        .at_ms = 2000, .way = YR_WAY_PUNCH, .outcome = YR_OUT_SILENT, .count = 5, .addr = outside};
    w->node->tries[1] =
        (struct yr_try){.at_ms = 1000, .way = YR_WAY_DHT_GET, .outcome = YR_OUT_WORKED, .count = 1};
    w->node->try_count = 2;
    const json_t *path = call(w, &answer, "net.path", "{\"friend\":\"bob\"}");
    assert_string_equal(str(path, "state"), "offline");
    assert_null(json_object_get(path, "path"));
    const json_t *candidate = json_array_get(json_object_get(path, "candidates"), 0);
    assert_string_equal(str(candidate, "source"), "told");
    const json_t *tries = json_object_get(path, "tries");
    assert_int_equal(json_array_size(tries), 2);
    assert_string_equal(str(json_array_get(tries, 0), "way"), "dht-get");
    assert_string_equal(str(json_array_get(tries, 0), "outcome"), "worked");
    assert_null(json_object_get(json_array_get(tries, 0), "addr"));
    assert_string_equal(str(json_array_get(tries, 1), "addr"), "198.51.100.7:4444");
    assert_int_equal(num(json_array_get(tries, 1), "count"), 5);
    json_decref(answer);
    expect_error(w, "net.path", "{\"friend\":\"eve\"}", YR_RPC_NO_SUCH_TARGET);
}

/* Does some hint of `why bob` contain `text`? */
static bool hinted(struct world *w, const char *text)
{
    json_t *answer, *hint;
    json_t *hints =
        json_object_get(call(w, &answer, "message.why", "{\"friend\":\"bob\"}"), "hints");
    bool found = false;
    size_t i;

    json_array_foreach(hints, i, hint) found =
        found || strstr(json_string_value(hint), text) != NULL;
    json_decref(answer);
    return found;
}

static void add_try(struct world *w, enum yr_way way, enum yr_outcome outcome)
{
    w->node->tries[w->node->try_count++] =
        (struct yr_try){.at_ms = 1000, .way = way, .outcome = outcome, .count = 1};
}

static void why_tells_what_was_tried_in_words(void **state)
{
    struct world *w = *state;
    json_t *answer, *steps;

    steps = json_object_get(call(w, &answer, "message.why", "{\"friend\":\"bob\"}"), "steps");
    assert_string_equal(str(json_array_get(steps, 0), "code"), "no_answer"); // the node's own
    json_decref(answer);
    add_try(w, YR_WAY_PUNCH, YR_OUT_SILENT);
    w->node->tries[0].addr = outside;
    w->node->tries[0].count = 3;
    add_try(w, YR_WAY_RELAY, YR_OUT_TRYING);
    fake_id(w->node->tries[1].via, 3);
    add_try(w, YR_WAY_DHT_GET, YR_OUT_NOTHING);
    steps = json_object_get(call(w, &answer, "message.why", "{\"friend\":\"bob\"}"), "steps");
    assert_int_equal(json_array_size(steps), 3);
    assert_string_equal(str(json_array_get(steps, 0), "code"), "dht_get_nothing");
    assert_string_equal(str(json_array_get(steps, 0), "text"),
                        "look for their word in the DHT: they have left none");
    assert_string_equal(str(json_array_get(steps, 1), "text"),
                        "through a common friend, carol: under way");
    assert_string_equal(str(json_array_get(steps, 2), "text"),
                        "punch a hole (198.51.100.7:4444): no answer, 3 times");
    json_decref(answer);
}

static void why_of_a_relayed_link_names_the_friend_and_what_failed(void **state)
{
    struct world *w = *state;
    struct yr_friend_info *bob = &w->node->friends[0];
    json_t *answer, *steps;

    bob->online = bob->relayed = true;
    fake_id(bob->via, 3);
    add_try(w, YR_WAY_PUNCH, YR_OUT_SILENT);
    steps = json_object_get(call(w, &answer, "message.why", "{\"friend\":\"bob\"}"), "steps");
    assert_int_equal(json_array_size(steps), 2);
    assert_string_equal(str(json_array_get(steps, 0), "code"), "relayed");
    assert_non_null(strstr(str(json_array_get(steps, 0), "text"), "through carol"));
    assert_string_equal(str(json_array_get(steps, 1), "code"), "punch_silent");
    json_decref(answer);
    assert_false(hinted(w, ""));
    w->node->net.mapping = YR_NAT_PORT;
    assert_true(hinted(w, "for a direct link"));
    add_try(w, YR_WAY_RELAY, YR_OUT_NOTHING);
    memset(bob->via, 0, sizeof bob->via); // the circuit has ended
    assert_true(hinted(w, "no common friend is online"));
}

static void why_says_what_may_help(void **state)
{
    struct world *w = *state;
    struct yr_net_info *net = &w->node->net;

    assert_true(hinted(w, "no peer is known to start from"));
    net->bootstraps = 2;
    assert_true(hinted(w, "no known peer of the DHT answers (2 known)"));
    net->bootstraps_answered = 1;
    net->nodes4 = 9;
    assert_false(hinted(w, "DHT"));
    add_try(w, YR_WAY_DHT_GET, YR_OUT_NOTHING);
    assert_true(hinted(w, "they have left no word in the DHT"));
    w->node->try_count = 0;
    add_try(w, YR_WAY_PUNCH, YR_OUT_SILENT);
    assert_false(hinted(w, "common friend"));
    add_try(w, YR_WAY_RELAY, YR_OUT_NOTHING);
    assert_true(hinted(w, "no common friend is online"));
    assert_false(hinted(w, "symmetric"));
    net->mapping = YR_NAT_PORT;
    assert_true(hinted(w, "symmetric NAT), theirs lets nothing through"));
    net->dht = YR_ROLE_OFF;
    assert_true(hinted(w, "net.dht auto"));
    w->node->friends[0].online = true;
    assert_false(hinted(w, ""));
}

static void stats_count_each_friend_and_purpose(void **state)
{
    struct world *w = *state;
    struct yr_friend_info *bob = &w->node->friends[0];
    json_t *answer, *list;

    bob->in_bytes = 1000;
    bob->out_bytes = 300;
    bob->relayed_by_me = 14;
    w->node->traffic[YR_FOR_DHT] = (struct yr_traffic){70, 80};
    list = json_object_get(call(w, &answer, "stats.get", "{}"), "stats");
    assert_int_equal(json_array_size(list), 2 + YR_PURPOSE_COUNT);
    assert_int_equal(num(json_array_get(list, 0), "in"), 1000);
    assert_int_equal(num(json_array_get(list, 0), "relayed_by_me"), 14);
    assert_string_equal(str(json_array_get(list, 0), "name"), "bob");
    assert_string_equal(str(json_array_get(list, 5), "purpose"), "dht");
    assert_int_equal(num(json_array_get(list, 5), "out"), 80);
    json_decref(answer);
    expect_error(w, "stats.get", "{\"since\":\"yesterday\"}", YR_RPC_INVALID_PARAMS);
}

static void stats_can_be_asked_from_an_hour_on_and_reset(void **state)
{
    struct world *w = *state;
    struct yr_friend_info *bob = &w->node->friends[0];
    json_t *answer, *list;

    yr_rpc_vault_moved(w->rpc);
    for (uint64_t hour = 0; hour < 3; hour++) { // 0, 100 and 200 bytes at their beginnings
        bob->in_bytes = 100 * hour;
        assert_true(yr_rpc_deadline(w->rpc) <= w->now.mono_us);
        yr_rpc_tick(w->rpc);
        w->now.mono_us += 3600000000u;
        w->now.wall_ms += 3600000;
    }
    bob->in_bytes = 260;
    list = json_object_get(call(w, &answer, "stats.get", "{}"), "stats");
    assert_int_equal(num(json_array_get(list, 0), "in"), 260);
    json_decref(answer);
    list = json_object_get(
        call(w, &answer, "stats.get", "{\"since\":\"2026-11-22T17:00:00.000Z\"}"), "stats");
    assert_int_equal(num(json_array_get(list, 0), "in"), 160);
    json_decref(answer);
    call(w, &answer, "stats.get", "{\"reset\":true}");
    json_decref(answer);
    bob->in_bytes = 270;
    list = json_object_get(call(w, &answer, "stats.get", "{}"), "stats");
    assert_int_equal(num(json_array_get(list, 0), "in"), 10);
    json_decref(answer);
    bob->in_bytes = 7; // a new connection counts anew
    list = json_object_get(call(w, &answer, "stats.get", "{}"), "stats");
    assert_int_equal(num(json_array_get(list, 0), "in"), 7);
    json_decref(answer);
}

static void a_friend_is_carried_for_as_one_says(void **state)
{
    struct world *w = *state;
    const struct {
        const char *word;
        unsigned number;
    } words[] = {{"no", YR_NO}, {"yes", YR_YES}, {"default", YR_UNKNOWN}};
    char params[80];

    for (size_t i = 0; i < 3; i++) {
        snprintf(params, sizeof params, "{\"friend\":\"bob\",\"relay\":\"%s\"}", words[i].word);
        begin(w, "friend.set", params);
        const struct yr_cmd *cmd = &w->node->commands[w->node->command_count - 1].cmd;
        assert_int_equal(cmd->kind, YR_CMD_FRIEND_RELAY);
        assert_int_equal(cmd->number, words[i].number);
        w->node->friends[0].relay = (enum yr_tri)words[i].number;
        done(w, YR_OK, NULL);
        json_t *answer = next_of(&w->conn);
        assert_string_equal(str(result_of(answer), "relay"), words[i].word);
        json_decref(answer);
    }
    expect_error(w, "friend.set", "{\"friend\":\"bob\",\"relay\":\"maybe\"}",
                 YR_RPC_INVALID_PARAMS);
}

static void a_link_as_a_peer_stands_for_the_addresses_in_it(void **state)
{
    struct world *w = *state;

    expect_error(w, "peer.add", "{\"addr\":\"yaari:i/x\"}", YR_RPC_BAD_LINK);
    expect_error(w, "peer.add", "{\"addr\":\"yaari:i/0\"}", YR_RPC_BAD_LINK);
    begin(w, "peer.add", "{\"addr\":\"yaari:i/2\"}");
    assert_string_equal(w->peer, "192.0.2.2:7722");
    strcpy(w->node->peers[0].name, "192.0.2.1:7722");
    w->node->peer_count = 1;
    yr_rpc_done(w->rpc, w->ticket, YR_OK);
    assert_int_equal(w->conn.lines, 2); // the second one is still being added
    yr_rpc_done(w->rpc, w->ticket, YR_EEXIST);
    json_t *answer = next_of(&w->conn);
    assert_string_equal(str(result_of(answer), "addr"), "192.0.2.1:7722");
    json_decref(answer);
}

static void a_bootstrap_peer_says_whether_it_answered(void **state)
{
    struct world *w = *state;
    json_t *answer;

    strcpy(w->node->peers[0].name, "192.0.2.1:7722");
    strcpy(w->node->peers[1].name, "192.0.2.2:7722/key");
    w->node->peers[1].keyed = w->node->peers[1].answered = true;
    w->node->peers[1].rtt_us = 23000;
    w->node->peer_count = 2;
    const json_t *peers = json_object_get(call(w, &answer, "peer.list", "{}"), "peers");
    assert_null(json_object_get(json_array_get(peers, 0), "answered"));
    assert_true(json_is_true(json_object_get(json_array_get(peers, 1), "answered")));
    assert_true(json_real_value(json_object_get(json_array_get(peers, 1), "rtt_ms")) == 23.0);
    json_decref(answer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_reachable_is_said_by_what_was_found_out),
        TEST(who_is_on_no_network_hears_why),
        TEST(a_server_from_which_others_start_does_not_know_at_first),
        TEST(a_check_says_what_is_not_known_yet),
        TEST(a_check_names_the_kind_of_nat),
        TEST(a_check_says_why_the_dht_does_not_help),
        TEST(a_check_says_which_peers_are_of_no_use),
        TEST(with_a_single_server_a_check_says_what_it_sees),
        TEST(a_check_says_what_became_of_the_port_mapping),
        TEST(a_clock_that_is_off_fails_the_check),
        TEST(own_addresses_are_peers_while_the_node_serves),
        TEST(a_relayed_link_names_the_friend_who_relays),
        TEST(a_path_lists_candidates_and_attempts_oldest_first),
        TEST(why_tells_what_was_tried_in_words),
        TEST(why_of_a_relayed_link_names_the_friend_and_what_failed),
        TEST(why_says_what_may_help),
        TEST(stats_count_each_friend_and_purpose),
        TEST(stats_can_be_asked_from_an_hour_on_and_reset),
        TEST(a_friend_is_carried_for_as_one_says),
        TEST(a_link_as_a_peer_stands_for_the_addresses_in_it),
        TEST(a_bootstrap_peer_says_whether_it_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
