/* rpc_backup.c: backup.create. */
#include <string.h>

#include "cli/common/json.h"
#include "cli/daemon/rpc_internal.h"

static json_t *record(const char *path, const struct yr_backup_info *info, uint64_t bytes)
{
    char text[YR_ID_LEN * 2];
    json_t *out = json_object();

    yr_id_text(text, info->id, YR_ID_LEN);
    json_object_set_new(out, "type", json_string("backup"));
    yr_json_put_str(out, "path", path);
    json_object_set_new(out, "bytes", json_integer((json_int_t)bytes));
    json_object_set_new(out, "verified", json_true());
    yr_json_put_time(out, "made", info->made_ms);
    yr_json_put_str(out, "id", text);
    json_object_set_new(out, "short", json_stringn(text, 8));
    yr_json_put_str(out, "name", info->nick);
    json_object_set_new(out, "friends", json_integer((json_int_t)info->friends));
    json_object_set_new(out, "rooms", json_integer((json_int_t)info->rooms));
    json_object_set_new(out, "messages", json_integer((json_int_t)info->messages));
    return out;
}

static int code_of(enum yr_err err)
{
    switch ((int)err) {
    case YR_EEXIST: return YR_RPC_EXISTS;
    case YR_EDENIED: return YR_RPC_DENIED;
    case YR_EAGAIN: return YR_RPC_RATE_LIMITED;
    default: return YR_RPC_IO;
    }
}

static enum yr_end finish(struct yr_call *call, struct yr_pending *pending)
{
    if (pending->err == YR_OK)
        return yr_call_ok(call, json_incref(pending->keep));
    if (json_is_string(pending->keep))
        return yr_call_fail(call, code_of(pending->err), "%s", json_string_value(pending->keep));
    if (pending->err == YR_EAGAIN)
        return yr_call_fail(call, YR_RPC_RATE_LIMITED, "a backup is being made already");
    return yr_call_err(call, pending->err);
}

void yr_rpc_backup_done(struct yr_rpc *rpc, uint64_t ticket, enum yr_err err,
                        const struct yr_backup_info *info, uint64_t bytes, const char *why)
{
    struct yr_pending *pending = yr_pending_find(rpc, ticket);

    if (pending == NULL)
        return;
    json_t *path = pending->keep;
    pending->keep = err == YR_OK ? record(json_string_value(path), info, bytes) : json_string(why);
    json_decref(path);
    yr_pending_done(rpc, ticket, err, NULL);
}

enum yr_end yr_rpc_backup_create(struct yr_call *call)
{
    const char *path = yr_call_str(call, "path"), *secret = yr_call_str(call, "passphrase");
    struct yr_rpc_env *env = &call->rpc->env;
    struct yr_pending *pending;

    if (path[0] != '/')
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS, "path: not an absolute one");
    if ((pending = yr_call_defer(call, finish)) == NULL)
        return YR_END_FAILED;
    pending->keep = json_incref(json_object_get(call->params, "path"));
    pending->outstanding++;
    const enum yr_err err =
        env->backup(env->ctx, path, secret, strlen(secret), yr_pending_ticket(pending));
    if (err != YR_OK) {
        json_decref(pending->keep);
        pending->keep = NULL;
        pending->outstanding--;
        yr_pending_count(pending, err);
    }
    return yr_call_release(call, pending);
}
