// The key files: whole or not at all, never overwritten, never read by or from others.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/keyfile.h"
#include "tests/support/test.h"

static char base[] = "/tmp/yaari-keyfile-XXXXXX";
static char vault[64], shred[64], fresh[80];

// Stands before the C library's, to see what is made durable.
static ino_t synced[32];
static size_t synced_count;
int fsync(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && synced_count < YR_COUNT(synced))
        synced[synced_count++] = st.st_ino;
    return (int)syscall(SYS_fsync, fd);
}

static bool was_synced(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    for (size_t i = 0; i < synced_count; i++)
        if (synced[i] == st.st_ino)
            return true;
    return false;
}

static int make_base(void **state)
{
    if (mkdtemp(base) == NULL)
        return 1;
    snprintf(vault, sizeof vault, "%s/vault.key", base);
    snprintf(shred, sizeof shred, "%s/shred.key", base);
    return 0;
}

static int clean(void **state)
{
    unlink(vault);
    unlink(shred);
    snprintf(fresh, sizeof fresh, "%s/shred.key.new", base);
    unlink(fresh);
    snprintf(fresh, sizeof fresh, "%s/vault.key.new", base);
    return unlink(fresh) == 0 ? 1 : 0; // a test must not leave one
}

static int remove_base(void **state)
{
    return rmdir(base);
}

static void write_file(const char *path, const void *bytes, size_t len, mode_t mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static void a_vault_is_made_once_and_read_back(void **state)
{
    uint8_t bytes[YR_VAULT_FILE_MAX], got[YR_VAULT_FILE_MAX];
    struct stat st;
    size_t len = 0;

    memset(bytes, 0x5a, sizeof bytes);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_ENOENT);
    assert_int_equal(yr_keyfile_make_vault(vault, bytes, 100), YR_OK);
    assert_int_equal(stat(vault, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_OK);
    assert_int_equal(len, 100);
    assert_memory_equal(got, bytes, 100);

    memset(bytes, 0, sizeof bytes);
    assert_int_equal(yr_keyfile_make_vault(vault, bytes, sizeof bytes), YR_EEXIST);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_OK);
    assert_int_equal(len, 100);
    assert_int_equal(got[0], 0x5a);
}

static void the_names_that_lead_to_a_vault_are_durable_too(void **state)
{
    static const uint8_t bytes[100] = {1};
    char dirs[2][80], path[96];

    snprintf(dirs[0], sizeof dirs[0], "%s/a", base);
    snprintf(dirs[1], sizeof dirs[1], "%s/a/b", base);
    snprintf(path, sizeof path, "%s/vault.key", dirs[1]);
    for (size_t i = 0; i < YR_COUNT(dirs); i++)
        assert_int_equal(mkdir(dirs[i], 0700), 0);
    synced_count = 0;
    assert_int_equal(yr_keyfile_make_vault(path, bytes, sizeof bytes), YR_OK);
    assert_true(was_synced(path));
    assert_true(was_synced(dirs[1]));
    assert_true(was_synced(dirs[0]));
    assert_true(was_synced(base));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dirs[1]), 0);
    assert_int_equal(rmdir(dirs[0]), 0);
}

static void a_vault_left_half_made_is_made_anew(void **state)
{
    uint8_t got[YR_VAULT_FILE_MAX];
    size_t len;

    snprintf(fresh, sizeof fresh, "%s.new", vault);
    write_file(fresh, "half", 4, 0600);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_ENOENT);
    assert_int_equal(yr_keyfile_make_vault(vault, (const uint8_t *)"whole", 5), YR_OK);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_OK);
    assert_int_equal(len, 5);
    assert_int_equal(access(fresh, F_OK), -1);
}

static void a_key_file_open_to_others_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0620, 0604, 0601, 0660, 0644, 0666};
    uint8_t bytes[YR_SHRED_FILE_LEN] = {1}, got[YR_VAULT_FILE_MAX];
    size_t len;

    for (size_t i = 0; i < YR_COUNT(modes); i++) {
        write_file(vault, bytes, sizeof bytes, modes[i]);
        write_file(shred, bytes, sizeof bytes, modes[i]);
        assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_EDENIED);
        assert_int_equal(yr_keyfile_read_shred(shred, got), YR_EDENIED);
        assert_int_equal(yr_keyfile_write_slot(shred, 0, bytes), YR_EDENIED);
        unlink(vault);
        unlink(shred);
    }
}

static void a_key_file_of_another_user_is_refused(void **state)
{
    uint8_t bytes[YR_SHRED_FILE_LEN] = {1}, got[YR_SHRED_FILE_LEN];

    if (geteuid() != 0) {
        print_message("skipped: only root can give a file away\n");
        skip();
    }
    write_file(shred, bytes, sizeof bytes, 0600);
    assert_int_equal(chown(shred, 65534, (gid_t)-1), 0);
    assert_int_equal(yr_keyfile_read_shred(shred, got), YR_EDENIED);
    assert_int_equal(yr_keyfile_write_slot(shred, 0, bytes), YR_EDENIED);
}

static void what_is_no_plain_file_is_refused(void **state)
{
    uint8_t bytes[YR_SHRED_FILE_LEN] = {1}, got[YR_VAULT_FILE_MAX];
    size_t len;

    write_file(shred, bytes, sizeof bytes, 0600);
    assert_int_equal(symlink(shred, vault), 0);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_EDENIED);
    assert_int_equal(yr_keyfile_read_shred(vault, got), YR_EDENIED);
    assert_int_equal(yr_keyfile_write_slot(vault, 0, bytes), YR_EDENIED);
    assert_int_equal(yr_keyfile_make_vault(vault, bytes, 5), YR_EEXIST);
    assert_int_equal(unlink(vault), 0);

    assert_int_equal(mkfifo(vault, 0600), 0); // and it does not wait for a writer
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_EDENIED);
    assert_int_equal(unlink(vault), 0);
    assert_int_equal(mkdir(vault, 0700), 0);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_EDENIED);
    assert_int_equal(rmdir(vault), 0);
}

static void a_file_of_another_length_is_damaged(void **state)
{
    uint8_t bytes[YR_VAULT_FILE_MAX + 1] = {1}, got[YR_VAULT_FILE_MAX];
    size_t len;

    write_file(vault, bytes, 0, 0600);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_ECORRUPT);
    unlink(vault);
    write_file(vault, bytes, sizeof bytes, 0600);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_ECORRUPT);
    for (size_t size = 0; size <= YR_SHRED_FILE_LEN + 1; size += YR_SHRED_FILE_LEN - 1) {
        if (size == YR_SHRED_FILE_LEN)
            continue;
        write_file(shred, bytes, size, 0600);
        assert_int_equal(yr_keyfile_read_shred(shred, got), YR_ECORRUPT);
        assert_int_equal(yr_keyfile_write_slot(shred, 1, bytes), YR_ECORRUPT);
        unlink(shred);
    }
}

static void slots_are_written_in_place(void **state)
{
    uint8_t slot[YR_SHRED_SLOT_LEN], got[YR_SHRED_FILE_LEN];
    struct stat before, after;

    assert_int_equal(yr_keyfile_read_shred(shred, got), YR_ENOENT);
    memset(slot, 'a', sizeof slot);
    assert_int_equal(yr_keyfile_write_slot(shred, 0, slot), YR_OK); // makes the file
    assert_int_equal(stat(shred, &before), 0);
    assert_int_equal(before.st_mode & 07777, 0600);
    assert_int_equal(before.st_size, YR_SHRED_FILE_LEN);
    assert_int_equal(yr_keyfile_read_shred(shred, got), YR_OK);
    assert_memory_equal(got, slot, sizeof slot);
    memset(slot, 'b', sizeof slot);
    assert_int_equal(yr_keyfile_write_slot(shred, 1, slot), YR_OK);
    assert_int_equal(yr_keyfile_read_shred(shred, got), YR_OK);
    for (size_t i = 0; i < sizeof got; i++)
        assert_int_equal(got[i], i < sizeof slot ? 'a' : 'b');
    memset(slot, 'c', sizeof slot);
    assert_int_equal(yr_keyfile_write_slot(shred, 0, slot), YR_OK);
    assert_int_equal(yr_keyfile_read_shred(shred, got), YR_OK);
    for (size_t i = 0; i < sizeof got; i++)
        assert_int_equal(got[i], i < sizeof slot ? 'c' : 'b');
    assert_int_equal(stat(shred, &after), 0);
    assert_true(before.st_ino == after.st_ino); // a new file would leave the old key behind
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    uint8_t slot[YR_SHRED_SLOT_LEN] = {0};
    char path[96];

    snprintf(path, sizeof path, "%s/not/there.key", base);
    assert_int_equal(yr_keyfile_make_vault(path, slot, 5), YR_ENOENT);
    assert_int_equal(yr_keyfile_write_slot(path, 0, slot), YR_ENOENT);
}

static void a_vault_that_cannot_be_written_is_not_there(void **state)
{
    uint8_t bytes[100] = {0}, got[YR_VAULT_FILE_MAX];
    struct rlimit before, none;
    size_t len;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 50;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_not_equal(yr_keyfile_make_vault(vault, bytes, sizeof bytes), YR_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_ENOENT);
    assert_int_equal(yr_keyfile_make_vault(vault, bytes, sizeof bytes), YR_OK);
}

static void names_without_a_folder_mean_the_present_one(void **state)
{
    uint8_t got[YR_VAULT_FILE_MAX];
    char before[1024];
    size_t len;

    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(base), 0);
    assert_int_equal(yr_keyfile_make_vault("vault.key", (const uint8_t *)"x", 1), YR_OK);
    assert_int_equal(yr_keyfile_read_vault("vault.key", got, &len), YR_OK);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(yr_keyfile_read_vault(vault, got, &len), YR_OK);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, clean)
    const struct CMUnitTest tests[] = {
        T(a_vault_is_made_once_and_read_back),
        T(the_names_that_lead_to_a_vault_are_durable_too),
        T(a_vault_left_half_made_is_made_anew),
        T(a_key_file_open_to_others_is_refused),
        T(a_key_file_of_another_user_is_refused),
        T(what_is_no_plain_file_is_refused),
        T(a_file_of_another_length_is_damaged),
        T(slots_are_written_in_place),
        T(a_folder_that_is_not_there_is_told),
        T(a_vault_that_cannot_be_written_is_not_there),
        T(names_without_a_folder_mean_the_present_one),
    };

    return cmocka_run_group_tests_name("key files", tests, make_base, remove_base);
}
