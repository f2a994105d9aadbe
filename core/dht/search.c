#include "core/dht/state.h"

#define FORWARDER_MS    1200 /* until one that has never answered is given up for the next */
#define FORWARDERS_LAST 3    /* that are tried */
#define SEARCH_S        30   /* nothing takes longer */

void yr_dht_search_free(struct yr_dht *dht, struct yr_dht_search *s)
{
    if (s == NULL)
        return;
    yr_dht_lookup_clear(&s->lookup);
    yr_free(dht->mem, s);
}

static struct yr_dht_search *find(struct yr_dht *dht, uint64_t id)
{
    for (size_t i = 0; i < dht->search_count; i++)
        if (dht->searches[i]->id == id)
            return dht->searches[i];
    return NULL;
}

// One that knows nothing of what is searched, and is asked now whether it lives.
static void choose_forwarders(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    const struct yr_dht_table *table = yr_dht_table_of(dht, s->family);

    s->forwarder_count = 0;
    for (int tries = 0; tries < 24 && s->forwarder_count < YR_DHT_FORWARDERS && table->count > 0;
         tries++) {
        const struct yr_dht_entry *e = yr_dht_table_at(table, yr_dht_draw(dht) % table->count);
        bool have = e->fails > 0;

        for (size_t i = 0; i < s->forwarder_count; i++)
            have |= yr_dht_same(&s->forwarders[i], &e->contact);
        if (have)
            continue;
        s->alive[s->forwarder_count] = false;
        s->forwarders[s->forwarder_count++] = e->contact;
    }
    for (size_t i = 0; i < s->forwarder_count; i++) {
        struct yr_dht_msg ping = {.op = YR_DHT_PING};
        struct yr_dht_request *rq = yr_dht_ask(dht, &s->forwarders[i], YR_DHT_FOR_RELAY, &ping,
                                               YR_DHT_HARD_MS * YR_MS, now);

        if (rq != NULL)
            rq->search = s->id;
    }
}

static enum yr_err start(struct yr_dht *dht, const uint8_t key[32], uint8_t family, bool hard,
                         yr_us now, struct yr_dht_search **out)
{
    struct yr_dht_table *table = yr_dht_table_of(dht, family);
    struct yr_dht_contact near[2 * YR_DHT_BUCKET];
    struct yr_dht_search *s;
    size_t n;

    if (dht->search_count == YR_DHT_SEARCHES_MAX)
        return YR_EFULL;
    if ((s = yr_alloc(dht->mem, YR_MEM_DHT, sizeof *s)) == NULL)
        return YR_ENOMEM;
    s->id = dht->next_search++;
    s->family = family;
    s->started_us = now;
    s->due = true;
    memcpy(s->key, key, 32);
    yr_dht_lookup_init(&s->lookup, dht->mem, dht->rng, key, dht->own_id,
                       yr_dht_table_estimate(table), hard, dht->opts.lax, now);
    n = yr_dht_table_closest(table, key, near, hard ? YR_COUNT(near) : YR_DHT_BUCKET);
    yr_dht_lookup_start(&s->lookup, near, n);
    dht->searches[dht->search_count++] = s;
    *out = s;
    return YR_OK;
}

enum yr_err yr_dht_search_nodes(struct yr_dht *dht, const uint8_t target[32], uint8_t family,
                                yr_us now)
{
    struct yr_dht_search *s;

    return start(dht, target, family, false, now, &s);
}

// The family with more nodes has more to store at.
static uint8_t main_family(const struct yr_dht *dht)
{
    return dht->tables[1].count > dht->tables[0].count ? 6 : 4;
}

enum yr_err yr_dht_put(struct yr_dht *dht, struct yr_now now, const uint8_t *record, size_t len,
                       bool hard, uint64_t *search)
{
    struct yr_dht_record rec;
    struct yr_dht_search *s;
    uint8_t key[32];
    enum yr_err err;

    if (yr_dht_record_open(&rec, record, len) != YR_OK)
        return YR_EPROTO;
    yr_dht_record_key(key, rec.pk);
    if ((err = start(dht, key, main_family(dht), hard, now.mono_us, &s)) != YR_OK)
        return err;
    s->kind = YR_SEARCH_PUT;
    memcpy(s->record, record, len);
    s->record_len = len;
    choose_forwarders(dht, s, now.mono_us);
    *search = s->id;
    yr_dht_search_step(dht, false, now.mono_us);
    return YR_OK;
}

enum yr_err yr_dht_get(struct yr_dht *dht, struct yr_now now, const uint8_t pk[32], bool hard,
                       uint64_t *search)
{
    struct yr_dht_search *s;
    uint8_t key[32];
    enum yr_err err;

    yr_dht_record_key(key, pk);
    if ((err = start(dht, key, main_family(dht), hard, now.mono_us, &s)) != YR_OK)
        return err;
    s->kind = YR_SEARCH_GET;
    choose_forwarders(dht, s, now.mono_us);
    *search = s->id;
    yr_dht_search_step(dht, false, now.mono_us);
    return YR_OK;
}

// ---- storing nodes

static struct yr_dht_target *target_of(struct yr_dht_search *s, const struct yr_dht_contact *node)
{
    for (size_t i = 0; i < s->target_count; i++)
        if (yr_dht_same(&s->targets[i].node, node))
            return &s->targets[i];
    return NULL;
}

static void add_targets(struct yr_dht_search *s, const struct yr_dht_contact *nodes, size_t n)
{
    for (size_t i = 0; i < n && s->target_count < YR_DHT_WIDE; i++)
        if (target_of(s, &nodes[i]) == NULL)
            s->targets[s->target_count++] =
                (struct yr_dht_target){.node = nodes[i], .state = YR_TARGET_NEW};
}

// Is it one of those that will store, as far as is known?
static bool may_forward(struct yr_dht_search *s, const struct yr_dht_contact *node)
{
    struct yr_dht_contact near[YR_DHT_WIDE];
    const size_t n = yr_dht_lookup_result(&s->lookup, near, NULL, NULL);

    for (size_t i = 0; i < n; i++)
        if (memcmp(near[i].pk, node->pk, 32) == 0)
            return false;
    return target_of(s, node) == NULL;
}

// False: none yet.  With nobody who could forward the search goes on directly.
static bool have_forwarder(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    const struct yr_dht_table *table = yr_dht_table_of(dht, s->family);
    bool waiting = false;

    if (s->chosen)
        return true;
    for (size_t i = 0; i < s->forwarder_count; i++)
        if (s->alive[i] && may_forward(s, &s->forwarders[i])) {
            s->forwarder = i;
            return s->chosen = true;
        }
    for (size_t i = 0; i < dht->request_count; i++)
        waiting |= dht->requests[i]->why == YR_DHT_FOR_RELAY && dht->requests[i]->search == s->id;
    if (waiting)
        return false;
    for (size_t i = 0; i < table->count; i++) // those asked are silent, or near: is there another?
        if (may_forward(s, &yr_dht_table_at(table, i)->contact) &&
            s->forwarder_changes < FORWARDERS_LAST) {
            s->forwarder_changes++;
            choose_forwarders(dht, s, now);
            return false;
        }
    for (size_t i = 0; i < table->count; i++)
        if (may_forward(s, &yr_dht_table_at(table, i)->contact))
            return false; // better not at all than openly
    s->direct = s->chosen = true;
    dht->counters[YR_DHT_N_DIRECT]++;
    return true;
}

static bool ask_direct(struct yr_dht *dht, struct yr_dht_search *s, struct yr_dht_target *t,
                       struct yr_dht_msg *msg, yr_us now)
{
    struct yr_dht_request *rq =
        yr_dht_ask(dht, &t->node, YR_DHT_FOR_TARGET, msg, YR_DHT_HARD_MS * YR_MS, now);

    if (rq == NULL)
        return false;
    rq->search = s->id;
    rq->target = t->node;
    return true;
}

// Sealed to the storing node under a key made for this request, inside a FWD.
static bool ask_forwarded(struct yr_dht *dht, struct yr_dht_search *s, struct yr_dht_target *t,
                          struct yr_dht_msg *msg, yr_us now)
{
    uint8_t seed[32], k[32], nonce[YR_NONCE_LEN], plain[YR_DHT_INNER_MAX];
    uint8_t inner[YR_DHT_INNER_MAX];
    struct yr_dht_msg fwd = {.op = YR_DHT_FWD, .nodes = {t->node}, .count = 1, .bytes = inner};
    struct yr_dht_request *rq = NULL;
    struct yr_keypair once;
    size_t len;

    yr_random(dht->rng, seed, sizeof seed);
    yr_keypair_from_seed(&once, seed);
    msg->txid = yr_dht_draw(dht);
    if (yr_dht_rpc_key(k, &once, t->node.pk) != YR_OK ||
        yr_dht_encode(msg, plain, sizeof plain - YR_DHT_OVERHEAD, &len) != YR_OK)
        goto out;
    yr_random(dht->rng, nonce, sizeof nonce);
    yr_dht_seal(inner, k, once.public_key, nonce, plain, len);
    fwd.len = len + YR_DHT_OVERHEAD;
    rq = yr_dht_ask(dht, &s->forwarders[s->forwarder], YR_DHT_FOR_TARGET, &fwd,
                    (s->forwarder_works ? YR_DHT_FWD_MS : FORWARDER_MS + YR_DHT_HARD_MS) * YR_MS,
                    now);
    if (rq == NULL)
        goto out;
    rq->search = s->id;
    rq->target = t->node;
    rq->inner_txid = msg->txid;
    rq->inner_op = msg->op;
    memcpy(rq->inner_k, k, 32);
out:
    yr_wipe(seed, sizeof seed);
    yr_wipe(&once, sizeof once);
    yr_wipe(k, sizeof k);
    return rq != NULL;
}

static void ask_target(struct yr_dht *dht, struct yr_dht_search *s, struct yr_dht_target *t,
                       yr_us now)
{
    struct yr_dht_msg msg = {
        .op = YR_DHT_GET, .target = s->key, .flags = s->family == 4 ? YR_DHT_V4 : YR_DHT_V6};

    if (t->state == YR_TARGET_PUTTING)
        msg = (struct yr_dht_msg){
            .op = YR_DHT_PUT, .token = t->token, .bytes = s->record, .len = s->record_len};
    else
        t->state = YR_TARGET_GETTING;
    s->sent++;
    if (!(s->direct ? ask_direct(dht, s, t, &msg, now) : ask_forwarded(dht, s, t, &msg, now)))
        t->state = YR_TARGET_FAILED;
}

static void found(struct yr_dht *dht, struct yr_dht_search *s, const uint8_t *bytes, size_t len)
{
    struct yr_dht_record rec;
    uint8_t key[32];

    if (yr_dht_record_open(&rec, bytes, len) != YR_OK)
        return;
    yr_dht_record_key(key, rec.pk);
    if (memcmp(key, s->key, 32) != 0 || (s->found && rec.seq <= s->seq))
        return;
    s->found = true;
    s->seq = rec.seq;
    dht->calls.found(dht->calls.ctx, s->id, bytes, len);
}

// What a storing node said.
static void target_said(struct yr_dht *dht, struct yr_dht_search *s, struct yr_dht_target *t,
                        const struct yr_dht_msg *said, yr_us now)
{
    if (t->state == YR_TARGET_PUTTING && said->op == YR_DHT_PUT) {
        t->state = said->status == YR_DHT_DONE ? YR_TARGET_DONE : YR_TARGET_FAILED;
        return;
    }
    if (t->state != YR_TARGET_GETTING || said->op != YR_DHT_GET)
        return;
    if (s->kind == YR_SEARCH_PUT) {
        memcpy(t->token, said->token, sizeof t->token);
        t->state = YR_TARGET_PUTTING;
        ask_target(dht, s, t, now);
        return;
    }
    t->state = YR_TARGET_DONE;
    if (said->bytes != NULL)
        found(dht, s, said->bytes, said->len);
}

// The forwarder is silent: another one, and all tokens are worth nothing there.
static void next_forwarder(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    s->alive[s->forwarder] = false;
    if (s->forwarder_changes >= FORWARDERS_LAST)
        return;
    s->chosen = s->forwarder_works = false;
    for (size_t i = 0; i < s->target_count; i++)
        if (s->targets[i].state == YR_TARGET_GETTING || s->targets[i].state == YR_TARGET_PUTTING)
            s->targets[i].state = YR_TARGET_NEW;
    (void)have_forwarder(dht, s, now);
}

static void target_reply(struct yr_dht *dht, struct yr_dht_search *s,
                         const struct yr_dht_request *rq, const struct yr_dht_msg *reply, yr_us now)
{
    struct yr_dht_target *t = target_of(s, &rq->target);
    uint8_t plain[YR_DHT_INNER_MAX];
    struct yr_dht_msg said;

    if (t == NULL)
        return;
    if (rq->op != YR_DHT_FWD) {
        if (reply != NULL)
            target_said(dht, s, t, reply, now);
        else
            t->state = YR_TARGET_FAILED;
        return;
    }
    if (reply == NULL) {
        if (s->chosen && yr_dht_same(&rq->to, &s->forwarders[s->forwarder])) {
            if (s->forwarder_works)
                t->state = YR_TARGET_FAILED;
            else
                next_forwarder(dht, s, now);
        }
        return;
    }
    if (s->chosen && yr_dht_same(&rq->to, &s->forwarders[s->forwarder]))
        s->forwarder_works = true;
    if (reply->status != YR_DHT_DONE ||
        yr_dht_unseal(plain, rq->inner_k, reply->bytes, reply->len) != YR_OK ||
        memcmp(reply->bytes + 1, rq->target.pk, 32) != 0 ||
        yr_dht_decode(&said, plain, reply->len - YR_DHT_OVERHEAD) != YR_OK || !said.reply ||
        said.txid != rq->inner_txid || said.op != rq->inner_op) {
        if (t->state == YR_TARGET_GETTING || t->state == YR_TARGET_PUTTING)
            t->state = YR_TARGET_FAILED;
        return;
    }
    target_said(dht, s, t, &said, now);
}

static void lookup_reply(struct yr_dht *dht, struct yr_dht_search *s,
                         const struct yr_dht_request *rq, const struct yr_dht_msg *reply, yr_us now)
{
    struct yr_dht_contact good[YR_DHT_SHOWN];
    struct yr_addr own;
    size_t n = 0;

    if (reply == NULL) {
        yr_dht_lookup_failed(&s->lookup, &rq->to);
        return;
    }
    for (size_t i = 0; i < reply->count; i++) {
        const struct yr_dht_contact *c = &reply->nodes[i];
        const bool self = yr_dht_seen_as(dht, c->addr.family, &own) && yr_addr_eq(&own, &c->addr);

        if (c->addr.family == s->family && !self && yr_dht_addr_ok(&c->addr, dht->opts.lax) &&
            memcmp(c->pk, dht->keys.own.public_key, 32) != 0)
            good[n++] = *c;
        else
            dht->counters[YR_DHT_N_BAD_NODES] += memcmp(c->pk, dht->keys.own.public_key, 32) != 0;
    }
    yr_dht_lookup_answered(&s->lookup, &rq->to, good, n, now);
}

void yr_dht_search_reply(struct yr_dht *dht, const struct yr_dht_request *rq,
                         const struct yr_dht_msg *reply, yr_us now)
{
    struct yr_dht_search *s = find(dht, rq->search);

    if (s == NULL)
        return;
    s->due = true;
    if (rq->why == YR_DHT_FOR_LOOKUP) {
        lookup_reply(dht, s, rq, reply, now);
    } else if (rq->why == YR_DHT_FOR_TARGET) {
        target_reply(dht, s, rq, reply, now);
    } else {
        for (size_t i = 0; i < s->forwarder_count; i++)
            if (yr_dht_same(&s->forwarders[i], &rq->to))
                s->alive[i] = reply != NULL && reply->server;
    }
}

// ---- going on

static void look(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    struct yr_dht_contact near[YR_DHT_WIDE], to;
    struct yr_dht_msg msg = {.op = YR_DHT_FIND, .flags = s->family == 4 ? YR_DHT_V4 : YR_DHT_V6};
    struct yr_dht_request *rq;
    uint8_t ask[32];
    size_t n;

    while (yr_dht_lookup_next(&s->lookup, dht->soft_us, now, &to, ask)) {
        msg.target = ask;
        rq = yr_dht_ask(dht, &to, YR_DHT_FOR_LOOKUP, &msg, YR_DHT_HARD_MS * YR_MS, now);
        if (rq != NULL)
            rq->search = s->id;
        else
            yr_dht_lookup_failed(&s->lookup, &to);
    }
    s->looked = yr_dht_lookup_done(&s->lookup);
    if (s->kind == YR_SEARCH_NODES)
        return;
    n = s->looked ? yr_dht_lookup_result(&s->lookup, near, &s->hops, &s->known_us)
                  : yr_dht_lookup_sure(&s->lookup, near);
    add_targets(s, near, n);
}

static bool over(const struct yr_dht_search *s)
{
    for (size_t i = 0; i < s->target_count; i++)
        if (s->targets[i].state < YR_TARGET_DONE)
            return false;
    return s->looked;
}

// True: it is over.
static bool step(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    if (now - s->started_us >= SEARCH_S * YR_S)
        return true;
    if (!s->looked)
        look(dht, s, now);
    if (s->kind == YR_SEARCH_NODES)
        return s->looked;
    if (s->target_count > 0 && have_forwarder(dht, s, now))
        for (size_t i = 0; i < s->target_count; i++)
            if (s->targets[i].state == YR_TARGET_NEW)
                ask_target(dht, s, &s->targets[i], now);
    return over(s);
}

static void finish(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    struct yr_dht_result result = {.put = s->kind == YR_SEARCH_PUT,
                                   .direct = s->direct,
                                   .asked = (unsigned)s->target_count,
                                   .found = s->found,
                                   .hops = s->hops,
                                   .requests = s->lookup.asked + s->sent,
                                   .known_us = s->known_us,
                                   .took_us = now - s->started_us};

    for (size_t i = 0; i < s->target_count; i++)
        result.answered += s->targets[i].state == YR_TARGET_DONE;
    if (s->kind != YR_SEARCH_NODES)
        dht->calls.done(dht->calls.ctx, s->id, &result);
    yr_dht_search_free(dht, s);
}

void yr_dht_search_step(struct yr_dht *dht, bool all, yr_us now)
{
    for (size_t i = 0; i < dht->search_count;) {
        struct yr_dht_search *s = dht->searches[i];
        const bool skip = !all && !s->due;

        s->due = false;
        if (skip || !step(dht, s, now)) {
            i++;
            continue;
        }
        dht->searches[i] = dht->searches[--dht->search_count];
        finish(dht, s, now); // may start another
    }
}

yr_us yr_dht_search_deadline(const struct yr_dht *dht)
{
    yr_us first = YR_NEVER;

    for (size_t i = 0; i < dht->search_count; i++) {
        const struct yr_dht_search *s = dht->searches[i];

        first = YR_MIN(first, s->started_us + SEARCH_S * YR_S);
        if (!s->looked)
            first = YR_MIN(first, yr_dht_lookup_deadline(&s->lookup, dht->soft_us));
    }
    return first;
}
