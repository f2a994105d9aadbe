/* net/lock.h: a profile's lock: flock on its pid file, gone with the process however it ends. */
#ifndef YR_LOCK_H
#define YR_LOCK_H

#include <sys/types.h>

#include "net/fail.h"

struct yr_lock {
    int fd; /* -1: not held */
};

/** Take the lock and write our pid into it.  The file is never removed: who waits for a name that
 *  someone else removes holds nothing.
 *  holder: receives the pid of who holds it, on YR_EEXIST (0: it has not said yet).
 *  Errors, worded in *fail: YR_EEXIST; YR_EDENIED; YR_EIO; YR_ENOSPC; YR_ENOENT. */
YR_MUST_USE enum yr_err yr_lock_take(struct yr_lock *lock, const char *path, pid_t *holder,
                                     struct yr_net_fail *fail);
/** Empty the file and let go.  One that is not held is fine. */
void yr_lock_release(struct yr_lock *lock);

#endif
