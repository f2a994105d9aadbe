#include "core/contact/state.h"

static const char *const counter_names[COUNTERS] = {
    "contact.sent",        "contact.drop.form",  "contact.drop.hint",  "contact.drop.mac",
    "contact.drop.bucket", "contact.drop.noise", "contact.drop.clock", "contact.drop.room"};

/* ---- life ---- */

enum yr_err yr_contacts_new(struct yr_contacts **out, struct yr_mem *mem, struct yr_rows *rows,
                            const struct yr_rng *rng, const struct yr_contact_ops *ops)
{
    struct yr_contacts *c = yr_alloc(mem, YR_MEM_NODE, sizeof *c);

    if (c == NULL)
        return YR_ENOMEM;
    c->mem = mem;
    c->rows = rows;
    c->rng = rng;
    c->ops = *ops;
    *out = c;
    return YR_OK;
}

void yr_contacts_reset(struct yr_contacts *c)
{
    yr_wipe(c->invites, sizeof c->invites);
    yr_wipe(c->adds, sizeof c->adds);
    yr_wipe(c->meetings, sizeof c->meetings);
    yr_wipe(c->queue, sizeof c->queue);
    c->queue_count = 0;
    c->self = NULL;
}

void yr_contacts_free(struct yr_contacts *c)
{
    if (c != NULL)
        yr_free_secret(c->mem, c);
}

/* ---- small parts ---- */

bool yr_fc_expired(const struct yr_invite *in, struct yr_now now)
{
    return now.wall_ms / 1000 >= (yr_ms)in->exp_s;
}

static enum yr_invite_state state_of(const struct yr_fc_invite *i, struct yr_now now)
{
    return i->state == YR_INVITE_OPEN && yr_fc_expired(&i->in, now) ? YR_INVITE_EXPIRED : i->state;
}

struct yr_fc_packet_out *yr_fc_queue_packet(struct yr_contacts *c, const struct yr_addr *to,
                                            uint64_t token)
{
    struct yr_fc_packet_out *p;

    if (c->queue_count == YR_FC_QUEUE_MAX) {
        c->counters[DROP_ROOM]++;
        return NULL;
    }
    p = &c->queue[c->queue_count++];
    p->to = *to;
    p->token = token;
    p->len = 0;
    return p;
}

void yr_fc_queue_bytes(struct yr_contacts *c, const struct yr_addr *to, uint64_t token,
                       const uint8_t *bytes, size_t len)
{
    struct yr_fc_packet_out *p = yr_fc_queue_packet(c, to, token);

    if (p == NULL)
        return;
    YR_ASSERT(len <= sizeof p->bytes);
    memcpy(p->bytes, bytes, len);
    p->len = len;
}

static void prologue(struct yr_wr *wr, const struct yr_invite *in)
{
    yr_wr_bytes(wr, "yaari/1/fc", 10);
    yr_wr_u8(wr, SUITE);
    yr_wr_u8(wr, KIND_INVITE);
    yr_wr_bytes(wr, in->id, 32);
    yr_wr_u32(wr, in->gen);
}

void yr_fc_noise_start(struct yr_noise *noise, bool initiator, const struct yr_keypair *s,
                       const struct yr_invite *in, const struct yr_invite_keys *keys)
{
    uint8_t pro[64];
    struct yr_wr wr = yr_wr_init(pro, sizeof pro);

    prologue(&wr, in);
    yr_noise_init(noise, YR_NOISE_XKPSK0, initiator, s, initiator ? in->dev : NULL, keys->psk, pro,
                  yr_wr_len(&wr));
}

// TAI64N of a wall clock: seconds since 1970 TAI (10 s ahead then), nanoseconds; big-endian.
static void clock_from(struct yr_clock *out, yr_ms wall_ms)
{
    const uint64_t ms = wall_ms > 0 ? (uint64_t)wall_ms : 0;
    struct yr_wr wr = yr_wr_init(out->bytes, sizeof out->bytes);
    const uint32_t nanos = (uint32_t)(ms % 1000) * 1000000;

    yr_wr_u64be(&wr, (1ULL << 62) + 10 + ms / 1000);
    yr_wr_u16be(&wr, (uint16_t)(nanos >> 16));
    yr_wr_u16be(&wr, (uint16_t)nanos);
}

// The day before the one of message 1: time keys begin there, whatever the two clocks disagree.
uint32_t yr_fc_clock_day(const struct yr_clock *clock)
{
    struct yr_rd rd = yr_rd_init(clock->bytes, sizeof clock->bytes);
    const uint64_t tai = yr_rd_u64be(&rd), base = (1ULL << 62) + 10;
    const uint64_t day = tai > base ? (tai - base) / 86400 : 0;

    return day > UINT32_MAX - 64 ? UINT32_MAX - 64 : day > 0 ? (uint32_t)day - 1 : 0;
}

void yr_fc_next_clock(struct yr_contacts *c, struct yr_now now, struct yr_clock *out)
{
    clock_from(out, now.wall_ms);
    if (memcmp(out->bytes, c->last_clock.bytes, sizeof out->bytes) <= 0) {
        *out = c->last_clock;
        yr_increment_be(out->bytes, sizeof out->bytes);
    }
    c->last_clock = *out;
}

// What both sides take out of the finished handshake (B.5).
void yr_fc_contact_keys(struct yr_contact *k, const struct yr_noise *noise)
{
    yr_noise_split(noise, NULL, NULL, k->exporter);
    memcpy(k->hash, noise->hash, sizeof k->hash);
    yr_kdf(k->pair, sizeof k->pair, k->exporter, YR_LABEL_PAIR, noise->hash, sizeof noise->hash);
}

void yr_fc_changed(struct yr_contacts *c, struct yr_now now, const char *id)
{
    c->ops.changed(c->ops.ctx, now, id);
}

/* ---- commands ---- */

static void forget_invite(struct yr_contacts *c, struct yr_fc_invite *in)
{
    yr_fc_end_meetings(c, in); // the place may soon be another invite's
    (void)yr_rows_del(c->rows, YR_TABLE_INVITE, NULL, 0, in->keys.id, YR_INVITE_ID_LEN);
    yr_wipe(in, sizeof *in);
}

// A place for one more: a free one, else the oldest that is neither open nor still dangerous.
static struct yr_fc_invite *invite_place(struct yr_contacts *c, struct yr_now now)
{
    struct yr_fc_invite *oldest = NULL;

    for (size_t i = 0; i < INVITE_ROOM; i++) {
        struct yr_fc_invite *in = &c->invites[i];
        if (in->used && now.wall_ms > (yr_ms)in->in.exp_s * 1000 + YR_INVITE_DAYS_KEPT * YR_DAY_MS)
            forget_invite(c, in);
    }
    for (size_t i = 0; i < INVITE_ROOM; i++) {
        struct yr_fc_invite *in = &c->invites[i];
        if (!in->used)
            return in;
        if (state_of(in, now) != YR_INVITE_OPEN &&
            (oldest == NULL || in->in.exp_s < oldest->in.exp_s))
            oldest = in;
    }
    if (oldest != NULL)
        forget_invite(c, oldest);
    return oldest;
}

enum yr_err yr_contacts_invite(struct yr_contacts *c, struct yr_now now, yr_ms expires_ms,
                               const char *petname, size_t petname_len, const struct yr_addr *hints,
                               size_t hint_count, char id[YR_INVITE_ID_LEN + 1])
{
    struct yr_fc_invite *in;
    size_t open = 0;
    enum yr_err err;

    if (expires_ms < now.wall_ms + 1000 ||
        expires_ms > now.wall_ms + YR_INVITE_DAYS_MAX * YR_DAY_MS ||
        expires_ms / 1000 > (yr_ms)UINT32_MAX)
        return YR_EINVAL;
    if (petname_len > YR_NICK_MAX)
        return YR_ESIZE;
    if (petname_len > 0 && !yr_utf8_ok(petname, petname_len))
        return YR_EINVAL;
    for (size_t i = 0; i < INVITE_ROOM; i++)
        open += c->invites[i].used && state_of(&c->invites[i], now) == YR_INVITE_OPEN;
    if (open >= YR_INVITES_MAX || (in = invite_place(c, now)) == NULL)
        return YR_EFULL;
    memset(in, 0, sizeof *in);
    in->in.exp_s = (uint32_t)(expires_ms / 1000);
    yr_random(c->rng, in->in.secret, 32);
    memcpy(in->in.id, c->self->id, 32);
    memcpy(in->in.dev, c->self->device.public_key, 32);
    in->in.gen = c->self->gen;
    in->in.hint_count = (unsigned)YR_MIN(hint_count, (size_t)YR_HINTS_MAX);
    for (unsigned i = 0; i < in->in.hint_count; i++)
        in->in.hints[i] = hints[i];
    yr_copy(in->petname, petname, petname_len);
    in->created_ms = now.wall_ms;
    in->tokens = YR_FC_BURST;
    in->tokens_at = in->expiry_us = now.mono_us;
    in->used = true;
    yr_invite_keys(&in->keys, in->in.secret);
    if ((err = yr_fc_store_invite(c, in)) != YR_OK) {
        yr_wipe(in, sizeof *in);
        return err;
    }
    memcpy(id, in->keys.id, YR_INVITE_ID_LEN + 1);
    return YR_OK;
}

static bool same_id(const char *have, const char *id, size_t len)
{
    return len == YR_INVITE_ID_LEN && memcmp(have, id, len) == 0;
}

enum yr_err yr_contacts_revoke(struct yr_contacts *c, struct yr_now now, const char *id, size_t len)
{
    for (size_t i = 0; i < INVITE_ROOM; i++) {
        struct yr_fc_invite *in = &c->invites[i];
        if (!in->used || !same_id(in->keys.id, id, len))
            continue;
        if (state_of(in, now) != YR_INVITE_OPEN)
            return YR_ESPENT;
        in->state = YR_INVITE_REVOKED;
        yr_fc_changed(c, now, in->keys.id);
        return yr_fc_store_invite(c, in);
    }
    return YR_ENOENT;
}

static enum yr_err own_link(const struct yr_contacts *c, const struct yr_invite *in)
{
    return memcmp(in->id, c->self->id, 32) == 0 ? YR_EOWN : YR_OK;
}

static struct yr_fc_add *add_place(struct yr_contacts *c, const char *id)
{
    struct yr_fc_add *place = NULL;

    for (size_t i = 0; i < YR_ADDS_MAX; i++) {
        struct yr_fc_add *a = &c->adds[i];
        if (a->used && same_id(a->keys.id, id, YR_INVITE_ID_LEN))
            return a;
        if (!a->used || (place == NULL && a->state == YR_ADD_FAILED))
            place = place == NULL || place->used ? a : place;
    }
    return place;
}

enum yr_err yr_contacts_add(struct yr_contacts *c, struct yr_now now, const char *link,
                            size_t link_len, const char *petname, size_t petname_len,
                            const char *greeting, size_t greeting_len, bool verified,
                            char id[YR_INVITE_ID_LEN + 1], uint8_t inviter[32])
{
    struct yr_invite in;
    struct yr_invite_keys keys;
    struct yr_fc_add *a;
    enum yr_err err;

    if (petname_len > YR_NICK_MAX || greeting_len > YR_GREETING_MAX)
        return YR_ESIZE;
    if ((petname_len > 0 && !yr_utf8_ok(petname, petname_len)) ||
        (greeting_len > 0 && !yr_utf8_ok(greeting, greeting_len)))
        return YR_EINVAL;
    if ((err = yr_invite_decode(&in, link, link_len)) != YR_OK || (err = own_link(c, &in)) != YR_OK)
        return err;
    if (yr_fc_expired(&in, now))
        return YR_EEXPIRED;
    yr_invite_keys(&keys, in.secret);
    if ((a = add_place(c, keys.id)) == NULL)
        return YR_EFULL;
    memcpy(id, keys.id, YR_INVITE_ID_LEN + 1);
    memcpy(inviter, in.id, 32);
    if (a->used && same_id(a->keys.id, keys.id, YR_INVITE_ID_LEN) && a->state != YR_ADD_FAILED) {
        a->next_us = YR_MIN(a->next_us, now.mono_us);
        return YR_OK;
    }
    // One add for one person: two would make two pairs, and each side could keep another.
    for (struct yr_fc_add *other; (other = yr_fc_own_add(c, in.id)) != NULL;)
        yr_fc_finish_add(c, now, other);
    yr_wipe(a, sizeof *a);
    a->in = in;
    a->keys = keys;
    yr_copy(a->petname, petname, petname_len);
    yr_copy(a->greeting, greeting, greeting_len);
    a->verified = verified;
    a->created_ms = now.wall_ms;
    a->next_us = now.mono_us;
    a->used = true;
    if ((err = yr_fc_store_add(c, a)) != YR_OK)
        yr_wipe(a, sizeof *a);
    yr_wipe(&in, sizeof in);
    yr_wipe(&keys, sizeof keys);
    return err;
}

enum yr_err yr_contacts_cancel(struct yr_contacts *c, struct yr_now now, const char *id, size_t len,
                               uint8_t inviter[32])
{
    for (size_t i = 0; i < YR_ADDS_MAX; i++) {
        struct yr_fc_add *a = &c->adds[i];
        if (a->used && same_id(a->keys.id, id, len)) {
            memcpy(inviter, a->in.id, 32);
            yr_fc_finish_add(c, now, a);
            return YR_OK;
        }
    }
    return YR_ENOENT;
}

void yr_contacts_peers(struct yr_contacts *c, struct yr_now now, const struct yr_addr *addrs,
                       size_t count)
{
    c->peer_count = YR_MIN(count, (size_t)YR_PEERS_MAX);
    yr_copy(c->peers, addrs, c->peer_count * sizeof *addrs);
    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        if (c->adds[i].used && c->adds[i].state == YR_ADD_SEARCHING)
            c->adds[i].next_us = now.mono_us;
}

/* ---- verbs ---- */

void yr_contacts_recv(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                      const uint8_t *packet, size_t len)
{
    if (c->self == NULL)
        return;
    if (len >= 4 && packet[1] == VERSION) {
        if (packet[0] == FC_INIT && len == INIT_LEN) {
            yr_fc_recv_init(c, now, from, packet, len);
            return;
        }
        if (packet[0] == FC_RESP && len == RESP_LEN) {
            yr_fc_recv_resp(c, now, from, packet, len);
            return;
        }
        if (packet[0] == FC_FIN && len > FIN_HEAD) {
            yr_fc_recv_fin(c, now, from, packet, len);
            return;
        }
        if (packet[0] == FC_DATA && len > DATA_HEAD + YR_TAG_LEN) {
            yr_fc_recv_data(c, now, from, packet, len);
            return;
        }
    }
    c->counters[DROP_FORM]++;
}

size_t yr_contacts_poll(struct yr_contacts *c, struct yr_addr *to, uint8_t *buf, size_t cap)
{
    const uint64_t durable = yr_rows_durable(c->rows);

    for (size_t i = 0; i < c->queue_count; i++) {
        struct yr_fc_packet_out *p = &c->queue[i];
        const size_t len = p->len;
        if (p->token > durable || len > cap)
            continue;
        *to = p->to;
        memcpy(buf, p->bytes, len);
        memmove(p, p + 1, (c->queue_count - i - 1) * sizeof *p);
        c->queue_count--;
        c->counters[SENT]++;
        return len;
    }
    return 0;
}

static void tick_add(struct yr_contacts *c, struct yr_now now, struct yr_fc_add *a)
{
    if (a->state == YR_ADD_FAILED) {
        yr_wipe(a, sizeof *a); // was shown long enough
        return;
    }
    if (yr_fc_expired(&a->in, now)) {
        uint8_t inviter[32];
        memcpy(inviter, a->in.id, 32);
        yr_fc_fail_add(c, now, a, YR_EEXPIRED);
        c->ops.verdict(c->ops.ctx, now, inviter, &(struct yr_hello){.verdict = REFUSED},
                       &(struct yr_addr){0});
        return;
    }
    if (a->fin_len > 0 && a->tries + 1 < YR_FC_FIN_TRIES) {
        yr_fc_queue_bytes(c, &a->fin_to, yr_rows_pending(c->rows), a->fin, a->fin_len);
        a->tries++;
    } else {
        a->tries = a->fin_len > 0 ? 0 : a->tries + 1;
        yr_fc_ask(c, now, a);
    }
    a->next_us =
        now.mono_us + yr_backoff(a->tries > 0 && a->fin_len == 0 ? a->tries - 1 : a->tries);
}

// Wall clocks jump: an open invite's expiry is looked at again at least once an hour.
static void tick_invite(struct yr_contacts *c, struct yr_now now, struct yr_fc_invite *in)
{
    const yr_ms left_ms = (yr_ms)in->in.exp_s * 1000 - now.wall_ms;

    if (in->state != YR_INVITE_OPEN || left_ms <= 0) {
        in->expiry_us = YR_NEVER;
        if (in->state == YR_INVITE_OPEN)
            yr_fc_changed(c, now, in->keys.id);
        return;
    }
    in->expiry_us = now.mono_us + YR_MIN((yr_us)left_ms * YR_MS, 3600 * YR_S);
}

void yr_contacts_tick(struct yr_contacts *c, struct yr_now now)
{
    if (c->self == NULL)
        return;
    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        if (c->adds[i].used && c->adds[i].next_us <= now.mono_us)
            tick_add(c, now, &c->adds[i]);
    for (size_t i = 0; i < INVITE_ROOM; i++)
        if (c->invites[i].used && c->invites[i].expiry_us <= now.mono_us)
            tick_invite(c, now, &c->invites[i]);
    for (size_t i = 0; i < YR_FC_MEETINGS_MAX; i++)
        if (c->meetings[i].used && c->meetings[i].until_us <= now.mono_us)
            yr_wipe(&c->meetings[i], sizeof c->meetings[i]);
}

yr_us yr_contacts_deadline(const struct yr_contacts *c)
{
    yr_us due = YR_NEVER;

    if (c->self == NULL)
        return due;
    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        if (c->adds[i].used)
            due = YR_MIN(due, c->adds[i].next_us);
    for (size_t i = 0; i < INVITE_ROOM; i++)
        if (c->invites[i].used)
            due = YR_MIN(due, c->invites[i].expiry_us);
    for (size_t i = 0; i < YR_FC_MEETINGS_MAX; i++)
        if (c->meetings[i].used)
            due = YR_MIN(due, c->meetings[i].until_us);
    return due;
}

/* ---- LAN ---- */

static const uint8_t *lan_key(const struct yr_contacts *c, size_t i)
{
    if (i < INVITE_ROOM)
        return c->invites[i].used && c->invites[i].state == YR_INVITE_OPEN ? c->invites[i].keys.hint
                                                                           : NULL;
    i -= INVITE_ROOM;
    return c->adds[i].used && c->adds[i].state == YR_ADD_SEARCHING ? c->adds[i].keys.hint : NULL;
}

bool yr_contacts_lan_key(const struct yr_contacts *c, size_t i, uint8_t key[16])
{
    size_t n = 0;

    if (c->self == NULL)
        return false;
    for (size_t k = 0; k < INVITE_ROOM + YR_ADDS_MAX; k++) {
        const uint8_t *have = lan_key(c, k);
        if (have != NULL && n++ == i) {
            memcpy(key, have, 16);
            return true;
        }
    }
    return false;
}

static bool learn(struct yr_fc_add *a, const struct yr_addr *from)
{
    for (size_t i = 0; i < a->found_count; i++)
        if (yr_addr_eq(&a->found[i], from))
            return false;
    if (a->found_count == YR_FC_FOUND_MAX) { // neighbours may say it from many places
        memmove(a->found, a->found + 1, (YR_FC_FOUND_MAX - 1) * sizeof a->found[0]);
        a->found_count--;
    }
    a->found[a->found_count++] = *from;
    return true;
}

bool yr_contacts_lan_heard(struct yr_contacts *c, struct yr_now now, size_t i,
                           const struct yr_addr *from)
{
    size_t n = 0;

    for (size_t k = 0; k < INVITE_ROOM + YR_ADDS_MAX; k++) {
        if (lan_key(c, k) == NULL || n++ != i)
            continue;
        if (k < INVITE_ROOM)
            return true; // whoever adds our invite waits to hear us
        struct yr_fc_add *a = &c->adds[k - INVITE_ROOM];
        if (learn(a, from))
            a->next_us =
                YR_MIN(a->next_us, YR_MAX(now.mono_us, a->asked_us + YR_FC_GAP_MS * YR_MS));
        return false;
    }
    return false;
}

/* ---- the DHT ---- */

static const struct yr_invite_keys *rv_keys(const struct yr_contacts *c, struct yr_now now,
                                            size_t k, bool *open)
{
    const struct yr_fc_invite *in = k < INVITE_ROOM ? &c->invites[k] : NULL;
    const struct yr_fc_add *a = in == NULL ? &c->adds[k - INVITE_ROOM] : NULL;

    if (in != NULL) {
        *open = in->state == YR_INVITE_OPEN;
        return in->used && !yr_fc_expired(&in->in, now) ? &in->keys : NULL;
    }
    *open = true;
    return a->used && a->state != YR_ADD_FAILED && !yr_fc_expired(&a->in, now) ? &a->keys : NULL;
}

bool yr_contacts_rv_next(const struct yr_contacts *c, struct yr_now now, size_t *at,
                         struct yr_contact_rv *out)
{
    if (c->self == NULL)
        return false;
    while (*at < INVITE_ROOM + YR_ADDS_MAX) {
        const size_t k = (*at)++;
        const struct yr_invite_keys *keys = rv_keys(c, now, k, &out->open);
        if (keys == NULL)
            continue;
        memcpy(out->id, keys->id, sizeof out->id);
        out->add = k >= INVITE_ROOM;
        memcpy(out->f_rv, keys->rv, sizeof out->f_rv);
        out->off = keys->off;
        memcpy(out->hint, keys->hint, sizeof out->hint);
        memcpy(out->signal, keys->signal, sizeof out->signal);
        return true;
    }
    return false;
}

enum yr_err yr_contacts_found(struct yr_contacts *c, struct yr_now now, const char *id,
                              const uint8_t cert[YR_CERT_LEN], const struct yr_addr *addrs,
                              size_t count, const struct yr_addr *way)
{
    struct yr_fc_add *a = NULL;
    struct yr_cert who;

    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        if (c->adds[i].used && c->adds[i].state != YR_ADD_FAILED &&
            strcmp(c->adds[i].keys.id, id) == 0)
            a = &c->adds[i];
    if (a == NULL)
        return YR_ENOENT;
    if (yr_cert_open(&who, cert) != YR_OK || memcmp(who.id, a->in.id, 32) != 0 ||
        memcmp(who.dev, a->in.dev, 32) != 0)
        return YR_EAUTH;
    a->dht_count = YR_MIN(count, (size_t)YR_RV_ADDRS_MAX);
    yr_copy(a->dht, addrs, a->dht_count * sizeof *addrs);
    if (way->family != 0)
        a->dht[a->dht_count++] = *way;
    if (a->state == YR_ADD_SEARCHING)
        a->next_us = YR_MIN(a->next_us, YR_MAX(now.mono_us, a->asked_us + YR_FC_GAP_MS * YR_MS));
    return YR_OK;
}

/* ---- queries ---- */

bool yr_contacts_invite_at(const struct yr_contacts *c, size_t i, struct yr_invite_info *out)
{
    for (size_t k = 0; k < INVITE_ROOM; k++) {
        const struct yr_fc_invite *in = &c->invites[k];
        if (!in->used || i-- > 0)
            continue;
        memset(out, 0, sizeof *out);
        memcpy(out->id, in->keys.id, sizeof out->id);
        memcpy(out->petname, in->petname, sizeof out->petname);
        out->created_ms = in->created_ms;
        out->expires_ms = (yr_ms)in->in.exp_s * 1000;
        out->state = in->state;
        out->used = in->state == YR_INVITE_USED || in->state == YR_INVITE_LEAKED;
        memcpy(out->used_by, in->by_id, 32);
        if (in->state == YR_INVITE_OPEN) {
            yr_invite_encode(out->link, &in->in, false);
            yr_invite_encode(out->qr, &in->in, true);
        }
        return true;
    }
    return false;
}

bool yr_contacts_add_at(const struct yr_contacts *c, size_t i, struct yr_add_info *out)
{
    for (size_t k = 0; k < YR_ADDS_MAX; k++) {
        const struct yr_fc_add *a = &c->adds[k];
        if (!a->used || i-- > 0)
            continue;
        memset(out, 0, sizeof *out);
        memcpy(out->id, a->keys.id, sizeof out->id);
        memcpy(out->inviter, a->in.id, 32);
        memcpy(out->petname, a->petname, sizeof out->petname);
        out->created_ms = a->created_ms;
        out->state = a->state;
        out->why = a->why;
        out->tried = a->tried;
        return true;
    }
    return false;
}

struct yr_counter yr_contacts_counter(const struct yr_contacts *c, size_t i)
{
    if (i >= COUNTERS)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], c->counters[i]};
}
