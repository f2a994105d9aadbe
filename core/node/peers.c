/* core/node/peers.c: configured peers: addresses where any friend or inviter may be. */
#include "core/node/state.h"

#define ROW_VERSION 1

static void row_key(uint8_t key[YR_HASH16], const char *name)
{
    yr_hash16(key, name, strlen(name));
}

static struct yr_peer *find_peer(struct yr_node *n, const char *name, size_t len)
{
    for (size_t i = 0; i < YR_PEERS_MAX; i++)
        if (n->peers[i].used && strlen(n->peers[i].name) == len &&
            memcmp(n->peers[i].name, name, len) == 0)
            return &n->peers[i];
    return NULL;
}

static struct yr_peer *free_peer(struct yr_node *n)
{
    for (size_t i = 0; i < YR_PEERS_MAX; i++)
        if (!n->peers[i].used)
            return &n->peers[i];
    return NULL;
}

// HOST:PORT/KEY, the key in 52 characters: of a node of the DHT.
static void read_key(struct yr_peer *peer)
{
    const char *slash = strchr(peer->name, '/');
    uint8_t pk[YR_BASE32_LEN(32)];
    size_t len = sizeof pk;

    peer->keyed = slash != NULL && strlen(slash + 1) == YR_BASE32_LEN(32) &&
                  yr_base32_decode(pk, &len, slash + 1, YR_BASE32_LEN(32)) == YR_OK && len == 32;
    if (peer->keyed)
        memcpy(peer->pk, pk, 32);
}

void yr_peers_apply(struct yr_node *n)
{
    struct yr_addr addrs[YR_PEERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < YR_PEERS_MAX; i++)
        if (n->peers[i].used)
            addrs[count++] = n->peers[i].addr;
    yr_paths_peers(n->paths, addrs, count, n->now);
    yr_contacts_peers(n->contacts, n->now, addrs, count);
    yr_node_dht_apply(n);
}

enum yr_err yr_peers_load(struct yr_node *n)
{
    uint8_t value[256];
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    for (size_t i = 0; i < YR_PEERS_MAX; i++)
        if (n->peers[i].kept)
            memset(&n->peers[i], 0, sizeof n->peers[i]);
    while ((err = yr_rows_seek(n->rows, YR_TABLE_PEER, NULL, 0, how, &at, value, sizeof value)) ==
           YR_OK) {
        struct yr_rd rd = yr_rd_init(value, at.value_len);
        struct yr_peer peer = {.used = true, .kept = true}, *place = free_peer(n);
        const uint8_t version = yr_rd_u8(&rd);
        bool flag;
        size_t len;
        how = YR_SEEK_GT;
        yr_rd_addr(&rd, &peer.addr, &flag);
        len = yr_rd_left(&rd);
        if (version != ROW_VERSION || len >= sizeof peer.name || rd.bad)
            return YR_ECORRUPT;
        yr_rd_copy(&rd, peer.name, len);
        read_key(&peer);
        if (place != NULL)
            *place = peer;
    }
    yr_peers_apply(n);
    return err == YR_ENOENT ? YR_OK : err;
}

enum yr_err yr_peer_add(struct yr_node *n, const struct yr_cmd *cmd)
{
    struct yr_peer *peer;
    bool keep = (cmd->flags & YR_FLAG_LOCAL) == 0;

    if (cmd->text_len == 0 || cmd->text_len >= sizeof peer->name)
        return YR_ESIZE;
    if (cmd->addr.family == 0 || cmd->addr.port == 0 ||
        memchr(cmd->text, '\0', cmd->text_len) != NULL)
        return YR_EINVAL;
    peer = find_peer(n, cmd->text, cmd->text_len);
    if (peer == NULL && (peer = free_peer(n)) == NULL)
        return YR_EFULL;
    keep |= peer->kept; // its row must not outlive it
    memset(peer, 0, sizeof *peer);
    peer->used = true;
    peer->kept = keep;
    peer->addr = cmd->addr;
    memcpy(peer->name, cmd->text, cmd->text_len);
    read_key(peer);
    if (keep) {
        uint8_t row[256], key[YR_HASH16];
        struct yr_wr wr = yr_wr_init(row, sizeof row);
        yr_wr_u8(&wr, ROW_VERSION);
        yr_wr_addr(&wr, &peer->addr, false);
        yr_wr_bytes(&wr, peer->name, cmd->text_len);
        YR_ASSERT(yr_wr_ok(&wr));
        row_key(key, peer->name);
        yr_rows_put(n->rows, YR_TABLE_PEER, NULL, 0, key, sizeof key, row, yr_wr_len(&wr));
    }
    yr_peers_apply(n);
    return YR_OK;
}

enum yr_err yr_peer_remove(struct yr_node *n, const struct yr_cmd *cmd)
{
    struct yr_peer *peer = find_peer(n, cmd->text != NULL ? cmd->text : "", cmd->text_len);
    uint8_t key[YR_HASH16];

    if (peer == NULL)
        return YR_ENOENT;
    row_key(key, peer->name);
    if (peer->kept)
        yr_rows_del(n->rows, YR_TABLE_PEER, NULL, 0, key, sizeof key);
    memset(peer, 0, sizeof *peer);
    yr_peers_apply(n);
    return YR_OK;
}
