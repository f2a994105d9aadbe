/* rpc_message.c: texts, what is done to them, what is read. */
#include <stdio.h>

#include "cli/common/json.h"
#include "cli/common/times.h"
#include "cli/daemon/rpc_internal.h"

#define TEXT_MAX      16384
#define ROOM_TEXT_MAX 4096

/* ---- one message ---- */

static enum yr_end message_answer(struct yr_call *call, const uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_rpc *rpc = call->rpc;
    const enum yr_err err = yr_node_message(rpc->node, id, &rpc->msg);

    return err == YR_OK ? yr_call_ok(call, yr_record_message(rpc, &rpc->msg))
                        : yr_call_err(call, err);
}

static void put_step(json_t *steps, const char *state, yr_ms time_ms)
{
    json_t *step = json_pack("{s:s}", "state", state);
    yr_json_put_time(step, "time", time_ms);
    json_array_append_new(steps, step);
}

enum yr_end yr_rpc_message_get(struct yr_call *call)
{
    struct yr_rpc *rpc = call->rpc;
    const struct yr_message *msg = &rpc->msg;
    uint8_t id[YR_MSG_ID_LEN];
    enum yr_end end;

    if (!yr_call_message(call, yr_call_str(call, "id"), id))
        return YR_END_FAILED;
    if ((end = message_answer(call, id)) != YR_END_OK)
        return end;
    json_t *steps = json_array();
    put_step(steps, msg->own ? "accepted" : "delivered", msg->received_ms);
    if (msg->own && msg->held_ms > 0)
        put_step(steps, "held", msg->held_ms);
    if (msg->own && msg->delivered_ms > 0)
        put_step(steps, "delivered", msg->delivered_ms);
    if (msg->own && msg->read_ms > 0 && yr_shows_read(rpc, msg->conv))
        put_step(steps, "read", msg->read_ms);
    if (msg->own && msg->failed_ms > 0)
        put_step(steps, "failed", msg->failed_ms);
    json_object_set_new(call->result, "steps", steps);
    return YR_END_OK;
}

/* ---- writing ---- */

/* Is this a text the node may take?  It is UTF-8 without NUL already: the parser saw to that. */
static bool text_ok(struct yr_call *call, const char *text)
{
    const size_t len = strlen(text);

    if (len == 0)
        yr_call_fail(call, YR_RPC_INVALID_PARAMS, "an empty text");
    else if (len > TEXT_MAX)
        yr_call_fail(call, YR_RPC_TOO_LARGE, "a text of %zu bytes: 16,384 are the most", len);
    return len > 0 && len <= TEXT_MAX;
}

/* May this be said in this conversation?  In a room: by members only, and not at such length. */
static bool conv_ok(struct yr_call *call, const uint8_t conv[YR_ID_LEN], const char *text)
{
    if (yr_names_room(&call->rpc->names, conv) == NULL)
        return true;
    if (!yr_call_joined(call, conv))
        return false;
    if (text != NULL && strlen(text) > ROOM_TEXT_MAX) {
        yr_call_fail(call, YR_RPC_TOO_LARGE, "a text of %zu bytes: 4,096 are the most in a room",
                     strlen(text));
        return false;
    }
    return true;
}

/* "not delivered to 1 of 4 members within 20 s"; what has got where is in rpc->msg. */
static void say_where(struct yr_call *call, const struct yr_pending *pending, struct yr_buf *text)
{
    const struct yr_message *msg = &call->rpc->msg;
    const unsigned got = pending->wait == YR_STATE_READ ? msg->read_by : msg->delivered_to;
    char short_id[9];

    if (msg->room)
        yr_buf_addf(text, "%u of %u members", msg->of > got ? msg->of - got : 0, msg->of);
    else if (yr_names_by_id(&call->rpc->names, pending->conv) != NULL)
        yr_buf_adds(text, yr_names_by_id(&call->rpc->names, pending->conv)->name);
    else
        yr_id_text(short_id, pending->conv, 5), yr_buf_adds(text, short_id);
}

static enum yr_end send_wait_over(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_buf text = {0};

    yr_buf_addf(&text, "not %s %s ", yr_state_name(call->rpc, pending->conv, pending->wait, true),
                pending->wait == YR_STATE_READ   ? "by"
                : pending->wait == YR_STATE_HELD ? "for"
                                                 : "to");
    if (yr_node_message(call->rpc->node, pending->msg, &call->rpc->msg) == YR_OK)
        say_where(call, pending, &text);
    yr_buf_adds(&text, " within ");
    yr_span_add(&text, pending->timeout_ms);
    yr_call_fail(call, YR_RPC_TIMEOUT, "%s; the message stays queued", yr_buf_str(&text));
    yr_buf_clear(&text);
    yr_id_text(call->fail.id, pending->msg, YR_MSG_ID_LEN);
    yr_call_hint(call, "yaari why %.6s", call->fail.id);
    return YR_END_FAILED;
}

/* What was waited for will not come. */
static enum yr_end send_given_up(struct yr_call *call, struct yr_pending *pending)
{
    const bool expired = call->rpc->msg.state == YR_STATE_FAILED;
    struct yr_buf text = {0};

    json_decref(call->result);
    call->result = NULL;
    say_where(call, pending, &text);
    yr_call_fail(call, YR_RPC_UNREACHABLE,
                 expired ? "given up: not delivered to %s in time" : "taken back before %s had it",
                 yr_buf_str(&text));
    yr_buf_clear(&text);
    yr_id_text(call->fail.id, pending->msg, YR_MSG_ID_LEN);
    yr_call_hint(call, "yaari why %.6s", call->fail.id);
    return YR_END_FAILED;
}

static enum yr_end finish_send(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_rpc *rpc = call->rpc;

    if (pending->waited && pending->err == YR_EAGAIN)
        return send_wait_over(call, pending);
    if (pending->err != YR_OK)
        return yr_call_err(call, pending->err);
    const enum yr_end end = message_answer(call, pending->msg);
    if (end == YR_END_OK && pending->wait > YR_STATE_ACCEPTED && rpc->msg.state > YR_STATE_READ)
        return send_given_up(call, pending);
    if (end != YR_END_OK || rpc->msg.state >= pending->wait || (rpc->msg.room && rpc->msg.of == 0))
        return end; // a room of our own has nobody to wait for
    json_decref(call->result);
    call->result = NULL;
    pending->waited = true;
    return yr_pending_wait(call, pending);
}

/* `wait` as a state; false: there is no such state to wait for. */
static bool wait_of(struct yr_call *call, enum yr_state *out)
{
    static const struct {
        const char *word;
        enum yr_state state;
    } words[] = {{"accepted", YR_STATE_ACCEPTED},
                 {"held", YR_STATE_HELD},
                 {"delivered", YR_STATE_DELIVERED},
                 {"read", YR_STATE_READ}};
    const char *wait = yr_call_str(call, "wait");

    for (size_t i = 0; i < YR_COUNT_OF(words); i++)
        if (wait == NULL || strcmp(wait, words[i].word) == 0) {
            *out = words[i].state;
            return true;
        }
    yr_call_fail(call, YR_RPC_INVALID_PARAMS, "wait must be accepted, held, delivered or read");
    return false;
}

/* Will this state ever be told of this conversation? */
static bool may_wait(struct yr_call *call, const uint8_t conv[YR_ID_LEN], enum yr_state wait)
{
    if (wait != YR_STATE_READ || yr_shows_read(call->rpc, conv))
        return true;
    yr_call_fail(call, YR_RPC_INVALID_PARAMS, "read receipts are off: 'read' would never come");
    call->fail.exit = YR_EXIT_USAGE;
    yr_call_hint(call, "yaari config set privacy.read_receipts yes");
    return false;
}

/* When a text is given up; a room's log keeps what was said. */
static bool expiry_of(struct yr_call *call, struct yr_cmd *cmd)
{
    const int64_t expires_s = yr_call_int(call, "expires_s", 0);

    if (expires_s > 0 && yr_names_room(&call->rpc->names, cmd->conv) != NULL) {
        yr_call_fail(call, YR_RPC_INVALID_PARAMS, "what is said in a room stays: no expires_s");
        return false;
    }
    cmd->expires_ms = expires_s > 0 ? call->now.wall_ms + expires_s * 1000 : 0;
    return true;
}

enum yr_end yr_rpc_message_send(struct yr_call *call)
{
    const char *kind = yr_call_str(call, "kind"), *reply_to = yr_call_str(call, "reply_to");
    struct yr_cmd cmd = {.kind = YR_CMD_SEND};
    struct yr_pending *pending;
    enum yr_state wait;

    cmd.body = yr_call_str(call, "text");
    if (!text_ok(call, cmd.body) || !wait_of(call, &wait))
        return YR_END_FAILED;
    cmd.body_len = strlen(cmd.body);
    if (kind != NULL && strcmp(kind, "action") == 0)
        cmd.flags = YR_FLAG_ACTION;
    else if (kind != NULL && strcmp(kind, "text") != 0)
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS, "kind must be text or action");
    if ((cmd.name = yr_call_str(call, "key")) != NULL)
        cmd.name_len = strlen(cmd.name);
    if (!yr_call_target(call, yr_call_str(call, "target"), YR_NAMES_ANY, cmd.conv) ||
        !conv_ok(call, cmd.conv, cmd.body) || !may_wait(call, cmd.conv, wait) ||
        !expiry_of(call, &cmd) ||
        (reply_to != NULL && !yr_call_message(call, reply_to, cmd.reply_to)) ||
        (pending = yr_call_defer(call, finish_send)) == NULL)
        return YR_END_FAILED;
    memcpy(pending->conv, cmd.conv, YR_ID_LEN);
    pending->wait = wait;
    pending->timeout_ms = (uint32_t)yr_call_int(call, "timeout_ms", 0);
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}

static enum yr_end finish_message(struct yr_call *call, struct yr_pending *pending)
{
    if (pending->err == YR_EDENIED)
        return yr_call_fail(call, YR_RPC_DENIED, "only one's own messages, and not deleted ones");
    if (pending->err != YR_OK)
        return yr_call_err(call, pending->err);
    return message_answer(call, pending->msg);
}

/* A command about one message, answered with the message. */
static enum yr_end message_command(struct yr_call *call, struct yr_cmd *cmd)
{
    struct yr_pending *pending;
    struct yr_place place;

    if (!yr_call_message(call, yr_call_str(call, "id"), cmd->msg))
        return YR_END_FAILED;
    const enum yr_err err = yr_node_place(call->rpc->node, cmd->msg, cmd->conv, &place);
    if (err != YR_OK)
        return yr_call_err(call, err);
    if (!conv_ok(call, cmd->conv, cmd->body))
        return YR_END_FAILED;
    if ((pending = yr_call_defer(call, finish_message)) == NULL)
        return YR_END_FAILED;
    memcpy(pending->msg, cmd->msg, YR_MSG_ID_LEN);
    memcpy(pending->conv, cmd->conv, YR_ID_LEN);
    pending->own_msg = true;
    yr_pending_command(call, pending, cmd);
    return yr_call_release(call, pending);
}

enum yr_end yr_rpc_message_edit(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_EDIT, .body = yr_call_str(call, "text")};

    if (!text_ok(call, cmd.body))
        return YR_END_FAILED;
    cmd.body_len = strlen(cmd.body);
    return message_command(call, &cmd);
}

enum yr_end yr_rpc_message_react(struct yr_call *call)
{
    struct yr_cmd cmd = {.kind = YR_CMD_REACT, .body = yr_call_str(call, "emoji")};

    cmd.body_len = strlen(cmd.body);
    cmd.flags = yr_call_bool(call, "remove", false) ? YR_FLAG_REMOVE : 0;
    return message_command(call, &cmd);
}

static enum yr_end finish_delete(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_rpc *rpc = call->rpc;
    uint8_t id[YR_MSG_ID_LEN + 1];
    size_t i, len;
    json_t *list, *text;

    if (pending->err == YR_EDENIED)
        return yr_call_fail(call, YR_RPC_DENIED,
                            "only one's own messages can be deleted everywhere");
    if (pending->err != YR_OK)
        return yr_call_err(call, pending->err);
    list = json_array();
    json_array_foreach(pending->keep, i, text)
    {
        len = sizeof id;
        if (yr_id_parse(id, &len, json_string_value(text), json_string_length(text)) == YR_OK &&
            yr_node_message(rpc->node, id, &rpc->msg) == YR_OK)
            json_array_append_new(list, yr_record_message(rpc, &rpc->msg));
    }
    return yr_call_ok(call, json_pack("{s:o}", "messages", list));
}

enum yr_end yr_rpc_message_delete(struct yr_call *call)
{
    const json_t *ids = json_object_get(call->params, "ids");
    struct yr_cmd cmd = {.kind = YR_CMD_DELETE};
    uint8_t found[64][YR_MSG_ID_LEN];
    json_t *texts = json_array();
    const size_t count = json_array_size(ids);
    struct yr_pending *pending = NULL;
    struct yr_place place;
    size_t i;

    cmd.flags = yr_call_bool(call, "local", false) ? YR_FLAG_LOCAL : 0;
    for (i = 0; i < count; i++) { // all of them are there, or nothing is done
        if (!yr_call_message(call, json_string_value(json_array_get(ids, i)), found[i]))
            break;
        json_array_append_new(texts, yr_json_id(found[i], YR_MSG_ID_LEN));
    }
    if (i < count || (pending = yr_call_defer(call, finish_delete)) == NULL) {
        json_decref(texts);
        return YR_END_FAILED;
    }
    pending->keep = texts;
    for (i = 0; i < count; i++) {
        memcpy(cmd.msg, found[i], YR_MSG_ID_LEN);
        if (yr_node_place(call->rpc->node, cmd.msg, cmd.conv, &place) == YR_OK)
            yr_pending_command(call, pending, &cmd);
    }
    return yr_call_release(call, pending);
}

/* ---- what is read ---- */

enum yr_end yr_rpc_read_get(struct yr_call *call)
{
    struct yr_rpc *rpc = call->rpc;
    const char *target = yr_call_str(call, "target");
    struct yr_unread unread;
    uint8_t conv[YR_ID_LEN];
    json_t *list;

    if (target != NULL && !yr_call_target(call, target, YR_NAMES_ANY, conv))
        return YR_END_FAILED;
    list = json_array();
    if (target != NULL)
        json_array_append_new(list, yr_record_unread(rpc, conv));
    for (size_t i = 0; target == NULL && i < rpc->names.count + rpc->names.room_count; i++) {
        const struct yr_name *row =
            i < rpc->names.count ? &rpc->names.rows[i] : &rpc->names.rooms[i - rpc->names.count];
        yr_node_unread(rpc->node, row->id, &unread);
        if (unread.count > 0 || unread.mentions > 0)
            json_array_append_new(list, yr_record_unread(rpc, row->id));
    }
    return yr_call_ok(call, json_pack("{s:o}", "unread", list));
}

static enum yr_end finish_read(struct yr_call *call, struct yr_pending *pending)
{
    return pending->err == YR_OK ? yr_call_ok(call, yr_record_unread(call->rpc, pending->conv))
                                 : yr_call_err(call, pending->err);
}

enum yr_end yr_rpc_read_set(struct yr_call *call)
{
    const char *message = yr_call_str(call, "message");
    struct yr_cmd cmd = {.kind = YR_CMD_READ};
    struct yr_pending *pending;
    struct yr_place place;
    uint8_t conv[YR_ID_LEN];

    if (!yr_call_target(call, yr_call_str(call, "target"), YR_NAMES_ANY, cmd.conv))
        return YR_END_FAILED;
    if (message != NULL) {
        if (!yr_call_message(call, message, cmd.msg))
            return YR_END_FAILED;
        if (yr_node_place(call->rpc->node, cmd.msg, conv, &place) != YR_OK ||
            memcmp(conv, cmd.conv, YR_ID_LEN) != 0)
            return yr_call_fail(call, YR_RPC_NO_SUCH_OBJECT, "no message '%s' in there", message);
    }
    if ((pending = yr_call_defer(call, finish_read)) == NULL)
        return YR_END_FAILED;
    memcpy(pending->conv, cmd.conv, YR_ID_LEN);
    yr_pending_command(call, pending, &cmd);
    return yr_call_release(call, pending);
}
