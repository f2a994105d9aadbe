#include "net/random.h"

#include <pthread.h>
#include <sodium.h>

#include "core/base/base.h"

#define POOL_LEN 512 /* one system call for some twenty nonces */
#define KEY_LEN  32  /* from here on it may be a key, which does not lie about before it is used */

// What was drawn and is not given out yet, of each thread.
static _Thread_local struct {
    uint8_t bytes[POOL_LEN];
    size_t left;
} pool;

// In a child the pool would give what it gives in the parent.
static void forget(void)
{
    sodium_memzero(&pool, sizeof pool);
}

static void fill(void *ctx, void *out, size_t len)
{
    (void)ctx;
    if (len >= KEY_LEN) {
        randombytes_buf(out, len);
        return;
    }
    if (pool.left < len) {
        randombytes_buf(pool.bytes, sizeof pool.bytes);
        pool.left = sizeof pool.bytes;
    }
    pool.left -= len;
    memcpy(out, pool.bytes + pool.left, len);
    sodium_memzero(pool.bytes + pool.left, len);
}

static void init(void)
{
    YR_ASSERT(sodium_init() >= 0); // fails only where there is no randomness to be had
    YR_ASSERT(pthread_atfork(NULL, NULL, forget) == 0);
}

const struct yr_rng *yr_rng_system(void)
{
    static const struct yr_rng rng = {fill, NULL};
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init);
    return &rng;
}
