#include "core/contact/contacts.h"

#include "core/base/mem.h"

#define VERSION       1
#define KIND_INVITE   1
#define SUITE         1
#define INIT_LEN      132
#define INIT_MAC_AT   (INIT_LEN - 16)
#define RESP_LEN      (4 + 4 + 4 + 32 + 16)
#define FIN_HEAD      12
#define DATA_HEAD     8
#define M1_PAYLOAD    20 /* tai64n 12 | nonce u64 */
#define HELLO_MAX     800
#define MEETINGS_MAX  16
#define MEETINGS_EACH 2 /* of one invite: who holds one cannot keep the others waiting */
#define FOUND_MAX     8
#define QUEUE_MAX     64
#define CANDIDATES    (YR_HINTS_MAX + FOUND_MAX + YR_PEERS_MAX)

#define ANSWER_US     (10 * YR_S) /* how long message 2 waits for message 3 */
#define DONE_US       (60 * YR_S) /* how long the same message 3 gets the same answer */
#define FIN_TRIES     6           /* message 3: 1, 2, 4, 8, 16 s, then from the start */
#define FAILED_US     (3600 * YR_S)
#define ASK_GAP_US    (500 * YR_MS) /* a new try makes answers to the last one worthless */
#define BUCKET_BURST  8             /* handshakes per invite, then 4 a second */
#define INVITE_ROOM   (YR_INVITES_MAX + YR_SPENT_MAX)
#define EXPIRY_MS_MAX (366LL * 86400 * 1000)
#define KEEP_MS       (7LL * 86400 * 1000) /* an ended invite stays in the list for a week */

enum packet { FC_INIT = 0x05, FC_RESP = 0x06, FC_FIN = 0x07, FC_DATA = 0x08 };
enum verdict { REFUSED = 0, ACCEPTED = 1 };
enum reason { NO_REASON = 0, SPENT = 1, REVOKED = 2, FULL = 3 };

struct invite {
    bool used;
    struct yr_invite in;
    struct yr_invite_keys keys;
    char petname[YR_NICK_MAX + 1];
    yr_ms created_ms;
    enum yr_invite_state state; // EXPIRED is worked out, never stored
    bool settled;               // its friend has the verdict on disk: the pair is final
    uint8_t by_id[32], by_dev[32];
    struct yr_clock clock; // the highest message 1 has shown
    double tokens;
    yr_us tokens_at;
    yr_us expiry_us; // when an open one has to be looked at; YR_NEVER: told
};

// One answered message 1, on the inviter's side.
struct meeting {
    bool used, done;
    struct invite *invite;
    struct yr_noise noise;
    uint32_t own_index, peer_index, day;
    yr_us begun_us, until_us;
    struct yr_addr fin_from;
    uint8_t fin_hash[YR_HASH_LEN];
    uint8_t data[DATA_HEAD + HELLO_MAX + YR_TAG_LEN];
    size_t data_len;
};

struct add {
    bool used;
    struct yr_invite in;
    struct yr_invite_keys keys;
    char petname[YR_NICK_MAX + 1], greeting[YR_GREETING_MAX + 1];
    bool verified;
    yr_ms created_ms;
    enum yr_add_state state;
    enum yr_err why;
    struct yr_addr found[FOUND_MAX]; // heard on the LAN, newest last
    size_t found_count;
    struct yr_addr tried;
    struct yr_noise noise;
    bool asked; // message 1 is out
    uint32_t own_index, peer_index, day;
    uint8_t r2i[32];
    uint8_t fin[FIN_HEAD + 48 + HELLO_MAX + YR_TAG_LEN];
    size_t fin_len;
    struct yr_addr fin_to;
    unsigned tries;
    yr_us asked_us, next_us;
};

struct packet_out {
    struct yr_addr to;
    uint64_t token; // leaves when this is durable
    size_t len;
    uint8_t bytes[YR_DATAGRAM_MAX];
};

enum counter {
    SENT,
    DROP_FORM,
    DROP_HINT,
    DROP_MAC,
    DROP_BUCKET,
    DROP_NOISE,
    DROP_CLOCK,
    DROP_ROOM,
    COUNTERS
};
static const char *const counter_names[COUNTERS] = {
    "contact.sent",        "contact.drop.form",  "contact.drop.hint",  "contact.drop.mac",
    "contact.drop.bucket", "contact.drop.noise", "contact.drop.clock", "contact.drop.room"};

struct yr_contacts {
    struct yr_mem *mem;
    struct yr_rows *rows;
    const struct yr_rng *rng;
    struct yr_contact_ops ops;
    const struct yr_identity *self;
    struct invite invites[INVITE_ROOM];
    struct add adds[YR_ADDS_MAX];
    struct meeting meetings[MEETINGS_MAX];
    struct yr_addr peers[YR_PEERS_MAX];
    size_t peer_count;
    struct packet_out queue[QUEUE_MAX]; // in order; first queue_count are taken
    size_t queue_count;
    struct yr_clock last_clock; // of our own message 1s
    uint64_t counters[COUNTERS];
};

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

/* ---- rows ---- */

#define ROW_VERSION 1
#define ROW_MAX     1024

static void put_text(struct yr_wr *wr, const char *text)
{
    const size_t len = strlen(text);

    yr_wr_u16(wr, (uint16_t)len);
    yr_wr_bytes(wr, text, len);
}

static void get_text(struct yr_rd *rd, char *out, size_t cap)
{
    const size_t len = yr_rd_u16(rd);
    const uint8_t *text = len < cap ? yr_rd_bytes(rd, len) : NULL;

    if (text == NULL) {
        rd->bad = true;
        return;
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

static void put_invite(struct yr_wr *wr, const struct yr_invite *in)
{
    yr_wr_u8(wr, in->flags);
    yr_wr_u32(wr, in->exp_s);
    yr_wr_bytes(wr, in->secret, 32);
    yr_wr_bytes(wr, in->id, 32);
    yr_wr_bytes(wr, in->dev, 32);
    yr_wr_u32(wr, in->gen);
    yr_wr_u8(wr, (uint8_t)in->hint_count);
    for (unsigned i = 0; i < in->hint_count; i++)
        yr_wr_addr(wr, &in->hints[i], false);
}

static void get_invite(struct yr_rd *rd, struct yr_invite *in)
{
    bool flag;

    in->flags = yr_rd_u8(rd);
    in->exp_s = yr_rd_u32(rd);
    yr_rd_copy(rd, in->secret, 32);
    yr_rd_copy(rd, in->id, 32);
    yr_rd_copy(rd, in->dev, 32);
    in->gen = yr_rd_u32(rd);
    in->hint_count = yr_rd_u8(rd);
    if (in->hint_count > YR_HINTS_MAX) {
        in->hint_count = 0;
        rd->bad = true;
    }
    for (unsigned i = 0; i < in->hint_count; i++)
        yr_rd_addr(rd, &in->hints[i], &flag);
}

static enum yr_err store_invite(struct yr_contacts *c, const struct invite *i)
{
    uint8_t row[ROW_MAX];
    struct yr_wr wr = yr_wr_init(row, sizeof row);
    enum yr_err err;

    yr_wr_u8(&wr, ROW_VERSION);
    put_invite(&wr, &i->in);
    put_text(&wr, i->petname);
    yr_wr_u64(&wr, (uint64_t)i->created_ms);
    yr_wr_u8(&wr, (uint8_t)i->state);
    yr_wr_u8(&wr, i->settled);
    yr_wr_bytes(&wr, i->by_id, 32);
    yr_wr_bytes(&wr, i->by_dev, 32);
    yr_wr_bytes(&wr, i->clock.bytes, sizeof i->clock.bytes);
    YR_ASSERT(yr_wr_ok(&wr));
    err = yr_rows_put(c->rows, YR_TABLE_INVITE, NULL, 0, i->keys.id, YR_INVITE_ID_LEN, row,
                      yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
    return err;
}

static enum yr_err load_invite(struct invite *i, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    uint8_t version = yr_rd_u8(&rd), state;

    memset(i, 0, sizeof *i);
    get_invite(&rd, &i->in);
    get_text(&rd, i->petname, sizeof i->petname);
    i->created_ms = (yr_ms)yr_rd_u64(&rd);
    state = yr_rd_u8(&rd);
    i->settled = yr_rd_u8(&rd) != 0;
    yr_rd_copy(&rd, i->by_id, 32);
    yr_rd_copy(&rd, i->by_dev, 32);
    yr_rd_copy(&rd, i->clock.bytes, sizeof i->clock.bytes);
    if (!yr_rd_done(&rd) || version != ROW_VERSION || state > YR_INVITE_LEAKED)
        return YR_ECORRUPT;
    i->state = (enum yr_invite_state)state;
    i->used = true;
    i->tokens = BUCKET_BURST;
    yr_invite_keys(&i->keys, i->in.secret);
    return YR_OK;
}

static enum yr_err store_add(struct yr_contacts *c, const struct add *a)
{
    uint8_t row[ROW_MAX];
    struct yr_wr wr = yr_wr_init(row, sizeof row);
    enum yr_err err;

    yr_wr_u8(&wr, ROW_VERSION);
    put_invite(&wr, &a->in);
    put_text(&wr, a->petname);
    put_text(&wr, a->greeting);
    yr_wr_u8(&wr, a->verified);
    yr_wr_u64(&wr, (uint64_t)a->created_ms);
    YR_ASSERT(yr_wr_ok(&wr));
    err = yr_rows_put(c->rows, YR_TABLE_ADD, NULL, 0, a->keys.id, YR_INVITE_ID_LEN, row,
                      yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
    return err;
}

static enum yr_err load_add(struct add *a, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t version = yr_rd_u8(&rd);

    memset(a, 0, sizeof *a);
    get_invite(&rd, &a->in);
    get_text(&rd, a->petname, sizeof a->petname);
    get_text(&rd, a->greeting, sizeof a->greeting);
    a->verified = yr_rd_u8(&rd) != 0;
    a->created_ms = (yr_ms)yr_rd_u64(&rd);
    if (!yr_rd_done(&rd) || version != ROW_VERSION)
        return YR_ECORRUPT;
    a->used = true;
    yr_invite_keys(&a->keys, a->in.secret);
    return YR_OK;
}

static enum yr_err load_table(struct yr_contacts *c, enum yr_table table)
{
    uint8_t value[ROW_MAX];
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    size_t n = 0;
    enum yr_err err;

    while ((err = yr_rows_seek(c->rows, table, NULL, 0, how, &at, value, sizeof value)) == YR_OK) {
        how = YR_SEEK_GT;
        if (table == YR_TABLE_INVITE && n < INVITE_ROOM)
            err = load_invite(&c->invites[n++], value, at.value_len);
        else if (table == YR_TABLE_ADD && n < YR_ADDS_MAX)
            err = load_add(&c->adds[n++], value, at.value_len);
        if (err != YR_OK)
            break;
    }
    yr_wipe(value, sizeof value);
    return err == YR_ENOENT ? YR_OK : err;
}

enum yr_err yr_contacts_start(struct yr_contacts *c, struct yr_now now,
                              const struct yr_identity *self)
{
    enum yr_err err;

    yr_contacts_reset(c);
    if ((err = load_table(c, YR_TABLE_INVITE)) != YR_OK)
        return err;
    if ((err = load_table(c, YR_TABLE_ADD)) != YR_OK)
        return err;
    c->self = self;
    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        c->adds[i].next_us = now.mono_us;
    for (size_t i = 0; i < INVITE_ROOM; i++)
        c->invites[i].expiry_us = now.mono_us;
    return YR_OK;
}

/* ---- small parts ---- */

static bool expired(const struct yr_invite *in, struct yr_now now)
{
    return now.wall_ms / 1000 >= (yr_ms)in->exp_s;
}

static enum yr_invite_state state_of(const struct invite *i, struct yr_now now)
{
    return i->state == YR_INVITE_OPEN && expired(&i->in, now) ? YR_INVITE_EXPIRED : i->state;
}

static struct packet_out *queue_packet(struct yr_contacts *c, const struct yr_addr *to,
                                       uint64_t token)
{
    struct packet_out *p;

    if (c->queue_count == QUEUE_MAX) {
        c->counters[DROP_ROOM]++;
        return NULL;
    }
    p = &c->queue[c->queue_count++];
    p->to = *to;
    p->token = token;
    p->len = 0;
    return p;
}

static void queue_bytes(struct yr_contacts *c, const struct yr_addr *to, uint64_t token,
                        const uint8_t *bytes, size_t len)
{
    struct packet_out *p = queue_packet(c, to, token);

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

static void noise_start(struct yr_noise *noise, bool initiator, const struct yr_keypair *s,
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
static uint32_t clock_day(const struct yr_clock *clock)
{
    struct yr_rd rd = yr_rd_init(clock->bytes, sizeof clock->bytes);
    const uint64_t tai = yr_rd_u64be(&rd), base = (1ULL << 62) + 10;
    const uint64_t day = tai > base ? (tai - base) / 86400 : 0;

    return day > UINT32_MAX - 64 ? UINT32_MAX - 64 : day > 0 ? (uint32_t)day - 1 : 0;
}

static void next_clock(struct yr_contacts *c, struct yr_now now, struct yr_clock *out)
{
    clock_from(out, now.wall_ms);
    if (memcmp(out->bytes, c->last_clock.bytes, sizeof out->bytes) <= 0) {
        *out = c->last_clock;
        yr_increment_be(out->bytes, sizeof out->bytes);
    }
    c->last_clock = *out;
}

// What both sides take out of the finished handshake (B.5).
static void contact_keys(struct yr_contact *k, const struct yr_noise *noise)
{
    yr_noise_split(noise, NULL, NULL, k->exporter);
    memcpy(k->hash, noise->hash, sizeof k->hash);
    yr_kdf(k->pair, sizeof k->pair, k->exporter, YR_LABEL_PAIR, noise->hash, sizeof noise->hash);
}

static void changed(struct yr_contacts *c, struct yr_now now, const char *id)
{
    c->ops.changed(c->ops.ctx, now, id);
}

/* ---- the inviter ---- */

static struct invite *find_by_hint(struct yr_contacts *c, const uint8_t hint[8],
                                   const uint8_t e[32], struct yr_now now)
{
    uint8_t want[8];

    for (size_t i = 0; i < INVITE_ROOM; i++) {
        struct invite *in = &c->invites[i];
        if (!in->used || expired(&in->in, now))
            continue;
        yr_siphash(want, in->keys.hint, e, 32);
        if (yr_equal(want, hint, sizeof want))
            return in;
    }
    return NULL;
}

static bool take_token(struct invite *in, struct yr_now now)
{
    in->tokens += (double)(now.mono_us - in->tokens_at) * 4 / (double)YR_S;
    in->tokens_at = now.mono_us;
    if (in->tokens > BUCKET_BURST)
        in->tokens = BUCKET_BURST;
    if (in->tokens < 1)
        return false;
    in->tokens--;
    return true;
}

// A place for one more of this invite: at its bound the one of its own that ends first makes room,
// else the oldest that is done: whoever still waits for its answer asks again.
static struct meeting *free_meeting(struct yr_contacts *c, const struct invite *in,
                                    struct yr_now now)
{
    struct meeting *place = NULL, *first = NULL, *done = NULL;
    size_t own = 0;

    for (size_t i = 0; i < MEETINGS_MAX; i++) {
        struct meeting *m = &c->meetings[i];
        if (!m->used || m->until_us <= now.mono_us) {
            place = m;
            continue;
        }
        if (m->done && (done == NULL || m->until_us < done->until_us))
            done = m;
        if (m->invite != in)
            continue;
        own++;
        if (first == NULL || m->until_us < first->until_us)
            first = m;
    }
    if (own >= MEETINGS_EACH)
        place = first;
    if (place == NULL)
        place = done;
    if (place != NULL)
        yr_wipe(place, sizeof *place);
    return place;
}

static void end_meetings(struct yr_contacts *c, const struct invite *in)
{
    for (size_t i = 0; i < MEETINGS_MAX; i++)
        if (c->meetings[i].used && c->meetings[i].invite == in)
            yr_wipe(&c->meetings[i], sizeof c->meetings[i]);
}

// Message 2 leaves once the clock of message 1 is durable: a replay after a crash finds it used.
static void answer_init(struct yr_contacts *c, struct yr_now now, struct meeting *m,
                        const struct yr_addr *from)
{
    uint8_t seed[32], e_and_tag[48], index[4];
    struct packet_out *p;
    struct yr_wr wr;
    size_t len;

    yr_random(c->rng, seed, sizeof seed);
    yr_random(c->rng, index, sizeof index);
    memcpy(&m->own_index, index, sizeof index);
    if (yr_noise_write(&m->noise, seed, NULL, 0, e_and_tag, sizeof e_and_tag, &len) != YR_OK ||
        store_invite(c, m->invite) != YR_OK ||
        (p = queue_packet(c, from, yr_rows_pending(c->rows))) == NULL) {
        yr_wipe(seed, sizeof seed);
        yr_wipe(m, sizeof *m);
        return;
    }
    wr = yr_wr_init(p->bytes, sizeof p->bytes);
    yr_wr_u8(&wr, FC_RESP);
    yr_wr_u8(&wr, VERSION);
    yr_wr_u16(&wr, 0);
    yr_wr_u32(&wr, m->own_index);
    yr_wr_u32(&wr, m->peer_index);
    yr_wr_bytes(&wr, e_and_tag, len);
    p->len = yr_wr_len(&wr);
    m->used = true;
    m->begun_us = now.mono_us;
    m->until_us = now.mono_us + ANSWER_US;
    yr_wipe(seed, sizeof seed);
}

static void recv_init(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                      const uint8_t *packet, size_t len)
{
    struct yr_rd rd = yr_rd_init(packet, len);
    uint8_t cookie[32], zero[32] = {0}, mac[16], payload[M1_PAYLOAD];
    const uint8_t *hint, *e, *sealed;
    uint8_t noise_msg[32 + M1_PAYLOAD + YR_TAG_LEN];
    struct yr_clock clock;
    struct invite *in;
    struct meeting *m;
    uint32_t peer_index;
    size_t n;

    yr_rd_skip(&rd, 4); // type, version, kind, reserved: checked by the caller
    peer_index = yr_rd_u32(&rd);
    hint = yr_rd_bytes(&rd, 8);
    e = yr_rd_bytes(&rd, 32);
    yr_rd_copy(&rd, cookie, sizeof cookie);
    sealed = yr_rd_bytes(&rd, M1_PAYLOAD + YR_TAG_LEN);
    yr_rd_skip(&rd, 16);
    if (!yr_rd_done(&rd) || packet[2] != KIND_INVITE || !yr_equal(cookie, zero, sizeof zero)) {
        c->counters[DROP_FORM]++;
        return;
    }
    if ((in = find_by_hint(c, hint, e, now)) == NULL) {
        c->counters[DROP_HINT]++;
        return;
    }
    yr_mac16(mac, in->keys.mac, packet, INIT_MAC_AT);
    if (!yr_equal(mac, packet + INIT_MAC_AT, sizeof mac)) {
        c->counters[DROP_MAC]++;
        return;
    }
    if (!take_token(in, now)) {
        c->counters[DROP_BUCKET]++;
        return;
    }
    if ((m = free_meeting(c, in, now)) == NULL) {
        c->counters[DROP_ROOM]++;
        return;
    }
    memcpy(noise_msg, e, 32);
    memcpy(noise_msg + 32, sealed, M1_PAYLOAD + YR_TAG_LEN);
    noise_start(&m->noise, false, &c->self->device, &in->in, &in->keys);
    if (yr_noise_read(&m->noise, noise_msg, sizeof noise_msg, payload, sizeof payload, &n) !=
            YR_OK ||
        n != sizeof payload) {
        c->counters[DROP_NOISE]++;
        yr_wipe(m, sizeof *m);
        return;
    }
    memcpy(clock.bytes, payload, sizeof clock.bytes);
    if (memcmp(clock.bytes, in->clock.bytes, sizeof clock.bytes) <= 0) {
        c->counters[DROP_CLOCK]++;
        yr_wipe(m, sizeof *m);
        return;
    }
    in->clock = clock;
    m->invite = in;
    m->peer_index = peer_index;
    m->day = clock_day(&clock);
    answer_init(c, now, m, from);
}

// May whoever finished this handshake use the invite?
static enum reason judge(const struct yr_contacts *c, const struct invite *in,
                         const struct yr_cert *cert)
{
    if (memcmp(cert->id, c->self->id, 32) == 0)
        return SPENT;
    if (in->state == YR_INVITE_OPEN)
        return NO_REASON;
    if (in->state == YR_INVITE_REVOKED)
        return REVOKED;
    if (!in->settled && memcmp(cert->id, in->by_id, 32) == 0 &&
        memcmp(cert->dev, in->by_dev, 32) == 0)
        return NO_REASON; // its answer was lost: the new handshake replaces the pair
    return SPENT;
}

static bool same_user(const struct invite *in, const struct yr_cert *cert)
{
    return memcmp(cert->id, in->by_id, 32) == 0 && memcmp(cert->dev, in->by_dev, 32) == 0;
}

static enum yr_err make_friend(struct yr_contacts *c, struct yr_now now, struct meeting *m,
                               const struct yr_cert *cert, const struct yr_hello *hello,
                               const struct yr_addr *from)
{
    struct yr_contact k;
    struct invite *in = m->invite;
    enum yr_err err;

    memset(&k, 0, sizeof k);
    memcpy(k.id, cert->id, 32);
    memcpy(k.dev, cert->dev, 32);
    k.gen = cert->gen;
    k.inviter = true;
    k.ratchet = m->noise.e;
    k.day = m->day;
    k.begun_us = m->begun_us;
    k.hello = *hello;
    k.addr = *from;
    memcpy(k.petname, in->petname, sizeof k.petname);
    memcpy(k.invite_id, in->keys.id, sizeof k.invite_id);
    contact_keys(&k, &m->noise);
    err = c->ops.met(c->ops.ctx, now, &k);
    if (err == YR_OK) {
        if (in->state == YR_INVITE_OPEN) // a leaked one stays marked
            in->state = YR_INVITE_USED;
        memcpy(in->by_id, cert->id, 32);
        memcpy(in->by_dev, cert->dev, 32);
        err = store_invite(c, in);
    }
    yr_wipe(&k, sizeof k);
    return err;
}

// FC_DATA: the verdict with our own words, under the key of our direction.
static bool write_data(struct yr_contacts *c, struct meeting *m, const uint8_t id[32],
                       enum verdict verdict, enum reason reason)
{
    uint8_t plain[HELLO_MAX], key[32], nonce[12] = {0};
    struct yr_hello hello;
    struct yr_wr wr = yr_wr_init(m->data, sizeof m->data);
    size_t len;
    bool ok = false;

    memset(&hello, 0, sizeof hello);
    if (verdict == ACCEPTED && c->ops.hello(c->ops.ctx, id, &hello) != YR_OK)
        return false;
    hello.verdict = (uint8_t)verdict;
    hello.reason = (uint8_t)reason;
    if (yr_hello_encode(&hello, plain, sizeof plain, &len) == YR_OK) {
        yr_wr_u8(&wr, FC_DATA);
        yr_wr_u8(&wr, VERSION);
        yr_wr_u16(&wr, 0);
        yr_wr_u32(&wr, m->peer_index);
        yr_noise_split(&m->noise, NULL, key, NULL);
        yr_seal_c(m->data + DATA_HEAD, key, nonce, m->data, DATA_HEAD, plain, len);
        m->data_len = DATA_HEAD + len + YR_TAG_LEN;
        ok = true;
    }
    yr_wipe(key, sizeof key);
    yr_wipe(plain, sizeof plain);
    return ok;
}

static void finish_add(struct yr_contacts *c, struct yr_now now, struct add *a);

// Our own unfinished add for this person, who is adding us.
static struct add *own_add(struct yr_contacts *c, const uint8_t id[32])
{
    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        if (c->adds[i].used && c->adds[i].state != YR_ADD_FAILED &&
            memcmp(c->adds[i].in.id, id, 32) == 0)
            return &c->adds[i];
    return NULL;
}

static void conclude(struct yr_contacts *c, struct yr_now now, struct meeting *m,
                     const struct yr_cert *cert, const struct yr_hello *hello,
                     const struct yr_addr *from)
{
    struct invite *in = m->invite;
    enum reason reason = judge(c, in, cert);
    struct add *own = own_add(c, cert->id);
    enum yr_err err = YR_OK;
    bool leaked = false;

    if (reason == NO_REASON) {
        // Both add each other: our message 3 is out, and theirs counts only if our identity is
        // the lower one.  They decide the same way, so both keep the same pair.
        if (own != NULL && own->state == YR_ADD_WAITING && memcmp(c->self->id, cert->id, 32) > 0)
            return;
        err = make_friend(c, now, m, cert, hello, from);
        if (err == YR_EFULL)
            reason = FULL;
        else if (err == YR_EDENIED)
            reason = SPENT;
        else if (err != YR_OK)
            return; // silence: message 3 comes again
        else if (own != NULL)
            finish_add(c, now, own);
    } else if (in->state == YR_INVITE_USED && !same_user(in, cert)) {
        in->state = YR_INVITE_LEAKED;
        leaked = true;
        if (store_invite(c, in) != YR_OK)
            return;
    }
    if (!write_data(c, m, cert->id, reason == NO_REASON ? ACCEPTED : REFUSED, reason))
        return;
    m->done = true;
    m->until_us = now.mono_us + DONE_US;
    yr_wipe(&m->noise, sizeof m->noise); // the answer is sealed already
    queue_bytes(c, from, yr_rows_pending(c->rows), m->data, m->data_len);
    if (reason == NO_REASON || leaked)
        changed(c, now, in->keys.id);
}

static struct meeting *find_meeting(struct yr_contacts *c, uint32_t index, struct yr_now now)
{
    for (size_t i = 0; i < MEETINGS_MAX; i++)
        if (c->meetings[i].used && c->meetings[i].own_index == index &&
            c->meetings[i].until_us > now.mono_us)
            return &c->meetings[i];
    return NULL;
}

static void recv_fin(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                     const uint8_t *packet, size_t len)
{
    struct yr_rd rd = yr_rd_init(packet, len);
    uint8_t payload[YR_DATAGRAM_MAX], hash[YR_HASH_LEN];
    struct yr_noise noise, before;
    struct yr_hello hello;
    struct yr_cert cert;
    struct meeting *m;
    uint32_t index;
    size_t n;

    yr_rd_skip(&rd, 8);
    index = yr_rd_u32(&rd);
    if (rd.bad || len > YR_DATAGRAM_MAX || (m = find_meeting(c, index, now)) == NULL) {
        c->counters[DROP_FORM]++;
        return;
    }
    yr_hash(hash, packet, len);
    if (m->done) { // the same words from the same place get the same answer
        if (yr_equal(hash, m->fin_hash, sizeof hash) && yr_addr_eq(from, &m->fin_from) &&
            take_token(m->invite, now))
            queue_bytes(c, from, yr_rows_pending(c->rows), m->data, m->data_len);
        return;
    }
    if (!take_token(m->invite, now)) {
        c->counters[DROP_BUCKET]++;
        return;
    }
    noise = m->noise; // a forged message 3 must not spoil the real one
    if (yr_noise_read(&noise, packet + FIN_HEAD, len - FIN_HEAD, payload, sizeof payload, &n) !=
            YR_OK ||
        yr_hello_decode(&hello, payload, n) != YR_OK || hello.cert == NULL ||
        yr_cert_open(&cert, hello.cert) != YR_OK || memcmp(cert.dev, noise.rs, 32) != 0) {
        c->counters[DROP_NOISE]++;
        goto out;
    }
    before = m->noise;
    m->noise = noise;
    memcpy(m->fin_hash, hash, sizeof hash);
    m->fin_from = *from;
    conclude(c, now, m, &cert, &hello, from);
    if (!m->done)
        m->noise = before; // the same message 3 may come again
    yr_wipe(&before, sizeof before);
out:
    yr_wipe(&noise, sizeof noise);
    yr_wipe(payload, sizeof payload);
}

/* ---- the invitee ---- */

static void fail_add(struct yr_contacts *c, struct yr_now now, struct add *a, enum yr_err why)
{
    a->state = YR_ADD_FAILED;
    a->why = why;
    a->next_us = now.mono_us + FAILED_US;
    a->asked = false;
    (void)yr_rows_del(c->rows, YR_TABLE_ADD, NULL, 0, a->keys.id, YR_INVITE_ID_LEN);
    changed(c, now, a->keys.id);
}

static void finish_add(struct yr_contacts *c, struct yr_now now, struct add *a)
{
    char id[YR_INVITE_ID_LEN + 1];

    memcpy(id, a->keys.id, sizeof id);
    (void)yr_rows_del(c->rows, YR_TABLE_ADD, NULL, 0, id, YR_INVITE_ID_LEN);
    yr_wipe(a, sizeof *a);
    changed(c, now, id);
}

static size_t candidates(const struct yr_contacts *c, const struct add *a, struct yr_addr *out)
{
    size_t n = 0;

    for (unsigned i = 0; i < a->in.hint_count; i++)
        out[n++] = a->in.hints[i];
    for (size_t i = 0; i < a->found_count && n < CANDIDATES; i++)
        out[n++] = a->found[i];
    for (size_t i = 0; i < c->peer_count && n < CANDIDATES; i++)
        out[n++] = c->peers[i];
    return n;
}

// One message 1 to every address where the inviter may be; each try is a new handshake.
static void ask(struct yr_contacts *c, struct yr_now now, struct add *a)
{
    struct yr_addr to[CANDIDATES];
    const size_t count = candidates(c, a, to);
    uint8_t seed[32], payload[M1_PAYLOAD] = {0}, msg[32 + M1_PAYLOAD + YR_TAG_LEN];
    uint8_t packet[INIT_LEN], hint[8], index[4], mac[16];
    struct yr_wr wr = yr_wr_init(packet, sizeof packet);
    struct yr_clock clock;
    size_t n;

    a->state = YR_ADD_SEARCHING;
    a->asked_us = now.mono_us;
    a->asked = false;
    a->fin_len = 0;
    if (count == 0)
        return;
    next_clock(c, now, &clock);
    memcpy(payload, clock.bytes, sizeof clock.bytes);
    yr_random(c->rng, seed, sizeof seed);
    yr_random(c->rng, index, sizeof index);
    memcpy(&a->own_index, index, sizeof index);
    noise_start(&a->noise, true, &c->self->device, &a->in, &a->keys);
    if (yr_noise_write(&a->noise, seed, payload, sizeof payload, msg, sizeof msg, &n) != YR_OK)
        return;
    yr_siphash(hint, a->keys.hint, msg, 32);
    yr_wr_u8(&wr, FC_INIT);
    yr_wr_u8(&wr, VERSION);
    yr_wr_u8(&wr, KIND_INVITE);
    yr_wr_u8(&wr, 0);
    yr_wr_u32(&wr, a->own_index);
    yr_wr_bytes(&wr, hint, sizeof hint);
    yr_wr_bytes(&wr, msg, 32);
    yr_wr_zero(&wr, 32); // cookie: public addresses only
    yr_wr_bytes(&wr, msg + 32, n - 32);
    yr_mac16(mac, a->keys.mac, packet, yr_wr_len(&wr));
    yr_wr_bytes(&wr, mac, sizeof mac);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == INIT_LEN);
    a->day = clock_day(&clock);
    a->asked = true;
    for (size_t i = 0; i < count; i++)
        queue_bytes(c, &to[i], 0, packet, sizeof packet);
    a->tried = to[0];
    yr_wipe(seed, sizeof seed);
}

// Message 3, after the pair it makes is on disk.
static enum yr_err answer_resp(struct yr_contacts *c, struct yr_now now, struct add *a,
                               const struct yr_addr *from)
{
    uint8_t seed[32], payload[HELLO_MAX];
    struct yr_contact k;
    struct yr_hello hello;
    struct yr_wr wr = yr_wr_init(a->fin, sizeof a->fin);
    size_t len, n;
    enum yr_err err;

    memset(&k, 0, sizeof k);
    memset(&hello, 0, sizeof hello);
    if ((err = c->ops.hello(c->ops.ctx, a->in.id, &hello)) != YR_OK)
        return err;
    hello.text = (const uint8_t *)a->greeting;
    hello.text_len = strlen(a->greeting);
    if ((err = yr_hello_encode(&hello, payload, sizeof payload, &len)) != YR_OK)
        return err;
    yr_random(c->rng, seed, sizeof seed);
    yr_wr_u8(&wr, FC_FIN);
    yr_wr_u8(&wr, VERSION);
    yr_wr_u16(&wr, 0);
    yr_wr_u32(&wr, a->own_index);
    yr_wr_u32(&wr, a->peer_index);
    err = yr_noise_write(&a->noise, seed, payload, len, wr.at, sizeof a->fin - FIN_HEAD, &n);
    if (err != YR_OK)
        goto out;
    a->fin_len = FIN_HEAD + n;
    a->fin_to = *from;
    memcpy(k.id, a->in.id, 32);
    memcpy(k.dev, a->in.dev, 32);
    k.gen = a->in.gen;
    memcpy(k.ratchet_remote, a->noise.re, 32);
    k.day = a->day;
    k.begun_us = now.mono_us;
    k.addr = *from;
    k.verified = a->verified;
    memcpy(k.petname, a->petname, sizeof k.petname);
    memcpy(k.invite_id, a->keys.id, sizeof k.invite_id);
    contact_keys(&k, &a->noise);
    yr_noise_split(&a->noise, NULL, a->r2i, NULL);
    err = c->ops.met(c->ops.ctx, now, &k);
out:
    yr_wipe(&k, sizeof k);
    yr_wipe(payload, sizeof payload);
    yr_wipe(seed, sizeof seed);
    return err;
}

static struct add *find_add(struct yr_contacts *c, uint32_t index)
{
    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        if (c->adds[i].used && c->adds[i].asked && c->adds[i].own_index == index)
            return &c->adds[i];
    return NULL;
}

static void recv_resp(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                      const uint8_t *packet, size_t len)
{
    struct yr_rd rd = yr_rd_init(packet, len);
    struct yr_noise noise;
    struct add *a;
    uint32_t peer_index, own_index;
    enum yr_err err;
    size_t n;

    yr_rd_skip(&rd, 4);
    peer_index = yr_rd_u32(&rd);
    own_index = yr_rd_u32(&rd);
    if (rd.bad || (a = find_add(c, own_index)) == NULL || a->fin_len > 0) {
        c->counters[DROP_FORM]++;
        return;
    }
    noise = a->noise;
    if (yr_noise_read(&noise, packet + 12, len - 12, NULL, 0, &n) != YR_OK) {
        c->counters[DROP_NOISE]++;
        yr_wipe(&noise, sizeof noise);
        return;
    }
    a->noise = noise;
    a->peer_index = peer_index;
    yr_wipe(&noise, sizeof noise);
    err = answer_resp(c, now, a, from);
    if (err != YR_OK) {
        a->fin_len = 0;
        a->asked = false;
        if (err == YR_EFULL)
            fail_add(c, now, a, YR_EFULL);
        return;
    }
    a->state = YR_ADD_WAITING;
    a->tries = 0;
    a->next_us = now.mono_us + yr_backoff(0);
    queue_bytes(c, from, yr_rows_pending(c->rows), a->fin, a->fin_len);
    changed(c, now, a->keys.id);
}

static enum yr_err reason_err(uint8_t reason)
{
    return reason == REVOKED ? YR_EREVOKED : reason == FULL ? YR_EFULL : YR_ESPENT;
}

static void recv_data(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                      const uint8_t *packet, size_t len)
{
    struct yr_rd rd = yr_rd_init(packet, len);
    uint8_t plain[YR_DATAGRAM_MAX], nonce[12] = {0}, inviter[32];
    struct yr_hello hello;
    struct yr_cert cert;
    struct add *a;
    uint32_t index;

    yr_rd_skip(&rd, 4);
    index = yr_rd_u32(&rd);
    if (rd.bad || len > YR_DATAGRAM_MAX || (a = find_add(c, index)) == NULL || a->fin_len == 0) {
        c->counters[DROP_FORM]++;
        return;
    }
    if (yr_unseal_c(plain, a->r2i, nonce, packet, DATA_HEAD, packet + DATA_HEAD, len - DATA_HEAD) !=
            YR_OK ||
        yr_hello_decode(&hello, plain, len - DATA_HEAD - YR_TAG_LEN) != YR_OK) {
        c->counters[DROP_NOISE]++;
        return;
    }
    if (hello.verdict == ACCEPTED &&
        (hello.cert == NULL || yr_cert_open(&cert, hello.cert) != YR_OK ||
         memcmp(cert.id, a->in.id, 32) != 0 || memcmp(cert.dev, a->in.dev, 32) != 0)) {
        hello.verdict = REFUSED; // not who the link names
        fail_add(c, now, a, YR_EAUTH);
    } else if (hello.verdict != ACCEPTED) {
        fail_add(c, now, a, reason_err(hello.reason));
    }
    memcpy(inviter, a->in.id, 32);
    if (hello.verdict == ACCEPTED)
        finish_add(c, now, a);
    c->ops.verdict(c->ops.ctx, now, inviter, &hello, from);
    yr_wipe(plain, sizeof plain);
}

void yr_contacts_linked(struct yr_contacts *c, struct yr_now now, const uint8_t id[32])
{
    struct add *a;

    while ((a = own_add(c, id)) != NULL)
        finish_add(c, now, a);
}

void yr_contacts_settled(struct yr_contacts *c, const uint8_t id[32])
{
    for (size_t i = 0; i < INVITE_ROOM; i++) {
        struct invite *in = &c->invites[i];
        if (in->used && !in->settled &&
            (in->state == YR_INVITE_USED || in->state == YR_INVITE_LEAKED) &&
            memcmp(in->by_id, id, 32) == 0) {
            in->settled = true;
            (void)store_invite(c, in);
        }
    }
}

void yr_contacts_removed(struct yr_contacts *c, const uint8_t id[32])
{
    yr_contacts_settled(c, id);
    for (size_t i = 0; i < INVITE_ROOM; i++)
        if (c->invites[i].used && memcmp(c->invites[i].by_id, id, 32) == 0)
            end_meetings(c, &c->invites[i]); // their answer said "friends"
}

/* ---- commands ---- */

static void forget_invite(struct yr_contacts *c, struct invite *in)
{
    end_meetings(c, in); // the place may soon be another invite's
    (void)yr_rows_del(c->rows, YR_TABLE_INVITE, NULL, 0, in->keys.id, YR_INVITE_ID_LEN);
    yr_wipe(in, sizeof *in);
}

// A place for one more: a free one, else the oldest that is neither open nor still dangerous.
static struct invite *invite_place(struct yr_contacts *c, struct yr_now now)
{
    struct invite *oldest = NULL;

    for (size_t i = 0; i < INVITE_ROOM; i++) {
        struct invite *in = &c->invites[i];
        if (in->used && now.wall_ms > (yr_ms)in->in.exp_s * 1000 + KEEP_MS)
            forget_invite(c, in);
    }
    for (size_t i = 0; i < INVITE_ROOM; i++) {
        struct invite *in = &c->invites[i];
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
    struct invite *in;
    size_t open = 0;
    enum yr_err err;

    if (expires_ms < now.wall_ms + 1000 || expires_ms > now.wall_ms + EXPIRY_MS_MAX ||
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
    in->tokens = BUCKET_BURST;
    in->tokens_at = in->expiry_us = now.mono_us;
    in->used = true;
    yr_invite_keys(&in->keys, in->in.secret);
    if ((err = store_invite(c, in)) != YR_OK) {
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
        struct invite *in = &c->invites[i];
        if (!in->used || !same_id(in->keys.id, id, len))
            continue;
        if (state_of(in, now) != YR_INVITE_OPEN)
            return YR_ESPENT;
        in->state = YR_INVITE_REVOKED;
        changed(c, now, in->keys.id);
        return store_invite(c, in);
    }
    return YR_ENOENT;
}

static enum yr_err own_link(const struct yr_contacts *c, const struct yr_invite *in)
{
    return memcmp(in->id, c->self->id, 32) == 0 ? YR_EOWN : YR_OK;
}

static struct add *add_place(struct yr_contacts *c, const char *id)
{
    struct add *place = NULL;

    for (size_t i = 0; i < YR_ADDS_MAX; i++) {
        struct add *a = &c->adds[i];
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
    struct add *a;
    enum yr_err err;

    if (petname_len > YR_NICK_MAX || greeting_len > YR_GREETING_MAX)
        return YR_ESIZE;
    if ((petname_len > 0 && !yr_utf8_ok(petname, petname_len)) ||
        (greeting_len > 0 && !yr_utf8_ok(greeting, greeting_len)))
        return YR_EINVAL;
    if ((err = yr_invite_decode(&in, link, link_len)) != YR_OK || (err = own_link(c, &in)) != YR_OK)
        return err;
    if (expired(&in, now))
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
    for (struct add *other; (other = own_add(c, in.id)) != NULL;)
        finish_add(c, now, other);
    yr_wipe(a, sizeof *a);
    a->in = in;
    a->keys = keys;
    yr_copy(a->petname, petname, petname_len);
    yr_copy(a->greeting, greeting, greeting_len);
    a->verified = verified;
    a->created_ms = now.wall_ms;
    a->next_us = now.mono_us;
    a->used = true;
    if ((err = store_add(c, a)) != YR_OK)
        yr_wipe(a, sizeof *a);
    yr_wipe(&in, sizeof in);
    yr_wipe(&keys, sizeof keys);
    return err;
}

enum yr_err yr_contacts_cancel(struct yr_contacts *c, struct yr_now now, const char *id, size_t len,
                               uint8_t inviter[32])
{
    for (size_t i = 0; i < YR_ADDS_MAX; i++) {
        struct add *a = &c->adds[i];
        if (a->used && same_id(a->keys.id, id, len)) {
            memcpy(inviter, a->in.id, 32);
            finish_add(c, now, a);
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
            recv_init(c, now, from, packet, len);
            return;
        }
        if (packet[0] == FC_RESP && len == RESP_LEN) {
            recv_resp(c, now, from, packet, len);
            return;
        }
        if (packet[0] == FC_FIN && len > FIN_HEAD) {
            recv_fin(c, now, from, packet, len);
            return;
        }
        if (packet[0] == FC_DATA && len > DATA_HEAD + YR_TAG_LEN) {
            recv_data(c, now, from, packet, len);
            return;
        }
    }
    c->counters[DROP_FORM]++;
}

size_t yr_contacts_poll(struct yr_contacts *c, struct yr_addr *to, uint8_t *buf, size_t cap)
{
    const uint64_t durable = yr_rows_durable(c->rows);

    for (size_t i = 0; i < c->queue_count; i++) {
        struct packet_out *p = &c->queue[i];
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

static void tick_add(struct yr_contacts *c, struct yr_now now, struct add *a)
{
    if (a->state == YR_ADD_FAILED) {
        yr_wipe(a, sizeof *a); // was shown long enough
        return;
    }
    if (expired(&a->in, now)) {
        uint8_t inviter[32];
        memcpy(inviter, a->in.id, 32);
        fail_add(c, now, a, YR_EEXPIRED);
        c->ops.verdict(c->ops.ctx, now, inviter, &(struct yr_hello){.verdict = REFUSED},
                       &(struct yr_addr){0});
        return;
    }
    if (a->fin_len > 0 && a->tries + 1 < FIN_TRIES) {
        queue_bytes(c, &a->fin_to, yr_rows_pending(c->rows), a->fin, a->fin_len);
        a->tries++;
    } else {
        a->tries = a->fin_len > 0 ? 0 : a->tries + 1;
        ask(c, now, a);
    }
    a->next_us =
        now.mono_us + yr_backoff(a->tries > 0 && a->fin_len == 0 ? a->tries - 1 : a->tries);
}

// Wall clocks jump: an open invite's expiry is looked at again at least once an hour.
static void tick_invite(struct yr_contacts *c, struct yr_now now, struct invite *in)
{
    const yr_ms left_ms = (yr_ms)in->in.exp_s * 1000 - now.wall_ms;

    if (in->state != YR_INVITE_OPEN || left_ms <= 0) {
        in->expiry_us = YR_NEVER;
        if (in->state == YR_INVITE_OPEN)
            changed(c, now, in->keys.id);
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
    for (size_t i = 0; i < MEETINGS_MAX; i++)
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
    for (size_t i = 0; i < MEETINGS_MAX; i++)
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

static bool learn(struct add *a, const struct yr_addr *from)
{
    for (size_t i = 0; i < a->found_count; i++)
        if (yr_addr_eq(&a->found[i], from))
            return false;
    if (a->found_count == FOUND_MAX) { // neighbours may say it from many places: the newest count
        memmove(a->found, a->found + 1, (FOUND_MAX - 1) * sizeof a->found[0]);
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
        struct add *a = &c->adds[k - INVITE_ROOM];
        if (learn(a, from))
            a->next_us = YR_MIN(a->next_us, YR_MAX(now.mono_us, a->asked_us + ASK_GAP_US));
        return false;
    }
    return false;
}

/* ---- queries ---- */

bool yr_contacts_invite_at(const struct yr_contacts *c, size_t i, struct yr_invite_info *out)
{
    for (size_t k = 0; k < INVITE_ROOM; k++) {
        const struct invite *in = &c->invites[k];
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
        const struct add *a = &c->adds[k];
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
