#include "core/dht/state.h"

#include "core/crypto/aead.h"

bool yr_dht_within_rate(struct yr_dht *dht, const struct yr_addr *from, yr_us now)
{
    uint8_t net[1 + 7] = {from->family};
    struct yr_dht_allowance *b;
    const uint32_t now_ms = (uint32_t)(now / YR_MS);
    uint64_t hash, milli;

    if (dht->rates == NULL) {
        dht->rates = yr_alloc(dht->mem, YR_MEM_DHT, YR_DHT_SOURCES * sizeof *dht->rates);
        if (dht->rates == NULL)
            return false;
        for (size_t i = 0; i < YR_DHT_SOURCES; i++)
            dht->rates[i] = (struct yr_dht_allowance){YR_DHT_BURST * 1000, now_ms};
    }
    memcpy(net + 1, from->ip, from->family == 4 ? 4 : 7);
    yr_siphash((uint8_t *)&hash, dht->rate_key, net, sizeof net);
    b = &dht->rates[hash % YR_DHT_SOURCES];
    milli = b->milli + (uint64_t)(uint32_t)(now_ms - b->at_ms) * YR_DHT_RATE;
    b->at_ms = now_ms;
    b->milli = (uint32_t)YR_MIN(milli, (uint64_t)YR_DHT_BURST * 1000);
    if (b->milli < 1000)
        return false;
    b->milli -= 1000;
    return true;
}

static bool proven(struct yr_dht *dht, const struct yr_dht_contact *who, yr_us now)
{
    return yr_dht_keys_is_proven(&dht->keys, who, now);
}

// FIND, GET and PUT, straight or from inside an INNER.  from: whom a token is for.
static void store_op(struct yr_dht *dht, const struct yr_addr *from, const uint8_t *asker_pk,
                     const struct yr_dht_msg *msg, struct yr_dht_msg *reply,
                     uint8_t token[YR_DHT_TOKEN_LEN], yr_us now)
{
    struct yr_dht_record rec;
    uint8_t key[32];
    enum yr_err err;

    if (msg->op == YR_DHT_FIND) {
        reply->count =
            yr_dht_nearest(dht, msg->target, msg->flags, asker_pk, reply->nodes, YR_DHT_SHOWN);
    } else if (msg->op == YR_DHT_GET) {
        yr_dht_token(&dht->records, dht->rng, from, msg->target, now, token);
        reply->token = token;
        reply->bytes = yr_dht_records_get(&dht->records, msg->target, now, &reply->len);
        if (reply->bytes == NULL)
            reply->count =
                yr_dht_nearest(dht, msg->target, msg->flags, asker_pk, reply->nodes, YR_DHT_SHOWN);
    } else {
        reply->status = YR_DHT_REFUSED;
        rec.pk = msg->bytes + 1;
        yr_dht_record_key(key, rec.pk);
        if (!yr_dht_token_ok(&dht->records, dht->rng, from, key, now, msg->token)) {
            dht->counters[YR_DHT_N_BAD_TOKEN]++;
            return;
        }
        err = yr_dht_records_put(&dht->records, from, msg->bytes, msg->len, now);
        reply->status = err == YR_OK ? YR_DHT_DONE : err == YR_EEXIST ? YR_DHT_OLD : YR_DHT_REFUSED;
        dht->counters[YR_DHT_N_BAD_RECORD] += err != YR_OK;
    }
}

static void reply_to(struct yr_dht *dht, const struct yr_dht_contact *to, uint64_t txid,
                     struct yr_dht_msg *reply)
{
    reply->txid = txid;
    reply->reply = true;
    reply->server = dht->serves;
    (void)yr_dht_send(dht, to, reply);
}

// ---- forwarding

static void refuse_fwd(struct yr_dht *dht, const struct yr_dht_contact *to, uint64_t txid,
                       uint8_t status)
{
    struct yr_dht_msg reply = {.op = YR_DHT_FWD, .status = status};

    dht->counters[YR_DHT_N_BAD_FWD]++;
    reply_to(dht, to, txid, &reply);
}

static bool inner_form(const struct yr_dht_msg *msg)
{
    return yr_dht_form(msg->bytes, msg->len);
}

static void send_inner(struct yr_dht *dht, const struct yr_dht_contact *to,
                       const struct yr_dht_contact *asker, uint64_t asker_txid,
                       const uint8_t *bytes, size_t len, yr_us now)
{
    struct yr_dht_msg msg = {.op = YR_DHT_INNER, .bytes = bytes, .len = len};
    struct yr_dht_request *rq =
        yr_dht_ask(dht, to, YR_DHT_FOR_INNER, &msg, YR_DHT_HARD_MS * YR_MS, now);

    if (rq == NULL) {
        refuse_fwd(dht, asker, asker_txid, YR_DHT_REFUSED);
        return;
    }
    rq->asker = *asker;
    rq->asker_txid = asker_txid;
    dht->counters[YR_DHT_N_FORWARDED]++;
}

void yr_dht_forward(struct yr_dht *dht, struct yr_dht_request *rq, yr_us now)
{
    send_inner(dht, &rq->to, &rq->asker, rq->asker_txid, rq->inner, rq->inner_len, now);
}

// Only to who has answered us from that address: a reflector helps who hides behind another's.
static void serve_fwd(struct yr_dht *dht, const struct yr_dht_contact *from,
                      const struct yr_dht_msg *msg, yr_us now)
{
    const struct yr_dht_contact *to = &msg->nodes[0];
    struct yr_dht_msg ping = {.op = YR_DHT_PING};
    struct yr_dht_request *rq;

    if (!yr_dht_addr_ok(&to->addr, dht->opts.lax) || !inner_form(msg) ||
        memcmp(to->pk, dht->keys.own.public_key, 32) == 0 ||
        dht->request_count > YR_DHT_REQUESTS_MAX * 3 / 4) {
        refuse_fwd(dht, from, msg->txid, YR_DHT_REFUSED);
        return;
    }
    if (proven(dht, to, now)) {
        send_inner(dht, to, from, msg->txid, msg->bytes, msg->len, now);
        return;
    }
    rq = yr_dht_ask(dht, to, YR_DHT_FOR_FWD, &ping, YR_DHT_HARD_MS * YR_MS, now);
    if (rq == NULL)
        return;
    rq->asker = *from;
    rq->asker_txid = msg->txid;
    rq->inner = yr_alloc(dht->mem, YR_MEM_DHT, msg->len); // freed with the request
    if (rq->inner == NULL) {
        rq->why = YR_DHT_FOR_TABLE;
        refuse_fwd(dht, from, msg->txid, YR_DHT_REFUSED);
        return;
    }
    memcpy(rq->inner, msg->bytes, msg->len);
    rq->inner_len = msg->len;
}

void yr_dht_inner_answered(struct yr_dht *dht, const struct yr_dht_request *rq,
                           const struct yr_dht_msg *reply)
{
    struct yr_dht_msg msg = {.op = YR_DHT_FWD, .status = YR_DHT_SILENT};

    if (reply != NULL) {
        msg.status = YR_DHT_DONE;
        msg.bytes = reply->bytes;
        msg.len = reply->len;
    }
    reply_to(dht, &rq->asker, rq->asker_txid, &msg);
}

static void serve_inner(struct yr_dht *dht, const struct yr_dht_contact *from,
                        const struct yr_dht_msg *msg, yr_us now)
{
    uint8_t k[32], plain[YR_DHT_INNER_MAX], out[YR_DHT_INNER_MAX], nonce[YR_NONCE_LEN];
    uint8_t token[YR_DHT_TOKEN_LEN];
    struct yr_dht_msg inner, reply = {.reply = true, .server = true};
    struct yr_dht_msg outer = {.op = YR_DHT_INNER, .bytes = out};
    const uint8_t *pk = msg->bytes + 1; // made for this one request: its key is not kept
    size_t len;

    if (!inner_form(msg) || yr_dht_rpc_key(k, &dht->keys.own, pk) != YR_OK)
        return;
    if (yr_dht_unseal(plain, k, msg->bytes, msg->len) != YR_OK ||
        yr_dht_decode(&inner, plain, msg->len - YR_DHT_OVERHEAD) != YR_OK || inner.reply ||
        (inner.op != YR_DHT_FIND && inner.op != YR_DHT_GET && inner.op != YR_DHT_PUT)) {
        dht->counters[YR_DHT_N_DROP_FORM]++;
        goto out;
    }
    reply.txid = inner.txid;
    reply.op = inner.op;
    store_op(dht, &from->addr, NULL, &inner, &reply, token, now);
    if (yr_dht_encode(&reply, plain, sizeof plain - YR_DHT_OVERHEAD, &len) != YR_OK)
        goto out;
    yr_random(dht->rng, nonce, sizeof nonce);
    yr_dht_seal(out, k, dht->keys.own.public_key, nonce, plain, len);
    outer.len = len + YR_DHT_OVERHEAD;
    reply_to(dht, from, msg->txid, &outer);
out:
    yr_wipe(k, sizeof k);
}

// ---- signals

static struct yr_dht_registration *registered(struct yr_dht *dht, const uint8_t *id, yr_us now)
{
    for (size_t i = 0; i < dht->registration_count; i++)
        if (memcmp(dht->registrations[i].id, id, YR_DHT_SIGNAL_LEN) == 0 &&
            dht->registrations[i].until_us > now)
            return &dht->registrations[i];
    return NULL;
}

static uint8_t serve_sigreg(struct yr_dht *dht, const struct yr_dht_contact *from,
                            const struct yr_dht_msg *msg, yr_us now)
{
    struct yr_dht_registration *r = registered(dht, msg->id, now), *list;

    if (r != NULL && memcmp(r->who.pk, from->pk, 32) != 0 && !yr_addr_eq(&r->who.addr, &from->addr))
        return YR_DHT_REFUSED; // another's; the same one may have a new key
    for (size_t i = 0; r == NULL && i < dht->registration_count; i++)
        if (dht->registrations[i].until_us <= now)
            r = &dht->registrations[i];
    if (r == NULL && dht->registration_count < YR_DHT_SIGNALS_MAX) {
        if (dht->registration_count == dht->registration_cap) {
            const size_t more = YR_MAX((size_t)8, dht->registration_cap * 2);

            list = yr_realloc(dht->mem, YR_MEM_DHT, dht->registrations, more * sizeof *list);
            if (list == NULL)
                return YR_DHT_REFUSED;
            dht->registrations = list;
            dht->registration_cap = more;
        }
        r = &dht->registrations[dht->registration_count++];
    }
    if (r == NULL)
        return YR_DHT_REFUSED;
    memcpy(r->id, msg->id, YR_DHT_SIGNAL_LEN);
    r->who = *from;
    r->until_us = now + YR_DHT_SIGNAL_S * YR_S;
    r->proven = proven(dht, from, now);
    if (!r->proven)
        (void)yr_dht_ping(dht, from, YR_DHT_FOR_TABLE, 0, now);
    return YR_DHT_DONE;
}

bool yr_dht_pass_on(struct yr_dht *dht, const struct yr_dht_msg *msg, yr_us now)
{
    struct yr_dht_msg on = {
        .op = YR_DHT_SIGNAL, .id = msg->id, .bytes = msg->bytes, .len = msg->len};
    struct yr_dht_registration *r = dht->serves ? registered(dht, msg->id, now) : NULL;

    // Who registers may hide behind another's address, and would have us send there.
    if (r != NULL && !r->proven)
        r->proven = proven(dht, &r->who, now);
    return r != NULL && r->proven &&
           yr_dht_ask(dht, &r->who, YR_DHT_FOR_NOTHING, &on, YR_DHT_HARD_MS * YR_MS, now) != NULL;
}

// To us, or to who listens here.
static uint8_t serve_signal(struct yr_dht *dht, const struct yr_dht_msg *msg, yr_us now)
{
    static const uint8_t none[YR_DHT_SIGNAL_LEN];

    for (size_t i = 0; i < YR_DHT_EARS; i++)
        if (memcmp(dht->ears[i], msg->id, YR_DHT_SIGNAL_LEN) == 0 &&
            memcmp(msg->id, none, sizeof none) != 0) {
            dht->calls.signal(dht->calls.ctx, msg->id, msg->bytes, msg->len);
            return YR_DHT_DONE;
        }
    return yr_dht_pass_on(dht, msg, now) ? YR_DHT_DONE : YR_DHT_REFUSED;
}

// ---- dialling for others

void yr_dht_dial(struct yr_dht *dht, const struct yr_dht_contact *by,
                 const struct yr_dht_contact *who, bool again, yr_us now)
{
    struct yr_dht_msg msg = {.op = YR_DHT_DIAL, .nodes = {*who}, .count = 1};
    struct yr_dht_request *rq =
        yr_dht_ask(dht, by, YR_DHT_FOR_DIALLED, &msg, YR_DHT_HARD_MS * YR_MS, now);

    if (rq == NULL)
        return;
    rq->target = *who;
    rq->again = again;
}

void yr_dht_have_dialled(struct yr_dht *dht, const struct yr_dht_contact *who, yr_us now)
{
    const struct yr_dht_table *table = yr_dht_table_of(dht, who->addr.family);

    for (int tries = 0; tries < 8 && table->count > 0; tries++) {
        const struct yr_dht_contact *by =
            &yr_dht_table_at(table, yr_dht_draw(dht) % table->count)->contact;

        if (yr_dht_wide_net(&by->addr) == yr_dht_wide_net(&who->addr) && !dht->opts.lax)
            continue;
        if (memcmp(by->pk, who->pk, 32) == 0)
            continue;
        yr_dht_dial(dht, by, who, false, now);
        return;
    }
}

static uint8_t serve_dial(struct yr_dht *dht, const struct yr_dht_contact *from,
                          const struct yr_dht_msg *msg, yr_us now)
{
    const struct yr_dht_contact *to = &msg->nodes[0];

    // Who asks must be somebody: it has answered us, so that it cannot hide behind another.
    if (!yr_dht_addr_ok(&to->addr, dht->opts.lax) ||
        memcmp(to->pk, dht->keys.own.public_key, 32) == 0)
        return YR_DHT_REFUSED;
    if (!proven(dht, from, now)) {
        (void)yr_dht_ping(dht, from, YR_DHT_FOR_TABLE, 0, now);
        return YR_DHT_REFUSED;
    }
    return yr_dht_ping(dht, to, YR_DHT_FOR_TABLE, 0, now) ? YR_DHT_DONE : YR_DHT_REFUSED;
}

static void serve_ping(struct yr_dht *dht, const struct yr_dht_contact *from,
                       const struct yr_dht_msg *msg, yr_us now)
{
    struct yr_dht_msg reply = {.op = YR_DHT_PING, .addr = from->addr};
    const struct yr_dht_table *table = yr_dht_table_of(dht, from->addr.family);
    const struct yr_dht_peer *peer = yr_dht_keys_find(&dht->keys, from->pk);
    const bool unknown = peer == NULL || peer->proven_us == 0,
               unasked = yr_dht_unasked(dht, &from->addr, now); // ask before we answer

    reply_to(dht, from, msg->txid, &reply);
    if (dht->request_count > YR_DHT_REQUESTS_MAX / 2)
        return;
    if (dht->serves && (msg->flags & YR_DHT_PING_DIAL) != 0)
        (void)yr_dht_ping(dht, from, YR_DHT_FOR_DIAL, 0, now);
    else if (!dht->serves && dht->opts.role == YR_DHT_AUTO && unasked)
        (void)yr_dht_ping(dht, from, YR_DHT_FOR_PROOF, 0, now);
    else if (msg->server && unknown && yr_dht_table_find(table, from->pk) == NULL)
        (void)yr_dht_ping(dht, from, YR_DHT_FOR_TABLE, 0, now);
}

void yr_dht_serve(struct yr_dht *dht, const struct yr_dht_contact *from,
                  const struct yr_dht_msg *msg, yr_us now)
{
    uint8_t token[YR_DHT_TOKEN_LEN];
    struct yr_dht_msg reply = {.op = msg->op};

    if (!dht->serves && msg->op != YR_DHT_PING && msg->op != YR_DHT_SIGNAL) {
        dht->counters[YR_DHT_N_DROP_ROLE]++;
        return;
    }
    switch ((enum yr_dht_op)msg->op) {
    case YR_DHT_PING: serve_ping(dht, from, msg, now); return;
    case YR_DHT_FWD: serve_fwd(dht, from, msg, now); return;
    case YR_DHT_INNER: serve_inner(dht, from, msg, now); return;
    case YR_DHT_FIND:
    case YR_DHT_GET:
    case YR_DHT_PUT:
        store_op(dht, &from->addr, from->pk, msg, &reply, token, now);
        reply_to(dht, from, msg->txid, &reply);
        // A server that searches is one we may want to know.
        if (msg->server && !proven(dht, from, now) && dht->request_count < YR_DHT_REQUESTS_MAX / 2)
            (void)yr_dht_ping(dht, from, YR_DHT_FOR_TABLE, 0, now);
        return;
    case YR_DHT_SIGREG: reply.status = serve_sigreg(dht, from, msg, now); break;
    case YR_DHT_SIGNAL: reply.status = serve_signal(dht, msg, now); break;
    case YR_DHT_DIAL: reply.status = serve_dial(dht, from, msg, now); break;
    }
    reply_to(dht, from, msg->txid, &reply);
}
