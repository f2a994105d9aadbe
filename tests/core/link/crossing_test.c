/* Two connections of one pair: crossing dials, crossing replacements, a lost end. */
#include "tests/core/link/world.h"

enum scene {
    BOTH_DIAL,
    LOWER_DIALS_A_DEAD_ADDRESS,
    BOTH_REPLACE_A_BUSY_LINK,
    ONE_END_LOST_ITS_CONNECTION
};

struct tally {
    unsigned runs, crossed, lower_won, flickers;
};

static void say(struct world *w, unsigned who, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        talk_say(&w->ends[who], 1 - who, (enum yr_channel)(splitmix(&w->state) % YR_CHANNEL_COUNT),
                 1);
}

static void try_dial(struct world *w, unsigned who, const struct yr_addr *to, bool replace)
{
    const enum yr_err err = yr_links_dial(w->ends[who].links, 1 - who, to, replace, w->now);

    assert_true(err == YR_OK || err == YR_EAGAIN);
}

static bool settled(const struct world *w)
{
    return one_link(w) && talk_done(w);
}

static unsigned lower_end(const struct world *w)
{
    return memcmp(w->ends[0].self.id, w->ends[1].self.id, 32) < 0 ? 0 : 1;
}

static void give_up(const struct world *w, enum scene scene, unsigned run)
{
    end_print(&w->ends[0]);
    end_print(&w->ends[1]);
    fail_msg("scene %d, run %u, seed %llu", (int)scene, run, (unsigned long long)w->seed);
}

// One run: end 1 acts `offset` microseconds after end 0 (or before).
static void cross(enum scene scene, unsigned run, int64_t offset, unsigned loss,
                  struct tally *tally)
{
    const struct yr_addr nobody = world_addr(99, 9);
    const bool replace = scene >= BOTH_REPLACE_A_BUSY_LINK;
    struct world w;
    unsigned lower, downs;
    yr_us at[2];

    world_init(&w, 20000 + run, 2);
    lower = lower_end(&w);
    if (replace) {
        try_dial(&w, run % 2, &w.ends[1 - run % 2].addr, false);
        assert_true(world_run(&w, both_up, 5 * YR_S));
        say(&w, 0, 12);
        say(&w, 1, 12);
        world_run(&w, NULL, 60 * YR_MS);
    }
    w.loss = loss;
    w.jitter_us = run % 3 == 0 ? 10 * YR_MS : 0;
    if (scene == ONE_END_LOST_ITS_CONNECTION) {
        end_crash(&w.ends[run / 2 % 2]);
        end_start(&w.ends[run / 2 % 2]);
    }
    at[0] = w.now.mono_us + (offset < 0 ? (yr_us)-offset : 0);
    at[1] = w.now.mono_us + (offset > 0 ? (yr_us)offset : 0);
    if (scene == ONE_END_LOST_ITS_CONNECTION)
        at[1 - run / 2 % 2] = YR_NEVER;
    say(&w, 0, (unsigned)(splitmix(&w.state) % 4));
    say(&w, 1, (unsigned)(splitmix(&w.state) % 4));
    for (unsigned i = 0; i < 2; i++) {
        const unsigned who = at[0] <= at[1] ? i : 1 - i; // the earlier first

        if (at[who] == YR_NEVER)
            continue;
        if (at[who] > w.now.mono_us)
            world_run(&w, NULL, at[who] - w.now.mono_us);
        try_dial(&w, who,
                 scene == LOWER_DIALS_A_DEAD_ADDRESS && who == lower ? &nobody
                                                                     : &w.ends[1 - who].addr,
                 replace);
        say(&w, 0, (unsigned)(splitmix(&w.state) % 3));
        say(&w, 1, (unsigned)(splitmix(&w.state) % 3));
    }
    // A dial that died is tried again, as the path layer would; the lower keeps the dead address.
    for (int tries = 0; !world_run(&w, settled, 11 * YR_S); tries++) {
        if (tries > 8)
            give_up(&w, scene, run);
        for (unsigned who = 0; who < 2; who++)
            if (!w.ends[who].is_up[1 - who])
                try_dial(&w, who,
                         scene == LOWER_DIALS_A_DEAD_ADDRESS && who == lower
                             ? &nobody
                             : &w.ends[1 - who].addr,
                         false);
    }
    downs = w.ends[0].downs + w.ends[1].downs;
    world_run(&w, NULL, 12 * YR_S); // and it stays so: what was half open is gone
    if (!settled(&w) || w.ends[0].downs + w.ends[1].downs != downs)
        give_up(&w, scene, run);
    tally->runs++;
    tally->flickers += downs > 0;
    if (scene == BOTH_DIAL && offset > -25000 && offset < 25000) {
        tally->crossed++;
        tally->lower_won += active_conn(&w.ends[lower], 1 - lower)->dialled;
    }
    world_free(&w);
}

static struct tally cross_many(enum scene scene, unsigned runs, int64_t span, unsigned loss)
{
    struct tally tally = {0};

    for (unsigned run = 0; run < runs; run++)
        cross(scene, run, ((int64_t)run - runs / 2) * span / runs, loss, &tally);
    assert_int_equal(tally.runs, runs);
    return tally;
}

static void both_dial_at_once_in_1000_ways_and_one_link_comes_of_it(void **state)
{
    const struct tally tally = cross_many(BOTH_DIAL, 1000, 60000, 0);

    assert_int_equal(tally.flickers, 0); // and nobody is told that it was down
    assert_true(tally.crossed > 800 && tally.lower_won > tally.crossed * 9 / 10);
}

static void both_dial_at_once_in_1000_ways_at_10_percent_loss(void **state)
{
    (void)cross_many(BOTH_DIAL, 1000, 60000, 10);
}

static void a_dead_address_on_one_side_does_not_keep_the_other_out(void **state)
{
    (void)cross_many(LOWER_DIALS_A_DEAD_ADDRESS, 100, 60000, 0);
    (void)cross_many(LOWER_DIALS_A_DEAD_ADDRESS, 100, 60000, 10);
}

static void both_replace_a_busy_link_and_nothing_is_lost(void **state)
{
    assert_int_equal(cross_many(BOTH_REPLACE_A_BUSY_LINK, 200, 120000, 0).flickers, 0);
    (void)cross_many(BOTH_REPLACE_A_BUSY_LINK, 100, 120000, 10);
}

static void an_end_that_lost_its_connection_gets_another(void **state)
{
    (void)cross_many(ONE_END_LOST_ITS_CONNECTION, 100, 120000, 0);
    (void)cross_many(ONE_END_LOST_ITS_CONNECTION, 100, 120000, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_dial_at_once_in_1000_ways_and_one_link_comes_of_it),
        cmocka_unit_test(both_dial_at_once_in_1000_ways_at_10_percent_loss),
        cmocka_unit_test(a_dead_address_on_one_side_does_not_keep_the_other_out),
        cmocka_unit_test(both_replace_a_busy_link_and_nothing_is_lost),
        cmocka_unit_test(an_end_that_lost_its_connection_gets_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
