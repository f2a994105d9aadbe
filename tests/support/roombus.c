#include "tests/support/roombus.h"

#include <stdio.h>

#include "tests/support/test.h"

/* ---- the bus ---- */

static void put(struct bus *w, unsigned from, unsigned to, bool plain, uint8_t type,
                const uint8_t *bytes, size_t len)
{
    struct bus_item *item = calloc(1, sizeof *item + len);

    assert_non_null(item);
    item->from = from;
    item->to = to;
    item->plain = plain;
    item->type = type;
    item->len = len;
    memcpy(item->bytes, bytes, len);
    *w->last = item;
    w->last = &item->next;
}

static enum yr_err on_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len)
{
    struct bus_person *p = ctx;

    if (p->full)
        return YR_EFULL;
    p->frames++;
    put(p->w, p->no, slot, false, type, body, len);
    return YR_OK;
}

static const uint8_t *on_pair(void *ctx, unsigned slot, uint8_t *dir)
{
    static uint8_t pair[32];
    const struct bus_person *p = ctx;

    memset(pair, (int)(YR_MIN(p->no, slot) * BUS_PEOPLE + YR_MAX(p->no, slot)), sizeof pair);
    *dir = p->no > slot;
    return pair;
}

static enum yr_err on_tell(void *ctx, unsigned slot, struct yr_plain *plain)
{
    static const uint8_t id[YR_MSG_ID_LEN] = {1};
    struct bus_person *p = ctx;
    uint8_t bytes[1024];
    size_t len;
    enum yr_err err;

    plain->id = id;
    if ((err = yr_plain_encode(plain, bytes, sizeof bytes, &len)) == YR_OK)
        put(p->w, p->no, slot, true, 0, bytes, len);
    return err;
}

static bool on_slot_of(void *ctx, const uint8_t id[YR_ID_LEN], unsigned *slot)
{
    const struct bus_person *p = ctx;

    for (*slot = 0; *slot < BUS_PEOPLE; (*slot)++)
        if (p->friend[*slot] && memcmp(p->w->people[*slot].id, id, YR_ID_LEN) == 0)
            return true;
    return false;
}

static bool on_friend_at(void *ctx, unsigned slot, struct yr_rooms_friend *out)
{
    const struct bus_person *p = ctx;

    if (slot >= BUS_PEOPLE || !p->friend[slot])
        return false;
    *out = (struct yr_rooms_friend){p->w->people[slot].id, p->w->people[slot].nick, true};
    return true;
}

static const char *on_nick(void *ctx)
{
    const struct bus_person *p = ctx;

    return p->nick;
}

static bool on_read_receipts(void *ctx)
{
    (void)ctx;
    return true;
}

static enum yr_err on_say(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                          const uint8_t *plain, size_t len, uint8_t id[YR_MSG_ID_LEN])
{
    const struct bus_person *p = ctx;

    return yr_rooms_say(p->rooms, now, conv, plain, len, id);
}

static const uint8_t *on_incarnation(void *ctx, const uint8_t conv[YR_ID_LEN])
{
    const struct bus_person *p = ctx;

    return yr_rooms_incarnation(p->rooms, conv);
}

static void on_counts(void *ctx, struct yr_message *message)
{
    const struct bus_person *p = ctx;

    yr_rooms_counts(p->rooms, message);
}

static void on_seen(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t mid[YR_MID_LEN],
                    const uint8_t incarnation[YR_INCARNATION_LEN], uint64_t seq)
{
    const struct bus_person *p = ctx;

    yr_rooms_seen(p->rooms, conv, mid, incarnation, seq);
}

static void on_read(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                    const struct yr_place *marker)
{
    const struct bus_person *p = ctx;

    (void)marker;
    yr_rooms_read(p->rooms, now, conv);
}

/* ---- people ---- */

// Read what his store has.
static void wake(struct bus_person *p)
{
    struct yr_rooms_ops ops = {.frame = on_frame,
                               .pair = on_pair,
                               .tell = on_tell,
                               .slot_of = on_slot_of,
                               .friend_at = on_friend_at,
                               .nick = on_nick,
                               .read_receipts = on_read_receipts,
                               .ctx = p};

    assert_int_equal(yr_events_new(&p->events, &p->box.mem.mem, p->box.rows), YR_OK);
    assert_int_equal(yr_events_start(p->events), YR_OK);
    assert_int_equal(yr_chats_new(&p->chats, &p->box.mem.mem, p->box.rows, p->events,
                                  &p->box.rng.rng, &p->chat_ops),
                     YR_OK);
    assert_int_equal(yr_chats_start(p->chats, p->w->now, p->id), YR_OK);
    assert_int_equal(yr_rooms_new(&p->rooms, &p->box.mem.mem, p->box.rows, p->events, p->chats,
                                  &p->box.rng.rng, &p->age, &ops),
                     YR_OK);
    assert_int_equal(yr_age_load(&p->age, p->box.rows, p->w->now), YR_OK);
    assert_int_equal(yr_rooms_start(p->rooms, p->w->now), YR_OK);
}

static void born(struct bus *w, unsigned no)
{
    struct bus_person *p = &w->people[no];
    p->w = w;
    p->no = no;
    memset(p->id, (int)no + 1, sizeof p->id);
    snprintf(p->nick, sizeof p->nick, "p%u", no);
    rowbox_open(&p->box, 100 + no);
    p->chat_ops = (struct yr_chat_ops){.say = on_say,
                                       .incarnation = on_incarnation,
                                       .counts = on_counts,
                                       .seen = on_seen,
                                       .read = on_read,
                                       .ctx = p};
    wake(p);
}

void bus_init(struct bus *w)
{
    memset(w, 0, sizeof *w);
    w->now = (struct yr_now){YR_S, BUS_START_MS};
    w->last = &w->first;
    for (unsigned i = 0; i < BUS_PEOPLE; i++)
        born(w, i);
}

void bus_crash(struct bus *w, unsigned no, const struct yr_memstore *backup)
{
    struct bus_person *p = &w->people[no];

    yr_rooms_free(p->rooms);
    yr_chats_free(p->chats);
    yr_events_free(p->events);
    if (backup != NULL)
        yr_memstore_restore(p->box.store, backup);
    assert_int_equal(rowbox_crash(&p->box), YR_OK);
    wake(p);
}

void bus_clear(struct bus *w)
{
    for (unsigned i = 0; i < BUS_PEOPLE; i++) {
        struct bus_person *p = &w->people[i];
        yr_rooms_free(p->rooms);
        yr_chats_free(p->chats);
        yr_events_free(p->events);
        rowbox_close(&p->box);
    }
    while (w->first != NULL) {
        struct bus_item *item = w->first;
        w->first = item->next;
        free(item);
    }
}

void bus_befriend(struct bus *w, unsigned a, unsigned b)
{
    w->people[a].friend[b] = w->people[b].friend[a] = true;
    assert_int_equal(yr_rooms_up(w->people[a].rooms, w->now, b), YR_OK);
    assert_int_equal(yr_rooms_up(w->people[b].rooms, w->now, a), YR_OK);
}

void bus_commit(struct bus *w, unsigned no)
{
    struct bus_person *p = &w->people[no];
    struct yr_event event;

    assert_int_equal(yr_chats_flush(p->chats, w->now), YR_OK);
    assert_int_equal(yr_rooms_flush(p->rooms, w->now), YR_OK);
    yr_age_flush(&p->age, p->box.rows, w->now);
    rowbox_settle(&p->box);
    assert_int_equal(yr_rooms_release(p->rooms, w->now, yr_rows_durable(p->box.rows)), YR_OK);
    while (yr_events_next(p->events, &event))
        continue;
}

void bus_hand_over(struct bus *w)
{
    struct bus_item *item = w->first;
    struct bus_person *to = &w->people[item->to];
    struct yr_plain plain;

    w->first = item->next;
    if (w->first == NULL)
        w->last = &w->first;
    if (item->plain) {
        assert_int_equal(yr_plain_decode(&plain, item->bytes, item->len), YR_OK);
        assert_int_equal(yr_rooms_plain(to->rooms, w->now, item->from, &plain), YR_OK);
    } else {
        assert_int_equal(
            yr_rooms_frame(to->rooms, w->now, item->from, item->type, item->bytes, item->len),
            YR_OK);
    }
    free(item);
}

// Let this much time pass, everybody doing what is due.
void bus_pass(struct bus *w, unsigned seconds)
{
    for (unsigned step = 0; step < seconds * 10; step++) {
        for (int turn = 0; turn < 50; turn++) {
            while (w->first != NULL)
                bus_hand_over(w);
            for (unsigned i = 0; i < BUS_PEOPLE; i++) {
                if (yr_rooms_deadline(w->people[i].rooms) <= w->now.mono_us)
                    assert_int_equal(yr_rooms_tick(w->people[i].rooms, w->now), YR_OK);
                bus_commit(w, i);
            }
            if (w->first == NULL)
                break;
        }
        w->now.mono_us += 100 * YR_MS;
        w->now.wall_ms += 100;
    }
}

uint64_t bus_counter(struct bus *w, unsigned no, const char *name)
{
    struct yr_counter c;

    for (size_t i = 0; (c = yr_rooms_counter(w->people[no].rooms, i)).name != NULL; i++)
        if (strcmp(c.name, name) == 0)
            return c.value;
    fail();
    return 0;
}

void bus_found(struct bus *w, unsigned no, const char *name, uint8_t id[YR_ROOM_ID_LEN])
{
    assert_int_equal(yr_rooms_make(w->people[no].rooms, w->now, name, strlen(name), "", 0, 0, id),
                     YR_OK);
    bus_commit(w, no);
}

bool bus_has_room(struct bus *w, unsigned no, const uint8_t *id, enum yr_room_state state)
{
    struct yr_room_info info;

    return yr_rooms_info(w->people[no].rooms, w->now, id, &info) == YR_OK && info.state == state;
}

void bus_bring(struct bus *w, unsigned a, unsigned b, const uint8_t *id)
{
    assert_int_equal(yr_rooms_invite(w->people[a].rooms, w->now, id, w->people[b].id), YR_OK);
    bus_pass(w, 1);
    assert_int_equal(yr_rooms_join(w->people[b].rooms, w->now, id), YR_OK);
    bus_pass(w, 2);
    assert_true(bus_has_room(w, b, id, YR_ROOM_ACTIVE));
}

enum yr_err bus_say(struct bus *w, unsigned no, const uint8_t *id, const char *text)
{
    uint8_t msg[YR_MSG_ID_LEN];

    return yr_chat_send(w->people[no].chats, w->now, id, false, text, strlen(text), NULL, NULL, 0,
                        msg);
}

size_t bus_texts(struct bus *w, unsigned no, const uint8_t *id)
{
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place place = {{0}};
    size_t count = 0;

    for (enum yr_seek how = YR_SEEK_GE;
         yr_chat_history(w->people[no].chats, id, how, &place, m) == YR_OK; how = YR_SEEK_GT)
        count += m->kind == YR_MSG_TEXT;
    free(m);
    return count;
}
