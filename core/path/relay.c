/* The friends, their lists, what comes from them; relay_ends.c: circuits of ours; relay_carry.c:
 * those that we carry. */
#include "core/path/relay_state.h"

#define DAY_US (86400 * YR_S)

enum yr_err yr_relay_new(struct yr_relay **out, struct yr_mem *mem, const struct yr_rng *rng,
                         const struct yr_relay_ops *ops)
{
    struct yr_relay *r = yr_alloc_secret(mem, YR_MEM_NODE, sizeof *r);

    if (r == NULL)
        return YR_ENOMEM;
    r->mem = mem;
    r->rng = rng;
    r->ops = *ops;
    r->allow = true;
    yr_random(rng, r->pad, sizeof r->pad);
    *out = r;
    return YR_OK;
}

void yr_relay_free(struct yr_relay *r)
{
    if (r == NULL)
        return;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        yr_relay_remove(r, slot);
    yr_free_secret(r->mem, r);
}

void yr_relay_pad(struct yr_relay *r, const uint8_t pad[32])
{
    memcpy(r->pad, pad, sizeof r->pad);
    r->set_version++;
}

struct relay_friend *relay_friend(const struct yr_relay *r, unsigned slot)
{
    YR_ASSERT(slot < YR_FRIENDS_MAX);
    return r->friends[slot];
}

/* ---- small things ---- */

bool relay_frame_out(struct yr_relay *r, unsigned slot, const struct yr_relay_msg *msg)
{
    uint8_t body[YR_RELAY_MSG_MAX];
    const size_t len = yr_relay_msg_encode(msg, body);

    return r->ops.frame(r->ops.ctx, slot, msg->type, body, len) == YR_OK;
}

void relay_close_out(struct yr_relay *r, unsigned slot, uint16_t route, enum yr_relay_reason why)
{
    const struct yr_relay_msg msg = {
        .type = YR_FRAME_RELAY_CLOSE, .route = route, .reason = (uint8_t)why};

    (void)relay_frame_out(r, slot, &msg); // a link that is full or gone needs no goodbye
}

bool relay_route_used(struct yr_relay *r, unsigned slot, uint16_t route)
{
    unsigned leg;

    return relay_end_find(r, slot, route) != NULL ||
           relay_carried_find(r, slot, route, &leg) != NULL;
}

bool relay_route_his(const struct relay_friend *f, uint16_t route)
{
    return (route & 1) != f->dir;
}

// There are 32,768 of ours and at most 128 in use.
uint16_t relay_route(struct yr_relay *r, unsigned slot)
{
    struct relay_friend *f = relay_friend(r, slot);
    uint16_t route;

    do {
        route = (uint16_t)(f->next_route << 1 | f->dir);
        f->next_route++;
    } while (relay_route_used(r, slot, route));
    return route;
}

bool relay_may_ask(struct relay_friend *f, struct yr_now now)
{
    f->asks += (double)(now.mono_us - f->asks_us) / (double)YR_S;
    f->asks_us = now.mono_us;
    if (f->asks > YR_RELAY_ASKS_BURST)
        f->asks = YR_RELAY_ASKS_BURST;
    if (f->asks < 1)
        return false;
    f->asks--;
    return true;
}

unsigned relay_find(const struct yr_relay *r, enum yr_label label, const struct yr_relay_msg *msg)
{
    uint8_t hash[YR_RELAY_HASH];

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        if (r->friends[slot] == NULL)
            continue;
        yr_kdf(hash, sizeof hash, r->friends[slot]->id, label, msg->nonce, sizeof msg->nonce);
        if (yr_equal(hash, msg->hash, sizeof hash))
            return slot;
    }
    return YR_FRIENDS_MAX;
}

/* ---- friends ---- */

// Friends that stay are kept, so that the list says nothing of who is online when.
static bool may_be_in_set(const struct yr_relay *r, unsigned slot, struct yr_now now)
{
    const struct relay_friend *f = r->friends[slot];

    return f != NULL && !f->blocked && now.mono_us >= f->denied_us;
}

static bool in_set(const struct yr_relay *r, unsigned slot)
{
    for (size_t i = 0; i < r->set_count; i++)
        if (r->set[i] == slot)
            return true;
    return false;
}

static void leave_set(struct yr_relay *r, size_t i)
{
    memmove(&r->set[i], &r->set[i + 1], (r->set_count - i - 1) * sizeof r->set[0]);
    r->set_count--;
    r->set_version++;
}

static void fill_set(struct yr_relay *r, bool linked, struct yr_now now)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX && r->set_count < YR_RELAY_LIST; slot++) {
        if (!may_be_in_set(r, slot, now) || in_set(r, slot) || (linked && !r->friends[slot]->up))
            continue;
        r->set[r->set_count++] = slot;
        r->set_version++;
    }
}

// Somebody linked takes the place of who has been away for a day.
static void make_room(struct yr_relay *r, struct yr_now now)
{
    bool waiting = false;

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX && !waiting; slot++)
        waiting = may_be_in_set(r, slot, now) && r->friends[slot]->up && !in_set(r, slot);
    for (size_t i = 0; i < r->set_count && waiting && r->set_count == YR_RELAY_LIST; i++) {
        const struct relay_friend *f = r->friends[r->set[i]];

        if (!f->up && !f->preferred && now.mono_us - f->down_us >= DAY_US)
            leave_set(r, i);
    }
}

// Who is preferred takes the place of who is not, best of one who is not linked.
static void make_room_preferred(struct yr_relay *r, struct yr_now now)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        size_t worst = r->set_count;

        if (!may_be_in_set(r, slot, now) || !r->friends[slot]->preferred || in_set(r, slot))
            continue;
        for (size_t i = r->set_count; i-- > 0 && r->set_count == YR_RELAY_LIST;) {
            const struct relay_friend *f = r->friends[r->set[i]];
            if (!f->preferred &&
                (worst == r->set_count || (!f->up && r->friends[r->set[worst]]->up)))
                worst = i;
        }
        if (worst < r->set_count)
            leave_set(r, worst);
        if (r->set_count == YR_RELAY_LIST)
            return; // they all are
        r->set[r->set_count++] = slot;
        r->set_version++;
    }
}

static void review_set(struct yr_relay *r, struct yr_now now)
{
    for (size_t i = r->set_count; i-- > 0;)
        if (!may_be_in_set(r, r->set[i], now))
            leave_set(r, i);
    make_room_preferred(r, now);
    make_room(r, now);
    fill_set(r, true, now);
    fill_set(r, false, now);
}

void yr_relay_set(struct yr_relay *r, unsigned slot, const uint8_t id[32], const uint8_t rel[32],
                  uint8_t dir)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL) {
        if ((f = yr_alloc_secret(r->mem, YR_MEM_NODE, sizeof *f)) == NULL)
            return; // nothing is carried for or through him
        r->friends[slot] = f;
        f->asks = YR_RELAY_ASKS_BURST;
    }
    if (memcmp(f->rel, rel, sizeof f->rel) != 0)
        f->told = false; // blinded under another key
    memcpy(f->id, id, sizeof f->id);
    memcpy(f->rel, rel, sizeof f->rel);
    f->dir = dir & 1;
    r->friends_at++;
}

static void forget_ends(struct yr_relay *r, unsigned slot)
{
    for (size_t i = 0; i < YR_RELAY_ENDS_MAX; i++)
        if (r->ends[i] != NULL && (r->ends[i]->slot == slot || r->ends[i]->via == slot)) {
            if (r->ends[i]->via != slot)
                relay_close_out(r, r->ends[i]->via, r->ends[i]->route, YR_RELAY_DONE);
            relay_end_drop(r, r->ends[i]);
        }
}

void yr_relay_remove(struct yr_relay *r, unsigned slot)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL)
        return;
    forget_ends(r, slot);
    relay_carry_leave(r, slot, true, YR_RELAY_LOST);
    for (size_t i = 0; i < r->set_count; i++)
        if (r->set[i] == slot) {
            leave_set(r, i);
            break;
        }
    for (size_t i = 0; i < YR_RELAY_REFUSALS_MAX; i++)
        if (r->refusals[i].slot == slot || r->refusals[i].via == slot)
            r->refusals[i].until = 0;
    r->friends[slot] = NULL;
    yr_free_secret(r->mem, f);
    r->friends_at++;
}

void yr_relay_block(struct yr_relay *r, unsigned slot, bool blocked, struct yr_now now)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL)
        return;
    f->blocked = blocked;
    if (blocked) {
        forget_ends(r, slot);
        relay_carry_leave(r, slot, false, YR_RELAY_LOST);
    }
    r->friends_at++;
    review_set(r, now);
}

void yr_relay_prefer(struct yr_relay *r, unsigned slot, bool preferred, struct yr_now now)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL || f->preferred == preferred)
        return;
    f->preferred = preferred;
    review_set(r, now);
}

void yr_relay_allow(struct yr_relay *r, bool on, struct yr_now now)
{
    (void)now;
    r->allow = on;
    relay_carry_check(r);
}

void yr_relay_consent(struct yr_relay *r, unsigned slot, enum yr_tri consent, struct yr_now now)
{
    struct relay_friend *f = relay_friend(r, slot);

    (void)now;
    if (f == NULL)
        return;
    f->consent = consent;
    relay_carry_check(r);
}

static void lose_ends(struct yr_relay *r, unsigned via, struct yr_now now)
{
    for (size_t i = 0; i < YR_RELAY_ENDS_MAX; i++)
        if (r->ends[i] != NULL && r->ends[i]->via == via)
            relay_end_over(r, r->ends[i], YR_RELAY_LOST, now);
}

void yr_relay_up(struct yr_relay *r, unsigned slot, bool direct, struct yr_now now)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL)
        return;
    if (!f->up)
        f->denied_us = 0; // what he thinks may have changed since
    if (f->up && f->direct && !direct) {
        lose_ends(r, slot, now);
        relay_carry_leave(r, slot, false, YR_RELAY_HOP);
    }
    f->up = true;
    f->direct = direct;
    review_set(r, now);
}

void yr_relay_down(struct yr_relay *r, unsigned slot, struct yr_now now)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL || !f->up)
        return;
    f->up = f->direct = false;
    f->down_us = now.mono_us;
    lose_ends(r, slot, now);
    relay_carry_leave(r, slot, true, YR_RELAY_LOST);
    review_set(r, now);
}

/* ---- lists ---- */

static void blind(const struct relay_friend *f, const uint8_t id[32], uint8_t out[YR_RELAY_HASH])
{
    yr_kdf(out, YR_RELAY_HASH, f->rel, YR_LABEL_RELAY, id, 32);
}

static int by_bytes(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, YR_RELAY_HASH);
}

// In an order that says nothing; what fills it up is the same each time, or two lists would tell.
void yr_relay_list(struct yr_relay *r, unsigned slot, uint8_t out[YR_RELAY_LIST][YR_RELAY_HASH])
{
    const struct relay_friend *f = relay_friend(r, slot);
    uint8_t entry[YR_RELAY_HASH], hash[YR_HASH_LEN];
    size_t count = 0;

    for (size_t i = 0; i < YR_RELAY_LIST; i++) {
        const bool real = f != NULL && i < r->set_count && r->set[i] != slot;
        const uint8_t which[2] = {(uint8_t)slot, (uint8_t)i};
        size_t at = count;

        if (real) {
            blind(f, r->friends[r->set[i]]->id, entry);
        } else {
            yr_hash2(hash, r->pad, sizeof r->pad, which, sizeof which);
            memcpy(entry, hash, sizeof entry);
        }
        for (; at > 0 && by_bytes(out[at - 1], entry) > 0; at--)
            memcpy(out[at], out[at - 1], YR_RELAY_HASH);
        memcpy(out[at], entry, YR_RELAY_HASH);
        count++;
    }
}

bool yr_relay_chosen(const struct yr_relay *r, unsigned slot)
{
    return in_set(r, slot);
}

uint64_t yr_relay_set_version(const struct yr_relay *r)
{
    return r->set_version;
}

void yr_relay_learn(struct yr_relay *r, unsigned slot, const uint8_t *entries, size_t count)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL || count > YR_RELAY_LIST)
        return;
    memset(f->list, 0, sizeof f->list);
    if (count > 0)
        memcpy(f->list, entries, count * sizeof f->list[0]);
    f->told = true;
    f->common_at = 0;
}

bool yr_relay_learned(const struct yr_relay *r, unsigned slot,
                      uint8_t out[YR_RELAY_LIST][YR_RELAY_HASH])
{
    const struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL || !f->told)
        return false;
    memcpy(out, f->list, sizeof f->list);
    return true;
}

// Which friends of ours are in this one's list?
static void recognise(const struct yr_relay *r, struct relay_friend *f)
{
    uint8_t hash[YR_RELAY_HASH];

    memset(f->common, 0, sizeof f->common);
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        bool found = !f->told;

        if (r->friends[slot] == NULL || r->friends[slot] == f)
            continue;
        if (f->told)
            blind(f, r->friends[slot]->id, hash);
        for (size_t i = 0; i < YR_RELAY_LIST && !found; i++)
            found = yr_equal(f->list[i], hash, sizeof hash);
        if (found)
            f->common[slot / 8] |= (uint8_t)(1U << slot % 8);
    }
    f->common_at = r->friends_at;
}

static bool refused(const struct yr_relay *r, unsigned slot, unsigned via, struct yr_now now)
{
    for (size_t i = 0; i < YR_RELAY_REFUSALS_MAX; i++)
        if (r->refusals[i].slot == slot && r->refusals[i].via == via &&
            now.mono_us < r->refusals[i].until)
            return true;
    return false;
}

enum yr_tri yr_relay_named(const struct yr_relay *r, unsigned slot, unsigned who)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL || !f->told)
        return YR_UNKNOWN;
    if (f->common_at != r->friends_at)
        recognise(r, f);
    return (f->common[who / 8] >> who % 8 & 1) != 0 ? YR_YES : YR_NO;
}

bool yr_relay_common(const struct yr_relay *r, unsigned slot, size_t i, unsigned *via,
                     struct yr_now now)
{
    struct relay_friend *f = relay_friend(r, slot);

    if (f == NULL || f->blocked)
        return false;
    if (f->common_at != r->friends_at)
        recognise(r, f);
    for (unsigned at = 0; at < YR_FRIENDS_MAX; at++) {
        const struct relay_friend *m = r->friends[at];

        if ((f->common[at / 8] >> at % 8 & 1) == 0 || m == NULL || !m->up || !m->direct ||
            m->blocked || now.mono_us < m->denied_us || refused(r, slot, at, now) || i-- > 0)
            continue;
        *via = at;
        return true;
    }
    return false;
}

/* ---- what comes ---- */

static void closed(struct yr_relay *r, unsigned slot, const struct yr_relay_msg *msg,
                   struct yr_now now)
{
    // Only a relay says these, and not what an end alone can know.
    const enum yr_relay_reason why =
        msg->reason < YR_RELAY_SILENT ? (enum yr_relay_reason)msg->reason : YR_RELAY_DONE;
    struct relay_end *end = relay_end_find(r, slot, msg->route);
    struct relay_carried *carried;
    unsigned leg = 0;

    if (end != NULL) {
        relay_end_over(r, end, why, now);
        return;
    }
    if ((carried = relay_carried_find(r, slot, msg->route, &leg)) != NULL)
        relay_carried_end(r, carried, leg, carried->open ? YR_RELAY_DONE : YR_RELAY_NOT_THERE);
}

enum yr_err yr_relay_frame(struct yr_relay *r, unsigned slot, uint8_t type, const uint8_t *body,
                           size_t len, struct yr_now now)
{
    const struct relay_friend *f = relay_friend(r, slot);
    struct relay_carried *carried;
    struct yr_relay_msg msg;
    struct relay_end *end;
    unsigned leg = 0;

    if (yr_relay_msg_decode(&msg, type, body, len) != YR_OK) {
        r->counts[RELAY_DROP_FORM]++;
        return YR_EPROTO;
    }
    if (f == NULL || f->blocked || !f->up)
        return YR_OK;
    if (type == YR_FRAME_RELAY_OPEN) {
        relay_asked(r, slot, &msg, now);
    } else if (type == YR_FRAME_RELAY_CALL) {
        relay_end_called(r, slot, &msg, now);
    } else if (type == YR_FRAME_RELAY_CLOSE) {
        closed(r, slot, &msg, now);
    } else if ((end = relay_end_find(r, slot, msg.route)) != NULL) {
        relay_end_opened(r, end, now);
    } else if ((carried = relay_carried_find(r, slot, msg.route, &leg)) != NULL) {
        relay_carried_opened(r, carried, leg, now);
    }
    return YR_OK;
}

void yr_relay_datagram(struct yr_relay *r, unsigned slot, const uint8_t *bytes, size_t len,
                       struct yr_now now)
{
    struct relay_friend *f = relay_friend(r, slot);
    struct relay_carried *carried;
    struct yr_relay_piece piece;
    struct relay_end *end;
    unsigned leg = 0;

    if (yr_relay_piece_decode(&piece, bytes, len) != YR_OK) {
        r->counts[RELAY_DROP_FORM]++;
        return;
    }
    if (f == NULL || f->blocked || !f->up)
        return;
    if ((carried = relay_carried_find(r, slot, piece.route, &leg)) != NULL) {
        relay_carried_piece(r, carried, leg, &piece, now);
    } else if ((end = relay_end_find(r, slot, piece.route)) != NULL) {
        relay_end_piece(r, end, &piece, now);
    } else {
        r->counts[RELAY_DROP_ROUTE]++;
        if (relay_may_ask(f, now)) // it has missed that this one is no more, or we have
            relay_close_out(r, slot, piece.route, YR_RELAY_DONE);
    }
}

void yr_relay_tick(struct yr_relay *r, struct yr_now now)
{
    if (now.mono_us - r->day_us >= DAY_US) {
        r->day_us = now.mono_us;
        r->today = 0;
        for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
            if (r->friends[slot] != NULL)
                r->friends[slot]->today = 0;
    }
    relay_ends_tick(r, now);
    relay_carry_tick(r, now);
}

yr_us yr_relay_deadline(const struct yr_relay *r)
{
    return YR_MIN(relay_ends_deadline(r), relay_carry_deadline(r));
}

/* ---- what people want to know ---- */

void yr_relay_carried(const struct yr_relay *r, unsigned slot, uint64_t *for_me, uint64_t *by_me)
{
    const struct relay_friend *f = relay_friend(r, slot);

    *for_me = f != NULL ? f->for_me : 0;
    *by_me = f != NULL ? f->by_me : 0;
}

void yr_relay_spend(struct yr_relay *r, unsigned slot, uint64_t bytes)
{
    relay_friend(r, slot)->today += bytes;
}

uint64_t yr_relay_carried_all(const struct yr_relay *r)
{
    return r->carried_all;
}

size_t yr_relay_carrying(const struct yr_relay *r)
{
    size_t count = 0;

    for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++)
        count += r->carried[i].used && r->carried[i].open;
    return count;
}

struct yr_counter yr_relay_counter(const struct yr_relay *r, size_t i)
{
    static const char *const names[RELAY_COUNTS] = {
        [RELAY_ASKED] = "relay.asked",           [RELAY_OPENED] = "relay.opened",
        [RELAY_CALLED] = "relay.called",         [RELAY_REFUSED_US] = "relay.refused_us",
        [RELAY_REFUSED] = "relay.refused",       [RELAY_CARRIED] = "relay.carried",
        [RELAY_DROP_RATE] = "relay.drop.rate",   [RELAY_DROP_DAY] = "relay.drop.day",
        [RELAY_DROP_FULL] = "relay.drop.full",   [RELAY_DROP_FORM] = "relay.drop.form",
        [RELAY_DROP_ROUTE] = "relay.drop.route", [RELAY_DROP_HALF] = "relay.drop.half",
    };

    if (i >= RELAY_COUNTS)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){names[i], r->counts[i]};
}
