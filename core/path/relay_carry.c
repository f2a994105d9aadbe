/* Circuits that we carry for two friends: who may have one, how much goes through it. */
#include "core/path/relay_state.h"

static bool allowed(const struct yr_relay *r, unsigned slot)
{
    const struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL || f->blocked)
        return false;
    return f->consent == YR_UNKNOWN ? r->allow : f->consent == YR_YES;
}

static bool spent(const struct yr_relay *r, unsigned slot)
{
    return r->today >= YR_RELAY_DAY_ALL || relay_friend(r, slot)->today >= YR_RELAY_DAY_EACH;
}

struct relay_carried *relay_carried_find(struct yr_relay *r, unsigned slot, uint16_t route,
                                         unsigned *leg)
{
    for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++)
        for (unsigned side = 0; side < 2 && r->carried[i].used; side++)
            if (r->carried[i].legs[side].slot == slot && r->carried[i].legs[side].route == route) {
                *leg = side;
                return &r->carried[i];
            }
    return NULL;
}

static bool has(const struct relay_carried *c, unsigned slot)
{
    return c->used && (c->legs[0].slot == slot || c->legs[1].slot == slot);
}

/** A place for a circuit between the two, NULL: there are too many. */
static struct relay_carried *place_for(struct yr_relay *r, unsigned a, unsigned b)
{
    struct relay_carried *place = NULL;
    size_t of_a = 0, of_b = 0, both = 0;

    for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++) {
        struct relay_carried *c = &r->carried[i];

        if (!c->used)
            place = c;
        of_a += has(c, a);
        of_b += has(c, b);
        both += has(c, a) && has(c, b);
    }
    return of_a >= YR_RELAY_CIRCUITS_EACH || of_b >= YR_RELAY_CIRCUITS_EACH ||
                   both >= YR_RELAY_CIRCUITS_PAIR
               ? NULL
               : place;
}

void relay_carried_end(struct yr_relay *r, struct relay_carried *c, unsigned silent,
                       enum yr_relay_reason why)
{
    const struct relay_carried was = *c;

    memset(c, 0, sizeof *c);
    for (unsigned side = 0; side < 2; side++)
        if (side != silent)
            relay_close_out(r, was.legs[side].slot, was.legs[side].route, why);
}

/* ---- setting up ---- */

// Why not, or REASON_COUNT.  *to: who is asked for.  What is so with the other one is not told.
static enum yr_relay_reason judge(struct yr_relay *r, unsigned slot, const struct yr_relay_msg *msg,
                                  unsigned *to, struct yr_now now)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (!relay_may_ask(f, now))
        return YR_RELAY_FULL;
    if (!allowed(r, slot))
        return YR_RELAY_DENIED;
    if (!f->direct)
        return YR_RELAY_HOP;
    *to = relay_find(r, YR_LABEL_RELAY_TO, msg);
    if (*to == YR_FRIENDS_MAX || *to == slot || !allowed(r, *to) || !r->friends[*to]->up ||
        !r->friends[*to]->direct)
        return YR_RELAY_NOT_THERE;
    if (spent(r, slot) || spent(r, *to))
        return YR_RELAY_SPENT;
    return YR_RELAY_REASON_COUNT;
}

void relay_asked(struct yr_relay *r, unsigned slot, const struct yr_relay_msg *msg,
                 struct yr_now now)
{
    const struct relay_friend *f = relay_friend(r, slot);
    struct yr_relay_msg call = {.type = YR_FRAME_RELAY_CALL};
    struct relay_carried *c = NULL;
    enum yr_relay_reason why;
    unsigned to = YR_FRIENDS_MAX;

    if (!relay_route_his(f, msg->route) || relay_route_used(r, slot, msg->route)) {
        r->counts[RELAY_DROP_ROUTE]++;
        return;
    }
    why = judge(r, slot, msg, &to, now);
    if (why == YR_RELAY_REASON_COUNT && (c = place_for(r, slot, to)) == NULL)
        why = YR_RELAY_FULL;
    if (c == NULL) {
        r->counts[RELAY_REFUSED]++;
        relay_close_out(r, slot, msg->route, why);
        return;
    }
    *c = (struct relay_carried){.used = true, .since_us = now.mono_us, .used_us = now.mono_us};
    c->legs[0] = (struct relay_leg){slot, msg->route, YR_RELAY_BURST, now.mono_us};
    c->legs[1] = (struct relay_leg){to, relay_route(r, to), YR_RELAY_BURST, now.mono_us};
    call.route = c->legs[1].route;
    yr_random(r->rng, call.nonce, sizeof call.nonce);
    yr_kdf(call.hash, sizeof call.hash, f->id, YR_LABEL_RELAY_FROM, call.nonce, sizeof call.nonce);
    if (!relay_frame_out(r, to, &call))
        relay_carried_end(r, c, 1, YR_RELAY_NOT_THERE);
}

void relay_carried_opened(struct yr_relay *r, struct relay_carried *c, unsigned leg,
                          struct yr_now now)
{
    const struct yr_relay_msg opened = {.type = YR_FRAME_RELAY_OPENED, .route = c->legs[0].route};

    if (leg != 1 || c->open)
        return;
    c->open = true;
    c->used_us = now.mono_us;
    r->counts[RELAY_CARRIED]++;
    if (!relay_frame_out(r, c->legs[0].slot, &opened))
        relay_carried_end(r, c, 0, YR_RELAY_LOST);
}

/* ---- packets: counted, given another route, and away ---- */

static bool may_pass(struct relay_leg *leg, size_t len, struct yr_now now)
{
    leg->tokens += (double)(now.mono_us - leg->tokens_us) / (double)YR_S * YR_RELAY_RATE;
    leg->tokens_us = now.mono_us;
    if (leg->tokens > YR_RELAY_BURST)
        leg->tokens = YR_RELAY_BURST;
    if (leg->tokens < (double)len)
        return false;
    leg->tokens -= (double)len;
    return true;
}

static void account(struct yr_relay *r, const struct relay_carried *c, size_t len)
{
    r->today += len;
    r->carried_all += len;
    for (unsigned side = 0; side < 2; side++) {
        struct relay_friend *f = relay_friend(r, c->legs[side].slot);

        f->today += len;
        f->by_me += len;
    }
}

void relay_carried_piece(struct yr_relay *r, struct relay_carried *c, unsigned leg,
                         const struct yr_relay_piece *piece, struct yr_now now)
{
    const struct relay_leg *other = &c->legs[1 - leg];
    uint8_t out[YR_RELAY_HEAD + YR_LINK_VIA_MAX];

    if (!c->open) {
        r->counts[RELAY_DROP_ROUTE]++;
        return;
    }
    if (spent(r, c->legs[0].slot) || spent(r, c->legs[1].slot)) {
        r->counts[RELAY_DROP_DAY]++;
        relay_carried_end(r, c, 2, YR_RELAY_SPENT);
        return;
    }
    if (!may_pass(&c->legs[leg], piece->len, now)) {
        r->counts[RELAY_DROP_RATE]++;
        return;
    }
    c->used_us = now.mono_us;
    yr_relay_head(out, piece->kind, other->route, piece->id);
    memcpy(out + YR_RELAY_HEAD, piece->body, piece->len);
    if (r->ops.datagram(r->ops.ctx, other->slot, out, YR_RELAY_HEAD + piece->len) == YR_OK)
        account(r, c, piece->len);
    else
        r->counts[RELAY_DROP_FULL]++;
}

/* ---- the end ---- */

void relay_carry_leave(struct yr_relay *r, unsigned slot, bool gone, enum yr_relay_reason why)
{
    for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++) {
        struct relay_carried *c = &r->carried[i];

        if (has(c, slot))
            relay_carried_end(r, c, !gone ? 2 : c->legs[0].slot == slot ? 0 : 1, why);
    }
}

void relay_carry_check(struct yr_relay *r)
{
    for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++) {
        struct relay_carried *c = &r->carried[i];

        if (c->used && (!allowed(r, c->legs[0].slot) || !allowed(r, c->legs[1].slot)))
            relay_carried_end(r, c, 2, YR_RELAY_DENIED);
    }
}

static yr_us carried_due(const struct relay_carried *c)
{
    return c->open ? c->used_us + YR_RELAY_IDLE_S * YR_S : c->since_us + YR_RELAY_ASK_S * YR_S / 2;
}

void relay_carry_tick(struct yr_relay *r, struct yr_now now)
{
    for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++) {
        struct relay_carried *c = &r->carried[i];

        if (c->used && now.mono_us >= carried_due(c))
            relay_carried_end(r, c, 2, c->open ? YR_RELAY_IDLE : YR_RELAY_NOT_THERE);
    }
}

yr_us relay_carry_deadline(const struct yr_relay *r)
{
    yr_us due = YR_NEVER;

    for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++)
        if (r->carried[i].used)
            due = YR_MIN(due, carried_due(&r->carried[i]));
    return due;
}
