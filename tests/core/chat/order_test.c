/* Display order: equal for all who hold the same messages, causal, whatever clocks say. */
#include "tests/support/chats.h"
#include "tests/support/test.h"

#define MANY     40
#define TEN_Y_MS (INT64_C(3652) * 86400000)

/** A message as it is on the wire, and where it belongs once everything is known. */
struct said {
    uint8_t id[YR_MSG_ID_LEN];
    const struct talker *author;
    uint64_t hlc, seq, eff;
    size_t parents[YR_PARENTS_MAX], parent_count; /* indices */
    bool unknown_parent;
};

static struct talker alice, bob, carol, dave; /* what alice and bob say, carol and dave hold */
static struct said said[256];
static struct yr_message message;

static int set_up(void **state)
{
    struct talker *all[] = {&alice, &bob, &carol, &dave};

    for (size_t i = 0; i < 4; i++)
        talker_init(all[i], (char)('a' + i), 11);
    talker_befriend(&carol, &alice); // the conversation is named after alice at both
    talker_befriend(&dave, &alice);
    talker_befriend(&alice, &bob);
    talker_befriend(&bob, &alice);
    return 0;
}

static int tear_down(void **state)
{
    talker_clear(&alice);
    talker_clear(&bob);
    talker_clear(&carol);
    talker_clear(&dave);
    return 0;
}

static struct yr_plain plain_of(const struct said *s)
{
    static const uint8_t log[YR_INCARNATION_LEN] = {9}, nobody[YR_MSG_ID_LEN] = {0xee};
    struct yr_plain p = {.type = YR_PLAIN_TEXT,
                         .id = s->id,
                         .hlc = s->hlc,
                         .seq = s->seq,
                         .incarnation = log,
                         .text = s->id,
                         .text_len = 1};

    for (size_t i = 0; i < s->parent_count; i++)
        p.parents[p.parent_count++] = said[s->parents[i]].id;
    if (s->unknown_parent)
        p.parents[p.parent_count++] = nobody;
    return p;
}

static enum yr_err take(struct talker *t, const struct said *s)
{
    const struct yr_plain plain = plain_of(s);
    static uint8_t bytes[YR_PLAIN_MAX];
    struct yr_chat_aside aside;
    size_t len;

    assert_int_equal(yr_plain_encode(&plain, bytes, sizeof bytes, &len), YR_OK);
    return yr_chat_receive(t->chats, t->now, alice.id, s->author->id, bytes, len, &aside);
}

// `count` messages with random parents among earlier ones, and clocks that mean nothing.
static void invent(struct seeded *rng, size_t count, bool unknown_parents)
{
    uint64_t seq[2] = {0, 0};

    for (size_t i = 0; i < count; i++) {
        struct said *s = &said[i];
        const size_t who = seeded_below(rng, 2);
        const size_t cites = i > 0 ? seeded_below(rng, YR_PARENTS_MAX) : 0;
        const yr_ms ms =
            alice.now.wall_ms + (yr_ms)seeded_below(rng, 20) * 1000 +
            (seeded_below(rng, 4) == 0 ? (yr_ms)seeded_below(rng, 3) * TEN_Y_MS - TEN_Y_MS : 0);

        memset(s, 0, sizeof *s);
        memset(s->id, 'A' + (int)(i % 26), sizeof s->id);
        s->id[1] = (uint8_t)(i >> 8);
        s->id[2] = (uint8_t)i;
        s->author = who == 0 ? &alice : &bob;
        s->seq = ++seq[who];
        s->hlc = (uint64_t)ms << 16;
        if (seeded_below(rng, 20) == 0)
            s->hlc = seeded_below(rng, 2) == 0 ? UINT64_MAX : 0;
        for (size_t k = 0; k < cites; k++) // mostly recent ones, so that chains grow
            s->parents[s->parent_count++] = i - 1 - seeded_below(rng, YR_MIN(i, 6));
        s->unknown_parent = unknown_parents && seeded_below(rng, 8) == 0;
        s->eff = YR_MIN(s->hlc, (uint64_t)INT64_MAX);
        for (size_t k = 0; k < s->parent_count; k++)
            s->eff = YR_MAX(s->eff, said[s->parents[k]].eff + 1);
    }
}

static void shuffle(struct seeded *rng, size_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        const size_t j = seeded_below(rng, i), swap = order[j];

        order[j] = order[i - 1];
        order[i - 1] = swap;
    }
}

static int compare_said(const void *a, const void *b)
{
    const struct said *const *x = a, *const *y = b;
    int order;

    if ((*x)->eff != (*y)->eff)
        return (*x)->eff < (*y)->eff ? -1 : 1;
    order = memcmp((*x)->author->id, (*y)->author->id, YR_ID_LEN);
    return order != 0 ? order : ((*x)->seq > (*y)->seq) - ((*x)->seq < (*y)->seq);
}

// The history of `t` is exactly what the model says, walked in both directions.
static void assert_model(struct talker *t, size_t count)
{
    const struct said *expected[256];
    struct yr_place at = {{0}};
    enum yr_seek how = YR_SEEK_GE;

    for (size_t i = 0; i < count; i++)
        expected[i] = &said[i];
    qsort(expected, count, sizeof expected[0], compare_said);
    for (size_t i = 0; i < count; i++, how = YR_SEEK_GT) {
        assert_int_equal(yr_chat_history(t->chats, alice.id, how, &at, &message), YR_OK);
        assert_memory_equal(message.id, expected[i]->id, YR_MSG_ID_LEN);
    }
    assert_int_equal(yr_chat_history(t->chats, alice.id, how, &at, &message), YR_ENOENT);
    memset(at.key, 0xff, sizeof at.key);
    how = YR_SEEK_LE;
    for (size_t i = count; i-- > 0; how = YR_SEEK_LT) {
        assert_int_equal(yr_chat_history(t->chats, alice.id, how, &at, &message), YR_OK);
        assert_memory_equal(message.id, expected[i]->id, YR_MSG_ID_LEN);
    }
    assert_int_equal(yr_chat_history(t->chats, alice.id, how, &at, &message), YR_ENOENT);
}

static void every_permutation_ends_in_the_same_order_whatever_clocks_say(void **state)
{
    struct seeded rng;

    seeded_init(&rng, seeded_seed("order", 20261122));
    for (int round = 0; round < 60; round++) {
        const size_t count = 2 + seeded_below(&rng, MANY);
        size_t order[MANY + 2];

        set_up(state);
        invent(&rng, count, round % 3 == 2);
        shuffle(&rng, order, count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(take(&carol, &said[order[i]]), YR_OK);
        shuffle(&rng, order, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(take(&dave, &said[order[i]]), YR_OK);
            if (seeded_below(&rng, 5) == 0)
                talker_commit(&dave);
            if (seeded_below(&rng, 10) == 0) {
                talker_commit(&dave);
                talker_crash(&dave, 0);
            }
        }
        talker_commit(&carol);
        assert_model(&carol, count);
        assert_model(&dave, count);
        tear_down(state);
    }
    set_up(state); // for the tear-down of the test
}

static void a_message_never_stands_above_what_it_answers(void **state)
{
    // alice's clock runs ten years ahead; bob's answer carries his own time
    said[0] = (struct said){.id = {1}, .author = &alice, .seq = 1};
    said[0].hlc = (uint64_t)(alice.now.wall_ms + TEN_Y_MS) << 16;
    said[0].eff = said[0].hlc;
    said[1] = (struct said){.id = {2}, .author = &bob, .seq = 1, .parent_count = 1};
    said[1].hlc = (uint64_t)alice.now.wall_ms << 16;
    said[1].eff = said[0].eff + 1;
    assert_int_equal(take(&carol, &said[0]), YR_OK);
    assert_int_equal(take(&carol, &said[1]), YR_OK);
    assert_model(&carol, 2);
    assert_int_equal(take(&dave, &said[1]), YR_OK); // and the other way round
    assert_int_equal(take(&dave, &said[0]), YR_OK);
    assert_model(&dave, 2);
    assert_int_equal(yr_chat_message(dave.chats, said[1].id, &message), YR_OK);
    assert_int_equal(message.time_ms, alice.now.wall_ms); // shown as sent all the same
}

static void a_long_chain_delivered_backwards_is_put_in_order(void **state)
{
    const size_t count = 250;

    for (size_t i = 0; i < count; i++) {
        said[i] = (struct said){.author = i % 2 == 0 ? &alice : &bob, .seq = i + 1};
        said[i].id[0] = 7;
        said[i].id[1] = (uint8_t)i;
        said[i].hlc = (uint64_t)(alice.now.wall_ms - (yr_ms)i * 1000) << 16; // clocks go backwards
        said[i].parent_count = i > 0 ? 1 : 0;
        said[i].parents[0] = i > 0 ? i - 1 : 0;
        said[i].eff = said[0].hlc + i;
    }
    for (size_t i = count; i-- > 0;)
        assert_int_equal(take(&carol, &said[i]), YR_OK);
    assert_model(&carol, count);
    talker_commit(&carol);
    talker_crash(&carol, 0);
    assert_model(&carol, count);
    // Everyone has its ancestors, so nobody waits: per message a record, an index and an event,
    // and one row each of ours and of the conversation.  Neither does who cites one of them.
    assert_int_equal(yr_memstore_count(carol.store, YR_DB_MAIN), 3 * count + 2);
    said[count] = (struct said){.id = {8},
                                .author = &bob,
                                .seq = 999,
                                .hlc = said[0].hlc + 300,
                                .eff = said[0].hlc + 300,
                                .parent_count = 2,
                                .parents = {100, 249}};
    assert_int_equal(take(&carol, &said[count]), YR_OK);
    talker_commit(&carol);
    assert_model(&carol, count + 1);
    assert_int_equal(yr_memstore_count(carol.store, YR_DB_MAIN), 3 * count + 5);
}

static void what_waits_for_ancestors_that_never_come_is_bounded(void **state)
{
    size_t rows;

    // 5,000 texts, each after one that was lost
    for (size_t i = 0; i < 5000; i++) {
        struct said s = {.author = &alice, .seq = i + 1, .unknown_parent = true};

        s.id[0] = 1;
        s.id[1] = (uint8_t)(i >> 8);
        s.id[2] = (uint8_t)i;
        s.hlc = (uint64_t)(alice.now.wall_ms + (yr_ms)i) << 16;
        assert_int_equal(take(&carol, &s), YR_OK);
        if (i % 500 == 0)
            talker_commit(&carol);
    }
    talker_commit(&carol);
    assert_true(talker_counter(&carol, "chat.gave_up") >= 4);
    rows = yr_memstore_count(carol.store, YR_DB_MAIN);
    assert_true(rows < 3 * 5000 + YR_EDGES_MAX + 10);
}

static void ids_that_cite_each_other_in_a_circle_do_no_harm(void **state)
{
    for (size_t i = 0; i < 12; i++) {
        said[i] = (struct said){.author = &alice, .seq = i + 1, .hlc = 1000 * i, .parent_count = 2};
        said[i].id[0] = (uint8_t)(i + 1);
        said[i].parents[0] = (i + 1) % 12;
        said[i].parents[1] = (i + 5) % 12;
    }
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(take(&carol, &said[(i * 7) % 12]), YR_OK);
    said[12] = (struct said){.author = &bob,
                             .seq = 1,
                             .hlc = 5,
                             .parent_count = 3,
                             .parents = {0, 5, 12},
                             .id = {13}}; // cites itself too
    assert_int_equal(take(&carol, &said[12]), YR_OK);
    for (size_t i = 0; i < 13; i++)
        assert_int_equal(yr_chat_message(carol.chats, said[i].id, &message), YR_OK);
    talker_commit(&carol);
}

// The ids in display order, as bytes of their first byte.
static void order_of(struct talker *t, uint8_t *out, size_t count)
{
    struct yr_place at = {{0}};

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(
            yr_chat_history(t->chats, alice.id, i == 0 ? YR_SEEK_GE : YR_SEEK_GT, &at, &message),
            YR_OK);
        out[i] = message.id[0];
    }
    assert_int_equal(yr_chat_history(t->chats, alice.id, YR_SEEK_GT, &at, &message), YR_ENOENT);
}

static void two_texts_that_claim_one_place_stand_in_one_order_whichever_came_first(void **state)
{
    uint8_t order[2], other[2];

    said[0] = (struct said){.id = {1}, .author = &alice, .seq = 1, .hlc = 77};
    said[1] = (struct said){.id = {2}, .author = &alice, .seq = 1, .hlc = 77};
    assert_int_equal(take(&carol, &said[0]), YR_OK);
    assert_int_equal(take(&carol, &said[1]), YR_OK);
    assert_int_equal(take(&dave, &said[1]), YR_OK);
    assert_int_equal(take(&dave, &said[0]), YR_OK);
    order_of(&carol, order, 2);
    order_of(&dave, other, 2);
    assert_memory_equal(order, other, sizeof order);
    assert_int_equal(talker_counter(&carol, "chat.clash"), 0);
}

static void a_text_that_moves_to_the_place_of_another_stands_beside_it(void **state)
{
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    uint8_t first[3], order[3];

    // 1 cites 0: its place is that of 2, but for the id
    said[0] = (struct said){.id = {1}, .author = &alice, .seq = 1, .hlc = 99};
    said[1] = (struct said){.id = {2}, .author = &alice, .seq = 2, .hlc = 50, .parent_count = 1};
    said[2] = (struct said){.id = {3}, .author = &alice, .seq = 2, .hlc = 100};
    for (size_t i = 0; i < YR_COUNT(orders); i++) {
        if (i > 0) {
            talker_clear(&carol);
            talker_init(&carol, 'c', 9 + i);
            talker_befriend(&carol, &alice);
        }
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(take(&carol, &said[orders[i][k]]), YR_OK);
        order_of(&carol, i == 0 ? first : order, 3);
        if (i > 0)
            assert_memory_equal(first, order, sizeof first);
    }
}

static void parents_are_the_heads_of_what_was_known(void **state)
{
    uint8_t first[YR_MSG_ID_LEN], second[YR_MSG_ID_LEN], id[YR_MSG_ID_LEN];
    struct yr_plain plain;
    size_t a = 0, b = 0;

    talker_say(&alice, &bob, "one", first);
    talker_say(&bob, &alice, "two", second); // at the same time
    talker_hand_over(&alice, &bob, &a);
    talker_hand_over(&bob, &alice, &b);
    talker_say(&alice, &bob, "three", id);
    assert_int_equal(yr_plain_decode(&plain, alice.out[a].bytes, alice.out[a].len), YR_OK);
    assert_int_equal(plain.parent_count, 2); // both, and nothing older
    talker_hand_over(&alice, &bob, &a);
    talker_say(&bob, &alice, "four", NULL);
    assert_int_equal(yr_plain_decode(&plain, bob.out[b].bytes, bob.out[b].len), YR_OK);
    assert_int_equal(plain.parent_count, 1);
    assert_memory_equal(plain.parents[0], id, YR_MSG_ID_LEN);
    assert_int_equal(plain.seq, 2);
}

static void a_parent_that_comes_after_its_child_is_no_head(void **state)
{
    struct yr_plain plain;

    talker_say(&alice, &bob, "one", NULL);
    talker_say(&alice, &bob, "two", NULL);
    assert_int_equal(talker_receive(&bob, &alice, &alice.out[1]), YR_OK);
    assert_int_equal(talker_receive(&bob, &alice, &alice.out[0]), YR_OK);
    talker_say(&bob, &alice, "answer", NULL);
    assert_int_equal(yr_plain_decode(&plain, bob.out[0].bytes, bob.out[0].len), YR_OK);
    assert_int_equal(plain.parent_count, 1);
    assert_memory_equal(plain.parents[0], alice.out[1].id, YR_MSG_ID_LEN);
}

static void there_are_at_most_four_parents_and_the_rest_is_cited_later(void **state)
{
    struct yr_plain plain;

    for (size_t i = 0; i < 12; i++) { // of bob's, that know nothing of each other
        said[i] = (struct said){.author = &bob, .seq = i + 1, .hlc = 10 + i};
        said[i].id[0] = (uint8_t)(i + 1);
        const struct yr_plain p = plain_of(&said[i]);
        assert_int_equal(talker_take(&alice, &bob, &p), YR_OK);
    }
    talker_say(&alice, &bob, "x", NULL);
    assert_int_equal(yr_plain_decode(&plain, alice.out[0].bytes, alice.out[0].len), YR_OK);
    assert_int_equal(plain.parent_count, 4);
    for (size_t i = 0; i < 4; i++) // the last four
        assert_memory_equal(plain.parents[i], said[11 - i].id, YR_MSG_ID_LEN);
    talker_say(&alice, &bob, "y", NULL);
    assert_int_equal(yr_plain_decode(&plain, alice.out[1].bytes, alice.out[1].len), YR_OK);
    assert_int_equal(plain.parent_count, 4); // the first text and three before
    assert_memory_equal(plain.parents[0], alice.out[0].id, YR_MSG_ID_LEN);
    assert_memory_equal(plain.parents[3], said[5].id, YR_MSG_ID_LEN);
    talker_say(&alice, &bob, "z", NULL);
    assert_int_equal(yr_plain_decode(&plain, alice.out[2].bytes, alice.out[2].len), YR_OK);
    assert_int_equal(plain.parent_count, 2); // eight were remembered
}

// A text of theirs that nobody has yet is taken back.
static void take_back(struct talker *t, const struct parcel *parcel)
{
    struct yr_plain plain;

    assert_int_equal(yr_plain_decode(&plain, parcel->bytes, parcel->len), YR_OK);
    if (plain.type != YR_PLAIN_TEXT)
        return;
    t->recallable = true;
    assert_int_equal(yr_chat_delete(t->chats, t->now, parcel->id, false), YR_OK);
    t->recallable = false;
}

// Both talk with clocks that jump by years, and take back some of it; what is on the way arrives in
// any order.
static void two_members_with_wrong_clocks_see_one_history(void **state)
{
    struct seeded rng;
    uint8_t ids[64][YR_MSG_ID_LEN];
    struct yr_place at_a, at_b;
    enum yr_seek how;
    bool *taken_a, *taken_b;
    size_t texts = 0, gone = 0;

    seeded_init(&rng, seeded_seed("clocks", 77));
    taken_a = calloc(4096, sizeof *taken_a);
    taken_b = calloc(4096, sizeof *taken_b);
    for (int step = 0; step < 400; step++) {
        struct talker *who = seeded_below(&rng, 2) == 0 ? &alice : &bob;
        struct talker *other = who == &alice ? &bob : &alice;
        bool *taken = who == &alice ? taken_a : taken_b;

        who->now.wall_ms = INT64_C(1790000000000) + (yr_ms)seeded_below(&rng, 3) * TEN_Y_MS -
                           TEN_Y_MS + (yr_ms)seeded_below(&rng, 100000);
        if (texts < YR_COUNT(ids) && seeded_below(&rng, 4) == 0)
            talker_say(who, other, "text", ids[texts++]);
        if (who->out_count > 0) {
            const size_t i = seeded_below(&rng, who->out_count);

            if (!taken[i] && seeded_below(&rng, 3) == 0)
                take_back(who, &who->out[i]);
            if (!taken[i] && !who->out[i].recalled)
                assert_int_equal(talker_receive(other, who, &who->out[i]), YR_OK);
            taken[i] = true;
        }
        if (seeded_below(&rng, 9) == 0)
            talker_commit(other);
    }
    for (size_t i = 0; i < alice.out_count; i++)
        if (!taken_a[i] && !alice.out[i].recalled)
            assert_int_equal(talker_receive(&bob, &alice, &alice.out[i]), YR_OK);
    for (size_t i = 0; i < bob.out_count; i++)
        if (!taken_b[i] && !bob.out[i].recalled)
            assert_int_equal(talker_receive(&alice, &bob, &bob.out[i]), YR_OK);
    free(taken_a);
    free(taken_b);

    memset(&at_a, 0, sizeof at_a);
    memset(&at_b, 0, sizeof at_b);
    how = YR_SEEK_GE;
    for (size_t i = 0; i < texts; i++, how = YR_SEEK_GT) {
        bool deleted;

        assert_int_equal(yr_chat_history(alice.chats, bob.id, how, &at_a, &message), YR_OK);
        deleted = message.deleted;
        gone += deleted;
        assert_int_equal(yr_chat_history(bob.chats, alice.id, how, &at_b, &message), YR_OK);
        assert_memory_equal(&at_a, &at_b, sizeof at_a);
        assert_int_equal(message.deleted, deleted);
    }
    assert_int_equal(yr_chat_history(alice.chats, bob.id, how, &at_a, &message), YR_ENOENT);
    assert_true(gone > 0);
    for (size_t i = 0; i < texts; i++) { // one author's texts never swap
        struct yr_place first, second;
        uint8_t conv[YR_ID_LEN];
        bool own;

        assert_int_equal(yr_chat_message(alice.chats, ids[i], &message), YR_OK);
        own = message.own;
        assert_int_equal(yr_chat_place(alice.chats, ids[i], conv, &first), YR_OK);
        for (size_t k = i + 1; k < texts; k++) {
            assert_int_equal(yr_chat_message(alice.chats, ids[k], &message), YR_OK);
            if (message.own != own)
                continue;
            assert_int_equal(yr_chat_place(alice.chats, ids[k], conv, &second), YR_OK);
            assert_true(memcmp(&first, &second, sizeof first) < 0);
        }
    }
}

static void
what_answered_a_text_that_was_taken_back_stays_behind_what_that_had_answered(void **state)
{
    uint8_t ids[3][YR_MSG_ID_LEN];

    bob.now.wall_ms += 10 * YR_CLOCK_SKEW_MS; // further than alice's clock follows
    talker_say(&bob, &alice, "from the future", ids[0]);
    assert_int_equal(talker_receive(&alice, &bob, &bob.out[0]), YR_OK);
    alice.recallable = true;
    talker_say(&alice, &bob, "oops", ids[1]);
    talker_say(&alice, &bob, "so it is", ids[2]);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, ids[1], false), YR_OK);
    for (size_t i = 0; i < alice.out_count; i++)
        if (!alice.out[i].recalled)
            assert_int_equal(talker_receive(&bob, &alice, &alice.out[i]), YR_OK);
    for (struct talker *t = &alice; t != NULL; t = t == &alice ? &bob : NULL) {
        struct yr_place at = {{0}};
        const uint8_t *conv = t == &alice ? bob.id : alice.id;

        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(yr_chat_history(t->chats, conv, YR_SEEK_GT, &at, &message), YR_OK);
            assert_memory_equal(message.id, ids[i], YR_MSG_ID_LEN);
            assert_int_equal(message.deleted, i == 1);
        }
    }
}

static void a_friend_from_the_future_pins_nothing_below_what_is_said_next(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], conv[YR_ID_LEN];
    struct yr_place at, mine;
    struct yr_plain plain;

    said[0] = (struct said){.id = {1}, .author = &bob, .seq = 1, .hlc = UINT64_MAX};
    plain = plain_of(&said[0]);
    assert_int_equal(talker_take(&alice, &bob, &plain), YR_OK);
    talker_say(&alice, &bob, "after", id);
    memset(at.key, 0xff, sizeof at.key);
    assert_int_equal(yr_chat_history(alice.chats, bob.id, YR_SEEK_LE, &at, &message), YR_OK);
    assert_memory_equal(message.id, id, YR_MSG_ID_LEN);
    assert_int_equal(yr_chat_place(alice.chats, id, conv, &mine), YR_OK);
    assert_memory_equal(&at, &mine, sizeof at);
    // and our own clock went two minutes ahead, not further
    assert_int_equal(message.time_ms, alice.now.wall_ms + YR_CLOCK_SKEW_MS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_permutation_ends_in_the_same_order_whatever_clocks_say,
                                  tear_down),
        TEST(a_message_never_stands_above_what_it_answers),
        TEST(a_long_chain_delivered_backwards_is_put_in_order),
        TEST(what_waits_for_ancestors_that_never_come_is_bounded),
        TEST(ids_that_cite_each_other_in_a_circle_do_no_harm),
        TEST(two_texts_that_claim_one_place_stand_in_one_order_whichever_came_first),
        TEST(a_text_that_moves_to_the_place_of_another_stands_beside_it),
        TEST(parents_are_the_heads_of_what_was_known),
        TEST(a_parent_that_comes_after_its_child_is_no_head),
        TEST(there_are_at_most_four_parents_and_the_rest_is_cited_later),
        TEST(two_members_with_wrong_clocks_see_one_history),
        TEST(what_answered_a_text_that_was_taken_back_stays_behind_what_that_had_answered),
        TEST(a_friend_from_the_future_pins_nothing_below_what_is_said_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
