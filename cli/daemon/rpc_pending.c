/* rpc_pending.c: requests whose answer comes later: when their commands are done, or when a message
 * has got where it was to get. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/daemon/rpc_internal.h"

/* ---- slots ---- */

void yr_pending_free(struct yr_rpc *rpc, struct yr_pending *pending)
{
    if (pending->client != NULL) {
        pending->client->pending_count--;
        rpc->env.release(rpc->env.ctx, pending->client->conn);
    }
    json_decref(pending->id);
    json_decref(pending->params);
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

struct yr_pending *yr_pending_find(const struct yr_rpc *rpc, uint64_t ticket)
{
    return pending_of(rpc, ticket);
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
        yr_pending_free(call->rpc, pending);
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
    yr_call_answer(&call, end);
    yr_pending_free(rpc, pending);
}

void yr_pending_done(struct yr_rpc *rpc, uint64_t ticket, enum yr_err err,
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
        if (pending->take_conv)
            memcpy(pending->conv, event->conv, sizeof pending->conv);
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
    yr_pending_done(rpc, ticket, err, NULL);
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

void yr_pending_reached(struct yr_rpc *rpc, const struct yr_event *event)
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

void yr_pending_expire(struct yr_rpc *rpc, yr_us now)
{
    if (now < rpc->next_deadline)
        return;
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

void yr_pending_clear(struct yr_rpc *rpc)
{
    for (size_t i = 0; i < rpc->pending_count; i++) {
        json_decref(rpc->pending[i]->id);
        json_decref(rpc->pending[i]->params);
        json_decref(rpc->pending[i]->keep);
        free(rpc->pending[i]);
    }
    free(rpc->pending);
}

void yr_pending_orphan(struct yr_rpc *rpc, struct yr_rpc_client *client)
{
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
}
