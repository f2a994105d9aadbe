/* tests/support/dhtscene.h: what happens to a network of DHT nodes, and how well it takes it.
 *
 * Each scene is small in tests/sim/dht_*_test.c and large in tools/sim dht --scenario NAME; both
 * say the same figures, each with its goal. */
#ifndef TEST_DHTSCENE_H
#define TEST_DHTSCENE_H

#include "tests/support/dhtnet.h"

struct dhtscene_figure {
    const char *name, *unit;
    double value, goal;
    enum dhtscene_sense { DHTSCENE_NO_GOAL, DHTSCENE_AT_LEAST, DHTSCENE_AT_MOST } sense;
    uint64_t hash; /* of the run so far */
};

struct dhtscene {
    uint32_t nodes, clients, pairs;
    uint32_t colluding, stale, churn; /* of a hundred */
    uint32_t settle_s, idle_s;
    uint64_t seed;
    void (*say)(void *ctx, const struct dhtscene_figure *figure);
    void (*progress)(void *ctx, const struct dhtnet *net, const char *what); /* may be NULL */
    void *ctx;
};

bool dhtscene_met(const struct dhtscene_figure *figure);

/** The i-th scene: false: there is no such. */
bool dhtscene_at(size_t i, const char **name, const char **what);
/** False: there is no such. */
bool dhtscene_run(const char *name, const struct dhtscene *opts);

#endif
