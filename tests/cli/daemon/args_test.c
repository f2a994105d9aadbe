/* The command line of yaarid. */
#include "cli/daemon/args.h"

#include <string.h>

#include "tests/support/test.h"

/* Read up to seven words behind the program's name. */
static enum yr_exit args_of(struct yr_args *out, struct yr_fail *fail, const char *const *words)
{
    char *argv[9] = {(char *)(uintptr_t) "yaarid"};
    int argc = 1;

    memset(fail, 0, sizeof *fail);
    for (; *words != NULL; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    return yr_args_read(out, argc, argv, fail);
}
#define ARGS(...) args_of(&args, &fail, (const char *const[]){__VA_ARGS__, NULL})

static void every_option_is_read(void **state)
{
    struct yr_args args;
    struct yr_fail fail;

    assert_int_equal(ARGS("-P", "work", "--home=/x", "--listen", "[::1]:0", "--listen=127.0.0.1"),
                     YR_EXIT_OK);
    assert_string_equal(args.paths.profile, "work");
    assert_string_equal(args.paths.home, "/x");
    assert_int_equal(args.listen_count, 2);
    assert_string_equal(args.listen[1], "127.0.0.1");
    assert_int_equal(args.passphrase_fd, -1);
    assert_int_equal(ARGS("-Pwork", "-vv", "--ready-fd", "5", "--no-lan", "--scrub-log"),
                     YR_EXIT_OK);
    assert_int_equal(args.verbose, 2);
    assert_int_equal(args.ready_fd, 5);
    assert_true(args.no_lan && args.scrub_log && !args.offline);
    assert_null(args.dht);
    assert_int_equal(ARGS("--dht", "server", "--bootstrap=192.0.2.1:1", "--bootstrap", "h:2",
                          "--no-port-mapping", "--keeper"),
                     YR_EXIT_OK);
    assert_string_equal(args.dht, "server");
    assert_int_equal(args.bootstrap_count, 2);
    assert_true(args.no_port_mapping && args.keeper);
}

static void what_is_wrong_is_a_usage_error(void **state)
{
    struct yr_args args = {.verbose = 77};
    struct yr_fail fail;

    assert_int_equal(ARGS("--irc", "127.0.0.1"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("--keeper=yes"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("--dht"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("--scrub"), YR_EXIT_USAGE); // no abbreviations
    assert_int_equal(ARGS("--no-lan=yes"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("--listen"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("-P"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("-x"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("--ready-fd", "-1"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("--ready-fd", "3x"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("--passphrase-fd", "99999999999"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("start"), YR_EXIT_USAGE);
    assert_int_equal(ARGS("--", "x"), YR_EXIT_USAGE);
    assert_int_equal(args.verbose, 77); // untouched
}

static void a_slip_gets_a_suggestion(void **state)
{
    struct yr_args args;
    struct yr_fail fail;

    assert_int_equal(ARGS("--lisetn", "x"), YR_EXIT_USAGE);
    assert_string_equal(fail.what, "unknown option '--lisetn'");
    assert_string_equal(fail.hint, "did you mean '--listen'?");
}

static void help_names_every_option(void **state)
{
    struct yr_buf help = {0};

    yr_args_help(&help);
#define X(id, letter, name, arg, text) assert_non_null(strstr(yr_buf_str(&help), "--" name));
    YR_ARG_MAP(X)
#undef X
    assert_null(strstr(yr_buf_str(&help), "irc"));
    yr_buf_clear(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_read),
        cmocka_unit_test(what_is_wrong_is_a_usage_error),
        cmocka_unit_test(a_slip_gets_a_suggestion),
        cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
