/* What comes out of a room's log: whoever has the same of it sees the same, whatever came first. */
#include "core/chat/hlc.h"
#include "tests/support/roomies.h"
#include "tests/support/test.h"

#include <stdio.h>

#define T0    INT64_C(1790000000000)
#define MONTH (INT64_C(30) * 24 * 3600 * 1000)

static struct room room;
static struct roomie alice, bob; /* both only listen here: 'm', 'n', 'o' ... speak */
static struct yr_message message;

static int set_up(void **state)
{
    room_init(&room, 'R');
    roomie_init(&alice, &room, 'a', "alice");
    roomie_init(&bob, &room, 'b', "bob");
    return 0;
}

static int tear_down(void **state)
{
    roomie_clear(&alice);
    roomie_clear(&bob);
    room_clear(&room);
    return 0;
}

static const struct yr_message *see(struct roomie *r, const struct room_record *record)
{
    assert_int_equal(yr_chat_message(r->talker.chats, record->id, &message), YR_OK);
    return &message;
}

static void take(struct roomie *r, const struct room_record *record)
{
    assert_int_equal(roomie_take(r, record), YR_OK);
}

static struct yr_plain op(enum yr_plain_type type, const struct room_record *target,
                          const char *text, bool on)
{
    return (struct yr_plain){.type = type,
                             .target = target->id,
                             .text = (const uint8_t *)text,
                             .text_len = text != NULL ? strlen(text) : 0,
                             .on = on};
}

static struct room_record *write_op(char author, yr_ms ms, enum yr_plain_type type,
                                    const struct room_record *target, const char *text, bool on)
{
    const struct yr_plain plain = op(type, target, text, on);

    return room_write(&room, author, ms, target, &plain);
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

// All that members must agree on, as bytes.
static size_t history(struct roomie *r, uint8_t *out, size_t cap)
{
    struct yr_wr wr = yr_wr_init(out, cap);
    struct yr_place at = {{0}};

    for (enum yr_seek how = YR_SEEK_GE;
         yr_chat_history(r->talker.chats, room.id, how, &at, &message) == YR_OK; how = YR_SEEK_GT) {
        yr_wr_bytes(&wr, at.key, sizeof at.key);
        yr_wr_bytes(&wr, message.id, sizeof message.id);
        yr_wr_bytes(&wr, message.author, sizeof message.author);
        yr_wr_bytes(&wr, message.reply_to, sizeof message.reply_to);
        yr_wr_u8(&wr, (uint8_t)message.kind);
        yr_wr_u8(&wr, (uint8_t)(message.edited | message.deleted << 1));
        yr_wr_u64(&wr, (uint64_t)message.time_ms);
        yr_wr_u64(&wr, (uint64_t)message.edited_ms);
        yr_wr_u64(&wr, message.text_len);
        yr_wr_bytes(&wr, message.text, message.text_len);
        yr_wr_u8(&wr, (uint8_t)message.reaction_count);
        for (size_t i = 0; i < message.reaction_count; i++)
            yr_wr_bytes(&wr, &message.reactions[i], sizeof message.reactions[i]);
    }
    assert_true(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

static void assert_same_history(void)
{
    static uint8_t hers[400000], his[400000];
    const size_t len = history(&alice, hers, sizeof hers);

    assert_int_equal(history(&bob, his, sizeof his), len);
    assert_memory_equal(hers, his, len);
}

// ---- texts ----

static void a_text_stands_with_its_author_time_and_place(void **state)
{
    const struct yr_plain action = {.type = YR_PLAIN_TEXT,
                                    .flags = YR_PLAIN_ACTION,
                                    .text = (const uint8_t *)"nods",
                                    .text_len = 4};
    struct room_record *first = room_text(&room, 'm', T0, NULL, "is the build green?");
    struct room_record *second = room_write(&room, 'n', T0 - MONTH, first, &action);
    uint8_t author[YR_ID_LEN];
    const struct yr_message *m;
    struct yr_event event;

    take(&alice, first);
    take(&alice, second);
    roomie_author(author, 'm');
    m = see(&alice, first);
    assert_string_equal(m->text, "is the build green?");
    assert_memory_equal(m->author, author, YR_ID_LEN);
    assert_memory_equal(m->conv, room.id, YR_ID_LEN);
    assert_true(m->room && m->unread && !m->own && !m->mention && !m->late);
    assert_int_equal(m->kind, YR_MSG_TEXT);
    assert_int_equal(m->state, YR_STATE_DELIVERED);
    assert_int_equal(m->time_ms, T0);
    assert_int_equal(m->seq, 1);
    assert_int_equal(m->incarnation[0], 'm' ^ 1);
    assert_int_equal(m->of + m->delivered_to + m->read_by, 0);
    m = see(&alice, second);
    assert_int_equal(m->kind, YR_MSG_ACTION);
    assert_int_equal(m->time_ms, T0 - MONTH); // behind what it answers all the same
    assert_true(m->late);
    talker_commit(&alice.talker);
    for (int i = 0; i < 2; i++) {
        assert_true(talker_event(&alice.talker, &event));
        assert_int_equal(event.kind, YR_EV_MESSAGE);
        assert_memory_equal(event.msg, i == 0 ? first->id : second->id, YR_MSG_ID_LEN);
        assert_int_equal(event.cursor, see(&alice, i == 0 ? first : second)->cursor);
    }
    assert_int_equal(alice.talker.out_count, 0); // nobody is sent a receipt
}

static void the_same_record_again_changes_nothing(void **state)
{
    struct room_record *text = room_text(&room, 'm', T0, NULL, "@alice once");
    struct room_record *edit = write_op('m', T0 + 1, YR_PLAIN_EDIT, text, "twice", false);
    struct room_record *orphan = write_op('m', T0 + 2, YR_PLAIN_DELETE, edit, NULL, false);
    struct yr_unread unread;
    struct yr_event event;
    size_t rows, told = 0;

    for (size_t i = 0; i < room.count; i++)
        take(&alice, room.records[i]);
    talker_commit(&alice.talker);
    rows = yr_memstore_count(alice.talker.store, YR_DB_MAIN);
    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < room.count; i++)
            take(&alice, room.records[i]);
        talker_commit(&alice.talker);
        roomie_crash(&alice, "alice");
    }
    assert_int_equal(yr_memstore_count(alice.talker.store, YR_DB_MAIN), rows);
    assert_string_equal(see(&alice, text)->text, "twice");
    yr_chat_unread(alice.talker.chats, room.id, &unread);
    assert_int_equal(unread.count, 1);
    assert_int_equal(unread.mentions, 1);
    while (talker_event(&alice.talker, &event))
        told++;
    assert_int_equal(told, 0); // all of it was told before the first crash, or never will be
    assert_int_equal(yr_chat_message(alice.talker.chats, orphan->id, &message), YR_ENOENT);
}

static void what_was_not_durable_is_gone_whole_and_comes_again(void **state)
{
    struct room_record *kept = room_text(&room, 'm', T0, NULL, "kept");
    struct room_record *lost = room_text(&room, 'n', T0 + 1, kept, "@alice lost");
    struct room_record *edit = write_op('m', T0 + 2, YR_PLAIN_EDIT, kept, "kept and edited", false);
    struct yr_unread unread;

    take(&alice, kept);
    talker_commit(&alice.talker);
    take(&alice, lost);
    take(&alice, edit);
    roomie_crash(&alice, "alice");
    assert_string_equal(see(&alice, kept)->text, "kept");
    assert_int_equal(yr_chat_message(alice.talker.chats, lost->id, &message), YR_ENOENT);
    yr_chat_unread(alice.talker.chats, room.id, &unread);
    assert_int_equal(unread.count, 1);
    assert_int_equal(unread.mentions, 0);
    for (size_t i = 0; i < room.count; i++) {
        take(&alice, room.records[i]);
        take(&bob, room.records[i]);
    }
    assert_same_history();
    yr_chat_unread(alice.talker.chats, room.id, &unread);
    assert_int_equal(unread.count, 2);
    assert_int_equal(unread.mentions, 1);
}

// ---- order and merging ----

static void be_of(struct room_record *made, const struct room_record *other)
{
    memcpy(made->mid, other->mid, sizeof made->mid);
    memcpy(made->incarnation, other->incarnation, sizeof made->incarnation);
}

// `count` records by five members whose clocks mean nothing: texts, answers, operations on what
// came before, on what is not theirs, on operations, and nonsense.
static void invent(struct seeded *rng, size_t count)
{
    static const char *const emoji[] = {"+", "-", "!", "?"};
    char text[32];

    for (size_t i = 0; i < count; i++) {
        const char author = (char)('m' + seeded_below(rng, 5));
        const yr_ms skew = seeded_below(rng, 4) == 0 ? (yr_ms)seeded_below(rng, 3) * MONTH : 0;
        const yr_ms ms = T0 + (yr_ms)seeded_below(rng, 20) * 1000 + skew;
        const size_t back = seeded_below(rng, YR_MIN(i, 12) + 1); // 0: cites nothing
        struct room_record *target = back > 0 ? room.records[i - back] : NULL;
        const size_t what = target != NULL ? seeded_below(rng, 12) : 0;
        struct room_record *made;

        snprintf(text, sizeof text, "%c %zu", author, i);
        if (what < 5)
            made = room_text(&room, author, ms, target, text);
        else if (what < 7)
            made = write_op(author, ms, YR_PLAIN_EDIT, target, text, false);
        else if (what < 8)
            made = write_op(author, ms, YR_PLAIN_DELETE, target, NULL, false);
        else if (what < 11)
            made = write_op(author, ms, YR_PLAIN_REACTION, target, emoji[seeded_below(rng, 4)],
                            seeded_below(rng, 3) > 0);
        else
            made = room_bytes(&room, author, ms, target, "nonsense", 8);
        if (seeded_below(rng, 30) == 0)
            made->hlc = UINT64_MAX; // counts as YR_HLC_MAX
        made->eff = YR_MAX(made->eff, YR_MIN(made->hlc, YR_HLC_MAX));
        if (target != NULL && what < 8 && seeded_below(rng, 2) == 0)
            be_of(made, target); // the author himself, more often
    }
}

static void members_with_the_same_records_show_the_same_history(void **state)
{
    static size_t order[200];
    struct seeded rng;

    seeded_init(&rng, seeded_seed("room order", 20261122));
    for (int round = 0; round < 30; round++) {
        const size_t count = 10 + seeded_below(&rng, 190);

        invent(&rng, count);
        for (size_t i = 0; i < count; i++) // alice: as the log gives them out
            take(&alice, room.records[i]);
        shuffle(&rng, order, count); // bob: some keys came late
        bob.talker.now.wall_ms = T0 + (yr_ms)seeded_below(&rng, 3) * MONTH;
        for (size_t i = 0; i < count; i++) {
            take(&bob, room.records[order[i]]);
            if (seeded_below(&rng, 10) == 0) {
                talker_commit(&bob.talker);
                roomie_crash(&bob, "bob");
            }
        }
        assert_same_history();
        tear_down(state);
        set_up(state);
    }
}

// Take the six records in each of the 720 orders; all end as the first one did.
static void in_all_orders(struct room_record *const six[6])
{
    static uint8_t first[4096], now[4096];
    size_t first_len = 0, orders = 0;

    for (unsigned code = 0; code < 6 * 6 * 6 * 6 * 6 * 6; code++) {
        unsigned at[6], used = 0, rest = code;
        size_t len;

        for (size_t i = 0; i < 6; i++, rest /= 6)
            used |= 1U << (at[i] = rest % 6);
        if (used != 0x3f)
            continue;
        for (size_t i = 0; i < 6; i++)
            take(&alice, six[at[i]]);
        len = history(&alice, now, sizeof now);
        if (orders++ == 0)
            memcpy(first, now, first_len = len);
        assert_int_equal(len, first_len);
        assert_memory_equal(now, first, len);
        assert_int_equal(yr_chat_drop(alice.talker.chats, room.id, true), YR_OK);
        talker_commit(&alice.talker);
        roomie_crash(&alice, "alice");
    }
    assert_int_equal(orders, 720);
    for (size_t i = 0; i < 6; i++)
        take(&alice, six[i]);
}

static void edits_and_reactions_merge_in_every_order(void **state)
{
    struct room_record *text = room_text(&room, 'm', T0, NULL, "one");
    struct room_record *const six[6] = {
        text,
        write_op('m', T0 + 2, YR_PLAIN_EDIT, text, "two", false),
        write_op('m', T0 + 3, YR_PLAIN_EDIT, text, "three", false),
        write_op('n', T0 + 4, YR_PLAIN_REACTION, text, "+", true),
        write_op('n', T0 + 5, YR_PLAIN_REACTION, text, "+", false),
        write_op('o', T0 + 1, YR_PLAIN_REACTION, text, "+", true),
    };

    in_all_orders(six);
    assert_string_equal(see(&alice, text)->text, "three");
    assert_true(message.edited);
    assert_int_equal(message.edited_ms, T0 + 3);
    assert_int_equal(message.reaction_count, 1);
    assert_int_equal(message.reactions[0].author[0], 'o');
    assert_int_equal(message.reactions[0].author[YR_MID_LEN], 0);
}

static void only_the_author_edits_and_deletes_in_every_order(void **state)
{
    struct room_record *text = room_text(&room, 'm', T0, NULL, "mine");
    struct room_record *six[6] = {
        text,
        write_op('n', T0 + 9, YR_PLAIN_EDIT, text, "yours", false),
        write_op('n', T0 + 9, YR_PLAIN_DELETE, text, NULL, false),
        write_op('m', T0 + 1, YR_PLAIN_EDIT, text, "still mine", false),
        write_op('o', T0 + 1, YR_PLAIN_EDIT, text, "ours", false),
        room_text(&room, 'n', T0 + 2, NULL, "denied?"),
    };

    in_all_orders(six);
    assert_string_equal(see(&alice, text)->text, "still mine");
    assert_int_equal(talker_counter(&alice.talker, "chat.denied"), 3); // since the last crash
    six[4] = write_op('m', T0 + 1, YR_PLAIN_DELETE, text, NULL, false);
    six[5] = write_op('n', T0 + 5, YR_PLAIN_REACTION, text, "+", true);
    assert_int_equal(yr_chat_drop(alice.talker.chats, room.id, true), YR_OK);
    talker_commit(&alice.talker);
    roomie_crash(&alice, "alice");
    in_all_orders(six);
    assert_true(see(&alice, text)->deleted);
    assert_int_equal(message.text_len + message.reaction_count, 0);
}

static void of_too_many_reactions_everybody_keeps_the_same(void **state)
{
    struct room_record *text = room_text(&room, 'm', T0, NULL, "vote");
    static size_t order[ROOM_RECORDS];
    struct seeded rng;
    char emoji[8];

    seeded_init(&rng, seeded_seed("room reactions", 3));
    for (int i = 0; i < 40; i++) // forty members, each up to twelve, some taken back
        for (int k = 0; k < 12; k++) {
            snprintf(emoji, sizeof emoji, "%c%d", 'a' + (int)seeded_below(&rng, 20), i % 7);
            write_op((char)('A' + i), T0 + (yr_ms)seeded_below(&rng, 99), YR_PLAIN_REACTION, text,
                     emoji, seeded_below(&rng, 4) > 0);
        }
    for (int round = 0; round < 4; round++) {
        shuffle(&rng, order, room.count);
        for (size_t i = 0; i < room.count; i++)
            take(&alice, room.records[order[i]]);
        shuffle(&rng, order, room.count);
        for (size_t i = 0; i < room.count; i++)
            take(&bob, room.records[order[i]]);
        assert_same_history();
        assert_int_equal(yr_chat_drop(bob.talker.chats, room.id, true), YR_OK);
        talker_commit(&bob.talker);
        roomie_crash(&bob, "bob");
    }
    see(&alice, text);
    assert_true(message.reaction_count > 30); // of 64 kept those that are set
    assert_true(talker_counter(&alice.talker, "chat.reactions_full") > 0);
    for (size_t i = 0, same = 0; i < message.reaction_count; i++) {
        same = i > 0 && memcmp(message.reactions[i].author, message.reactions[i - 1].author,
                               YR_ID_LEN) == 0
                   ? same + 1
                   : 1;
        assert_true(same <= YR_ROOM_REACTION_EACH);
    }
}

// ---- what others would do to us ----

static void what_does_not_decode_is_a_line_at_its_place(void **state)
{
    static uint8_t long_text[YR_TEXT_MAX], bytes[YR_PLAIN_MAX];
    const struct yr_plain direct = {
        .type = YR_PLAIN_TEXT, .id = long_text, .text = long_text, .text_len = 4097};
    const struct yr_plain profile = {
        .type = YR_PLAIN_PROFILE, .id = long_text, .text = long_text, .text_len = 3};
    struct room_record *first = room_text(&room, 'm', T0, NULL, "first"), *lines[5];
    struct yr_unread unread;
    uint8_t author[YR_ID_LEN];
    size_t len;

    memset(long_text, 'x', sizeof long_text);
    lines[0] = room_bytes(&room, 'n', T0 + 1, first, "", 0);
    lines[1] = room_bytes(&room, 'n', T0 + 2, first, "\xc1", 1);
    lines[2] = room_bytes(&room, 'n', T0 + 3, first, "\x82\x01\x63\x04\xc0", 5); // type 99
    assert_int_equal(yr_plain_encode(&profile, bytes, sizeof bytes, &len), YR_OK);
    lines[3] = room_bytes(&room, 'n', T0 + 4, first, bytes, len);
    assert_int_equal(yr_plain_encode(&direct, bytes, sizeof bytes, &len), YR_OK);
    lines[4] = room_bytes(&room, 'n', T0 + 5, first, bytes, len); // one byte too long
    room_text(&room, 'm', T0 + 6, first, "last");
    roomie_author(author, 'n');
    for (size_t i = room.count; i-- > 0;)
        take(&alice, room.records[i]);
    for (size_t i = 0; i < room.count; i++)
        take(&bob, room.records[i]);
    assert_same_history();
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(see(&alice, lines[i])->kind, YR_MSG_SYSTEM);
        assert_memory_equal(message.author, author, YR_ID_LEN);
        assert_non_null(strstr(message.text, i == 2 || i == 3 ? "newer version" : "not be read"));
        assert_true(message.room && !message.unread);
    }
    yr_chat_unread(alice.talker.chats, room.id, &unread);
    assert_int_equal(unread.count, 2);
    assert_int_equal(talker_counter(&alice.talker, "chat.unreadable"), 3);
    assert_int_equal(talker_counter(&alice.talker, "chat.unknown_type"), 2);
}

static void no_bytes_do_harm(void **state)
{
    struct room_record *text = room_text(&room, 'm', T0, NULL, "text");
    struct room_record *edit = write_op('m', T0 + 1, YR_PLAIN_EDIT, text, "edit", false);
    struct seeded rng;

    seeded_init(&rng, seeded_seed("room bytes", 7));
    take(&alice, text);
    for (int i = 0; i < 1000; i++) {
        uint8_t bytes[sizeof edit->plain];
        size_t len = edit->len;

        memcpy(bytes, edit->plain, len);
        for (size_t k = seeded_below(&rng, 4); k-- > 0;)
            bytes[seeded_below(&rng, len)] = (uint8_t)seeded_u64(&rng);
        if (seeded_below(&rng, 2) == 0)
            len = seeded_below(&rng, len + 1);
        take(&alice, room_bytes(&room, 'm', T0 + i, text, bytes, len));
    }
    for (size_t i = room.count; i-- > 0;)
        take(&bob, room.records[i]);
    take(&alice, edit);
    assert_same_history();
}

static void operations_on_nothing_wait_and_are_bounded(void **state)
{
    static const struct room_record nothing; // the id zero
    struct room_record *text = room_text(&room, 'm', T0, NULL, "text");
    struct room_record *on_nothing = write_op('m', T0, YR_PLAIN_DELETE, &nothing, NULL, false);
    struct room_record record = *write_op('n', T0, YR_PLAIN_REACTION, on_nothing, "+", true);
    size_t rows;

    take(&alice, on_nothing);
    for (uint32_t i = 0; i < YR_ORPHANS_MAX; i++) { // each by another record
        memcpy(record.id, &i, sizeof i);
        take(&alice, &record);
        if (i % 1000 == 0)
            talker_commit(&alice.talker);
    }
    assert_int_equal(talker_counter(&alice.talker, "chat.orphans_full"), 1);
    talker_commit(&alice.talker);
    rows = yr_memstore_count(alice.talker.store, YR_DB_MAIN);
    take(&alice, text);
    talker_commit(&alice.talker);
    assert_int_equal(yr_memstore_count(alice.talker.store, YR_DB_MAIN), rows + 3);
    assert_string_equal(see(&alice, text)->text, "text");
}

static void a_friend_cannot_take_a_rooms_id_away(void **state)
{
    struct room_record *text = room_text(&room, 'm', T0, NULL, "for all");
    struct room_record *edit = write_op('m', T0 + 1, YR_PLAIN_EDIT, text, "edited", false);
    struct yr_plain planted = {.type = YR_PLAIN_TEXT,
                               .id = text->id,
                               .incarnation = text->id,
                               .seq = 1,
                               .text = (const uint8_t *)"planted",
                               .text_len = 7};
    struct talker mallory;
    struct yr_place at = {{0}};

    talker_init(&mallory, 'Z', 1);
    talker_befriend(&alice.talker, &mallory);
    assert_int_equal(talker_take(&alice.talker, &mallory, &planted), YR_OK);
    take(&alice, edit); // and not edited is what the friend said
    take(&alice, text);
    take(&bob, text);
    take(&bob, edit);
    assert_same_history();
    assert_string_equal(see(&alice, text)->text, "edited");
    assert_memory_equal(message.conv, room.id, YR_ID_LEN);
    assert_int_equal(talker_take(&bob.talker, &mallory, &planted), YR_EPROTO); // no friend there
    assert_int_equal(talker_take(&alice.talker, &mallory, &planted), YR_EPROTO);
    assert_int_equal(yr_chat_history(alice.talker.chats, mallory.id, YR_SEEK_GE, &at, &message),
                     YR_OK);
    assert_string_equal(message.text, "planted");
    assert_int_equal(yr_chat_drop(alice.talker.chats, mallory.id, true), YR_OK);
    assert_string_equal(see(&alice, text)->text, "edited"); // and is still found
    talker_clear(&mallory);
}

static void a_room_and_a_friend_are_not_confused(void **state)
{
    struct room_record *text = room_text(&room, 'm', T0, NULL, "text");
    const struct yr_plain plain = {.type = YR_PLAIN_TEXT,
                                   .id = text->id,
                                   .incarnation = text->id,
                                   .text = (const uint8_t *)"x",
                                   .text_len = 1};
    struct room other = {.id = {9}};
    struct yr_chat_aside aside;
    uint8_t bytes[128];
    size_t len;

    assert_int_equal(yr_plain_encode(&plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(
        yr_chat_receive(alice.talker.chats, alice.talker.now, room.id, room.id, bytes, len, &aside),
        YR_EPROTO);
    alice.room = &other; // not open
    assert_int_equal(roomie_take(&alice, text), YR_ENOFRIEND);
    assert_int_equal(yr_chat_open(alice.talker.chats, other.id), YR_OK);
    assert_int_equal(roomie_take(&alice, text), YR_ENOFRIEND); // open, and no room
    assert_int_equal(yr_chat_open_room(alice.talker.chats, other.id, text->mid, "x"), YR_EEXIST);
    assert_int_equal(
        yr_chat_raise(alice.talker.chats, alice.talker.now, other.id, text->id, YR_STATE_READ),
        YR_ENOFRIEND);
    alice.room = &room;
    take(&alice, text);
}

static void a_content_that_never_opens_is_a_line_for_good(void **state)
{
    struct room_record *lost = room_text(&room, 'm', T0, NULL, "lost");
    struct room_record *edit = write_op('m', T0 + 1, YR_PLAIN_EDIT, lost, "found", false);
    const struct yr_chat_said said = {
        lost->id, lost->mid, lost->incarnation, lost->hlc, lost->seq, lost->eff, false, 0};

    assert_int_equal(yr_chat_unreadable(alice.talker.chats, alice.talker.now, room.id, &said),
                     YR_OK);
    assert_int_equal(yr_chat_unreadable(alice.talker.chats, alice.talker.now, room.id, &said),
                     YR_OK);
    take(&alice, edit);
    take(&alice, lost);
    assert_int_equal(see(&alice, lost)->kind, YR_MSG_SYSTEM);
    assert_int_equal(message.time_ms, T0);
    assert_false(message.edited);
    assert_int_equal(talker_counter(&alice.talker, "chat.duplicate"), 2);
}

// ---- forks ----

static struct yr_chat_said said_of(const struct room_record *record, uint64_t fork)
{
    return (struct yr_chat_said){.id = record->id,
                                 .author = record->mid,
                                 .incarnation = record->incarnation,
                                 .hlc = record->hlc,
                                 .seq = record->seq,
                                 .eff = record->eff,
                                 .fork = fork};
}

static void void_it(struct roomie *r, const struct room_record *record, uint64_t fork)
{
    const struct yr_chat_said said = said_of(record, fork);

    assert_int_equal(yr_chat_void(r->talker.chats, r->talker.now, room.id, &said), YR_OK);
}

static void disown(struct roomie *r, const struct room_record *of)
{
    struct yr_chat_walk walk = {.begun = false};
    unsigned left = 3;

    while (yr_chat_disown(r->talker.chats, r->talker.now, room.id, of->mid, of->incarnation, &walk,
                          &left) == YR_EAGAIN)
        left = 3;
    assert_true(left <= 3);
}

static size_t told(struct roomie *r, enum yr_event_kind kind)
{
    struct yr_event event;
    size_t count = 0;

    talker_commit(&r->talker);
    while (talker_event(&r->talker, &event))
        count += event.kind == kind;
    return count;
}

static void what_stands_after_a_fork_is_a_line_and_nothing_to_read(void **state)
{
    struct room_record *first = room_text(&room, 'm', T0, NULL, "@alice one");
    struct room_record *second = room_text(&room, 'm', T0 + 1, first, "@alice two");
    struct room_record *third = room_text(&room, 'n', T0 + 2, second, "three");
    struct room_record *edit = write_op('m', T0 + 3, YR_PLAIN_EDIT, second, "edited", false);
    struct room_record *plus = write_op('n', T0 + 4, YR_PLAIN_REACTION, second, "+", true);
    struct yr_unread unread;

    for (size_t i = 0; i < room.count; i++)
        take(&alice, room.records[i]);
    assert_int_equal(told(&alice, YR_EV_MESSAGE), 3);
    void_it(&alice, first, 1);
    for (int i = 0; i < 2; i++)
        void_it(&alice, second, 1);
    void_it(&alice, edit, 1);
    talker_commit(&alice.talker);
    see(&alice, second);
    assert_int_equal(message.kind, YR_MSG_SYSTEM);
    assert_string_equal(message.text, "a message could not be read");
    assert_false(message.edited || message.mention || message.unread);
    assert_int_equal(message.reaction_count, 0);
    assert_int_equal(see(&alice, edit)->kind, YR_MSG_SYSTEM);
    yr_chat_unread(alice.talker.chats, room.id, &unread);
    assert_int_equal(unread.count, 1);
    assert_int_equal(unread.mentions, 0);
    assert_memory_equal(unread.first, third->id, YR_MSG_ID_LEN);
    assert_int_equal(told(&alice, YR_EV_EDIT), 2);
    void_it(&bob, second, 1); // who knew it from the beginning
    void_it(&bob, first, 1);
    void_it(&bob, edit, 1);
    take(&bob, plus);
    take(&bob, third);
    assert_same_history();
    roomie_crash(&alice, "alice");
    assert_same_history();
    assert_int_equal(yr_chat_read(alice.talker.chats, alice.talker.now, room.id, NULL, true),
                     YR_OK);
    yr_chat_unread(alice.talker.chats, room.id, &unread);
    assert_int_equal(unread.count, 0);
}

static void what_a_forked_chain_edited_and_reacted_to_is_as_before(void **state)
{
    struct room_record *text = room_text(&room, 'm', T0, NULL, "first");
    struct room_record *other = room_text(&room, 'n', T0 + 1, text, "other");
    struct room_record *edit = write_op('m', T0 + 2, YR_PLAIN_EDIT, text, "edited", false);
    struct room_record *plus = write_op('m', T0 + 3, YR_PLAIN_REACTION, other, "+", true);
    struct room_record *late = room_text(&room, 'o', T0 + 4, other, "late");
    struct room_record *orphan = write_op('m', T0 + 5, YR_PLAIN_REACTION, late, "+", true);
    struct room_record *again = write_op('m', T0 + 6, YR_PLAIN_REACTION, other, "+", true);

    again->incarnation[2] = 77; // a chain that does not fork
    take(&alice, text);
    take(&alice, other);
    take(&alice, edit);
    take(&alice, plus);
    take(&alice, orphan);
    assert_true(see(&alice, text)->edited);
    disown(&alice, text);
    assert_string_equal(see(&alice, text)->text, "first");
    assert_false(message.edited);
    assert_int_equal(see(&alice, other)->reaction_count, 0);
    take(&alice, late);
    assert_int_equal(see(&alice, late)->reaction_count, 0);
    take(&alice, again);
    assert_int_equal(see(&alice, other)->reaction_count, 1);
    edit->fork = plus->fork = orphan->fork = 9999; // known from the beginning
    take(&bob, again);
    take(&bob, orphan);
    take(&bob, plus);
    take(&bob, edit);
    take(&bob, other);
    take(&bob, late);
    take(&bob, text);
    assert_same_history();
}

// What a node knows of the one chain that forks.
struct listener {
    struct roomie *r;
    const struct room_record *taken[ROOM_RECORDS];
    size_t count;
    uint64_t fork;
    bool used[64]; // the key of this number is gone
};

static bool of_chain(const struct room_record *record)
{
    return record->incarnation[0] == 1;
}

// The lowest number that two records have.
static uint64_t lowest_fork(const struct listener *l)
{
    uint64_t fork = 0;

    for (size_t i = 0; i < l->count; i++)
        for (size_t k = 0; k < i; k++)
            if (of_chain(l->taken[i]) && of_chain(l->taken[k]) &&
                l->taken[i]->seq == l->taken[k]->seq && (fork == 0 || l->taken[i]->seq < fork))
                fork = l->taken[i]->seq;
    return fork;
}

// A record is accepted.
static void hear(struct listener *l, const struct room_record *record)
{
    uint64_t fork;

    l->taken[l->count++] = record;
    fork = lowest_fork(l);
    if (of_chain(record) && fork != 0 && record->seq >= fork)
        void_it(l->r, record, fork);
}

// Its key is here.
static void open_it(struct listener *l, const struct room_record *record)
{
    const struct yr_chat_said said = said_of(record, of_chain(record) ? lowest_fork(l) : 0);
    struct yr_chats *chats = l->r->talker.chats;

    if (of_chain(record) && l->used[record->seq]) {
        assert_int_equal(yr_chat_unreadable(chats, l->r->talker.now, room.id, &said), YR_OK);
        return;
    }
    l->used[record->seq & 63] |= of_chain(record);
    assert_int_equal(
        yr_chat_take(chats, l->r->talker.now, room.id, &said, record->plain, record->len), YR_OK);
}

static void draw_consequences(struct listener *l)
{
    const uint64_t fork = lowest_fork(l);

    if (fork == l->fork)
        return;
    for (size_t i = 0; i < l->count; i++)
        if (of_chain(l->taken[i]) && l->taken[i]->seq >= fork)
            void_it(l->r, l->taken[i], fork);
    if (l->fork == 0)
        disown(l->r, room.records[0]);
    l->fork = fork;
}

// One member's chain with branches, beside what others say; 'm' deletes before the fork only.
static void invent_fork(struct seeded *rng, size_t count)
{
    static const char *const emoji[] = {"+", "-"};
    uint64_t seq = 0, others = 100;

    for (size_t i = 0; i < count; i++) {
        struct room_record *target = i > 0 ? room.records[seeded_below(rng, i)] : NULL;
        const bool m = i == 0 || seeded_below(rng, 2) == 0;
        const char author = m ? 'm' : (char)('n' + seeded_below(rng, 2));
        const size_t what = target != NULL ? seeded_below(rng, 6) : 0;
        const yr_ms ms = T0 + (yr_ms)i * 10;
        struct room_record *made;
        char text[32];

        snprintf(text, sizeof text, "%c %zu", author, i);
        if (what < 3)
            made = room_text(&room, author, ms, NULL, text);
        else if (what == 3)
            made = write_op(author, ms, YR_PLAIN_EDIT, target, text, false);
        else
            made = write_op(author, ms, YR_PLAIN_REACTION, target, emoji[seeded_below(rng, 2)],
                            seeded_below(rng, 3) > 0);
        memset(made->incarnation, m ? 1 : author, sizeof made->incarnation);
        if (m && seq > 2 && i > count / 2 && seeded_below(rng, 8) == 0)
            seq -= 1 + seeded_below(rng, 2); // a branch
        made->seq = m ? ++seq : others++;
    }
}

static void all_orders_of_a_forked_chain_end_in_one_history(void **state)
{
    static size_t order[60];
    static struct listener listeners[2];
    const struct room_record *late[60];
    size_t late_count, forked = 0;
    struct seeded rng;

    seeded_init(&rng, seeded_seed("room forks", 20261123));
    for (int round = 0; round < 60; round++) {
        const size_t count = 10 + seeded_below(&rng, 50);

        invent_fork(&rng, count);
        for (size_t k = 0; k < 2; k++) {
            struct listener *l = &listeners[k];

            memset(l, 0, sizeof *l);
            late_count = 0;
            l->r = k == 0 ? &alice : &bob;
            shuffle(&rng, order, count);
            if (k == 0)
                for (size_t i = 0; i < count; i++)
                    order[i] = i;
            for (size_t i = 0; i < count; i++) {
                hear(l, room.records[order[i]]);
                if (seeded_below(&rng, 6) == 0)
                    late[late_count++] = room.records[order[i]];
                else
                    open_it(l, room.records[order[i]]);
                if (seeded_below(&rng, 3) == 0)
                    draw_consequences(l);
                if (seeded_below(&rng, 6) > 0)
                    continue;
                draw_consequences(l);
                talker_commit(&l->r->talker);
                roomie_crash(l->r, k == 0 ? "alice" : "bob");
            }
            draw_consequences(l);
            while (late_count > 0)
                open_it(l, late[--late_count]);
            forked += l->fork != 0;
        }
        assert_same_history();
        tear_down(state);
        set_up(state);
    }
    assert_in_range(forked, 20, 119); // of 120
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_text_stands_with_its_author_time_and_place),
        TEST(the_same_record_again_changes_nothing),
        TEST(what_was_not_durable_is_gone_whole_and_comes_again),
        TEST(members_with_the_same_records_show_the_same_history),
        TEST(edits_and_reactions_merge_in_every_order),
        TEST(only_the_author_edits_and_deletes_in_every_order),
        TEST(of_too_many_reactions_everybody_keeps_the_same),
        TEST(what_does_not_decode_is_a_line_at_its_place),
        TEST(no_bytes_do_harm),
        TEST(operations_on_nothing_wait_and_are_bounded),
        TEST(a_friend_cannot_take_a_rooms_id_away),
        TEST(a_room_and_a_friend_are_not_confused),
        TEST(a_content_that_never_opens_is_a_line_for_good),
        TEST(what_stands_after_a_fork_is_a_line_and_nothing_to_read),
        TEST(what_a_forked_chain_edited_and_reacted_to_is_as_before),
        TEST(all_orders_of_a_forked_chain_end_in_one_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
