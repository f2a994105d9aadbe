// A gateway of our own on loopback, honest or not, and what becomes of asking it for a port.
#include "loop.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "core/base/base.h"
#include "net/addr.h"
#include "net/pcp.h"
#include "net/portmap.h"
#include "net/upnp.h"

#define QUICKER 20 /* waits are so many times shorter than they would be */

static const uint8_t outside[4] = {203, 0, 113, 9};

// ---- a gateway ----

struct gateway {
    uv_poll_t poll;
    int fd;
    uint16_t port;
    bool pcp, natpmp; // speaks it
    bool closed;
    unsigned deaf; // requests that get lost
    unsigned pcp_asked, natpmp_asked, deleted;
    uint8_t last[64];             // the last request
    struct sockaddr_storage from; // and who asked
    uint8_t ip[4];                // what it says:
    uint16_t external, result;
    uint32_t lifetime_s, epoch_s;
    // how it lies
    bool wrong_nonce, wrong_port, cut, tcp;
};

static void put32(uint8_t *at, uint32_t v)
{
    for (int i = 3; i >= 0; i--, v >>= 8)
        at[i] = (uint8_t)v;
}

static size_t answer_pcp(const struct gateway *g, const uint8_t *q, uint8_t *out)
{
    memcpy(out, q, 60);
    out[1] |= 0x80;
    out[3] = (uint8_t)g->result;
    put32(out + 4, q[6] == 0 && q[7] == 0 ? 0 : g->lifetime_s);
    put32(out + 8, g->epoch_s);
    memset(out + 12, 0, 12);
    out[24] ^= g->wrong_nonce;
    out[36] = g->tcp ? 6 : 17;
    out[41] ^= g->wrong_port;
    out[42] = (uint8_t)(g->external >> 8);
    out[43] = (uint8_t)g->external;
    memcpy(out + 56, g->ip, 4);
    return g->cut ? 56 : 60;
}

static size_t answer_natpmp(const struct gateway *g, const uint8_t *q, uint8_t *out)
{
    memset(out, 0, 16);
    out[1] = q[1] | 0x80;
    out[3] = (uint8_t)g->result;
    put32(out + 4, g->epoch_s);
    if (q[1] == 0) {
        memcpy(out + 8, g->ip, 4);
        return g->cut ? 11 : 12;
    }
    memcpy(out + 8, q + 4, 2);
    out[9] ^= g->wrong_port;
    out[10] = (uint8_t)(g->external >> 8);
    out[11] = (uint8_t)g->external;
    put32(out + 12, g->lifetime_s);
    return g->cut ? 15 : 16;
}

static void on_question(uv_poll_t *poll, int status, int events)
{
    struct gateway *g = poll->data;
    uint8_t q[128], out[64];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    const ssize_t len = recvfrom(g->fd, q, sizeof q, 0, (struct sockaddr *)&from, &from_len);
    size_t out_len = 0;

    g->from = from;
    assert_true(len == 2 || len == 12 || len == 60);
    memcpy(g->last, q, YR_MIN((size_t)len, sizeof g->last));
    if (len == 60)
        g->pcp_asked++;
    else if (q[1] == 1)
        g->natpmp_asked++;
    if ((len == 60 && q[6] == 0 && q[7] == 0) || (len == 12 && q[10] == 0 && q[11] == 0))
        g->deleted++;
    if (g->deaf > 0) {
        g->deaf--;
        return;
    }
    if (len == 60 && g->pcp) {
        out_len = answer_pcp(g, q, out);
    } else if (len == 60 && g->natpmp && g->result == 0) {
        memcpy(out, (uint8_t[]){0, 129, 0, 1, 0, 0, 0, 9}, 8); // the older version's answer
        out_len = 8;
    } else if (len < 60 && g->natpmp) {
        out_len = answer_natpmp(g, q, out);
    }
    if (out_len > 0)
        assert_int_equal(sendto(g->fd, out, out_len, 0, (struct sockaddr *)&from, from_len),
                         out_len);
}

static struct yr_addr addr(const char *text)
{
    struct yr_addr out;
    assert_int_equal(yr_addr_parse(&out, text, 0), YR_OK);
    return out;
}

static void gateway_open(struct test_loop *loop, struct gateway *g)
{
    const struct yr_addr at = addr("127.0.0.1");
    struct sockaddr_storage sys;
    const socklen_t len = yr_addr_to_sys(&at, &sys);

    memset(g, 0, sizeof *g);
    memcpy(g->ip, outside, 4);
    g->external = 7723;
    g->lifetime_s = 7200;
    g->epoch_s = 1000;
    g->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(g->fd, (struct sockaddr *)&sys, len), 0);
    assert_int_equal(getsockname(g->fd, (struct sockaddr *)&sys, &(socklen_t){sizeof sys}), 0);
    g->port = yr_addr_from_sys((struct sockaddr *)&sys).port;
    assert_int_equal(uv_poll_init(&loop->uv, &g->poll, g->fd), 0);
    g->poll.data = g;
    assert_int_equal(uv_poll_start(&g->poll, UV_READABLE, on_question), 0);
}

static void on_gateway_closed(uv_handle_t *handle)
{
    struct gateway *g = handle->data;
    g->closed = true;
}

static void gateway_close(struct test_loop *loop, struct gateway *g)
{
    uv_close((uv_handle_t *)&g->poll, on_gateway_closed);
    close(g->fd);
    assert_true(loop_until(loop, &g->closed, GUARD_MS));
}

// ---- who asks ----

struct client {
    struct test_loop loop;
    struct gateway gateway;
    struct yr_portmap *map;
    struct yr_portmap_opts opts;
    struct yr_mapping_info info;
    enum yr_mapping_state want;
    unsigned changes;
    bool reached, closed;
};

static struct yr_gateway way; // what the kernel would say
static enum yr_err way_err;
static enum yr_err find(struct yr_gateway *out, const struct yr_addr *source)
{
    *out = way;
    return way_err;
}

static void on_change(void *ctx)
{
    struct client *c = ctx;

    yr_portmap_info(c->map, &c->info);
    c->changes++;
    c->reached = c->reached || c->info.state == c->want;
}

static void prepare(struct client *c)
{
    memset(c, 0, sizeof *c);
    loop_start(&c->loop);
    gateway_open(&c->loop, &c->gateway);
    memset(&way, 0, sizeof way);
    way.gateway = way.source = addr("127.0.0.1");
    way_err = YR_OK;
    c->opts = (struct yr_portmap_opts){.loop = &c->loop.uv,
                                       .on_change = on_change,
                                       .ctx = c,
                                       .find = find,
                                       .port = c->gateway.port,
                                       .quicker = QUICKER};
}

static void look(struct client *c, bool again)
{
    const struct yr_addr bound[] = {addr("[::]:7722"), addr("0.0.0.0:7722")};
    yr_portmap_start(c->map, bound, 2, again);
}

static void launch(struct client *c)
{
    assert_int_equal(yr_portmap_open(&c->map, &c->opts), YR_OK);
    look(c, false);
}

static void wait_for(struct client *c, enum yr_mapping_state state)
{
    c->want = state;
    yr_portmap_info(c->map, &c->info);
    c->reached = c->info.state == state;
    assert_true(c->reached || loop_until(&c->loop, &c->reached, GUARD_MS));
}

static void end(struct client *c)
{
    yr_portmap_close(c->map, set_true, &c->closed);
    assert_true(c->closed || loop_until(&c->loop, &c->closed, GUARD_MS));
    loop_for(&c->loop, 50); // what was sent at last arrives
    gateway_close(&c->loop, &c->gateway);
    loop_end(&c->loop);
}

static void assert_outside(const struct client *c, const char *text, const char *by)
{
    const struct yr_addr want = addr(text);

    assert_int_equal(c->info.state, YR_MAPPING_ON);
    assert_true(yr_addr_eq(&c->info.addr, &want));
    assert_string_equal(c->info.by, by);
}

// ---- honest gateways ----

static void a_gateway_that_speaks_pcp_maps_our_port_and_forgets_it_at_the_end(void **state)
{
    struct client c;

    prepare(&c);
    c.gateway.pcp = c.gateway.natpmp = true;
    launch(&c);
    assert_int_equal(c.info.state, YR_MAPPING_ASKING);
    wait_for(&c, YR_MAPPING_ON);
    assert_outside(&c, "203.0.113.9:7723", "pcp");
    assert_true(c.info.left_s <= 7200 / QUICKER && c.info.left_s > 0);
    assert_int_equal(c.gateway.last[40] << 8 | c.gateway.last[41], 7722);
    loop_for(&c.loop, 50); // long enough for the others' turn
    assert_int_equal(c.gateway.pcp_asked, 1);
    assert_int_equal(c.gateway.natpmp_asked, 0);
    end(&c);
    assert_int_equal(c.gateway.deleted, 1);
    assert_int_equal(c.gateway.pcp_asked, 2);
}

static void an_older_gateway_is_asked_in_its_own_words(void **state)
{
    struct client c;

    prepare(&c);
    c.gateway.natpmp = true;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    assert_outside(&c, "203.0.113.9:7723", "natpmp");
    assert_int_equal(c.gateway.pcp_asked, 1); // it said that it does not know it
    end(&c);
    assert_int_equal(c.gateway.deleted, 1);
}

static void requests_that_get_lost_are_sent_again(void **state)
{
    struct client c;

    prepare(&c);
    c.gateway.pcp = true;
    c.gateway.deaf = 9;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    assert_outside(&c, "203.0.113.9:7723", "pcp");
    assert_true(c.gateway.pcp_asked >= 2);
    end(&c);
}

static void who_does_not_answer_is_given_up_and_asked_again_later(void **state)
{
    struct client c;

    prepare(&c);
    c.opts.quicker = 2000;
    launch(&c);
    wait_for(&c, YR_MAPPING_NONE);
    assert_non_null(strstr(c.info.why, "neither"));
    assert_int_equal(c.gateway.pcp_asked, YR_PORTMAP_PCP_TRIES);
    assert_int_equal(c.gateway.natpmp_asked, YR_PORTMAP_NATPMP_TRIES);
    c.gateway.pcp = true;
    wait_for(&c, YR_MAPPING_ON); // after half an hour
    end(&c);
}

static void nobody_at_the_port_is_known_at_once(void **state)
{
    struct client c;

    prepare(&c);
    c.opts.quicker = 1;
    c.opts.port = 1; // nobody is there
    launch(&c);
    wait_for(&c, YR_MAPPING_NONE);
    end(&c);
}

static void a_refusal_is_told_in_words(void **state)
{
    struct client c;

    prepare(&c);
    c.gateway.pcp = true;
    c.gateway.result = 2;
    c.opts.quicker = 2000;
    launch(&c);
    wait_for(&c, YR_MAPPING_NONE);
    assert_string_equal(c.info.why, "the gateway does not allow mappings");
    end(&c);
    assert_int_equal(c.gateway.deleted, 0);
}

static void without_a_gateway_or_ipv4_nobody_is_asked(void **state)
{
    const struct yr_addr six = addr("[::]:7722");
    struct client c;

    prepare(&c);
    way_err = YR_ENOENT;
    launch(&c);
    assert_int_equal(c.info.state, YR_MAPPING_NONE);
    assert_non_null(strstr(c.info.why, "no gateway"));
    way_err = YR_OK;
    yr_portmap_start(c.map, &six, 1, false);
    assert_non_null(strstr(c.info.why, "IPv4"));
    loop_for(&c.loop, 100);
    assert_int_equal(c.gateway.pcp_asked + c.gateway.natpmp_asked, 0);
    c.gateway.pcp = true;
    look(&c, false); // the network is another
    wait_for(&c, YR_MAPPING_ON);
    end(&c);
}

// ---- time passes ----

static void a_mapping_is_renewed_at_half_of_its_time_and_its_changes_are_told(void **state)
{
    struct client c;

    prepare(&c);
    c.opts.quicker = 60; // 60 s are 1 s
    c.gateway.pcp = true;
    c.gateway.lifetime_s = 60;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    const unsigned changes = c.changes;
    const uint64_t began = uv_hrtime();
    for (int i = 0; i < 500 && c.gateway.pcp_asked < 4; i++)
        loop_for(&c.loop, 10);
    assert_int_equal(c.gateway.pcp_asked, 4);
    assert_true(uv_hrtime() - began >= 1300 * 1000000ull); // three times half a second
    assert_int_equal(c.info.state, YR_MAPPING_ON);
    assert_int_equal(c.changes, changes); // the same again is no news
    assert_int_equal(c.gateway.last[42] << 8 | c.gateway.last[43], 7723); // the one it had
    c.gateway.ip[3] = 10;
    for (int i = 0; i < 500 && c.changes == changes; i++)
        loop_for(&c.loop, 10);
    assert_outside(&c, "203.0.113.10:7723", "pcp");
    end(&c);
}

static void a_mapping_that_is_not_renewed_ends(void **state)
{
    struct client c;

    prepare(&c);
    c.opts.quicker = 500;
    c.gateway.pcp = true;
    c.gateway.lifetime_s = 60;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    c.gateway.pcp = false; // it forgets
    wait_for(&c, YR_MAPPING_ASKING);
    assert_int_equal(c.info.addr.family, 0);
    c.gateway.pcp = true;
    wait_for(&c, YR_MAPPING_ON);
    end(&c);
}

static void another_network_begins_from_the_start(void **state)
{
    struct client c;

    prepare(&c);
    c.gateway.pcp = true;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    look(&c, false); // the same: nothing is asked
    loop_for(&c.loop, 100);
    assert_int_equal(c.gateway.pcp_asked, 1);
    look(&c, true); // after a sleep it is
    loop_for(&c.loop, 100);
    assert_int_equal(c.gateway.pcp_asked, 2);
    assert_int_equal(c.info.state, YR_MAPPING_ON);
    way.source = addr("127.0.0.2");
    look(&c, false);
    assert_int_equal(c.info.state, YR_MAPPING_ASKING);
    wait_for(&c, YR_MAPPING_ON);
    assert_int_equal(c.gateway.deleted, 1); // of the old one, if it is still heard
    assert_int_equal(c.gateway.last[23], 2);
    yr_portmap_stop(c.map);
    assert_int_equal(c.info.state, YR_MAPPING_OFF);
    loop_for(&c.loop, 100);
    assert_int_equal(c.gateway.deleted, 2);
    look(&c, false);
    wait_for(&c, YR_MAPPING_ON);
    end(&c);
}

// ---- gateways that lie ----

static void a_mapping_by_which_nobody_comes_is_asked_for_again_but_not_all_the_time(void **state)
{
    struct client c;

    prepare(&c);
    c.gateway.pcp = true;
    c.opts.quicker = 300; // 300 s are 1 s
    c.gateway.lifetime_s = 86400;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    for (int i = 0; i < 10; i++)
        yr_portmap_renew(c.map);
    loop_for(&c.loop, 100);
    assert_int_equal(c.gateway.pcp_asked, 1);
    loop_for(&c.loop, 1100);
    c.gateway.ip[3] = 77; // it had restarted, unheard
    for (int i = 0; i < 10; i++)
        yr_portmap_renew(c.map);
    loop_for(&c.loop, 100);
    assert_int_equal(c.gateway.pcp_asked, 2);
    assert_outside(&c, "203.0.113.77:7723", "pcp");
    yr_portmap_stop(c.map);
    yr_portmap_renew(c.map);
    yr_portmap_renew(NULL);
    assert_int_equal(c.info.state, YR_MAPPING_OFF);
    end(&c);
}

static void refuse_all(struct client *c)
{
    c->opts.quicker = 2000;
    launch(c);
    wait_for(c, YR_MAPPING_NONE);
    assert_int_equal(c->info.addr.family, 0);
    end(c);
}

static void answers_that_fit_no_question_are_not_heard(void **state)
{
    for (int lie = 0; lie < 4; lie++) {
        struct client c;

        prepare(&c);
        c.gateway.pcp = true;
        c.gateway.natpmp = lie > 1;
        c.gateway.wrong_nonce = lie == 0;
        c.gateway.tcp = lie == 1;
        c.gateway.wrong_port = lie == 2;
        c.gateway.cut = lie == 3;
        refuse_all(&c);
        assert_int_equal(c.gateway.pcp_asked, YR_PORTMAP_PCP_TRIES);
        assert_non_null(strstr(c.info.why, "neither"));
    }
}

static void answers_that_make_no_sense_are_not_believed(void **state)
{
    static const struct {
        uint8_t ip[4];
        uint16_t port;
        uint32_t lifetime_s;
        const char *why;
    } lies[] = {
        {{203, 0, 113, 9}, 0, 7200, "no sense"},    {{203, 0, 113, 9}, 1, 0, "no sense"},
        {{203, 0, 113, 9}, 1, 59, "no sense"},      {{0, 0, 0, 0}, 1, 7200, "no address"},
        {{10, 1, 1, 1}, 1, 7200, "no address"},     {{127, 0, 0, 1}, 1, 7200, "no address"},
        {{192, 168, 1, 1}, 1, 7200, "no address"},  {{100, 64, 1, 1}, 1, 7200, "no address"},
        {{172, 31, 255, 1}, 1, 7200, "no address"}, {{169, 254, 1, 1}, 1, 7200, "no address"},
        {{224, 0, 0, 1}, 1, 7200, "no address"},    {{255, 255, 255, 255}, 1, 7200, "no address"},
    };

    for (size_t i = 0; i < 2 * YR_COUNT(lies); i++) {
        struct client c;

        prepare(&c);
        c.gateway.pcp = i % 2 == 0;
        c.gateway.natpmp = !c.gateway.pcp;
        memcpy(c.gateway.ip, lies[i / 2].ip, 4);
        c.gateway.external = lies[i / 2].port;
        c.gateway.lifetime_s = lies[i / 2].lifetime_s;
        refuse_all(&c);
        assert_non_null(strstr(c.info.why, lies[i / 2].why));
    }
}

static void a_lifetime_is_believed_for_a_day_at_most(void **state)
{
    struct client c;

    prepare(&c);
    c.gateway.pcp = true;
    c.gateway.lifetime_s = UINT32_MAX;
    c.opts.quicker = 1;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    assert_in_range(c.info.left_s, 86000, 86400);
    end(&c);
}

static void only_the_gateway_is_heard(void **state)
{
    struct client c;
    struct gateway other;

    prepare(&c);
    gateway_open(&c.loop, &other);
    launch(&c);
    loop_for(&c.loop, 100);
    assert_int_equal(c.gateway.pcp_asked, 1);
    // Whoever else knows the question and the port we asked from answers it well.
    uint8_t out[64];
    const size_t len = answer_pcp(&other, c.gateway.last, out);
    assert_int_equal(sendto(other.fd, out, len, 0, (struct sockaddr *)&c.gateway.from,
                            sizeof(struct sockaddr_in)),
                     len);
    loop_for(&c.loop, 50);
    yr_portmap_info(c.map, &c.info);
    assert_int_equal(c.info.state, YR_MAPPING_ASKING);
    gateway_close(&c.loop, &other);
    end(&c);
}

static void a_silent_gateway_does_not_keep_us_awake(void **state)
{
    struct client c;
    unsigned turns = 0;

    prepare(&c);
    c.gateway.pcp = true;
    c.opts.quicker = 1;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    c.loop.timed_out = false;
    uv_timer_start(&c.loop.guard, guard_fired, 300, 0);
    while (!c.loop.timed_out)
        (void)uv_run(&c.loop.uv, UV_RUN_ONCE), turns++;
    assert_true(turns <= 3);
    end(&c);
}

// ---- it says to everybody that it has restarted (in a network of our own) ----

static int hear_a_restart(void)
{
    static const uint8_t notice[24] = {2, 128};
    const struct yr_addr all = {.family = 4, .ip = {224, 0, 0, 1}, .port = YR_PCP_NOTICE_PORT};
    const struct in_addr lo = {htonl(INADDR_LOOPBACK)};
    struct ifreq req = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_MULTICAST};
    struct sockaddr_storage sys;
    const socklen_t len = yr_addr_to_sys(&all, &sys);
    struct client c;

    prepare(&c);
    if (ioctl(c.gateway.fd, SIOCSIFFLAGS, &req) != 0 ||
        setsockopt(c.gateway.fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo) != 0)
        return 1;
    c.gateway.pcp = true;
    c.opts.quicker = 1;
    launch(&c);
    wait_for(&c, YR_MAPPING_ON);
    c.gateway.epoch_s = 0;
    for (int i = 0; i < 20; i++) // once is enough, and twenty times are no more
        if (sendto(c.gateway.fd, notice, sizeof notice, 0, (struct sockaddr *)&sys, len) < 0)
            return 2;
    loop_for(&c.loop, 1500);
    if (c.gateway.pcp_asked != 2)
        return (int)(10 + c.gateway.pcp_asked);
    end(&c);
    return 0;
}

static void a_restart_that_is_announced_has_us_ask_again_once(void **state)
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        struct ifreq req = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        if (unshare(CLONE_NEWNET) != 0 ||
            ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &req) != 0)
            _exit(99);
        _exit(hear_a_restart());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 99) {
        print_message("skipped: making a network takes privileges\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateway_that_speaks_pcp_maps_our_port_and_forgets_it_at_the_end),
        cmocka_unit_test(an_older_gateway_is_asked_in_its_own_words),
        cmocka_unit_test(requests_that_get_lost_are_sent_again),
        cmocka_unit_test(who_does_not_answer_is_given_up_and_asked_again_later),
        cmocka_unit_test(nobody_at_the_port_is_known_at_once),
        cmocka_unit_test(a_refusal_is_told_in_words),
        cmocka_unit_test(without_a_gateway_or_ipv4_nobody_is_asked),
        cmocka_unit_test(a_mapping_is_renewed_at_half_of_its_time_and_its_changes_are_told),
        cmocka_unit_test(a_mapping_that_is_not_renewed_ends),
        cmocka_unit_test(another_network_begins_from_the_start),
        cmocka_unit_test(a_mapping_by_which_nobody_comes_is_asked_for_again_but_not_all_the_time),
        cmocka_unit_test(answers_that_fit_no_question_are_not_heard),
        cmocka_unit_test(answers_that_make_no_sense_are_not_believed),
        cmocka_unit_test(a_lifetime_is_believed_for_a_day_at_most),
        cmocka_unit_test(only_the_gateway_is_heard),
        cmocka_unit_test(a_silent_gateway_does_not_keep_us_awake),
        cmocka_unit_test(a_restart_that_is_announced_has_us_ask_again_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
