/* net/sdnotify.h: what a service manager is told: sd_notify(3)'s protocol, without its library.
 * Without $NOTIFY_SOCKET each call does nothing. */
#ifndef YR_SDNOTIFY_H
#define YR_SDNOTIFY_H

#include "yaari/api.h"

/** Started; status: one line for `systemctl status`, may be NULL. */
void yr_sdnotify_ready(const char *status);
void yr_sdnotify_status(const char *status);
void yr_sdnotify_reloading(void);
void yr_sdnotify_stopping(void);
void yr_sdnotify_watchdog(void);
/** How often yr_sdnotify_watchdog is wanted (half of what the manager allows), in milliseconds;
 *  0: it is not. */
uint64_t yr_sdnotify_watchdog_ms(void);

/** Tell who started us through descriptor `fd` (--ready-fd): writes a newline and closes it.
 *  false: it could not be written. */
bool yr_ready_fd(int fd);

#endif
