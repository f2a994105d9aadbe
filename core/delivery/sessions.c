#include "core/delivery/delivery_state.h"

static struct yr_session *find_session(struct yr_box *b, const uint8_t sid8[8])
{
    for (size_t i = 0; i < b->session_count; i++)
        if (memcmp(b->sessions[i].sid, sid8, 8) == 0)
            return &b->sessions[i];
    return NULL;
}

// With the session used last for receiving, which is the newest that can send.
enum yr_err yr_sessions_seal(struct yr_delivery *d, struct yr_box *b, const uint8_t *plain,
                             size_t plain_len, uint8_t **out, size_t *out_len)
{
    const size_t cap = plain_len + YR_RATCHET_OVERHEAD;
    uint8_t *sealed = yr_alloc(d->mem, YR_MEM_CHAT, 1 + cap);
    enum yr_err err = YR_EAGAIN;

    if (sealed == NULL)
        return YR_ENOMEM;
    sealed[0] = YR_ENV_MESSAGE;
    for (size_t i = 0; i < b->session_count && err == YR_EAGAIN; i++)
        err =
            yr_session_encrypt(&b->sessions[i], d->rng, plain, plain_len, sealed + 1, cap, out_len);
    if (err != YR_OK) {
        yr_free(d->mem, sealed);
        return err;
    }
    b->sessions_dirty = true;
    *out = sealed;
    *out_len += 1;
    return YR_OK;
}

enum yr_err yr_sessions_open(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                             const uint8_t *msg, size_t len, size_t *plain_len)
{
    const uint64_t now_s = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000;
    struct yr_session *session, after;
    uint8_t sid8[8];
    enum yr_err err;

    if (yr_session_peek(msg, len, sid8) != YR_OK || (session = find_session(b, sid8)) == NULL) {
        d->counters[YR_ENV_N_DROP_SESSION]++;
        return YR_EAUTH;
    }
    err = yr_session_decrypt(session, &after, &b->skipped, now_s, d->rng, msg, len, d->plain,
                             sizeof d->plain, plain_len);
    if (err == YR_EEXIST) {
        d->counters[YR_ENV_N_DUPLICATES]++;
        return YR_EEXIST;
    }
    if (err != YR_OK) {
        d->counters[err == YR_EFULL ? YR_ENV_N_DROP_GAP : YR_ENV_N_DROP_SESSION]++;
        return err == YR_ENOMEM ? err : YR_EAUTH;
    }
    *session = after;
    yr_session_clear(&after);
    b->sessions_dirty = true;
    d->counters[YR_ENV_N_RECEIVED]++;
    return YR_OK;
}

bool yr_sessions_can(const struct yr_box *b)
{
    for (size_t i = 0; i < b->session_count; i++)
        if (b->sessions[i].flags & YR_SESSION_SENDS)
            return true;
    return false;
}

/* ---- prekeys ---- */

void yr_delivery_own_prekey(struct yr_delivery *d, unsigned slot,
                            const struct yr_prekey_own *prekey)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return;
    if (b->own_count == YR_PREKEYS_MAX)
        b->own_count--; // the oldest is last
    memmove(&b->own[1], &b->own[0], b->own_count * sizeof b->own[0]);
    b->own[0] = *prekey;
    b->own_count++;
    yr_box_put_prekeys(d, b);
}

enum yr_err yr_delivery_prekey(struct yr_delivery *d, struct yr_now now, unsigned slot,
                               struct yr_prekey *out, bool *fresh)
{
    struct yr_box *b = yr_box_of(d, slot);
    const uint32_t now_s = (uint32_t)((uint64_t)YR_MAX(now.wall_ms, 0) / 1000);
    struct yr_prekey_own made;

    if (b == NULL)
        return YR_ENOFRIEND;
    // The second: made while our clock was far ahead.
    *fresh = b->own_count == 0 ||
             b->own[0].exp_s < now_s + (YR_PREKEY_DAYS - YR_PREKEY_RENEW_DAYS) * YR_DAY_S ||
             b->own[0].exp_s > now_s + YR_PREKEY_DAYS * YR_DAY_S;
    if (*fresh) {
        yr_prekey_new(&made, b->own_count > 0 ? b->own[0].id + 1 : 1,
                      now_s + YR_PREKEY_DAYS * YR_DAY_S, d->rng);
        yr_delivery_own_prekey(d, slot, &made);
        yr_wipe(&made, sizeof made);
    }
    yr_prekey_public(out, &b->own[0]);
    return YR_OK;
}

void yr_delivery_their_prekey(struct yr_delivery *d, unsigned slot, const struct yr_prekey *prekey)
{
    struct yr_box *b = yr_box_of(d, slot);

    if (b == NULL)
        return;
    b->theirs = *prekey;
    b->has_theirs = true;
    yr_box_put_prekeys(d, b);
}

void yr_prekeys_expire(struct yr_delivery *d, struct yr_box *b, uint64_t now_s)
{
    const size_t before = b->own_count;

    // The newest stays whatever our clock says.
    while (b->own_count > 1 && b->own[b->own_count - 1].exp_s < now_s)
        yr_wipe(&b->own[--b->own_count], sizeof b->own[0]);
    if (b->own_count != before)
        yr_box_put_prekeys(d, b);
}
