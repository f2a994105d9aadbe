/* core/dht/dht.h: one node of the DHT.  docs/protocol.md "DHT".
 *
 *   recv, tick, then poll until it gives no more datagrams, and deadline: when to tick again.
 *
 *   put: lookup -> token of each of the 8 nearest -> record to each      \  through a forwarder
 * that get: lookup -> the record of each of them, the newest counts         /  is none of the eight
 *
 *   client --3 networks reached us unasked, 20 min ago--> server --our address changes--> client
 *
 * A client asks and is never told about; a server answers and is in others' tables. */
#ifndef YR_DHT_H
#define YR_DHT_H

#include "core/dht/records.h"
#include "core/dht/table.h"
#include "yaari/node.h"

enum yr_dht_role { YR_DHT_AUTO, YR_DHT_AS_CLIENT, YR_DHT_AS_SERVER };

struct yr_dht_result {
    bool put, direct;         /* direct: there was nobody to forward through */
    unsigned asked, answered; /* nodes that should store it; put: that do, get: that answered */
    bool found;               /* get */
    unsigned hops, requests;
    yr_us known_us, took_us; /* until the first storing node was known; until the end */
};

struct yr_dht_calls {
    /** A record that was asked for: good signature, right key; newer than one given before.  Lent.
     */
    void (*found)(void *ctx, uint64_t search, const uint8_t *record, size_t len);
    /** A put or get is over. */
    void (*done)(void *ctx, uint64_t search, const struct yr_dht_result *result);
    /** Bytes for a signal id of ours.  Lent. */
    void (*signal)(void *ctx, const uint8_t id[YR_DHT_SIGNAL_LEN], const uint8_t *bytes,
                   size_t len);
    /** Somebody answered, and says where it sees us.  May be NULL. */
    void (*seen)(void *ctx, const struct yr_addr *from, const struct yr_addr *seen);
    /** A node that was to pass signals on to us does, or does not (refused, or silent).  May be
     *  NULL. */
    void (*listens)(void *ctx, const struct yr_dht_contact *relay, bool ok);
    /** from: somebody to whom we had sent nothing reached us.  NULL: a node is asked to let another
     *  one try, who is hardly one that we have sent to.  Only of a node that may become a server by
     * itself.  May be NULL. */
    void (*dialled)(void *ctx, const struct yr_addr *from);
    void *ctx;
};

struct yr_dht_opts {
    enum yr_dht_role role;
    const uint8_t *key_seed; /* 32 bytes, borrowed: a server's node key; NULL: a new one */
    bool
        direct; /* never through a forwarder: shows who asks; to measure what forwarding is worth */
    bool lax;   /* private addresses, and many nodes of one network: an island, or a test */
};

/** A node to start from, and when it was last asked and last answered; 0: never. */
struct yr_dht_start {
    struct yr_dht_contact contact;
    yr_us asked_us, answered_us;
};

/** How a node of the DHT is doing. */
struct yr_dht_info {
    bool serves;
    size_t nodes[2];         /* in the tables: IPv4, IPv6 */
    uint64_t network;        /* about how many servers there are in all; 0: none is known */
    size_t start_count;      /* nodes to start from ... */
    size_t start_answered;   /* ... that have ever answered */
    yr_us start_answered_us; /* the newest of these answers; 0: none */
    yr_us answered_us;       /* the newest answer of anybody; 0: none */
    struct yr_addr seen[2];  /* where most others see us; family 0: three networks do not agree */
    size_t dialbacks;        /* networks that reached us unasked: YR_DHT_DIALBACKS make a server */
    yr_us dialback_us;       /* the first of them */
    yr_us key_us;            /* when the node key was made */
    size_t searches;         /* on their way */
    size_t records;          /* stored for others */
    size_t signals;          /* registrations kept for others */
};

struct yr_dht;

/** calls: copied; its functions may start searches.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_dht_new(struct yr_dht **out, struct yr_mem *mem,
                                   const struct yr_rng *rng, const struct yr_dht_opts *opts,
                                   const struct yr_dht_calls *calls, struct yr_now now);
void yr_dht_free(struct yr_dht *dht);
const uint8_t *yr_dht_pk(const struct yr_dht *dht);
bool yr_dht_serves(const struct yr_dht *dht);
/** Nodes in both tables. */
size_t yr_dht_known(const struct yr_dht *dht);
/** Where most others see us; false while three networks do not agree. */
bool yr_dht_seen_as(const struct yr_dht *dht, uint8_t family, struct yr_addr *out);
/** The same, or, while fewer than three networks have told, what all of those say: in a small
 *  network there is nobody else to ask. */
bool yr_dht_seen_by_any(const struct yr_dht *dht, uint8_t family, struct yr_addr *out);

void yr_dht_info(const struct yr_dht *dht, struct yr_dht_info *out);
/** The round trip to a node of the tables, in microseconds; 0: it is in none. */
uint32_t yr_dht_rtt_us(const struct yr_dht *dht, const uint8_t pk[32]);
/** The i-th node to start from; NULL behind the last.  Lent until the next yr_dht_bootstrap. */
const struct yr_dht_start *yr_dht_start_at(const struct yr_dht *dht, size_t i);

/** Nodes to start from: configured ones, those of the last run.  All are asked at once, any one
 *  suffices; those beyond YR_DHT_BOOTSTRAP_MAX are left out, and one that is there already is asked
 *  again.  All are asked again, less and less often, while no node is known. */
void yr_dht_bootstrap(struct yr_dht *dht, const struct yr_dht_contact *nodes, size_t count,
                      struct yr_now now);
/** We may be at another place in the network: what others said of our address counts no more, a
 *  client's key is renewed, all known nodes are asked whether they still hear us. */
void yr_dht_moved(struct yr_dht *dht, struct yr_now now);
/** What to keep over a restart: up to `max`. */
size_t yr_dht_export(const struct yr_dht *dht, struct yr_dht_contact *out, size_t max);

/** A datagram that begins with YR_DHT_TYPE.  Total. */
void yr_dht_recv(struct yr_dht *dht, struct yr_now now, const struct yr_addr *from,
                 const uint8_t *packet, size_t len);
/** Something that is not of the DHT leaves for there, by the same socket: whoever answers has not
 *  come unasked. */
void yr_dht_sent(struct yr_dht *dht, struct yr_now now, const struct yr_addr *to);
void yr_dht_tick(struct yr_dht *dht, struct yr_now now);
/** The next datagram to send: its length, 0: none.  cap >= YR_DATAGRAM_MAX. */
size_t yr_dht_poll(struct yr_dht *dht, struct yr_addr *to, uint8_t *buf, size_t cap);
yr_us yr_dht_deadline(const struct yr_dht *dht);

/** Store a record with the 8 nodes nearest to its key; `hard`: an earlier try failed.  record:
 *  copied, of yr_dht_record_make.  Errors: YR_EFULL: too many searches; YR_EPROTO; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_dht_put(struct yr_dht *dht, struct yr_now now, const uint8_t *record,
                                   size_t len, bool hard, uint64_t *search);
/** Look for the record that `pk` signs.  Errors: YR_EFULL; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_dht_get(struct yr_dht *dht, struct yr_now now, const uint8_t pk[32],
                                   bool hard, uint64_t *search);

/** A server's own store, which no search reaches: as above.  False: we are none, or it was refused.
 */
bool yr_dht_put_here(struct yr_dht *dht, struct yr_now now, const uint8_t *record, size_t len);
/** Lent until the next call; NULL. */
const uint8_t *yr_dht_get_here(struct yr_dht *dht, struct yr_now now, const uint8_t pk[32],
                               size_t *len);

/** Ask a node to pass on what comes for this id, for YR_DHT_SIGNAL_S; again to renew. */
void yr_dht_listen(struct yr_dht *dht, struct yr_now now, const struct yr_dht_contact *relay,
                   const uint8_t id[YR_DHT_SIGNAL_LEN]);
/** Keep the way to a node open: a PING. */
void yr_dht_touch(struct yr_dht *dht, struct yr_now now, const struct yr_dht_contact *node);
/** Send bytes (1..YR_DHT_SIGNAL_MAX) to whoever listens under this id there; `there` may be us. */
void yr_dht_signal(struct yr_dht *dht, struct yr_now now, const struct yr_dht_contact *relay,
                   const uint8_t id[YR_DHT_SIGNAL_LEN], const uint8_t *bytes, size_t len);

/** What was dropped and why; NULL name at the end. */
struct yr_counter yr_dht_counter(const struct yr_dht *dht, size_t i);

#endif
