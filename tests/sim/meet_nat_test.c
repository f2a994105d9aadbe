/* Friends and strangers behind NATs, and nothing between them but a few servers of the DHT. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/node/state.h"
#include "tests/support/dhts.h"

#define MINUTE (60 * YR_S)

struct world {
    struct sim *sim;
    unsigned server, a, b;
};

static struct nat_opts symmetric(void)
{
    struct nat_opts opts = nat_opts_default();

    opts.mapping = opts.filtering = NAT_PORT;
    opts.ports = NAT_RANDOM;
    return opts;
}

static void join(const struct world *w, unsigned node)
{
    dht_role(w->sim, node, YR_ROLE_CLIENT);
    dht_knows(w->sim, node, w->server);
}

static struct world behind(uint64_t seed, const struct nat_opts *at_a, const struct nat_opts *at_b)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct world w;

    opts.open = true;
    w.sim = sim_new(&opts);
    w.server = dht_servers(w.sim, 8);
    w.a = sim_add(w.sim, "alice");
    w.b = sim_add(w.sim, "bob");
    sim_behind(w.sim, w.a, sim_nat(w.sim, at_a));
    sim_behind(w.sim, w.b, sim_nat(w.sim, at_b));
    join(&w, w.a);
    join(&w, w.b);
    sim_run(w.sim, 5 * YR_S);
    return w;
}

static size_t friends(struct sim *sim, unsigned node)
{
    struct yr_self self;

    yr_node_self(sim_node(sim, node), &self);
    return self.friends;
}

// a invites without a word of where it is, b adds.
static void invite(const struct world *w)
{
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_NEW,
                         .expires_ms = sim_now(w->sim, w->a).wall_ms + YR_DAY_MS};
    struct yr_invite_info info;
    struct yr_event done;
    enum yr_err err;

    done = sim_do(w->sim, w->a, &cmd);
    for (size_t i = 0; yr_node_invite_at(sim_node(w->sim, w->a), i, &info); i++)
        if (strcmp(info.id, done.text) == 0)
            break;
    sim_run(w->sim, 3 * YR_S);
    cmd = (struct yr_cmd){.kind = YR_CMD_ADD, .text = info.link, .text_len = strlen(info.link)};
    (void)sim_command(w->sim, w->b, &cmd, &err);
    assert_int_equal(err, YR_OK);
}

static void two_homes_become_friends_by_an_invite_without_an_address(void **state)
{
    const struct nat_opts home = nat_opts_default();
    const struct world w = behind(1, &home, &home);

    assert_false(dht_info(w.sim, w.a).island);
    assert_int_equal(dht_info(w.sim, w.a).seen4.family, 4);
    invite(&w);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
    sim_free(w.sim);
}

static void two_hard_homes_become_friends_and_know_that_they_need_another(void **state)
{
    const struct nat_opts hard = symmetric();
    const struct world w = behind(2, &hard, &hard);

    invite(&w);
    sim_run(w.sim, 15 * YR_S);
    assert_int_equal(friends(w.sim, w.a), 1);
    assert_int_equal(friends(w.sim, w.b), 1);
    sim_free(w.sim);
}

static void a_hard_home_and_an_easy_one_become_friends_whoever_invites(void **state)
{
    struct nat_opts easy = nat_opts_default();
    const struct nat_opts hard = symmetric();

    easy.filtering = NAT_ADDRESS;
    for (uint64_t i = 0; i < 2; i++) {
        const struct world w = behind(3 + i, i == 0 ? &easy : &hard, i == 0 ? &hard : &easy);

        invite(&w);
        assert_true(sim_run_linked(w.sim, w.a, w.b, 15 * YR_S));
        sim_free(w.sim);
    }
}

static void both_move_to_other_homes_while_they_are_down_and_find_each_other(void **state)
{
    const struct nat_opts home = nat_opts_default();
    const struct world w = behind(5, &home, &home);
    unsigned boxes[2];

    invite(&w);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
    sim_run(w.sim, MINUTE);
    sim_crash(w.sim, w.a);
    sim_crash(w.sim, w.b);
    for (unsigned i = 0; i < 2; i++)
        boxes[i] = sim_nat(w.sim, &home);
    sim_behind(w.sim, w.a, boxes[0]);
    sim_behind(w.sim, w.b, boxes[1]);
    sim_run(w.sim, 10 * MINUTE);
    sim_restart(w.sim, w.a);
    join(&w, w.a);
    sim_run(w.sim, 5 * MINUTE);
    sim_restart(w.sim, w.b);
    join(&w, w.b);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
    sim_free(w.sim);
}

// How long until a text of `from` is at `to`.
static yr_us text_takes(struct sim *sim, unsigned from, unsigned to)
{
    const size_t had = sim_history_count(sim, to, from);
    const yr_us begun = sim_time(sim);
    uint8_t id[YR_MSG_ID_LEN];

    sim_text(sim, from, to, "still there?", id);
    while (sim_history_count(sim, to, from) == had && sim_time(sim) < begun + MINUTE)
        sim_run(sim, 20 * YR_MS);
    return sim_time(sim) - begun;
}

static void both_move_at_the_same_moment_and_what_is_said_arrives(void **state)
{
    const struct nat_opts home = nat_opts_default();
    yr_us took;

    for (uint64_t i = 0; i < 2; i++) {
        const struct world w = behind(6 + i, &home, &home);
        const unsigned box_a = sim_nat(w.sim, &home), box_b = sim_nat(w.sim, &home);

        invite(&w);
        assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
        sim_run(w.sim, MINUTE);
        if (i == 1) { // a link that was there before the DHT
            sim_crash(w.sim, w.a);
            sim_crash(w.sim, w.b);
            sim_restart(w.sim, w.a);
            sim_restart(w.sim, w.b);
            assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
            join(&w, w.a);
            join(&w, w.b);
            sim_run(w.sim, 10 * YR_S);
        }
        sim_behind(w.sim, w.a, box_a);
        sim_behind(w.sim, w.b, box_b);
        took = text_takes(w.sim, w.a, w.b);
        printf("both moved: the next text took %llu ms\n", (unsigned long long)(took / 1000));
        assert_true(took < 2 * YR_S); // each listens where it told the other it would
        sim_free(w.sim);
    }
}

static void one_moves_and_nobody_waits_for_a_timer(void **state)
{
    const struct nat_opts home = nat_opts_default();
    yr_us took;

    for (uint64_t i = 0; i < 2; i++) {
        const struct world w = behind(8 + i, &home, &home);
        const unsigned box = sim_nat(w.sim, &home);

        invite(&w);
        assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
        sim_run(w.sim, 3 * MINUTE);
        sim_behind(w.sim, w.b, box);
        took = i == 0 ? text_takes(w.sim, w.a, w.b) : text_takes(w.sim, w.b, w.a);
        printf("one moved: the next text took %llu ms\n", (unsigned long long)(took / 1000));
        assert_true(took < 3 * YR_S);
        sim_free(w.sim);
    }
}

static int by_size(const void *a, const void *b)
{
    const yr_us x = *(const yr_us *)a, y = *(const yr_us *)b;

    return (x > y) - (x < y);
}

// Both start at once, elsewhere, with nothing in memory; one server is 50 ms away.
static void two_who_start_cold_are_linked_within_seconds(void **state)
{
    const struct nat_opts home = nat_opts_default();
    yr_us took[12];

    for (size_t i = 0; i < YR_COUNT(took); i++) {
        const struct world w = behind(20 + i, &home, &home);
        const unsigned box_a = sim_nat(w.sim, &home), box_b = sim_nat(w.sim, &home);

        invite(&w);
        assert_true(sim_run_linked(w.sim, w.a, w.b, 10 * YR_S));
        sim_crash(w.sim, w.a);
        sim_crash(w.sim, w.b);
        sim_behind(w.sim, w.a, box_a);
        sim_behind(w.sim, w.b, box_b);
        sim_run(w.sim, 3 * MINUTE);
        sim_set_link(w.sim, &(struct sim_link){.delay_us = 25 * YR_MS, .jitter_us = 5 * YR_MS});
        took[i] = sim_time(w.sim);
        sim_restart(w.sim, w.a);
        join(&w, w.a);
        sim_restart(w.sim, w.b);
        join(&w, w.b);
        assert_true(sim_run_linked(w.sim, w.a, w.b, 20 * YR_S));
        took[i] = sim_time(w.sim) - took[i];
        sim_free(w.sim);
    }
    qsort(took, YR_COUNT(took), sizeof took[0], by_size);
    printf("cold to linked: p50 %llu ms, worst %llu ms of %zu\n",
           (unsigned long long)(took[YR_COUNT(took) / 2] / 1000),
           (unsigned long long)(took[YR_COUNT(took) - 1] / 1000), YR_COUNT(took));
    assert_true(took[YR_COUNT(took) / 2] <= 3 * YR_S);
    assert_true(took[YR_COUNT(took) - 1] <= 10 * YR_S);
}

// Without a friend, too: somebody of the DHT to whom we never sent.
static void who_is_reached_by_a_stranger_knows_it(void **state)
{
    struct sim_opts opts = sim_opts_default(1);
    struct yr_net_info info;
    unsigned server, a, stranger;
    struct sim *sim;

    (void)state;
    opts.open = true;
    sim = sim_new(&opts);
    server = dht_servers(sim, 8);
    a = sim_add(sim, "alice");
    dht_role(sim, a, YR_ROLE_AUTO);
    dht_knows(sim, a, server);
    sim_run(sim, 10 * MINUTE);
    yr_node_net(sim_node(sim, a), &info);
    assert_int_equal(info.reachable4, YR_UNKNOWN); // all eight know her
    stranger = sim_add(sim, "mallory");
    dht_role(sim, stranger, YR_ROLE_CLIENT);
    dht_knows(sim, stranger, a);
    sim_run(sim, MINUTE);
    yr_node_net(sim_node(sim, a), &info);
    assert_int_equal(info.reachable4, YR_YES);
    assert_int_equal(info.filtering, YR_NAT_NONE);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_reached_by_a_stranger_knows_it),
        cmocka_unit_test(two_homes_become_friends_by_an_invite_without_an_address),
        cmocka_unit_test(two_hard_homes_become_friends_and_know_that_they_need_another),
        cmocka_unit_test(a_hard_home_and_an_easy_one_become_friends_whoever_invites),
        cmocka_unit_test(both_move_to_other_homes_while_they_are_down_and_find_each_other),
        cmocka_unit_test(both_move_at_the_same_moment_and_what_is_said_arrives),
        cmocka_unit_test(one_moves_and_nobody_waits_for_a_timer),
        cmocka_unit_test(two_who_start_cold_are_linked_within_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
