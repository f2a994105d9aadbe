#include "tests/core/link/world.h"

static void a_dial_brings_both_ends_up_and_carries_frames_both_ways(void **state)
{
    struct world w;

    world_init(&w, 1, 2);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    for (unsigned c = 0; c < YR_CHANNEL_COUNT; c++) {
        talk_say(&w.ends[0], 1, c, 50);
        talk_say(&w.ends[1], 0, c, 50);
    }
    assert_true(world_run(&w, talk_done, 10 * YR_S));
    assert_true(one_link(&w));
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dial_brings_both_ends_up_and_carries_frames_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
