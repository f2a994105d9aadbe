#include "net/dir.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum yr_err yr_dir_private(const char *path, struct yr_net_fail *fail)
{
    struct stat st;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot make directory %s", path);
    if (stat(path, &st) != 0)
        return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot look at %s", path);
    if (!S_ISDIR(st.st_mode))
        return yr_net_fail(fail, YR_EDENIED, 0, "%s is not a directory", path);
    if (st.st_uid != geteuid())
        return yr_net_fail(fail, YR_EDENIED, 0, "directory %s belongs to uid %lu, not to us", path,
                           (unsigned long)st.st_uid);
    if ((st.st_mode & 077) != 0)
        return yr_net_fail(fail, YR_EDENIED, 0,
                           "directory %s is open to others (mode %03o): chmod 700 it", path,
                           (unsigned)st.st_mode & 0777u);
    return YR_OK;
}
