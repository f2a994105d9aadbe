/* tests/support/dhts.h: nodes of the simulator in the DHT. */
#ifndef YR_TEST_DHTS_H
#define YR_TEST_DHTS_H

#include "tests/support/sim/sim.h"

/** What this node is in the DHT from now on, until it restarts. */
void dht_role(struct sim *sim, unsigned node, enum yr_dht_mode mode);
/** `node` starts from `server`, which is in the DHT already. */
void dht_knows(struct sim *sim, unsigned node, unsigned server);
struct yr_net_info dht_info(struct sim *sim, unsigned node);
/** `count` servers that know the first one, and have found each other; the first one's number. */
unsigned dht_servers(struct sim *sim, unsigned count);

#endif
