/* One member signs several histories: whoever has the same records shows the same, whatever came
 * first, whenever power failed, and the one whose store was set back, too. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/room/state.h"
#include "tests/support/roombus.h"

enum { ALICE, MALLORY, BOB, READERS };

#define RECORDS 160

struct bytes {
    size_t len;
    uint8_t at[YR_ROOM_RECORD_MAX];
};

static struct bus w;
static uint8_t id[YR_ROOM_ID_LEN];
static struct bytes *records[RECORDS];
static size_t record_count;
static struct yr_memstore *before[READERS]; /* what they had when it began */

static struct yr_room *room_of(unsigned no)
{
    return yr_rooms_find(w.people[no].rooms, id);
}

static void do_due(unsigned no)
{
    while (yr_rooms_deadline(w.people[no].rooms) <= w.now.mono_us)
        assert_int_equal(yr_rooms_tick(w.people[no].rooms, w.now), YR_OK);
    bus_commit(&w, no);
}

// What members agree on: all but the lines of our own node.
static size_t history(unsigned no, uint8_t *out, size_t cap)
{
    static const uint8_t nobody[YR_ID_LEN];
    static struct yr_message m;
    struct yr_wr wr = yr_wr_init(out, cap);
    struct yr_place at = {{0}};

    for (enum yr_seek how = YR_SEEK_GE;
         yr_chat_history(w.people[no].chats, id, how, &at, &m) == YR_OK; how = YR_SEEK_GT) {
        if (memcmp(m.author, nobody, sizeof nobody) == 0)
            continue;
        yr_wr_bytes(&wr, at.key, sizeof at.key);
        yr_wr_bytes(&wr, m.id, sizeof m.id);
        yr_wr_bytes(&wr, m.author, sizeof m.author);
        yr_wr_u8(&wr, (uint8_t)m.kind);
        yr_wr_u8(&wr, (uint8_t)(m.edited | m.deleted << 1 | m.mention << 2));
        yr_wr_u64(&wr, (uint64_t)m.edited_ms);
        yr_wr_u64(&wr, m.text_len);
        yr_wr_bytes(&wr, m.text, m.text_len);
        for (size_t i = 0; i < m.reaction_count; i++)
            yr_wr_bytes(&wr, &m.reactions[i], sizeof m.reactions[i]);
    }
    assert_true(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

static bool shows(unsigned no, const char *text, uint8_t msg[YR_MSG_ID_LEN])
{
    static struct yr_message m;
    struct yr_place at = {{0}};

    for (enum yr_seek how = YR_SEEK_GE;
         yr_chat_history(w.people[no].chats, id, how, &at, &m) == YR_OK; how = YR_SEEK_GT)
        if (strcmp(m.text, text) == 0) {
            memcpy(msg, m.id, YR_MSG_ID_LEN);
            return true;
        }
    return false;
}

static void react(unsigned no, const char *text, const char *emoji)
{
    uint8_t msg[YR_MSG_ID_LEN];

    assert_true(shows(no, text, msg));
    assert_int_equal(yr_chat_react(w.people[no].chats, w.now, msg, emoji, strlen(emoji), false),
                     YR_OK);
}

static void edit(unsigned no, const char *text, const char *now)
{
    uint8_t msg[YR_MSG_ID_LEN];

    assert_true(shows(no, text, msg));
    assert_int_equal(yr_chat_edit(w.people[no].chats, w.now, msg, now, strlen(now)), YR_OK);
}

static void say(unsigned no, const char *text)
{
    w.now.mono_us += YR_S;
    w.now.wall_ms += 1000;
    assert_int_equal(bus_say(&w, no, id, text), YR_OK);
}

// The records he has above `end`.
static void collect(unsigned no, uint64_t end)
{
    struct yr_room_log *log = room_of(no)->log;
    struct yr_room_entry entry;

    while (end < yr_room_log_end(log)) {
        struct bytes *r = malloc(sizeof *r);

        assert_non_null(r);
        assert_true(record_count < RECORDS);
        assert_int_equal(yr_room_log_at(log, ++end, r->at, sizeof r->at, &r->len, &entry), YR_OK);
        records[record_count++] = r;
    }
}

// He begins with the backup and does this; nobody hears of it but `records`.
static void live(unsigned no, const struct yr_memstore *backup, void (*what)(void))
{
    uint64_t end;

    bus_crash(&w, no, backup);
    end = yr_room_log_end(room_of(no)->log);
    what();
    collect(no, end);
    bus_commit(&w, no);
}

static void pays(void)
{
    char text[32];

    say(MALLORY, "I pay");
    edit(MALLORY, "hello", "hello all");
    react(MALLORY, "welcome", "+");
    react(MALLORY, "I pay", "!");
    for (int i = 0; i < 80; i++) { // more than is looked at in one go
        snprintf(text, sizeof text, "really %d", i);
        say(MALLORY, text);
    }
}

static void does_not_pay(void)
{
    say(MALLORY, "I do not pay");
    say(MALLORY, "never");
    react(MALLORY, "welcome", "-");
    edit(MALLORY, "never", "not ever");
    say(MALLORY, "@p0 who says so?");
}

static void was_never_here(void)
{
    say(MALLORY, "what garden?");
    edit(MALLORY, "hello", "good bye");
    say(MALLORY, "which people?");
}

static void answers(void)
{
    say(BOB, "fine");
    react(BOB, "hello", "+");
}

static int set_up(void **state)
{
    struct yr_memstore *early;

    (void)state;
    bus_init(&w);
    bus_befriend(&w, ALICE, MALLORY);
    bus_befriend(&w, ALICE, BOB);
    bus_found(&w, ALICE, "garden", id);
    bus_bring(&w, ALICE, MALLORY, id);
    bus_bring(&w, ALICE, BOB, id);
    say(MALLORY, "hello");
    say(ALICE, "welcome");
    bus_pass(&w, 20);
    early = yr_memstore_copy(w.people[MALLORY].box.store);
    say(MALLORY, "thank you");
    bus_pass(&w, 20);
    for (unsigned i = 0; i < READERS; i++)
        before[i] = yr_memstore_copy(w.people[i].box.store);
    live(MALLORY, before[MALLORY], pays);
    live(MALLORY, before[MALLORY], does_not_pay);
    live(MALLORY, early, was_never_here);
    live(BOB, before[BOB], answers);
    yr_memstore_free(early);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    while (record_count > 0)
        free(records[--record_count]);
    for (unsigned i = 0; i < READERS; i++)
        yr_memstore_free(before[i]);
    bus_clear(&w);
    return 0;
}

// false: not yet.
static bool put(unsigned no, const struct bytes *r)
{
    enum yr_put what;
    bool forged = false;

    assert_int_equal(yr_room_log_put(room_of(no)->log, w.now, r->at, r->len, ALICE, &what, &forged),
                     YR_OK);
    assert_false(forged);
    assert_true(what == YR_PUT_NEW || what == YR_PUT_KNOWN || what == YR_PUT_HELD);
    return what != YR_PUT_HELD;
}

static void shuffle(struct seeded *rng)
{
    for (size_t i = record_count; i > 1; i--) {
        const size_t j = seeded_below(rng, i);
        struct bytes *swap = records[j];

        records[j] = records[i - 1];
        records[i - 1] = swap;
    }
}

// Put all; power fails after the k-th, or now and then (rng).
static void hear_all(unsigned no, size_t k, struct seeded *rng)
{
    bool all = false;

    for (int turn = 0; !all; turn++) {
        assert_true(turn < 200);
        all = true;
        for (size_t i = 0; i < record_count; i++) {
            all = put(no, records[i]) && all;
            if (i == k || (rng != NULL && seeded_below(rng, 5) == 0))
                assert_int_equal(yr_rooms_tick(w.people[no].rooms, w.now), YR_OK); // not to the end
            if (i != k && (rng == NULL || seeded_below(rng, 30) > 0))
                continue;
            bus_commit(&w, no);
            bus_crash(&w, no, NULL); // what was held is forgotten
            all = false;
        }
        k = SIZE_MAX;
    }
    do_due(no);
}

static void assert_nothing_after_the_fork(unsigned no)
{
    static const char *const gone[] = {"I pay",         "really 7",  "I do not pay",
                                       "never",         "not ever",  "thank you",
                                       "which people?", "hello all", "good bye"};
    uint8_t msg[YR_MSG_ID_LEN];

    for (size_t i = 0; i < YR_COUNT(gone); i++)
        assert_false(shows(no, gone[i], msg));
    assert_true(shows(no, "hello", msg));
    assert_true(shows(no, "welcome", msg));
    assert_true(shows(no, "fine", msg));
    assert_true(shows(no, "a message could not be read", msg));
}

static uint8_t first[200000], now[200000];
static size_t first_len;

static void assert_as_first(unsigned no)
{
    const size_t len = history(no, now, sizeof now);

    if (first_len == 0)
        memcpy(first, now, first_len = len);
    assert_int_equal(len, first_len);
    assert_memory_equal(now, first, len);
}

static void members_show_the_same_in_whatever_order_it_came(void **state)
{
    struct seeded rng;

    seeded_init(&rng, seeded_seed("forks", 20261124));
    first_len = 0;
    for (int round = 0; round < 8; round++)
        for (unsigned no = 0; no < READERS; no++) {
            shuffle(&rng);
            bus_crash(&w, no, before[no]);
            hear_all(no, SIZE_MAX, round % 2 == 0 ? NULL : &rng);
            assert_as_first(no);
            assert_nothing_after_the_fork(no);
            bus_crash(&w, no, NULL);
            assert_as_first(no);
        }
}

static void power_may_fail_after_every_record(void **state)
{
    first_len = 0;
    for (size_t k = 0; k < record_count; k++) {
        bus_crash(&w, ALICE, before[ALICE]);
        hear_all(ALICE, k, NULL);
        assert_as_first(ALICE);
    }
}

static void nothing_after_the_fork_is_unread_and_all_is_delivered(void **state)
{
    const struct yr_memstore *none = before[ALICE];
    struct yr_unread unread;
    struct yr_room *room;

    bus_crash(&w, ALICE, none);
    hear_all(ALICE, SIZE_MAX, NULL);
    yr_chat_unread(w.people[ALICE].chats, id, &unread);
    assert_int_equal(unread.count, 2); // hello, fine
    assert_int_equal(unread.mentions, 0);
    room = room_of(ALICE);
    for (size_t i = 0; i < room->heard_count; i++)
        assert_int_equal(room->heard[i].waiting, 0);
}

static void whose_store_was_set_back_writes_on_in_a_new_chain(void **state)
{
    uint8_t old[YR_INCARNATION_LEN], msg[YR_MSG_ID_LEN];
    uint64_t end;

    bus_crash(&w, MALLORY, before[MALLORY]);
    memcpy(old, room_of(MALLORY)->incarnation, sizeof old);
    bus_crash(&w, ALICE, before[ALICE]);
    hear_all(MALLORY, SIZE_MAX, NULL);
    hear_all(ALICE, SIZE_MAX, NULL);
    assert_memory_not_equal(room_of(MALLORY)->incarnation, old, sizeof old);
    end = yr_room_log_end(room_of(MALLORY)->log);
    say(MALLORY, "I am back");
    edit(MALLORY, "I am back", "back again");
    react(MALLORY, "welcome", "+");
    assert_true(shows(MALLORY, "hello", msg));
    assert_int_equal(yr_chat_edit(w.people[MALLORY].chats, w.now, msg, "x", 1), YR_EDENIED);
    collect(MALLORY, end);
    hear_all(ALICE, SIZE_MAX, NULL);
    assert_true(shows(ALICE, "back again", msg));
    first_len = 0;
    assert_as_first(ALICE);
    assert_as_first(MALLORY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(members_show_the_same_in_whatever_order_it_came),
        TEST(power_may_fail_after_every_record),
        TEST(nothing_after_the_fork_is_unread_and_all_is_delivered),
        TEST(whose_store_was_set_back_writes_on_in_a_new_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
