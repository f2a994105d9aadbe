#include "tests/support/roomnet.h"

#include <stdio.h>

#include "tests/support/test.h"

#define WIRE_CAP  524288
#define IDLE_MS   1000
#define SETTLE_MS 600000

/* ---- what sync asks of its owner ---- */

static bool op_room(void *ctx, size_t i, struct yr_room_view *out)
{
    struct mate *mate = ctx;

    if (i > 0 || !mate->has_room)
        return false;
    out->log = mate->keeper.log;
    out->self = mate->member ? mate->scribe.mid : NULL;
    out->sign_sk = mate->member ? mate->scribe.keys.sign_sk : NULL;
    return true;
}

static const uint8_t *op_pair(void *ctx, unsigned slot, uint8_t *out_dir)
{
    static uint8_t pair[32];
    struct mate *mate = ctx;
    const uint8_t both[2] = {(uint8_t)YR_MIN(mate->no, slot), (uint8_t)YR_MAX(mate->no, slot)};

    yr_hash(pair, both, sizeof both);
    *out_dir = mate->no > slot;
    return pair;
}

static bool later(const struct letter *a, const struct letter *b)
{
    return a->at > b->at;
}

static void post(struct roomnet *net, const struct letter *letter)
{
    size_t at;

    if (net->letter_first > 0 && net->letter_first + net->letter_count == net->letter_cap) {
        memmove(net->letters, net->letters + net->letter_first,
                net->letter_count * sizeof *net->letters);
        net->letter_first = 0;
    }
    if (net->letter_count == net->letter_cap) {
        net->letter_cap = 2 * net->letter_cap + 64;
        net->letters = realloc(net->letters, net->letter_cap * sizeof *net->letters);
        assert_non_null(net->letters);
    }
    at = net->letter_first + net->letter_count++;
    while (at > net->letter_first && later(&net->letters[at - 1], letter)) {
        net->letters[at] = net->letters[at - 1];
        at--;
    }
    net->letters[at] = *letter;
}

static enum yr_err op_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len)
{
    struct mate *mate = ctx;
    struct roomnet *net = mate->net;
    struct wire *wire = &net->wires[mate->no][slot];
    struct letter letter = {
        net->now.mono_us + wire->delay_us, mate->no, slot, wire->life, type, NULL, len};

    assert_true(len <= YR_FRAME_MAX && type < ROOMNET_TYPES);
    if (!wire->up)
        return YR_EAGAIN;
    if (wire->queued + len > wire->cap) {
        wire->refused = true;
        return YR_EFULL;
    }
    mate->sent[type][slot]++;
    mate->sent_bytes[type][slot] += len + 3;
    net->frames++;
    net->bytes += len + 3;
    for (size_t i = 0; i < len; i++)
        net->hash = (net->hash ^ body[i]) * 0x100000001b3u;
    net->hash = (net->hash ^ type ^ letter.at) * 0x100000001b3u;
    if (net->tap != NULL && !net->tap(net->tap_ctx, mate->no, slot, type, body, len))
        return YR_OK;
    wire->queued += len;
    letter.body = malloc(len + 1);
    assert_non_null(letter.body);
    yr_copy(letter.body, body, len);
    post(net, &letter);
    return YR_OK;
}

static enum yr_err op_record(void *ctx, struct yr_now now, size_t room, unsigned slot,
                             const uint8_t *bytes, size_t len, enum yr_put *what, bool *forged)
{
    struct mate *mate = ctx;

    assert_int_equal(room, 0);
    mate->keeper.now = now;
    *what = keeper_put_from(&mate->keeper, bytes, len, slot);
    *forged = mate->keeper.forged;
    return YR_OK;
}

static void op_neighbour(void *ctx, struct yr_now now, size_t room, unsigned slot,
                         const uint8_t mid[YR_MID_LEN], bool on)
{
    struct mate *mate = ctx;

    (void)now;
    assert_int_equal(room, 0);
    assert_int_not_equal(mate->neighbour[slot], on);
    assert_memory_equal(mid, mate->net->mates[slot]->scribe.mid, YR_MID_LEN);
    mate->neighbour[slot] = on;
}

static enum yr_err accepted(void *ctx, struct yr_now now, const struct yr_room_record *record,
                            const struct yr_room_body *body, const struct yr_room_entry *entry)
{
    struct mate *mate = ctx;

    (void)body;
    if (mate->keeper.log == NULL || mate->sync == NULL)
        return YR_OK;
    if (entry->slot != YR_ROOM_OWN)
        yr_room_sync_spread(mate->sync, now, 0, record, entry->slot);
    if (record->class == YR_CLASS_CONTROL)
        yr_room_sync_members(mate->sync, now, 0);
    return YR_OK;
}

/* ---- nodes ---- */

static void begin(struct roomnet *net, struct mate *mate)
{
    mate->keeper.ops = (struct yr_room_log_ops){accepted, mate};
    keeper_begin(&mate->keeper, &net->create);
    mate->has_room = mate->member = true;
}

static struct mate *new_mate(struct roomnet *net, size_t no)
{
    struct mate *mate = calloc(1, sizeof *mate);

    assert_non_null(mate);
    mate->net = net;
    mate->no = no;
    seeded_init(&mate->rng, seeded_u64(&net->rng));
    keeper_init(&mate->keeper, seeded_u64(&net->rng));
    mate->keeper.now = net->now;
    scribe_init(&mate->scribe, &mate->rng);
    return mate;
}

void roomnet_init_some(struct roomnet *net, size_t count, size_t members, uint64_t seed)
{
    memset(net, 0, sizeof *net);
    seeded_init(&net->rng, seed);
    net->now = (struct yr_now){YR_S, ROOMLOG_START_MS};
    net->count = count;
    for (size_t i = 0; i < count; i++) {
        net->mates[i] = new_mate(net, i);
        if (i == 0)
            scribe_found(&net->mates[0]->scribe, &net->create);
        begin(net, net->mates[i]);
        scribe_enter(&net->mates[i]->scribe, yr_room_log_id(net->mates[0]->keeper.log));
        if (i > 0 && i < members)
            scribe_add(&net->mates[0]->scribe, &net->mates[0]->keeper, &net->mates[i]->scribe,
                       YR_RANK_MEMBER, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        struct mate *mate = net->mates[i];
        const struct yr_room_sync_ops ops = {op_frame,  op_room,      op_pair,
                                             op_record, op_neighbour, mate};

        assert_int_equal(
            yr_room_sync_new(&mate->sync, &mate->keeper.box.mem.mem, &mate->rng.rng, &ops), YR_OK);
        yr_room_sync_rooms(mate->sync, net->now);
    }
}

void roomnet_init(struct roomnet *net, size_t count, uint64_t seed)
{
    roomnet_init_some(net, count, count, seed);
}

void roomnet_clear(struct roomnet *net)
{
    for (size_t i = 0; i < net->count; i++) {
        yr_room_sync_free(net->mates[i]->sync);
        keeper_clear(&net->mates[i]->keeper);
        free(net->mates[i]);
    }
    for (size_t i = 0; i < net->letter_count; i++)
        free(net->letters[net->letter_first + i].body);
    free(net->letters);
    slip_clear(&net->create);
}

/* ---- links ---- */

static void set_wire(struct roomnet *net, size_t from, size_t to, bool up, unsigned delay_ms)
{
    struct wire *wire = &net->wires[from][to];

    *wire = (struct wire){up, delay_ms * YR_MS, wire->life + 1, 0, WIRE_CAP, false};
}

void roomnet_link(struct roomnet *net, size_t a, size_t b, unsigned delay_ms)
{
    if (net->wires[a][b].up || a == b)
        return;
    set_wire(net, a, b, true, delay_ms);
    set_wire(net, b, a, true, delay_ms);
    net->mates[a]->closed[b] = net->mates[b]->closed[a] = false;
    yr_room_sync_up(net->mates[a]->sync, net->now, (unsigned)b);
    yr_room_sync_up(net->mates[b]->sync, net->now, (unsigned)a);
}

void roomnet_unlink(struct roomnet *net, size_t a, size_t b)
{
    if (!net->wires[a][b].up)
        return;
    set_wire(net, a, b, false, 0);
    set_wire(net, b, a, false, 0);
    yr_room_sync_down(net->mates[a]->sync, net->now, (unsigned)b);
    yr_room_sync_down(net->mates[b]->sync, net->now, (unsigned)a);
    assert_false(net->mates[a]->neighbour[b] || net->mates[b]->neighbour[a]);
}

static unsigned random_delay(struct roomnet *net)
{
    return 5 + (unsigned)seeded_below(&net->rng, 60);
}

void roomnet_tree(struct roomnet *net)
{
    for (size_t i = 1; i < net->count; i++)
        roomnet_link(net, i, seeded_below(&net->rng, i), random_delay(net));
}

void roomnet_random(struct roomnet *net, size_t degree)
{
    const size_t links = net->count * degree / 2;

    roomnet_tree(net);
    for (size_t i = net->count; i < links; i++)
        roomnet_link(net, seeded_below(&net->rng, net->count), seeded_below(&net->rng, net->count),
                     random_delay(net));
}

/* ---- time ---- */

enum yr_err mate_hears(struct mate *mate, size_t from, uint8_t type, const void *body, size_t len)
{
    mate->keeper.now = mate->net->now;
    return yr_room_sync_frame(mate->sync, mate->net->now, (unsigned)from, type, body, len);
}

static void deliver(struct roomnet *net)
{
    const struct letter letter = net->letters[net->letter_first];
    struct wire *wire = &net->wires[letter.from][letter.to];

    net->letter_first++;
    net->letter_count--;
    if (wire->up && wire->life == letter.no) {
        enum yr_err err;

        wire->queued -= letter.len;
        err = mate_hears(net->mates[letter.to], letter.from, letter.type, letter.body, letter.len);
        assert_true(err == YR_OK || err == YR_EPROTO);
        if (err == YR_EPROTO) {
            net->mates[letter.to]->closed[letter.from] = true;
            roomnet_unlink(net, letter.to, letter.from);
        } else if (wire->refused && wire->queued <= wire->cap / 2) {
            wire->refused = false;
            yr_room_sync_space(net->mates[letter.from]->sync, net->now, (unsigned)letter.to);
        }
    }
    free(letter.body);
}

static yr_us due(const struct roomnet *net)
{
    yr_us at = net->letter_count > 0 ? net->letters[net->letter_first].at : YR_NEVER;

    for (size_t i = 0; i < net->count; i++) {
        at = YR_MIN(at, yr_room_sync_deadline(net->mates[i]->sync));
        at = YR_MIN(at, yr_room_log_deadline(net->mates[i]->keeper.log));
    }
    return at;
}

static void step(struct roomnet *net, yr_us until)
{
    const yr_us at = YR_MAX(due(net), net->now.mono_us);

    if (at > until) {
        net->now.wall_ms += (yr_ms)((until - net->now.mono_us) / YR_MS);
        net->now.mono_us = until;
        return;
    }
    net->now.wall_ms += (yr_ms)((at - net->now.mono_us) / YR_MS);
    net->now.mono_us = at;
    if (net->letter_count > 0 && net->letters[net->letter_first].at <= at)
        deliver(net);
    for (size_t i = 0; i < net->count; i++) {
        struct mate *mate = net->mates[i];

        mate->keeper.now = net->now;
        if (yr_room_sync_deadline(mate->sync) <= at)
            assert_int_equal(yr_room_sync_tick(mate->sync, net->now), YR_OK);
        if (yr_room_log_deadline(mate->keeper.log) <= at)
            assert_int_equal(yr_room_log_tick(mate->keeper.log, net->now), YR_OK);
    }
}

void roomnet_run(struct roomnet *net, unsigned ms)
{
    const yr_us until = net->now.mono_us + ms * YR_MS;
    size_t steps = 0;

    while (net->now.mono_us < until) {
        step(net, until);
        assert_true(++steps < 20000000); // or somebody is never done
    }
}

void roomnet_settle(struct roomnet *net)
{
    const yr_us start = net->now.mono_us;

    while (due(net) <= net->now.mono_us + IDLE_MS * YR_MS) {
        roomnet_run(net, 10);
        assert_true(net->now.mono_us < start + SETTLE_MS * YR_MS);
    }
}

/* ---- words ---- */

void mate_write(struct mate *mate, struct slip *slip)
{
    struct yr_room_record record;

    mate->keeper.now = mate->net->now;
    scribe_keep(&mate->keeper, slip);
    assert_int_equal(yr_room_record_decode(&record, slip->bytes, slip->len), YR_OK);
    yr_room_sync_spread(mate->sync, mate->net->now, 0, &record, YR_ROOM_OWN);
    slip_clear(slip);
}

void mate_say_len(struct mate *mate, size_t len)
{
    char text[4096 + 1];
    struct slip slip;

    memset(text, 'a' + (char)(mate->no % 26), sizeof text);
    text[snprintf(text, sizeof text, "%zu: %zu ", mate->no, mate->spread_max++)] = '.';
    text[YR_MIN(len, sizeof text - 1)] = '\0';
    mate->keeper.now = mate->net->now;
    scribe_text(&mate->scribe, &mate->keeper, text, &slip);
    mate_write(mate, &slip);
}

void mate_say(struct mate *mate)
{
    mate_say_len(mate, 100);
}

uint64_t mate_counter(const struct mate *mate, const char *name)
{
    for (size_t i = 0;; i++) {
        const struct yr_counter counter = yr_room_sync_counter(mate->sync, i);

        assert_non_null(counter.name);
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    }
}

uint64_t roomnet_counter(const struct roomnet *net, const char *name)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < net->count; i++)
        sum += mate_counter(net->mates[i], name);
    return sum;
}

uint64_t mate_sent(const struct mate *mate, size_t to, uint8_t type)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < ROOMNET_TYPES; i++)
        sum += type == 0 || i == type ? mate->sent[i][to] : 0;
    return sum;
}

uint64_t mate_sent_bytes(const struct mate *mate, size_t to, uint8_t type)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < ROOMNET_TYPES; i++)
        sum += type == 0 || i == type ? mate->sent_bytes[i][to] : 0;
    return sum;
}

static bool is_member(struct roomnet *net, size_t i)
{
    return yr_authority_rank(yr_room_log_authority(net->mates[0]->keeper.log),
                             net->mates[i]->scribe.mid) > 0;
}

bool roomnet_equal(struct roomnet *net)
{
    uint8_t first[32], other[32];

    yr_room_log_digest(net->mates[0]->keeper.log, first);
    for (size_t i = 1; i < net->count; i++) {
        yr_room_log_digest(net->mates[i]->keeper.log, other);
        if (is_member(net, i) && memcmp(first, other, sizeof first) != 0)
            return false;
    }
    return true;
}

void roomnet_assert_equal(struct roomnet *net)
{
    for (size_t i = 1; i < net->count; i++)
        if (is_member(net, i))
            keeper_assert_equal(&net->mates[0]->keeper, &net->mates[i]->keeper);
    assert_true(roomnet_equal(net));
}
