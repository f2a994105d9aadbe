/* tools/sim dht: nodes of the DHT and nothing else.  The scenes are those of tests/sim, larger. */
#include "tools/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/support/dhtscene.h"

static double rss_mib(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)use.ru_maxrss / 1024;
}

static void on_progress(void *ctx, const struct dhtnet *net, const char *what)
{
    (void)ctx;
    fprintf(stderr, "%8.1f s  %-24s %7.1f virtual s, %llu packets, %.0f MiB\n",
            (double)clock() / CLOCKS_PER_SEC, what, (double)net->now_us / 1e6,
            (unsigned long long)net->packets, rss_mib());
}

static void on_figure(void *ctx, const struct dhtscene_figure *f)
{
    struct sim_report *report = ctx;
    const struct sim_figure figure = {.name = f->name,
                                      .unit = f->unit,
                                      .value = f->value,
                                      .goal = f->goal,
                                      .has_goal = f->sense != DHTSCENE_NO_GOAL,
                                      .most = f->sense == DHTSCENE_AT_MOST};

    report->hash = f->hash;
    sim_say(report, &figure);
}

static int usage(void)
{
    const char *name, *what;

    fprintf(stderr,
            "usage: tools/sim dht [--scenario NAME] [--nodes N] [--clients N] [--pairs N]\n"
            "                     [--colluding PERCENT] [--stale PERCENT] [--churn PERCENT]\n"
            "                     [--settle SECONDS] [--idle SECONDS] [--seed S] [--fake-keys] "
            "[--table]\n");
    for (size_t i = 0; dhtscene_at(i, &name, &what); i++)
        fprintf(stderr, "  %-10s %s\n", name, what);
    return 2;
}

int sim_dht(int argc, char **argv)
{
    struct sim_report report = {.seed = 1};
    struct dhtscene o = {.nodes = 1000,
                         .clients = UINT32_MAX,
                         .settle_s = 300,
                         .idle_s = UINT32_MAX,
                         .say = on_figure,
                         .progress = on_progress,
                         .ctx = &report};
    const char *scenario = "standard";
    const struct {
        const char *name;
        uint32_t *value;
    } numbers[] = {{"--nodes", &o.nodes},         {"--clients", &o.clients}, {"--pairs", &o.pairs},
                   {"--colluding", &o.colluding}, {"--stale", &o.stale},     {"--churn", &o.churn},
                   {"--settle", &o.settle_s},     {"--idle", &o.idle_s}};

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool known = false;

        if (strcmp(argv[i], "--table") == 0) {
            report.table = true;
            continue;
        }
        if (strcmp(argv[i], "--fake-keys") == 0) {
            sim_fake_keys();
            continue;
        }
        for (size_t n = 0; value != NULL && n < YR_COUNT(numbers); n++)
            if (strcmp(argv[i], numbers[n].name) == 0) {
                *numbers[n].value = (uint32_t)strtoul(value, NULL, 0);
                known = true;
            }
        if (value != NULL && strcmp(argv[i], "--seed") == 0) {
            report.seed = strtoull(value, NULL, 0);
            known = true;
        } else if (value != NULL && strcmp(argv[i], "--scenario") == 0) {
            scenario = value;
            known = true;
        }
        if (!known)
            return usage();
        i++;
    }
    if (o.nodes < 20)
        return usage();
    o.seed = report.seed;
    if (o.clients == UINT32_MAX)
        o.clients = o.nodes / 20;
    if (o.pairs == 0)
        o.pairs = YR_MIN(o.nodes, 2000U);
    if (o.idle_s == UINT32_MAX) // an hour: everything that is done now and then
        o.idle_s = o.colluding + o.stale + o.churn > 0 ? 0 : 3600;
    if (!dhtscene_run(scenario, &o))
        return usage();
    sim_say(&report, &(struct sim_figure){.name = "memory of the run",
                                          .unit = "MiB",
                                          .value = rss_mib(),
                                          .goal = 1024,
                                          .has_goal = o.nodes <= 10000,
                                          .most = true});
    return report.missed > 0;
}
