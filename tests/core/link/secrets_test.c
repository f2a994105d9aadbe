// What a connection that is over leaves in the memory it gives back: none of its keys.
#include <malloc.h>

#include "tests/core/link/world.h"

static uint8_t spied[16]
                    [12]; // the ivs of a connection's keys: ngtcp2 keeps them beside the secrets
static size_t spied_count, found, freed;

static void *spying_realloc(void *ctx, void *ptr, size_t size)
{
    if (size == 0 && ptr != NULL) {
        freed++;
        for (size_t i = 0; i < spied_count; i++)
            found += memmem(ptr, malloc_usable_size(ptr), spied[i], sizeof spied[i]) != NULL;
    }
    return world_realloc(ctx, ptr, size);
}

static void spy(const struct yr_conn *conn)
{
    static const uint8_t none[12];

    for (size_t i = 0; i < YR_COUNT(conn->ring.keys); i++) {
        const struct yr_packet_key *key = &conn->ring.keys[i];

        if (key->ring == NULL || memcmp(key->iv, none, sizeof none) == 0) // header keys have none
            continue;
        assert_true(spied_count < YR_COUNT(spied));
        memcpy(spied[spied_count++], key->iv, sizeof key->iv);
    }
}

static void no_key_of_a_connection_is_left_in_memory_it_gave_back(void **state)
{
    struct world w;

    spied_count = found = freed = 0;
    connect_ends(&w, 1);
    spy(active_conn(&w.ends[0], 1));
    assert_true(spied_count >= 2);
    w.ends[0].mem.realloc = spying_realloc;
    yr_links_close(w.ends[0].links, 1, w.now);
    world_run(&w, NULL, YR_S);
    world_free(&w);
    assert_true(freed > 10);
    assert_int_equal(found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_key_of_a_connection_is_left_in_memory_it_gave_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
