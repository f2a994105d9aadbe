/* Two friends who cannot reach each other, and friends of both who carry for them. */
#include "tests/support/test.h"

#include <malloc.h>
#include <stdio.h>

#include "core/node/state.h"
#include "core/path/relay_state.h"
#include "tests/support/sim/people.h"
#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)

static struct yr_friend_info friend_of(struct sim *sim, unsigned a, unsigned b)
{
    struct yr_friend_info info;

    assert_int_equal(yr_node_friend(sim_node(sim, a), sim_id(sim, b), &info), YR_OK);
    return info;
}

static bool relayed_by(struct sim *sim, unsigned a, unsigned b, unsigned via)
{
    const struct yr_friend_info info = friend_of(sim, a, b);

    return info.online && info.relayed && memcmp(info.via, sim_id(sim, via), YR_ID_LEN) == 0;
}

static bool direct(struct sim *sim, unsigned a, unsigned b)
{
    const struct yr_friend_info info = friend_of(sim, a, b);

    return info.online && !info.relayed;
}

static unsigned slot_of(struct sim *sim, unsigned a, unsigned b)
{
    struct yr_node *n = sim_node(sim, a);

    return yr_friend_slot(n, yr_friend_find(n, sim_id(sim, b)));
}

static uint64_t counter(struct sim *sim, unsigned node, const char *name)
{
    struct yr_counter c;

    for (size_t i = 0; (c = yr_node_counter(sim_node(sim, node), i)).name != NULL; i++)
        if (strcmp(c.name, name) == 0)
            return c.value;
    fail_msg("no counter %s", name);
    return 0;
}

enum { ALICE, BOB, CAROL, DAVE, PEOPLE };

// Alice and bob are friends of each other and of `carriers` others; all are linked.
static struct sim *friends_of_both(uint64_t seed, unsigned carriers)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct sim *sim;

    opts.lan = false;
    sim = sim_new(&opts);
    (void)sim_add(sim, "alice");
    (void)sim_add(sim, "bob");
    for (unsigned i = 0; i < carriers; i++) {
        (void)sim_add(sim, i == 0 ? "carol" : "dave");
        sim_befriend(sim, CAROL + i, ALICE);
        sim_befriend(sim, CAROL + i, BOB);
    }
    sim_befriend(sim, ALICE, BOB);
    sim_run(sim, 10 * YR_S);
    return sim;
}

struct ends {
    unsigned a, b;
};

static bool both_relayed(struct sim *sim, void *ctx)
{
    const struct ends *e = ctx;
    const struct yr_friend_info a = friend_of(sim, e->a, e->b), b = friend_of(sim, e->b, e->a);

    return a.online && a.relayed && b.online && b.relayed;
}

static bool both_direct(struct sim *sim, void *ctx)
{
    const struct ends *e = ctx;

    return direct(sim, e->a, e->b) && direct(sim, e->b, e->a);
}

static void say(struct sim *sim, unsigned from, unsigned to, unsigned i)
{
    char text[64];

    snprintf(text, sizeof text, "text %u of %u", i, from);
    sim_text(sim, from, to, text, NULL);
}

static void assert_all_arrived(struct sim *sim, unsigned a, unsigned b, size_t count)
{
    char *of_a = sim_history(sim, a, b, false), *of_b = sim_history(sim, b, a, false);

    assert_int_equal(sim_history_count(sim, a, b), count);
    assert_int_equal(sim_history_count(sim, b, a), count);
    assert_string_equal(of_a, of_b);
    free(of_a);
    free(of_b);
}

// Both start anew, with nothing between them but the friend of both.
static void start_parted(struct sim *sim)
{
    sim_crash(sim, ALICE);
    sim_crash(sim, BOB);
    sim_cut(sim, ALICE, BOB, true);
    sim_restart(sim, ALICE);
    sim_restart(sim, BOB);
}

static bool linked_with_carol(struct sim *sim, void *ctx)
{
    (void)ctx;
    return friend_of(sim, ALICE, CAROL).online && friend_of(sim, BOB, CAROL).online;
}

static void two_who_cannot_reach_each_other_are_linked_within_a_second(void **state)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct sim *sim = friends_of_both(seed, 1);
        struct ends ends = {ALICE, BOB};
        struct yr_net_info net;
        struct yr_traffic traffic;
        yr_us at;

        start_parted(sim);
        assert_true(sim_run_until(sim, 20 * YR_S, linked_with_carol, NULL));
        at = sim_time(sim);
        assert_true(sim_run_until(sim, 5 * YR_S, both_relayed, &ends));
        if (seed == 1)
            print_message("linked through carol %.0f ms after both were linked with her\n",
                          (double)(sim_time(sim) - at) / 1000);
        assert_true(sim_time(sim) - at <= YR_S);
        assert_true(relayed_by(sim, ALICE, BOB, CAROL));
        assert_true(relayed_by(sim, BOB, ALICE, CAROL));
        for (unsigned i = 0; i < 20; i++) {
            say(sim, i % 2 == 0 ? ALICE : BOB, i % 2 == 0 ? BOB : ALICE, i);
            sim_run(sim, 300 * YR_MS);
        }
        sim_run(sim, 5 * YR_S);
        assert_all_arrived(sim, ALICE, BOB, 20);
        yr_node_net(sim_node(sim, CAROL), &net);
        assert_in_range(net.circuits, 1, 2);
        assert_true(net.relays);
        yr_node_traffic(sim_node(sim, CAROL), YR_FOR_RELAYED, &traffic);
        assert_true(traffic.in > 5000 && traffic.out == traffic.in);
        assert_true(friend_of(sim, ALICE, CAROL).relayed_for_me > 5000);
        assert_true(friend_of(sim, CAROL, ALICE).relayed_by_me > 5000);
        assert_true(friend_of(sim, CAROL, BOB).relayed_by_me > 5000);
        sim_free(sim);
    }
}

static void what_was_tried_is_told(void **state)
{
    struct sim *sim = friends_of_both(11, 1);
    struct ends ends = {ALICE, BOB};
    struct yr_try what;
    bool worked = false;

    start_parted(sim);
    assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
    for (size_t i = 0; yr_node_try_at(sim_node(sim, ALICE), sim_id(sim, BOB), i, &what); i++)
        worked = worked || (what.way == YR_WAY_RELAY && what.outcome == YR_OUT_WORKED &&
                            memcmp(what.via, sim_id(sim, CAROL), YR_ID_LEN) == 0);
    assert_true(worked);
    sim_free(sim);
}

static const char canary[] = "canary-that-nobody-between-us-may-know";

// Every block that a node holds or gives back is looked through for the canary.
static struct {
    void *blocks[20000];
    size_t count;
    bool found;
    void *(*realloc)(void *ctx, void *ptr, size_t size);
} spy;

static void look(const void *ptr)
{
    if (ptr != NULL &&
        memmem(ptr, malloc_usable_size((void *)(uintptr_t)ptr), canary, sizeof canary - 1) != NULL)
        spy.found = true;
}

static void *spying_realloc(void *ctx, void *ptr, size_t size)
{
    void *next;
    size_t at = 0;

    if (size == 0)
        look(ptr);
    next = spy.realloc(ctx, ptr, size);
    for (size_t i = 0; ptr != NULL && (size == 0 || next != NULL) && i < spy.count; i++)
        if (spy.blocks[i] == ptr)
            spy.blocks[i] = NULL;
    if (next == NULL)
        return NULL;
    while (at < spy.count && spy.blocks[at] != NULL)
        at++;
    assert_true(at < YR_COUNT(spy.blocks));
    spy.blocks[at] = next;
    spy.count = YR_MAX(spy.count, at + 1);
    return next;
}

static bool store_holds(struct sim *sim, unsigned node)
{
    const struct yr_store_view *view = yr_memstore_view(sim_store(sim, node));

    for (unsigned db = 0; db < YR_DB_COUNT; db++) {
        uint8_t key[YR_KEY_MAX + 1] = {0};
        size_t key_len = 1;
        struct yr_kv row;

        while (view->seek(view->ctx, db, YR_SEEK_GT, key, key_len, &row) == YR_OK) {
            if (memmem(row.value, row.value_len, canary, sizeof canary - 1) != NULL)
                return true;
            assert_true(row.key_len <= sizeof key);
            memcpy(key, row.key, row.key_len);
            key_len = row.key_len;
        }
    }
    return false;
}

static void who_carries_keeps_no_word_of_it(void **state)
{
    for (unsigned who = BOB; who <= CAROL; who++) {
        struct sim *sim = friends_of_both(12, 1);
        struct ends ends = {ALICE, BOB};
        struct yr_mem *mem = sim_node(sim, who)->mem;

        memset(&spy, 0, sizeof spy);
        spy.realloc = mem->realloc;
        mem->realloc = spying_realloc;
        if (who == CAROL) {
            sim_crash(sim, CAROL);
            sim_restart(sim, CAROL);
        }
        start_parted(sim);
        assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
        sim_text(sim, ALICE, BOB, canary, NULL);
        sim_text(sim, BOB, ALICE, canary, NULL);
        sim_run(sim, 5 * YR_S);
        assert_all_arrived(sim, ALICE, BOB, 2);
        for (size_t i = 0; i < spy.count; i++)
            look(spy.blocks[i]);
        assert_int_equal(spy.found, who == BOB); // where it is, it is found
        assert_false(store_holds(sim, who));
        mem->realloc = spy.realloc;
        sim_free(sim);
    }
}

static void when_one_leaves_another_takes_over_and_nothing_is_lost(void **state)
{
    for (uint64_t seed = 20; seed < 24; seed++) {
        struct sim *sim = friends_of_both(seed, 2);
        struct ends ends = {ALICE, BOB};
        unsigned first, other;

        start_parted(sim);
        assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
        first = relayed_by(sim, ALICE, BOB, CAROL) ? CAROL : DAVE;
        other = first == CAROL ? DAVE : CAROL;
        for (unsigned i = 0; i < 60; i++) {
            if (i == 20)
                sim_crash(sim, first); // without a word
            say(sim, ALICE, BOB, i);
            say(sim, BOB, ALICE, i);
            sim_run(sim, YR_S);
        }
        sim_run(sim, 10 * YR_S);
        assert_all_arrived(sim, ALICE, BOB, 120);
        assert_true(relayed_by(sim, ALICE, BOB, other));
        assert_true(relayed_by(sim, BOB, ALICE, other));
        sim_free(sim);
    }
}

static void a_link_that_dies_goes_on_through_a_friend(void **state)
{
    struct sim *sim = friends_of_both(30, 1);
    struct ends ends = {ALICE, BOB};
    yr_us at;

    assert_true(direct(sim, ALICE, BOB));
    for (unsigned i = 0; i < 40; i++) {
        if (i == 10) {
            sim_cut(sim, ALICE, BOB, true);
            at = sim_time(sim);
            say(sim, ALICE, BOB, i);
            assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
            print_message("moved to a circuit %.0f ms after the way was cut\n",
                          (double)(sim_time(sim) - at) / 1000);
            assert_true(sim_time(sim) - at <= 5 * YR_S);
        } else {
            say(sim, i % 2 == 0 ? ALICE : BOB, i % 2 == 0 ? BOB : ALICE, i);
        }
        sim_run(sim, YR_S);
    }
    sim_run(sim, 5 * YR_S);
    assert_all_arrived(sim, ALICE, BOB, 40);
    sim_free(sim);
}

static void when_the_way_is_free_again_the_link_is_direct_and_no_text_is_lost(void **state)
{
    struct sim *sim = friends_of_both(31, 1);
    struct ends ends = {ALICE, BOB};
    yr_us at = 0, free_us = 0;

    start_parted(sim);
    assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
    for (unsigned i = 0; i < 100; i++) {
        if (i == 20) {
            sim_cut(sim, ALICE, BOB, false);
            at = sim_time(sim);
        }
        if (free_us == 0 && i > 20 && both_direct(sim, &ends))
            free_us = sim_time(sim) - at;
        say(sim, i % 2 == 0 ? ALICE : BOB, i % 2 == 0 ? BOB : ALICE, i);
        sim_run(sim, YR_S);
    }
    assert_true(sim_run_until(sim, 30 * MINUTE, both_direct, &ends));
    if (free_us == 0)
        free_us = sim_time(sim) - at;
    print_message("direct %.0f s after the way was free\n", (double)free_us / 1e6);
    sim_run(sim, 5 * YR_S);
    assert_all_arrived(sim, ALICE, BOB, 100);
    sim_run(sim, 5 * MINUTE); // what is not used is given back
    assert_int_equal(yr_relay_carrying(sim_node(sim, CAROL)->relay), 0);
    assert_true(both_direct(sim, &ends));
    sim_free(sim);
}

static void who_says_no_is_not_used_and_the_refusal_is_told(void **state)
{
    struct sim *sim = friends_of_both(40, 1);
    struct yr_cmd no = {.kind = YR_CMD_FRIEND_RELAY, .number = YR_NO};
    struct ends ends = {ALICE, BOB};
    struct yr_try what;
    bool refused = false;

    start_parted(sim);
    assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
    memcpy(no.conv, sim_id(sim, ALICE), YR_ID_LEN);
    (void)sim_do(sim, CAROL, &no);
    assert_int_equal(friend_of(sim, CAROL, ALICE).relay, YR_NO);
    sim_run(sim, 2 * YR_S);
    assert_int_equal(yr_relay_carrying(sim_node(sim, CAROL)->relay), 0);
    say(sim, ALICE, BOB, 0); // the link finds out that it is dead
    sim_run(sim, 2 * MINUTE);
    assert_false(friend_of(sim, ALICE, BOB).online);
    for (size_t i = 0; yr_node_try_at(sim_node(sim, ALICE), sim_id(sim, BOB), i, &what); i++)
        refused = refused || (what.way == YR_WAY_RELAY && what.outcome == YR_OUT_REFUSED);
    assert_true(refused);
    sim_crash(sim, CAROL); // and she keeps to it
    sim_restart(sim, CAROL);
    sim_run(sim, MINUTE);
    assert_int_equal(friend_of(sim, CAROL, ALICE).relay, YR_NO);
    assert_false(friend_of(sim, ALICE, BOB).online);
    no.number = YR_UNKNOWN;
    (void)sim_do(sim, CAROL, &no);
    assert_true(sim_run_until(sim, 30 * MINUTE, both_relayed, &ends));
    sim_run(sim, 5 * YR_S);
    assert_all_arrived(sim, ALICE, BOB, 1);
    sim_free(sim);
}

static void a_node_that_relays_for_nobody_refuses_all_but_those_it_names(void **state)
{
    struct sim *sim = friends_of_both(41, 1);
    struct yr_cmd yes = {.kind = YR_CMD_FRIEND_RELAY, .number = YR_YES};
    struct ends ends = {ALICE, BOB};
    struct yr_net_info net;

    yr_node_set_relay(sim_node(sim, CAROL), sim_now(sim, CAROL), false);
    yr_node_net(sim_node(sim, CAROL), &net);
    assert_false(net.relays);
    start_parted(sim);
    sim_run(sim, MINUTE);
    assert_false(friend_of(sim, ALICE, BOB).online);
    assert_true(counter(sim, CAROL, "relay.refused") > 0);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(yes.conv, sim_id(sim, i == 0 ? ALICE : BOB), YR_ID_LEN);
        (void)sim_do(sim, CAROL, &yes);
    }
    assert_true(sim_run_until(sim, 30 * MINUTE, both_relayed, &ends));
    sim_free(sim);
}

static void a_spent_budget_ends_the_circuits(void **state)
{
    struct sim *sim = friends_of_both(42, 1);
    struct ends ends = {ALICE, BOB};
    struct yr_relay *relay;

    start_parted(sim);
    assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
    relay = sim_node(sim, CAROL)->relay;
    yr_relay_spend(relay, slot_of(sim, CAROL, ALICE), YR_RELAY_DAY_EACH);
    say(sim, ALICE, BOB, 0);
    sim_run(sim, 2 * MINUTE);
    assert_int_equal(yr_relay_carrying(relay), 0);
    assert_true(counter(sim, CAROL, "relay.drop.day") > 0);
    assert_false(friend_of(sim, ALICE, BOB).online);
    sim_run(sim, 25 * 60 * MINUTE); // another day
    assert_true(friend_of(sim, ALICE, BOB).relayed);
    assert_all_arrived(sim, ALICE, BOB, 1);
    sim_free(sim);
}

static void a_blocked_friend_gets_no_circuit(void **state)
{
    struct sim *sim = friends_of_both(43, 1);
    struct yr_cmd block = {.kind = YR_CMD_FRIEND_BLOCK};

    memcpy(block.conv, sim_id(sim, ALICE), YR_ID_LEN);
    (void)sim_do(sim, BOB, &block);
    start_parted(sim);
    sim_run(sim, MINUTE);
    assert_false(friend_of(sim, ALICE, BOB).online);
    assert_false(friend_of(sim, BOB, ALICE).online);
    assert_int_equal(yr_relay_carrying(sim_node(sim, CAROL)->relay), 0);
    sim_free(sim);
}

// A chain: alice - carol - dave - bob.  Nobody carries what is carried already.
static void nobody_is_reached_over_two_friends(void **state)
{
    struct sim_opts opts = sim_opts_default(44);
    struct sim *sim;

    opts.lan = false;
    sim = sim_new(&opts);
    for (unsigned i = 0; i < 4; i++)
        (void)sim_add(sim, "somebody");
    sim_befriend(sim, ALICE, BOB);
    sim_befriend(sim, ALICE, CAROL);
    sim_befriend(sim, CAROL, DAVE);
    sim_befriend(sim, BOB, DAVE);
    sim_befriend(sim, CAROL, BOB); // who is reached through dave only
    sim_run(sim, 5 * YR_S);
    sim_crash(sim, ALICE);
    sim_crash(sim, BOB);
    sim_cut(sim, ALICE, BOB, true);
    sim_cut(sim, CAROL, BOB, true);
    sim_restart(sim, ALICE);
    sim_restart(sim, BOB);
    sim_run(sim, 3 * MINUTE);
    assert_true(friend_of(sim, BOB, CAROL).relayed); // one hop
    assert_false(friend_of(sim, ALICE, BOB).online); // not two
    sim_free(sim);
}

static void a_long_text_goes_through_too(void **state)
{
    static char text[YR_TEXT_MAX + 1];
    struct sim *sim = friends_of_both(45, 1);
    struct ends ends = {ALICE, BOB};

    memset(text, 'x', YR_TEXT_MAX);
    start_parted(sim);
    assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
    for (unsigned i = 0; i < 10; i++)
        sim_text(sim, i % 2, 1 - i % 2, text, NULL);
    sim_run(sim, 30 * YR_S);
    assert_all_arrived(sim, ALICE, BOB, 10);
    sim_free(sim);
}

static void a_lossy_network_is_no_reason(void **state)
{
    struct sim *sim = friends_of_both(46, 1);
    struct sim_link bad = {.delay_us = 40 * YR_MS,
                           .jitter_us = 20 * YR_MS,
                           .loss = 50,
                           .duplicate = 20,
                           .reorder = 50};
    struct ends ends = {ALICE, BOB};

    sim_set_link(sim, &bad);
    start_parted(sim);
    assert_true(sim_run_until(sim, MINUTE, both_relayed, &ends));
    for (unsigned i = 0; i < 60; i++) {
        say(sim, i % 2, 1 - i % 2, i);
        sim_run(sim, 500 * YR_MS);
    }
    sim_run(sim, 30 * YR_S);
    assert_all_arrived(sim, ALICE, BOB, 60);
    sim_free(sim);
}

static void two_behind_symmetric_boxes_are_linked_within_a_second(void **state)
{
    for (uint64_t seed = 50; seed < 54; seed++) {
        struct sim *sim = friends_of_both(seed, 1);
        struct ends ends = {ALICE, BOB};
        yr_us at;

        sim_crash(sim, ALICE);
        sim_crash(sim, BOB);
        for (unsigned i = ALICE; i <= BOB; i++)
            (void)people_settle(sim, i, NAT_SYMMETRIC, sim_draw(sim, i));
        sim_restart(sim, ALICE);
        sim_restart(sim, BOB);
        assert_true(sim_run_until(sim, 20 * YR_S, linked_with_carol, NULL));
        at = sim_time(sim);
        assert_true(sim_run_until(sim, 5 * YR_S, both_relayed, &ends));
        print_message("behind symmetric boxes: %.0f ms\n", (double)(sim_time(sim) - at) / 1000);
        assert_true(sim_time(sim) - at <= YR_S);
        for (unsigned i = 0; i < 60; i++) {
            say(sim, i % 2, 1 - i % 2, i);
            sim_run(sim, YR_S);
        }
        assert_true(relayed_by(sim, ALICE, BOB, CAROL));
        sim_run(sim, 5 * YR_S);
        assert_all_arrived(sim, ALICE, BOB, 60);
        sim_free(sim);
    }
}

// Nobody has told anybody of anybody: alice and bob met while carol was away.
static void friends_who_have_told_no_list_are_found_all_the_same(void **state)
{
    struct sim *sim = friends_of_both(55, 1);
    struct ends ends = {ALICE, BOB};

    for (unsigned i = ALICE; i <= BOB; i++) {
        struct yr_node *n = sim_node(sim, i);
        const unsigned slot = slot_of(sim, i, 1 - i);
        struct relay_friend *f = n->relay->friends[slot];

        f->told = false;
        f->common_at = 0;
    }
    sim_cut(sim, ALICE, BOB, true);
    say(sim, ALICE, BOB, 0);
    say(sim, BOB, ALICE, 1);
    assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
    sim_run(sim, 5 * YR_S);
    assert_all_arrived(sim, ALICE, BOB, 2);
    sim_free(sim);
}

// Alice's own program is changed: she asks, opens, sends and closes as fast as she can.
static void a_friend_who_floods_costs_little(void **state)
{
    struct sim *sim = friends_of_both(56, 1);
    struct ends ends = {ALICE, BOB};
    uint8_t bytes[YR_RELAY_HEAD + YR_LINK_VIA_MAX] = {0};
    struct yr_node *alice;
    unsigned slot;
    size_t before, most = 0;

    start_parted(sim);
    assert_true(sim_run_until(sim, 20 * YR_S, both_relayed, &ends));
    sim_run(sim, 5 * YR_S);
    before = sim_mem_used(sim, CAROL) + sim_mem_used(sim, BOB);
    alice = sim_node(sim, ALICE);
    slot = slot_of(sim, ALICE, CAROL);
    for (unsigned i = 0; i < 3000; i++) {
        struct yr_relay_msg msg = {.type = YR_FRAME_RELAY_OPEN, .route = (uint16_t)(i * 7)};
        uint8_t body[YR_RELAY_MSG_MAX];
        size_t len;

        yr_kdf(msg.hash, sizeof msg.hash, sim_id(sim, i % 3 == 0 ? CAROL : BOB), YR_LABEL_RELAY_TO,
               msg.nonce, sizeof msg.nonce);
        if (i % 5 == 0)
            msg.type = (uint8_t)(YR_FRAME_RELAY_CALL + i / 5 % 3);
        len = yr_relay_msg_encode(&msg, body);
        (void)!yr_links_send(alice->links, slot, YR_CHANNEL_CONTROL, msg.type, body, len);
        yr_relay_head(bytes, i % 3, (uint16_t)(i * 7), (uint8_t)i);
        for (unsigned k = 0; k < 10; k++)
            (void)!yr_links_datagram(alice->links, slot, bytes, sizeof bytes);
        sim_drain(sim, ALICE);
        sim_run(sim, 10 * YR_MS);
        most = YR_MAX(most, sim_mem_used(sim, CAROL) + sim_mem_used(sim, BOB));
    }
    print_message("a flood of 30 s: %zu KiB more at most\n", (most - YR_MIN(most, before)) / 1024);
    assert_true(most < before + (1 << 20));
    assert_true(counter(sim, BOB, "relay.called") < 100);
    assert_true(yr_relay_carrying(sim_node(sim, CAROL)->relay) <= YR_RELAY_CIRCUITS_EACH);
    sim_run(sim, 5 * MINUTE);
    say(sim, ALICE, BOB, 0);
    say(sim, BOB, ALICE, 1);
    sim_run(sim, MINUTE);
    assert_all_arrived(sim, ALICE, BOB, 2);
    sim_free(sim);
}

// Carol says again and again that alice asks for a circuit to bob.  She does not.
static void who_invents_calls_cannot_cut_a_link_that_works(void **state)
{
    struct sim *sim = friends_of_both(57, 1);
    struct yr_node *carol = sim_node(sim, CAROL);
    const unsigned slot = slot_of(sim, CAROL, BOB);

    assert_true(direct(sim, BOB, ALICE));
    for (unsigned i = 0; i < 30; i++) {
        struct yr_relay_msg msg = {.type = YR_FRAME_RELAY_CALL,
                                   .route =
                                       (uint16_t)(2000 + 2 * i + carol->relay->friends[slot]->dir)};
        uint8_t body[YR_RELAY_MSG_MAX];
        size_t len;

        yr_kdf(msg.hash, sizeof msg.hash, sim_id(sim, ALICE), YR_LABEL_RELAY_FROM, msg.nonce,
               sizeof msg.nonce);
        len = yr_relay_msg_encode(&msg, body);
        assert_int_equal(yr_links_send(carol->links, slot, YR_CHANNEL_CONTROL, msg.type, body, len),
                         YR_OK);
        sim_drain(sim, CAROL);
        for (unsigned k = 0; k < 10; k++) {
            sim_run(sim, 50 * YR_MS);
            assert_true(direct(sim, BOB, ALICE));
        }
        say(sim, BOB, ALICE, i);
        sim_run(sim, 500 * YR_MS);
        assert_int_equal(sim_history_count(sim, ALICE, BOB), i + 1);
    }
    assert_true(counter(sim, BOB, "relay.opened") >= 30);
    assert_all_arrived(sim, ALICE, BOB, 30);
    sim_free(sim);
}

// 1 text a second for a minute; both change their address in the middle of it.
static void both_move_at_once_and_a_common_friend_bridges_the_gap(void **state)
{
    for (uint64_t seed = 60; seed < 63; seed++) {
        struct sim *sim = friends_of_both(seed, 1);
        yr_us worst = 0;

        for (unsigned i = 0; i < 60; i++) {
            const yr_us at = sim_time(sim);

            if (i == 30) {
                sim_move(sim, ALICE);
                sim_move(sim, BOB);
            }
            say(sim, i % 2, 1 - i % 2, i);
            while (sim_history_count(sim, 1 - i % 2, i % 2) < i + 1 &&
                   sim_time(sim) < at + 30 * YR_S)
                sim_run(sim, 50 * YR_MS);
            worst = YR_MAX(worst, sim_time(sim) - at);
            if (sim_time(sim) < at + YR_S)
                sim_run(sim, at + YR_S - sim_time(sim));
        }
        print_message("both moved: the longest text took %.0f ms\n", (double)worst / 1000);
        assert_true(worst <= 3 * YR_S);
        assert_all_arrived(sim, ALICE, BOB, 60);
        sim_free(sim);
    }
}

// As long as packets keep their order: it comes through a link that closes right behind it.
static void a_goodbye_over_a_circuit_is_heard(void **state)
{
    const struct sim_link steady = {.delay_us = 20 * YR_MS};
    struct sim *sim = friends_of_both(1, 1);
    struct ends ends = {ALICE, BOB};

    (void)state;
    start_parted(sim);
    assert_true(sim_run_until(sim, 60 * YR_S, both_relayed, &ends));
    sim_run(sim, 2 * YR_S);
    sim_set_link(sim, &steady);
    yr_node_close(sim_node(sim, ALICE), sim_now(sim, ALICE));
    sim_drain(sim, ALICE);
    sim_crash(sim, ALICE);
    sim_run(sim, YR_S);
    assert_false(friend_of(sim, BOB, ALICE).online);
    assert_false(friend_of(sim, CAROL, ALICE).online);
    assert_true(friend_of(sim, BOB, CAROL).online);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_who_cannot_reach_each_other_are_linked_within_a_second),
        cmocka_unit_test(what_was_tried_is_told),
        cmocka_unit_test(who_carries_keeps_no_word_of_it),
        cmocka_unit_test(when_one_leaves_another_takes_over_and_nothing_is_lost),
        cmocka_unit_test(a_link_that_dies_goes_on_through_a_friend),
        cmocka_unit_test(when_the_way_is_free_again_the_link_is_direct_and_no_text_is_lost),
        cmocka_unit_test(who_says_no_is_not_used_and_the_refusal_is_told),
        cmocka_unit_test(a_node_that_relays_for_nobody_refuses_all_but_those_it_names),
        cmocka_unit_test(a_spent_budget_ends_the_circuits),
        cmocka_unit_test(a_blocked_friend_gets_no_circuit),
        cmocka_unit_test(nobody_is_reached_over_two_friends),
        cmocka_unit_test(a_long_text_goes_through_too),
        cmocka_unit_test(a_lossy_network_is_no_reason),
        cmocka_unit_test(two_behind_symmetric_boxes_are_linked_within_a_second),
        cmocka_unit_test(friends_who_have_told_no_list_are_found_all_the_same),
        cmocka_unit_test(a_goodbye_over_a_circuit_is_heard),
        cmocka_unit_test(a_friend_who_floods_costs_little),
        cmocka_unit_test(who_invents_calls_cannot_cut_a_link_that_works),
        cmocka_unit_test(both_move_at_once_and_a_common_friend_bridges_the_gap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
