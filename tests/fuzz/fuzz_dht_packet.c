/* Datagrams for a DHT server: plaintexts that a peer seals for it as it likes, straight or in an
 * INNER, and raw bytes.  The first byte chooses; the rest are plaintexts, each `len u16 | bytes`.
 */
#include "core/dht/dht.h"
#include "tests/fuzz/ground.h"

static void on_found(void *ctx, uint64_t search, const uint8_t *record, size_t len)
{
    (void)ctx;
    (void)search;
    (void)record;
    (void)len;
}

static void on_done(void *ctx, uint64_t search, const struct yr_dht_result *result)
{
    (void)ctx;
    (void)search;
    (void)result;
}

static void on_signal(void *ctx, const uint8_t id[YR_DHT_SIGNAL_LEN], const uint8_t *bytes,
                      size_t len)
{
    (void)ctx;
    (void)id;
    (void)bytes;
    (void)len;
}

static const struct yr_rng rng = {fill, NULL};
static const struct yr_addr addr = {.family = 4, .ip = {8, 8, 8, 8}, .port = 1};

static size_t seal(const struct yr_keypair *peer, const struct yr_dht *dht, const uint8_t *plain,
                   size_t len, uint8_t *out)
{
    uint8_t k[32], nonce[24];

    fill(NULL, nonce, sizeof nonce);
    if (yr_dht_rpc_key(k, peer, yr_dht_pk(dht)) != YR_OK)
        abort();
    yr_dht_seal(out, k, peer->public_key, nonce, plain, len);
    return len + YR_DHT_OVERHEAD;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct yr_dht_calls calls = {
        .found = on_found, .done = on_done, .signal = on_signal, .ctx = NULL};
    const struct yr_dht_opts opts = {.role = YR_DHT_AS_SERVER};
    struct yr_mem mem = {.realloc = heap};
    struct yr_now now = {.mono_us = YR_S, .wall_ms = 1700000000000};
    uint8_t packet[YR_PACKET_MAX], out[YR_PACKET_MAX], plain[YR_DHT_PLAIN_MAX], seed[32];
    struct yr_rd rd = yr_rd_init(data, size);
    const uint8_t how = yr_rd_u8(&rd);
    struct yr_keypair peer, once;
    struct yr_dht *dht;
    struct yr_addr to;
    size_t len, sent;

    rng_state = 1;
    mem.cap[YR_MEM_DHT] = 4U << 20;
    if (yr_dht_new(&dht, &mem, &rng, &opts, &calls, now) != YR_OK)
        abort();
    fill(NULL, seed, sizeof seed), yr_keypair_from_seed(&peer, seed);
    fill(NULL, seed, sizeof seed), yr_keypair_from_seed(&once, seed);
    while (yr_rd_left(&rd) > 2) {
        struct yr_dht_msg msg = {.op = YR_DHT_INNER, .bytes = packet};
        const size_t said = yr_rd_u16(&rd);
        size_t n = YR_MIN(said, yr_rd_left(&rd));
        const uint8_t *bytes;

        n = YR_MIN(n, how % 3 == 1 ? YR_DHT_INNER_MAX - YR_DHT_OVERHEAD : sizeof plain);
        bytes = yr_rd_bytes(&rd, n);
        memset(plain, 0, sizeof plain);
        yr_copy(plain, bytes, n);
        if (how % 3 == 0) {
            len = seal(&peer, dht, plain, YR_MAX(n, (size_t)256), packet);
        } else if (how % 3 == 1) {
            msg.len = seal(&once, dht, plain, YR_MAX(n, (size_t)256), packet);
            if (yr_dht_encode(&msg, plain, sizeof plain, &len) != YR_OK)
                abort();
            len = seal(&peer, dht, plain, len, packet);
        } else {
            memcpy(packet, plain, n);
            packet[0] = YR_DHT_TYPE;
            len = YR_MAX(n, (size_t)1);
        }
        yr_dht_recv(dht, now, &addr, packet, len);
        sent = 0;
        for (size_t m; (m = yr_dht_poll(dht, &to, out, sizeof out)) > 0;)
            sent += yr_addr_eq(&to, &addr) ? m : 0;
        YR_ASSERT(sent <= 3 * len); // whoever wrote that address
        now.mono_us += 300 * YR_MS;
        yr_dht_tick(dht, now);
        while (yr_dht_poll(dht, &to, out, sizeof out) > 0)
            continue;
    }
    yr_dht_free(dht);
    YR_ASSERT(mem.used[YR_MEM_DHT] == 0);
    return 0;
}
