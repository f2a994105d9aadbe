/* tests/support/sim/sim.h: many nodes in one process under one virtual clock.
 *
 * Everything that happens is an event in one heap, ordered by (time, sequence).  Every draw is
 * PRF(seed, stream, entity, count), never a shared sequence, so that taking one node or fault away
 * leaves every other draw as it was.  Each node has its own memory store; a crash loses what was
 * not committed.  A rolling hash over all that happened tells two runs apart. */
#ifndef YR_SIM_H
#define YR_SIM_H

#include <limits.h>

#include "core/base/base.h"
#include "tests/support/sim/nat.h"
#include "tests/support/store_memory.h"
#include "yaari/node.h"

#define SIM_NODES_MAX    320
#define SIM_PACKETS_KEPT 20000
#define SIM_INTERNET     UINT_MAX /* behind no box */

struct sim;

/** What the network does to a packet; times in microseconds, rates per thousand. */
struct sim_link {
    yr_us delay_us, jitter_us;
    unsigned loss, duplicate, reorder; /* reorder: delayed by up to four more delays */
};

struct sim_opts {
    uint64_t seed;
    struct sim_link link;
    yr_us commit_us; /* from STORE to stored */
    bool lan;
    bool record;          /* keep every packet for sim_replay */
    bool scan;            /* for sim_has: know what memory nodes hold */
    bool open;            /* nodes are in the internet, each in a network (/16) of its own */
    enum yr_dht_mode dht; /* of nodes when they are added; off unless said otherwise */
};
struct sim_opts sim_opts_default(uint64_t seed);

struct sim *sim_new(const struct sim_opts *opts);
void sim_free(struct sim *sim);
yr_us sim_time(const struct sim *sim);
struct yr_now sim_now(const struct sim *sim, unsigned node);
uint64_t sim_hash(const struct sim *sim);
void sim_set_link(struct sim *sim, const struct sim_link *link);
/** A draw of the test's own. */
uint64_t sim_draw(struct sim *sim, uint64_t entity);

/** A node with an identity of this nick; its address is 10.0.0.(n+1):7000, or a public one
 *  (sim_opts.open). */
unsigned sim_add(struct sim *sim, const char *nick);
/** One without an identity. */
unsigned sim_add_nobody(struct sim *sim);
/** What this node does in the DHT: from now on, and whenever it starts. */
void sim_set_dht(struct sim *sim, unsigned node, enum yr_dht_mode mode);
/** It is a keeper of mail: from now on, and whenever it starts. */
void sim_keeper(struct sim *sim, unsigned node);
/** It knows that this other one is in the DHT, and the key that it has or had when it was up: from
 *  now on, and whenever it starts.  Up to four. */
void sim_bootstrap(struct sim *sim, unsigned node, unsigned from);
struct yr_node *sim_node(struct sim *sim, unsigned node);
struct yr_memstore *sim_store(struct sim *sim, unsigned node);
const uint8_t *sim_id(struct sim *sim, unsigned node);
/** This node's wall clock differs from the world's. */
void sim_skew(struct sim *sim, unsigned node, yr_ms skew_ms);
/** It is at another address from now on; the old one is nobody's. */
void sim_move(struct sim *sim, unsigned node);
struct yr_addr sim_addr(const struct sim *sim, unsigned node);
/* ---- boxes: a host is behind none or some, each with an outside address in the network beyond
 * ----
 *
 * A node that was ever put somewhere by these is looked up when a packet arrives: what is under way
 * to an address that it left is lost. */

/** A box in the internet with a public address; its number. */
unsigned sim_nat(struct sim *sim, const struct nat_opts *opts);
/** A box that is itself behind one: nobody may have been put behind `outer` before. */
unsigned sim_nat_behind(struct sim *sim, const struct nat_opts *opts, unsigned outer);
/** The node is behind this box (SIM_INTERNET: none) from now on, at a new address, and is told. */
void sim_behind(struct sim *sim, unsigned node, unsigned box);
/** It has an IPv6 address too, a new one at each move; or has none any more. */
void sim_give6(struct sim *sim, unsigned node, bool on);
/** Power off and on: mappings are lost; perhaps the outside address is a new one. */
void sim_reboot_nat(struct sim *sim, unsigned box, bool new_address);
/** Its properties, counts and forwards.  Lent. */
struct nat *sim_box(struct sim *sim, unsigned box);
/** Its gateway says that it mapped a port for the node, and did so (the port that it would have
 *  anyway, so that nothing changes when it is forgotten) or lied; or says no more. */
enum sim_mapping { SIM_MAP_NONE, SIM_MAP_TRUE, SIM_MAP_LIE };
void sim_map_port(struct sim *sim, unsigned node, enum sim_mapping how);
/** Extra sockets that the node has open. */
unsigned sim_sockets(const struct sim *sim, unsigned node);

/** What the node sent and was given, IP and UDP headers counted. */
struct sim_traffic {
    uint64_t in, out, packets_in, packets_out;
};
struct sim_traffic sim_traffic(const struct sim *sim, unsigned node);

/** Packets between the two pass, or not. */
void sim_cut(struct sim *sim, unsigned a, unsigned b, bool cut);
/** Only what `from` sends to `to` passes or not. */
void sim_cut_way(struct sim *sim, unsigned from, unsigned to, bool cut);

/** Packets of this node that begin with this byte are lost; -1: none. */
void sim_drop(struct sim *sim, unsigned node, int first_byte);

/** Power fails: memory and whatever was not committed are gone. */
void sim_crash(struct sim *sim, unsigned node);
/** It says goodbye on its links and is down then: a program that is told to end. */
void sim_leave(struct sim *sim, unsigned node);
bool sim_alive(const struct sim *sim, unsigned node);
/** Read the store again and go on. */
void sim_restart(struct sim *sim, unsigned node);
/** The same, where it may fail: what unlock said; after an error the node stays down. */
enum yr_err sim_try_restart(struct sim *sim, unsigned node);
/** Lock the vault and open it again, in the same process. */
void sim_relock(struct sim *sim, unsigned node);
/** It never comes back: node and store are given back. */
void sim_retire(struct sim *sim, unsigned node);
/** How many commits this node's store has made or been asked for, over all its lives. */
uint64_t sim_commits(const struct sim *sim, unsigned node);
/** Crash the node at its k-th commit from the beginning: before it is made, or after it but before
 *  the node hears of it.  0: never. */
void sim_crash_at(struct sim *sim, unsigned node, uint64_t commit, bool after);
/** The same, in the middle of it.  A commit of LMDB is whole or not there, and a node has one under
 *  way at a time, so what a torn one leaves is what one before it or after it leaves: it is on
 *  disk, and the node never heard.  Of a key file half is written. */
void sim_crash_within(struct sim *sim, unsigned node, uint64_t commit);
bool sim_crashed_at(const struct sim *sim, unsigned node);
/** From its k-th commit on `count` of them fail with this error.  0: none. */
void sim_fail_at(struct sim *sim, unsigned node, uint64_t commit, enum yr_err err, size_t count);

/** How many allocations this node has asked for, over all its lives. */
uint64_t sim_allocs(const struct sim *sim, unsigned node);
/** Refuse the k-th allocation from the beginning, once.  0: none. */
void sim_refuse_at(struct sim *sim, unsigned node, uint64_t alloc);
/** Bytes the node holds now. */
size_t sim_mem_used(const struct sim *sim, unsigned node);
/** Are these bytes anywhere in what the node holds in memory or has committed, as they are?  With
 *  sim_opts.scan. */
bool sim_has(const struct sim *sim, unsigned node, const void *bytes, size_t len);
/** From now on packets are looked at: how many that nodes sent had these bytes in them. */
void sim_look_for(struct sim *sim, const void *bytes, size_t len);
uint64_t sim_seen(const struct sim *sim);
/** From now on a commit takes this long. */
void sim_set_commit(struct sim *sim, yr_us commit_us);
/** Carry out what a node wants done after a test has spoken to its parts directly. */
void sim_drain(struct sim *sim, unsigned node);

/** Give a command; its ticket. err receives what the node said at once. */
uint64_t sim_command(struct sim *sim, unsigned node, const struct yr_cmd *cmd, enum yr_err *err);
/** The DONE event of a ticket, or NULL while it has not come.  Lent until the next run. */
const struct yr_event *sim_done(const struct sim *sim, unsigned node, uint64_t ticket);
/** Command and run until it is done; fails the test if it is not within `limit_us`. */
struct yr_event sim_do(struct sim *sim, unsigned node, const struct yr_cmd *cmd);

/** From now on this is told every event of every node, in the middle of a run. */
void sim_watch(struct sim *sim,
               void (*event)(void *ctx, unsigned node, const struct yr_event *event), void *ctx);

/** From now on this is told of each node that went up or down, whose ways were cut or healed, or
 *  whose links came or went; it may look and changes nothing.  NULL: no more. */
void sim_notice(struct sim *sim, void (*changed)(void *ctx, unsigned node), void *ctx);

/** Run for this long, or until `until` says so; true if it did. */
void sim_run(struct sim *sim, yr_us duration_us);
bool sim_run_until(struct sim *sim, yr_us limit_us, bool (*until)(struct sim *sim, void *ctx),
                   void *ctx);

/** Bytes that nodes have given the network to carry to nodes. */
uint64_t sim_bytes(const struct sim *sim);
/** Packets recorded so far, and one of them sent to `node` again, from an address of nobody's. */
size_t sim_recorded(const struct sim *sim);
void sim_replay(struct sim *sim, size_t i, unsigned node);
/** A recorded packet; lent. */
const uint8_t *sim_packet(const struct sim *sim, size_t i, size_t *len);
/** Bytes into the node from a stranger's address. */
void sim_inject(struct sim *sim, unsigned node, const uint8_t *bytes, size_t len);
/** Packets that nodes sent to nobody's address: answers a stranger got. */
uint64_t sim_answers_to_strangers(const struct sim *sim);

/* ---- what tests say often ---- */

/** a invites b; run until both are friends and linked. */
void sim_befriend(struct sim *sim, unsigned a, unsigned b);
bool sim_linked(struct sim *sim, unsigned a, unsigned b);
bool sim_run_linked(struct sim *sim, unsigned a, unsigned b, yr_us limit_us);
/** A text; its id.  Errors fail the test unless `err` is given. */
void sim_text(struct sim *sim, unsigned from, unsigned to, const char *text,
              uint8_t id[YR_MSG_ID_LEN]);
/** The conversation of a with b as one line a message, `state` included or not; owned by the
 * caller. */
char *sim_history(struct sim *sim, unsigned a, unsigned b, bool state);
/** How many messages of the conversation there are, system lines not counted. */
size_t sim_history_count(struct sim *sim, unsigned a, unsigned b);

#endif
