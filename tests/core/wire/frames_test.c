/* Bodies of the link frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/wire/frames.h"

static size_t sample_addrs(struct yr_addr addrs[YR_ADDRS_MAX], size_t count)
{
    memset(addrs, 0, YR_ADDRS_MAX * sizeof *addrs);
    for (size_t i = 0; i < count; i++) {
        addrs[i].family = i % 2 == 0 ? 4 : 6;
        memset(addrs[i].ip, (int)(i + 1), i % 2 == 0 ? 4 : 16);
        addrs[i].port = (uint16_t)(4000 + i);
    }
    return count;
}

static void addresses_come_back_as_sent(void **state)
{
    for (size_t n = 0; n <= YR_ADDRS_MAX; n++) {
        struct yr_addr in[YR_ADDRS_MAX], out[YR_ADDRS_MAX];
        uint8_t body[512];
        size_t len, count;

        sample_addrs(in, n);
        assert_int_equal(yr_addrs_encode(in, n, body, sizeof body, &len), YR_OK);
        assert_int_equal(yr_addrs_decode(out, &count, body, len), YR_OK);
        assert_int_equal(count, n);
        for (size_t i = 0; i < n; i++)
            assert_true(yr_addr_eq(&in[i], &out[i]));
    }
}

static void every_truncation_of_addresses_is_refused_and_writes_nothing(void **state)
{
    struct yr_addr in[YR_ADDRS_MAX], out[YR_ADDRS_MAX], untouched[YR_ADDRS_MAX];
    size_t len, count = 77;
    uint8_t body[512];

    sample_addrs(in, 5);
    assert_int_equal(yr_addrs_encode(in, 5, body, sizeof body, &len), YR_OK);
    memset(out, 0xa5, sizeof out);
    memset(untouched, 0xa5, sizeof untouched);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(yr_addrs_decode(out, &count, body, cut), YR_EPROTO);
        assert_memory_equal(out, untouched, sizeof out);
        assert_int_equal(count, 77);
    }
    body[len] = 0;
    assert_int_equal(yr_addrs_decode(out, &count, body, len + 1), YR_EPROTO);
}

static void more_addresses_than_the_limit_and_odd_ones_are_refused(void **state)
{
    struct yr_addr many[YR_ADDRS_MAX + 1] = {{0}}, out[YR_ADDRS_MAX];
    uint8_t body[512] = {YR_ADDRS_MAX + 1};
    size_t len, count;

    sample_addrs(many, YR_ADDRS_MAX);
    many[YR_ADDRS_MAX] = many[0];
    assert_int_equal(yr_addrs_encode(many, YR_ADDRS_MAX + 1, body, sizeof body, &len), YR_ESIZE);
    assert_int_equal(yr_addrs_encode(many, YR_ADDRS_MAX, body, 40, &len), YR_ESIZE);
    assert_int_equal(yr_addrs_encode(many, YR_ADDRS_MAX, body, sizeof body, &len), YR_OK);
    body[0] = YR_ADDRS_MAX + 1;
    assert_int_equal(yr_addrs_decode(out, &count, body, len + 7), YR_EPROTO);
    assert_int_equal(yr_addrs_decode(out, &count,
                                     (const uint8_t *)"\x01\x05"
                                                      "abcd\x01\x00",
                                     8),
                     YR_EPROTO); // no such family
    assert_int_equal(yr_addrs_decode(out, &count,
                                     (const uint8_t *)"\x01\x04"
                                                      "abcd\x00\x00",
                                     8),
                     YR_EPROTO); // no port
}

static void acknowledgements_come_back_in_order(void **state)
{
    uint8_t body[64], eid[YR_EID_LEN], status;
    struct yr_wr wr = yr_wr_init(body, sizeof body);
    const uint8_t *at;
    struct yr_rd rd;

    for (int i = 0; i < 3; i++) {
        memset(eid, i, sizeof eid);
        yr_env_ack_put(&wr, i == 1 ? YR_ENV_REFUSED : YR_ENV_DONE, eid);
    }
    assert_true(yr_wr_ok(&wr));
    assert_true(yr_env_ack_ok(body, yr_wr_len(&wr)));
    rd = yr_rd_init(body, yr_wr_len(&wr));
    for (int i = 0; i < 3; i++) {
        assert_true(yr_env_ack_next(&rd, &status, &at));
        assert_int_equal(status, i == 1 ? YR_ENV_REFUSED : YR_ENV_DONE);
        assert_int_equal(at[0], i);
    }
    assert_false(yr_env_ack_next(&rd, &status, &at));
    yr_env_ack_put(&wr, YR_ENV_DONE, eid);
    assert_false(yr_wr_ok(&wr)); // 64 bytes hold three
}

static void acknowledgements_of_another_length_are_refused(void **state)
{
    static const uint8_t body[(1 + YR_EID_LEN) * (YR_ENV_ACK_MAX + 1)];

    assert_false(yr_env_ack_ok(NULL, 0));
    assert_false(yr_env_ack_ok(body, 0));
    for (size_t len = 1; len < 1 + YR_EID_LEN; len++)
        assert_false(yr_env_ack_ok(body, len));
    assert_true(yr_env_ack_ok(body, 1 + YR_EID_LEN));
    assert_false(yr_env_ack_ok(body, 2 + YR_EID_LEN));
    assert_true(yr_env_ack_ok(body, (1 + YR_EID_LEN) * YR_ENV_ACK_MAX));
    assert_false(yr_env_ack_ok(body, sizeof body));
}

static void frames_have_names(void **state)
{
#define X(name, type, channel, body) assert_string_equal(yr_frame_name(type), #name);
    YR_FRAME_MAP(X)
#undef X
    assert_string_equal(yr_frame_name(0xee), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_back_as_sent),
        cmocka_unit_test(every_truncation_of_addresses_is_refused_and_writes_nothing),
        cmocka_unit_test(more_addresses_than_the_limit_and_odd_ones_are_refused),
        cmocka_unit_test(acknowledgements_come_back_in_order),
        cmocka_unit_test(acknowledgements_of_another_length_are_refused),
        cmocka_unit_test(frames_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
