/* tests/support/dhtnet.h: many nodes of the DHT and nothing else, under one virtual clock.
 *
 * Light enough for ten thousand in a process; stands under tests/sim/dht_*_test.c and tools/sim
 * dht. The same options are the same run: each draw is a function of (seed, stream, entity,
 * number), so that one node more or less leaves the draws of all others as they were.
 *
 * Node 0 is the first one; each node is alone in its /24, at a public address. */
#ifndef TEST_DHTNET_H
#define TEST_DHTNET_H

#include "core/dht/dht.h"
#include "core/dht/state.h"

struct dhtnet;

struct dhtnet_opts {
    uint64_t seed;
    uint32_t nodes_max;
    uint32_t rtt_ms;       /* median of all pairs; 0: 100 */
    uint32_t first_rtt_ms; /* to node 0; 0: as to any */
    uint32_t loss;         /* packets of a thousand */
    uint32_t parted;       /* pairs of a thousand that cannot talk */
    bool direct;           /* without forwarders, for comparison */
};

enum dhtnet_kind {
    DHTNET_HONEST,
    DHTNET_LIAR,    /* names only its like, the nearest of them; stores and finds nothing */
    DHTNET_SILENTER /* a liar that forwards nothing either and does not say so */
};

/** One put or get. */
struct dhtnet_job {
    uint32_t node;
    uint64_t search;
    bool done, found;
    struct yr_dht_result result;
    yr_us began_us, found_us, done_us;
    uint32_t seq; /* of the record found */
    uint8_t record[YR_DHT_RECORD_MAX];
    size_t record_len;
    struct dhtnet_job *next; /* of this node */
};

struct dhtnet_node {
    struct dhtnet *net;
    uint32_t index;
    struct yr_dht *dht; /* NULL: never started, or ended */
    struct yr_addr addr;
    struct yr_mem mem;
    struct yr_rng rng;
    uint64_t draws;
    bool up; /* false: neither hears nor says anything, but keeps what it knows */
    enum dhtnet_kind kind;
    uint8_t side;             /* nodes of different sides cannot talk */
    bool deaf;                /* hears only whom it has sent something in the last minute */
    struct dhtnet_ear *heard; /* ... these */
    int64_t wall_off_ms;
    uint32_t rate; /* bytes a second it can send; 0: as many as it likes */
    yr_us busy_us; /* ... which takes until then */
    yr_us alarm_us, began_us;
    yr_us due_us; /* a tick before then would do nothing; 0: who knows */
    uint64_t out_bytes, in_bytes, out_packets, in_packets; /* with IP and UDP headers */
    struct dhtnet_job *jobs;
};

/** What liars see and pool: enough to try who belongs to whom. */
struct dhtnet_sight {
    enum {
        DHTNET_SAW_GET, /* as a storing node: `who` asked for `key` */
        DHTNET_SAW_PUT, /* as a storing node: `who` put something there */
        DHTNET_SAW_FWD, /* as a forwarder: `who` wanted something sent to `to` */
        DHTNET_SAW_FIND /* `who` looked for something like `key` */
    } what;
    yr_us at_us;
    struct yr_addr who, to;
    uint8_t key[32];
    uint8_t
        inner[16]; /* FWD: a hash of what was passed on; GET and PUT: of what came in an INNER */
};

struct dhtnet {
    struct dhtnet_opts opts;
    struct dhtnet_node *nodes; /* nodes_max */
    uint32_t count;
    yr_us now_us;
    uint64_t hash, events, packets, lost;
    struct dhtnet_event *heap;
    size_t heap_count, heap_cap, heap_most;
    uint64_t seq;
    size_t memory; /* bytes of all nodes, with what the allocator adds */
    /* liars */
    struct dhtnet_liar *liars; /* by id */
    size_t liar_count;
    bool pooling;
    struct dhtnet_sight *sights;
    size_t sight_count, sight_cap;
    /** Every datagram on its way, if set; from, to: nodes, UINT32_MAX: nobody. */
    void (*tap)(void *ctx, uint32_t from, uint32_t to, const uint8_t *bytes, size_t len);
    /** What a liar has opened, if set. */
    void (*opened)(void *ctx, uint32_t liar, const uint8_t *plain, size_t len);
    void *ctx;
};

/** Aborts when there is no memory. */
struct dhtnet *dhtnet_new(const struct dhtnet_opts *opts);
void dhtnet_free(struct dhtnet *net);

struct yr_now dhtnet_now(const struct dhtnet *net, const struct dhtnet_node *node);
/** draw = f(seed, stream, entity, n). */
uint64_t dhtnet_draw(const struct dhtnet *net, uint64_t stream, uint64_t entity, uint64_t n);
/** A round-trip time, the same each time. */
yr_us dhtnet_rtt(const struct dhtnet *net, uint32_t a, uint32_t b);
/** How long a session lasts: Weibull of shape 0.5 with this median. */
yr_us dhtnet_session(const struct dhtnet *net, uint32_t node, uint64_t n, yr_us median_us);

/** A new node; starts from `from` (UINT32_MAX: nobody). */
uint32_t dhtnet_add(struct dhtnet *net, enum yr_dht_role role, uint32_t from);
/** ... at a place of its own: the /24 of `near`. */
uint32_t dhtnet_add_at(struct dhtnet *net, enum yr_dht_role role, uint32_t from,
                       const struct yr_addr *addr);
/** It ends for good: its memory is given back.  A silent one is `up = false`. */
void dhtnet_end(struct dhtnet *net, uint32_t node);
/** It begins again with a new key, at the same address, from what `from` says. */
void dhtnet_again(struct dhtnet *net, uint32_t node, enum yr_dht_role role, uint32_t from);
/** Up again after up = false. */
void dhtnet_wake(struct dhtnet *net, uint32_t node);
struct yr_dht_contact dhtnet_contact(const struct dhtnet *net, uint32_t node);
/** UINT32_MAX: nobody is there. */
uint32_t dhtnet_at(const struct dhtnet *net, const struct yr_addr *addr);
/** Call after a verb of a node's dht was called from outside. */
void dhtnet_drain(struct dhtnet *net, uint32_t node);
/** Those that are liars lie from now on; call again when more became liars. */
void dhtnet_liars(struct dhtnet *net);

void dhtnet_run(struct dhtnet *net, yr_us for_us);
/** job: lent to the node until it is done. */
void dhtnet_put(struct dhtnet *net, uint32_t node, const uint8_t *record, size_t len, bool hard,
                struct dhtnet_job *job);
void dhtnet_get(struct dhtnet *net, uint32_t node, const uint8_t pk[32], bool hard,
                struct dhtnet_job *job);
/** A signed record nobody else makes. */
size_t dhtnet_record(const struct dhtnet *net, uint64_t which, uint32_t seq,
                     uint8_t out[YR_DHT_RECORD_MAX], uint8_t pk[32]);

#endif
