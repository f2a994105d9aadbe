/* N-3: boxes that forget between two keepalives, and how soon we know how long ours remembers. */
#include "tests/support/test.h"

#include <stdlib.h>

#include "core/limits.h"
#include "tests/support/sim/exchange.h"
#include "tests/support/sim/town.h"

#define DELAY (25 * YR_MS)

static unsigned home(struct sim *sim, unsigned node, enum nat_class class, unsigned timeout_s)
{
    struct nat_opts opts = nat_class_opts(class);
    unsigned box;

    opts.timeout_us = timeout_s * YR_S;
    box = sim_nat(sim, &opts);
    sim_behind(sim, node, box);
    return box;
}

// The box forgets alice after 15 s from now on; bob's texts do not get in until she sends.
static void a_mapping_that_died_costs_a_keepalive_and_two_seconds_at_most(void **state)
{
    struct sim *sim = town_new(31, 0, DELAY);
    const unsigned alice = town_person(sim, "alice"), bob = town_person(sim, "bob");
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = "text 0", .body_len = 6};
    struct exchange *x;
    enum yr_err err;

    sim_befriend(sim, alice, bob);
    (void)home(sim, alice, NAT_PORT_RESTRICTED, 15);
    sim_run(sim, 30 * YR_S);
    x = exchange_new(sim, alice, bob);
    memcpy(cmd.conv, sim_id(sim, alice), YR_ID_LEN);
    for (unsigned i = 0; i < 20; i++) {
        const yr_us from = sim_time(sim);
        x->shown[1][0] = 0;
        (void)sim_command(sim, bob, &cmd, &err);
        sim_run(sim, (40 + i) * YR_S);
        assert_int_not_equal(x->shown[1][0], 0);
        assert_true(x->shown[1][0] - from <= (YR_LINK_KEEPALIVE_S + 2) * YR_S);
        assert_true(sim_linked(sim, alice, bob));
    }
    sim_free(sim);
    free(x);
}

static unsigned probes(struct sim *sim, unsigned node)
{
    struct yr_counter c;

    for (size_t i = 0; (c = yr_node_counter(sim_node(sim, node), i)).name != NULL; i++)
        if (strcmp(c.name, "path.probes") == 0)
            return (unsigned)c.value;
    fail_msg("no such counter");
    return 0;
}

// One who has friends enough to ask learns how long his box remembers, from a few questions.
static void learns(unsigned timeout_s, bool refresh_in)
{
    struct sim *sim = town_new(32, 0, DELAY);
    const unsigned alice = town_person(sim, "alice");
    struct yr_net_info net;
    struct nat_opts opts;
    unsigned box, before, asked;

    for (unsigned i = 0; i < 4; i++)
        sim_befriend(sim, alice, town_person(sim, "friend"));
    box = home(sim, alice, NAT_PORT_RESTRICTED, timeout_s);
    opts = *nat_opts(sim_box(sim, box));
    opts.refresh_in = refresh_in;
    nat_set_opts(sim_box(sim, box), &opts);
    sim_run(sim, 10 * YR_S);
    before = probes(sim, alice);
    sim_run(sim, 3 * 3600 * YR_S);
    asked = probes(sim, alice) - before;
    yr_node_net(sim_node(sim, alice), &net);
    print_message("a box that remembers %u s: %u s after %u questions\n", timeout_s,
                  net.keepalive_s, asked);
    assert_true(net.keepalive_learned);
    assert_true(net.keepalive_s < timeout_s || net.keepalive_s == YR_LINK_KEEPALIVE_S);
    // halving 25..180 s three times leaves 20 s of doubt, and 20 % are to spare
    assert_true(net.keepalive_s * 10 >= (YR_MIN(timeout_s, 180) - 20) * 8);
    assert_in_range(asked, 1, 6);
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(town_link(sim, alice, alice + i), TOWN_DIRECT);
    sim_free(sim);
}

static void the_interval_is_learned_in_six_probes(void **state)
{
    learns(100, false);
    learns(60, true);
    learns(300, false);
    learns(30, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_that_died_costs_a_keepalive_and_two_seconds_at_most),
        cmocka_unit_test(the_interval_is_learned_in_six_probes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
