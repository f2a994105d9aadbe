/* Lookups over a network that is only a list: who is asked, when it ends, what liars achieve. */
#include "tests/support/test.h"

#include "core/dht/lookup.h"
#include "tests/support/seeded.h"

#define NODES 600
#define SOFT  (300 * YR_MS)

struct world {
    struct test_mem mem;
    struct seeded s;
    struct yr_dht_contact nodes[NODES];
    uint8_t ids[NODES][32], target[32];
    bool liar[NODES], dead[NODES];
    struct yr_dht_lookup lookup;
    size_t asked;
};

static int setup(void **state)
{
    static struct world w;
    static const uint8_t own[32];

    memset(&w, 0, sizeof w);
    test_mem_init(&w.mem, 1U << 20);
    seeded_init(&w.s, 21);
    for (size_t i = 0; i < NODES; i++) {
        w.nodes[i].addr =
            (struct yr_addr){.family = 4, .ip = {20, (uint8_t)(i >> 8), (uint8_t)i, 1}, .port = 7};
        yr_random(&w.s.rng, w.nodes[i].pk, 32);
        yr_dht_id(w.ids[i], w.nodes[i].pk);
    }
    yr_random(&w.s.rng, w.target, 32);
    yr_dht_lookup_init(&w.lookup, &w.mem.mem, &w.s.rng, w.target, own, NODES, false, false, 0);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    yr_dht_lookup_clear(&w->lookup);
    return w->mem.live != 0;
}

// The nearest to `id`, of liars only or of all.
static size_t nearest(const struct world *w, const uint8_t id[32], bool liars,
                      struct yr_dht_contact *out, size_t max)
{
    size_t best[32], n = 0;

    for (size_t i = 0; i < NODES; i++) {
        size_t at = n;

        if (liars && !w->liar[i])
            continue;
        while (at > 0 && yr_dht_nearer(id, w->ids[i], w->ids[best[at - 1]]))
            at--;
        if (at >= max)
            continue;
        n += n < max;
        memmove(&best[at + 1], &best[at], (n - at - 1) * sizeof *best);
        best[at] = i;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = w->nodes[best[i]];
    return n;
}

static size_t index_of(const struct world *w, const struct yr_dht_contact *c)
{
    return (size_t)c->addr.ip[1] << 8 | c->addr.ip[2];
}

static void start(struct world *w)
{
    struct yr_dht_contact some[16];

    for (size_t i = 0; i < 16; i++)
        some[i] = w->nodes[seeded_below(&w->s, NODES)];
    yr_dht_lookup_start(&w->lookup, some, 16);
}

static void run(struct world *w)
{
    struct yr_dht_contact to, said[YR_DHT_SHOWN];
    uint8_t ask[32];
    yr_us now = 0;

    while (!yr_dht_lookup_done(&w->lookup)) {
        while (yr_dht_lookup_next(&w->lookup, SOFT, now, &to, ask)) {
            const size_t i = index_of(w, &to);

            w->asked++;
            assert_int_not_equal(memcmp(ask, w->target, 32), 0);
            if (w->dead[i])
                yr_dht_lookup_failed(&w->lookup, &to);
            else
                yr_dht_lookup_answered(&w->lookup, &to, said,
                                       nearest(w, ask, w->liar[i], said, YR_DHT_SHOWN), now);
        }
        now += SOFT;
        assert_true(now < 60 * YR_S);
    }
}

// How many of the eight that are nearest in truth were found.
static size_t hits(struct world *w, size_t *count)
{
    struct yr_dht_contact want[YR_DHT_STORE], got[YR_DHT_WIDE];
    const size_t n = yr_dht_lookup_result(&w->lookup, got, NULL, NULL);
    size_t same = 0;

    nearest(w, w->target, false, want, YR_DHT_STORE);
    for (size_t i = 0; i < YR_DHT_STORE; i++)
        for (size_t j = 0; j < n; j++)
            same += yr_dht_same(&want[i], &got[j]);
    *count = n;
    return same;
}

static void it_finds_the_eight_nearest(void **state)
{
    struct world *w = *state;
    unsigned hops = 0;
    yr_us known;
    size_t n;
    struct yr_dht_contact got[YR_DHT_WIDE];

    start(w);
    run(w);
    assert_int_equal(hits(w, &n), YR_DHT_STORE);
    assert_int_equal(n, YR_DHT_STORE);
    (void)yr_dht_lookup_result(&w->lookup, got, &hops, &known);
    assert_in_range(hops, 1, 4);
    assert_in_range(w->asked, 16, 60);
}

static void the_dead_are_passed_over(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact got[YR_DHT_WIDE];
    size_t n;

    for (size_t i = 0; i < NODES; i++)
        w->dead[i] = seeded_below(&w->s, 10) < 3;
    start(w);
    run(w);
    n = yr_dht_lookup_result(&w->lookup, got, NULL, NULL);
    assert_int_equal(n, YR_DHT_STORE);
    for (size_t i = 0; i < n; i++)
        assert_false(w->dead[index_of(w, &got[i])]);
}

static void liars_who_name_only_each_other_hide_little(void **state)
{
    struct world *w = *state;
    size_t n;

    for (size_t i = 0; i < NODES; i++)
        w->liar[i] = seeded_below(&w->s, 5) == 0;
    start(w);
    run(w);
    assert_true(hits(w, &n) >= 6);
}

static void who_begins_among_liars_notices_and_finds_its_way_out(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact some[16];
    size_t n;

    for (size_t i = 0; i < NODES; i++)
        w->liar[i] = seeded_below(&w->s, 5) == 0;
    yr_dht_lookup_start(&w->lookup, some, nearest(w, w->target, true, some, 16));
    run(w);
    assert_in_range(hits(w, &n), 0,
                    YR_DHT_STORE / 2); // the others are honest, and were never named
    assert_true(yr_dht_lookup_thin(&w->lookup));
    for (size_t i = 0; i < 8; i++)
        some[i] = w->nodes[seeded_below(&w->s, NODES)];
    yr_dht_lookup_widen(&w->lookup, some, 8);
    run(w);
    assert_in_range(hits(w, &n), YR_DHT_STORE - 1, YR_DHT_STORE);
    assert_false(yr_dht_lookup_thin(&w->lookup));
}

static void an_honest_lookup_is_not_taken_for_one_led_astray(void **state)
{
    struct world *w = *state;

    start(w);
    run(w);
    assert_false(yr_dht_lookup_thin(&w->lookup));
}

// A GET asks who would store if those who have not answered in time were not there.
static void who_is_late_does_not_hold_up_what_is_urgent(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact near[20], to, out[2 * YR_DHT_STORE];
    uint8_t ask[32];
    size_t late;

    yr_dht_lookup_start(&w->lookup, near, nearest(w, w->target, false, near, 20));
    w->lookup.estimate = NODES * 100.0; // far from all of them, as it seems
    assert_int_equal(yr_dht_lookup_likely(&w->lookup, SOFT, 0, out), 0);
    assert_true(yr_dht_lookup_next(&w->lookup, SOFT, 0, &to, ask));
    late = 0;
    while (yr_dht_lookup_next(&w->lookup, SOFT, 0, &to, ask))
        late++;
    for (size_t i = 1; i <= late; i++)
        yr_dht_lookup_answered(&w->lookup, &near[i], near, 0, 0);
    assert_int_equal(yr_dht_lookup_likely(&w->lookup, SOFT, SOFT - 1, out), 0);
    assert_int_equal(yr_dht_lookup_likely(&w->lookup, SOFT, SOFT, out), late);
    assert_true(yr_dht_same(&out[0], &near[1]));
}

static void who_is_asked_learns_only_the_first_bits(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact to;
    uint8_t ask[32], last[32] = {0};

    start(w);
    for (int i = 0; i < YR_DHT_PATHS; i++) {
        assert_true(yr_dht_lookup_next(&w->lookup, SOFT, 0, &to, ask));
        assert_in_range(yr_dht_common(ask, w->target), 11, 30); // floor(log2 600) + 2
        assert_int_not_equal(memcmp(ask, last, 32), 0);
        memcpy(last, ask, 32);
    }
}

static void a_path_waits_for_its_answer_until_it_is_late(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact first, to;
    uint8_t ask[32];

    start(w);
    assert_true(yr_dht_lookup_next(&w->lookup, SOFT, 0, &first, ask));
    for (int i = 1; i < YR_DHT_PATHS; i++)
        assert_true(yr_dht_lookup_next(&w->lookup, SOFT, 0, &to, ask));
    assert_false(yr_dht_lookup_next(&w->lookup, SOFT, SOFT - 1, &to, ask));
    assert_int_equal(yr_dht_lookup_deadline(&w->lookup, SOFT), SOFT);
    assert_true(yr_dht_lookup_next(&w->lookup, SOFT, SOFT, &to, ask));
    yr_dht_lookup_failed(&w->lookup, &first);
    yr_dht_lookup_answered(&w->lookup, &first, w->nodes, 3, SOFT); // late is better than never
    assert_true(w->lookup.count >= 16);
}

// Where far more nodes live than there should be, somebody may have put them there: a few of each
// part of the region store, so that no part of it can be all.
static void a_crowd_around_the_key_is_noticed_and_no_part_of_it_is_all(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact got[YR_DHT_WIDE];
    size_t n, parts[YR_DHT_RESULT] = {0}, filled = 0;

    w->lookup.estimate = NODES / 40.0;
    start(w);
    run(w);
    assert_true(w->lookup.wide);
    n = yr_dht_lookup_result(&w->lookup, got, NULL, NULL);
    assert_in_range(n, YR_DHT_STORE + 1, YR_DHT_WIDE);
    for (size_t i = 0; i < n; i++) {
        uint8_t id[32];
        double far;

        yr_dht_id(id, got[i].pk);
        far = (id[0] ^ w->target[0]) / 256.0 + (id[1] ^ w->target[1]) / 65536.0;
        parts[YR_MIN((size_t)(far * w->lookup.estimate), (size_t)YR_DHT_RESULT - 1)]++;
    }
    for (size_t i = 0; i < YR_DHT_RESULT; i++) {
        filled += parts[i] > 0;
        assert_true(parts[i] <= YR_DHT_STORE / 2 + 3);
    }
    print_message("%zu nodes in %zu parts\n", n, filled);
    assert_true(filled >= YR_DHT_RESULT / 2);
}

static void one_network_cannot_be_the_result(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact got[YR_DHT_WIDE];
    size_t n, evil = 0;

    for (size_t i = 0; i < 100; i++) {
        struct yr_dht_contact c = {.addr = {.family = 4, .ip = {66, 6, 6, (uint8_t)i}, .port = 6}};

        yr_random(&w->s.rng, c.pk, 32);
        yr_dht_lookup_start(&w->lookup, &c, 1);
    }
    assert_int_equal(w->lookup.count, YR_DHT_NET_TABLE);
    for (size_t i = 0; i < w->lookup.count; i++)
        w->lookup.list[i].state = YR_CAND_ANSWERED;
    n = yr_dht_lookup_result(&w->lookup, got, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        evil += got[i].addr.ip[0] == 66;
    assert_int_equal(evil, YR_DHT_NET_BUCKET);
}

static void a_flood_of_names_fills_no_memory(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact to;
    uint8_t ask[32];

    start(w);
    assert_true(yr_dht_lookup_next(&w->lookup, SOFT, 0, &to, ask));
    yr_dht_lookup_answered(&w->lookup, &to, w->nodes, NODES, 0);
    assert_true(w->lookup.count <= YR_DHT_CANDIDATES);
    yr_dht_lookup_answered(&w->lookup, &to, w->nodes, NODES, 0); // nobody waited for it
    assert_true(w->lookup.count <= YR_DHT_CANDIDATES);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_finds_the_eight_nearest),
        TEST(the_dead_are_passed_over),
        TEST(liars_who_name_only_each_other_hide_little),
        TEST(who_begins_among_liars_notices_and_finds_its_way_out),
        TEST(an_honest_lookup_is_not_taken_for_one_led_astray),
        TEST(who_is_late_does_not_hold_up_what_is_urgent),
        TEST(who_is_asked_learns_only_the_first_bits),
        TEST(a_path_waits_for_its_answer_until_it_is_late),
        TEST(a_crowd_around_the_key_is_noticed_and_no_part_of_it_is_all),
        TEST(one_network_cannot_be_the_result),
        TEST(a_flood_of_names_fills_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
