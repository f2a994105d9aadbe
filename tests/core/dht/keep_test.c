/* What a client of the DHT keeps, renews and tells: its key for a day, who answered of those it
 * starts from; and answers that name nodes which cannot be. */
#include "tests/support/test.h"

#include "tests/support/dhtnet.h"

static struct dhtnet *net;

static int setup(void **state)
{
    const struct dhtnet_opts opts = {.seed = 3, .nodes_max = 40};

    net = dhtnet_new(&opts);
    for (uint32_t i = 0; i < 8; i++) {
        dhtnet_add(net, YR_DHT_AS_SERVER, i == 0 ? UINT32_MAX : 0);
        dhtnet_run(net, 100 * YR_MS);
    }
    dhtnet_run(net, 10 * YR_S);
    return 0;
}

static int teardown(void **state)
{
    dhtnet_free(net);
    return 0;
}

static void a_clients_key_lasts_a_day_and_a_servers_for_good(void **state)
{
    const uint32_t client = dhtnet_add(net, YR_DHT_AS_CLIENT, 0);
    struct yr_dht *dht = net->nodes[client].dht;
    uint8_t before[32], server[32], pk[32], record[YR_DHT_RECORD_MAX];
    struct dhtnet_job job;
    size_t len;

    dhtnet_run(net, 60 * YR_S);
    memcpy(before, yr_dht_pk(dht), 32);
    memcpy(server, yr_dht_pk(net->nodes[5].dht), 32);
    dhtnet_run(net, (YR_DHT_KEY_S - 120) * YR_S);
    assert_memory_equal(yr_dht_pk(dht), before, 32);
    dhtnet_run(net, 400 * YR_S);
    assert_memory_not_equal(yr_dht_pk(dht), before, 32);
    assert_memory_equal(yr_dht_pk(net->nodes[5].dht), server, 32);
    assert_true(yr_dht_known(dht) >= 5); // it knows others as before
    len = dhtnet_record(net, 1, 1, record, pk);
    dhtnet_put(net, client, record, len, false, &job);
    dhtnet_run(net, 31 * YR_S);
    assert_true(job.done && job.result.answered >= 3);
}

static void another_network_means_another_key(void **state)
{
    const uint32_t client = dhtnet_add(net, YR_DHT_AS_CLIENT, 0);
    struct dhtnet_node *node = &net->nodes[client];
    uint8_t before[32];

    dhtnet_run(net, 60 * YR_S);
    memcpy(before, yr_dht_pk(node->dht), 32);
    yr_dht_moved(node->dht, dhtnet_now(net, node));
    dhtnet_drain(net, client);
    assert_memory_not_equal(yr_dht_pk(node->dht), before, 32);
    dhtnet_run(net, 10 * YR_S);
    assert_true(yr_dht_known(node->dht) >= 5);
}

static void who_answered_of_those_it_starts_from_is_told(void **state)
{
    const uint32_t client = dhtnet_add(net, YR_DHT_AS_CLIENT, 0);
    struct dhtnet_node *node = &net->nodes[client];
    struct yr_dht_contact nobody = {.addr = {.family = 4, .ip = {99, 9, 9, 9}, .port = 9}};
    struct yr_dht_info info;

    yr_dht_info(node->dht, &info);
    assert_int_equal(info.start_count, 1);
    assert_int_equal(info.start_answered, 0);
    assert_int_equal(info.network, 0);
    nobody.pk[0] = 9;
    yr_dht_bootstrap(node->dht, &nobody, 1, dhtnet_now(net, node));
    dhtnet_wake(net, client);
    dhtnet_run(net, 30 * YR_S);
    yr_dht_info(node->dht, &info);
    assert_int_equal(info.start_count, 2);
    assert_int_equal(info.start_answered, 1);
    assert_true(info.start_answered_us > 0 && info.answered_us > 0);
    assert_true(yr_dht_start_at(node->dht, 0)->answered_us > 0);
    assert_true(yr_dht_start_at(node->dht, 1)->asked_us > 0);
    assert_int_equal(yr_dht_start_at(node->dht, 1)->answered_us, 0);
    assert_null(yr_dht_start_at(node->dht, 2));
    assert_true(info.nodes[0] >= 5 && info.nodes[1] == 0);
    assert_in_range(info.network, 4, 20);
    assert_false(info.serves);
}

static bool asked_nobody;

static void on_datagram(void *ctx, uint32_t from, uint32_t to, const uint8_t *bytes, size_t len)
{
    const uint32_t *client = ctx;

    asked_nobody |= from == *client && to == UINT32_MAX;
}

// A server whose table was filled with what cannot be: what it names is counted and never asked.
static void nodes_that_cannot_be_are_not_asked(void **state)
{
    static const struct yr_addr bad[] = {{.family = 4, .ip = {192, 168, 1, 1}, .port = 7},
                                         {.family = 4, .ip = {224, 0, 0, 1}, .port = 7},
                                         {.family = 4, .ip = {127, 0, 0, 1}, .port = 7},
                                         {.family = 4, .ip = {10, 0, 0, 1}, .port = 7},
                                         {.family = 4, .ip = {8, 8, 8, 8}, .port = 0},
                                         {.family = 4, .ip = {255, 255, 255, 255}, .port = 7}};
    const uint32_t client = dhtnet_add(net, YR_DHT_AS_CLIENT, UINT32_MAX);
    struct yr_dht_table *table = &net->nodes[0].dht->tables[0];
    struct dhtnet_node *node = &net->nodes[client];
    const struct yr_dht_contact c = dhtnet_contact(net, 0);
    uint64_t dropped = 0;
    uint32_t who = client;

    yr_dht_table_clear(table);
    for (size_t i = 0; i < YR_COUNT(bad); i++) {
        struct yr_dht_contact fake = {.addr = bad[i]};

        memset(fake.pk, (int)(i + 1), 32);
        assert_int_equal(yr_dht_table_seen(table, &fake, 1, net->now_us), YR_OK);
    }
    asked_nobody = false;
    net->tap = on_datagram;
    net->ctx = &who;
    yr_dht_bootstrap(node->dht, &c, 1, dhtnet_now(net, node));
    dhtnet_wake(net, client);
    dhtnet_run(net, 2 * YR_S);
    net->tap = NULL;
    for (size_t i = 0; yr_dht_counter(node->dht, i).name != NULL; i++)
        if (i == YR_DHT_N_BAD_NODES)
            dropped = yr_dht_counter(node->dht, i).value;
    assert_true(dropped >= YR_COUNT(bad));
    assert_false(asked_nobody);
}

// Everybody knows everybody: there is nothing to be looked for.
static void an_idle_client_of_a_small_network_is_nearly_silent(void **state)
{
    const uint32_t client = dhtnet_add(net, YR_DHT_AS_CLIENT, 0);
    struct dhtnet_node *node = &net->nodes[client];
    double rate;

    while (net->count < 13)
        dhtnet_add(net, YR_DHT_AS_SERVER, 0);
    for (int hour = 1; hour <= 3; hour++) {
        node->in_bytes = node->out_bytes = 0;
        dhtnet_run(net, 3600 * YR_S);
        rate = (double)(node->in_bytes + node->out_bytes) / 3600;
        print_message("hour %d: %.1f B/s\n", hour, rate);
        assert_true(rate <= (hour == 1 ? 60 : 10));
    }
    assert_int_equal(yr_dht_known(node->dht), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_clients_key_lasts_a_day_and_a_servers_for_good, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_network_means_another_key, setup, teardown),
        cmocka_unit_test_setup_teardown(who_answered_of_those_it_starts_from_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nodes_that_cannot_be_are_not_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_client_of_a_small_network_is_nearly_silent, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
