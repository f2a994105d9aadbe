#include "core/base/map.h"

#define CAP_MIN 16

void yr_map_init(struct yr_map *map, struct yr_mem *mem, enum yr_mem_purpose purpose)
{
    *map = (struct yr_map){.mem = mem, .purpose = purpose};
}

void yr_map_clear(struct yr_map *map)
{
    if (map->mem != NULL)
        yr_free(map->mem, map->entries);
    map->entries = NULL;
    map->cap = map->used = map->live = 0;
}

// The slot of `key`, or else the one where it would go (a removed one before a free one).
// An entry is free when its key is 0, removed when only its value is gone; a table that exists
// always has a free entry, so the walk ends.
static struct yr_map_entry *find(const struct yr_map *map, uint64_t key)
{
    struct yr_map_entry *removed = NULL;

    for (size_t i = (size_t)key;; i++) {
        struct yr_map_entry *entry = &map->entries[i & (map->cap - 1)];

        if (entry->key == 0)
            return removed != NULL ? removed : entry;
        if (entry->value == NULL) {
            if (removed == NULL)
                removed = entry;
        } else if (entry->key == key) {
            return entry;
        }
    }
}

// A new table, at most half full with what lives; removed entries stay behind.
static enum yr_err rebuild(struct yr_map *map)
{
    struct yr_map next = *map;

    next.cap = CAP_MIN;
    while (next.cap < 2 * (map->live + 1))
        next.cap *= 2;
    next.entries = yr_alloc(map->mem, map->purpose, next.cap * sizeof *next.entries);
    if (next.entries == NULL)
        return YR_ENOMEM;
    for (size_t i = 0; i < map->cap; i++)
        if (map->entries[i].value != NULL)
            *find(&next, map->entries[i].key) = map->entries[i];
    next.used = map->live;
    yr_free(map->mem, map->entries);
    *map = next;
    return YR_OK;
}

enum yr_err yr_map_put(struct yr_map *map, uint64_t key, void *value)
{
    struct yr_map_entry *entry;
    enum yr_err err;

    YR_ASSERT(key != 0 && value != NULL);
    entry = map->cap > 0 ? find(map, key) : NULL;
    if (entry != NULL && entry->value != NULL) {
        entry->value = value;
        return YR_OK;
    }
    if (entry == NULL || (entry->key == 0 && 4 * (map->used + 1) > 3 * map->cap)) {
        if ((err = rebuild(map)) != YR_OK)
            return err;
        entry = find(map, key);
    }
    map->used += entry->key == 0;
    map->live++;
    *entry = (struct yr_map_entry){key, value};
    return YR_OK;
}

void *yr_map_get(const struct yr_map *map, uint64_t key)
{
    return map->cap > 0 && key != 0 ? find(map, key)->value : NULL;
}

void yr_map_del(struct yr_map *map, uint64_t key)
{
    struct yr_map_entry *entry;

    if (map->cap == 0 || key == 0)
        return;
    entry = find(map, key);
    if (entry->value == NULL)
        return;
    entry->value = NULL;
    map->live--;
}
