/* cli/start.h: start a yaarid: by systemd if it knows one and YAARI_HOME is not set, else as a
 * process of its own with its log in the state folder. */
#ifndef YR_START_H
#define YR_START_H

#include "cli/common/paths.h"

#define YR_READY_MS_MAX 5000 /* until it must be ready */

/** Start the profile's node and wait until it is ready.  socket: --socket, or NULL.
 *  Errors: what it exited with (YR_EXIT_CANTCREAT: another has the profile; YR_EXIT_CONFIG; ...),
 * with the last line of its log; YR_EXIT_TEMPFAIL: not ready in time; YR_EXIT_UNAVAILABLE: no
 * yaarid found. */
YR_MUST_USE enum yr_exit yr_start_node(const struct yr_paths *paths, const char *socket,
                                       struct yr_fail *fail);

/** Does systemd know a unit for this profile, and is it to be used? */
bool yr_unit_known(const struct yr_paths *paths);
/** "yaarid.service" or "yaarid@PROFILE.service". */
void yr_unit_name(const struct yr_paths *paths, char *out, size_t size);
/** Does systemd run this process as a unit? */
bool yr_unit_runs(long pid);

#endif
