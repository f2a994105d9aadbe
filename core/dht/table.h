/* core/dht/table.h: the nodes we know, of one address family.  docs/protocol.md "DHT".
 *
 * Bucket i holds nodes whose ids share i leading bits with ours: up to 68, 34, 17, then 16.  Only
 * who has answered enters, and who has answered longest stays: an attacker cannot push out what
 * lives. Who finds no place waits among the spares of its bucket until somebody there falls silent.
 *
 *   answered --place--> in the bucket --2 requests unanswered--> gone, the newest spare enters
 *        \--none--> spare
 *
 * One node an IP, two a network in a bucket, eight in the table: a network counts as a few nodes,
 * however many it runs. */
#ifndef YR_DHT_TABLE_H
#define YR_DHT_TABLE_H

#include "core/dht/rpc.h"

struct yr_dht_entry {
    struct yr_dht_contact contact;
    uint64_t place;          /* the first 64 bits of its id: no two have the same by chance */
    yr_us added_us, seen_us; /* first and last answer */
    yr_us asked_us;          /* last request for the table's sake */
    uint32_t rtt_us;
    uint8_t fails; /* unanswered since */
    bool doubted;  /* another key answers at its IP */
};

struct yr_dht_bucket {
    struct yr_dht_entry *in, *spares;
    uint8_t in_count, in_cap, spare_count, spare_cap;
    yr_us refreshed_us;
    yr_us due_us; /* nobody in it is to be asked before then */
};

struct yr_dht_table {
    struct yr_mem *mem;
    uint8_t own_id[32];
    uint8_t family; /* 4 or 6 */
    bool lax;       /* no diversity asked: an island, or a test, where all share one network */
    struct yr_dht_bucket buckets[YR_DHT_BUCKETS];
    size_t count; /* in buckets */
};

void yr_dht_table_init(struct yr_dht_table *table, struct yr_mem *mem, const uint8_t own_id[32],
                       uint8_t family, bool lax);
void yr_dht_table_clear(struct yr_dht_table *table);
/** We have a new id: everybody moves to where it now belongs; who finds no room leaves. */
void yr_dht_table_rebase(struct yr_dht_table *table, const uint8_t own_id[32]);

/** A server answered a request of ours.  Errors: YR_EFULL: it is among the spares; YR_EDENIED: its
 *  network has enough nodes, or it is ourselves or of the other family; YR_EEXIST: another node
 *  has its IP and is doubted from now on; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_dht_table_seen(struct yr_dht_table *table,
                                          const struct yr_dht_contact *contact, uint32_t rtt_us,
                                          yr_us now);
/** A request to it was not answered; an unknown one is no error. */
void yr_dht_table_failed(struct yr_dht_table *table, const uint8_t pk[32]);
/** It said itself that it is no server any more. */
void yr_dht_table_remove(struct yr_dht_table *table, const uint8_t pk[32]);
/** NULL when it is not in a bucket. */
const struct yr_dht_entry *yr_dht_table_find(const struct yr_dht_table *table,
                                             const uint8_t pk[32]);

/** The at most `max` nearest to target, nearest first; those with an unanswered request come after
 *  the others.  Returns how many. */
size_t yr_dht_table_closest(const struct yr_dht_table *table, const uint8_t target[32],
                            struct yr_dht_contact *out, size_t max);
/** The i-th of all (i < count). */
const struct yr_dht_entry *yr_dht_table_at(const struct yr_dht_table *table, size_t i);
/** Who is to be asked whether it still lives: a doubted one, one with a request unanswered, else
 *  the one not heard of for longest if that is longer than `fresh_us`.  It counts as asked now.
 *  False: nobody. */
bool yr_dht_table_stale(struct yr_dht_table *table, yr_us fresh_us, yr_us now,
                        struct yr_dht_contact *out);
/** Before then stale has nobody, if nobody falls silent; YR_NEVER.  Call after stale. */
yr_us yr_dht_table_due(const struct yr_dht_table *table);
/** A random id in a bucket that is to be looked through; it counts as looked through now.  Those up
 *  to our own depth that never were, then, each `age_us`, the first one that has room: whoever is
 *  nearer to us than that one is found with it.  False: none. */
bool yr_dht_table_refresh(struct yr_dht_table *table, const struct yr_rng *rng, yr_us age_us,
                          yr_us now, uint8_t target[32]);
/** About how many nodes there are, at least 1: whoever shares the deepest prefix of which all fit
 *  in here, times the number of such prefixes. */
double yr_dht_table_estimate(const struct yr_dht_table *table);

/** What is worth keeping over a restart: up to `max`, those known longest first. */
size_t yr_dht_table_export(const struct yr_dht_table *table, struct yr_dht_contact *out,
                           size_t max);
/** `n u8 | n x node` and back; total.  Errors: YR_ESIZE; YR_EPROTO. */
YR_MUST_USE enum yr_err yr_dht_contacts_encode(const struct yr_dht_contact *list, size_t count,
                                               uint8_t *dst, size_t cap, size_t *len);
YR_MUST_USE enum yr_err yr_dht_contacts_decode(struct yr_dht_contact *list, size_t max,
                                               size_t *count, const uint8_t *src, size_t len);

#endif
