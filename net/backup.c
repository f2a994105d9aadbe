/* net/backup.c: backups of a host's node, and profiles made of them.
 *
 *     backup    [worker] snapshot -> FILE.XXXXXX -> synced -> read back, compared -> FILE
 *     restore   data_dir/restore.new: a profile of its own -> opened once more -> renamed
 *               restore.ready -> its files take their places, vault.key last -> gone
 *
 * A restore.ready that is there when a host opens has been interrupted, and goes on: it is whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/alarm.h"
#include "net/backup_file.h"
#include "net/dir.h"
#include "net/host_state.h"
#include "net/keyfile.h"
#include "net/mem.h"
#include "net/random.h"
#include "net/store_lmdb.h"
#include "net/writer.h"

#define TRIES    5
#define TICKET   1
#define BATCH    ((size_t)1 << 18) // bytes of records between two commits
#define SYNC_DIR (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* ---- files ---- */

static void sync_parent(const char *path)
{
    char dir[PATH_MAX + 1];
    char *slash;
    int fd;

    snprintf(dir, sizeof dir, "%s", path);
    slash = strrchr(dir, '/');
    if (slash == NULL)
        strcpy(dir, ".");
    else
        slash[slash == dir ? 1 : 0] = '\0';
    if ((fd = open(dir, SYNC_DIR)) < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

static enum yr_err open_file(const char *path, int *fd, struct yr_net_fail *fail)
{
    struct stat st;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe must not hang us
    if (*fd < 0)
        return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot open %s", path);
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
        return YR_OK;
    close(*fd);
    *fd = -1;
    return yr_net_fail(fail, YR_EPROTO, 0, "%s is not a file", path);
}

/* ---- making one ---- */

struct yr_backup_job {
    struct yr_host *host;
    struct yr_writer *writer;
    char path[PATH_MAX], part[PATH_MAX], shred_path[PATH_MAX];
    char *passphrase; // locked, as is vk
    size_t passphrase_len;
    uint8_t *vk;
    yr_ms now_ms;
    atomic_bool cancelled;
    yr_backup_done done;
    void *ctx;

    struct yr_net_fail fail;
    struct yr_backup_info info;
    uint64_t bytes;
};

static void free_job(struct yr_backup_job *job)
{
    yr_locked_free(job->passphrase);
    yr_locked_free(job->vk);
    free(job);
}

static enum yr_err copy_records(struct yr_backup_job *job, struct yr_backup *from,
                                struct yr_backup_out *out, uint8_t *record)
{
    enum yr_err err;
    size_t len;

    while ((err = yr_backup_next(from, record, &len)) == YR_OK) {
        if (atomic_load(&job->cancelled))
            return yr_net_fail(&job->fail, YR_EAGAIN, 0, "the node is closing");
        if ((err = yr_backup_out_put(out, record, len, &job->fail)) != YR_OK)
            return err;
    }
    if (err == YR_ENOENT)
        return YR_OK;
    return yr_net_fail(&job->fail, err, 0, "cannot read the store: %s", yr_strerror(err));
}

// The store as it is now, into a file.
static enum yr_err write_snapshot(struct yr_backup_job *job, struct yr_backup_out *out,
                                  uint8_t *record)
{
    struct yr_lmdb_snapshot *snapshot = NULL;
    uint8_t shred[YR_SHRED_FILE_LEN];
    struct yr_backup *from = NULL;
    struct yr_mem mem;
    enum yr_err err = yr_writer_snapshot(job->writer, &snapshot);

    yr_mem_init(&mem);
    if (err == YR_OK)
        err = yr_keyfile_read_shred(job->shred_path, shred);
    if (err == YR_OK)
        err = yr_backup_new(&from, &mem, yr_rng_system(), yr_lmdb_snapshot_view(snapshot), job->vk,
                            shred, job->now_ms);
    if (err != YR_OK)
        yr_net_fail(&job->fail, err, 0, "cannot read the store: %s", yr_strerror(err));
    else
        err = copy_records(job, from, out, record);
    yr_backup_free(from);
    yr_lmdb_snapshot_close(snapshot);
    explicit_bzero(shred, sizeof shred);
    return err;
}

// The map moved, or the erasable key was changed between the two looks: all over again.
static bool again(enum yr_err err)
{
    return err == YR_EAGAIN || err == YR_EAUTH || err == YR_ECORRUPT;
}

static enum yr_err write_file(struct yr_backup_job *job, int fd, struct yr_backup_out *out,
                              uint8_t *record)
{
    enum yr_err err = YR_EAGAIN;

    for (int i = 0; i < TRIES && again(err) && !atomic_load(&job->cancelled); i++) {
        if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
            return yr_net_fail(&job->fail, yr_errno_err(errno), errno, "cannot write %s",
                               job->part);
        err = yr_backup_out_begin(out, fd, job->passphrase, job->passphrase_len, &job->fail);
        if (err == YR_OK)
            err = write_snapshot(job, out, record);
    }
    return err == YR_OK ? yr_backup_out_end(out, &job->fail) : err;
}

// What is on disk, under this passphrase, is what was written.
static enum yr_err verify(struct yr_backup_job *job, const uint8_t hash[32], uint8_t *record)
{
    struct yr_backup_in *in = yr_locked_alloc(sizeof *in);
    enum yr_err err = YR_ENOMEM;
    int fd = -1;
    size_t len;

    if (in == NULL)
        return yr_net_fail(&job->fail, err, 0, "no memory to read the backup back");
    if ((err = open_file(job->part, &fd, &job->fail)) == YR_OK)
        err = yr_backup_in_begin(in, fd, job->passphrase, job->passphrase_len, &job->fail);
    while (err == YR_OK && !atomic_load(&job->cancelled))
        err = yr_backup_in_next(in, record, &len, &job->fail);
    if (err == YR_OK) {
        err = yr_net_fail(&job->fail, YR_EAGAIN, 0, "the node is closing");
    } else if (err == YR_ENOENT) {
        err = YR_OK;
        job->info = in->info;
        job->bytes = in->bytes;
        if (memcmp(in->hash, hash, 32) != 0)
            err = yr_net_fail(&job->fail, YR_EIO, 0, "what was written cannot be read back");
    }
    if (fd >= 0)
        close(fd);
    yr_locked_free(in);
    return err;
}

static enum yr_err name_it(struct yr_backup_job *job)
{
    if (link(job->part, job->path) == 0) {
        sync_parent(job->path);
        return YR_OK;
    }
    // Where there are no links, at least whoever was first stays.
    if (errno != EEXIST && access(job->path, F_OK) != 0 && rename(job->part, job->path) == 0) {
        sync_parent(job->path);
        return YR_OK;
    }
    return yr_net_fail(&job->fail, yr_errno_err(errno), errno, "cannot make %s", job->path);
}

static enum yr_err make(struct yr_backup_job *job)
{
    struct yr_backup_out *out = yr_locked_alloc(sizeof *out);
    uint8_t *record = yr_locked_alloc(YR_BACKUP_RECORD_MAX);
    enum yr_err err = YR_ENOMEM;
    int fd = -1;

    if (out == NULL || record == NULL) {
        yr_net_fail(&job->fail, err, 0, "no memory for a backup");
        goto out;
    }
    if (access(job->path, F_OK) == 0) { // it would be refused at the end, too
        err = yr_net_fail(&job->fail, YR_EEXIST, 0, "%s is there already", job->path);
        goto out;
    }
    fd = mkstemp(job->part);
    if (fd < 0) {
        err = yr_net_fail(&job->fail, yr_errno_err(errno), errno, "cannot make %s", job->path);
        goto out;
    }
    if ((err = write_file(job, fd, out, record)) == YR_OK &&
        (err = verify(job, out->hash, record)) == YR_OK)
        err = name_it(job);
    close(fd);
    (void)unlink(job->part);
out:
    yr_locked_free(out);
    yr_locked_free(record);
    job->fail.err = err;
    return err;
}

static void run_backup(uv_work_t *work)
{
    (void)make(((struct yr_host *)work->data)->backup);
}

static void on_made(uv_work_t *work, int status)
{
    struct yr_host *host = work->data;
    struct yr_backup_job *job = host->backup;

    (void)status; // never cancelled
    host->stats.wakeups++;
    host->backup = NULL;
    job->done(job->ctx, job->fail.err, &job->info, job->bytes, job->fail.text);
    free_job(job);
    yr_host_go_on(host);
}

void yr_backup_cancel(struct yr_host *host)
{
    if (host->backup != NULL)
        atomic_store(&host->backup->cancelled, true);
}

enum yr_err yr_host_backup(struct yr_host *host, const char *path, const char *passphrase,
                           size_t passphrase_len, yr_backup_done done, void *ctx)
{
    struct yr_backup_job *job;
    enum yr_err err = yr_host_ready(host);

    if (err != YR_OK)
        return err;
    if (host->backup != NULL)
        return YR_EAGAIN;
    if (passphrase_len == 0 || passphrase_len > YR_PASSPHRASE_MAX ||
        strlen(path) + sizeof ".XXXXXX" > sizeof job->path)
        return YR_ESIZE;
    if ((job = calloc(1, sizeof *job)) == NULL)
        return YR_ENOMEM;
    job->host = host;
    job->writer = host->writer;
    job->done = done;
    job->ctx = ctx;
    job->now_ms = yr_clock_now().wall_ms;
    strcpy(job->path, path); // fits, just checked
    snprintf(job->part, sizeof job->part, "%.*s.XXXXXX", (int)(sizeof job->part - 8), path);
    strcpy(job->shred_path, host->shred_path);
    job->passphrase = yr_locked_alloc(passphrase_len);
    job->passphrase_len = passphrase_len;
    job->vk = yr_locked_alloc(32);
    err = job->passphrase != NULL && job->vk != NULL ? YR_OK : YR_ENOMEM;
    if (err == YR_OK) {
        memcpy(job->passphrase, passphrase, passphrase_len);
        err = yr_node_vault_key(host->node, job->vk);
    }
    if (err != YR_OK) {
        free_job(job);
        return err;
    }
    host->backup = job;
    host->backup_work.data = host;
    if (uv_queue_work(host->opts.loop, &host->backup_work, run_backup, on_made) != 0)
        YR_ASSERT(false); // fails only without a function to call
    return YR_OK;
}

/* ---- reading one ---- */

// Where a file is read from.
struct source {
    struct yr_backup_in *in;
    uint8_t *record;
    int fd;
};

static void close_source(struct source *s)
{
    if (s->fd >= 0)
        close(s->fd);
    yr_locked_free(s->in);
    yr_locked_free(s->record);
    memset(s, 0, sizeof *s);
    s->fd = -1;
}

static enum yr_err open_source(struct source *s, const struct yr_restore_opts *opts,
                               struct yr_net_fail *fail)
{
    enum yr_err err = YR_ENOMEM;

    *s = (struct source){.fd = -1};
    s->in = yr_locked_alloc(sizeof *s->in);
    s->record = yr_locked_alloc(YR_BACKUP_RECORD_MAX);
    if (s->in == NULL || s->record == NULL)
        yr_net_fail(fail, err, 0, "no memory to read a backup");
    else if ((err = open_file(opts->file, &s->fd, fail)) == YR_OK)
        err = yr_backup_in_begin(s->in, s->fd, opts->passphrase, opts->passphrase_len, fail);
    if (err != YR_OK)
        close_source(s);
    return err;
}

enum yr_err yr_host_backup_check(const struct yr_restore_opts *opts, struct yr_backup_info *info,
                                 uint64_t *bytes, char *why, size_t why_cap)
{
    struct yr_net_fail fail = {0};
    struct source s;
    enum yr_err err = open_source(&s, opts, &fail);
    size_t len;

    while (err == YR_OK)
        err = yr_backup_in_next(s.in, s.record, &len, &fail);
    if (err == YR_ENOENT && s.in != NULL) {
        err = YR_OK;
        *info = s.in->info;
        *bytes = s.in->bytes;
    } else if (why_cap > 0) {
        snprintf(why, why_cap, "%s", fail.text);
    }
    close_source(&s);
    return err;
}

/* ---- a profile of one ---- */

struct paths {
    char fresh[PATH_MAX], ready[PATH_MAX]; // directories beside the profile's files
};

// Takes away what a profile's directory holds, and, if asked, the directory.
static void clear_dir(const char *dir, bool itself)
{
    static const char *const files[] = {"vault.key",      "vault.key.new",  "shred.key",
                                        "shred.key.new",  "port",           "port.new",
                                        "store/data.mdb", "store/lock.mdb", "store"};
    char path[PATH_MAX + 32];

    for (size_t i = 0; i < YR_COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        if (unlink(path) != 0)
            (void)rmdir(path);
    }
    if (itself)
        (void)rmdir(dir);
}

static bool exists(const char *dir, const char *name)
{
    char path[PATH_MAX + 32];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static enum yr_err move_file(const char *from_dir, const char *to_dir, const char *name,
                             struct yr_net_fail *fail)
{
    char from[PATH_MAX + 32], to[PATH_MAX + 32];

    snprintf(from, sizeof from, "%s/%s", from_dir, name);
    snprintf(to, sizeof to, "%s/%s", to_dir, name);
    if (rename(from, to) != 0 && errno != ENOENT) // else it was moved before
        return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot move %s to %s", from, to);
    sync_parent(to);
    return YR_OK;
}

static enum yr_err make_paths(struct paths *p, const char *data_dir, struct yr_net_fail *fail)
{
    if (strlen(data_dir) + sizeof "/restore.ready/store/data.mdb" > PATH_MAX)
        return yr_net_fail(fail, YR_EINVAL, 0, "the path of the data directory is too long");
    snprintf(p->fresh, sizeof p->fresh, "%s/restore.new", data_dir);
    snprintf(p->ready, sizeof p->ready, "%s/restore.ready", data_dir);
    return YR_OK;
}

enum yr_err yr_restore_go_on(const char *data_dir, struct yr_net_fail *fail)
{
    struct paths p;
    enum yr_err err = make_paths(&p, data_dir, fail);
    char store[PATH_MAX + 32];

    if (err != YR_OK || access(p.ready, F_OK) != 0)
        return err;
    if (exists(p.ready, "store")) { // what is in its place belongs to nobody: see may_replace
        static const char *const files[] = {"data.mdb", "lock.mdb", ""};
        for (size_t i = 0; i < YR_COUNT(files); i++) {
            snprintf(store, sizeof store, "%s/store/%s", data_dir, files[i]);
            if (unlink(store) != 0)
                (void)rmdir(store);
        }
    }
    if ((err = move_file(p.ready, data_dir, "store", fail)) != YR_OK ||
        (err = move_file(p.ready, data_dir, "shred.key", fail)) != YR_OK ||
        (err = move_file(p.ready, data_dir, "vault.key", fail)) != YR_OK)
        return err;
    clear_dir(p.ready, true);
    return YR_OK;
}

// One run of a host on a directory: it looks at it, or fills it.
struct maker {
    struct yr_host *host;
    struct source *source; // NULL: only look
    const uint8_t *id;     // the identity that is to be there; NULL: none
    bool asked, over, ended;
    uv_idle_t idle;
    struct yr_net_fail fail;
};

static void end(struct maker *m, enum yr_err err, const char *text)
{
    if (m->over)
        return;
    m->over = true;
    if (err != YR_OK)
        yr_net_fail(&m->fail, err, 0, "%s", text);
    if (!uv_is_closing((uv_handle_t *)&m->idle))
        uv_close((uv_handle_t *)&m->idle, NULL);
    yr_host_close(m->host, NULL, NULL);
    m->host = NULL;
}

// Some more records, when those before are on disk.
static void feed(uv_idle_t *idle)
{
    struct maker *m = idle->data;
    struct yr_node *node = yr_host_node(m->host);
    size_t fed = 0, len;
    enum yr_err err = YR_OK;

    if (yr_writer_busy(m->host->writer) || m->ended) {
        usleep(200); // the writer is another thread
        return;
    }
    while (fed < BATCH && err == YR_OK && !m->ended) {
        err = yr_backup_in_next(m->source->in, m->source->record, &len, &m->fail);
        if (err != YR_OK)
            break;
        err = yr_node_restore(node, yr_clock_now(), m->source->record, len, TICKET);
        if (err != YR_OK)
            yr_net_fail(&m->fail, err, 0, "cannot restore: %s", yr_strerror(err));
        m->ended = m->source->in->info.ended;
        fed += len;
    }
    if (err == YR_OK && m->ended && // nothing may follow
        (err = yr_backup_in_next(m->source->in, m->source->record, &len, &m->fail)) == YR_ENOENT)
        err = YR_OK;
    if (err != YR_OK) {
        char text[sizeof m->fail.text];
        snprintf(text, sizeof text, "%s", m->fail.text);
        end(m, err, text);
        return;
    }
    yr_host_drain(m->host);
}

static void on_event(void *ctx, const struct yr_event *event)
{
    struct maker *m = ctx;

    if (event->kind == YR_EV_DONE && event->ticket == TICKET)
        end(m, event->err, yr_strerror(event->err));
}

static void look(struct maker *m)
{
    struct yr_self self;

    if (m->asked || m->over)
        return;
    m->asked = true;
    yr_node_self(yr_host_node(m->host), &self);
    if (m->source != NULL) {
        (void)uv_idle_start(&m->idle, feed);
        return;
    }
    if (m->id == NULL)
        end(m, self.has_identity ? YR_EEXIST : YR_OK, "there is an identity already");
    else if (!self.has_identity || memcmp(self.id, m->id, YR_ID_LEN) != 0)
        end(m, YR_ECORRUPT, "what was restored cannot be opened");
    else
        end(m, YR_OK, "");
}

static void on_state(void *ctx, enum yr_host_state state, enum yr_err err)
{
    struct maker *m = ctx;

    if (state == YR_HOST_OPEN)
        look(m);
    else if (err != YR_OK && m->host != NULL)
        end(m, err, yr_host_error(m->host));
}

static enum yr_err run(struct maker *m, const char *dir, const char *passphrase,
                       size_t passphrase_len, bool small_hash)
{
    struct yr_host_opts opts = yr_host_opts_default();
    uv_loop_t loop;
    enum yr_err err;

    if (uv_loop_init(&loop) != 0)
        return yr_net_fail(&m->fail, YR_ENOMEM, 0, "no memory for a loop");
    (void)uv_idle_init(&loop, &m->idle);
    m->idle.data = m;
    opts.loop = &loop;
    opts.data_dir = dir;
    opts.offline = true;
    opts.lan = false;
    opts.make_vault = m->source != NULL;
    opts.small_hash = small_hash;
    opts.passphrase = passphrase;
    opts.passphrase_len = passphrase_len;
    opts.on_event = on_event;
    opts.on_state = on_state;
    opts.ctx = m;
    err = yr_host_open(&m->host, &opts);
    if (err != YR_OK)
        end(m, err, m->host != NULL ? yr_host_error(m->host) : yr_strerror(err));
    else if (m->host != NULL && yr_host_state(m->host) == YR_HOST_LOCKED && !m->over)
        end(m, YR_EEXIST, "a vault with a passphrase is there already");
    uv_run(&loop, UV_RUN_DEFAULT); // until everything is closed
    YR_ASSERT(uv_loop_close(&loop) == 0);
    return m->fail.err;
}

// A vault may be there that has no identity; all that it holds are peers and a node key.
static enum yr_err may_replace(const char *data_dir, struct yr_net_fail *fail)
{
    struct maker m = {0};
    enum yr_err err;

    if (!exists(data_dir, "vault.key")) {
        if (exists(data_dir, "shred.key"))
            return yr_net_fail(fail, YR_EEXIST, 0, "%s holds a store without its vault.key",
                               data_dir);
        return YR_OK;
    }
    err = run(&m, data_dir, NULL, 0, false);
    *fail = m.fail;
    return err;
}

static enum yr_err fill(const struct paths *p, const struct yr_restore_opts *opts,
                        struct source *source, struct yr_backup_info *info,
                        struct yr_net_fail *fail)
{
    struct maker made = {.source = source}, looked = {.id = source->in->info.id};
    enum yr_err err;

    clear_dir(p->fresh, true);
    err =
        run(&made, p->fresh, opts->vault_passphrase, opts->vault_passphrase_len, opts->small_hash);
    *fail = made.fail;
    if (err != YR_OK)
        return err;
    *info = source->in->info;
    // It opens, rows and all, before it is anybody's.
    err = run(&looked, p->fresh, opts->vault_passphrase, opts->vault_passphrase_len,
              opts->small_hash);
    *fail = looked.fail;
    return err;
}

enum yr_err yr_host_restore(const char *data_dir, const struct yr_restore_opts *opts,
                            struct yr_backup_info *info, uint64_t *bytes, char *why, size_t why_cap)
{
    struct yr_net_fail fail = {0};
    struct source source = {.fd = -1};
    struct paths p;
    enum yr_err err;

    if ((err = make_paths(&p, data_dir, &fail)) == YR_OK &&
        (err = yr_dir_private(data_dir, &fail)) == YR_OK &&
        (err = yr_restore_go_on(data_dir, &fail)) == YR_OK &&
        (err = may_replace(data_dir, &fail)) == YR_OK &&
        (err = open_source(&source, opts, &fail)) == YR_OK &&
        (err = fill(&p, opts, &source, info, &fail)) == YR_OK) {
        *bytes = source.in->bytes;
        if (rename(p.fresh, p.ready) != 0)
            err = yr_net_fail(&fail, yr_errno_err(errno), errno, "cannot rename %s", p.fresh);
        else
            sync_parent(p.ready);
        if (err == YR_OK) // from here on it is done, by whoever comes next
            err = yr_restore_go_on(data_dir, &fail);
    }
    close_source(&source);
    clear_dir(p.fresh, true);
    if (err != YR_OK && why_cap > 0)
        snprintf(why, why_cap, "%s", fail.text);
    return err;
}
