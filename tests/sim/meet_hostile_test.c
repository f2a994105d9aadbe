/* What goes wrong while friends look for each other: memory, the store, bootstrap nodes, and bytes
 * from who means no good. */
#include "tests/support/test.h"

#include "core/node/state.h"
#include "tests/support/dhts.h"

#define MINUTE (60 * YR_S)

struct world {
    struct sim *sim;
    unsigned server, a, b;
};

static void come_back(const struct world *w, unsigned node)
{
    if (!sim_alive(w->sim, node))
        sim_restart(w->sim, node);
    dht_role(w->sim, node, YR_ROLE_CLIENT);
    dht_knows(w->sim, node, w->server);
}

static struct world lost_friends(uint64_t seed, unsigned servers)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct world w = {.sim = sim_new(&opts)};

    w.server = dht_servers(w.sim, servers);
    w.a = sim_add(w.sim, "alice");
    w.b = sim_add(w.sim, "bob");
    sim_befriend(w.sim, w.a, w.b);
    sim_run(w.sim, 5 * YR_S);
    sim_crash(w.sim, w.a);
    sim_crash(w.sim, w.b);
    sim_move(w.sim, w.a);
    sim_move(w.sim, w.b);
    return w;
}

static void an_allocation_that_is_refused_costs_time_and_nothing_else(void **state)
{
    uint64_t first, last;

    {
        const struct world w = lost_friends(1, 3);
        come_back(&w, w.b);
        sim_restart(w.sim, w.a);
        first = sim_allocs(w.sim, w.a);
        come_back(&w, w.a);
        assert_true(sim_run_linked(w.sim, w.a, w.b, 20 * YR_S));
        last = sim_allocs(w.sim, w.a);
        sim_free(w.sim);
    }
    assert_true(last > first + 50);
    for (uint64_t k = first + 1; k < last; k += (last - first) / 25 + 1) {
        const struct world w = lost_friends(1, 3);
        come_back(&w, w.b);
        sim_restart(w.sim, w.a);
        sim_refuse_at(w.sim, w.a, k);
        dht_role(w.sim, w.a, YR_ROLE_CLIENT);
        come_back(&w, w.a);
        if (!sim_run_linked(w.sim, w.a, w.b, 3 * MINUTE))
            fail_msg("allocation %u was refused: not linked", (unsigned)k);
        sim_free(w.sim);
    }
}

static void a_store_that_fails_for_a_while_does_not_end_the_search(void **state)
{
    const struct world w = lost_friends(2, 3);

    come_back(&w, w.a);
    sim_run(w.sim, 10 * YR_S);
    yr_memstore_fail(sim_store(w.sim, w.a), YR_ENOSPC, 4);
    sim_run(w.sim, 2 * MINUTE);
    assert_int_equal(dht_info(w.sim, w.a).nodes4, 3);
    come_back(&w, w.b);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 20 * YR_S));
    sim_free(w.sim);
}

static void who_moves_when_its_bootstrap_node_is_gone_still_leaves_word(void **state)
{
    const struct world w = lost_friends(3, 4);

    come_back(&w, w.a);
    sim_run(w.sim, MINUTE);
    sim_crash(w.sim, w.server);
    sim_move(w.sim, w.a);
    sim_run(w.sim, 10 * YR_S);
    sim_restart(w.sim, w.b);
    dht_role(w.sim, w.b, YR_ROLE_CLIENT);
    dht_knows(w.sim, w.b, w.server + 1);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 20 * YR_S));
    sim_free(w.sim);
}

static void who_holds_the_invite_cannot_stand_in_for_the_inviter(void **state)
{
    struct sim_opts opts = sim_opts_default(5);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 3), a = sim_add(sim, "alice"), b = sim_add(sim, "bob"),
                   m = sim_add(sim, "mallory");
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_NEW};
    struct yr_addr at = sim_addr(sim, m);
    struct yr_invite_info info;
    struct yr_contact_rv rv;
    struct yr_add_info add;
    enum yr_err err;
    size_t from = 0;

    dht_role(sim, a, YR_ROLE_CLIENT);
    dht_knows(sim, a, s);
    cmd.expires_ms = sim_now(sim, a).wall_ms + YR_DAY_MS;
    (void)sim_do(sim, a, &cmd);
    assert_true(yr_node_invite_at(sim_node(sim, a), 0, &info));
    sim_crash(sim, a);
    cmd = (struct yr_cmd){.kind = YR_CMD_ADD, .text = info.link, .text_len = strlen(info.link)};
    (void)sim_command(sim, b, &cmd, &err);
    assert_int_equal(err, YR_OK);
    sim_run(sim, YR_S);
    assert_true(yr_contacts_rv_next(sim_node(sim, b)->contacts, sim_now(sim, b), &from, &rv));
    assert_true(rv.add && rv.open);
    assert_int_equal(yr_contacts_found(sim_node(sim, b)->contacts, sim_now(sim, b), rv.id,
                                       sim_node(sim, m)->cert, &at, 1, &(struct yr_addr){0}),
                     YR_EAUTH);
    assert_int_equal(yr_contacts_found(sim_node(sim, b)->contacts, sim_now(sim, b), "nobody00",
                                       sim_node(sim, m)->cert, &at, 1, &(struct yr_addr){0}),
                     YR_ENOENT);
    sim_run(sim, 5 * YR_S);
    assert_true(yr_node_add_at(sim_node(sim, b), 0, &add));
    assert_int_equal(add.tried.family, 0); // nobody was asked
    sim_free(sim);
}

static void junk_for_an_ear_moves_nothing_and_is_bounded(void **state)
{
    struct sim_opts opts = sim_opts_default(4);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 3), a = sim_add(sim, "alice");
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_NEW};
    uint8_t bytes[YR_DHT_SIGNAL_MAX];
    struct yr_node *n;
    struct yr_traffic before, after;

    dht_role(sim, a, YR_ROLE_CLIENT);
    dht_knows(sim, a, s);
    cmd.expires_ms = sim_now(sim, a).wall_ms + YR_DAY_MS;
    (void)sim_do(sim, a, &cmd);
    sim_run(sim, 5 * YR_S);
    n = sim_node(sim, a);
    assert_true(n->meet->ears[0].ok);
    yr_node_traffic(n, YR_FOR_CONTACT, &before);
    for (unsigned i = 0; i < 3000; i++) {
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)sim_draw(sim, i);
        bytes[0] = i % 3 == 0 ? 0x20 : i % 3 == 1 ? 0x25 : bytes[0];
        yr_meet_heard(n, bytes, i % (sizeof bytes + 1));
    }
    sim_drain(sim, a);
    yr_node_traffic(n, YR_FOR_CONTACT, &after);
    assert_int_equal(after.out, before.out);
    assert_true(n->meet->signals_bad <= YR_MEET_SIGNALS_BURST); // looked at; the rest was not
    assert_true(n->meet->signals_in >= 3000);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_is_refused_costs_time_and_nothing_else),
        cmocka_unit_test(a_store_that_fails_for_a_while_does_not_end_the_search),
        cmocka_unit_test(who_moves_when_its_bootstrap_node_is_gone_still_leaves_word),
        cmocka_unit_test(who_holds_the_invite_cannot_stand_in_for_the_inviter),
        cmocka_unit_test(junk_for_an_ear_moves_nothing_and_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
