#include "net/peers.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "net/addr.h"

#define NEVER UINT64_MAX

// ---- what people write ----

static bool name_ok(const char *host)
{
    const size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789-_.");

    return len > 0 && host[len] == '\0' && host[0] != '-' && host[0] != '.';
}

static bool read_key(struct yr_peer_text *out, const char *text)
{
    size_t len = sizeof out->key;

    out->keyed = true;
    return strlen(text) == YR_BASE32_LEN(32) &&
           yr_base32_decode(out->key, &len, text, YR_BASE32_LEN(32)) == YR_OK && len == 32;
}

enum yr_err yr_peer_text_parse(struct yr_peer_text *out, const char *text)
{
    struct yr_peer_text t;
    char copy[YR_PEER_TEXT], *slash, *colon, *host = copy;
    unsigned long port;

    memset(&t, 0, sizeof t);
    if (strlen(text) >= sizeof copy)
        return YR_EINVAL;
    strcpy(copy, text); // fits, just checked
    if ((slash = strchr(copy, '/')) != NULL)
        *slash++ = '\0';
    if ((slash != NULL && !read_key(&t, slash)) || (colon = strrchr(copy, ':')) == NULL)
        return YR_EINVAL;
    *colon++ = '\0';
    if (colon[0] == '\0' || strlen(colon) >= sizeof t.port ||
        colon[strspn(colon, "0123456789")] != '\0')
        return YR_EINVAL;
    port = strtoul(colon, NULL, 10);
    if (port == 0 || port > UINT16_MAX)
        return YR_EINVAL;
    snprintf(t.port, sizeof t.port, "%lu", port);
    if (host[0] == '[' && colon - 2 > host && colon[-2] == ']') {
        colon[-2] = '\0';
        host++;
        if (strchr(host, ':') == NULL)
            return YR_EINVAL; // brackets are for IPv6
    }
    snprintf(t.host, sizeof t.host, "%s", host);
    // What has one colon is no address of either kind: a second port.
    if (strpbrk(host, "[]") != NULL ||
        (strchr(host, ':') != NULL && strchr(host, ':') == strrchr(host, ':')))
        return YR_EINVAL;
    if (yr_addr_parse(&t.addr, t.host, (uint16_t)port) != YR_OK) {
        memset(&t.addr, 0, sizeof t.addr);
        if (!name_ok(t.host))
            return YR_EINVAL;
    }
    *out = t;
    return YR_OK;
}

// ---- names ----

struct name {
    struct name *next;
    struct yr_net_peers *peers; // NULL: nobody wants to hear of it any more
    char text[YR_PEER_TEXT];
    struct yr_peer_text parts;
    bool keep, waits; // waits: for an address, under this ticket
    uint64_t ticket;
    bool running, missing;
    uint64_t due_ms, began_ms;           // the next lookup; the last one
    struct yr_addr addrs[YR_PEER_ADDRS]; // as last given
    size_t count;
    uv_getaddrinfo_t lookup;
};

struct yr_net_peers {
    struct yr_net_peers_opts opts;
    struct name *names;
    uv_timer_t timer;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static void pump(struct yr_net_peers *peers);

static struct name *find(const struct yr_net_peers *peers, const char *text)
{
    struct name *name = peers->names;

    while (name != NULL && strcmp(name->text, text) != 0)
        name = name->next;
    return name;
}

/** Let go of one; while its lookup runs, that has it. */
static void drop(struct name *name)
{
    struct name **at = &name->peers->names;

    while (*at != name)
        at = &(*at)->next;
    *at = name->next;
    name->peers = NULL;
    if (name->running)
        (void)uv_cancel((uv_req_t *)&name->lookup);
    else
        free(name);
}

static enum yr_err give(struct yr_net_peers *peers, const char *text, const struct yr_addr *addr,
                        bool keep, uint64_t ticket)
{
    const struct yr_cmd cmd = {.kind = YR_CMD_PEER_ADD,
                               .addr = *addr,
                               .text = text,
                               .text_len = strlen(text),
                               .flags = keep ? 0 : YR_FLAG_LOCAL};

    return peers->opts.command(peers->opts.ctx, &cmd, ticket);
}

static bool has(const struct yr_addr *list, size_t count, const struct yr_addr *addr)
{
    for (size_t i = 0; i < count; i++)
        if (yr_addr_eq(&list[i], addr))
            return true;
    return false;
}

/** What a name stands for now: the peer's address stays as long as it is one of them. */
static void found(struct name *name, struct yr_addr *addrs, size_t count)
{
    struct yr_net_peers *peers = name->peers;
    const bool waits = name->waits;
    enum yr_err err = YR_OK;

    name->waits = name->missing = false;
    if (name->count > 0 && has(addrs, count, &name->addrs[0])) {
        for (size_t i = 1; i < count; i++)
            if (yr_addr_eq(&addrs[i], &name->addrs[0])) {
                addrs[i] = addrs[0];
                addrs[0] = name->addrs[0];
            }
    }
    if (waits || name->count == 0 || !yr_addr_eq(&addrs[0], &name->addrs[0]))
        err = give(peers, name->text, &addrs[0], name->keep, waits ? name->ticket : 0);
    if (err != YR_OK && waits)
        peers->opts.failed(peers->opts.ctx, name->ticket, err);
    for (size_t i = 1; i < count && name->parts.keyed; i++)
        if (!has(name->addrs, name->count, &addrs[i]))
            peers->opts.start_from(peers->opts.ctx, &addrs[i], name->parts.key);
    memcpy(name->addrs, addrs, count * sizeof *addrs);
    name->count = err == YR_OK ? count : 0;
}

/** true: nobody wants it any more. */
static bool not_found(struct name *name)
{
    struct yr_net_peers *peers = name->peers;

    if (!name->missing)
        peers->opts.missing(peers->opts.ctx, name->text);
    name->missing = true;
    if (!name->waits)
        return false;
    name->waits = false;
    peers->opts.failed(peers->opts.ctx, name->ticket, YR_EAGAIN);
    return name->keep && name->count == 0; // who asked for it knows, and may ask again
}

static void on_found(uv_getaddrinfo_t *lookup, int status, struct addrinfo *list)
{
    struct name *name = lookup->data;
    struct yr_net_peers *peers = name->peers;
    struct yr_addr addrs[YR_PEER_ADDRS];
    bool unwanted = false;
    size_t count = 0;

    for (const struct addrinfo *at = list; status == 0 && at != NULL; at = at->ai_next) {
        const struct yr_addr addr = yr_addr_from_sys(at->ai_addr);
        if (count < YR_PEER_ADDRS && addr.family != 0 && addr.port != 0 &&
            !yr_addr_multicast(&addr) && !yr_addr_wildcard(&addr) && !has(addrs, count, &addr))
            addrs[count++] = addr;
    }
    uv_freeaddrinfo(list);
    if (peers != NULL) {
        name->due_ms = uv_now(peers->opts.loop) + (count > 0 ? YR_PEER_FRESH_MS : YR_PEER_RETRY_MS);
        if (count > 0)
            found(name, addrs, count);
        else
            unwanted = not_found(name);
    }
    name->running = false; // until here, so that who is told may drop it
    if (name->peers == NULL)
        free(name);
    else if (unwanted)
        drop(name);
    if (peers != NULL)
        pump(peers);
}

static void start(struct yr_net_peers *peers, struct name *name)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};

    name->began_ms = uv_now(peers->opts.loop);
    name->due_ms = NEVER;
    name->lookup.data = name;
    name->running = uv_getaddrinfo(peers->opts.loop, &name->lookup, on_found, name->parts.host,
                                   name->parts.port, &hints) == 0;
    if (!name->running)
        name->due_ms = name->began_ms + YR_PEER_RETRY_MS;
}

static void on_timer(uv_timer_t *timer)
{
    pump(timer->data);
}

/** Look up what is due, a few at a time, and wake up for the rest. */
static void pump(struct yr_net_peers *peers)
{
    const uint64_t now = uv_now(peers->opts.loop);
    uint64_t next = NEVER;
    unsigned running = 0;

    for (const struct name *name = peers->names; name != NULL; name = name->next)
        running += name->running;
    for (struct name *name = peers->names; name != NULL; name = name->next) {
        if (!name->running && name->due_ms <= now && running < YR_PEER_LOOKUPS) {
            start(peers, name);
            running += name->running;
        }
        if (!name->running && name->due_ms > now)
            next = YR_MIN(next, name->due_ms);
    }
    if (next == NEVER) // what is due and has no place is looked at when a lookup ends
        uv_timer_stop(&peers->timer);
    else
        uv_timer_start(&peers->timer, on_timer, next - now, 0);
}

static enum yr_err new_name(struct yr_net_peers *peers, const char *text,
                            const struct yr_peer_text *parts, struct name **out)
{
    struct name *name;
    size_t count = 0;

    for (name = peers->names; name != NULL; name = name->next)
        count++;
    if (count >= YR_PEERS_MAX)
        return YR_EFULL;
    name = calloc(1, sizeof *name);
    if (name == NULL)
        return YR_ENOMEM;
    snprintf(name->text, sizeof name->text, "%s", text);
    name->parts = *parts;
    name->peers = peers;
    name->due_ms = uv_now(peers->opts.loop);
    name->next = peers->names;
    peers->names = name;
    *out = name;
    return YR_OK;
}

enum yr_err yr_net_peers_add(struct yr_net_peers *peers, const char *text, bool keep,
                             uint64_t ticket)
{
    struct name *name = find(peers, text);
    struct yr_peer_text parts;
    enum yr_err err = yr_peer_text_parse(&parts, text);

    if (err != YR_OK)
        return err;
    if (parts.addr.family != 0)
        return give(peers, text, &parts.addr, keep, ticket);
    if (name != NULL && name->count > 0)
        return give(peers, text, &name->addrs[0], keep, ticket);
    if (name != NULL && name->waits)
        return YR_EAGAIN; // somebody else's add is under way
    if (name == NULL && (err = new_name(peers, text, &parts, &name)) != YR_OK)
        return err;
    name->keep = keep;
    name->waits = true;
    name->ticket = ticket;
    name->due_ms = uv_now(peers->opts.loop);
    pump(peers);
    return YR_OK;
}

void yr_net_peers_known(struct yr_net_peers *peers, const char *text, const struct yr_addr *addr)
{
    struct yr_peer_text parts;
    struct name *name;

    if (yr_peer_text_parse(&parts, text) != YR_OK || parts.addr.family != 0 ||
        find(peers, text) != NULL || new_name(peers, text, &parts, &name) != YR_OK)
        return;
    name->keep = true;
    name->addrs[0] = *addr;
    name->count = 1;
    pump(peers);
}

void yr_net_peers_remove(struct yr_net_peers *peers, const char *text)
{
    struct name *name = find(peers, text);

    if (name == NULL)
        return;
    if (name->waits)
        peers->opts.failed(peers->opts.ctx, name->ticket, YR_ENOENT);
    drop(name);
    pump(peers);
}

void yr_net_peers_again(struct yr_net_peers *peers)
{
    if (peers == NULL)
        return;
    for (struct name *name = peers->names; name != NULL; name = name->next)
        name->due_ms = YR_MIN(name->due_ms, name->began_ms + YR_PEER_GAP_MS);
    pump(peers);
}

void yr_net_peers_clear(struct yr_net_peers *peers)
{
    while (peers != NULL && peers->names != NULL)
        drop(peers->names);
    if (peers != NULL)
        pump(peers);
}

enum yr_err yr_net_peers_open(struct yr_net_peers **out, const struct yr_net_peers_opts *opts)
{
    struct yr_net_peers *peers = calloc(1, sizeof *peers);

    if (peers == NULL)
        return YR_ENOMEM;
    peers->opts = *opts;
    (void)uv_timer_init(opts->loop, &peers->timer); // cannot fail
    peers->timer.data = peers;
    *out = peers;
    return YR_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct yr_net_peers *peers = handle->data;
    void (*on_closed)(void *) = peers->on_closed;
    void *ctx = peers->closed_ctx;

    free(peers);
    if (on_closed != NULL)
        on_closed(ctx);
}

void yr_net_peers_close(struct yr_net_peers *peers, void (*on_closed)(void *ctx), void *ctx)
{
    if (peers == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    peers->on_closed = on_closed;
    peers->closed_ctx = ctx;
    yr_net_peers_clear(peers);
    uv_close((uv_handle_t *)&peers->timer, on_timer_closed);
}
