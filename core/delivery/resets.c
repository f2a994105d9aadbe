/* core/delivery/resets.c: a session that one of the two cannot read any more (B.7).
 *
 *     a message does not open --note: SESSION_BAD, its sid8--> the friend's session is dead
 *         and its letters are plain again --> it begins another one, on the prekey in the note
 *     no session and no prekey --note: of no session--> the friend says something
 *
 * A note travels outside of any session, under the day's envelope key.  It may be lost: the next
 * message that does not open has it said again.  It names a session, which dies once: who sends a
 * note a second time changes nothing. */
#include "core/delivery/delivery_state.h"

static const uint8_t nothing[8];

static void make_note(struct yr_box *b, bool ask, const uint8_t sid8[8])
{
    memset(&b->note, 0, sizeof b->note);
    b->note.due = true;
    b->note.ask = ask;
    memcpy(b->note.sid8, sid8, sizeof b->note.sid8);
    b->prekeys_dirty = true;
}

// The prekey in it is on disk before it leaves.
static void make_ready(struct yr_delivery *d, struct yr_box *b, struct yr_now now)
{
    bool fresh;

    (void)yr_prekeys_make(d, b, now, false, &fresh);
    yr_sessions_flush(d, b);
    b->note.token = yr_rows_pending(d->rows);
    yr_posts_look(d, b, 0); // if the friend is away
}

static uint64_t tell_s(const struct yr_box *b, const uint8_t sid8[8])
{
    const bool same = memcmp(b->bad_sid8, sid8, sizeof b->bad_sid8) == 0;

    return b->bad_s != 0 ? b->bad_s + (same ? YR_SESSION_BAD_S : YR_SESSION_BAD_GAP_S) : 0;
}

static bool may_tell(const struct yr_delivery *d, const struct yr_box *b, struct yr_now now,
                     const uint8_t sid8[8])
{
    return !(b->note.due && !b->note.ask) && tell_s(b, sid8) <= yr_age_s(d, now);
}

void yr_resets_tell(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                    const uint8_t sid8[8])
{
    const uint64_t now_s = yr_age_s(d, now);

    if (memcmp(sid8, nothing, sizeof nothing) == 0)
        return; // an honest friend's session has none such
    if (!may_tell(d, b, now, sid8)) {
        b->want = !b->note.due || memcmp(b->note.sid8, sid8, sizeof b->note.sid8) != 0;
        memmove(b->want_sid8, sid8, sizeof b->want_sid8);
        yr_sessions_look(d, b, now, tell_s(b, sid8));
        return;
    }
    b->want = false;
    b->bad_s = YR_MAX(now_s, (uint64_t)1);
    memcpy(b->bad_sid8, sid8, sizeof b->bad_sid8);
    make_note(b, false, sid8);
    make_ready(d, b, now);
}

void yr_resets_failed(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                      const uint8_t sid8[8], bool direct)
{
    const uint64_t now_s = yr_age_s(d, now);
    const size_t last = YR_SESSION_FAILS - 1;

    memmove(&b->fails_s[1], &b->fails_s[0], last * sizeof b->fails_s[0]);
    b->fails_s[0] = YR_MAX(now_s, (uint64_t)1);
    if (direct || (b->fails_s[last] != 0 && b->fails_s[last] + YR_SESSION_FAILS_S >= now_s))
        yr_resets_tell(d, b, now, sid8);
}

void yr_resets_over(struct yr_box *b)
{
    memset(b->fails_s, 0, sizeof b->fails_s);
    b->want = false;
    if (b->note.due)
        b->prekeys_dirty = true;
    memset(&b->note, 0, sizeof b->note);
}

void yr_resets_count(struct yr_delivery *d, struct yr_box *b, struct yr_now now)
{
    const size_t max = YR_COUNT(b->resets_s);

    memmove(&b->resets_s[1], &b->resets_s[0], (max - 1) * sizeof b->resets_s[0]);
    b->resets_s[0] = yr_age_s(d, now);
    b->reset_count = YR_MIN(b->reset_count + 1, max);
    b->reset_untold = b->prekeys_dirty = true;
}

static unsigned resets_today(const struct yr_box *b, uint64_t now_s)
{
    unsigned n = 0;

    while (n < b->reset_count && b->resets_s[n] + YR_DAY_S > now_s)
        n++;
    return n;
}

/* ---- what the friend says ---- */

static struct yr_session_more *find_more(struct yr_box *b, const uint8_t sid8[8])
{
    for (size_t i = 0; i < b->session_count; i++)
        if (memcmp(b->sessions[i].sid, sid8, 8) == 0)
            return &b->more[i];
    return NULL;
}

void yr_resets_answer(struct yr_box *b, struct yr_now now)
{
    if (now.mono_us < b->answer_us)
        return;
    b->answer_us = now.mono_us + YR_SESSION_BAD_S * YR_S;
    b->answer_due = true;
}

// It has no session that could send.  Whatever it hears from us begins one, or shows what is wrong
// with the one we have.
static void take_ask(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                     const struct yr_prekey *prekey)
{
    if (yr_prekeys_newer(d, b, now, prekey))
        yr_prekeys_take(d, b, now, prekey);
    yr_resets_answer(b, now);
}

// Letters of a session that we dropped long ago may still wait.  They are many, and looked through
// now and then.
static enum yr_err take_unknown(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                                const uint8_t sid8[8])
{
    if (now.mono_us < b->scan_us)
        return YR_OK;
    b->scan_us = now.mono_us + YR_SESSION_SCAN_S * YR_S;
    return yr_letters_unseal(d, b, sid8);
}

static enum yr_err take_note(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                             const uint8_t sid8[8], const struct yr_prekey *prekey)
{
    struct yr_session_more *more = find_more(b, sid8);

    if (memcmp(sid8, nothing, sizeof nothing) == 0) {
        take_ask(d, b, now, prekey);
        return YR_OK;
    }
    if (more == NULL)
        return take_unknown(d, b, now, sid8);
    if (more->dead)
        return YR_OK; // said before
    more->dead = true;
    more->opening = false;
    yr_wipe(more->header, sizeof more->header);
    b->sessions_dirty = true;
    yr_prekeys_take(d, b, now, prekey); // the one we had may be lost with the session
    b->answer_due |= more == &b->more[0];
    return yr_letters_unseal(d, b, sid8);
}

enum yr_err yr_resets_take(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                           const uint8_t *body, size_t len)
{
    struct yr_rd rd = yr_rd_init(body, len);
    const uint8_t *sid8 = yr_rd_bytes(&rd, 8), *bytes = yr_rd_bytes(&rd, YR_PREKEY_LEN);
    struct yr_prekey prekey;
    enum yr_err err;

    if (!yr_rd_done(&rd) || yr_prekey_decode(&prekey, bytes, YR_PREKEY_LEN) != YR_OK)
        return YR_EEXIST; // it will never be one
    d->counters[YR_ENV_N_BAD_TAKEN]++;
    err = take_note(d, b, now, sid8, &prekey);
    yr_sessions_flush(d, b); // what is acknowledged is durable with this
    return err;
}

/* ---- what we say ---- */

// There are letters, and nothing to seal them with, ever.
static void ask(struct yr_delivery *d, struct yr_box *b, struct yr_now now)
{
    const uint64_t now_s = yr_age_s(d, now);
    const bool waits = b->session_count > 0 && !b->more[0].dead;

    if (b->queued == 0 || b->note.due || waits || yr_prekeys_theirs(d, b, now) ||
        (b->ask_s != 0 && b->ask_s + YR_SESSION_BAD_S > now_s))
        return;
    b->ask_s = YR_MAX(now_s, (uint64_t)1);
    make_note(b, true, nothing);
    make_ready(d, b, now);
}

bool yr_resets_envelope(struct yr_delivery *d, struct yr_box *b, struct yr_now now, size_t *len)
{
    const uint64_t now_s = (uint64_t)YR_MAX(now.wall_ms, 0) / 1000;
    uint8_t body[8 + YR_PREKEY_LEN];
    struct yr_prekey prekey;
    uint32_t day;

    if (!b->note.due || b->note.token > d->durable || b->own_count == 0)
        return false;
    day = yr_days_take(d, b, now);
    memcpy(body, b->note.sid8, 8);
    yr_prekey_public(&prekey, &b->own[0].key);
    yr_prekey_encode(body + 8, &prekey);
    return b->day_token <= d->durable && yr_days_use(b, &b->out_keys, b->out_dir, day) &&
           yr_envelope_seal(d->envelope, sizeof d->envelope, len, b->out_keys.env, b->out_keys.tag,
                            yr_envelope_exp(now_s), YR_ENV_SESSION_BAD, body, sizeof body,
                            d->rng) == YR_OK;
}

void yr_resets_noted(struct yr_box *b)
{
    memset(&b->note, 0, sizeof b->note);
    b->prekeys_dirty = true;
}

void yr_resets_pump(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now)
{
    size_t len;

    if (b->want && may_tell(d, b, now, b->want_sid8))
        yr_resets_tell(d, b, now, b->want_sid8);
    ask(d, b, now);
    if (!b->up || b->note.sent || !yr_resets_envelope(d, b, now, &len) ||
        d->ops.frame(d->ops.ctx, slot, YR_FRAME_ENV_PUT, d->envelope, len) != YR_OK)
        return;
    yr_envelope_id(b->note.eid, d->envelope, len);
    b->note.sent = true;
    d->counters[YR_ENV_N_BAD_SENT]++;
}

/* ---- what the owner is told ---- */

void yr_delivery_settle(struct yr_delivery *d, struct yr_now now)
{
    const uint64_t now_s = yr_age_s(d, now);

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_box *b = d->boxes[slot];
        if (b != NULL && b->reset_untold) {
            b->reset_untold = false;
            d->ops.reset(d->ops.ctx, now, slot, YR_MAX(resets_today(b, now_s), 1U));
        }
        if (b != NULL && b->answer_due) {
            b->answer_due = false;
            d->ops.answer(d->ops.ctx, slot);
        }
    }
}
