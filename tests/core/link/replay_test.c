/* Every packet that ever passed, once more. */
#include "tests/core/link/world.h"

// A conversation with two connections, all of it recorded.
static void record_a_life(struct world *w, uint64_t seed)
{
    world_init(w, seed, 2);
    w->recording = true;
    assert_int_equal(world_dial(w, 0, 1, false), YR_OK);
    assert_true(world_run(w, both_up, 5 * YR_S));
    for (unsigned c = 0; c < YR_CHANNEL_COUNT; c++) {
        talk_say(&w->ends[0], 1, c, 5);
        talk_say(&w->ends[1], 0, c, 5);
    }
    assert_true(world_run(w, talk_done, 10 * YR_S));
    assert_int_equal(world_dial(w, 1, 0, true), YR_OK);
    world_run(w, NULL, 30 * YR_S);
    w->recording = false;
    assert_true(w->record_len > 100);
}

// All of it to whom it was meant for, from another address.  The number that were taken.
static unsigned replay(struct world *w)
{
    const struct yr_addr thief = world_addr(66, 6666);
    unsigned taken = 0;

    for (size_t i = 0; i < w->record_len; i++) {
        struct world_end *end = end_at(w, &w->record[i]->to);

        taken += yr_links_recv(end->links, &thief, w->record[i]->bytes, w->record[i]->len, w->now);
        end_poll(end);
    }
    return taken;
}

static void every_packet_replayed_at_once_changes_nothing(void **state)
{
    struct world w;
    struct yr_conn *conns[2];
    uint64_t packets, frames[2];

    record_a_life(&w, 1);
    for (unsigned e = 0; e < 2; e++) {
        conns[e] = active_conn(&w.ends[e], 1 - e);
        frames[e] = w.ends[e].talk[1].got_count;
    }
    packets = w.ends[0].sent_packets + w.ends[1].sent_packets;
    (void)replay(&w); // those of the present connection find it, and are duplicates there
    world_run(&w, NULL, 100 * YR_MS);
    // Nobody hears of a duplicate: ngtcp2 has acknowledged them all before.
    assert_int_equal(w.ends[0].sent_packets + w.ends[1].sent_packets, packets);
    for (unsigned e = 0; e < 2; e++) {
        assert_ptr_equal(active_conn(&w.ends[e], 1 - e), conns[e]);
        assert_true(yr_addr_eq(&conns[e]->addr, &w.ends[1 - e].addr));
        assert_int_equal(w.ends[e].talk[1].got_count, frames[e]);
        assert_int_equal(counter(&w.ends[e], "link.answers"), 1);
        for (unsigned c = 0; c < YR_CHANNEL_COUNT; c++)
            for (unsigned id = 0; id < w.ends[1 - e].talk[c].queued; id++)
                assert_int_equal(w.ends[e].talk[c].got[id], 1);
    }
    assert_true(one_link(&w));
    world_run(&w, NULL, 100 * YR_S);
    assert_true(one_link(&w));
    assert_int_equal(w.ends[0].downs + w.ends[1].downs, 0);
    world_free(&w);
}

static void no_packet_with_a_flipped_bit_is_heard(void **state)
{
    struct world w;
    uint64_t packets;
    yr_us heard[2];

    record_a_life(&w, 4);
    for (unsigned e = 0; e < 2; e++)
        heard[e] = active_conn(&w.ends[e], 1 - e)->heard_us;
    packets = w.ends[0].sent_packets + w.ends[1].sent_packets;
    w.now.mono_us += YR_S;
    for (size_t i = 0; i < w.record_len; i++) {
        struct packet *packet = w.record[i];
        struct world_end *end = end_at(&w, &packet->to);

        for (size_t at = i % 11; at < packet->len; at += 11) {
            packet->bytes[at] ^= (uint8_t)(1U << (at + i) % 8);
            (void)yr_links_recv(end->links, &packet->from, packet->bytes, packet->len, w.now);
            packet->bytes[at] ^= (uint8_t)(1U << (at + i) % 8);
        }
        end_poll(end);
    }
    assert_int_equal(w.ends[0].sent_packets + w.ends[1].sent_packets, packets);
    for (unsigned e = 0; e < 2; e++)
        assert_int_equal(active_conn(&w.ends[e], 1 - e)->heard_us, heard[e]);
    assert_true(one_link(&w));
    world_free(&w);
}

static void every_packet_replayed_after_a_restart_gets_no_byte(void **state)
{
    struct world w;
    uint64_t packets;

    record_a_life(&w, 2);
    for (unsigned e = 0; e < 2; e++)
        end_crash(&w.ends[e]);
    w.now.mono_us += 24 * 3600 * YR_S;
    w.now.wall_ms += 24 * 3600 * 1000;
    for (unsigned e = 0; e < 2; e++)
        end_start(&w.ends[e]);
    packets = w.ends[0].sent_packets + w.ends[1].sent_packets;
    assert_int_equal(replay(&w), 0);
    world_run(&w, NULL, 20 * YR_S);
    assert_int_equal(w.ends[0].sent_packets + w.ends[1].sent_packets, packets);
    for (unsigned e = 0; e < 2; e++) {
        assert_int_equal(w.ends[e].links->conn_count, 0);
        assert_true(counter(&w.ends[e], "link.drop.clock") > 0);
        assert_int_equal(counter(&w.ends[e], "link.drop.noise"), 0);
        assert_int_equal(counter(&w.ends[e], "link.drop.bucket"), 0);
    }
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, both_up, 5 * YR_S));
    world_free(&w);
}

static void a_first_packet_replayed_while_it_is_answered_gets_no_second_answer(void **state)
{
    const struct yr_addr thief = world_addr(66, 6666);
    struct world w;
    uint64_t packets;

    world_init(&w, 3, 2);
    w.recording = true;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    world_run(&w, NULL, 26 * YR_MS); // answered, not confirmed
    assert_int_equal(counter(&w.ends[1], "link.answers"), 1);
    packets = w.ends[1].sent_packets;
    for (int i = 0; i < 100; i++) {
        (void)yr_links_recv(w.ends[1].links, &thief, w.record[0]->bytes, w.record[0]->len, w.now);
        end_poll(&w.ends[1]);
    }
    assert_int_equal(w.ends[1].sent_packets, packets);
    assert_true(yr_addr_eq(&w.ends[1].links->slots[0]->conns->addr, &w.ends[0].addr));
    assert_true(world_run(&w, both_up, YR_S));
    assert_true(yr_addr_eq(&w.ends[1].path, &w.ends[0].addr));
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_replayed_at_once_changes_nothing),
        cmocka_unit_test(no_packet_with_a_flipped_bit_is_heard),
        cmocka_unit_test(every_packet_replayed_after_a_restart_gets_no_byte),
        cmocka_unit_test(a_first_packet_replayed_while_it_is_answered_gets_no_second_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
