/* core/path/paths.h: where a friend is.  Below QUIC: candidates, probes, the choice.
 * docs/protocol.md "Paths".
 *
 *   candidates: where the link was last, what the friend said (ADDRS, an offer, the DHT), the LAN,
 *   where probes came from, configured peers
 *
 *   lost    no link: probe all, often, then once a minute --> one answers --> found: dial there
 *   doubt   a link, but it may be dead where it is: probe all --> the first that answers has it
 *   better  a link through a friend: offers and probes, three times, then after 1, 5, 30 minutes;
 *           who answers twice gets the link
 *   settled a direct link: nothing to do
 *
 * Where nobody answers, the owner is asked for more (need): a circuit through a common friend, the
 * DHT, a signal.
 *
 * Probe 0x21 and answer 0x22 = type | hint 8 | nonce 24 | AEAD_X(KDF(PAIR,"path/probe",dir);
 * unix ms 8 | random 16 | address 19 | delay u8).  The clock inside rises strictly per friend: each
 * value is answered once, after it is durable, so a replay gets nothing. */
#ifndef YR_PATHS_H
#define YR_PATHS_H

#include "core/path/nat.h"
#include "core/path/punch.h"
#include "core/seal/pair.h"

enum yr_addr_source {
    YR_ADDR_LINKED, /* a link was here */
    YR_ADDR_TOLD,   /* the friend says so */
    YR_ADDR_LAN,    /* heard in a beacon */
    YR_ADDR_PROBED, /* a good probe came from here */
    YR_ADDR_DHT,    /* in the friend's record */
    YR_ADDR_PEER    /* configured */
};

/** The clocks of probes and of signals in both directions, unix ms: what is on disk.  Values above
 *  have not been used; values below may have been. */
struct yr_probe_clock {
    uint64_t theirs, ours;
    uint64_t signal_theirs, signal_ours;
};

struct yr_path_ops {
    /** Make these clocks durable; what waits for them leaves with yr_paths_release(token). */
    uint64_t (*clock)(void *ctx, unsigned slot, const struct yr_probe_clock *clock);
    /** No link, and this address answers: dial there. */
    void (*found)(void *ctx, unsigned slot, const struct yr_addr *addr);
    /** The link is to go on there. */
    void (*move)(void *ctx, unsigned slot, const struct yr_addr *addr);
    /** Nobody answers where the friend may be: look elsewhere too (a circuit, the DHT).  times: 0
     *  at first; it is asked again, less and less often. */
    void (*need)(void *ctx, unsigned slot, unsigned times);
    /** Fill in `relays` and `signals` of an offer to this friend. */
    void (*here)(void *ctx, unsigned slot, struct yr_offer *out);
    /** Send this ADDRS frame over the friend's link.  Errors: YR_EAGAIN: there is none. */
    enum yr_err (*frame)(void *ctx, unsigned slot, const uint8_t *body, size_t len);
    /** Are signal nodes of this friend known?  Send this (YR_SIGNAL_BYTES) to them. */
    bool (*can_signal)(void *ctx, unsigned slot);
    void (*signal)(void *ctx, unsigned slot, const uint8_t *bytes, size_t len);
    /** An offer or ADDRS came; its addresses are taken already. */
    void (*told)(void *ctx, unsigned slot, const struct yr_offer *offer);
    /** When something last came over the friend's link; 0: there is none. */
    yr_us (*heard)(void *ctx, unsigned slot);
    /** Does somebody wait for this friend (a message is queued, the chat is open)? */
    bool (*waiting)(void *ctx, unsigned slot);
    /** Keep links open by a packet every so many seconds; learnt: just now, to be stored. */
    void (*keepalive)(void *ctx, unsigned seconds, bool learnt);
    void (*note)(void *ctx, unsigned slot, enum yr_way way, enum yr_outcome outcome,
                 const struct yr_addr *addr);
    void *ctx;
};

struct yr_paths;

/** nat: borrowed, fed here and by whoever else hears of us.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_paths_new(struct yr_paths **out, struct yr_mem *mem,
                                     const struct yr_rng *rng, struct yr_nat *nat,
                                     const struct yr_path_ops *ops);
void yr_paths_free(struct yr_paths *paths);

/** Enter a friend; its first round of probes is due at once.  pair: borrowed until remove. */
void yr_paths_set(struct yr_paths *paths, unsigned slot, const struct yr_pair *pair,
                  const struct yr_probe_clock *clock, struct yr_now now);
/** Forget a friend, and what was queued for it. */
void yr_paths_remove(struct yr_paths *paths, unsigned slot);
/** Neither look for this friend nor answer his probes and offers any more, or again. */
void yr_paths_block(struct yr_paths *paths, unsigned slot, bool blocked, struct yr_now now);

/** The link is up here, or has moved here; addr NULL: it is down. */
void yr_paths_linked(struct yr_paths *paths, unsigned slot, const struct yr_addr *addr,
                     struct yr_now now);
/** The link is up, but nothing is heard over it, or we are elsewhere: it may be dead. */
void yr_paths_doubt(struct yr_paths *paths, unsigned slot, struct yr_now now);
/** It is not: an answer came over it. */
void yr_paths_alive(struct yr_paths *paths, unsigned slot, struct yr_now now);
/** No link, or one that may be dead. */
bool yr_paths_lost(const struct yr_paths *paths, unsigned slot);
/** A circuit to the friend is open. */
void yr_paths_circuit(struct yr_paths *paths, unsigned slot, const struct yr_addr *via,
                      struct yr_now now);
/** Look at once (a message waits, the network changed): back-off starts again, at most every 2 s.
 */
void yr_paths_hurry(struct yr_paths *paths, unsigned slot, struct yr_now now);
/** Our own addresses changed: what we found out about the network is void, every link in doubt. */
void yr_paths_moved(struct yr_paths *paths, const struct yr_addr *own, size_t count,
                    struct yr_now now);

/** Tell the friend where we are, if there is a link. */
void yr_paths_tell(struct yr_paths *paths, unsigned slot, struct yr_now now);
/** An ADDRS frame came.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_paths_frame(struct yr_paths *paths, unsigned slot, const uint8_t *body,
                                       size_t len, struct yr_now now);

/** Learn an address; the least useful one makes room. */
void yr_paths_learn(struct yr_paths *paths, unsigned slot, const struct yr_addr *addr,
                    enum yr_addr_source source, struct yr_now now);
/** Addresses the friend told, in person (TOLD) or by a record (DHT): replace the earlier ones of
 *  that source.  Those that are nobody's or everybody's are ignored, and so is this machine's own
 *  loopback unless the link itself is there. */
void yr_paths_told(struct yr_paths *paths, unsigned slot, const struct yr_addr *addrs, size_t count,
                   enum yr_addr_source source, bool loopback, struct yr_now now);
/** Configured peers, tried for every friend; replaces the list. */
void yr_paths_peers(struct yr_paths *paths, const struct yr_addr *addrs, size_t count,
                    struct yr_now now);
/** The i-th candidate of a friend; false past the end. */
bool yr_paths_candidate(const struct yr_paths *paths, unsigned slot, size_t i, struct yr_addr *addr,
                        enum yr_addr_source *source);

/** A packet whose first byte is 0x20, 0x21 or 0x22. */
void yr_paths_recv(struct yr_paths *paths, struct yr_now now, const struct yr_addr *from,
                   const uint8_t *packet, size_t len);
/** Packets whose token is <= durable may leave, and signals act. */
void yr_paths_release(struct yr_paths *paths, uint64_t durable, struct yr_now now);
/** The next socket to open or to shut (its family and `local`); before poll. */
bool yr_paths_socket(struct yr_paths *paths, struct yr_addr *which, bool *open);
size_t yr_paths_poll(struct yr_paths *paths, struct yr_now now, struct yr_addr *to, uint8_t *buf,
                     size_t cap);
void yr_paths_tick(struct yr_paths *paths, struct yr_now now);
yr_us yr_paths_deadline(const struct yr_paths *paths);

struct yr_path_info {
    unsigned candidates, rounds; /* rounds of probes since the last answer */
    yr_ms asked_ms, answered_ms; /* last round, last answer; 0: never */
    yr_us next_us;               /* next round; YR_NEVER */
};
void yr_paths_info(const struct yr_paths *paths, unsigned slot, struct yr_path_info *out);
struct yr_counter yr_paths_counter(const struct yr_paths *paths, size_t i);

/** What was learnt about this network, to be kept; total decoder.  Errors: YR_EPROTO. */
#define YR_NETWORKS_ROW_MAX (1 + YR_NETWORKS_MAX * 28)
size_t yr_paths_networks(const struct yr_paths *paths, uint8_t out[YR_NETWORKS_ROW_MAX]);
YR_MUST_USE enum yr_err yr_paths_networks_load(struct yr_paths *paths, const uint8_t *row,
                                               size_t len);
/** Keepalives now, and whether that was found out here. */
unsigned yr_paths_keepalive(const struct yr_paths *paths, bool *learned);

#endif
