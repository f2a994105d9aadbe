/* net/mem.h: the node's memory over the C library, and locked memory for long-lived secrets. */
#ifndef YR_NET_MEM_H
#define YR_NET_MEM_H

#include "yaari/api.h"

/** An allocator over realloc/free with the caps of a person's node. */
void yr_mem_init(struct yr_mem *mem);

/** `size` bytes between guard pages, out of swap and core dumps as far as the system lets us; not
 *  zeroed.  NULL when there is no memory.  Give back with yr_locked_free. */
YR_MUST_USE void *yr_locked_alloc(size_t size);
/** Wipe and give back; NULL is fine. */
void yr_locked_free(void *ptr);

#endif
