#include "net/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum yr_err yr_net_fail(struct yr_net_fail *fail, enum yr_err err, int sys, const char *fmt, ...)
{
    va_list args;
    size_t len;

    fail->err = err;
    va_start(args, fmt);
    vsnprintf(fail->text, sizeof fail->text, fmt, args);
    va_end(args);
    len = strlen(fail->text);
    if (sys != 0)
        snprintf(fail->text + len, sizeof fail->text - len, ": %s", strerror(sys));
    return err;
}

enum yr_err yr_errno_err(int sys)
{
    switch (sys) {
    case 0: return YR_OK;
    case ENOMEM:
    case ENOBUFS: return YR_ENOMEM;
    case ENOSPC:
    case EDQUOT: return YR_ENOSPC;
    case ENOENT: return YR_ENOENT;
    case EACCES:
    case EPERM:
    case ELOOP:
    case EROFS: return YR_EDENIED;
    case EEXIST:
    case EADDRINUSE: return YR_EEXIST;
    case EINVAL:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT: return YR_EINVAL;
    default: return YR_EIO;
    }
}
