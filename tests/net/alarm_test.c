#include "loop.h"

#include "core/base/base.h"
#include "net/alarm.h"

struct bell {
    struct test_loop loop;
    struct yr_alarm *alarm;
    size_t rings;
    bool rang;
    yr_us at;
};

static void on_alarm(void *ctx)
{
    struct bell *bell = ctx;
    bell->rings++;
    bell->rang = true;
    bell->at = yr_clock_now().mono_us;
}

static yr_us start(struct bell *bell)
{
    memset(bell, 0, sizeof *bell);
    loop_start(&bell->loop);
    assert_int_equal(yr_alarm_open(&bell->alarm, &bell->loop.uv, on_alarm, bell), YR_OK);
    return yr_clock_now().mono_us;
}

static void stop(struct bell *bell)
{
    bool closed = false;
    yr_alarm_close(bell->alarm, set_true, &closed);
    assert_true(loop_until(&bell->loop, &closed, GUARD_MS));
    loop_end(&bell->loop);
}

static void an_alarm_goes_off_once_and_never_early(void **state)
{
    struct bell bell;
    const yr_us now = start(&bell);

    yr_alarm_set(bell.alarm, now + 3700);
    assert_true(loop_until(&bell.loop, &bell.rang, GUARD_MS));
    assert_true(bell.at >= now + 3700);
    loop_for(&bell.loop, 10);
    assert_int_equal(bell.rings, 1);
    stop(&bell);
}

static void what_is_past_goes_off_at_once(void **state)
{
    struct bell bell;

    start(&bell);
    yr_alarm_set(bell.alarm, 0);
    assert_true(loop_until(&bell.loop, &bell.rang, GUARD_MS));
    bell.rang = false;
    yr_alarm_set(bell.alarm, 5);
    assert_true(loop_until(&bell.loop, &bell.rang, GUARD_MS));
    assert_int_equal(bell.rings, 2);
    stop(&bell);
}

static void an_alarm_that_is_put_off_goes_off_at_the_later_time_only(void **state)
{
    struct bell bell;
    const yr_us now = start(&bell);

    yr_alarm_set(bell.alarm, now + 2 * YR_MS);
    yr_alarm_set(bell.alarm, now + 60 * YR_MS);
    loop_for(&bell.loop, 10);
    yr_alarm_set(bell.alarm, now + 30 * YR_MS);
    assert_int_equal(bell.rings, 0);
    assert_true(loop_until(&bell.loop, &bell.rang, GUARD_MS));
    assert_true(bell.at >= now + 30 * YR_MS);
    loop_for(&bell.loop, 50);
    assert_int_equal(bell.rings, 1);
    stop(&bell);
}

static void an_alarm_that_is_taken_back_never_goes_off(void **state)
{
    struct bell bell;
    const yr_us now = start(&bell);

    yr_alarm_set(bell.alarm, now + 2 * YR_MS);
    yr_alarm_set(bell.alarm, YR_NEVER);
    loop_for(&bell.loop, 20);
    assert_int_equal(bell.rings, 0);
    yr_alarm_set(bell.alarm, now + 1);
    assert_true(loop_until(&bell.loop, &bell.rang, GUARD_MS));
    stop(&bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alarm_goes_off_once_and_never_early),
        cmocka_unit_test(what_is_past_goes_off_at_once),
        cmocka_unit_test(an_alarm_that_is_put_off_goes_off_at_the_later_time_only),
        cmocka_unit_test(an_alarm_that_is_taken_back_never_goes_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
