/* A node's part in the DHT: whom it starts from, its role, what it keeps over a restart. */
#include "tests/support/test.h"

#include "core/node/state.h"
#include "tests/support/dhts.h"
#include "tests/support/seeded.h"

static void a_node_that_knows_one_server_finds_the_others(void **state)
{
    struct sim_opts opts = sim_opts_default(1);
    struct sim *sim = sim_new(&opts);
    const unsigned first = dht_servers(sim, 5), a = sim_add(sim, "alice");
    struct yr_net_info info;

    dht_role(sim, a, YR_ROLE_CLIENT);
    dht_knows(sim, a, first);
    sim_run(sim, 3 * YR_S);
    info = dht_info(sim, a);
    assert_int_equal(info.nodes4, 5);
    assert_int_equal(info.bootstraps, 1);
    assert_int_equal(info.bootstraps_answered, 1);
    assert_true(info.island);
    assert_false(info.serves);
    assert_true(info.network >= 4);
    assert_true(dht_info(sim, first).serves);
    assert_int_equal(info.seen4.family, 4);
    sim_free(sim);
}

static void any_one_of_several_bootstrap_nodes_suffices(void **state)
{
    struct sim_opts opts = sim_opts_default(2);
    struct sim *sim = sim_new(&opts);
    const unsigned first = dht_servers(sim, 3), a = sim_add(sim, "alice");
    const uint8_t nobody[32] = {9};
    struct yr_addr nowhere = {.family = 4, .ip = {10, 9, 9, 9}, .port = 1};
    struct yr_net_info info;

    dht_role(sim, a, YR_ROLE_CLIENT);
    for (uint8_t i = 0; i < 5; i++) {
        nowhere.ip[3] = i;
        assert_int_equal(yr_node_bootstrap(sim_node(sim, a), sim_now(sim, a), &nowhere, nobody),
                         YR_OK);
    }
    sim_run(sim, 5 * YR_S);
    assert_int_equal(dht_info(sim, a).bootstraps_answered, 0);
    dht_knows(sim, a, first + 1);
    sim_run(sim, 3 * YR_S);
    info = dht_info(sim, a);
    assert_int_equal(info.bootstraps, 6);
    assert_int_equal(info.bootstraps_answered, 1);
    assert_int_equal(info.nodes4, 3);
    assert_int_equal(yr_node_bootstrap(sim_node(sim, a), sim_now(sim, a), &nowhere, NULL),
                     YR_EINVAL);
    sim_free(sim);
}

static void a_peer_with_a_key_is_a_bootstrap_node_and_one_without_is_said_to_have_none(void **state)
{
    struct sim_opts opts = sim_opts_default(3);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 1), a = sim_add(sim, "alice");
    const struct yr_net_info server = dht_info(sim, s);
    struct yr_cmd cmd = {.kind = YR_CMD_PEER_ADD, .addr = sim_addr(sim, s)};
    struct yr_peer_info peer;
    struct yr_net_info info;
    char name[128] = "10.0.0.1:7000/";

    yr_id_text(name + strlen(name), server.dht_pk, 32);
    dht_role(sim, a, YR_ROLE_CLIENT);
    cmd.text = "10.0.0.1:7000";
    cmd.text_len = strlen(cmd.text);
    (void)sim_do(sim, a, &cmd);
    sim_run(sim, 3 * YR_S);
    assert_int_equal(dht_info(sim, a).bootstraps, 0);
    assert_int_equal(dht_info(sim, a).peers_without_key, 1);
    cmd.text = name;
    cmd.text_len = strlen(name);
    (void)sim_do(sim, a, &cmd);
    sim_run(sim, 3 * YR_S);
    info = dht_info(sim, a);
    assert_int_equal(info.bootstraps, 1);
    assert_int_equal(info.bootstraps_answered, 1);
    assert_int_equal(info.nodes4, 1);
    assert_true(yr_node_peer_at(sim_node(sim, a), 1, &peer));
    assert_true(peer.keyed && peer.answered);
    sim_crash(sim, a); // it is configured still
    sim_restart(sim, a);
    dht_role(sim, a, YR_ROLE_CLIENT);
    sim_run(sim, 3 * YR_S);
    assert_int_equal(dht_info(sim, a).nodes4, 1);
    sim_free(sim);
}

static void the_table_is_used_after_a_restart_with_the_bootstrap_node_gone(void **state)
{
    struct sim_opts opts = sim_opts_default(4);
    struct sim *sim = sim_new(&opts);
    const unsigned first = dht_servers(sim, 4), a = sim_add(sim, "alice");

    dht_role(sim, a, YR_ROLE_CLIENT);
    dht_knows(sim, a, first);
    sim_run(sim, 5 * YR_S);
    yr_node_close(sim_node(sim, a), sim_now(sim, a));
    sim_drain(sim, a);
    sim_run(sim, YR_S);
    sim_crash(sim, a);
    sim_crash(sim, first);
    sim_restart(sim, a);
    dht_role(sim, a, YR_ROLE_CLIENT);
    assert_int_equal(dht_info(sim, a).nodes4, 0);
    assert_int_equal(dht_info(sim, a).bootstraps, 0); // none is configured any more
    sim_run(sim, 3 * YR_S);
    assert_int_equal(dht_info(sim, a).nodes4, 3);
    sim_free(sim);
}

static void a_server_keeps_its_key_and_others_renew_it(void **state)
{
    struct sim_opts opts = sim_opts_default(5);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 1), a = sim_add(sim, "alice");
    struct yr_net_info before, after;

    dht_role(sim, a, YR_ROLE_CLIENT);
    dht_knows(sim, a, s);
    sim_run(sim, YR_S);
    before = dht_info(sim, s);
    sim_crash(sim, s);
    sim_restart(sim, s);
    dht_role(sim, s, YR_ROLE_SERVER);
    after = dht_info(sim, s);
    assert_memory_equal(before.dht_pk, after.dht_pk, 32);
    sim_run(sim, 90 * YR_S);
    assert_int_equal(dht_info(sim, a).nodes4, 1);
    before = dht_info(sim, a);
    sim_crash(sim, a);
    sim_restart(sim, a);
    dht_role(sim, a, YR_ROLE_CLIENT);
    after = dht_info(sim, a);
    assert_memory_not_equal(before.dht_pk, after.dht_pk, 32);
    sim_free(sim);
}

static void a_packet_from_a_public_address_ends_an_island_that_nobody_configured(void **state)
{
    struct sim_opts opts = sim_opts_default(6);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 1), a = sim_add(sim, "alice");
    const struct yr_addr public = {.family = 4, .ip = {8, 8, 8, 8}, .port = 53};
    const uint8_t junk[400] = {YR_DHT_TYPE};

    assert_true(dht_info(sim, s).island);
    yr_node_recv(sim_node(sim, s), sim_now(sim, s), &public, junk, sizeof junk);
    assert_false(dht_info(sim, s).island);
    assert_true(dht_info(sim, s).serves);
    // Where one is configured, no packet decides.
    dht_role(sim, a, YR_ROLE_CLIENT);
    dht_knows(sim, a, s);
    assert_true(dht_info(sim, a).island);
    yr_node_recv(sim_node(sim, a), sim_now(sim, a), &public, junk, sizeof junk);
    assert_true(dht_info(sim, a).island);
    // And one public bootstrap node makes it the world.
    assert_int_equal(yr_node_bootstrap(sim_node(sim, a), sim_now(sim, a), &public, junk), YR_OK);
    assert_false(dht_info(sim, a).island);
    sim_free(sim);
}

// Carry out what a node without a network around it wants; its packets go to `dht`.
static void carry_out(struct yr_node *node, struct yr_memstore *store, struct yr_dht *dht,
                      const struct yr_addr *addr, struct yr_now now)
{
    uint8_t buf[YR_PACKET_MAX];
    struct yr_effect fx;
    enum yr_err err;
    uint64_t token;

    while (yr_node_poll(node, now, &fx, buf, sizeof buf)) {
        if (fx.kind == YR_FX_SEND)
            yr_dht_recv(dht, now, addr, buf, fx.len);
        else if (fx.kind == YR_FX_STORE)
            yr_memstore_submit(store, fx.txn);
        else if (fx.kind == YR_FX_KEYFILE)
            yr_memstore_submit_keyfile(store, fx.token, fx.slot, fx.slot_bytes);
        while (yr_memstore_commit_next(store, &token, &err))
            yr_node_stored(node, now, token, err);
    }
}

static void found_none(void *ctx, uint64_t search, const uint8_t *record, size_t len)
{
}

static void done_none(void *ctx, uint64_t search, const struct yr_dht_result *result)
{
}

static void a_server_without_an_identity_serves_and_answers_nothing_else(void **state)
{
    const struct yr_addr server = {.family = 4, .ip = {8, 8, 4, 4}, .port = 7000},
                         client = {.family = 4, .ip = {9, 9, 9, 9}, .port = 7000};
    const struct yr_dht_calls calls = {.found = found_none, .done = done_none};
    const struct yr_dht_opts asks = {.role = YR_DHT_AS_CLIENT};
    struct yr_now now = {.mono_us = YR_S, .wall_ms = 1800000000000};
    struct yr_node_opts opts = yr_node_opts_default();
    struct yr_memstore *store = yr_memstore_new();
    uint8_t vk[32] = {7}, buf[YR_PACKET_MAX] = {0x21};
    struct yr_dht_contact contact = {.addr = server};
    struct yr_net_info info;
    struct seeded rng, rng2;
    struct yr_node *node;
    struct test_mem mem;
    struct yr_dht *dht;
    struct yr_addr to;
    size_t len;

    test_mem_init(&mem, (size_t)64 << 20);
    seeded_init(&rng, 1);
    seeded_init(&rng2, 2);
    opts.mem = &mem.mem;
    opts.rng = &rng.rng;
    opts.view = yr_memstore_view(store);
    opts.dht = YR_ROLE_SERVER;
    assert_int_equal(yr_node_new(&node, &opts), YR_OK);
    assert_int_equal(yr_node_unlock(node, now, vk, NULL), YR_OK);
    yr_node_addrs(node, now, &server, 1);
    yr_node_net(node, &info);
    assert_true(info.serves);
    memcpy(contact.pk, info.dht_pk, 32);
    assert_int_equal(yr_dht_new(&dht, &mem.mem, &rng2.rng, &asks, &calls, now), YR_OK);
    yr_dht_bootstrap(dht, &contact, 1, now);
    for (int i = 0; i < 20; i++) {
        now.mono_us += 100 * YR_MS;
        yr_dht_tick(dht, now);
        while ((len = yr_dht_poll(dht, &to, buf, sizeof buf)) > 0)
            yr_node_recv(node, now, &client, buf, len);
        yr_node_tick(node, now);
        carry_out(node, store, dht, &server, now);
    }
    assert_int_equal(yr_dht_known(dht), 1);
    buf[0] = 0x21;
    yr_node_recv(node, now, &client, buf, 100); // there are no friends to look through, not even
    assert_int_equal(yr_node_counter(node, 1).value, 1);
    yr_dht_free(dht);
    yr_node_free(node);
    yr_memstore_free(store);
    assert_int_equal(mem.live, 0);
}

static void off_means_off(void **state)
{
    struct sim_opts opts = sim_opts_default(7);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 2), a = sim_add(sim, "alice");
    struct yr_traffic before, after;

    dht_knows(sim, a, s);
    sim_run(sim, 60 * YR_S);
    yr_node_traffic(sim_node(sim, a), YR_FOR_DHT, &after);
    assert_int_equal(after.out, 0);
    assert_int_equal(dht_info(sim, a).bootstraps, 1);
    dht_role(sim, a, YR_ROLE_AUTO);
    sim_run(sim, 60 * YR_S);
    yr_node_traffic(sim_node(sim, a), YR_FOR_DHT, &before);
    assert_true(before.out > 0 && before.in > 0);
    assert_int_equal(dht_info(sim, a).nodes4, 2);
    dht_role(sim, a, YR_ROLE_OFF);
    sim_run(sim, 60 * YR_S);
    yr_node_traffic(sim_node(sim, a), YR_FOR_DHT, &after);
    assert_int_equal(after.out, before.out);
    assert_int_equal(dht_info(sim, a).nodes4, 0);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_knows_one_server_finds_the_others),
        cmocka_unit_test(any_one_of_several_bootstrap_nodes_suffices),
        cmocka_unit_test(
            a_peer_with_a_key_is_a_bootstrap_node_and_one_without_is_said_to_have_none),
        cmocka_unit_test(the_table_is_used_after_a_restart_with_the_bootstrap_node_gone),
        cmocka_unit_test(a_server_keeps_its_key_and_others_renew_it),
        cmocka_unit_test(a_packet_from_a_public_address_ends_an_island_that_nobody_configured),
        cmocka_unit_test(a_server_without_an_identity_serves_and_answers_nothing_else),
        cmocka_unit_test(off_means_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
