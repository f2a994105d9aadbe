#include "core/base/map.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

#define KEYS 400

static void it_agrees_with_a_plain_array_over_random_steps(void **state)
{
    static char things[16];
    void *model[KEYS] = {0};
    uint64_t keys[KEYS];
    struct seeded rnd;
    struct test_mem m;
    struct yr_map map;
    size_t live;

    seeded_init(&rnd, seeded_seed("map", 0x6d6170));
    test_mem_init(&m, 1 << 20);
    yr_map_init(&map, &m.mem, YR_MEM_NODE);
    for (size_t i = 0; i < KEYS; i++)
        keys[i] = i % 4 == 0 ? (i + 1) << 20 : seeded_u64(&rnd) | 1; // some all in one row
    for (size_t step = 0; step < 200000; step++) {
        const size_t i = seeded_below(&rnd, KEYS);
        if (seeded_below(&rnd, 5) < 3) {
            model[i] = &things[seeded_below(&rnd, sizeof things)];
            assert_int_equal(yr_map_put(&map, keys[i], model[i]), YR_OK);
        } else {
            model[i] = NULL;
            yr_map_del(&map, keys[i]);
        }
        if (step % 1000 != 0)
            continue;
        live = 0;
        for (size_t j = 0; j < KEYS; j++) {
            assert_ptr_equal(yr_map_get(&map, keys[j]), model[j]);
            live += model[j] != NULL;
        }
        assert_int_equal(map.live, live);
    }
    yr_map_clear(&map);
    assert_int_equal(m.live, 0);
}

static void keys_that_come_and_go_do_not_make_it_grow(void **state)
{
    struct seeded rnd;
    struct test_mem m;
    struct yr_map map;
    uint64_t window[8] = {0};

    seeded_init(&rnd, 2);
    test_mem_init(&m, 1 << 20);
    yr_map_init(&map, &m.mem, YR_MEM_NODE);
    for (size_t i = 0; i < 100000; i++) {
        uint64_t *key = &window[i % YR_COUNT(window)];
        yr_map_del(&map, *key);
        *key = seeded_u64(&rnd) | 1;
        assert_int_equal(yr_map_put(&map, *key, &map), YR_OK);
        assert_true(map.cap <= 32);
        assert_true(map.used < map.cap);
    }
    yr_map_clear(&map);
    assert_int_equal(m.live, 0);
}

static void an_empty_map_has_nothing_and_key_zero_is_never_there(void **state)
{
    struct test_mem m;
    struct yr_map map;

    test_mem_init(&m, 1 << 20);
    yr_map_init(&map, &m.mem, YR_MEM_NODE);
    assert_null(yr_map_get(&map, 1));
    yr_map_del(&map, 1);
    assert_int_equal(yr_map_put(&map, 7, &map), YR_OK);
    assert_null(yr_map_get(&map, 0));
    yr_map_del(&map, 0);
    assert_ptr_equal(yr_map_get(&map, 7), &map);
    yr_map_clear(&map);
    yr_map_clear(&map);
}

static void a_refused_allocation_leaves_all_as_it_was(void **state)
{
    struct test_mem m;
    struct yr_map map;
    uint64_t put = 0;

    test_mem_init(&m, 1 << 20);
    yr_map_init(&map, &m.mem, YR_MEM_NODE);
    m.left = 2;
    while (yr_map_put(&map, put + 1, &map) == YR_OK)
        put++;
    assert_true(put >= 12);
    assert_int_equal(yr_map_put(&map, put + 1, &map), YR_ENOMEM);
    assert_int_equal(yr_map_put(&map, 1, &m), YR_OK); // replacing needs none
    for (uint64_t i = 2; i <= put; i++)
        assert_ptr_equal(yr_map_get(&map, i), &map);
    assert_null(yr_map_get(&map, put + 1));
    yr_map_clear(&map);
    assert_int_equal(m.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_a_plain_array_over_random_steps),
        cmocka_unit_test(keys_that_come_and_go_do_not_make_it_grow),
        cmocka_unit_test(an_empty_map_has_nothing_and_key_zero_is_never_there),
        cmocka_unit_test(a_refused_allocation_leaves_all_as_it_was),
    };

    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
