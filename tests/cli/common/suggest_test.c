#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/common/exits.h"
#include "cli/common/suggest.h"

static void one_edit_is_an_insertion_a_deletion_a_change_or_a_swap(void **state)
{
    assert_int_equal(yr_edit_distance("listen", "listen", 2), 0);
    assert_int_equal(yr_edit_distance("listen", "lisen", 2), 1);
    assert_int_equal(yr_edit_distance("listen", "lissten", 2), 1);
    assert_int_equal(yr_edit_distance("listen", "lasten", 2), 1);
    assert_int_equal(yr_edit_distance("lisetn", "listen", 2), 1);
    assert_int_equal(yr_edit_distance("LISTEN", "listen", 2), 0);
    assert_int_equal(yr_edit_distance("", "ab", 2), 2);
    assert_int_equal(yr_edit_distance("kitten", "sitting", 9), 3);
}

static void more_than_the_limit_is_the_limit_and_one(void **state)
{
    assert_int_equal(yr_edit_distance("kitten", "sitting", 2), 3);
    assert_int_equal(yr_edit_distance("a", "abcdefgh", 2), 3);
    assert_int_equal(
        yr_edit_distance("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a",
                         2),
        3);
}

static const char *nearest(const char *word)
{
    static const char *const words[] = {"invite", "init", "inbox", "status", "me"};
    struct yr_suggest suggest = yr_suggest_init(word);

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        yr_suggest_try(&suggest, words[i]);
    return suggest.best;
}

static void the_nearest_word_is_suggested_if_any_is_near(void **state)
{
    assert_string_equal(nearest("invit"), "invite");
    assert_string_equal(nearest("stauts"), "status");
    assert_string_equal(nearest("inboxx"), "inbox");
    assert_null(nearest("frobnicate"));
    assert_null(nearest("xy")); // two edits away from "me", as everything is
}

static void rpc_errors_know_their_names_and_exits(void **state)
{
    assert_string_equal(yr_rpc_err_name(-32001), "no_such_target");
    assert_int_equal(yr_rpc_err_exit(-32001), 67);
    assert_int_equal(yr_rpc_err_exit(-32005), 75);
    assert_int_equal(yr_rpc_err_exit(-32014), 66);
    assert_string_equal(yr_rpc_err_name(12345), "internal");
    assert_int_equal(yr_rpc_err_exit(12345), 70);
    assert_string_equal(yr_exit_name(78), "CONFIG");
    assert_string_equal(yr_exit_name(12), "");
}

static void a_failure_carries_its_exit_and_its_sentence(void **state)
{
    struct yr_fail why;

    assert_int_equal(yr_fail_errno(&why, YR_EXIT_IOERR, 2, "cannot read '%s'", "x"), 74);
    assert_string_equal(why.what, "cannot read 'x': No such file or directory");
    assert_string_equal(why.hint, "");
    yr_fail_hint(&why, "try %d", 1);
    assert_string_equal(why.hint, "try 1");
    assert_int_equal(yr_fail(NULL, YR_EXIT_USAGE, "x"), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_edit_is_an_insertion_a_deletion_a_change_or_a_swap),
        cmocka_unit_test(more_than_the_limit_is_the_limit_and_one),
        cmocka_unit_test(the_nearest_word_is_suggested_if_any_is_near),
        cmocka_unit_test(rpc_errors_know_their_names_and_exits),
        cmocka_unit_test(a_failure_carries_its_exit_and_its_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
