/* core/dht/lookup.h: finding the nodes nearest to a key.  docs/protocol.md "DHT".
 *
 *   start: nodes of our table, dealt out to the paths
 *   each path asks its nearest node not asked yet --answer--> the nodes in it are its own
 *                                                 --150..600 ms--> asks the next one, too
 *   done when nobody is left to ask among the 16 nearest of all and the two nearest of each path
 *
 * A node belongs to the path that heard of it first, so that one liar spoils one path; liars name
 * each other on all paths, and so a thorough lookup does not count those who named nobody new.  Who
 * is asked is told a target that shares only the first bits with the key.  Where more than four
 * times as many nodes crowd around the key as there should be, somebody put them there: then a few
 * of each sixteenth of the region that should hold the 16 nearest are asked and count, however many
 * sit in one of them. */
#ifndef YR_DHT_LOOKUP_H
#define YR_DHT_LOOKUP_H

#include "core/dht/rpc.h"

struct yr_dht_candidate {
    struct yr_dht_contact contact;
    uint8_t id[32];
    uint8_t path, depth; /* depth: answers it took to hear of it */
    enum { YR_CAND_NEW, YR_CAND_ASKED, YR_CAND_ANSWERED, YR_CAND_FAILED } state;
    bool wanted;
    bool barren;     /* has answered and named nobody new */
    double distance; /* share of all ids that are nearer */
    uint64_t net;
    yr_us asked_us, answered_us;
};

struct yr_dht_lookup {
    struct yr_mem *mem;
    const struct yr_rng *rng;
    uint8_t target[32], own_id[32];
    double estimate;                /* nodes in the network */
    unsigned paths, results, store; /* nearest nodes it makes sure of; of which so many store */
    bool lax, wide, marked;         /* marked: who is wanted is known */
    bool any;                       /* a crowd does not matter */
    bool astray;                    /* all that it began with is asked, near or not */
    bool thorough; /* a path whose nodes name nobody new asks the others it began with */
    struct yr_dht_candidate *list; /* nearest first */
    size_t count, cap;
    yr_us started_us, looked_us; /* looked: when next was last asked */
    unsigned asked;              /* requests */
};

/** hard: after a failure.  lax: no diversity asked.  rng: borrowed until clear.  Whoever only wants
 *  to know some nodes sets fewer paths and results before the start. */
void yr_dht_lookup_init(struct yr_dht_lookup *l, struct yr_mem *mem, const struct yr_rng *rng,
                        const uint8_t target[32], const uint8_t own_id[32], double estimate,
                        bool hard, bool lax, yr_us now);
void yr_dht_lookup_clear(struct yr_dht_lookup *l);
/** Nodes to start from; the nearest first.  What finds no memory is left out. */
void yr_dht_lookup_start(struct yr_dht_lookup *l, const struct yr_dht_contact *nodes, size_t count);

/** Did it find far fewer nodes around the target than there should be?  Liars that name only each
 *  other look like that, to who has begun with them. */
bool yr_dht_lookup_thin(const struct yr_dht_lookup *l);
/** It was led astray: more to start from, all of whom are asked. */
void yr_dht_lookup_widen(struct yr_dht_lookup *l, const struct yr_dht_contact *nodes, size_t count);

/** Whom to ask now and for what; it counts as asked.  soft_us: how old a request of a path must be
 *  before the path asks another.  False: nobody now. */
bool yr_dht_lookup_next(struct yr_dht_lookup *l, yr_us soft_us, yr_us now,
                        struct yr_dht_contact *to, uint8_t ask[32]);
/** It answered, late or not; nodes: usable ones.  An answer nobody waited for is no error. */
void yr_dht_lookup_answered(struct yr_dht_lookup *l, const struct yr_dht_contact *from,
                            const struct yr_dht_contact *nodes, size_t count, yr_us now);
void yr_dht_lookup_failed(struct yr_dht_lookup *l, const struct yr_dht_contact *who);
/** Nobody is left to ask and nobody asked is waited for. */
bool yr_dht_lookup_done(struct yr_dht_lookup *l);
/** When next may have somebody because a request grew old; YR_NEVER. */
yr_us yr_dht_lookup_deadline(const struct yr_dht_lookup *l, yr_us soft_us);

/** The nearest that answered, at most two of a network and one of an IP: `store`, in a crowd
 *  up to YR_DHT_WIDE.  `out` has room for that many.  *hops: requests in a row until the first of
 *  them had answered; *known_us: from the start until then; both may be NULL. */
size_t yr_dht_lookup_result(const struct yr_dht_lookup *l, struct yr_dht_contact *out,
                            unsigned *hops, yr_us *known_us);
/** About how many nodes there are, from how near the nearest to the target are; 0: it has seen too
 *  few to say. */
double yr_dht_lookup_density(const struct yr_dht_lookup *l);
/** Those of the result that are certainly in it before the lookup is done: nearer than the sixth
 *  node should be. */
size_t yr_dht_lookup_sure(const struct yr_dht_lookup *l, struct yr_dht_contact *out);
/** The same where it is urgent: some more, also those that have not answered yet, and who would be
 *  in the result if who has been silent for soft_us were not there. */
size_t yr_dht_lookup_likely(const struct yr_dht_lookup *l, yr_us soft_us, yr_us now,
                            struct yr_dht_contact *out);

#endif
