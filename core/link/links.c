#include "core/link/first.h"
#include "core/wire/messages.h"

/* ---- which connection is the link ---- */

static bool by_lower(const struct yr_link *link, const struct yr_conn *conn)
{
    return conn->dialled == (link->out == 0);
}

// Both ends hold the same four clock values, two of each, so both choose the same.  In one order at
// both ends: the newer was dialled by somebody who knew the older, or has lost it: it replaces.
// Crossed: neither knew of the other; the one that the lower identity dialled stays.
static struct yr_conn *better(const struct yr_link *link, struct yr_conn *a, struct yr_conn *b)
{
    const bool mine = yr_clock_above(&a->mine, &b->mine);
    const bool theirs = yr_clock_above(&a->theirs, &b->theirs);

    if (mine == theirs)
        return mine ? a : b;
    return by_lower(link, a) ? a : b;
}

void yr_link_unsettle(struct yr_links *links, struct yr_link *link)
{
    if (link->unsettled)
        return;
    link->unsettled = true;
    link->unsettled_next = NULL;
    *(links->unsettled_tail == NULL ? &links->unsettled_head
                                    : &links->unsettled_tail->unsettled_next) = link;
    links->unsettled_tail = link;
}

static void forget_unsettled(struct yr_links *links, struct yr_link *link)
{
    struct yr_link **at = &links->unsettled_head, *before = NULL;

    if (!link->unsettled)
        return;
    while (*at != link) {
        before = *at;
        at = &before->unsettled_next;
    }
    *at = link->unsettled_next;
    if (links->unsettled_tail == link)
        links->unsettled_tail = before;
    link->unsettled = false;
}

// Choose the active connection; true when it is another one than before.
static bool choose(struct yr_links *links, struct yr_link *link)
{
    struct yr_conn *best = NULL;

    for (struct yr_conn *conn = link->conns; conn != NULL; conn = conn->next)
        if (conn->state == YR_CONN_UP)
            best = best == NULL ? conn : better(link, conn, best);
    if (link->active != NULL && link->active->state != YR_CONN_UP) {
        link->why = link->active->why;
        link->active = NULL;
    }
    if (best == link->active)
        return false;
    if (link->active != NULL)
        yr_links_count(links, YR_LINK_N_REPLACED);
    link->active = best;
    yr_links_count(links, YR_LINK_N_UP);
    return true;
}

// End what the active connection has made superfluous.
static void prune(struct yr_link *link)
{
    for (struct yr_conn *conn = link->conns; conn != NULL && link->active != NULL;
         conn = conn->next) {
        if (conn == link->active)
            continue;
        if (conn->state == YR_CONN_UP)
            yr_conn_end(conn, YR_LINK_REPLACED);
        // The peer has seen a higher value of our clock since, and is not going to answer this.
        if (conn->state == YR_CONN_HANDSHAKE && conn->dialled &&
            yr_clock_above(&link->active->mine, &conn->mine))
            yr_conn_end(conn, YR_LINK_REPLACED);
    }
}

// Take ended connections out of the link; true when one is still in its handshake.
static bool sweep(struct yr_links *links, struct yr_link *link)
{
    struct yr_conn *next;
    bool half_open = false;

    for (struct yr_conn *conn = link->conns; conn != NULL; conn = next) {
        next = conn->next;
        half_open = half_open || conn->state == YR_CONN_HANDSHAKE;
        if (conn->state == YR_CONN_HANDSHAKE || conn->state == YR_CONN_UP || conn == links->current)
            continue;
        if (conn->dialled && conn->up_us == 0 && !conn->quiet)
            link->dial_ended = true;
        yr_links_unlink(conn);
        if (conn->state == YR_CONN_DEAD)
            yr_conn_free(conn);
    }
    return half_open;
}

static void report_rooms(struct yr_links *links, struct yr_link *link)
{
    for (unsigned i = 0; i < YR_CHANNEL_COUNT && link->active != NULL; i++) {
        if (!link->active->channels[i].room)
            continue;
        link->active->channels[i].room = false;
        links->ops.room(links->ops.ctx, link->slot, i);
    }
}

static void report_path(struct yr_links *links, struct yr_link *link)
{
    struct yr_addr addr;

    if (link->active == NULL || !link->active->moved)
        return;
    link->active->moved = false;
    addr = link->active->addr;
    links->ops.path(links->ops.ctx, link->slot, &addr);
}

static void report_doubt(struct yr_links *links, struct yr_link *link)
{
    if (link->active == NULL || !link->active->doubted)
        return;
    link->active->doubted = false;
    links->ops.doubt(links->ops.ctx, link->slot);
}

// Nobody need be told of the usual interval.
static void tell_keepalive(struct yr_links *links, struct yr_link *link)
{
    const uint8_t body[2] = {(uint8_t)link->keepalive_s, (uint8_t)(link->keepalive_s >> 8)};

    (void)!yr_links_send(links, link->slot, YR_CHANNEL_CONTROL, YR_FRAME_KEEPALIVE, body,
                         sizeof body);
}

void yr_link_settle(struct yr_links *links, struct yr_link *link)
{
    const struct yr_link_ops *ops = &links->ops;
    bool up, half_open;

    forget_unsettled(links, link);
    up = choose(links, link);
    prune(link);
    half_open = sweep(links, link);

    links->reporting = link;
    if (up && link->active != NULL) {
        link->told_up = true;
        if (link->keepalive_s != YR_LINK_KEEPALIVE_S)
            tell_keepalive(links, link);
        ops->up(ops->ctx, link->slot);
    }
    report_path(links, link);
    report_doubt(links, link);
    // While another is on its way up, the friend may just have chosen that one first.
    if (link->active == NULL && link->told_up && !half_open) {
        link->told_up = false;
        ops->down(ops->ctx, link->slot, link->why);
    }
    if (link->dial_ended) {
        link->dial_ended = false;
        ops->dial_failed(ops->ctx, link->slot);
    }
    report_rooms(links, link);
    links->reporting = NULL;
}

static void settle_all(struct yr_links *links)
{
    while (links->unsettled_head != NULL)
        yr_link_settle(links, links->unsettled_head);
}

void yr_link_commit_clock(struct yr_link *link, struct yr_conn *conn)
{
    struct yr_links *links = conn->links;

    conn->hold = links->ops.clock(links->ops.ctx, link->slot, &link->theirs, &link->ours);
}

/* ---- the table ---- */

enum yr_err yr_links_new(struct yr_links **out, struct yr_mem *mem, const struct yr_rng *rng,
                         const struct yr_link_ops *ops)
{
    struct yr_links *links = yr_alloc_secret(mem, YR_MEM_LINK, sizeof *links);

    if (links == NULL)
        return YR_ENOMEM;
    links->mem = mem;
    links->rng = rng;
    links->ops = *ops;
    yr_map_init(&links->cids, mem, YR_MEM_LINK);
    *out = links;
    return YR_OK;
}

void yr_links_free(struct yr_links *links)
{
    if (links == NULL)
        return;
    YR_ASSERT(links->current == NULL && links->reporting == NULL);
    while (links->conn_count > 0)
        yr_conn_free(links->heap[links->conn_count - 1]);
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++)
        yr_free_secret(links->mem, links->slots[i]);
    yr_map_clear(&links->cids);
    yr_free_secret(links->mem, links);
}

void yr_links_identity(struct yr_links *links, const struct yr_identity *self)
{
    links->has_self = self != NULL;
    if (self == NULL) {
        yr_wipe(&links->self_device, sizeof links->self_device);
        return;
    }
    memcpy(links->self_id, self->id, sizeof links->self_id);
    links->self_gen = self->gen;
    links->self_device = self->device;
}

static void rebuild_hints(struct yr_links *links)
{
    links->hint_count = 0;
    yr_wipe(links->hints, sizeof links->hints); // those of friends that are gone
    for (size_t slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        const struct yr_link *link = links->slots[slot];

        for (size_t pair = 0; link != NULL && pair < YR_COUNT(link->keys); pair++) {
            if (!link->keys[pair].used)
                continue;
            memcpy(links->hints[links->hint_count], link->keys[pair].hint[1 - link->out], 16);
            links->hint_owners[links->hint_count++] = (uint16_t)(2 * slot + pair);
        }
    }
}

void yr_link_forget_old_pair(struct yr_links *links, struct yr_link *link)
{
    yr_wipe(&link->keys[1], sizeof link->keys[1]);
    rebuild_hints(links);
}

static struct yr_link *link_at(const struct yr_links *links, unsigned slot)
{
    YR_ASSERT(slot < YR_FRIENDS_MAX);
    return links->slots[slot];
}

static void end_all(struct yr_link *link)
{
    for (struct yr_conn *conn = link->conns; conn != NULL; conn = conn->next) {
        conn->quiet = true;
        yr_conn_end(conn, YR_LINK_DROPPED);
    }
}

static void set_keys(struct yr_link *link, const struct yr_pair *pair)
{
    struct yr_link_keys keys = {.used = true, .gen = pair->gen};

    memcpy(keys.psk, pair->link_psk, sizeof keys.psk);
    memcpy(keys.init, pair->link_init, sizeof keys.init);
    memcpy(keys.hint, pair->link_hint, sizeof keys.hint);
    if (!link->keys[0].used || !yr_equal(&keys, &link->keys[0], sizeof keys)) {
        yr_wipe(&link->keys[1], sizeof link->keys[1]);
        link->keys[1] = link->keys[0];
        link->keys[0] = keys;
    }
    yr_wipe(&keys, sizeof keys);
}

enum yr_err yr_links_set(struct yr_links *links, unsigned slot, const uint8_t id[32],
                         const uint8_t device[32], uint32_t gen, const struct yr_pair *pair,
                         const struct yr_clock *theirs, const struct yr_clock *ours)
{
    struct yr_link *link = link_at(links, slot);

    if (link != NULL && (memcmp(link->id, id, 32) != 0 || memcmp(link->device, device, 32) != 0 ||
                         link->gen != gen)) {
        yr_links_remove(links, slot, links->now);
        link = NULL;
    }
    if (link == NULL) {
        if ((link = yr_alloc_secret(links->mem, YR_MEM_LINK, sizeof *link)) == NULL)
            return YR_ENOMEM;
        links->slots[slot] = link;
        link->slot = slot;
        memcpy(link->id, id, 32);
        memcpy(link->device, device, 32);
        link->gen = gen;
        link->out = pair->out;
        link->credit_us = YR_LINK_DIALS_BURST * YR_S;
        link->keepalive_s = YR_LINK_KEEPALIVE_S;
    }
    set_keys(link, pair);
    if (yr_clock_above(theirs, &link->theirs))
        link->theirs = *theirs;
    if (yr_clock_above(ours, &link->ours))
        link->ours = *ours;
    rebuild_hints(links);
    return YR_OK;
}

void yr_links_remove(struct yr_links *links, unsigned slot, struct yr_now now)
{
    struct yr_link *link = link_at(links, slot);

    if (link == NULL)
        return;
    YR_ASSERT(links->reporting != link && (links->current == NULL || links->current->link != link));
    links->now = now;
    end_all(link);
    (void)sweep(links, link);
    YR_ASSERT(link->conns == NULL);
    forget_unsettled(links, link);
    links->slots[slot] = NULL;
    yr_free_secret(links->mem, link);
    rebuild_hints(links);
}

void yr_links_block(struct yr_links *links, unsigned slot, bool blocked, struct yr_now now)
{
    struct yr_link *link = link_at(links, slot);

    if (link == NULL)
        return;
    link->blocked = blocked;
    if (blocked)
        yr_links_close(links, slot, now);
}

/* ---- dialling and answering ---- */

// Is there something that makes a dial to addr superfluous?  A dial to elsewhere does not.
static bool has_conn(const struct yr_link *link, const struct yr_addr *addr)
{
    for (const struct yr_conn *conn = link->conns; conn != NULL; conn = conn->next) {
        const bool elsewhere = conn->dialled && !yr_addr_eq(&conn->addr, addr);

        if (conn->state == YR_CONN_UP || (conn->state == YR_CONN_HANDSHAKE && !elsewhere))
            return true;
    }
    return false;
}

// Only one dial is out at a time; a newer one takes its place.
static void drop_handshakes(struct yr_link *link, bool dialled)
{
    for (struct yr_conn *conn = link->conns; conn != NULL; conn = conn->next) {
        if (conn->state != YR_CONN_HANDSHAKE || conn->dialled != dialled)
            continue;
        conn->quiet = true;
        yr_conn_end(conn, YR_LINK_REPLACED);
    }
}

static enum yr_err dial(struct yr_links *links, struct yr_link *link, const struct yr_addr *addr)
{
    struct yr_conn *conn = NULL;
    enum yr_err err;

    drop_handshakes(link, true);
    if ((err = yr_conn_dial(&conn, link, links, addr)) == YR_OK)
        yr_links_count(links, YR_LINK_N_DIAL);
    return err;
}

enum yr_err yr_links_dial(struct yr_links *links, unsigned slot, const struct yr_addr *addr,
                          bool replace, struct yr_now now)
{
    struct yr_link *link = link_at(links, slot);

    if (link == NULL || link->blocked || !links->has_self || (has_conn(link, addr) && !replace))
        return YR_EAGAIN;
    links->now = now;
    return dial(links, link, addr);
}

// A good first packet: an older answer that its dialler never confirmed is void.
static enum yr_link_drop answer(struct yr_links *links, const struct yr_addr *from,
                                const uint8_t *packet, size_t len, struct yr_conn **out)
{
    struct yr_first first;
    enum yr_link_drop drop = yr_first_check(links, packet, len, &first);

    if (drop == YR_LINK_DROP_NOISE && links->ops.stranger != NULL)
        links->ops.stranger(links->ops.ctx, first.link->slot, from, &first.clock);
    if (drop != YR_LINK_DROP_NONE)
        return drop;
    if (yr_conn_answer(out, links, &first, from) != YR_OK) {
        drop = YR_LINK_DROP_MEMORY;
    } else {
        struct yr_conn *fresh = *out;

        for (struct yr_conn *conn = first.link->conns; conn != NULL; conn = conn->next)
            if (conn != fresh && !conn->dialled && conn->state == YR_CONN_HANDSHAKE)
                yr_conn_end(conn, YR_LINK_REPLACED);
        yr_links_count(links, YR_LINK_N_ANSWER);
    }
    yr_first_clear(&first);
    return drop;
}

// The connection a packet names.  Version Negotiation, Retry, 0-RTT and other versions: nobody's.
static enum yr_link_drop route(struct yr_links *links, const struct yr_addr *from,
                               const uint8_t *packet, size_t len, struct yr_conn **out)
{
    const bool is_long = len > 0 && (packet[0] & 0x80) != 0;
    const size_t cid_at = is_long ? 6 : 1;
    const size_t cid_len = is_long && len > 5 ? packet[5] : YR_CID_LEN;
    uint64_t key;

    if (len < cid_at + cid_len || len > YR_PACKET_MAX || (packet[0] & 0x40) == 0)
        return YR_LINK_DROP_FORM;
    if (is_long && (memcmp(packet + 1, "\0\0\0\1", 4) != 0 || (packet[0] & 0x10) != 0))
        return YR_LINK_DROP_FORM;
    if (cid_len != YR_CID_LEN && cid_len != YR_CID1_LEN)
        return YR_LINK_DROP_FORM;
    memcpy(&key, packet + cid_at, sizeof key);
    if ((*out = yr_map_get(&links->cids, key != 0 ? key : 1)) != NULL)
        return (*out)->state == YR_CONN_HANDSHAKE || (*out)->state == YR_CONN_UP
                   ? YR_LINK_DROP_NONE
                   : YR_LINK_DROP_DEAD;
    return is_long ? answer(links, from, packet, len, out) : YR_LINK_DROP_DEAD;
}

bool yr_links_recv(struct yr_links *links, const struct yr_addr *from, const uint8_t *packet,
                   size_t len, struct yr_now now)
{
    struct yr_conn *conn = NULL;
    enum yr_link_drop drop;

    links->now = now;
    drop = route(links, from, packet, len, &conn);
    if (drop != YR_LINK_DROP_NONE) {
        links->drops[drop]++;
        return false;
    }
    yr_conn_recv(conn, from, packet, len);
    if (conn->state != YR_CONN_UP && conn->state != YR_CONN_HANDSHAKE && conn->link != NULL)
        yr_link_unsettle(links, conn->link);
    settle_all(links);
    return true;
}

/* ---- sending ---- */

enum yr_err yr_links_send(struct yr_links *links, unsigned slot, enum yr_channel channel,
                          uint8_t type, const uint8_t *body, size_t len)
{
    struct yr_link *link = link_at(links, slot);
    struct yr_conn *conn = link != NULL ? link->active : NULL;
    enum yr_err err;

    YR_ASSERT(channel < YR_CHANNEL_COUNT);
    if (conn == NULL || conn->state != YR_CONN_UP)
        return YR_EAGAIN;
    err =
        yr_sendq_push(&conn->channels[channel].out, links->mem, (uint8_t)channel, type, body, len);
    if (err == YR_EFULL)
        conn->channels[channel].refused = true;
    if (err == YR_OK)
        yr_conn_wake(conn);
    return err;
}

enum yr_err yr_links_datagram(struct yr_links *links, unsigned slot, const uint8_t *bytes,
                              size_t len)
{
    struct yr_link *link = link_at(links, slot);
    struct yr_conn *conn = link != NULL ? link->active : NULL;
    enum yr_err err;

    if (conn == NULL || conn->state != YR_CONN_UP)
        return YR_EAGAIN;
    if ((err = yr_datagrams_push(conn, bytes, len)) == YR_OK)
        yr_conn_wake(conn);
    return err;
}

void yr_links_move(struct yr_links *links, unsigned slot, const struct yr_addr *addr,
                   struct yr_now now)
{
    struct yr_link *link = link_at(links, slot);
    struct yr_conn *conn = link != NULL ? link->active : NULL;

    if (conn == NULL || conn->state != YR_CONN_UP || yr_addr_eq(&conn->addr, addr))
        return;
    links->now = now;
    yr_conn_move(conn, addr);
    yr_conn_nudge(conn);
}

void yr_links_expect(struct yr_links *links, unsigned slot, const struct yr_addr *addr,
                     struct yr_now now)
{
    struct yr_link *link = link_at(links, slot);
    struct yr_conn *conn = link != NULL ? link->active : NULL;

    if (conn == NULL || conn->state != YR_CONN_UP || yr_addr_eq(&conn->addr, addr))
        return;
    links->now = now;
    conn->expected = *addr;
    yr_conn_nudge(conn);
}

void yr_links_keepalive(struct yr_links *links, unsigned slot, unsigned seconds, struct yr_now now)
{
    struct yr_link *link = link_at(links, slot);

    seconds = YR_MIN(YR_MAX(seconds, YR_LINK_KEEPALIVE_S_MIN), YR_LINK_KEEPALIVE_S_MAX);
    if (link == NULL || link->keepalive_s == seconds)
        return;
    links->now = now;
    link->keepalive_s = seconds;
    for (struct yr_conn *conn = link->conns; conn != NULL; conn = conn->next) {
        if (conn->state != YR_CONN_HANDSHAKE && conn->state != YR_CONN_UP)
            continue;
        conn->rearm = true;
        yr_conn_wake(conn);
    }
    tell_keepalive(links, link);
}

void yr_links_release(struct yr_links *links, uint64_t durable)
{
    if (durable <= links->durable)
        return;
    links->durable = durable;
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++) {
        struct yr_conn *conn = links->slots[i] != NULL ? links->slots[i]->conns : NULL;

        for (; conn != NULL; conn = conn->next)
            if (conn->dirty && !conn->ready && !yr_conn_held(conn))
                yr_conn_wake(conn);
    }
}

size_t yr_links_poll(struct yr_links *links, struct yr_now now, struct yr_addr *to, uint8_t *buf,
                     size_t cap)
{
    size_t len = 0;

    YR_ASSERT(cap >= YR_PACKET_MAX);
    links->now = now;
    settle_all(links);
    while (len == 0 && links->ready_head != NULL) {
        struct yr_conn *conn = links->ready_head;

        len = yr_conn_write(conn, buf, cap);
        *to = conn->addr;
        if (conn->state == YR_CONN_DEAD) {
            yr_links_schedule(conn, YR_NEVER);
            if (conn->link == NULL)
                yr_conn_free(conn);
        }
        settle_all(links);
    }
    return len;
}

/* ---- time ---- */

// A connection has had its time: the friend is dialled anew where he is, and that one replaces it.
static void replace_old(struct yr_links *links, struct yr_conn *conn)
{
    struct yr_link *link = conn->link;
    struct yr_addr addr = conn->addr;

    if (link == NULL || link->active != conn || links->now.mono_us < conn->replace_us)
        return;
    conn->replace_us = links->now.mono_us + YR_LINK_REPLACE_RETRY_S * YR_S;
    (void)dial(links, link, &addr); // out of memory: the next time then
}

void yr_links_tick(struct yr_links *links, struct yr_now now)
{
    links->now = now;
    while (links->conn_count > 0 && links->heap[0]->deadline <= now.mono_us) {
        struct yr_conn *conn = links->heap[0];

        yr_links_schedule(conn, YR_NEVER);
        yr_conn_tick(conn);
        replace_old(links, conn);
        if (conn->state == YR_CONN_DEAD && conn->link == NULL)
            yr_conn_free(conn);
    }
    settle_all(links);
}

yr_us yr_links_deadline(const struct yr_links *links)
{
    if (links->ready_head != NULL || links->unsettled_head != NULL)
        return 0;
    return links->conn_count > 0 ? links->heap[0]->deadline : YR_NEVER;
}

void yr_links_close(struct yr_links *links, unsigned slot, struct yr_now now)
{
    struct yr_link *link = link_at(links, slot);

    if (link == NULL)
        return;
    links->now = now;
    end_all(link);
}

void yr_links_close_all(struct yr_links *links, struct yr_now now)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        yr_links_close(links, slot, now);
}

/* ---- what people want to know ---- */

void yr_links_info(const struct yr_links *links, unsigned slot, struct yr_link_info *out)
{
    const struct yr_link *link = link_at(links, slot);
    const struct yr_conn *active = link != NULL ? link->active : NULL;

    *out = (struct yr_link_info){0};
    for (const struct yr_conn *conn = link != NULL ? link->conns : NULL; conn != NULL;
         conn = conn->next)
        if (conn->state == YR_CONN_HANDSHAKE && conn->dialled)
            out->dialling = true;
    if (link != NULL) {
        out->in_bytes = link->in_bytes;
        out->out_bytes = link->out_bytes;
    }
    if (active == NULL || active->state != YR_CONN_UP)
        return;
    out->up = true;
    out->dialled_by_us = active->dialled;
    out->addr = active->addr;
    out->rtt_us = yr_quic_rtt_ns(active->quic) / 1000;
    out->since_us = active->up_us;
    out->heard_us = active->heard_us;
    out->keepalive_s = link->keepalive_s;
    out->peer_keepalive_s = active->peer_keepalive_s;
    out->payload_max = yr_conn_payload(active);
    out->in_doubt = active->in_doubt;
    out->datagrams_in = link->datagrams_in;
    out->datagrams_out = link->datagrams_out;
    out->caps = active->caps;
}

struct yr_counter_ref yr_links_counter(const struct yr_links *links, size_t i)
{
    static const char *const names[] = {
#define X(NAME, text) text,
        YR_LINK_DROP_MAP(X) YR_LINK_COUNT_MAP(X)
#undef X
    };

    if (i >= YR_COUNT(names))
        return (struct yr_counter_ref){NULL, 0};
    return (struct yr_counter_ref){
        names[i], i < YR_LINK_DROP_COUNT ? links->drops[i] : links->counts[i - YR_LINK_DROP_COUNT]};
}
