/* cli/restore.h: a profile made from a backup: restore, and init --restore. */
#ifndef YR_CLI_RESTORE_H
#define YR_CLI_RESTORE_H

#include "cli/cli.h"

/** What flags say; NULL: not given. */
struct yr_restore_flags {
    const char *file, *passphrase_fd, *vault_passphrase_fd;
    bool start; /* the node, afterwards */
};
enum yr_exit yr_restore_profile(struct yr_cli *cli, const struct yr_restore_flags *flags);

#endif
