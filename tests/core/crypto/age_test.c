#include "core/crypto/age.h"
#include "tests/support/hex.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

#define PASS   "correct horse"
#define LOG_N  4 // fast
#define CHUNKS 3

/* A file in one piece. */
struct file {
    uint8_t bytes[YR_AGE_HEAD_MAX + CHUNKS * (YR_AGE_CHUNK + YR_AGE_OVERHEAD)];
    size_t len, head;
};

static void write_file(struct file *f, const uint8_t *plain, size_t len)
{
    struct seeded rnd;
    struct yr_age age;
    size_t at = 0;

    seeded_init(&rnd, 1);
    assert_int_equal(
        yr_age_seal_begin(&age, f->bytes, &f->head, PASS, strlen(PASS), LOG_N, &rnd.rng), YR_OK);
    f->len = f->head;
    do {
        const size_t n = YR_MIN(len - at, (size_t)YR_AGE_CHUNK);
        yr_age_seal_chunk(&age, f->bytes + f->len, plain + at, n, at + n == len);
        f->len += n + YR_AGE_OVERHEAD;
        at += n;
    } while (at < len);
}

// As a reader of a file does: a chunk is the last one if nothing comes after it.
static enum yr_err read_file(const uint8_t *src, size_t len, const char *pass, uint8_t *out,
                             size_t *out_len)
{
    struct yr_age age;
    size_t at;
    enum yr_err err = yr_age_open_begin(&age, src, len, &at, pass, strlen(pass));

    *out_len = 0;
    if (err != YR_OK)
        return err;
    do {
        const size_t n = YR_MIN(len - at, (size_t)YR_AGE_CHUNK + YR_AGE_OVERHEAD);
        if ((err = yr_age_open_chunk(&age, out + *out_len, src + at, n, at + n == len)) != YR_OK)
            return err;
        *out_len += n - YR_AGE_OVERHEAD;
        at += n;
    } while (at < len);
    return YR_OK;
}

static uint8_t plain[CHUNKS * YR_AGE_CHUNK], got[sizeof plain];
static struct file file;

static void what_is_written_is_read(void **state)
{
    static const size_t lens[] = {
        0, 1, 100, 65535, 65536, 65537, (CHUNKS - 1) * YR_AGE_CHUNK + 5, CHUNKS * YR_AGE_CHUNK};
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 31 + i / 251);
    for (size_t i = 0; i < YR_COUNT(lens); i++) {
        write_file(&file, plain, lens[i]);
        assert_int_equal(read_file(file.bytes, file.len, PASS, got, &len), YR_OK);
        assert_int_equal(len, lens[i]);
        assert_memory_equal(got, plain, len);
    }
}

// Made by age 1.1.1: printf 'do not lose this' | age -p
static void a_file_of_age_itself_is_read(void **state)
{
    static const char text[] =
        "6167652d656e6372797074696f6e2e6f72672f76310a2d3e2073637279707420414e6d742f6844417742423275"
        "4a556f6d577a6a77672031380a46775a7a5a336d6b5958522f422f4c7762667156704537795670615346425964"
        "476d6a5a58562f5467764d0a2d2d2d204b5a6364635137573436724b386256446d303831686466457842486876"
        "3544456632366e377535763951380ab44806f009c6ca213481845dbc0060620d14de07bab6f5019d76eaa3b914"
        "f60a0a75a8fc52a731c352299fac37c471fc";
    uint8_t bytes[512];
    const size_t n = unhex(bytes, sizeof bytes, text);
    size_t len;

    (void)state;
    assert_int_equal(read_file(bytes, n, PASS, got, &len), YR_OK);
    assert_int_equal(len, 16);
    assert_memory_equal(got, "do not lose this", 16);
}

static void another_passphrase_opens_nothing(void **state)
{
    size_t len;

    (void)state;
    write_file(&file, plain, 10);
    assert_int_equal(read_file(file.bytes, file.len, "correct horsf", got, &len), YR_EAUTH);
    assert_int_equal(read_file(file.bytes, file.len, "", got, &len), YR_EAUTH);
}

static void no_bit_of_a_file_may_differ(void **state)
{
    size_t len;

    (void)state;
    write_file(&file, plain, 10);
    for (size_t bit = 0; bit < 8 * file.len; bit++) {
        file.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(read_file(file.bytes, file.len, PASS, got, &len), YR_OK);
        file.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void a_file_that_was_cut_off_is_not_taken_for_whole(void **state)
{
    const size_t chunk = YR_AGE_CHUNK + YR_AGE_OVERHEAD;
    struct yr_age age;
    size_t len, used;

    (void)state;
    write_file(&file, plain, 2 * YR_AGE_CHUNK + 10);
    for (size_t n = 0; n < file.head; n++)
        assert_int_equal(yr_age_open_begin(&age, file.bytes, n, &used, PASS, strlen(PASS)),
                         YR_EAGAIN);
    assert_int_not_equal(read_file(file.bytes, file.len - 1, PASS, got, &len), YR_OK);
    assert_int_not_equal(read_file(file.bytes, file.head + 2 * chunk, PASS, got, &len), YR_OK);
    assert_int_not_equal(read_file(file.bytes, file.head + chunk, PASS, got, &len), YR_OK);
    assert_int_not_equal(read_file(file.bytes, file.head, PASS, got, &len), YR_OK);
}

static void chunks_have_their_order(void **state)
{
    const size_t chunk = YR_AGE_CHUNK + YR_AGE_OVERHEAD;
    struct yr_age age;
    size_t used;

    (void)state;
    write_file(&file, plain, 2 * YR_AGE_CHUNK + 10);
    assert_int_equal(yr_age_open_begin(&age, file.bytes, file.len, &used, PASS, strlen(PASS)),
                     YR_OK);
    assert_int_equal(used, file.head);
    assert_int_equal(yr_age_open_chunk(&age, got, file.bytes + used + chunk, chunk, false),
                     YR_EAUTH);
    // After a chunk that does not open nothing does.
    assert_int_equal(yr_age_open_chunk(&age, got, file.bytes + used, chunk, false), YR_EPROTO);
}

static void files_for_others_are_told_apart(void **state)
{
    static const char keys[] =
        "age-encryption.org/v1\n-> X25519 "
        "TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\nEmECAEcKN+n/Vs9SbWiV+"
        "Hu0r+E8R77DdWYyd83nw7U\n--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n";
    static const char deep[] = "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 23\n"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- "
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef";
    uint8_t bytes[YR_AGE_FILE_HEAD_MAX] = "PK";
    struct yr_age age;
    size_t used;

    (void)state;
    assert_int_equal(yr_age_open_begin(&age, (const uint8_t *)keys, strlen(keys), &used, "x", 1),
                     YR_EVERSION);
    assert_int_equal(yr_age_open_begin(&age, (const uint8_t *)deep, strlen(deep), &used, "x", 1),
                     YR_ESIZE);
    assert_int_equal(yr_age_open_begin(&age, bytes, sizeof bytes, &used, "x", 1), YR_EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_file_of_age_itself_is_read),
        cmocka_unit_test(another_passphrase_opens_nothing),
        cmocka_unit_test(no_bit_of_a_file_may_differ),
        cmocka_unit_test(a_file_that_was_cut_off_is_not_taken_for_whole),
        cmocka_unit_test(chunks_have_their_order),
        cmocka_unit_test(files_for_others_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
