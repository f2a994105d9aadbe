#include <time.h>

#include "tests/core/room/epoch_world.h"

#define DAY YR_DAY_MS

#ifdef YAARI_SANITIZED
#define SLOW 10
#else
#define SLOW 1
#endif

static size_t epoch_count(struct world *w, size_t who)
{
    struct yr_epoch_info info;
    size_t n = 0;

    while (yr_epochs_info(w->p[who].epochs, n, &info))
        n++;
    return n;
}

static enum yr_err try_open(struct world *w, size_t who, const struct held *h, bool pruned)
{
    static uint8_t plain[YR_ROOM_BODY_MAX];
    size_t len;

    return yr_epochs_open(w->p[who].epochs, w->now, &h->record, &h->body, pruned, plain, &len);
}

static void a_text_is_read_by_the_members_and_by_nobody_else(void **state)
{
    struct world *w = room_of("epoch", 3, 0);
    struct held *h = text(w, &w->p[1]);

    assert_non_null(h);
    assert_int_equal(h->body.data_len, YR_CONTENT_PAD + YR_TAG_LEN);
    sync_all(w);
    assert_true(w->p[0].read[h - w->r] && w->p[2].read[h - w->r]);
    assert_false(w->p[3].read[h - w->r]);
    assert_int_equal(try_open(w, 3, h, false), YR_ENOENT);
    assert_int_equal(chosen(w, 0).state, YR_EPOCH_READY);
    assert_int_equal(chosen(w, 3).state, YR_EPOCH_BEHIND);
    assert_false(chosen(w, 3).usable);
    world_end(w);
}

static void a_newcomer_is_given_an_epoch_by_its_add_and_reads_nothing_from_before(void **state)
{
    struct world *w = room_of("epoch", 3, 0);
    struct held *before = text(w, &w->p[1]), *after, *its;

    assert_non_null(act(w, &w->p[1], YR_ROOM_ADD, &w->p[3], 10));
    after = text(w, &w->p[1]);
    assert_true(before != NULL && after != NULL);
    sync_all(w);
    assert_true(w->p[3].read[after - w->r] && w->p[0].read[after - w->r]);
    assert_false(w->p[3].read[before - w->r]);
    its = text(w, &w->p[3]);
    assert_non_null(its);
    sync_all(w);
    assert_true(w->p[0].read[its - w->r] && w->p[2].read[its - w->r]);
    assert_memory_equal(its->body.epoch, after->body.epoch, YR_EPOCH_ID_LEN);
    world_end(w);
}

// What an ADD of p[4] by p[1] would say with `e` as its parent.
static void keys_from(struct world *w, const struct yr_epoch *e, struct yr_add_keys *out)
{
    struct person *p = &w->p[1], *newcomer = &w->p[4];
    uint8_t es[32], commit[32], id[YR_EPOCH_ID_LEN], seed[32] = {7};
    struct yr_keypair eph;
    struct yr_chain chain;

    assert_int_equal(yr_chain_begin(p->epochs, e, YR_EPOCH_ADDS, p->mid, &chain), YR_OK);
    yr_epoch_es_of_add(es, chain.key, newcomer->sign_pk, newcomer->rx[0].public_key, p->mid);
    yr_chain_end(p->epochs, &chain);
    yr_epoch_commit(commit, es);
    memcpy(out->parent, e->id, sizeof out->parent);
    memcpy(out->nonce, commit, sizeof out->nonce);
    yr_keypair_from_seed(&eph, seed);
    memcpy(out->eph, eph.public_key, sizeof out->eph);
    yr_epoch_id_add(id, w->room_id, p->mid, out->nonce, newcomer->sign_pk);
    assert_int_equal(yr_epoch_share_seal(p->epochs, out->sealed, es, id, &eph,
                                         newcomer->rx[0].public_key, p->mid),
                     YR_OK);
}

static void an_add_that_does_not_give_what_it_says_makes_no_epoch_that_is_used(void **state)
{
    // the parent is an epoch of others; it is the right one; and then the commitment is not
    for (unsigned way = 0; way < 3; way++) {
        struct world *w = room_of("epoch", 3, 0);
        struct yr_epoch *e = yr_epoch_find(w->p[1].epochs, chosen(w, 1).id);
        struct yr_add_keys keys;
        const enum yr_epoch_state states[] = {YR_EPOCH_NONE, YR_EPOCH_READY, YR_EPOCH_BEHIND};

        if (way == 0)
            assert_non_null(act(w, &w->p[1], YR_ROOM_ADD, &w->p[3], 10));
        keys_from(w, e, &keys);
        keys.nonce[0] ^= way == 2;
        w->false_keys = &keys;
        assert_non_null(act(w, &w->p[1], YR_ROOM_ADD, &w->p[4], 10));
        sync_all(w);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(chosen(w, i).state, states[way]);
        rekey(w, &w->p[2]);
        sync_all(w);
        for (size_t i = 0; i < 5; i++)
            if (is_member(&w->p[i]))
                assert_int_equal(chosen(w, i).state, YR_EPOCH_READY);
        world_end(w);
    }
}

static void history_is_read_where_the_room_grants_it(void **state)
{
    for (unsigned days = 0; days <= 2; days += 2) {
        struct world *w = room_of("epoch", 3, days);
        struct held *before = text(w, &w->p[1]);

        assert_non_null(act(w, &w->p[1], YR_ROOM_ADD, &w->p[3], 10));
        history(w, &w->p[1], &w->p[3]);
        sync_all(w);
        assert_int_equal(w->p[3].read[before - w->r], days > 0);
        world_end(w);
    }
}

static void
a_removed_member_is_in_no_epoch_that_is_used_even_if_history_gave_it_an_older_one(void **state)
{
    struct world *w = room_of("epoch", 3, 2);
    struct yr_epoch_choice old = chosen(w, 0);

    assert_non_null(act(w, &w->p[0], YR_ROOM_ADD, &w->p[3], 10));
    history(w, &w->p[0], &w->p[3]);
    sync_all(w);
    assert_true(yr_epochs_readable(w->p[3].epochs, old.id));
    assert_non_null(act(w, &w->p[0], YR_ROOM_REMOVE, &w->p[3], 0));
    sync_all(w);
    for (size_t i = 0; i < 3; i++) // the same three people as at first
        assert_int_equal(chosen(w, i).state, YR_EPOCH_NONE);
    world_end(w);
}

static void a_rekey_for_others_than_the_members_is_no_epoch(void **state)
{
    static const enum malice ways[] = {ONE_MORE, ONE_LESS, TWICE};

    for (size_t k = 0; k < YR_COUNT(ways); k++) {
        struct world *w = room_of("epoch", 4, 0);
        const size_t epochs = epoch_count(w, 1), first = w->count;
        struct yr_epoch_choice before = chosen(w, 1), after;

        rekey_as(w, &w->p[0], 2, ways[k]);
        assert_int_equal(w->count, first + 2);
        assert_int_equal(receive(w, &w->p[1], &w->r[first]), YR_OK);
        assert_int_equal(receive(w, &w->p[1], &w->r[first + 1]), YR_EPROTO);
        assert_int_equal(epoch_count(w, 1), epochs);
        after = chosen(w, 1);
        assert_memory_equal(&after, &before, sizeof after);
        world_end(w);
    }
}

static void parts_come_in_any_order_any_number_of_times_and_all_must_come(void **state)
{
    struct world *w = room_of("epoch", 5, 0);
    struct person *p = &w->p[1];
    const size_t first = w->count;
    static const size_t order[] = {2, 2, 0, 0, 2, 1, 1, 0};
    struct yr_epoch_choice c;

    rekey_as(w, &w->p[0], 3, HONEST);
    assert_int_equal(w->count, first + 3);
    for (size_t i = 0; i < YR_COUNT(order); i++) {
        const struct held *h = &w->r[first + order[i]];
        c = chosen(w, 1);
        assert_int_equal(memcmp(c.id, chosen(w, 0).id, sizeof c.id) == 0, i > 5);
        assert_int_equal(
            yr_epochs_on_rekey(p->epochs, w->now, &h->record, &h->body, p->rx, p->rx_count), YR_OK);
        yr_epochs_free(p->epochs); // parts so far are in rows
        epochs_open(w, p);
    }
    c = chosen(w, 1);
    assert_memory_equal(c.id, chosen(w, 0).id, sizeof c.id);
    assert_int_equal(c.state, YR_EPOCH_READY);
    world_end(w);
}

static void one_author_has_one_unfinished_rekey(void **state)
{
    struct world *w = room_of("epoch", 4, 0);
    const size_t epochs = epoch_count(w, 1);

    for (size_t i = 0; i < 40; i++)
        rekey_as(w, &w->p[0], 2, CUT_OFF);
    sync_all(w);
    assert_int_equal(epoch_count(w, 1), epochs + 1);
    rekey(w, &w->p[0]);
    sync_all(w);
    assert_int_equal(epoch_count(w, 1), epochs + 1);
    assert_int_equal(chosen(w, 1).state, YR_EPOCH_READY);
    world_end(w);
}

static void
a_share_that_opens_nothing_or_not_what_was_committed_to_leaves_its_member_behind(void **state)
{
    for (size_t way = 0; way < 2; way++) {
        struct world *w = room_of("epoch", 2, 0);
        static uint8_t bytes[YR_ROOM_BODY_MAX];
        struct yr_room_record record;
        struct yr_rekey r;
        struct held *h;

        assert_int_equal(yr_epochs_rekey(w->p[0].epochs, &r), YR_OK);
        r.es[0] ^= way == 0; // not what commit is of
        draft(w, &w->p[0], YR_CLASS_MESSAGE, &record);
        assert_int_equal(yr_epochs_rekey_part(w->p[0].epochs, &r, 0, newest_rx, w, bytes,
                                              &record.body_len, record.deps, &record.dep_count),
                         YR_OK);
        if (way == 1)
            for (size_t i = record.body_len - 2 * (4 + 48); i < record.body_len; i += 4 + 48)
                bytes[i + 7] ^= 1;
        record.body = bytes;
        h = publish(w, &w->p[0], &record);
        receive(w, &w->p[0], h);
        receive(w, &w->p[1], h);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(chosen(w, i).state, YR_EPOCH_BEHIND);
            assert_true(chosen(w, i).usable); // the one before
            assert_memory_equal(chosen(w, i).best, r.id, sizeof r.id);
        }
        rekey(w, &w->p[1]);
        sync_all(w);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(chosen(w, i).state, YR_EPOCH_READY);
        assert_memory_equal(chosen(w, 0).id, chosen(w, 1).id, YR_EPOCH_ID_LEN);
        world_end(w);
    }
}

static void an_own_key_that_was_replaced_opens_what_is_on_its_way(void **state)
{
    struct world *w = room_of("epoch", 3, 0);
    struct person *p = &w->p[1];
    uint8_t seed[32];

    for (size_t times = 0; times < 2; times++) {
        rekey(w, &w->p[0]); // for the key that is known
        memmove(p->rx + 1, p->rx, 2 * sizeof p->rx[0]);
        yr_random(&w->rnd.rng, seed, sizeof seed);
        yr_keypair_from_seed(&p->rx[0], seed);
        p->rx_count++;
        sync_all(w);
        assert_int_equal(chosen(w, 1).state, YR_EPOCH_READY);
    }
    rekey(w, &w->p[0]);
    p->rx_count = 0; // all lost
    sync_all(w);
    assert_int_equal(chosen(w, 1).state, YR_EPOCH_BEHIND);
    world_end(w);
}

/* A copy of a record with another body or head, as its author could have signed it. */
struct forged {
    uint8_t bytes[YR_ROOM_RECORD_MAX];
    size_t len;
    struct held held;
};

static const struct held *forge(struct world *w, const struct held *h, struct forged *out,
                                const struct yr_room_body *body, uint64_t hlc)
{
    static uint8_t bytes[YR_ROOM_BODY_MAX];
    struct yr_room_record record = h->record;

    record.hlc = hlc;
    assert_int_equal(yr_room_body_encode(body, bytes, sizeof bytes, &record.body_len), YR_OK);
    record.body = bytes;
    assert_int_equal(yr_room_record_encode(&record, w->p[h->author].sign_sk, out->bytes,
                                           sizeof out->bytes, &out->len),
                     YR_OK);
    assert_int_equal(yr_room_record_decode(&out->held.record, out->bytes, out->len), YR_OK);
    assert_int_equal(yr_room_body_decode(&out->held.body, YR_CLASS_MESSAGE, out->held.record.body,
                                         out->held.record.body_len),
                     YR_OK);
    return &out->held;
}

static void what_is_wrong_with_a_text_opens_nothing_and_changes_nothing(void **state)
{
    struct world *w = room_of("epoch", 3, 0);
    struct held *first = text(w, &w->p[1]), *h = text(w, &w->p[1]);
    static struct forged f;
    struct yr_room_body body;
    uint8_t commit[32], data[128], nonce[24], epoch[16];

    assert_true(first != NULL && h != NULL);
    assert_int_equal(try_open(w, 0, h, false), YR_EPROTO); // the first is missing
    assert_int_equal(try_open(w, 0, first, false), YR_OK);
    for (unsigned way = 0; way < 8; way++) {
        body = h->body;
        memcpy(commit, body.commit, sizeof commit);
        memcpy(data, body.data, body.data_len);
        memcpy(nonce, body.nonce, sizeof nonce);
        memcpy(epoch, body.epoch, sizeof epoch);
        body.commit = commit, body.data = data, body.nonce = nonce, body.epoch = epoch;
        commit[3] ^= way == 0;
        data[3] ^= way == 1;
        nonce[3] ^= way == 2;
        epoch[3] ^= way == 3;
        body.index += way == 4 ? 1 : 0;
        body.index -= way == 5 ? 1 : 0;
        body.data_len -= way == 6 ? 1 : 0;
        assert_int_equal(try_open(w, 0, forge(w, h, &f, &body, h->record.hlc + (way == 7)), false),
                         ((const enum yr_err[]){YR_EAUTH, YR_EAUTH, YR_EAUTH, YR_ENOENT, YR_EPROTO,
                                                YR_EEXIST, YR_EPROTO, YR_EAUTH})[way]);
    }
    assert_int_equal(try_open(w, 0, h, false), YR_OK);
    assert_int_equal(try_open(w, 0, h, false), YR_EEXIST);
    assert_int_equal(try_open(w, 0, first, false), YR_EEXIST);
    f.held = *h;
    memcpy(f.held.record.author, w->p[4].mid, YR_MID_LEN); // not covered
    assert_int_equal(try_open(w, 0, &f.held, false), YR_EPROTO);
    world_end(w);
}

static void indices_are_skipped_only_over_records_that_were_pruned_and_not_too_far(void **state)
{
    struct world *w = room_of("epoch", 2, 0);
    struct held *h = text(w, &w->p[1]);
    static struct forged f;
    struct yr_room_body body = h->body;
    struct yr_epoch *e = yr_epoch_find(w->p[1].epochs, h->body.epoch);

    body.index = YR_ROOM_JUMP_MAX + 1;
    assert_int_equal(try_open(w, 0, forge(w, h, &f, &body, 1), true), YR_EPROTO);
    body.index = UINT32_MAX;
    assert_int_equal(try_open(w, 0, forge(w, h, &f, &body, 1), true), YR_EPROTO);
    body.index = YR_ROOM_JUMP_MAX; // far enough to be allowed; another key
    assert_int_equal(try_open(w, 0, forge(w, h, &f, &body, 1), true), YR_EAUTH);
    for (size_t i = 0; i < 9; i++)
        assert_non_null(h = text(w, &w->p[1]));
    assert_int_equal(h->body.index, 9);
    assert_int_equal(try_open(w, 0, h, false), YR_EPROTO);
    assert_int_equal(try_open(w, 0, h, true), YR_OK);
    assert_int_equal(try_open(w, 0, &w->r[w->count - 2], true), YR_EEXIST);
    assert_int_equal(e->count, 10);
    world_end(w);
}

static void texts_of_all_lengths_come_back(void **state)
{
    struct world *w = room_of("epoch", 2, 0);
    static uint8_t plain[YR_CONTENT_PLAIN_MAX + 1], body[YR_ROOM_BODY_MAX], back[YR_ROOM_BODY_MAX];
    static const size_t lens[] = {0, 1, 30, 31, 32, 33, 4096, YR_CONTENT_PLAIN_MAX};
    struct yr_room_record record;
    struct held *h;
    size_t len;

    memset(plain, 0x80, sizeof plain);
    for (size_t i = 0; i < YR_COUNT(lens); i++) {
        draft(w, &w->p[1], YR_CLASS_MESSAGE, &record);
        record.dep_count = YR_ROOM_DEPS_MAX; // the longest still fits with these
        for (size_t k = 0; k < YR_ROOM_DEPS_MAX; k++)
            record.deps[k][0] = (uint8_t)(9 - k);
        assert_int_equal(
            yr_epochs_seal(w->p[1].epochs, w->now, &record, plain, lens[i], body, sizeof body),
            YR_OK);
        assert_int_equal(record.body_len, yr_content_len(lens[i]));
        h = publish(w, &w->p[1], &record);
        assert_int_equal(
            yr_epochs_open(w->p[0].epochs, w->now, &h->record, &h->body, false, back, &len), YR_OK);
        assert_int_equal(len, lens[i]);
        assert_memory_equal(back, plain, len);
    }
    assert_int_equal(yr_epochs_seal(w->p[1].epochs, w->now, &record, plain,
                                    YR_CONTENT_PLAIN_MAX + 1, body, sizeof body),
                     YR_ESIZE);
    assert_int_equal(
        yr_epochs_seal(w->p[1].epochs, w->now, &record, plain, 8, body, yr_content_len(8) - 1),
        YR_ESIZE);
    assert_int_equal(yr_epochs_seal(w->p[5].epochs, w->now, &record, plain, 8, body, sizeof body),
                     YR_EAGAIN);
    world_end(w);
}

static void an_epoch_is_due_after_a_week_from_its_rekey_or_5000_texts(void **state)
{
    struct world *w = room_of("epoch", 2, 0);
    struct yr_room_record record;
    uint8_t body[256];

    w->now += 6 * DAY;
    assert_non_null(act(w, &w->p[0], YR_ROOM_ADD, &w->p[2], 10)); // renews nothing
    sync_all(w);
    assert_int_equal(chosen(w, 1).state, YR_EPOCH_READY);
    w->now += DAY;
    assert_int_equal(chosen(w, 1).state, YR_EPOCH_DUE);
    rekey(w, &w->p[1]);
    sync_all(w);
    assert_int_equal(chosen(w, 2).state, YR_EPOCH_READY);
    for (size_t i = 0; i < YR_ROOM_EPOCH_MESSAGES; i++) {
        assert_int_equal(chosen(w, 1).state, YR_EPOCH_READY);
        draft(w, &w->p[1], YR_CLASS_MESSAGE, &record);
        assert_int_equal(
            yr_epochs_seal(w->p[1].epochs, w->now, &record, NULL, 0, body, sizeof body), YR_OK);
    }
    assert_int_equal(chosen(w, 1).state, YR_EPOCH_DUE);
    assert_true(chosen(w, 1).usable);
    yr_epochs_free(w->p[1].epochs); // counted again from the rows
    epochs_open(w, &w->p[1]);
    assert_int_equal(chosen(w, 1).state, YR_EPOCH_DUE);
    world_end(w);
}

static void one_makes_an_epoch_a_minute_and_ten_a_day(void **state)
{
    struct world *w = room_of("epoch", 2, 0);
    struct yr_epochs *e = w->p[0].epochs;

    assert_false(yr_epochs_may_rekey(e, w->now));
    assert_true(yr_epochs_may_rekey(w->p[1].epochs, w->now));
    assert_true(yr_epochs_may_rekey(e, w->now + 60000));
    for (size_t i = 1; i < YR_ROOM_REKEYS_DAY; i++) {
        w->now += 60000;
        assert_true(yr_epochs_may_rekey(e, w->now));
        rekey(w, &w->p[0]);
    }
    assert_false(yr_epochs_may_rekey(e, w->now + 60000));
    assert_true(yr_epochs_may_rekey(e, T0 + DAY));
    world_end(w);
}

static void of_a_thousand_who_wait_few_end_first(void **state)
{
    struct seeded rnd;
    size_t early = 0, worst = 0;
    const size_t sizes[] = {1, 2, 3, 20, 1000};

    seeded_init(&rnd, 9);
    for (size_t k = 0; k < YR_COUNT(sizes); k++) {
        size_t sum = 0;
        for (size_t round = 0; round < 200; round++) {
            yr_ms first = 100000, waits[1000];
            for (size_t i = 0; i < sizes[k]; i++) {
                waits[i] = yr_epoch_delay_ms(sizes[k], seeded_u64(&rnd));
                assert_true(waits[i] >= 0 && waits[i] < 11 * YR_ROOM_REKEY_SLOT_MS);
                first = YR_MIN(first, waits[i]);
            }
            early = 0;
            for (size_t i = 0; i < sizes[k]; i++) // before they can know of the first
                early += waits[i] < first + YR_ROOM_REKEY_SLOT_MS / 2;
            sum += early;
            worst = YR_MAX(worst, early);
        }
        assert_true(sum < 200 * 3);
    }
    assert_true(worst < 40);
}

static void a_needkey_is_answered_once_a_day_and_only_for_the_epoch_in_use(void **state)
{
    struct world *w = room_of("epoch", 4, 0);
    struct yr_epoch_choice c = chosen(w, 1);
    struct yr_epochs *e = w->p[1].epochs;

    assert_int_equal(yr_epochs_answer_ms(e, w->now, w->p[1].mid, c.id, 5), 0); // ourselves
    assert_int_equal(yr_epochs_answer_ms(e, w->now, w->p[5].mid, c.id, 5), 0); // no member
    assert_int_equal(yr_epochs_answer_ms(e, w->now, w->p[2].mid, w->room_id, 5), 0);
    assert_true(yr_epochs_answer_ms(e, w->now, w->p[2].mid, c.id, 5) > 0);
    assert_int_equal(yr_epochs_answer_ms(e, w->now + DAY - 1, w->p[2].mid, c.id, 5), 0);
    assert_true(yr_epochs_answer_ms(e, w->now + DAY, w->p[2].mid, c.id, 5) > 0);
    assert_true(yr_epochs_answer_ms(e, w->now, w->p[3].mid, c.id, 5) > 0);
    world_end(w);
}

static void a_new_incarnation_sends_in_no_epoch_it_knew(void **state)
{
    struct world *w = room_of("epoch", 2, 0);
    struct yr_add_keys keys;
    struct held *h;

    assert_int_equal(yr_epochs_restart(w->p[0].epochs), YR_OK);
    assert_int_equal(chosen(w, 0).state, YR_EPOCH_BEHIND);
    assert_null(text(w, &w->p[0]));
    assert_int_equal(yr_epochs_add_keys(w->p[0].epochs, w->now, w->p[3].sign_pk,
                                        w->p[3].rx[0].public_key, &keys),
                     YR_OK);
    assert_true(is_zero(keys.parent, sizeof keys.parent));
    assert_non_null(h = text(w, &w->p[1])); // and reads in it
    sync_all(w);
    assert_true(w->p[0].read[h - w->r]);
    rekey(w, &w->p[0]);
    assert_int_equal(chosen(w, 0).state, YR_EPOCH_READY);
    world_end(w);
}

static void keys_go_when_their_time_is_over(void **state)
{
    struct world *w = room_of("epoch", 2, 3);
    struct held *h = text(w, &w->p[1]), *late = text(w, &w->p[1]);
    struct yr_epoch *e = yr_epoch_find(w->p[0].epochs, h->body.epoch);
    uint8_t id[YR_EPOCH_ID_LEN];

    memcpy(id, h->body.epoch, sizeof id);
    assert_int_equal(yr_epochs_tick(w->p[0].epochs, w->now + 100 * DAY), YR_OK); // in use
    assert_true(yr_epochs_readable(w->p[0].epochs, id) && e->kept);
    rekey(w, &w->p[0]);
    assert_int_equal(yr_epochs_tick(w->p[0].epochs, w->now), YR_OK);
    assert_int_equal(yr_epochs_tick(w->p[0].epochs, w->now + 3 * DAY - 1), YR_OK);
    assert_true(e->kept);
    assert_int_equal(yr_epochs_tick(w->p[0].epochs, w->now + 3 * DAY), YR_OK);
    assert_false(e->kept);
    assert_int_equal(try_open(w, 0, h, false), YR_OK);
    assert_int_equal(yr_epochs_tick(w->p[0].epochs, w->now + 30 * DAY - 1), YR_OK);
    assert_int_equal(try_open(w, 0, late, false), YR_OK);
    assert_int_equal(yr_epochs_tick(w->p[0].epochs, w->now + 30 * DAY), YR_OK);
    assert_false(yr_epochs_readable(w->p[0].epochs, id));
    assert_int_equal(epoch_count(w, 0), 1);
    world_end(w);
}

static void one_author_fills_its_own_share_and_nobody_elses(void **state)
{
    struct world *w = room_of("epoch", 3, 0);
    struct yr_epoch_choice c;
    uint8_t founders[YR_EPOCH_ID_LEN];

    memcpy(founders, chosen(w, 1).id, sizeof founders);
    for (size_t i = 0; i < YR_ROOM_EPOCHS_EACH + 20; i++)
        rekey(w, &w->p[2]);
    for (size_t i = 0; i < w->count; i++)
        if (!w->p[1].knows[i])
            receive(w, &w->p[1], &w->r[i]);
    assert_int_equal(epoch_count(w, 1), YR_ROOM_EPOCHS_EACH + 1);
    assert_true(yr_epochs_readable(w->p[1].epochs, founders));
    c = chosen(w, 1);
    assert_memory_equal(c.id, chosen(w, 2).id, sizeof c.id);
    world_end(w);
}

static void more_control_heads_than_a_record_cites_are_shared_by_the_parts(void **state)
{
    struct world *w = room_of("epoch", 4, 0);
    struct yr_room_op op = {.kind = YR_ROOM_SET, .key = 1, .parent_count = 1};
    const size_t first = w->count;

    memcpy(op.author, w->p[0].mid, YR_MID_LEN);
    memcpy(op.parents[0], w->create, YR_REC_ID_LEN);
    for (uint8_t n = 0; n < 20; n++) { // of several devices, as it were
        op.id[0] = (uint8_t)(n + 1);
        for (size_t i = 0; i < PEOPLE; i++)
            assert_int_equal(yr_authority_add(w->p[i].authority, &op), YR_OK);
    }
    assert_true(yr_authority_head_count(w->p[0].authority) > 2 * YR_ROOM_DEPS_MAX);
    rekey(w, &w->p[1]);
    assert_int_equal(w->count - first, 3);
    sync_all(w);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(chosen(w, i).state, YR_EPOCH_READY);
        assert_memory_equal(chosen(w, i).id, chosen(w, 1).id, YR_EPOCH_ID_LEN);
    }
    world_end(w);
}

static void what_is_not_committed_never_was_and_no_memory_leaves_the_rows_whole(void **state)
{
    struct world *w = room_of("epoch", 4, 0);
    struct person *p = &w->p[1];
    struct held *one = text(w, &w->p[0]), *two = text(w, &w->p[0]);
    bool refused = true;

    rowbox_settle(&p->box);
    for (size_t left = 0; refused; left++) {
        static uint8_t plain[YR_ROOM_BODY_MAX];
        size_t len;
        enum yr_err err;

        p->box.mem.left = left;
        err = yr_epochs_open(p->epochs, w->now, &one->record, &one->body, false, plain, &len);
        p->box.mem.left = SIZE_MAX;
        refused = err == YR_ENOMEM;
        assert_true(refused || err == YR_OK);
        if (!refused)
            break;
        yr_rows_reset(p->box.rows); // as after a failed commit
        yr_epochs_free(p->epochs);
        epochs_open(w, p);
    }
    rowbox_settle(&p->box); // the first is on disk, the second is not
    assert_int_equal(try_open(w, 1, two, false), YR_OK);
    yr_rows_reset(p->box.rows);
    yr_epochs_free(p->epochs);
    epochs_open(w, p);
    assert_int_equal(try_open(w, 1, one, false), YR_EEXIST);
    assert_int_equal(try_open(w, 1, two, false), YR_OK);
    assert_int_equal(chosen(w, 1).state, YR_EPOCH_READY);
    world_end(w);
}

static int by_mid(const void *a, const void *b)
{
    return memcmp(a, b, YR_MID_LEN);
}

static void a_leaf_is_taken_once_and_all_others_are_what_they_were(void **state)
{
    static struct yr_keytree tree;
    static uint8_t mids[300][YR_MID_LEN], row[YR_TREE_LEN_MAX];
    uint8_t root[32], leaf[32], want[32];
    struct seeded rnd;
    size_t largest = 0;

    seeded_init(&rnd, 4);
    yr_random(&rnd.rng, root, sizeof root);
    yr_random(&rnd.rng, mids, sizeof mids);
    for (size_t i = 1; i < 300; i += 10) // some with much in common
        memcpy(mids[i], mids[i - 1], 1 + i / 100);
    memcpy(mids[7], mids[8], 4);
    qsort(mids, 300, YR_MID_LEN, by_mid);
    yr_keytree_init(&tree, root);
    for (size_t n = 0; n < 300; n++) {
        const size_t i = (n * 77) % 300; // all of them, in no order
        const uint32_t place = yr_tree_place(mids[i]);
        const enum yr_err err =
            yr_keytree_take(&tree, (const uint8_t(*)[YR_MID_LEN])mids, 300, place, leaf);

        if (err == YR_OK) {
            yr_tree_leaf(want, root, place);
            assert_memory_equal(leaf, want, 32);
        } else { // of two in one place
            assert_true((i > 0 && yr_tree_place(mids[i - 1]) == place) ||
                        (i < 299 && yr_tree_place(mids[i + 1]) == place));
        }
        assert_int_equal(
            yr_keytree_take(&tree, (const uint8_t(*)[YR_MID_LEN])mids, 300, place, leaf),
            YR_ENOENT);
        largest = YR_MAX(largest, tree.count);
        assert_int_equal(yr_keytree_decode(&tree, row, yr_keytree_encode(&tree, row)), YR_OK);
    }
    assert_int_equal(tree.count, 0);
    assert_true(largest > 50 && largest < 200);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const uint8_t *any_key(void *ctx, const uint8_t mid[YR_MID_LEN])
{
    const struct world *w = ctx;

    for (size_t i = 0; i < 2; i++)
        if (memcmp(w->p[i].mid, mid, YR_MID_LEN) == 0)
            return w->p[i].rx[0].public_key;
    return w->p[PEOPLE - 1].rx[0].public_key;
}

static void a_room_of_a_thousand_costs_what_it_should(void **state)
{
    struct world *w = room_of("epoch", 2, 0);
    struct yr_room_op op = {.kind = YR_ROOM_ADD, .rank = 10, .parent_count = 1};
    static uint8_t bytes[YR_ROOM_BODY_MAX];
    struct yr_room_record record;
    struct yr_rekey r;
    struct held *h;
    double start, made, took = 0, opened;
    size_t first;

    memcpy(op.author, w->p[0].mid, YR_MID_LEN);
    yr_authority_heads(w->p[0].authority, op.parents);
    for (size_t n = 2; n < YR_ROOM_MEMBERS_MAX; n++) {
        yr_hash(op.id, &n, sizeof n);
        memcpy(op.target, op.id, YR_MID_LEN);
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(yr_authority_add(w->p[i].authority, &op), YR_OK);
        memcpy(op.parents[0], op.id, YR_REC_ID_LEN);
    }
    start = seconds();
    assert_int_equal(yr_epochs_rekey(w->p[0].epochs, &r), YR_OK);
    assert_int_equal(r.parts, 4);
    first = w->count;
    for (unsigned part = 0; part < r.parts; part++) {
        draft(w, &w->p[0], YR_CLASS_MESSAGE, &record);
        assert_int_equal(yr_epochs_rekey_part(w->p[0].epochs, &r, part, any_key, w, bytes,
                                              &record.body_len, record.deps, &record.dep_count),
                         YR_OK);
        record.body = bytes;
        publish(w, &w->p[0], &record);
    }
    made = seconds() - start;
    for (size_t i = first; i < w->count; i++) {
        start = seconds();
        receive(w, &w->p[1], &w->r[i]);
        took += seconds() - start;
        receive(w, &w->p[0], &w->r[i]);
    }
    assert_int_equal(chosen(w, 0).state, YR_EPOCH_READY);
    assert_non_null(h = text(w, &w->p[0]));
    start = seconds();
    assert_int_equal(try_open(w, 1, h, false), YR_OK);
    opened = seconds() - start;
    print_message("a REKEY for 1,000 members: made in %.1f ms, taken in %.2f ms; the first text in "
                  "it: opened in %.0f us\n",
                  made * 1e3, took * 1e3, opened * 1e6);
    assert_true(made < 0.5 * SLOW && took < 0.1 * SLOW);
    yr_rekey_clear(&r);
    world_end(w);
}

static void a_text_costs_little(void **state)
{
    struct world *w = room_of("epoch", 3, 0);
    double sealing = 0, opening = 0, start;
    struct held *h;

    for (size_t i = 0; i < 400; i++) {
        start = seconds();
        h = text(w, &w->p[0]);
        sealing += seconds() - start;
        start = seconds();
        assert_int_equal(try_open(w, 1, h, false), YR_OK);
        opening += seconds() - start;
    }
    print_message("a text: sealed, signed, encoded in %.1f us; opened in %.1f us\n",
                  sealing * 1e6 / 400, opening * 1e6 / 400);
    assert_true(opening < 400 * 0.001 * SLOW);
    world_end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_read_by_the_members_and_by_nobody_else),
        cmocka_unit_test(a_newcomer_is_given_an_epoch_by_its_add_and_reads_nothing_from_before),
        cmocka_unit_test(an_add_that_does_not_give_what_it_says_makes_no_epoch_that_is_used),
        cmocka_unit_test(history_is_read_where_the_room_grants_it),
        cmocka_unit_test(
            a_removed_member_is_in_no_epoch_that_is_used_even_if_history_gave_it_an_older_one),
        cmocka_unit_test(a_rekey_for_others_than_the_members_is_no_epoch),
        cmocka_unit_test(parts_come_in_any_order_any_number_of_times_and_all_must_come),
        cmocka_unit_test(one_author_has_one_unfinished_rekey),
        cmocka_unit_test(
            a_share_that_opens_nothing_or_not_what_was_committed_to_leaves_its_member_behind),
        cmocka_unit_test(an_own_key_that_was_replaced_opens_what_is_on_its_way),
        cmocka_unit_test(what_is_wrong_with_a_text_opens_nothing_and_changes_nothing),
        cmocka_unit_test(indices_are_skipped_only_over_records_that_were_pruned_and_not_too_far),
        cmocka_unit_test(texts_of_all_lengths_come_back),
        cmocka_unit_test(an_epoch_is_due_after_a_week_from_its_rekey_or_5000_texts),
        cmocka_unit_test(one_makes_an_epoch_a_minute_and_ten_a_day),
        cmocka_unit_test(of_a_thousand_who_wait_few_end_first),
        cmocka_unit_test(a_needkey_is_answered_once_a_day_and_only_for_the_epoch_in_use),
        cmocka_unit_test(a_new_incarnation_sends_in_no_epoch_it_knew),
        cmocka_unit_test(keys_go_when_their_time_is_over),
        cmocka_unit_test(one_author_fills_its_own_share_and_nobody_elses),
        cmocka_unit_test(more_control_heads_than_a_record_cites_are_shared_by_the_parts),
        cmocka_unit_test(what_is_not_committed_never_was_and_no_memory_leaves_the_rows_whole),
        cmocka_unit_test(a_leaf_is_taken_once_and_all_others_are_what_they_were),
        cmocka_unit_test(a_room_of_a_thousand_costs_what_it_should),
        cmocka_unit_test(a_text_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
