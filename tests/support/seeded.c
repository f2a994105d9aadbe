#include "tests/support/seeded.h"

#include <stdio.h>

uint64_t seeded_u64(struct seeded *s)
{
    uint64_t z = s->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fill(void *ctx, void *out, size_t len)
{
    uint8_t *at = out;
    uint64_t word;

    for (size_t n; len > 0; at += n, len -= n) {
        n = YR_MIN(len, sizeof word);
        word = seeded_u64(ctx);
        memcpy(at, &word, n);
    }
}

void seeded_init(struct seeded *s, uint64_t seed)
{
    s->state = seed;
    s->rng = (struct yr_rng){fill, s};
}

size_t seeded_below(struct seeded *s, size_t bound)
{
    return (size_t)(seeded_u64(s) % bound);
}

uint64_t seeded_seed(const char *test, uint64_t fallback)
{
    const char *env = getenv("YAARI_SEED");
    const uint64_t seed = env != NULL ? strtoull(env, NULL, 0) : fallback;

    printf("%s: YAARI_SEED=%#llx\n", test, (unsigned long long)seed);
    return seed;
}

static void *test_realloc(void *ctx, void *ptr, size_t size)
{
    struct test_mem *m = ctx;
    void *next;

    if (size == 0) {
        m->live -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (m->left == 0)
        return NULL;
    if (m->left != SIZE_MAX)
        m->left--;
    next = realloc(ptr, size);
    if (next != NULL && ptr == NULL)
        m->live++;
    return next;
}

void test_mem_init(struct test_mem *m, size_t cap)
{
    *m = (struct test_mem){.mem = {.realloc = test_realloc, .ctx = m}, .left = SIZE_MAX};
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        m->mem.cap[i] = cap;
}
