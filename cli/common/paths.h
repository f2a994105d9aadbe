/* paths.h: where a profile's files are, for both programs.
 *
 *     config   $XDG_CONFIG_HOME/yaari/PROFILE.conf          YAARI_HOME: config/yaari/PROFILE.conf
 *     data     $XDG_DATA_HOME/yaari/PROFILE/                            data/yaari/PROFILE/
 *     state    $XDG_STATE_HOME/yaari/PROFILE/                           state/yaari/PROFILE/
 *     run      $XDG_RUNTIME_DIR/yaari/PROFILE.sock .pid                 run/yaari/PROFILE.sock .pid
 *
 * Without a runtime folder of our own, run is $XDG_STATE_HOME/yaari/run/. */
#ifndef YR_CLI_PATHS_H
#define YR_CLI_PATHS_H

#include "cli/common/exits.h"

#define YR_PROFILE_MAX  32  /* characters of a profile's name */
#define YR_SUN_PATH_MAX 107 /* bytes of a socket's path: sun_path without its NUL */

/** What the command line says; NULL: ask the environment (YAARI_PROFILE, YAARI_HOME, YAARI_CONFIG,
 *  YAARI_SOCKET), then the default. */
struct yr_paths_opts {
    const char *profile, *home, *config, *socket;
};

/** All absolute; each owned by the struct. */
struct yr_paths {
    char profile[YR_PROFILE_MAX + 1];
    bool portable;    /* YAARI_HOME or --home is in force */
    char *config_dir; /* holds `config` unless --config names another */
    char *config;     /* the profile's configuration file, there or not */
    char *site;       /* /etc/yaari/yaari.conf; in `portable` places too */
    char *data_dir, *vault_key, *shred_key, *store_dir;
    char *state_dir, *log;
    char *run_dir, *sock, *pid;
};

/** Is it 1..32 of [a-z0-9_-]? */
bool yr_profile_ok(const char *name);

/** Work out every path; touches no file but to see whether $XDG_RUNTIME_DIR is a folder of ours.
 *  Errors: YR_EXIT_USAGE for a bad profile name; YR_EXIT_CONFIG when there is no home or the
 * socket's path is over 107 bytes.  *out is written on success only; clear it. */
YR_MUST_USE enum yr_exit yr_paths_init(struct yr_paths *out, const struct yr_paths_opts *opts,
                                       struct yr_fail *fail);
void yr_paths_clear(struct yr_paths *paths);

/** Make a folder and its missing parents, all 0700.  One that exists is left as it is.
 *  Errors: YR_EXIT_CANTCREAT. */
YR_MUST_USE enum yr_exit yr_mkdirs(const char *dir, struct yr_fail *fail);

/** Make it if missing, then insist that it is ours and nobody else's (mode & 077 == 0).
 *  Errors: YR_EXIT_CANTCREAT; YR_EXIT_NOPERM with the command that mends it as hint. */
YR_MUST_USE enum yr_exit yr_private_dir(const char *dir, struct yr_fail *fail);

/** Read a whole file of at most `max` bytes into *out (owned by the caller, NUL behind).
 *  Errors: YR_EXIT_NOINPUT when it is not there or unreadable, with errno as open left it;
 *  YR_EXIT_DATAERR when larger. */
YR_MUST_USE enum yr_exit yr_read_file(const char *path, size_t max, char **out, size_t *out_len,
                                      struct yr_fail *fail);

/** Replace a file by these bytes, or leave it as it was: temporary file beside it, fsync, rename,
 *  fsync of the folder.  A symbolic link is followed.  Errors: YR_EXIT_CANTCREAT; YR_EXIT_IOERR. */
YR_MUST_USE enum yr_exit yr_write_file(const char *path, const void *bytes, size_t len,
                                       unsigned mode, struct yr_fail *fail);

#endif
