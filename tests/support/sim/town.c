#include "tests/support/sim/town.h"

#include <stdio.h>

struct sim *town_new(uint64_t seed, unsigned servers, yr_us delay_us)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct sim *sim;
    char nick[16];

    opts.open = true;
    opts.link = (struct sim_link){.delay_us = delay_us, .jitter_us = delay_us / 10};
    sim = sim_new(&opts);
    for (unsigned i = 0; i < servers; i++) {
        snprintf(nick, sizeof nick, "s%u", i);
        (void)sim_add(sim, nick);
        sim_set_dht(sim, i, YR_ROLE_SERVER);
        if (i > 0)
            sim_bootstrap(sim, i, 0);
    }
    if (servers > 0)
        sim_run(sim, 10 * YR_S);
    return sim;
}

unsigned town_person(struct sim *sim, const char *nick)
{
    const unsigned i = sim_add(sim, nick);
    struct yr_net_info net;

    yr_node_net(sim_node(sim, 0), &net);
    if (i > 0 && net.dht == YR_ROLE_SERVER) {
        sim_bootstrap(sim, i, 0);
        sim_set_dht(sim, i, YR_ROLE_AUTO);
    }
    return i;
}

enum town_link town_link(struct sim *sim, unsigned a, unsigned b)
{
    struct yr_friend_info x, y;

    if (!sim_alive(sim, a) || !sim_alive(sim, b) ||
        yr_node_friend(sim_node(sim, a), sim_id(sim, b), &x) != YR_OK || !x.online ||
        yr_node_friend(sim_node(sim, b), sim_id(sim, a), &y) != YR_OK || !y.online)
        return TOWN_NONE;
    return x.relayed || y.relayed ? TOWN_RELAYED : TOWN_DIRECT;
}

struct wish {
    unsigned a, b;
    enum town_link least;
};

static bool come_true(struct sim *sim, void *ctx)
{
    const struct wish *w = ctx;

    return town_link(sim, w->a, w->b) >= w->least;
}

bool town_run_link(struct sim *sim, unsigned a, unsigned b, enum town_link least, yr_us limit_us)
{
    struct wish w = {a, b, least};

    return sim_run_until(sim, limit_us, come_true, &w);
}

void town_print(struct sim *sim, unsigned a, unsigned b)
{
    struct yr_try try;

    fprintf(stderr, "node %u of %u, at %.3f s, link %d:\n", a, b, (double)sim_time(sim) / 1e6,
            (int)town_link(sim, a, b));
    for (size_t i = 0; yr_node_try_at(sim_node(sim, a), sim_id(sim, b), i, &try); i++)
        fprintf(stderr, "  %.3f s %s %s x%u %u: %u.%u.%u.%u:%u\n",
                (double)(try.at_ms - 1767225600000) / 1e3, yr_way_name(try.way),
                yr_outcome_name(try.outcome), try.count, try.addr.family, try.addr.ip[0],
                try.addr.ip[1], try.addr.ip[2], try.addr.ip[3], try.addr.port);
}

bool town_worked(struct sim *sim, unsigned a, unsigned b, enum yr_way way)
{
    struct yr_try try;

    for (size_t i = 0; yr_node_try_at(sim_node(sim, a), sim_id(sim, b), i, &try); i++)
        if (try.way == way && try.outcome == YR_OUT_WORKED)
            return true;
    return false;
}
