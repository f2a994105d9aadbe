/* Two friends derive the same place and keys, and nobody else's word is taken there. */
#include "tests/support/test.h"

#include "core/dht/rendezvous.h"
#include "tests/support/seeded.h"

static const uint8_t pair[32] = {7};
static struct seeded s;
static struct yr_identity alice;

static struct yr_rendezvous derive(uint8_t dir, uint64_t epoch)
{
    struct yr_timekey t;
    struct yr_rendezvous rv;

    yr_timekey_first(&t, pair, 20000);
    assert_int_equal(yr_rendezvous_derive(&rv, &t, dir, epoch, 1000), YR_OK);
    return rv;
}

static struct yr_whereabouts full(uint8_t family)
{
    struct yr_whereabouts w = {.unix_s = 1800000000, .addr_count = 8, .relay_count = 3};

    for (size_t i = 0; i < 8; i++)
        w.addrs[i] = (struct yr_addr){.family = family, .ip = {32, 1, (uint8_t)i}, .port = 99};
    for (size_t i = 0; i < 3; i++) {
        w.relays[i].node.addr = w.addrs[i];
        w.relays[i].node.pk[0] = w.relays[i].id[0] = (uint8_t)i;
    }
    yr_cert_make(w.cert, &alice);
    return w;
}

static uint64_t epoch_now(void)
{
    return yr_rendezvous_epoch(20000ULL * 86400 + 40000, 1000);
}

static void both_friends_find_the_same_keys_and_each_epoch_and_direction_its_own(void **state)
{
    const struct yr_rendezvous a = derive(0, epoch_now()), b = derive(0, epoch_now());
    const struct yr_rendezvous back = derive(1, epoch_now()), next = derive(0, epoch_now() + 1);

    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(a.pk, back.pk, 32);
    assert_memory_not_equal(a.pk, next.pk, 32);
    assert_memory_not_equal(a.value_key, next.value_key, 32);
}

static void an_invite_has_keys_of_its_own_in_each_epoch(void **state)
{
    const uint8_t f_rv[32] = {1}, other[32] = {2};
    struct yr_rendezvous a, b;

    yr_rendezvous_invite(&a, f_rv, 7);
    yr_rendezvous_invite(&b, f_rv, 7);
    assert_memory_equal(&a, &b, sizeof a);
    yr_rendezvous_invite(&b, f_rv, 8);
    assert_memory_not_equal(a.pk, b.pk, 32);
    assert_memory_not_equal(a.value_key, b.value_key, 32);
    yr_rendezvous_invite(&b, other, 7);
    assert_memory_not_equal(a.pk, b.pk, 32);
    assert_memory_not_equal(a.value_key, b.value_key, 32);
}

static void an_epoch_begins_where_the_last_one_ends(void **state)
{
    for (uint32_t off = 0; off < 7200; off += 719) {
        const uint64_t e = yr_rendezvous_epoch(1800000000, off);
        const uint64_t start = yr_rendezvous_start(e, off);

        assert_true(start <= 1800000000 && 1800000000 < start + 7200);
        assert_int_equal(yr_rendezvous_epoch(start - 1, off), e - 1);
        assert_int_equal(yr_rendezvous_start(e + 1, off), start + 7200);
    }
}

static void forgotten_days_have_no_place(void **state)
{
    struct yr_timekey t;
    struct yr_rendezvous rv;

    yr_timekey_first(&t, pair, 20000);
    assert_int_equal(yr_rendezvous_derive(&rv, &t, 0, epoch_now() - 24, 1000), YR_ENOENT);
    assert_int_equal(yr_rendezvous_derive(&rv, &t, 0, UINT64_MAX / 7200, 1000), YR_ENOENT);
    assert_int_equal(yr_rendezvous_derive(&rv, &t, 0, 0, 1000), YR_ENOENT);
}

static void what_was_written_is_read(void **state)
{
    const struct yr_rendezvous rv = derive(0, epoch_now());
    const struct yr_whereabouts w = full(4);
    struct yr_whereabouts got;
    uint8_t rec[YR_DHT_RECORD_MAX];
    uint32_t seq = 0;
    const size_t len = yr_rendezvous_make(rec, &rv, &w, 3, 7200, &s.rng);

    assert_int_equal(len, YR_DHT_RECORD_MAX);
    assert_int_equal(yr_rendezvous_open(&got, &seq, &rv, rec, len), YR_OK);
    assert_int_equal(seq, 3);
    assert_memory_equal(&got, &w, sizeof w);
}

static void what_does_not_fit_is_a_relay_and_the_length_tells_nothing(void **state)
{
    const struct yr_rendezvous rv = derive(0, epoch_now());
    struct yr_whereabouts w = full(6), got;
    uint8_t rec[YR_DHT_RECORD_MAX];

    assert_int_equal(yr_rendezvous_make(rec, &rv, &w, 3, 7200, &s.rng), YR_DHT_RECORD_MAX);
    assert_int_equal(yr_rendezvous_open(&got, NULL, &rv, rec, sizeof rec), YR_OK);
    assert_int_equal(got.addr_count, 8);
    assert_int_equal(got.relay_count, 2);
    w.addr_count = w.relay_count = 0;
    assert_int_equal(yr_rendezvous_make(rec, &rv, &w, 3, 7200, &s.rng), YR_DHT_RECORD_MAX);
    assert_int_equal(yr_rendezvous_open(&got, NULL, &rv, rec, sizeof rec), YR_OK);
    assert_int_equal(got.addr_count, 0);
}

static void others_and_changed_records_are_refused_and_change_nothing(void **state)
{
    const struct yr_rendezvous rv = derive(0, epoch_now()), other = derive(1, epoch_now());
    const struct yr_whereabouts w = full(4);
    struct yr_whereabouts got, untouched;
    uint8_t rec[YR_DHT_RECORD_MAX], value[YR_DHT_VALUE_MAX] = {0};
    size_t len = yr_rendezvous_make(rec, &other, &w, 3, 7200, &s.rng);

    memset(&untouched, 0xa5, sizeof untouched);
    got = untouched;
    assert_int_equal(yr_rendezvous_open(&got, NULL, &rv, rec, len), YR_EAUTH);
    len = yr_dht_record_make(rec, rv.pk, rv.sign_sk, 3, 7200, value, sizeof value);
    assert_int_equal(yr_rendezvous_open(&got, NULL, &rv, rec, len), YR_EAUTH);
    len = yr_dht_record_make(rec, rv.pk, rv.sign_sk, 3, 7200, value, 100);
    assert_int_equal(yr_rendezvous_open(&got, NULL, &rv, rec, len), YR_EPROTO);
    len = yr_rendezvous_make(rec, &rv, &w, 3, 7200, &s.rng);
    for (size_t i = 0; i < len; i += 7) {
        rec[i] ^= 1;
        assert_int_not_equal(yr_rendezvous_open(&got, NULL, &rv, rec, len), YR_OK);
        rec[i] ^= 1;
    }
    assert_memory_equal(&got, &untouched, sizeof got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_friends_find_the_same_keys_and_each_epoch_and_direction_its_own),
        cmocka_unit_test(an_invite_has_keys_of_its_own_in_each_epoch),
        cmocka_unit_test(an_epoch_begins_where_the_last_one_ends),
        cmocka_unit_test(forgotten_days_have_no_place),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_does_not_fit_is_a_relay_and_the_length_tells_nothing),
        cmocka_unit_test(others_and_changed_records_are_refused_and_change_nothing),
    };

    seeded_init(&s, 9);
    yr_identity_new(&alice, &s.rng, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
