/* tools/sim dht: nodes of the DHT and nothing else. */
#include "tools/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/support/dhtnet.h"

#define RTT_MS 100

struct args {
    uint32_t nodes, clients, pairs, colluding, stale, churn;
    uint32_t settle_s, idle_s;
    uint64_t seed;
    const char *scenario;
    bool table;
};

static double real_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rss_mib(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)use.ru_maxrss / 1024;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

// Values of a figure, to be told as mean and percentiles.
struct sample {
    double *list;
    size_t count, cap;
};

static void note(struct sample *s, double v)
{
    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 1024 : 2 * s->cap;
        if ((s->list = realloc(s->list, s->cap * sizeof *s->list)) == NULL)
            abort();
    }
    s->list[s->count++] = v;
}

static double mean(const struct sample *s)
{
    double sum = 0;

    for (size_t i = 0; i < s->count; i++)
        sum += s->list[i];
    return s->count > 0 ? sum / (double)s->count : 0;
}

static double quantile(struct sample *s, double q)
{
    if (s->count == 0)
        return 0;
    qsort(s->list, s->count, sizeof *s->list, by_value);
    return s->list[YR_MIN((size_t)(q * (double)s->count), s->count - 1)];
}

static void progress(const struct dhtnet *net, const char *what)
{
    fprintf(stderr, "%8.1f s  %-24s %7.1f virtual s, %llu packets, %.0f MiB\n", real_s(), what,
            (double)net->now_us / 1e6, (unsigned long long)net->packets, rss_mib());
}

// Everybody joins, each from a node that is there already.
static struct dhtnet *joined(const struct args *a)
{
    const struct dhtnet_opts opts = {.seed = a->seed, .nodes_max = a->nodes + a->clients};
    struct dhtnet *net = dhtnet_new(&opts);

    for (uint32_t i = 0; i < a->nodes + a->clients; i++) {
        const uint32_t from =
            i == 0 ? UINT32_MAX : (uint32_t)(dhtnet_draw(net, 10, i, 0) % YR_MIN(i, a->nodes));

        dhtnet_add(net, i < a->nodes ? YR_DHT_AS_SERVER : YR_DHT_AS_CLIENT, from);
        dhtnet_run(net, 10 * YR_MS);
    }
    progress(net, "joined");
    return net;
}

// So many of a hundred servers lie from now on; half of them also when they are to forward.
static void turn(struct dhtnet *net, const struct args *a)
{
    for (uint32_t i = 1; i < a->nodes; i++)
        if (dhtnet_draw(net, 11, i, 0) % 100 < a->colluding)
            net->nodes[i].kind = dhtnet_draw(net, 12, i, 0) % 2 ? DHTNET_LIAR : DHTNET_SILENTER;
    dhtnet_liars(net);
}

struct pair {
    uint32_t writer, reader;
    uint8_t pk[32];
    struct dhtnet_job put, get;
    unsigned puts, gets;
    bool first; /* found at the first try */
};

static uint32_t somebody(const struct dhtnet *net, uint64_t stream, uint64_t n)
{
    for (uint64_t tries = 0;; tries++) {
        const uint32_t i = (uint32_t)(dhtnet_draw(net, stream, n, tries) % net->count);

        if (net->nodes[i].up && net->nodes[i].kind == DHTNET_HONEST)
            return i;
    }
}

static void put_all(struct dhtnet *net, struct pair *pairs, uint32_t count)
{
    uint8_t record[YR_DHT_RECORD_MAX];
    size_t len;
    bool hard = false;

    for (int round = 0; round < 3; round++, hard = true) {
        for (uint32_t i = 0; i < count; i++) {
            if (round > 0 && pairs[i].put.result.answered > 0)
                continue;
            pairs[i].puts++;
            len = dhtnet_record(net, i, 1, record, pairs[i].pk);
            dhtnet_put(net, pairs[i].writer, record, len, hard, &pairs[i].put);
            dhtnet_run(net, 5 * YR_MS);
        }
        dhtnet_run(net, 31 * YR_S);
    }
}

static void get_all(struct dhtnet *net, struct pair *pairs, uint32_t count)
{
    bool hard = false;

    for (int round = 0; round < 2; round++, hard = true) {
        for (uint32_t i = 0; i < count; i++) {
            if (round > 0 && pairs[i].get.found)
                continue;
            pairs[i].gets++;
            dhtnet_get(net, pairs[i].reader, pairs[i].pk, hard, &pairs[i].get);
            dhtnet_run(net, 5 * YR_MS);
        }
        dhtnet_run(net, 31 * YR_S);
        for (uint32_t i = 0; i < count; i++)
            pairs[i].first |= round == 0 && pairs[i].get.found;
    }
}

static void silence(struct dhtnet *net, uint32_t percent, uint64_t stream, const struct pair *pairs,
                    uint32_t count)
{
    bool *keep = calloc(net->count, sizeof *keep);

    for (uint32_t i = 0; i < count; i++)
        keep[pairs[i].reader] = true;
    for (uint32_t i = 1; i < net->count; i++)
        if (dhtnet_draw(net, stream, i, 0) % 100 < percent && !keep[i] &&
            net->nodes[i].kind == DHTNET_HONEST)
            net->nodes[i].up = false;
    free(keep);
}

static void say(struct sim_report *r, const char *name, double value, const char *unit, double goal,
                bool most)
{
    const struct sim_figure f = {.name = name,
                                 .unit = unit,
                                 .value = value,
                                 .goal = goal,
                                 .has_goal = goal >= 0,
                                 .most = most};

    sim_say(r, &f);
}

#define NO_GOAL (-1.0)

static void idle(struct dhtnet *net, const struct args *a, struct sim_report *r)
{
    double server = 0, client = 0, began = real_s();
    const uint32_t run_s = a->idle_s;

    for (uint32_t i = 0; i < net->count; i++)
        net->nodes[i].out_bytes = net->nodes[i].in_bytes = 0;
    dhtnet_run(net, run_s * YR_S);
    began = real_s() - began;
    for (uint32_t i = 0; i < net->count; i++)
        *(i < a->nodes ? &server : &client) +=
            (double)(net->nodes[i].out_bytes + net->nodes[i].in_bytes) / run_s;
    r->hash = net->hash;
    say(r, "idle_server", server / a->nodes, "B/s", 150, true);
    if (a->clients > 0)
        say(r, "idle_client", client / a->clients, "B/s", 10, true);
    say(r, "idle_speed", run_s / began, "x real time", 20, false);
    say(r, "memory_node", (double)net->memory / net->count / 1024, "KiB", 100, true);
    {
        size_t in = 0, spares = 0, keys = 0, map = 0, reqs = 0, least = SIZE_MAX;

        for (uint32_t i = 0; i < net->count; i++) {
            const struct yr_dht *d = net->nodes[i].dht;

            for (int b = 0; b < YR_DHT_BUCKETS; b++) {
                in += d->tables[0].buckets[b].in_cap;
                spares += d->tables[0].buckets[b].spare_cap;
            }
            keys += d->keys.count;
            map += d->keys.map.cap;
            reqs += d->request_count;
            least = YR_MIN(least, d->tables[0].count);
            if (d->tables[0].count < 40)
                fprintf(stderr,
                        "node %u %d knows %zu, searches %zu sent %llu timeouts %llu joined %d "
                        "refresh %lld buckets %u %u %u %u %u\n",
                        i, d->serves, d->tables[0].count, d->search_count,
                        (unsigned long long)d->counters[0],
                        (unsigned long long)d->counters[YR_DHT_N_TIMEOUTS], d->joined,
                        (long long)(d->refresh_us - net->now_us) / 1000000,
                        d->tables[0].buckets[0].in_count, d->tables[0].buckets[1].in_count,
                        d->tables[0].buckets[2].in_count, d->tables[0].buckets[3].in_count,
                        d->tables[0].buckets[4].in_count);
        }
        fprintf(stderr,
                "a node: entries %zu, spares %zu, keys %zu, map %zu, requests %zu; least %zu, heap "
                "%zu\n",
                in / net->count, spares / net->count, keys / net->count, map / net->count,
                reqs / net->count, least, net->heap_most);
    }
    progress(net, "idle");
}

static void searches(struct dhtnet *net, const struct args *a, struct sim_report *r)
{
    struct pair *pairs = calloc(a->pairs, sizeof *pairs);
    struct sample hops = {0}, known = {0}, after = {0}, took = {0}, stored = {0}, sent = {0};
    const double size = a->nodes <= 2000 ? 0 : a->nodes <= 20000 ? 1 : 2;
    unsigned found = 0, first = 0, direct = 0, put = 0, hard_puts = 0;
    const bool bad = a->colluding + a->stale + a->churn > 0;
    double goal = 99.9;

    silence(net, a->stale, 20, NULL, 0);
    for (uint32_t i = 0; i < a->pairs; i++) {
        pairs[i].writer = somebody(net, 21, i);
        pairs[i].reader = somebody(net, 22, i);
    }
    put_all(net, pairs, a->pairs);
    progress(net, "put");
    silence(net, a->churn, 23, pairs, a->pairs);
    get_all(net, pairs, a->pairs);
    progress(net, "got");
    for (uint32_t i = 0; i < a->pairs; i++) {
        const struct pair *p = &pairs[i];

        put += p->put.result.answered > 0;
        hard_puts += p->puts > 1;
        note(&stored, p->put.result.answered);
        found += p->get.found;
        first += p->first;
        direct += p->get.result.direct + p->put.result.direct;
        if (!p->first)
            continue;
        note(&sent, p->get.result.requests);
        note(&hops, p->get.result.hops);
        note(&known, (double)p->get.result.known_us / 1000 / RTT_MS);
        note(&took, (double)(p->get.found_us - p->get.began_us) / 1000 / RTT_MS);
        note(&after,
             (double)(p->get.found_us - p->get.began_us - p->get.result.known_us) / 1000 / RTT_MS);
    }
    if ((a->colluding >= 30 && a->stale >= 30))
        goal = 99;
    if (a->churn >= 50)
        goal = 99.5;
    r->hash = net->hash;
    say(r, "success", 100.0 * found / a->pairs, "%", goal, false);
    say(r, "success_first_try", 100.0 * first / a->pairs, "%", NO_GOAL, false);
    say(r, "put", 100.0 * put / a->pairs, "%", NO_GOAL, false);
    say(r, "put_again", 100.0 * hard_puts / a->pairs, "%", NO_GOAL, true);
    say(r, "stored_by", mean(&stored), "nodes", NO_GOAL, false);
    say(r, "direct", direct, "searches", 0, true);
    say(r, "hops_mean", mean(&hops), "", bad ? NO_GOAL : 1.6 + .6 * size, true);
    say(r, "hops_p99", quantile(&hops, .99), "", bad ? NO_GOAL : 3 + size, true);
    say(r, "known_median", quantile(&known, .5), "RTT",
        bad         ? NO_GOAL
        : size == 0 ? 1.3
        : size == 1 ? 1.8
                    : 2.5,
        true);
    say(r, "known_p99", quantile(&known, .99), "RTT", NO_GOAL, true);
    say(r, "in_hand_after_median", quantile(&after, .5), "RTT", bad ? NO_GOAL : 2.5, true);
    say(r, "in_hand_median", quantile(&took, .5), "RTT", NO_GOAL, true);
    say(r, "in_hand_p99", quantile(&took, .99), "RTT", NO_GOAL, true);
    say(r, "requests_mean", mean(&sent), "", NO_GOAL, true);
    free(pairs);
}

static int standard(const struct args *a)
{
    struct sim_report report = {.table = a->table, .seed = a->seed};
    struct dhtnet *net = joined(a);

    dhtnet_run(net, a->settle_s * YR_S);
    progress(net, "settled");
    turn(net, a);
    if (a->idle_s > 0)
        idle(net, a, &report);
    searches(net, a, &report);
    say(&report, "memory", rss_mib(), "MiB", a->nodes <= 10000 ? 1024 : NO_GOAL, true);
    dhtnet_free(net);
    return report.missed > 0;
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 0);
}

int sim_dht(int argc, char **argv)
{
    struct args a = {
        .nodes = 1000, .clients = UINT32_MAX, .settle_s = 300, .idle_s = UINT32_MAX, .seed = 1};
    bool known = true;

    for (int i = 1; i < argc && known; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(argv[i], "--table") == 0) {
            a.table = true;
            continue;
        }
        i++;
        if (value == NULL)
            known = false;
        else if (strcmp(argv[i - 1], "--nodes") == 0)
            a.nodes = number(value);
        else if (strcmp(argv[i - 1], "--clients") == 0)
            a.clients = number(value);
        else if (strcmp(argv[i - 1], "--pairs") == 0)
            a.pairs = number(value);
        else if (strcmp(argv[i - 1], "--colluding") == 0)
            a.colluding = number(value);
        else if (strcmp(argv[i - 1], "--stale") == 0)
            a.stale = number(value);
        else if (strcmp(argv[i - 1], "--churn") == 0)
            a.churn = number(value);
        else if (strcmp(argv[i - 1], "--settle") == 0)
            a.settle_s = number(value);
        else if (strcmp(argv[i - 1], "--idle") == 0)
            a.idle_s = number(value);
        else if (strcmp(argv[i - 1], "--seed") == 0)
            a.seed = strtoull(value, NULL, 0);
        else
            known = false;
    }
    if (!known || a.nodes < 2) {
        fprintf(stderr,
                "usage: tools/sim dht [--nodes N] [--clients N] [--pairs N] [--colluding PERCENT]\n"
                "                     [--stale PERCENT] [--churn PERCENT] [--settle SECONDS]\n"
                "                     [--idle SECONDS] [--seed S] [--table]\n");
        return 2;
    }
    if (a.clients == UINT32_MAX)
        a.clients = a.nodes / 10;
    if (a.idle_s == UINT32_MAX) // an hour: everything that is done now and then
        a.idle_s = a.colluding + a.stale + a.churn > 0 ? 0 : 3600;
    if (a.pairs == 0)
        a.pairs = YR_MIN(a.nodes, 2000U);
    return standard(&a);
}
