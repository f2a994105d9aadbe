/* The datagrams of the DHT: what decodes, what does not, and whose keys open them. */
#include "tests/support/test.h"

#include "core/dht/rpc.h"
#include "tests/support/seeded.h"

static uint8_t key32[32], token[8], signal_id[16], inner[YR_DHT_INNER_MAX];
static uint8_t record[YR_DHT_RECORD_MAX];

// A message of every op and direction, as long as it gets.
static struct yr_dht_msg sample(uint8_t op, bool reply, bool nodes)
{
    struct yr_dht_msg m = {.txid = 77, .op = op, .reply = reply, .server = true};
    const struct yr_addr v6 = {.family = 6, .ip = {0x20, 1, 2, 3}, .port = 9};

    memset(record, 1, sizeof record);
    record[YR_DHT_RECORD_HEAD - 2] = (uint8_t)YR_DHT_VALUE_MAX;
    record[YR_DHT_RECORD_HEAD - 1] = YR_DHT_VALUE_MAX >> 8;
    m.addr = v6;
    m.target = key32;
    m.token = token;
    m.id = signal_id;
    for (size_t i = 0; i < YR_DHT_SHOWN; i++) {
        m.nodes[i].addr = v6;
        m.nodes[i].pk[0] = (uint8_t)i;
    }
    m.count = op == YR_DHT_FWD || op == YR_DHT_DIAL ? 1 : YR_DHT_SHOWN;
    m.bytes = op == YR_DHT_PUT || op == YR_DHT_GET ? record : inner;
    m.len = op == YR_DHT_PUT || op == YR_DHT_GET ? sizeof record
            : op == YR_DHT_SIGNAL                ? YR_DHT_SIGNAL_MAX
                                                 : sizeof inner;
    if (nodes)
        m.bytes = NULL, m.len = 0;
    return m;
}

static void every_message_comes_back_as_it_was_and_never_when_cut(void **state)
{
    for (unsigned op = 1; op <= YR_DHT_DIAL; op++)
        for (unsigned reply = 0; reply < 2; reply++) {
            struct yr_dht_msg m = sample((uint8_t)op, reply != 0, false), got, untouched;
            uint8_t buf[YR_DHT_PLAIN_MAX];
            size_t len, body;

            assert_int_equal(yr_dht_encode(&m, buf, sizeof buf, &len), YR_OK);
            assert_true(len >= yr_dht_least((uint8_t)op) || reply);
            assert_int_equal(yr_dht_decode(&got, buf, len), YR_OK);
            assert_int_equal(got.txid, 77);
            assert_int_equal(got.op, op);
            assert_int_equal(got.reply, reply);
            assert_true(got.server);
            if (got.bytes != NULL)
                assert_memory_equal(got.bytes, m.bytes, m.len);
            for (size_t i = 0; i < got.count; i++)
                assert_true(yr_dht_same(&got.nodes[i], &m.nodes[i]));
            memset(&untouched, 0xa5, sizeof untouched);
            for (body = len; body > 9 && buf[body - 1] == 0; body--)
                continue;
            for (size_t cut = 0; cut < len; cut++) {
                got = untouched;
                if (yr_dht_decode(&got, buf, cut) == YR_OK)
                    assert_true(reply && cut >= body); // only zeros were cut
                else
                    assert_memory_equal(&got, &untouched, sizeof got);
            }
        }
}

static void padding_is_zeros_and_nothing_else(void **state)
{
    struct yr_dht_msg m = sample(YR_DHT_FIND, false, true), got;
    uint8_t buf[YR_DHT_PLAIN_MAX];
    size_t len;

    assert_int_equal(yr_dht_encode(&m, buf, sizeof buf, &len), YR_OK);
    assert_int_equal(len, 256);
    buf[len - 1] = 1;
    assert_int_equal(yr_dht_decode(&got, buf, len), YR_EPROTO);
    buf[len - 1] = 0;
    assert_int_equal(yr_dht_decode(&got, buf, len - 1), YR_EPROTO); // it would earn a reply cheaply
    assert_int_equal(yr_dht_decode(&got, buf, len), YR_OK);
}

static void unknown_ops_lengths_and_counts_are_refused(void **state)
{
    struct yr_dht_msg m = sample(YR_DHT_FIND, true, true), got;
    uint8_t buf[YR_DHT_PLAIN_MAX];
    size_t len;

    assert_int_equal(yr_dht_encode(&m, buf, sizeof buf, &len), YR_OK);
    buf[9] = YR_DHT_SHOWN + 1;
    assert_int_equal(yr_dht_decode(&got, buf, len), YR_EPROTO);
    buf[9] = YR_DHT_SHOWN;
    buf[10] |= 0x80; // flags of addresses mean nothing here
    assert_int_equal(yr_dht_decode(&got, buf, len), YR_EPROTO);
    for (unsigned op = 0; op < 256; op++) {
        memset(buf, 0, sizeof buf);
        buf[8] = (uint8_t)op;
        if ((op & 0x3f) == 0 || (op & 0x3f) > YR_DHT_DIAL)
            assert_int_equal(yr_dht_decode(&got, buf, 300), YR_EPROTO);
    }
    m = sample(YR_DHT_FWD, false, false);
    m.len = YR_DHT_INNER_MAX + 1;
    assert_int_equal(yr_dht_encode(&m, buf, sizeof buf, &len), YR_EINVAL);
}

static void no_reply_is_three_times_its_request(void **state)
{
    for (unsigned op = 1; op <= YR_DHT_DIAL; op++)
        for (unsigned nodes = 0; nodes < 2; nodes++) {
            struct yr_dht_msg m = sample((uint8_t)op, true, nodes != 0 && op == YR_DHT_GET);
            uint8_t buf[YR_DHT_PLAIN_MAX];
            size_t len, asked = yr_dht_least((uint8_t)op);

            if (op == YR_DHT_INNER) // its answer is one to what is in it
                asked += 256;
            assert_int_equal(yr_dht_encode(&m, buf, sizeof buf, &len), YR_OK);
            assert_true(len + YR_DHT_OVERHEAD <= 3 * (asked + YR_DHT_OVERHEAD));
        }
}

static void a_datagram_opens_for_its_receiver_only_and_not_for_its_sender(void **state)
{
    struct seeded s;
    struct yr_keypair a, b, c;
    uint8_t seed[32], nonce[24] = {1}, ka[32], kb[32], kc[32];
    uint8_t packet[YR_DHT_OVERHEAD + 5], plain[5];

    seeded_init(&s, 1);
    yr_random(&s.rng, seed, 32), yr_keypair_from_seed(&a, seed);
    yr_random(&s.rng, seed, 32), yr_keypair_from_seed(&b, seed);
    yr_random(&s.rng, seed, 32), yr_keypair_from_seed(&c, seed);
    assert_int_equal(yr_dht_rpc_key(ka, &a, b.public_key), YR_OK);
    assert_int_equal(yr_dht_rpc_key(kb, &b, a.public_key), YR_OK);
    assert_int_equal(yr_dht_rpc_key(kc, &c, a.public_key), YR_OK);
    assert_memory_equal(ka, kb, 32);
    yr_dht_seal(packet, ka, a.public_key, nonce, (const uint8_t *)"hello", 5);
    assert_int_equal(yr_dht_unseal(plain, kc, packet, sizeof packet), YR_EAUTH);
    assert_int_equal(yr_dht_unseal(plain, kb, packet, sizeof packet), YR_OK);
    assert_memory_equal(plain, "hello", 5);
    memcpy(packet + 1, b.public_key, 32); // sent back under the other's name
    assert_int_equal(yr_dht_unseal(plain, ka, packet, sizeof packet), YR_EAUTH);
    memcpy(packet + 1, a.public_key, 32);
    for (size_t i = 0; i < sizeof packet; i++) {
        packet[i] ^= 4;
        assert_int_not_equal(yr_dht_unseal(plain, kb, packet, sizeof packet), YR_OK);
        packet[i] ^= 4;
    }
    assert_int_equal(yr_dht_rpc_key(ka, &a, (const uint8_t[32]){0}), YR_EAUTH);
}

static void addresses_that_lead_nowhere_are_told_from_others(void **state)
{
    const struct {
        struct yr_addr addr;
        bool ok, lax;
    } rows[] = {
        {{.family = 4, .ip = {8, 8, 8, 8}, .port = 1}, true, true},
        {{.family = 4, .ip = {8, 8, 8, 8}, .port = 0}, false, false},
        {{.family = 4, .ip = {10, 8, 8, 8}, .port = 1}, false, true},
        {{.family = 4, .ip = {127, 0, 0, 1}, .port = 1}, false, true},
        {{.family = 4, .ip = {172, 31, 8, 8}, .port = 1}, false, true},
        {{.family = 4, .ip = {192, 168, 8, 8}, .port = 1}, false, true},
        {{.family = 4, .ip = {169, 254, 8, 8}, .port = 1}, false, true},
        {{.family = 4, .ip = {100, 64, 8, 8}, .port = 1}, false, true},
        {{.family = 4, .ip = {0, 1, 8, 8}, .port = 1}, false, false},
        {{.family = 4, .ip = {224, 1, 8, 8}, .port = 1}, false, false},
        {{.family = 4, .ip = {255, 255, 255, 255}, .port = 1}, false, false},
        {{.family = 6, .ip = {0x20, 1}, .port = 1}, true, true},
        {{.family = 6, .ip = {0xfe, 0x80}, .port = 1}, false, true},
        {{.family = 6, .ip = {0xfd}, .port = 1}, false, true},
        {{.family = 6, .ip = {0xff}, .port = 1}, false, false},
        {{.family = 6, .ip = {0}, .port = 1}, false, false},
        {{.family = 0, .ip = {8, 8, 8, 8}, .port = 1}, false, false},
    };

    for (size_t i = 0; i < YR_COUNT(rows); i++) {
        assert_int_equal(yr_dht_addr_ok(&rows[i].addr, false), rows[i].ok);
        assert_int_equal(yr_dht_addr_ok(&rows[i].addr, true), rows[i].lax);
    }
}

static void the_last_used_keys_are_kept_and_no_more(void **state)
{
    struct test_mem mem;
    struct seeded s;
    struct yr_dht_keys keys;
    uint8_t seed[32] = {1}, first[32];
    struct yr_dht_peer *peer;

    test_mem_init(&mem, 64U << 20);
    seeded_init(&s, 3);
    yr_dht_keys_init(&keys, &mem.mem, &s.rng, seed);
    for (unsigned i = 0; i < YR_DHT_KEYS_MAX + 10; i++) {
        uint8_t pk[32];

        keys.now_us = i * 10 * YR_MS;
        yr_random(&s.rng, pk, 32);
        if (i == 0)
            memcpy(first, pk, 32);
        assert_non_null(yr_dht_keys_make(&keys, pk));
        assert_non_null(yr_dht_keys_find(&keys, first)); // used again and again
    }
    assert_int_equal(keys.count, YR_DHT_KEYS_MAX);
    peer = yr_dht_keys_make(&keys, first);
    assert_ptr_equal(peer, yr_dht_keys_find(&keys, first));
    assert_null(yr_dht_keys_make(&keys, (const uint8_t[32]){0}));
    mem.left = 0;
    assert_null(yr_dht_keys_make(&keys, seed));
    yr_dht_keys_clear(&keys);
    assert_int_equal(mem.live, 0);
}

static void keys_that_are_forgotten_give_their_memory_back(void **state)
{
    struct test_mem mem;
    struct seeded s;
    struct yr_dht_keys keys;
    uint8_t seed[32] = {1}, pk[32];
    size_t most;

    test_mem_init(&mem, 64U << 20);
    seeded_init(&s, 4);
    yr_dht_keys_init(&keys, &mem.mem, &s.rng, seed);
    for (unsigned i = 0; i < 1000; i++) {
        yr_random(&s.rng, pk, 32);
        assert_non_null(yr_dht_keys_make(&keys, pk));
    }
    most = mem.mem.used[YR_MEM_DHT];
    assert_true(most <= (size_t)1000 * 128); // 80 each, and the map
    keys.now_us = YR_DHT_KEYS_S * YR_S / 2;
    assert_non_null(yr_dht_keys_find(&keys, pk));
    yr_dht_keys_tick(&keys, YR_DHT_KEYS_S * YR_S);
    assert_int_equal(keys.count, 1);
    assert_true(mem.mem.used[YR_MEM_DHT] < most / 2);
    assert_non_null(yr_dht_keys_find(&keys, pk));
    yr_dht_keys_clear(&keys);
    assert_int_equal(mem.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_as_it_was_and_never_when_cut),
        cmocka_unit_test(padding_is_zeros_and_nothing_else),
        cmocka_unit_test(unknown_ops_lengths_and_counts_are_refused),
        cmocka_unit_test(no_reply_is_three_times_its_request),
        cmocka_unit_test(a_datagram_opens_for_its_receiver_only_and_not_for_its_sender),
        cmocka_unit_test(addresses_that_lead_nowhere_are_told_from_others),
        cmocka_unit_test(the_last_used_keys_are_kept_and_no_more),
        cmocka_unit_test(keys_that_are_forgotten_give_their_memory_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
