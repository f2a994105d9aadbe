/* A few friends, everything that can go wrong, and what must hold when it is over.
 * YAARI_SEED plays one seed again, YAARI_SEEDS says how many from there on. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/seeded.h"
#include "tests/support/sim/sim.h"

#define MINUTE      (60 * YR_S)
#define HOUR        (60 * MINUTE)
#define SEEDS       40
#define YEARS_SEEDS 12
#define STEPS       120
#define TEXTS_MAX   (STEPS + 1)

struct text {
    unsigned from, to;
    uint64_t ticket;
    bool accepted;
    uint8_t id[YR_MSG_ID_LEN];
    enum yr_state told; /* by events, which leave when what they tell is on disk */
};

struct world {
    struct sim *sim;
    uint64_t seed;
    unsigned nodes;
    bool years;    /* clocks go wrong by years, days pass, and somebody is away for most of it */
    unsigned away; /* who; `nodes`: nobody */
    struct text texts[TEXTS_MAX];
    size_t count;
};

static uint64_t draw(struct world *w, uint64_t below)
{
    return sim_draw(w->sim, 77) % below;
}

static void give_up(struct world *w, const char *what, unsigned a, unsigned b)
{
    char *of_a = sim_history(w->sim, a, b, true), *of_b = sim_history(w->sim, b, a, true);

    print_error("seed %llu: %s, nodes %u and %u\n%s--\n%s", (unsigned long long)w->seed, what, a, b,
                of_a, of_b);
    fail();
}

// What was told to be accepted counts; of the rest nobody was promised anything.
static void note_answers(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        struct text *t = &w->texts[i];
        const struct yr_event *done = sim_done(w->sim, t->from, t->ticket);
        if (t->accepted || t->ticket == 0 || done == NULL || done->err != YR_OK)
            continue;
        t->accepted = true;
        memcpy(t->id, done->msg, sizeof t->id);
    }
}

static void check_states(struct world *w)
{
    struct yr_message *m = malloc(sizeof *m);

    for (size_t i = 0; i < w->count; i++) {
        struct text *t = &w->texts[i];
        if (!t->accepted || !sim_alive(w->sim, t->from) ||
            yr_node_message(sim_node(w->sim, t->from), t->id, m) != YR_OK)
            continue;
        if (m->state < t->told)
            give_up(w, "a state went back", t->from, t->to);
    }
    free(m);
}

static void on_event(void *ctx, unsigned node, const struct yr_event *event)
{
    struct world *w = ctx;

    for (size_t i = 0; event->kind == YR_EV_STATE && i < w->count; i++) {
        struct text *t = &w->texts[i];
        if (!t->accepted || t->from != node || memcmp(t->id, event->msg, YR_MSG_ID_LEN) != 0)
            continue;
        if (event->state < t->told)
            give_up(w, "a state that was told went back", t->from, t->to);
        t->told = event->state;
    }
}

static void say(struct world *w)
{
    struct text *t = &w->texts[w->count];
    char body[48];
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = body};
    enum yr_err err;

    t->from = (unsigned)draw(w, w->nodes);
    t->to = (unsigned)((t->from + 1 + draw(w, w->nodes - 1)) % w->nodes);
    if (!sim_alive(w->sim, t->from))
        return;
    cmd.body_len =
        (size_t)snprintf(body, sizeof body, "%zu from %u to %u", w->count, t->from, t->to);
    memcpy(cmd.conv, sim_id(w->sim, t->to), YR_ID_LEN);
    t->ticket = sim_command(w->sim, t->from, &cmd, &err);
    if (err != YR_OK)
        t->ticket = 0;
    w->count++;
}

// Edits and deletes are the author's, reactions anybody's of the two.
static void operate(struct world *w)
{
    struct text *t = &w->texts[draw(w, w->count > 0 ? w->count : 1)];
    const unsigned what = (unsigned)draw(w, 8), who = what > 4 && draw(w, 2) ? t->to : t->from;
    struct yr_cmd cmd = {.body = what > 4 ? "+1" : "changed", .body_len = what > 4 ? 2 : 7};
    enum yr_err err;

    if (w->count == 0 || !t->accepted || !sim_alive(w->sim, who))
        return;
    cmd.kind = what > 4 ? YR_CMD_REACT : what > 0 ? YR_CMD_EDIT : YR_CMD_DELETE;
    cmd.flags = what > 4 && draw(w, 3) == 0 ? YR_FLAG_REMOVE : 0;
    memcpy(cmd.msg, t->id, sizeof cmd.msg);
    (void)sim_command(w->sim, who, &cmd, &err);
}

static yr_ms wrong_clock(struct world *w)
{
    if (w->years && draw(w, 2) == 0)
        return ((yr_ms)draw(w, 7305) - 3652) * YR_DAY_MS;
    return ((yr_ms)draw(w, 2001) - 1000) * 3600 * 1000;
}

static void go(struct world *w, unsigned node)
{
    if (!sim_alive(w->sim, node))
        return;
    if (draw(w, 2) == 0)
        sim_crash(w->sim, node);
    else
        sim_leave(w->sim, node);
}

static void break_something(struct world *w)
{
    struct sim *sim = w->sim;
    const unsigned node = (unsigned)draw(w, w->nodes);
    const unsigned other = (unsigned)((node + 1 + draw(w, w->nodes - 1)) % w->nodes);
    struct sim_link link = {.delay_us = 1 * YR_MS + draw(w, 80) * YR_MS, .jitter_us = 20 * YR_MS};

    switch (draw(w, w->years ? 12 : 9)) {
    case 0: sim_cut(sim, node, other, draw(w, 2)); break;
    case 1: sim_crash_at(sim, node, sim_commits(sim, node) + 1 + draw(w, 20), draw(w, 2)); break;
    case 2:
        if (sim_alive(sim, node))
            sim_crash(sim, node);
        break;
    case 3:
        sim_refuse_at(sim, node, 0); // a node that cannot even start is another test's
        if (!sim_alive(sim, node) && node != w->away)
            sim_restart(sim, node);
        break;
    case 4:
        yr_memstore_fail(sim_store(sim, node), draw(w, 2) ? YR_ENOSPC : YR_EIO, 1 + draw(w, 3));
        break;
    case 5: sim_skew(sim, node, wrong_clock(w)); break;
    case 6: sim_move(sim, node); break;
    case 7:
        link.loss = (unsigned)draw(w, 300);
        link.duplicate = (unsigned)draw(w, 200);
        link.reorder = (unsigned)draw(w, 300);
        sim_set_link(sim, &link);
        break;
    case 8: sim_refuse_at(sim, node, sim_allocs(sim, node) + 1 + draw(w, 400)); break;
    case 9: go(w, node); break;
    case 10:
        if (w->away == w->nodes)
            go(w, w->away = node);
        break;
    case 11: sim_run(sim, draw(w, 60) * HOUR); break;
    default: break;
    }
}

// Two who both moved meanwhile cannot find each other alone: without a LAN they are told.
static void tell_addresses(struct world *w)
{
    for (unsigned a = 0; a < w->nodes; a++)
        for (unsigned b = 0; b < w->nodes; b++) {
            char name[16];
            struct yr_cmd cmd = {.kind = YR_CMD_PEER_ADD, .text = name};
            if (a == b)
                continue;
            cmd.text_len = (size_t)snprintf(name, sizeof name, "node %u", b);
            cmd.addr = sim_addr(w->sim, b);
            (void)sim_do(w->sim, a, &cmd);
        }
}

static void heal(struct world *w)
{
    sim_set_link(w->sim, &(struct sim_link){.delay_us = 10 * YR_MS});
    for (unsigned a = 0; a < w->nodes; a++) {
        for (unsigned b = 0; b < w->nodes; b++)
            sim_cut(w->sim, a, b, false);
        sim_crash_at(w->sim, a, 0, false);
        sim_refuse_at(w->sim, a, 0);
        yr_memstore_fail(sim_store(w->sim, a), YR_OK, 0);
        if (!sim_alive(w->sim, a))
            sim_restart(w->sim, a);
    }
    sim_run(w->sim, 5 * MINUTE);
    if (w->seed % 2 != 0)
        tell_addresses(w);
}

// Whatever happened, no store was set back: the session that they began with is good.
static bool began_anew(struct world *w, unsigned a, unsigned b)
{
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place place = {{0}};
    enum yr_seek how = YR_SEEK_GE;
    bool anew = false;

    while (yr_node_history(sim_node(w->sim, a), sim_id(w->sim, b), how, &place, m) == YR_OK) {
        how = YR_SEEK_GT;
        anew |= m->kind == YR_MSG_SYSTEM && strstr(m->text, "begun anew") != NULL;
    }
    free(m);
    return anew;
}

// All are linked and nothing waits.
static bool at_rest(struct sim *sim, void *ctx)
{
    const struct world *w = ctx;
    struct yr_self self;

    for (unsigned a = 0; a < w->nodes; a++) {
        yr_node_self(sim_node(sim, a), &self);
        if (self.queued > 0 || self.friends_online != w->nodes - 1)
            return false;
    }
    return true;
}

static void check_end(struct world *w)
{
    // A word about lost keys goes once an hour at most, where clocks went wrong by years.
    if (!sim_run_until(w->sim, w->years ? 3 * HOUR : 10 * MINUTE, at_rest, w)) {
        for (unsigned a = 0; a < w->nodes; a++) {
            struct yr_self self;
            yr_node_self(sim_node(w->sim, a), &self);
            print_error("node %u: %zu waiting, %zu online\n", a, (size_t)self.queued,
                        (size_t)self.friends_online);
        }
        give_up(w, "no rest", 0, 1);
    }
    note_answers(w);
    check_states(w);
    for (unsigned a = 0; a < w->nodes; a++)
        for (unsigned b = a + 1; b < w->nodes; b++) {
            char *of_a = sim_history(w->sim, a, b, false);
            char *of_b = sim_history(w->sim, b, a, false);
            if (strcmp(of_a, of_b) != 0)
                give_up(w, "two histories", a, b);
            for (size_t i = 0; i < w->count; i++) {
                const struct text *t = &w->texts[i];
                char id[27];
                const char *at;
                if (!t->accepted || !((t->from == a && t->to == b) || (t->from == b && t->to == a)))
                    continue;
                yr_id_text(id, t->id, sizeof t->id);
                at = strstr(of_a, id);
                if (at == NULL || strstr(at + 1, id) != NULL)
                    give_up(w, at == NULL ? "an accepted text is gone" : "a text is there twice",
                            t->from, t->to);
            }
            free(of_a);
            free(of_b);
            if (began_anew(w, a, b) || began_anew(w, b, a))
                give_up(w, "a session was begun anew", a, b);
        }
}

static void play(uint64_t seed, bool years)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct world *w = calloc(1, sizeof *w);

    w->seed = seed;
    opts.lan = seed % 2 == 0;
    w->sim = sim_new(&opts);
    w->nodes = w->away = 3 + seed % 2;
    w->years = years;
    sim_watch(w->sim, on_event, w);
    for (unsigned a = 0; a < w->nodes; a++)
        (void)sim_add(w->sim, "node");
    for (unsigned a = 0; a < w->nodes; a++)
        for (unsigned b = a + 1; b < w->nodes; b++)
            sim_befriend(w->sim, a, b);
    for (unsigned step = 0; step < STEPS; step++) {
        if (draw(w, 4) != 0)
            say(w);
        if (draw(w, 3) == 0)
            operate(w);
        if (draw(w, 4) == 0)
            break_something(w);
        sim_run(w->sim, draw(w, 10) == 0 ? 30 * YR_S : draw(w, 500) * YR_MS);
        note_answers(w);
        check_states(w);
    }
    heal(w);
    check_end(w);
    sim_free(w->sim);
    free(w);
}

static uint64_t seeds(uint64_t fallback)
{
    const char *env = getenv("YAARI_SEEDS");

    return env != NULL ? strtoull(env, NULL, 0) : fallback;
}

static void whatever_breaks_all_accepted_texts_arrive_once(void **state)
{
    const uint64_t first = seeded_seed("swarm", 1000), end = first + seeds(SEEDS);

    for (uint64_t seed = first; seed < end; seed++)
        play(seed, false);
}

static void whatever_breaks_for_days_all_accepted_texts_arrive_once(void **state)
{
    const uint64_t first = seeded_seed("swarm", 5000), end = first + seeds(YEARS_SEEDS);

    for (uint64_t seed = first; seed < end; seed++)
        play(seed, true);
}

// What was found with many more seeds than are played here, once.
static void what_went_wrong_once_does_not_again(void **state)
{
    static const uint64_t old[] = {
        3041, // the order after a text taken back, clocks far ahead
        3058, // an allocation refused in the middle of ngtcp2's retransmission
    };

    (void)state;
    for (size_t i = 0; i < YR_COUNT(old); i++)
        play(old[i], false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_went_wrong_once_does_not_again),
        cmocka_unit_test(whatever_breaks_all_accepted_texts_arrive_once),
        cmocka_unit_test(whatever_breaks_for_days_all_accepted_texts_arrive_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
