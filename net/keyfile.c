#include "net/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/fail.h"

static enum yr_err open_own(const char *path, int flags, int *out, off_t *size)
{
    // Without O_NONBLOCK a pipe put in our way would stop us here.
    const int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return yr_errno_err(errno);
    if (fstat(fd, &st) != 0) {
        close(fd);
        return YR_EIO;
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        close(fd);
        return YR_EDENIED;
    }
    *out = fd;
    *size = st.st_size;
    return YR_OK;
}

static enum yr_err sync_fd(int fd)
{
    while (fsync(fd) != 0) {
        if (errno == EROFS || errno == EINVAL) // nothing here can become any more durable
            return YR_OK;
        if (errno != EINTR)
            return yr_errno_err(errno);
    }
    return YR_OK;
}

// The folder's entry for a file must be durable too.
static enum yr_err sync_dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    enum yr_err err;
    int fd;

    if (slash == NULL)
        snprintf(dir, sizeof dir, ".");
    else if ((size_t)(slash - path) >= sizeof dir)
        return YR_EINVAL;
    else
        snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return yr_errno_err(errno);
    err = sync_fd(fd);
    close(fd);
    return err;
}

// And so must the entries of the folders above, which may have been made a moment ago: of all that
// are ours.  Those that cannot be opened have been there before us.
static void sync_dirs_above(const char *path)
{
    const char *slash = strrchr(path, '/');
    char up[PATH_MAX];
    struct stat at, before = {0};
    int dir;

    snprintf(up, sizeof up, "%.*s/..", slash != NULL ? (int)(slash - path) : 1,
             slash != NULL ? path : ".");
    dir = open(up, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (dir >= 0 && fstat(dir, &at) == 0 && at.st_uid == geteuid() &&
           (at.st_ino != before.st_ino || at.st_dev != before.st_dev)) {
        const int next = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void)!sync_fd(dir);
        close(dir);
        dir = next;
        before = at;
    }
    if (dir >= 0)
        close(dir);
}

static enum yr_err read_at(int fd, uint8_t *out, size_t len)
{
    for (size_t done = 0; done < len;) {
        const ssize_t got = pread(fd, out + done, len - done, (off_t)done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return YR_EIO;
        done += (size_t)got;
    }
    return YR_OK;
}

static enum yr_err write_at(int fd, const uint8_t *bytes, size_t len, off_t offset)
{
    for (size_t done = 0; done < len;) {
        const ssize_t put = pwrite(fd, bytes + done, len - done, offset + (off_t)done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? yr_errno_err(errno) : YR_EIO;
        done += (size_t)put;
    }
    return YR_OK;
}

static enum yr_err read_file(const char *path, uint8_t *out, size_t min, size_t max, size_t *len)
{
    off_t size = 0;
    enum yr_err err;
    int fd = -1;

    if ((err = open_own(path, O_RDONLY, &fd, &size)) != YR_OK)
        return err;
    err = YR_ECORRUPT;
    if (size < (off_t)min || size > (off_t)max)
        goto out;
    if ((err = sync_fd(fd)) != YR_OK || (err = sync_dir_of(path)) != YR_OK ||
        (err = read_at(fd, out, (size_t)size)) != YR_OK)
        goto out;
    *len = (size_t)size;
out:
    close(fd);
    return err;
}

// Make a file that was not there, whole.
static enum yr_err make_file(const char *path, const uint8_t *bytes, size_t len)
{
    char fresh[PATH_MAX];
    enum yr_err err;
    int fd;

    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
        return YR_EINVAL;
    if (unlink(fresh) != 0 && errno != ENOENT) // left by one that was killed: no one depends on it
        return yr_errno_err(errno);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return yr_errno_err(errno);
    err = write_at(fd, bytes, len, 0);
    if (err == YR_OK)
        err = sync_fd(fd);
    if (close(fd) != 0 && err == YR_OK)
        err = yr_errno_err(errno);
    if (err == YR_OK && link(fresh, path) != 0) // unlike a rename, refuses to replace
        err = yr_errno_err(errno);
    unlink(fresh);
    if (err == YR_OK)
        err = sync_dir_of(path);
    if (err == YR_OK)
        sync_dirs_above(path);
    return err;
}

enum yr_err yr_keyfile_read_vault(const char *path, uint8_t out[YR_VAULT_FILE_MAX], size_t *len)
{
    return read_file(path, out, 1, YR_VAULT_FILE_MAX, len);
}

enum yr_err yr_keyfile_make_vault(const char *path, const uint8_t *bytes, size_t len)
{
    YR_ASSERT(len > 0 && len <= YR_VAULT_FILE_MAX);
    return make_file(path, bytes, len);
}

enum yr_err yr_keyfile_read_shred(const char *path, uint8_t out[YR_SHRED_FILE_LEN])
{
    size_t len;

    return read_file(path, out, YR_SHRED_FILE_LEN, YR_SHRED_FILE_LEN, &len);
}

enum yr_err yr_keyfile_write_slot(const char *path, unsigned slot,
                                  const uint8_t bytes[YR_SHRED_SLOT_LEN])
{
    uint8_t whole[YR_SHRED_FILE_LEN] = {0};
    off_t size = 0;
    enum yr_err err;
    int fd = -1;

    YR_ASSERT(slot < 2);
    err = open_own(path, O_WRONLY, &fd, &size);
    if (err == YR_ENOENT) {
        memcpy(whole + slot * YR_SHRED_SLOT_LEN, bytes, YR_SHRED_SLOT_LEN);
        return make_file(path, whole, sizeof whole);
    }
    if (err != YR_OK)
        return err;
    err = size != YR_SHRED_FILE_LEN
              ? YR_ECORRUPT
              : write_at(fd, bytes, YR_SHRED_SLOT_LEN, (off_t)(slot * YR_SHRED_SLOT_LEN));
    if (err == YR_OK)
        err = sync_fd(fd);
    if (close(fd) != 0 && err == YR_OK)
        err = yr_errno_err(errno);
    return err;
}
