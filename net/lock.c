#include "net/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static pid_t read_pid(int fd)
{
    char text[24] = "";
    const ssize_t len = pread(fd, text, sizeof text - 1, 0);
    const long pid = len > 0 ? strtol(text, NULL, 10) : 0;

    return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/** Say who holds it, for people.  On a full disk it stays empty: the lock is the flock. */
static void write_pid(int fd)
{
    char text[24];
    const int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) != len)
        (void)!ftruncate(fd, 0); // half a pid is another's
}

/** Does `path` still lead to the file that is open as fd? */
static bool same_file(int fd, const char *path)
{
    struct stat open_one, named;

    return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

enum yr_err yr_lock_take(struct yr_lock *lock, const char *path, pid_t *holder,
                         struct yr_net_fail *fail)
{
    *lock = (struct yr_lock){-1};
    *holder = 0;
    for (int tries = 0; tries < 10; tries++) { // again when the file was replaced under us
        const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        int sys;

        if (fd < 0)
            return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot open lock file %s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            sys = errno;
            *holder = sys == EWOULDBLOCK ? read_pid(fd) : 0;
            close(fd);
            if (sys == EWOULDBLOCK)
                return yr_net_fail(fail, YR_EEXIST, 0, "process %ld holds %s", (long)*holder, path);
            return yr_net_fail(fail, yr_errno_err(sys), sys, "cannot lock %s", path);
        }
        if (!same_file(fd, path)) {
            close(fd);
            continue;
        }
        write_pid(fd);
        lock->fd = fd;
        return YR_OK;
    }
    return yr_net_fail(fail, YR_EIO, 0, "%s is being replaced all the time", path);
}

void yr_lock_release(struct yr_lock *lock)
{
    if (lock->fd < 0)
        return;
    (void)!ftruncate(lock->fd, 0); // an old pid would only mislead; the lock does not need it
    close(lock->fd);
    lock->fd = -1;
}
