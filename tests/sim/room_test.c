/* Rooms among few: alice and carol are no friends, bob is a friend of both.  B.9. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)

struct world {
    struct sim *sim;
    unsigned node[8];
    size_t count;
    uint8_t room[YR_ID_LEN];
};

static struct yr_cmd in_room(const struct world *w, enum yr_cmd_kind kind)
{
    struct yr_cmd cmd = {.kind = kind};

    memcpy(cmd.conv, w->room, YR_ID_LEN);
    return cmd;
}

static void make_room(struct world *w, unsigned founder, const char *name, unsigned hist_days)
{
    struct yr_cmd cmd = {
        .kind = YR_CMD_ROOM_NEW, .text = name, .text_len = strlen(name), .number = hist_days};
    const struct yr_event done = sim_do(w->sim, founder, &cmd);

    assert_int_equal(done.err, YR_OK);
    memcpy(w->room, done.conv, YR_ID_LEN);
}

static enum yr_room_state state_of(const struct world *w, unsigned node, size_t *members)
{
    struct yr_room_info info;

    if (!sim_alive(w->sim, node) || yr_node_room(sim_node(w->sim, node), w->room, &info) != YR_OK)
        return YR_ROOM_GONE;
    if (members != NULL)
        *members = info.members;
    return info.state;
}

struct wait {
    struct world *w;
    unsigned node;
    enum yr_room_state state;
    size_t members;
};

static bool is_state(struct sim *sim, void *ctx)
{
    const struct wait *wait = ctx;
    size_t members = 0;

    return state_of(wait->w, wait->node, &members) == wait->state &&
           (wait->members == 0 || members == wait->members);
}

#define run_state(w, n, s, m) run_state_at(w, n, s, m, __LINE__)
static void run_state_at(struct world *w, unsigned node, enum yr_room_state state, size_t members,
                         int line)
{
    struct wait wait = {w, node, state, members};
    size_t has = 0;

    if (sim_run_until(w->sim, 2 * MINUTE, is_state, &wait))
        return;
    print_message("line %d: node %u is in state %d, not %d", line, node, state_of(w, node, &has),
                  state);
    fail_msg(" (%zu members, not %zu)", has, members);
}

// a invites b, who says yes; run until b is one of `members`.
static void bring(struct world *w, unsigned a, unsigned b, size_t members)
{
    struct yr_cmd invite = in_room(w, YR_CMD_ROOM_INVITE), join = in_room(w, YR_CMD_ROOM_JOIN);

    memcpy(invite.who, sim_id(w->sim, b), YR_ID_LEN);
    assert_int_equal(sim_do(w->sim, a, &invite).err, YR_OK);
    run_state(w, b, YR_ROOM_INVITED, 0);
    assert_int_equal(sim_do(w->sim, b, &join).err, YR_OK);
    run_state(w, b, YR_ROOM_ACTIVE, members);
}

static struct yr_event say(struct world *w, unsigned node, const char *text)
{
    struct yr_cmd cmd = in_room(w, YR_CMD_SEND);

    cmd.body = text;
    cmd.body_len = strlen(text);
    return sim_do(w->sim, node, &cmd);
}

// The room as a node shows it, one line a message, system lines left out; owned by the caller.
static char *history(struct world *w, unsigned node, size_t *count)
{
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place place = {{0}};
    enum yr_seek how = YR_SEEK_GE;
    size_t len = 0, cap = 1 << 16;
    char *out = calloc(1, cap), id[27], author[27];

    *count = 0;
    while (yr_node_history(sim_node(w->sim, node), w->room, how, &place, m) == YR_OK) {
        how = YR_SEEK_GT;
        if (m->kind == YR_MSG_SYSTEM)
            continue;
        (*count)++;
        yr_id_text(id, m->id, sizeof m->id);
        yr_id_text(author, m->author, YR_MID_LEN);
        assert_true(len + 256 < cap);
        len += (size_t)snprintf(out + len, cap - len, "%s %s %lld%s%s \"%.100s\"", id, author,
                                (long long)m->time_ms, m->edited ? " edited" : "",
                                m->deleted ? " deleted" : "", m->text);
        for (size_t i = 0; i < m->reaction_count; i++) {
            yr_id_text(author, m->reactions[i].author, YR_MID_LEN);
            len += (size_t)snprintf(out + len, cap - len, " %s:%s", author, m->reactions[i].emoji);
        }
        len += (size_t)snprintf(out + len, cap - len, "\n");
    }
    free(m);
    return out;
}

struct histories {
    struct world *w;
    const unsigned *nodes;
    size_t node_count, texts;
};

static bool have_all(struct sim *sim, void *ctx)
{
    const struct histories *h = ctx;

    for (size_t i = 0; i < h->node_count; i++) {
        size_t count;
        if (!sim_alive(sim, h->nodes[i]))
            return false;
        free(history(h->w, h->nodes[i], &count));
        if (count != h->texts)
            return false;
    }
    return true;
}

static void run_same(struct world *w, const unsigned *nodes, size_t node_count, size_t texts)
{
    struct histories h = {w, nodes, node_count, texts};
    size_t count;
    char *first;

    if (!sim_run_until(w->sim, 3 * MINUTE, have_all, &h)) {
        for (size_t i = 0; i < node_count; i++) {
            first = history(w, nodes[i], &count);
            print_message("node %u has %zu of %zu:\n%s\n", nodes[i], count, texts, first);
            free(first);
        }
        fail();
    }
    first = history(w, nodes[0], &count);
    for (size_t i = 1; i < node_count; i++) {
        char *other = history(w, nodes[i], &count);
        assert_string_equal(first, other);
        free(other);
    }
    free(first);
}

// alice - bob - carol; a room of the three through bob.
static void three(struct world *w, uint64_t seed)
{
    struct sim_opts opts = sim_opts_default(seed);

    w->sim = sim_new(&opts);
    w->node[0] = sim_add(w->sim, "alice");
    w->node[1] = sim_add(w->sim, "bob");
    w->node[2] = sim_add(w->sim, "carol");
    w->count = 3;
    sim_befriend(w->sim, w->node[0], w->node[1]);
    sim_befriend(w->sim, w->node[1], w->node[2]);
}

static void two_friends_share_a_room(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;

    three(&w, 1);
    make_room(&w, n[0], "garden", 0);
    assert_int_equal(say(&w, n[0], "before anybody came").err, YR_OK);
    bring(&w, n[0], n[1], 2);
    assert_int_equal(say(&w, n[0], "hello bob").err, YR_OK);
    assert_int_equal(say(&w, n[1], "hello alice").err, YR_OK);
    const unsigned bob[] = {n[1]}, alice[] = {n[0]};
    run_same(&w, bob, 1, 2); // what was said before is not for him
    run_same(&w, alice, 1, 3);
    sim_free(w.sim);
}

static void words_reach_those_who_are_no_friends_and_stay_in_order(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;
    char text[64];
    size_t said = 0;

    three(&w, 2);
    make_room(&w, n[0], "garden", 0);
    bring(&w, n[0], n[1], 2);
    bring(&w, n[1], n[2], 3);
    run_state(&w, n[0], YR_ROOM_ACTIVE, 3);
    for (int i = 0; i < 20; i++, said++) {
        snprintf(text, sizeof text, "text %d", i);
        assert_int_equal(say(&w, n[i % 3], text).err, YR_OK);
    }
    run_same(&w, n, 3, said);
    sim_crash(w.sim, n[1]);
    for (int i = 0; i < 10; i++, said++) {
        snprintf(text, sizeof text, "while bob is away %d", i);
        assert_int_equal(say(&w, n[i % 2 == 0 ? 0 : 2], text).err, YR_OK);
    }
    sim_run(w.sim, 30 * YR_S);
    sim_restart(w.sim, n[1]);
    run_same(&w, n, 3, said);
    sim_crash(w.sim, n[2]);
    sim_restart(w.sim, n[2]);
    assert_int_equal(say(&w, n[2], "back from disk").err, YR_OK);
    run_same(&w, n, 3, said + 1);
    sim_free(w.sim);
}

static struct yr_event whom(struct world *w, unsigned node, enum yr_cmd_kind kind, unsigned who,
                            unsigned number, enum yr_err *err)
{
    struct yr_cmd cmd = in_room(w, kind);
    struct yr_room_info info;
    struct yr_event done = {.err = YR_OK};
    uint64_t ticket;

    cmd.number = number;
    assert_int_equal(yr_node_room(sim_node(w->sim, who), w->room, &info), YR_OK);
    memcpy(cmd.who, info.self, YR_MID_LEN);
    ticket = sim_command(w->sim, node, &cmd, err);
    if (*err == YR_OK) {
        sim_run(w->sim, 2 * YR_S);
        assert_non_null(sim_done(w->sim, node, ticket));
        done = *sim_done(w->sim, node, ticket);
    }
    return done;
}

// All three in the room, alice its founder.
static void three_in_room(struct world *w, uint64_t seed, unsigned hist_days)
{
    three(w, seed);
    make_room(w, w->node[0], "garden", hist_days);
    bring(w, w->node[0], w->node[1], 2);
    bring(w, w->node[1], w->node[2], 3);
    run_state(w, w->node[0], YR_ROOM_ACTIVE, 3);
}

static void who_is_removed_reads_nothing_that_is_said_after(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;
    enum yr_err err;
    size_t count;
    char *text;

    three_in_room(&w, 3, 0);
    assert_int_equal(say(&w, n[0], "all three").err, YR_OK);
    run_same(&w, n, 3, 1);
    (void)whom(&w, n[2], YR_CMD_ROOM_KICK, n[1], 0, &err);
    assert_int_equal(err, YR_EDENIED);
    (void)whom(&w, n[0], YR_CMD_ROOM_KICK, n[2], 0, &err);
    assert_int_equal(err, YR_OK);
    assert_int_equal(say(&w, n[0], "without carol").err, YR_OK);
    assert_int_equal(say(&w, n[1], "indeed").err, YR_OK);
    run_state(&w, n[2], YR_ROOM_GONE, 0);
    run_same(&w, n, 2, 3);
    sim_run(w.sim, MINUTE);
    text = history(&w, n[2], &count);
    assert_int_equal(count, 1); // what she had she has
    assert_null(strstr(text, "without"));
    free(text);
    struct yr_cmd leave = in_room(&w, YR_CMD_ROOM_LEAVE);
    (void)sim_command(w.sim, n[2], &leave, &err);
    assert_int_equal(err, YR_EDENIED);
    sim_crash(w.sim, n[2]);
    sim_restart(w.sim, n[2]);
    run_state(&w, n[2], YR_ROOM_GONE, 0);
    bring(&w, n[1], n[2], 3); // she may be let in again
    assert_int_equal(say(&w, n[2], "back").err, YR_OK);
    run_same(&w, n, 2, 4);
    sim_free(w.sim);
}

static void who_leaves_is_gone_for_all_and_may_come_back(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;

    three_in_room(&w, 4, 0);
    assert_int_equal(say(&w, n[0], "all three").err, YR_OK);
    run_same(&w, n, 3, 1);
    struct yr_cmd leave = in_room(&w, YR_CMD_ROOM_LEAVE);
    assert_int_equal(sim_do(w.sim, n[2], &leave).err, YR_OK);
    run_state(&w, n[0], YR_ROOM_ACTIVE, 2);
    run_state(&w, n[1], YR_ROOM_ACTIVE, 2);
    run_state(&w, n[2], YR_ROOM_GONE, 0);
    assert_int_equal(say(&w, n[0], "two").err, YR_OK);
    run_same(&w, n, 2, 2);
    bring(&w, n[1], n[2], 3);
    assert_int_equal(say(&w, n[2], "three again").err, YR_OK);
    run_same(&w, n, 2, 3);
    leave.flags = YR_FLAG_FORGET;
    assert_int_equal(sim_do(w.sim, n[2], &leave).err, YR_OK);
    run_state(&w, n[0], YR_ROOM_ACTIVE, 2);
    sim_run(w.sim, 2 * MINUTE);
    struct yr_room_info info;
    size_t count;
    assert_int_equal(yr_node_room(sim_node(w.sim, n[2]), w.room, &info), YR_ENOENT);
    free(history(&w, n[2], &count));
    assert_int_equal(count, 0);
    sim_free(w.sim);
}

static void who_leaves_without_a_link_is_gone_once_there_is_one(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;

    three_in_room(&w, 5, 0);
    sim_crash(w.sim, n[1]);
    sim_run(w.sim, 2 * MINUTE);
    struct yr_cmd leave = in_room(&w, YR_CMD_ROOM_LEAVE);
    assert_int_equal(sim_do(w.sim, n[2], &leave).err, YR_OK);
    run_state(&w, n[2], YR_ROOM_GONE, 0);
    sim_crash(w.sim, n[2]);
    sim_restart(w.sim, n[2]);
    run_state(&w, n[0], YR_ROOM_ACTIVE, 3);
    sim_restart(w.sim, n[1]);
    run_state(&w, n[0], YR_ROOM_ACTIVE, 2);
    sim_free(w.sim);
}

static void a_room_with_history_shows_it_to_who_comes_late(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;

    three(&w, 6);
    make_room(&w, n[0], "garden", 7);
    assert_int_equal(say(&w, n[0], "one").err, YR_OK);
    bring(&w, n[0], n[1], 2);
    for (int i = 0; i < 150; i++) // more than are opened in one go
        assert_int_equal(say(&w, n[i % 2], "more").err, YR_OK);
    run_same(&w, n, 2, 151);
    bring(&w, n[1], n[2], 3);
    run_same(&w, n, 3, 151);
    assert_int_equal(say(&w, n[2], "I have read it all").err, YR_OK);
    run_same(&w, n, 3, 152);
    sim_free(w.sim);
}

static void names_topics_and_ranks_are_the_same_for_all(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;
    struct yr_room_info info;
    struct yr_member_info member;
    enum yr_err err;

    three_in_room(&w, 7, 0);
    struct yr_cmd topic = in_room(&w, YR_CMD_ROOM_TOPIC);
    topic.text = "roses";
    topic.text_len = 5;
    (void)sim_command(w.sim, n[1], &topic, &err);
    assert_int_equal(err, YR_EDENIED);
    (void)whom(&w, n[0], YR_CMD_ROOM_ROLE, n[1], YR_RANK_MOD, &err);
    assert_int_equal(err, YR_OK);
    assert_int_equal(sim_do(w.sim, n[1], &topic).err, YR_OK);
    struct yr_cmd name = in_room(&w, YR_CMD_ROOM_NAME);
    name.text = "orchard";
    name.text_len = 7;
    assert_int_equal(sim_do(w.sim, n[0], &name).err, YR_OK);
    sim_run(w.sim, 5 * YR_S);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(yr_node_room(sim_node(w.sim, n[i]), w.room, &info), YR_OK);
        assert_string_equal(info.name, "orchard");
        assert_string_equal(info.topic, "roses");
        assert_int_equal(info.rank, i == 0   ? YR_RANK_FOUNDER
                                    : i == 1 ? YR_RANK_MOD
                                             : YR_RANK_MEMBER);
    }
    // alice does not know carol, but bob, through whom carol is reached
    assert_int_equal(yr_node_member(sim_node(w.sim, n[0]), w.room, info.self, &member), YR_OK);
    assert_false(member.friend);
    assert_string_equal(member.nick, "carol");
    assert_true(member.reached && member.online);
    assert_memory_equal(member.via, sim_id(w.sim, n[1]), YR_ID_LEN);
    struct yr_cmd nick = {.kind = YR_CMD_SET_NICK, .text = "caroline", .text_len = 8};
    assert_int_equal(sim_do(w.sim, n[2], &nick).err, YR_OK);
    sim_run(w.sim, 5 * YR_S);
    assert_int_equal(yr_node_member(sim_node(w.sim, n[0]), w.room, info.self, &member), YR_OK);
    assert_string_equal(member.nick, "caroline");
    assert_true(yr_node_member_at(sim_node(w.sim, n[0]), w.room, 0, &member));
    assert_true(member.self && member.rank == YR_RANK_FOUNDER);
    assert_true(yr_node_member_at(sim_node(w.sim, n[0]), w.room, 2, &member));
    assert_false(yr_node_member_at(sim_node(w.sim, n[0]), w.room, 3, &member));
    for (int i = 0; i < 3; i++) { // the same from disk
        sim_crash(w.sim, n[i]);
        sim_restart(w.sim, n[i]);
        assert_int_equal(yr_node_room(sim_node(w.sim, n[i]), w.room, &info), YR_OK);
        assert_string_equal(info.name, "orchard");
        assert_string_equal(info.topic, "roses");
        assert_int_equal(info.members, 3);
    }
    sim_free(w.sim);
}

static void operations_merge_into_the_same_history(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;
    struct yr_event said;
    char *text;
    size_t count;

    three_in_room(&w, 8, 0);
    said = say(&w, n[0], "teh garden");
    run_same(&w, n, 3, 1);
    struct yr_cmd edit = {.kind = YR_CMD_EDIT, .body = "the garden", .body_len = 10};
    memcpy(edit.msg, said.msg, sizeof edit.msg);
    assert_int_equal(sim_do(w.sim, n[0], &edit).err, YR_OK);
    struct yr_cmd react = {.kind = YR_CMD_REACT, .body = "+1", .body_len = 2};
    memcpy(react.msg, said.msg, sizeof react.msg);
    assert_int_equal(sim_do(w.sim, n[2], &react).err, YR_OK);
    said = say(&w, n[1], "to be deleted");
    struct yr_cmd drop = {.kind = YR_CMD_DELETE};
    memcpy(drop.msg, said.msg, sizeof drop.msg);
    assert_int_equal(sim_do(w.sim, n[1], &drop).err, YR_OK);
    sim_run(w.sim, 5 * YR_S);
    run_same(&w, n, 3, 2);
    text = history(&w, n[2], &count);
    assert_non_null(strstr(text, "edited \"the garden\""));
    assert_non_null(strstr(text, ":+1"));
    assert_non_null(strstr(text, "deleted \"\""));
    free(text);
    sim_free(w.sim);
}

static void a_message_tells_who_has_it_and_who_has_read_it(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;
    struct yr_message *m = malloc(sizeof *m);
    struct yr_why why[16];
    struct yr_event said;
    size_t count;
    yr_ms next;

    three_in_room(&w, 9, 0);
    for (int i = 0; i < 3; i++)
        yr_node_set_read_receipts(sim_node(w.sim, n[i]), i != 2); // carol does not tell
    sim_crash(w.sim, n[2]);
    sim_run(w.sim, 2 * MINUTE);
    said = say(&w, n[0], "who has this?");
    sim_run(w.sim, 30 * YR_S);
    assert_int_equal(yr_node_message(sim_node(w.sim, n[0]), said.msg, m), YR_OK);
    assert_true(m->room && m->own);
    assert_int_equal(m->of, 2);
    assert_int_equal(m->delivered_to, 1);
    assert_int_equal(m->state, YR_STATE_ACCEPTED);
    assert_int_equal(yr_node_why(sim_node(w.sim, n[0]), sim_now(w.sim, n[0]), w.room, said.msg, why,
                                 16, &count, &next),
                     YR_OK);
    assert_int_equal(count, 3);
    assert_string_equal(why[1].text, "delivered to 1 of 2");
    assert_non_null(strstr(why[2].text, "~carol has it not: reached over bob"));
    sim_restart(w.sim, n[2]);
    yr_node_set_read_receipts(sim_node(w.sim, n[2]), false);
    sim_run(w.sim, MINUTE);
    assert_int_equal(yr_node_message(sim_node(w.sim, n[0]), said.msg, m), YR_OK);
    assert_int_equal(m->delivered_to, 2);
    assert_int_equal(m->read_by, 0);
    assert_int_equal(m->state, YR_STATE_DELIVERED);
    for (int i = 1; i < 3; i++) {
        struct yr_cmd read = in_room(&w, YR_CMD_READ);
        assert_int_equal(sim_do(w.sim, n[i], &read).err, YR_OK);
    }
    sim_run(w.sim, 30 * YR_S);
    assert_int_equal(yr_node_message(sim_node(w.sim, n[0]), said.msg, m), YR_OK);
    assert_int_equal(m->read_by, 1);
    assert_int_equal(m->state, YR_STATE_DELIVERED);
    yr_node_set_read_receipts(sim_node(w.sim, n[2]), true);
    said = say(&w, n[1], "and this?");
    sim_run(w.sim, 5 * YR_S);
    for (int i = 0; i < 3; i += 2) {
        struct yr_cmd read = in_room(&w, YR_CMD_READ);
        assert_int_equal(sim_do(w.sim, n[i], &read).err, YR_OK);
    }
    sim_run(w.sim, 30 * YR_S);
    assert_int_equal(yr_node_message(sim_node(w.sim, n[1]), said.msg, m), YR_OK);
    assert_int_equal(m->of, 2);
    assert_int_equal(m->read_by, 2);
    assert_int_equal(m->state, YR_STATE_READ);
    free(m);
    sim_free(w.sim);
}

static void an_invitation_and_its_answer_survive_restarts(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;
    struct yr_room_info info;

    three(&w, 10);
    make_room(&w, n[0], "garden", 0);
    struct yr_cmd invite = in_room(&w, YR_CMD_ROOM_INVITE);
    memcpy(invite.who, sim_id(w.sim, n[1]), YR_ID_LEN);
    assert_int_equal(sim_do(w.sim, n[0], &invite).err, YR_OK);
    run_state(&w, n[1], YR_ROOM_INVITED, 0);
    sim_crash(w.sim, n[1]);
    sim_restart(w.sim, n[1]);
    run_state(&w, n[1], YR_ROOM_INVITED, 0);
    struct yr_cmd reject = in_room(&w, YR_CMD_ROOM_REJECT), join = in_room(&w, YR_CMD_ROOM_JOIN);
    assert_int_equal(sim_do(w.sim, n[1], &reject).err, YR_OK);
    assert_int_equal(yr_node_room(sim_node(w.sim, n[1]), w.room, &info), YR_ENOENT);
    assert_int_equal(sim_do(w.sim, n[0], &invite).err, YR_OK);
    run_state(&w, n[1], YR_ROOM_INVITED, 0);
    assert_int_equal(yr_node_room(sim_node(w.sim, n[1]), w.room, &info), YR_OK);
    assert_string_equal(info.name, "garden");
    assert_memory_equal(info.inviter, sim_id(w.sim, n[0]), YR_ID_LEN);
    sim_crash(w.sim, n[0]); // alice is away: bob waits
    assert_int_equal(sim_do(w.sim, n[1], &join).err, YR_OK);
    run_state(&w, n[1], YR_ROOM_JOINING, 0);
    sim_crash(w.sim, n[1]);
    sim_restart(w.sim, n[1]);
    run_state(&w, n[1], YR_ROOM_JOINING, 0);
    sim_restart(w.sim, n[0]);
    run_state(&w, n[1], YR_ROOM_ACTIVE, 2);
    enum yr_err err;
    (void)sim_command(w.sim, n[0], &invite, &err);
    assert_int_equal(err, YR_EEXIST);
    (void)sim_command(w.sim, n[1], &join, &err);
    assert_int_equal(err, YR_EEXIST);
    sim_free(w.sim);
}

static void the_room_goes_on_without_its_founder(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;
    enum yr_err err;

    three(&w, 11);
    make_room(&w, n[0], "garden", 0);
    bring(&w, n[0], n[1], 2);
    (void)whom(&w, n[0], YR_CMD_ROOM_ROLE, n[1], YR_RANK_ADMIN, &err);
    assert_int_equal(err, YR_OK);
    assert_int_equal(say(&w, n[0], "farewell").err, YR_OK);
    sim_run(w.sim, 5 * YR_S);
    sim_retire(w.sim, n[0]);
    bring(&w, n[1], n[2], 3);
    assert_int_equal(say(&w, n[2], "hello").err, YR_OK);
    const unsigned carol[] = {n[2]}, bob[] = {n[1]};
    run_same(&w, carol, 1, 1);
    run_same(&w, bob, 1, 2);
    (void)whom(&w, n[1], YR_CMD_ROOM_KICK, n[2], 0, &err);
    assert_int_equal(err, YR_OK);
    run_state(&w, n[2], YR_ROOM_GONE, 0);
    assert_int_equal(say(&w, n[1], "alone").err, YR_OK);
    sim_free(w.sim);
}

static void seven_in_a_ring_write_and_agree(void **state)
{
    struct world w = {.count = 7};
    struct sim_opts opts = sim_opts_default(12);
    char nick[16];
    size_t said = 0;

    w.sim = sim_new(&opts);
    for (unsigned i = 0; i < 7; i++) {
        snprintf(nick, sizeof nick, "node%u", i);
        w.node[i] = sim_add(w.sim, nick);
    }
    for (unsigned i = 0; i < 7; i++)
        sim_befriend(w.sim, w.node[i], w.node[(i + 1) % 7]);
    make_room(&w, w.node[0], "ring", 0);
    for (unsigned i = 1; i < 7; i++)
        bring(&w, w.node[i - 1], w.node[i], i + 1);
    for (unsigned i = 0; i < 7; i++)
        run_state(&w, w.node[i], YR_ROOM_ACTIVE, 7);
    sim_crash(w.sim, w.node[3]);
    for (unsigned k = 0; k < 10; k++)
        for (unsigned i = 0; i < 7; i++)
            if (i != 3)
                said += say(&w, w.node[i], "round the ring").err == YR_OK;
    sim_restart(w.sim, w.node[3]);
    for (unsigned k = 0; k < 10; k++)
        said += say(&w, w.node[3], "me too").err == YR_OK;
    assert_int_equal(said, 70);
    run_same(&w, w.node, 7, 70);
    sim_free(w.sim);
}

static void an_old_copy_of_a_store_learns_what_it_wrote_and_goes_on(void **state)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;
    struct yr_memstore *copy;

    three_in_room(&w, 13, 0);
    assert_int_equal(say(&w, n[1], "before the copy").err, YR_OK);
    run_same(&w, n, 3, 1);
    copy = yr_memstore_copy(sim_store(w.sim, n[1]));
    assert_int_equal(say(&w, n[1], "after the copy").err, YR_OK);
    assert_int_equal(say(&w, n[0], "I heard").err, YR_OK);
    assert_int_equal(say(&w, n[1], "and once more").err, YR_OK);
    run_same(&w, n, 3, 4);
    sim_crash(w.sim, n[1]);
    yr_memstore_restore(sim_store(w.sim, n[1]), copy);
    yr_memstore_free(copy);
    sim_restart(w.sim, n[1]);
    run_same(&w, n, 3, 4); // it is told what it said itself
    assert_int_equal(say(&w, n[1], "as another log").err, YR_OK);
    assert_int_equal(say(&w, n[2], "which we read").err, YR_OK);
    run_same(&w, n, 3, 6);
    sim_free(w.sim);
}

/* ---- a crash at any commit ---- */

struct task {
    unsigned node;
    uint64_t ticket;
};

static bool done_or_dead(struct sim *sim, void *ctx)
{
    const struct task *t = ctx;

    return !sim_alive(sim, t->node) || sim_done(sim, t->node, t->ticket) != NULL;
}

static void revive(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (!sim_alive(w->sim, w->node[i])) {
            sim_run(w->sim, YR_S);
            sim_restart(w->sim, w->node[i]);
        }
}

// Until it is answered: a crash in the middle may have kept it or not, so it can be given again.
static struct yr_event insist(struct world *w, unsigned node, const struct yr_cmd *cmd,
                              enum yr_err fine)
{
    struct yr_event done = {.err = YR_OK};

    for (int i = 0; i < 20; i++) {
        enum yr_err err;
        struct task t = {node, 0};
        revive(w);
        t.ticket = sim_command(w->sim, node, cmd, &err);
        if (err == YR_ENOMEM ||
            (err == YR_ENOENT && cmd->kind == YR_CMD_ROOM_JOIN) || // it comes again
            (err == YR_EDENIED && cmd->kind != YR_CMD_ROOM_JOIN)) {
            sim_run(w->sim, 5 * YR_S);
            continue;
        }
        if (err != YR_OK && sim_alive(w->sim, node)) {
            assert_int_equal(err, fine);
            return done;
        }
        assert_true(sim_run_until(w->sim, MINUTE, done_or_dead, &t));
        if (sim_alive(w->sim, node) && sim_done(w->sim, node, t.ticket)->err != YR_OK)
            sim_run(w->sim, 2 * YR_S); // the store is probed again
        if (sim_alive(w->sim, node) && sim_done(w->sim, node, t.ticket)->err == YR_OK)
            return *sim_done(w->sim, node, t.ticket);
    }
    fail();
    return done;
}

static void insist_state(struct world *w, unsigned node, enum yr_room_state state, size_t members)
{
    struct wait wait = {w, node, state, members};

    for (int i = 0; i < 40; i++) {
        if (sim_run_until(w->sim, 10 * YR_S, is_state, &wait))
            return;
        revive(w);
    }
    fail();
}

static void insist_bring(struct world *w, unsigned a, unsigned b, size_t members)
{
    struct yr_cmd invite = in_room(w, YR_CMD_ROOM_INVITE), join = in_room(w, YR_CMD_ROOM_JOIN);

    memcpy(invite.who, sim_id(w->sim, b), YR_ID_LEN);
    (void)insist(w, a, &invite, YR_EEXIST);
    insist_state(w, b, YR_ROOM_INVITED, 0);
    (void)insist(w, b, &join, YR_EEXIST);
    insist_state(w, b, YR_ROOM_ACTIVE, members);
}

static void insist_say(struct world *w, unsigned node, const char *text)
{
    struct yr_cmd cmd = in_room(w, YR_CMD_SEND);

    cmd.body = cmd.name = text; // said once, however often
    cmd.body_len = cmd.name_len = strlen(text);
    (void)insist(w, node, &cmd, YR_OK);
}

enum trouble { CRASH_BEFORE, CRASH_AFTER, NO_MEMORY };

// The story of three, with one of them crashing at its k-th commit, or refused its k-th allocation;
// false: there were not so many.
static bool story(uint64_t seed, unsigned victim, uint64_t k, enum trouble trouble)
{
    struct world w = {.count = 0};
    const unsigned *n = w.node;
    struct yr_room_info info;
    bool reached;
    enum yr_err err;

    three(&w, seed);
    if (trouble == NO_MEMORY)
        sim_refuse_at(w.sim, n[victim], sim_allocs(w.sim, n[victim]) + k);
    else
        sim_crash_at(w.sim, n[victim], sim_commits(w.sim, n[victim]) + k, trouble == CRASH_AFTER);
    const uint64_t last = sim_allocs(w.sim, n[victim]) + k;
    struct yr_cmd make = {.kind = YR_CMD_ROOM_NEW, .text = "garden", .text_len = 6};
    struct task t = {n[0], sim_command(w.sim, n[0], &make, &err)};
    if (err == YR_OK)
        assert_true(sim_run_until(w.sim, MINUTE, done_or_dead, &t));
    sim_run(w.sim, 2 * YR_S);
    revive(&w);
    if (!yr_node_room_at(sim_node(w.sim, n[0]), 0, &info)) { // that crash was before it was kept
        (void)insist(&w, n[0], &make, YR_OK);
        assert_true(yr_node_room_at(sim_node(w.sim, n[0]), 0, &info));
    }
    memcpy(w.room, info.id, YR_ID_LEN);
    insist_say(&w, n[0], "nobody hears this");
    insist_bring(&w, n[0], n[1], 2);
    insist_say(&w, n[1], "bob 1");
    insist_bring(&w, n[1], n[2], 3);
    insist_state(&w, n[0], YR_ROOM_ACTIVE, 3);
    insist_state(&w, n[1], YR_ROOM_ACTIVE, 3);
    insist_say(&w, n[0], "alice 1");
    insist_say(&w, n[2], "carol 1");
    insist_say(&w, n[1], "bob 2");
    insist_say(&w, n[2], "carol 2");
    sim_run(w.sim, 20 * YR_S); // receipts
    revive(&w);
    insist_say(&w, n[0], "alice 2");
    reached = trouble == NO_MEMORY ? sim_allocs(w.sim, n[victim]) >= last
                                   : sim_crashed_at(w.sim, n[victim]);
    sim_crash_at(w.sim, n[victim], 0, false);
    sim_refuse_at(w.sim, n[victim], 0);
    revive(&w);
    const unsigned carol[] = {n[2]};
    run_same(&w, n, 1, 7);
    run_same(&w, n + 1, 1, 6);
    run_same(&w, carol, 1, 5);
    char *bob, *hers;
    size_t count;
    bob = history(&w, n[1], &count);
    hers = history(&w, n[2], &count);
    assert_string_equal(strchr(bob, '\n') + 1, hers); // but for what was said before she came
    free(bob);
    free(hers);
    sim_free(w.sim);
    return reached;
}

static void a_crash_at_any_commit_loses_and_doubles_nothing(void **state)
{
    const char *every = getenv("EVERY_COMMIT");
    const uint64_t step = every != NULL ? 1 : 4;

    for (unsigned victim = 0; victim < 3; victim++)
        for (int after = 0; after < 2; after++)
            for (uint64_t k = 1 + victim;
                 story(20 + victim, victim, k, after == 1 ? CRASH_AFTER : CRASH_BEFORE); k += step)
                continue;
}

static void a_refused_allocation_loses_and_doubles_nothing(void **state)
{
    const char *every = getenv("EVERY_ALLOC");
    const uint64_t step = every != NULL ? strtoull(every, NULL, 10) : 61;

    for (unsigned victim = 0; victim < 3; victim++)
        for (uint64_t k = 1 + victim; story(20 + victim, victim, k, NO_MEMORY); k += step)
            continue;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_friends_share_a_room),
        cmocka_unit_test(words_reach_those_who_are_no_friends_and_stay_in_order),
        cmocka_unit_test(who_is_removed_reads_nothing_that_is_said_after),
        cmocka_unit_test(who_leaves_is_gone_for_all_and_may_come_back),
        cmocka_unit_test(who_leaves_without_a_link_is_gone_once_there_is_one),
        cmocka_unit_test(a_room_with_history_shows_it_to_who_comes_late),
        cmocka_unit_test(names_topics_and_ranks_are_the_same_for_all),
        cmocka_unit_test(operations_merge_into_the_same_history),
        cmocka_unit_test(a_message_tells_who_has_it_and_who_has_read_it),
        cmocka_unit_test(an_invitation_and_its_answer_survive_restarts),
        cmocka_unit_test(the_room_goes_on_without_its_founder),
        cmocka_unit_test(seven_in_a_ring_write_and_agree),
        cmocka_unit_test(an_old_copy_of_a_store_learns_what_it_wrote_and_goes_on),
        cmocka_unit_test(a_crash_at_any_commit_loses_and_doubles_nothing),
        cmocka_unit_test(a_refused_allocation_loses_and_doubles_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
