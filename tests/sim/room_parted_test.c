/* A room whose people do not reach each other for a while: DISTRIBUTED 7, G-5, G-6, G-8, M9. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/node/state.h"
#include "core/room/state.h"
#include "tests/support/sim/circle.h"

#define MINUTE (60 * YR_S)
#define HOUR   (60 * MINUTE)
#define YEARS  (10LL * 365 * 86400 * 1000)

static struct circle *people(uint64_t seed, unsigned count)
{
    const struct sim_opts opts = sim_opts_default(seed);

    return circle_new(&opts, count);
}

// Everybody says `each` texts of about 100 bytes, now and then.
static void write_all(struct circle *c, unsigned each, yr_us pause)
{
    char text[128];

    for (unsigned k = 0; k < each; k++)
        for (unsigned i = 0; i < c->count; i++) {
            enum yr_err err = YR_OK;
            snprintf(text, sizeof text, "%u says for the %u. time what takes a hundred bytes %040u",
                     i, k, k);
            if (circle_in(c, i)) {
                (void)circle_say(c, i, text, &err);
                assert_int_equal(err, YR_OK);
            }
            sim_run(c->sim, pause);
        }
}

static bool all_linked(struct sim *sim, void *ctx)
{
    const struct circle *c = ctx;

    for (unsigned a = 0; a < c->count; a++)
        for (unsigned b = 0; b < a; b++)
            if (c->friends[a][b] && !sim_linked(sim, a, b))
                return false;
    return true;
}

static void run_linked(struct circle *c, yr_us limit)
{
    if (!sim_run_until(c->sim, limit, all_linked, c))
        circle_fail(c, "friends did not find each other", 0, 1);
}

// Bytes of the records that somebody could read and has not got, each counted for all of them.
static uint64_t missing_bytes(struct circle *c)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    uint64_t sum = 0;

    for (size_t k = 0; k < c->text_count; k++) {
        struct circle_text *t = &c->texts[k];
        struct yr_room *room = yr_rooms_find(sim_node(c->sim, t->from)->rooms, c->room);
        struct yr_room_entry entry;
        size_t len;
        assert_int_equal(yr_room_log_get(room->log, t->id, bytes, sizeof bytes, &len, &entry),
                         YR_OK);
        for (unsigned i = 0; i < c->count; i++)
            if (circle_message(c, i, k) == NULL)
                sum += len;
    }
    return sum;
}

// How many bytes it takes until all agree after a day in `parts` in which each wrote 2 * `each`
// texts; *least: if nothing came twice and there were nothing else.
static uint64_t part_for_a_day(unsigned parts, unsigned each, uint64_t *least)
{
    struct circle *c = people(parts, 9);
    unsigned side[CIRCLE_MAX];
    uint64_t before;
    yr_us healed, linked;

    circle_graph(c, 1);
    circle_found(c, 0, 0);
    circle_gather(c, 0);
    write_all(c, 2, 100 * YR_MS);
    assert_true(circle_settle(c, MINUTE));
    for (unsigned i = 0; i < c->count; i++)
        side[i] = i * parts / c->count;
    circle_part(c, side);
    write_all(c, each, 20 * YR_S);
    sim_run(c->sim, 12 * HOUR);
    write_all(c, each, 20 * YR_S);
    sim_run(c->sim, 12 * HOUR);
    *least = missing_bytes(c);
    before = sim_bytes(c->sim);
    healed = sim_time(c->sim);
    circle_heal(c);
    run_linked(c, 30 * MINUTE);
    linked = sim_time(c->sim);
    if (!circle_settle(c, 10 * YR_S))
        circle_fail(c, "no agreement 10 s after the links", 0, 1);
    if (each > 0)
        print_message("%u parts: links after %llu s, agreed %llu ms after the last\n", parts,
                      (unsigned long long)((linked - healed) / YR_S),
                      (unsigned long long)((sim_time(c->sim) - linked) / YR_MS));
    before = sim_bytes(c->sim) - before;
    circle_end(c, MINUTE);
    circle_free(c);
    return before;
}

static void parted_for_a_day_all_agree_again(void **state)
{
    (void)state;
    for (unsigned parts = 2; parts <= 3; parts++) {
        uint64_t least, none, links = part_for_a_day(parts, 0, &none), bytes;
        bytes = part_for_a_day(parts, parts == 2 ? 24 : 8, &least) - links;
        print_message("catching up: %llu bytes for %llu, and %llu for the links\n",
                      (unsigned long long)bytes, (unsigned long long)least,
                      (unsigned long long)links);
        assert_true(bytes * 10 <= least * (parts == 2 ? 16 : 20));
    }
}

// Two threes that know each other over one alone.
static void a_bridge_that_comes_back_brings_all(void **state)
{
    struct circle *c = people(3, 7);

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        circle_befriend(c, i, (i + 1) % 3);
        circle_befriend(c, 4 + i, 4 + (i + 1) % 3);
    }
    circle_befriend(c, 0, 3);
    circle_befriend(c, 3, 4);
    circle_found(c, 0, 0);
    circle_gather(c, 0);
    write_all(c, 1, 0);
    sim_run(c->sim, YR_S);
    for (unsigned k = 0; k < 3; k++) {
        sim_crash(c->sim, 3);
        write_all(c, 5, YR_S);
        sim_run(c->sim, 10 * MINUTE);
        sim_restart(c->sim, 3);
        if (!circle_settle(c, 10 * YR_S))
            circle_fail(c, "the bridge is back, and nothing comes", 0, 4);
    }
    circle_end(c, MINUTE);
    circle_free(c);
}

static size_t say(struct circle *c, unsigned node, const char *text)
{
    const size_t number = circle_say(c, node, text, NULL);

    assert_true(number != SIZE_MAX);
    sim_run(c->sim, 200 * YR_MS);
    return number;
}

static void command(struct circle *c, unsigned node, const struct yr_cmd *cmd)
{
    enum yr_err err;

    (void)sim_command(c->sim, node, cmd, &err);
    assert_int_equal(err, YR_OK);
    sim_run(c->sim, 100 * YR_MS);
}

// Sides of three; the one who is removed is on the side that does not hear of it, or alone, or with
// those who remove it.
static void remove_in_parts(uint64_t seed, unsigned where)
{
    struct circle *c = people(seed, 7);
    unsigned side[CIRCLE_MAX] = {0, 0, 0, 1, 1, 1, where};
    struct yr_cmd role = circle_cmd(c, YR_CMD_ROOM_ROLE), kick, topic;
    const unsigned removed = 6;
    size_t first, late;

    circle_graph(c, 2);
    for (unsigned i = 0; i < removed; i++) // it knows all
        circle_befriend(c, i, removed);
    circle_found(c, 0, 0);
    circle_gather(c, 0);
    role = circle_cmd(c, YR_CMD_ROOM_ROLE);
    circle_who(c, &role, removed);
    role.number = YR_RANK_MOD;
    command(c, 0, &role);
    write_all(c, 1, 50 * YR_MS);
    assert_true(circle_settle(c, MINUTE));
    circle_part(c, side);
    sim_run(c->sim, 2 * MINUTE);
    kick = circle_cmd(c, YR_CMD_ROOM_KICK);
    circle_who(c, &kick, removed);
    command(c, 0, &kick);
    topic = circle_cmd(c, YR_CMD_ROOM_TOPIC);
    topic.text = "mine";
    topic.text_len = 4;
    if (where != 0)
        command(c, removed, &topic); // it does not know yet
    sim_run(c->sim, YR_S);
    first = say(c, 0, "said by who removed it, at once");
    for (unsigned k = 0; k < 3; k++)
        for (unsigned i = 0; i < removed; i++)
            (void)say(c, i, k == 0 ? "a word" : "another word");
    for (unsigned i = 0; i < 3; i++)
        assert_false(circle_reader(c, &c->texts[first], removed));
    circle_heal(c);
    run_linked(c, 5 * MINUTE);
    sim_run(c->sim, 10 * YR_S);
    late = c->text_count;
    for (unsigned i = 0; i < removed; i++)
        (void)say(c, i, "all know that it is gone");
    for (; late < c->text_count; late++)
        assert_false(circle_reader(c, &c->texts[late], removed));
    assert_int_equal(circle_state(c, removed, NULL), YR_ROOM_GONE);
    circle_end(c, MINUTE);
    assert_null(circle_message(c, removed, first));
    circle_free(c);
}

static void who_is_removed_while_all_are_parted_reads_nothing_after(void **state)
{
    (void)state;
    for (unsigned where = 0; where < 3; where++)
        for (uint64_t seed = 20; seed < 22; seed++)
            remove_in_parts(seed, where);
}

static void who_comes_late_amid_bursts_and_wild_clocks_sees_the_same_order(void **state)
{
    (void)state;
    for (uint64_t seed = 30; seed < 33; seed++) {
        struct circle *c = people(seed, 8);
        circle_graph(c, 1);
        for (unsigned i = 0; i < c->count; i++)
            sim_skew(c->sim, i, ((yr_ms)circle_draw(c, 3) - 1) * YEARS);
        circle_found(c, 0, seed % 2 == 0 ? 0 : 7);
        for (unsigned i = 1; i < c->count; i++)
            for (unsigned k = 0; k < i; k++)
                if (c->friends[k][i] && circle_state(c, i, NULL) == YR_ROOM_GONE) {
                    write_all(c, 3, 0); // as it comes in
                    circle_bring(c, k, i);
                    (void)circle_say(c, i, "here I am", NULL);
                    write_all(c, 3, 0);
                }
        circle_end(c, MINUTE);
        circle_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parted_for_a_day_all_agree_again),
        cmocka_unit_test(a_bridge_that_comes_back_brings_all),
        cmocka_unit_test(who_is_removed_while_all_are_parted_reads_nothing_after),
        cmocka_unit_test(who_comes_late_amid_bursts_and_wild_clocks_sees_the_same_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
