/* Every allocation, refused once. */
#include "tests/core/link/world.h"

struct miser {
    uint64_t count, refuse; /* allocations so far; the one to be refused */
};

static void *miserly_realloc(void *ctx, void *ptr, size_t size)
{
    struct miser *miser = ctx;

    if (size != 0 && ++miser->count == miser->refuse)
        return NULL;
    return world_realloc(NULL, ptr, size);
}

static void dial_if_down(struct world *w)
{
    // Out of memory, or not needed: either way there will be another time.
    if (!both_up(w)) {
        const enum yr_err err = world_dial(w, 0, 1, true);

        assert_true(err == YR_OK || err == YR_ENOMEM);
    }
}

static bool well(const struct world *w)
{
    return talk_done(w) && one_link(w);
}

// A short life: a dial, talk, a replacement under way, a key update, a close.  Returns whether all
// was well at its end.
static bool live(struct world *w)
{
    w->jitter_us = 30 * YR_MS;
    w->loss = 5;
    dial_if_down(w);
    world_run(w, both_up, 12 * YR_S);
    for (unsigned c = 0; c < YR_CHANNEL_COUNT; c++) {
        talk_say(&w->ends[0], 1, c, 3);
        talk_say(&w->ends[1], 0, c, 3);
    }
    world_run(w, talk_done, 5 * YR_S);
    if (w->ends[0].is_up[1] && active_conn(&w->ends[0], 1) != NULL)
        active_conn(&w->ends[0], 1)->rekey_us = w->now.mono_us;
    (void)!yr_links_dial(w->ends[1].links, 0, &w->ends[0].addr, true, w->now);
    talk_say(&w->ends[0], 1, YR_CHANNEL_CHAT, 3);
    world_run(w, talk_done, 5 * YR_S);
    for (int tries = 0; tries < 20 && !well(w); tries++) {
        // What a full queue or a lost connection kept back, its owner offers again.
        for (unsigned e = 0; e < 2; e++)
            if (w->ends[e].is_up[1 - e])
                talk_flush(&w->ends[e], 1 - e);
        dial_if_down(w);
        world_run(w, well, 10 * YR_S);
    }
    return well(w);
}

static void every_allocation_refused_once_costs_at_most_a_connection(void **state)
{
    uint64_t total[2] = {0};

    for (unsigned who = 0; who < 2; who++)
        for (uint64_t refuse = 0; refuse == 0 || refuse <= total[who]; refuse++) {
            struct miser miser = {0};
            struct world w;

            world_init(&w, 1, 2);
            miser.refuse = refuse; // none the first time: they are counted
            w.ends[who].mem.realloc = miserly_realloc;
            w.ends[who].mem.ctx = &miser;
            if (!live(&w)) {
                end_print(&w.ends[0]);
                end_print(&w.ends[1]);
                fail_msg("end %u without allocation %llu", who, (unsigned long long)refuse);
            }
            yr_links_close_all(w.ends[0].links, w.now);
            world_run(&w, NULL, YR_S);
            if (refuse == 0)
                total[who] = miser.count;
            world_free(&w); // nothing has leaked
        }
    assert_true(total[0] > 100 && total[1] > 100);
}

static void a_full_purse_refuses_links_but_keeps_those_there_are(void **state)
{
    struct world w;

    world_init(&w, 2, 3);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1); // both have what they need for that
    assert_true(world_run(&w, talk_done, 5 * YR_S));
    world_run(&w, NULL, YR_S);
    w.ends[1].mem.cap[YR_MEM_LINK] = w.ends[1].mem.used[YR_MEM_LINK] + 9000;
    assert_int_equal(world_dial(&w, 2, 1, false), YR_OK);
    assert_int_equal(yr_links_dial(w.ends[1].links, 2, &w.ends[2].addr, true, w.now), YR_ENOMEM);
    world_run(&w, NULL, 12 * YR_S);
    assert_true(counter(&w.ends[1], "link.drop.memory") > 0);
    assert_int_equal(w.ends[2].failures, 1);
    talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1);
    assert_true(world_run(&w, talk_done, 5 * YR_S));
    assert_true(one_link(&w));
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_refused_once_costs_at_most_a_connection),
        cmocka_unit_test(a_full_purse_refuses_links_but_keeps_those_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
