/* peers.c: peers of the configuration and of peer.add: from HOST:PORT[/KEY] to an address.
 *
 * An address is taken as it is; only a name is looked up, and again later while that fails. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/daemon/daemon.h"
#include "net/addr.h"

#define RETRY_MS 60000 /* a name that could not be looked up */

/* HOST and PORT of a peer; false: it is none. */
static bool split(const char *name, char host[256], char port[8])
{
    const size_t len = strcspn(name, "/");
    const char *colon = memrchr(name, ':', len);
    size_t host_len;

    if (colon == NULL)
        return false;
    host_len = (size_t)(colon - name);
    if (host_len > 2 && name[0] == '[' && name[host_len - 1] == ']')
        name++, host_len -= 2;
    if (host_len == 0 || host_len >= 256 || (size_t)(name + len - colon) > 6)
        return false;
    memcpy(host, name, host_len);
    host[host_len] = '\0';
    const size_t port_len = strspn(colon + 1, "0123456789");
    if (port_len == 0 || port_len > 5)
        return false;
    snprintf(port, 8, "%.*s", (int)port_len, colon + 1);
    return atoi(port) > 0 && atoi(port) <= 65535;
}

static enum yr_err give(struct yr_daemon_peer *peer, const struct yr_addr *addr)
{
    struct yr_cmd cmd = {.kind = YR_CMD_PEER_ADD, .addr = *addr, .text = peer->name};
    enum yr_err err;

    cmd.text_len = strlen(peer->name);
    cmd.flags = peer->config ? YR_FLAG_LOCAL : 0;
    err = yr_host_command(peer->daemon->host, &cmd, peer->ticket);
    peer->given = err == YR_OK;
    return err;
}

static void unlink_peer(struct yr_daemon_peer *peer)
{
    for (struct yr_daemon_peer **at = &peer->daemon->peers; *at != NULL; at = &(*at)->next)
        if (*at == peer) {
            *at = peer->next;
            break;
        }
    free(peer);
}

/* Nothing more is to be done for it: forget it, unless the configuration names it. */
static void settle(struct yr_daemon_peer *peer, enum yr_err err)
{
    struct yr_daemon *daemon = peer->daemon;

    if (!peer->config && err != YR_OK)
        yr_rpc_done(daemon->rpc, peer->ticket, err);
    if (!peer->config || peer->gone)
        unlink_peer(peer);
}

static void on_retry(uv_timer_t *timer)
{
    yr_peers_apply_config(timer->data);
}

static void on_found(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct yr_daemon_peer *peer = lookup->data;
    struct yr_daemon *daemon = peer->daemon;
    enum yr_err err = YR_EAGAIN;

    peer->looking = false;
    if (daemon->stopping) {
        uv_freeaddrinfo(found);
        return;
    }
    for (struct addrinfo *at = found; status == 0 && at != NULL && err != YR_OK; at = at->ai_next) {
        const struct yr_addr addr = yr_addr_from_sys(at->ai_addr);
        if (addr.family != 0 && !peer->gone)
            err = give(peer, &addr);
    }
    uv_freeaddrinfo(found);
    if (err != YR_OK && peer->config && !peer->gone) {
        if (daemon->log.scrub)
            yr_say(daemon, YR_LOG_WARN, "a peer's name was not found, trying again later");
        else
            yr_say(daemon, YR_LOG_WARN, "no address for peer %s, trying again later", peer->name);
        uv_timer_start(&daemon->peer_timer, on_retry, RETRY_MS, 0);
    }
    settle(peer, err);
    yr_daemon_rearm(daemon);
}

/* Find its address and tell the node.  YR_OK: done, or being looked up. */
static enum yr_err start(struct yr_daemon_peer *peer)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    char host[256], port[8];
    struct yr_addr addr;

    if (!split(peer->name, host, port))
        return YR_EINVAL;
    if (yr_addr_parse(&addr, host, (uint16_t)atoi(port)) == YR_OK)
        return give(peer, &addr);
    peer->lookup.data = peer;
    if (uv_getaddrinfo(&peer->daemon->loop, &peer->lookup, on_found, host, port, &hints) != 0)
        return YR_EAGAIN;
    peer->looking = true;
    return YR_OK;
}

static struct yr_daemon_peer *add(struct yr_daemon *daemon, const char *name, bool config)
{
    struct yr_daemon_peer *peer = yr_xrealloc(NULL, sizeof *peer);

    memset(peer, 0, sizeof *peer);
    peer->daemon = daemon;
    peer->config = config;
    snprintf(peer->name, sizeof peer->name, "%s", name);
    peer->next = daemon->peers;
    daemon->peers = peer;
    return peer;
}

enum yr_err yr_peers_add(struct yr_daemon *daemon, const char *name, uint64_t ticket)
{
    struct yr_daemon_peer *peer;
    size_t looking = 0;
    enum yr_err err;

    if (strlen(name) >= sizeof peer->name)
        return YR_ESIZE;
    for (peer = daemon->peers; peer != NULL; peer = peer->next)
        looking += peer->looking;
    if (looking >= YR_DAEMON_PEERS_MAX)
        return YR_EFULL;
    peer = add(daemon, name, false);
    peer->ticket = ticket;
    err = start(peer);
    if (!peer->looking)
        unlink_peer(peer);
    return err;
}

static bool in_config(const struct yr_config *config, const char *name)
{
    const struct yr_config_value *value = &config->values[YR_CFG_NET_BOOTSTRAP];

    for (size_t i = 0; i < value->count; i++)
        if (strcmp(value->items[i], name) == 0)
            return true;
    return false;
}

static void drop(struct yr_daemon_peer *peer)
{
    struct yr_cmd cmd = {.kind = YR_CMD_PEER_REMOVE, .text = peer->name};

    cmd.text_len = strlen(peer->name);
    if (peer->given && yr_host_command(peer->daemon->host, &cmd, 0) != YR_OK)
        yr_say(peer->daemon, YR_LOG_DEBUG, "a peer had gone already");
    peer->gone = true;
    if (!peer->looking)
        unlink_peer(peer);
}

void yr_peers_apply_config(struct yr_daemon *daemon)
{
    const struct yr_config_value *value = &daemon->config.values[YR_CFG_NET_BOOTSTRAP];
    struct yr_daemon_peer *peer, *next;

    if (yr_host_state(daemon->host) != YR_HOST_OPEN || daemon->stopping)
        return;
    for (peer = daemon->peers; peer != NULL; peer = next) {
        next = peer->next;
        if (peer->config && !peer->gone && !in_config(&daemon->config, peer->name))
            drop(peer);
    }
    for (size_t i = 0; i < value->count; i++) {
        if (strlen(value->items[i]) >= sizeof peer->name) {
            yr_say(daemon, YR_LOG_WARN, "a configured peer's name is over 127 bytes");
            continue;
        }
        for (peer = daemon->peers; peer != NULL; peer = peer->next)
            if (peer->config && !peer->gone && strcmp(peer->name, value->items[i]) == 0)
                break;
        if (peer == NULL)
            peer = add(daemon, value->items[i], true);
        if (peer->given || peer->looking)
            continue;
        const enum yr_err err = start(peer);
        if (err != YR_OK)
            yr_say(daemon, YR_LOG_WARN, "a configured peer was refused: %s", yr_strerror(err));
    }
}

void yr_peers_forget(struct yr_daemon *daemon)
{
    for (struct yr_daemon_peer *peer = daemon->peers; peer != NULL; peer = peer->next)
        peer->given = false;
}

void yr_peers_clear(struct yr_daemon *daemon)
{
    for (struct yr_daemon_peer *peer = daemon->peers, *next; peer != NULL; peer = next) {
        next = peer->next;
        if (!peer->looking)
            unlink_peer(peer);
        else
            uv_cancel((uv_req_t *)&peer->lookup); // a lookup that runs ends with the process
    }
}
