/* A room among friends of friends while everything breaks, and what must hold when it is over.
 * YAARI_SEED plays one seed again, YAARI_SEEDS says how many, YAARI_PEOPLE how many
 * people there are. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/seeded.h"
#include "tests/support/sim/circle.h"

#define MINUTE (60 * YR_S)
#define STEPS  120
#define HOUR   (3600LL * 1000)
#define YEARS  (10LL * 365 * 86400 * 1000)

static unsigned number(const char *name, unsigned fallback)
{
    const char *value = getenv(name);

    return value != NULL ? (unsigned)strtoul(value, NULL, 0) : fallback;
}

static void say(struct circle *c, unsigned step)
{
    const unsigned node = circle_draw(c, c->count);
    char text[32];

    snprintf(text, sizeof text, "t%u of n%u", step, node);
    if (circle_in(c, node))
        (void)circle_say(c, node, text, NULL);
}

// Edits and deletes are the author's, reactions anybody's who was shown it.
static void operate(struct circle *c)
{
    const size_t text = circle_draw(c, c->text_count > 0 ? c->text_count : 1);
    const unsigned what = circle_draw(c, 8);
    unsigned who;
    enum yr_err err;

    if (c->text_count == 0 || !c->texts[text].accepted)
        return;
    who = what > 4 ? circle_draw(c, c->count) : c->texts[text].from;
    if (!circle_in(c, who) || circle_message(c, who, text) == NULL)
        return;
    struct yr_cmd cmd = {.body = what > 4 ? "+1" : "changed", .body_len = what > 4 ? 2 : 7};
    cmd.kind = what > 4 ? YR_CMD_REACT : what > 0 ? YR_CMD_EDIT : YR_CMD_DELETE;
    cmd.flags = what > 4 && circle_draw(c, 3) == 0 ? YR_FLAG_REMOVE : 0;
    memcpy(cmd.msg, c->texts[text].id, sizeof cmd.msg);
    (void)sim_command(c->sim, who, &cmd, &err);
}

// Somebody asks a friend in, or says yes.
static void come(struct circle *c)
{
    const unsigned a = circle_draw(c, c->count), b = circle_draw(c, c->count);
    struct yr_cmd cmd = circle_cmd(c, YR_CMD_ROOM_INVITE);
    enum yr_err err;

    if (circle_state(c, b, NULL) == YR_ROOM_INVITED)
        cmd.kind = YR_CMD_ROOM_JOIN;
    else if (!c->friends[a][b] || !circle_in(c, a) || circle_in(c, b) || !sim_alive(c->sim, b))
        return;
    memcpy(cmd.who, sim_id(c->sim, b), YR_ID_LEN);
    (void)sim_command(c->sim, cmd.kind == YR_CMD_ROOM_JOIN ? b : a, &cmd, &err);
}

static void rule(struct circle *c, unsigned step)
{
    const unsigned node = circle_draw(c, c->count), whom = circle_draw(c, c->count);
    struct yr_cmd cmd = circle_cmd(c, circle_draw(c, 2) ? YR_CMD_ROOM_TOPIC : YR_CMD_ROOM_ROLE);
    char text[16];
    enum yr_err err;

    if (!circle_in(c, node) || !circle_in(c, whom))
        return;
    circle_who(c, &cmd, whom);
    cmd.text = text;
    cmd.text_len = (size_t)snprintf(text, sizeof text, "topic %u", step);
    cmd.number = circle_draw(c, 2) ? YR_RANK_ADMIN : YR_RANK_MOD;
    (void)sim_command(c->sim, node, &cmd, &err);
}

// Clocks are years apart, and jump.
static yr_ms skew_of(uint64_t seed, unsigned node)
{
    return ((yr_ms)((seed + node) % 3) - 1) * YEARS;
}

static void break_something(struct circle *c)
{
    struct sim *sim = c->sim;
    const unsigned node = circle_draw(c, c->count);
    struct sim_link link = {.delay_us = 1 * YR_MS + circle_draw(c, 80) * YR_MS,
                            .jitter_us = 20 * YR_MS};
    unsigned side[CIRCLE_MAX];

    switch (circle_draw(c, 10)) {
    case 0:
        for (unsigned i = 0; i < c->count; i++)
            side[i] = circle_draw(c, 2 + c->seed % 2);
        circle_part(c, side);
        break;
    case 1:
        memset(side, 0, sizeof side);
        circle_part(c, side);
        break;
    case 2:
        sim_crash_at(sim, node, sim_commits(sim, node) + 1 + circle_draw(c, 20), circle_draw(c, 2));
        break;
    case 3:
        if (sim_alive(sim, node))
            sim_crash(sim, node);
        break;
    case 4:
    case 5:
        sim_refuse_at(sim, node, 0); // a node that cannot even start is another test's
        if (!sim_alive(sim, node))
            sim_restart(sim, node);
        break;
    case 6:
        yr_memstore_fail(sim_store(sim, node), circle_draw(c, 2) ? YR_ENOSPC : YR_EIO,
                         1 + circle_draw(c, 3));
        break;
    case 7:
        sim_skew(sim, node, skew_of(circle_draw(c, 3), node) + (yr_ms)circle_draw(c, 672) * HOUR);
        break;
    case 8:
        link.loss = circle_draw(c, 300);
        link.duplicate = circle_draw(c, 200);
        link.reorder = circle_draw(c, 300);
        sim_set_link(sim, &link);
        break;
    case 9: sim_refuse_at(sim, node, sim_allocs(sim, node) + 1 + circle_draw(c, 2000)); break;
    default: break;
    }
}

// Nobody says anything: links are kept up and nothing else.
static void check_quiet(struct circle *c)
{
    unsigned links = 0;
    uint64_t before;

    for (unsigned a = 0; a < c->count; a++)
        for (unsigned b = 0; b < a; b++)
            links += c->friends[a][b];
    sim_run(c->sim, 5 * MINUTE);
    before = sim_bytes(c->sim);
    sim_run(c->sim, 5 * MINUTE);
    if (sim_bytes(c->sim) - before > links * 300 * 25ULL) {
        print_error("%u links, %llu bytes in five minutes\n", links,
                    (unsigned long long)(sim_bytes(c->sim) - before));
        circle_fail(c, "no rest", 0, 1);
    }
}

// What everybody has is known to be delivered.
static void check_delivered(struct circle *c)
{
    for (size_t k = 0; k < c->text_count; k++) {
        const struct yr_message *m = circle_message(c, c->texts[k].from, k);
        if (m != NULL && m->state < YR_STATE_DELIVERED && m->of > 0) {
            print_error("text %zu: %u of %u\n", k, m->delivered_to, m->of);
            circle_fail(c, "what all have is not delivered", c->texts[k].from, 0);
        }
    }
}

static void play(uint64_t seed, unsigned people)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct circle *c = circle_new(&opts, people);

    circle_graph(c, seed % 2);
    for (unsigned i = 0; i < people && seed % 2 == 0; i++)
        sim_skew(c->sim, i, skew_of(seed, i));
    circle_found(c, 0, seed % 4 == 3 ? 7 : 0);
    if (seed % 4 != 0)
        circle_gather(c, 0);
    for (unsigned step = 0; step < STEPS; step++) {
        if (circle_draw(c, 4) != 0)
            say(c, step);
        if (circle_draw(c, 3) == 0)
            operate(c);
        if (circle_draw(c, 2) == 0)
            come(c);
        if (circle_draw(c, 10) == 0)
            rule(c, step);
        if (circle_draw(c, 4) == 0)
            break_something(c);
        sim_run(c->sim, circle_draw(c, 10) == 0 ? 30 * YR_S : circle_draw(c, 500) * YR_MS);
    }
    sim_set_link(c->sim, &(struct sim_link){.delay_us = 10 * YR_MS});
    circle_heal(c);
    sim_run(c->sim, 2 * MINUTE);
    circle_end(c, 5 * MINUTE);
    check_quiet(c);
    check_delivered(c);
    print_message("seed %llu: %u people, %zu texts\n", (unsigned long long)seed, people,
                  c->text_count);
    circle_free(c);
}

static void whatever_breaks_the_room_is_the_same_for_all(void **state)
{
    const uint64_t first = seeded_seed("room_world", 1);
    const unsigned seeds = number("YAARI_SEEDS", 6), people = number("YAARI_PEOPLE", 0);

    (void)state;
    for (uint64_t seed = first; seed < first + seeds; seed++)
        play(seed, people != 0 ? people : 3 + (unsigned)(seed * 5 % 12));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_breaks_the_room_is_the_same_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
