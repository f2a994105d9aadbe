#include "core/dht/lately.h"

#include "core/crypto/kdf.h"
#include "core/limits.h"

static void turn(struct yr_dht_lately *l, yr_us now)
{
    if (now < l->turn_us)
        return;
    if (now - l->turn_us >= YR_DHT_QUIET_S * YR_S) // both are of no use any more
        memset(l->bits[l->current], 0, sizeof l->bits[0]);
    l->current ^= 1;
    memset(l->bits[l->current], 0, sizeof l->bits[0]);
    l->turn_us = now + YR_DHT_QUIET_S * YR_S;
}

static uint64_t hash(const uint8_t key[16], const struct yr_addr *addr, bool port)
{
    uint8_t in[19] = {addr->family}, out[8];
    uint64_t value;

    memcpy(in + 1, addr->ip, addr->family == 4 ? 4 : 16);
    in[17] = port ? (uint8_t)(addr->port >> 8) : 0;
    in[18] = port ? (uint8_t)addr->port : 0;
    yr_siphash(out, key, in, sizeof in);
    memcpy(&value, out, sizeof value);
    return value;
}

// Three bits stand for an address.
static bool look(uint64_t *bits, uint64_t value, bool set)
{
    bool all = true;

    for (int i = 0; i < 3; i++, value >>= 12) {
        uint64_t *word = &bits[value % YR_DHT_LATELY_WORDS];
        const uint64_t bit = (uint64_t)1 << (value >> 6 & 63);

        all &= (*word & bit) != 0;
        *word |= set ? bit : 0;
    }
    return all;
}

void yr_dht_lately_sent(struct yr_dht_lately *l, const uint8_t key[16], const struct yr_addr *to,
                        bool port, yr_us now)
{
    turn(l, now);
    (void)look(l->bits[l->current], hash(key, to, port), true);
}

bool yr_dht_lately_has(struct yr_dht_lately *l, const uint8_t key[16], const struct yr_addr *addr,
                       bool port, yr_us now)
{
    const uint64_t value = hash(key, addr, port);

    turn(l, now);
    return look(l->bits[0], value, false) || look(l->bits[1], value, false);
}
