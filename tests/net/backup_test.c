// Backups as files and profiles: snapshots, damage, interruptions.
#include "tests/net/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/base/base.h"
#include "net/backup_file.h"
#include "net/store_lmdb.h"
#include "yaari/host.h"

#define SECRET "a passphrase"
#define MIB    ((size_t)1 << 20)

static char base[] = "/tmp/yaari-backup-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[8][256];
    static size_t turn;
    char *path = paths[turn++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", base, name);
    return path;
}

static int make_base(void **state)
{
    return mkdtemp(base) == NULL;
}

static int remove_base(void **state)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", base);
    return system(command);
}

static bool there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

/* ---- snapshots ---- */

static void put(struct yr_lmdb *db, uint64_t token, const char *key, const void *value, size_t len)
{
    const struct yr_op op = {YR_DB_MAIN, (const uint8_t *)key, strlen(key), value, len};
    const struct yr_txn txn = {token, &op, 1, len};

    assert_int_equal(yr_lmdb_commit(db, &txn), YR_OK);
}

static void a_snapshot_stays_as_it_was_until_the_map_has_to_move(void **state)
{
    struct yr_lmdb_opts opts = yr_lmdb_opts_default();
    const struct yr_store_view *still;
    struct yr_lmdb_snapshot *snapshot;
    uint8_t *big = calloc(1, MIB / 4);
    struct yr_lmdb *db;
    const uint8_t *value;
    struct yr_kv kv;
    size_t len;
    enum yr_err err = YR_OK;

    opts.map_size = MIB;
    assert_int_equal(yr_lmdb_open(&db, path_of("snapshot"), &opts), YR_OK);
    put(db, 1, "key", "old", 3);
    assert_int_equal(yr_lmdb_snapshot(db, &snapshot), YR_OK);
    still = yr_lmdb_snapshot_view(snapshot);
    put(db, 2, "key", "new", 3);
    put(db, 3, "later", "x", 1);
    assert_int_equal(still->get(still->ctx, YR_DB_MAIN, (const uint8_t *)"key", 3, &value, &len),
                     YR_OK);
    assert_memory_equal(value, "old", 3);
    assert_int_equal(
        still->seek(still->ctx, YR_DB_MAIN, YR_SEEK_GT, (const uint8_t *)"key", 3, &kv), YR_ENOENT);
    for (uint64_t i = 0; i < 16; i++) {
        const char key[2] = {(char)('a' + i), '\0'};
        put(db, 4 + i, key, big, MIB / 4);
    }
    err = still->get(still->ctx, YR_DB_MAIN, (const uint8_t *)"key", 3, &value, &len);
    assert_int_equal(err, YR_EAGAIN);
    yr_lmdb_snapshot_close(snapshot);
    assert_int_equal(yr_lmdb_snapshot(db, &snapshot), YR_OK); // and again
    still = yr_lmdb_snapshot_view(snapshot);
    assert_int_equal(still->get(still->ctx, YR_DB_MAIN, (const uint8_t *)"key", 3, &value, &len),
                     YR_OK);
    assert_memory_equal(value, "new", 3);
    yr_lmdb_snapshot_close(snapshot);
    yr_lmdb_close(db);
    free(big);
}

/* ---- files ---- */

static size_t head_record(uint8_t *dst)
{
    static const uint8_t begin[] = {0x88, 0, 1, 1, 1, 2, 0xc4, 32};
    static const uint8_t rest[] = {3, 1, 4, 5, 5, 0xa1, 'n', 6, 0xa0, 7, 9};

    memcpy(dst, begin, sizeof begin);
    memset(dst + sizeof begin, 7, 32);
    memcpy(dst + sizeof begin + 32, rest, sizeof rest);
    return sizeof begin + 32 + sizeof rest;
}

static size_t row_record(uint8_t *dst, size_t value_len)
{
    static const uint8_t begin[] = {0x85, 0,    2, 1, 0xa4, 'p', 'e', 'e', 'r',
                                    2,    0xc4, 0, 3, 0xc4, 0,   4,   0xc5};
    size_t len = sizeof begin;

    memcpy(dst, begin, len);
    dst[len++] = (uint8_t)(value_len >> 8);
    dst[len++] = (uint8_t)value_len;
    memset(dst + len, 0x5a, value_len);
    return len + value_len;
}

static size_t end_record(uint8_t *dst, uint8_t rows)
{
    const uint8_t bytes[] = {0x82, 0, 3, 1, rows};

    memcpy(dst, bytes, sizeof bytes);
    return sizeof bytes;
}

// Rows of which one ends exactly where a chunk does.
static void write_backup(const char *name, uint8_t hash[32])
{
    static struct yr_backup_out out;
    static uint8_t record[YR_BACKUP_RECORD_MAX];
    const int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct yr_net_fail fail;
    size_t room;

    assert_true(fd >= 0);
    assert_int_equal(yr_backup_out_begin(&out, fd, SECRET, sizeof SECRET - 1, &fail), YR_OK);
    assert_int_equal(yr_backup_out_put(&out, record, head_record(record), &fail), YR_OK);
    room = YR_AGE_CHUNK - out.fill - 4 - 19;
    assert_int_equal(yr_backup_out_put(&out, record, row_record(record, room), &fail), YR_OK);
    assert_int_equal(out.fill, YR_AGE_CHUNK);
    assert_int_equal(yr_backup_out_put(&out, record, row_record(record, 65000), &fail), YR_OK);
    assert_int_equal(yr_backup_out_put(&out, record, row_record(record, 65000), &fail), YR_OK);
    assert_int_equal(yr_backup_out_put(&out, record, end_record(record, 3), &fail), YR_OK);
    assert_int_equal(yr_backup_out_end(&out, &fail), YR_OK);
    memcpy(hash, out.hash, 32);
    assert_int_equal((uint64_t)lseek(fd, 0, SEEK_END), out.bytes);
    close(fd);
}

static enum yr_err read_backup(const char *name, const char *secret, struct yr_backup_info *info,
                               uint8_t hash[32])
{
    static struct yr_backup_in in;
    static uint8_t record[YR_BACKUP_RECORD_MAX];
    const int fd = open(path_of(name), O_RDONLY);
    struct yr_net_fail fail = {0};
    size_t len;
    enum yr_err err;

    assert_true(fd >= 0);
    err = yr_backup_in_begin(&in, fd, secret, strlen(secret), &fail);
    while (err == YR_OK)
        err = yr_backup_in_next(&in, record, &len, &fail);
    if (err != YR_ENOENT)
        assert_true(fail.text[0] != '\0'); // in words
    *info = in.info;
    memcpy(hash, in.hash, 32);
    close(fd);
    return err;
}

static void a_file_reads_as_it_was_written_and_damaged_not_at_all(void **state)
{
    struct yr_backup_info info;
    uint8_t hash[32], again[32], byte;
    struct stat st;
    int fd;

    write_backup("b.age", hash);
    assert_int_equal(read_backup("b.age", SECRET, &info, again), YR_ENOENT);
    assert_memory_equal(hash, again, 32);
    assert_true(info.ended);
    assert_int_equal(info.rows, 3);
    assert_int_equal(read_backup("b.age", "another", &info, again), YR_EAUTH);

    fd = open(path_of("b.age"), O_RDWR);
    assert_int_equal(fstat(fd, &st), 0);
    const off_t cuts[] = {st.st_size - 1, 200 + YR_AGE_CHUNK, 150, 10, 0};
    for (size_t i = 0; i < YR_COUNT(cuts); i++) {
        assert_int_equal(ftruncate(fd, cuts[i]), 0);
        assert_int_equal(read_backup("b.age", SECRET, &info, again), YR_EPROTO);
        assert_false(info.ended);
    }
    close(fd);

    write_backup("b.age", hash);
    fd = open(path_of("b.age"), O_RDWR | O_APPEND);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(read_backup("b.age", SECRET, &info, again), YR_EPROTO);

    write_backup("b.age", hash);
    fd = open(path_of("b.age"), O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, 100000), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 100000), 1);
    close(fd);
    assert_int_equal(read_backup("b.age", SECRET, &info, again), YR_EPROTO);
}

/* ---- hosts ---- */

struct made {
    bool over;
    enum yr_err err;
    struct yr_backup_info info;
    uint64_t bytes;
    char why[320];
};

static void on_made(void *ctx, enum yr_err err, const struct yr_backup_info *info, uint64_t bytes,
                    const char *why)
{
    struct made *made = ctx;

    assert_false(made->over);
    made->over = true;
    made->err = err;
    made->info = *info;
    made->bytes = bytes;
    snprintf(made->why, sizeof made->why, "%s", why);
}

static struct yr_host *open_host(struct test_loop *loop, const char *dir)
{
    struct yr_host_opts opts = yr_host_opts_default();
    struct yr_host *host;

    opts.loop = &loop->uv;
    opts.data_dir = path_of(dir);
    opts.offline = true;
    assert_int_equal(yr_host_open(&host, &opts), YR_OK);
    assert_int_equal(yr_host_state(host), YR_HOST_OPEN);
    return host;
}

static void close_host(struct test_loop *loop, struct yr_host *host)
{
    bool closed = false;

    yr_host_close(host, set_true, &closed);
    assert_true(loop_until(loop, &closed, GUARD_MS));
}

static void a_host_makes_one_backup_at_a_time_and_ends_with_none_half_made(void **state)
{
    struct made made = {0}, cancelled = {0}, twice = {0};
    struct test_loop loop;
    struct yr_host *host;
    uint8_t id[YR_ID_LEN];
    char why[320] = "";

    assert_int_equal(yr_host_make_identity(path_of("old"), "alice", NULL, 0, id, why, sizeof why),
                     YR_OK);
    loop_start(&loop);
    host = open_host(&loop, "old");
    assert_int_equal(yr_host_backup(host, path_of("a.age"), "", 0, on_made, &made), YR_ESIZE);
    assert_int_equal(yr_host_backup(host, path_of("a.age"), SECRET, 12, on_made, &made), YR_OK);
    assert_int_equal(yr_host_backup(host, path_of("x.age"), SECRET, 12, on_made, &made), YR_EAGAIN);
    assert_true(loop_until(&loop, &made.over, 60000));
    assert_int_equal(made.err, YR_OK);
    assert_memory_equal(made.info.id, id, YR_ID_LEN);
    assert_int_equal(yr_host_backup(host, path_of("a.age"), SECRET, 12, on_made, &twice), YR_OK);
    assert_true(loop_until(&loop, &twice.over, 60000));
    assert_int_equal(twice.err, YR_EEXIST);
    assert_int_equal(yr_host_backup(host, path_of("c.age"), SECRET, 12, on_made, &cancelled),
                     YR_OK);
    close_host(&loop, host);
    assert_true(cancelled.over);
    assert_int_equal(cancelled.err, YR_EAGAIN);
    assert_false(there("c.age"));
    loop_end(&loop);
}

static struct yr_restore_opts restore_opts(const char *file)
{
    static char path[256]; // for longer than those of path_of

    snprintf(path, sizeof path, "%s", path_of(file));
    return (struct yr_restore_opts){
        .file = path, .passphrase = SECRET, .passphrase_len = sizeof SECRET - 1};
}

static struct yr_self self_in(const char *dir)
{
    struct test_loop loop;
    struct yr_host *host;
    struct yr_self self;

    loop_start(&loop);
    host = open_host(&loop, dir);
    yr_node_self(yr_host_node(host), &self);
    close_host(&loop, host);
    loop_end(&loop);
    return self;
}

static void a_restore_that_was_whole_goes_on_wherever_it_was_interrupted(void **state)
{
    static const char *const files[] = {"store", "shred.key", "vault.key"};
    const struct yr_restore_opts opts = restore_opts("a.age");
    struct yr_backup_info info;
    struct yr_self self;
    uint64_t bytes;
    char why[320] = "", from[256], to[256];

    for (size_t moved = 0; moved <= YR_COUNT(files); moved++) {
        char dir[16];

        snprintf(dir, sizeof dir, "new%zu", moved);
        assert_int_equal(yr_host_restore(path_of(dir), &opts, &info, &bytes, why, sizeof why),
                         YR_OK);
        // As it was before the last of its files took their places.
        snprintf(from, sizeof from, "%s/restore.ready", path_of(dir));
        assert_int_equal(mkdir(from, 0700), 0);
        for (size_t i = moved; i < YR_COUNT(files); i++) {
            snprintf(from, sizeof from, "%s/%s", path_of(dir), files[i]);
            snprintf(to, sizeof to, "%s/restore.ready/%s", path_of(dir), files[i]);
            assert_int_equal(rename(from, to), 0);
        }
        self = self_in(dir);
        assert_true(self.has_identity);
        assert_memory_equal(self.id, info.id, YR_ID_LEN);
        snprintf(from, sizeof from, "%s/restore.ready", path_of(dir));
        assert_int_not_equal(access(from, F_OK), 0);
        assert_int_equal(yr_host_restore(path_of(dir), &opts, &info, &bytes, why, sizeof why),
                         YR_EEXIST);
        assert_memory_equal(self_in(dir).id, info.id, YR_ID_LEN);
    }
}

static void what_is_refused_leaves_nothing(void **state)
{
    struct yr_restore_opts opts = restore_opts("b.age"); // damaged, in the middle
    struct yr_backup_info info;
    uint64_t bytes;
    char why[320] = "";

    assert_int_equal(yr_host_restore(path_of("none"), &opts, &info, &bytes, why, sizeof why),
                     YR_EPROTO);
    assert_true(why[0] != '\0');
    assert_false(there("none/vault.key") || there("none/store") || there("none/restore.new"));
    opts = restore_opts("a.age");
    opts.passphrase = "no";
    opts.passphrase_len = 2;
    assert_int_equal(yr_host_restore(path_of("none"), &opts, &info, &bytes, why, sizeof why),
                     YR_EAUTH);
    assert_string_equal(why, "wrong passphrase");
    assert_int_equal(yr_host_backup_check(&opts, &info, &bytes, why, sizeof why), YR_EAUTH);
    opts.file = path_of("nowhere");
    assert_int_equal(yr_host_backup_check(&opts, &info, &bytes, why, sizeof why), YR_ENOENT);
    opts.file = base;
    assert_int_equal(yr_host_backup_check(&opts, &info, &bytes, why, sizeof why), YR_EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_stays_as_it_was_until_the_map_has_to_move),
        cmocka_unit_test(a_file_reads_as_it_was_written_and_damaged_not_at_all),
        cmocka_unit_test(a_host_makes_one_backup_at_a_time_and_ends_with_none_half_made),
        cmocka_unit_test(a_restore_that_was_whole_goes_on_wherever_it_was_interrupted),
        cmocka_unit_test(what_is_refused_leaves_nothing),
    };

    return cmocka_run_group_tests_name("backup", tests, make_base, remove_base);
}
