#include "tests/support/sim/restore.h"

#include <stdlib.h>

#include "tests/support/sim/state.h"

static void add(struct sim_backup *b, const uint8_t *record, size_t len)
{
    if (b->cap - b->len < len + 4) {
        b->cap = (b->cap + len + 4) * 2;
        b->bytes = realloc(b->bytes, b->cap);
        sim_check(b->bytes != NULL, "no memory for a backup");
    }
    for (size_t i = 0; i < 4; i++)
        b->bytes[b->len++] = (uint8_t)(len >> 8 * i);
    memcpy(b->bytes + b->len, record, len);
    b->len += len;
    b->count++;
}

struct sim_backup sim_backup(struct sim *sim, unsigned node)
{
    const struct sim_node *sn = sim->nodes[node];
    struct yr_memstore *still = yr_memstore_copy(sn->store);
    uint8_t *record = malloc(YR_BACKUP_RECORD_MAX);
    struct yr_mem mem = sn->mem;
    struct sim_backup out = {0};
    struct yr_backup *b;
    size_t len;
    enum yr_err err;

    sim_check(record != NULL, "no memory for a backup");
    err = yr_backup_new(&b, &mem, &sn->rng, yr_memstore_view(still), sn->vk,
                        yr_memstore_shred_file(still), sim_now(sim, node).wall_ms);
    sim_check(err == YR_OK, "a backup cannot be made");
    while ((err = yr_backup_next(b, record, &len)) == YR_OK) {
        sim_check(yr_backup_check(&out.info, record, len) == YR_OK, "a backup cannot be read");
        add(&out, record, len);
    }
    sim_check(err == YR_ENOENT && out.info.ended, "a backup has no end");
    yr_backup_free(b);
    yr_memstore_free(still);
    free(record);
    return out;
}

void sim_backup_free(struct sim_backup *b)
{
    free(b->bytes);
    memset(b, 0, sizeof *b);
}

const uint8_t *sim_backup_at(const struct sim_backup *b, size_t i, size_t *len)
{
    for (size_t at = 0; at < b->len; at += 4 + *len, i--) {
        *len = b->bytes[at] | (size_t)b->bytes[at + 1] << 8 | (size_t)b->bytes[at + 2] << 16;
        if (i == 0)
            return b->bytes + at + 4;
    }
    return NULL;
}

unsigned sim_restore(struct sim *sim, const struct sim_backup *b)
{
    const unsigned node = sim_add_nobody(sim);

    sim_restore_into(sim, b, node);
    return node;
}

void sim_restore_into(struct sim *sim, const struct sim_backup *b, unsigned node)
{
    size_t len, at = 0;

    while (at < b->len) {
        len = b->bytes[at] | (size_t)b->bytes[at + 1] << 8 | (size_t)b->bytes[at + 2] << 16;
        sim_check(yr_node_restore(sim_node(sim, node), sim_now(sim, node), b->bytes + at + 4, len,
                                  UINT64_MAX) == YR_OK,
                  "a record is not taken");
        sim_drain(sim, node);
        at += 4 + len;
    }
    sim_run(sim, YR_S); // durable
    memcpy(sim->nodes[node]->id, b->info.id, sizeof b->info.id);
    sim_crash(sim, node);
    sim_restart(sim, node);
}
