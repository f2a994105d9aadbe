// A host whose network changes under it, in a network of its own made with ip(8): what the node is
// told, how soon, and that the sockets live through it.
#include "loop.h"

#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>

#include "fake_node.h"
#include "net/addr.h"
#include "net/udp.h"
#include "yaari/host.h"

#define SOON_MS 2000 /* a change is told by then */

static char dir[] = "/tmp/yaari-roam-XXXXXX";

static int ip(const char *command)
{
    char line[256];

    snprintf(line, sizeof line, "ip %s >/dev/null 2>&1", command);
    return system(line);
}

struct world {
    struct test_loop loop;
    struct yr_host *host;
    bool closed;
};

static void launch(struct world *w, const char *listen)
{
    struct yr_host_opts opts = yr_host_opts_default();
    const struct yr_cmd identity = {.kind = YR_CMD_IDENTITY_NEW};
    struct yr_addr at;

    memset(w, 0, sizeof *w);
    loop_start(&w->loop);
    opts.loop = &w->loop.uv;
    opts.data_dir = dir;
    opts.make_vault = opts.small_hash = true;
    opts.lan = false;
    if (listen != NULL) {
        assert_int_equal(yr_addr_parse(&at, listen, 0), YR_OK);
        opts.listen = &at;
        opts.listen_count = 1;
    }
    assert_int_equal(yr_host_open(&w->host, &opts), YR_OK);
    assert_int_equal(yr_host_command(w->host, &identity, 1), YR_OK);
    for (int i = 0; i < 1000 && fake->addr_calls == 0; i++)
        loop_for(&w->loop, 5);
    assert_int_equal(fake->addr_calls, 1);
    loop_for(&w->loop, 300); // what was still settling
    fake->addr_calls = 0;
}

static void land(struct world *w)
{
    yr_host_close(w->host, set_true, &w->closed);
    assert_true(loop_until(&w->loop, &w->closed, GUARD_MS));
    loop_end(&w->loop);
}

static bool knows(const char *text)
{
    struct yr_addr want;

    assert_int_equal(yr_addr_parse(&want, text, 0), YR_OK);
    for (size_t i = 0; i < fake->addr_count; i++)
        if (yr_addr_same_ip(&fake->addrs[i], &want))
            return true;
    return false;
}

/** Change something, and see the node told of it in time and once.  How many milliseconds it took.
 */
static unsigned change(struct world *w, const char *const *commands)
{
    const uint64_t began = uv_hrtime();
    unsigned took;

    fake->addr_calls = 0;
    for (size_t i = 0; commands[i] != NULL; i++)
        assert_int_equal(ip(commands[i]), 0);
    while (fake->addr_calls == 0 && uv_hrtime() - began < SOON_MS * 1000000ull)
        loop_for(&w->loop, 5);
    took = (unsigned)((uv_hrtime() - began) / 1000000);
    assert_true(fake->addr_calls > 0);
    loop_for(&w->loop, 600);
    assert_int_equal(fake->addr_calls, 1);
    print_message("told after %u ms: ip %s ...\n", took, commands[0]);
    return took;
}

#define CHANGE(w, ...) ((void)change(w, (const char *const[]){__VA_ARGS__, NULL}))

static void all_changes(void)
{
    struct world w;

    assert_int_equal(ip("link add w0 type veth peer name w1"), 0);
    assert_int_equal(ip("link set w1 up"), 0);
    launch(&w, NULL);
    assert_int_equal(fake->addr_count, 0);
    CHANGE(&w, "link set w0 up", "addr add 10.9.0.1/24 dev w0");
    assert_true(knows("10.9.0.1"));
    CHANGE(&w, "addr add 2001:db8::1/64 dev w0 nodad");
    assert_true(knows("2001:db8::1"));
    // A burst: everything changes at once.
    CHANGE(&w, "addr del 10.9.0.1/24 dev w0", "addr add 10.9.1.1/24 dev w0",
           "addr add 10.9.2.1/24 dev w0", "addr del 2001:db8::1/64 dev w0",
           "addr add 2001:db8:1::1/64 dev w0 nodad");
    assert_true(knows("10.9.1.1") && knows("10.9.2.1") && knows("2001:db8:1::1"));
    assert_int_equal(fake->addr_count, 3);
    // The same addresses, but another way out.
    CHANGE(&w, "route add default via 10.9.1.2");
    CHANGE(&w, "route replace default via 10.9.1.3");
    CHANGE(&w, "-6 route add default via 2001:db8:1::2");
    CHANGE(&w, "route del default");
    assert_int_equal(fake->addr_count, 3);
    // A cable is pulled, and plugged in again.
    CHANGE(&w, "link set w1 down");
    assert_int_equal(fake->addr_count, 0);
    CHANGE(&w, "link set w1 up");
    assert_int_equal(fake->addr_count, 3);
    CHANGE(&w, "link set w0 down");
    assert_int_equal(fake->addr_count, 0);
    // What does not concern us is not told: a route to somewhere, an address told already.
    assert_int_equal(ip("link set w0 up"), 0);
    loop_for(&w.loop, 1000);
    fake->addr_calls = 0;
    assert_int_equal(ip("route add 10.77.0.0/16 via 10.9.1.2"), 0);
    assert_int_equal(ip("link set lo mtu 60000"), 0);
    loop_for(&w.loop, 600);
    assert_int_equal(fake->addr_calls, 0);
    land(&w);
}

struct peer {
    struct yr_udp *udp;
    bool heard;
    struct yr_addr from;
};

static void on_datagram(void *ctx, const struct yr_addr *from, const uint8_t *bytes, size_t len)
{
    struct peer *peer = ctx;
    peer->heard = true;
    peer->from = *from;
}

/** A datagram to `text` and its echo. */
static bool echo(struct world *w, struct peer *peer, const char *text)
{
    struct yr_addr to, bound;

    assert_int_equal(yr_addr_parse(&to, text, 0), YR_OK);
    assert_true(yr_host_bound(w->host, &bound, 1) >= 1);
    to.port = bound.port;
    peer->heard = false;
    memcpy(yr_udp_room(peer->udp), "?", 1);
    yr_udp_send(peer->udp, &to, 1);
    yr_udp_flush(peer->udp);
    return loop_until(&w->loop, &peer->heard, 300) && yr_addr_same_ip(&peer->from, &to);
}

static void sockets_live_on(const char *listen)
{
    const struct yr_addr any = {.family = 4};
    struct peer peer = {0};
    struct yr_net_fail fail;
    struct world w;
    bool closed = false;

    // Both ends on this machine: lo carries what goes to an address of w0.
    assert_int_equal(ip("link add w0 type veth peer name w1"), 0);
    assert_int_equal(ip("link set w0 up") | ip("link set w1 up"), 0);
    assert_int_equal(ip("addr add 10.9.0.1/24 dev w0") | ip("addr add 10.9.9.1/24 dev w0"), 0);
    launch(&w, listen);
    const struct yr_udp_opts opts = {.loop = &w.loop.uv,
                                     .listen = &any,
                                     .listen_count = 1,
                                     .on_datagram = on_datagram,
                                     .ctx = &peer};
    assert_int_equal(yr_udp_open(&peer.udp, &opts, &fail), YR_OK);
    assert_true(echo(&w, &peer, "10.9.0.1"));
    CHANGE(&w, "addr del 10.9.0.1/24 dev w0");
    assert_false(knows("10.9.0.1"));
    assert_false(echo(&w, &peer, "10.9.0.1"));
    CHANGE(&w, "addr add 10.9.0.1/24 dev w0");
    assert_true(knows("10.9.0.1"));
    assert_true(echo(&w, &peer, "10.9.0.1"));
    if (listen == NULL) { // a wildcard hears at whatever address there is
        CHANGE(&w, "addr add 10.9.5.1/24 dev w0");
        assert_true(echo(&w, &peer, "10.9.5.1"));
    }
    yr_udp_close(peer.udp, set_true, &closed);
    assert_true(loop_until(&w.loop, &closed, GUARD_MS));
    land(&w);
}

static void sockets_at_a_wildcard(void)
{
    sockets_live_on(NULL);
}

static void sockets_at_an_address(void)
{
    sockets_live_on("10.9.0.1:0");
}

/** Run `body`, a test, in a child in an empty network; or skip, and say why. */
static void in_own_network(void (*body)(void))
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        if (unshare(CLONE_NEWNET) != 0 || ip("link set lo up") != 0 ||
            ip("link add t0 type veth peer name t1") != 0 || ip("link del t0") != 0)
            _exit(99);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99) {
        print_message("skipped: making a network takes privileges, ip(8) and veth\n");
        skip();
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void every_change_of_network_is_told_once_and_within_two_seconds(void **state)
{
    in_own_network(all_changes);
}

static void a_wildcard_socket_lives_through_changes(void **state)
{
    in_own_network(sockets_at_a_wildcard);
}

static void a_socket_at_an_address_works_again_when_that_is_back(void **state)
{
    in_own_network(sockets_at_an_address);
}

static int make_dir(void **state)
{
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    char line[128];

    snprintf(line, sizeof line, "rm -rf %s", dir);
    return system(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_of_network_is_told_once_and_within_two_seconds),
        cmocka_unit_test(a_wildcard_socket_lives_through_changes),
        cmocka_unit_test(a_socket_at_an_address_works_again_when_that_is_back),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
