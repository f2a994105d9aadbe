/* core/link/links.h: one encrypted, reliable link per friend: QUIC (ngtcp2) with a silent
 * Noise KKpsk0 handshake in place of TLS.  docs/protocol.md "Links"; Hall-Andersen et al. 2018.
 *
 *     down --dial--> dialling --answered--> up --silence, close--> down
 *     down --good first packet, clock durable--> answering --confirmed--> up
 *
 * A link has several channels; each is a bidirectional stream opened by either end, which begins
 * with `channel u8` and then carries frames `type u8 | len u16le | body`.  Frames of a channel
 * arrive whole and in order within one connection.  When a connection replaces another, what was
 * not acknowledged at the level of messages is sent again by whoever queued it: frames carry ids,
 * the link keeps no memory of a dead connection.
 *
 * Beside the channels a link carries datagrams: bytes that are sent once, arrive whole or not at
 * all, in any order.
 *
 * Where a link's packets go is an address below QUIC, which knows nothing of it.  A packet that is
 * authentic and newer than all before moves it: between UDP addresses, and from a circuit to a UDP
 * address, at once; from a UDP address to a circuit only when that one has been silent for
 * YR_LINK_DIRECT_S or is in doubt, or the circuit is expected: yr_links_expect.  The owner moves it
 * too: yr_links_move. */
#ifndef YR_LINKS_H
#define YR_LINKS_H

#include "core/base/map.h"
#include "core/crypto/identity.h"
#include "core/limits.h"
#include "core/seal/pair.h"

enum yr_channel {
    YR_CHANNEL_CONTROL,
    YR_CHANNEL_CHAT, /* envelopes of direct conversations */
    YR_CHANNEL_ROOMS,
    YR_CHANNEL_BULK,
    YR_CHANNEL_COUNT
};

/** A handshake clock value: TAI64N, big-endian, so memcmp orders it. */
struct yr_clock {
    uint8_t bytes[12];
};

enum yr_link_end {
    YR_LINK_TIMEOUT,  /* nothing heard, or a dial without an answer */
    YR_LINK_CLOSED,   /* the peer closed it */
    YR_LINK_DROPPED,  /* we closed it */
    YR_LINK_PROTOCOL, /* the peer broke the protocol */
    YR_LINK_REPLACED  /* a newer connection took over (never reported as down) */
};

/** What the links tell their owner.  Calls come from inside yr_links_recv, _tick and _poll (clock
 *  also from _dial); the owner may send, dial, close, block and release from inside them, but not
 *  free, nor remove the slot they are about or enter another friend into it. */
struct yr_link_ops {
    /** This clock value is about to be used (ours, in message 1 or 2) or has been accepted
     * (theirs). Make both of the slot's series durable; the connection sends nothing until
     *  yr_links_release with the token returned here, or one above it. */
    uint64_t (*clock)(void *ctx, unsigned slot, const struct yr_clock *theirs,
                      const struct yr_clock *ours);
    /** The link is up.  Again, without `down` between: another connection carries it from now on,
     *  and what the old one had not delivered is lost: send again what is not acknowledged. */
    void (*up)(void *ctx, unsigned slot);
    void (*down)(void *ctx, unsigned slot, enum yr_link_end why);
    /** A dial ended without a link (the link may be up through another connection). */
    void (*dial_failed)(void *ctx, unsigned slot);
    /** A whole frame; body lent for the call. */
    void (*frame)(void *ctx, unsigned slot, enum yr_channel channel, uint8_t type,
                  const uint8_t *body, size_t len);
    /** The channel's queue, once refused as full, has room again. */
    void (*room)(void *ctx, unsigned slot, enum yr_channel channel);
    /** The link's packets now go here: they come authenticated from here, or the owner moved them;
     *  also at up. */
    void (*path)(void *ctx, unsigned slot, const struct yr_addr *addr);
    /** A datagram, never empty; bytes lent for the call. */
    void (*datagram)(void *ctx, unsigned slot, const uint8_t *bytes, size_t len);
    /** Something that wants an answer has had none for max(1 s, 2 PTO): the way may be gone.  The
     *  link lives on; told again every 2 s until something is answered. */
    void (*doubt)(void *ctx, unsigned slot);
    /** A first packet came from addr, sealed with the pair's keys and fresh (its clock value), but
     *  not from the device we know, or not for ours.  Not answered; any number of times for one
     *  packet that is replayed.  May be NULL. */
    void (*stranger)(void *ctx, unsigned slot, const struct yr_addr *addr,
                     const struct yr_clock *clock);
    void *ctx;
};

struct yr_links;

/** mem, rng borrowed.  *out owned by the caller.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_links_new(struct yr_links **out, struct yr_mem *mem,
                                     const struct yr_rng *rng, const struct yr_link_ops *ops);
void yr_links_free(struct yr_links *links);
/** Who we are, once the vault is open; copied.  NULL: wipe it, dial and answer nobody. */
void yr_links_identity(struct yr_links *links, const struct yr_identity *self);

/** Enter a friend into slot (0..YR_FRIENDS_MAX-1).  All copied.
 *  theirs: highest clock value accepted from them; ours: last one used; neither ever goes back.
 *  Another friend or device in the slot is removed first.  For the same one, connections stay, and
 *  another pair is its newest generation: dials use it, first packets under the one before are
 *  answered too until a handshake under the new one has succeeded.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_links_set(struct yr_links *links, unsigned slot, const uint8_t id[32],
                                     const uint8_t device[32], uint32_t gen,
                                     const struct yr_pair *pair, const struct yr_clock *theirs,
                                     const struct yr_clock *ours);
/** Close and forget a slot; an empty one is no error.  Reports no `down`. */
void yr_links_remove(struct yr_links *links, unsigned slot, struct yr_now now);

/** Answer and dial no one in this slot (a blocked friend) or do again. */
void yr_links_block(struct yr_links *links, unsigned slot, bool blocked, struct yr_now now);

/** Dial at addr.  Nothing happens while a connection or an answered dial exists (unless replace).
 *  A dial gives up after 10 s; a newer one, to another address, takes the place of one that is out.
 *  Errors: YR_EAGAIN: not needed, or not possible (blocked, empty slot, no identity); YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_links_dial(struct yr_links *links, unsigned slot,
                                      const struct yr_addr *addr, bool replace, struct yr_now now);

/** A UDP payload whose first byte has bit 0x40 set.  true: it belonged to a connection or made one.
 *  Anything else is dropped, counted, unanswered, before anything is allocated. */
bool yr_links_recv(struct yr_links *links, const struct yr_addr *from, const uint8_t *packet,
                   size_t len, struct yr_now now);

/** Queue a frame.  Errors: YR_EAGAIN: the link is down; YR_EFULL: wait for `room`; YR_ESIZE;
 *  YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_links_send(struct yr_links *links, unsigned slot,
                                      enum yr_channel channel, uint8_t type, const uint8_t *body,
                                      size_t len);

/** Longest datagram: it fits wherever a link does. */
#define YR_DATAGRAM_LEN_MAX (YR_LINK_DATAGRAM_SAFE - 32)

/** Queue a copy of a datagram, behind control and before all other channels.  It is sent once or,
 *  when a second has passed, dropped and counted.
 *  Errors: YR_EAGAIN: the link is down; YR_EFULL: YR_QUEUE_DATAGRAM wait already, this one is
 *  dropped and counted; YR_ESIZE: empty, or over YR_DATAGRAM_LEN_MAX; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_links_datagram(struct yr_links *links, unsigned slot,
                                          const uint8_t *bytes, size_t len);

/** The link's packets go to addr from now on, and one that wants an answer goes at once.  The
 *  connection stays as it is; `path` is told.  Nothing happens while the link is down. */
void yr_links_move(struct yr_links *links, unsigned slot, const struct yr_addr *addr,
                   struct yr_now now);

/** The friend may be about to turn to a circuit at addr, if who carries it speaks the truth: the
 *  next fresh packet from there moves the link at once, and the way that it has is asked whether it
 *  still works.  Nothing happens while the link is down. */
void yr_links_expect(struct yr_links *links, unsigned slot, const struct yr_addr *addr,
                     struct yr_now now);

/** How long this link may be quiet before a packet goes out to keep NATs open, clamped to
 *  YR_LINK_KEEPALIVE_S_MIN..MAX; the friend is told.  Kept until the slot is removed.  A link ends
 *  after max(YR_LINK_SILENCE_S, that + 30 s) without a packet: whoever sends one gets an answer, so
 *  one's own interval decides when one must hear something.  Who knows that the friend speaks more
 *  often looks as soon as he ought to have. */
void yr_links_keepalive(struct yr_links *links, unsigned slot, unsigned seconds, struct yr_now now);

/** Everything whose token is <= durable may leave now. */
void yr_links_release(struct yr_links *links, uint64_t durable);

/** The next datagram to send: its length written to buf (cap >= YR_PACKET_MAX) and address, or 0.
 */
size_t yr_links_poll(struct yr_links *links, struct yr_now now, struct yr_addr *to, uint8_t *buf,
                     size_t cap);
/** Timers. */
void yr_links_tick(struct yr_links *links, struct yr_now now);
/** When tick is due; YR_NEVER. 0 when poll has something now. */
yr_us yr_links_deadline(const struct yr_links *links);

/** Close one link (CONNECTION_CLOSE leaves with the next polls, `down` is reported); all of them.
 */
void yr_links_close(struct yr_links *links, unsigned slot, struct yr_now now);
void yr_links_close_all(struct yr_links *links, struct yr_now now);

struct yr_link_info {
    bool up, dialling, dialled_by_us;
    struct yr_addr addr;
    uint64_t rtt_us;
    uint64_t in_bytes, out_bytes; /* since the friend was entered, with the headers of IP and UDP */
    yr_us since_us, heard_us;
    unsigned keepalive_s, peer_keepalive_s; /* our interval, and the friend's as he told it */
    size_t payload_max;                     /* bytes of a packet on this way, at most */
    bool in_doubt;
    uint64_t datagrams_in, datagrams_out; /* bytes of those, over all connections of the link */
    uint32_t caps;                        /* the peer's capability bits */
};
void yr_links_info(const struct yr_links *links, unsigned slot, struct yr_link_info *out);

/*    X(NAME, counter name) why a packet was dropped before it reached a connection */
#define YR_LINK_DROP_MAP(X)       \
    X(FORM, "link.drop.form")     \
    X(HINT, "link.drop.hint")     \
    X(AEAD, "link.drop.aead")     \
    X(CLOCK, "link.drop.clock")   \
    X(BUCKET, "link.drop.bucket") \
    X(NOISE, "link.drop.noise")   \
    X(POLICY, "link.drop.policy") \
    X(MEMORY, "link.drop.memory") \
    X(DEAD, "link.drop.dead")

/** Named counters, one after the other; name NULL past the end. */
struct yr_counter_ref {
    const char *name;
    uint64_t value;
};
struct yr_counter_ref yr_links_counter(const struct yr_links *links, size_t i);

#endif
