#include "core/crypto/aead.h"
#include "core/seal/envelope.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"
#include "tests/support/vectors.h"

#define VECTORS YAARI_SOURCE_DIR "/tests/vectors/ratchet.json"

static uint8_t env[YR_ENVELOPE_MAX + 1], plain[YR_ENVELOPE_MAX], body[YR_ENVELOPE_BODY_MAX + 1];
static const uint8_t key[32] = {1, 2, 3}, tag[16] = {4, 5, 6};
static const uint32_t exp_s = 80000 * YR_ENVELOPE_STEP_S;

// An rng that gives out recorded bytes.
static void fill_recorded(void *ctx, void *out, size_t len)
{
    const uint8_t **at = ctx;

    memcpy(out, *at, len);
    *at += len;
}

static void the_model_seals_the_same_bytes(void **state)
{
    json_t *root = vectors_load(VECTORS);
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(root, "envelopes"), i, v)
    {
        uint8_t k[32], t[16], random[24], want[YR_ENVELOPE_MAX], id[16], want_id[16];
        const uint8_t *at = random;
        const struct yr_rng rng = {fill_recorded, &at};
        const size_t body_len = vector_bytes(body, sizeof body, v, "body");
        const size_t want_len = vector_bytes(want, sizeof want, v, "envelope");
        size_t len;
        vector_bytes(k, 32, v, "key");
        vector_bytes(t, 16, v, "tag");
        assert_int_equal(vector_bytes(random, 24, v, "random"), 24);
        vector_bytes(want_id, 16, v, "id");
        assert_int_equal(
            yr_envelope_seal(env, sizeof env, &len, k, t, (uint32_t)vector_int(v, "exp"),
                             (enum yr_envelope_kind)vector_int(v, "kind"), body, body_len, &rng),
            YR_OK);
        assert_int_equal(len, want_len);
        assert_memory_equal(env, want, len);
        yr_envelope_id(id, env, len);
        assert_memory_equal(id, want_id, 16);
    }
    assert_int_equal(i, 5);
    json_decref(root);
}

static size_t seal_body(size_t body_len)
{
    struct seeded rnd;
    size_t len;

    seeded_init(&rnd, body_len);
    assert_int_equal(yr_envelope_seal(env, YR_ENVELOPE_MAX, &len, key, tag, exp_s, YR_ENV_MESSAGE,
                                      body, body_len, &rnd.rng),
                     YR_OK);
    return len;
}

static void every_size_goes_into_the_smallest_bucket_and_comes_back(void **state)
{
    enum yr_envelope_kind kind;
    const uint8_t *got;
    size_t got_len, n = 0;
    struct seeded rnd;

    seeded_init(&rnd, 1);
    yr_random(&rnd.rng, body, sizeof body);
    for (size_t size = YR_ENVELOPE_MIN; size <= YR_ENVELOPE_MAX; size *= 2) {
        const size_t most = size - YR_ENVELOPE_OVERHEAD;
        for (; n <= most; n += n + 40 < most ? 37 : 1) {
            // bodies that look like padding at their end
            body[n > 0 ? n - 1 : 0] = (uint8_t)(n % 3 == 0 ? 0 : n % 3 == 1 ? 0x80 : 0x41);
            assert_int_equal(seal_body(n), size);
            assert_int_equal(
                yr_envelope_open(key, env, size, plain, sizeof plain, &kind, &got, &got_len),
                YR_OK);
            assert_int_equal(kind, YR_ENV_MESSAGE);
            assert_int_equal(got_len, n);
            assert_memory_equal(got, body, n);
        }
    }
    assert_int_equal(n, YR_ENVELOPE_BODY_MAX + 1);
}

static void too_large_a_body_or_too_little_room_is_said(void **state)
{
    struct seeded rnd;
    size_t len = 7;

    seeded_init(&rnd, 1);
    assert_int_equal(yr_envelope_seal(env, sizeof env, &len, key, tag, exp_s, YR_ENV_MESSAGE, body,
                                      YR_ENVELOPE_BODY_MAX + 1, &rnd.rng),
                     YR_ESIZE);
    assert_int_equal(
        yr_envelope_seal(env, 511, &len, key, tag, exp_s, YR_ENV_MESSAGE, body, 300, &rnd.rng),
        YR_ESIZE);
    assert_int_equal(len, 7);
}

static void a_relay_reads_expiry_and_tag_and_nothing_else_is_in_the_clear(void **state)
{
    uint8_t got_tag[16];
    uint32_t got_exp;
    size_t len;

    memset(body, 'x', 100);
    len = seal_body(100);
    assert_int_equal(yr_envelope_peek(env, len, &got_exp, got_tag), YR_OK);
    assert_int_equal(got_exp, exp_s);
    assert_memory_equal(got_tag, tag, sizeof tag);
    assert_int_equal(yr_envelope_peek(env, len, NULL, NULL), YR_OK);
    assert_null(memmem(env, len, "xxxx", 4));
}

static void lengths_that_are_no_bucket_are_refused(void **state)
{
    memset(env, 0, sizeof env);
    env[0] = 1;
    for (size_t len = 0; len <= YR_ENVELOPE_MAX + 1; len++) {
        const bool bucket = len >= 256 && len <= YR_ENVELOPE_MAX && (len & (len - 1)) == 0;
        assert_int_equal(yr_envelope_peek(env, len, NULL, NULL), bucket ? YR_OK : YR_EPROTO);
    }
}

static void later_versions_flags_and_odd_expiries_are_told_apart(void **state)
{
    const size_t len = seal_body(10);

    env[0] = 2;
    assert_int_equal(yr_envelope_peek(env, len, NULL, NULL), YR_EVERSION);
    env[0] = 1;
    env[1] = 0x80;
    assert_int_equal(yr_envelope_peek(env, len, NULL, NULL), YR_EVERSION);
    env[1] = 0;
    for (size_t bit = 0; bit < 16; bit++) { // less than 6 h is no change of one expiry to another
        env[2 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(yr_envelope_peek(env, len, NULL, NULL), YR_EPROTO);
        env[2 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void every_flipped_bit_is_refused_and_the_buffer_stays(void **state)
{
    const size_t len = seal_body(50);
    enum yr_envelope_kind kind = YR_ENV_COVER;
    const uint8_t *got = body;
    size_t got_len = 3;

    memset(plain, 0xa5, sizeof plain);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        env[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(
            yr_envelope_open(key, env, len, plain, sizeof plain, &kind, &got, &got_len), YR_OK);
        env[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(
            yr_envelope_open(key, env, cut, plain, sizeof plain, &kind, &got, &got_len), YR_EPROTO);
    assert_int_equal(yr_envelope_open(key, env, len, plain, len - 63, &kind, &got, &got_len),
                     YR_ESIZE);
    for (size_t i = 0; i < sizeof plain; i++)
        assert_int_equal(plain[i], 0xa5);
    assert_true(kind == YR_ENV_COVER && got == body && got_len == 3);
    assert_int_equal(yr_envelope_open(key, env, len, plain, len - 62, &kind, &got, &got_len),
                     YR_OK);
}

// Seal a chosen plaintext as a lying friend could.
static enum yr_err open_forged(const uint8_t *inside)
{
    enum yr_envelope_kind kind;
    const uint8_t *got;
    size_t got_len;

    memset(env, 0, 46);
    env[0] = 1;
    yr_seal_x(env + 46, key, env + 22, env, 22, inside, 256 - 46 - 16);
    return yr_envelope_open(key, env, 256, plain, sizeof plain, &kind, &got, &got_len);
}

static void a_lying_friend_gets_an_error_and_no_more(void **state)
{
    uint8_t inside[256 - 46 - 16] = {0};

    assert_int_equal(open_forged(inside), YR_EPROTO); // no end mark
    inside[0] = YR_ENV_MESSAGE;
    assert_int_equal(open_forged(inside), YR_EPROTO);
    inside[193] = 0x40;
    assert_int_equal(open_forged(inside), YR_EPROTO);
    memset(inside, 0, sizeof inside);
    inside[0] = 0x80; // the mark where the kind should be
    assert_int_equal(open_forged(inside), YR_EPROTO);
    inside[1] = 0x80;
    for (unsigned kind = 0; kind < 256; kind++) {
        inside[0] = (uint8_t)kind;
        assert_int_equal(open_forged(inside),
                         kind >= YR_ENV_MESSAGE && kind <= YR_ENV_COVER ? YR_OK : YR_EVERSION);
    }
}

static void expiry_is_a_multiple_of_six_hours_and_never_past_fourteen_days(void **state)
{
    struct seeded rnd;

    seeded_init(&rnd, seeded_seed("envelope", 14));
    for (size_t i = 0; i < 10000; i++) {
        const uint64_t now = 1700000000 + seeded_u64(&rnd) % 100000000;
        const uint32_t exp = yr_envelope_exp(now);
        assert_int_equal(exp % YR_ENVELOPE_STEP_S, 0);
        assert_true(exp <= now + YR_ENVELOPE_DAYS * YR_DAY_S);
        assert_true(exp + YR_ENVELOPE_STEP_S > now + YR_ENVELOPE_DAYS * YR_DAY_S);
    }
    assert_int_equal(yr_envelope_exp(UINT64_MAX) % YR_ENVELOPE_STEP_S, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_seals_the_same_bytes),
        cmocka_unit_test(every_size_goes_into_the_smallest_bucket_and_comes_back),
        cmocka_unit_test(too_large_a_body_or_too_little_room_is_said),
        cmocka_unit_test(a_relay_reads_expiry_and_tag_and_nothing_else_is_in_the_clear),
        cmocka_unit_test(lengths_that_are_no_bucket_are_refused),
        cmocka_unit_test(later_versions_flags_and_odd_expiries_are_told_apart),
        cmocka_unit_test(every_flipped_bit_is_refused_and_the_buffer_stays),
        cmocka_unit_test(a_lying_friend_gets_an_error_and_no_more),
        cmocka_unit_test(expiry_is_a_multiple_of_six_hours_and_never_past_fourteen_days),
    };

    return cmocka_run_group_tests_name("envelope", tests, NULL, NULL);
}
