/* Offers as bytes, and sealed. */
#include "tests/support/test.h"

#include "core/path/punch.h"

static uint64_t draws;

static void fill(void *ctx, void *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)((++draws * 2654435761u) >> 9);
}

static const struct yr_rng rng = {fill, NULL};

static struct yr_addr addr(unsigned i)
{
    struct yr_addr a = {.family = i % 2 == 0 ? 4 : 6, .port = (uint16_t)(i + 1)};

    memset(a.ip, (int)(i + 30), i % 2 == 0 ? 4 : 16);
    return a;
}

static struct yr_offer sample(size_t addrs, size_t relays, size_t signals)
{
    struct yr_offer o;

    memset(&o, 0, sizeof o);
    o.ms = 0x0102030405060708;
    memset(o.random, 9, sizeof o.random);
    o.flags = YR_OFFER_ANSWER | YR_OFFER_MANY;
    o.mapping = YR_NAT_PORT;
    o.filtering = YR_NAT_ADDRESS;
    if (addrs > 0)
        o.seen = addr(3);
    for (o.addr_count = 0; o.addr_count < addrs; o.addr_count++) {
        o.addrs[o.addr_count].addr = addr((unsigned)o.addr_count);
        o.addrs[o.addr_count].unsure = o.addr_count % 3 == 0;
    }
    for (; o.relay_count < relays; o.relay_count++)
        memset(o.relays[o.relay_count], (int)o.relay_count, sizeof o.relays[0]);
    for (; o.signal_count < signals; o.signal_count++) {
        o.signals[o.signal_count].node.addr = addr((unsigned)o.signal_count + 1);
        memset(o.signals[o.signal_count].node.pk, 5, 32);
        memset(o.signals[o.signal_count].id, 6, sizeof o.signals[0].id);
    }
    return o;
}

static void what_is_encoded_comes_out(void **state)
{
    uint8_t bytes[YR_OFFER_MAX];

    for (size_t n = 0; n <= YR_OWN_ADDRS_MAX; n++) {
        const struct yr_offer in =
            sample(n, n % (YR_OFFER_RELAYS_MAX + 1), n % (YR_RV_RELAYS_MAX + 1));
        const size_t len = yr_offer_encode(bytes, &in, YR_OWN_ADDRS_MAX);
        struct yr_offer out;
        assert_int_equal(yr_offer_decode(&out, bytes, len), YR_OK);
        assert_memory_equal(&out, &in, sizeof in);
    }
}

static void every_cut_and_every_addition_is_refused(void **state)
{
    const struct yr_offer in = sample(YR_OWN_ADDRS_MAX, YR_OFFER_RELAYS_MAX, YR_RV_RELAYS_MAX);
    uint8_t bytes[YR_OFFER_MAX + 1] = {0};
    const size_t len = yr_offer_encode(bytes, &in, YR_OWN_ADDRS_MAX);
    struct yr_offer out, untouched;

    memset(&untouched, 0xa5, sizeof untouched);
    for (size_t cut = 0; cut < len; cut++) {
        out = untouched;
        assert_int_equal(yr_offer_decode(&out, bytes, cut), YR_EPROTO);
        assert_memory_equal(&out, &untouched, sizeof out);
    }
    assert_int_equal(yr_offer_decode(&out, bytes, len + 1), YR_EPROTO);
}

static void more_than_there_may_be_is_refused(void **state)
{
    const struct yr_offer in = sample(0, 0, 0);
    uint8_t bytes[YR_OFFER_MAX];
    const size_t len = yr_offer_encode(bytes, &in, 0);
    struct yr_offer out;

    assert_int_equal(len, 8 + 16 + 1 + 1 + 1 + 1 + 1 + 1);
    for (size_t at = len - 3; at < len; at++) { // the three counts
        bytes[at] = 200;
        assert_int_equal(yr_offer_decode(&out, bytes, len), YR_EPROTO);
        bytes[at] = 0;
    }
    bytes[25] = YR_NAT_PORT + 1;
    assert_int_equal(yr_offer_decode(&out, bytes, len), YR_EPROTO);
}

static void pairs(struct yr_pair *a, struct yr_pair *b, uint8_t secret)
{
    const uint8_t s[32] = {secret}, low[32] = {1}, high[32] = {2};

    yr_pair_derive(a, 0, s, low, high);
    yr_pair_derive(b, 0, s, high, low);
}

static void a_signal_opens_for_the_friend_only_and_says_nothing_by_its_size(void **state)
{
    struct yr_pair a, b, c, d;
    struct yr_offer in = sample(YR_OWN_ADDRS_MAX, YR_OFFER_RELAYS_MAX, YR_RV_RELAYS_MAX), out;
    uint8_t bytes[YR_SIGNAL_BYTES];

    pairs(&a, &b, 1);
    pairs(&c, &d, 2);
    yr_signal_seal(bytes, &a, &in, &rng);
    assert_true(yr_signal_is(&b, bytes));
    assert_false(yr_signal_is(&d, bytes));
    assert_false(yr_signal_is(&a, bytes)); // not for who wrote it
    assert_int_equal(yr_signal_open(&out, &b, bytes, sizeof bytes), YR_OK);
    assert_int_equal(out.addr_count, YR_SIGNAL_ADDRS_MAX);
    assert_int_equal(out.signal_count, YR_RV_RELAYS_MAX);
    assert_true(out.ms == in.ms);
    assert_int_equal(yr_signal_open(&out, &d, bytes, sizeof bytes), YR_EAUTH);
    assert_int_equal(yr_signal_open(&out, &a, bytes, sizeof bytes), YR_EAUTH);
    assert_int_equal(yr_signal_open(&out, &b, bytes, sizeof bytes - 1), YR_EPROTO);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 1;
        assert_int_not_equal(yr_signal_open(&out, &b, bytes, sizeof bytes), YR_OK);
        bytes[i] ^= 1;
    }
}

static void rounds_follow_each_other_and_tries_grow_rare(void **state)
{
    for (unsigned i = 1; i < YR_PUNCH_ROUNDS; i++)
        assert_true(yr_punch_round(i) > yr_punch_round(i - 1));
    assert_int_equal(yr_punch_round(0), 0);
    assert_int_equal(yr_punch_retry(2), 60 * YR_S); // after the third
    assert_int_equal(yr_punch_retry(3), 300 * YR_S);
    assert_int_equal(yr_punch_retry(4), 1800 * YR_S);
    assert_int_equal(yr_punch_retry(400), 1800 * YR_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_comes_out),
        cmocka_unit_test(every_cut_and_every_addition_is_refused),
        cmocka_unit_test(more_than_there_may_be_is_refused),
        cmocka_unit_test(a_signal_opens_for_the_friend_only_and_says_nothing_by_its_size),
        cmocka_unit_test(rounds_follow_each_other_and_tries_grow_rare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
