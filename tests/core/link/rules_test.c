/* Friends that break the rules. */
#include "tests/core/link/world.h"

static void end0_breaks_the_rules(struct world *w, uint64_t seed,
                                  void (*deed)(struct world *, struct yr_conn *))
{
    connect_ends(w, seed);
    talk_say(&w->ends[0], 1, YR_CHANNEL_CONTROL, 1);
    world_run(w, NULL, YR_S);
    deed(w, active_conn(&w->ends[0], 1));
    yr_conn_wake(active_conn(&w->ends[0], 1));
    assert_true(world_run(w, both_down, 2 * YR_S));
    assert_int_equal(w->ends[1].why, YR_LINK_PROTOCOL);
    assert_int_equal(w->ends[0].why, YR_LINK_CLOSED);
    assert_int_equal(counter(&w->ends[1], "link.protocol_errors"), 1);
    world_run(w, NULL, 4 * YR_S);
    assert_int_equal(w->ends[1].links->conn_count, 0);
    world_free(w);
}

static void open_unknown_channel(struct world *w, struct yr_conn *conn)
{
    assert_int_equal(yr_sendq_push(&conn->channels[YR_CHANNEL_ROOMS].out, conn->links->mem,
                                   YR_CHANNEL_COUNT, 1, NULL, 0),
                     YR_OK);
}

static void open_channel_twice(struct world *w, struct yr_conn *conn)
{
    assert_int_equal(yr_sendq_push(&conn->channels[YR_CHANNEL_ROOMS].out, conn->links->mem,
                                   YR_CHANNEL_CONTROL, 1, NULL, 0),
                     YR_OK);
}

static void send_frame_too_long(struct world *w, struct yr_conn *conn)
{
    struct yr_piece piece[2];

    assert_int_equal(yr_sendq_push(&conn->channels[YR_CHANNEL_ROOMS].out, conn->links->mem,
                                   YR_CHANNEL_ROOMS, 1, (const uint8_t *)"x", 1),
                     YR_OK);
    yr_sendq_next(&conn->channels[YR_CHANNEL_ROOMS].out, piece);
    memset((uint8_t *)(uintptr_t)piece[0].at + 2, 0xff, 2); // its length
}

static void write_stream(struct world *w, int64_t stream, uint32_t flags)
{
    struct yr_conn *conn = active_conn(&w->ends[0], 1);
    uint8_t buf[1400], bytes[4] = {YR_CHANNEL_ROOMS, 1, 0, 0};
    ngtcp2_vec vec = {bytes, sizeof bytes};
    ngtcp2_path_storage path;
    ngtcp2_pkt_info info;
    ngtcp2_ssize taken, n;

    ngtcp2_path_storage_zero(&path);
    n = ngtcp2_conn_writev_stream(conn->quic, &path.path, &info, buf, sizeof buf, &taken, flags,
                                  stream, &vec, 1, w->now.mono_us * 1000);
    assert_true(n > 0);
    world_transmit(w, &w->ends[0].addr, &w->ends[1].addr, buf, (size_t)n);
}

static void finish_a_stream(struct world *w, struct yr_conn *conn)
{
    int64_t stream;

    assert_int_equal(ngtcp2_conn_open_bidi_stream(conn->quic, &stream, NULL), 0);
    write_stream(w, stream, NGTCP2_WRITE_STREAM_FLAG_FIN);
}

static void finish_a_channel_without_a_word(struct world *w, struct yr_conn *conn)
{
    int64_t stream;
    uint8_t buf[1400];
    ngtcp2_path_storage path;
    ngtcp2_pkt_info info;
    ngtcp2_ssize taken, n;

    assert_int_equal(ngtcp2_conn_open_bidi_stream(conn->quic, &stream, NULL), 0);
    ngtcp2_path_storage_zero(&path);
    n = ngtcp2_conn_writev_stream(conn->quic, &path.path, &info, buf, sizeof buf, &taken,
                                  NGTCP2_WRITE_STREAM_FLAG_FIN, stream, NULL, 0,
                                  w->now.mono_us * 1000);
    assert_true(n > 0);
    world_transmit(w, &w->ends[0].addr, &w->ends[1].addr, buf, (size_t)n);
}

static void a_peer_that_breaks_the_rules_loses_the_connection(void **state)
{
    struct world w;

    end0_breaks_the_rules(&w, 40, open_unknown_channel);
    end0_breaks_the_rules(&w, 41, open_channel_twice);
    end0_breaks_the_rules(&w, 42, send_frame_too_long);
    end0_breaks_the_rules(&w, 43, finish_a_stream);
    end0_breaks_the_rules(&w, 44, finish_a_channel_without_a_word);
}

static void streams_full_of_holes_cost_their_sender_the_connection_and_nobody_memory(void **state)
{
    struct world w;
    uint32_t number = 1000;
    size_t most = 0;

    connect_ends(&w, 48);
    for (uint32_t offset = 2; offset < YR_LINK_WINDOW / 2 && !end1_down(&w);) {
        uint8_t plain[1300], packet[YR_PACKET_MAX];
        size_t len = 0;

        // every other byte of two streams of his
        for (; len + 10 <= sizeof plain; offset += 2) {
            const uint32_t at = offset % (YR_LINK_STREAM_WINDOW - 2);

            plain[len++] = 0x0e; // STREAM with offset and length
            plain[len++] = offset < YR_LINK_STREAM_WINDOW - 2 ? 0 : 4;
            plain[len++] = (uint8_t)(0x80 | at >> 24);
            plain[len++] = (uint8_t)(at >> 16);
            plain[len++] = (uint8_t)(at >> 8);
            plain[len++] = (uint8_t)at;
            plain[len++] = 1;
            plain[len++] = 0xaa;
        }
        len = forge(&w.ends[0], &w.ends[1], number++, plain, len, packet);
        (void)yr_links_recv(w.ends[1].links, &w.ends[0].addr, packet, len, w.now);
        end_poll(&w.ends[1]);
        most = YR_MAX(most, w.ends[1].mem.used[YR_MEM_LINK]);
    }
    assert_true(end1_down(&w));
    assert_true(most < YR_LINK_MEM_MAX + (1U << 20));
    world_free(&w);
}

static void a_friend_whose_frame_we_have_no_memory_for_is_told_goodbye(void **state)
{
    struct world w;

    connect_ends(&w, 49);
    talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 4);
    assert_true(world_run(&w, talk_done, YR_S)); // streams are open
    world_run(&w, NULL, YR_S);
    w.ends[1].mem.cap[YR_MEM_LINK] = w.ends[1].mem.used[YR_MEM_LINK] + 8000;
    talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1); // of 9,000 bytes
    assert_true(world_run(&w, both_down, YR_S));
    assert_int_equal(w.ends[1].why, YR_LINK_DROPPED);
    assert_int_equal(w.ends[0].why, YR_LINK_CLOSED);
    assert_int_equal(counter(&w.ends[1], "link.out_of_memory"), 1);
    w.ends[1].mem.cap[YR_MEM_LINK] = 64U << 20;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, talk_done, 10 * YR_S));
    world_free(&w);
}

// An owner that acts from inside the functions the links call.
static void close_on_frame(struct world_end *end, unsigned slot, enum yr_channel channel,
                           uint8_t type, const uint8_t *body, size_t len)
{
    (*(unsigned *)end->on_frame_ctx)++;
    yr_links_close(end->links, slot, end->world->now);
}

static void an_owner_may_close_from_inside_a_frame_and_gets_no_more(void **state)
{
    struct world w;
    unsigned frames = 0;

    connect_ends(&w, 47);
    w.ends[1].on_frame = close_on_frame;
    w.ends[1].on_frame_ctx = &frames;
    say_everywhere(&w, 5);
    assert_true(world_run(&w, both_down, YR_S));
    assert_int_equal(frames, 1);
    assert_int_equal(w.ends[1].why, YR_LINK_DROPPED);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_breaks_the_rules_loses_the_connection),
        cmocka_unit_test(a_friend_whose_frame_we_have_no_memory_for_is_told_goodbye),
        cmocka_unit_test(streams_full_of_holes_cost_their_sender_the_connection_and_nobody_memory),
        cmocka_unit_test(an_owner_may_close_from_inside_a_frame_and_gets_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
