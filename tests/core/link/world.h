/* tests/core/link/world.h: two or three ends with their links, joined by a network in memory, under
 * one virtual clock; everything random comes from a printed seed. */
#ifndef WORLD_H
#define WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/link/conn.h"

#define ENDS_MAX     3
#define MESSAGES_MAX 512
#define RECORD_MAX   20000

struct packet {
    yr_us at;
    uint64_t seq;
    struct yr_addr from, to;
    size_t len;
    uint8_t bytes[];
};

/** What the harness says over a channel: messages with ids, kept until the other end acknowledges
 *  them and sent again on every new connection, as the node does. */
struct talk {
    unsigned queued, sent;       /* ids 0 .. queued - 1; sent on the present connection */
    uint8_t acked[MESSAGES_MAX]; /* by the other end */
    uint8_t got[MESSAGES_MAX];   /* from the other end: how often */
    unsigned got_count, acked_count;
    bool owed[MESSAGES_MAX]; /* acknowledgements that did not fit into the queue */
};

struct world_end {
    struct world *world;
    unsigned index;
    struct yr_identity self;
    struct yr_addr addr;
    struct yr_mem mem;
    uint64_t rng_state;
    struct yr_rng rng;
    struct yr_links *links;
    /* what its store holds, and what is on the way there */
    struct yr_clock theirs[YR_FRIENDS_MAX], ours[YR_FRIENDS_MAX];
    struct {
        uint64_t token;
        unsigned slot;
        struct yr_clock theirs, ours;
        yr_us at;
    } commits[64];
    size_t commit_count;
    uint64_t tokens;
    yr_us commit_us; /* how long a commit takes; YR_NEVER: it never ends */
    /* what its owner was told */
    unsigned ups, downs, failures, rooms, paths;
    enum yr_link_end why;
    bool is_up[YR_FRIENDS_MAX];
    struct yr_addr path;
    unsigned datagrams, doubts;
    uint8_t datagram[YR_PACKET_MAX]; /* the last one */
    size_t datagram_len;
    yr_us doubt_at;
    uint64_t sent_packets, sent_bytes;
    struct talk talk[YR_CHANNEL_COUNT];
    void (*on_frame)(struct world_end *end, unsigned slot, enum yr_channel channel, uint8_t type,
                     const uint8_t *body, size_t len);
    void *on_frame_ctx;
};

struct world {
    struct yr_now now;
    uint64_t seed, state, seq;
    unsigned end_count;
    struct world_end ends[ENDS_MAX];
    struct packet **heap;
    size_t heap_len, heap_cap;
    /* the network */
    yr_us delay_us, jitter_us;
    unsigned loss, duplicate, corrupt; /* percent */
    size_t mtu;
    bool cut;        /* nothing arrives */
    bool cut_direct; /* ... but through circuits */
    size_t via_len;  /* longest packet that went through one */
    unsigned via_count, direct_count;
    /* every packet that was sent */
    struct packet **record;
    size_t record_len;
    bool recording;
    uint64_t steps; /* moments at which anything happened */
    uint64_t trace; /* rolling hash over all that was sent, and when */
};

/* ---- randomness, memory ---- */

static inline uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static inline void world_rng_fill(void *ctx, void *out, size_t len)
{
    uint8_t *at = out;

    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(splitmix(ctx) >> 24);
}

static inline void *world_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

/* ---- the owner's functions ---- */

static inline uint64_t world_clock(void *ctx, unsigned slot, const struct yr_clock *theirs,
                                   const struct yr_clock *ours)
{
    struct world_end *end = ctx;

    assert_true(end->commit_count < YR_COUNT(end->commits));
    end->tokens++;
    if (end->commit_us == 0) {
        end->theirs[slot] = *theirs;
        end->ours[slot] = *ours;
        return 0;
    }
    end->commits[end->commit_count].token = end->tokens;
    end->commits[end->commit_count].slot = slot;
    end->commits[end->commit_count].theirs = *theirs;
    end->commits[end->commit_count].ours = *ours;
    end->commits[end->commit_count].at =
        end->commit_us == YR_NEVER ? YR_NEVER : end->world->now.mono_us + end->commit_us;
    end->commit_count++;
    return end->tokens;
}

static inline void talk_flush(struct world_end *end, unsigned slot);

static inline void world_up(void *ctx, unsigned slot)
{
    struct world_end *end = ctx;

    end->ups++;
    end->is_up[slot] = true;
    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++) {
        end->talk[i].sent = 0;
    }
    talk_flush(end, slot);
}

static inline void world_down(void *ctx, unsigned slot, enum yr_link_end why)
{
    struct world_end *end = ctx;

    assert_true(end->is_up[slot]);
    assert_int_not_equal(why, YR_LINK_REPLACED);
    end->is_up[slot] = false;
    end->downs++;
    end->why = why;
}

static inline void world_dial_failed(void *ctx, unsigned slot)
{
    struct world_end *end = ctx;

    (void)slot;
    end->failures++;
}

static inline void world_room(void *ctx, unsigned slot, enum yr_channel channel)
{
    struct world_end *end = ctx;

    (void)channel;
    end->rooms++;
    talk_flush(end, slot);
}

static inline void world_path(void *ctx, unsigned slot, const struct yr_addr *addr)
{
    struct world_end *end = ctx;

    (void)slot;
    end->paths++;
    end->path = *addr;
}

static inline void world_datagram(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    struct world_end *end = ctx;

    assert_true(end->is_up[slot]);
    assert_true(len > 0);
    end->datagrams++;
    end->datagram_len = len;
    memcpy(end->datagram, bytes, len);
}

static inline void world_doubt(void *ctx, unsigned slot)
{
    struct world_end *end = ctx;

    assert_true(end->is_up[slot]);
    end->doubts++;
    end->doubt_at = end->world->now.mono_us;
}

/* ---- messages with ids ---- */

enum { TALK_TEXT = 1, TALK_ACK = 2 };

static inline size_t talk_len(unsigned id, enum yr_channel channel)
{
    static const size_t lens[] = {4, 5, 100, 300, 1196, 1500, 3993, 3994, 3995, 9000};

    return lens[(id * 7 + (unsigned)channel) % YR_COUNT(lens)];
}

static inline uint8_t talk_byte(unsigned id, enum yr_channel channel, size_t at)
{
    return (uint8_t)(id * 31 + (unsigned)channel * 7 + at * 13 + (at >> 8));
}

static inline void talk_flush(struct world_end *end, unsigned slot)
{
    for (unsigned c = 0; c < YR_CHANNEL_COUNT; c++)
        for (unsigned id = 0; id < MESSAGES_MAX; id++) {
            const uint8_t ack[3] = {(uint8_t)id, (uint8_t)(id >> 8), (uint8_t)c};

            if (end->talk[c].owed[id] && yr_links_send(end->links, slot, YR_CHANNEL_CONTROL,
                                                       TALK_ACK, ack, sizeof ack) == YR_OK)
                end->talk[c].owed[id] = false;
        }
    for (unsigned c = 0; c < YR_CHANNEL_COUNT; c++) {
        struct talk *talk = &end->talk[c];

        for (; talk->sent < talk->queued; talk->sent++) {
            uint8_t body[9000];
            const size_t len = talk_len(talk->sent, c);

            if (talk->acked[talk->sent])
                continue;
            for (size_t i = 0; i < len; i++)
                body[i] = talk_byte(talk->sent, c, i);
            body[0] = (uint8_t)talk->sent;
            body[1] = (uint8_t)(talk->sent >> 8);
            if (yr_links_send(end->links, slot, c, TALK_TEXT, body, len) != YR_OK)
                break;
        }
    }
}

static inline void talk_say(struct world_end *end, unsigned slot, enum yr_channel channel,
                            unsigned count)
{
    end->talk[channel].queued += count;
    assert_true(end->talk[channel].queued <= MESSAGES_MAX);
    if (end->is_up[slot])
        talk_flush(end, slot);
}

static inline void talk_heard(struct world_end *end, unsigned slot, enum yr_channel channel,
                              uint8_t type, const uint8_t *body, size_t len)
{
    unsigned id;
    struct talk *talk;

    assert_true(len >= 3);
    id = body[0] | (unsigned)body[1] << 8;
    assert_true(id < MESSAGES_MAX);
    if (type == TALK_ACK) {
        talk = &end->talk[body[2]];
        talk->acked_count += !talk->acked[id];
        talk->acked[id] = 1;
        return;
    }
    assert_int_equal(type, TALK_TEXT);
    assert_int_equal(len, talk_len(id, channel));
    for (size_t i = 2; i < len; i++)
        assert_int_equal(body[i], talk_byte(id, channel, i));
    talk = &end->talk[channel];
    talk->got_count += talk->got[id] == 0;
    talk->got[id]++;
    talk->owed[id] = true;
    talk_flush(end, slot);
}

static inline void world_frame(void *ctx, unsigned slot, enum yr_channel channel, uint8_t type,
                               const uint8_t *body, size_t len)
{
    struct world_end *end = ctx;

    assert_true(end->is_up[slot]);
    (end->on_frame != NULL ? end->on_frame : talk_heard)(end, slot, channel, type, body, len);
}

/** All that either of the two said has arrived and is acknowledged. */
static inline bool talk_done(const struct world *world)
{
    for (unsigned e = 0; e < 2; e++)
        for (unsigned c = 0; c < YR_CHANNEL_COUNT; c++) {
            const struct talk *talk = &world->ends[e].talk[c];

            if (talk->acked_count != talk->queued ||
                world->ends[1 - e].talk[c].got_count != talk->queued)
                return false;
        }
    return true;
}

/* ---- ends ---- */

static inline struct yr_addr world_addr(unsigned host, uint16_t port)
{
    return (struct yr_addr){
        .family = 4, .ip = {10, 0, (uint8_t)(host >> 8), (uint8_t)host}, .port = port};
}

static inline void world_pair(struct yr_pair *out, uint8_t gen, const struct world_end *us,
                              const struct world_end *them)
{
    uint8_t secret[32];

    for (size_t i = 0; i < sizeof secret; i++) // the same for both, whatever it is
        secret[i] = us->self.id[i] ^ them->self.id[i] ^ gen;
    yr_pair_derive(out, gen, secret, us->self.id, them->self.id);
}

/** A circuit to that end, whoever has it. */
static inline struct yr_addr world_via(unsigned index)
{
    return (struct yr_addr){
        .family = YR_FAMILY_VIA, .ip = {0, 0, 0, (uint8_t)(index + 1)}, .port = 1};
}

/** Slot i of an end is the end of index i. */
static inline void world_befriend(struct world_end *end, const struct world_end *friend)
{
    struct yr_pair pair;

    world_pair(&pair, 0, end, friend);
    assert_int_equal(yr_links_set(end->links, friend->index, friend->self.id,
                                  friend->self.device.public_key, friend->self.gen, &pair,
                                  &end->theirs[friend->index], &end->ours[friend->index]),
                     YR_OK);
}

static inline void end_start(struct world_end *end)
{
    const struct yr_link_ops ops = {.clock = world_clock,
                                    .up = world_up,
                                    .down = world_down,
                                    .dial_failed = world_dial_failed,
                                    .frame = world_frame,
                                    .room = world_room,
                                    .path = world_path,
                                    .datagram = world_datagram,
                                    .doubt = world_doubt,
                                    .ctx = end};

    assert_int_equal(yr_links_new(&end->links, &end->mem, &end->rng, &ops), YR_OK);
    yr_links_identity(end->links, &end->self);
    for (unsigned i = 0; i < end->world->end_count; i++)
        if (i != end->index)
            world_befriend(end, &end->world->ends[i]);
}

/** The process dies: what was not durable is lost. */
static inline void end_crash(struct world_end *end)
{
    yr_links_free(end->links);
    end->links = NULL;
    assert_int_equal(end->mem.used[YR_MEM_LINK], 0);
    end->commit_count = 0;
    memset(end->is_up, 0, sizeof end->is_up);
}

static inline void world_init(struct world *world, uint64_t seed, unsigned end_count)
{
    memset(world, 0, sizeof *world);
    world->seed = world->state = seed;
    world->now = (struct yr_now){.mono_us = 5 * YR_S, .wall_ms = 1700000000000};
    world->delay_us = 25 * YR_MS;
    world->mtu = 65535;
    world->end_count = end_count;
    world->record = calloc(RECORD_MAX, sizeof *world->record);
    for (unsigned i = 0; i < end_count; i++) {
        struct world_end *end = &world->ends[i];

        end->world = world;
        end->index = i;
        end->rng_state = seed * 1000 + i;
        end->rng = (struct yr_rng){world_rng_fill, &end->rng_state};
        end->mem.realloc = world_realloc;
        for (size_t m = 0; m < YR_MEM_COUNT; m++)
            end->mem.cap[m] = 64U << 20;
        end->addr = world_addr(i + 1, 4000);
        yr_identity_new(&end->self, &end->rng, 0);
    }
    for (unsigned i = 0; i < end_count; i++)
        end_start(&world->ends[i]);
}

static inline void world_free(struct world *world)
{
    for (unsigned i = 0; i < world->end_count; i++) {
        yr_links_free(world->ends[i].links);
        for (size_t m = 0; m < YR_MEM_COUNT; m++)
            assert_int_equal(world->ends[i].mem.used[m], 0);
    }
    for (size_t i = 0; i < world->heap_len; i++)
        free(world->heap[i]);
    for (size_t i = 0; i < world->record_len; i++)
        free(world->record[i]);
    free(world->heap);
    free(world->record);
}

/* ---- the network ---- */

static inline bool packet_before(const struct packet *a, const struct packet *b)
{
    return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static inline void heap_push(struct world *world, struct packet *packet)
{
    size_t at = world->heap_len++;

    if (world->heap_len > world->heap_cap) {
        world->heap_cap = 2 * world->heap_len;
        world->heap = realloc(world->heap, world->heap_cap * sizeof *world->heap);
    }
    for (; at > 0 && packet_before(packet, world->heap[(at - 1) / 2]); at = (at - 1) / 2)
        world->heap[at] = world->heap[(at - 1) / 2];
    world->heap[at] = packet;
}

static inline struct packet *heap_pop(struct world *world)
{
    struct packet *top = world->heap[0], *last = world->heap[--world->heap_len];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < world->heap_len) {
        if (child + 1 < world->heap_len &&
            packet_before(world->heap[child + 1], world->heap[child]))
            child++;
        if (!packet_before(world->heap[child], last))
            break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    if (world->heap_len > 0)
        world->heap[at] = last;
    return top;
}

static inline struct packet *packet_new(struct world *world, const struct yr_addr *from,
                                        const struct yr_addr *to, const uint8_t *bytes, size_t len)
{
    struct packet *packet = malloc(sizeof *packet + len);

    *packet = (struct packet){
        .at = world->now.mono_us, .seq = world->seq++, .from = *from, .to = *to, .len = len};
    memcpy(packet->bytes, bytes, len);
    return packet;
}

static inline bool chance(struct world *world, unsigned percent)
{
    return percent > 0 && splitmix(&world->state) % 100 < percent;
}

static inline void world_transmit(struct world *world, const struct yr_addr *from,
                                  const struct yr_addr *to, const uint8_t *bytes, size_t len)
{
    world->trace = (world->trace ^ world->now.mono_us) * 0x100000001b3ULL;
    for (size_t i = 0; i < len; i++)
        world->trace = (world->trace ^ bytes[i]) * 0x100000001b3ULL;
    if (world->recording && world->record_len < RECORD_MAX)
        world->record[world->record_len++] = packet_new(world, from, to, bytes, len);
    if (chance(world, world->corrupt)) { // a spoilt copy overtakes it
        struct packet *packet = packet_new(world, from, to, bytes, len);

        packet->bytes[splitmix(&world->state) % len] ^=
            (uint8_t)(1U << splitmix(&world->state) % 8);
        heap_push(world, packet);
    }
    for (int copies = chance(world, world->duplicate) ? 2 : 1; copies > 0; copies--) {
        struct packet *packet;

        if (len > world->mtu || world->cut || chance(world, world->loss) ||
            (world->cut_direct && yr_addr_udp(to)))
            continue;
        packet = packet_new(world, from, to, bytes, len);
        packet->at += world->delay_us;
        if (world->jitter_us > 0)
            packet->at += splitmix(&world->state) % world->jitter_us;
        heap_push(world, packet);
    }
}

static inline struct world_end *end_at(struct world *world, const struct yr_addr *addr)
{
    for (unsigned i = 0; i < world->end_count; i++) {
        const struct yr_addr via = world_via(i);

        if (world->ends[i].links != NULL &&
            (yr_addr_eq(&world->ends[i].addr, addr) || yr_addr_eq(&via, addr)))
            return &world->ends[i];
    }
    return NULL;
}

static inline void end_poll(struct world_end *end)
{
    uint8_t buf[YR_PACKET_MAX];
    struct yr_addr to;
    size_t len;

    while ((len = yr_links_poll(end->links, end->world->now, &to, buf, sizeof buf)) > 0) {
        const struct yr_addr via = world_via(end->index);

        end->sent_packets++;
        end->sent_bytes += len;
        *(yr_addr_udp(&to) ? &end->world->direct_count : &end->world->via_count) += 1;
        if (!yr_addr_udp(&to))
            end->world->via_len = YR_MAX(end->world->via_len, len);
        world_transmit(end->world, yr_addr_udp(&to) ? &end->addr : &via, &to, buf, len);
    }
}

static inline void end_commit(struct world_end *end)
{
    size_t done = 0;

    for (; done < end->commit_count && end->commits[done].at <= end->world->now.mono_us; done++) {
        end->theirs[end->commits[done].slot] = end->commits[done].theirs;
        end->ours[end->commits[done].slot] = end->commits[done].ours;
        yr_links_release(end->links, end->commits[done].token);
    }
    end->commit_count -= done;
    memmove(end->commits, end->commits + done, end->commit_count * sizeof end->commits[0]);
}

static inline yr_us end_deadline(const struct world_end *end)
{
    yr_us at = yr_links_deadline(end->links);

    return end->commit_count > 0 ? YR_MIN(at, end->commits[0].at) : at;
}

/** One moment of the world, not after `end_us`; false when nothing happens until then. */
static inline bool world_step(struct world *world, yr_us end_us)
{
    yr_us at = world->heap_len > 0 ? world->heap[0]->at : YR_NEVER;

    for (unsigned i = 0; i < world->end_count; i++)
        if (world->ends[i].links != NULL)
            at = YR_MIN(at, end_deadline(&world->ends[i]));
    at = YR_MAX(at, world->now.mono_us);
    if (at > end_us) {
        world->now.wall_ms += (yr_ms)(end_us / 1000 - world->now.mono_us / 1000);
        world->now.mono_us = end_us;
        return false;
    }
    world->now.wall_ms += (yr_ms)(at / 1000 - world->now.mono_us / 1000);
    world->now.mono_us = at;
    world->steps++;
    while (world->heap_len > 0 && world->heap[0]->at <= at) {
        struct packet *packet = heap_pop(world);
        struct world_end *end = end_at(world, &packet->to);

        if (end != NULL)
            (void)yr_links_recv(end->links, &packet->from, packet->bytes, packet->len, world->now);
        free(packet);
    }
    for (unsigned i = 0; i < world->end_count; i++) {
        struct world_end *end = &world->ends[i];

        if (end->links == NULL)
            continue;
        end_commit(end);
        yr_links_tick(end->links, world->now);
        end_poll(end);
    }
    return true;
}

/** Run until `stop` holds (true) or `for_us` have passed (false). */
static inline bool world_run(struct world *world, bool (*stop)(const struct world *), yr_us for_us)
{
    const yr_us end_us = world->now.mono_us + for_us;

    for (unsigned long i = 0; i < 100000000; i++) {
        if (stop != NULL && stop(world))
            return true;
        if (!world_step(world, end_us))
            return stop != NULL && stop(world);
    }
    fail_msg("the world does not come to rest (seed %llu)", (unsigned long long)world->seed);
    return false;
}

static inline enum yr_err world_dial(struct world *world, unsigned from, unsigned to, bool replace)
{
    return yr_links_dial(world->ends[from].links, to, &world->ends[to].addr, replace, world->now);
}

static inline bool both_up(const struct world *world)
{
    return world->ends[0].is_up[1] && world->ends[1].is_up[0];
}

static inline struct yr_conn *active_conn(const struct world_end *end, unsigned slot)
{
    return end->links->slots[slot]->active;
}

static inline uint64_t counter(const struct world_end *end, const char *name)
{
    struct yr_counter_ref ref;

    for (size_t i = 0; (ref = yr_links_counter(end->links, i)).name != NULL; i++)
        if (strcmp(ref.name, name) == 0)
            return ref.value;
    fail_msg("no counter %s", name);
    return 0;
}

/** For the eye: what an end has counted and been told. */
static inline void end_print(const struct world_end *end)
{
    struct yr_counter_ref ref;

    fprintf(stderr, "end %u: ups %u downs %u (why %d) failures %u;", end->index, end->ups,
            end->downs, (int)end->why, end->failures);
    for (size_t i = 0; (ref = yr_links_counter(end->links, i)).name != NULL; i++)
        if (ref.value > 0)
            fprintf(stderr, " %s %llu", ref.name, (unsigned long long)ref.value);
    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++)
        fprintf(stderr, "; channel %zu queued %u acked %u got %u", i, end->talk[i].queued,
                end->talk[i].acked_count, end->talk[i].got_count);
    fprintf(stderr, "\n");
}

/** A 1-RTT packet of the dialler `from` with any frames, under its real keys; its length.
 *  Packet numbers: higher than any it has used itself. */
static inline size_t forge(struct world_end *from, struct world_end *to, uint32_t number,
                           const uint8_t *plain, size_t len, uint8_t buf[YR_PACKET_MAX])
{
    const struct yr_conn *conn = active_conn(from, to->index);
    const struct yr_packet_key *keys[4] = {NULL};
    uint8_t mask[5], nonce[12];
    size_t found = 0;

    // made in this order: rx key, rx header key, tx key, tx header key
    for (size_t i = 8; i < YR_PACKET_KEYS_MAX && found < 4; i++)
        if (conn->ring.keys[i].ring != NULL && conn->ring.keys[i].space == YR_SPACE_APP)
            keys[found++] = &conn->ring.keys[i];
    assert_int_equal(found, 4);
    buf[0] = 0x43; // packet number of 4 bytes
    memcpy(buf + 1, active_conn(to, from->index)->scid.data, YR_CID_LEN);
    memcpy(nonce, keys[2]->iv, sizeof nonce);
    for (size_t i = 0; i < 4; i++) {
        buf[9 + i] = (uint8_t)(number >> (24 - 8 * i));
        nonce[8 + i] ^= buf[9 + i];
    }
    yr_seal_c(buf + 13, keys[2]->key, nonce, buf, 13, plain, len);
    yr_hp_mask(mask, keys[3]->key, buf + 13);
    buf[0] ^= mask[0] & 0x1f;
    for (size_t i = 0; i < 4; i++)
        buf[9 + i] ^= mask[1 + i];
    return 13 + len + YR_TAG_LEN;
}

/** Up at both ends through the same connection, and nothing else is left of others. */
static inline bool one_link(const struct world *world)
{
    const struct yr_conn *a = active_conn(&world->ends[0], 1), *b = active_conn(&world->ends[1], 0);

    return both_up(world) && a != NULL && b != NULL && a->next == NULL && b->next == NULL &&
           world->ends[0].links->slots[1]->conns == a &&
           world->ends[1].links->slots[0]->conns == b &&
           memcmp(&a->mine, &b->theirs, sizeof a->mine) == 0 &&
           memcmp(&a->theirs, &b->mine, sizeof a->mine) == 0;
}

static inline void connect_ends(struct world *w, uint64_t seed)
{
    world_init(w, seed, 2);
    assert_int_equal(world_dial(w, 0, 1, false), YR_OK);
    assert_true(world_run(w, both_up, 5 * YR_S));
    world_run(w, NULL, YR_S);
    assert_true(one_link(w));
}

static inline void say_everywhere(struct world *w, unsigned count)
{
    for (unsigned c = 0; c < YR_CHANNEL_COUNT; c++) {
        talk_say(&w->ends[0], 1, c, count);
        talk_say(&w->ends[1], 0, c, count);
    }
}

static inline bool end0_down(const struct world *w)
{
    return !w->ends[0].is_up[1];
}

static inline bool end1_down(const struct world *w)
{
    return !w->ends[1].is_up[0];
}

static inline bool both_down(const struct world *w)
{
    return end0_down(w) && end1_down(w);
}

#endif
