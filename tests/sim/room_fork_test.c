/* A member whose store is set back says two things with one number, each to one half of a room that
 * is parted.  When the halves meet, all show the same: neither. */
#include "tests/support/test.h"

#include <stdio.h>

#include "tests/support/sim/circle.h"

#define MINUTE (60 * YR_S)

enum who { ALICE, BOB, MALLORY, DAVE, PEOPLE };

static bool alike(char *const texts[PEOPLE])
{
    for (unsigned i = 1; i < PEOPLE; i++)
        if (strcmp(texts[0], texts[i]) != 0)
            return false;
    return true;
}

// Every line of a member, not only what can be read.
static char *all_lines(struct circle *c, unsigned node)
{
    static const uint8_t nobody[YR_ID_LEN];
    static struct yr_message m;
    struct yr_place at = {{0}};
    size_t len = 0, cap = 1 << 16;
    char *out = calloc(1, cap);

    assert_non_null(out);
    for (enum yr_seek how = YR_SEEK_GE;
         yr_node_history(sim_node(c->sim, node), c->room, how, &at, &m) == YR_OK;
         how = YR_SEEK_GT) {
        if (memcmp(m.author, nobody, sizeof nobody) == 0)
            continue; // our own node's words
        len += (size_t)snprintf(out + len, cap - len, "%02x%02x %lld %d%d%d %s", m.id[0], m.id[1],
                                (long long)m.time_ms, (int)m.kind, m.edited, m.deleted, m.text);
        for (size_t i = 0; i < m.reaction_count; i++)
            len += (size_t)snprintf(out + len, cap - len, " %02x:%s", m.reactions[i].author[0],
                                    m.reactions[i].emoji);
        len += (size_t)snprintf(out + len, cap - len, "\n");
        assert_true(len < cap - 1);
    }
    return out;
}

static bool settled(struct sim *sim, void *ctx)
{
    struct circle *c = ctx;
    char *texts[PEOPLE];
    bool same;

    (void)sim;
    for (unsigned i = 0; i < PEOPLE; i++)
        texts[i] = all_lines(c, i);
    same = alike(texts) && strstr(texts[0], "I pay") == NULL &&
           strstr(texts[0], "I do not pay") == NULL && strstr(texts[0], "not be read") != NULL &&
           strstr(texts[0], "both sides") != NULL;
    for (unsigned i = 0; i < PEOPLE; i++)
        free(texts[i]);
    return same;
}

// alice, bob and dave, with mallory on one side.
static void part(struct circle *c, bool with_alice)
{
    for (unsigned i = 0; i < PEOPLE; i++) {
        if (i != ALICE)
            sim_cut(c->sim, ALICE, i, i != MALLORY || !with_alice);
        if (i == BOB || i == DAVE)
            sim_cut(c->sim, MALLORY, i, with_alice);
    }
}

static void play(uint64_t seed)
{
    struct sim_opts opts = sim_opts_default(seed);
    struct circle *c = circle_new(&opts, PEOPLE);
    struct sim *sim = c->sim;
    struct yr_memstore *backup;

    for (unsigned i = 0; i < PEOPLE; i++)
        for (unsigned k = 0; k < i; k++)
            circle_befriend(c, k, i);
    circle_found(c, ALICE, 0);
    circle_gather(c, ALICE);
    (void)circle_say(c, MALLORY, "for both sides", NULL);
    sim_run(sim, MINUTE);

    part(c, true);
    sim_run(sim, MINUTE);
    sim_crash(sim, MALLORY);
    backup = yr_memstore_copy(sim_store(sim, MALLORY));
    sim_restart(sim, MALLORY);
    sim_run(sim, MINUTE);
    (void)circle_say(c, MALLORY, "I pay", NULL);
    sim_run(sim, MINUTE);
    (void)circle_say(c, ALICE, "good", NULL);
    sim_run(sim, MINUTE);

    sim_crash(sim, MALLORY);
    yr_memstore_restore(sim_store(sim, MALLORY), backup);
    yr_memstore_free(backup);
    part(c, false);
    sim_restart(sim, MALLORY);
    sim_run(sim, MINUTE);
    (void)circle_say(c, MALLORY, "I do not pay", NULL);
    sim_run(sim, 2 * MINUTE);
    (void)circle_say(c, BOB, "oh", NULL);
    sim_run(sim, MINUTE);

    circle_heal(c);
    if (!sim_run_until(sim, 20 * MINUTE, settled, c)) {
        for (unsigned i = 0; i < PEOPLE; i++) {
            char *text = all_lines(c, i);
            print_error("--- %u\n%s", i, text);
            free(text);
        }
        fail_msg("seed %llu", (unsigned long long)seed);
    }
    for (unsigned i = 0; i < PEOPLE; i++) { // and from disk
        sim_crash(sim, i);
        sim_restart(sim, i);
    }
    sim_run(sim, YR_S);
    assert_true(settled(sim, c));
    circle_free(c);
}

static void who_said_two_things_has_said_neither(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        play(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_said_two_things_has_said_neither),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
