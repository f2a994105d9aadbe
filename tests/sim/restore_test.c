/* A node that was restored from a backup, its friends, and the copy that was thought lost. */
#include "tests/support/test.h"

#include <limits.h>
#include <stdio.h>

#include "core/node/state.h"
#include "tests/support/sim/restore.h"

#define MINUTE (60 * YR_S)

struct two {
    struct sim *sim;
    unsigned alice, bob;
};

static struct two friends(uint64_t seed)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct two t;

    opts.record = true;
    t.sim = sim_new(&opts);
    t.alice = sim_add(t.sim, "alice");
    t.bob = sim_add(t.sim, "bob");
    sim_befriend(t.sim, t.alice, t.bob);
    sim_run(t.sim, 5 * YR_S);
    return t;
}

static struct yr_self self_of(struct sim *sim, unsigned node)
{
    struct yr_self self;

    yr_node_self(sim_node(sim, node), &self);
    return self;
}

static struct yr_friend *friend_of(struct sim *sim, unsigned node, unsigned other)
{
    return yr_friend_find(sim_node(sim, node), sim_id(sim, other));
}

static bool knows_device(struct sim *sim, unsigned node, unsigned other)
{
    const struct yr_friend *f = friend_of(sim, node, other);

    return f != NULL &&
           memcmp(f->dev, sim_node(sim, other)->self.device.public_key, sizeof f->dev) == 0;
}

static size_t notes(struct sim *sim, unsigned node, unsigned of, const char *text)
{
    struct yr_message *message = calloc(1, sizeof *message);
    struct yr_place place;
    size_t count = 0;

    memset(&place, 0, sizeof place);
    for (enum yr_seek how = YR_SEEK_GE;
         yr_node_history(sim_node(sim, node), sim_id(sim, of), how, &place, message) == YR_OK;
         how = YR_SEEK_GT)
        count += message->kind == YR_MSG_SYSTEM && strcmp(message->text, text) == 0;
    free(message);
    return count;
}

static void assert_same_history(struct sim *sim, unsigned a, unsigned b, size_t count)
{
    assert_int_equal(sim_history_count(sim, a, b), count);
    assert_int_equal(sim_history_count(sim, b, a), count);
}

static enum yr_err send_err(struct sim *sim, unsigned from, unsigned to)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = "no", .body_len = 2};
    enum yr_err err;

    memcpy(cmd.conv, sim_id(sim, to), YR_ID_LEN);
    (void)sim_command(sim, from, &cmd, &err);
    return err;
}

static void a_restored_node_and_its_friend_talk_on(void **state)
{
    struct two t = friends(1);
    struct sim_backup backup;
    unsigned bob;

    for (unsigned i = 0; i < 20; i++)
        sim_text(t.sim, i % 2 ? t.alice : t.bob, i % 2 ? t.bob : t.alice, "before", NULL);
    sim_run(t.sim, 5 * YR_S);
    backup = sim_backup(t.sim, t.bob);
    assert_int_equal(backup.info.friends, 1);
    sim_retire(t.sim, t.bob);
    sim_text(t.sim, t.alice, t.bob, "while he was nowhere", NULL);
    sim_run(t.sim, 20 * MINUTE);
    bob = sim_restore(t.sim, &backup);
    assert_int_equal(sim_history_count(t.sim, bob, t.alice), 20); // what he had then
    assert_true(self_of(t.sim, bob).gen > 1000000);
    assert_true(sim_run_linked(t.sim, t.alice, bob, 5 * MINUTE));
    assert_true(knows_device(t.sim, t.alice, bob));
    assert_int_equal(friend_of(t.sim, t.alice, bob)->trust, YR_TRUST_INVITE);
    assert_int_equal(notes(t.sim, t.alice, bob, "device key changed"), 1);
    sim_text(t.sim, bob, t.alice, "here I am again", NULL);
    sim_text(t.sim, t.alice, bob, "welcome", NULL);
    sim_run(t.sim, MINUTE);
    assert_same_history(t.sim, t.alice, bob, 23);
    // Nothing of that is forgotten, and nothing said again.
    sim_crash(t.sim, t.alice);
    sim_crash(t.sim, bob);
    sim_restart(t.sim, t.alice);
    sim_restart(t.sim, bob);
    assert_true(sim_run_linked(t.sim, t.alice, bob, 5 * MINUTE));
    sim_text(t.sim, bob, t.alice, "and again", NULL);
    sim_run(t.sim, MINUTE);
    assert_same_history(t.sim, t.alice, bob, 24);
    assert_int_equal(notes(t.sim, t.alice, bob, "device key changed"), 1);
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static void the_old_copy_is_told_and_stops_for_good(void **state)
{
    struct two t = friends(2);
    struct sim_backup backup = sim_backup(t.sim, t.bob);
    struct sim_traffic before;
    unsigned bob;

    sim_crash(t.sim, t.bob); // in a drawer
    bob = sim_restore(t.sim, &backup);
    assert_true(sim_run_linked(t.sim, t.alice, bob, 5 * MINUTE));
    sim_run(t.sim, 10 * MINUTE);
    sim_restart(t.sim, t.bob);
    sim_run(t.sim, 5 * MINUTE);
    assert_int_equal(self_of(t.sim, t.bob).retired_gen, self_of(t.sim, bob).gen);
    assert_int_equal(send_err(t.sim, t.bob, t.alice), YR_ERETIRED);
    assert_true(sim_linked(t.sim, t.alice, bob));
    assert_true(knows_device(t.sim, t.alice, bob));
    sim_crash(t.sim, t.bob);
    sim_restart(t.sim, t.bob);
    assert_int_equal(self_of(t.sim, t.bob).retired_gen, self_of(t.sim, bob).gen);
    before = sim_traffic(t.sim, t.bob);
    sim_run(t.sim, 30 * MINUTE);
    assert_int_equal(sim_traffic(t.sim, t.bob).packets_out, before.packets_out);
    assert_int_equal(send_err(t.sim, t.bob, t.alice), YR_ERETIRED);
    sim_text(t.sim, bob, t.alice, "it is me", NULL);
    sim_run(t.sim, MINUTE);
    assert_same_history(t.sim, t.alice, bob, 1);
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static void an_old_copy_that_never_went_away_loses_its_links_and_stops(void **state)
{
    struct two t = friends(3);
    struct sim_backup backup = sim_backup(t.sim, t.bob);
    const unsigned bob = sim_restore(t.sim, &backup);

    assert_true(sim_linked(t.sim, t.alice, t.bob));
    sim_run(t.sim, 5 * MINUTE);
    assert_int_equal(self_of(t.sim, t.bob).retired_gen, self_of(t.sim, bob).gen);
    assert_int_equal(self_of(t.sim, t.bob).friends_online, 0);
    assert_int_equal(self_of(t.sim, bob).retired_gen, 0);
    assert_true(sim_run_linked(t.sim, t.alice, bob, MINUTE));
    assert_true(knows_device(t.sim, t.alice, bob));
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static void of_two_restored_copies_the_later_goes_on(void **state)
{
    struct two t = friends(4);
    struct sim_backup backup = sim_backup(t.sim, t.bob);
    unsigned first, second;

    sim_retire(t.sim, t.bob);
    first = sim_restore(t.sim, &backup);
    assert_true(sim_run_linked(t.sim, t.alice, first, 5 * MINUTE));
    sim_text(t.sim, first, t.alice, "of the first", NULL);
    sim_run(t.sim, 2 * MINUTE);
    second = sim_restore(t.sim, &backup);
    sim_run(t.sim, 5 * MINUTE);
    assert_true(knows_device(t.sim, t.alice, second));
    assert_int_not_equal(self_of(t.sim, first).retired_gen, 0);
    assert_int_equal(self_of(t.sim, second).retired_gen, 0);
    assert_true(sim_run_linked(t.sim, t.alice, second, MINUTE));
    sim_text(t.sim, second, t.alice, "of the second", NULL);
    sim_text(t.sim, t.alice, second, "to the second", NULL);
    sim_run(t.sim, MINUTE);
    assert_int_equal(sim_history_count(t.sim, t.alice, second), 3);
    assert_int_equal(sim_history_count(t.sim, second, t.alice), 2);
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static void restored_twice_in_one_minute_all_agree_on_one(void **state)
{
    struct two t = friends(5);
    struct sim_backup backup = sim_backup(t.sim, t.bob);
    unsigned first, second;

    sim_retire(t.sim, t.bob);
    first = sim_restore(t.sim, &backup);
    second = sim_restore(t.sim, &backup);
    assert_int_equal(self_of(t.sim, first).gen, self_of(t.sim, second).gen);
    sim_run(t.sim, 10 * MINUTE);
    assert_int_not_equal(self_of(t.sim, first).retired_gen, 0);
    assert_int_equal(self_of(t.sim, second).retired_gen, 0);
    assert_true(knows_device(t.sim, t.alice, second));
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static void a_friend_who_was_away_meanwhile_learns_of_it_when_he_comes(void **state)
{
    struct two t = friends(6);
    struct sim_backup backup;
    unsigned bob;

    sim_text(t.sim, t.alice, t.bob, "good night", NULL);
    sim_run(t.sim, 5 * YR_S);
    backup = sim_backup(t.sim, t.bob);
    sim_crash(t.sim, t.alice);
    sim_retire(t.sim, t.bob);
    bob = sim_restore(t.sim, &backup);
    sim_text(t.sim, bob, t.alice, "are you there?", NULL);
    sim_run(t.sim, 3 * 3600 * YR_S);
    sim_restart(t.sim, t.alice);
    assert_true(sim_run_linked(t.sim, t.alice, bob, 10 * MINUTE));
    sim_run(t.sim, MINUTE);
    assert_same_history(t.sim, t.alice, bob, 2);
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static void a_friend_who_is_never_there_with_him_learns_of_it_from_one_who_keeps_mail(void **state)
{
    struct sim_opts opts = sim_opts_default(10);
    struct sim_backup backup;
    struct sim *sim;
    unsigned alice, bob, carol;

    opts.lan = true;
    sim = sim_new(&opts);
    alice = sim_add(sim, "alice");
    bob = sim_add(sim, "bob");
    carol = sim_add(sim, "carol");
    sim_befriend(sim, alice, bob);
    sim_befriend(sim, alice, carol);
    sim_befriend(sim, bob, carol);
    sim_run(sim, 2 * MINUTE); // tags are registered, lists of relays told
    backup = sim_backup(sim, bob);
    sim_leave(sim, alice);
    sim_retire(sim, bob);
    bob = sim_restore(sim, &backup);
    assert_true(sim_run_linked(sim, carol, bob, 5 * MINUTE));
    sim_run(sim, 10 * MINUTE);
    sim_leave(sim, bob);
    sim_restart(sim, alice);
    assert_true(sim_run_linked(sim, carol, alice, 5 * MINUTE));
    sim_run(sim, 5 * MINUTE);
    assert_memory_equal(friend_of(sim, alice, bob)->id, backup.info.id, 32);
    assert_true(friend_of(sim, alice, bob)->gen > 1000000);
    assert_int_equal(notes(sim, alice, bob, "device key changed"), 1);
    sim_text(sim, alice, bob, "so it is you", NULL);
    sim_run(sim, 5 * MINUTE);
    sim_leave(sim, alice);
    sim_restart(sim, bob);
    assert_true(knows_device(sim, carol, bob));
    sim_run(sim, 10 * MINUTE);
    assert_int_equal(sim_history_count(sim, bob, alice), 1);
    sim_backup_free(&backup);
    sim_free(sim);
}

static void days_pass(struct two *t, unsigned bob, int64_t *days, int64_t more)
{
    *days += more;
    sim_skew(t->sim, t->alice, *days * 86400000);
    if (bob != UINT_MAX)
        sim_skew(t->sim, bob, *days * 86400000);
    sim_run(t->sim, 3 * MINUTE);
}

static void assert_talk(struct two *t, unsigned bob)
{
    const size_t alices = sim_history_count(t->sim, t->alice, bob);
    const size_t bobs = sim_history_count(t->sim, bob, t->alice);

    assert_true(sim_run_linked(t->sim, t->alice, bob, 10 * MINUTE));
    sim_text(t->sim, t->alice, bob, "from alice", NULL);
    sim_text(t->sim, bob, t->alice, "from bob", NULL);
    sim_run(t->sim, 2 * MINUTE);
    assert_int_equal(sim_history_count(t->sim, t->alice, bob), alices + 2);
    assert_int_equal(sim_history_count(t->sim, bob, t->alice), bobs + 2);
}

// in_touch: the two talk every ten days; else never after the first.  The backup is made at the day
// `made` and restored at the day `restored`.
static void restored_days_later(bool in_touch, int64_t made, int64_t restored)
{
    struct two t = friends(12);
    struct sim_backup backup = {0};
    unsigned bob;
    int64_t days = 0;

    assert_talk(&t, t.bob);
    if (!in_touch)
        sim_cut(t.sim, t.alice, t.bob, true);
    while (days < restored) {
        if (days == made)
            backup = sim_backup(t.sim, t.bob);
        days_pass(&t, t.bob, &days, 10);
        if (in_touch)
            assert_talk(&t, t.bob);
    }
    if (days == made)
        backup = sim_backup(t.sim, t.bob);
    assert_true(backup.count > 0);
    sim_retire(t.sim, t.bob);
    bob = sim_add_nobody(t.sim);
    sim_skew(t.sim, bob, days * 86400000);
    sim_restore_into(t.sim, &backup, bob);
    assert_talk(&t, bob);
    days_pass(&t, bob, &days, 10);
    assert_talk(&t, bob);
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static void backups_of_any_age_talk_on_with_friends_in_touch_and_not(void **state)
{
    restored_days_later(true, 0, 10);
    restored_days_later(true, 0, 40);
    restored_days_later(true, 20, 60);
    restored_days_later(true, 0, 90);
    restored_days_later(false, 60, 60);
    restored_days_later(false, 50, 60);
    restored_days_later(false, 0, 40);
    restored_days_later(false, 60, 120);
}

static unsigned crashes;

static void crash_once(unsigned who, unsigned k, bool after)
{
    struct two t = friends(11);
    struct sim_backup backup = sim_backup(t.sim, t.bob);
    unsigned bob, node;

    sim_retire(t.sim, t.bob);
    sim_text(t.sim, t.alice, t.bob, "waits", NULL);
    sim_run(t.sim, 2 * MINUTE);
    bob = sim_restore(t.sim, &backup);
    node = who == 0 ? t.alice : bob;
    sim_crash_at(t.sim, node, sim_commits(t.sim, node) + k, after);
    if (sim_alive(t.sim, bob)) { // accepted, or lost with the power
        struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = "here", .body_len = 4};
        enum yr_err err;
        memcpy(cmd.conv, sim_id(t.sim, t.alice), YR_ID_LEN);
        (void)sim_command(t.sim, bob, &cmd, &err);
    }
    sim_run(t.sim, MINUTE);
    if (!sim_alive(t.sim, node)) {
        crashes++;
        sim_restart(t.sim, node);
    }
    assert_true(sim_run_linked(t.sim, t.alice, bob, 10 * MINUTE));
    sim_run(t.sim, 15 * MINUTE);
    assert_true(knows_device(t.sim, t.alice, bob));
    assert_int_equal(notes(t.sim, t.alice, bob, "device key changed"), 1);
    assert_int_equal(sim_history_count(t.sim, t.alice, bob),
                     sim_history_count(t.sim, bob, t.alice));
    assert_in_range(sim_history_count(t.sim, bob, t.alice), 1, 2);
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static void a_crash_at_any_commit_of_the_renewal_loses_and_doubles_nothing(void **state)
{
    for (unsigned who = 0; who < 2; who++)
        for (unsigned k = 1; k <= 8; k++) {
            crash_once(who, k, false);
            crash_once(who, k, true);
        }
    print_message("%u crashes\n", crashes);
    assert_true(crashes >= 24);
}

static void what_was_recorded_of_it_gets_nobody_an_answer(void **state)
{
    struct two t = friends(7);
    struct sim_backup backup = sim_backup(t.sim, t.bob);
    uint64_t answers;
    unsigned bob;

    sim_crash(t.sim, t.bob);
    bob = sim_restore(t.sim, &backup);
    assert_true(sim_run_linked(t.sim, t.alice, bob, 5 * MINUTE));
    sim_restart(t.sim, t.bob);
    sim_run(t.sim, 5 * MINUTE);
    answers = sim_answers_to_strangers(t.sim);
    for (size_t i = 0, count = sim_recorded(t.sim); i < count; i++) {
        sim_replay(t.sim, i, t.alice);
        sim_run(t.sim, 100 * YR_MS);
    }
    sim_run(t.sim, 2 * MINUTE);
    assert_int_equal(sim_answers_to_strangers(t.sim), answers);
    for (size_t i = 0, count = sim_recorded(t.sim); i < count; i++) {
        sim_replay(t.sim, i, bob); // a probe that never reached him he may answer, once
        sim_run(t.sim, 100 * YR_MS);
    }
    assert_in_range(sim_answers_to_strangers(t.sim), answers, answers + 1);
    assert_true(sim_run_linked(t.sim, t.alice, bob, MINUTE));
    assert_true(knows_device(t.sim, t.alice, bob));
    assert_int_equal(self_of(t.sim, bob).retired_gen, 0);
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static bool holds(const struct sim_backup *b, const void *secret, size_t len)
{
    for (size_t i = 0; i + len <= b->len; i++)
        if (memcmp(b->bytes + i, secret, len) == 0)
            return true;
    return false;
}

// A key, not a length or what is not used.
static bool random_looking(const uint8_t *bytes)
{
    unsigned distinct = 0;

    for (size_t i = 0; i < 16; i++)
        distinct += memchr(bytes, bytes[i], i) == NULL;
    return distinct > 12;
}

static void a_backup_holds_no_key_of_the_device_and_no_session(void **state)
{
    struct two t = friends(8);
    struct yr_node *n = sim_node(t.sim, t.bob);
    struct sim_backup backup;
    uint8_t row[YR_ROW_MAX + 64];
    size_t len;

    sim_text(t.sim, t.alice, t.bob, "hello", NULL);
    sim_run(t.sim, 5 * YR_S);
    sim_crash(t.sim, t.alice);
    sim_run(t.sim, 2 * MINUTE);
    sim_text(t.sim, t.bob, t.alice, "unsent and unsealed", NULL);
    sim_run(t.sim, YR_S);
    backup = sim_backup(t.sim, t.bob);
    assert_true(holds(&backup, n->self.root, 32)); // the search finds things
    assert_true(holds(&backup, "unsent and unsealed", 19));
    assert_false(holds(&backup, n->self.device.secret_key, 32));
    for (enum yr_table table = YR_TABLE_SESSION; table <= YR_TABLE_PREKEY; table++) {
        if (yr_rows_get(n->rows, table, NULL, 0, sim_id(t.sim, t.alice), 32, row, sizeof row,
                        &len) != YR_OK)
            continue;
        for (size_t at = 8; at + 16 <= len; at += 8)
            if (random_looking(row + at))
                assert_false(holds(&backup, row + at, 16));
    }
    sim_backup_free(&backup);
    sim_free(t.sim);
}

static void a_damaged_backup_makes_no_node(void **state)
{
    struct two t = friends(9);
    struct sim_backup backup = sim_backup(t.sim, t.bob);
    const unsigned node = sim_add_nobody(t.sim);
    const struct yr_now now = sim_now(t.sim, node);
    struct yr_backup_info info = {0}, before;
    const uint8_t *record;
    size_t len;

    for (size_t i = 0; (record = sim_backup_at(&backup, i, &len)) != NULL; i++) {
        before = info;
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(yr_backup_check(&info, record, cut), YR_EPROTO);
            assert_memory_equal(&info, &before, sizeof info);
        }
        if (i != 0) { // in another place
            record = sim_backup_at(&backup, 0, &len);
            assert_int_equal(yr_backup_check(&info, record, len), YR_EPROTO);
            record = sim_backup_at(&backup, i, &len);
        }
        if (i + 2 == backup.count) { // one row less than there were
            const uint8_t *end = sim_backup_at(&backup, i + 1, &len);
            assert_int_equal(yr_backup_check(&info, end, len), YR_EPROTO);
            record = sim_backup_at(&backup, i, &len);
        }
        assert_int_equal(yr_backup_check(&info, record, len), YR_OK);
    }
    assert_true(info.ended);
    record = sim_backup_at(&backup, 1, &len);
    assert_int_equal(yr_backup_check(&info, record, len), YR_EPROTO); // after the end
    assert_int_equal(yr_node_restore(sim_node(t.sim, node), now, record, len, 1), YR_EPROTO);
    record = sim_backup_at(&backup, 0, &len);
    assert_int_equal(yr_node_restore(sim_node(t.sim, t.bob), now, record, len, 1), YR_EEXIST);
    assert_int_equal(yr_node_restore(sim_node(t.sim, node), now, record, len, 1), YR_OK);
    sim_drain(t.sim, node);
    sim_run(t.sim, YR_S);
    sim_crash(t.sim, node); // in the middle of it
    sim_restart(t.sim, node);
    assert_false(self_of(t.sim, node).has_identity);
    sim_backup_free(&backup);
    sim_free(t.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restored_node_and_its_friend_talk_on),
        cmocka_unit_test(the_old_copy_is_told_and_stops_for_good),
        cmocka_unit_test(an_old_copy_that_never_went_away_loses_its_links_and_stops),
        cmocka_unit_test(of_two_restored_copies_the_later_goes_on),
        cmocka_unit_test(restored_twice_in_one_minute_all_agree_on_one),
        cmocka_unit_test(a_friend_who_was_away_meanwhile_learns_of_it_when_he_comes),
        cmocka_unit_test(a_friend_who_is_never_there_with_him_learns_of_it_from_one_who_keeps_mail),
        cmocka_unit_test(backups_of_any_age_talk_on_with_friends_in_touch_and_not),
        cmocka_unit_test(a_crash_at_any_commit_of_the_renewal_loses_and_doubles_nothing),
        cmocka_unit_test(what_was_recorded_of_it_gets_nobody_an_answer),
        cmocka_unit_test(a_backup_holds_no_key_of_the_device_and_no_session),
        cmocka_unit_test(a_damaged_backup_makes_no_node),
    };

    return cmocka_run_group_tests_name("restore", tests, NULL, NULL);
}
