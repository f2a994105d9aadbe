#include "tests/support/dhts.h"

#include <stdio.h>

#include "tests/support/test.h"

void dht_role(struct sim *sim, unsigned node, enum yr_dht_mode mode)
{
    yr_node_set_dht(sim_node(sim, node), sim_now(sim, node), mode);
    sim_drain(sim, node);
}

struct yr_net_info dht_info(struct sim *sim, unsigned node)
{
    struct yr_net_info info;

    yr_node_net(sim_node(sim, node), &info);
    return info;
}

void dht_knows(struct sim *sim, unsigned node, unsigned server)
{
    const struct yr_net_info info = dht_info(sim, server);
    const struct yr_addr addr = sim_addr(sim, server);

    assert_int_equal(yr_node_bootstrap(sim_node(sim, node), sim_now(sim, node), &addr, info.dht_pk),
                     YR_OK);
    sim_drain(sim, node);
}

unsigned dht_servers(struct sim *sim, unsigned count)
{
    unsigned first = 0;
    char nick[24];

    for (unsigned i = 0; i < count; i++) {
        unsigned node;

        snprintf(nick, sizeof nick, "server%u", i);
        node = sim_add(sim, nick);
        dht_role(sim, node, YR_ROLE_SERVER);
        if (i == 0)
            first = node;
        else
            dht_knows(sim, node, first);
    }
    sim_run(sim, 10 * YR_S);
    return first;
}
