/* N-6: a gateway that says it has mapped a port, and has not, or forgets it: what nobody can reach
 * is told to nobody, and does not serve the DHT. */
#include "tests/support/test.h"

#include "tests/support/sim/town.h"

#define SERVERS 40
#define DELAY   (25 * YR_MS)

static unsigned behind(struct sim *sim, unsigned node)
{
    const struct nat_opts opts = nat_class_opts(NAT_PORT_RESTRICTED);
    const unsigned box = sim_nat(sim, &opts);

    sim_behind(sim, node, box);
    return box;
}

static struct yr_net_info net_of(struct sim *sim, unsigned node)
{
    struct yr_net_info net;

    yr_node_net(sim_node(sim, node), &net);
    return net;
}

static bool tells_mapped(struct sim *sim, unsigned node)
{
    enum yr_own_source source;
    struct yr_addr addr;

    for (size_t i = 0; yr_node_own_addr_at(sim_node(sim, node), i, &addr, &source); i++)
        if (source == YR_OWN_MAPPED)
            return true;
    return false;
}

static void a_mapping_that_is_a_lie_serves_nobody(void **state)
{
    struct sim *sim = town_new(61, SERVERS, DELAY);
    const unsigned alice = town_person(sim, "alice");

    (void)behind(sim, alice);
    sim_map_port(sim, alice, SIM_MAP_LIE);
    for (unsigned i = 0; i < 60; i++) {
        sim_run(sim, 60 * YR_S);
        assert_false(net_of(sim, alice).serves);
        assert_int_not_equal(net_of(sim, alice).mapped_works, YR_YES);
        if (i >= 5)
            assert_false(tells_mapped(sim, alice));
    }
    sim_free(sim);
}

static bool serves(struct sim *sim, void *ctx)
{
    return net_of(sim, *(const unsigned *)ctx).serves;
}

static bool serves_no_more(struct sim *sim, void *ctx)
{
    return !serves(sim, ctx);
}

static void one_that_is_true_does_until_it_is_forgotten(void **state)
{
    struct sim *sim = town_new(62, SERVERS, DELAY);
    unsigned alice = town_person(sim, "alice");
    struct sim_traffic from, to;
    unsigned served = 0;
    const unsigned box = behind(sim, alice);

    sim_map_port(sim, alice, SIM_MAP_TRUE);
    assert_true(sim_run_until(sim, 3600 * YR_S, serves, &alice));
    from = sim_traffic(sim, alice);
    for (unsigned i = 0; i < 60; i++) {
        sim_run(sim, 60 * YR_S);
        served += net_of(sim, alice).serves;
    }
    assert_true(served >= 50); // it hardly doubts itself without a reason
    to = sim_traffic(sim, alice);
    assert_true(to.in + to.out - from.in - from.out <= (uint64_t)150 * 60 * 60);
    assert_true(sim_run_until(sim, 3600 * YR_S, serves, &alice));
    nat_forget_forwards(sim_box(sim, box));
    assert_true(sim_run_until(sim, 300 * YR_S, serves_no_more, &alice));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_that_is_a_lie_serves_nobody),
        cmocka_unit_test(one_that_is_true_does_until_it_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
