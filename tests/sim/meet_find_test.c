/* Friends find each other through the DHT, who know each other's keys and one server. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/node/state.h"
#include "tests/support/dhts.h"

#define MINUTE (60 * YR_S)
#define HOUR   (3600 * YR_S)

struct world {
    struct sim *sim;
    unsigned server, a, b;
};

// Servers, and two friends who have lost each other: both are down, and will come back elsewhere.
static struct world lost_friends(uint64_t seed, unsigned servers)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct world w = {.sim = sim_new(&opts)};

    w.server = dht_servers(w.sim, servers);
    w.a = sim_add(w.sim, "alice");
    w.b = sim_add(w.sim, "bob");
    sim_befriend(w.sim, w.a, w.b);
    sim_run(w.sim, 5 * YR_S);
    sim_crash(w.sim, w.a);
    sim_crash(w.sim, w.b);
    sim_move(w.sim, w.a);
    sim_move(w.sim, w.b);
    return w;
}

static void come_back(const struct world *w, unsigned node)
{
    if (!sim_alive(w->sim, node))
        sim_restart(w->sim, node);
    dht_role(w->sim, node, YR_ROLE_CLIENT);
    dht_knows(w->sim, node, w->server);
}

static bool tried(struct sim *sim, unsigned node, unsigned friend, enum yr_way way,
                  enum yr_outcome outcome)
{
    struct yr_try try;

    for (size_t i = 0; yr_node_try_at(sim_node(sim, node), sim_id(sim, friend), i, &try); i++)
        if (try.way == way && try.outcome == outcome)
            return true;
    return false;
}

static size_t stored(struct sim *sim, unsigned first, unsigned count)
{
    size_t records = 0;

    for (unsigned i = 0; i < count; i++)
        records += dht_info(sim, first + i).records;
    return records;
}

static const struct yr_friend *friend_of(struct sim *sim, unsigned node, unsigned other)
{
    return yr_friend_find(sim_node(sim, node), sim_id(sim, other));
}

static void two_who_moved_while_they_were_down_find_each_other(void **state)
{
    const struct world w = lost_friends(1, 10);

    come_back(&w, w.a);
    come_back(&w, w.b);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
    assert_true(tried(w.sim, w.a, w.b, YR_WAY_DHT_PUT, YR_OUT_WORKED));
    assert_false(dht_info(w.sim, w.a).direct_records);
    sim_free(w.sim);
}

static void who_comes_an_hour_later_finds_who_waits(void **state)
{
    const struct world w = lost_friends(2, 3);

    come_back(&w, w.a);
    sim_run(w.sim, 47 * MINUTE);
    assert_true(tried(w.sim, w.a, w.b, YR_WAY_DHT_GET, YR_OUT_NOTHING));
    come_back(&w, w.b);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
    assert_true(tried(w.sim, w.b, w.a, YR_WAY_DHT_GET, YR_OUT_WORKED));
    sim_free(w.sim);
}

static void with_a_single_server_records_go_directly_and_it_is_said(void **state)
{
    const struct world w = lost_friends(3, 1);

    come_back(&w, w.a);
    come_back(&w, w.b);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
    assert_true(dht_info(w.sim, w.a).direct_records);
    assert_true(dht_info(w.sim, w.server).records > 0);
    sim_free(w.sim);
}

static void a_server_is_found_by_the_record_that_it_holds_itself(void **state)
{
    struct sim_opts opts = sim_opts_default(4);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), s = sim_add(sim, "bob");
    struct yr_net_info info;

    sim_befriend(sim, a, s);
    sim_run(sim, 5 * YR_S);
    dht_role(sim, s, YR_ROLE_SERVER);
    dht_role(sim, a, YR_ROLE_CLIENT);
    dht_knows(sim, a, s);
    sim_run(sim, 5 * YR_S);
    assert_int_equal(dht_info(sim, s).records, 0);
    sim_drop(sim, a, 0x40 | 0x80); // nothing goes by itself from here on: probes do, links do not
    sim_crash(sim, a);
    sim_run(sim, 2 * MINUTE);
    info = dht_info(sim, s);
    assert_int_equal(info.records, 1); // its word for alice
    assert_true(tried(sim, s, a, YR_WAY_DHT_GET, YR_OUT_NOTHING) ||
                tried(sim, s, a, YR_WAY_DHT_GET, YR_OUT_TRYING));
    sim_free(sim);
}

static void nothing_is_left_for_a_friend_with_a_link(void **state)
{
    struct sim_opts opts = sim_opts_default(5);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 2), a = sim_add(sim, "alice"), b = sim_add(sim, "bob");

    sim_befriend(sim, a, b);
    dht_role(sim, a, YR_ROLE_CLIENT);
    dht_role(sim, b, YR_ROLE_CLIENT);
    dht_knows(sim, a, s);
    dht_knows(sim, b, s);
    sim_run(sim, 2 * HOUR + 10 * MINUTE);
    assert_int_equal(stored(sim, s, 2), 0);
    assert_false(tried(sim, a, b, YR_WAY_DHT_PUT, YR_OUT_WORKED));
    sim_free(sim);
}

static void a_removed_or_blocked_friend_gets_no_more_word(void **state)
{
    const struct world w = lost_friends(6, 2);
    struct yr_cmd cmd = {.kind = YR_CMD_FRIEND_REMOVE};

    come_back(&w, w.a);
    sim_run(w.sim, MINUTE);
    assert_true(stored(w.sim, w.server, 2) > 0);
    memcpy(cmd.conv, sim_id(w.sim, w.b), 32);
    (void)sim_do(w.sim, w.a, &cmd);
    sim_run(w.sim, 2 * HOUR + 10 * MINUTE); // what was there has expired
    assert_int_equal(stored(w.sim, w.server, 2), 0);
    sim_move(w.sim, w.a); // and who still has the old keys finds nothing
    come_back(&w, w.b);
    sim_run(w.sim, 20 * MINUTE);
    assert_false(sim_linked(w.sim, w.a, w.b));
    assert_false(tried(w.sim, w.b, w.a, YR_WAY_DHT_GET, YR_OUT_WORKED));
    assert_true(tried(w.sim, w.b, w.a, YR_WAY_DHT_GET, YR_OUT_NOTHING));
    assert_true(stored(w.sim, w.server, 2) > 0); // bob's for alice, who is gone
    cmd = (struct yr_cmd){.kind = YR_CMD_FRIEND_BLOCK};
    memcpy(cmd.conv, sim_id(w.sim, w.a), 32);
    (void)sim_do(w.sim, w.b, &cmd);
    sim_run(w.sim, 2 * HOUR + 10 * MINUTE);
    assert_int_equal(stored(w.sim, w.server, 2), 0);
    sim_free(w.sim);
}

// Run until the pair's epoch is about to end, or has begun, this long.
static void run_to_edge(const struct world *w, unsigned node, int64_t after_s)
{
    const uint32_t off = friend_of(w->sim, node, w->a + w->b - node)->pair.off;
    const uint64_t now_s = (uint64_t)sim_now(w->sim, node).wall_ms / 1000;
    const uint64_t edge = yr_rendezvous_start(yr_rendezvous_epoch(now_s + 1300, off) + 1, off);

    sim_run(w->sim, ((uint64_t)((int64_t)edge + after_s) - now_s) * YR_S);
}

static void clocks_may_differ_by_19_minutes(void **state)
{
    static const int64_t after_s[] = {-1195, -600, -10, 10, 600, 1195};

    for (size_t i = 0; i < YR_COUNT(after_s); i++) {
        const struct world w = lost_friends(70 + i, 1);

        come_back(&w, w.a);
        run_to_edge(&w, w.a, after_s[i]);
        assert_false(sim_linked(w.sim, w.a, w.b));
        sim_skew(w.sim, w.b, i % 2 == 0 ? 19 * 60000 : -19 * 60000);
        come_back(&w, w.b);
        if (!sim_run_linked(w.sim, w.a, w.b, 15 * YR_S))
            fail_msg("not linked %d s after the edge", (int)after_s[i]);
        sim_free(w.sim);
    }
}

static bool noticed;

static void watch(void *ctx, unsigned node, const struct yr_event *event)
{
    if (event->kind == YR_EV_NOTICE && strstr(event->text, "3 h 0 min slow") != NULL)
        noticed = node == *(unsigned *)ctx;
}

static void a_clock_three_hours_behind_is_set_right_by_friends_and_the_user_is_told(void **state)
{
    struct sim_opts opts = sim_opts_default(8);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 4);
    unsigned n[4];

    for (unsigned i = 0; i < 4; i++) {
        n[i] = sim_add(sim, "friend");
        dht_role(sim, n[i], YR_ROLE_CLIENT);
        dht_knows(sim, n[i], s);
    }
    noticed = false;
    sim_watch(sim, watch, &n[0]);
    for (unsigned i = 1; i < 4; i++)
        sim_befriend(sim, n[0], n[i]);
    sim_crash(sim, n[0]);
    sim_skew(sim, n[0], -3 * 3600 * 1000);
    sim_restart(sim, n[0]);
    dht_role(sim, n[0], YR_ROLE_CLIENT);
    dht_knows(sim, n[0], s);
    for (unsigned i = 1; i < 4; i++)
        assert_true(sim_run_linked(sim, n[0], n[i], 2 * MINUTE));
    sim_run(sim, YR_S);
    assert_true(noticed);
    assert_true(dht_info(sim, n[0]).clock_offset_ms > 178 * 60000);
    assert_true(dht_info(sim, n[0]).clock_offset_ms < 182 * 60000);
    assert_int_equal(dht_info(sim, n[1]).clock_offset_ms, 0); // one friend does not outvote us
    sim_crash(sim, n[3]);
    sim_move(sim, n[3]);
    sim_run(sim, 3 * MINUTE); // n[0] has noticed
    sim_move(sim, n[0]);
    sim_run(sim, MINUTE);
    sim_restart(sim, n[3]);
    dht_role(sim, n[3], YR_ROLE_CLIENT);
    dht_knows(sim, n[3], s);
    assert_true(sim_run_linked(sim, n[0], n[3], 20 * YR_S));
    sim_free(sim);
}

static bool paused(struct sim *sim, unsigned node)
{
    return sim_now(sim, node).mono_us < sim_node(sim, node)->meet->paused_us;
}

static void a_clock_set_back_stops_rendezvous_until_it_is_right_again(void **state)
{
    const struct world w = lost_friends(9, 3);

    come_back(&w, w.a);
    sim_run(w.sim, MINUTE);
    assert_false(paused(w.sim, w.a));
    sim_skew(w.sim, w.a, -5 * 3600 * 1000);
    sim_run(w.sim, 10 * MINUTE);
    assert_true(paused(w.sim, w.a));
    sim_skew(w.sim, w.a, 0);
    sim_run(w.sim, 10 * MINUTE);
    assert_false(paused(w.sim, w.a));
    sim_skew(w.sim, w.a, -5 * 3600 * 1000);
    sim_run(w.sim, 59 * MINUTE);
    assert_true(paused(w.sim, w.a));
    sim_run(w.sim, 2 * MINUTE);
    assert_false(paused(w.sim, w.a)); // not for ever
    sim_skew(w.sim, w.a, 0);
    sim_run(w.sim, MINUTE);
    come_back(&w, w.b);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
    sim_free(w.sim);
}

// Everybody's clock is set forward to ten minutes into the next epoch of the pair that is so many
// after the one in which those look who have not been seen for long.
static void set_epoch(const struct world *w, uint64_t after)
{
    const uint32_t off = friend_of(w->sim, w->a, w->b)->pair.off;
    const yr_ms now_ms = sim_now(w->sim, w->a).wall_ms,
                skew = now_ms - sim_now(w->sim, w->server).wall_ms;
    uint64_t epoch = yr_rendezvous_epoch((uint64_t)now_ms / 1000, off) + 1;

    while (epoch % 12 != (off / 600 + after) % 12)
        epoch++;
    const yr_ms then_ms = (yr_ms)yr_rendezvous_start(epoch, off) * 1000 + 600000;
    sim_skew(w->sim, w->a, skew + then_ms - now_ms);
    sim_skew(w->sim, w->b, skew + then_ms - now_ms);
}

static void who_has_not_been_seen_for_a_month_is_looked_for_once_a_day_and_found(void **state)
{
    const struct world w = lost_friends(10, 1);
    struct yr_traffic before, after;

    come_back(&w, w.a);
    come_back(&w, w.b);
    sim_cut(w.sim, w.a, w.b, true);
    sim_run(w.sim, 65 * MINUTE);
    for (unsigned i = 0; i < 2; i++) {
        struct yr_friend *f = &sim_node(w.sim, i == 0 ? w.a : w.b)->friends[0];

        f->last_seen_ms -= 31 * YR_DAY_MS;
        f->created_ms -= 31 * YR_DAY_MS;
    }
    // Not within two of their epochs, unless theirs of the day is one of them.
    set_epoch(&w, 1);
    yr_node_traffic(sim_node(w.sim, w.a), YR_FOR_DHT, &before);
    sim_run(w.sim, HOUR);
    yr_node_traffic(sim_node(w.sim, w.a), YR_FOR_DHT, &after);
    printf("an hour of not looking for one who is long gone: %llu bytes\n",
           (unsigned long long)(after.out + after.in - before.out - before.in));
    sim_cut(w.sim, w.a, w.b, false);
    sim_move(w.sim, w.a);
    sim_move(w.sim, w.b);
    for (unsigned i = 0; i < 2; i++)
        sim_node(w.sim, i == 0 ? w.a : w.b)->meet->rvs[0].hot_us = 0;
    sim_run(w.sim, 10 * MINUTE);
    assert_false(sim_linked(w.sim, w.a, w.b));
    set_epoch(&w, 0);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 3 * MINUTE));
    sim_free(w.sim);
}

static yr_ms last_get(struct sim *sim, unsigned node, unsigned friend)
{
    struct yr_try try;

    for (size_t i = 0; yr_node_try_at(sim_node(sim, node), sim_id(sim, friend), i, &try); i++)
        if (try.way == YR_WAY_DHT_GET)
            return try.at_ms;
    return 0;
}

static void who_is_waited_for_is_looked_for_at_once(void **state)
{
    const struct world w = lost_friends(11, 1);
    struct yr_cmd read = {.kind = YR_CMD_READ};
    uint8_t id[YR_MSG_ID_LEN];

    come_back(&w, w.a);
    sim_run(w.sim, 25 * MINUTE);
    assert_true(sim_now(w.sim, w.a).wall_ms - last_get(w.sim, w.a, w.b) > 60000);
    sim_text(w.sim, w.a, w.b, "are you there?", id);
    sim_run(w.sim, 2 * YR_S);
    assert_true(sim_now(w.sim, w.a).wall_ms - last_get(w.sim, w.a, w.b) <= 2000);
    sim_run(w.sim, 25 * MINUTE);
    assert_true(sim_now(w.sim, w.a).wall_ms - last_get(w.sim, w.a, w.b) > 60000);
    memcpy(read.conv, sim_id(w.sim, w.b), 32); // the conversation is opened
    (void)sim_do(w.sim, w.a, &read);
    sim_run(w.sim, 2 * YR_S);
    assert_true(sim_now(w.sim, w.a).wall_ms - last_get(w.sim, w.a, w.b) <= 2100);
    sim_free(w.sim);
}

static const struct yr_rv *friend_rv(const struct world *w)
{
    struct yr_node *n = sim_node(w->sim, w->a);

    return &n->meet->rvs[yr_friend_slot(n, friend_of(w->sim, w->a, w->b))];
}

static void word_that_reached_nobody_is_left_again(void **state)
{
    const struct world w = lost_friends(12, 3);

    come_back(&w, w.a);
    sim_run(w.sim, 30 * YR_S);
    assert_true(stored(w.sim, w.server, 3) > 0);
    for (unsigned i = 0; i < 3; i++)
        sim_drop(w.sim, w.server + i, YR_DHT_TYPE);
    sim_node(w.sim, w.a)->meet->version++; // something else is to be said
    sim_run(w.sim, 15 * YR_S);
    assert_true(tried(w.sim, w.a, w.b, YR_WAY_DHT_PUT, YR_OUT_SILENT) ||
                tried(w.sim, w.a, w.b, YR_WAY_DHT_PUT, YR_OUT_NOTHING));
    for (size_t k = 0; k < 2; k++)
        assert_false(friend_rv(&w)->puts[k].done &&
                     friend_rv(&w)->puts[k].version == sim_node(w.sim, w.a)->meet->version);
    for (unsigned i = 0; i < 3; i++)
        sim_drop(w.sim, w.server + i, -1);
    sim_run(w.sim, 6 * MINUTE);
    assert_true(friend_rv(&w)->puts[0].done || friend_rv(&w)->puts[1].done);
    sim_free(w.sim);
}

static void ahead(const struct world *w, unsigned node, unsigned friend)
{
    struct yr_node *n = sim_node(w->sim, node);

    n->meet->rvs[yr_friend_slot(n, friend_of(w->sim, node, friend))].heard_s =
        (uint32_t)(n->now.wall_ms / 1000) + 3600;
}

static void a_clock_that_ran_ahead_and_was_set_right_hides_nobody(void **state)
{
    const struct world w = lost_friends(13, 3);

    come_back(&w, w.a);
    sim_run(w.sim, 30 * YR_S);
    sim_restart(w.sim, w.b);
    ahead(&w, w.a, w.b);
    ahead(&w, w.b, w.a);
    come_back(&w, w.b);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
    sim_free(w.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_who_moved_while_they_were_down_find_each_other),
        cmocka_unit_test(who_comes_an_hour_later_finds_who_waits),
        cmocka_unit_test(with_a_single_server_records_go_directly_and_it_is_said),
        cmocka_unit_test(a_server_is_found_by_the_record_that_it_holds_itself),
        cmocka_unit_test(nothing_is_left_for_a_friend_with_a_link),
        cmocka_unit_test(a_removed_or_blocked_friend_gets_no_more_word),
        cmocka_unit_test(clocks_may_differ_by_19_minutes),
        cmocka_unit_test(a_clock_three_hours_behind_is_set_right_by_friends_and_the_user_is_told),
        cmocka_unit_test(a_clock_set_back_stops_rendezvous_until_it_is_right_again),
        cmocka_unit_test(who_has_not_been_seen_for_a_month_is_looked_for_once_a_day_and_found),
        cmocka_unit_test(who_is_waited_for_is_looked_for_at_once),
        cmocka_unit_test(word_that_reached_nobody_is_left_again),
        cmocka_unit_test(a_clock_that_ran_ahead_and_was_set_right_hides_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
