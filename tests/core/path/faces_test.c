/* Two friends behind boxes find the way that there is: punching, guessing, moving. */
#include "tests/support/test.h"

#include "tests/support/path/faces.h"

static struct nat_opts box(enum nat_scope mapping, enum nat_scope filtering)
{
    struct nat_opts o = nat_opts_default();

    o.mapping = mapping;
    o.filtering = filtering;
    if (mapping != NAT_ANY)
        o.ports = NAT_RANDOM;
    return o;
}

// A link through a friend, and both know what their own boxes are like.
static struct faces *relayed(uint64_t seed, const struct nat_opts *a, const struct nat_opts *b)
{
    struct faces *w = faces_new(seed, a, b);

    faces_learn_nat(w, 0, 3);
    faces_learn_nat(w, 1, 3);
    faces_relay(w);
    return w;
}

static void boxes_that_map_alike_are_punched_within_a_second(void **state)
{
    const struct nat_opts kinds[] = {box(NAT_ANY, NAT_ANY), box(NAT_ANY, NAT_ADDRESS),
                                     box(NAT_ANY, NAT_PORT)};

    for (size_t a = 0; a < 3; a++)
        for (size_t b = 0; b < 3; b++) {
            struct faces *w = relayed(10 * a + b, &kinds[a], &kinds[b]);
            assert_true(faces_run(w, YR_S, true));
            faces_free(w);
        }
}

static void a_hard_box_is_punched_where_the_other_filters_by_address(void **state)
{
    const struct nat_opts hard = box(NAT_PORT, NAT_PORT), easy = box(NAT_ANY, NAT_ADDRESS);
    struct faces *w = relayed(1, &hard, &easy);

    assert_true(faces_run(w, 2 * YR_S, true));
    faces_free(w);
}

static void one_hard_side_is_met_by_guessing_while_somebody_waits(void **state)
{
    const struct nat_opts hard = box(NAT_PORT, NAT_PORT), easy = box(NAT_ANY, NAT_PORT);
    unsigned met = 0;

    for (uint64_t seed = 0; seed < 30; seed++) {
        struct faces *w = relayed(100 + seed, &hard, &easy);
        w->side[seed % 2].waiting = true;
        met += faces_run(w, 20 * YR_S, true);
        assert_true(w->side[0].open_most <= YR_BIRTHDAY_SOCKETS);
        assert_int_equal(w->side[1].open_most, 0);
        assert_true(w->side[1].packets_out < YR_BIRTHDAY_PROBES + 200);
        (void)faces_run(w, 20 * YR_S, false);
        // Only the socket that carries the link stays open.
        assert_int_equal(w->side[0].open_now, faces_direct(w) ? 1 : 0);
        faces_free(w);
    }
    assert_true(met >= 27); // 98 % of 30, and some luck
}

// The one who waits has long given up asking often when the other comes.
static void who_waits_guesses_when_the_other_comes_at_last(void **state)
{
    const struct nat_opts hard = box(NAT_PORT, NAT_PORT), easy = box(NAT_ANY, NAT_PORT);
    unsigned met = 0;

    for (uint64_t seed = 0; seed < 6; seed++) {
        struct faces *w = faces_new(200 + seed, &hard, &easy);
        faces_learn_nat(w, 0, 3);
        faces_learn_nat(w, 1, 3);
        w->side[seed % 2].waiting = true;
        w->side[seed % 2].signals = true;
        yr_paths_block(w->side[1 - seed % 2].paths, 0, true, faces_now(w));
        (void)faces_run(w, 900 * YR_S, false);
        faces_learn_nat(w, 0, 3);
        faces_learn_nat(w, 1, 3);
        w->side[1 - seed % 2].signals = true;
        yr_paths_block(w->side[1 - seed % 2].paths, 0, false, faces_now(w));
        met += faces_run(w, 20 * YR_S, true);
        faces_free(w);
    }
    assert_true(met >= 5);
}

static void nobody_guesses_where_nobody_waits_or_ports_are_few(void **state)
{
    const struct nat_opts easy = box(NAT_ANY, NAT_PORT);
    struct nat_opts hard = box(NAT_PORT, NAT_PORT);
    struct faces *w = relayed(2, &hard, &easy);

    assert_false(faces_run(w, 60 * YR_S, true));
    assert_int_equal(w->side[0].open_most + w->side[1].open_most, 0);
    assert_int_equal(w->side[0].tried[YR_WAY_BIRTHDAY], 0);
    faces_free(w);

    hard.ports = NAT_BLOCK;
    hard.quota = 64;
    w = faces_new(3, &hard, &easy);
    faces_learn_nat(w, 0, 16);
    faces_learn_nat(w, 1, 3);
    faces_relay(w);
    w->side[0].waiting = w->side[1].waiting = true;
    assert_false(faces_run(w, 60 * YR_S, true));
    assert_int_equal(w->side[0].open_most, 0);
    assert_true(w->side[0].refused[YR_WAY_BIRTHDAY] > 0);
    faces_free(w);
}

static void two_hard_sides_stay_with_their_friend_and_keep_quiet(void **state)
{
    const struct nat_opts hard = box(NAT_PORT, NAT_PORT);
    struct faces *w = relayed(4, &hard, &hard);
    uint64_t before;

    w->side[0].waiting = w->side[1].waiting = true;
    assert_false(faces_run(w, 600 * YR_S, true));
    assert_int_equal(w->side[0].open_most + w->side[1].open_most, 0);
    assert_false(yr_addr_udp(&w->side[0].at));
    before = w->side[0].packets_out;
    (void)faces_run(w, 3600 * YR_S, true); // once in half an hour
    assert_true(w->side[0].packets_out - before < 100);
    faces_free(w);
}

static void a_signal_lets_friends_without_a_link_punch(void **state)
{
    const struct nat_opts easy = box(NAT_ANY, NAT_PORT);
    struct faces *w = faces_new(5, &easy, &easy);

    faces_learn_nat(w, 0, 3);
    faces_learn_nat(w, 1, 3);
    w->side[0].signals = w->side[1].signals = true;
    assert_true(faces_run(w, 2 * YR_S, true));
    assert_true(w->side[0].tried[YR_WAY_SIGNAL] > 0);
    faces_free(w);
}

// Who filters by port hears of a friend's new place only through others.
static void a_link_follows_who_moves(void **state)
{
    const struct nat_opts strict = box(NAT_ANY, NAT_PORT), open = box(NAT_ANY, NAT_ANY);

    for (int signals = 0; signals < 2; signals++) {
        struct faces *w = relayed(6, &strict, signals ? &strict : &open);
        yr_us from;
        w->side[0].signals = w->side[1].signals = signals != 0;
        assert_true(faces_run(w, YR_S, true));
        (void)faces_run(w, 20 * YR_S, false);
        from = w->time;
        memset(&w->side[1].at, 0, sizeof w->side[1].at); // until it hears from the new place
        faces_move(w, 0);
        faces_learn_nat(w, 0, 1); // the first of the DHT answers
        assert_true(faces_run(w, 2 * YR_S, true));
        assert_true(w->time - from <= (signals ? YR_S : 100 * YR_MS));
        faces_free(w);
    }
}

static void a_direct_link_that_works_costs_nothing(void **state)
{
    const struct nat_opts easy = box(NAT_ANY, NAT_PORT);
    struct faces *w = relayed(7, &easy, &easy);
    uint64_t before;

    assert_true(faces_run(w, YR_S, true));
    (void)faces_run(w, 1200 * YR_S, false); // and the keepalive is found out
    before = w->side[0].bytes_out + w->side[1].bytes_out;
    (void)faces_run(w, 3600 * YR_S, false);
    assert_int_equal(w->side[0].bytes_out + w->side[1].bytes_out, before);
    faces_free(w);
}

static void the_keepalive_is_what_the_box_remembers(void **state)
{
    static const unsigned timeouts[] = {30, 45, 65, 120, 300};

    for (size_t i = 0; i < YR_COUNT(timeouts); i++) {
        struct nat_opts slow = box(NAT_ANY, NAT_PORT), easy = box(NAT_ANY, NAT_ANY);
        struct faces *w;
        slow.timeout_us = timeouts[i] * YR_S;
        easy.timeout_us = 3600 * YR_S;
        w = relayed(20 + i, &slow, &easy);
        assert_true(faces_run(w, YR_S, true));
        (void)faces_run(w, 1200 * YR_S, false);
        assert_in_range(w->side[0].keepalive_s, 10, timeouts[i]);
        assert_true(w->side[0].keepalive_s >= YR_MIN(timeouts[i], 180U) * 5 / 8);
        assert_int_equal(w->side[0].open_now, 0);
        faces_free(w);
    }
}

static void who_moves_while_guessing_shuts_what_was_open_for_it(void **state)
{
    const struct nat_opts hard = box(NAT_PORT, NAT_PORT), easy = box(NAT_ANY, NAT_PORT);
    struct faces *w = relayed(7, &hard, &easy);

    w->side[0].waiting = true;
    for (unsigned i = 0; i < 200 && w->side[0].open_now < 20; i++)
        (void)faces_run(w, 100 * YR_MS, false);
    assert_true(w->side[0].open_now >= 20);
    yr_paths_block(w->side[1].paths, 0, true, faces_now(w)); // nobody is found elsewhere
    yr_paths_moved(w->side[0].paths, NULL, 0, faces_now(w));
    (void)faces_run(w, YR_S, false);
    assert_int_equal(w->side[0].open_now, 0);
    faces_free(w);
}

static void who_is_blocked_while_punched_gets_nothing_more(void **state)
{
    const struct nat_opts hard = box(NAT_PORT, NAT_PORT);
    struct faces *w = relayed(8, &hard, &hard);
    uint64_t before;

    (void)faces_run(w, 150 * YR_MS, false);
    assert_true(w->side[0].tried[YR_WAY_PUNCH] > 0);
    before = w->side[0].packets_out;
    assert_true(before > 0);
    yr_paths_block(w->side[0].paths, 0, true, faces_now(w));
    (void)faces_run(w, 10 * YR_S, false);
    assert_int_equal(w->side[0].packets_out, before);
    faces_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_that_map_alike_are_punched_within_a_second),
        cmocka_unit_test(a_hard_box_is_punched_where_the_other_filters_by_address),
        cmocka_unit_test(one_hard_side_is_met_by_guessing_while_somebody_waits),
        cmocka_unit_test(who_waits_guesses_when_the_other_comes_at_last),
        cmocka_unit_test(nobody_guesses_where_nobody_waits_or_ports_are_few),
        cmocka_unit_test(two_hard_sides_stay_with_their_friend_and_keep_quiet),
        cmocka_unit_test(a_signal_lets_friends_without_a_link_punch),
        cmocka_unit_test(a_link_follows_who_moves),
        cmocka_unit_test(a_direct_link_that_works_costs_nothing),
        cmocka_unit_test(the_keepalive_is_what_the_box_remembers),
        cmocka_unit_test(who_moves_while_guessing_shuts_what_was_open_for_it),
        cmocka_unit_test(who_is_blocked_while_punched_gets_nothing_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
