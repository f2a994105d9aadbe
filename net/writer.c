#include "net/writer.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/base.h"
#include "net/keyfile.h"
#include "net/store_lmdb.h"

#define SLOTS_MAX   8 /* slots that wait: the node asks for one at a time */
#define REFUSED_MAX 8 /* what could not even be begun, to be answered */

struct answer {
    uint64_t token;
    enum yr_err err;
};

struct slot_write {
    uint64_t token;
    unsigned slot;
    uint8_t bytes[YR_SHRED_SLOT_LEN];
};

struct yr_writer {
    struct yr_writer_opts opts;
    struct yr_lmdb *db;
    uv_async_t async; // the writer thread has answers
    uv_mutex_t mutex; // guards answers and their count
    struct answer answers[YR_LMDB_QUEUE_MAX];
    size_t answer_count, at_store; // at_store: submitted, and not answered on the loop
    struct answer refused[REFUSED_MAX];
    size_t refused_count;
    uint64_t commits;

    uv_work_t work;
    struct slot_write slots[SLOTS_MAX]; // the first is being written
    size_t slot_count;
    enum yr_err slot_err;

    bool async_made, mutex_made;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

// ---- transactions ----

/** On the writer thread. */
static void on_done(void *ctx, uint64_t token, enum yr_err err)
{
    struct yr_writer *writer = ctx;

    uv_mutex_lock(&writer->mutex);
    YR_ASSERT(writer->answer_count < YR_LMDB_QUEUE_MAX); // no more are at the store
    writer->answers[writer->answer_count++] = (struct answer){token, err};
    uv_mutex_unlock(&writer->mutex);
    uv_async_send(&writer->async);
}

static void on_async(uv_async_t *async)
{
    struct yr_writer *writer = async->data;
    struct answer answers[YR_LMDB_QUEUE_MAX + REFUSED_MAX];
    size_t count;

    uv_mutex_lock(&writer->mutex);
    count = writer->answer_count;
    memcpy(answers, writer->answers, count * sizeof *answers);
    writer->answer_count = 0;
    uv_mutex_unlock(&writer->mutex);
    writer->at_store -= count;
    writer->commits += count;
    memcpy(answers + count, writer->refused, writer->refused_count * sizeof *answers);
    count += writer->refused_count;
    writer->refused_count = 0;
    for (size_t i = 0; i < count; i++)
        writer->opts.on_answer(writer->opts.ctx, answers[i].token, answers[i].err);
    if (count > 0)
        writer->opts.on_answers(writer->opts.ctx);
}

/** What cannot even be begun is answered like what was tried, and as late: the node may ask again
 *  at once. */
static void refuse(struct yr_writer *writer, uint64_t token, enum yr_err err)
{
    YR_ASSERT(writer->refused_count < REFUSED_MAX); // the node waits for each answer
    writer->refused[writer->refused_count++] = (struct answer){token, err};
    uv_async_send(&writer->async);
}

void yr_writer_store(struct yr_writer *writer, const struct yr_txn *txn)
{
    enum yr_err err = YR_EFULL;

    if (writer->at_store < YR_LMDB_QUEUE_MAX)
        err = yr_lmdb_submit(writer->db, txn);
    if (err == YR_OK)
        writer->at_store++;
    else
        refuse(writer, txn->token, err);
}

// ---- slots of the key file ----

/** On a worker thread; slots[0] does not change until on_written. */
static void write_slot(uv_work_t *work)
{
    struct yr_writer *writer = work->data;
    const struct slot_write *write = &writer->slots[0];

    writer->slot_err = yr_keyfile_write_slot(writer->opts.shred_path, write->slot, write->bytes);
}

static void on_written(uv_work_t *work, int status);

static void start(struct yr_writer *writer)
{
    writer->work.data = writer;
    if (uv_queue_work(writer->opts.loop, &writer->work, write_slot, on_written) != 0)
        YR_ASSERT(false); // fails only without a function to call
}

static void on_written(uv_work_t *work, int status)
{
    struct yr_writer *writer = work->data;
    const uint64_t token = writer->slots[0].token;
    const enum yr_err err = status == 0 ? writer->slot_err : YR_EIO;

    writer->slot_count--;
    memmove(writer->slots, writer->slots + 1, writer->slot_count * sizeof *writer->slots);
    if (writer->slot_count > 0)
        start(writer);
    writer->opts.on_answer(writer->opts.ctx, token, err);
    writer->opts.on_answers(writer->opts.ctx);
}

void yr_writer_keyfile(struct yr_writer *writer, uint64_t token, unsigned slot,
                       const uint8_t bytes[YR_SHRED_SLOT_LEN])
{
    struct slot_write *write = &writer->slots[writer->slot_count];

    if (writer->slot_count == SLOTS_MAX) {
        refuse(writer, token, YR_EFULL);
        return;
    }
    write->token = token;
    write->slot = slot;
    memcpy(write->bytes, bytes, sizeof write->bytes);
    if (writer->slot_count++ == 0)
        start(writer);
}

// ---- what is ----

const struct yr_store_view *yr_writer_view(struct yr_writer *writer)
{
    return yr_lmdb_view(writer->db);
}

void yr_writer_trim(struct yr_writer *writer)
{
    yr_lmdb_trim(writer->db);
}

enum yr_err yr_writer_snapshot(struct yr_writer *writer, struct yr_lmdb_snapshot **out)
{
    return yr_lmdb_snapshot(writer->db, out);
}

bool yr_writer_is_empty(struct yr_writer *writer)
{
    const struct yr_store_view *view = yr_writer_view(writer);
    static const uint8_t lowest[1] = {0};
    struct yr_kv kv;

    for (unsigned db = 0; db < YR_DB_COUNT; db++)
        if (view->seek(view->ctx, (enum yr_db)db, YR_SEEK_GE, lowest, sizeof lowest, &kv) !=
            YR_ENOENT)
            return false;
    return true;
}

bool yr_writer_busy(const struct yr_writer *writer)
{
    return writer->at_store > 0 || writer->refused_count > 0 || writer->slot_count > 0;
}

uint64_t yr_writer_commits(const struct yr_writer *writer)
{
    return writer->commits;
}

// ---- opening and closing ----

enum yr_err yr_writer_open(struct yr_writer **out, const struct yr_writer_opts *opts,
                           struct yr_net_fail *fail)
{
    struct yr_lmdb_opts db = yr_lmdb_opts_default();
    struct yr_writer *writer = calloc(1, sizeof *writer);
    enum yr_err err = YR_ENOMEM;

    if (writer == NULL)
        return yr_net_fail(fail, err, 0, "no memory for the store");
    writer->opts = *opts;
    writer->opts.store_dir = NULL; // was borrowed for this call
    writer->mutex_made = uv_mutex_init(&writer->mutex) == 0;
    writer->async_made =
        writer->mutex_made && uv_async_init(opts->loop, &writer->async, on_async) == 0;
    if (writer->async_made) {
        writer->async.data = writer;
        db.on_done = on_done;
        db.ctx = writer;
        err = yr_lmdb_open(&writer->db, opts->store_dir, &db);
    }
    if (err == YR_OK) {
        *out = writer;
        return YR_OK;
    }
    yr_writer_close(writer, NULL, NULL);
    return yr_net_fail(fail, err, 0, "cannot open the store %s: %s", opts->store_dir,
                       yr_strerror(err));
}

static void finish(struct yr_writer *writer)
{
    void (*on_closed)(void *) = writer->on_closed;
    void *ctx = writer->closed_ctx;

    if (writer->mutex_made)
        uv_mutex_destroy(&writer->mutex);
    free(writer);
    if (on_closed != NULL)
        on_closed(ctx);
}

static void on_async_closed(uv_handle_t *handle)
{
    finish(handle->data);
}

void yr_writer_close(struct yr_writer *writer, void (*on_closed)(void *ctx), void *ctx)
{
    if (writer == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    YR_ASSERT(writer->slot_count == 0);
    writer->on_closed = on_closed;
    writer->closed_ctx = ctx;
    yr_lmdb_close(writer->db); // its thread ends here: no answers after this
    if (writer->async_made)
        uv_close((uv_handle_t *)&writer->async, on_async_closed);
    else
        finish(writer);
}
