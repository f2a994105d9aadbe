/* rpc_events.c: subscriptions.
 *
 *     live --its reader is behind--> reading the store --has read all--> live
 *
 * A live subscription gets events as they come.  One whose reader has much unread, or that began in
 * the past, is fed from the kept events as its reader takes them: nothing is kept here for it. */
#include <stdlib.h>

#include "cli/common/json.h"
#include "cli/daemon/rpc_internal.h"

#define PUMP_EVENTS_MAX 200   /* read from the store in one go, for all subscriptions together */
#define PUMP_SOON_US    1000  /* more is there and may be sent */
#define PUMP_LATER_US   50000 /* the readers are slow */

static const struct {
    const char *name; /* NULL: not told */
    bool kept;
} kinds[YR_EVENT_KINDS] = {[YR_EV_DONE] = {NULL, false},
                           [YR_EV_MESSAGE] = {"message", true},
                           [YR_EV_STATE] = {"message.state", true},
                           [YR_EV_EDIT] = {"message.edit", true},
                           [YR_EV_DELETE] = {"message.delete", true},
                           [YR_EV_REACTION] = {"reaction", true},
                           [YR_EV_READ] = {"read", true},
                           [YR_EV_FRIEND] = {"friend", true},
                           [YR_EV_PRESENCE] = {"presence", false},
                           [YR_EV_REQUEST] = {"request", true},
                           [YR_EV_NET] = {"net", false},
                           [YR_EV_NOTICE] = {"notice", true},
                           [YR_EV_ROOM] = {"room", true},
                           [YR_EV_MEMBER] = {"member", true},
                           [YR_EV_TYPING] = {"typing", false}};

const char *yr_event_name(enum yr_event_kind kind)
{
    return kinds[kind].name;
}

bool yr_event_kind_of(const char *name, enum yr_event_kind *out)
{
    for (unsigned kind = 0; kind < YR_EVENT_KINDS; kind++)
        if (kinds[kind].name != NULL && strcmp(kinds[kind].name, name) == 0) {
            *out = (enum yr_event_kind)kind;
            return true;
        }
    return false;
}

/* ---- records ---- */

static json_t *message_data(struct yr_rpc *rpc, const struct yr_event *event)
{
    if (event->kind == YR_EV_STATE && event->state == YR_STATE_READ &&
        !yr_shows_read(rpc, event->conv))
        return NULL;
    if (yr_node_message(rpc->node, event->msg, &rpc->msg) != YR_OK)
        return NULL; // its conversation was forgotten since
    json_t *message = yr_record_message(rpc, &rpc->msg);
    if (event->kind == YR_EV_STATE) // as it was then: a replay shows each step
        json_object_set_new(
            message, "state",
            json_string(yr_state_name(rpc, event->conv, event->state, rpc->msg.own)));
    return message;
}

static json_t *friend_data(struct yr_rpc *rpc, const struct yr_event *event)
{
    struct yr_friend_info info;

    if (!event->gone && yr_node_friend(rpc->node, event->conv, &info) == YR_OK)
        return yr_record_friend(rpc, &info, false);
    return json_pack("{s:o, s:b}", "friend", yr_record_ref(rpc, event->conv), "gone", 1);
}

/* How a friend is now: it is not kept. */
static json_t *presence_data(struct yr_rpc *rpc, const struct yr_event *event)
{
    struct yr_friend_info info = {.online = event->online};
    json_t *data = json_object();

    if (yr_node_friend(rpc->node, event->conv, &info) == YR_OK)
        info.online = event->online;
    json_object_set_new(data, "friend", yr_record_ref(rpc, event->conv));
    json_object_set_new(data, "state", json_string_nocheck(yr_friend_state(&info)));
    if (info.away && info.away_text[0] != '\0')
        yr_json_put_str(data, "away_text", info.away_text);
    return data;
}

static json_t *request_data(struct yr_rpc *rpc, const struct yr_event *event)
{
    struct yr_add_info add;
    struct yr_invite_info invite;

    if (yr_rpc_add(rpc, event->text, &add))
        return yr_record_request(rpc, &add);
    if (yr_rpc_invite(rpc, event->text, &invite))
        return yr_record_invite(rpc, &invite);
    return json_pack("{s:s, s:b}", "invite", event->text, "gone", 1);
}

static json_t *room_data(struct yr_rpc *rpc, const struct yr_event *event)
{
    struct yr_room_info info;

    if (!event->gone && yr_node_room(rpc->node, event->conv, &info) == YR_OK)
        return yr_record_room(rpc, &info);
    return json_pack("{s:o, s:b}", "room", yr_record_room_ref(rpc, event->conv), "gone", 1);
}

static json_t *member_data(struct yr_rpc *rpc, const struct yr_event *event)
{
    struct yr_member_info info;

    if (!event->gone && yr_node_member(rpc->node, event->conv, event->who, &info) == YR_OK)
        return yr_record_member(rpc, event->conv, &info);
    return json_pack("{s:o, s:o, s:b}", "room", yr_record_room_ref(rpc, event->conv), "member",
                     yr_record_member_ref(rpc, event->conv, event->who), "gone", 1);
}

static json_t *event_data(struct yr_rpc *rpc, const struct yr_event *event)
{
    switch (event->kind) {
    case YR_EV_MESSAGE:
    case YR_EV_STATE:
    case YR_EV_EDIT:
    case YR_EV_DELETE:
    case YR_EV_REACTION: return message_data(rpc, event);
    case YR_EV_READ: return yr_record_unread(rpc, event->conv);
    case YR_EV_FRIEND: return friend_data(rpc, event);
    case YR_EV_PRESENCE: return presence_data(rpc, event);
    case YR_EV_REQUEST: return request_data(rpc, event);
    case YR_EV_TYPING:
        return json_pack("{s:o, s:b}", "friend", yr_record_ref(rpc, event->conv), "typing",
                         event->online);
    case YR_EV_NET: return yr_record_status(rpc);
    case YR_EV_ROOM: return room_data(rpc, event);
    case YR_EV_MEMBER: return member_data(rpc, event);
    case YR_EV_NOTICE: return json_pack("{s:o}", "text", yr_json_text(event->text));
    case YR_EV_DONE:
    case YR_EV_KIND_COUNT: break;
    }
    return NULL;
}

static json_t *event_object(uint64_t cursor, const char *name, yr_ms time_ms, json_t *data)
{
    json_t *object =
        json_pack("{s:s, s:I, s:s}", "type", "event", "cursor", (json_int_t)cursor, "event", name);
    yr_json_put_time(object, "time", time_ms);
    json_object_set_new(object, "data", data);
    return object;
}

json_t *yr_record_event(struct yr_rpc *rpc, const struct yr_event *event)
{
    json_t *data = kinds[event->kind].name == NULL ? NULL : event_data(rpc, event);
    return data == NULL
               ? NULL
               : event_object(event->cursor, kinds[event->kind].name, event->time_ms, data);
}

/* ---- lines ---- */

/* One event, written once for all who get it: only the number of the subscription differs. */
static void send_event(struct yr_rpc *rpc, const struct yr_sub *sub, const char *body, size_t len)
{
    yr_buf_cut(&rpc->out, 0);
    yr_buf_addf(&rpc->out,
                "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"sub\":%" PRId64 ",",
                sub->id);
    yr_buf_add(&rpc->out, body + 1, len - 1); // without its opening brace
    yr_buf_adds(&rpc->out, "}\n");
    rpc->env.send(rpc->env.ctx, sub->client->conn, rpc->out.at, rpc->out.len);
    rpc->events++;
}

static void send_object(struct yr_rpc *rpc, const struct yr_sub *sub, json_t *object)
{
    struct yr_buf body = {0};

    yr_json_dump(&body, object);
    send_event(rpc, sub, body.at, body.len);
    yr_buf_clear(&body);
    json_decref(object);
}

static bool wants(const struct yr_sub *sub, const struct yr_event *event)
{
    if ((sub->kinds & 1u << event->kind) == 0)
        return false;
    if (sub->target_count == 0)
        return true;
    for (size_t i = 0; i < sub->target_count; i++)
        if (memcmp(sub->targets[i], event->conv, YR_ID_LEN) == 0)
            return true;
    return false;
}

static bool may_send(const struct yr_rpc *rpc, const struct yr_sub *sub)
{
    return rpc->env.unsent(rpc->env.ctx, sub->client->conn) < YR_RPC_UNSENT_HIGH;
}

/* ---- live ---- */

static void fall_behind(struct yr_rpc *rpc, struct yr_sub *sub)
{
    const yr_us at = rpc->env.now(rpc->env.ctx).mono_us + PUMP_LATER_US;
    sub->live = false;
    rpc->behind = true;
    if (at < rpc->pump_at)
        rpc->pump_at = at;
}

void yr_rpc_publish(struct yr_rpc *rpc, const struct yr_event *event)
{
    struct yr_buf body = {0};
    bool tried = false;

    for (struct yr_sub *sub = rpc->subs; sub != NULL; sub = sub->next) {
        const bool kept = kinds[event->kind].kept, wanted = wants(sub, event);
        if (kept && sub->live && event->cursor <= sub->cursor)
            continue; // read from the store before it was told here
        if (wanted && sub->live && !may_send(rpc, sub))
            fall_behind(rpc, sub);
        if (!sub->live) {
            sub->stale |= wanted && !kept;
            continue;
        }
        if (kept)
            sub->cursor = event->cursor;
        if (!wanted)
            continue;
        if (!tried) { // made at most once, and only if somebody listens
            json_t *record = yr_record_event(rpc, event);
            tried = true;
            if (record != NULL)
                yr_json_dump(&body, record);
            json_decref(record);
        }
        if (body.len > 0)
            send_event(rpc, sub, body.at, body.len);
    }
    yr_buf_clear(&body);
}

/* ---- behind ---- */

/* Presence and net are not kept: tell how they are now. */
static void catch_up(struct yr_rpc *rpc, struct yr_sub *sub)
{
    struct yr_event event = {.kind = YR_EV_NET, .cursor = sub->cursor};
    struct yr_friend_info info;

    event.time_ms = rpc->env.now(rpc->env.ctx).wall_ms;
    sub->stale = false;
    if (wants(sub, &event))
        send_object(rpc, sub, yr_record_event(rpc, &event));
    event.kind = YR_EV_PRESENCE;
    for (size_t i = 0; yr_node_friend_at(rpc->node, i, &info); i++) {
        memcpy(event.conv, info.id, YR_ID_LEN);
        event.online = info.online;
        if (wants(sub, &event))
            send_object(rpc, sub, yr_record_event(rpc, &event));
    }
}

static void send_gap(struct yr_rpc *rpc, struct yr_sub *sub, uint64_t next)
{
    json_t *data =
        json_pack("{s:I, s:I}", "after", (json_int_t)sub->cursor, "next", (json_int_t)next);
    send_object(
        rpc, sub,
        event_object(next > 0 ? next - 1 : 0, "gap", rpc->env.now(rpc->env.ctx).wall_ms, data));
}

/* One event from the store; false: there is none, the subscription is live again. */
static bool pump_one(struct yr_rpc *rpc, struct yr_sub *sub)
{
    struct yr_event event;
    bool gap = false;

    if (yr_node_event_after(rpc->node, sub->cursor, &event, &gap) != YR_OK) {
        sub->live = true;
        if (sub->lost)
            send_gap(rpc, sub, sub->cursor + 1);
        sub->lost = false;
        if (sub->stale)
            catch_up(rpc, sub);
        return false;
    }
    if (gap || sub->lost)
        send_gap(rpc, sub, event.cursor);
    sub->lost = false;
    sub->cursor = event.cursor;
    if (wants(sub, &event)) {
        json_t *record = yr_record_event(rpc, &event);
        if (record != NULL)
            send_object(rpc, sub, record);
    }
    return true;
}

void yr_rpc_pump(struct yr_rpc *rpc)
{
    unsigned budget = PUMP_EVENTS_MAX, behind = 0;
    bool more = true;

    while (budget > 0 && more) { // one event each, in turn: none starves
        more = false;
        behind = 0;
        for (struct yr_sub *sub = rpc->subs; sub != NULL; sub = sub->next) {
            if (sub->live)
                continue;
            behind++;
            if (budget > 0 && may_send(rpc, sub)) {
                more = true;
                budget--;
                pump_one(rpc, sub);
            }
        }
    }
    rpc->behind = behind > 0;
    rpc->pump_at = !rpc->behind
                       ? YR_NEVER
                       : rpc->env.now(rpc->env.ctx).mono_us + (more ? PUMP_SOON_US : PUMP_LATER_US);
}

/* ---- methods ---- */

static void sub_free(struct yr_rpc *rpc, struct yr_sub *sub)
{
    for (struct yr_sub **at = &rpc->subs; *at != NULL; at = &(*at)->next)
        if (*at == sub) {
            *at = sub->next;
            break;
        }
    free(sub->targets);
    free(sub);
}

void yr_rpc_unsubscribe_all(struct yr_rpc *rpc, struct yr_rpc_client *client)
{
    for (struct yr_sub *sub = rpc->subs, *next; sub != NULL; sub = next) {
        next = sub->next;
        if (sub->client == client)
            sub_free(rpc, sub);
    }
}

/* Which events and conversations; false: call->fail says what is wrong with them. */
static bool read_filters(struct yr_call *call, struct yr_sub *sub)
{
    const json_t *types = json_object_get(call->params, "types"),
                 *targets = json_object_get(call->params, "targets");
    enum yr_event_kind kind;

    sub->kinds = types == NULL ? UINT32_MAX : 0;
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *name = json_string_value(json_array_get(types, i));
        if (strcmp(name, "gap") == 0)
            continue; // always told
        if (!yr_event_kind_of(name, &kind)) {
            yr_call_fail(call, YR_RPC_INVALID_PARAMS, "no event '%.40s'", name);
            return false;
        }
        sub->kinds |= 1u << kind;
    }
    if (targets != NULL)
        sub->targets = yr_xrealloc(NULL, json_array_size(targets) * sizeof *sub->targets);
    for (; sub->target_count < json_array_size(targets); sub->target_count++)
        if (!yr_call_target(call, json_string_value(json_array_get(targets, sub->target_count)),
                            YR_NAMES_ANY, sub->targets[sub->target_count]))
            return false;
    return true;
}

enum yr_end yr_rpc_events_subscribe(struct yr_call *call)
{
    struct yr_rpc *rpc = call->rpc;
    const json_t *since = json_object_get(call->params, "since");
    struct yr_sub filter = {.client = call->client, .live = true}, *sub;
    struct yr_self self;

    if (!call->client->greeted)
        return yr_call_fail(call, YR_RPC_UNSUPPORTED, "say hello first");
    if (call->client->sub_count >= YR_RPC_SUBS_MAX)
        return yr_call_fail(call, YR_RPC_RATE_LIMITED, "more than %d subscriptions",
                            YR_RPC_SUBS_MAX);
    if (json_is_string(since) && strcmp(json_string_value(since), "now") != 0)
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS, "since must be a cursor or \"now\"");
    if (!read_filters(call, &filter)) {
        free(filter.targets);
        return YR_END_FAILED;
    }
    yr_node_self(rpc->node, &self);
    filter.cursor = self.cursor;
    if (json_is_integer(since) && (uint64_t)json_integer_value(since) != self.cursor) {
        filter.lost = (uint64_t)json_integer_value(since) > self.cursor; // of another store
        if (!filter.lost)
            filter.cursor = (uint64_t)json_integer_value(since);
        filter.live = false;
        rpc->behind = true;
        rpc->pump_at = 0;
    }
    sub = yr_xrealloc(NULL, sizeof *sub);
    *sub = filter;
    sub->id = ++rpc->last_sub;
    sub->next = rpc->subs;
    rpc->subs = sub;
    call->client->sub_count++;
    rpc->env.hold(rpc->env.ctx, call->client->conn);
    return yr_call_ok(call, json_pack("{s:I, s:I}", "sub", (json_int_t)sub->id, "cursor",
                                      (json_int_t)sub->cursor));
}

enum yr_end yr_rpc_events_unsubscribe(struct yr_call *call)
{
    const int64_t id = yr_call_int(call, "sub", 0);

    for (struct yr_sub *sub = call->rpc->subs; sub != NULL; sub = sub->next)
        if (sub->id == id && sub->client == call->client) {
            sub_free(call->rpc, sub);
            call->client->sub_count--;
            call->rpc->env.release(call->rpc->env.ctx, call->client->conn);
            return yr_call_ok(call, NULL);
        }
    return yr_call_fail(call, YR_RPC_NO_SUCH_OBJECT, "no subscription %" PRId64, id);
}
