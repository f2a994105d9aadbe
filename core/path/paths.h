/* core/path/paths.h: where a friend is.  Below QUIC: candidates, probes, the choice.
 * docs/protocol.md "Paths".
 *
 *   candidates: where the link was last, what the friend said (ADDRS), the LAN, configured peers
 *   unlinked --probe all, often, then once a minute--> one answers --> found: the owner dials there
 *
 * Probe 0x21 and answer 0x22 = type | hint 8 | nonce 24 | AEAD_X(KDF(PAIR,"path/probe",dir);
 * unix ms 8 | random 16 | address seen 19).  The clock inside rises strictly per friend: a probe is
 * answered once, after the clock is durable, so a replay gets nothing. */
#ifndef YR_PATHS_H
#define YR_PATHS_H

#include "core/base/bytes.h"
#include "core/limits.h"
#include "core/seal/pair.h"
#include "yaari/node.h"

enum yr_addr_source {
    YR_ADDR_LINKED, /* a link was here */
    YR_ADDR_TOLD,   /* the friend says so */
    YR_ADDR_LAN,    /* heard in a beacon */
    YR_ADDR_PROBED  /* a good probe came from here */
};

/** The clocks of probes in both directions, unix ms. */
struct yr_probe_clock {
    uint64_t theirs, ours;
};

struct yr_path_ops {
    /** Make these clocks durable; what waits for them leaves with yr_paths_release(token). */
    uint64_t (*clock)(void *ctx, unsigned slot, const struct yr_probe_clock *clock);
    /** This address answers now. */
    void (*found)(void *ctx, unsigned slot, const struct yr_addr *addr);
    void *ctx;
};

struct yr_paths;

YR_MUST_USE enum yr_err yr_paths_new(struct yr_paths **out, struct yr_mem *mem,
                                     const struct yr_rng *rng, const struct yr_path_ops *ops);
void yr_paths_free(struct yr_paths *paths);

/** Enter a friend; its first round of probes is due at once.  pair: borrowed until remove. */
void yr_paths_set(struct yr_paths *paths, unsigned slot, const struct yr_pair *pair,
                  const struct yr_probe_clock *clock, struct yr_now now);
/** Forget a friend, and what was queued for it. */
void yr_paths_remove(struct yr_paths *paths, unsigned slot);
/** Answer this friend's probes no more, or again. */
void yr_paths_block(struct yr_paths *paths, unsigned slot, bool blocked);
/** Look for this friend or not (blocked, or linked).  Its probes are answered all the same. */
void yr_paths_want(struct yr_paths *paths, unsigned slot, bool want, struct yr_now now);
/** Look at once (a message waits, the network changed): back-off starts again, at most every 2 s.
 */
void yr_paths_hurry(struct yr_paths *paths, unsigned slot, struct yr_now now);

/** Learn an address; the least useful one makes room. */
void yr_paths_learn(struct yr_paths *paths, unsigned slot, const struct yr_addr *addr,
                    enum yr_addr_source source, struct yr_now now);
/** Addresses the friend told: replace the earlier TOLD ones.  Those that are nobody's or
 * everybody's are ignored, and so is this machine's own loopback unless the link itself is there.
 */
void yr_paths_told(struct yr_paths *paths, unsigned slot, const struct yr_addr *addrs, size_t count,
                   bool loopback, struct yr_now now);
/** Configured peers, tried for every friend; replaces the list. */
void yr_paths_peers(struct yr_paths *paths, const struct yr_addr *addrs, size_t count,
                    struct yr_now now);
/** The i-th candidate of a friend; false past the end. */
bool yr_paths_candidate(const struct yr_paths *paths, unsigned slot, size_t i, struct yr_addr *addr,
                        enum yr_addr_source *source);

/** A packet whose first byte is 0x21 or 0x22. */
void yr_paths_recv(struct yr_paths *paths, struct yr_now now, const struct yr_addr *from,
                   const uint8_t *packet, size_t len);
/** Packets whose token is <= durable may leave. */
void yr_paths_release(struct yr_paths *paths, uint64_t durable);
size_t yr_paths_poll(struct yr_paths *paths, struct yr_addr *to, uint8_t *buf, size_t cap);
void yr_paths_tick(struct yr_paths *paths, struct yr_now now);
yr_us yr_paths_deadline(const struct yr_paths *paths);

struct yr_path_info {
    unsigned candidates, rounds; /* rounds of probes since the last answer */
    yr_ms asked_ms, answered_ms; /* last round, last answer; 0: never */
    yr_us next_us;               /* next round; YR_NEVER */
};
void yr_paths_info(const struct yr_paths *paths, unsigned slot, struct yr_path_info *out);
struct yr_counter yr_paths_counter(const struct yr_paths *paths, size_t i);

#endif
