#include "core/path/trace.h"

#include "core/base/mem.h"

struct trace {
    size_t count;
    struct yr_try list[YR_TRIES_KEPT]; // newest last
};

struct yr_traces {
    struct yr_mem *mem;
    struct trace *of[YR_FRIENDS_MAX]; // made at a friend's first attempt
};

static const char *const way_names[] = {
    [YR_WAY_CACHED] = "cached",   [YR_WAY_LAN] = "lan",           [YR_WAY_PEER] = "peer",
    [YR_WAY_DHT_PUT] = "dht-put", [YR_WAY_DHT_GET] = "dht-get",   [YR_WAY_SIGNAL] = "signal",
    [YR_WAY_PUNCH] = "punch",     [YR_WAY_BIRTHDAY] = "birthday", [YR_WAY_RELAY] = "relay",
    [YR_WAY_MOVE] = "move"};
static_assert(YR_COUNT(way_names) == YR_WAY_COUNT, "a name for each way");

static const char *const outcome_names[] = {[YR_OUT_TRYING] = "trying",
                                            [YR_OUT_WORKED] = "worked",
                                            [YR_OUT_SILENT] = "silent",
                                            [YR_OUT_NOTHING] = "nothing",
                                            [YR_OUT_REFUSED] = "refused"};
static_assert(YR_COUNT(outcome_names) == YR_OUT_COUNT, "a name for each outcome");

const char *yr_way_name(enum yr_way way)
{
    return way_names[way];
}

const char *yr_outcome_name(enum yr_outcome outcome)
{
    return outcome_names[outcome];
}

enum yr_err yr_traces_new(struct yr_traces **out, struct yr_mem *mem)
{
    struct yr_traces *t = yr_alloc(mem, YR_MEM_NODE, sizeof *t);

    if (t == NULL)
        return YR_ENOMEM;
    t->mem = mem;
    *out = t;
    return YR_OK;
}

void yr_traces_free(struct yr_traces *t)
{
    if (t == NULL)
        return;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        yr_traces_forget(t, slot);
    yr_free(t->mem, t);
}

void yr_traces_forget(struct yr_traces *t, unsigned slot)
{
    YR_ASSERT(slot < YR_FRIENDS_MAX);
    if (t->of[slot] != NULL)
        yr_free(t->mem, t->of[slot]);
    t->of[slot] = NULL;
}

static void drop(struct trace *trace, size_t i)
{
    memmove(&trace->list[i], &trace->list[i + 1], (trace->count - i - 1) * sizeof trace->list[0]);
    trace->count--;
}

// The same again?  The one it repeats leaves its place; how often it has been.
static unsigned take_same(struct trace *trace, const struct yr_try *what)
{
    for (size_t i = trace->count; i-- > 0;) {
        const struct yr_try *old = &trace->list[i];
        if (old->way != what->way || !yr_addr_eq(&old->addr, &what->addr) ||
            memcmp(old->via, what->via, sizeof old->via) != 0)
            continue;
        const unsigned count = old->count + (what->outcome == YR_OUT_TRYING ? 1 : 0);
        drop(trace, i);
        return count;
    }
    return 1;
}

void yr_path_note(struct yr_traces *t, struct yr_now now, unsigned slot, enum yr_way way,
                  enum yr_outcome outcome, const struct yr_addr *addr, const uint8_t *via)
{
    struct yr_try what = {.at_ms = now.wall_ms, .way = way, .outcome = outcome};
    struct trace *trace;

    YR_ASSERT(slot < YR_FRIENDS_MAX);
    if (t->of[slot] == NULL)
        t->of[slot] = yr_alloc(t->mem, YR_MEM_NODE, sizeof *t->of[slot]);
    if ((trace = t->of[slot]) == NULL)
        return;
    if (addr != NULL)
        what.addr = *addr;
    if (via != NULL)
        memcpy(what.via, via, sizeof what.via);
    what.count = take_same(trace, &what);
    if (trace->count == YR_TRIES_KEPT)
        drop(trace, 0);
    trace->list[trace->count++] = what;
}

bool yr_traces_at(const struct yr_traces *t, unsigned slot, size_t i, struct yr_try *out)
{
    const struct trace *trace = t->of[slot];

    if (trace == NULL || i >= trace->count)
        return false;
    *out = trace->list[trace->count - 1 - i];
    return true;
}
