/* sim-hash SEED: a run of three friends through loss, a partition, crashes and a move; prints what
 * came of it and the hash over all that happened. */
#include "tests/support/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/sim/sim.h"

static uint64_t seed;

static bool settled(struct sim *sim, void *ctx)
{
    const size_t want = *(const size_t *)ctx;

    return sim_history_count(sim, 0, 1) == want && sim_history_count(sim, 1, 0) == want &&
           sim_history_count(sim, 0, 2) == want && sim_history_count(sim, 2, 0) == want;
}

static void a_run(void **state)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct sim *sim;
    size_t texts = 0;
    char text[32], *history;

    opts.link = (struct sim_link){.delay_us = 30 * YR_MS,
                                  .jitter_us = 20 * YR_MS,
                                  .loss = 100,
                                  .duplicate = 50,
                                  .reorder = 100};
    sim = sim_new(&opts);
    (void)sim_add(sim, "alice");
    (void)sim_add(sim, "bob");
    (void)sim_add(sim, "carol");
    sim_befriend(sim, 0, 1);
    sim_befriend(sim, 0, 2);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(text, sizeof text, "text %u", i);
        sim_text(sim, i % 3 == 0 ? 0 : 1, i % 3 == 0 ? 1 : 0, text, NULL);
        sim_text(sim, i % 2 == 0 ? 0 : 2, i % 2 == 0 ? 2 : 0, text, NULL);
        texts++;
        sim_run(sim, 200 * YR_MS);
        if (i == 20)
            sim_cut(sim, 0, 1, true);
        if (i == 25)
            sim_cut(sim, 0, 1, false);
        if (i == 30)
            sim_move(sim, 2);
        if (i == 40) {
            sim_crash(sim, 0);
            sim_run(sim, 3 * YR_S);
            sim_restart(sim, 0);
        }
    }
    assert_true(sim_run_until(sim, 600 * YR_S, settled, &texts));
    history = sim_history(sim, 1, 0, false);
    printf("seed %" PRIu64 ": %zu texts each, %zu bytes of history, %.3f s, hash %016" PRIx64 "\n",
           seed, texts, strlen(history), (double)sim_time(sim) / 1e6, sim_hash(sim));
    free(history);
    sim_free(sim);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_run)};

    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
