/* What a node lives through: full, locked, damaged, with a clock that jumps. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/node/state.h"
#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)
#define YEARS  (10LL * 365 * 86400 * 1000)

static size_t friends(struct sim *sim, unsigned node)
{
    struct yr_self self;

    yr_node_self(sim_node(sim, node), &self);
    return self.friends;
}

static size_t queued(struct sim *sim, unsigned node)
{
    struct yr_self self;

    yr_node_self(sim_node(sim, node), &self);
    return self.queued;
}

static void assert_same_history(struct sim *sim, unsigned a, unsigned b, size_t count)
{
    char *of_a = sim_history(sim, a, b, false), *of_b = sim_history(sim, b, a, false);

    assert_string_equal(of_a, of_b);
    assert_int_equal(sim_history_count(sim, a, b), count);
    free(of_a);
    free(of_b);
}

static void the_257th_friend_is_told_and_nothing_is_stored(void **state)
{
    struct sim_opts opts = sim_opts_default(1);
    struct sim *sim = sim_new(&opts);
    const unsigned hub = sim_add(sim, "hub");
    struct yr_cmd invite = {.kind = YR_CMD_INVITE_NEW, .flags = YR_FLAG_HINTS};
    struct yr_invite_info info;
    struct yr_add_info failed;
    struct yr_event done;
    unsigned last, first;
    size_t rows, i = 0;
    enum yr_err err;

    first = sim_add(sim, "first");
    sim_befriend(sim, hub, first);
    for (unsigned k = 1; k < YR_FRIENDS_MAX; k++) {
        const unsigned node = sim_add(sim, "one of many");
        sim_befriend(sim, hub, node);
        sim_run(sim, 200 * YR_MS);
        sim_retire(sim, node);
    }
    assert_int_equal(friends(sim, hub), YR_FRIENDS_MAX);
    print_message("a node with %u friends: %zu KiB with their links", YR_FRIENDS_MAX,
                  sim_mem_used(sim, hub) / 1024);
    sim_run(sim, 3 * MINUTE);
    print_message(", %zu KiB with one link, of which struct yr_node %zu KiB\n",
                  sim_mem_used(sim, hub) / 1024, sizeof(struct yr_node) / 1024);
    invite.expires_ms = sim_now(sim, hub).wall_ms + 3600 * 1000;
    done = sim_do(sim, hub, &invite);
    while (yr_node_invite_at(sim_node(sim, hub), i, &info) && strcmp(info.id, done.text) != 0)
        i++;
    last = sim_add(sim, "one too many");
    struct yr_cmd add = {.kind = YR_CMD_ADD, .text = info.link, .text_len = strlen(info.link)};
    sim_run(sim, 5 * YR_S);
    rows = yr_memstore_count(sim_store(sim, hub), YR_DB_SHRED);
    (void)sim_command(sim, last, &add, &err);
    assert_int_equal(err, YR_OK);
    sim_run(sim, 10 * YR_S);
    assert_true(yr_node_add_at(sim_node(sim, last), 0, &failed));
    assert_int_equal(failed.state, YR_ADD_FAILED);
    assert_int_equal(failed.why, YR_EFULL);
    assert_int_equal(friends(sim, last), 0);
    assert_int_equal(friends(sim, hub), YR_FRIENDS_MAX);
    assert_null(yr_friend_find(sim_node(sim, hub), sim_id(sim, last)));
    assert_int_equal(yr_memstore_count(sim_store(sim, hub), YR_DB_SHRED), rows);
    sim_crash(sim, hub); // and 256 friends can be loaded
    sim_restart(sim, hub);
    assert_int_equal(friends(sim, hub), YR_FRIENDS_MAX);
    assert_true(sim_run_linked(sim, hub, first, 3 * MINUTE));
    sim_text(sim, hub, first, "still my first", NULL);
    sim_run(sim, 5 * YR_S);
    assert_same_history(sim, hub, first, 1);
    sim_free(sim);
}

static void a_vault_locked_and_opened_again_goes_on(void **state)
{
    struct sim_opts opts = sim_opts_default(2);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = "x", .body_len = 1};
    static const uint8_t zero[32];

    sim_befriend(sim, a, b);
    for (unsigned i = 0; i < 20; i++) {
        struct yr_node *n = sim_node(sim, i % 2 ? a : b);
        sim_text(sim, a, b, "before", NULL);
        sim_text(sim, b, a, "before", NULL);
        sim_run(sim, i * 3 * YR_MS);
        yr_node_lock(n, sim_now(sim, i % 2 ? a : b));
        assert_memory_equal(n->self.device.secret_key, zero, 32);
        assert_memory_equal(n->friends[0].pair.link_psk, zero, 32);
        assert_int_equal(yr_node_command(n, n->now, &cmd, 1), YR_ELOCKED);
        sim_relock(sim, i % 2 ? a : b);
        sim_run(sim, YR_S);
    }
    assert_true(sim_run_linked(sim, a, b, 3 * MINUTE));
    sim_run(sim, MINUTE);
    assert_same_history(sim, a, b, 40);
    assert_int_equal(queued(sim, a) + queued(sim, b), 0);
    sim_free(sim);
}

// Turn one bit of the row-th committed row.
static void damage(struct yr_memstore *store, enum yr_db db, size_t row)
{
    const struct yr_store_view *view = yr_memstore_view(store);
    uint8_t key[YR_KEY_MAX] = {0}, value[YR_ROW_MAX + 256];
    struct yr_op op = {.db = db, .key = key, .value = value};
    struct yr_txn txn = {.token = 1, .ops = &op, .op_count = 1};
    struct yr_kv kv;
    uint64_t token;
    enum yr_err err;

    for (size_t i = 0; i <= row; i++) {
        err = view->seek(view->ctx, db, i == 0 ? YR_SEEK_GE : YR_SEEK_GT, key, i ? op.key_len : 1,
                         &kv);
        assert_int_equal(err, YR_OK);
        assert_true(kv.value_len < sizeof value);
        memcpy(key, kv.key, op.key_len = kv.key_len);
        memcpy(value, kv.value, op.value_len = kv.value_len);
    }
    value[op.value_len / 2] ^= 4;
    txn.byte_count = op.key_len + op.value_len;
    yr_memstore_submit(store, &txn);
    assert_true(yr_memstore_commit_next(store, &token, &err) && err == YR_OK);
}

// Every committed row in turn is damaged by one bit.
static void a_damaged_row_is_reported_and_destroys_nothing(void **state)
{
    struct sim_opts opts = sim_opts_default(3);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    size_t refused = 0, started = 0;
    struct yr_memstore *good;

    sim_befriend(sim, a, b);
    sim_text(sim, a, b, "one", NULL);
    sim_text(sim, b, a, "two", NULL);
    sim_run(sim, 5 * YR_S);
    sim_crash(sim, b);
    sim_text(sim, a, b, "waits", NULL);
    sim_run(sim, YR_S);
    sim_crash(sim, a);
    good = yr_memstore_copy(sim_store(sim, a));
    for (int db = 0; db < 2; db++) {
        const enum yr_db which = db == 0 ? YR_DB_MAIN : YR_DB_SHRED;
        for (size_t row = 0; row < yr_memstore_count(good, which); row++) {
            enum yr_err err;
            uint64_t hash;
            damage(sim_store(sim, a), which, row);
            hash = yr_memstore_hash(sim_store(sim, a));
            err = sim_try_restart(sim, a);
            if (err != YR_OK) {
                assert_int_equal(err, YR_ECORRUPT);
                assert_true(hash == yr_memstore_hash(sim_store(sim, a)));
                refused++;
            } else { // a message or an event that nobody looks at at a start
                started++;
                sim_crash(sim, a);
            }
            yr_memstore_restore(sim_store(sim, a), good);
        }
    }
    assert_true(refused >= 8 && started > 0);
    sim_restart(sim, a);
    sim_restart(sim, b);
    assert_true(sim_run_linked(sim, a, b, 3 * MINUTE));
    sim_run(sim, 10 * YR_S);
    assert_same_history(sim, a, b, 3);
    yr_memstore_free(good);
    sim_free(sim);
}

static void clocks_that_jump_ten_years_stop_nothing(void **state)
{
    struct sim_opts opts = sim_opts_default(4);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    static const yr_ms jumps[] = {YEARS, 0, -YEARS, YEARS, -YEARS, 86400000, -86400000, 0};
    size_t count = 0;

    sim_befriend(sim, a, b);
    for (size_t i = 0; i < 3 * YR_COUNT(jumps); i++) {
        sim_skew(sim, i % 3 == 0 ? b : a, jumps[i % YR_COUNT(jumps)]);
        sim_text(sim, a, b, "what time is it", NULL);
        sim_text(sim, b, a, "who knows", NULL);
        count += 2;
        sim_run(sim, 20 * YR_S);
        if (i % 5 == 4) {
            sim_crash(sim, i % 2 ? a : b);
            sim_run(sim, YR_S);
            sim_restart(sim, i % 2 ? a : b);
        }
        if (i % 7 == 6)
            sim_run(sim, 86400 * YR_S); // and a day goes by
        assert_true(sim_run_linked(sim, a, b, 5 * MINUTE));
    }
    sim_run(sim, MINUTE);
    assert_same_history(sim, a, b, count);
    assert_int_equal(queued(sim, a) + queued(sim, b), 0);
    sim_free(sim);
}

static void friends_who_were_silent_for_months_talk_again(void **state)
{
    for (unsigned days = 20; days < 500; days += 47) {
        struct sim_opts opts = sim_opts_default(7);
        struct sim *sim = sim_new(&opts);
        const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
        sim_befriend(sim, a, b);
        sim_text(sim, a, b, "bye", NULL);
        sim_text(sim, b, a, "bye", NULL);
        sim_run(sim, 10 * YR_S);
        sim_crash(sim, a);
        sim_crash(sim, b);
        sim_skew(sim, a, days * 86400000LL);
        sim_skew(sim, b, days * 86400000LL);
        sim_restart(sim, a);
        sim_restart(sim, b);
        assert_true(sim_run_linked(sim, a, b, 5 * MINUTE));
        sim_text(sim, a, b, "long time", NULL);
        sim_run(sim, 5 * YR_S);
        for (int i = 0; i < 5; i++) {
            sim_text(sim, b, a, "no see", NULL);
            sim_run(sim, YR_S);
        }
        sim_run(sim, MINUTE);
        assert_same_history(sim, a, b, 8);
        assert_int_equal(queued(sim, a) + queued(sim, b), 0);
        sim_free(sim);
    }
}

static void a_new_name_reaches_a_friend_who_was_away(void **state)
{
    struct sim_opts opts = sim_opts_default(5);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct yr_cmd nick = {.kind = YR_CMD_SET_NICK, .text = "alice the second", .text_len = 16};
    struct yr_cmd status = {.kind = YR_CMD_SET_STATUS, .text = "away", .text_len = 4};
    struct yr_friend_info info;
    struct yr_why steps[8];
    uint8_t none[YR_MSG_ID_LEN] = {0};
    yr_ms next_ms;
    size_t count;

    sim_befriend(sim, a, b);
    sim_run(sim, YR_S);
    sim_crash(sim, b);
    sim_run(sim, 2 * MINUTE);
    (void)sim_do(sim, a, &nick);
    (void)sim_do(sim, a, &status);
    assert_int_equal(yr_node_why(sim_node(sim, a), sim_now(sim, a), sim_id(sim, b), none, steps, 8,
                                 &count, &next_ms),
                     YR_OK);
    assert_true(count > 0 && next_ms > 0);
    sim_crash(sim, a);
    sim_restart(sim, a);
    sim_restart(sim, b);
    assert_true(sim_run_linked(sim, a, b, 3 * MINUTE));
    sim_run(sim, 5 * YR_S);
    assert_int_equal(yr_node_friend(sim_node(sim, b), sim_id(sim, a), &info), YR_OK);
    assert_string_equal(info.nick, "alice the second");
    assert_string_equal(info.status, "away");
    sim_free(sim);
}

// A thousand moments in which the other begins, with every tenth packet lost in half of them.
static void both_sides_that_dial_at_once_get_one_link(void **state)
{
    struct sim_opts opts = sim_opts_default(6);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    size_t texts = 0;

    sim_befriend(sim, a, b);
    for (unsigned i = 0; i < 2000; i++) {
        const unsigned offset = i / 2, first = offset % 2 ? a : b, second = first == a ? b : a;
        const struct sim_link link = {
            .delay_us = 20 * YR_MS, .jitter_us = 2 * YR_MS, .loss = i % 2 ? 100 : 0};
        sim_set_link(sim, &link);
        sim_crash(sim, a);
        sim_crash(sim, b);
        sim_run(sim, 100 * YR_MS);
        sim_restart(sim, first);
        sim_run(sim, offset * 100); // 0 to 100 ms: five times the way there
        sim_restart(sim, second);
        if (!sim_run_linked(sim, a, b, 2 * MINUTE))
            fail_msg("no link: offset %u, loss %u", offset, link.loss);
        if (i % 20 != 19)
            continue;
        sim_text(sim, first, second, "again", NULL);
        texts++;
        sim_run(sim, 2 * YR_S);
        assert_true(sim_run_linked(sim, a, b, 2 * MINUTE));
    }
    sim_run(sim, MINUTE);
    assert_same_history(sim, a, b, texts);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_257th_friend_is_told_and_nothing_is_stored),
        cmocka_unit_test(a_vault_locked_and_opened_again_goes_on),
        cmocka_unit_test(a_damaged_row_is_reported_and_destroys_nothing),
        cmocka_unit_test(clocks_that_jump_ten_years_stop_nothing),
        cmocka_unit_test(friends_who_were_silent_for_months_talk_again),
        cmocka_unit_test(a_new_name_reaches_a_friend_who_was_away),
        cmocka_unit_test(both_sides_that_dial_at_once_get_one_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
