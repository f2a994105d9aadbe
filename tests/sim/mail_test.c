/* Alice writes to bob, who is away; carol, a friend of both, keeps it. */
#include "tests/support/sim/sim.h"
#include "tests/support/test.h"

#include <stdio.h>

enum { ALICE, BOB, CAROL, DAVE };

static struct sim *triangle(uint64_t seed)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct sim *sim;

    opts.lan = true;
    sim = sim_new(&opts);
    (void)sim_add(sim, "alice");
    (void)sim_add(sim, "bob");
    (void)sim_add(sim, "carol");
    sim_befriend(sim, ALICE, BOB);
    sim_befriend(sim, ALICE, CAROL);
    sim_befriend(sim, BOB, CAROL);
    sim_run(sim, 20 * YR_S); // lists of relays are told, tags registered
    return sim;
}

static enum yr_state state_of(struct sim *sim, unsigned node, const uint8_t id[YR_MSG_ID_LEN])
{
    static struct yr_message m;

    assert_int_equal(yr_node_message(sim_node(sim, node), id, &m), YR_OK);
    return m.state;
}

static bool has_text(struct sim *sim, unsigned node, const uint8_t id[YR_MSG_ID_LEN])
{
    static struct yr_message m;

    return yr_node_message(sim_node(sim, node), id, &m) == YR_OK;
}

struct wait {
    unsigned node;
    const uint8_t *id;
    enum yr_state state;
};

static bool is_there(struct sim *sim, void *ctx)
{
    const struct wait *w = ctx;

    return has_text(sim, w->node, w->id);
}

static bool is_so(struct sim *sim, void *ctx)
{
    const struct wait *w = ctx;

    return state_of(sim, w->node, w->id) == w->state;
}

static void wait_state(struct sim *sim, const uint8_t *id, enum yr_state state)
{
    struct wait w = {ALICE, id, state};

    assert_true(sim_run_until(sim, 300 * YR_S, is_so, &w));
}

static void wait_there(struct sim *sim, const uint8_t *id)
{
    struct wait w = {BOB, id, YR_STATE_ACCEPTED};

    assert_true(sim_run_until(sim, 120 * YR_S, is_there, &w));
}

/* ---- */

static void a_letter_waits_with_a_friend_and_its_receipt_too(void **state)
{
    struct sim *sim = triangle(1);
    uint8_t id[YR_MSG_ID_LEN];

    (void)state;
    sim_leave(sim, BOB);
    sim_run(sim, 5 * YR_S);
    sim_text(sim, ALICE, BOB, "where are you?", id);
    wait_state(sim, id, YR_STATE_HELD);
    sim_leave(sim, ALICE);
    sim_restart(sim, BOB);
    wait_there(sim, id);
    sim_run(sim, 120 * YR_S); // the receipt waits a while, and goes the same way
    sim_leave(sim, BOB);
    sim_run(sim, 5 * YR_S);
    sim_restart(sim, ALICE);
    wait_state(sim, id, YR_STATE_DELIVERED);
    sim_restart(sim, BOB);
    sim_run(sim, 60 * YR_S);
    assert_int_equal(sim_history_count(sim, BOB, ALICE), 1);
    sim_free(sim);
}

static void who_falls_silent_over_a_link_is_as_one_away(void **state)
{
    struct sim *sim = triangle(8);
    uint8_t first[YR_MSG_ID_LEN], id[YR_MSG_ID_LEN];
    struct wait held = {ALICE, id, YR_STATE_HELD};
    struct yr_friend_info bob;

    (void)state;
    sim_text(sim, ALICE, BOB, "with him there, nobody else is asked", first);
    wait_state(sim, first, YR_STATE_DELIVERED);
    sim_run(sim, 10 * YR_S);
    assert_int_equal(yr_node_friend(sim_node(sim, CAROL), sim_id(sim, BOB), &bob), YR_OK);
    assert_int_equal(bob.ledger.kept, 0);
    sim_crash(sim, BOB);
    sim_text(sim, ALICE, BOB, "his battery is empty", id);
    assert_true(sim_run_until(sim, 8 * YR_S, is_so, &held));
    assert_int_equal(yr_node_friend(sim_node(sim, ALICE), sim_id(sim, BOB), &bob), YR_OK);
    assert_true(bob.online); // as far as the link knows
    sim_leave(sim, ALICE);
    sim_restart(sim, BOB);
    wait_there(sim, id);
    assert_int_equal(sim_history_count(sim, BOB, ALICE), 2);
    sim_free(sim);
}

static void killed_right_after_custody_the_holder_has_it_still(void **state)
{
    struct sim *sim = triangle(2);
    uint8_t id[YR_MSG_ID_LEN];

    (void)state;
    sim_leave(sim, BOB);
    sim_run(sim, 5 * YR_S);
    sim_text(sim, ALICE, BOB, "still there?", id);
    wait_state(sim, id, YR_STATE_HELD);
    sim_crash(sim, CAROL);
    sim_leave(sim, ALICE);
    sim_run(sim, YR_S);
    sim_restart(sim, CAROL);
    sim_restart(sim, BOB);
    wait_there(sim, id);
    sim_free(sim);
}

static void they_are_never_there_together(void **state)
{
    struct sim *sim = triangle(3);
    uint8_t ids[20][YR_MSG_ID_LEN];
    char text[16];

    (void)state;
    sim_leave(sim, BOB);
    sim_run(sim, 5 * YR_S);
    for (unsigned day = 0; day < 20; day++) {
        snprintf(text, sizeof text, "day %u", day);
        sim_text(sim, ALICE, BOB, text, ids[day]);
        sim_run(sim, 300 * YR_S);
        assert_int_equal(state_of(sim, ALICE, ids[day]), YR_STATE_HELD);
        if (day > 0) // what bob got the last time was confirmed meanwhile
            assert_int_equal(state_of(sim, ALICE, ids[day - 1]), YR_STATE_DELIVERED);
        sim_leave(sim, ALICE);
        sim_run(sim, 3600 * YR_S);
        sim_restart(sim, BOB);
        sim_run(sim, 300 * YR_S);
        assert_int_equal(sim_history_count(sim, BOB, ALICE), day + 1);
        sim_leave(sim, BOB);
        sim_run(sim, 20 * 3600 * YR_S);
        sim_restart(sim, ALICE);
        sim_run(sim, 60 * YR_S);
    }
    sim_free(sim);
}

static void a_link_is_tried_first_and_the_letter_comes_once(void **state)
{
    struct sim *sim = triangle(4);
    uint8_t id[YR_MSG_ID_LEN];

    (void)state;
    sim_leave(sim, BOB);
    sim_run(sim, 5 * YR_S);
    sim_text(sim, ALICE, BOB, "over both ways", id);
    wait_state(sim, id, YR_STATE_HELD);
    sim_restart(sim, BOB);
    wait_state(sim, id, YR_STATE_DELIVERED);
    sim_run(sim, 120 * YR_S);
    assert_int_equal(sim_history_count(sim, BOB, ALICE), 1);
    sim_free(sim);
}

static void what_was_written_two_weeks_ago_is_there_too(void **state)
{
    struct sim *sim = triangle(5);
    uint8_t ids[15][YR_MSG_ID_LEN];
    char text[16];

    (void)state;
    sim_leave(sim, BOB);
    for (unsigned day = 0; day < 15; day++) {
        snprintf(text, sizeof text, "day %u", day);
        sim_text(sim, ALICE, BOB, text, ids[day]);
        wait_state(sim, ids[day], YR_STATE_HELD);
        sim_run(sim, 60 * YR_S);
        sim_leave(sim, ALICE);
        sim_run(sim, 86400 * YR_S);
        sim_restart(sim, ALICE);
    }
    sim_run(sim, 60 * YR_S);
    sim_leave(sim, ALICE);
    sim_run(sim, 60 * YR_S);
    sim_restart(sim, BOB);
    sim_run(sim, 300 * YR_S);
    assert_int_equal(sim_history_count(sim, BOB, ALICE), 15);
    sim_leave(sim, BOB);
    sim_restart(sim, ALICE);
    sim_run(sim, 300 * YR_S);
    for (unsigned day = 0; day < 15; day++)
        assert_int_equal(state_of(sim, ALICE, ids[day]), YR_STATE_DELIVERED);
    sim_free(sim);
}

static uint64_t counter(struct sim *sim, unsigned node, const char *name)
{
    struct yr_counter c;

    for (size_t i = 0; (c = yr_node_counter(sim_node(sim, node), i)).name != NULL; i++)
        if (strcmp(c.name, name) == 0)
            return c.value;
    fail_msg("no counter %s", name);
    return 0;
}

static void who_keeps_a_letter_need_not_learn_whose_it_is(void **state)
{
    struct sim *sim = triangle(6);
    struct yr_cmd anon = {.kind = YR_CMD_FRIEND_ANON, .number = YR_YES};
    uint8_t id[YR_MSG_ID_LEN];

    (void)state;
    (void)sim_add(sim, "dave"); // knows alice and carol, and not bob
    sim_befriend(sim, DAVE, ALICE);
    sim_befriend(sim, DAVE, CAROL);
    sim_run(sim, 60 * YR_S);
    memcpy(anon.conv, sim_id(sim, BOB), sizeof anon.conv);
    (void)sim_do(sim, ALICE, &anon);
    sim_leave(sim, BOB);
    sim_leave(sim, DAVE);
    sim_run(sim, 5 * YR_S);
    sim_text(sim, ALICE, BOB, "from you know whom", id);
    sim_run(sim, 120 * YR_S);
    assert_int_equal(state_of(sim, ALICE, id), YR_STATE_ACCEPTED); // nobody hands it on
    assert_int_equal(counter(sim, CAROL, "mail.kept"), 0);
    sim_restart(sim, DAVE);
    wait_state(sim, id, YR_STATE_HELD);
    assert_int_equal(counter(sim, CAROL, "mail.kept"), 1);
    sim_leave(sim, DAVE);
    sim_leave(sim, ALICE);
    sim_restart(sim, BOB);
    wait_there(sim, id);
    sim_run(sim, 120 * YR_S);
    sim_leave(sim, BOB);
    sim_restart(sim, ALICE);
    wait_state(sim, id, YR_STATE_DELIVERED);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_falls_silent_over_a_link_is_as_one_away),
        cmocka_unit_test(killed_right_after_custody_the_holder_has_it_still),
        cmocka_unit_test(they_are_never_there_together),
        cmocka_unit_test(what_was_written_two_weeks_ago_is_there_too),
        cmocka_unit_test(who_keeps_a_letter_need_not_learn_whose_it_is),
        cmocka_unit_test(a_link_is_tried_first_and_the_letter_comes_once),
        cmocka_unit_test(a_letter_waits_with_a_friend_and_its_receipt_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
