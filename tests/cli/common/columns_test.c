#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <string.h>

#include "cli/common/columns.h"

static int set_up(void **state)
{
    return setlocale(LC_ALL, "C.UTF-8") != NULL ? 0 : -1;
}

static size_t columns(const char *text)
{
    return yr_columns(text, strlen(text));
}

static void columns_are_what_terminals_count(void **state)
{
    assert_int_equal(columns("abc"), 3);
    assert_int_equal(columns("日本"), 4);
    assert_int_equal(columns("e\u0301"), 1);
    assert_int_equal(columns("यारी"), 4); // as measured in tmux; utf8proc says 2
    assert_int_equal(columns("👨‍👩‍👧"), 6);
    assert_int_equal(columns("\u200B"), 0);
}

static void clusters_are_found_forwards_and_backwards(void **state)
{
    const char *text = "ae\u0301👨‍👩‍👧\nz";
    const size_t ends[] = {1, 4, 22, 23, 24};
    size_t at = 0;

    for (size_t i = 0; i < 5; i++) {
        const size_t end = yr_cluster_end(text, strlen(text), at);

        assert_int_equal(end, ends[i]);
        assert_int_equal(yr_cluster_start(text, strlen(text), end), at);
        at = end;
    }
    assert_int_equal(at, strlen(text));
}

static void flags_pair_up_in_both_directions(void **state)
{
    const char *text = "🇩🇪🇫🇷🇮🇳";

    assert_int_equal(yr_cluster_end(text, strlen(text), 0), 8);
    assert_int_equal(yr_cluster_start(text, strlen(text), 24), 16);
    assert_int_equal(yr_cluster_start(text, strlen(text), 16), 8);
}

static void a_cut_is_between_clusters_and_fits(void **state)
{
    const char *text = "a日e\u0301👨‍👩‍👧";

    assert_int_equal(yr_columns_cut(text, strlen(text), 0), 0);
    assert_int_equal(yr_columns_cut(text, strlen(text), 2), 1);
    assert_int_equal(yr_columns_cut(text, strlen(text), 3), 4);
    assert_int_equal(yr_columns_cut(text, strlen(text), 4), 7);
    assert_int_equal(yr_columns_cut(text, strlen(text), 9), 7);
    assert_int_equal(yr_columns_cut(text, strlen(text), 10), strlen(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_what_terminals_count),
        cmocka_unit_test(clusters_are_found_forwards_and_backwards),
        cmocka_unit_test(flags_pair_up_in_both_directions),
        cmocka_unit_test(a_cut_is_between_clusters_and_fits),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
