#include "core/room/epoch_state.h"

/* ---- REKEY ---- */

static void new_pair(const struct yr_epochs *s, struct yr_keypair *out)
{
    uint8_t seed[32];

    yr_random(s->rng, seed, sizeof seed);
    yr_keypair_from_seed(out, seed);
    yr_wipe(seed, sizeof seed);
}

static size_t div_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

// The record that made the epoch which this one takes the place of; NULL: there is none, or it is
// an ADD, which is among the control heads.
static const uint8_t *cited(struct yr_epochs *s)
{
    const struct yr_epoch *best = yr_epoch_best(s, false);

    return best == NULL || best->added ? NULL : best->maker;
}

enum yr_err yr_epochs_rekey(struct yr_epochs *s, struct yr_rekey *out)
{
    struct yr_room_member *members;
    struct yr_rekey r = {0};
    size_t cites;
    enum yr_err err;

    if (yr_authority_rank(s->authority, s->self) == 0)
        return YR_EDENIED;
    if ((err = yr_epoch_members(s, NULL, 0, &members, &r.members)) != YR_OK)
        return err == YR_ESIZE ? YR_EFULL : err;
    yr_free(s->mem, members);
    r.heads = yr_authority_head_count(s->authority);
    cites = r.heads + (cited(s) != NULL);
    r.parts =
        (unsigned)YR_MAX(div_up(r.members, YR_ROOM_SEALED_MAX), div_up(cites, YR_ROOM_DEPS_MAX));
    if (r.parts > YR_ROOM_PARTS_MAX || r.parts > r.members)
        return YR_EFULL;
    yr_random(s->rng, r.es, sizeof r.es);
    yr_random(s->rng, r.nonce, sizeof r.nonce);
    yr_epoch_commit(r.commit, r.es);
    yr_epoch_id_rekey(r.id, s->room_id, s->self, r.nonce, r.commit);
    *out = r;
    yr_wipe(&r, sizeof r);
    return YR_OK;
}

void yr_rekey_clear(struct yr_rekey *rekey)
{
    yr_wipe(rekey, sizeof *rekey);
}

// What part `part` cites: the epoch before it in the first, and control heads.
static size_t rekey_deps(struct yr_epochs *s, unsigned part,
                         uint8_t deps[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN])
{
    const uint8_t *epoch = cited(s);
    uint8_t heads[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN];
    const size_t shift = epoch != NULL, from = (size_t)part * YR_ROOM_DEPS_MAX;
    size_t n = 0, got, want = YR_ROOM_DEPS_MAX;

    if (part == 0 && epoch != NULL) {
        memcpy(deps[n++], epoch, YR_REC_ID_LEN);
        want--;
    }
    got = yr_authority_heads_from(s->authority, part == 0 ? 0 : from - shift, heads);
    for (size_t i = 0; i < YR_MIN(got, want); i++)
        memcpy(deps[n++], heads[i], YR_REC_ID_LEN);
    if (n == 0 && yr_authority_heads(s->authority, heads) > 0) // all are in earlier parts
        memcpy(deps[n++], heads[0], YR_REC_ID_LEN);
    return n;
}

// The recipients of one part, each with its share.
static enum yr_err seal_list(struct yr_epochs *s, const struct yr_rekey *rekey,
                             const struct yr_keypair *eph, const struct yr_room_member *members,
                             size_t count,
                             const uint8_t *(*seal_pk)(void *ctx, const uint8_t mid[YR_MID_LEN]),
                             void *ctx, uint8_t *list)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *entry = list + i * (4 + 48);
        const uint8_t *key = seal_pk(ctx, members[i].mid);

        memcpy(entry, members[i].mid, 4);
        // A key that is missing or no good keeps only its owner out, with a share that opens
        // nothing.
        if (key == NULL ||
            yr_epoch_share_seal(s, entry + 4, rekey->es, rekey->id, eph, key, s->self) != YR_OK)
            yr_random(s->rng, entry + 4, 48);
    }
    return YR_OK;
}

enum yr_err yr_epochs_rekey_part(struct yr_epochs *s, const struct yr_rekey *rekey, unsigned part,
                                 const uint8_t *(*seal_pk)(void *ctx,
                                                           const uint8_t mid[YR_MID_LEN]),
                                 void *ctx, uint8_t *body, size_t *body_len,
                                 uint8_t deps[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN], size_t *dep_count)
{
    struct yr_room_body out = {.kind = YR_ROOM_REKEY};
    struct yr_room_member *members = NULL;
    struct yr_keypair eph;
    uint8_t *list = NULL;
    size_t count, from, to;
    enum yr_err err;

    if ((err = yr_epoch_members(s, NULL, 0, &members, &count)) != YR_OK)
        return err;
    new_pair(s, &eph);
    err = YR_EINVAL;
    if (count != rekey->members || yr_authority_head_count(s->authority) != rekey->heads ||
        part >= rekey->parts)
        goto out;
    from = count * part / rekey->parts;
    to = count * (part + 1) / rekey->parts;
    err = YR_ENOMEM;
    if ((list = yr_alloc(s->mem, YR_MEM_ROOM, (to - from) * (4 + 48))) == NULL)
        goto out;
    err = seal_list(s, rekey, &eph, members + from, to - from, seal_pk, ctx, list);
    out.nonce = rekey->nonce;
    out.commit = rekey->commit;
    out.part = (uint8_t)part;
    out.parts = (uint8_t)rekey->parts;
    out.eph = eph.public_key;
    out.list = list;
    out.list_count = to - from;
    if (err == YR_OK)
        err = yr_room_body_encode(&out, body, YR_ROOM_BODY_MAX, body_len);
    if (err == YR_OK)
        *dep_count = rekey_deps(s, part, deps);
out:
    yr_wipe(&eph, sizeof eph);
    yr_free(s->mem, list);
    yr_free(s->mem, members);
    return err;
}

/* ---- ADD ---- */

static enum yr_err add_keys(struct yr_epochs *s, const struct yr_epoch *parent,
                            const uint8_t sign_pk[32], const uint8_t seal_pk[32],
                            struct yr_add_keys *out)
{
    uint8_t es[32], commit[32], id[YR_EPOCH_ID_LEN];
    struct yr_keypair eph;
    struct yr_chain chain;
    enum yr_err err = yr_chain_begin(s, parent, YR_EPOCH_ADDS, s->self, &chain);

    if (err != YR_OK)
        return err;
    yr_epoch_es_of_add(es, chain.key, sign_pk, seal_pk, s->self);
    yr_chain_end(s, &chain);
    yr_epoch_commit(commit, es);
    memcpy(out->parent, parent->id, sizeof out->parent);
    memcpy(out->nonce, commit, sizeof out->nonce);
    yr_epoch_id_add(id, s->room_id, s->self, out->nonce, sign_pk);
    new_pair(s, &eph);
    memcpy(out->eph, eph.public_key, sizeof out->eph);
    err = yr_epoch_share_seal(s, out->sealed, es, id, &eph, seal_pk, s->self);
    yr_wipe(es, sizeof es);
    yr_wipe(&eph, sizeof eph);
    return err;
}

enum yr_err yr_epochs_add_keys(struct yr_epochs *s, yr_ms now_ms, const uint8_t sign_pk[32],
                               const uint8_t seal_pk[32], struct yr_add_keys *out)
{
    const struct yr_epoch *best = yr_epoch_best(s, false);
    enum yr_err err;

    (void)now_ms;
    memset(out, 0, sizeof *out);
    if (best == NULL || best != yr_epoch_best(s, true))
        return YR_OK;
    err = add_keys(s, best, sign_pk, seal_pk, out);
    if (err == YR_EAUTH || err == YR_EPROTO || err == YR_ENOENT) { // a seal_pk that is none
        memset(out, 0, sizeof *out);
        err = YR_OK;
    }
    return err;
}

/* ---- HIST ---- */

static bool is_granted(struct yr_epochs *s, const struct yr_epoch *e, uint64_t now_ms)
{
    if (!e->kept || !yr_epoch_readable(e) || yr_epoch_current(s, e))
        return false;
    return e->superseded_ms == 0 || now_ms < e->superseded_ms ||
           now_ms - e->superseded_ms < s->hist_days * (uint64_t)YR_DAY_MS;
}

static enum yr_err seal_kept(struct yr_epochs *s, const struct yr_epoch *e,
                             const struct yr_keypair *eph, const uint8_t seal_pk[32],
                             uint8_t entry[YR_EPOCH_ID_LEN + 48])
{
    uint8_t root[32 + 64];
    size_t len;
    enum yr_err err = yr_epoch_get(s, e, YR_EPOCH_KEPT, root, sizeof root, &len);

    if (err == YR_OK && len != 32)
        err = YR_ECORRUPT;
    if (err == YR_OK) {
        memcpy(entry, e->id, YR_EPOCH_ID_LEN);
        err = yr_epoch_share_seal(s, entry + YR_EPOCH_ID_LEN, root, e->id, eph, seal_pk, s->self);
    }
    yr_wipe(root, sizeof root);
    return err;
}

enum yr_err yr_epochs_hist(struct yr_epochs *s, yr_ms now_ms, const uint8_t mid[YR_MID_LEN],
                           const uint8_t seal_pk[32], size_t *at, uint8_t *body, size_t cap,
                           size_t *body_len)
{
    uint8_t list[YR_ROOM_EPOCHS_MAX * (YR_EPOCH_ID_LEN + 48)];
    struct yr_room_body out = {.kind = YR_ROOM_HIST, .mid = mid, .list = list};
    struct yr_keypair eph;
    enum yr_err err = YR_OK;
    size_t i;

    new_pair(s, &eph);
    for (i = *at; i < s->count && out.list_count < YR_ROOM_EPOCHS_MAX && err == YR_OK; i++) {
        if (!is_granted(s, s->list[i], (uint64_t)now_ms))
            continue;
        err = seal_kept(s, s->list[i], &eph, seal_pk,
                        list + out.list_count++ * (YR_EPOCH_ID_LEN + 48));
    }
    out.eph = eph.public_key;
    if (err == YR_OK)
        err = out.list_count == 0 ? YR_ENOENT : yr_room_body_encode(&out, body, cap, body_len);
    if (err == YR_OK)
        *at = i;
    yr_wipe(&eph, sizeof eph);
    return err;
}

/* ---- content ---- */

static size_t padded(size_t len)
{
    return (len / YR_CONTENT_PAD + 1) * YR_CONTENT_PAD;
}

size_t yr_content_len(size_t len)
{
    return YR_CONTENT_OVERHEAD + padded(len);
}

#define HEAD_MAX (YR_ROOM_SIGNED_MIN + YR_ROOM_DEPS_MAX * YR_REC_ID_LEN)

// Message key and what commits to it, of a chain's present index.
static void message_keys(uint8_t mk[32], uint8_t kc[32], const struct yr_chain *chain)
{
    yr_kdf(mk, 32, chain->key, YR_LABEL_ROOM_MK, NULL, 0);
    yr_kdf(kc, 32, mk, YR_LABEL_ROOM_KC, NULL, 0);
}

static enum yr_err seal_with(struct yr_epochs *s, const struct yr_epoch *e,
                             const struct yr_chain *chain, struct yr_room_record *record,
                             const uint8_t *plain, size_t len, uint8_t *body, size_t cap)
{
    struct yr_room_body out = {.kind = YR_ROOM_CONTENT, .epoch = e->id, .index = chain->next};
    uint8_t mk[32], kc[32], nonce[YR_NONCE_LEN], head[HEAD_MAX];
    const size_t full = padded(len);
    uint8_t *text = yr_alloc_secret(s->mem, YR_MEM_ROOM, full + YR_TAG_LEN);
    size_t head_len;
    enum yr_err err = YR_ENOMEM;

    if (text == NULL)
        return err;
    yr_copy(text, plain, len);
    text[len] = 0x80;
    message_keys(mk, kc, chain);
    yr_random(s->rng, nonce, sizeof nonce);
    record->body_len = yr_content_len(len);
    err = yr_room_record_head(record, head, sizeof head, &head_len);
    if (err == YR_OK) {
        yr_seal_x(text, mk, nonce, head, head_len, text, full);
        out.commit = kc;
        out.nonce = nonce;
        out.data = text;
        out.data_len = full + YR_TAG_LEN;
        err = yr_room_body_encode(&out, body, cap, &record->body_len);
        record->body = body;
    }
    yr_wipe(mk, sizeof mk);
    yr_free_secret(s->mem, text);
    return err;
}

enum yr_err yr_epochs_seal(struct yr_epochs *s, yr_ms now_ms, struct yr_room_record *record,
                           const uint8_t *plain, size_t len, uint8_t *body, size_t cap)
{
    struct yr_epoch *e = yr_epoch_best(s, true);
    struct yr_chain chain;
    enum yr_err err;

    (void)now_ms;
    if (e == NULL)
        return YR_EAGAIN;
    if (len > YR_CONTENT_PLAIN_MAX || cap < yr_content_len(len))
        return YR_ESIZE;
    if ((err = yr_chain_begin(s, e, YR_EPOCH_CONTENT, s->self, &chain)) != YR_OK)
        return err == YR_EPROTO || err == YR_ENOENT ? YR_ECORRUPT : err; // we are covered
    err = seal_with(s, e, &chain, record, plain, len, body, cap);
    if (err == YR_OK) {
        yr_chain_step(&chain);
        err = yr_chain_save(s, e, &chain);
        e->count++;
    }
    yr_chain_end(s, &chain);
    return err;
}

// The length of the text before its padding.  Errors: YR_EAUTH: there is none.
static enum yr_err unpad(const uint8_t *plain, size_t full, size_t *len)
{
    size_t n = full;

    while (n > 0 && plain[n - 1] == 0)
        n--;
    if (n == 0 || plain[n - 1] != 0x80 || padded(n - 1) != full)
        return YR_EAUTH;
    *len = n - 1;
    return YR_OK;
}

static enum yr_err open_with(const struct yr_chain *chain, const struct yr_room_record *record,
                             const struct yr_room_body *body, uint8_t *plain, size_t *len)
{
    const size_t head_len = (size_t)(record->body - record->src);
    const size_t full = body->data_len - YR_TAG_LEN;
    uint8_t mk[32], kc[32];
    enum yr_err err = YR_EAUTH;

    message_keys(mk, kc, chain);
    if (yr_equal(kc, body->commit, sizeof kc))
        err =
            yr_unseal_x(plain, mk, body->nonce, record->src, head_len, body->data, body->data_len);
    if (err == YR_OK && (err = unpad(plain, full, len)) != YR_OK)
        yr_wipe(plain, full);
    yr_wipe(mk, sizeof mk);
    return err;
}

// To the index of a message.
static enum yr_err advance(struct yr_chain *chain, uint32_t index, bool pruned)
{
    if (index < chain->next)
        return YR_EEXIST;
    if (index == UINT32_MAX ||
        index - chain->next > (pruned ? (uint32_t)YR_ROOM_JUMP_MAX : (uint32_t)0))
        return YR_EPROTO;
    while (chain->next < index)
        yr_chain_step(chain);
    return YR_OK;
}

enum yr_err yr_epochs_open(struct yr_epochs *s, yr_ms now_ms, const struct yr_room_record *record,
                           const struct yr_room_body *body, bool pruned, uint8_t *plain,
                           size_t *len)
{
    struct yr_epoch *e = yr_epoch_find(s, body->epoch);
    struct yr_chain chain;
    enum yr_err err;

    (void)now_ms;
    if (e == NULL || !yr_epoch_readable(e))
        return YR_ENOENT;
    if (body->data_len <= YR_TAG_LEN || (body->data_len - YR_TAG_LEN) % YR_CONTENT_PAD != 0)
        return YR_EPROTO;
    if ((err = yr_chain_begin(s, e, YR_EPOCH_CONTENT, record->author, &chain)) != YR_OK)
        return err;
    if ((err = advance(&chain, body->index, pruned)) == YR_OK &&
        (err = open_with(&chain, record, body, plain, len)) == YR_OK) {
        yr_chain_step(&chain);
        err = yr_chain_save(s, e, &chain);
        e->count++;
    }
    yr_chain_end(s, &chain);
    return err;
}
