/* tests/support/sim/restore.h: backups of simulated nodes, and nodes made of them. */
#ifndef SIM_RESTORE_H
#define SIM_RESTORE_H

#include "tests/support/sim/sim.h"
#include "yaari/backup.h"

/** The records of a backup: each `len u32le | bytes`. */
struct sim_backup {
    uint8_t *bytes;
    size_t len, cap, count;
    struct yr_backup_info info;
};

/** What the node's store has committed.  Free with sim_backup_free. */
struct sim_backup sim_backup(struct sim *sim, unsigned node);
void sim_backup_free(struct sim_backup *backup);
/** The i-th record; NULL past the end. */
const uint8_t *sim_backup_at(const struct sim_backup *backup, size_t i, size_t *len);
/** A new node that was restored from it, up and at an address of its own. */
unsigned sim_restore(struct sim *sim, const struct sim_backup *backup);
/** ... into one of sim_add_nobody. */
void sim_restore_into(struct sim *sim, const struct sim_backup *backup, unsigned node);

#endif
