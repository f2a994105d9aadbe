/* Joining one after the other, as fast as they can: all names are with all at once.  Links and
 * stores of every speed, so that every record crosses every comparison. */
#include "tests/support/test.h"

#include "tests/support/seeded.h"
#include "tests/support/sim/sim.h"

#define SEEDS  60U
#define PEOPLE 3

struct world {
    struct sim *sim;
    uint8_t room[YR_ID_LEN];
};

static bool has_room(struct sim *sim, void *ctx)
{
    struct yr_room_info info;

    return yr_node_room_at(sim_node(sim, *(unsigned *)ctx), 0, &info);
}

struct wait {
    const struct world *w;
    unsigned node;
};

static bool is_active(struct sim *sim, void *ctx)
{
    const struct wait *wait = ctx;
    struct yr_room_info info;

    return yr_node_room(sim_node(sim, wait->node), wait->w->room, &info) == YR_OK &&
           info.state == YR_ROOM_ACTIVE;
}

static bool all_named(struct sim *sim, void *ctx)
{
    static const char *const names[PEOPLE] = {"alice", "bob", "carol"};
    const struct world *w = ctx;
    struct yr_member_info info;

    for (unsigned node = 0; node < PEOPLE; node++) {
        unsigned found = 0;
        for (size_t i = 0; yr_node_member_at(sim_node(sim, node), w->room, i, &info); i++)
            for (unsigned k = 0; k < PEOPLE; k++)
                found |= strcmp(info.nick, names[k]) == 0 ? 1U << k : 0;
        if (found != (1U << PEOPLE) - 1)
            return false;
    }
    return true;
}

static void bring(const struct world *w, unsigned a, unsigned b)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_INVITE};
    struct wait wait = {w, b};

    memcpy(cmd.conv, w->room, YR_ID_LEN);
    memcpy(cmd.who, sim_id(w->sim, b), YR_ID_LEN);
    assert_int_equal(sim_do(w->sim, a, &cmd).err, YR_OK);
    assert_true(sim_run_until(w->sim, 20 * YR_S, has_room, &b));
    cmd.kind = YR_CMD_ROOM_JOIN;
    assert_int_equal(sim_do(w->sim, b, &cmd).err, YR_OK);
    assert_true(sim_run_until(w->sim, 20 * YR_S, is_active, &wait));
}

static yr_us join(uint64_t seed)
{
    static const yr_us speeds[] = {50, 300, 2000, 20000};
    struct sim_opts opts = sim_opts_default(seed);
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_NEW, .text = "garden", .text_len = 6};
    struct world w;
    struct yr_event done;
    yr_us begun, took;

    opts.link = (struct sim_link){.delay_us = speeds[seed % 4], .jitter_us = speeds[seed % 4] / 2};
    opts.commit_us = speeds[seed / 4 % 4];
    w.sim = sim_new(&opts);
    sim_add(w.sim, "alice");
    sim_add(w.sim, "bob");
    sim_add(w.sim, "carol");
    sim_befriend(w.sim, 0, 1);
    sim_befriend(w.sim, 1, 2);
    done = sim_do(w.sim, 0, &cmd);
    memcpy(w.room, done.conv, YR_ID_LEN);
    bring(&w, 0, 1);
    bring(&w, 1, 2);
    begun = sim_time(w.sim);
    (void)sim_run_until(w.sim, 60 * YR_S, all_named, &w);
    took = sim_time(w.sim) - begun;
    sim_free(w.sim);
    return took;
}

static void names_are_with_all_as_soon_as_they_are_in(void **state)
{
    const uint64_t first = seeded_seed("room_join", 1);

    (void)state;
    for (uint64_t seed = first; seed < first + SEEDS; seed++) {
        const yr_us took = join(seed);
        if (took > 2 * YR_S)
            print_error("seed %llu: %llu ms\n", (unsigned long long)seed,
                        (unsigned long long)(took / 1000));
        assert_true(took <= 2 * YR_S);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_with_all_as_soon_as_they_are_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
