/* tests/support/path/faces.h: two path layers face to face, each behind a box that translates, with
 * a link through a friend between them or without one, a clock of their own, and nothing else.
 *
 * Links are played: who finds or moves sends a packet there, and where it is answered the link is.
 */
#ifndef FACES_H
#define FACES_H

#include "core/path/paths.h"
#include "tests/support/sim/nat.h"

#define FACES_PACKETS 1024

struct face {
    struct faces *world;
    unsigned index;
    struct yr_mem mem;
    struct yr_rng rng;
    uint64_t draws;
    struct yr_pair pair;
    struct yr_nat nat;
    struct yr_paths *paths;
    struct nat *box;       /* NULL: none */
    struct yr_addr inside; /* its main socket */
    struct yr_addr at;     /* of the link; family 0: none */
    yr_us heard_us;        /* over it */
    bool open[YR_SOCKETS_MAX + 1];
    unsigned open_now, open_most;
    uint64_t token;
    yr_us release_us; /* when what is asked for is durable; 0: nothing is */
    struct yr_probe_clock durable, asked;
    bool waiting, signals;
    unsigned founds, moves, needs, keepalive_s;
    unsigned tried[YR_WAY_COUNT], worked[YR_WAY_COUNT], refused[YR_WAY_COUNT];
    uint64_t packets_out, bytes_out;
    struct yr_addr last_out; /* where the last one went */
    unsigned strange;        /* packets to nobody's address */
};

struct faces_packet {
    yr_us at; /* 0: free */
    unsigned to;
    bool frame, signal;
    struct yr_addr from;
    size_t len;
    uint8_t bytes[YR_OFFER_MAX];
};

struct faces {
    struct face side[2];
    yr_us time, delay_us, frame_us;
    bool relay; /* a link through a friend can be had */
    bool keep;  /* every packet is kept in `kept` */
    struct faces_packet packets[FACES_PACKETS];
    struct faces_packet kept[256];
    size_t kept_count;
    size_t (*tamper)(struct faces *world, struct faces_packet *packet); /* may be NULL */
};

/** Friends behind these boxes (NULL: none); nobody knows where the other is. */
struct faces *faces_new(uint64_t seed, const struct nat_opts *a, const struct nat_opts *b);
void faces_free(struct faces *world);
struct yr_now faces_now(const struct faces *world);
/** A link through a common friend, from now on. */
void faces_relay(struct faces *world);
/** This side knows where strangers of `networks` networks see it. */
void faces_learn_nat(struct faces *world, unsigned side, unsigned networks);
/** Where strangers see this side's main socket when it sends to one of them. */
struct yr_addr faces_outside(struct faces *world, unsigned side, unsigned stranger);
/** Another address inside. */
void faces_move(struct faces *world, unsigned side);
/** The process starts again with what was durable. */
void faces_restart(struct faces *world, unsigned side);
/** Run for this long, or until both have a direct link; true if they do. */
bool faces_run(struct faces *world, yr_us limit_us, bool until_direct);
bool faces_direct(const struct faces *world);
/** Give bytes to a side, as if they had come from there. */
void faces_inject(struct faces *world, unsigned side, const struct yr_addr *from,
                  const uint8_t *bytes, size_t len);

#endif
