/* tests/support/sim/oracle.h: when a text could have been there at the earliest, by one who knew
 * all contacts in advance.
 *
 * A text moves along allowed moves only: from its sender to the recipient, from its sender to a
 * holder (a friend of both), from a holder to the recipient.  Holders do not pass on to holders,
 * and nobody but these carries, since a holder keeps only what its own friend registered for.  The
 * copy at the sender stays, so all moves may be tried at once: the earliest arrival is temporal
 * Dijkstra over (node, time).
 *
 * A move takes no time but wants a contact that lasts `least` more: two who are up together for
 * less are not counted as having met.  By default contacts are those that could have been (both
 * up), so that links that come slowly count against us; with CONTACT_DID they are those that were.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "tests/support/sim/contacts.h"

#define ORACLE_LEAST (6 * YR_S) /* the model's threshold for a contact */

struct oracle {
    const struct contacts *contacts;
    enum contact kind;
    yr_us least;
    bool move[CONTACTS_MAX][CONTACTS_MAX]; /* [from][to] */
};
/** No moves but the direct one, contacts that could have been, ORACLE_LEAST. */
void oracle_init(struct oracle *o, const struct contacts *contacts, unsigned from, unsigned to);
/** A common friend holds for the recipient. */
void oracle_holder(struct oracle *o, unsigned from, unsigned holder, unsigned to);
/** The earliest that what `from` has at `at` is at `to`; YR_NEVER: not within what was noted. */
yr_us oracle_arrival(const struct oracle *o, unsigned from, unsigned to, yr_us at);

#endif
