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

#include "cli/common/buf.h"
#include "cli/common/paths.h"

static char home[64];
static struct yr_paths paths;
static struct yr_fail why;

static int set_up(void **state)
{
    static const char *const names[] = {"YAARI_HOME",     "YAARI_PROFILE",   "YAARI_CONFIG",
                                        "YAARI_SOCKET",   "XDG_CONFIG_HOME", "XDG_DATA_HOME",
                                        "XDG_STATE_HOME", "XDG_RUNTIME_DIR"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    strcpy(home, "/tmp/yaari-paths-XXXXXX");
    if (mkdtemp(home) == NULL)
        return -1;
    setenv("HOME", home, 1);
    memset(&paths, 0, sizeof paths);
    memset(&why, 0, sizeof why);
    return 0;
}

static int tear_down(void **state)
{
    char command[256];

    yr_paths_clear(&paths);
    snprintf(command, sizeof command, "chmod -R u+rwX '%s'; rm -r '%s'", home, home);
    return system(command);
}

static enum yr_exit init(const char *profile, const char *at, const char *config, const char *sock)
{
    const struct yr_paths_opts opts = {profile, at, config, sock};

    return yr_paths_init(&paths, &opts, &why);
}

static void assert_under_home(const char *path, const char *rest)
{
    assert_int_equal(strncmp(path, home, strlen(home)), 0);
    assert_string_equal(path + strlen(home), rest);
}

static void a_profile_name_is_1_to_32_of_its_alphabet(void **state)
{
    assert_true(yr_profile_ok("default"));
    assert_true(yr_profile_ok("a-b_c9"));
    assert_true(yr_profile_ok("0123456789abcdef0123456789abcdef"));
    assert_false(yr_profile_ok("0123456789abcdef0123456789abcdef0"));
    assert_false(yr_profile_ok(""));
    assert_false(yr_profile_ok("../x"));
    assert_false(yr_profile_ok("Bob"));
    assert_false(yr_profile_ok("a.b"));
    assert_int_equal(init("a/b", NULL, NULL, NULL), YR_EXIT_USAGE);
}

static void yaari_home_holds_all_places(void **state)
{
    setenv("YAARI_HOME", "/x/", 1);
    assert_int_equal(init(NULL, NULL, NULL, NULL), YR_EXIT_OK);
    assert_true(paths.portable);
    assert_string_equal(paths.config, "/x/config/yaari/default.conf");
    assert_string_equal(paths.vault_key, "/x/data/yaari/default/vault.key");
    assert_string_equal(paths.shred_key, "/x/data/yaari/default/shred.key");
    assert_string_equal(paths.store_dir, "/x/data/yaari/default/store");
    assert_string_equal(paths.log, "/x/state/yaari/default/yaarid.log");
    assert_string_equal(paths.sock, "/x/run/yaari/default.sock");
    assert_string_equal(paths.pid, "/x/run/yaari/default.pid");
}

static void xdg_places_are_used_when_absolute(void **state)
{
    setenv("XDG_CONFIG_HOME", "/c", 1);
    setenv("XDG_DATA_HOME", "relative", 1);
    setenv("YAARI_PROFILE", "work", 1);
    assert_int_equal(init(NULL, NULL, NULL, NULL), YR_EXIT_OK);
    assert_false(paths.portable);
    assert_string_equal(paths.config, "/c/yaari/work.conf");
    assert_under_home(paths.data_dir, "/.local/share/yaari/work");
    assert_under_home(paths.log, "/.local/state/yaari/work/yaarid.log");
    assert_under_home(paths.sock, "/.local/state/yaari/run/work.sock");
}

static void the_runtime_folder_is_used_when_it_is_there_and_ours(void **state)
{
    setenv("XDG_RUNTIME_DIR", home, 1);
    assert_int_equal(init(NULL, NULL, NULL, NULL), YR_EXIT_OK);
    assert_under_home(paths.sock, "/yaari/default.sock");
    assert_under_home(paths.pid, "/yaari/default.pid");
    yr_paths_clear(&paths);
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    assert_int_equal(init(NULL, NULL, NULL, NULL), YR_EXIT_OK);
    assert_under_home(paths.sock, "/.local/state/yaari/run/default.sock");
}

static void flags_are_stronger_than_the_environment(void **state)
{
    setenv("YAARI_HOME", "/x", 1);
    setenv("YAARI_PROFILE", "env", 1);
    setenv("YAARI_SOCKET", "/env.sock", 1);
    setenv("YAARI_CONFIG", "/env.conf", 1);
    assert_int_equal(init("flag", "/y", "/flag.conf", "/flag.sock"), YR_EXIT_OK);
    assert_string_equal(paths.profile, "flag");
    assert_string_equal(paths.data_dir, "/y/data/yaari/flag");
    assert_string_equal(paths.config, "/flag.conf");
    assert_string_equal(paths.sock, "/flag.sock");
    yr_paths_clear(&paths);
    assert_int_equal(init(NULL, NULL, NULL, NULL), YR_EXIT_OK);
    assert_string_equal(paths.profile, "env");
    assert_string_equal(paths.config, "/env.conf");
    assert_string_equal(paths.sock, "/env.sock");
}

static void a_relative_home_is_taken_from_here(void **state)
{
    char here[256], want[300];

    assert_non_null(getcwd(here, sizeof here));
    snprintf(want, sizeof want, "%s/h/data/yaari/default", here);
    assert_int_equal(init(NULL, "h", NULL, NULL), YR_EXIT_OK);
    assert_string_equal(paths.data_dir, want);
}

static void a_socket_path_over_107_bytes_is_a_configuration_error(void **state)
{
    char at[120];

    // AT/run/yaari/default.sock
    memset(at, 'h', sizeof at);
    at[0] = '/';
    at[107 - strlen("/run/yaari/default.sock")] = '\0';
    assert_int_equal(init(NULL, at, NULL, NULL), YR_EXIT_OK);
    assert_int_equal(strlen(paths.sock), 107);
    yr_paths_clear(&paths);
    strcat(at, "h");
    assert_int_equal(init(NULL, at, NULL, NULL), YR_EXIT_CONFIG);
    assert_string_equal(why.what,
                        "the control socket's path is too long: 108 bytes, 107 are possible");
    assert_true(why.hint[0] != '\0');
}

static char *in_home(const char *rest)
{
    struct yr_buf path = {0};

    yr_buf_addf(&path, "%s/%s", home, rest);
    return yr_buf_take(&path);
}

static void folders_are_made_for_us_alone(void **state)
{
    char *deep = in_home("a/b/c"), *first = in_home("a"), *file = in_home("f"),
         *below = in_home("f/x");
    struct stat st;

    assert_int_equal(yr_mkdirs(deep, &why), YR_EXIT_OK);
    assert_int_equal(yr_mkdirs(deep, &why), YR_EXIT_OK);
    assert_int_equal(stat(first, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(yr_write_file(file, "", 0, 0600, &why), YR_EXIT_OK);
    assert_int_equal(yr_mkdirs(file, &why), YR_EXIT_CANTCREAT);
    assert_int_equal(yr_mkdirs(below, &why), YR_EXIT_CANTCREAT);
    free(deep);
    free(first);
    free(file);
    free(below);
}

static void a_folder_open_to_others_is_refused_with_the_cure(void **state)
{
    char *dir = in_home("run");
    char cure[128];

    assert_int_equal(yr_private_dir(dir, &why), YR_EXIT_OK);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(yr_private_dir(dir, &why), YR_EXIT_NOPERM);
    snprintf(cure, sizeof cure, "chmod 700 '%s'", dir);
    assert_string_equal(why.hint, cure);
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(yr_private_dir(dir, &why), YR_EXIT_OK);
    free(dir);
}

static void a_file_is_replaced_whole_and_its_link_stays(void **state)
{
    char *file = in_home("f"), *sym = in_home("l"), *back = NULL;
    struct stat st;
    size_t len = 0;

    assert_int_equal(yr_write_file(file, "one", 3, 0600, &why), YR_EXIT_OK);
    assert_int_equal(symlink("f", sym), 0);
    assert_int_equal(yr_write_file(sym, "three", 5, 0640, &why), YR_EXIT_OK);
    assert_int_equal(lstat(sym, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(yr_read_file(file, 5, &back, &len, &why), YR_EXIT_OK);
    assert_int_equal(len, 5);
    assert_string_equal(back, "three");
    free(back);
    back = NULL;
    assert_int_equal(yr_read_file(file, 4, &back, &len, &why), YR_EXIT_DATAERR);
    assert_null(back);
    free(file);
    free(sym);
}

static void a_write_that_fails_leaves_the_file_and_no_litter(void **state)
{
    char *file = in_home("no/f");

    assert_int_equal(yr_write_file(file, "x", 1, 0600, &why), YR_EXIT_CANTCREAT);
    assert_non_null(strstr(why.what, "No such file"));
    free(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_profile_name_is_1_to_32_of_its_alphabet),
        TEST(yaari_home_holds_all_places),
        TEST(xdg_places_are_used_when_absolute),
        TEST(the_runtime_folder_is_used_when_it_is_there_and_ours),
        TEST(flags_are_stronger_than_the_environment),
        TEST(a_relative_home_is_taken_from_here),
        TEST(a_socket_path_over_107_bytes_is_a_configuration_error),
        TEST(folders_are_made_for_us_alone),
        TEST(a_folder_open_to_others_is_refused_with_the_cure),
        TEST(a_file_is_replaced_whole_and_its_link_stays),
        TEST(a_write_that_fails_leaves_the_file_and_no_litter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
