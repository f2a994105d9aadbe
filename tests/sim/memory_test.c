/* The machine has no more: every allocation refused once, reads that fail, a slow store. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)

struct want {
    unsigned a, b;
    size_t count;
};

static bool all_delivered(struct sim *sim, void *ctx)
{
    const struct want *w = ctx;
    struct yr_self of_a, of_b;

    if (!sim_alive(sim, w->a) || !sim_alive(sim, w->b))
        return false;
    yr_node_self(sim_node(sim, w->a), &of_a);
    yr_node_self(sim_node(sim, w->b), &of_b);
    return of_a.queued == 0 && of_b.queued == 0 && sim_history_count(sim, w->a, w->b) == w->count &&
           sim_history_count(sim, w->b, w->a) == w->count;
}

static void assert_same_history(struct sim *sim, unsigned a, unsigned b)
{
    char *of_a = sim_history(sim, a, b, false), *of_b = sim_history(sim, b, a, false);

    assert_string_equal(of_a, of_b);
    free(of_a);
    free(of_b);
}

static void tell_failure(struct sim *sim, const struct want *w, const char *what, uint64_t k)
{
    char *of_a = sim_history(sim, w->a, w->b, true), *of_b = sim_history(sim, w->b, w->a, true);
    struct yr_self sa, sb;

    yr_node_self(sim_node(sim, w->a), &sa);
    yr_node_self(sim_node(sim, w->b), &sb);
    print_error("%s %llu: wanted %zu, queued %zu and %zu\n%s--\n%s", what, (unsigned long long)k,
                w->count, sa.queued, sb.queued, of_a, of_b);
    fail();
}

// Texts both ways, an edit, a reaction; true: accepted, by the DONE event.
static void say(struct sim *sim, unsigned from, unsigned to, int i, struct want *w)
{
    char text[32];
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = text};
    const struct yr_event *done;
    enum yr_err err;
    uint64_t ticket;

    cmd.body_len = (size_t)snprintf(text, sizeof text, "text %d", i);
    memcpy(cmd.conv, sim_id(sim, to), YR_ID_LEN);
    ticket = sim_command(sim, from, &cmd, &err);
    sim_run(sim, 30 * YR_MS);
    done = sim_done(sim, from, ticket);
    w->count += err == YR_OK && done != NULL && done->err == YR_OK;
}

// One short story in which the k-th allocation of one side is refused.  False: it had fewer.
static bool story_with_refusal(uint64_t k, bool of_a)
{
    struct sim_opts opts = sim_opts_default(70);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    const unsigned victim = of_a ? a : b;
    struct want w = {a, b, 0};
    uint64_t end;

    sim_befriend(sim, a, b);
    sim_run(sim, YR_S);
    sim_refuse_at(sim, victim, sim_allocs(sim, victim) + k);
    for (int i = 0; i < 4; i++)
        say(sim, i % 2 == 0 ? a : b, i % 2 == 0 ? b : a, i, &w);
    end = sim_allocs(sim, victim);
    sim_run(sim, 3 * YR_S);
    say(sim, a, b, 4, &w);
    if (!sim_run_until(sim, 3 * MINUTE, all_delivered, &w))
        tell_failure(sim, &w, of_a ? "alice's allocation" : "bob's allocation", k);
    assert_same_history(sim, a, b);
    sim_free(sim);
    return k <= end;
}

static void any_allocation_refused_once_loses_nothing_accepted(void **state)
{
    for (int side = 0; side < 2; side++) {
        struct sim_opts opts = sim_opts_default(70);
        struct sim *sim = sim_new(&opts);
        const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
        struct want w = {a, b, 0};
        uint64_t from, count;
        sim_befriend(sim, a, b);
        sim_run(sim, YR_S);
        from = sim_allocs(sim, side == 0 ? a : b);
        for (int i = 0; i < 4; i++)
            say(sim, i % 2 == 0 ? a : b, i % 2 == 0 ? b : a, i, &w);
        count = sim_allocs(sim, side == 0 ? a : b) - from;
        sim_free(sim);
        assert_true(count > 10 && count < 3000);
        for (uint64_t k = 1; k <= count; k += count / 120 + 1)
            (void)story_with_refusal(k, side == 0);
    }
}

static void reads_that_fail_lose_nothing_accepted(void **state)
{
    for (size_t n = 1; n < 24; n++) {
        struct sim_opts opts = sim_opts_default(71);
        struct sim *sim = sim_new(&opts);
        const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
        struct want w = {a, b, 0};
        sim_befriend(sim, a, b);
        sim_run(sim, YR_S);
        say(sim, a, b, 0, &w);
        for (int i = 1; i < 5; i++) {
            yr_memstore_fail_reads(sim_store(sim, i % 2 == 0 ? a : b), YR_EIO, n);
            say(sim, i < 3 ? a : b, i < 3 ? b : a, i, &w);
        }
        yr_memstore_fail_reads(sim_store(sim, a), YR_OK, 0);
        yr_memstore_fail_reads(sim_store(sim, b), YR_OK, 0);
        if (!sim_run_until(sim, 5 * MINUTE, all_delivered, &w))
            tell_failure(sim, &w, "failed reads", n);
        assert_same_history(sim, a, b);
        sim_free(sim);
    }
}

static void a_slow_store_delays_and_loses_nothing(void **state)
{
    struct sim_opts opts = sim_opts_default(72);
    struct sim *sim;
    struct want w = {0, 1, 0};

    opts.commit_us = 500 * YR_MS;
    sim = sim_new(&opts);
    (void)sim_add(sim, "alice");
    (void)sim_add(sim, "bob");
    sim_befriend(sim, 0, 1);
    for (int i = 0; i < 200; i++) {
        char text[16];
        struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = text};
        enum yr_err err;
        cmd.body_len = (size_t)snprintf(text, sizeof text, "text %d", i);
        memcpy(cmd.conv, sim_id(sim, i % 3 == 0), YR_ID_LEN);
        (void)sim_command(sim, i % 3 != 0, &cmd, &err);
        w.count += err == YR_OK;
        sim_run(sim, 7 * YR_MS);
        if (i == 100)
            sim_move(sim, 0);
    }
    assert_int_equal(w.count, 200);
    assert_true(sim_run_until(sim, 3 * MINUTE, all_delivered, &w));
    assert_same_history(sim, 0, 1);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_allocation_refused_once_loses_nothing_accepted),
        cmocka_unit_test(reads_that_fail_lose_nothing_accepted),
        cmocka_unit_test(a_slow_store_delays_and_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
