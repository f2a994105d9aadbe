#include "cli/daemon/rpc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/common/json.h"
#include "cli/daemon/rpc_internal.h"

#define BUDGET_US      10000 /* of heavy requests at once */
#define BUDGET_PART    2     /* they get one of so many microseconds */
#define TURNS_LATER_US 20000 /* those who wait for their turn do not read */

static void drop_turns(struct yr_rpc *rpc, struct yr_rpc_client *client);

/* ---- life ---- */

enum yr_err yr_rpc_new(struct yr_rpc **out, struct yr_node *node, const struct yr_rpc_env *env)
{
    struct yr_rpc *rpc = calloc(1, sizeof *rpc);
    if (rpc == NULL)
        return YR_ENOMEM;
    rpc->node = node;
    rpc->env = *env;
    rpc->next_deadline = YR_NEVER;
    rpc->pump_at = YR_NEVER;
    rpc->sample_at = YR_NEVER;
    *out = rpc;
    return YR_OK;
}

void yr_rpc_free(struct yr_rpc *rpc)
{
    if (rpc == NULL)
        return;
    while (rpc->clients != NULL)
        yr_rpc_client_gone(rpc, rpc->clients);
    yr_pending_clear(rpc);
    yr_names_clear(&rpc->names);
    yr_stats_clear(rpc);
    yr_buf_clear(&rpc->out);
    free(rpc);
}

struct yr_rpc_client *yr_rpc_client_new(struct yr_rpc *rpc, void *conn)
{
    struct yr_rpc_client *client;
    if (rpc->client_count >= YR_RPC_CLIENTS_MAX || (client = calloc(1, sizeof *client)) == NULL)
        return NULL;
    client->conn = conn;
    client->turns_end = &client->turns;
    client->next = rpc->clients;
    rpc->clients = client;
    rpc->client_count++;
    return client;
}

void yr_rpc_client_gone(struct yr_rpc *rpc, struct yr_rpc_client *client)
{
    if (client == NULL)
        return;
    yr_rpc_unsubscribe_all(rpc, client);
    drop_turns(rpc, client);
    yr_pending_orphan(rpc, client);
    for (struct yr_rpc_client **at = &rpc->clients; *at != NULL; at = &(*at)->next)
        if (*at == client) {
            *at = client->next;
            break;
        }
    rpc->client_count--;
    free(client);
}

void yr_rpc_set_read_receipts(struct yr_rpc *rpc, bool on)
{
    rpc->read_receipts = on;
}

bool yr_rpc_counter(const struct yr_rpc *rpc, size_t i, struct yr_counter *out)
{
    const struct yr_counter counters[] = {{"rpc.clients", rpc->client_count},
                                          {"rpc.requests", rpc->requests},
                                          {"rpc.errors", rpc->errors},
                                          {"rpc.refused", rpc->refused},
                                          {"rpc.events", rpc->events}};
    if (i >= YR_COUNT_OF(counters))
        return false;
    *out = counters[i];
    return true;
}

/* ---- answers ---- */

void yr_rpc_send(struct yr_rpc *rpc, struct yr_rpc_client *client, json_t *object)
{
    if (client != NULL) {
        yr_buf_cut(&rpc->out, 0);
        yr_json_dump(&rpc->out, object);
        yr_buf_addc(&rpc->out, '\n');
        rpc->env.send(rpc->env.ctx, client->conn, rpc->out.at, rpc->out.len);
    }
    json_decref(object);
}

enum yr_end yr_call_ok(struct yr_call *call, json_t *result)
{
    call->result = result;
    return YR_END_OK;
}

enum yr_end yr_call_fail(struct yr_call *call, int code, const char *format, ...)
{
    va_list args;
    json_decref(call->fail.candidates);
    memset(&call->fail, 0, sizeof call->fail);
    call->fail.code = code;
    va_start(args, format);
    vsnprintf(call->fail.message, sizeof call->fail.message, format, args);
    va_end(args);
    return YR_END_FAILED;
}

void yr_call_hint(struct yr_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(call->fail.hint, sizeof call->fail.hint, format, args);
    va_end(args);
}

enum yr_end yr_call_err(struct yr_call *call, enum yr_err err)
{
    static const int codes[YR_ERR_COUNT] = {
        [YR_OK] = YR_RPC_INTERNAL,
        [YR_ENOMEM] = YR_RPC_RATE_LIMITED, // a cap of the node's: later there is room again
        [YR_EIO] = YR_RPC_IO,
        [YR_ENOSPC] = YR_RPC_IO,
        [YR_EFULL] = YR_RPC_TOO_LARGE,
        [YR_ESIZE] = YR_RPC_TOO_LARGE,
        [YR_EPROTO] = YR_RPC_INVALID_PARAMS,
        [YR_EAUTH] = YR_RPC_DENIED,
        [YR_ECORRUPT] = YR_RPC_IO,
        [YR_EINVAL] = YR_RPC_INVALID_PARAMS,
        [YR_ENOENT] = YR_RPC_NO_SUCH_OBJECT,
        [YR_ENOFRIEND] = YR_RPC_NO_SUCH_TARGET,
        [YR_EEXIST] = YR_RPC_EXISTS,
        [YR_ELOCKED] = YR_RPC_LOCKED,
        [YR_ENOID] = YR_RPC_NO_IDENTITY,
        [YR_EEXPIRED] = YR_RPC_EXPIRED,
        [YR_ESPENT] = YR_RPC_EXPIRED,
        [YR_EREVOKED] = YR_RPC_EXPIRED,
        [YR_EOWN] = YR_RPC_BAD_LINK,
        [YR_EDENIED] = YR_RPC_DENIED,
        [YR_ERETIRED] = YR_RPC_DENIED,
        [YR_EAGAIN] = YR_RPC_RATE_LIMITED,
        [YR_EVERSION] = YR_RPC_UNSUPPORTED,
    };

    yr_call_fail(call, (unsigned)err < YR_ERR_COUNT ? codes[err] : YR_RPC_INTERNAL, "%s",
                 yr_strerror(err));
    if (err == YR_ELOCKED)
        yr_call_hint(call, "yaari key unlock");
    if (err == YR_ENOID)
        yr_call_hint(call, "yaari init");
    return YR_END_FAILED;
}

static json_t *envelope(json_t *id)
{
    json_t *line = json_object();
    json_object_set_new(line, "jsonrpc", json_string("2.0"));
    json_object_set_new(line, "id", id == NULL ? json_null() : json_incref(id));
    return line;
}

/* The error a call ended with, as UX words it: code, name, sentence, exit code, hint, candidates.
 */
static json_t *error_object(struct yr_rpc_fail *fail)
{
    json_t *error = json_object(), *data = json_object();

    json_object_set_new(data, "name", json_string(yr_rpc_err_name(fail->code)));
    json_object_set_new(
        data, "exit",
        json_integer(fail->exit != 0 ? fail->exit : (int)yr_rpc_err_exit(fail->code)));
    if (fail->hint[0] != '\0')
        json_object_set_new(data, "hint", yr_json_text(fail->hint));
    if (fail->id[0] != '\0')
        json_object_set_new(data, "id", json_string(fail->id));
    if (fail->candidates != NULL)
        json_object_set_new(data, "candidates", fail->candidates);
    fail->candidates = NULL;
    json_object_set_new(error, "code", json_integer(fail->code));
    json_object_set_new(error, "message", yr_json_text(fail->message));
    json_object_set_new(error, "data", data);
    return error;
}

void yr_call_answer(struct yr_call *call, enum yr_end end)
{
    if (end == YR_END_LATER)
        return;
    json_t *line = envelope(call->id);
    if (end == YR_END_OK) {
        json_object_set_new(line, "result", call->result == NULL ? json_object() : call->result);
    } else {
        call->rpc->errors++;
        json_object_set_new(line, "error", error_object(&call->fail));
        json_decref(call->result);
    }
    call->result = NULL;
    yr_rpc_send(call->rpc, call->client, line);
}

/* ---- parameters ---- */

const char *yr_call_str(const struct yr_call *call, const char *name)
{
    return json_string_value(json_object_get(call->params, name));
}

bool yr_call_has(const struct yr_call *call, const char *name)
{
    return json_object_get(call->params, name) != NULL;
}

bool yr_call_bool(const struct yr_call *call, const char *name, bool absent)
{
    const json_t *value = json_object_get(call->params, name);
    return value == NULL ? absent : json_is_true(value);
}

int64_t yr_call_int(const struct yr_call *call, const char *name, int64_t absent)
{
    const json_t *value = json_object_get(call->params, name);
    return value == NULL ? absent : json_integer_value(value);
}

static bool in_range(const struct yr_param *param, int64_t n)
{
    return (param->min == 0 && param->max == 0) || (n >= param->min && n <= param->max);
}

static bool value_fits(const struct yr_param *param, const json_t *value)
{
    const json_t *item;
    size_t i;

    switch (param->type) {
    case YR_P_STR: return json_is_string(value);
    case YR_P_INT: return json_is_integer(value);
    case YR_P_BOOL: return json_is_boolean(value);
    case YR_P_STR_NULL: return json_is_string(value) || json_is_null(value);
    case YR_P_STR_INT: return json_is_string(value) || json_is_integer(value);
    case YR_P_STRS:
        if (!json_is_array(value))
            return false;
        json_array_foreach((json_t *)(uintptr_t)value, i,
                           item) if (!json_is_string(item)) return false;
        return true;
    }
    return false;
}

static bool value_in_range(const struct yr_param *param, const json_t *value)
{
    if (json_is_string(value))
        return in_range(param, (int64_t)json_string_length(value));
    if (json_is_integer(value))
        return in_range(param, json_integer_value(value));
    if (json_is_array(value))
        return in_range(param, (int64_t)json_array_size(value));
    return true;
}

static const struct yr_param *param_find(const struct yr_method *method, const char *name)
{
    for (const struct yr_param *param = method->params; param->name != NULL; param++)
        if (strcmp(param->name, name) == 0)
            return param;
    return NULL;
}

static bool params_ok(struct yr_call *call)
{
    static const char *const types[] = {[YR_P_STR] = "a string",
                                        [YR_P_INT] = "an integer",
                                        [YR_P_BOOL] = "true or false",
                                        [YR_P_STRS] = "an array of strings",
                                        [YR_P_STR_NULL] = "a string or null",
                                        [YR_P_STR_INT] = "a string or an integer"};
    const char *name;
    json_t *value;

    json_object_foreach(call->params, name, value)
    {
        const struct yr_param *param = param_find(call->method, name);
        if (param == NULL) {
            yr_call_fail(call, YR_RPC_INVALID_PARAMS, "%s has no parameter '%.64s'",
                         call->method->name, name);
            yr_call_hint(call, "yaari rpc --describe %s", call->method->name);
            return false;
        }
        if (!value_fits(param, value)) {
            yr_call_fail(call, YR_RPC_INVALID_PARAMS, "%s must be %s", name, types[param->type]);
            return false;
        }
        if (!value_in_range(param, value)) {
            const char *unit = json_is_string(value)  ? " bytes long"
                               : json_is_array(value) ? " entries long"
                                                      : "";
            yr_call_fail(call, YR_RPC_INVALID_PARAMS, "%s must be %" PRId64 " to %" PRId64 "%s",
                         name, param->min, param->max, unit);
            return false;
        }
    }
    for (const struct yr_param *param = call->method->params; param->name != NULL; param++)
        if (param->required && !yr_call_has(call, param->name)) {
            yr_call_fail(call, YR_RPC_INVALID_PARAMS, "%s needs %s", call->method->name,
                         param->name);
            return false;
        }
    return true;
}

/* ---- requests ---- */

static enum yr_end run(struct yr_call *call)
{
    struct yr_self self;

    if (call->method->open) {
        yr_node_self(call->rpc->node, &self);
        if (!self.unlocked || !self.has_identity) {
            struct yr_rpc_status status;
            call->rpc->env.status(call->rpc->env.ctx, &status);
            return yr_call_err(call, !self.unlocked && status.vault ? YR_ELOCKED : YR_ENOID);
        }
        yr_names_read(&call->rpc->names, call->rpc->node);
    }
    return call->method->run(call);
}

/* ---- turns ---- */

/* What heavy requests may take now: filled with a part of the time that passes. */
static int64_t budget(struct yr_rpc *rpc, yr_us now)
{
    rpc->budget_us += (int64_t)((now - rpc->budget_at) / BUDGET_PART);
    if (rpc->budget_us > BUDGET_US)
        rpc->budget_us = BUDGET_US;
    rpc->budget_at = now;
    return rpc->budget_us;
}

static enum yr_end run_heavy(struct yr_call *call)
{
    struct yr_rpc *rpc = call->rpc;
    const enum yr_end end = run(call);

    rpc->budget_us -= (int64_t)(rpc->env.now(rpc->env.ctx).mono_us - call->now.mono_us);
    return end;
}

/* Put a request behind the others of its client that wait for their turn. */
static enum yr_end wait_turn(struct yr_call *call)
{
    struct yr_pending *pending = yr_call_defer(call, NULL);

    if (pending == NULL)
        return YR_END_FAILED;
    pending->params = json_incref(call->params);
    *call->client->turns_end = pending;
    call->client->turns_end = &pending->next;
    call->rpc->turn_count++;
    return YR_END_LATER;
}

/* Does it read what it asks for?  If not, it gets no more until it does. */
static bool reads(const struct yr_rpc *rpc, const struct yr_rpc_client *client)
{
    return rpc->env.unsent(rpc->env.ctx, client->conn) < YR_RPC_UNSENT_HIGH;
}

/* The next client with a request that waits and may run, put behind all others; NULL: there is
 * none. */
static struct yr_rpc_client *next_turn(struct yr_rpc *rpc)
{
    struct yr_rpc_client *client, **at = &rpc->clients;

    while (*at != NULL && ((*at)->turns == NULL || !reads(rpc, *at)))
        at = &(*at)->next;
    if ((client = *at) == NULL)
        return NULL;
    *at = client->next;
    client->next = NULL;
    for (at = &rpc->clients; *at != NULL;)
        at = &(*at)->next;
    *at = client;
    return client;
}

static struct yr_pending *pop_turn(struct yr_rpc *rpc, struct yr_rpc_client *client)
{
    struct yr_pending *pending = client->turns;

    client->turns = pending->next;
    if (client->turns == NULL)
        client->turns_end = &client->turns;
    pending->next = NULL;
    rpc->turn_count--;
    return pending;
}

static void run_turns(struct yr_rpc *rpc)
{
    struct yr_rpc_client *client;

    while (budget(rpc, rpc->env.now(rpc->env.ctx).mono_us) > 0 && rpc->turn_count > 0) {
        if ((client = next_turn(rpc)) == NULL) {
            rpc->turns_at = rpc->budget_at + TURNS_LATER_US;
            return;
        }
        struct yr_pending *pending = pop_turn(rpc, client);
        struct yr_call call = {.rpc = rpc,
                               .client = client,
                               .method = pending->method,
                               .id = json_incref(pending->id),
                               .params = json_incref(pending->params),
                               .now = rpc->env.now(rpc->env.ctx)};
        yr_pending_free(rpc, pending); // before the handler, which may need the slot
        yr_call_answer(&call, run_heavy(&call));
        json_decref(call.id);
        json_decref(call.params);
    }
}

static void drop_turns(struct yr_rpc *rpc, struct yr_rpc_client *client)
{
    while (client->turns != NULL) {
        struct yr_pending *pending = pop_turn(rpc, client);
        pending->client = NULL; // nobody is told
        client->pending_count--;
        yr_pending_free(rpc, pending);
    }
}

/* When the next turn is due. */
static yr_us turns_deadline(const struct yr_rpc *rpc)
{
    const yr_us budget_at = rpc->budget_us > 0
                                ? rpc->budget_at
                                : rpc->budget_at + (yr_us)(1 - rpc->budget_us) * BUDGET_PART;

    if (rpc->turn_count == 0)
        return YR_NEVER;
    return budget_at > rpc->turns_at ? budget_at : rpc->turns_at;
}

static enum yr_end run_or_wait(struct yr_call *call)
{
    if (!params_ok(call))
        return YR_END_FAILED;
    if (!call->method->heavy)
        return run(call);
    if (call->client->turns != NULL || budget(call->rpc, call->now.mono_us) <= 0 ||
        !reads(call->rpc, call->client))
        return wait_turn(call);
    return run_heavy(call);
}

/* ---- lines ---- */

/* Refuse a line that is no request. */
static void refuse(struct yr_rpc *rpc, struct yr_rpc_client *client, json_t *id, int code,
                   const char *message)
{
    struct yr_call call = {.rpc = rpc, .client = client, .id = id};
    rpc->refused++;
    yr_call_fail(&call, code, "%s", message);
    yr_call_answer(&call, YR_END_FAILED);
}

void yr_rpc_line_too_long(struct yr_rpc *rpc, struct yr_rpc_client *client)
{
    refuse(rpc, client, NULL, YR_RPC_INVALID_REQUEST, "a request is one line of at most 1 MiB");
}

/* The reason why this JSON is no JSON-RPC 2.0 request, or NULL. */
static const char *request_fault(const json_t *request)
{
    static const char *const members[] = {"jsonrpc", "id", "method", "params"};
    const json_t *version = json_object_get(request, "jsonrpc"),
                 *id = json_object_get(request, "id"), *params = json_object_get(request, "params");
    size_t known = 0;

    if (json_is_array(request))
        return "batches are not supported: one request a line";
    if (!json_is_object(request))
        return "a request is an object";
    if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0)
        return "jsonrpc must be \"2.0\"";
    if (id != NULL && !json_is_string(id) && !json_is_integer(id))
        return "id must be a string or an integer";
    if (json_is_string(id) && json_string_length(id) > 256)
        return "id is too long (256 bytes)";
    if (!json_is_string(json_object_get(request, "method")))
        return "method must be a string";
    if (params != NULL && !json_is_object(params) && !json_is_array(params))
        return "params must be an object";
    for (size_t i = 0; i < YR_COUNT_OF(members); i++)
        known += json_object_get(request, members[i]) != NULL;
    return json_object_size(request) == known ? NULL : "a member that JSON-RPC does not know";
}

static void request_run(struct yr_rpc *rpc, struct yr_rpc_client *client, json_t *request)
{
    json_t *name = json_object_get(request, "method"), *none = NULL;
    struct yr_call call = {.rpc = rpc, .client = client, .id = json_object_get(request, "id")};

    if (call.id == NULL)
        return; // a notification: nothing here is worth doing without an answer
    rpc->requests++;
    call.now = rpc->env.now(rpc->env.ctx);
    call.method = yr_method_find(json_string_value(name), json_string_length(name));
    call.params = json_object_get(request, "params");
    if (call.params == NULL)
        call.params = none = json_object();
    if (call.method == NULL) {
        yr_call_fail(&call, YR_RPC_NO_SUCH_METHOD, "no method '%.64s'", json_string_value(name));
        yr_call_hint(&call, "yaari rpc --list");
        yr_call_answer(&call, YR_END_FAILED);
    } else if (!json_is_object(call.params)) {
        yr_call_fail(&call, YR_RPC_INVALID_PARAMS, "params must be an object");
        yr_call_answer(&call, YR_END_FAILED);
    } else {
        yr_call_answer(&call, run_or_wait(&call));
    }
    json_decref(none);
}

void yr_rpc_line(struct yr_rpc *rpc, struct yr_rpc_client *client, const char *line, size_t len)
{
    json_error_t error;
    json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    const char *fault;
    json_t *id;

    if (request == NULL) {
        char message[200];
        snprintf(message, sizeof message, "not JSON: %.120s at byte %d", error.text,
                 error.position);
        refuse(rpc, client, NULL, YR_RPC_PARSE, message);
        return;
    }
    if ((fault = request_fault(request)) != NULL) {
        id = json_object_get(request, "id");
        if (!json_is_integer(id) && (!json_is_string(id) || json_string_length(id) > 256))
            id = NULL;
        refuse(rpc, client, id, YR_RPC_INVALID_REQUEST, fault);
    } else {
        request_run(rpc, client, request);
    }
    json_decref(request);
}

/* ---- time and events ---- */

void yr_rpc_vault_moved(struct yr_rpc *rpc)
{
    yr_names_clear(&rpc->names);
    if (rpc->sample_at == YR_NEVER)
        rpc->sample_at = 0;
}

void yr_rpc_tick(struct yr_rpc *rpc)
{
    const struct yr_now moment = rpc->env.now(rpc->env.ctx);
    const yr_us now = moment.mono_us;

    yr_pending_expire(rpc, now);
    yr_stats_tick(rpc, moment);
    if (now >= turns_deadline(rpc))
        run_turns(rpc);
    if (now >= rpc->pump_at)
        yr_rpc_pump(rpc);
}

yr_us yr_rpc_deadline(const struct yr_rpc *rpc)
{
    const yr_us times[] = {rpc->next_deadline, rpc->pump_at, rpc->sample_at};
    yr_us next = turns_deadline(rpc);

    for (size_t i = 0; i < YR_COUNT_OF(times); i++)
        next = times[i] < next ? times[i] : next;
    return next;
}

void yr_rpc_event(struct yr_rpc *rpc, const struct yr_event *event)
{
    if (event->kind == YR_EV_FRIEND || event->kind == YR_EV_DONE)
        yr_names_stale(&rpc->names);
    if (event->kind == YR_EV_DONE) {
        yr_pending_done(rpc, event->ticket, event->err, event);
        return;
    }
    if (event->kind == YR_EV_STATE)
        yr_pending_reached(rpc, event);
    yr_rpc_publish(rpc, event);
}
