/* The boxes of the simulator do what their properties say, one property at a time: every scenario
 * stands on this. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/limits.h"
#include "tests/support/sim/state.h"

static struct yr_addr addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct yr_addr){.family = 4, .ip = {a, b, c, d}, .port = port};
}

static const struct yr_addr outside = {.family = 4, .ip = {20, 1, 2, 3}};

static struct nat *box(const struct nat_opts *opts)
{
    return nat_new(opts, &outside, 1);
}

// The outside port of a packet from `inside` to `remote`; 0: lost.
static uint16_t port_out(struct nat *nat, yr_us now, struct yr_addr inside, struct yr_addr remote)
{
    struct yr_addr as;

    if (!nat_out(nat, now, &inside, &remote, &as))
        return 0;
    assert_memory_equal(as.ip, nat_outside(nat).ip, 4);
    return as.port;
}

static bool comes_in(struct nat *nat, yr_us now, uint16_t port, struct yr_addr remote)
{
    struct yr_addr to = nat_outside(nat), inside;

    to.port = port;
    return nat_in(nat, now, &to, &remote, &inside);
}

static void a_mapping_is_one_for_all_or_one_for_each(void **state)
{
    const struct yr_addr host = addr4(192, 168, 0, 2, 7000);

    for (enum nat_scope scope = NAT_ANY; scope <= NAT_PORT; scope++) {
        struct nat_opts opts = nat_opts_default();
        struct nat *nat;
        uint16_t first;

        opts.mapping = scope;
        nat = box(&opts);
        first = port_out(nat, 0, host, addr4(30, 0, 0, 1, 1));
        assert_int_not_equal(first, 0);
        assert_int_equal(port_out(nat, 0, host, addr4(30, 0, 0, 1, 1)), first);
        assert_int_equal(port_out(nat, 0, host, addr4(30, 0, 0, 1, 2)) == first, scope != NAT_PORT);
        assert_int_equal(port_out(nat, 0, host, addr4(30, 0, 0, 2, 1)) == first, scope == NAT_ANY);
        assert_int_equal(nat_mapped(nat, 0, &host), scope == NAT_ANY       ? 1
                                                    : scope == NAT_ADDRESS ? 2
                                                                           : 3);
        nat_free(nat);
    }
}

static void a_filter_lets_in_all_or_whom_it_knows(void **state)
{
    const struct yr_addr host = addr4(192, 168, 0, 2, 7000);

    for (enum nat_scope scope = NAT_ANY; scope <= NAT_PORT; scope++) {
        struct nat_opts opts = nat_opts_default();
        struct nat_counts counts;
        struct nat *nat;
        uint16_t port;

        opts.filtering = scope;
        nat = box(&opts);
        port = port_out(nat, 0, host, addr4(30, 0, 0, 1, 1));
        assert_true(comes_in(nat, 0, port, addr4(30, 0, 0, 1, 1)));
        assert_int_equal(comes_in(nat, 0, port, addr4(30, 0, 0, 1, 2)), scope != NAT_PORT);
        assert_int_equal(comes_in(nat, 0, port, addr4(30, 0, 0, 2, 1)), scope == NAT_ANY);
        assert_false(comes_in(nat, 0, port + 1, addr4(30, 0, 0, 1, 1)));
        nat_counts(nat, &counts);
        assert_int_equal(counts.filtered, scope);
        assert_int_equal(counts.unmapped, 1);
        nat_free(nat);
    }
}

static void ports_are_kept_counted_or_drawn(void **state)
{
    struct nat_opts opts = nat_opts_default();
    uint16_t ports[100];
    bool near = true;
    struct nat *nat;

    nat = box(&opts);
    assert_int_equal(port_out(nat, 0, addr4(192, 168, 0, 2, 7000), outside), 7000);
    assert_int_equal(port_out(nat, 0, addr4(192, 168, 0, 3, 7000), outside), 7001);
    nat_free(nat);

    opts.ports = NAT_SEQUENTIAL;
    nat = box(&opts);
    for (uint16_t i = 0; i < 100; i++)
        ports[i] = port_out(nat, 0, addr4(192, 168, 0, 2, 7000 + i), outside);
    for (uint16_t i = 1; i < 100; i++)
        assert_int_equal(ports[i], ports[0] + i);
    nat_free(nat);

    opts.ports = NAT_RANDOM;
    nat = box(&opts);
    for (uint16_t i = 0; i < 100; i++) {
        ports[i] = port_out(nat, 0, addr4(192, 168, 0, 2, 7000 + i), outside);
        assert_true(ports[i] >= 1024);
        near &= i == 0 || abs(ports[i] - ports[i - 1]) < 256;
        for (uint16_t k = 0; k < i; k++)
            assert_int_not_equal(ports[i], ports[k]);
    }
    assert_false(near);
    nat_free(nat);
}

static void a_subscriber_has_its_block_and_no_more(void **state)
{
    struct nat_opts opts = nat_opts_default();
    const struct yr_addr a = addr4(100, 64, 0, 2, 7000), b = addr4(100, 64, 0, 3, 7000);
    struct nat_counts counts;
    struct nat *nat;
    uint16_t low = 65535, high = 0;

    opts.mapping = NAT_PORT;
    opts.ports = NAT_BLOCK;
    opts.quota = 64;
    nat = box(&opts);
    for (uint16_t i = 0; i < 64; i++) {
        const uint16_t port = port_out(nat, 0, a, addr4(30, 0, 0, 1, 1000 + i));
        assert_int_not_equal(port, 0);
        low = YR_MIN(low, port);
        high = YR_MAX(high, port);
    }
    assert_int_equal(high - low, 63);
    assert_int_equal(port_out(nat, 0, a, addr4(30, 0, 0, 1, 2000)), 0);
    assert_int_not_equal(port_out(nat, 0, b, addr4(30, 0, 0, 1, 2000)), 0);
    nat_counts(nat, &counts);
    assert_int_equal(counts.exhausted, 1);
    assert_int_equal(counts.most, 64);
    // what is dead makes room
    assert_int_not_equal(port_out(nat, opts.timeout_us, a, addr4(30, 0, 0, 1, 2000)), 0);
    nat_free(nat);
}

static void a_mapping_dies_of_silence_and_some_only_of_our_own(void **state)
{
    const struct yr_addr host = addr4(192, 168, 0, 2, 7000), far = addr4(30, 0, 0, 1, 1);

    for (unsigned both = 0; both <= 1; both++) {
        struct nat_opts opts = nat_opts_default();
        struct nat *nat;
        uint16_t port;

        opts.timeout_us = 10 * YR_S;
        opts.refresh_in = both == 1;
        nat = box(&opts);
        port = port_out(nat, 0, host, far);
        assert_true(comes_in(nat, 10 * YR_S - 1, port, far));
        assert_int_equal(comes_in(nat, 10 * YR_S, port, far), both);
        assert_int_equal(comes_in(nat, 19 * YR_S, port, far), both);
        // a packet of ours keeps it, whatever the box
        port = port_out(nat, 30 * YR_S, host, far);
        assert_int_equal(port_out(nat, 39 * YR_S, host, far), port);
        assert_true(comes_in(nat, 48 * YR_S, port, far));
        nat_free(nat);
    }
}

static void a_filter_dies_though_its_mapping_lives(void **state)
{
    const struct yr_addr host = addr4(192, 168, 0, 2, 7000), far = addr4(30, 0, 0, 1, 1),
                         other = addr4(30, 0, 0, 2, 1);
    struct nat_opts opts = nat_opts_default();
    struct nat *nat;
    uint16_t port;

    opts.timeout_us = 10 * YR_S;
    nat = box(&opts);
    port = port_out(nat, 0, host, far);
    for (yr_us t = 5 * YR_S; t <= 50 * YR_S; t += 5 * YR_S)
        assert_int_equal(port_out(nat, t, host, other), port);
    assert_false(comes_in(nat, 50 * YR_S, port, far));
    assert_true(comes_in(nat, 50 * YR_S, port, other));
    nat_free(nat);
}

static void a_reboot_forgets_and_may_change_the_address(void **state)
{
    const struct yr_addr host = addr4(192, 168, 0, 2, 7000), far = addr4(30, 0, 0, 1, 1),
                         next = addr4(20, 9, 9, 9, 5);
    struct nat_opts opts = nat_opts_default();
    struct nat *nat = box(&opts);
    const uint16_t port = port_out(nat, 0, host, far);

    nat_reboot(nat, NULL);
    assert_false(comes_in(nat, 0, port, far));
    assert_memory_equal(nat_outside(nat).ip, outside.ip, 4);
    nat_reboot(nat, &next);
    (void)port_out(nat, 0, host, far);
    assert_int_equal(nat_outside(nat).port, 0);
    assert_memory_equal(nat_outside(nat).ip, next.ip, 4);
    nat_free(nat);
}

static void a_forward_lets_everybody_in_until_it_is_forgotten(void **state)
{
    const struct yr_addr host = addr4(192, 168, 0, 2, 7000), far = addr4(30, 0, 0, 1, 1);
    struct nat_opts opts = nat_opts_default();
    struct nat *nat;

    opts.mapping = NAT_PORT;
    opts.ports = NAT_RANDOM;
    nat = box(&opts);
    nat_forward(nat, 50000, &host);
    assert_true(comes_in(nat, 0, 50000, far));
    assert_true(comes_in(nat, 3600 * YR_S, 50000, far));
    assert_int_equal(port_out(nat, 0, host, far), 50000);
    nat_forget_forwards(nat);
    assert_false(comes_in(nat, 0, 50000, far));
    assert_int_not_equal(port_out(nat, 0, host, far), 50000);
    nat_free(nat);
}

static void the_firewall_of_ipv6_translates_nothing(void **state)
{
    const struct yr_addr host = {.family = 6, .ip = {0x2a, 1, 1}, .port = 7000},
                         far = {.family = 6, .ip = {0x2a, 1, 2}, .port = 1},
                         other = {.family = 6, .ip = {0x2a, 1, 2}, .port = 2};
    struct nat_opts opts = nat_opts_default();
    struct yr_addr as, in;
    struct nat *nat = box(&opts);

    assert_false(nat_in(nat, 0, &host, &far, &in));
    assert_true(nat_out(nat, 0, &host, &far, &as));
    assert_true(yr_addr_eq(&as, &host));
    assert_true(nat_in(nat, 0, &host, &far, &in));
    assert_true(yr_addr_eq(&in, &host));
    assert_false(nat_in(nat, 0, &host, &other, &in));
    opts.filter6 = NAT_ANY;
    nat_set_opts(nat, &opts);
    assert_true(nat_in(nat, 0, &host, &other, &in));
    nat_free(nat);
}

static void a_box_that_blocks_udp_blocks_both_ways(void **state)
{
    const struct yr_addr host = addr4(192, 168, 0, 2, 7000), far = addr4(30, 0, 0, 1, 1);
    struct nat_opts opts = nat_opts_default();
    struct nat *nat = box(&opts);
    const uint16_t port = port_out(nat, 0, host, far);

    opts.blocked = true;
    nat_set_opts(nat, &opts);
    assert_false(comes_in(nat, 0, port, far));
    assert_int_equal(port_out(nat, 0, host, far), 0);
    nat_free(nat);
}

/* ---- roads: junk that a node sends, and what arrives ---- */

static struct sim *world(unsigned nodes)
{
    struct sim_opts opts = sim_opts_default(1);
    struct sim *sim;
    char nick[16];

    opts.open = true;
    sim = sim_new(&opts);
    for (unsigned i = 0; i < nodes; i++) {
        snprintf(nick, sizeof nick, "n%u", i);
        (void)sim_add(sim, nick);
    }
    return sim;
}

// Does a packet from one node to this address arrive at the other?
static bool arrives(struct sim *sim, unsigned from, struct yr_addr to, unsigned at)
{
    const uint64_t before = sim_traffic(sim, at).packets_in;
    const uint8_t junk[20] = {0x7f};

    sim_carry(sim, sim->nodes[from], &to, junk, sizeof junk);
    sim_run(sim, YR_S);
    return sim_traffic(sim, at).packets_in > before;
}

static struct yr_addr outside_of(struct sim *sim, unsigned box_number, uint16_t port)
{
    struct yr_addr addr = nat_outside(sim_box(sim, box_number));

    addr.port = port;
    return addr;
}

static void a_host_behind_two_boxes_is_reached_where_both_map(void **state)
{
    struct nat_opts opts = nat_opts_default();
    struct sim *sim = world(2);
    const unsigned carrier = sim_nat(sim, &opts), home = sim_nat_behind(sim, &opts, carrier);

    sim_behind(sim, 1, home);
    assert_int_equal(sim_addr(sim, 1).ip[0], 192);
    assert_int_equal(nat_outside(sim_box(sim, home)).ip[0], 100);
    assert_false(arrives(sim, 0, outside_of(sim, carrier, 7000), 1));
    assert_false(arrives(sim, 0, sim_addr(sim, 1), 1));
    assert_true(arrives(sim, 1, sim_addr(sim, 0), 0));
    assert_true(arrives(sim, 0, outside_of(sim, carrier, 7000), 1));
    sim_reboot_nat(sim, home, false);
    assert_false(arrives(sim, 0, outside_of(sim, carrier, 7000), 1));
    sim_free(sim);
}

static void a_packet_under_way_meets_the_box_as_it_is_on_arrival(void **state)
{
    struct nat_opts opts = nat_opts_default();
    struct sim *sim = world(2);
    const uint8_t junk[20] = {0x7f};
    struct yr_addr to[2];

    for (unsigned i = 0; i < 2; i++) {
        const unsigned number = sim_nat(sim, &opts);
        sim_behind(sim, i, number);
        to[i] = outside_of(sim, number, 7000);
    }
    // neither has a mapping when both send: each opens its own before the other's comes
    for (unsigned i = 0; i < 2; i++)
        sim_carry(sim, sim->nodes[i], &to[1 - i], junk, sizeof junk);
    sim_run(sim, YR_S);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sim_traffic(sim, i).packets_in, 1);
    // and one that its receiver leaves is lost
    sim_carry(sim, sim->nodes[0], &to[1], junk, sizeof junk);
    sim_behind(sim, 1, SIM_INTERNET);
    sim_run(sim, YR_S);
    assert_int_equal(sim_traffic(sim, 1).packets_in, 1);
    sim_free(sim);
}

static void hairpin_and_lan_are_two_things(void **state)
{
    for (unsigned k = 0; k < 4; k++) {
        struct nat_opts opts = nat_opts_default();
        struct sim *sim = world(3);
        unsigned number;

        opts.hairpin = k & 1;
        opts.lan = k & 2;
        opts.filtering = NAT_ANY;
        number = sim_nat(sim, &opts);
        sim_behind(sim, 0, number);
        sim_behind(sim, 1, number);
        assert_true(arrives(sim, 1, sim_addr(sim, 2), 2));
        assert_int_equal(arrives(sim, 0, outside_of(sim, number, 7000), 1), (k & 1) != 0);
        assert_int_equal(arrives(sim, 0, sim_addr(sim, 1), 1), (k & 2) != 0);
        sim_free(sim);
    }
}

static void homes_use_the_same_addresses_and_do_not_meet(void **state)
{
    struct nat_opts opts = nat_opts_default();
    struct sim *sim = world(4);

    for (unsigned i = 0; i < 4; i++)
        sim_behind(sim, i, sim_nat(sim, &opts));
    assert_memory_equal(sim_addr(sim, 0).ip, sim_addr(sim, 3).ip, 4);
    assert_false(arrives(sim, 1, sim_addr(sim, 0), 0));
    assert_false(arrives(sim, 0, sim_addr(sim, 3), 3));
    sim_free(sim);
}

static void an_extra_socket_has_a_port_of_its_own(void **state)
{
    struct nat_opts opts = nat_opts_default();
    struct sim *sim = world(2);
    struct yr_addr to = sim_addr(sim, 1);
    const unsigned number = sim_nat(sim, &opts);
    const uint8_t junk[20] = {0x7f};

    sim_behind(sim, 0, number);
    to.local = 5;
    sim_carry(sim, sim->nodes[0], &to, junk, sizeof junk); // shut: nothing leaves
    sim_run(sim, YR_S);
    assert_int_equal(sim_traffic(sim, 1).packets_in, 0);
    sim_open_socket(sim->nodes[0], &to);
    assert_int_equal(sim_sockets(sim, 0), 1);
    assert_true(arrives(sim, 0, to, 1));
    assert_false(arrives(sim, 1, outside_of(sim, number, 7000), 0));
    assert_true(arrives(sim, 1, outside_of(sim, number, sim->nodes[0]->sockets[5].port), 0));
    sim_shut_socket(sim->nodes[0], &to);
    assert_false(arrives(sim, 1, outside_of(sim, number, 30000), 0));
    sim_free(sim);
}

static void ipv6_goes_past_the_translation_and_through_the_firewall(void **state)
{
    struct nat_opts opts = nat_opts_default();
    struct sim *sim = world(2);
    unsigned number;

    opts.mapping = NAT_PORT;
    opts.ports = NAT_RANDOM;
    number = sim_nat(sim, &opts);
    sim_behind(sim, 0, number);
    sim_give6(sim, 0, true);
    sim_give6(sim, 1, true);
    assert_false(arrives(sim, 1, sim->nodes[0]->addr6, 0));
    assert_true(arrives(sim, 0, sim->nodes[1]->addr6, 1));
    assert_true(arrives(sim, 1, sim->nodes[0]->addr6, 0));
    sim_free(sim);
}

static void a_gateway_maps_or_lies(void **state)
{
    struct nat_opts opts = nat_opts_default();
    struct sim *sim = world(2);
    const unsigned number = sim_nat(sim, &opts);

    sim_behind(sim, 0, number);
    sim_map_port(sim, 0, SIM_MAP_LIE);
    assert_false(arrives(sim, 1, outside_of(sim, number, 50000), 0));
    assert_false(arrives(sim, 1, outside_of(sim, number, 7000), 0));
    sim_map_port(sim, 0, SIM_MAP_TRUE);
    assert_true(arrives(sim, 1, outside_of(sim, number, 7000), 0));
    nat_forget_forwards(sim_box(sim, number));
    assert_false(arrives(sim, 1, outside_of(sim, number, 7000), 0));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_is_one_for_all_or_one_for_each),
        cmocka_unit_test(a_filter_lets_in_all_or_whom_it_knows),
        cmocka_unit_test(ports_are_kept_counted_or_drawn),
        cmocka_unit_test(a_subscriber_has_its_block_and_no_more),
        cmocka_unit_test(a_mapping_dies_of_silence_and_some_only_of_our_own),
        cmocka_unit_test(a_filter_dies_though_its_mapping_lives),
        cmocka_unit_test(a_reboot_forgets_and_may_change_the_address),
        cmocka_unit_test(a_forward_lets_everybody_in_until_it_is_forgotten),
        cmocka_unit_test(the_firewall_of_ipv6_translates_nothing),
        cmocka_unit_test(a_box_that_blocks_udp_blocks_both_ways),
        cmocka_unit_test(a_host_behind_two_boxes_is_reached_where_both_map),
        cmocka_unit_test(a_packet_under_way_meets_the_box_as_it_is_on_arrival),
        cmocka_unit_test(hairpin_and_lan_are_two_things),
        cmocka_unit_test(homes_use_the_same_addresses_and_do_not_meet),
        cmocka_unit_test(an_extra_socket_has_a_port_of_its_own),
        cmocka_unit_test(ipv6_goes_past_the_translation_and_through_the_firewall),
        cmocka_unit_test(a_gateway_maps_or_lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
