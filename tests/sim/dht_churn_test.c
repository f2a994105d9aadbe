/* Networks of the DHT whose nodes come and go, small.  tools/sim dht --scenario D-1 ... is the
 * same, large. */
#include "tests/support/test.h"

#include "tests/support/dhtscenes.h"

static void a_crowd_joins_within_seconds_through_one_slow_node(void **state)
{
    scene_holds("D-1", (struct dhtscene){.nodes = 100, .settle_s = 120, .pairs = 20});
}

static void records_are_found_while_nodes_come_and_go(void **state)
{
    scene_holds("D-2", (struct dhtscene){.nodes = 60, .settle_s = 120, .clients = 10, .pairs = 15});
}

static void half_of_all_may_vanish_at_once(void **state)
{
    scene_holds("D-3",
                (struct dhtscene){.nodes = 100, .settle_s = 120, .clients = 20, .pairs = 20});
}

static void two_halves_grow_together_again(void **state)
{
    scene_holds("D-4", (struct dhtscene){.nodes = 50, .settle_s = 120, .clients = 10, .pairs = 15});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_joins_within_seconds_through_one_slow_node),
        cmocka_unit_test(records_are_found_while_nodes_come_and_go),
        cmocka_unit_test(half_of_all_may_vanish_at_once),
        cmocka_unit_test(two_halves_grow_together_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
