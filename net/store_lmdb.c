#include "net/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/base.h"
#include "net/fail.h"

#define MIB ((size_t)1 << 20)

struct yr_lmdb {
    struct yr_store_view view;
    struct yr_lmdb_opts opts;
    char dir[PATH_MAX];

    pthread_mutex_t write; // one writer; also held while env or map are replaced
    MDB_env *env;          // NULL: closed after a failure, opened again by the next commit
    MDB_dbi dbis[YR_DB_COUNT];

    pthread_mutex_t read; // taken after `write`
    MDB_txn *reader;      // one for ever; between commits it holds a snapshot if `live`
    MDB_cursor *cursors[YR_DB_COUNT];
    bool live;
    uint8_t *lent;
    size_t lent_cap;
    struct yr_lmdb_snapshot *snapshot; // or NULL; under `read`, too

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_moved;
    const struct yr_txn *queue[YR_LMDB_QUEUE_MAX];
    size_t queued;
    bool closing, has_thread;
    pthread_t thread;
};

struct yr_lmdb_snapshot {
    struct yr_store_view view;
    struct yr_lmdb *db;
    MDB_txn *txn; // NULL: it was lost
    MDB_cursor *cursors[YR_DB_COUNT];
    uint8_t *lent;
    size_t lent_cap;
};

static const char *const db_names[YR_DB_COUNT] = {[YR_DB_MAIN] = "main", [YR_DB_SHRED] = "shred"};

static enum yr_err to_err(int rc)
{
    switch (rc) {
    case MDB_NOTFOUND: return YR_ENOENT;
    case MDB_MAP_FULL:
    case EFBIG: return YR_ENOSPC;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE: return YR_ECORRUPT;
    case MDB_VERSION_MISMATCH: return YR_EVERSION;
    case MDB_BAD_VALSIZE: return YR_EINVAL;
    default: return yr_errno_err(rc);
    }
}

struct yr_lmdb_opts yr_lmdb_opts_default(void)
{
    return (struct yr_lmdb_opts){
        .map_size = 64 * MIB,
        .map_size_max = SIZE_MAX / MIB > 65536 ? 65536 * MIB : 1024 * MIB,
    };
}

// ---- the environment ----

// LMDB reads through the map, and reading past the end of a file that lost its tail would be a
// SIGBUS; in zeroes it finds the damage by itself.
static int mend_length(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat_;
    struct stat st;
    off_t need;
    int fd, rc;

    if ((rc = mdb_env_info(env, &info)) != 0 || (rc = mdb_env_stat(env, &stat_)) != 0 ||
        (rc = mdb_env_get_fd(env, &fd)) != 0)
        return rc;
    if (info.me_last_pgno >= (size_t)INT64_MAX / stat_.ms_psize)
        return MDB_CORRUPTED;
    need = (off_t)((info.me_last_pgno + 1) * stat_.ms_psize);
    if (fstat(fd, &st) != 0)
        return errno;
    return st.st_size < need && ftruncate(fd, need) != 0 ? MDB_CORRUPTED : 0;
}

static int open_dbs(struct yr_lmdb *db, MDB_txn *txn, unsigned flags)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < YR_DB_COUNT; i++)
        rc = mdb_dbi_open(txn, db_names[i], flags, &db->dbis[i]);
    return rc;
}

// The two maps, made if the store is new.
static int open_or_make_dbs(struct yr_lmdb *db)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return rc;
    if ((rc = open_dbs(db, txn, 0)) == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    if (rc != MDB_NOTFOUND || (rc = mdb_txn_begin(db->env, NULL, 0, &txn)) != 0)
        return rc;
    if ((rc = open_dbs(db, txn, MDB_CREATE)) == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

static int open_reader(struct yr_lmdb *db)
{
    int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->reader);

    for (size_t i = 0; rc == 0 && i < YR_DB_COUNT; i++)
        rc = mdb_cursor_open(db->reader, db->dbis[i], &db->cursors[i]);
    if (rc == 0)
        mdb_txn_reset(db->reader);
    db->live = false;
    return rc;
}

// The map is about to move, or the environment to go.
static void lose_snapshot(struct yr_lmdb *db)
{
    struct yr_lmdb_snapshot *s = db->snapshot;

    if (s == NULL || s->txn == NULL)
        return;
    for (size_t i = 0; i < YR_DB_COUNT; i++)
        if (s->cursors[i] != NULL)
            mdb_cursor_close(s->cursors[i]);
    mdb_txn_abort(s->txn);
    s->txn = NULL;
}

static void close_env(struct yr_lmdb *db)
{
    if (db->env == NULL)
        return;
    lose_snapshot(db);
    for (size_t i = 0; i < YR_DB_COUNT; i++) {
        if (db->cursors[i] != NULL)
            mdb_cursor_close(db->cursors[i]);
        db->cursors[i] = NULL;
    }
    mdb_txn_abort(db->reader);
    db->reader = NULL;
    mdb_env_close(db->env);
    db->env = NULL;
}

static int open_env(struct yr_lmdb *db, size_t map_size)
{
    int rc = mdb_env_create(&db->env), stale;

    if (rc != 0) {
        db->env = NULL;
        return rc;
    }
    // MDB_NOTLS: the writer may end the snapshot of the thread that reads.
    if ((rc = mdb_env_set_mapsize(db->env, map_size)) != 0 ||
        (rc = mdb_env_set_maxdbs(db->env, YR_DB_COUNT)) != 0 ||
        (rc = mdb_env_set_maxreaders(db->env, 8)) != 0 ||
        (rc = mdb_env_open(db->env, db->dir, MDB_NOTLS, 0600)) != 0 ||
        (rc = mend_length(db->env)) != 0 || (rc = mdb_reader_check(db->env, &stale)) != 0 ||
        (rc = open_or_make_dbs(db)) != 0 || (rc = open_reader(db)) != 0)
        close_env(db);
    return rc;
}

static size_t map_size_of(MDB_env *env)
{
    MDB_envinfo info;

    return mdb_env_info(env, &info) == 0 ? info.me_mapsize : 0;
}

// ---- reading ----

static void end_snapshot(struct yr_lmdb *db)
{
    if (db->live)
        mdb_txn_reset(db->reader);
    db->live = false;
}

static int begin_snapshot(struct yr_lmdb *db)
{
    int rc = 0;

    if (db->env == NULL)
        return EIO;
    if (db->live)
        return 0;
    if ((rc = mdb_txn_renew(db->reader)) != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < YR_DB_COUNT; i++)
        rc = mdb_cursor_renew(db->reader, db->cursors[i]);
    db->live = true;
    if (rc != 0)
        end_snapshot(db);
    return rc;
}

static int lend(uint8_t **buf, size_t *buf_cap, const MDB_val *key, const MDB_val *value)
{
    const size_t size = key->mv_size + value->mv_size;

    if (size > YR_LMDB_VALUE_MAX)
        return MDB_CORRUPTED;
    if (size > *buf_cap) {
        const size_t cap = YR_MAX(size, (size_t)4096);
        uint8_t *lent = realloc(*buf, cap);

        if (lent == NULL)
            return ENOMEM;
        *buf = lent;
        *buf_cap = cap;
    }
    if (key->mv_size > 0)
        memcpy(*buf, key->mv_data, key->mv_size);
    if (value->mv_size > 0)
        memcpy(*buf + key->mv_size, value->mv_data, value->mv_size);
    return 0;
}

static MDB_val val_of(const uint8_t *bytes, size_t len)
{
    return (MDB_val){len, (void *)(uintptr_t)bytes}; // LMDB does not write through it
}

static enum yr_err view_get(void *ctx, enum yr_db which, const uint8_t *key, size_t key_len,
                            const uint8_t **value, size_t *value_len)
{
    struct yr_lmdb *db = ctx;
    MDB_val k = val_of(key, key_len), v;
    const MDB_val no_key = {0, NULL};
    int rc;

    YR_ASSERT((unsigned)which < YR_DB_COUNT);
    pthread_mutex_lock(&db->read);
    if ((rc = begin_snapshot(db)) == 0 &&
        (rc = mdb_get(db->reader, db->dbis[which], &k, &v)) == 0 &&
        (rc = lend(&db->lent, &db->lent_cap, &no_key, &v)) == 0) {
        *value = db->lent;
        *value_len = v.mv_size;
    }
    pthread_mutex_unlock(&db->read);
    return to_err(rc);
}

static int cursor_seek(MDB_cursor *cursor, enum yr_seek how, const MDB_val *bound, MDB_val *k,
                       MDB_val *v)
{
    bool equal;
    int rc;

    *k = *bound;
    rc = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE); // the first >= bound
    equal = rc == 0 && k->mv_size == bound->mv_size &&
            memcmp(k->mv_data, bound->mv_data, k->mv_size) == 0;
    if (rc != 0 && rc != MDB_NOTFOUND)
        return rc;
    switch (how) {
    case YR_SEEK_GE: return rc;
    case YR_SEEK_GT: return equal ? mdb_cursor_get(cursor, k, v, MDB_NEXT) : rc;
    case YR_SEEK_LE:
    case YR_SEEK_LT:
        if (equal && how == YR_SEEK_LE)
            return 0;
        return mdb_cursor_get(cursor, k, v, rc == 0 ? MDB_PREV : MDB_LAST);
    }
    return EINVAL;
}

static enum yr_err view_seek(void *ctx, enum yr_db which, enum yr_seek how, const uint8_t *key,
                             size_t key_len, struct yr_kv *out)
{
    struct yr_lmdb *db = ctx;
    const MDB_val bound = val_of(key, key_len);
    MDB_val k, v;
    int rc;

    YR_ASSERT((unsigned)which < YR_DB_COUNT);
    pthread_mutex_lock(&db->read);
    if ((rc = begin_snapshot(db)) == 0 &&
        (rc = cursor_seek(db->cursors[which], how, &bound, &k, &v)) == 0 &&
        (rc = lend(&db->lent, &db->lent_cap, &k, &v)) == 0)
        *out = (struct yr_kv){db->lent, db->lent + k.mv_size, k.mv_size, v.mv_size};
    pthread_mutex_unlock(&db->read);
    return to_err(rc);
}

// ---- a commit that stays ----

static enum yr_err still_get(void *ctx, enum yr_db which, const uint8_t *key, size_t key_len,
                             const uint8_t **value, size_t *value_len)
{
    struct yr_lmdb_snapshot *s = ctx;
    MDB_val k = val_of(key, key_len), v;
    const MDB_val no_key = {0, NULL};
    enum yr_err err = YR_EAGAIN;
    int rc;

    YR_ASSERT((unsigned)which < YR_DB_COUNT);
    pthread_mutex_lock(&s->db->read);
    if (s->txn != NULL) {
        if ((rc = mdb_get(s->txn, s->db->dbis[which], &k, &v)) == 0 &&
            (rc = lend(&s->lent, &s->lent_cap, &no_key, &v)) == 0) {
            *value = s->lent;
            *value_len = v.mv_size;
        }
        err = to_err(rc);
    }
    pthread_mutex_unlock(&s->db->read);
    return err;
}

static enum yr_err still_seek(void *ctx, enum yr_db which, enum yr_seek how, const uint8_t *key,
                              size_t key_len, struct yr_kv *out)
{
    struct yr_lmdb_snapshot *s = ctx;
    const MDB_val bound = val_of(key, key_len);
    enum yr_err err = YR_EAGAIN;
    MDB_val k, v;
    int rc;

    YR_ASSERT((unsigned)which < YR_DB_COUNT);
    pthread_mutex_lock(&s->db->read);
    if (s->txn != NULL) {
        if ((rc = cursor_seek(s->cursors[which], how, &bound, &k, &v)) == 0 &&
            (rc = lend(&s->lent, &s->lent_cap, &k, &v)) == 0)
            *out = (struct yr_kv){s->lent, s->lent + k.mv_size, k.mv_size, v.mv_size};
        err = to_err(rc);
    }
    pthread_mutex_unlock(&s->db->read);
    return err;
}

enum yr_err yr_lmdb_snapshot(struct yr_lmdb *db, struct yr_lmdb_snapshot **out)
{
    struct yr_lmdb_snapshot *s = calloc(1, sizeof *s);
    int rc = EIO;

    if (s == NULL)
        return YR_ENOMEM;
    s->view = (struct yr_store_view){s, still_get, still_seek};
    s->db = db;
    pthread_mutex_lock(&db->read);
    YR_ASSERT(db->snapshot == NULL);
    if (db->env != NULL && (rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &s->txn)) != 0)
        s->txn = NULL;
    db->snapshot = s;
    for (size_t i = 0; rc == 0 && i < YR_DB_COUNT; i++)
        rc = mdb_cursor_open(s->txn, db->dbis[i], &s->cursors[i]);
    pthread_mutex_unlock(&db->read);
    if (rc != 0) {
        yr_lmdb_snapshot_close(s);
        return to_err(rc);
    }
    *out = s;
    return YR_OK;
}

const struct yr_store_view *yr_lmdb_snapshot_view(const struct yr_lmdb_snapshot *snapshot)
{
    return &snapshot->view;
}

void yr_lmdb_snapshot_close(struct yr_lmdb_snapshot *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->db->read);
    lose_snapshot(s->db);
    s->db->snapshot = NULL;
    pthread_mutex_unlock(&s->db->read);
    free(s->lent);
    free(s);
}

const struct yr_store_view *yr_lmdb_view(struct yr_lmdb *db)
{
    return &db->view;
}

size_t yr_lmdb_map_size(struct yr_lmdb *db)
{
    size_t size;

    pthread_mutex_lock(&db->read);
    size = db->env != NULL ? map_size_of(db->env) : 0;
    pthread_mutex_unlock(&db->read);
    return size;
}

void yr_lmdb_trim(struct yr_lmdb *db)
{
    char line[PATH_MAX + 128], real[PATH_MAX], want[PATH_MAX + 16];
    FILE *maps;

    pthread_mutex_lock(&db->read);
    maps = realpath(db->dir, real) != NULL ? fopen("/proc/self/maps", "re") : NULL;
    snprintf(want, sizeof want, " %s/data.mdb\n", real);
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        const size_t len = strlen(line), tail = strlen(want);
        uintptr_t from, to;
        // The map is shared and never written through, so its pages are those of the file.
        if (len > tail && strcmp(line + len - tail, want) == 0 &&
            sscanf(line, "%" SCNxPTR "-%" SCNxPTR " r--s", &from, &to) == 2 && from < to)
            (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
    if (maps != NULL)
        fclose(maps);
    pthread_mutex_unlock(&db->read);
}

// ---- writing ----

// Operations come in key order, so a cursor is mostly on the right page already.
static int write_ops(struct yr_lmdb *db, MDB_txn *txn, const struct yr_txn *from)
{
    MDB_cursor *cursors[YR_DB_COUNT]; // end with the transaction
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < YR_DB_COUNT; i++)
        rc = mdb_cursor_open(txn, db->dbis[i], &cursors[i]);
    for (size_t i = 0; rc == 0 && i < from->op_count; i++) {
        const struct yr_op *op = &from->ops[i];
        MDB_val k = val_of(op->key, op->key_len), v = val_of(op->value, op->value_len);

        YR_ASSERT((unsigned)op->db < YR_DB_COUNT);
        if (op->value != NULL) {
            rc = mdb_cursor_put(cursors[op->db], &k, &v, 0);
        } else {
            rc = mdb_cursor_get(cursors[op->db], &k, NULL, MDB_SET);
            if (rc == 0)
                rc = mdb_cursor_del(cursors[op->db], 0);
            else if (rc == MDB_NOTFOUND)
                rc = 0;
        }
    }
    return rc;
}

// All of them in one LMDB transaction, or none.
static int try_commit(struct yr_lmdb *db, const struct yr_txn *const *txns, size_t count)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(db->env, NULL, 0, &txn);

    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = write_ops(db, txn, txns[i]);
    if (rc == 0 && db->opts.fault != NULL)
        rc = db->opts.fault(db->opts.ctx);
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

// Close the environment and open it again, at `map_size`: the way out of whatever it is stuck in.
static int reopen(struct yr_lmdb *db, size_t map_size)
{
    int rc;

    pthread_mutex_lock(&db->read);
    close_env(db);
    rc = open_env(db, map_size);
    pthread_mutex_unlock(&db->read);
    return rc;
}

static int grow(struct yr_lmdb *db)
{
    const size_t now = map_size_of(db->env);
    const size_t wanted = now > db->opts.map_size_max / 2 ? db->opts.map_size_max : now * 2;
    int rc;

    if (wanted <= now)
        return MDB_MAP_FULL;
    pthread_mutex_lock(&db->read);
    end_snapshot(db);
    lose_snapshot(db);
    rc = mdb_env_set_mapsize(db->env, wanted);
    pthread_mutex_unlock(&db->read);
    if (rc != 0) // no address space, and the old map may be gone with it
        (void)reopen(db, now);
    return rc;
}

// LMDB calls a write cut short by a full disk EIO.
static bool disk_is_full(const char *dir)
{
    struct statvfs fs;

    return statvfs(dir, &fs) == 0 && fs.f_bavail < 16;
}

static enum yr_err commit(struct yr_lmdb *db, const struct yr_txn *const *txns, size_t count)
{
    bool reopened = false;
    int rc = 0;

    pthread_mutex_lock(&db->write);
    if (db->env == NULL) {
        reopened = true;
        rc = reopen(db, db->opts.map_size);
    }
    while (rc == 0) {
        rc = try_commit(db, txns, count);
        if (rc == MDB_MAP_FULL) {
            rc = grow(db);
        } else if (rc == MDB_PANIC &&
                   !reopened) { // a commit before this one failed at its last step
            reopened = true;
            rc = reopen(db, map_size_of(db->env));
        } else {
            break;
        }
    }
    if (rc == EIO && disk_is_full(db->dir))
        rc = ENOSPC;
    if (rc == 0) {
        pthread_mutex_lock(&db->read);
        end_snapshot(db); // a snapshot left open would keep LMDB from using its pages again
        pthread_mutex_unlock(&db->read);
    }
    pthread_mutex_unlock(&db->write);
    return to_err(rc);
}

enum yr_err yr_lmdb_commit(struct yr_lmdb *db, const struct yr_txn *txn)
{
    return commit(db, &txn, 1);
}

// ---- the writer thread ----

// Everything that waits; how many.  Waits itself unless told not to; 0: nothing, or closing.
static size_t take_queue(struct yr_lmdb *db, const struct yr_txn *out[YR_LMDB_QUEUE_MAX], bool wait)
{
    size_t count;

    pthread_mutex_lock(&db->queue_lock);
    while (wait && db->queued == 0 && !db->closing)
        pthread_cond_wait(&db->queue_moved, &db->queue_lock);
    count = db->queued;
    if (count > 0)
        memcpy(out, db->queue, count * sizeof out[0]);
    db->queued = 0;
    pthread_mutex_unlock(&db->queue_lock);
    return count;
}

static void answer(struct yr_lmdb *db, const struct yr_txn *const *txns, size_t count,
                   enum yr_err err)
{
    for (size_t i = 0; i < count; i++)
        db->opts.on_done(db->opts.ctx, txns[i]->token, err);
}

static void commit_batch(struct yr_lmdb *db, const struct yr_txn *batch[YR_LMDB_QUEUE_MAX],
                         size_t count)
{
    const struct yr_txn *late[YR_LMDB_QUEUE_MAX];
    enum yr_err err = commit(db, batch, count);
    size_t done = 0, late_count = 0;

    if (err != YR_OK && count > 1) { // which of them is it?
        for (err = YR_OK; err == YR_OK && done < count;) {
            err = commit(db, &batch[done], 1);
            if (err == YR_OK)
                answer(db, &batch[done++], 1, YR_OK);
        }
    }
    if (err != YR_OK) // handed in by one who does not know of the failure, and before he does
        late_count = take_queue(db, late, false);
    answer(db, batch + done, count - done, err);
    answer(db, late, late_count, err);
}

static void *writer_main(void *arg)
{
    const struct yr_txn *batch[YR_LMDB_QUEUE_MAX];
    struct yr_lmdb *db = arg;
    size_t count;

    while ((count = take_queue(db, batch, true)) > 0)
        commit_batch(db, batch, count);
    return NULL;
}

enum yr_err yr_lmdb_submit(struct yr_lmdb *db, const struct yr_txn *txn)
{
    enum yr_err err = YR_EFULL;

    YR_ASSERT(db->has_thread);
    pthread_mutex_lock(&db->queue_lock);
    if (db->queued < YR_LMDB_QUEUE_MAX) {
        db->queue[db->queued++] = txn;
        pthread_cond_signal(&db->queue_moved);
        err = YR_OK;
    }
    pthread_mutex_unlock(&db->queue_lock);
    return err;
}

// Signals are for the loop's thread.
static int start_thread(struct yr_lmdb *db)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&db->thread, NULL, writer_main, db);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    db->has_thread = rc == 0;
    return rc;
}

// ---- opening and closing ----

static enum yr_err sync_dir(const char *dir)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;

    if (fd < 0)
        return yr_errno_err(errno);
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        rc = errno;
    close(fd);
    return yr_errno_err(rc);
}

static enum yr_err check_dir(const char *dir)
{
    struct stat st;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return yr_errno_err(errno);
    if (stat(dir, &st) != 0)
        return yr_errno_err(errno);
    if (!S_ISDIR(st.st_mode))
        return YR_EINVAL;
    // Set-group-id comes from the parent and opens the folder to nobody.
    return st.st_uid == geteuid() && (st.st_mode & 07777 & ~(mode_t)S_ISGID) == 0700 ? YR_OK
                                                                                     : YR_EDENIED;
}

// LMDB syncs its file, but not the names that lead to it.
static enum yr_err sync_names(const char *dir)
{
    char parent[PATH_MAX + 4];
    enum yr_err err = sync_dir(dir);

    snprintf(parent, sizeof parent, "%s/..", dir);
    return err == YR_OK ? sync_dir(parent) : err;
}

enum yr_err yr_lmdb_open(struct yr_lmdb **out, const char *dir, const struct yr_lmdb_opts *opts)
{
    struct yr_lmdb *db;
    enum yr_err err;

    if (strlen(dir) >= sizeof db->dir)
        return YR_EINVAL;
    if ((err = check_dir(dir)) != YR_OK)
        return err;
    if ((db = calloc(1, sizeof *db)) == NULL)
        return YR_ENOMEM;
    db->view = (struct yr_store_view){db, view_get, view_seek};
    db->opts = *opts;
    snprintf(db->dir, sizeof db->dir, "%s", dir);
    pthread_mutex_init(&db->write, NULL);
    pthread_mutex_init(&db->read, NULL);
    pthread_mutex_init(&db->queue_lock, NULL);
    pthread_cond_init(&db->queue_moved, NULL);

    err = to_err(open_env(db, opts->map_size));
    if (err == YR_OK)
        err = sync_names(dir);
    if (err == YR_OK && opts->on_done != NULL)
        err = yr_errno_err(start_thread(db));
    if (err != YR_OK) {
        yr_lmdb_close(db);
        return err;
    }
    *out = db;
    return YR_OK;
}

void yr_lmdb_close(struct yr_lmdb *db)
{
    if (db == NULL)
        return;
    if (db->has_thread) {
        pthread_mutex_lock(&db->queue_lock);
        db->closing = true;
        pthread_cond_signal(&db->queue_moved);
        pthread_mutex_unlock(&db->queue_lock);
        pthread_join(db->thread, NULL);
    }
    close_env(db);
    pthread_mutex_destroy(&db->write);
    pthread_mutex_destroy(&db->read);
    pthread_mutex_destroy(&db->queue_lock);
    pthread_cond_destroy(&db->queue_moved);
    free(db->lent);
    free(db);
}
