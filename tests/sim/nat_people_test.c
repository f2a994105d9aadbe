/* The people of the mixes are those that the theory speaks of. */
#include "tests/support/test.h"

#include "tests/support/sim/people.h"

static void shares_come_out_at_the_theory(void **state)
{
    static const struct {
        const char *mix;
        unsigned alone, guesses;
    } table[] = {{"desktop-heavy", 934, 992}, {"balanced", 816, 964}, {"mobile-heavy", 632, 872}};

    for (size_t i = 0; i < YR_COUNT(table); i++) {
        const struct people_mix *mix = people_mix(table[i].mix);
        unsigned sum = 0;
        assert_non_null(mix);
        for (enum nat_class c = NAT_OPEN; c <= NAT_SYMMETRIC; c++)
            sum += mix->share[c];
        assert_int_equal(sum, 100);
        assert_int_equal(people_theory(mix, false), table[i].alone);
        assert_int_equal(people_theory(mix, true), table[i].guesses);
    }
    assert_null(people_mix("nobody"));
}

static void draws_give_each_class_its_share(void **state)
{
    const struct people_mix *mix = people_mix("balanced");
    unsigned seen[NAT_CLASSES] = {0};

    for (uint64_t draw = 0; draw < 1000; draw++)
        seen[people_class(mix, draw)]++;
    for (enum nat_class c = NAT_OPEN; c <= NAT_SYMMETRIC; c++)
        assert_int_equal(seen[c], 10 * mix->share[c]);
}

// Quantiles of Weibull 1/2: median * (ln(1 / (1 - q)) / ln 2)^2.
static void most_leave_soon_and_some_stay_for_ever(void **state)
{
    const uint64_t top = UINT64_MAX;
    const yr_us median = 600 * YR_S;

    assert_in_range(people_stay(top / 2, median), 599 * YR_S, 601 * YR_S);
    assert_in_range(people_stay(top - top / 4, median), 103 * YR_S, 104 * YR_S);
    assert_in_range(people_stay(top / 4, median), 2398 * YR_S, 2402 * YR_S);
    assert_in_range(people_stay(top / 1024, median), 59900 * YR_S, 60100 * YR_S);
    assert_int_equal(people_stay(top, median), 0);
    assert_true(people_stay(0, median) > 1000000 * YR_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_come_out_at_the_theory),
        cmocka_unit_test(draws_give_each_class_its_share),
        cmocka_unit_test(most_leave_soon_and_some_stay_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
