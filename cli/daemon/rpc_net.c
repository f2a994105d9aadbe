/* rpc_net.c: the node itself: hello, status, ping, peers, configuration, completion. */
#include <stdio.h>
#include <unistd.h>

#include "cli/common/json.h"
#include "cli/common/suggest.h"
#include "cli/common/text_safe.h"
#include "cli/daemon/rpc_internal.h"

#define WORDS_MAX       256 /* of one completion */
#define PING_TIMEOUT_MS 5000

/* ---- hello ---- */

enum yr_end yr_rpc_hello(struct yr_call *call)
{
    static const char *const features[] = {"lan",   "invite", "events", "idempotent-send",
                                           "rooms", "dht",    "relay"};
    const int64_t api = yr_call_int(call, "api", 0);
    struct yr_rpc_status status;
    json_t *names = json_array();

    if (api != YR_RPC_API) {
        json_decref(names);
        yr_call_fail(call, YR_RPC_UNSUPPORTED, "this daemon speaks api %d, the client %" PRId64,
                     YR_RPC_API, api);
        yr_call_hint(call, "restart the daemon after an update: yaari daemon restart");
        return YR_END_FAILED;
    }
    call->client->greeted = true;
    call->rpc->env.status(call->rpc->env.ctx, &status);
    for (size_t i = 0; i < YR_COUNT_OF(features); i++)
        json_array_append_new(names, json_string(features[i]));
    return yr_call_ok(call,
                      json_pack("{s:s, s:i, s:s, s:s, s:o, s:i}", "version", YAARI_VERSION, "api",
                                YR_RPC_API, "profile", status.profile, "state",
                                yr_rpc_state(call->rpc), "features", names, "pid", (int)getpid()));
}

enum yr_end yr_rpc_net_status(struct yr_call *call)
{
    return yr_call_ok(call, yr_record_status(call->rpc));
}

/* ---- ping ---- */

static enum yr_end finish_ping(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_friend_info info;
    enum yr_err err = pending->err;
    const bool lost = err == YR_EAGAIN;
    json_t *ping;

    if (err == YR_OK || lost)
        err = yr_node_friend(call->rpc->node, pending->conv, &info);
    if (err != YR_OK)
        return yr_call_err(call, err);
    ping = json_pack("{s:s, s:o}", "type", "ping", "friend", yr_json_id(pending->conv, YR_ID_LEN));
    yr_put_path(call->rpc, ping, &info);
    json_object_set_new(ping, "ms",
                        lost ? json_array() : json_pack("[f]", (double)pending->value_us / 1000.0));
    json_object_set_new(ping, "lost", json_integer(lost));
    return yr_call_ok(call, ping);
}

enum yr_end yr_rpc_net_ping(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_PING};
    struct yr_friend_info info;
    struct yr_pending *pending;

    if (!yr_call_target(call, yr_call_str(call, "friend"), YR_NAMES_FRIENDS, cmd.conv))
        return YR_END_FAILED;
    const enum yr_err err = yr_node_friend(call->rpc->node, cmd.conv, &info);
    if (err != YR_OK)
        return yr_call_err(call, err);
    const struct yr_name *name = yr_names_by_id(&call->rpc->names, cmd.conv);
    if (!info.online && name != NULL) {
        struct yr_buf word = {0};

        yr_shell_word(&word, name->name);
        yr_call_fail(call, YR_RPC_UNREACHABLE, "%s is not reachable now", name->name);
        yr_call_hint(call, "yaari why %s", yr_buf_str(&word));
        yr_buf_clear(&word);
        return YR_END_FAILED;
    }
    if ((pending = yr_call_defer(call, finish_ping)) == NULL)
        return YR_END_FAILED;
    memcpy(pending->conv, cmd.conv, YR_ID_LEN);
    yr_pending_set_deadline(call->rpc, pending,
                            (uint64_t)yr_call_int(call, "timeout_ms", PING_TIMEOUT_MS));
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

/* ---- peers ---- */

static json_t *peer_record(const struct yr_peer_info *info)
{
    json_t *peer = json_pack("{s:s}", "type", "peer");
    yr_json_put_str(peer, "addr", info->name);
    json_object_set_new(peer, "role", json_string("bootstrap"));
    if (info->addr.family != 0)
        json_object_set_new(peer, "ip", yr_json_addr(&info->addr));
    if (info->keyed)
        json_object_set_new(peer, "answered", json_boolean(info->answered));
    if (info->rtt_us > 0)
        json_object_set_new(peer, "rtt_ms", json_real((double)info->rtt_us / 1000.0));
    return peer;
}

/* The friends through whom links go now, as the keys of an object. */
static json_t *relays_now(const struct yr_node *node)
{
    struct yr_friend_info info;
    json_t *relays = json_object();
    char id[YR_ID_TEXT];

    for (size_t i = 0; yr_node_friend_at(node, i, &info); i++)
        if (info.online && info.relayed) {
            yr_id_text(id, info.via, YR_ID_LEN);
            json_object_set_new(relays, id, json_true());
        }
    return relays;
}

static json_t *link_record(struct yr_rpc *rpc, const struct yr_friend_info *info,
                           const json_t *relays)
{
    json_t *record = json_pack("{s:s, s:o}", "type", "peer", "id", yr_json_id(info->id, YR_ID_LEN));
    char via[YR_NAME_MAX + 16];

    if (info->relayed && yr_is_zero(info->via, sizeof info->via)) {
        json_object_set_new(record, "addr", json_string("relay"));
    } else if (info->relayed) {
        yr_put_name(rpc, record, "via", info->via);
        snprintf(via, sizeof via, "relay(%s)", yr_json_str(record, "via", ""));
        json_object_set_new(record, "addr", json_string(via));
    } else {
        json_object_set_new(record, "addr", yr_json_addr(&info->addr));
    }
    const bool relay = json_object_get(relays, yr_json_str(record, "id", "")) != NULL;
    json_object_set_new(record, "role", json_string(relay ? "relay" : "friend"));
    yr_put_name(rpc, record, "name", info->id);
    if (info->rtt_us > 0)
        json_object_set_new(record, "rtt_ms", json_real((double)info->rtt_us / 1000.0));
    return record;
}

enum yr_end yr_rpc_peer_list(struct yr_call *call)
{
    struct yr_peer_info peer;
    struct yr_friend_info friend;
    json_t *list = json_array(), *relays = relays_now(call->rpc->node);

    for (size_t i = 0; yr_node_peer_at(call->rpc->node, i, &peer); i++)
        json_array_append_new(list, peer_record(&peer));
    for (size_t i = 0; yr_node_friend_at(call->rpc->node, i, &friend); i++) {
        if (friend.online)
            json_array_append_new(list, link_record(call->rpc, &friend, relays));
    }
    json_decref(relays);
    return yr_call_ok(call, json_pack("{s:o}", "peers", list));
}

static enum yr_end peer_refused(struct yr_call *call, enum yr_err err, const char *addr)
{
    switch ((int)err) {
    case YR_EPROTO:
    case YR_EINVAL:
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS,
                            "'%.200s' is no peer: HOST:PORT/KEY or HOST:PORT", addr);
    case YR_EAGAIN:
        return yr_call_fail(call, YR_RPC_UNREACHABLE, "no address found for '%.200s'", addr);
    case YR_EFULL: return yr_call_fail(call, YR_RPC_TOO_LARGE, "no more than 32 peers");
    case YR_ENOENT: return yr_call_fail(call, YR_RPC_NO_SUCH_OBJECT, "no peer '%.200s'", addr);
    default: return yr_call_err(call, err);
    }
}

static enum yr_end finish_peer(struct yr_call *call, struct yr_pending *pending)
{
    const char *addr = json_string_value(pending->keep);
    struct yr_peer_info info;

    if (pending->err != YR_OK && pending->err != YR_EEXIST)
        return peer_refused(call, pending->err, addr);
    for (size_t i = 0; yr_node_peer_at(call->rpc->node, i, &info); i++)
        if (strcmp(info.name, addr) == 0)
            return yr_call_ok(call, peer_record(&info));
    return peer_refused(call, YR_ENOENT, addr);
}

static enum yr_end finish_peer_remove(struct yr_call *call, struct yr_pending *pending)
{
    return pending->err == YR_OK
               ? yr_call_ok(call, NULL)
               : peer_refused(call, pending->err, json_string_value(pending->keep));
}

static void add_peer(struct yr_call *call, struct yr_pending *pending, const char *addr)
{
    struct yr_rpc_env *env = &call->rpc->env;

    pending->outstanding++;
    const enum yr_err err = env->peer_add(env->ctx, addr, yr_pending_ticket(pending));
    if (err != YR_OK) {
        pending->outstanding--;
        yr_pending_count(pending, err);
    }
}

/* The addresses that an invite link carries; the first one is answered with. */
static enum yr_end add_link(struct yr_call *call, const struct yr_addr *hints, size_t count)
{
    struct yr_pending *pending;

    if (count == 0)
        return yr_call_fail(call, YR_RPC_BAD_LINK, "the link is damaged, or has no address in it");
    if ((pending = yr_call_defer(call, finish_peer)) == NULL)
        return YR_END_FAILED;
    for (size_t i = 0; i < count; i++) {
        json_t *addr = yr_json_addr(&hints[i]);
        if (i == 0)
            pending->keep = json_incref(addr);
        add_peer(call, pending, json_string_value(addr));
        json_decref(addr);
    }
    return yr_call_release(call, pending);
}

enum yr_end yr_rpc_peer_add(struct yr_call *call)
{
    const char *addr = yr_call_str(call, "addr");
    struct yr_pending *pending;
    struct yr_addr hints[3];

    if (strncasecmp(addr, "yaari:", 6) == 0)
        return add_link(call, hints, yr_link_hints(addr, strlen(addr), hints));
    if ((pending = yr_call_defer(call, finish_peer)) == NULL)
        return YR_END_FAILED;
    pending->keep = json_incref(json_object_get(call->params, "addr"));
    add_peer(call, pending, addr);
    return yr_call_release(call, pending);
}

enum yr_end yr_rpc_peer_remove(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_PEER_REMOVE};
    struct yr_pending *pending = yr_call_defer(call, finish_peer_remove);

    if (pending == NULL)
        return YR_END_FAILED;
    pending->keep = json_incref(json_object_get(call->params, "addr"));
    cmd.text = yr_call_str(call, "addr");
    cmd.text_len = strlen(cmd.text);
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

/* ---- configuration ---- */

static json_t *config_record(const char *key, const char *value, const char *origin)
{
    json_t *record = json_pack("{s:s}", "type", "config");
    yr_json_put_str(record, "key", key);
    yr_json_put_str(record, "value", value);
    yr_json_put_str(record, "origin", origin);
    return record;
}

/* The record of one key; NULL: no such key, call->fail says so. */
static json_t *config_of(struct yr_call *call, const char *wanted)
{
    struct yr_rpc_env *env = &call->rpc->env;
    const char *key, *value, *origin;
    struct yr_suggest near = yr_suggest_init(wanted);

    for (size_t i = 0; env->config_at(env->ctx, i, &key, &value, &origin); i++) {
        if (strcmp(key, wanted) == 0)
            return config_record(key, value, origin);
        yr_suggest_try(&near, key);
    }
    yr_call_fail(call, YR_RPC_CONFIG, "unknown key '%s'", wanted);
    if (near.best != NULL)
        yr_call_hint(call, "did you mean '%s'?", near.best);
    else
        yr_call_hint(call, "yaari config list");
    return NULL;
}

enum yr_end yr_rpc_config_get(struct yr_call *call)
{
    json_t *record = config_of(call, yr_call_str(call, "key"));
    return record == NULL ? YR_END_FAILED : yr_call_ok(call, record);
}

enum yr_end yr_rpc_config_list(struct yr_call *call)
{
    struct yr_rpc_env *env = &call->rpc->env;
    const char *key, *value, *origin;
    json_t *list = json_array();

    for (size_t i = 0; env->config_at(env->ctx, i, &key, &value, &origin); i++)
        json_array_append_new(list, config_record(key, value, origin));
    return yr_call_ok(call, json_pack("{s:o}", "configs", list));
}

static enum yr_end config_refused(struct yr_call *call, enum yr_exit end,
                                  const struct yr_fail *fail)
{
    yr_call_fail(call, end == YR_EXIT_CONFIG ? YR_RPC_CONFIG : YR_RPC_IO, "%s", fail->what);
    call->fail.exit = (int)end;
    if (fail->hint[0] != '\0')
        yr_call_hint(call, "%s", fail->hint);
    return YR_END_FAILED;
}

enum yr_end yr_rpc_config_set(struct yr_call *call)
{
    struct yr_rpc_env *env = &call->rpc->env;
    const char *key = yr_call_str(call, "key");
    json_t *before = config_of(call, key);
    struct yr_fail fail = {0};

    if (before == NULL)
        return YR_END_FAILED;
    json_decref(before);
    const enum yr_exit end = env->config_set(env->ctx, key, yr_call_str(call, "value"), &fail);
    if (end != YR_EXIT_OK)
        return config_refused(call, end, &fail);
    return yr_call_ok(call, config_of(call, key));
}

/* ---- the daemon ---- */

enum yr_end yr_rpc_daemon_stop(struct yr_call *call)
{
    call->rpc->env.stop(call->rpc->env.ctx);
    return yr_call_ok(call, NULL);
}

enum yr_end yr_rpc_daemon_reload(struct yr_call *call)
{
    struct yr_fail fail = {0};
    const enum yr_exit end = call->rpc->env.reload(call->rpc->env.ctx, &fail);

    return end == YR_EXIT_OK ? yr_call_ok(call, NULL) : config_refused(call, end, &fail);
}

/* ---- completion ---- */

static void add_word(json_t *words, const char *prefix, const char *word)
{
    if (json_array_size(words) < WORDS_MAX && strncmp(word, prefix, strlen(prefix)) == 0)
        json_array_append_new(words, json_string(word));
}

static void complete_messages(struct yr_rpc *rpc, json_t *words, const char *prefix)
{
    json_t *recent = json_array(), *id;
    size_t i;

    yr_rpc_recent(rpc, WORDS_MAX / 2, recent);
    json_array_foreach(recent, i, id) add_word(words, prefix, json_string_value(id));
    json_decref(recent);
}

static void complete_friends(struct yr_rpc *rpc, json_t *words, const char *prefix)
{
    for (size_t i = 0; i < rpc->names.count; i++)
        add_word(words, prefix, rpc->names.rows[i].name);
}

/* As arguments that mean a room and nothing else: `+name`, or `#name` if that was begun. */
static void complete_rooms(struct yr_rpc *rpc, json_t *words, const char *prefix)
{
    for (size_t i = 0; i < rpc->names.room_count; i++) {
        char word[YR_NAME_MAX + 1];
        snprintf(word, sizeof word, "%c%s", prefix[0] == '#' ? '#' : '+', rpc->names.rooms[i].name);
        add_word(words, prefix, word);
    }
}

/* Words that begin with `prefix`; false: there is no such kind. */
static bool complete(struct yr_rpc *rpc, const char *kind, const char *prefix, json_t *words)
{
    const char *key, *value, *origin;
    struct yr_invite_info invite;
    struct yr_peer_info peer;

    if (strcmp(kind, "key") == 0) {
        for (size_t i = 0; rpc->env.config_at(rpc->env.ctx, i, &key, &value, &origin); i++)
            add_word(words, prefix, key);
    } else if (strcmp(kind, "target") == 0) {
        complete_friends(rpc, words, prefix);
        complete_rooms(rpc, words, prefix);
        if (prefix[0] == '@')
            add_word(words, prefix, "@me");
    } else if (strcmp(kind, "friend") == 0) {
        complete_friends(rpc, words, prefix);
    } else if (strcmp(kind, "room") == 0) {
        complete_rooms(rpc, words, prefix);
    } else if (strcmp(kind, "message") == 0) {
        complete_messages(rpc, words, prefix);
    } else if (strcmp(kind, "invite") == 0) {
        for (size_t i = 0; yr_node_invite_at(rpc->node, i, &invite); i++)
            add_word(words, prefix, invite.id);
    } else if (strcmp(kind, "peer") == 0) {
        for (size_t i = 0; yr_node_peer_at(rpc->node, i, &peer); i++)
            add_word(words, prefix, peer.name);
    } else {
        return false;
    }
    return true;
}

enum yr_end yr_rpc_complete(struct yr_call *call)
{
    const char *kind = yr_call_str(call, "kind");
    json_t *words = json_array();
    struct yr_self self;

    yr_node_self(call->rpc->node, &self);
    const bool open = self.unlocked && self.has_identity;
    if (open)
        yr_names_read(&call->rpc->names, call->rpc->node);
    if ((!open && strcmp(kind, "key") != 0) ||
        complete(call->rpc, kind, yr_call_str(call, "prefix"), words))
        return yr_call_ok(call, json_pack("{s:o}", "words", words));
    json_decref(words);
    return yr_call_fail(call, YR_RPC_INVALID_PARAMS,
                        "kind must be target, friend, room, message, invite, peer or key");
}
