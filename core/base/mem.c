#include "core/base/mem.h"

// Sits before each block and keeps what follows aligned for any type.
struct header {
    _Alignas(16) size_t size;
    enum yr_mem_purpose purpose;
};

void *yr_realloc(struct yr_mem *mem, enum yr_mem_purpose purpose, void *ptr, size_t size)
{
    struct header *old = ptr != NULL ? (struct header *)ptr - 1 : NULL;
    const size_t old_size = old != NULL ? old->size : 0;
    struct header *h;

    YR_ASSERT(purpose < YR_MEM_COUNT && (old == NULL || old->purpose == purpose));
    if (size > SIZE_MAX / 2 ||
        (size > old_size && size - old_size > mem->cap[purpose] - mem->used[purpose]))
        return NULL;
    h = mem->realloc(mem->ctx, old, sizeof *h + size);
    if (h == NULL)
        return NULL;
    mem->used[purpose] = mem->used[purpose] - old_size + size;
    h->size = size;
    h->purpose = purpose;
    return h + 1;
}

void *yr_alloc(struct yr_mem *mem, enum yr_mem_purpose purpose, size_t size)
{
    void *ptr = yr_realloc(mem, purpose, NULL, size);

    if (ptr != NULL)
        memset(ptr, 0, size);
    return ptr;
}

void *yr_alloc_secret(struct yr_mem *mem, enum yr_mem_purpose purpose, size_t size)
{
    void *ptr = yr_alloc(mem, purpose, size);

    if (ptr != NULL && mem->lock != NULL && !mem->lock(mem->ctx, ptr, size))
        mem->unlocked += size;
    return ptr;
}

void yr_free(struct yr_mem *mem, void *ptr)
{
    struct header *h = ptr;

    if (ptr == NULL)
        return;
    h--;
    mem->used[h->purpose] -= h->size;
    (void)mem->realloc(mem->ctx, h, 0);
}

void yr_free_secret(struct yr_mem *mem, void *ptr)
{
    if (ptr == NULL)
        return;
    explicit_bzero(ptr, ((struct header *)ptr - 1)->size);
    yr_free(mem, ptr);
}
