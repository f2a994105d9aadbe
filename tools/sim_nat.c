/* tools/sim nat: friends behind boxes, as people sit, who know one node of the DHT. */
#include "tools/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/kdf.h"
#include "tests/support/sim/town.h"

#define SERVERS  12
#define GROUP    10                /* pairs of one world */
#define DELAY_US (25 * YR_MS)      /* one way: 50 ms there and back */
#define ASLEEP   (3 * 3600 * YR_S) /* longer than a record lives */
#define WATCHED  (90 * YR_S)

/* ---- a run ---- */

struct run {
    struct sim_report report;
    const struct people_mix *mix;
    unsigned pairs;
    const char *only; /* one of the parts, or NULL: all */
    uint64_t draws;
};

static uint64_t draw(struct run *run)
{
    static const uint8_t key[16] = "yaari sim nat";
    const uint64_t in[2] = {run->report.seed, run->draws++};
    uint64_t value;
    uint8_t out[8];

    yr_siphash(out, key, in, sizeof in);
    memcpy(&value, out, sizeof value);
    return value;
}

// What happened in a world becomes part of the run's hash.
static void end_world(struct run *run, struct sim *sim)
{
    static const uint8_t key[16] = "yaari sim nat";
    const uint64_t in[2] = {run->report.hash, sim_hash(sim)};
    uint8_t out[8];

    yr_siphash(out, key, in, sizeof in);
    memcpy(&run->report.hash, out, sizeof run->report.hash);
    sim_free(sim);
}

static int by_value(const void *a, const void *b)
{
    const yr_us *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

// In seconds; sorts.
static double percentile(yr_us *values, size_t count, unsigned percent)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    return (double)values[(count - 1) * percent / 100] / 1e6;
}

/* ---- pairs ---- */

struct pair {
    unsigned a, b;
    enum nat_class a_class, b_class;
    yr_us up, linked, direct; /* when the later one came up; 0: not yet */
    bool guessed, told;       /* by birthday; the user can see what was tried */
};

struct group {
    struct sim *sim;
    struct pair pairs[GROUP];
    unsigned count;
};

static void on_event(void *ctx, unsigned node, const struct yr_event *event)
{
    struct group *g = ctx;

    if (event->kind != YR_EV_PRESENCE && event->kind != YR_EV_NET)
        return;
    for (unsigned i = 0; i < g->count; i++) {
        struct pair *p = &g->pairs[i];
        if ((p->a != node && p->b != node) || p->direct != 0 || !sim_alive(g->sim, p->a) ||
            !sim_alive(g->sim, p->b))
            continue;
        if (p->linked == 0 && town_link(g->sim, p->a, p->b) != TOWN_NONE)
            p->linked = sim_time(g->sim);
        if (town_link(g->sim, p->a, p->b) == TOWN_DIRECT)
            p->direct = sim_time(g->sim);
    }
}

// The i-th of `count` pairs has the classes that the shares give it: each cell of the table of
// classes comes as often as it should, but for one.
static void deal(const struct people_mix *mix, unsigned i, unsigned count, struct pair *p)
{
    double left = (i + 0.5) / count * 10000;

    for (enum nat_class a = NAT_OPEN; a <= NAT_SYMMETRIC; a++)
        for (enum nat_class b = NAT_OPEN; b <= NAT_SYMMETRIC; b++) {
            p->a_class = a;
            p->b_class = b;
            if (left < mix->share[a] * mix->share[b])
                return;
            left -= mix->share[a] * mix->share[b];
        }
}

static void text(struct sim *sim, unsigned from, unsigned to)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = "there?", .body_len = 6};
    enum yr_err err;

    memcpy(cmd.conv, sim_id(sim, to), YR_ID_LEN);
    (void)sim_command(sim, from, &cmd, &err);
}

// Two that were friends in better days, asleep.
static void befriend_and_sleep(struct run *run, struct sim *sim, struct pair *p)
{
    p->a = town_person(sim, "a");
    p->b = town_person(sim, "b");
    sim_befriend(sim, p->a, p->b);
    sim_crash(sim, p->a);
    sim_crash(sim, p->b);
    (void)people_settle(sim, p->a, p->a_class, draw(run));
    (void)people_settle(sim, p->b, p->b_class, draw(run));
}

// Both come up within two seconds, and one has something to say.
static void meet(struct run *run, struct group *g, struct pair *p)
{
    struct sim *sim = g->sim;

    sim_restart(sim, p->a);
    text(sim, p->a, p->b);
    sim_run(sim, draw(run) % (2 * YR_S));
    sim_restart(sim, p->b);
    p->up = sim_time(sim);
}

struct pairs_result {
    unsigned count, direct, plain, untold, slow;
    yr_us *linked, *guessed; /* how long it took: without guesses, with */
    size_t linked_count, guessed_count;
};

static void take_pair(struct group *g, struct pair *p, struct pairs_result *r)
{
    struct yr_try try;

    p->guessed = p->direct != 0 && (town_worked(g->sim, p->a, p->b, YR_WAY_BIRTHDAY) ||
                                    town_worked(g->sim, p->b, p->a, YR_WAY_BIRTHDAY));
    p->told = yr_node_try_at(sim_node(g->sim, p->a), sim_id(g->sim, p->b), 0, &try);
    r->count++;
    r->direct += p->direct != 0;
    r->plain += p->direct != 0 && !p->guessed;
    r->untold += p->direct == 0 && !p->told;
    if (p->guessed)
        r->guessed[r->guessed_count++] = p->direct - p->up;
    else if (p->direct != 0)
        r->linked[r->linked_count++] = p->direct - p->up;
    if (getenv("SIM_NAT_VERBOSE") != NULL) {
        fprintf(stderr, "pair %u: %s with %s: %s%s, %.3f s\n", r->count - 1,
                nat_class_names[p->a_class], nat_class_names[p->b_class],
                p->direct != 0   ? "direct"
                : p->linked != 0 ? "relayed"
                                 : "none",
                p->guessed ? " (guessed)" : "",
                p->linked != 0 ? (double)(p->linked - p->up) / 1e6 : 0.0);
        if (p->direct == 0 && nat_theory(p->a_class, p->b_class) != NAT_RELAYED)
            town_print(g->sim, p->a, p->b);
    }
}

static void run_pairs(struct run *run, struct pairs_result *r)
{
    r->linked = calloc(run->pairs + GROUP, sizeof *r->linked);
    r->guessed = calloc(run->pairs + GROUP, sizeof *r->guessed);
    for (unsigned done = 0; done < run->pairs; done += GROUP) {
        struct group g = {.sim = town_new(draw(run), SERVERS, DELAY_US)};
        g.count = YR_MIN(run->pairs - done, GROUP);
        for (unsigned i = 0; i < g.count; i++) {
            // neighbours in the table of classes do not share a world
            deal(run->mix, (done + i) * 7919u % run->pairs, run->pairs, &g.pairs[i]);
            befriend_and_sleep(run, g.sim, &g.pairs[i]);
        }
        sim_run(g.sim, ASLEEP);
        sim_watch(g.sim, on_event, &g);
        for (unsigned i = 0; i < g.count; i++)
            meet(run, &g, &g.pairs[i]);
        sim_run(g.sim, WATCHED);
        for (unsigned i = 0; i < g.count; i++)
            take_pair(&g, &g.pairs[i], r);
        end_world(run, g.sim);
    }
}

static void say_pairs(struct run *run)
{
    const bool balanced = strcmp(run->mix->name, "balanced") == 0;
    struct pairs_result r = {0};
    char note[2][96];

    run_pairs(run, &r);
    snprintf(note[0], sizeof note[0], "theory %.1f %%; %u pairs of \"%s\"",
             people_theory(run->mix, true) / 10.0, r.count, run->mix->name);
    snprintf(note[1], sizeof note[1], "theory %.1f %%", people_theory(run->mix, false) / 10.0);
    const struct sim_figure figures[] = {
        {"direct, with birthday", "%", 100.0 * r.direct / r.count, 96, balanced, false, note[0]},
        {"direct, without", "%", 100.0 * r.plain / r.count, 80, balanced, false, note[1]},
        {"cold start to link, p50", "s", percentile(r.linked, r.linked_count, 50), 3, true, true,
         "both start within 2 s, one bootstrap peer at 50 ms; no guessed ones"},
        {"cold start to link, p99", "s", percentile(r.linked, r.linked_count, 99), 10, true, true,
         NULL},
        {"cold start to link by birthday, p50", "s", percentile(r.guessed, r.guessed_count, 50), 0,
         false, true, NULL},
        {"cold start to link by birthday, p99", "s", percentile(r.guessed, r.guessed_count, 99), 0,
         false, true, NULL},
        {"pairs without a link and without a word why", "", r.untold, 0, true, true, NULL},
    };
    for (size_t i = 0; i < YR_COUNT(figures); i++)
        sim_say(&run->report, &figures[i]);
    free(r.linked);
    free(r.guessed);
}

/* ---- both symmetric, and a common friend ---- */

// From when both are linked with the common friend until they are with each other.
static yr_us run_trio(struct run *run)
{
    struct sim *sim = town_new(draw(run), SERVERS, DELAY_US);
    const unsigned a = town_person(sim, "a"), b = town_person(sim, "b"),
                   carol = town_person(sim, "carol");
    const enum nat_class class = people_class(run->mix, draw(run));
    yr_us took = WATCHED, from;

    sim_befriend(sim, a, carol);
    sim_befriend(sim, b, carol);
    sim_befriend(sim, a, b);
    sim_run(sim, 10 * YR_S);
    for (unsigned node = a; node <= carol; node++)
        sim_crash(sim, node);
    (void)people_settle(sim, a, NAT_SYMMETRIC, draw(run));
    (void)people_settle(sim, b, NAT_SYMMETRIC, draw(run));
    // a symmetric friend of two symmetric ones would need a friend himself
    (void)people_settle(
        sim, carol, class == NAT_SYMMETRIC || class == NAT_PORT_RESTRICTED ? NAT_RESTRICTED : class,
        draw(run));
    sim_run(sim, 60 * YR_S);
    sim_restart(sim, carol);
    sim_restart(sim, a);
    if (town_run_link(sim, a, carol, TOWN_DIRECT, WATCHED)) {
        sim_restart(sim, b);
        (void)town_run_link(sim, b, carol, TOWN_DIRECT, WATCHED);
        from = sim_time(sim);
        if (town_run_link(sim, a, b, TOWN_RELAYED, WATCHED))
            took = sim_time(sim) - from;
    }
    if (took == WATCHED && getenv("SIM_NAT_VERBOSE") != NULL) {
        town_print(sim, a, carol);
        town_print(sim, b, carol);
        town_print(sim, b, a);
    }
    end_world(run, sim);
    return took;
}

static void say_trios(struct run *run)
{
    const unsigned count = YR_MAX(10, run->pairs / 20);
    yr_us *took = calloc(count, sizeof *took);
    unsigned fast = 0;

    for (unsigned i = 0; i < count; i++) {
        took[i] = run_trio(run);
        fast += took[i] <= YR_S;
    }
    const struct sim_figure figures[] = {
        {"both symmetric, a common friend: linked within 1 s", "%", 100.0 * fast / count, 100, true,
         false, "from when both are linked with the common friend"},
        {"both symmetric, a common friend: linked, p50", "s", percentile(took, count, 50), 1, true,
         true, NULL},
    };
    for (size_t i = 0; i < YR_COUNT(figures); i++)
        sim_say(&run->report, &figures[i]);
    free(took);
}

/* ---- at rest ---- */

#define FRIENDS 20
#define REST    (3600 * YR_S)

// Bytes a second of a node with so many friends online, all behind boxes, over an hour.
static double rest(struct run *run, unsigned friends, unsigned *online)
{
    struct sim *sim = town_new(draw(run), 40, DELAY_US);
    const unsigned hub = town_person(sim, "hub");
    struct sim_traffic from, to;

    for (unsigned i = 0; i < friends; i++)
        sim_befriend(sim, hub, town_person(sim, "friend"));
    (void)people_settle(sim, hub, NAT_PORT_RESTRICTED, draw(run));
    for (unsigned i = 0; i < friends; i++)
        (void)people_settle(sim, hub + 1 + i, i % NAT_SYMMETRIC, draw(run));
    sim_run(sim, 3600 * YR_S);
    *online = 0;
    for (unsigned i = 0; i < friends; i++)
        *online += sim_linked(sim, hub, hub + 1 + i);
    from = sim_traffic(sim, hub);
    sim_run(sim, REST);
    to = sim_traffic(sim, hub);
    end_world(run, sim);
    return (double)(to.in + to.out - from.in - from.out) / (double)(REST / YR_S);
}

static void say_rest(struct run *run)
{
    unsigned online, none;
    const double full = rest(run, FRIENDS, &online), alone = rest(run, 0, &none);
    char note[96];

    snprintf(note, sizeof note, "%u online; in and out, IP and UDP headers counted, a second hour",
             online);
    const struct sim_figure figures[] = {
        {"idle with 20 friends online", "B/s", full, 200, true, true, note},
        {"idle client of the DHT, no friends", "B/s", alone, 10, true, true,
         "behind a port-restricted NAT, a DHT of 40 nodes"},
    };

    for (size_t i = 0; i < YR_COUNT(figures); i++)
        sim_say(&run->report, &figures[i]);
}

/* ---- people who come and go ---- */

#define PEOPLE 30
#define STAY   (600 * YR_S) /* half of them stay so long, and stay away so long */
#define HOURS  2

struct visit {
    unsigned node;
    enum nat_class class;
    yr_us until; /* it goes or comes then */
};

// Who is away comes back, half of the time somewhere else; who is here goes.
static void turn(struct run *run, struct sim *sim, struct visit *v)
{
    v->until = sim_time(sim) + YR_S + people_stay(draw(run), STAY);
    if (sim_alive(sim, v->node)) {
        sim_crash(sim, v->node);
        return;
    }
    if (draw(run) % 2 == 0)
        (void)people_settle(sim, v->node, v->class, draw(run));
    sim_restart(sim, v->node);
}

static void say_churn(struct run *run)
{
    struct sim *sim = town_new(draw(run), SERVERS, DELAY_US);
    static bool friends[PEOPLE][PEOPLE];
    static unsigned together[PEOPLE][PEOPLE]; /* seconds that both are here now */
    struct visit visits[PEOPLE];
    uint64_t both = 0, linked = 0, settled = 0, settled_linked = 0;

    memset(friends, 0, sizeof friends);
    memset(together, 0, sizeof together);
    for (unsigned i = 0; i < PEOPLE; i++) {
        visits[i] =
            (struct visit){town_person(sim, "person"), people_class(run->mix, draw(run)), 0};
        for (unsigned k = 0; k < i; k++) // six groups of five, and a few beside
            friends[i][k] = k / 5 == i / 5 || draw(run) % 20 == 0;
        for (unsigned k = 0; k < i; k++)
            if (friends[i][k])
                sim_befriend(sim, visits[i].node, visits[k].node);
    }
    for (unsigned i = 0; i < PEOPLE; i++)
        (void)people_settle(sim, visits[i].node, visits[i].class, draw(run));
    for (unsigned second = 0; second < HOURS * 3600; second++) {
        for (unsigned i = 0; i < PEOPLE; i++)
            if (visits[i].until <= sim_time(sim))
                turn(run, sim, &visits[i]);
        sim_run(sim, YR_S);
        for (unsigned i = 0; i < PEOPLE; i++)
            for (unsigned k = 0; k < i; k++) {
                const unsigned a = visits[i].node, b = visits[k].node;
                bool is;
                if (!friends[i][k] || !sim_alive(sim, a) || !sim_alive(sim, b)) {
                    together[i][k] = 0;
                    continue;
                }
                is = town_link(sim, a, b) != TOWN_NONE;
                both++;
                linked += is;
                settled += together[i][k] >= 15;
                settled_linked += together[i][k] >= 15 && is;
                together[i][k]++;
                if (!is && together[i][k] == 120 && getenv("SIM_NAT_VERBOSE") != NULL) {
                    fprintf(stderr, "%s with %s\n", nat_class_names[visits[i].class],
                            nat_class_names[visits[k].class]);
                    town_print(sim, a, b);
                    town_print(sim, b, a);
                }
            }
    }
    end_world(run, sim);
    const struct sim_figure figures[] = {
        {"people come and go: linked while both are here", "%",
         100.0 * (double)linked / (double)both, 0, false, false,
         "half of the stays are under 10 min (Weibull 1/2), half of the returns elsewhere"},
        {"people come and go: linked after 15 s together", "%",
         100.0 * (double)settled_linked / (double)settled, 0, false, false, NULL},
    };
    for (size_t i = 0; i < YR_COUNT(figures); i++)
        sim_say(&run->report, &figures[i]);
}

/* ---- the subcommand ---- */

static const struct {
    const char *name;
    void (*say)(struct run *run);
} parts[] = {{"pairs", say_pairs}, {"trios", say_trios}, {"rest", say_rest}, {"churn", say_churn}};

static int usage(void)
{
    fprintf(stderr, "usage: tools/sim nat [--mix balanced|desktop-heavy|mobile-heavy] [--pairs N] "
                    "[--seed S] [--only pairs|trios|rest|churn] [--table]\n");
    return 2;
}

int sim_nat_run(int argc, char **argv)
{
    struct run run = {.report.seed = 1, .mix = people_mix("balanced"), .pairs = 200};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--table") == 0)
            run.report.table = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            run.report.seed = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--pairs") == 0 && i + 1 < argc)
            run.pairs = (unsigned)strtoul(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--mix") == 0 && i + 1 < argc)
            run.mix = people_mix(argv[++i]);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            run.only = argv[++i];
        else
            return usage();
    }
    if (run.mix == NULL || run.pairs == 0 || run.pairs > 1000000)
        return usage();
    if (run.report.table)
        printf("| figure | value | goal | | |\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < YR_COUNT(parts); k++)
        if (run.only == NULL || strcmp(run.only, parts[k].name) == 0)
            parts[k].say(&run);
    return run.report.missed > 0;
}
