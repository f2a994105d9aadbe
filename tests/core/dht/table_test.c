/* The routing table: who gets in, who stays, and what a flood from one network achieves. */
#include "tests/support/test.h"

#include "core/dht/table.h"
#include "tests/support/seeded.h"

struct world {
    struct test_mem mem;
    struct seeded s;
    struct yr_dht_table table;
};

static int setup(void **state)
{
    static struct world w;
    uint8_t own[32];

    test_mem_init(&w.mem, 1U << 20);
    seeded_init(&w.s, 5);
    yr_random(&w.s.rng, own, 32);
    yr_dht_table_init(&w.table, &w.mem.mem, own, 4, false);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    yr_dht_table_clear(&w->table);
    return w->mem.live != 0;
}

// A node of its own network, somewhere.
static struct yr_dht_contact node(struct world *w)
{
    struct yr_dht_contact c = {.addr = {.family = 4, .port = 7}};

    yr_random(&w->s.rng, c.pk, 32);
    yr_random(&w->s.rng, c.addr.ip, 4);
    return c;
}

// ... whose id shares exactly `bits` bits with ours.
static struct yr_dht_contact node_in(struct world *w, unsigned bits)
{
    struct yr_dht_contact c;
    uint8_t id[32];

    do {
        c = node(w);
        yr_dht_id(id, c.pk);
    } while (yr_dht_common(id, w->table.own_id) != bits);
    return c;
}

static enum yr_err seen(struct world *w, const struct yr_dht_contact *c, yr_us now)
{
    return yr_dht_table_seen(&w->table, c, 1000, now);
}

static void buckets_hold_68_34_17_and_16_and_the_oldest_stay(void **state)
{
    struct world *w = *state;
    const unsigned sizes[] = {68, 34, 17, 16};
    struct yr_dht_contact first[4], c;

    for (unsigned bits = 0; bits < 4; bits++)
        for (unsigned i = 0; i < sizes[bits] + 5; i++) {
            c = node_in(w, bits);
            if (i == 0)
                first[bits] = c;
            assert_int_equal(seen(w, &c, i), i < sizes[bits] ? YR_OK : YR_EFULL);
        }
    assert_int_equal(w->table.count, 135);
    for (unsigned bits = 0; bits < 4; bits++)
        assert_non_null(yr_dht_table_find(&w->table, first[bits].pk));
}

static void who_falls_silent_makes_room_for_the_newest_spare(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact first = node_in(w, 3), last = first;

    assert_int_equal(seen(w, &first, 1), YR_OK);
    for (unsigned i = 0; i < 20; i++) {
        last = node_in(w, 3);
        (void)seen(w, &last, 2);
    }
    assert_null(yr_dht_table_find(&w->table, last.pk));
    for (unsigned i = 0; i < YR_DHT_FAILS_MAX; i++) {
        assert_non_null(yr_dht_table_find(&w->table, first.pk));
        yr_dht_table_failed(&w->table, first.pk);
    }
    assert_null(yr_dht_table_find(&w->table, first.pk));
    assert_non_null(yr_dht_table_find(&w->table, last.pk));
    assert_int_equal(w->table.count, 16);
}

static void a_network_counts_as_a_few_nodes_however_many_it_runs(void **state)
{
    struct world *w = *state;
    size_t in = 0;

    for (unsigned i = 0; i < 4000; i++) {
        struct yr_dht_contact c = node(w);

        memcpy(c.addr.ip, (const uint8_t[]){9, 9, 9}, 3);
        in += seen(w, &c, i) == YR_OK;
    }
    assert_int_equal(in, w->table.count);
    assert_int_equal(in, YR_DHT_NET_TABLE);
    for (size_t i = 0; i < YR_DHT_BUCKETS; i++)
        assert_true(w->table.buckets[i].in_count <= YR_DHT_NET_BUCKET);
}

static void one_node_an_address_and_a_new_key_there_makes_us_ask_the_old_one(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact old = node(w), new = node(w), asked;

    new.addr = old.addr;
    assert_int_equal(seen(w, &old, 0), YR_OK);
    assert_int_equal(seen(w, &new, 20 * YR_S), YR_EEXIST);
    assert_null(yr_dht_table_find(&w->table, new.pk));
    assert_true(yr_dht_table_stale(&w->table, YR_DHT_FRESH_S * YR_S, 20 * YR_S, &asked));
    assert_true(yr_dht_same(&asked, &old));
    assert_false(yr_dht_table_stale(&w->table, YR_DHT_FRESH_S * YR_S, 21 * YR_S, &asked));
    yr_dht_table_failed(&w->table, old.pk);
    yr_dht_table_failed(&w->table, old.pk);
    assert_int_equal(seen(w, &new, 30 * YR_S), YR_OK);
    assert_non_null(yr_dht_table_find(&w->table, new.pk));
}

static void own_key_and_other_family_stay_out(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact c = node(w);

    c.addr.family = 6;
    assert_int_equal(seen(w, &c, 0), YR_EDENIED);
    c.addr.family = 4;
    yr_dht_id(w->table.own_id, c.pk);
    assert_int_equal(seen(w, &c, 0), YR_EDENIED);
    assert_int_equal(w->table.count, 0);
}

static void closest_are_the_closest_and_doubtful_ones_last(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact out[16];
    uint8_t target[32], last[32], id[32];

    for (unsigned i = 0; i < 300; i++) {
        const struct yr_dht_contact c = node(w);
        (void)seen(w, &c, i);
    }
    for (unsigned round = 0; round < 200; round++) {
        size_t nearer = 0;

        yr_random(&w->s.rng, target, 32); // near us, too: in each bucket
        memcpy(target, w->table.own_id, round % 12 / 8);
        target[round % 12 / 8] =
            (uint8_t)(w->table.own_id[round % 12 / 8] ^ 0x80 >> round % 12 % 8);
        assert_int_equal(yr_dht_table_closest(&w->table, target, out, 16), 16);
        yr_dht_id(last, out[15].pk);
        for (size_t i = 1; i < 16; i++) {
            uint8_t before[32];

            yr_dht_id(before, out[i - 1].pk);
            yr_dht_id(id, out[i].pk);
            assert_true(yr_dht_nearer(target, before, id));
        }
        for (size_t i = 0; i < w->table.count; i++) {
            yr_dht_id(id, yr_dht_table_at(&w->table, i)->contact.pk);
            nearer += yr_dht_nearer(target, id, last);
        }
        assert_int_equal(nearer, 15);
    }
    yr_dht_table_failed(&w->table, out[0].pk);
    memcpy(id, out[0].pk, 32);
    yr_dht_table_closest(&w->table, target, out, 16);
    for (size_t i = 0; i < 16; i++)
        assert_memory_not_equal(out[i].pk, id, 32);
}

static void the_size_of_the_network_is_guessed_within_a_factor_of_two(void **state)
{
    struct world *w = *state;
    size_t n = 0;

    assert_true(yr_dht_table_estimate(&w->table) < 2);
    for (size_t goal = 50; goal <= 20000; goal *= 4) {
        for (; n < goal; n++) {
            const struct yr_dht_contact c = node(w);
            (void)seen(w, &c, n);
        }
        assert_true(yr_dht_table_estimate(&w->table) > (double)n / 2);
        assert_true(yr_dht_table_estimate(&w->table) < (double)n * 2);
    }
}

static void refreshing_takes_each_bucket_in_turn(void **state)
{
    struct world *w = *state;
    uint8_t target[32];
    unsigned seen_bits[8] = {0};

    for (unsigned bits = 0; bits < 5; bits++) {
        const struct yr_dht_contact c = node_in(w, bits);
        (void)seen(w, &c, 1);
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_true(yr_dht_table_refresh(&w->table, &w->s.rng, 900 * YR_S, 1000 * YR_S, target));
        seen_bits[yr_dht_common(target, w->table.own_id)]++;
    }
    for (unsigned bits = 0; bits < 5; bits++)
        assert_int_equal(seen_bits[bits], 1);
    assert_false(yr_dht_table_refresh(&w->table, &w->s.rng, 900 * YR_S, 1001 * YR_S, target));
}

static void what_is_kept_over_a_restart_is_who_was_there_longest(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact out[8], back[8];
    uint8_t row[1 + 8 * 51];
    size_t len, count = 99;

    for (unsigned i = 0; i < 100; i++) {
        const struct yr_dht_contact c = node(w);
        (void)seen(w, &c, 100 - i);
    }
    assert_int_equal(yr_dht_table_export(&w->table, out, 8), 8);
    for (size_t i = 1; i < 8; i++)
        assert_true(yr_dht_table_find(&w->table, out[i - 1].pk)->added_us <=
                    yr_dht_table_find(&w->table, out[i].pk)->added_us);
    assert_int_equal(yr_dht_contacts_encode(out, 8, row, sizeof row, &len), YR_OK);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(yr_dht_contacts_decode(back, 8, &count, row, cut), YR_EPROTO);
    assert_int_equal(yr_dht_contacts_decode(back, 7, &count, row, len), YR_EPROTO);
    assert_int_equal(count, 99);
    assert_int_equal(yr_dht_contacts_decode(back, 8, &count, row, len), YR_OK);
    assert_int_equal(count, 8);
    for (size_t i = 0; i < 8; i++)
        assert_true(yr_dht_same(&back[i], &out[i]));
}

static void a_refused_allocation_costs_one_entry_and_nothing_else(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact c = node(w);

    w->mem.left = 0;
    assert_int_equal(seen(w, &c, 0), YR_ENOMEM);
    assert_int_equal(w->table.count, 0);
    w->mem.left = SIZE_MAX;
    assert_int_equal(seen(w, &c, 0), YR_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(buckets_hold_68_34_17_and_16_and_the_oldest_stay),
        TEST(who_falls_silent_makes_room_for_the_newest_spare),
        TEST(a_network_counts_as_a_few_nodes_however_many_it_runs),
        TEST(one_node_an_address_and_a_new_key_there_makes_us_ask_the_old_one),
        TEST(own_key_and_other_family_stay_out),
        TEST(closest_are_the_closest_and_doubtful_ones_last),
        TEST(the_size_of_the_network_is_guessed_within_a_factor_of_two),
        TEST(refreshing_takes_each_bucket_in_turn),
        TEST(what_is_kept_over_a_restart_is_who_was_there_longest),
        TEST(a_refused_allocation_costs_one_entry_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
