/* rpc_stats.c: stats.get: bytes for each friend and purpose.  The node counts from its start; a
 * state of all counters is kept for every hour of a week, so that one can ask for less. */
#include <stdlib.h>

#include "cli/common/json.h"
#include "cli/common/times.h"
#include "cli/daemon/rpc_internal.h"

#define SAMPLE_US 3600000000u /* an hour */

struct friend_sample {
    uint8_t id[YR_ID_LEN];
    struct yr_traffic traffic;
    uint64_t for_me, by_me;
    struct yr_mail_ledger mail;
};

struct yr_sample {
    yr_ms at_ms;
    struct yr_traffic traffic[YR_PURPOSE_COUNT];
    size_t count;
    struct friend_sample *friends; /* owned */
};

static struct yr_sample take(const struct yr_node *node, yr_ms at_ms)
{
    struct yr_sample sample = {.at_ms = at_ms};
    struct yr_friend_info info;

    for (unsigned i = 0; i < YR_PURPOSE_COUNT; i++)
        yr_node_traffic(node, (enum yr_purpose)i, &sample.traffic[i]);
    for (size_t i = 0; yr_node_friend_at(node, i, &info); i++) {
        struct friend_sample *row;
        sample.friends = yr_xrealloc(sample.friends, (sample.count + 1) * sizeof sample.friends[0]);
        row = &sample.friends[sample.count++];
        memcpy(row->id, info.id, YR_ID_LEN);
        row->traffic = (struct yr_traffic){info.in_bytes, info.out_bytes};
        row->for_me = info.relayed_for_me;
        row->by_me = info.relayed_by_me;
        row->mail = info.ledger;
    }
    return sample;
}

static void push(struct yr_rpc *rpc, struct yr_sample sample)
{
    if (rpc->samples == NULL)
        rpc->samples = yr_xrealloc(NULL, YR_SAMPLES_MAX * sizeof rpc->samples[0]);
    if (rpc->sample_count == YR_SAMPLES_MAX) {
        free(rpc->samples[0].friends);
        memmove(rpc->samples, rpc->samples + 1, (YR_SAMPLES_MAX - 1) * sizeof rpc->samples[0]);
        rpc->sample_count--;
    }
    rpc->samples[rpc->sample_count++] = sample;
}

static void drop_all(struct yr_rpc *rpc)
{
    for (size_t i = 0; i < rpc->sample_count; i++)
        free(rpc->samples[i].friends);
    rpc->sample_count = 0;
}

void yr_stats_clear(struct yr_rpc *rpc)
{
    drop_all(rpc);
    free(rpc->samples);
    rpc->samples = NULL;
}

void yr_stats_tick(struct yr_rpc *rpc, struct yr_now now)
{
    if (now.mono_us < rpc->sample_at)
        return;
    rpc->sample_at = now.mono_us + SAMPLE_US;
    push(rpc, take(rpc->node, now.wall_ms));
}

/* The counters at `since` or shortly before; the oldest if none is that old. */
static const struct yr_sample *sample_of(const struct yr_rpc *rpc, yr_ms since_ms)
{
    const struct yr_sample *best = NULL;

    for (size_t i = 0; i < rpc->sample_count; i++)
        if (best == NULL || rpc->samples[i].at_ms <= since_ms)
            best = &rpc->samples[i];
    return best;
}

// A counter may have begun again with a new connection or after the vault was locked.
static json_int_t grown(uint64_t now, uint64_t before)
{
    return (json_int_t)(now >= before ? now - before : now);
}

static json_t *row(const char *purpose, const struct yr_traffic *now,
                   const struct yr_traffic *before, yr_ms since_ms)
{
    json_t *out = json_pack("{s:s, s:s, s:I, s:I}", "type", "stats", "purpose", purpose, "in",
                            grown(now->in, before->in), "out", grown(now->out, before->out));
    yr_json_put_time(out, "since", since_ms);
    return out;
}

// What is kept is so now, whatever time is asked for.
static void put_mail(json_t *out, const struct yr_mail_ledger *now,
                     const struct yr_mail_ledger *before)
{
    json_object_set_new(out, "mail_kept", json_integer((json_int_t)now->kept));
    json_object_set_new(out, "mail_kept_bytes", json_integer((json_int_t)now->kept_bytes));
    json_object_set_new(out, "mail_for_me", json_integer((json_int_t)now->for_me));
    json_object_set_new(out, "mail_left", json_integer(grown(now->left, before->left)));
    json_object_set_new(out, "mail_left_bytes",
                        json_integer(grown(now->left_bytes, before->left_bytes)));
    json_object_set_new(out, "mail_refused", json_integer(grown(now->refused, before->refused)));
    json_object_set_new(out, "mail_handed_on_bytes",
                        json_integer(grown(now->handed_on_bytes, before->handed_on_bytes)));
}

static void put_friends(struct yr_rpc *rpc, json_t *list, const struct yr_sample *now,
                        const struct yr_sample *base)
{
    for (size_t i = 0; i < now->count; i++) {
        static const struct friend_sample zero;
        const struct friend_sample *here = &now->friends[i], *before = &zero;
        for (size_t k = 0; base != NULL && k < base->count; k++)
            if (memcmp(base->friends[k].id, here->id, YR_ID_LEN) == 0)
                before = &base->friends[k];
        json_t *out = row(yr_purpose_name(YR_FOR_LINK), &here->traffic, &before->traffic,
                          base != NULL ? base->at_ms : now->at_ms);
        json_object_set_new(out, "friend", yr_json_id(here->id, YR_ID_LEN));
        yr_put_name(rpc, out, "name", here->id);
        json_object_set_new(out, "relayed_for_me",
                            json_integer(grown(here->for_me, before->for_me)));
        json_object_set_new(out, "relayed_by_me", json_integer(grown(here->by_me, before->by_me)));
        put_mail(out, &here->mail, &before->mail);
        json_array_append_new(list, out);
    }
}

static void put_purposes(json_t *list, const struct yr_sample *now, const struct yr_sample *base)
{
    static const struct yr_traffic zero;

    for (unsigned i = 0; i < YR_PURPOSE_COUNT; i++)
        json_array_append_new(list, row(yr_purpose_name((enum yr_purpose)i), &now->traffic[i],
                                        base != NULL ? &base->traffic[i] : &zero,
                                        base != NULL ? base->at_ms : now->at_ms));
}

enum yr_end yr_rpc_stats_get(struct yr_call *call)
{
    struct yr_rpc *rpc = call->rpc;
    const char *since = yr_call_str(call, "since");
    json_t *list = json_array();
    const struct yr_sample *base;
    struct yr_sample now;
    yr_ms since_ms = INT64_MIN;

    if (since != NULL && !yr_rfc3339_read(since, &since_ms)) {
        json_decref(list);
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS, "since must be an RFC 3339 time");
    }
    now = take(rpc->node, call->now.wall_ms);
    base = sample_of(rpc, since_ms);
    put_friends(rpc, list, &now, base);
    put_purposes(list, &now, base);
    if (yr_call_bool(call, "reset", false)) {
        drop_all(rpc);
        push(rpc, now);
        rpc->sample_at = call->now.mono_us + SAMPLE_US;
    } else {
        free(now.friends);
    }
    return yr_call_ok(call, json_pack("{s:o}", "stats", list));
}
