/* What one neighbour can do to what goes on between others. */
#include "tests/support/test.h"

#include "tests/support/roomnet.h"

static struct roomnet net;

/* ---- who is none any more ---- */

static uint8_t after_removal[YR_REC_ID_LEN];
static size_t leaked;

static bool look_for_it(void *ctx, size_t from, size_t to, uint8_t type, const uint8_t *body,
                        size_t len)
{
    struct yr_room_record record;

    (void)ctx;
    if (from == 1 && to == 2 && (type == YR_FRAME_ROOM_NEW || type == YR_FRAME_ROOM_REC) &&
        yr_room_record_decode(&record, body + 2, len - 2) == YR_OK)
        leaked += memcmp(record.id, after_removal, YR_REC_ID_LEN) == 0;
    return from != 0 || type != YR_FRAME_ROOM_NEW;
}

// The text came first, and was held: with the removal both are taken in one go.
static void what_comes_with_a_removal_does_not_go_to_who_is_removed(void **state)
{
    struct slip removal, text;
    struct mate *founder;
    uint8_t frame[2048] = {0};

    roomnet_init(&net, 3, 1);
    founder = net.mates[0];
    roomnet_link(&net, 0, 1, 5);
    roomnet_link(&net, 1, 2, 5);
    roomnet_settle(&net);
    net.tap = look_for_it;
    leaked = 0;
    scribe_remove(&founder->scribe, &founder->keeper, &net.mates[2]->scribe, &removal);
    scribe_keep(&founder->keeper, &removal);
    scribe_text(&founder->scribe, &founder->keeper, "he is gone", &text);
    memcpy(after_removal, text.id, sizeof after_removal);
    memcpy(frame + 2, text.bytes, text.len);
    assert_int_equal(mate_hears(net.mates[1], 0, YR_FRAME_ROOM_NEW, frame, 2 + text.len), YR_OK);
    memcpy(frame + 2, removal.bytes, removal.len);
    assert_int_equal(mate_hears(net.mates[1], 0, YR_FRAME_ROOM_NEW, frame, 2 + removal.len), YR_OK);
    assert_true(yr_room_log_has(net.mates[1]->keeper.log, text.id));
    roomnet_run(&net, 1000);
    assert_int_equal(leaked, 0);
    assert_int_equal(yr_authority_rank(yr_room_log_authority(net.mates[2]->keeper.log),
                                       net.mates[2]->scribe.mid),
                     0);
    slip_clear(&removal);
    slip_clear(&text);
    roomnet_clear(&net);
}

/* ---- rounds of others ---- */

static bool asked;

static bool look_for_ask(void *ctx, size_t from, size_t to, uint8_t type, const uint8_t *body,
                         size_t len)
{
    (void)ctx;
    (void)body;
    (void)len;
    asked = asked || (from == 1 && to == 0 && type == YR_FRAME_ROOM_ASK);
    return true;
}

static void nobody_can_end_the_round_with_another_for_good(void **state)
{
    uint8_t told[2 + 4 + 1 + 24] = {0};
    size_t ended = 0;

    roomnet_init(&net, 3, 1);
    roomnet_link(&net, 0, 1, 5);
    roomnet_link(&net, 1, 2, 5);
    roomnet_settle(&net);
    roomnet_unlink(&net, 0, 1);
    for (size_t i = 0; i < 20; i++)
        mate_say(net.mates[0]);
    roomnet_link(&net, 0, 1, 50);
    net.tap = look_for_ask;
    asked = false;
    memset(told + 2, 0xff, 4); // as if we had been removed, and here were how
    told[6] = 1;
    for (size_t i = 0; i < 1000; i++) {
        roomnet_run(&net, 10);
        if (!asked)
            continue;
        asked = false;
        ended++;
        memset(told + 7, (int)ended, 24);
        assert_int_equal(mate_hears(net.mates[1], 2, YR_FRAME_ROOM_VEC, told, sizeof told), YR_OK);
    }
    assert_true(ended > 0);
    roomnet_run(&net, 10000);
    roomnet_assert_equal(&net);
    roomnet_clear(&net);
}

/* ---- trees ---- */

static void made_up_authors_take_no_tree_from_true_ones(void **state)
{
    uint8_t frame[512] = {0};
    uint64_t before;

    roomnet_init(&net, 4, 1);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = i + 1; k < 4; k++)
            roomnet_link(&net, i, k, 5);
    roomnet_settle(&net);
    for (size_t i = 0; i < 1100; i++) {
        const struct scribe *liar = &net.mates[2]->scribe;
        struct yr_room_record draft = {.class = YR_CLASS_MESSAGE, .known = true, .seq = 1};
        struct yr_room_body body = {.kind = YR_ROOM_CONTENT, .known = true};
        static const uint8_t some[64];
        struct slip slip;

        scribe_draft(&net.mates[2]->scribe, &net.mates[2]->keeper, YR_CLASS_MESSAGE, &draft);
        memcpy(draft.author, &i, sizeof i); // the signature is not looked at
        body.epoch = body.commit = body.nonce = body.data = some;
        body.data_len = YR_TAG_LEN;
        scribe_sign(liar, &draft, &body, &slip);
        memcpy(frame + 2, slip.bytes, slip.len);
        assert_int_equal(mate_hears(net.mates[1], 2, YR_FRAME_ROOM_NEW, frame, 2 + slip.len),
                         YR_OK);
        slip_clear(&slip);
    }
    for (size_t i = 0; i < 3; i++) {
        mate_say(net.mates[3]);
        roomnet_settle(&net);
    }
    before = mate_counter(net.mates[1], "room.sync.duplicate");
    for (size_t i = 0; i < 20; i++) {
        mate_say(net.mates[3]);
        roomnet_run(&net, 200);
    }
    assert_in_range(mate_counter(net.mates[1], "room.sync.duplicate") - before, 0, 3);
    roomnet_assert_equal(&net);
    roomnet_clear(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_with_a_removal_does_not_go_to_who_is_removed),
        cmocka_unit_test(nobody_can_end_the_round_with_another_for_good),
        cmocka_unit_test(made_up_authors_take_no_tree_from_true_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
