#include "net/mem.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/base.h"

#define MIB ((size_t)1 << 20)

// Far above what 256 friends need (some 20 MiB): a cap stops a leak or a flood, not a busy day.  A
// room of as many control records as there may be takes up to 70.
static const size_t caps[YR_MEM_COUNT] = {
    [YR_MEM_NODE] = 64 * MIB,  [YR_MEM_LINK] = 256 * MIB, [YR_MEM_STORE] = 256 * MIB,
    [YR_MEM_CHAT] = 128 * MIB, [YR_MEM_ROOM] = 256 * MIB, [YR_MEM_DHT] = 16 * MIB,
};

static void *system_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size > 0)
        return realloc(ptr, size);
    free(ptr); // realloc(ptr, 0) may do either
    return NULL;
}

// Never given back: other secrets may be on the same pages, and they are few.
static bool system_lock(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    return mlock(ptr, size) == 0;
}

void yr_mem_init(struct yr_mem *mem)
{
    memset(mem, 0, sizeof *mem);
    mem->realloc = system_realloc;
    mem->lock = system_lock;
    memcpy(mem->cap, caps, sizeof caps);
}

void *yr_locked_alloc(size_t size)
{
    YR_ASSERT(sodium_init() >= 0);
    return sodium_malloc(size); // goes on without mlock where RLIMIT_MEMLOCK is spent
}

void yr_locked_free(void *ptr)
{
    sodium_free(ptr);
}
