/* What we say in rooms, what is told of us there, and what we have read. */
#include "core/chat/hlc.h"
#include "tests/support/roomies.h"
#include "tests/support/test.h"

#define T0 INT64_C(1790000000000)

static struct room room;
static struct roomie alice, bob;
static struct yr_message message;
static char long_text[YR_TEXT_MAX + 2];

static int set_up(void **state)
{
    room_init(&room, 'R');
    roomie_init(&alice, &room, 'a', "Alice");
    roomie_init(&bob, &room, 'b', "bob");
    memset(long_text, 'x', sizeof long_text - 1);
    return 0;
}

static int tear_down(void **state)
{
    roomie_clear(&alice);
    roomie_clear(&bob);
    room_clear(&room);
    return 0;
}

static const struct yr_message *see(struct roomie *r, const uint8_t id[YR_MSG_ID_LEN])
{
    assert_int_equal(yr_chat_message(r->talker.chats, id, &message), YR_OK);
    return &message;
}

static enum yr_err try_send(const void *text, size_t len, const uint8_t *reply_to, const char *key,
                            uint8_t id[YR_MSG_ID_LEN])
{
    return yr_chat_send(alice.talker.chats, alice.talker.now, room.id, false, text, len, reply_to,
                        key, key != NULL ? strlen(key) : 0, id);
}

static void say(const char *text, uint8_t id[YR_MSG_ID_LEN])
{
    assert_int_equal(try_send(text, strlen(text), NULL, NULL, id), YR_OK);
}

static void take(struct roomie *r, const struct room_record *record)
{
    assert_int_equal(roomie_take(r, record), YR_OK);
}

static void hand_over_all(struct roomie *to)
{
    for (size_t i = 0; i < room.count; i++)
        take(to, room.records[i]);
}

// How many events of this kind were told since the last time; of all others nothing is asked.
static size_t told(struct roomie *r, enum yr_event_kind kind)
{
    struct yr_event event;
    size_t count = 0;

    talker_commit(&r->talker);
    while (talker_event(&r->talker, &event))
        count += event.kind == kind ? 1 : 0;
    return count;
}

// ---- what we say ----

static void what_we_say_leaves_through_the_log_and_stands_as_the_log_says(void **state)
{
    uint8_t id[YR_MSG_ID_LEN], answer[YR_MSG_ID_LEN], author[YR_ID_LEN];

    say("is the build green?", id);
    assert_int_equal(yr_chat_send(alice.talker.chats, alice.talker.now, room.id, true, "waits", 5,
                                  id, "k", 1, answer),
                     YR_OK);
    assert_int_equal(alice.said, 2);
    assert_memory_equal(room.records[0]->id, id, sizeof id);
    roomie_author(author, 'a');
    see(&alice, id);
    assert_true(message.own && message.room && !message.unread && !message.mention);
    assert_int_equal(message.state, YR_STATE_ACCEPTED);
    assert_memory_equal(message.author, author, sizeof author);
    assert_int_equal(message.seq, 1);
    assert_int_equal(message.of, 9);
    assert_int_equal(message.delivered_to, 1);
    assert_int_equal(message.read_by, 1);
    see(&alice, answer);
    assert_int_equal(message.kind, YR_MSG_ACTION);
    assert_memory_equal(message.reply_to, id, sizeof id);
    assert_int_equal(told(&alice, YR_EV_MESSAGE), 2);
    hand_over_all(&bob);
    see(&bob, answer);
    assert_string_equal(message.text, "waits");
    assert_memory_equal(message.reply_to, id, sizeof id);
    assert_false(message.own);
    assert_int_equal(message.of, 0); // not ours: nothing is known
    assert_int_equal(alice.talker.out_count + bob.talker.out_count, 0);
}

static void what_a_room_does_not_take_is_refused_and_nothing_is_stored(void **state)
{
    const uint8_t nothing[YR_MSG_ID_LEN] = {7};
    uint8_t id[YR_MSG_ID_LEN], note[YR_MSG_ID_LEN];
    size_t rows;

    assert_int_equal(yr_chat_send(alice.talker.chats, alice.talker.now, alice.talker.id, false,
                                  "to myself", 9, NULL, NULL, 0, note),
                     YR_OK);
    talker_commit(&alice.talker);
    rows = yr_memstore_count(alice.talker.store, YR_DB_MAIN);
    assert_int_equal(try_send("", 0, NULL, NULL, id), YR_ESIZE);
    assert_int_equal(try_send(long_text, YR_ROOM_TEXT_MAX + 1, NULL, NULL, id), YR_ESIZE);
    assert_int_equal(try_send("\xff", 1, NULL, NULL, id), YR_EINVAL);
    assert_int_equal(try_send("x", 1, nothing, NULL, id), YR_ENOENT);
    assert_int_equal(try_send("x", 1, note, NULL, id), YR_ENOENT); // of another conversation
    alice.talker.refuse = YR_EAGAIN;
    assert_int_equal(try_send("x", 1, NULL, "key", id), YR_EAGAIN);
    alice.talker.refuse = YR_OK;
    talker_commit(&alice.talker);
    assert_int_equal(yr_memstore_count(alice.talker.store, YR_DB_MAIN), rows);
    assert_int_equal(room.count, 0);
    assert_int_equal(try_send(long_text, YR_ROOM_TEXT_MAX, NULL, "key", id), YR_OK);
    assert_int_equal(
        yr_chat_edit(alice.talker.chats, alice.talker.now, id, long_text, YR_ROOM_TEXT_MAX + 1),
        YR_ESIZE);
    assert_int_equal(
        yr_chat_edit(alice.talker.chats, alice.talker.now, id, long_text, YR_ROOM_TEXT_MAX), YR_OK);
    assert_int_equal(see(&alice, id)->text_len, YR_ROOM_TEXT_MAX);
    assert_true(message.edited);
}

static void a_key_used_again_gives_the_first_message(void **state)
{
    uint8_t first[YR_MSG_ID_LEN], second[YR_MSG_ID_LEN] = {0};

    assert_int_equal(try_send("once", 4, NULL, "key", first), YR_OK);
    talker_commit(&alice.talker);
    roomie_crash(&alice, "Alice");
    assert_int_equal(try_send("once", 4, NULL, "key", second), YR_EEXIST);
    assert_memory_equal(first, second, sizeof first);
    assert_int_equal(alice.said, 1);
}

static void operations_of_ours_come_back_through_the_log(void **state)
{
    struct yr_chats *chats = alice.talker.chats;
    const struct yr_now now = alice.talker.now;
    uint8_t id[YR_MSG_ID_LEN];

    say("one", id);
    (void)told(&alice, YR_EV_MESSAGE);
    assert_int_equal(yr_chat_edit(chats, now, id, "two", 3), YR_OK);
    assert_string_equal(see(&alice, id)->text, "two");
    assert_int_equal(told(&alice, YR_EV_EDIT), 1);
    assert_int_equal(yr_chat_react(chats, now, id, "+", 1, false), YR_OK);
    assert_int_equal(yr_chat_react(chats, now, id, "+", 1, false), YR_OK); // does nothing
    assert_int_equal(yr_chat_react(chats, now, id, "-", 1, true), YR_OK);  // nor does this
    assert_int_equal(see(&alice, id)->reaction_count, 1);
    assert_int_equal(told(&alice, YR_EV_REACTION), 1);
    assert_int_equal(alice.said, 3);
    assert_int_equal(yr_chat_react(chats, now, id, "+", 1, true), YR_OK);
    assert_int_equal(see(&alice, id)->reaction_count, 0);
    alice.talker.refuse = YR_EDENIED; // we are no member any more
    assert_int_equal(yr_chat_edit(chats, now, id, "x", 1), YR_EDENIED);
    assert_int_equal(yr_chat_delete(chats, now, id, false), YR_EDENIED);
    assert_int_equal(yr_chat_react(chats, now, id, "x", 1, false), YR_EDENIED);
    alice.talker.refuse = YR_OK;
    assert_string_equal(see(&alice, id)->text, "two");
    assert_int_equal(message.reaction_count, 0);
    assert_false(message.deleted);
    assert_int_equal(yr_chat_delete(chats, now, id, false), YR_OK);
    assert_true(see(&alice, id)->deleted);
    assert_int_equal(message.state, YR_STATE_ACCEPTED);
    assert_int_equal(told(&alice, YR_EV_DELETE), 1);
    assert_int_equal(yr_chat_delete(chats, now, id, false), YR_OK); // it is
    assert_int_equal(alice.said, 5);
    assert_int_equal(yr_chat_edit(chats, now, id, "x", 1), YR_EDENIED);
    assert_int_equal(yr_chat_react(chats, now, id, "+", 1, false), YR_EDENIED);
    hand_over_all(&bob);
    assert_true(see(&bob, id)->deleted);
}

static void what_another_said_we_neither_edit_nor_delete_but_here(void **state)
{
    const struct room_record *his = room_text(&room, 'b', T0, NULL, "his");
    struct yr_chats *chats = alice.talker.chats;
    const struct yr_now now = alice.talker.now;
    uint8_t id[YR_MSG_ID_LEN];

    take(&alice, his);
    assert_int_equal(yr_chat_edit(chats, now, his->id, "mine", 4), YR_EDENIED);
    assert_int_equal(yr_chat_delete(chats, now, his->id, false), YR_EDENIED);
    assert_int_equal(yr_chat_react(chats, now, his->id, "+", 1, false), YR_OK);
    assert_int_equal(yr_chat_delete(chats, now, his->id, true), YR_OK);
    assert_true(see(&alice, his->id)->deleted);
    assert_int_equal(alice.said, 1); // the reaction
    say("hers", id);
    assert_int_equal(yr_chat_delete(chats, now, id, true), YR_OK); // first only here ...
    assert_int_equal(yr_chat_delete(chats, now, id, false), YR_OK);
    assert_int_equal(alice.said, 3);
    hand_over_all(&bob);
    assert_true(see(&bob, id)->deleted); // ... then everywhere
    assert_string_equal(see(&bob, his->id)->text, "his");
    assert_int_equal(message.reaction_count, 1);
}

static void a_reaction_more_than_are_kept_is_not_said(void **state)
{
    uint8_t id[YR_MSG_ID_LEN];
    char emoji[2] = "a";

    say("vote", id);
    for (int i = 0; i < YR_ROOM_REACTION_EACH; i++, emoji[0]++)
        assert_int_equal(yr_chat_react(alice.talker.chats, alice.talker.now, id, emoji, 1, false),
                         YR_OK);
    assert_int_equal(yr_chat_react(alice.talker.chats, alice.talker.now, id, emoji, 1, false),
                     YR_EFULL);
    assert_int_equal(alice.said, 1 + YR_ROOM_REACTION_EACH);
    assert_int_equal(see(&alice, id)->reaction_count, YR_ROOM_REACTION_EACH);
}

static void others_may_be_heard_while_we_are_saying_something(void **state)
{
    struct room_record *texts[4];
    uint8_t id[YR_MSG_ID_LEN], own[YR_MSG_ID_LEN];

    for (int i = 0; i < 4; i++)
        texts[i] = room_text(&room, 'b', T0 + i, NULL, long_text + YR_TEXT_MAX - 4000 + i);
    say("first", own);
    alice.meanwhile = texts[0];
    assert_int_equal(try_send("after his", 9, own, "key", id), YR_OK);
    assert_string_equal(see(&alice, id)->text, "after his");
    assert_memory_equal(message.reply_to, own, sizeof own);
    alice.meanwhile = texts[1];
    assert_int_equal(yr_chat_edit(alice.talker.chats, alice.talker.now, id, "edited", 6), YR_OK);
    alice.meanwhile = texts[2];
    assert_int_equal(yr_chat_react(alice.talker.chats, alice.talker.now, id, "+", 1, false), YR_OK);
    assert_string_equal(see(&alice, id)->text, "edited");
    assert_int_equal(message.reaction_count, 1);
    alice.meanwhile = texts[3];
    assert_int_equal(yr_chat_delete(alice.talker.chats, alice.talker.now, id, false), YR_OK);
    assert_true(see(&alice, id)->deleted);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(see(&alice, texts[i]->id)->text, long_text + YR_TEXT_MAX - 4000 + i);
        assert_int_equal(message.state, YR_STATE_DELIVERED); // not ours: never raised
    }
    assert_string_equal(see(&alice, own)->text, "first");
    assert_int_equal(try_send("x", 1, NULL, "key", own), YR_EEXIST);
    assert_memory_equal(own, id, sizeof id);
}

static void our_words_from_before_a_store_was_restored_are_ours(void **state)
{
    struct room_record *before = room_text(&room, 'a', T0 + 3600000, NULL, "@alice before");
    const struct yr_plain edit = {
        .type = YR_PLAIN_EDIT, .target = before->id, .text = (const uint8_t *)"now", .text_len = 3};
    struct yr_plain plus = {.type = YR_PLAIN_REACTION,
                            .target = before->id,
                            .text = (const uint8_t *)"+",
                            .text_len = 1};
    struct room_record *now;
    struct yr_unread unread;

    before->incarnation[3] = 99;
    take(&alice, before);
    see(&alice, before->id);
    assert_true(message.own && !message.unread && !message.mention);
    assert_int_equal(message.state, YR_STATE_ACCEPTED);
    yr_chat_unread(alice.talker.chats, room.id, &unread);
    assert_int_equal(unread.count + unread.mentions, 0);
    now = room_write(&room, 'a', T0 + 3600001, before, &edit);
    now->incarnation[3] = 99;
    take(&alice, now);
    take(&alice, room_write(&room, 'a', T0 + 3600002, before, &plus)); // taken back then
    // Although that clock ran an hour ahead, what we do now counts as later.
    assert_int_equal(yr_chat_react(alice.talker.chats, alice.talker.now, before->id, "+", 1, false),
                     YR_OK);
    assert_int_equal(see(&alice, before->id)->reaction_count, 1);
    assert_string_equal(message.text, "now");
    // Edits are of the chain that said it: nobody would take one of the new chain.
    assert_int_equal(yr_chat_edit(alice.talker.chats, alice.talker.now, before->id, "then", 4),
                     YR_EDENIED);
    take(&alice, room_write(&room, 'a', T0 + 3700000, before, &edit));
    assert_int_equal(see(&alice, before->id)->edited_ms, T0 + 3600001);
}

static void a_reaction_is_taken_back_by_the_chain_that_came_later(void **state)
{
    struct room_record *text = room_text(&room, 'b', T0, NULL, "text");
    struct yr_plain plus = {.type = YR_PLAIN_REACTION,
                            .target = text->id,
                            .text = (const uint8_t *)"+",
                            .text_len = 1,
                            .on = true};
    struct room_record *before = room_write(&room, 'a', T0 + 1, text, &plus);

    before->incarnation[3] = 99;
    take(&alice, text);
    take(&alice, before);
    assert_int_equal(see(&alice, text->id)->reaction_count, 1);
    for (int i = 0; i < 2; i++) {
        (void)told(&alice, YR_EV_REACTION);
        assert_int_equal(
            yr_chat_react(alice.talker.chats, alice.talker.now, text->id, "+", 1, i == 0), YR_OK);
        assert_int_equal(see(&alice, text->id)->reaction_count, i);
        assert_int_equal(told(&alice, YR_EV_REACTION), 1);
    }
}

// ---- what is told of ours ----

static void the_state_of_an_own_text_rises_and_never_falls(void **state)
{
    struct yr_chats *chats = alice.talker.chats;
    const struct room_record *his = room_text(&room, 'b', T0, NULL, "his");
    const uint8_t unknown[YR_MSG_ID_LEN] = {5};
    struct yr_now now = alice.talker.now;
    uint8_t id[YR_MSG_ID_LEN];

    take(&alice, his);
    say("ours", id);
    (void)told(&alice, YR_EV_MESSAGE);
    now.wall_ms += 5000;
    assert_int_equal(yr_chat_raise(chats, now, room.id, id, YR_STATE_DELIVERED), YR_OK);
    assert_int_equal(yr_chat_raise(chats, now, room.id, id, YR_STATE_DELIVERED), YR_OK);
    assert_int_equal(see(&alice, id)->state, YR_STATE_DELIVERED);
    assert_int_equal(message.delivered_ms, now.wall_ms);
    assert_int_equal(told(&alice, YR_EV_STATE), 1);
    now.wall_ms += 5000;
    assert_int_equal(yr_chat_raise(chats, now, room.id, id, YR_STATE_READ), YR_OK);
    assert_int_equal(yr_chat_raise(chats, now, room.id, id, YR_STATE_DELIVERED), YR_OK);
    assert_int_equal(yr_chat_raise(chats, now, room.id, unknown, YR_STATE_READ), YR_OK);
    assert_int_equal(yr_chat_raise(chats, now, room.id, his->id, YR_STATE_READ), YR_OK);
    assert_int_equal(told(&alice, YR_EV_STATE), 1);
    roomie_crash(&alice, "Alice");
    assert_int_equal(see(&alice, id)->state, YR_STATE_READ);
    assert_int_equal(message.delivered_ms, now.wall_ms - 5000);
    assert_int_equal(message.read_ms, now.wall_ms);
    assert_int_equal(see(&alice, his->id)->state, YR_STATE_DELIVERED);
}

// ---- mentions ----

static void a_mention_is_our_name_as_a_whole_word(void **state)
{
    static const struct {
        const char *nick, *text;
        bool is;
    } cases[] = {
        {"Alice", "@alice", true},
        {"Alice", "@ALICE: look", true},
        {"alice", "hi @Alice, look", true},
        {"alice", "(@alice)", true},
        {"alice", "@alice's", true},
        {"alice", "@alice\xe2\x80\x94look", true},         // an em dash
        {"alice", "\xe2\x80\x9c@alice\xe2\x80\x9d", true}, // curly quotes
        {"alice", "@bob @alice", true},
        {"alice", "@@alice", true},
        {"alice", "x@alice @alice", true},
        {"alice", "alice", false},
        {"alice", "@alic", false},
        {"alice", "@", false},
        {"alice", "@ alice", false},
        {"alice", "@alices", false},
        {"alice", "@alice-2", false},
        {"alice", "@alice_", false},
        {"alice", "@alice\xc3\xa9", false}, // a letter
        {"alice", "mail@alice", false},
        {"alice", "\xc3\xa9@alice", false},
        {"alice", "@malice", false},
        {"jos\xc3\xa9", "@JOS\xc3\xa9!", true},
        {"jos\xc3\xa9", "@jos", false},
        {"jos\xc3\xa9", "@JOS\xc3\x89", false}, // ASCII only
        {"two words", "@Two Words?", true},
        {"two words", "@two", false},
        {"", "@", false},
        {"", "@ x", false},
    };

    for (size_t i = 0; i < YR_COUNT(cases); i++) {
        struct room_record *record = room_text(&room, 'b', T0 + (yr_ms)i, NULL, cases[i].text);

        assert_int_equal(
            yr_chat_open_room(alice.talker.chats, room.id, room.records[0]->mid, cases[i].nick),
            YR_OK);
        take(&alice, record);
        if (see(&alice, record->id)->mention != cases[i].is)
            fail_msg("%s: %s", cases[i].nick, cases[i].text);
    }
}

static void a_mention_is_one_by_the_text_that_was_sent(void **state)
{
    struct room_record *with = room_text(&room, 'b', T0, NULL, "@alice look");
    struct room_record *without = room_text(&room, 'b', T0 + 1, with, "look");
    struct yr_plain edit = {.type = YR_PLAIN_EDIT,
                            .target = with->id,
                            .text = (const uint8_t *)"never mind",
                            .text_len = 10};
    struct room_record *edits[2] = {room_write(&room, 'b', T0 + 2, without, &edit), NULL};
    struct yr_unread unread;

    edit.target = without->id;
    edit.text = (const uint8_t *)"@alice, ok";
    edits[1] = room_write(&room, 'b', T0 + 3, without, &edit);
    for (int late = 0; late < 2; late++) { // the edits after the texts, and before them
        for (size_t i = 0; i < 2; i++)
            take(&alice, late == 0 ? room.records[i] : edits[i]);
        for (size_t i = 0; i < 2; i++)
            take(&alice, late == 0 ? edits[i] : room.records[i]);
        assert_true(see(&alice, with->id)->mention && message.edited);
        assert_false(see(&alice, without->id)->mention);
        yr_chat_unread(alice.talker.chats, room.id, &unread);
        assert_int_equal(unread.mentions, 1);
        assert_int_equal(yr_chat_drop(alice.talker.chats, room.id, true), YR_OK);
        talker_commit(&alice.talker);
        roomie_crash(&alice, "Alice");
    }
}

// ---- unread ----

// The counts agree with what the history says, also after a restart.
static void expect_unread(size_t count, size_t mentions)
{
    for (int again = 0; again < 2; again++) {
        struct yr_place at = {{0}};
        struct yr_unread unread;
        size_t flagged = 0, named = 0;

        yr_chat_unread(alice.talker.chats, room.id, &unread);
        for (enum yr_seek how = YR_SEEK_GE;
             yr_chat_history(alice.talker.chats, room.id, how, &at, &message) == YR_OK;
             how = YR_SEEK_GT) {
            flagged += message.unread ? 1 : 0;
            named += message.unread && message.mention ? 1 : 0;
        }
        assert_int_equal(unread.count, flagged);
        assert_int_equal(unread.mentions, named);
        assert_int_equal(flagged, count);
        assert_int_equal(named, mentions);
        talker_commit(&alice.talker);
        roomie_crash(&alice, "Alice");
    }
}

static void read_up_to(const struct room_record *record)
{
    assert_int_equal(yr_chat_read(alice.talker.chats, alice.talker.now, room.id,
                                  record != NULL ? record->id : NULL, true),
                     YR_OK);
}

static void what_is_unread_and_who_was_mentioned_is_counted(void **state)
{
    struct room_record *r[6];
    uint8_t id[YR_MSG_ID_LEN];

    r[0] = room_text(&room, 'b', T0 + 10, NULL, "@alice one");
    r[1] = room_text(&room, 'c', T0 + 20, NULL, "two");
    r[2] = room_text(&room, 'b', T0 + 30, NULL, "@alice three");
    r[3] = room_text(&room, 'c', T0 + 5, NULL, "@alice late"); // stands above the others
    r[4] = room_text(&room, 'c', T0 + 6, NULL, "late, too");
    r[5] = room_bytes(&room, 'c', T0 + 7, NULL, "@alice", 6); // a line
    expect_unread(0, 0);
    for (int i = 0; i < 3; i++)
        take(&alice, r[i]);
    expect_unread(3, 2);
    read_up_to(r[1]);
    expect_unread(1, 1);
    for (int i = 3; i < 6; i++)
        take(&alice, r[i]);
    say("@alice ours", id);
    expect_unread(3, 2);
    read_up_to(r[3]);
    expect_unread(2, 1);
    read_up_to(NULL);
    expect_unread(0, 0);
    assert_int_equal(alice.talker.out_count, 0); // no receipts between two
    assert_int_equal(alice.seen_count, 5);       // each once, no line, not our own
    assert_int_equal(alice.seen['b'], 3);
    assert_int_equal(alice.seen['c'], 5);
    assert_int_equal(alice.read_count, 3);
    read_up_to(NULL);
    assert_int_equal(alice.read_count, 3); // it did not move
}

static void the_room_is_told_how_far_we_read(void **state)
{
    struct room_record *first = room_text(&room, 'b', T0, NULL, "first");
    struct room_record *second = room_text(&room, 'b', T0, first, "second");
    uint8_t conv[YR_ID_LEN];
    struct yr_place place;

    take(&alice, first);
    take(&alice, second);
    assert_int_equal(yr_chat_read(alice.talker.chats, alice.talker.now, room.id, first->id, false),
                     YR_OK); // whether to tell is the room's to decide
    assert_int_equal(yr_chat_place(alice.talker.chats, first->id, conv, &place), YR_OK);
    assert_memory_equal(&alice.marker, &place, sizeof place);
    assert_int_equal(alice.seen_count, 1);
    assert_int_equal(told(&alice, YR_EV_READ), 1);
}

static void any_order_of_coming_and_reading_keeps_the_counts_true(void **state)
{
    struct seeded rng;

    seeded_init(&rng, seeded_seed("room unread", 4));
    for (int round = 0; round < 8; round++) {
        size_t count = 60;

        for (size_t i = 0; i < count; i++)
            room_text(&room, 'b', T0 + (yr_ms)seeded_below(&rng, 1000), NULL,
                      seeded_below(&rng, 3) == 0 ? "@alice" : "x");
        for (size_t i = 0; i < count; i++) {
            struct yr_unread unread;
            struct yr_place at = {{0}};
            size_t flagged = 0, named = 0;

            take(&alice, room.records[i]);
            if (seeded_below(&rng, 6) == 0)
                read_up_to(room.records[seeded_below(&rng, i + 1)]);
            yr_chat_unread(alice.talker.chats, room.id, &unread);
            for (enum yr_seek how = YR_SEEK_GE;
                 yr_chat_history(alice.talker.chats, room.id, how, &at, &message) == YR_OK;
                 how = YR_SEEK_GT) {
                flagged += message.unread ? 1 : 0;
                named += message.unread && message.mention ? 1 : 0;
            }
            assert_int_equal(unread.count, flagged);
            assert_int_equal(unread.mentions, named);
        }
        read_up_to(NULL);
        expect_unread(0, 0);
        assert_int_equal(alice.seen_count, count);
        tear_down(state);
        set_up(state);
    }
}

static void a_line_of_the_room_stands_below_all_and_is_nobodys(void **state)
{
    struct room_record *ahead = room_text(&room, 'b', T0 + 3600000, NULL, "an hour ahead");
    const uint8_t nobody[YR_ID_LEN] = {0};
    struct yr_place at;

    ahead->hlc = UINT64_MAX; // or as far as clocks go
    ahead->eff = YR_HLC_MAX;
    take(&alice, ahead);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(yr_chat_note(alice.talker.chats, alice.talker.now, room.id,
                                      i == 0 ? "alice added carol" : "carol is mod"),
                         YR_OK);
        memset(&at, 0xff, sizeof at);
        assert_int_equal(yr_chat_history(alice.talker.chats, room.id, YR_SEEK_LE, &at, &message),
                         YR_OK);
        assert_string_equal(message.text, i == 0 ? "alice added carol" : "carol is mod");
        assert_memory_equal(message.author, nobody, sizeof nobody);
        assert_true(message.room && !message.own && !message.unread && !message.late);
        assert_int_equal(message.kind, YR_MSG_SYSTEM);
        assert_int_equal(message.of, 0);
    }
    expect_unread(1, 0);
}

// ---- refused memory ----

#define STEPS 12

static uint8_t ours[YR_MSG_ID_LEN];

// A bit of everything; room.records[0] to [4] are others'.
static enum yr_err step(int i)
{
    struct yr_chats *chats = alice.talker.chats;
    const struct yr_now now = alice.talker.now;

    switch (i) {
    case 0: return roomie_take(&alice, room.records[0]);
    case 1: return roomie_take(&alice, room.records[2]); // an edit of what has not come
    case 2: return roomie_take(&alice, room.records[1]);
    case 3: return roomie_take(&alice, room.records[3]); // a reaction
    case 4: return roomie_take(&alice, room.records[4]); // nonsense
    case 5: return try_send("ours", 4, room.records[0]->id, "key", ours);
    case 6: return yr_chat_edit(chats, now, ours, "edited", 6);
    case 7: return yr_chat_react(chats, now, room.records[0]->id, "+", 1, false);
    case 8: return yr_chat_raise(chats, now, room.id, ours, YR_STATE_DELIVERED);
    case 9: return yr_chat_read(chats, now, room.id, room.records[1]->id, true);
    case 10: return yr_chat_note(chats, now, room.id, "a line");
    default: return yr_chat_delete(chats, now, ours, false);
    }
}

static size_t picture(uint8_t *out, size_t cap)
{
    struct yr_wr wr = yr_wr_init(out, cap);
    struct yr_place at = {{0}};
    struct yr_unread unread;

    for (enum yr_seek how = YR_SEEK_GE;
         yr_chat_history(alice.talker.chats, room.id, how, &at, &message) == YR_OK;
         how = YR_SEEK_GT) {
        yr_wr_bytes(&wr, at.key, sizeof at.key);
        yr_wr_bytes(&wr, message.id, sizeof message.id);
        yr_wr_bytes(&wr, message.text, message.text_len);
        yr_wr_u8(&wr, (uint8_t)(message.kind | message.state << 4));
        yr_wr_u8(&wr, (uint8_t)(message.edited | message.deleted << 1 | message.unread << 2 |
                                message.mention << 3));
        yr_wr_u64(&wr, message.cursor);
        yr_wr_u8(&wr, (uint8_t)message.reaction_count);
    }
    yr_chat_unread(alice.talker.chats, room.id, &unread);
    yr_wr_u64(&wr, unread.count);
    yr_wr_u64(&wr, unread.mentions);
    yr_wr_bytes(&wr, unread.first, sizeof unread.first);
    yr_wr_bytes(&wr, unread.marker, sizeof unread.marker);
    assert_true(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

static void every_refused_allocation_ends_in_the_state_before(void **state)
{
    static uint8_t before[8192], after[8192];
    struct room_record *first = room_text(&room, 'b', T0, NULL, "@alice first");
    struct room_record *second = room_text(&room, 'b', T0 + 1, first, "second @alice");
    struct yr_plain op = {.type = YR_PLAIN_EDIT,
                          .target = second->id,
                          .text = (const uint8_t *)"+",
                          .text_len = 1,
                          .on = true};
    size_t refused = 0;

    room_write(&room, 'b', T0 + 2, second, &op);
    op.type = YR_PLAIN_REACTION;
    room_write(&room, 'c', T0 + 3, second, &op);
    room_bytes(&room, 'c', T0 + 4, second, "?", 1);
    for (int at = 0; at < STEPS; at++)
        for (size_t left = 0;; left++) {
            const size_t len = picture(before, sizeof before), count = room.count;
            const uint64_t dice = alice.talker.rng.state;
            enum yr_err err;

            alice.talker.mem.left = left;
            err = step(at);
            alice.talker.mem.left = SIZE_MAX;
            if (err == YR_OK && !yr_rows_broken(alice.talker.rows)) {
                talker_commit(&alice.talker);
                break;
            }
            assert_true(err == YR_OK || err == YR_ENOMEM);
            refused++;
            assert_int_equal(roomie_reset(&alice, "Alice"), YR_OK);
            assert_int_equal(picture(after, sizeof after), len);
            assert_memory_equal(before, after, len);
            while (room.count > count)
                free(room.records[--room.count]);
            alice.talker.rng.state = dice;
        }
    assert_true(refused > 40);
    hand_over_all(&bob);
    assert_true(see(&alice, ours)->deleted && see(&bob, ours)->deleted);
    assert_string_equal(see(&alice, second->id)->text, "+");
    assert_string_equal(see(&bob, second->id)->text, "+");
}

// ---- the end ----

static void the_history_of_a_room_is_erased_in_steps(void **state)
{
    bool more = true;
    size_t before, steps = 0;
    struct yr_place at = {{0}};
    uint8_t id[YR_MSG_ID_LEN];

    say("marks the rows of ours", id); // the incarnation, the conversation
    talker_commit(&alice.talker);
    before = yr_memstore_count(alice.talker.store, YR_DB_MAIN);
    for (int i = 0; i < 100; i++) {
        const struct room_record *text = room_text(&room, 'b', T0 + i, NULL, "text");
        const struct yr_plain orphan = {.type = YR_PLAIN_DELETE, .target = text->id};
        struct room_record *other = room_write(&room, 'b', T0, text, &orphan);

        take(&alice, text);
        other->plain[other->len - 1] ^= 1; // an id that is not there
        take(&alice, other);
    }
    assert_int_equal(yr_chat_erase(alice.talker.chats, room.id, 30, &more), YR_EEXIST);
    assert_int_equal(yr_chat_drop(alice.talker.chats, room.id, false), YR_OK);
    talker_commit(&alice.talker);
    while (more) {
        assert_true(steps++ < 20);
        assert_int_equal(yr_chat_erase(alice.talker.chats, room.id, 30, &more), YR_OK);
        if (steps % 2 == 0)
            talker_commit(&alice.talker);
        if (steps % 3 == 0) {
            talker_commit(&alice.talker);
            talker_crash(&alice.talker, 0);
        }
    }
    talker_commit(&alice.talker);
    assert_int_equal(steps, 201 / 30 + 1);
    assert_int_equal(yr_chat_history(alice.talker.chats, room.id, YR_SEEK_GE, &at, &message),
                     YR_ENOENT);
    assert_int_equal(yr_chat_message(alice.talker.chats, id, &message), YR_ENOENT);
    // Of each message the event stays; of the first also, and record, index and conversation go.
    assert_int_equal(yr_memstore_count(alice.talker.store, YR_DB_MAIN), before + 100 - 3);
    assert_int_equal(yr_chat_erase(alice.talker.chats, room.id, 30, &more), YR_OK);
    assert_false(more);
}

static void a_room_that_was_left_can_still_be_looked_at(void **state)
{
    struct room_record *his = room_text(&room, 'b', T0, NULL, "@alice his");
    uint8_t id[YR_MSG_ID_LEN], late[YR_MSG_ID_LEN];

    take(&alice, his);
    say("ours", id);
    assert_int_equal(yr_chat_drop(alice.talker.chats, room.id, false), YR_OK);
    talker_commit(&alice.talker);
    assert_true(see(&alice, his->id)->room && message.mention);
    assert_true(see(&alice, id)->room && message.own);
    assert_int_equal(try_send("x", 1, NULL, NULL, late), YR_ENOFRIEND);
    assert_int_equal(yr_chat_delete(alice.talker.chats, alice.talker.now, id, false), YR_ENOFRIEND);
    assert_int_equal(roomie_take(&alice, his), YR_ENOFRIEND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_we_say_leaves_through_the_log_and_stands_as_the_log_says),
        TEST(what_a_room_does_not_take_is_refused_and_nothing_is_stored),
        TEST(a_key_used_again_gives_the_first_message),
        TEST(operations_of_ours_come_back_through_the_log),
        TEST(what_another_said_we_neither_edit_nor_delete_but_here),
        TEST(a_reaction_more_than_are_kept_is_not_said),
        TEST(others_may_be_heard_while_we_are_saying_something),
        TEST(our_words_from_before_a_store_was_restored_are_ours),
        TEST(a_reaction_is_taken_back_by_the_chain_that_came_later),
        TEST(the_state_of_an_own_text_rises_and_never_falls),
        TEST(a_mention_is_our_name_as_a_whole_word),
        TEST(a_mention_is_one_by_the_text_that_was_sent),
        TEST(what_is_unread_and_who_was_mentioned_is_counted),
        TEST(the_room_is_told_how_far_we_read),
        TEST(any_order_of_coming_and_reading_keeps_the_counts_true),
        TEST(a_line_of_the_room_stands_below_all_and_is_nobodys),
        TEST(every_refused_allocation_ends_in_the_state_before),
        TEST(the_history_of_a_room_is_erased_in_steps),
        TEST(a_room_that_was_left_can_still_be_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
