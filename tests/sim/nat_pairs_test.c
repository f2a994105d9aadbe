/* N-1: all ordered pairs of NAT classes, with and without hairpin, with boxes that forget soon or
 * late: what comes of two friends who start cold is what the theory says. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/sim/town.h"

#define SERVERS 8
#define DELAY   (25 * YR_MS)

struct couple {
    unsigned a, b;
    enum nat_class a_class, b_class;
};

static unsigned behind(struct sim *sim, unsigned node, enum nat_class class, bool hairpin,
                       yr_us timeout_us)
{
    struct nat_opts opts = nat_class_opts(class);
    const unsigned box = class == NAT_OPEN ? SIM_INTERNET : sim_nat(sim, &opts);

    opts.hairpin = hairpin;
    opts.timeout_us = timeout_us;
    if (box != SIM_INTERNET)
        nat_set_opts(sim_box(sim, box), &opts);
    sim_behind(sim, node, box);
    return box;
}

static void greet(struct sim *sim, unsigned from, unsigned to)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = "there?", .body_len = 6};
    enum yr_err err;

    memcpy(cmd.conv, sim_id(sim, to), YR_ID_LEN);
    (void)sim_command(sim, from, &cmd, &err);
    assert_int_equal(err, YR_OK);
}

static void check_couple(struct sim *sim, const struct couple *c, yr_us timeout_us)
{
    const enum nat_best best = nat_theory(c->a_class, c->b_class);
    const enum town_link link = town_link(sim, c->a, c->b);
    struct yr_try try;

    if (best == NAT_RELAYED) {
        // nobody could relay: the user is told what was tried
        assert_int_equal(link, TOWN_NONE);
        assert_true(yr_node_try_at(sim_node(sim, c->a), sim_id(sim, c->b), 0, &try));
        return;
    }
    if (link == TOWN_DIRECT || timeout_us < 30 * YR_S)
        return;
    town_print(sim, c->a, c->b);
    town_print(sim, c->b, c->a);
    fail_msg("%s with %s, timeout %u s: link %d", nat_class_names[c->a_class],
             nat_class_names[c->b_class], (unsigned)(timeout_us / YR_S), (int)link);
}

static void all_pairs(uint64_t seed, bool hairpin, yr_us timeout_us)
{
    struct sim *sim = town_new(seed, SERVERS, DELAY);
    struct couple couples[NAT_CLASSES * NAT_CLASSES];
    char nick[16];

    for (unsigned i = 0; i < YR_COUNT(couples); i++) {
        struct couple *c = &couples[i];
        c->a_class = i / NAT_CLASSES;
        c->b_class = i % NAT_CLASSES;
        snprintf(nick, sizeof nick, "a%u", i);
        c->a = town_person(sim, nick);
        c->b = town_person(sim, nick);
        sim_befriend(sim, c->a, c->b);
        sim_crash(sim, c->a);
        sim_crash(sim, c->b);
        (void)behind(sim, c->a, c->a_class, hairpin, timeout_us);
        (void)behind(sim, c->b, c->b_class, hairpin, timeout_us);
    }
    sim_run(sim, 7 * 1800 * YR_S); // no record is of use any more
    for (unsigned i = 0; i < YR_COUNT(couples); i++) {
        const struct couple *c = &couples[i];
        sim_restart(sim, c->a);
        greet(sim, c->a, c->b);
        sim_run(sim, sim_draw(sim, i) % YR_S);
        sim_restart(sim, c->b);
        if (!town_run_link(sim, c->a, c->b,
                           nat_theory(c->a_class, c->b_class) == NAT_RELAYED ? TOWN_NONE
                                                                             : TOWN_DIRECT,
                           25 * YR_S)) {
            town_print(sim, c->a, c->b);
            town_print(sim, c->b, c->a);
            fail_msg("%s with %s, timeout %u s: no direct link", nat_class_names[c->a_class],
                     nat_class_names[c->b_class], (unsigned)(timeout_us / YR_S));
        }
    }
    sim_run(sim, 60 * YR_S);
    for (unsigned i = 0; i < YR_COUNT(couples); i++)
        check_couple(sim, &couples[i], timeout_us);
    sim_free(sim);
}

static void pairs_come_out_as_the_theory_says(void **state)
{
    all_pairs(11, true, 300 * YR_S);
}

static void so_they_do_where_boxes_forget_soon(void **state)
{
    all_pairs(13, false, 30 * YR_S);
    all_pairs(14, true, 10 * YR_S);
}

// Behind one box: over the LAN; without that, by hairpin; without both, not at all.
static void one_box(uint64_t seed, bool lan, bool hairpin, enum town_link want)
{
    struct sim *sim = town_new(seed, SERVERS, DELAY);
    struct nat_opts opts = nat_class_opts(NAT_PORT_RESTRICTED);
    const unsigned a = town_person(sim, "a"), b = town_person(sim, "b");
    unsigned box;

    opts.lan = lan;
    opts.hairpin = hairpin;
    box = sim_nat(sim, &opts);
    sim_befriend(sim, a, b);
    sim_crash(sim, a);
    sim_crash(sim, b);
    sim_behind(sim, a, box);
    sim_behind(sim, b, box);
    sim_run(sim, 7 * 1800 * YR_S);
    sim_restart(sim, a);
    sim_restart(sim, b);
    (void)town_run_link(sim, a, b, TOWN_DIRECT, 30 * YR_S);
    if (town_link(sim, a, b) != want) {
        town_print(sim, a, b);
        town_print(sim, b, a);
        fail_msg("lan %d, hairpin %d: link %d", lan, hairpin, (int)town_link(sim, a, b));
    }
    sim_free(sim);
}

static void neighbours_meet_over_the_lan_or_by_hairpin(void **state)
{
    one_box(15, true, false, TOWN_DIRECT);
    one_box(16, false, true, TOWN_DIRECT);
    one_box(17, false, false, TOWN_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_come_out_as_the_theory_says),
        cmocka_unit_test(so_they_do_where_boxes_forget_soon),
        cmocka_unit_test(neighbours_meet_over_the_lan_or_by_hairpin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
