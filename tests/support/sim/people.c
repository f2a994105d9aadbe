#include "tests/support/sim/people.h"

#include <string.h>

const char *const nat_class_names[NAT_CLASSES] = {"open", "full-cone", "restricted",
                                                  "port-restricted", "symmetric"};

const struct people_mix people_mixes[3] = {
    {"desktop-heavy", {15, 15, 25, 37, 8}},
    {"balanced", {10, 12, 18, 42, 18}},
    {"mobile-heavy", {5, 10, 15, 35, 35}},
};

const struct people_mix *people_mix(const char *name)
{
    for (size_t i = 0; i < YR_COUNT(people_mixes); i++)
        if (strcmp(people_mixes[i].name, name) == 0)
            return &people_mixes[i];
    return NULL;
}

struct nat_opts nat_class_opts(enum nat_class class)
{
    struct nat_opts opts = nat_opts_default();

    switch (class) {
    case NAT_OPEN:
    case NAT_FULL_CONE: opts.filtering = NAT_ANY; break;
    case NAT_RESTRICTED: opts.filtering = NAT_ADDRESS; break;
    case NAT_PORT_RESTRICTED: opts.filtering = NAT_PORT; break;
    case NAT_SYMMETRIC:
        opts.mapping = opts.filtering = NAT_PORT;
        opts.ports = NAT_RANDOM;
        break;
    }
    return opts;
}

enum nat_best nat_theory(enum nat_class a, enum nat_class b)
{
    if (a == NAT_SYMMETRIC && b == NAT_SYMMETRIC)
        return NAT_RELAYED;
    if ((a == NAT_SYMMETRIC && b == NAT_PORT_RESTRICTED) ||
        (b == NAT_SYMMETRIC && a == NAT_PORT_RESTRICTED))
        return NAT_GUESSED;
    return NAT_DIRECT;
}

unsigned people_theory(const struct people_mix *mix, bool guesses)
{
    unsigned sum = 0;

    for (enum nat_class a = NAT_OPEN; a <= NAT_SYMMETRIC; a++)
        for (enum nat_class b = NAT_OPEN; b <= NAT_SYMMETRIC; b++) {
            const enum nat_best best = nat_theory(a, b);
            if (best == NAT_DIRECT || (best == NAT_GUESSED && guesses))
                sum += mix->share[a] * mix->share[b] * (best == NAT_GUESSED ? 98 : 100);
        }
    return sum / 1000;
}

enum nat_class people_class(const struct people_mix *mix, uint64_t draw)
{
    uint64_t left = draw % 100;

    for (enum nat_class c = NAT_OPEN; c < NAT_SYMMETRIC; c++) {
        if (left < mix->share[c])
            return c;
        left -= mix->share[c];
    }
    return NAT_SYMMETRIC;
}

// A digit of a draw, that below `below`, and the rest of it.
static unsigned digit(uint64_t *draw, unsigned below)
{
    const unsigned out = (unsigned)(*draw % below);

    *draw /= below;
    return out;
}

unsigned people_settle(struct sim *sim, unsigned node, enum nat_class class, uint64_t draw)
{
    static const unsigned timeouts[] = {30, 60, 60, 120, 120, 180, 300, 300};
    struct nat_opts opts = nat_class_opts(class), home = nat_class_opts(NAT_FULL_CONE);
    unsigned box;

    if (class == NAT_OPEN) {
        sim_behind(sim, node, SIM_INTERNET);
        return SIM_INTERNET;
    }
    opts.timeout_us = timeouts[digit(&draw, YR_COUNT(timeouts))] * YR_S;
    opts.refresh_in = digit(&draw, 2) == 0;
    opts.hairpin = digit(&draw, 2) == 0;
    box = sim_nat(sim, &opts);
    if (digit(&draw, 5) == 0) // a carrier's box, and one at home that is no worse
        sim_behind(sim, node, sim_nat_behind(sim, &home, box));
    else
        sim_behind(sim, node, box);
    return box;
}

// -ln(draw / 2^64) in 2^-32, by squaring: the same on every machine.
static uint64_t minus_ln(uint64_t draw)
{
    const uint64_t ln2 = 2977044472; // in 2^-32
    uint64_t log2 = 0, m;
    unsigned shift = 0;

    for (draw |= 1; draw >> 63 == 0; shift++)
        draw <<= 1;
    m = draw >> 32; // 1..2 in 2^-31
    for (unsigned bit = 0; bit < 32; bit++) {
        m = m * m >> 31;
        log2 <<= 1;
        if (m >> 32 != 0) {
            log2 |= 1;
            m >>= 1;
        }
    }
    return (((uint64_t)shift + 1) * ln2) - (log2 * ln2 >> 32);
}

yr_us people_stay(uint64_t draw, yr_us median)
{
    const uint64_t x = minus_ln(draw) >> 16; // in 2^-16
    // (-ln u)^2 * median / (ln 2)^2
    return (yr_us)((x * x >> 16) * (median / YR_MS) / 31487) * YR_MS;
}
