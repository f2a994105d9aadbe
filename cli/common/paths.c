#include "cli/common/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/buf.h"

bool yr_profile_ok(const char *name)
{
    const size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return len >= 1 && len <= YR_PROFILE_MAX && name[len] == '\0';
}

static const char *env(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static char *join(const char *dir, const char *rest, const char *ending)
{
    struct yr_buf path = {0};

    yr_buf_adds(&path, dir);
    while (path.len > 1 && path.at[path.len - 1] == '/')
        yr_buf_cut(&path, path.len - 1);
    if (rest[0] != '\0' && path.len > 0 && path.at[path.len - 1] != '/')
        yr_buf_addc(&path, '/');
    yr_buf_adds(&path, rest);
    yr_buf_adds(&path, ending);
    return yr_buf_take(&path);
}

/** From the folder we are in; a daemon may leave it later. */
static char *absolute(const char *path)
{
    char *here, *out;

    if (path[0] == '/')
        return join(path, "", "");
    here = getcwd(NULL, 0);
    if (here == NULL)
        return yr_strdup(path);
    out = join(here, path, "");
    free(here);
    return out;
}

static char *home_dir(void)
{
    const char *home = env("HOME");
    const struct passwd *user;

    if (home != NULL && home[0] == '/')
        return yr_strdup(home);
    user = getpwuid(geteuid()); // NOLINT: both programs have one thread at this point
    return user != NULL && user->pw_dir != NULL && user->pw_dir[0] == '/' ? yr_strdup(user->pw_dir)
                                                                          : NULL;
}

/** $XDG_name, or the home folder and `fallback`; a relative value counts as unset, as the
 *  specification wants.  NULL: there is no home. */
static char *xdg(const char *name, const char *fallback)
{
    const char *value = env(name);
    char *home, *out;

    if (value != NULL && value[0] == '/')
        return join(value, "yaari", "");
    home = home_dir();
    if (home == NULL)
        return NULL;
    out = join(home, fallback, "/yaari");
    free(home);
    return out;
}

static char *runtime_dir(const char *state)
{
    const char *value = env("XDG_RUNTIME_DIR");
    struct stat st;

    // after `su` the variable may name somebody else's folder
    if (value != NULL && value[0] == '/' && stat(value, &st) == 0 && S_ISDIR(st.st_mode) &&
        st.st_uid == geteuid())
        return join(value, "yaari", "");
    return join(state, "run", "");
}

/** The four roots: .../yaari for config, data, state and run. */
static bool roots(const char *home, char *out[4])
{
    static const char *const names[4] = {"config/yaari", "data/yaari", "state/yaari", "run/yaari"};

    if (home != NULL) {
        char *base = absolute(home);

        for (size_t i = 0; i < 4; i++)
            out[i] = join(base, names[i], "");
        free(base);
        return true;
    }
    out[0] = xdg("XDG_CONFIG_HOME", ".config");
    out[1] = xdg("XDG_DATA_HOME", ".local/share");
    out[2] = xdg("XDG_STATE_HOME", ".local/state");
    out[3] = out[2] != NULL ? runtime_dir(out[2]) : NULL;
    return out[0] != NULL && out[1] != NULL && out[2] != NULL;
}

enum yr_exit yr_paths_init(struct yr_paths *out, const struct yr_paths_opts *opts,
                           struct yr_fail *fail)
{
    const char *profile = opts->profile != NULL ? opts->profile : env("YAARI_PROFILE");
    const char *home = opts->home != NULL ? opts->home : env("YAARI_HOME");
    const char *config = opts->config != NULL ? opts->config : env("YAARI_CONFIG");
    const char *sock = opts->socket != NULL ? opts->socket : env("YAARI_SOCKET");
    struct yr_paths paths = {0};
    char *root[4] = {NULL};
    enum yr_exit err = YR_EXIT_OK;

    if (profile == NULL)
        profile = "default";
    if (!yr_profile_ok(profile)) {
        err = yr_fail(fail, YR_EXIT_USAGE, "bad profile name: 1 to 32 of a-z 0-9 _ - are allowed");
        goto out;
    }
    if (!roots(home, root)) {
        err = yr_fail(fail, YR_EXIT_CONFIG, "no home folder: neither HOME nor YAARI_HOME is set");
        goto out;
    }
    snprintf(paths.profile, sizeof paths.profile, "%s", profile);
    paths.portable = home != NULL;
    paths.config_dir = yr_strdup(root[0]);
    paths.config = config != NULL ? absolute(config) : join(root[0], profile, ".conf");
    paths.site = yr_strdup("/etc/yaari/yaari.conf");
    paths.data_dir = join(root[1], profile, "");
    paths.vault_key = join(paths.data_dir, "vault.key", "");
    paths.shred_key = join(paths.data_dir, "shred.key", "");
    paths.store_dir = join(paths.data_dir, "store", "");
    paths.state_dir = join(root[2], profile, "");
    paths.log = join(paths.state_dir, "yaarid.log", "");
    paths.run_dir = yr_strdup(root[3]);
    paths.sock = sock != NULL ? absolute(sock) : join(root[3], profile, ".sock");
    paths.pid = join(root[3], profile, ".pid");
    if (strlen(paths.sock) > YR_SUN_PATH_MAX) {
        err = yr_fail(fail, YR_EXIT_CONFIG,
                      "the control socket's path is too long: %zu bytes, %d are possible",
                      strlen(paths.sock), YR_SUN_PATH_MAX);
        yr_fail_hint(fail, "choose a shorter one: --socket PATH, or a shorter YAARI_HOME");
        yr_paths_clear(&paths);
        goto out;
    }
    *out = paths;
out:
    for (size_t i = 0; i < 4; i++)
        free(root[i]);
    return err;
}

void yr_paths_clear(struct yr_paths *paths)
{
    char **const all[] = {&paths->config_dir, &paths->config,    &paths->site,
                          &paths->data_dir,   &paths->vault_key, &paths->shred_key,
                          &paths->store_dir,  &paths->state_dir, &paths->log,
                          &paths->run_dir,    &paths->sock,      &paths->pid};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        free(*all[i]);
        *all[i] = NULL;
    }
}

enum yr_exit yr_mkdirs(const char *dir, struct yr_fail *fail)
{
    char *path = join(dir, "", "");
    enum yr_exit err = YR_EXIT_OK;
    struct stat st;

    for (char *slash = path + 1;; slash++) {
        const char was = *slash;

        if (was != '/' && was != '\0')
            continue;
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            const int errnum = errno;

            // a read-only parent that exists answers EROFS or EACCES in place of EEXIST
            if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
                err =
                    yr_fail_errno(fail, YR_EXIT_CANTCREAT, errnum, "cannot make folder '%s'", path);
                break;
            }
        }
        *slash = was;
        if (was == '\0')
            break;
    }
    if (err == YR_EXIT_OK && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        err = yr_fail(fail, YR_EXIT_CANTCREAT, "cannot make folder '%s': something else is there",
                      path);
    free(path);
    return err;
}

enum yr_exit yr_private_dir(const char *dir, struct yr_fail *fail)
{
    enum yr_exit err = yr_mkdirs(dir, fail);
    struct stat st;

    if (err != YR_EXIT_OK)
        return err;
    if (stat(dir, &st) != 0)
        return yr_fail_errno(fail, YR_EXIT_CANTCREAT, errno, "cannot look at folder '%s'", dir);
    if (st.st_uid != geteuid()) {
        err = yr_fail(fail, YR_EXIT_NOPERM, "folder '%s' belongs to another user (uid %u)", dir,
                      (unsigned)st.st_uid);
        yr_fail_hint(fail, "chown %u '%s'", (unsigned)geteuid(), dir);
    } else if ((st.st_mode & 077) != 0) {
        err = yr_fail(fail, YR_EXIT_NOPERM, "folder '%s' is open to others (mode %04o)", dir,
                      (unsigned)(st.st_mode & 07777));
        yr_fail_hint(fail, "chmod 700 '%s'", dir);
    }
    return err;
}

enum yr_exit yr_read_file(const char *path, size_t max, char **out, size_t *out_len,
                          struct yr_fail *fail)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct yr_buf bytes = {0};
    enum yr_exit err = YR_EXIT_OK;
    char chunk[8192];
    ssize_t got;

    if (fd < 0) {
        const int errnum = errno;

        yr_fail_errno(fail, YR_EXIT_NOINPUT, errnum, "cannot read '%s'", path);
        errno = errnum;
        return YR_EXIT_NOINPUT;
    }
    while ((got = read(fd, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            err = yr_fail_errno(fail, YR_EXIT_NOINPUT, errno, "cannot read '%s'", path);
            break;
        }
        yr_buf_add(&bytes, chunk, (size_t)got);
        if (bytes.len > max) {
            err = yr_fail(fail, YR_EXIT_DATAERR, "'%s' is too large: over %zu bytes", path, max);
            break;
        }
    }
    close(fd);
    if (err == YR_EXIT_OK) {
        *out_len = bytes.len;
        *out = yr_buf_take(&bytes);
    }
    yr_buf_clear(&bytes);
    return err;
}

static bool write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        const ssize_t put = write(fd, at, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        at += put;
        len -= (size_t)put;
    }
    return true;
}

static void sync_dir_of(const char *path)
{
    char *dir = yr_strdup(path);
    char *slash = strrchr(dir, '/');
    int fd;

    if (slash != NULL)
        slash[slash == dir ? 1 : 0] = '\0';
    fd = open(slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); // some file systems cannot; the rename is in their journal then
        close(fd);
    }
    free(dir);
}

enum yr_exit yr_write_file(const char *path, const void *bytes, size_t len, unsigned mode,
                           struct yr_fail *fail)
{
    char *real = realpath(path, NULL);
    const char *target = real != NULL ? real : path;
    char *tmp = join(target, "", ".XXXXXX");
    enum yr_exit err = YR_EXIT_OK;
    int fd;

    fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0) {
        err = yr_fail_errno(fail, YR_EXIT_CANTCREAT, errno, "cannot write '%s'", target);
        goto out;
    }
    if (!write_all(fd, bytes, len) || fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0)
        err = yr_fail_errno(fail, YR_EXIT_IOERR, errno, "cannot write '%s'", target);
    if (close(fd) != 0 && err == YR_EXIT_OK)
        err = yr_fail_errno(fail, YR_EXIT_IOERR, errno, "cannot write '%s'", target);
    if (err == YR_EXIT_OK && rename(tmp, target) != 0)
        err = yr_fail_errno(fail, YR_EXIT_IOERR, errno, "cannot write '%s'", target);
    if (err == YR_EXIT_OK)
        sync_dir_of(target);
    else
        unlink(tmp);
out:
    free(tmp);
    free(real);
    return err;
}
