/* tests/support/sim/nat.h: one box between hosts and the network, as RFC 4787 tells boxes apart.
 *
 *     host --out--> mapping (inside, and for worse boxes the remote end) -> outside port -->
 * network host <--in--- the mapping of that port, if the filter lets this remote end in <-------
 * network
 *
 * A box knows no clock and no draws but what it is given; it does not know the simulator. */
#ifndef SIM_NAT_H
#define SIM_NAT_H

#include "core/base/base.h"
#include "yaari/api.h"

/** What a mapping is for, and whom a filter lets in. */
enum nat_scope {
    NAT_ANY,     /* endpoint-independent: one mapping for all; everybody may come in */
    NAT_ADDRESS, /* one for each remote address; who was sent something, from any port */
    NAT_PORT     /* one for each remote address and port; exactly who was sent something */
};

enum nat_ports {
    NAT_PRESERVE,   /* the inside port where it is free, else the next */
    NAT_SEQUENTIAL, /* one after the other */
    NAT_RANDOM,
    NAT_BLOCK /* drawn from a block of `quota` ports that is the subscriber's */
};

struct nat_opts {
    enum nat_scope mapping, filtering;
    enum nat_ports ports;
    unsigned quota;   /* mappings at once for one inside address; 0: as many as there are ports */
    yr_us timeout_us; /* of a mapping and of its filters since the last packet that refreshes */
    bool refresh_in;  /* packets from outside refresh too */
    bool hairpin;     /* a packet from inside to our outside address comes back in */
    bool lan;         /* hosts behind it reach each other without it */
    bool blocked;     /* no UDP at all */
    enum nat_scope filter6; /* what the stateful firewall lets in of IPv6; NAT_ANY: there is none */
};
/** A home router as most are: independent mapping, filter by port, ports preserved, 120 s. */
struct nat_opts nat_opts_default(void);

/** Counts of what a box refused. */
struct nat_counts {
    uint64_t filtered;  /* came in for a mapping that does not let this remote end in */
    uint64_t unmapped;  /* came in for no mapping */
    uint64_t exhausted; /* went out and found no port */
    unsigned most;      /* mappings that one inside address had at once */
};

struct nat;

/** A box with this outside IPv4 address; `seed` picks its ports.  Owned by the caller. */
struct nat *nat_new(const struct nat_opts *opts, const struct yr_addr *outside, uint64_t seed);
void nat_free(struct nat *nat);
const struct nat_opts *nat_opts(const struct nat *nat);
/** Change its ways; what is mapped stays. */
void nat_set_opts(struct nat *nat, const struct nat_opts *opts);
struct yr_addr nat_outside(const struct nat *nat); /* port 0 */
void nat_counts(const struct nat *nat, struct nat_counts *out);

/** A packet leaves: false if it is lost here; *as: where it comes from, seen from outside. */
bool nat_out(struct nat *nat, yr_us now, const struct yr_addr *inside, const struct yr_addr *remote,
             struct yr_addr *as);
/** A packet for our outside address (IPv6: for a host behind us) comes: false if it is lost here;
 *  *inside: to whom it goes. */
bool nat_in(struct nat *nat, yr_us now, const struct yr_addr *to, const struct yr_addr *remote,
            struct yr_addr *inside);

/** Whatever comes to this outside port goes to `inside`, until the box forgets it: what PCP,
 *  NAT-PMP and UPnP ask for. */
void nat_forward(struct nat *nat, uint16_t port, const struct yr_addr *inside);
void nat_forget_forwards(struct nat *nat);

/** Power off and on: everything is forgotten; `outside`: the new address, NULL: the same. */
void nat_reboot(struct nat *nat, const struct yr_addr *outside);
/** Mappings of one inside address that live. */
unsigned nat_mapped(const struct nat *nat, yr_us now, const struct yr_addr *inside);

#endif
