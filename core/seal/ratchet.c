#include "core/seal/ratchet.h"

#include "core/base/bytes.h"
#include "core/crypto/aead.h"

#define VERSION     1
#define ROW_VERSION 1
#define SID8        8 /* bytes of the session id that travel */
#define HEAD_LEN    (1 + SID8 + 32 + 4 + 4)
#define AD_LEN      (YR_SID_LEN + HEAD_LEN)

static_assert(HEAD_LEN == 49, "layout of B.7");
static_assert(YR_RATCHET_OVERHEAD == HEAD_LEN + YR_NONCE_LEN + YR_TAG_LEN, "layout of B.7");

/* ---- prekeys ---- */

void yr_prekey_new(struct yr_prekey_own *out, uint32_t id, uint32_t exp_s, const struct yr_rng *rng)
{
    uint8_t seed[32];

    yr_random(rng, seed, sizeof seed);
    out->id = id;
    yr_keypair_from_seed(&out->pair, seed);
    out->exp_s = exp_s;
    yr_wipe(seed, sizeof seed);
}

void yr_prekey_public(struct yr_prekey *out, const struct yr_prekey_own *own)
{
    out->id = own->id;
    memcpy(out->pk, own->pair.public_key, sizeof out->pk);
    out->exp_s = own->exp_s;
}

void yr_prekey_encode(uint8_t out[YR_PREKEY_LEN], const struct yr_prekey *prekey)
{
    struct yr_wr wr = yr_wr_init(out, YR_PREKEY_LEN);

    yr_wr_u32(&wr, prekey->id);
    yr_wr_bytes(&wr, prekey->pk, sizeof prekey->pk);
    yr_wr_u32(&wr, prekey->exp_s);
}

enum yr_err yr_prekey_decode(struct yr_prekey *out, const void *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_prekey prekey;

    prekey.id = yr_rd_u32(&rd);
    yr_rd_copy(&rd, prekey.pk, sizeof prekey.pk);
    prekey.exp_s = yr_rd_u32(&rd);
    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    *out = prekey;
    return YR_OK;
}

size_t yr_prekey_own_encode(uint8_t out[YR_PREKEY_OWN_LEN], const struct yr_prekey_own *own)
{
    struct yr_wr wr = yr_wr_init(out, YR_PREKEY_OWN_LEN);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u32(&wr, own->id);
    yr_wr_bytes(&wr, own->pair.secret_key, sizeof own->pair.secret_key);
    yr_wr_u32(&wr, own->exp_s);
    return YR_PREKEY_OWN_LEN;
}

enum yr_err yr_prekey_own_decode(struct yr_prekey_own *out, const void *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    const uint8_t version = yr_rd_u8(&rd);
    const uint32_t id = yr_rd_u32(&rd);
    const uint8_t *secret = yr_rd_bytes(&rd, 32);
    const uint32_t exp_s = yr_rd_u32(&rd);

    if (len > 0 && version != ROW_VERSION)
        return YR_EVERSION;
    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    out->id = id;
    yr_keypair_from_seed(&out->pair, secret);
    out->exp_s = exp_s;
    return YR_OK;
}

/* ---- key steps ---- */

// (RK, CK) = NHKDF(RK, DH(own, theirs)).  Errors: YR_EAUTH, nothing written.
static enum yr_err root_step(uint8_t rk[64], uint8_t ck[32], const uint8_t own[32],
                             const uint8_t theirs[32])
{
    uint8_t shared[32], next[64], chain[64];
    enum yr_err err;

    if ((err = yr_dh(shared, own, theirs)) == YR_OK) {
        yr_noise_hkdf2(next, chain, rk, shared, sizeof shared);
        memcpy(rk, next, sizeof next);
        memcpy(ck, chain, 32);
        yr_wipe(next, sizeof next);
        yr_wipe(chain, sizeof chain);
    }
    yr_wipe(shared, sizeof shared);
    return err;
}

static void message_key(uint8_t mk[32], const uint8_t ck[32])
{
    yr_kdf(mk, 32, ck, YR_LABEL_DR_MK, NULL, 0);
}

static void chain_step(uint8_t ck[32])
{
    uint8_t next[32];

    yr_kdf(next, sizeof next, ck, YR_LABEL_DR_CK, NULL, 0);
    memcpy(ck, next, sizeof next);
    yr_wipe(next, sizeof next);
}

// A ratchet key of our own and the sending chain under it.
static enum yr_err begin_sending(struct yr_session *s, const struct yr_rng *rng)
{
    uint8_t seed[32];
    enum yr_err err;

    yr_random(rng, seed, sizeof seed);
    yr_keypair_from_seed(&s->dhs, seed);
    yr_wipe(seed, sizeof seed);
    err = root_step(s->rk, s->cks, s->dhs.secret_key, s->dhr);
    s->pn = s->ns;
    s->ns = 0;
    s->flags |= YR_SESSION_SENDS;
    return err;
}

/* ---- start ---- */

static void start(struct yr_session *out, const uint8_t exporter[32], const uint8_t h[64],
                  uint32_t day)
{
    memset(out, 0, sizeof *out);
    yr_hash16(out->sid, h, 64);
    yr_kdf(out->rk, sizeof out->rk, exporter, YR_LABEL_DR_ROOT, h, 64);
    out->day = day;
}

void yr_session_start_receiver(struct yr_session *out, const uint8_t exporter[32],
                               const uint8_t h[64], const struct yr_keypair *prekey, uint32_t day)
{
    start(out, exporter, h, day);
    out->dhs = *prekey;
}

enum yr_err yr_session_start_sender(struct yr_session *out, const uint8_t exporter[32],
                                    const uint8_t h[64], const uint8_t prekey[32], uint32_t day,
                                    const struct yr_rng *rng)
{
    struct yr_session s;
    enum yr_err err;

    start(&s, exporter, h, day);
    memcpy(s.dhr, prekey, sizeof s.dhr);
    if ((err = begin_sending(&s, rng)) == YR_OK)
        *out = s;
    yr_session_clear(&s);
    return err;
}

void yr_session_clear(struct yr_session *session)
{
    if (session != NULL)
        yr_wipe(session, sizeof *session);
}

/* ---- send ---- */

enum yr_err yr_session_encrypt(struct yr_session *s, const struct yr_rng *rng, const void *plain,
                               size_t len, uint8_t *out, size_t cap, size_t *out_len)
{
    struct yr_wr wr = yr_wr_init(out, cap);
    uint8_t ad[AD_LEN], mk[32];
    uint8_t *nonce;

    if ((s->flags & YR_SESSION_SENDS) == 0)
        return YR_EAGAIN;
    if (s->ns == UINT32_MAX)
        return YR_EFULL;
    if (cap < YR_RATCHET_OVERHEAD || len > cap - YR_RATCHET_OVERHEAD)
        return YR_ESIZE;
    yr_wr_u8(&wr, VERSION);
    yr_wr_bytes(&wr, s->sid, SID8);
    yr_wr_bytes(&wr, s->dhs.public_key, 32);
    yr_wr_u32(&wr, s->pn);
    yr_wr_u32(&wr, s->ns);
    memcpy(ad, s->sid, YR_SID_LEN);
    memcpy(ad + YR_SID_LEN, out, HEAD_LEN);
    nonce = yr_wr_room(&wr, YR_NONCE_LEN);
    yr_random(rng, nonce, YR_NONCE_LEN);

    message_key(mk, s->cks);
    yr_seal_x(wr.at, mk, nonce, ad, sizeof ad, plain, len);
    chain_step(s->cks);
    s->ns++;
    yr_wipe(mk, sizeof mk);
    *out_len = len + YR_RATCHET_OVERHEAD;
    return YR_OK;
}

/* ---- receive ---- */

// A message, taken apart; the pointers are lent from it.
struct message {
    const uint8_t *head, *sid8, *dh, *nonce, *ct;
    uint32_t pn, n;
    size_t ct_len;
};

static enum yr_err parse(struct message *out, const void *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct message m = {.head = src};
    const uint8_t version = yr_rd_u8(&rd);

    m.sid8 = yr_rd_bytes(&rd, SID8);
    m.dh = yr_rd_bytes(&rd, 32);
    m.pn = yr_rd_u32(&rd);
    m.n = yr_rd_u32(&rd);
    m.nonce = yr_rd_bytes(&rd, YR_NONCE_LEN);
    m.ct_len = yr_rd_left(&rd);
    m.ct = yr_rd_bytes(&rd, m.ct_len);
    if (len > 0 && version != VERSION)
        return YR_EVERSION;
    if (!yr_rd_done(&rd) || m.ct_len < YR_TAG_LEN || m.n == UINT32_MAX)
        return YR_EPROTO;
    *out = m;
    return YR_OK;
}

enum yr_err yr_session_peek(const void *msg, size_t len, uint8_t sid8[8])
{
    struct message m;
    enum yr_err err;

    if ((err = parse(&m, msg, len)) == YR_OK)
        memcpy(sid8, m.sid8, SID8);
    return err;
}

static enum yr_err open_message(const struct message *m, const uint8_t sid[YR_SID_LEN],
                                const uint8_t mk[32], uint8_t *out)
{
    uint8_t ad[AD_LEN];

    memcpy(ad, sid, YR_SID_LEN);
    memcpy(ad + YR_SID_LEN, m->head, HEAD_LEN);
    return yr_unseal_x(out, mk, m->nonce, ad, sizeof ad, m->ct, m->ct_len);
}

static bool is_past(const struct yr_session *s, const uint8_t dh[32])
{
    for (size_t i = 0; i < s->past_count; i++)
        if (memcmp(s->past[i], dh, sizeof s->past[i]) == 0)
            return true;
    return false;
}

static void push_past(struct yr_session *s)
{
    memmove(s->past[1], s->past[0], sizeof s->past - sizeof s->past[0]);
    memcpy(s->past[0], s->dhr, sizeof s->past[0]);
    s->past_count = (uint8_t)YR_MIN(s->past_count + 1, YR_CHAINS_MAX);
}

// What one message does to the receiving chains: numbers skipped at the end of the present one and
// at the beginning of the next, if it starts a next one.
struct plan {
    bool next_chain;
    uint32_t skip_old, skip_new;
};

static enum yr_err make_plan(struct plan *out, const struct yr_session *s, const struct message *m)
{
    const bool receives = (s->flags & YR_SESSION_RECEIVES) != 0;
    const uint32_t nr = receives ? s->nr : 0;
    struct plan plan = {0};

    if (receives && memcmp(m->dh, s->dhr, 32) == 0) {
        if (m->n < nr)
            return YR_EEXIST;
        plan.skip_old = m->n - nr;
    } else {
        if (is_past(s, m->dh))
            return YR_EEXIST;
        if (m->pn < nr || (!receives && m->pn != 0))
            return YR_EAUTH; // forged, or of a chain so long past that nothing knows it any more
        plan.next_chain = true;
        plan.skip_old = m->pn - nr;
        plan.skip_new = m->n;
    }
    if ((uint64_t)plan.skip_old + plan.skip_new > YR_SKIP_MAX)
        return YR_EFULL;
    *out = plan;
    return YR_OK;
}

// Walk `count` numbers from `first` on and keep their keys; ck ends after the last.
static void keep_skipped(struct yr_skipped *skipped, const struct yr_chain_tag *tag, uint8_t ck[32],
                         uint32_t first, uint32_t count, uint64_t now_s)
{
    uint8_t mk[32];

    yr_skipped_make_room(skipped, tag, count, now_s);
    for (uint32_t i = 0; i < count; i++) {
        message_key(mk, ck);
        yr_skipped_put(skipped, tag, first + i, mk, now_s);
        chain_step(ck);
    }
    yr_wipe(mk, sizeof mk);
}

// Derive the message's key and open it; *s becomes the session after it, but for our own next
// ratchet key.  Skipped keys are only walked over: they are kept once all has succeeded, from the
// old chain's key in the session before and from new_ck, the first key of a chain that begins here.
static enum yr_err receive(struct yr_session *s, uint8_t new_ck[32], const struct plan *plan,
                           const struct message *m, uint8_t *out)
{
    uint32_t walk = plan->next_chain ? plan->skip_new : plan->skip_old;
    uint8_t mk[32];
    enum yr_err err;

    if (plan->next_chain) {
        if ((s->flags & YR_SESSION_RECEIVES) != 0)
            push_past(s);
        memcpy(s->dhr, m->dh, sizeof s->dhr);
        if ((err = root_step(s->rk, s->ckr, s->dhs.secret_key, s->dhr)) != YR_OK)
            return err;
        memcpy(new_ck, s->ckr, 32);
    }
    while (walk-- > 0)
        chain_step(s->ckr);
    message_key(mk, s->ckr);
    err = open_message(m, s->sid, mk, out);
    chain_step(s->ckr);
    s->nr = m->n + 1;
    s->flags |= YR_SESSION_RECEIVES;
    yr_wipe(mk, sizeof mk);
    return err;
}

// The second phase: nothing can fail any more.
static void commit_skipped(struct yr_skipped *skipped, const struct yr_session *before,
                           const uint8_t new_ck[32], const struct plan *plan,
                           const struct message *m, uint64_t now_s)
{
    struct yr_chain_tag tag;
    uint8_t ck[32];

    if (plan->skip_old > 0) {
        tag = yr_chain_tag(before->sid, before->dhr);
        memcpy(ck, before->ckr, sizeof ck);
        keep_skipped(skipped, &tag, ck, before->nr, plan->skip_old, now_s);
    }
    if (plan->skip_new > 0) {
        tag = yr_chain_tag(before->sid, m->dh);
        memcpy(ck, new_ck, sizeof ck);
        keep_skipped(skipped, &tag, ck, 0, plan->skip_new, now_s);
    }
    yr_skipped_trim(skipped);
    yr_wipe(ck, sizeof ck);
}

static enum yr_err decrypt_skipped(struct yr_skipped *skipped, const struct yr_session *s,
                                   const struct message *m, uint8_t mk[32], uint8_t *out)
{
    const struct yr_chain_tag tag = yr_chain_tag(s->sid, m->dh);
    const enum yr_err err = open_message(m, s->sid, mk, out);

    yr_wipe(mk, 32);
    if (err == YR_OK)
        yr_skipped_use(skipped, &tag, m->n);
    return err;
}

static enum yr_err decrypt_next(const struct yr_session *before, struct yr_session *after,
                                struct yr_skipped *skipped, uint64_t now_s,
                                const struct yr_rng *rng, const struct message *m, uint8_t *out)
{
    uint8_t new_ck[32] = {0};
    struct yr_session s = *before;
    struct plan plan;
    enum yr_err err;

    if ((err = make_plan(&plan, before, m)) != YR_OK)
        goto out;
    err = yr_skipped_reserve(skipped, (size_t)plan.skip_old + plan.skip_new);
    if (err != YR_OK)
        goto out;
    if ((err = receive(&s, new_ck, &plan, m, out)) != YR_OK)
        goto out;
    if (plan.next_chain && (err = begin_sending(&s, rng)) != YR_OK) {
        yr_wipe(out, m->ct_len - YR_TAG_LEN); // receive has had the same key: it cannot be
        goto out;
    }
    commit_skipped(skipped, before, new_ck, &plan, m, now_s);
    *after = s;
out:
    yr_skipped_trim(skipped);
    yr_wipe(new_ck, sizeof new_ck);
    yr_session_clear(&s);
    return err;
}

enum yr_err yr_session_decrypt(const struct yr_session *before, struct yr_session *after,
                               struct yr_skipped *skipped, uint64_t now_s, const struct yr_rng *rng,
                               const void *msg, size_t len, uint8_t *out, size_t cap,
                               size_t *out_len)
{
    struct yr_chain_tag tag;
    struct message m;
    uint8_t mk[32];
    enum yr_err err;

    if ((err = parse(&m, msg, len)) != YR_OK)
        return err;
    if (memcmp(m.sid8, before->sid, SID8) != 0)
        return YR_EPROTO;
    if (m.ct_len - YR_TAG_LEN > cap)
        return YR_ESIZE;
    tag = yr_chain_tag(before->sid, m.dh);
    if (yr_skipped_find(skipped, &tag, m.n, mk)) {
        if ((err = decrypt_skipped(skipped, before, &m, mk, out)) == YR_OK && after != before)
            *after = *before;
    } else {
        err = decrypt_next(before, after, skipped, now_s, rng, &m, out);
    }
    if (err == YR_OK) {
        yr_skipped_tick(skipped, now_s);
        *out_len = m.ct_len - YR_TAG_LEN;
    }
    return err;
}

/* ---- rows ---- */

static void write_session(struct yr_wr *wr, const struct yr_session *s)
{
    yr_wr_bytes(wr, s->sid, sizeof s->sid);
    yr_wr_u8(wr, s->flags);
    yr_wr_u8(wr, s->past_count);
    yr_wr_bytes(wr, s->rk, sizeof s->rk);
    yr_wr_bytes(wr, s->dhs.secret_key, sizeof s->dhs.secret_key);
    yr_wr_bytes(wr, s->dhr, sizeof s->dhr);
    yr_wr_bytes(wr, s->cks, sizeof s->cks);
    yr_wr_bytes(wr, s->ckr, sizeof s->ckr);
    yr_wr_u32(wr, s->ns);
    yr_wr_u32(wr, s->nr);
    yr_wr_u32(wr, s->pn);
    yr_wr_u32(wr, s->day);
    yr_wr_bytes(wr, s->past, sizeof s->past);
}

static void read_session(struct yr_rd *rd, struct yr_session *s)
{
    const uint8_t *secret;

    yr_rd_copy(rd, s->sid, sizeof s->sid);
    s->flags = yr_rd_u8(rd);
    s->past_count = yr_rd_u8(rd);
    yr_rd_copy(rd, s->rk, sizeof s->rk);
    if ((secret = yr_rd_bytes(rd, sizeof s->dhs.secret_key)) != NULL)
        yr_keypair_from_seed(&s->dhs, secret);
    yr_rd_copy(rd, s->dhr, sizeof s->dhr);
    yr_rd_copy(rd, s->cks, sizeof s->cks);
    yr_rd_copy(rd, s->ckr, sizeof s->ckr);
    s->ns = yr_rd_u32(rd);
    s->nr = yr_rd_u32(rd);
    s->pn = yr_rd_u32(rd);
    s->day = yr_rd_u32(rd);
    yr_rd_copy(rd, s->past, sizeof s->past);
    if ((s->flags & ~(YR_SESSION_SENDS | YR_SESSION_RECEIVES)) != 0 ||
        s->past_count > YR_CHAINS_MAX)
        rd->bad = true;
}

size_t yr_sessions_encode(uint8_t out[YR_SESSIONS_ROW_MAX], const struct yr_session *sessions,
                          size_t count)
{
    struct yr_wr wr = yr_wr_init(out, YR_SESSIONS_ROW_MAX);

    YR_ASSERT(count <= YR_SESSIONS_MAX);
    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u8(&wr, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        write_session(&wr, &sessions[i]);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == 2 + count * YR_SESSION_LEN);
    return yr_wr_len(&wr);
}

enum yr_err yr_sessions_decode(struct yr_session out[YR_SESSIONS_MAX], size_t *count,
                               const void *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    const uint8_t version = yr_rd_u8(&rd);
    const size_t n = yr_rd_u8(&rd);
    struct yr_session sessions[YR_SESSIONS_MAX];
    enum yr_err err = YR_EPROTO;

    if (len > 0 && version != ROW_VERSION)
        return YR_EVERSION;
    if (rd.bad || n > YR_SESSIONS_MAX || yr_rd_left(&rd) != n * YR_SESSION_LEN)
        return YR_EPROTO;
    memset(sessions, 0, sizeof sessions);
    for (size_t i = 0; i < n; i++)
        read_session(&rd, &sessions[i]);
    if (yr_rd_done(&rd)) {
        memcpy(out, sessions, n * sizeof *out);
        *count = n;
        err = YR_OK;
    }
    yr_wipe(sessions, sizeof sessions);
    return err;
}
