#include "tests/support/seeded.h"
#include "tests/support/test.h"

static void a_purpose_gets_its_cap_and_not_a_byte_more(void **state)
{
    struct test_mem m;
    void *a, *b;

    test_mem_init(&m, 100);
    assert_non_null(a = yr_alloc(&m.mem, YR_MEM_LINK, 60));
    assert_null(yr_alloc(&m.mem, YR_MEM_LINK, 41));
    assert_non_null(b = yr_alloc(&m.mem, YR_MEM_LINK, 40));
    assert_int_equal(m.mem.used[YR_MEM_LINK], 100);
    yr_free(&m.mem, a);
    yr_free_secret(&m.mem, b);
    assert_int_equal(m.mem.used[YR_MEM_LINK], 0);
    assert_int_equal(m.live, 0);
}

static void one_purpose_cannot_starve_another(void **state)
{
    struct test_mem m;
    void *a, *b;

    test_mem_init(&m, 100);
    assert_non_null(a = yr_alloc(&m.mem, YR_MEM_LINK, 100));
    assert_null(yr_alloc(&m.mem, YR_MEM_LINK, 1));
    assert_non_null(b = yr_alloc(&m.mem, YR_MEM_CHAT, 100));
    yr_free(&m.mem, a);
    yr_free(&m.mem, b);
}

static void *locked_ptr;
static size_t locked_size;
static bool can_lock;

static bool lock(void *ctx, void *ptr, size_t size)
{
    locked_ptr = ptr;
    locked_size = size;
    return can_lock;
}

static void a_secret_is_locked_or_counted_as_what_may_be_swapped_out(void **state)
{
    struct test_mem m;
    void *a, *b;

    test_mem_init(&m, 100);
    assert_non_null(a = yr_alloc_secret(&m.mem, YR_MEM_NODE, 10)); // with nobody to ask
    yr_free_secret(&m.mem, a);
    m.mem.lock = lock;
    can_lock = true;
    assert_non_null(a = yr_alloc_secret(&m.mem, YR_MEM_NODE, 20));
    assert_ptr_equal(locked_ptr, a);
    assert_int_equal(locked_size, 20);
    assert_int_equal(m.mem.unlocked, 0);
    can_lock = false;
    assert_non_null(b = yr_alloc_secret(&m.mem, YR_MEM_NODE, 30)); // it is needed all the same
    assert_int_equal(m.mem.unlocked, 30);
    locked_ptr = NULL;
    assert_null(yr_alloc_secret(&m.mem, YR_MEM_NODE, 51));
    assert_null(locked_ptr);
    yr_free_secret(&m.mem, a);
    yr_free_secret(&m.mem, b);
    assert_int_equal(m.live, 0);
}

static void growing_counts_the_difference_and_a_refusal_keeps_the_block(void **state)
{
    struct test_mem m;
    uint8_t *a, *b;

    test_mem_init(&m, 100);
    assert_non_null(a = yr_alloc(&m.mem, YR_MEM_NODE, 10));
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(a[i], 0);
    memset(a, 7, 10);
    assert_non_null(b = yr_realloc(&m.mem, YR_MEM_NODE, a, 100));
    assert_int_equal(b[9], 7);
    assert_null(yr_realloc(&m.mem, YR_MEM_NODE, b, 101));
    assert_null(yr_realloc(&m.mem, YR_MEM_NODE, b, SIZE_MAX));
    assert_int_equal(m.mem.used[YR_MEM_NODE], 100);
    assert_non_null(b = yr_realloc(&m.mem, YR_MEM_NODE, b, 20));
    assert_int_equal(m.mem.used[YR_MEM_NODE], 20);
    assert_int_equal(b[9], 7);
    yr_free(&m.mem, b);
    assert_int_equal(m.live, 0);
}

static void the_allocators_refusal_is_not_counted(void **state)
{
    struct test_mem m;

    test_mem_init(&m, 100);
    m.left = 0;
    assert_null(yr_alloc(&m.mem, YR_MEM_NODE, 10));
    assert_int_equal(m.mem.used[YR_MEM_NODE], 0);
    yr_free(&m.mem, NULL);
    yr_free_secret(&m.mem, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_purpose_gets_its_cap_and_not_a_byte_more),
        cmocka_unit_test(one_purpose_cannot_starve_another),
        cmocka_unit_test(a_secret_is_locked_or_counted_as_what_may_be_swapped_out),
        cmocka_unit_test(growing_counts_the_difference_and_a_refusal_keeps_the_block),
        cmocka_unit_test(the_allocators_refusal_is_not_counted),
    };

    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
