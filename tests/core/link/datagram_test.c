/* Datagrams beside the channels: once or never, bounded, before talk. */
#include "tests/core/link/world.h"

static void a_datagram_arrives_whole(void **state)
{
    uint8_t bytes[YR_DATAGRAM_LEN_MAX];
    struct yr_link_info info;
    struct world w;

    connect_ends(&w, 80);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < 2; i++) {
        const size_t len = i == 0 ? sizeof bytes : 1;

        assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, len), YR_OK);
        world_run(&w, NULL, YR_S);
        assert_int_equal(w.ends[1].datagrams, i + 1);
        assert_int_equal(w.ends[1].datagram_len, len);
        assert_memory_equal(w.ends[1].datagram, bytes, len);
    }
    yr_links_info(w.ends[0].links, 1, &info);
    assert_int_equal(info.datagrams_out, sizeof bytes + 1);
    yr_links_info(w.ends[1].links, 0, &info);
    assert_int_equal(info.datagrams_in, sizeof bytes + 1);
    world_free(&w);
}

static void what_is_empty_too_long_or_for_nobody_is_refused(void **state)
{
    const uint8_t bytes[YR_DATAGRAM_LEN_MAX + 1] = {0};
    struct world w;

    world_init(&w, 81, 2);
    assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, 10), YR_EAGAIN);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, 0), YR_ESIZE);
    assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, sizeof bytes), YR_ESIZE);
    world_run(&w, NULL, YR_S);
    assert_int_equal(w.ends[1].datagrams, 0);
    world_free(&w);
}

static void a_full_queue_refuses_the_newest_and_counts_it(void **state)
{
    const uint8_t bytes[1000] = {1};
    unsigned queued = 0;
    struct world w;

    connect_ends(&w, 82);
    while (yr_links_datagram(w.ends[0].links, 1, bytes, sizeof bytes) == YR_OK)
        queued++;
    assert_int_equal(queued, YR_QUEUE_DATAGRAM / sizeof bytes);
    assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, sizeof bytes), YR_EFULL);
    assert_int_equal(counter(&w.ends[0], "link.datagrams_full"), 2);
    world_run(&w, NULL, 5 * YR_S);
    assert_int_equal(w.ends[1].datagrams + counter(&w.ends[0], "link.datagrams_late"), queued);
    assert_true(w.ends[1].datagrams > 20);
    assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, sizeof bytes), YR_OK);
    world_free(&w);
}

static void a_lost_datagram_is_not_sent_again(void **state)
{
    const uint8_t bytes[100] = {1};
    struct world w;

    connect_ends(&w, 83);
    w.cut = true;
    assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, sizeof bytes), YR_OK);
    world_run(&w, NULL, 500 * YR_MS);
    w.cut = false;
    assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, 50), YR_OK);
    world_run(&w, NULL, 20 * YR_S);
    assert_int_equal(w.ends[1].datagrams, 1);
    assert_int_equal(w.ends[1].datagram_len, 50);
    world_free(&w);
}

static void what_has_waited_too_long_is_dropped_and_counted(void **state)
{
    const uint8_t bytes[1000] = {1};
    struct world w;

    connect_ends(&w, 84);
    w.cut = true; // the window fills, and what waits behind it gets old
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, sizeof bytes), YR_OK);
    world_run(&w, NULL, 5 * YR_S);
    w.cut = false;
    world_run(&w, NULL, 20 * YR_S);
    assert_true(counter(&w.ends[0], "link.datagrams_late") > 20);
    assert_true(w.ends[1].datagrams < 10);
    assert_true(one_link(&w));
    world_free(&w);
}

static unsigned texts_before;

static void count_texts(struct world_end *end, unsigned slot, enum yr_channel channel, uint8_t type,
                        const uint8_t *body, size_t len)
{
    (void)slot;
    (void)type;
    (void)body;
    (void)len;
    if (channel == YR_CHANNEL_BULK && end->datagrams == 0)
        texts_before++;
}

static void a_datagram_overtakes_what_waits_in_the_channels(void **state)
{
    static uint8_t frame[30000];
    const uint8_t bytes[100] = {1};
    struct world w;

    connect_ends(&w, 85);
    texts_before = 0;
    w.ends[1].on_frame = count_texts;
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(yr_links_send(w.ends[0].links, 1, YR_CHANNEL_BULK, 9, frame, sizeof frame),
                         YR_OK);
    assert_int_equal(yr_links_datagram(w.ends[0].links, 1, bytes, sizeof bytes), YR_OK);
    world_run(&w, NULL, 10 * YR_S);
    assert_int_equal(w.ends[1].datagrams, 1);
    assert_int_equal(texts_before, 0);
    world_free(&w);
}

static void datagrams_and_channels_share_a_lossy_link(void **state)
{
    const uint8_t bytes[YR_DATAGRAM_LEN_MAX] = {1};
    struct world w;

    connect_ends(&w, 86);
    w.loss = 10;
    say_everywhere(&w, 40);
    for (unsigned i = 0; i < 400; i++) {
        (void)!yr_links_datagram(w.ends[i % 2].links, 1 - i % 2, bytes,
                                 1 + i * 37 % YR_DATAGRAM_LEN_MAX);
        world_run(&w, NULL, 20 * YR_MS);
    }
    assert_true(world_run(&w, talk_done, 120 * YR_S));
    assert_true(w.ends[0].datagrams > 100 && w.ends[1].datagrams > 100);
    assert_int_equal(w.ends[0].ups + w.ends[1].ups, 2);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_arrives_whole),
        cmocka_unit_test(what_is_empty_too_long_or_for_nobody_is_refused),
        cmocka_unit_test(a_full_queue_refuses_the_newest_and_counts_it),
        cmocka_unit_test(a_lost_datagram_is_not_sent_again),
        cmocka_unit_test(what_has_waited_too_long_is_dropped_and_counted),
        cmocka_unit_test(a_datagram_overtakes_what_waits_in_the_channels),
        cmocka_unit_test(datagrams_and_channels_share_a_lossy_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
