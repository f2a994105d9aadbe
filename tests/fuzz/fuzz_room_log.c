/* fuzz_room_log: a log that anybody writes into.  The input is a list of steps of five bytes:
 *
 *   what | who, and whether we wrote it | two numbers that choose | bits
 *
 * somebody signs a record of any class, place and ancestors; one that was made is delivered again,
 * spoilt, cut; time passes.  However that goes: what is accepted is told once, in order, after what
 * it stands on, bounds hold, and all memory comes back. */
#include "core/crypto/identity.h"
#include "core/room/log.h"
#include "tests/fuzz/ground.h"

#define NOW_MS INT64_C(1700000000000)
#define PEOPLE 6
#define PILE   64
#define STEP   5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- an empty store ---- */

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

/* ---- people and what they wrote ---- */

static struct person {
    struct yr_identity keys;
    uint8_t mid[YR_MID_LEN];
} people[PEOPLE];

static struct slip {
    uint8_t bytes[1024], id[YR_REC_ID_LEN];
    size_t len;
} create, pile[PILE];
static size_t pile_count;

static struct yr_room_log *the_log;
static uint64_t last_arrival;

static enum yr_err accepted(void *ctx, struct yr_now now, const struct yr_room_record *record,
                            const struct yr_room_body *body, const struct yr_room_entry *entry)
{
    (void)ctx, (void)now, (void)body;
    REQUIRE(yr_room_log_has(the_log, record->id));
    if (record->class == YR_CLASS_STATE) {
        REQUIRE(entry->arrival == 0);
        return YR_OK;
    }
    REQUIRE(entry->arrival == ++last_arrival);
    REQUIRE(record->seq == 1 || yr_room_log_has(the_log, record->prev));
    for (size_t i = 0; i < record->dep_count; i++)
        REQUIRE(yr_room_log_has(the_log, record->deps[i]));
    return YR_OK;
}

static void sign(struct slip *out, const struct yr_room_record *record, const struct person *who)
{
    struct yr_room_record r;

    if (yr_room_record_encode(record, who->keys.sign_sk, out->bytes, sizeof out->bytes,
                              &out->len) != YR_OK)
        out->len = 0;
    else if (yr_room_record_decode(&r, out->bytes, out->len) == YR_OK)
        memcpy(out->id, r.id, sizeof out->id);
}

static void prepare_people(void)
{
    struct yr_room_body body = {.kind = YR_ROOM_CREATE,
                                .invite_min = 1,
                                .max_members = 9,
                                .text = (const uint8_t *)"r",
                                .text_len = 1};
    struct yr_room_record r = {.class = YR_CLASS_CONTROL, .seq = 1};
    uint8_t bytes[256];
    size_t len;

    if (create.len > 0)
        return;
    for (size_t i = 0; i < PEOPLE; i++)
        yr_identity_new(&people[i].keys, &rng, NOW_MS);
    body.sign_pk = body.seal_pk = people[0].keys.id;
    REQUIRE(yr_room_body_encode(&body, bytes, sizeof bytes, &len) == YR_OK);
    r.body = bytes;
    r.body_len = len;
    r.hlc = (uint64_t)NOW_MS << 16;
    sign(&create, &r, &people[0]);
    REQUIRE(yr_room_record_decode(&r, create.bytes, create.len) == YR_OK);
    for (size_t i = 0; i < PEOPLE; i++)
        yr_room_mid(people[i].mid, r.room_id, people[i].keys.id);
}

/* ---- steps ---- */

static void put(struct yr_now now, const uint8_t *bytes, size_t len, unsigned slot)
{
    enum yr_put what;
    bool forged;

    REQUIRE(yr_room_log_put(the_log, now, bytes, len, slot, &what, &forged) == YR_OK);
    REQUIRE(!forged || what == YR_PUT_REFUSED);
    REQUIRE(yr_room_log_end(the_log) == last_arrival);
    REQUIRE(yr_room_log_held(the_log) <= YR_ROOM_HELD_MAX + YR_ROOM_STRANGE_MAX);
}

static void make_body(struct yr_room_body *body, enum yr_room_kind kind, const struct person *who,
                      const struct person *whom, uint8_t bits, uint8_t sig[YR_SIG_LEN])
{
    static const uint8_t some[96] = {1};

    *body = (struct yr_room_body){.kind = kind,
                                  .sign_pk = whom->keys.id,
                                  .seal_pk = whom->keys.id,
                                  .mid = whom->mid,
                                  .join_sig = sig,
                                  .epoch = some,
                                  .nonce = some,
                                  .commit = some,
                                  .eph = some,
                                  .sealed = some,
                                  .list = some,
                                  .list_count = 1,
                                  .data = some,
                                  .data_len = YR_TAG_LEN,
                                  .rank = (uint8_t)(1 + bits % 99),
                                  .key = 1,
                                  .parts = 1};
    if (kind == YR_ROOM_ADD)
        yr_room_join_sign(sig, whom->keys.sign_sk, yr_room_log_id(the_log), whom->keys.id,
                          whom->keys.id, who->mid);
}

static const uint8_t *chosen(uint8_t n)
{
    return pile_count > 0 ? pile[n % pile_count].id : create.id;
}

// Turn an honest draft into something else, or not.
static void twist(struct yr_room_record *r, const uint8_t *step)
{
    const uint8_t bits = step[4];

    if (bits & 1)
        memcpy(r->prev, chosen(step[2]), YR_REC_ID_LEN);
    if (bits & 2)
        r->seq += step[3] % 3;
    if ((bits & 4) && r->dep_count < YR_ROOM_DEPS_MAX)
        memcpy(r->deps[r->dep_count++], chosen(step[3]), YR_REC_ID_LEN);
    if (bits & 8)
        r->dep_count = 0;
    if (bits & 16)
        r->hlc = (uint64_t)step[2] << 56 | step[3];
    if (bits & 32)
        r->incarnation[0] ^= step[3];
    if ((bits & 64) && r->dep_count < YR_ROOM_DEPS_MAX) // nobody will ever have it
        memset(r->deps[r->dep_count++], step[2] | 1, YR_REC_ID_LEN);
}

static void write_record(struct yr_now now, const uint8_t *step)
{
    const enum yr_room_kind kind = (enum yr_room_kind)(1 + step[2] % (YR_ROOM_KIND_COUNT - 1));
    const struct person *who = &people[step[1] % PEOPLE];
    struct slip *slip = &pile[pile_count];
    struct yr_room_record r;
    struct yr_room_body body;
    uint8_t incarnation[8] = {1}, bytes[512], sig[YR_SIG_LEN];
    size_t len;

    if (pile_count == PILE)
        return;
    yr_room_log_prepare(the_log, now, yr_room_kind_class(kind), who->mid, incarnation,
                        (step[3] & 1) != 0, &r);
    make_body(&body, kind, who, &people[step[3] % PEOPLE], step[4], sig);
    REQUIRE(yr_room_body_encode(&body, bytes, sizeof bytes, &len) == YR_OK);
    r.body = bytes;
    r.body_len = len;
    if (step[1] & 64)
        twist(&r, step);
    sign(slip, &r, who);
    if (slip->len == 0)
        return;
    pile_count++;
    if (step[1] & 128)
        put(now, slip->bytes, slip->len, (step[1] & 32) ? YR_ROOM_OWN : 1);
}

static void deliver(struct yr_now now, const uint8_t *step)
{
    uint8_t bytes[sizeof pile[0].bytes];
    const struct slip *slip = &pile[step[2] % pile_count];
    size_t len = slip->len;

    memcpy(bytes, slip->bytes, len);
    if (step[1] & 64)
        bytes[(step[3] | (size_t)step[4] << 8) % len] ^= (uint8_t)(1u << step[1] % 8);
    if ((step[1] & 192) == 128)
        len = (step[3] | (size_t)step[4] << 8) % (len + 1);
    put(now, bytes, len, step[1] % 4);
}

static void ask(void)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    uint8_t ids[16][16], digest[32];
    unsigned slots[16];
    uint64_t arrivals[4], next = 1;
    struct yr_chain_info info;
    size_t count, len;

    REQUIRE(yr_room_log_missing(the_log, ids, slots, 16) <= 16);
    yr_room_log_digest(the_log, digest);
    REQUIRE(yr_room_log_flush(the_log) == YR_OK);
    for (uint64_t at = 1; at <= last_arrival; at++)
        REQUIRE(yr_room_log_at(the_log, at, bytes, sizeof bytes, &len, NULL) == YR_OK);
    for (size_t i = 0; yr_room_log_chain(the_log, i, &info); i++)
        for (next = 1; next != 0;) {
            const uint64_t from = next;

            REQUIRE(yr_room_log_range(the_log, &info.key, from, UINT64_MAX, arrivals, 4, &count,
                                      &next) == YR_OK);
            REQUIRE(next == 0 || next > from);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t vk[32] = {3};
    const struct yr_room_log_ops ops = {accepted, NULL};
    struct yr_now now = {YR_S, NOW_MS};
    struct yr_rows *rows;

    rng_state = 7;
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        mem.cap[i] = (size_t)64 << 20;
    prepare_people();
    pile_count = 0;
    last_arrival = 0;
    REQUIRE(yr_rows_new(&rows, &mem, &rng, &view) == YR_OK);
    REQUIRE(yr_rows_unlock(rows, vk, NULL) == YR_OK);
    REQUIRE(yr_room_log_new(&the_log, &mem, rows, now, create.bytes, create.len, &ops) == YR_OK);
    for (; size >= STEP && size < 200 * STEP; data += STEP, size -= STEP)
        switch (data[0] % 8) {
        case 0:
            now.mono_us += data[2] * YR_S;
            now.wall_ms += data[3] * 1000;
            REQUIRE(yr_room_log_tick(the_log, now) == YR_OK);
            break;
        case 1:
        case 2:
        case 3:
            if (pile_count > 0) {
                deliver(now, data);
                break;
            }
            // fall through
        default: write_record(now, data);
        }
    ask();
    yr_room_log_free(the_log);
    yr_rows_free(rows);
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        REQUIRE(mem.used[i] == 0);
    return 0;
}
