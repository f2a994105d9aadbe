/* peers.c: peers of the configuration and of peer.add.  The host looks their names up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/daemon/daemon.h"

enum yr_err yr_peers_add(struct yr_daemon *daemon, const char *name, uint64_t ticket)
{
    return yr_host_peer_add(daemon->host, name, true, ticket);
}

static bool in_config(const struct yr_config *config, const char *name)
{
    const struct yr_config_value *value = &config->values[YR_CFG_NET_BOOTSTRAP];

    for (size_t i = 0; i < value->count; i++)
        if (strcmp(value->items[i], name) == 0)
            return true;
    return false;
}

/* Take away what the configuration does not name any more. */
static void drop_old(struct yr_daemon *daemon)
{
    for (struct yr_daemon_peer **at = &daemon->peers, *peer; (peer = *at) != NULL;) {
        struct yr_cmd cmd = {.kind = YR_CMD_PEER_REMOVE, .text = peer->name};

        if (in_config(&daemon->config, peer->name)) {
            at = &peer->next;
            continue;
        }
        cmd.text_len = strlen(peer->name);
        if (yr_host_command(daemon->host, &cmd, 0) != YR_OK)
            yr_say(daemon, YR_LOG_DEBUG, "a peer had gone already");
        *at = peer->next;
        free(peer);
    }
}

static void give(struct yr_daemon *daemon, const char *name)
{
    struct yr_daemon_peer *peer;
    enum yr_err err;

    for (peer = daemon->peers; peer != NULL; peer = peer->next)
        if (strcmp(peer->name, name) == 0)
            return;
    err = yr_host_peer_add(daemon->host, name, false, 0);
    if (err != YR_OK && !(err == YR_EAGAIN && daemon->args.offline)) {
        yr_say(daemon, YR_LOG_WARN, "a configured peer was refused: %s", yr_strerror(err));
        return;
    }
    peer = yr_xrealloc(NULL, sizeof *peer);
    snprintf(peer->name, sizeof peer->name, "%s", name);
    peer->next = daemon->peers;
    daemon->peers = peer;
}

void yr_peers_apply_config(struct yr_daemon *daemon)
{
    const struct yr_config_value *value = &daemon->config.values[YR_CFG_NET_BOOTSTRAP];

    if (yr_host_state(daemon->host) != YR_HOST_OPEN || daemon->stopping)
        return;
    drop_old(daemon);
    for (size_t i = 0; i < value->count; i++) {
        if (strlen(value->items[i]) < sizeof daemon->peers->name)
            give(daemon, value->items[i]);
        else
            yr_say(daemon, YR_LOG_WARN, "a configured peer's name is over 127 bytes");
    }
}

void yr_peers_clear(struct yr_daemon *daemon)
{
    for (struct yr_daemon_peer *peer = daemon->peers, *next; peer != NULL; peer = next) {
        next = peer->next;
        free(peer);
    }
    daemon->peers = NULL;
}
