/* What friends may put into the frames of mail, in any order, while links come and go, consent is
 * given and taken, time passes, and the mailbox is read again from its rows.
 *
 *     input = steps of `what u8 | slot u8 | len u8 | bytes`
 *
 * However that goes: what is kept stays within the quotas, custody is told only for what is there,
 * and a mailbox read again keeps the same. */
#include <string.h>

#include "core/delivery/mailbox.h"
#include "tests/fuzz/ground.h"

#define FRIENDS 4
#define NOW_S   1700000000u

static struct yr_mailbox *mb;
static uint8_t refused; // frames

static enum yr_err on_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len)
{
    struct yr_rd rd = yr_rd_init(body, len);
    const uint8_t *eid;
    uint8_t status, tag[16];

    (void)ctx;
    REQUIRE(slot < FRIENDS);
    switch (type) {
    case YR_FRAME_MBX_OFFER: REQUIRE(len == 5); break;
    case YR_FRAME_MBX_LIST: REQUIRE(len > 0 && len % YR_EID_LEN == 0); break;
    case YR_FRAME_ENV_PUT: REQUIRE(yr_envelope_peek(body, len, NULL, tag) == YR_OK); break;
    case YR_FRAME_ENV_ACK:
        REQUIRE(yr_env_ack_ok(body, len));
        while (yr_env_ack_next(&rd, &status, &eid))
            REQUIRE(status != YR_ENV_REFUSED);
        break;
    default: abort();
    }
    return refused++ % 9 == 8 ? YR_EFULL : YR_OK;
}

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
static const struct yr_mailbox_quota quota = {
    .each_bytes = 2048, .all_bytes = 4096, .day_bytes = 8192, .each = 6, .all = 12, .hour = 40};

static void friend_id(uint8_t id[32], unsigned slot)
{
    memset(id, (int)slot + 1, 32);
}

static void read_again(void)
{
    struct yr_mailbox_info before[FRIENDS], after;
    uint8_t id[32];

    yr_mailbox_flush(mb);
    for (unsigned i = 0; i < FRIENDS; i++)
        yr_mailbox_info(mb, i, &before[i]);
    yr_mailbox_reset(mb);
    REQUIRE(yr_mailbox_start(mb) == YR_OK);
    for (unsigned i = 0; i < FRIENDS; i++) {
        friend_id(id, i);
        REQUIRE(yr_mailbox_enter(mb, i, id, before[i].consent) == YR_OK);
        yr_mailbox_info(mb, i, &after);
        REQUIRE(after.kept == before[i].kept && after.bytes == before[i].bytes);
        REQUIRE(after.registered == before[i].registered);
    }
}

// An envelope as its form is: what is in it is the input's.
static size_t envelope(uint8_t out[512], const uint8_t *bytes, size_t len)
{
    const size_t size = len > 100 ? 512 : 256;

    memset(out, 0, 512);
    out[0] = 1;
    memset(out + 6, len > 0 ? bytes[0] % 4 : 0, 16); // a tag that may be registered
    memcpy(out + 22, bytes, len < size - 22 ? len : size - 22);
    return size;
}

static void step(unsigned what, unsigned slot, const uint8_t *bytes, size_t len, struct yr_now *now)
{
    static const uint8_t types[] = {YR_FRAME_MBX_REG, YR_FRAME_MBX_GET, YR_FRAME_MBX_ASK};
    uint8_t body[512], eid[YR_EID_LEN];
    const uint64_t now_s = NOW_S + now->mono_us / YR_S;
    size_t size;

    switch (what % 12) {
    case 0:
    case 1:
    case 2: (void)!yr_mailbox_frame(mb, *now, slot, types[what % 12], bytes, len); break;
    case 3: // four tags of this day
        memset(body, 0, sizeof body);
        body[0] = len > 0 ? bytes[0] : 0;
        for (unsigned i = 0; i < 4; i++)
            memset(body + 4 + 16 * i, (int)i, 16);
        (void)!yr_mailbox_frame(mb, *now, slot, YR_FRAME_MBX_REG, body, 4 + 4 * 16);
        break;
    case 4:
    case 5:
        size = envelope(body, bytes, len);
        (void)!yr_mailbox_deposit(mb, *now, now_s, slot, body, size);
        break;
    case 6: (void)!yr_mailbox_deposit(mb, *now, now_s, slot, bytes, len); break;
    case 7: // it is there: asked for, sent, acknowledged
        size = envelope(body, bytes, len);
        yr_envelope_id(eid, body, size);
        (void)!yr_mailbox_frame(mb, *now, slot, YR_FRAME_MBX_GET, eid, sizeof eid);
        if (len % 2 == 0)
            yr_mailbox_acked(mb, slot, eid);
        break;
    case 8:
        if (len % 2 == 0)
            yr_mailbox_up(mb, slot);
        else
            yr_mailbox_down(mb, slot);
        break;
    case 9: yr_mailbox_consent(mb, slot, len % 4 != 0); break;
    case 10:
        now->mono_us += (uint64_t)len * 3600 * YR_S;
        yr_mailbox_expire(mb, now_s);
        yr_mailbox_room(mb, slot);
        break;
    default: read_again(); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *src, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *src, size_t len)
{
    static const uint8_t vk[32] = {1};
    const struct yr_rng rng = {fill, NULL};
    const struct yr_mailbox_ops ops = {on_frame, NULL};
    struct yr_mem mem = {.realloc = heap};
    struct yr_now now = {.mono_us = YR_S};
    struct yr_mailbox_info info;
    struct yr_rows *rows;
    uint8_t id[32];

    rng_state = 1;
    refused = 0;
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        mem.cap[i] = (size_t)64 << 20;
    REQUIRE(yr_rows_new(&rows, &mem, &rng, &view) == YR_OK);
    REQUIRE(yr_rows_unlock(rows, vk, NULL) == YR_OK);
    REQUIRE(yr_mailbox_new(&mb, &mem, rows, &rng, &quota, &ops) == YR_OK);
    for (unsigned i = 0; i < FRIENDS; i++) {
        friend_id(id, i);
        REQUIRE(yr_mailbox_enter(mb, i, id, true) == YR_OK);
    }
    while (len >= 3) {
        const size_t n = src[2] < len - 3 ? src[2] : len - 3;
        uint64_t bytes = 0;

        step(src[0], src[1] % FRIENDS, src + 3, n, &now);
        if (src[0] & 0x80)
            yr_mailbox_release(mb, UINT64_MAX - 1); // all of it is durable
        for (unsigned i = 0; i < FRIENDS; i++) {
            yr_mailbox_info(mb, i, &info);
            REQUIRE(info.kept <= quota.each && info.bytes <= quota.each_bytes);
            REQUIRE(info.consent || info.kept == 0);
            bytes += info.bytes;
        }
        REQUIRE(bytes <= quota.all_bytes);
        src += 3 + n;
        len -= 3 + n;
    }
    read_again();
    yr_mailbox_free(mb);
    yr_rows_free(rows);
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        REQUIRE(mem.used[i] == 0);
    return 0;
}
