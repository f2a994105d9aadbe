/* core/base/map.h: an open-addressed table from 64-bit keys to pointers.
 * Keys must be random or hashed under a secret; 0 is not a key.  Iteration order is the order of
 * insertion slots and must never decide what is sent or shown. */
#ifndef YR_MAP_H
#define YR_MAP_H

#include "core/base/mem.h"

struct yr_map {
    struct yr_mem *mem;
    enum yr_mem_purpose purpose;
    struct yr_map_entry {
        uint64_t key;
        void *value; /* NULL: free or removed */
    } * entries;
    size_t cap, used, live;
};

void yr_map_init(struct yr_map *map, struct yr_mem *mem, enum yr_mem_purpose purpose);
void yr_map_clear(struct yr_map *map);
/** value not NULL; replaces.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_map_put(struct yr_map *map, uint64_t key, void *value);
/** NULL when absent. */
void *yr_map_get(const struct yr_map *map, uint64_t key);
/** An absent key is no error. */
void yr_map_del(struct yr_map *map, uint64_t key);

#endif
