/* core/base/mem.h: allocation through the node's allocator, counted against a cap per purpose. */
#ifndef YR_MEM_H
#define YR_MEM_H

#include "core/base/base.h"

/** `size` zeroed bytes, or NULL when the cap of `purpose` or the allocator refuses.
 *  Owned by the caller; give back with yr_free and the same `mem`. */
YR_MUST_USE void *yr_alloc(struct yr_mem *mem, enum yr_mem_purpose purpose, size_t size);

/** yr_alloc for what holds long-lived secrets: kept out of swap as far as the allocator can.  Give
 *  back with yr_free_secret; never to be grown. */
YR_MUST_USE void *yr_alloc_secret(struct yr_mem *mem, enum yr_mem_purpose purpose, size_t size);

/** Grow or shrink; new bytes are not zeroed.  On NULL `ptr` stays as it was.  NULL ptr allocates.
 */
YR_MUST_USE void *yr_realloc(struct yr_mem *mem, enum yr_mem_purpose purpose, void *ptr,
                             size_t size);

/** Give back; NULL is fine. */
void yr_free(struct yr_mem *mem, void *ptr);

/** Wipe, then give back; NULL is fine. */
void yr_free_secret(struct yr_mem *mem, void *ptr);

#endif
