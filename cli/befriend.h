/* cli/befriend.h: what invite and add share: waiting for a friendship to come about. */
#ifndef YR_BEFRIEND_H
#define YR_BEFRIEND_H

#include "cli/cli.h"

#define YR_INTERRUPTED ((enum yr_exit)130) /* what a shell says of a program that Ctrl-C ended */

/** From here on Ctrl-C ends our waiting, not the program. */
void yr_catch_interrupt(void);

/** Ask for the events that tell of invites, requests and friends.  Before what causes them, so that
 *  none is missed.  Errors are reported. */
YR_MUST_USE enum yr_exit yr_befriend_subscribe(struct yr_cli *cli);

/** Wait for any of them until `deadline_ms` (wall clock; 0: for ever).
 *  YR_EXIT_OK: there was one, or a while has passed: look again; YR_INTERRUPTED; YR_EXIT_TEMPFAIL:
 * the time is over; else reported. */
YR_MUST_USE enum yr_exit yr_befriend_wait(struct yr_cli *cli, yr_ms deadline_ms);

/** "bob added (trust: invite)." and what to do next; friend: a record. */
void yr_say_added(struct yr_cli *cli, const json_t *friend);

#endif
