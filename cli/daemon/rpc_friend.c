/* rpc_friend.c: identity, vault, invites, friends. */
#include <stdio.h>

#include "cli/common/json.h"
#include "cli/daemon/rpc_internal.h"

#define INVITE_S 604800 /* 7 days */

static enum yr_end finish_empty(struct yr_call *call, struct yr_pending *pending)
{
    return pending->err == YR_OK ? yr_call_ok(call, NULL) : yr_call_err(call, pending->err);
}

/* ---- identity and vault ---- */

static enum yr_end finish_identity(struct yr_call *call, struct yr_pending *pending)
{
    yr_names_stale(&call->rpc->names); // the own name is one of them
    if (pending->err == YR_EEXIST)
        return yr_call_fail(call, YR_RPC_EXISTS, "this profile has an identity already");
    if (pending->err != YR_OK)
        return yr_call_err(call, pending->err);
    return yr_call_ok(call, yr_record_identity(call->rpc));
}

/* The vault under the passphrase is there: now the identity in it. */
static enum yr_end finish_vault_of_new(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_rpc_env *env = &call->rpc->env;
    enum yr_err err;

    if (pending->err != YR_OK)
        return finish_identity(call, pending);
    pending->finish = finish_identity;
    pending->outstanding++; // its DONE may come before the call returns
    err = env->identity_create(env->ctx, json_string_value(pending->keep),
                               yr_pending_ticket(pending));
    if (err == YR_OK)
        return YR_END_LATER;
    pending->outstanding--;
    pending->err = err;
    return finish_identity(call, pending);
}

static enum yr_err start_create(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_rpc_env *env = &call->rpc->env;
    json_t *passphrase = json_object_get(call->params, "passphrase");
    const size_t len = json_string_length(passphrase);
    enum yr_err err;

    if (passphrase == NULL)
        return env->identity_create(env->ctx, yr_call_str(call, "name"),
                                    yr_pending_ticket(pending));
    pending->finish = finish_vault_of_new;
    pending->keep = json_incref(json_object_get(call->params, "name"));
    err = env->unlock(env->ctx, json_string_value(passphrase), len, yr_pending_ticket(pending));
    explicit_bzero((void *)(uintptr_t)json_string_value(passphrase), len);
    return err;
}

/* A name of which nothing is left once it is safe to show is none; "" takes a name back. */
static bool name_shows(struct yr_call *call)
{
    const char *name = yr_call_str(call, "name");
    char clean[YR_NAME_MAX];

    if (name == NULL || name[0] == '\0')
        return true;
    yr_name_clean(clean, name, strlen(name));
    if (clean[0] == '\0')
        yr_call_fail(call, YR_RPC_INVALID_PARAMS, "nothing of this name can be shown");
    return clean[0] != '\0';
}

enum yr_end yr_rpc_identity_create(struct yr_call *call)
{
    struct yr_rpc_env *env = &call->rpc->env;
    struct yr_rpc_status status;
    struct yr_pending *pending;
    struct yr_self self;

    yr_node_self(call->rpc->node, &self);
    env->status(env->ctx, &status);
    if (self.unlocked && self.has_identity)
        return yr_call_fail(call, YR_RPC_EXISTS, "this profile has an identity already");
    if (!self.unlocked && status.vault)
        return yr_call_err(call, YR_ELOCKED);
    if (self.unlocked && yr_call_has(call, "passphrase"))
        return yr_call_fail(call, YR_RPC_DENIED,
                            "the vault is there already, without this passphrase");
    if (!name_shows(call))
        return YR_END_FAILED;
    if ((pending = yr_call_defer(call, finish_identity)) == NULL)
        return YR_END_FAILED;
    pending->outstanding++;
    const enum yr_err err = start_create(call, pending);
    if (err != YR_OK) {
        pending->outstanding--;
        yr_pending_count(pending, err);
    }
    return yr_call_release(call, pending);
}

enum yr_end yr_rpc_identity_get(struct yr_call *call)
{
    return yr_call_ok(call, yr_record_identity(call->rpc));
}

static void set_text(struct yr_cmd *cmd, const char *text)
{
    cmd->text = text;
    cmd->text_len = text == NULL ? 0 : strlen(text);
}

enum yr_end yr_rpc_identity_set(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SET_NICK};
    struct yr_pending *pending;

    if (!yr_call_has(call, "name") && !yr_call_has(call, "status"))
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS, "identity.set needs name or status");
    if (!name_shows(call))
        return YR_END_FAILED;
    if ((pending = yr_call_defer(call, finish_identity)) == NULL)
        return YR_END_FAILED;
    if (yr_call_has(call, "name")) {
        set_text(&cmd, yr_call_str(call, "name"));
        yr_pending_command(call, pending, &cmd);
    }
    if (yr_call_has(call, "status")) {
        cmd.kind = YR_CMD_SET_STATUS;
        set_text(&cmd, yr_call_str(call, "status"));
        yr_pending_command(call, pending, &cmd);
    }
    return yr_call_release(call, pending);
}

static enum yr_end finish_vault(struct yr_call *call, struct yr_pending *pending)
{
    if (pending->err == YR_EAUTH)
        return yr_call_fail(call, YR_RPC_DENIED, "wrong passphrase");
    if (pending->err == YR_EINVAL)
        return yr_call_fail(call, YR_RPC_RATE_LIMITED, "the vault is just being opened or closed");
    if (pending->err != YR_OK)
        return yr_call_err(call, pending->err);
    return yr_call_ok(call, yr_record_status(call->rpc));
}

enum yr_end yr_rpc_vault_unlock(struct yr_call *call)
{
    struct yr_rpc_env *env = &call->rpc->env;
    json_t *passphrase = json_object_get(call->params, "passphrase");
    struct yr_rpc_status status;
    struct yr_pending *pending;
    struct yr_self self;

    yr_node_self(call->rpc->node, &self);
    env->status(env->ctx, &status);
    if (self.unlocked)
        return yr_call_ok(call, yr_record_status(call->rpc));
    if (!status.vault)
        return yr_call_err(call, YR_ENOID);
    if ((pending = yr_call_defer(call, finish_vault)) == NULL)
        return YR_END_FAILED;
    pending->outstanding++;
    const size_t len = json_string_length(passphrase);
    const enum yr_err err =
        env->unlock(env->ctx, json_string_value(passphrase), len, yr_pending_ticket(pending));
    explicit_bzero((void *)(uintptr_t)json_string_value(passphrase), len);
    if (err != YR_OK) {
        pending->outstanding--;
        yr_pending_count(pending, err);
    }
    return yr_call_release(call, pending);
}

enum yr_end yr_rpc_vault_lock(struct yr_call *call)
{
    struct yr_rpc_env *env = &call->rpc->env;
    struct yr_pending *pending;
    struct yr_self self;

    yr_node_self(call->rpc->node, &self);
    if (!self.unlocked)
        return yr_call_ok(call, yr_record_status(call->rpc));
    if ((pending = yr_call_defer(call, finish_vault)) == NULL)
        return YR_END_FAILED;
    pending->outstanding++;
    const enum yr_err err = env->lock(env->ctx, yr_pending_ticket(pending));
    if (err != YR_OK) {
        pending->outstanding--;
        yr_pending_count(pending, err);
    }
    return yr_call_release(call, pending);
}

/* ---- invites ---- */

static enum yr_end finish_invite(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_invite_info info;

    if (pending->err == YR_EFULL)
        return yr_call_fail(call, YR_RPC_TOO_LARGE, "no more than 8 invites may be open at once");
    if (pending->err == YR_EINVAL)
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS,
                            "an invite is good for one second to 366 days");
    if (pending->err == YR_ENOENT)
        return yr_call_fail(call, YR_RPC_NO_SUCH_OBJECT, "no invite '%s'", pending->text);
    if (pending->err == YR_ESPENT)
        return yr_call_fail(call, YR_RPC_EXPIRED, "invite '%s' is not open", pending->text);
    if (pending->err != YR_OK)
        return yr_call_err(call, pending->err);
    if (!yr_rpc_invite(call->rpc, pending->text, &info))
        return yr_call_err(call, YR_ENOENT);
    json_t *invite = yr_record_invite(call->rpc, &info);
    if (pending->with_qr && info.qr[0] != '\0')
        yr_json_put_str(invite, "qr", info.qr);
    explicit_bzero(&info, sizeof info); // a link is a secret
    return yr_call_ok(call, invite);
}

enum yr_end yr_rpc_invite_create(struct yr_call *call)
{
    const int64_t seconds = yr_call_int(call, "expires_s", INVITE_S);
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_NEW};
    struct yr_pending *pending;

    if (seconds < 1 || seconds > 366 * (int64_t)86400)
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS,
                            "an invite is good for one second to 366 days");
    set_text(&cmd, yr_call_str(call, "name"));
    cmd.flags = yr_call_bool(call, "hints", true) ? YR_FLAG_HINTS : 0;
    cmd.expires_ms = call->now.wall_ms + seconds * 1000;
    if ((pending = yr_call_defer(call, finish_invite)) == NULL)
        return YR_END_FAILED;
    pending->with_qr = true;
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

enum yr_end yr_rpc_invite_list(struct yr_call *call)
{
    struct yr_invite_info info;
    json_t *list = json_array();

    for (size_t i = 0; yr_node_invite_at(call->rpc->node, i, &info); i++)
        json_array_append_new(list, yr_record_invite(call->rpc, &info));
    explicit_bzero(&info, sizeof info);
    return yr_call_ok(call, json_pack("{s:o}", "invites", list));
}

enum yr_end yr_rpc_invite_revoke(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_REVOKE};
    struct yr_pending *pending;

    set_text(&cmd, yr_call_str(call, "id"));
    if ((pending = yr_call_defer(call, finish_invite)) == NULL)
        return YR_END_FAILED;
    snprintf(pending->text, sizeof pending->text, "%s", cmd.text);
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

/* ---- friends ---- */

static enum yr_end friend_answer(struct yr_call *call, const uint8_t id[YR_ID_LEN])
{
    struct yr_friend_info info;
    const enum yr_err err = yr_node_friend(call->rpc->node, id, &info);

    return err == YR_OK ? yr_call_ok(call, yr_record_friend(call->rpc, &info, false))
                        : yr_call_err(call, err);
}

static enum yr_end finish_friend(struct yr_call *call, struct yr_pending *pending)
{
    yr_names_stale(&call->rpc->names);
    return pending->err == YR_OK ? friend_answer(call, pending->conv)
                                 : yr_call_err(call, pending->err);
}

static enum yr_end add_refused(struct yr_call *call, enum yr_err err)
{
    switch ((int)err) {
    case YR_EPROTO:
    case YR_ESIZE:
        return yr_call_fail(call, YR_RPC_BAD_LINK, "this is no invite link, or it is damaged");
    case YR_EVERSION:
        return yr_call_fail(call, YR_RPC_UNSUPPORTED, "this link needs a newer version of yaari");
    case YR_EOWN: return yr_call_fail(call, YR_RPC_BAD_LINK, "this invite is one's own");
    case YR_EFULL:
        return yr_call_fail(call, YR_RPC_TOO_LARGE,
                            "no more than 256 friends, or 16 links being added at once");
    default: return yr_call_err(call, err);
    }
}

static enum yr_end finish_add(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_friend_info info;
    struct yr_add_info add;

    yr_names_stale(&call->rpc->names);
    if (pending->err != YR_OK && pending->err != YR_EEXIST)
        return add_refused(call, pending->err);
    if (yr_rpc_add(call->rpc, pending->text, &add) && add.state != YR_ADD_DONE)
        return yr_call_ok(call, yr_record_request(call->rpc, &add));
    if (yr_node_friend(call->rpc->node, pending->conv, &info) == YR_OK)
        return yr_call_ok(call, yr_record_friend(call->rpc, &info, false));
    return yr_call_err(call, pending->err == YR_OK ? YR_ENOENT : pending->err);
}

enum yr_end yr_rpc_friend_add(struct yr_call *call)
{
    static const char blank[] = " \t\r\n";
    struct yr_cmd cmd = {.kind = YR_CMD_ADD};
    struct yr_pending *pending;
    uint8_t inviter[YR_ID_LEN];
    char id8[9];
    bool qr;

    cmd.text = yr_call_str(call, "link");
    cmd.text += strspn(cmd.text, blank);
    cmd.text_len = strlen(cmd.text);
    while (cmd.text_len > 0 && strchr(blank, cmd.text[cmd.text_len - 1]) != NULL)
        cmd.text_len--;
    const enum yr_err err = yr_link_check(cmd.text, cmd.text_len, id8, inviter, &qr);
    if (err != YR_OK)
        return add_refused(call, err);
    if ((cmd.name = yr_call_str(call, "name")) != NULL)
        cmd.name_len = strlen(cmd.name);
    if ((cmd.body = yr_call_str(call, "message")) != NULL)
        cmd.body_len = strlen(cmd.body);
    cmd.flags = yr_call_bool(call, "verified", false) ? YR_FLAG_VERIFIED : 0;
    if ((pending = yr_call_defer(call, finish_add)) == NULL)
        return YR_END_FAILED;
    memcpy(pending->conv, inviter, YR_ID_LEN);
    snprintf(pending->text, sizeof pending->text, "%s", id8);
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

enum yr_end yr_rpc_friend_list(struct yr_call *call)
{
    const bool by_online = yr_call_has(call, "online"), by_blocked = yr_call_has(call, "blocked");
    struct yr_friend_info info;
    json_t *list = json_array();

    for (size_t i = 0; yr_node_friend_at(call->rpc->node, i, &info); i++)
        if ((!by_online || info.online == yr_call_bool(call, "online", false)) &&
            (!by_blocked || info.blocked == yr_call_bool(call, "blocked", false)))
            json_array_append_new(list, yr_record_friend(call->rpc, &info, false));
    return yr_call_ok(call, json_pack("{s:o}", "friends", list));
}

enum yr_end yr_rpc_friend_get(struct yr_call *call)
{
    struct yr_friend_info info;
    uint8_t id[YR_ID_LEN];

    if (!yr_call_target(call, yr_call_str(call, "friend"), YR_NAMES_FRIENDS, id))
        return YR_END_FAILED;
    const enum yr_err err = yr_node_friend(call->rpc->node, id, &info);
    return err == YR_OK ? yr_call_ok(call, yr_record_friend(call->rpc, &info, true))
                        : yr_call_err(call, err);
}

/* A slot for a command about the friend the request names; NULL: call->fail says why. */
static struct yr_pending *friend_defer(struct yr_call *call, struct yr_cmd *cmd,
                                       enum yr_end (*finish)(struct yr_call *, struct yr_pending *))
{
    struct yr_pending *pending;

    if (!yr_call_target(call, yr_call_str(call, "friend"), YR_NAMES_FRIENDS, cmd->conv) ||
        (pending = yr_call_defer(call, finish)) == NULL)
        return NULL;
    memcpy(pending->conv, cmd->conv, YR_ID_LEN);
    return pending;
}

/* Would this petname read as another friend's name? */
static bool name_taken(struct yr_call *call, const char *petname)
{
    char name[YR_NAME_MAX];
    uint8_t id[YR_ID_LEN];

    yr_name_clean(name, petname, strlen(petname));
    const struct yr_name *holder = yr_names_by_name(&call->rpc->names, name);
    if (holder == NULL ||
        !yr_call_target(call, yr_call_str(call, "friend"), YR_NAMES_FRIENDS, id) ||
        memcmp(holder->id, id, YR_ID_LEN) == 0)
        return false;
    return holder->petname;
}

/* "yes", "no" or "default"; false: call->fail says so. */
static bool tri_of(struct yr_call *call, const char *key, enum yr_tri *out)
{
    const char *word = yr_call_str(call, key);
    const bool yes = strcmp(word, "yes") == 0, no = strcmp(word, "no") == 0;

    *out = yes ? YR_YES : no ? YR_NO : YR_UNKNOWN;
    if (!yes && !no && strcmp(word, "default") != 0) {
        yr_call_fail(call, YR_RPC_INVALID_PARAMS, "%s must be yes, no or default", key);
        return false;
    }
    return true;
}

/* Settings of this friend, each yes, no or default. */
static const struct {
    const char *key;
    enum yr_cmd_kind kind;
} consents[] = {{"relay", YR_CMD_FRIEND_RELAY},       {"mail", YR_CMD_FRIEND_MAIL},
                {"presence", YR_CMD_FRIEND_PRESENCE}, {"typing", YR_CMD_FRIEND_TYPING},
                {"receipts", YR_CMD_FRIEND_RECEIPTS}, {"anon", YR_CMD_FRIEND_ANON}};

/* Which are given; false: call->fail says what is wrong with one. */
static bool read_consents(struct yr_call *call, enum yr_tri *out, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < YR_COUNT_OF(consents); i++) {
        if (!yr_call_has(call, consents[i].key))
            continue;
        if (!tri_of(call, consents[i].key, &out[i]))
            return false;
        ++*count;
    }
    return true;
}

enum yr_end yr_rpc_friend_set(struct yr_call *call)
{
    const char *name = yr_call_str(call, "name");
    const int64_t muted_s = yr_call_int(call, "muted_s", 0);
    struct yr_cmd cmd = {.kind = YR_CMD_FRIEND_RENAME};
    struct yr_pending *pending;
    enum yr_tri values[YR_COUNT_OF(consents)];
    size_t count;

    if (!name_shows(call) || !read_consents(call, values, &count))
        return YR_END_FAILED;
    if (name == NULL && count == 0 && !yr_call_has(call, "muted_s"))
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS,
                            "friend.set needs name, muted_s or a setting");
    if (name != NULL && name[0] != '\0' && name_taken(call, name))
        return yr_call_fail(call, YR_RPC_EXISTS, "another friend is called '%s'", name);
    if ((pending = friend_defer(call, &cmd, finish_friend)) == NULL)
        return YR_END_FAILED;
    if (name != NULL) {
        set_text(&cmd, name);
        yr_pending_command(call, pending, &cmd);
    }
    if (yr_call_has(call, "muted_s")) {
        cmd.kind = YR_CMD_FRIEND_MUTE;
        set_text(&cmd, NULL);
        cmd.expires_ms = muted_s < 0    ? INT64_MAX
                         : muted_s == 0 ? 0
                                        : call->now.wall_ms + muted_s * 1000;
        yr_pending_command(call, pending, &cmd);
    }
    for (size_t i = 0; i < YR_COUNT_OF(consents); i++) {
        if (!yr_call_has(call, consents[i].key))
            continue;
        cmd.kind = consents[i].kind;
        set_text(&cmd, NULL);
        cmd.number = (unsigned)values[i];
        yr_pending_command(call, pending, &cmd);
    }
    return yr_call_release(call, pending);
}

static enum yr_end friend_flag(struct yr_call *call, enum yr_cmd_kind kind, bool remove)
{
    struct yr_cmd cmd = {.kind = kind, .flags = remove ? YR_FLAG_REMOVE : 0};
    struct yr_pending *pending = friend_defer(call, &cmd, finish_friend);

    if (pending == NULL)
        return YR_END_FAILED;
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

enum yr_end yr_rpc_friend_verify(struct yr_call *call)
{
    return friend_flag(call, YR_CMD_FRIEND_VERIFY, yr_call_bool(call, "clear", false));
}

enum yr_end yr_rpc_friend_block(struct yr_call *call)
{
    return friend_flag(call, YR_CMD_FRIEND_BLOCK, !yr_call_bool(call, "blocked", true));
}

enum yr_end yr_rpc_friend_remove(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_FRIEND_REMOVE};
    struct yr_pending *pending;

    cmd.flags = yr_call_bool(call, "forget", false) ? YR_FLAG_FORGET : 0;
    if ((pending = friend_defer(call, &cmd, finish_empty)) == NULL)
        return YR_END_FAILED;
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

/* ---- being away, writing ---- */

enum yr_end yr_rpc_presence_set(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_PRESENCE};
    struct yr_pending *pending;

    if (!yr_call_bool(call, "away", true))
        cmd.flags = YR_FLAG_REMOVE;
    if (cmd.flags != 0 && yr_call_has(call, "text"))
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS, "who is not away needs no text");
    set_text(&cmd, yr_call_str(call, "text"));
    if ((pending = yr_call_defer(call, finish_identity)) == NULL)
        return YR_END_FAILED;
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

enum yr_end yr_rpc_typing_set(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_TYPING};
    struct yr_pending *pending = friend_defer(call, &cmd, finish_empty);

    if (pending == NULL)
        return YR_END_FAILED;
    cmd.flags = yr_call_bool(call, "typing", true) ? 0 : YR_FLAG_REMOVE;
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}
