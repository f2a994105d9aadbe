#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "core/base/base.h"
#include "net/control.h"

#define NOBODY 65534

static char dir[] = "/tmp/yaari-control-XXXXXX";
static char path[64];

// Stands before the C library's, so that a test can take the system's means away.
static int accept_fails_with;
static size_t accept_calls;
int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len, int flags)
{
    accept_calls++;
    errno = accept_fails_with;
    return accept_fails_with != 0 ? -1
                                  : (int)syscall(SYS_accept4, fd, addr.__sockaddr__, len, flags);
}

/** What the server side of a test sees. */
struct server {
    struct test_loop loop;
    struct yr_control *control;
    size_t lines, too_long, closed, refused, want;
    size_t len; // of the last line
    char last[128];
    bool echo, hold, done, quit;
    char behind[32]; // what stands in the buffer after the last line
    struct yr_caller *caller;
    uid_t uid;
};

static void check_done(struct server *s)
{
    s->done = s->lines + s->too_long + s->closed + s->refused >= s->want;
}

static void on_line(void *ctx, struct yr_caller *caller, const char *line, size_t len)
{
    struct server *s = ctx;

    s->lines++;
    s->caller = caller;
    s->uid = yr_caller_uid(caller);
    s->len = len;
    memcpy(s->last, line, YR_MIN(len, sizeof s->last - 1));
    s->last[YR_MIN(len, sizeof s->last - 1)] = '\0';
    if (len < 64) // a buffer is never that small
        memcpy(s->behind, line + len + 1, sizeof s->behind);
    if (s->hold)
        yr_caller_hold(caller);
    if (s->echo) { // in one piece: who has read its answer may be gone before the next
        char *answer = malloc(len + 1);
        assert_non_null(answer);
        memcpy(answer, line, len);
        answer[len] = '\n';
        assert_int_equal(yr_caller_send(caller, answer, len + 1), YR_OK);
        free(answer);
    }
    if (s->quit)
        yr_caller_close(caller, false);
    check_done(s);
}

static void on_too_long(void *ctx, struct yr_caller *caller)
{
    struct server *s = ctx;
    s->too_long++;
    check_done(s);
}

static void on_close(void *ctx, struct yr_caller *caller)
{
    struct server *s = ctx;
    s->closed++;
    check_done(s);
}

static void on_refused(void *ctx, uid_t uid, pid_t pid)
{
    struct server *s = ctx;
    s->refused++;
    s->uid = uid;
    check_done(s);
}

static struct yr_control_opts opts_of(struct server *s)
{
    return (struct yr_control_opts){.loop = &s->loop.uv,
                                    .path = path,
                                    .on_line = on_line,
                                    .on_too_long = on_too_long,
                                    .on_close = on_close,
                                    .on_refused = on_refused,
                                    .ctx = s};
}

static void serve(struct server *s)
{
    struct yr_control_opts opts;
    struct yr_net_fail fail;

    memset(s, 0, sizeof *s);
    s->want = 1;
    loop_start(&s->loop);
    opts = opts_of(s);
    assert_int_equal(yr_control_open(&s->control, &opts, &fail), YR_OK);
}

static void wait_for(struct server *s, size_t happenings)
{
    s->want = happenings;
    check_done(s);
    assert_true(s->done || loop_until(&s->loop, &s->done, GUARD_MS));
}

static void finish(struct server *s)
{
    bool closed = false;

    yr_control_close(s->control, set_true, &closed);
    assert_true(loop_until(&s->loop, &closed, GUARD_MS));
    loop_end(&s->loop);
    assert_int_equal(access(path, F_OK), -1);
}

static int dial_path(const char *to)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(at.sun_path, to);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static int dial(void)
{
    const int fd = dial_path(path);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/** Write all of it, letting the server read in between. */
static void say(struct server *s, int fd, const char *bytes, size_t len)
{
    for (int i = 0; i < 10000 && len > 0; i++) {
        const ssize_t n = write(fd, bytes, len);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
        uv_run(&s->loop.uv, UV_RUN_NOWAIT);
    }
    assert_int_equal(len, 0);
}

/** Read until `len` bytes are there or the other end is closed; how many. */
static size_t hear(struct server *s, int fd, char *out, size_t len)
{
    size_t got = 0;

    for (int i = 0; i < 10000 && got < len; i++) {
        const ssize_t n = read(fd, out + got, len - got);
        if (n == 0)
            break;
        if (n > 0)
            got += (size_t)n;
        else
            loop_for(&s->loop, 1);
    }
    return got;
}

static void a_line_comes_in_and_its_answer_goes_out(void **state)
{
    struct server s;
    char answer[16] = "";
    int fd;

    serve(&s);
    s.echo = true;
    fd = dial();
    say(&s, fd, "{\"id\":1}\n", 9);
    wait_for(&s, 1);
    assert_string_equal(s.last, "{\"id\":1}");
    assert_int_equal(s.uid, geteuid());
    assert_int_equal(yr_caller_pid(s.caller), getpid());
    assert_int_equal(hear(&s, fd, answer, 9), 9);
    assert_string_equal(answer, "{\"id\":1}\n");
    close(fd);
    wait_for(&s, 2);
    assert_int_equal(s.closed, 1);
    assert_int_equal(yr_control_clients(s.control), 0);
    finish(&s);
}

static void lines_come_whole_however_they_are_cut(void **state)
{
    struct server s;
    int fd;

    serve(&s);
    fd = dial();
    say(&s, fd, "one\ntwo\n\nthr", 12);
    wait_for(&s, 3);
    assert_int_equal(s.lines, 3);
    assert_int_equal(s.len, 0);
    say(&s, fd, "e", 1);
    say(&s, fd, "e\nfour\nfi", 9);
    wait_for(&s, 5);
    assert_string_equal(s.last, "four");
    close(fd);
    wait_for(&s, 7); // what was said last counts, and then it is gone
    assert_string_equal(s.last, "fi");
    finish(&s);
}

static void a_line_at_the_limit_passes_and_a_longer_one_is_thrown_away_once(void **state)
{
    static char big[YR_CONTROL_LINE_MAX + 1];
    struct server s;
    int fd;

    memset(big, 'x', sizeof big);
    serve(&s);
    fd = dial();
    say(&s, fd, big, YR_CONTROL_LINE_MAX);
    say(&s, fd, "\n", 1);
    wait_for(&s, 1);
    assert_int_equal(s.lines, 1);
    assert_int_equal(s.len, YR_CONTROL_LINE_MAX);
    say(&s, fd, big, YR_CONTROL_LINE_MAX + 1);
    say(&s, fd, big, YR_CONTROL_LINE_MAX + 1);
    say(&s, fd, big, YR_CONTROL_LINE_MAX + 1);
    say(&s, fd, "\nshort\n", 7);
    wait_for(&s, 3);
    assert_int_equal(s.too_long, 1);
    assert_int_equal(s.lines, 2);
    assert_string_equal(s.last, "short");
    close(fd);
    finish(&s);
}

static void a_slow_reader_gets_everything_up_to_the_bound(void **state)
{
    static char bytes[1 << 20], got[3 << 20];
    struct server s;
    int fd;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31 >> 8);
    serve(&s);
    fd = dial();
    say(&s, fd, "hello\n", 6);
    wait_for(&s, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(yr_caller_send(s.caller, bytes, sizeof bytes), YR_OK);
    assert_true(yr_caller_queued(s.caller) > sizeof bytes);
    assert_int_equal(hear(&s, fd, got, sizeof got), sizeof got);
    for (size_t i = 0; i < 3; i++)
        assert_memory_equal(got + i * sizeof bytes, bytes, sizeof bytes);
    loop_for(&s.loop, 5);
    assert_int_equal(yr_caller_queued(s.caller), 0);
    assert_int_equal(s.closed, 0);
    close(fd);
    finish(&s);
}

static void a_reader_that_is_too_slow_is_closed(void **state)
{
    static char bytes[1 << 20];
    struct server s;
    enum yr_err err = YR_OK;
    int fd;

    serve(&s);
    fd = dial();
    say(&s, fd, "hello\n", 6);
    wait_for(&s, 1);
    for (int i = 0; i < 8 && err == YR_OK; i++)
        err = yr_caller_send(s.caller, bytes, sizeof bytes);
    assert_int_equal(err, YR_EFULL);
    assert_int_equal(s.closed, 0); // told later, never from inside send
    assert_int_equal(yr_caller_send(s.caller, "x", 1), YR_ENOENT);
    wait_for(&s, 2);
    assert_int_equal(s.closed, 1);
    close(fd);
    finish(&s);
}

static void who_stops_talking_still_gets_its_answers(void **state)
{
    struct server s;
    char answer[16] = "";
    int fd;

    serve(&s);
    s.hold = true;
    fd = dial();
    say(&s, fd, "wait", 4); // not even a newline
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    wait_for(&s, 1);
    assert_string_equal(s.last, "wait");
    loop_for(&s.loop, 5);
    assert_int_equal(s.closed, 0);
    assert_int_equal(yr_caller_send(s.caller, "done\n", 5), YR_OK);
    yr_caller_release(s.caller);
    assert_int_equal(hear(&s, fd, answer, 16), 5); // and then the end
    assert_string_equal(answer, "done\n");
    wait_for(&s, 2);
    close(fd);
    finish(&s);
}

static void a_client_that_dies_takes_nobody_with_it(void **state)
{
    struct server s;
    int fd;

    serve(&s);
    s.hold = true;
    fd = dial();
    say(&s, fd, "bye\n", 4);
    wait_for(&s, 1);
    assert_int_equal(yr_caller_send(s.caller, "unread\n", 7), YR_OK);
    say(&s, fd, "", 0);
    assert_int_equal(write(fd, "last\n", 5), 5);
    close(fd); // with unread bytes: the connection is reset
    assert_int_not_equal(yr_caller_send(s.caller, "more\n", 5), YR_EFULL); // no SIGPIPE
    wait_for(&s, s.lines + 1);
    while (s.closed == 0)
        wait_for(&s, s.lines + s.closed + 1);
    s.hold = false;
    fd = dial();
    say(&s, fd, "next\n", 5);
    wait_for(&s, s.lines + s.closed + 1);
    assert_string_equal(s.last, "next");
    close(fd);
    finish(&s);
}

static void closing_a_client_lets_it_read_the_last_answer(void **state)
{
    struct server s;
    char answer[16] = "";
    int fd;

    serve(&s);
    s.echo = s.quit = true;
    fd = dial();
    say(&s, fd, "a\nb\n", 4);
    assert_int_equal(hear(&s, fd, answer, 16), 2);
    assert_string_equal(answer, "a\n");
    wait_for(&s, 2);
    assert_int_equal(s.lines, 1);
    close(fd);
    finish(&s);
}

static void one_client_too_many_is_dropped_until_another_leaves(void **state)
{
    struct server s;
    int fds[YR_CONTROL_CLIENTS_MAX + 1];
    char byte;

    serve(&s);
    for (size_t i = 0; i < YR_COUNT(fds); i++) {
        fds[i] = dial();
        uv_run(&s.loop.uv, UV_RUN_NOWAIT);
    }
    loop_for(&s.loop, 20);
    assert_int_equal(yr_control_clients(s.control), YR_CONTROL_CLIENTS_MAX);
    assert_int_equal(read(fds[YR_CONTROL_CLIENTS_MAX], &byte, 1), 0);
    close(fds[YR_CONTROL_CLIENTS_MAX]);
    close(fds[0]);
    wait_for(&s, 1);
    fds[0] = dial();
    say(&s, fds[0], "in\n", 3);
    wait_for(&s, 2);
    assert_string_equal(s.last, "in");
    for (size_t i = 0; i < YR_CONTROL_CLIENTS_MAX; i++)
        close(fds[i]);
    finish(&s); // with callers still there: each is closed
    assert_int_equal(s.closed, YR_CONTROL_CLIENTS_MAX + 1);
}

static void without_descriptors_left_callers_are_shed_and_the_loop_rests(void **state)
{
    struct server s;
    struct rlimit old, tight;
    int fds[3], top;
    char byte;

    serve(&s);
    uv_run(&s.loop.uv, UV_RUN_NOWAIT);
    for (size_t i = 0; i < YR_COUNT(fds); i++)
        fds[i] = dial();
    top = dup(0);
    close(top);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)top; // not one more
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (int i = 0; i < 10; i++)
        uv_run(&s.loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(yr_control_clients(s.control), 0);
    for (size_t i = 0; i < YR_COUNT(fds); i++) {
        assert_int_equal(read(fds[i], &byte, 1), 0);
        close(fds[i]);
    }
    fds[0] = dial();
    say(&s, fds[0], "now\n", 4);
    wait_for(&s, 1);
    close(fds[0]);
    finish(&s);
}

static void without_memory_for_callers_the_loop_rests_and_tries_again(void **state)
{
    static const int errors[] = {ENOMEM, ENOBUFS, EMFILE, ENFILE};

    for (size_t i = 0; i < YR_COUNT(errors); i++) {
        struct server s;
        int fd;

        serve(&s);
        fd = dial();
        accept_calls = 0;
        accept_fails_with = errors[i];
        loop_for(&s.loop, 50);
        accept_fails_with = 0;
        assert_in_range(accept_calls, 1, 4);
        say(&s, fd, "now\n", 4);
        wait_for(&s, 1);
        close(fd);
        finish(&s);
    }
}

static void closing_while_the_loop_rests_is_fine(void **state)
{
    struct server s;
    int fd;

    serve(&s);
    fd = dial();
    accept_fails_with = ENOMEM;
    loop_for(&s.loop, 5);
    accept_fails_with = 0;
    finish(&s);
    close(fd);
}

// A passphrase comes this way.
static void what_a_line_said_does_not_stay_in_the_buffer(void **state)
{
    static const char secret[] = "correct horse battery staple\n";
    struct server s;
    int fd;

    serve(&s);
    fd = dial();
    say(&s, fd, secret, sizeof secret - 1);
    wait_for(&s, 1);
    say(&s, fd, "x\n", 2);
    wait_for(&s, 2);
    assert_null(memmem(s.behind, sizeof s.behind, "horse", 5));
    close(fd);
    finish(&s);
}

static void the_directory_is_made_private_and_the_socket_too(void **state)
{
    struct server s;
    struct stat st;

    snprintf(path, sizeof path, "%s/run/sock", dir);
    serve(&s);
    snprintf(path, sizeof path, "%s/run", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/run/sock", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    finish(&s);
    snprintf(path, sizeof path, "%s/run", dir);
    assert_int_equal(rmdir(path), 0);
    snprintf(path, sizeof path, "%s/sock", dir);
}

static void refuse(const char *at, enum yr_err err, const char *word)
{
    struct server s = {0};
    struct yr_net_fail fail;
    struct yr_control_opts opts;

    loop_start(&s.loop);
    opts = opts_of(&s);
    opts.path = at;
    opts.replace_stale = true;
    assert_int_equal(yr_control_open(&s.control, &opts, &fail), err);
    assert_int_equal(fail.err, err);
    assert_non_null(strstr(fail.text, word));
    loop_end(&s.loop);
}

static void places_that_are_not_private_or_not_free_are_refused(void **state)
{
    char longest[200];
    int fd;

    assert_int_equal(chmod(dir, 0755), 0);
    refuse(path, YR_EDENIED, "mode 755");
    assert_int_equal(chmod(dir, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(dir, NOBODY, (gid_t)-1), 0);
        refuse(path, YR_EDENIED, "uid 65534");
        assert_int_equal(chown(dir, 0, (gid_t)-1), 0);
    }
    memset(longest, 'x', sizeof longest);
    longest[108] = '\0';
    refuse(longest, YR_ESIZE, "107");
    refuse("/proc/no/such/sock", YR_ENOENT, "/proc/no/such");
    fd = open(path, O_CREAT | O_RDWR, 0600);
    close(fd);
    refuse(path, YR_EEXIST, "not a socket");
    assert_int_equal(unlink(path), 0); // it is still there
}

static void what_a_crash_left_is_replaced_by_who_holds_the_lock_only(void **state)
{
    struct server s;
    struct yr_net_fail fail;
    struct yr_control_opts opts;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int old = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(at.sun_path, path);
    assert_int_equal(bind(old, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(old, 1), 0);
    refuse(path, YR_EEXIST, "another program");
    close(old); // now nobody answers
    memset(&s, 0, sizeof s);
    loop_start(&s.loop);
    opts = opts_of(&s);
    assert_int_equal(yr_control_open(&s.control, &opts, &fail), YR_EEXIST);
    opts.replace_stale = true;
    assert_int_equal(yr_control_open(&s.control, &opts, &fail), YR_OK);
    finish(&s);
}

static void closing_leaves_the_socket_of_another_alone(void **state)
{
    struct server a, b;
    bool closed = false;

    serve(&a);
    assert_int_equal(unlink(path), 0);
    serve(&b);
    yr_control_close(a.control, set_true, &closed);
    assert_true(loop_until(&a.loop, &closed, GUARD_MS));
    loop_end(&a.loop);
    close(dial()); // b still answers
    finish(&b);
}

/** Connect as another user; 0: it was let in (an answer came), 1: it was not. */
static int visit_as_nobody(void)
{
    char byte;
    int fd;

    if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        return 2;
    fd = dial_path(path);
    if (fd < 0)
        return 3;
    (void)send(fd, "hi\n", 3, MSG_NOSIGNAL); // it may be closed already
    return read(fd, &byte, 1) == 1 ? 0 : 1;
}

static int visit(struct server *s, size_t happenings)
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0)
        _exit(visit_as_nobody());
    wait_for(s, happenings);
    loop_for(&s->loop, 5);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void another_user_is_refused_whatever_the_modes_say(void **state)
{
    struct server s;
    struct yr_control_opts opts;
    struct yr_net_fail fail;

    if (geteuid() != 0)
        skip(); // one user cannot become another
    serve(&s);
    assert_int_equal(chmod(dir, 0755), 0); // as if somebody had opened the place by hand
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(visit(&s, 1), 1);
    assert_int_equal(s.refused, 1);
    assert_int_equal(s.uid, NOBODY);
    assert_int_equal(s.lines, 0);
    assert_int_equal(chmod(dir, 0700), 0);
    finish(&s);

    memset(&s, 0, sizeof s);
    s.echo = true;
    loop_start(&s.loop);
    opts = opts_of(&s);
    opts.extra_uids[0] = NOBODY + 1;
    opts.extra_uids[1] = NOBODY;
    opts.extra_uid_count = 2;
    assert_int_equal(yr_control_open(&s.control, &opts, &fail), YR_OK);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(visit(&s, 1), 0);
    assert_int_equal(s.uid, NOBODY);
    assert_int_equal(chmod(dir, 0700), 0);
    finish(&s);
}

static int make_dir(void **state)
{
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/sock", dir);
    return 0;
}

static int remove_dir(void **state)
{
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_comes_in_and_its_answer_goes_out),
        cmocka_unit_test(lines_come_whole_however_they_are_cut),
        cmocka_unit_test(a_line_at_the_limit_passes_and_a_longer_one_is_thrown_away_once),
        cmocka_unit_test(a_slow_reader_gets_everything_up_to_the_bound),
        cmocka_unit_test(a_reader_that_is_too_slow_is_closed),
        cmocka_unit_test(who_stops_talking_still_gets_its_answers),
        cmocka_unit_test(a_client_that_dies_takes_nobody_with_it),
        cmocka_unit_test(closing_a_client_lets_it_read_the_last_answer),
        cmocka_unit_test(one_client_too_many_is_dropped_until_another_leaves),
        cmocka_unit_test(without_descriptors_left_callers_are_shed_and_the_loop_rests),
        cmocka_unit_test(without_memory_for_callers_the_loop_rests_and_tries_again),
        cmocka_unit_test(closing_while_the_loop_rests_is_fine),
        cmocka_unit_test(what_a_line_said_does_not_stay_in_the_buffer),
        cmocka_unit_test(the_directory_is_made_private_and_the_socket_too),
        cmocka_unit_test(places_that_are_not_private_or_not_free_are_refused),
        cmocka_unit_test(what_a_crash_left_is_replaced_by_who_holds_the_lock_only),
        cmocka_unit_test(closing_leaves_the_socket_of_another_alone),
        cmocka_unit_test(another_user_is_refused_whatever_the_modes_say),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
