/* The hybrid logical clock. */
#include "core/chat/hlc.h"

#include "core/limits.h"
#include "tests/support/test.h"

#define NOW_MS   INT64_C(1790000000000)
#define TEN_Y_MS (INT64_C(3652) * 86400000)

static uint64_t at(yr_ms wall_ms)
{
    return (uint64_t)wall_ms << 16;
}

static void it_follows_the_wall_clock(void **state)
{
    assert_true(yr_hlc_next(0, NOW_MS) == at(NOW_MS));
    assert_true(yr_hlc_next(at(NOW_MS - 1) + 5, NOW_MS) == at(NOW_MS));
    assert_int_equal(yr_hlc_time(at(NOW_MS)), NOW_MS);
}

static void it_rises_within_a_millisecond_and_when_the_wall_clock_goes_back(void **state)
{
    uint64_t last = yr_hlc_next(0, NOW_MS);

    for (int i = 0; i < 100000; i++) { // more than the counter's 16 bits
        const uint64_t next = yr_hlc_next(last, NOW_MS - (i % 2) * TEN_Y_MS);

        assert_true(next == last + 1);
        last = next;
    }
    assert_int_equal(yr_hlc_time(last), NOW_MS + 1);
}

static void a_received_clock_carries_it_two_minutes_and_no_further(void **state)
{
    const uint64_t mine = at(NOW_MS);

    assert_true(yr_hlc_seen(mine, at(NOW_MS + 1000) + 7, NOW_MS) == at(NOW_MS + 1000) + 7);
    assert_true(yr_hlc_seen(mine, at(NOW_MS + YR_CLOCK_SKEW_MS), NOW_MS) ==
                at(NOW_MS + YR_CLOCK_SKEW_MS));
    assert_true(yr_hlc_seen(mine, at(NOW_MS + TEN_Y_MS), NOW_MS) == at(NOW_MS + YR_CLOCK_SKEW_MS));
    assert_true(yr_hlc_seen(mine, UINT64_MAX, NOW_MS) == at(NOW_MS + YR_CLOCK_SKEW_MS));
    assert_true(yr_hlc_seen(mine, 0, NOW_MS) == mine);
    assert_true(yr_hlc_seen(mine, at(NOW_MS - TEN_Y_MS), NOW_MS) == mine);
}

static void it_never_goes_back_because_of_what_was_received(void **state)
{
    const uint64_t ahead = at(NOW_MS + TEN_Y_MS); // our wall clock was wrong once

    assert_true(yr_hlc_seen(ahead, at(NOW_MS), NOW_MS) == ahead);
    assert_true(yr_hlc_seen(ahead, UINT64_MAX, NOW_MS) == ahead);
    assert_true(yr_hlc_next(ahead, NOW_MS) == ahead + 1);
}

static void no_wall_clock_breaks_it(void **state)
{
    assert_true(yr_hlc_next(0, INT64_MIN) == 1);
    assert_true(yr_hlc_next(0, -1) == 1);
    assert_true(yr_hlc_next(0, INT64_MAX) <= YR_HLC_MAX);
    assert_true(yr_hlc_next(YR_HLC_MAX, INT64_MAX) == YR_HLC_MAX);
    assert_true(yr_hlc_seen(0, UINT64_MAX, INT64_MAX) <= YR_HLC_MAX);
    assert_true(yr_hlc_seen(0, UINT64_MAX, INT64_MIN + YR_CLOCK_SKEW_MS) == 0);
}

static void a_time_shown_has_four_digits_of_year(void **state)
{
    assert_int_equal(yr_hlc_time(UINT64_MAX), INT64_C(253402300799999));
    assert_int_equal(yr_hlc_time(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_follows_the_wall_clock),
        cmocka_unit_test(it_rises_within_a_millisecond_and_when_the_wall_clock_goes_back),
        cmocka_unit_test(a_received_clock_carries_it_two_minutes_and_no_further),
        cmocka_unit_test(it_never_goes_back_because_of_what_was_received),
        cmocka_unit_test(no_wall_clock_breaks_it),
        cmocka_unit_test(a_time_shown_has_four_digits_of_year),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
