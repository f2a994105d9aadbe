/* First contact: invites good, spent, leaked, revoked, expired, own; lost packets; strangers. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/node/state.h"
#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)

static struct yr_invite_info invite_info(struct sim *sim, unsigned node, const char *id)
{
    struct yr_invite_info info;

    for (size_t i = 0; yr_node_invite_at(sim_node(sim, node), i, &info); i++)
        if (strcmp(info.id, id) == 0)
            return info;
    fail_msg("no such invite: %s", id);
    return info;
}

static struct yr_invite_info make_invite(struct sim *sim, unsigned node, yr_ms life_ms)
{
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_NEW,
                         .flags = YR_FLAG_HINTS,
                         .expires_ms = sim_now(sim, node).wall_ms + life_ms};
    const struct yr_event done = sim_do(sim, node, &cmd);

    return invite_info(sim, node, done.text);
}

static enum yr_err add(struct sim *sim, unsigned node, const char *link)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ADD, .text = link, .text_len = strlen(link)};
    enum yr_err err;

    (void)sim_command(sim, node, &cmd, &err);
    return err;
}

static bool add_info(struct sim *sim, unsigned node, struct yr_add_info *info)
{
    return yr_node_add_at(sim_node(sim, node), 0, info);
}

static size_t friends(struct sim *sim, unsigned node)
{
    struct yr_self self;

    yr_node_self(sim_node(sim, node), &self);
    return self.friends;
}

static void an_invite_makes_one_friend(void **state)
{
    struct sim_opts opts = sim_opts_default(1);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct yr_invite_info info = make_invite(sim, a, 3600 * 1000);
    struct yr_friend_info f;
    struct yr_add_info pending;

    assert_int_equal(add(sim, b, info.link), YR_OK);
    assert_true(sim_run_linked(sim, a, b, 10 * YR_S));
    sim_run(sim, YR_S);
    assert_int_equal(friends(sim, a), 1);
    assert_int_equal(friends(sim, b), 1);
    assert_false(add_info(sim, b, &pending));
    info = invite_info(sim, a, info.id);
    assert_int_equal(info.state, YR_INVITE_USED);
    assert_memory_equal(info.used_by, sim_id(sim, b), 32);
    assert_int_equal(yr_node_friend(sim_node(sim, a), sim_id(sim, b), &f), YR_OK);
    assert_string_equal(f.nick, "bob");
    assert_int_equal(f.trust, YR_TRUST_INVITE);
    assert_int_equal(yr_node_friend(sim_node(sim, b), sim_id(sim, a), &f), YR_OK);
    assert_string_equal(f.nick, "alice");
    sim_free(sim);
}

static void a_spent_invite_is_refused_and_marked_as_leaked(void **state)
{
    struct sim_opts opts = sim_opts_default(2);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob"), c = sim_add(sim, "carol");
    struct yr_invite_info info = make_invite(sim, a, 3600 * 1000);
    struct yr_add_info failed;
    char link[320];

    memcpy(link, info.link, sizeof link);
    assert_int_equal(add(sim, b, link), YR_OK);
    assert_true(sim_run_linked(sim, a, b, 10 * YR_S));
    assert_int_equal(add(sim, c, link), YR_OK);
    sim_run(sim, 5 * YR_S);
    assert_true(add_info(sim, c, &failed));
    assert_int_equal(failed.state, YR_ADD_FAILED);
    assert_int_equal(failed.why, YR_ESPENT);
    assert_int_equal(invite_info(sim, a, info.id).state, YR_INVITE_LEAKED);
    assert_int_equal(friends(sim, a), 1);
    assert_int_equal(friends(sim, c), 0);
    sim_free(sim);
}

static void a_revoked_invite_says_so(void **state)
{
    struct sim_opts opts = sim_opts_default(3);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct yr_invite_info info = make_invite(sim, a, 3600 * 1000);
    struct yr_cmd revoke = {.kind = YR_CMD_INVITE_REVOKE, .text = info.id, .text_len = 8};
    struct yr_add_info failed;

    (void)sim_do(sim, a, &revoke);
    assert_int_equal(add(sim, b, info.link), YR_OK);
    sim_run(sim, 5 * YR_S);
    assert_true(add_info(sim, b, &failed));
    assert_int_equal(failed.why, YR_EREVOKED);
    assert_int_equal(friends(sim, a), 0);
    sim_free(sim);
}

static void an_expired_invite_gets_no_answer_and_no_try(void **state)
{
    struct sim_opts opts = sim_opts_default(4);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct yr_invite_info info = make_invite(sim, a, 60 * 1000);
    struct yr_add_info failed;

    sim_cut(sim, a, b, true);
    assert_int_equal(add(sim, b, info.link), YR_OK);
    sim_run(sim, 2 * MINUTE);
    sim_cut(sim, a, b, false);
    sim_run(sim, 2 * MINUTE);
    assert_true(add_info(sim, b, &failed));
    assert_int_equal(failed.why, YR_EEXPIRED);
    assert_int_equal(add(sim, b, info.link), YR_EEXPIRED);
    assert_int_equal(invite_info(sim, a, info.id).state, YR_INVITE_EXPIRED);
    assert_int_equal(friends(sim, a), 0);
    sim_free(sim);
}

static void ones_own_link_a_wrong_link_and_a_ninth_invite_are_refused(void **state)
{
    struct sim_opts opts = sim_opts_default(5);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice");
    struct yr_invite_info info = make_invite(sim, a, 3600 * 1000);
    struct yr_cmd ninth = {.kind = YR_CMD_INVITE_NEW,
                           .expires_ms = sim_now(sim, a).wall_ms + 3600 * 1000};
    enum yr_err err;

    assert_int_equal(add(sim, a, info.link), YR_EOWN);
    assert_int_equal(add(sim, a, "yaari:i/000"), YR_EPROTO);
    for (int i = 1; i < 8; i++)
        (void)make_invite(sim, a, 3600 * 1000);
    (void)sim_command(sim, a, &ninth, &err);
    assert_int_equal(err, YR_EFULL);
    sim_free(sim);
}

static void lost_packets_delay_but_never_half_make_a_friend(void **state)
{
    for (uint64_t seed = 10; seed < 40; seed++) {
        struct sim_opts opts = sim_opts_default(seed);
        struct sim *sim = sim_new(&opts);
        const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
        struct yr_invite_info info;

        sim_set_link(sim,
                     &(struct sim_link){.delay_us = 40 * YR_MS, .loss = 500, .duplicate = 200});
        info = make_invite(sim, a, 3600 * 1000);
        assert_int_equal(add(sim, b, info.link), YR_OK);
        sim_run(sim, 200 * YR_MS);
        sim_set_link(sim, &(struct sim_link){.delay_us = 40 * YR_MS, .loss = 200});
        assert_true(sim_run_linked(sim, a, b, 5 * MINUTE));
        sim_text(sim, a, b, "made it", NULL);
        sim_run(sim, MINUTE);
        assert_int_equal(sim_history_count(sim, b, a), 1);
        sim_free(sim);
    }
}

// Either side dies at its k-th commit of the first contact and comes back.
static bool crash_in_first_contact(uint64_t k, bool after, bool crash_inviter)
{
    struct sim_opts opts = sim_opts_default(50);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    const unsigned victim = crash_inviter ? a : b;
    struct yr_invite_info info = make_invite(sim, a, 3600 * 1000);
    struct yr_cmd cmd = {.kind = YR_CMD_ADD, .text = info.link, .text_len = strlen(info.link)};
    bool reached;

    (void)sim_do(sim, b, &cmd);
    sim_crash_at(sim, victim, sim_commits(sim, victim) + k, after);
    sim_run(sim, 3 * YR_S);
    reached = sim_crashed_at(sim, victim);
    sim_crash_at(sim, victim, 0, false);
    if (reached)
        sim_restart(sim, victim);
    if (!sim_run_linked(sim, a, b, 5 * MINUTE))
        fail_msg("no link: k=%u after=%d inviter=%d", (unsigned)k, after, crash_inviter);
    sim_text(sim, a, b, "hello", NULL);
    sim_text(sim, b, a, "hello", NULL);
    sim_run(sim, MINUTE);
    assert_int_equal(sim_history_count(sim, b, a), 2);
    assert_int_equal(sim_history_count(sim, a, b), 2);
    assert_int_equal(friends(sim, a), 1);
    sim_free(sim);
    return reached;
}

static void a_crash_at_any_commit_of_first_contact_heals(void **state)
{
    for (int side = 0; side < 2; side++)
        for (int after = 0; after < 2; after++)
            for (uint64_t k = 1; crash_in_first_contact(k, after == 1, side == 0); k++)
                assert_true(k < 200);
}

static void a_stranger_gets_not_one_byte(void **state)
{
    struct sim_opts opts = sim_opts_default(60);
    struct sim *sim;
    uint8_t bytes[1400];
    unsigned a, b;

    opts.record = true;
    sim = sim_new(&opts);
    a = sim_add(sim, "alice");
    b = sim_add(sim, "bob");
    (void)make_invite(sim, a, 3600 * 1000);
    sim_befriend(sim, a, b);
    for (unsigned i = 0; i < 20000; i++) {
        const size_t len = 1 + sim_draw(sim, 1) % sizeof bytes;
        for (size_t k = 0; k < len; k += 8) {
            const uint64_t r = sim_draw(sim, 2);
            memcpy(bytes + k, &r, YR_MIN(sizeof r, len - k));
        }
        if (i % 2 == 0)
            bytes[0] = (uint8_t)(i / 2 % 0x30);
        sim_inject(sim, a, bytes, len);
        if (i % 1000 == 999)
            sim_run(sim, YR_S);
    }
    assert_int_equal(sim_answers_to_strangers(sim), 0);
    assert_true(sim_linked(sim, a, b));
    sim_text(sim, a, b, "still here", NULL);
    sim_run(sim, YR_S);
    assert_int_equal(sim_history_count(sim, b, a), 1);
    sim_free(sim);
}

static void a_removed_friend_finds_silence_and_may_come_back(void **state)
{
    struct sim_opts opts = sim_opts_default(61);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct yr_cmd removal = {.kind = YR_CMD_FRIEND_REMOVE};
    struct yr_invite_info info;

    sim_befriend(sim, a, b);
    sim_text(sim, a, b, "bye", NULL);
    sim_run(sim, YR_S);
    memcpy(removal.conv, sim_id(sim, b), YR_ID_LEN);
    (void)sim_do(sim, a, &removal);
    sim_run(sim, 5 * MINUTE);
    assert_int_equal(friends(sim, a), 0);
    assert_false(sim_linked(sim, a, b));
    assert_int_equal(sim_history_count(sim, a, b), 1); // kept unless forgotten
    // alice removed him, he still has her: her new invite, used by him after he too removed her
    memcpy(removal.conv, sim_id(sim, a), YR_ID_LEN);
    (void)sim_do(sim, b, &removal);
    info = make_invite(sim, a, 3600 * 1000);
    assert_int_equal(add(sim, b, info.link), YR_OK);
    assert_true(sim_run_linked(sim, a, b, MINUTE));
    sim_text(sim, b, a, "again", NULL);
    sim_run(sim, YR_S);
    assert_int_equal(sim_history_count(sim, a, b), 2);
    sim_free(sim);
}

static void a_friend_who_lost_us_is_met_again(void **state)
{
    struct sim_opts opts = sim_opts_default(62);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct yr_cmd removal = {.kind = YR_CMD_FRIEND_REMOVE};
    struct yr_invite_info info;

    sim_befriend(sim, a, b);
    memcpy(removal.conv, sim_id(sim, a), YR_ID_LEN);
    (void)sim_do(sim, b, &removal);
    sim_text(sim, a, b, "where are you", NULL); // waits under the old pair
    sim_run(sim, MINUTE);
    info = make_invite(sim, a, 3600 * 1000);
    assert_int_equal(add(sim, b, info.link), YR_OK);
    assert_true(sim_run_linked(sim, a, b, MINUTE));
    sim_text(sim, b, a, "here", NULL);
    sim_run(sim, 10 * YR_S);
    assert_int_equal(sim_history_count(sim, a, b), 2);
    assert_int_equal(sim_history_count(sim, b, a), 2);
    sim_free(sim);
}

static void two_who_add_each_other_at_once_become_friends(void **state)
{
    for (uint64_t round = 0; round < 60; round++) {
        struct sim_opts opts = sim_opts_default(100 + round);
        struct sim *sim;
        struct yr_invite_info of_a, of_b;
        unsigned a, b;
        opts.link.loss = round >= 30 ? 200 : 0;
        sim = sim_new(&opts);
        a = sim_add(sim, "alice");
        b = sim_add(sim, "bob");
        of_a = make_invite(sim, a, 3600 * 1000);
        of_b = make_invite(sim, b, 3600 * 1000);
        assert_int_equal(add(sim, a, of_b.link), YR_OK);
        sim_run(sim, round % 30 * 5 * YR_MS);
        (void)add(sim, b, of_a.link);
        sim_run(sim, MINUTE); // whatever was half done is done
        if (!sim_run_linked(sim, a, b, MINUTE))
            fail_msg("no link: round %u", (unsigned)round);
        sim_text(sim, a, b, "hello", NULL);
        sim_text(sim, b, a, "hello", NULL);
        sim_run(sim, MINUTE);
        assert_int_equal(sim_history_count(sim, b, a), 2);
        assert_int_equal(sim_history_count(sim, a, b), 2);
        assert_int_equal(friends(sim, a), 1);
        assert_int_equal(friends(sim, b), 1);
        sim_free(sim);
    }
}

static void two_invites_of_one_inviter_added_together_make_one_friend(void **state)
{
    for (uint64_t round = 0; round < 40; round++) {
        struct sim_opts opts = sim_opts_default(200 + round);
        struct sim *sim;
        struct yr_invite_info one, two;
        unsigned a, b;
        opts.link =
            (struct sim_link){.delay_us = 30 * YR_MS, .jitter_us = 30 * YR_MS, .reorder = 500};
        opts.link.loss = round >= 20 ? 200 : 0;
        sim = sim_new(&opts);
        a = sim_add(sim, "alice");
        b = sim_add(sim, "bob");
        one = make_invite(sim, a, 3600 * 1000);
        two = make_invite(sim, a, 3600 * 1000);
        assert_int_equal(add(sim, b, one.link), YR_OK);
        sim_run(sim, round % 20 * 8 * YR_MS);
        assert_int_equal(add(sim, b, two.link), YR_OK);
        sim_run(sim, MINUTE);
        if (!sim_run_linked(sim, a, b, MINUTE))
            fail_msg("no link: round %u", (unsigned)round);
        sim_text(sim, a, b, "hello", NULL);
        sim_text(sim, b, a, "hello", NULL);
        sim_run(sim, MINUTE);
        assert_int_equal(sim_history_count(sim, b, a), 2);
        assert_int_equal(sim_history_count(sim, a, b), 2);
        assert_int_equal(friends(sim, b), 1);
        sim_free(sim);
    }
}

// Whose invite it was has the friend, the other side does not know it yet.
static bool inviter_has_friend(struct sim *sim, void *ctx)
{
    const unsigned *a = ctx;

    return friends(sim, *a) == 1;
}

static void remove_before_link(yr_us wait_us)
{
    struct sim_opts opts = sim_opts_default(63);
    struct sim *sim = sim_new(&opts);
    unsigned a = sim_add(sim, "alice");
    const unsigned b = sim_add(sim, "bob");
    struct yr_cmd removal = {.kind = YR_CMD_FRIEND_REMOVE};
    struct yr_invite_info info = make_invite(sim, a, 3600 * 1000);

    assert_int_equal(add(sim, b, info.link), YR_OK);
    assert_true(sim_run_until(sim, 10 * YR_S, inviter_has_friend, &a));
    sim_cut(sim, a, b, true);
    memcpy(removal.conv, sim_id(sim, b), YR_ID_LEN);
    (void)sim_do(sim, a, &removal);
    sim_run(sim, wait_us);
    sim_cut(sim, a, b, false);
    sim_run(sim, 5 * MINUTE);
    assert_int_equal(friends(sim, a), 0);
    assert_int_equal(friends(sim, b), 0); // and he is told so
    sim_free(sim);
}

static void a_friend_removed_before_the_first_link_stays_removed(void **state)
{
    remove_before_link(0);
    remove_before_link(90 * YR_S);
}

// Mallory's link names alice, with mallory's own key in it.
static void a_link_that_names_somebody_else_makes_no_friend(void **state)
{
    for (int answer = 0; answer < 2; answer++) {
        struct sim_opts opts = sim_opts_default(66);
        struct sim *sim = sim_new(&opts);
        const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
        const unsigned m = sim_add(sim, "mallory");
        struct yr_node *evil = sim_node(sim, m);
        struct yr_invite_info info;
        struct yr_invite invite;
        memcpy(evil->self.id, sim_id(sim, a), 32);
        yr_links_identity(evil->links, &evil->self);
        info = make_invite(sim, m, 3600 * 1000);
        assert_int_equal(yr_invite_decode(&invite, info.link, strlen(info.link)), YR_OK);
        assert_memory_equal(invite.id, sim_id(sim, a), 32);
        // without a certificate to show she says nothing and dials
        sim_drop(sim, m, answer ? -1 : 0x08);
        assert_int_equal(add(sim, b, info.link), YR_OK);
        sim_run(sim, 5 * MINUTE);
        assert_int_equal(friends(sim, b), 0);
        assert_int_equal(sim_history_count(sim, b, a), 0);
        sim_free(sim);
    }
}

static void an_add_ends_with_the_link_whatever_it_was_doing(void **state)
{
    for (unsigned wait_s = 1; wait_s < 40; wait_s += 3) {
        struct sim_opts opts = sim_opts_default(64);
        struct sim *sim = sim_new(&opts);
        unsigned a = sim_add(sim, "alice");
        const unsigned b = sim_add(sim, "bob");
        struct yr_invite_info info = make_invite(sim, a, 3600 * 1000);
        struct yr_add_info left;
        assert_int_equal(add(sim, b, info.link), YR_OK);
        assert_true(sim_run_until(sim, 10 * YR_S, inviter_has_friend, &a));
        sim_cut(sim, a, b, true); // the answer does not arrive
        sim_run(sim, wait_s * YR_S);
        sim_cut(sim, a, b, false);
        assert_true(sim_run_linked(sim, a, b, 3 * MINUTE));
        sim_run(sim, 2 * MINUTE);
        assert_true(sim_linked(sim, a, b));
        assert_false(add_info(sim, b, &left));
        assert_int_equal(invite_info(sim, a, info.id).state, YR_INVITE_USED);
        sim_free(sim);
    }
}

static void an_add_cancelled_at_any_moment_leaves_nothing_or_a_friend(void **state)
{
    for (unsigned ms = 0; ms < 200; ms += 5) {
        struct sim_opts opts = sim_opts_default(65);
        struct sim *sim = sim_new(&opts);
        const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
        struct yr_invite_info info = make_invite(sim, a, 3600 * 1000), again;
        struct yr_cmd cancel = {.kind = YR_CMD_ADD_CANCEL, .text = info.id, .text_len = 8};
        struct yr_add_info left;
        enum yr_err err;
        assert_int_equal(add(sim, b, info.link), YR_OK);
        sim_run(sim, ms * YR_MS);
        (void)sim_command(sim, b, &cancel, &err);
        sim_run(sim, MINUTE);
        assert_false(add_info(sim, b, &left));
        if (err == YR_OK) {
            assert_int_equal(friends(sim, b), 0);
            assert_false(sim_linked(sim, a, b));
            again = make_invite(sim, a, 3600 * 1000); // and nothing stands in the way of a new one
            assert_int_equal(add(sim, b, again.link), YR_OK);
        } else {
            assert_int_equal(err, YR_ENOENT);
        }
        assert_true(sim_run_linked(sim, a, b, MINUTE));
        sim_free(sim);
    }
}

static void copies_of_a_message_1_do_not_shut_its_sender_out(void **state)
{
    struct sim_opts opts = sim_opts_default(70);
    struct yr_invite_info info;
    struct sim *sim;
    unsigned a, b;

    opts.record = true;
    sim = sim_new(&opts);
    a = sim_add(sim, "alice");
    b = sim_add(sim, "bob");
    info = make_invite(sim, a, 3600 * 1000);
    sim_set_link(sim, &(struct sim_link){.delay_us = 20 * YR_MS, .loss = 1000});
    assert_int_equal(add(sim, b, info.link), YR_OK);
    sim_run(sim, 100 * YR_MS);
    assert_true(sim_recorded(sim) > 0);
    sim_set_link(sim, &(struct sim_link){.delay_us = 20 * YR_MS});
    for (int i = 0; i < 1000; i++) { // somebody who watches repeats it, fast
        sim_replay(sim, 0, a);
        sim_run(sim, 5 * YR_MS);
        if (sim_linked(sim, a, b))
            break;
    }
    assert_true(sim_linked(sim, a, b));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_invite_makes_one_friend),
        cmocka_unit_test(a_spent_invite_is_refused_and_marked_as_leaked),
        cmocka_unit_test(a_revoked_invite_says_so),
        cmocka_unit_test(an_expired_invite_gets_no_answer_and_no_try),
        cmocka_unit_test(ones_own_link_a_wrong_link_and_a_ninth_invite_are_refused),
        cmocka_unit_test(lost_packets_delay_but_never_half_make_a_friend),
        cmocka_unit_test(a_crash_at_any_commit_of_first_contact_heals),
        cmocka_unit_test(a_stranger_gets_not_one_byte),
        cmocka_unit_test(copies_of_a_message_1_do_not_shut_its_sender_out),
        cmocka_unit_test(a_removed_friend_finds_silence_and_may_come_back),
        cmocka_unit_test(a_friend_who_lost_us_is_met_again),
        cmocka_unit_test(two_who_add_each_other_at_once_become_friends),
        cmocka_unit_test(two_invites_of_one_inviter_added_together_make_one_friend),
        cmocka_unit_test(a_friend_removed_before_the_first_link_stays_removed),
        cmocka_unit_test(a_link_that_names_somebody_else_makes_no_friend),
        cmocka_unit_test(an_add_ends_with_the_link_whatever_it_was_doing),
        cmocka_unit_test(an_add_cancelled_at_any_moment_leaves_nothing_or_a_friend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
