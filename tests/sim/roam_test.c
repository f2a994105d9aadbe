/* L6: people who change networks while they talk: nothing is lost or shown twice, and the gap is
 * short. */
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/sim/people.h"

#define TEXTS_MAX 4000

/* A talk at one text a second each way, watched. */
struct talk {
    struct sim *sim;
    unsigned a, b;
    yr_us said[2][TEXTS_MAX], shown[2][TEXTS_MAX]; /* by who said it: 0 is a */
    unsigned count, twice;
};

static void on_event(void *ctx, unsigned node, const struct yr_event *event)
{
    static struct yr_message m;
    struct talk *t = ctx;
    const unsigned from = node == t->a;
    unsigned number;

    if (event->kind != YR_EV_MESSAGE || (node != t->a && node != t->b) ||
        yr_node_message(sim_node(t->sim, node), event->msg, &m) != YR_OK || m.own ||
        sscanf(m.text, "text %u", &number) != 1)
        return;
    t->twice += t->shown[from][number] != 0;
    t->shown[from][number] = sim_time(t->sim);
}

static struct talk *talk_new(struct sim *sim, unsigned a, unsigned b)
{
    struct talk *t = calloc(1, sizeof *t);

    t->sim = sim;
    t->a = a;
    t->b = b;
    sim_watch(sim, on_event, t);
    return t;
}

static void say(struct talk *t, unsigned from)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND};
    enum yr_err err;
    char text[32];

    cmd.body_len = (size_t)snprintf(text, sizeof text, "text %u", t->count);
    cmd.body = text;
    memcpy(cmd.conv, sim_id(t->sim, from == 0 ? t->b : t->a), YR_ID_LEN);
    t->said[from][t->count] = sim_time(t->sim);
    (void)sim_command(t->sim, from == 0 ? t->a : t->b, &cmd, &err);
    assert_int_equal(err, YR_OK);
}

/** Both say one text each second, for that many seconds. */
static void talk_for(struct talk *t, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++, t->count++) {
        assert_true(t->count < TEXTS_MAX);
        say(t, 0);
        sim_run(t->sim, 500 * YR_MS);
        say(t, 1);
        sim_run(t->sim, 500 * YR_MS);
    }
}

static int by_value(const void *a, const void *b)
{
    const yr_us *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/** Everything was shown once; the latency at this percentile. */
static yr_us talk_latency(const struct talk *t, double percentile)
{
    static yr_us all[2 * TEXTS_MAX];
    size_t n = 0;

    assert_int_equal(t->twice, 0);
    for (unsigned from = 0; from < 2; from++)
        for (unsigned i = 0; i < t->count; i++) {
            if (t->shown[from][i] == 0)
                fail_msg("text %u of %u was lost", i, from);
            all[n++] = t->shown[from][i] - t->said[from][i];
        }
    qsort(all, n, sizeof *all, by_value);
    return all[(size_t)((double)(n - 1) * percentile / 100)];
}

static bool linked_directly(struct sim *sim, unsigned a, unsigned b)
{
    struct yr_friend_info info;

    return sim_linked(sim, a, b) &&
           yr_node_friend(sim_node(sim, a), sim_id(sim, b), &info) == YR_OK && !info.relayed;
}

// L6: an hour, a new network every 30 s, a text a second each way.
static void who_roams_loses_nothing_and_waits_little(void **state)
{
    struct sim_opts opts = sim_opts_default(6);
    struct sim *sim;
    struct talk *t;

    opts.open = true;
    sim = sim_new(&opts);
    (void)sim_add(sim, "alice");
    (void)sim_add(sim, "bob");
    sim_befriend(sim, 0, 1);
    t = talk_new(sim, 0, 1);
    for (unsigned i = 0; i < 120; i++) {
        talk_for(t, 30);
        if (i % 2 == 0) {
            struct nat_opts home = nat_class_opts(1 + i / 2 % 4);
            sim_behind(sim, 0, sim_nat(sim, &home));
        } else {
            sim_behind(sim, 0, SIM_INTERNET);
        }
    }
    sim_run(sim, 10 * YR_S);
    print_message("roaming: p50 %llu ms, p99 %llu ms, most %llu ms\n",
                  (unsigned long long)talk_latency(t, 50) / 1000,
                  (unsigned long long)talk_latency(t, 99) / 1000,
                  (unsigned long long)talk_latency(t, 100) / 1000);
    assert_true(talk_latency(t, 50) <= 2 * 2 * opts.link.delay_us);
    assert_true(talk_latency(t, 99) <= 3 * YR_S);
    assert_true(linked_directly(sim, 0, 1));
    sim_free(sim);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_roams_loses_nothing_and_waits_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
