#include <glob.h>
#include <stdio.h>

#include "core/crypto/kdf.h"
#include "tests/support/hex.h"
#include "tests/support/test.h"

static void assert_hex(const uint8_t *got, const char *hex)
{
    uint8_t want[64];

    assert_memory_equal(got, want, unhex(want, sizeof want, hex));
}

static void it_is_the_keyed_blake2b_that_another_implementation_computes(void **state)
{
    uint8_t key[YR_KEY_LEN], ctx[64], out[64];

    for (size_t i = 0; i < sizeof ctx; i++)
        ctx[i] = (uint8_t)i;
    memcpy(key, ctx, sizeof key);
    // recorded from Python's hashlib.blake2b
    yr_kdf(out, 32, key, YR_LABEL_PAIR, NULL, 0);
    assert_hex(out, "a5500f77b12f271335cdfa2942ad7196225b7c28951f73bd2b14af5b6a5c9ea7");
    yr_kdf(out, 32, key, YR_LABEL_LINK_INIT, "\x01", 1);
    assert_hex(out, "e6895b3a28a99c4969151270449e76014e09293fd5b845ccfc360f29e5ccf41d");
    yr_kdf(out, 64, key, YR_LABEL_DR_ROOT, ctx, 64);
    assert_hex(out, "1ee47728809195c56da8d804dfe9c84b3676a94eb5142ba1241e3a950571adc0"
                    "d6f578af11b3188c0548b90748dc31a829825df10f2ba7beaab150484f16f778");
    yr_kdf(out, 8, key, YR_LABEL_RV_OFF, NULL, 0); // cut from 16
    assert_hex(out, "cd6bc1b5a5699fc5");
    yr_kdf(out, 16, key, YR_LABEL_TAG_VAL, NULL, 0);
    assert_hex(out, "2c8aeb3f3b52c93abdfc0f42db43815e");
}

static void no_two_labels_have_the_same_text(void **state)
{
    for (size_t a = 0; a < YR_LABEL_COUNT; a++) {
        assert_true(strlen(yr_label_text((enum yr_label)a)) > 0);
        assert_true(strlen("yaari/1/") + strlen(yr_label_text((enum yr_label)a)) <= UINT8_MAX);
        for (size_t b = 0; b < a; b++)
            assert_string_not_equal(yr_label_text((enum yr_label)a),
                                    yr_label_text((enum yr_label)b));
    }
}

// Does the word stand in the file?
static bool mentions(const char *path, const char *word)
{
    static char text[1 << 20];
    const size_t word_len = strlen(word);
    FILE *file = fopen(path, "r");
    size_t len;

    assert_non_null(file);
    len = fread(text, 1, sizeof text - 1, file);
    assert_true(len < sizeof text - 1);
    fclose(file);
    text[len] = '\0';
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += word_len)
        if (strspn(at + word_len, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == 0)
            return true;
    return false;
}

static void every_label_is_used(void **state)
{
    static const char *const words[] = {
#define X(name, text, key) "YR_LABEL_" #name,
        YR_LABEL_MAP(X)
#undef X
    };
    glob_t files;
    bool found;

    assert_int_equal(glob(YAARI_SOURCE_DIR "/core/*/*.c", 0, NULL, &files), 0);
    for (size_t label = 0; label < YR_COUNT(words); label++) {
        found = false;
        for (size_t i = 0; !found && i < files.gl_pathc; i++)
            found = mentions(files.gl_pathv[i], words[label]);
        if (!found)
            fail_msg("%s is used nowhere in core", words[label]);
    }
    globfree(&files);
}

static void a_label_and_a_context_never_run_into_another_label(void **state)
{
    const uint8_t key[YR_KEY_LEN] = {7};
    uint8_t one[32], other[32];
    size_t pairs = 0;

    for (size_t a = 0; a < YR_LABEL_COUNT; a++) {
        for (size_t b = 0; b < YR_LABEL_COUNT; b++) {
            const char *shorter = yr_label_text((enum yr_label)a);
            const char *longer = yr_label_text((enum yr_label)b);
            const size_t len = strlen(shorter);
            if (a == b || strncmp(shorter, longer, len) != 0)
                continue;
            yr_kdf(one, 32, key, (enum yr_label)a, longer + len, strlen(longer + len));
            yr_kdf(other, 32, key, (enum yr_label)b, NULL, 0);
            assert_memory_not_equal(one, other, 32);
            pairs++;
        }
    }
    assert_true(pairs > 0); // "pair" and "pair/next" at least
}

static void another_key_context_or_length_gives_another_output(void **state)
{
    uint8_t key[YR_KEY_LEN] = {1}, base[64], out[64];

    yr_kdf(base, 32, key, YR_LABEL_ENV, "\0", 1);
    yr_kdf(out, 32, key, YR_LABEL_ENV, "\1", 1);
    assert_memory_not_equal(out, base, 32);
    yr_kdf(out, 32, key, YR_LABEL_ENV, NULL, 0);
    assert_memory_not_equal(out, base, 32);
    yr_kdf(out, 32, key, YR_LABEL_ENV, "\0\0", 2);
    assert_memory_not_equal(out, base, 32);
    yr_kdf(out, 64, key, YR_LABEL_ENV, "\0", 1);
    assert_memory_not_equal(out, base, 32);
    key[31] ^= 1;
    yr_kdf(out, 32, key, YR_LABEL_ENV, "\0", 1);
    assert_memory_not_equal(out, base, 32);
}

static void hashes_are_blake2b_and_siphash_is_siphash_2_4(void **state)
{
    uint8_t key[32], msg[15], out[32];

    yr_hash(out, "abc", 3);
    assert_hex(out, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    yr_hash2(out, "a", 1, "bc", 2);
    assert_hex(out, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    yr_hash16(out, "abc", 3);
    assert_hex(out, "bddd813c634239723171ef3fee98579b");
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    memcpy(msg, key, sizeof msg);
    yr_mac16(out, key, "abc", 3); // recorded from Python's hashlib.blake2b
    assert_hex(out, "1a64be47e4729d951c302ee543f97cf3");
    yr_siphash(out, key, msg, sizeof msg); // the SipHash paper, appendix A
    assert_hex(out, "e545be4961ca29a1");
}

static void numbers_count_up_big_endian_and_wrap(void **state)
{
    uint8_t n[3] = {0, 0xff, 0xff};

    yr_increment_be(n, sizeof n);
    assert_memory_equal(n, "\x01\x00\x00", 3);
    yr_increment_be(n, sizeof n);
    assert_memory_equal(n, "\x01\x00\x01", 3);
    memset(n, 0xff, sizeof n);
    yr_increment_be(n, sizeof n);
    assert_memory_equal(n, "\x00\x00\x00", 3);
    yr_increment_be(n, 0);
}

static void equality_looks_at_every_byte(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    assert_true(yr_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        assert_false(yr_equal(a, b, sizeof a));
        b[i] ^= 0x80;
    }
    memset(a, 1, sizeof a);
    yr_wipe(a, sizeof a);
    assert_true(yr_equal(a, b, sizeof a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_keyed_blake2b_that_another_implementation_computes),
        cmocka_unit_test(no_two_labels_have_the_same_text),
        cmocka_unit_test(every_label_is_used),
        cmocka_unit_test(a_label_and_a_context_never_run_into_another_label),
        cmocka_unit_test(another_key_context_or_length_gives_another_output),
        cmocka_unit_test(hashes_are_blake2b_and_siphash_is_siphash_2_4),
        cmocka_unit_test(numbers_count_up_big_endian_and_wrap),
        cmocka_unit_test(equality_looks_at_every_byte),
    };

    return cmocka_run_group_tests_name("kdf", tests, NULL, NULL);
}
