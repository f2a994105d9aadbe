/* Who gets an answer? */
#include "tests/core/link/world.h"

// Delivered to `end` from nowhere in particular: no byte, no allocation, no connection may follow.
static void expect_silence(struct world_end *end, const uint8_t *packet, size_t len)
{
    static const struct yr_addr stranger = {.family = 4, .ip = {9, 9, 9, 9}, .port = 9};
    const size_t used = end->mem.used[YR_MEM_LINK], conns = end->links->conn_count;
    uint8_t buf[YR_PACKET_MAX];
    struct yr_addr to;

    end->mem.cap[YR_MEM_LINK] = used; // whoever allocates now is caught
    assert_false(yr_links_recv(end->links, &stranger, packet, len, end->world->now));
    end->mem.cap[YR_MEM_LINK] = 64U << 20;
    assert_int_equal(end->mem.used[YR_MEM_LINK], used);
    assert_int_equal(end->links->conn_count, conns);
    assert_int_equal(counter(end, "link.drop.memory"), 0);
    assert_int_equal(yr_links_poll(end->links, end->world->now, &to, buf, sizeof buf), 0);
}

static uint64_t drops(const struct world_end *end)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < YR_LINK_DROP_COUNT; i++)
        sum += end->links->drops[i];
    return sum;
}

// End 0 dials; its first packet, not delivered.
static struct packet *first_packet(struct world *w)
{
    w->recording = w->cut = true;
    assert_int_equal(world_dial(w, 0, 1, true), YR_OK);
    end_poll(&w->ends[0]);
    w->recording = w->cut = false;
    assert_true(w->record_len > 0);
    return w->record[w->record_len - 1];
}

static void a_first_packet_has_1200_bytes_and_an_id_with_the_pairs_hint(void **state)
{
    struct world w;
    struct packet *packet;

    world_init(&w, 1, 2);
    packet = first_packet(&w);
    assert_int_equal(packet->len, 1200);
    assert_int_equal(packet->bytes[0] & 0xf0, 0xc0);
    assert_memory_equal(packet->bytes + 1, "\0\0\0\1\22", 5);
    assert_int_equal(packet->bytes[6 + YR_CID1_LEN], YR_CID_LEN);
    assert_true(yr_links_recv(w.ends[1].links, &packet->from, packet->bytes, packet->len, w.now));
    world_free(&w);
}

static void twenty_thousand_strange_packets_get_not_a_byte(void **state)
{
    struct world w;
    struct packet *packet;
    uint64_t rng = 2;

    world_init(&w, 2, 3);
    assert_int_equal(world_dial(&w, 2, 1, false), YR_OK); // it has something to lose
    world_run(&w, NULL, 5 * YR_S);
    packet = first_packet(&w);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[YR_PACKET_MAX + 100];
        size_t len = 1 + splitmix(&rng) % (sizeof bytes);

        world_rng_fill(&rng, bytes, len);
        switch (i % 8) {
        case 0: // noise that says it is QUIC
            bytes[0] |= 0x40;
            break;
        case 1: // a real head, a strange body
            memcpy(bytes, packet->bytes, YR_MIN(len, 40));
            break;
        case 2: // another version
            memcpy(bytes, packet->bytes, len = packet->len);
            bytes[1 + splitmix(&rng) % 4] ^= (uint8_t)(1U << splitmix(&rng) % 8);
            break;
        case 3: // one bit, anywhere
            memcpy(bytes, packet->bytes, len = packet->len);
            bytes[splitmix(&rng) % len] ^= (uint8_t)(1U << splitmix(&rng) % 8);
            break;
        case 4: // Version Negotiation for our dialler, and for others
            memset(bytes + 1, 0, 4);
            bytes[0] |= 0xc0;
            break;
        case 5: // Retry
            memcpy(bytes, packet->bytes, YR_MIN(len, 33));
            bytes[0] |= 0xf0;
            break;
        case 6: // cut
            len = splitmix(&rng) % packet->len;
            memcpy(bytes, packet->bytes, len);
            break;
        default: // a short header
            bytes[0] = (uint8_t)(0x40 | (bytes[0] & 0x3f));
        }
        expect_silence(&w.ends[1], bytes, len);
    }
    assert_true(drops(&w.ends[1]) == 20000);
    assert_true(w.ends[1].is_up[2]);
    assert_true(active_conn(&w.ends[1], 2) != NULL);
    // and the real one still works
    assert_true(yr_links_recv(w.ends[1].links, &packet->from, packet->bytes, packet->len, w.now));
    world_free(&w);
}

static void every_truncation_and_every_flipped_byte_of_a_first_packet_is_refused(void **state)
{
    struct world w;
    struct packet *packet;
    uint8_t bytes[YR_PACKET_MAX];

    world_init(&w, 3, 2);
    packet = first_packet(&w);
    for (size_t len = 0; len < packet->len; len++)
        expect_silence(&w.ends[1], packet->bytes, len);
    for (size_t i = 0; i < packet->len; i++) {
        memcpy(bytes, packet->bytes, packet->len);
        bytes[i] ^= 0x01;
        expect_silence(&w.ends[1], bytes, packet->len);
    }
    assert_true(yr_links_recv(w.ends[1].links, &packet->from, packet->bytes, packet->len, w.now));
    world_free(&w);
}

static void a_dialler_ignores_version_negotiation_and_retry(void **state)
{
    struct world w;
    struct packet *packet;
    uint8_t bytes[YR_PACKET_MAX] = {0};

    world_init(&w, 4, 2);
    packet = first_packet(&w);
    // from the responder's address, to the right id: what anyone on the path can make
    for (int i = 0; i < 2; i++) {
        bytes[0] = i == 0 ? 0x80 | 0x40 : 0xf0;
        memcpy(bytes + 1, i == 0 ? "\0\0\0\0" : "\0\0\0\1", 4);
        bytes[5] = YR_CID_LEN;
        memcpy(bytes + 6, packet->bytes + 6 + YR_CID1_LEN + 1, YR_CID_LEN);
        bytes[14] = YR_CID1_LEN;
        memcpy(bytes + 15, packet->bytes + 6, YR_CID1_LEN);
        memcpy(bytes + 33, "\x6b\x33\x43\xcf", 4);
        assert_false(yr_links_recv(w.ends[0].links, &w.ends[1].addr, bytes, 60, w.now));
    }
    assert_true(world_run(&w, both_up, 5 * YR_S)); // its retransmission arrives
    world_free(&w);
}

// What end 1 does with a packet of end 0 after `spoil` has changed something at end 0.
static uint64_t refused_for(const char *name, void (*spoil)(struct yr_link *))
{
    struct world w;
    struct packet *packet;
    uint64_t count;

    world_init(&w, 5, 2);
    spoil(w.ends[0].links->slots[1]);
    packet = first_packet(&w);
    expect_silence(&w.ends[1], packet->bytes, packet->len);
    count = counter(&w.ends[1], name);
    world_free(&w);
    return count;
}

static void spoil_hint(struct yr_link *link)
{
    link->keys[0].hint[link->out][0] ^= 1;
}

static void spoil_other_hint(struct yr_link *link)
{
    memcpy(link->keys[0].hint[link->out], link->keys[0].hint[1 - link->out], 16);
}

static void spoil_init(struct yr_link *link)
{
    link->keys[0].init[link->out][0] ^= 1;
}

static void spoil_psk(struct yr_link *link)
{
    link->keys[0].psk[0] ^= 1;
}

static void spoil_device(struct yr_link *link)
{
    link->device[3] ^= 1;
}

static void spoil_identity(struct yr_link *link)
{
    link->id[31] ^= 1;
}

static void spoil_generation(struct yr_link *link)
{
    link->gen++;
}

static void spoil_pair_generation(struct yr_link *link)
{
    link->keys[0].gen++;
}

static void every_wrong_key_is_refused_where_it_is_due(void **state)
{
    assert_int_equal(refused_for("link.drop.hint", spoil_hint), 1);
    assert_int_equal(refused_for("link.drop.hint", spoil_other_hint), 1);
    assert_int_equal(refused_for("link.drop.aead", spoil_init), 1);
    assert_int_equal(refused_for("link.drop.noise", spoil_psk), 1);
    assert_int_equal(refused_for("link.drop.noise", spoil_device), 1);
    assert_int_equal(refused_for("link.drop.noise", spoil_identity), 1);
    assert_int_equal(refused_for("link.drop.noise", spoil_generation), 1);
    assert_int_equal(refused_for("link.drop.noise", spoil_pair_generation), 1);
}

static void an_answer_from_another_device_is_not_believed(void **state)
{
    struct world w;

    world_init(&w, 6, 2);
    w.ends[1].links->self_device.secret_key[5] ^= 1; // end 1 answers with a key that is not its own
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    world_run(&w, NULL, 12 * YR_S);
    assert_int_equal(w.ends[0].ups + w.ends[1].ups, 0);
    assert_int_equal(w.ends[0].failures, 1);
    world_free(&w);
}

static void an_unconfirmed_dialler_gets_no_more_than_three_times_his_bytes(void **state)
{
    struct world w;

    // Whoever sends a stolen first packet, before it arrives, from somebody else's address.
    world_init(&w, 10, 2);
    assert_int_equal(world_dial(&w, 0, 1, false), YR_OK);
    world_run(&w, NULL, 10 * YR_MS);
    end_crash(&w.ends[0]);
    assert_int_equal(w.ends[0].sent_packets, 1);
    world_run(&w, NULL, 30 * YR_S);
    assert_true(w.ends[1].sent_bytes > 0 && w.ends[1].sent_bytes <= 3 * 1200);
    assert_int_equal(w.ends[1].links->conn_count, 0);
    world_free(&w);
}

static void old_clock_values_are_refused_before_they_cost_a_token(void **state)
{
    struct world w;
    struct packet *old;
    unsigned ups = 0;

    // Somebody kept a first packet and sends it ten times a second; the friend dials every 5 s.
    world_init(&w, 7, 2);
    old = first_packet(&w);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(world_dial(&w, 0, 1, true), YR_OK);
        for (int k = 0; k < 50; k++) {
            world_run(&w, NULL, 100 * YR_MS);
            if (i + k > 0)
                expect_silence(&w.ends[1], old->bytes, old->len);
        }
        ups += both_up(&w);
        yr_links_close(w.ends[0].links, 1, w.now);
        world_run(&w, NULL, 200 * YR_MS);
    }
    assert_int_equal(ups, 12);
    assert_int_equal(counter(&w.ends[1], "link.drop.bucket"), 0);
    assert_int_equal(counter(&w.ends[1], "link.drop.clock"), 12 * 50 - 1);
    world_free(&w);
}

static void a_friend_is_answered_ten_times_at_once_and_then_once_a_second(void **state)
{
    struct world w;
    unsigned answered = 0;

    world_init(&w, 8, 2);
    for (int i = 0; i < 30; i++) {
        struct packet *packet = first_packet(&w);

        answered +=
            yr_links_recv(w.ends[1].links, &packet->from, packet->bytes, packet->len, w.now);
    }
    assert_int_equal(answered, 10);
    assert_int_equal(counter(&w.ends[1], "link.drop.bucket"), 20);
    for (int i = 0; i < 5; i++) {
        struct packet *packet;

        w.now.mono_us += YR_S;
        packet = first_packet(&w);
        assert_true(
            yr_links_recv(w.ends[1].links, &packet->from, packet->bytes, packet->len, w.now));
        packet = first_packet(&w);
        assert_false(
            yr_links_recv(w.ends[1].links, &packet->from, packet->bytes, packet->len, w.now));
    }
    // Each answer voids the one before: at no time does a friend hold more than one half open.
    assert_null(w.ends[1].links->slots[0]->conns->next);
    world_free(&w);
}

static void the_last_of_256_friends_is_found(void **state)
{
    struct world w;
    struct packet *packet;

    world_init(&w, 9, 2);
    for (unsigned slot = 2; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_clock zero = {0};
        uint8_t id[32], secret[32];
        struct yr_pair pair;

        world_rng_fill(&w.state, id, sizeof id);
        world_rng_fill(&w.state, secret, sizeof secret);
        yr_pair_derive(&pair, 0, secret, w.ends[1].self.id, id);
        assert_int_equal(yr_links_set(w.ends[1].links, slot, id, id, 1, &pair, &zero, &zero),
                         YR_OK);
    }
    yr_links_remove(w.ends[1].links, 0, w.now);
    packet = first_packet(&w);
    expect_silence(&w.ends[1], packet->bytes, packet->len);
    assert_int_equal(counter(&w.ends[1], "link.drop.hint"), 1);
    yr_links_remove(w.ends[1].links, YR_FRIENDS_MAX - 1, w.now);
    {
        struct yr_pair pair;

        world_pair(&pair, 0, &w.ends[1], &w.ends[0]);
        assert_int_equal(yr_links_set(w.ends[1].links, YR_FRIENDS_MAX - 1, w.ends[0].self.id,
                                      w.ends[0].self.device.public_key, 1, &pair,
                                      &w.ends[1].theirs[0], &w.ends[1].ours[0]),
                         YR_OK);
    }
    assert_true(yr_links_recv(w.ends[1].links, &packet->from, packet->bytes, packet->len, w.now));
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_packet_has_1200_bytes_and_an_id_with_the_pairs_hint),
        cmocka_unit_test(twenty_thousand_strange_packets_get_not_a_byte),
        cmocka_unit_test(every_truncation_and_every_flipped_byte_of_a_first_packet_is_refused),
        cmocka_unit_test(a_dialler_ignores_version_negotiation_and_retry),
        cmocka_unit_test(every_wrong_key_is_refused_where_it_is_due),
        cmocka_unit_test(an_answer_from_another_device_is_not_believed),
        cmocka_unit_test(an_unconfirmed_dialler_gets_no_more_than_three_times_his_bytes),
        cmocka_unit_test(old_clock_values_are_refused_before_they_cost_a_token),
        cmocka_unit_test(a_friend_is_answered_ten_times_at_once_and_then_once_a_second),
        cmocka_unit_test(the_last_of_256_friends_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
