#include "loop.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "fake_node.h"
#include "net/addr.h"
#include "net/keyfile.h"
#include "net/netif.h"
#include "net/udp.h"
#include "yaari/host.h"

static char base[] = "/tmp/yaari-host-XXXXXX";
static char dir[40], other_dir[48], aside[48]; // a second node's; where a file is put away

/** A host and what it said. */
struct run {
    struct test_loop loop;
    struct yr_host *host;
    struct yr_host_opts opts;
    struct yr_addr listen;
    size_t done_count, open_count, locked_count;
    uint64_t tickets[64];
    enum yr_err done_err, state_err;
    bool done, opened, locked, closed, closed_when_done, row_was_there;
    bool close_in_event, more_in_event;
    char log[8192];
};

static void shell(const char *command, const char *path)
{
    char line[256];
    snprintf(line, sizeof line, "%s %s", command, path);
    assert_int_equal(system(line), 0);
}

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static bool has_row(const char *key)
{
    const struct yr_store_view *view = fake->opts.view;
    const uint8_t *value;
    size_t len;
    return view->get(view->ctx, YR_DB_MAIN, (const uint8_t *)key, strlen(key), &value, &len) ==
           YR_OK;
}

static enum yr_err command(struct run *r, enum yr_cmd_kind kind, const char *body, uint64_t ticket)
{
    const struct yr_cmd cmd = {.kind = kind, .body = body, .body_len = strlen(body)};
    return yr_host_command(r->host, &cmd, ticket);
}

static void on_event(void *ctx, const struct yr_event *event)
{
    struct run *r = ctx;

    assert_int_equal(event->kind, YR_EV_DONE);
    r->tickets[r->done_count % YR_COUNT(r->tickets)] = event->ticket;
    r->done_count++;
    r->done_err = event->err;
    r->row_was_there = fake != NULL && has_row("row");
    r->done = true;
    r->closed_when_done = r->closed;
    if (r->more_in_event) {
        r->more_in_event = false;
        assert_int_equal(command(r, YR_CMD_SEND, "more", 77), YR_OK);
    }
    if (r->close_in_event) {
        yr_host_close(r->host, set_true, &r->closed);
        r->host = NULL;
    }
}

static void on_state(void *ctx, enum yr_host_state state, enum yr_err err)
{
    struct run *r = ctx;

    r->state_err = err;
    r->opened = state == YR_HOST_OPEN;
    r->locked = state == YR_HOST_LOCKED;
    r->open_count += state == YR_HOST_OPEN;
    r->locked_count += state == YR_HOST_LOCKED;
}

static void on_log(void *ctx, enum yr_log_level level, const char *room, const char *text)
{
    struct run *r = ctx;
    const size_t len = strlen(r->log);
    snprintf(r->log + len, sizeof r->log - len, "%s: %s\n", room, text);
}

/** Options for a node that listens on a loopback address only. */
static void prepare(struct run *r)
{
    memset(r, 0, sizeof *r);
    loop_start(&r->loop);
    assert_int_equal(yr_addr_parse(&r->listen, "127.0.0.1:0", 0), YR_OK);
    r->opts = yr_host_opts_default();
    r->opts.loop = &r->loop.uv;
    r->opts.data_dir = dir;
    r->opts.listen = &r->listen;
    r->opts.listen_count = 1;
    r->opts.make_vault = true;
    r->opts.small_hash = true;
    r->opts.on_event = on_event;
    r->opts.on_state = on_state;
    r->opts.on_log = on_log;
    r->opts.ctx = r;
}

static void launch(struct run *r)
{
    prepare(r);
    assert_int_equal(yr_host_open(&r->host, &r->opts), YR_OK);
    assert_int_equal(yr_host_state(r->host), YR_HOST_OPEN);
}

static void wait_done(struct run *r)
{
    r->done = false;
    assert_true(loop_until(&r->loop, &r->done, GUARD_MS));
}

static void finish(struct run *r)
{
    if (r->host != NULL)
        yr_host_close(r->host, set_true, &r->closed);
    assert_true(r->closed || loop_until(&r->loop, &r->closed, GUARD_MS));
    loop_end(&r->loop);
    assert_null(fake);
    assert_false(fake_time_went_back);
}

static void identity(struct run *r)
{
    assert_int_equal(command(r, YR_CMD_IDENTITY_NEW, "", 1), YR_OK);
    wait_done(r);
    assert_int_equal(r->done_err, YR_OK);
}

// A person's end of a wire to the node.
struct peer {
    struct yr_udp *udp;
    size_t count;
    bool heard;
    uint8_t last[64];
    size_t len;
};

static void on_datagram(void *ctx, const struct yr_addr *from, const uint8_t *bytes, size_t len)
{
    struct peer *peer = ctx;
    peer->count++;
    peer->heard = true;
    peer->len = len;
    memcpy(peer->last, bytes, YR_MIN(len, sizeof peer->last));
}

static void peer_open(struct run *r, struct peer *peer)
{
    const struct yr_udp_opts opts = {.loop = &r->loop.uv,
                                     .listen = &r->listen,
                                     .listen_count = 1,
                                     .on_datagram = on_datagram,
                                     .ctx = peer};
    struct yr_net_fail fail;

    memset(peer, 0, sizeof *peer);
    assert_int_equal(yr_udp_open(&peer->udp, &opts, &fail), YR_OK);
}

static void peer_say(struct run *r, struct peer *peer, const char *text)
{
    struct yr_addr to;

    assert_int_equal(yr_host_bound(r->host, &to, 1), 1);
    memcpy(yr_udp_room(peer->udp), text, strlen(text));
    yr_udp_send(peer->udp, &to, strlen(text));
}

static void peer_close(struct run *r, struct peer *peer)
{
    bool closed = false;
    yr_udp_close(peer->udp, set_true, &closed);
    assert_true(loop_until(&r->loop, &closed, GUARD_MS));
}

// ---- the store ----

static void a_command_is_done_when_its_row_is_durable(void **state)
{
    struct run r;

    launch(&r);
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 42), YR_OK);
    assert_int_equal(r.done_count, 0); // not before the writer has answered
    wait_done(&r);
    assert_int_equal(r.tickets[0], 42);
    assert_int_equal(r.done_err, YR_OK);
    assert_true(r.row_was_there);
    finish(&r);
    launch(&r);
    assert_true(has_row("row"));
    finish(&r);
}

static void commands_are_done_in_order(void **state)
{
    struct run r;
    char key[16];

    launch(&r);
    for (unsigned i = 0; i < 50; i++) {
        snprintf(key, sizeof key, "k%u", i);
        assert_int_equal(command(&r, YR_CMD_SEND, key, i), YR_OK);
    }
    while (r.done_count < 50)
        wait_done(&r);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(r.tickets[i], i);
    finish(&r);
}

static void a_commit_that_fails_is_told(void **state)
{
    struct run r;

    launch(&r);
    assert_int_equal(command(&r, YR_CMD_SEND, "", 7), YR_OK); // a row without a key
    wait_done(&r);
    assert_int_not_equal(r.done_err, YR_OK);
    assert_non_null(strstr(r.log, "write failed"));
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 8), YR_OK);
    wait_done(&r);
    assert_int_equal(r.done_err, YR_OK);
    finish(&r);
}

static void a_refused_command_is_refused_at_once(void **state)
{
    struct run r;

    launch(&r);
    assert_int_equal(command(&r, YR_CMD_PING, "", 1), YR_EINVAL);
    loop_for(&r.loop, 5);
    assert_int_equal(r.done_count, 0);
    finish(&r);
}

static void an_event_may_ask_for_more(void **state)
{
    struct run r;

    launch(&r);
    r.more_in_event = true;
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 1), YR_OK);
    while (r.done_count < 2)
        wait_done(&r);
    assert_int_equal(r.tickets[1], 77);
    assert_true(has_row("more"));
    finish(&r);
}

static void key_file_writes_reach_the_disk_in_order(void **state)
{
    struct run r;
    uint8_t bytes[YR_SHRED_FILE_LEN];

    launch(&r);
    while (fake->keyfile_answer < 1)
        loop_for(&r.loop, 1);
    fake_keyfile(fake, 1, 'B');
    fake_keyfile(fake, 0, 'C');
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 1), YR_OK); // makes it poll
    while (fake->keyfile_answer < 3)
        loop_for(&r.loop, 1);
    assert_int_equal(fake->keyfile_err, YR_OK);
    assert_int_equal(yr_keyfile_read_shred(in_dir("shred.key"), bytes), YR_OK);
    assert_int_equal(bytes[0], 'C');
    assert_int_equal(bytes[YR_SHRED_SLOT_LEN], 'B');
    finish(&r);
    launch(&r);
    assert_true(fake->shred_seen);
    finish(&r);
}

// ---- the network ----

static void a_datagram_comes_in_and_its_answer_goes_out(void **state)
{
    struct run r;
    struct peer peer;
    struct yr_host_stats stats;

    launch(&r);
    peer_open(&r, &peer);
    peer_say(&r, &peer, "hello");
    yr_udp_flush(peer.udp);
    assert_true(loop_until(&r.loop, &peer.heard, GUARD_MS));
    assert_int_equal(peer.len, 5);
    assert_memory_equal(peer.last, "hello", 5);
    yr_host_stats(r.host, &stats);
    assert_int_equal(stats.rx_packets, 1);
    assert_int_equal(stats.tx_packets, 1);
    peer_close(&r, &peer);
    finish(&r);
}

static void the_node_opens_sockets_and_a_lock_closes_them(void **state)
{
    struct run r;
    struct peer peer;
    struct yr_addr to;
    struct yr_host_stats stats;

    launch(&r);
    peer_open(&r, &peer);
    assert_int_equal(yr_udp_bound(peer.udp, &to, 1), 1);
    for (uint16_t n = 1; n <= 3; n++) {
        struct yr_effect *fx = fake_push(fake, n < 3 ? YR_FX_OPEN : YR_FX_SHUT);
        fx->to.family = 4;
        fx->to.local = n < 3 ? n : 1;
    }
    to.local = 1; // shut again
    fake_send(fake, YR_FX_SEND, &to, "one", 3);
    to.local = 2;
    fake_send(fake, YR_FX_SEND, &to, "two", 3);
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 1), YR_OK); // makes it poll
    assert_true(loop_until(&r.loop, &peer.heard, GUARD_MS));
    assert_memory_equal(peer.last, "two", 3);
    yr_host_stats(r.host, &stats);
    assert_int_equal(stats.tx_dropped, 1);
    assert_int_equal(yr_host_lock(r.host), YR_OK);
    assert_true(loop_until(&r.loop, &r.locked, GUARD_MS));
    assert_int_equal(yr_host_unlock(r.host, NULL, 0), YR_OK);
    assert_true(loop_until(&r.loop, &r.opened, GUARD_MS));
    fake_send(fake, YR_FX_SEND, &to, "two", 3);
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 2), YR_OK);
    loop_for(&r.loop, 20);
    assert_int_equal(peer.count, 1);
    peer_close(&r, &peer);
    finish(&r);
}

static void many_datagrams_are_one_turn(void **state)
{
    struct run r;
    struct peer peer;
    struct yr_host_stats before, after;

    launch(&r);
    for (int k = 0; k < 1000 && fake->keyfile_answer < 1; k++)
        loop_for(&r.loop, 5); // the disk is another wakeup
    peer_open(&r, &peer);
    yr_host_stats(r.host, &before);
    for (int i = 0; i < 60; i++)
        peer_say(&r, &peer, "x");
    yr_udp_flush(peer.udp);
    for (int i = 0; i < 1000 && peer.count < 60; i++)
        loop_for(&r.loop, 1);
    assert_int_equal(peer.count, 60);
    yr_host_stats(r.host, &after);
    assert_int_equal(after.wakeups - before.wakeups, 1);
    peer_close(&r, &peer);
    finish(&r);
}

static void own_addresses_are_told_once_there_is_an_identity(void **state)
{
    struct run r;
    struct yr_addr bound;

    launch(&r);
    loop_for(&r.loop, 5);
    assert_int_equal(fake->addr_calls, 0);
    identity(&r);
    assert_int_equal(fake->addr_calls, 1);
    assert_int_equal(fake->addr_count, 1);
    assert_int_equal(yr_host_bound(r.host, &bound, 1), 1);
    assert_true(yr_addr_eq(&fake->addrs[0], &bound));
    finish(&r);
    launch(&r);
    assert_int_equal(fake->addr_calls, 1); // at once, the next time
    finish(&r);
}

// Stands before the C library's: a machine that does not always tell its addresses.
static bool list_fails, one_address;
static struct sockaddr_in only_addr = {.sin_family = AF_INET};
static struct ifaddrs only = {.ifa_name = "one0", .ifa_flags = IFF_UP | IFF_RUNNING};
int getifaddrs(struct ifaddrs **out)
{
    int (*real)(struct ifaddrs **);

    *(void **)&real = dlsym(RTLD_NEXT, "getifaddrs");
    if (!one_address)
        return real(out);
    only_addr.sin_addr.s_addr = htonl(0xc0000201); // 192.0.2.1
    only.ifa_addr = (struct sockaddr *)&only_addr;
    *out = &only;
    errno = ENFILE;
    return list_fails ? -1 : 0;
}
void freeifaddrs(struct ifaddrs *list)
{
    void (*real)(struct ifaddrs *);

    *(void **)&real = dlsym(RTLD_NEXT, "freeifaddrs");
    if (list != &only)
        real(list);
}

static void what_the_system_does_not_tell_stays_and_is_asked_for_again(void **state)
{
    struct run r;

    prepare(&r);
    assert_int_equal(yr_addr_parse(&r.listen, "0.0.0.0:0", 0), YR_OK);
    list_fails = one_address = true;
    assert_int_equal(yr_host_open(&r.host, &r.opts), YR_OK);
    identity(&r);
    assert_int_equal(fake->addr_count, 0);
    list_fails = false;
    loop_for(&r.loop, YR_NETIF_AGAIN_MS + 200);
    assert_int_equal(fake->addr_calls, 2);
    assert_int_equal(fake->addr_count, 1);
    assert_int_equal(fake->addrs[0].ip[3], 1);
    list_fails = true; // locked and unlocked while it does not tell: what was known is told
    assert_int_equal(yr_host_lock(r.host), YR_OK);
    assert_true(loop_until(&r.loop, &r.locked, GUARD_MS));
    assert_int_equal(yr_host_unlock(r.host, NULL, 0), YR_OK);
    assert_int_equal(fake->addr_calls, 3);
    assert_int_equal(fake->addr_count, 1);
    list_fails = one_address = false;
    finish(&r);
}

// Stands before the C library's: a machine that was suspended.
static uint64_t slept_s;
int clock_gettime(clockid_t clock, struct timespec *out)
{
    const int err = (int)syscall(SYS_clock_gettime, clock, out);

    if (clock == CLOCK_BOOTTIME)
        out->tv_sec += (time_t)slept_s;
    return err;
}

static void after_a_sleep_the_addresses_are_told_again(void **state)
{
    struct run r;

    launch(&r);
    identity(&r);
    assert_int_equal(fake->addr_calls, 1);
    fake->deadline = yr_host_now(r.host).mono_us + 50 * YR_MS;
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 1), YR_OK); // makes it look at the deadline
    wait_done(&r);
    loop_for(&r.loop, 100);
    assert_int_equal(fake->ticks, 1);
    assert_int_equal(fake->addr_calls, 1); // it was awake all the time
    fake->deadline = yr_host_now(r.host).mono_us + 1000 * YR_MS;
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 2), YR_OK);
    wait_done(&r);
    slept_s = 8 * 3600;
    for (int i = 0; i < 300 && fake->addr_calls < 2; i++)
        loop_for(&r.loop, 10);
    assert_true(fake->ticks >= 2);
    assert_int_equal(fake->addr_calls, 2);
    assert_int_equal(fake->addr_count, 1);
    assert_non_null(strstr(r.log, "awake again"));
    finish(&r);
    slept_s = 0;
}

static void a_gateway_is_asked_only_when_wanted(void **state)
{
    struct yr_mapping_info info;
    struct run r;

    launch(&r);
    identity(&r);
    yr_host_port_mapping(r.host, &info);
    assert_int_equal(info.state, YR_MAPPING_OFF);
    assert_int_equal(fake->mapped_calls, 0);
    yr_host_set_port_mapping(r.host, true); // from 127.0.0.1 there is no way out
    yr_host_port_mapping(r.host, &info);
    assert_int_equal(info.state, YR_MAPPING_NONE);
    assert_non_null(strstr(info.why, "no gateway"));
    assert_non_null(strstr(r.log, info.why));
    assert_int_equal(fake->mapped_calls, 1);
    assert_int_equal(fake->mapped.family, 0);
    yr_host_set_port_mapping(r.host, false);
    yr_host_port_mapping(r.host, &info);
    assert_int_equal(info.state, YR_MAPPING_OFF);
    finish(&r);
}

static void peers_reach_the_node_by_address_and_by_name(void **state)
{
    struct run r;

    launch(&r);
    identity(&r);
    assert_int_equal(yr_host_peer_add(r.host, "nonsense", true, 7), YR_EINVAL);
    r.done = false;
    assert_int_equal(yr_host_peer_add(r.host, "192.0.2.1:7722", true, 7), YR_OK);
    assert_true(r.done); // an address needs nobody
    assert_string_equal(fake->peer_text, "192.0.2.1:7722");
    assert_int_equal(fake->peer_cmd.addr.ip[3], 1);
    assert_int_equal(yr_host_peer_add(r.host, "localhost:7723", false, 8), YR_OK);
    wait_done(&r);
    assert_int_equal(r.done_err, YR_OK);
    assert_int_equal(r.tickets[r.done_count - 1], 8);
    assert_string_equal(fake->peer_text, "localhost:7723");
    assert_int_equal(fake->peer_cmd.addr.port, 7723);
    assert_true(yr_addr_loopback(&fake->peer_cmd.addr));
    assert_int_equal(fake->peer_cmd.flags, YR_FLAG_LOCAL);
    assert_int_equal(yr_host_lock(r.host), YR_OK);
    assert_true(loop_until(&r.loop, &r.locked, GUARD_MS));
    assert_int_equal(yr_host_peer_add(r.host, "192.0.2.1:7722", true, 9), YR_ELOCKED);
    strcpy(fake->kept.name, "localhost:7724"); // of an earlier run, at an address that has changed
    fake->kept.addr = r.listen;
    fake->kept.addr.ip[3] = 99;
    assert_int_equal(yr_host_unlock(r.host, NULL, 0), YR_OK);
    wait_done(&r);
    assert_string_equal(fake->peer_text, "localhost:7724");
    assert_int_not_equal(fake->peer_cmd.addr.ip[3], 99);
    assert_int_equal(fake->peer_cmd.flags, 0);
    finish(&r);
}

static void beacons_reach_another_node_of_the_machine(void **state)
{
    struct run a, b;
    struct yr_node *first;
    struct yr_addr from;

    launch(&a);
    identity(&a);
    first = fake;
    prepare(&b);
    loop_end(&b.loop); // both live on one loop
    b.opts.loop = &a.loop.uv;
    b.opts.data_dir = other_dir;
    assert_int_equal(yr_host_open(&b.host, &b.opts), YR_OK);
    assert_int_equal(command(&b, YR_CMD_IDENTITY_NEW, "", 1), YR_OK);
    assert_true(loop_until(&a.loop, &b.done, GUARD_MS));
    snprintf(fake_beacon, sizeof fake_beacon, "#%ld", (long)getpid());
    fake_send(first, YR_FX_LAN, NULL, fake_beacon, strlen(fake_beacon));
    assert_int_equal(command(&a, YR_CMD_SEND, "row", 1), YR_OK); // makes it poll
    for (int i = 0; i < 1000 && fake->recvs == 0; i++)
        loop_for(&a.loop, 1);
    assert_int_equal(fake->recvs, 1);
    assert_memory_equal(fake->last, fake_beacon, strlen(fake_beacon));
    assert_int_equal(yr_host_bound(a.host, &from, 1), 1);
    assert_true(yr_addr_eq(&fake->last_from, &from));
    assert_int_equal(first->recvs, 0);
    while (a.done_count < 2)
        loop_for(&a.loop, 1);
    yr_host_close(b.host, set_true, &b.closed);
    assert_true(loop_until(&a.loop, &b.closed, GUARD_MS));
    finish(&a);
}

static void offline_means_no_socket(void **state)
{
    struct run r;
    struct yr_addr bound;

    prepare(&r);
    r.opts.offline = true;
    assert_int_equal(yr_host_open(&r.host, &r.opts), YR_OK);
    assert_false(fake->opts.online);
    assert_int_equal(yr_host_bound(r.host, &bound, 1), 0);
    identity(&r);
    fake_send(fake, YR_FX_SEND, &r.listen, "x", 1);
    fake_send(fake, YR_FX_LAN, NULL, "x", 1);
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 1), YR_OK);
    wait_done(&r);
    finish(&r);
}

static void a_random_port_is_kept(void **state)
{
    struct run r;
    struct yr_addr first, second;

    launch(&r);
    yr_host_bound(r.host, &first, 1);
    finish(&r);
    launch(&r);
    yr_host_bound(r.host, &second, 1);
    assert_int_equal(second.port, first.port);
    finish(&r);
    shell("echo nonsense >", in_dir("port"));
    launch(&r);
    yr_host_bound(r.host, &second, 1);
    assert_int_not_equal(second.port, 0);
    finish(&r);
}

// ---- time ----

static void ticks_come_when_they_are_due(void **state)
{
    struct run r;
    size_t prompt = 0;

    launch(&r);
    loop_for(&r.loop, 20);
    for (unsigned i = 0; i < 40; i++) {
        const size_t before = fake->ticks;
        fake->deadline = yr_host_now(r.host).mono_us + 300 + 50 * i;
        (void)!command(&r, YR_CMD_PING, "", 1); // makes the host look at the deadline
        for (int k = 0; k < 1000 && fake->ticks == before; k++)
            loop_for(&r.loop, 1);
        assert_int_equal(fake->ticks, before + 1);
        prompt += fake->late_us < 1000;
    }
    assert_false(fake->early);
    assert_true(prompt >= 5); // the machine may be busy, but not all the time
    finish(&r);
}

static void an_idle_host_does_not_wake_up(void **state)
{
    struct run r;
    struct yr_host_stats before, after = {0};
    bool idle = false;

    prepare(&r);
    r.opts.lan = false; // whoever else runs here must not wake it
    assert_int_equal(yr_host_open(&r.host, &r.opts), YR_OK);
    identity(&r);
    loop_for(&r.loop, 50);
    for (int tries = 0; !idle && tries < 10; tries++) { // the machine's addresses may change
        yr_host_stats(r.host, &before);
        loop_for(&r.loop, 500);
        yr_host_stats(r.host, &after);
        idle = after.wakeups - before.wakeups <= 1;
    }
    assert_true(idle);
    finish(&r);
}

static void time_goes_on_at_its_pace(void **state)
{
    struct run r;
    struct yr_now a, b;

    launch(&r);
    a = yr_host_now(r.host);
    usleep(20000);
    b = yr_host_now(r.host);
    assert_in_range(b.mono_us - a.mono_us, 20000, 2000000);
    assert_in_range(a.wall_ms / 1000, (uint64_t)time(NULL) - 5, (uint64_t)time(NULL) + 1);
    finish(&r);
}

// ---- the end ----

static void closing_flushes_what_was_asked_and_says_goodbye(void **state)
{
    struct run r;
    struct peer peer;
    bool ended = false;

    launch(&r);
    peer_open(&r, &peer);
    peer_say(&r, &peer, "hello");
    yr_udp_flush(peer.udp);
    assert_true(loop_until(&r.loop, &peer.heard, GUARD_MS));
    peer.heard = false;
    assert_int_equal(command(&r, YR_CMD_SEND, "last", 9), YR_OK);
    yr_host_close(r.host, set_true, &ended);
    assert_int_equal(command(&r, YR_CMD_SEND, "later", 10), YR_EAGAIN);
    assert_true(loop_until(&r.loop, &ended, GUARD_MS));
    assert_int_equal(r.done_count, 1);
    assert_int_equal(r.tickets[0], 9);
    assert_int_equal(r.done_err, YR_OK);
    assert_true(peer.heard || loop_until(&r.loop, &peer.heard, GUARD_MS));
    assert_memory_equal(peer.last, "bye", 3);
    peer_close(&r, &peer);
    r.host = NULL;
    r.closed = true;
    finish(&r);
    launch(&r);
    assert_true(has_row("last"));
    assert_false(has_row("later"));
    finish(&r);
}

static void closing_from_an_event_is_fine(void **state)
{
    struct run r;

    launch(&r);
    r.close_in_event = true;
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 1), YR_OK);
    finish(&r);
}

static void closing_at_once_is_fine(void **state)
{
    struct run r;
    bool closed = false;

    launch(&r);
    finish(&r);
    yr_host_close(NULL, set_true, &closed);
    assert_true(closed);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void nothing_stays_open(void **state)
{
    struct run r;
    size_t before;

    launch(&r); // the first loop of a process opens what all of them share
    finish(&r);
    before = open_descriptors();
    launch(&r);
    identity(&r); // with sockets, groups, and the watch over addresses
    finish(&r);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(chmod(dir, 0755), 0);
    prepare(&r);
    assert_int_equal(yr_host_open(&r.host, &r.opts), YR_EDENIED);
    finish(&r);
    assert_int_equal(open_descriptors(), before);
}

static void locking_keeps_everything_and_unlocking_goes_on(void **state)
{
    struct run r;

    launch(&r);
    identity(&r);
    assert_int_equal(command(&r, YR_CMD_SEND, "row", 2), YR_OK);
    assert_int_equal(yr_host_lock(r.host), YR_OK);
    assert_int_equal(yr_host_lock(r.host), YR_EINVAL);
    assert_true(loop_until(&r.loop, &r.locked, GUARD_MS));
    assert_int_equal(r.done_count, 2);
    assert_int_equal(fake->locks, 1);
    assert_int_equal(yr_host_state(r.host), YR_HOST_LOCKED);
    assert_int_equal(command(&r, YR_CMD_SEND, "x", 3), YR_ELOCKED);
    assert_int_equal(yr_host_unlock(r.host, NULL, 0), YR_OK);
    assert_int_equal(yr_host_state(r.host), YR_HOST_OPEN);
    assert_int_equal(yr_host_unlock(r.host, NULL, 0), YR_EINVAL);
    assert_int_equal(fake->addr_calls, 2);
    assert_int_equal(command(&r, YR_CMD_SEND, "x", 3), YR_OK);
    wait_done(&r);
    finish(&r);
}

// ---- the vault ----

static void without_leave_no_vault_is_made_until_it_is_asked_for(void **state)
{
    struct run r;

    prepare(&r);
    r.opts.make_vault = false;
    assert_int_equal(yr_host_open(&r.host, &r.opts), YR_OK);
    assert_int_equal(yr_host_state(r.host), YR_HOST_NO_VAULT);
    assert_int_equal(access(in_dir("vault.key"), F_OK), -1);
    assert_int_equal(command(&r, YR_CMD_SEND, "x", 3), YR_ENOID);
    assert_int_equal(yr_host_unlock(r.host, NULL, 0), YR_OK);
    assert_int_equal(yr_host_state(r.host), YR_HOST_OPEN);
    assert_false(yr_host_has_passphrase(r.host));
    identity(&r);
    finish(&r);
}

static void a_passphrase_opens_and_another_does_not(void **state)
{
    struct run r;

    prepare(&r);
    r.opts.passphrase = "correct horse";
    r.opts.passphrase_len = 13;
    assert_int_equal(yr_host_open(&r.host, &r.opts), YR_OK);
    assert_int_equal(yr_host_state(r.host), YR_HOST_UNLOCKING); // hashed beside the loop
    assert_int_equal(yr_host_unlock(r.host, "x", 1), YR_EINVAL);
    assert_true(loop_until(&r.loop, &r.opened, GUARD_MS));
    identity(&r);
    finish(&r);

    prepare(&r);
    assert_int_equal(yr_host_open(&r.host, &r.opts), YR_OK);
    assert_int_equal(yr_host_state(r.host), YR_HOST_LOCKED);
    assert_true(yr_host_has_passphrase(r.host));
    assert_non_null(strstr(yr_host_error(r.host), "passphrase"));
    assert_int_equal(yr_host_unlock(r.host, NULL, 0), YR_ELOCKED);
    assert_int_equal(yr_host_unlock(r.host, "", 0), YR_ESIZE);
    r.locked = false;
    assert_int_equal(yr_host_unlock(r.host, "wrong horse", 11), YR_OK);
    assert_true(loop_until(&r.loop, &r.locked, GUARD_MS));
    assert_int_equal(r.state_err, YR_EAUTH);
    assert_int_equal(yr_host_unlock(r.host, "correct horse", 13), YR_OK);
    assert_true(loop_until(&r.loop, &r.opened, GUARD_MS));
    assert_true(fake->has_identity);
    finish(&r);

    prepare(&r); // closing while the hash runs
    r.opts.passphrase = "correct horse";
    r.opts.passphrase_len = 13;
    assert_int_equal(yr_host_open(&r.host, &r.opts), YR_OK);
    finish(&r);
    assert_int_equal(r.open_count, 0);
}

static void refuse_open(enum yr_err err, const char *word)
{
    struct run r;

    prepare(&r);
    assert_int_equal(yr_host_open(&r.host, &r.opts), err);
    assert_non_null(r.host);
    assert_non_null(strstr(yr_host_error(r.host), word));
    assert_int_not_equal(yr_host_state(r.host), YR_HOST_OPEN);
    finish(&r);
}

static void what_cannot_be_opened_says_why(void **state)
{
    struct run r, b;
    struct yr_addr taken;
    char text[YR_ADDR_TEXT];

    launch(&r);
    identity(&r);
    finish(&r);

    assert_int_equal(rename(in_dir("vault.key"), aside), 0);
    refuse_open(YR_ECORRUPT, "vault.key is missing"); // and no other is made in its place
    assert_int_equal(access(in_dir("vault.key"), F_OK), -1);
    assert_int_equal(rename(aside, in_dir("vault.key")), 0);
    assert_int_equal(rename(in_dir("shred.key"), aside), 0);
    refuse_open(YR_ECORRUPT, "shred.key is missing");
    assert_int_equal(rename(aside, in_dir("shred.key")), 0);

    assert_int_equal(chmod(dir, 0750), 0);
    refuse_open(YR_EDENIED, "mode 750");
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(chmod(in_dir("vault.key"), 0644), 0);
    refuse_open(YR_EDENIED, "vault.key");
    assert_int_equal(chmod(in_dir("vault.key"), 0600), 0);
    assert_int_equal(truncate(in_dir("vault.key"), 20), 0);
    refuse_open(YR_ECORRUPT, "damaged");
    shell("rm -r", dir);

    fake_unlock_err = YR_EAUTH;
    refuse_open(YR_EAUTH, "not those of its store");
    fake_unlock_err = YR_OK;

    launch(&r);
    yr_host_bound(r.host, &taken, 1);
    yr_addr_text(text, &taken);
    prepare(&b);
    b.listen.port = taken.port;
    b.opts.data_dir = other_dir;
    assert_int_equal(yr_host_open(&b.host, &b.opts), YR_EEXIST);
    assert_non_null(strstr(yr_host_error(b.host), text));
    yr_host_close(b.host, set_true, &b.closed);
    assert_true(b.closed || loop_until(&b.loop, &b.closed, GUARD_MS));
    loop_end(&b.loop);
    finish(&r);
}

// ---- an identity without a daemon ----

static enum yr_err make(const char *passphrase, char why[200])
{
    uint8_t id[YR_ID_LEN] = {0};
    const enum yr_err err = yr_host_make_identity(
        dir, "alice", passphrase, passphrase != NULL ? strlen(passphrase) : 0, id, why, 200);

    if (err == YR_OK)
        assert_int_equal(id[0], 'i');
    return err;
}

static void an_identity_is_made_once(void **state)
{
    char why[200];
    struct run r;

    assert_int_equal(make(NULL, why), YR_OK);
    assert_int_equal(make(NULL, why), YR_EEXIST);
    assert_non_null(strstr(why, "identity"));
    assert_int_equal(make("secret", why), YR_EEXIST);
    launch(&r);
    assert_true(fake->has_identity);
    finish(&r);
}

static void a_vault_that_is_there_decides_about_the_passphrase(void **state)
{
    char why[200];
    struct run r;

    launch(&r); // a vault without a passphrase, and no identity
    finish(&r);
    assert_int_equal(make("secret", why), YR_EINVAL);
    assert_non_null(strstr(why, "passphrase"));
    assert_int_equal(make(NULL, why), YR_OK);
    shell("rm -r", dir);

    prepare(&r); // one with a passphrase
    r.opts.passphrase = "secret";
    r.opts.passphrase_len = 6;
    assert_int_equal(yr_host_open(&r.host, &r.opts), YR_OK);
    assert_true(loop_until(&r.loop, &r.opened, GUARD_MS));
    finish(&r);
    assert_int_equal(make(NULL, why), YR_ELOCKED);
    assert_int_equal(make("other", why), YR_EAUTH);
    assert_int_equal(make("secret", why), YR_OK);
    assert_int_equal(make("secret", why), YR_EEXIST);
}

static void an_identity_cannot_be_made_nowhere(void **state)
{
    char why[200];
    uint8_t id[YR_ID_LEN];

    assert_int_equal(yr_host_make_identity("/proc/no/such", "a", NULL, 0, id, why, sizeof why),
                     YR_ENOENT);
    assert_non_null(strstr(why, "/proc/no/such"));
    assert_int_equal(yr_host_make_identity("/proc/no/such", "a", NULL, 0, id, NULL, 0), YR_ENOENT);
}

static void killed_anywhere_making_an_identity_can_be_run_again(void **state)
{
    char why[200];
    size_t made = 0, killed = 0, finished = 0;

    for (unsigned us = 0; us < 20000; us += 250 + us / 8) {
        int status;
        const pid_t pid = fork();
        if (pid == 0)
            _exit(make(NULL, why) == YR_OK ? 0 : 1);
        usleep(us);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        killed += WIFSIGNALED(status);
        finished += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        const enum yr_err err = make(NULL, why);
        if (err != YR_OK && err != YR_EEXIST)
            fail_msg("after %u us: %s", us, why);
        made += err == YR_OK;
        assert_int_equal(make(NULL, why), YR_EEXIST);
        shell("rm -r", dir);
    }
    print_message("killed %zu times, %zu before the end; finished %zu times\n", killed, made,
                  finished);
    assert_true(made > 0); // it was hit before the end
}

static int new_dir(void **state)
{
    static unsigned n;

    fake_time_went_back = false;
    snprintf(dir, sizeof dir, "%s/%u", base, n++);
    snprintf(other_dir, sizeof other_dir, "%s-b", dir);
    snprintf(aside, sizeof aside, "%s.key", dir);
    return 0;
}

static int make_base(void **state)
{
    return mkdtemp(base) == NULL;
}

static int remove_base(void **state)
{
    shell("rm -rf", base);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, new_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_is_done_when_its_row_is_durable),
        TEST(commands_are_done_in_order),
        TEST(a_commit_that_fails_is_told),
        TEST(a_refused_command_is_refused_at_once),
        TEST(an_event_may_ask_for_more),
        TEST(key_file_writes_reach_the_disk_in_order),
        TEST(a_datagram_comes_in_and_its_answer_goes_out),
        TEST(the_node_opens_sockets_and_a_lock_closes_them),
        TEST(many_datagrams_are_one_turn),
        TEST(own_addresses_are_told_once_there_is_an_identity),
        TEST(what_the_system_does_not_tell_stays_and_is_asked_for_again),
        TEST(after_a_sleep_the_addresses_are_told_again),
        TEST(a_gateway_is_asked_only_when_wanted),
        TEST(peers_reach_the_node_by_address_and_by_name),
        TEST(beacons_reach_another_node_of_the_machine),
        TEST(offline_means_no_socket),
        TEST(a_random_port_is_kept),
        TEST(ticks_come_when_they_are_due),
        TEST(an_idle_host_does_not_wake_up),
        TEST(time_goes_on_at_its_pace),
        TEST(closing_flushes_what_was_asked_and_says_goodbye),
        TEST(closing_from_an_event_is_fine),
        TEST(closing_at_once_is_fine),
        TEST(nothing_stays_open),
        TEST(locking_keeps_everything_and_unlocking_goes_on),
        TEST(without_leave_no_vault_is_made_until_it_is_asked_for),
        TEST(a_passphrase_opens_and_another_does_not),
        TEST(what_cannot_be_opened_says_why),
        TEST(an_identity_is_made_once),
        TEST(a_vault_that_is_there_decides_about_the_passphrase),
        TEST(an_identity_cannot_be_made_nowhere),
        TEST(killed_anywhere_making_an_identity_can_be_run_again),
    };
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
