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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_left_with_a_friend_is_there_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
