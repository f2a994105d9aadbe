/* backup.h: what a node is worth keeping, as a sequence of records, and a node made of them.
 * docs/protocol.md "Backup".
 *
 *     backup    a store that is read -> new -> next, next, ... ENOENT     (no node is needed)
 *     check     what the records are, one after the other: nothing is kept of them
 *     restore   an open node without identity -> restore, restore, ... -> DONE: it has one
 *
 * Never in it: the device key, prekeys, sessions, keys of rooms' content, open invites, what is
 * kept for others. */
#ifndef YAARI_BACKUP_H
#define YAARI_BACKUP_H

#include "yaari/node.h"

#define YR_BACKUP_RECORD_MAX 66048 /* bytes: a stored row and what it is */

struct yr_backup;

/** Read a store through `view`, which must show one and the same commit to the end.  mem, rng, view
 *  borrowed.  vk, shred_file: as yr_node_unlock.  *out owned by the caller.
 *  Errors: as yr_node_unlock; YR_ENOID. */
YR_API YR_MUST_USE enum yr_err yr_backup_new(struct yr_backup **out, struct yr_mem *mem,
                                             const struct yr_rng *rng,
                                             const struct yr_store_view *view, const uint8_t vk[32],
                                             const uint8_t *shred_file, yr_ms now_ms);
/** The key for yr_backup_new while a node has the store open.  Errors: YR_ELOCKED; YR_ENOID. */
YR_API YR_MUST_USE enum yr_err yr_node_vault_key(const struct yr_node *node, uint8_t vk[32]);
/** The next record.  dst: YR_BACKUP_RECORD_MAX bytes; secret.  Errors: YR_ENOENT: that was the
 * last; YR_ECORRUPT, YR_EIO, YR_ENOMEM. */
YR_API YR_MUST_USE enum yr_err yr_backup_next(struct yr_backup *backup, uint8_t *dst, size_t *len);
YR_API void yr_backup_free(struct yr_backup *backup);

/** What was read so far.  Begin with zeros. */
struct yr_backup_info {
    bool begun, ended; /* ended: all of it was there */
    uint8_t id[YR_ID_LEN];
    char nick[65];
    yr_ms made_ms;
    uint32_t gen; /* of the device it is from */
    uint64_t rows, friends, rooms, messages;
};
/** Look at the next record.  Total.  Errors, after which *info is as it was: YR_EPROTO: not one of
 * a backup, not in this place, or after the end; YR_EVERSION: of a later version. */
YR_API YR_MUST_USE enum yr_err yr_backup_check(struct yr_backup_info *info, const uint8_t *record,
                                               size_t len);

/** Take the next record into an open node without identity.  With the last one the node is given
 *  its identity, under a new device key and the next generation, and `ticket` comes back in a DONE
 *  event once all is durable; then close the node and open it again.
 *  Errors: as yr_backup_check; YR_EEXIST: it has an identity; YR_ELOCKED; YR_ENOMEM; YR_ENOSPC: the
 *  store refuses writes. */
YR_API YR_MUST_USE enum yr_err yr_node_restore(struct yr_node *node, struct yr_now now,
                                               const uint8_t *record, size_t len, uint64_t ticket);

#endif
