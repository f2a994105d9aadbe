// What is said to a gateway, byte by byte, and what it may answer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/base/base.h"
#include "net/pcp.h"

static const uint8_t own[4] = {192, 168, 1, 7}, outside[4] = {203, 0, 113, 9};
static const uint8_t nonce[YR_PCP_NONCE] = "twelve bytes";

static void a_request_of_pcp_has_the_form_of_rfc_6887(void **state)
{
    static const uint8_t want[60] = {
        2,   1,   0,   0,   0,    0,    0x1c, 0x20, // version, MAP, 7200 s
        0,   0,   0,   0,   0,    0,    0,    0,    0,   0,   0xff, 0xff, 192, 168, 1,   7, // from
        't', 'w', 'e', 'l', 'v',  'e',  ' ',  'b',  'y', 't', 'e',  's',                    // nonce
        17,  0,   0,   0,   0x1e, 0x2a, 0x1e, 0x2b, // UDP, 7722 -> 7723
        0,   0,   0,   0,   0,    0,    0,    0,    0,   0,   0xff, 0xff, 203, 0,   113, 9};
    uint8_t out[YR_PCP_REQUEST_MAX];

    assert_int_equal(yr_pcp_map(out, own, nonce, 7722, 7723, outside, 7200), 60);
    assert_memory_equal(out, want, 60);
    assert_int_equal(yr_pcp_map(out, own, nonce, 7722, 0, NULL, 0), 60);
    assert_int_equal(out[6] | out[7] | out[42] | out[43], 0);
    assert_int_equal(out[55], 0xff); // any address, but of IPv4
    assert_int_equal(out[56] | out[57] | out[58] | out[59], 0);
}

static void a_request_of_natpmp_has_the_form_of_rfc_6886(void **state)
{
    static const uint8_t want[12] = {0, 1, 0, 0, 0x1e, 0x2a, 0x1e, 0x2b, 0, 0, 0x1c, 0x20};
    uint8_t out[YR_PCP_REQUEST_MAX];

    assert_int_equal(yr_natpmp_map(out, 7722, 7723, 7200), 12);
    assert_memory_equal(out, want, 12);
    assert_int_equal(yr_natpmp_address(out), 2);
    assert_int_equal(out[0] | out[1], 0);
}

// Of each kind of answer one.
static const struct {
    uint8_t bytes[64];
    size_t len;
    enum yr_pcp_kind kind;
} samples[] = {
    {{2,   129, 0,   0,   0,   0,   0x0e, 0x10, 0, 0,    0,    99,   0,    0,    0,
      0,   0,   0,   0,   0,   0,   0,    0,    0, 't',  'w',  'e',  'l',  'v',  'e',
      ' ', 'b', 'y', 't', 'e', 's', 17,   0,    0, 0,    0x1e, 0x2a, 0x1e, 0x2b, 0,
      0,   0,   0,   0,   0,   0,   0,    0,    0, 0xff, 0xff, 203,  0,    113,  9},
     60,
     YR_PCP_MAP},
    {{2, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 99}, 24, YR_PCP_ANNOUNCE},
    {{0, 128, 0, 0, 0, 0, 0, 99, 203, 0, 113, 9}, 12, YR_NATPMP_ADDRESS},
    {{0, 129, 0, 0, 0, 0, 0, 99, 0x1e, 0x2a, 0x1e, 0x2b, 0, 0, 0x0e, 0x10}, 16, YR_NATPMP_MAP},
    {{0, 160, 0, 5, 0, 0, 0, 99}, 8, YR_NATPMP_OTHER},
};

static void each_kind_of_answer_is_read(void **state)
{
    for (size_t i = 0; i < YR_COUNT(samples); i++) {
        struct yr_pcp_answer answer;
        assert_int_equal(yr_pcp_decode(&answer, samples[i].bytes, samples[i].len), YR_OK);
        assert_int_equal(answer.kind, samples[i].kind);
        assert_int_equal(answer.epoch_s, 99);
        if (answer.kind == YR_PCP_MAP || answer.kind == YR_NATPMP_MAP) {
            assert_int_equal(answer.internal, 7722);
            assert_int_equal(answer.external, 7723);
            assert_int_equal(answer.lifetime_s, 3600);
            assert_true(answer.udp);
        }
        if (answer.kind == YR_PCP_MAP || answer.kind == YR_NATPMP_ADDRESS)
            assert_memory_equal(answer.ip, outside, 4);
        if (answer.kind == YR_PCP_MAP)
            assert_memory_equal(answer.nonce, nonce, sizeof nonce);
    }
}

static void a_truncated_answer_is_none_and_changes_nothing(void **state)
{
    struct yr_pcp_answer answer, untouched;

    memset(&untouched, 0xa5, sizeof untouched);
    for (size_t i = 0; i < YR_COUNT(samples); i++)
        for (size_t len = 0; len < samples[i].len; len++) {
            memcpy(&answer, &untouched, sizeof answer);
            assert_int_equal(yr_pcp_decode(&answer, samples[i].bytes, len), YR_EPROTO);
            assert_memory_equal(&answer, &untouched, sizeof answer);
        }
}

static void what_is_no_answer_is_refused(void **state)
{
    struct yr_pcp_answer answer;
    uint8_t bytes[YR_PCP_ANSWER_MAX + 4] = {2, 128};

    assert_int_equal(yr_pcp_decode(&answer, bytes, YR_PCP_ANSWER_MAX), YR_OK);
    assert_int_equal(yr_pcp_decode(&answer, bytes, YR_PCP_ANSWER_MAX + 4), YR_EPROTO);
    assert_int_equal(yr_pcp_decode(&answer, bytes, 25), YR_EPROTO); // not whole words
    bytes[1] = 0;                                                   // a request
    assert_int_equal(yr_pcp_decode(&answer, bytes, 24), YR_EPROTO);
    bytes[1] = 130; // PEER
    assert_int_equal(yr_pcp_decode(&answer, bytes, 80), YR_EPROTO);
    bytes[0] = 1, bytes[1] = 129; // a version nobody has
    assert_int_equal(yr_pcp_decode(&answer, bytes, 60), YR_EPROTO);
    memcpy(bytes, samples[0].bytes, 60);
    bytes[44] = 0x20; // an outside of IPv6
    assert_int_equal(yr_pcp_decode(&answer, bytes, 60), YR_EPROTO);
    bytes[3] = 8; // of an error it does not matter
    assert_int_equal(yr_pcp_decode(&answer, bytes, 60), YR_OK);
    assert_int_equal(answer.result, 8);
}

static void errors_of_natpmp_may_be_short_and_every_error_has_words(void **state)
{
    static const uint8_t old[8] = {0, 129, 0, 1, 0, 0, 0, 99};
    struct yr_pcp_answer answer;

    assert_int_equal(yr_pcp_decode(&answer, old, sizeof old), YR_OK);
    assert_int_equal(answer.kind, YR_NATPMP_MAP);
    assert_int_equal(answer.result, YR_PCP_OLD_VERSION);
    for (unsigned kind = YR_PCP_MAP; kind <= YR_NATPMP_OTHER; kind++)
        for (unsigned result = 0; result <= UINT16_MAX; result += result < 300 ? 1 : 331) {
            answer.kind = (enum yr_pcp_kind)kind;
            answer.result = (uint16_t)result;
            assert_true(strlen(yr_pcp_reason(&answer)) > 10);
        }
}

static void a_clock_that_went_back_or_stood_still_means_that_all_was_lost(void **state)
{
    static const struct {
        uint32_t before, now;
        uint64_t elapsed;
        bool lost;
    } rows[] = {
        {1000, 1000, 0, false},    {1000, 1100, 100, false},
        {1000, 999, 0, false},     {1000, 998, 0, true},
        {1000, 0, 3600, true},     {1000, 4300, 3600, true},
        {1000, 4400, 3600, false}, {1000, 4800, 3600, false},
        {1000, 5000, 3600, true},  {1000, 1002, 0, false},
        {1000, 1004, 0, true},     {0, UINT32_MAX, 3600, true},
        {UINT32_MAX, 0, 10, true}, {10, 3500, UINT64_MAX / 32, true},
    };

    for (size_t i = 0; i < YR_COUNT(rows); i++)
        assert_int_equal(yr_pcp_restarted(rows[i].before, rows[i].now, rows[i].elapsed),
                         rows[i].lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_of_pcp_has_the_form_of_rfc_6887),
        cmocka_unit_test(a_request_of_natpmp_has_the_form_of_rfc_6886),
        cmocka_unit_test(each_kind_of_answer_is_read),
        cmocka_unit_test(a_truncated_answer_is_none_and_changes_nothing),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(errors_of_natpmp_may_be_short_and_every_error_has_words),
        cmocka_unit_test(a_clock_that_went_back_or_stood_still_means_that_all_was_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
