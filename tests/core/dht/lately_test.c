#include "tests/support/test.h"

#include "core/dht/lately.h"
#include "core/limits.h"

static const uint8_t key[16] = "a test";

static struct yr_addr addr(unsigned i, uint16_t port)
{
    return (struct yr_addr){
        .family = 4, .ip = {20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}, .port = port};
}

static void who_was_sent_something_is_known_for_three_minutes_and_not_for_six(void **state)
{
    struct yr_dht_lately l = {0};
    const struct yr_addr a = addr(1, 7), b = addr(1, 8), c = addr(2, 7);

    for (yr_us from = 0; from < 1000 * YR_S; from += 77 * YR_S) {
        memset(&l, 0, sizeof l);
        (void)yr_dht_lately_has(&l, key, &a, false, from);
        yr_dht_lately_sent(&l, key, &a, false, from + 10 * YR_S);
        assert_true(yr_dht_lately_has(&l, key, &a, false, from + 10 * YR_S));
        assert_true(yr_dht_lately_has(&l, key, &b, false, from + 10 * YR_S)); // the same host
        assert_false(yr_dht_lately_has(&l, key, &c, false, from + 10 * YR_S));
        assert_true(yr_dht_lately_has(&l, key, &a, false, from + YR_DHT_QUIET_S * YR_S));
        assert_true(yr_dht_lately_has(&l, key, &a, false, from + (YR_DHT_QUIET_S + 9) * YR_S));
        assert_false(
            yr_dht_lately_has(&l, key, &a, false, from + (2 * YR_DHT_QUIET_S + 11) * YR_S));
    }
}

static void after_a_long_silence_nobody_is_known(void **state)
{
    struct yr_dht_lately l = {0};
    const struct yr_addr a = addr(1, 7);

    yr_dht_lately_sent(&l, key, &a, false, 0);
    assert_false(yr_dht_lately_has(&l, key, &a, false, 3600 * YR_S));
}

static void on_an_island_ports_tell_hosts_apart(void **state)
{
    struct yr_dht_lately l = {0};
    const struct yr_addr a = addr(1, 7), b = addr(1, 8);

    yr_dht_lately_sent(&l, key, &a, true, 0);
    assert_true(yr_dht_lately_has(&l, key, &a, true, 0));
    assert_false(yr_dht_lately_has(&l, key, &b, true, 0));
}

static void few_are_taken_for_known(void **state)
{
    struct yr_dht_lately l = {0};
    unsigned wrong = 0;

    for (unsigned i = 0; i < 500; i++) {
        const struct yr_addr a = addr(i, 7);
        yr_dht_lately_sent(&l, key, &a, false, 0);
    }
    for (unsigned i = 0; i < 500; i++) {
        const struct yr_addr a = addr(i, 7), b = addr(i + 1000, 7);
        assert_true(yr_dht_lately_has(&l, key, &a, false, 1));
        wrong += yr_dht_lately_has(&l, key, &b, false, 1);
    }
    assert_true(wrong < 500 / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_sent_something_is_known_for_three_minutes_and_not_for_six),
        cmocka_unit_test(after_a_long_silence_nobody_is_known),
        cmocka_unit_test(on_an_island_ports_tell_hosts_apart),
        cmocka_unit_test(few_are_taken_for_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
