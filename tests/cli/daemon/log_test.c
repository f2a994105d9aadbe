/* The log: levels, forms, and what must never be in it. */
#include "cli/daemon/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/test.h"

static void expect_line(const struct yr_log *log, enum yr_log_level level, const char *text,
                        const char *line)
{
    struct yr_buf out = {0};
    yr_log_line(log, &out, level, "net", text, 1795362395123);
    assert_string_equal(yr_buf_str(&out), line);
    yr_buf_clear(&out);
}

static void a_line_has_time_level_and_room(void **state)
{
    struct yr_log log = {.fd = -1};
    expect_line(&log, YR_LOG_INFO, "link up peer=3f9a1c22",
                "2026-11-22T15:46:35.123Z info net: link up peer=3f9a1c22\n");
    expect_line(&log, YR_LOG_ERROR, "x", "2026-11-22T15:46:35.123Z error net: x\n");
}

static void the_journal_gets_a_priority_and_no_time(void **state)
{
    struct yr_log log = {.fd = -1, .journal = true};
    expect_line(&log, YR_LOG_ERROR, "x", "<3>net: x\n");
    expect_line(&log, YR_LOG_WARN, "x", "<4>net: x\n");
    expect_line(&log, YR_LOG_INFO, "x", "<6>net: x\n");
    expect_line(&log, YR_LOG_TRACE, "x", "<7>net: x\n");
}

static void an_entry_is_one_line_and_obeys_nobody(void **state)
{
    struct yr_log log = {.fd = -1, .journal = true};
    struct yr_buf out = {0};
    yr_log_line(&log, &out, YR_LOG_INFO, "net", "a\nb\x1b[31m\xe2\x80\xae\xff", 0);
    assert_ptr_equal(strchr(out.at, '\n'), out.at + out.len - 1);
    assert_null(strchr(out.at, 0x1b));
    assert_null(strstr(out.at, "\xe2\x80\xae"));
    yr_buf_clear(&out);
}

static void ids_keys_and_invites_are_cut(void **state)
{
    struct yr_log log = {.fd = -1, .journal = true};
    expect_line(&log, YR_LOG_INFO,
                "friend 3f9a1c22k3f9a1c22k3f9a1c22k3f9a1c22k3f9a1c22k3f9a1c2 came",
                "<6>net: friend 3f9a1c22... came\n");
    expect_line(&log, YR_LOG_INFO, "link yaari:i/04ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ",
                "<6>net: link yaari:i/04ZZZZZZ...\n");
}

static void a_scrubbed_log_has_no_addresses(void **state)
{
    struct yr_log log = {.fd = -1, .journal = true, .scrub = true};
    expect_line(&log, YR_LOG_INFO, "bound 192.0.2.1:7722 and [2001:db8::1]:7722",
                "<6>net: bound ADDR:7722 and [ADDR]:7722\n");
    expect_line(&log, YR_LOG_INFO, "from=fe80::1%eth0, 10.0.0.1", "<6>net: from=ADDR, ADDR\n");
    expect_line(&log, YR_LOG_INFO, "took 1.5 s, 3 of 4: fine",
                "<6>net: took 1.5 s, 3 of 4: fine\n");
}

static void levels(struct yr_log *log, char **items, size_t count)
{
    const struct yr_config_value value = {.items = items, .count = count};
    yr_log_levels(log, &value);
}

static void rooms_have_levels_of_their_own(void **state)
{
    struct yr_log log = {.fd = -1};
    char *items[] = {(char[]){"warn"}, (char[]){"net=debug"}, (char[]){"store=error"}};

    levels(&log, items, 3);
    assert_true(yr_log_wants(&log, YR_LOG_WARN, "main"));
    assert_false(yr_log_wants(&log, YR_LOG_INFO, "main"));
    assert_true(yr_log_wants(&log, YR_LOG_DEBUG, "net"));
    assert_false(yr_log_wants(&log, YR_LOG_TRACE, "net"));
    assert_false(yr_log_wants(&log, YR_LOG_WARN, "store"));
    levels(&log, NULL, 0);
    assert_true(yr_log_wants(&log, YR_LOG_INFO, "main"));
}

static void a_log_file_is_private_and_opens_again(void **state)
{
    char dir[] = "/tmp/yaari-log-XXXXXX", path[64], moved[80];
    struct yr_log log;
    struct yr_fail fail;
    struct stat st;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/log", dir);
    snprintf(moved, sizeof moved, "%s/log.1", dir);
    yr_log_init(&log, false);
    assert_int_equal(yr_log_file(&log, path, &fail), YR_EXIT_OK);
    yr_log(&log, YR_LOG_INFO, "main", "one");
    yr_log(&log, YR_LOG_DEBUG, "main", "not this");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, strlen("2026-11-22T15:46:35.123Z info main: one\n"));
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(yr_log_reopen(&log, &fail), YR_EXIT_OK);
    yr_log(&log, YR_LOG_INFO, "main", "two");
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 0);
    unlink(path);
    rmdir(dir);
    assert_int_equal(mkdir(path, 0700), 0); // not a file: the old one goes on
    assert_int_equal(yr_log_reopen(&log, &fail), YR_EXIT_CANTCREAT);
    yr_log(&log, YR_LOG_INFO, "main", "three");
    yr_log_clear(&log);
    rmdir(path);
    unlink(moved);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(yr_log_file(&log, "/nonexistent/log", &fail), YR_EXIT_CANTCREAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_and_room),
        cmocka_unit_test(the_journal_gets_a_priority_and_no_time),
        cmocka_unit_test(an_entry_is_one_line_and_obeys_nobody),
        cmocka_unit_test(ids_keys_and_invites_are_cut),
        cmocka_unit_test(a_scrubbed_log_has_no_addresses),
        cmocka_unit_test(rooms_have_levels_of_their_own),
        cmocka_unit_test(a_log_file_is_private_and_opens_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
