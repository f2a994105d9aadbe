#include "core/room/sync.h"

#include <stdio.h>

#include "tests/support/roomnet.h"
#include "tests/support/test.h"

static struct roomnet net;

static void say_all(size_t texts, unsigned pause_ms)
{
    for (size_t i = 0; i < texts; i++) {
        mate_say(net.mates[seeded_below(&net.rng, net.count)]);
        roomnet_run(&net, pause_ms);
    }
}

static uint64_t records_sent(size_t from, size_t to)
{
    return mate_sent(net.mates[from], to, YR_FRAME_ROOM_REC) +
           mate_sent(net.mates[from], to, YR_FRAME_ROOM_NEW);
}

static uint64_t sent_between(size_t a, size_t b)
{
    return mate_sent_bytes(net.mates[a], b, 0) + mate_sent_bytes(net.mates[b], a, 0);
}

/* ---- what is said on a link ---- */

struct capture {
    uint8_t type;
    size_t from, to, count;
    uint8_t last[2][YR_FRAME_MAX];
    size_t len[2];
    bool swallow;
};

static bool capture(void *ctx, size_t from, size_t to, uint8_t type, const uint8_t *body,
                    size_t len)
{
    struct capture *c = ctx;

    if (type != c->type || from != c->from || to != c->to)
        return true;
    memcpy(c->last[c->count % 2], body, len);
    c->len[c->count++ % 2] = len;
    return !c->swallow;
}

static void tap(struct capture *c, uint8_t type, size_t from, size_t to)
{
    memset(c, 0, sizeof *c);
    c->type = type;
    c->from = from;
    c->to = to;
    net.tap = capture;
    net.tap_ctx = c;
}

static struct capture seen;

static bool contains(const uint8_t *bytes, size_t len, const uint8_t *what, size_t what_len)
{
    for (size_t i = 0; i + what_len <= len; i++)
        if (memcmp(bytes + i, what, what_len) == 0)
            return true;
    return false;
}

static void tags_show_which_rooms_both_have_and_else_only_a_rough_number(void **state)
{
    roomnet_init(&net, 3, 1);
    net.mates[2]->has_room = false;
    yr_room_sync_rooms(net.mates[2]->sync, net.now);
    tap(&seen, YR_FRAME_ROOM_TAGS, 0, 2);
    roomnet_link(&net, 0, 2, 5);
    roomnet_run(&net, 100);
    roomnet_unlink(&net, 0, 2);
    roomnet_link(&net, 0, 2, 5);
    roomnet_run(&net, 100);
    assert_int_equal(seen.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(seen.len[i], 16 + 4 * 16);
        assert_false(
            contains(seen.last[i], seen.len[i], yr_room_log_id(net.mates[0]->keeper.log), 8));
    }
    for (size_t i = 0; i < 5; i++) // nothing comes twice, or true tags could be told from others
        assert_false(contains(seen.last[1], seen.len[1], seen.last[0] + 16 * i, 16));
    assert_int_equal(mate_sent(net.mates[0], 2, 0), 2); // and nothing but tags
    assert_int_equal(mate_sent(net.mates[2], 0, 0), 2);
    assert_int_equal(mate_sent_bytes(net.mates[2], 0, 0), mate_sent_bytes(net.mates[0], 2, 0));
    roomnet_clear(&net);
}

static void a_room_begun_while_the_link_is_up_is_found(void **state)
{
    roomnet_init(&net, 2, 1);
    net.mates[1]->has_room = false;
    yr_room_sync_rooms(net.mates[1]->sync, net.now);
    roomnet_link(&net, 0, 1, 5);
    roomnet_run(&net, 100);
    assert_false(net.mates[0]->neighbour[1]);
    net.mates[1]->has_room = true;
    net.mates[1]->member = false; // invited: listens only, and cannot prove anything
    yr_room_sync_rooms(net.mates[1]->sync, net.now);
    roomnet_settle(&net);
    assert_false(net.mates[0]->neighbour[1]);
    net.mates[1]->member = true;
    yr_room_sync_rooms(net.mates[1]->sync, net.now);
    roomnet_settle(&net);
    assert_true(net.mates[0]->neighbour[1] && net.mates[1]->neighbour[0]);
    roomnet_assert_equal(&net);
    net.mates[1]->has_room = false; // forgotten
    yr_room_sync_rooms(net.mates[1]->sync, net.now);
    net.mates[1]->neighbour[0] = false; // rooms that are gone are not told
    roomnet_settle(&net);
    assert_false(net.mates[0]->neighbour[1]);
    roomnet_clear(&net);
}

static void a_proof_serves_one_friend_in_one_direction(void **state)
{
    roomnet_init(&net, 3, 1);
    tap(&seen, YR_FRAME_ROOM_OPEN, 1, 0);
    roomnet_link(&net, 0, 1, 5);
    roomnet_link(&net, 0, 2, 5);
    roomnet_settle(&net);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.len[0], 16 + 2 + 16 + 64);
    { // 2 says what 1 proved to 0, under its own tag
        static struct capture own;
        uint8_t open[98];

        tap(&own, YR_FRAME_ROOM_OPEN, 2, 0);
        roomnet_unlink(&net, 0, 2);
        roomnet_link(&net, 0, 2, 5);
        roomnet_settle(&net);
        memcpy(open, own.last[0], 16);
        memcpy(open + 16, seen.last[0] + 16, sizeof open - 16);
        assert_int_equal(mate_hears(net.mates[0], 2, YR_FRAME_ROOM_OPEN, open, 98), YR_EPROTO);
        assert_int_equal(mate_counter(net.mates[0], "room.sync.drop.proof"), 1);
        roomnet_unlink(&net, 0, 2);
    }
    { // 1 gives 0 back what 0 proved
        static struct capture back, own;
        uint8_t open[98];

        tap(&back, YR_FRAME_ROOM_OPEN, 0, 1);
        roomnet_unlink(&net, 0, 1);
        roomnet_link(&net, 0, 1, 5);
        roomnet_settle(&net);
        tap(&own, YR_FRAME_ROOM_OPEN, 1, 0);
        roomnet_unlink(&net, 0, 1);
        roomnet_link(&net, 0, 1, 5);
        roomnet_settle(&net);
        memcpy(open, own.last[0], 16);
        memcpy(open + 16, back.last[0] + 16, sizeof open - 16);
        assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_OPEN, open, 98), YR_EPROTO);
    }
    roomnet_clear(&net);
}

/* ---- comparing ---- */

static void a_newcomer_gets_everything_from_who_added_him(void **state)
{
    roomnet_init(&net, 2, 1);
    for (size_t i = 0; i < 300; i++)
        mate_say(net.mates[0]);
    roomnet_link(&net, 0, 1, 20);
    roomnet_settle(&net);
    roomnet_assert_equal(&net);
    assert_true(net.mates[0]->neighbour[1] && net.mates[1]->neighbour[0]);
    assert_int_equal(roomnet_counter(&net, "room.sync.duplicate"), 0);
    assert_int_equal(roomnet_counter(&net, "room.sync.twice"), 1); // the CREATE
    assert_int_equal(yr_room_log_held(net.mates[1]->keeper.log), 0);
    assert_int_equal(mate_counter(net.mates[1], "room.sync.missing"), 0);
    roomnet_clear(&net);
}

static void equal_logs_take_100_bytes_and_one_round_trip(void **state)
{
    uint64_t before;
    yr_us start;

    roomnet_init(&net, 20, 1);
    roomnet_tree(&net);
    roomnet_settle(&net);
    say_all(100, 10);
    roomnet_settle(&net);
    for (size_t i = 1; i < net.count; i++)
        for (size_t k = 0; k < i; k++)
            roomnet_unlink(&net, i, k);
    roomnet_assert_equal(&net);
    before = sent_between(1, 2);
    start = net.now.mono_us;
    roomnet_link(&net, 1, 2, 20);
    roomnet_settle(&net);
    before = sent_between(1, 2) - before;
    printf("# equal: %llu bytes, tags and proofs too\n", (unsigned long long)before);
    before -= 2 * (3 + 16 + 4 * 16) + 2 * (3 + 98); // that both are members
    assert_true(before > 0 && before <= 100);
    assert_true(net.mates[1]->neighbour[2] && net.now.mono_us - start < 200 * YR_MS);
    roomnet_clear(&net);
}

// Catch-up of `texts` texts by so many members that a member has missed.
static void assert_overhead(size_t members, size_t authors, size_t texts, size_t len)
{
    const size_t last = members - 1;
    uint64_t payload, before, all;

    roomnet_init(&net, members, 7);
    for (size_t i = 1; i < members; i++)
        roomnet_link(&net, 0, i, 10);
    roomnet_settle(&net);
    say_all(members, 10); // all have a chain
    roomnet_settle(&net);
    roomnet_assert_equal(&net);
    roomnet_unlink(&net, 0, last);
    for (size_t i = 0; i < texts; i++) {
        mate_say_len(net.mates[i % authors], len);
        roomnet_run(&net, 50);
    }
    roomnet_settle(&net);
    before = sent_between(0, last);
    payload = mate_sent_bytes(net.mates[0], last, YR_FRAME_ROOM_REC);
    roomnet_link(&net, 0, last, 10);
    roomnet_settle(&net);
    roomnet_run(&net, 60000);
    roomnet_assert_equal(&net);
    all = sent_between(0, last) - before;
    payload = mate_sent_bytes(net.mates[0], last, YR_FRAME_ROOM_REC) - payload;
    payload -= 5 * texts; // heads of frames
    printf("# %zu members, %zu texts of %zu: %llu bytes missing, %llu said (+%llu)\n", members,
           texts, len, (unsigned long long)payload, (unsigned long long)all,
           (unsigned long long)(all - payload));
    assert_true(all <= payload + payload / 10 + 4096);
    assert_int_equal(roomnet_counter(&net, "room.sync.twice"), members - 1);
    roomnet_clear(&net);
}

// A thousand members who have all said something.
static void a_large_room_is_compared_part_by_part(void **state)
{
    static struct scribe crowd[1000];
    uint64_t before, payload;
    struct slip slip;

    roomnet_init(&net, 2, 7);
    for (size_t i = 0; i < YR_COUNT(crowd) - 2; i++) {
        scribe_init(&crowd[i], &net.rng);
        scribe_enter(&crowd[i], yr_room_log_id(net.mates[0]->keeper.log));
        net.mates[0]->keeper.now = net.now;
        scribe_add(&net.mates[0]->scribe, &net.mates[0]->keeper, &crowd[i], 10, NULL);
        roomnet_run(&net, 200);
        scribe_text(&crowd[i], &net.mates[0]->keeper, "here", NULL);
    }
    roomnet_link(&net, 0, 1, 10);
    roomnet_run(&net, 60000);
    roomnet_assert_equal(&net);
    for (size_t missing = 1; missing <= 500; missing += 499) {
        roomnet_unlink(&net, 0, 1);
        for (size_t i = 0; i < missing; i++) {
            scribe_text(&crowd[i], &net.mates[0]->keeper, "and here I say something", &slip);
            scribe_keep(&net.mates[0]->keeper, &slip);
            slip_clear(&slip);
        }
        before = sent_between(0, 1);
        payload = mate_sent_bytes(net.mates[0], 1, YR_FRAME_ROOM_REC);
        roomnet_link(&net, 0, 1, 10);
        roomnet_run(&net, 60000);
        roomnet_assert_equal(&net);
        payload = mate_sent_bytes(net.mates[0], 1, YR_FRAME_ROOM_REC) - payload;
        before = sent_between(0, 1) - before - payload;
        printf("# 1,000 members, %zu with a new text: %llu bytes missing, +%llu\n", missing,
               (unsigned long long)payload, (unsigned long long)before);
        assert_true(before < (missing == 1 ? 4096 : payload / 4));
    }
    roomnet_clear(&net);
}

static void catching_up_costs_a_tenth_and_4_kib(void **state)
{
    assert_overhead(2, 1, 1, 100);
    assert_overhead(10, 1, 1, 10);
    assert_overhead(30, 1, 1, 10);
    assert_overhead(30, 29, 29, 10);
    assert_overhead(30, 29, 400, 100);
}

static void all_get_all_whatever_comes_and_goes(void **state)
{
    const uint64_t seed = seeded_seed("sync", 11);

    for (size_t n = 3; n <= 30; n += 3) {
        roomnet_init(&net, n, seed + n);
        roomnet_random(&net, 4);
        roomnet_settle(&net); // all know that they are members
        for (size_t i = 0; i < 60; i++) {
            const size_t a = seeded_below(&net.rng, n), b = seeded_below(&net.rng, n);

            if (seeded_below(&net.rng, 3) == 0)
                roomnet_unlink(&net, a, b);
            else if (seeded_below(&net.rng, 4) == 0)
                roomnet_link(&net, a, b, 5 + (unsigned)seeded_below(&net.rng, 60));
            mate_say(net.mates[seeded_below(&net.rng, n)]);
            roomnet_run(&net, (unsigned)seeded_below(&net.rng, 400));
        }
        roomnet_random(&net, 4);
        roomnet_run(&net, 20000);
        roomnet_settle(&net);
        printf("# n=%zu: %llu copies, %llu known, %llu twice, %llu grafts, %llu rounds, %llu "
               "futile, %llu stalled, %llu missing\n",
               n, (unsigned long long)roomnet_counter(&net, "room.sync.received"),
               (unsigned long long)roomnet_counter(&net, "room.sync.duplicate"),
               (unsigned long long)roomnet_counter(&net, "room.sync.twice"),
               (unsigned long long)roomnet_counter(&net, "room.sync.graft"),
               (unsigned long long)roomnet_counter(&net, "room.sync.round"),
               (unsigned long long)roomnet_counter(&net, "room.sync.futile"),
               (unsigned long long)roomnet_counter(&net, "room.sync.stall"),
               (unsigned long long)roomnet_counter(&net, "room.sync.missing"));
        roomnet_assert_equal(&net);
        roomnet_clear(&net);
    }
}

static void a_partition_heals_in_two_comparisons(void **state)
{
    roomnet_init(&net, 12, 3);
    for (size_t i = 1; i < 12; i++)
        roomnet_link(&net, i, i - 1, 20);
    roomnet_settle(&net);
    roomnet_unlink(&net, 5, 6);
    say_all(200, 20); // on both sides
    roomnet_settle(&net);
    assert_false(roomnet_equal(&net));
    roomnet_link(&net, 5, 6, 20);
    roomnet_run(&net, 10000);
    roomnet_assert_equal(&net);
    assert_int_equal(roomnet_counter(&net, "room.sync.duplicate"), 0);
    roomnet_clear(&net);
}

static void forks_reach_everybody(void **state)
{
    struct slip slips[2];

    roomnet_init(&net, 6, 5);
    for (size_t i = 1; i < 6; i++)
        roomnet_link(&net, i, i - 1, 20);
    roomnet_settle(&net);
    for (size_t i = 0; i < 300; i++) {
        mate_say(net.mates[2]);
        roomnet_run(&net, 10);
    }
    roomnet_settle(&net);
    roomnet_unlink(&net, 2, 3);
    scribe_text(&net.mates[2]->scribe, &net.mates[2]->keeper, "yes", &slips[0]);
    scribe_text(&net.mates[2]->scribe, &net.mates[2]->keeper, "no", &slips[1]);
    mate_write(net.mates[2], &slips[0]);
    assert_int_equal(mate_hears(net.mates[3], 4, YR_FRAME_ROOM_IDS, NULL, 0), YR_EPROTO);
    assert_int_equal(keeper_put_from(&net.mates[3]->keeper, slips[1].bytes, slips[1].len, 4),
                     YR_PUT_NEW);
    slip_clear(&slips[1]);
    roomnet_settle(&net);
    assert_false(roomnet_equal(&net));
    roomnet_link(&net, 2, 3, 20);
    roomnet_run(&net, 60000);
    roomnet_assert_equal(&net);
    for (size_t i = 0; i < net.count; i++)
        assert_true(yr_room_log_forked(net.mates[i]->keeper.log, net.mates[2]->scribe.mid));
    roomnet_clear(&net);
}

/* ---- new records ---- */

static void a_tree_carries_each_record_once(void **state)
{
    roomnet_init(&net, 20, 9);
    roomnet_tree(&net);
    roomnet_settle(&net);
    {
        const uint64_t before = roomnet_counter(&net, "room.sync.received");

        say_all(300, 7);
        roomnet_settle(&net);
        roomnet_run(&net, 60000);
        roomnet_assert_equal(&net);
        assert_int_equal(roomnet_counter(&net, "room.sync.received") - before, 300 * 19);
    }
    assert_int_equal(roomnet_counter(&net, "room.sync.duplicate"), 0);
    roomnet_clear(&net);
}

static void a_mesh_settles_into_trees(void **state)
{
    uint64_t before, copies, known, bytes;

    roomnet_init(&net, 30, 13);
    roomnet_random(&net, 6);
    roomnet_settle(&net);
    say_all(300, 50); // each author is heard, duplicates are pruned
    roomnet_settle(&net);
    before = roomnet_counter(&net, "room.sync.received");
    known = roomnet_counter(&net, "room.sync.duplicate");
    bytes = net.bytes;
    say_all(300, 50);
    roomnet_settle(&net);
    roomnet_assert_equal(&net);
    copies = roomnet_counter(&net, "room.sync.received") - before;
    known = roomnet_counter(&net, "room.sync.duplicate") - known;
    bytes = net.bytes - bytes;
    printf("# mesh: %llu copies of %u deliveries (RMR %.4f), %llu known; %llu bytes a copy\n",
           (unsigned long long)copies, 300 * 29, (double)copies / (300 * 29) - 1,
           (unsigned long long)known, (unsigned long long)(bytes / (300 * 29)));
    assert_true(copies >= 300 * 29 && copies <= 300 * 29 * 105 / 100);
    roomnet_clear(&net);
}

static void a_lost_parent_is_replaced_by_who_announces(void **state)
{
    unsigned via = 9;

    roomnet_init(&net, 4, 2); // 0 - 1 - 3, 0 - 2 - 3
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 1, 3, 10);
    roomnet_link(&net, 0, 2, 30);
    roomnet_link(&net, 2, 3, 30);
    roomnet_settle(&net);
    for (size_t i = 0; i < 3; i++) {
        mate_say(net.mates[0]);
        roomnet_settle(&net);
    }
    assert_true(yr_room_sync_via(net.mates[3]->sync, 0, net.mates[0]->scribe.mid, &via));
    assert_int_equal(via, 1);
    roomnet_unlink(&net, 1, 3);
    assert_false(yr_room_sync_via(net.mates[3]->sync, 0, net.mates[0]->scribe.mid, &via));
    mate_say(net.mates[0]);
    roomnet_run(&net, 500);
    roomnet_assert_equal(&net);
    assert_true(roomnet_counter(&net, "room.sync.graft") > 0);
    assert_true(yr_room_sync_via(net.mates[3]->sync, 0, net.mates[0]->scribe.mid, &via));
    assert_int_equal(via, 2);
    {
        const uint64_t grafts = roomnet_counter(&net, "room.sync.graft");

        mate_say(net.mates[0]);
        roomnet_run(&net, 80); // at once again
        roomnet_assert_equal(&net);
        assert_int_equal(roomnet_counter(&net, "room.sync.graft"), grafts);
    }
    roomnet_clear(&net);
}

static void two_who_overtake_each_other_are_not_both_refused(void **state)
{
    unsigned via = 9;

    roomnet_init(&net, 4, 2); // 0 - 1 - 3, 0 - 2 - 3
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 1, 3, 10);
    roomnet_link(&net, 0, 2, 20);
    roomnet_link(&net, 2, 3, 10);
    roomnet_settle(&net);
    net.wires[3][2].delay_us = 200 * 1000; // what 3 asks of 2 comes late
    mate_say(net.mates[0]);                // over 1 first
    roomnet_run(&net, 40);
    net.wires[0][1].delay_us = 40 * 1000;
    mate_say(net.mates[0]); // over 2 first, who does not know yet that he need not
    roomnet_settle(&net);
    net.wires[3][2].delay_us = net.wires[0][1].delay_us = 10 * 1000;
    mate_say(net.mates[0]);
    roomnet_run(&net, 80);
    roomnet_assert_equal(&net);
    assert_int_equal(roomnet_counter(&net, "room.sync.graft"), 0);
    assert_true(yr_room_sync_via(net.mates[3]->sync, 0, net.mates[0]->scribe.mid, &via));
    assert_int_equal(via, 1);
    roomnet_clear(&net);
}

static void missing_ancestors_are_asked_for(void **state)
{
    struct slip first, second;
    struct yr_room_record r;

    roomnet_init(&net, 3, 4);
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 1, 2, 10);
    roomnet_settle(&net);
    scribe_text(&net.mates[0]->scribe, &net.mates[0]->keeper, "first", &first);
    scribe_keep(&net.mates[0]->keeper, &first); // not spread
    scribe_text(&net.mates[0]->scribe, &net.mates[0]->keeper, "second", &second);
    mate_write(net.mates[0], &second);
    roomnet_run(&net, 1000);
    assert_int_equal(yr_room_record_decode(&r, first.bytes, first.len), YR_OK);
    roomnet_assert_equal(&net);
    assert_int_equal(mate_counter(net.mates[1], "room.sync.missing"), 1);
    assert_int_equal(mate_sent(net.mates[1], 0, YR_FRAME_ROOM_GET), 1);
    slip_clear(&first);
    roomnet_clear(&net);
}

static void what_a_full_channel_did_not_take_is_found_by_comparing(void **state)
{
    roomnet_init(&net, 2, 4);
    roomnet_link(&net, 0, 1, 50);
    roomnet_run(&net, 60000);
    net.wires[0][1].cap = 4000;
    for (size_t i = 0; i < 100; i++)
        mate_say(net.mates[0]);
    assert_true(mate_counter(net.mates[0], "room.sync.full") > 0);
    roomnet_run(&net, 20000);
    roomnet_assert_equal(&net);
    assert_int_equal(records_sent(0, 1), 100 + 1 + 1); // the CREATE again, and the ADD
    roomnet_clear(&net);
}

// 0 has answered what 1 wants, and used up all of 1's time before it comes.
static bool exhaust(void *ctx, size_t from, size_t to, uint8_t type, const uint8_t *body,
                    size_t len)
{
    static const uint8_t id[2 + 16] = {0};

    (void)body;
    (void)len;
    if (from != 0 || to != 1 || type != YR_FRAME_ROOM_REC)
        return true;
    net.tap = NULL;
    while (mate_counter(net.mates[1], "room.sync.drop.work") == 0)
        assert_int_equal(mate_hears(net.mates[1], 0, YR_FRAME_ROOM_IHAVE, id, sizeof id), YR_OK);
    return true;
}

static void what_was_thrown_away_unread_is_asked_for_again(void **state)
{
    roomnet_init(&net, 2, 4);
    roomnet_link(&net, 0, 1, 0);
    roomnet_run(&net, 60000);
    roomnet_unlink(&net, 0, 1);
    mate_say(net.mates[0]);
    net.tap = exhaust;
    roomnet_link(&net, 0, 1, 0);
    roomnet_run(&net, 1000);
    assert_int_equal(mate_counter(net.mates[1], "room.sync.drop.work"), 2);
    assert_false(roomnet_equal(&net));
    roomnet_run(&net, 60000);
    roomnet_assert_equal(&net);
    roomnet_clear(&net);
}

static void who_wants_what_is_not_here_is_told_at_once(void **state)
{
    uint8_t want[2 + 1 + 3 * 8] = {0};
    uint64_t before;

    roomnet_init(&net, 2, 4);
    roomnet_link(&net, 0, 1, 10);
    roomnet_run(&net, 60000);
    want[3] = want[11] = want[19] = 1; // some chain, some records of it
    before = mate_sent(net.mates[0], 1, YR_FRAME_ROOM_HAVE);
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_WANT, want, sizeof want), YR_OK);
    assert_int_equal(mate_sent(net.mates[0], 1, YR_FRAME_ROOM_HAVE), before + 1);
    roomnet_clear(&net);
}

static void a_quiet_room_says_nothing(void **state)
{
    uint64_t frames;

    roomnet_init(&net, 10, 6);
    roomnet_random(&net, 4);
    roomnet_settle(&net);
    say_all(50, 20);
    roomnet_run(&net, 60000);
    roomnet_assert_equal(&net);
    frames = net.frames;
    roomnet_run(&net, 24 * 3600000u);
    assert_int_equal(net.frames, frames);
    for (size_t i = 0; i < net.count; i++)
        assert_true(yr_room_sync_deadline(net.mates[i]->sync) == YR_NEVER);
    roomnet_clear(&net);
}

/* ---- who is no member ---- */

static void the_removed_learns_that_and_nothing_else(void **state)
{
    uint64_t sent;

    roomnet_init(&net, 4, 8);
    for (size_t i = 1; i < 4; i++)
        roomnet_link(&net, 0, i, 10);
    roomnet_settle(&net);
    say_all(40, 20);
    roomnet_settle(&net);
    roomnet_unlink(&net, 0, 3);
    for (size_t i = 0; i < 5; i++) { // settings he has missed, and words
        scribe_set(&net.mates[0]->scribe, &net.mates[0]->keeper, "new name", NULL);
        mate_say(net.mates[0]);
    }
    scribe_remove(&net.mates[0]->scribe, &net.mates[0]->keeper, &net.mates[3]->scribe, NULL);
    for (size_t i = 0; i < 5; i++) {
        scribe_set(&net.mates[0]->scribe, &net.mates[0]->keeper, "secret name", NULL);
        mate_say(net.mates[0]);
    }
    sent = records_sent(0, 3);
    roomnet_link(&net, 0, 3, 10);
    roomnet_run(&net, 60000);
    assert_int_equal(records_sent(0, 3) - sent, 5 + 1);
    assert_int_equal(yr_authority_rank(yr_room_log_authority(net.mates[3]->keeper.log),
                                       net.mates[3]->scribe.mid),
                     0);
    assert_false(net.mates[0]->neighbour[3]);
    { // whatever he asks
        struct yr_chain_info info;
        uint8_t frame[2 + 16 * 4];
        uint64_t hash = 0;
        uint8_t want[2 + 1 + 24] = {0};

        for (size_t i = 0; yr_room_log_chain(net.mates[0]->keeper.log, i, &info); i++)
            if (info.key.class == YR_CLASS_MESSAGE)
                hash++;
        assert_true(hash > 0);
        memset(want + 19, 0xff, 8); // everything
        assert_int_equal(mate_hears(net.mates[0], 3, YR_FRAME_ROOM_WANT, want, sizeof want), YR_OK);
        memset(frame, 0, 2);
        for (uint64_t at = yr_room_log_end(net.mates[0]->keeper.log), i = 0; i < 4; i++) {
            struct yr_room_entry entry;
            static uint8_t bytes[YR_ROOM_RECORD_MAX];
            size_t len;

            assert_int_equal(
                yr_room_log_at(net.mates[0]->keeper.log, at - i, bytes, sizeof bytes, &len, &entry),
                YR_OK);
            memcpy(frame + 2 + 16 * i, entry.id, 16);
        }
        assert_int_equal(mate_hears(net.mates[0], 3, YR_FRAME_ROOM_GET, frame, sizeof frame),
                         YR_OK);
        assert_int_equal(mate_hears(net.mates[0], 3, YR_FRAME_ROOM_GRAFT, frame, sizeof frame),
                         YR_OK);
    }
    roomnet_run(&net, 60000);
    for (size_t i = 0; i < 3; i++)
        mate_say(net.mates[i]);
    roomnet_run(&net, 60000);
    assert_int_equal(records_sent(0, 3) - sent, 5 + 1);
    roomnet_assert_equal(&net);
    roomnet_clear(&net);
}

static void the_removed_learns_it_while_connected(void **state)
{
    uint64_t sent, frames;
    struct slip slip;

    roomnet_init(&net, 3, 8);
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 0, 2, 10);
    roomnet_link(&net, 1, 2, 10);
    roomnet_settle(&net);
    sent = records_sent(0, 2) + records_sent(1, 2);
    scribe_remove(&net.mates[0]->scribe, &net.mates[0]->keeper, &net.mates[2]->scribe, &slip);
    mate_write(net.mates[0], &slip);
    roomnet_run(&net, 30000);
    assert_int_equal(yr_authority_rank(yr_room_log_authority(net.mates[2]->keeper.log),
                                       net.mates[2]->scribe.mid),
                     0);
    assert_in_range(records_sent(0, 2) + records_sent(1, 2) - sent, 1, 2);
    assert_false(net.mates[0]->neighbour[2] || net.mates[1]->neighbour[2]);
    frames = net.frames;
    sent = records_sent(0, 2) + records_sent(1, 2);
    for (size_t i = 0; i < 10; i++) {
        mate_say(net.mates[0]);
        roomnet_run(&net, 100);
    }
    roomnet_run(&net, 3600000);
    assert_int_equal(records_sent(0, 2) + records_sent(1, 2), sent);
    assert_true(net.frames - frames < 200);
    keeper_assert_equal(&net.mates[0]->keeper, &net.mates[1]->keeper);
    roomnet_clear(&net);
}

static void a_stranger_who_knows_the_room_learns_nothing_of_it(void **state)
{
    roomnet_init_some(&net, 3, 2, 8); // 2 was invited and never added, and claims to be a member
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 0, 2, 10);
    roomnet_settle(&net);
    mate_say(net.mates[0]);
    mate_say(net.mates[1]);
    { // what he says himself waits for somebody to know him
        uint8_t frame[2 + YR_ROOM_RECORD_MAX] = {0};
        struct slip slip;

        scribe_text(&net.mates[2]->scribe, &net.mates[2]->keeper, "hello", &slip);
        memcpy(frame + 2, slip.bytes, slip.len);
        assert_int_equal(mate_hears(net.mates[0], 2, YR_FRAME_ROOM_NEW, frame, 2 + slip.len),
                         YR_OK);
        slip_clear(&slip);
        memset(frame, 0, 43); // a hash, to see what we ask
        assert_int_equal(mate_hears(net.mates[0], 2, YR_FRAME_ROOM_HAVE, frame, 43), YR_OK);
        roomnet_run(&net, 1000);
        memset(frame + 2, 0, 32 + 4);
        assert_int_equal(mate_hears(net.mates[0], 2, YR_FRAME_ROOM_ASK, frame, 38), YR_OK);
    }
    roomnet_run(&net, 100000);
    assert_int_equal(mate_sent(net.mates[0], 2, YR_FRAME_ROOM_ASK), 2);
    assert_int_equal(mate_sent(net.mates[0], 2, 0), 4); // and tags, and our own proof
    assert_false(net.mates[0]->neighbour[2]);
    // Added at last: his proof of then is good.
    {
        struct slip slip;

        scribe_add(&net.mates[1]->scribe, &net.mates[1]->keeper, &net.mates[2]->scribe,
                   YR_RANK_MEMBER, &slip);
        mate_write(net.mates[1], &slip);
    }
    roomnet_run(&net, 1000);
    assert_true(net.mates[0]->neighbour[2] && net.mates[2]->neighbour[0]);
    roomnet_run(&net, 60000);
    roomnet_assert_equal(&net);
    roomnet_clear(&net);
}

static void who_was_added_elsewhere_brings_the_proof_himself(void **state)
{
    roomnet_init_some(&net, 3, 2, 8);
    roomnet_link(&net, 0, 1, 10);
    roomnet_settle(&net);
    roomnet_unlink(&net, 0, 1);
    mate_say(net.mates[0]);
    scribe_add(&net.mates[1]->scribe, &net.mates[1]->keeper, &net.mates[2]->scribe, YR_RANK_MEMBER,
               NULL);
    roomnet_link(&net, 1, 2, 10);
    roomnet_settle(&net);
    roomnet_unlink(&net, 1, 2);
    assert_true(yr_authority_rank(yr_room_log_authority(net.mates[2]->keeper.log),
                                  net.mates[2]->scribe.mid) > 0);
    roomnet_link(&net, 0, 2, 10);
    roomnet_run(&net, 5000);
    assert_true(net.mates[0]->neighbour[2] && net.mates[2]->neighbour[0]);
    keeper_assert_equal(&net.mates[0]->keeper, &net.mates[2]->keeper);
    roomnet_clear(&net);
}

static void what_one_may_not_take_is_not_asked_for_for_ever(void **state)
{
    uint64_t frames;
    struct slip slip;

    roomnet_init(&net, 3, 8);
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 0, 2, 10);
    roomnet_settle(&net);
    roomnet_unlink(&net, 0, 1);
    roomnet_unlink(&net, 0, 2);
    // 1 has a word of 2 from before it heard of 2's removal; 0 will never take it
    scribe_text(&net.mates[2]->scribe, &net.mates[2]->keeper, "late", &slip);
    assert_int_equal(keeper_put_from(&net.mates[1]->keeper, slip.bytes, slip.len, 2), YR_PUT_NEW);
    slip_clear(&slip);
    scribe_remove(&net.mates[0]->scribe, &net.mates[0]->keeper, &net.mates[2]->scribe, NULL);
    roomnet_link(&net, 0, 1, 10);
    roomnet_run(&net, 600000);
    assert_true(net.frames < 200);
    assert_int_equal(mate_sent(net.mates[0], 1, YR_FRAME_ROOM_WANT), 1);
    frames = net.frames;
    roomnet_run(&net, 24 * 3600000u);
    assert_int_equal(net.frames, frames);
    assert_int_equal(yr_authority_rank(yr_room_log_authority(net.mates[1]->keeper.log),
                                       net.mates[2]->scribe.mid),
                     0);
    mate_say(net.mates[1]); // cites it
    roomnet_run(&net, 60000);
    keeper_assert_equal(&net.mates[0]->keeper, &net.mates[1]->keeper);
    roomnet_clear(&net);
}

static void what_was_not_taken_is_asked_for_again_when_members_change(void **state)
{
    const uint8_t key[32] = {1};
    uint64_t asked;
    struct slip slip;

    roomnet_init(&net, 4, 8);
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 0, 2, 10);
    roomnet_settle(&net);
    roomnet_unlink(&net, 0, 1);
    roomnet_unlink(&net, 0, 2);
    scribe_text(&net.mates[2]->scribe, &net.mates[2]->keeper, "late", &slip);
    assert_int_equal(keeper_put_from(&net.mates[1]->keeper, slip.bytes, slip.len, 2), YR_PUT_NEW);
    slip_clear(&slip);
    scribe_remove(&net.mates[0]->scribe, &net.mates[0]->keeper, &net.mates[2]->scribe, NULL);
    scribe_key(&net.mates[1]->scribe, &net.mates[1]->keeper, key, NULL); // that 0 does take
    roomnet_link(&net, 0, 1, 10);
    roomnet_run(&net, 100000);
    asked = mate_sent(net.mates[0], 1, YR_FRAME_ROOM_WANT);
    scribe_remove(&net.mates[0]->scribe, &net.mates[0]->keeper, &net.mates[3]->scribe, &slip);
    mate_write(net.mates[0], &slip);
    roomnet_run(&net, 100000);
    assert_int_equal(mate_sent(net.mates[0], 1, YR_FRAME_ROOM_WANT), asked + 1);
    roomnet_clear(&net);
}

/* ---- neighbours who mean harm ---- */

static void bad_frames_close_the_link(void **state)
{
    static uint8_t frame[YR_FRAME_MAX];
    struct slip slip;

    roomnet_init(&net, 3, 8);
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 0, 2, 10);
    roomnet_settle(&net);
    for (uint8_t type = YR_FRAME_ROOM_TAGS; type <= YR_FRAME_ROOM_IDS; type++) {
        assert_int_equal(mate_hears(net.mates[0], 1, type, frame, 0), YR_EPROTO);
        assert_int_equal(mate_hears(net.mates[0], 1, type, frame, 3), YR_EPROTO);
    }
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_IDS + 1, frame, 3), YR_OK);
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_TAGS, frame, 16 * 258), YR_EPROTO);
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_GET, frame, 2 + 16 * 257),
                     YR_EPROTO);
    frame[0] = YR_ROOM_ROUTES_MAX; // no such route can be
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_HAVE, frame, 43), YR_EPROTO);
    frame[0] = YR_ROOM_ROUTES_MAX - 1; // one that we may have closed
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_HAVE, frame, 43), YR_OK);

    memset(frame, 0, 3 + 2 * 24); // everything, and then everything again
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_WANT, frame, 3 + 2 * 24), YR_EPROTO);
    frame[3 + 24] = 1;
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_WANT, frame, 3 + 2 * 24), YR_OK);

    scribe_text(&net.mates[1]->scribe, &net.mates[1]->keeper, "word", &slip);
    memset(frame, 0, 2);
    memcpy(frame + 2, slip.bytes, slip.len);
    frame[2 + slip.len - 70] ^= 1; // the last of the body
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_NEW, frame, 2 + slip.len),
                     YR_EPROTO);
    frame[2 + slip.len - 70] ^= 1;
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_NEW, frame, 2 + slip.len), YR_OK);
    frame[2 + 5] ^= 1; // another room
    assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_REC, frame, 2 + slip.len),
                     YR_EPROTO);
    slip_clear(&slip);
    roomnet_clear(&net);
}

static size_t used(const struct mate *mate)
{
    return mate->keeper.box.mem.mem.used[YR_MEM_ROOM];
}

// Frames of every type with bytes that mean something, over and over.
static size_t harm(struct seeded *rnd, uint8_t *frame, uint8_t *type)
{
    static const uint8_t types[] = {YR_FRAME_ROOM_HAVE,  YR_FRAME_ROOM_ASK,   YR_FRAME_ROOM_VEC,
                                    YR_FRAME_ROOM_WANT,  YR_FRAME_ROOM_GET,   YR_FRAME_ROOM_IHAVE,
                                    YR_FRAME_ROOM_GRAFT, YR_FRAME_ROOM_PRUNE, YR_FRAME_ROOM_PAGE,
                                    YR_FRAME_ROOM_IDS};
    struct yr_wr wr = yr_wr_init(frame, YR_FRAME_MAX);
    size_t n;

    *type = types[seeded_below(rnd, YR_COUNT(types))];
    yr_wr_u16(&wr, 0);
    switch (*type) {
    case YR_FRAME_ROOM_HAVE:
        yr_wr_u8(&wr, (uint8_t)seeded_below(rnd, 2));
        yr_random(&rnd->rng, yr_wr_room(&wr, 40), 40);
        break;
    case YR_FRAME_ROOM_ASK:
        yr_random(&rnd->rng, yr_wr_room(&wr, 32), 32);
        n = seeded_below(rnd, YR_ROOM_NODES_MAX + 1);
        for (size_t i = 0; i < n; i++)
            yr_wr_u32(&wr, 1u << 24 | (uint32_t)seeded_below(rnd, 16));
        break;
    case YR_FRAME_ROOM_VEC:
        for (size_t i = 0; i < 160; i++) {
            const bool split = seeded_below(rnd, 2) == 0;

            yr_wr_u32(&wr, seeded_below(rnd, 8) == 0 ? UINT32_MAX : 0);
            yr_wr_u8(&wr, split ? 255 : 8);
            n = split ? 128 : 8 * 24;
            yr_random(&rnd->rng, yr_wr_room(&wr, n), n);
        }
        break;
    case YR_FRAME_ROOM_WANT:
        yr_wr_u8(&wr, (uint8_t)seeded_below(rnd, 2));
        n = 1 + seeded_below(rnd, 1600);
        for (size_t i = 0; i < n; i++) {
            yr_wr_u64be(&wr, i + seeded_below(rnd, 2));
            yr_wr_u64(&wr, 0);
            yr_wr_u64(&wr, UINT64_MAX);
        }
        break;
    case YR_FRAME_ROOM_PAGE:
        yr_random(&rnd->rng, yr_wr_room(&wr, 8), 8);
        yr_wr_u64(&wr, 1);
        yr_wr_u64(&wr, 200);
        break;
    case YR_FRAME_ROOM_IDS:
        yr_random(&rnd->rng, yr_wr_room(&wr, 24 + 16 * 100), 24 + 16 * 100);
        break;
    default: // ids
        n = 1 + seeded_below(rnd, 63);
        yr_random(&rnd->rng, yr_wr_room(&wr, 16 * n), 16 * n);
        break;
    }
    assert_true(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

static void floods_are_bounded(void **state)
{
    static uint8_t frame[YR_FRAME_MAX];
    struct seeded rnd;
    size_t most = 0;
    uint64_t out;

    seeded_init(&rnd, 3);
    roomnet_init(&net, 3, 8);
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 0, 2, 10);
    roomnet_settle(&net);
    for (size_t i = 0; i < 200; i++)
        mate_say(net.mates[0]);
    roomnet_settle(&net);
    out = net.bytes;
    for (size_t i = 0; i < 20000; i++) {
        uint8_t type;
        const size_t len = harm(&rnd, frame, &type);
        const enum yr_err err = mate_hears(net.mates[0], 1, type, frame, len);

        assert_true(err == YR_OK || err == YR_EPROTO);
        most = YR_MAX(most, used(net.mates[0]));
        if (i % 64 == 0)
            roomnet_run(&net, 10);
    }
    assert_true(net.mates[0]->neighbour[1]);
    assert_true(mate_counter(net.mates[0], "room.sync.drop.work") > 0);
    roomnet_run(&net, 20000);
    for (size_t i = 0; i < 2000; i++) { // that ends the session
        yr_random(&rnd.rng, frame, 16 * 257);
        assert_int_equal(mate_hears(net.mates[0], 1, YR_FRAME_ROOM_TAGS, frame, 16 * 257), YR_OK);
    }
    assert_false(net.mates[0]->neighbour[1]);
    printf("# flood: %zu KiB at most, %llu MiB said\n", most >> 10,
           (unsigned long long)((net.bytes - out) >> 20));
    assert_true(most < (size_t)4 << 20);
    roomnet_unlink(&net, 0, 1);
    mate_say(net.mates[0]);
    mate_say(net.mates[2]);
    roomnet_run(&net, 60000);
    keeper_assert_equal(&net.mates[0]->keeper, &net.mates[2]->keeper);
    roomnet_clear(&net);
}

static void a_silent_neighbour_does_not_keep_others_from_telling(void **state)
{
    roomnet_init(&net, 3, 8);
    roomnet_link(&net, 0, 1, 10);
    roomnet_link(&net, 0, 2, 10);
    roomnet_settle(&net);
    roomnet_unlink(&net, 0, 1);
    roomnet_unlink(&net, 0, 2);
    for (size_t i = 0; i < 10; i++)
        mate_say(net.mates[0]);
    tap(&seen, YR_FRAME_ROOM_VEC, 0, 1); // 0 answers 1 no more
    seen.swallow = true;
    roomnet_link(&net, 0, 1, 10);
    roomnet_run(&net, 1000);
    roomnet_link(&net, 1, 2, 10);
    net.tap = NULL;
    roomnet_link(&net, 0, 2, 10);
    roomnet_run(&net, 8000);
    roomnet_assert_equal(&net);
    assert_int_equal(mate_counter(net.mates[1], "room.sync.stall"), 1);
    roomnet_clear(&net);
}

static void memory_may_fail_anywhere(void **state)
{
    for (size_t left = 0; left < 60; left++) {
        roomnet_init(&net, 3, 8);
        roomnet_link(&net, 0, 1, 10);
        for (size_t i = 0; i < 20; i++)
            mate_say(net.mates[0]);
        roomnet_link(&net, 1, 2, 10);
        roomnet_run(&net, 11);
        net.mates[0]->keeper.box.mem.left = left; // only 0 sends: its log takes nothing
        roomnet_run(&net, 50);
        net.mates[0]->keeper.box.mem.left = SIZE_MAX;
        roomnet_unlink(&net, 0, 1);
        roomnet_link(&net, 0, 1, 10);
        roomnet_run(&net, 5000);
        roomnet_assert_equal(&net);
        roomnet_clear(&net);
    }
}

static uint64_t story(uint64_t seed)
{
    uint64_t hash;

    roomnet_init(&net, 12, seed);
    roomnet_random(&net, 4);
    roomnet_settle(&net);
    say_all(40, 30);
    roomnet_unlink(&net, 0, 1);
    say_all(20, 30);
    roomnet_settle(&net);
    hash = net.hash;
    roomnet_clear(&net);
    return hash;
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    const uint64_t hash = story(5);

    assert_true(hash == story(5));
    assert_true(hash != story(6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_show_which_rooms_both_have_and_else_only_a_rough_number),
        cmocka_unit_test(a_room_begun_while_the_link_is_up_is_found),
        cmocka_unit_test(a_proof_serves_one_friend_in_one_direction),
        cmocka_unit_test(a_newcomer_gets_everything_from_who_added_him),
        cmocka_unit_test(equal_logs_take_100_bytes_and_one_round_trip),
        cmocka_unit_test(a_large_room_is_compared_part_by_part),
        cmocka_unit_test(catching_up_costs_a_tenth_and_4_kib),
        cmocka_unit_test(all_get_all_whatever_comes_and_goes),
        cmocka_unit_test(a_partition_heals_in_two_comparisons),
        cmocka_unit_test(forks_reach_everybody),
        cmocka_unit_test(a_tree_carries_each_record_once),
        cmocka_unit_test(a_mesh_settles_into_trees),
        cmocka_unit_test(a_lost_parent_is_replaced_by_who_announces),
        cmocka_unit_test(two_who_overtake_each_other_are_not_both_refused),
        cmocka_unit_test(missing_ancestors_are_asked_for),
        cmocka_unit_test(what_a_full_channel_did_not_take_is_found_by_comparing),
        cmocka_unit_test(what_was_thrown_away_unread_is_asked_for_again),
        cmocka_unit_test(who_wants_what_is_not_here_is_told_at_once),
        cmocka_unit_test(a_quiet_room_says_nothing),
        cmocka_unit_test(the_removed_learns_that_and_nothing_else),
        cmocka_unit_test(the_removed_learns_it_while_connected),
        cmocka_unit_test(a_stranger_who_knows_the_room_learns_nothing_of_it),
        cmocka_unit_test(who_was_added_elsewhere_brings_the_proof_himself),
        cmocka_unit_test(what_one_may_not_take_is_not_asked_for_for_ever),
        cmocka_unit_test(what_was_not_taken_is_asked_for_again_when_members_change),
        cmocka_unit_test(bad_frames_close_the_link),
        cmocka_unit_test(floods_are_bounded),
        cmocka_unit_test(a_silent_neighbour_does_not_keep_others_from_telling),
        cmocka_unit_test(memory_may_fail_anywhere),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
