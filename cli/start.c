/* cli/start.c: see start.h. */
#include "cli/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/common/buf.h"

/* ---- systemd ---- */

void yr_unit_name(const struct yr_paths *paths, char *out, size_t size)
{
    if (strcmp(paths->profile, "default") == 0)
        snprintf(out, size, "yaarid.service");
    else
        snprintf(out, size, "yaarid@%s.service", paths->profile);
}

/** Run a program with stdin, stdout and stderr on /dev/null; its exit code, or -1. */
static int run_quietly(const char *const *argv)
{
    const pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        const int null = open("/dev/null", O_RDWR);

        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    if (pid < 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool yr_unit_known(const struct yr_paths *paths)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char unit[64], dir[PATH_MAX];

    // a node of another place or socket is not the one the unit would start
    if (paths->portable || getenv("YAARI_SOCKET") != NULL || getenv("YAARI_CONFIG") != NULL ||
        runtime == NULL)
        return false;
    snprintf(dir, sizeof dir, "%s/systemd", runtime);
    if (access(dir, F_OK) != 0)
        return false;
    yr_unit_name(paths, unit, sizeof unit);
    return run_quietly((const char *const[]){"systemctl", "--user", "cat", unit, NULL}) == 0;
}

bool yr_unit_runs(long pid)
{
    char path[64], line[1024] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/cgroup", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    return strstr(line, "/yaarid.service") != NULL || strstr(line, "/yaarid@") != NULL;
}

static enum yr_exit start_unit(const struct yr_paths *paths, struct yr_fail *fail)
{
    char unit[64];

    yr_unit_name(paths, unit, sizeof unit);
    if (run_quietly((const char *const[]){"systemctl", "--user", "start", unit, NULL}) == 0)
        return YR_EXIT_OK;
    yr_fail(fail, YR_EXIT_UNAVAILABLE, "systemd could not start %s", unit);
    yr_fail_hint(fail, "systemctl --user status %s", unit);
    return YR_EXIT_UNAVAILABLE;
}

/* ---- a process of its own ---- */

/** The yaarid beside this program; or just its name, for PATH. */
static void find_program(char *out, size_t size)
{
    ssize_t len = readlink("/proc/self/exe", out, size - 1);
    char *slash;

    if (len > 0) {
        out[len] = '\0';
        slash = strrchr(out, '/');
        if (slash != NULL && (size_t)(slash - out) + sizeof "/yaarid" <= size) {
            memcpy(slash, "/yaarid", sizeof "/yaarid");
            if (access(out, X_OK) == 0)
                return;
        }
    }
    snprintf(out, size, "yaarid");
}

static bool relative(const char *path)
{
    return path != NULL && path[0] != '\0' && path[0] != '/';
}

/** In the child, which becomes the node. */
static void become_node(const struct yr_paths *paths, const char *socket, const char *program,
                        int log_fd, int ready_fd)
{
    char ready[16];
    const char *argv[12] = {program,    "-P",         paths->profile, "--log-file",
                            paths->log, "--ready-fd", ready};
    size_t argc = 7;
    const int null = open("/dev/null", O_RDWR);

    if (socket != NULL) {
        argv[argc++] = "--socket";
        argv[argc++] = socket;
    }
    setsid();
    umask(077);
    unsetenv("NOTIFY_SOCKET"); // it is our caller's, not the node's
    dup2(null, 0);
    dup2(null, 1);
    dup2(log_fd, 2);
    if (ready_fd == 3)
        fcntl(3, F_SETFD, 0);
    else
        dup2(ready_fd, 3);
    close_range(4, ~0u, 0); // what we were given is not the node's to hold open
    snprintf(ready, sizeof ready, "%d", 3);
    if (!relative(getenv("YAARI_HOME")) && !relative(getenv("YAARI_CONFIG")) &&
        !relative(getenv("YAARI_SOCKET")) && !relative(socket) && chdir("/") != 0)
        _exit(YR_EXIT_OSERR);
    execvp(program, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/** Wait for the newline on the ready pipe.  1: ready; 0: the time is over; -1: it ended. */
static int wait_ready(int fd)
{
    const int64_t deadline = now_ms() + YR_READY_MS_MAX;

    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        const int64_t left = deadline - now_ms();
        char byte;

        if (left <= 0)
            return 0;
        if (poll(&pfd, 1, (int)left) < 0 && errno != EINTR)
            return -1;
        if (pfd.revents != 0) {
            const ssize_t n = read(fd, &byte, 1);

            if (n == 1)
                return 1;
            if (n == 0 || errno != EINTR)
                return -1;
        }
    }
}

/** The last line written to the log since `offset`, without what stands before the message. */
static void last_line(const char *path, off_t offset, struct yr_buf *out)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (file == NULL)
        return;
    if (fseeko(file, offset, SEEK_SET) == 0)
        while ((len = getline(&line, &cap, file)) > 0)
            if (line[0] != '\n') {
                yr_buf_cut(out, 0);
                yr_buf_add(out, line, (size_t)(line[len - 1] == '\n' ? len - 1 : len));
            }
    free(line);
    fclose(file);
}

/** It ended before it was ready: say why, from its exit code and its log. */
static enum yr_exit explain(const struct yr_paths *paths, const char *program, pid_t pid,
                            off_t offset, struct yr_fail *fail)
{
    struct yr_buf line = {0};
    int status = 0;
    enum yr_exit exit;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        yr_fail(fail, YR_EXIT_UNAVAILABLE, "cannot run '%s'", program);
        yr_fail_hint(fail, "install yaarid beside yaari, or into PATH");
        return YR_EXIT_UNAVAILABLE;
    }
    exit = WIFEXITED(status) && WEXITSTATUS(status) >= 64 ? (enum yr_exit)WEXITSTATUS(status)
                                                          : YR_EXIT_UNAVAILABLE;
    last_line(paths->log, offset, &line);
    if (line.len > 0)
        yr_fail(fail, exit, "the node did not start: %s", yr_buf_str(&line));
    else
        yr_fail(fail, exit, "the node did not start");
    yr_fail_hint(fail, "yaari daemon logs");
    yr_buf_clear(&line);
    return exit;
}

static enum yr_exit start_process(const struct yr_paths *paths, const char *socket,
                                  struct yr_fail *fail)
{
    char program[PATH_MAX];
    int ready[2] = {-1, -1}, log_fd = -1, outcome;
    enum yr_exit exit = yr_private_dir(paths->state_dir, fail);
    off_t offset;
    pid_t pid;

    if (exit != YR_EXIT_OK)
        return exit;
    find_program(program, sizeof program);
    log_fd = open(paths->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        return yr_fail_errno(fail, YR_EXIT_CANTCREAT, errno, "log '%s'", paths->log);
    offset = lseek(log_fd, 0, SEEK_END);
    if (pipe2(ready, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        exit = yr_fail_errno(fail, YR_EXIT_OSERR, errno, "cannot start the node");
        goto out;
    }
    if (pid == 0)
        become_node(paths, socket, program, log_fd, ready[1]);
    close(ready[1]);
    ready[1] = -1;
    outcome = wait_ready(ready[0]);
    if (outcome < 0) {
        exit = explain(paths, program, pid, offset, fail);
    } else if (outcome == 0) {
        exit = yr_fail(fail, YR_EXIT_TEMPFAIL, "the node was not ready within %d s",
                       YR_READY_MS_MAX / 1000);
        yr_fail_hint(fail, "yaari daemon logs");
    }
out:
    close(log_fd);
    if (ready[0] >= 0)
        close(ready[0]);
    if (ready[1] >= 0)
        close(ready[1]);
    return exit;
}

enum yr_exit yr_start_node(const struct yr_paths *paths, const char *socket, struct yr_fail *fail)
{
    if (socket == NULL && yr_unit_known(paths))
        return start_unit(paths, fail);
    return start_process(paths, socket, fail);
}
