#include "tests/support/dhtscene.h"

#include <stdio.h>
#include <time.h>

#define RTT_MS 100
#define NOBODY UINT32_MAX
#define USABLE 32 /* nodes known: from there every lookup gets going on four paths */

enum {
    PICK_FROM = 100,
    PICK_LIAR,
    PICK_HOW,
    PICK_STALE,
    PICK_WRITER,
    PICK_READER,
    PICK_CHURN,
    PICK
};

static void *must(void *ptr)
{
    if (ptr == NULL)
        abort();
    return ptr;
}

bool dhtscene_met(const struct dhtscene_figure *f)
{
    switch (f->sense) {
    case DHTSCENE_NO_GOAL: return true;
    case DHTSCENE_AT_LEAST: return f->value >= f->goal;
    case DHTSCENE_AT_MOST: return f->value <= f->goal;
    }
    return false;
}

// ---- telling

struct scene {
    const struct dhtscene *o;
    struct dhtnet *net;
};

static void say(const struct scene *s, const char *name, double value, const char *unit,
                enum dhtscene_sense sense, double goal)
{
    const struct dhtscene_figure f = {.name = name,
                                      .unit = unit,
                                      .value = value,
                                      .goal = goal,
                                      .sense = sense,
                                      .hash = s->net->hash};

    s->o->say(s->o->ctx, &f);
}

static void tell(const struct scene *s, const char *name, double value, const char *unit)
{
    say(s, name, value, unit, DHTSCENE_NO_GOAL, 0);
}

static void progress(const struct scene *s, const char *what)
{
    if (s->o->progress != NULL)
        s->o->progress(s->o->ctx, s->net, what);
}

static double clock_s(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

static double wall_s(void)
{
    return clock_s(CLOCK_MONOTONIC);
}

// Values of a figure, to be told as mean and percentiles.
struct sample {
    double *list;
    size_t count, cap;
};

static void note(struct sample *s, double v)
{
    if (s->count == s->cap) {
        s->cap = YR_MAX((size_t)256, 2 * s->cap);
        s->list = must(realloc(s->list, s->cap * sizeof *s->list));
    }
    s->list[s->count++] = v;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
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

static double percent(double part, double all)
{
    return all > 0 ? 100 * part / all : 0;
}

// ---- the network

static struct scene open_scene(const struct dhtscene *o, const struct dhtnet_opts *opts)
{
    struct scene s = {.o = o};
    struct dhtnet_opts with = *opts;

    with.seed = o->seed;
    with.nodes_max += o->nodes + o->clients;
    s.net = dhtnet_new(&with);
    return s;
}

static void close_scene(struct scene *s)
{
    dhtnet_free(s->net);
}

static uint32_t pick(const struct scene *s, uint64_t stream, uint64_t n, uint32_t below)
{
    return (uint32_t)(dhtnet_draw(s->net, stream, n, 0) % below);
}

// Servers, then clients join, each from one that is there already.
static void grow(struct scene *s, uint32_t servers, uint32_t clients, yr_us apart_us)
{
    for (uint32_t i = 0; i < servers + clients; i++) {
        const uint32_t all = s->net->count;

        dhtnet_add(s->net, i < servers ? YR_DHT_AS_SERVER : YR_DHT_AS_CLIENT,
                   all == 0 ? NOBODY
                            : pick(s, PICK_FROM, all, YR_MIN(all, YR_MAX(servers, s->o->nodes))));
        dhtnet_run(s->net, apart_us);
    }
}

static void grow_all(struct scene *s)
{
    grow(s, s->o->nodes, s->o->clients, 10 * YR_MS);
    progress(s, "joined");
    dhtnet_run(s->net, s->o->settle_s * YR_S);
    progress(s, "settled");
}

// So many of a hundred servers lie from now on; half of them forward nothing either.
static void turn(struct scene *s, uint32_t of_hundred)
{
    for (uint32_t i = 1; i < s->o->nodes; i++)
        if (pick(s, PICK_LIAR, i, 100) < of_hundred)
            s->net->nodes[i].kind = pick(s, PICK_HOW, i, 2) ? DHTNET_LIAR : DHTNET_SILENTER;
    dhtnet_liars(s->net);
}

// So many of a hundred nodes fall silent, all at once; not those who have something to do.
static void silence(struct scene *s, uint64_t stream, uint32_t of_hundred, const bool *keep)
{
    for (uint32_t i = 1; i < s->net->count; i++)
        if (pick(s, stream, i, 100) < of_hundred && s->net->nodes[i].kind == DHTNET_HONEST &&
            (keep == NULL || !keep[i]))
            s->net->nodes[i].up = false;
}

static uint32_t somebody(const struct scene *s, uint64_t stream, uint64_t n)
{
    for (uint64_t tries = 0;; tries++) {
        const uint32_t i = (uint32_t)(dhtnet_draw(s->net, stream, n, tries) % s->net->count);

        if (s->net->nodes[i].up && s->net->nodes[i].kind == DHTNET_HONEST)
            return i;
    }
}

// ---- pairs who write and read

struct pair {
    uint32_t writer, reader;
    uint64_t which;
    uint8_t pk[32];
    struct dhtnet_job put, get;
    unsigned puts, gets;
    bool first; /* found at the first try */
};

struct pairs {
    struct pair *list;
    uint32_t count;
    uint64_t from; /* number of the first: all are different */
};

static void put_pairs(struct scene *s, struct pairs *p, yr_us apart_us)
{
    uint8_t record[YR_DHT_RECORD_MAX];

    for (unsigned round = 0; round < 3; round++) {
        bool any = false;

        for (uint32_t i = 0; i < p->count; i++) {
            struct pair *pair = &p->list[i];
            size_t len;

            if (round > 0 && (pair->put.result.answered > 0 || !s->net->nodes[pair->writer].up))
                continue;
            any = true;
            pair->puts++;
            len = dhtnet_record(s->net, pair->which, 1, record, pair->pk);
            dhtnet_put(s->net, pair->writer, record, len, round > 0, &pair->put);
            dhtnet_run(s->net, apart_us);
        }
        if (any)
            dhtnet_run(s->net, 31 * YR_S);
    }
}

static void get_pairs(struct scene *s, struct pairs *p, yr_us apart_us)
{
    for (unsigned round = 0; round < 2; round++) {
        bool any = false;

        for (uint32_t i = 0; i < p->count; i++) {
            struct pair *pair = &p->list[i];

            if (round > 0 && (pair->get.found || !s->net->nodes[pair->reader].up))
                continue;
            any = true;
            pair->gets++;
            dhtnet_get(s->net, pair->reader, pair->pk, round > 0, &pair->get);
            dhtnet_run(s->net, apart_us);
        }
        if (any)
            dhtnet_run(s->net, 31 * YR_S);
        for (uint32_t i = 0; i < p->count; i++)
            p->list[i].first |= round == 0 && p->list[i].get.found;
    }
}

static struct pairs new_pairs(struct scene *s, uint32_t count, uint64_t from)
{
    struct pairs p = {must(calloc(count, sizeof *p.list)), count, from};

    for (uint32_t i = 0; i < count; i++) {
        p.list[i].which = from + i;
        p.list[i].writer = somebody(s, PICK_WRITER, from + i);
        p.list[i].reader = somebody(s, PICK_READER, from + i);
    }
    return p;
}

static double found(const struct pairs *p)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->count; i++)
        n += p->list[i].get.found;
    return percent(n, p->count);
}

static double found_first(const struct pairs *p)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < p->count; i++)
        n += p->list[i].first;
    return percent(n, p->count);
}

// New pairs write and read at once.
static double success(struct scene *s, uint32_t count, uint64_t from, double *first)
{
    struct pairs p = new_pairs(s, count, from);
    double ok;

    put_pairs(s, &p, 5 * YR_MS);
    get_pairs(s, &p, 5 * YR_MS);
    ok = found(&p);
    if (first != NULL)
        *first = found_first(&p);
    free(p.list);
    return ok;
}

// ---- idle

static void idle(struct scene *s, uint32_t for_s, bool goals)
{
    double server = 0, client = 0, began = cpu_s(), wall = wall_s(), speed;
    uint32_t servers = 0, clients = 0;

    for (uint32_t i = 0; i < s->net->count; i++)
        s->net->nodes[i].out_bytes = s->net->nodes[i].in_bytes = 0;
    dhtnet_run(s->net, for_s * YR_S);
    speed = for_s / (cpu_s() - began);
    wall = for_s / (wall_s() - wall);
    for (uint32_t i = 0; i < s->net->count; i++) {
        const struct dhtnet_node *n = &s->net->nodes[i];

        if (n->dht == NULL || !n->up)
            continue;
        *(yr_dht_serves(n->dht) ? &server : &client) +=
            (double)(n->out_bytes + n->in_bytes) / for_s;
        *(yr_dht_serves(n->dht) ? &servers : &clients) += 1;
    }
    say(s, "idle server", server / YR_MAX(servers, 1U), "B/s", DHTSCENE_AT_MOST, 150);
    if (clients > 0)
        say(s, "idle client", client / clients, "B/s", DHTSCENE_AT_MOST, 10);
    say(s, "memory a node", (double)s->net->memory / s->net->count / 1024, "KiB", DHTSCENE_AT_MOST,
        100);
    if (goals) { // of CPU time: what a core does that has nothing else to do
        say(s, "idle speed", speed, "x real time", DHTSCENE_AT_LEAST, 20);
        tell(s, "idle speed, by the wall clock", wall, "x real time");
    }
    progress(s, "idle");
}

// ---- cold start

static double usable_ms(struct scene *s, uint32_t node, yr_us most_us)
{
    const size_t want = YR_MIN((size_t)USABLE, (size_t)s->o->nodes / 3);
    const yr_us began = s->net->now_us;

    while (s->net->now_us - began < most_us) {
        if (yr_dht_known(s->net->nodes[node].dht) >= want)
            return (double)(s->net->now_us - began) / 1000;
        dhtnet_run(s->net, 20 * YR_MS);
    }
    return (double)most_us / 1000;
}

// Clients who know one node, 50 ms away.
static void cold(struct scene *s, uint32_t count)
{
    struct sample took = {0};

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t node = dhtnet_add(s->net, YR_DHT_AS_CLIENT, 0);

        note(&took, usable_ms(s, node, 30 * YR_S));
        dhtnet_end(s->net, node);
    }
    say(s, "cold start median", quantile(&took, .5) / 1000, "s", DHTSCENE_AT_MOST, 3);
    say(s, "cold start p99", quantile(&took, .99) / 1000, "s", DHTSCENE_AT_MOST, 10);
    free(took.list);
}

// ---- scenes

static double guessed(const struct scene *s)
{
    struct sample size = {0};
    double median;

    for (uint32_t i = 0; i < s->net->count; i++)
        if (s->net->nodes[i].dht != NULL && s->net->nodes[i].up)
            note(&size, yr_dht_size(s->net->nodes[i].dht, 4));
    median = quantile(&size, .5);
    free(size.list);
    return median;
}

static void say_pairs(struct scene *s, const struct pairs *p)
{
    const double size = s->o->nodes <= 2000 ? 0 : s->o->nodes <= 20000 ? 1 : 2;
    const enum dhtscene_sense at_most =
        s->o->colluding + s->o->stale + s->o->churn == 0 ? DHTSCENE_AT_MOST : DHTSCENE_NO_GOAL;
    const double goal = s->o->colluding >= 30 && s->o->stale >= 30 ? 99
                        : s->o->churn >= 50                        ? 99.5
                                                                   : 99.9;
    struct sample hops = {0}, known = {0}, after = {0}, took = {0}, stored = {0}, sent = {0};
    unsigned direct = 0, again = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        const struct pair *pair = &p->list[i];
        const double found_ms = (double)(pair->get.found_us - pair->get.began_us) / 1000;

        again += pair->puts > 1;
        note(&stored, pair->put.result.answered);
        direct += (unsigned)pair->get.result.direct + (unsigned)pair->put.result.direct;
        if (!pair->first)
            continue;
        note(&sent, pair->get.result.requests);
        note(&hops, pair->get.result.hops);
        note(&known, (double)pair->get.result.known_us / 1000 / RTT_MS);
        note(&took, found_ms / RTT_MS);
        note(&after, (found_ms - (double)pair->get.result.known_us / 1000) / RTT_MS);
    }
    say(s, "success", found(p), "%", DHTSCENE_AT_LEAST, goal);
    tell(s, "success at the first try", found_first(p), "%");
    tell(s, "put again", percent(again, p->count), "%");
    tell(s, "stored by", mean(&stored), "nodes");
    say(s, "searches without forwarder", direct, "", DHTSCENE_AT_MOST, 0);
    say(s, "hops mean", mean(&hops), "", at_most, size == 0 ? 1.6 : size == 1 ? 2.2 : 2.8);
    say(s, "hops p99", quantile(&hops, .99), "", at_most, 3 + size);
    say(s, "storing node known, median", quantile(&known, .5), "RTT", at_most,
        size == 0   ? 1.3
        : size == 1 ? 1.8
                    : 2.5);
    tell(s, "storing node known, p99", quantile(&known, .99), "RTT");
    say(s, "record in hand after that, median", quantile(&after, .5), "RTT", at_most, 2.5);
    tell(s, "record in hand, median", quantile(&took, .5), "RTT");
    tell(s, "record in hand, p99", quantile(&took, .99), "RTT");
    tell(s, "requests of a search", mean(&sent), "");
    free(hops.list), free(known.list), free(after.list), free(took.list), free(stored.list);
    free(sent.list);
}

static void standard(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){.nodes_max = 100, .first_rtt_ms = 50});
    struct pairs p;
    bool *keep;

    grow_all(&s);
    if (o->colluding + o->stale + o->churn == 0)
        cold(&s, 50);
    turn(&s, o->colluding);
    if (o->idle_s > 0)
        idle(&s, o->idle_s, true);
    silence(&s, PICK_STALE, o->stale, NULL);
    tell(&s, "size of the network as guessed, median", guessed(&s), "nodes");
    p = new_pairs(&s, o->pairs, 0);
    put_pairs(&s, &p, 5 * YR_MS);
    progress(&s, "put");
    keep = must(calloc(s.net->count, sizeof *keep));
    for (uint32_t i = 0; i < p.count; i++)
        keep[p.list[i].reader] = true;
    silence(&s, PICK_CHURN, o->churn, keep);
    free(keep);
    get_pairs(&s, &p, 5 * YR_MS);
    progress(&s, "got");
    say_pairs(&s, &p);
    free(p.list);
    close_scene(&s);
}

// From ten nodes to all of them in a minute, with one to start from that has 1 Mbit/s.
static void flash_crowd(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){.first_rtt_ms = 50});
    const size_t want =
        YR_MIN((size_t)USABLE, (size_t)o->nodes / 10); // of those there are at first
    struct sample took = {0};
    uint32_t seen = 10, soon = 0;

    grow(&s, 10, 0, YR_S);
    s.net->nodes[0].rate = 125000;
    for (uint32_t i = 10; i < o->nodes; i++) {
        dhtnet_add(s.net, YR_DHT_AS_SERVER, 0);
        dhtnet_run(s.net, 60 * YR_S / o->nodes);
        for (uint32_t j = seen; j < s.net->count; j++) {
            struct dhtnet_node *n = &s.net->nodes[j];

            if (n->wall_off_ms == 0 && yr_dht_known(n->dht) >= want) {
                n->wall_off_ms = 1; // it counts once
                note(&took, (double)(s.net->now_us - n->began_us) / 1e6);
            }
            seen += j == seen && n->wall_off_ms != 0;
        }
    }
    for (int i = 0; i < 300; i++) {
        dhtnet_run(s.net, 100 * YR_MS);
        for (uint32_t j = seen; j < s.net->count; j++) {
            struct dhtnet_node *n = &s.net->nodes[j];

            if (n->wall_off_ms == 0 && yr_dht_known(n->dht) >= want) {
                n->wall_off_ms = 1;
                note(&took, (double)(s.net->now_us - n->began_us) / 1e6);
            }
        }
    }
    for (size_t i = 0; i < took.count; i++)
        soon += took.list[i] <= 10;
    tell(&s, "usable table, median", quantile(&took, .5), "s");
    say(&s, "usable within 10 s", percent(soon, o->nodes - 10), "%", DHTSCENE_AT_LEAST, 99);
    dhtnet_run(s.net, 60 * YR_S);
    say(&s, "success after a minute", success(&s, o->pairs, 0, NULL), "%", DHTSCENE_AT_LEAST, 99.9);
    free(took.list);
    close_scene(&s);
}

// Nodes come and go; a record is read ten minutes after it was written.
static void churn_scene(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){0});
    const yr_us median_us = 30 * YR_MIN_US;
    uint64_t *sessions = must(calloc(o->nodes, sizeof *sessions));
    yr_us *until = must(calloc(o->nodes, sizeof *until));
    struct pairs p;
    uint64_t bytes = 0, out = 0;
    yr_us end;

    grow_all(&s);
    for (uint32_t i = 1; i < o->nodes; i++) // the rest of a session that has been going on
        until[i] =
            s.net->now_us + dhtnet_session(s.net, i, 0, median_us) * pick(&s, PICK, i, 100) / 100;
    p = new_pairs(&s, o->pairs, 0);
    for (uint32_t i = 0; i < p.count; i++) { // who writes and reads stays
        until[p.list[i].writer % o->nodes] = until[p.list[i].reader % o->nodes] = YR_NEVER;
    }
    until[0] = YR_NEVER;
    for (int half = 0; half < 4; half++) {
        end = s.net->now_us + 10 * YR_MIN_US;
        if (half == 2)
            for (uint32_t i = 0; i < s.net->count; i++)
                s.net->nodes[i].out_bytes = s.net->nodes[i].in_bytes = 0;
        if (half == 3) {
            for (uint32_t i = 0; i < o->nodes; i++)
                bytes += s.net->nodes[i].out_bytes + s.net->nodes[i].in_bytes;
            put_pairs(&s, &p, 5 * YR_MS);
        }
        while (s.net->now_us < end) {
            dhtnet_run(s.net, 2 * YR_S);
            for (uint32_t i = 0; i < o->nodes; i++)
                if (until[i] <= s.net->now_us) {
                    out++;
                    until[i] = s.net->now_us + dhtnet_session(s.net, i, ++sessions[i], median_us);
                    dhtnet_again(s.net, i, YR_DHT_AS_SERVER, pick(&s, PICK_FROM, out, o->nodes));
                }
        }
        progress(&s, "came and went");
    }
    get_pairs(&s, &p, 5 * YR_MS);
    tell(&s, "sessions ended in 40 min", percent((double)out, o->nodes), "% of nodes");
    say(&s, "success after 10 min", found(&p), "%", DHTSCENE_AT_LEAST, 99.9);
    tell(&s, "success at the first try", found_first(&p), "%");
    tell(&s, "traffic with all the joining", (double)bytes / o->nodes / 600, "B/s");
    free(p.list);
    free(sessions);
    free(until);
    close_scene(&s);
}

// Half of all vanish at once.
static void departure(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){0});
    static const uint32_t at_s[] = {0, 120, 600};
    struct pairs p;
    bool *keep;

    grow_all(&s);
    p = new_pairs(&s, o->pairs, 0);
    put_pairs(&s, &p, 5 * YR_MS);
    keep = must(calloc(s.net->count, sizeof *keep));
    for (uint32_t i = 0; i < p.count; i++)
        keep[p.list[i].reader] = true;
    silence(&s, PICK_CHURN, 50, keep);
    free(keep);
    get_pairs(&s, &p, 5 * YR_MS);
    say(&s, "records of before, at once", found(&p), "%", DHTSCENE_AT_LEAST, 99);
    for (size_t i = 0; i < YR_COUNT(at_s); i++) {
        const double ok = success(&s, o->pairs, 1000000 * (i + 1), NULL);

        if (i == 0)
            say(&s, "new records, at once", ok, "%", DHTSCENE_AT_LEAST, 97);
        else if (i == 1)
            say(&s, "new records, after 2 min", ok, "%", DHTSCENE_AT_LEAST, 97);
        else
            say(&s, "new records, after 10 min", ok, "%", DHTSCENE_AT_LEAST, 99.9);
        if (i + 1 < YR_COUNT(at_s))
            dhtnet_run(s.net, (at_s[i + 1] - at_s[i]) * YR_S);
    }
    free(p.list);
    close_scene(&s);
}

// Pairs whose ends are on different sides.
static double across(struct scene *s, uint32_t count, uint64_t from)
{
    struct pairs p = new_pairs(s, count, from);
    double ok;

    for (uint32_t i = 0; i < count; i++)
        for (uint64_t n = 1;
             s->net->nodes[p.list[i].reader].side == s->net->nodes[p.list[i].writer].side; n++)
            p.list[i].reader = somebody(s, PICK, (from + i) << 8 | n);
    put_pairs(s, &p, 5 * YR_MS);
    get_pairs(s, &p, 5 * YR_MS);
    ok = found(&p);
    free(p.list);
    return ok;
}

// The network comes apart for an hour, seven to three, and heals.
static void partition(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){0});
    uint8_t *sides;

    grow_all(&s);
    dhtnet_run(s.net, 20 * YR_MIN_US);
    sides = must(calloc(s.net->count, 1));
    for (uint32_t i = 0; i < s.net->count; i++)
        s.net->nodes[i].side = sides[i] = pick(&s, PICK, i, 10) < 3;
    dhtnet_run(s.net, 60 * YR_MIN_US);
    progress(&s, "parted for an hour");
    say(&s, "success while parted", 100 - across(&s, o->pairs, 0), "% not across",
        DHTSCENE_AT_LEAST, 100);
    for (uint32_t i = 0; i < s.net->count; i++)
        s.net->nodes[i].side = 0;
    dhtnet_run(s.net, 9 * YR_MIN_US);
    progress(&s, "healed");
    for (uint32_t i = 0; i < s.net->count; i++)
        s.net->nodes[i].side = sides[i];
    {
        struct pairs p = new_pairs(&s, o->pairs, 1000000);

        for (uint32_t i = 0; i < p.count; i++)
            for (uint64_t n = 1; sides[p.list[i].reader] == sides[p.list[i].writer]; n++)
                p.list[i].reader = somebody(&s, PICK, (1000000ULL + i) << 8 | n);
        for (uint32_t i = 0; i < s.net->count; i++)
            s.net->nodes[i].side = 0;
        put_pairs(&s, &p, 5 * YR_MS);
        get_pairs(&s, &p, 5 * YR_MS);
        say(&s, "success across, 10 min after", found(&p), "%", DHTSCENE_AT_LEAST, 99.9);
        free(p.list);
    }
    free(sides);
    close_scene(&s);
}

// Some name only each other, for half an hour already.
static void colluders(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){0});
    const uint32_t share = o->colluding > 0 ? o->colluding : 20;
    double first;

    grow_all(&s);
    turn(&s, share);
    dhtnet_run(s.net, 30 * YR_MIN_US);
    progress(&s, "lied to for half an hour");
    silence(&s, PICK_STALE, o->stale, NULL);
    say(&s, "success", success(&s, o->pairs, 0, &first), "%", DHTSCENE_AT_LEAST,
        share >= 50   ? 97
        : share >= 30 ? 99
                      : 99.9);
    tell(&s, "success at the first try", first, "%");
    close_scene(&s);
}

static double liars_known(const struct scene *s)
{
    size_t all = 0, liars = 0;

    for (uint32_t i = 0; i < s->net->count; i++) {
        struct yr_dht_contact nodes[255];
        size_t n;

        if (s->net->nodes[i].kind != DHTNET_HONEST || s->net->nodes[i].dht == NULL)
            continue;
        n = yr_dht_export(s->net->nodes[i].dht, nodes, YR_COUNT(nodes));
        for (size_t j = 0; j < n; j++) {
            const uint32_t who = dhtnet_at(s->net, &nodes[j].addr);

            liars += who != NOBODY && s->net->nodes[who].kind != DHTNET_HONEST;
            all++;
        }
    }
    return percent((double)liars, (double)all);
}

// They were there first and are in all tables: three times as often as they should be.
static void pushy(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){0});
    const uint32_t share = o->colluding > 0 ? o->colluding : 20;
    const uint32_t liars = o->nodes * share / 100;
    double first;

    grow_all(&s);
    for (uint32_t i = 1; i <= liars; i++) // the oldest, who also ask everybody
        s.net->nodes[i].kind = pick(&s, PICK_HOW, i, 2) ? DHTNET_LIAR : DHTNET_SILENTER;
    for (uint32_t i = 0; i < s.net->count; i++)
        for (uint32_t n = 0; n < 2 * liars && s.net->nodes[i].kind == DHTNET_HONEST; n++) {
            const uint32_t who = 1 + pick(&s, PICK, (uint64_t)i << 32 | n, liars);
            const struct yr_dht_contact c = dhtnet_contact(s.net, who);

            (void)!yr_dht_table_seen(&s.net->nodes[i].dht->tables[0], &c, 100000, s.net->now_us);
        }
    dhtnet_liars(s.net);
    tell(&s, "liars in tables", liars_known(&s), "%");
    say(&s, "success", success(&s, o->pairs, 0, &first), "%", DHTSCENE_AT_LEAST,
        share > 20 ? 99 : 99.9);
    tell(&s, "success at the first try", first, "%");
    close_scene(&s);
}

// Sixty-four liars who know the key of a record and sit around it.
static void surrounded(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){.nodes_max = 64});
    uint8_t record[YR_DHT_RECORD_MAX], pk[32], key[32];
    unsigned bits = 2, ok = 0;
    const uint32_t rounds = 20;
    struct dhtnet_job job;
    size_t len;

    for (uint32_t n = o->nodes; n > 1; n /= 2)
        bits++;
    grow_all(&s);
    len = dhtnet_record(s.net, 0, 1, record, pk);
    yr_dht_record_key(key, pk);
    for (uint32_t i = 0; i < 64; i++) {
        const uint32_t node = dhtnet_add(s.net, YR_DHT_AS_SERVER, NOBODY);
        uint64_t tries = 0;

        do { // a key whose id is near: what an attacker has all the time for
            dhtnet_again(s.net, node, YR_DHT_AS_SERVER, NOBODY);
            tries++;
        } while (yr_dht_common(s.net->nodes[node].dht->own_id, key) < bits - 1);
        s.net->nodes[node].kind = DHTNET_LIAR;
        {
            const struct yr_dht_contact c = dhtnet_contact(s.net, 0);

            yr_dht_bootstrap(s.net->nodes[node].dht, &c, 1, dhtnet_now(s.net, NULL));
            dhtnet_wake(s.net, node);
        }
        dhtnet_run(s.net, YR_S);
    }
    dhtnet_liars(s.net);
    dhtnet_run(s.net, 5 * YR_MIN_US);
    progress(&s, "surrounded");
    for (uint32_t i = 0; i < rounds; i++) {
        dhtnet_put(s.net, somebody(&s, PICK_WRITER, i), record, len, false, &job);
        dhtnet_run(s.net, 31 * YR_S);
        dhtnet_get(s.net, somebody(&s, PICK_READER, i), pk, false, &job);
        dhtnet_run(s.net, 31 * YR_S);
        if (!job.found) {
            dhtnet_get(s.net, job.node, pk, true, &job);
            dhtnet_run(s.net, 31 * YR_S);
        }
        ok += job.found;
    }
    say(&s, "success at the surrounded key", percent(ok, rounds), "%", DHTSCENE_AT_LEAST, 99);
    say(&s, "success at the next keys", success(&s, o->pairs, 1000, NULL), "%", DHTSCENE_AT_LEAST,
        99.9);
    close_scene(&s);
}

// Whoever joins knows twenty liars and one honest node of an earlier day.
static void eclipse(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){.nodes_max = 20});
    unsigned ok = 0, hold = 0;
    double share = 0;

    grow_all(&s);
    turn(&s, o->colluding > 0 ? o->colluding : 20);
    for (uint32_t i = 0; i < 20; i++) {
        const uint32_t node = dhtnet_add(s.net, YR_DHT_AS_CLIENT, NOBODY);
        struct yr_dht_contact c[21];
        size_t n = 0;

        for (uint32_t j = pick(&s, PICK, i, o->nodes / 2); n < 20 && j < o->nodes; j++)
            if (s.net->nodes[j].kind != DHTNET_HONEST)
                c[n++] = dhtnet_contact(s.net, j);
        c[n++] = dhtnet_contact(s.net, 0);
        yr_dht_bootstrap(s.net->nodes[node].dht, c, n, dhtnet_now(s.net, NULL));
        dhtnet_wake(s.net, node);
        hold = node;
    }
    dhtnet_run(s.net, 9 * YR_MIN_US);
    for (uint32_t i = 0; i < 20; i++) {
        const uint32_t node = hold - 19 + i;
        struct dhtnet_job put, get;
        uint8_t record[YR_DHT_RECORD_MAX], pk[32];
        const size_t len = dhtnet_record(s.net, i, 1, record, pk);
        struct yr_dht_contact nodes[255];
        const size_t n = yr_dht_export(s.net->nodes[node].dht, nodes, YR_COUNT(nodes));
        size_t liars = 0;

        for (size_t j = 0; j < n; j++)
            liars += s.net->nodes[dhtnet_at(s.net, &nodes[j].addr)].kind != DHTNET_HONEST;
        share += percent((double)liars, (double)n) / 20;
        dhtnet_put(s.net, node, record, len, true, &put);
        dhtnet_run(s.net, 31 * YR_S);
        dhtnet_get(s.net, somebody(&s, PICK_READER, i), pk, true, &get);
        dhtnet_run(s.net, 31 * YR_S);
        ok += get.found;
    }
    tell(&s, "liars in the newcomers' tables", share, "%");
    say(&s, "found by others within 10 min", percent(ok, 20), "%", DHTSCENE_AT_LEAST, 99);
    close_scene(&s);
}

// Four pairs of ten cannot talk, and a fifth hears only whom it has asked.
static void not_transitive(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){.parted = 400});
    double first;

    for (uint32_t i = 0; i < o->nodes + o->clients; i++) {
        const uint32_t node =
            dhtnet_add(s.net, i < o->nodes ? YR_DHT_AS_SERVER : YR_DHT_AS_CLIENT, NOBODY);

        if (i >= 10)
            s.net->nodes[node].deaf = pick(&s, PICK, i, 5) == 0;
        for (uint32_t n = 0; n < YR_MIN(i, 10U); n++) {
            const struct yr_dht_contact c =
                dhtnet_contact(s.net, pick(&s, PICK_FROM, (uint64_t)i << 8 | n, YR_MIN(i, 10U)));

            yr_dht_bootstrap(s.net->nodes[node].dht, &c, 1, dhtnet_now(s.net, NULL));
        }
        dhtnet_wake(s.net, node);
        dhtnet_run(s.net, 10 * YR_MS);
    }
    progress(&s, "joined");
    dhtnet_run(s.net, 30 * YR_MIN_US);
    say(&s, "success", success(&s, o->pairs, 0, &first), "%", DHTSCENE_AT_LEAST, 99);
    tell(&s, "success at the first try", first, "%");
    close_scene(&s);
}

// Ten nodes put as much as they can; one puts old records in the place of new ones.
static void flood(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){0});
    struct dhtnet_job *jobs = must(calloc(10, sizeof *jobs)), job;
    uint8_t old[YR_DHT_RECORD_MAX], new[YR_DHT_RECORD_MAX], record[YR_DHT_RECORD_MAX], pk[32];
    size_t most = 0, old_len, new_len, len, mem = 0;
    unsigned ok = 0, newest = 0;

    grow_all(&s);
    for (uint32_t n = 0; n < o->pairs; n++) {
        for (uint32_t i = 0; i < 10; i++)
            if (n == 0 || jobs[i].done) {
                uint8_t none[32];

                len = dhtnet_record(s.net, 500000 + n * 10 + i, 1, record, none);
                dhtnet_put(s.net, 1 + i, record, len, false, &jobs[i]);
            }
        dhtnet_run(s.net, 500 * YR_MS);
    }
    dhtnet_run(s.net, 31 * YR_S);
    progress(&s, "flooded");
    for (uint32_t i = 0; i < 20; i++) {
        old_len = dhtnet_record(s.net, i, 1, old, pk);
        new_len = dhtnet_record(s.net, i, 2, new, pk);
        dhtnet_put(s.net, somebody(&s, PICK_WRITER, i), old, old_len, false, &job);
        dhtnet_run(s.net, 31 * YR_S);
        dhtnet_put(s.net, somebody(&s, PICK_WRITER, i), new, new_len, false, &job);
        dhtnet_run(s.net, 31 * YR_S);
        dhtnet_put(s.net, 3, old, old_len, false, &job);
        dhtnet_run(s.net, 31 * YR_S);
        dhtnet_get(s.net, somebody(&s, PICK_READER, i), pk, false, &job);
        dhtnet_run(s.net, 31 * YR_S);
        ok += job.found;
        newest += job.found && job.seq == 2;
    }
    for (uint32_t i = 0; i < s.net->count; i++) {
        most = YR_MAX(most, s.net->nodes[i].dht->records.count);
        mem = YR_MAX(mem, s.net->nodes[i].mem.used[YR_MEM_DHT]);
    }
    say(&s, "found in the flood", percent(ok, 20), "%", DHTSCENE_AT_LEAST, 99);
    say(&s, "the newest wins", percent(newest, 20), "%", DHTSCENE_AT_LEAST, 99);
    say(&s, "records at one node, most", (double)most, "", DHTSCENE_AT_MOST, YR_DHT_RECORDS_MAX);
    say(&s, "memory of one node, most", (double)mem / 1024, "KiB", DHTSCENE_AT_MOST, 6 * 1024);
    free(jobs);
    close_scene(&s);
}

// The wall clocks of a tenth are off by a year.
static void clocks(const struct dhtscene *o)
{
    struct scene s = open_scene(o, &(struct dhtnet_opts){0});
    struct pairs p;

    grow_all(&s);
    p = new_pairs(&s, o->pairs, 0);
    put_pairs(&s, &p, 5 * YR_MS);
    for (uint32_t i = 0; i < s.net->count; i++)
        if (pick(&s, PICK, i, 10) == 0)
            s.net->nodes[i].wall_off_ms =
                (pick(&s, PICK, i, 20) < 10 ? 365 : -365) * (int64_t)YR_DAY_MS;
    dhtnet_run(s.net, 90 * YR_MIN_US);
    get_pairs(&s, &p, 5 * YR_MS);
    say(&s, "success after 90 min", found(&p), "%", DHTSCENE_AT_LEAST, 99.9);
    free(p.list);
    close_scene(&s);
}

static const struct {
    const char *name, *what;
    void (*run)(const struct dhtscene *o);
} scenes[] = {
    {"standard", "hops, latency and success, with so many colluding, stale, churned", standard},
    {"D-1", "a flash crowd, and one node of 1 Mbit/s to start from", flash_crowd},
    {"D-2", "sessions of 30 minutes (median, Weibull 0.5)", churn_scene},
    {"D-3", "half of all nodes vanish at once", departure},
    {"D-4", "an hour parted 70/30, then healed", partition},
    {"D-5", "colluders who name only each other", colluders},
    {"D-6", "the same, three times over-represented in tables", pushy},
    {"D-7", "64 sybils around a key that a former friend knows", surrounded},
    {"D-8", "newcomers who know 20 liars and one honest node", eclipse},
    {"D-9", "40 % of pairs cannot talk, 20 % of nodes hear only answers", not_transitive},
    {"D-10", "a flood of records, and old ones put again", flood},
    {"D-11", "wall clocks a year off", clocks},
};

bool dhtscene_at(size_t i, const char **name, const char **what)
{
    if (i >= YR_COUNT(scenes))
        return false;
    *name = scenes[i].name;
    *what = scenes[i].what;
    return true;
}

bool dhtscene_run(const char *name, const struct dhtscene *opts)
{
    for (size_t i = 0; i < YR_COUNT(scenes); i++)
        if (strcmp(scenes[i].name, name) == 0) {
            scenes[i].run(opts);
            return true;
        }
    return false;
}
