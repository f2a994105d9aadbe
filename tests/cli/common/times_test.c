#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/common/times.h"

#define NOW INT64_C(1795362395123) /* 2026-11-22T15:46:35.123Z, a Sunday */

static int set_up(void **state)
{
    setenv("TZ", "XXX-5:30", 1); // +05:30
    tzset();
    return 0;
}

static void assert_time(yr_ms ms, const char *want)
{
    char text[YR_RFC3339_LEN + 1];

    yr_rfc3339(text, ms);
    assert_string_equal(text, want);
}

static void rfc3339_is_utc_with_milliseconds(void **state)
{
    assert_time(NOW, "2026-11-22T15:46:35.123Z");
    assert_time(0, "1970-01-01T00:00:00.000Z");
    assert_time(-1, "1969-12-31T23:59:59.999Z");
    assert_time(INT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
    assert_time(INT64_MAX, "9999-12-31T23:59:59.807Z");
}

static void rfc3339_is_read_with_any_offset_and_decimals(void **state)
{
    static const struct {
        const char *text;
        yr_ms ms; /* -1: refused */
    } rows[] = {
        {"2026-11-22T15:46:35.123Z", NOW},
        {"2026-11-22T21:16:35.123+05:30", NOW},
        {"2026-11-22T10:46:35.123-05:00", NOW},
        {"2026-11-22 15:46:35.1239z", NOW},
        {"2026-11-22T15:46:35Z", NOW - 123},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
        {"2026-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-11-22T24:00:00Z", -1},
        {"2026-11-22T15:46:35.Z", -1},
        {"2026-11-22T15:46:35", -1},
        {"2026-11-22T15:46:35Zx", -1},
        {"2026-11-22T15:46Z", -1},
        {"", -1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yr_ms ms = -1;

        if (yr_rfc3339_read(rows[i].text, &ms) != (rows[i].ms >= 0) || ms != rows[i].ms)
            fail_msg("'%s' gave %lld", rows[i].text, (long long)ms);
    }
}

static void what_is_written_is_read_back(void **state)
{
    for (yr_ms ms = -INT64_C(4000000000000); ms < INT64_C(9000000000000); ms += 98765432123) {
        char text[YR_RFC3339_LEN + 1];
        yr_ms back = 0;

        yr_rfc3339(text, ms);
        assert_true(yr_rfc3339_read(text, &back));
        assert_true(back == ms);
    }
}

static void a_users_time_is_local_and_in_the_past(void **state)
{
    static const struct {
        const char *text, *utc; /* NULL: refused */
    } rows[] = {
        {"2026-11-22T15:46:35.123Z", "2026-11-22T15:46:35.123Z"},
        {"2026-11-21", "2026-11-20T18:30:00.000Z"},
        {"2026-11-21 15:30", "2026-11-21T10:00:00.000Z"},
        {"2026-11-21T15:30:10", "2026-11-21T10:00:10.000Z"},
        {"15:30", "2026-11-22T10:00:00.000Z"},
        {"21:16", "2026-11-22T15:46:00.000Z"},
        {"21:17", "2026-11-21T15:47:00.000Z"}, // still to come today
        {"15:30:05", "2026-11-22T10:00:05.000Z"},
        {"-2h", "2026-11-22T13:46:35.123Z"},
        {"-90", "2026-11-22T15:45:05.123Z"},
        {"now", "2026-11-22T15:46:35.123Z"},
        {"today", "2026-11-21T18:30:00.000Z"},
        {"yesterday", "2026-11-20T18:30:00.000Z"},
        {"tomorrow", NULL},
        {"2026-11-31", NULL},
        {"25:00", NULL},
        {"2h", NULL},
        {"-", NULL},
        {"15:30x", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yr_ms ms = 0;

        if (yr_time_read(rows[i].text, NOW, &ms) != (rows[i].utc != NULL))
            fail_msg("'%s'", rows[i].text);
        if (rows[i].utc != NULL)
            assert_time(ms, rows[i].utc);
    }
}

static void durations_have_units_and_bare_numbers_are_seconds(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } rows[] = {
        {"90s", 90000},
        {"5m", 300000},
        {"2h", 7200000},
        {"7d", 604800000},
        {"500ms", 500},
        {"1h30m", 5400000},
        {"90", 90000},
        {"0.5", 500},
        {"1.5h", 5400000},
        {"0", 0},
        {"36525d", INT64_C(3155760000000)},
        {"36526d", -1},
        {"", -1},
        {"s", -1},
        {"-1s", -1},
        {"1.s", -1},
        {"1x", -1},
        {"1h30", -1},
        {"1 h", -1},
        {"99999999999999999", -1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;

        if (yr_duration_read(rows[i].text, &ms) != (rows[i].ms >= 0) || ms != rows[i].ms)
            fail_msg("'%s' gave %lld", rows[i].text, (long long)ms);
    }
}

static void sizes_are_in_powers_of_1024(void **state)
{
    uint64_t size = 7;

    assert_true(yr_size_read("10K", &size) && size == 10240);
    assert_true(yr_size_read("5m", &size) && size == 5u << 20);
    assert_true(yr_size_read("2G", &size) && size == UINT64_C(2) << 30);
    assert_true(yr_size_read("12", &size) && size == 12);
    assert_false(yr_size_read("K", &size));
    assert_false(yr_size_read("1KB", &size));
    assert_false(yr_size_read("-1", &size));
    assert_false(yr_size_read("99999999999999999T", &size));
    assert_int_equal(size, 12);
}

static void assert_shown(yr_ms ms, const char *format, bool utc, const char *want)
{
    const struct yr_time_style style = {format, utc};
    struct yr_buf out = {0};

    yr_time_add(&out, ms, NOW, &style);
    assert_string_equal(yr_buf_str(&out), want);
    yr_buf_clear(&out);
}

static void people_see_times_as_they_choose(void **state)
{
    assert_shown(NOW, "short", false, "21:16");
    assert_shown(NOW, "short", true, "15:46");
    assert_shown(NOW - 86400000, "short", true, "2026-11-21 15:46");
    assert_shown(NOW, "iso", false, "2026-11-22T21:16:35+05:30");
    assert_shown(NOW, "iso", true, "2026-11-22T15:46:35+00:00");
    assert_shown(NOW, "unix", false, "1795362395");
    assert_shown(NOW, "rel", false, "now");
    assert_shown(NOW - 14 * 60000, "rel", false, "14 min ago");
    assert_shown(NOW + 5000, "rel", false, "in 5 s");
    assert_shown(NOW, "+%Y/%m", true, "2026/11");
}

static void assert_span(int64_t ms, const char *want)
{
    struct yr_buf out = {0};

    yr_span_add(&out, ms);
    assert_string_equal(yr_buf_str(&out), want);
    yr_buf_clear(&out);
}

static void spans_have_two_units_at_most(void **state)
{
    assert_span(10, "now");
    assert_span(40000, "40 s");
    assert_span(14 * 60000, "14 min");
    assert_span(394 * 60000, "6 h 34 min");
    assert_span(120 * 60000, "2 h");
    assert_span(INT64_C(86400000), "1 day");
    assert_span(INT64_C(300000000), "3 days");
}

static void days_are_told_apart_where_the_user_is(void **state)
{
    struct yr_buf out = {0};

    yr_day_add(&out, NOW, true);
    assert_string_equal(yr_buf_str(&out), "Sun 22 Nov 2026");
    yr_buf_clear(&out);
    // 18:29:59 UTC and 18:30:00 UTC are two days at +05:30
    assert_true(yr_day_of(INT64_C(1795372199000), false) + 1 ==
                yr_day_of(INT64_C(1795372200000), false));
    assert_true(yr_day_of(INT64_C(1795372199000), true) == yr_day_of(INT64_C(1795372200000), true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339_is_utc_with_milliseconds),
        cmocka_unit_test(rfc3339_is_read_with_any_offset_and_decimals),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_users_time_is_local_and_in_the_past),
        cmocka_unit_test(durations_have_units_and_bare_numbers_are_seconds),
        cmocka_unit_test(sizes_are_in_powers_of_1024),
        cmocka_unit_test(people_see_times_as_they_choose),
        cmocka_unit_test(spans_have_two_units_at_most),
        cmocka_unit_test(days_are_told_apart_where_the_user_is),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
