/* core/node/renew.c: see renew.h. */
#include "core/node/renew.h"

#include <stdio.h>

#include "core/node/state.h"

#define ROW_VERSION 1
#define ROW_RETIRED "retired"

#define POST_HOLDERS 3
#define POST_SOON_US (2 * YR_S)  // a friend has come: perhaps one who keeps mail
#define POST_LOOK_US (60 * YR_S) // others may, later

static struct yr_renew_friend *of(struct yr_node *n, unsigned slot)
{
    return &n->renew->friends[slot];
}

/* ---- rows ---- */

static void store(struct yr_node *n, unsigned slot)
{
    const struct yr_renew_friend *r = of(n, slot);
    uint8_t row[1 + 4 + 8 + 12 + 1 + YR_CERT_LEN];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u32(&wr, r->told);
    yr_wr_u64(&wr, r->heard_ms);
    yr_wr_bytes(&wr, r->heard_clock, sizeof r->heard_clock);
    yr_wr_u8(&wr, r->has_cert);
    yr_wr_bytes(&wr, r->cert, YR_CERT_LEN);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(n->rows, YR_TABLE_CERT, NULL, 0, n->friends[slot].id, 32, row, yr_wr_len(&wr));
}

enum yr_err yr_renew_load(struct yr_node *n, unsigned slot)
{
    struct yr_renew_friend *r = of(n, slot);
    uint8_t row[256], version;
    struct yr_cert cert;
    struct yr_rd rd;
    size_t len;
    enum yr_err err = yr_rows_get(n->rows, YR_TABLE_CERT, NULL, 0, n->friends[slot].id, 32, row,
                                  sizeof row, &len);

    memset(r, 0, sizeof *r);
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    version = yr_rd_u8(&rd);
    r->told = yr_rd_u32(&rd);
    r->heard_ms = yr_rd_u64(&rd);
    yr_rd_copy(&rd, r->heard_clock, sizeof r->heard_clock);
    r->has_cert = yr_rd_u8(&rd) != 0;
    yr_rd_copy(&rd, r->cert, YR_CERT_LEN);
    if (!yr_rd_done(&rd) || version != ROW_VERSION ||
        (r->has_cert && yr_cert_open(&cert, r->cert) != YR_OK))
        return YR_ECORRUPT;
    return YR_OK;
}

void yr_renew_forget(struct yr_node *n, unsigned slot)
{
    yr_rows_del(n->rows, YR_TABLE_CERT, NULL, 0, n->friends[slot].id, 32);
    memset(of(n, slot), 0, sizeof *of(n, slot));
}

void yr_renew_reset(struct yr_node *n)
{
    const uint64_t ours_ms = n->renew->ours_ms;

    memset(n->renew, 0, sizeof *n->renew);
    n->renew->ours_ms = ours_ms;
    n->retired_gen = 0;
    n->leaving = false;
}

/* ---- an old copy ---- */

enum yr_err yr_renew_load_self(struct yr_node *n)
{
    uint8_t row[YR_CERT_LEN];
    struct yr_cert cert, own;
    size_t len;
    enum yr_err err = yr_rows_get(n->rows, YR_TABLE_SELF, NULL, 0, ROW_RETIRED,
                                  sizeof ROW_RETIRED - 1, row, sizeof row, &len);

    n->retired_gen = 0;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    if (len != YR_CERT_LEN || yr_cert_open(&cert, row) != YR_OK ||
        yr_cert_open(&own, n->cert) != YR_OK || memcmp(cert.id, n->self.id, 32) != 0)
        return YR_ECORRUPT;
    if (yr_cert_newer(&cert, &own))
        n->retired_gen = cert.gen;
    return YR_OK;
}

// Somebody showed us a newer device of our own identity: nothing leaves this one any more.
static void retire(struct yr_node *n)
{
    struct yr_event event = {.kind = YR_EV_NOTICE};
    struct yr_cert cert;

    n->renew->outdated = false;
    if (n->retired_gen != 0 || yr_cert_open(&cert, n->renew->newer) != YR_OK)
        return;
    n->retired_gen = cert.gen;
    n->leaving = true; // until the last goodbyes are out
    yr_rows_put(n->rows, YR_TABLE_SELF, NULL, 0, ROW_RETIRED, sizeof ROW_RETIRED - 1,
                n->renew->newer, YR_CERT_LEN);
    snprintf(event.text, sizeof event.text,
             "this identity was restored from a backup elsewhere: this copy has stopped for good");
    yr_node_event(n, &event);
    n->renew->queue_count = 0;
    yr_links_close_all(n->links, n->now);
    yr_node_dht_stop(n);
}

/* ---- telling ---- */

static void queue(struct yr_node *n, unsigned slot, const struct yr_addr *to,
                  const uint8_t cert[YR_CERT_LEN], uint64_t token)
{
    struct yr_renew *r = n->renew;
    struct yr_renewal renewal;
    struct yr_renew_out *out;

    if (r->queue_count == YR_RENEWALS_OUT)
        return;
    out = &r->queue[r->queue_count++];
    r->ours_ms = YR_MAX(r->ours_ms + 1, (uint64_t)YR_MAX(n->now.wall_ms, 0));
    renewal.ms = r->ours_ms;
    memcpy(renewal.cert, cert, YR_CERT_LEN);
    out->to = *to;
    out->token = token;
    yr_renewal_seal(out->bytes, &n->friends[slot].pair, &renewal, n->rng);
}

bool yr_renew_is_known(const struct yr_node *n, unsigned slot)
{
    return n->self.gen == 1 || n->renew->friends[slot].told == n->self.gen;
}

void yr_renew_dialled(struct yr_node *n, unsigned slot, const struct yr_addr *addr)
{
    if (!yr_renew_is_known(n, slot))
        queue(n, slot, addr, n->cert, 0);
}

void yr_renew_signalled(struct yr_node *n, unsigned slot)
{
    struct yr_renewal renewal;
    uint8_t bytes[YR_RENEWAL_LEN];

    if (yr_renew_is_known(n, slot))
        return;
    renewal.ms = n->renew->ours_ms = YR_MAX(n->renew->ours_ms + 1, (uint64_t)n->now.wall_ms);
    memcpy(renewal.cert, n->cert, YR_CERT_LEN);
    yr_renewal_seal(bytes, &n->friends[slot].pair, &renewal, n->rng);
    (void)yr_meet_signal(n, slot, bytes, sizeof bytes);
}

static bool minute(struct yr_node *n, yr_us *last)
{
    if (*last != 0 && n->now.mono_us < *last + YR_RENEWAL_S * YR_S)
        return false;
    *last = YR_MAX(n->now.mono_us, 1);
    return true;
}

void yr_renew_stranger(struct yr_node *n, unsigned slot, const struct yr_addr *addr,
                       const struct yr_clock *clock)
{
    struct yr_renew_friend *r = of(n, slot);
    bool answer, tell;

    // Each counts once, or a copy of it, sent from anywhere, would be answered there.
    if (memcmp(clock->bytes, r->heard_clock, sizeof r->heard_clock) <= 0)
        return;
    memcpy(r->heard_clock, clock->bytes, sizeof r->heard_clock);
    store(n, slot);
    answer = r->has_cert && minute(n, &r->answered_us); // an old copy, perhaps
    tell = minute(n, &r->told_us);                      // or we are one, or unknown
    if (answer)
        queue(n, slot, addr, r->cert, yr_rows_pending(n->rows));
    if (tell)
        queue(n, slot, addr, n->cert, yr_rows_pending(n->rows));
}

void yr_renew_known(struct yr_node *n, unsigned slot)
{
    if (yr_renew_is_known(n, slot))
        return;
    of(n, slot)->told = n->self.gen;
    store(n, slot);
    n->renew->look_us = YR_MIN(n->renew->look_us, n->now.mono_us + POST_SOON_US);
}

/* ---- telling by post ---- */

// true: some friends keep it now.
static bool leave(struct yr_node *n, unsigned slot)
{
    struct yr_holder holders[POST_HOLDERS];
    const size_t count = yr_post_holders(n, slot, holders, POST_HOLDERS);
    uint8_t body[YR_RENEWAL_BODY];
    const uint8_t *envelope;
    bool left = false;
    size_t len;

    if (count == 0 || yr_renew_envelope_body(n, slot, body) != YR_OK ||
        yr_delivery_cert(n->delivery, n->now, slot, body, sizeof body, &envelope, &len) != YR_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        left |= holders[i].via == holders[i].slot &&
                yr_links_send(n->links, holders[i].slot, YR_CHANNEL_CHAT, YR_FRAME_ENV_PUT,
                              envelope, len) == YR_OK;
    return left;
}

static void post(struct yr_node *n, unsigned slot)
{
    struct yr_renew_friend *r = of(n, slot);
    uint8_t body[YR_RENEWAL_BODY];

    if (r->posted_us != 0 && n->now.mono_us < r->posted_us + YR_DAY_S * YR_S)
        return;
    if (r->post_token == 0) { // the prekey in it, and the day of its envelope, are on disk first
        const uint8_t *envelope;
        size_t len;

        if (yr_renew_envelope_body(n, slot, body) == YR_OK)
            (void)!yr_delivery_cert(n->delivery, n->now, slot, body, sizeof body, &envelope, &len);
        r->post_token = yr_rows_pending(n->rows);
        n->renew->look_us = YR_MIN(n->renew->look_us, n->now.mono_us + POST_SOON_US);
    } else if (r->post_token <= n->renew->durable && leave(n, slot)) {
        r->posted_us = YR_MAX(n->now.mono_us, 1);
    }
}

void yr_renew_tick(struct yr_node *n)
{
    bool some = false;

    if (n->now.mono_us < n->renew->look_us)
        return;
    n->renew->look_us = n->now.mono_us + POST_LOOK_US;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        const struct yr_friend *f = &n->friends[slot];

        if (!f->used || f->pending || f->blocked || f->online || yr_renew_is_known(n, slot))
            continue;
        some = true;
        post(n, slot);
    }
    if (!some)
        n->renew->look_us = YR_NEVER;
}

yr_us yr_renew_deadline(const struct yr_node *n)
{
    return n->renew->look_us;
}

/* ---- being told ---- */

enum yr_err yr_renew_take(struct yr_node *n, unsigned slot, const uint8_t bytes[YR_CERT_LEN],
                          const struct yr_addr *from)
{
    const struct yr_friend *f = &n->friends[slot];
    struct yr_renew_friend *r = of(n, slot);
    struct yr_cert cert, known = {.gen = f->gen};
    enum yr_err err = yr_cert_open(&cert, bytes);

    if (err != YR_OK)
        return err;
    if (memcmp(cert.id, f->id, 32) != 0)
        return YR_EAUTH;
    memcpy(known.dev, f->dev, sizeof known.dev);
    if (r->due || r->has_cert) {
        if ((err = yr_cert_open(&known, r->due ? r->next : r->cert)) != YR_OK)
            return err;
    } else if (cert.gen == f->gen) {
        known.created_ms = UINT64_MAX; // nobody is restored to the generation he had
    }
    if (memcmp(cert.dev, known.dev, 32) == 0)
        return YR_EEXIST;
    if (!yr_cert_newer(&cert, &known))
        return YR_EDENIED;
    r->due = n->renew->due = true;
    memcpy(r->next, bytes, YR_CERT_LEN);
    memset(&r->from, 0, sizeof r->from);
    if (from != NULL)
        r->from = *from;
    return YR_OK;
}

void yr_renew_settle(struct yr_node *n)
{
    struct yr_cert cert;

    if (!n->renew->due)
        return;
    n->renew->due = false;
    if (n->renew->outdated)
        retire(n);
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_renew_friend *r = of(n, slot);

        if (!r->due)
            continue;
        r->due = false;
        if (!n->friends[slot].used || yr_cert_open(&cert, r->next) != YR_OK)
            continue;
        memcpy(r->cert, r->next, YR_CERT_LEN);
        r->has_cert = true;
        n->renew->taken++;
        store(n, slot);
        yr_friend_renewed(n, &n->friends[slot], cert.dev, cert.gen);
        if (yr_addr_udp(&r->from))
            yr_paths_learn(n->paths, slot, &r->from, YR_ADDR_PROBED, n->now);
    }
}

static unsigned find(const struct yr_node *n, const uint8_t *bytes, size_t len)
{
    unsigned slot;

    for (slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->friends[slot].used && !n->friends[slot].pending && !n->friends[slot].blocked &&
            yr_renewal_is(&n->friends[slot].pair, bytes, len))
            break;
    return slot;
}

// Who still goes by an older device of the friend's is one of its old copies.
static void tell_newer(struct yr_node *n, unsigned slot, const struct yr_addr *to, uint64_t ms)
{
    struct yr_renew_friend *r = of(n, slot);

    if (ms <= r->heard_ms || ms > UINT64_MAX / 2)
        return;
    r->heard_ms = ms;
    store(n, slot);
    if (r->has_cert && minute(n, &r->answered_us))
        queue(n, slot, to, r->cert, yr_rows_pending(n->rows));
}

// Two come together: what we are, and what he is.
static bool may_check(const struct yr_node *n, struct yr_renew_friend *r)
{
    const yr_us each = YR_RENEWAL_CHECK_MS * YR_MS;

    r->checks_us = YR_MIN(r->checks_us + (n->now.mono_us - r->checked_us), YR_RENEWAL_BURST * each);
    r->checked_us = n->now.mono_us;
    if (r->checks_us < each)
        return false;
    r->checks_us -= each;
    return true;
}

void yr_renew_recv(struct yr_node *n, const struct yr_addr *from, const uint8_t *bytes, size_t len)
{
    const unsigned slot = find(n, bytes, len);
    struct yr_renewal renewal;
    struct yr_renew_friend *r;
    struct yr_cert cert, own;

    if (slot == YR_FRIENDS_MAX ||
        yr_renewal_open(&renewal, &n->friends[slot].pair, bytes, len) != YR_OK) {
        n->renew->dropped++;
        return;
    }
    r = of(n, slot);
    if (!may_check(n, r)) {
        n->renew->dropped++;
        return;
    }
    n->renew->in++;
    if (yr_cert_open(&cert, renewal.cert) != YR_OK || yr_cert_open(&own, n->cert) != YR_OK)
        return;
    if (memcmp(cert.id, n->self.id, 32) == 0) {
        if (yr_cert_newer(&cert, &own)) {
            n->renew->due = n->renew->outdated = true;
            memcpy(n->renew->newer, renewal.cert, YR_CERT_LEN);
        }
    } else if (yr_renew_take(n, slot, renewal.cert, from) == YR_EDENIED) {
        tell_newer(n, slot, from, renewal.ms);
    }
}

/* ---- envelopes ---- */

enum yr_err yr_renew_envelope_body(struct yr_node *n, unsigned slot, uint8_t out[YR_RENEWAL_BODY])
{
    struct yr_prekey prekey;
    bool fresh;
    enum yr_err err = yr_delivery_prekey(n->delivery, n->now, slot, &prekey, &fresh);

    if (err == YR_OK)
        yr_renewal_body(out, n->cert, &prekey);
    return err;
}

enum yr_err yr_renew_envelope_take(struct yr_node *n, unsigned slot, const uint8_t *body,
                                   size_t len)
{
    uint8_t cert[YR_CERT_LEN];
    struct yr_prekey prekey;
    enum yr_err err = yr_renewal_body_decode(cert, &prekey, body, len);

    if (err != YR_OK)
        return err;
    err = yr_renew_take(n, slot, cert, NULL);
    if (err != YR_OK && err != YR_EEXIST)
        return err;
    if (err == YR_OK && n->friends[slot].online)
        return YR_OK;   // it may have come over that very link, which is about to be closed
    yr_renew_settle(n); // the prekeys of the device before go first
    yr_delivery_their_prekey(n->delivery, n->now, slot, &prekey);
    return YR_OK;
}

/* ---- out ---- */

void yr_renew_release(struct yr_node *n, uint64_t durable)
{
    n->renew->durable = durable;
}

size_t yr_renew_poll(struct yr_node *n, struct yr_addr *to, uint8_t *buf, size_t cap)
{
    struct yr_renew *r = n->renew;

    for (size_t i = 0; i < r->queue_count; i++) {
        if (r->queue[i].token > r->durable || cap < YR_RENEWAL_LEN)
            continue;
        *to = r->queue[i].to;
        memcpy(buf, r->queue[i].bytes, YR_RENEWAL_LEN);
        r->out++;
        r->queue_count--;
        memmove(&r->queue[i], &r->queue[i + 1], (r->queue_count - i) * sizeof r->queue[0]);
        return YR_RENEWAL_LEN;
    }
    return 0;
}

struct yr_counter yr_renew_counter(const struct yr_node *n, size_t i)
{
    const struct yr_renew *r = n->renew;
    const struct yr_counter all[] = {{"renew.sent", r->out},
                                     {"renew.received", r->in},
                                     {"renew.taken", r->taken},
                                     {"renew.drop", r->dropped}};

    return i < YR_COUNT(all) ? all[i] : (struct yr_counter){NULL, 0};
}
