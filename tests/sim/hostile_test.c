/* Strangers with real packets, and friends who lie. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/node/state.h"
#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)

struct world {
    struct sim *sim;
    unsigned a, b;
};

static struct world two_friends(uint64_t seed, bool record)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct world w;

    opts.record = record;
    opts.lan = record; // beacons are recorded too
    w.sim = sim_new(&opts);
    w.a = sim_add(w.sim, "alice");
    w.b = sim_add(w.sim, "bob");
    sim_befriend(w.sim, w.a, w.b);
    return w;
}

static struct yr_friend *friend_at(struct world *w, unsigned node, unsigned of)
{
    struct yr_friend *f = yr_friend_find(sim_node(w->sim, node), sim_id(w->sim, of));

    assert_non_null(f);
    return f;
}

// What a friend's node would never say.
static enum yr_err raw(struct world *w, unsigned from, enum yr_channel channel, uint8_t type,
                       const void *body, size_t len)
{
    const unsigned to = from == w->a ? w->b : w->a;
    struct yr_node *n = sim_node(w->sim, from);
    enum yr_err err;

    n->now = sim_now(w->sim, from);
    err = yr_links_send(n->links, yr_friend_slot(n, friend_at(w, from, to)), channel, type, body,
                        len);
    sim_drain(w->sim, from);
    return err;
}

static uint64_t counter(struct world *w, unsigned node, const char *name)
{
    struct yr_counter c;

    for (size_t i = 0; (c = yr_node_counter(sim_node(w->sim, node), i)).name != NULL; i++)
        if (strcmp(c.name, name) == 0)
            return c.value;
    fail_msg("no counter %s", name);
    return 0;
}

static size_t queued(struct world *w, unsigned node)
{
    struct yr_self self;

    yr_node_self(sim_node(w->sim, node), &self);
    return self.queued;
}

// Both ends find each other again if need be, and a text goes each way exactly once.
static void still_friends(struct world *w)
{
    const size_t before = sim_history_count(w->sim, w->a, w->b);
    char *of_a, *of_b;

    assert_true(sim_run_linked(w->sim, w->a, w->b, 5 * MINUTE));
    sim_text(w->sim, w->a, w->b, "still here", NULL);
    sim_text(w->sim, w->b, w->a, "me too", NULL);
    sim_run(w->sim, MINUTE);
    assert_true(sim_run_linked(w->sim, w->a, w->b, 5 * MINUTE));
    assert_int_equal(sim_history_count(w->sim, w->a, w->b), before + 2);
    of_a = sim_history(w->sim, w->a, w->b, false);
    of_b = sim_history(w->sim, w->b, w->a, false);
    assert_string_equal(of_a, of_b);
    assert_int_equal(queued(w, w->a) + queued(w, w->b), 0);
    free(of_a);
    free(of_b);
}

static void ten_thousand_mutated_packets_get_no_answer(void **state)
{
    struct world w = two_friends(1, true);
    struct yr_cmd invite = {.kind = YR_CMD_INVITE_NEW,
                            .flags = YR_FLAG_HINTS,
                            .expires_ms = sim_now(w.sim, w.a).wall_ms + 3600 * 1000};
    unsigned kinds[256] = {0};
    uint8_t bytes[YR_PACKET_MAX];

    for (int i = 0; i < 10; i++)
        sim_text(w.sim, i % 2 ? w.a : w.b, i % 2 ? w.b : w.a, "real traffic", NULL);
    sim_crash(w.sim, w.b); // probes and beacons
    sim_run(w.sim, 20 * YR_S);
    sim_restart(w.sim, w.b);
    assert_true(sim_run_linked(w.sim, w.a, w.b, MINUTE));
    (void)sim_do(w.sim, w.a, &invite);
    (void)sim_do(w.sim, w.b, &invite);
    sim_run(w.sim, YR_S);
    for (unsigned i = 0; i < 10000; i++) {
        const size_t which = sim_draw(w.sim, 1) % sim_recorded(w.sim);
        const uint64_t r = sim_draw(w.sim, 2);
        size_t len;
        const uint8_t *packet = sim_packet(w.sim, which, &len);
        memcpy(bytes, packet, len);
        kinds[bytes[0]]++;
        if (r % 3 == 0)
            len = 1 + (r >> 8) % len;
        else
            for (unsigned k = 0; k <= (r >> 4) % 4; k++)
                bytes[(r >> (8 + 12 * k)) % len] ^= (uint8_t)(1 << k % 8);
        sim_inject(w.sim, i % 2 ? w.a : w.b, bytes, len);
        if (i % 250 == 249)
            sim_run(w.sim, YR_S);
    }
    for (uint8_t kind = 0x05; kind <= 0x08; kind++)
        assert_true(kinds[kind] > 0);
    assert_true(kinds[0x21] > 0 && kinds[0x22] > 0 && kinds[0x23] > 0);
    sim_run(w.sim, 5 * YR_S);
    assert_int_equal(sim_answers_to_strangers(w.sim), 0);
    assert_true(sim_linked(w.sim, w.a, w.b));
    still_friends(&w);
    sim_free(w.sim);
}

static void acknowledgements_of_nothing_take_nothing_away(void **state)
{
    struct world w = two_friends(2, false);
    uint8_t body[128 * 17];

    for (unsigned round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof body; i += 8) {
            const uint64_t r = sim_draw(w.sim, 3);
            memcpy(body + i, &r, 8);
        }
        for (size_t i = 0; i < sizeof body; i += 17)
            body[i] = (uint8_t)(round % 3);
        (void)raw(&w, w.b, YR_CHANNEL_CHAT, YR_FRAME_ENV_ACK, body,
                  round % 10 == 9 ? 16 : sizeof body);
        if (round % 4 == 0)
            sim_text(w.sim, w.a, w.b, "kept until it arrives", NULL);
        sim_run(w.sim, 50 * YR_MS);
    }
    sim_run(w.sim, MINUTE);
    still_friends(&w);
    sim_free(w.sim);
}

static void pings_and_addresses_without_end_change_little(void **state)
{
    struct world w = two_friends(3, false);
    uint8_t body[600];
    uint64_t out;
    struct yr_friend_info info;

    assert_int_equal(yr_node_friend(sim_node(w.sim, w.a), sim_id(w.sim, w.b), &info), YR_OK);
    out = info.out_bytes;
    for (unsigned i = 0; i < 3000; i++) {
        const uint64_t r = sim_draw(w.sim, 4);
        memset(body, (int)(r & 0xff), sizeof body);
        memcpy(body, &r, sizeof r);
        body[0] = (uint8_t)(r % 20);
        (void)raw(&w, w.b, YR_CHANNEL_CONTROL, i % 2 ? YR_FRAME_PING : YR_FRAME_ADDRS, body,
                  i % 2 ? 8 : 1 + (r >> 8) % 590);
        if (i % 50 == 0)
            sim_run(w.sim, 20 * YR_MS);
    }
    sim_run(w.sim, 5 * YR_S);
    if (yr_node_friend(sim_node(w.sim, w.a), sim_id(w.sim, w.b), &info) == YR_OK && info.online)
        assert_true(info.out_bytes < out + 500000);
    still_friends(&w);
    sim_free(w.sim);
}

static void envelopes_that_nobody_can_open_close_the_link(void **state)
{
    struct world w = two_friends(4, false);
    uint8_t body[YR_ENVELOPE_MIN];
    uint64_t dropped;

    for (unsigned i = 0; i < 3000; i++) {
        for (size_t k = 0; k < sizeof body; k += 8) {
            const uint64_t r = sim_draw(w.sim, 5);
            memcpy(body + k, &r, 8);
        }
        memset(body, 0, 6); // version, flags, expiry: as they should be
        body[0] = 1;
        if (raw(&w, w.b, YR_CHANNEL_CHAT, YR_FRAME_ENV_PUT, body, sizeof body) != YR_OK)
            sim_run(w.sim, 50 * YR_MS);
    }
    sim_run(w.sim, 10 * YR_S);
    dropped = counter(&w, w.a, "envelope.drop.tag");
    assert_true(dropped > 0 && dropped < 1000);
    still_friends(&w);
    sim_free(w.sim);
}

// Good envelopes that say nothing, faster than they can be acknowledged.
static void envelopes_without_waiting_cost_the_link(void **state)
{
    struct world w = two_friends(5, false);
    struct yr_node *n = sim_node(w.sim, w.b);
    uint8_t row[YR_TIMEKEY_ROW_LEN + 64], env[32], tag[16], bytes[YR_ENVELOPE_MIN];
    struct yr_timekey timekey;
    size_t len;
    unsigned refused = 0;

    sim_run(w.sim, YR_S);
    assert_int_equal(yr_rows_get(n->rows, YR_TABLE_TIMEKEY, NULL, 0, sim_id(w.sim, w.a), 32, row,
                                 sizeof row, &len),
                     YR_OK);
    assert_int_equal(yr_timekey_decode(&timekey, row, YR_TIMEKEY_ROW_LEN), YR_OK);
    assert_int_equal(
        yr_envelope_keys(&timekey, friend_at(&w, w.b, w.a)->pair.out, timekey.day + 1, env, tag),
        YR_OK);
    sim_set_commit(w.sim, 5 * YR_S); // nothing gets durable at the other end meanwhile
    sim_text(w.sim, w.b, w.a, "the first waits for its commit, and all others behind it", NULL);
    for (unsigned i = 0; i < 3000; i++) {
        assert_int_equal(
            yr_envelope_seal(bytes, sizeof bytes, &len, env, tag, 0, YR_ENV_COVER, "", 0, n->rng),
            YR_OK);
        if (raw(&w, w.b, YR_CHANNEL_CHAT, YR_FRAME_ENV_PUT, bytes, len) != YR_OK) {
            refused++;
            sim_run(w.sim, 10 * YR_MS);
        }
    }
    assert_true(refused < 3000);
    sim_set_commit(w.sim, 2 * YR_MS);
    sim_run(w.sim, MINUTE);
    still_friends(&w);
    sim_free(w.sim);
}

// A node restored from a backup sends all again: each copy is acknowledged although nothing is left
// to be committed for it.
static void duplicates_are_acknowledged_without_a_commit(void **state)
{
    struct world w = two_friends(9, false);
    struct yr_memstore *backup;
    const size_t count = 600;

    sim_run(w.sim, YR_S);
    sim_cut(w.sim, w.a, w.b, true);
    sim_run(w.sim, 5 * MINUTE);
    for (size_t i = 0; i < count; i++)
        sim_text(w.sim, w.a, w.b, "from the backup", NULL);
    backup = yr_memstore_copy(sim_store(w.sim, w.a));
    sim_cut(w.sim, w.a, w.b, false);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 5 * MINUTE));
    sim_run(w.sim, 10 * YR_S);
    assert_int_equal(sim_history_count(w.sim, w.b, w.a), count);
    sim_crash(w.sim, w.a);
    yr_memstore_restore(sim_store(w.sim, w.a), backup);
    yr_memstore_free(backup);
    sim_run(w.sim, 5 * MINUTE); // the old link is forgotten
    sim_skew(w.sim, w.a, 3600 * 1000);
    sim_restart(w.sim, w.a);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 5 * MINUTE));
    sim_run(w.sim, 10 * YR_S);
    assert_int_equal(sim_history_count(w.sim, w.b, w.a), count);
    assert_int_equal(queued(&w, w.a), 0);
    sim_free(w.sim);
}

static void a_link_taken_over_again_and_again_doubles_nothing(void **state)
{
    struct world w = two_friends(6, false);
    struct yr_node *n;

    sim_set_link(w.sim,
                 &(struct sim_link){.delay_us = 40 * YR_MS, .jitter_us = 20 * YR_MS, .loss = 50});
    sim_set_commit(w.sim, 80 * YR_MS);
    for (unsigned i = 0; i < 60; i++) {
        const unsigned from = i % 3 == 0 ? w.b : w.a, to = from == w.a ? w.b : w.a;
        const struct yr_addr addr = sim_addr(w.sim, to);
        sim_text(w.sim, from, to, "over whichever", NULL);
        if (i % 2 == 0) {
            n = sim_node(w.sim, from);
            n->now = sim_now(w.sim, from);
            (void)!yr_links_dial(n->links, yr_friend_slot(n, yr_friend_find(n, sim_id(w.sim, to))),
                                 &addr, true, n->now);
            sim_drain(w.sim, from);
        }
        sim_run(w.sim, (1 + sim_draw(w.sim, 6) % 200) * YR_MS);
    }
    sim_run(w.sim, MINUTE);
    assert_int_equal(sim_history_count(w.sim, w.a, w.b), 60);
    still_friends(&w);
    sim_free(w.sim);
}

static void a_blocked_friend_hears_nothing_until_unblocked(void **state)
{
    struct world w = two_friends(7, false);
    struct yr_cmd block = {.kind = YR_CMD_FRIEND_BLOCK};
    struct yr_friend_info info;
    struct yr_path_info path;
    struct yr_node *n;

    memcpy(block.conv, sim_id(w.sim, w.b), YR_ID_LEN);
    (void)sim_do(w.sim, w.a, &block);
    sim_text(w.sim, w.b, w.a, "are you angry", NULL);
    sim_text(w.sim, w.a, w.b, "waits", NULL);
    sim_run(w.sim, 5 * MINUTE);
    assert_false(sim_linked(w.sim, w.a, w.b));
    assert_int_equal(yr_node_friend(sim_node(w.sim, w.a), sim_id(w.sim, w.b), &info), YR_OK);
    assert_true(info.blocked && !info.online);
    n = sim_node(w.sim, w.b); // not even an answer to his probes
    yr_paths_info(n->paths, yr_friend_slot(n, friend_at(&w, w.b, w.a)), &path);
    assert_true(path.asked_ms > path.answered_ms);
    sim_crash(w.sim, w.a);
    sim_restart(w.sim, w.a); // blocked after a restart too
    sim_run(w.sim, 5 * MINUTE);
    assert_int_equal(sim_history_count(w.sim, w.a, w.b), 1);
    block.flags = YR_FLAG_REMOVE;
    (void)sim_do(w.sim, w.a, &block);
    assert_true(sim_run_linked(w.sim, w.a, w.b, 3 * MINUTE));
    sim_run(w.sim, MINUTE);
    assert_int_equal(sim_history_count(w.sim, w.a, w.b), 2);
    assert_int_equal(sim_history_count(w.sim, w.b, w.a), 2);
    still_friends(&w);
    sim_free(w.sim);
}

static void a_friend_removed_at_any_moment_leaves_no_trace(void **state)
{
    for (unsigned ms = 0; ms < 60; ms += 3) {
        struct world w = two_friends(8, false);
        struct yr_cmd removal = {.kind = YR_CMD_FRIEND_REMOVE, .flags = YR_FLAG_FORGET};
        struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = "on its way", .body_len = 10};
        enum yr_err err;
        memcpy(cmd.conv, sim_id(w.sim, w.b), YR_ID_LEN);
        memcpy(removal.conv, sim_id(w.sim, w.b), YR_ID_LEN);
        if (ms % 2 == 0)
            sim_cut(w.sim, w.a, w.b, true);
        for (int i = 0; i < 5; i++) {
            (void)sim_command(w.sim, w.a, &cmd, &err);
            assert_int_equal(err, YR_OK);
        }
        sim_run(w.sim, ms * YR_MS);
        (void)sim_command(w.sim, w.a, &removal, &err);
        assert_int_equal(err, YR_OK);
        (void)sim_command(w.sim, w.a, &cmd, &err);
        assert_int_equal(err, YR_ENOFRIEND);
        sim_run(w.sim, YR_S);
        sim_crash(w.sim, w.a);
        sim_restart(w.sim, w.a);
        sim_cut(w.sim, w.a, w.b, false);
        sim_run(w.sim, 10 * YR_S);
        assert_int_equal(queued(&w, w.a), 0);
        assert_int_equal(sim_history_count(w.sim, w.a, w.b), 0);
        assert_null(yr_friend_find(sim_node(w.sim, w.a), sim_id(w.sim, w.b)));
        sim_free(w.sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_mutated_packets_get_no_answer),
        cmocka_unit_test(acknowledgements_of_nothing_take_nothing_away),
        cmocka_unit_test(pings_and_addresses_without_end_change_little),
        cmocka_unit_test(envelopes_that_nobody_can_open_close_the_link),
        cmocka_unit_test(envelopes_without_waiting_cost_the_link),
        cmocka_unit_test(duplicates_are_acknowledged_without_a_commit),
        cmocka_unit_test(a_link_taken_over_again_and_again_doubles_nothing),
        cmocka_unit_test(a_blocked_friend_hears_nothing_until_unblocked),
        cmocka_unit_test(a_friend_removed_at_any_moment_leaves_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
