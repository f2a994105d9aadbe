/* fuzz_post: letters for friends who are away, and whatever holders make of them.  The input is a
 * list of steps of four bytes:
 *
 *   what | a friend | two numbers that choose
 *
 * links come and go, letters and receipts are written, time passes, holders answer truly, falsely,
 * to what they were never asked; friends receipt; rows are spoilt and read again.  However that
 * goes: nobody is asked without a link or too much, questions end, all memory comes back. */
#include "core/delivery/delivery_state.h"
#include "core/wire/frames.h"
#include "tests/fuzz/ground.h"

#define NOW_MS  INT64_C(1700000000000)
#define FRIENDS 8
#define PILE    64
#define STEP    4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- an empty store, in which nothing is ever committed ---- */

static const struct yr_rng rng = {fill, NULL};

static struct yr_mem mem = {.realloc = heap};

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

/* ---- friends ---- */

static struct yr_delivery *d;
static struct yr_rows *rows;
static struct yr_age age;
static struct yr_now now;
static bool up[FRIENDS];
static bool full, handed;
static uint8_t eids[PILE][YR_EID_LEN], ids[PILE][YR_MSG_ID_LEN];
static size_t eid_count, id_count, frames;

static void note_eid(const uint8_t *envelope, size_t len)
{
    yr_envelope_id(eids[eid_count++ % PILE], envelope, len);
}

static enum yr_err take_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                              size_t len)
{
    (void)ctx;
    REQUIRE(slot < FRIENDS && up[slot]);
    if (full)
        return YR_EFULL;
    frames++;
    if (type == YR_FRAME_ENV_PUT) {
        REQUIRE(yr_envelope_peek(body, len, NULL, NULL) == YR_OK);
        note_eid(body, len);
    } else if (type == YR_FRAME_ENV_FWD) {
        REQUIRE(len > YR_HASH16);
        REQUIRE(yr_envelope_peek(body + YR_HASH16, len - YR_HASH16, NULL, NULL) == YR_OK);
        note_eid(body + YR_HASH16, len - YR_HASH16);
    } else if (type == YR_FRAME_MBX_ASK) {
        REQUIRE(len > 0 && len % YR_EID_LEN == 0 && len / YR_EID_LEN <= YR_POST_OUT_MAX);
    }
    return YR_OK;
}

static enum yr_err take_plain(void *ctx, struct yr_now at, unsigned slot, const uint8_t *plain,
                              size_t len, bool mailed)
{
    (void)ctx, (void)at, (void)slot, (void)plain, (void)len, (void)mailed;
    return YR_OK;
}

static size_t list_holders(void *ctx, unsigned slot, struct yr_holder *out, size_t max)
{
    size_t n = 0;

    (void)ctx;
    for (unsigned i = 0; i < FRIENDS && n < max; i++) {
        const unsigned via = handed ? (i + 3) % FRIENDS : i;
        if (i != slot && via != slot && up[via])
            out[n++] = (struct yr_holder){i, via, i % 2 == 0};
    }
    return n;
}

static void tell_held(void *ctx, struct yr_now at, unsigned slot, const uint8_t *id)
{
    struct yr_held held;

    (void)ctx, (void)at;
    yr_delivery_held(d, slot, id, &held);
    REQUIRE(held.count > 0 && held.count <= YR_MAIL_HOLDERS_MAX);
}

static void open_delivery(void)
{
    const struct yr_delivery_ops ops = {
        .frame = take_frame, .plain = take_plain, .holders = list_holders, .held = tell_held};

    REQUIRE(yr_delivery_new(&d, &mem, rows, &rng, &age, &ops) == YR_OK);
    memset(up, 0, sizeof up);
}

static void meet(unsigned slot)
{
    static struct yr_contact c;

    memset(c.id, (int)slot + 1, 32);
    memset(c.pair, (int)slot + 1, sizeof c.pair);
    memset(c.exporter, (int)slot + 1, sizeof c.exporter);
    memset(c.hash, (int)slot + 1, sizeof c.hash);
    yr_keypair_from_seed(&c.ratchet, c.id);
    memcpy(c.ratchet_remote, c.ratchet.public_key, 32);
    c.day = (uint32_t)(NOW_MS / 86400000) - 1;
    REQUIRE(yr_delivery_meet(d, now, slot, &c, 0) == YR_OK);
}

/* ---- steps ---- */

static void write_one(unsigned slot, const uint8_t *step)
{
    static const enum yr_plain_type types[] = {YR_PLAIN_TEXT, YR_PLAIN_DELIVERED, YR_PLAIN_READ,
                                               YR_PLAIN_NOOP};
    struct yr_plain plain = {.type = types[step[2] % 4], .known = true};
    uint8_t bytes[YR_PLAIN_MAX], *id = ids[id_count++ % PILE];
    size_t len;

    fill(NULL, id, YR_MSG_ID_LEN);
    plain.id = id;
    plain.text = (const uint8_t *)"text";
    plain.text_len = 4;
    plain.expires_s = plain.type == YR_PLAIN_TEXT && step[3] % 8 == 0
                          ? (uint64_t)(NOW_MS / 1000) + step[3] * 100U
                          : 0;
    for (size_t i = 0; plain.type != YR_PLAIN_TEXT && i < step[3] % 32U; i++) {
        if (plain.type == YR_PLAIN_NOOP)
            plain.acks[plain.ack_count++] = ids[(i + step[3]) % PILE];
        else
            plain.ids[plain.id_count++] = ids[(i + step[3]) % PILE];
    }
    if (yr_plain_encode(&plain, bytes, sizeof bytes, &len) == YR_OK)
        (void)!yr_delivery_push(d, now, slot, id, bytes, len);
}

static void link_changes(unsigned slot, bool comes)
{
    if (comes) {
        up[slot] = true;
        yr_delivery_up(d, now, slot);
    } else if (up[slot]) {
        up[slot] = false;
        yr_delivery_down(d, now, slot);
    }
}

static void answer(unsigned slot, const uint8_t *step)
{
    uint8_t body[8 * (1 + YR_EID_LEN)];
    struct yr_wr wr = yr_wr_init(body, sizeof body);

    for (unsigned i = 0; i < 1 + step[3] / 32U; i++)
        yr_env_ack_put(&wr, (enum yr_env_status)(step[2] % 16 < 10 ? step[2] % 6 : step[2]),
                       eids[(step[3] + i) % PILE]);
    if (up[slot])
        (void)!yr_delivery_acked(d, now, slot, body, yr_wr_len(&wr) - (step[2] == 255));
}

static void receipt(unsigned slot, const uint8_t *step)
{
    struct yr_plain plain = {.type = YR_PLAIN_DELIVERED, .known = true, .id = ids[0]};
    uint8_t bytes[2048];
    size_t len;

    for (unsigned i = 0; i <= step[2] % 8U; i++)
        plain.ids[plain.id_count++] = ids[(step[3] + i) % PILE];
    REQUIRE(yr_plain_encode(&plain, bytes, sizeof bytes, &len) == YR_OK);
    yr_receipts_take(d, d->boxes[slot], bytes, len - (step[2] == 255));
}

static void wait_a_while(const uint8_t *step)
{
    const yr_us until = now.mono_us + step[2] * (step[3] % 4 == 0 ? 3600 * YR_S : YR_S);
    size_t turns = 0;

    while (now.mono_us < until) {
        yr_us next = yr_delivery_deadline(d);
        next = next > until ? until : next < now.mono_us ? now.mono_us : next;
        now.wall_ms += (yr_ms)((next - now.mono_us) / YR_MS);
        now.mono_us = next;
        if (next == until)
            break;
        yr_delivery_tick(d, now);
        REQUIRE(++turns < 10000); // nobody runs in circles
        now.mono_us++;
    }
    yr_delivery_tick(d, now);
    if (step[3] == 255)
        now.wall_ms += ((int)step[2] - 128) * INT64_C(86400000); // the clock is set
    if (step[3] == 254)
        yr_delivery_daily(d, now);
}

// A row of a letter or a post is not what we wrote.  false: so it is said.
static bool spoil(unsigned slot, const uint8_t *step)
{
    const enum yr_table table = step[2] % 2 == 0 ? YR_TABLE_OUTBOX : YR_TABLE_POSTED;
    uint8_t row[YR_LETTER_MAX], id[32];
    struct yr_row at = {.suffix_len = 0};
    enum yr_err err;

    memset(id, (int)slot + 1, sizeof id);
    if (yr_rows_seek(rows, table, id, 32, YR_SEEK_GE, &at, row, sizeof row) != YR_OK ||
        at.value_len == 0)
        return true;
    row[step[3] % at.value_len] ^= step[2];
    REQUIRE(yr_rows_put(rows, table, id, 32, at.suffix, at.suffix_len, row,
                        at.value_len - (step[2] > 200)) == YR_OK);
    err = yr_delivery_load(d, slot, id, 0);
    up[slot] = false;
    REQUIRE(err == YR_OK || err == YR_ECORRUPT);
    return err == YR_OK;
}

static void check(void)
{
    for (unsigned slot = 0; slot < FRIENDS; slot++) {
        const struct yr_box *b = d->boxes[slot];
        size_t letters;
        unsigned holders;
        REQUIRE(d->out[slot] <= YR_POST_OUT_MAX);
        if (b == NULL)
            continue;
        REQUIRE(b->count <= b->queued && b->count <= b->cap && b->cap <= YR_WINDOW_MAX);
        for (size_t i = 0; i < b->count; i++) {
            const struct yr_letter *l = &b->window[(b->first + i) % b->cap];
            REQUIRE(l->post == NULL ||
                    (l->sealed != NULL && l->post->slot == slot && l->post->order == l->order &&
                     l->post->count <= YR_MAIL_HOLDERS_MAX));
        }
        yr_delivery_held_all(d, slot, &letters, &holders);
        REQUIRE(letters <= b->count);
    }
}

static bool one_step(const uint8_t *step)
{
    const unsigned slot = step[1] % FRIENDS;

    if (d->boxes[slot] == NULL)
        meet(slot);
    switch (step[0] % 12) {
    case 0:
    case 1: write_one(slot, step); break;
    case 2: link_changes(slot, true); break;
    case 3: link_changes(slot, false); break;
    case 4:
    case 5:
    case 6: answer(slot, step); break;
    case 7: receipt(slot, step); break;
    case 8:
        full = step[2] % 4 == 0;
        handed = step[3] % 4 == 0;
        if (!full)
            yr_delivery_room(d, now, slot);
        break;
    case 9: (void)yr_delivery_recall(d, slot, ids[step[3] % PILE]); break;
    case 10:
        if (step[2] % 8 == 0) {
            up[slot] = false;
            yr_delivery_remove(d, slot);
        } else if (step[2] % 8 == 1 && !spoil(slot, step)) {
            return false;
        }
        break;
    default: wait_a_while(step);
    }
    yr_delivery_release(d, now, UINT64_MAX - 1);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t vk[32] = {3};

    rng_state = 7;
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        mem.cap[i] = (size_t)64 << 20;
    now = (struct yr_now){YR_S, NOW_MS};
    full = handed = false;
    eid_count = id_count = frames = 0;
    REQUIRE(yr_rows_new(&rows, &mem, &rng, &view) == YR_OK);
    REQUIRE(yr_rows_unlock(rows, vk, NULL) == YR_OK);
    REQUIRE(yr_age_load(&age, rows, now) == YR_OK);
    open_delivery();
    for (; size >= STEP && size < 300 * STEP; data += STEP, size -= STEP) {
        if (!one_step(data))
            break;
        check();
    }
    yr_delivery_free(d);
    yr_rows_free(rows);
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        REQUIRE(mem.used[i] == 0);
    return 0;
}
