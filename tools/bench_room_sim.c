/* tools/bench_room_sim.c: a room in the simulator, for figures that want many members and a slow
 * network; run by tools/bench.
 *
 *     bench_room_sim [MEMBERS [RATE [SECONDS]]]      50 members, 100 texts a second, 20 s
 *
 * Members on a random graph of friends, about six of each, with links of 40 ms.  Prints JSON lines:
 * how long until a text is shown to all others (p50, p99 over each text and reader), one text at a
 * time and then at RATE, in virtual time; and the bytes on all links for each text and reader. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/sim/circle.h"
#include "tests/support/test.h"

#define LINK_MS 40
#define GOAL_MS 1000

static void say(struct circle *c, unsigned k)
{
    static const char text[] = "what somebody says in a room, a line of about a hundred bytes, as "
                               "people write them to each other...";

    (void)circle_say(c, k * 7 % c->count, text, NULL);
}

static void figures(struct circle *c, const char *name, size_t first, uint64_t bytes, unsigned rate)
{
    size_t shown;
    const yr_us p50 = circle_latency(c, first, 50, NULL),
                p99 = circle_latency(c, first, 99, &shown);
    size_t wanted = 0;

    for (size_t k = first; k < c->text_count; k++)
        wanted += c->texts[k].reader_count - 1;
    printf("{\"bench\": \"%s\", \"members\": %u, \"link_ms\": %d, \"texts\": %zu, \"rate\": %u, "
           "\"shown\": %zu, \"of\": %zu, \"p50_ms\": %.1f, \"p99_ms\": %.1f, \"goal_p99_ms\": %d, "
           "\"bytes_each\": %.0f, \"baseline\": \"one link\", \"baseline_ms\": %d, "
           "\"ratio\": %.1f}\n",
           name, c->count, LINK_MS, c->text_count - first, rate, shown, wanted, (double)p50 / 1000,
           (double)p99 / 1000, GOAL_MS, (double)bytes / (double)YR_MAX(shown, 1), LINK_MS,
           (double)p99 / 1000 / LINK_MS);
    fflush(stdout);
}

static void bench(unsigned members, unsigned rate, unsigned seconds)
{
    struct sim_opts opts = sim_opts_default(50);
    struct circle *c;
    uint64_t bytes;
    size_t first;

    opts.link = (struct sim_link){.delay_us = LINK_MS * YR_MS, .jitter_us = 4 * YR_MS};
    c = circle_new(&opts, members);
    circle_graph(c, 2);
    circle_found(c, 0, 0);
    circle_gather(c, 0);
    sim_run(c->sim, 30 * YR_S);
    bytes = sim_bytes(c->sim);
    for (unsigned k = 0; k < 2 * members; k++) {
        say(c, k);
        sim_run(c->sim, YR_S);
    }
    figures(c, "room_sim", 0, sim_bytes(c->sim) - bytes, 1);
    first = c->text_count;
    bytes = sim_bytes(c->sim);
    for (unsigned k = 0; k < rate * seconds; k++) {
        say(c, k);
        sim_run(c->sim, YR_S / rate);
    }
    sim_run(c->sim, 10 * YR_S);
    figures(c, "room_sim_busy", first, sim_bytes(c->sim) - bytes, rate);
    circle_free(c);
}

int main(int argc, char **argv)
{
    const unsigned members = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 50;
    const unsigned rate = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100;
    const unsigned seconds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 20;

    if (members < 2 || members > CIRCLE_MAX || rate == 0 || rate > 1000) {
        fprintf(stderr, "usage: bench_room_sim [MEMBERS [RATE [SECONDS]]]\n");
        return 2;
    }
    bench(members, rate, seconds);
    return 0;
}
