/* tests/fuzz/ground.h: what a harness stands on: randomness that repeats, a heap, a check. */
#ifndef FUZZ_GROUND_H
#define FUZZ_GROUND_H

#include <stdlib.h>

#include "yaari/api.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static uint64_t rng_state; /* set it for each input, or runs differ */

static void fill(void *ctx, void *out, size_t len)
{
    uint8_t *at = out;

    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
        at[i] = (uint8_t)(rng_state >> 56);
    }
}

static void *heap(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size > 0)
        return realloc(ptr, size);
    free(ptr);
    return NULL;
}

#endif
