#include "tests/support/two_friends.h"

#include "tests/support/test.h"

void two_init(struct two *t, uint64_t seed)
{
    uint8_t exporter[32], h[64];
    struct yr_prekey_own own;
    struct yr_prekey pub;

    seeded_init(&t->rnd, seed);
    test_mem_init(&t->mem, 16 << 20);
    yr_random(&t->rnd.rng, exporter, sizeof exporter);
    yr_random(&t->rnd.rng, h, sizeof h);
    yr_prekey_new(&own, 1, NOW_S, &t->rnd.rng);
    yr_prekey_public(&pub, &own);
    assert_int_equal(
        yr_session_start_sender(&t->sides[0].session, exporter, h, pub.pk, DAY, &t->rnd.rng),
        YR_OK);
    yr_session_start_receiver(&t->sides[1].session, exporter, h, &own.pair, DAY);
    for (size_t i = 0; i < 2; i++)
        yr_skipped_init(&t->sides[i].skipped, &t->mem.mem);
}

void two_clear(struct two *t)
{
    for (size_t i = 0; i < 2; i++) {
        yr_session_clear(&t->sides[i].session);
        yr_skipped_clear(&t->sides[i].skipped);
    }
    assert_int_equal(t->mem.live, 0);
    for (size_t i = 0; i < YR_MEM_COUNT; i++)
        assert_int_equal(t->mem.mem.used[i], 0);
}

void send_from(struct two *t, size_t who, uint32_t number, struct msg *out)
{
    out->number = number;
    assert_int_equal(yr_session_encrypt(&t->sides[who].session, &t->rnd.rng, &number, sizeof number,
                                        out->at, sizeof out->at, &out->len),
                     YR_OK);
    assert_int_equal(out->len, sizeof number + YR_RATCHET_OVERHEAD);
}

enum yr_err deliver(struct two *t, size_t who, const struct msg *m)
{
    struct side *side = &t->sides[who];
    struct yr_session after;
    uint32_t number = UINT32_MAX;
    size_t len = 0;
    const enum yr_err err =
        yr_session_decrypt(&side->session, &after, &side->skipped, NOW_S, &t->rnd.rng, m->at,
                           m->len, (uint8_t *)&number, sizeof number, &len);

    if (err == YR_OK) {
        assert_int_equal(len, sizeof number);
        assert_int_equal(number, m->number);
        side->session = after;
    } else {
        assert_int_equal(number, UINT32_MAX);
    }
    return err;
}

void lose(struct two *t, size_t who, size_t count)
{
    struct msg m;

    while (count-- > 0)
        send_from(t, who, 0, &m);
}

size_t encode_skipped(const struct yr_skipped *skipped, uint8_t out[TWO_SKIPPED_LEN])
{
    size_t len = 0;

    for (unsigned p = 0; p < YR_SKIPPED_PARTS; p++)
        len += yr_skipped_encode(skipped, p, out + len);
    return len;
}
