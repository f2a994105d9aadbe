/* tests/support/sim/town.h: some servers of the DHT in an open world, and people who know one of
 * them; who are friends since better days, and now sit behind boxes. */
#ifndef SIM_TOWN_H
#define SIM_TOWN_H

#include "tests/support/sim/people.h"

/** Nodes 0..servers-1 are in the DHT, each in a network of its own, and know each other.  delay: of
 *  a packet, one way. */
struct sim *town_new(uint64_t seed, unsigned servers, yr_us delay_us);
/** Somebody with a public address who starts from server 0, if there is one. */
unsigned town_person(struct sim *sim, const char *nick);

/** How two friends are linked, seen from both. */
enum town_link { TOWN_NONE, TOWN_RELAYED, TOWN_DIRECT };
enum town_link town_link(struct sim *sim, unsigned a, unsigned b);
/** Run until they are linked at least so well; true if that is within the limit. */
bool town_run_link(struct sim *sim, unsigned a, unsigned b, enum town_link least, yr_us limit_us);
/** What a noted of b, newest first, to stderr: for a test that fails. */
void town_print(struct sim *sim, unsigned a, unsigned b);
/** Did this way ever work for a with b? */
bool town_worked(struct sim *sim, unsigned a, unsigned b, enum yr_way way);

#endif
