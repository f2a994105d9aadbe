/* Stores that are set back: sessions that only one of the two knows any more, and how they heal. */
#include "tests/support/sim/sim.h"
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/seeded.h"

#define MINUTE (60 * YR_S)
#define HOUR   (60 * MINUTE)
#define TEXTS  512

enum { ALICE, BOB, CAROL };

struct sent {
    unsigned from;
    uint8_t id[YR_MSG_ID_LEN];
    bool counts; // both are to have it in the end
};

struct world {
    struct sim *sim;
    struct sent sent[TEXTS];
    size_t count;
};

static struct world *begin(uint64_t seed, unsigned nodes)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct world *w = calloc(1, sizeof *w);
    char name[16];

    opts.lan = true;
    w->sim = sim_new(&opts);
    for (unsigned i = 0; i < nodes; i++) {
        snprintf(name, sizeof name, "node %u", i);
        (void)sim_add(w->sim, name);
    }
    for (unsigned a = 0; a < nodes; a++)
        for (unsigned b = a + 1; b < nodes; b++)
            sim_befriend(w->sim, a, b);
    sim_run(w->sim, 20 * YR_S);
    return w;
}

static void end(struct world *w)
{
    sim_free(w->sim);
    free(w);
}

static void say(struct world *w, unsigned from)
{
    struct sent *s = &w->sent[w->count];
    char text[32];

    assert_true(w->count < TEXTS);
    snprintf(text, sizeof text, "text %zu", w->count++);
    s->from = from;
    s->counts = true;
    sim_text(w->sim, from, 1 - from, text, s->id);
}

static size_t times(struct world *w, unsigned node, const uint8_t id[YR_MSG_ID_LEN])
{
    char *history = sim_history(w->sim, node, 1 - node, false);
    char text[27];
    size_t n = 0;

    yr_id_text(text, id, YR_MSG_ID_LEN);
    for (const char *at = history; (at = strstr(at, text)) != NULL; at++)
        n++;
    free(history);
    return n;
}

static bool all_there(struct sim *sim, void *ctx)
{
    struct world *w = ctx;
    struct yr_self self;

    for (unsigned node = ALICE; node <= BOB; node++) {
        if (!sim_alive(sim, node))
            return false;
        yr_node_self(sim_node(sim, node), &self);
        if (self.queued > 0)
            return false;
        for (size_t i = 0; i < w->count; i++)
            if (w->sent[i].counts && times(w, node, w->sent[i].id) == 0)
                return false;
    }
    return true;
}

static void wait_all(struct world *w, yr_us limit_us)
{
    if (!sim_run_until(w->sim, limit_us, all_there, w)) {
        for (unsigned node = ALICE; node <= BOB; node++) {
            char *history = sim_history(w->sim, node, 1 - node, true);
            print_error("node %u:\n%s", node, history);
            free(history);
            for (size_t k = 0; yr_node_counter(sim_node(w->sim, node), k).name != NULL; k++) {
                const struct yr_counter c = yr_node_counter(sim_node(w->sim, node), k);
                if (c.value > 0 &&
                    (strncmp(c.name, "env", 3) == 0 || strncmp(c.name, "ses", 3) == 0))
                    print_error("%s %llu\n", c.name, (unsigned long long)c.value);
            }
        }
        fail_msg("not all texts arrived");
    }
    for (size_t i = 0; i < w->count; i++)
        for (unsigned node = ALICE; w->sent[i].counts && node <= BOB; node++)
            assert_int_equal(times(w, node, w->sent[i].id), 1);
}

// Lines of this kind in the conversation as `node` sees it.
static size_t lines(struct world *w, unsigned node, const char *text)
{
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place place = {{0}};
    enum yr_seek how = YR_SEEK_GE;
    size_t n = 0;

    while (yr_node_history(sim_node(w->sim, node), sim_id(w->sim, 1 - node), how, &place, m) ==
           YR_OK) {
        how = YR_SEEK_GT;
        n += m->kind == YR_MSG_SYSTEM && strstr(m->text, text) != NULL;
    }
    free(m);
    return n;
}

static size_t resets(struct world *w)
{
    return lines(w, ALICE, "begun anew") + lines(w, BOB, "begun anew");
}

static void set_back(struct world *w, unsigned node, const struct yr_memstore *copy)
{
    if (sim_alive(w->sim, node))
        sim_crash(w->sim, node);
    yr_memstore_restore(sim_store(w->sim, node), copy);
}

// What one of two had between the copy and the setting back is there at the other's only.
static void talk(struct world *w, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        say(w, i % 3 == 0 ? ALICE : BOB);
        sim_run(w->sim, 200 * YR_MS);
    }
    wait_all(w, MINUTE);
}

/* ---- */

// speaker: who says something first; 2: both at once, 3: nobody.
static void set_back_and_heal(uint64_t seed, unsigned back, unsigned speaker)
{
    struct world *w = begin(seed, 2);
    struct yr_memstore *copies[2] = {NULL, NULL};
    size_t lost;

    talk(w, 8);
    for (unsigned node = ALICE; node <= BOB; node++)
        copies[node] = yr_memstore_copy(sim_store(w->sim, node));
    sim_run(w->sim, 3 * HOUR);
    lost = w->count;
    talk(w, 9);
    for (size_t i = lost; i < w->count; i++)
        w->sent[i].counts = false; // where they were
    for (unsigned node = ALICE; node <= BOB; node++)
        if (back == 2 || back == node)
            set_back(w, node, copies[node]);
    sim_run(w->sim, 5 * YR_S);
    for (unsigned node = ALICE; node <= BOB; node++)
        if (!sim_alive(w->sim, node))
            sim_restart(w->sim, node);
    for (unsigned node = ALICE; node <= BOB; node++)
        if (speaker == 2 || speaker == node)
            say(w, node);
    assert_true(sim_run_linked(w->sim, ALICE, BOB, MINUTE));
    wait_all(w, 2 * MINUTE);
    talk(w, 9);
    assert_in_range(resets(w), back == 2 ? 0 : 1, 3);
    sim_run(w->sim, 3 * HOUR);
    lost = resets(w);
    talk(w, 9);
    assert_int_equal(resets(w), lost);
    for (unsigned node = ALICE; node <= BOB; node++) {
        assert_int_equal(lines(w, node, "somebody may have a copy"), 0);
        yr_memstore_free(copies[node]);
    }
    end(w);
}

static void a_store_of_yesterday_heals_whoever_speaks_first(void **state)
{
    (void)state;
    for (unsigned back = ALICE; back <= BOB; back++)
        for (unsigned speaker = 0; speaker <= 3; speaker++)
            set_back_and_heal(10 + back * 10 + speaker, back, speaker);
}

static void both_stores_of_yesterday_heal(void **state)
{
    (void)state;
    for (unsigned speaker = 0; speaker <= 3; speaker++)
        set_back_and_heal(30 + speaker, 2, speaker);
}

// Each at another time, with letters that wait at both.
static void whatever_is_set_back_whenever_nothing_new_is_lost_or_doubled(void **state)
{
    const uint64_t first = seeded_seed("reset", 100);

    (void)state;
    for (uint64_t seed = first; seed < first + 12; seed++) {
        struct world *w = begin(seed, 2);
        struct seeded dice;
        struct yr_memstore *copies[2] = {NULL, NULL};

        seeded_init(&dice, seed);
        for (unsigned step = 0; step < 30; step++) {
            const unsigned node = (unsigned)seeded_below(&dice, 2);
            switch (seeded_below(&dice, 8)) {
            case 0:
                yr_memstore_free(copies[node]);
                copies[node] = yr_memstore_copy(sim_store(w->sim, node));
                break;
            case 1:
                if (copies[node] == NULL || seeded_below(&dice, 3) != 0)
                    break;
                sim_run(w->sim, 5 * YR_S);
                for (size_t i = 0; i < w->count; i++)
                    w->sent[i].counts = false;
                set_back(w, node, copies[node]);
                break;
            case 2: sim_cut(w->sim, ALICE, BOB, seeded_below(&dice, 2)); break;
            case 3:
                if (sim_alive(w->sim, node))
                    sim_crash(w->sim, node);
                break;
            case 4:
                if (!sim_alive(w->sim, node))
                    sim_restart(w->sim, node);
                break;
            default:
                if (sim_alive(w->sim, node))
                    say(w, node);
            }
            sim_run(w->sim,
                    seeded_below(&dice, 6) == 0 ? 20 * MINUTE : seeded_below(&dice, 3000) * YR_MS);
        }
        sim_cut(w->sim, ALICE, BOB, false);
        for (unsigned node = ALICE; node <= BOB; node++)
            if (!sim_alive(w->sim, node))
                sim_restart(w->sim, node);
        assert_true(sim_run_linked(w->sim, ALICE, BOB, 10 * MINUTE));
        wait_all(w, 2 * HOUR);
        talk(w, 6);
        yr_memstore_free(copies[0]);
        yr_memstore_free(copies[1]);
        end(w);
    }
}

static void a_copy_that_is_set_back_again_and_again_is_told(void **state)
{
    struct world *w = begin(50, 2);
    struct yr_memstore *copy;

    (void)state;
    talk(w, 4);
    copy = yr_memstore_copy(sim_store(w->sim, BOB));
    for (size_t i = 0; i < 5; i++) {
        talk(w, 6);
        for (size_t k = 0; k < w->count; k++)
            w->sent[k].counts = false;
        set_back(w, BOB, copy);
        sim_restart(w->sim, BOB);
        assert_true(sim_run_linked(w->sim, ALICE, BOB, MINUTE));
        say(w, ALICE);
        wait_all(w, 3 * HOUR);
        sim_run(w->sim, 2 * HOUR);
    }
    assert_int_equal(lines(w, ALICE, "somebody may have a copy"), 1);
    assert_in_range(lines(w, ALICE, "begun anew"), 4, 5);
    yr_memstore_free(copy);
    end(w);
}

// Thousands of texts, power that fails at any commit, links that break: one session for all.
static void a_healthy_pair_never_begins_anew(void **state)
{
    struct world *w = begin(60, 2);
    struct seeded dice;

    (void)state;
    seeded_init(&dice, 60);
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 8; i++) {
            const unsigned node = (unsigned)seeded_below(&dice, 2);
            if (sim_alive(w->sim, node))
                say(w, node);
            sim_run(w->sim, seeded_below(&dice, 300) * YR_MS);
        }
        const unsigned node = (unsigned)seeded_below(&dice, 2);
        sim_crash_at(w->sim, node, sim_commits(w->sim, node) + 1 + seeded_below(&dice, 6),
                     seeded_below(&dice, 2));
        for (unsigned i = 0; i < 20 && sim_alive(w->sim, node); i++) {
            if (i % 4 == 0 && sim_alive(w->sim, 1 - node) && w->count < TEXTS - 16)
                say(w, 1 - node);
            sim_run(w->sim, 100 * YR_MS);
        }
        sim_crash_at(w->sim, node, 0, false);
        for (unsigned k = ALICE; k <= BOB; k++)
            if (!sim_alive(w->sim, k))
                sim_restart(w->sim, k);
        if (round % 10 == 9) {
            for (size_t i = 0; i < w->count; i++) // in a crash the command may be lost, too
                w->sent[i].counts &= times(w, w->sent[i].from, w->sent[i].id) > 0;
            wait_all(w, 5 * MINUTE);
            w->count = 0;
        }
    }
    assert_int_equal(resets(w), 0);
    end(w);
}

/* ---- with a friend of both in between ---- */

// Bob's store is set back while what alice had for him lies with carol; the two never meet.
static void it_heals_through_a_friend_of_both(void **state)
{
    struct world *w = begin(70, 3);
    struct yr_memstore *copy;
    unsigned turn = 0;

    (void)state;
    talk(w, 6);
    copy = yr_memstore_copy(sim_store(w->sim, BOB));
    talk(w, 6);
    for (size_t i = 0; i < w->count; i++)
        w->sent[i].counts = false;
    sim_leave(w->sim, BOB);
    set_back(w, BOB, copy);
    sim_run(w->sim, MINUTE);
    for (unsigned i = 0; i < 6; i++)
        say(w, ALICE);
    sim_run(w->sim, MINUTE);
    sim_leave(w->sim, ALICE);
    for (; turn < 8; turn++) {
        const unsigned node = turn % 2 == 0 ? BOB : ALICE;
        sim_run(w->sim, 10 * YR_S);
        sim_restart(w->sim, node);
        if (turn == 0)
            say(w, BOB);
        sim_run(w->sim, 5 * MINUTE);
        assert_false(sim_linked(w->sim, ALICE, BOB));
        for (size_t i = 0; turn == 6 && i < w->count; i++) // all, and they never met
            if (w->sent[i].counts)
                assert_int_equal(times(w, BOB, w->sent[i].id), 1);
        sim_leave(w->sim, node);
    }
    sim_restart(w->sim, ALICE);
    sim_restart(w->sim, BOB);
    wait_all(w, 10 * MINUTE);
    assert_in_range(resets(w), 1, 4);
    yr_memstore_free(copy);
    end(w);
}

static enum yr_state state_of(struct world *w, unsigned node, const uint8_t id[YR_MSG_ID_LEN])
{
    static struct yr_message m;

    assert_int_equal(yr_node_message(sim_node(w->sim, node), id, &m), YR_OK);
    return m.state;
}

// Bob has had the text; the receipt was with carol, whose store is set back to before all of it.
static void a_receipt_that_a_holder_lost_is_given_again(void **state)
{
    struct world *w = begin(80, 3);
    struct yr_memstore *copy = yr_memstore_copy(sim_store(w->sim, CAROL));

    (void)state;
    sim_leave(w->sim, BOB);
    sim_run(w->sim, 10 * YR_S);
    say(w, ALICE);
    sim_run(w->sim, MINUTE);
    assert_int_equal(state_of(w, ALICE, w->sent[0].id), YR_STATE_HELD);
    sim_leave(w->sim, ALICE);
    sim_restart(w->sim, BOB);
    sim_run(w->sim, 3 * MINUTE);
    assert_int_equal(times(w, BOB, w->sent[0].id), 1);
    sim_leave(w->sim, BOB);
    sim_run(w->sim, 10 * YR_S);
    set_back(w, CAROL, copy);
    sim_restart(w->sim, CAROL);
    for (unsigned turn = 0; turn < 6; turn++) {
        const unsigned node = turn % 2 == 0 ? ALICE : BOB;
        sim_run(w->sim, turn % 2 == 0 ? 27 * HOUR : 10 * YR_S);
        sim_restart(w->sim, node);
        sim_run(w->sim, 5 * MINUTE);
        if (node == BOB)
            assert_int_equal(times(w, BOB, w->sent[0].id), 1);
        sim_leave(w->sim, node);
    }
    sim_run(w->sim, 10 * YR_S);
    sim_restart(w->sim, ALICE);
    sim_run(w->sim, 5 * MINUTE);
    assert_int_equal(state_of(w, ALICE, w->sent[0].id), YR_STATE_DELIVERED);
    yr_memstore_free(copy);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_heals_through_a_friend_of_both),
        cmocka_unit_test(a_receipt_that_a_holder_lost_is_given_again),
        cmocka_unit_test(a_store_of_yesterday_heals_whoever_speaks_first),
        cmocka_unit_test(both_stores_of_yesterday_heal),
        cmocka_unit_test(whatever_is_set_back_whenever_nothing_new_is_lost_or_doubled),
        cmocka_unit_test(a_copy_that_is_set_back_again_and_again_is_told),
        cmocka_unit_test(a_healthy_pair_never_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
