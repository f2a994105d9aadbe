#include "core/seal/pkh.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

#define DAY   19675u
#define NOW_S 1700000000u

/* Two friends, each with a device and an identity, and the owner's prekey. */
struct pair {
    struct seeded rnd;
    struct test_mem mem;
    struct yr_keypair device[2];
    uint8_t id[2][32], psk[32];
    struct yr_prekey_own prekey; /* of 0 */
    struct yr_prekey offered, next;
    struct yr_skipped skipped[2];
};

enum { OWNER, SENDER };

static void begin(struct pair *p)
{
    struct yr_prekey_own own;

    memset(p, 0, sizeof *p);
    seeded_init(&p->rnd, 1);
    test_mem_init(&p->mem, SIZE_MAX);
    for (size_t i = 0; i < 2; i++) {
        uint8_t seed[32];
        yr_random(&p->rnd.rng, seed, sizeof seed);
        yr_keypair_from_seed(&p->device[i], seed);
        yr_random(&p->rnd.rng, p->id[i], 32);
        yr_skipped_init(&p->skipped[i], &p->mem.mem);
    }
    yr_random(&p->rnd.rng, p->psk, sizeof p->psk);
    yr_prekey_new(&p->prekey, 7, NOW_S + 86400, &p->rnd.rng);
    yr_prekey_public(&p->offered, &p->prekey);
    yr_prekey_new(&own, 3, NOW_S + 2 * 86400, &p->rnd.rng);
    yr_prekey_public(&p->next, &own);
}

static void end(struct pair *p)
{
    yr_skipped_clear(&p->skipped[0]);
    yr_skipped_clear(&p->skipped[1]);
    assert_int_equal(p->mem.live, 0);
}

static struct yr_pkh_pair side(const struct pair *p, size_t who)
{
    return (struct yr_pkh_pair){&p->device[who], p->device[1 - who].public_key, p->id[who],
                                p->id[1 - who], p->psk};
}

static void start(struct pair *p, struct yr_session *session, uint8_t header[YR_PKH_LEN])
{
    const struct yr_pkh_pair pair = side(p, SENDER);

    assert_int_equal(yr_pkh_start(session, header, &pair, &p->offered, &p->next, DAY, &p->rnd.rng),
                     YR_OK);
}

static enum yr_err accept(struct pair *p, struct yr_session *session, struct yr_prekey *fresh,
                          const uint8_t header[YR_PKH_LEN])
{
    const struct yr_pkh_pair pair = side(p, OWNER);

    return yr_pkh_accept(session, fresh, &pair, &p->prekey, header, DAY);
}

static void say(struct pair *p, struct yr_session *from, struct yr_session *to, size_t who,
                const char *text)
{
    uint8_t msg[256], got[64];
    size_t len, n;

    assert_int_equal(
        yr_session_encrypt(from, &p->rnd.rng, text, strlen(text), msg, sizeof msg, &len), YR_OK);
    assert_int_equal(yr_session_decrypt(to, to, &p->skipped[who], NOW_S, &p->rnd.rng, msg, len, got,
                                        sizeof got, &n),
                     YR_OK);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(got, text, n);
}

static void a_session_starts_while_its_owner_is_away(void **state)
{
    struct yr_session sender, owner;
    struct yr_prekey fresh;
    uint8_t header[YR_PKH_LEN];
    struct pair p;

    (void)state;
    begin(&p);
    start(&p, &sender, header);
    assert_int_equal(yr_pkh_prekey(header), 7);
    assert_int_equal(accept(&p, &owner, &fresh, header), YR_OK);
    assert_memory_equal(sender.sid, owner.sid, YR_SID_LEN);
    assert_int_equal(fresh.id, 3);
    assert_memory_equal(fresh.pk, p.next.pk, 32);
    assert_int_equal(fresh.exp_s, p.next.exp_s);
    say(&p, &sender, &owner, OWNER, "are you there?");
    say(&p, &sender, &owner, OWNER, "no");
    say(&p, &owner, &sender, SENDER, "now I am");
    say(&p, &sender, &owner, OWNER, "at last");
    end(&p);
}

static void the_same_prekey_gives_another_session_each_time(void **state)
{
    struct yr_session a, b;
    uint8_t first[YR_PKH_LEN], second[YR_PKH_LEN];
    struct pair p;

    (void)state;
    begin(&p);
    start(&p, &a, first);
    start(&p, &b, second);
    assert_memory_not_equal(a.sid, b.sid, YR_SID_LEN);
    assert_memory_not_equal(first + 4, second + 4, 32);
    end(&p);
}

static void a_header_that_is_repeated_opens_the_same_session(void **state)
{
    struct yr_session sender, once, again;
    struct yr_prekey fresh;
    uint8_t header[YR_PKH_LEN];
    struct pair p;

    (void)state;
    begin(&p);
    start(&p, &sender, header);
    assert_int_equal(accept(&p, &once, &fresh, header), YR_OK);
    assert_int_equal(accept(&p, &again, &fresh, header), YR_OK);
    assert_memory_equal(once.sid, again.sid, YR_SID_LEN);
    end(&p);
}

static void no_bit_of_a_header_may_differ(void **state)
{
    struct yr_session sender, owner;
    uint8_t header[YR_PKH_LEN];
    struct pair p;

    (void)state;
    begin(&p);
    start(&p, &sender, header);
    // The id of the prekey is looked up by the caller; here it is the one that was looked up.
    for (size_t bit = 8 * 4; bit < 8 * YR_PKH_LEN; bit++) {
        struct yr_prekey fresh = {.id = 99};
        header[bit / 8] ^= (uint8_t)(1U << bit % 8);
        memset(&owner, 0x5a, sizeof owner);
        assert_int_not_equal(accept(&p, &owner, &fresh, header), YR_OK);
        assert_int_equal(fresh.id, 99);
        assert_int_equal(owner.flags, 0x5a);
        header[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    end(&p);
}

static void only_this_pair_and_this_prekey_open_it(void **state)
{
    struct yr_session sender, owner;
    struct yr_prekey fresh;
    uint8_t header[YR_PKH_LEN], other[32] = {1};
    struct pair p;

    (void)state;
    begin(&p);
    start(&p, &sender, header);
    struct yr_pkh_pair pair = side(&p, OWNER);
    struct yr_prekey_own wrong_id = p.prekey, wrong_key;
    const struct yr_keypair stranger = p.device[SENDER];

    wrong_id.id = 8;
    assert_int_equal(yr_pkh_accept(&owner, &fresh, &pair, &wrong_id, header, DAY), YR_EAUTH);
    yr_prekey_new(&wrong_key, 7, NOW_S, &p.rnd.rng);
    assert_int_equal(yr_pkh_accept(&owner, &fresh, &pair, &wrong_key, header, DAY), YR_EAUTH);
    pair.pkh_psk = other;
    assert_int_equal(yr_pkh_accept(&owner, &fresh, &pair, &p.prekey, header, DAY), YR_EAUTH);
    pair = side(&p, OWNER);
    pair.peer_id = other;
    assert_int_equal(yr_pkh_accept(&owner, &fresh, &pair, &p.prekey, header, DAY), YR_EAUTH);
    pair = side(&p, OWNER);
    pair.own_id = other;
    assert_int_equal(yr_pkh_accept(&owner, &fresh, &pair, &p.prekey, header, DAY), YR_EAUTH);
    pair = side(&p, OWNER);
    pair.own = &stranger;
    assert_int_equal(yr_pkh_accept(&owner, &fresh, &pair, &p.prekey, header, DAY), YR_EAUTH);
    pair = side(&p, OWNER);
    pair.peer = p.device[OWNER].public_key;
    assert_int_equal(yr_pkh_accept(&owner, &fresh, &pair, &p.prekey, header, DAY), YR_EAUTH);
    end(&p);
}

// What the vectors of Noise prove for KK1psk2 then holds for the handshake whose first message
// stays.
static void the_prekey_stands_for_the_first_message(void **state)
{
    struct yr_noise travels[2], stays[2];
    uint8_t msg[48], none[1];
    size_t len;
    struct pair p;

    (void)state;
    begin(&p);
    for (size_t i = 0; i < 2; i++) {
        const bool owner = i == OWNER;
        yr_noise_init(&travels[i], YR_NOISE_KK1PSK2, owner, &p.device[i],
                      p.device[1 - i].public_key, p.psk, "x", 1);
        stays[i] = travels[i];
        yr_noise_prekey(&stays[i], owner ? &p.prekey.pair : NULL, owner ? NULL : p.offered.pk);
    }
    assert_int_equal(
        yr_noise_write(&travels[OWNER], p.prekey.pair.secret_key, NULL, 0, msg, sizeof msg, &len),
        YR_OK);
    assert_int_equal(yr_noise_read(&travels[SENDER], msg, len, none, 0, &len), YR_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_memory_equal(travels[i].hash, stays[i].hash, sizeof stays[i].hash);
        assert_memory_equal(travels[i].chaining_key, stays[i].chaining_key,
                            sizeof stays[i].chaining_key);
        assert_int_equal(travels[i].step, stays[i].step);
    }
    end(&p);
}

// A prekey of small order would make the root known to everybody.
static void a_worthless_prekey_starts_nothing(void **state)
{
    struct yr_session sender;
    uint8_t header[YR_PKH_LEN];
    struct pair p;

    (void)state;
    begin(&p);
    const struct yr_pkh_pair pair = side(&p, SENDER);
    memset(p.offered.pk, 0, sizeof p.offered.pk);
    assert_int_equal(yr_pkh_start(&sender, header, &pair, &p.offered, &p.next, DAY, &p.rnd.rng),
                     YR_EAUTH);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_starts_while_its_owner_is_away),
        cmocka_unit_test(the_same_prekey_gives_another_session_each_time),
        cmocka_unit_test(a_header_that_is_repeated_opens_the_same_session),
        cmocka_unit_test(no_bit_of_a_header_may_differ),
        cmocka_unit_test(only_this_pair_and_this_prekey_open_it),
        cmocka_unit_test(the_prekey_stands_for_the_first_message),
        cmocka_unit_test(a_worthless_prekey_starts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
