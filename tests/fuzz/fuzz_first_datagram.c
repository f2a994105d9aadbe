/* Datagrams for a node with one friend: from strangers, from a wire that changes bits, and from a
 * friend who seals whatever he likes into an Initial packet. */
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
static const struct yr_now now = {.mono_us = 1000000, .wall_ms = 1700000000000};
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

// The dialler's first packet.
static size_t valid(struct side *dialler, uint8_t buf[YR_PACKET_MAX])
{
    struct yr_addr to;

    if (yr_links_dial(dialler->links, 0, &addr, false, now) != YR_OK)
        abort();
    return yr_links_poll(dialler->links, now, &to, buf, YR_PACKET_MAX);
}

// An Initial packet under the pair's keys with `plain` inside.
static size_t seal(const struct side *dialler, const uint8_t *plain, size_t len,
                   uint8_t buf[YR_PACKET_MAX])
{
    const struct yr_link *link = dialler->links->slots[0];
    uint8_t secrets[2][32], key[32], iv[12], hp[32], mask[5], padded[1200 - 36 - 1 - YR_TAG_LEN];
    const uint16_t body = (uint16_t)(1 + sizeof padded + YR_TAG_LEN);
    const size_t head = 36;

    memset(padded, 0, sizeof padded);
    memcpy(padded, plain, YR_MIN(len, sizeof padded));
    memcpy(buf, "\xc0\0\0\0\1\22", 6);
    fill(NULL, buf + 6, YR_CID1_RAND);
    yr_siphash(buf + 16, link->keys[0].hint[link->out], buf + 6, YR_CID1_RAND);
    buf[24] = YR_CID_LEN;
    fill(NULL, buf + 25, YR_CID_LEN);
    buf[33] = 0;
    buf[34] = (uint8_t)(0x40 | body >> 8);
    buf[35] = (uint8_t)body;
    buf[head] = 0; // packet number
    yr_initial_secrets(secrets, link->keys[0].init[link->out], buf + 6, YR_CID1_LEN);
    yr_packet_keys(secrets[0], key, iv, hp);
    yr_seal_c(buf + head + 1, key, iv, buf, head + 1, padded, sizeof padded);
    yr_hp_mask(mask, hp, buf + head + 4);
    buf[0] ^= mask[0] & 0x0f;
    buf[head] ^= mask[1];
    return head + body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct side node, friend;
    uint8_t buf[YR_PACKET_MAX], out[YR_PACKET_MAX];
    struct yr_addr to;
    size_t len, used;

    if (size < 1)
        return 0;
    rng_state = 1;
    side_init(&node);
    side_init(&friend);
    befriend(&node, &friend);
    befriend(&friend, &node);
    used = node.mem.used[YR_MEM_LINK];
    switch (data[0] % 3) {
    case 0:
        len = YR_MIN(size - 1, sizeof buf);
        memcpy(buf, data + 1, len);
        break;
    case 1:
        len = valid(&friend, buf);
        for (size_t i = 1; i + 3 <= size; i += 3)
            buf[(data[i] | (size_t)data[i + 1] << 8) % len] ^= data[i + 2];
        break;
    default: len = seal(&friend, data + 1, size - 1, buf);
    }
    if (!yr_links_recv(node.links, &addr, buf, len, now)) {
        YR_ASSERT(node.mem.used[YR_MEM_LINK] == used);
        YR_ASSERT(yr_links_poll(node.links, now, &to, out, sizeof out) == 0);
    }
    while (yr_links_poll(node.links, now, &to, out, sizeof out) > 0)
        continue;
    yr_links_free(node.links);
    yr_links_free(friend.links);
    YR_ASSERT(node.mem.used[YR_MEM_LINK] == 0);
    return 0;
}
