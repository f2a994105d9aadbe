/* core/path/relay_state.h: what a relay is made of.  Private to core/path/relay*.c. */
#ifndef YR_RELAY_STATE_H
#define YR_RELAY_STATE_H

#include "core/path/relay.h"

struct relay_friend {
    uint8_t id[32], rel[32];
    uint8_t dir; /* our routes on this link have this lowest bit, the friend's the other */
    bool blocked, up, direct;
    bool preferred; /* in our list before others */
    enum yr_tri consent;
    yr_us down_us;

    bool told; /* it has told a list: */
    uint8_t list[YR_RELAY_LIST][YR_RELAY_HASH];
    uint64_t common_at; /* state of the friends for which this holds: */
    uint8_t common[YR_FRIENDS_MAX / 8];

    double asks; /* token bucket of what it asks for */
    yr_us asks_us;
    uint64_t today; /* bytes carried for it since relay->day_us */
    uint64_t for_me, by_me;
    yr_us denied_us; /* until then it carries nothing for us */
    uint16_t next_route;
};

/** A circuit of ours. */
struct relay_end {
    bool open, ours;
    unsigned slot, via;
    uint16_t route; /* on the link with `via` */
    uint32_t handle;
    yr_us since_us, used_us, heard_us;
    uint64_t in, out;
    uint8_t next_id;
    /* one packet of which a half has come */
    size_t half_len; /* 0: none */
    enum yr_relay_kind half_kind;
    uint8_t half_id;
    yr_us half_us;
    uint8_t half[YR_LINK_VIA_MAX];
};

/** One side of a circuit that we carry. */
struct relay_leg {
    unsigned slot;
    uint16_t route;
    double tokens; /* bytes that may come from here now */
    yr_us tokens_us;
};
struct relay_carried {
    bool used, open;
    struct relay_leg legs[2]; /* who asked, who is called */
    yr_us since_us, used_us;
};

struct relay_refusal {
    unsigned slot, via;
    yr_us until;
};

enum relay_count {
    RELAY_ASKED,
    RELAY_OPENED,
    RELAY_CALLED,
    RELAY_REFUSED_US,
    RELAY_REFUSED,
    RELAY_CARRIED,
    RELAY_DROP_RATE,
    RELAY_DROP_DAY,
    RELAY_DROP_FULL,
    RELAY_DROP_FORM,
    RELAY_DROP_ROUTE,
    RELAY_DROP_HALF,
    RELAY_COUNTS
};

struct yr_relay {
    struct yr_mem *mem;
    const struct yr_rng *rng;
    struct yr_relay_ops ops;
    uint8_t pad[32];
    bool allow;
    struct relay_friend *friends[YR_FRIENDS_MAX];
    uint64_t friends_at; /* rises when they change */

    struct relay_end *ends[YR_RELAY_ENDS_MAX];
    uint32_t handles;
    struct relay_carried carried[YR_RELAY_CIRCUITS_MAX];
    uint64_t today, carried_all; /* bytes carried for all */
    yr_us day_us;                /* since */
    struct relay_refusal refusals[YR_RELAY_REFUSALS_MAX];
    size_t refusal_at;

    unsigned set[YR_RELAY_LIST]; /* friends through whom we are reached */
    size_t set_count;
    uint64_t set_version;
    uint64_t counts[RELAY_COUNTS];
};

/* relay.c */
struct relay_friend *relay_friend(const struct yr_relay *r, unsigned slot);
/** Send a frame; false: it did not go. */
bool relay_frame_out(struct yr_relay *r, unsigned slot, const struct yr_relay_msg *msg);
void relay_close_out(struct yr_relay *r, unsigned slot, uint16_t route, enum yr_relay_reason why);
/** A route of ours on the link with this friend that nothing uses. */
uint16_t relay_route(struct yr_relay *r, unsigned slot);
/** Of his choice?  Else it is not his to open. */
bool relay_route_his(const struct relay_friend *f, uint16_t route);
bool relay_route_used(struct yr_relay *r, unsigned slot, uint16_t route);
/** May this friend ask for something now? */
bool relay_may_ask(struct relay_friend *f, struct yr_now now);
/** The friend whose hash this is; YR_FRIENDS_MAX: nobody. */
unsigned relay_find(const struct yr_relay *r, enum yr_label label, const struct yr_relay_msg *msg);

/* relay_ends.c */
struct relay_end *relay_end_find(const struct yr_relay *r, unsigned via, uint16_t route);
void relay_end_called(struct yr_relay *r, unsigned via, const struct yr_relay_msg *msg,
                      struct yr_now now);
void relay_end_opened(struct yr_relay *r, struct relay_end *end, struct yr_now now);
/** It is over; tell the owner. */
void relay_end_over(struct yr_relay *r, struct relay_end *end, enum yr_relay_reason why,
                    struct yr_now now);
/** Drop it without a word to the owner. */
void relay_end_drop(struct yr_relay *r, struct relay_end *end);
void relay_end_piece(struct yr_relay *r, struct relay_end *end, const struct yr_relay_piece *piece,
                     struct yr_now now);
void relay_ends_tick(struct yr_relay *r, struct yr_now now);
yr_us relay_ends_deadline(const struct yr_relay *r);

/* relay_carry.c */
void relay_asked(struct yr_relay *r, unsigned slot, const struct yr_relay_msg *msg,
                 struct yr_now now);
/** The circuit that has this leg; *leg: which. */
struct relay_carried *relay_carried_find(struct yr_relay *r, unsigned slot, uint16_t route,
                                         unsigned *leg);
void relay_carried_opened(struct yr_relay *r, struct relay_carried *c, unsigned leg,
                          struct yr_now now);
/** End it; each side of it but `silent` (2: none) is told. */
void relay_carried_end(struct yr_relay *r, struct relay_carried *c, unsigned silent,
                       enum yr_relay_reason why);
void relay_carried_piece(struct yr_relay *r, struct relay_carried *c, unsigned leg,
                         const struct yr_relay_piece *piece, struct yr_now now);
/** End what has this friend as a side. */
void relay_carry_leave(struct yr_relay *r, unsigned slot, bool gone, enum yr_relay_reason why);
/** End what is not allowed any more. */
void relay_carry_check(struct yr_relay *r);
void relay_carry_tick(struct yr_relay *r, struct yr_now now);
yr_us relay_carry_deadline(const struct yr_relay *r);

#endif
