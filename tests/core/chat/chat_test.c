/* What is said in a conversation, by us and by others, and what becomes of it. */
#include "tests/support/chats.h"
#include "tests/support/test.h"

#include <stdio.h>

static struct talker alice, bob;
static size_t to_bob, to_alice; /* how far each outbox was handed over */
static struct yr_message message;
static char long_text[YR_TEXT_MAX + 2];

static int set_up(void **state)
{
    talker_init(&alice, 'a', 3);
    talker_init(&bob, 'b', 3);
    talker_befriend(&alice, &bob);
    talker_befriend(&bob, &alice);
    to_bob = to_alice = 0;
    memset(long_text, 'x', sizeof long_text - 1);
    return 0;
}

static int tear_down(void **state)
{
    talker_clear(&alice);
    talker_clear(&bob);
    return 0;
}

// Flush both and hand over everything, receipts too.
static void exchange(void)
{
    for (int i = 0; i < 3; i++) {
        talker_commit(&alice);
        talker_hand_over(&alice, &bob, &to_bob);
        talker_commit(&bob);
        talker_hand_over(&bob, &alice, &to_alice);
    }
    talker_commit(&alice);
}

static const struct yr_message *see(struct talker *t, const uint8_t id[YR_MSG_ID_LEN])
{
    assert_int_equal(yr_chat_message(t->chats, id, &message), YR_OK);
    return &message;
}

static enum yr_err try_send(struct talker *t, const struct talker *to, const void *text, size_t len,
                            const uint8_t *reply_to, const char *key, uint8_t id[YR_MSG_ID_LEN])
{
    return yr_chat_send(t->chats, t->now, to->id, false, text, len, reply_to, key,
                        key != NULL ? strlen(key) : 0, id);
}

// The next event of this kind among those told; its message in *id.
static bool told(struct talker *t, enum yr_event_kind kind, uint8_t id[YR_MSG_ID_LEN],
                 enum yr_state *what)
{
    struct yr_event event;

    while (talker_event(t, &event))
        if (event.kind == kind) {
            memcpy(id, event.msg, YR_MSG_ID_LEN);
            *what = event.state;
            return true;
        }
    return false;
}

// ---- texts ----

static void a_text_arrives_as_it_was_said(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], answer[YR_MSG_ID_LEN];
    const struct yr_message *m;

    talker_say(&alice, &bob, "is the build green?", id);
    exchange();
    bob.now.wall_ms += 5000;
    assert_int_equal(
        yr_chat_send(bob.chats, bob.now, alice.id, true, "nods", 4, id, NULL, 0, answer), YR_OK);
    exchange();
    m = see(&bob, id);
    assert_string_equal(m->text, "is the build green?");
    assert_int_equal(m->kind, YR_MSG_TEXT);
    assert_memory_equal(m->author, alice.id, YR_ID_LEN);
    assert_memory_equal(m->conv, alice.id, YR_ID_LEN);
    assert_false(m->own);
    assert_true(m->unread);
    assert_int_equal(m->time_ms, alice.now.wall_ms);
    m = see(&alice, answer);
    assert_string_equal(m->text, "nods");
    assert_int_equal(m->kind, YR_MSG_ACTION);
    assert_memory_equal(m->reply_to, id, YR_MSG_ID_LEN);
    assert_int_equal(m->time_ms, bob.now.wall_ms);
    m = see(&bob, answer);
    assert_true(m->own);
    assert_false(m->unread);
    assert_int_equal(m->seq, 1);
}

static void texts_over_the_limits_are_refused_and_nothing_is_stored(void **state)
{
    uint8_t id[YR_MSG_ID_LEN] = {0}, stranger[YR_ID_LEN] = {9}, nothing[YR_MSG_ID_LEN] = {7};
    const size_t rows = yr_memstore_count(alice.store, YR_DB_MAIN);

    assert_int_equal(try_send(&alice, &bob, "", 0, NULL, NULL, id), YR_ESIZE);
    assert_int_equal(try_send(&alice, &bob, long_text, YR_TEXT_MAX + 1, NULL, NULL, id), YR_ESIZE);
    assert_int_equal(try_send(&alice, &bob, "a\0b", 3, NULL, NULL, id), YR_EINVAL);
    assert_int_equal(try_send(&alice, &bob, "\xff", 1, NULL, NULL, id), YR_EINVAL);
    assert_int_equal(try_send(&alice, &bob, "x", 1, nothing, NULL, id), YR_ENOENT);
    assert_int_equal(
        yr_chat_send(alice.chats, alice.now, stranger, false, "x", 1, NULL, NULL, 0, id),
        YR_ENOFRIEND);
    assert_int_equal(
        yr_chat_send(alice.chats, alice.now, bob.id, false, "x", 1, NULL, long_text, 65, id),
        YR_ESIZE);
    assert_int_equal(alice.out_count, 0);
    talker_commit(&alice);
    assert_true(yr_memstore_count(alice.store, YR_DB_MAIN) <= rows + 1); // our incarnation
    assert_int_equal(try_send(&alice, &bob, long_text, YR_TEXT_MAX, NULL, NULL, id), YR_OK);
    exchange();
    assert_int_equal(see(&bob, id)->text_len, YR_TEXT_MAX);
}

static void what_deliver_refuses_did_not_happen(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], kept[YR_MSG_ID_LEN];
    struct yr_place at = {{0}};

    talker_say(&alice, &bob, "kept", kept);
    alice.refuse = YR_EFULL;
    assert_int_equal(try_send(&alice, &bob, "x", 1, NULL, NULL, id), YR_EFULL);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, kept, "y", 1), YR_EFULL);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, kept, false), YR_EFULL);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, kept, "+", 1, false), YR_EFULL);
    alice.refuse = YR_OK;
    assert_string_equal(see(&alice, kept)->text, "kept");
    assert_false(message.deleted || message.edited || message.reaction_count > 0);
    assert_int_equal(yr_chat_history(alice.chats, bob.id, YR_SEEK_GE, &at, &message), YR_OK);
    assert_int_equal(yr_chat_history(alice.chats, bob.id, YR_SEEK_GT, &at, &message), YR_ENOENT);
}

static void a_note_to_self_is_delivered_to_nobody_else(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];

    talker_say(&alice, &alice, "remember", id);
    talker_commit(&alice);
    assert_int_equal(alice.out_count, 0);
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
    assert_true(message.own);
    assert_false(message.unread);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, id, "remember!", 9), YR_OK);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, id, "+", 1, false), YR_OK);
    assert_string_equal(see(&alice, id)->text, "remember!");
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, false), YR_OK);
    assert_true(see(&alice, id)->deleted);
    assert_int_equal(alice.out_count, 0);
}

static void a_key_used_again_within_a_day_gives_the_first_message(void **state)
{
    uint8_t first[YR_MSG_ID_LEN], second[YR_MSG_ID_LEN];

    assert_int_equal(try_send(&alice, &bob, "once", 4, NULL, "key 1", first), YR_OK);
    alice.now.wall_ms += 23 * 3600 * 1000;
    assert_int_equal(try_send(&alice, &bob, "once", 4, NULL, "key 1", second), YR_EEXIST);
    assert_memory_equal(first, second, sizeof first);
    talker_commit(&alice);
    talker_crash(&alice, alice.out_count);
    memset(second, 0, sizeof second);
    assert_int_equal(try_send(&alice, &bob, "once", 4, NULL, "key 1", second), YR_EEXIST);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(try_send(&alice, &bob, "other", 5, NULL, "key 2", second), YR_OK);
    assert_memory_not_equal(first, second, sizeof first);
    alice.now.wall_ms += 2 * 3600 * 1000;
    assert_int_equal(try_send(&alice, &bob, "again", 5, NULL, "key 1", second), YR_OK);
    assert_memory_not_equal(first, second, sizeof first);
    assert_int_equal(alice.out_count, 3);
}

static void old_keys_leave_while_new_ones_come(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];
    char key[16];
    size_t rows;

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "old %d", i);
        assert_int_equal(try_send(&alice, &alice, "x", 1, NULL, key, id), YR_OK);
    }
    talker_commit(&alice);
    rows = yr_memstore_count(alice.store, YR_DB_MAIN);
    alice.now.wall_ms += INT64_C(25) * 3600 * 1000;
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "new %d", i);
        assert_int_equal(try_send(&alice, &alice, "x", 1, NULL, key, id), YR_OK);
    }
    talker_commit(&alice);
    // 200 times record, index and event more; the 200 old keys are gone
    assert_int_equal(yr_memstore_count(alice.store, YR_DB_MAIN), rows + 600);
}

// ---- once ----

static void the_same_text_again_is_shown_once(void **state)
{
    struct yr_place at = {{0}};

    talker_say(&alice, &bob, "once", NULL);
    assert_int_equal(talker_receive(&bob, &alice, &alice.out[0]), YR_OK);
    assert_int_equal(talker_receive(&bob, &alice, &alice.out[0]), YR_EEXIST);
    talker_commit(&bob);
    talker_crash(&bob, bob.out_count);
    assert_int_equal(talker_receive(&bob, &alice, &alice.out[0]), YR_EEXIST);
    assert_int_equal(talker_counter(&bob, "chat.duplicate"), 1);
    assert_int_equal(yr_chat_history(bob.chats, alice.id, YR_SEEK_GE, &at, &message), YR_OK);
    assert_int_equal(yr_chat_history(bob.chats, alice.id, YR_SEEK_GT, &at, &message), YR_ENOENT);
}

static struct yr_plain text_of(const uint8_t id[YR_MSG_ID_LEN], uint64_t seq, const char *text)
{
    static const uint8_t log[YR_INCARNATION_LEN] = {5};

    return (struct yr_plain){.type = YR_PLAIN_TEXT,
                             .id = id,
                             .hlc = seq << 20,
                             .seq = seq,
                             .incarnation = log,
                             .text = (const uint8_t *)text,
                             .text_len = strlen(text)};
}

static void an_id_used_again_for_another_text_is_dropped_and_counted(void **state)
{
    const uint8_t id[YR_MSG_ID_LEN] = {1};
    struct yr_plain plain = text_of(id, 1, "first");

    assert_int_equal(talker_take(&bob, &alice, &plain), YR_OK);
    plain = text_of(id, 2, "second");
    assert_int_equal(talker_take(&bob, &alice, &plain), YR_EEXIST);
    assert_int_equal(talker_counter(&bob, "chat.conflict"), 1);
    assert_string_equal(see(&bob, id)->text, "first");
}

static void an_id_of_another_conversation_or_author_is_neither_touched_nor_shown(void **state)
{
    struct talker mallory;
    uint8_t id[YR_MSG_ID_LEN], own[YR_MSG_ID_LEN];
    struct yr_plain plain, op = {.type = YR_PLAIN_DELETE};
    size_t out;

    talker_init(&mallory, 'm', 3);
    talker_befriend(&bob, &mallory);
    talker_say(&alice, &bob, "for bob", id);
    exchange();
    talker_say(&bob, &alice, "from bob", own);
    out = bob.out_count;

    plain = text_of(id, 1, "stolen");
    assert_int_equal(talker_take(&bob, &mallory, &plain), YR_EPROTO);
    op.id = (const uint8_t *)"0123456789abcdef";
    op.target = id;
    assert_int_equal(talker_take(&bob, &mallory, &op), YR_EPROTO);
    op.type = YR_PLAIN_REACTION;
    op.text = (const uint8_t *)"+";
    op.text_len = 1;
    assert_int_equal(talker_take(&bob, &mallory, &op), YR_EPROTO);
    plain = text_of(own, 1, "echo"); // our own id, in the right conversation
    assert_int_equal(talker_take(&bob, &alice, &plain), YR_EPROTO);
    plain = (struct yr_plain){.type = YR_PLAIN_READ, .id = op.id, .ids = {own, id}, .id_count = 2};
    assert_int_equal(talker_take(&bob, &mallory, &plain), YR_OK); // says nothing, does nothing
    assert_int_equal(talker_counter(&bob, "chat.foreign"), 4);
    assert_string_equal(see(&bob, id)->text, "for bob");
    assert_int_equal(message.reaction_count, 0);
    assert_int_equal(see(&bob, own)->state, YR_STATE_ACCEPTED);
    talker_commit(&bob);
    assert_int_equal(bob.out_count, out); // mallory is told nothing
    talker_clear(&mallory);
}

static void our_own_words_from_another_mouth_are_refused(void **state)
{
    const uint8_t id[YR_MSG_ID_LEN] = {1}, zero[YR_ID_LEN] = {0};
    struct yr_plain plain = text_of(id, 1, "I said this");
    struct yr_chat_aside aside;
    uint8_t bytes[256];
    size_t len;

    assert_int_equal(yr_plain_encode(&plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_chat_receive(bob.chats, bob.now, alice.id, bob.id, bytes, len, &aside),
                     YR_EPROTO);
    assert_int_equal(yr_chat_receive(bob.chats, bob.now, zero, alice.id, bytes, len, &aside),
                     YR_EPROTO);
    plain = text_of(zero, 1, "no id");
    assert_int_equal(talker_take(&bob, &alice, &plain), YR_EPROTO);
    plain = text_of(id, 1, "no incarnation");
    plain.incarnation = NULL;
    assert_int_equal(talker_take(&bob, &alice, &plain), YR_EPROTO);
    plain = (struct yr_plain){.type = YR_PLAIN_DELETE, .id = id, .target = zero};
    assert_int_equal(talker_take(&bob, &alice, &plain), YR_EPROTO);
    assert_int_equal(talker_counter(&bob, "chat.malformed"), 5);
    assert_int_equal(yr_chat_message(bob.chats, id, &message), YR_ENOENT);
}

static void ids_of_one_transaction_are_neighbours_and_those_of_two_are_not(void **state)
{
    uint8_t ids[8][YR_MSG_ID_LEN];
    size_t alike = 0;

    for (size_t i = 0; i < YR_COUNT(ids); i++) {
        talker_say(&alice, &bob, "hello", ids[i]);
        if (i % 2 == 1)
            talker_commit(&alice);
    }
    for (size_t i = 1; i < YR_COUNT(ids); i++) {
        assert_memory_not_equal(ids[i] + 2, ids[i - 1] + 2, YR_MSG_ID_LEN - 2);
        if (i % 2 == 1)
            assert_memory_equal(ids[i], ids[i - 1], 2);
        else
            alike += memcmp(ids[i], ids[i - 1], 2) == 0;
    }
    assert_int_equal(alike, 0);
}

// ---- receipts ----

static void a_text_is_delivered_when_it_is_on_the_other_disk_and_read_when_shown(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], seen[YR_MSG_ID_LEN];
    enum yr_state what;

    talker_say(&alice, &bob, "hello", id);
    talker_commit(&alice);
    talker_hand_over(&alice, &bob, &to_bob);
    assert_int_equal(bob.out_count, 0); // nothing is said before the flush
    assert_int_equal(see(&alice, id)->state, YR_STATE_ACCEPTED);
    alice.now.wall_ms += 3000;
    exchange();
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
    assert_int_equal(message.delivered_ms, alice.now.wall_ms);
    assert_int_equal(message.read_ms, 0);
    assert_true(told(&alice, YR_EV_STATE, seen, &what));
    assert_memory_equal(seen, id, sizeof id);
    assert_int_equal(what, YR_STATE_DELIVERED);

    assert_int_equal(yr_chat_read(bob.chats, bob.now, alice.id, NULL, true), YR_OK);
    alice.now.wall_ms += 3000;
    exchange();
    assert_int_equal(see(&alice, id)->state, YR_STATE_READ);
    assert_int_equal(message.read_ms, alice.now.wall_ms);
    assert_int_equal(message.delivered_ms, alice.now.wall_ms - 3000);
    assert_true(told(&alice, YR_EV_STATE, seen, &what));
    assert_int_equal(what, YR_STATE_READ);
    assert_false(told(&alice, YR_EV_STATE, seen, &what));
}

static void states_never_go_back_and_read_implies_delivered(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];
    struct yr_plain receipt = {.type = YR_PLAIN_READ,
                               .id = (const uint8_t *)"0123456789abcdef",
                               .ids = {id},
                               .id_count = 1};

    talker_say(&alice, &bob, "hello", id);
    assert_int_equal(talker_take(&alice, &bob, &receipt), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_READ);
    assert_int_equal(message.delivered_ms, alice.now.wall_ms);
    alice.now.wall_ms += 1000;
    receipt.type = YR_PLAIN_DELIVERED;
    assert_int_equal(talker_take(&alice, &bob, &receipt), YR_OK);
    receipt.type = YR_PLAIN_READ;
    assert_int_equal(talker_take(&alice, &bob, &receipt), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_READ);
    assert_int_equal(message.read_ms, alice.now.wall_ms - 1000);
}

static void acks_beside_a_body_count_as_delivered(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];
    struct yr_plain noop = {.type = YR_PLAIN_NOOP,
                            .id = (const uint8_t *)"0123456789abcdef",
                            .acks = {id},
                            .ack_count = 1};

    talker_say(&alice, &bob, "hello", id);
    assert_int_equal(talker_take(&alice, &bob, &noop), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
}

static void many_texts_are_receipted_in_few_messages(void **state)
{
    const size_t count = YR_ACKS_MAX + 100;
    struct yr_plain plain;

    for (size_t i = 0; i < count; i++)
        talker_say(&alice, &bob, "x", NULL);
    talker_hand_over(&alice, &bob, &to_bob);
    talker_commit(&bob);
    assert_int_equal(bob.out_count, 2);
    assert_int_equal(yr_plain_decode(&plain, bob.out[0].bytes, bob.out[0].len), YR_OK);
    assert_int_equal(plain.id_count, YR_ACKS_MAX);
    exchange();
    for (size_t i = 0; i < count; i++)
        assert_int_equal(see(&alice, alice.out[i].id)->state, YR_STATE_DELIVERED);
    assert_int_equal(bob.out_count, 2); // and receipts are not receipted
}

static void a_duplicate_is_receipted_again(void **state)
{
    talker_say(&alice, &bob, "x", NULL);
    assert_int_equal(talker_receive(&bob, &alice, &alice.out[0]), YR_OK);
    talker_commit(&bob);
    assert_int_equal(bob.out_count, 1); // suppose it is lost
    assert_int_equal(talker_receive(&bob, &alice, &alice.out[0]), YR_EEXIST);
    talker_commit(&bob);
    assert_int_equal(bob.out_count, 2);
}

static void a_receipt_that_cannot_be_queued_is_lost_and_counted(void **state)
{
    talker_say(&alice, &bob, "x", NULL);
    talker_hand_over(&alice, &bob, &to_bob);
    bob.refuse = YR_EFULL;
    talker_commit(&bob);
    assert_int_equal(talker_counter(&bob, "chat.receipts_lost"), 1);
    bob.refuse = YR_OK;
    talker_commit(&bob);
    assert_int_equal(bob.out_count, 0);
}

// ---- operations ----

static void edits_deletions_and_reactions_travel(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], seen[YR_MSG_ID_LEN];
    enum yr_state what;

    talker_say(&alice, &bob, "teh", id);
    exchange();
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, id, "the", 3), YR_OK);
    assert_int_equal(yr_chat_react(bob.chats, bob.now, id, "+1", 2, false), YR_OK);
    exchange();
    for (int i = 0; i < 2; i++) {
        struct talker *t = i == 0 ? &alice : &bob;

        assert_string_equal(see(t, id)->text, "the");
        assert_true(message.edited);
        assert_int_equal(message.edited_ms, alice.now.wall_ms);
        assert_int_equal(message.reaction_count, 1);
        assert_string_equal(message.reactions[0].emoji, "+1");
        assert_memory_equal(message.reactions[0].author, bob.id, YR_ID_LEN);
    }
    assert_true(told(&bob, YR_EV_EDIT, seen, &what));
    assert_memory_equal(seen, id, sizeof id);
    assert_true(told(&alice, YR_EV_REACTION, seen, &what));
    assert_int_equal(yr_chat_react(bob.chats, bob.now, id, "+1", 2, true), YR_OK);
    exchange();
    assert_int_equal(see(&alice, id)->reaction_count, 0);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, false), YR_OK);
    exchange();
    assert_true(see(&bob, id)->deleted);
    assert_int_equal(message.text_len, 0);
    assert_false(message.edited);
    assert_true(told(&bob, YR_EV_DELETE, seen, &what));
}

static void only_what_is_ours_and_there_can_be_changed(void **state)
{
    uint8_t hers[YR_MSG_ID_LEN], his[YR_MSG_ID_LEN], none[YR_MSG_ID_LEN] = {3};

    talker_say(&alice, &bob, "hers", hers);
    talker_say(&bob, &alice, "his", his);
    exchange();
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, his, "x", 1), YR_EDENIED);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, his, false), YR_EDENIED);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, none, "x", 1), YR_ENOENT);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, none, true), YR_ENOENT);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, none, "x", 1, false), YR_ENOENT);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, hers, "", 0), YR_ESIZE);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, hers, long_text, YR_TEXT_MAX + 1),
                     YR_ESIZE);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, hers, "\xff", 1), YR_EINVAL);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, his, "", 0, false), YR_ESIZE);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, his, long_text, 17, false), YR_ESIZE);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, his, "\x80", 1, false), YR_EINVAL);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, hers, false), YR_OK);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, hers, false), YR_OK); // it is gone
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, hers, "x", 1), YR_EDENIED);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, hers, "x", 1, false), YR_EDENIED);
}

static void a_local_deletion_stays_here(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];
    size_t out;

    talker_say(&bob, &alice, "embarrassing", id);
    exchange();
    out = alice.out_count;
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, true), YR_OK);
    exchange();
    assert_int_equal(alice.out_count, out);
    assert_true(see(&alice, id)->deleted);
    assert_string_equal(see(&bob, id)->text, "embarrassing");
    assert_int_equal(yr_chat_edit(bob.chats, bob.now, id, "worse", 5), YR_OK);
    exchange();
    assert_int_equal(see(&alice, id)->text_len, 0); // and stays deleted
}

static void reacting_twice_or_taking_back_nothing_sends_nothing(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];
    size_t out;

    talker_say(&alice, &bob, "x", id);
    exchange();
    out = bob.out_count;
    assert_int_equal(yr_chat_react(bob.chats, bob.now, id, "+", 1, true), YR_OK);
    assert_int_equal(bob.out_count, out);
    assert_int_equal(yr_chat_react(bob.chats, bob.now, id, "+", 1, false), YR_OK);
    assert_int_equal(yr_chat_react(bob.chats, bob.now, id, "+", 1, false), YR_OK);
    assert_int_equal(bob.out_count, out + 1);
}

static void forged_operations_are_refused_now_and_when_they_waited(void **state)
{
    const uint8_t op_id[2][YR_MSG_ID_LEN] = {{1, 1}, {2, 2}}, *text = (const uint8_t *)"forged";
    uint8_t id[YR_MSG_ID_LEN];
    struct yr_plain edit = {.type = YR_PLAIN_EDIT, .target = id, .text = text, .text_len = 6};

    talker_say(&bob, &alice, "bob's own", id);
    // To bob, alice edits what bob said.
    edit.id = op_id[0];
    edit.hlc = UINT64_MAX;
    assert_int_equal(talker_take(&bob, &alice, &edit), YR_EPROTO);
    edit.type = YR_PLAIN_DELETE;
    edit.text = NULL;
    edit.text_len = 0;
    assert_int_equal(talker_take(&bob, &alice, &edit), YR_EPROTO);
    assert_int_equal(talker_counter(&bob, "chat.denied"), 2);
    assert_string_equal(see(&bob, id)->text, "bob's own");

    // The same in a conversation with two authors, before the text it is about has come.
    struct yr_chat_aside aside;
    struct yr_plain said = text_of(op_id[1], 1, "bob's second");
    uint8_t bytes[512];
    size_t len;

    edit.target = op_id[1];
    assert_int_equal(yr_plain_encode(&edit, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_chat_receive(alice.chats, alice.now, bob.id, (const uint8_t *)long_text,
                                     bytes, len, &aside),
                     YR_OK);
    assert_int_equal(talker_take(&alice, &bob, &said), YR_OK);
    assert_int_equal(talker_counter(&alice, "chat.denied"), 1);
    assert_string_equal(see(&alice, op_id[1])->text, "bob's second");
}

static void operations_wait_for_their_target_in_every_one_of_720_orders(void **state)
{
    size_t order[6] = {0, 1, 2, 3, 4, 5}, orders = 0;
    static struct yr_message first;
    uint8_t id[YR_MSG_ID_LEN];

    talker_say(&alice, &bob, "original", id);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, id, "second", 6), YR_OK);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, id, "third", 5), YR_OK);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, id, "+", 1, false), YR_OK);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, id, "+", 1, true), YR_OK);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, id, "-", 1, false), YR_OK);
    assert_int_equal(alice.out_count, 6);
    for (;;) {
        size_t i, j, swap;

        for (i = 0; i < 6; i++) {
            assert_int_equal(talker_receive(&bob, &alice, &alice.out[order[i]]), YR_OK);
            if (orders % 7 == 3 && i == 2) {
                talker_commit(&bob);
                talker_crash(&bob, bob.out_count);
            }
        }
        see(&bob, id);
        message.cursor = 0; // the number of the event: local
        if (orders++ == 0)
            first = message;
        assert_memory_equal(&message, &first, sizeof first);
        assert_int_equal(yr_chat_drop(bob.chats, alice.id, true), YR_OK);
        assert_int_equal(yr_chat_open(bob.chats, alice.id), YR_OK);
        talker_commit(&bob);

        for (i = 5; i > 0 && order[i - 1] > order[i]; i--)
            ;
        if (i == 0)
            break;
        for (j = 5; order[j] < order[i - 1]; j--)
            ;
        swap = order[j], order[j] = order[i - 1], order[i - 1] = swap;
        for (j = 5; i < j; i++, j--)
            swap = order[i], order[i] = order[j], order[j] = swap;
    }
    assert_int_equal(orders, 720);
    assert_string_equal(first.text, "third");
    assert_int_equal(first.reaction_count, 1);
    assert_string_equal(first.reactions[0].emoji, "-");
}

static void an_edit_that_waited_keeps_its_text_whatever_waited_beside_it(void **state)
{
    const uint8_t target[YR_MSG_ID_LEN] = {7};
    uint8_t id[YR_MSG_ID_LEN] = {1};
    struct yr_plain op = {.type = YR_PLAIN_EDIT,
                          .id = id,
                          .target = target,
                          .hlc = 5,
                          .text = (const uint8_t *)"the edit",
                          .text_len = 8};
    const struct yr_plain text = text_of(target, 1, "original");

    assert_int_equal(talker_take(&bob, &alice, &op), YR_OK);
    id[0] = 2; // looked at after it
    op.hlc = 4;
    op.text = (const uint8_t *)"an older edit";
    op.text_len = 13;
    assert_int_equal(talker_take(&bob, &alice, &op), YR_OK);
    id[0] = 3;
    op.type = YR_PLAIN_REACTION;
    op.text = (const uint8_t *)"++++";
    op.text_len = 4;
    op.on = true;
    assert_int_equal(talker_take(&bob, &alice, &op), YR_OK);
    assert_int_equal(talker_take(&bob, &alice, &text), YR_OK);
    assert_string_equal(see(&bob, target)->text, "the edit");
    assert_string_equal(message.reactions[0].emoji, "++++");
}

static void operations_that_wait_are_bounded_and_counted_once(void **state)
{
    const uint8_t target[YR_MSG_ID_LEN] = {0xff};
    uint8_t id[YR_MSG_ID_LEN] = {1};
    struct yr_plain op = {.type = YR_PLAIN_REACTION,
                          .id = id,
                          .target = target,
                          .on = true,
                          .text = (const uint8_t *)"+",
                          .text_len = 1};
    struct yr_plain text = text_of(target, 1, "at last");
    size_t rows;

    for (uint32_t i = 0; i < YR_ORPHANS_MAX; i++) {
        memcpy(id + 4, &i, sizeof i);
        op.hlc = i;
        assert_int_equal(talker_take(&bob, &alice, &op), YR_OK);
        if (i == 0)
            assert_int_equal(talker_take(&bob, &alice, &op), YR_EEXIST);
    }
    id[0] = 2;
    assert_int_equal(talker_take(&bob, &alice, &op), YR_EPROTO);
    assert_int_equal(talker_counter(&bob, "chat.orphans_full"), 1);
    talker_commit(&bob);
    rows = yr_memstore_count(bob.store, YR_DB_MAIN);
    assert_int_equal(talker_take(&bob, &alice, &text), YR_OK);
    assert_int_equal(see(&bob, target)->reaction_count, 1);
    talker_commit(&bob);
    assert_int_equal(yr_memstore_count(bob.store, YR_DB_MAIN), rows - YR_ORPHANS_MAX + 3);
    id[0] = 3;
    text.type = YR_PLAIN_REACTION;
    assert_int_equal(talker_take(&bob, &alice, &op), YR_OK); // there is room again
}

// ---- taking back ----

// Does any of this leave, in whatever?
static bool leaves(const struct talker *t, const char *what)
{
    for (size_t i = 0; i < t->out_count; i++)
        if (!t->out[i].recalled &&
            memmem(t->out[i].bytes, t->out[i].len, what, strlen(what)) != NULL)
            return true;
    return false;
}

static void a_text_nobody_has_yet_is_cancelled_and_what_it_said_never_leaves(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], next[YR_MSG_ID_LEN], seen[YR_MSG_ID_LEN];
    struct yr_plain plain;
    enum yr_state what;

    alice.recallable = true;
    talker_say(&alice, &bob, "before", NULL);
    talker_say(&alice, &bob, "oops", id);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, id, "oops, a secret", 14), YR_OK);
    assert_int_equal(yr_chat_edit(alice.chats, alice.now, id, "another secret", 14), YR_OK);
    assert_true(alice.out[2].recalled); // the first edit is worth nothing any more
    assert_true(leaves(&alice, "oops") && leaves(&alice, "secret"));
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, false), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_CANCELLED);
    assert_true(message.deleted);
    assert_false(leaves(&alice, "oops") || leaves(&alice, "secret"));
    talker_say(&alice, &bob, "after", next);
    exchange();
    assert_true(told(&alice, YR_EV_STATE, seen, &what));
    assert_int_equal(what, YR_STATE_CANCELLED);
    assert_memory_equal(seen, id, sizeof seen);
    assert_true(see(&bob, id)->deleted);
    assert_int_equal(message.text_len, 0);
    // its number is used, and what comes after may cite it
    assert_int_equal(message.seq, 2);
    assert_int_equal(yr_plain_decode(&plain, alice.out[5].bytes, alice.out[5].len), YR_OK);
    assert_int_equal(plain.parent_count, 1);
    assert_memory_equal(plain.parents[0], id, YR_MSG_ID_LEN);
    assert_int_equal(plain.seq, 5);
    struct yr_plain receipt = {.type = YR_PLAIN_READ, .id = next, .ids = {id}, .id_count = 1};
    assert_int_equal(talker_take(&alice, &bob, &receipt), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_CANCELLED);
}

static void of_a_cancelled_text_nothing_is_told_but_its_place(void **state)
{
    uint8_t first[YR_MSG_ID_LEN], id[YR_MSG_ID_LEN], seen[YR_MSG_ID_LEN];
    struct yr_message mine;
    struct yr_plain plain;
    enum yr_state what;

    talker_say(&alice, &bob, "before", first);
    exchange();
    assert_true(told(&bob, YR_EV_MESSAGE, seen, &what));
    alice.recallable = true;
    assert_int_equal(
        yr_chat_send(alice.chats, alice.now, bob.id, true, "sighs", 5, first, NULL, 0, id), YR_OK);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, false), YR_OK);
    exchange();
    assert_false(told(&bob, YR_EV_MESSAGE, seen, &what)); // nobody is disturbed for nothing
    assert_int_equal(bob.out_count, 1);                   // one receipt, of the first
    mine = *see(&alice, id);
    see(&bob, id);
    assert_false(message.unread);
    assert_int_equal(message.seq, mine.seq);
    assert_int_equal(message.time_ms, mine.time_ms);
    assert_int_equal(message.kind, YR_MSG_TEXT); // that it was an action, and what it answered ...
    assert_int_equal(mine.kind, YR_MSG_TEXT);
    assert_memory_equal(message.reply_to, mine.reply_to, YR_MSG_ID_LEN); // ... both forgot
    assert_int_equal(yr_plain_decode(&plain, alice.out[2].bytes, alice.out[2].len), YR_OK);
    assert_int_equal(plain.flags, 0);
    assert_null(plain.reply_to);
}

static void a_reply_to_a_cancelled_text_answers_a_deleted_one(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], reply[YR_MSG_ID_LEN];

    alice.recallable = true;
    talker_say(&alice, &bob, "oops", id);
    assert_int_equal(try_send(&alice, &bob, "I mean", 6, id, NULL, reply), YR_OK);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, false), YR_OK);
    exchange();
    assert_memory_equal(see(&bob, reply)->reply_to, id, YR_MSG_ID_LEN);
    assert_true(see(&bob, id)->deleted);
}

static void reactions_on_a_text_that_is_cancelled_never_leave(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];
    struct yr_plain plain;

    alice.recallable = true;
    talker_say(&alice, &bob, "oops", id);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, id, "+1", 2, false), YR_OK);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, id, "-1", 2, false), YR_OK);
    assert_int_equal(yr_chat_react(alice.chats, alice.now, id, "-1", 2, true), YR_OK);
    assert_true(alice.out[2].recalled); // nobody needs to know that it was set
    talker_commit(&alice);
    talker_crash(&alice, alice.out_count); // it is remembered on disk
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, false), YR_OK);
    assert_int_equal(alice.out_count, 5);
    for (size_t i = 0; i < 4; i++)
        assert_true(alice.out[i].recalled);
    assert_int_equal(yr_plain_decode(&plain, alice.out[4].bytes, alice.out[4].len), YR_OK);
    assert_int_equal(plain.type, YR_PLAIN_DELETE);
    exchange();
    assert_int_equal(talker_counter(&bob, "chat.denied"), 0);
    assert_int_equal(see(&bob, id)->reaction_count, 0);
}

// What leaves in the stead of a text that was taken back.
static struct yr_plain tombstone_of(const uint8_t id[YR_MSG_ID_LEN], uint64_t seq)
{
    struct yr_plain plain = text_of(id, seq, "");

    plain.type = YR_PLAIN_DELETE;
    plain.target = id;
    return plain;
}

// The author's store was set back to a copy in which the text had not left yet.
static void a_tombstone_deletes_the_text_where_it_is_known(void **state)
{
    const uint8_t id[YR_MSG_ID_LEN] = {1};
    const struct yr_plain text = text_of(id, 1, "too late"), gone = tombstone_of(id, 1);
    uint8_t seen[YR_MSG_ID_LEN];
    enum yr_state what;

    assert_int_equal(talker_take(&bob, &alice, &text), YR_OK);
    assert_int_equal(talker_take(&bob, &alice, &gone), YR_OK);
    assert_true(see(&bob, id)->deleted);
    talker_commit(&bob);
    assert_true(told(&bob, YR_EV_DELETE, seen, &what));
    assert_memory_equal(seen, id, sizeof seen);
}

static void a_tombstone_comes_once_and_for_good(void **state)
{
    const uint8_t id[YR_MSG_ID_LEN] = {1}, edit_id[YR_MSG_ID_LEN] = {2};
    const struct yr_plain gone = tombstone_of(id, 1), text = text_of(id, 1, "risen");
    struct yr_plain edit = text_of(edit_id, 2, "an edit that came first");
    size_t rows;

    edit.type = YR_PLAIN_EDIT;
    edit.target = id;
    assert_int_equal(talker_take(&bob, &alice, &edit), YR_OK);
    assert_int_equal(talker_take(&bob, &alice, &gone), YR_OK);
    talker_commit(&bob);
    rows = yr_memstore_count(bob.store, YR_DB_MAIN);
    assert_int_equal(talker_take(&bob, &alice, &gone), YR_OK);
    assert_int_equal(talker_take(&bob, &alice, &text), YR_EEXIST);
    talker_commit(&bob);
    assert_int_equal(yr_memstore_count(bob.store, YR_DB_MAIN), rows);
    assert_true(see(&bob, id)->deleted);
    assert_int_equal(message.text_len, 0);
    assert_false(message.edited);
}

static void a_tombstone_of_anothers_text_or_of_no_log_is_refused(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];
    struct yr_plain gone;

    talker_say(&alice, &bob, "mine", id);
    exchange();
    gone = tombstone_of(id, 1);
    assert_int_equal(talker_take(&alice, &bob, &gone), YR_EPROTO);
    assert_int_equal(talker_counter(&alice, "chat.denied"), 1);
    assert_false(see(&alice, id)->deleted);
    id[0] ^= 1;
    gone.incarnation = NULL;
    assert_int_equal(talker_take(&bob, &alice, &gone), YR_EPROTO);
    assert_int_equal(talker_counter(&bob, "chat.malformed"), 1);
    assert_int_equal(yr_chat_message(bob.chats, id, &message), YR_ENOENT);
}

static void a_text_that_has_left_is_deleted_by_a_tombstone(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];

    alice.recallable = false;
    talker_say(&alice, &bob, "too late", id);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, false), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_ACCEPTED);
    assert_true(message.deleted);
    exchange();
    assert_true(see(&bob, id)->deleted);
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
}

static void a_text_deleted_here_can_still_be_deleted_everywhere(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];
    size_t posted;

    talker_say(&alice, &bob, "not for anybody", id);
    exchange();
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, true), YR_OK);
    exchange();
    assert_false(see(&bob, id)->deleted);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, false), YR_OK);
    exchange();
    assert_true(see(&bob, id)->deleted);
    posted = alice.out_count;
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, false), YR_OK);
    assert_int_equal(yr_chat_delete(alice.chats, alice.now, id, true), YR_OK);
    assert_int_equal(alice.out_count, posted); // once is enough
}

// ---- what is not a message ----

static void profiles_prekeys_and_noops_are_handed_to_the_owner(void **state)
{
    const uint8_t key[32] = {1};
    struct yr_plain plain = {.type = YR_PLAIN_PREKEY,
                             .id = (const uint8_t *)"0123456789abcdef",
                             .prekey = key,
                             .prekey_id = 5};
    struct yr_chat_aside aside;
    uint8_t bytes[256];
    size_t len;

    assert_int_equal(yr_plain_encode(&plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_chat_receive(bob.chats, bob.now, alice.id, alice.id, bytes, len, &aside),
                     YR_OK);
    assert_int_equal(aside.type, YR_PLAIN_PREKEY);
    assert_int_equal(aside.plain.prekey_id, 5);
    plain = text_of(plain.id, 1, "text");
    assert_int_equal(yr_plain_encode(&plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_chat_receive(bob.chats, bob.now, alice.id, alice.id, bytes, len, &aside),
                     YR_OK);
    assert_int_equal(aside.type, YR_PLAIN_COUNT);
}

static size_t lines(struct talker *t, const struct talker *with, enum yr_msg_kind kind)
{
    struct yr_place at = {{0}};
    size_t count = 0;

    for (enum yr_seek how = YR_SEEK_GE;
         yr_chat_history(t->chats, with->id, how, &at, &message) == YR_OK; how = YR_SEEK_GT)
        count += message.kind == kind;
    return count;
}

static void what_cannot_be_read_is_said_once_a_minute(void **state)
{
    struct yr_chat_aside aside;
    struct yr_unread unread;

    for (int i = 0; i < 100; i++)
        assert_int_equal(yr_chat_receive(bob.chats, bob.now, alice.id, alice.id,
                                         (const uint8_t *)"junk", 4, &aside),
                         YR_EPROTO);
    assert_int_equal(lines(&bob, &alice, YR_MSG_SYSTEM), 1);
    assert_int_equal(talker_counter(&bob, "chat.unreadable"), 100);
    talker_commit(&bob);
    talker_crash(&bob, 0); // the minute outlives a restart
    bob.now.wall_ms += 59999;
    assert_int_equal(
        yr_chat_receive(bob.chats, bob.now, alice.id, alice.id, (const uint8_t *)"junk", 4, &aside),
        YR_EPROTO);
    assert_int_equal(lines(&bob, &alice, YR_MSG_SYSTEM), 1);
    bob.now.wall_ms += 1;
    assert_int_equal(
        yr_chat_receive(bob.chats, bob.now, alice.id, alice.id, (const uint8_t *)"junk", 4, &aside),
        YR_EPROTO);
    assert_int_equal(lines(&bob, &alice, YR_MSG_SYSTEM), 2);
    bob.now.wall_ms -= INT64_C(86400000); // a clock that goes back does not silence it for a day
    assert_int_equal(
        yr_chat_receive(bob.chats, bob.now, alice.id, alice.id, (const uint8_t *)"junk", 4, &aside),
        YR_EPROTO);
    assert_int_equal(lines(&bob, &alice, YR_MSG_SYSTEM), 3);
    yr_chat_unread(bob.chats, alice.id, &unread);
    assert_int_equal(unread.count, 0);
    assert_int_equal(bob.out_count, 0); // and nothing is acknowledged
}

// {1: 77, 2: id, 3: hlc, 6: 1, 7: incarnation}: a kind of message from a later version
static size_t from_the_future(uint8_t bytes[64], uint8_t name, bool numbered)
{
    struct yr_wr wr = yr_wr_init(bytes, 64);

    yr_wr_u8(&wr, numbered ? 0x84 : 0x82);
    yr_wr_u8(&wr, 1), yr_wr_u8(&wr, 77);
    yr_wr_u8(&wr, 2), yr_wr_u8(&wr, 0xc4), yr_wr_u8(&wr, 16);
    for (int i = 0; i < 16; i++)
        yr_wr_u8(&wr, name);
    if (numbered) {
        yr_wr_u8(&wr, 6), yr_wr_u8(&wr, 1);
        yr_wr_u8(&wr, 7), yr_wr_u8(&wr, 0xc4), yr_wr_u8(&wr, 8), yr_wr_zero(&wr, 8);
    }
    return yr_wr_len(&wr);
}

static void a_kind_of_message_not_known_yet_stands_in_its_place_as_such(void **state)
{
    struct yr_chat_aside aside;
    uint8_t bytes[64], id[YR_MSG_ID_LEN];
    size_t len = from_the_future(bytes, 5, true);

    memset(id, 5, sizeof id);
    assert_int_equal(yr_chat_receive(bob.chats, bob.now, alice.id, alice.id, bytes, len, &aside),
                     YR_OK);
    assert_int_equal(yr_chat_receive(bob.chats, bob.now, alice.id, alice.id, bytes, len, &aside),
                     YR_EEXIST);
    assert_int_equal(talker_counter(&bob, "chat.duplicate"), 1);
    assert_int_equal(see(&bob, id)->kind, YR_MSG_SYSTEM);
    assert_memory_equal(message.author, alice.id, YR_ID_LEN);
    talker_commit(&bob);
    assert_int_equal(bob.out_count, 0);     // it was not understood, so it is not called delivered
    len = from_the_future(bytes, 6, false); // nothing for the history
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            yr_chat_receive(bob.chats, bob.now, alice.id, alice.id, bytes, len, &aside), YR_OK);
    assert_int_equal(lines(&bob, &alice, YR_MSG_SYSTEM), 2);
    assert_int_equal(talker_counter(&bob, "chat.unknown_type"), 7);
}

static void a_line_of_ours_is_local_and_comes_last(void **state)
{
    uint8_t stranger[YR_ID_LEN] = {9};
    struct yr_place at;

    talker_say(&alice, &bob, "x", NULL);
    exchange();
    assert_int_equal(yr_chat_note(bob.chats, bob.now, alice.id, "alice's device key changed"),
                     YR_OK);
    assert_int_equal(yr_chat_note(bob.chats, bob.now, stranger, "x"), YR_ENOFRIEND);
    memset(&at, 0xff, sizeof at);
    assert_int_equal(yr_chat_history(bob.chats, alice.id, YR_SEEK_LE, &at, &message), YR_OK);
    assert_int_equal(message.kind, YR_MSG_SYSTEM);
    assert_string_equal(message.text, "alice's device key changed");
    assert_int_equal(yr_chat_delete(bob.chats, bob.now, message.id, false), YR_EDENIED);
    assert_int_equal(yr_chat_edit(bob.chats, bob.now, message.id, "y", 1), YR_EDENIED);
    assert_int_equal(yr_chat_react(bob.chats, bob.now, message.id, "y", 1, false), YR_EDENIED);
    exchange();
    assert_int_equal(lines(&alice, &bob, YR_MSG_SYSTEM), 0);
}

static void a_clock_off_by_ten_years_holds_and_hides_nothing(void **state)
{
    const yr_ms ten_years = INT64_C(3652) * 86400000;
    uint8_t id[2][YR_MSG_ID_LEN];

    for (int i = 0; i < 2; i++) {
        alice.now.wall_ms += i == 0 ? -ten_years : 2 * ten_years;
        talker_say(&alice, &bob, "from another time", id[i]);
        exchange();
        assert_int_equal(see(&bob, id[i])->time_ms, alice.now.wall_ms);
        assert_int_equal(message.late, i == 0);
        assert_int_equal(see(&alice, id[i])->state, YR_STATE_DELIVERED);
    }
    assert_int_equal(lines(&bob, &alice, YR_MSG_TEXT), 2);
}

// ---- looking up ----

static void a_prefix_finds_the_ids_that_begin_with_it(void **state)
{
    static const uint8_t ids[][YR_MSG_ID_LEN] = {
        {0x12, 0x34, 0x00}, {0x12, 0x34, 0x7f}, {0x12, 0x34, 0x80}, {0x12, 0x35}, {0xff, 0xff}};
    uint8_t out[8][YR_MSG_ID_LEN];
    const uint8_t prefix[YR_MSG_ID_LEN] = {0x12, 0x34, 0x00, 0xee},
                  high[YR_MSG_ID_LEN] = {0xff, 0xff, 0x10};

    for (size_t i = 0; i < YR_COUNT(ids); i++) {
        const struct yr_plain plain = text_of(ids[i], i + 1, "x");

        assert_int_equal(talker_take(&bob, &alice, &plain), YR_OK);
    }
    assert_int_equal(yr_chat_prefix(bob.chats, prefix, 16, out, 8), 3);
    assert_int_equal(yr_chat_prefix(bob.chats, prefix, 17, out, 8), 2);
    assert_memory_equal(out, ids, sizeof ids[0] * 2);
    assert_int_equal(yr_chat_prefix(bob.chats, prefix, 15, out, 8), 4);
    assert_int_equal(yr_chat_prefix(bob.chats, prefix, 0, out, 8), 5);
    assert_int_equal(yr_chat_prefix(bob.chats, prefix, 16, out, 2), 2);
    assert_int_equal(yr_chat_prefix(bob.chats, ids[3], 128, out, 8), 1);
    assert_int_equal(yr_chat_prefix(bob.chats, prefix, 128, out, 8), 0);
    assert_int_equal(yr_chat_prefix(bob.chats, high, 20, out, 8), 0);
    assert_int_equal(yr_chat_prefix(bob.chats, high, 16, out, 8), 1);
}

static void a_dropped_conversation_keeps_its_history_unless_asked(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], own[YR_MSG_ID_LEN];
    struct yr_plain plain;
    uint64_t seq;

    talker_say(&bob, &alice, "mine", own);
    talker_say(&alice, &bob, "x", id);
    exchange();
    assert_int_equal(yr_chat_drop(bob.chats, alice.id, false), YR_OK);
    assert_string_equal(see(&bob, id)->text, "x");
    assert_int_equal(try_send(&bob, &alice, "y", 1, NULL, NULL, own), YR_ENOFRIEND);
    assert_int_equal(yr_chat_edit(bob.chats, bob.now, own, "y", 1), YR_ENOFRIEND);
    assert_int_equal(yr_chat_open(bob.chats, alice.id), YR_OK);
    talker_say(&bob, &alice, "back", own);
    assert_int_equal(
        yr_plain_decode(&plain, bob.out[bob.out_count - 1].bytes, bob.out[bob.out_count - 1].len),
        YR_OK);
    seq = plain.seq;
    assert_int_equal(seq, 2); // numbered on
    assert_int_equal(plain.parent_count, 2);
    assert_int_equal(yr_chat_drop(bob.chats, alice.id, true), YR_OK);
    assert_int_equal(yr_chat_message(bob.chats, id, &message), YR_ENOENT);
    assert_int_equal(yr_chat_prefix(bob.chats, id, 0, &id, 1), 0);
    talker_commit(&bob);
    talker_crash(&bob, 0);
    assert_int_equal(lines(&bob, &alice, YR_MSG_TEXT), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_text_arrives_as_it_was_said),
        TEST(texts_over_the_limits_are_refused_and_nothing_is_stored),
        TEST(what_deliver_refuses_did_not_happen),
        TEST(a_note_to_self_is_delivered_to_nobody_else),
        TEST(a_key_used_again_within_a_day_gives_the_first_message),
        TEST(old_keys_leave_while_new_ones_come),
        TEST(the_same_text_again_is_shown_once),
        TEST(an_id_used_again_for_another_text_is_dropped_and_counted),
        TEST(an_id_of_another_conversation_or_author_is_neither_touched_nor_shown),
        TEST(our_own_words_from_another_mouth_are_refused),
        TEST(ids_of_one_transaction_are_neighbours_and_those_of_two_are_not),
        TEST(a_text_is_delivered_when_it_is_on_the_other_disk_and_read_when_shown),
        TEST(states_never_go_back_and_read_implies_delivered),
        TEST(acks_beside_a_body_count_as_delivered),
        TEST(many_texts_are_receipted_in_few_messages),
        TEST(a_duplicate_is_receipted_again),
        TEST(a_receipt_that_cannot_be_queued_is_lost_and_counted),
        TEST(edits_deletions_and_reactions_travel),
        TEST(only_what_is_ours_and_there_can_be_changed),
        TEST(a_local_deletion_stays_here),
        TEST(reacting_twice_or_taking_back_nothing_sends_nothing),
        TEST(forged_operations_are_refused_now_and_when_they_waited),
        TEST(operations_wait_for_their_target_in_every_one_of_720_orders),
        TEST(an_edit_that_waited_keeps_its_text_whatever_waited_beside_it),
        TEST(operations_that_wait_are_bounded_and_counted_once),
        TEST(a_text_nobody_has_yet_is_cancelled_and_what_it_said_never_leaves),
        TEST(of_a_cancelled_text_nothing_is_told_but_its_place),
        TEST(a_reply_to_a_cancelled_text_answers_a_deleted_one),
        TEST(reactions_on_a_text_that_is_cancelled_never_leave),
        TEST(a_tombstone_deletes_the_text_where_it_is_known),
        TEST(a_tombstone_comes_once_and_for_good),
        TEST(a_tombstone_of_anothers_text_or_of_no_log_is_refused),
        TEST(a_text_that_has_left_is_deleted_by_a_tombstone),
        TEST(a_text_deleted_here_can_still_be_deleted_everywhere),
        TEST(profiles_prekeys_and_noops_are_handed_to_the_owner),
        TEST(what_cannot_be_read_is_said_once_a_minute),
        TEST(a_kind_of_message_not_known_yet_stands_in_its_place_as_such),
        TEST(a_line_of_ours_is_local_and_comes_last),
        TEST(a_clock_off_by_ten_years_holds_and_hides_nothing),
        TEST(a_prefix_finds_the_ids_that_begin_with_it),
        TEST(a_dropped_conversation_keeps_its_history_unless_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
