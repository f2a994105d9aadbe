/* Frames of circuits: there and back, and nothing else. */
#include "core/wire/relay_frames.h"

#include "tests/support/test.h"

static const uint8_t types[] = {YR_FRAME_RELAY_OPEN, YR_FRAME_RELAY_CALL, YR_FRAME_RELAY_OPENED,
                                YR_FRAME_RELAY_CLOSE};

static struct yr_relay_msg sample(uint8_t type)
{
    struct yr_relay_msg msg = {.type = type, .route = 0xabcd};
    const bool ask = type == YR_FRAME_RELAY_OPEN || type == YR_FRAME_RELAY_CALL;

    for (size_t i = 0; i < sizeof msg.nonce && ask; i++) {
        msg.nonce[i] = (uint8_t)(i + 1);
        msg.hash[i] = (uint8_t)(i + 100);
    }
    if (type == YR_FRAME_RELAY_CLOSE)
        msg.reason = 255;
    return msg;
}

static void every_frame_comes_back_as_it_was(void **state)
{
    for (size_t i = 0; i < YR_COUNT(types); i++) {
        const struct yr_relay_msg in = sample(types[i]);
        struct yr_relay_msg out;
        uint8_t body[YR_RELAY_MSG_MAX];
        const size_t len = yr_relay_msg_encode(&in, body);

        assert_int_equal(yr_relay_msg_decode(&out, types[i], body, len), YR_OK);
        assert_int_equal(out.type, in.type);
        assert_int_equal(out.route, in.route);
        assert_int_equal(out.reason, in.reason);
        assert_memory_equal(out.nonce, in.nonce, sizeof in.nonce);
        assert_memory_equal(out.hash, in.hash, sizeof in.hash);
    }
}

static void every_other_length_and_type_is_refused(void **state)
{
    uint8_t body[YR_RELAY_MSG_MAX + 1] = {0};

    for (size_t i = 0; i < YR_COUNT(types); i++) {
        const struct yr_relay_msg in = sample(types[i]);
        const size_t right = yr_relay_msg_encode(&in, body);

        for (size_t len = 0; len <= sizeof body; len++) {
            struct yr_relay_msg out, untouched;

            memset(&out, 0xa5, sizeof out);
            untouched = out;
            if (len == right)
                continue;
            assert_int_equal(yr_relay_msg_decode(&out, types[i], body, len), YR_EPROTO);
            assert_memory_equal(&out, &untouched, sizeof out);
        }
    }
    for (unsigned type = 0; type < 256; type++) {
        struct yr_relay_msg out;

        if (type < YR_FRAME_RELAY_OPEN || type > YR_FRAME_RELAY_CLOSE)
            assert_int_equal(yr_relay_msg_decode(&out, (uint8_t)type, body, 2), YR_EPROTO);
    }
}

static void a_piece_has_a_head_and_something_behind_it(void **state)
{
    uint8_t bytes[YR_RELAY_HEAD + YR_LINK_VIA_MAX + 1] = {0};
    struct yr_relay_piece piece;

    yr_relay_head(bytes, YR_RELAY_SECOND, 0x1234, 200);
    assert_int_equal(yr_relay_piece_decode(&piece, bytes, YR_RELAY_HEAD + 1), YR_OK);
    assert_int_equal(piece.kind, YR_RELAY_SECOND);
    assert_int_equal(piece.route, 0x1234);
    assert_int_equal(piece.id, 200);
    assert_int_equal(piece.len, 1);
    assert_ptr_equal(piece.body, bytes + YR_RELAY_HEAD);
    for (size_t len = 0; len <= YR_RELAY_HEAD; len++)
        assert_int_equal(yr_relay_piece_decode(&piece, bytes, len), YR_EPROTO);
    assert_int_equal(yr_relay_piece_decode(&piece, bytes, sizeof bytes - 1), YR_OK);
    assert_int_equal(yr_relay_piece_decode(&piece, bytes, sizeof bytes), YR_EPROTO);
    bytes[0] = YR_RELAY_SECOND + 1;
    assert_int_equal(yr_relay_piece_decode(&piece, bytes, 10), YR_EPROTO);
}

static void every_reason_has_words(void **state)
{
    for (unsigned i = 0; i < YR_RELAY_REASON_COUNT; i++)
        assert_string_not_equal(yr_relay_reason_name(i), "?");
    assert_string_equal(yr_relay_reason_name(YR_RELAY_REASON_COUNT), "?");
    assert_string_equal(yr_relay_reason_name(255), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_comes_back_as_it_was),
        cmocka_unit_test(every_other_length_and_type_is_refused),
        cmocka_unit_test(a_piece_has_a_head_and_something_behind_it),
        cmocka_unit_test(every_reason_has_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
