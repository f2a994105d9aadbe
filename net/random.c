#include "net/random.h"

#include <sodium.h>

#include "core/base/base.h"

static void fill(void *ctx, void *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

const struct yr_rng *yr_rng_system(void)
{
    static const struct yr_rng rng = {fill, NULL};

    YR_ASSERT(sodium_init() >= 0); // fails only where there is no randomness to be had
    return &rng;
}
