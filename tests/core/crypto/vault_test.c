#include "core/crypto/vault.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

static const struct yr_pwhash floor_cost = {3, 64ull << 20, {1, 2, 3}};

// Encode whatever `file` says, with a check that fits.
static size_t encoded(const struct yr_vault_file *file, uint8_t out[YR_VAULT_FILE_MAX])
{
    size_t len;

    yr_vault_encode(file, out, &len);
    return len;
}

// A vault under a passphrase without the slow hash: the key is what would come of it.
static void sealed_vault(struct yr_vault_file *file, uint8_t vk[32], uint8_t kek[32])
{
    struct seeded rnd;

    seeded_init(&rnd, 1);
    yr_random(&rnd.rng, kek, 32);
    yr_vault_make(file, vk, &floor_cost, kek, &rnd.rng);
}

static void a_vault_opens_with_its_passphrase_at_the_floor_and_no_other(void **state)
{
    uint8_t bytes[YR_VAULT_FILE_MAX], vk[32], got[32] = {0}, kek[32], wrong[32];
    struct yr_vault_file file, read;
    struct seeded rnd;

    seeded_init(&rnd, 2);
    assert_int_equal(yr_vault_kek(kek, &floor_cost, "correct horse", 13), YR_OK);
    yr_vault_make(&file, vk, &floor_cost, kek, &rnd.rng);
    assert_int_equal(yr_vault_decode(&read, bytes, encoded(&file, bytes)), YR_OK);
    assert_true(read.has_passphrase);
    assert_int_equal(read.pwhash.ops, 3);
    assert_true(read.pwhash.mem_bytes == 64ull << 20);

    assert_int_equal(yr_vault_unlock(got, &read, NULL), YR_ELOCKED);
    assert_int_equal(yr_vault_kek(wrong, &read.pwhash, "correct horsf", 13), YR_OK);
    assert_int_equal(yr_vault_unlock(got, &read, wrong), YR_EAUTH);
    for (size_t i = 0; i < sizeof got; i++)
        assert_int_equal(got[i], 0);
    assert_int_equal(yr_vault_unlock(got, &read, kek), YR_OK);
    assert_memory_equal(got, vk, sizeof vk);
}

static void a_vault_without_passphrase_needs_none(void **state)
{
    uint8_t bytes[YR_VAULT_FILE_MAX], vk[32], got[32];
    struct yr_vault_file file, read;
    struct seeded rnd;

    seeded_init(&rnd, 3);
    yr_vault_make(&file, vk, NULL, NULL, &rnd.rng);
    assert_int_equal(yr_vault_decode(&read, bytes, encoded(&file, bytes)), YR_OK);
    assert_false(read.has_passphrase);
    assert_int_equal(yr_vault_unlock(got, &read, NULL), YR_OK);
    assert_memory_equal(got, vk, sizeof vk);
}

static void a_sealed_vault_does_not_hold_its_key(void **state)
{
    uint8_t bytes[YR_VAULT_FILE_MAX], vk[32], kek[32];
    struct yr_vault_file file;
    size_t len;

    sealed_vault(&file, vk, kek);
    len = encoded(&file, bytes);
    assert_null(memmem(bytes, len, vk, 8));
    assert_null(memmem(bytes, len, kek, 8));
}

static void costs_below_the_floor_or_beyond_reason_are_refused(void **state)
{
    static const struct yr_pwhash bad[] = {
        {2, 64ull << 20, {0}},       {0, 64ull << 20, {0}},
        {3, (64ull << 20) - 1, {0}}, {3, 0, {0}},
        {65, 64ull << 20, {0}},      {UINT32_MAX, 64ull << 20, {0}},
        {3, (4ull << 30) + 1, {0}},  {3, UINT64_MAX, {0}}};
    uint8_t bytes[YR_VAULT_FILE_MAX], vk[32], kek[32];
    struct yr_vault_file file, read, untouched;

    sealed_vault(&file, vk, kek);
    memset(&read, 0xa5, sizeof read);
    memset(&untouched, 0xa5, sizeof untouched);
    for (size_t i = 0; i < YR_COUNT(bad); i++) {
        file.pwhash = bad[i];
        assert_int_equal(yr_vault_decode(&read, bytes, encoded(&file, bytes)), YR_EINVAL);
        assert_memory_equal(&read, &untouched, sizeof read);
    }
}

static void changed_costs_do_not_open_the_vault(void **state)
{
    uint8_t vk[32], kek[32], got[32];
    struct yr_vault_file file;

    sealed_vault(&file, vk, kek);
    file.pwhash.ops = 4; // they are sealed with the key
    assert_int_equal(yr_vault_unlock(got, &file, kek), YR_EAUTH);
}

static void every_truncation_flipped_bit_and_byte_too_much_is_refused(void **state)
{
    uint8_t bytes[YR_VAULT_FILE_MAX + 1], vk[32], kek[32];
    struct yr_vault_file files[2], read, untouched;
    struct seeded rnd;

    seeded_init(&rnd, 4);
    sealed_vault(&files[0], vk, kek);
    yr_vault_make(&files[1], vk, NULL, NULL, &rnd.rng);
    memset(&read, 0xa5, sizeof read);
    memset(&untouched, 0xa5, sizeof untouched);
    for (size_t i = 0; i < YR_COUNT(files); i++) {
        const size_t len = encoded(&files[i], bytes);
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(yr_vault_decode(&read, bytes, cut), YR_EPROTO);
        bytes[len] = 0;
        assert_int_equal(yr_vault_decode(&read, bytes, len + 1), YR_EPROTO);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(yr_vault_decode(&read, bytes, len), YR_OK);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_memory_equal(&read, &untouched, sizeof read);
        bytes[8]++;
        assert_int_equal(yr_vault_decode(&read, bytes, len), YR_EVERSION);
    }
}

static void a_shred_slot_opens_under_its_vault_key_only(void **state)
{
    uint8_t slot[YR_SHRED_SLOT_LEN], vk[32] = {1}, other[32] = {2}, sk[32], got[32];
    struct seeded rnd;
    uint64_t gen = 0;

    seeded_init(&rnd, 5);
    yr_random(&rnd.rng, sk, sizeof sk);
    yr_shred_encode(slot, 0x0102030405060708, sk, vk, &rnd.rng);
    assert_int_equal(yr_shred_decode(&gen, got, slot, vk), YR_OK);
    assert_true(gen == 0x0102030405060708);
    assert_memory_equal(got, sk, sizeof sk);
    gen = 0;
    memset(got, 0xa5, sizeof got);
    assert_int_equal(yr_shred_decode(&gen, got, slot, other), YR_EAUTH);
    assert_int_equal(gen, 0);
    assert_int_equal(got[0], 0xa5);
}

static void every_flipped_bit_of_a_shred_slot_is_refused(void **state)
{
    uint8_t slot[YR_SHRED_SLOT_LEN], vk[32] = {1}, sk[32] = {3}, got[32];
    struct seeded rnd;
    uint64_t gen;

    seeded_init(&rnd, 6);
    yr_shred_encode(slot, 7, sk, vk, &rnd.rng);
    for (size_t bit = 0; bit < 8 * sizeof slot; bit++) {
        slot[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(yr_shred_decode(&gen, got, slot, vk), YR_EAUTH);
        slot[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    yr_random(&rnd.rng, slot, sizeof slot); // as rotation leaves it
    assert_int_equal(yr_shred_decode(&gen, got, slot, vk), YR_EAUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vault_opens_with_its_passphrase_at_the_floor_and_no_other),
        cmocka_unit_test(a_vault_without_passphrase_needs_none),
        cmocka_unit_test(a_sealed_vault_does_not_hold_its_key),
        cmocka_unit_test(costs_below_the_floor_or_beyond_reason_are_refused),
        cmocka_unit_test(changed_costs_do_not_open_the_vault),
        cmocka_unit_test(every_truncation_flipped_bit_and_byte_too_much_is_refused),
        cmocka_unit_test(a_shred_slot_opens_under_its_vault_key_only),
        cmocka_unit_test(every_flipped_bit_of_a_shred_slot_is_refused),
    };

    return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
