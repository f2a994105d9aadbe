/* A member of a room who does, with its own keys, what yaari never would.  B.9.3, C3. */
#include "tests/support/test.h"

#include "core/node/state.h"
#include "core/room/epoch_state.h"
#include "core/room/state.h"
#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)

struct world {
    struct sim *sim;
    unsigned alice, bob, carol;
    uint8_t room[YR_ID_LEN];
};

static struct yr_cmd in_room(const struct world *w, enum yr_cmd_kind kind)
{
    struct yr_cmd cmd = {.kind = kind};

    memcpy(cmd.conv, w->room, YR_ID_LEN);
    return cmd;
}

static struct yr_rooms *rooms_of(const struct world *w, unsigned node)
{
    struct yr_rooms *rooms = sim_node(w->sim, node)->rooms;

    rooms->now = sim_now(w->sim, node);
    return rooms;
}

static struct yr_room *room_at(const struct world *w, unsigned node)
{
    struct yr_room *room = yr_rooms_find(rooms_of(w, node), w->room);

    assert_non_null(room);
    return room;
}

// The test has written records of this node.
static void done_at(const struct world *w, unsigned node)
{
    assert_int_equal(yr_rooms_settle(rooms_of(w, node)), YR_OK);
    sim_drain(w->sim, node);
}

struct wait {
    const struct world *w;
    unsigned node;
    enum yr_room_state state;
};

static bool is_state(struct sim *sim, void *ctx)
{
    const struct wait *wait = ctx;
    struct yr_room_info info;

    return yr_node_room(sim_node(sim, wait->node), wait->w->room, &info) == YR_OK &&
           info.state == wait->state;
}

static void run_state(const struct world *w, unsigned node, enum yr_room_state state)
{
    struct wait wait = {w, node, state};

    assert_true(sim_run_until(w->sim, 2 * MINUTE, is_state, &wait));
}

static void invite(const struct world *w, unsigned a, unsigned b)
{
    struct yr_cmd cmd = in_room(w, YR_CMD_ROOM_INVITE);

    memcpy(cmd.who, sim_id(w->sim, b), YR_ID_LEN);
    assert_int_equal(sim_do(w->sim, a, &cmd).err, YR_OK);
    run_state(w, b, YR_ROOM_INVITED);
}

static void bring(const struct world *w, unsigned a, unsigned b)
{
    struct yr_cmd cmd = in_room(w, YR_CMD_ROOM_JOIN);

    invite(w, a, b);
    assert_int_equal(sim_do(w->sim, b, &cmd).err, YR_OK);
    run_state(w, b, YR_ROOM_ACTIVE);
}

static void say(const struct world *w, unsigned node, const char *text)
{
    struct yr_cmd cmd = in_room(w, YR_CMD_SEND);

    cmd.body = text;
    cmd.body_len = strlen(text);
    assert_int_equal(sim_do(w->sim, node, &cmd).err, YR_OK);
}

// alice is a friend of both, and makes a room with bob.
static struct world two_of_three(uint64_t seed, unsigned hist_days)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct yr_cmd cmd = {
        .kind = YR_CMD_ROOM_NEW, .text = "garden", .text_len = 6, .number = hist_days};
    struct world w = {.sim = sim_new(&opts)};
    struct yr_event done;

    w.alice = sim_add(w.sim, "alice");
    w.bob = sim_add(w.sim, "bob");
    w.carol = sim_add(w.sim, "carol");
    sim_befriend(w.sim, w.alice, w.bob);
    sim_befriend(w.sim, w.alice, w.carol);
    done = sim_do(w.sim, w.alice, &cmd);
    assert_int_equal(done.err, YR_OK);
    memcpy(w.room, done.conv, YR_ID_LEN);
    bring(&w, w.alice, w.bob);
    return w;
}

// Eight days go by, in which the nodes are mostly off: keys do not grow old by a clock that leaps.
static void let_eight_days_pass(const struct world *w, unsigned days_before)
{
    const unsigned nodes[] = {w->alice, w->bob, w->carol};

    for (unsigned leap = 1; leap <= 5; leap++) {
        for (size_t i = 0; i < 3; i++) {
            sim_crash(w->sim, nodes[i]);
            sim_skew(w->sim, nodes[i], days_before * YR_DAY_MS + leap * 8 * YR_DAY_MS / 5);
            sim_restart(w->sim, nodes[i]);
        }
        sim_run(w->sim, 10 * MINUTE);
    }
    sim_run(w->sim, 61 * MINUTE);
}

// Whoever takes a device opens with its keys for epoch secrets what these were sealed to.
static void a_key_for_epochs_is_replaced_each_week_and_gone_two_weeks_later(void **state)
{
    struct world w = two_of_three(1, 0);
    const struct yr_room *room = room_at(&w, w.bob);
    uint8_t first[32];

    memcpy(first, room->seals[0].public_key, sizeof first);
    for (unsigned week = 1; week <= 6; week++) {
        yr_ms now;

        let_eight_days_pass(&w, (week - 1) * 8);
        room = room_at(&w, w.bob);
        now = sim_now(w.sim, w.bob).wall_ms;
        assert_true(now - room->seal_ms[0] < YR_DAY_MS);
        assert_int_equal(room->seal_count, YR_MIN(week + 1, 3));
        for (size_t i = 1; i < room->seal_count; i++)
            assert_true(now - room->seal_ms[i - 1] < YR_ROOM_RX_DAYS * YR_DAY_MS);
    }
    assert_memory_not_equal(room->seals[2].public_key, first, sizeof first);
    sim_crash(w.sim, w.bob);
    sim_restart(w.sim, w.bob);
    assert_int_equal(room_at(&w, w.bob)->seal_count, 3);
    memcpy(first, room_at(&w, w.bob)->seals[2].public_key, sizeof first);
    sim_skew(w.sim, w.bob, 3650 * YR_DAY_MS); // a clock that is wrong for a while ...
    sim_run(w.sim, 61 * MINUTE);
    sim_skew(w.sim, w.bob, 0);
    sim_run(w.sim, 61 * MINUTE);
    room = room_at(&w, w.bob);
    assert_int_equal(room->seal_count, 3); // ... takes nothing
    assert_memory_equal(room->seals[2].public_key, first, sizeof first);
    sim_free(w.sim);
}

static const uint8_t *no_key(void *ctx, const uint8_t mid[YR_MID_LEN])
{
    (void)ctx, (void)mid;
    return NULL;
}

// An epoch that nobody can open.
static void shut_out(const struct world *w, unsigned evil)
{
    struct yr_rooms *rooms = rooms_of(w, evil);
    struct yr_room *room = room_at(w, evil);
    struct yr_room_record record;
    struct yr_rekey rekey;
    size_t len;

    assert_int_equal(yr_epochs_rekey(room->epochs, &rekey), YR_OK);
    assert_int_equal(rekey.parts, 1);
    yr_room_log_prepare(room->log, rooms->now, YR_CLASS_MESSAGE, room->self, room->incarnation,
                        true, &record);
    assert_int_equal(yr_epochs_rekey_part(room->epochs, &rekey, 0, no_key, NULL, rooms->body, &len,
                                          record.deps, &record.dep_count),
                     YR_OK);
    record.body = rooms->body;
    record.body_len = len;
    assert_int_equal(yr_room_put(rooms, room, &record), YR_OK);
    yr_rekey_clear(&rekey);
    done_at(w, evil);
}

static uint64_t rekeys(const struct world *w, unsigned node)
{
    return rooms_of(w, node)->counters[YR_ROOMS_REKEYS];
}

static void who_is_shut_out_again_and_again_writes_on_and_makes_few_epochs(void **state)
{
    struct world w = two_of_three(2, 0);
    struct yr_epoch_choice choice;
    uint64_t before;

    sim_run(w.sim, 2 * MINUTE);
    before = rekeys(&w, w.alice);
    for (size_t i = 0; i < 20; i++) {
        shut_out(&w, w.bob);
        sim_run(w.sim, YR_S);
        yr_epochs_choose(room_at(&w, w.alice)->epochs, sim_now(w.sim, w.alice).wall_ms, &choice);
        assert_int_equal(choice.state, YR_EPOCH_BEHIND);
        say(&w, w.alice, "here I am");
        sim_run(w.sim, YR_S);
    }
    assert_in_range(rekeys(&w, w.alice) - before, 1, 2);
    sim_run(w.sim, 10 * MINUTE);
    yr_epochs_choose(room_at(&w, w.alice)->epochs, sim_now(w.sim, w.alice).wall_ms, &choice);
    assert_int_equal(choice.state, YR_EPOCH_READY);
    sim_free(w.sim);
}

static void who_is_shut_out_keeps_the_keys_that_others_may_yet_use(void **state)
{
    struct world w = two_of_three(7, 0);
    const struct yr_room *room = room_at(&w, w.alice);
    uint8_t first[32];
    bool kept = false;

    memcpy(first, room->seals[0].public_key, sizeof first);
    for (size_t i = 0; i < 6; i++) {
        sim_run(w.sim, 61 * MINUTE);
        shut_out(&w, w.bob);
        sim_run(w.sim, MINUTE);
    }
    room = room_at(&w, w.alice);
    assert_true(room->seal_count > 1); // she asked with a new one
    for (size_t i = 0; i < room->seal_count; i++)
        kept |= memcmp(room->seals[i].public_key, first, sizeof first) == 0;
    assert_true(kept);
    sim_free(w.sim);
}

// The answer of a newcomer to its inviter is in the ADD, for every member to read.
static void an_answer_to_an_invitation_is_good_for_nobody_else(void **state)
{
    for (unsigned left = 0; left < 2; left++) {
        struct world w = two_of_three(3 + left, 0);
        struct yr_cmd leave = in_room(&w, YR_CMD_ROOM_LEAVE), join = in_room(&w, YR_CMD_ROOM_JOIN);
        const unsigned dave = sim_add(w.sim, "dave");
        struct yr_plain plain = {.type = YR_PLAIN_ROOM_JOIN, .known = true, .room = w.room};
        uint8_t bobs[YR_MID_LEN];
        struct yr_guest *bob, *guest;
        struct yr_room *room;
        unsigned slot;

        sim_befriend(w.sim, w.alice, dave);
        if (left) {
            assert_int_equal(sim_do(w.sim, w.bob, &leave).err, YR_OK);
            run_state(&w, w.bob, YR_ROOM_GONE);
            sim_run(w.sim, MINUTE);
        }
        invite(&w, w.alice, dave);
        room = room_at(&w, w.alice);
        bob = yr_room_guest(room, sim_id(w.sim, w.bob));
        assert_non_null(bob);
        memcpy(bobs, bob->mid, sizeof bobs);
        plain.sign_pk = bob->sign_pk;
        plain.seal_pk = bob->seal_pk;
        plain.join_sig = bob->join_sig;
        plain.text = (const uint8_t *)"dave";
        plain.text_len = 4;
        assert_true(room->owner->ops.slot_of(room->owner->ops.ctx, sim_id(w.sim, dave), &slot));
        assert_int_equal(yr_rooms_plain(room->owner, sim_now(w.sim, w.alice), slot, &plain), YR_OK);
        sim_drain(w.sim, w.alice);
        guest = yr_room_guest(room, sim_id(w.sim, dave));
        assert_non_null(guest);
        assert_false(guest->known && memcmp(guest->mid, bobs, sizeof bobs) == 0);
        assert_int_equal(room->member_count, 2 - left);
        assert_int_equal(sim_do(w.sim, dave, &join).err, YR_OK);
        run_state(&w, dave, YR_ROOM_ACTIVE);
        assert_int_equal(room_at(&w, w.alice)->member_count, 3 - left);
        sim_free(w.sim);
    }
}

static size_t epochs_at(const struct world *w, unsigned node)
{
    struct yr_epoch_info info;
    size_t n = 0;

    while (yr_epochs_info(room_at(w, node)->epochs, n, &info))
        n++;
    return n;
}

static void history_is_given_by_who_added_the_newcomer_alone(void **state)
{
    struct world w = two_of_three(5, 7);
    uint8_t list[YR_ROOM_EPOCHS_MAX * (YR_EPOCH_ID_LEN + 48)], seed[32] = {9}, root[32] = {1};
    struct yr_room_body body = {.kind = YR_ROOM_HIST, .known = true, .list = list};
    struct yr_keypair eph;
    const struct yr_room *carols;
    struct yr_room_info info;
    struct yr_room *bobs;
    size_t before;

    say(&w, w.alice, "before carol");
    bring(&w, w.alice, w.carol);
    sim_run(w.sim, 10 * YR_S);
    before = epochs_at(&w, w.carol);
    carols = room_at(&w, w.carol);
    bobs = room_at(&w, w.bob);
    yr_keypair_from_seed(&eph, seed);
    body.eph = eph.public_key;
    body.mid = carols->self;
    for (size_t n = 0; n < 40; n++) {
        body.list_count = 0;
        for (size_t i = 0; i < YR_ROOM_EPOCHS_MAX; i++) {
            uint8_t *entry = list + body.list_count++ * (YR_EPOCH_ID_LEN + 48);

            yr_random(bobs->owner->rng, entry, YR_EPOCH_ID_LEN);
            assert_int_equal(yr_epoch_share_seal(bobs->epochs, entry + YR_EPOCH_ID_LEN, root, entry,
                                                 &eph, carols->seals[0].public_key, bobs->self),
                             YR_OK);
        }
        assert_int_equal(yr_room_publish(rooms_of(&w, w.bob), bobs, &body), YR_OK);
        done_at(&w, w.bob);
        sim_run(w.sim, YR_S);
    }
    assert_int_equal(epochs_at(&w, w.carol), before);
    assert_int_equal(yr_node_room(sim_node(w.sim, w.carol), w.room, &info), YR_OK);
    assert_int_equal(info.members, 3);
    sim_free(w.sim);
}

// Each half of a room could be shown another one first.
static void two_texts_under_one_key_mark_who_wrote_them(void **state)
{
    struct world w = two_of_three(6, 0);
    struct yr_room *room;
    struct yr_epoch_choice choice;
    struct yr_chain chain;
    struct yr_mate *bob;

    sim_run(w.sim, MINUTE);
    say(&w, w.bob, "first");
    room = room_at(&w, w.bob);
    yr_epochs_choose(room->epochs, sim_now(w.sim, w.bob).wall_ms, &choice);
    assert_int_equal(yr_chain_begin(room->epochs, yr_epoch_find(room->epochs, choice.id),
                                    YR_EPOCH_CONTENT, room->self, &chain),
                     YR_OK);
    say(&w, w.bob, "yes");
    sim_run(w.sim, 10 * YR_S);
    bob = yr_room_mate(room_at(&w, w.alice), room->self);
    assert_non_null(bob);
    assert_false(bob->forked);
    assert_int_equal(yr_chain_save(room->epochs, yr_epoch_find(room->epochs, choice.id), &chain),
                     YR_OK);
    yr_chain_end(room->epochs, &chain);
    room->incarnation[0] ^= 1; // another chain of records: no number is there twice
    say(&w, w.bob, "no");
    sim_run(w.sim, 10 * YR_S);
    bob = yr_room_mate(room_at(&w, w.alice), room->self);
    assert_true(bob->forked);
    sim_free(w.sim);
}

static void who_makes_up_epochs_leaves_place_for_others_to_wait(void **state)
{
    struct world w = two_of_three(8, 7);
    struct yr_room *room = room_at(&w, w.bob);
    uint8_t epoch[YR_EPOCH_ID_LEN], bytes[YR_CONTENT_PAD + YR_TAG_LEN] = {0};
    struct yr_room_body body = {.kind = YR_ROOM_CONTENT,
                                .known = true,
                                .epoch = epoch,
                                .commit = bytes,
                                .nonce = bytes,
                                .data = bytes,
                                .data_len = sizeof bytes};

    sim_run(w.sim, MINUTE);
    for (size_t i = 0; i < 400; i++) {
        yr_random(room->owner->rng, epoch, sizeof epoch);
        assert_int_equal(yr_room_publish(rooms_of(&w, w.bob), room, &body), YR_OK);
        done_at(&w, w.bob);
    }
    sim_run(w.sim, MINUTE);
    assert_int_equal(room_at(&w, w.alice)->wait_count, 256);
    sim_crash(w.sim, w.alice);
    sim_restart(w.sim, w.alice);
    assert_int_equal(room_at(&w, w.alice)->wait_count, 256);
    yr_random(room->owner->rng, epoch, sizeof epoch);
    assert_int_equal(yr_room_publish(rooms_of(&w, w.bob), room, &body), YR_OK);
    done_at(&w, w.bob);
    sim_run(w.sim, MINUTE);
    assert_int_equal(room_at(&w, w.alice)->wait_count, 256);
    say(&w, w.bob, "and now a true one");
    sim_free(w.sim);
}

// It asks for what removed it sooner than that is on disk.
static void who_is_removed_hears_of_it_from_a_slow_store_too(void **state)
{
    struct world w = two_of_three(9, 0);
    struct yr_cmd cmd = in_room(&w, YR_CMD_ROOM_KICK);

    sim_run(w.sim, 10 * YR_S);
    sim_set_commit(w.sim, 400 * YR_MS);
    memcpy(cmd.who, sim_id(w.sim, w.bob), YR_ID_LEN);
    assert_int_equal(sim_do(w.sim, w.alice, &cmd).err, YR_OK);
    run_state(&w, w.bob, YR_ROOM_GONE);
    sim_free(w.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_for_epochs_is_replaced_each_week_and_gone_two_weeks_later),
        cmocka_unit_test(who_is_shut_out_again_and_again_writes_on_and_makes_few_epochs),
        cmocka_unit_test(who_is_shut_out_keeps_the_keys_that_others_may_yet_use),
        cmocka_unit_test(an_answer_to_an_invitation_is_good_for_nobody_else),
        cmocka_unit_test(history_is_given_by_who_added_the_newcomer_alone),
        cmocka_unit_test(two_texts_under_one_key_mark_who_wrote_them),
        cmocka_unit_test(who_makes_up_epochs_leaves_place_for_others_to_wait),
        cmocka_unit_test(who_is_removed_hears_of_it_from_a_slow_store_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
