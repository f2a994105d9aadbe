/* Where a friend is: probes, their room, and what a removed or blocked friend gets. */
#include "tests/support/test.h"

#include "core/base/base.h"
#include "core/path/paths.h"

struct end {
    struct yr_mem mem;
    struct yr_rng rng;
    struct yr_nat nat;
    struct yr_paths *paths;
    uint64_t draws, token, found;
    bool signals; /* there is where to send them */
    unsigned signalled[YR_FRIENDS_MAX];
    struct yr_pair pairs[YR_FRIENDS_MAX];
};

static void *mem_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static void fill(void *ctx, void *out, size_t len)
{
    struct end *e = ctx;

    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)((e->draws++ * 2654435761u) >> 7);
}

static uint64_t on_clock(void *ctx, unsigned slot, const struct yr_probe_clock *clock)
{
    return ++((struct end *)ctx)->token;
}

static void on_found(void *ctx, unsigned slot, const struct yr_addr *addr)
{
    ((struct end *)ctx)->found++;
}

static void on_move(void *ctx, unsigned slot, const struct yr_addr *addr)
{
}

static void on_need(void *ctx, unsigned slot, unsigned times)
{
}

static void on_here(void *ctx, unsigned slot, struct yr_offer *out)
{
}

static enum yr_err on_frame(void *ctx, unsigned slot, const uint8_t *body, size_t len)
{
    return YR_EAGAIN;
}

static bool on_can_signal(void *ctx, unsigned slot)
{
    return ((struct end *)ctx)->signals;
}

static void on_signal(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    ((struct end *)ctx)->signalled[slot]++;
}

static void on_told(void *ctx, unsigned slot, const struct yr_offer *offer)
{
}

static yr_us on_heard(void *ctx, unsigned slot)
{
    return 0;
}

static bool on_waiting(void *ctx, unsigned slot)
{
    return false;
}

static void on_keepalive(void *ctx, unsigned seconds, bool learnt)
{
}

static void on_note(void *ctx, unsigned slot, enum yr_way way, enum yr_outcome outcome,
                    const struct yr_addr *addr)
{
}

static struct end *new_end(uint64_t seed)
{
    struct end *e = calloc(1, sizeof *e);
    const struct yr_path_ops ops = {.clock = on_clock,
                                    .found = on_found,
                                    .move = on_move,
                                    .need = on_need,
                                    .here = on_here,
                                    .frame = on_frame,
                                    .can_signal = on_can_signal,
                                    .signal = on_signal,
                                    .told = on_told,
                                    .heard = on_heard,
                                    .waiting = on_waiting,
                                    .keepalive = on_keepalive,
                                    .note = on_note,
                                    .ctx = e};

    e->mem = (struct yr_mem){.realloc = mem_realloc};
    for (int i = 0; i < YR_MEM_COUNT; i++)
        e->mem.cap[i] = (size_t)64 << 20;
    e->rng = (struct yr_rng){fill, e};
    e->draws = seed;
    yr_nat_init(&e->nat, &e->rng);
    assert_int_equal(yr_paths_new(&e->paths, &e->mem, &e->rng, &e->nat, &ops), YR_OK);
    return e;
}

static void free_end(struct end *e)
{
    yr_paths_free(e->paths);
    assert_int_equal(e->mem.used[YR_MEM_NODE], 0);
    free(e);
}

static struct yr_now at(uint64_t s)
{
    return (struct yr_now){.mono_us = s * YR_S, .wall_ms = 1767225600000LL + (yr_ms)s * 1000};
}

static struct yr_addr place(unsigned i)
{
    return (struct yr_addr){.family = 4, .ip = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}, .port = 7};
}

// Friend `slot` of e, whose pair is the same at both ends.
static void befriend(struct end *e, unsigned slot, bool first)
{
    const struct yr_probe_clock clock = {.ours = 0};
    uint8_t secret[32] = {(uint8_t)slot, 1}, low[32] = {1}, high[32] = {2};

    yr_pair_derive(&e->pairs[slot], 0, secret, first ? low : high, first ? high : low);
    yr_paths_set(e->paths, slot, &e->pairs[slot], &clock, at(1));
}

static void all_of_256_friends_are_looked_for(void **state)
{
    struct end *e = new_end(1);
    struct yr_addr to;
    uint8_t buf[YR_PACKET_MAX];
    bool asked[YR_FRIENDS_MAX * 4] = {false};
    size_t count = 0;

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        befriend(e, slot, true);
        for (unsigned k = 0; k < 4; k++) {
            struct yr_addr addr = place(slot * 4 + k);
            yr_paths_learn(e->paths, slot, &addr, YR_ADDR_LINKED, at(1));
        }
    }
    for (int round = 0; round < 100; round++) {
        yr_paths_tick(e->paths, at(1));
        // with the queue full of what is not durable there is nothing to wake up for
        if (yr_paths_deadline(e->paths) <= at(1).mono_us)
            assert_true(round > 0);
        yr_paths_release(e->paths, e->token, at(1));
        while (yr_paths_poll(e->paths, at(1), &to, buf, sizeof buf) > 0)
            asked[to.ip[2] << 8 | to.ip[3]] = true;
    }
    for (size_t i = 0; i < YR_COUNT(asked); i++)
        count += asked[i];
    assert_int_equal(count, YR_FRIENDS_MAX * 4);
    assert_true(yr_paths_deadline(e->paths) > at(1).mono_us);
    free_end(e);
}

static void what_was_to_be_said_to_a_removed_friend_is_not_said(void **state)
{
    struct end *e = new_end(2);
    struct yr_addr addr = place(1), to;
    uint8_t buf[YR_PACKET_MAX];

    befriend(e, 0, true);
    befriend(e, 1, true);
    yr_paths_learn(e->paths, 0, &addr, YR_ADDR_LINKED, at(1));
    addr = place(2);
    yr_paths_learn(e->paths, 1, &addr, YR_ADDR_LINKED, at(1));
    yr_paths_tick(e->paths, at(1));
    yr_paths_remove(e->paths, 0); // its clock is not durable, and never will be
    yr_paths_release(e->paths, UINT64_MAX, at(1));
    assert_true(yr_paths_poll(e->paths, at(1), &to, buf, sizeof buf) > 0);
    assert_int_equal(to.ip[3], 2);
    assert_int_equal(yr_paths_poll(e->paths, at(1), &to, buf, sizeof buf), 0);
    free_end(e);
}

static void a_probe_is_answered_once_and_not_for_the_blocked(void **state)
{
    struct end *a = new_end(3), *b = new_end(4);
    const struct yr_addr addr = place(1), from = place(2);
    struct yr_addr to;
    uint8_t probe[YR_PACKET_MAX], answer[YR_PACKET_MAX];
    size_t len;

    befriend(a, 0, true);
    befriend(b, 0, false);
    yr_paths_learn(a->paths, 0, &addr, YR_ADDR_TOLD, at(1));
    yr_paths_tick(a->paths, at(1));
    yr_paths_release(a->paths, UINT64_MAX, at(1));
    len = yr_paths_poll(a->paths, at(1), &to, probe, sizeof probe);
    assert_true(len > 0);

    yr_paths_block(b->paths, 0, true, at(1));
    yr_paths_recv(b->paths, at(1), &from, probe, len);
    yr_paths_release(b->paths, UINT64_MAX, at(1));
    assert_int_equal(yr_paths_poll(b->paths, at(1), &to, answer, sizeof answer), 0);

    yr_paths_block(b->paths, 0, false, at(1));
    yr_paths_recv(b->paths, at(1), &from, probe, len);
    assert_true(yr_paths_poll(b->paths, at(1), &to, answer, sizeof answer) > 0);
    assert_true(yr_addr_eq(&to, &from));
    yr_paths_recv(b->paths, at(2), &from, probe, len);
    assert_int_equal(yr_paths_poll(b->paths, at(1), &to, probe, sizeof probe), 0);

    yr_paths_recv(a->paths, at(2), &addr, answer, len);
    assert_int_equal(a->found, 1);
    yr_paths_recv(a->paths, at(2), &addr, answer, len);
    assert_int_equal(a->found, 1);
    free_end(a);
    free_end(b);
}

static size_t candidates(const struct end *e)
{
    enum yr_addr_source source;
    struct yr_addr addr;
    size_t n = 0;

    while (yr_paths_candidate(e->paths, 0, n, &addr, &source))
        n++;
    return n;
}

static void a_friend_cannot_send_our_probes_where_no_friend_lives(void **state)
{
    static const struct yr_addr told[] = {
        {.family = 4, .ip = {0, 0, 0, 0}, .port = 7},
        {.family = 4, .ip = {239, 1, 2, 3}, .port = 7},
        {.family = 4, .ip = {255, 255, 255, 255}, .port = 7},
        {.family = 4, .ip = {127, 0, 0, 1}, .port = 7},
        {.family = 6, .ip = {0}, .port = 7},
        {.family = 6, .ip = {[15] = 1}, .port = 7},
        {.family = 6, .ip = {0xff, 0x02, [15] = 1}, .port = 7},
        {.family = 6, .ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, .port = 7},
    };
    const struct yr_addr good = {.family = 4, .ip = {192, 0, 2, 1}, .port = 7};
    const struct yr_probe_clock clock = {.ours = 0};
    struct end *e = new_end(9);

    yr_paths_set(e->paths, 0, &e->pairs[0], &clock, at(1));
    yr_paths_told(e->paths, 0, told, YR_COUNT(told), YR_ADDR_TOLD, false, at(1));
    assert_int_equal(candidates(e), 0);
    yr_paths_told(e->paths, 0, told, YR_COUNT(told), YR_ADDR_TOLD, true, at(1));
    assert_int_equal(candidates(e), 2); // the two loopbacks, for a link that is there itself
    yr_paths_told(e->paths, 0, &good, 1, YR_ADDR_TOLD, false, at(1));
    assert_int_equal(candidates(e), 1);
    free_end(e);
}

static void links_of_old_leave_room_for_what_the_friend_says(void **state)
{
    const struct yr_probe_clock clock = {.ours = 0};
    struct yr_addr told[YR_ADDRS_MAX / 2], addr;
    enum yr_addr_source source;
    struct end *e = new_end(11);
    size_t kept = 0;

    yr_paths_set(e->paths, 0, &e->pairs[0], &clock, at(1));
    for (unsigned i = 0; i < 3 * YR_ADDRS_MAX; i++) {
        addr = place(i);
        yr_paths_linked(e->paths, 0, &addr, at(2 + i));
    }
    yr_paths_linked(e->paths, 0, NULL, at(100));
    for (unsigned i = 0; i < YR_COUNT(told); i++)
        told[i] = place(1000 + i);
    yr_paths_told(e->paths, 0, told, YR_COUNT(told), YR_ADDR_DHT, false, at(101));
    for (size_t i = 0; yr_paths_candidate(e->paths, 0, i, &addr, &source); i++)
        kept += source == YR_ADDR_DHT;
    assert_int_equal(kept, YR_COUNT(told));
    assert_int_equal(candidates(e), YR_ADDRS_MAX);
    assert_true(yr_paths_candidate(e->paths, 0, 0, &addr, &source));
    assert_int_equal(source, YR_ADDR_LINKED); // the newest of them are there still
    free_end(e);
}

static void all_who_are_lost_at_once_are_sent_signals(void **state)
{
    struct end *e = new_end(12);
    const unsigned friends = 5 * YR_OFFERS_HELD;

    e->signals = true;
    for (unsigned slot = 0; slot < friends; slot++)
        befriend(e, slot, true);
    yr_paths_tick(e->paths, at(2));
    for (unsigned commits = 0; commits < 10; commits++)
        yr_paths_release(e->paths, e->token, at(2));
    for (unsigned slot = 0; slot < friends; slot++)
        assert_int_equal(e->signalled[slot], 1);
    free_end(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_256_friends_are_looked_for),
        cmocka_unit_test(what_was_to_be_said_to_a_removed_friend_is_not_said),
        cmocka_unit_test(a_probe_is_answered_once_and_not_for_the_blocked),
        cmocka_unit_test(a_friend_cannot_send_our_probes_where_no_friend_lives),
        cmocka_unit_test(links_of_old_leave_room_for_what_the_friend_says),
        cmocka_unit_test(all_who_are_lost_at_once_are_sent_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
