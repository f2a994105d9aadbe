#include "tests/core/link/world.h"

static bool dial_failed(const struct world *w)
{
    return w->ends[0].failures > 0;
}

/* ---- the handshake, and frames ---- */

static void a_dial_brings_both_ends_up_and_carries_frames_both_ways(void **state)
{
    struct world w;
    struct yr_link_info info;

    connect_ends(&w, 1);
    say_everywhere(&w, 50);
    assert_true(world_run(&w, talk_done, 10 * YR_S));
    assert_true(one_link(&w));
    yr_links_info(w.ends[0].links, 1, &info);
    assert_true(info.up && info.dialled_by_us && !info.dialling);
    assert_true(yr_addr_eq(&info.addr, &w.ends[1].addr));
    assert_true(info.rtt_us >= 49 * YR_MS && info.rtt_us < 100 * YR_MS);
    yr_links_info(w.ends[1].links, 0, &info);
    assert_true(info.up && !info.dialled_by_us);
    assert_true(info.in_bytes > 100000 && info.out_bytes > 100000);
    world_free(&w);
}

static void a_link_is_up_after_one_round_trip(void **state)
{
    struct world w;

    world_init(&w, 2, 2);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    world_run(&w, NULL, 51 * YR_MS);
    assert_true(w.ends[0].is_up[1]);
    world_run(&w, NULL, 25 * YR_MS);
    assert_true(w.ends[1].is_up[0]);
    world_free(&w);
}

static void links_come_up_and_carry_all_over_a_network_that_loses_reorders_and_spoils(void **state)
{
    for (uint64_t seed = 100; seed < 120; seed++) {
        struct world w;

        world_init(&w, seed, 2);
        w.loss = 30;
        w.duplicate = 10;
        w.corrupt = 20;
        w.jitter_us = 40 * YR_MS;
        say_everywhere(&w, 6);
        for (int dials = 0; !both_up(&w) && dials < 5; dials++) {
            const enum yr_err err = world_dial(&w, 0, 1, false);

            assert_true(err == YR_OK || err == YR_EAGAIN);
            world_run(&w, both_up, 11 * YR_S);
        }
        assert_true(both_up(&w));
        if (!world_run(&w, talk_done, 200 * YR_S)) {
            end_print(&w.ends[0]);
            end_print(&w.ends[1]);
            fail_msg("seed %llu", (unsigned long long)seed);
        }
        world_free(&w);
    }
}

static uint64_t trace_of(uint64_t seed)
{
    struct world w;
    uint64_t trace;

    world_init(&w, seed, 2);
    w.loss = 5;
    w.jitter_us = 10 * YR_MS;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    say_everywhere(&w, 20);
    world_run(&w, NULL, 20 * YR_S);
    trace = w.trace;
    world_free(&w);
    return trace;
}

static void the_same_seed_gives_the_same_packets_at_the_same_time(void **state)
{
    assert_true(trace_of(7) == trace_of(7));
    assert_true(trace_of(7) != trace_of(8));
}

// Lengths of the frames that have come, as one hash.
struct lens {
    uint64_t count, sum;
    size_t last;
};

static void count_frame(struct world_end *end, unsigned slot, enum yr_channel channel, uint8_t type,
                        const uint8_t *body, size_t len)
{
    struct lens *lens = end->on_frame_ctx;

    for (size_t i = 0; i < len; i++)
        assert_int_equal(body[i], (uint8_t)(len + i));
    assert_int_equal(type, (uint8_t)len);
    lens->count++;
    lens->sum += len;
    lens->last = len;
}

static void frames_of_every_length_arrive_whole_and_in_order(void **state)
{
    static uint8_t body[YR_FRAME_MAX + 1];
    struct lens lens = {0};
    struct world w;
    uint64_t sum = 0, count = 0;

    connect_ends(&w, 3);
    w.ends[1].on_frame = count_frame;
    w.ends[1].on_frame_ctx = &lens;
    assert_int_equal(yr_links_send(w.ends[0].links, 1, YR_CHANNEL_CHAT, 0, body, YR_FRAME_MAX + 1),
                     YR_ESIZE);
    for (size_t len = 0; len <= YR_FRAME_MAX; len += len < 1500 || len > 39000 ? 1 : 97) {
        enum yr_err err;

        for (size_t i = 0; i < len; i++)
            body[i] = (uint8_t)(len + i);
        while ((err = yr_links_send(w.ends[0].links, 1, YR_CHANNEL_CHAT, (uint8_t)len, body,
                                    len)) == YR_EFULL)
            assert_true(world_step(&w, w.now.mono_us + YR_S));
        assert_int_equal(err, YR_OK);
        sum += len;
        count++;
    }
    world_run(&w, NULL, 10 * YR_S);
    assert_true(lens.count == count && lens.sum == sum);
    assert_int_equal(lens.last, YR_FRAME_MAX);
    assert_true(w.ends[0].rooms > 0);
    world_free(&w);
}

static void a_packet_now_and_then_is_acknowledged_with_the_next_or_after_20_ms(void **state)
{
    const uint8_t body[4] = {4, 5, 6, 7};
    struct lens lens = {0};
    struct world w;
    uint64_t before;

    connect_ends(&w, 5);
    w.ends[1].on_frame = count_frame;
    w.ends[1].on_frame_ctx = &lens;
    w.delay_us = 500;
    w.jitter_us = 0;
    world_run(&w, NULL, 5 * YR_S); // nothing is on its way any more
    before = w.ends[1].sent_packets;
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(yr_links_send(w.ends[0].links, 1, YR_CHANNEL_CHAT, 4, body, 4), YR_OK);
        world_run(&w, NULL, 8 * YR_MS);
    }
    assert_int_equal(lens.count, 40);
    assert_in_range(w.ends[1].sent_packets - before, 19, 21);
    world_run(&w, NULL, YR_S);
    before = w.ends[1].sent_packets;
    assert_int_equal(yr_links_send(w.ends[0].links, 1, YR_CHANNEL_CHAT, 4, body, 4), YR_OK);
    world_run(&w, NULL, 19 * YR_MS);
    assert_int_equal(w.ends[1].sent_packets, before);
    world_run(&w, NULL, 3 * YR_MS);
    assert_int_equal(w.ends[1].sent_packets, before + 1);
    world_free(&w);
}

static void fifty_megabytes_pass_with_bounded_memory(void **state)
{
    static uint8_t body[30000];
    struct lens lens = {0};
    struct world w;
    size_t most = 0;

    connect_ends(&w, 4);
    w.delay_us = 2 * YR_MS;
    w.loss = 1;
    w.ends[1].on_frame = count_frame;
    w.ends[1].on_frame_ctx = &lens;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(sizeof body + i);
    for (unsigned sent = 0; sent < 1700;) {
        const enum yr_err err = yr_links_send(w.ends[0].links, 1, YR_CHANNEL_CHAT,
                                              (uint8_t)sizeof body, body, sizeof body);

        assert_true(err == YR_OK || err == YR_EFULL);
        sent += err == YR_OK;
        if (err == YR_EFULL)
            assert_true(world_step(&w, w.now.mono_us + YR_S));
        for (unsigned e = 0; e < 2; e++)
            most = YR_MAX(most, w.ends[e].mem.used[YR_MEM_LINK]);
    }
    world_run(&w, NULL, 60 * YR_S);
    assert_int_equal(lens.count, 1700);
    assert_true(most < 2U << 20);
    assert_true(w.ends[0].mem.used[YR_MEM_LINK] < 400000); // and it is given back
    world_free(&w);
}

static void control_passes_chat_and_chat_passes_bulk(void **state)
{
    static const uint8_t body[40000];
    struct world w;

    connect_ends(&w, 5);
    for (int i = 0; i < 12; i++)
        assert_int_equal(yr_links_send(w.ends[0].links, 1, YR_CHANNEL_BULK, 0, body, sizeof body),
                         YR_OK);
    w.ends[0].talk[YR_CHANNEL_BULK].queued = 0;
    talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 5);
    talk_say(&w.ends[0], 1, YR_CHANNEL_CONTROL, 5);
    w.ends[1].on_frame = NULL;
    // 480 kB do not leave within the first window; all of the talk does.
    end_poll(&w.ends[0]);
    assert_true(active_conn(&w.ends[0], 1)->channels[YR_CHANNEL_BULK].out.sent < 40000);
    assert_false(yr_sendq_has(&active_conn(&w.ends[0], 1)->channels[YR_CHANNEL_CONTROL].out));
    world_free(&w);
}

/* ---- durability ---- */

static void nothing_leaves_before_its_clock_value_is_durable(void **state)
{
    struct world w;

    world_init(&w, 6, 2);
    w.ends[0].commit_us = 40 * YR_MS;
    w.ends[1].commit_us = 60 * YR_MS;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    world_run(&w, NULL, 39 * YR_MS);
    assert_int_equal(w.ends[0].sent_packets, 0);
    world_run(&w, NULL, 2 * YR_MS);
    assert_int_equal(w.ends[0].sent_packets, 1);
    world_run(&w, NULL, (25 + 58) * YR_MS);
    assert_int_equal(w.ends[1].sent_packets, 0);
    world_run(&w, NULL, 3 * YR_MS);
    assert_true(w.ends[1].sent_packets > 0);
    assert_true(world_run(&w, both_up, YR_S));
    say_everywhere(&w, 5);
    assert_true(world_run(&w, talk_done, 5 * YR_S));
    world_free(&w);
}

static void without_a_store_no_byte_leaves_and_the_dial_ends(void **state)
{
    struct world w;

    world_init(&w, 7, 2);
    w.ends[0].commit_us = YR_NEVER;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, dial_failed, 11 * YR_S));
    assert_int_equal(w.ends[0].sent_packets, 0);
    world_free(&w);

    world_init(&w, 8, 2);
    w.ends[1].commit_us = YR_NEVER;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, dial_failed, 11 * YR_S));
    world_run(&w, NULL, 11 * YR_S);
    assert_int_equal(w.ends[1].sent_packets, 0);
    assert_null(w.ends[1].links->slots[0]->conns);
    world_free(&w);
}

static void clocks_rise_over_restarts_even_when_the_wall_clock_goes_back(void **state)
{
    struct world w;

    connect_ends(&w, 9);
    for (int i = 0; i < 5; i++) {
        const struct yr_clock before = w.ends[0].ours[1];

        end_crash(&w.ends[0]);
        end_crash(&w.ends[1]);
        w.now.wall_ms -= 3600000;
        end_start(&w.ends[0]);
        end_start(&w.ends[1]);
        assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
        assert_true(world_run(&w, both_up, 5 * YR_S));
        assert_true(yr_clock_above(&w.ends[0].ours[1], &before));
    }
    world_free(&w);
}

/* ---- restarts, silence, replacement ---- */

static void a_restarted_end_dials_and_replaces_what_the_other_believed_in(void **state)
{
    for (unsigned who = 0; who < 2; who++) {
        struct world w;

        connect_ends(&w, 10 + who);
        say_everywhere(&w, 10);
        world_run(&w, NULL, 30 * YR_MS);
        end_crash(&w.ends[who]);
        end_start(&w.ends[who]);
        assert_int_equal(world_dial(&w, who, 1 - who, false), YR_OK);
        assert_true(world_run(&w, both_up, 5 * YR_S));
        assert_true(world_run(&w, talk_done, 20 * YR_S));
        assert_true(one_link(&w));
        assert_int_equal(w.ends[1 - who].downs, 0);
        assert_int_equal(w.ends[1 - who].ups, 2); // told to send again
        world_free(&w);
    }
}

static void an_idle_link_stays_up_with_a_packet_now_and_then(void **state)
{
    struct world w;
    uint64_t packets, steps;

    connect_ends(&w, 12);
    world_run(&w, NULL, 60 * YR_S);
    packets = w.ends[0].sent_packets + w.ends[1].sent_packets;
    steps = w.steps;
    world_run(&w, NULL, 3600 * YR_S);
    assert_true(w.steps - steps < 1800); // both ends awake less than every other second
    packets = w.ends[0].sent_packets + w.ends[1].sent_packets - packets;
    assert_true(one_link(&w));
    assert_int_equal(w.ends[0].downs + w.ends[1].downs, 0);
    assert_true(packets >= 2 * 3600 / 25 && packets < 3 * 3600 / 25);
    world_free(&w);
}

static void ninety_seconds_of_silence_end_a_link(void **state)
{
    struct world w;
    yr_us heard;

    connect_ends(&w, 13);
    world_run(&w, NULL, 100 * YR_S);
    talk_say(&w.ends[0], 1, YR_CHANNEL_CHAT, 1);
    world_run(&w, NULL, YR_S);
    heard = YR_MAX(active_conn(&w.ends[0], 1)->heard_us, active_conn(&w.ends[1], 0)->heard_us);
    w.cut = true;
    world_run(&w, NULL, heard + 88 * YR_S - w.now.mono_us);
    assert_true(both_up(&w));
    assert_true(world_run(&w, both_down, 3 * YR_S));
    assert_int_equal(w.ends[0].why, YR_LINK_TIMEOUT);
    assert_int_equal(w.ends[1].why, YR_LINK_TIMEOUT);
    assert_int_equal(yr_links_deadline(w.ends[0].links), YR_NEVER);
    world_free(&w);
}

static void a_dial_into_the_void_fails_after_ten_seconds(void **state)
{
    const struct yr_addr nobody = world_addr(77, 7);
    struct world w;

    world_init(&w, 14, 2);
    assert_int_equal(yr_links_dial(w.ends[0].links, 1, &nobody, false, w.now), YR_OK);
    assert_int_equal(yr_links_dial(w.ends[0].links, 1, &nobody, false, w.now), YR_EAGAIN);
    world_run(&w, NULL, 9900 * YR_MS);
    assert_int_equal(w.ends[0].failures, 0);
    assert_true(w.ends[0].sent_packets >= 3 && w.ends[0].sent_packets <= 12);
    assert_true(world_run(&w, dial_failed, 200 * YR_MS));
    world_run(&w, NULL, YR_S);
    assert_int_equal(w.ends[0].failures, 1);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_true(world_run(&w, both_up, YR_S));
    world_free(&w);
}

static void a_newer_dial_takes_the_place_of_one_that_is_out(void **state)
{
    const struct yr_addr nobody = world_addr(77, 7);
    struct world w;

    world_init(&w, 15, 2);
    assert_int_equal(yr_links_dial(w.ends[0].links, 1, &nobody, false, w.now), YR_OK);
    world_run(&w, NULL, 100 * YR_MS);
    assert_int_equal(world_dial(&w, 0, 1, true), YR_OK);
    assert_true(world_run(&w, both_up, YR_S));
    world_run(&w, NULL, 20 * YR_S);
    assert_true(one_link(&w));
    assert_int_equal(w.ends[0].failures, 0);
    world_free(&w);
}

static void after_twelve_hours_another_connection_takes_over(void **state)
{
    struct world w;

    connect_ends(&w, 16);
    world_run(&w, NULL, 12 * 3600 * YR_S - 10 * YR_S);
    assert_int_equal(counter(&w.ends[0], "link.replaced"), 0);
    say_everywhere(&w, 20);
    world_run(&w, NULL, 60 * YR_S);
    for (unsigned e = 0; e < 2; e++) {
        assert_int_equal(counter(&w.ends[e], "link.replaced"), 1);
        assert_int_equal(w.ends[e].ups, 2);
        assert_int_equal(w.ends[e].downs, 0);
    }
    assert_int_equal(counter(&w.ends[0], "link.dials"), 2); // the dialler of the old one
    assert_true(talk_done(&w));
    assert_true(one_link(&w));
    world_free(&w);
}

static void the_other_end_replaces_it_five_minutes_later_if_the_dialler_does_not(void **state)
{
    struct world w;

    connect_ends(&w, 17);
    active_conn(&w.ends[0], 1)->replace_us = YR_NEVER;
    world_run(&w, NULL, 12 * 3600 * YR_S + 290 * YR_S);
    assert_int_equal(counter(&w.ends[1], "link.dials"), 0);
    world_run(&w, NULL, 20 * YR_S);
    assert_int_equal(counter(&w.ends[1], "link.dials"), 1);
    assert_true(one_link(&w));
    assert_true(active_conn(&w.ends[1], 0)->dialled);
    world_free(&w);
}

static void the_dialler_updates_keys_every_ten_minutes_and_every_million_packets(void **state)
{
    struct world w;

    connect_ends(&w, 18);
    for (int minute = 0; minute < 35; minute++) {
        if (minute % 3 == 0)
            say_everywhere(&w, 2);
        world_run(&w, NULL, 60 * YR_S);
    }
    assert_int_equal(counter(&w.ends[0], "link.key_updates"), 3);
    active_conn(&w.ends[0], 1)->packets = YR_LINK_REKEY_PACKETS;
    say_everywhere(&w, 2);
    world_run(&w, NULL, 60 * YR_S);
    assert_int_equal(counter(&w.ends[0], "link.key_updates"), 4);
    assert_int_equal(counter(&w.ends[1], "link.key_updates"), 0);
    assert_true(talk_done(&w));
    assert_int_equal(w.ends[0].ups + w.ends[1].ups, 2);
    world_free(&w);
}

static void key_updates_under_loss_and_traffic_lose_nothing(void **state)
{
    for (uint64_t seed = 200; seed < 206; seed++) {
        struct world w;

        connect_ends(&w, seed);
        w.loss = 10;
        w.jitter_us = 60 * YR_MS;
        if (seed % 2 == 1) { // two seconds of queue on the way
            w.loss = 3;
            w.delay_us = YR_S;
            w.jitter_us = YR_S;
        }
        for (int i = 0; i < 20; i++) {
            say_everywhere(&w, 3);
            active_conn(&w.ends[0], 1)->rekey_us = w.now.mono_us;
            world_run(&w, NULL, 5 * YR_S);
        }
        assert_true(counter(&w.ends[0], "link.key_updates") >= 5);
        assert_true(world_run(&w, talk_done, 300 * YR_S));
        assert_int_equal(w.ends[0].ups + w.ends[1].ups, 2);
        world_free(&w);
    }
}

/* ---- ends of links ---- */

static void closing_tells_the_friend_at_once(void **state)
{
    struct world w;

    connect_ends(&w, 30);
    yr_links_close(w.ends[0].links, 1, w.now);
    assert_int_equal(yr_links_deadline(w.ends[0].links), 0);
    world_run(&w, both_down, YR_S);
    assert_int_equal(w.ends[0].why, YR_LINK_DROPPED);
    assert_int_equal(w.ends[1].why, YR_LINK_CLOSED);
    assert_true(w.now.mono_us < 8 * YR_S);
    assert_int_equal(yr_links_send(w.ends[0].links, 1, YR_CHANNEL_CHAT, 0, NULL, 0), YR_EAGAIN);
    world_run(&w, NULL, 4 * YR_S);
    assert_int_equal(w.ends[0].links->conn_count + w.ends[1].links->conn_count, 0);
    assert_int_equal(world_dial(&w, 1, 0, false), YR_OK);
    assert_true(world_run(&w, both_up, YR_S));
    yr_links_close_all(w.ends[1].links, w.now);
    assert_true(world_run(&w, both_down, YR_S));
    world_free(&w);
}

static void a_lost_goodbye_is_said_again_for_a_while(void **state)
{
    struct world w;

    connect_ends(&w, 33);
    w.cut = true;
    yr_links_remove(w.ends[0].links, 1, w.now);
    world_run(&w, NULL, 500 * YR_MS);
    w.cut = false;
    assert_true(world_run(&w, end1_down, 3 * YR_S));
    assert_int_equal(w.ends[1].why, YR_LINK_CLOSED);
    // and then the connection is forgotten
    world_run(&w, NULL, 4 * YR_S);
    assert_int_equal(w.ends[0].links->conn_count, 0);
    assert_int_equal(w.ends[0].mem.used[YR_MEM_LINK],
                     w.ends[1].mem.used[YR_MEM_LINK] - sizeof(struct yr_link));
    world_free(&w);
}

static void a_goodbye_that_nobody_hears_is_said_four_times(void **state)
{
    struct world w;
    uint64_t packets;

    connect_ends(&w, 34);
    world_run(&w, NULL, 5 * YR_S);
    w.cut = true;
    packets = w.ends[0].sent_packets;
    yr_links_close(w.ends[0].links, 1, w.now);
    world_run(&w, NULL, 60 * YR_S);
    assert_int_equal(w.ends[0].sent_packets, packets + 4);
    assert_int_equal(w.ends[0].links->conn_count, 0);
    world_free(&w);
}

static void a_removed_friend_is_told_goodbye_and_then_a_stranger(void **state)
{
    struct world w;

    connect_ends(&w, 31);
    say_everywhere(&w, 50);
    world_run(&w, NULL, 40 * YR_MS);
    yr_links_remove(w.ends[0].links, 1, w.now);
    yr_links_remove(w.ends[0].links, 1, w.now); // an empty slot is no error
    assert_true(world_run(&w, end1_down, YR_S));
    assert_int_equal(w.ends[1].why, YR_LINK_CLOSED);
    assert_int_equal(w.ends[0].downs, 0);
    world_run(&w, NULL, 4 * YR_S);
    assert_int_equal(w.ends[0].links->conn_count, 0);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_EAGAIN);
    assert_int_equal(world_dial(&w, 1, 0, false), YR_OK);
    world_run(&w, NULL, 11 * YR_S);
    assert_true(counter(&w.ends[0], "link.drop.hint") > 0);
    assert_int_equal(w.ends[1].failures, 1);
    world_free(&w);
}

static void a_blocked_friend_is_dropped_and_not_answered(void **state)
{
    struct world w;
    uint64_t packets;

    connect_ends(&w, 32);
    say_everywhere(&w, 50);
    world_run(&w, NULL, 40 * YR_MS);
    yr_links_block(w.ends[0].links, 1, true, w.now);
    assert_true(world_run(&w, both_down, YR_S));
    world_run(&w, NULL, 4 * YR_S);
    packets = w.ends[0].sent_packets;
    assert_int_equal(world_dial(&w, 0, 1, false), YR_EAGAIN);
    assert_int_equal(world_dial(&w, 1, 0, false), YR_OK);
    world_run(&w, NULL, 11 * YR_S);
    assert_int_equal(w.ends[0].sent_packets, packets);
    assert_true(counter(&w.ends[0], "link.drop.policy") > 0);
    yr_links_block(w.ends[0].links, 1, false, w.now);
    assert_int_equal(world_dial(&w, 1, 0, false), YR_OK);
    assert_true(world_run(&w, talk_done, 10 * YR_S));
    world_free(&w);
}

static void without_an_identity_nothing_is_dialled_or_answered(void **state)
{
    struct world w;

    world_init(&w, 33, 2);
    w.ends[1].links->has_self = false; // the vault is locked
    assert_int_equal(world_dial(&w, 1, 0, false), YR_EAGAIN);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    world_run(&w, NULL, 5 * YR_S);
    assert_int_equal(w.ends[1].sent_packets, 0);
    assert_true(counter(&w.ends[1], "link.drop.policy") > 0);
    world_free(&w);
}

static void links_to_several_friends_do_not_meet(void **state)
{
    struct world w;

    world_init(&w, 34, 3);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    assert_int_equal(world_dial(&w, 2, 0, false), YR_OK);
    assert_int_equal(world_dial(&w, 1, 2, false), YR_OK);
    world_run(&w, NULL, 5 * YR_S);
    for (unsigned e = 0; e < 3; e++) {
        assert_int_equal(w.ends[e].ups, 2);
        assert_true(w.ends[e].is_up[(e + 1) % 3] && w.ends[e].is_up[(e + 2) % 3]);
    }
    yr_links_close(w.ends[0].links, 1, w.now);
    world_run(&w, NULL, YR_S);
    assert_false(w.ends[0].is_up[1] || w.ends[1].is_up[0]);
    assert_true(w.ends[0].is_up[2] && w.ends[2].is_up[0] && w.ends[1].is_up[2]);
    world_free(&w);
}

/* ---- pair generations ---- */

static void set_generation(struct world_end *end, const struct world_end *friend, uint8_t gen)
{
    struct yr_pair pair;

    world_pair(&pair, gen, end, friend);
    assert_int_equal(yr_links_set(end->links, friend->index, friend->self.id,
                                  friend->self.device.public_key, friend->self.gen, &pair,
                                  &end->theirs[friend->index], &end->ours[friend->index]),
                     YR_OK);
}

static void both_pair_generations_are_answered_until_the_newer_has_worked(void **state)
{
    struct world w;

    connect_ends(&w, 35);
    set_generation(&w.ends[1], &w.ends[0], 1);
    assert_true(one_link(&w)); // the connection stays
    assert_int_equal(w.ends[1].links->hint_count, 2);
    assert_int_equal(world_dial(&w, 0, 1, true), YR_OK); // still under generation 0
    world_run(&w, NULL, YR_S);
    assert_int_equal(counter(&w.ends[1], "link.answers"), 2);
    assert_int_equal(w.ends[1].links->hint_count, 2);
    set_generation(&w.ends[0], &w.ends[1], 1);
    assert_int_equal(world_dial(&w, 0, 1, true), YR_OK);
    world_run(&w, NULL, YR_S);
    assert_int_equal(counter(&w.ends[1], "link.answers"), 3);
    for (unsigned e = 0; e < 2; e++) {
        assert_int_equal(w.ends[e].links->hint_count, 1);
        assert_false(w.ends[e].links->slots[1 - e]->keys[1].used);
    }
    assert_true(one_link(&w));
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dial_brings_both_ends_up_and_carries_frames_both_ways),
        cmocka_unit_test(a_link_is_up_after_one_round_trip),
        cmocka_unit_test(links_come_up_and_carry_all_over_a_network_that_loses_reorders_and_spoils),
        cmocka_unit_test(the_same_seed_gives_the_same_packets_at_the_same_time),
        cmocka_unit_test(frames_of_every_length_arrive_whole_and_in_order),
        cmocka_unit_test(a_packet_now_and_then_is_acknowledged_with_the_next_or_after_20_ms),
        cmocka_unit_test(fifty_megabytes_pass_with_bounded_memory),
        cmocka_unit_test(control_passes_chat_and_chat_passes_bulk),
        cmocka_unit_test(nothing_leaves_before_its_clock_value_is_durable),
        cmocka_unit_test(without_a_store_no_byte_leaves_and_the_dial_ends),
        cmocka_unit_test(clocks_rise_over_restarts_even_when_the_wall_clock_goes_back),
        cmocka_unit_test(a_restarted_end_dials_and_replaces_what_the_other_believed_in),
        cmocka_unit_test(an_idle_link_stays_up_with_a_packet_now_and_then),
        cmocka_unit_test(ninety_seconds_of_silence_end_a_link),
        cmocka_unit_test(a_dial_into_the_void_fails_after_ten_seconds),
        cmocka_unit_test(a_newer_dial_takes_the_place_of_one_that_is_out),
        cmocka_unit_test(after_twelve_hours_another_connection_takes_over),
        cmocka_unit_test(the_other_end_replaces_it_five_minutes_later_if_the_dialler_does_not),
        cmocka_unit_test(the_dialler_updates_keys_every_ten_minutes_and_every_million_packets),
        cmocka_unit_test(key_updates_under_loss_and_traffic_lose_nothing),
        cmocka_unit_test(closing_tells_the_friend_at_once),
        cmocka_unit_test(a_lost_goodbye_is_said_again_for_a_while),
        cmocka_unit_test(a_goodbye_that_nobody_hears_is_said_four_times),
        cmocka_unit_test(a_removed_friend_is_told_goodbye_and_then_a_stranger),
        cmocka_unit_test(a_blocked_friend_is_dropped_and_not_answered),
        cmocka_unit_test(without_an_identity_nothing_is_dialled_or_answered),
        cmocka_unit_test(links_to_several_friends_do_not_meet),
        cmocka_unit_test(both_pair_generations_are_answered_until_the_newer_has_worked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
