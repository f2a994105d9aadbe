/* fuzz_session: a friend who begins sessions, says that he cannot read them, and sends nonsense.
 * The input is a list of steps: what u8 | length u8 | so many bytes.
 *
 *   0 1 2  any bytes as the body of an envelope of kind 1, 2, 3
 *   3      a true beginning, a byte of it changed
 *   4      a true SESSION_BAD, of a session that there is
 *   5      a message of a session that there is, by its id only
 *   6      we have something to say
 *   7      time passes
 *   8      everything is read again
 *   9      any bytes as a row of sessions, of prekeys, of what was opened
 *
 * Bounds hold, rows are read again as they were written, and all memory comes back. */
#include "core/delivery/delivery_state.h"
#include "tests/fuzz/ground.h"

#define NOW_MS    INT64_C(1700000000000)
#define DAY       ((uint32_t)(NOW_MS / YR_DAY_MS))
#define SLOT      1
#define STEPS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct yr_rng rng = {fill, NULL};
static struct yr_mem mem = {.realloc = heap, .cap = {1 << 22, 1 << 22, 1 << 22, 1 << 22}};

static enum yr_err no_row(void *ctx, enum yr_db db, const uint8_t *key, size_t len,
                          const uint8_t **value, size_t *value_len)
{
    (void)ctx, (void)db, (void)key, (void)len, (void)value, (void)value_len;
    return YR_ENOENT;
}

static enum yr_err no_next(void *ctx, enum yr_db db, enum yr_seek how, const uint8_t *key,
                           size_t len, struct yr_kv *out)
{
    (void)ctx, (void)db, (void)how, (void)key, (void)len, (void)out;
    return YR_ENOENT;
}

static const struct yr_store_view view = {.get = no_row, .seek = no_next};

/* ---- what a delivery asks of its owner ---- */

static const uint8_t our_id[32] = {1}, his_id[32] = {2}, pair_secret[32] = {3};
static struct yr_keypair ours, his;
static struct yr_pair pair;
static struct yr_delivery *d;
static struct yr_now now;
static struct yr_timekey his_days;

static enum yr_err frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len)
{
    (void)ctx, (void)type, (void)body;
    REQUIRE(slot == SLOT && len <= YR_FRAME_MAX);
    return YR_OK;
}

static enum yr_err plain(void *ctx, struct yr_now at, unsigned slot, const uint8_t *bytes,
                         size_t len, bool mailed)
{
    (void)ctx, (void)at, (void)slot, (void)bytes, (void)len, (void)mailed;
    return YR_OK;
}

static void give_pair(void *ctx, unsigned slot, struct yr_pkh_pair *out)
{
    (void)ctx, (void)slot;
    *out = (struct yr_pkh_pair){&ours, his.public_key, our_id, his_id, pair.pkh_psk};
}

static enum yr_err reset(void *ctx, struct yr_now at, unsigned slot, unsigned today)
{
    (void)ctx, (void)at, (void)slot;
    REQUIRE(today >= 1 && today <= YR_PKH_DAY + YR_PKH_KNOWN_MAX);
    return YR_OK;
}

static void say(void)
{
    static uint8_t id[YR_MSG_ID_LEN];

    id[0]++;
    REQUIRE(yr_delivery_push(d, now, SLOT, id, id, sizeof id) == YR_OK);
}

static void answer(void *ctx, unsigned slot)
{
    struct yr_prekey prekey;
    bool fresh;

    (void)ctx;
    REQUIRE(yr_delivery_prekey(d, now, slot, &prekey, &fresh) == YR_OK);
    say();
}

/* ---- what comes ---- */

static void hear(enum yr_envelope_kind kind, const uint8_t *body, size_t len)
{
    static uint8_t envelope[YR_ENVELOPE_MAX];
    uint8_t env[32], tag[16];
    unsigned author;
    size_t n;

    if (len > YR_ENVELOPE_BODY_MAX || yr_envelope_keys(&his_days, 1, DAY, env, tag) != YR_OK ||
        yr_envelope_seal(envelope, sizeof envelope, &n, env, tag,
                         yr_envelope_exp((uint64_t)NOW_MS / 1000), kind, body, len, &rng) != YR_OK)
        return;
    if (yr_delivery_author(d, now, SLOT, tag, true, &author) == YR_OK)
        REQUIRE(yr_delivery_receive(d, now, SLOT, author, envelope, n) == YR_OK);
}

static void begin(const uint8_t *src, size_t len)
{
    const struct yr_pkh_pair side = {&his, ours.public_key, his_id, our_id, pair.pkh_psk};
    struct yr_prekey_own next;
    struct yr_prekey fresh, theirs;
    struct yr_session session;
    uint8_t body[YR_PKH_LEN + YR_RATCHET_OVERHEAD + 8];
    bool made;
    size_t n;

    REQUIRE(yr_delivery_prekey(d, now, SLOT, &theirs, &made) == YR_OK);
    yr_prekey_new(&next, len > 3 ? (uint32_t)src[2] << 24 | src[3] : 1, UINT32_MAX, &rng);
    yr_prekey_public(&fresh, &next);
    REQUIRE(yr_pkh_start(&session, body, &side, &theirs, &fresh, DAY, &rng) == YR_OK);
    REQUIRE(yr_session_encrypt(&session, &rng, "x", 1, body + YR_PKH_LEN, sizeof body - YR_PKH_LEN,
                               &n) == YR_OK);
    n += YR_PKH_LEN;
    if (len > 1)
        body[src[0] % n] ^= src[1];
    hear(YR_ENV_PREKEY, body, n);
}

static void name_session(enum yr_envelope_kind kind, const uint8_t *src, size_t len)
{
    const struct yr_box *b = d->boxes[SLOT];
    uint8_t body[256] = {1};
    const size_t at = kind == YR_ENV_MESSAGE ? 1 : 0, fixed = kind == YR_ENV_MESSAGE ? 0 : 48;

    memcpy(body + at + 8, src, YR_MIN(len, sizeof body - at - 8));
    if (b->session_count > 0)
        memcpy(body + at, b->sessions[len > 0 ? src[0] % b->session_count : 0].sid, 8);
    hear(kind, body, fixed != 0 ? fixed : YR_MIN(len + 9, sizeof body));
}

/* ---- ---- */

static struct yr_rows *rows;

static void settle(void)
{
    yr_delivery_settle(d, now);
    yr_delivery_flush(d);
    yr_delivery_release(d, now, yr_rows_pending(rows));
    yr_delivery_tick(d, now);
}

static void check(void)
{
    const struct yr_box *b = d->boxes[SLOT];

    REQUIRE(b->session_count <= YR_SESSIONS_MAX && b->own_count <= YR_PREKEYS_MAX);
    REQUIRE(b->known_count <= YR_PKH_KNOWN_MAX && b->start_count <= YR_PKH_DAY);
    REQUIRE(d->counters[YR_ENV_N_ACCEPTED] <= STEPS_MAX);
}

static void read_again(void)
{
    const size_t sessions = d->boxes[SLOT]->session_count, own = d->boxes[SLOT]->own_count,
                 known = d->boxes[SLOT]->known_count;

    settle();
    yr_delivery_down(d, now, SLOT);
    settle();
    REQUIRE(yr_delivery_load(d, SLOT, his_id, 0) == YR_OK);
    REQUIRE(d->boxes[SLOT]->session_count >= sessions && d->boxes[SLOT]->own_count >= own &&
            d->boxes[SLOT]->known_count == known);
    yr_delivery_up(d, now, SLOT);
}

// Whatever a row holds, it is read or refused; then all is as before.
static void read_row(const uint8_t *src, size_t len)
{
    static const enum yr_table tables[] = {YR_TABLE_SESSION, YR_TABLE_PREKEY};
    enum yr_err err;
    const size_t which = len > 0 ? src[0] % 3 : 0;

    settle();
    yr_delivery_down(d, now, SLOT);
    settle();
    if (which < 2)
        yr_rows_put(rows, tables[which], NULL, 0, his_id, 32, src, len);
    else
        yr_rows_put(rows, YR_TABLE_OPENED, his_id, 32, "", 1, src, len);
    err = yr_delivery_load(d, SLOT, his_id, 0);
    REQUIRE(err == YR_OK || err == YR_ECORRUPT);
    yr_rows_del(rows, YR_TABLE_SESSION, NULL, 0, his_id, 32);
    yr_rows_del(rows, YR_TABLE_PREKEY, NULL, 0, his_id, 32);
    yr_rows_del(rows, YR_TABLE_OPENED, his_id, 32, "", 1);
    REQUIRE(yr_delivery_load(d, SLOT, his_id, 0) == YR_OK);
    yr_delivery_up(d, now, SLOT);
}

static void step(uint8_t what, const uint8_t *src, size_t len)
{
    switch (what % 10) {
    case 0: hear(YR_ENV_MESSAGE, src, len); break;
    case 1: hear(YR_ENV_PREKEY, src, len); break;
    case 2: hear(YR_ENV_SESSION_BAD, src, len); break;
    case 3: begin(src, len); break;
    case 4: name_session(YR_ENV_SESSION_BAD, src, len); break;
    case 5: name_session(YR_ENV_MESSAGE, src, len); break;
    case 6: say(); break;
    case 7: now.mono_us += (yr_us)len * len * YR_S; break;
    case 8: read_again(); break;
    default: read_row(src, len); break;
    }
    settle();
    check();
}

static void prepare(struct yr_age *age)
{
    static const uint8_t vk[32], seed_a[32] = {5}, seed_b[32] = {6}, day_seed[32] = {7};
    const struct yr_delivery_ops ops = {
        .frame = frame, .plain = plain, .pair = give_pair, .reset = reset, .answer = answer};
    struct yr_contact contact = {.day = DAY - 1};

    now = (struct yr_now){.mono_us = YR_S, .wall_ms = NOW_MS};
    yr_keypair_from_seed(&ours, seed_a);
    yr_keypair_from_seed(&his, seed_b);
    yr_keypair_from_seed(&contact.ratchet, day_seed);
    yr_pair_derive(&pair, 0, pair_secret, our_id, his_id);
    yr_timekey_first(&his_days, pair_secret, DAY - 1);
    memcpy(contact.pair, pair_secret, 32);
    memcpy(contact.id, his_id, 32);
    memcpy(contact.ratchet_remote, contact.ratchet.public_key, 32);
    REQUIRE(yr_rows_new(&rows, &mem, &rng, &view) == YR_OK);
    REQUIRE(yr_rows_unlock(rows, vk, NULL) == YR_OK);
    REQUIRE(yr_age_load(age, rows, now) == YR_OK);
    REQUIRE(yr_delivery_new(&d, &mem, rows, &rng, age, &ops) == YR_OK);
    REQUIRE(yr_delivery_meet(d, now, SLOT, &contact, 0) == YR_OK);
    yr_delivery_up(d, now, SLOT);
    settle();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yr_age age;

    rng_state = 11;
    prepare(&age);
    for (size_t i = 0; i < STEPS_MAX && size >= 2; i++) {
        const size_t len = YR_MIN((size_t)data[1], size - 2);
        step(data[0], data + 2, len);
        data += 2 + len;
        size -= 2 + len;
    }
    yr_delivery_free(d);
    yr_rows_free(rows);
    for (int k = 0; k < YR_MEM_COUNT; k++)
        REQUIRE(mem.used[k] == 0);
    return 0;
}
