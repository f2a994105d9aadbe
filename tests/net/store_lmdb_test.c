// The store on disk where it differs from the one in memory: kill -9, full disks and maps, damage,
// folders of others, growth under a reader.
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/base.h"
#include "net/store_lmdb.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

#define MIB ((size_t)1 << 20)

// ---- folders ----

static char base[] = "/tmp/yaari-lmdb-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static size_t turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", base, name);
    return path;
}

static int make_base(void **state)
{
    return mkdtemp(base) == NULL;
}

static void remove_store(const char *name)
{
    char path[192];

    snprintf(path, sizeof path, "%s/data.mdb", name);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", name);
    unlink(path);
    rmdir(name);
}

static int remove_stores(void **state)
{
    remove_store(path_of("store"));
    umount2(path_of("small"), MNT_DETACH); // left by a test that failed
    rmdir(path_of("small"));
    return 0;
}

static int remove_base(void **state)
{
    return rmdir(base);
}

// ---- what the writer tells ----

struct answers {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint64_t tokens[256];
    enum yr_err errs[256];
    size_t count, commits;
    bool held, arrived;
    int fault;
    size_t fault_count;
};

static void on_done(void *ctx, uint64_t token, enum yr_err err)
{
    struct answers *a = ctx;

    pthread_mutex_lock(&a->lock);
    YR_ASSERT(a->count < YR_COUNT(a->tokens));
    a->tokens[a->count] = token;
    a->errs[a->count++] = err;
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
}

static int on_commit(void *ctx)
{
    struct answers *a = ctx;
    int fault = 0;

    pthread_mutex_lock(&a->lock);
    a->commits++;
    a->arrived = true;
    pthread_cond_broadcast(&a->moved);
    while (a->held)
        pthread_cond_wait(&a->moved, &a->lock);
    if (a->fault_count > 0) {
        a->fault_count--;
        fault = a->fault;
    }
    pthread_mutex_unlock(&a->lock);
    return fault;
}

static void wait_for(struct answers *a, size_t count)
{
    pthread_mutex_lock(&a->lock);
    while (a->count < count)
        pthread_cond_wait(&a->moved, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

static void hold(struct answers *a, bool held)
{
    pthread_mutex_lock(&a->lock);
    a->held = held;
    a->arrived = false;
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
}

static void wait_until_held(struct answers *a)
{
    pthread_mutex_lock(&a->lock);
    while (!a->arrived)
        pthread_cond_wait(&a->moved, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

static struct answers *answers_new(void)
{
    static struct answers a;

    memset(&a, 0, sizeof a);
    pthread_mutex_init(&a.lock, NULL);
    pthread_cond_init(&a.moved, NULL);
    return &a;
}

static struct yr_lmdb_opts opts_of(struct answers *a, size_t map_size, size_t map_size_max)
{
    struct yr_lmdb_opts opts = yr_lmdb_opts_default();

    opts.map_size = map_size;
    opts.map_size_max = map_size_max;
    if (a != NULL) {
        opts.on_done = on_done;
        opts.fault = on_commit;
        opts.ctx = a;
    }
    return opts;
}

static struct yr_lmdb *open_at(const char *dir, struct answers *a, size_t map_size,
                               size_t map_size_max)
{
    const struct yr_lmdb_opts opts = opts_of(a, map_size, map_size_max);
    struct yr_lmdb *db;

    assert_int_equal(yr_lmdb_open(&db, dir, &opts), YR_OK);
    return db;
}

static enum yr_err try_open(const char *dir)
{
    const struct yr_lmdb_opts opts = opts_of(NULL, MIB, 64 * MIB);
    struct yr_lmdb *db;
    const enum yr_err err = yr_lmdb_open(&db, dir, &opts);

    if (err == YR_OK)
        yr_lmdb_close(db);
    return err;
}

// ---- rows ----

static struct yr_op op_of(const char *key, const void *value, size_t len)
{
    return (struct yr_op){YR_DB_MAIN, (const uint8_t *)key, strlen(key), value, len};
}

static struct yr_txn txn_of(uint64_t token, const struct yr_op *ops, size_t count)
{
    return (struct yr_txn){token, ops, count, 0};
}

static enum yr_err put(struct yr_lmdb *db, const char *key, const void *value, size_t len)
{
    const struct yr_op op = op_of(key, value, len);
    const struct yr_txn txn = txn_of(1, &op, 1);

    return yr_lmdb_commit(db, &txn);
}

static enum yr_err get(struct yr_lmdb *db, const char *key, const uint8_t **value, size_t *len)
{
    const struct yr_store_view *view = yr_lmdb_view(db);

    return view->get(view->ctx, YR_DB_MAIN, (const uint8_t *)key, strlen(key), value, len);
}

static bool has(struct yr_lmdb *db, const char *key)
{
    const uint8_t *value;
    size_t len;
    const enum yr_err err = get(db, key, &value, &len);

    assert_true(err == YR_OK || err == YR_ENOENT);
    return err == YR_OK;
}

// ---- opening ----

static void a_new_store_is_for_its_owner_alone(void **state)
{
    struct stat st;

    assert_int_equal(try_open(path_of("store")), YR_OK);
    assert_int_equal(stat(path_of("store"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(path_of("store/data.mdb"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_folder_that_others_may_enter_is_refused(void **state)
{
    static const mode_t modes[] = {0755, 0750, 0710, 0701, 0770, 0500, 01700};

    assert_int_equal(try_open(path_of("store")), YR_OK);
    for (size_t i = 0; i < YR_COUNT(modes); i++) {
        assert_int_equal(chmod(path_of("store"), modes[i]), 0);
        assert_int_equal(try_open(path_of("store")), YR_EDENIED);
    }
    assert_int_equal(chmod(path_of("store"), 0700), 0);
}

static void a_folder_whose_parent_hands_its_group_down_is_fine(void **state)
{
    const char *home = path_of("home");
    char dir[128];
    struct stat st;

    snprintf(dir, sizeof dir, "%s/store", home);
    assert_int_equal(mkdir(home, 0700), 0);
    assert_int_equal(chmod(home, 02700), 0); // set-group-id: what is made in it has the bit too
    assert_int_equal(try_open(dir), YR_OK);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(try_open(dir), YR_OK);
    remove_store(dir);
    rmdir(home);
}

static void a_folder_of_another_user_is_refused(void **state)
{
    if (geteuid() != 0) {
        print_message("skipped: only root can give a folder away\n");
        skip();
    }
    assert_int_equal(try_open(path_of("store")), YR_OK);
    assert_int_equal(chown(path_of("store"), 65534, (gid_t)-1), 0);
    assert_int_equal(try_open(path_of("store")), YR_EDENIED);
    assert_int_equal(chown(path_of("store"), 0, (gid_t)-1), 0);
}

static void what_is_no_folder_is_an_error(void **state)
{
    char long_path[5000];
    int fd;

    assert_int_equal(try_open(path_of("not/there")), YR_ENOENT);
    fd = open(path_of("store"), O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(try_open(path_of("store")), YR_EINVAL);
    assert_int_equal(unlink(path_of("store")), 0);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(try_open(long_path), YR_EINVAL);
}

static void a_store_without_thread_commits_and_reads(void **state)
{
    struct yr_lmdb *db = open_at(path_of("store"), NULL, MIB, MIB);

    assert_false(has(db, "a"));
    assert_int_equal(put(db, "a", "1", 1), YR_OK);
    assert_true(has(db, "a"));
    yr_lmdb_close(db);
    db = open_at(path_of("store"), NULL, MIB, MIB);
    assert_true(has(db, "a"));
    yr_lmdb_close(db);
    yr_lmdb_close(NULL);
}

// ---- the queue ----

static void what_waits_is_committed_together(void **state)
{
    struct answers *a = answers_new();
    struct yr_lmdb *db = open_at(path_of("store"), a, MIB, MIB);
    struct yr_txn txns[YR_LMDB_QUEUE_MAX + 2];
    struct yr_op ops[YR_LMDB_QUEUE_MAX + 2];
    char keys[YR_LMDB_QUEUE_MAX + 2][32];

    hold(a, true);
    for (size_t i = 0; i < YR_COUNT(txns); i++) {
        snprintf(keys[i], sizeof keys[i], "%zu", i);
        ops[i] = op_of(keys[i], "x", 1);
        txns[i] = txn_of(i + 1, &ops[i], 1);
        if (i == 0) {
            assert_int_equal(yr_lmdb_submit(db, &txns[i]), YR_OK);
            wait_until_held(a); // the writer has this one, the rest waits
        } else {
            assert_int_equal(yr_lmdb_submit(db, &txns[i]),
                             i <= YR_LMDB_QUEUE_MAX ? YR_OK : YR_EFULL);
        }
    }
    hold(a, false);
    wait_for(a, 1 + YR_LMDB_QUEUE_MAX);
    assert_int_equal(a->commits, 2);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->tokens[i], i + 1);
        assert_int_equal(a->errs[i], YR_OK);
        assert_true(has(db, keys[i]));
    }
    yr_lmdb_close(db);
}

static void after_a_failure_in_a_group_nothing_later_is_there(void **state)
{
    struct answers *a = answers_new();
    struct yr_lmdb *db = open_at(path_of("store"), a, MIB, MIB);
    static const char *const keys[] = {"a", "b", "", "d", "e", "f"}; // the third cannot be
    struct yr_txn txns[6];
    struct yr_op ops[6];

    hold(a, true);
    for (size_t i = 0; i < 5; i++) {
        ops[i] = op_of(keys[i], "x", 1);
        txns[i] = txn_of(i + 1, &ops[i], 1);
        assert_int_equal(yr_lmdb_submit(db, &txns[i]), YR_OK);
        if (i == 0)
            wait_until_held(a);
    }
    hold(a, false);
    wait_for(a, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(a->tokens[i], i + 1);
        assert_int_equal(a->errs[i], i < 2 ? YR_OK : YR_EINVAL);
        if (i != 2)
            assert_int_equal(has(db, keys[i]), i < 2);
    }
    ops[5] = op_of(keys[5], "x", 1);
    txns[5] = txn_of(6, &ops[5], 1);
    assert_int_equal(yr_lmdb_submit(db, &txns[5]), YR_OK);
    wait_for(a, 6);
    assert_int_equal(a->errs[5], YR_OK);
    assert_true(has(db, "f"));
    yr_lmdb_close(db);
}

static void closing_commits_what_is_queued(void **state)
{
    struct answers *a = answers_new();
    struct yr_lmdb *db = open_at(path_of("store"), a, MIB, MIB);
    const struct yr_op ops[] = {op_of("a", "1", 1), op_of("b", "2", 1)};
    const struct yr_txn txns[] = {txn_of(1, &ops[0], 1), txn_of(2, &ops[1], 1)};

    assert_int_equal(yr_lmdb_submit(db, &txns[0]), YR_OK);
    assert_int_equal(yr_lmdb_submit(db, &txns[1]), YR_OK);
    yr_lmdb_close(db);
    assert_int_equal(a->count, 2);
    assert_int_equal(a->errs[1], YR_OK);
    db = open_at(path_of("store"), NULL, MIB, MIB);
    assert_true(has(db, "a") && has(db, "b"));
    yr_lmdb_close(db);
}

// ---- full, broken ----

static void each_error_of_the_system_has_its_name(void **state)
{
    static const struct {
        int fault;
        enum yr_err err;
    } rows[] = {{EIO, YR_EIO},
                {ENOSPC, YR_ENOSPC},
                {EDQUOT, YR_ENOSPC},
                {EFBIG, YR_ENOSPC},
                {ENOMEM, YR_ENOMEM},
                {EACCES, YR_EDENIED},
                {MDB_CORRUPTED, YR_ECORRUPT},
                {MDB_PAGE_NOTFOUND, YR_ECORRUPT},
                {MDB_TXN_FULL, YR_EIO}};
    struct answers *a = answers_new();
    struct yr_lmdb *db = open_at(path_of("store"), a, MIB, MIB);

    for (size_t i = 0; i < YR_COUNT(rows); i++) {
        a->fault = rows[i].fault;
        a->fault_count = 1;
        assert_int_equal(put(db, "a", "1", 1), rows[i].err);
        assert_false(has(db, "a"));
        assert_int_equal(put(db, "b", "1", 1), YR_OK);
    }
    yr_lmdb_close(db);
}

static void an_environment_that_has_given_up_is_opened_again(void **state)
{
    struct answers *a = answers_new();
    struct yr_lmdb *db = open_at(path_of("store"), a, MIB, MIB);

    assert_int_equal(put(db, "a", "1", 1), YR_OK);
    assert_true(has(db, "a"));
    a->fault = MDB_PANIC;
    a->fault_count = 1;
    assert_int_equal(put(db, "b", "2", 1), YR_OK);
    assert_int_equal(a->commits, 3); // with one more try
    assert_true(has(db, "a") && has(db, "b"));
    a->fault_count = 1000; // for ever: no circle
    assert_int_equal(put(db, "c", "3", 1), YR_EIO);
    a->fault_count = 0;
    assert_true(has(db, "a") && !has(db, "c"));
    assert_int_equal(put(db, "c", "3", 1), YR_OK);
    assert_true(has(db, "c"));
    yr_lmdb_close(db);
}

static void a_full_map_refuses_and_is_usable_again_when_rows_go(void **state)
{
    static uint8_t value[30000];
    struct yr_lmdb *db = open_at(path_of("store"), NULL, MIB / 4, MIB);
    size_t count = 0, more = 0;
    char key[32];

    for (;; count++) {
        snprintf(key, sizeof key, "%zu", count);
        const enum yr_err err = put(db, key, value, sizeof value);
        if (err != YR_OK) {
            assert_int_equal(err, YR_ENOSPC);
            break;
        }
    }
    assert_int_equal(yr_lmdb_map_size(db), MIB);
    assert_true(count > 20);
    assert_false(has(db, key));
    assert_int_equal(put(db, key, value, sizeof value), YR_ENOSPC);
    for (size_t i = 0; i < count; i += 2) {
        snprintf(key, sizeof key, "%zu", i);
        assert_true(has(db, key));
        assert_int_equal(put(db, key, NULL, 0), YR_OK);
    }
    for (; more < count / 4; more++) {
        snprintf(key, sizeof key, "more %zu", more);
        assert_int_equal(put(db, key, value, sizeof value), YR_OK);
    }
    yr_lmdb_close(db);
    db = open_at(path_of("store"), NULL, MIB, MIB);
    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof key, "%zu", i);
        assert_int_equal(has(db, key), i % 2 == 1);
    }
    assert_true(has(db, "more 0"));
    yr_lmdb_close(db);
}

static void a_map_that_must_grow_without_end_stops_at_its_maximum(void **state)
{
    struct answers *a = answers_new();
    struct yr_lmdb *db = open_at(path_of("store"), a, MIB, 7 * MIB);

    a->fault = MDB_MAP_FULL;
    a->fault_count = 1000;
    assert_int_equal(put(db, "a", "1", 1), YR_ENOSPC);
    assert_int_equal(yr_lmdb_map_size(db), 7 * MIB);
    assert_int_equal(a->commits, 4); // 1, 2, 4, 7 MiB
    a->fault_count = 0;
    assert_int_equal(put(db, "a", "1", 1), YR_OK);
    assert_true(has(db, "a"));
    yr_lmdb_close(db);
}

// Fill the store until the disk has no more; how many rows went in.
static size_t fill_disk(struct yr_lmdb *db, enum yr_err *err)
{
    static uint8_t value[20000];
    char key[32];

    for (size_t i = 0;; i++) {
        snprintf(key, sizeof key, "%zu", i);
        if ((*err = put(db, key, value, sizeof value)) != YR_OK)
            return i;
        assert_true(i < 10000);
    }
}

static void check_filled(struct yr_lmdb *db, size_t count)
{
    char key[32];

    for (size_t i = 0; i <= count; i++) {
        snprintf(key, sizeof key, "%zu", i);
        assert_int_equal(has(db, key), i < count);
    }
}

static void a_full_disk_refuses_and_room_makes_it_go_on(void **state)
{
    static uint8_t ballast[MIB];
    struct yr_lmdb *db;
    enum yr_err err;
    size_t count;
    int fd;

    assert_int_equal(mkdir(path_of("small"), 0700), 0);
    if (geteuid() != 0 || mount("tmpfs", path_of("small"), "tmpfs", 0, "size=4m,mode=700") != 0) {
        assert_int_equal(rmdir(path_of("small")), 0);
        print_message("skipped: a small file system needs root and the right to mount\n");
        skip();
    }
    fd = open(path_of("small/ballast"), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, ballast, sizeof ballast), sizeof ballast);
    close(fd);
    db = open_at(path_of("small/store"), NULL, MIB, 64 * MIB);
    count = fill_disk(db, &err);
    assert_int_equal(err, YR_ENOSPC);
    assert_true(count > 50);
    check_filled(db, count);
    assert_int_equal(put(db, "more", ballast, 60000), YR_ENOSPC);
    assert_int_equal(unlink(path_of("small/ballast")), 0);
    assert_int_equal(put(db, "more", ballast, 60000), YR_OK);
    check_filled(db, count);
    yr_lmdb_close(db);
    db = open_at(path_of("small/store"), NULL, MIB, 64 * MIB);
    check_filled(db, count);
    assert_true(has(db, "more"));
    yr_lmdb_close(db);
    assert_int_equal(umount(path_of("small")), 0);
    assert_int_equal(rmdir(path_of("small")), 0);
}

static void a_file_at_its_size_limit_refuses_and_goes_on_above_it(void **state)
{
    static uint8_t value[60000];
    struct rlimit before, small;
    struct yr_lmdb *db;
    enum yr_err err;
    size_t count;

    signal(SIGXFSZ, SIG_IGN);
    db = open_at(path_of("store"), NULL, MIB, 64 * MIB);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 2 * MIB;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    count = fill_disk(db, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(err == YR_ENOSPC || err == YR_EIO); // EIO when the write was cut in the middle
    assert_true(count > 50);
    check_filled(db, count);
    assert_int_equal(put(db, "more", value, sizeof value), YR_OK);
    check_filled(db, count);
    yr_lmdb_close(db);
    db = open_at(path_of("store"), NULL, MIB, 64 * MIB);
    check_filled(db, count);
    yr_lmdb_close(db);
}

// ---- growth ----

struct growing {
    struct yr_lmdb *db;
    struct answers *a;
};

#define GROW_ROWS 120

static void *grow_main(void *arg)
{
    static uint8_t value[60000];
    struct growing *g = arg;
    char key[32];

    for (size_t i = 0; i < GROW_ROWS; i++) {
        snprintf(key, sizeof key, "%03zu", i);
        memset(value, (int)i, sizeof value);
        YR_ASSERT(put(g->db, key, value, sizeof value) == YR_OK);
    }
    on_done(g->a, 0, YR_OK);
    return NULL;
}

static void the_map_grows_under_a_reader(void **state)
{
    struct answers *a = answers_new();
    struct growing g = {open_at(path_of("store"), NULL, MIB / 8, 64 * MIB), a};
    const struct yr_store_view *view = yr_lmdb_view(g.db);
    size_t seen = 0, walks = 0;
    pthread_t thread;
    bool over = false;

    assert_int_equal(pthread_create(&thread, NULL, grow_main, &g), 0);
    while (!over) {
        struct yr_kv kv = {NULL, NULL, 0, 0};
        uint8_t key[8] = {0};
        size_t key_len = 1, count = 0;

        pthread_mutex_lock(&a->lock);
        over = a->count > 0; // then one last walk
        pthread_mutex_unlock(&a->lock);
        while (view->seek(view->ctx, YR_DB_MAIN, YR_SEEK_GT, key, key_len, &kv) == YR_OK) {
            assert_int_equal(kv.value_len, 60000);
            for (size_t i = 0; i < kv.value_len; i += 997)
                assert_int_equal(kv.value[i], count);
            memcpy(key, kv.key, kv.key_len);
            key_len = kv.key_len;
            count++;
        }
        assert_true(count >= seen);
        seen = count;
        walks++;
    }
    assert_int_equal(seen, GROW_ROWS);
    assert_true(walks > 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(yr_lmdb_map_size(g.db) >= 8 * MIB);
    yr_lmdb_close(g.db);
}

static void an_idle_reader_does_not_make_the_file_grow(void **state)
{
    static uint8_t value[8000];
    struct yr_lmdb *db = open_at(path_of("store"), NULL, MIB, 64 * MIB);
    struct stat st;

    assert_int_equal(put(db, "a", value, sizeof value), YR_OK);
    assert_true(has(db, "a"));
    for (int i = 0; i < 200; i++)
        assert_int_equal(put(db, "a", value, sizeof value), YR_OK);
    assert_int_equal(stat(path_of("store/data.mdb"), &st), 0);
    assert_true(st.st_size < (off_t)MIB / 2);
    yr_lmdb_close(db);
}

// ---- damage ----

static void a_file_that_is_no_store_is_damaged(void **state)
{
    uint8_t noise[20000];
    struct seeded s;
    int fd;

    assert_int_equal(try_open(path_of("store")), YR_OK);
    seeded_init(&s, 5);
    yr_random(&s.rng, noise, sizeof noise);
    fd = open(path_of("store/data.mdb"), O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, noise, sizeof noise), sizeof noise);
    close(fd);
    assert_int_equal(try_open(path_of("store")), YR_ECORRUPT);
    assert_int_equal(truncate(path_of("store/data.mdb"), 100), 0);
    assert_int_equal(try_open(path_of("store")), YR_ECORRUPT);
}

static void a_file_that_lost_its_end_is_an_error_and_no_crash(void **state)
{
    const struct yr_lmdb_opts opts = opts_of(NULL, MIB, 64 * MIB);
    static uint8_t value[3000], whole[4 * MIB];
    struct yr_lmdb *db = open_at(path_of("store"), NULL, MIB, 64 * MIB);
    struct yr_op ops[200];
    char keys[200][32];
    size_t errors = 0;
    ssize_t size;
    int fd;

    for (size_t i = 0; i < 200; i++) {
        snprintf(keys[i], sizeof keys[i], "%zu", i);
        ops[i] = op_of(keys[i], value, sizeof value);
    }
    for (size_t i = 0; i < 200; i += 10) { // in several commits, so that the tree is strewn about
        const struct yr_txn txn = txn_of(1, ops + i, 10);

        assert_int_equal(yr_lmdb_commit(db, &txn), YR_OK);
    }
    yr_lmdb_close(db);
    fd = open(path_of("store/data.mdb"), O_RDWR);
    size = read(fd, whole, sizeof whole);
    assert_true(size > 400000);
    for (off_t cut = 8192; cut < size; cut += 3 * 4096) {
        assert_int_equal(pwrite(fd, whole, (size_t)size, 0), size);
        assert_int_equal(ftruncate(fd, cut), 0);
        if (yr_lmdb_open(&db, path_of("store"), &opts) != YR_OK) {
            errors++;
            continue;
        }
        for (size_t i = 0; i < 200; i++) {
            const uint8_t *got;
            size_t len;

            errors += get(db, keys[i], &got, &len) == YR_ECORRUPT;
        }
        yr_lmdb_close(db);
    }
    close(fd);
    assert_true(errors > 10);
}

static void a_foreign_row_of_any_size_is_an_error_and_no_crash(void **state)
{
    uint8_t *large = calloc(1, YR_LMDB_VALUE_MAX + 1);
    struct yr_lmdb *db = open_at(path_of("store"), NULL, 8 * MIB, 64 * MIB);
    char key[501];
    const uint8_t *value;
    size_t len;

    assert_non_null(large);
    memset(key, 'k', sizeof key - 1);
    key[500] = '\0';
    assert_int_equal(put(db, "a", large, YR_LMDB_VALUE_MAX + 1), YR_OK);
    assert_int_equal(get(db, "a", &value, &len), YR_ECORRUPT);
    assert_int_equal(put(db, "a", "", 0), YR_OK);
    assert_int_equal(get(db, "a", &value, &len), YR_OK);
    assert_int_equal(len, 0);
    assert_int_equal(put(db, key, "long", 4), YR_OK);
    assert_true(has(db, key));
    yr_lmdb_close(db);
    free(large);
}

// ---- kill -9 ----

#define KILL_ROWS   8 /* of each transaction */
#define KILL_WINDOW 16

struct slot {
    struct yr_txn txn;
    struct yr_op ops[KILL_ROWS];
    char keys[KILL_ROWS][48];
    uint8_t value[3000];
};

static void ack_to_pipe(void *ctx, uint64_t token, enum yr_err err)
{
    struct answers *a = ctx;

    YR_ASSERT(err == YR_OK);
    YR_ASSERT(write(STDOUT_FILENO, &token, sizeof token) == sizeof token);
    pthread_mutex_lock(&a->lock);
    a->count++;
    pthread_cond_broadcast(&a->moved);
    pthread_mutex_unlock(&a->lock);
}

static size_t kill_len(uint64_t token, size_t row)
{
    return (size_t)(token * 7 + row * 131) % 3000;
}

// The child: commit transactions from `token` on, without end.
static void write_until_killed(const char *dir, uint64_t token)
{
    static struct slot slots[KILL_WINDOW];
    struct answers *a = answers_new();
    struct yr_lmdb_opts opts = opts_of(a, MIB / 4, 256 * MIB);
    const uint64_t first = token;
    struct yr_lmdb *db;

    opts.on_done = ack_to_pipe;
    opts.fault = NULL;
    YR_ASSERT(yr_lmdb_open(&db, dir, &opts) == YR_OK);
    for (;; token++) {
        struct slot *slot = &slots[token % KILL_WINDOW];

        pthread_mutex_lock(&a->lock);
        while (token - first - a->count >= KILL_WINDOW)
            pthread_cond_wait(&a->moved, &a->lock);
        pthread_mutex_unlock(&a->lock);
        memset(slot->value, (int)token, sizeof slot->value);
        for (size_t i = 0; i < KILL_ROWS; i++) {
            snprintf(slot->keys[i], sizeof slot->keys[i], "%zu/%08llu", i,
                     (unsigned long long)token);
            slot->ops[i] = op_of(slot->keys[i], slot->value, kill_len(token, i));
            slot->ops[i].db = i % 2 == 0 ? YR_DB_MAIN : YR_DB_SHRED;
        }
        slot->txn = txn_of(token, slot->ops, KILL_ROWS);
        YR_ASSERT(yr_lmdb_submit(db, &slot->txn) == YR_OK);
    }
}

// How many of a transaction's rows are there, each as it was written.
static size_t rows_there(struct yr_lmdb *db, uint64_t token)
{
    const struct yr_store_view *view = yr_lmdb_view(db);
    size_t there = 0;

    for (size_t i = 0; i < KILL_ROWS; i++) {
        const uint8_t *value;
        char key[48];
        size_t len;

        snprintf(key, sizeof key, "%zu/%08llu", i, (unsigned long long)token);
        if (view->get(view->ctx, i % 2 == 0 ? YR_DB_MAIN : YR_DB_SHRED, (const uint8_t *)key,
                      strlen(key), &value, &len) != YR_OK)
            continue;
        there++;
        assert_int_equal(len, kill_len(token, i));
        for (size_t k = 0; k < len; k++)
            assert_int_equal(value[k], token & 0xff);
    }
    return there;
}

// The last transaction that was acknowledged before the child died.
static uint64_t kill_after(const char *dir, uint64_t token, size_t acks)
{
    uint64_t last = token - 1, got;
    int ends[2], status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        write_until_killed(dir, token);
    }
    close(ends[1]);
    for (size_t i = 0; read(ends[0], &got, sizeof got) == sizeof got; i++) {
        assert_int_equal(got, last + 1);
        last = got;
        if (i == acks)
            assert_int_equal(kill(child, SIGKILL), 0);
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return last;
}

static void after_kill_9_every_acknowledged_transaction_is_there_and_each_is_whole(void **state)
{
    uint64_t next = 1;
    struct seeded s;

    seeded_init(&s, seeded_seed("kill -9", 1));
    for (int round = 0; round < 10; round++) {
        const uint64_t last = kill_after(path_of("store"), next, seeded_below(&s, 60));
        struct yr_lmdb *db = open_at(path_of("store"), NULL, MIB / 4, 256 * MIB);

        for (uint64_t token = 1; token <= last; token++)
            assert_int_equal(rows_there(db, token), KILL_ROWS);
        for (next = last + 1; rows_there(db, next) == KILL_ROWS; next++)
            assert_true(next <= last + 2 * KILL_WINDOW); // committed, and killed before the answer
        for (uint64_t token = next; token < next + 2 * KILL_WINDOW; token++)
            assert_int_equal(rows_there(db, token), 0);
        yr_lmdb_close(db);
    }
    assert_true(next > 100);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, remove_stores)
    const struct CMUnitTest tests[] = {
        T(a_new_store_is_for_its_owner_alone),
        T(a_folder_that_others_may_enter_is_refused),
        T(a_folder_whose_parent_hands_its_group_down_is_fine),
        T(a_folder_of_another_user_is_refused),
        T(what_is_no_folder_is_an_error),
        T(a_store_without_thread_commits_and_reads),
        T(what_waits_is_committed_together),
        T(after_a_failure_in_a_group_nothing_later_is_there),
        T(closing_commits_what_is_queued),
        T(each_error_of_the_system_has_its_name),
        T(an_environment_that_has_given_up_is_opened_again),
        T(a_full_map_refuses_and_is_usable_again_when_rows_go),
        T(a_map_that_must_grow_without_end_stops_at_its_maximum),
        T(a_full_disk_refuses_and_room_makes_it_go_on),
        T(a_file_at_its_size_limit_refuses_and_goes_on_above_it),
        T(the_map_grows_under_a_reader),
        T(an_idle_reader_does_not_make_the_file_grow),
        T(a_file_that_is_no_store_is_damaged),
        T(a_file_that_lost_its_end_is_an_error_and_no_crash),
        T(a_foreign_row_of_any_size_is_an_error_and_no_crash),
        T(after_kill_9_every_acknowledged_transaction_is_there_and_each_is_whole),
    };

    return cmocka_run_group_tests_name("lmdb store", tests, make_base, remove_base);
}
