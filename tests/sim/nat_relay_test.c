/* N-2: two friends who are both behind symmetric NATs: a common friend carries for them at once;
 * without one their texts wait, the user is told why, and nobody probes without end. */
#include "tests/support/test.h"

#include "tests/support/sim/town.h"

#define DELAY (25 * YR_MS)

struct three {
    struct sim *sim;
    unsigned alice, bob, carol;
};

static struct three three_new(uint64_t seed, unsigned servers)
{
    struct three t = {.sim = town_new(seed, servers, DELAY)};

    t.alice = town_person(t.sim, "alice");
    t.bob = town_person(t.sim, "bob");
    t.carol = town_person(t.sim, "carol");
    sim_befriend(t.sim, t.alice, t.carol);
    sim_befriend(t.sim, t.bob, t.carol);
    sim_befriend(t.sim, t.alice, t.bob);
    sim_run(t.sim, 10 * YR_S);
    return t;
}

static void hide(struct sim *sim, unsigned node)
{
    const struct nat_opts opts = nat_class_opts(NAT_SYMMETRIC);

    sim_behind(sim, node, sim_nat(sim, &opts));
}

static void say(struct sim *sim, unsigned from, unsigned to, uint8_t id[YR_MSG_ID_LEN])
{
    sim_text(sim, from, to, "are you there?", id);
}

struct sent {
    unsigned node;
    uint8_t id[YR_MSG_ID_LEN];
};

static bool arrived(struct sim *sim, void *ctx)
{
    static struct yr_message m;
    const struct sent *s = ctx;

    return yr_node_message(sim_node(sim, s->node), s->id, &m) == YR_OK;
}

static void via_carol(const struct three *t)
{
    struct yr_friend_info info;

    assert_int_equal(yr_node_friend(sim_node(t->sim, t->alice), sim_id(t->sim, t->bob), &info),
                     YR_OK);
    assert_true(info.relayed);
    assert_memory_equal(info.via, sim_id(t->sim, t->carol), YR_ID_LEN);
}

static void a_common_friend_carries_within_a_second(void **state)
{
    struct three t = three_new(21, 0);
    struct sent s = {.node = t.bob};
    yr_us from;

    sim_crash(t.sim, t.alice);
    sim_crash(t.sim, t.bob);
    hide(t.sim, t.alice);
    hide(t.sim, t.bob);
    sim_run(t.sim, 60 * YR_S);
    sim_restart(t.sim, t.alice);
    assert_true(town_run_link(t.sim, t.alice, t.carol, TOWN_DIRECT, 10 * YR_S));
    sim_restart(t.sim, t.bob);
    assert_true(town_run_link(t.sim, t.bob, t.carol, TOWN_DIRECT, 10 * YR_S));
    from = sim_time(t.sim);
    if (!town_run_link(t.sim, t.alice, t.bob, TOWN_RELAYED, 30 * YR_S)) {
        town_print(t.sim, t.alice, t.bob);
        town_print(t.sim, t.bob, t.alice);
        fail_msg("no link by way of carol");
    }
    assert_true(sim_time(t.sim) - from <= YR_S);
    via_carol(&t);
    say(t.sim, t.alice, t.bob, s.id);
    assert_true(sim_run_until(t.sim, YR_S, arrived, &s));
    // and so it stays: nothing better is possible, and nobody takes it for lost
    for (unsigned i = 0; i < 30; i++) {
        sim_run(t.sim, 60 * YR_S);
        assert_int_equal(town_link(t.sim, t.alice, t.bob), TOWN_RELAYED);
    }
    sim_free(t.sim);
}

// Where both move behind bad boxes while they are linked: the same, without a restart.
static void a_link_that_is_cut_off_goes_on_through_a_friend(void **state)
{
    struct three t = three_new(22, 0);
    struct sent s = {.node = t.bob};

    assert_int_equal(town_link(t.sim, t.alice, t.bob), TOWN_DIRECT);
    hide(t.sim, t.alice);
    hide(t.sim, t.bob);
    say(t.sim, t.alice, t.bob, s.id);
    if (!sim_run_until(t.sim, 3 * YR_S, arrived, &s)) {
        town_print(t.sim, t.alice, t.bob);
        town_print(t.sim, t.alice, t.carol);
        fail_msg("nothing came through within 3 s");
    }
    assert_true(town_run_link(t.sim, t.alice, t.bob, TOWN_RELAYED, 5 * YR_S));
    via_carol(&t);
    // at home again, direct again
    sim_behind(t.sim, t.bob, SIM_INTERNET);
    assert_true(town_run_link(t.sim, t.alice, t.bob, TOWN_DIRECT, 10 * YR_S));
    sim_free(t.sim);
}

static void without_a_friend_texts_wait_and_the_user_is_told(void **state)
{
    struct three t = three_new(23, 10);
    struct sent s = {.node = t.bob};
    struct sim_traffic from, to;
    bool relay = false;
    struct yr_try try;

    sim_crash(t.sim, t.carol);
    sim_crash(t.sim, t.alice);
    sim_crash(t.sim, t.bob);
    hide(t.sim, t.alice);
    hide(t.sim, t.bob);
    sim_run(t.sim, 7 * 1800 * YR_S);
    sim_restart(t.sim, t.alice);
    sim_restart(t.sim, t.bob);
    sim_run(t.sim, 10 * YR_S);
    say(t.sim, t.alice, t.bob, s.id);
    sim_run(t.sim, 120 * YR_S);
    assert_int_equal(town_link(t.sim, t.alice, t.bob), TOWN_NONE);
    for (size_t i = 0; yr_node_try_at(sim_node(t.sim, t.alice), sim_id(t.sim, t.bob), i, &try); i++)
        relay |= try.way == YR_WAY_RELAY && try.outcome != YR_OUT_WORKED;
    if (!relay) {
        town_print(t.sim, t.alice, t.bob);
        fail_msg("not told that nobody could carry");
    }
    // nobody probes without end: less than a packet a second, all together
    sim_run(t.sim, 1800 * YR_S);
    from = sim_traffic(t.sim, t.alice);
    sim_run(t.sim, 3600 * YR_S);
    to = sim_traffic(t.sim, t.alice);
    print_message("waiting: %.2f packets a second out, %.1f B/s\n",
                  (double)(to.packets_out - from.packets_out) / 3600,
                  (double)(to.out - from.out) / 3600);
    assert_true(to.packets_out - from.packets_out < 3600);
    assert_false(arrived(t.sim, &s));
    // carol comes: she keeps it, if not for long, and then carries
    sim_restart(t.sim, t.carol);
    assert_true(sim_run_until(t.sim, 90 * YR_S, arrived, &s));
    assert_true(town_run_link(t.sim, t.alice, t.bob, TOWN_RELAYED, 90 * YR_S));
    via_carol(&t);
    sim_free(t.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_common_friend_carries_within_a_second),
        cmocka_unit_test(a_link_that_is_cut_off_goes_on_through_a_friend),
        cmocka_unit_test(without_a_friend_texts_wait_and_the_user_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
