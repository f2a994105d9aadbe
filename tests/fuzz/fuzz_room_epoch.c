/* What one member is handed in a room of two: any bytes as bodies, and what the other member makes,
 * with any bytes changed.  Nothing but errors may come of it, epochs stay within their bounds, what
 * was kept is what a start from the rows finds, and a REKEY afterwards always works.
 *
 * Input: steps, each `what u8 | len u8 | len bytes`.  what, modulo 6: 0 a REKEY body, 1 HIST, 2
 * CONTENT, 3 ADD as given; 4 an honest REKEY, 5 an honest text, changed by pairs (place, xor).  Bit
 * 7: a start from the rows comes first; bit 6: the record cites the newest epoch. */
#include "core/room/epoch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct node {
    uint8_t mid[YR_MID_LEN];
    struct yr_keypair rx;
    struct yr_authority *authority;
    struct yr_rows *rows;
    struct yr_epochs *epochs;
};

struct world {
    struct yr_mem mem;
    struct yr_rng rng;
    uint64_t state, seq;
    struct node us, other;
    uint8_t room_id[YR_ROOM_ID_LEN], create[YR_REC_ID_LEN];
    yr_ms now;
    uint8_t bytes[YR_ROOM_RECORD_MAX]; /* of the present record: head, body */
    struct yr_room_record record;
};

static void *fuzz_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size > 0)
        return realloc(ptr, size);
    free(ptr);
    return NULL;
}

static void fill(void *ctx, void *out, size_t len)
{
    struct world *w = ctx;

    for (size_t i = 0; i < len; i++) {
        w->state = w->state * 6364136223846793005U + 1442695040888963407U;
        ((uint8_t *)out)[i] = (uint8_t)(w->state >> 56);
    }
}

// A store that keeps nothing: all is in what the rows have not committed.
static enum yr_err no_get(void *ctx, enum yr_db db, const uint8_t *key, size_t key_len,
                          const uint8_t **value, size_t *value_len)
{
    (void)ctx, (void)db, (void)key, (void)key_len, (void)value, (void)value_len;
    return YR_ENOENT;
}

static enum yr_err no_seek(void *ctx, enum yr_db db, enum yr_seek how, const uint8_t *key,
                           size_t key_len, struct yr_kv *out)
{
    (void)ctx, (void)db, (void)how, (void)key, (void)key_len, (void)out;
    return YR_ENOENT;
}

static const struct yr_store_view nowhere = {NULL, no_get, no_seek};

static void start_epochs(struct world *w, struct node *n)
{
    YR_ASSERT(yr_epochs_new(&n->epochs, &w->mem, n->rows, &w->rng, n->authority, w->room_id, n->mid,
                            3) == YR_OK);
}

static void start(struct world *w, struct node *n, uint8_t number)
{
    uint8_t seed[32] = {number};
    struct yr_room_op add = {.kind = YR_ROOM_ADD, .rank = 75, .parent_count = 1};

    yr_keypair_from_seed(&n->rx, seed);
    yr_hash16(n->mid, seed, sizeof seed);
    YR_ASSERT(yr_rows_new(&n->rows, &w->mem, &w->rng, &nowhere) == YR_OK);
    YR_ASSERT(yr_rows_unlock(n->rows, seed, NULL) == YR_OK);
    YR_ASSERT(yr_authority_new(&n->authority, &w->mem, w->create, w->us.mid, 10) == YR_OK);
    memset(add.id, 0x22, sizeof add.id);
    memcpy(add.author, w->us.mid, sizeof add.author);
    memcpy(add.parents[0], w->create, sizeof w->create);
    seed[0] = 2;
    yr_hash16(add.target, seed, sizeof seed);
    YR_ASSERT(yr_authority_add(n->authority, &add) == YR_OK);
    start_epochs(w, n);
}

static void stop(struct node *n)
{
    yr_epochs_free(n->epochs);
    yr_authority_free(n->authority);
    yr_rows_free(n->rows);
}

static const uint8_t *rx_of(void *ctx, const uint8_t mid[YR_MID_LEN])
{
    const struct world *w = ctx;

    return memcmp(mid, w->us.mid, YR_MID_LEN) == 0 ? w->us.rx.public_key : w->other.rx.public_key;
}

// The record of `author` around a body; without a signature, which nobody here looks at.
static void write_record(struct world *w, const struct node *author, uint8_t class,
                         const uint8_t *body, size_t len)
{
    struct yr_room_record *r = &w->record;
    size_t head;

    r->class = class;
    memcpy(r->room_id, w->room_id, sizeof r->room_id);
    memcpy(r->author, author->mid, sizeof r->author);
    r->seq = ++w->seq;
    r->body_len = len;
    YR_ASSERT(yr_room_record_head(r, w->bytes, sizeof w->bytes, &head) == YR_OK);
    yr_copy(w->bytes + head, body, len);
    r->src = w->bytes;
    r->body = w->bytes + head;
    r->signed_len = head + len;
    yr_hash(r->id, w->bytes, r->signed_len);
}

static void hand_add(struct world *w, struct node *n, const struct yr_room_body *body)
{
    struct yr_room_op op;

    w->record.dep_count = yr_authority_heads(n->authority, w->record.deps);
    yr_room_op_from(&op, &w->record, body);
    if (yr_authority_add(n->authority, &op) == YR_OK &&
        yr_authority_fate(n->authority, op.id) == YR_FATE_EFFECTIVE)
        YR_ASSERT(yr_epochs_on_add(n->epochs, w->now, &w->record, body, &n->rx, 1) == YR_OK);
}

// Hand the present record to `n`.
static enum yr_err hand(struct world *w, struct node *n)
{
    static uint8_t plain[YR_ROOM_BODY_MAX];
    const struct yr_room_record *r = &w->record;
    uint8_t id[YR_EPOCH_ID_LEN];
    struct yr_room_body body;
    enum yr_err err = YR_OK;
    size_t len;

    if (yr_room_body_decode(&body, r->class, r->body, r->body_len) != YR_OK || !body.known)
        return YR_EPROTO;
    if (body.kind == YR_ROOM_REKEY)
        err = yr_epochs_on_rekey(n->epochs, w->now, r, &body, &n->rx, 1);
    else if (body.kind == YR_ROOM_HIST)
        err = yr_epochs_on_hist(n->epochs, w->now, r, &body, &n->rx, 1);
    else if (body.kind == YR_ROOM_CONTENT)
        err = yr_epochs_open(n->epochs, w->now, r, &body, (w->seq & 1) != 0, plain, &len);
    else if (body.kind == YR_ROOM_ADD)
        hand_add(w, n, &body);
    while (yr_epochs_opened(n->epochs, id))
        YR_ASSERT(yr_epochs_readable(n->epochs, id));
    YR_ASSERT(err == YR_OK || err == YR_EPROTO || err == YR_ENOENT || err == YR_EEXIST ||
              err == YR_EAUTH);
    return err;
}

// An honest REKEY of the other in one part, as the present record.
static void honest_rekey(struct world *w)
{
    static uint8_t body[YR_ROOM_BODY_MAX];
    struct yr_rekey rekey;
    size_t len;

    YR_ASSERT(yr_epochs_rekey(w->other.epochs, &rekey) == YR_OK);
    YR_ASSERT(yr_epochs_rekey_part(w->other.epochs, &rekey, 0, rx_of, w, body, &len, w->record.deps,
                                   &w->record.dep_count) == YR_OK);
    write_record(w, &w->other, YR_CLASS_MESSAGE, body, len);
    yr_rekey_clear(&rekey);
}

static bool honest_text(struct world *w)
{
    static uint8_t body[YR_ROOM_BODY_MAX];
    struct yr_room_record *r = &w->record;

    r->dep_count = 0;
    write_record(w, &w->other, YR_CLASS_MESSAGE, NULL, 0);
    if (yr_epochs_seal(w->other.epochs, w->now, r, (const uint8_t *)"hello", 5, body,
                       sizeof body) != YR_OK)
        return false;
    w->seq--; // as it was sealed
    write_record(w, &w->other, YR_CLASS_MESSAGE, body, r->body_len);
    return true;
}

static void change(struct world *w, const uint8_t *pairs, size_t len)
{
    uint8_t *body = w->bytes + (w->record.body - w->bytes);

    for (size_t i = 0; i + 1 < len; i += 2)
        body[pairs[i] % w->record.body_len] ^= pairs[i + 1];
}

static void given(struct world *w, unsigned what, const uint8_t *bytes, size_t len)
{
    static const uint8_t kinds[] = {2, 3, 1, 2};
    uint8_t body[1 + UINT8_MAX];

    body[0] = kinds[what];
    yr_copy(body + 1, bytes, len);
    write_record(w, (w->seq & 2) != 0 ? &w->us : &w->other,
                 what == 3 ? YR_CLASS_CONTROL : YR_CLASS_MESSAGE, body, 1 + len);
}

static void check(struct world *w)
{
    struct yr_epoch_info info;
    struct yr_epoch_choice c, again;
    size_t n = 0;

    while (yr_epochs_info(w->us.epochs, n, &info))
        n++;
    YR_ASSERT(n <= YR_ROOM_EPOCHS_KEPT);
    yr_epochs_choose(w->us.epochs, w->now, &c);
    yr_epochs_free(w->us.epochs);
    start_epochs(w, &w->us);
    yr_epochs_choose(w->us.epochs, w->now, &again);
    YR_ASSERT(memcmp(&c, &again, sizeof c) == 0);
}

static void step(struct world *w, uint8_t what, const uint8_t *bytes, size_t len)
{
    static struct yr_room_record honest;
    struct yr_epoch_info info;

    w->record.dep_count = 0;
    if ((what & 0x80) != 0)
        check(w);
    if ((what & 0x40) != 0 && yr_epochs_info(w->us.epochs, 0, &info)) {
        memcpy(w->record.deps[0], w->create, sizeof w->create);
        w->record.dep_count = 1;
    }
    w->now += 1000;
    switch (what % 6) {
    case 4:
        honest_rekey(w);
        honest = w->record;
        (void)hand(w, &w->other);
        w->record = honest;
        change(w, bytes, len);
        break;
    case 5:
        if (!honest_text(w))
            return;
        change(w, bytes, len);
        break;
    default: given(w, what % 6, bytes, len);
    }
    (void)hand(w, &w->us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct yr_rd rd = yr_rd_init(data, size);
    const uint8_t *bytes;
    uint8_t what, len;

    memset(&w, 0, sizeof w);
    w.mem.realloc = fuzz_realloc;
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        w.mem.cap[i] = (size_t)64 << 20;
    w.rng = (struct yr_rng){fill, &w};
    w.now = 1700000000000;
    memset(w.room_id, 0x11, sizeof w.room_id);
    memset(w.create, 0x21, sizeof w.create);
    start(&w, &w.us, 1);
    start(&w, &w.other, 2);
    for (unsigned steps = 0; yr_rd_left(&rd) >= 2 && steps < 64; steps++) {
        what = yr_rd_u8(&rd);
        len = yr_rd_u8(&rd);
        len = (uint8_t)YR_MIN((size_t)len, yr_rd_left(&rd));
        if ((bytes = yr_rd_bytes(&rd, len)) != NULL)
            step(&w, what, bytes, len);
    }
    check(&w);
    stop(&w.us);
    stop(&w.other);
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        YR_ASSERT(w.mem.used[i] == 0);
    return 0;
}
