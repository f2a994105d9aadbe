#include "tests/core/link/world.h"

#include "core/link/channel.h"

struct sink {
    unsigned count, stop_after;
    uint8_t channel, type;
    size_t len;
    uint64_t hash;
};

static uint64_t mix(uint64_t hash, const void *src, size_t len)
{
    const uint8_t *at = src;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 0x100000001b3ULL;
    return hash;
}

static bool take(void *ctx, uint8_t channel, uint8_t type, const uint8_t *body, size_t len)
{
    struct sink *sink = ctx;

    sink->channel = channel;
    sink->type = type;
    sink->len = len;
    sink->hash = mix(mix(sink->hash, &type, 1), body, len);
    sink->hash = mix(sink->hash, &len, sizeof len);
    sink->count++;
    return sink->count != sink->stop_after;
}

static struct yr_mem test_mem(void)
{
    struct yr_mem mem = {.realloc = world_realloc};

    mem.cap[YR_MEM_LINK] = 4U << 20;
    return mem;
}

static void whatever_goes_in_comes_out_however_the_stream_is_cut(void **state)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct yr_mem mem = test_mem();
        struct yr_sendq q;
        struct yr_assembler in = {0};
        struct sink got = {0};
        uint8_t body[YR_FRAME_MAX];
        uint64_t rng = seed, want = 0;
        unsigned queued = 0;

        yr_sendq_init(&q, 200000);
        while (queued < 100 || q.acked < q.end) {
            struct yr_piece piece[2];
            size_t n;

            if (queued < 100 && splitmix(&rng) % 2 == 0) {
                const uint64_t kind = splitmix(&rng) % 4;
                const size_t len = kind == 0   ? splitmix(&rng) % 4
                                   : kind == 1 ? 3990 + splitmix(&rng) % 20
                                   : kind == 2 ? splitmix(&rng) % (YR_FRAME_MAX + 1)
                                               : splitmix(&rng) % 300;
                const uint8_t type = (uint8_t)splitmix(&rng);

                world_rng_fill(&rng, body, len);
                if (yr_sendq_push(&q, &mem, 2, type, body, len) == YR_OK) {
                    want = mix(mix(want, &type, 1), body, len);
                    want = mix(want, &len, sizeof len);
                    queued++;
                }
            }
            // send something, lose nothing, acknowledge some
            yr_sendq_next(&q, piece);
            n = (size_t)(splitmix(&rng) % 2000);
            n = YR_MIN(n, piece[0].len + piece[1].len);
            for (size_t i = 0; i < 2 && n > 0; i++) {
                const size_t part = YR_MIN(n, piece[i].len);

                assert_int_equal(
                    yr_assembler_feed(&in, &mem, YR_CHANNEL_COUNT, piece[i].at, part, take, &got),
                    YR_OK);
                yr_sendq_sent(&q, part);
                n -= part;
            }
            if (q.acked < q.sent)
                yr_sendq_acked(&q, &mem, q.acked + 1 + splitmix(&rng) % (q.sent - q.acked));
        }
        assert_int_equal(got.count, 100);
        assert_int_equal(got.channel, 2);
        assert_true(got.hash == want);
        assert_null(q.head); // nothing waits: nothing is kept
        yr_sendq_clear(&q, &mem);
        yr_assembler_clear(&in, &mem);
        assert_int_equal(mem.used[YR_MEM_LINK], 0);
    }
}

static void a_queue_refuses_what_does_not_fit_and_keeps_none_of_it(void **state)
{
    static const uint8_t body[YR_FRAME_MAX + 1];
    struct yr_mem mem = test_mem();
    struct yr_sendq q;
    uint64_t end;

    yr_sendq_init(&q, 64 << 10);
    assert_int_equal(yr_sendq_push(&q, &mem, 0, 1, body, YR_FRAME_MAX + 1), YR_ESIZE);
    assert_int_equal(yr_sendq_push(&q, &mem, 0, 1, body, YR_FRAME_MAX), YR_OK);
    end = q.end;
    assert_int_equal(yr_sendq_push(&q, &mem, 0, 1, body, YR_FRAME_MAX), YR_EFULL);
    mem.cap[YR_MEM_LINK] = mem.used[YR_MEM_LINK] + 8100; // one chunk, not three
    assert_int_equal(yr_sendq_push(&q, &mem, 0, 1, body, 12000), YR_ENOMEM);
    assert_int_equal(q.end, end);
    assert_int_equal(yr_sendq_push(&q, &mem, 0, 1, body, 100), YR_OK);
    yr_sendq_clear(&q, &mem);
    assert_int_equal(mem.used[YR_MEM_LINK], 0);
}

static void an_assembler_refuses_unknown_channels_and_frames_too_long(void **state)
{
    struct yr_mem mem = test_mem();
    struct yr_assembler in = {0};
    struct sink got = {0};
    const uint8_t channel[] = {YR_CHANNEL_COUNT};
    const uint8_t longest[] = {1, 7, (uint8_t)YR_FRAME_MAX, (uint8_t)(YR_FRAME_MAX >> 8)};
    const uint8_t too_long[] = {1, 7, (uint8_t)(YR_FRAME_MAX + 1),
                                (uint8_t)((YR_FRAME_MAX + 1) >> 8)};

    assert_int_equal(yr_assembler_feed(&in, &mem, YR_CHANNEL_COUNT, channel, 1, take, &got),
                     YR_EPROTO);
    in = (struct yr_assembler){0};
    assert_int_equal(yr_assembler_feed(&in, &mem, YR_CHANNEL_COUNT, longest, 4, take, &got), YR_OK);
    assert_int_equal(mem.used[YR_MEM_LINK], 0); // a promise alone costs nothing
    in = (struct yr_assembler){0};
    assert_int_equal(yr_assembler_feed(&in, &mem, YR_CHANNEL_COUNT, too_long, 4, take, &got),
                     YR_EPROTO);
    assert_int_equal(got.count, 0);
}

static void an_assembler_stops_when_nobody_wants_more(void **state)
{
    struct yr_mem mem = test_mem();
    struct yr_assembler in = {0};
    struct sink got = {.stop_after = 2};
    const uint8_t frames[] = {1, 5, 0, 0, 6, 1, 0, 0xaa, 7, 0, 0};

    assert_int_equal(
        yr_assembler_feed(&in, &mem, YR_CHANNEL_COUNT, frames, sizeof frames, take, &got), YR_OK);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.type, 6);
    assert_int_equal(got.len, 1);
}

static void an_assembler_without_memory_says_so(void **state)
{
    struct yr_mem mem = {.realloc = world_realloc}; // cap 0
    struct yr_assembler in = {0};
    struct sink got = {0};
    const uint8_t part[] = {1, 5, 2, 0, 0xaa};

    assert_int_equal(yr_assembler_feed(&in, &mem, YR_CHANNEL_COUNT, part, sizeof part, take, &got),
                     YR_ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_goes_in_comes_out_however_the_stream_is_cut),
        cmocka_unit_test(a_queue_refuses_what_does_not_fit_and_keeps_none_of_it),
        cmocka_unit_test(an_assembler_refuses_unknown_channels_and_frames_too_long),
        cmocka_unit_test(an_assembler_stops_when_nobody_wants_more),
        cmocka_unit_test(an_assembler_without_memory_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
