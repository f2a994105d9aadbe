/* tests/support/seeded.h: randomness from a seed and memory that can refuse, for tests of core. */
#ifndef TEST_SEEDED_H
#define TEST_SEEDED_H

#include "core/base/mem.h"

/** A stream of bytes that a seed repeats (splitmix64). */
struct seeded {
    uint64_t state;
    struct yr_rng rng; /* fills from this stream; valid while the struct stays where it is */
};
void seeded_init(struct seeded *s, uint64_t seed);
uint64_t seeded_u64(struct seeded *s);
/** Uniform enough below `bound` (> 0). */
size_t seeded_below(struct seeded *s, size_t bound);

/** YAARI_SEED from the environment, else `fallback`; printed, so that a failure can be repeated. */
uint64_t seeded_seed(const char *test, uint64_t fallback);

/** The C library's allocator with `cap` bytes for each purpose. */
struct test_mem {
    struct yr_mem mem;
    size_t left; /* allocations that still succeed; SIZE_MAX: all */
    size_t live; /* blocks not given back */
};
void test_mem_init(struct test_mem *m, size_t cap);

#endif
