/* tools/sim.h: the simulator as a program: a table of subcommands, and how they print figures. */
#ifndef TOOLS_SIM_H
#define TOOLS_SIM_H

#include <stdbool.h>
#include <stdint.h>

/** A figure and what it should be.  most: the goal is the most it may be, else the least. */
struct sim_figure {
    const char *name, *unit;
    double value, goal;
    bool has_goal, most;
    const char *note; /* for the table; may be NULL */
};

/** How a run is told: one JSON line a figure, or rows of a Markdown table. */
struct sim_report {
    bool table;
    uint64_t seed, hash; /* of the run, set before the figures are said */
    unsigned missed;     /* figures that missed their goal */
};

void sim_say(struct sim_report *report, const struct sim_figure *figure);

/** From now on keys are hashes instead of points of a curve: five times as fast, and no secrets. */
void sim_fake_keys(void);

/** Subcommands: what main would return.  argv[0] is the subcommand's name. */
int sim_dht(int argc, char **argv);
int sim_nat_run(int argc, char **argv);
int sim_away(int argc, char **argv);

#endif
