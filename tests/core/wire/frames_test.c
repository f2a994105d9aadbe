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

static void presence_comes_back_as_it_was_told(void **state)
{
    uint8_t body[YR_PRESENCE_BODY_MAX];
    struct yr_presence_said said;
    char longest[YR_STATUS_MAX + 1];
    size_t len = yr_presence_encode(body, true, 60, 90, "lunch", 5);

    assert_int_equal(yr_presence_decode(&said, body, len), YR_OK);
    assert_true(said.away);
    assert_int_equal(said.active_s, 60);
    assert_int_equal(said.since_s, 90);
    assert_int_equal(said.text_len, 5);
    assert_memory_equal(said.text, "lunch", 5);
    len = yr_presence_encode(body, false, 120, 90, "lunch", 5); // who is back says not from what
    assert_int_equal(yr_presence_decode(&said, body, len), YR_OK);
    assert_false(said.away);
    assert_int_equal(said.active_s, 120);
    assert_int_equal(said.since_s, 0);
    assert_int_equal(said.text_len, 0);
    memset(longest, 'x', sizeof longest);
    len = yr_presence_encode(body, true, 0, 0, longest, YR_STATUS_MAX);
    assert_int_equal(len, sizeof body);
    assert_int_equal(yr_presence_decode(&said, body, len), YR_OK);
    body[0] = 0xff; // what the other bits mean is a later version's matter
    assert_int_equal(yr_presence_decode(&said, body, len), YR_OK);
}

static void presence_that_cannot_be_is_refused(void **state)
{
    uint8_t body[YR_PRESENCE_BODY_MAX + 1];
    struct yr_presence_said said, before;
    size_t len = yr_presence_encode(body, true, 60, 90, "lunch", 5);

    memset(&said, 0xa5, sizeof said);
    before = said;
    for (size_t cut = 0; cut < 17; cut++)
        assert_int_equal(yr_presence_decode(&said, body, cut), YR_EPROTO);
    body[len - 1] = 0; // a NUL
    assert_int_equal(yr_presence_decode(&said, body, len), YR_EPROTO);
    body[len - 1] = 0xff; // no UTF-8
    assert_int_equal(yr_presence_decode(&said, body, len), YR_EPROTO);
    body[len - 1] = 'h';
    body[0] = 0; // not away, but why
    assert_int_equal(yr_presence_decode(&said, body, len), YR_EPROTO);
    assert_int_equal(yr_presence_decode(&said, body, 17), YR_EPROTO); // ... and since when
    body[0] = 1;
    body[8] = 0xff; // in a time that no clock shows
    assert_int_equal(yr_presence_decode(&said, body, len), YR_EPROTO);
    memset(body, 'x', sizeof body);
    memset(body, 0, 17);
    body[0] = 1;
    assert_int_equal(yr_presence_decode(&said, body, sizeof body), YR_EPROTO); // too long
    assert_memory_equal(&said, &before, sizeof said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presence_comes_back_as_it_was_told),
        cmocka_unit_test(presence_that_cannot_be_is_refused),
        cmocka_unit_test(acknowledgements_come_back_in_order),
        cmocka_unit_test(acknowledgements_of_another_length_are_refused),
        cmocka_unit_test(frames_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
