/* tools/sim away: two who seldom meet and write to each other, and friends of both who may hold
 * what waits.  Small worlds (cells) apart from each other, as many as it takes; against an oracle
 * that knows all comings and goings in advance. */
#include "tools/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto/kdf.h"
#include "tests/support/sim/cell.h"

#define HOUR      (3600 * YR_S)
#define DAY       (24 * HOUR)
#define WINDOW    (8 * HOUR)  /* one wish to say something, each way */
#define TAIL      (2 * DAY)   /* after the last text */
#define APPEARED  (30 * YR_S) /* a text is there when its recipient appears, if within this */
#define SETTLE_IN HOUR
#define CELLS_MAX 2000
#define WEIGHED   60 /* texts of which the bytes are counted */

/* ---- a run ---- */

struct run {
    struct sim_report report;
    struct habit_profile profile; /* of sender, recipient and holders */
    bool mixed;                   /* each has one of the four profiles */
    unsigned common, keepers, texts, days;
    bool vanish; /* who says something is gone for ever five seconds later */
    bool sudden;
    uint64_t draws;
};

static uint64_t draw(struct run *run)
{
    static const uint8_t key[16] = "yaari sim away";
    const uint64_t in[2] = {run->report.seed, run->draws++};
    uint64_t value;
    uint8_t out[8];

    yr_siphash(out, key, in, sizeof in);
    memcpy(&value, out, sizeof value);
    return value;
}

static void mix_hash(struct run *run, const struct sim *sim)
{
    static const uint8_t key[16] = "yaari sim away";
    const uint64_t in[2] = {run->report.hash, sim_hash(sim)};
    uint8_t out[8];

    yr_siphash(out, key, in, sizeof in);
    memcpy(&run->report.hash, out, sizeof run->report.hash);
}

/* ---- what came of the texts ---- */

static const struct {
    yr_us us;
    const char *name;
} horizons[] = {{600 * YR_S, "10 min"}, {HOUR, "1 h"}, {6 * HOUR, "6 h"}, {DAY, "24 h"}};
#define HORIZONS 4

struct tally {
    unsigned cells, texts, shown, deliverable[HORIZONS], delivered[HORIZONS];
    unsigned first, first_there, first_oracle, first_direct; /* recipient appeared; text there */
    unsigned held, lost; /* lost: the oracle has it at the end and we have not */
    yr_us *excess;
    size_t excess_count, excess_cap;
    double bytes_per_text, idle; /* idle: bytes a second of a node that is up */
};

static void add_excess(struct tally *r, yr_us excess)
{
    if (r->excess_count == r->excess_cap) {
        r->excess_cap = 2 * r->excess_cap + 256;
        r->excess = realloc(r->excess, r->excess_cap * sizeof *r->excess);
    }
    r->excess[r->excess_count++] = excess;
}

static void take_text(struct cell *c, const struct cell_text *t, struct tally *r)
{
    const yr_us end = sim_time(c->sim), best = cell_oracle(c, t, false);
    const yr_us direct = cell_oracle(c, t, true);
    const struct spans *up = contacts_of(c->contacts, CONTACT_COULD, t->to, t->to);
    const yr_us first = spans_next(up, t->at, ORACLE_LEAST);
    const yr_us shown = t->shown != 0 ? t->shown : YR_NEVER;

    r->texts++;
    r->shown += t->shown != 0;
    r->held += t->held != 0;
    r->lost += shown == YR_NEVER && best != YR_NEVER && best + HOUR < end;
    for (size_t i = 0; i < HORIZONS; i++)
        if (best != YR_NEVER && best - t->at <= horizons[i].us && t->at + horizons[i].us <= end) {
            r->deliverable[i]++;
            r->delivered[i] += shown != YR_NEVER && shown - t->at <= horizons[i].us;
        }
    if (first != YR_NEVER && first + APPEARED < end) {
        r->first++;
        r->first_there += shown != YR_NEVER && shown <= first + APPEARED;
        r->first_oracle += best != YR_NEVER && best <= first + APPEARED;
        r->first_direct += direct != YR_NEVER && direct <= first + APPEARED;
    }
    if (shown != YR_NEVER && best != YR_NEVER)
        add_excess(r, shown > best ? shown - best : 0);
    if (getenv("SIM_AWAY_VERBOSE") != NULL && best != YR_NEVER &&
        (shown == YR_NEVER || shown > best + 60 * YR_S))
        fprintf(stderr,
                "cell %u (seed %llu), text %u at %.1f s: oracle %.1f s%s, held %.1f, shown "
                "%.1f s\n",
                r->cells, (unsigned long long)c->seed, (unsigned)(t - c->texts),
                (double)t->at / 1e6, (double)best / 1e6, best == direct ? " (direct)" : "",
                (double)t->held / 1e6, (double)t->shown / 1e6);
}

/* ---- cells ---- */

static const struct habit_profile *profile_of(const struct run *run, unsigned node, uint64_t seed)
{
    static const uint8_t kinds[] = {0, 0, 0, 0, 1, 1, 1, 2, 2, 2}; // phones 40 %, ...

    if (node >= CELL_HOLD + run->common)
        return &habit_profiles[HABIT_KEEPER];
    if (run->mixed)
        return &habit_profiles[kinds[(seed >> (node * 4)) % YR_COUNT(kinds)]];
    return &run->profile;
}

static struct cell *begin(struct run *run, uint64_t seed)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct cell *c = cell_new(&opts, run->common + run->keepers);

    c->sudden = run->sudden;
    for (unsigned i = CELL_HOLD + run->common; i < c->count; i++)
        sim_keeper(c->sim, i);
    cell_run(c, YR_MIN_US); // what is offered has been told
    for (unsigned i = 0; i < c->count; i++)
        cell_habit(c, i, profile_of(run, i, seed));
    cell_run(c, SETTLE_IN);
    return c;
}

static void end(struct run *run, struct cell *c, struct tally *r)
{
    cell_check(c);
    if (r != NULL) {
        for (size_t i = 0; i < c->text_count; i++)
            if (c->texts[i].accepted)
                take_text(c, &c->texts[i], r);
        r->cells++;
    }
    mix_hash(run, c->sim);
    cell_free(c);
}

// Both ways, at some moment of each window, if who would say something is there then.
static void talk(struct cell *c, unsigned days, uint64_t seed)
{
    const yr_us start = sim_time(c->sim);

    for (yr_us window = 0; window < days * DAY; window += WINDOW) {
        static const uint8_t key[16] = "yaari sim talk";
        const uint64_t in[2] = {seed, window};
        uint64_t at[2];
        memcpy(at, in, sizeof at);
        yr_siphash((uint8_t *)&at[0], key, in, sizeof in);
        yr_siphash((uint8_t *)&at[1], key, at, sizeof at);
        const unsigned first = at[0] % WINDOW > at[1] % WINDOW;
        for (unsigned k = 0; k < 2; k++) {
            const unsigned from = k ^ first;
            cell_run(c, start + window + at[from] % WINDOW - sim_time(c->sim));
            if (sim_alive(c->sim, from))
                (void)cell_say(c, from, from ^ 1);
        }
        cell_run(c, start + window + WINDOW - sim_time(c->sim));
    }
    cell_run(c, TAIL);
}

// One text in a cell: when its sender is there, who is gone five seconds later.
static void say_and_vanish(struct cell *c, unsigned days, uint64_t seed)
{
    c->least = 5 * YR_S;
    cell_run(c, seed % DAY);
    while (!sim_alive(c->sim, CELL_FROM)) // until it comes, and then for a part of its stay
        cell_run(c, c->habits[CELL_FROM].until + YR_S - sim_time(c->sim));
    cell_run(c, (c->habits[CELL_FROM].until - sim_time(c->sim)) * (seed >> 32 & 1023) / 1024);
    if (sim_alive(c->sim, CELL_FROM))
        (void)cell_say(c, CELL_FROM, CELL_TO);
    cell_run(c, 5 * YR_S);
    cell_go(c, CELL_FROM, false);
    c->gone[CELL_FROM] = true;
    cell_run(c, days * DAY);
}

// Bytes that all nodes sent while `texts` were left for one who was away and fetched by it, or
// nothing was said; all others are there all the time.
static double bytes_of(struct run *run, uint64_t seed, unsigned texts)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct cell *c = cell_new(&opts, run->common + run->keepers);
    double before = 0, after = 0;

    for (unsigned i = 0; i < c->count; i++)
        before += (double)sim_traffic(c->sim, i).out;
    cell_go(c, CELL_TO, false);
    for (unsigned i = 0; i < WEIGHED; i++) {
        cell_run(c, 60 * YR_S);
        if (i < texts)
            (void)cell_say(c, CELL_FROM, CELL_TO);
    }
    cell_run(c, HOUR / 2);
    cell_come(c, CELL_TO);
    cell_run(c, HOUR / 2);
    for (unsigned i = 0; i < c->count; i++)
        after += (double)sim_traffic(c->sim, i).out;
    end(run, c, NULL);
    return after - before;
}

static void weigh(struct run *run, struct tally *r)
{
    const uint64_t seed = draw(run);
    const double with = bytes_of(run, seed, WEIGHED), without = bytes_of(run, seed, 0);
    const double seconds = (double)(2 * HOUR / YR_S);

    r->bytes_per_text = (with - without) / WEIGHED;
    r->idle = 2 * without / seconds / (CELL_HOLD + run->common + run->keepers);
}

static int by_value(const void *a, const void *b)
{
    const yr_us *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double percentile(struct tally *r, unsigned percent)
{
    if (r->excess_count == 0)
        return 0;
    qsort(r->excess, r->excess_count, sizeof *r->excess, by_value);
    return (double)r->excess[(r->excess_count - 1) * percent / 100] / 1e6;
}

static double share(unsigned part, unsigned whole)
{
    return whole > 0 ? 100.0 * part / whole : 100;
}

static void say_tally(struct run *run, struct tally *r, double first_goal)
{
    const bool held = run->common + run->keepers > 0;
    char name[64], note[160];
    struct sim_figure f;

    snprintf(note, sizeof note, "%u texts, %u cells of %s, %u shared friends, %u keepers%s",
             r->texts, r->cells, run->mixed ? "all kinds" : run->profile.name, run->common,
             run->keepers, run->vanish ? ", senders gone for ever after 5 s" : "");
    for (size_t i = 0; i < HORIZONS; i++) {
        snprintf(name, sizeof name, "delivered within %s, of what the oracle delivers",
                 horizons[i].name);
        f = (struct sim_figure){name,  "%", share(r->delivered[i], r->deliverable[i]), 98, held,
                                false, note};
        sim_say(&run->report, &f);
        snprintf(note, sizeof note, "of %u", r->deliverable[YR_MIN(i + 1, HORIZONS - 1)]);
    }
    f = (struct sim_figure){
        "excess over the oracle, p50", "s", percentile(r, 50), 2, held, true, NULL};
    sim_say(&run->report, &f);
    f = (struct sim_figure){
        "excess over the oracle, p99", "s", percentile(r, 99), 30, held, true, NULL};
    sim_say(&run->report, &f);
    snprintf(note, sizeof note, "oracle %.1f %%, without holders %.1f %%; of %u who appeared",
             share(r->first_oracle, r->first), share(r->first_direct, r->first), r->first);
    f = (struct sim_figure){"there when the recipient first appears",
                            "%",
                            share(r->first_there, r->first),
                            first_goal,
                            first_goal > 0,
                            false,
                            note};
    sim_say(&run->report, &f);
    f = (struct sim_figure){
        "not there at the end, though the oracle has it", "", r->lost, 0, held, true, NULL};
    sim_say(&run->report, &f);
    if (run->vanish)
        return;
    f = (struct sim_figure){"bytes for a text, all nodes",
                            "B",
                            r->bytes_per_text,
                            0,
                            false,
                            true,
                            "left with all holders and fetched, against the same without"};
    sim_say(&run->report, &f);
    f = (struct sim_figure){"a node that is there, nothing said",    "B/s", r->idle, 0, false, true,
                            "in and out, IP and UDP headers counted"};
    sim_say(&run->report, &f);
}

static void run_cells(struct run *run, double first_goal)
{
    struct tally r = {0};

    while (r.texts < run->texts && r.cells < CELLS_MAX) {
        const uint64_t seed = draw(run);
        struct cell *c = begin(run, seed);
        if (run->vanish)
            say_and_vanish(c, run->days, seed);
        else
            talk(c, run->days, seed);
        end(run, c, &r);
    }
    if (!run->vanish)
        weigh(run, &r);
    say_tally(run, &r, first_goal);
    free(r.excess);
}

/* ---- the subcommand ---- */

// What is said when nothing is asked for.
static const struct {
    const char *mix;
    unsigned permille, common, keepers;
    bool vanish;
    double first_goal;
} cells[] = {
    {"people", 250, 0, 0, false, 0},  {"people", 250, 5, 0, false, 78},
    {"people", 250, 0, 1, false, 95}, {"people", 100, 5, 0, false, 0},
    {"people", 500, 5, 0, false, 0},  {"people", 250, 5, 0, true, 0},
    {"mixed", 0, 5, 0, false, 0},     {"mixed", 0, 4, 1, false, 0},
};

// A kind of person, all kinds, or per mille of the time there (the model of the goals).
static bool set_mix(struct run *run, const char *mix, unsigned permille)
{
    static char name[32];
    const struct habit_profile *profile = habit_profile(mix);

    run->mixed = strcmp(mix, "mixed") == 0;
    if (profile != NULL)
        run->profile = *profile;
    if (permille > 0 && permille < 1000) {
        snprintf(name, sizeof name, "people %g %% there", permille / 10.0);
        run->profile = (struct habit_profile){name, permille, HOUR / 2, true};
    }
    return profile != NULL || run->mixed || (permille > 0 && permille < 1000);
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: tools/sim away [--texts N] [--days N] [--seed S] [--sudden] [--table]\n"
        "                      [--mix phone|laptop|desktop|keeper|mixed|PERMILLE] [--common N]\n"
        "                      [--keeper N] [--vanish]\n"
        "without --mix a fixed list of cells is run\n");
    return 2;
}

int sim_away(int argc, char **argv)
{
    struct run run = {.report.seed = 1, .texts = 400, .days = 10, .common = 5};
    const char *mix = NULL;

    for (int i = 1; i < argc; i++) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--table") == 0)
            run.report.table = true;
        else if (strcmp(argv[i], "--sudden") == 0)
            run.sudden = true;
        else if (strcmp(argv[i], "--vanish") == 0)
            run.vanish = true;
        else if (strcmp(argv[i], "--seed") == 0 && more)
            run.report.seed = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--texts") == 0 && more)
            run.texts = (unsigned)strtoul(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--days") == 0 && more)
            run.days = (unsigned)strtoul(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--common") == 0 && more)
            run.common = (unsigned)strtoul(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--keeper") == 0 && more)
            run.keepers = (unsigned)strtoul(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--mix") == 0 && more)
            mix = argv[++i];
        else
            return usage();
    }
    if (run.texts == 0 || run.texts > 1000000 || run.days == 0 || run.days > 365 ||
        run.common > CELL_MAX || run.common + run.keepers > CELL_MAX - CELL_HOLD)
        return usage();
    if (mix != NULL && !set_mix(&run, mix, (unsigned)strtoul(mix, NULL, 10)))
        return usage();
    if (run.report.table)
        printf("| figure | value | goal | | |\n|---|---|---|---|---|\n");
    if (mix != NULL)
        run_cells(&run, 0);
    for (size_t k = 0; mix == NULL && k < YR_COUNT(cells); k++) {
        run.common = cells[k].common;
        run.keepers = cells[k].keepers;
        run.vanish = cells[k].vanish;
        (void)set_mix(&run, cells[k].mix, cells[k].permille);
        run_cells(&run, cells[k].first_goal);
    }
    return run.report.missed > 0;
}
