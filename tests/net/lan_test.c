#include "loop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/wait.h>

#include "core/base/base.h"
#include "net/addr.h"
#include "net/lan.h"

static char beacon_text[48]; // ours only: other nodes of this machine send some too

struct node {
    struct yr_udp *udp;
    struct yr_lan *lan;
    struct yr_addr at[2], from, link_local;
    size_t count, direct;
    bool heard, v4, v6; // v6: from a link-local address, with its interface
};

static void on_direct(void *ctx, const struct yr_addr *from, const uint8_t *bytes, size_t len)
{
    struct node *node = ctx;
    node->direct++;
    node->heard = true;
    node->from = *from;
}

static void on_lan(void *ctx, const struct yr_addr *from, const uint8_t *bytes, size_t len)
{
    struct node *node = ctx;

    if (len != sizeof beacon_text || memcmp(bytes, beacon_text, len) != 0)
        return;
    node->count++;
    node->heard = true;
    node->from = *from;
    node->v4 = node->v4 || from->family == 4;
    if (from->family == 6 && yr_addr_link_local(from) && from->scope != 0) {
        node->v6 = true;
        node->link_local = *from;
    }
}

static struct yr_addr addr(const char *text)
{
    struct yr_addr out;
    assert_int_equal(yr_addr_parse(&out, text, 0), YR_OK);
    return out;
}

/** listen NULL: both wildcards. */
static void start(struct test_loop *loop, struct node *node, const char *listen)
{
    struct yr_udp_opts udp = {.loop = &loop->uv, .on_datagram = on_direct, .ctx = node};
    struct yr_lan_opts lan = {.loop = &loop->uv, .on_datagram = on_lan, .ctx = node};
    struct yr_net_fail fail;
    struct yr_addr at;

    memset(node, 0, sizeof *node);
    if (listen != NULL) {
        at = addr(listen);
        udp.listen = &at;
        udp.listen_count = 1;
    }
    assert_int_equal(yr_udp_open(&node->udp, &udp, &fail), YR_OK);
    yr_udp_bound(node->udp, node->at, 2);
    lan.udp = node->udp;
    assert_int_equal(yr_lan_open(&node->lan, &lan, &fail), YR_OK);
}

static void stop(struct test_loop *loop, struct node *node)
{
    bool closed = false;

    yr_lan_close(node->lan, set_true, &closed);
    assert_true(loop_until(loop, &closed, GUARD_MS));
    closed = false;
    yr_udp_close(node->udp, set_true, &closed);
    assert_true(loop_until(loop, &closed, GUARD_MS));
}

static void beacon(struct node *node)
{
    yr_lan_send(node->lan, (const uint8_t *)beacon_text, sizeof beacon_text);
}

static void every_node_of_a_machine_hears_a_beacon_and_sees_the_port_to_answer(void **state)
{
    struct test_loop loop;
    struct node nodes[4];

    loop_start(&loop);
    for (size_t i = 0; i < YR_COUNT(nodes); i++)
        start(&loop, &nodes[i], "127.0.0.1");
    beacon(&nodes[0]);
    for (size_t i = 1; i < YR_COUNT(nodes); i++) {
        assert_true(loop_until(&loop, &nodes[i].heard, GUARD_MS));
        assert_int_equal(nodes[i].count, 1);
        assert_true(yr_addr_eq(&nodes[i].from, &nodes[0].at[0]));
    }
    loop_for(&loop, 10);
    assert_int_equal(nodes[0].count, 0); // not the one that sent it
    for (size_t i = 0; i < YR_COUNT(nodes); i++)
        assert_int_equal(nodes[i].direct, 0);

    nodes[0].heard = false;
    memcpy(yr_udp_room(nodes[2].udp), "me", 2);
    yr_udp_send(nodes[2].udp, &nodes[2].from, 2);
    yr_udp_flush(nodes[2].udp);
    assert_true(loop_until(&loop, &nodes[0].heard, GUARD_MS));
    assert_int_equal(nodes[0].from.port, nodes[2].at[0].port);
    for (size_t i = 0; i < YR_COUNT(nodes); i++)
        stop(&loop, &nodes[i]);
    loop_end(&loop);
}

static void a_pause_ends_the_hearing(void **state)
{
    struct test_loop loop;
    struct node a, b;

    loop_start(&loop);
    start(&loop, &a, "127.0.0.1");
    start(&loop, &b, "127.0.0.1");
    yr_lan_pause(b.lan);
    beacon(&a);
    loop_for(&loop, 20);
    assert_int_equal(b.count, 0);
    stop(&loop, &a);
    stop(&loop, &b);
    loop_end(&loop);
}

static void what_comes_to_the_port_but_not_to_the_group_is_not_heard(void **state)
{
    struct test_loop loop;
    struct node a;
    struct sockaddr_storage sys;
    const struct yr_addr to[] = {addr("127.0.0.1:42424"), addr("[::1]:42424")};

    loop_start(&loop);
    start(&loop, &a, "127.0.0.1");
    for (size_t i = 0; i < YR_COUNT(to); i++) {
        const int fd = socket(to[i].family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
        const socklen_t len = yr_addr_to_sys(&to[i], &sys);
        if (fd < 0)
            continue;
        (void)!sendto(fd, beacon_text, sizeof beacon_text, 0, (struct sockaddr *)&sys, len);
        close(fd);
    }
    loop_for(&loop, 20);
    assert_int_equal(a.count, 0);
    stop(&loop, &a);
    loop_end(&loop);
}

static void own_addresses_follow_what_is_bound(void **state)
{
    const struct yr_addr loopback = addr("127.0.0.1:7"),
                         wild[] = {addr("0.0.0.0:9"), addr("[::]:9")};
    struct yr_addr out[YR_NETIF_OWN_MAX];
    size_t count;

    assert_int_equal(yr_netif_addrs(&loopback, 1, out, 8), 1);
    assert_true(yr_addr_eq(&out[0], &loopback));
    count = yr_netif_addrs(wild, 2, out, YR_NETIF_OWN_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(out[i].port, 9);
        assert_false(yr_addr_loopback(&out[i]));
        assert_false(yr_addr_link_local(&out[i]));
        for (size_t k = 0; k < i; k++)
            assert_false(yr_addr_eq(&out[i], &out[k]));
    }
    if (count > 1)
        assert_int_equal(yr_netif_addrs(wild, 2, out, 1), 1);
    assert_int_equal(yr_netif_addrs(&wild[0], 1, out, 0), 0);
    assert_int_not_equal(yr_netif_of(&loopback), 0);
    const struct yr_addr strange = addr("192.0.2.77");
    assert_int_equal(yr_netif_of(&strange), 0);
}

static void neighbours_are_looked_for_where_we_listen(void **state)
{
    const struct yr_addr loopback = addr("127.0.0.1:7"), wild = addr("0.0.0.0:9");
    const unsigned lo = yr_netif_of(&loopback);
    struct yr_netif list[YR_NETIF_MAX];
    size_t count;

    assert_int_equal(yr_netif_list(&loopback, 1, list, YR_NETIF_MAX), 1);
    assert_int_equal(list[0].index, lo);
    assert_true(list[0].v4 && !list[0].v6);
    count = yr_netif_list(&wild, 1, list, YR_NETIF_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(list[i].index, lo);
        assert_true(list[i].v4 && !list[i].v6);
    }
}

// ---- in a network of their own: two machines' worth of interfaces, made with ip(8) ----

static int run(const char *command)
{
    char line[256];

    snprintf(line, sizeof line, "%s >/dev/null 2>&1", command);
    return system(line);
}

/** Run `body` in a child in an empty network; its answer, or 99 where that is not allowed. */
static int in_own_network(int (*body)(void))
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        if (unshare(CLONE_NEWNET) != 0 || run("ip link set lo up") != 0)
            _exit(99);
        _exit(body());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 99)
        skip();
    return WEXITSTATUS(status);
}

// Two networks, joined by a wire from w0 in the first to w1 in the second.
static int networks[2];

static void enter(int network)
{
    assert_int_equal(setns(networks[network], CLONE_NEWNET), 0);
}

static bool lay_wire(void)
{
    char line[64];
    pid_t holder;
    bool ok;

    networks[0] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    holder = fork(); // so that the first network has a name: a process in it
    if (holder == 0) {
        pause();
        _exit(0);
    }
    ok = unshare(CLONE_NEWNET) == 0;
    networks[1] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    snprintf(line, sizeof line, "ip link add w1 type veth peer name w0 netns %d", (int)holder);
    ok = ok && run(line) == 0 && run("ip addr add 10.9.0.2/24 dev w1; ip link set w1 up") == 0;
    enter(0);
    ok = ok && run("ip addr add 10.9.0.1/24 dev w0; ip link set w0 up") == 0;
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    return ok;
}

static int hear_on_a_wire(void)
{
    struct test_loop loop;
    struct node a, b;

    if (!lay_wire())
        return 99;
    loop_start(&loop);
    start(&loop, &a, NULL);
    enter(1);
    start(&loop, &b, NULL);
    for (int i = 0; i < 200 && !(b.v4 && b.v6); i++) {
        enter(0);
        yr_lan_refresh(a.lan); // the kernel takes its time to give the ends IPv6 addresses
        enter(1);
        yr_lan_refresh(b.lan);
        beacon(&a);
        loop_for(&loop, 20);
    }
    if (!b.v4 || b.from.port != a.at[0].port)
        return 1;
    if (!b.v6)
        return 2;
    if (a.count != 0)
        return 3;
    a.heard = false; // and where it came from can be answered, over the wire it came by
    for (int i = 0; i < 100 && !a.heard; i++) { // b's own end may still be without an address
        memcpy(yr_udp_room(b.udp), "hi", 2);
        yr_udp_send(b.udp, &b.link_local, 2);
        yr_udp_flush(b.udp);
        (void)loop_until(&loop, &a.heard, 50);
    }
    if (a.direct == 0 || !yr_addr_link_local(&a.from))
        return 4;
    stop(&loop, &a);
    stop(&loop, &b);
    loop_end(&loop);
    return 0;
}

static void a_beacon_crosses_a_wire_in_both_families(void **state)
{
    assert_int_equal(in_own_network(hear_on_a_wire), 0);
}

static size_t changes;
static bool changed;
static void on_change(void *ctx)
{
    changes++;
    changed = true;
}

static int watch_the_network(void)
{
    const struct yr_addr wild[] = {addr("0.0.0.0:9"), addr("[::]:9")};
    struct test_loop loop;
    struct yr_netwatch *watch = NULL;
    struct yr_addr out[8];
    struct node a;
    bool closed = false;

    loop_start(&loop);
    start(&loop, &a, NULL);
    if (yr_netwatch_open(&watch, &loop.uv, on_change, NULL) != YR_OK)
        return 1;
    loop_for(&loop, 300);
    if (changes != 0)
        return 2; // nothing happens while nothing happens
    if (run("ip link add w0 type veth peer name w1") != 0)
        return 99;
    (void)run("ip link set w0 up; ip link set w1 up; ip addr add 10.9.0.1/24 dev w0;"
              "ip addr add 2001:db8::9/64 dev w0 nodad; ip addr add fd00::9/64 dev w0 nodad;"
              "ip addr add 172.17.0.1/16 dev w1; ip addr add 198.51.100.7/32 dev w1");
    if (!loop_until(&loop, &changed, 2000))
        return 3;
    if (changes > 2)
        return 4; // many changes in a row are told together
    if (yr_netif_addrs(wild, 2, out, 8) != 5)
        return 5;
    static const char *const order[] = {"[2001:db8::9]:9", "198.51.100.7:9", "[fd00::9]:9"};
    for (size_t i = 0; i < YR_COUNT(order); i++) {
        const struct yr_addr want = addr(order[i]);
        if (!yr_addr_eq(&out[i], &want))
            return 10 + (int)i;
    }
    yr_lan_refresh(a.lan);
    (void)run("ip link del w0");
    loop_for(&loop, 500);
    yr_lan_refresh(a.lan);
    if (yr_netif_addrs(wild, 2, out, 8) != 0)
        return 6;
    yr_netwatch_close(watch, set_true, &closed);
    if (!loop_until(&loop, &closed, 1000))
        return 7;
    stop(&loop, &a);
    loop_end(&loop);
    return 0;
}

static void changes_of_addresses_are_told_once_they_settle(void **state)
{
    assert_int_equal(in_own_network(watch_the_network), 0);
}

static void setting_the_clock_is_told_for_the_machine_may_have_slept(void **state)
{
    struct timex by_a_hair = {.modes = ADJ_SETOFFSET, .time.tv_usec = 1};
    struct test_loop loop;
    struct yr_netwatch *watch = NULL;
    bool closed = false, told;

    loop_start(&loop);
    assert_int_equal(yr_netwatch_open(&watch, &loop.uv, on_change, NULL), YR_OK);
    told = adjtimex(&by_a_hair) >= 0; // a jump, to the kernel, as waking up is
    changed = false;
    changes = 0;
    if (told)
        assert_true(loop_until(&loop, &changed, 2000));
    yr_netwatch_close(watch, set_true, &closed);
    assert_true(loop_until(&loop, &closed, 1000));
    loop_end(&loop);
    if (!told) {
        print_message("skipped: setting the clock takes privileges\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_of_a_machine_hears_a_beacon_and_sees_the_port_to_answer),
        cmocka_unit_test(a_pause_ends_the_hearing),
        cmocka_unit_test(what_comes_to_the_port_but_not_to_the_group_is_not_heard),
        cmocka_unit_test(own_addresses_follow_what_is_bound),
        cmocka_unit_test(neighbours_are_looked_for_where_we_listen),
        cmocka_unit_test(a_beacon_crosses_a_wire_in_both_families),
        cmocka_unit_test(changes_of_addresses_are_told_once_they_settle),
        cmocka_unit_test(setting_the_clock_is_told_for_the_machine_may_have_slept),
    };
    snprintf(beacon_text, sizeof beacon_text, "\x23 process %ld asks who is there", (long)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
