/* Two nodes: links, texts, faults. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/seeded.h"
#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)

struct want {
    unsigned a, b;
    size_t count;
};

static bool both_have(struct sim *sim, void *ctx)
{
    const struct want *w = ctx;

    return sim_alive(sim, w->a) && sim_alive(sim, w->b) &&
           sim_history_count(sim, w->a, w->b) == w->count &&
           sim_history_count(sim, w->b, w->a) == w->count;
}

static bool all_delivered(struct sim *sim, void *ctx)
{
    const struct want *w = ctx;
    struct yr_self self;

    if (!both_have(sim, ctx))
        return false;
    yr_node_self(sim_node(sim, w->a), &self);
    if (self.queued > 0)
        return false;
    yr_node_self(sim_node(sim, w->b), &self);
    return self.queued == 0;
}

static void assert_same_history(struct sim *sim, unsigned a, unsigned b)
{
    char *of_a = sim_history(sim, a, b, false), *of_b = sim_history(sim, b, a, false);

    assert_string_equal(of_a, of_b);
    free(of_a);
    free(of_b);
}

static void two_friends_talk(void **state)
{
    struct sim_opts opts = sim_opts_default(1);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct want w = {a, b, 2};
    char *history;

    sim_befriend(sim, a, b);
    sim_text(sim, a, b, "hello bob", NULL);
    sim_text(sim, b, a, "hello alice", NULL);
    assert_true(sim_run_until(sim, 10 * YR_S, all_delivered, &w));
    assert_same_history(sim, a, b);
    history = sim_history(sim, a, b, true);
    assert_non_null(strstr(history, "hello bob\" s2"));
    free(history);
    sim_free(sim);
}

static void friends_meet_on_the_lan_without_a_hint(void **state)
{
    struct sim_opts opts = sim_opts_default(2);
    struct yr_event done;
    struct yr_invite_info info;
    struct sim *sim;
    unsigned a, b;

    opts.lan = true;
    sim = sim_new(&opts);
    a = sim_add(sim, "alice");
    b = sim_add(sim, "bob");
    struct yr_cmd invite = {.kind = YR_CMD_INVITE_NEW,
                            .expires_ms = sim_now(sim, a).wall_ms + 3600 * 1000};
    done = sim_do(sim, a, &invite);
    assert_true(yr_node_invite_at(sim_node(sim, a), 0, &info));
    assert_string_equal(info.id, done.text);
    struct yr_cmd add = {.kind = YR_CMD_ADD, .text = info.link, .text_len = strlen(info.link)};
    (void)sim_do(sim, b, &add);
    assert_true(sim_run_linked(sim, a, b, 10 * YR_S));
    sim_free(sim);
}

static void a_handshake_survives_loss_and_reordering(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sim_opts opts = sim_opts_default(seed);
        struct sim *sim = sim_new(&opts);
        const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
        struct want w = {a, b, 10};
        char text[32];

        sim_set_link(sim, &(struct sim_link){.delay_us = 50 * YR_MS,
                                             .jitter_us = 20 * YR_MS,
                                             .loss = 300,
                                             .duplicate = 100,
                                             .reorder = 300});
        sim_befriend(sim, a, b);
        for (int i = 0; i < 10; i++) {
            snprintf(text, sizeof text, "text %d", i);
            sim_text(sim, i % 2 == 0 ? a : b, i % 2 == 0 ? b : a, text, NULL);
        }
        assert_true(sim_run_until(sim, 5 * MINUTE, all_delivered, &w));
        assert_same_history(sim, a, b);
        sim_free(sim);
    }
}

static void both_sides_that_look_at_once_get_one_link(void **state)
{
    struct sim_opts opts = sim_opts_default(3);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    size_t texts = 0;

    sim_befriend(sim, a, b);
    for (int offset = -50; offset < 50; offset++) {
        struct want w = {a, b, ++texts};
        sim_crash(sim, a);
        sim_crash(sim, b);
        sim_run(sim, YR_S);
        sim_restart(sim, offset < 0 ? a : b);
        sim_run(sim, (yr_us)(1000LL * abs(offset)));
        sim_restart(sim, offset < 0 ? b : a);
        assert_true(sim_run_linked(sim, a, b, 20 * YR_S));
        sim_text(sim, offset % 2 == 0 ? a : b, offset % 2 == 0 ? b : a, "again", NULL);
        assert_true(sim_run_until(sim, MINUTE, all_delivered, &w));
    }
    assert_same_history(sim, a, b);
    sim_free(sim);
}

static void no_recorded_packet_does_anything_a_second_time(void **state)
{
    struct sim_opts opts = sim_opts_default(4);
    struct sim *sim;
    unsigned a, b;
    char *before, *after;
    size_t recorded;

    opts.record = true;
    sim = sim_new(&opts);
    a = sim_add(sim, "alice");
    b = sim_add(sim, "bob");
    struct want w = {a, b, 20};
    sim_befriend(sim, a, b);
    for (int i = 0; i < 20; i++)
        sim_text(sim, i % 3 == 0 ? b : a, i % 3 == 0 ? a : b, "once", NULL);
    assert_true(sim_run_until(sim, MINUTE, all_delivered, &w));
    sim_run(sim, YR_S); // a packet still on its way would be new, wherever it comes from
    before = sim_history(sim, a, b, true);
    recorded = sim_recorded(sim);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < recorded; i++) {
            sim_replay(sim, i, a);
            sim_replay(sim, i, b);
        }
        sim_run(sim, 5 * YR_S);
        assert_int_equal(sim_answers_to_strangers(sim), 0);
        assert_true(sim_linked(sim, a, b));
        after = sim_history(sim, a, b, true);
        assert_string_equal(before, after);
        free(after);
        // and against nodes that remember nothing but their stores
        sim_crash(sim, a);
        sim_crash(sim, b);
        sim_cut(sim, a, b, true);
        sim_restart(sim, a);
        sim_restart(sim, b);
        for (size_t i = 0; i < recorded; i++) {
            sim_replay(sim, i, a);
            sim_replay(sim, i, b);
        }
        sim_run(sim, 5 * YR_S);
        assert_int_equal(sim_answers_to_strangers(sim), 0);
        sim_cut(sim, a, b, false);
        assert_true(sim_run_linked(sim, a, b, 2 * MINUTE));
    }
    free(before);
    sim_free(sim);
}

// A story with texts both ways; either side crashes at its k-th commit.  True while k was reached.
static bool story_with_crash(uint64_t k, bool after, bool crash_a)
{
    struct sim_opts opts = sim_opts_default(5);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    const unsigned victim = crash_a ? a : b;
    struct want w = {a, b, 0};
    bool reached;
    char text[32], unknown[40] = "none", *history;

    sim_befriend(sim, a, b);
    sim_crash_at(sim, victim, sim_commits(sim, victim) + k, after);
    for (int i = 0; i < 12; i++) {
        const unsigned from = i % 2 == 0 ? a : b, to = i % 2 == 0 ? b : a;
        struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = text};
        enum yr_err err;
        uint64_t ticket;
        cmd.body_len = (size_t)snprintf(text, sizeof text, "text %d", i);
        memcpy(cmd.conv, sim_id(sim, to), YR_ID_LEN);
        ticket = sim_command(sim, from, &cmd, &err);
        sim_run(sim, 15 * YR_MS);
        if (err == YR_OK && sim_done(sim, from, ticket) != NULL)
            w.count++;
        else if (err == YR_OK && !sim_alive(sim, from))
            snprintf(unknown, sizeof unknown, "%s\"", text); // nobody was told what became of it
    }
    sim_run(sim, YR_S);
    reached = sim_crashed_at(sim, victim);
    if (reached)
        sim_restart(sim, victim);
    sim_crash_at(sim, victim, 0, false);
    history = sim_history(sim, victim, victim == a ? b : a, false);
    w.count += strstr(history, unknown) != NULL;
    free(history);
    if (!sim_run_until(sim, 5 * MINUTE, all_delivered, &w)) {
        char *h = sim_history(sim, a, b, true), *g = sim_history(sim, b, a, true);
        print_error("k=%u after=%d victim=%s wanted %zu\n%s--\n%s", (unsigned)k, after,
                    crash_a ? "a" : "b", w.count, h, g);
        fail();
    }
    assert_same_history(sim, a, b);
    sim_free(sim);
    return reached;
}

static void a_crash_at_any_commit_loses_and_doubles_nothing(void **state)
{
    for (int side = 0; side < 2; side++)
        for (int after = 0; after < 2; after++)
            for (uint64_t k = 1; story_with_crash(k, after == 1, side == 0); k++)
                assert_true(k < 500);
}

static void an_address_change_in_the_middle_loses_nothing(void **state)
{
    struct sim_opts opts = sim_opts_default(6);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct want w = {a, b, 60};

    sim_befriend(sim, a, b);
    for (int i = 0; i < 60; i++) {
        if (i == 20)
            sim_move(sim, a);
        if (i == 40)
            sim_move(sim, b);
        sim_text(sim, i % 2 == 0 ? a : b, i % 2 == 0 ? b : a, "moving", NULL);
        sim_run(sim, 100 * YR_MS);
    }
    assert_true(sim_run_until(sim, 10 * YR_S, all_delivered, &w));
    assert_same_history(sim, a, b);
    sim_free(sim);
}

// The router gives out other addresses: both ends of a link send to where nobody is any more.
static void two_friends_that_move_at_once_find_each_other_again(void **state)
{
    for (uint64_t seed = 40; seed < 48; seed++) {
        struct sim_opts opts = sim_opts_default(seed);
        struct sim *sim;
        unsigned a, b;
        struct want w;

        opts.lan = true;
        sim = sim_new(&opts);
        a = sim_add(sim, "alice");
        b = sim_add(sim, "bob");
        w = (struct want){a, b, 2};
        sim_befriend(sim, a, b);
        sim_run(sim, 30 * YR_S);
        sim_cut(sim, a, b, true); // what either says at once goes to the old addresses
        sim_move(sim, a);
        sim_move(sim, b);
        sim_run(sim, 50 * YR_MS);
        sim_cut(sim, a, b, false);
        sim_text(sim, a, b, "are you still there", NULL);
        sim_text(sim, b, a, "where are you", NULL);
        assert_true(sim_run_until(sim, 10 * YR_S, all_delivered, &w));
        sim_free(sim);
    }
}

static void texts_wait_for_a_friend_who_is_away(void **state)
{
    struct sim_opts opts = sim_opts_default(7);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct want w = {a, b, 300};

    sim_befriend(sim, a, b);
    sim_crash(sim, b);
    for (int i = 0; i < 300; i++)
        sim_text(sim, a, b, "are you there", NULL);
    sim_crash(sim, a);
    sim_restart(sim, a);
    sim_run(sim, 3 * MINUTE);
    sim_restart(sim, b);
    assert_true(sim_run_until(sim, 2 * MINUTE, all_delivered, &w));
    assert_same_history(sim, a, b);
    sim_free(sim);
}

static void a_full_disk_refuses_and_loses_nothing(void **state)
{
    struct sim_opts opts = sim_opts_default(8);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct want w = {a, b, 2};
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = "no room", .body_len = 7};
    enum yr_err err;
    uint64_t ticket;

    sim_befriend(sim, a, b);
    sim_text(sim, a, b, "before", NULL);
    sim_run(sim, 5 * YR_S);
    memcpy(cmd.conv, sim_id(sim, b), YR_ID_LEN);
    yr_memstore_fail(sim_store(sim, a), YR_ENOSPC, 3);
    ticket = sim_command(sim, a, &cmd, &err);
    assert_int_equal(err, YR_OK);
    sim_run(sim, 100 * YR_MS);
    assert_int_equal(sim_done(sim, a, ticket)->err, YR_ENOSPC);
    (void)sim_command(sim, a, &cmd, &err);
    assert_int_equal(err, YR_ENOSPC);
    assert_int_equal(sim_history_count(sim, a, b), 1);
    sim_run(sim, MINUTE); // the disk has room again, and the node notices by itself
    assert_true(sim_run_linked(sim, a, b, 3 * MINUTE));
    sim_text(sim, a, b, "after", NULL);
    assert_true(sim_run_until(sim, MINUTE, all_delivered, &w));
    assert_same_history(sim, a, b);
    sim_free(sim);
}

static void a_receiver_whose_disk_is_full_acknowledges_nothing(void **state)
{
    struct sim_opts opts = sim_opts_default(9);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct want w = {a, b, 1};
    char *history;

    sim_befriend(sim, a, b);
    sim_run(sim, 5 * YR_S);
    yr_memstore_fail(sim_store(sim, b), YR_ENOSPC, 2);
    sim_text(sim, a, b, "patience", NULL);
    sim_run(sim, 500 * YR_MS);
    history = sim_history(sim, a, b, true);
    assert_non_null(strstr(history, "s0"));
    free(history);
    assert_true(sim_run_until(sim, 5 * MINUTE, all_delivered, &w));
    assert_same_history(sim, a, b);
    sim_free(sim);
}

static void clocks_ten_years_apart_still_talk(void **state)
{
    static const yr_ms years = 10LL * 365 * 86400 * 1000;

    for (int sign = -1; sign <= 1; sign += 2) {
        struct sim_opts opts = sim_opts_default(10);
        struct sim *sim = sim_new(&opts);
        const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
        struct want w = {a, b, 8};

        sim_befriend(sim, a, b);
        sim_skew(sim, b, sign * years);
        for (int i = 0; i < 8; i++) {
            sim_text(sim, i % 2 == 0 ? a : b, i % 2 == 0 ? b : a, "tick tock", NULL);
            sim_run(sim, YR_S);
        }
        assert_true(sim_run_until(sim, MINUTE, all_delivered, &w));
        assert_same_history(sim, a, b);
        sim_free(sim);
    }
}

static uint64_t run_hash(uint64_t seed)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob"), c = sim_add(sim, "carol");
    uint64_t hash;

    sim_set_link(sim, &(struct sim_link){.delay_us = 30 * YR_MS,
                                         .jitter_us = 10 * YR_MS,
                                         .loss = 50,
                                         .duplicate = 50,
                                         .reorder = 100});
    sim_befriend(sim, a, b);
    sim_befriend(sim, b, c);
    for (int i = 0; i < 30; i++) {
        sim_text(sim, b, i % 2 == 0 ? a : c, "the same again", NULL);
        if (i == 10)
            sim_crash(sim, c);
        if (i == 20)
            sim_restart(sim, c);
    }
    sim_run(sim, MINUTE);
    hash = sim_hash(sim);
    sim_free(sim);
    return hash;
}

static void the_same_seed_gives_the_same_run(void **state)
{
    const uint64_t seed = seeded_seed("talk", 11);
    const uint64_t hash = run_hash(seed);

    assert_true(hash == run_hash(seed));
    assert_false(hash == run_hash(seed + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_friends_talk),
        cmocka_unit_test(friends_meet_on_the_lan_without_a_hint),
        cmocka_unit_test(a_handshake_survives_loss_and_reordering),
        cmocka_unit_test(both_sides_that_look_at_once_get_one_link),
        cmocka_unit_test(no_recorded_packet_does_anything_a_second_time),
        cmocka_unit_test(a_crash_at_any_commit_loses_and_doubles_nothing),
        cmocka_unit_test(an_address_change_in_the_middle_loses_nothing),
        cmocka_unit_test(two_friends_that_move_at_once_find_each_other_again),
        cmocka_unit_test(texts_wait_for_a_friend_who_is_away),
        cmocka_unit_test(a_full_disk_refuses_and_loses_nothing),
        cmocka_unit_test(a_receiver_whose_disk_is_full_acknowledges_nothing),
        cmocka_unit_test(clocks_ten_years_apart_still_talk),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
