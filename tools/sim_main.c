/* Large simulated networks as a program.  Started by tools/sim. */
#include "tools/sim.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"dht", sim_dht, "nodes of the DHT: hops, latency, success, idle cost, memory, linkability"},
    {"nat", sim_nat_run, "friends behind boxes: who is linked directly, how soon, at what cost"},
    {"away", sim_away,
     "people who seldom meet, and friends who hold what waits, against an oracle"},
};

void sim_say(struct sim_report *report, const struct sim_figure *f)
{
    const bool met = !f->has_goal || (f->most ? f->value <= f->goal : f->value >= f->goal);
    char goal[48] = "";

    report->missed += !met;
    if (report->table) {
        if (f->has_goal)
            snprintf(goal, sizeof goal, "%s %.6g", f->most ? "≤" : "≥", f->goal);
        printf("| %s | %.6g %s | %s | %s | %s |\n", f->name, f->value, f->unit, goal,
               f->has_goal ? met ? "met" : "**missed**" : "", f->note != NULL ? f->note : "");
        fflush(stdout);
        return;
    }
    if (f->has_goal)
        snprintf(goal, sizeof goal, "\"goal\":%.6g,\"met\":%s,", f->goal, met ? "true" : "false");
    printf("{\"figure\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",%s\"seed\":%llu,"
           "\"hash\":\"%016llx\"}\n",
           f->name, f->value, f->unit, goal, (unsigned long long)report->seed,
           (unsigned long long)report->hash);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "usage: tools/sim COMMAND [OPTION...]\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(stderr, "  %-6s %s\n", commands[i].name, commands[i].what);
    return 2;
}
