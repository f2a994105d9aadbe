#include "core/seal/pair.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"
#include "tests/support/vectors.h"

#define VECTORS YAARI_SOURCE_DIR "/tests/vectors/ratchet.json"

static void assert_key(const uint8_t *got, size_t len, const json_t *object, const char *key)
{
    uint8_t want[64];

    assert_int_equal(vector_bytes(want, sizeof want, object, key), len);
    assert_memory_equal(got, want, len);
}

static void assert_keys(const uint8_t *got, size_t len, const json_t *object, const char *key)
{
    uint8_t want[64];

    for (size_t dir = 0; dir < 2; dir++) {
        assert_int_equal(vector_bytes_at(want, sizeof want, json_object_get(object, key), dir),
                         len);
        assert_memory_equal(got + dir * len, want, len);
    }
}

static void a_pair_derives_what_the_model_derives(void **state)
{
    json_t *root = vectors_load(VECTORS);
    const json_t *v = json_object_get(root, "pair");
    uint8_t secret[32], low[32], high[32];
    struct yr_pair pair;

    vector_bytes(secret, 32, v, "pair");
    vector_bytes(low, 32, v, "low_id");
    vector_bytes(high, 32, v, "high_id");
    yr_pair_derive(&pair, 3, secret, low, high);
    assert_int_equal(pair.gen, 3);
    assert_key(pair.link_psk, 32, v, "link_psk");
    assert_keys(pair.link_init[0], 32, v, "link_init");
    assert_keys(pair.link_hint[0], 16, v, "link_hint");
    assert_keys(pair.probe[0], 32, v, "probe");
    assert_keys(pair.lan[0], 16, v, "lan");
    assert_key(pair.next, 32, v, "next");
    assert_key(pair.pkh_psk, 32, v, "pkh_psk");
    assert_key(pair.rel, 32, v, "rel");
    assert_int_equal(pair.off, vector_int(v, "off"));
    json_decref(root);
}

static void both_sides_derive_the_same_but_for_their_direction(void **state)
{
    const uint8_t secret[32] = {1}, low[32] = {2}, high[32] = {3};
    struct yr_pair a, b;

    yr_pair_derive(&a, 0, secret, low, high);
    yr_pair_derive(&b, 0, secret, high, low);
    assert_int_equal(a.out, 0);
    assert_int_equal(b.out, 1);
    b.out = 0;
    assert_memory_equal(&a, &b, sizeof a);
}

static void days_derive_what_the_model_derives(void **state)
{
    json_t *root = vectors_load(VECTORS);
    const json_t *v = json_object_get(root, "pair"), *day;
    uint8_t secret[32], key[32], env[2][32], tag[2][16];
    struct yr_timekey tk;
    size_t i;

    vector_bytes(secret, 32, v, "pair");
    yr_timekey_first(&tk, secret, (uint32_t)vector_int(v, "day0"));
    json_array_foreach(json_object_get(v, "days"), i, day)
    {
        const uint32_t d = (uint32_t)vector_int(day, "day");
        assert_int_equal(yr_timekey_at(&tk, d, key), YR_OK);
        assert_key(key, 32, day, "time");
        for (uint8_t dir = 0; dir < 2; dir++)
            assert_int_equal(yr_envelope_keys(&tk, dir, d, env[dir], tag[dir]), YR_OK);
        assert_keys(env[0], 32, day, "env");
        assert_keys(tag[0], 16, day, "tag");
    }
    assert_int_equal(i, 3);
    json_decref(root);
}

static void a_day_that_was_advanced_past_is_gone(void **state)
{
    const uint8_t secret[32] = {1};
    uint8_t before[32], after[32], tag[16];
    struct yr_timekey tk, old;

    yr_timekey_first(&tk, secret, 100);
    assert_int_equal(yr_timekey_at(&tk, 110, before), YR_OK);
    assert_int_equal(yr_timekey_advance(&tk, 105), YR_OK);
    assert_int_equal(tk.day, 105);
    assert_int_equal(yr_timekey_at(&tk, 110, after), YR_OK);
    assert_memory_equal(before, after, 32);
    assert_int_equal(yr_timekey_at(&tk, 104, after), YR_ENOENT);
    assert_int_equal(yr_envelope_keys(&tk, 0, 104, after, tag), YR_ENOENT);
    old = tk;
    assert_int_equal(yr_timekey_advance(&tk, 105), YR_OK);
    assert_int_equal(yr_timekey_advance(&tk, 50), YR_OK); // gone already
    assert_int_equal(yr_timekey_advance(&tk, 105 + YR_TIMEKEY_REACH + 1), YR_ENOENT);
    assert_memory_equal(&tk, &old, sizeof tk);
}

static void days_reach_so_far_and_no_further(void **state)
{
    const uint8_t secret[32] = {1};
    uint8_t key[32];
    struct yr_timekey tk;

    yr_timekey_first(&tk, secret, UINT32_MAX - 10);
    assert_int_equal(yr_timekey_at(&tk, UINT32_MAX, key), YR_OK);
    assert_int_equal(yr_timekey_at(&tk, 0, key), YR_ENOENT);
    yr_timekey_first(&tk, secret, 0);
    assert_int_equal(yr_timekey_at(&tk, YR_TIMEKEY_REACH, key), YR_OK);
    assert_int_equal(yr_timekey_at(&tk, YR_TIMEKEY_REACH + 1, key), YR_ENOENT);
    assert_int_equal(yr_timekey_at(&tk, UINT32_MAX, key), YR_ENOENT);
}

static void rows_round_trip_and_every_truncation_is_refused(void **state)
{
    const uint8_t secret[32] = {7}, low[32] = {2}, high[32] = {3};
    uint8_t row[YR_PAIR_ROW_LEN + 1] = {0};
    struct yr_pair pair, back;
    struct yr_timekey tk, tk_back;

    yr_pair_derive(&pair, 9, secret, high, low);
    memset(&back, 0xa5, sizeof back);
    assert_int_equal(yr_pair_encode(row, &pair), YR_PAIR_ROW_LEN);
    for (size_t cut = 0; cut < YR_PAIR_ROW_LEN; cut++)
        assert_int_equal(yr_pair_decode(&back, row, cut), YR_EPROTO);
    assert_int_equal(yr_pair_decode(&back, row, YR_PAIR_ROW_LEN + 1), YR_EPROTO);
    row[2] = 2;
    assert_int_equal(yr_pair_decode(&back, row, YR_PAIR_ROW_LEN), YR_EPROTO);
    row[2] = 1;
    row[0]++;
    assert_int_equal(yr_pair_decode(&back, row, YR_PAIR_ROW_LEN), YR_EVERSION);
    row[0]--;
    assert_int_equal(((uint8_t *)&back)[0], 0xa5);
    assert_int_equal(yr_pair_decode(&back, row, YR_PAIR_ROW_LEN), YR_OK);
    assert_memory_equal(&back, &pair, sizeof pair);

    yr_timekey_first(&tk, secret, 12345);
    assert_int_equal(yr_timekey_encode(row, &tk), YR_TIMEKEY_ROW_LEN);
    for (size_t cut = 0; cut < YR_TIMEKEY_ROW_LEN; cut++)
        assert_int_equal(yr_timekey_decode(&tk_back, row, cut), YR_EPROTO);
    assert_int_equal(yr_timekey_decode(&tk_back, row, YR_TIMEKEY_ROW_LEN + 1), YR_EPROTO);
    assert_int_equal(yr_timekey_decode(&tk_back, row, YR_TIMEKEY_ROW_LEN), YR_OK);
    assert_memory_equal(&tk_back, &tk, sizeof tk);
    row[0] = 0;
    assert_int_equal(yr_timekey_decode(&tk_back, row, YR_TIMEKEY_ROW_LEN), YR_EVERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_derives_what_the_model_derives),
        cmocka_unit_test(both_sides_derive_the_same_but_for_their_direction),
        cmocka_unit_test(days_derive_what_the_model_derives),
        cmocka_unit_test(a_day_that_was_advanced_past_is_gone),
        cmocka_unit_test(days_reach_so_far_and_no_further),
        cmocka_unit_test(rows_round_trip_and_every_truncation_is_refused),
    };

    return cmocka_run_group_tests_name("pair", tests, NULL, NULL);
}
