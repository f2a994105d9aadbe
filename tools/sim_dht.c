/* tools/sim dht: nodes of the DHT and nothing else. */
#include "tools/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sim_dht(int argc, char **argv)
{
    struct sim_report report = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--table") == 0) {
            report.table = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            report.seed = strtoull(argv[++i], NULL, 0);
        } else {
            fprintf(stderr, "usage: tools/sim dht [--seed S] [--table]\n");
            return 2;
        }
    }
    return 0;
}
