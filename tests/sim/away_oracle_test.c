/* What the oracle and the habits of people say, against what can be counted by hand. */
#include "tests/support/test.h"

#include "tests/support/seeded.h"
#include "tests/support/sim/cell.h"

#define HOUR (3600 * YR_S)

static void people_are_there_as_often_as_their_profile_says(void **state)
{
    for (size_t k = 0; k < HABIT_KINDS; k++) {
        const struct habit_profile *profile = &habit_profiles[k];
        yr_us there = 0, whole = 0;
        unsigned now = 0, longest = 0, stays = 0;
        for (uint64_t person = 0; person < 400; person++) {
            struct habit h;
            yr_us at = 100 * YR_S;
            habit_init(&h, profile, 7, person, at);
            assert_true(h.until > at);
            now += h.there;
            while (at < 1000 * HOUR) {
                const yr_us end = YR_MIN(h.until, 1000 * HOUR);
                there += h.there ? end - at : 0;
                whole += end - at;
                stays += h.there;
                longest += h.there && h.until - at > 4 * profile->stay_us;
                at = end;
                habit_next(&h);
            }
        }
        print_message("%s: %.1f %% there (of %.1f), now %.1f %%, %.1f %% stay four times as long "
                      "as the mean\n",
                      profile->name, 100.0 * (double)there / (double)whole,
                      profile->permille / 10.0, now / 4.0, 100.0 * longest / stays);
        assert_true(there * 1000 / whole + 30 > profile->permille &&
                    there * 1000 / whole < profile->permille + 30);
        assert_true(longest > 0); // an exponential one would do so in 1.8 %, Weibull 1/2 in 5.9 %
    }
    assert_null(habit_profile("server"));
    assert_ptr_equal(habit_profile("keeper"), &habit_profiles[HABIT_KEEPER]);
}

static void a_span_that_is_too_short_is_no_contact(void **state)
{
    struct span at[] = {{100, 105}, {200, 210}, {300, YR_NEVER}};
    const struct spans s = {at, 3, 3};

    assert_int_equal(spans_next(&s, 0, 5), 100);
    assert_int_equal(spans_next(&s, 0, 6), 200);
    assert_int_equal(spans_next(&s, 203, 6), 203);
    assert_int_equal(spans_next(&s, 205, 6), 300);
    assert_int_equal(spans_next(&s, 1000000, 6), 1000000);
    assert_int_equal(spans_within(&s, 102, 305), 3 + 10 + 5);
    assert_int_equal(spans_next(&(struct spans){at, 2, 3}, 208, 6), YR_NEVER);
}

// s and r never meet; s meets the first holder, who meets r; the second holder meets r before s.
static void the_oracle_goes_by_a_holder_and_never_by_two(void **state)
{
    struct sim_opts opts = sim_opts_default(1);
    struct cell *c = cell_new(&opts, 2);
    const struct cell_text t = {.from = CELL_FROM, .to = CELL_TO, .at = sim_time(c->sim)};
    const yr_us start = t.at;

    sim_cut(c->sim, CELL_FROM, CELL_TO, true);
    for (unsigned i = CELL_TO; i < c->count; i++)
        cell_go(c, i, true);
    sim_run(c->sim, 10 * YR_S);
    cell_come(c, CELL_HOLD + 1); // met the sender, but is gone when the recipient comes
    sim_run(c->sim, 10 * YR_S);
    cell_go(c, CELL_HOLD + 1, true);
    sim_run(c->sim, 10 * YR_S);
    assert_int_equal(cell_oracle(c, &t, false), YR_NEVER);
    cell_come(c, CELL_HOLD);
    sim_run(c->sim, 10 * YR_S);
    cell_go(c, CELL_FROM, true);
    cell_come(c, CELL_TO);
    sim_run(c->sim, 5 * YR_S); // too short
    cell_go(c, CELL_TO, true);
    sim_run(c->sim, 10 * YR_S);
    assert_int_equal(cell_oracle(c, &t, false), YR_NEVER);
    cell_come(c, CELL_TO);
    sim_run(c->sim, 20 * YR_S);
    assert_int_equal(cell_oracle(c, &t, false), start + 55 * YR_S);
    assert_int_equal(cell_oracle(c, &t, true), YR_NEVER);
    cell_come(c, CELL_FROM);
    sim_cut(c->sim, CELL_FROM, CELL_TO, false);
    sim_run(c->sim, 20 * YR_S);
    assert_int_equal(cell_oracle(c, &t, true), start + 75 * YR_S);
    cell_free(c);
}

// A holder who was with the recipient before the text was made brings nothing.
static void the_oracle_does_not_go_back_in_time(void **state)
{
    struct sim_opts opts = sim_opts_default(2);
    struct cell *c = cell_new(&opts, 1);
    struct cell_text t = {.from = CELL_FROM, .to = CELL_TO};

    sim_cut(c->sim, CELL_FROM, CELL_TO, true);
    sim_run(c->sim, 10 * YR_S);
    cell_go(c, CELL_TO, true);
    t.at = sim_time(c->sim);
    sim_run(c->sim, 10 * YR_S);
    assert_int_equal(cell_oracle(c, &t, false), YR_NEVER);
    cell_free(c);
}

// Links are found as fast as contacts allow: what was is little less than what could have been.
static void contacts_that_were_are_within_those_that_could_have_been(void **state)
{
    struct sim_opts opts = sim_opts_default(seeded_seed("away_oracle", 3));
    struct cell *c = cell_new(&opts, 3);
    yr_us could = 0, did = 0, end;

    for (unsigned i = 0; i < c->count; i++)
        cell_habit(c, i, &habit_profiles[HABIT_LAPTOP]);
    cell_run(c, 48 * HOUR);
    end = sim_time(c->sim);
    for (unsigned a = 0; a < c->count; a++)
        for (unsigned b = 0; b < a; b++) {
            const struct spans *x = contacts_of(c->contacts, CONTACT_COULD, a, b);
            const struct spans *y = contacts_of(c->contacts, CONTACT_DID, a, b);
            const bool friends = b < CELL_HOLD;
            assert_true(friends || y->count == 0);
            for (size_t i = 0; i < y->count; i++)
                assert_int_equal(spans_within(x, y->at[i].from, YR_MIN(y->at[i].to, end)),
                                 YR_MIN(y->at[i].to, end) - y->at[i].from);
            could += friends ? spans_within(x, 0, end) : 0;
            did += spans_within(y, 0, end);
        }
    print_message("linked for %.2f %% of the time that two friends are there\n",
                  100.0 * (double)did / (double)could);
    assert_true(did * 100 > could * 95);
    cell_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_are_there_as_often_as_their_profile_says),
        cmocka_unit_test(a_span_that_is_too_short_is_no_contact),
        cmocka_unit_test(the_oracle_goes_by_a_holder_and_never_by_two),
        cmocka_unit_test(the_oracle_does_not_go_back_in_time),
        cmocka_unit_test(contacts_that_were_are_within_those_that_could_have_been),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
