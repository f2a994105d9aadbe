/* What one node of the DHT does with those who mean no good: forged and replayed datagrams,
 * forwarding to who never asked, stolen tokens, floods. */
#include "tests/support/test.h"

#include "core/crypto/identity.h"
#include "core/dht/state.h"
#include "tests/support/seeded.h"

// A server, and a peer that seals whatever it likes.
struct world {
    struct test_mem mem;
    struct seeded s;
    struct yr_dht *dht;
    struct yr_keypair peer, other;
    struct yr_now now;
};

static const struct yr_addr peer_addr = {.family = 4, .ip = {8, 8, 8, 8}, .port = 7};
static const struct yr_addr victim = {.family = 4, .ip = {9, 9, 9, 9}, .port = 7};

static void on_found(void *ctx, uint64_t search, const uint8_t *record, size_t len)
{
    fail();
}

static void on_done(void *ctx, uint64_t search, const struct yr_dht_result *result)
{
}

static void on_signal(void *ctx, const uint8_t *id, const uint8_t *bytes, size_t len)
{
    fail();
}

static int setup(void **state)
{
    static struct world w;
    const struct yr_dht_opts opts = {.role = YR_DHT_AS_SERVER};
    const struct yr_dht_calls calls = {
        .found = on_found, .done = on_done, .signal = on_signal, .ctx = NULL};
    uint8_t seed[32];

    test_mem_init(&w.mem, 4U << 20);
    seeded_init(&w.s, 11);
    w.now = (struct yr_now){.mono_us = YR_S, .wall_ms = 1800000000000};
    assert_int_equal(yr_dht_new(&w.dht, &w.mem.mem, &w.s.rng, &opts, &calls, w.now), YR_OK);
    yr_random(&w.s.rng, seed, 32);
    yr_keypair_from_seed(&w.peer, seed);
    yr_random(&w.s.rng, seed, 32);
    yr_keypair_from_seed(&w.other, seed);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    yr_dht_free(w->dht);
    return w->mem.live != 0;
}

static size_t seal(struct world *w, const struct yr_keypair *by, const struct yr_dht_msg *msg,
                   uint8_t out[YR_DATAGRAM_MAX])
{
    uint8_t k[32], nonce[24], plain[YR_DHT_PLAIN_MAX];
    size_t len;

    yr_random(&w->s.rng, nonce, sizeof nonce);
    assert_int_equal(yr_dht_rpc_key(k, by, yr_dht_pk(w->dht)), YR_OK);
    assert_int_equal(yr_dht_encode(msg, plain, sizeof plain, &len), YR_OK);
    yr_dht_seal(out, k, by->public_key, nonce, plain, len);
    return len + YR_DHT_OVERHEAD;
}

static void say(struct world *w, const struct yr_addr *from, const struct yr_dht_msg *msg)
{
    uint8_t packet[YR_DATAGRAM_MAX];

    yr_dht_recv(w->dht, w->now, from, packet, seal(w, &w->peer, msg, packet));
}

// The next datagram for the peer, opened.  False: none.  *to: where it goes.
static bool hear(struct world *w, struct yr_dht_msg *msg, struct yr_addr *to)
{
    static uint8_t plain[YR_DHT_PLAIN_MAX];
    uint8_t packet[YR_DATAGRAM_MAX], k[32];
    const size_t len = yr_dht_poll(w->dht, to, packet, sizeof packet);

    if (len == 0)
        return false;
    memset(msg, 0, sizeof *msg);
    assert_int_equal(yr_dht_rpc_key(k, &w->peer, yr_dht_pk(w->dht)), YR_OK);
    if (yr_dht_unseal(plain, k, packet, len) == YR_OK)
        assert_int_equal(yr_dht_decode(msg, plain, len - YR_DHT_OVERHEAD), YR_OK);
    return true;
}

static size_t sent_to(struct world *w, const struct yr_addr *who)
{
    uint8_t packet[YR_DATAGRAM_MAX];
    struct yr_addr to;
    size_t all = 0;

    for (size_t len; (len = yr_dht_poll(w->dht, &to, packet, sizeof packet)) > 0;)
        all += yr_addr_eq(&to, who) ? len : 0;
    return all;
}

static uint64_t count(const struct world *w, enum yr_dht_count what)
{
    return w->dht->counters[what];
}

static void garbage_gets_nothing_and_leaves_nothing(void **state)
{
    struct world *w = *state;
    uint8_t packet[YR_DATAGRAM_MAX];

    for (size_t i = 0; i < 300; i++) {
        const size_t len = 1 + seeded_below(&w->s, sizeof packet - 1);

        yr_random(&w->s.rng, packet, len);
        packet[0] = YR_DHT_TYPE;
        yr_dht_recv(w->dht, w->now, &peer_addr, packet, len);
        w->now.mono_us += YR_S;
    }
    assert_int_equal(sent_to(w, &peer_addr), 0);
    assert_int_equal(w->dht->keys.count, 0);
    assert_int_equal(w->dht->request_count, 0);
}

static void private_and_impossible_senders_get_nothing(void **state)
{
    struct world *w = *state;
    const struct yr_dht_msg ping = {.op = YR_DHT_PING};
    struct yr_addr from = {.family = 4, .ip = {192, 168, 1, 1}, .port = 7};

    say(w, &from, &ping);
    from = peer_addr;
    from.port = 0;
    say(w, &from, &ping);
    assert_int_equal(count(w, YR_DHT_N_DROP_ADDR), 2);
    assert_int_equal(w->dht->queue_count, 0);
}

static void a_reply_to_nothing_or_from_elsewhere_moves_nothing(void **state)
{
    struct world *w = *state;
    struct yr_dht_contact c = {.addr = peer_addr};
    struct yr_dht_msg reply = {.op = YR_DHT_PING, .reply = true, .server = true, .addr = victim};
    struct yr_dht_msg asked;
    struct yr_addr to;

    reply.txid = 5;
    say(w, &peer_addr, &reply);
    memcpy(c.pk, w->peer.public_key, 32);
    yr_dht_bootstrap(w->dht, &c, 1, w->now);
    yr_dht_tick(w->dht, w->now);
    assert_true(hear(w, &asked, &to));
    reply.txid = asked.txid;
    say(w, &victim, &reply);
    reply.op = YR_DHT_FIND;
    say(w, &peer_addr, &reply);
    assert_int_equal(count(w, YR_DHT_N_DROP_REPLY), 3);
    assert_int_equal(yr_dht_known(w->dht), 0);
    reply.op = YR_DHT_PING;
    say(w, &peer_addr, &reply);
    assert_int_equal(yr_dht_known(w->dht), 1);
    say(w, &peer_addr, &reply); // once more
    assert_int_equal(count(w, YR_DHT_N_DROP_REPLY), 4);
}

static void nobody_gets_more_than_three_times_what_it_sent(void **state)
{
    struct world *w = *state;
    const uint8_t key[32] = {1};
    const uint8_t ops[] = {YR_DHT_PING, YR_DHT_FIND, YR_DHT_GET};

    for (unsigned i = 0; i < 400; i++) { // a full table
        struct yr_dht_contact c = {.addr = victim};

        c.addr.ip[0] = (uint8_t)(20 + i / 200);
        c.addr.ip[1] = (uint8_t)i;
        yr_random(&w->s.rng, c.pk, 32);
        (void)!yr_dht_table_seen(&w->dht->tables[0], &c, 1, 1);
    }
    for (size_t i = 0; i < YR_COUNT(ops); i++) {
        const struct yr_dht_msg msg = {
            .op = ops[i], .target = key, .flags = YR_DHT_V4, .server = true};
        uint8_t packet[YR_DATAGRAM_MAX];
        const size_t len = seal(w, &w->peer, &msg, packet);

        yr_dht_recv(w->dht, w->now, &peer_addr, packet, len);
        assert_in_range(sent_to(w, &peer_addr), 1, 3 * len);
    }
}

static void a_forwarder_pings_before_it_sends_anything_on(void **state)
{
    struct world *w = *state;
    uint8_t inner[700] = {YR_DHT_TYPE}, packet[YR_DATAGRAM_MAX];
    struct yr_dht_msg fwd = {.op = YR_DHT_FWD, .count = 1, .bytes = inner, .len = sizeof inner};
    struct yr_dht_msg said = {0};
    struct yr_addr to;
    size_t len, all = 0;

    fwd.nodes[0].addr = victim;
    memcpy(fwd.nodes[0].pk, w->other.public_key, 32);
    say(w, &peer_addr, &fwd);
    while ((len = yr_dht_poll(w->dht, &to, packet, sizeof packet)) > 0)
        all += yr_addr_eq(&to, &victim) ? len : 0;
    assert_in_range(all, 1, 100); // a PING, not what was to be forwarded
    w->now.mono_us += 3 * YR_S;
    yr_dht_tick(w->dht, w->now);
    assert_true(hear(w, &said, &to));
    assert_int_equal(said.op, YR_DHT_FWD);
    assert_int_equal(said.status, YR_DHT_SILENT);
    assert_int_equal(count(w, YR_DHT_N_FORWARDED), 0);
    fwd.nodes[0].addr = (struct yr_addr){.family = 4, .ip = {127, 0, 0, 1}, .port = 25};
    say(w, &peer_addr, &fwd);
    assert_true(hear(w, &said, &to));
    assert_int_equal(said.status, YR_DHT_REFUSED);
}

static void a_dial_is_made_only_for_who_is_where_it_says(void **state)
{
    struct world *w = *state;
    struct yr_dht_msg dial = {.op = YR_DHT_DIAL, .count = 1}, said = {0};
    struct yr_addr to;

    dial.nodes[0].addr = victim;
    memcpy(dial.nodes[0].pk, w->other.public_key, 32);
    say(w, &peer_addr, &dial);
    assert_true(hear(w, &said, &to)); // who asks is asked whether it lives there
    assert_int_equal(said.op, YR_DHT_PING);
    assert_true(yr_addr_eq(&to, &peer_addr));
    assert_true(hear(w, &said, &to));
    assert_int_equal(said.status, YR_DHT_REFUSED);
    assert_true(yr_addr_eq(&to, &peer_addr));
    assert_false(hear(w, &said, &to));
}

static void a_token_is_of_no_use_to_another_nor_for_another_key(void **state)
{
    struct world *w = *state;
    uint8_t seed[32], pk[32], sk[64], key[32], token[YR_DHT_TOKEN_LEN], rec[YR_DHT_RECORD_MAX];
    struct yr_dht_msg get = {.op = YR_DHT_GET, .target = key, .flags = YR_DHT_V4}, said = {0};
    struct yr_dht_msg put = {.op = YR_DHT_PUT, .token = token, .bytes = rec};
    struct yr_addr to;

    yr_random(&w->s.rng, seed, 32);
    yr_sign_keypair(pk, sk, seed);
    yr_dht_record_key(key, pk);
    put.len = yr_dht_record_make(rec, pk, sk, 1, 60, (const uint8_t *)"v", 1);
    say(w, &peer_addr, &get);
    assert_true(hear(w, &said, &to));
    memcpy(token, said.token, sizeof token);
    say(w, &victim, &put);
    assert_true(hear(w, &said, &to));
    assert_int_equal(said.status, YR_DHT_REFUSED);
    rec[rec[0]] ^= 1; // another key
    say(w, &peer_addr, &put);
    assert_true(hear(w, &said, &to));
    assert_int_equal(said.status, YR_DHT_REFUSED);
    assert_int_equal(count(w, YR_DHT_N_BAD_TOKEN), 2);
    rec[rec[0]] ^= 1;
    rec[put.len - 1] ^= 1; // a good token, a bad signature
    say(w, &peer_addr, &put);
    assert_true(hear(w, &said, &to));
    assert_int_equal(said.status, YR_DHT_REFUSED);
    rec[put.len - 1] ^= 1;
    assert_int_equal(w->dht->records.count, 0);
    say(w, &peer_addr, &put);
    assert_true(hear(w, &said, &to));
    assert_int_equal(said.status, YR_DHT_DONE);
    say(w, &peer_addr, &get);
    assert_true(hear(w, &said, &to));
    assert_int_equal(said.len, put.len);
    assert_memory_equal(said.bytes, rec, put.len);
}

static void one_source_gets_its_rate_and_no_more(void **state)
{
    struct world *w = *state;
    const struct yr_dht_msg ping = {.op = YR_DHT_PING};
    unsigned answers = 0;

    for (unsigned i = 0; i < 1000; i++) {
        say(w, &peer_addr, &ping);
        answers += sent_to(w, &peer_addr) > 0;
        w->now.mono_us += YR_MS;
    }
    assert_in_range(answers, YR_DHT_BURST, YR_DHT_BURST + YR_DHT_RATE + 1);
}

static void strangers_cost_us_a_bounded_number_of_keys(void **state)
{
    struct world *w = *state;
    uint8_t packet[400] = {YR_DHT_TYPE};

    for (unsigned i = 0; i < 3000; i++) {
        const struct yr_addr from = {
            .family = 4, .ip = {30, (uint8_t)(i >> 8), (uint8_t)i, 1}, .port = 1};

        yr_random(&w->s.rng, packet + 1, sizeof packet - 1);
        yr_dht_recv(w->dht, w->now, &from, packet, sizeof packet);
    }
    assert_in_range(count(w, YR_DHT_N_DROP_AEAD), 0, 2 * YR_DHT_NEW_KEYS);
    assert_true(count(w, YR_DHT_N_DROP_RATE) > 1000);
}

static void a_client_serves_nobody(void **state)
{
    struct world *w = *state;
    const uint8_t key[32] = {1};
    const struct yr_dht_msg find = {.op = YR_DHT_FIND, .target = key, .flags = YR_DHT_V4};

    w->dht->serves = false;
    say(w, &peer_addr, &find);
    assert_int_equal(w->dht->queue_count, 0);
    assert_int_equal(count(w, YR_DHT_N_DROP_ROLE), 1);
}

static void the_role_changes_after_three_networks_and_twenty_minutes(void **state)
{
    struct world *w = *state;
    struct yr_dht_msg ping = {.op = YR_DHT_PING, .server = true}, said;
    struct yr_dht_msg pong = {.op = YR_DHT_PING, .reply = true, .server = true, .addr = victim};
    struct yr_addr to;

    w->dht->serves = false;
    w->dht->opts.role = YR_DHT_AUTO;
    for (uint8_t i = 0; i < 4; i++) {
        const struct yr_addr from = {
            .family = 4, .ip = {(uint8_t)(50 + YR_MIN(i, 2)), 1, i, 1}, .port = 7};
        uint8_t seed[32];

        yr_random(&w->s.rng, seed, 32);
        yr_keypair_from_seed(&w->peer, seed);
        ping.txid = i;
        say(w, &from, &ping); // nobody had been asked there
        assert_true(hear(w, &said, &to));
        assert_true(said.reply);
        assert_true(hear(w, &said, &to));
        pong.txid = said.txid;
        say(w, &from, &pong);
        assert_int_equal(w->dht->dialback_count, YR_MIN(i + 1, 3));
        while (hear(w, &said, &to))
            continue;
    }
    yr_dht_tick(w->dht, w->now);
    assert_false(yr_dht_serves(w->dht));
    w->now.mono_us += (YR_DHT_STABLE_S - 70) * YR_S;
    yr_dht_tick(w->dht, w->now);
    assert_false(yr_dht_serves(w->dht));
    w->now.mono_us += 140 * YR_S;
    yr_dht_tick(w->dht, w->now);
    assert_true(yr_dht_serves(w->dht));
}

static void refused_memory_costs_an_answer_and_nothing_else(void **state)
{
    struct world *w = *state;
    const uint8_t key[32] = {1};
    const struct yr_dht_msg find = {.op = YR_DHT_FIND, .target = key, .flags = YR_DHT_V4};

    for (size_t left = 0; left < 6; left++) {
        w->mem.left = left;
        say(w, &peer_addr, &find);
        w->now.mono_us += YR_S;
        yr_dht_tick(w->dht, w->now);
        (void)sent_to(w, &peer_addr);
    }
    w->mem.left = SIZE_MAX;
    say(w, &peer_addr, &find);
    assert_true(sent_to(w, &peer_addr) > 0);
}

static void signals_go_to_who_has_answered_from_there_and_nowhere_else(void **state)
{
    struct world *w = *state;
    const uint8_t id[YR_DHT_SIGNAL_LEN] = {7}, bytes[YR_DHT_SIGNAL_MAX] = {1};
    const struct yr_dht_msg here = {.op = YR_DHT_SIGREG, .id = id};
    const struct yr_dht_msg signal = {
        .op = YR_DHT_SIGNAL, .id = id, .bytes = bytes, .len = sizeof bytes};
    struct yr_dht_msg reply = {.op = YR_DHT_PING, .reply = true, .addr = peer_addr}, said = {0};
    struct yr_addr to;

    say(w, &victim, &here); // not from there
    (void)sent_to(w, &victim);
    for (unsigned i = 0; i < 5; i++) {
        say(w, &peer_addr, &signal);
        assert_int_equal(sent_to(w, &victim), 0);
    }
    w->now.mono_us += YR_DHT_SIGNAL_S * YR_S;
    say(w, &peer_addr, &here);
    while (hear(w, &said, &to))
        if (said.op == YR_DHT_PING && !said.reply)
            reply.txid = said.txid;
    say(w, &peer_addr, &reply);
    say(w, &peer_addr, &signal);
    assert_true(sent_to(w, &peer_addr) > sizeof bytes);
}

// It knew few for long, so that it looks around again in minutes only; now it is somewhere else,
// and many are met before that.
static void who_waits_to_join_again_does_not_wake_up_for_nothing(void **state)
{
    struct world *w = *state;
    struct yr_dht *dht = w->dht;

    w->now.mono_us = 1000 * YR_S;
    for (unsigned i = 0; yr_dht_known(dht) < 40 && i < 4000; i++) {
        struct yr_dht_contact c = {
            .addr = {.family = 4,
                     .ip = {(uint8_t)(11 + i % 80), (uint8_t)(i / 80), (uint8_t)i, 1},
                     .port = 7}};

        yr_random(&w->s.rng, c.pk, sizeof c.pk);
        (void)!yr_dht_table_seen(&dht->tables[0], &c, 1000, w->now.mono_us);
    }
    assert_true(yr_dht_known(dht) >= 40);
    dht->joined = false;
    dht->rejoin_us = w->now.mono_us + 300 * YR_S;
    dht->again_us = w->now.mono_us - YR_S;
    for (unsigned i = 0; i < 20; i++) {
        yr_dht_tick(dht, w->now);
        (void)sent_to(w, &victim);
        assert_true(yr_dht_deadline(dht) > w->now.mono_us);
        w->now.mono_us = yr_dht_deadline(dht);
    }
    assert_true(w->now.mono_us < 1300 * YR_S);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(signals_go_to_who_has_answered_from_there_and_nowhere_else),
        TEST(who_waits_to_join_again_does_not_wake_up_for_nothing),
        TEST(garbage_gets_nothing_and_leaves_nothing),
        TEST(private_and_impossible_senders_get_nothing),
        TEST(a_reply_to_nothing_or_from_elsewhere_moves_nothing),
        TEST(nobody_gets_more_than_three_times_what_it_sent),
        TEST(a_forwarder_pings_before_it_sends_anything_on),
        TEST(a_dial_is_made_only_for_who_is_where_it_says),
        TEST(a_token_is_of_no_use_to_another_nor_for_another_key),
        TEST(one_source_gets_its_rate_and_no_more),
        TEST(strangers_cost_us_a_bounded_number_of_keys),
        TEST(a_client_serves_nobody),
        TEST(the_role_changes_after_three_networks_and_twenty_minutes),
        TEST(refused_memory_costs_an_answer_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
