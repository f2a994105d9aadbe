/* Invites without an address in them: found through the DHT, and where no packet passes between
 * the two, accepted by signals. */
#include "tests/support/test.h"

#include "core/node/state.h"
#include "tests/support/dhts.h"

#define MINUTE (60 * YR_S)
#define HOUR   (3600 * YR_S)

static char *make_invite(struct sim *sim, unsigned node, char link[320])
{
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_NEW,
                         .expires_ms = sim_now(sim, node).wall_ms + 7 * YR_DAY_MS};
    const struct yr_event done = sim_do(sim, node, &cmd);
    struct yr_invite_info info;

    for (size_t i = 0; yr_node_invite_at(sim_node(sim, node), i, &info); i++)
        if (strcmp(info.id, done.text) == 0)
            memcpy(link, info.link, sizeof info.link);
    return link;
}

static void add(struct sim *sim, unsigned node, const char *link)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ADD, .text = link, .text_len = strlen(link)};
    enum yr_err err;

    (void)sim_command(sim, node, &cmd, &err);
    assert_int_equal(err, YR_OK);
}

static size_t friends(struct sim *sim, unsigned node)
{
    struct yr_self self;

    yr_node_self(sim_node(sim, node), &self);
    return self.friends;
}

static unsigned join(struct sim *sim, const char *nick, unsigned server)
{
    const unsigned node = sim_add(sim, nick);

    dht_role(sim, node, YR_ROLE_CLIENT);
    dht_knows(sim, node, server);
    return node;
}

static void an_invite_without_an_address_is_accepted(void **state)
{
    struct sim_opts opts = sim_opts_default(1);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 6), a = join(sim, "alice", s), b = join(sim, "bob", s);
    char link[320];

    sim_run(sim, 5 * YR_S);
    make_invite(sim, a, link);
    sim_run(sim, 3 * YR_S);
    add(sim, b, link);
    assert_true(sim_run_linked(sim, a, b, 10 * YR_S));
    sim_free(sim);
}

static void it_is_accepted_hours_later_and_after_the_inviter_has_moved(void **state)
{
    struct sim_opts opts = sim_opts_default(2);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 2), a = join(sim, "alice", s), b = join(sim, "bob", s);
    char link[320];

    make_invite(sim, a, link);
    sim_run(sim, 4 * HOUR + 11 * MINUTE);
    sim_move(sim, a);
    sim_run(sim, 10 * YR_S);
    add(sim, b, link);
    assert_true(sim_run_linked(sim, a, b, 10 * YR_S));
    sim_free(sim);
}

static void who_adds_first_finds_the_inviter_who_comes_later(void **state)
{
    struct sim_opts opts = sim_opts_default(3);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 2), a = join(sim, "alice", s), b = join(sim, "bob", s);
    char link[320];

    make_invite(sim, a, link);
    sim_crash(sim, a);
    sim_run(sim, 2 * HOUR + 10 * MINUTE); // what it said is forgotten
    add(sim, b, link);
    sim_run(sim, 5 * MINUTE);
    sim_move(sim, a);
    sim_restart(sim, a);
    dht_role(sim, a, YR_ROLE_CLIENT);
    dht_knows(sim, a, s);
    assert_true(sim_run_linked(sim, a, b, 2 * MINUTE));
    sim_free(sim);
}

static void where_no_packet_passes_between_the_two_signals_carry_first_contact(void **state)
{
    struct sim_opts opts = sim_opts_default(4);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 6), a = join(sim, "alice", s), b = join(sim, "bob", s);
    struct yr_friend_info f;
    char link[320];

    sim_cut(sim, a, b, true);
    sim_run(sim, 5 * YR_S);
    make_invite(sim, a, link);
    sim_run(sim, 3 * YR_S);
    add(sim, b, link);
    sim_run(sim, 10 * YR_S);
    assert_int_equal(friends(sim, a), 1);
    assert_int_equal(friends(sim, b), 1);
    assert_int_equal(yr_node_friend(sim_node(sim, a), sim_id(sim, b), &f), YR_OK);
    assert_string_equal(f.nick, "bob");
    assert_int_equal(yr_node_friend(sim_node(sim, b), sim_id(sim, a), &f), YR_OK);
    assert_string_equal(f.nick, "alice");
    assert_false(sim_linked(sim, a, b));
    sim_cut(sim, a, b, false); // each knows from it where the other is
    assert_true(sim_run_linked(sim, a, b, 2 * MINUTE));
    sim_free(sim);
}

static void a_single_server_suffices_and_may_be_one_of_the_two(void **state)
{
    struct sim_opts opts = sim_opts_default(5);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 1), a = join(sim, "alice", s), b = join(sim, "bob", s);
    char link[320];

    sim_cut(sim, a, b, true);
    make_invite(sim, a, link);
    sim_run(sim, 3 * YR_S);
    add(sim, b, link);
    add(sim, s, link); // only one of them gets it
    sim_run(sim, 30 * YR_S);
    assert_int_equal(friends(sim, a), 1);
    make_invite(sim, s, link);
    sim_run(sim, 3 * YR_S);
    add(sim, b, link);
    sim_run(sim, 30 * YR_S);
    assert_true(sim_linked(sim, s, b));
    sim_free(sim);
}

static void a_replayed_signal_does_nothing(void **state)
{
    struct sim_opts opts = sim_opts_default(6);
    struct yr_traffic before, after;
    struct sim *sim;
    unsigned s, a, b;
    char link[320];
    size_t recorded;

    opts.record = true;
    sim = sim_new(&opts);
    s = dht_servers(sim, 2);
    a = join(sim, "alice", s);
    b = join(sim, "bob", s);
    sim_cut(sim, a, b, true);
    sim_run(sim, 5 * YR_S);
    make_invite(sim, a, link);
    sim_run(sim, 3 * YR_S);
    add(sim, b, link);
    sim_run(sim, 10 * YR_S);
    assert_int_equal(friends(sim, a), 1);
    sim_crash(sim, b);
    yr_node_traffic(sim_node(sim, a), YR_FOR_CONTACT, &before);
    recorded = sim_recorded(sim);
    for (size_t i = 0; i < recorded; i++)
        sim_replay(sim, i, a);
    sim_run(sim, 10 * YR_S);
    assert_int_equal(friends(sim, a), 1);
    yr_node_traffic(sim_node(sim, a), YR_FOR_CONTACT, &after);
    assert_int_equal(after.out, before.out);
    sim_free(sim);
}

static void the_longest_words_fit_into_signals(void **state)
{
    struct sim_opts opts = sim_opts_default(7);
    struct sim *sim = sim_new(&opts);
    const unsigned s = dht_servers(sim, 4);
    char nick[YR_NICK_MAX + 1] = {0}, greeting[YR_GREETING_MAX], link[320];
    struct yr_cmd cmd = {.kind = YR_CMD_ADD};
    unsigned a, b;
    enum yr_err err;

    memset(nick, 'n', YR_NICK_MAX);
    memset(greeting, 'g', sizeof greeting);
    a = join(sim, nick, s);
    b = join(sim, nick, s);
    sim_cut(sim, a, b, true);
    sim_run(sim, 5 * YR_S);
    make_invite(sim, a, link);
    sim_run(sim, 3 * YR_S);
    cmd.text = link;
    cmd.text_len = strlen(link);
    cmd.body = greeting;
    cmd.body_len = sizeof greeting;
    (void)sim_command(sim, b, &cmd, &err);
    assert_int_equal(err, YR_OK);
    sim_run(sim, 10 * YR_S);
    assert_int_equal(friends(sim, a), 1);
    assert_int_equal(friends(sim, b), 1);
    sim_free(sim);
}

static void what_a_signal_says_survives_encoding_and_every_truncation_is_refused(void **state)
{
    struct yr_fc_signal s = {.ms = 7, .tag = {1, 2, 3, 4}, .ear_count = 3, .addr_count = 8}, out;
    const uint8_t packet[5] = {5, 1, 1, 0, 9};
    uint8_t bytes[YR_DHT_SIGNAL_MAX];
    size_t len, head;

    for (size_t i = 0; i < 3; i++)
        s.ears[i] = (struct yr_dht_ear){.node.addr = {.family = 6, .ip = {0x20}, .port = 7}};
    for (size_t i = 0; i < 8; i++)
        s.addrs[i] = (struct yr_addr){.family = i % 2 ? 4 : 6, .ip = {0x20, 1}, .port = 9};
    s.packet = packet;
    s.packet_len = sizeof packet;
    assert_int_equal(yr_fc_signal_encode(&s, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_fc_signal_decode(&out, bytes, len), YR_OK);
    assert_int_equal(out.ms, 7);
    assert_int_equal(out.ear_count, 3);
    assert_int_equal(out.addr_count, 8);
    assert_true(yr_addr_eq(&out.addrs[1], &s.addrs[1]));
    assert_int_equal(out.packet_len, sizeof packet);
    assert_memory_equal(out.packet, packet, sizeof packet);
    head = len - sizeof packet;
    for (size_t cut = 0; cut <= head; cut++)
        assert_int_equal(yr_fc_signal_decode(&out, bytes, cut), YR_EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_invite_without_an_address_is_accepted),
        cmocka_unit_test(it_is_accepted_hours_later_and_after_the_inviter_has_moved),
        cmocka_unit_test(who_adds_first_finds_the_inviter_who_comes_later),
        cmocka_unit_test(where_no_packet_passes_between_the_two_signals_carry_first_contact),
        cmocka_unit_test(a_single_server_suffices_and_may_be_one_of_the_two),
        cmocka_unit_test(a_replayed_signal_does_nothing),
        cmocka_unit_test(the_longest_words_fit_into_signals),
        cmocka_unit_test(what_a_signal_says_survives_encoding_and_every_truncation_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
