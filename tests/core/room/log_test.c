#include "core/room/log.h"

#include <stdio.h>

#include "tests/support/roomlog.h"
#include "tests/support/test.h"

/* ---- one room: alice founded it, bob and carol are members, mallory is nobody ---- */

struct room {
    struct seeded rnd;
    struct scribe alice, bob, carol, mallory;
    struct slip create;
    struct keeper a, b; /* alice's log and bob's */
};

static void room_init(struct room *r, uint64_t seed)
{
    memset(r, 0, sizeof *r);
    seeded_init(&r->rnd, seed);
    scribe_init(&r->alice, &r->rnd);
    scribe_init(&r->bob, &r->rnd);
    scribe_init(&r->carol, &r->rnd);
    scribe_init(&r->mallory, &r->rnd);
    scribe_found(&r->alice, &r->create);
    keeper_init(&r->a, seed + 1);
    keeper_init(&r->b, seed + 2);
    keeper_begin(&r->a, &r->create);
    keeper_begin(&r->b, &r->create);
    scribe_enter(&r->bob, yr_room_log_id(r->a.log));
    scribe_enter(&r->carol, yr_room_log_id(r->a.log));
    scribe_enter(&r->mallory, yr_room_log_id(r->a.log));
    scribe_add(&r->alice, &r->a, &r->bob, YR_RANK_MEMBER, NULL);
    scribe_add(&r->alice, &r->a, &r->carol, YR_RANK_MOD, NULL);
}

static void room_clear(struct room *r)
{
    slip_clear(&r->create);
    keeper_clear(&r->a);
    keeper_clear(&r->b);
}

// Every record of one log, in the order it came, then the states.
static void copy_all(struct keeper *from, struct pile *out)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    struct yr_chain_info info;
    size_t len;

    for (uint64_t at = 1; at <= yr_room_log_end(from->log); at++) {
        struct yr_room_entry entry;

        assert_int_equal(yr_room_log_at(from->log, at, bytes, sizeof bytes, &len, &entry), YR_OK);
        assert_int_equal(entry.arrival, at);
        pile_add(out, bytes, len);
        assert_memory_equal(out->slips[out->count - 1].id, entry.id, YR_REC_ID_LEN);
    }
    for (size_t i = 0; yr_room_log_chain(from->log, i, &info); i++)
        if (info.key.class == YR_CLASS_STATE) {
            assert_int_equal(info.key.incarnation[0], yr_room_kind_number(YR_ROOM_KEY));
            assert_int_equal(
                yr_room_log_state(from->log, info.key.mid, YR_ROOM_KEY, bytes, sizeof bytes, &len),
                YR_OK);
            pile_add(out, bytes, len);
        }
}

// As a neighbour in sync does.
static void give_all(struct keeper *from, struct keeper *to)
{
    struct pile pile = {NULL, 0, 0};

    copy_all(from, &pile);
    for (size_t i = 0; i < pile.count; i++)
        (void)keeper_put(to, &pile.slips[i]);
    pile_clear(&pile);
}

/* ---- taking records ---- */

static void what_one_log_has_another_takes_in_the_same_order(void **state)
{
    struct room r;

    room_init(&r, 1);
    for (size_t i = 0; i < 20; i++) {
        scribe_text(&r.alice, &r.a, "hello", NULL);
        scribe_text(&r.bob, &r.a, "hi", NULL);
    }
    scribe_key(&r.bob, &r.a, r.mallory.seal_pk, NULL);
    give_all(&r.a, &r.b);
    keeper_assert_equal(&r.a, &r.b);
    assert_int_equal(yr_room_log_end(r.b.log), 43);
    assert_int_equal(r.b.told_count, 44);
    for (size_t i = 0; i < 43; i++)
        assert_int_equal(r.b.told[i].entry.arrival, i + 1);
    room_clear(&r);
}

static void what_is_durable_is_read_again(void **state)
{
    struct room r;
    uint8_t before[32], after[32];

    room_init(&r, 2);
    scribe_text(&r.alice, &r.a, "hello", NULL);
    scribe_key(&r.bob, &r.a, r.mallory.seal_pk, NULL);
    keeper_commit(&r.a);
    yr_room_log_digest(r.a.log, before);
    scribe_text(&r.alice, &r.a, "lost", NULL);
    keeper_crash(&r.a);
    yr_room_log_digest(r.a.log, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(yr_room_log_end(r.a.log), 4);
    give_all(&r.a, &r.b);
    keeper_assert_equal(&r.a, &r.b);
    room_clear(&r);
}

/* ---- records that are no good ---- */

static void put_bytes_refused(struct keeper *k, const uint8_t *bytes, size_t len,
                              const char *counter, bool forged)
{
    const uint64_t before = keeper_counter(k, counter), end = yr_room_log_end(k->log);

    assert_int_equal(keeper_put_from(k, bytes, len, 1), YR_PUT_REFUSED);
    assert_int_equal(k->forged, forged);
    assert_int_equal(keeper_counter(k, counter), before + 1);
    assert_int_equal(yr_room_log_end(k->log), end);
    assert_int_equal(yr_room_log_held(k->log), 0);
}

static void refused(struct keeper *k, struct slip *slip, const char *counter, bool forged)
{
    put_bytes_refused(k, slip->bytes, slip->len, counter, forged);
    slip_clear(slip);
}

static void a_record_that_is_cut_or_too_long_is_refused(void **state)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX + 1];
    struct room r;
    struct slip slip;

    room_init(&r, 3);
    scribe_text(&r.alice, &r.a, "hello", &slip);
    for (size_t len = 0; len < slip.len; len++)
        put_bytes_refused(&r.b, slip.bytes, len, "room.drop.form", true);
    memcpy(bytes, slip.bytes, slip.len);
    put_bytes_refused(&r.b, bytes, slip.len + 1, "room.drop.form", true);
    put_bytes_refused(&r.b, bytes, sizeof bytes, "room.drop.form", true);
    slip_clear(&slip);
    room_clear(&r);
}

static void one_changed_bit_is_refused_wherever_it_is(void **state)
{
    struct room r;
    struct slip slip;

    room_init(&r, 4);
    give_all(&r.a, &r.b);
    scribe_text(&r.alice, &r.a, "hello", &slip);
    for (size_t bit = 0; bit < 8 * slip.len; bit++) {
        const uint64_t end = yr_room_log_end(r.b.log);
        enum yr_put what;

        slip.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        what = keeper_put(&r.b, &slip);
        slip.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        // One of another author may be meant for somebody who is added later.
        assert_true(what == YR_PUT_REFUSED || what == YR_PUT_HELD);
        assert_int_equal(yr_room_log_end(r.b.log), end);
    }
    KEEPER_SEES(&r.b, &slip, YR_PUT_NEW);
    assert_int_equal(keeper_counter(&r.b, "room.accepted"), 4);
    slip_clear(&slip);
    room_clear(&r);
}

static void the_same_record_under_another_signature_is_the_same(void **state)
{
    struct room r;
    struct slip slip;

    room_init(&r, 5);
    give_all(&r.a, &r.b);
    scribe_text(&r.alice, &r.a, "hello", &slip);
    KEEPER_SEES(&r.b, &slip, YR_PUT_NEW);
    KEEPER_SEES(&r.b, &slip, YR_PUT_KNOWN);
    slip.bytes[slip.len - 1] ^= 1;
    KEEPER_SEES(&r.b, &slip, YR_PUT_KNOWN);
    assert_int_equal(yr_room_log_end(r.b.log), 4);
    assert_int_equal(keeper_counter(&r.b, "room.duplicate"), 1 + 2); // CREATE was given, too
    slip_clear(&slip);
    room_clear(&r);
}

static void a_record_signed_by_another_is_forged(void **state)
{
    struct room r;
    struct slip slip;
    struct scribe thief;

    room_init(&r, 6);
    give_all(&r.a, &r.b);
    thief = r.alice;
    thief.keys = r.mallory.keys; // writes in alice's name
    scribe_text(&thief, &r.a, "send me money", &slip);
    refused(&r.b, &slip, "room.drop.signature", true);
    room_clear(&r);
}

static void a_record_of_another_room_is_forged(void **state)
{
    struct room r, other;
    struct slip slip;

    room_init(&r, 7);
    room_init(&other, 8);
    scribe_text(&other.alice, &other.a, "hello", &slip);
    refused(&r.b, &slip, "room.drop.foreign", true);
    slip = (struct slip){.bytes = NULL};
    put_bytes_refused(&r.b, other.create.bytes, other.create.len, "room.drop.foreign", true);
    room_clear(&other);
    room_clear(&r);
}

static void what_a_later_version_may_know_is_refused_without_blame(void **state)
{
    struct room r;
    struct yr_room_record draft;
    struct slip slip;
    uint8_t body[8] = {200, 1, 2, 3};

    room_init(&r, 9);
    give_all(&r.a, &r.b);
    scribe_draft(&r.alice, &r.a, YR_CLASS_MESSAGE, &draft);
    draft.class = 9;
    scribe_sign_bytes(&r.alice, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.unknown", false);
    scribe_draft(&r.alice, &r.a, YR_CLASS_CONTROL, &draft);
    scribe_sign_bytes(&r.alice, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.unknown", false);
    scribe_draft(&r.alice, &r.a, YR_CLASS_STATE, &draft);
    scribe_sign_bytes(&r.alice, &draft, body, sizeof body, &slip);
    slip.bytes[2] = 2; // a version
    refused(&r.b, &slip, "room.unknown", false);
    scribe_draft(&r.alice, &r.a, YR_CLASS_STATE, &draft);
    scribe_sign_bytes(&r.alice, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.unknown", false);
    // A kind of message that is not known is a link of its author's chain all the same.
    scribe_draft(&r.alice, &r.a, YR_CLASS_MESSAGE, &draft);
    scribe_sign_bytes(&r.alice, &draft, body, sizeof body, &slip);
    KEEPER_SEES(&r.b, &slip, YR_PUT_NEW);
    slip_clear(&slip);
    room_clear(&r);
}

static void a_body_that_is_malformed_is_forged(void **state)
{
    struct room r;
    struct yr_room_record draft;
    struct slip slip;
    uint8_t body[8] = {1, 2, 3};

    room_init(&r, 10);
    give_all(&r.a, &r.b);
    scribe_draft(&r.alice, &r.a, YR_CLASS_MESSAGE, &draft);
    scribe_sign_bytes(&r.alice, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.drop.form", true);
    room_clear(&r);
}

static void an_operation_without_the_right_is_forged(void **state)
{
    const struct yr_room_body boss = {.kind = YR_ROOM_ROLE, .rank = YR_RANK_ADMIN};
    struct room r;
    struct slip slip;
    struct yr_room_body body = boss;

    room_init(&r, 11);
    give_all(&r.a, &r.b);
    scribe_remove(&r.bob, &r.a, &r.carol, &slip); // a member removes a moderator
    refused(&r.b, &slip, "room.drop.right", true);
    body.mid = r.carol.mid;
    scribe_body(&r.carol, &r.a, &body, &slip); // who makes herself more
    refused(&r.b, &slip, "room.drop.right", true);
    scribe_set(&r.bob, &r.a, "bob's room", &slip);
    refused(&r.b, &slip, "room.drop.right", true);
    scribe_remove(&r.carol, &r.a, &r.bob, &slip);
    KEEPER_SEES(&r.b, &slip, YR_PUT_NEW);
    slip_clear(&slip);
    room_clear(&r);
}

static void nobody_is_added_who_did_not_ask_this_inviter(void **state)
{
    struct room r;
    struct slip slip, good;
    struct yr_room_record draft;
    struct yr_room_body body;
    struct scribe fake;

    room_init(&r, 12);
    give_all(&r.a, &r.b);
    scribe_add(&r.alice, &r.a, &r.mallory, YR_RANK_MEMBER, &good); // he asked alice
    assert_int_equal(yr_room_record_decode(&draft, good.bytes, good.len), YR_OK);
    assert_int_equal(yr_room_body_decode(&body, draft.class, draft.body, draft.body_len), YR_OK);
    scribe_body(&r.carol, &r.a, &body, &slip); // carol replays it
    refused(&r.b, &slip, "room.drop.right", true);
    fake = r.mallory;
    memset(fake.seal_pk, 7, sizeof fake.seal_pk);
    body.seal_pk = fake.seal_pk; // alice would read in his place
    scribe_body(&r.alice, &r.a, &body, &slip);
    refused(&r.b, &slip, "room.drop.right", true);
    KEEPER_SEES(&r.b, &good, YR_PUT_NEW);
    slip_clear(&good);
    room_clear(&r);
}

// A draft of bob's with one more dep.
static void draft_with_dep(struct room *r, enum yr_room_class class,
                           const uint8_t dep[YR_REC_ID_LEN], struct yr_room_record *out)
{
    scribe_draft(&r->bob, &r->a, class, out);
    memcpy(out->deps[out->dep_count++], dep, YR_REC_ID_LEN);
}

static void a_record_that_cites_what_it_cannot_is_forged(void **state)
{
    uint8_t body[] = {6};
    struct room r;
    struct slip text, key, slip;
    struct yr_room_record draft;

    room_init(&r, 13);
    scribe_text(&r.alice, &r.a, "hello", &text);
    scribe_keep(&r.a, &text);
    scribe_key(&r.alice, &r.a, r.mallory.seal_pk, &key);
    scribe_keep(&r.a, &key);
    give_all(&r.a, &r.b);
    draft_with_dep(&r, YR_CLASS_CONTROL, text.id, &draft); // an operation, a message
    scribe_sign_bytes(&r.bob, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.drop.form", true);
    body[0] = 99;
    draft_with_dep(&r, YR_CLASS_MESSAGE, key.id, &draft); // a message, a state
    scribe_sign_bytes(&r.bob, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.drop.form", true);
    slip_clear(&text);
    slip_clear(&key);
    room_clear(&r);
}

static void a_prev_that_is_not_the_one_before_is_forged(void **state)
{
    const uint8_t body[] = {99};
    struct room r;
    struct slip first, second, hers, slip;
    struct yr_room_record draft;

    room_init(&r, 14);
    scribe_text(&r.bob, &r.a, "one", &first);
    scribe_keep(&r.a, &first);
    scribe_text(&r.bob, &r.a, "two", &second);
    scribe_keep(&r.a, &second);
    scribe_text(&r.alice, &r.a, "hers", &hers);
    scribe_keep(&r.a, &hers);
    give_all(&r.a, &r.b);
    scribe_draft(&r.bob, &r.a, YR_CLASS_MESSAGE, &draft);
    memcpy(draft.prev, first.id, sizeof draft.prev); // skips one
    scribe_sign_bytes(&r.bob, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.drop.form", true);
    memcpy(draft.prev, hers.id, sizeof draft.prev); // another's
    scribe_sign_bytes(&r.bob, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.drop.form", true);
    memcpy(draft.prev, second.id, sizeof draft.prev); // another chain's
    draft.incarnation[0] ^= 1;
    scribe_sign_bytes(&r.bob, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.drop.form", true);
    memcpy(draft.prev, r.create.id, sizeof draft.prev); // another class's
    draft.incarnation[0] ^= 1;
    scribe_sign_bytes(&r.bob, &draft, body, sizeof body, &slip);
    refused(&r.b, &slip, "room.drop.form", true);
    slip_clear(&first);
    slip_clear(&second);
    slip_clear(&hers);
    room_clear(&r);
}

static void a_wild_clock_is_taken_and_order_goes_on_behind_it(void **state)
{
    struct room r;
    struct yr_room_record draft;
    struct slip slip, after, last;
    struct yr_room_entry one, two, three;
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    const uint8_t body[] = {99};
    size_t len;

    room_init(&r, 15);
    scribe_draft(&r.bob, &r.a, YR_CLASS_MESSAGE, &draft);
    draft.hlc = UINT64_MAX;
    scribe_sign_bytes(&r.bob, &draft, body, sizeof body, &slip);
    KEEPER_SEES(&r.a, &slip, YR_PUT_NEW);
    scribe_text(&r.alice, &r.a, "what?", &after);
    scribe_keep(&r.a, &after);
    scribe_text(&r.carol, &r.a, "indeed", &last);
    scribe_keep(&r.a, &last);
    assert_int_equal(yr_room_log_get(r.a.log, slip.id, bytes, sizeof bytes, &len, &one), YR_OK);
    assert_int_equal(yr_room_log_get(r.a.log, after.id, bytes, sizeof bytes, &len, &two), YR_OK);
    assert_int_equal(yr_room_record_decode(&draft, bytes, len), YR_OK);
    assert_true(draft.hlc >> 16 <= (uint64_t)(ROOMLOG_START_MS + YR_CLOCK_SKEW_MS));
    assert_int_equal(yr_room_log_get(r.a.log, last.id, bytes, sizeof bytes, &len, &three), YR_OK);
    assert_true(one.eff < two.eff && two.eff < three.eff);
    slip_clear(&slip);
    slip_clear(&after);
    slip_clear(&last);
    room_clear(&r);
}

/* ---- who is no member ---- */

static void who_is_removed_is_heard_only_through_members(void **state)
{
    struct room r;
    struct slip before, uncited, reply;

    room_init(&r, 20);
    give_all(&r.a, &r.b);
    scribe_text(&r.carol, &r.a, "before", &before); // reaches alice, not bob
    scribe_keep(&r.a, &before);
    scribe_text(&r.carol, &r.a, "uncited", &uncited);
    scribe_remove(&r.alice, &r.a, &r.carol, NULL);
    give_all(&r.a, &r.b); // in the order alice saw it
    assert_true(yr_room_log_has(r.b.log, before.id));
    KEEPER_SEES(&r.b, &uncited, YR_PUT_LATE);
    KEEPER_SEES(&r.a, &uncited, YR_PUT_LATE);
    assert_false(r.a.forged);
    assert_int_equal(keeper_counter(&r.a, "room.drop.stranger"), 1);
    scribe_text(&r.alice, &r.a, "well", &reply);
    KEEPER_SEES(&r.b, &reply, YR_PUT_NEW);
    slip_clear(&before);
    slip_clear(&uncited);
    slip_clear(&reply);
    room_clear(&r);
}

static void what_a_member_cites_of_one_removed_is_taken_with_all_before_it(void **state)
{
    struct room r;
    struct slip chain[40], removal, reply;
    uint8_t ids[8][16];
    unsigned slots[8];

    room_init(&r, 21);
    give_all(&r.a, &r.b);
    for (size_t i = 0; i < YR_COUNT(chain); i++) {
        scribe_text(&r.carol, &r.a, "carol", &chain[i]);
        scribe_keep(&r.a, &chain[i]);
    }
    scribe_text(&r.alice, &r.a, "I have read that", &reply); // cites the last
    scribe_keep(&r.a, &reply);
    scribe_remove(&r.alice, &r.a, &r.carol, &removal);
    KEEPER_SEES(&r.b, &removal, YR_PUT_NEW);
    KEEPER_SEES(&r.b, &chain[0], YR_PUT_LATE);
    KEEPER_SEES(&r.b, &reply, YR_PUT_HELD);
    assert_int_equal(yr_room_log_missing(r.b.log, ids, slots, 8), 1);
    assert_memory_equal(ids[0], chain[39].id, 16);
    KEEPER_SEES(&r.b, &chain[0], YR_PUT_LATE);
    KEEPER_SEES(&r.b, &chain[39], YR_PUT_HELD); // it is asked for, and shows where to
    for (size_t i = 0; i < 38; i++)
        KEEPER_SEES(&r.b, &chain[i], YR_PUT_NEW);
    KEEPER_SEES(&r.b, &chain[38], YR_PUT_NEW);
    assert_int_equal(yr_room_log_held(r.b.log), 0);
    assert_true(yr_room_log_has(r.b.log, reply.id));
    for (size_t i = 0; i < YR_COUNT(chain); i++)
        slip_clear(&chain[i]);
    slip_clear(&removal);
    slip_clear(&reply);
    room_clear(&r);
}

static void operations_of_one_removed_do_not_fill_the_log(void **state)
{
    struct room r;
    struct slip slip, removal;
    struct scribe backdated;

    room_init(&r, 22);
    give_all(&r.a, &r.b);
    scribe_remove(&r.alice, &r.b, &r.carol, &removal);
    scribe_keep(&r.b, &removal);
    for (uint8_t i = 0; i < 20; i++) { // by a's log carol still is a moderator
        backdated = r.carol;
        backdated.incarnation[0] = i;
        scribe_set(&backdated, &r.a, "carol's room", &slip);
        KEEPER_SEES(&r.b, &slip, YR_PUT_LATE);
        slip_clear(&slip);
    }
    assert_int_equal(yr_authority_count(yr_room_log_authority(r.b.log)), 4);
    slip_clear(&removal);
    room_clear(&r);
}

static void who_was_removed_in_vain_is_heard_again(void **state)
{
    struct room r;
    struct slip by_carol, of_carol, text;

    room_init(&r, 25);
    give_all(&r.a, &r.b);
    scribe_text(&r.bob, &r.a, "still here", &text);
    scribe_remove(&r.carol, &r.a, &r.bob, &by_carol); // neither knows of the other
    scribe_remove(&r.alice, &r.a, &r.carol, &of_carol);
    KEEPER_SEES(&r.b, &by_carol, YR_PUT_NEW);
    KEEPER_SEES(&r.b, &text, YR_PUT_LATE);
    KEEPER_SEES(&r.b, &of_carol, YR_PUT_NEW); // which takes carol's word its effect
    KEEPER_SEES(&r.b, &text, YR_PUT_NEW);
    slip_clear(&by_carol);
    slip_clear(&of_carol);
    slip_clear(&text);
    room_clear(&r);
}

static void the_waiting_word_of_one_who_is_removed_brings_nothing_in(void **state)
{
    struct room r;
    struct slip first, second, removal;

    room_init(&r, 26);
    give_all(&r.a, &r.b);
    scribe_text(&r.bob, &r.a, "one", &first);
    scribe_keep(&r.a, &first);
    scribe_text(&r.bob, &r.a, "two", &second);
    KEEPER_SEES(&r.b, &second, YR_PUT_HELD);
    scribe_remove(&r.alice, &r.b, &r.bob, &removal);
    KEEPER_SEES(&r.b, &removal, YR_PUT_NEW);
    KEEPER_SEES(&r.b, &first, YR_PUT_LATE); // his own word is no member's
    assert_int_equal(yr_room_log_held(r.b.log), 1);
    keeper_wait(&r.b, YR_ROOM_HELD_S * 1000);
    assert_int_equal(yr_room_log_held(r.b.log), 0);
    assert_int_equal(yr_room_log_end(r.b.log), 4);
    slip_clear(&first);
    slip_clear(&second);
    slip_clear(&removal);
    room_clear(&r);
}

static void our_own_record_that_we_had_lost_is_taken_like_any_other(void **state)
{
    struct room r;
    struct slip lost;

    room_init(&r, 27);
    give_all(&r.a, &r.b);
    keeper_commit(&r.a);
    scribe_text(&r.alice, &r.a, "not durable here", &lost);
    scribe_keep(&r.a, &lost);
    KEEPER_SEES(&r.b, &lost, YR_PUT_NEW);
    keeper_crash(&r.a);
    assert_false(yr_room_log_has(r.a.log, lost.id));
    KEEPER_SEES(&r.a, &lost, YR_PUT_NEW);
    assert_int_equal(r.a.told[r.a.told_count - 1].entry.slot, 1); // which tells that it was lost
    assert_memory_equal(r.a.told[r.a.told_count - 1].author, r.alice.mid, YR_MID_LEN);
    keeper_assert_equal(&r.a, &r.b);
    slip_clear(&lost);
    room_clear(&r);
}

static void the_newest_add_tells_the_key_until_its_owner_does(void **state)
{
    struct room r;
    struct scribe again;
    struct slip old, removal, add;
    const uint8_t *sign_pk, *seal_pk;
    uint8_t key[32] = {9};

    room_init(&r, 28);
    again = r.bob;
    memset(again.seal_pk, 4, sizeof again.seal_pk);
    scribe_remove(&r.alice, &r.a, &r.bob, &removal);
    scribe_keep(&r.a, &removal);
    assert_true(yr_room_log_keys(r.a.log, r.bob.mid, &sign_pk, &seal_pk));
    assert_memory_equal(sign_pk, r.bob.keys.id, 32);
    assert_memory_equal(seal_pk, r.bob.seal_pk, 32);
    keeper_wait(&r.a, 1000);
    scribe_add(&r.alice, &r.a, &again, YR_RANK_MEMBER, &add);
    scribe_keep(&r.a, &add);
    assert_true(yr_room_log_keys(r.a.log, r.bob.mid, NULL, &seal_pk));
    assert_memory_equal(seal_pk, again.seal_pk, 32);
    scribe_key(&r.bob, &r.a, key, &old);
    KEEPER_SEES(&r.a, &old, YR_PUT_NEW);
    assert_true(yr_room_log_keys(r.a.log, r.bob.mid, NULL, &seal_pk));
    assert_memory_equal(seal_pk, key, 32);
    assert_false(yr_room_log_keys(r.a.log, r.mallory.mid, NULL, NULL));
    slip_clear(&old);
    slip_clear(&removal);
    slip_clear(&add);
    room_clear(&r);
}

/* ---- authors nobody has added yet ---- */

static void the_record_of_an_unknown_author_waits_for_its_add(void **state)
{
    struct room r;
    struct slip add, text;
    uint8_t ids[8][16];
    unsigned slots[8];

    room_init(&r, 23);
    give_all(&r.a, &r.b);
    scribe_add(&r.alice, &r.a, &r.mallory, YR_RANK_MEMBER, &add);
    scribe_keep(&r.a, &add);
    scribe_text(&r.mallory, &r.a, "hello", &text);
    KEEPER_SEES(&r.b, &text, YR_PUT_HELD);
    assert_int_equal(yr_room_log_missing(r.b.log, ids, slots, 8), 1);
    assert_memory_equal(ids[0], add.id, 16); // it stands on its ADD
    assert_int_equal(slots[0], 1);
    text.bytes[text.len - 1] ^= 1; // somebody else has a bad copy
    assert_int_equal(keeper_put_from(&r.b, text.bytes, text.len, 2), YR_PUT_HELD);
    text.bytes[text.len - 1] ^= 1;
    KEEPER_SEES(&r.b, &text, YR_PUT_HELD);
    assert_int_equal(keeper_put_from(&r.b, text.bytes, text.len, 3), YR_PUT_HELD); // or a good one
    assert_int_equal(yr_room_log_held(r.b.log), 3);
    KEEPER_SEES(&r.b, &add, YR_PUT_NEW);
    assert_true(yr_room_log_has(r.b.log, text.id));
    assert_int_equal(yr_room_log_end(r.b.log), 5);
    assert_int_equal(yr_room_log_held(r.b.log), 0);
    slip_clear(&add);
    slip_clear(&text);
    room_clear(&r);
}

static void strangers_push_out_only_strangers_of_the_same_friend(void **state)
{
    struct room r;
    struct slip held, missing, slip, add, text;

    room_init(&r, 24);
    give_all(&r.a, &r.b);
    scribe_text(&r.bob, &r.a, "one", &missing);
    scribe_keep(&r.a, &missing);
    scribe_text(&r.bob, &r.a, "two", &held);
    scribe_add(&r.alice, &r.a, &r.mallory, YR_RANK_MEMBER, &add);
    scribe_keep(&r.a, &add);
    scribe_text(&r.mallory, &r.a, "hello", &text);
    KEEPER_SEES(&r.b, &held, YR_PUT_HELD);
    assert_int_equal(keeper_put_from(&r.b, text.bytes, text.len, 2), YR_PUT_HELD);
    for (size_t i = 0; i < 300; i++) {
        struct scribe nobody;

        scribe_init(&nobody, &r.rnd);
        scribe_enter(&nobody, yr_room_log_id(r.a.log));
        scribe_text(&nobody, &r.a, "noise", &slip);
        KEEPER_SEES(&r.b, &slip, YR_PUT_HELD);
        slip_clear(&slip);
    }
    assert_int_equal(yr_room_log_held(r.b.log), 2 + YR_ROOM_STRANGE_EACH);
    KEEPER_SEES(&r.b, &missing, YR_PUT_NEW);
    assert_true(yr_room_log_has(r.b.log, held.id));
    KEEPER_SEES(&r.b, &add, YR_PUT_NEW);
    assert_true(yr_room_log_has(r.b.log, text.id));
    keeper_wait(&r.b, YR_ROOM_HELD_S * 1000);
    assert_int_equal(yr_room_log_held(r.b.log), 0);
    slip_clear(&held);
    slip_clear(&missing);
    slip_clear(&add);
    slip_clear(&text);
    room_clear(&r);
}

/* ---- forks ---- */

static void both_of_two_records_with_one_number_are_kept_by_all(void **state)
{
    struct room r;
    struct slip one, two, after_one, after_two;
    struct yr_chain_info info;
    struct yr_chain_key key = {.class = YR_CLASS_MESSAGE}, due;
    uint64_t arrivals[8], next, fork, known;
    size_t count;

    room_init(&r, 30);
    give_all(&r.a, &r.b);
    scribe_text(&r.bob, &r.a, "I pay", &one);
    scribe_text(&r.bob, &r.b, "I do not pay", &two);
    KEEPER_SEES(&r.a, &one, YR_PUT_NEW);
    assert_false(r.a.told[r.a.told_count - 1].entry.forked);
    scribe_text(&r.bob, &r.a, "soon", &after_one);
    KEEPER_SEES(&r.a, &after_one, YR_PUT_NEW);
    KEEPER_SEES(&r.b, &two, YR_PUT_NEW);
    scribe_text(&r.bob, &r.b, "never", &after_two);
    KEEPER_SEES(&r.b, &after_two, YR_PUT_NEW);
    KEEPER_SEES(&r.a, &two, YR_PUT_NEW);
    assert_true(r.a.told[r.a.told_count - 1].entry.forked);
    assert_true(yr_room_log_forked(r.a.log, r.bob.mid));
    assert_false(yr_room_log_forked(r.a.log, r.alice.mid));
    KEEPER_SEES(&r.a, &after_two, YR_PUT_NEW);
    KEEPER_SEES(&r.b, &one, YR_PUT_NEW);
    KEEPER_SEES(&r.b, &after_one, YR_PUT_NEW);
    keeper_assert_equal(&r.a, &r.b);
    assert_int_equal(keeper_counter(&r.a, "room.fork"), 1);
    assert_int_equal(yr_room_log_fork(r.a.log, &key), 0); // no such chain

    memcpy(key.mid, r.bob.mid, sizeof key.mid);
    memcpy(key.incarnation, r.bob.incarnation, sizeof key.incarnation);
    assert_true(yr_room_log_chain_find(r.a.log, &key, &info));
    assert_int_equal(info.seq, 2);
    for (size_t i = 0; i < sizeof info.digest; i++)
        assert_int_equal(info.digest[i], one.id[i] ^ two.id[i] ^ after_one.id[i] ^ after_two.id[i]);
    assert_int_equal(yr_room_log_range(r.a.log, &key, 1, 2, arrivals, 8, &count, &next), YR_OK);
    assert_int_equal(count, 4);
    assert_int_equal(next, 0);
    // Three of four: those of one number stay together.
    assert_int_equal(yr_room_log_range(r.a.log, &key, 1, 2, arrivals, 3, &count, &next), YR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(next, 2);
    assert_int_equal(yr_room_log_range(r.a.log, &key, 1, 2, arrivals, 1, &count, &next), YR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(next, 2);
    assert_int_equal(yr_room_log_fork(r.a.log, &key), 1);
    keeper_commit(&r.a);
    keeper_crash(&r.a);
    assert_true(yr_room_log_forked(r.a.log, r.bob.mid));
    assert_int_equal(yr_room_log_fork(r.a.log, &key), 1);
    assert_true(yr_room_log_fork_due(r.a.log, &due, &fork, &known));
    assert_memory_equal(&due, &key, sizeof key);
    assert_int_equal(fork, 1);
    assert_int_equal(known, 0);
    yr_room_log_fork_done(r.a.log, &key, 1);
    keeper_commit(&r.a);
    keeper_crash(&r.a);
    assert_false(yr_room_log_fork_due(r.a.log, &due, &fork, &known));
    assert_int_equal(yr_room_log_fork(r.a.log, &key), 1);
    keeper_assert_equal(&r.a, &r.b);
    slip_clear(&one);
    slip_clear(&two);
    slip_clear(&after_one);
    slip_clear(&after_two);
    room_clear(&r);
}

/* ---- state ---- */

static void only_the_newest_state_of_an_author_and_kind_stays(void **state)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    struct room r;
    struct slip first, second;
    struct yr_room_entry entry;
    const uint8_t *seal_pk;
    uint8_t one[32], two[32];
    size_t len, rows;

    room_init(&r, 31);
    give_all(&r.a, &r.b);
    memset(one, 1, sizeof one);
    memset(two, 2, sizeof two);
    assert_true(yr_room_log_keys(r.a.log, r.bob.mid, NULL, &seal_pk));
    assert_memory_equal(seal_pk, r.bob.seal_pk, 32);
    scribe_key(&r.bob, &r.a, one, &first);
    scribe_keep(&r.a, &first);
    scribe_key(&r.bob, &r.a, two, &second);
    scribe_keep(&r.a, &second);
    assert_true(yr_room_log_keys(r.a.log, r.bob.mid, NULL, &seal_pk));
    assert_memory_equal(seal_pk, two, 32);
    KEEPER_SEES(&r.b, &second, YR_PUT_NEW);
    KEEPER_SEES(&r.b, &first, YR_PUT_OLDER);
    KEEPER_SEES(&r.b, &second, YR_PUT_KNOWN);
    keeper_assert_equal(&r.a, &r.b);
    assert_false(yr_room_log_has(r.a.log, first.id));
    assert_int_equal(yr_room_log_get(r.a.log, first.id, bytes, sizeof bytes, &len, &entry),
                     YR_ENOENT);
    assert_int_equal(yr_room_log_get(r.a.log, second.id, bytes, sizeof bytes, &len, &entry), YR_OK);
    assert_int_equal(len, second.len);
    assert_memory_equal(bytes, second.bytes, len);
    assert_int_equal(entry.arrival, 0);
    keeper_commit(&r.a);
    rows = yr_memstore_count(r.a.box.store, YR_DB_MAIN);
    for (uint8_t i = 0; i < 50; i++) {
        memset(one, i, sizeof one);
        scribe_key(&r.bob, &r.a, one, NULL);
    }
    keeper_commit(&r.a);
    assert_int_equal(yr_memstore_count(r.a.box.store, YR_DB_MAIN), rows);
    keeper_crash(&r.a);
    assert_true(yr_room_log_keys(r.a.log, r.bob.mid, NULL, &seal_pk));
    assert_memory_equal(seal_pk, one, 32);
    slip_clear(&first);
    slip_clear(&second);
    room_clear(&r);
}

static void a_clock_that_went_back_still_makes_newer_states(void **state)
{
    struct room r;
    uint8_t key[32] = {5};
    const uint8_t *seal_pk;

    room_init(&r, 32);
    r.a.now.wall_ms += INT64_C(86400000) * 3650;
    scribe_key(&r.alice, &r.a, r.mallory.seal_pk, NULL);
    keeper_commit(&r.a);
    give_all(&r.a, &r.b); // b's clock is right, and alice's home is lost: she goes on with b's
    scribe_key(&r.alice, &r.b, key, NULL);
    assert_true(yr_room_log_keys(r.b.log, r.alice.mid, NULL, &seal_pk));
    assert_memory_equal(seal_pk, key, 32);
    room_clear(&r);
}

/* ---- writing ---- */

static void a_first_record_stands_on_the_add_of_its_author(void **state)
{
    struct room r;
    struct scribe many[12];
    struct slip adds[12], add;
    struct yr_room_record draft;
    bool found = false;

    room_init(&r, 40);
    for (size_t i = 0; i < YR_COUNT(many); i++) { // a dozen at once, each citing the same
        struct scribe inviter = r.alice;

        inviter.incarnation[0] = (uint8_t)i;
        scribe_init(&many[i], &r.rnd);
        scribe_enter(&many[i], yr_room_log_id(r.a.log));
        scribe_add(&inviter, &r.a, &many[i], YR_RANK_MEMBER, &adds[i]);
    }
    for (size_t i = 0; i < YR_COUNT(many); i++) {
        KEEPER_SEES(&r.a, &adds[i], YR_PUT_NEW);
    }
    for (size_t i = 0; i < YR_COUNT(many); i++) {
        scribe_draft(&many[i], &r.a, YR_CLASS_MESSAGE, &draft);
        assert_true(draft.dep_count <= YR_ROOM_CITED_MAX);
        for (size_t k = 0; k < draft.dep_count; k++)
            found = found || memcmp(draft.deps[k], adds[i].id, YR_REC_ID_LEN) == 0;
        assert_true(found);
        found = false;
    }
    scribe_add(&r.carol, &r.a, &r.mallory, YR_RANK_MEMBER, &add);
    slip_clear(&add);
    for (size_t i = 0; i < YR_COUNT(many); i++)
        slip_clear(&adds[i]);
    room_clear(&r);
}

static void a_message_cites_what_nobody_has_cited(void **state)
{
    struct room r;
    struct slip from_bob, from_carol;
    struct yr_room_record draft;

    room_init(&r, 41);
    scribe_text(&r.bob, &r.a, "bob", &from_bob);
    scribe_text(&r.carol, &r.a, "carol", &from_carol);
    KEEPER_SEES(&r.a, &from_bob, YR_PUT_NEW);
    KEEPER_SEES(&r.a, &from_carol, YR_PUT_NEW);
    scribe_draft(&r.alice, &r.a, YR_CLASS_MESSAGE, &draft);
    assert_int_equal(draft.seq, 1);
    assert_int_equal(draft.dep_count, 3); // both, and the newest operation
    scribe_text(&r.alice, &r.a, "both", NULL);
    scribe_draft(&r.alice, &r.a, YR_CLASS_MESSAGE, &draft);
    assert_int_equal(draft.seq, 2);
    assert_int_equal(draft.dep_count, 1); // its own last one is cited as such
    scribe_draft(&r.bob, &r.a, YR_CLASS_MESSAGE, &draft);
    assert_int_equal(draft.seq, 2);
    assert_memory_equal(draft.prev, from_bob.id, YR_REC_ID_LEN);
    assert_int_equal(draft.dep_count, 2);
    keeper_commit(&r.a);
    keeper_crash(&r.a);
    scribe_draft(&r.bob, &r.a, YR_CLASS_MESSAGE, &draft);
    assert_int_equal(draft.dep_count, 2);
    slip_clear(&from_bob);
    slip_clear(&from_carol);
    room_clear(&r);
}

/* ---- rows ---- */

static void what_waits_for_a_key_is_found_by_it(void **state)
{
    const uint8_t epoch[16] = {1}, other[16] = {2};
    struct room r;
    uint64_t at = 0;

    room_init(&r, 50);
    assert_int_equal(yr_room_log_waiting(r.a.log, epoch, &at), YR_ENOENT);
    assert_int_equal(yr_room_log_wait(r.a.log, epoch, 300), YR_OK);
    assert_int_equal(yr_room_log_wait(r.a.log, epoch, 2), YR_OK);
    assert_int_equal(yr_room_log_wait(r.a.log, other, 1), YR_OK);
    assert_int_equal(yr_room_log_waiting(r.a.log, epoch, &at), YR_OK);
    assert_int_equal(at, 2);
    assert_int_equal(yr_room_log_waited(r.a.log, epoch, 2), YR_OK);
    assert_int_equal(yr_room_log_waiting(r.a.log, epoch, &at), YR_OK);
    assert_int_equal(at, 300);
    assert_int_equal(yr_room_log_waiting(r.a.log, epoch, &at), YR_ENOENT);
    room_clear(&r);
}

static void a_room_that_is_erased_leaves_no_row(void **state)
{
    struct room r;
    uint8_t id[YR_ROOM_ID_LEN], zeros[16] = {0};
    size_t rows, steps = 0;
    bool more = true;

    room_init(&r, 51);
    rows = yr_memstore_count(r.a.box.store, YR_DB_MAIN);
    for (size_t i = 0; i < 30; i++)
        scribe_text(&r.bob, &r.a, "text", NULL);
    scribe_key(&r.bob, &r.a, r.mallory.seal_pk, NULL);
    assert_int_equal(yr_room_log_wait(r.a.log, zeros, 4), YR_OK); // the epoch texts name here
    keeper_commit(&r.a);
    memcpy(id, yr_room_log_id(r.a.log), sizeof id);
    yr_room_log_free(r.a.log);
    r.a.log = NULL;
    for (; more; steps++) {
        assert_int_equal(yr_room_log_erase(r.a.box.rows, id, 10, &more), YR_OK);
        rowbox_settle(&r.a.box);
    }
    assert_true(steps > 5);
    assert_int_equal(yr_memstore_count(r.a.box.store, YR_DB_MAIN), rows);
    assert_int_equal(yr_room_log_load(&r.a.log, &r.a.box.mem.mem, r.a.box.rows, id, &r.a.ops),
                     YR_ENOENT);
    keeper_begin(&r.a, &r.create);
    room_clear(&r);
}

static void a_room_is_begun_once_and_with_a_good_create(void **state)
{
    struct room r;
    struct yr_room_log *log;
    struct slip text;

    room_init(&r, 52);
    assert_int_equal(yr_room_log_new(&log, &r.a.box.mem.mem, r.a.box.rows, r.a.now, r.create.bytes,
                                     r.create.len, &r.a.ops),
                     YR_EEXIST);
    scribe_text(&r.alice, &r.a, "no create", &text);
    assert_int_equal(yr_room_log_new(&log, &r.a.box.mem.mem, r.a.box.rows, r.a.now, text.bytes,
                                     text.len, &r.a.ops),
                     YR_EPROTO);
    r.create.bytes[r.create.len - 1] ^= 1;
    assert_int_equal(yr_room_log_new(&log, &r.a.box.mem.mem, r.a.box.rows, r.a.now, r.create.bytes,
                                     r.create.len, &r.a.ops),
                     YR_EPROTO);
    slip_clear(&text);
    room_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_log_has_another_takes_in_the_same_order),
        cmocka_unit_test(what_is_durable_is_read_again),
        cmocka_unit_test(a_record_that_is_cut_or_too_long_is_refused),
        cmocka_unit_test(one_changed_bit_is_refused_wherever_it_is),
        cmocka_unit_test(the_same_record_under_another_signature_is_the_same),
        cmocka_unit_test(a_record_signed_by_another_is_forged),
        cmocka_unit_test(a_record_of_another_room_is_forged),
        cmocka_unit_test(what_a_later_version_may_know_is_refused_without_blame),
        cmocka_unit_test(a_body_that_is_malformed_is_forged),
        cmocka_unit_test(an_operation_without_the_right_is_forged),
        cmocka_unit_test(nobody_is_added_who_did_not_ask_this_inviter),
        cmocka_unit_test(a_record_that_cites_what_it_cannot_is_forged),
        cmocka_unit_test(a_prev_that_is_not_the_one_before_is_forged),
        cmocka_unit_test(a_wild_clock_is_taken_and_order_goes_on_behind_it),
        cmocka_unit_test(who_is_removed_is_heard_only_through_members),
        cmocka_unit_test(what_a_member_cites_of_one_removed_is_taken_with_all_before_it),
        cmocka_unit_test(operations_of_one_removed_do_not_fill_the_log),
        cmocka_unit_test(who_was_removed_in_vain_is_heard_again),
        cmocka_unit_test(the_waiting_word_of_one_who_is_removed_brings_nothing_in),
        cmocka_unit_test(our_own_record_that_we_had_lost_is_taken_like_any_other),
        cmocka_unit_test(the_newest_add_tells_the_key_until_its_owner_does),
        cmocka_unit_test(the_record_of_an_unknown_author_waits_for_its_add),
        cmocka_unit_test(strangers_push_out_only_strangers_of_the_same_friend),
        cmocka_unit_test(both_of_two_records_with_one_number_are_kept_by_all),
        cmocka_unit_test(only_the_newest_state_of_an_author_and_kind_stays),
        cmocka_unit_test(a_clock_that_went_back_still_makes_newer_states),
        cmocka_unit_test(a_first_record_stands_on_the_add_of_its_author),
        cmocka_unit_test(a_message_cites_what_nobody_has_cited),
        cmocka_unit_test(what_waits_for_a_key_is_found_by_it),
        cmocka_unit_test(a_room_that_is_erased_leaves_no_row),
        cmocka_unit_test(a_room_is_begun_once_and_with_a_good_create),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
