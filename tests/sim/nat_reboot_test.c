/* N-4: a third of all boxes loses power at once and comes back at other addresses: links are there
 * again within a minute, and nobody storms. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/sim/town.h"

#define SERVERS 8
#define PEOPLE  30
#define DELAY   (25 * YR_MS)

struct world {
    struct sim *sim;
    unsigned first, boxes[PEOPLE];
    enum nat_class classes[PEOPLE];
    bool friends[PEOPLE][PEOPLE];
};

static void befriend(struct world *w, unsigned i, unsigned k)
{
    if (i == k || w->friends[i][k])
        return;
    sim_befriend(w->sim, w->first + i, w->first + k);
    w->friends[i][k] = w->friends[k][i] = true;
}

static unsigned links(const struct world *w, unsigned *possible)
{
    unsigned n = 0;

    *possible = 0;
    for (unsigned i = 0; i < PEOPLE; i++)
        for (unsigned k = 0; k < i; k++) {
            *possible += w->friends[i][k];
            n += w->friends[i][k] && town_link(w->sim, w->first + i, w->first + k) != TOWN_NONE;
        }
    return n;
}

static uint64_t packets(const struct world *w)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < PEOPLE; i++)
        sum += sim_traffic(w->sim, w->first + i).packets_out;
    return sum;
}

static void print_lost(const struct world *w)
{
    for (unsigned i = 0; i < PEOPLE; i++)
        for (unsigned k = 0; k < i; k++)
            if (w->friends[i][k] && town_link(w->sim, w->first + i, w->first + k) == TOWN_NONE) {
                fprintf(stderr, "%s with %s\n", nat_class_names[w->classes[i]],
                        nat_class_names[w->classes[k]]);
                town_print(w->sim, w->first + i, w->first + k);
                town_print(w->sim, w->first + k, w->first + i);
            }
}

static void a_third_of_all_boxes_reboots_and_links_are_back_in_a_minute(void **state)
{
    const struct people_mix *mix = people_mix("balanced");
    struct world w = {.sim = town_new(41, SERVERS, DELAY)};
    unsigned before, after, possible, busiest = 0;
    uint64_t idle, count;

    for (unsigned i = 0; i < PEOPLE; i++) {
        const unsigned node = town_person(w.sim, "person");
        w.first = i == 0 ? node : w.first;
        // circles of ten friends, so that common ones are there
        for (unsigned k = i - i % 10; k < i; k++)
            if (sim_draw(w.sim, k) % 2 == 0 || k + 1 == i)
                befriend(&w, i, k);
    }
    for (unsigned i = 0; i < PEOPLE; i++) {
        w.classes[i] = people_class(mix, sim_draw(w.sim, i));
        w.boxes[i] = people_settle(w.sim, w.first + i, w.classes[i], sim_draw(w.sim, i));
        sim_run(w.sim, 3 * YR_S);
    }
    sim_run(w.sim, 600 * YR_S);
    before = links(&w, &possible);
    print_message("%u of %u links before\n", before, possible);
    assert_true(before * 100 >= possible * 90);
    count = packets(&w);
    sim_run(w.sim, 60 * YR_S);
    idle = packets(&w) - count;

    for (unsigned i = 0; i < PEOPLE; i++)
        if (i % 10 < 3 && w.boxes[i] != SIM_INTERNET)
            sim_reboot_nat(w.sim, w.boxes[i], true);
    for (unsigned s = 0; s < 60; s++) {
        count = packets(&w);
        sim_run(w.sim, YR_S);
        busiest = YR_MAX(busiest, (unsigned)(packets(&w) - count));
    }
    after = links(&w, &possible);
    print_message("%u of %u links a minute after; %u packets in the busiest second\n", after,
                  possible, busiest);
    if (after * 100 < before * 99)
        print_lost(&w);
    assert_true(after * 100 >= before * 99);
    assert_true(busiest <= PEOPLE * 100);
    // and then it is quiet again
    sim_run(w.sim, 300 * YR_S);
    count = packets(&w);
    sim_run(w.sim, 60 * YR_S);
    print_message("%u packets a minute at rest, %u before\n", (unsigned)(packets(&w) - count),
                  (unsigned)idle);
    assert_true(packets(&w) - count <= 2 * idle + 100);
    sim_free(w.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_third_of_all_boxes_reboots_and_links_are_back_in_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
