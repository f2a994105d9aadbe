/* A room where much is said: DISTRIBUTED 7, M11.  YAARI_LONG=1 plays it in full: fifty members,
 * a hundred texts a second, ten minutes. */
#include "tests/support/test.h"

#include "tests/support/seeded.h"
#include "tests/support/sim/circle.h"

#define MINUTE (60 * YR_S)

static void what_many_say_is_shown_within_a_second_and_then_it_is_quiet(void **state)
{
    const bool whole = getenv("YAARI_LONG") != NULL;
    const unsigned members = whole ? 50 : 12, rate = whole ? 100 : 40, seconds = whole ? 600 : 5;
    struct sim_opts opts = sim_opts_default(seeded_seed("room_load", 11));
    struct circle *c;
    size_t shown, settled = 0;
    uint64_t before;
    yr_us p50, p99;

    (void)state;
    opts.link.delay_us = 40 * YR_MS;
    c = circle_new(&opts, members);
    circle_graph(c, 2);
    circle_found(c, 0, 0);
    circle_gather(c, 0);
    for (unsigned k = 0; k < rate * seconds; k++) {
        enum yr_err err = YR_OK;
        (void)circle_say(c, k * 7 % members,
                         "much is said in this room, and all of it is read by "
                         "all who are in it, as it should be",
                         &err);
        assert_int_equal(err, YR_OK);
        sim_run(c->sim, YR_S / rate);
    }
    if (!circle_settle(c, 10 * YR_S))
        circle_fail(c, "not all was told", 0, 1);
    p50 = circle_latency(c, 0, 50, &shown);
    p99 = circle_latency(c, 0, 99, NULL);
    print_message("%u members, %u texts a second: shown %zu times, p50 %llu ms, p99 %llu ms\n",
                  members, rate, shown, (unsigned long long)(p50 / YR_MS),
                  (unsigned long long)(p99 / YR_MS));
    assert_int_equal(shown, (size_t)rate * seconds * (members - 1));
    assert_true(p99 <= YR_S);
    for (unsigned i = 0; i < members; i++) // memory is back where it was, give or take
        settled = YR_MAX(settled, sim_mem_used(c->sim, i));
    assert_true(settled < (size_t)16 << 20);
    sim_run(c->sim, 5 * MINUTE);
    before = sim_bytes(c->sim);
    sim_run(c->sim, MINUTE);
    assert_true(sim_bytes(c->sim) - before < members * 6 * 1000ULL);
    circle_end(c, MINUTE);
    circle_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_many_say_is_shown_within_a_second_and_then_it_is_quiet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
