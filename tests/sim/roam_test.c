/* L6: people who change networks while they talk: nothing is lost or shown twice, and the gap is
 * short. */
#include "tests/support/test.h"

#include <stdlib.h>

#include "tests/support/sim/exchange.h"
#include "tests/support/sim/town.h"

#define DELAY (20 * YR_MS)

// An hour, a new network every 30 s, a text a second each way.
static void who_roams_loses_nothing_and_waits_little(void **state)
{
    struct sim *sim = town_new(6, 0, DELAY);
    const unsigned alice = town_person(sim, "alice"), bob = town_person(sim, "bob");
    struct exchange *x;

    sim_befriend(sim, alice, bob);
    x = exchange_new(sim, alice, bob);
    for (unsigned i = 0; i < 120; i++) {
        struct nat_opts home = nat_class_opts(NAT_FULL_CONE + i / 2 % 4);
        exchange_for(x, 30);
        sim_behind(sim, alice, i % 2 == 0 ? sim_nat(sim, &home) : SIM_INTERNET);
    }
    sim_run(sim, 10 * YR_S);
    assert_true(exchange_took(x, 50) <= 4 * DELAY);
    assert_true(exchange_took(x, 99) <= 3 * YR_S);
    assert_int_equal(town_link(sim, alice, bob), TOWN_DIRECT);
    sim_free(sim);
    free(x);
}

// Neither can tell the other over the link where it is now: the DHT, or a common friend, must.
static void both_move(unsigned servers, bool carol_too, enum nat_class class)
{
    struct nat_opts box = nat_class_opts(class);
    struct sim *sim = town_new(60 + (unsigned)class, servers, DELAY);
    const unsigned alice = town_person(sim, "alice"), bob = town_person(sim, "bob");
    struct exchange *x;

    sim_befriend(sim, alice, bob);
    if (carol_too) {
        const unsigned carol = town_person(sim, "carol");
        sim_befriend(sim, alice, carol);
        sim_befriend(sim, bob, carol);
        sim_run(sim, 60 * YR_S);
    }
    sim_behind(sim, alice, sim_nat(sim, &box));
    sim_behind(sim, bob, sim_nat(sim, &box));
    sim_run(sim, 120 * YR_S);
    x = exchange_new(sim, alice, bob);
    exchange_for(x, 25);
    sim_behind(sim, alice, sim_nat(sim, &box));
    sim_behind(sim, bob, sim_nat(sim, &box));
    exchange_for(x, 35);
    sim_run(sim, 30 * YR_S);
    print_message("both moved, %s, %s: most %u ms\n", nat_class_names[class],
                  carol_too ? "a common friend" : "the DHT",
                  (unsigned)(exchange_took(x, 100) / 1000));
    assert_true(exchange_took(x, 100) <= 3 * YR_S);
    assert_int_equal(town_link(sim, alice, bob),
                     class == NAT_SYMMETRIC ? TOWN_RELAYED : TOWN_DIRECT);
    sim_free(sim);
    free(x);
}

static void both_move_at_once_and_find_each_other_by_a_common_friend(void **state)
{
    both_move(0, true, NAT_PORT_RESTRICTED);
    both_move(0, true, NAT_SYMMETRIC);
}

static void both_move_at_once_and_find_each_other_by_the_dht(void **state)
{
    both_move(10, false, NAT_FULL_CONE);
    both_move(10, false, NAT_PORT_RESTRICTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_roams_loses_nothing_and_waits_little),
        cmocka_unit_test(both_move_at_once_and_find_each_other_by_a_common_friend),
        cmocka_unit_test(both_move_at_once_and_find_each_other_by_the_dht),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
