/* Circuits through common friends: set up, used, refused, attacked.  No link and no clock is real:
 * four relays on a bus in memory. */
#include "core/path/relay_state.h"

#include "tests/support/seeded.h"
#include "tests/support/test.h"

enum { ALICE, BOB, CAROL, DAVE, PEERS };
#define QUEUE_MAX      4096
#define DATAGRAM_BYTES (YR_LINK_DATAGRAM_SAFE - 32)

struct told {
    unsigned count, slot, via;
    struct yr_addr addr;
    bool ours;
    enum yr_relay_reason why;
};

struct peer {
    struct bus *bus;
    unsigned index;
    struct yr_relay *relay;
    uint8_t id[32];
    struct told opened, closed;
    unsigned packets, frames, datagrams; /* got; sent */
    unsigned packet_slot;
    struct yr_addr packet_from;
    uint8_t packet[YR_PACKET_MAX];
    size_t packet_len;
    bool queue_full; /* of its links: datagrams find no room */
    size_t longest;
};

struct item {
    unsigned from, to;
    uint8_t type; /* 0: a datagram */
    size_t len;
    uint8_t bytes[DATAGRAM_BYTES];
};

struct bus {
    struct peer peers[PEERS];
    bool linked[PEERS][PEERS], deaf[PEERS];
    struct item *items;
    size_t head, tail;
    struct yr_now now;
    struct seeded rnd;
    struct test_mem mem;
};

static enum yr_err push(struct peer *p, unsigned slot, uint8_t type, const uint8_t *bytes,
                        size_t len)
{
    struct bus *bus = p->bus;
    struct item *item;

    if (!bus->linked[p->index][slot])
        return YR_EAGAIN;
    assert_true(bus->tail < QUEUE_MAX && len <= sizeof item->bytes);
    item = &bus->items[bus->tail++];
    *item = (struct item){.from = p->index, .to = slot, .type = type, .len = len};
    memcpy(item->bytes, bytes, len);
    return YR_OK;
}

static enum yr_err on_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len)
{
    struct peer *p = ctx;

    p->frames++;
    return push(p, slot, type, body, len);
}

static enum yr_err on_datagram(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    struct peer *p = ctx;

    p->datagrams++;
    p->longest = YR_MAX(p->longest, len);
    return p->queue_full ? YR_EFULL : push(p, slot, 0, bytes, len);
}

static void on_packet(void *ctx, unsigned slot, const struct yr_addr *from, const uint8_t *bytes,
                      size_t len)
{
    struct peer *p = ctx;

    p->packets++;
    p->packet_slot = slot;
    p->packet_from = *from;
    p->packet_len = len;
    assert_true(len <= sizeof p->packet);
    memcpy(p->packet, bytes, len);
}

static void on_opened(void *ctx, unsigned slot, unsigned via, const struct yr_addr *addr, bool ours)
{
    struct peer *p = ctx;

    p->opened = (struct told){
        .count = p->opened.count + 1, .slot = slot, .via = via, .addr = *addr, .ours = ours};
}

static void on_closed(void *ctx, unsigned slot, unsigned via, const struct yr_addr *addr,
                      enum yr_relay_reason why)
{
    struct peer *p = ctx;

    p->closed = (struct told){
        .count = p->closed.count + 1, .slot = slot, .via = via, .addr = *addr, .why = why};
}

static void befriend(struct bus *bus, unsigned a, unsigned b)
{
    uint8_t rel[32] = {0};

    rel[0] = (uint8_t)(1 + YR_MIN(a, b));
    rel[1] = (uint8_t)(1 + YR_MAX(a, b));
    for (unsigned i = 0; i < 2; i++) {
        const unsigned me = i == 0 ? a : b, you = i == 0 ? b : a;

        yr_relay_set(bus->peers[me].relay, you, bus->peers[you].id, rel, me > you);
    }
}

static void link_up(struct bus *bus, unsigned a, unsigned b, bool direct)
{
    bus->linked[a][b] = bus->linked[b][a] = true;
    yr_relay_up(bus->peers[a].relay, b, direct, bus->now);
    yr_relay_up(bus->peers[b].relay, a, direct, bus->now);
}

static void link_down(struct bus *bus, unsigned a, unsigned b)
{
    bus->linked[a][b] = bus->linked[b][a] = false;
    yr_relay_down(bus->peers[a].relay, b, bus->now);
    yr_relay_down(bus->peers[b].relay, a, bus->now);
}

static void run(struct bus *bus)
{
    while (bus->head < bus->tail) {
        const struct item item = bus->items[bus->head++];
        struct peer *to = &bus->peers[item.to];

        if (bus->deaf[item.to] || !bus->linked[item.from][item.to])
            continue;
        if (item.type == 0)
            yr_relay_datagram(to->relay, item.from, item.bytes, item.len, bus->now);
        else
            (void)yr_relay_frame(to->relay, item.from, item.type, item.bytes, item.len, bus->now);
    }
    bus->head = bus->tail = 0;
}

static void later(struct bus *bus, yr_us us)
{
    bus->now.mono_us += us;
    bus->now.wall_ms += (yr_ms)(us / 1000);
    for (unsigned i = 0; i < PEERS; i++)
        yr_relay_tick(bus->peers[i].relay, bus->now);
    run(bus);
}

// Everybody is a friend of everybody; alice and bob have no link.
static void bus_init(struct bus *bus)
{
    memset(bus, 0, sizeof *bus);
    seeded_init(&bus->rnd, 7);
    test_mem_init(&bus->mem, 1 << 20);
    bus->items = calloc(QUEUE_MAX, sizeof *bus->items);
    bus->now = (struct yr_now){.mono_us = 1000 * YR_S, .wall_ms = 1700000000000};
    for (unsigned i = 0; i < PEERS; i++) {
        const struct yr_relay_ops ops = {.frame = on_frame,
                                         .datagram = on_datagram,
                                         .packet = on_packet,
                                         .opened = on_opened,
                                         .closed = on_closed,
                                         .ctx = &bus->peers[i]};
        struct peer *p = &bus->peers[i];

        p->bus = bus;
        p->index = i;
        memset(p->id, (int)(0x10 + i), sizeof p->id);
        assert_int_equal(yr_relay_new(&p->relay, &bus->mem.mem, &bus->rnd.rng, &ops), YR_OK);
        yr_relay_pad(p->relay, p->id);
    }
    for (unsigned a = 0; a < PEERS; a++)
        for (unsigned b = a + 1; b < PEERS; b++) {
            befriend(bus, a, b);
            if (a != ALICE || b != BOB)
                link_up(bus, a, b, true);
        }
    run(bus);
}

static void bus_clear(struct bus *bus)
{
    for (unsigned i = 0; i < PEERS; i++)
        yr_relay_free(bus->peers[i].relay);
    free(bus->items);
    assert_int_equal(bus->mem.live, 0);
}

static uint64_t counted(const struct peer *p, const char *name)
{
    struct yr_counter c;

    for (size_t i = 0; (c = yr_relay_counter(p->relay, i)).name != NULL; i++)
        if (strcmp(c.name, name) == 0)
            return c.value;
    fail_msg("no counter %s", name);
    return 0;
}

// Alice asks `via` for bob; *addr: of the circuit.
static enum yr_err ask(struct bus *bus, unsigned via, struct yr_addr *addr)
{
    return yr_relay_open(bus->peers[ALICE].relay, BOB, via, addr, bus->now);
}

static struct yr_addr circuit(struct bus *bus)
{
    struct yr_addr addr;

    assert_int_equal(ask(bus, CAROL, &addr), YR_OK);
    run(bus);
    assert_int_equal(bus->peers[ALICE].opened.count, 1);
    assert_int_equal(bus->peers[BOB].opened.count, 1);
    return addr;
}

/* ---- set up and used ---- */

static void a_circuit_is_asked_for_accepted_and_used_both_ways(void **state)
{
    uint8_t bytes[YR_PACKET_MAX];
    struct yr_relay_info info;
    struct bus bus;
    struct yr_addr addr;

    bus_init(&bus);
    addr = circuit(&bus);
    assert_int_equal(addr.family, YR_FAMILY_VIA);
    assert_true(yr_addr_eq(&bus.peers[ALICE].opened.addr, &addr));
    assert_true(bus.peers[ALICE].opened.ours);
    assert_int_equal(bus.peers[ALICE].opened.slot, BOB);
    assert_false(bus.peers[BOB].opened.ours);
    assert_int_equal(bus.peers[BOB].opened.slot, ALICE);
    assert_int_equal(bus.peers[BOB].opened.via, CAROL);
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 1);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 11 + (i >> 8));
    for (unsigned from = ALICE; from <= BOB; from++) {
        struct peer *here = &bus.peers[from], *there = &bus.peers[1 - from];

        for (size_t len = 1; len <= sizeof bytes; len += len < 1100 ? 371 : 7) {
            later(&bus, YR_S);
            yr_relay_send(here->relay, &here->opened.addr, bytes, len, bus.now);
            run(&bus);
            assert_int_equal(there->packet_len, len);
            assert_memory_equal(there->packet, bytes, len);
            assert_true(yr_addr_eq(&there->packet_from, &there->opened.addr));
            assert_int_equal(there->packet_slot, from);
        }
    }
    assert_true(bus.peers[CAROL].longest <= YR_RELAY_HEAD + YR_LINK_VIA_MAX);
    assert_true(yr_relay_at(bus.peers[ALICE].relay, &addr, &info));
    assert_true(info.open && info.ours && info.slot == BOB && info.via == CAROL);
    assert_true(info.in_bytes > 10000 && info.out_bytes == info.in_bytes);
    bus_clear(&bus);
}

static void halves_come_in_any_order_and_one_that_is_alone_is_forgotten(void **state)
{
    uint8_t bytes[1400];
    struct bus bus;
    struct yr_addr addr;
    struct item first, second;
    struct peer *bob;

    bus_init(&bus);
    bob = &bus.peers[BOB];
    addr = circuit(&bus);
    memset(bytes, 7, sizeof bytes);
    bytes[0] = 1;
    yr_relay_send(bus.peers[ALICE].relay, &addr, bytes, sizeof bytes, bus.now);
    assert_int_equal(bus.tail, 2);
    first = bus.items[0];
    second = bus.items[1];
    assert_int_equal(first.bytes[0], YR_RELAY_FIRST);
    assert_int_equal(second.bytes[0], YR_RELAY_SECOND);
    bus.items[0] = second;
    bus.items[1] = first;
    run(&bus);
    assert_int_equal(bob->packets, 1);
    assert_memory_equal(bob->packet, bytes, sizeof bytes);
    bus.items[bus.tail++] = first; // the same half again, twice: never a whole
    bus.items[bus.tail++] = first;
    run(&bus);
    assert_int_equal(bob->packets, 1);
    bus.items[bus.tail++] = second; // and too late
    bus.now.mono_us += YR_RELAY_HALF_MS * YR_MS + 1;
    run(&bus);
    assert_int_equal(bob->packets, 1);
    second.bytes[3]++; // the half of another packet
    bus.items[bus.tail++] = second;
    run(&bus);
    assert_int_equal(bob->packets, 1);
    assert_true(counted(bob, "relay.drop.half") > 0);
    bus_clear(&bus);
}

static void two_halves_longer_than_any_packet_are_dropped(void **state)
{
    uint8_t bytes[YR_RELAY_HEAD + YR_LINK_VIA_MAX] = {0};
    struct bus bus;
    const struct relay_end *end;

    bus_init(&bus);
    (void)circuit(&bus);
    end = bus.peers[BOB].relay->ends[0];
    yr_relay_head(bytes, YR_RELAY_FIRST, end->route, 5);
    yr_relay_datagram(bus.peers[BOB].relay, CAROL, bytes, sizeof bytes, bus.now);
    bytes[0] = YR_RELAY_SECOND;
    yr_relay_datagram(bus.peers[BOB].relay, CAROL, bytes, sizeof bytes, bus.now);
    assert_int_equal(bus.peers[BOB].packets, 0);
    assert_int_equal(counted(&bus.peers[BOB], "relay.drop.half"), 1);
    bus_clear(&bus);
}

static void both_may_ask_at_once_and_a_third_circuit_is_refused(void **state)
{
    struct yr_addr addr;
    struct bus bus;

    bus_init(&bus);
    assert_int_equal(ask(&bus, CAROL, &addr), YR_OK);
    assert_int_equal(yr_relay_open(bus.peers[BOB].relay, ALICE, CAROL, &addr, bus.now), YR_OK);
    run(&bus);
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 2);
    assert_int_equal(ask(&bus, CAROL, &addr), YR_EEXIST);
    assert_true(yr_relay_at(bus.peers[ALICE].relay, &addr, &(struct yr_relay_info){0}));
    // a friend that does not keep to it: another OPEN on the wire
    struct yr_relay_msg msg = {.type = YR_FRAME_RELAY_OPEN, .route = 0x4000};
    uint8_t body[YR_RELAY_MSG_MAX];
    yr_kdf(msg.hash, 16, bus.peers[BOB].id, YR_LABEL_RELAY_TO, msg.nonce, 16);
    const size_t len = yr_relay_msg_encode(&msg, body);
    assert_int_equal(yr_relay_frame(bus.peers[CAROL].relay, ALICE, msg.type, body, len, bus.now),
                     YR_OK);
    assert_int_equal(counted(&bus.peers[CAROL], "relay.refused"), 1);
    assert_int_equal(bus.items[bus.tail - 1].type, YR_FRAME_RELAY_CLOSE);
    assert_int_equal(bus.items[bus.tail - 1].bytes[2], YR_RELAY_FULL);
    bus_clear(&bus);
}

static void a_circuit_that_is_not_used_ends_everywhere(void **state)
{
    const uint8_t byte = 0x40;
    struct yr_addr addr;
    struct bus bus;

    bus_init(&bus);
    addr = circuit(&bus);
    for (unsigned i = 0; i < 3; i++) {
        later(&bus, (YR_RELAY_IDLE_S - 1) * YR_S);
        yr_relay_send(bus.peers[ALICE].relay, &addr, &byte, 1, bus.now);
        run(&bus);
    }
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 1);
    later(&bus, YR_RELAY_IDLE_S * YR_S);
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 0);
    assert_int_equal(bus.peers[ALICE].closed.count, 1);
    assert_int_equal(bus.peers[BOB].closed.count, 1);
    assert_int_equal(bus.peers[ALICE].closed.why, YR_RELAY_IDLE);
    assert_false(yr_relay_at(bus.peers[ALICE].relay, &addr, &(struct yr_relay_info){0}));
    assert_int_equal(ask(&bus, CAROL, &addr), YR_OK); // it may be asked for again at once
    bus_clear(&bus);
}

static void a_circuit_ends_with_either_of_its_links(void **state)
{
    for (unsigned who = ALICE; who <= BOB; who++) {
        struct bus bus;

        bus_init(&bus);
        (void)circuit(&bus);
        link_down(&bus, who, CAROL);
        run(&bus);
        assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 0);
        for (unsigned i = ALICE; i <= BOB; i++) {
            assert_int_equal(bus.peers[i].closed.count, 1);
            assert_int_equal(bus.peers[i].closed.why, YR_RELAY_LOST);
        }
        bus_clear(&bus);
    }
}

static void an_end_gives_a_circuit_up_without_being_told(void **state)
{
    struct yr_addr addr;
    struct bus bus;

    bus_init(&bus);
    addr = circuit(&bus);
    yr_relay_close(bus.peers[ALICE].relay, &addr, bus.now);
    yr_relay_close(bus.peers[ALICE].relay, &addr, bus.now);
    run(&bus);
    assert_int_equal(bus.peers[ALICE].closed.count, 0);
    assert_int_equal(bus.peers[BOB].closed.count, 1);
    assert_int_equal(bus.peers[BOB].closed.why, YR_RELAY_DONE);
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 0);
    bus_clear(&bus);
}

static void the_third_circuit_to_a_friend_takes_the_place_of_the_most_silent(void **state)
{
    const uint8_t byte = 0x40;
    struct yr_relay_info info;
    struct yr_addr addr;
    struct bus bus;

    bus_init(&bus);
    assert_int_equal(ask(&bus, CAROL, &addr), YR_OK);
    assert_int_equal(yr_relay_open(bus.peers[BOB].relay, ALICE, CAROL, &addr, bus.now), YR_OK);
    run(&bus);
    later(&bus, YR_S);
    yr_relay_send(bus.peers[BOB].relay, &addr, &byte, 1, bus.now); // that one is alive
    run(&bus);
    assert_int_equal(ask(&bus, DAVE, &addr), YR_OK);
    run(&bus);
    assert_true(yr_relay_circuit(bus.peers[ALICE].relay, BOB, 1, &info));
    assert_false(yr_relay_circuit(bus.peers[ALICE].relay, BOB, 2, &info));
    for (size_t i = 0; yr_relay_circuit(bus.peers[ALICE].relay, BOB, i, &info); i++)
        assert_true(info.via == DAVE || !info.ours);
    bus_clear(&bus);
}

/* ---- refused ---- */

static void refused_with(struct bus *bus, enum yr_relay_reason why)
{
    const unsigned before = bus->peers[ALICE].closed.count;
    struct yr_addr addr;

    assert_int_equal(ask(bus, CAROL, &addr), YR_OK);
    run(bus);
    assert_int_equal(bus->peers[ALICE].closed.count, before + 1);
    assert_int_equal(bus->peers[ALICE].closed.why, why);
    assert_int_equal(bus->peers[ALICE].opened.count, 0);
    assert_int_equal(yr_relay_carrying(bus->peers[CAROL].relay), 0);
    assert_int_equal(ask(bus, CAROL, &addr), YR_EAGAIN); // not at once
}

static void without_consent_nothing_is_carried(void **state)
{
    struct yr_addr addr;
    struct bus bus;

    bus_init(&bus);
    yr_relay_allow(bus.peers[CAROL].relay, false, bus.now);
    refused_with(&bus, YR_RELAY_DENIED);
    later(&bus, (YR_RELAY_DENIED_S - 1) * YR_S);
    assert_int_equal(ask(&bus, CAROL, &addr), YR_EAGAIN);
    later(&bus, YR_S);
    yr_relay_consent(bus.peers[CAROL].relay, ALICE, YR_YES, bus.now);
    yr_relay_consent(bus.peers[CAROL].relay, BOB, YR_YES, bus.now);
    (void)circuit(&bus);
    yr_relay_consent(bus.peers[CAROL].relay, BOB, YR_NO, bus.now);
    run(&bus);
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 0);
    assert_int_equal(bus.peers[ALICE].closed.why, YR_RELAY_DENIED);
    assert_int_equal(bus.peers[BOB].closed.why, YR_RELAY_DENIED);
    bus_clear(&bus);
}

// Who asks cannot tell a stranger from a friend who is away, is not carried for, or says no.
static void whatever_is_so_with_the_other_one_looks_the_same(void **state)
{
    for (unsigned what = 0; what < 6; what++) {
        struct bus bus;

        bus_init(&bus);
        switch (what) {
        case 0: yr_relay_remove(bus.peers[CAROL].relay, BOB); break;
        case 1: link_down(&bus, BOB, CAROL); break;
        case 2: yr_relay_consent(bus.peers[CAROL].relay, BOB, YR_NO, bus.now); break;
        case 3: yr_relay_block(bus.peers[BOB].relay, ALICE, true, bus.now); break;
        case 4: yr_relay_remove(bus.peers[BOB].relay, ALICE); break;
        default: link_up(&bus, BOB, CAROL, false); break; // relayed itself
        }
        run(&bus);
        refused_with(&bus, YR_RELAY_NOT_THERE);
        bus_clear(&bus);
    }
}

static void who_is_relayed_itself_carries_nothing_and_asks_nobody(void **state)
{
    struct yr_addr addr;
    struct bus bus;
    unsigned via;

    bus_init(&bus);
    (void)circuit(&bus);
    link_up(&bus, ALICE, CAROL, false); // her link with carol goes through dave now
    run(&bus);
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 0);
    assert_int_equal(bus.peers[BOB].closed.count, 1);
    assert_int_equal(ask(&bus, CAROL, &addr), YR_EAGAIN);
    assert_true(yr_relay_common(bus.peers[ALICE].relay, BOB, 0, &via, bus.now));
    assert_int_equal(via, DAVE);
    assert_false(yr_relay_common(bus.peers[ALICE].relay, BOB, 1, &via, bus.now));
    bus_clear(&bus);
}

static void a_silent_relay_is_given_up(void **state)
{
    struct yr_addr addr;
    struct bus bus;

    bus_init(&bus);
    bus.deaf[CAROL] = true;
    assert_int_equal(ask(&bus, CAROL, &addr), YR_OK);
    later(&bus, YR_RELAY_ASK_S * YR_S);
    assert_int_equal(bus.peers[ALICE].closed.why, YR_RELAY_SILENT);
    assert_int_equal(ask(&bus, CAROL, &addr), YR_EAGAIN);
    assert_int_equal(ask(&bus, DAVE, &addr), YR_OK);
    later(&bus, YR_RELAY_REFUSED_S * YR_S);
    assert_int_equal(ask(&bus, CAROL, &addr), YR_OK);
    bus_clear(&bus);
}

static void a_friend_who_does_not_answer_a_call_leaves_nothing_behind(void **state)
{
    struct yr_addr addr;
    struct bus bus;

    bus_init(&bus);
    bus.deaf[BOB] = true;
    assert_int_equal(ask(&bus, CAROL, &addr), YR_OK);
    run(&bus);
    later(&bus, YR_RELAY_ASK_S * YR_S / 2);
    assert_int_equal(bus.peers[ALICE].closed.why, YR_RELAY_NOT_THERE);
    for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++)
        assert_false(bus.peers[CAROL].relay->carried[i].used);
    bus_clear(&bus);
}

/* ---- budgets ---- */

static void each_direction_has_64_kilobytes_a_second(void **state)
{
    uint8_t bytes[1000] = {0x40};
    struct yr_addr addr;
    struct bus bus;

    bus_init(&bus);
    addr = circuit(&bus);
    for (unsigned i = 0; i < 1000; i++) { // 10 s at 100 kB/s
        yr_relay_send(bus.peers[ALICE].relay, &addr, bytes, sizeof bytes, bus.now);
        run(&bus);
        later(&bus, 10 * YR_MS);
    }
    assert_in_range(bus.peers[BOB].packets, 690, 730); // burst and ten seconds
    assert_in_range(counted(&bus.peers[CAROL], "relay.drop.rate"), 270, 310);
    bus.peers[ALICE].packets = 0;
    yr_relay_send(bus.peers[BOB].relay, &bus.peers[BOB].opened.addr, bytes, sizeof bytes, bus.now);
    run(&bus);
    assert_int_equal(bus.peers[ALICE].packets, 1); // the other way is free
    bus_clear(&bus);
}

static void a_day_has_an_end_for_each_and_for_all(void **state)
{
    const uint8_t byte = 0x40;

    for (unsigned who = 0; who < 3; who++) {
        struct yr_addr addr;
        struct bus bus;

        bus_init(&bus);
        addr = circuit(&bus);
        if (who < 2)
            yr_relay_spend(bus.peers[CAROL].relay, who, YR_RELAY_DAY_EACH);
        else
            bus.peers[CAROL].relay->today = YR_RELAY_DAY_ALL;
        yr_relay_send(bus.peers[ALICE].relay, &addr, &byte, 1, bus.now);
        run(&bus);
        assert_int_equal(bus.peers[BOB].packets, 0);
        assert_int_equal(bus.peers[ALICE].closed.why, YR_RELAY_SPENT);
        assert_int_equal(bus.peers[BOB].closed.why, YR_RELAY_SPENT);
        assert_int_equal(ask(&bus, CAROL, &addr), YR_EAGAIN);
        later(&bus, YR_RELAY_DENIED_S * YR_S);
        bus.peers[ALICE].opened.count = 0;
        refused_with(&bus, YR_RELAY_SPENT);
        later(&bus, 86400 * YR_S);
        assert_int_equal(ask(&bus, CAROL, &addr), YR_OK);
        run(&bus);
        assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 1);
        bus_clear(&bus);
    }
}

static void a_full_link_drops_and_the_circuit_lives(void **state)
{
    const uint8_t byte = 0x40;
    struct yr_addr addr;
    struct bus bus;

    bus_init(&bus);
    addr = circuit(&bus);
    bus.peers[CAROL].queue_full = true;
    yr_relay_send(bus.peers[ALICE].relay, &addr, &byte, 1, bus.now);
    run(&bus);
    bus.peers[CAROL].queue_full = false;
    assert_int_equal(counted(&bus.peers[CAROL], "relay.drop.full"), 1);
    yr_relay_send(bus.peers[ALICE].relay, &addr, &byte, 1, bus.now);
    run(&bus);
    assert_int_equal(bus.peers[BOB].packets, 1);
    bus_clear(&bus);
}

/* ---- attacked ---- */

static void send_msg(struct bus *bus, unsigned to, unsigned from, struct yr_relay_msg msg)
{
    uint8_t body[YR_RELAY_MSG_MAX];
    const size_t len = yr_relay_msg_encode(&msg, body);

    assert_int_equal(yr_relay_frame(bus->peers[to].relay, from, msg.type, body, len, bus->now),
                     YR_OK);
}

static struct yr_relay_msg open_to(struct bus *bus, unsigned to, uint16_t route)
{
    struct yr_relay_msg msg = {.type = YR_FRAME_RELAY_OPEN, .route = route};

    yr_kdf(msg.hash, 16, bus->peers[to].id, YR_LABEL_RELAY_TO, msg.nonce, 16);
    return msg;
}

static void routes_of_others_are_of_no_use(void **state)
{
    uint8_t piece[100] = {0};
    struct bus bus;
    uint16_t route;

    bus_init(&bus);
    (void)circuit(&bus);
    for (unsigned leg = 0; leg < 2; leg++)
        for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++) {
            const struct relay_carried *c = &bus.peers[CAROL].relay->carried[i];

            if (!c->used)
                continue;
            route = c->legs[leg].route;
            yr_relay_head(piece, YR_RELAY_WHOLE, route, 1); // dave says it is his
            yr_relay_datagram(bus.peers[CAROL].relay, DAVE, piece, sizeof piece, bus.now);
            send_msg(&bus, CAROL, DAVE,
                     (struct yr_relay_msg){.type = YR_FRAME_RELAY_CLOSE, .route = route});
            send_msg(&bus, CAROL, DAVE,
                     (struct yr_relay_msg){.type = YR_FRAME_RELAY_OPENED, .route = route});
        }
    run(&bus);
    assert_int_equal(bus.peers[ALICE].packets + bus.peers[BOB].packets, 0);
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 1);
    assert_int_equal(counted(&bus.peers[CAROL], "relay.drop.route"), 2);
    bus_clear(&bus);
}

static void a_route_of_ours_or_one_in_use_cannot_be_opened(void **state)
{
    struct bus bus;

    bus_init(&bus);
    (void)circuit(&bus);
    // alice's routes are even on her link with carol, carol's are odd
    send_msg(&bus, CAROL, ALICE, open_to(&bus, DAVE, 1));
    send_msg(&bus, CAROL, ALICE, open_to(&bus, DAVE, bus.peers[ALICE].relay->ends[0]->route));
    assert_int_equal(counted(&bus.peers[CAROL], "relay.drop.route"), 2);
    assert_int_equal(bus.tail, 0); // no word about it
    bus_clear(&bus);
}

static void who_asked_cannot_say_that_it_is_open(void **state)
{
    struct yr_addr addr;
    struct bus bus;
    uint16_t route;

    bus_init(&bus);
    bus.deaf[BOB] = true;
    assert_int_equal(ask(&bus, CAROL, &addr), YR_OK);
    route = bus.peers[ALICE].relay->ends[0]->route;
    run(&bus);
    send_msg(&bus, CAROL, ALICE,
             (struct yr_relay_msg){.type = YR_FRAME_RELAY_OPENED, .route = route});
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 0);
    bus_clear(&bus);
}

static void a_storm_of_asking_costs_little_and_takes_no_place_for_long(void **state)
{
    struct bus bus;
    unsigned calls;

    bus_init(&bus);
    for (unsigned i = 0; i < 1000; i++) {
        send_msg(&bus, CAROL, ALICE, open_to(&bus, BOB, (uint16_t)(2 * i)));
        run(&bus);
    }
    calls = (unsigned)counted(&bus.peers[BOB], "relay.called");
    assert_true(calls <= YR_RELAY_ASKS_BURST);
    assert_true(yr_relay_carrying(bus.peers[CAROL].relay) <= YR_RELAY_CIRCUITS_PAIR);
    assert_true(bus.peers[CAROL].relay->counts[RELAY_REFUSED] >= 1000 - YR_RELAY_ASKS_BURST);
    // opening and closing again and again
    for (unsigned i = 0; i < 1000; i++) {
        send_msg(&bus, CAROL, ALICE, open_to(&bus, BOB, (uint16_t)(4000 + 2 * i)));
        send_msg(
            &bus, CAROL, ALICE,
            (struct yr_relay_msg){.type = YR_FRAME_RELAY_CLOSE, .route = (uint16_t)(4000 + 2 * i)});
        run(&bus);
    }
    assert_true(counted(&bus.peers[BOB], "relay.called") <= YR_RELAY_ASKS_BURST);
    bus_clear(&bus);
}

static void a_friend_who_calls_without_end_gets_two_circuits(void **state)
{
    struct yr_relay_info info;
    struct bus bus;

    bus_init(&bus);
    for (unsigned i = 0; i < 200; i++) { // carol invents calls of alice
        struct yr_relay_msg msg = {.type = YR_FRAME_RELAY_CALL, .route = (uint16_t)(2 * i + 1)};

        yr_kdf(msg.hash, 16, bus.peers[ALICE].id, YR_LABEL_RELAY_FROM, msg.nonce, 16);
        send_msg(&bus, BOB, CAROL, msg);
        later(&bus, 100 * YR_MS);
    }
    assert_false(yr_relay_circuit(bus.peers[BOB].relay, ALICE, YR_RELAY_ENDS_EACH, &info));
    assert_true(bus.peers[BOB].opened.count <= YR_RELAY_ASKS_BURST + 21);
    bus_clear(&bus);
}

static void invented_calls_end_no_circuit_through_another(void **state)
{
    struct yr_relay_info info;
    struct yr_addr addr;
    struct bus bus;
    bool there = false;

    bus_init(&bus);
    assert_int_equal(ask(&bus, DAVE, &addr), YR_OK);
    run(&bus);
    assert_int_equal(bus.peers[BOB].opened.via, DAVE);
    for (unsigned i = 0; i < 10; i++) { // carol invents calls of alice
        struct yr_relay_msg msg = {.type = YR_FRAME_RELAY_CALL, .route = (uint16_t)(2 * i + 1)};

        later(&bus, YR_S);
        yr_kdf(msg.hash, 16, bus.peers[ALICE].id, YR_LABEL_RELAY_FROM, msg.nonce, 16);
        send_msg(&bus, BOB, CAROL, msg);
        run(&bus);
    }
    assert_int_equal(bus.peers[BOB].opened.count, 11);
    for (size_t i = 0; yr_relay_circuit(bus.peers[BOB].relay, ALICE, i, &info); i++)
        there |= info.via == DAVE;
    assert_true(there);
    assert_int_equal(bus.peers[ALICE].closed.count, 0);
    bus_clear(&bus);
}

static void what_a_called_end_claims_of_himself_or_of_us_is_refused(void **state)
{
    struct yr_relay_msg msg = {.type = YR_FRAME_RELAY_CALL, .route = 1};
    struct bus bus;

    bus_init(&bus);
    yr_kdf(msg.hash, 16, bus.peers[CAROL].id, YR_LABEL_RELAY_FROM, msg.nonce, 16);
    send_msg(&bus, BOB, CAROL, msg); // carol through carol
    msg.route = 3;
    yr_kdf(msg.hash, 16, bus.peers[BOB].id, YR_LABEL_RELAY_FROM, msg.nonce, 16);
    send_msg(&bus, BOB, CAROL, msg);                       // bob to bob
    send_msg(&bus, CAROL, ALICE, open_to(&bus, ALICE, 2)); // alice to alice
    send_msg(&bus, CAROL, ALICE, open_to(&bus, CAROL, 4)); // to the relay itself
    run(&bus);
    for (unsigned i = 0; i < PEERS; i++)
        assert_int_equal(bus.peers[i].opened.count, 0);
    assert_int_equal(yr_relay_carrying(bus.peers[CAROL].relay), 0);
    bus_clear(&bus);
}

static void noise_moves_nothing(void **state)
{
    uint8_t bytes[DATAGRAM_BYTES];
    struct bus bus;

    bus_init(&bus);
    (void)circuit(&bus);
    for (unsigned i = 0; i < 20000; i++) {
        struct peer *to = &bus.peers[i % PEERS];
        const unsigned from = (i / PEERS) % PEERS;
        size_t len;

        bus.rnd.rng.fill(bus.rnd.rng.ctx, bytes, sizeof bytes);
        len = bytes[0] % 64;
        if (from == to->index || (from <= BOB && to->index <= BOB))
            continue;
        (void)yr_relay_frame(to->relay, from, (uint8_t)(YR_FRAME_RELAY_OPEN + bytes[1] % 4),
                             bytes + 2, len, bus.now);
        bytes[2] %= 4;
        yr_relay_datagram(to->relay, from, bytes + 2, len, bus.now);
        bus.head = bus.tail = 0; // answers are lost
        if (i % 16 == 0)
            later(&bus, 10 * YR_MS);
    }
    for (size_t i = 0; i < YR_RELAY_CIRCUITS_MAX; i++) // what a CLOSE has hit is gone, no more
        assert_true(i < 1 || !bus.peers[DAVE].relay->carried[i].used);
    bus_clear(&bus);
}

/* ---- lists ---- */

static void told_lists_show_common_friends_and_nobody_else(void **state)
{
    uint8_t list[YR_RELAY_LIST][YR_RELAY_HASH], again[YR_RELAY_LIST][YR_RELAY_HASH];
    struct bus bus;
    unsigned via;

    bus_init(&bus);
    yr_relay_remove(bus.peers[BOB].relay, DAVE); // bob is carol's friend, not dave's
    yr_relay_list(bus.peers[BOB].relay, ALICE, list);
    yr_relay_learn(bus.peers[ALICE].relay, BOB, list[0], YR_RELAY_LIST);
    assert_true(yr_relay_common(bus.peers[ALICE].relay, BOB, 0, &via, bus.now));
    assert_int_equal(via, CAROL);
    assert_false(yr_relay_common(bus.peers[ALICE].relay, BOB, 1, &via, bus.now));
    assert_true(yr_relay_learned(bus.peers[ALICE].relay, BOB, again));
    assert_memory_equal(list, again, sizeof list);
    // dave is told the same of bob under another key: nothing in common
    yr_relay_list(bus.peers[BOB].relay, CAROL, again);
    for (size_t i = 0; i < YR_RELAY_LIST; i++)
        for (size_t k = 0; k < YR_RELAY_LIST; k++)
            assert_memory_not_equal(list[i], again[k], YR_RELAY_HASH);
    bus_clear(&bus);
}

static void a_list_stays_the_same_until_the_friends_change(void **state)
{
    uint8_t list[YR_RELAY_LIST][YR_RELAY_HASH], again[YR_RELAY_LIST][YR_RELAY_HASH];
    struct bus bus;
    uint64_t version;
    size_t other = 0;

    bus_init(&bus);
    version = yr_relay_set_version(bus.peers[BOB].relay);
    yr_relay_list(bus.peers[BOB].relay, ALICE, list);
    link_down(&bus, BOB, CAROL); // who is online is nobody's business
    link_up(&bus, BOB, CAROL, true);
    yr_relay_list(bus.peers[BOB].relay, ALICE, again);
    assert_memory_equal(list, again, sizeof list);
    assert_int_equal(version, yr_relay_set_version(bus.peers[BOB].relay));
    yr_relay_remove(bus.peers[BOB].relay, DAVE);
    assert_int_not_equal(version, yr_relay_set_version(bus.peers[BOB].relay));
    yr_relay_list(bus.peers[BOB].relay, ALICE, again);
    for (size_t i = 0; i < YR_RELAY_LIST; i++) {
        bool found = false;

        for (size_t k = 0; k < YR_RELAY_LIST; k++)
            found = found || memcmp(list[k], again[i], YR_RELAY_HASH) == 0;
        other += !found;
    }
    assert_in_range(other, 1, 2);
    bus_clear(&bus);
}

// As many others as there is room for came first; the keeper has the place of one who is not there.
static void a_keeper_stands_in_the_list_before_others(void **state)
{
    struct bus bus;
    struct yr_relay *relay;
    uint8_t id[32], rel[32] = {7};

    bus_init(&bus);
    relay = bus.peers[BOB].relay;
    for (unsigned slot = 100; slot < 100 + YR_RELAY_LIST + 2; slot++) {
        memset(id, (int)slot, sizeof id);
        yr_relay_set(relay, slot, id, rel, 0);
        yr_relay_block(relay, slot, false, bus.now);
    }
    assert_false(yr_relay_chosen(relay, 100 + YR_RELAY_LIST + 1));
    yr_relay_prefer(relay, 100 + YR_RELAY_LIST + 1, true, bus.now);
    assert_true(yr_relay_chosen(relay, 100 + YR_RELAY_LIST + 1));
    assert_true(yr_relay_chosen(relay, CAROL)); // who is linked keeps the place
    yr_relay_prefer(relay, 100 + YR_RELAY_LIST + 1, false, bus.now);
    assert_true(yr_relay_chosen(relay, 100 + YR_RELAY_LIST + 1)); // and nobody leaves for nothing
    bus_clear(&bus);
}

static void a_friend_without_a_list_may_be_looked_for_everywhere(void **state)
{
    struct bus bus;
    unsigned via;

    bus_init(&bus);
    assert_true(yr_relay_common(bus.peers[ALICE].relay, BOB, 1, &via, bus.now));
    yr_relay_learn(bus.peers[ALICE].relay, BOB, NULL, 0); // it has none
    assert_false(yr_relay_common(bus.peers[ALICE].relay, BOB, 0, &via, bus.now));
    bus_clear(&bus);
}

static void a_lack_of_memory_costs_a_circuit_and_no_more(void **state)
{
    for (unsigned at = 0; at < 3; at++) {
        struct yr_addr addr;
        struct bus bus;
        enum yr_err err;

        bus_init(&bus);
        bus.mem.left = at;
        err = ask(&bus, CAROL, &addr);
        assert_true(err == YR_OK || err == YR_ENOMEM);
        run(&bus);
        later(&bus, 60 * YR_S);
        bus.mem.left = SIZE_MAX;
        if (err == YR_ENOMEM)
            (void)circuit(&bus);
        bus_clear(&bus);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_circuit_is_asked_for_accepted_and_used_both_ways),
        cmocka_unit_test(halves_come_in_any_order_and_one_that_is_alone_is_forgotten),
        cmocka_unit_test(two_halves_longer_than_any_packet_are_dropped),
        cmocka_unit_test(both_may_ask_at_once_and_a_third_circuit_is_refused),
        cmocka_unit_test(a_circuit_that_is_not_used_ends_everywhere),
        cmocka_unit_test(a_circuit_ends_with_either_of_its_links),
        cmocka_unit_test(an_end_gives_a_circuit_up_without_being_told),
        cmocka_unit_test(the_third_circuit_to_a_friend_takes_the_place_of_the_most_silent),
        cmocka_unit_test(without_consent_nothing_is_carried),
        cmocka_unit_test(whatever_is_so_with_the_other_one_looks_the_same),
        cmocka_unit_test(who_is_relayed_itself_carries_nothing_and_asks_nobody),
        cmocka_unit_test(a_silent_relay_is_given_up),
        cmocka_unit_test(a_friend_who_does_not_answer_a_call_leaves_nothing_behind),
        cmocka_unit_test(each_direction_has_64_kilobytes_a_second),
        cmocka_unit_test(a_day_has_an_end_for_each_and_for_all),
        cmocka_unit_test(a_full_link_drops_and_the_circuit_lives),
        cmocka_unit_test(routes_of_others_are_of_no_use),
        cmocka_unit_test(a_route_of_ours_or_one_in_use_cannot_be_opened),
        cmocka_unit_test(who_asked_cannot_say_that_it_is_open),
        cmocka_unit_test(a_storm_of_asking_costs_little_and_takes_no_place_for_long),
        cmocka_unit_test(a_friend_who_calls_without_end_gets_two_circuits),
        cmocka_unit_test(invented_calls_end_no_circuit_through_another),
        cmocka_unit_test(what_a_called_end_claims_of_himself_or_of_us_is_refused),
        cmocka_unit_test(noise_moves_nothing),
        cmocka_unit_test(told_lists_show_common_friends_and_nobody_else),
        cmocka_unit_test(a_list_stays_the_same_until_the_friends_change),
        cmocka_unit_test(a_keeper_stands_in_the_list_before_others),
        cmocka_unit_test(a_friend_without_a_list_may_be_looked_for_everywhere),
        cmocka_unit_test(a_lack_of_memory_costs_a_circuit_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
