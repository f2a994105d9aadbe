/* tests/support/roomnet.h: nodes that keep one room's log each, and links between them on which
 * records spread.  Frames arrive in order, after the link's delay, unless it goes down first. */
#ifndef TEST_ROOMNET_H
#define TEST_ROOMNET_H

#include "core/room/sync.h"
#include "core/wire/frames.h"
#include "tests/support/roomlog.h"

#define ROOMNET_MAX   32
#define ROOMNET_TYPES (YR_FRAME_ROOM_IDS + 1)

struct roomnet;

struct mate {
    struct roomnet *net;
    size_t no;
    struct scribe scribe;
    struct keeper keeper;
    struct seeded rng;
    struct yr_room_sync *sync;
    bool has_room, member;                     /* the log is there; it says it is a member */
    bool neighbour[ROOMNET_MAX];               /* as the room was told */
    size_t spread_max;                         /* texts so far, to make no two alike */
    bool closed[ROOMNET_MAX];                  /* this node found the other breaks the rules */
    uint64_t sent[ROOMNET_TYPES][ROOMNET_MAX]; /* frames by type, to whom */
    uint64_t sent_bytes[ROOMNET_TYPES][ROOMNET_MAX];
};

struct letter {
    yr_us at;
    size_t from, to;
    uint64_t no; /* of the link's life: older letters are lost */
    uint8_t type;
    uint8_t *body;
    size_t len;
};

struct wire {
    bool up;
    yr_us delay_us;
    uint64_t life;      /* rises each time the link comes or goes */
    size_t queued, cap; /* bytes on the way; the most there may be */
    bool refused;
};

struct roomnet {
    struct seeded rng;
    struct yr_now now;
    size_t count;
    struct mate *mates[ROOMNET_MAX];
    struct wire wires[ROOMNET_MAX][ROOMNET_MAX]; /* [from][to] */
    struct letter *letters;                      /* by time, then by when they were sent */
    size_t letter_first, letter_count, letter_cap;
    struct slip create;
    uint64_t frames, bytes, hash; /* all that was sent; hash of it in order */
    /* looks at, or swallows (false), what is on its way; NULL: nobody does */
    bool (*tap)(void *ctx, size_t from, size_t to, uint8_t type, const uint8_t *body, size_t len);
    void *tap_ctx;
};

/** `count` nodes; 0 founds the room, adds all and has told nobody: the others hold the CREATE. */
void roomnet_init(struct roomnet *net, size_t count, uint64_t seed);
void roomnet_clear(struct roomnet *net);
/** The first `members` are added, the rest know the CREATE only. */
void roomnet_init_some(struct roomnet *net, size_t count, size_t members, uint64_t seed);

void roomnet_link(struct roomnet *net, size_t a, size_t b, unsigned delay_ms);
void roomnet_unlink(struct roomnet *net, size_t a, size_t b);
/** A connected graph of so many links a node or a few more, with random delays. */
void roomnet_random(struct roomnet *net, size_t degree);
/** A tree. */
void roomnet_tree(struct roomnet *net);

/** Let so much time pass. */
void roomnet_run(struct roomnet *net, unsigned ms);
/** Until nothing has been on its way, and nobody has wanted anything, for a second. */
void roomnet_settle(struct roomnet *net);

/** Say something; it is spread. */
void mate_say(struct mate *mate);
void mate_say_len(struct mate *mate, size_t len);
/** Put a record as our own and spread it; slip is cleared. */
void mate_write(struct mate *mate, struct slip *slip);
/** A frame that no honest node sends. */
enum yr_err mate_hears(struct mate *mate, size_t from, uint8_t type, const void *body, size_t len);
uint64_t mate_counter(const struct mate *mate, const char *name);
/** The same over all nodes. */
uint64_t roomnet_counter(const struct roomnet *net, const char *name);
/** Everything a node sent to another, of one type or of all (0). */
uint64_t mate_sent(const struct mate *mate, size_t to, uint8_t type);
uint64_t mate_sent_bytes(const struct mate *mate, size_t to, uint8_t type);
/** All members hold the same. */
void roomnet_assert_equal(struct roomnet *net);
bool roomnet_equal(struct roomnet *net);

#endif
