#include "tests/support/sim/exchange.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/test.h"

static void on_event(void *ctx, unsigned node, const struct yr_event *event)
{
    static struct yr_message m;
    struct exchange *x = ctx;
    const unsigned from = node == x->a;
    unsigned number;

    if (event->kind != YR_EV_MESSAGE || (node != x->a && node != x->b) ||
        yr_node_message(sim_node(x->sim, node), event->msg, &m) != YR_OK || m.own ||
        sscanf(m.text, "text %u", &number) != 1)
        return;
    x->twice += x->shown[from][number] != 0;
    x->shown[from][number] = sim_time(x->sim);
}

struct exchange *exchange_new(struct sim *sim, unsigned a, unsigned b)
{
    struct exchange *x = calloc(1, sizeof *x);

    x->sim = sim;
    x->a = a;
    x->b = b;
    sim_watch(sim, on_event, x);
    return x;
}

static void say(struct exchange *x, unsigned from)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND};
    enum yr_err err;
    char text[32];

    cmd.body_len = (size_t)snprintf(text, sizeof text, "text %u", x->count);
    cmd.body = text;
    memcpy(cmd.conv, sim_id(x->sim, from == 0 ? x->b : x->a), YR_ID_LEN);
    x->said[from][x->count] = sim_time(x->sim);
    (void)sim_command(x->sim, from == 0 ? x->a : x->b, &cmd, &err);
    assert_int_equal(err, YR_OK);
}

void exchange_for(struct exchange *x, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++, x->count++) {
        assert_true(x->count < EXCHANGE_MAX);
        say(x, 0);
        sim_run(x->sim, 500 * YR_MS);
        say(x, 1);
        sim_run(x->sim, 500 * YR_MS);
    }
}

static int by_value(const void *a, const void *b)
{
    const yr_us *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

yr_us exchange_took(const struct exchange *x, double percentile)
{
    static yr_us all[2 * EXCHANGE_MAX];
    size_t n = 0;

    assert_int_equal(x->twice, 0);
    for (unsigned from = 0; from < 2; from++)
        for (unsigned i = 0; i < x->count; i++) {
            if (x->shown[from][i] == 0)
                fail_msg("text %u of %u was lost", i, from);
            all[n++] = x->shown[from][i] - x->said[from][i];
        }
    qsort(all, n, sizeof *all, by_value);
    return all[(size_t)((double)(n - 1) * percentile / 100)];
}
