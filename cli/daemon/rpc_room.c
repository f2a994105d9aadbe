/* rpc_room.c: rooms, and the requests that stand for invitations to them. */
#include <stdio.h>

#include "cli/common/json.h"
#include "cli/daemon/rpc_internal.h"

/* ---- what may be done in a room ---- */

bool yr_call_joined(struct yr_call *call, const uint8_t id[YR_ID_LEN])
{
    const struct yr_name *room = yr_names_room(&call->rpc->names, id);

    if (room == NULL) {
        yr_call_fail(call, YR_RPC_NO_SUCH_TARGET, "no such room");
        return false;
    }
    switch (room->state) {
    case YR_ROOM_ACTIVE:
    case YR_ROOM_KEYLESS: return true;
    case YR_ROOM_INVITED:
        yr_call_fail(call, YR_RPC_DENIED, "invited to #%s, but no member yet", room->name);
        yr_call_hint(call, "yaari request list");
        return false;
    case YR_ROOM_JOINING:
        yr_call_fail(call, YR_RPC_DENIED, "no member of #%s yet: whoever invited has to let you in",
                     room->name);
        yr_call_hint(call, "yaari request list");
        return false;
    case YR_ROOM_GONE:
        yr_call_fail(call, YR_RPC_DENIED, "no longer a member of #%s", room->name);
        return false;
    }
    return false;
}

/* The failure that stands for an error of the library, in a room. */
static enum yr_end room_refused(struct yr_call *call, enum yr_err err, const uint8_t id[YR_ID_LEN])
{
    struct yr_room_info info;
    char short_id[9];
    const char *name = yr_rpc_room_name(call->rpc, id, short_id);

    switch ((int)err) {
    case YR_EDENIED:
        if (yr_node_room(call->rpc->node, id, &info) != YR_OK)
            return yr_call_err(call, err);
        return yr_call_fail(call, YR_RPC_DENIED, "not allowed to a %s of #%s",
                            yr_rank_name(info.rank), name);
    case YR_ENOENT:
        return yr_call_fail(call, YR_RPC_NO_SUCH_TARGET, "no such room, member or invitation");
    case YR_EEXIST: return yr_call_fail(call, YR_RPC_EXISTS, "a member of #%s already", name);
    case YR_EFULL:
        return yr_call_fail(call, YR_RPC_TOO_LARGE,
                            "no more than 64 rooms, or 1,000 members in one");
    case YR_ESIZE:
        return yr_call_fail(call, YR_RPC_TOO_LARGE,
                            "a room's name has 1 to 64 bytes, its topic at most 1,024");
    default: return yr_call_err(call, err);
    }
}

/* ---- answers ---- */

static enum yr_end room_answer(struct yr_call *call, const uint8_t id[YR_ID_LEN])
{
    struct yr_room_info info;
    const enum yr_err err = yr_node_room(call->rpc->node, id, &info);

    return err == YR_OK ? yr_call_ok(call, yr_record_room(call->rpc, &info))
                        : room_refused(call, err, id);
}

static enum yr_end finish_room(struct yr_call *call, struct yr_pending *pending)
{
    return pending->err == YR_OK ? room_answer(call, pending->conv)
                                 : room_refused(call, pending->err, pending->conv);
}

static enum yr_end finish_nothing(struct yr_call *call, struct yr_pending *pending)
{
    return pending->err == YR_OK ? yr_call_ok(call, NULL)
                                 : room_refused(call, pending->err, pending->conv);
}

static enum yr_end finish_role(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_member_info info;
    enum yr_err err = pending->err;

    if (err == YR_OK)
        err = yr_node_member(call->rpc->node, pending->conv, pending->who, &info);
    return err == YR_OK ? yr_call_ok(call, yr_record_member(call->rpc, pending->conv, &info))
                        : room_refused(call, err, pending->conv);
}

/* Give one command about a room, answered by `finish`. */
static enum yr_end room_command(struct yr_call *call, const struct yr_cmd *cmd,
                                enum yr_end (*finish)(struct yr_call *, struct yr_pending *))
{
    struct yr_pending *pending = yr_call_defer(call, finish);

    if (pending == NULL)
        return YR_END_FAILED;
    memcpy(pending->conv, cmd->conv, YR_ID_LEN);
    memcpy(pending->who, cmd->who, YR_MID_LEN);
    yr_pending_command(call, pending, cmd);
    return yr_call_release(call, pending);
}

static void set_text(struct yr_cmd *cmd, const char *text)
{
    cmd->text = text;
    cmd->text_len = text == NULL ? 0 : strlen(text);
}

/* The room that the request names. */
static bool room_of(struct yr_call *call, uint8_t out[YR_ID_LEN])
{
    return yr_call_target(call, yr_call_str(call, "room"), YR_NAMES_ROOMS, out);
}

/* The same, and we are a member. */
static bool joined_of(struct yr_call *call, uint8_t out[YR_ID_LEN])
{
    return room_of(call, out) && yr_call_joined(call, out);
}

/* A name of which something is left once it is safe to show. */
static bool name_shows(struct yr_call *call)
{
    const char *name = yr_call_str(call, "name");
    char clean[YR_NAME_MAX];

    yr_name_clean(clean, name, strlen(name));
    if (clean[0] == '\0')
        yr_call_fail(call, YR_RPC_INVALID_PARAMS, "nothing of this name can be shown");
    return clean[0] != '\0';
}

/* ---- looking ---- */

enum yr_end yr_rpc_room_list(struct yr_call *call)
{
    const bool all = yr_call_bool(call, "all", false);
    struct yr_room_info info;
    json_t *list = json_array();

    for (size_t i = 0; yr_node_room_at(call->rpc->node, i, &info); i++)
        if (all || (info.state != YR_ROOM_INVITED && info.state != YR_ROOM_GONE))
            json_array_append_new(list, yr_record_room(call->rpc, &info));
    return yr_call_ok(call, json_pack("{s:o}", "rooms", list));
}

enum yr_end yr_rpc_room_get(struct yr_call *call)
{
    uint8_t id[YR_ID_LEN];
    return room_of(call, id) ? room_answer(call, id) : YR_END_FAILED;
}

enum yr_end yr_rpc_room_members(struct yr_call *call)
{
    const bool all = yr_call_bool(call, "all", false);
    struct yr_member_info info;
    uint8_t id[YR_ID_LEN];
    json_t *list;

    if (!room_of(call, id))
        return YR_END_FAILED;
    list = json_array();
    for (size_t i = 0; yr_node_member_at(call->rpc->node, id, i, &info); i++)
        if (all || info.rank > 0)
            json_array_append_new(list, yr_record_member(call->rpc, id, &info));
    return yr_call_ok(call, json_pack("{s:o}", "members", list));
}

/* ---- making and inviting ---- */

/* The friends of a list of names, as ids in the same order; NULL: call->fail says which is none. */
static json_t *friends_of(struct yr_call *call, const char *key)
{
    const json_t *names = json_object_get(call->params, key);
    json_t *ids = json_array();
    uint8_t id[YR_ID_LEN];

    for (size_t i = 0; i < json_array_size(names); i++) {
        if (!yr_call_target(call, json_string_value(json_array_get(names, i)), YR_NAMES_FRIENDS,
                            id)) {
            json_decref(ids);
            return NULL;
        }
        json_array_append_new(ids, yr_json_id(id, YR_ID_LEN));
    }
    return ids;
}

/* Invite all of pending->keep to pending->conv. */
static void invite_all(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_INVITE};
    const json_t *id;
    size_t i;

    memcpy(cmd.conv, pending->conv, YR_ID_LEN);
    json_array_foreach(pending->keep, i, id)
    {
        uint8_t who[YR_ID_LEN + 1];
        size_t len = sizeof who;
        if (yr_id_parse(who, &len, json_string_value(id), json_string_length(id)) != YR_OK)
            continue;
        memcpy(cmd.who, who, YR_ID_LEN);
        yr_pending_command(call, pending, &cmd);
    }
}

static json_t *refs_of(struct yr_call *call, const json_t *ids)
{
    json_t *refs = json_array();
    const json_t *id;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)ids, i, id)
    {
        uint8_t who[YR_ID_LEN + 1];
        size_t len = sizeof who;
        if (yr_id_parse(who, &len, json_string_value(id), json_string_length(id)) == YR_OK)
            json_array_append_new(refs, yr_record_ref(call->rpc, who));
    }
    return refs;
}

static enum yr_end finish_invite(struct yr_call *call, struct yr_pending *pending)
{
    if (pending->err != YR_OK)
        return room_refused(call, pending->err, pending->conv);
    return yr_call_ok(call, json_pack("{s:o}", "invited", refs_of(call, pending->keep)));
}

enum yr_end yr_rpc_room_invite(struct yr_call *call)
{
    struct yr_pending *pending;
    uint8_t id[YR_ID_LEN];
    json_t *friends;

    if (!joined_of(call, id) || (friends = friends_of(call, "friends")) == NULL)
        return YR_END_FAILED;
    if ((pending = yr_call_defer(call, finish_invite)) == NULL) {
        json_decref(friends);
        return YR_END_FAILED;
    }
    memcpy(pending->conv, id, YR_ID_LEN);
    pending->keep = friends;
    invite_all(call, pending);
    return yr_call_release(call, pending);
}

static enum yr_end finish_new_invited(struct yr_call *call, struct yr_pending *pending)
{
    const enum yr_end end = room_answer(call, pending->conv);
    char message[400], short_id[9];

    if (end != YR_END_OK)
        return end;
    if (pending->err != YR_OK) {
        room_refused(call, pending->err, pending->conv);
        snprintf(message, sizeof message, "room #%.64s is made, but not all are invited: %.200s",
                 yr_rpc_room_name(call->rpc, pending->conv, short_id), call->fail.message);
        return yr_call_fail(call, call->fail.code, "%s", message);
    }
    json_object_set_new(call->result, "invited", refs_of(call, pending->keep));
    return YR_END_OK;
}

/* The room is there: now those who are to be in it. */
static enum yr_end finish_new(struct yr_call *call, struct yr_pending *pending)
{
    yr_names_stale(&call->rpc->names);
    if (pending->err != YR_OK)
        return room_refused(call, pending->err, pending->conv);
    pending->take_conv = false;
    pending->finish = finish_new_invited;
    pending->outstanding++; // a DONE may come before the call returns
    invite_all(call, pending);
    return --pending->outstanding > 0 ? YR_END_LATER : finish_new_invited(call, pending);
}

enum yr_end yr_rpc_room_new(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_NEW};
    struct yr_pending *pending;
    json_t *friends;

    if (!name_shows(call) || (friends = friends_of(call, "members")) == NULL)
        return YR_END_FAILED;
    set_text(&cmd, yr_call_str(call, "name"));
    if ((cmd.body = yr_call_str(call, "topic")) != NULL)
        cmd.body_len = strlen(cmd.body);
    cmd.number = (unsigned)yr_call_int(call, "history_days", 0);
    if ((pending = yr_call_defer(call, finish_new)) == NULL) {
        json_decref(friends);
        return YR_END_FAILED;
    }
    pending->keep = friends;
    pending->take_conv = true;
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

/* ---- joining and leaving ---- */

enum yr_end yr_rpc_room_join(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_JOIN};
    struct yr_room_info info;
    char short_id[9];

    if (!room_of(call, cmd.conv))
        return YR_END_FAILED;
    const enum yr_err err = yr_node_room(call->rpc->node, cmd.conv, &info);
    if (err != YR_OK)
        return room_refused(call, err, cmd.conv);
    if (info.state == YR_ROOM_INVITED)
        return room_command(call, &cmd, finish_room);
    if (info.state != YR_ROOM_GONE)
        return room_answer(call, cmd.conv);
    yr_call_fail(call, YR_RPC_DENIED, "no longer a member of #%s, and not invited",
                 yr_rpc_room_name(call->rpc, cmd.conv, short_id));
    yr_call_hint(call, "a member who is your friend can invite you");
    return YR_END_FAILED;
}

enum yr_end yr_rpc_room_leave(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_LEAVE};
    struct yr_room_info info;
    char short_id[9];

    if (!room_of(call, cmd.conv))
        return YR_END_FAILED;
    if (yr_call_bool(call, "forget", false))
        cmd.flags = YR_FLAG_FORGET;
    if (yr_node_room(call->rpc->node, cmd.conv, &info) == YR_OK) {
        if (info.state == YR_ROOM_INVITED)
            cmd.kind = YR_CMD_ROOM_REJECT;
        if (info.state == YR_ROOM_GONE && cmd.flags == 0)
            return yr_call_fail(call, YR_RPC_DENIED, "no longer a member of #%s",
                                yr_rpc_room_name(call->rpc, cmd.conv, short_id));
    }
    return room_command(call, &cmd, finish_nothing);
}

/* ---- members ---- */

/* Room and member of the request, into `cmd`. */
static bool member_of(struct yr_call *call, struct yr_cmd *cmd)
{
    return joined_of(call, cmd->conv) &&
           yr_call_member(call, cmd->conv, yr_call_str(call, "member"), cmd->who);
}

enum yr_end yr_rpc_room_kick(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_KICK};
    return member_of(call, &cmd) ? room_command(call, &cmd, finish_nothing) : YR_END_FAILED;
}

enum yr_end yr_rpc_room_role(struct yr_call *call)
{
    static const unsigned ranks[] = {YR_RANK_ADMIN, YR_RANK_MOD, YR_RANK_MEMBER};
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_ROLE};
    const char *role = yr_call_str(call, "role");

    for (size_t i = 0; i < YR_COUNT_OF(ranks); i++)
        if (strcmp(role, yr_rank_name(ranks[i])) == 0)
            cmd.number = ranks[i];
    if (cmd.number == 0)
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS, "role must be admin, mod or member");
    return member_of(call, &cmd) ? room_command(call, &cmd, finish_role) : YR_END_FAILED;
}

/* ---- settings ---- */

enum yr_end yr_rpc_room_topic(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_TOPIC};

    set_text(&cmd, yr_call_str(call, "topic"));
    return joined_of(call, cmd.conv) ? room_command(call, &cmd, finish_room) : YR_END_FAILED;
}

enum yr_end yr_rpc_room_rename(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_NAME};

    if (!name_shows(call) || !joined_of(call, cmd.conv))
        return YR_END_FAILED;
    set_text(&cmd, yr_call_str(call, "name"));
    return room_command(call, &cmd, finish_room);
}

enum yr_end yr_rpc_room_mute(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_MUTE};
    const int64_t muted_s = yr_call_int(call, "muted_s", 0);

    cmd.expires_ms = muted_s < 0    ? INT64_MAX
                     : muted_s == 0 ? 0
                                    : call->now.wall_ms + muted_s * 1000;
    return room_of(call, cmd.conv) ? room_command(call, &cmd, finish_room) : YR_END_FAILED;
}

enum yr_end yr_rpc_room_set(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_MENTIONS};
    const char *value = yr_call_str(call, "value");

    if (strcmp(yr_call_str(call, "key"), "mentions") != 0)
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS,
                            "no such setting of a room: there is mentions yes|no");
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS, "mentions must be yes or no");
    cmd.flags = strcmp(value, "no") == 0 ? YR_FLAG_REMOVE : 0;
    return room_of(call, cmd.conv) ? room_command(call, &cmd, finish_room) : YR_END_FAILED;
}

/* ---- requests ---- */

enum yr_end yr_rpc_request_list(struct yr_call *call)
{
    struct yr_add_info add;
    struct yr_room_info room;
    json_t *list = json_array();

    for (size_t i = 0; yr_node_add_at(call->rpc->node, i, &add); i++)
        if (add.state != YR_ADD_DONE)
            json_array_append_new(list, yr_record_request(call->rpc, &add));
    for (size_t i = 0; yr_node_room_at(call->rpc->node, i, &room); i++)
        if (room.state == YR_ROOM_INVITED || room.state == YR_ROOM_JOINING)
            json_array_append_new(list, yr_record_room_request(call->rpc, &room));
    return yr_call_ok(call, json_pack("{s:o}", "requests", list));
}

static enum yr_end no_request(struct yr_call *call)
{
    yr_call_fail(call, YR_RPC_NO_SUCH_TARGET, "no request %" PRId64, yr_call_int(call, "id", 0));
    yr_call_hint(call, "yaari request list");
    return YR_END_FAILED;
}

/* The link being added that request `id` is. */
static bool request_add(struct yr_rpc *rpc, int64_t id, struct yr_add_info *out)
{
    const char *key = yr_request_key(rpc, id);
    return key != NULL && yr_rpc_add(rpc, key, out);
}

static enum yr_end finish_accept(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_room_info info;
    enum yr_err err = pending->err;

    if (err == YR_OK)
        err = yr_node_room(call->rpc->node, pending->conv, &info);
    return err == YR_OK ? yr_call_ok(call, yr_record_room_request(call->rpc, &info))
                        : room_refused(call, err, pending->conv);
}

enum yr_end yr_rpc_request_accept(struct yr_call *call)
{
    const int64_t id = yr_call_int(call, "id", 0);
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_JOIN};
    struct yr_room_info room;
    struct yr_add_info add;

    if (request_add(call->rpc, id, &add))
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS,
                            "request %" PRId64 " waits for the other side", id);
    if (!yr_request_room(call->rpc, id, &room))
        return no_request(call);
    if (room.state == YR_ROOM_JOINING) // said already
        return yr_call_ok(call, yr_record_room_request(call->rpc, &room));
    memcpy(cmd.conv, room.id, YR_ID_LEN);
    return room_command(call, &cmd, finish_accept);
}

enum yr_end yr_rpc_request_reject(struct yr_call *call)
{
    const int64_t id = yr_call_int(call, "id", 0);
    struct yr_cmd cmd = {.kind = YR_CMD_ADD_CANCEL};
    struct yr_room_info room;
    struct yr_add_info add;

    if (request_add(call->rpc, id, &add)) {
        set_text(&cmd, add.id);
        return room_command(call, &cmd, finish_nothing);
    }
    if (!yr_request_room(call->rpc, id, &room))
        return no_request(call);
    cmd.kind = room.state == YR_ROOM_INVITED ? YR_CMD_ROOM_REJECT : YR_CMD_ROOM_LEAVE;
    memcpy(cmd.conv, room.id, YR_ID_LEN);
    return room_command(call, &cmd, finish_nothing);
}
