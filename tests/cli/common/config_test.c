#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/config.h"

static struct yr_config config;
static struct yr_buf errors;

static int set_up(void **state)
{
    yr_config_init(&config);
    return 0;
}

static int tear_down(void **state)
{
    yr_config_clear(&config);
    yr_buf_clear(&errors);
    return 0;
}

static size_t parse(const char *text)
{
    return yr_config_parse(&config, "/home/a/default.conf", YR_CONFIG_PROFILE, text, strlen(text),
                           &errors);
}

static void assert_value(enum yr_config_key key, const char *want)
{
    char *text = yr_config_text(&config, key);

    assert_string_equal(text, want);
    free(text);
}

static void an_unknown_key_is_named_with_its_place_and_the_one_meant(void **state)
{
    assert_int_equal(parse("# a\n# b\n# c\n# d\n# e\n# f\n# g\n# h\n# i\n# j\n# k\n\n[net]\n"
                           "lisetn = 0.0.0.0\n"),
                     1);
    assert_string_equal(
        yr_buf_str(&errors),
        "default.conf:14:1: unknown key 'lisetn' in [net] (did you mean 'listen'?)\n");
}

static void every_mistake_is_listed_and_nothing_is_taken(void **state)
{
    assert_int_equal(parse("[net]\nlan = no\nlan = yes\nlisten = 1.2.3\n[nett]\nx = 1\n"
                           "[ui\ncolor = pink\n  bogus\n = 3\n[log]\nlevel = \"info\n"),
                     7);
    assert_string_equal(
        yr_buf_str(&errors),
        "default.conf:3:1: 'net.lan' is set twice, first in line 2\n"
        "default.conf:4:10: bad value '1.2.3' for 'net.listen': ADDRESS[:PORT], such as 0.0.0.0:0 "
        "or [::1]:7722\n"
        "default.conf:5:2: unknown section [nett] (did you mean [net]?)\n"
        "default.conf:7:1: a section is written [name]\n"
        "default.conf:9:3: neither a [section] nor key = value\n"
        "default.conf:10:2: a key is missing before '='\n"
        "default.conf:12:9: a quote is not closed\n");
    assert_true(yr_config_bool(&config, YR_CFG_NET_LAN));
    assert_string_equal(yr_config_where(&config, YR_CFG_NET_LAN), "default");
}

static void a_key_before_any_section_is_a_mistake(void **state)
{
    assert_int_equal(parse("lan = no\n"), 1);
    assert_string_equal(yr_buf_str(&errors),
                        "default.conf:1:1: key 'lan' stands before any [section]\n");
}

static void lists_come_by_comma_and_by_repeated_key(void **state)
{
    assert_int_equal(parse("[net]\nlisten = 1.2.3.4:5, [::1]:6\nlisten=0.0.0.0\n[ui]\n"
                           "color.nick = bold , \"red\"\n"),
                     0);
    assert_value(YR_CFG_NET_LISTEN, "1.2.3.4:5, [::1]:6, 0.0.0.0");
    assert_value(YR_CFG_UI_COLOR_NICK, "bold, red");
    assert_int_equal(config.values[YR_CFG_NET_LISTEN].count, 3);
    assert_string_equal(yr_config_where(&config, YR_CFG_NET_LISTEN), "/home/a/default.conf:2");
}

static void an_empty_value_is_an_empty_list(void **state)
{
    assert_int_equal(parse("[net]\nlisten =\n"), 0);
    assert_int_equal(config.values[YR_CFG_NET_LISTEN].count, 0);
}

static void quotes_keep_blanks_and_commas(void **state)
{
    assert_int_equal(parse("[ui]\ntime = \"+%H, \\\"%M\\\" \"  \n"), 0);
    assert_string_equal(yr_config_str(&config, YR_CFG_UI_TIME), "+%H, \"%M\" ");
    assert_value(YR_CFG_UI_TIME, "\"+%H, \\\"%M\\\" \"");
}

static void a_comment_is_only_at_the_start_of_a_line(void **state)
{
    assert_int_equal(parse("[ui]\n  # lan = x\n; y\ntime = +%H # ; %M\n"), 0);
    assert_string_equal(yr_config_str(&config, YR_CFG_UI_TIME), "+%H # ; %M");
}

static void crlf_and_a_byte_order_mark_are_accepted(void **state)
{
    assert_int_equal(parse("\xEF\xBB\xBF[net]\r\nlan = no\r\n"), 0);
    assert_false(yr_config_bool(&config, YR_CFG_NET_LAN));
}

static void nul_control_and_invalid_bytes_are_refused(void **state)
{
    static const char nul[] = "[net]\nlan = n\0o\n";

    assert_int_equal(yr_config_parse(&config, "f", YR_CONFIG_PROFILE, nul, sizeof nul - 1, &errors),
                     1);
    assert_int_equal(parse("[net]\nlan = \xFF\n# \x1b\n"), 2);
    assert_string_equal(
        yr_buf_str(&errors),
        "f:2:8: a byte that is no text (UTF-8 without control characters)\n"
        "default.conf:2:7: a byte that is no text (UTF-8 without control characters)\n"
        "default.conf:3:3: a byte that is no text (UTF-8 without control characters)\n");
}

static void lines_and_files_have_bounds(void **state)
{
    struct yr_buf text = {0};

    yr_buf_adds(&text, "[net]\n#");
    for (size_t i = 1; i < YR_CONFIG_LINE_MAX; i++)
        yr_buf_addc(&text, 'x');
    assert_int_equal(parse(text.at), 0);
    yr_buf_addc(&text, 'x');
    assert_int_equal(parse(text.at), 1);
    while (text.len <= YR_CONFIG_FILE_MAX)
        yr_buf_adds(&text, "\n#");
    assert_int_equal(parse(text.at), 1);
    yr_buf_clear(&text);
}

static void a_list_has_at_most_64_entries(void **state)
{
    struct yr_buf text = {0};

    yr_buf_adds(&text, "[rpc]\n");
    for (int i = 0; i < YR_CONFIG_ITEMS_MAX; i++)
        yr_buf_addf(&text, "allow_uid = %d\n", i);
    assert_int_equal(parse(text.at), 0);
    yr_buf_adds(&text, "allow_uid = 100\n");
    assert_int_equal(parse(text.at), 1);
    yr_buf_clear(&text);
}

static void no_more_than_100_mistakes_are_listed(void **state)
{
    struct yr_buf text = {0};
    size_t lines = 0;

    for (int i = 0; i < 150; i++)
        yr_buf_adds(&text, "what\n");
    assert_int_equal(parse(text.at), 150);
    for (const char *at = errors.at; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, YR_CONFIG_ERRS_MAX + 1);
    assert_non_null(strstr(errors.at, "default.conf: and 50 more mistakes\n"));
    yr_buf_clear(&text);
}

static void each_kind_of_value_is_checked(void **state)
{
    static const struct {
        const char *key, *value;
        bool good;
    } rows[] = {
        {"net.listen", "0.0.0.0:0", true},
        {"net.listen", "192.0.2.1", true},
        {"net.listen", "[2001:db8::1]:65535", true},
        {"net.listen", "::", true},
        {"net.listen", "[fe80::1%eth0]:1", true},
        {"net.listen", "0.0.0.0:65536", false},
        {"net.listen", "example.org:1", false},
        {"net.listen", "[::1", false},
        {"net.listen", "1.2.3.4:", false},
        {"net.bootstrap", "node.example.org:7722", true},
        {"net.bootstrap", "[2001:db8::1]:7722", true},
        {"net.bootstrap", "h:1/0123456789abcdefghjkmnpqrstvwxyz0123456789abcdefghjk", true},
        {"net.bootstrap", "h:1/short", false},
        {"net.bootstrap", "node.example.org", false},
        {"net.bootstrap", "h:0", false},
        {"net.bootstrap", "a b:1", false},
        {"net.lan", "on", true},
        {"net.lan", "maybe", false},
        {"net.dht", "auto", true},
        {"net.dht", "server", true},
        {"net.dht", "client", true},
        {"net.dht", "off", true},
        {"net.dht", "no", false},
        {"net.dht", "", false},
        {"net.port_mapping", "yes", true},
        {"net.port_mapping", "upnp", false},
        {"net.relay", "friends", true},
        {"net.relay", "off", true},
        {"net.relay", "all", false},
        {"mail.hold", "off", true},
        {"mail.hold", "yes", false},
        {"mail.keeper", "yes", true},
        {"mail.quota", "auto", true},
        {"mail.quota", "512", true},
        {"mail.quota", "0", false},
        {"mail.quota", "512M", false},
        {"ui.time", "+%H:%M", true},
        {"ui.time", "+", false},
        {"ui.time", "long", false},
        {"ui.color", "always", true},
        {"ui.color", "yes", false},
        {"ui.color.nick", "bold, cyan", true},
        {"ui.color.nick", "pink", false},
        {"log.level", "info, net=debug", true},
        {"log.level", "loud", false},
        {"log.level", "=debug", false},
        {"rpc.allow_uid", "0, 4294967294", true},
        {"rpc.allow_uid", "4294967295", false},
        {"rpc.allow_uid", "-1", false},
    };
    struct yr_fail why;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const enum yr_config_key key = yr_config_find(rows[i].key);
        enum yr_exit err;

        assert_true(key < YR_CFG_COUNT);
        err = yr_config_override(&config, key, rows[i].value, YR_CONFIG_FLAG, "--x", &why);
        if ((err == YR_EXIT_OK) != rows[i].good)
            fail_msg("%s = %s", rows[i].key, rows[i].value);
        assert_true(err == YR_EXIT_OK || err == YR_EXIT_CONFIG);
    }
}

static void the_stronger_source_wins_whatever_comes_first(void **state)
{
    static const char site[] = "[net]\nlan = yes\n[ui]\ntime = iso\n";
    struct yr_fail why;

    assert_int_equal(yr_config_override(&config, YR_CFG_NET_LISTEN, "1.1.1.1:1", YR_CONFIG_FLAG,
                                        "--listen", &why),
                     YR_EXIT_OK);
    assert_int_equal(parse("[net]\nlisten = 2.2.2.2:2\nlan = no\n"), 0);
    assert_int_equal(yr_config_parse(&config, "/etc/yaari/yaari.conf", YR_CONFIG_SITE, site,
                                     strlen(site), &errors),
                     0);
    assert_value(YR_CFG_NET_LISTEN, "1.1.1.1:1");
    assert_string_equal(yr_config_where(&config, YR_CFG_NET_LISTEN), "--listen");
    assert_false(yr_config_bool(&config, YR_CFG_NET_LAN));
    assert_string_equal(yr_config_str(&config, YR_CFG_UI_TIME), "iso");
    assert_string_equal(yr_config_where(&config, YR_CFG_UI_TIME), "/etc/yaari/yaari.conf:4");
}

static void the_printed_defaults_are_a_good_file(void **state)
{
    struct yr_buf text = {0};

    yr_config_print_defaults(&text);
    assert_int_equal(parse(text.at), 0);
    for (size_t i = 0; i < YR_CFG_COUNT; i++) {
        struct yr_config plain;
        char *a, *b;

        yr_config_init(&plain);
        a = yr_config_text(&config, (enum yr_config_key)i);
        b = yr_config_text(&plain, (enum yr_config_key)i);
        assert_string_equal(a, b);
        free(a);
        free(b);
        yr_config_clear(&plain);
    }
    yr_buf_clear(&text);
}

static void the_manual_has_every_key_and_its_default(void **state)
{
    char *manual = NULL;
    struct yr_fail why;
    size_t len = 0;

    assert_int_equal(
        yr_read_file(YAARI_SOURCE_DIR "/docs/yaari-config.5.scd", 1 << 20, &manual, &len, &why),
        YR_EXIT_OK);
    for (size_t i = 0; i < YR_CFG_COUNT; i++) {
        const struct yr_config_desc *desc = &yr_config_descs[i];
        struct yr_buf text = {0};

        yr_buf_addf(&text, "*%s*", desc->key);
        if (strstr(manual, text.at) == NULL)
            fail_msg("%s is not in yaari-config(5)", desc->name);
        yr_buf_cut(&text, 0);
        yr_buf_addf(&text, "## [%s]\n", desc->section);
        assert_non_null(strstr(manual, text.at));
        yr_buf_cut(&text, 0);
        yr_buf_addf(&text, "Default: *%s*.", desc->def);
        if (desc->def[0] != '\0' && strncmp(desc->key, "color.", 6) != 0 &&
            strstr(manual, text.at) == NULL)
            fail_msg("the default of %s is not in yaari-config(5)", desc->name);
        yr_buf_clear(&text);
    }
    free(manual);
}

static void assert_edit(const char *before, const char *key, const char *value, const char *after)
{
    struct yr_buf out = {0};
    struct yr_fail why = {0};
    const enum yr_exit err =
        yr_config_edit(before, strlen(before), yr_config_find(key), value, &out, &why);

    if (err != YR_EXIT_OK)
        fail_msg("%s", why.what);
    assert_string_equal(yr_buf_str(&out), after);
    yr_buf_clear(&out);
}

static void an_edit_keeps_comments_and_order(void **state)
{
    assert_edit("# mine\n[net]\n# about\nlan = no\n\n[ui]\ntime = iso\n", "net.lan", "yes",
                "# mine\n[net]\n# about\nlan = yes\n\n[ui]\ntime = iso\n");
    assert_edit("[net]\nlan = no\n\n# ui comes\n[ui]\ntime = iso\n", "net.listen",
                "::", "[net]\nlan = no\nlisten = ::\n\n# ui comes\n[ui]\ntime = iso\n");
    assert_edit("[net]\nlan = no", "ui.time", "rel", "[net]\nlan = no\n\n[ui]\ntime = rel\n");
    assert_edit("", "ui.time", "rel", "[ui]\ntime = rel\n");
    assert_edit("[ui]\r\ntime = rel\r\n", "ui.time", "iso", "[ui]\r\ntime = iso\r\n");
    assert_edit("[net]\nlisten = ::\n# x\nlisten = 0.0.0.0\n", "net.listen", "1.2.3.4",
                "[net]\nlisten = 1.2.3.4\n# x\n");
    assert_edit(
        "[net]\nlan = no\n[ui]\ncolor = never\n[net]\nbootstrap = h:1\n", "net.listen",
        "::", "[net]\nlan = no\n[ui]\ncolor = never\n[net]\nbootstrap = h:1\nlisten = ::\n");
}

static void unset_removes_every_line_of_the_key(void **state)
{
    assert_edit("[net]\n# keep\nlisten = ::\nlisten = 0.0.0.0\nlan = no\n", "net.listen", NULL,
                "[net]\n# keep\nlan = no\n");
    assert_edit("[net]\nlan = no\n", "ui.time", NULL, "[net]\nlan = no\n");
}

static void a_bad_value_or_a_bad_file_is_not_edited(void **state)
{
    struct yr_buf out = {0};
    struct yr_fail why = {0};

    assert_int_equal(yr_config_edit("", 0, YR_CFG_NET_LAN, "maybe", &out, &why), YR_EXIT_CONFIG);
    assert_string_equal(why.what, "bad value 'maybe' for 'net.lan': yes or no");
    assert_int_equal(yr_config_edit("junk\n", 5, YR_CFG_NET_LAN, "yes", &out, &why),
                     YR_EXIT_CONFIG);
    assert_non_null(strstr(why.what, "file:1:1"));
    assert_int_equal(yr_config_edit("", 0, YR_CFG_UI_TIME, "+%H\n[net]", &out, &why),
                     YR_EXIT_CONFIG);
    assert_int_equal(out.len, 0);
    yr_buf_clear(&out);
}

static void set_makes_the_file_private_and_unset_leaves_the_rest(void **state)
{
    char home[] = "/tmp/yaari-config-XXXXXX";
    struct yr_paths_opts opts = {0};
    struct yr_paths paths;
    struct yr_fail why = {0};
    struct stat st;
    char command[64];

    assert_non_null(mkdtemp(home));
    opts.home = home;
    assert_int_equal(yr_paths_init(&paths, &opts, &why), YR_EXIT_OK);
    assert_int_equal(yr_config_set(&paths, YR_CFG_UI_TIME, NULL, &why), YR_EXIT_OK);
    assert_int_not_equal(access(paths.config, F_OK), 0); // nothing to unset: no file made
    assert_int_equal(yr_config_set(&paths, YR_CFG_UI_TIME, "iso", &why), YR_EXIT_OK);
    assert_int_equal(stat(paths.config, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(yr_config_set(&paths, YR_CFG_NET_LAN, "no", &why), YR_EXIT_OK);
    assert_int_equal(yr_config_set(&paths, YR_CFG_UI_TIME, NULL, &why), YR_EXIT_OK);
    yr_config_clear(&config);
    assert_int_equal(yr_config_load(&config, &paths, true, &errors), YR_EXIT_OK);
    assert_false(yr_config_bool(&config, YR_CFG_NET_LAN));
    assert_string_equal(yr_config_str(&config, YR_CFG_UI_TIME), "short");
    snprintf(command, sizeof command, "rm -r '%s'", home);
    assert_int_equal(system(command), 0);
    yr_paths_clear(&paths);
}

static void load_takes_the_environment_and_says_what_is_wrong(void **state)
{
    struct yr_paths_opts opts = {.home = "/nonexistent/yaari"};
    struct yr_paths paths;
    struct yr_fail why;

    assert_int_equal(yr_paths_init(&paths, &opts, &why), YR_EXIT_OK);
    yr_config_clear(&config);
    setenv("YAARI_LOG", "debug", 1);
    assert_int_equal(yr_config_load(&config, &paths, false, &errors), YR_EXIT_OK);
    assert_value(YR_CFG_LOG_LEVEL, "debug");
    assert_string_equal(yr_config_where(&config, YR_CFG_LOG_LEVEL), "YAARI_LOG");
    yr_config_clear(&config);
    setenv("YAARI_LOG", "loud", 1);
    assert_int_equal(yr_config_load(&config, &paths, true, &errors), YR_EXIT_CONFIG);
    assert_string_equal(yr_buf_str(&errors),
                        "cannot read '/nonexistent/yaari/config/yaari/default.conf': No such file "
                        "or directory\nYAARI_LOG: bad value 'loud' for 'log.level': error, warn, "
                        "info, debug or trace, and ROOM=LEVEL, such as info, net=debug\n");
    unsetenv("YAARI_LOG");
    yr_paths_clear(&paths);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_key_is_named_with_its_place_and_the_one_meant),
        TEST(every_mistake_is_listed_and_nothing_is_taken),
        TEST(a_key_before_any_section_is_a_mistake),
        TEST(lists_come_by_comma_and_by_repeated_key),
        TEST(an_empty_value_is_an_empty_list),
        TEST(quotes_keep_blanks_and_commas),
        TEST(a_comment_is_only_at_the_start_of_a_line),
        TEST(crlf_and_a_byte_order_mark_are_accepted),
        TEST(nul_control_and_invalid_bytes_are_refused),
        TEST(lines_and_files_have_bounds),
        TEST(a_list_has_at_most_64_entries),
        TEST(no_more_than_100_mistakes_are_listed),
        TEST(each_kind_of_value_is_checked),
        TEST(the_stronger_source_wins_whatever_comes_first),
        TEST(the_printed_defaults_are_a_good_file),
        TEST(the_manual_has_every_key_and_its_default),
        TEST(an_edit_keeps_comments_and_order),
        TEST(unset_removes_every_line_of_the_key),
        TEST(a_bad_value_or_a_bad_file_is_not_edited),
        TEST(set_makes_the_file_private_and_unset_leaves_the_rest),
        TEST(load_takes_the_environment_and_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
