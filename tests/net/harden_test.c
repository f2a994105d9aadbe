// What a release does to keep its memory to itself.  Sanitizer builds leave it out of the library,
// so it is compiled here once more, and tried in children.
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#undef YAARI_SANITIZED
#define yr_harden harden_as_a_release
#include "net/harden.c"

#define NOBODY 65534

/** Run `body` in a child of its own; what it returns, or -1. */
static int in_child(int (*body)(void))
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int limits_after(void)
{
    struct rlimit core = {1, 1};

    harden_as_a_release();
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0 || core.rlim_max != 0)
        return 1;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 2;
}

static void no_core_is_dumped_and_the_limit_cannot_be_raised_again(void **state)
{
    assert_int_equal(in_child(limits_after), 0);
}

/** May another process of the same user look at what only a tracer may?  0: no, 1: yes. */
static int another_looks(bool hardened)
{
    int ready[2], fd;
    char path[64], byte;
    pid_t pid;

    if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0)
        return 9; // root may look at everything
    // That change of user has made us undumpable as well.
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 || pipe(ready) != 0)
        return 9;
    if ((pid = fork()) == 0) {
        if (hardened)
            harden_as_a_release();
        (void)!write(ready[1], "\n", 1);
        pause();
        _exit(0);
    }
    if (pid < 0 || read(ready[0], &byte, 1) != 1)
        return 9;
    snprintf(path, sizeof path, "/proc/%ld/auxv", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    kill(pid, SIGKILL);
    return fd >= 0 ? 1 : errno == EACCES || errno == EPERM ? 0 : 9;
}

static int look_at_hardened(void)
{
    return another_looks(true);
}

static int look_at_open(void)
{
    return another_looks(false);
}

static void another_process_of_the_user_cannot_look_in(void **state)
{
    if (in_child(look_at_open) != 1)
        skip(); // nobody may look at anybody here: nothing to be seen
    assert_int_equal(in_child(look_at_hardened), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_core_is_dumped_and_the_limit_cannot_be_raised_again),
        cmocka_unit_test(another_process_of_the_user_cannot_look_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
