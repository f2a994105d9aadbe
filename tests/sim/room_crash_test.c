/* The story of three with a power failure at every commit of everybody: alice makes a room, bob
 * joins, carol joins through bob, they talk, alice removes carol.  Nothing that was accepted is
 * lost or doubled, no number is used twice, all show the same. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/sim/circle.h"

#define MINUTE (60 * YR_S)

enum who { ALICE, BOB, CAROL, PEOPLE };

struct story {
    struct circle *c;
    enum who victim;
    uint64_t k;
    bool after, crashed, kicked;
    enum who writer; // whose turn it is
    size_t said;
};

static void fail_story(struct story *s, const char *what)
{
    print_error("victim %d, commit %llu, %s it\n", s->victim, (unsigned long long)s->k,
                s->after ? "after" : "before");
    circle_fail(s->c, what, ALICE, BOB);
}

static void revive(struct story *s)
{
    if (sim_alive(s->c->sim, s->victim))
        return;
    s->crashed = true;
    sim_crash_at(s->c->sim, s->victim, 0, false);
    sim_run(s->c->sim, 300 * YR_MS);
    sim_restart(s->c->sim, s->victim);
}

// Somebody does it, and again after a while if nothing came of it.
static void pursue(struct story *s, const char *what, bool (*done)(struct story *),
                   void (*act)(struct story *))
{
    for (unsigned i = 0; !done(s); i++) {
        if (i % 100 == 0)
            act(s);
        sim_run(s->c->sim, 20 * YR_MS);
        revive(s);
        if (i == 6000)
            fail_story(s, what);
    }
}

static void command(struct story *s, enum who who, const struct yr_cmd *cmd)
{
    enum yr_err err;

    (void)sim_command(s->c->sim, who, cmd, &err);
}

static bool made(struct story *s)
{
    struct yr_room_info info;

    if (!sim_alive(s->c->sim, ALICE) || !yr_node_room_at(sim_node(s->c->sim, ALICE), 0, &info))
        return false;
    memcpy(s->c->room, info.id, YR_ID_LEN);
    return circle_in(s->c, ALICE);
}

static void make(struct story *s)
{
    const struct yr_cmd cmd = {.kind = YR_CMD_ROOM_NEW, .text = "garden", .text_len = 6};

    command(s, ALICE, &cmd);
}

static void invite(struct story *s, enum who from, enum who whom)
{
    struct yr_cmd cmd = circle_cmd(s->c, YR_CMD_ROOM_INVITE);

    memcpy(cmd.who, sim_id(s->c->sim, whom), YR_ID_LEN);
    command(s, from, &cmd);
}

static bool bob_invited(struct story *s)
{
    return circle_state(s->c, BOB, NULL) == YR_ROOM_INVITED;
}

static void invite_bob(struct story *s)
{
    invite(s, ALICE, BOB);
}

static bool carol_invited(struct story *s)
{
    return circle_state(s->c, CAROL, NULL) == YR_ROOM_INVITED;
}

static void invite_carol(struct story *s)
{
    invite(s, BOB, CAROL);
}

static void join(struct story *s, enum who who)
{
    const struct yr_cmd cmd = circle_cmd(s->c, YR_CMD_ROOM_JOIN);

    if (circle_state(s->c, who, NULL) == YR_ROOM_INVITED)
        command(s, who, &cmd);
}

static size_t members(struct story *s, enum who who)
{
    struct yr_room_info info;

    return circle_state(s->c, who, &info) == YR_ROOM_ACTIVE ? info.members : 0;
}

static bool bob_in(struct story *s)
{
    return members(s, BOB) == 2;
}

static void join_bob(struct story *s)
{
    join(s, BOB);
}

static bool carol_in(struct story *s)
{
    return members(s, ALICE) == 3 && members(s, BOB) == 3 && members(s, CAROL) == 3;
}

static void join_carol(struct story *s)
{
    join(s, CAROL);
}

static bool has_said(struct story *s)
{
    return s->said < s->c->text_count && s->c->texts[s->c->text_count - 1].accepted;
}

static void say(struct story *s)
{
    char text[32];

    snprintf(text, sizeof text, "text %zu", s->c->text_count);
    if (sim_alive(s->c->sim, s->writer))
        (void)circle_say(s->c, s->writer, text, NULL);
}

static void talk(struct story *s, enum who who)
{
    s->writer = who;
    s->said = s->c->text_count;
    pursue(s, "a text was never accepted", has_said, say);
}

static bool all_told(struct story *s)
{
    for (unsigned i = 0; i < PEOPLE; i++)
        if (!sim_alive(s->c->sim, i))
            return false;
    return circle_settle(s->c, 0);
}

static void wait(struct story *s)
{
    (void)s;
}

static bool carol_gone(struct story *s)
{
    return members(s, ALICE) == 2 && members(s, BOB) == 2 &&
           circle_state(s->c, CAROL, NULL) == YR_ROOM_GONE && sim_alive(s->c->sim, CAROL);
}

static void kick(struct story *s)
{
    struct yr_cmd cmd = circle_cmd(s->c, YR_CMD_ROOM_KICK);

    circle_who(s->c, &cmd, CAROL);
    command(s, ALICE, &cmd);
}

static void check_forks(struct story *s)
{
    struct yr_member_info member;

    for (unsigned i = 0; i < PEOPLE; i++)
        for (size_t m = 0; yr_node_member_at(sim_node(s->c->sim, i), s->c->room, m, &member); m++)
            if (member.forked)
                fail_story(s, "a number was used twice");
}

// Was the commit reached?
static bool play(enum who victim, uint64_t k, bool after)
{
    struct sim_opts opts = sim_opts_default(k);
    struct story s = {.c = circle_new(&opts, PEOPLE), .victim = victim, .k = k, .after = after};
    struct sim *sim = s.c->sim;

    circle_chain(s.c, false);
    sim_run(sim, YR_S);
    sim_crash_at(sim, victim, sim_commits(sim, victim) + k, after);
    pursue(&s, "no room", made, make);
    pursue(&s, "bob was not invited", bob_invited, invite_bob);
    pursue(&s, "bob did not get in", bob_in, join_bob);
    talk(&s, BOB);
    pursue(&s, "carol was not invited", carol_invited, invite_carol);
    pursue(&s, "carol did not get in", carol_in, join_carol);
    for (unsigned i = 0; i < 4; i++)
        talk(&s, i % 2 == 0 ? CAROL : ALICE);
    pursue(&s, "not all was told", all_told, wait); // what only the removed had would be lost
    pursue(&s, "carol was not removed", carol_gone, kick);
    talk(&s, ALICE);
    talk(&s, BOB);
    sim_run(sim, 15 * YR_S);
    revive(&s);
    sim_crash_at(sim, victim, 0, false);
    circle_end(s.c, 2 * MINUTE);
    check_forks(&s);
    circle_free(s.c);
    return s.crashed;
}

static void each_commit(enum who victim)
{
    for (int after = 0; after < 2; after++) {
        uint64_t k = 1;
        while (play(victim, k, after == 1))
            assert_true(++k < 500);
        print_message("victim %d: %llu commits\n", victim, (unsigned long long)k - 1);
    }
}

static void alice_may_crash_at_any_commit(void **state)
{
    (void)state;
    each_commit(ALICE);
}

static void bob_may_crash_at_any_commit(void **state)
{
    (void)state;
    each_commit(BOB);
}

static void carol_may_crash_at_any_commit(void **state)
{
    (void)state;
    each_commit(CAROL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alice_may_crash_at_any_commit),
        cmocka_unit_test(bob_may_crash_at_any_commit),
        cmocka_unit_test(carol_may_crash_at_any_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
