/* Two friends on links that hardly hold: scenarios M2, M3 and M16 of docs/resilience.md, without
 * anybody who would hold what waits. */
#include "tests/support/test.h"

#include "tests/support/seeded.h"
#include "tests/support/sim/cell.h"

#define HOUR (3600 * YR_S)

static uint64_t draw(struct cell *c, uint64_t below)
{
    return sim_draw(c->sim, 79) % below;
}

// Cut and healed every 0.5 to 20 s; now and then an end is elsewhere afterwards.
static void flap(struct cell *c, bool *cut)
{
    *cut = !*cut;
    sim_cut(c->sim, CELL_FROM, CELL_TO, *cut);
    if (!*cut && draw(c, 8) == 0)
        sim_move(c->sim, draw(c, 2) ? CELL_FROM : CELL_TO);
}

static void a_thousand_texts_over_a_link_that_flaps(void **state)
{
    struct sim_opts opts = sim_opts_default(seeded_seed("away_link", 21));
    struct cell *c = cell_new(&opts, 0);
    yr_us next = sim_time(c->sim);
    bool cut = false;

    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(
            cell_say(c, i % 3 == 0 ? CELL_TO : CELL_FROM, i % 3 == 0 ? CELL_FROM : CELL_TO), i);
        cell_run(c, draw(c, 2000) * YR_MS);
        while (next <= sim_time(c->sim)) {
            flap(c, &cut);
            next += 500 * YR_MS + draw(c, 19500) * YR_MS;
        }
    }
    sim_cut(c->sim, CELL_FROM, CELL_TO, false);
    cell_end(c, 5 * YR_MIN_US);
    assert_int_equal(sim_history_count(c->sim, CELL_FROM, CELL_TO), 1000);
    assert_int_equal(cell_missing(c), 0);
    cell_free(c);
}

// Whatever the recipient sends is lost for an hour: it cannot say that it has what it has.
static void an_hour_without_an_answer_doubles_nothing(void **state)
{
    struct sim_opts opts = sim_opts_default(22);
    struct cell *c = cell_new(&opts, 0);
    struct sim_traffic before, after;

    for (unsigned i = 0; i < 10; i++)
        (void)cell_say(c, CELL_FROM, CELL_TO);
    cell_run(c, 21 * YR_MS); // they are on their way; the answers are not
    sim_cut_way(c->sim, CELL_TO, CELL_FROM, true);
    cell_run(c, 5 * YR_MIN_US);
    for (unsigned i = 0; i < 10; i++)
        (void)cell_say(c, CELL_FROM, CELL_TO);
    before = sim_traffic(c->sim, CELL_FROM);
    cell_run(c, HOUR);
    after = sim_traffic(c->sim, CELL_FROM);
    assert_int_equal(cell_missing(c), 10); // the first ten came
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(c->texts[i].delivered, 0);
    // One dial a minute, of a few packets, and no text at all.
    print_message("an hour without answers: %llu packets, %llu bytes\n",
                  (unsigned long long)(after.packets_out - before.packets_out),
                  (unsigned long long)(after.out - before.out));
    assert_true(after.packets_out - before.packets_out < 60 * 8);
    sim_cut_way(c->sim, CELL_TO, CELL_FROM, false);
    cell_end(c, 5 * YR_MIN_US);
    assert_int_equal(sim_history_count(c->sim, CELL_TO, CELL_FROM), 20);
    cell_free(c);
}

// The other's disk answers nothing for an hour: the link is there, and nothing is sent again.
static void a_recipient_that_stores_slowly_is_sent_nothing_twice(void **state)
{
    struct sim_opts opts = sim_opts_default(23);
    struct cell *c = cell_new(&opts, 0);
    uint64_t before, sent;

    (void)cell_say(c, CELL_FROM, CELL_TO);
    cell_run(c, 5 * YR_MS); // it is durable at who said it
    sim_set_commit(c->sim, HOUR);
    cell_run(c, YR_S);
    before = sim_bytes(c->sim);
    cell_run(c, 50 * YR_MIN_US);
    sent = sim_bytes(c->sim) - before;
    print_message("fifty minutes without a commit: %llu bytes\n", (unsigned long long)sent);
    assert_true(sent < 50 * 1024);
    assert_int_equal(c->texts[0].delivered, 0);
    sim_set_commit(c->sim, 2 * YR_MS);
    cell_run(c, HOUR);
    cell_end(c, 5 * YR_MIN_US);
    assert_int_equal(sim_history_count(c->sim, CELL_TO, CELL_FROM), 1);
    cell_free(c);
}

// The k-th commit of one of two and two more fail.  False: there were fewer.
static bool story_with_failure(uint64_t k, enum yr_err err, unsigned victim)
{
    struct sim_opts opts = sim_opts_default(24);
    struct cell *c = cell_new(&opts, 0);
    const uint64_t at = sim_commits(c->sim, victim) + k;
    uint64_t made;

    sim_fail_at(c->sim, victim, at, err, 3);
    for (unsigned i = 0; i < 6; i++) {
        (void)cell_say(c, i % 2, 1 - i % 2);
        cell_run(c, 40 * YR_MS);
    }
    made = sim_commits(c->sim, victim);
    sim_fail_at(c->sim, victim, 0, YR_OK, 0);
    yr_memstore_fail(sim_store(c->sim, victim), YR_OK, 0);
    cell_run(c, YR_MIN_US); // there is room again, and the node notices by itself
    assert_int_not_equal(cell_say(c, victim, 1 - victim), SIZE_MAX);
    cell_run(c, YR_S);
    cell_end(c, 5 * YR_MIN_US);
    assert_true(c->texts[c->text_count - 1].accepted);
    for (size_t i = 0; i < c->text_count; i++) {
        const struct yr_event *done = sim_done(c->sim, c->texts[i].from, c->texts[i].ticket);
        assert_non_null(done); // told one thing or the other
        if (!c->texts[i].accepted)
            assert_int_equal(done->err, err);
    }
    cell_free(c);
    return made >= at;
}

static void a_write_that_fails_anywhere_is_told_and_loses_nothing(void **state)
{
    static const enum yr_err errs[] = {YR_ENOSPC, YR_EIO};

    for (size_t e = 0; e < YR_COUNT(errs); e++)
        for (unsigned victim = 0; victim < 2; victim++)
            for (uint64_t k = 1; story_with_failure(k, errs[e], victim); k++)
                assert_true(k < 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_texts_over_a_link_that_flaps),
        cmocka_unit_test(an_hour_without_an_answer_doubles_nothing),
        cmocka_unit_test(a_recipient_that_stores_slowly_is_sent_nothing_twice),
        cmocka_unit_test(a_write_that_fails_anywhere_is_told_and_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
