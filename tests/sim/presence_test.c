/* What friends tell each other of the people in front of their nodes, and texts that have a time.
 */
#include "tests/support/test.h"

#include "core/node/state.h"
#include "tests/support/seeded.h"
#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)

static struct yr_message message; // large

static struct yr_friend_info look(struct sim *sim, unsigned node, unsigned at)
{
    struct yr_friend_info info;

    assert_int_equal(yr_node_friend(sim_node(sim, node), sim_id(sim, at), &info), YR_OK);
    return info;
}

static void act(struct sim *sim, unsigned node, enum yr_cmd_kind kind, unsigned friend,
                unsigned flags, const char *text)
{
    struct yr_cmd cmd = {.kind = kind, .flags = flags, .text = text, .text_len = strlen(text)};
    struct yr_event done;

    memcpy(cmd.conv, sim_id(sim, friend), YR_ID_LEN);
    done = sim_do(sim, node, &cmd);
    assert_int_equal(done.err, YR_OK);
}

static void consent(struct sim *sim, unsigned node, enum yr_cmd_kind kind, unsigned friend,
                    enum yr_tri value)
{
    struct yr_cmd cmd = {.kind = kind, .number = (unsigned)value};
    struct yr_event done;

    memcpy(cmd.conv, sim_id(sim, friend), YR_ID_LEN);
    done = sim_do(sim, node, &cmd);
    assert_int_equal(done.err, YR_OK);
}

static void away(struct sim *sim, unsigned node, const char *text)
{
    act(sim, node, YR_CMD_PRESENCE, node, 0, text);
    sim_run(sim, 3 * YR_S);
}

static void back(struct sim *sim, unsigned node)
{
    act(sim, node, YR_CMD_PRESENCE, node, YR_FLAG_REMOVE, "");
    sim_run(sim, 3 * YR_S);
}

// Told of by the nodes.
static unsigned presences, typings[2];
static unsigned watched;

static void watch(void *ctx, unsigned node, const struct yr_event *event)
{
    (void)ctx;
    if (node != watched)
        return;
    presences += event->kind == YR_EV_PRESENCE;
    if (event->kind == YR_EV_TYPING)
        typings[event->online]++;
}

static struct sim *two(uint64_t seed, unsigned *a, unsigned *b)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct sim *sim = sim_new(&opts);

    *a = sim_add(sim, "alice");
    *b = sim_add(sim, "bob");
    sim_befriend(sim, *a, *b);
    watched = *b;
    presences = typings[0] = typings[1] = 0;
    sim_watch(sim, watch, NULL);
    return sim;
}

static void without_a_word_of_ours_nothing_is_told(void **state)
{
    unsigned a, b;
    struct sim *sim = two(1, &a, &b);
    struct yr_friend_info info;
    struct yr_self self;

    away(sim, a, "on holiday");
    sim_text(sim, a, b, "hello", NULL);
    act(sim, a, YR_CMD_TYPING, b, 0, "");
    sim_run(sim, 30 * YR_S);
    info = look(sim, b, a);
    assert_true(info.online);
    assert_false(info.away || info.writing);
    assert_string_equal(info.away_text, "");
    assert_int_equal(info.active_ms, 0);
    assert_int_equal(presences, 0);
    assert_int_equal(typings[1], 0);
    yr_node_self(sim_node(sim, a), &self);
    assert_true(self.away); // she knows it herself
    assert_string_equal(self.away_text, "on holiday");
    sim_free(sim);
}

static void who_may_know_hears_it_and_that_it_is_over(void **state)
{
    unsigned a, b;
    struct sim *sim = two(2, &a, &b);
    struct yr_friend_info info;
    yr_ms said_ms;

    consent(sim, a, YR_CMD_FRIEND_PRESENCE, b, YR_YES);
    said_ms = sim_now(sim, a).wall_ms;
    away(sim, a, "on holiday");
    info = look(sim, b, a);
    assert_true(info.away && info.online);
    assert_string_equal(info.away_text, "on holiday");
    assert_true(info.away_ms <= said_ms && info.away_ms > said_ms - 1000);
    assert_true(info.active_ms <= said_ms && info.active_ms > said_ms - 60000);
    assert_int_equal(presences, 1);
    back(sim, a);
    info = look(sim, b, a);
    assert_false(info.away);
    assert_string_equal(info.away_text, "");
    assert_int_equal(presences, 2);
    sim_free(sim);
}

static void it_stands_while_the_link_is_down_and_over_restarts(void **state)
{
    unsigned a, b;
    struct sim *sim = two(3, &a, &b);

    consent(sim, a, YR_CMD_FRIEND_PRESENCE, b, YR_YES);
    away(sim, a, "until monday");
    sim_leave(sim, a);
    sim_run(sim, 10 * YR_S);
    sim_crash(sim, b);
    sim_restart(sim, b);
    assert_true(look(sim, b, a).away);
    assert_string_equal(look(sim, b, a).away_text, "until monday");
    assert_false(look(sim, b, a).online);
    sim_restart(sim, a); // she said nothing else since
    assert_true(sim_run_linked(sim, a, b, 5 * MINUTE));
    sim_run(sim, 3 * YR_S);
    assert_true(look(sim, b, a).away);
    back(sim, a);
    assert_false(look(sim, b, a).away);
    sim_free(sim);
}

static void consent_taken_back_is_heard_at_once_or_with_the_next_link(void **state)
{
    unsigned a, b;
    struct sim *sim = two(4, &a, &b);

    yr_node_set_presence(sim_node(sim, a), sim_now(sim, a), YR_PRESENCE_FRIENDS, false);
    away(sim, a, "secret");
    assert_string_equal(look(sim, b, a).away_text, "secret");
    consent(sim, a, YR_CMD_FRIEND_PRESENCE, b, YR_NO);
    sim_run(sim, 3 * YR_S);
    assert_false(look(sim, b, a).away);
    assert_int_equal(look(sim, b, a).active_ms, 0);

    consent(sim, a, YR_CMD_FRIEND_PRESENCE, b, YR_UNKNOWN);
    sim_run(sim, 3 * YR_S);
    assert_string_equal(look(sim, b, a).away_text, "secret");
    sim_leave(sim, b);
    sim_run(sim, 2 * MINUTE);
    yr_node_set_presence(sim_node(sim, a), sim_now(sim, a), YR_PRESENCE_OFF, false);
    sim_drain(sim, a);
    sim_restart(sim, b);
    assert_true(look(sim, b, a).away); // it cannot know yet
    assert_true(sim_run_linked(sim, a, b, 5 * MINUTE));
    sim_run(sim, 3 * YR_S);
    assert_false(look(sim, b, a).away);
    sim_free(sim);
}

static void only_verified_friends_hear_it_if_so_set(void **state)
{
    unsigned a, b;
    struct sim *sim = two(5, &a, &b);

    yr_node_set_presence(sim_node(sim, a), sim_now(sim, a), YR_PRESENCE_VERIFIED, false);
    away(sim, a, "gone");
    assert_false(look(sim, b, a).away);
    act(sim, a, YR_CMD_FRIEND_VERIFY, b, 0, "");
    sim_run(sim, 3 * YR_S);
    assert_true(look(sim, b, a).away);
    act(sim, a, YR_CMD_FRIEND_VERIFY, b, YR_FLAG_REMOVE, "");
    sim_run(sim, 3 * YR_S);
    assert_false(look(sim, b, a).away);
    sim_free(sim);
}

static void changing_ones_mind_often_costs_a_friend_little_and_the_last_word_counts(void **state)
{
    unsigned a, b;
    struct sim *sim = two(6, &a, &b);
    uint64_t commits;

    consent(sim, a, YR_CMD_FRIEND_PRESENCE, b, YR_YES);
    commits = sim_commits(sim, b);
    for (int i = 0; i < 50; i++) {
        act(sim, a, YR_CMD_PRESENCE, a, 0, "away");
        act(sim, a, YR_CMD_PRESENCE, a, YR_FLAG_REMOVE, "");
    }
    act(sim, a, YR_CMD_PRESENCE, a, 0, "at last");
    sim_run(sim, 5 * YR_S);
    assert_string_equal(look(sim, b, a).away_text, "at last");
    assert_in_range(sim_commits(sim, b) - commits, 1, 10);
    sim_free(sim);
}

// A friend's program of its own making: as many frames as it likes.
static void a_friend_who_never_stops_telling_makes_us_write_once_a_second(void **state)
{
    unsigned a, b;
    struct sim *sim = two(7, &a, &b);
    struct yr_node *n = sim_node(sim, a);
    uint8_t body[YR_PRESENCE_BODY_MAX];
    uint64_t commits = sim_commits(sim, b);
    const uint8_t one = 1, none = 0;

    for (unsigned i = 0; i < 400; i++) {
        const size_t len = yr_presence_encode(body, i % 2 == 0, i, 0, "x", 1);
        const unsigned slot = yr_friend_slot(n, yr_friend_find(n, sim_id(sim, b)));
        (void)!yr_links_send(n->links, slot, YR_CHANNEL_CONTROL, YR_FRAME_PRESENCE, body, len);
        (void)!yr_links_send(n->links, slot, YR_CHANNEL_CONTROL, YR_FRAME_TYPING,
                             i % 2 == 0 ? &one : &none, 1);
        sim_drain(sim, a);
        sim_run(sim, 10 * YR_MS);
    }
    sim_run(sim, 5 * YR_S);
    assert_in_range(sim_commits(sim, b) - commits, 2, 20);
    assert_in_range(presences, 2, 8);
    assert_in_range(typings[1], 1, 6);
    assert_false(look(sim, b, a).away); // the last one
    assert_int_equal(look(sim, b, a).active_ms, 399000);
    sim_free(sim);
}

static void a_frame_that_cannot_be_ends_the_link_and_nothing_else(void **state)
{
    unsigned a, b;
    struct sim *sim = two(8, &a, &b);
    struct yr_node *n = sim_node(sim, a);
    const unsigned slot = yr_friend_slot(n, yr_friend_find(n, sim_id(sim, b)));

    assert_int_equal(yr_links_send(n->links, slot, YR_CHANNEL_CONTROL, YR_FRAME_PRESENCE,
                                   (const uint8_t *)"\1short", 6),
                     YR_OK);
    sim_drain(sim, a);
    sim_run(sim, 5 * YR_S);
    assert_false(look(sim, b, a).away);
    assert_true(sim_run_linked(sim, a, b, 5 * MINUTE));
    sim_free(sim);
}

static void writing_is_shown_while_it_lasts(void **state)
{
    unsigned a, b;
    struct sim *sim = two(9, &a, &b);

    yr_node_set_presence(sim_node(sim, a), sim_now(sim, a), YR_PRESENCE_OFF, true);
    for (int i = 0; i < 20; i++) { // keys pressed for 10 seconds
        act(sim, a, YR_CMD_TYPING, b, 0, "");
        sim_run(sim, YR_S / 2);
    }
    assert_true(look(sim, b, a).writing);
    assert_int_equal(typings[1], 1);
    sim_run(sim, 11 * YR_S);
    assert_false(look(sim, b, a).writing); // she went for a coffee
    assert_int_equal(typings[0], 1);
    act(sim, a, YR_CMD_TYPING, b, 0, "");
    sim_run(sim, YR_S);
    assert_true(look(sim, b, a).writing);
    sim_text(sim, a, b, "here it is", NULL);
    sim_run(sim, YR_S);
    assert_false(look(sim, b, a).writing);
    sim_run(sim, 3 * YR_S);
    act(sim, a, YR_CMD_TYPING, b, 0, "");
    sim_run(sim, YR_S);
    assert_true(look(sim, b, a).writing);
    act(sim, a, YR_CMD_TYPING, b, YR_FLAG_REMOVE, "");
    sim_run(sim, YR_S);
    assert_false(look(sim, b, a).writing); // thought better of it
    sim_run(sim, 3 * YR_S);
    act(sim, a, YR_CMD_TYPING, b, 0, "");
    sim_run(sim, YR_S);
    sim_leave(sim, a);
    sim_run(sim, 2 * YR_S);
    assert_false(look(sim, b, a).writing);
    assert_int_equal(typings[0], typings[1]);
    sim_free(sim);
}

static void read_receipts_are_told_to_those_who_may_know(void **state)
{
    unsigned a, b;
    struct sim *sim = two(10, &a, &b);
    uint8_t id[YR_MSG_ID_LEN];

    consent(sim, b, YR_CMD_FRIEND_RECEIPTS, a, YR_NO); // the simulator's nodes tell them
    sim_text(sim, a, b, "hello", id);
    sim_run(sim, 3 * YR_S);
    act(sim, b, YR_CMD_READ, a, 0, "");
    sim_run(sim, 3 * YR_S);
    assert_int_equal(yr_node_message(sim_node(sim, a), id, &message), YR_OK);
    assert_int_equal(message.state, YR_STATE_DELIVERED);
    yr_node_set_read_receipts(sim_node(sim, b), false);
    consent(sim, b, YR_CMD_FRIEND_RECEIPTS, a, YR_YES);
    assert_true(look(sim, b, a).tells_receipts);
    sim_text(sim, a, b, "and this?", id);
    sim_run(sim, 3 * YR_S);
    act(sim, b, YR_CMD_READ, a, 0, "");
    sim_run(sim, 3 * YR_S);
    assert_int_equal(yr_node_message(sim_node(sim, a), id, &message), YR_OK);
    assert_int_equal(message.state, YR_STATE_READ);
    sim_free(sim);
}

static void a_clock_before_all_time_tells_nothing_odd(void **state)
{
    unsigned a, b;
    struct sim *sim = two(18, &a, &b);

    consent(sim, a, YR_CMD_FRIEND_PRESENCE, b, YR_YES);
    sim_skew(sim, a, -INT64_C(100) * 365 * 86400 * 1000);
    away(sim, a, "somewhen");
    assert_true(look(sim, b, a).away && look(sim, b, a).online);
    assert_int_equal(look(sim, b, a).away_ms, 0);
    sim_skew(sim, a, INT64_C(9000) * 365 * 86400 * 1000);
    away(sim, a, "far off");
    assert_string_equal(look(sim, b, a).away_text, "far off");
    assert_true(look(sim, b, a).away_ms <= sim_now(sim, b).wall_ms); // nobody was there tomorrow
    assert_true(look(sim, b, a).online);
    sim_free(sim);
}

static void consents_and_what_was_told_survive_a_restart(void **state)
{
    unsigned a, b;
    struct sim *sim = two(11, &a, &b);
    struct yr_friend_info info;
    struct yr_self self;

    consent(sim, a, YR_CMD_FRIEND_MAIL, b, YR_YES);
    consent(sim, a, YR_CMD_FRIEND_PRESENCE, b, YR_YES);
    consent(sim, a, YR_CMD_FRIEND_TYPING, b, YR_NO);
    away(sim, a, "लंच"); // not only ASCII
    sim_crash(sim, a);
    sim_restart(sim, a);
    info = look(sim, a, b);
    assert_int_equal(info.mail, YR_YES);
    assert_int_equal(info.presence, YR_YES);
    assert_int_equal(info.typing, YR_NO);
    assert_int_equal(info.receipts, YR_UNKNOWN);
    yr_node_self(sim_node(sim, a), &self);
    assert_true(self.away);
    assert_string_equal(self.away_text, "लंच");
    sim_free(sim);
}

/* ---- texts with a time ---- */

static void say_until(struct sim *sim, unsigned from, unsigned to, const char *text, yr_ms for_ms,
                      uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND,
                         .body = text,
                         .body_len = strlen(text),
                         .expires_ms = sim_now(sim, from).wall_ms + for_ms};
    struct yr_event done;

    memcpy(cmd.conv, sim_id(sim, to), YR_ID_LEN);
    done = sim_do(sim, from, &cmd);
    assert_int_equal(done.err, YR_OK);
    memcpy(id, done.msg, YR_MSG_ID_LEN);
}

static enum yr_state state_of(struct sim *sim, unsigned node, const uint8_t id[YR_MSG_ID_LEN])
{
    assert_int_equal(yr_node_message(sim_node(sim, node), id, &message), YR_OK);
    return message.state;
}

static void a_text_that_waits_too_long_fails_and_does_not_come(void **state)
{
    unsigned a, b;
    struct sim *sim = two(12, &a, &b);
    uint8_t soon[YR_MSG_ID_LEN], late[YR_MSG_ID_LEN];

    say_until(sim, a, b, "in time", 60000, soon);
    sim_run(sim, 5 * YR_S);
    assert_int_equal(state_of(sim, a, soon), YR_STATE_DELIVERED);
    sim_leave(sim, b);
    sim_run(sim, 2 * MINUTE);
    sim_text(sim, a, b, "before", NULL);
    say_until(sim, a, b, "too late", 60000, late);
    sim_text(sim, a, b, "after", NULL);
    sim_crash(sim, a); // it is remembered on disk
    sim_restart(sim, a);
    sim_run(sim, 3 * MINUTE);
    assert_int_equal(state_of(sim, a, late), YR_STATE_FAILED);
    assert_int_equal(state_of(sim, a, soon), YR_STATE_DELIVERED);
    sim_restart(sim, b);
    assert_true(sim_run_linked(sim, a, b, 5 * MINUTE));
    sim_run(sim, 10 * YR_S);
    (void)state_of(sim, b, late);
    assert_true(message.deleted);
    assert_string_equal(message.text, "");
    assert_int_equal(sim_history_count(sim, b, a), sim_history_count(sim, a, b));
    assert_int_equal(look(sim, a, b).queued, 0);
    sim_free(sim);
}

static void a_crash_at_any_commit_gives_up_once_or_not_yet(void **state)
{
    for (uint64_t k = 1; k < 12; k++)
        for (int after = 0; after < 2; after++) {
            unsigned a, b;
            struct sim *sim = two(13, &a, &b);
            uint8_t id[YR_MSG_ID_LEN];

            sim_leave(sim, b);
            sim_run(sim, 2 * MINUTE);
            say_until(sim, a, b, "too late", 30000, id);
            sim_crash_at(sim, a, sim_commits(sim, a) + k, after != 0);
            sim_run(sim, 2 * MINUTE);
            if (!sim_alive(sim, a))
                sim_restart(sim, a);
            sim_run(sim, 2 * MINUTE);
            if (!sim_alive(sim, a))
                sim_restart(sim, a);
            sim_run(sim, MINUTE);
            assert_int_equal(state_of(sim, a, id), YR_STATE_FAILED);
            sim_restart(sim, b);
            assert_true(sim_run_linked(sim, a, b, 10 * MINUTE));
            sim_run(sim, 10 * YR_S);
            (void)state_of(sim, b, id);
            assert_true(message.deleted);
            sim_free(sim);
        }
}

// Alice and bob never meet again: carol, a friend of both, keeps what they write.
static struct sim *three(uint64_t seed, unsigned *a, unsigned *b, unsigned *c)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct sim *sim = sim_new(&opts);

    *a = sim_add(sim, "alice");
    *b = sim_add(sim, "bob");
    *c = sim_add(sim, "carol");
    sim_befriend(sim, *a, *b);
    sim_befriend(sim, *a, *c);
    sim_befriend(sim, *b, *c);
    sim_run(sim, 20 * YR_S); // lists of relays are told, tags registered
    yr_node_set_relay(sim_node(sim, *c), sim_now(sim, *c), false);
    sim_cut(sim, *a, *b, true);
    sim_leave(sim, *b);
    sim_run(sim, 2 * MINUTE);
    return sim;
}

static void
a_text_that_friends_held_too_long_is_not_shown_and_not_said_to_be_delivered(void **state)
{
    unsigned a, b, c;
    struct sim *sim = three(14, &a, &b, &c);
    uint8_t late[YR_MSG_ID_LEN], other[YR_MSG_ID_LEN];

    say_until(sim, a, b, "too late", 60000, late);
    sim_text(sim, a, b, "whenever", other);
    sim_run(sim, 30 * YR_S);
    assert_int_equal(state_of(sim, a, late), YR_STATE_HELD);
    assert_int_equal(message.held_by, 1);
    sim_run(sim, 2 * MINUTE);
    assert_int_equal(state_of(sim, a, late), YR_STATE_HELD); // it may still be taken and shown
    sim_run(sim, 10 * MINUTE);
    assert_int_equal(state_of(sim, a, late), YR_STATE_FAILED);
    sim_restart(sim, b);
    assert_true(sim_run_linked(sim, b, c, 5 * MINUTE));
    sim_run(sim, 5 * MINUTE);
    assert_int_equal(state_of(sim, a, other), YR_STATE_DELIVERED);
    assert_int_equal(state_of(sim, a, late), YR_STATE_FAILED);
    (void)state_of(sim, b, late);
    assert_true(message.deleted);
    assert_string_equal(message.text, "");
    assert_int_equal(look(sim, a, b).queued, 0); // that its letter came is known all the same
    sim_free(sim);
}

static void a_text_that_was_taken_in_time_is_delivered_though_word_of_it_is_late(void **state)
{
    unsigned a, b, c;
    struct sim *sim = three(15, &a, &b, &c);
    uint8_t id[YR_MSG_ID_LEN];

    say_until(sim, a, b, "in time", 120000, id);
    sim_run(sim, 30 * YR_S);
    assert_int_equal(state_of(sim, a, id), YR_STATE_HELD);
    sim_cut(sim, a, c, true);
    sim_restart(sim, b);
    sim_run(sim, MINUTE);
    (void)state_of(sim, b, id);
    assert_string_equal(message.text, "in time");
    sim_run(sim, 15 * MINUTE);
    assert_int_equal(state_of(sim, a, id), YR_STATE_FAILED); // as far as she can know
    sim_cut(sim, a, c, false);
    assert_true(sim_run_linked(sim, a, c, 10 * MINUTE));
    sim_run(sim, 3 * MINUTE);
    assert_int_equal(state_of(sim, a, id), YR_STATE_DELIVERED);
    sim_free(sim);
}

static void a_text_that_is_held_is_deleted_by_word_that_follows_it(void **state)
{
    unsigned a, b, c;
    struct sim *sim = three(16, &a, &b, &c);
    uint8_t id[YR_MSG_ID_LEN];
    struct yr_cmd cmd = {.kind = YR_CMD_DELETE};
    struct yr_event done;

    sim_text(sim, a, b, "oops", id);
    sim_run(sim, 30 * YR_S);
    assert_int_equal(state_of(sim, a, id), YR_STATE_HELD);
    memcpy(cmd.msg, id, sizeof id);
    done = sim_do(sim, a, &cmd);
    assert_int_equal(done.err, YR_OK);
    sim_run(sim, 30 * YR_S);
    sim_restart(sim, b);
    assert_true(sim_run_linked(sim, b, c, 5 * MINUTE));
    sim_run(sim, 3 * MINUTE);
    (void)state_of(sim, b, id);
    assert_true(message.deleted);
    sim_free(sim);
}

static void why_names_who_holds_a_text_and_what_became_of_it(void **state)
{
    unsigned a, b, c;
    struct sim *sim = three(17, &a, &b, &c);
    struct yr_why steps[32];
    struct yr_queue_walk walk = {0};
    struct yr_queue_info queue;
    uint8_t id[YR_MSG_ID_LEN];
    size_t count, at;
    yr_ms next_ms;

    sim_text(sim, a, b, "hello", id);
    sim_run(sim, 30 * YR_S);
    assert_int_equal(yr_node_why(sim_node(sim, a), sim_now(sim, a), sim_id(sim, b), id, steps, 32,
                                 &count, &next_ms),
                     YR_OK);
    for (at = 0; at < count && strcmp(steps[at].code, "held") != 0; at++)
        continue;
    assert_true(at < count);
    assert_memory_equal(steps[at].who, sim_id(sim, c), YR_ID_LEN);
    assert_true(steps[at].until_ms > sim_now(sim, a).wall_ms);
    assert_true(steps[at].time_ms <= sim_now(sim, a).wall_ms);
    assert_true(yr_node_queue_next(sim_node(sim, a), &walk, &queue));
    assert_memory_equal(queue.id, sim_id(sim, b), YR_ID_LEN);
    assert_int_equal(queue.texts, 1);
    assert_int_equal(queue.held, 1);
    assert_int_equal(queue.held_at, 1);
    assert_true(queue.oldest_ms > 0);
    assert_false(yr_node_queue_next(sim_node(sim, a), &walk, &queue));
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_word_of_ours_nothing_is_told),
        cmocka_unit_test(who_may_know_hears_it_and_that_it_is_over),
        cmocka_unit_test(it_stands_while_the_link_is_down_and_over_restarts),
        cmocka_unit_test(consent_taken_back_is_heard_at_once_or_with_the_next_link),
        cmocka_unit_test(only_verified_friends_hear_it_if_so_set),
        cmocka_unit_test(changing_ones_mind_often_costs_a_friend_little_and_the_last_word_counts),
        cmocka_unit_test(a_friend_who_never_stops_telling_makes_us_write_once_a_second),
        cmocka_unit_test(a_frame_that_cannot_be_ends_the_link_and_nothing_else),
        cmocka_unit_test(writing_is_shown_while_it_lasts),
        cmocka_unit_test(read_receipts_are_told_to_those_who_may_know),
        cmocka_unit_test(a_clock_before_all_time_tells_nothing_odd),
        cmocka_unit_test(consents_and_what_was_told_survive_a_restart),
        cmocka_unit_test(a_text_that_waits_too_long_fails_and_does_not_come),
        cmocka_unit_test(a_crash_at_any_commit_gives_up_once_or_not_yet),
        cmocka_unit_test(
            a_text_that_friends_held_too_long_is_not_shown_and_not_said_to_be_delivered),
        cmocka_unit_test(a_text_that_was_taken_in_time_is_delivered_though_word_of_it_is_late),
        cmocka_unit_test(a_text_that_is_held_is_deleted_by_word_that_follows_it),
        cmocka_unit_test(why_names_who_holds_a_text_and_what_became_of_it)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
