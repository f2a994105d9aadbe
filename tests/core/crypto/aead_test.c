#include "core/crypto/aead.h"
#include "tests/support/hex.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

static void packet_protection_gives_the_packet_of_rfc_9001(void **state)
{
    // RFC 9001, A.5: a short header packet under ChaCha20-Poly1305
    uint8_t key[32], nonce[12], ad[4], want[17], hp[32], out[17], back[1], mask[5];

    unhex(key, sizeof key, "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8");
    unhex(nonce, sizeof nonce, "e0459b3474bdd0e46d417eb0");
    unhex(ad, sizeof ad, "4200bff4");
    unhex(want, sizeof want, "655e5cd55c41f69080575d7999c25a5bfb");
    yr_seal_c(out, key, nonce, ad, sizeof ad, "\x01", 1);
    assert_memory_equal(out, want, sizeof want);
    assert_int_equal(yr_unseal_c(back, key, nonce, ad, sizeof ad, out, sizeof out), YR_OK);
    assert_int_equal(back[0], 1);

    unhex(hp, sizeof hp, "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4");
    yr_hp_mask(mask, hp, want + 1);
    assert_memory_equal(mask, "\xae\xfe\xfe\x7d\x03", 5);
}

static void random_nonce_sealing_is_xchacha20_poly1305(void **state)
{
    // draft-irtf-cfrg-xchacha-03, A.3.1
    static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                               "only one tip for the future, sunscreen would be it.";
    static const char sealed[] =
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
    uint8_t key[32], nonce[24], ad[12], out[sizeof text + 15], want[sizeof out], back[sizeof out];

    unhex(key, sizeof key, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    unhex(nonce, sizeof nonce, "404142434445464748494a4b4c4d4e4f5051525354555657");
    unhex(ad, sizeof ad, "50515253c0c1c2c3c4c5c6c7");
    assert_int_equal(unhex(want, sizeof want, sealed), sizeof want);
    yr_seal_x(out, key, nonce, ad, sizeof ad, text, sizeof text - 1);
    assert_memory_equal(out, want, sizeof want);
    assert_int_equal(yr_unseal_x(back, key, nonce, ad, sizeof ad, out, sizeof out), YR_OK);
    assert_memory_equal(back, text, sizeof text - 1);
}

enum { NONCE_X = 24, NONCE_C = 12 };

static void seal(size_t kind, uint8_t *dst, const uint8_t *key, const uint8_t *nonce,
                 const uint8_t *ad, size_t ad_len, const uint8_t *src, size_t len)
{
    if (kind == NONCE_X)
        yr_seal_x(dst, key, nonce, ad, ad_len, src, len);
    else
        yr_seal_c(dst, key, nonce, ad, ad_len, src, len);
}

static enum yr_err unseal(size_t kind, uint8_t *dst, const uint8_t *key, const uint8_t *nonce,
                          const uint8_t *ad, size_t ad_len, const uint8_t *src, size_t len)
{
    return kind == NONCE_X ? yr_unseal_x(dst, key, nonce, ad, ad_len, src, len)
                           : yr_unseal_c(dst, key, nonce, ad, ad_len, src, len);
}

static const size_t kinds[] = {NONCE_X, NONCE_C};

static void both_work_in_place_at_every_length(void **state)
{
    uint8_t key[32], nonce[24], src[130], apart[146], buf[146], back[130];
    struct seeded rnd;

    seeded_init(&rnd, 1);
    yr_random(&rnd.rng, key, sizeof key);
    yr_random(&rnd.rng, nonce, sizeof nonce);
    yr_random(&rnd.rng, src, sizeof src);
    for (size_t k = 0; k < YR_COUNT(kinds); k++) {
        for (size_t len = 0; len <= sizeof src; len++) {
            seal(kinds[k], apart, key, nonce, src, len % 7, src, len);
            memcpy(buf, src, len);
            seal(kinds[k], buf, key, nonce, src, len % 7, buf, len);
            assert_memory_equal(buf, apart, len + 16);
            assert_int_equal(unseal(kinds[k], back, key, nonce, src, len % 7, apart, len + 16),
                             YR_OK);
            assert_memory_equal(back, src, len);
            assert_int_equal(unseal(kinds[k], buf, key, nonce, src, len % 7, buf, len + 16), YR_OK);
            assert_memory_equal(buf, src, len);
        }
    }
}

static void a_flipped_bit_anywhere_is_refused_and_the_destination_stays(void **state)
{
    uint8_t key[32], nonce[24], ad[9], sealed[48], out[48], untouched[48];
    // what may be tampered with; only the first 12 bytes of the nonce count for AEAD_C
    struct {
        uint8_t *at;
        size_t len;
    } parts[] = {{key, sizeof key}, {nonce, sizeof nonce}, {ad, sizeof ad}, {sealed, 48}};
    struct seeded rnd;

    seeded_init(&rnd, 2);
    memset(untouched, 0xa5, sizeof untouched);
    for (size_t k = 0; k < YR_COUNT(kinds); k++) {
        yr_random(&rnd.rng, key, sizeof key);
        yr_random(&rnd.rng, nonce, sizeof nonce);
        yr_random(&rnd.rng, ad, sizeof ad);
        yr_random(&rnd.rng, sealed, sizeof sealed);
        parts[1].len = kinds[k];
        seal(kinds[k], sealed, key, nonce, ad, sizeof ad, sealed, 32);
        for (size_t p = 0; p < YR_COUNT(parts); p++) {
            for (size_t bit = 0; bit < 8 * parts[p].len; bit++) {
                parts[p].at[bit / 8] ^= (uint8_t)(1 << bit % 8);
                memset(out, 0xa5, sizeof out);
                assert_int_equal(unseal(kinds[k], out, key, nonce, ad, sizeof ad, sealed, 48),
                                 YR_EAUTH);
                assert_memory_equal(out, untouched, sizeof out);
                memcpy(out, sealed, sizeof out);
                assert_int_equal(unseal(kinds[k], out, key, nonce, ad, sizeof ad, out, 48),
                                 YR_EAUTH);
                assert_memory_equal(out, sealed, sizeof out);
                parts[p].at[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
        }
        for (size_t cut = 0; cut < 48; cut++)
            assert_int_equal(unseal(kinds[k], out, key, nonce, ad, sizeof ad, sealed, cut),
                             YR_EAUTH);
        assert_int_equal(unseal(kinds[k], out, key, nonce, ad, sizeof ad - 1, sealed, 48),
                         YR_EAUTH);
        assert_int_equal(unseal(kinds[k], out, key, nonce, ad, sizeof ad, sealed, 48), YR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packet_protection_gives_the_packet_of_rfc_9001),
        cmocka_unit_test(random_nonce_sealing_is_xchacha20_poly1305),
        cmocka_unit_test(both_work_in_place_at_every_length),
        cmocka_unit_test(a_flipped_bit_anywhere_is_refused_and_the_destination_stays),
    };

    return cmocka_run_group_tests_name("aead", tests, NULL, NULL);
}
