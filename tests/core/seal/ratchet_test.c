#include "core/seal/ratchet.h"
#include "tests/support/test.h"
#include "tests/support/two_friends.h"
#include "tests/support/vectors.h"

#define VECTORS YAARI_SOURCE_DIR "/tests/vectors/ratchet.json"

// All rows of a store, one behind the other.
static uint8_t skipped_before[TWO_SKIPPED_LEN], skipped_after[TWO_SKIPPED_LEN];

/* ---- recorded vectors ---- */

struct recorded {
    uint8_t at[64];
    size_t len, used;
};

static void fill_recorded(void *ctx, void *out, size_t len)
{
    struct recorded *r = ctx;

    assert_true(r->len - r->used >= len);
    memcpy(out, r->at + r->used, len);
    r->used += len;
}

static void assert_field(const uint8_t *got, size_t len, bool given, const json_t *state,
                         const char *key)
{
    uint8_t want[64];
    const size_t want_len = vector_bytes(want, sizeof want, state, key);

    if (!given) {
        assert_int_equal(want_len, 0);
        return;
    }
    assert_int_equal(want_len, len);
    assert_memory_equal(got, want, len);
}

static void assert_state(const struct side *side, const json_t *state)
{
    const struct yr_session *s = &side->session;
    const bool sends = (s->flags & YR_SESSION_SENDS) != 0;
    const bool receives = (s->flags & YR_SESSION_RECEIVES) != 0;

    assert_field(s->rk, 64, true, state, "rk");
    assert_field(s->dhs.secret_key, 32, true, state, "dhs");
    assert_field(s->dhr, 32, sends, state, "dhr"); // known exactly when there is a chain to it
    assert_field(s->cks, 32, sends, state, "cks");
    assert_field(s->ckr, 32, receives, state, "ckr");
    assert_int_equal(s->ns, vector_int(state, "ns"));
    assert_int_equal(s->nr, vector_int(state, "nr"));
    assert_int_equal(s->pn, vector_int(state, "pn"));
    assert_int_equal(side->skipped.count, vector_int(state, "skipped"));
}

static void replay_step(struct side sides[2], const json_t *steps, const json_t *step)
{
    struct side *side = &sides[vector_int(step, "who")];
    struct recorded r = {.used = 0};
    const struct yr_rng rng = {fill_recorded, &r};
    uint8_t plain[64], got[64], want[MSG_MAX], msg[MSG_MAX];
    size_t plain_len, got_len, want_len, msg_len;

    r.len = vector_bytes(r.at, sizeof r.at, step, "random");
    if (strcmp(json_string_value(json_object_get(step, "op")), "encrypt") == 0) {
        plain_len = vector_bytes(plain, sizeof plain, step, "plain");
        want_len = vector_bytes(want, sizeof want, step, "message");
        assert_int_equal(
            yr_session_encrypt(&side->session, &rng, plain, plain_len, msg, sizeof msg, &msg_len),
            YR_OK);
        assert_int_equal(msg_len, want_len);
        assert_memory_equal(msg, want, msg_len);
    } else {
        const json_t *sent = json_array_get(steps, (size_t)vector_int(step, "message"));
        msg_len = vector_bytes(msg, sizeof msg, sent, "message");
        plain_len = vector_bytes(plain, sizeof plain, sent, "plain");
        assert_int_equal(yr_session_decrypt(&side->session, &side->session, &side->skipped, NOW_S,
                                            &rng, msg, msg_len, got, sizeof got, &got_len),
                         YR_OK);
        assert_int_equal(got_len, plain_len);
        assert_memory_equal(got, plain, plain_len);
    }
    assert_int_equal(r.used, r.len);
    assert_state(side, json_object_get(step, "state"));
}

static void the_model_makes_the_same_messages_and_states(void **state)
{
    json_t *root = vectors_load(VECTORS);
    const json_t *v, *step, *start;
    size_t i, j, steps = 0;

    json_array_foreach(json_object_get(root, "sessions"), i, v)
    {
        uint8_t exporter[32], h[64], sid[16];
        struct yr_keypair prekey;
        struct recorded r = {.used = 0};
        const struct yr_rng rng = {fill_recorded, &r};
        struct side sides[2];
        struct test_mem mem;
        test_mem_init(&mem, 1 << 20);
        vector_bytes(exporter, 32, v, "exporter");
        vector_bytes(h, 64, v, "h");
        vector_bytes(prekey.secret_key, 32, v, "prekey");
        vector_bytes(sid, 16, v, "sid");
        r.len = vector_bytes(r.at, sizeof r.at, v, "random");
        yr_keypair_from_seed(&prekey, prekey.secret_key);
        assert_int_equal(
            yr_session_start_sender(&sides[0].session, exporter, h, prekey.public_key, DAY, &rng),
            YR_OK);
        yr_session_start_receiver(&sides[1].session, exporter, h, &prekey, DAY);
        start = json_object_get(v, "start");
        for (size_t k = 0; k < 2; k++) {
            yr_skipped_init(&sides[k].skipped, &mem.mem);
            assert_memory_equal(sides[k].session.sid, sid, sizeof sid);
            assert_state(&sides[k], json_array_get(start, k));
        }
        json_array_foreach(json_object_get(v, "steps"), j, step)
        {
            replay_step(sides, json_object_get(v, "steps"), step);
            steps++;
        }
        for (size_t k = 0; k < 2; k++)
            yr_skipped_clear(&sides[k].skipped);
        assert_int_equal(mem.live, 0);
    }
    assert_true(steps > 80);
    json_decref(root);
}

/* ---- the ordinary way ---- */

static void the_sender_sends_at_once_and_the_owner_once_it_has_received(void **state)
{
    struct two t;
    struct msg m;
    uint8_t out[MSG_MAX], sid8[8];
    size_t len;

    two_init(&t, 1);
    assert_int_equal(
        yr_session_encrypt(&t.sides[1].session, &t.rnd.rng, "x", 1, out, sizeof out, &len),
        YR_EAGAIN);
    send_from(&t, 0, 1, &m);
    assert_int_equal(yr_session_peek(m.at, m.len, sid8), YR_OK);
    assert_memory_equal(sid8, t.sides[1].session.sid, 8);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    send_from(&t, 1, 2, &m);
    assert_int_equal(deliver(&t, 0, &m), YR_OK);
    send_from(&t, 0, 3, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    two_clear(&t);
}

static void the_prekey_owner_need_not_wait_for_the_first_message_to_be_the_first(void **state)
{
    struct two t;
    struct msg m[3];

    two_init(&t, 2);
    for (uint32_t i = 0; i < 3; i++)
        send_from(&t, 0, i, &m[i]);
    assert_int_equal(deliver(&t, 1, &m[2]), YR_OK);
    assert_int_equal(deliver(&t, 1, &m[0]), YR_OK);
    assert_int_equal(deliver(&t, 1, &m[1]), YR_OK);
    assert_int_equal(t.sides[1].skipped.count, 0);
    two_clear(&t);
}

static void each_answer_brings_new_keys_so_a_stolen_state_is_of_no_lasting_use(void **state)
{
    struct two t;
    struct msg m;
    struct yr_session stolen;

    two_init(&t, 3);
    send_from(&t, 0, 1, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    stolen = t.sides[1].session;
    send_from(&t, 1, 2, &m);
    assert_int_equal(deliver(&t, 0, &m), YR_OK);
    send_from(&t, 0, 3, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    send_from(&t, 1, 4, &m); // under a key the stolen state never held
    assert_int_equal(deliver(&t, 0, &m), YR_OK);
    send_from(&t, 0, 5, &m);
    t.sides[1].session = stolen;
    assert_int_equal(deliver(&t, 1, &m), YR_EAUTH);
    two_clear(&t);
}

static void a_first_contact_handshake_starts_a_session_on_both_sides(void **state)
{
    struct yr_noise hs[2];
    struct yr_keypair s[2];
    uint8_t psk[32] = {1}, seed[2][32] = {{2}, {3}}, e[32] = {4}, exporter[2][32];
    uint8_t buf[256], payload[256];
    struct yr_prekey_own own;
    struct yr_prekey pub, got;
    size_t len, n;
    struct two t;
    struct msg m;

    two_init(&t, 4);
    for (size_t i = 0; i < 2; i++)
        yr_keypair_from_seed(&s[i], seed[i]);
    yr_noise_init(&hs[0], YR_NOISE_XKPSK0, true, &s[0], s[1].public_key, psk, NULL, 0);
    yr_noise_init(&hs[1], YR_NOISE_XKPSK0, false, &s[1], NULL, psk, NULL, 0);
    yr_prekey_new(&own, 77, NOW_S, &t.rnd.rng);
    yr_prekey_public(&pub, &own);
    yr_prekey_encode(payload, &pub);
    for (size_t step = 0; step < 3; step++) {
        e[0]++;
        // the inviter's prekey travels in message 2 here; B.5 sends it in FC_DATA
        assert_int_equal(yr_noise_write(&hs[step % 2], e, step == 1 ? payload : NULL,
                                        step == 1 ? YR_PREKEY_LEN : 0, buf, sizeof buf, &len),
                         YR_OK);
        assert_int_equal(yr_noise_read(&hs[1 - step % 2], buf, len, payload, sizeof payload, &n),
                         YR_OK);
        if (step == 1)
            assert_int_equal(yr_prekey_decode(&got, payload, n), YR_OK);
    }
    for (size_t i = 0; i < 2; i++)
        yr_noise_split(&hs[i], NULL, NULL, exporter[i]);
    assert_int_equal(got.id, 77);
    assert_int_equal(yr_session_start_sender(&t.sides[0].session, exporter[0], hs[0].hash, got.pk,
                                             DAY, &t.rnd.rng),
                     YR_OK);
    yr_session_start_receiver(&t.sides[1].session, exporter[1], hs[1].hash, &own.pair, DAY);
    send_from(&t, 0, 1, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    send_from(&t, 1, 2, &m);
    assert_int_equal(deliver(&t, 0, &m), YR_OK);
    two_clear(&t);
}

static void a_prekey_that_is_no_key_starts_nothing(void **state)
{
    const uint8_t exporter[32] = {1}, h[64] = {2}, zero[32] = {0};
    struct yr_session s, untouched;
    struct seeded rnd;

    seeded_init(&rnd, 1);
    memset(&s, 0xa5, sizeof s);
    memset(&untouched, 0xa5, sizeof untouched);
    assert_int_equal(yr_session_start_sender(&s, exporter, h, zero, DAY, &rnd.rng), YR_EAUTH);
    assert_memory_equal(&s, &untouched, sizeof s);
}

/* ---- what goes wrong ---- */

static void a_duplicate_is_said_to_be_one(void **state)
{
    struct two t;
    struct msg m[8];
    uint32_t n = 0;

    two_init(&t, 5);
    // ping-pong over several chains, then everything once more
    for (size_t i = 0; i < YR_COUNT(m); i++) {
        send_from(&t, i % 2, n++, &m[i]);
        assert_int_equal(deliver(&t, 1 - i % 2, &m[i]), YR_OK);
    }
    for (size_t i = 0; i < YR_COUNT(m); i++)
        assert_int_equal(deliver(&t, 1 - i % 2, &m[i]), YR_EEXIST);
    two_clear(&t);
}

static void a_late_message_opens_once_and_then_is_a_duplicate(void **state)
{
    struct two t;
    struct msg late, m;

    two_init(&t, 6);
    send_from(&t, 0, 1, &late);
    send_from(&t, 0, 2, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    send_from(&t, 1, 3, &m);
    assert_int_equal(deliver(&t, 0, &m), YR_OK);
    send_from(&t, 0, 4, &m);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    assert_int_equal(deliver(&t, 1, &late), YR_OK);
    assert_int_equal(deliver(&t, 1, &late), YR_EEXIST);
    two_clear(&t);
}

// Try a message that must not open, and see that nothing has moved.
static void assert_refused(struct two *t, size_t who, const uint8_t *msg, size_t len)
{
    struct side *side = &t->sides[who];
    const struct yr_session before = side->session;
    struct yr_session after, untouched;
    uint8_t out[MSG_MAX], out_untouched[MSG_MAX];
    size_t out_len = 77, n;
    enum yr_err err;

    memset(&untouched, 0xa5, sizeof untouched);
    memset(out_untouched, 0xa5, sizeof out_untouched);
    after = untouched;
    memcpy(out, out_untouched, sizeof out);
    n = encode_skipped(&side->skipped, skipped_before);
    (void)yr_skipped_changed(&side->skipped);
    err = yr_session_decrypt(&side->session, &after, &side->skipped, NOW_S, &t->rnd.rng, msg, len,
                             out, sizeof out, &out_len);
    assert_true(err == YR_EAUTH || err == YR_EPROTO || err == YR_EVERSION || err == YR_EEXIST ||
                err == YR_EFULL);
    assert_memory_equal(&after, &untouched, sizeof after);
    assert_memory_equal(out, out_untouched, sizeof out);
    assert_int_equal(out_len, 77);
    assert_memory_equal(&side->session, &before, sizeof before);
    assert_int_equal(encode_skipped(&side->skipped, skipped_after), n);
    assert_memory_equal(skipped_after, skipped_before, n);
    assert_int_equal(yr_skipped_changed(&side->skipped), 0);
}

static void no_bit_may_be_flipped_and_no_byte_cut_and_nothing_moves(void **state)
{
    struct two t;
    struct msg m[5];
    uint8_t bad[MSG_MAX];

    two_init(&t, 7);
    send_from(&t, 0, 0, &m[0]); // to come by a skipped key
    send_from(&t, 0, 1, &m[1]);
    assert_int_equal(deliver(&t, 1, &m[1]), YR_OK);
    send_from(&t, 0, 2, &m[2]); // next in its chain
    send_from(&t, 0, 3, &m[3]); // skips one
    send_from(&t, 1, 9, &m[4]);
    assert_int_equal(deliver(&t, 0, &m[4]), YR_OK);
    send_from(&t, 0, 4, &m[4]); // a new chain, two skipped in the old one
    for (size_t i = 0; i < YR_COUNT(m); i++) {
        if (i == 1)
            continue;
        for (size_t bit = 0; bit < 8 * m[i].len; bit++) {
            memcpy(bad, m[i].at, m[i].len);
            bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_refused(&t, 1, bad, m[i].len);
        }
        for (size_t cut = 0; cut < m[i].len; cut++)
            assert_refused(&t, 1, m[i].at, cut);
        memcpy(bad, m[i].at, m[i].len);
        bad[m[i].len] = 0;
        assert_refused(&t, 1, bad, m[i].len + 1);
    }
    for (size_t i = 0; i < YR_COUNT(m); i++)
        assert_int_equal(deliver(&t, 1, &m[i]), i == 1 ? YR_EEXIST : YR_OK);
    two_clear(&t);
}

static void every_byte_of_the_head_is_bound_to_its_message(void **state)
{
    struct two t;
    struct msg m[2];
    uint8_t mixed[MSG_MAX];

    two_init(&t, 8);
    send_from(&t, 0, 1, &m[0]);
    send_from(&t, 0, 2, &m[1]);
    memcpy(mixed, m[0].at, m[0].len);
    memcpy(mixed + 49, m[1].at + 49, m[1].len - 49); // nonce and text of the other
    assert_refused(&t, 1, mixed, m[0].len);
    two_clear(&t);
}

static void too_little_room_is_said_and_costs_nothing(void **state)
{
    struct two t;
    struct msg m;
    struct yr_session before, after;
    uint8_t out[MSG_MAX];
    size_t len;

    two_init(&t, 9);
    before = t.sides[0].session;
    for (size_t cap = 0; cap < YR_RATCHET_OVERHEAD + 5; cap++)
        assert_int_equal(
            yr_session_encrypt(&t.sides[0].session, &t.rnd.rng, "hello", 5, out, cap, &len),
            YR_ESIZE);
    assert_memory_equal(&t.sides[0].session, &before, sizeof before);
    send_from(&t, 0, 1, &m);
    assert_int_equal(yr_session_decrypt(&t.sides[1].session, &after, &t.sides[1].skipped, NOW_S,
                                        &t.rnd.rng, m.at, m.len, out, 3, &len),
                     YR_ESIZE);
    assert_int_equal(deliver(&t, 1, &m), YR_OK);
    two_clear(&t);
}

static void numbers_end_before_they_wrap(void **state)
{
    struct two t;
    struct msg m;
    uint8_t out[MSG_MAX];
    size_t len;

    two_init(&t, 10);
    t.sides[0].session.ns = UINT32_MAX - 1;
    send_from(&t, 0, 1, &m);
    assert_int_equal(
        yr_session_encrypt(&t.sides[0].session, &t.rnd.rng, "x", 1, out, sizeof out, &len),
        YR_EFULL);
    assert_int_equal(deliver(&t, 1, &m), YR_EFULL); // far beyond the limit
    memset(m.at + 45, 0xff, 4);
    assert_int_equal(deliver(&t, 1, &m), YR_EPROTO);
    two_clear(&t);
}

/* ---- rows ---- */

static void sessions_round_trip_and_every_truncation_is_refused(void **state)
{
    struct yr_session sessions[YR_SESSIONS_MAX], back[YR_SESSIONS_MAX];
    uint8_t row[YR_SESSIONS_ROW_MAX + 1];
    size_t len, count;
    struct two t;
    struct msg m;

    two_init(&t, 19);
    sessions[0] = t.sides[1].session; // fresh
    sessions[1] = t.sides[0].session;
    for (uint32_t i = 0; i < 7; i++) {
        send_from(&t, i % 2, i, &m);
        assert_int_equal(deliver(&t, 1 - i % 2, &m), YR_OK);
    }
    sessions[2] = t.sides[0].session;
    sessions[3] = t.sides[1].session;
    for (size_t n = 0; n <= YR_SESSIONS_MAX; n++) {
        len = yr_sessions_encode(row, sessions, n);
        assert_int_equal(yr_sessions_decode(back, &count, row, len), YR_OK);
        assert_int_equal(count, n);
        for (size_t i = 0; i < n; i++)
            assert_memory_equal(&back[i], &sessions[i], sizeof back[i]);
        memset(back, 0xa5, sizeof back);
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(yr_sessions_decode(back, &count, row, cut), YR_EPROTO);
        row[len] = 0;
        assert_int_equal(yr_sessions_decode(back, &count, row, len + 1), YR_EPROTO);
        assert_int_equal(*(uint8_t *)back, 0xa5);
        row[0]++;
        assert_int_equal(yr_sessions_decode(back, &count, row, len), YR_EVERSION);
    }
    row[0] = 1;
    row[2 + 16] = 4; // flags
    assert_int_equal(yr_sessions_decode(back, &count, row, len), YR_EPROTO);
    row[2 + 16] = 3;
    row[2 + 17] = YR_CHAINS_MAX + 1;
    assert_int_equal(yr_sessions_decode(back, &count, row, len), YR_EPROTO);
    row[2 + 17] = 0;
    row[1] = YR_SESSIONS_MAX + 1;
    assert_int_equal(yr_sessions_decode(back, &count, row, len), YR_EPROTO);
    two_clear(&t);
}

static void prekeys_round_trip_and_every_truncation_is_refused(void **state)
{
    uint8_t record[YR_PREKEY_LEN], row[YR_PREKEY_OWN_LEN + 1] = {0};
    struct yr_prekey_own own, own_back;
    struct yr_prekey pub, pub_back;
    struct seeded rnd;

    seeded_init(&rnd, 1);
    yr_prekey_new(&own, 0x01020304, 0x05060708, &rnd.rng);
    yr_prekey_public(&pub, &own);
    yr_prekey_encode(record, &pub);
    assert_memory_equal(record, "\x04\x03\x02\x01", 4);
    assert_memory_equal(record + 36, "\x08\x07\x06\x05", 4);
    assert_int_equal(yr_prekey_decode(&pub_back, record, sizeof record), YR_OK);
    assert_memory_equal(&pub_back, &pub, sizeof pub);
    for (size_t cut = 0; cut < sizeof record; cut++)
        assert_int_equal(yr_prekey_decode(&pub_back, record, cut), YR_EPROTO);

    assert_int_equal(yr_prekey_own_encode(row, &own), YR_PREKEY_OWN_LEN);
    for (size_t cut = 0; cut < YR_PREKEY_OWN_LEN; cut++)
        assert_int_equal(yr_prekey_own_decode(&own_back, row, cut), YR_EPROTO);
    assert_int_equal(yr_prekey_own_decode(&own_back, row, YR_PREKEY_OWN_LEN + 1), YR_EPROTO);
    assert_int_equal(yr_prekey_own_decode(&own_back, row, YR_PREKEY_OWN_LEN), YR_OK);
    assert_memory_equal(&own_back, &own, sizeof own);
    row[0] = 9;
    assert_int_equal(yr_prekey_own_decode(&own_back, row, YR_PREKEY_OWN_LEN), YR_EVERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_makes_the_same_messages_and_states),
        cmocka_unit_test(the_sender_sends_at_once_and_the_owner_once_it_has_received),
        cmocka_unit_test(the_prekey_owner_need_not_wait_for_the_first_message_to_be_the_first),
        cmocka_unit_test(each_answer_brings_new_keys_so_a_stolen_state_is_of_no_lasting_use),
        cmocka_unit_test(a_first_contact_handshake_starts_a_session_on_both_sides),
        cmocka_unit_test(a_prekey_that_is_no_key_starts_nothing),
        cmocka_unit_test(a_duplicate_is_said_to_be_one),
        cmocka_unit_test(a_late_message_opens_once_and_then_is_a_duplicate),
        cmocka_unit_test(no_bit_may_be_flipped_and_no_byte_cut_and_nothing_moves),
        cmocka_unit_test(every_byte_of_the_head_is_bound_to_its_message),
        cmocka_unit_test(too_little_room_is_said_and_costs_nothing),
        cmocka_unit_test(numbers_end_before_they_wrap),
        cmocka_unit_test(sessions_round_trip_and_every_truncation_is_refused),
        cmocka_unit_test(prekeys_round_trip_and_every_truncation_is_refused),
    };

    return cmocka_run_group_tests_name("ratchet", tests, NULL, NULL);
}
