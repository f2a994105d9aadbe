/* What a friend may put into his packets once the link is up: any QUIC frames, in any order.
 *
 *     input = packets of `len u16le | plaintext` */
#include "core/base/bytes.h"
#include "core/link/conn.h"
#include "tests/fuzz/ground.h"

static uint64_t on_clock(void *ctx, unsigned slot, const struct yr_clock *theirs,
                         const struct yr_clock *ours)
{
    (void)ctx;
    (void)slot;
    (void)theirs;
    (void)ours;
    return 0;
}

static void on_slot(void *ctx, unsigned slot)
{
    (void)ctx;
    (void)slot;
}

static void on_down(void *ctx, unsigned slot, enum yr_link_end why)
{
    (void)ctx;
    (void)slot;
    (void)why;
}

static void on_frame(void *ctx, unsigned slot, enum yr_channel channel, uint8_t type,
                     const uint8_t *body, size_t len)
{
    (void)ctx;
    (void)slot;
    (void)channel;
    (void)type;
    (void)body;
    (void)len;
}

static void on_room(void *ctx, unsigned slot, enum yr_channel channel)
{
    (void)ctx;
    (void)slot;
    (void)channel;
}

static void on_path(void *ctx, unsigned slot, const struct yr_addr *addr)
{
    (void)ctx;
    (void)slot;
    (void)addr;
}

static void on_datagram(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    (void)ctx;
    (void)slot;
    (void)bytes;
    (void)len;
}

static const struct yr_rng rng = {fill, NULL};
static struct yr_now now = {.mono_us = 1000000, .wall_ms = 1700000000000};
static const struct yr_addr addr = {.family = 4, .ip = {127, 0, 0, 1}, .port = 1};

struct side {
    struct yr_mem mem;
    struct yr_identity self;
    struct yr_links *links;
};

static void side_init(struct side *side)
{
    const struct yr_link_ops ops = {.clock = on_clock,
                                    .up = on_slot,
                                    .down = on_down,
                                    .dial_failed = on_slot,
                                    .frame = on_frame,
                                    .room = on_room,
                                    .path = on_path,
                                    .datagram = on_datagram,
                                    .doubt = on_slot};

    *side = (struct side){.mem = {.realloc = heap}};
    side->mem.cap[YR_MEM_LINK] = 8U << 20;
    yr_identity_new(&side->self, &rng, 0);
    if (yr_links_new(&side->links, &side->mem, &rng, &ops) != YR_OK)
        abort();
    yr_links_identity(side->links, &side->self);
}

static void befriend(struct side *side, const struct side *friend)
{
    static const uint8_t secret[32] = {1, 2, 3};
    const struct yr_clock zero = {0};
    struct yr_pair pair;

    yr_pair_derive(&pair, 0, secret, side->self.id, friend->self.id);
    if (yr_links_set(side->links, 0, friend->self.id, friend->self.device.public_key, 1, &pair,
                     &zero, &zero) != YR_OK)
        abort();
}

// All that `from` has to send, to `to`.
static void carry(struct side *from, struct side *to)
{
    uint8_t buf[YR_PACKET_MAX];
    struct yr_addr at;
    size_t len;

    while ((len = yr_links_poll(from->links, now, &at, buf, sizeof buf)) > 0)
        (void)yr_links_recv(to->links, &addr, buf, len, now);
}

static void connect_sides(struct side *node, struct side *friend)
{
    if (yr_links_dial(friend->links, 0, &addr, false, now) != YR_OK)
        abort();
    for (int i = 0; i < 8; i++) {
        carry(friend, node);
        carry(node, friend);
        now.mono_us += 30000;
        yr_links_tick(node->links, now);
        yr_links_tick(friend->links, now);
    }
    if (node->links->slots[0]->active == NULL || friend->links->slots[0]->active == NULL)
        abort();
}

// The friend's present 1-RTT key and header key: made third and fourth of their space.
static void find_keys(const struct yr_conn *conn, const struct yr_packet_key *out[2])
{
    size_t found = 0;

    for (size_t i = 8; i < YR_PACKET_KEYS_MAX && found < 4; i++)
        if (conn->ring.keys[i].ring != NULL && conn->ring.keys[i].space == YR_SPACE_APP) {
            if (found >= 2)
                out[found - 2] = &conn->ring.keys[i];
            found++;
        }
    if (found != 4)
        abort();
}

static size_t seal(const struct yr_packet_key *keys[2], uint64_t cid, uint32_t number,
                   const uint8_t *plain, size_t len, uint8_t buf[YR_PACKET_MAX])
{
    uint8_t mask[5], nonce[12];

    buf[0] = 0x43; // packet number of 4 bytes
    memcpy(buf + 1, &cid, 8);
    memcpy(nonce, keys[0]->iv, sizeof nonce);
    for (size_t i = 0; i < 4; i++) {
        buf[9 + i] = (uint8_t)(number >> (24 - 8 * i));
        nonce[8 + i] ^= buf[9 + i];
    }
    yr_seal_c(buf + 13, keys[0]->key, nonce, buf, 13, plain, len);
    yr_hp_mask(mask, keys[1]->key, buf + 13);
    buf[0] ^= mask[0] & 0x1f;
    for (size_t i = 0; i < 4; i++)
        buf[9 + i] ^= mask[1 + i];
    return 13 + len + YR_TAG_LEN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct side node, friend;
    const struct yr_packet_key *keys[2];
    struct yr_rd rd = yr_rd_init(data, size);
    uint8_t buf[YR_PACKET_MAX], out[YR_PACKET_MAX];
    struct yr_addr to;
    uint64_t cid;

    rng_state = 1;
    now.mono_us = 1000000;
    side_init(&node);
    side_init(&friend);
    befriend(&node, &friend);
    befriend(&friend, &node);
    connect_sides(&node, &friend);
    find_keys(friend.links->slots[0]->active, keys);
    memcpy(&cid, node.links->slots[0]->active->scid.data, sizeof cid);
    for (uint32_t number = 1000; yr_rd_left(&rd) > 2; number++) {
        const size_t len = yr_rd_u16(&rd) % 1400;
        const uint8_t *plain = yr_rd_bytes(&rd, YR_MIN(len, yr_rd_left(&rd)));
        const size_t n = YR_MIN(len, (size_t)(rd.at - plain));
        const bool taken =
            yr_links_recv(node.links, &addr, buf, seal(keys, cid, number, plain, n, buf), now);

        YR_ASSERT(taken || node.links->slots[0]->active == NULL || number > 1000);
        for (int i = 0; i < 50 && yr_links_poll(node.links, now, &to, out, sizeof out) > 0; i++)
            continue;
        now.mono_us += 20000;
        yr_links_tick(node.links, now);
        YR_ASSERT(node.mem.used[YR_MEM_LINK] < 8U << 20);
    }
    yr_links_free(node.links);
    yr_links_free(friend.links);
    YR_ASSERT(node.mem.used[YR_MEM_LINK] == 0);
    return 0;
}
