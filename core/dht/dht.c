#include "core/dht/state.h"

#define MAINTAIN_SERVER_US (1 * YR_S)
#define MAINTAIN_CLIENT_US (60 * YR_S)   /* 4 bytes a second */
#define MAINTAIN_LAST_US   (10 * YR_S)   /* ... at least so often */
#define REFRESH_US         (250 * YR_MS) /* between two buckets that are looked through */
#define REFRESH_LAST_US    (30 * YR_S)   /* ... or looked at whether one should be */
#define JOIN_WAIT_US       (400 * YR_MS) /* for others to start from than the one who is nearest */
#define JOIN_US            (5 * YR_S) /* until who knows few looks around again; doubled each time */
#define AGAIN_US           (120 * YR_S) /* until everybody looks around once more; twice at most */
#define LOST_US            (200 * YR_S) /* between two questions to who was lost; twice at most */
#define LOST_AGE_US        (600 * YR_S) /* who was here for less is not missed */
#define DIAL_US            (60 * YR_S)  /* between two wishes to be dialled */
#define DIAL_TRIES         20           /* ... and then they come less often */
#define DIAL_RARE_US       (600 * YR_S)
#define DIAL_SOON_US       (20 * YR_S) /* ... of a server that nobody has reached for so long */

static const char *const counter_names[] = {
#define X(NAME, text) text,
    YR_DHT_COUNTERS(X)
#undef X
};

struct yr_counter yr_dht_counter(const struct yr_dht *dht, size_t i)
{
    if (i >= YR_DHT_COUNTS)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], dht->counters[i]};
}

enum yr_err yr_dht_new(struct yr_dht **out, struct yr_mem *mem, const struct yr_rng *rng,
                       const struct yr_dht_opts *opts, const struct yr_dht_calls *calls,
                       struct yr_now now)
{
    struct yr_dht *dht = yr_alloc_secret(mem, YR_MEM_DHT, sizeof *dht);
    uint8_t seed[32];

    if (dht == NULL)
        return YR_ENOMEM;
    dht->mem = mem;
    dht->rng = rng;
    dht->opts = *opts;
    dht->opts.key_seed = NULL;
    dht->calls = *calls;
    dht->serves = opts->role == YR_DHT_AS_SERVER;
    if (opts->key_seed != NULL)
        memcpy(seed, opts->key_seed, sizeof seed);
    else
        yr_random(rng, seed, sizeof seed);
    yr_dht_keys_init(&dht->keys, mem, rng, seed);
    yr_wipe(seed, sizeof seed);
    yr_dht_id(dht->own_id, dht->keys.own.public_key);
    yr_dht_table_init(&dht->tables[0], mem, dht->own_id, 4, opts->lax);
    yr_dht_table_init(&dht->tables[1], mem, dht->own_id, 6, opts->lax);
    yr_dht_records_init(&dht->records, mem, rng, dht->own_id, now.mono_us);
    yr_random(rng, dht->rate_key, sizeof dht->rate_key);
    dht->new_keys_milli = YR_DHT_NEW_KEYS * 1000;
    dht->next_search = 1;
    dht->soft_us = YR_DHT_SOFT_MS_MAX * YR_MS / 2; // until something is known
    dht->start_us = dht->again_us = YR_NEVER;
    dht->key_us = now.mono_us;
    dht->lost_us = now.mono_us + LOST_US;
    dht->new_keys_us = dht->maintain_us = dht->refresh_us = dht->dial_us = now.mono_us;
    *out = dht;
    return YR_OK;
}

static void free_request(struct yr_dht *dht, struct yr_dht_request *rq)
{
    yr_free(dht->mem, rq->inner);
    yr_free_secret(dht->mem, rq);
}

static struct yr_dht_packet *dequeue(struct yr_dht *dht)
{
    struct yr_dht_packet *p = dht->queue_head;

    dht->queue_head = p->next;
    dht->queue_count--;
    return p;
}

void yr_dht_free(struct yr_dht *dht)
{
    if (dht == NULL)
        return;
    for (size_t i = 0; i < dht->request_count; i++)
        free_request(dht, dht->requests[i]);
    for (size_t i = 0; i < dht->search_count; i++)
        yr_dht_search_free(dht, dht->searches[i]);
    while (dht->queue_count > 0)
        yr_free(dht->mem, dequeue(dht));
    yr_free(dht->mem, dht->requests);
    yr_free(dht->mem, dht->rates);
    yr_free(dht->mem, dht->lost);
    yr_free(dht->mem, dht->start);
    yr_free(dht->mem, dht->registrations);
    yr_dht_records_clear(&dht->records);
    yr_dht_table_clear(&dht->tables[0]);
    yr_dht_table_clear(&dht->tables[1]);
    yr_dht_keys_clear(&dht->keys);
    yr_free_secret(dht->mem, dht);
}

const uint8_t *yr_dht_pk(const struct yr_dht *dht)
{
    return dht->keys.own.public_key;
}

bool yr_dht_serves(const struct yr_dht *dht)
{
    return dht->serves;
}

size_t yr_dht_known(const struct yr_dht *dht)
{
    return dht->tables[0].count + dht->tables[1].count;
}

// The median of what the last lookups found: one of them may have been led astray.
double yr_dht_size(const struct yr_dht *dht, uint8_t family)
{
    const size_t n = YR_MIN(dht->density_count, (size_t)YR_DHT_DENSITIES);
    double sorted[YR_DHT_DENSITIES];

    if (n == 0)
        return yr_dht_table_estimate(&dht->tables[family == 6]);
    for (size_t i = 0; i < n; i++) {
        size_t at = i;

        for (; at > 0 && sorted[at - 1] > dht->densities[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = dht->densities[i];
    }
    return YR_MAX(1.0, sorted[n / 2]);
}

void yr_dht_info(const struct yr_dht *dht, struct yr_dht_info *out)
{
    struct yr_dht_info info = {.serves = dht->serves,
                               .nodes = {dht->tables[0].count, dht->tables[1].count},
                               .start_count = dht->start_count,
                               .answered_us = dht->answered_us,
                               .dialbacks = dht->dialback_count,
                               .dialback_us = dht->dialback_us,
                               .key_us = dht->key_us,
                               .searches = dht->search_count,
                               .records = dht->records.count,
                               .signals = dht->registration_count};

    if (yr_dht_known(dht) > 0)
        info.network =
            (uint64_t)yr_dht_size(dht, dht->tables[1].count > dht->tables[0].count ? 6 : 4);
    for (size_t i = 0; i < dht->start_count; i++) {
        info.start_answered += dht->start[i].answered_us > 0;
        info.start_answered_us = YR_MAX(info.start_answered_us, dht->start[i].answered_us);
    }
    for (int i = 0; i < 2; i++)
        (void)yr_dht_seen_as(dht, i == 0 ? 4 : 6, &info.seen[i]);
    *out = info;
}

const struct yr_dht_start *yr_dht_start_at(const struct yr_dht *dht, size_t i)
{
    return i < dht->start_count ? &dht->start[i] : NULL;
}

uint32_t yr_dht_rtt_us(const struct yr_dht *dht, const uint8_t pk[32])
{
    const struct yr_dht_entry *entry = NULL;

    for (size_t i = 0; i < 2 && entry == NULL; i++)
        entry = yr_dht_table_find(&dht->tables[i], pk);
    return entry != NULL ? entry->rtt_us : 0;
}

struct yr_dht_table *yr_dht_table_of(struct yr_dht *dht, uint8_t family)
{
    return &dht->tables[family == 6];
}

uint64_t yr_dht_draw(struct yr_dht *dht)
{
    uint64_t v;

    yr_random(dht->rng, &v, sizeof v);
    return v;
}

size_t yr_dht_export(const struct yr_dht *dht, struct yr_dht_contact *out, size_t max)
{
    const size_t n = yr_dht_table_export(&dht->tables[0], out, max);

    return n + yr_dht_table_export(&dht->tables[1], out + n, max - n);
}

size_t yr_dht_nearest(struct yr_dht *dht, const uint8_t target[32], uint8_t families,
                      const uint8_t *except_pk, struct yr_dht_contact *out, size_t max)
{
    struct yr_dht_contact near[2 * YR_DHT_BUCKET];
    size_t n = 0, from, share;

    max = YR_MIN(max, (size_t)YR_DHT_BUCKET);
    for (int family = 0; family < 2; family++) {
        if ((families & (family == 0 ? YR_DHT_V4 : YR_DHT_V6)) == 0)
            continue;
        // Half for each, and what one does not need for the other.
        if (family == 0 && families == (YR_DHT_V4 | YR_DHT_V6))
            share = max - YR_MIN(max / 2, dht->tables[1].count);
        else
            share = max - n;
        from = yr_dht_table_closest(&dht->tables[family], target, near, share + 1);
        for (size_t i = 0; i < from && share > 0; i++) {
            if (except_pk != NULL && memcmp(near[i].pk, except_pk, 32) == 0)
                continue;
            out[n++] = near[i];
            share--;
        }
    }
    return n;
}

// ---- sending

static bool enqueue(struct yr_dht *dht, struct yr_dht_packet *p)
{
    if (dht->queue_count == YR_DHT_QUEUE_MAX)
        return false;
    *(dht->queue_count > 0 ? &dht->queue_last->next : &dht->queue_head) = p;
    dht->queue_last = p;
    dht->queue_count++;
    return true;
}

bool yr_dht_send(struct yr_dht *dht, const struct yr_dht_contact *to, const struct yr_dht_msg *msg)
{
    const struct yr_dht_peer *peer = yr_dht_keys_make(&dht->keys, to->pk);
    uint8_t plain[YR_DHT_PLAIN_MAX], nonce[YR_NONCE_LEN];
    struct yr_dht_packet *p;
    size_t len;

    if (peer == NULL || yr_dht_encode(msg, plain, sizeof plain, &len) != YR_OK)
        return false;
    p = yr_alloc(dht->mem, YR_MEM_DHT, sizeof *p + len + YR_DHT_OVERHEAD);
    if (p == NULL || !enqueue(dht, p)) {
        yr_free(dht->mem, p);
        dht->counters[YR_DHT_N_DROP_ROOM]++;
        return false;
    }
    yr_random(dht->rng, nonce, sizeof nonce);
    yr_dht_seal(p->bytes, peer->k, dht->keys.own.public_key, nonce, plain, len);
    p->to = to->addr;
    p->len = len + YR_DHT_OVERHEAD;
    yr_dht_lately_sent(&dht->lately, dht->keys.secret, &to->addr, dht->opts.lax, dht->keys.now_us);
    dht->counters[YR_DHT_N_SENT]++;
    return true;
}

size_t yr_dht_poll(struct yr_dht *dht, struct yr_addr *to, uint8_t *buf, size_t cap)
{
    struct yr_dht_packet *p;
    size_t len;

    if (dht->queue_count == 0)
        return 0;
    YR_ASSERT(dht->queue_head->len <= cap);
    p = dequeue(dht);
    memcpy(buf, p->bytes, p->len);
    *to = p->to;
    len = p->len;
    yr_free(dht->mem, p);
    return len;
}

static bool room_for_request(struct yr_dht *dht)
{
    const size_t more =
        YR_MIN(YR_MAX((size_t)8, 2 * dht->request_cap), (size_t)YR_DHT_REQUESTS_MAX);
    void *next;

    if (dht->request_count < dht->request_cap)
        return true;
    if (dht->request_cap == YR_DHT_REQUESTS_MAX)
        return false;
    next = yr_realloc(dht->mem, YR_MEM_DHT, dht->requests, more * sizeof *dht->requests);
    if (next == NULL)
        return false;
    dht->requests = next;
    dht->request_cap = more;
    return true;
}

struct yr_dht_request *yr_dht_ask(struct yr_dht *dht, const struct yr_dht_contact *to,
                                  enum yr_dht_why why, struct yr_dht_msg *msg, yr_us wait_us,
                                  yr_us now)
{
    struct yr_dht_request *rq;

    if (!room_for_request(dht))
        return NULL;
    rq = yr_alloc_secret(dht->mem, YR_MEM_DHT, sizeof *rq);
    if (rq == NULL)
        return NULL;
    msg->txid = yr_dht_draw(dht);
    msg->server = dht->serves;
    *rq = (struct yr_dht_request){.txid = msg->txid,
                                  .why = why,
                                  .op = msg->op,
                                  .to = *to,
                                  .sent_us = now,
                                  .until_us = now + wait_us};
    if (!yr_dht_send(dht, to, msg)) {
        free_request(dht, rq);
        return NULL;
    }
    dht->requests[dht->request_count++] = rq;
    return rq;
}

bool yr_dht_ping(struct yr_dht *dht, const struct yr_dht_contact *to, enum yr_dht_why why,
                 uint8_t flags, yr_us now)
{
    struct yr_dht_msg msg = {.op = YR_DHT_PING, .flags = flags};

    return yr_dht_ask(dht, to, why, &msg, YR_DHT_HARD_MS * YR_MS, now) != NULL;
}

void yr_dht_listen(struct yr_dht *dht, struct yr_now now, const struct yr_dht_contact *relay,
                   const uint8_t id[YR_DHT_SIGNAL_LEN])
{
    struct yr_dht_msg msg = {.op = YR_DHT_SIGREG, .id = id};
    bool known = false;

    for (size_t i = 0; i < YR_DHT_EARS; i++)
        known |= memcmp(dht->ears[i], id, YR_DHT_SIGNAL_LEN) == 0;
    if (!known)
        memcpy(dht->ears[dht->ear_next++ % YR_DHT_EARS], id, YR_DHT_SIGNAL_LEN);
    (void)yr_dht_ask(dht, relay, YR_DHT_FOR_NOTHING, &msg, YR_DHT_HARD_MS * YR_MS, now.mono_us);
}

void yr_dht_touch(struct yr_dht *dht, struct yr_now now, const struct yr_dht_contact *node)
{
    (void)yr_dht_ping(dht, node, YR_DHT_FOR_TABLE, 0, now.mono_us);
}

void yr_dht_signal(struct yr_dht *dht, struct yr_now now, const struct yr_dht_contact *relay,
                   const uint8_t id[YR_DHT_SIGNAL_LEN], const uint8_t *bytes, size_t len)
{
    struct yr_dht_msg msg = {.op = YR_DHT_SIGNAL, .id = id, .bytes = bytes, .len = len};

    YR_ASSERT(len > 0 && len <= YR_DHT_SIGNAL_MAX);
    if (memcmp(relay->pk, dht->keys.own.public_key, 32) == 0) {
        (void)yr_dht_pass_on(dht, &msg, now.mono_us);
        return;
    }
    (void)yr_dht_ask(dht, relay, YR_DHT_FOR_NOTHING, &msg, YR_DHT_HARD_MS * YR_MS, now.mono_us);
}

bool yr_dht_put_here(struct yr_dht *dht, struct yr_now now, const uint8_t *record, size_t len)
{
    const struct yr_addr own = {.family = 4, .ip = {127, 0, 0, 1}, .port = 1};

    return dht->serves &&
           yr_dht_records_put(&dht->records, &own, record, len, now.mono_us) == YR_OK;
}

const uint8_t *yr_dht_get_here(struct yr_dht *dht, struct yr_now now, const uint8_t pk[32],
                               size_t *len)
{
    uint8_t key[32];

    yr_dht_record_key(key, pk);
    return dht->serves ? yr_dht_records_get(&dht->records, key, now.mono_us, len) : NULL;
}

// ---- who we are to others

// The address three networks agree on; one is not enough to make us believe anything.
bool yr_dht_seen_as(const struct yr_dht *dht, uint8_t family, struct yr_addr *out)
{
    for (size_t i = 0; i < YR_DHT_VOTES; i++) {
        size_t same = 0;

        if (dht->votes[i].addr.family != family)
            continue;
        for (size_t j = 0; j < YR_DHT_VOTES; j++)
            same += yr_addr_eq(&dht->votes[i].addr, &dht->votes[j].addr);
        if (same >= 3) {
            *out = dht->votes[i].addr;
            return true;
        }
    }
    return false;
}

bool yr_dht_seen_by_any(const struct yr_dht *dht, uint8_t family, struct yr_addr *out)
{
    const struct yr_addr *first = NULL;
    size_t count = 0;

    if (yr_dht_seen_as(dht, family, out))
        return true;
    for (size_t i = 0; i < YR_DHT_VOTES; i++) {
        if (dht->votes[i].addr.family != family)
            continue;
        if (first != NULL && !yr_addr_eq(first, &dht->votes[i].addr))
            return false;
        first = &dht->votes[i].addr;
        count++;
    }
    if (count == 0 || count >= 3)
        return false;
    *out = *first;
    return true;
}

static void vote(struct yr_dht *dht, const struct yr_addr *from, const struct yr_addr *seen)
{
    const uint64_t net = yr_dht_wide_net(from);
    size_t at = dht->vote_next % YR_DHT_VOTES;

    if (!yr_dht_addr_ok(seen, dht->opts.lax))
        return;
    for (size_t i = 0; i < YR_DHT_VOTES; i++)
        if (dht->votes[i].net == net && dht->votes[i].addr.family != 0)
            at = i; // a network has one vote
    if (at == dht->vote_next % YR_DHT_VOTES)
        dht->vote_next++;
    dht->votes[at].addr = *seen;
    dht->votes[at].net = net;
}

// Somebody whom we had not sent anything reached us, and is where it says it is.
static void dialled_back(struct yr_dht *dht, const struct yr_addr *from, yr_us now)
{
    const uint64_t net = yr_dht_wide_net(from);

    for (size_t i = 0; i < dht->dialback_count; i++)
        if (dht->dialback_nets[i] == net)
            return;
    if (dht->dialback_count == YR_DHT_DIALBACKS)
        return;
    if (dht->dialback_count == 0)
        dht->dialback_us = now;
    dht->dialback_nets[dht->dialback_count++] = net;
    dht->dial_tries = 0;
}

static void choose_role(struct yr_dht *dht, yr_us now)
{
    struct yr_addr seen;

    if (dht->opts.role != YR_DHT_AUTO)
        return;
    if (dht->dialback_count > 0 &&
        (yr_dht_seen_as(dht, 4, &seen) || yr_dht_seen_as(dht, 6, &seen))) {
        if (dht->dialback_addr.family == seen.family && !yr_addr_eq(&dht->dialback_addr, &seen)) {
            dht->dialback_count = 0; // what was proven is another address
            dht->serves = false;
        }
        if (dht->dialback_addr.family == 0 || dht->dialback_count == 0)
            dht->dialback_addr = seen;
    }
    if (dht->serves && now - dht->unasked_us > YR_DHT_UNREACHED_S * YR_S) {
        dht->dialback_count = 0; // a gateway may have forgotten the port it had mapped
        dht->dial_tries = 0;
        dht->serves = false;
    }
    if (!dht->serves && dht->dialback_count == YR_DHT_DIALBACKS &&
        now - dht->dialback_us >= YR_DHT_STABLE_S * YR_S) {
        dht->serves = true;
        dht->unasked_us = now;
    }
}

// ---- receiving

// 1.5 x the 90th percentile of what answers took lately, within bounds.
static void remember_rtt(struct yr_dht *dht, yr_us rtt)
{
    uint32_t longest[YR_DHT_RTTS / 10 + 1]; // the first is the longest
    size_t most;
    yr_us soft;

    dht->rtts[dht->rtt_next++ % YR_DHT_RTTS] = (uint32_t)YR_MIN(rtt, (yr_us)UINT32_MAX);
    dht->rtt_count = YR_MIN(dht->rtt_count + 1, (size_t)YR_DHT_RTTS);
    most = dht->rtt_count - dht->rtt_count * 9 / 10;
    for (size_t i = 0; i < dht->rtt_count; i++) {
        size_t at = YR_MIN(i, most);

        if (at == most && longest[--at] >= dht->rtts[i])
            continue;
        for (; at > 0 && longest[at - 1] < dht->rtts[i]; at--)
            longest[at] = longest[at - 1];
        longest[at] = dht->rtts[i];
    }
    soft = (yr_us)longest[most - 1] * 3 / 2;
    dht->soft_us = YR_MIN(YR_MAX(soft, YR_DHT_SOFT_MS_MIN * YR_MS), YR_DHT_SOFT_MS_MAX * YR_MS);
}

// One that had been there for long falls silent: perhaps the network has come apart.
static void lose(struct yr_dht *dht, const struct yr_dht_contact *who, yr_us now)
{
    const struct yr_dht_entry *e =
        yr_dht_table_find(yr_dht_table_of(dht, who->addr.family), who->pk);

    if (e == NULL || e->fails + 1 < YR_DHT_FAILS_MAX || now - e->added_us < LOST_AGE_US ||
        !yr_addr_eq(&e->contact.addr, &who->addr))
        return;
    if (dht->lost == NULL)
        dht->lost = yr_alloc(dht->mem, YR_MEM_DHT, YR_DHT_LOST * sizeof *dht->lost);
    if (dht->lost != NULL)
        dht->lost[dht->lost_next++ % YR_DHT_LOST] = *who;
}

// Whom does it know around us?
static void found_again(struct yr_dht *dht, const struct yr_dht_contact *who, yr_us now)
{
    for (size_t i = 0; dht->lost != NULL && i < YR_DHT_LOST; i++)
        if (yr_dht_same(&dht->lost[i], who))
            dht->lost[i].addr.family = 0;
    if (dht->search_count < YR_DHT_SEARCHES_MAX / 2)
        (void)!yr_dht_search_nodes(dht, dht->own_id, who->addr.family, who, now);
}

// Now and then one of those is asked whether it is there again.
static void lost_step(struct yr_dht *dht, yr_us now)
{
    const size_t lost = YR_MIN(dht->lost_next, (size_t)YR_DHT_LOST), all = lost + dht->start_count;
    const struct yr_dht_contact *who;
    size_t i;

    if (now < dht->lost_us)
        return;
    dht->lost_us = now + LOST_US + yr_dht_draw(dht) % LOST_US;
    if (all == 0 || yr_dht_known(dht) == 0)
        return;
    i = yr_dht_draw(dht) % all;
    who = i < lost ? &dht->lost[i] : &dht->start[i - lost].contact;
    if (who->addr.family != 0 &&
        yr_dht_table_find(yr_dht_table_of(dht, who->addr.family), who->pk) == NULL)
        (void)yr_dht_ping(dht, who, YR_DHT_FOR_LOST, 0, now);
}

static void ended(struct yr_dht *dht, struct yr_dht_request *rq, const struct yr_dht_msg *reply,
                  yr_us now)
{
    switch (rq->why) {
    case YR_DHT_FOR_TABLE: break;
    case YR_DHT_FOR_NOTHING:
        if (rq->op == YR_DHT_SIGREG && dht->calls.listens != NULL)
            dht->calls.listens(dht->calls.ctx, &rq->to,
                               reply != NULL && reply->status == YR_DHT_DONE);
        break;
    case YR_DHT_FOR_LOST:
        if (reply != NULL)
            found_again(dht, &rq->to, now);
        break;
    case YR_DHT_FOR_DIAL:
        if (reply != NULL)
            yr_dht_have_dialled(dht, &rq->to, now);
        break;
    case YR_DHT_FOR_PROOF:
        if (reply != NULL)
            dialled_back(dht, &rq->to.addr, now);
        break;
    case YR_DHT_FOR_DIALLED:
        // it has made sure of us by now: its question went out before its refusal
        if (reply != NULL && reply->status == YR_DHT_REFUSED && !rq->again)
            yr_dht_dial(dht, &rq->to, &rq->target, true, now);
        break;
    case YR_DHT_FOR_FWD:
        if (reply != NULL)
            yr_dht_forward(dht, rq, now);
        else
            yr_dht_inner_answered(dht, rq, NULL);
        break;
    case YR_DHT_FOR_INNER: yr_dht_inner_answered(dht, rq, reply); break;
    case YR_DHT_FOR_RELAY:
    case YR_DHT_FOR_LOOKUP:
    case YR_DHT_FOR_TARGET: yr_dht_search_reply(dht, rq, reply, now); break;
    }
    free_request(dht, rq);
}

static void answered(struct yr_dht *dht, struct yr_dht_peer *peer,
                     const struct yr_dht_contact *from, const struct yr_dht_msg *msg, yr_us now)
{
    struct yr_dht_request *rq = NULL;
    size_t at = 0;

    for (; at < dht->request_count; at++)
        if (dht->requests[at]->txid == msg->txid) {
            rq = dht->requests[at];
            break;
        }
    if (rq == NULL || rq->op != msg->op || memcmp(rq->to.pk, from->pk, 32) != 0 ||
        !yr_addr_eq(&rq->to.addr, &from->addr)) {
        dht->counters[YR_DHT_N_DROP_REPLY]++;
        return;
    }
    dht->requests[at] = dht->requests[--dht->request_count];
    dht->counters[YR_DHT_N_REPLIES]++;
    dht->answered_us = now;
    for (size_t i = 0; i < dht->start_count; i++)
        if (yr_dht_same(&dht->start[i].contact, &rq->to))
            dht->start[i].answered_us = now;
    yr_dht_keys_proven(&dht->keys, peer, &from->addr, now);
    if (msg->op == YR_DHT_PING) {
        vote(dht, &from->addr, &msg->addr);
        if (dht->calls.seen != NULL)
            dht->calls.seen(dht->calls.ctx, &from->addr, &msg->addr);
    }
    if (msg->op != YR_DHT_FWD) // takes as long as another node
        remember_rtt(dht, now - rq->sent_us);
    if (msg->server)
        (void)!yr_dht_table_seen(yr_dht_table_of(dht, from->addr.family), &rq->to,
                                 (uint32_t)YR_MIN(now - rq->sent_us, (yr_us)UINT32_MAX), now);
    else
        yr_dht_table_remove(yr_dht_table_of(dht, from->addr.family), rq->to.pk);
    ended(dht, rq, msg, now);
}

void yr_dht_sent(struct yr_dht *dht, struct yr_now now, const struct yr_addr *to)
{
    if (dht->opts.role == YR_DHT_AUTO)
        yr_dht_lately_sent(&dht->lately, dht->keys.secret, to, dht->opts.lax, now.mono_us);
}

bool yr_dht_unasked(struct yr_dht *dht, const struct yr_addr *from, yr_us now)
{
    return !yr_dht_lately_has(&dht->lately, dht->keys.secret, from, dht->opts.lax, now);
}

// Strangers may cost us so many Diffie-Hellmans a second in all.
static bool may_derive(struct yr_dht *dht, yr_us now)
{
    const yr_us ms = (now - dht->new_keys_us) / 1000;
    const uint64_t more = dht->new_keys_milli + ms * YR_DHT_NEW_KEYS;

    dht->new_keys_us += ms * 1000;
    dht->new_keys_milli = (uint32_t)YR_MIN(more, (uint64_t)YR_DHT_NEW_KEYS * 2000);
    if (dht->new_keys_milli < 1000)
        return false;
    dht->new_keys_milli -= 1000;
    return true;
}

static bool recv_one(struct yr_dht *dht, const struct yr_addr *from, const uint8_t *packet,
                     size_t len, yr_us now, enum yr_dht_count *drop)
{
    struct yr_dht_contact contact = {.addr = *from};
    uint8_t plain[YR_DHT_PLAIN_MAX];
    struct yr_dht_peer *peer;
    struct yr_dht_msg msg;
    bool stranger;

    *drop = YR_DHT_N_DROP_FORM;
    if (!yr_dht_form(packet, len))
        return false;
    *drop = YR_DHT_N_DROP_ADDR;
    if (!yr_dht_addr_ok(from, dht->opts.lax) ||
        memcmp(packet + 1, dht->keys.own.public_key, 32) == 0)
        return false;
    memcpy(contact.pk, packet + 1, 32);
    contact.addr.scope = 0;
    contact.addr.local = 0;
    dht->keys.now_us = now;
    peer = yr_dht_keys_find(&dht->keys, contact.pk);
    stranger = peer == NULL;
    *drop = YR_DHT_N_DROP_RATE;
    if (stranger && (!yr_dht_within_rate(dht, from, now) || !may_derive(dht, now)))
        return false;
    *drop = YR_DHT_N_DROP_AEAD;
    if (stranger && (peer = yr_dht_keys_make(&dht->keys, contact.pk)) == NULL)
        return false;
    if (yr_dht_unseal(plain, peer->k, packet, len) != YR_OK) {
        if (stranger)
            yr_dht_keys_drop(&dht->keys, peer);
        return false;
    }
    *drop = YR_DHT_N_DROP_FORM;
    if (yr_dht_decode(&msg, plain, len - YR_DHT_OVERHEAD) != YR_OK)
        return false;
    if (msg.reply) {
        answered(dht, peer, &contact, &msg, now);
        return true;
    }
    *drop = YR_DHT_N_DROP_RATE;
    if (!stranger && !yr_dht_within_rate(dht, from, now))
        return false;
    dht->counters[YR_DHT_N_REQUESTS]++;
    if (yr_dht_unasked(dht, from, now)) {
        dht->unasked_us = now;
        if (dht->opts.role == YR_DHT_AUTO && dht->calls.dialled != NULL)
            dht->calls.dialled(dht->calls.ctx, from);
    }
    yr_dht_serve(dht, &contact, &msg, now);
    return true;
}

void yr_dht_recv(struct yr_dht *dht, struct yr_now now, const struct yr_addr *from,
                 const uint8_t *packet, size_t len)
{
    enum yr_dht_count drop;

    if (!recv_one(dht, from, packet, len, now.mono_us, &drop))
        dht->counters[drop]++;
    yr_dht_search_step(dht, false, now.mono_us);
}

// ---- time

static struct yr_dht_start *start_of(struct yr_dht *dht, const struct yr_dht_contact *node)
{
    for (size_t i = 0; i < dht->start_count; i++)
        if (yr_dht_same(&dht->start[i].contact, node))
            return &dht->start[i];
    return NULL;
}

void yr_dht_bootstrap(struct yr_dht *dht, const struct yr_dht_contact *nodes, size_t count,
                      struct yr_now now)
{
    const size_t more = YR_MIN(count, YR_DHT_BOOTSTRAP_MAX - dht->start_count);
    struct yr_dht_start *list = dht->start;

    if (more > 0) {
        list = yr_realloc(dht->mem, YR_MEM_DHT, list, (dht->start_count + more) * sizeof *list);
        if (list == NULL)
            return;
        dht->start = list;
    }
    for (size_t i = 0; i < count; i++) {
        struct yr_dht_start *known = start_of(dht, &nodes[i]);

        if (known != NULL)
            known->asked_us = 0;
        else if (i < more && yr_dht_addr_ok(&nodes[i].addr, dht->opts.lax))
            list[dht->start_count++] = (struct yr_dht_start){.contact = nodes[i]};
    }
    dht->start_tries = 0;
    if (dht->start_count > 0)
        dht->start_us = now.mono_us;
}

// All at once while nobody is known, then less and less often; each at least once.
static void bootstrap_step(struct yr_dht *dht, yr_us now)
{
    const bool alone = yr_dht_known(dht) == 0;

    if (now < dht->start_us)
        return;
    dht->rejoin_us = dht->joined || dht->start_count < 2 ? dht->rejoin_us : now + JOIN_WAIT_US;
    for (size_t i = 0; i < dht->start_count; i++)
        if ((alone || dht->start[i].asked_us == 0) &&
            yr_dht_ping(dht, &dht->start[i].contact, YR_DHT_FOR_TABLE, 0, now))
            dht->start[i].asked_us = now;
    if (alone)
        dht->joined = false;
    dht->start_us =
        alone && dht->start_count > 0 ? now + yr_backoff(dht->start_tries++) : now + 60 * YR_S;
}

// A client is somebody else each day: who watches one key sees no more of it.
static void renew_key(struct yr_dht *dht, yr_us now)
{
    uint8_t seed[32];

    while (dht->request_count > 0) { // their answers are for who we were
        struct yr_dht_request *rq = dht->requests[--dht->request_count];

        ended(dht, rq, NULL, now);
    }
    yr_dht_keys_clear(&dht->keys);
    yr_random(dht->rng, seed, sizeof seed);
    yr_dht_keys_init(&dht->keys, dht->mem, dht->rng, seed);
    yr_wipe(seed, sizeof seed);
    yr_dht_id(dht->own_id, dht->keys.own.public_key);
    memcpy(dht->records.own_id, dht->own_id, 32);
    for (int i = 0; i < 2; i++)
        yr_dht_table_rebase(&dht->tables[i], dht->own_id);
    dht->key_us = now;
    dht->joined = false;
}

// When nothing is on its way, or an hour late.
static void renew_step(struct yr_dht *dht, yr_us now)
{
    const yr_us age = now - dht->key_us;

    if (!dht->serves && age >= YR_DHT_KEY_S * YR_S &&
        ((dht->search_count == 0 && dht->request_count == 0) || age >= YR_DHT_KEY_LATE_S * YR_S))
        renew_key(dht, now);
}

void yr_dht_moved(struct yr_dht *dht, struct yr_now now)
{
    if (dht->opts.role == YR_DHT_AUTO)
        dht->serves = false;
    memset(dht->votes, 0, sizeof dht->votes);
    dht->dialback_count = 0;
    dht->dial_tries = 0;
    dht->dialback_addr = (struct yr_addr){0};
    if (!dht->serves)
        renew_key(dht, now.mono_us);
    for (size_t i = 0; i < dht->start_count; i++)
        dht->start[i].asked_us = 0;
    dht->start_tries = 0;
    dht->joined = false;
    if (dht->start_count > 0)
        dht->start_us = now.mono_us;
}

// Whoever knows few looks around again, less and less often: it may have asked one that knew
// nobody.
static void look_around(struct yr_dht *dht, yr_us now)
{
    for (int i = 0; i < 2; i++)
        if (dht->tables[i].count > 0)
            (void)!yr_dht_search_nodes(dht, dht->own_id, i == 0 ? 4 : 6, NULL, now);
}

static void join_step(struct yr_dht *dht, yr_us now)
{
    const size_t known = yr_dht_known(dht);
    const bool few = known < 2 * YR_DHT_BUCKET;
    bool news;

    if (known == 0 || (dht->joined && now < (few ? dht->rejoin_us : dht->again_us)) ||
        (!dht->joined && now < dht->rejoin_us))
        return;
    if (dht->joined && !few) { // once more when all have settled: those around us have changed
        dht->again_us = YR_NEVER;
        look_around(dht, now);
        return;
    }
    news = !dht->joined || known > dht->joined_known;
    dht->joined_known = known;
    dht->join_tries = dht->joined ? YR_MIN(dht->join_tries + 1, 10) : 0;
    dht->rejoin_us = now + (JOIN_US << dht->join_tries);
    dht->again_us = now + AGAIN_US + yr_dht_draw(dht) % AGAIN_US;
    dht->joined = true;
    if (!news) { // a small network: all who know us know no more
        look_around(dht, now);
        return;
    }
    dht->joined_us = now;
    dht->refresh_us = 0; // every bucket at once
    for (size_t i = 0; i < 2 * (size_t)YR_DHT_BUCKETS; i++)
        dht->tables[i / YR_DHT_BUCKETS].buckets[i % YR_DHT_BUCKETS].refreshed_us = 0;
}

static void refresh_step(struct yr_dht *dht, yr_us now)
{
    // Who knows few looks around now and then anyway, and finds all of them.
    const yr_us age = yr_dht_known(dht) < 2 * YR_DHT_BUCKET ? YR_NEVER : YR_DHT_REFRESH_S * YR_S;
    uint8_t target[32];

    if (now < dht->refresh_us || yr_dht_known(dht) == 0)
        return;
    if (dht->refresh_us == 0) // just joined: who is around us?
        look_around(dht, now);
    dht->refresh_us = now + YR_MIN(YR_MAX((now - dht->joined_us) / 2, REFRESH_US), REFRESH_LAST_US);
    if (dht->search_count >= YR_DHT_SEARCHES_MAX / 2 ||
        (!dht->serves && yr_dht_known(dht) > 4 * YR_DHT_BUCKET))
        return; // its own searches keep a client's table fresh enough
    for (int i = 0; i < 2; i++)
        if (yr_dht_table_refresh(&dht->tables[i], dht->rng, age, now + YR_DHT_REFRESH_S * YR_S,
                                 target)) {
            (void)!yr_dht_search_nodes(dht, target, i == 0 ? 4 : 6, NULL, now);
            dht->refresh_us = now + REFRESH_US;
        }
}

static void maintain_step(struct yr_dht *dht, yr_us now)
{
    struct yr_dht_contact who;

    if (now < dht->maintain_us)
        return;
    dht->maintain_us = now + (dht->serves ? MAINTAIN_LAST_US : MAINTAIN_CLIENT_US);
    yr_dht_records_tick(&dht->records, now);
    yr_dht_keys_tick(&dht->keys, now);
    for (int i = 0; i < 2; i++) {
        if (yr_dht_table_stale(&dht->tables[i], YR_DHT_FRESH_S * YR_S, now, &who))
            (void)yr_dht_ping(dht, &who, YR_DHT_FOR_TABLE, 0, now);
        if (dht->serves)
            dht->maintain_us = YR_MIN(dht->maintain_us, yr_dht_table_due(&dht->tables[i]));
    }
    dht->maintain_us = YR_MAX(dht->maintain_us, now + MAINTAIN_SERVER_US);
    choose_role(dht, now);
}

// Rather one whom we know anyway: each one that we write to cannot come unasked for a while.
static const struct yr_dht_contact *dial_by(struct yr_dht *dht, yr_us now)
{
    const struct yr_dht_table *table = &dht->tables[dht->tables[0].count == 0];
    const struct yr_dht_contact *who = NULL;

    for (int tries = 0; tries < 8 && (who == NULL || yr_dht_unasked(dht, &who->addr, now)); tries++)
        who = &yr_dht_table_at(table, yr_dht_draw(dht) % table->count)->contact;
    return who;
}

// Who dials is a stranger, probably: most nodes are none that we know.
static bool strangers_abound(const struct yr_dht *dht)
{
    struct yr_dht_info info;

    yr_dht_info(dht, &info);
    return info.network > 4 * yr_dht_known(dht);
}

static void dial_step(struct yr_dht *dht, yr_us now)
{
    const bool reached = now - dht->unasked_us < DIAL_US;

    if (now < dht->dial_us)
        return;
    dht->dial_us = now + (dht->serves                    ? reached ? DIAL_US : DIAL_SOON_US
                          : dht->dial_tries < DIAL_TRIES ? DIAL_US
                                                         : DIAL_RARE_US);
    if (dht->opts.role != YR_DHT_AUTO || yr_dht_known(dht) < YR_DHT_DIALBACKS + 1 ||
        (dht->dialback_count == YR_DHT_DIALBACKS && (!dht->serves || reached)))
        return;
    dht->dial_tries++; // most who are behind a NAT will not be reached by the next one either
    if (yr_dht_ping(dht, dial_by(dht, now), YR_DHT_FOR_TABLE, YR_DHT_PING_DIAL, now) &&
        dht->calls.dialled != NULL && strangers_abound(dht))
        dht->calls.dialled(dht->calls.ctx, NULL);
}

static void expire(struct yr_dht *dht, yr_us now)
{
    for (size_t i = 0; i < dht->request_count;) {
        struct yr_dht_request *rq = dht->requests[i];

        if (now < rq->until_us) {
            i++;
            continue;
        }
        dht->requests[i] = dht->requests[--dht->request_count];
        dht->counters[YR_DHT_N_TIMEOUTS]++;
        if (rq->op != YR_DHT_FWD) {
            lose(dht, &rq->to, now);
            yr_dht_table_failed(yr_dht_table_of(dht, rq->to.addr.family), rq->to.pk);
        }
        ended(dht, rq, NULL, now);
        i = 0; // ending one may have started others
    }
}

void yr_dht_tick(struct yr_dht *dht, struct yr_now now)
{
    dht->keys.now_us = now.mono_us;
    expire(dht, now.mono_us);
    bootstrap_step(dht, now.mono_us);
    join_step(dht, now.mono_us);
    refresh_step(dht, now.mono_us);
    maintain_step(dht, now.mono_us);
    dial_step(dht, now.mono_us);
    lost_step(dht, now.mono_us);
    renew_step(dht, now.mono_us);
    yr_dht_search_step(dht, true, now.mono_us);
}

yr_us yr_dht_deadline(const struct yr_dht *dht)
{
    yr_us first = YR_MIN(dht->start_us, yr_dht_search_deadline(dht));

    for (size_t i = 0; i < dht->request_count; i++)
        first = YR_MIN(first, dht->requests[i]->until_us);
    if (yr_dht_known(dht) == 0)
        return first;
    first = YR_MIN(first, YR_MIN(dht->maintain_us, YR_MIN(dht->dial_us, dht->lost_us)));
    if (!dht->joined)
        return YR_MIN(first, dht->rejoin_us);
    first = YR_MIN(first, yr_dht_known(dht) < 2 * YR_DHT_BUCKET ? dht->rejoin_us : dht->again_us);
    return YR_MIN(first, dht->refresh_us);
}
