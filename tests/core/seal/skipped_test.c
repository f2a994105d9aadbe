#include "core/seal/ratchet.h"
#include "tests/support/test.h"
#include "tests/support/two_friends.h"

// All rows of a store, one behind the other.
static uint8_t skipped_before[TWO_SKIPPED_LEN], skipped_after[TWO_SKIPPED_LEN];

/* ---- limits ---- */

static void a_thousand_may_be_skipped_at_once_and_not_one_more(void **state)
{
    struct two t;
    struct msg m, next, first;

    two_init(&t, 11);
    send_from(&t, 0, 0, &first);
    lose(&t, 0, YR_SKIP_MAX - 1);
    send_from(&t, 0, 1, &m);
    send_from(&t, 0, 2, &next);
    assert_int_equal(deliver(&t, 1, &next), YR_EFULL);
    assert_int_equal(t.sides[1].skipped.count, 0);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    assert_int_equal(t.sides[1].skipped.count, YR_SKIP_MAX);
    assert_int_equal(deliver(&t, 1, &next), YR_OK);
    assert_int_equal(deliver(&t, 1, &first), YR_OK);
    two_clear(&t);
}

static void the_limit_counts_both_chains_of_one_message(void **state)
{
    struct two t;
    struct msg m, over;

    two_init(&t, 12);
    send_from(&t, 0, 0, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    lose(&t, 0, YR_SKIP_MAX / 2); // at the old chain's end
    send_from(&t, 1, 1, &m);
    assert_int_equal(deliver(&t, 0, &m), YR_OK);
    lose(&t, 0, YR_SKIP_MAX / 2);
    send_from(&t, 0, 2, &m);
    send_from(&t, 0, 3, &over);
    assert_int_equal(deliver(&t, 1, &over), YR_EFULL);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    assert_int_equal(t.sides[1].skipped.count, YR_SKIP_MAX);
    two_clear(&t);
}

static void two_thousand_are_kept_and_the_oldest_go_first(void **state)
{
    struct two t;
    static struct msg sent[3 * YR_SKIP_MAX];
    size_t opened = 0;

    two_init(&t, 13);
    for (uint32_t i = 0; i < YR_COUNT(sent); i++)
        send_from(&t, 0, i, &sent[i]);
    // three steps, each skipping almost as many as may be
    for (size_t i = 990; i < YR_COUNT(sent); i += 991)
        assert_int_equal(deliver(&t, 1, &sent[i]), YR_OK);
    assert_int_equal(t.sides[1].skipped.count, YR_SKIPPED_MAX);
    // the first 970 keys made place for others
    for (size_t i = 0; i < 970; i++)
        assert_int_equal(deliver(&t, 1, &sent[i]), YR_EEXIST);
    for (size_t i = 970; i < 2972; i++)
        opened += deliver(&t, 1, &sent[i]) == YR_OK;
    assert_int_equal(opened, YR_SKIPPED_MAX);
    assert_int_equal(t.sides[1].skipped.count, 0);
    assert_int_equal(t.mem.live, 0);
    two_clear(&t);
}

static void keys_of_five_chains_are_kept_and_the_longest_unused_goes_first(void **state)
{
    struct two t;
    struct msg late[YR_CHAINS_MAX + 1], m;

    two_init(&t, 14);
    for (size_t i = 0; i < YR_COUNT(late); i++) {
        send_from(&t, 0, (uint32_t)i, &late[i]);
        send_from(&t, 0, 100, &m);
        assert_int_equal(deliver(&t, 1, &m), YR_OK);
        send_from(&t, 1, 101, &m);
        assert_int_equal(deliver(&t, 0, &m), YR_OK);
    }
    assert_int_equal(t.sides[1].skipped.count, YR_CHAINS_MAX);
    assert_int_equal(deliver(&t, 1, &late[0]), YR_EEXIST);
    for (size_t i = 1; i < YR_COUNT(late); i++)
        assert_int_equal(deliver(&t, 1, &late[i]), YR_OK);
    two_clear(&t);
}

static void keys_older_than_three_weeks_are_deleted(void **state)
{
    struct two t;
    struct msg late[2], m;
    const uint64_t day = 86400, start = NOW_S - NOW_S % 86400;

    two_init(&t, 15);
    send_from(&t, 0, 1, &late[0]);
    send_from(&t, 0, 2, &late[1]);
    send_from(&t, 0, 3, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    assert_int_equal(yr_skipped_expire(&t.sides[1].skipped, start + YR_SKIPPED_DAYS * day), 0);
    assert_int_equal(yr_skipped_expire(&t.sides[1].skipped, 0), 0); // a clock that went back
    assert_int_equal(deliver(&t, 1, &late[0]), YR_OK);
    assert_int_equal(yr_skipped_expire(&t.sides[1].skipped, start + (YR_SKIPPED_DAYS + 1) * day),
                     1);
    assert_int_equal(deliver(&t, 1, &late[1]), YR_EEXIST);
    two_clear(&t);
}

static void opening_a_message_deletes_keys_that_have_grown_old(void **state)
{
    struct two t;
    struct msg m[2];
    struct yr_session after;
    uint32_t number;
    size_t len;

    two_init(&t, 21);
    lose(&t, 0, 3);
    for (uint32_t i = 0; i < 2; i++)
        send_from(&t, 0, i, &m[i]);
    assert_int_equal(deliver(&t, 1, &m[0]), YR_OK);
    assert_int_equal(t.sides[1].skipped.count, 3);
    assert_int_equal(yr_session_decrypt(&t.sides[1].session, &after, &t.sides[1].skipped,
                                        NOW_S + (YR_SKIPPED_DAYS + 1) * 86400u, &t.rnd.rng, m[1].at,
                                        m[1].len, (uint8_t *)&number, sizeof number, &len),
                     YR_OK);
    assert_int_equal(t.sides[1].skipped.count, 0);
    two_clear(&t);
}

static void clearing_is_a_change_of_the_rows_that_were_there(void **state)
{
    struct two t;
    struct msg m;
    uint8_t row[YR_SKIPPED_ROW_MAX];

    two_init(&t, 22);
    lose(&t, 0, 300);
    send_from(&t, 0, 1, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    assert_int_equal(yr_skipped_changed(&t.sides[1].skipped), 3);
    yr_skipped_clear(&t.sides[1].skipped);
    assert_int_equal(yr_skipped_changed(&t.sides[1].skipped), 3);
    assert_int_equal(yr_skipped_encode(&t.sides[1].skipped, 0, row), 0);
    two_clear(&t);
}

static void a_deleted_sessions_keys_go_and_no_others(void **state)
{
    struct two t, other;
    struct msg m, late;

    two_init(&t, 16);
    two_init(&other, 17);
    lose(&t, 0, 3);
    send_from(&t, 0, 1, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    // the other session's keys in the same store
    send_from(&other, 0, 2, &late);
    send_from(&other, 0, 3, &m);
    yr_skipped_clear(&other.sides[1].skipped);
    other.sides[1].skipped = t.sides[1].skipped;
    assert_int_equal(deliver(&other, 1, &m), YR_OK);
    assert_int_equal(other.sides[1].skipped.count, 4);
    assert_int_equal(yr_skipped_forget(&other.sides[1].skipped, t.sides[1].session.sid), 3);
    assert_int_equal(deliver(&other, 1, &late), YR_OK);
    yr_skipped_init(&t.sides[1].skipped, &t.mem.mem);
    two_clear(&t);
    two_clear(&other);
}

static void a_refused_allocation_opens_nothing_and_loses_nothing(void **state)
{
    struct two t;
    struct msg m;

    two_init(&t, 18);
    lose(&t, 0, 600); // three parts
    send_from(&t, 0, 1, &m);
    for (size_t left = 0; left < 3; left++) {
        t.mem.left = left;
        assert_int_equal(deliver(&t, 1, &m), YR_ENOMEM);
        assert_int_equal(t.sides[1].skipped.count, 0);
        assert_int_equal(t.mem.live, 0);
    }
    t.mem.left = 3;
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    assert_int_equal(t.sides[1].skipped.count, 600);
    t.mem.left = SIZE_MAX;
    two_clear(&t);
}

static void skipped_keys_round_trip_and_every_truncation_is_refused(void **state)
{
    static uint8_t row[YR_SKIPPED_ROW_MAX + 1];
    struct yr_skipped back;
    struct two t;
    struct msg m, late;
    size_t len, n;

    two_init(&t, 20);
    send_from(&t, 0, 5, &late);
    lose(&t, 0, 400); // two parts
    send_from(&t, 0, 1, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    assert_int_equal(yr_skipped_changed(&t.sides[1].skipped), 3);
    assert_int_equal(yr_skipped_changed(&t.sides[1].skipped), 0);

    yr_skipped_init(&back, &t.mem.mem);
    for (unsigned p = 0; p < YR_SKIPPED_PARTS; p++) {
        len = yr_skipped_encode(&t.sides[1].skipped, p, row);
        assert_int_equal(len, p == 0   ? 3 + 250 * YR_SKIPPED_KEY_LEN
                              : p == 1 ? 3 + 151 * YR_SKIPPED_KEY_LEN
                                       : 0);
        if (len == 0)
            continue;
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(yr_skipped_decode(&back, p, row, cut), YR_EPROTO);
        row[len] = 0;
        assert_int_equal(yr_skipped_decode(&back, p, row, len + 1), YR_EPROTO);
        t.mem.left = 0;
        assert_int_equal(yr_skipped_decode(&back, p, row, len), YR_ENOMEM);
        t.mem.left = SIZE_MAX;
        assert_int_equal(yr_skipped_decode(&back, p, row, len), YR_OK);
        assert_int_equal(yr_skipped_decode(&back, p, row, len), YR_OK); // in place of itself
    }
    assert_int_equal(back.count, 401);
    assert_int_equal(yr_skipped_changed(&back), 0);
    n = encode_skipped(&t.sides[1].skipped, skipped_before);
    assert_int_equal(encode_skipped(&back, skipped_after), n);
    assert_memory_equal(skipped_after, skipped_before, n);

    // what was read works, and using one key rewrites one part
    yr_skipped_clear(&t.sides[1].skipped);
    t.sides[1].skipped = back;
    assert_int_equal(deliver(&t, 1, &late), YR_OK);
    assert_int_equal(yr_skipped_changed(&t.sides[1].skipped), 1);
    two_clear(&t);
}

static void skipped_rows_of_impossible_values_are_refused(void **state)
{
    static uint8_t row[YR_SKIPPED_ROW_MAX];
    struct test_mem mem;
    struct yr_skipped s;
    const size_t len = 3 + (YR_CHAINS_MAX + 1) * YR_SKIPPED_KEY_LEN;

    test_mem_init(&mem, 1 << 20);
    yr_skipped_init(&s, &mem.mem);
    row[0] = 1;
    row[1] = YR_CHAINS_MAX + 1;
    for (size_t i = 0; i <= YR_CHAINS_MAX; i++) {
        row[3 + i * YR_SKIPPED_KEY_LEN] = (uint8_t)i;          // a chain of its own
        row[3 + i * YR_SKIPPED_KEY_LEN + 32] = 1 + (uint8_t)i; // seq
    }
    assert_int_equal(yr_skipped_decode(&s, 0, row, len), YR_EPROTO); // one chain too many
    assert_int_equal(s.count, 0);
    row[3] = 1;
    assert_int_equal(yr_skipped_decode(&s, 0, row, len), YR_OK);
    assert_int_equal(s.count, YR_CHAINS_MAX + 1);
    row[3 + 32] = 0; // seq 0
    assert_int_equal(yr_skipped_decode(&s, 1, row, len), YR_EPROTO);
    row[3 + 32] = 1;
    row[3 + 39] = 0x80; // seq without successors
    assert_int_equal(yr_skipped_decode(&s, 1, row, len), YR_EPROTO);
    row[1] = 0;
    assert_int_equal(yr_skipped_decode(&s, 1, row, 3), YR_EPROTO);
    row[0] = 2;
    assert_int_equal(yr_skipped_decode(&s, 1, row, 3), YR_EVERSION);
    assert_int_equal(s.count, YR_CHAINS_MAX + 1);
    yr_skipped_clear(&s);
    assert_int_equal(mem.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_may_be_skipped_at_once_and_not_one_more),
        cmocka_unit_test(the_limit_counts_both_chains_of_one_message),
        cmocka_unit_test(two_thousand_are_kept_and_the_oldest_go_first),
        cmocka_unit_test(keys_of_five_chains_are_kept_and_the_longest_unused_goes_first),
        cmocka_unit_test(keys_older_than_three_weeks_are_deleted),
        cmocka_unit_test(opening_a_message_deletes_keys_that_have_grown_old),
        cmocka_unit_test(clearing_is_a_change_of_the_rows_that_were_there),
        cmocka_unit_test(a_deleted_sessions_keys_go_and_no_others),
        cmocka_unit_test(a_refused_allocation_opens_nothing_and_loses_nothing),
        cmocka_unit_test(skipped_keys_round_trip_and_every_truncation_is_refused),
        cmocka_unit_test(skipped_rows_of_impossible_values_are_refused),
    };

    return cmocka_run_group_tests_name("skipped", tests, NULL, NULL);
}
