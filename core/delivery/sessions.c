/* core/delivery/sessions.c: the ratchets that seal and open, and how one begins (B.7).
 *
 *     NONE --begun by us--> OPENING --the friend answers--> CURRENT --a newer one--> OLD --> gone
 *          '--begun by the friend--------------------------'                          30 days
 *
 * The first of a box's sessions is the one to send on, the others receive.  Whichever begins last
 * comes first; if both friends begin one at once, that with the smaller id, at both. */
#include "core/delivery/delivery_state.h"

#define NO_SESSION SIZE_MAX

static size_t find_session(const struct yr_box *b, const uint8_t sid8[8])
{
    for (size_t i = 0; i < b->session_count; i++)
        if (memcmp(b->sessions[i].sid, sid8, 8) == 0)
            return i;
    return NO_SESSION;
}

/* ---- their order ---- */

static void drop(struct yr_box *b, size_t i)
{
    const size_t last = --b->session_count;

    (void)yr_skipped_forget(&b->skipped, b->sessions[i].sid);
    memmove(&b->sessions[i], &b->sessions[i + 1], (last - i) * sizeof *b->sessions);
    memmove(&b->more[i], &b->more[i + 1], (last - i) * sizeof *b->more);
    yr_session_clear(&b->sessions[last]);
    yr_wipe(&b->more[last], sizeof b->more[last]);
    b->sessions_dirty = true;
}

static void insert_session(struct yr_box *b, size_t at, const struct yr_session *session,
                           const struct yr_session_more *more)
{
    if (b->session_count == YR_SESSIONS_MAX)
        drop(b, b->session_count - 1);
    YR_ASSERT(at <= b->session_count);
    memmove(&b->sessions[at + 1], &b->sessions[at], (b->session_count - at) * sizeof *b->sessions);
    memmove(&b->more[at + 1], &b->more[at], (b->session_count - at) * sizeof *b->more);
    b->sessions[at] = *session;
    b->more[at] = *more;
    b->session_count++;
    b->sessions_dirty = true;
}

static void move_first(struct yr_box *b, size_t from)
{
    struct yr_session session = b->sessions[from];
    struct yr_session_more more = b->more[from];

    memmove(&b->sessions[1], &b->sessions[0], from * sizeof *b->sessions);
    memmove(&b->more[1], &b->more[0], from * sizeof *b->more);
    b->sessions[0] = session;
    b->more[0] = more;
    yr_session_clear(&session);
    yr_wipe(&more, sizeof more);
}

static bool is_smaller(const struct yr_session *a, const struct yr_session *b)
{
    return memcmp(a->sid, b->sid, sizeof a->sid) < 0;
}

// Something has been opened on it.
static void has_opened(struct yr_box *b, size_t i, uint64_t now_s)
{
    struct yr_session_more *more = &b->more[i];
    const bool answered = more->opening;

    more->since_s = now_s;
    more->opening = false;
    yr_wipe(more->header, sizeof more->header);
    b->sessions_dirty = true;
    if (i == 0 || more->dead)
        return;
    // The first is of no use, and this one is; or both began one, and the friend sends on this.
    if (b->more[0].dead ||
        ((answered || b->more[0].opening) && is_smaller(&b->sessions[i], &b->sessions[0])))
        move_first(b, i);
}

void yr_sessions_clear(struct yr_box *b)
{
    yr_wipe(b->sessions, sizeof b->sessions);
    yr_wipe(b->more, sizeof b->more);
    b->session_count = 0;
    b->sessions_dirty = true;
    yr_skipped_clear(&b->skipped);
}

void yr_sessions_expire(struct yr_delivery *d, struct yr_box *b, struct yr_now now)
{
    const uint64_t now_s = yr_age_s(d, now);

    for (size_t i = b->session_count; i-- > 1;) // never the one to send on
        if (b->more[i].since_s + YR_SESSION_DAYS * YR_DAY_S < now_s)
            drop(b, i);
}

/* ---- begin ---- */

// A session that has been in use makes way: that is to be told.
static bool was_used(const struct yr_box *b)
{
    for (size_t i = 0; i < b->session_count; i++)
        if (b->sessions[i].flags & YR_SESSION_RECEIVES)
            return true;
    return false;
}

// No session can ever send; or the first waits for a friend's first message, and has long.
static bool is_needed(const struct yr_box *b, uint64_t now_s)
{
    if (b->session_count == 0 || b->more[0].dead)
        return true;
    return (b->sessions[0].flags & YR_SESSION_SENDS) == 0 &&
           b->more[0].since_s + YR_PKH_WAIT_S <= now_s;
}

static bool is_allowed(const struct yr_box *b, uint64_t now_s)
{
    if (b->start_count > 0 && b->starts_s[0] + YR_PKH_GAP_S > now_s)
        return false;
    return b->start_count < YR_PKH_DAY || b->starts_s[YR_PKH_DAY - 1] + YR_DAY_S <= now_s;
}

bool yr_sessions_may_begin(const struct yr_delivery *d, const struct yr_box *b, struct yr_now now)
{
    const uint64_t now_s = yr_age_s(d, now);

    return is_needed(b, now_s) && is_allowed(b, now_s) && yr_prekeys_theirs(d, b, now);
}

void yr_sessions_look(struct yr_delivery *d, struct yr_box *b, struct yr_now now, uint64_t at_s)
{
    const uint64_t now_s = yr_age_s(d, now), wait_s = at_s > now_s ? at_s - now_s : 0;

    // A little later: the age counts whole seconds.
    yr_posts_look(d, b, now.mono_us + (wait_s + 1) * YR_S);
}

// What waits cannot be sealed now: when could it be?
static void look_later(struct yr_delivery *d, struct yr_box *b, struct yr_now now)
{
    uint64_t at_s = 0;

    if (yr_sessions_can(b) || !yr_prekeys_theirs(d, b, now))
        return;
    if (b->session_count > 0 && !b->more[0].dead)
        at_s = b->more[0].since_s + YR_PKH_WAIT_S;
    if (b->start_count > 0)
        at_s = YR_MAX(at_s, b->starts_s[0] + YR_PKH_GAP_S);
    if (b->start_count == YR_PKH_DAY)
        at_s = YR_MAX(at_s, b->starts_s[YR_PKH_DAY - 1] + YR_DAY_S);
    yr_sessions_look(d, b, now, at_s);
}

static void count_start(struct yr_box *b, uint64_t now_s)
{
    memmove(&b->starts_s[1], &b->starts_s[0], (YR_PKH_DAY - 1) * sizeof b->starts_s[0]);
    b->starts_s[0] = now_s;
    b->start_count = YR_MIN(b->start_count + 1, (size_t)YR_PKH_DAY);
    b->prekeys_dirty = true;
}

void yr_sessions_begin(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now)
{
    const uint64_t now_s = yr_age_s(d, now);
    struct yr_session_more more = {.since_s = now_s, .opening = true};
    const bool again = was_used(b);
    struct yr_session session;
    struct yr_pkh_pair pair;
    struct yr_prekey own;
    bool fresh;

    if (!yr_sessions_may_begin(d, b, now)) {
        look_later(d, b, now);
        return;
    }
    d->ops.pair(d->ops.ctx, slot, &pair);
    // A new one each time: by their ids the friend knows which session of ours is the newest.
    yr_prekey_public(&own, &yr_prekeys_make(d, b, now, true, &fresh)->key);
    if (yr_pkh_start(&session, more.header, &pair, &b->theirs, &own, (uint32_t)(now_s / YR_DAY_S),
                     d->rng) != YR_OK) {
        b->has_theirs = false; // it is worth nothing
        return;
    }
    insert_session(b, 0, &session, &more);
    count_start(b, now_s);
    yr_resets_over(b);
    if (again)
        yr_resets_count(d, b, now);
    d->counters[YR_ENV_N_BEGUN]++;
    yr_session_clear(&session);
}

/* ---- seal ---- */

bool yr_sessions_can(const struct yr_box *b)
{
    return b->session_count > 0 && !b->more[0].dead && (b->sessions[0].flags & YR_SESSION_SENDS);
}

enum yr_err yr_sessions_seal(struct yr_delivery *d, struct yr_box *b, const uint8_t *plain,
                             size_t plain_len, uint8_t **out, size_t *out_len)
{
    const size_t head = 1 + (b->session_count > 0 && b->more[0].opening ? YR_PKH_LEN : 0);
    const size_t cap = plain_len + YR_RATCHET_OVERHEAD;
    uint8_t *sealed;
    enum yr_err err;

    if (!yr_sessions_can(b))
        return YR_EAGAIN;
    if ((sealed = yr_alloc(d->mem, YR_MEM_CHAT, head + cap)) == NULL)
        return YR_ENOMEM;
    sealed[0] = head > 1 ? YR_ENV_PREKEY : YR_ENV_MESSAGE;
    if (head > 1) // until the friend has answered: whichever message comes first begins it there
        memcpy(sealed + 1, b->more[0].header, YR_PKH_LEN);
    err =
        yr_session_encrypt(&b->sessions[0], d->rng, plain, plain_len, sealed + head, cap, out_len);
    if (err != YR_OK) {
        yr_free(d->mem, sealed);
        return err;
    }
    b->sessions_dirty = true;
    *out = sealed;
    *out_len += head;
    return YR_OK;
}

const uint8_t *yr_sealed_sid8(const uint8_t *sealed, size_t len)
{
    const size_t head = 1 + (len > 0 && sealed[0] == YR_ENV_PREKEY ? YR_PKH_LEN : 0);
    uint8_t sid8[8];

    if (len < head || (sealed[0] != YR_ENV_MESSAGE && sealed[0] != YR_ENV_PREKEY) ||
        yr_session_peek(sealed + head, len - head, sid8) != YR_OK)
        return NULL;
    return sealed + head + 1;
}

/* ---- open ---- */

static enum yr_err failed(struct yr_delivery *d, enum yr_delivery_count which)
{
    d->counters[which]++;
    return YR_EAUTH;
}

static enum yr_err open_known(struct yr_delivery *d, struct yr_box *b, size_t i, struct yr_now now,
                              const uint8_t *msg, size_t len, bool direct, size_t *plain_len)
{
    const uint64_t now_s = yr_age_s(d, now);
    struct yr_session after;
    enum yr_err err = yr_session_decrypt(&b->sessions[i], &after, &b->skipped, now_s, d->rng, msg,
                                         len, d->plain, sizeof d->plain, plain_len);

    if (err == YR_ENOMEM)
        return err;
    if (err != YR_OK) {
        // A number that was used, in a message that was not seen: the friend's store was set back.
        // But those who carry mail may have kept, for days, what is long forgotten here.
        if (direct || b->in_keys.day + 1 >= b->heard_day)
            yr_resets_failed(d, b, now, b->sessions[i].sid, direct);
        return failed(d, err == YR_EFULL ? YR_ENV_N_DROP_GAP : YR_ENV_N_DROP_SESSION);
    }
    b->sessions[i] = after;
    yr_session_clear(&after);
    has_opened(b, i, now_s);
    return YR_OK;
}

static bool may_look(struct yr_box *b, struct yr_now now)
{
    b->headers += (double)(now.mono_us - b->headers_us) / (double)YR_S;
    b->headers_us = now.mono_us;
    b->headers = YR_MIN(b->headers, (double)YR_PKH_BURST);
    if (b->headers < 1)
        return false;
    b->headers--;
    return true;
}

static bool is_known(const struct yr_box *b, uint32_t prekey, const uint8_t e[32])
{
    for (size_t i = 0; i < b->known_count; i++)
        if (b->known[i].prekey == prekey && memcmp(b->known[i].e, e, 32) == 0)
            return true;
    return false;
}

// Where a session that the friend began stands among ours.  One that it began before another that
// we have is late, and only receives.
static size_t place_for(const struct yr_box *b, const struct yr_session *session, bool late)
{
    if (b->session_count == 0 || b->more[0].dead)
        return 0;
    if (late || (b->more[0].opening && is_smaller(&b->sessions[0], session)))
        return 1;
    return 0;
}

// All of it is in one transaction with the message, or has not happened.
static void accept(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                   const struct yr_session *session, const struct yr_prekey *fresh,
                   struct yr_own_prekey *own, const uint8_t e[32])
{
    const uint64_t now_s = yr_age_s(d, now);
    const struct yr_session_more more = {.since_s = now_s};
    const bool both = b->session_count > 0 && b->more[0].opening && !b->more[0].dead;
    const bool late = !yr_prekeys_newer(d, b, now, fresh), again = was_used(b);

    insert_session(b, place_for(b, session, late), session, &more);
    if (own->used_s == 0)
        own->used_s = YR_MAX(now_s, (uint64_t)1);
    b->known[b->known_count].prekey = own->key.id;
    memcpy(b->known[b->known_count++].e, e, 32);
    if (!late)
        yr_prekeys_take(d, b, now, fresh);
    b->prekeys_dirty = b->answer_due = true; // the answer brings a new prekey
    if (!late)
        yr_resets_over(b);
    if (again && !both && !late)
        yr_resets_count(d, b, now);
    d->counters[YR_ENV_N_ACCEPTED]++;
}

static enum yr_err open_first(struct yr_delivery *d, struct yr_box *b, unsigned slot,
                              struct yr_now now, const uint8_t *header, const uint8_t *msg,
                              size_t len, size_t *plain_len)
{
    const uint64_t now_s = yr_age_s(d, now);
    const uint32_t id = yr_pkh_prekey(header);
    struct yr_own_prekey *own = yr_prekeys_find(d, b, now, id);
    struct yr_session session, after;
    struct yr_pkh_pair pair;
    struct yr_prekey fresh;
    enum yr_err err;

    if (own == NULL || is_known(b, id, header + 4)) { // it is too late for this one
        yr_resets_tell(d, b, now, msg + 1);
        return failed(d, YR_ENV_N_DROP_PREKEY);
    }
    if (b->known_count == YR_PKH_KNOWN_MAX || !may_look(b, now))
        return failed(d, YR_ENV_N_DROP_PREKEY);
    d->ops.pair(d->ops.ctx, slot, &pair);
    err = yr_pkh_accept(&session, &fresh, &pair, &own->key, header, (uint32_t)(now_s / YR_DAY_S));
    if (err == YR_OK && memcmp(session.sid, msg + 1, 8) != 0)
        err = YR_EAUTH;
    if (err == YR_OK)
        err = yr_session_decrypt(&session, &after, &b->skipped, now_s, d->rng, msg, len, d->plain,
                                 sizeof d->plain, plain_len);
    yr_session_clear(&session);
    if (err == YR_ENOMEM)
        return err;
    if (err != YR_OK) {
        yr_resets_tell(d, b, now, msg + 1);
        return failed(d, YR_ENV_N_DROP_PREKEY);
    }
    accept(d, b, now, &after, &fresh, own, header + 4);
    yr_session_clear(&after);
    return YR_OK;
}

enum yr_err yr_sessions_open(struct yr_delivery *d, struct yr_box *b, unsigned slot,
                             struct yr_now now, enum yr_envelope_kind kind, const uint8_t *body,
                             size_t len, bool direct, size_t *plain_len)
{
    const size_t head = kind == YR_ENV_PREKEY ? YR_PKH_LEN : 0;
    const uint8_t *msg = body + head;
    uint8_t sid8[8];
    enum yr_err err;
    size_t i;

    if (len < head || yr_session_peek(msg, len - head, sid8) != YR_OK)
        return failed(d, YR_ENV_N_DROP_FORM);
    if (yr_opened_has(b, msg, len - head)) {
        d->counters[YR_ENV_N_DUPLICATES]++;
        return YR_EEXIST;
    }
    if ((err = yr_opened_reserve(d, b)) != YR_OK)
        return err;
    i = find_session(b, sid8);
    if (i != NO_SESSION) { // begun already, whatever the header says
        err = open_known(d, b, i, now, msg, len - head, direct, plain_len);
    } else if (kind == YR_ENV_PREKEY) {
        err = open_first(d, b, slot, now, body, msg, len - head, plain_len);
    } else {
        yr_resets_tell(d, b, now, sid8);
        err = failed(d, YR_ENV_N_DROP_SESSION);
    }
    if (err != YR_OK)
        return err;
    yr_opened_add(b, msg);
    d->counters[YR_ENV_N_RECEIVED]++;
    return YR_OK;
}
