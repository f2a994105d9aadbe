/* tests/support/sim/circle.h: people, who of them are friends, and one room that forms among them;
 * what was said there, and what must hold of it.
 *
 * Node i of the simulator is member i here: a circle makes all nodes of its world. */
#ifndef CIRCLE_H
#define CIRCLE_H

#include "tests/support/sim/sim.h"

#define CIRCLE_MAX 56

/** A text that somebody wanted to say. */
struct circle_text {
    unsigned from;
    uint64_t ticket;
    bool accepted;               /* the author was told so: it must not be lost */
    uint8_t id[YR_MSG_ID_LEN];   /* of an accepted one */
    uint8_t last[YR_MSG_ID_LEN]; /* what its author was shown last before; zero: nothing */
    uint8_t readers[CIRCLE_MAX][YR_MID_LEN]; /* who was a member then, as far as he knew */
    unsigned reader_count;
    yr_us at;                /* when it was said */
    yr_us shown[CIRCLE_MAX]; /* when; 0: not */
    bool told[CIRCLE_MAX];   /* by an event */
    enum yr_state state;     /* at its author, as far as it was told */
};

struct circle {
    struct sim *sim;
    uint64_t seed;
    unsigned count;
    bool friends[CIRCLE_MAX][CIRCLE_MAX];
    unsigned hist_days;
    uint8_t room[YR_ID_LEN];
    uint8_t mids[CIRCLE_MAX][YR_MID_LEN]; /* as last seen; zero: never in the room */
    bool gone[CIRCLE_MAX];                /* retired: no more to be looked at */
    bool hostile[CIRCLE_MAX];             /* what it says and shows is its own affair */
    struct circle_text *texts;
    size_t text_count, text_cap;
    uint32_t *index; /* by id: text + 1 */
    size_t index_cap;
    const char *wrong; /* what watching events found */
};

/** `count` people, no friends, no room. */
struct circle *circle_new(const struct sim_opts *opts, unsigned count);
void circle_free(struct circle *c);
/** A draw of the test's own below `below`. */
unsigned circle_draw(struct circle *c, uint64_t below);

void circle_befriend(struct circle *c, unsigned a, unsigned b);
/** A random tree, and about `more` friendships for each person beside it. */
void circle_graph(struct circle *c, unsigned more);
/** 0 with 1, 1 with 2, ...; `closed`: the last with 0. */
void circle_chain(struct circle *c, bool closed);

void circle_found(struct circle *c, unsigned founder, unsigned hist_days);
/** a invites b, who says yes as soon as it can; run until b is a member. */
void circle_bring(struct circle *c, unsigned a, unsigned b);
/** All people, along friendships, from `founder` on; run until everybody knows everybody. */
void circle_gather(struct circle *c, unsigned founder);
enum yr_room_state circle_state(struct circle *c, unsigned node, struct yr_room_info *info);
bool circle_in(struct circle *c, unsigned node); /* up, and may write */
struct yr_cmd circle_cmd(const struct circle *c, enum yr_cmd_kind kind);
/** cmd.who = the member that `node` is. */
void circle_who(struct circle *c, struct yr_cmd *cmd, unsigned node);

/** Say a text: its number is returned; SIZE_MAX when it was refused at once with *err (may be
 *  NULL). */
size_t circle_say(struct circle *c, unsigned node, const char *text, enum yr_err *err);
/** Was he a member when it was said, as far as its author knew? */
bool circle_reader(const struct circle *c, const struct circle_text *t, unsigned node);
/** The message of a text at a node; NULL: it is not there.  Lent until the next call. */
const struct yr_message *circle_message(struct circle *c, unsigned node, size_t text);

/** From when a text was said, from number `first` on, to when others were shown it: this
 * percentile, 0..100; 0 if there is none.  *count of (text, reader), may be NULL. */
yr_us circle_latency(const struct circle *c, size_t first, double percentile, size_t *count);

/** No packets between those whose `side` differs. */
void circle_part(struct circle *c, const unsigned side[CIRCLE_MAX]);
void circle_heal(struct circle *c);

/** The room as a node shows it, one line a message without its id; owned by the caller. */
char *circle_history(struct circle *c, unsigned node, size_t *count);
/** Where an open counter of a node stands. */
uint64_t circle_counter(struct circle *c, unsigned node, const char *name);

/** Run until every accepted text is shown by all who could read it and are members still, and all
 *  members show what they have in common alike; true if that is within the limit. */
bool circle_settle(struct circle *c, yr_us limit);
/** The same at this moment: what is wrong, or NULL.  *a, *b: where, may be NULL. */
const char *circle_wrong(struct circle *c, unsigned *a, unsigned *b);
/** Fail with all that helps. */
void circle_fail(struct circle *c, const char *what, unsigned a, unsigned b);
/** Settle, or fail; then all that must hold at the end: order, nothing twice, nothing shown to who
 *  was no reader, the same room for all members; and the same again from disk. */
void circle_end(struct circle *c, yr_us limit);

#endif
