/* What stands between us and the others, from what they say: and one of them may lie. */
#include "tests/support/test.h"

#include "core/path/nat.h"

static uint64_t draws;

static void fill(void *ctx, void *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)((++draws * 2654435761u) >> 9);
}

static const struct yr_rng rng = {fill, NULL};

static struct yr_now at(uint64_t s)
{
    return (struct yr_now){.mono_us = s * YR_S, .wall_ms = 1767225600000LL + (yr_ms)s * 1000};
}

static struct yr_addr v4(uint8_t a, uint8_t d, uint16_t port)
{
    return (struct yr_addr){.family = 4, .ip = {a, 2, 3, d}, .port = port};
}

static void start(struct yr_nat *nat)
{
    const struct yr_addr own = {.family = 4, .ip = {192, 168, 1, 5}, .port = 7000};

    yr_nat_init(nat, &rng);
    yr_nat_moved(nat, &own, 1);
}

static void says(struct yr_nat *nat, uint8_t who, uint16_t who_port, uint16_t seen_port)
{
    const struct yr_addr from = v4(who, 1, who_port), seen = v4(99, 9, seen_port);

    yr_nat_seen(nat, at(1), &from, &seen);
}

static void three_networks_that_agree_make_an_independent_mapping(void **state)
{
    struct yr_nat nat;
    struct yr_addr out;

    start(&nat);
    says(&nat, 1, 10, 5000);
    says(&nat, 2, 10, 5000);
    assert_int_equal(yr_nat_mapping(&nat), YR_NAT_UNKNOWN);
    assert_true(yr_nat_outside(&nat, 4, &out));
    says(&nat, 2, 11, 5000); // the same network again: no news
    assert_int_equal(yr_nat_mapping(&nat), YR_NAT_UNKNOWN);
    says(&nat, 3, 10, 5000);
    assert_int_equal(yr_nat_mapping(&nat), YR_NAT_INDEPENDENT);
}

static void one_liar_changes_nothing(void **state)
{
    struct yr_nat nat;
    struct yr_addr out;

    start(&nat);
    for (uint8_t i = 1; i <= 3; i++)
        says(&nat, i, 10, 5000);
    for (uint16_t i = 0; i < 100; i++)
        says(&nat, 4, 10, (uint16_t)(6000 + i));
    assert_int_equal(yr_nat_mapping(&nat), YR_NAT_INDEPENDENT);
    assert_true(yr_nat_outside(&nat, 4, &out));
    assert_int_equal(out.port, 5000);
    for (uint16_t i = 0; i < 100; i++) // from all the ports of one network
        says(&nat, 4, i, 6666);
    assert_int_equal(yr_nat_mapping(&nat), YR_NAT_INDEPENDENT);
    assert_true(yr_nat_outside(&nat, 4, &out));
    assert_int_equal(out.port, 5000);
}

static void a_mapping_that_depends_is_told_from_one_that_does_not(void **state)
{
    struct yr_nat nat;
    struct yr_addr out;
    enum yr_own_source source;

    start(&nat);
    for (uint8_t i = 1; i <= 3; i++)
        says(&nat, i, 10, (uint16_t)(5000 + 100 * i));
    assert_int_equal(yr_nat_mapping(&nat), YR_NAT_PORT);
    says(&nat, 1, 11, 5100); // another port of one address sees the same
    assert_int_equal(yr_nat_mapping(&nat), YR_NAT_ADDRESS);
    // A place that is another one for each is not told.
    assert_true(yr_nat_own_at(&nat, at(1), 0, &out, &source));
    assert_int_equal(source, YR_OWN_INTERFACE);
    assert_false(yr_nat_own_at(&nat, at(1), 1, &out, &source));
}

static void who_is_seen_at_his_own_address_has_no_nat(void **state)
{
    const struct yr_addr own = v4(50, 5, 7000);
    struct yr_nat nat;

    yr_nat_init(&nat, &rng);
    yr_nat_moved(&nat, &own, 1);
    for (uint8_t i = 1; i <= 3; i++) {
        const struct yr_addr from = v4(i, 1, 10);
        yr_nat_seen(&nat, at(1), &from, &own);
    }
    assert_int_equal(yr_nat_mapping(&nat), YR_NAT_NONE);
}

static void a_box_that_starts_again_is_noticed_by_two(void **state)
{
    struct yr_nat nat;
    struct yr_addr out;

    start(&nat);
    for (uint8_t i = 1; i <= 5; i++)
        says(&nat, i, 10, 5000);
    for (uint8_t i = 1; i <= 2; i++) {
        const struct yr_addr from = v4(i, 1, 10), seen = v4(98, 9, 5000);
        yr_nat_seen(&nat, at(20), &from, &seen);
    }
    assert_true(yr_nat_outside(&nat, 4, &out));
    assert_int_equal(out.ip[0], 98);
}

static void ports_from_a_small_block_are_rationed(void **state)
{
    static const uint16_t drawn[] = {4003, 4050, 4011, 4030, 4001, 4062, 4020, 4044, 4009};
    struct yr_nat nat;

    start(&nat);
    for (uint8_t i = 0; i < YR_COUNT(drawn); i++)
        says(&nat, (uint8_t)(i + 1), 10, drawn[i]);
    assert_true(yr_nat_rationed(&nat));
    start(&nat);
    for (uint8_t i = 0; i < YR_COUNT(drawn); i++) // counts upwards, has all of them
        says(&nat, (uint8_t)(i + 1), 10, (uint16_t)(4000 + i));
    assert_false(yr_nat_rationed(&nat));
    start(&nat);
    for (uint8_t i = 0; i < YR_COUNT(drawn); i++)
        says(&nat, (uint8_t)(i + 1), 10, (uint16_t)(drawn[i] * 1301));
    assert_false(yr_nat_rationed(&nat));
    start(&nat);
    for (uint8_t i = 0; i < 3 * YR_COUNT(drawn); i++) // two of one network make it up
        says(&nat, i % 3 == 0 ? 2 : 1, i, drawn[i % YR_COUNT(drawn)]);
    assert_false(yr_nat_rationed(&nat));
}

static void who_comes_unasked_shows_the_filter(void **state)
{
    const struct yr_addr known = v4(1, 1, 10), port = v4(1, 1, 11), stranger = v4(2, 1, 10);
    struct yr_nat nat;

    start(&nat);
    yr_nat_sent(&nat, at(1), &known);
    yr_nat_heard(&nat, at(2), &known);
    assert_int_equal(yr_nat_filtering(&nat, at(2)), YR_NAT_UNKNOWN);
    for (int i = 0; i < YR_NAT_NETWORKS; i++)
        yr_nat_expect(&nat, at(3));
    assert_int_equal(yr_nat_reachable(&nat, at(4), 4), YR_UNKNOWN);
    assert_int_equal(yr_nat_filtering(&nat, at(20)), YR_NAT_PORT);
    assert_int_equal(yr_nat_reachable(&nat, at(20), 4), YR_NO);
    yr_nat_heard(&nat, at(21), &port);
    assert_int_equal(yr_nat_filtering(&nat, at(21)), YR_NAT_ADDRESS);
    yr_nat_heard(&nat, at(22), &stranger);
    assert_int_equal(yr_nat_filtering(&nat, at(22)), YR_NAT_INDEPENDENT);
    assert_int_equal(yr_nat_reachable(&nat, at(22), 4), YR_YES);
}

static void a_packet_to_ourselves_comes_back_or_not(void **state)
{
    struct yr_nat nat;
    struct yr_net_info info = {0};
    uint8_t packet[YR_PACKET_MAX];
    struct yr_addr to;

    for (int comes = 0; comes < 2; comes++) {
        start(&nat);
        assert_int_equal(yr_nat_poll(&nat, at(1), &to, packet, sizeof packet), 0);
        says(&nat, 1, 10, 5000);
        assert_int_equal(yr_nat_poll(&nat, at(1), &to, packet, sizeof packet), YR_HAIRPIN_LEN);
        assert_int_equal(to.port, 5000);
        says(&nat, 2, 10, 5000); // once is enough
        assert_int_equal(yr_nat_poll(&nat, at(1), &to, packet + 100, 200), 0);
        packet[50] ^= 1;
        assert_false(yr_nat_hairpin(&nat, at(2), packet, YR_HAIRPIN_LEN));
        packet[50] ^= 1;
        if (comes)
            assert_true(yr_nat_hairpin(&nat, at(2), packet, YR_HAIRPIN_LEN));
        yr_nat_tick(&nat, at(10));
        assert_false(yr_nat_hairpin(&nat, at(10), packet, YR_HAIRPIN_LEN));
        yr_nat_info(&nat, at(10), &info);
        assert_int_equal(info.hairpin, comes ? YR_YES : YR_NO);
    }
}

static bool told(const struct yr_nat *nat, struct yr_now now, const struct yr_addr *addr)
{
    enum yr_own_source source;
    struct yr_addr own;

    for (size_t i = 0; yr_nat_own_at(nat, now, i, &own, &source); i++)
        if (yr_addr_eq(&own, addr))
            return source == YR_OWN_MAPPED;
    return false;
}

static void a_mapping_is_told_only_while_somebody_comes_that_way(void **state)
{
    const struct yr_addr mapped = v4(99, 9, 7777), wrong = v4(99, 9, 7778);
    struct yr_nat nat;
    uint64_t version;

    start(&nat);
    yr_nat_mapped(&nat, &mapped);
    assert_false(told(&nat, at(1), &mapped));
    yr_nat_reached(&nat, at(2), &wrong);
    assert_false(told(&nat, at(2), &mapped));
    yr_nat_reached(&nat, at(3), &mapped);
    assert_true(told(&nat, at(3), &mapped));
    assert_int_equal(yr_nat_mapped_works(&nat, at(3)), YR_YES);
    assert_true(told(&nat, at(302), &mapped));
    version = nat.version;
    yr_nat_tick(&nat, at(304)); // the gateway has forgotten
    assert_false(told(&nat, at(304), &mapped));
    assert_true(nat.version > version);
    assert_int_equal(yr_nat_mapped_works(&nat, at(304)), YR_NO);
}

static void what_cannot_be_is_not_taken(void **state)
{
    const struct yr_addr good = v4(1, 1, 10), loop = {.family = 4, .ip = {127, 0, 0, 1}, .port = 1},
                         cast = {.family = 4, .ip = {224, 0, 0, 1}, .port = 1}, zero = v4(9, 9, 0),
                         via = {.family = YR_FAMILY_VIA, .port = 1},
                         six = {.family = 6, .ip = {0x20}, .port = 1}, none = {0};
    const struct yr_addr *all[] = {&loop, &cast, &zero, &via, &six, &none};
    struct yr_nat nat;
    struct yr_addr out;

    start(&nat);
    for (size_t i = 0; i < YR_COUNT(all); i++)
        yr_nat_seen(&nat, at(1), &good, all[i]);
    yr_nat_seen(&nat, at(1), &via, &good);
    assert_false(yr_nat_outside(&nat, 4, &out));
    assert_false(yr_nat_outside(&nat, 6, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_networks_that_agree_make_an_independent_mapping),
        cmocka_unit_test(one_liar_changes_nothing),
        cmocka_unit_test(a_mapping_that_depends_is_told_from_one_that_does_not),
        cmocka_unit_test(who_is_seen_at_his_own_address_has_no_nat),
        cmocka_unit_test(a_box_that_starts_again_is_noticed_by_two),
        cmocka_unit_test(ports_from_a_small_block_are_rationed),
        cmocka_unit_test(who_comes_unasked_shows_the_filter),
        cmocka_unit_test(a_packet_to_ourselves_comes_back_or_not),
        cmocka_unit_test(a_mapping_is_told_only_while_somebody_comes_that_way),
        cmocka_unit_test(what_cannot_be_is_not_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
