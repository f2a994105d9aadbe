#include "cli/daemon/rpc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/common/json.h"
#include "cli/daemon/rpc_internal.h"

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
    *out = rpc;
    return YR_OK;
}

void yr_rpc_free(struct yr_rpc *rpc)
{
    if (rpc == NULL)
        return;
    while (rpc->clients != NULL)
        yr_rpc_client_gone(rpc, rpc->clients);
    for (size_t i = 0; i < rpc->pending_count; i++) {
        json_decref(rpc->pending[i]->id);
        json_decref(rpc->pending[i]->keep);
        free(rpc->pending[i]);
    }
    free(rpc->pending);
    yr_names_clear(&rpc->names);
    yr_buf_clear(&rpc->out);
    free(rpc);
}

struct yr_rpc_client *yr_rpc_client_new(struct yr_rpc *rpc, void *conn)
{
    struct yr_rpc_client *client;
    if (rpc->client_count >= YR_RPC_CLIENTS_MAX || (client = calloc(1, sizeof *client)) == NULL)
        return NULL;
    client->conn = conn;
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
    for (size_t i = 0; i < rpc->pending_count && client->pending_count > 0; i++) {
        struct yr_pending *pending = rpc->pending[i];
        if (pending->used && pending->client == client) {
            pending->client = NULL;
            client->pending_count--;
            if (pending->waiting) {
                pending->deadline_us = 0; // nobody waits any more: the next tick frees it
                rpc->next_deadline = 0;
            }
        }
    }
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

/* Tell the end of a call to whoever asked; a client that has gone is told nothing. */
static void answer(struct yr_call *call, enum yr_end end)
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

    if (!params_ok(call))
        return YR_END_FAILED;
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

/* Refuse a line that is no request. */
static void refuse(struct yr_rpc *rpc, struct yr_rpc_client *client, json_t *id, int code,
                   const char *message)
{
    struct yr_call call = {.rpc = rpc, .client = client, .id = id};
    rpc->refused++;
    yr_call_fail(&call, code, "%s", message);
    answer(&call, YR_END_FAILED);
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
        answer(&call, YR_END_FAILED);
    } else if (!json_is_object(call.params)) {
        yr_call_fail(&call, YR_RPC_INVALID_PARAMS, "params must be an object");
        answer(&call, YR_END_FAILED);
    } else {
        answer(&call, run(&call));
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

/* ---- requests whose answer comes later ---- */

static void pending_free(struct yr_rpc *rpc, struct yr_pending *pending)
{
    if (pending->client != NULL) {
        pending->client->pending_count--;
        rpc->env.release(rpc->env.ctx, pending->client->conn);
    }
    json_decref(pending->id);
    json_decref(pending->keep);
    const uint32_t index = pending->index, generation = pending->generation;
    memset(pending, 0, sizeof *pending);
    pending->index = index;
    pending->generation = generation + 1; // a late DONE with the old ticket finds nothing
    pending->next = rpc->free_pending;
    rpc->free_pending = pending;
}

static struct yr_pending *pending_new(struct yr_rpc *rpc)
{
    struct yr_pending *pending = rpc->free_pending;

    if (pending != NULL) {
        rpc->free_pending = pending->next;
        pending->next = NULL;
        return pending;
    }
    if ((rpc->pending_count & (rpc->pending_count + 1)) == 0) // full at 0, 1, 3, 7, ...
        rpc->pending =
            yr_xrealloc(rpc->pending, (rpc->pending_count * 2 + 1) * sizeof *rpc->pending);
    pending = yr_xrealloc(NULL, sizeof *pending);
    memset(pending, 0, sizeof *pending);
    pending->index = (uint32_t)rpc->pending_count;
    pending->generation = 1;
    rpc->pending[rpc->pending_count++] = pending;
    return pending;
}

uint64_t yr_pending_ticket(const struct yr_pending *pending)
{
    return (uint64_t)pending->generation << 32 | pending->index;
}

static struct yr_pending *pending_of(const struct yr_rpc *rpc, uint64_t ticket)
{
    const size_t index = (size_t)(ticket & UINT32_MAX);
    if (index >= rpc->pending_count)
        return NULL;
    struct yr_pending *pending = rpc->pending[index];
    return pending->used && pending->generation == ticket >> 32 ? pending : NULL;
}

struct yr_pending *yr_call_defer(struct yr_call *call,
                                 enum yr_end (*finish)(struct yr_call *, struct yr_pending *))
{
    if (call->client->pending_count >= YR_RPC_PENDING_MAX) {
        yr_call_fail(call, YR_RPC_RATE_LIMITED, "more than %d requests wait for their answer",
                     YR_RPC_PENDING_MAX);
        return NULL;
    }
    struct yr_pending *pending = pending_new(call->rpc);
    pending->client = call->client;
    pending->client->pending_count++;
    call->rpc->env.hold(call->rpc->env.ctx, call->client->conn);
    pending->id = json_incref(call->id);
    pending->method = call->method;
    pending->finish = finish;
    pending->used = true;
    pending->outstanding = 1;
    pending->deadline_us = YR_NEVER;
    return pending;
}

void yr_pending_count(struct yr_pending *pending, enum yr_err err)
{
    if (err == YR_OK)
        pending->outstanding++;
    else if (pending->err == YR_OK)
        pending->err = err;
}

void yr_pending_command(struct yr_call *call, struct yr_pending *pending, const struct yr_cmd *cmd)
{
    struct yr_rpc_env *env = &call->rpc->env;

    pending->outstanding++; // its DONE may come before the call returns
    const enum yr_err err = env->command(env->ctx, cmd, yr_pending_ticket(pending));
    if (err != YR_OK) {
        pending->outstanding--;
        yr_pending_count(pending, err);
    }
}

enum yr_end yr_call_release(struct yr_call *call, struct yr_pending *pending)
{
    if (--pending->outstanding > 0)
        return YR_END_LATER;
    const enum yr_end end = pending->finish(call, pending);
    if (end != YR_END_LATER)
        pending_free(call->rpc, pending);
    return end;
}

/* Nothing is outstanding any more, or the time is over. */
static void pending_finish(struct yr_rpc *rpc, struct yr_pending *pending)
{
    struct yr_call call = {.rpc = rpc,
                           .client = pending->client,
                           .method = pending->method,
                           .id = pending->id,
                           .now = rpc->env.now(rpc->env.ctx)};
    yr_names_read(&rpc->names, rpc->node);
    const enum yr_end end = pending->finish(&call, pending);
    if (end == YR_END_LATER)
        return;
    answer(&call, end);
    pending_free(rpc, pending);
}

static void pending_done(struct yr_rpc *rpc, uint64_t ticket, enum yr_err err,
                         const struct yr_event *event)
{
    struct yr_pending *pending = pending_of(rpc, ticket);

    if (pending == NULL || pending->outstanding == 0)
        return;
    if (err != YR_OK && pending->err == YR_OK)
        pending->err = err;
    if (event != NULL) {
        static const uint8_t zero[YR_MSG_ID_LEN];
        if (!pending->own_msg && memcmp(event->msg, zero, sizeof zero) != 0)
            memcpy(pending->msg, event->msg, sizeof pending->msg);
        if (event->text[0] != '\0')
            snprintf(pending->text, sizeof pending->text, "%.15s", event->text);
        pending->value_us = event->value_us;
    }
    if (--pending->outstanding == 0)
        pending_finish(rpc, pending);
}

void yr_rpc_done(struct yr_rpc *rpc, uint64_t ticket, enum yr_err err)
{
    yr_names_stale(&rpc->names);
    pending_done(rpc, ticket, err, NULL);
}

void yr_rpc_vault_moved(struct yr_rpc *rpc)
{
    yr_names_stale(&rpc->names);
}

/* ---- waits ---- */

static struct yr_pending **bucket(struct yr_rpc *rpc, const uint8_t msg[YR_MSG_ID_LEN])
{
    return &rpc->waits[(msg[0] | msg[1] << 8) % YR_WAIT_BUCKETS]; // ids are random
}

static void wait_remove(struct yr_rpc *rpc, struct yr_pending *pending)
{
    for (struct yr_pending **at = bucket(rpc, pending->msg); *at != NULL; at = &(*at)->next_wait)
        if (*at == pending) {
            *at = pending->next_wait;
            break;
        }
    pending->next_wait = NULL;
    pending->waiting = false;
    pending->deadline_us = YR_NEVER;
}

void yr_pending_set_deadline(struct yr_rpc *rpc, struct yr_pending *pending, uint64_t timeout_ms)
{
    pending->deadline_us = rpc->env.now(rpc->env.ctx).mono_us + timeout_ms * 1000;
    if (pending->deadline_us < rpc->next_deadline)
        rpc->next_deadline = pending->deadline_us;
}

enum yr_end yr_pending_wait(struct yr_call *call, struct yr_pending *pending)
{
    struct yr_pending **head = bucket(call->rpc, pending->msg);
    pending->waiting = true;
    pending->next_wait = *head;
    *head = pending;
    if (pending->client == NULL) { // gone meanwhile
        pending->deadline_us = 0;
        call->rpc->next_deadline = 0;
    } else if (pending->timeout_ms > 0) {
        yr_pending_set_deadline(call->rpc, pending, pending->timeout_ms);
    }
    return YR_END_LATER;
}

static void state_reached(struct yr_rpc *rpc, const struct yr_event *event)
{
    for (struct yr_pending *at = *bucket(rpc, event->msg), *next; at != NULL; at = next) {
        next = at->next_wait;
        if (memcmp(at->msg, event->msg, YR_MSG_ID_LEN) != 0 || event->state < at->wait)
            continue; // FAILED and CANCELLED end every wait
        wait_remove(rpc, at);
        at->err = YR_OK;
        pending_finish(rpc, at);
    }
}

void yr_rpc_tick(struct yr_rpc *rpc)
{
    const yr_us now = rpc->env.now(rpc->env.ctx).mono_us;

    if (now >= rpc->next_deadline) {
        yr_us next = YR_NEVER;
        for (size_t i = 0; i < rpc->pending_count; i++) {
            struct yr_pending *pending = rpc->pending[i];
            if (!pending->used)
                continue;
            if (now >= pending->deadline_us) {
                if (pending->waiting)
                    wait_remove(rpc, pending);
                pending->deadline_us = YR_NEVER;
                pending->outstanding = 0; // a DONE that still comes finds no ticket
                pending->err = YR_EAGAIN;
                pending_finish(rpc, pending);
            } else if (pending->deadline_us < next) {
                next = pending->deadline_us;
            }
        }
        rpc->next_deadline = next;
    }
    if (now >= rpc->pump_at)
        yr_rpc_pump(rpc);
}

yr_us yr_rpc_deadline(const struct yr_rpc *rpc)
{
    return rpc->next_deadline < rpc->pump_at ? rpc->next_deadline : rpc->pump_at;
}

/* ---- events ---- */

void yr_rpc_event(struct yr_rpc *rpc, const struct yr_event *event)
{
    if (event->kind == YR_EV_FRIEND || event->kind == YR_EV_DONE)
        yr_names_stale(&rpc->names);
    if (event->kind == YR_EV_DONE) {
        pending_done(rpc, event->ticket, event->err, event);
        return;
    }
    if (event->kind == YR_EV_STATE)
        state_reached(rpc, event);
    yr_rpc_publish(rpc, event);
}
