/* tests/support/sim/cell.h: a few who write to each other and seldom meet: a sender, a recipient
 * and friends of both, who may hold what waits; what was said, when it was there, and what must
 * hold.
 *
 *        sender 0 ---- recipient 1
 *            \  holders 2...  /
 *
 * Nodes that come later (further friends) are no part of it, but their world is its world. */
#ifndef SIM_CELL_H
#define SIM_CELL_H

#include "tests/support/sim/habits.h"
#include "tests/support/sim/oracle.h"

#define CELL_MAX   12
#define CELL_FROM  0
#define CELL_TO    1
#define CELL_HOLD  2 /* the first holder */
#define CELL_TEXTS 4096

/** One text that was accepted. */
struct cell_text {
    unsigned from, to;
    uint64_t ticket;
    bool accepted;
    uint8_t id[YR_MSG_ID_LEN];
    yr_us at, shown, held, delivered; /* when; 0: not */
    enum yr_state state;              /* at its sender, as far as was told */
};

struct cell {
    struct sim *sim;
    uint64_t seed;
    unsigned count; /* nodes */
    struct contacts *contacts;
    struct habit habits[CELL_MAX];
    bool lives[CELL_MAX]; /* by its habit */
    bool gone[CELL_MAX];  /* never comes back */
    bool sudden;          /* nobody says goodbye; else half do */
    yr_us least;          /* of a contact, for the oracle */
    struct cell_text *texts;
    size_t text_count;
    const char *wrong; /* what watching events found */
    size_t wrong_text;
};

/** Sender, recipient and this many holders, all up, friends and acquainted: relay lists have been
 *  told and tags registered. */
struct cell *cell_new(const struct sim_opts *opts, unsigned holders);
void cell_free(struct cell *c);

/** From now on it comes and goes like this; NULL: no more, and it stays as it is. */
void cell_habit(struct cell *c, unsigned node, const struct habit_profile *profile);
/** Run this long, people come and go. */
void cell_run(struct cell *c, yr_us duration);
/** A node goes (goodbye or not) or comes; nothing if it is so already. */
void cell_go(struct cell *c, unsigned node, bool sudden);
void cell_come(struct cell *c, unsigned node);

/** Say a text: its number; SIZE_MAX if it was refused at once. */
size_t cell_say(struct cell *c, unsigned from, unsigned to);
/** How many of the texts are accepted and not shown. */
size_t cell_missing(struct cell *c);
/** Everybody who is not gone comes and stays; run until all accepted texts are shown and told to be
 *  delivered, or fail; then all that must hold at the end. */
void cell_end(struct cell *c, yr_us limit);
/** Fail if something was shown twice, a state went back, or two who are there show different
 *  histories of what they have in common. */
void cell_check(struct cell *c);

/** Envelopes that a node keeps for `of` (node up). */
size_t cell_kept(struct cell *c, unsigned node, unsigned of);
/** ... and all of them are lost, as if its disk were: it crashes and comes again without. */
void cell_lose_mail(struct cell *c, unsigned node, unsigned of);

/** The oracle's arrival of a text, over contacts that could have been; of its direct move only. */
yr_us cell_oracle(const struct cell *c, const struct cell_text *t, bool direct);

#endif
