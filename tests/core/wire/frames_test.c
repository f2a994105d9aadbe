/* Bodies of the link frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/wire/frames.h"

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
        cmocka_unit_test(acknowledgements_come_back_in_order),
        cmocka_unit_test(acknowledgements_of_another_length_are_refused),
        cmocka_unit_test(frames_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
