/* core/node/relay.c: circuits through common friends, as the node needs them: when one is asked
 * for, what comes out of it, what is told of who may carry, and consent.  Row RELAY of a friend
 * mirrors what must not be forgotten. */
#include "core/node/state.h"

#define ROW_VERSION 1
#define ROW_TOLD    1 /* flags: it has told a list */
#define ROW_KEEPER  2 /* ... it keeps much mail, and is nearly always there */

struct yr_inbox {
    struct yr_inbox *next;
    struct yr_addr from;
    size_t len;
    uint8_t bytes[];
};

static struct yr_circuit *circuit_of(struct yr_node *n, unsigned slot)
{
    return &n->circuits[slot];
}

static bool shut(const struct yr_friend *f)
{
    return !f->used || f->blocked || f->pending;
}

/* ---- what the relay wants ---- */

static enum yr_err relay_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                               size_t len)
{
    struct yr_node *n = ctx;

    return yr_links_send(n->links, slot, YR_CHANNEL_CONTROL, type, body, len);
}

static enum yr_err relay_datagram(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    struct yr_node *n = ctx;

    return yr_links_datagram(n->links, slot, bytes, len);
}

// It comes from inside the link that brought it: looked at when that has done with its packet.
static void relay_packet(void *ctx, unsigned slot, const struct yr_addr *from, const uint8_t *bytes,
                         size_t len)
{
    struct yr_node *n = ctx;
    struct yr_inbox *box = NULL;

    (void)slot;
    if (n->inbox_count < YR_RELAY_INBOX_MAX)
        box = yr_alloc(n->mem, YR_MEM_NODE, sizeof *box + len);
    if (box == NULL) {
        n->dropped++;
        return;
    }
    box->from = *from;
    box->len = len;
    memcpy(box->bytes, bytes, len);
    *(n->inbox_tail == NULL ? &n->inbox : &n->inbox_tail->next) = box;
    n->inbox_tail = box;
    n->inbox_count++;
}

static struct yr_inbox *take(struct yr_node *n)
{
    struct yr_inbox *box = n->inbox;

    if (box == NULL)
        return NULL;
    n->inbox = box->next;
    if (n->inbox == NULL)
        n->inbox_tail = NULL;
    n->inbox_count--;
    return box;
}

void yr_circuit_drain(struct yr_node *n)
{
    struct yr_inbox *box;

    while ((box = take(n)) != NULL) {
        yr_node_datagram(n, &box->from, box->bytes, box->len);
        yr_free(n->mem, box);
    }
}

void yr_circuit_forget(struct yr_node *n)
{
    struct yr_inbox *box;

    while ((box = take(n)) != NULL)
        yr_free(n->mem, box);
    memset(n->circuits, 0, sizeof n->circuits);
}

/* ---- when one is needed ---- */

static void note(struct yr_node *n, unsigned slot, unsigned via, enum yr_outcome outcome)
{
    const uint8_t *id = via < YR_FRIENDS_MAX ? n->friends[via].id : NULL;

    yr_path_note(n->traces, n->now, slot, YR_WAY_RELAY, outcome, NULL, id);
}

// The link with who carries may be dead too.
static bool doubtful(const struct yr_node *n, unsigned via)
{
    struct yr_link_info link;

    yr_links_info(n->links, via, &link);
    return !link.up || link.in_doubt;
}

static bool ask(struct yr_node *n, unsigned slot, unsigned via)
{
    struct yr_addr addr;

    if (doubtful(n, via) || yr_relay_open(n->relay, slot, via, &addr, n->now) != YR_OK)
        return false;
    note(n, slot, via, YR_OUT_TRYING);
    circuit_of(n, slot)->budget--;
    return true;
}

// Who has just come, if that is somebody; else each in turn.  false: there is nobody left to ask.
static bool ask_one(struct yr_node *n, unsigned slot)
{
    struct yr_circuit *c = circuit_of(n, slot);
    const unsigned hint = c->hint;
    size_t count = 0;
    unsigned via;

    c->hint = 0;
    for (; yr_relay_common(n->relay, slot, count, &via, n->now); count++)
        if (via + 1 == hint && ask(n, slot, via))
            return true;
    for (size_t i = 0; i < count; i++)
        if (yr_relay_common(n->relay, slot, (c->turn + i) % count, &via, n->now) &&
            ask(n, slot, via)) {
            c->turn++;
            return true;
        }
    return false;
}

// One that is open is used, unless that has been tried; else somebody else is asked as well.
static void seek(struct yr_node *n, unsigned slot)
{
    struct yr_relay_info info;
    struct yr_link_info link;
    size_t asked = 0;

    yr_links_info(n->links, slot, &link);
    for (size_t i = 0; yr_relay_circuit(n->relay, slot, i, &info); i++) {
        const yr_us age = n->now.mono_us - info.since_us;

        if (yr_addr_eq(&link.addr, &info.addr) || doubtful(n, info.via))
            continue;
        if (info.open && !link.up && age > YR_RELAY_DEAF_S * YR_S) { // nobody answers in there
            yr_relay_close(n->relay, &info.addr, n->now);
            note(n, slot, info.via, YR_OUT_SILENT);
            return;
        }
        asked++;
        // The end that asked dials; when nothing comes of it the other one may.
        if (info.open && !link.dialling && (info.ours || age > YR_RELAY_ASK_S * YR_S)) {
            yr_paths_circuit(n->paths, slot, &info.addr, n->now);
            return;
        }
    }
    if (asked >= YR_RELAY_ENDS_EACH || circuit_of(n, slot)->budget == 0)
        return;
    if (!ask_one(n, slot) && asked == 0) {
        note(n, slot, YR_FRIENDS_MAX, YR_OUT_NOTHING);
        circuit_of(n, slot)->budget = 0; // until somebody comes, or it is wanted again
    }
}

// Look again, not after `wait`; with as many askings as are left, or so many if that is more.
static void look(struct yr_node *n, unsigned slot, yr_us wait, unsigned budget)
{
    struct yr_circuit *c = circuit_of(n, slot);
    const yr_us at = n->now.mono_us + wait;

    if (shut(&n->friends[slot]))
        return;
    c->budget = YR_MAX(c->budget, budget);
    c->due_us = c->due_us == 0 ? at : YR_MIN(c->due_us, at);
}

void yr_circuit_need(struct yr_node *n, unsigned slot, unsigned times)
{
    // Later on whoever comes back asks for us, as we do for whoever is missing when somebody comes.
    look(n, slot, 0, times == 0 ? YR_RELAY_TRIES : 0);
}

static void relay_opened(void *ctx, unsigned slot, unsigned via, const struct yr_addr *addr,
                         bool ours)
{
    struct yr_node *n = ctx;
    struct yr_link_info link;

    note(n, slot, via, YR_OUT_WORKED);
    // A friend who asks has a reason, but only who carries says that he asked: a link that works is
    // not moved for that, or it could be cut by him.  The friend's own packets will.
    if (!ours)
        yr_links_expect(n->links, slot, addr, n->now);
    yr_links_info(n->links, slot, &link);
    if (ours || (link.up && link.in_doubt)) // the end that asked dials
        yr_paths_circuit(n->paths, slot, addr, n->now);
}

static void relay_closed(void *ctx, unsigned slot, unsigned via, const struct yr_addr *addr,
                         enum yr_relay_reason why)
{
    struct yr_node *n = ctx;
    struct yr_link_info link;

    yr_links_info(n->links, slot, &link);
    switch (why) {
    case YR_RELAY_NOT_THERE: note(n, slot, via, YR_OUT_NOTHING); break; // they are not linked
    case YR_RELAY_DENIED:
    case YR_RELAY_FULL:
    case YR_RELAY_SPENT:
    case YR_RELAY_HOP: note(n, slot, via, YR_OUT_REFUSED); break;
    case YR_RELAY_SILENT: note(n, slot, via, YR_OUT_SILENT); break;
    case YR_RELAY_DONE:
    case YR_RELAY_IDLE:
    case YR_RELAY_LOST:
    case YR_RELAY_REASON_COUNT: break;
    }
    if (link.up && yr_addr_eq(&link.addr, addr)) // nothing goes that way any more
        yr_paths_doubt(n->paths, slot, n->now);
    if (yr_paths_lost(n->paths, slot))
        look(n, slot, 0, 0);
}

const struct yr_relay_ops yr_circuit_relay_ops = {.frame = relay_frame,
                                                  .datagram = relay_datagram,
                                                  .packet = relay_packet,
                                                  .opened = relay_opened,
                                                  .closed = relay_closed};

/* ---- rows ---- */

static void store(struct yr_node *n, unsigned slot)
{
    const struct yr_circuit *c = circuit_of(n, slot);
    uint8_t row[3 + YR_HASH16 + YR_RELAY_LIST * YR_RELAY_HASH];
    uint8_t list[YR_RELAY_LIST][YR_RELAY_HASH] = {{0}};
    const bool told = yr_relay_learned(n->relay, slot, list);
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u8(&wr, (uint8_t)c->consent);
    yr_wr_u8(&wr, (uint8_t)((told ? ROW_TOLD : 0) | (c->keeper ? ROW_KEEPER : 0)));
    yr_wr_bytes(&wr, c->list_told, sizeof c->list_told);
    yr_wr_bytes(&wr, list, sizeof list);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(n->rows, YR_TABLE_RELAY, NULL, 0, n->friends[slot].id, 32, row, yr_wr_len(&wr));
}

enum yr_err yr_circuit_load(struct yr_node *n, unsigned slot)
{
    struct yr_circuit *c = circuit_of(n, slot);
    uint8_t row[256], list[YR_RELAY_LIST][YR_RELAY_HASH];
    uint8_t version, consent, flags;
    struct yr_rd rd;
    size_t len;
    enum yr_err err = yr_rows_get(n->rows, YR_TABLE_RELAY, NULL, 0, n->friends[slot].id, 32, row,
                                  sizeof row, &len);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    version = yr_rd_u8(&rd);
    consent = yr_rd_u8(&rd);
    flags = yr_rd_u8(&rd);
    yr_rd_copy(&rd, c->list_told, sizeof c->list_told);
    yr_rd_copy(&rd, list, sizeof list);
    if (!yr_rd_done(&rd) || version != ROW_VERSION || consent > YR_YES)
        return YR_ECORRUPT;
    c->consent = (enum yr_tri)consent;
    c->keeper = (flags & ROW_KEEPER) != 0;
    yr_relay_consent(n->relay, slot, c->consent, n->now);
    yr_relay_prefer(n->relay, slot, c->keeper, n->now);
    if ((flags & ROW_TOLD) != 0)
        yr_relay_learn(n->relay, slot, list[0], YR_RELAY_LIST);
    return YR_OK;
}

/* ---- friends ---- */

void yr_circuit_enter(struct yr_node *n, unsigned slot)
{
    const struct yr_friend *f = &n->friends[slot];

    yr_relay_set(n->relay, slot, f->id, f->pair.rel, f->pair.out);
    look(n, slot, YR_RELAY_PATIENCE_MS * YR_MS, YR_RELAY_TRIES);
}

void yr_circuit_admit(struct yr_node *n, unsigned slot)
{
    const struct yr_friend *f = &n->friends[slot];

    yr_relay_block(n->relay, slot, shut(f), n->now);
    if (!f->online)
        look(n, slot, YR_RELAY_PATIENCE_MS * YR_MS, YR_RELAY_TRIES);
}

void yr_circuit_remove(struct yr_node *n, unsigned slot)
{
    yr_relay_remove(n->relay, slot);
    yr_rows_del(n->rows, YR_TABLE_RELAY, NULL, 0, n->friends[slot].id, 32);
    *circuit_of(n, slot) = (struct yr_circuit){0};
}

void yr_circuit_consent(struct yr_node *n, unsigned slot, enum yr_tri consent)
{
    circuit_of(n, slot)->consent = consent;
    yr_relay_consent(n->relay, slot, consent, n->now);
    store(n, slot);
}

void yr_circuit_keeper(struct yr_node *n, unsigned slot, bool keeper)
{
    if (circuit_of(n, slot)->keeper == keeper)
        return;
    circuit_of(n, slot)->keeper = keeper;
    yr_relay_prefer(n->relay, slot, keeper, n->now);
    store(n, slot);
}

// Whom we seek may be there too.
static void somebody_came(struct yr_node *n, unsigned who)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        if (slot == who || n->friends[slot].online)
            continue;
        circuit_of(n, slot)->hint = who + 1;
        look(n, slot, YR_RELAY_PATIENCE_MS * YR_MS, 1);
    }
}

void yr_circuit_linked(struct yr_node *n, unsigned slot)
{
    struct yr_circuit *c = circuit_of(n, slot);
    struct yr_link_info link;
    bool direct;

    yr_links_info(n->links, slot, &link);
    direct = yr_addr_udp(&link.addr);
    yr_relay_up(n->relay, slot, direct, n->now);
    c->due_us = 0;
    if (c->tell_us == 0)
        c->tell_us = n->now.mono_us + YR_RELAY_TELL_MS * YR_MS;
    if (direct && !c->direct)
        somebody_came(n, slot);
    c->direct = direct;
}

void yr_circuit_lost(struct yr_node *n, unsigned slot)
{
    yr_relay_down(n->relay, slot, n->now);
    circuit_of(n, slot)->direct = false;
    look(n, slot, YR_RELAY_PATIENCE_MS * YR_MS, YR_RELAY_TRIES);
}

/* ---- lists ---- */

enum yr_err yr_circuit_told(struct yr_node *n, unsigned slot, const struct yr_plain *plain)
{
    uint8_t list[YR_RELAY_LIST][YR_RELAY_HASH];

    if (plain->id_count != YR_RELAY_LIST)
        return YR_OK;
    for (size_t i = 0; i < YR_RELAY_LIST; i++)
        memcpy(list[i], plain->ids[i], YR_RELAY_HASH);
    yr_relay_learn(n->relay, slot, list[0], YR_RELAY_LIST);
    yr_delivery_holders(n->delivery, slot);
    store(n, slot);
    return YR_OK;
}

void yr_circuit_offered(struct yr_node *n, unsigned slot, const struct yr_offer *offer)
{
    if (offer->relay_count > 0)
        yr_relay_learn(n->relay, slot, offer->relays[0], offer->relay_count);
}
static_assert(YR_OFFER_RELAYS_MAX == YR_RELAY_LIST, "an offer carries a whole list");

// The outbox carries it, so it is told once.
static void tell(struct yr_node *n, unsigned slot)
{
    struct yr_circuit *c = circuit_of(n, slot);
    struct yr_plain plain = {.type = YR_PLAIN_RELAYS, .known = true, .id_count = YR_RELAY_LIST};
    uint8_t list[YR_RELAY_LIST][YR_RELAY_HASH], hash[YR_HASH16];
    enum yr_err err;

    c->set_told = yr_relay_set_version(n->relay);
    yr_relay_list(n->relay, slot, list);
    yr_hash16(hash, list, sizeof list);
    if (memcmp(hash, c->list_told, sizeof hash) == 0)
        return;
    for (size_t i = 0; i < YR_RELAY_LIST; i++)
        plain.ids[i] = list[i];
    if ((err = yr_friend_push(n, &n->friends[slot], &plain)) != YR_OK) {
        yr_node_trip(n, err);
        return;
    }
    memcpy(c->list_told, hash, sizeof hash);
    store(n, slot);
    c->tell_us = n->now.mono_us + (c->lists_told++ < YR_RELAY_TELL_BURST ? YR_RELAY_TELL_MS * YR_MS
                                                                         : YR_RELAY_TELL_S * YR_S);
}

static bool must_tell(const struct yr_node *n, unsigned slot)
{
    const struct yr_circuit *c = &n->circuits[slot];

    return n->friends[slot].online && !shut(&n->friends[slot]) &&
           c->set_told != yr_relay_set_version(n->relay);
}

/* ---- what comes ---- */

enum yr_err yr_circuit_frame(struct yr_node *n, unsigned slot, uint8_t type, const uint8_t *body,
                             size_t len)
{
    if (type < YR_FRAME_RELAY_OPEN || type > YR_FRAME_RELAY_CLOSE)
        return YR_OK;
    return yr_relay_frame(n->relay, slot, type, body, len, n->now);
}

/* ---- time ---- */

static bool wanted(const struct yr_node *n, unsigned slot)
{
    const struct yr_circuit *c = &n->circuits[slot];

    return c->due_us != 0 && !shut(&n->friends[slot]) && yr_paths_lost(n->paths, slot);
}

void yr_circuit_tick(struct yr_node *n)
{
    const yr_us now = n->now.mono_us;

    yr_relay_tick(n->relay, n->now);
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_circuit *c = circuit_of(n, slot);

        if (must_tell(n, slot) && now >= c->tell_us)
            tell(n, slot);
        if (c->due_us == 0 || now < c->due_us)
            continue;
        if (!wanted(n, slot)) {
            c->due_us = 0;
            continue;
        }
        c->due_us = now + YR_RELAY_AGAIN_MS * YR_MS;
        seek(n, slot);
        if (c->budget == 0) { // once in a while all the same
            c->due_us = now + YR_RELAY_CALM_S * YR_S;
            c->budget = 1;
        }
    }
}

yr_us yr_circuit_deadline(const struct yr_node *n)
{
    yr_us due = yr_relay_deadline(n->relay);

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        if (!n->friends[slot].used)
            continue;
        if (n->circuits[slot].due_us != 0)
            due = YR_MIN(due, n->circuits[slot].due_us);
        if (must_tell(n, slot))
            due = YR_MIN(due, n->circuits[slot].tell_us);
    }
    return due;
}

/* ---- what people want to know ---- */

void yr_circuit_info(const struct yr_node *n, unsigned slot, struct yr_friend_info *out)
{
    struct yr_relay_info info;
    struct yr_link_info link;

    out->relay = n->circuits[slot].consent;
    yr_relay_carried(n->relay, slot, &out->relayed_for_me, &out->relayed_by_me);
    yr_links_info(n->links, slot, &link);
    if (!link.up || yr_addr_udp(&link.addr))
        return;
    memset(&out->addr, 0, sizeof out->addr);
    out->relayed = true;
    if (yr_relay_at(n->relay, &link.addr, &info))
        memcpy(out->via, n->friends[info.via].id, sizeof out->via);
}
