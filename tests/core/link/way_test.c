/* The way of a link below QUIC: circuits and UDP addresses, who moves it, when it is in doubt, how
 * long it may be quiet. */
#include "tests/core/link/world.h"

static struct yr_addr addr_of(const struct world_end *end)
{
    return active_conn(end, 1 - end->index)->addr;
}

static void a_link_comes_up_through_a_circuit_in_small_packets(void **state)
{
    const struct yr_addr via = world_via(1);
    struct world w;

    world_init(&w, 60, 2);
    w.cut_direct = true;
    assert_int_equal(yr_links_dial(w.ends[0].links, 1, &via, false, w.now), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    world_run(&w, NULL, YR_S);
    w.via_len = 0;
    say_everywhere(&w, 30);
    assert_true(world_run(&w, talk_done, 60 * YR_S));
    world_run(&w, NULL, 10 * YR_S);
    assert_true(w.via_len > 1100 && w.via_len <= YR_LINK_VIA_MAX);
    assert_int_equal(w.direct_count, 0);
    assert_true(one_link(&w));
    world_free(&w);
}

static void a_dial_to_another_address_takes_the_place_of_one_that_is_out(void **state)
{
    const struct yr_addr nowhere = world_addr(99, 9);
    struct world w;

    world_init(&w, 59, 2);
    assert_int_equal(yr_links_dial(w.ends[0].links, 1, &nowhere, false, w.now), YR_OK);
    world_run(&w, NULL, YR_S);
    assert_int_equal(yr_links_dial(w.ends[0].links, 1, &nowhere, false, w.now), YR_EAGAIN);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, both_up, 500 * YR_MS));
    assert_int_equal(world_dial(&w, 0, 1, false), YR_EAGAIN);
    assert_int_equal(yr_links_dial(w.ends[0].links, 1, &nowhere, false, w.now), YR_EAGAIN);
    world_run(&w, NULL, 20 * YR_S);
    assert_int_equal(w.ends[0].failures, 0);
    assert_true(one_link(&w));
    world_free(&w);
}

static void the_owner_moves_a_link_and_nothing_is_lost(void **state)
{
    const struct yr_addr to[2] = {world_via(1), world_via(0)};
    struct world w;

    connect_ends(&w, 61);
    say_everywhere(&w, 10);
    world_run(&w, NULL, 30 * YR_MS);
    w.cut_direct = true;
    world_run(&w, NULL, 1200 * YR_MS); // what was on its way is in
    assert_int_equal(w.ends[0].doubts + w.ends[1].doubts, 2);
    for (unsigned i = 0; i < 2; i++)
        yr_links_move(w.ends[i].links, 1 - i, &to[i], w.now);
    assert_true(world_run(&w, talk_done, 20 * YR_S));
    assert_true(yr_addr_eq(&w.ends[0].path, &to[0]));
    assert_true(yr_addr_eq(&w.ends[1].path, &to[1]));
    assert_int_equal(w.ends[0].ups + w.ends[1].ups, 2);
    assert_true(one_link(&w));
    world_free(&w);
}

static void after_a_move_something_is_asked_at_once(void **state)
{
    const struct yr_addr via = world_via(1);
    struct world w;

    connect_ends(&w, 62);
    world_run(&w, NULL, 5 * YR_S);
    w.via_count = 0;
    yr_links_move(w.ends[0].links, 1, &via, w.now);
    world_run(&w, NULL, 10 * YR_MS);
    assert_true(w.via_count > 0);
    world_run(&w, NULL, YR_S);
    w.via_count = 0;
    yr_links_move(w.ends[0].links, 1, &via, w.now); // it is there already
    world_run(&w, NULL, 10 * YR_S);
    assert_int_equal(w.via_count, 0);
    world_free(&w);
}

static void a_packet_from_a_circuit_moves_a_link_only_when_the_direct_way_is_silent(void **state)
{
    const struct yr_addr via = world_via(1);
    struct world w;

    connect_ends(&w, 63);
    say_everywhere(&w, 1);
    assert_true(world_run(&w, talk_done, 5 * YR_S));
    world_run(&w, NULL, 100 * YR_MS);
    // 0 thinks that the direct way is gone; 1 has heard from there just now, and answers there
    yr_links_move(w.ends[0].links, 1, &via, w.now);
    world_run(&w, NULL, 200 * YR_MS);
    assert_true(yr_addr_udp(&w.ends[1].links->slots[0]->active->addr));
    assert_true(counter(&w.ends[1], "link.strays") > 0);
    // and its answers bring 0 back to it
    assert_true(yr_addr_udp(&w.ends[0].links->slots[1]->active->addr));
    // but when nothing comes from there
    w.cut_direct = true;
    yr_links_move(w.ends[0].links, 1, &via, w.now);
    world_run(&w, NULL, YR_LINK_DIRECT_S * YR_S + YR_S);
    talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1);
    assert_true(world_run(&w, talk_done, YR_S));
    assert_false(yr_addr_udp(&w.ends[1].links->slots[0]->active->addr));
    world_free(&w);
}

static void a_link_in_doubt_follows_to_a_circuit_at_once(void **state)
{
    const struct yr_addr via = world_via(1);
    struct world w;

    connect_ends(&w, 64);
    w.cut_direct = true;
    talk_say(&w.ends[1], 0, YR_CHANNEL_CHAT, 1);
    world_run(&w, NULL, 1100 * YR_MS);
    assert_int_equal(w.ends[1].doubts, 1);
    yr_links_move(w.ends[0].links, 1, &via, w.now);
    assert_true(world_run(&w, talk_done, 1500 * YR_MS));
    assert_false(yr_addr_udp(&w.ends[1].path));
    world_free(&w);
}

static void a_circuit_that_is_expected_takes_over_once_the_friend_uses_it(void **state)
{
    const struct yr_addr via[2] = {world_via(1), world_via(0)};
    struct world w;

    connect_ends(&w, 69);
    world_run(&w, NULL, 100 * YR_MS);
    yr_links_expect(w.ends[1].links, 0, &via[1], w.now);
    world_run(&w, NULL, 5 * YR_S); // a word of who carries moves nothing
    assert_true(yr_addr_udp(&w.ends[1].links->slots[0]->active->addr));
    say_everywhere(&w, 1);
    assert_true(world_run(&w, talk_done, 5 * YR_S));
    world_run(&w, NULL, 100 * YR_MS);
    w.cut_direct = true;
    yr_links_move(w.ends[0].links, 1, &via[0], w.now);
    world_run(&w, NULL, 200 * YR_MS);
    assert_false(yr_addr_udp(&w.ends[1].links->slots[0]->active->addr));
    assert_int_equal(w.ends[1].doubts, 0);
    world_free(&w);
}

static void a_direct_packet_takes_a_link_off_its_circuit_at_once(void **state)
{
    const struct yr_addr via = world_via(1);
    struct world w;

    world_init(&w, 65, 2);
    w.cut_direct = true;
    assert_int_equal(yr_links_dial(w.ends[0].links, 1, &via, false, w.now), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    world_run(&w, NULL, YR_S);
    w.cut_direct = false;
    say_everywhere(&w, 5);
    world_run(&w, NULL, 20 * YR_MS);
    yr_links_move(w.ends[0].links, 1, &w.ends[1].addr, w.now);
    assert_true(world_run(&w, talk_done, 10 * YR_S));
    assert_true(yr_addr_eq(&w.ends[0].path, &w.ends[1].addr));
    assert_true(yr_addr_eq(&w.ends[1].path, &w.ends[0].addr));
    assert_int_equal(w.ends[0].ups + w.ends[1].ups, 2);
    w.via_count = 0;
    say_everywhere(&w, 10);
    assert_true(world_run(&w, talk_done, 10 * YR_S));
    assert_int_equal(w.via_count, 0);
    world_free(&w);
}

static void another_socket_of_ours_is_another_way(void **state)
{
    struct yr_addr other;
    struct world w;

    connect_ends(&w, 66);
    other = w.ends[1].addr;
    other.local = 7;
    yr_links_move(w.ends[0].links, 1, &other, w.now);
    world_run(&w, NULL, YR_MS);
    assert_int_equal(w.ends[0].path.local, 7);
    assert_int_equal(addr_of(&w.ends[0]).local, 7);
    world_free(&w);
}

static void what_stays_without_an_answer_is_doubted_once_and_every_two_seconds(void **state)
{
    struct yr_link_info info;
    struct world w;
    yr_us at;

    connect_ends(&w, 67);
    world_run(&w, NULL, 10 * YR_S);
    assert_int_equal(w.ends[0].doubts + w.ends[1].doubts, 0);
    w.cut = true;
    at = w.now.mono_us;
    talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1);
    world_run(&w, NULL, 990 * YR_MS);
    assert_int_equal(w.ends[0].doubts, 0);
    world_run(&w, NULL, 20 * YR_MS);
    assert_int_equal(w.ends[0].doubts, 1);
    assert_in_range(w.ends[0].doubt_at - at, YR_S, YR_S + 5 * YR_MS);
    yr_links_info(w.ends[0].links, 1, &info);
    assert_true(info.in_doubt);
    world_run(&w, NULL, 10 * YR_S);
    assert_int_equal(w.ends[0].doubts, 6);
    assert_int_equal(w.ends[1].doubts, 0); // it wanted nothing
    w.cut = false;
    assert_true(world_run(&w, talk_done, 30 * YR_S));
    world_run(&w, NULL, YR_S);
    w.ends[0].doubts = 0;
    yr_links_info(w.ends[0].links, 1, &info);
    assert_false(info.in_doubt);
    world_run(&w, NULL, 100 * YR_S);
    assert_int_equal(w.ends[0].doubts + w.ends[1].doubts, 0);
    assert_true(one_link(&w));
    world_free(&w);
}

static void a_keepalive_without_an_answer_is_doubted(void **state)
{
    struct world w;

    connect_ends(&w, 68);
    world_run(&w, NULL, 10 * YR_S);
    w.cut = true;
    world_run(&w, NULL, 29 * YR_S);
    assert_in_range(w.ends[0].doubts, 1, 7);
    assert_in_range(w.ends[1].doubts, 1, 7);
    assert_true(both_up(&w));
    assert_true(world_run(&w, both_down, 90 * YR_S));
    world_free(&w);
}

static void a_datagram_without_an_answer_is_doubted(void **state)
{
    const uint8_t bytes[10] = {1};
    struct world w;

    connect_ends(&w, 69);
    w.cut = true;
    assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, sizeof bytes), YR_OK);
    world_run(&w, NULL, 1100 * YR_MS);
    assert_int_equal(w.ends[0].doubts, 1);
    world_free(&w);
}

static void a_long_way_is_not_doubted_before_an_answer_can_be_here(void **state)
{
    struct world w;

    world_init(&w, 70, 2);
    w.delay_us = 400 * YR_MS;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    for (unsigned i = 0; i < 20; i++) {
        talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1);
        world_run(&w, NULL, 3 * YR_S);
    }
    assert_int_equal(w.ends[0].doubts + w.ends[1].doubts, 0);
    world_free(&w);
}

static void talk_over_loss_is_seldom_doubted(void **state)
{
    struct world w;

    connect_ends(&w, 71);
    w.loss = 5;
    for (unsigned i = 0; i < 200; i++) {
        talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1);
        talk_say(&w.ends[1], 0, YR_CHANNEL_CHAT, 1);
        world_run(&w, NULL, YR_S);
    }
    assert_true(w.ends[0].doubts + w.ends[1].doubts < 8);
    world_free(&w);
}

static void longer_intervals_mean_fewer_packets_and_no_death(void **state)
{
    struct yr_link_info info;
    struct world w;

    connect_ends(&w, 72);
    yr_links_keepalive(w.ends[0].links, 1, 1000, w.now);
    yr_links_keepalive(w.ends[1].links, 0, 180, w.now);
    world_run(&w, NULL, YR_S);
    yr_links_info(w.ends[0].links, 1, &info);
    assert_int_equal(info.keepalive_s, YR_LINK_KEEPALIVE_S_MAX);
    assert_int_equal(info.peer_keepalive_s, 180);
    w.ends[0].sent_packets = w.ends[1].sent_packets = 0;
    world_run(&w, NULL, 550 * YR_S); // three times
    assert_true(one_link(&w));
    assert_in_range(w.ends[0].sent_packets, 3, 12); // key updates too
    assert_in_range(w.ends[1].sent_packets, 3, 12);
    world_free(&w);
}

static void who_is_kept_waiting_by_a_friend_that_speaks_often_asks(void **state)
{
    struct world w;

    // 1 speaks every 25 s, 0 every 180 s: when 1 is gone, 0 need not wait so long
    connect_ends(&w, 73);
    yr_links_keepalive(w.ends[0].links, 1, 180, w.now);
    world_run(&w, NULL, 60 * YR_S);
    assert_true(one_link(&w));
    w.cut = true;
    world_run(&w, NULL, (YR_LINK_KEEPALIVE_S + YR_LINK_LATE_S + 2) * YR_S);
    assert_true(w.ends[0].doubts > 0 && w.ends[1].doubts > 0);
    assert_true(world_run(&w, both_down, 90 * YR_S));
    world_free(&w);
}

static void a_new_connection_knows_the_interval_too(void **state)
{
    struct yr_link_info info;
    struct world w;

    connect_ends(&w, 74);
    yr_links_keepalive(w.ends[0].links, 1, 60, w.now);
    assert_int_equal(world_dial(&w, 1, 0, true), YR_OK);
    world_run(&w, NULL, 5 * YR_S);
    assert_true(one_link(&w));
    assert_int_equal(w.ends[0].ups, 2);
    yr_links_info(w.ends[1].links, 0, &info);
    assert_int_equal(info.peer_keepalive_s, 60);
    world_free(&w);
}

static void a_silent_friend_is_lost_in_time_whatever_was_agreed(void **state)
{
    static const unsigned seconds[] = {10, 25, 60, 120, 180};

    for (size_t i = 0; i < YR_COUNT(seconds); i++) {
        const yr_us limit = YR_MAX(YR_LINK_SILENCE_S, seconds[i] + 1 + YR_LINK_DYING_S) * YR_S;
        struct world w;
        yr_us at;

        connect_ends(&w, 75 + i);
        for (unsigned e = 0; e < 2; e++)
            yr_links_keepalive(w.ends[e].links, 1 - e, seconds[i], w.now);
        world_run(&w, NULL, 2 * YR_S);
        w.cut = true;
        at = w.now.mono_us;
        world_run(&w, NULL, (seconds[i] - 3) * YR_S);
        assert_true(both_up(&w));
        assert_true(world_run(&w, both_down, limit));
        assert_true(w.now.mono_us - at <= limit);
        assert_int_equal(w.ends[0].why, YR_LINK_TIMEOUT);
        world_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_comes_up_through_a_circuit_in_small_packets),
        cmocka_unit_test(a_dial_to_another_address_takes_the_place_of_one_that_is_out),
        cmocka_unit_test(the_owner_moves_a_link_and_nothing_is_lost),
        cmocka_unit_test(after_a_move_something_is_asked_at_once),
        cmocka_unit_test(a_packet_from_a_circuit_moves_a_link_only_when_the_direct_way_is_silent),
        cmocka_unit_test(a_link_in_doubt_follows_to_a_circuit_at_once),
        cmocka_unit_test(a_circuit_that_is_expected_takes_over_once_the_friend_uses_it),
        cmocka_unit_test(a_direct_packet_takes_a_link_off_its_circuit_at_once),
        cmocka_unit_test(another_socket_of_ours_is_another_way),
        cmocka_unit_test(what_stays_without_an_answer_is_doubted_once_and_every_two_seconds),
        cmocka_unit_test(a_keepalive_without_an_answer_is_doubted),
        cmocka_unit_test(a_datagram_without_an_answer_is_doubted),
        cmocka_unit_test(a_long_way_is_not_doubted_before_an_answer_can_be_here),
        cmocka_unit_test(talk_over_loss_is_seldom_doubted),
        cmocka_unit_test(longer_intervals_mean_fewer_packets_and_no_death),
        cmocka_unit_test(who_is_kept_waiting_by_a_friend_that_speaks_often_asks),
        cmocka_unit_test(a_new_connection_knows_the_interval_too),
        cmocka_unit_test(a_silent_friend_is_lost_in_time_whatever_was_agreed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
