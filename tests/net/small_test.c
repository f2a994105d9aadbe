// The small parts of net/: addresses, randomness, memory, lock, service notification.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "net/addr.h"
#include "net/lock.h"
#include "net/mem.h"
#include "net/random.h"
#include "net/sdnotify.h"

static char dir[] = "/tmp/yaari-net-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void addresses_are_read_and_written_the_same(void **state)
{
    static const char *const texts[][2] = {{"192.0.2.1:7722", "192.0.2.1:7722"},
                                           {"192.0.2.1", "192.0.2.1:5"},
                                           {"[2001:db8::1]:0", "[2001:db8::1]:0"},
                                           {"2001:db8::1", "[2001:db8::1]:5"},
                                           {"[::1]", "[::1]:5"},
                                           {"::", "[::]:5"},
                                           {"[fe80::1%lo]:65535", "[fe80::1%lo]:65535"}};
    for (size_t i = 0; i < YR_COUNT(texts); i++) {
        char text[YR_ADDR_TEXT];
        struct sockaddr_storage sys;
        struct yr_addr addr, again;
        assert_int_equal(yr_addr_parse(&addr, texts[i][0], 5), YR_OK);
        yr_addr_text(text, &addr);
        assert_string_equal(text, texts[i][1]);
        assert_true(yr_addr_to_sys(&addr, &sys) > 0);
        again = yr_addr_from_sys((struct sockaddr *)&sys);
        assert_true(yr_addr_eq(&addr, &again));
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "x",
        "1.2.3",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:7x",
        "[::1",
        "[::1]7",
        "[1.2.3.4]:7",
        "[::1]:-1",
        "::1%lo",
        "[fe80::1%nosuchif]:1",
        "[fe80::1%0]:1",
        "1.2.3.4:99999999999",
        "example.org:7722",
        "[fe80::1%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:1"};
    for (size_t i = 0; i < YR_COUNT(texts); i++) {
        struct yr_addr addr;
        assert_int_equal(yr_addr_parse(&addr, texts[i], 5), YR_EINVAL);
    }
}

static void kinds_of_addresses_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        bool wildcard, loopback, link_local, multicast;
    } rows[] = {
        {"0.0.0.0", true, false, false, false},     {"::", true, false, false, false},
        {"127.3.2.1", false, true, false, false},   {"::1", false, true, false, false},
        {"169.254.1.1", false, false, true, false}, {"fe80::1", false, false, true, false},
        {"febf::1", false, false, true, false},     {"fec0::1", false, false, false, false},
        {"224.0.0.1", false, false, false, true},   {"ff02::1", false, false, true, true},
        {"10.0.0.1", false, false, false, false},   {"ff0e::1", false, false, false, true},
    };
    for (size_t i = 0; i < YR_COUNT(rows); i++) {
        struct yr_addr addr;
        assert_int_equal(yr_addr_parse(&addr, rows[i].text, 0), YR_OK);
        assert_int_equal(yr_addr_wildcard(&addr), rows[i].wildcard);
        assert_int_equal(yr_addr_loopback(&addr), rows[i].loopback);
        assert_int_equal(yr_addr_link_local(&addr), rows[i].link_local);
        assert_int_equal(yr_addr_multicast(&addr), rows[i].multicast);
    }
}

static void random_bytes_differ(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};
    yr_random(yr_rng_system(), a, sizeof a);
    yr_random(yr_rng_system(), b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

// A draw of `len` bytes in a child of this process.
static void draw_in_a_child(uint8_t *out, size_t len)
{
    int pipes[2], status;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) {
        yr_random(yr_rng_system(), out, len);
        _exit(write(pipes[1], out, len) == (ssize_t)len ? 0 : 1);
    }
    assert_int_equal(read(pipes[0], out, len), len);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(pipes[0]);
    close(pipes[1]);
}

static void a_child_draws_other_randomness(void **state)
{
    for (size_t len = 16; len <= 32; len += 16) {
        uint8_t first[32], ours[32], theirs[32];
        yr_random(yr_rng_system(), first, len);
        draw_in_a_child(theirs, len);
        yr_random(yr_rng_system(), ours, len);
        assert_memory_not_equal(ours, theirs, len);
    }
}

static void short_draws_never_repeat(void **state)
{
    static uint8_t draws[400][8];
    for (size_t i = 0; i < YR_COUNT(draws); i++) {
        yr_random(yr_rng_system(), draws[i], 8);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(draws[i], draws[k], 8);
    }
}

// Stands before the C library's, so that a test can use up what may be locked.
static const void *locked;
static bool may_lock = true;
int mlock(const void *ptr, size_t len)
{
    locked = ptr;
    errno = ENOMEM;
    return may_lock ? 0 : -1;
}

static void secrets_are_locked_and_what_could_not_be_is_counted(void **state)
{
    struct yr_mem mem;
    void *ptr;

    yr_mem_init(&mem);
    assert_non_null(ptr = yr_alloc_secret(&mem, YR_MEM_NODE, 100));
    assert_ptr_equal(locked, ptr);
    assert_int_equal(mem.unlocked, 0);
    yr_free_secret(&mem, ptr);
    may_lock = false;
    assert_non_null(ptr = yr_alloc_secret(&mem, YR_MEM_NODE, 100));
    assert_int_equal(mem.unlocked, 100);
    yr_free_secret(&mem, ptr);
    may_lock = true;
}

static void memory_is_capped_for_each_purpose(void **state)
{
    struct yr_mem mem;
    yr_mem_init(&mem);
    for (unsigned p = 0; p < YR_MEM_COUNT; p++) {
        void *ptr = yr_alloc(&mem, p, 1000);
        assert_non_null(ptr);
        assert_null(yr_alloc(&mem, p, mem.cap[p]));
        yr_free(&mem, ptr);
        assert_int_equal(mem.used[p], 0);
    }
    uint8_t *secret = yr_locked_alloc(32);
    assert_non_null(secret);
    memset(secret, 7, 32);
    yr_locked_free(secret);
    yr_locked_free(NULL);
}

static void a_lock_is_held_once_and_names_its_holder(void **state)
{
    struct yr_lock a, b;
    struct yr_net_fail fail;
    pid_t holder;
    char pid[32];

    assert_int_equal(yr_lock_take(&a, in_dir("pid"), &holder, &fail), YR_OK);
    assert_int_equal(yr_lock_take(&b, in_dir("pid"), &holder, &fail), YR_EEXIST);
    assert_int_equal(holder, getpid());
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_non_null(strstr(fail.text, pid));
    yr_lock_release(&b);
    yr_lock_release(&a);
    assert_int_equal(yr_lock_take(&b, in_dir("pid"), &holder, &fail), YR_OK);
    yr_lock_release(&b);
    yr_lock_release(&b);
}

static void a_lock_ends_with_its_process(void **state)
{
    struct yr_lock lock;
    struct yr_net_fail fail;
    pid_t holder, child;
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        if (yr_lock_take(&lock, in_dir("pid"), &holder, &fail) == YR_OK)
            (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(yr_lock_take(&lock, in_dir("pid"), &holder, &fail), YR_EEXIST);
    assert_int_equal(holder, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(yr_lock_take(&lock, in_dir("pid"), &holder, &fail), YR_OK);
    yr_lock_release(&lock);
    close(ready[0]);
    close(ready[1]);
}

// Stands before the C library's, so that a disk can be full.
static size_t disk_room = SIZE_MAX;
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    if (disk_room == 0) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, YR_MIN(len, disk_room), at);
}

static void a_lock_is_held_on_a_full_disk_too(void **state)
{
    struct yr_lock a, b;
    struct yr_net_fail fail;
    pid_t holder;

    for (size_t room = 0; room < 2; room++) { // nothing, or half a number
        disk_room = room;
        assert_int_equal(yr_lock_take(&a, in_dir("pid"), &holder, &fail), YR_OK);
        assert_int_equal(yr_lock_take(&b, in_dir("pid"), &holder, &fail), YR_EEXIST);
        assert_int_equal(holder, 0);
        yr_lock_release(&a);
    }
    disk_room = SIZE_MAX;
}

static void a_lock_that_cannot_be_made_says_why(void **state)
{
    struct yr_lock lock;
    struct yr_net_fail fail;
    pid_t holder;

    assert_int_equal(yr_lock_take(&lock, in_dir("no/such/pid"), &holder, &fail), YR_ENOENT);
    assert_non_null(strstr(fail.text, "no/such/pid"));
    assert_int_equal(symlink("/dev/null", in_dir("link")), 0);
    assert_int_equal(yr_lock_take(&lock, in_dir("link"), &holder, &fail), YR_EDENIED);
    assert_int_equal(lock.fd, -1);
}

/** What arrives at the service manager's socket after `tell`. */
static void told(const char *path, void (*tell)(void), char *out, size_t cap)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const size_t len = strlen(path);
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    memcpy(at.sun_path, path, len);
    if (path[0] == '@')
        at.sun_path[0] = '\0';
    assert_int_equal(
        bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
        0);
    setenv("NOTIFY_SOCKET", path, 1);
    tell();
    unsetenv("NOTIFY_SOCKET");
    const ssize_t got = recv(fd, out, cap - 1, MSG_DONTWAIT);
    assert_true(got > 0);
    out[got] = '\0';
    close(fd);
}

static void tell_ready(void)
{
    yr_sdnotify_ready("3 friends\nMAINPID=1");
}

static void the_service_manager_is_told(void **state)
{
    char text[512], name[64];

    told(in_dir("notify"), tell_ready, text, sizeof text);
    assert_string_equal(text, "READY=1\nSTATUS=3 friends"); // a status is one line
    snprintf(name, sizeof name, "@yaari-test-%d", (int)getpid());
    told(name, yr_sdnotify_reloading, text, sizeof text);
    assert_non_null(strstr(text, "RELOADING=1\nMONOTONIC_USEC="));
    told(name, yr_sdnotify_stopping, text, sizeof text);
    assert_string_equal(text, "STOPPING=1");
    told(name, yr_sdnotify_watchdog, text, sizeof text);
    assert_string_equal(text, "WATCHDOG=1");
    yr_sdnotify_stopping(); // nobody is there: nothing happens
}

static void the_watchdog_wants_a_sign_at_half_its_time(void **state)
{
    char pid[32];

    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    assert_int_equal(yr_sdnotify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "60000000", 1);
    assert_int_equal(yr_sdnotify_watchdog_ms(), 30000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(yr_sdnotify_watchdog_ms(), 0);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(yr_sdnotify_watchdog_ms(), 30000);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(yr_sdnotify_watchdog_ms(), 0);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static void readiness_is_a_newline_and_the_end(void **state)
{
    int fds[2];
    char bytes[4];

    assert_int_equal(pipe(fds), 0);
    assert_true(yr_ready_fd(fds[1]));
    assert_int_equal(read(fds[0], bytes, sizeof bytes), 1);
    assert_int_equal(bytes[0], '\n');
    assert_int_equal(read(fds[0], bytes, sizeof bytes), 0);
    close(fds[0]);
}

static int make_dir(void **state)
{
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    unlink(in_dir("pid"));
    unlink(in_dir("link"));
    unlink(in_dir("notify"));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written_the_same),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(kinds_of_addresses_are_told_apart),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(short_draws_never_repeat),
        cmocka_unit_test(a_child_draws_other_randomness),
        cmocka_unit_test(memory_is_capped_for_each_purpose),
        cmocka_unit_test(secrets_are_locked_and_what_could_not_be_is_counted),
        cmocka_unit_test(a_lock_is_held_once_and_names_its_holder),
        cmocka_unit_test(a_lock_ends_with_its_process),
        cmocka_unit_test(a_lock_is_held_on_a_full_disk_too),
        cmocka_unit_test(a_lock_that_cannot_be_made_says_why),
        cmocka_unit_test(the_service_manager_is_told),
        cmocka_unit_test(the_watchdog_wants_a_sign_at_half_its_time),
        cmocka_unit_test(readiness_is_a_newline_and_the_end),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
