/* core/path/relay.h: a way to a friend through a friend of both.  docs/protocol.md "Relay".
 *
 *     A --link--> M --link--> B      A and B: ends; M: carries sealed packets, keeps none
 *
 *     A: asking --RELAY_OPENED--> open --refused, unused for 2 min, a leg gone--> closed
 *     B: called --accepted--> open                                           --> closed
 *
 * Which friends may carry for a friend is told in blinded lists, of which each side recognises its
 * own friends only.  An open circuit is an address (family YR_FAMILY_VIA): what links send there
 * goes into DATAGRAMs of the link to M, and what comes out of them comes from there.  The choice
 * between it and other ways is core/path/paths' and the links'. */
#ifndef YR_RELAY_H
#define YR_RELAY_H

#include "core/base/mem.h"
#include "core/crypto/kdf.h"
#include "core/limits.h"
#include "core/wire/relay_frames.h"
#include "yaari/node.h"

struct yr_relay;

/** What the relay wants of its owner, who may call it again from inside. */
struct yr_relay_ops {
    /** A frame on the control channel of the link with `slot`; as yr_links_send. */
    enum yr_err (*frame)(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len);
    /** A datagram of that link; as yr_links_datagram. */
    enum yr_err (*datagram)(void *ctx, unsigned slot, const uint8_t *bytes, size_t len);
    /** A packet for us came out of a circuit to friend `slot`; bytes lent for the call. */
    void (*packet)(void *ctx, unsigned slot, const struct yr_addr *from, const uint8_t *bytes,
                   size_t len);
    /** A circuit to `slot` through `via` is open at `addr`; ours: we asked for it, else the friend
     *  did, who will dial or move the link to it. */
    void (*opened)(void *ctx, unsigned slot, unsigned via, const struct yr_addr *addr, bool ours);
    /** It is no more, or has not come to be. */
    void (*closed)(void *ctx, unsigned slot, unsigned via, const struct yr_addr *addr,
                   enum yr_relay_reason why);
    void *ctx;
};

/** mem, rng borrowed.  *out owned by the caller.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_relay_new(struct yr_relay **out, struct yr_mem *mem,
                                     const struct yr_rng *rng, const struct yr_relay_ops *ops);
void yr_relay_free(struct yr_relay *relay);
/** A secret of ours, the same at each start: it makes what fills up the lists. */
void yr_relay_pad(struct yr_relay *relay, const uint8_t pad[32]);

/** Enter a friend.  rel: the pair's P_rel; dir: of what we send (struct yr_pair.out). */
void yr_relay_set(struct yr_relay *relay, unsigned slot, const uint8_t id[32],
                  const uint8_t rel[32], uint8_t dir);
/** Forget a friend and every circuit that had to do with him, silently. */
void yr_relay_remove(struct yr_relay *relay, unsigned slot);
/** No circuits with him, none for him (blocked, pending), or again. */
void yr_relay_block(struct yr_relay *relay, unsigned slot, bool blocked, struct yr_now now);
/** Do we carry for friends?  For this one: as all, no, yes.  What goes on against it is closed. */
void yr_relay_allow(struct yr_relay *relay, bool on, struct yr_now now);
void yr_relay_consent(struct yr_relay *relay, unsigned slot, enum yr_tri consent,
                      struct yr_now now);

/** The link with a friend is up; direct: not through a circuit itself, so that it may carry one.
 *  Told again when that changes. */
void yr_relay_up(struct yr_relay *relay, unsigned slot, bool direct, struct yr_now now);
void yr_relay_down(struct yr_relay *relay, unsigned slot, struct yr_now now);

/* ---- who may carry ---- */

/** The friends through whom we let ourselves be reached, blinded for `slot`; random where there
 *  are fewer.  The same friends until the set changes. */
void yr_relay_list(struct yr_relay *relay, unsigned slot,
                   uint8_t out[YR_RELAY_LIST][YR_RELAY_HASH]);
/** This friend is nearly always there: it is one of them before others. */
void yr_relay_prefer(struct yr_relay *relay, unsigned slot, bool preferred, struct yr_now now);
/** Is this friend one of them? */
bool yr_relay_chosen(const struct yr_relay *relay, unsigned slot);
/** A number that changes when the set does; worth telling friends then. */
uint64_t yr_relay_set_version(const struct yr_relay *relay);
/** What that friend told; replaces what it told before.  count <= YR_RELAY_LIST. */
void yr_relay_learn(struct yr_relay *relay, unsigned slot, const uint8_t *entries, size_t count);
/** Has this friend named `who` in its list?  YR_UNKNOWN: it has told none. */
enum yr_tri yr_relay_named(const struct yr_relay *relay, unsigned slot, unsigned who);
/** What is known of a friend's list, to be kept; false: it has told none. */
bool yr_relay_learned(const struct yr_relay *relay, unsigned slot,
                      uint8_t out[YR_RELAY_LIST][YR_RELAY_HASH]);
/** The i-th friend through whom `slot` may be reached now: linked with us directly, in the friend's
 *  list, and not one that has just refused.  A friend who has told no list yet: any linked one, who
 *  learns nothing by being asked unless it knows him.  false past the end. */
bool yr_relay_common(const struct yr_relay *relay, unsigned slot, size_t i, unsigned *via,
                     struct yr_now now);

/* ---- circuits of ours ---- */

/** Ask `via` for a circuit to `slot`: `opened` or `closed` follows.  addr: of the circuit, from now
 *  on.  Errors: YR_EEXIST: there is one through him, *addr says where; YR_EAGAIN: he is not
 *  linked directly, or has just refused; YR_EFULL; YR_EDENIED: blocked; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_relay_open(struct yr_relay *relay, unsigned slot, unsigned via,
                                      struct yr_addr *addr, struct yr_now now);
/** Give a circuit up; no `closed` is told.  An unknown one is no error. */
void yr_relay_close(struct yr_relay *relay, const struct yr_addr *addr, struct yr_now now);

struct yr_relay_info {
    unsigned slot, via;
    bool open, ours;
    struct yr_addr addr;
    yr_us since_us, used_us;
    uint64_t in_bytes, out_bytes;
};
/** The circuit at an address; false: there is none. */
bool yr_relay_at(const struct yr_relay *relay, const struct yr_addr *addr,
                 struct yr_relay_info *out);
/** The i-th circuit to a friend; false past the end. */
bool yr_relay_circuit(const struct yr_relay *relay, unsigned slot, size_t i,
                      struct yr_relay_info *out);

/** Put a packet into a circuit: whole, or in two halves.  What finds no room or no circuit is
 *  dropped and counted, as on any way. */
void yr_relay_send(struct yr_relay *relay, const struct yr_addr *to, const uint8_t *bytes,
                   size_t len, struct yr_now now);

/* ---- what comes ---- */

/** A RELAY_... frame from the control channel.  Errors: YR_EPROTO: not decodable, nothing done. */
enum yr_err yr_relay_frame(struct yr_relay *relay, unsigned slot, uint8_t type, const uint8_t *body,
                           size_t len, struct yr_now now);
/** A datagram of the link with `slot`. */
void yr_relay_datagram(struct yr_relay *relay, unsigned slot, const uint8_t *bytes, size_t len,
                       struct yr_now now);
void yr_relay_tick(struct yr_relay *relay, struct yr_now now);
yr_us yr_relay_deadline(const struct yr_relay *relay);

/* ---- what people want to know ---- */

/** Bytes of ours that this friend carried, and of his that we did. */
void yr_relay_carried(const struct yr_relay *relay, unsigned slot, uint64_t *for_me,
                      uint64_t *by_me);
/** So many bytes have been carried for this friend today (tests). */
void yr_relay_spend(struct yr_relay *relay, unsigned slot, uint64_t bytes);
/** Bytes carried for others. */
uint64_t yr_relay_carried_all(const struct yr_relay *relay);
/** Circuits that we carry now. */
size_t yr_relay_carrying(const struct yr_relay *relay);
struct yr_counter yr_relay_counter(const struct yr_relay *relay, size_t i);

#endif
