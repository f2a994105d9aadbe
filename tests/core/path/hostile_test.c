/* Probes and offers from people who mean us ill: replayed, from elsewhere, later, to another;
 * offers that name victims; floods.  What is sent because of them is counted. */
#include "tests/support/test.h"

#include "core/path/packet.h"
#include "tests/support/path/faces.h"

static struct nat_opts easy(void)
{
    return nat_opts_default();
}

static uint64_t counter(const struct face *f, const char *name)
{
    struct yr_counter c;

    for (size_t i = 0; (c = yr_paths_counter(f->paths, i)).name != NULL; i++)
        if (strcmp(c.name, name) == 0)
            return c.value;
    fail_msg("no counter %s", name);
    return 0;
}

// Friends who find each other by signals, with every packet kept.
static struct faces *recorded(uint64_t seed)
{
    const struct nat_opts box = easy();
    struct faces *w = faces_new(seed, &box, &box);

    w->keep = true;
    faces_learn_nat(w, 0, 3);
    faces_learn_nat(w, 1, 3);
    w->side[0].signals = w->side[1].signals = true;
    assert_true(faces_run(w, 2 * YR_S, true));
    (void)faces_run(w, 30 * YR_S, false);
    w->keep = false;
    assert_true(w->kept_count > 10);
    return w;
}

// Everything that ever came, to both sides, from a place of nobody's: nothing leaves for there.
static void replay_all(struct faces *w)
{
    const struct yr_addr elsewhere = {.family = 4, .ip = {66, 6, 6, 6}, .port = 666};
    const uint64_t before = w->side[0].packets_out + w->side[1].packets_out;
    const unsigned found =
        w->side[0].founds + w->side[0].moves + w->side[1].founds + w->side[1].moves;

    for (size_t i = 0; i < w->kept_count; i++)
        for (unsigned side = 0; side < 2; side++) {
            if (w->kept[i].len == 1)
                continue; // a play of a link
            faces_inject(w, side, &elsewhere, w->kept[i].bytes, w->kept[i].len);
            faces_inject(w, side, &w->kept[i].from, w->kept[i].bytes, w->kept[i].len);
        }
    (void)faces_run(w, YR_S, false);
    assert_true(w->side[0].packets_out + w->side[1].packets_out == before);
    assert_int_equal(w->side[0].founds + w->side[0].moves + w->side[1].founds + w->side[1].moves,
                     found);
}

static void what_was_sent_before_moves_nothing_when_it_comes_again(void **state)
{
    struct faces *w = recorded(1);

    replay_all(w);
    (void)faces_run(w, 86400 * YR_S, false);
    replay_all(w);
    faces_free(w);
}

static void nor_after_a_restart(void **state)
{
    const struct yr_addr elsewhere = {.family = 4, .ip = {66, 6, 6, 6}, .port = 666};
    struct faces *w = recorded(2);

    for (unsigned side = 0; side < 2; side++) {
        faces_restart(w, side);
        for (size_t i = 0; i < w->kept_count; i++)
            if (w->kept[i].len > 1)
                faces_inject(w, side, &elsewhere, w->kept[i].bytes, w->kept[i].len);
        assert_true(counter(&w->side[side], "path.answers") == 0);
        assert_true(counter(&w->side[side], "path.offers_taken") == 0);
    }
    faces_free(w);
}

static void a_signal_that_was_held_back_for_an_hour_does_nothing(void **state)
{
    const struct nat_opts box = easy();
    struct faces *w = faces_new(3, &box, &box);
    struct faces_packet held = {.at = 0};

    faces_learn_nat(w, 0, 3);
    faces_learn_nat(w, 1, 3);
    w->side[0].signals = w->side[1].signals = true;
    w->frame_us = 3600 * YR_S; // whoever carries signals sits on them
    (void)faces_run(w, 5 * YR_S, false);
    for (size_t i = 0; i < FACES_PACKETS; i++)
        if (w->packets[i].at != 0 && w->packets[i].signal && w->packets[i].to == 1) {
            held = w->packets[i];
            break;
        }
    assert_true(held.at != 0);
    memset(w->packets, 0, sizeof w->packets);
    w->side[0].signals = w->side[1].signals = false;
    faces_relay(w); // they met otherwise
    w->frame_us = 60 * YR_MS;
    assert_true(faces_run(w, 5 * YR_S, true));
    (void)faces_run(w, 120 * YR_S, false);
    faces_move(w, 0); // fresh probes
    (void)faces_run(w, 10 * YR_S, false);
    faces_inject(w, 1, &held.from, held.bytes, held.len);
    (void)faces_run(w, YR_S, false);
    assert_true(counter(&w->side[1], "path.drop.clock") > 0);
    faces_free(w);
}

static size_t flip(struct faces *world, struct faces_packet *packet)
{
    packet->bytes[packet->len / 2] ^= 1;
    return packet->len;
}

static void what_was_tampered_with_is_dropped_and_counted(void **state)
{
    const struct nat_opts box = easy();
    struct faces *w = faces_new(4, &box, &box);

    w->tamper = flip;
    faces_learn_nat(w, 0, 3);
    faces_learn_nat(w, 1, 3);
    faces_relay(w);
    assert_false(faces_run(w, 20 * YR_S, true));
    assert_true(counter(&w->side[0], "path.drop.aead") + counter(&w->side[1], "path.drop.aead") >
                5);
    assert_int_equal(w->side[0].moves + w->side[1].moves, 0);
    faces_free(w);
}

static void strangers_bytes_get_nothing(void **state)
{
    const struct nat_opts box = easy();
    const struct yr_addr elsewhere = {.family = 4, .ip = {66, 6, 6, 6}, .port = 666};
    struct faces *w = faces_new(5, &box, &box);
    uint8_t junk[YR_PACKET_MAX];
    uint64_t before;

    (void)faces_run(w, 400 * YR_S, false);
    before = counter(&w->side[0], "path.answers");
    for (unsigned type = 0x20; type <= 0x22; type++)
        for (size_t len = 1; len < sizeof junk; len++) {
            memset(junk, (int)(len * 7 + type), sizeof junk);
            junk[0] = (uint8_t)type;
            faces_inject(w, 0, &elsewhere, junk, len);
        }
    assert_true(counter(&w->side[0], "path.answers") == before);
    assert_true(counter(&w->side[0], "path.drop.form") > 4000);
    assert_true(counter(&w->side[0], "path.drop.hint") == 3);
    faces_free(w);
}

// An offer that a friend wrote to make us send to others.
static size_t offer_of(uint8_t body[YR_OFFER_MAX], const struct yr_addr *addrs, size_t count,
                       bool unsure)
{
    struct yr_offer o = {.flags = YR_OFFER_PUNCH | YR_OFFER_MANY, .mapping = YR_NAT_PORT};

    for (; o.addr_count < count; o.addr_count++) {
        o.addrs[o.addr_count].addr = addrs[o.addr_count];
        o.addrs[o.addr_count].unsure = unsure;
    }
    return yr_offer_encode(body, &o, YR_OWN_ADDRS_MAX);
}

static void offers_make_us_send_nowhere_that_is_everybodys_or_our_own(void **state)
{
    const struct nat_opts box = easy();
    struct faces *w = faces_new(6, &box, &box);
    struct yr_addr list[] = {{.family = 4, .ip = {224, 0, 0, 251}, .port = 5353},
                             {.family = 4, .ip = {255, 255, 255, 255}, .port = 9},
                             {.family = 4, .ip = {127, 0, 0, 1}, .port = 631},
                             {.family = 4, .ip = {0, 0, 0, 0}, .port = 9},
                             {.family = 6, .ip = {0xff, 2, [15] = 1}, .port = 9},
                             {.family = 6, .ip = {[15] = 1}, .port = 9},
                             w->side[0].inside};
    uint8_t body[YR_OFFER_MAX];
    uint64_t before;

    faces_learn_nat(w, 0, 3);
    faces_relay(w);
    (void)faces_run(w, 100 * YR_S, false);
    before = w->side[0].packets_out;
    for (int unsure = 0; unsure < 2; unsure++) {
        const size_t len = offer_of(body, list, YR_COUNT(list), unsure != 0);
        assert_int_equal(yr_paths_frame(w->side[0].paths, 0, body, len, faces_now(w)), YR_OK);
    }
    (void)faces_run(w, 5 * YR_S, false);
    for (size_t i = 0; i < YR_COUNT(list); i++)
        assert_false(yr_addr_eq(&w->side[0].last_out, &list[i]));
    assert_true(w->side[0].packets_out - before < 20); // what was known before is asked
    faces_free(w);
}

static void a_flood_of_offers_costs_a_bounded_number_of_packets(void **state)
{
    const struct nat_opts box = easy();
    struct faces *w = faces_new(7, &box, &box);
    struct yr_addr list[YR_OWN_ADDRS_MAX];
    uint8_t body[YR_OFFER_MAX];
    uint64_t before;

    faces_learn_nat(w, 0, 3);
    faces_relay(w);
    (void)faces_run(w, 20 * YR_S, false);
    before = w->side[0].packets_out;
    for (unsigned round = 0; round < 1000; round++) { // ten seconds
        for (size_t i = 0; i < YR_COUNT(list); i++)
            list[i] = (struct yr_addr){
                .family = 4,
                .ip = {77, (uint8_t)(round >> 8), (uint8_t)round, (uint8_t)(i + 1)},
                .port = 53};
        const size_t len = offer_of(body, list, YR_COUNT(list), round % 2 == 0);
        assert_int_equal(yr_paths_frame(w->side[0].paths, 0, body, len, faces_now(w)), YR_OK);
        (void)faces_run(w, 10 * YR_MS, false);
    }
    // A burst of 8, then two in ten seconds; at most 16 + 6 * 16 packets each, and one birthday.
    assert_true(w->side[0].packets_out - before <= 10 * (16 + 6 * 16) + 40 + YR_BIRTHDAY_PROBES);
    for (unsigned more = 0; more < 3; more++) { // a second one, and no third
        before = w->side[0].packets_out;
        for (unsigned round = 0; round < 20; round++) {
            const size_t len = offer_of(body, list, YR_COUNT(list), true);
            assert_int_equal(yr_paths_frame(w->side[0].paths, 0, body, len, faces_now(w)), YR_OK);
            (void)faces_run(w, 5 * YR_S, false);
        }
        assert_true(w->side[0].packets_out - before <=
                    22 * (16 + 6 * 16) + (more == 0 ? YR_BIRTHDAY_PROBES : 0));
    }
    assert_true(counter(&w->side[0], "path.drop.bucket") > 900);
    assert_int_equal(w->side[0].open_most, 0);
    faces_free(w);
}

static void a_friend_has_two_late_answers_and_no_more(void **state)
{
    struct faces *w = faces_new(8, NULL, NULL);
    const struct yr_addr from = {.family = 4, .ip = {66, 6, 6, 6}, .port = 666};
    struct yr_probe probe = {.type = YR_PROBE, .delay_s = 10};
    uint8_t packet[YR_PROBE_LEN];
    uint64_t before, early;

    (void)faces_run(w, 400 * YR_S, false);
    before = counter(&w->side[0], "path.answers");
    for (uint64_t i = 0; i < 10; i++) {
        probe.ms = (uint64_t)faces_now(w).wall_ms + i;
        yr_probe_seal(packet, &w->side[1].pair, &probe, &w->side[1].rng);
        faces_inject(w, 0, &from, packet, sizeof packet);
    }
    (void)faces_run(w, 9 * YR_S, false);
    early = counter(&w->side[0], "path.answers");
    assert_true(early == before);
    (void)faces_run(w, 5 * YR_S, false);
    assert_int_equal(counter(&w->side[0], "path.answers") - early, YR_LATE_MAX);
    faces_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sent_before_moves_nothing_when_it_comes_again),
        cmocka_unit_test(nor_after_a_restart),
        cmocka_unit_test(a_signal_that_was_held_back_for_an_hour_does_nothing),
        cmocka_unit_test(what_was_tampered_with_is_dropped_and_counted),
        cmocka_unit_test(strangers_bytes_get_nothing),
        cmocka_unit_test(offers_make_us_send_nowhere_that_is_everybodys_or_our_own),
        cmocka_unit_test(a_flood_of_offers_costs_a_bounded_number_of_packets),
        cmocka_unit_test(a_friend_has_two_late_answers_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
