/* net/peers.h: peers as people write them, HOST:PORT or HOST:PORT/KEY, and the addresses that names
 * stand for.
 *
 *     add -> an address: given to the node at once
 *         -> a name: looked up -> given to the node, and looked up again every hour, when the
 *            network changes, and every minute while that fails; until removed
 *
 * Lookups run on libuv's threads, few at a time.  Of a name with several addresses the first is the
 * peer's; with a key, the others are places to start from in the DHT, too. */
#ifndef YR_NET_PEERS_H
#define YR_NET_PEERS_H

#include <uv.h>

#include "core/limits.h"
#include "yaari/node.h"

#define YR_PEER_TEXT     128     /* bytes of one and a NUL */
#define YR_PEER_ADDRS    4       /* addresses of one name that are used */
#define YR_PEER_LOOKUPS  2       /* at once: they hold threads while a name server is silent */
#define YR_PEER_FRESH_MS 3600000 /* until a name that was found is looked up again */
#define YR_PEER_RETRY_MS 60000   /* ... one that was not found */
#define YR_PEER_GAP_MS   10000   /* ... any, however often the network changes */

/** A peer's text, taken apart. */
struct yr_peer_text {
    char host[YR_PEER_TEXT]; /* without brackets */
    char port[6];
    struct yr_addr addr; /* family 0: host is a name */
    bool keyed;
    uint8_t key[32];
};
/** Total.  A name has letters, digits, '-', '_' and '.' only.  Errors: YR_EINVAL. */
YR_MUST_USE enum yr_err yr_peer_text_parse(struct yr_peer_text *out, const char *text);

struct yr_net_peers;

struct yr_net_peers_opts {
    uv_loop_t *loop;
    /** Carry out a YR_CMD_PEER_ADD.  ticket 0: nobody waits for its end. */
    enum yr_err (*command)(void *ctx, const struct yr_cmd *cmd, uint64_t ticket);
    /** One more address of a node with a key. */
    void (*start_from)(void *ctx, const struct yr_addr *addr, const uint8_t key[32]);
    /** An add that had begun came to nothing. */
    void (*failed)(void *ctx, uint64_t ticket, enum yr_err err);
    /** A name that was being looked up is not found; told again only after it was. */
    void (*missing)(void *ctx, const char *text);
    void *ctx;
};

/** *out owned by the caller.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_net_peers_open(struct yr_net_peers **out,
                                          const struct yr_net_peers_opts *opts);
/** A peer is wanted; one of the same text is given again.  keep: the node keeps it over a restart;
 *  else one that is not found is looked for until removed.  YR_OK: `command` was called with the
 *  ticket, or will be, or `failed`.
 *  Errors: YR_EINVAL; YR_EFULL: too many names; YR_ENOMEM; those of command. */
YR_MUST_USE enum yr_err yr_net_peers_add(struct yr_net_peers *peers, const char *text, bool keep,
                                         uint64_t ticket);
/** The node has kept a peer of an earlier run; if it is a name, it is looked up again. */
void yr_net_peers_known(struct yr_net_peers *peers, const char *text, const struct yr_addr *addr);
/** Look no more after a peer.  An add of it under way fails with YR_ENOENT. */
void yr_net_peers_remove(struct yr_net_peers *peers, const char *text);
/** The network is another, and names may mean something else in it.  NULL is fine. */
void yr_net_peers_again(struct yr_net_peers *peers);
/** Forget all, without a word.  NULL is fine. */
void yr_net_peers_clear(struct yr_net_peers *peers);
/** NULL is fine: on_closed at once.  Lookups that run keep the loop alive until they end; they
 *  tell nobody any more. */
void yr_net_peers_close(struct yr_net_peers *peers, void (*on_closed)(void *ctx), void *ctx);

#endif
