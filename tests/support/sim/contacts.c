#include "tests/support/sim/contacts.h"

#include "tests/support/sim/state.h"

struct contacts {
    struct sim *sim;
    struct spans spans[2][CONTACTS_MAX][CONTACTS_MAX]; // [a][b] with a >= b
};

static bool is_open(const struct spans *s)
{
    return s->count > 0 && s->at[s->count - 1].to == YR_NEVER;
}

static void set(struct spans *s, bool on, yr_us now)
{
    if (on == is_open(s))
        return;
    if (!on) {
        s->at[s->count - 1].to = now;
        return;
    }
    if (s->count == s->cap) {
        s->cap = s->cap > 0 ? 2 * s->cap : 16;
        s->at = realloc(s->at, s->cap * sizeof *s->at);
        sim_check(s->at != NULL, "out of memory");
    }
    s->at[s->count++] = (struct span){now, YR_NEVER};
}

static void look(void *ctx, unsigned node)
{
    struct contacts *c = ctx;
    struct sim *sim = c->sim;

    sim_check(sim->node_count <= CONTACTS_MAX, "too many nodes for contacts");
    for (unsigned i = 0; i < sim->node_count; i++) {
        const unsigned a = YR_MAX(i, node), b = YR_MIN(i, node);
        const bool up =
            sim_alive(sim, a) && sim_alive(sim, b) && !sim->cut[a][b] && !sim->cut[b][a];
        set(&c->spans[CONTACT_COULD][a][b], up, sim->time);
        if (a != b)
            set(&c->spans[CONTACT_DID][a][b], up && sim_linked(sim, a, b), sim->time);
    }
}

struct contacts *contacts_new(struct sim *sim)
{
    struct contacts *c = calloc(1, sizeof *c);

    sim_check(c != NULL, "out of memory");
    c->sim = sim;
    for (unsigned i = 0; i < sim->node_count; i++)
        look(c, i);
    sim_notice(sim, look, c);
    return c;
}

void contacts_free(struct contacts *c)
{
    if (c == NULL)
        return;
    sim_notice(c->sim, NULL, NULL);
    for (unsigned a = 0; a < CONTACTS_MAX; a++)
        for (unsigned b = 0; b <= a; b++)
            for (int kind = 0; kind < 2; kind++)
                free(c->spans[kind][a][b].at);
    free(c);
}

const struct spans *contacts_of(const struct contacts *c, enum contact kind, unsigned a, unsigned b)
{
    return &c->spans[kind][YR_MAX(a, b)][YR_MIN(a, b)];
}

yr_us spans_next(const struct spans *s, yr_us at, yr_us least)
{
    size_t low = 0, high = s->count;

    while (low < high) { // the first that ends after `at`
        const size_t mid = (low + high) / 2;
        if (s->at[mid].to <= at)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < s->count; low++) {
        const yr_us from = YR_MAX(s->at[low].from, at);
        if (s->at[low].to == YR_NEVER || s->at[low].to - from >= least)
            return from;
    }
    return YR_NEVER;
}

yr_us spans_within(const struct spans *s, yr_us from, yr_us to)
{
    yr_us sum = 0;

    for (size_t i = 0; i < s->count; i++) {
        const yr_us low = YR_MAX(s->at[i].from, from), high = YR_MIN(s->at[i].to, to);
        sum += low < high ? high - low : 0;
    }
    return sum;
}
