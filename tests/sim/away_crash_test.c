/* Sender, recipient and holder of mail crash at each commit of a story, before it, after it and in
 * the middle: scenarios M1 and M4 of docs/resilience.md. */
#include "tests/support/test.h"

#include "tests/support/sim/cell.h"

#define VICTIMS 3 /* sender, recipient, holder */
enum when { BEFORE, AFTER, WITHIN, WHENS };

static void say(struct cell *c, unsigned from, unsigned to)
{
    (void)cell_say(c, from, to); // refused if it is down: then nobody was promised anything
    cell_run(c, 300 * YR_MS);
}

// Whoever crashed comes again soon; the crash is not repeated.
static void go_on(struct cell *c, unsigned victim, yr_us duration)
{
    cell_run(c, duration);
    if (sim_crashed_at(c->sim, victim) && !sim_alive(c->sim, victim))
        cell_come(c, victim);
}

// True while the k-th commit was reached.
static bool story(unsigned victim, uint64_t k, enum when when)
{
    struct sim_opts opts = sim_opts_default(51);
    struct cell *c = cell_new(&opts, 1);
    const uint64_t at = sim_commits(c->sim, victim) + k;
    bool reached;

    if (when == WITHIN)
        sim_crash_within(c->sim, victim, at);
    else
        sim_crash_at(c->sim, victim, at, when == AFTER);
    say(c, CELL_FROM, CELL_TO); // over the link
    cell_go(c, CELL_TO, false);
    cell_run(c, 100 * YR_MS);
    say(c, CELL_FROM, CELL_TO);
    say(c, CELL_FROM, CELL_TO);
    go_on(c, victim, 8 * YR_S); // left with the holder
    say(c, CELL_FROM, CELL_TO);
    go_on(c, victim, 5 * YR_S);
    cell_go(c, CELL_FROM, false);
    if (!sim_crashed_at(c->sim, CELL_TO))
        cell_come(c, CELL_TO);
    go_on(c, victim, 10 * YR_S); // fetched
    say(c, CELL_TO, CELL_FROM);  // and an answer left
    go_on(c, victim, 90 * YR_S); // with the receipt
    cell_go(c, CELL_TO, false);
    cell_come(c, CELL_FROM);
    go_on(c, victim, 20 * YR_S);
    cell_go(c, CELL_FROM, false);
    cell_run(c, YR_S);
    reached = sim_commits(c->sim, victim) >= at;
    sim_crash_at(c->sim, victim, 0, false);
    cell_end(c, 10 * YR_MIN_US);
    cell_free(c);
    return reached;
}

static void crash_everywhere(unsigned victim)
{
    uint64_t stories = 0;

    for (enum when when = BEFORE; when < WHENS; when++)
        for (uint64_t k = 1; story(victim, k, when); k++, stories++)
            assert_true(k < 500);
    print_message("%llu crashes\n", (unsigned long long)stories);
    assert_true(stories > 30);
}

static void the_sender_may_crash_at_any_commit(void **state)
{
    crash_everywhere(CELL_FROM);
}

static void the_recipient_may_crash_at_any_commit(void **state)
{
    crash_everywhere(CELL_TO);
}

static void the_holder_may_crash_at_any_commit(void **state)
{
    crash_everywhere(CELL_HOLD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sender_may_crash_at_any_commit),
        cmocka_unit_test(the_recipient_may_crash_at_any_commit),
        cmocka_unit_test(the_holder_may_crash_at_any_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
