#include "net/portmap.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/base.h"
#include "net/addr.h"
#include "net/alarm.h"
#include "net/pcp.h"
#include "net/random.h"
#include "net/upnp.h"

enum way_id { PCP, NATPMP, UPNP, WAYS };
static const char *const way_names[WAYS] = {"pcp", "natpmp", "upnp"};

// When each is first asked.  A gateway that speaks several answers the first in time.
static const yr_us way_start[WAYS] = {0, 500 * YR_MS, YR_S};

struct way {
    bool trying; // in this round, or the mapping's own
    yr_us next;  // when it acts; YR_NEVER: an answer is waited for
    unsigned tries;
    char why[96]; // it refused; "": it has not said anything
};

// What the process that speaks UPnP is sent out for.
struct errand {
    struct yr_addr gateway, own; // own: with the port that is mapped
    uint16_t outside;
    char url[YR_UPNP_URL];
};

// A socket and its handle; freed when that has closed.
struct ear {
    uv_poll_t poll;
    int fd;
    struct yr_portmap *map;
};

struct yr_portmap {
    struct yr_portmap_opts opts;
    char program[PATH_MAX], url[YR_UPNP_URL], first_url[YR_UPNP_URL];
    enum yr_mapping_state state;
    struct yr_addr listen; // the main socket; family 0: stopped
    struct yr_gateway at;
    struct way ways[WAYS];
    struct ear *ear, *notices;
    char why[160];
    yr_us again_at; // the next round, in NONE
    uint64_t again_s;

    uint8_t nonce[YR_PCP_NONCE];
    enum way_id by; // ON: this made it,
    struct yr_addr outside;
    yr_us asked_at;   // when it was made, renewed, or asked for again
    yr_us expires_at; // YR_NEVER: it does not

    bool epoch_known; // of the gateway's own clock of mappings
    uint32_t epoch_s;
    yr_us epoch_at, noticed_at;

    // NAT-PMP tells a mapping in two halves.
    bool half_ip, half_port;
    uint8_t natpmp_ip[4];
    uint16_t natpmp_port;
    uint32_t natpmp_lifetime_s;

    struct yr_upnp *job;
    bool job_erases, job_stale; // stale: of a network or round that has passed
    bool erase_later;           // when the job has ended:
    struct errand later;

    struct yr_mapping_info told;
    uv_timer_t timer;
    unsigned handles;
    bool closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static void act(struct yr_portmap *map);

static yr_us now_us(void)
{
    return yr_clock_now().mono_us;
}

/** A wait, in a test a shorter one. */
static yr_us span(const struct yr_portmap *map, yr_us us)
{
    return map->opts.quicker > 1 ? us / map->opts.quicker : us;
}

// ---- what is told ----

void yr_portmap_info(const struct yr_portmap *map, struct yr_mapping_info *out)
{
    memset(out, 0, sizeof *out);
    out->by = "";
    if (map == NULL)
        return;
    out->state = map->state;
    out->gateway = map->at.gateway;
    if (map->state == YR_MAPPING_NONE)
        memcpy(out->why, map->why, sizeof out->why);
    if (map->state != YR_MAPPING_ON)
        return;
    const yr_us now = now_us();
    out->addr = map->outside;
    out->by = way_names[map->by];
    out->left_s = map->expires_at == YR_NEVER ? UINT64_MAX
                  : map->expires_at > now     ? (map->expires_at - now) / YR_S
                                              : 0;
}

static void tell(struct yr_portmap *map)
{
    struct yr_mapping_info info;

    yr_portmap_info(map, &info);
    if (map->closing || (info.state == map->told.state && yr_addr_eq(&info.addr, &map->told.addr) &&
                         strcmp(info.why, map->told.why) == 0))
        return;
    map->told = info;
    map->opts.on_change(map->opts.ctx);
}

// ---- handles ----

static void finish(struct yr_portmap *map)
{
    void (*on_closed)(void *) = map->on_closed;
    void *ctx = map->closed_ctx;

    free(map);
    if (on_closed != NULL)
        on_closed(ctx);
}

static void one_less(struct yr_portmap *map)
{
    if (--map->handles == 0)
        finish(map);
}

static void on_ear_closed(uv_handle_t *handle)
{
    struct ear *ear = handle->data;
    struct yr_portmap *map = ear->map;

    free(ear);
    one_less(map);
}

static void ear_close(struct ear **place)
{
    struct ear *ear = *place;

    *place = NULL;
    if (ear == NULL)
        return;
    uv_close((uv_handle_t *)&ear->poll, on_ear_closed);
    close(ear->fd);
}

/** Hear `fd` (taken) on the loop; NULL: it cannot be. */
static struct ear *ear_open(struct yr_portmap *map, int fd, uv_poll_cb on_poll)
{
    struct ear *ear = calloc(1, sizeof *ear);

    if (ear == NULL || uv_poll_init(map->opts.loop, &ear->poll, fd) != 0) {
        free(ear);
        close(fd);
        return NULL;
    }
    ear->fd = fd;
    ear->map = map;
    ear->poll.data = ear;
    map->handles++;
    YR_ASSERT(uv_poll_start(&ear->poll, UV_READABLE, on_poll) == 0);
    return ear;
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data);
}

/** Wake up when something is to be done next. */
static void set_timer(struct yr_portmap *map)
{
    const yr_us now = now_us();
    yr_us at = YR_NEVER;

    for (size_t i = 0; i < WAYS; i++)
        if (map->ways[i].trying)
            at = YR_MIN(at, map->ways[i].next);
    if (map->state == YR_MAPPING_ON)
        at = YR_MIN(at, map->expires_at);
    if (map->state == YR_MAPPING_NONE)
        at = YR_MIN(at, map->again_at);
    if (map->closing)
        return;
    if (at == YR_NEVER)
        uv_timer_stop(&map->timer);
    else
        uv_timer_start(&map->timer, on_timer, at > now ? (at - now + 999) / 1000 : 0, 0);
}

// ---- what came of it ----

/** Can it be an address of the Internet? */
static bool on_internet(const uint8_t ip[4])
{
    static const struct {
        uint8_t ip[2], mask[2];
    } none[] = {{{0}, {255}},
                {{10}, {255}},
                {{127}, {255}},
                {{100, 64}, {255, 192}},
                {{169, 254}, {255, 255}},
                {{172, 16}, {255, 240}},
                {{192, 168}, {255, 255}},
                {{224}, {224}}};

    for (size_t i = 0; i < YR_COUNT(none); i++)
        if ((ip[0] & none[i].mask[0]) == none[i].ip[0] &&
            (ip[1] & none[i].mask[1]) == none[i].ip[1])
            return false;
    return true;
}

static void refuse(struct yr_portmap *map, enum way_id id, const char *why)
{
    struct way *way = &map->ways[id];

    snprintf(way->why, sizeof way->why, "%s", why);
    if (map->state != YR_MAPPING_ON) // or else it is tried until the mapping ends
        way->trying = false;
}

/** Nobody is asked any more: say why. */
static void settle(struct yr_portmap *map)
{
    const char *why = NULL;

    if (map->state != YR_MAPPING_ASKING)
        return;
    for (size_t i = 0; i < WAYS; i++) {
        if (map->ways[i].trying)
            return;
        if (why == NULL && map->ways[i].why[0] != '\0')
            why = map->ways[i].why;
    }
    if (why == NULL)
        why = "the gateway answers neither PCP, NAT-PMP nor UPnP";
    snprintf(map->why, sizeof map->why, "%s", why);
    map->state = YR_MAPPING_NONE;
    map->again_at = now_us() + span(map, map->again_s * YR_S);
}

/** A gateway says that it maps our port. */
static void mapped(struct yr_portmap *map, enum way_id by, const uint8_t ip[4], uint16_t port,
                   uint32_t lifetime_s)
{
    const bool for_ever = by == UPNP && lifetime_s == 0;
    const uint32_t life_s = YR_MIN(lifetime_s, (uint32_t)YR_PORTMAP_LIFETIME_S_MAX);
    const yr_us now = now_us();

    if (!on_internet(ip) && !map->opts.any_outside) {
        refuse(map, by, "the gateway has no address on the Internet itself");
        return;
    }
    if (port == 0 || (life_s < YR_PORTMAP_LIFETIME_S_MIN && !for_ever)) {
        refuse(map, by, "the gateway's answer makes no sense");
        return;
    }
    for (size_t i = 0; i < WAYS; i++)
        map->ways[i].trying = i == by;
    map->ways[by].tries = 0;
    map->ways[by].why[0] = '\0';
    map->ways[by].next = now + span(map, for_ever ? YR_PORTMAP_AGAIN_S * YR_S : life_s * YR_S / 2);
    map->state = YR_MAPPING_ON;
    map->by = by;
    map->asked_at = now;
    map->expires_at = for_ever ? YR_NEVER : now + span(map, life_s * YR_S);
    memset(&map->outside, 0, sizeof map->outside);
    map->outside.family = 4;
    memcpy(map->outside.ip, ip, 4);
    map->outside.port = port;
}

/** Does the gateway's clock say that it lost what it knew?  Notes what it says. */
static bool restarted(struct yr_portmap *map, uint32_t epoch_s)
{
    const yr_us now = now_us();
    const bool lost =
        map->epoch_known && yr_pcp_restarted(map->epoch_s, epoch_s, (now - map->epoch_at) / YR_S);

    map->epoch_known = true;
    map->epoch_s = epoch_s;
    map->epoch_at = now;
    return lost;
}

// ---- PCP and NAT-PMP ----

static void take_pcp(struct yr_portmap *map, const struct yr_pcp_answer *answer)
{
    if (memcmp(answer->nonce, map->nonce, sizeof map->nonce) != 0 || !answer->udp ||
        answer->internal != map->listen.port || !map->ways[PCP].trying)
        return;
    (void)restarted(map, answer->epoch_s); // what it says now is of after that
    if (answer->result == YR_PCP_OK) {
        mapped(map, PCP, answer->ip, answer->external, answer->lifetime_s);
        return;
    }
    if (answer->result == YR_PCP_OLD_VERSION)
        map->ways[NATPMP].next = YR_MIN(map->ways[NATPMP].next, now_us());
    if (answer->lifetime_s < map->again_s)
        map->again_s = YR_MAX(answer->lifetime_s, (uint32_t)YR_PORTMAP_AGAIN_S_MIN);
    refuse(map, PCP, yr_pcp_reason(answer));
}

static void take_natpmp(struct yr_portmap *map, const struct yr_pcp_answer *answer)
{
    struct way *way = &map->ways[NATPMP];

    if (answer->result == YR_PCP_OLD_VERSION) { // an older gateway's word to PCP
        if (map->state == YR_MAPPING_ASKING && map->ways[PCP].trying) {
            map->ways[PCP].trying = false;
            way->next = YR_MIN(way->next, now_us());
        }
        return;
    }
    if (!way->trying || way->tries == 0)
        return; // nothing was asked
    if (answer->kind == YR_NATPMP_MAP && answer->result == YR_PCP_OK &&
        answer->internal != map->listen.port)
        return; // somebody else's
    (void)restarted(map, answer->epoch_s);
    if (answer->result != YR_PCP_OK) {
        refuse(map, NATPMP, yr_pcp_reason(answer));
        return;
    }
    if (answer->kind == YR_NATPMP_ADDRESS) {
        memcpy(map->natpmp_ip, answer->ip, 4);
        map->half_ip = true;
    } else {
        map->natpmp_port = answer->external;
        map->natpmp_lifetime_s = answer->lifetime_s;
        map->half_port = true;
    }
    if (!map->half_ip || !map->half_port)
        return;
    map->half_ip = map->half_port = false;
    mapped(map, NATPMP, map->natpmp_ip, map->natpmp_port, map->natpmp_lifetime_s);
}

static void take(struct yr_portmap *map, const uint8_t *bytes, size_t len)
{
    struct yr_pcp_answer answer;

    if (yr_pcp_decode(&answer, bytes, len) != YR_OK)
        return;
    switch (answer.kind) {
    case YR_PCP_MAP: take_pcp(map, &answer); return;
    case YR_NATPMP_ADDRESS:
    case YR_NATPMP_MAP:
    case YR_NATPMP_OTHER: take_natpmp(map, &answer); return;
    case YR_PCP_ANNOUNCE: return; // comes by multicast only
    }
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
    const struct ear *ear = poll->data;
    struct yr_portmap *map = ear->map;
    uint8_t bytes[YR_PCP_ANSWER_MAX + 1];
    ssize_t len = 0;

    (void)events;
    if (status < 0)
        (void)uv_poll_start(poll, UV_READABLE, on_answer);
    for (int i = 0; i < 16 && len >= 0; i++) { // connected: from the gateway only
        len = recv(ear->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (len > 0)
            take(map, bytes, (size_t)len);
        else if (len < 0 && errno == ECONNREFUSED && map->state == YR_MAPPING_ASKING)
            map->ways[PCP].trying = map->ways[NATPMP].trying = false; // nobody is there
    }
    act(map);
}

/** The gateway tells everybody that it has restarted, or has another address (RFC 6886, 3.2.1;
 *  RFC 6887, 14.1).  Anybody may say so in its name: it only has us ask, now and then. */
static void on_notice(uv_poll_t *poll, int status, int events)
{
    const struct ear *ear = poll->data;
    struct yr_portmap *map = ear->map;
    const yr_us now = now_us();
    uint8_t bytes[YR_PCP_ANSWER_MAX + 1];
    struct sockaddr_storage sys;
    struct yr_pcp_answer answer;
    struct yr_addr from;
    ssize_t len;

    (void)events;
    if (status < 0)
        (void)uv_poll_start(poll, UV_READABLE, on_notice);
    len = recvfrom(ear->fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&sys,
                   &(socklen_t){sizeof sys});
    if (len <= 0 || map->listen.family == 0 ||
        yr_pcp_decode(&answer, bytes, (size_t)len) != YR_OK ||
        (answer.kind != YR_NATPMP_ADDRESS && answer.kind != YR_PCP_ANNOUNCE))
        return;
    from = yr_addr_from_sys((const struct sockaddr *)&sys);
    if (!yr_addr_same_ip(&from, &map->at.gateway) ||
        now - map->noticed_at < span(map, YR_PORTMAP_NOTICE_S * YR_S))
        return;
    if (map->state == YR_MAPPING_ON &&
        (restarted(map, answer.epoch_s) ||
         (answer.kind == YR_NATPMP_ADDRESS && memcmp(answer.ip, map->outside.ip, 4) != 0))) {
        uint32_t spread; // everybody on this network has just heard it
        map->noticed_at = now;
        yr_random(yr_rng_system(), &spread, sizeof spread);
        map->ways[map->by].tries = 0;
        map->ways[map->by].next = now + span(map, spread % YR_S);
    } else if (map->state == YR_MAPPING_NONE) {
        map->noticed_at = now;
        map->again_at = now;
    }
    act(map);
}

static void send_now(struct yr_portmap *map, const uint8_t *bytes, size_t len)
{
    if (map->ear != NULL)
        (void)!send(map->ear->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void ask_pcp(struct yr_portmap *map, uint32_t lifetime_s)
{
    const bool again = map->state == YR_MAPPING_ON && map->by == PCP && lifetime_s > 0;
    uint8_t bytes[YR_PCP_REQUEST_MAX];

    send_now(map, bytes,
             yr_pcp_map(bytes, map->at.source.ip, map->nonce, map->listen.port,
                        lifetime_s == 0 ? 0
                        : again         ? map->outside.port
                                        : map->listen.port,
                        again ? map->outside.ip : NULL, lifetime_s));
}

static void ask_natpmp(struct yr_portmap *map, uint32_t lifetime_s)
{
    const bool again = map->state == YR_MAPPING_ON && map->by == NATPMP;
    uint8_t bytes[YR_PCP_REQUEST_MAX];

    if (lifetime_s > 0)
        send_now(map, bytes, yr_natpmp_address(bytes));
    send_now(map, bytes,
             yr_natpmp_map(bytes, map->listen.port,
                           lifetime_s == 0 ? 0
                           : again         ? map->outside.port
                                           : map->listen.port,
                           lifetime_s));
}

// ---- UPnP ----

static void upnp_answer(void *ctx, const struct yr_upnp_answer *answer);

static struct errand errand(const struct yr_portmap *map, const struct yr_addr *outside)
{
    struct errand e = {.gateway = map->at.gateway, .own = map->at.source, .outside = outside->port};

    e.own.port = map->listen.port;
    memcpy(e.url, map->url, sizeof e.url);
    return e;
}

static enum yr_err upnp_start(struct yr_portmap *map, const struct errand *e, bool erase)
{
    const struct yr_upnp_ask ask = {.loop = map->opts.loop,
                                    .program = map->program,
                                    .gateway = &e->gateway,
                                    .own = &e->own,
                                    .outside = e->outside,
                                    .lifetime_s = YR_PORTMAP_LIFETIME_S,
                                    .url = e->url,
                                    .erase = erase,
                                    .on_answer = upnp_answer,
                                    .ctx = map};
    const enum yr_err err = yr_upnp_start(&map->job, &ask);

    if (err != YR_OK) {
        map->job = NULL;
        return err;
    }
    map->job_erases = erase;
    map->job_stale = false;
    map->handles++;
    if (erase && map->closing)
        yr_upnp_hurry(map->job, YR_UPNP_LAST_MS);
    return YR_OK;
}

/** Delete what UPnP mapped, now or when what is under way has ended. */
static void upnp_erase(struct yr_portmap *map, const struct errand *e)
{
    if (map->job == NULL) {
        (void)!upnp_start(map, e, true);
        return;
    }
    map->later = *e;
    map->erase_later = true;
    yr_upnp_hurry(map->job, 0);
}

static void ask_upnp(struct yr_portmap *map)
{
    const bool again = map->state == YR_MAPPING_ON;
    const struct errand e = errand(map, again ? &map->outside : &map->listen);
    struct way *way = &map->ways[UPNP];

    way->next = YR_NEVER;
    if (map->job != NULL) // of before; when it ends this comes back
        return;
    if (upnp_start(map, &e, false) == YR_OK)
        return;
    refuse(map, UPNP, "the program that asks by UPnP cannot be started");
    way->next = now_us() + span(map, YR_PORTMAP_AGAIN_S_MIN * YR_S);
}

static void upnp_answer(void *ctx, const struct yr_upnp_answer *answer)
{
    struct yr_portmap *map = ctx;
    struct way *way = &map->ways[UPNP];
    const bool wanted = !map->job_erases && !map->job_stale && way->trying && !map->closing;

    map->job = NULL;
    if (wanted && answer->mapped) {
        memcpy(map->url, answer->url, sizeof map->url);
        mapped(map, UPNP, answer->outside.ip, answer->outside.port, answer->lifetime_s);
    } else if (wanted) {
        refuse(map, UPNP, answer->why);
        way->next = now_us() + span(map, YR_PORTMAP_AGAIN_S_MIN * YR_S);
    } else if (answer->mapped && !map->job_stale) { // another was first
        struct errand e = errand(map, &answer->outside);
        memcpy(e.url, answer->url, sizeof e.url);
        (void)!upnp_start(map, &e, true);
    }
    if (map->erase_later && map->job == NULL) {
        map->erase_later = false;
        if (answer->mapped)
            map->later.outside = answer->outside.port;
        (void)!upnp_start(map, &map->later, true);
    }
    if (way->trying && way->next == YR_NEVER && map->job == NULL)
        way->next = now_us(); // waited for this to end
    if (!map->closing)
        act(map);
    one_less(map);
}

// ---- rounds ----

/** After the n-th try (1, ...) the next one, in microseconds. */
static yr_us patience(const struct yr_portmap *map, enum way_id id, unsigned tries)
{
    const unsigned doubled = YR_MIN(tries - 1, 8u);
    const bool quick = id == NATPMP && map->state == YR_MAPPING_ASKING;
    yr_us us = (quick ? 250 * YR_MS : 3 * YR_S) << doubled;
    uint16_t spread;

    yr_random(yr_rng_system(), &spread, sizeof spread);
    return span(map, us - us / 10 + us / 5 * spread / UINT16_MAX); // within a tenth
}

static void step(struct yr_portmap *map, enum way_id id, yr_us now)
{
    struct way *way = &map->ways[id];
    const unsigned most = id == PCP ? YR_PORTMAP_PCP_TRIES : YR_PORTMAP_NATPMP_TRIES;

    if (map->state == YR_MAPPING_ASKING && id != UPNP && way->tries == most) {
        way->trying = false;
        return;
    }
    way->tries++;
    way->next = now + patience(map, id, way->tries);
    switch (id) {
    case PCP: ask_pcp(map, YR_PORTMAP_LIFETIME_S); return;
    case NATPMP: ask_natpmp(map, YR_PORTMAP_LIFETIME_S); return;
    case UPNP: ask_upnp(map); return;
    case WAYS: return;
    }
}

/** Ask by all means. */
static void begin(struct yr_portmap *map)
{
    const yr_us now = now_us();

    map->state = YR_MAPPING_ASKING;
    map->why[0] = '\0';
    map->half_ip = map->half_port = false;
    map->again_s = YR_PORTMAP_AGAIN_S;
    for (size_t i = 0; i < WAYS; i++) {
        struct way *way = &map->ways[i];
        way->trying = i == UPNP ? map->program[0] != '\0' : map->ear != NULL;
        way->next = now + span(map, way_start[i]);
        way->tries = 0;
        way->why[0] = '\0';
    }
}

/** Do what is due, and tell what became of it. */
static void act(struct yr_portmap *map)
{
    const yr_us now = now_us();

    if (map->closing)
        return;
    if (map->state == YR_MAPPING_ON && now >= map->expires_at)
        begin(map); // forgotten: from the start
    if (map->state == YR_MAPPING_NONE && now >= map->again_at)
        begin(map);
    for (size_t i = 0; i < WAYS; i++)
        if (map->ways[i].trying && now >= map->ways[i].next)
            step(map, (enum way_id)i, now);
    settle(map);
    tell(map);
    set_timer(map);
}

/** Ask whoever mapped to forget it; nobody waits for an answer. */
static void erase(struct yr_portmap *map)
{
    const struct errand e = errand(map, &map->outside);

    if (map->state != YR_MAPPING_ON)
        return;
    if (map->by == PCP)
        ask_pcp(map, 0);
    else if (map->by == NATPMP)
        ask_natpmp(map, 0);
    else
        upnp_erase(map, &e);
}

// ---- the network ----

/** A socket that speaks to the gateway and hears nobody else. */
static void connect_ear(struct yr_portmap *map)
{
    struct yr_addr from = map->at.source, to = map->at.gateway;
    struct sockaddr_storage sys;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool ok;

    to.port = map->opts.port != 0 ? map->opts.port : YR_PCP_PORT;
    from.port = 0;
    if (fd < 0)
        return;
    ok = bind(fd, (struct sockaddr *)&sys, yr_addr_to_sys(&from, &sys)) == 0;
    ok = ok && connect(fd, (struct sockaddr *)&sys, yr_addr_to_sys(&to, &sys)) == 0;
    if (ok)
        map->ear = ear_open(map, fd, on_answer);
    else
        close(fd);
}

static void hear_notices(struct yr_portmap *map)
{
    const struct yr_addr at = {
        .family = 4, .ip = {224, 0, 0, 1}, .port = YR_PCP_NOTICE_PORT}; // all hosts: joined anyway
    struct sockaddr_storage sys;
    const socklen_t len = yr_addr_to_sys(&at, &sys);
    const int one = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&sys, len) == 0)
        map->notices = ear_open(map, fd, on_notice);
    else
        close(fd); // somebody has it: restarts are noticed when the mapping is renewed
}

/** The main socket that is mapped: IPv4, the wildcard or else not loopback; family 0: none. */
static struct yr_addr choose(const struct yr_addr *bound, size_t count)
{
    struct yr_addr best;

    memset(&best, 0, sizeof best);
    for (size_t i = 0; i < count; i++)
        if (bound[i].family == 4 && (best.family == 0 || yr_addr_wildcard(&bound[i]) ||
                                     (yr_addr_loopback(&best) && !yr_addr_loopback(&bound[i]))))
            best = bound[i];
    return best;
}

static void give_up(struct yr_portmap *map, const char *why)
{
    snprintf(map->why, sizeof map->why, "%s", why);
    map->state = YR_MAPPING_NONE;
    map->again_at = YR_NEVER; // a change of the network will bring us back
    for (size_t i = 0; i < WAYS; i++)
        map->ways[i].trying = false;
}

/** Forget this network. */
static void leave(struct yr_portmap *map)
{
    erase(map);
    map->job_stale = map->job != NULL && !map->job_erases;
    if (map->job_stale)
        yr_upnp_hurry(map->job, 0);
    ear_close(&map->ear);
    ear_close(&map->notices);
    map->state = YR_MAPPING_OFF;
    map->url[0] = '\0';
    map->epoch_known = false;
    memset(map->ways, 0, sizeof map->ways);
    memset(&map->listen, 0, sizeof map->listen);
    memset(&map->at, 0, sizeof map->at);
}

void yr_portmap_start(struct yr_portmap *map, const struct yr_addr *bound, size_t count, bool again)
{
    const struct yr_addr listen = choose(bound, count);
    struct yr_gateway at;
    enum yr_err err = YR_ENOENT;

    if (map == NULL)
        return;
    memset(&at, 0, sizeof at);
    if (listen.family != 0)
        err = map->opts.find(&at, &listen);
    if (err != YR_OK)
        memset(&at, 0, sizeof at);
    if (map->state != YR_MAPPING_OFF && yr_addr_eq(&listen, &map->listen) &&
        yr_addr_eq(&at.gateway, &map->at.gateway) && yr_addr_eq(&at.source, &map->at.source)) {
        if (again && map->state == YR_MAPPING_ON)
            map->ways[map->by].next = YR_MIN(map->ways[map->by].next, now_us());
        else if (again && map->state == YR_MAPPING_NONE && at.gateway.family != 0)
            begin(map);
        act(map);
        return;
    }
    leave(map);
    map->listen = listen;
    map->at = at;
    if (listen.family == 0) {
        give_up(map, "we do not listen on IPv4");
    } else if (at.gateway.family != 4) {
        give_up(map, "there is no gateway to ask");
    } else {
        yr_random(yr_rng_system(), map->nonce, sizeof map->nonce);
        memcpy(map->url, map->first_url, sizeof map->url);
        connect_ear(map);
        hear_notices(map);
        begin(map);
    }
    act(map);
}

void yr_portmap_stop(struct yr_portmap *map)
{
    if (map == NULL || map->state == YR_MAPPING_OFF)
        return;
    leave(map);
    act(map);
}

void yr_portmap_renew(struct yr_portmap *map)
{
    if (map == NULL || map->state != YR_MAPPING_ON ||
        now_us() - map->asked_at < span(map, YR_PORTMAP_RENEW_S * YR_S))
        return;
    map->asked_at = now_us();
    map->ways[map->by].next = YR_MIN(map->ways[map->by].next, now_us());
    act(map);
}

// ---- opening and closing ----

enum yr_err yr_portmap_open(struct yr_portmap **out, const struct yr_portmap_opts *opts)
{
    struct yr_portmap *map = calloc(1, sizeof *map);

    if (map == NULL)
        return YR_ENOMEM;
    map->opts = *opts;
    if (map->opts.find == NULL)
        map->opts.find = yr_gateway_find;
    if (opts->upnp_program != NULL)
        snprintf(map->program, sizeof map->program, "%s", opts->upnp_program);
    if (opts->upnp_url != NULL)
        snprintf(map->first_url, sizeof map->first_url, "%s", opts->upnp_url);
    map->opts.upnp_program = map->opts.upnp_url = NULL;
    map->told.by = "";
    (void)uv_timer_init(opts->loop, &map->timer); // cannot fail
    map->timer.data = map;
    map->handles = 1;
    *out = map;
    return YR_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    one_less(handle->data);
}

void yr_portmap_close(struct yr_portmap *map, void (*on_closed)(void *ctx), void *ctx)
{
    if (map == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    map->on_closed = on_closed;
    map->closed_ctx = ctx;
    if (map->state != YR_MAPPING_OFF)
        leave(map);
    map->closing = true;
    if (map->job != NULL)
        yr_upnp_hurry(map->job, YR_UPNP_LAST_MS);
    uv_close((uv_handle_t *)&map->timer, on_timer_closed);
}
