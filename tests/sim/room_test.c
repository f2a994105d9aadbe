/* Rooms among few: alice and carol are no friends, bob is a friend of both.  DISTRIBUTED 7: I2-I5,
 * M1, M9; B.9. */
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

static void run_state(struct world *w, unsigned node, enum yr_room_state state, size_t members)
{
    struct wait wait = {w, node, state, members};

    assert_true(sim_run_until(w->sim, 2 * MINUTE, is_state, &wait));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_friends_share_a_room),
        cmocka_unit_test(words_reach_those_who_are_no_friends_and_stay_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
