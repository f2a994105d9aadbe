#include "core/dht/state.h"

#define FORWARDER_MS  1500 /* until one that has passed nothing on is given up */
#define UNHEARD_MAX   3    /* so often it says that nobody answered, and nothing else */
#define WIDEN_MAX     2    /* times that a lookup which was led astray begins with more nodes */
#define ASKS_MAX      3    /* forwarders through which a storing node is asked at once */
#define NONE          YR_DHT_FORWARDERS
#define SEARCH_S      30 /* nothing takes longer */
#define LIGHT_PATHS   2  /* of a look at a bucket ... */
#define LIGHT_RESULTS 10 /* ... for some nodes of it will do */

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

// What is asked for through a forwarder takes two or three round trips.
static yr_us patience(const struct yr_dht *dht)
{
    return 2 * dht->soft_us;
}

static bool known_already(const struct yr_dht_search *s, const struct yr_dht_contact *node)
{
    for (size_t i = 0; i < s->spent_count; i++)
        if (memcmp(s->spent[i], node->pk, sizeof s->spent[i]) == 0)
            return true;
    for (size_t i = 0; i < s->forwarder_count; i++)
        if (yr_dht_same(&s->forwarders[i].node, node))
            return true;
    return false;
}

// It knows nothing of what is searched, and is asked now whether it lives.
static void add_forwarder(struct yr_dht *dht, struct yr_dht_search *s, size_t at,
                          const struct yr_dht_contact *node, yr_us now)
{
    struct yr_dht_msg ping = {.op = YR_DHT_PING};
    struct yr_dht_request *rq;

    s->forwarders[at] = (struct yr_dht_forwarder){.node = *node};
    for (size_t i = 0; i < s->target_count; i++)
        s->targets[i].tried &= (uint8_t) ~(1U << at);
    rq = yr_dht_ask(dht, node, YR_DHT_FOR_RELAY, &ping, YR_DHT_HARD_MS * YR_MS, now);
    if (rq != NULL)
        rq->search = s->id;
}

// Random ones, in free places and in those of who is silent or spent.
static void choose_forwarders(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    const struct yr_dht_table *table = yr_dht_table_of(dht, s->family);
    size_t at = 0;

    s->forwarders_us = now;
    for (int tries = 0; tries < 40 && table->count > 0; tries++) {
        const struct yr_dht_entry *e = yr_dht_table_at(table, yr_dht_draw(dht) % table->count);

        while (at < s->forwarder_count && s->forwarders[at].alive && !s->forwarders[at].spent)
            at++;
        if (at == YR_DHT_FORWARDERS)
            return;
        if (e->fails > 0 || known_already(s, &e->contact))
            continue;
        s->forwarder_count += at == s->forwarder_count;
        add_forwarder(dht, s, at++, &e->contact, now);
    }
}

static enum yr_err start(struct yr_dht *dht, const uint8_t key[32], uint8_t family, bool hard,
                         bool light, yr_us now, struct yr_dht_search **out)
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
    s->started_us = s->deadline_us = now;
    s->due = true;
    memcpy(s->key, key, 32);
    yr_dht_lookup_init(&s->lookup, dht->mem, dht->rng, key, dht->own_id, yr_dht_size(dht, family),
                       hard, dht->opts.lax, now);
    if (light) {
        s->lookup.paths = LIGHT_PATHS;
        s->lookup.results = LIGHT_RESULTS;
    }
    n = yr_dht_table_closest(table, key, near, hard ? YR_COUNT(near) : YR_DHT_BUCKET);
    yr_dht_lookup_start(&s->lookup, near, n);
    dht->searches[dht->search_count++] = s;
    *out = s;
    return YR_OK;
}

enum yr_err yr_dht_search_nodes(struct yr_dht *dht, const uint8_t target[32], uint8_t family,
                                const struct yr_dht_contact *also, yr_us now)
{
    const bool own = memcmp(target, dht->own_id, 32) == 0; // who is around us is worth more
    struct yr_dht_search *s;
    const bool first = dht->again_us != YR_NEVER; // later there is no hurry to know many
    const enum yr_err err = start(dht, target, family, own && first && also == NULL, !own, now, &s);

    if (err == YR_OK)
        s->lookup.any = true; // nothing is stored there
    if (err == YR_OK && also != NULL)
        yr_dht_lookup_start(&s->lookup, also, 1);
    return err;
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
    if ((err = start(dht, key, main_family(dht), hard, false, now.mono_us, &s)) != YR_OK)
        return err;
    s->kind = YR_SEARCH_PUT;
    s->lookup.thorough = true; // it is not urgent, and liars would say that they store
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
    if ((err = start(dht, key, main_family(dht), hard, false, now.mono_us, &s)) != YR_OK)
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

static bool usable(struct yr_dht_search *s, size_t i)
{
    return s->forwarders[i].alive && !s->forwarders[i].spent &&
           may_forward(s, &s->forwarders[i].node);
}

static bool any_usable(struct yr_dht_search *s)
{
    for (size_t i = 0; i < s->forwarder_count; i++)
        if (usable(s, i))
            return true;
    return false;
}

static bool pinging(const struct yr_dht *dht, const struct yr_dht_search *s)
{
    for (size_t i = 0; i < dht->request_count; i++)
        if (dht->requests[i]->why == YR_DHT_FOR_RELAY && dht->requests[i]->search == s->id)
            return true;
    return false;
}

// False: none yet.  With nobody who could forward the search goes on directly.
static bool have_forwarder(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    const struct yr_dht_table *table = yr_dht_table_of(dht, s->family);
    const bool waiting = pinging(dht, s);

    if (dht->opts.direct)
        s->direct = true;
    if (s->direct || any_usable(s))
        return true;
    if (waiting &&
        (now - s->forwarders_us < patience(dht) || s->forwarder_changes >= YR_DHT_FORWARDERS_MORE))
        return false;
    for (size_t i = 0; i < table->count; i++) // those asked are silent, or near: is there another?
        if (may_forward(s, &yr_dht_table_at(table, i)->contact)) {
            if (s->forwarder_changes < YR_DHT_FORWARDERS_MORE) {
                s->forwarder_changes++;
                choose_forwarders(dht, s, now);
            }
            return false; // better not at all than openly
        }
    if (waiting)
        return false;
    s->direct = true;
    dht->counters[YR_DHT_N_DIRECT]++;
    return true;
}

// Could one still come?
static bool hope(const struct yr_dht *dht, struct yr_dht_search *s)
{
    return s->forwarder_changes < YR_DHT_FORWARDERS_MORE || any_usable(s) || pinging(dht, s);
}

// Whom to ask through: all through one, which alone learns who asks whom, while it does its work.
static size_t pick(const struct yr_dht *dht, struct yr_dht_search *s, const struct yr_dht_target *t,
                   yr_us now)
{
    bool late_best = false;
    size_t best = NONE;

    for (size_t i = 0; i < s->forwarder_count; i++) {
        const struct yr_dht_forwarder *f = &s->forwarders[i];
        const bool late = f->heard == 0 && f->asked_us > 0 && now - f->asked_us >= patience(dht);

        if ((t->tried >> i & 1) != 0 || !usable(s, i))
            continue;
        if (best == NONE || late < late_best ||
            (late == late_best && f->load > s->forwarders[best].load)) {
            best = i;
            late_best = late;
        }
    }
    return best;
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
                          struct yr_dht_msg *msg, size_t via, yr_us now)
{
    struct yr_dht_forwarder *f = &s->forwarders[via];
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
    rq = yr_dht_ask(dht, &f->node, YR_DHT_FOR_TARGET, &fwd, YR_DHT_FWD_MS * YR_MS, now);
    if (rq == NULL)
        goto out;
    if (f->asked_us == 0)
        f->asked_us = now;
    f->load++;
    t->via = (uint8_t)via;
    t->tried |= (uint8_t)(1U << via);
    t->pending++;
    t->asked_us = now;
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
    const bool putting = t->state == YR_TARGET_PUTTING;
    const size_t via = s->direct ? NONE : putting ? t->via : pick(dht, s, t, now);
    struct yr_dht_msg msg = {
        .op = YR_DHT_GET, .target = s->key, .flags = s->family == 4 ? YR_DHT_V4 : YR_DHT_V6};

    if (!s->direct && via == NONE)
        return;
    if (putting)
        msg = (struct yr_dht_msg){
            .op = YR_DHT_PUT, .token = t->token, .bytes = s->record, .len = s->record_len};
    else
        t->state = YR_TARGET_GETTING;
    s->sent++;
    if (!(s->direct ? ask_direct(dht, s, t, &msg, now)
                    : ask_forwarded(dht, s, t, &msg, via, now)) &&
        t->pending == 0)
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
    if (said->op != YR_DHT_GET || t->state == YR_TARGET_DONE)
        return;
    if (s->kind == YR_SEARCH_GET) {
        t->state = YR_TARGET_DONE;
        if (said->bytes != NULL)
            found(dht, s, said->bytes, said->len);
    } else if (t->state == YR_TARGET_GETTING) {
        memcpy(t->token, said->token, sizeof t->token);
        t->state = YR_TARGET_PUTTING;
        ask_target(dht, s, t, now);
    }
}

// It passes nothing on: what it was asked for goes through another one, and all tokens are worth
// nothing there.
static void give_up(struct yr_dht *dht, struct yr_dht_search *s, size_t which)
{
    struct yr_dht_forwarder *f = &s->forwarders[which];

    if (f->spent)
        return;
    f->spent = true;
    if (s->spent_count < YR_COUNT(s->spent))
        memcpy(s->spent[s->spent_count++], f->node.pk, sizeof s->spent[0]);
    for (size_t i = 0; i < s->target_count && hope(dht, s); i++) {
        struct yr_dht_target *t = &s->targets[i];

        if (t->via == which && (t->state == YR_TARGET_GETTING || t->state == YR_TARGET_PUTTING ||
                                t->state == YR_TARGET_UNHEARD))
            t->state = YR_TARGET_NEW;
    }
}

// All was asked, and too much was not passed on: through others once more.  False: there are none.
static bool try_others(struct yr_dht *dht, struct yr_dht_search *s)
{
    if (s->forwarder_changes >= YR_DHT_FORWARDERS_MORE)
        return false;
    for (size_t i = 0; i < s->target_count; i++)
        if (s->targets[i].state == YR_TARGET_UNHEARD)
            give_up(dht, s, s->targets[i].via);
    return true;
}

// What was sealed inside; false: not by the node it was for.
static bool open_inner(const struct yr_dht_request *rq, const struct yr_dht_msg *reply,
                       uint8_t plain[YR_DHT_INNER_MAX], struct yr_dht_msg *said)
{
    return reply->status == YR_DHT_DONE &&
           yr_dht_unseal(plain, rq->inner_k, reply->bytes, reply->len) == YR_OK &&
           memcmp(reply->bytes + 1, rq->target.pk, 32) == 0 &&
           yr_dht_decode(said, plain, reply->len - YR_DHT_OVERHEAD) == YR_OK && said->reply &&
           said->txid == rq->inner_txid && said->op == rq->inner_op;
}

static size_t forwarder_of(const struct yr_dht_search *s, const struct yr_dht_contact *node)
{
    for (size_t i = 0; i < s->forwarder_count; i++)
        if (yr_dht_same(&s->forwarders[i].node, node))
            return i;
    return NONE;
}

static void forwarded_reply(struct yr_dht *dht, struct yr_dht_search *s, struct yr_dht_target *t,
                            const struct yr_dht_request *rq, const struct yr_dht_msg *reply,
                            yr_us now)
{
    const size_t which = forwarder_of(s, &rq->to);
    // Nobody can know so soon that there will be no answer.
    const bool lies = reply != NULL && reply->status == YR_DHT_SILENT &&
                      now - rq->sent_us < YR_DHT_HARD_MS * YR_MS / 2;
    uint8_t plain[YR_DHT_INNER_MAX];
    struct yr_dht_forwarder *f;
    struct yr_dht_msg said;

    t->pending--;
    if (reply != NULL && open_inner(rq, reply, plain, &said)) {
        if (which != NONE)
            s->forwarders[which].heard++;
        // A token of another forwarder's is worth nothing, a record is what it is.
        if (s->kind == YR_SEARCH_GET || t->via == which)
            target_said(dht, s, t, &said, now);
        return;
    }
    if (t->pending == 0 && (t->state == YR_TARGET_GETTING || t->state == YR_TARGET_PUTTING))
        t->state = YR_TARGET_UNHEARD;
    if (which == NONE)
        return;
    f = &s->forwarders[which];
    f->unheard++;
    if (lies || (f->heard == 0 && (f->unheard >= UNHEARD_MAX || reply == NULL)))
        give_up(dht, s, which);
}

static void target_reply(struct yr_dht *dht, struct yr_dht_search *s,
                         const struct yr_dht_request *rq, const struct yr_dht_msg *reply, yr_us now)
{
    struct yr_dht_target *t = target_of(s, &rq->target);

    if (t == NULL)
        return;
    if (rq->op == YR_DHT_FWD)
        forwarded_reply(dht, s, t, rq, reply, now);
    else if (reply != NULL)
        target_said(dht, s, t, reply, now);
    else
        t->state = YR_TARGET_FAILED;
}

static void lookup_reply(struct yr_dht *dht, struct yr_dht_search *s,
                         const struct yr_dht_request *rq, const struct yr_dht_msg *reply, yr_us now)
{
    struct yr_dht_contact good[YR_DHT_SHOWN];
    struct yr_dht_target *t;
    struct yr_addr own;
    size_t n = 0;

    if (reply == NULL) {
        yr_dht_lookup_failed(&s->lookup, &rq->to);
        if ((t = target_of(s, &rq->to)) != NULL && t->state != YR_TARGET_DONE)
            t->state = YR_TARGET_FAILED; // no fault of the forwarder's
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
            if (yr_dht_same(&s->forwarders[i].node, &rq->to))
                s->forwarders[i].alive = reply != NULL && reply->server;
    }
}

// ---- going on

static void find_nodes(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    struct yr_dht_msg msg = {.op = YR_DHT_FIND, .flags = s->family == 4 ? YR_DHT_V4 : YR_DHT_V6};
    struct yr_dht_contact to;
    struct yr_dht_request *rq;
    uint8_t ask[32];

    while (yr_dht_lookup_next(&s->lookup, dht->soft_us, now, &to, ask)) {
        msg.target = ask;
        rq = yr_dht_ask(dht, &to, YR_DHT_FOR_LOOKUP, &msg, YR_DHT_HARD_MS * YR_MS, now);
        if (rq != NULL)
            rq->search = s->id;
        else
            yr_dht_lookup_failed(&s->lookup, &to);
    }
    s->looked = yr_dht_lookup_done(&s->lookup);
}

// All that is nearest in our table may be liars: who is further away names others.
static void widen(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    struct yr_dht_contact near[4 * YR_DHT_BUCKET];
    const size_t most = (size_t)YR_DHT_BUCKET << (s->widened + 1);

    s->widened++;
    yr_dht_lookup_widen(&s->lookup, near,
                        yr_dht_table_closest(yr_dht_table_of(dht, s->family), s->key, near,
                                             YR_MIN(most, YR_COUNT(near))));
    find_nodes(dht, s, now);
}

static void look(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    struct yr_dht_contact near[YR_DHT_WIDE];
    size_t n;

    find_nodes(dht, s, now);
    if (s->kind == YR_SEARCH_NODES)
        return;
    while (s->looked && !s->found && s->widened < WIDEN_MAX && yr_dht_lookup_thin(&s->lookup))
        widen(dht, s, now);
    if (s->looked)
        n = yr_dht_lookup_result(&s->lookup, near, &s->hops, &s->known_us);
    else if (s->kind == YR_SEARCH_GET) // it is urgent
        n = yr_dht_lookup_likely(&s->lookup, dht->soft_us, now, near);
    else
        n = yr_dht_lookup_sure(&s->lookup, near);
    add_targets(s, near, n);
}

static size_t count_in(const struct yr_dht_search *s, int state)
{
    size_t n = 0;

    for (size_t i = 0; i < s->target_count; i++)
        n += (int)s->targets[i].state == state;
    return n;
}

// All was asked.  Is what the forwarder did not pass on worth another one?
static bool content(const struct yr_dht_search *s)
{
    const size_t unheard = count_in(s, YR_TARGET_UNHEARD);

    return unheard == 0 || (s->kind == YR_SEARCH_GET ? s->found : 3 * unheard <= s->target_count);
}

static bool over(struct yr_dht *dht, struct yr_dht_search *s)
{
    if (!s->looked || count_in(s, YR_TARGET_NEW) > 0 || count_in(s, YR_TARGET_GETTING) > 0 ||
        count_in(s, YR_TARGET_PUTTING) > 0)
        return false;
    return s->direct || content(s) || !try_others(dht, s);
}

// Is this storing node to be asked through another forwarder, too?
static bool may_ask_again(const struct yr_dht_search *s, const struct yr_dht_target *t)
{
    return s->kind == YR_SEARCH_GET && !s->found && !s->direct && t->state == YR_TARGET_GETTING &&
           t->pending < ASKS_MAX;
}

static void ask(struct yr_dht *dht, struct yr_dht_search *s, yr_us now)
{
    bool short_of = false;

    for (size_t i = 0; i < s->forwarder_count; i++)
        if (s->forwarders[i].asked_us > 0 && s->forwarders[i].heard == 0 &&
            now - s->forwarders[i].asked_us >= FORWARDER_MS * YR_MS)
            give_up(dht, s, i);
    if (s->target_count == 0)
        return;
    if (!have_forwarder(dht, s, now)) {
        for (size_t i = 0; i < s->target_count && !hope(dht, s); i++)
            if (s->targets[i].state == YR_TARGET_NEW)
                s->targets[i].state = YR_TARGET_UNHEARD;
        return;
    }
    for (size_t i = 0; i < s->target_count; i++) {
        struct yr_dht_target *t = &s->targets[i];
        const bool late = may_ask_again(s, t) && now - t->asked_us >= patience(dht);

        if (t->state != YR_TARGET_NEW && !late)
            continue;
        ask_target(dht, s, t, now);
        if (t->state == YR_TARGET_NEW) // all have been tried
            t->state = t->pending > 0 ? YR_TARGET_GETTING : YR_TARGET_UNHEARD;
        short_of |= late && t->asked_us != now;
    }
    if (short_of && now - s->forwarders_us >= patience(dht) &&
        s->forwarder_changes < YR_DHT_FORWARDERS_MORE) {
        s->forwarder_changes++;
        choose_forwarders(dht, s, now);
    }
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
    ask(dht, s, now);
    s->stepped_us = now;
    return over(dht, s);
}

// What was due at the last step and could not be done waits for something to happen.
static yr_us deadline_of(const struct yr_dht *dht, const struct yr_dht_search *s)
{
    yr_us at = s->started_us + SEARCH_S * YR_S, then;

    if (!s->looked)
        at = YR_MIN(at, yr_dht_lookup_deadline(&s->lookup, dht->soft_us));
    if (s->kind == YR_SEARCH_NODES || s->direct)
        return at;
    if ((then = s->forwarders_us + patience(dht)) > s->stepped_us)
        at = YR_MIN(at, then);
    for (size_t i = 0; i < s->forwarder_count; i++)
        if (s->forwarders[i].asked_us > 0 && s->forwarders[i].heard == 0 &&
            (then = s->forwarders[i].asked_us + FORWARDER_MS * YR_MS) > s->stepped_us)
            at = YR_MIN(at, then);
    for (size_t i = 0; i < s->target_count; i++)
        if (may_ask_again(s, &s->targets[i]) &&
            (then = s->targets[i].asked_us + patience(dht)) > s->stepped_us)
            at = YR_MIN(at, then);
    return at;
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

    if (s->lookup.results == YR_DHT_RESULT && !s->lookup.wide &&
        yr_dht_lookup_density(&s->lookup) > 0)
        dht->densities[dht->density_count++ % YR_DHT_DENSITIES] = yr_dht_lookup_density(&s->lookup);
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
            if (!skip)
                s->deadline_us = deadline_of(dht, s);
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

    for (size_t i = 0; i < dht->search_count; i++)
        first = YR_MIN(first, dht->searches[i]->deadline_us);
    return first;
}
