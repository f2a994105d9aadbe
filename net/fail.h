/* net/fail.h: an error with the words for it, for what fails at start: the path and the system's
 * reason are known only where it happens, and the user needs both. */
#ifndef YR_FAIL_H
#define YR_FAIL_H

#include "yaari/error.h"

struct yr_net_fail {
    enum yr_err err;
    char text[320]; /* "cannot bind 0.0.0.0:7722: Address already in use" */
};

/** Note `err` with a sentence; `sys`: an errno whose text is appended, or 0.  Returns err. */
enum yr_err yr_net_fail(struct yr_net_fail *fail, enum yr_err err, int sys, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** The error that an errno of the file system or of a socket stands for. */
enum yr_err yr_errno_err(int sys);

#endif
