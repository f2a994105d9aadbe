/* Two friends over a network that loses, reorders and repeats, with machines that crash: from a
 * printed seed, checked step by step against what a session promises. */
#include "core/seal/ratchet.h"
#include "tests/support/test.h"
#include "tests/support/two_friends.h"

#define FLYING 64

// What one side has on its disk: the rows of its last commit.
struct disk {
    uint8_t session[YR_SESSIONS_ROW_MAX];
    size_t session_len;
    uint8_t skipped[YR_SKIPPED_PARTS][YR_SKIPPED_ROW_MAX];
    size_t skipped_len[YR_SKIPPED_PARTS];
};

struct world {
    struct two t;
    struct disk disks[2];
    struct flying {
        struct msg msg;
        size_t to;
        uint32_t chain; // of its sender, counted by the changes of its ratchet key
        bool opened;
    } flying[FLYING];
    size_t count;
    uint32_t chain[2], newest_read[2]; // the sender's chain; the newest one that was read from it
    uint8_t last_dh[2][32];
    uint32_t next_number;
    size_t opened, again, crashes;
};

static void commit(struct world *w, size_t who)
{
    struct side *side = &w->t.sides[who];
    struct disk *disk = &w->disks[who];
    const unsigned changed = yr_skipped_changed(&side->skipped);

    disk->session_len = yr_sessions_encode(disk->session, &side->session, 1);
    // only what is said to have changed: the rest must still be right
    for (unsigned p = 0; p < YR_SKIPPED_PARTS; p++)
        if ((changed & 1u << p) != 0)
            disk->skipped_len[p] = yr_skipped_encode(&side->skipped, p, disk->skipped[p]);
}

static void restart(struct world *w, size_t who)
{
    struct side *side = &w->t.sides[who];
    struct disk *disk = &w->disks[who];
    struct yr_session sessions[YR_SESSIONS_MAX];
    size_t count;

    yr_skipped_clear(&side->skipped);
    yr_skipped_init(&side->skipped, &w->t.mem.mem);
    assert_int_equal(yr_sessions_decode(sessions, &count, disk->session, disk->session_len), YR_OK);
    assert_int_equal(count, 1);
    side->session = sessions[0];
    for (unsigned p = 0; p < YR_SKIPPED_PARTS; p++)
        if (disk->skipped_len[p] > 0)
            assert_int_equal(
                yr_skipped_decode(&side->skipped, p, disk->skipped[p], disk->skipped_len[p]),
                YR_OK);
    w->crashes++;
}

static void step_send(struct world *w, size_t who)
{
    struct flying *f = &w->flying[w->count];
    struct yr_session *s = &w->t.sides[who].session;

    if ((s->flags & YR_SESSION_SENDS) == 0 || w->count == FLYING)
        return;
    send_from(&w->t, who, w->next_number++, &f->msg);
    if (seeded_below(&w->t.rnd, 20) == 0) { // before the commit: it was never sent
        restart(w, who);
        return;
    }
    commit(w, who);
    if (memcmp(w->last_dh[who], s->dhs.public_key, 32) != 0) {
        memcpy(w->last_dh[who], s->dhs.public_key, 32);
        w->chain[who]++;
    }
    f->to = 1 - who;
    f->chain = w->chain[who];
    f->opened = false;
    w->count++;
    if (seeded_below(&w->t.rnd, 20) == 0) // after it
        restart(w, who);
}

static void land(struct world *w, size_t i)
{
    w->flying[i] = w->flying[--w->count];
}

static void step_deliver(struct world *w)
{
    const size_t i = seeded_below(&w->t.rnd, w->count);
    struct flying *f = &w->flying[i];
    const size_t from = 1 - f->to;
    const bool in_reach = f->chain + YR_CHAINS_MAX > w->newest_read[from];
    const enum yr_err err = deliver(&w->t, f->to, &f->msg);

    if (f->opened) {
        // a duplicate: of a chain long past it cannot be told from a forgery
        assert_true(err == YR_EEXIST || (!in_reach && err == YR_EAUTH));
        w->again++;
    } else if (in_reach) {
        assert_int_equal(err, YR_OK);
    } else {
        assert_true(err == YR_OK || err == YR_EEXIST || err == YR_EAUTH);
    }
    if (err == YR_OK && seeded_below(&w->t.rnd, 10) == 0) {
        restart(w, f->to); // before the commit: as if it had never come
        return;
    }
    if (err == YR_OK) {
        commit(w, f->to);
        f->opened = true;
        w->opened++;
        w->newest_read[from] = YR_MAX(w->newest_read[from], f->chain);
    }
    if (seeded_below(&w->t.rnd, 3) != 0)
        land(w, i); // else it comes again
}

static void run(uint64_t seed, size_t steps)
{
    static struct world w;

    memset(&w, 0, sizeof w);
    two_init(&w.t, seed);
    for (size_t who = 0; who < 2; who++)
        commit(&w, who);
    for (size_t i = 0; i < steps; i++) {
        const size_t what = seeded_below(&w.t.rnd, 100);
        if (what < 45)
            step_send(&w, seeded_below(&w.t.rnd, 2));
        else if (what < 95 && w.count > 0)
            step_deliver(&w);
        else if (w.count > 0)
            land(&w, seeded_below(&w.t.rnd, w.count)); // lost
    }
    // the network is kind in the end: what is in reach arrives, and the talk goes on
    while (w.count > 0) {
        step_deliver(&w);
        if (w.count == FLYING)
            land(&w, 0);
    }
    assert_true(w.opened > steps / 10 && w.again > 0 && w.crashes > 0);
    two_clear(&w.t);
}

static void whatever_the_network_does_each_message_opens_exactly_once(void **state)
{
    const uint64_t seed = seeded_seed("ratchet", 0x7261746368657400);

    for (uint64_t i = 0; i < 20; i++)
        run(seed + i, 600);
}

static void bursts_without_an_answer_keep_their_keys_over_restarts(void **state)
{
    static struct world w;
    static struct msg sent[1500];
    struct seeded order;
    size_t left = YR_COUNT(sent);

    memset(&w, 0, sizeof w);
    two_init(&w.t, 99);
    for (size_t who = 0; who < 2; who++)
        commit(&w, who);
    for (uint32_t i = 0; i < YR_COUNT(sent); i++)
        send_from(&w.t, 0, i, &sent[i]);
    seeded_init(&order, 5);
    // in an order that never runs more than a thousand ahead
    while (left > 0) {
        const size_t i = seeded_below(&order, YR_MIN(left, (size_t)900));
        assert_int_equal(deliver(&w.t, 1, &sent[i]), YR_OK);
        memmove(&sent[i], &sent[i + 1], (--left - i) * sizeof *sent);
        commit(&w, 1);
        if (seeded_below(&order, 100) == 0)
            restart(&w, 1);
    }
    assert_int_equal(w.t.sides[1].skipped.count, 0);
    two_clear(&w.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_the_network_does_each_message_opens_exactly_once),
        cmocka_unit_test(bursts_without_an_answer_keep_their_keys_over_restarts),
    };

    return cmocka_run_group_tests_name("ratchet random", tests, NULL, NULL);
}
