/* core/base/base.h: assertions and the few macros every room uses. */
#ifndef YR_BASE_H
#define YR_BASE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "yaari/api.h"
#include "yaari/error.h"

/** A broken promise of our own: stops the program, in release builds too.  Never on bytes from
 *  the network or the disk. */
#define YR_ASSERT(cond) ((cond) ? (void)0 : yr_assert_failed(#cond, __FILE__, __LINE__))
YR_NORETURN void yr_assert_failed(const char *cond, const char *file, int line);

#define YR_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define YR_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define YR_MAX(a, b)    ((a) > (b) ? (a) : (b))

#define YR_MS     1000ULL    /* microseconds */
#define YR_S      1000000ULL /* microseconds */
#define YR_MIN_US (60 * YR_S)
#define YR_DAY_S  86400u
#define YR_DAY_MS 86400000LL

static inline void yr_random(const struct yr_rng *rng, void *out, size_t len)
{
    rng->fill(rng->ctx, out, len);
}

/** How long to wait after the n-th try (0, 1, ...) for someone who may be there: often at first,
 *  when somebody is looking at the screen and packets get lost, then once a minute. */
static inline yr_us yr_backoff(unsigned tries)
{
    static const uint16_t steps[] = {5, 10, 10, 20, 20, 40, 40, 80, 80, 160, 300}; /* 0.1 s */

    return tries < YR_COUNT(steps) ? steps[tries] * 100 * YR_MS : YR_MIN_US;
}

/** memcpy that takes NULL for nothing. */
static inline void yr_copy(void *dst, const void *src, size_t len)
{
    if (len > 0)
        memcpy(dst, src, len);
}

static inline bool yr_addr_eq(const struct yr_addr *a, const struct yr_addr *b)
{
    return a->family == b->family && a->port == b->port && a->scope == b->scope &&
           a->local == b->local && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

/** A UDP address, which may be told to others; not a circuit. */
static inline bool yr_addr_udp(const struct yr_addr *addr)
{
    return addr->family == 4 || addr->family == 6;
}
/** 127/8, ::1. */
bool yr_addr_loopback(const struct yr_addr *addr);
/** 224/4, ff00::/8. */
bool yr_addr_multicast(const struct yr_addr *addr);

#endif
