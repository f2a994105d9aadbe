/* rpc_methods.c: the table of methods: from it come dispatch, the checks of parameters, rpc.list
 * and rpc.describe. */
#include "cli/common/json.h"
#include "cli/daemon/rpc_internal.h"

#define TARGET_HELP  "name, @friend, +room, @me, id or id prefix of 6 characters"
#define ROOM_HELP    "name, +name, id or id prefix of 6 characters"
#define MEMBER_HELP  "friend's name, nick, ~nick, me, id or id prefix of 6 characters"
#define FRIEND_HELP  "name, id or id prefix of 6 characters"
#define MESSAGE_HELP "message id, or a prefix of 4 characters that is unique"
#define DAY_MS       86400000

#define PARAMS(function, ...) \
    static const struct yr_param params_##function[] = {__VA_ARGS__, {.name = NULL}}
#define NO_PARAMS(function) static const struct yr_param params_##function[] = {{.name = NULL}}
#define STR(name, required, min, max, help)      \
    {                                            \
        name, YR_P_STR, required, min, max, help \
    }
#define INT(name, required, min, max, help)      \
    {                                            \
        name, YR_P_INT, required, min, max, help \
    }
#define BOOL(name, required, help)            \
    {                                         \
        name, YR_P_BOOL, required, 0, 0, help \
    }
#define STRS(name, required, min, max, help)      \
    {                                             \
        name, YR_P_STRS, required, min, max, help \
    }
#define TARGET(required)    STR("target", required, 1, 128, TARGET_HELP)
#define FRIEND(required)    STR("friend", required, 1, 128, FRIEND_HELP)
#define ROOM                STR("room", true, 1, 128, ROOM_HELP)
#define MEMBER              STR("member", true, 1, 128, MEMBER_HELP)
#define MSG(name, required) STR(name, required, 4, 26, MESSAGE_HELP)

PARAMS(hello, STR("client", false, 0, 64, "name of the program"),
       INT("api", true, 0, 0, "version of this interface that the program speaks: 1"));
PARAMS(identity_create, STR("name", false, 1, 64, "the name friends will see; default: the login"),
       STR("passphrase", false, 1, 1024, "of the vault that is made; default: none"));
NO_PARAMS(identity_get);
PARAMS(identity_set, STR("name", false, 1, 64, "the name friends will see"),
       STR("status", false, 0, 256, "status text; empty: none"));
PARAMS(vault_unlock, STR("passphrase", true, 0, 1024, "of the vault; empty: it has none"));
NO_PARAMS(vault_lock);
PARAMS(invite_create, INT("expires_s", false, 0, 0, "how long it is good for; default 604800"),
       STR("name", false, 0, 64, "what to call whoever uses it"),
       BOOL("hints", false, "put own addresses into the link; default true"));
NO_PARAMS(invite_list);
PARAMS(invite_revoke, STR("id", true, 8, 8, "invite id"));
PARAMS(friend_add, STR("link", true, 1, 1024, "yaari:i/... or YAARI:I/..."),
       STR("name", false, 0, 64, "what to call the inviter"),
       STR("message", false, 0, 256, "a greeting"),
       BOOL("verified", false, "the link was read from the inviter's screen; default false"));
PARAMS(friend_list, BOOL("online", false, "only those who are, or are not, online"),
       BOOL("blocked", false, "only those who are, or are not, blocked"));
PARAMS(friend_get, FRIEND(true));
PARAMS(friend_set, FRIEND(true),
       STR("name", false, 0, 64, "what to call this friend; empty: as it calls itself"),
       INT("muted_s", false, -1, 3153600000,
           "seconds without notifications; 0: none; -1: for ever"),
       STR("relay", false, 0, 0, "carry for this friend: yes, no, or default, as net.relay says"),
       STR("mail", false, 0, 0, "keep sealed mail for this friend: yes, no, or default"),
       STR("presence", false, 0, 0,
           "tell this friend that we are away, and when we were here: yes, no, or default, as "
           "privacy.presence says"),
       STR("typing", false, 0, 0,
           "tell this friend that we are writing: yes, no, or default, as privacy.typing says"),
       STR("receipts", false, 0, 0,
           "tell this friend what we read: yes, no, or default, as privacy.read_receipts says"),
       STR("anon", false, 0, 0,
           "leave mail for this friend with common friends through others only: yes, no, or "
           "default, which is no"));
PARAMS(friend_verify, FRIEND(true), BOOL("clear", false, "take it back; default false"));
PARAMS(friend_block, FRIEND(true), BOOL("blocked", true, "true or false"));
PARAMS(friend_remove, FRIEND(true), BOOL("forget", false, "delete the history too; default false"));
NO_PARAMS(request_list);
PARAMS(request_accept, INT("id", true, 1, INT64_MAX, "number of the request"));
PARAMS(request_reject, INT("id", true, 1, INT64_MAX, "number of the request"));
PARAMS(room_list, BOOL("all", false, "also those we are only invited to or have left"));
PARAMS(room_new, STR("name", true, 1, 64, "what members see"),
       STR("topic", false, 0, 1024, "what it is about"),
       STRS("members", false, 0, 256, "friends to invite"),
       INT("history_days", false, 0, 30,
           "days of history that who joins later may read; default 0: from then on"));
PARAMS(room_get, ROOM);
PARAMS(room_members, ROOM, BOOL("all", false, "also those who were members once"));
PARAMS(room_invite, ROOM, STRS("friends", true, 1, 256, "friends to invite"));
PARAMS(room_join, ROOM);
PARAMS(room_leave, ROOM, BOOL("forget", false, "delete the history too; default false"));
PARAMS(room_kick, ROOM, MEMBER);
PARAMS(room_role, ROOM, MEMBER, STR("role", true, 0, 0, "admin, mod or member"));
PARAMS(room_topic, ROOM, STR("topic", true, 0, 1024, "the new topic; empty: none"));
PARAMS(room_rename, ROOM, STR("name", true, 1, 64, "the new name"));
PARAMS(room_mute, ROOM,
       INT("muted_s", true, -1, 3153600000,
           "seconds without notifications; 0: none; -1: for ever"));
PARAMS(room_set, ROOM, STR("key", true, 1, 64, "mentions"),
       STR("value", true, 0, 64, "yes: only mentions of us count as unread; no: all does"));
PARAMS(message_send, TARGET(true), STR("text", true, 0, 0, "1 to 16,384 bytes; in a room 4,096"),
       STR("kind", false, 0, 0, "text (default) or action"), MSG("reply_to", false),
       STR("key", false, 1, 64, "the same key within 24 h returns the first result"),
       STR("wait", false, 0, 0, "accepted (default), held, delivered or read"),
       INT("expires_s", false, 1, 31622400,
           "seconds until it is given up unless it is delivered; not in a room"),
       INT("timeout_ms", false, 0, 7 * (int64_t)DAY_MS, "of wait; default: none"));
PARAMS(message_list, TARGET(false), INT("limit", false, 1, 1000, "at most so many; default 1000"),
       STR("since", false, 0, 64, "RFC 3339: not sent before"),
       STR("until", false, 0, 64, "RFC 3339: not sent after"), MSG("before", false),
       MSG("after", false), BOOL("unread", false, "only what is unread"),
       STR("from", false, 1, 128, "a friend, me, or, with a room as target, a member"),
       BOOL("all", false, "system lines too; default false"),
       BOOL("first", false, "the first `limit` in place of the last; default false"));
PARAMS(message_get, MSG("id", true));
PARAMS(message_edit, MSG("id", true), STR("text", true, 0, 0, "1 to 16,384 bytes"));
PARAMS(message_delete, STRS("ids", true, 1, 64, "message ids or prefixes"),
       BOOL("local", false, "only here; default false"));
PARAMS(message_react, MSG("id", true), STR("emoji", true, 1, 16, "the reaction"),
       BOOL("remove", false, "take it back; default false"));
PARAMS(message_why, MSG("id", false), FRIEND(false));
PARAMS(read_get, TARGET(false));
PARAMS(read_set, TARGET(true), MSG("message", false));
PARAMS(presence_set, BOOL("away", true, "true or false"),
       STR("text", false, 0, 256, "why; told to those who may know"));
PARAMS(typing_set, FRIEND(true), BOOL("typing", true, "true or false"));
NO_PARAMS(net_status);
NO_PARAMS(net_check);
NO_PARAMS(net_addrs);
PARAMS(net_path, FRIEND(true));
PARAMS(net_ping, FRIEND(true), INT("timeout_ms", false, 1, DAY_MS, "default 5000"));
PARAMS(stats_get,
       STR("since", false, 0, 64, "RFC 3339: from about then; default: all that is counted"),
       BOOL("reset", false, "count from now on; default false"));
NO_PARAMS(peer_list);
PARAMS(peer_add, STR("addr", true, 3, 1024,
                     "HOST:PORT/KEY, HOST:PORT, or an invite link: the addresses in it"));
PARAMS(peer_remove, STR("addr", true, 1, 320, "as given to peer.add"));
PARAMS(config_get, STR("key", true, 1, 64, "such as net.lan"));
PARAMS(config_set, STR("key", true, 1, 64, "such as net.lan"),
       {"value", YR_P_STR_NULL, true, 0, 4000, "the new value; null: take it out of the file"});
NO_PARAMS(config_list);
PARAMS(events_subscribe,
       {"since", YR_P_STR_INT, false, 0, INT64_MAX, "a cursor, or \"now\" (default)"},
       STRS("types", false, 1, 32, "names of events; default: all"),
       STRS("targets", false, 1, 64, "only of these conversations; default: all"));
PARAMS(events_unsubscribe, INT("sub", true, 1, INT64_MAX, "as events.subscribe returned it"));
PARAMS(backup_create, STR("path", true, 2, 4000, "absolute; nothing is ever overwritten"),
       STR("passphrase", true, 1, 1024, "opens it again"));
NO_PARAMS(daemon_stop);
NO_PARAMS(daemon_reload);
NO_PARAMS(rpc_list);
PARAMS(rpc_describe, STR("method", true, 1, 64, "name of a method"));
PARAMS(complete, STR("kind", true, 0, 0, "target, friend, room, message, invite, peer or key"),
       STR("prefix", true, 0, 128, "what is typed so far"));

static const struct yr_method methods[] = {
#define X(function, name, open, heavy, result, help) \
    {name, yr_rpc_##function, open, heavy, params_##function, result, help},
    YR_METHOD_MAP(X)
#undef X
};

const struct yr_method *yr_method_at(size_t i)
{
    return i < YR_COUNT_OF(methods) ? &methods[i] : NULL;
}

const struct yr_method *yr_method_find(const char *name, size_t len)
{
    for (size_t i = 0; i < YR_COUNT_OF(methods); i++)
        if (strlen(methods[i].name) == len && memcmp(methods[i].name, name, len) == 0)
            return &methods[i];
    return NULL;
}

enum yr_end yr_rpc_rpc_list(struct yr_call *call)
{
    json_t *names = json_array();

    for (size_t i = 0; i < YR_COUNT_OF(methods); i++)
        json_array_append_new(names, json_string(methods[i].name));
    return yr_call_ok(call, json_pack("{s:o}", "methods", names));
}

static json_t *describe_param(const struct yr_param *param)
{
    static const char *const types[] = {
        [YR_P_STR] = "string",           [YR_P_INT] = "integer",
        [YR_P_BOOL] = "boolean",         [YR_P_STRS] = "[string]",
        [YR_P_STR_NULL] = "string|null", [YR_P_STR_INT] = "string|integer"};
    json_t *out = json_pack("{s:s, s:b, s:s}", "type", types[param->type], "required",
                            param->required, "help", param->help);

    if (param->min != 0 || param->max != 0) {
        json_object_set_new(out, "min", json_integer(param->min));
        json_object_set_new(out, "max", json_integer(param->max));
    }
    return out;
}

enum yr_end yr_rpc_rpc_describe(struct yr_call *call)
{
    const char *name = yr_call_str(call, "method");
    const struct yr_method *method = yr_method_find(name, strlen(name));
    json_t *params;

    if (method == NULL)
        return yr_call_fail(call, YR_RPC_NO_SUCH_METHOD, "no method '%s'", name);
    params = json_object();
    for (const struct yr_param *param = method->params; param->name != NULL; param++)
        json_object_set_new(params, param->name, describe_param(param));
    return yr_call_ok(call,
                      json_pack("{s:s, s:s, s:o, s:{s:s}}", "method", method->name, "help",
                                method->help, "params", params, "result", "shape", method->result));
}
