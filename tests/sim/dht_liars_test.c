/* Networks of the DHT some of whose nodes lie, small.  tools/sim dht --scenario D-5 ... is the
 * same, large. */
#include "tests/support/test.h"

#include "tests/support/dhtscenes.h"

static void a_fifth_may_lie_and_a_third_be_silent(void **state)
{
    scene_holds("standard", (struct dhtscene){.nodes = 100,
                                              .clients = 20,
                                              .pairs = 40,
                                              .colluding = 20,
                                              .stale = 30,
                                              .settle_s = 300});
}

static void colluders_do_not_take_tables_over(void **state)
{
    scene_holds("D-5",
                (struct dhtscene){.nodes = 100, .settle_s = 120, .clients = 20, .pairs = 40});
}

static void sybils_around_a_key_do_not_hide_it(void **state)
{
    scene_holds("D-7",
                (struct dhtscene){.nodes = 250, .settle_s = 300, .clients = 10, .pairs = 20});
}

static void one_honest_node_among_twenty_is_enough(void **state)
{
    scene_holds("D-8", (struct dhtscene){.nodes = 120, .settle_s = 120, .pairs = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fifth_may_lie_and_a_third_be_silent),
        cmocka_unit_test(colluders_do_not_take_tables_over),
        cmocka_unit_test(sybils_around_a_key_do_not_hide_it),
        cmocka_unit_test(one_honest_node_among_twenty_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
