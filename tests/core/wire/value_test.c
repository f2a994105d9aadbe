/* The pre-scan and the cursor of msgpack values (B.14). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>

#include "core/wire/value.h"

#define CHECK(literal) yr_value_check(literal, sizeof(literal) - 1)

static void every_kind_of_the_profile_passes(void **state)
{
    assert_true(CHECK("\xc0"));
    assert_true(CHECK("\xc2"));
    assert_true(CHECK("\xc3"));
    assert_true(CHECK("\x00"));
    assert_true(CHECK("\x7f"));
    assert_true(CHECK("\xe0"));
    assert_true(CHECK("\xcc\xff"));
    assert_true(CHECK("\xcd\xff\xff"));
    assert_true(CHECK("\xce\xff\xff\xff\xff"));
    assert_true(CHECK("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
    assert_true(CHECK("\xd0\x80"));
    assert_true(CHECK("\xd1\x80\x00"));
    assert_true(CHECK("\xd2\x80\x00\x00\x00"));
    assert_true(CHECK("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"));
    assert_true(CHECK("\xa0"));
    assert_true(CHECK("\xa3"
                      "abc"));
    assert_true(CHECK("\xd9\x01"
                      "a"));
    assert_true(CHECK("\xda\x00\x01"
                      "a"));
    assert_true(CHECK("\xdb\x00\x00\x00\x01"
                      "a"));
    assert_true(CHECK("\xc4\x01\x00"));
    assert_true(CHECK("\xc5\x00\x01\x00"));
    assert_true(CHECK("\xc6\x00\x00\x00\x01\x00"));
    assert_true(CHECK("\x90"));
    assert_true(CHECK("\xdc\x00\x01\xc0"));
    assert_true(CHECK("\xdd\x00\x00\x00\x01\xc0"));
    assert_true(CHECK("\x80"));
    assert_true(CHECK("\x82\x00\xc0\x7f\xc0"));
    assert_true(CHECK("\xde\x00\x01\x01\xc0"));
    assert_true(CHECK("\xdf\x00\x00\x00\x01\x01\xc0"));
}

static void floats_extensions_and_the_unused_byte_are_refused(void **state)
{
    assert_false(CHECK("\xc1"));
    assert_false(CHECK("\xc7\x01\x00\x00"));
    assert_false(CHECK("\xc8\x00\x01\x00\x00"));
    assert_false(CHECK("\xc9\x00\x00\x00\x01\x00\x00"));
    assert_false(CHECK("\xca\x00\x00\x00\x00"));
    assert_false(CHECK("\xcb\x00\x00\x00\x00\x00\x00\x00\x00"));
    for (int head = 0xd4; head <= 0xd8; head++) {
        uint8_t ext[18] = {(uint8_t)head};

        assert_false(yr_value_check(ext, 2 + (1U << (head - 0xd4))));
    }
}

static void nothing_and_trailing_bytes_are_refused(void **state)
{
    assert_false(yr_value_check(NULL, 0));
    assert_false(CHECK("\xc0\xc0"));
    assert_false(CHECK("\x90\x00"));
    assert_false(CHECK("\x81\x01\x02\x03"));
}

static void bad_utf8_and_nul_are_refused_wherever_they_stand(void **state)
{
    assert_false(CHECK("\xa1\x00"));
    assert_false(CHECK("\xa1\x80"));
    assert_false(CHECK("\xa2\xc0\xaf"));
    assert_false(CHECK("\xa3\xed\xa0\x80"));
    assert_false(CHECK("\x91\xa1\xff"));
    assert_false(CHECK("\x81\x7f\x91\xa2"
                       "a\x00"));
    assert_true(CHECK("\xc4\x01\xff"));
}

static void map_keys_are_small_and_distinct(void **state)
{
    assert_false(CHECK("\x82\x01\xc0\x01\xc0"));
    assert_false(CHECK("\x82\x01\xc0\xcc\x01\xc0")); // the same number in two encodings
    assert_false(CHECK("\x82\x01\xc0\xd3\x00\x00\x00\x00\x00\x00\x00\x01\xc0"));
    assert_false(CHECK("\x81\xcc\x80\xc0"));
    assert_false(CHECK("\x81\xff\xc0"));
    assert_false(CHECK("\x81\xa1k\xc0"));
    assert_false(CHECK("\x81\xc0\xc0"));
    assert_false(CHECK("\x81\x90\xc0"));
    assert_true(CHECK("\x82\x01\x81\x01\xc0\x02\x81\x01\xc0")); // each map has keys of its own
}

static void depth_ends_at_its_bound(void **state)
{
    uint8_t nest[YR_MSGPACK_DEPTH + 1];

    memset(nest, 0x91, sizeof nest);
    nest[YR_MSGPACK_DEPTH - 1] = 0x90;
    assert_true(yr_value_check(nest, YR_MSGPACK_DEPTH));
    nest[YR_MSGPACK_DEPTH - 1] = 0x91;
    nest[YR_MSGPACK_DEPTH] = 0xc0;
    assert_true(yr_value_check(nest, YR_MSGPACK_DEPTH + 1));
    nest[YR_MSGPACK_DEPTH] = 0x90;
    assert_false(yr_value_check(nest, YR_MSGPACK_DEPTH + 1));
}

static void the_number_of_values_ends_at_its_bound(void **state)
{
    uint8_t array[3 + YR_MSGPACK_ITEMS];
    const size_t most = YR_MSGPACK_ITEMS - 1; // the array itself is one

    memset(array, 0xc0, sizeof array);
    array[0] = 0xdc;
    array[1] = (uint8_t)(most >> 8);
    array[2] = (uint8_t)most;
    assert_true(yr_value_check(array, 3 + most));
    array[1] = (uint8_t)((most + 1) >> 8);
    array[2] = (uint8_t)(most + 1);
    assert_false(yr_value_check(array, 3 + most + 1));
}

static void a_head_that_claims_four_billion_values_is_refused_at_once(void **state)
{
    assert_false(CHECK("\xdd\xff\xff\xff\xff"));
    assert_false(CHECK("\xdf\xff\xff\xff\xff"));
    assert_false(CHECK("\xdf\x80\x00\x00\x01"));
    assert_false(CHECK("\xdb\xff\xff\xff\xff"));
    assert_false(CHECK("\xc6\xff\xff\xff\xff"));
}

static void size_ends_at_its_bound(void **state)
{
    uint8_t *bin = calloc(1, YR_MSGPACK_MAX + 1);
    const uint32_t most = YR_MSGPACK_MAX - 5;

    assert_non_null(bin);
    bin[0] = 0xc6;
    bin[2] = (uint8_t)(most >> 16);
    bin[3] = (uint8_t)(most >> 8);
    bin[4] = (uint8_t)most;
    assert_true(yr_value_check(bin, YR_MSGPACK_MAX));
    bin[2] = (uint8_t)((most + 1) >> 16);
    bin[3] = (uint8_t)((most + 1) >> 8);
    bin[4] = (uint8_t)(most + 1);
    assert_false(yr_value_check(bin, YR_MSGPACK_MAX + 1));
    free(bin);
}

static void skip_passes_over_exactly_one_value(void **state)
{
    static const uint8_t src[] = "\x82\x01\x92\xa1x\x81\x05\xc4\x02yz\x02\x90\x2a";
    struct yr_rd rd = yr_rd_init(src, sizeof src - 1);
    struct yr_value value;

    yr_value_skip(&rd);
    value = yr_value_next(&rd);
    assert_int_equal(value.kind, YR_VALUE_UINT);
    assert_int_equal(value.number, 42);
    assert_true(yr_rd_done(&rd));
    yr_value_skip(&rd); // nothing is left
    assert_true(rd.bad);
}

static void skip_ends_on_a_head_that_claims_more_than_there_is(void **state)
{
    static const uint8_t src[] = "\xdf\xff\xff\xff\xff\xdf\xff\xff\xff\xff";
    struct yr_rd rd = yr_rd_init(src, sizeof src - 1);

    yr_value_skip(&rd);
    assert_true(rd.bad);
}

static void integers_of_every_width_are_read_as_themselves(void **state)
{
    static const struct {
        const char *src;
        size_t len;
        enum yr_value_kind kind;
        uint64_t number;
    } rows[] = {
        {"\x7f", 1, YR_VALUE_UINT, 127},
        {"\xcd\x12\x34", 3, YR_VALUE_UINT, 0x1234},
        {"\xcf\x01\x02\x03\x04\x05\x06\x07\x08", 9, YR_VALUE_UINT, 0x0102030405060708},
        {"\xd0\x7f", 2, YR_VALUE_UINT, 127},
        {"\xd1\x7f\xff", 3, YR_VALUE_UINT, 0x7fff},
        {"\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", 9, YR_VALUE_UINT, INT64_MAX},
    };

    for (size_t i = 0; i < YR_COUNT(rows); i++) {
        struct yr_rd rd = yr_rd_init(rows[i].src, rows[i].len);
        const struct yr_value value = yr_value_next(&rd);

        assert_int_equal(value.kind, rows[i].kind);
        assert_true(value.number == rows[i].number);
        assert_true(yr_rd_done(&rd));
    }
}

// A small generator with a fixed seed: the same bytes in every run.
static uint32_t draw(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void what_passes_is_read_by_msgpack_c_to_the_same_length(void **state)
{
    uint32_t seed = 20261122;
    size_t passed = 0;

    for (int round = 0; round < 200000; round++) {
        uint8_t src[24];
        const size_t len = 1 + draw(&seed) % sizeof src;

        for (size_t i = 0; i < len; i++) // mostly heads and small numbers, so that many pass
            src[i] = (uint8_t)(draw(&seed) % 3 == 0 ? 0x80 + draw(&seed) % 128 : draw(&seed) % 8);
        if (yr_value_check(src, len)) {
            msgpack_unpacked result;
            size_t at = 0;

            msgpack_unpacked_init(&result);
            assert_int_equal(msgpack_unpack_next(&result, (const char *)src, len, &at),
                             MSGPACK_UNPACK_SUCCESS);
            assert_int_equal(at, len);
            msgpack_unpacked_destroy(&result);
            passed++;
        }
    }
    assert_true(passed > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_the_profile_passes),
        cmocka_unit_test(floats_extensions_and_the_unused_byte_are_refused),
        cmocka_unit_test(nothing_and_trailing_bytes_are_refused),
        cmocka_unit_test(bad_utf8_and_nul_are_refused_wherever_they_stand),
        cmocka_unit_test(map_keys_are_small_and_distinct),
        cmocka_unit_test(depth_ends_at_its_bound),
        cmocka_unit_test(the_number_of_values_ends_at_its_bound),
        cmocka_unit_test(a_head_that_claims_four_billion_values_is_refused_at_once),
        cmocka_unit_test(size_ends_at_its_bound),
        cmocka_unit_test(skip_passes_over_exactly_one_value),
        cmocka_unit_test(skip_ends_on_a_head_that_claims_more_than_there_is),
        cmocka_unit_test(integers_of_every_width_are_read_as_themselves),
        cmocka_unit_test(what_passes_is_read_by_msgpack_c_to_the_same_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
