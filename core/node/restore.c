/* core/node/restore.c: a node that is made of a backup.  docs/protocol.md "Backup". */
#include "core/node/backup.h"
#include "core/node/state.h"

#define EPOCH_MS 1577836800000LL /* 2020-01-01: generations count minutes since then */

enum yr_err yr_node_vault_key(const struct yr_node *n, uint8_t vk[32])
{
    if (!n->unlocked)
        return YR_ELOCKED;
    return n->has_identity ? yr_rows_vault_key(n->rows, vk) : YR_ENOID;
}

struct yr_restore {
    struct yr_backup_info info;
    uint8_t root[32];
    char nick[YR_NICK_MAX + 1], status[YR_STATUS_MAX + 1];
};

void yr_restore_free(struct yr_node *n)
{
    yr_free_secret(n->mem, n->restore);
    n->restore = NULL;
}

static void copy_text(char *out, const struct yr_value *text)
{
    memcpy(out, text->data, text->len);
    out[text->len] = '\0';
}

static void restore_head(struct yr_restore *at, const struct yr_backup_record *r)
{
    memcpy(at->root, r->values[2].data, sizeof at->root);
    copy_text(at->nick, &r->values[5]);
    copy_text(at->status, &r->values[6]);
}

static uint32_t day_of(yr_ms wall_ms)
{
    return (uint32_t)(YR_MAX(wall_ms, 0) / YR_DAY_MS);
}

// Nothing of the old device's goes on: what rows say of it is made anew.
static enum yr_err restore_row(struct yr_node *n, const struct yr_backup_record *r)
{
    const struct yr_value *owner = &r->values[2], *suffix = &r->values[3], *value = &r->values[4];
    uint8_t days[128], seal[40] = {0};
    const uint8_t *bytes = value->data;
    enum yr_err err;

    if (r->table == YR_TABLE_TIMEKEY) {
        if (value->len > sizeof days)
            return YR_EPROTO;
        memcpy(days, value->data, value->len);
        if (yr_delivery_days_restored(days, value->len, day_of(n->restore->info.made_ms),
                                      day_of(n->now.wall_ms)) != YR_OK)
            return YR_EPROTO;
        bytes = days;
    }
    err = yr_rows_put(n->rows, r->table, owner->data, owner->len, suffix->data, suffix->len, bytes,
                      value->len);
    yr_wipe(days, sizeof days);
    if (err == YR_OK && r->table == YR_TABLE_ROOM) { // its key is replaced by one that is told
        yr_random(n->rng, seal + 8, 32);
        err = yr_rows_put(n->rows, YR_TABLE_ROOMSEAL, NULL, 0, suffix->data, suffix->len, seal,
                          sizeof seal);
        yr_wipe(seal, sizeof seal);
    }
    return err;
}

static void restore_end(struct yr_node *n)
{
    const struct yr_restore *at = n->restore;
    const yr_ms minutes = (n->now.wall_ms - EPOCH_MS) / 60000;
    uint32_t gen = at->info.gen + 1;
    uint8_t device[32];

    if (minutes > (yr_ms)gen && minutes < UINT32_MAX)
        gen = (uint32_t)minutes;
    yr_random(n->rng, device, sizeof device);
    yr_identity_from(&n->self, at->root, device, gen, n->now.wall_ms);
    yr_wipe(device, sizeof device);
    memcpy(n->nick, at->nick, sizeof n->nick);
    memcpy(n->status, at->status, sizeof n->status);
    yr_self_store(n);
    yr_self_restored(n);
    yr_identity_clear(&n->self); // it lives from the next opening on
}

enum yr_err yr_node_restore(struct yr_node *n, struct yr_now now, const uint8_t *record, size_t len,
                            uint64_t ticket)
{
    struct yr_event done = {.kind = YR_EV_DONE, .ticket = ticket};
    struct yr_backup_info info = {0};
    struct yr_backup_record r;
    enum yr_err err;

    n->now = now;
    if (!n->unlocked)
        return YR_ELOCKED;
    if (n->failing || n->tripped != YR_OK)
        return n->failing ? n->fail_err : n->tripped;
    if (n->has_identity)
        return YR_EEXIST;
    if (n->restore == NULL &&
        (n->restore = yr_alloc_secret(n->mem, YR_MEM_NODE, sizeof *n->restore)) == NULL)
        return YR_ENOMEM;
    info = n->restore->info;
    if ((err = yr_backup_decode(&r, record, len)) != YR_OK ||
        (err = yr_backup_follow(&info, &r)) != YR_OK)
        return err;
    n->restore->info = info;
    switch (r.kind) {
    case YR_RECORD_HEAD: restore_head(n->restore, &r); return YR_OK;
    case YR_RECORD_ROW: return restore_row(n, &r);
    case YR_RECORD_END: break;
    }
    restore_end(n);
    memcpy(done.conv, info.id, sizeof done.conv);
    yr_node_event(n, &done);
    return YR_OK;
}
