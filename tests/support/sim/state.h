/* tests/support/sim/state.h: what the parts of the simulator share.
 *
 *   sim.c: the heap of happenings, nodes, commands   roads.c: how a packet goes from host to host
 *   said.c: what tests say often                     nat.c: one box on that road */
#ifndef SIM_STATE_H
#define SIM_STATE_H

#include "core/limits.h"
#include "tests/support/sim/nat.h"
#include "tests/support/sim/sim.h"

#define DONE_KEPT 4096
#define EPOCH_MS  1767225600000LL // 2026-01-01: where every run begins
#define PORT      7000
#define BOOTS_MAX 4

enum what { PACKET, COMMIT, TICK, TRANSIT };

struct happening {
    yr_us at;
    uint64_t seq;
    enum what what;
    unsigned node; // it is for; of TRANSIT: whose packet it is
    uint64_t life; // of the node it is for
    struct yr_addr from;
    struct yr_addr to; // of TRANSIT: looked up when it arrives
    unsigned net;      // of TRANSIT: the box behind which it arrives, or SIM_INTERNET
    uint8_t *bytes;
    size_t len;
};

struct socket {
    uint8_t family; // 0: shut
    uint16_t port;
};

/** In front of what a node allocated, if that is looked at. */
struct sim_block {
    struct sim_block *next, *previous;
    size_t size, pad;
};

struct sim_node {
    struct sim *sim;
    unsigned index;
    struct yr_node *node; // NULL: down
    struct yr_memstore *store;
    struct yr_mem mem;
    struct yr_rng rng;
    uint64_t draws, life, commits, next_ticket;
    uint64_t crash_commit, allocs, refuse_at;
    bool crash_after, crash_within, crashed_at;
    uint64_t fail_commit;
    enum yr_err fail_err;
    size_t fail_count;
    struct sim_block blocks; /* a ring */
    uint8_t vk[32], id[32];
    yr_ms skew_ms;
    struct yr_addr addr, addr6; // family 0: none
    unsigned box;               // it is behind, or SIM_INTERNET
    bool placed;                // no packet to it is promised to arrive after it moved
    struct socket sockets[YR_SOCKETS_MAX + 1];
    unsigned opened;
    struct sim_traffic traffic;
    unsigned moves;
    enum yr_dht_mode dht;
    bool keeper;
    uint8_t dht_pk[32];                    // as last told
    unsigned boots[BOOTS_MAX], boot_count; // nodes of the DHT that it starts from
    int drop;                              // first byte of packets that are lost; -1: none
    yr_us tick_at;                         // of the tick in the heap; YR_NEVER: none
    yr_us storm_us;                        // when its last 1,000 ticks began
    unsigned ticks;
    struct yr_event done[DONE_KEPT];
};

struct box {
    struct nat *nat;
    unsigned outer; // the box it is behind, or SIM_INTERNET
    unsigned hosts; // that were ever behind it: their addresses
    unsigned moves;
};

struct recorded {
    uint8_t *bytes;
    size_t len;
};

struct sim {
    struct sim_opts opts;
    yr_us time;
    uint64_t seq, hash, packets, bytes, test_draws, strangers;
    void (*watch)(void *, unsigned, const struct yr_event *);
    void *watch_ctx;
    uint8_t wanted[64]; /* in packets */
    size_t wanted_len;
    uint64_t seen;
    void (*changed)(void *, unsigned);
    void *changed_ctx;
    struct happening *heap;
    size_t count, cap;
    struct sim_node *nodes[SIM_NODES_MAX];
    unsigned node_count;
    struct box *boxes;
    unsigned box_count;
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
    struct recorded *recorded;
    size_t recorded_count;
};

/* ---- sim.c ---- */

void sim_check(bool ok, const char *what);
enum stream { STREAM_NODE = 1, STREAM_LINK, STREAM_TEST, STREAM_KEY, STREAM_NAT };
/** PRF(seed, stream, entity, n). */
uint64_t sim_prf(const struct sim *sim, enum stream stream, uint64_t entity, uint64_t n);
/** A packet leaves: is in it what is looked for? */
void sim_scan_packet(struct sim *sim, const uint8_t *bytes, size_t len);
/** Into the heap. */
void sim_push(struct sim *sim, struct happening h);

/* ---- roads.c ---- */

/** Carry a datagram of this node to `to`, or lose it. */
void sim_carry(struct sim *sim, struct sim_node *from, const struct yr_addr *to,
               const uint8_t *bytes, size_t len);
void sim_broadcast(struct sim *sim, struct sim_node *from, const uint8_t *bytes, size_t len);
/** A TRANSIT is at its end: true, and it is a PACKET now, or it was lost. */
bool sim_arrive(struct sim *sim, struct happening *h);
/** Into a node from `from` at this time. */
void sim_deliver(struct sim *sim, unsigned to, const struct yr_addr *from, const uint8_t *bytes,
                 size_t len, yr_us at);
void sim_open_socket(struct sim_node *sn, const struct yr_addr *which);
void sim_shut_socket(struct sim_node *sn, const struct yr_addr *which);
/** The first address of a node that was added. */
void sim_first_addr(struct sim_node *sn);
/** Tell the node its own addresses. */
void sim_tell_addrs(struct sim_node *sn);
/** An address of nobody's. */
struct yr_addr sim_stranger(void);

#endif
