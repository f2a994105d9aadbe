/* fuzz_envelope: whatever a relay or a friend can hand to core/seal.  The first byte chooses:
 *
 *   0  a stranger's bytes as an envelope
 *   1  a friend's: any plaintext, properly sealed
 *   2  bytes as a message of a session that has skipped keys, its id put right
 *   3  a talk: each pair of bytes sends, loses, spoils, delivers or repeats a message
 *   4  rows of each kind; what decodes encodes to the same bytes */
#include "core/crypto/aead.h"
#include "core/seal/envelope.h"
#include "core/seal/pair.h"
#include "core/seal/ratchet.h"
#include "tests/fuzz/ground.h"

#define NOW_S 1700000000u

static const uint8_t env_key[32] = {1, 2, 3};

/* ---- an rng and a heap ---- */

static const struct yr_rng rng = {fill, NULL};

static struct yr_mem mem = {.realloc = heap, .cap = {1 << 20, 1 << 20, 1 << 20, 1 << 20}};

/* ---- envelopes ---- */

static void open_envelope(const uint8_t *src, size_t len)
{
    static uint8_t buf[YR_ENVELOPE_MAX];
    enum yr_envelope_kind kind;
    const uint8_t *body;
    size_t body_len;
    uint8_t tag[16];
    uint32_t exp_s;
    const enum yr_err peeked = yr_envelope_peek(src, len, &exp_s, tag);
    const enum yr_err opened =
        yr_envelope_open(env_key, src, len, buf, sizeof buf, &kind, &body, &body_len);

    REQUIRE(peeked == YR_OK || opened == peeked);
    if (opened == YR_OK)
        REQUIRE(body >= buf && body_len <= YR_ENVELOPE_BODY_MAX && body + body_len < buf + len);
}

static void open_sealed(const uint8_t *src, size_t len)
{
    static uint8_t env[YR_ENVELOPE_MAX];
    const size_t head = 46;
    size_t size = YR_ENVELOPE_MIN;

    while (size < YR_ENVELOPE_MAX && size < head + len + YR_TAG_LEN)
        size *= 2;
    memset(env, 0, size);
    env[0] = 1;
    memcpy(env + head, src, YR_MIN(len, size - head - YR_TAG_LEN));
    yr_seal_x(env + head, env_key, env + 22, env, 22, env + head, size - head - YR_TAG_LEN);
    open_envelope(env, size);
}

/* ---- sessions ---- */

struct two {
    struct yr_session sessions[2];
    struct yr_skipped skipped[2];
};

// Always the same session.
static void begin(struct two *t)
{
    static const uint8_t exporter[32] = {4}, h[64] = {5};
    static struct yr_session fresh[2];
    struct yr_prekey_own own;

    rng_state = 7;
    if (fresh[0].flags == 0) {
        yr_prekey_new(&own, 1, NOW_S, &rng);
        REQUIRE(yr_session_start_sender(&fresh[0], exporter, h, own.pair.public_key, 1, &rng) ==
                YR_OK);
        yr_session_start_receiver(&fresh[1], exporter, h, &own.pair, 1);
    }
    memcpy(t->sessions, fresh, sizeof fresh);
    for (size_t i = 0; i < 2; i++)
        yr_skipped_init(&t->skipped[i], &mem);
}

static void end(struct two *t)
{
    for (size_t i = 0; i < 2; i++)
        yr_skipped_clear(&t->skipped[i]);
    REQUIRE(mem.used[YR_MEM_NODE] == 0);
}

#define MSG_LEN (YR_RATCHET_OVERHEAD + 1)

static bool encrypt(struct two *t, size_t who, uint8_t plain, uint8_t msg[MSG_LEN])
{
    size_t len;

    return yr_session_encrypt(&t->sessions[who], &rng, &plain, 1, msg, MSG_LEN, &len) == YR_OK;
}

static enum yr_err decrypt(struct two *t, size_t who, const uint8_t *msg, size_t len,
                           uint8_t *plain)
{
    static uint8_t buf[65536];
    struct yr_session after;
    size_t n, count = t->skipped[who].count;
    const enum yr_err err = yr_session_decrypt(&t->sessions[who], &after, &t->skipped[who], NOW_S,
                                               &rng, msg, len, buf, sizeof buf, &n);

    if (err == YR_OK) {
        t->sessions[who] = after;
        *plain = buf[0];
    } else {
        REQUIRE(t->skipped[who].count == count);
    }
    REQUIRE(t->skipped[who].count <= YR_SKIPPED_MAX);
    return err;
}

static void one_message(const uint8_t *src, size_t len)
{
    static uint8_t msg[65536];
    uint8_t sent[MSG_LEN], plain;
    struct two t;

    begin(&t);
    (void)encrypt(&t, 0, 1, sent);
    (void)encrypt(&t, 0, 2, sent);
    REQUIRE(decrypt(&t, 1, sent, sizeof sent, &plain) == YR_OK && plain == 2);
    len = YR_MIN(len, sizeof msg);
    memcpy(msg, src, len);
    (void)decrypt(&t, 1, msg, len, &plain);
    if (len >= 9) {
        msg[0] = 1;
        memcpy(msg + 1, t.sessions[1].sid, 8);
        REQUIRE(decrypt(&t, 1, msg, len, &plain) != YR_OK);
    }
    end(&t);
}

static void talk(const uint8_t *src, size_t len)
{
    static struct {
        uint8_t msg[MSG_LEN], plain;
        bool opened;
    } sent[64];
    size_t to[64], count = 0, lost = 0;
    uint8_t plain, spoilt[MSG_LEN];
    struct two t;

    begin(&t);
    for (size_t i = 0; i + 1 < len && i < 80; i += 2) {
        const size_t who = src[i] & 1, what = src[i] >> 1 & 3, which = src[i + 1] % 64;
        if (what == 0 && count < 64 && encrypt(&t, who, src[i + 1], sent[count].msg)) {
            sent[count].plain = src[i + 1];
            sent[count].opened = false;
            to[count++] = 1 - who;
        } else if (what == 1) { // numbers that never come
            for (size_t n = 0; n < (size_t)src[i + 1] * 4 && lost < 1100; n++, lost++)
                (void)encrypt(&t, who, 0, spoilt);
        } else if (what == 2 && which < count) {
            if (decrypt(&t, to[which], sent[which].msg, MSG_LEN, &plain) == YR_OK) {
                REQUIRE(!sent[which].opened && plain == sent[which].plain);
                sent[which].opened = true;
            }
        } else if (what == 3 && count > 0) {
            memcpy(spoilt, sent[count - 1].msg, sizeof spoilt);
            spoilt[src[i + 1] % MSG_LEN] ^= (uint8_t)(1 + (src[i] >> 3));
            REQUIRE(decrypt(&t, to[count - 1], spoilt, sizeof spoilt, &plain) != YR_OK);
        }
    }
    end(&t);
}

/* ---- rows ---- */

static void skipped_row(const uint8_t *src, size_t len)
{
    static uint8_t row[YR_SKIPPED_ROW_MAX];
    struct yr_skipped skipped;

    yr_skipped_init(&skipped, &mem);
    if (yr_skipped_decode(&skipped, 3, src, len) == YR_OK) {
        REQUIRE(yr_skipped_encode(&skipped, 3, row) == len && memcmp(row, src, len) == 0);
        (void)yr_skipped_expire(&skipped, (uint64_t)100000 * 86400);
        (void)yr_skipped_forget(&skipped, src + 3);
    }
    yr_skipped_clear(&skipped);
    REQUIRE(mem.used[YR_MEM_NODE] == 0);
}

static void rows(const uint8_t *src, size_t len)
{
    struct yr_session sessions[YR_SESSIONS_MAX];
    uint8_t row[YR_SESSIONS_ROW_MAX];
    struct yr_prekey_own own;
    struct yr_prekey prekey;
    struct yr_timekey tk;
    struct yr_pair pair;
    size_t count;

    static_assert(sizeof row >= YR_PAIR_ROW_LEN, "room for any of them");
    if (yr_sessions_decode(sessions, &count, src, len) == YR_OK)
        REQUIRE(yr_sessions_encode(row, sessions, count) == len && memcmp(row, src, len) == 0);
    if (yr_pair_decode(&pair, src, len) == YR_OK)
        REQUIRE(yr_pair_encode(row, &pair) == len && memcmp(row, src, len) == 0);
    if (yr_timekey_decode(&tk, src, len) == YR_OK)
        REQUIRE(yr_timekey_encode(row, &tk) == len && memcmp(row, src, len) == 0);
    if (yr_prekey_own_decode(&own, src, len) == YR_OK)
        REQUIRE(yr_prekey_own_encode(row, &own) == len && memcmp(row, src, len) == 0);
    if (yr_prekey_decode(&prekey, src, len) == YR_OK) {
        yr_prekey_encode(row, &prekey);
        REQUIRE(memcmp(row, src, len) == 0);
    }
    skipped_row(src, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const harnesses[])(const uint8_t *, size_t) = {open_envelope, open_sealed,
                                                                 one_message, talk, rows};

    if (size > 0)
        harnesses[data[0] % YR_COUNT(harnesses)](data + 1, size - 1);
    return 0;
}
