#include "tests/support/path/faces.h"

#include "tests/support/test.h"

// The functions that a path layer is given have more parameters than a play needs.
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define EPOCH_MS 1767225600000LL

enum { DIAL = 0x40, DIALLED = 0x41 };

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
    struct face *f = ctx;

    for (size_t i = 0; i < len; i++) {
        f->draws = f->draws * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(f->draws >> 56);
    }
}

struct yr_now faces_now(const struct faces *world)
{
    return (struct yr_now){.mono_us = world->time,
                           .wall_ms = EPOCH_MS + (yr_ms)(world->time / YR_MS)};
}

/* ---- the network ---- */

static struct faces_packet *put(struct faces *world, yr_us at, unsigned to, const uint8_t *bytes,
                                size_t len)
{
    for (size_t i = 0; i < FACES_PACKETS; i++) {
        struct faces_packet *p = &world->packets[i];
        if (p->at != 0)
            continue;
        *p = (struct faces_packet){.at = at, .to = to, .len = len};
        memcpy(p->bytes, bytes, len);
        return p;
    }
    fail_msg("the network is full");
    return NULL;
}

// The address a socket has inside.
static struct yr_addr socket_addr(const struct face *f, uint16_t local)
{
    struct yr_addr addr = f->inside;

    addr.port = (uint16_t)(addr.port + local);
    return addr;
}

static void carry(struct face *f, const struct yr_addr *to, const uint8_t *bytes, size_t len)
{
    struct faces *world = f->world;
    struct face *other = &world->side[1 - f->index];
    struct yr_addr inside = socket_addr(f, to->local), as = inside, target = *to, reached;
    struct faces_packet *p;

    f->packets_out++;
    f->bytes_out += len;
    f->last_out = *to;
    target.local = 0;
    if (to->local != 0 && !f->open[to->local])
        return;
    if (f->box != NULL && !nat_out(f->box, world->time, &inside, &target, &as))
        return;
    if (other->box != NULL) {
        if (!nat_in(other->box, world->time, &target, &as, &reached)) {
            f->strange += memcmp(target.ip, nat_outside(other->box).ip, 4) != 0;
            return;
        }
    } else {
        reached = target;
    }
    if (memcmp(reached.ip, other->inside.ip, 4) != 0 || reached.port < other->inside.port ||
        reached.port > other->inside.port + YR_SOCKETS_MAX) {
        f->strange++;
        return;
    }
    p = put(world, world->time + world->delay_us, other->index, bytes, len);
    p->from = as;
    p->from.local = (uint16_t)(reached.port - other->inside.port);
    if (world->keep && world->kept_count < YR_COUNT(world->kept))
        world->kept[world->kept_count++] = *p;
    if (world->tamper != NULL)
        p->len = world->tamper(world, p);
}

/* ---- what the paths ask ---- */

static void dial(struct face *f, const struct yr_addr *to)
{
    static const uint8_t bytes[1] = {DIAL};

    if (yr_addr_udp(to))
        carry(f, to, bytes, sizeof bytes);
}

static uint64_t on_clock(void *ctx, unsigned slot, const struct yr_probe_clock *clock)
{
    struct face *f = ctx;

    f->asked = *clock;
    if (f->release_us == 0)
        f->release_us = f->world->time + 2 * YR_MS;
    return ++f->token;
}

static void on_found(void *ctx, unsigned slot, const struct yr_addr *addr)
{
    struct face *f = ctx;

    f->founds++;
    dial(f, addr);
}

static void on_move(void *ctx, unsigned slot, const struct yr_addr *addr)
{
    struct face *f = ctx;

    f->moves++;
    f->at = *addr;
    dial(f, addr);
}

static void on_need(void *ctx, unsigned slot, unsigned times)
{
    ((struct face *)ctx)->needs++;
}

static void on_here(void *ctx, unsigned slot, struct yr_offer *out)
{
}

static enum yr_err on_frame(void *ctx, unsigned slot, const uint8_t *body, size_t len)
{
    struct face *f = ctx;

    if (f->at.family == 0)
        return YR_EAGAIN;
    put(f->world, f->world->time + f->world->frame_us, 1 - f->index, body, len)->frame = true;
    dial(f, &f->at); // what goes over a link shows where it comes from
    return YR_OK;
}

static bool on_can_signal(void *ctx, unsigned slot)
{
    return ((struct face *)ctx)->signals;
}

static void on_signal(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    struct face *f = ctx;
    struct faces_packet *p =
        put(f->world, f->world->time + f->world->frame_us, 1 - f->index, bytes, len);

    p->signal = true;
    if (f->world->keep && f->world->kept_count < YR_COUNT(f->world->kept))
        f->world->kept[f->world->kept_count++] = *p;
}

static void on_told(void *ctx, unsigned slot, const struct yr_offer *offer)
{
}

static yr_us on_heard(void *ctx, unsigned slot)
{
    return ((struct face *)ctx)->heard_us;
}

static bool on_waiting(void *ctx, unsigned slot)
{
    return ((struct face *)ctx)->waiting;
}

static void on_keepalive(void *ctx, unsigned seconds, bool learnt)
{
    struct face *f = ctx;

    if (learnt)
        f->keepalive_s = seconds;
}

static void on_note(void *ctx, unsigned slot, enum yr_way way, enum yr_outcome outcome,
                    const struct yr_addr *addr)
{
    struct face *f = ctx;

    f->tried[way] += outcome == YR_OUT_TRYING;
    f->worked[way] += outcome == YR_OUT_WORKED;
    f->refused[way] += outcome == YR_OUT_REFUSED;
}

static void start(struct face *f)
{
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
                                    .ctx = f};
    const struct yr_now now = faces_now(f->world);

    yr_nat_init(&f->nat, &f->rng);
    assert_int_equal(yr_paths_new(&f->paths, &f->mem, &f->rng, &f->nat, &ops), YR_OK);
    yr_paths_set(f->paths, 0, &f->pair, &f->durable, now);
    yr_paths_moved(f->paths, &f->inside, 1, now);
}

/* ---- the world ---- */

struct faces *faces_new(uint64_t seed, const struct nat_opts *a, const struct nat_opts *b)
{
    struct faces *world = calloc(1, sizeof *world);
    const uint8_t secret[32] = {7}, ids[2][32] = {{1}, {2}};
    const struct nat_opts *opts[2] = {a, b};

    assert_non_null(world);
    world->time = YR_S;
    world->delay_us = 25 * YR_MS;
    world->frame_us = 60 * YR_MS;
    for (unsigned i = 0; i < 2; i++) {
        struct face *f = &world->side[i];
        const struct yr_addr outside = {.family = 4, .ip = {(uint8_t)(40 + i), 1, 1, 1}};
        f->world = world;
        f->index = i;
        f->mem = (struct yr_mem){.realloc = mem_realloc};
        for (int k = 0; k < YR_MEM_COUNT; k++)
            f->mem.cap[k] = (size_t)64 << 20;
        f->rng = (struct yr_rng){fill, f};
        f->draws = seed * 2 + i;
        f->inside =
            (struct yr_addr){.family = 4, .ip = {192, 168, (uint8_t)(i + 1), 5}, .port = 7000};
        if (opts[i] != NULL)
            f->box = nat_new(opts[i], &outside, seed * 2 + i);
        else
            memcpy(f->inside.ip, outside.ip, 4);
        yr_pair_derive(&f->pair, 0, secret, ids[i], ids[1 - i]);
        start(f);
    }
    return world;
}

void faces_free(struct faces *world)
{
    for (unsigned i = 0; i < 2; i++) {
        struct face *f = &world->side[i];
        yr_paths_free(f->paths);
        assert_int_equal(f->mem.used[YR_MEM_NODE], 0);
        nat_free(f->box);
    }
    free(world);
}

static struct yr_addr via(void)
{
    return (struct yr_addr){.family = YR_FAMILY_VIA, .ip = {[3] = 1}, .port = 1};
}

static void link_to(struct face *f, const struct yr_addr *at)
{
    f->heard_us = f->world->time;
    f->at = *at;
    yr_paths_linked(f->paths, 0, at, faces_now(f->world));
}

void faces_relay(struct faces *world)
{
    const struct yr_addr at = via();

    world->relay = true;
    for (unsigned i = 0; i < 2; i++)
        link_to(&world->side[i], &at);
}

static struct yr_addr stranger_addr(unsigned i)
{
    return (struct yr_addr){.family = 4, .ip = {(uint8_t)(80 + i), 2, 2, 2}, .port = 4000};
}

struct yr_addr faces_outside(struct faces *world, unsigned side, unsigned stranger)
{
    struct face *f = &world->side[side];
    const struct yr_addr to = stranger_addr(stranger);
    struct yr_addr as = f->inside;

    if (f->box != NULL)
        assert_true(nat_out(f->box, world->time, &f->inside, &to, &as));
    return as;
}

void faces_learn_nat(struct faces *world, unsigned side, unsigned networks)
{
    for (unsigned i = 0; i < networks; i++) {
        const struct yr_addr from = stranger_addr(i), seen = faces_outside(world, side, i);
        yr_nat_seen(&world->side[side].nat, faces_now(world), &from, &seen);
    }
}

void faces_move(struct faces *world, unsigned side)
{
    struct face *f = &world->side[side];

    f->inside.ip[3]++;
    yr_paths_moved(f->paths, &f->inside, 1, faces_now(world));
    yr_paths_tell(f->paths, 0, faces_now(world));
}

void faces_restart(struct faces *world, unsigned side)
{
    struct face *f = &world->side[side];

    yr_paths_free(f->paths);
    f->release_us = 0;
    f->asked = f->durable;
    memset(&f->at, 0, sizeof f->at);
    memset(f->open, 0, sizeof f->open);
    start(f);
}

bool faces_direct(const struct faces *world)
{
    return yr_addr_udp(&world->side[0].at) && yr_addr_udp(&world->side[1].at);
}

static void receive(struct face *f, const struct faces_packet *p)
{
    const uint8_t answer[1] = {DIALLED};

    if (p->frame)
        (void)!yr_paths_frame(f->paths, 0, p->bytes, p->len, faces_now(f->world));
    else if (p->len > 0 && p->bytes[0] == DIAL) {
        if (p->from.local != 0 && !f->open[p->from.local])
            return;
        carry(f, &p->from, answer, sizeof answer);
        link_to(f, &p->from);
    } else if (p->len > 0 && p->bytes[0] == DIALLED)
        link_to(f, &p->from);
    else if (p->from.local == 0 || f->open[p->from.local])
        yr_paths_recv(f->paths, faces_now(f->world), &p->from, p->bytes, p->len);
}

void faces_inject(struct faces *world, unsigned side, const struct yr_addr *from,
                  const uint8_t *bytes, size_t len)
{
    yr_paths_recv(world->side[side].paths, faces_now(world), from, bytes, len);
}

static void drain(struct face *f)
{
    uint8_t buf[YR_PACKET_MAX];
    struct yr_addr to;
    size_t len;
    bool open;

    if (f->release_us != 0 && f->release_us <= f->world->time) {
        f->release_us = 0;
        f->durable = f->asked;
        yr_paths_release(f->paths, f->token, faces_now(f->world));
    }
    while (yr_paths_socket(f->paths, &to, &open)) {
        assert_in_range(to.local, 1, YR_SOCKETS_MAX);
        assert_int_equal(f->open[to.local], !open);
        f->open[to.local] = open;
        f->open_now += open ? 1U : -1U;
        f->open_most = YR_MAX(f->open_most, f->open_now);
    }
    while ((len = yr_paths_poll(f->paths, faces_now(f->world), &to, buf, sizeof buf)) > 0) {
        yr_nat_sent(&f->nat, faces_now(f->world), &to);
        carry(f, &to, buf, len);
    }
}

bool faces_run(struct faces *world, yr_us limit_us, bool until_direct)
{
    const yr_us end = world->time + limit_us;

    for (unsigned rounds = 0; world->time <= end; rounds++) {
        yr_us next = end + 1;
        assert_true(rounds < 1000000);
        for (unsigned i = 0; i < 2; i++)
            drain(&world->side[i]);
        if (until_direct && faces_direct(world))
            return true;
        for (unsigned i = 0; i < 2; i++) {
            const struct face *f = &world->side[i];
            const yr_us due = yr_paths_deadline(f->paths);
            next = YR_MIN(next, YR_MAX(due, world->time));
            if (f->release_us != 0)
                next = YR_MIN(next, f->release_us);
        }
        for (size_t i = 0; i < FACES_PACKETS; i++)
            if (world->packets[i].at != 0)
                next = YR_MIN(next, world->packets[i].at);
        world->time = next;
        for (size_t i = 0; i < FACES_PACKETS; i++) {
            const struct faces_packet p = world->packets[i];
            if (p.at == 0 || p.at > world->time)
                continue;
            world->packets[i].at = 0;
            receive(&world->side[p.to], &p);
        }
        for (unsigned i = 0; i < 2; i++)
            yr_paths_tick(world->side[i].paths, faces_now(world));
    }
    return faces_direct(world);
}
