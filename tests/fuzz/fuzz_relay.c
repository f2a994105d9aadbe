/* What friends may put into frames and datagrams about circuits, in any order, while we ask for
 * some, links come and go, and consent changes.
 *
 *     input = steps of `what u8 | slot u8 | len u8 | bytes` */
#include "core/path/relay_state.h"
#include "tests/fuzz/ground.h"

#define FRIENDS 6

static unsigned told, room;

static enum yr_err on_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len)
{
    struct yr_relay_msg msg;

    (void)ctx;
    REQUIRE(slot < FRIENDS);
    REQUIRE(yr_relay_msg_decode(&msg, type, body, len) == YR_OK);
    return room++ % 7 == 6 ? YR_EAGAIN : YR_OK;
}

static enum yr_err on_datagram(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    struct yr_relay_piece piece;

    (void)ctx;
    REQUIRE(slot < FRIENDS);
    REQUIRE(yr_relay_piece_decode(&piece, bytes, len) == YR_OK);
    return room++ % 5 == 4 ? YR_EFULL : YR_OK;
}

static void on_packet(void *ctx, unsigned slot, const struct yr_addr *from, const uint8_t *bytes,
                      size_t len)
{
    struct yr_relay *const *relay = ctx;
    struct yr_relay_info info;
    volatile uint8_t sum = 0;

    REQUIRE(len > 0 && len <= YR_PACKET_MAX);
    REQUIRE(yr_relay_at(*relay, from, &info) && info.slot == slot && info.open);
    for (size_t i = 0; i < len; i++) // all of it must be there
        sum = (uint8_t)(sum + bytes[i]);
    told++;
}

static void on_opened(void *ctx, unsigned slot, unsigned via, const struct yr_addr *addr, bool ours)
{
    struct yr_relay *const *relay = ctx;
    struct yr_relay_info info;

    REQUIRE(slot != via && yr_relay_at(*relay, addr, &info) && info.open && info.ours == ours);
    told++;
}

static void on_closed(void *ctx, unsigned slot, unsigned via, const struct yr_addr *addr,
                      enum yr_relay_reason why)
{
    struct yr_relay *const *relay = ctx;

    REQUIRE(slot != via && why < YR_RELAY_REASON_COUNT);
    REQUIRE(!yr_relay_at(*relay, addr, &(struct yr_relay_info){0}));
    told++;
}

static const struct yr_rng rng = {fill, NULL};
static struct yr_now now;

// What a friend would say of another: so that hashes are met at all.
static size_t honest(uint8_t out[YR_RELAY_MSG_MAX], uint8_t type, uint16_t route, uint8_t about)
{
    struct yr_relay_msg msg = {.type = type, .route = route};
    uint8_t id[32];

    memset(id, about % FRIENDS + 1, sizeof id);
    yr_kdf(msg.hash, sizeof msg.hash, id,
           type == YR_FRAME_RELAY_OPEN ? YR_LABEL_RELAY_TO : YR_LABEL_RELAY_FROM, msg.nonce,
           sizeof msg.nonce);
    return yr_relay_msg_encode(&msg, out);
}

static void enter(struct yr_relay *relay, unsigned slot)
{
    uint8_t id[32];

    memset(id, (int)(slot + 1), sizeof id);
    yr_relay_set(relay, slot, id, id, slot & 1);
    yr_relay_up(relay, slot, true, now);
}

static void step(struct yr_relay *relay, uint8_t what, unsigned slot, const uint8_t *bytes,
                 size_t len)
{
    uint8_t body[YR_RELAY_MSG_MAX], big[YR_PACKET_MAX] = {0x40};
    const uint8_t first = len > 0 ? bytes[0] : 0, second = len > 1 ? bytes[1] : 0;
    struct yr_relay_info info;
    struct yr_addr addr;

    switch (what % 14) {
    case 0:
    case 1:
        (void)yr_relay_frame(relay, slot, (uint8_t)(YR_FRAME_RELAY_OPEN + what / 14 % 4), bytes,
                             len, now);
        return;
    case 2:
    case 3: yr_relay_datagram(relay, slot, bytes, len, now); return;
    case 4:
    case 5:
        len =
            honest(body, what % 14 == 4 ? YR_FRAME_RELAY_OPEN : YR_FRAME_RELAY_CALL, first, second);
        (void)yr_relay_frame(relay, slot,
                             what % 14 == 4 ? YR_FRAME_RELAY_OPEN : YR_FRAME_RELAY_CALL, body, len,
                             now);
        return;
    case 6: (void)!yr_relay_open(relay, first % FRIENDS, slot, &addr, now); return;
    case 7:
        if (yr_relay_circuit(relay, slot, first % 3, &info))
            yr_relay_send(relay, &info.addr, big, 1 + second * 7U % YR_PACKET_MAX, now);
        return;
    case 8:
        if (yr_relay_circuit(relay, slot, first % 3, &info))
            yr_relay_close(relay, &info.addr, now);
        return;
    case 9: yr_relay_up(relay, slot, (first & 1) != 0, now); return;
    case 10: yr_relay_down(relay, slot, now); return;
    case 11: yr_relay_consent(relay, slot, first % 3, now); return;
    case 12:
        now.mono_us += first * second * 10 * YR_MS;
        yr_relay_tick(relay, now);
        return;
    default:
        if (first % 3 == 0)
            yr_relay_remove(relay, slot);
        enter(relay, slot);
        yr_relay_block(relay, slot, first % 3 == 1, now);
        if (len >= YR_RELAY_HASH)
            yr_relay_learn(relay, slot, bytes, YR_MIN(len / YR_RELAY_HASH, (size_t)YR_RELAY_LIST));
    }
}

static void check(struct yr_relay *relay)
{
    struct yr_relay_info info;
    unsigned via;

    REQUIRE(yr_relay_carrying(relay) <= YR_RELAY_CIRCUITS_MAX);
    for (unsigned slot = 0; slot < FRIENDS; slot++) {
        size_t carried = 0;

        REQUIRE(!yr_relay_circuit(relay, slot, YR_RELAY_ENDS_EACH, &info));
        for (size_t i = 0; yr_relay_common(relay, slot, i, &via, now); i++)
            REQUIRE(i < FRIENDS && via != slot);
        for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++)
            carried += relay->carried[i].used && (relay->carried[i].legs[0].slot == slot ||
                                                  relay->carried[i].legs[1].slot == slot);
        REQUIRE(carried <= YR_RELAY_CIRCUITS_EACH);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yr_mem mem = {.realloc = heap};
    struct yr_relay *relay = NULL;
    const struct yr_relay_ops ops = {.frame = on_frame,
                                     .datagram = on_datagram,
                                     .packet = on_packet,
                                     .opened = on_opened,
                                     .closed = on_closed,
                                     .ctx = &relay};
    size_t at = 0;

    rng_state = 1;
    told = room = 0;
    now = (struct yr_now){.mono_us = 1000000, .wall_ms = 1700000000000};
    mem.cap[YR_MEM_NODE] = 1 << 20;
    REQUIRE(yr_relay_new(&relay, &mem, &rng, &ops) == YR_OK);
    for (unsigned slot = 0; slot < FRIENDS; slot++)
        enter(relay, slot);
    while (at + 3 <= size) {
        const size_t len = YR_MIN((size_t)data[at + 2], size - at - 3);

        step(relay, data[at], data[at + 1] % FRIENDS, data + at + 3, len);
        at += 3 + len;
        check(relay);
    }
    yr_relay_free(relay);
    REQUIRE(mem.used[YR_MEM_NODE] == 0);
    return 0;
}
