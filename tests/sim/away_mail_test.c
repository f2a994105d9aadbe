/* Two who never meet, and a friend of both: what the sender is told, what the recipient is shown,
 * what the friend in between knows. */
#include "tests/support/test.h"

#include "core/node/state.h"
#include "tests/support/seeded.h"
#include "tests/support/sim/cell.h"

#define HOUR   (3600 * YR_S)
#define HOLDER CELL_HOLD

static struct cell *three(uint64_t seed)
{
    struct sim_opts opts = sim_opts_default(seed);

    opts.scan = true;
    return cell_new(&opts, 1);
}

static enum yr_state state_of(struct cell *c, size_t text)
{
    static struct yr_message m;

    assert_int_equal(yr_node_message(sim_node(c->sim, c->texts[text].from), c->texts[text].id, &m),
                     YR_OK);
    return m.state;
}

static unsigned held_by(struct cell *c, size_t text)
{
    static struct yr_message m;

    assert_int_equal(yr_node_message(sim_node(c->sim, c->texts[text].from), c->texts[text].id, &m),
                     YR_OK);
    return m.held_by;
}

struct waits {
    struct cell *c;
    size_t text;
    bool held; /* or shown */
};

static bool is_so(struct sim *sim, void *ctx)
{
    const struct waits *w = ctx;

    (void)sim;
    return w->held ? w->c->texts[w->text].held != 0 : w->c->texts[w->text].shown != 0;
}

static bool run_held(struct cell *c, size_t text)
{
    struct waits w = {c, text, true};

    return sim_run_until(c->sim, 20 * YR_S, is_so, &w);
}

static bool run_shown(struct cell *c, size_t text)
{
    struct waits w = {c, text, false};

    return sim_run_until(c->sim, 20 * YR_S, is_so, &w);
}

static void a_text_is_there_though_the_two_never_meet(void **state)
{
    struct cell *c = three(seeded_seed("away_mail", 31));
    size_t text;

    cell_go(c, CELL_TO, false);
    cell_run(c, YR_S);
    text = cell_say(c, CELL_FROM, CELL_TO);
    assert_true(run_held(c, text));
    assert_int_equal(state_of(c, text), YR_STATE_HELD);
    assert_int_equal(held_by(c, text), 1);
    assert_int_equal(cell_kept(c, HOLDER, CELL_TO), 1);
    cell_go(c, CELL_FROM, false);
    cell_run(c, HOUR);
    cell_come(c, CELL_TO);
    assert_true(run_shown(c, text));
    cell_run(c, 2 * YR_MIN_US); // the receipt is late on purpose, and waits here for its way back
    assert_int_equal(cell_kept(c, HOLDER, CELL_TO), 0);
    assert_true(cell_kept(c, HOLDER, CELL_FROM) > 0);
    cell_go(c, CELL_TO, false);
    cell_run(c, HOUR);
    cell_come(c, CELL_FROM);
    cell_run(c, 20 * YR_S);
    assert_int_equal(state_of(c, text), YR_STATE_DELIVERED);
    cell_run(c, 2 * YR_MIN_US);
    assert_int_equal(cell_kept(c, HOLDER, CELL_FROM), 0);
    cell_end(c, 5 * YR_MIN_US);
    cell_free(c);
}

// Custody is told when it is on disk: whoever holds is killed in that moment.
static void a_holder_that_is_killed_right_after_custody_has_it(void **state)
{
    struct cell *c = three(32);
    size_t text;

    cell_go(c, CELL_TO, true);
    text = cell_say(c, CELL_FROM, CELL_TO);
    cell_run(c, 2 * YR_MIN_US); // nobody said goodbye: the link has to be given up first
    assert_int_not_equal(c->texts[text].held, 0);
    text = cell_say(c, CELL_FROM, CELL_TO);
    assert_true(run_held(c, text));
    cell_go(c, HOLDER, true);
    cell_go(c, CELL_FROM, true);
    cell_come(c, HOLDER);
    assert_int_equal(cell_kept(c, HOLDER, CELL_TO), 2);
    cell_come(c, CELL_TO);
    assert_true(run_shown(c, text));
    cell_end(c, 5 * YR_MIN_US);
    cell_free(c);
}

// Neither text nor author in its memory or store or on the way; nothing of the author's in the rows
// of what it keeps.
static void a_holder_knows_neither_what_nor_whose_it_is(void **state)
{
    static uint8_t row[YR_ENVELOPE_MAX + 256];
    static const char canary[] = "canary-of-a-text";
    struct cell *c = three(33);
    struct yr_rows *rows = sim_node(c->sim, HOLDER)->rows;
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;

    sim_look_for(c->sim, canary, sizeof canary - 1);
    cell_go(c, CELL_TO, false);
    cell_run(c, YR_S);
    for (unsigned i = 0; i < 20; i++)
        (void)cell_say(c, CELL_FROM, CELL_TO);
    cell_run(c, 20 * YR_S);
    assert_int_equal(cell_kept(c, HOLDER, CELL_TO), 20);
    assert_true(sim_has(c->sim, CELL_FROM, canary, sizeof canary - 1)); // it can be found at all
    assert_false(sim_has(c->sim, HOLDER, canary, sizeof canary - 1));
    assert_int_equal(sim_seen(c->sim), 0);
    for (; yr_rows_seek(rows, YR_TABLE_MAIL, sim_id(c->sim, CELL_TO), YR_ID_LEN, how, &at, row,
                        sizeof row) == YR_OK;
         how = YR_SEEK_GT)
        for (size_t i = 0; i + 8 <= at.value_len; i++) { // not even eight bytes of who wrote it
            assert_memory_not_equal(row + i, sim_id(c->sim, CELL_FROM), 8);
            assert_true(i + 8 > at.suffix_len ||
                        memcmp(at.suffix + i, sim_id(c->sim, CELL_FROM), 8) != 0);
        }
    cell_go(c, CELL_FROM, false);
    cell_come(c, CELL_TO);
    cell_run(c, 2 * YR_MIN_US);
    assert_int_equal(cell_missing(c), 0);
    assert_false(sim_has(c->sim, HOLDER, canary, sizeof canary - 1));
    assert_int_equal(sim_seen(c->sim), 0);
    cell_end(c, 5 * YR_MIN_US);
    cell_free(c);
}

// It comes three ways: held, over the link that was slow to come, held once more.
static void what_arrives_by_several_ways_is_shown_once(void **state)
{
    for (uint64_t seed = 34; seed < 40; seed++) {
        struct sim_opts opts = sim_opts_default(seed);
        struct cell *c = cell_new(&opts, 5);
        size_t text = 0;

        cell_go(c, CELL_TO, seed % 2 == 0);
        for (unsigned i = 0; i < 8; i++) {
            cell_run(c, sim_draw(c->sim, 1) % (3 * YR_S));
            text = cell_say(c, CELL_FROM, CELL_TO);
        }
        cell_run(c, sim_draw(c->sim, 1) % (5 * YR_S));
        cell_come(c, CELL_TO);
        for (unsigned i = 0; i < 6; i++) {
            const unsigned node = CELL_HOLD + (unsigned)(sim_draw(c->sim, 2) % 5);
            cell_go(c, node, sim_draw(c->sim, 3) % 2 == 0);
            cell_run(c, sim_draw(c->sim, 1) % YR_S);
            cell_come(c, node);
        }
        assert_true(run_shown(c, text));
        cell_end(c, 5 * YR_MIN_US);
        assert_int_equal(sim_history_count(c->sim, CELL_TO, CELL_FROM), 8);
        cell_free(c);
    }
}

// Nobody holds who was not asked to: a friend who does not consent keeps nothing.
static void who_does_not_consent_holds_nothing(void **state)
{
    struct cell *c = three(41);
    struct yr_cmd cmd = {.kind = YR_CMD_FRIEND_MAIL, .number = YR_NO};
    size_t text;

    memcpy(cmd.conv, sim_id(c->sim, CELL_TO), YR_ID_LEN);
    (void)sim_do(c->sim, HOLDER, &cmd);
    cell_run(c, YR_MIN_US);
    cell_go(c, CELL_TO, false);
    cell_run(c, YR_S);
    text = cell_say(c, CELL_FROM, CELL_TO);
    cell_run(c, YR_MIN_US);
    assert_int_equal(state_of(c, text), YR_STATE_ACCEPTED);
    assert_int_equal(cell_kept(c, HOLDER, CELL_TO), 0);
    cell_end(c, 5 * YR_MIN_US);
    cell_free(c);
}

// Consent is withdrawn: what was kept goes, the sender learns it and says so, and finds another.
static void consent_that_is_withdrawn_is_told_and_another_holds(void **state)
{
    struct sim_opts opts = sim_opts_default(42);
    struct cell *c = cell_new(&opts, 2);
    struct yr_cmd cmd = {.kind = YR_CMD_FRIEND_MAIL, .number = YR_NO};
    size_t text;

    memcpy(cmd.conv, sim_id(c->sim, CELL_TO), YR_ID_LEN);
    cell_go(c, CELL_HOLD + 1, false);
    cell_go(c, CELL_TO, false);
    cell_run(c, YR_S);
    text = cell_say(c, CELL_FROM, CELL_TO);
    assert_true(run_held(c, text));
    (void)sim_do(c->sim, HOLDER, &cmd);
    cell_run(c, 10 * YR_S);
    assert_int_equal(cell_kept(c, HOLDER, CELL_TO), 0);
    cell_go(c, HOLDER, false); // if it has not told yet, it is asked at the next link
    cell_run(c, YR_S);
    cell_come(c, HOLDER);
    cell_run(c, 30 * YR_S);
    assert_int_equal(held_by(c, text), 0);
    assert_int_equal(state_of(c, text), YR_STATE_HELD); // a state never goes back
    cell_come(c, CELL_HOLD + 1);
    cell_run(c, 30 * YR_S);
    assert_int_equal(held_by(c, text), 1);
    cell_go(c, CELL_FROM, false);
    cell_come(c, CELL_TO);
    assert_true(run_shown(c, text));
    cell_end(c, 5 * YR_MIN_US);
    cell_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_there_though_the_two_never_meet),
        cmocka_unit_test(a_holder_that_is_killed_right_after_custody_has_it),
        cmocka_unit_test(a_holder_knows_neither_what_nor_whose_it_is),
        cmocka_unit_test(what_arrives_by_several_ways_is_shown_once),
        cmocka_unit_test(who_does_not_consent_holds_nothing),
        cmocka_unit_test(consent_that_is_withdrawn_is_told_and_another_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
