#include "core/crypto/identity.h"
#include "tests/support/hex.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

static void make(struct yr_identity *out, uint64_t seed)
{
    struct seeded rnd;

    seeded_init(&rnd, seed);
    yr_identity_new(out, &rnd.rng, 1700000000123);
}

static void an_identity_comes_back_from_its_stored_secrets(void **state)
{
    struct yr_identity id, again;

    make(&id, 1);
    yr_identity_from(&again, id.root, id.device.secret_key, id.gen, id.created_ms);
    assert_memory_equal(&again, &id, sizeof id);
    assert_int_equal(id.gen, 1);
    yr_identity_clear(&again);
    for (size_t i = 0; i < sizeof again; i++)
        assert_int_equal(((const uint8_t *)&again)[i], 0);
    yr_identity_clear(NULL);
}

static void two_identities_have_nothing_in_common(void **state)
{
    struct yr_identity a, b;

    make(&a, 1);
    make(&b, 2);
    assert_memory_not_equal(a.root, b.root, 32);
    assert_memory_not_equal(a.id, b.id, 32);
    assert_memory_not_equal(a.device.public_key, b.device.public_key, 32);
    assert_memory_not_equal(a.id, a.device.public_key, 32);
}

static void a_certificate_says_what_was_certified(void **state)
{
    struct yr_identity id;
    uint8_t cert[YR_CERT_LEN];
    struct yr_cert c;

    make(&id, 3);
    id.gen = 0x01020304;
    yr_cert_make(cert, &id);
    assert_memory_equal(cert, "\x01\x04\x03\x02\x01", 5);
    assert_int_equal(yr_cert_open(&c, cert), YR_OK);
    assert_int_equal(c.gen, id.gen);
    assert_int_equal(c.created_ms, 1700000000123);
    assert_int_equal(c.flags, 0);
    assert_memory_equal(c.id, id.id, 32);
    assert_memory_equal(c.dev, id.device.public_key, 32);
}

static void every_flipped_bit_of_a_certificate_is_refused(void **state)
{
    struct yr_identity id;
    uint8_t cert[YR_CERT_LEN];
    struct yr_cert c, untouched;

    make(&id, 4);
    yr_cert_make(cert, &id);
    memset(&c, 0xa5, sizeof c);
    memset(&untouched, 0xa5, sizeof untouched);
    for (size_t bit = 0; bit < 8 * sizeof cert; bit++) {
        cert[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (bit < 8)
            assert_int_equal(yr_cert_open(&c, cert), YR_EVERSION);
        else
            assert_int_not_equal(yr_cert_open(&c, cert), YR_OK);
        assert_memory_equal(&c, &untouched, sizeof c);
        cert[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(yr_cert_open(&c, cert), YR_OK);
}

static void a_signed_certificate_of_impossible_values_is_refused(void **state)
{
    struct yr_identity id;
    uint8_t cert[YR_CERT_LEN];
    struct yr_cert c;

    make(&id, 5);
    id.gen = 0;
    yr_cert_make(cert, &id);
    assert_int_equal(yr_cert_open(&c, cert), YR_EPROTO);
    id.gen = 1;
    id.created_ms = -1;
    yr_cert_make(cert, &id);
    assert_int_equal(yr_cert_open(&c, cert), YR_EPROTO);
}

static void nobody_certifies_for_another_identity(void **state)
{
    struct yr_identity mine, other;
    uint8_t cert[YR_CERT_LEN];
    struct yr_cert c;

    make(&mine, 6);
    make(&other, 7);
    memcpy(mine.id, other.id, sizeof mine.id);
    yr_cert_make(cert, &mine);
    assert_int_equal(yr_cert_open(&c, cert), YR_EAUTH);
}

static void a_signature_holds_for_its_label_message_and_signer_only(void **state)
{
    struct yr_identity a, b;
    uint8_t sig[64];

    make(&a, 8);
    make(&b, 9);
    yr_sign(sig, a.sign_sk, "room", "hello", 5);
    assert_int_equal(yr_verify(sig, a.id, "room", "hello", 5), YR_OK);
    assert_int_equal(yr_verify(sig, a.id, "room/join", "hello", 5), YR_EAUTH);
    assert_int_equal(yr_verify(sig, a.id, "device", "hello", 5), YR_EAUTH);
    assert_int_equal(yr_verify(sig, a.id, "room", "hell", 4), YR_EAUTH);
    assert_int_equal(yr_verify(sig, b.id, "room", "hello", 5), YR_EAUTH);
}

static void a_fingerprint_is_the_same_on_both_sides_and_for_no_other_pair(void **state)
{
    uint8_t a[32], b[32];
    char one[YR_FINGERPRINT_LEN + 1], other[YR_FINGERPRINT_LEN + 1];

    memset(a, 1, sizeof a);
    memset(b, 2, sizeof b);
    yr_fingerprint(one, a, b);
    yr_fingerprint(other, b, a);
    assert_string_equal(one, other);
    assert_int_equal(strlen(one), YR_FINGERPRINT_LEN);
    // recorded from Python's hashlib.blake2b
    assert_string_equal(one, "23089 32611 45879 89355 52175 52796 21038 84076 09358 13143 30963 "
                             "49483");
    b[31] ^= 1;
    yr_fingerprint(other, a, b);
    assert_string_not_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identity_comes_back_from_its_stored_secrets),
        cmocka_unit_test(two_identities_have_nothing_in_common),
        cmocka_unit_test(a_certificate_says_what_was_certified),
        cmocka_unit_test(every_flipped_bit_of_a_certificate_is_refused),
        cmocka_unit_test(a_signed_certificate_of_impossible_values_is_refused),
        cmocka_unit_test(nobody_certifies_for_another_identity),
        cmocka_unit_test(a_signature_holds_for_its_label_message_and_signer_only),
        cmocka_unit_test(a_fingerprint_is_the_same_on_both_sides_and_for_no_other_pair),
    };

    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
