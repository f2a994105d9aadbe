#include "core/room/log.h"

#include "core/chat/hlc.h"
#include "core/room/log_state.h"

#define DIGEST_STEP 256 // chains hashed at once: they fit the scratch row

/* ---- life ---- */

static enum yr_err make(struct yr_room_log **out, struct yr_mem *mem, struct yr_rows *rows,
                        const uint8_t room_id[YR_ROOM_ID_LEN], const struct yr_room_log_ops *ops)
{
    struct yr_room_log *log = yr_alloc(mem, YR_MEM_ROOM, sizeof *log);

    if (log == NULL)
        return YR_ENOMEM;
    log->mem = mem;
    log->rows = rows;
    log->ops = *ops;
    memcpy(log->id, room_id, YR_ROOM_ID_LEN);
    yr_log_hold_init(log);
    *out = log;
    return YR_OK;
}

void yr_room_log_free(struct yr_room_log *log)
{
    if (log == NULL)
        return;
    yr_log_hold_clear(log);
    yr_log_tables_clear(log);
    yr_authority_free(log->authority);
    yr_free(log->mem, log->create);
    yr_free(log->mem, log);
}

enum yr_err yr_log_set_create(struct yr_room_log *log, const uint8_t *bytes, size_t len)
{
    struct yr_room_record record;

    if ((log->create = yr_alloc(log->mem, YR_MEM_ROOM, len)) == NULL)
        return YR_ENOMEM;
    memcpy(log->create, bytes, len);
    log->create_len = len;
    // The caller has done both before.
    YR_ASSERT(yr_room_record_decode(&record, log->create, len) == YR_OK);
    YR_ASSERT(yr_room_body_decode(&log->create_body, record.class, record.body, record.body_len) ==
              YR_OK);
    return yr_authority_new(&log->authority, log->mem, record.id, record.author,
                            log->create_body.invite_min);
}

// No row of an earlier log may be left, or the new one would take it for its own.
static enum yr_err check_fresh(struct yr_rows *rows, const uint8_t room_id[YR_ROOM_ID_LEN])
{
    struct yr_row at = {.suffix_len = 0};
    const enum yr_err err =
        yr_rows_seek(rows, YR_TABLE_ROOM_LOG, room_id, YR_ROOM_ID_LEN, YR_SEEK_GE, &at, NULL, 0);

    return err == YR_OK ? YR_EEXIST : err == YR_ENOENT ? YR_OK : err;
}

enum yr_err yr_room_log_new(struct yr_room_log **out, struct yr_mem *mem, struct yr_rows *rows,
                            struct yr_now now, const uint8_t *create, size_t len,
                            const struct yr_room_log_ops *ops)
{
    struct yr_room_record record;
    struct yr_room_body body;
    struct yr_log_item item = {&record, &body, len, YR_ROOM_OWN, true};
    struct yr_room_log *log;
    enum yr_err err;

    if (yr_room_record_decode(&record, create, len) != YR_OK || !record.create ||
        yr_room_body_decode(&body, record.class, record.body, record.body_len) != YR_OK ||
        yr_room_record_verify(&record, body.sign_pk) != YR_OK)
        return YR_EPROTO;
    if ((err = check_fresh(rows, record.room_id)) != YR_OK ||
        (err = make(&log, mem, rows, record.room_id, ops)) != YR_OK)
        return err;
    *out = log; // whoever is told of the CREATE may look
    if ((err = yr_log_set_create(log, create, len)) == YR_OK &&
        (err = yr_log_accept_create(log, now, &item)) == YR_OK)
        err = yr_room_log_flush(log);
    if (err != YR_OK) {
        yr_room_log_free(log);
        *out = NULL;
    }
    return err;
}

enum yr_err yr_room_log_load(struct yr_room_log **out, struct yr_mem *mem, struct yr_rows *rows,
                             const uint8_t room_id[YR_ROOM_ID_LEN],
                             const struct yr_room_log_ops *ops)
{
    struct yr_room_log *log;
    enum yr_err err = make(&log, mem, rows, room_id, ops);

    if (err != YR_OK)
        return err;
    if ((err = yr_log_load_all(log)) == YR_OK)
        *out = log;
    else
        yr_room_log_free(log);
    return err;
}

/* ---- putting ---- */

// What can be said of a record without its author; true: all is said.
static bool check_form(struct yr_room_log *log, const uint8_t *bytes, size_t len,
                       struct yr_room_record *record, struct yr_room_body *body, bool *forged)
{
    const enum yr_err err = yr_room_record_decode(record, bytes, len);
    enum yr_log_counter counter;

    if (err == YR_EVERSION)
        counter = YR_LOGGED_UNKNOWN;
    else if (err != YR_OK)
        counter = YR_LOGGED_FORM;
    else if (memcmp(record->room_id, log->id, YR_ROOM_ID_LEN) != 0)
        counter = YR_LOGGED_FOREIGN;
    else if (!record->known)
        counter = YR_LOGGED_UNKNOWN;
    else if (yr_room_body_decode(body, record->class, record->body, record->body_len) != YR_OK)
        counter = YR_LOGGED_FORM;
    else if (!body->known && record->class != YR_CLASS_MESSAGE)
        counter = YR_LOGGED_UNKNOWN; // operations change what is valid; and state is never pruned
    else
        return true;
    log->counters[counter]++;
    *forged = counter != YR_LOGGED_UNKNOWN; // a later version may pass those on
    return false;
}

enum yr_err yr_room_log_put(struct yr_room_log *log, struct yr_now now, const uint8_t *bytes,
                            size_t len, unsigned slot, enum yr_put *what, bool *forged)
{
    struct yr_room_record record;
    struct yr_room_body body;
    const struct yr_log_item item = {&record, &body, len, slot, false};
    struct yr_log_spot spot;
    bool here = false, any = false;
    enum yr_err err;

    *what = YR_PUT_REFUSED;
    *forged = false;
    if (!check_form(log, bytes, len, &record, &body, forged))
        return YR_OK;
    if ((err = yr_log_find_all(log, record.id, &here, &spot)) != YR_OK)
        return err;
    if (here || yr_log_held(log, record.id) != NULL) {
        log->counters[YR_LOGGED_KNOWN]++;
        *what = here ? YR_PUT_KNOWN : YR_PUT_HELD;
        return YR_OK;
    }
    if ((err = yr_log_consider(log, now, &item, what, forged)) == YR_OK)
        err = yr_log_drain(log, now, &any);
    // It may have made ready what it waited for itself.
    if (err == YR_OK && any && *what == YR_PUT_HELD &&
        (err = yr_log_find_all(log, record.id, &here, &spot)) == YR_OK && here)
        *what = YR_PUT_NEW;
    return err;
}

enum yr_err yr_room_log_tick(struct yr_room_log *log, struct yr_now now)
{
    bool any;

    yr_log_hold_tick(log, now);
    return yr_log_drain(log, now, &any);
}

yr_us yr_room_log_deadline(const struct yr_room_log *log)
{
    return yr_log_hold_deadline(log);
}

/* ---- writing ---- */

static bool is_dep(const struct yr_room_record *r, const uint8_t id[YR_REC_ID_LEN])
{
    for (size_t i = 0; i < r->dep_count; i++)
        if (memcmp(r->deps[i], id, YR_REC_ID_LEN) == 0)
            return true;
    return false;
}

// What comes before us in our own chain is cited by that.
static void cite(struct yr_room_record *r, const uint8_t id[YR_REC_ID_LEN], size_t max)
{
    if (r->dep_count < max && memcmp(id, r->prev, YR_REC_ID_LEN) != 0 && !is_dep(r, id))
        memcpy(r->deps[r->dep_count++], id, YR_REC_ID_LEN);
}

// Up to `max` operations nobody cites.  One of them has our own ADD among its ancestors, so that
// whoever has all a record stands on knows its author.
static void cite_control(struct yr_room_log *log, struct yr_room_record *r, size_t max)
{
    uint8_t heads[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN], add[YR_REC_ID_LEN];
    const size_t count = yr_authority_heads(log->authority, heads);
    bool known = r->seq > 1 || !yr_authority_adder(log->authority, r->author, add);

    for (size_t i = 0; i < count && !known; i++)
        if (memcmp(heads[i], add, sizeof add) == 0 ||
            yr_authority_is_ancestor(log->authority, add, heads[i])) {
            cite(r, heads[i], max);
            known = true;
        }
    if (!known)
        cite(r, add, max);
    for (size_t i = 0; i < count; i++)
        cite(r, heads[i], max);
}

static void cite_messages(const struct yr_room_log *log, struct yr_room_record *r)
{
    const size_t max = YR_MIN(r->dep_count + YR_ROOM_CITED_MAX, (size_t)YR_ROOM_DEPS_MAX);
    bool used[YR_ROOM_HEADS_MAX] = {false};

    while (r->dep_count < max) {
        size_t best = log->head_count;

        for (size_t i = 0; i < log->head_count; i++)
            if (!used[i] && (best == log->head_count || log->heads[i].eff > log->heads[best].eff))
                best = i;
        if (best == log->head_count)
            return;
        used[best] = true;
        cite(r, log->heads[best].id, max);
    }
}

// Past every state record of ours that counts, whatever clock made it.
static uint64_t past_states(const struct yr_room_log *log, const uint8_t self[YR_MID_LEN],
                            uint64_t hlc)
{
    for (size_t i = 0; i < log->chain_count; i++) {
        const struct yr_log_chain *chain = log->chains[i];

        if (chain->key.class == YR_CLASS_STATE && chain->seq >= hlc &&
            memcmp(chain->key.mid, self, YR_MID_LEN) == 0)
            hlc = chain->seq < UINT64_MAX ? chain->seq + 1 : UINT64_MAX;
    }
    return hlc;
}

void yr_room_log_prepare(struct yr_room_log *log, struct yr_now now, enum yr_room_class class,
                         const uint8_t self[YR_MID_LEN], const uint8_t incarnation[8],
                         bool all_control, struct yr_room_record *out)
{
    struct yr_chain_key key;
    const struct yr_log_chain *chain;

    memset(out, 0, sizeof *out);
    out->class = (uint8_t) class;
    out->known = true;
    memcpy(out->room_id, log->id, YR_ROOM_ID_LEN);
    memcpy(out->author, self, YR_MID_LEN);
    memcpy(out->incarnation, incarnation, sizeof out->incarnation);
    out->hlc = yr_hlc_next(log->hlc, now.wall_ms);
    out->seq = 1;
    if (class == YR_CLASS_STATE) {
        out->hlc = past_states(log, self, out->hlc);
        return;
    }
    yr_log_key(&key, out, 0);
    if ((chain = yr_log_chain(log, &key)) != NULL) {
        out->seq = chain->seq + 1;
        memcpy(out->prev, chain->head, YR_REC_ID_LEN);
    }
    cite_control(log, out,
                 class == YR_CLASS_CONTROL || all_control ? YR_ROOM_DEPS_MAX : YR_ROOM_CITED_MAX);
    if (class == YR_CLASS_MESSAGE)
        cite_messages(log, out);
}

bool yr_room_log_fast(const struct yr_room_log *log, struct yr_now now,
                      const uint8_t self[YR_MID_LEN], enum yr_room_class class)
{
    const struct yr_log_author *author = yr_log_author(log, self);
    struct yr_log_bucket bucket;
    uint64_t hlc = yr_hlc_next(log->hlc, now.wall_ms);
    yr_us wait_us;

    if (author == NULL)
        return false;
    if (class == YR_CLASS_STATE)
        hlc = (uint64_t)YR_MAX(now.wall_ms, 0) << 16;
    bucket = author->buckets[class - 1];
    return !yr_log_bucket_take(&bucket, hlc, now, &wait_us);
}

/* ---- reading ---- */

const uint8_t *yr_room_log_id(const struct yr_room_log *log)
{
    return log->id;
}

struct yr_authority *yr_room_log_authority(struct yr_room_log *log)
{
    return log->authority;
}

const struct yr_room_body *yr_room_log_create(const struct yr_room_log *log)
{
    return &log->create_body;
}

bool yr_room_log_has(struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN])
{
    struct yr_log_spot spot;
    bool here = false;

    return yr_log_find_all(log, id, &here, &spot) == YR_OK && here;
}

uint64_t yr_room_log_end(const struct yr_room_log *log)
{
    return log->end;
}

static void fill_info(struct yr_chain_info *out, const struct yr_log_chain *chain)
{
    out->key = chain->key;
    out->seq = chain->seq;
    memcpy(out->digest, chain->digest, sizeof out->digest);
}

bool yr_room_log_chain(const struct yr_room_log *log, size_t i, struct yr_chain_info *out)
{
    if (i >= log->chain_count)
        return false;
    fill_info(out, log->chains_by_key[i]);
    return true;
}

bool yr_room_log_chain_find(const struct yr_room_log *log, const struct yr_chain_key *key,
                            struct yr_chain_info *out)
{
    const struct yr_log_chain *chain = yr_log_chain(log, key);

    if (chain != NULL)
        fill_info(out, chain);
    return chain != NULL;
}

static void write_chain(struct yr_wr *wr, const struct yr_log_chain *chain)
{
    yr_wr_bytes(wr, chain->key.mid, YR_MID_LEN);
    yr_wr_u8(wr, chain->key.class);
    yr_wr_bytes(wr, chain->key.incarnation, sizeof chain->key.incarnation);
    yr_wr_u64(wr, chain->seq);
    yr_wr_bytes(wr, chain->digest, sizeof chain->digest);
}

// H(so far || the next chains), a few hundred at a time.
void yr_room_log_digest(struct yr_room_log *log, uint8_t out[32])
{
    struct yr_wr wr;

    if (!log->digested) {
        memset(log->digest, 0, sizeof log->digest);
        for (size_t i = 0; i < log->chain_count;) {
            wr = yr_wr_init(log->row, sizeof log->row);
            for (size_t end = i + DIGEST_STEP; i < end && i < log->chain_count; i++)
                write_chain(&wr, log->chains_by_key[i]);
            YR_ASSERT(yr_wr_ok(&wr));
            yr_hash2(log->digest, log->digest, sizeof log->digest, log->row, yr_wr_len(&wr));
        }
        log->digested = true;
    }
    memcpy(out, log->digest, sizeof log->digest);
}

bool yr_room_log_keys(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                      const uint8_t **sign_pk, const uint8_t **seal_pk)
{
    const struct yr_log_author *author = yr_log_author(log, mid);

    if (author == NULL)
        return false;
    if (sign_pk != NULL)
        *sign_pk = author->sign_pk;
    if (seal_pk != NULL)
        *seal_pk = author->seal_pk;
    return true;
}

bool yr_room_log_forked(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN])
{
    const struct yr_log_author *author = yr_log_author(log, mid);

    return author != NULL && author->forked;
}

uint64_t yr_room_log_fork(const struct yr_room_log *log, const struct yr_chain_key *key)
{
    const struct yr_log_chain *chain = yr_log_chain(log, key);

    return chain != NULL ? chain->fork : 0;
}

bool yr_room_log_fork_due(struct yr_room_log *log, struct yr_chain_key *key, uint64_t *fork,
                          uint64_t *known)
{
    for (size_t i = 0; i < log->chain_count && log->fork_due; i++) {
        const struct yr_log_chain *chain = log->chains[i];

        if (chain->key.class != YR_CLASS_MESSAGE || chain->fork == chain->fork_done)
            continue;
        *key = chain->key;
        *fork = chain->fork;
        *known = chain->fork_done;
        return true;
    }
    log->fork_due = false;
    return false;
}

void yr_room_log_fork_done(struct yr_room_log *log, const struct yr_chain_key *key, uint64_t fork)
{
    struct yr_log_chain *chain = yr_log_chain(log, key);

    if (chain == NULL)
        return;
    chain->fork_done = fork;
    yr_log_touch_chain(log, chain);
}

struct yr_counter yr_room_log_counter(const struct yr_room_log *log, size_t i)
{
    static const char *const names[] = {
#define X(NAME, text) text,
        YR_ROOM_LOG_COUNTER_MAP(X)
#undef X
    };

    return i < YR_COUNT(names) ? (struct yr_counter){names[i], log->counters[i]}
                               : (struct yr_counter){NULL, 0};
}
