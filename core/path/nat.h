/* core/path/nat.h: what stands between us and the others, found out from what they tell us: the
 * self-test, without a packet of its own but one.  docs/protocol.md "Paths".
 *
 *   seen at the same place by 3 networks --> independent mapping, or no NAT if that place is ours
 *   ... at as many places as there are networks --> a mapping that depends on who is talked to
 *   a packet from where we never sent to --> nobody is filtered; from another port: by address
 *   a packet to our own outside address comes back --> hairpin
 *
 * Who tells us may lie: one network alone decides nothing. */
#ifndef YR_NAT_H
#define YR_NAT_H

#include "core/base/bytes.h"
#include "core/crypto/kdf.h"
#include "core/limits.h"
#include "yaari/node.h"

#define YR_HAIRPIN_LEN 93 /* as long as a probe */

/** 10/8, 172.16/12, 192.168/16, 100.64/10, 169.254/16, 127/8; fe80::/10, fc00::/7, ::1. */
bool yr_addr_private(const struct yr_addr *addr);

struct yr_nat_report {
    struct yr_addr from, seen;
    yr_us at;
};

struct yr_nat {
    const struct yr_rng *rng;
    uint64_t version;                     /* changes with what friends ought to know */
    struct yr_addr own[YR_OWN_ADDRS_MAX]; /* of our interfaces */
    size_t own_count;

    struct yr_nat_report reports[YR_NAT_REPORTS_MAX]; /* oldest first */
    size_t count;
    yr_us changed_us; /* when the first of late saw us elsewhere than before; 0: never */
    struct yr_addr changed_by;

    struct {
        uint16_t port;
        struct yr_addr by;
    } ports[YR_NAT_REPORTS_MAX]; /* outside ones that were seen, the newest last, and who saw them
                                  */
    size_t port_count;
    bool rationed;

    struct {
        uint64_t key;
        yr_us at;
    } sent[YR_NAT_SENT_MAX]; /* where we sent to lately: addresses, and addresses with ports */
    uint8_t sent_key[16];
    bool heard_stranger[2]; /* of IPv4, IPv6: from where we never sent to */
    bool heard_port;        /* IPv4: from another port than we sent to */
    unsigned expected;      /* packets of strangers that were asked for and have not come */
    yr_us expect_us;

    enum yr_tri hairpin;
    uint8_t token[YR_HAIRPIN_LEN];
    struct yr_addr hairpin_at; /* where it was sent; family 0: never */
    yr_us hairpin_us;          /* until when its return counts; 0: none is out */
    bool hairpin_due;

    struct yr_addr mapped; /* what a gateway says; family 0: nothing */
    yr_us mapped_us;       /* when somebody last came that way; 0: never */
    bool mapped_told;      /* it is among our addresses */
};

void yr_nat_init(struct yr_nat *nat, const struct yr_rng *rng);
/** We are elsewhere: everything is to be found out again. */
void yr_nat_moved(struct yr_nat *nat, const struct yr_addr *own, size_t count);

/** Somebody (from: an authenticated peer, by its UDP address; from->local: the socket it answered)
 *  says where he sees us. */
void yr_nat_seen(struct yr_nat *nat, struct yr_now now, const struct yr_addr *from,
                 const struct yr_addr *seen);
/** A packet of ours leaves for there. */
void yr_nat_sent(struct yr_nat *nat, struct yr_now now, const struct yr_addr *to);
/** A packet came from there that is somebody's whom we know: unasked, if we never sent there. */
void yr_nat_heard(struct yr_nat *nat, struct yr_now now, const struct yr_addr *from);
/** We asked for a stranger's packet (a dial-back): if none comes, strangers are kept out. */
void yr_nat_expect(struct yr_nat *nat, struct yr_now now);
/** Somebody reached us by sending to `at`. */
void yr_nat_reached(struct yr_nat *nat, struct yr_now now, const struct yr_addr *at);

/** A gateway says that it leads there to us; family 0: no more. */
void yr_nat_mapped(struct yr_nat *nat, const struct yr_addr *addr);
/** Has somebody come that way lately?  YR_UNKNOWN: nobody tried yet. */
enum yr_tri yr_nat_mapped_works(const struct yr_nat *nat, struct yr_now now);

/** Where most others see our main socket; false: nobody has said. */
bool yr_nat_outside(const struct yr_nat *nat, uint8_t family, struct yr_addr *out);
/** Of IPv4. */
enum yr_nat_kind yr_nat_mapping(const struct yr_nat *nat);
enum yr_nat_kind yr_nat_filtering(const struct yr_nat *nat, struct yr_now now);
enum yr_tri yr_nat_reachable(const struct yr_nat *nat, struct yr_now now, uint8_t family);
/** Our outside ports come again and again from a small block: whoever shares it has few, and we
 *  must not use up ours. */
bool yr_nat_rationed(const struct yr_nat *nat);

/** The one packet of the test, when it is due: YR_HAIRPIN_LEN bytes, or 0. */
size_t yr_nat_poll(struct yr_nat *nat, struct yr_now now, struct yr_addr *to, uint8_t *buf,
                   size_t cap);
/** Is this packet ours, come back?  Whoever has it has seen it on its way. */
bool yr_nat_hairpin(struct yr_nat *nat, struct yr_now now, const uint8_t *packet, size_t len);
yr_us yr_nat_deadline(const struct yr_nat *nat);
void yr_nat_tick(struct yr_nat *nat, struct yr_now now);

/** Our own addresses as others may reach them, best first: open to all, mapped (once somebody came
 *  that way), where others see us (unless that is another place for each), private ones.  False
 * past the end. */
bool yr_nat_own_at(const struct yr_nat *nat, struct yr_now now, size_t i, struct yr_addr *out,
                   enum yr_own_source *source);

/** The kinds, hairpin, reachable and mapped of it. */
void yr_nat_info(const struct yr_nat *nat, struct yr_now now, struct yr_net_info *out);

/** A network as we recognise it again: the prefixes of our addresses, and that of the outside. */
void yr_nat_network(const struct yr_nat *nat, uint8_t key[16]);

#endif
