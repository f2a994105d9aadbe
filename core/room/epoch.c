#include "core/room/epoch_state.h"

/* ---- life ---- */

enum yr_err yr_epochs_new(struct yr_epochs **out, struct yr_mem *mem, struct yr_rows *rows,
                          const struct yr_rng *rng, struct yr_authority *authority,
                          const uint8_t room_id[YR_ROOM_ID_LEN], const uint8_t self[YR_MID_LEN],
                          unsigned hist_days)
{
    struct yr_epochs *s = yr_alloc(mem, YR_MEM_ROOM, sizeof *s);
    enum yr_err err;

    if (s == NULL)
        return YR_ENOMEM;
    s->mem = mem;
    s->rows = rows;
    s->rng = rng;
    s->authority = authority;
    memcpy(s->room_id, room_id, sizeof s->room_id);
    memcpy(s->self, self, sizeof s->self);
    s->hist_days = hist_days;
    if ((err = yr_epoch_load(s)) != YR_OK) {
        yr_epochs_free(s);
        return err;
    }
    *out = s;
    return YR_OK;
}

void yr_epochs_free(struct yr_epochs *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        yr_free(s->mem, s->list[i]);
    yr_free(s->mem, s->list);
    yr_free(s->mem, s);
}

struct yr_epoch *yr_epoch_find(const struct yr_epochs *s, const uint8_t id[YR_EPOCH_ID_LEN])
{
    for (size_t i = s->count; i-- > 0;) // the newest are asked for most
        if (yr_epoch_is(s->list[i]->id, id))
            return s->list[i];
    return NULL;
}

/* ---- names and shares ---- */

#define NAME_MAX (9 + YR_ROOM_ID_LEN + YR_MID_LEN + 16 + 32)

static void name_epoch(uint8_t id[YR_EPOCH_ID_LEN], const char *domain,
                       const uint8_t room_id[YR_ROOM_ID_LEN], const uint8_t author[YR_MID_LEN],
                       const uint8_t nonce[16], const uint8_t key[32])
{
    uint8_t bytes[NAME_MAX];
    struct yr_wr wr = yr_wr_init(bytes, sizeof bytes);

    yr_wr_bytes(&wr, domain, strlen(domain));
    yr_wr_bytes(&wr, room_id, YR_ROOM_ID_LEN);
    yr_wr_bytes(&wr, author, YR_MID_LEN);
    yr_wr_bytes(&wr, nonce, 16);
    yr_wr_bytes(&wr, key, 32);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_hash16(id, bytes, yr_wr_len(&wr));
}

void yr_epoch_id_rekey(uint8_t id[YR_EPOCH_ID_LEN], const uint8_t room_id[YR_ROOM_ID_LEN],
                       const uint8_t author[YR_MID_LEN], const uint8_t nonce[16],
                       const uint8_t commit[32])
{
    name_epoch(id, "epoch", room_id, author, nonce, commit);
}

void yr_epoch_id_add(uint8_t id[YR_EPOCH_ID_LEN], const uint8_t room_id[YR_ROOM_ID_LEN],
                     const uint8_t author[YR_MID_LEN], const uint8_t commit[16],
                     const uint8_t sign_pk[32])
{
    name_epoch(id, "epoch/add", room_id, author, commit, sign_pk);
}

void yr_epoch_commit(uint8_t out[32], const uint8_t es[32])
{
    yr_hash2(out, "es", 2, es, 32);
}

#define SHARE_LEN (YR_ROOM_ID_LEN + YR_EPOCH_ID_LEN + 32 + 32 + YR_MID_LEN)

// The key of one share: dh = DH(eph, RX).
static void share_key(const struct yr_epochs *s, uint8_t key[32], const uint8_t dh[32],
                      const uint8_t id[YR_EPOCH_ID_LEN], const uint8_t eph[32],
                      const uint8_t seal_pk[32], const uint8_t author[YR_MID_LEN])
{
    uint8_t ctx[SHARE_LEN];
    struct yr_wr wr = yr_wr_init(ctx, sizeof ctx);

    yr_wr_bytes(&wr, s->room_id, sizeof s->room_id);
    yr_wr_bytes(&wr, id, YR_EPOCH_ID_LEN);
    yr_wr_bytes(&wr, eph, 32);
    yr_wr_bytes(&wr, seal_pk, 32);
    yr_wr_bytes(&wr, author, YR_MID_LEN);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == sizeof ctx);
    yr_kdf(key, 32, dh, YR_LABEL_ROOM_SEAL, ctx, sizeof ctx);
}

static const uint8_t no_nonce[12]; // each key seals once

enum yr_err yr_epoch_share_seal(const struct yr_epochs *s, uint8_t sealed[48],
                                const uint8_t secret[32], const uint8_t id[YR_EPOCH_ID_LEN],
                                const struct yr_keypair *eph, const uint8_t seal_pk[32],
                                const uint8_t author[YR_MID_LEN])
{
    uint8_t dh[32], key[32];
    enum yr_err err = yr_dh(dh, eph->secret_key, seal_pk);

    if (err == YR_OK) {
        share_key(s, key, dh, id, eph->public_key, seal_pk, author);
        yr_seal_c(sealed, key, no_nonce, NULL, 0, secret, 32);
    }
    yr_wipe(dh, sizeof dh);
    yr_wipe(key, sizeof key);
    return err;
}

// Our keys, and what each agrees upon with the ephemeral key of a record.  Made once for all its
// shares: a record that has hundreds for us would else cost as many key agreements.
struct opener {
    const struct yr_keypair *rx;
    size_t count;
    const uint8_t *eph;
    uint8_t dh[YR_ROOM_SEALS_MAX][32];
};

static void opener_init(struct opener *out, const uint8_t eph[32], const struct yr_keypair *rx,
                        size_t rx_count)
{
    out->rx = rx;
    out->eph = eph;
    out->count = 0;
    for (size_t i = 0; i < YR_MIN(rx_count, YR_COUNT(out->dh)); i++) {
        if (yr_dh(out->dh[i], rx[i].secret_key, eph) != YR_OK)
            break; // of no use with any key
        out->count++;
    }
}

// Open a share with any of our keys.
static bool share_open(const struct yr_epochs *s, uint8_t secret[32], const uint8_t sealed[48],
                       const uint8_t id[YR_EPOCH_ID_LEN], const uint8_t author[YR_MID_LEN],
                       const struct opener *opener)
{
    uint8_t key[32];
    bool done = false;

    for (size_t i = 0; i < opener->count && !done; i++) {
        share_key(s, key, opener->dh[i], id, opener->eph, opener->rx[i].public_key, author);
        done = yr_unseal_c(secret, key, no_nonce, NULL, 0, sealed, 48) == YR_OK;
    }
    yr_wipe(key, sizeof key);
    return done;
}

/* ---- bounds ---- */

// Of those that may go, the one that is missed least: no candidate for sending, the oldest.
static struct yr_epoch *least(struct yr_epochs *s, const uint8_t *author)
{
    const struct yr_epoch *best = yr_epoch_best(s, false), *ours = yr_epoch_best(s, true);
    struct yr_epoch *worst = NULL;

    for (size_t i = 0; i < s->count; i++) {
        struct yr_epoch *e = s->list[i];
        bool sooner;

        if (e == best || e == ours)
            continue;
        if (author != NULL && (e->added || memcmp(e->author, author, YR_MID_LEN) != 0))
            continue;
        sooner = worst == NULL || e->seen_ms < worst->seen_ms;
        if (worst != NULL && yr_epoch_current(s, e) != yr_epoch_current(s, worst))
            sooner = !yr_epoch_current(s, e);
        if (sooner)
            worst = e;
    }
    return worst;
}

static size_t made_by(const struct yr_epochs *s, const uint8_t author[YR_MID_LEN])
{
    size_t n = 0;

    for (size_t i = 0; i < s->count; i++)
        n += !s->list[i]->added && memcmp(s->list[i]->author, author, YR_MID_LEN) == 0;
    return n;
}

// It is no epoch; what was granted under its name stays.
static enum yr_err drop(struct yr_epochs *s, struct yr_epoch *e)
{
    enum yr_err err;

    if (!e->granted)
        return yr_epoch_delete(s, e);
    e->partial = e->whole = false;
    memset(e->author, 0, sizeof e->author);
    if ((err = yr_epoch_del(s, e, YR_EPOCH_PARTS)) != YR_OK)
        return err;
    return yr_epoch_save(s, e);
}

// One author's REKEYs come one after the other: another one begun ends the one before.
static enum yr_err drop_partials(struct yr_epochs *s, const uint8_t author[YR_MID_LEN])
{
    struct yr_epoch *oldest = NULL;
    size_t partials = 0;
    enum yr_err err;

    for (size_t i = 0; i < s->count; i++) {
        struct yr_epoch *e = s->list[i];

        if (!e->partial)
            continue;
        if (memcmp(e->author, author, YR_MID_LEN) == 0)
            return drop(s, e); // there is only one
        partials++;
        if (oldest == NULL || e->seen_ms < oldest->seen_ms)
            oldest = e;
    }
    err = partials < YR_ROOM_PARTIALS_MAX ? YR_OK : drop(s, oldest);
    return err;
}

// A new one, within the bounds.  rekey_of: the author of a REKEY, else NULL.
static enum yr_err make(struct yr_epochs *s, const uint8_t id[YR_EPOCH_ID_LEN],
                        const uint8_t *rekey_of, uint64_t now_ms, struct yr_epoch **out)
{
    struct yr_epoch *old = NULL;
    enum yr_err err;

    if (rekey_of != NULL && made_by(s, rekey_of) >= YR_ROOM_EPOCHS_EACH)
        old = least(s, rekey_of);
    else if (s->count >= YR_ROOM_EPOCHS_KEPT)
        old = least(s, NULL);
    if (old != NULL && (err = yr_epoch_delete(s, old)) != YR_OK)
        return err;
    if ((*out = yr_epoch_append(s, id)) == NULL)
        return YR_ENOMEM;
    (*out)->seen_ms = now_ms;
    return YR_OK;
}

/* ---- epochs made by an ADD ---- */

#define ADD_CTX_LEN (32 + 32 + YR_MID_LEN)

void yr_epoch_es_of_add(uint8_t es[32], const uint8_t ak[32], const uint8_t sign_pk[32],
                        const uint8_t seal_pk[32], const uint8_t author[YR_MID_LEN])
{
    uint8_t ctx[ADD_CTX_LEN];

    memcpy(ctx, sign_pk, 32);
    memcpy(ctx + 32, seal_pk, 32);
    memcpy(ctx + 64, author, YR_MID_LEN);
    yr_kdf(es, 32, ak, YR_LABEL_ROOM_ES, ctx, sizeof ctx);
}

static bool add_commits(const struct yr_epoch *e, const uint8_t es[32])
{
    uint8_t commit[32];

    yr_epoch_commit(commit, es);
    return memcmp(commit, e->commit, sizeof e->commit) == 0;
}

static enum yr_err install_add(struct yr_epochs *s, struct yr_epoch *e, const uint8_t es[32])
{
    const uint8_t(*maker)[YR_REC_ID_LEN] = (const uint8_t(*)[YR_REC_ID_LEN]) & e->maker;
    struct yr_room_member *members;
    size_t count;
    enum yr_err err;

    if ((err = yr_epoch_members(s, maker, 1, &members, &count)) != YR_OK)
        return err == YR_ESIZE ? YR_OK : err; // a room too large has no epochs
    err = yr_epoch_install(s, e, es, members, count);
    yr_free(s->mem, members);
    return err;
}

static bool is_newcomer(const struct yr_epochs *s, const struct yr_epoch *e)
{
    uint8_t mid[YR_MID_LEN];

    yr_room_mid(mid, s->room_id, e->sign_pk);
    return memcmp(mid, s->self, sizeof mid) == 0;
}

// From the adder's chain in the parent, if that is where the ADD took it from.
static enum yr_err derive(struct yr_epochs *s, struct yr_epoch *parent, struct yr_epoch *e)
{
    struct yr_chain chain;
    uint8_t es[32];
    enum yr_err err = yr_chain_begin(s, parent, YR_EPOCH_ADDS, e->author, &chain);

    if (err == YR_EPROTO || err == YR_ENOENT)
        return YR_OK;
    if (err != YR_OK)
        return err;
    yr_epoch_es_of_add(es, chain.key, e->sign_pk, e->seal_pk, e->author);
    if (add_commits(e, es)) {
        yr_chain_step(&chain);
        err = yr_chain_save(s, parent, &chain);
        if (err == YR_OK)
            err = install_add(s, e, es);
    }
    yr_wipe(es, sizeof es);
    yr_chain_end(s, &chain);
    return err;
}

// An epoch made by an ADD, when something new is known of its parent.  May delete it.
static enum yr_err settle(struct yr_epochs *s, struct yr_epoch *e)
{
    struct yr_epoch *parent = yr_epoch_find(s, e->parent);
    enum yr_err err;

    if (parent == NULL || !parent->whole || is_newcomer(s, e))
        return YR_OK;
    if (memcmp(parent->membership, e->before, sizeof e->before) != 0)
        return drop(s, e);
    if (e->seen_ms != parent->seen_ms) {
        e->seen_ms = parent->seen_ms; // it heals nothing that its parent did not
        if ((err = yr_epoch_save(s, e)) != YR_OK)
            return err;
    }
    return e->open || !parent->open ? YR_OK : derive(s, parent, e);
}

static struct yr_epoch *next_fresh(const struct yr_epochs *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i]->fresh)
            return s->list[i];
    return NULL;
}

// Look at the children of all that have changed.  They are in the order of each author.
static enum yr_err settle_all(struct yr_epochs *s)
{
    struct yr_epoch *parent;
    enum yr_err err;

    while ((parent = next_fresh(s)) != NULL) {
        parent->fresh = false;
        for (size_t i = 0; i < s->count;) {
            struct yr_epoch *e = s->list[i];

            if (e->added && e->whole && yr_epoch_is(e->parent, parent->id) &&
                (err = settle(s, e)) != YR_OK)
                return err;
            i += i < s->count && s->list[i] == e;
        }
    }
    return YR_OK;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

// What the records say of it.
static enum yr_err fill_add(struct yr_epochs *s, struct yr_epoch *e,
                            const struct yr_room_record *record, const struct yr_room_body *body)
{
    struct yr_room_op op;
    unsigned depth;
    enum yr_err err;

    yr_room_op_from(&op, record, body);
    err = yr_authority_membership_at(s->authority, (const uint8_t(*)[YR_REC_ID_LEN])op.parents,
                                     op.parent_count, e->before);
    if (err == YR_OK)
        err = yr_authority_membership_at(
            s->authority, (const uint8_t(*)[YR_REC_ID_LEN]) & record->id, 1, e->membership);
    if (err != YR_OK || !yr_authority_depth(s->authority, record->id, &depth))
        return YR_EINVAL;
    e->whole = e->added = true;
    e->depth = depth;
    memcpy(e->author, record->author, sizeof e->author);
    memcpy(e->maker, record->id, sizeof e->maker);
    memcpy(e->parent, body->epoch, sizeof e->parent);
    memcpy(e->commit, body->nonce, sizeof e->commit);
    memcpy(e->sign_pk, body->sign_pk, sizeof e->sign_pk);
    memcpy(e->seal_pk, body->seal_pk, sizeof e->seal_pk);
    return YR_OK;
}

// Our own ADD: the share that the inviter sealed to us.
static enum yr_err open_own_add(struct yr_epochs *s, struct yr_epoch *e,
                                const struct yr_room_body *body, const struct yr_keypair *rx,
                                size_t rx_count)
{
    struct opener opener;
    uint8_t es[32];
    enum yr_err err = YR_OK;

    opener_init(&opener, body->eph, rx, rx_count);
    if (share_open(s, es, body->sealed, e->id, e->author, &opener) && add_commits(e, es))
        err = install_add(s, e, es);
    yr_wipe(es, sizeof es);
    yr_wipe(&opener, sizeof opener);
    return err;
}

enum yr_err yr_epochs_on_add(struct yr_epochs *s, yr_ms now_ms, const struct yr_room_record *record,
                             const struct yr_room_body *body, const struct yr_keypair *rx,
                             size_t rx_count)
{
    uint8_t id[YR_EPOCH_ID_LEN];
    struct yr_epoch *e;
    enum yr_err err;

    if (is_zero(body->epoch, YR_EPOCH_ID_LEN))
        return YR_OK;
    yr_epoch_id_add(id, s->room_id, record->author, body->nonce, body->sign_pk);
    if ((e = yr_epoch_find(s, id)) != NULL && (e->whole || e->partial))
        return YR_OK;
    if (e == NULL && (err = make(s, id, NULL, (uint64_t)now_ms, &e)) != YR_OK)
        return err;
    if ((err = fill_add(s, e, record, body)) != YR_OK || (err = yr_epoch_save(s, e)) != YR_OK)
        return err;
    if (is_newcomer(s, e))
        err = open_own_add(s, e, body, rx, rx_count);
    else
        err = settle(s, e);
    return err == YR_OK ? settle_all(s) : err;
}

/* ---- epochs made by a REKEY ---- */

static int by_mid4(const void *a, const void *b)
{
    return memcmp(a, b, 4);
}

// Are the recipients exactly these, as far as their first four bytes tell?
static bool recipients_are(struct yr_epoch_parts *p, const struct yr_room_member *members,
                           size_t count)
{
    if (p->mid4_count != count)
        return false;
    qsort(p->mid4, count, sizeof p->mid4[0], by_mid4);
    for (size_t i = 0; i < count; i++)
        if (memcmp(p->mid4[i], members[i].mid, 4) != 0)
            return false;
    return true;
}

static bool among(const struct yr_room_member *members, size_t count, const uint8_t mid[YR_MID_LEN])
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(members[i].mid, mid, YR_MID_LEN) == 0)
            return true;
    return false;
}

static bool cites(const struct yr_epoch_parts *p, const uint8_t id[YR_REC_ID_LEN])
{
    for (size_t i = 0; i < p->control_count; i++)
        if (memcmp(p->control[i], id, YR_REC_ID_LEN) == 0)
            return true;
    for (size_t i = 0; i < p->other_count; i++)
        if (memcmp(p->other[i], id, YR_REC_ID_LEN) == 0)
            return true;
    return false;
}

// How many REKEYs it follows at its depth.  What it cites and is not here any more came after all
// that is.
static uint32_t generation_of(const struct yr_epochs *s, const struct yr_epoch *e,
                              const struct yr_epoch_parts *p)
{
    uint32_t cited = 0, any = 0;
    bool found = false;

    for (size_t i = 0; i < s->count; i++) {
        const struct yr_epoch *o = s->list[i];

        if (o == e || !o->whole)
            continue;
        if (o->depth == e->depth)
            any = YR_MAX(any, o->generation + 1);
        if (!cites(p, o->maker))
            continue;
        found = true;
        if (o->depth == e->depth)
            cited = YR_MAX(cited, o->generation + 1);
    }
    return found || p->other_count == 0 ? cited : any;
}

static enum yr_err load_parts(struct yr_epochs *s, const struct yr_epoch *e,
                              struct yr_epoch_parts *p);
static enum yr_err save_parts(struct yr_epochs *s, const struct yr_epoch *e,
                              const struct yr_epoch_parts *p);

// All parts are here.  May delete it.  Errors: YR_EPROTO: it is no epoch.
static enum yr_err complete(struct yr_epochs *s, struct yr_epoch *e, struct yr_epoch_parts *p,
                            uint64_t now_ms)
{
    const uint8_t(*control)[YR_REC_ID_LEN] = (const uint8_t(*)[YR_REC_ID_LEN])p->control;
    struct yr_room_member *members = NULL;
    unsigned depth = 0, deepest = 0;
    size_t count = 0;
    enum yr_err err = p->control_count == 0 ? YR_ESIZE : YR_OK;

    if (err == YR_OK)
        err = yr_epoch_members(s, control, p->control_count, &members, &count);
    if (err == YR_OK && (!recipients_are(p, members, count) || !among(members, count, e->author)))
        err = YR_ESIZE;
    if (err == YR_OK)
        err = yr_authority_membership_at(s->authority, control, p->control_count, e->membership);
    if (err == YR_OK)
        err = yr_epoch_del(s, e, YR_EPOCH_PARTS);
    if (err == YR_ESIZE) {
        yr_free(s->mem, members);
        err = drop(s, e);
        return err == YR_OK ? YR_EPROTO : err;
    }
    if (err == YR_OK) {
        for (size_t i = 0; i < p->control_count; i++)
            if (yr_authority_depth(s->authority, p->control[i], &depth))
                deepest = YR_MAX(deepest, depth);
        e->depth = deepest;
        e->generation = generation_of(s, e, p);
        e->partial = false;
        e->whole = e->fresh = true;
        e->seen_ms = now_ms;
        if (p->mine)
            err = yr_epoch_install(s, e, p->es, members, count);
        else if (s->hist_days == 0 || // else it may be granted yet
                 (err = yr_epoch_put_members(s, e, members, count)) == YR_OK)
            err = yr_epoch_save(s, e);
    }
    yr_free(s->mem, members);
    return err;
}

// Our own share, if it is in this part.
static void find_share(struct yr_epochs *s, const struct yr_epoch *e, struct yr_epoch_parts *p,
                       const struct yr_room_body *body, const struct yr_keypair *rx,
                       size_t rx_count)
{
    struct opener opener = {.count = 0};
    uint8_t commit[32], es[32];

    for (size_t i = 0; i < body->list_count && !p->mine; i++) {
        const uint8_t *entry = body->list + i * (4 + 48);

        if (memcmp(entry, s->self, 4) != 0)
            continue;
        if (opener.eph == NULL)
            opener_init(&opener, body->eph, rx, rx_count);
        if (!share_open(s, es, entry + 4, e->id, e->author, &opener))
            continue;
        yr_epoch_commit(commit, es);
        if (yr_equal(commit, body->commit, sizeof commit)) {
            memcpy(p->es, es, sizeof p->es);
            p->mine = true;
        }
    }
    yr_wipe(es, sizeof es);
    yr_wipe(&opener, sizeof opener);
}

// Errors: YR_EPROTO: it cannot be.
static enum yr_err add_part(struct yr_epochs *s, struct yr_epoch_parts *p,
                            const struct yr_room_record *record, const struct yr_room_body *body)
{
    unsigned depth;

    if (body->list_count > YR_ROOM_MEMBERS_MAX - p->mid4_count)
        return YR_EPROTO;
    for (size_t i = 0; i < body->list_count; i++)
        memcpy(p->mid4[p->mid4_count++], body->list + i * (4 + 48), 4);
    for (size_t i = 0; i < record->dep_count; i++) {
        if (cites(p, record->deps[i]))
            continue;
        if (yr_authority_depth(s->authority, record->deps[i], &depth))
            memcpy(p->control[p->control_count++], record->deps[i], YR_REC_ID_LEN);
        else if (p->other_count < YR_ROOM_DEPS_MAX)
            memcpy(p->other[p->other_count++], record->deps[i], YR_REC_ID_LEN);
    }
    p->have[body->part] = true;
    p->left--;
    return YR_OK;
}

// The epoch a part belongs to, which it may begin.  *out NULL: nothing is to be done.
static enum yr_err rekey_epoch(struct yr_epochs *s, uint64_t now_ms,
                               const struct yr_room_record *record, const struct yr_room_body *body,
                               struct yr_epoch **out)
{
    uint8_t id[YR_EPOCH_ID_LEN];
    struct yr_epoch *e;
    enum yr_err err;

    *out = NULL;
    yr_epoch_id_rekey(id, s->room_id, record->author, body->nonce, body->commit);
    e = yr_epoch_find(s, id);
    if (e != NULL && e->whole)
        return YR_OK;
    if (e == NULL || !e->partial) {
        if ((err = drop_partials(s, record->author)) != YR_OK)
            return err;
        if (e == NULL && (err = make(s, id, record->author, now_ms, &e)) != YR_OK)
            return err;
        e->partial = true;
        memcpy(e->author, record->author, sizeof e->author);
    }
    *out = e;
    return YR_OK;
}

enum yr_err yr_epochs_on_rekey(struct yr_epochs *s, yr_ms now_ms,
                               const struct yr_room_record *record, const struct yr_room_body *body,
                               const struct yr_keypair *rx, size_t rx_count)
{
    struct yr_epoch_parts *p = NULL;
    struct yr_epoch *e;
    enum yr_err err;

    if (body->parts > YR_ROOM_PARTS_MAX)
        return YR_EPROTO;
    if ((err = rekey_epoch(s, (uint64_t)now_ms, record, body, &e)) != YR_OK || e == NULL)
        return err;
    if ((p = yr_alloc_secret(s->mem, YR_MEM_ROOM, sizeof *p)) == NULL)
        return YR_ENOMEM;
    err = load_parts(s, e, p);
    if (err == YR_ENOENT) {
        p->parts = p->left = body->parts;
        err = YR_OK;
    }
    if (err != YR_OK || (p->parts == body->parts && p->have[body->part]))
        goto out;
    err = p->parts == body->parts ? add_part(s, p, record, body) : YR_EPROTO;
    if (err == YR_EPROTO) {
        err = drop(s, e);
        err = err == YR_OK ? YR_EPROTO : err;
        goto out;
    }
    if (body->part + 1 == body->parts)
        memcpy(e->maker, record->id, sizeof e->maker);
    find_share(s, e, p, body, rx, rx_count);
    if (p->left > 0) {
        if ((err = save_parts(s, e, p)) == YR_OK)
            err = yr_epoch_save(s, e);
    } else if ((err = complete(s, e, p, (uint64_t)now_ms)) == YR_OK) {
        err = settle_all(s);
    }
out:
    yr_free_secret(s->mem, p);
    return err;
}

/* parts as a row: parts u8 | left u8 | mine u8 | es 32 | have | counts u16 | lists */

#define PARTS_LEN_MAX                                           \
    (3 + 32 + YR_ROOM_PARTS_MAX + 6 + YR_ROOM_MEMBERS_MAX * 4 + \
     (YR_ROOM_PARTS_MAX + 1) * YR_ROOM_DEPS_MAX * YR_REC_ID_LEN)

static_assert(PARTS_LEN_MAX <= YR_ROW_MAX, "the parts of a REKEY are a row");

static enum yr_err save_parts(struct yr_epochs *s, const struct yr_epoch *e,
                              const struct yr_epoch_parts *p)
{
    uint8_t *row = yr_alloc_secret(s->mem, YR_MEM_ROOM, PARTS_LEN_MAX);
    struct yr_wr wr = yr_wr_init(row, PARTS_LEN_MAX);
    enum yr_err err;

    if (row == NULL)
        return YR_ENOMEM;
    yr_wr_u8(&wr, p->parts);
    yr_wr_u8(&wr, p->left);
    yr_wr_u8(&wr, p->mine);
    yr_wr_bytes(&wr, p->es, sizeof p->es);
    for (size_t i = 0; i < p->parts; i++)
        yr_wr_u8(&wr, p->have[i]);
    yr_wr_u16(&wr, (uint16_t)p->mid4_count);
    yr_wr_u16(&wr, (uint16_t)p->control_count);
    yr_wr_u16(&wr, (uint16_t)p->other_count);
    yr_wr_bytes(&wr, p->mid4, p->mid4_count * 4);
    yr_wr_bytes(&wr, p->control, p->control_count * YR_REC_ID_LEN);
    yr_wr_bytes(&wr, p->other, p->other_count * YR_REC_ID_LEN);
    YR_ASSERT(yr_wr_ok(&wr));
    err = yr_epoch_put(s, e, YR_EPOCH_PARTS, row, yr_wr_len(&wr));
    yr_free_secret(s->mem, row);
    return err;
}

static enum yr_err decode_parts(struct yr_epoch_parts *p, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);

    p->parts = yr_rd_u8(&rd);
    p->left = yr_rd_u8(&rd);
    p->mine = yr_rd_u8(&rd) != 0;
    yr_rd_copy(&rd, p->es, sizeof p->es);
    for (size_t i = 0; i < p->parts && i < YR_ROOM_PARTS_MAX; i++)
        p->have[i] = yr_rd_u8(&rd) != 0;
    p->mid4_count = yr_rd_u16(&rd);
    p->control_count = yr_rd_u16(&rd);
    p->other_count = yr_rd_u16(&rd);
    if (rd.bad || p->mid4_count > YR_COUNT(p->mid4) || p->control_count > YR_COUNT(p->control) ||
        p->other_count > YR_COUNT(p->other) || p->left > p->parts)
        return YR_ECORRUPT;
    yr_rd_copy(&rd, p->mid4, p->mid4_count * 4);
    yr_rd_copy(&rd, p->control, p->control_count * YR_REC_ID_LEN);
    yr_rd_copy(&rd, p->other, p->other_count * YR_REC_ID_LEN);
    return yr_rd_done(&rd) ? YR_OK : YR_ECORRUPT;
}

static enum yr_err load_parts(struct yr_epochs *s, const struct yr_epoch *e,
                              struct yr_epoch_parts *p)
{
    uint8_t *row = yr_alloc_secret(s->mem, YR_MEM_ROOM, PARTS_LEN_MAX + 64);
    enum yr_err err = YR_ENOMEM;
    size_t len;

    if (row != NULL)
        err = yr_epoch_get(s, e, YR_EPOCH_PARTS, row, PARTS_LEN_MAX + 64, &len);
    if (err == YR_OK)
        err = decode_parts(p, row, len);
    yr_free_secret(s->mem, row);
    return err;
}

/* ---- history ---- */

static enum yr_err grant(struct yr_epochs *s, uint64_t now_ms, const uint8_t id[YR_EPOCH_ID_LEN],
                         const uint8_t root[32])
{
    struct yr_epoch *e = yr_epoch_find(s, id);
    enum yr_err err;

    if (e == NULL && (err = make(s, id, NULL, now_ms, &e)) != YR_OK)
        return err;
    if (e->open)
        return YR_OK;
    if (e->granted) { // again: unless the first one was good for something
        if ((err = yr_epoch_count(s, e)) != YR_OK || e->count > 0)
            return err;
    }
    if ((err = yr_epoch_put(s, e, YR_EPOCH_KEPT, root, 32)) != YR_OK)
        return err;
    e->granted = e->kept = e->announce = true;
    return yr_epoch_save(s, e);
}

enum yr_err yr_epochs_on_hist(struct yr_epochs *s, yr_ms now_ms,
                              const struct yr_room_record *record, const struct yr_room_body *body,
                              const struct yr_keypair *rx, size_t rx_count)
{
    struct opener opener;
    uint8_t root[32];
    enum yr_err err = YR_OK;

    if (s->hist_days == 0 || memcmp(body->mid, s->self, YR_MID_LEN) != 0)
        return YR_OK;
    opener_init(&opener, body->eph, rx, rx_count);
    for (size_t i = 0; i < body->list_count && err == YR_OK; i++) {
        const uint8_t *entry = body->list + i * (YR_EPOCH_ID_LEN + 48);

        if (share_open(s, root, entry + YR_EPOCH_ID_LEN, entry, record->author, &opener))
            err = grant(s, (uint64_t)now_ms, entry, root);
    }
    yr_wipe(root, sizeof root);
    yr_wipe(&opener, sizeof opener);
    return err;
}
