/* Mail that friends keep, and what goes wrong with those who keep it, leave it, or say that it is
 * theirs.  Letters are made by hand: who sends, and why to whom, is another test's matter. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/delivery/delivery_state.h"
#include "core/node/state.h"
#include "tests/support/sim/sim.h"

#define MINUTE (60 * YR_S)
#define HOUR   (60 * MINUTE)

enum { ALICE, BOB, CAROL, DAVE, PEOPLE };

struct letter {
    uint8_t bytes[YR_ENVELOPE_MAX], eid[YR_EID_LEN], id[YR_MSG_ID_LEN];
    size_t len;
};

static struct yr_friend *friend_at(struct sim *sim, unsigned node, unsigned of)
{
    struct yr_node *n = sim_node(sim, node);
    struct yr_friend *f = yr_friend_find(n, sim_id(sim, of));

    assert_non_null(f);
    return f;
}

static unsigned slot_at(struct sim *sim, unsigned node, unsigned of)
{
    return yr_friend_slot(sim_node(sim, node), friend_at(sim, node, of));
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

// What a node of ours would never say, or not now.
static enum yr_err raw(struct sim *sim, unsigned from, unsigned to, uint8_t type, const void *body,
                       size_t len)
{
    struct yr_node *n = sim_node(sim, from);
    enum yr_err err;

    n->now = sim_now(sim, from);
    err = yr_links_send(n->links, slot_at(sim, from, to), YR_CHANNEL_CHAT, type, body, len);
    sim_drain(sim, from);
    return err;
}

// Everybody is everybody's friend; mail is registered.
static struct sim *four_friends(uint64_t seed)
{
    struct sim_opts opts = sim_opts_default(seed);
    static const char *const names[PEOPLE] = {"alice", "bob", "carol", "dave"};
    struct sim *sim;

    opts.lan = false;
    sim = sim_new(&opts);
    for (unsigned i = 0; i < PEOPLE; i++)
        (void)sim_add(sim, names[i]);
    for (unsigned i = 0; i < PEOPLE; i++)
        for (unsigned k = i + 1; k < PEOPLE; k++)
            sim_befriend(sim, i, k);
    sim_run(sim, 2 * MINUTE);
    return sim;
}

// Nobody reaches this one any more.
static void away(struct sim *sim, unsigned who, bool gone)
{
    for (unsigned i = 0; i < PEOPLE; i++)
        if (i != who)
            sim_cut(sim, who, i, gone);
    sim_run(sim, gone ? 5 * MINUTE : 0);
}

static void envelope(struct sim *sim, unsigned from, unsigned to, enum yr_envelope_kind kind,
                     const void *body, size_t len, struct letter *out)
{
    struct yr_node *n = sim_node(sim, from);
    struct yr_box *b = yr_box_of(n->delivery, slot_at(sim, from, to));
    struct yr_day_keys keys = {.valid = false};
    const struct yr_now now = sim_now(sim, from);

    assert_true(yr_days_use(b, &keys, b->out_dir, yr_days_send(b, now)));
    assert_int_equal(yr_envelope_seal(out->bytes, sizeof out->bytes, &out->len, keys.env, keys.tag,
                                      yr_envelope_exp((uint64_t)now.wall_ms / 1000), kind, body,
                                      len, n->rng),
                     YR_OK);
    yr_envelope_id(out->eid, out->bytes, out->len);
}

// A plaintext of this type, sealed as a friend's.
static void write_letter(struct sim *sim, unsigned from, unsigned to, enum yr_plain_type type,
                         const char *text, struct letter *out)
{
    static uint64_t seq = 1000;
    static const uint8_t incarnation[8] = {7, 7, 7};
    struct yr_node *n = sim_node(sim, from);
    struct yr_box *b = yr_box_of(n->delivery, slot_at(sim, from, to));
    struct yr_plain plain = {.type = type, .known = true, .id = out->id};
    uint8_t bytes[1024], *sealed;
    size_t len, sealed_len;

    yr_random(n->rng, out->id, sizeof out->id);
    plain.hlc = (uint64_t)sim_now(sim, from).wall_ms << 16;
    plain.text = (const uint8_t *)text;
    plain.text_len = strlen(text);
    if (type == YR_PLAIN_TEXT) {
        plain.seq = seq++;
        plain.incarnation = incarnation;
    }
    assert_int_equal(yr_plain_encode(&plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_sessions_seal(n->delivery, b, bytes, len, &sealed, &sealed_len), YR_OK);
    envelope(sim, from, to, (enum yr_envelope_kind)sealed[0], sealed + 1, sealed_len - 1, out);
    yr_free_secret(n->mem, sealed);
}

static void leave(struct sim *sim, unsigned from, unsigned with, const struct letter *l)
{
    assert_int_equal(raw(sim, from, with, YR_FRAME_ENV_PUT, l->bytes, l->len), YR_OK);
    sim_run(sim, 2 * YR_S);
}

static size_t kept(struct sim *sim, unsigned by, unsigned of)
{
    struct yr_mailbox_info info;

    yr_mailbox_info(sim_node(sim, by)->mailbox, slot_at(sim, by, of), &info);
    return info.kept;
}

static size_t texts(struct sim *sim, unsigned at, unsigned with)
{
    return sim_history_count(sim, at, with);
}

static void a_letter_left_with_a_friend_is_there_once(void **state)
{
    struct sim *sim = four_friends(1);
    struct letter l, noop;

    away(sim, BOB, true);
    write_letter(sim, ALICE, BOB, YR_PLAIN_TEXT, "while you were out", &l);
    write_letter(sim, ALICE, BOB, YR_PLAIN_NOOP, "", &noop);
    for (unsigned m = CAROL; m <= DAVE; m++) {
        leave(sim, ALICE, m, &l);
        leave(sim, ALICE, m, &noop);
        assert_int_equal(kept(sim, m, BOB), 2);
        assert_int_equal(counter(sim, m, "mail.kept"), 2);
    }
    sim_crash(sim, ALICE);
    away(sim, BOB, false);
    assert_true(sim_run_linked(sim, BOB, CAROL, 5 * MINUTE));
    assert_true(sim_run_linked(sim, BOB, DAVE, 5 * MINUTE));
    sim_run(sim, MINUTE);
    assert_int_equal(texts(sim, BOB, ALICE), 1);
    assert_int_equal(kept(sim, CAROL, BOB), 0);
    assert_int_equal(kept(sim, DAVE, BOB), 0);
    assert_int_equal(counter(sim, BOB, "envelope.mailed"), 2);
    assert_int_equal(counter(sim, CAROL, "mail.taken") + counter(sim, DAVE, "mail.taken"), 4);
    sim_free(sim);
}

// Dave does not know who left it; carol's part is to hand it on, once.
static void a_letter_is_handed_on_for_a_friend(void **state)
{
    struct sim *sim = four_friends(2);
    uint8_t body[YR_HASH16 + YR_ENVELOPE_MAX];
    struct letter l;

    away(sim, BOB, true);
    write_letter(sim, ALICE, BOB, YR_PLAIN_TEXT, "by way of carol", &l);
    yr_hash16(body, sim_id(sim, DAVE), YR_ID_LEN);
    memcpy(body + YR_HASH16, l.bytes, l.len);
    assert_int_equal(raw(sim, ALICE, CAROL, YR_FRAME_ENV_FWD, body, YR_HASH16 + l.len), YR_OK);
    sim_run(sim, 2 * YR_S);
    assert_int_equal(kept(sim, DAVE, BOB), 1);
    assert_int_equal(kept(sim, CAROL, BOB), 0);
    assert_int_equal(counter(sim, CAROL, "mail.forward"), 1);
    yr_hash16(body, sim_id(sim, BOB), YR_ID_LEN); // who is not there
    assert_int_equal(raw(sim, ALICE, CAROL, YR_FRAME_ENV_FWD, body, YR_HASH16 + l.len), YR_OK);
    sim_run(sim, 2 * YR_S);
    assert_int_equal(counter(sim, CAROL, "mail.forward.refused"), 1);
    away(sim, BOB, false);
    assert_true(sim_run_linked(sim, BOB, DAVE, 5 * MINUTE));
    sim_run(sim, MINUTE);
    assert_int_equal(texts(sim, BOB, ALICE), 1);
    sim_free(sim);
}

static void a_flood_to_be_handed_on_ends_with_who_sent_it(void **state)
{
    struct sim *sim = four_friends(3);
    uint8_t body[YR_HASH16 + YR_ENVELOPE_MIN] = {0};

    yr_hash16(body, sim_id(sim, DAVE), YR_ID_LEN);
    body[YR_HASH16] = 1; // version
    for (unsigned i = 0; i < 3000; i++) {
        const uint64_t r = sim_draw(sim, 5);
        memcpy(body + YR_HASH16 + 6, &r, sizeof r);
        if (raw(sim, ALICE, CAROL, YR_FRAME_ENV_FWD, body, sizeof body) != YR_OK)
            sim_run(sim, 50 * YR_MS);
    }
    sim_run(sim, 10 * YR_S);
    assert_true(counter(sim, CAROL, "mail.forward") <= YR_FORWARD_BURST + 10);
    assert_true(counter(sim, DAVE, "mail.refused.tag") <= YR_FORWARD_BURST + 10);
    assert_true(sim_linked(sim, CAROL, DAVE));
    sim_free(sim);
}

// He ends the link of who asks him too much at once: that is not for others to bring about.
static void many_together_have_no_more_handed_on_than_one(void **state)
{
    struct sim *sim = four_friends(8);
    uint8_t body[YR_HASH16 + YR_ENVELOPE_MIN] = {0};

    yr_hash16(body, sim_id(sim, DAVE), YR_ID_LEN);
    body[YR_HASH16] = 1;             // version
    sim_cut(sim, CAROL, DAVE, true); // she does not know yet, and nothing is answered
    for (unsigned i = 0; i < 2 * YR_FORWARD_BURST; i++) {
        const uint64_t r = sim_draw(sim, 5);
        memcpy(body + YR_HASH16 + 6, &r, sizeof r);
        assert_int_equal(
            raw(sim, i % 2 == 0 ? ALICE : BOB, CAROL, YR_FRAME_ENV_FWD, body, sizeof body), YR_OK);
    }
    sim_run(sim, 2 * YR_S);
    assert_int_equal(counter(sim, CAROL, "mail.forward"), YR_FORWARD_HOP_MAX);
    assert_int_equal(counter(sim, CAROL, "mail.forward.full"),
                     2 * YR_FORWARD_BURST - YR_FORWARD_HOP_MAX);
    sim_free(sim);
}

// A thief registers what belongs to bob, whom he knows to be away: it is bob who gets his mail.
static void tags_of_others_get_no_mail(void **state)
{
    struct sim *sim = four_friends(4);
    const uint32_t day = (uint32_t)(sim_now(sim, BOB).wall_ms / 1000 / YR_DAY_S);
    struct yr_node *bob = sim_node(sim, BOB);
    uint8_t tags[2][16], body[4 + 16];
    struct yr_wr wr = yr_wr_init(body, sizeof body);
    struct letter l;

    assert_true(yr_delivery_tags(bob->delivery, sim_now(sim, BOB), slot_at(sim, BOB, ALICE), day,
                                 tags) >= 1);
    yr_wr_u32(&wr, day);
    yr_wr_bytes(&wr, tags[0], 16);
    assert_int_equal(raw(sim, DAVE, CAROL, YR_FRAME_MBX_REG, body, sizeof body), YR_OK);
    sim_run(sim, YR_S);
    away(sim, BOB, true);
    write_letter(sim, ALICE, BOB, YR_PLAIN_TEXT, "not for dave", &l);
    leave(sim, ALICE, CAROL, &l);
    assert_int_equal(kept(sim, CAROL, BOB), 1);
    assert_int_equal(kept(sim, CAROL, DAVE), 0);
    away(sim, BOB, false);
    assert_true(sim_run_linked(sim, BOB, CAROL, 5 * MINUTE));
    sim_run(sim, MINUTE);
    assert_int_equal(texts(sim, BOB, ALICE), 1);
    sim_free(sim);
}

// Carol lists what she does not have, again and again; sends what was not asked for; what is no
// letter; and the same once more.
static void who_keeps_may_lie(void **state)
{
    struct sim *sim = four_friends(5);
    uint8_t body[YR_MAIL_LIST_MAX * YR_EID_LEN];
    struct letter l, bad;
    uint64_t in;

    write_letter(sim, ALICE, BOB, YR_PLAIN_TEXT, "kept for ever", &l);
    for (unsigned i = 0; i < 5; i++)
        leave(sim, CAROL, BOB, &l);
    assert_int_equal(texts(sim, BOB, ALICE), 1);
    assert_int_equal(counter(sim, BOB, "envelope.mailed"), 1);
    assert_int_equal(counter(sim, BOB, "envelope.again"), 4);
    bad = l;
    bad.bytes[bad.len - 1] ^= 1;
    for (unsigned i = 0; i < 5; i++)
        leave(sim, CAROL, BOB, &bad);
    assert_int_equal(counter(sim, BOB, "envelope.refused"), 5);
    in = counter(sim, BOB, "envelope.again");
    for (unsigned i = 0; i < 2 * YR_MAIL_LISTED_MAX / YR_MAIL_LIST_MAX; i++) {
        for (size_t k = 0; k < sizeof body; k += 8) {
            const uint64_t r = sim_draw(sim, 6);
            memcpy(body + k, &r, 8);
        }
        if (raw(sim, CAROL, BOB, YR_FRAME_MBX_LIST, body, sizeof body) != YR_OK)
            sim_run(sim, 200 * YR_MS);
    }
    sim_run(sim, 10 * YR_S);
    assert_int_equal(counter(sim, BOB, "envelope.again"), in);
    assert_true(sim_linked(sim, BOB, CAROL));
    for (unsigned i = 0; i < 50; i++) // what he has: receipts once a minute, not with each
        (void)raw(sim, CAROL, BOB, YR_FRAME_MBX_LIST, l.eid, sizeof l.eid);
    sim_run(sim, 10 * YR_S);
    assert_true(sim_history_count(sim, BOB, ALICE) == 1);
    sim_text(sim, CAROL, BOB, "still friends", NULL);
    sim_run(sim, 10 * YR_S);
    assert_int_equal(texts(sim, BOB, CAROL), 1);
    sim_free(sim);
}

// A link may last for months: what was listed over it long ago is not held against anybody.
static void who_listed_a_great_deal_is_heard_again_later(void **state)
{
    struct sim *sim = four_friends(9);
    uint8_t body[YR_MAIL_LIST_MAX * YR_EID_LEN];
    struct letter l;

    for (unsigned i = 0; i < 2 * YR_MAIL_LISTED_MAX / YR_MAIL_LIST_MAX; i++) {
        for (size_t k = 0; k < sizeof body; k += 8) {
            const uint64_t r = sim_draw(sim, 6);
            memcpy(body + k, &r, 8);
        }
        if (raw(sim, CAROL, BOB, YR_FRAME_MBX_LIST, body, sizeof body) != YR_OK)
            sim_run(sim, 200 * YR_MS);
    }
    sim_run(sim, 60 * MINUTE);
    assert_true(sim_linked(sim, BOB, CAROL));
    write_letter(sim, ALICE, BOB, YR_PLAIN_TEXT, "months later", &l);
    leave(sim, ALICE, CAROL, &l);
    sim_run(sim, MINUTE);
    assert_int_equal(texts(sim, BOB, ALICE), 1);
    sim_free(sim);
}

// Who left it is told the truth: it is there, it was taken, it is gone.
static void consent_that_is_withdrawn_is_told(void **state)
{
    struct sim *sim = four_friends(6);
    struct yr_cmd cmd = {.kind = YR_CMD_FRIEND_MAIL, .number = YR_NO};
    const struct yr_mail_opts off = {.hold = false};
    struct letter l;

    away(sim, BOB, true);
    write_letter(sim, ALICE, BOB, YR_PLAIN_TEXT, "left with two", &l);
    leave(sim, ALICE, CAROL, &l);
    leave(sim, ALICE, DAVE, &l);
    memcpy(cmd.conv, sim_id(sim, BOB), YR_ID_LEN);
    (void)sim_do(sim, CAROL, &cmd);
    yr_node_set_mail(sim_node(sim, DAVE), sim_now(sim, DAVE), &off);
    sim_drain(sim, DAVE);
    sim_run(sim, 10 * YR_S);
    assert_int_equal(kept(sim, CAROL, BOB), 0);
    assert_int_equal(kept(sim, DAVE, BOB), 0);
    assert_int_equal(counter(sim, CAROL, "mail.withdrawn"), 1);
    leave(sim, ALICE, CAROL, &l); // and nothing new comes in
    assert_int_equal(kept(sim, CAROL, BOB), 0);
    sim_crash(sim, CAROL);
    sim_restart(sim, CAROL);
    sim_run(sim, MINUTE);
    assert_int_equal(kept(sim, CAROL, BOB), 0);
    sim_free(sim);
}

// Registrations without end cost who gets them neither disk nor memory.
static void a_flood_of_registrations_changes_little(void **state)
{
    struct sim *sim = four_friends(7);
    uint8_t body[4 + YR_MAIL_TAGS_MAX * 16];
    size_t before, after;

    before = sim_mem_used(sim, CAROL);
    for (unsigned i = 0; i < 1000; i++) {
        for (size_t k = 0; k + 8 <= sizeof body; k += 8) {
            const uint64_t r = sim_draw(sim, 7);
            memcpy(body + k, &r, 8);
        }
        if (raw(sim, DAVE, CAROL, YR_FRAME_MBX_REG, body, sizeof body) != YR_OK)
            sim_run(sim, 200 * YR_MS);
    }
    sim_run(sim, 10 * YR_S);
    after = sim_mem_used(sim, CAROL);
    assert_true(after < before + 2u * YR_MAIL_DAYS * YR_MAIL_TAGS_MAX * 64);
    assert_true(sim_run_linked(sim, DAVE, CAROL, 5 * MINUTE));
    sim_free(sim);
}

static void who_leaves_more_than_there_is_room_for_is_refused(void **state)
{
    struct sim *sim = four_friends(8);
    const struct yr_mail_opts small = {.hold = true, .bytes = 4 * YR_ENVELOPE_MIN};
    struct yr_friend_info alice, bob;
    struct letter l;

    yr_node_set_mail(sim_node(sim, CAROL), sim_now(sim, CAROL), &small);
    away(sim, BOB, true);
    for (unsigned i = 0; i < 10; i++) {
        write_letter(sim, ALICE, BOB, YR_PLAIN_TEXT, "too much", &l);
        leave(sim, ALICE, CAROL, &l);
    }
    assert_int_equal(yr_node_friend(sim_node(sim, CAROL), sim_id(sim, ALICE), &alice), YR_OK);
    assert_int_equal(yr_node_friend(sim_node(sim, CAROL), sim_id(sim, BOB), &bob), YR_OK);
    assert_true(bob.ledger.kept > 0 && bob.ledger.kept_bytes <= small.bytes);
    assert_int_equal(alice.ledger.left, bob.ledger.kept);
    assert_int_equal(alice.ledger.left_bytes, bob.ledger.kept_bytes);
    assert_int_equal(alice.ledger.left + alice.ledger.refused, 10);
    assert_int_equal(counter(sim, CAROL, "mail.refused.full"), alice.ledger.refused);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_left_with_a_friend_is_there_once),
        cmocka_unit_test(a_letter_is_handed_on_for_a_friend),
        cmocka_unit_test(a_flood_to_be_handed_on_ends_with_who_sent_it),
        cmocka_unit_test(many_together_have_no_more_handed_on_than_one),
        cmocka_unit_test(tags_of_others_get_no_mail),
        cmocka_unit_test(who_keeps_may_lie),
        cmocka_unit_test(who_listed_a_great_deal_is_heard_again_later),
        cmocka_unit_test(consent_that_is_withdrawn_is_told),
        cmocka_unit_test(a_flood_of_registrations_changes_little),
        cmocka_unit_test(who_leaves_more_than_there_is_room_for_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
