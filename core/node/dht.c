/* core/node/dht.c: the node's place in the DHT: its role there, whom it starts from, what it keeps
 * over a restart.
 *
 * An island, where nodes at private and loopback addresses talk to each other, is a network all of
 * whose configured bootstrap nodes are at such addresses; with none configured, all those known
 * from last time.  A server that knows nobody, and has no public address of its own, takes itself
 * for the first node of an island until a packet comes from a public address: a rented machine may
 * see only its provider's private one.  Nothing that strangers say makes an island. */
#include "core/node/state.h"

#define ROW_KEY   "dht key"
#define ROW_TABLE "dht nodes"
#define ROW_MAX   (1 + YR_DHT_BOOTSTRAP_MAX * 51)

static bool public(const struct yr_addr *addr)
{
    return yr_dht_addr_ok(addr, false);
}

/** The i-th configured bootstrap node: given by the host, or a peer with a key. */
static bool start_node(const struct yr_node *n, size_t *at, struct yr_dht_contact *out)
{
    for (; *at < 2 * YR_PEERS_MAX; ++*at) {
        const struct yr_boot *b = *at < YR_PEERS_MAX ? &n->boots[*at] : NULL;
        const struct yr_peer *p = b == NULL ? &n->peers[*at - YR_PEERS_MAX] : NULL;

        if (b != NULL && b->used) {
            *out = b->contact;
        } else if (p != NULL && p->used && p->keyed) {
            out->addr = p->addr;
            memcpy(out->pk, p->pk, 32);
        } else {
            continue;
        }
        ++*at;
        return true;
    }
    return false;
}

/** Those we knew when we were here last; how many. */
static size_t kept(const struct yr_node *n, struct yr_dht_contact list[YR_DHT_BOOTSTRAP_MAX])
{
    uint8_t row[ROW_MAX];
    size_t len, count;

    if (yr_rows_get(n->rows, YR_TABLE_SELF, NULL, 0, ROW_TABLE, sizeof ROW_TABLE - 1, row,
                    sizeof row, &len) != YR_OK ||
        yr_dht_contacts_decode(list, YR_DHT_BOOTSTRAP_MAX, &count, row, len) != YR_OK)
        return 0;
    return count;
}

static bool island(const struct yr_node *n)
{
    struct yr_dht_contact c, list[YR_DHT_BOOTSTRAP_MAX];
    bool any = false;
    size_t count;

    for (size_t at = 0; start_node(n, &at, &c); any = true)
        if (public(&c.addr))
            return false;
    if (any)
        return true;
    count = kept(n, list);
    for (size_t i = 0; i < count; i++)
        if (public(&list[i].addr))
            return false;
    if (count > 0)
        return true; // only on an island did we ever talk to such
    if (n->opts.dht != YR_ROLE_SERVER || n->dht_world || n->addr_count == 0)
        return false;
    for (size_t i = 0; i < n->addr_count; i++)
        if (public(&n->addrs[i]))
            return false;
    return true;
}

static bool wanted(const struct yr_node *n)
{
    return n->unlocked && n->opts.online && n->opts.dht != YR_ROLE_OFF &&
           (n->has_identity || n->opts.dht == YR_ROLE_SERVER);
}

static enum yr_dht_role role(const struct yr_node *n)
{
    return n->opts.dht == YR_ROLE_SERVER   ? YR_DHT_AS_SERVER
           : n->opts.dht == YR_ROLE_CLIENT ? YR_DHT_AS_CLIENT
                                           : YR_DHT_AUTO;
}

// Others know a server by its key, so it keeps it.
static void load_key(struct yr_node *n)
{
    uint8_t seed[32];
    size_t len;
    enum yr_err err =
        yr_rows_get(n->rows, YR_TABLE_SELF, NULL, 0, ROW_KEY, sizeof ROW_KEY - 1, seed, 32, &len);

    if (err == YR_OK && len == sizeof seed)
        memcpy(n->dht_seed, seed, sizeof seed);
    else if (!n->dht_seeded)
        yr_random(n->rng, n->dht_seed, sizeof n->dht_seed);
    n->dht_seeded = true;
    yr_wipe(seed, sizeof seed);
}

static void save_key(struct yr_node *n)
{
    yr_rows_put(n->rows, YR_TABLE_SELF, NULL, 0, ROW_KEY, sizeof ROW_KEY - 1, n->dht_seed,
                sizeof n->dht_seed);
}

static void ask_configured(struct yr_node *n)
{
    struct yr_dht_contact list[2 * YR_PEERS_MAX];
    size_t count = 0;

    for (size_t at = 0; start_node(n, &at, &list[count]);)
        count++;
    yr_dht_bootstrap(n->dht, list, count, n->now);
}

static void ask_known(struct yr_node *n)
{
    struct yr_dht_contact list[YR_DHT_BOOTSTRAP_MAX];

    yr_dht_bootstrap(n->dht, list, kept(n, list), n->now);
}

static void save(struct yr_node *n)
{
    struct yr_dht_contact list[YR_DHT_BOOTSTRAP_MAX];
    uint8_t row[ROW_MAX];
    const size_t count = yr_dht_export(n->dht, list, YR_DHT_KEPT_MAX);
    size_t len;

    if (n->dht_role == YR_DHT_AS_SERVER)
        save_key(n); // the first time may have failed
    n->dht_save_us = n->now.mono_us + (count > 0 ? YR_DHT_SAVE_S : 60) * YR_S;
    if (count > 0 && yr_dht_contacts_encode(list, count, row, sizeof row, &len) == YR_OK)
        yr_rows_put(n->rows, YR_TABLE_SELF, NULL, 0, ROW_TABLE, sizeof ROW_TABLE - 1, row, len);
}

static bool may_write(const struct yr_node *n)
{
    return n->unlocked && !n->failing && n->tripped == YR_OK;
}

void yr_node_dht_stop(struct yr_node *n)
{
    if (n->dht == NULL)
        return;
    if (may_write(n))
        save(n);
    yr_dht_free(n->dht);
    n->dht = NULL;
    yr_meet_ended(n);
}

static void found(void *ctx, uint64_t search, const uint8_t *record, size_t len)
{
    yr_meet_record(ctx, search, record, len);
}

static void done(void *ctx, uint64_t search, const struct yr_dht_result *result)
{
    yr_meet_done(ctx, search, result);
}

static void signal_came(void *ctx, const uint8_t id[YR_DHT_SIGNAL_LEN], const uint8_t *bytes,
                        size_t len)
{
    (void)id;
    yr_meet_heard(ctx, bytes, len);
}

static void seen(void *ctx, const struct yr_addr *from, const struct yr_addr *addr)
{
    struct yr_node *n = ctx;

    yr_nat_seen(&n->nat, n->now, from, addr);
    yr_meet_answered(n);
}

static void listens(void *ctx, const struct yr_dht_contact *relay, bool ok)
{
    yr_meet_listens(ctx, relay, ok);
}

static void dialled(void *ctx, const struct yr_addr *from)
{
    struct yr_node *n = ctx;

    if (from != NULL)
        yr_nat_heard(&n->nat, n->now, from);
    else
        yr_nat_expect(&n->nat, n->now);
}

static void start(struct yr_node *n, bool lax)
{
    struct yr_dht_opts opts = {.role = role(n), .lax = lax};
    const struct yr_dht_calls calls = {.found = found,
                                       .done = done,
                                       .signal = signal_came,
                                       .seen = seen,
                                       .listens = listens,
                                       .dialled = dialled,
                                       .ctx = n};

    if (opts.role == YR_DHT_AS_SERVER) {
        load_key(n);
        opts.key_seed = n->dht_seed;
    }
    if (yr_dht_new(&n->dht, n->mem, n->rng, &opts, &calls, n->now) == YR_OK) {
        n->dht_role = opts.role;
        n->dht_lax = lax;
        n->dht_save_us = n->now.mono_us + 60 * YR_S;
        if (opts.role == YR_DHT_AS_SERVER)
            save_key(n);
        ask_configured(n);
        ask_known(n);
    } else {
        n->dht = NULL; // no memory now
        n->dht_save_us = n->now.mono_us + 60 * YR_S;
    }
}

void yr_node_dht_apply(struct yr_node *n)
{
    const bool want = wanted(n) && n->retired_gen == 0, lax = want && island(n);

    if (n->dht != NULL && (!want || lax != n->dht_lax || role(n) != n->dht_role))
        yr_node_dht_stop(n);
    if (n->dht != NULL)
        ask_configured(n);
    else if (want && may_write(n))
        start(n, lax);
}

void yr_node_dht_recv(struct yr_node *n, const struct yr_addr *from, const uint8_t *bytes,
                      size_t len)
{
    if (!n->dht_world && public(from)) {
        n->dht_world = true;
        if (n->dht_lax != island(n))
            yr_node_dht_apply(n);
    }
    if (n->dht != NULL)
        yr_dht_recv(n->dht, n->now, from, bytes, len);
}

// Whoever shows how we stand asks again.
static void tell_change(struct yr_node *n)
{
    const unsigned now = n->dht == NULL             ? 0
                         : yr_dht_serves(n->dht)    ? 3
                         : yr_dht_known(n->dht) > 0 ? 2
                                                    : 1;
    struct yr_event event = {.kind = YR_EV_NET};

    if (now == n->dht_told)
        return;
    n->dht_told = now;
    yr_node_event(n, &event);
}

void yr_node_dht_tick(struct yr_node *n)
{
    tell_change(n);
    if (n->dht == NULL) {
        if (wanted(n) && n->dht_save_us <= n->now.mono_us)
            yr_node_dht_apply(n);
        return;
    }
    yr_dht_tick(n->dht, n->now);
    if (n->dht_save_us <= n->now.mono_us)
        save(n);
}

yr_us yr_node_dht_deadline(const struct yr_node *n)
{
    if (n->dht == NULL)
        return wanted(n) ? n->dht_save_us : YR_NEVER;
    return YR_MIN(yr_dht_deadline(n->dht), n->dht_save_us);
}

// Those we start from may be gone; others say just as well where we are now.
static void ask_some(struct yr_node *n)
{
    struct yr_dht_contact list[YR_DHT_BOOTSTRAP_MAX];
    const size_t count = yr_dht_export(n->dht, list, YR_COUNT(list));
    uint32_t r;

    yr_random(n->rng, &r, sizeof r);
    for (size_t i = 0; i < count && i < YR_DHT_STORE; i++)
        yr_dht_touch(n->dht, n->now, &list[(r + i) % count]);
}

void yr_node_dht_moved(struct yr_node *n)
{
    if (n->dht != NULL) {
        yr_dht_moved(n->dht, n->now);
        ask_some(n);
        yr_meet_moved(n);
    }
    yr_node_dht_apply(n);
}

/* ---- what a host says ---- */

enum yr_err yr_node_bootstrap(struct yr_node *n, struct yr_now now, const struct yr_addr *addr,
                              const uint8_t *pk)
{
    struct yr_boot *place = NULL;

    n->now = now;
    if (!yr_dht_addr_ok(addr, true) || pk == NULL)
        return YR_EINVAL;
    for (size_t i = YR_PEERS_MAX; i-- > 0;) {
        struct yr_boot *b = &n->boots[i];

        if (!b->used) {
            place = b;
        } else if (yr_addr_eq(&b->contact.addr, addr) && memcmp(b->contact.pk, pk, 32) == 0) {
            place = b;
            break;
        }
    }
    if (place == NULL)
        return YR_EFULL;
    place->used = true;
    place->contact.addr = *addr;
    memcpy(place->contact.pk, pk, 32);
    yr_node_dht_apply(n);
    return YR_OK;
}

void yr_node_set_dht(struct yr_node *n, struct yr_now now, enum yr_dht_mode mode)
{
    n->now = now;
    n->opts.dht = mode;
    yr_node_dht_apply(n);
}

/* ---- what a user may ask ---- */

static bool has_answered(const struct yr_node *n, const struct yr_dht_contact *c)
{
    const struct yr_dht_start *s;

    for (size_t i = 0; n->dht != NULL && (s = yr_dht_start_at(n->dht, i)) != NULL; i++)
        if (yr_dht_same(&s->contact, c))
            return s->answered_us > 0;
    return false;
}

bool yr_node_peer_answered(const struct yr_node *n, const struct yr_peer *peer)
{
    struct yr_dht_contact c = {.addr = peer->addr};

    memcpy(c.pk, peer->pk, 32);
    return peer->keyed && has_answered(n, &c);
}

void yr_node_dht_info(const struct yr_node *n, struct yr_net_info *out)
{
    struct yr_dht_contact c;
    struct yr_dht_info info;

    for (size_t at = 0; start_node(n, &at, &c);) {
        out->bootstraps++;
        out->bootstraps_answered += has_answered(n, &c);
    }
    for (size_t i = 0; i < YR_PEERS_MAX; i++)
        out->peers_without_key += n->peers[i].used && !n->peers[i].keyed;
    out->clock_offset_ms = yr_meet_clock_offset(n);
    if (n->dht == NULL)
        return;
    yr_dht_info(n->dht, &info);
    out->serves = info.serves;
    out->island = n->dht_lax;
    memcpy(out->dht_pk, yr_dht_pk(n->dht), 32);
    out->nodes4 = info.nodes[0];
    out->nodes6 = info.nodes[1];
    out->network = (double)info.network;
    out->records = info.records;
    out->direct_records = n->dht_direct;
    if (!yr_dht_seen_by_any(n->dht, 4, &out->seen4))
        out->seen4 = (struct yr_addr){0};
    if (!yr_dht_seen_by_any(n->dht, 6, &out->seen6))
        out->seen6 = (struct yr_addr){0};
}
