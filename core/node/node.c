/* core/node/node.c: the verbs: in go datagrams, commands, answers of the store and time, out come
 * effects.  What the machines below have to say to each other goes through friends.c.
 *
 * A failed commit is a crash: everything not committed is forgotten, all state is read again, links
 * close (friends send again what was not acknowledged), and writes are refused until a probe of the
 * store succeeds.  So there is one way back from every failure, and it is the one after kill -9. */
#include "core/node/state.h"

#define QUIC_BIT  0x40
#define HEADERS_4 28 /* bytes of IPv4 and UDP before ours */
#define HEADERS_6 48

static size_t headers(const struct yr_addr *addr)
{
    return addr->family == 6 ? HEADERS_6 : HEADERS_4;
}

struct yr_node_opts yr_node_opts_default(void)
{
    return (struct yr_node_opts){
        .lan = true, .online = true, .relay = true, .mail = {.hold = true}};
}

void yr_node_free(struct yr_node *n)
{
    if (n == NULL)
        return;
    yr_dht_free(n->dht);
    yr_rooms_free(n->rooms);
    yr_chats_free(n->chats);
    yr_mailbox_free(n->mailbox);
    yr_delivery_free(n->delivery);
    yr_contacts_free(n->contacts);
    yr_paths_free(n->paths);
    yr_circuit_forget(n);
    yr_relay_free(n->relay);
    yr_traces_free(n->traces);
    yr_links_free(n->links);
    yr_events_free(n->events);
    yr_rows_free(n->rows);
    yr_free_secret(n->mem, n->meet);
    yr_free_secret(n->mem, n->renew);
    yr_restore_free(n);
    yr_free_secret(n->mem, n->scratch);
    yr_free_secret(n->mem, n);
}

static enum yr_err make_parts(struct yr_node *n)
{
    struct yr_link_ops link_ops = yr_friend_link_ops;
    struct yr_path_ops path_ops = yr_way_path_ops;
    struct yr_relay_ops relay_ops = yr_circuit_relay_ops;
    struct yr_contact_ops contact_ops = yr_friend_contact_ops;
    struct yr_delivery_ops delivery_ops = yr_friend_delivery_ops;
    struct yr_rooms_ops rooms_ops = yr_node_rooms_ops;
    enum yr_err err;

    yr_nat_init(&n->nat, n->rng);
    n->chat_ops = yr_friend_chat_ops; // borrowed by the chats, the others copy
    link_ops.ctx = path_ops.ctx = contact_ops.ctx = delivery_ops.ctx = n->chat_ops.ctx = n;
    rooms_ops.ctx = relay_ops.ctx = n;
    yr_post_ops(&delivery_ops);
    if ((err = yr_rows_new(&n->rows, n->mem, n->rng, n->opts.view)) != YR_OK ||
        (err = yr_events_new(&n->events, n->mem, n->rows)) != YR_OK ||
        (err = yr_links_new(&n->links, n->mem, n->rng, &link_ops)) != YR_OK ||
        (err = yr_traces_new(&n->traces, n->mem)) != YR_OK ||
        (err = yr_relay_new(&n->relay, n->mem, n->rng, &relay_ops)) != YR_OK ||
        (err = yr_paths_new(&n->paths, n->mem, n->rng, &n->nat, &path_ops)) != YR_OK ||
        (err = yr_contacts_new(&n->contacts, n->mem, n->rows, n->rng, &contact_ops)) != YR_OK ||
        (err = yr_delivery_new(&n->delivery, n->mem, n->rows, n->rng, &n->age, &delivery_ops)) !=
            YR_OK ||
        (err = yr_mail_new(n)) != YR_OK ||
        (err = yr_chats_new(&n->chats, n->mem, n->rows, n->events, n->rng, &n->chat_ops)) != YR_OK)
        return err;
    return yr_rooms_new(&n->rooms, n->mem, n->rows, n->events, n->chats, n->rng, &n->age,
                        &rooms_ops);
}

enum yr_err yr_node_new(struct yr_node **out, const struct yr_node_opts *opts)
{
    struct yr_node *n = yr_alloc_secret(opts->mem, YR_MEM_NODE, sizeof *n);
    enum yr_err err;

    if (n == NULL)
        return YR_ENOMEM;
    n->opts = *opts;
    n->mem = opts->mem;
    n->rng = opts->rng;
    n->scratch = yr_alloc(n->mem, YR_MEM_NODE, sizeof *n->scratch);
    n->meet = yr_alloc_secret(n->mem, YR_MEM_NODE, sizeof *n->meet);
    n->renew = yr_alloc_secret(n->mem, YR_MEM_NODE, sizeof *n->renew);
    err = n->scratch != NULL && n->meet != NULL && n->renew != NULL ? make_parts(n) : YR_ENOMEM;
    if (err != YR_OK) {
        yr_node_free(n);
        return err;
    }
    *out = n;
    return YR_OK;
}

void yr_node_event(struct yr_node *n, struct yr_event *event)
{
    event->time_ms = n->now.wall_ms;
    (void)!yr_events_append(n->events, event);
}

void yr_node_trip(struct yr_node *n, enum yr_err err)
{
    const bool machine =
        err == YR_ENOMEM || err == YR_EIO || err == YR_ECORRUPT || err == YR_ELOCKED;

    if (machine && n->tripped == YR_OK)
        n->tripped = err;
}

void yr_node_set_read_receipts(struct yr_node *n, bool on)
{
    n->opts.read_receipts = on;
}

/* ---- loading ---- */

void yr_node_unload(struct yr_node *n)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        if (!n->friends[slot].used)
            continue;
        yr_relay_remove(n->relay, slot);
        yr_links_remove(n->links, slot, n->now);
        yr_paths_remove(n->paths, slot);
        yr_traces_forget(n->traces, slot);
    }
    yr_circuit_forget(n);
    yr_meet_reset(n);
    yr_renew_reset(n);
    yr_restore_free(n); // what came of it may not be durable
    yr_rooms_reset(n->rooms);
    yr_contacts_reset(n->contacts);
    yr_delivery_reset(n->delivery);
    yr_mail_forget(n);
    yr_chats_reset(n->chats);
    yr_wipe(n->friends, sizeof n->friends);
    yr_wipe(n->stash, sizeof n->stash);
    memset(n->pings, 0, sizeof n->pings);
    n->owed_count = 0;
    yr_identity_clear(&n->self);
    yr_links_identity(n->links, NULL);
    yr_wipe(n->nick, sizeof n->nick);
    yr_wipe(n->status, sizeof n->status);
    yr_wipe(&n->own, sizeof n->own);
    yr_wipe(n->scratch, sizeof *n->scratch); // a message that was looked at
    n->has_identity = false;
    n->next_order = 0;
    n->friends_version++;
}

enum yr_err yr_node_load(struct yr_node *n)
{
    enum yr_err err;

    if ((err = yr_events_start(n->events)) != YR_OK || (err = yr_self_load(n)) != YR_OK)
        return err;
    if (n->has_identity && (err = yr_self_start(n)) != YR_OK)
        return err;
    if ((err = yr_way_load(n)) != YR_OK || (err = yr_peers_load(n)) != YR_OK ||
        (err = yr_daily_load(n)) != YR_OK)
        return err;
    yr_beacon_hurry(n);
    return YR_OK;
}

enum yr_err yr_node_unlock(struct yr_node *n, struct yr_now now, const uint8_t vk[32],
                           const uint8_t *shred_file)
{
    enum yr_err err;

    n->now = now;
    if ((err = yr_rows_unlock(n->rows, vk, shred_file)) != YR_OK)
        return err;
    if ((err = yr_node_load(n)) != YR_OK) {
        yr_node_unload(n);
        yr_rows_lock(n->rows);
        return err;
    }
    n->unlocked = true;
    n->failing = false;
    n->tripped = YR_OK;
    yr_node_dht_apply(n);
    return YR_OK;
}

void yr_node_close(struct yr_node *n, struct yr_now now)
{
    n->now = now;
    yr_node_dht_stop(n); // what it knows is kept for the next start
    // Goodbyes over circuits first, while the links that carry them are there.
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_link_info link;
        yr_links_info(n->links, slot, &link);
        if (link.addr.family == YR_FAMILY_VIA)
            yr_links_close(n->links, slot, now);
    }
    n->closing = true; // the others: when these are sent
}

void yr_node_lock(struct yr_node *n, struct yr_now now)
{
    n->now = now;
    n->closing = false;
    if (!n->unlocked)
        return;
    yr_events_fail(n->events, YR_ELOCKED);
    yr_dht_free(n->dht); // what it knew was kept when the node was closed
    n->dht = NULL;
    yr_wipe(n->dht_seed, sizeof n->dht_seed);
    n->dht_seeded = false;
    yr_node_unload(n);
    yr_rows_lock(n->rows);
    n->unlocked = false;
}

// Everything not committed never happened.
static void fail(struct yr_node *n, enum yr_err err)
{
    yr_events_fail(n->events, err);
    yr_node_unload(n);
    yr_rows_reset(n->rows);
    n->tripped = YR_OK;
    n->failing = true;
    n->fail_err = err;
    n->retry_wait_us = YR_MIN(YR_MAX(n->retry_wait_us * 2, YR_STORE_RETRY_S_MIN * YR_S),
                              YR_STORE_RETRY_S_MAX * YR_S);
    n->retry_us = n->now.mono_us + n->retry_wait_us;
    if (yr_node_load(n) != YR_OK) // cannot even be read: again with the next probe
        yr_node_unload(n);
}

// Is the store taking writes again?  A row of our own that says nothing is what we try with.
static void probe_store(struct yr_node *n)
{
    static const uint8_t one = 1;

    if (n->now.mono_us < n->retry_us)
        return;
    n->retry_us = YR_NEVER; // until this one is answered
    if (!n->has_identity && yr_node_load(n) != YR_OK) {
        fail(n, YR_EIO);
        return;
    }
    yr_rows_put(n->rows, YR_TABLE_SELF, NULL, 0, "probe", 5, &one, 1);
}

/* ---- verbs ---- */

void yr_node_datagram(struct yr_node *n, const struct yr_addr *from, const uint8_t *bytes,
                      size_t len)
{
    enum yr_purpose purpose;

    if (from->family == YR_FAMILY_VIA && (bytes[0] & QUIC_BIT) == 0 &&
        bytes[0] != YR_RENEWAL_TYPE) {
        n->dropped++; // nothing but links goes through friends, and what makes them possible
        return;
    }
    if (bytes[0] & QUIC_BIT) {
        purpose = YR_FOR_LINK;
        yr_links_recv(n->links, from, bytes, len, n->now);
    } else if (bytes[0] >= 0x05 && bytes[0] <= 0x08) {
        purpose = YR_FOR_CONTACT;
        yr_contacts_recv(n->contacts, n->now, from, bytes, len);
    } else if (bytes[0] == YR_DHT_TYPE && yr_addr_udp(from)) {
        purpose = YR_FOR_DHT;
        yr_node_dht_recv(n, from, bytes, len);
    } else if (bytes[0] >= 0x20 && bytes[0] <= 0x22) {
        purpose = YR_FOR_PATH;
        yr_paths_recv(n->paths, n->now, from, bytes, len);
    } else if (bytes[0] == 0x23) {
        purpose = YR_FOR_PATH;
        yr_beacon_recv(n, from, bytes, len);
    } else if (bytes[0] == YR_RENEWAL_TYPE) {
        purpose = YR_FOR_PATH;
        yr_renew_recv(n, from, bytes, len);
    } else {
        n->dropped++;
        return;
    }
    if (yr_addr_udp(from))
        n->traffic[purpose].in += len + headers(from);
}

void yr_node_recv(struct yr_node *n, struct yr_now now, const struct yr_addr *from,
                  const uint8_t *bytes, size_t len)
{
    n->now = now;
    n->received++;
    // A node of the DHT needs no identity.
    if (len == 0 || len > YR_PACKET_MAX || !n->opts.online || n->failing || n->tripped != YR_OK ||
        n->retired_gen != 0 || (!n->has_identity && (n->dht == NULL || bytes[0] != YR_DHT_TYPE))) {
        n->dropped++;
        return;
    }
    yr_node_datagram(n, from, bytes, len);
    yr_circuit_drain(n);
    yr_renew_settle(n);
}

static void release(struct yr_node *n)
{
    const uint64_t durable = yr_rows_durable(n->rows);

    yr_links_release(n->links, durable);
    yr_paths_release(n->paths, durable, n->now);
    yr_renew_release(n, durable);
    yr_delivery_release(n->delivery, n->now, durable);
    yr_mail_release(n, durable);
    yr_node_trip(n, yr_rooms_release(n->rooms, n->now, durable));
}

void yr_node_stored(struct yr_node *n, struct yr_now now, uint64_t token, enum yr_err err)
{
    n->now = now;
    yr_rows_stored(n->rows, token, err);
    if (!n->unlocked)
        return;
    if (err != YR_OK && yr_rows_broken(n->rows)) { // not for a slot: see yr_rows_keyfile
        fail(n, err);
        return;
    }
    if (n->failing && n->retry_us == YR_NEVER && yr_rows_durable(n->rows) >= token) {
        n->failing = false;
        n->retry_wait_us = 0;
        yr_beacon_hurry(n);
    }
    if (n->tripped == YR_OK)
        release(n);
}

static void tick_pings(struct yr_node *n)
{
    for (size_t i = 0; i < YR_PINGS_MAX; i++) {
        struct yr_ping_wait *p = &n->pings[i];
        if (!p->used || n->now.mono_us < p->sent_us + YR_PING_S * YR_S)
            continue;
        struct yr_event event = {.kind = YR_EV_DONE, .ticket = p->ticket, .err = YR_EAGAIN};
        p->used = false;
        yr_node_event(n, &event);
    }
}

static void close_some(struct yr_node *n)
{
    if (!n->close_due)
        return;
    n->close_due = false;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->friends[slot].used && n->friends[slot].close_soon) {
            n->friends[slot].close_soon = false;
            yr_links_close(n->links, slot, n->now);
        }
}

void yr_node_tick(struct yr_node *n, struct yr_now now)
{
    n->now = now;
    if (!n->unlocked || n->tripped != YR_OK)
        return;
    if (n->failing) {
        probe_store(n);
        return;
    }
    yr_daily_tick(n);
    if (n->retired_gen != 0)
        return;
    yr_node_dht_tick(n);
    if (!n->has_identity)
        return;
    yr_node_trip(n, yr_rooms_tick(n->rooms, now));
    if (n->tripped == YR_OK)
        yr_expire_tick(n);
    if (!n->opts.online || n->tripped != YR_OK)
        return;
    close_some(n);
    yr_links_tick(n->links, now);
    yr_paths_tick(n->paths, now);
    yr_circuit_tick(n);
    yr_mail_tick(n);
    yr_delivery_tick(n->delivery, now);
    yr_contacts_tick(n->contacts, now);
    yr_beacon_tick(n);
    yr_meet_tick(n);
    yr_renew_settle(n); // a record may have brought something
    yr_renew_tick(n);
    yr_presence_tick(n);
    tick_pings(n);
}

yr_us yr_node_deadline(const struct yr_node *n)
{
    yr_us due = YR_NEVER;

    if (!n->unlocked || n->tripped != YR_OK)
        return YR_NEVER; // tripped: the store's answer goes on
    if (n->failing)
        return n->retry_us;
    due = YR_MIN(due, n->rotate_us);
    if (n->retired_gen != 0)
        return due;
    due = YR_MIN(due, yr_node_dht_deadline(n));
    if (n->has_identity)
        due = YR_MIN(due, YR_MIN(n->expire_us, yr_rooms_deadline(n->rooms)));
    if (!n->has_identity || !n->opts.online)
        return due;
    due = YR_MIN(due, yr_links_deadline(n->links));
    due = YR_MIN(due, yr_paths_deadline(n->paths));
    due = YR_MIN(due, yr_circuit_deadline(n));
    due = YR_MIN(due, yr_mail_deadline(n));
    due = YR_MIN(due, yr_delivery_deadline(n->delivery));
    due = YR_MIN(due, yr_contacts_deadline(n->contacts));
    due = YR_MIN(due, yr_beacon_deadline(n));
    due = YR_MIN(due, yr_meet_deadline(n));
    due = YR_MIN(due, yr_renew_deadline(n));
    due = YR_MIN(due, n->presence_us);
    for (size_t i = 0; i < YR_PINGS_MAX; i++)
        if (n->pings[i].used)
            due = YR_MIN(due, n->pings[i].sent_us + YR_PING_S * YR_S);
    return n->close_due ? 0 : due;
}

static bool same_addrs(const struct yr_node *n, const struct yr_addr *addrs, size_t count)
{
    bool same = count == n->addr_count;

    for (size_t i = 0; same && i < count; i++)
        same = yr_addr_eq(&n->addrs[i], &addrs[i]);
    return same;
}

void yr_node_addrs(struct yr_node *n, struct yr_now now, const struct yr_addr *addrs, size_t count)
{
    const bool moved = !same_addrs(n, addrs, count);

    n->now = now;
    n->addr_count = YR_MIN(count, (size_t)YR_OWN_ADDRS_MAX);
    if (n->addr_count > 0)
        memcpy(n->addrs, addrs, n->addr_count * sizeof *addrs);
    if (moved)
        yr_node_dht_moved(n);
    yr_way_moved(n);
    if (n->has_identity)
        yr_beacon_hurry(n);
}

/* ---- effects ---- */

static bool poll_store(struct yr_node *n, struct yr_effect *out)
{
    struct yr_keyfile key;

    if (!n->unlocked)
        return false;
    if (yr_rows_broken(n->rows))
        fail(n, YR_ENOMEM);
    if (n->tripped != YR_OK && !yr_rows_busy(n->rows))
        fail(n, n->tripped);
    if (yr_rows_keyfile(n->rows, &key)) {
        out->kind = YR_FX_KEYFILE;
        out->token = key.token;
        out->slot = key.slot;
        memcpy(out->slot_bytes, key.bytes, sizeof out->slot_bytes);
        return true;
    }
    if (yr_rows_busy(n->rows))
        return false; // one commit at a time: the rest of the work joins the next
    if (n->has_identity && !n->failing) {
        enum yr_err err;
        yr_delivery_settle(n->delivery, n->now);
        err = n->tripped != YR_OK ? n->tripped : yr_chats_flush(n->chats, n->now);
        if (err == YR_OK)
            err = yr_rooms_flush(n->rooms, n->now);
        if (err != YR_OK) {
            fail(n, err);
            return false;
        }
        yr_mail_flush(n);
        if (n->tripped != YR_OK) {
            fail(n, n->tripped);
            return false;
        }
        yr_delivery_flush(n->delivery);
        yr_age_flush(&n->age, n->rows, n->now);
    }
    out->kind = YR_FX_STORE;
    out->txn = yr_rows_take(n->rows);
    return out->txn != NULL;
}

// The next datagram for the network; those for circuits and signal nodes go their way at once.
static bool poll_datagram(struct yr_node *n, struct yr_effect *out, uint8_t *buf, size_t cap,
                          enum yr_purpose *purpose)
{
    do {
        if (n->dht != NULL && (out->len = yr_dht_poll(n->dht, &out->to, buf, cap)) > 0)
            *purpose = YR_FOR_DHT;
        else if (!n->has_identity)
            return false;
        else if ((out->len = yr_meet_poll(n, &out->to, buf, cap)) > 0)
            *purpose = YR_FOR_CONTACT;
        else if ((out->len = yr_renew_poll(n, &out->to, buf, cap)) > 0)
            *purpose = YR_FOR_PATH; // before the dials that it is to make work
        else if ((out->len = yr_contacts_poll(n->contacts, &out->to, buf, cap)) > 0)
            *purpose = YR_FOR_CONTACT;
        else if ((out->len = yr_paths_poll(n->paths, n->now, &out->to, buf, cap)) > 0)
            *purpose = YR_FOR_PATH;
        else if ((out->len = yr_links_poll(n->links, n->now, &out->to, buf, cap)) > 0)
            *purpose = YR_FOR_LINK;
        if (out->len > 0 && out->to.family == YR_FAMILY_VIA)
            yr_relay_send(n->relay, &out->to, buf, out->len, n->now);
        else if (out->len > 0 && out->to.family == YR_FAMILY_SIGNAL)
            yr_meet_send(n, &out->to, buf, out->len);
    } while (out->len > 0 && !yr_addr_udp(&out->to));
    return out->len > 0;
}

static bool poll_send(struct yr_node *n, struct yr_effect *out, uint8_t *buf, size_t cap)
{
    enum yr_purpose purpose = YR_FOR_LINK;
    bool sends;

    out->kind = YR_FX_SEND;
    if (n->failing || n->tripped != YR_OK || !n->opts.online ||
        (n->retired_gen != 0 && !n->leaving))
        return false;
    if (n->has_identity && yr_way_socket(n, out))
        return true;
    sends = poll_datagram(n, out, buf, cap, &purpose);
    n->leaving = sends;
    if (!sends && n->retired_gen != 0)
        return false;
    if (!sends && n->closing) {
        n->closing = false;
        yr_links_close_all(n->links, n->now);
        sends = poll_datagram(n, out, buf, cap, &purpose);
    }
    if (!n->has_identity && !sends)
        return false;
    if (sends) {
        n->traffic[purpose].out += out->len + headers(&out->to);
        yr_nat_sent(&n->nat, n->now, &out->to);
        if (n->dht != NULL && out->to.local == 0)
            yr_dht_sent(n->dht, n->now, &out->to);
        return true;
    }
    out->kind = YR_FX_LAN;
    out->len = yr_beacon_poll(n, buf, cap);
    if (out->len > 0)
        n->traffic[YR_FOR_PATH].out += out->len + HEADERS_4;
    return out->len > 0;
}

bool yr_node_poll(struct yr_node *n, struct yr_now now, struct yr_effect *out, uint8_t *buf,
                  size_t cap)
{
    n->now = now;
    if (poll_store(n, out))
        return true;
    out->kind = YR_FX_EVENT;
    if (yr_events_next(n->events, &out->event))
        return true;
    return poll_send(n, out, buf, cap);
}
