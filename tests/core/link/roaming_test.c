/* Addresses that change under a link, and paths that narrow. */
#include "tests/core/link/world.h"

static void a_link_follows_either_end_to_a_new_address(void **state)
{
    for (unsigned who = 0; who < 2; who++) {
        struct world w;

        connect_ends(&w, 20 + who);
        say_everywhere(&w, 20);
        world_run(&w, NULL, 30 * YR_MS);
        w.ends[who].addr = world_addr(50, 5000);
        w.mtu = 1252; // what path MTU discovery found does not hold there
        say_everywhere(&w, 20);
        if (!world_run(&w, talk_done, 60 * YR_S)) {
            end_print(&w.ends[0]);
            end_print(&w.ends[1]);
            fail();
        }
        assert_true(yr_addr_eq(&w.ends[1 - who].path, &w.ends[who].addr));
        assert_int_equal(w.ends[0].ups + w.ends[1].ups, 2);
        assert_true(one_link(&w));
        world_free(&w);
    }
}

static void a_silent_link_follows_with_its_next_keepalive(void **state)
{
    struct world w;

    connect_ends(&w, 22);
    w.ends[0].addr = world_addr(50, 5000);
    world_run(&w, NULL, 60 * YR_S);
    assert_true(yr_addr_eq(&w.ends[1].path, &w.ends[0].addr));
    say_everywhere(&w, 2);
    assert_true(world_run(&w, talk_done, 5 * YR_S));
    world_free(&w);
}

static void when_both_move_a_dial_to_the_new_address_replaces_the_link(void **state)
{
    struct world w;

    connect_ends(&w, 23);
    say_everywhere(&w, 20);
    world_run(&w, NULL, 30 * YR_MS);
    w.ends[0].addr = world_addr(50, 5000);
    w.ends[1].addr = world_addr(51, 5001);
    world_run(&w, NULL, 10 * YR_S);
    assert_false(talk_done(&w));
    assert_int_equal(world_dial(&w, 0, 1, true), YR_OK);
    assert_true(world_run(&w, talk_done, 20 * YR_S));
    assert_true(one_link(&w));
    assert_int_equal(w.ends[0].downs + w.ends[1].downs, 0);
    world_free(&w);
}

static void a_link_whose_ends_move_every_30_seconds_loses_nothing(void **state)
{
    struct world w;

    connect_ends(&w, 27);
    for (unsigned i = 0; i < 300; i++) {
        if (i % 30 == 10)
            w.ends[0].addr = world_addr(100 + i, 5000);
        if (i % 30 == 25)
            w.ends[1].addr = world_addr(500 + i, (uint16_t)(6000 + i));
        talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1);
        talk_say(&w.ends[1], 0, YR_CHANNEL_CHAT, 1);
        world_run(&w, NULL, YR_S);
    }
    assert_true(world_run(&w, talk_done, 10 * YR_S));
    assert_int_equal(w.ends[0].ups + w.ends[1].ups, 2);
    assert_true(one_link(&w));
    world_free(&w);
}

static void a_path_that_gets_narrower_does_not_swallow_the_link(void **state)
{
    struct world w;

    connect_ends(&w, 24);
    say_everywhere(&w, 10);
    world_run(&w, NULL, 10 * YR_S);
    assert_true(active_conn(&w.ends[0], 1)->payload_max > 1300);
    w.mtu = 1232;
    say_everywhere(&w, 30);
    assert_true(world_run(&w, talk_done, 60 * YR_S));
    assert_int_equal(w.ends[0].ups + w.ends[1].ups, 2);
    world_free(&w);
}

static size_t payload_of(const struct world_end *end)
{
    return active_conn(end, 1 - end->index)->payload_max;
}

static void after_a_move_the_path_mtu_is_found_again(void **state)
{
    static const struct {
        size_t mtu, low, high;
    } paths[] = {{65535, 1441, 1452},
                 {1443, 1389, 1443},
                 {1360, 1337, 1340},
                 {1252, 1249, 1252},
                 {1240, 1200, 1200}};

    for (size_t i = 0; i < YR_COUNT(paths); i++) {
        struct world w;

        connect_ends(&w, 28);
        say_everywhere(&w, 10);
        world_run(&w, NULL, 10 * YR_S);
        assert_true(payload_of(&w.ends[0]) == YR_LINK_DATAGRAM_MAX);
        w.ends[0].addr = world_addr(50, 5000);
        w.mtu = paths[i].mtu;
        talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1);
        world_run(&w, NULL, 500 * YR_MS);
        assert_int_equal(payload_of(&w.ends[1]), YR_LINK_DATAGRAM_SAFE);
        world_run(&w, NULL, 20 * YR_S);
        assert_in_range(payload_of(&w.ends[1]), paths[i].low, paths[i].high);
        say_everywhere(&w, 30);
        assert_true(world_run(&w, talk_done, 60 * YR_S));
        assert_int_equal(w.ends[0].ups + w.ends[1].ups, 2);
        assert_int_equal(w.ends[0].datagrams + w.ends[1].datagrams, 0); // nobody hears of it
        assert_int_equal(w.ends[1].doubts, 0);
        world_free(&w);
    }
}

static void a_link_that_began_on_a_circuit_finds_it_too(void **state)
{
    const struct yr_addr via = world_via(1);
    struct world w;

    world_init(&w, 29, 2);
    w.cut_direct = true;
    assert_int_equal(yr_links_dial(w.ends[0].links, 1, &via, false, w.now), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    world_run(&w, NULL, 5 * YR_S);
    assert_int_equal(payload_of(&w.ends[0]), YR_LINK_DATAGRAM_SAFE);
    w.cut_direct = false;
    w.mtu = 1400;
    yr_links_move(w.ends[0].links, 1, &w.ends[1].addr, w.now);
    say_everywhere(&w, 20);
    assert_true(world_run(&w, talk_done, 30 * YR_S));
    world_run(&w, NULL, 20 * YR_S);
    assert_in_range(payload_of(&w.ends[0]), 1389, 1392);
    assert_in_range(payload_of(&w.ends[1]), 1389, 1392);
    say_everywhere(&w, 20);
    assert_true(world_run(&w, talk_done, 30 * YR_S));
    w.cut_direct = true; // and back to small packets
    world_run(&w, NULL, YR_S);
    yr_links_move(w.ends[0].links, 1, &via, w.now);
    yr_links_move(w.ends[1].links, 0,
                  &(struct yr_addr){.family = YR_FAMILY_VIA, .ip = {0, 0, 0, 1}, .port = 1}, w.now);
    w.via_len = 0;
    say_everywhere(&w, 20);
    assert_true(world_run(&w, talk_done, 30 * YR_S));
    assert_true(w.via_len <= YR_LINK_VIA_MAX);
    world_free(&w);
}

static void a_link_comes_up_where_nothing_above_1200_bytes_passes(void **state)
{
    struct world w;

    world_init(&w, 25, 2);
    w.mtu = 1200;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    say_everywhere(&w, 10);
    assert_true(world_run(&w, talk_done, 30 * YR_S));
    world_free(&w);
}

static void a_copy_of_an_old_packet_from_elsewhere_does_not_move_the_link(void **state)
{
    const struct yr_addr thief = world_addr(66, 6666);
    struct world w;

    world_init(&w, 26, 2);
    w.recording = true;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    say_everywhere(&w, 5);
    assert_true(world_run(&w, talk_done, 10 * YR_S));
    world_run(&w, NULL, YR_S);
    w.recording = false;
    for (size_t i = 0; i < w.record_len; i++) {
        struct world_end *end = end_at(&w, &w.record[i]->to);
        const unsigned paths = end->paths;

        (void)yr_links_recv(end->links, &thief, w.record[i]->bytes, w.record[i]->len, w.now);
        assert_true(
            yr_addr_eq(&active_conn(end, 1 - end->index)->addr, &w.ends[1 - end->index].addr));
        assert_int_equal(end->paths, paths);
    }
    world_run(&w, NULL, 100 * YR_S);
    assert_true(one_link(&w));
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_follows_either_end_to_a_new_address),
        cmocka_unit_test(a_silent_link_follows_with_its_next_keepalive),
        cmocka_unit_test(when_both_move_a_dial_to_the_new_address_replaces_the_link),
        cmocka_unit_test(a_link_whose_ends_move_every_30_seconds_loses_nothing),
        cmocka_unit_test(a_path_that_gets_narrower_does_not_swallow_the_link),
        cmocka_unit_test(after_a_move_the_path_mtu_is_found_again),
        cmocka_unit_test(a_link_that_began_on_a_circuit_finds_it_too),
        cmocka_unit_test(a_link_comes_up_where_nothing_above_1200_bytes_passes),
        cmocka_unit_test(a_copy_of_an_old_packet_from_elsewhere_does_not_move_the_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
