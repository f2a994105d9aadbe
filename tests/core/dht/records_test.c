/* Stored records: whose, how many, how long; and tokens. */
#include "tests/support/test.h"

#include "core/crypto/identity.h"
#include "core/dht/records.h"
#include "tests/support/seeded.h"

struct world {
    struct test_mem mem;
    struct seeded s;
    struct yr_dht_records records;
    uint8_t pk[32], sk[64], key[32];
};

static const struct yr_addr from = {.family = 4, .ip = {9, 8, 7, 6}, .port = 5};

static void new_key(struct world *w)
{
    uint8_t seed[32];

    yr_random(&w->s.rng, seed, 32);
    yr_sign_keypair(w->pk, w->sk, seed);
    yr_dht_record_key(w->key, w->pk);
}

static int setup(void **state)
{
    static struct world w;
    uint8_t own[32];

    test_mem_init(&w.mem, 64U << 20);
    seeded_init(&w.s, 6);
    yr_random(&w.s.rng, own, 32);
    yr_dht_records_init(&w.records, &w.mem.mem, &w.s.rng, own, 0);
    new_key(&w);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    yr_dht_records_clear(&w->records);
    return w->mem.live != 0;
}

static enum yr_err put(struct world *w, const struct yr_addr *who, uint32_t seq, uint16_t ttl_s,
                       const char *value, yr_us now)
{
    uint8_t rec[YR_DHT_RECORD_MAX];
    const size_t len =
        yr_dht_record_make(rec, w->pk, w->sk, seq, ttl_s, (const uint8_t *)value, strlen(value));

    return yr_dht_records_put(&w->records, who, rec, len, now);
}

static void assert_stored(struct world *w, const char *value, yr_us now)
{
    struct yr_dht_record rec;
    size_t len = 0;
    const uint8_t *bytes = yr_dht_records_get(&w->records, w->key, now, &len);

    if (value == NULL) {
        assert_null(bytes);
        return;
    }
    assert_non_null(bytes);
    assert_int_equal(yr_dht_record_open(&rec, bytes, len), YR_OK);
    assert_int_equal(rec.value_len, strlen(value));
    assert_memory_equal(rec.value, value, rec.value_len);
}

static void the_newest_wins_and_an_old_one_never_comes_back(void **state)
{
    struct world *w = *state;

    assert_int_equal(put(w, &from, 5, 7200, "five", 0), YR_OK);
    assert_int_equal(put(w, &from, 4, 7200, "four", 0), YR_EEXIST);
    assert_int_equal(put(w, &from, 5, 7200, "other five", 0), YR_EEXIST);
    assert_stored(w, "five", 0);
    assert_int_equal(put(w, &from, 6, 7200, "six", 0), YR_OK);
    assert_stored(w, "six", 0);
    assert_int_equal(w->records.count, 1);
}

static void a_changed_bit_anywhere_is_refused(void **state)
{
    struct world *w = *state;
    uint8_t rec[YR_DHT_RECORD_MAX];
    const size_t len = yr_dht_record_make(rec, w->pk, w->sk, 1, 60, (const uint8_t *)"v", 1);

    for (size_t i = 0; i < len; i++) {
        rec[i] ^= 0x10;
        assert_int_not_equal(yr_dht_records_put(&w->records, &from, rec, len, 0), YR_OK);
        rec[i] ^= 0x10;
        assert_int_not_equal(yr_dht_records_put(&w->records, &from, rec, i, 0), YR_OK);
    }
    assert_int_equal(w->records.count, 0);
    assert_int_equal(yr_dht_records_put(&w->records, &from, rec, len, 0), YR_OK);
}

static void a_far_expiry_is_refused(void **state)
{
    struct world *w = *state;
    uint8_t rec[YR_DHT_RECORD_MAX];
    const size_t len = yr_dht_record_make(rec, w->pk, w->sk, 1, YR_DHT_RECORD_TTL_S, NULL, 0);

    rec[37] = 0xff; // the ttl
    rec[38] = 0xff;
    yr_sign(rec + len - 64, w->sk, "yaari/1/rec", rec, len - 64);
    assert_int_equal(yr_dht_records_put(&w->records, &from, rec, len, 0), YR_EPROTO);
    rec[37] = rec[38] = 0;
    yr_sign(rec + len - 64, w->sk, "yaari/1/rec", rec, len - 64);
    assert_int_equal(yr_dht_records_put(&w->records, &from, rec, len, 0), YR_EPROTO);
}

static void it_lives_as_long_as_it_says_and_longer_when_put_again(void **state)
{
    struct world *w = *state;

    assert_int_equal(put(w, &from, 1, 100, "v", 0), YR_OK);
    assert_int_equal(put(w, &from, 1, 100, "v", 60 * YR_S), YR_OK);
    assert_stored(w, "v", 159 * YR_S);
    assert_stored(w, NULL, 160 * YR_S);
    yr_dht_records_tick(&w->records, 200 * YR_S);
    assert_int_equal(w->records.count, 0);
    assert_int_equal(put(w, &from, 1, 100, "older again", 200 * YR_S), YR_OK);
}

static void one_network_gets_its_share_and_gets_it_back(void **state)
{
    struct world *w = *state;
    struct yr_addr other = from;

    for (unsigned i = 0; i < YR_DHT_RECORDS_EACH + 20; i++) {
        new_key(w);
        other.ip[3] = (uint8_t)i; // the same /24
        assert_int_equal(put(w, &other, 1, 100, "v", 0),
                         i < YR_DHT_RECORDS_EACH ? YR_OK : YR_EFULL);
    }
    assert_int_equal(w->records.count, YR_DHT_RECORDS_EACH);
    other.ip[2]++;
    assert_int_equal(put(w, &other, 1, 100, "v", 0), YR_OK);
    yr_dht_records_tick(&w->records, 200 * YR_S);
    assert_int_equal(w->records.count, 0);
    assert_int_equal(put(w, &from, 1, 100, "v", 200 * YR_S), YR_OK);
    assert_int_equal(put(w, &from, 2, 100, "w", 200 * YR_S), YR_OK);
}

static void a_full_share_can_still_renew_what_it_has(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < YR_DHT_RECORDS_EACH; i++) {
        new_key(w);
        assert_int_equal(put(w, &from, 1, 100, "v", 0), YR_OK);
    }
    assert_int_equal(put(w, &from, 2, 100, "w", 0), YR_OK);
    assert_stored(w, "w", 0);
    assert_int_equal(w->records.count, YR_DHT_RECORDS_EACH);
}

static void when_all_is_full_the_nearest_stay(void **state)
{
    struct world *w = *state;
    size_t refused = 0;
    unsigned i = 0;

    for (; w->records.count < YR_DHT_RECORDS_MAX; i++) {
        const struct yr_addr who = {
            .family = 4, .ip = {1, (uint8_t)(i >> 8), (uint8_t)i, 1}, .port = 1};
        new_key(w);
        assert_int_equal(put(w, &who, 1, 100, "v", 0), YR_OK);
    }
    for (unsigned n = 0; n < 100; n++, i++) {
        const struct yr_addr who = {
            .family = 4, .ip = {1, (uint8_t)(i >> 8), (uint8_t)i, 1}, .port = 1};
        enum yr_err err;

        new_key(w);
        err = put(w, &who, 1, 100, "v", 0);
        assert_true(err == YR_OK || err == YR_EFULL);
        if (yr_dht_common(w->key, w->records.own_id) > 4)
            assert_int_equal(err, YR_OK);
        refused += err == YR_EFULL;
        assert_int_equal(w->records.count, YR_DHT_RECORDS_MAX);
    }
    assert_true(refused > 0);
}

static void tokens_hold_for_their_address_key_and_time(void **state)
{
    struct world *w = *state;
    const struct yr_rng *rng = &w->s.rng;
    struct yr_addr port = from, other = from;
    uint8_t token[8], key[32] = {1}, key2[32] = {2};
    const yr_us step = YR_DHT_TOKEN_S * YR_S;

    other.ip[3]++;
    port.port++;
    yr_dht_token(&w->records, rng, &from, key, 0, token);
    assert_true(yr_dht_token_ok(&w->records, rng, &from, key, 0, token));
    assert_true(yr_dht_token_ok(&w->records, rng, &port, key, 0, token));
    assert_false(yr_dht_token_ok(&w->records, rng, &other, key, 0, token));
    assert_false(yr_dht_token_ok(&w->records, rng, &from, key2, 0, token));
    assert_true(yr_dht_token_ok(&w->records, rng, &from, key, step, token));
    assert_false(yr_dht_token_ok(&w->records, rng, &from, key, 2 * step, token));
    yr_dht_token(&w->records, rng, &from, key, 3 * step, token);
    assert_false(yr_dht_token_ok(&w->records, rng, &from, key, 9 * step, token));
}

static void a_refused_allocation_keeps_what_was_there(void **state)
{
    struct world *w = *state;

    assert_int_equal(put(w, &from, 1, 100, "v", 0), YR_OK);
    w->mem.left = 0;
    assert_int_equal(put(w, &from, 2, 100, "w", 0), YR_ENOMEM);
    assert_stored(w, "v", 0);
    new_key(w);
    assert_int_equal(put(w, &from, 2, 100, "w", 0), YR_ENOMEM);
    w->mem.left = SIZE_MAX;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_wins_and_an_old_one_never_comes_back),
        TEST(a_changed_bit_anywhere_is_refused),
        TEST(a_far_expiry_is_refused),
        TEST(it_lives_as_long_as_it_says_and_longer_when_put_again),
        TEST(one_network_gets_its_share_and_gets_it_back),
        TEST(a_full_share_can_still_renew_what_it_has),
        TEST(when_all_is_full_the_nearest_stay),
        TEST(tokens_hold_for_their_address_key_and_time),
        TEST(a_refused_allocation_keeps_what_was_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
