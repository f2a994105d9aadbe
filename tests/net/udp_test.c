#include "loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/base/base.h"
#include "core/limits.h"
#include "net/addr.h"
#include "net/udp.h"

// Stands before the C library's, so that a test can fill the socket's buffer.
static bool buffer_full;
static int full_domain; // AF_INET, AF_INET6: sockets of that family only
static size_t send_calls;
int sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags)
{
    int domain = 0;
    (void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){sizeof domain});
    send_calls++;
    if (buffer_full || domain == full_domain) {
        errno = EAGAIN;
        return -1;
    }
    return (int)syscall(SYS_sendmmsg, fd, msgs, count, flags);
}

// Stands before libuv's: the clock that silence is measured by.
static uint64_t late_ms;
uint64_t uv_now(const uv_loop_t *loop)
{
    return uv_hrtime() / 1000000 + late_ms;
}

struct inbox {
    struct yr_udp *udp;
    size_t count, batches, want;
    struct yr_addr from;
    size_t len;
    uint8_t bytes[YR_PACKET_MAX];
    uint32_t next; // the number expected in the next datagram
    bool echo, in_order, done;
};

static void on_datagram(void *ctx, const struct yr_addr *from, const uint8_t *bytes, size_t len)
{
    struct inbox *in = ctx;
    uint32_t number = 0;

    in->from = *from;
    in->len = len;
    memcpy(in->bytes, bytes, len);
    memcpy(&number, bytes, len < 4 ? len : 4);
    in->in_order = in->in_order && number == in->next;
    in->next++;
    in->count++;
    in->done = in->count >= in->want;
    if (in->echo) {
        memcpy(yr_udp_room(in->udp), bytes, len);
        yr_udp_send(in->udp, from, len);
    }
}

static void on_batch(void *ctx)
{
    struct inbox *in = ctx;
    in->batches++;
    yr_udp_flush(in->udp);
}

static struct yr_addr addr(const char *text)
{
    struct yr_addr out;
    assert_int_equal(yr_addr_parse(&out, text, 0), YR_OK);
    return out;
}

static enum yr_err try_open(struct test_loop *loop, struct inbox *in, const char *listen,
                            uint16_t kept_port, struct yr_net_fail *fail)
{
    struct yr_udp_opts opts = {.loop = &loop->uv,
                               .kept_port = kept_port,
                               .on_datagram = on_datagram,
                               .on_batch = on_batch,
                               .ctx = in};
    struct yr_addr at;

    memset(in, 0, sizeof *in);
    in->in_order = true;
    in->want = 1;
    if (listen != NULL) {
        at = addr(listen);
        opts.listen = &at;
        opts.listen_count = 1;
    }
    return yr_udp_open(&in->udp, &opts, fail);
}

/** The address `in` is bound to, first of its sockets. */
static struct yr_addr open_at(struct test_loop *loop, struct inbox *in, const char *listen)
{
    struct yr_net_fail fail;
    struct yr_addr bound;

    assert_int_equal(try_open(loop, in, listen, 0, &fail), YR_OK);
    assert_int_equal(yr_udp_bound(in->udp, &bound, 1), 1);
    return bound;
}

static void close_one(struct test_loop *loop, struct inbox *in)
{
    bool closed = false;
    yr_udp_close(in->udp, set_true, &closed);
    assert_true(loop_until(loop, &closed, GUARD_MS));
}

static void say(struct inbox *in, const struct yr_addr *to, const void *bytes, size_t len)
{
    memcpy(yr_udp_room(in->udp), bytes, len);
    yr_udp_send(in->udp, to, len);
}

static bool have_ipv6(void)
{
    const struct yr_addr one = addr("::1");
    struct sockaddr_storage sys;
    const socklen_t len = yr_addr_to_sys(&one, &sys);
    const int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    const bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&sys, len) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static void goes_both_ways(const char *listen)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_addr at_a, at_b;

    loop_start(&loop);
    at_a = open_at(&loop, &a, listen);
    at_b = open_at(&loop, &b, listen);
    b.echo = true;
    say(&a, &at_b, "salaam", 6);
    yr_udp_flush(a.udp);
    assert_true(loop_until(&loop, &a.done, GUARD_MS));
    assert_int_equal(a.len, 6);
    assert_memory_equal(a.bytes, "salaam", 6);
    assert_true(yr_addr_same_ip(&a.from, &at_b) && a.from.port == at_b.port);
    assert_int_equal(b.from.port, at_a.port);
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

static void a_datagram_goes_out_and_its_answer_comes_in(void **state)
{
    goes_both_ways("127.0.0.1");
    if (have_ipv6())
        goes_both_ways("::1");
}

static void many_datagrams_come_in_order_in_few_calls(void **state)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_addr to;

    loop_start(&loop);
    open_at(&loop, &a, "127.0.0.1");
    to = open_at(&loop, &b, "127.0.0.1");
    b.want = 80;
    send_calls = 0;
    for (uint32_t i = 0; i < 80; i++) // as many as the smallest receive buffer holds
        say(&a, &to, &i, sizeof i);
    yr_udp_flush(a.udp);
    assert_int_equal(send_calls, 2);
    assert_true(loop_until(&loop, &b.done, GUARD_MS));
    assert_true(b.in_order);
    assert_true(b.batches >= 2 && b.batches <= 8);
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

static void a_full_socket_buffer_queues_up_to_the_bound_and_loses_nothing_below_it(void **state)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_addr to;
    struct yr_host_stats stats = {0};

    loop_start(&loop);
    open_at(&loop, &a, "127.0.0.1");
    to = open_at(&loop, &b, "127.0.0.1");
    buffer_full = true;
    for (uint32_t i = 0; i < 100; i++)
        say(&a, &to, &i, sizeof i);
    yr_udp_flush(a.udp);
    yr_udp_stats(a.udp, &stats);
    assert_int_equal(stats.tx_packets, 0);
    assert_int_equal(stats.tx_dropped, 0);
    buffer_full = false;
    b.want = 100;
    assert_true(loop_until(&loop, &b.done, GUARD_MS)); // the loop says when there is room
    assert_true(b.in_order);

    buffer_full = true;
    for (uint32_t i = 0; i < YR_UDP_QUEUE + 7; i++)
        say(&a, &to, &i, sizeof i);
    memset(&stats, 0, sizeof stats);
    yr_udp_stats(a.udp, &stats);
    assert_int_equal(stats.tx_dropped, 7);
    buffer_full = false;
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

static void a_full_buffer_of_one_family_does_not_hold_up_the_other(void **state)
{
    struct test_loop loop;
    struct inbox a, b4, b6;
    struct yr_addr to4, to6;
    struct yr_host_stats stats = {0};

    if (!have_ipv6())
        skip();
    loop_start(&loop);
    open_at(&loop, &a, NULL);
    to4 = open_at(&loop, &b4, "127.0.0.1");
    to6 = open_at(&loop, &b6, "::1");
    full_domain = AF_INET;
    for (uint32_t i = 0; i < YR_UDP_QUEUE + 7; i++)
        say(&a, &to4, &i, sizeof i);
    for (uint32_t i = 0; i < 10; i++)
        say(&a, &to6, &i, sizeof i);
    yr_udp_flush(a.udp);
    b6.want = 10;
    assert_true(loop_until(&loop, &b6.done, GUARD_MS));
    assert_true(b6.in_order);
    assert_int_equal(b4.count, 0);
    yr_udp_stats(a.udp, &stats);
    assert_int_equal(stats.tx_dropped, 7); // the bound is the socket's own
    full_domain = 0;
    assert_true(loop_until(&loop, &b4.done, GUARD_MS));
    close_one(&loop, &a);
    close_one(&loop, &b4);
    close_one(&loop, &b6);
    loop_end(&loop);
}

static void a_datagram_too_long_or_empty_is_dropped_and_counted(void **state)
{
    struct test_loop loop;
    struct inbox a;
    struct yr_addr to;
    struct sockaddr_storage sys;
    struct yr_host_stats stats = {0};
    static const uint8_t bytes[YR_PACKET_MAX + 1] = {1};
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);

    loop_start(&loop);
    to = open_at(&loop, &a, "127.0.0.1");
    const socklen_t len = yr_addr_to_sys(&to, &sys);
    assert_int_equal(sendto(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&sys, len),
                     sizeof bytes);
    assert_int_equal(sendto(fd, bytes, 0, 0, (struct sockaddr *)&sys, len), 0);
    assert_int_equal(sendto(fd, bytes, YR_PACKET_MAX, 0, (struct sockaddr *)&sys, len),
                     YR_PACKET_MAX);
    assert_true(loop_until(&loop, &a.done, GUARD_MS));
    yr_udp_stats(a.udp, &stats);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.len, YR_PACKET_MAX);
    assert_int_equal(stats.rx_dropped, 2);
    close(fd);
    close_one(&loop, &a);
    loop_end(&loop);
}

static void a_closed_port_at_the_other_end_disturbs_nobody(void **state)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_addr gone, to;

    loop_start(&loop);
    open_at(&loop, &a, "127.0.0.1");
    gone = open_at(&loop, &b, "127.0.0.1");
    close_one(&loop, &b);
    to = open_at(&loop, &b, "127.0.0.1");
    for (int i = 0; i < 5; i++) {
        say(&a, &gone, "anybody?", 8);
        yr_udp_flush(a.udp);
        loop_for(&loop, 2); // time for the ICMP error to come back
    }
    say(&a, &to, "you", 3);
    yr_udp_flush(a.udp);
    assert_true(loop_until(&loop, &b.done, GUARD_MS));
    b.echo = true;
    b.done = a.done = false;
    say(&a, &to, "you", 3);
    yr_udp_flush(a.udp);
    assert_true(loop_until(&loop, &a.done, GUARD_MS)); // and it still hears
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

static void an_answer_leaves_from_the_address_that_was_asked(void **state)
{
    struct test_loop loop;
    struct inbox server, a;
    struct yr_addr to;

    loop_start(&loop);
    to = open_at(&loop, &server, "0.0.0.0");
    server.echo = true;
    open_at(&loop, &a, "127.0.0.1");
    to.ip[0] = 127;
    to.ip[3] = 7; // 127.0.0.7: by itself the system would answer from 127.0.0.1
    say(&a, &to, "?", 1);
    yr_udp_flush(a.udp);
    assert_true(loop_until(&loop, &a.done, GUARD_MS));
    assert_true(yr_addr_eq(&a.from, &to));
    close_one(&loop, &server);
    close_one(&loop, &a);
    loop_end(&loop);
}

static void a_way_back_in_use_is_not_turned_by_one_datagram(void **state)
{
    struct test_loop loop;
    struct inbox server, a;
    struct yr_addr seven, eight;

    loop_start(&loop);
    seven = open_at(&loop, &server, "0.0.0.0");
    server.echo = true;
    open_at(&loop, &a, "127.0.0.1");
    seven.ip[0] = 127;
    seven.ip[3] = 7;
    eight = seven;
    eight.ip[3] = 8;
    for (int i = 0; i < 2; i++) { // whoever forges a's address may choose where it comes in
        a.done = false;
        say(&a, i == 0 ? &seven : &eight, "?", 1);
        yr_udp_flush(a.udp);
        assert_true(loop_until(&loop, &a.done, GUARD_MS));
        assert_true(yr_addr_eq(&a.from, &seven));
    }
    late_ms = YR_UDP_HEARD_MS; // silence: the way may be another
    a.done = false;
    say(&a, &eight, "?", 1);
    yr_udp_flush(a.udp);
    assert_true(loop_until(&loop, &a.done, GUARD_MS));
    late_ms = 0;
    assert_true(yr_addr_eq(&a.from, &eight));
    close_one(&loop, &server);
    close_one(&loop, &a);
    loop_end(&loop);
}

static void without_addresses_both_families_get_one_port(void **state)
{
    struct test_loop loop;
    struct inbox a;
    struct yr_addr bound[3];

    loop_start(&loop);
    open_at(&loop, &a, NULL);
    const size_t count = yr_udp_bound(a.udp, bound, 3);
    assert_int_equal(count, have_ipv6() ? 2 : 1);
    assert_int_not_equal(bound[0].port, 0);
    assert_int_equal(bound[count - 1].port, bound[0].port);
    assert_int_equal(yr_udp_random_port(a.udp), bound[0].port);
    close_one(&loop, &a);
    loop_end(&loop);
}

static void a_kept_port_is_used_again_and_given_up_when_taken(void **state)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_net_fail fail;
    uint16_t port;

    loop_start(&loop);
    port = open_at(&loop, &a, NULL).port;
    close_one(&loop, &a);
    assert_int_equal(try_open(&loop, &a, NULL, port, &fail), YR_OK);
    assert_int_equal(yr_udp_random_port(a.udp), port);
    assert_int_equal(try_open(&loop, &b, NULL, port, &fail), YR_OK);
    assert_int_not_equal(yr_udp_random_port(b.udp), port);
    assert_int_not_equal(yr_udp_random_port(b.udp), 0);
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

static void a_port_that_was_asked_for_and_is_taken_is_an_error_with_its_name(void **state)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_net_fail fail;
    struct yr_addr taken;
    char text[YR_ADDR_TEXT];

    loop_start(&loop);
    taken = open_at(&loop, &a, "127.0.0.1");
    yr_addr_text(text, &taken);
    assert_int_equal(try_open(&loop, &b, text, 0, &fail), YR_EEXIST);
    assert_non_null(strstr(fail.text, text));
    assert_non_null(strstr(fail.text, "in use"));
    assert_int_equal(try_open(&loop, &b, "192.0.2.77:0", 0, &fail), YR_EINVAL);
    assert_non_null(strstr(fail.text, "192.0.2.77"));
    close_one(&loop, &a);
    loop_end(&loop);
}

static bool closed_inside;
static void close_on_datagram(void *ctx, const struct yr_addr *from, const uint8_t *bytes,
                              size_t len)
{
    struct inbox *in = ctx;
    in->count++;
    yr_udp_close(in->udp, set_true, &closed_inside);
}

static void closing_inside_a_callback_is_fine(void **state)
{
    struct test_loop loop;
    struct inbox a, b = {0};
    struct yr_addr to;
    struct yr_net_fail fail;
    const struct yr_addr listen = addr("127.0.0.1");
    const struct yr_udp_opts opts = {.loop = &loop.uv,
                                     .listen = &listen,
                                     .listen_count = 1,
                                     .on_datagram = close_on_datagram,
                                     .ctx = &b};

    closed_inside = false;
    loop_start(&loop);
    open_at(&loop, &a, "127.0.0.1");
    assert_int_equal(yr_udp_open(&b.udp, &opts, &fail), YR_OK);
    yr_udp_bound(b.udp, &to, 1);
    say(&a, &to, "1", 1);
    say(&a, &to, "2", 1);
    yr_udp_flush(a.udp);
    assert_true(loop_until(&loop, &closed_inside, GUARD_MS));
    assert_int_equal(b.count, 1);
    close_one(&loop, &a);
    loop_end(&loop);
}

/** In a network of its own whose loopback takes 1,300 bytes: 0, or the number of the failed step.
 */
static int send_over_a_narrow_path(void)
{
    struct ifreq req = {.ifr_name = "lo"};
    struct test_loop loop;
    struct inbox a, b;
    struct yr_addr to;
    struct yr_host_stats stats = {0};
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);

    req.ifr_mtu = 1300;
    if (ioctl(fd, SIOCSIFMTU, &req) != 0)
        return 1;
    req.ifr_flags = IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &req) != 0)
        return 2;
    close(fd);
    loop_start(&loop);
    open_at(&loop, &a, "127.0.0.1");
    to = open_at(&loop, &b, "127.0.0.1");
    static const uint8_t bytes[1400] = {0};
    say(&a, &to, bytes, 1272);
    say(&a, &to, bytes, 1273); // one more than goes without fragments
    say(&a, &to, bytes, 1400);
    say(&a, &to, bytes, 1232);
    yr_udp_flush(a.udp);
    b.want = 2;
    if (!loop_until(&loop, &b.done, 3000))
        return 3;
    loop_for(&loop, 20);
    yr_udp_stats(a.udp, &stats);
    if (b.count != 2 || b.len != 1232)
        return 4;
    if (stats.tx_dropped != 2)
        return 5;
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
    return 0;
}

static void what_the_path_does_not_take_whole_is_dropped_and_never_fragmented(void **state)
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        if (unshare(CLONE_NEWNET) != 0)
            _exit(99);
        _exit(send_over_a_narrow_path());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 99)
        skip(); // making a network takes privileges
    assert_int_equal(WEXITSTATUS(status), 0);
}

// ---- extra sockets ----

static void an_extra_socket_has_a_port_of_its_own_and_says_which_it_is(void **state)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_addr at_a, to;

    loop_start(&loop);
    at_a = open_at(&loop, &a, "127.0.0.1");
    to = open_at(&loop, &b, "127.0.0.1");
    b.echo = true;
    assert_int_equal(yr_udp_open_extra(a.udp, 7, 4), YR_OK);
    assert_int_equal(yr_udp_extras(a.udp), 1);
    to.local = 7;
    say(&a, &to, "?", 1);
    yr_udp_flush(a.udp);
    assert_true(loop_until(&loop, &a.done, GUARD_MS));
    assert_int_not_equal(b.from.port, at_a.port);
    assert_true(yr_addr_same_ip(&b.from, &at_a)); // the address that we listen on
    assert_int_equal(b.from.local, 0);
    assert_true(yr_addr_eq(&a.from, &to)); // its number with it
    a.done = false;
    to.local = 0; // the main socket is none the wiser
    say(&a, &to, "?", 1);
    yr_udp_flush(a.udp);
    assert_true(loop_until(&loop, &a.done, GUARD_MS));
    assert_int_equal(b.from.port, at_a.port);
    assert_int_equal(a.from.local, 0);
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

static void what_goes_through_a_socket_that_is_not_there_is_dropped(void **state)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_host_stats stats = {0};
    struct yr_addr to;

    loop_start(&loop);
    open_at(&loop, &a, "127.0.0.1");
    to = open_at(&loop, &b, "127.0.0.1");
    assert_int_equal(yr_udp_open_extra(a.udp, 0, 4), YR_EINVAL);
    assert_int_equal(yr_udp_open_extra(a.udp, YR_SOCKETS_MAX + 1, 4), YR_EINVAL);
    assert_int_equal(yr_udp_open_extra(a.udp, 1, 6), YR_EINVAL); // we do not listen there
    assert_int_equal(yr_udp_open_extra(a.udp, 1, YR_FAMILY_VIA), YR_EINVAL);
    assert_int_equal(yr_udp_open_extra(a.udp, 1, 4), YR_OK);
    yr_udp_shut_extra(a.udp, 1);
    yr_udp_shut_extra(a.udp, 1);
    yr_udp_shut_extra(a.udp, 0);
    yr_udp_shut_extra(a.udp, UINT16_MAX);
    for (to.local = 1; to.local < 3; to.local++)
        say(&a, &to, "?", 1);
    to.local = UINT16_MAX;
    say(&a, &to, "?", 1);
    yr_udp_flush(a.udp);
    yr_udp_stats(a.udp, &stats);
    assert_int_equal(stats.tx_packets, 0);
    assert_int_equal(stats.tx_dropped, 3);
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

static void all_extra_sockets_send_and_hear_and_cost_nothing_when_idle(void **state)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_addr to;

    loop_start(&loop);
    open_at(&loop, &a, "0.0.0.0");
    to = open_at(&loop, &b, "127.0.0.1");
    b.echo = true;
    a.want = YR_SOCKETS_MAX;
    for (uint16_t n = 1; n <= YR_SOCKETS_MAX; n++) {
        assert_int_equal(yr_udp_open_extra(a.udp, n, 4), YR_OK);
        to.local = n;
        say(&a, &to, &n, sizeof n);
        if (n % 32 == 0) {
            yr_udp_flush(a.udp);
            loop_for(&loop, 2); // the echo's buffer is the system's smallest
        }
    }
    assert_true(loop_until(&loop, &a.done, GUARD_MS));
    assert_int_equal(yr_udp_extras(a.udp), YR_SOCKETS_MAX);
    unsigned turns = 0;
    loop.timed_out = false;
    uv_timer_start(&loop.guard, guard_fired, 200, 0);
    while (!loop.timed_out)
        (void)uv_run(&loop.uv, UV_RUN_ONCE), turns++;
    assert_true(turns <= 3);
    yr_udp_shut_extras(a.udp);
    assert_int_equal(yr_udp_extras(a.udp), 0);
    a.done = false;
    a.want = a.count + 1;
    to.local = 0;
    say(&a, &to, "?", 1);
    yr_udp_flush(a.udp);
    assert_true(loop_until(&loop, &a.done, GUARD_MS));
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

static void full_extra_sockets_leave_the_main_ones_their_room(void **state)
{
    struct test_loop loop;
    struct inbox a, b;
    struct yr_addr to;
    struct yr_host_stats stats = {0};

    loop_start(&loop);
    open_at(&loop, &a, "127.0.0.1");
    to = open_at(&loop, &b, "127.0.0.1");
    for (uint16_t n = 1; n <= 4; n++)
        assert_int_equal(yr_udp_open_extra(a.udp, n, 4), YR_OK);
    buffer_full = true;
    for (uint32_t i = 0; i < YR_UDP_EXTRA + 5; i++) {
        to.local = (uint16_t)(1 + i % 4);
        say(&a, &to, "extra", 5);
    }
    yr_udp_stats(a.udp, &stats);
    assert_int_equal(stats.tx_dropped, 5);
    to.local = 0;
    for (uint32_t i = 0; i < YR_UDP_QUEUE; i++)
        say(&a, &to, &i, sizeof i);
    memset(&stats, 0, sizeof stats);
    yr_udp_stats(a.udp, &stats);
    assert_int_equal(stats.tx_dropped, 5);
    yr_udp_shut_extra(a.udp, 1); // what waits there is gone, and its room is free again
    to.local = 2;
    for (uint32_t i = 0; i < YR_UDP_EXTRA / 4; i++)
        say(&a, &to, "extra", 5);
    memset(&stats, 0, sizeof stats);
    yr_udp_stats(a.udp, &stats);
    assert_int_equal(stats.tx_dropped, 5);
    buffer_full = false;
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

static void shut_on_batch(void *ctx)
{
    struct inbox *in = ctx;
    in->batches++;
    yr_udp_shut_extras(in->udp);
}

static void an_extra_socket_may_be_shut_by_what_came_in_there(void **state)
{
    struct test_loop loop;
    struct inbox a = {.want = 1}, b;
    struct yr_net_fail fail;
    struct yr_addr to;
    const struct yr_addr listen = addr("127.0.0.1");
    const struct yr_udp_opts opts = {.loop = &loop.uv,
                                     .listen = &listen,
                                     .listen_count = 1,
                                     .on_datagram = on_datagram,
                                     .on_batch = shut_on_batch,
                                     .ctx = &a};

    loop_start(&loop);
    to = open_at(&loop, &b, "127.0.0.1");
    b.echo = true;
    assert_int_equal(yr_udp_open(&a.udp, &opts, &fail), YR_OK);
    for (int i = 0; i < 2; i++) { // the second time under the number of one that is closing
        assert_int_equal(yr_udp_open_extra(a.udp, 5, 4), YR_OK);
        assert_int_equal(yr_udp_open_extra(a.udp, 5, 4), YR_OK); // takes the place of the first
        to.local = 5;
        a.done = false;
        a.want = a.count + 1;
        say(&a, &to, "?", 1);
        say(&a, &to, "?", 1);
        yr_udp_flush(a.udp);
        assert_true(loop_until(&loop, &a.done, GUARD_MS));
        assert_int_equal(yr_udp_extras(a.udp), 0);
    }
    close_one(&loop, &a);
    close_one(&loop, &b);
    loop_end(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_goes_out_and_its_answer_comes_in),
        cmocka_unit_test(many_datagrams_come_in_order_in_few_calls),
        cmocka_unit_test(a_full_socket_buffer_queues_up_to_the_bound_and_loses_nothing_below_it),
        cmocka_unit_test(a_full_buffer_of_one_family_does_not_hold_up_the_other),
        cmocka_unit_test(a_datagram_too_long_or_empty_is_dropped_and_counted),
        cmocka_unit_test(a_closed_port_at_the_other_end_disturbs_nobody),
        cmocka_unit_test(an_answer_leaves_from_the_address_that_was_asked),
        cmocka_unit_test(a_way_back_in_use_is_not_turned_by_one_datagram),
        cmocka_unit_test(without_addresses_both_families_get_one_port),
        cmocka_unit_test(a_kept_port_is_used_again_and_given_up_when_taken),
        cmocka_unit_test(a_port_that_was_asked_for_and_is_taken_is_an_error_with_its_name),
        cmocka_unit_test(closing_inside_a_callback_is_fine),
        cmocka_unit_test(what_the_path_does_not_take_whole_is_dropped_and_never_fragmented),
        cmocka_unit_test(an_extra_socket_has_a_port_of_its_own_and_says_which_it_is),
        cmocka_unit_test(what_goes_through_a_socket_that_is_not_there_is_dropped),
        cmocka_unit_test(all_extra_sockets_send_and_hear_and_cost_nothing_when_idle),
        cmocka_unit_test(full_extra_sockets_leave_the_main_ones_their_room),
        cmocka_unit_test(an_extra_socket_may_be_shut_by_what_came_in_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
