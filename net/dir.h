/* net/dir.h: directories that must be ours alone. */
#ifndef YR_DIR_H
#define YR_DIR_H

#include "net/fail.h"

/** `path` is a directory of ours with mode 0700 at most; it is made if only its last part is
 *  missing.  Errors, worded in *fail: YR_EDENIED: another's, open to others, or no directory;
 *  YR_ENOENT: its parent is missing; YR_ENOSPC; YR_EIO. */
YR_MUST_USE enum yr_err yr_dir_private(const char *path, struct yr_net_fail *fail);

#endif
