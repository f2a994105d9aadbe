/* Circuits of ours: asked for or called, open, over; packets into them and out of them. */
#include "core/path/relay_state.h"

static struct yr_addr addr_of(const struct relay_end *end)
{
    struct yr_addr addr = {.family = YR_FAMILY_VIA, .port = 1};

    for (size_t i = 0; i < 4; i++)
        addr.ip[i] = (uint8_t)(end->handle >> (24 - 8 * i));
    return addr;
}

static struct relay_end *end_at(const struct yr_relay *r, const struct yr_addr *addr)
{
    for (size_t i = 0; i < YR_RELAY_ENDS_MAX; i++) {
        struct yr_addr mine;

        if (r->ends[i] == NULL)
            continue;
        mine = addr_of(r->ends[i]);
        if (yr_addr_eq(&mine, addr))
            return r->ends[i];
    }
    return NULL;
}

struct relay_end *relay_end_find(const struct yr_relay *r, unsigned via, uint16_t route)
{
    for (size_t i = 0; i < YR_RELAY_ENDS_MAX; i++)
        if (r->ends[i] != NULL && r->ends[i]->via == via && r->ends[i]->route == route)
            return r->ends[i];
    return NULL;
}

static void info_of(const struct relay_end *end, struct yr_relay_info *out)
{
    *out = (struct yr_relay_info){.slot = end->slot,
                                  .via = end->via,
                                  .open = end->open,
                                  .ours = end->ours,
                                  .addr = addr_of(end),
                                  .since_us = end->since_us,
                                  .used_us = end->used_us,
                                  .in_bytes = end->in,
                                  .out_bytes = end->out};
}

bool yr_relay_at(const struct yr_relay *r, const struct yr_addr *addr, struct yr_relay_info *out)
{
    const struct relay_end *end = end_at(r, addr);

    if (end == NULL)
        return false;
    info_of(end, out);
    return true;
}

bool yr_relay_circuit(const struct yr_relay *r, unsigned slot, size_t i, struct yr_relay_info *out)
{
    for (size_t at = 0; at < YR_RELAY_ENDS_MAX; at++) {
        if (r->ends[at] == NULL || r->ends[at]->slot != slot || i-- > 0)
            continue;
        info_of(r->ends[at], out);
        return true;
    }
    return false;
}

/* ---- birth and death ---- */

void relay_end_drop(struct yr_relay *r, struct relay_end *end)
{
    for (size_t i = 0; i < YR_RELAY_ENDS_MAX; i++)
        if (r->ends[i] == end)
            r->ends[i] = NULL;
    yr_free(r->mem, end);
}

static void remember(struct yr_relay *r, unsigned slot, unsigned via, struct yr_now now)
{
    r->refusals[r->refusal_at] =
        (struct relay_refusal){slot, via, now.mono_us + YR_RELAY_REFUSED_S * YR_S};
    r->refusal_at = (r->refusal_at + 1) % YR_RELAY_REFUSALS_MAX;
}

// Why it did not come to be decides whether it is worth asking again.
static void learn_refusal(struct yr_relay *r, const struct relay_end *end, enum yr_relay_reason why,
                          struct yr_now now)
{
    struct relay_friend *via = relay_friend(r, end->via);

    r->counts[RELAY_REFUSED_US]++;
    remember(r, end->slot, end->via, now);
    if (via != NULL && (why == YR_RELAY_DENIED || why == YR_RELAY_SPENT))
        via->denied_us = now.mono_us + YR_RELAY_DENIED_S * YR_S;
}

void relay_end_over(struct yr_relay *r, struct relay_end *end, enum yr_relay_reason why,
                    struct yr_now now)
{
    const struct yr_addr addr = addr_of(end);
    const unsigned slot = end->slot, via = end->via;

    if ((!end->open && end->ours) || why == YR_RELAY_DENIED || why == YR_RELAY_SPENT)
        learn_refusal(r, end, why, now);
    relay_end_drop(r, end);
    r->ops.closed(r->ops.ctx, slot, via, &addr, why);
}

// The friend has as many as it may: the one that has been silent longest goes.  A second call by
// the same relay takes the place of its first: who invents calls ends no circuit but his own.
static void make_room(struct yr_relay *r, unsigned slot, unsigned caller, struct yr_now now)
{
    struct relay_end *oldest = NULL, *called = NULL;
    size_t count = 0;

    for (size_t i = 0; i < YR_RELAY_ENDS_MAX; i++) {
        struct relay_end *end = r->ends[i];

        if (end == NULL || end->slot != slot)
            continue;
        count++;
        if (oldest == NULL || end->heard_us < oldest->heard_us)
            oldest = end;
        if (!end->ours && end->via == caller)
            called = end;
    }
    oldest = called != NULL ? called : oldest;
    if (count < YR_RELAY_ENDS_EACH)
        return;
    relay_close_out(r, oldest->via, oldest->route, YR_RELAY_DONE);
    relay_end_over(r, oldest, YR_RELAY_DONE, now);
}

/** `ours`: we ask for it. */
static struct relay_end *end_new(struct yr_relay *r, unsigned slot, unsigned via, uint16_t route,
                                 bool ours, struct yr_now now)
{
    struct relay_end **place = NULL;

    make_room(r, slot, ours ? YR_FRIENDS_MAX : via, now);
    for (size_t i = 0; i < YR_RELAY_ENDS_MAX && place == NULL; i++)
        if (r->ends[i] == NULL)
            place = &r->ends[i];
    if (place == NULL || (*place = yr_alloc(r->mem, YR_MEM_NODE, sizeof **place)) == NULL)
        return NULL;
    (*place)->slot = slot;
    (*place)->via = via;
    (*place)->route = route;
    (*place)->ours = ours;
    if (++r->handles == 0)
        r->handles = 1;
    (*place)->handle = r->handles;
    (*place)->since_us = (*place)->used_us = (*place)->heard_us = now.mono_us;
    return *place;
}

static bool ends_full(const struct yr_relay *r)
{
    for (size_t i = 0; i < YR_RELAY_ENDS_MAX; i++)
        if (r->ends[i] == NULL)
            return false;
    return true;
}

/* ---- asking, being called ---- */

static bool may_carry(const struct yr_relay *r, unsigned slot, unsigned via, struct yr_now now)
{
    const struct relay_friend *m = relay_friend(r, via);

    if (m == NULL || via == slot || !m->up || !m->direct || m->blocked ||
        now.mono_us < m->denied_us)
        return false;
    for (size_t i = 0; i < YR_RELAY_REFUSALS_MAX; i++)
        if (r->refusals[i].slot == slot && r->refusals[i].via == via &&
            now.mono_us < r->refusals[i].until)
            return false;
    return true;
}

enum yr_err yr_relay_open(struct yr_relay *r, unsigned slot, unsigned via, struct yr_addr *addr,
                          struct yr_now now)
{
    const struct relay_friend *f = relay_friend(r, slot);
    struct yr_relay_msg msg = {.type = YR_FRAME_RELAY_OPEN};
    struct yr_relay_info info;
    struct relay_end *end;

    if (f == NULL || f->blocked)
        return YR_EDENIED;
    for (size_t i = 0; yr_relay_circuit(r, slot, i, &info); i++)
        if (info.via == via) {
            *addr = info.addr;
            return YR_EEXIST;
        }
    if (!may_carry(r, slot, via, now))
        return YR_EAGAIN;
    if (ends_full(r))
        return YR_EFULL;
    msg.route = relay_route(r, via);
    yr_random(r->rng, msg.nonce, sizeof msg.nonce);
    yr_kdf(msg.hash, sizeof msg.hash, f->id, YR_LABEL_RELAY_TO, msg.nonce, sizeof msg.nonce);
    if ((end = end_new(r, slot, via, msg.route, true, now)) == NULL)
        return YR_ENOMEM;
    if (!relay_frame_out(r, via, &msg)) {
        relay_end_drop(r, end);
        return YR_EAGAIN;
    }
    *addr = addr_of(end);
    r->counts[RELAY_ASKED]++;
    return YR_OK;
}

void relay_end_called(struct yr_relay *r, unsigned via, const struct yr_relay_msg *msg,
                      struct yr_now now)
{
    struct relay_friend *m = relay_friend(r, via);
    const struct yr_relay_msg opened = {.type = YR_FRAME_RELAY_OPENED, .route = msg->route};
    enum yr_relay_reason why = YR_RELAY_NOT_THERE;
    struct relay_end *end = NULL;
    struct yr_addr addr;
    unsigned slot;

    if (!relay_route_his(m, msg->route) || relay_route_used(r, via, msg->route)) {
        r->counts[RELAY_DROP_ROUTE]++;
        return;
    }
    r->counts[RELAY_CALLED]++;
    slot = relay_may_ask(m, now) && m->direct ? relay_find(r, YR_LABEL_RELAY_FROM, msg)
                                              : YR_FRIENDS_MAX;
    if (slot < YR_FRIENDS_MAX && slot != via && !r->friends[slot]->blocked) {
        why = YR_RELAY_FULL;
        end = ends_full(r) ? NULL : end_new(r, slot, via, msg->route, false, now);
    }
    if (end == NULL) {
        relay_close_out(r, via, msg->route, why);
        return;
    }
    end->open = true;
    if (!relay_frame_out(r, via, &opened)) {
        relay_end_drop(r, end);
        return;
    }
    addr = addr_of(end);
    r->counts[RELAY_OPENED]++;
    r->ops.opened(r->ops.ctx, slot, via, &addr, false);
}

void relay_end_opened(struct yr_relay *r, struct relay_end *end, struct yr_now now)
{
    const struct yr_addr addr = addr_of(end);

    if (end->open)
        return;
    end->open = true;
    end->used_us = end->heard_us = now.mono_us;
    r->counts[RELAY_OPENED]++;
    r->ops.opened(r->ops.ctx, end->slot, end->via, &addr, true);
}

void yr_relay_close(struct yr_relay *r, const struct yr_addr *addr, struct yr_now now)
{
    struct relay_end *end = end_at(r, addr);

    (void)now;
    if (end == NULL)
        return;
    relay_close_out(r, end->via, end->route, YR_RELAY_DONE);
    relay_end_drop(r, end);
}

/* ---- packets ---- */

static bool put(struct yr_relay *r, const struct relay_end *end, enum yr_relay_kind kind,
                const uint8_t *bytes, size_t len)
{
    uint8_t out[YR_RELAY_HEAD + YR_LINK_VIA_MAX];

    yr_relay_head(out, kind, end->route, end->next_id);
    memcpy(out + YR_RELAY_HEAD, bytes, len);
    if (r->ops.datagram(r->ops.ctx, end->via, out, YR_RELAY_HEAD + len) == YR_OK)
        return true;
    r->counts[RELAY_DROP_FULL]++;
    return false;
}

void yr_relay_send(struct yr_relay *r, const struct yr_addr *to, const uint8_t *bytes, size_t len,
                   struct yr_now now)
{
    struct relay_end *end = end_at(r, to);
    struct relay_friend *via;
    size_t half;

    if (end == NULL || !end->open || len == 0 || len > YR_PACKET_MAX) {
        r->counts[RELAY_DROP_ROUTE]++;
        return;
    }
    half = len <= YR_LINK_VIA_MAX ? len : len / 2;
    end->next_id++;
    end->used_us = now.mono_us;
    if (!put(r, end, half == len ? YR_RELAY_WHOLE : YR_RELAY_FIRST, bytes, half) ||
        (half < len && !put(r, end, YR_RELAY_SECOND, bytes + half, len - half)))
        return;
    end->out += len;
    if ((via = relay_friend(r, end->via)) != NULL)
        via->for_me += len;
}
static_assert(YR_PACKET_MAX <= 2 * YR_LINK_VIA_MAX, "any packet goes in two halves");
static_assert(YR_RELAY_HEAD + YR_LINK_VIA_MAX <= YR_LINK_DATAGRAM_SAFE - 32, "in any DATAGRAM");

static void deliver(struct yr_relay *r, struct relay_end *end, const uint8_t *bytes, size_t len)
{
    const struct yr_addr addr = addr_of(end);
    struct relay_friend *via = relay_friend(r, end->via);

    end->in += len;
    if (via != NULL)
        via->for_me += len;
    r->ops.packet(r->ops.ctx, end->slot, &addr, bytes, len); // it may close the circuit
}

void relay_end_piece(struct yr_relay *r, struct relay_end *end, const struct yr_relay_piece *piece,
                     struct yr_now now)
{
    uint8_t whole[YR_PACKET_MAX];
    const bool first = piece->kind == YR_RELAY_FIRST;
    size_t len;

    if (!end->open) {
        r->counts[RELAY_DROP_ROUTE]++;
        return;
    }
    end->used_us = end->heard_us = now.mono_us;
    if (piece->kind == YR_RELAY_WHOLE) {
        deliver(r, end, piece->body, piece->len);
        return;
    }
    if (end->half_len == 0 || end->half_id != piece->id || end->half_kind == piece->kind ||
        now.mono_us - end->half_us > YR_RELAY_HALF_MS * YR_MS) {
        r->counts[RELAY_DROP_HALF] += end->half_len > 0; // its other half never came
        end->half_kind = piece->kind;
        end->half_id = piece->id;
        end->half_us = now.mono_us;
        end->half_len = piece->len;
        memcpy(end->half, piece->body, piece->len);
        return;
    }
    len = end->half_len + piece->len;
    if (len > sizeof whole) {
        end->half_len = 0;
        r->counts[RELAY_DROP_HALF]++;
        return;
    }
    memcpy(whole + (first ? piece->len : 0), end->half, end->half_len);
    memcpy(whole + (first ? 0 : end->half_len), piece->body, piece->len);
    end->half_len = 0;
    deliver(r, end, whole, len);
}

/* ---- time ---- */

static yr_us end_due(const struct relay_end *end)
{
    return end->open ? end->used_us + YR_RELAY_IDLE_S * YR_S
                     : end->since_us + YR_RELAY_ASK_S * YR_S;
}

void relay_ends_tick(struct yr_relay *r, struct yr_now now)
{
    for (size_t i = 0; i < YR_RELAY_ENDS_MAX; i++) {
        struct relay_end *end = r->ends[i];

        if (end == NULL || now.mono_us < end_due(end))
            continue;
        relay_close_out(r, end->via, end->route, end->open ? YR_RELAY_IDLE : YR_RELAY_DONE);
        relay_end_over(r, end, end->open ? YR_RELAY_IDLE : YR_RELAY_SILENT, now);
    }
}

yr_us relay_ends_deadline(const struct yr_relay *r)
{
    yr_us due = YR_NEVER;

    for (size_t i = 0; i < YR_RELAY_ENDS_MAX; i++)
        if (r->ends[i] != NULL)
            due = YR_MIN(due, end_due(r->ends[i]));
    return due;
}
