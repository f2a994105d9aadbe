/* Members and former members who do to the epochs what nobody honest would. */
#include <time.h>

#include "tests/core/room/epoch_world.h"

#define DAY YR_DAY_MS

// A REKEY by `p` for just these, which cites what it knows; `copies` shares for each.
static struct held *rekey_for(struct world *w, struct person *p, struct person *const *to,
                              size_t count, size_t copies, bool good)
{
    static uint8_t bytes[YR_ROOM_BODY_MAX], list[YR_ROOM_SEALED_MAX * (4 + 48)];
    uint8_t es[32], commit[32], nonce[16], seed[32], id[YR_EPOCH_ID_LEN];
    struct yr_room_body body = {.kind = YR_ROOM_REKEY, .parts = 1, .list = list};
    struct yr_room_record record;
    struct yr_keypair eph;
    struct held *h;

    yr_random(&w->rnd.rng, es, sizeof es);
    yr_random(&w->rnd.rng, nonce, sizeof nonce);
    yr_random(&w->rnd.rng, seed, sizeof seed);
    yr_keypair_from_seed(&eph, seed);
    yr_epoch_commit(commit, es);
    yr_epoch_id_rekey(id, w->room_id, p->mid, nonce, commit);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < copies; k++) {
            uint8_t *entry = list + body.list_count++ * (4 + 48);

            memcpy(entry, to[i]->mid, 4);
            assert_int_equal(yr_epoch_share_seal(p->epochs, entry + 4, es, id, &eph,
                                                 to[i]->rx[0].public_key, p->mid),
                             YR_OK);
            entry[10] ^= !good;
        }
    body.nonce = nonce;
    body.commit = commit;
    body.eph = eph.public_key;
    draft(w, p, YR_CLASS_MESSAGE, &record);
    record.dep_count = yr_authority_heads(p->authority, record.deps);
    assert_int_equal(yr_room_body_encode(&body, bytes, sizeof bytes, &record.body_len), YR_OK);
    record.body = bytes;
    h = publish(w, p, &record);
    p->knows[h - w->r] = true;
    return h;
}

// All it needs is a present member that passes on what it signs.
static void who_was_removed_makes_no_epoch_for_those_who_are_left(void **state)
{
    struct world *w = room_of("epoch-attack", 4, 0);
    struct person *left[] = {&w->p[0], &w->p[1], &w->p[2]};
    struct held *h;

    assert_non_null(act(w, &w->p[0], YR_ROOM_REMOVE, &w->p[3], 0));
    sync_all(w);
    for (size_t n = 0; n < 2; n++) {
        h = rekey_for(w, n == 0 ? &w->p[3] : &w->p[5], left, 3, 1, true);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(receive(w, &w->p[i], h), YR_EPROTO);
            assert_int_equal(chosen(w, i).state, YR_EPOCH_NONE);
        }
    }
    h = rekey_for(w, &w->p[2], left, 3, 1, true); // as an honest one would
    assert_int_equal(receive(w, &w->p[0], h), YR_OK);
    assert_int_equal(chosen(w, 0).state, YR_EPOCH_READY);
    world_end(w);
}

// A text by `p` in an epoch whose root it was given, though it was made for others.
static struct held *text_from_root(struct world *w, struct person *p, const struct yr_epoch *e,
                                   const uint8_t root[32])
{
    static uint8_t bytes[YR_ROOM_BODY_MAX];
    uint8_t key[32], kc[32], head[YR_ROOM_SIGNED_MIN + YR_ROOM_DEPS_MAX * YR_REC_ID_LEN];
    uint8_t text[YR_CONTENT_PAD + YR_TAG_LEN] = "text 0\x80", nonce[YR_NONCE_LEN] = {0};
    struct yr_room_body body = {
        .kind = YR_ROOM_CONTENT, .epoch = e->id, .commit = kc, .nonce = nonce, .data = text};
    struct yr_room_record record;
    size_t len;

    yr_tree_leaf(key, root, yr_tree_place(p->mid));
    yr_kdf(key, 32, key, YR_LABEL_ROOM_CK, p->mid, YR_MID_LEN);
    yr_kdf(key, 32, key, YR_LABEL_ROOM_MK, NULL, 0);
    yr_kdf(kc, 32, key, YR_LABEL_ROOM_KC, NULL, 0);
    draft(w, p, YR_CLASS_MESSAGE, &record);
    record.body_len = yr_content_len(6);
    assert_int_equal(yr_room_record_head(&record, head, sizeof head, &len), YR_OK);
    yr_seal_x(text, key, nonce, head, len, text, YR_CONTENT_PAD);
    body.data_len = sizeof text;
    assert_int_equal(yr_room_body_encode(&body, bytes, sizeof bytes, &record.body_len), YR_OK);
    record.body = bytes;
    return publish(w, p, &record);
}

static void who_is_not_covered_says_nothing_in_an_epoch_that_history_gave_us(void **state)
{
    for (unsigned added = 0; added < 2; added++) {
        struct world *w = room_of("epoch-attack", 3, 2);
        const struct yr_epoch *e;
        uint8_t root[32 + 64], plain[YR_ROOM_BODY_MAX];
        struct held *h[2];
        size_t len;

        if (added)
            assert_non_null(act(w, &w->p[0], YR_ROOM_ADD, &w->p[6], 10));
        e = yr_epoch_find(w->p[0].epochs, chosen(w, 0).id);
        assert_int_equal(e->added, added);
        assert_int_equal(yr_epoch_get(w->p[0].epochs, e, YR_EPOCH_KEPT, root, sizeof root, &len),
                         YR_OK);
        h[0] = text_from_root(w, &w->p[5], e, root); // one of them has told it
        h[1] = text_from_root(w, &w->p[1], e, root);
        assert_non_null(act(w, &w->p[0], YR_ROOM_ADD, &w->p[3], 10));
        history(w, &w->p[0], &w->p[3]);
        for (size_t i = 0; i < w->count; i++)
            if (w->r[i].body.kind != YR_ROOM_CONTENT && !w->p[3].knows[i])
                receive(w, &w->p[3], &w->r[i]);
        for (size_t i = 0; i < 4; i += 3)
            for (size_t k = 0; k < 2; k++)
                assert_int_equal(yr_epochs_open(w->p[i].epochs, w->now, &h[k]->record, &h[k]->body,
                                                false, plain, &len),
                                 k == 0 ? YR_EPROTO : YR_OK);
        world_end(w);
    }
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void hundreds_of_shares_for_one_member_cost_it_few_key_agreements(void **state)
{
    struct world *w = room_of("epoch-attack", 3, 0);
    struct person *p = &w->p[1];
    struct held *h = rekey_for(w, &w->p[2], &p, 1, YR_ROOM_SEALED_MAX, false);
    uint8_t seed[32], dh[32];
    double one, all;

    for (size_t i = 0; i < 3; i++) {
        yr_random(&w->rnd.rng, seed, sizeof seed);
        yr_keypair_from_seed(&p->rx[i], seed);
    }
    p->rx_count = 3;
    one = seconds();
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(yr_dh(dh, p->rx[i % 3].secret_key, w->p[2].rx[0].public_key), YR_OK);
    one = (seconds() - one) / 100;
    all = seconds();
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(receive(w, p, h), YR_EPROTO);
    all = (seconds() - all) / 5;
    if (all > 250 * one) // 3, and 768 trials
        fail_msg("%.3f ms, as much as %.0f key agreements", 1e3 * all, all / one);
    world_end(w);
}

// A clock that was years ahead, and is set right.
static void times_to_come_hold_up_nothing(void **state)
{
    struct world *w = room_of("epoch-attack", 2, 0);
    struct person *p = &w->p[0];
    const yr_ms right = w->now;
    struct yr_epoch *old = yr_epoch_find(p->epochs, chosen(w, 0).id);

    w->now = right + 3650 * DAY;
    rekey(w, p);
    assert_int_equal(yr_epochs_tick(p->epochs, w->now), YR_OK);
    w->now = right;
    assert_int_equal(yr_epochs_tick(p->epochs, w->now), YR_OK);
    assert_int_equal(chosen(w, 0).state, YR_EPOCH_READY);
    assert_true(yr_epochs_may_rekey(p->epochs, right + 60000));
    yr_epochs_free(p->epochs);
    epochs_open(w, p); // it is so in the rows, too
    w->now = right + 7 * DAY;
    assert_int_equal(chosen(w, 0).state, YR_EPOCH_DUE);
    assert_int_equal(yr_epochs_tick(p->epochs, right + YR_ROOM_CHAINS_DAYS * DAY), YR_OK);
    old = yr_epoch_find(p->epochs, chosen(w, 0).id);
    for (size_t i = 0; i < p->epochs->count; i++)
        assert_ptr_equal(p->epochs->list[i], old);
    world_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_removed_makes_no_epoch_for_those_who_are_left),
        cmocka_unit_test(who_is_not_covered_says_nothing_in_an_epoch_that_history_gave_us),
        cmocka_unit_test(hundreds_of_shares_for_one_member_cost_it_few_key_agreements),
        cmocka_unit_test(times_to_come_hold_up_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
