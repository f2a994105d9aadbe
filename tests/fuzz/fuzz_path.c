/* Probes, answers, signals and ADDRS frames for a path layer.  The first byte chooses what the rest
 * is: a frame's body, an offer or a probe that a friend seals, or raw bytes. */
#include "core/path/packet.h"
#include "core/path/paths.h"
#include "tests/fuzz/ground.h"

static uint64_t token;

static uint64_t on_clock(void *ctx, unsigned slot, const struct yr_probe_clock *clock)
{
    (void)ctx, (void)slot, (void)clock;
    return ++token;
}

static void on_addr(void *ctx, unsigned slot, const struct yr_addr *addr)
{
    (void)ctx, (void)slot, (void)addr;
}

static void on_need(void *ctx, unsigned slot, unsigned times)
{
    (void)ctx, (void)slot, (void)times;
}

static void on_here(void *ctx, unsigned slot, struct yr_offer *out)
{
    (void)ctx, (void)slot, (void)out;
}

static enum yr_err on_frame(void *ctx, unsigned slot, const uint8_t *body, size_t len)
{
    struct yr_offer offer;

    (void)ctx, (void)slot;
    REQUIRE(yr_offer_decode(&offer, body, len) == YR_OK); // what we say can be read
    return YR_OK;
}

static bool yes(void *ctx, unsigned slot)
{
    (void)ctx, (void)slot;
    return true;
}

static void on_signal(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    (void)ctx, (void)slot, (void)bytes;
    REQUIRE(len == YR_SIGNAL_BYTES);
}

static void on_told(void *ctx, unsigned slot, const struct yr_offer *offer)
{
    (void)ctx, (void)slot;
    REQUIRE(offer->addr_count <= YR_OWN_ADDRS_MAX && offer->relay_count <= YR_OFFER_RELAYS_MAX &&
            offer->signal_count <= YR_RV_RELAYS_MAX);
}

static yr_us on_heard(void *ctx, unsigned slot)
{
    (void)ctx, (void)slot;
    return 0;
}

static void on_keepalive(void *ctx, unsigned seconds, bool learnt)
{
    (void)ctx, (void)seconds, (void)learnt;
}

static void on_note(void *ctx, unsigned slot, enum yr_way way, enum yr_outcome outcome,
                    const struct yr_addr *addr)
{
    (void)ctx, (void)slot, (void)way, (void)outcome, (void)addr;
}

static const struct yr_rng rng = {fill, NULL};

// Whatever it is, it goes to nobody's address, and there is a bound to it.
static void drain(struct yr_paths *paths, struct yr_now now)
{
    uint8_t buf[YR_PACKET_MAX];
    struct yr_addr to;
    unsigned count = 0;
    bool open;

    yr_paths_release(paths, token, now);
    while (yr_paths_socket(paths, &to, &open))
        REQUIRE(to.local >= 1 && to.local <= YR_SOCKETS_MAX);
    while (yr_paths_poll(paths, now, &to, buf, sizeof buf) > 0) {
        REQUIRE(to.port != 0 && !yr_addr_multicast(&to));
        REQUIRE(++count <= 2 * YR_PROBE_QUEUE_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct yr_path_ops ops = {.clock = on_clock,
                                    .found = on_addr,
                                    .move = on_addr,
                                    .need = on_need,
                                    .here = on_here,
                                    .frame = on_frame,
                                    .can_signal = yes,
                                    .signal = on_signal,
                                    .told = on_told,
                                    .heard = on_heard,
                                    .waiting = yes,
                                    .keepalive = on_keepalive,
                                    .note = on_note};
    const struct yr_addr own = {.family = 4, .ip = {192, 168, 1, 5}, .port = 7000},
                         from = {.family = 4, .ip = {8, 8, 8, 8}, .port = 1},
                         via = {.family = YR_FAMILY_VIA, .ip = {1}, .port = 1};
    const uint8_t secret[32] = {1}, low[32] = {1}, high[32] = {2};
    const struct yr_probe_clock clock = {.ours = 0};
    struct yr_now now = {.mono_us = YR_S, .wall_ms = 1700000000000};
    struct yr_mem mem = {.realloc = heap};
    struct yr_rd rd = yr_rd_init(data, size);
    struct yr_pair ours, theirs;
    struct yr_paths *paths;
    struct yr_nat nat;

    for (int i = 0; i < YR_MEM_COUNT; i++)
        mem.cap[i] = (size_t)16 << 20;
    rng_state = 1;
    token = 0;
    yr_nat_init(&nat, &rng);
    yr_pair_derive(&ours, 0, secret, low, high);
    yr_pair_derive(&theirs, 0, secret, high, low);
    if (yr_paths_new(&paths, &mem, &rng, &nat, &ops) != YR_OK)
        abort();
    yr_paths_set(paths, 0, &ours, &clock, now);
    yr_paths_moved(paths, &own, 1, now);
    while (yr_rd_left(&rd) > 2) {
        const uint8_t how = yr_rd_u8(&rd);
        const size_t asked = yr_rd_u16(&rd) % YR_PACKET_MAX;
        const size_t len = YR_MIN(asked, yr_rd_left(&rd));
        const uint8_t *bytes = yr_rd_bytes(&rd, len);
        uint8_t packet[YR_PACKET_MAX];
        struct yr_offer offer;
        struct yr_probe probe = {.type = how & 0x80 ? YR_PROBE : YR_ANSWER};
        size_t i = 0;

        switch (how % 8) {
        case 0: (void)!yr_paths_frame(paths, 0, bytes, len, now); break;
        case 1:
            if (yr_offer_decode(&offer, bytes, len) != YR_OK)
                break;
            yr_signal_seal(packet, &theirs, &offer, &rng);
            yr_paths_recv(paths, now, &from, packet, YR_SIGNAL_BYTES);
            break;
        case 2:
            for (; i < len && i < sizeof probe.random; i++)
                probe.random[i] = bytes[i];
            probe.ms = (uint64_t)now.wall_ms + (i < len ? bytes[i] : 0U);
            probe.delay_s = how;
            yr_probe_seal(packet, &theirs, &probe, &rng);
            yr_paths_recv(paths, now, how & 0x40 ? &via : &from, packet, YR_PROBE_LEN);
            break;
        case 3: yr_paths_recv(paths, now, &from, bytes, len); break;
        case 4: yr_paths_linked(paths, 0, how & 0x40 ? &via : &from, now); break;
        case 5: yr_paths_linked(paths, 0, NULL, now); break;
        case 6: yr_paths_doubt(paths, 0, now); break;
        default: (void)!yr_paths_networks_load(paths, bytes, len); break;
        }
        now.mono_us += how * YR_MS;
        now.wall_ms += how;
        yr_paths_tick(paths, now);
        drain(paths, now);
    }
    yr_paths_free(paths);
    REQUIRE(mem.used[YR_MEM_NODE] == 0);
    return 0;
}
