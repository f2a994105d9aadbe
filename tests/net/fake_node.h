/* tests/net/fake_node.h: a node without a protocol, for tests of the host.  Linked before the real
 * one, it takes its place.
 *
 * A datagram comes back to its sender.  IDENTITY_NEW and SEND store a row under their text and are
 * done when it is durable.  Everything that was asked of it is counted. */
#ifndef YR_TEST_FAKE_NODE_H
#define YR_TEST_FAKE_NODE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/base.h"
#include "yaari/backup.h"

#define FAKE_FX   256
#define FAKE_TXNS 64

struct fake_txn {
    struct yr_txn txn;
    struct yr_op op;
    uint8_t key[64];
    uint64_t ticket;
    bool waits; // for its answer
    bool held;  // until the first key is in its file: no row may be there before it
};

struct yr_node {
    struct yr_node_opts opts;
    bool unlocked, has_identity, shred_seen;
    struct {
        struct yr_effect fx;
        uint8_t bytes[64];
    } fx[FAKE_FX];
    size_t fx_head, fx_count;
    struct fake_txn txns[FAKE_TXNS];
    uint64_t token, keyfile_token, keyfile_answer;
    enum yr_err keyfile_err;
    size_t recvs, polls, ticks, locks, addr_calls, addr_count;
    size_t mapped_calls;
    struct yr_addr last_from, addrs[16], mapped;
    struct yr_net_info net;
    struct yr_cmd peer_cmd; // the last PEER_ADD or PEER_REMOVE
    char peer_text[128];
    size_t peer_calls, starts;
    struct yr_addr start;
    struct yr_peer_info kept; // a peer of an earlier run; no name: none
    uint8_t last[64];
    size_t last_len;
    yr_us deadline;
    yr_us now_us;  // of the last call
    yr_us late_us; // how long after its deadline the last tick came
    bool early;    // a tick came before its deadline
};

static struct yr_node *fake; // the one made last
static enum yr_err fake_unlock_err;
static bool fake_time_went_back; // between two calls to the same node
static char fake_beacon[32] =
    "#"; // the only one it takes: other nodes of this machine send some too

static inline void fake_time(struct yr_node *n, struct yr_now now)
{
    fake_time_went_back = fake_time_went_back || now.mono_us < n->now_us;
    n->now_us = now.mono_us;
}

static inline struct yr_effect *fake_push(struct yr_node *n, enum yr_effect_kind kind)
{
    const size_t at = (n->fx_head + n->fx_count) % FAKE_FX;

    YR_ASSERT(n->fx_count < FAKE_FX);
    n->fx_count++;
    memset(&n->fx[at], 0, sizeof n->fx[at]);
    n->fx[at].fx.kind = kind;
    return &n->fx[at].fx;
}

static inline void fake_send(struct yr_node *n, enum yr_effect_kind kind, const struct yr_addr *to,
                             const void *bytes, size_t len)
{
    struct yr_effect *fx = fake_push(n, kind);

    if (to != NULL)
        fx->to = *to;
    fx->len = len;
    memcpy(n->fx[(n->fx_head + n->fx_count - 1) % FAKE_FX].bytes, bytes, len);
}

static inline void fake_keyfile(struct yr_node *n, unsigned slot, uint8_t fill)
{
    struct yr_effect *fx = fake_push(n, YR_FX_KEYFILE);

    fx->token = ++n->keyfile_token | 1ull << 63;
    fx->slot = slot;
    memset(fx->slot_bytes, fill, sizeof fx->slot_bytes);
}

struct yr_node_opts yr_node_opts_default(void)
{
    return (struct yr_node_opts){.online = true};
}

enum yr_err yr_node_new(struct yr_node **out, const struct yr_node_opts *opts)
{
    struct yr_node *n = calloc(1, sizeof *n);

    YR_ASSERT(n != NULL);
    n->opts = *opts;
    n->deadline = YR_NEVER;
    fake = *out = n;
    return YR_OK;
}

void yr_node_free(struct yr_node *n)
{
    if (n == fake)
        fake = NULL;
    free(n);
}

enum yr_err yr_node_unlock(struct yr_node *n, struct yr_now now, const uint8_t vk[32],
                           const uint8_t *shred_file)
{
    const struct yr_store_view *view = n->opts.view;
    const uint8_t *value;
    size_t len;

    fake_time(n, now);
    (void)vk;
    if (fake_unlock_err != YR_OK)
        return fake_unlock_err;
    n->unlocked = true;
    n->shred_seen = shred_file != NULL;
    if (!n->shred_seen)
        fake_keyfile(n, 0, 'A');
    n->has_identity =
        view->get(view->ctx, YR_DB_MAIN, (const uint8_t *)"identity", 8, &value, &len) == YR_OK;
    return YR_OK;
}

void yr_node_close(struct yr_node *n, struct yr_now now)
{
    fake_time(n, now);
    if (n->last_from.family != 0)
        fake_send(n, YR_FX_SEND, &n->last_from, "bye", 3);
}

void yr_node_lock(struct yr_node *n, struct yr_now now)
{
    fake_time(n, now);
    n->locks++;
    n->unlocked = n->has_identity = false;
}

void yr_node_recv(struct yr_node *n, struct yr_now now, const struct yr_addr *from,
                  const uint8_t *bytes, size_t len)
{
    fake_time(n, now);
    if (bytes[0] == '#' && (len != strlen(fake_beacon) || memcmp(bytes, fake_beacon, len) != 0))
        return;
    n->recvs++;
    n->last_from = *from;
    n->last_len = YR_MIN(len, sizeof n->last);
    memcpy(n->last, bytes, n->last_len);
    if (bytes[0] != '#' && n->fx_count < FAKE_FX)
        fake_send(n, YR_FX_SEND, from, bytes, n->last_len);
}

void yr_node_stored(struct yr_node *n, struct yr_now now, uint64_t token, enum yr_err err)
{
    fake_time(n, now);
    if ((token & 1ull << 63) != 0) {
        n->keyfile_answer = token & ~(1ull << 63);
        n->keyfile_err = err;
        n->shred_seen = n->shred_seen || err == YR_OK;
        for (size_t i = 0; i < FAKE_TXNS && n->shred_seen; i++) {
            if (n->txns[i].held)
                fake_push(n, YR_FX_STORE)->txn = &n->txns[i].txn;
            n->txns[i].held = false;
        }
        return;
    }
    for (size_t i = 0; i < FAKE_TXNS; i++) {
        struct fake_txn *t = &n->txns[i];
        struct yr_effect *fx;
        if (!t->waits || t->txn.token != token)
            continue;
        t->waits = false;
        n->has_identity =
            n->has_identity || (err == YR_OK && memcmp(t->key, "identity", sizeof "identity") == 0);
        fx = fake_push(n, YR_FX_EVENT);
        fx->event.kind = YR_EV_DONE;
        fx->event.ticket = t->ticket;
        fx->event.err = err;
    }
}

void yr_node_tick(struct yr_node *n, struct yr_now now)
{
    fake_time(n, now);
    n->ticks++;
    n->early = n->early || now.mono_us < n->deadline;
    n->late_us = now.mono_us - n->deadline;
    n->deadline = YR_NEVER;
}

yr_us yr_node_deadline(const struct yr_node *n)
{
    return n->deadline;
}

void yr_node_addrs(struct yr_node *n, struct yr_now now, const struct yr_addr *addrs, size_t count)
{
    fake_time(n, now);
    n->addr_calls++;
    n->addr_count = count;
    memcpy(n->addrs, addrs, YR_MIN(count, YR_COUNT(n->addrs)) * sizeof *addrs);
}

void yr_node_mapped(struct yr_node *n, struct yr_now now, const struct yr_addr *addr)
{
    fake_time(n, now);
    n->mapped_calls++;
    n->mapped = *addr;
}

void yr_node_set_dht(struct yr_node *n, struct yr_now now, enum yr_dht_mode mode)
{
    fake_time(n, now);
    n->opts.dht = mode;
}

void yr_node_set_presence(struct yr_node *n, struct yr_now now, enum yr_presence_mode presence,
                          bool typing)
{
    (void)n;
    (void)now;
    (void)presence;
    (void)typing;
}

enum yr_err yr_node_restore(struct yr_node *n, struct yr_now now, const uint8_t *record, size_t len,
                            uint64_t ticket)
{
    (void)n;
    (void)now;
    (void)record;
    (void)len;
    (void)ticket;
    return YR_EINVAL;
}

enum yr_err yr_node_vault_key(const struct yr_node *n, uint8_t vk[32])
{
    (void)n;
    memset(vk, 0, 32);
    return YR_ENOID;
}

void yr_node_set_mail(struct yr_node *node, struct yr_now now, const struct yr_mail_opts *mail)
{
    (void)node;
    (void)now;
    (void)mail;
}

void yr_node_set_relay(struct yr_node *n, struct yr_now now, bool on)
{
    fake_time(n, now);
    n->opts.relay = on;
}

bool yr_node_peer_at(const struct yr_node *n, size_t i, struct yr_peer_info *out)
{
    *out = n->kept;
    return i == 0 && n->kept.name[0] != '\0';
}

enum yr_err yr_node_bootstrap(struct yr_node *n, struct yr_now now, const struct yr_addr *addr,
                              const uint8_t *pk)
{
    fake_time(n, now);
    n->starts++;
    n->start = *addr;
    return pk != NULL ? YR_OK : YR_EINVAL;
}

void yr_node_net(const struct yr_node *n, struct yr_net_info *out)
{
    *out = n->net;
}

enum yr_err yr_node_command(struct yr_node *n, struct yr_now now, const struct yr_cmd *cmd,
                            uint64_t ticket)
{
    const bool identity = cmd->kind == YR_CMD_IDENTITY_NEW;
    struct fake_txn *t = n->txns;

    fake_time(n, now);
    if (cmd->kind == YR_CMD_PEER_ADD || cmd->kind == YR_CMD_PEER_REMOVE) {
        struct yr_event *done = &fake_push(n, YR_FX_EVENT)->event;
        done->kind = YR_EV_DONE;
        done->ticket = ticket;
        n->peer_calls++;
        n->peer_cmd = *cmd;
        snprintf(n->peer_text, sizeof n->peer_text, "%.*s", (int)cmd->text_len, cmd->text);
        return YR_OK;
    }
    if (!identity && cmd->kind != YR_CMD_SEND)
        return YR_EINVAL;
    while (t->waits)
        YR_ASSERT(++t < n->txns + FAKE_TXNS);
    memset(t, 0, sizeof *t);
    strcpy((char *)t->key, identity ? "identity" : "");
    if (!identity)
        memcpy(t->key, cmd->body, cmd->body_len);
    t->op = (struct yr_op){.key = t->key,
                           .key_len = identity ? 8 : cmd->body_len,
                           .value = (const uint8_t *)"value",
                           .value_len = 5};
    t->txn = (struct yr_txn){++n->token, &t->op, 1, t->op.key_len + 5};
    t->ticket = ticket;
    t->waits = true;
    t->held = !n->shred_seen;
    if (!t->held)
        fake_push(n, YR_FX_STORE)->txn = &t->txn;
    return YR_OK;
}

bool yr_node_poll(struct yr_node *n, struct yr_now now, struct yr_effect *out, uint8_t *buf,
                  size_t cap)
{
    fake_time(n, now);
    n->polls++;
    if (n->fx_count == 0)
        return false;
    *out = n->fx[n->fx_head].fx;
    YR_ASSERT(out->len <= cap);
    memcpy(buf, n->fx[n->fx_head].bytes, out->len);
    n->fx_head = (n->fx_head + 1) % FAKE_FX;
    n->fx_count--;
    return true;
}

void yr_node_self(const struct yr_node *n, struct yr_self *out)
{
    memset(out, 0, sizeof *out);
    out->unlocked = n->unlocked;
    out->has_identity = n->has_identity;
    memset(out->id, 'i', sizeof out->id);
}

#endif
