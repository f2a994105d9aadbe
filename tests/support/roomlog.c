#include "tests/support/roomlog.h"

#include "tests/support/test.h"

/* ---- slips ---- */

static void slip_set(struct slip *slip, const uint8_t *bytes, size_t len)
{
    struct yr_room_record r;

    memset(slip, 0, sizeof *slip);
    slip->bytes = malloc(len > 0 ? len : 1);
    assert_non_null(slip->bytes);
    yr_copy(slip->bytes, bytes, len);
    slip->len = len;
    if (yr_room_record_decode(&r, bytes, len) == YR_OK)
        memcpy(slip->id, r.id, sizeof slip->id);
}

void slip_clear(struct slip *slip)
{
    free(slip->bytes);
    memset(slip, 0, sizeof *slip);
}

void pile_add(struct pile *pile, const uint8_t *bytes, size_t len)
{
    if (pile->count == pile->cap) {
        pile->cap = 2 * pile->cap + 16;
        pile->slips = realloc(pile->slips, pile->cap * sizeof *pile->slips);
        assert_non_null(pile->slips);
    }
    slip_set(&pile->slips[pile->count++], bytes, len);
}

void pile_clear(struct pile *pile)
{
    for (size_t i = 0; i < pile->count; i++)
        slip_clear(&pile->slips[i]);
    free(pile->slips);
    memset(pile, 0, sizeof *pile);
}

void pile_shuffle(struct pile *pile, struct seeded *rnd)
{
    for (size_t i = pile->count; i > 1; i--) {
        const size_t at = seeded_below(rnd, i);
        const struct slip slip = pile->slips[at];

        pile->slips[at] = pile->slips[i - 1];
        pile->slips[i - 1] = slip;
    }
}

/* ---- keepers ---- */

static enum yr_err accepted(void *ctx, struct yr_now now, const struct yr_room_record *record,
                            const struct yr_room_body *body, const struct yr_room_entry *entry)
{
    struct keeper *k = ctx;
    struct told *told;

    (void)now;
    assert_true(body->known || record->class == YR_CLASS_MESSAGE);
    if (k->refuse != YR_OK)
        return k->refuse;
    assert_memory_equal(record->id, entry->id, YR_REC_ID_LEN);
    assert_true(yr_room_log_has(k->log, entry->id));
    for (size_t i = 0; i < record->dep_count; i++)
        assert_true(yr_room_log_has(k->log, record->deps[i]));
    assert_true(record->seq == 1 || yr_room_log_has(k->log, record->prev));
    if (k->told_count == k->told_cap) {
        k->told_cap = 2 * k->told_cap + 16;
        k->told = realloc(k->told, k->told_cap * sizeof *k->told);
        assert_non_null(k->told);
    }
    told = &k->told[k->told_count++];
    told->entry = *entry;
    told->class = record->class;
    memcpy(told->author, record->author, sizeof told->author);
    return YR_OK;
}

void keeper_init(struct keeper *k, uint64_t seed)
{
    memset(k, 0, sizeof *k);
    rowbox_open(&k->box, seed);
    k->box.mem.mem.cap[YR_MEM_ROOM] = (size_t)256 << 20;
    k->box.mem.mem.cap[YR_MEM_STORE] = (size_t)1 << 30;
    k->ops = (struct yr_room_log_ops){accepted, k};
    k->now = (struct yr_now){YR_S, ROOMLOG_START_MS};
}

void keeper_clear(struct keeper *k)
{
    yr_room_log_free(k->log);
    k->log = NULL;
    assert_int_equal(k->box.mem.mem.used[YR_MEM_ROOM], 0);
    rowbox_close(&k->box);
    free(k->told);
}

void keeper_begin(struct keeper *k, const struct slip *create)
{
    assert_int_equal(yr_room_log_new(&k->log, &k->box.mem.mem, k->box.rows, k->now, create->bytes,
                                     create->len, &k->ops),
                     YR_OK);
}

void keeper_commit(struct keeper *k)
{
    assert_int_equal(yr_room_log_flush(k->log), YR_OK);
    rowbox_settle(&k->box);
}

void keeper_crash(struct keeper *k)
{
    uint8_t id[YR_ROOM_ID_LEN];

    memcpy(id, yr_room_log_id(k->log), sizeof id);
    yr_room_log_free(k->log);
    k->log = NULL;
    assert_int_equal(k->box.mem.mem.used[YR_MEM_ROOM], 0);
    assert_int_equal(rowbox_crash(&k->box), YR_OK);
    assert_int_equal(yr_room_log_load(&k->log, &k->box.mem.mem, k->box.rows, id, &k->ops), YR_OK);
    for (size_t i = k->told_count; i-- > 0;) // what was told and lost will be told again
        if (!yr_room_log_has(k->log, k->told[i].entry.id))
            k->told[i] = k->told[--k->told_count];
}

enum yr_put keeper_put_from(struct keeper *k, const uint8_t *bytes, size_t len, unsigned slot)
{
    enum yr_put what = YR_PUT_REFUSED;

    assert_int_equal(yr_room_log_put(k->log, k->now, bytes, len, slot, &what, &k->forged), YR_OK);
    return what;
}

enum yr_put keeper_put(struct keeper *k, const struct slip *slip)
{
    return keeper_put_from(k, slip->bytes, slip->len, 1);
}

void keeper_wait(struct keeper *k, yr_ms ms)
{
    k->now.mono_us += (yr_us)ms * YR_MS;
    k->now.wall_ms += ms;
    assert_int_equal(yr_room_log_tick(k->log, k->now), YR_OK);
}

uint64_t keeper_counter(const struct keeper *k, const char *name)
{
    for (size_t i = 0;; i++) {
        const struct yr_counter counter = yr_room_log_counter(k->log, i);

        assert_non_null(counter.name);
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    }
}

static const struct told *find_told(const struct keeper *k, const uint8_t id[YR_REC_ID_LEN])
{
    for (size_t i = 0; i < k->told_count; i++)
        if (memcmp(k->told[i].entry.id, id, YR_REC_ID_LEN) == 0)
            return &k->told[i];
    return NULL;
}

void keeper_assert_equal(struct keeper *a, struct keeper *b)
{
    struct yr_chain_info x, y;
    uint8_t one[32], other[32];

    for (size_t i = 0;; i++) {
        const bool more = yr_room_log_chain(a->log, i, &x);

        assert_int_equal(more, yr_room_log_chain(b->log, i, &y));
        if (!more)
            break;
        assert_memory_equal(x.key.mid, y.key.mid, sizeof x.key.mid);
        assert_int_equal(x.key.class, y.key.class);
        assert_memory_equal(x.key.incarnation, y.key.incarnation, sizeof x.key.incarnation);
        assert_int_equal(x.seq, y.seq);
        assert_memory_equal(x.digest, y.digest, sizeof x.digest);
    }
    yr_room_log_digest(a->log, one);
    yr_room_log_digest(b->log, other);
    assert_memory_equal(one, other, sizeof one);
    assert_int_equal(yr_room_log_end(a->log), yr_room_log_end(b->log));
    for (size_t i = 0; i < a->told_count; i++) {
        const struct told *same = find_told(b, a->told[i].entry.id);

        if (a->told[i].class == YR_CLASS_STATE)
            continue;
        assert_non_null(same);
        assert_int_equal(a->told[i].entry.eff, same->entry.eff);
    }
}

/* ---- scribes ---- */

void scribe_init(struct scribe *s, struct seeded *rnd)
{
    memset(s, 0, sizeof *s);
    yr_identity_new(&s->keys, &rnd->rng, ROOMLOG_START_MS);
    yr_random(&rnd->rng, s->seal_pk, sizeof s->seal_pk);
    yr_random(&rnd->rng, s->incarnation, sizeof s->incarnation);
}

void scribe_enter(struct scribe *s, const uint8_t room_id[YR_ROOM_ID_LEN])
{
    yr_room_mid(s->mid, room_id, s->keys.id);
}

void scribe_found(struct scribe *s, struct slip *out)
{
    struct yr_room_body body = {.kind = YR_ROOM_CREATE,
                                .sign_pk = s->keys.id,
                                .seal_pk = s->seal_pk,
                                .invite_min = YR_RANK_MEMBER,
                                .max_members = YR_ROOM_MEMBERS_MAX,
                                .text = (const uint8_t *)"garden",
                                .text_len = 6};
    struct yr_room_record r = {.class = YR_CLASS_CONTROL, .seq = 1};

    r.hlc = (uint64_t)ROOMLOG_START_MS << 16;
    memcpy(r.incarnation, s->incarnation, sizeof r.incarnation);
    scribe_sign(s, &r, &body, out);
    assert_int_equal(yr_room_record_decode(&r, out->bytes, out->len), YR_OK);
    scribe_enter(s, r.room_id);
}

void scribe_draft(struct scribe *s, struct keeper *k, enum yr_room_class class,
                  struct yr_room_record *out)
{
    yr_room_log_prepare(k->log, k->now, class, s->mid, s->incarnation, false, out);
}

void scribe_sign_bytes(const struct scribe *s, struct yr_room_record *draft, const uint8_t *body,
                       size_t len, struct slip *out)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    size_t n;

    draft->body = body;
    draft->body_len = len;
    assert_int_equal(yr_room_record_encode(draft, s->keys.sign_sk, bytes, sizeof bytes, &n), YR_OK);
    slip_set(out, bytes, n);
}

void scribe_sign(const struct scribe *s, struct yr_room_record *draft,
                 const struct yr_room_body *body, struct slip *out)
{
    static uint8_t bytes[YR_ROOM_BODY_MAX];
    size_t n;

    assert_int_equal(yr_room_body_encode(body, bytes, sizeof bytes, &n), YR_OK);
    scribe_sign_bytes(s, draft, bytes, n, out);
}

void scribe_keep(struct keeper *k, const struct slip *slip)
{
    assert_int_equal(keeper_put_from(k, slip->bytes, slip->len, YR_ROOM_OWN), YR_PUT_NEW);
}

void scribe_body(struct scribe *s, struct keeper *k, const struct yr_room_body *body,
                 struct slip *out)
{
    struct yr_room_record r;
    struct slip slip;

    scribe_draft(s, k, yr_room_kind_class(body->kind), &r);
    scribe_sign(s, &r, body, &slip);
    if (out != NULL) {
        *out = slip;
        return;
    }
    scribe_keep(k, &slip);
    slip_clear(&slip);
}

void scribe_text(struct scribe *s, struct keeper *k, const char *text, struct slip *out)
{
    static const uint8_t some[64];
    const size_t len = strlen(text);
    uint8_t data[YR_TAG_LEN + 4096] = {0};
    struct yr_room_body body = {.kind = YR_ROOM_CONTENT,
                                .epoch = some,
                                .commit = some,
                                .nonce = some,
                                .data = data,
                                .data_len = YR_TAG_LEN + len};

    assert_true(len <= 4096);
    memcpy(data + YR_TAG_LEN, text, len);
    scribe_body(s, k, &body, out);
}

void scribe_add(struct scribe *s, struct keeper *k, const struct scribe *whom, uint8_t rank,
                struct slip *out)
{
    static const uint8_t some[64];
    uint8_t sig[YR_SIG_LEN];
    struct yr_room_body body = {.kind = YR_ROOM_ADD,
                                .sign_pk = whom->keys.id,
                                .seal_pk = whom->seal_pk,
                                .rank = rank,
                                .join_sig = sig,
                                .epoch = some,
                                .nonce = some,
                                .eph = some,
                                .sealed = some,
                                .text = (const uint8_t *)"nick",
                                .text_len = 4};

    yr_room_join_sign(sig, whom->keys.sign_sk, yr_room_log_id(k->log), whom->keys.id, whom->seal_pk,
                      s->mid);
    scribe_body(s, k, &body, out);
}

void scribe_remove(struct scribe *s, struct keeper *k, const struct scribe *whom, struct slip *out)
{
    const struct yr_room_body body = {.kind = YR_ROOM_REMOVE, .mid = whom->mid};

    scribe_body(s, k, &body, out);
}

void scribe_set(struct scribe *s, struct keeper *k, const char *name, struct slip *out)
{
    const struct yr_room_body body = {.kind = YR_ROOM_SET,
                                      .key = YR_SETTING_NAME,
                                      .data = (const uint8_t *)name,
                                      .data_len = strlen(name)};

    scribe_body(s, k, &body, out);
}

void scribe_key(struct scribe *s, struct keeper *k, const uint8_t seal_pk[32], struct slip *out)
{
    const struct yr_room_body body = {.kind = YR_ROOM_KEY, .seal_pk = seal_pk};

    scribe_body(s, k, &body, out);
}
