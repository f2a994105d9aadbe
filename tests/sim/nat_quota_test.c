/* N-5: a carrier's box that gives each subscriber 64 ports: we stay within them, and do not guess
 * ports at their cost. */
#include "tests/support/test.h"

#include "tests/support/sim/town.h"

#define DELAY (25 * YR_MS)

static void within_quota(uint64_t seed, enum nat_scope mapping)
{
    struct sim *sim = town_new(seed, 10, DELAY);
    struct nat_opts carrier = nat_class_opts(NAT_SYMMETRIC), plain = nat_class_opts(NAT_FULL_CONE),
                    strict = nat_class_opts(NAT_PORT_RESTRICTED);
    const unsigned alice = town_person(sim, "alice"), bob = town_person(sim, "bob"),
                   dave = town_person(sim, "dave");
    struct nat_counts counts;
    unsigned box, sockets = 0;

    carrier.mapping = mapping;
    carrier.ports = NAT_BLOCK;
    carrier.quota = 64;
    carrier.timeout_us = 60 * YR_S;
    sim_befriend(sim, alice, bob);
    sim_befriend(sim, alice, dave);
    sim_crash(sim, alice);
    sim_crash(sim, bob);
    box = sim_nat(sim, &carrier);
    sim_behind(sim, alice, sim_nat_behind(sim, &plain, box));
    sim_behind(sim, bob, sim_nat(sim, &strict));
    sim_run(sim, 7 * 1800 * YR_S);
    sim_restart(sim, alice);
    sim_run(sim, 30 * YR_S);
    assert_true(sim_linked(sim, alice, dave));
    sim_restart(sim, bob);
    sim_text(sim, alice, bob, "are you there?", NULL);
    for (unsigned i = 0; i < 600; i++) {
        sim_run(sim, 100 * YR_MS);
        sockets = YR_MAX(sockets, sim_sockets(sim, alice));
    }
    sim_run(sim, 600 * YR_S);
    nat_counts(sim_box(sim, box), &counts);
    print_message("64 ports: %u mappings at most, %u refused, %u sockets\n", counts.most,
                  (unsigned)counts.exhausted, sockets);
    assert_int_equal(counts.exhausted, 0);
    assert_true(sockets <= 8);
    assert_true(sim_linked(sim, alice, dave));
    sim_free(sim);
}

static void a_symmetric_carrier_is_not_used_up(void **state)
{
    within_quota(51, NAT_PORT);
}

static void nor_is_one_that_maps_independently(void **state)
{
    within_quota(52, NAT_ANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_symmetric_carrier_is_not_used_up),
        cmocka_unit_test(nor_is_one_that_maps_independently),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
