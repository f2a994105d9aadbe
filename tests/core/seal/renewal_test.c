#include "core/seal/renewal.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

struct two {
    struct yr_identity a, b;
    struct yr_pair of_a, of_b; /* of_a: a's own */
    struct seeded seed;
};

static void meet(struct two *t)
{
    static const uint8_t secret[32] = {7};

    seeded_init(&t->seed, 1);
    yr_identity_new(&t->a, &t->seed.rng, 1000);
    yr_identity_new(&t->b, &t->seed.rng, 1000);
    yr_pair_derive(&t->of_a, 0, secret, t->a.id, t->b.id);
    yr_pair_derive(&t->of_b, 0, secret, t->b.id, t->a.id);
}

static void a_certificate_reaches_the_friend_and_nobody_else(void **state)
{
    struct yr_renewal in = {.ms = 12345}, out;
    uint8_t packet[YR_RENEWAL_LEN];
    struct two t;

    meet(&t);
    yr_cert_make(in.cert, &t.a);
    yr_renewal_seal(packet, &t.of_a, &in, &t.seed.rng);
    assert_true(yr_renewal_is(&t.of_b, packet, sizeof packet));
    assert_int_equal(yr_renewal_open(&out, &t.of_b, packet, sizeof packet), YR_OK);
    assert_int_equal(out.ms, in.ms);
    assert_memory_equal(out.cert, in.cert, sizeof in.cert);
    assert_false(yr_renewal_is(&t.of_a, packet, sizeof packet)); // sent back
    assert_int_equal(yr_renewal_open(&out, &t.of_a, packet, sizeof packet), YR_EAUTH);
    for (size_t i = 0; i < sizeof packet; i++) {
        packet[i] ^= 1;
        assert_int_not_equal(yr_renewal_open(&out, &t.of_b, packet, sizeof packet), YR_OK);
        packet[i] ^= 1;
    }
    for (size_t len = 0; len < sizeof packet; len++) {
        assert_false(yr_renewal_is(&t.of_b, packet, len));
        assert_int_equal(yr_renewal_open(&out, &t.of_b, packet, len), YR_EPROTO);
    }
}

static void the_body_of_an_envelope_round_trips_and_no_other_length_is_one(void **state)
{
    struct yr_prekey prekey = {.id = 9, .exp_s = 77}, got;
    uint8_t body[YR_RENEWAL_BODY + 1], cert[YR_CERT_LEN], back[YR_CERT_LEN];
    struct two t;

    meet(&t);
    yr_cert_make(cert, &t.a);
    memset(prekey.pk, 3, sizeof prekey.pk);
    yr_renewal_body(body, cert, &prekey);
    assert_int_equal(yr_renewal_body_decode(back, &got, body, YR_RENEWAL_BODY), YR_OK);
    assert_memory_equal(back, cert, sizeof cert);
    assert_int_equal(got.id, 9);
    assert_int_equal(got.exp_s, 77);
    assert_memory_equal(got.pk, prekey.pk, 32);
    for (size_t len = 0; len <= sizeof body; len++)
        if (len != YR_RENEWAL_BODY)
            assert_int_equal(yr_renewal_body_decode(back, &got, body, len), YR_EPROTO);
}

static void of_two_certificates_all_agree_which_is_newer(void **state)
{
    const struct yr_cert old = {.gen = 1, .created_ms = 9, .dev = {9}};
    const struct yr_cert gen = {.gen = 2, .created_ms = 1, .dev = {1}};
    const struct yr_cert later = {.gen = 2, .created_ms = 2, .dev = {1}};
    const struct yr_cert larger = {.gen = 2, .created_ms = 2, .dev = {2}};
    const struct yr_cert *rising[] = {&old, &gen, &later, &larger};

    for (size_t i = 0; i < YR_COUNT(rising); i++)
        for (size_t k = 0; k < YR_COUNT(rising); k++)
            assert_int_equal(yr_cert_newer(rising[i], rising[k]), i > k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_reaches_the_friend_and_nobody_else),
        cmocka_unit_test(the_body_of_an_envelope_round_trips_and_no_other_length_is_one),
        cmocka_unit_test(of_two_certificates_all_agree_which_is_newer),
    };

    return cmocka_run_group_tests_name("renewal", tests, NULL, NULL);
}
