/* Networks of the DHT some of whose nodes lie, small.  tools/sim dht --scenario D-5 ... is the
 * same, large. */
#include "tests/support/test.h"

#include "tests/support/dhtscenes.h"

static void a_fifth_may_lie_and_a_third_be_silent(void **state)
{
    scene_holds("standard", (struct dhtscene){.nodes = 100,
                                              .clients = 20,
                                              .pairs = 40,
                                              .colluding = 20,
                                              .stale = 30,
                                              .settle_s = 300});
}

static void colluders_do_not_take_tables_over(void **state)
{
    scene_holds("D-5",
                (struct dhtscene){.nodes = 100, .settle_s = 120, .clients = 20, .pairs = 40});
}

static void colluders_who_were_in_the_tables_first_hide_nothing(void **state)
{
    scene_holds("D-6",
                (struct dhtscene){.nodes = 300, .settle_s = 60, .clients = 20, .pairs = 150});
}

#define SERVERS 60
#define GETS    100

// A third forwards nothing, and says either nothing or at once that nobody answers.
static void who_forwards_nothing_costs_no_second(void **state)
{
    struct dhtnet *net = dhtnet_new(&(struct dhtnet_opts){.seed = 9, .nodes_max = SERVERS + GETS});
    static struct dhtnet_job puts[GETS], gets[GETS];
    static uint8_t pks[GETS][32];
    unsigned late = 0, found = 0;

    for (uint32_t i = 0; i < SERVERS + GETS; i++) {
        dhtnet_add(net, i < SERVERS ? YR_DHT_AS_SERVER : YR_DHT_AS_CLIENT, i == 0 ? UINT32_MAX : 0);
        dhtnet_run(net, 20 * YR_MS);
    }
    dhtnet_run(net, 60 * YR_S);
    for (uint32_t i = 0; i < GETS; i++) {
        uint8_t record[YR_DHT_RECORD_MAX];
        const size_t len = dhtnet_record(net, i, 1, record, pks[i]);

        dhtnet_put(net, SERVERS + i, record, len, false, &puts[i]);
        dhtnet_run(net, 100 * YR_MS);
    }
    dhtnet_run(net, 31 * YR_S);
    for (uint32_t i = 1; i < SERVERS; i += 3)
        net->nodes[i].kind = i % 2 == 0 ? DHTNET_LIAR : DHTNET_SILENTER;
    dhtnet_liars(net);
    for (uint32_t i = 0; i < GETS; i++) {
        dhtnet_get(net, SERVERS + (i + 1) % GETS, pks[i], false, &gets[i]);
        dhtnet_run(net, 100 * YR_MS);
    }
    dhtnet_run(net, 31 * YR_S);
    for (uint32_t i = 0; i < GETS; i++) {
        found += gets[i].found;
        late += gets[i].found && gets[i].found_us - gets[i].began_us > 1500 * YR_MS;
    }
    print_message("%u found, %u of them later than after 1.5 s\n", found, late);
    assert_in_range(found, GETS - 1, GETS);
    assert_in_range(late, 0, GETS / 20);
    dhtnet_free(net);
}

static void sybils_around_a_key_do_not_hide_it(void **state)
{
    scene_holds("D-7",
                (struct dhtscene){.nodes = 250, .settle_s = 300, .clients = 10, .pairs = 20});
}

static void one_honest_node_among_twenty_is_enough(void **state)
{
    scene_holds("D-8", (struct dhtscene){.nodes = 120, .settle_s = 120, .pairs = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fifth_may_lie_and_a_third_be_silent),
        cmocka_unit_test(colluders_do_not_take_tables_over),
        cmocka_unit_test(colluders_who_were_in_the_tables_first_hide_nothing),
        cmocka_unit_test(who_forwards_nothing_costs_no_second),
        cmocka_unit_test(sybils_around_a_key_do_not_hide_it),
        cmocka_unit_test(one_honest_node_among_twenty_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
