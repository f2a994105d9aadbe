/* Networks of the DHT in a rough world, small: paths that do not exist, floods, wrong clocks. */
#include "tests/support/test.h"

#include "tests/support/dhtscenes.h"

static void records_are_found_where_many_pairs_cannot_talk(void **state)
{
    scene_holds("D-9",
                (struct dhtscene){.nodes = 100, .settle_s = 120, .clients = 10, .pairs = 30});
}

static void a_flood_of_records_hides_none_and_old_ones_win_nothing(void **state)
{
    scene_holds("D-10", (struct dhtscene){.nodes = 60, .settle_s = 120, .clients = 5, .pairs = 30});
}

static void wall_clocks_do_not_matter(void **state)
{
    scene_holds("D-11", (struct dhtscene){.nodes = 50, .settle_s = 120, .clients = 5, .pairs = 30});
}

static void healthy_networks_meet_every_figure(void **state)
{
    scene_holds("standard",
                (struct dhtscene){
                    .nodes = 100, .clients = 20, .pairs = 40, .settle_s = 300, .idle_s = 900});
}

static void the_same_seed_is_the_same_run(void **state)
{
    const struct dhtscene small = {.nodes = 40, .clients = 5, .pairs = 5, .settle_s = 5};
    const uint64_t hash = scene_holds("standard", small);
    struct dhtscene other = small;

    assert_true(scene_holds("standard", small) == hash);
    other.seed = 2;
    assert_false(scene_holds("standard", other) == hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_found_where_many_pairs_cannot_talk),
        cmocka_unit_test(a_flood_of_records_hides_none_and_old_ones_win_nothing),
        cmocka_unit_test(wall_clocks_do_not_matter),
        cmocka_unit_test(healthy_networks_meet_every_figure),
        cmocka_unit_test(the_same_seed_is_the_same_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
