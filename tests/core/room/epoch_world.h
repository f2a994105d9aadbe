/* tests/core/room/epoch_world.h: seven people in a room, each with a store, an authority and epochs
 * of his own; records reach whom the test wants.  What happens can be written down for the model.
 */
#ifndef EPOCH_WORLD_H
#define EPOCH_WORLD_H

#include <stdio.h>

#include "core/crypto/identity.h"
#include "core/room/epoch_state.h"
#include "tests/support/rowbox.h"
#include "tests/support/test.h"

#define PEOPLE  7
#define RECORDS 640
#define LINE    (1 << 15)
#define T0      ((yr_ms)1700000000000)

/* ---- people, each with a store of his own ---- */

struct person {
    uint8_t sign_pk[32], sign_sk[64];
    struct yr_keypair rx[3]; /* newest first */
    size_t rx_count;
    uint8_t mid[YR_MID_LEN];
    struct rowbox box;
    struct yr_authority *authority;
    struct yr_epochs *epochs;
    bool knows[RECORDS], read[RECORDS], waits[RECORDS];
    uint64_t seq[4];
    uint8_t prev[4][YR_REC_ID_LEN];
};

struct held {
    uint8_t *bytes; /* heap */
    size_t len;
    struct yr_room_record record; /* lent from bytes */
    struct yr_room_body body;
    size_t author;
    int prev;    /* -1: none */
    size_t text; /* of a CONTENT: what it says */
    char epoch[2 * YR_EPOCH_ID_LEN + 1];
};

struct world {
    struct person p[PEOPLE];
    struct held r[RECORDS];
    size_t count;
    const struct yr_add_keys *false_keys; /* what the next ADD says instead */
    uint8_t room_id[YR_ROOM_ID_LEN], create[YR_REC_ID_LEN];
    unsigned hist_days, invite_min;
    yr_ms now;
    struct seeded rnd;
    FILE *trace; /* NULL: nobody compares */
    bool comma;
    char *out, *at; /* what the model should say, too */
};

static inline const char *hex8(const uint8_t *id)
{
    static char ring[16][17];
    static unsigned next;
    char *out = ring[next++ % 16];

    for (size_t i = 0; i < 8; i++)
        sprintf(out + 2 * i, "%02x", id[i]);
    return out;
}

static inline void person_make(struct person *p, struct seeded *rnd)
{
    uint8_t seed[32];
    struct yr_identity identity;

    yr_random(&rnd->rng, seed, sizeof seed);
    yr_identity_from(&identity, seed, seed, 1, 0);
    memcpy(p->sign_pk, identity.id, 32);
    memcpy(p->sign_sk, identity.sign_sk, 64);
    yr_identity_clear(&identity);
    yr_random(&rnd->rng, seed, sizeof seed);
    yr_keypair_from_seed(&p->rx[0], seed);
    p->rx_count = 1;
}

static inline void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    seeded_init(&w->rnd, seed);
    w->out = w->at = calloc(1, LINE);
    assert_non_null(w->out);
    for (size_t i = 0; i < PEOPLE; i++) {
        person_make(&w->p[i], &w->rnd);
        rowbox_open(&w->p[i].box, seed + i);
    }
}

static inline void epochs_open(struct world *w, struct person *p)
{
    assert_int_equal(yr_epochs_new(&p->epochs, &p->box.mem.mem, p->box.rows, &p->box.rng.rng,
                                   p->authority, w->room_id, p->mid, w->hist_days),
                     YR_OK);
}

static inline void room_free(struct world *w)
{
    bool more = true;

    for (size_t i = 0; i < PEOPLE; i++) {
        struct person *p = &w->p[i];

        yr_epochs_free(p->epochs);
        yr_authority_free(p->authority);
        p->epochs = NULL;
        p->authority = NULL;
        for (more = w->count > 0; more;)
            assert_int_equal(yr_epochs_erase(p->box.rows, w->room_id, 50, &more), YR_OK);
        if (p->box.mem.mem.used[YR_MEM_STORE] > 1u << 20)
            rowbox_settle(&p->box);
    }
    for (size_t i = 0; i < w->count; i++)
        free(w->r[i].bytes);
    w->count = 0;
}

static inline void world_end(struct world *w)
{
    room_free(w);
    for (size_t i = 0; i < PEOPLE; i++) {
        rowbox_settle(&w->p[i].box);
        assert_int_equal(yr_memstore_count(w->p[i].box.store, YR_DB_SHRED), 0);
        rowbox_close(&w->p[i].box);
    }
    free(w->out);
}

/* ---- records ---- */

static inline void say(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void say(struct world *w, const char *format, ...)
{
    va_list args;

    if (w->trace == NULL)
        return;
    if (w->comma)
        fputc(',', w->trace);
    w->comma = true;
    va_start(args, format);
    vfprintf(w->trace, format, args);
    va_end(args);
}

static inline void tell(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void tell(struct world *w, const char *format, ...)
{
    va_list args;

    if (w->trace == NULL)
        return;
    if (w->at > w->out)
        *w->at++ = ' ';
    va_start(args, format);
    w->at += vsprintf(w->at, format, args);
    va_end(args);
    assert_true(w->at < w->out + LINE - 512);
}

static inline struct held *find(struct world *w, const uint8_t id[YR_REC_ID_LEN])
{
    for (size_t i = 0; i < w->count; i++)
        if (memcmp(w->r[i].record.id, id, YR_REC_ID_LEN) == 0)
            return &w->r[i];
    return NULL;
}

static inline void draft(struct world *w, struct person *p, uint8_t class,
                         struct yr_room_record *out)
{
    memset(out, 0, sizeof *out);
    out->class = class;
    memcpy(out->room_id, w->room_id, sizeof out->room_id);
    memcpy(out->author, p->mid, sizeof out->author);
    out->seq = p->seq[class] + 1;
    memcpy(out->prev, p->prev[class], sizeof out->prev);
    out->hlc = (uint64_t)w->now << 16;
}

static inline struct held *publish(struct world *w, struct person *p,
                                   const struct yr_room_record *record)
{
    struct held *h = &w->r[w->count];
    uint8_t buf[YR_ROOM_RECORD_MAX];
    struct held *prev;

    assert_true(w->count < RECORDS);
    memset(h, 0, sizeof *h);
    assert_int_equal(yr_room_record_encode(record, p->sign_sk, buf, sizeof buf, &h->len), YR_OK);
    h->bytes = malloc(h->len);
    assert_non_null(h->bytes);
    memcpy(h->bytes, buf, h->len);
    assert_int_equal(yr_room_record_decode(&h->record, h->bytes, h->len), YR_OK);
    assert_int_equal(
        yr_room_body_decode(&h->body, h->record.class, h->record.body, h->record.body_len), YR_OK);
    h->author = (size_t)(p - w->p);
    prev = find(w, h->record.prev);
    h->prev = prev != NULL ? (int)(prev - w->r) : -1;
    memcpy(p->prev[record->class], h->record.id, YR_REC_ID_LEN);
    p->seq[record->class]++;
    for (size_t i = 0; i < PEOPLE; i++)
        w->p[i].knows[w->count] = w->p[i].read[w->count] = w->p[i].waits[w->count] = false;
    w->count++;
    return h;
}

/* ---- receiving ---- */

static inline enum yr_err open_one(struct world *w, struct person *p, const struct held *h)
{
    static uint8_t plain[YR_ROOM_BODY_MAX];
    char want[64];
    size_t len;
    enum yr_err err = yr_epochs_open(p->epochs, w->now, &h->record, &h->body, false, plain, &len);

    if (err != YR_OK)
        return err;
    snprintf(want, sizeof want, "text %zu", h->text);
    assert_int_equal(len, strlen(want));
    assert_memory_equal(plain, want, len);
    p->read[h - w->r] = true;
    return YR_OK;
}

static inline void open_waiting(struct world *w, struct person *p)
{
    uint8_t id[YR_EPOCH_ID_LEN];
    enum yr_err err;

    while (yr_epochs_opened(p->epochs, id)) {
        assert_true(yr_epochs_readable(p->epochs, id));
        for (size_t i = 0; i < w->count; i++) {
            if (!p->waits[i] || memcmp(w->r[i].body.epoch, id, sizeof id) != 0)
                continue;
            err = open_one(w, p, &w->r[i]);
            assert_true(err == YR_OK || err == YR_EPROTO || err == YR_EEXIST || err == YR_EAUTH);
            p->waits[i] = false;
        }
    }
}

static inline bool ready(struct world *w, const struct person *p, const struct held *h)
{
    if (h->prev >= 0 && !p->knows[h->prev])
        return false;
    for (size_t i = 0; i < h->record.dep_count; i++) {
        const struct held *dep = find(w, h->record.deps[i]);
        if (dep != NULL && !p->knows[dep - w->r])
            return false;
    }
    return true;
}

static inline enum yr_err receive(struct world *w, struct person *p, struct held *h)
{
    struct yr_room_op op;
    enum yr_err err = YR_OK;

    p->knows[h - w->r] = true;
    say(w, "[\"recv\",\"%s\",\"%s\",%lld]", hex8(p->mid), hex8(h->record.id), (long long)w->now);
    if (h->record.class == YR_CLASS_CONTROL) {
        yr_room_op_from(&op, &h->record, &h->body);
        assert_int_equal(yr_authority_add(p->authority, &op), YR_OK);
        if (h->body.kind == YR_ROOM_ADD)
            assert_int_equal(
                yr_epochs_on_add(p->epochs, w->now, &h->record, &h->body, p->rx, p->rx_count),
                YR_OK);
    } else if (h->body.kind == YR_ROOM_REKEY) {
        err = yr_epochs_on_rekey(p->epochs, w->now, &h->record, &h->body, p->rx, p->rx_count);
        assert_true(err == YR_OK || err == YR_EPROTO);
    } else if (h->body.kind == YR_ROOM_HIST) {
        assert_int_equal(
            yr_epochs_on_hist(p->epochs, w->now, &h->record, &h->body, p->rx, p->rx_count), YR_OK);
    } else if (p != &w->p[h->author]) {
        err = open_one(w, p, h);
        p->waits[h - w->r] = err == YR_ENOENT;
        tell(w, "%s", err == YR_OK ? "+" : "-");
    }
    open_waiting(w, p);
    return err;
}

// `to` learns what `from` knows: all of it, control records alone, or some.
static inline void sync_one(struct world *w, size_t from, size_t to, unsigned how)
{
    for (size_t i = 0; i < w->count; i++) {
        struct held *h = &w->r[i];

        if (!w->p[from].knows[i] || w->p[to].knows[i] ||
            (how == 1 && h->record.class != YR_CLASS_CONTROL) ||
            (how == 2 && seeded_below(&w->rnd, 2) == 0) || !ready(w, &w->p[to], h))
            continue;
        receive(w, &w->p[to], h);
    }
}

static inline void sync_all(struct world *w)
{
    for (size_t to = 0; to < PEOPLE; to++)
        for (size_t i = 0; i < w->count; i++)
            if (!w->p[to].knows[i])
                receive(w, &w->p[to], &w->r[i]);
}

/* ---- acting ---- */

static inline void founded(struct world *w, unsigned hist_days)
{
    struct person *f = &w->p[0];
    struct yr_room_record record = {.class = YR_CLASS_CONTROL, .seq = 1, .create = true};
    struct yr_room_body body = {.kind = YR_ROOM_CREATE,
                                .invite_min = 10,
                                .hist_days = (uint8_t)hist_days,
                                .max_members = 1000,
                                .text = (const uint8_t *)"room",
                                .text_len = 4};
    uint8_t bytes[256];
    struct held *h;

    room_free(w);
    w->hist_days = hist_days;
    w->invite_min = 10;
    w->now = T0;
    w->at = w->out;
    body.sign_pk = f->sign_pk;
    body.seal_pk = f->rx[0].public_key;
    record.hlc = seeded_u64(&w->rnd); // another room each time
    assert_int_equal(yr_room_body_encode(&body, bytes, sizeof bytes, &record.body_len), YR_OK);
    record.body = bytes;
    for (size_t i = 0; i < PEOPLE; i++) {
        memset(w->p[i].seq, 0, sizeof w->p[i].seq);
        memset(w->p[i].prev, 0, sizeof w->p[i].prev);
    }
    h = publish(w, f, &record);
    memcpy(w->room_id, h->record.room_id, sizeof w->room_id);
    memcpy(w->create, h->record.id, sizeof w->create);
    for (size_t i = 0; i < PEOPLE; i++) {
        struct person *p = &w->p[i];

        yr_room_mid(p->mid, w->room_id, p->sign_pk);
        p->knows[0] = true;
        assert_int_equal(yr_authority_new(&p->authority, &p->box.mem.mem, h->record.id,
                                          h->record.author, (uint8_t)w->invite_min),
                         YR_OK);
        epochs_open(w, p);
    }
    say(w, "[\"op\",\"%s\",\"%s\",\"create\",null,null,[],\"\",\"\"]", hex8(h->record.id),
        hex8(f->mid));
    for (size_t i = 0; i < PEOPLE; i++)
        say(w, "[\"recv\",\"%s\",\"%s\",%lld]", hex8(w->p[i].mid), hex8(h->record.id),
            (long long)w->now);
}

static inline void say_op(struct world *w, const struct held *h, const struct yr_room_op *op)
{
    static const char *const names[] = {"create", "add", "remove", "role", "set", "leave"};
    const bool keyed =
        op->kind == YR_ROOM_ADD && memcmp(h->body.epoch, w->create, 0) == 0 && h->epoch[0] != '\0';
    const uint8_t *target = op->kind == YR_ROOM_LEAVE ? op->author : op->target;

    say(w, "[\"op\",\"%s\",\"%s\",\"%s\",\"%s\",%u,[", hex8(op->id), hex8(op->author),
        names[op->kind], hex8(target), (unsigned)(op->kind == YR_ROOM_SET ? op->key : op->rank));
    w->comma = false;
    for (size_t i = 0; i < op->parent_count; i++)
        say(w, "\"%s\"", hex8(op->parents[i]));
    w->comma = false;
    say(w, "],\"%s\",\"%s\"]", keyed ? hex8(h->body.epoch) : "", h->epoch);
}

static inline bool is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

// A control record of `p`, if it has the right; NULL if not.
static inline struct held *act(struct world *w, struct person *p, enum yr_room_kind kind,
                               struct person *target, unsigned value)
{
    struct yr_room_body body = {.kind = kind, .rank = (uint8_t)value, .key = 1};
    struct yr_room_record record;
    struct yr_add_keys keys;
    uint8_t bytes[512], id[YR_EPOCH_ID_LEN], sig[YR_SIG_LEN] = {0};
    struct yr_room_op op;
    struct held *h;

    draft(w, p, YR_CLASS_CONTROL, &record);
    record.dep_count = yr_authority_heads(p->authority, record.deps);
    body.mid = target->mid;
    if (kind == YR_ROOM_ADD) {
        body.sign_pk = target->sign_pk;
        body.seal_pk = target->rx[0].public_key;
        body.join_sig = sig;
    }
    yr_room_op_from(&op, &record, &body);
    if (yr_authority_judge(p->authority, &op) != YR_FATE_EFFECTIVE)
        return NULL;
    if (kind == YR_ROOM_ADD) {
        assert_int_equal(yr_epochs_add_keys(p->epochs, w->now, body.sign_pk, body.seal_pk, &keys),
                         YR_OK);
        if (w->false_keys != NULL)
            keys = *w->false_keys;
        w->false_keys = NULL;
        body.epoch = keys.parent;
        body.nonce = keys.nonce;
        body.eph = keys.eph;
        body.sealed = keys.sealed;
    }
    assert_int_equal(yr_room_body_encode(&body, bytes, sizeof bytes, &record.body_len), YR_OK);
    record.body = bytes;
    h = publish(w, p, &record);
    if (kind == YR_ROOM_ADD && !is_zero(keys.parent, sizeof keys.parent)) {
        yr_epoch_id_add(id, w->room_id, p->mid, keys.nonce, body.sign_pk);
        strcpy(h->epoch, hex8(id));
    }
    yr_room_op_from(&op, &h->record, &h->body);
    say_op(w, h, &op);
    receive(w, p, h);
    return h;
}

static inline const uint8_t *newest_rx(void *ctx, const uint8_t mid[YR_MID_LEN])
{
    struct world *w = ctx;

    for (size_t i = 0; i < PEOPLE; i++)
        if (memcmp(w->p[i].mid, mid, YR_MID_LEN) == 0)
            return w->p[i].rx[0].public_key;
    return NULL;
}

enum malice { HONEST, SPOILT, ONE_MORE, ONE_LESS, TWICE, BACKDATED, CUT_OFF, MALICE };

struct share_list {
    uint8_t bytes[(PEOPLE + 1) * (4 + 48)];
    const uint8_t *mids[PEOPLE + 1];
    bool good[PEOPLE + 1];
    size_t count;
};

static inline void list_of_part(struct world *w, struct person *p, const struct yr_room_body *body,
                                struct share_list *out)
{
    out->count = body->list_count;
    memcpy(out->bytes, body->list, out->count * (4 + 48));
    for (size_t i = 0; i < out->count; i++) {
        out->good[i] = true;
        for (size_t k = 0; k < PEOPLE; k++)
            if (memcmp(w->p[k].mid, out->bytes + i * (4 + 48), 4) == 0)
                out->mids[i] = w->p[k].mid;
    }
    (void)p;
}

static inline void spoil(struct world *w, struct share_list *list, enum malice how)
{
    struct person *other = &w->p[seeded_below(&w->rnd, PEOPLE)];
    size_t last = list->count - 1;

    if (how == SPOILT) {
        for (size_t i = 0; i < list->count; i++) {
            if (seeded_below(&w->rnd, 2) == 0)
                continue;
            list->bytes[i * (4 + 48) + 20] ^= 1;
            list->good[i] = false;
        }
    } else if (how == ONE_MORE || how == TWICE) {
        if (how == TWICE)
            memcpy(list->bytes + list->count * (4 + 48), list->bytes + last * (4 + 48), 4 + 48);
        else
            memcpy(list->bytes + list->count * (4 + 48), other->mid, 4);
        list->mids[list->count] = how == TWICE ? list->mids[last] : other->mid;
        list->good[list->count] = how == TWICE;
        list->count++;
    } else if (how == ONE_LESS && list->count > 1) {
        list->count--;
    }
}

static inline void say_rekey(struct world *w, const struct held *h, const uint8_t *epoch,
                             const struct share_list *list)
{
    say(w, "[\"rekey\",\"%s\",\"%s\",[", hex8(h->record.id), hex8(h->record.author));
    w->comma = false;
    for (size_t i = 0; i < h->record.dep_count; i++)
        say(w, "\"%s\"", hex8(h->record.deps[i]));
    w->comma = false;
    say(w, "],\"%s\",%u,%u,[", hex8(epoch), (unsigned)h->body.part, (unsigned)h->body.parts);
    w->comma = false;
    for (size_t i = 0; i < list->count; i++)
        say(w, "\"%s\"", hex8(list->mids[i]));
    w->comma = false;
    say(w, "],[");
    w->comma = false;
    for (size_t i = 0; i < list->count; i++)
        if (list->good[i])
            say(w, "\"%s\"", hex8(list->mids[i]));
    w->comma = false;
    say(w, "]]");
}

// A new epoch of `p`, in one part or some.
static inline void rekey_as(struct world *w, struct person *p, unsigned parts, enum malice how)
{
    static uint8_t bytes[YR_ROOM_BODY_MAX];
    struct yr_room_record record;
    struct yr_room_body body;
    struct share_list list;
    struct yr_rekey rekey;
    struct held *h;
    enum yr_err err = yr_epochs_rekey(p->epochs, &rekey);

    if (err != YR_OK) {
        assert_int_equal(err, YR_EDENIED);
        return;
    }
    rekey.parts = (unsigned)YR_MIN((size_t)YR_MAX(parts, rekey.parts), rekey.members);
    for (unsigned part = 0; part < rekey.parts - (how == CUT_OFF && rekey.parts > 1); part++) {
        draft(w, p, YR_CLASS_MESSAGE, &record);
        assert_int_equal(yr_epochs_rekey_part(p->epochs, &rekey, part, newest_rx, w, bytes,
                                              &record.body_len, record.deps, &record.dep_count),
                         YR_OK);
        assert_int_equal(yr_room_body_decode(&body, YR_CLASS_MESSAGE, bytes, record.body_len),
                         YR_OK);
        list_of_part(w, p, &body, &list);
        spoil(w, &list, how);
        if (how == BACKDATED) {
            struct held *old = &w->r[seeded_below(&w->rnd, w->count)];
            if (old->record.class == YR_CLASS_CONTROL && p->knows[old - w->r]) {
                memcpy(record.deps[0], old->record.id, YR_REC_ID_LEN);
                record.dep_count = 1;
            }
        }
        body.list = list.bytes;
        body.list_count = list.count;
        {
            static uint8_t again[YR_ROOM_BODY_MAX];
            assert_int_equal(yr_room_body_encode(&body, again, sizeof again, &record.body_len),
                             YR_OK);
            record.body = again;
            h = publish(w, p, &record);
        }
        say_rekey(w, h, rekey.id, &list);
        receive(w, p, h);
    }
    yr_rekey_clear(&rekey);
}

static inline void rekey(struct world *w, struct person *p)
{
    rekey_as(w, p, 1, HONEST);
}

static inline struct yr_epoch_choice choice(struct world *w, struct person *p)
{
    struct yr_epoch_choice c;

    yr_epochs_choose(p->epochs, w->now, &c);
    say(w, "[\"choose\",\"%s\",%lld]", hex8(p->mid), (long long)w->now);
    if (c.usable)
        tell(w, "%c%.8s", "NBDR"[c.state], hex8(c.id));
    else
        tell(w, "%c", "NBDR"[c.state]);
    return c;
}

// A text by `p` in whatever epoch can be used; NULL: in none.
static inline struct held *text(struct world *w, struct person *p)
{
    static uint8_t bytes[YR_ROOM_BODY_MAX];
    struct yr_room_record record;
    struct held *h;
    char plain[64];
    enum yr_err err;

    draft(w, p, YR_CLASS_MESSAGE, &record);
    record.dep_count = YR_MIN(yr_authority_heads(p->authority, record.deps), (size_t)4);
    snprintf(plain, sizeof plain, "text %zu", w->count);
    // Encoding sorts what is cited: as it will be, so must it be for sealing.
    err = yr_epochs_seal(p->epochs, w->now, &record, (const uint8_t *)plain, strlen(plain), bytes,
                         sizeof bytes);
    if (err != YR_OK) {
        assert_int_equal(err, YR_EAGAIN);
        return NULL;
    }
    h = publish(w, p, &record);
    h->text = w->count - 1;
    say(w, "[\"msg\",\"%s\",\"%s\",\"%s\",%u]", hex8(h->record.id), hex8(p->mid),
        hex8(h->body.epoch), (unsigned)h->body.index);
    receive(w, p, h);
    return h;
}

static inline bool is_member(const struct person *p)
{
    return yr_authority_rank(p->authority, p->mid) > 0;
}

// As an honest member writes.
static inline struct held *write_text(struct world *w, struct person *p)
{
    struct yr_epoch_choice c;

    if (!is_member(p))
        return NULL;
    c = choice(w, p);
    if (c.state != YR_EPOCH_READY)
        rekey_as(w, p, 1 + (unsigned)seeded_below(&w->rnd, 2), HONEST);
    return text(w, p);
}

static inline void history(struct world *w, struct person *p, struct person *target)
{
    static uint8_t bytes[YR_ROOM_BODY_MAX];
    struct yr_room_record record;
    struct held *h;
    size_t at = 0;
    enum yr_err err;

    for (;;) {
        draft(w, p, YR_CLASS_MESSAGE, &record);
        err = yr_epochs_hist(p->epochs, w->now, target->mid, target->rx[0].public_key, &at, bytes,
                             sizeof bytes, &record.body_len);
        if (err == YR_ENOENT)
            return;
        assert_int_equal(err, YR_OK);
        assert_true(w->hist_days > 0);
        record.body = bytes;
        h = publish(w, p, &record);
        say(w, "[\"hist\",\"%s\",\"%s\",\"%s\",[", hex8(h->record.id), hex8(p->mid),
            hex8(target->mid));
        w->comma = false;
        for (size_t i = 0; i < h->body.list_count; i++)
            say(w, "\"%s\"", hex8(h->body.list + i * (YR_EPOCH_ID_LEN + 48)));
        w->comma = false;
        say(w, "]]");
        receive(w, p, h);
    }
}

/* A room of the first `members` people, who all know everything; the founder made an epoch.  test:
 * whose seed it is (seeded.h). */
static inline struct world *room_of(const char *test, size_t members, unsigned hist_days)
{
    static struct world w;

    world_init(&w, seeded_seed(test, 3));
    founded(&w, hist_days);
    for (size_t i = 1; i < members; i++)
        assert_non_null(act(&w, &w.p[0], YR_ROOM_ADD, &w.p[i], 75));
    rekey(&w, &w.p[0]);
    sync_all(&w);
    return &w;
}

static inline struct yr_epoch_choice chosen(struct world *w, size_t who)
{
    struct yr_epoch_choice c;

    yr_epochs_choose(w->p[who].epochs, w->now, &c);
    return c;
}

#endif
