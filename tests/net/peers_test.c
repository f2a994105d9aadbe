// Peers by name, with a name server of our own and a clock that can be put forward.
#include "loop.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>

#include "core/base/bytes.h"
#include "net/addr.h"
#include "net/peers.h"

#define KEY "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzg"

// ---- what people write ----

static void what_people_write_is_taken_apart(void **state)
{
    static const struct {
        const char *text, *host, *port;
        uint8_t family;
        bool keyed;
    } rows[] = {
        {"192.0.2.1:7722", "192.0.2.1", "7722", 4, false},
        {"[2001:db8::1]:7722", "2001:db8::1", "7722", 6, false},
        {"2001:db8::1:7722", "2001:db8::1", "7722", 6, false}, // the last colon is the port's
        {"node.example.org:1/" KEY, "node.example.org", "1", 0, true},
        {"192.0.2.1:07722/" KEY, "192.0.2.1", "7722", 4, true},
        {"a_b-c:65535", "a_b-c", "65535", 0, false},
        {"LOCALHOST:9", "LOCALHOST", "9", 0, false},
    };
    for (size_t i = 0; i < YR_COUNT(rows); i++) {
        struct yr_peer_text t;
        assert_int_equal(yr_peer_text_parse(&t, rows[i].text), YR_OK);
        assert_string_equal(t.host, rows[i].host);
        assert_string_equal(t.port, rows[i].port);
        assert_int_equal(t.addr.family, rows[i].family);
        if (rows[i].family != 0)
            assert_int_equal(t.addr.port, atoi(rows[i].port));
        assert_int_equal(t.keyed, rows[i].keyed);
    }
}

static void what_is_no_peer_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        ":",
        "host",
        "host:",
        "host:0",
        "host:65536",
        "host:1x",
        "host:-1",
        "host:+1",
        "host: 1",
        ":1",
        "host:1/",
        "host:1/short",
        "host:1/" KEY "z",
        "host:1/" KEY "/",
        "host:1/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", // bits left over
        "host:1/uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu0",
        "[host]:1",
        "[::1:1",
        "[1.2.3.4]:1",
        "-x:1",
        ".x:1",
        "ho st:1",
        "host\n:1",
        "h\xc3\xb6st:1",
        "host%lo:1",
        "host@x:1",
        "192.0.2.1:7:7",
        "[::1]:7:7",
        "[[::1]]:7",
        "::1]:7",
        "yaari:i/x",
        "host:123456",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1"};
    for (size_t i = 0; i < YR_COUNT(texts); i++) {
        struct yr_peer_text t;
        memset(&t, 0xa5, sizeof t);
        assert_int_equal(yr_peer_text_parse(&t, texts[i]), YR_EINVAL);
        assert_int_equal(t.host[0], (char)0xa5);
    }
}

// ---- a name server ----

struct zone {
    const char *addrs[6]; // what every name stands for; none: not found
    unsigned asked, running, most_running;
    bool silent;
};
static struct zone zone;
static struct {
    uv_getaddrinfo_t *req;
    uv_getaddrinfo_cb cb;
    bool cancelled;
} asked[64];

static uint64_t late_ms; // put forward
uint64_t uv_now(const uv_loop_t *loop)
{
    return uv_hrtime() / 1000000 + 1000000 + late_ms;
}

// Timers that libuv is not to wait for: they go off when our clock is put forward.
static struct {
    uv_timer_t *timer;
    uv_timer_cb cb;
    uint64_t due_ms;
} set_timer;

// These stand before libuv's.
int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t ms, uint64_t repeat)
{
    int (*real)(uv_timer_t *, uv_timer_cb, uint64_t, uint64_t);

    *(void **)&real = dlsym(RTLD_NEXT, "uv_timer_start");
    if (cb == guard_fired)
        return real(timer, cb, ms, repeat);
    set_timer.timer = timer;
    set_timer.cb = cb;
    set_timer.due_ms = uv_now(timer->loop) + ms;
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    int (*real)(uv_timer_t *);

    *(void **)&real = dlsym(RTLD_NEXT, "uv_timer_stop");
    if (timer == set_timer.timer)
        set_timer.timer = NULL;
    return real(timer);
}

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb, const char *node,
                   const char *service, const struct addrinfo *hints)
{
    assert_int_equal(hints->ai_socktype, SOCK_DGRAM);
    assert_true(zone.asked < YR_COUNT(asked));
    asked[zone.asked].req = req;
    asked[zone.asked].cb = cb;
    asked[zone.asked].cancelled = false;
    zone.asked++;
    zone.running++;
    zone.most_running = YR_MAX(zone.most_running, zone.running);
    return 0;
}

int uv_cancel(uv_req_t *req)
{
    for (size_t i = 0; i < zone.asked; i++)
        if ((uv_req_t *)asked[i].req == req && asked[i].cb != NULL)
            asked[i].cancelled = true;
    return UV_EBUSY;
}

void uv_freeaddrinfo(struct addrinfo *list)
{
    for (struct addrinfo *next; list != NULL; list = next) {
        next = list->ai_next;
        free(list->ai_addr);
        free(list);
    }
}

static struct yr_addr addr(const char *text)
{
    struct yr_addr out;
    assert_int_equal(yr_addr_parse(&out, text, 7722), YR_OK);
    return out;
}

/** Answer everything that is being asked. */
static void answer_all(void)
{
    for (size_t i = 0; i < zone.asked; i++) {
        struct addrinfo *list = NULL;
        const uv_getaddrinfo_cb cb = asked[i].cb;

        if (cb == NULL)
            continue;
        for (size_t k = YR_COUNT(zone.addrs); k-- > 0 && !asked[i].cancelled;) {
            struct addrinfo *one;
            struct yr_addr a;
            if (zone.addrs[k] == NULL)
                continue;
            a = addr(zone.addrs[k]);
            one = calloc(1, sizeof *one);
            one->ai_addr = calloc(1, sizeof(struct sockaddr_storage));
            (void)yr_addr_to_sys(&a, (struct sockaddr_storage *)one->ai_addr);
            one->ai_next = list;
            list = one;
        }
        asked[i].cb = NULL;
        zone.running--;
        cb(asked[i].req, list != NULL ? 0 : UV_EAI_NONAME, list);
    }
}

// ---- who wants peers ----

struct world {
    struct test_loop loop;
    struct yr_net_peers *peers;
    unsigned given, failed, missing, starts;
    struct yr_addr addr, start; // given last
    char text[YR_PEER_TEXT];
    uint64_t ticket;
    unsigned flags;
    enum yr_err refuse, err;
    bool remove_when_told, closed;
};

static enum yr_err command(void *ctx, const struct yr_cmd *cmd, uint64_t ticket)
{
    struct world *w = ctx;

    assert_int_equal(cmd->kind, YR_CMD_PEER_ADD);
    if (w->refuse != YR_OK)
        return w->refuse;
    w->given++;
    w->addr = cmd->addr;
    w->flags = cmd->flags;
    w->ticket = ticket;
    snprintf(w->text, sizeof w->text, "%.*s", (int)cmd->text_len, cmd->text);
    if (w->remove_when_told)
        yr_net_peers_remove(w->peers, w->text);
    return YR_OK;
}

static void start_from(void *ctx, const struct yr_addr *at, const uint8_t key[32])
{
    struct world *w = ctx;
    w->starts++;
    w->start = *at;
    assert_int_equal(key[0], 0xff);
}

static void failed(void *ctx, uint64_t ticket, enum yr_err err)
{
    struct world *w = ctx;
    w->failed++;
    w->ticket = ticket;
    w->err = err;
}

static void missing(void *ctx, const char *text)
{
    struct world *w = ctx;
    w->missing++;
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof *w);
    memset(&zone, 0, sizeof zone);
    late_ms = 0;
    memset(&set_timer, 0, sizeof set_timer);
    loop_start(&w->loop);
    const struct yr_net_peers_opts opts = {&w->loop.uv, command, start_from, failed, missing, w};
    assert_int_equal(yr_net_peers_open(&w->peers, &opts), YR_OK);
}

static void end(struct world *w)
{
    const unsigned told = w->given + w->failed + w->missing;

    yr_net_peers_close(w->peers, set_true, &w->closed);
    assert_true(loop_until(&w->loop, &w->closed, GUARD_MS));
    answer_all(); // what still runs tells nobody
    assert_int_equal(w->given + w->failed + w->missing, told);
    loop_end(&w->loop);
}

/** Let time go by. */
static void pass(uint64_t ms)
{
    late_ms += ms;
    if (set_timer.timer != NULL && set_timer.due_ms <= uv_now(NULL)) {
        uv_timer_t *timer = set_timer.timer;
        set_timer.timer = NULL;
        set_timer.cb(timer);
    }
}

static void assert_addr(const struct yr_addr *is, const char *want)
{
    const struct yr_addr a = addr(want);
    assert_true(yr_addr_eq(is, &a));
}

static void an_address_is_given_at_once_and_never_looked_up(void **state)
{
    struct world w;

    begin(&w);
    assert_int_equal(yr_net_peers_add(w.peers, "192.0.2.1:7722", true, 5), YR_OK);
    assert_int_equal(w.given, 1);
    assert_int_equal(w.ticket, 5);
    assert_int_equal(w.flags, 0);
    assert_addr(&w.addr, "192.0.2.1");
    assert_int_equal(yr_net_peers_add(w.peers, "192.0.2.1:7722/" KEY, false, 6), YR_OK);
    assert_int_equal(w.flags, YR_FLAG_LOCAL);
    w.refuse = YR_EFULL;
    assert_int_equal(yr_net_peers_add(w.peers, "192.0.2.2:7722", true, 7), YR_EFULL);
    assert_int_equal(yr_net_peers_add(w.peers, "nonsense", true, 7), YR_EINVAL);
    pass(YR_PEER_FRESH_MS);
    assert_int_equal(zone.asked, 0);
    assert_int_equal(w.failed, 0);
    end(&w);
}

static void a_name_is_given_once_found_with_the_others_of_its_addresses(void **state)
{
    struct world w;

    begin(&w);
    zone.addrs[0] = "192.0.2.1";
    zone.addrs[1] = "192.0.2.1"; // twice
    zone.addrs[2] = "224.0.0.1"; // nobody
    zone.addrs[3] = "0.0.0.0";
    zone.addrs[4] = "2001:db8::1";
    assert_int_equal(yr_net_peers_add(w.peers, "n.example:7722/" KEY, true, 5), YR_OK);
    assert_int_equal(w.given, 0);
    assert_int_equal(yr_net_peers_add(w.peers, "n.example:7722/" KEY, true, 6), YR_EAGAIN);
    answer_all();
    assert_int_equal(w.given, 1);
    assert_int_equal(w.ticket, 5);
    assert_addr(&w.addr, "192.0.2.1");
    assert_string_equal(w.text, "n.example:7722/" KEY);
    assert_int_equal(w.starts, 1);
    assert_addr(&w.start, "2001:db8::1");
    assert_int_equal(yr_net_peers_add(w.peers, "n.example:7722/" KEY, true, 7), YR_OK); // known
    assert_int_equal(w.given, 2);
    assert_int_equal(zone.asked, 1);
    zone.addrs[4] = NULL; // without a key there is nowhere to start from
    assert_int_equal(yr_net_peers_add(w.peers, "m.example:7722", true, 8), YR_OK);
    answer_all();
    assert_int_equal(w.given, 3);
    assert_int_equal(w.starts, 1);
    end(&w);
}

static void a_name_is_looked_up_again_and_only_news_are_told(void **state)
{
    struct world w;

    begin(&w);
    zone.addrs[0] = "192.0.2.1";
    assert_int_equal(yr_net_peers_add(w.peers, "n.example:7722", false, 5), YR_OK);
    answer_all();
    yr_net_peers_again(w.peers); // the network flaps: not every time
    yr_net_peers_again(w.peers);
    assert_int_equal(zone.asked, 1);
    pass(YR_PEER_GAP_MS);
    yr_net_peers_again(w.peers);
    assert_int_equal(zone.asked, 2);
    zone.addrs[0] = "192.0.2.2";
    zone.addrs[1] = "192.0.2.1"; // still one of them
    answer_all();
    assert_int_equal(w.given, 1);
    zone.addrs[1] = NULL;
    pass(YR_PEER_FRESH_MS);
    assert_int_equal(zone.asked, 3);
    answer_all();
    assert_int_equal(w.given, 2);
    assert_int_equal(w.ticket, 0); // nobody waits for it
    assert_int_equal(w.flags, YR_FLAG_LOCAL);
    assert_addr(&w.addr, "192.0.2.2");
    zone.addrs[0] = NULL; // gone for a while: what is known stays
    pass(YR_PEER_FRESH_MS);
    answer_all();
    assert_int_equal(w.missing, 1);
    pass(YR_PEER_RETRY_MS / 2);
    assert_int_equal(zone.asked, 4);
    pass(YR_PEER_RETRY_MS / 2);
    assert_int_equal(zone.asked, 5);
    answer_all();
    assert_int_equal(w.missing, 1); // told once
    assert_int_equal(w.failed, 0);
    zone.addrs[0] = "192.0.2.2";
    pass(YR_PEER_RETRY_MS);
    answer_all();
    assert_int_equal(w.given, 2);
    end(&w);
}

static void who_is_not_found_is_told_and_a_configured_one_looked_for_on(void **state)
{
    struct world w;

    begin(&w);
    assert_int_equal(yr_net_peers_add(w.peers, "kept.example:1", true, 5), YR_OK);
    answer_all();
    assert_int_equal(w.failed, 1);
    assert_int_equal(w.ticket, 5);
    assert_int_equal(w.err, YR_EAGAIN);
    pass(YR_PEER_FRESH_MS);
    assert_int_equal(zone.asked, 1); // nobody wants it any more
    assert_int_equal(yr_net_peers_add(w.peers, "conf.example:1", false, 6), YR_OK);
    answer_all();
    assert_int_equal(w.failed, 2);
    zone.addrs[0] = "192.0.2.9";
    pass(YR_PEER_RETRY_MS);
    answer_all();
    assert_int_equal(w.given, 1);
    assert_int_equal(w.ticket, 0);
    end(&w);
}

static void peers_of_an_earlier_run_are_looked_up_too(void **state)
{
    const struct yr_addr old = addr("192.0.2.1"), other = addr("192.0.2.7");
    struct world w;

    begin(&w);
    yr_net_peers_known(w.peers, "192.0.2.7:7722", &other);
    assert_int_equal(zone.asked, 0);
    yr_net_peers_known(w.peers, "n.example:7722", &old);
    yr_net_peers_known(w.peers, "n.example:7722", &old);
    assert_int_equal(zone.asked, 1);
    zone.addrs[0] = "192.0.2.1";
    answer_all();
    assert_int_equal(w.given, 0); // as it was: nothing is written
    zone.addrs[0] = "192.0.2.2";
    pass(YR_PEER_FRESH_MS);
    answer_all();
    assert_int_equal(w.given, 1);
    assert_int_equal(w.flags, 0); // and kept
    end(&w);
}

static void who_is_removed_is_not_heard_of_again(void **state)
{
    struct world w;

    begin(&w);
    zone.addrs[0] = "192.0.2.1";
    assert_int_equal(yr_net_peers_add(w.peers, "n.example:7722", true, 5), YR_OK);
    yr_net_peers_remove(w.peers, "n.example:7722");
    yr_net_peers_remove(w.peers, "never.example:7722");
    assert_int_equal(w.failed, 1);
    assert_int_equal(w.err, YR_ENOENT);
    answer_all();
    assert_int_equal(w.given, 0);
    w.remove_when_told = true; // from inside
    assert_int_equal(yr_net_peers_add(w.peers, "n.example:7722/" KEY, true, 6), YR_OK);
    answer_all();
    assert_int_equal(w.given, 1);
    pass(YR_PEER_FRESH_MS);
    assert_int_equal(zone.asked, 2);
    end(&w);
}

static void lookups_are_few_at_a_time_and_names_are_bounded(void **state)
{
    struct world w;
    char text[32];

    begin(&w);
    zone.addrs[0] = "192.0.2.1";
    for (unsigned i = 0; i < YR_PEERS_MAX; i++) {
        snprintf(text, sizeof text, "n%u.example:1", i);
        assert_int_equal(yr_net_peers_add(w.peers, text, true, i), YR_OK);
    }
    assert_int_equal(yr_net_peers_add(w.peers, "more.example:1", true, 99), YR_EFULL);
    assert_int_equal(zone.asked, YR_PEER_LOOKUPS);
    for (unsigned i = 0; i < YR_PEERS_MAX; i++)
        answer_all();
    assert_int_equal(w.given, YR_PEERS_MAX);
    assert_int_equal(zone.asked, YR_PEERS_MAX);
    assert_int_equal(zone.most_running, YR_PEER_LOOKUPS);
    yr_net_peers_clear(w.peers);
    assert_int_equal(yr_net_peers_add(w.peers, "more.example:1", true, 99), YR_OK);
    end(&w); // with a lookup that still runs
}

static void a_node_that_refuses_is_told_to_who_waits_and_tried_again(void **state)
{
    struct world w;

    begin(&w);
    zone.addrs[0] = "192.0.2.1";
    w.refuse = YR_EFULL;
    assert_int_equal(yr_net_peers_add(w.peers, "n.example:1", false, 5), YR_OK);
    answer_all();
    assert_int_equal(w.failed, 1);
    assert_int_equal(w.err, YR_EFULL);
    w.refuse = YR_OK;
    pass(YR_PEER_FRESH_MS);
    answer_all();
    assert_int_equal(w.given, 1);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_is_taken_apart),
        cmocka_unit_test(what_is_no_peer_is_refused),
        cmocka_unit_test(an_address_is_given_at_once_and_never_looked_up),
        cmocka_unit_test(a_name_is_given_once_found_with_the_others_of_its_addresses),
        cmocka_unit_test(a_name_is_looked_up_again_and_only_news_are_told),
        cmocka_unit_test(who_is_not_found_is_told_and_a_configured_one_looked_for_on),
        cmocka_unit_test(peers_of_an_earlier_run_are_looked_up_too),
        cmocka_unit_test(who_is_removed_is_not_heard_of_again),
        cmocka_unit_test(lookups_are_few_at_a_time_and_names_are_bounded),
        cmocka_unit_test(a_node_that_refuses_is_told_to_who_waits_and_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
