/* core/path/state.h: the inside of yr_paths.  Private to core/path. */
#ifndef YR_PATH_STATE_H
#define YR_PATH_STATE_H

#include "core/base/mem.h"
#include "core/path/birthday.h"
#include "core/path/candidates.h"
#include "core/path/keepalive.h"
#include "core/path/packet.h"
#include "core/path/window.h"

/** An answer that the friend wants later. */
struct yr_late {
    yr_us due_us; /* 0: none */
    struct yr_addr to;
    uint8_t random[16];
};

/** One friend. */
struct yr_sought {
    const struct yr_pair *pair; /* NULL: the slot is empty */
    bool blocked;
    struct yr_addr link; /* family 0: there is none */
    yr_us linked_us;     /* since when it is up */
    bool doubt;          /* it may be dead ... */
    yr_us doubt_us;      /* ... since then */
    struct yr_candidates known;

    struct yr_probe_clock clock; /* durable, or on its way there with ... */
    uint64_t token;              /* ... this one */
    uint64_t ours;               /* the last value used */
    struct yr_window theirs;
    uint64_t heard_ms; /* the highest that was taken since the start */

    /* lost or in doubt: rounds to all candidates */
    yr_us next_us, hurry_us;
    unsigned rounds;
    yr_us need_us; /* when the owner is to look elsewhere too */
    unsigned needs;
    yr_us stir_us;    /* when that may begin anew because the friend is heard of */
    yr_us dialled_us; /* the last found */
    enum yr_reach dialled;
    yr_ms asked_ms, answered_ms;

    /* punching: both send at once */
    yr_us punch_us; /* the offer; 0: none is acted on */
    unsigned punch_round;
    unsigned unsaid; /* flags of an offer by signal for which there was no room; 0: none */
    yr_us try_us;    /* the next offer */
    unsigned tries;  /* that came to nothing */

    enum yr_nat_kind mapping; /* the friend's, as he says */
    struct yr_addr outside;   /* ... and where he is outside */
    yr_us birthday_us;        /* before then there is no other one */
    unsigned birthdays;

    double answers, offers; /* token buckets */
    yr_us answers_us, offers_us;
    struct yr_late late[YR_LATE_MAX];
};

struct yr_packet_out {
    struct yr_addr to;
    unsigned slot;
    uint64_t token;
    uint8_t bytes[YR_PROBE_LEN];
};

enum yr_probe_for { YR_FOR_FINDING, YR_FOR_KEEPALIVE };

/** A probe whose answer counts. */
struct yr_probe_sent {
    uint8_t random[16];
    unsigned slot;
    enum yr_probe_for purpose;
    struct yr_addr to;
    yr_us at; /* 0: nothing */
};

/** An offer by signal, until its clock is durable. */
struct yr_held {
    bool used, out;
    unsigned slot;
    uint64_t token;
    struct yr_offer offer;
};

struct yr_socket {
    enum { YR_SOCKET_FREE, YR_SOCKET_OPENING, YR_SOCKET_OPEN, YR_SOCKET_SHUTTING } state;
    uint8_t family;
    unsigned slot; /* of the friend it is for */
};

struct yr_network {
    uint8_t key[16];
    uint16_t keepalive_s;
    uint64_t used_s; /* unix: when we were last there */
};

/*    X(NAME, counter name) */
#define YR_PATH_COUNT_MAP(X)             \
    X(PROBES, "path.probes")             \
    X(ANSWERS, "path.answers")           \
    X(OFFERS, "path.offers")             \
    X(OFFERS_IN, "path.offers_taken")    \
    X(FOUND, "path.found")               \
    X(MOVES, "path.moves")               \
    X(BIRTHDAYS, "path.birthdays")       \
    X(RATIONED, "path.birthday_refused") \
    X(DROP_FORM, "path.drop.form")       \
    X(DROP_HINT, "path.drop.hint")       \
    X(DROP_AEAD, "path.drop.aead")       \
    X(DROP_CLOCK, "path.drop.clock")     \
    X(DROP_BUCKET, "path.drop.bucket")   \
    X(DROP_ROUND, "path.drop.round")     \
    X(DROP_ROOM, "path.drop.room")

enum yr_path_count {
#define X(NAME, text) YR_PATH_N_##NAME,
    YR_PATH_COUNT_MAP(X)
#undef X
        YR_PATH_N_COUNT
};

struct yr_paths {
    struct yr_mem *mem;
    const struct yr_rng *rng;
    struct yr_nat *nat;
    struct yr_path_ops ops;
    struct yr_sought places[YR_FRIENDS_MAX];
    unsigned end; /* no slot from here on has ever been filled */
    struct yr_addr peers[YR_PEERS_MAX];
    size_t peer_count;

    struct yr_packet_out queue[YR_PROBE_QUEUE_MAX];
    size_t queue_count;
    uint64_t durable;
    struct yr_probe_sent sent[YR_PROBES_OUT_MAX]; /* a ring */
    size_t sent_at;
    struct yr_held held[YR_OFFERS_HELD];

    struct yr_socket sockets[YR_SOCKETS_MAX + 1]; /* by `local`; 0 is the main one */
    size_t sockets_due;                           /* to be opened or shut */

    struct yr_birthday birthday;
    yr_us asked_us; /* before then no friend may ask for one */
    struct yr_keepalive keepalive;
    unsigned keepalive_slot;
    uint16_t keepalive_local; /* the test's socket; 0: none */
    yr_us keepalive_us;       /* when the next test may begin */
    struct yr_network networks[YR_NETWORKS_MAX];
    size_t network_count;

    uint64_t told;   /* of what the NAT test says: friends know */
    yr_us tell_us;   /* when they may be told again */
    unsigned tells;  /* how often they were, since we are here */
    yr_us mapped_us; /* when a friend is to try the port mapping again */
    unsigned mapped_slot;

    uint64_t counts[YR_PATH_N_COUNT];
};

static inline unsigned yr_sought_slot(const struct yr_paths *p, const struct yr_sought *at)
{
    return (unsigned)(at - p->places);
}

/* probe.c: sending probes and answers, and who answered */

/** Send one; the answer counts for `purpose`. */
void yr_probe_to(struct yr_paths *p, struct yr_sought *at, const struct yr_addr *to,
                 enum yr_probe_for purpose, uint8_t delay_s, struct yr_now now);
/** Send one to every candidate and peer (and circuit, if the link is on one). */
void yr_probe_all(struct yr_paths *p, struct yr_sought *at, struct yr_now now);
bool yr_probe_room(const struct yr_paths *p, const struct yr_sought *at);
/** The next value of our clock, made durable before what waits for at->token leaves. */
uint64_t yr_probe_clock(struct yr_paths *p, struct yr_sought *at, struct yr_now now);
void yr_probe_recv(struct yr_paths *p, struct yr_now now, const struct yr_addr *from,
                   const uint8_t *packet, size_t len);
void yr_probe_late(struct yr_paths *p, struct yr_sought *at, struct yr_now now);
yr_us yr_probe_late_due(const struct yr_sought *at);

/* seek.c: what is done about one friend, and when */

/** An answer came from there. */
void yr_seek_answered(struct yr_paths *p, struct yr_sought *at, const struct yr_addr *from,
                      struct yr_now now);
void yr_seek_tick(struct yr_paths *p, struct yr_sought *at, struct yr_now now);
yr_us yr_seek_deadline(const struct yr_paths *p, const struct yr_sought *at);
/** Another place is known: it is looked at soon; what was tried before is not begun anew, or those
 *  who are another one for each who looks would never rest. */
void yr_seek_fresh(struct yr_sought *at, struct yr_now now);
/** The friend is there: whoever waits for him has us try harder. */
void yr_seek_stir(struct yr_paths *p, struct yr_sought *at, struct yr_now now);
/** Send probes in rounds, as the friend does. */
void yr_seek_punch(struct yr_paths *p, struct yr_sought *at, struct yr_now now);
enum yr_reach yr_seek_reach(const struct yr_paths *p, const struct yr_sought *at,
                            const struct yr_addr *addr);

/* offers.c: offers in and out */

void yr_offer_send(struct yr_paths *p, struct yr_sought *at, unsigned flags, struct yr_now now);
void yr_offer_signal(struct yr_paths *p, const uint8_t *packet, size_t len);
void yr_offer_release(struct yr_paths *p, struct yr_now now);

/* ports.c: extra sockets, and what is done with them */

/** A socket's number; 0: all are in use. */
uint16_t yr_ports_open(struct yr_paths *p, uint8_t family, unsigned slot);
void yr_ports_shut(struct yr_paths *p, uint16_t local);
/** The friend's link is where it is: what was opened to find it is shut. */
void yr_ports_settled(struct yr_paths *p, struct yr_sought *at);
/** One of the two NATs, and only one, depends on who looks. */
bool yr_ports_may_guess(const struct yr_paths *p, const struct yr_sought *at);
/** Begin a birthday if that may help; `asked`: the friend wants one. */
bool yr_ports_birthday(struct yr_paths *p, struct yr_sought *at, bool asked, struct yr_now now);
void yr_ports_keepalive_answer(struct yr_paths *p, unsigned slot, struct yr_now now);
/** We are elsewhere. */
void yr_ports_moved(struct yr_paths *p, struct yr_now now);
void yr_ports_tick(struct yr_paths *p, struct yr_now now);
yr_us yr_ports_deadline(const struct yr_paths *p);

#endif
