/* core/room/rooms.c: the set of rooms, their rows, and what is done when. */
#include "core/room/state.h"

#define ERASE_STEP 500 /* rows deleted in one go of a room that is gone */
#define LIST_MAX   (YR_COUNT(((struct yr_rooms *)0)->list))

void yr_rooms_count(struct yr_rooms *rooms, enum yr_rooms_counter counter)
{
    rooms->counters[counter]++;
}

struct yr_room *yr_rooms_find(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN])
{
    for (size_t i = 0; i < rooms->count; i++)
        if (memcmp(rooms->list[i]->id, id, YR_ROOM_ID_LEN) == 0)
            return rooms->list[i];
    return NULL;
}

enum yr_err yr_rooms_active(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN],
                            struct yr_room **out)
{
    struct yr_room *room = yr_rooms_find(rooms, id);

    if (room == NULL || room->forgotten)
        return YR_ENOENT;
    if (room->state != YR_ROOM_ACTIVE && room->state != YR_ROOM_KEYLESS)
        return YR_EDENIED;
    *out = room;
    return YR_OK;
}

enum yr_err yr_room_grow(struct yr_rooms *rooms, void *array, size_t *cap, size_t count,
                         size_t size, size_t max)
{
    const size_t more = YR_MIN(*cap > 0 ? *cap * 2 : 8, max);
    void *at, *grown;

    if (count < *cap)
        return YR_OK;
    if (count >= max)
        return YR_EFULL;
    memcpy(&at, array, sizeof at);
    grown = yr_realloc(rooms->mem, YR_MEM_ROOM, at, more * size);
    if (grown == NULL)
        return YR_ENOMEM;
    memset((uint8_t *)grown + *cap * size, 0, (more - *cap) * size);
    memcpy(array, &grown, sizeof grown);
    *cap = more;
    return YR_OK;
}

/* ---- events ---- */

static void tell(struct yr_rooms *rooms, struct yr_event *event, const struct yr_room *room)
{
    rooms->version++;
    event->time_ms = rooms->now.wall_ms;
    memcpy(event->conv, room->id, YR_ROOM_ID_LEN);
    if (!room->forgotten || event->gone)
        (void)!yr_events_append(rooms->events, event); // a refused row breaks the transaction
}

void yr_room_changed(struct yr_rooms *rooms, struct yr_room *room, bool gone)
{
    struct yr_event event = {.kind = YR_EV_ROOM, .gone = gone};

    tell(rooms, &event, room);
}

void yr_mate_changed(struct yr_rooms *rooms, struct yr_room *room, const uint8_t mid[YR_MID_LEN],
                     bool gone)
{
    struct yr_event event = {.kind = YR_EV_MEMBER, .gone = gone};

    memcpy(event.who, mid, YR_MID_LEN);
    tell(rooms, &event, room);
}

/* ---- one room's life ---- */

static void close_room(struct yr_rooms *rooms, struct yr_room *room)
{
    yr_epochs_free(room->epochs);
    yr_room_log_free(room->log);
    room->epochs = NULL;
    room->log = NULL;
    yr_free(rooms->mem, room->heard);
    yr_free(rooms->mem, room->waits);
    room->heard = NULL;
    room->waits = NULL;
    room->heard_count = room->heard_cap = room->wait_count = room->wait_cap = 0;
}

static void free_room(struct yr_rooms *rooms, struct yr_room *room)
{
    close_room(rooms, room);
    yr_free(rooms->mem, room->mates);
    yr_free(rooms->mem, room->sorted);
    yr_free(rooms->mem, room->guests);
    yr_free_secret(rooms->mem, room);
}

struct yr_room *yr_room_new(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN])
{
    struct yr_room *room = yr_alloc_secret(rooms->mem, YR_MEM_ROOM, sizeof *room);

    if (room == NULL)
        return NULL;
    room->owner = rooms;
    room->unkept = room->unkept_state = UINT64_MAX;
    memcpy(room->id, id, YR_ROOM_ID_LEN);
    room->rekey_us = room->needkey_us = room->answer_us = room->receipt_us = YR_NEVER;
    room->retry_us = room->look_us = room->gone_us = room->profile_us = YR_NEVER;
    return room;
}

enum yr_err yr_rooms_enter(struct yr_rooms *rooms, const uint8_t id[YR_ROOM_ID_LEN],
                           struct yr_room **out)
{
    struct yr_room *room;

    if (rooms->count == LIST_MAX)
        return YR_EFULL;
    if ((room = yr_room_new(rooms, id)) == NULL)
        return YR_ENOMEM;
    room->order = rooms->next_order++;
    room->created_ms = rooms->now.wall_ms;
    rooms->list[rooms->count++] = room;
    *out = room;
    return YR_OK;
}

void yr_rooms_remove(struct yr_rooms *rooms, struct yr_room *room)
{
    YR_ASSERT(room->log == NULL);
    yr_rows_del(rooms->rows, YR_TABLE_ROOM, NULL, 0, room->id, YR_ROOM_ID_LEN);
    yr_rows_del(rooms->rows, YR_TABLE_ROOMSEAL, NULL, 0, room->id, YR_ROOM_ID_LEN);
    for (size_t i = 0; i < rooms->count; i++)
        if (rooms->list[i] == room) {
            memmove(&rooms->list[i], &rooms->list[i + 1],
                    (rooms->count - i - 1) * sizeof *rooms->list);
            rooms->count--;
            break;
        }
    rooms->version++;
    rooms->renumber = true;
    free_room(rooms, room);
}

// Another copy of us has written under this incarnation: this store is an old one.
static enum yr_err restart(struct yr_rooms *rooms, struct yr_room *room)
{
    yr_random(rooms->rng, room->incarnation, sizeof room->incarnation);
    room->own_delivered = room->own_read = 0;
    for (size_t i = 0; i < room->mate_count; i++) {
        room->mates[i].from_seq = room->mates[i].delivered = room->mates[i].read = 0;
        room->mates[i].dirty = true;
    }
    room->mates_dirty = room->dirty = true;
    room->profile_us = rooms->now.mono_us;
    room->seal_ms[0] = 0; // a new one, soon: what came before cannot be trusted to be ours
    room->look = true;
    return room->epochs != NULL ? yr_epochs_restart(room->epochs) : YR_OK;
}

enum yr_err yr_rooms_restored(struct yr_rooms *rooms, struct yr_now now)
{
    enum yr_err err = YR_OK;

    rooms->now = now;
    for (size_t i = 0; i < rooms->count && err == YR_OK; i++)
        if (rooms->list[i]->epochs != NULL)
            err = restart(rooms, rooms->list[i]);
    return err;
}

static enum yr_err act(struct yr_rooms *rooms, struct yr_room *room,
                       const struct yr_room_record *record, const struct yr_room_body *body,
                       const struct yr_room_entry *entry)
{
    const bool gone = room->state == YR_ROOM_GONE || room->epochs == NULL;

    if (!body->known || gone)
        return YR_OK;
    switch (body->kind) {
    case YR_ROOM_CREATE: return YR_OK;
    case YR_ROOM_ADD:
    case YR_ROOM_REMOVE:
    case YR_ROOM_ROLE:
    case YR_ROOM_SET:
    case YR_ROOM_LEAVE: return yr_room_control(rooms, room, record, body);
    case YR_ROOM_REKEY:
    case YR_ROOM_HIST: return yr_room_keys(rooms, room, record, body);
    case YR_ROOM_CONTENT: return yr_room_content(rooms, room, record, body, entry);
    case YR_ROOM_PROFILE: return yr_room_profile(rooms, room, record, body);
    case YR_ROOM_NEEDKEY: return yr_room_needkey(rooms, room, record, body);
    case YR_ROOM_RECEIPT: return yr_room_receipt(rooms, room, record, body);
    case YR_ROOM_KEY: // the log knows it
    case YR_ROOM_KIND_COUNT: return YR_OK;
    }
    return YR_OK;
}

static enum yr_err accepted(void *ctx, struct yr_now now, const struct yr_room_record *record,
                            const struct yr_room_body *body, const struct yr_room_entry *entry)
{
    struct yr_room *room = ctx;
    struct yr_rooms *rooms = room->owner;
    const bool own = entry->slot == YR_ROOM_OWN;
    enum yr_err err = YR_OK;
    size_t i;

    if (room->log == NULL) // the CREATE, while the log is being made
        return YR_OK;
    if (own)
        err = yr_room_remember(rooms, room, record, entry);
    else if (yr_room_number(rooms, room, &i))
        yr_room_sync_spread(rooms->sync, now, i, record, entry->slot);
    if (err == YR_OK && !own && memcmp(record->author, room->self, YR_MID_LEN) == 0 &&
        memcmp(record->incarnation, room->incarnation, YR_INCARNATION_LEN) == 0)
        err = restart(rooms, room);
    if (err == YR_OK)
        err = yr_room_seen(rooms, room, record, entry);
    if (err == YR_OK)
        err = act(rooms, room, record, body, entry);
    if (err == YR_OK && record->class == YR_CLASS_CONTROL && yr_room_number(rooms, room, &i))
        yr_room_sync_members(rooms->sync, now, i);
    return err;
}

enum yr_err yr_room_open(struct yr_rooms *rooms, struct yr_room *room, const uint8_t *create,
                         size_t len)
{
    const struct yr_room_log_ops ops = {.accepted = accepted, .ctx = room};
    struct yr_room_log *log = NULL;
    enum yr_err err;

    if (create != NULL)
        err = yr_room_log_new(&log, rooms->mem, rooms->rows, rooms->now, create, len, &ops);
    else
        err = yr_room_log_load(&log, rooms->mem, rooms->rows, room->id, &ops);
    if (err != YR_OK)
        return err;
    room->log = log;
    rooms->renumber = true;
    if (room->state == YR_ROOM_GONE)
        return YR_OK;
    err = yr_epochs_new(&room->epochs, rooms->mem, rooms->rows, rooms->rng,
                        yr_room_log_authority(log), room->id, room->self,
                        yr_room_log_create(log)->hist_days);
    room->look = true;
    return err;
}

static const char *nick_of(struct yr_rooms *rooms)
{
    return rooms->ops.nick(rooms->ops.ctx);
}

// Power may have failed before the others were told.
static bool profile_due(struct yr_rooms *rooms, struct yr_room *room)
{
    const struct yr_mate *self = yr_room_mate(room, room->self);

    return room->state != YR_ROOM_JOINING &&
           (self == NULL || !self->profiled || strcmp(self->nick, nick_of(rooms)) != 0);
}

static enum yr_err open_loaded(struct yr_rooms *rooms, struct yr_room *room)
{
    enum yr_err err;

    if (room->state == YR_ROOM_INVITED)
        return YR_OK;
    if (!room->forgotten &&
        (err = yr_chat_open_room(rooms->chats, room->id, room->self, nick_of(rooms))) != YR_OK)
        return err;
    if ((err = yr_room_mates_load(rooms, room)) != YR_OK ||
        (err = yr_guests_load(rooms, room)) != YR_OK ||
        (err = yr_room_load_seals(rooms, room)) != YR_OK)
        return err;
    if (room->state == YR_ROOM_GONE && !room->leaving)
        return YR_OK;
    if ((err = yr_room_open(rooms, room, NULL, 0)) != YR_OK)
        return err;
    if (room->state == YR_ROOM_GONE)
        return YR_OK;
    if ((err = yr_room_refresh(rooms, room, true)) != YR_OK ||
        (err = yr_room_says_load(rooms, room)) != YR_OK)
        return err;
    if (profile_due(rooms, room))
        room->profile_us = rooms->now.mono_us;
    return yr_room_receipts_load(rooms, room);
}

enum yr_err yr_rooms_start(struct yr_rooms *rooms, struct yr_now now)
{
    enum yr_err err;

    rooms->now = now;
    if ((err = yr_rooms_load(rooms)) != YR_OK)
        return err;
    for (size_t i = 0; i < rooms->count; i++)
        if ((err = open_loaded(rooms, rooms->list[i])) != YR_OK)
            return err;
    rooms->running = true;
    rooms->version++;
    rooms->renumber = true;
    return yr_rooms_settle(rooms);
}

void yr_rooms_reset(struct yr_rooms *rooms)
{
    yr_room_sync_reset(rooms->sync);
    rooms->synced_count = 0;
    for (size_t i = 0; i < rooms->count; i++)
        free_room(rooms, rooms->list[i]);
    rooms->count = 0;
    rooms->next_order = 0;
    rooms->unspread_count = 0;
    rooms->running = false;
    rooms->renumber = false;
    rooms->version++;
    yr_wipe(rooms->plain, sizeof rooms->plain);
    yr_wipe(rooms->out, sizeof rooms->out);
    yr_wipe(rooms->body, sizeof rooms->body);
}

/* ---- what follows a change ---- */

// Neighbours are told at once: one that is told only of a room that is here again would not know
// that it ever was not, and go on with a session we no longer have.
static enum yr_err renumber(struct yr_rooms *rooms)
{
    rooms->synced_count = 0;
    for (size_t i = 0; i < rooms->count; i++)
        if (rooms->list[i]->log != NULL)
            rooms->synced[rooms->synced_count++] = rooms->list[i];
    rooms->renumber = false;
    yr_room_sync_rooms(rooms->sync, rooms->now);
    return yr_room_sync_tick(rooms->sync, rooms->now);
}

// Nothing of the room is ours any more but what was said.
static enum yr_err finish(struct yr_rooms *rooms, struct yr_room *room)
{
    bool more = true;
    enum yr_err err;

    room->removed = false;
    room->state = YR_ROOM_GONE;
    room->left_ms = rooms->now.wall_ms;
    yr_epochs_free(room->epochs);
    room->epochs = NULL;
    while (more)
        if ((err = yr_epochs_erase(rooms->rows, room->id, ERASE_STEP, &more)) != YR_OK)
            return err;
    yr_wipe(room->seals, sizeof room->seals);
    room->seal_count = 0;
    yr_rows_del(rooms->rows, YR_TABLE_ROOMSEAL, NULL, 0, room->id, YR_ROOM_ID_LEN);
    if ((err = yr_room_delete_rows(rooms, room, YR_TABLE_ROOMCHAIN)) != YR_OK ||
        (err = yr_room_delete_rows(rooms, room, YR_TABLE_ROOMWAIT)) != YR_OK)
        return err;
    room->rekey_us = room->needkey_us = room->answer_us = room->receipt_us = YR_NEVER;
    room->retry_us = room->look_us = room->profile_us = YR_NEVER;
    room->look = room->raise = room->heard_dirty = false;
    room->heard_count = room->wait_count = 0;
    if (!room->leaving) {
        close_room(rooms, room);
        yr_wipe(room->sign_sk, sizeof room->sign_sk);
        room->erasing = true;
        rooms->renumber = true;
    }
    yr_room_store(rooms, room);
    yr_room_changed(rooms, room, false);
    return YR_OK;
}

// Rooms that we left, of which nobody has heard yet, give way: only so many can be spread.
static enum yr_err bound_leaving(struct yr_rooms *rooms)
{
    size_t count = 0;
    enum yr_err err;

    for (size_t i = 0; i < rooms->count; i++)
        count += rooms->list[i]->log != NULL;
    for (size_t i = 0; i < rooms->count && count > YR_ROOMS_MAX; i++) {
        if (!rooms->list[i]->leaving || rooms->list[i]->log == NULL)
            continue;
        if ((err = yr_room_let_go(rooms, rooms->list[i])) != YR_OK)
            return err;
        count--;
    }
    return YR_OK;
}

enum yr_err yr_rooms_settle(struct yr_rooms *rooms)
{
    enum yr_err err;
    uint64_t token = 0;

    for (size_t i = 0; i < rooms->count; i++)
        if (rooms->list[i]->removed && (err = finish(rooms, rooms->list[i])) != YR_OK)
            return err;
    if (rooms->renumber &&
        ((err = bound_leaving(rooms)) != YR_OK || (err = renumber(rooms)) != YR_OK))
        return err;
    for (size_t i = rooms->unspread_count; i > 0 && rooms->unspread[i - 1].token == 0; i--) {
        token = token != 0 ? token : yr_rows_pending(rooms->rows);
        rooms->unspread[i - 1].token = token;
    }
    return YR_OK;
}

/* ---- time ---- */

// One step of taking away what a room has left behind.
static enum yr_err erase_some(struct yr_rooms *rooms, struct yr_room *room)
{
    bool more = false;
    enum yr_err err = YR_OK;

    if (room->erasing)
        err = yr_room_log_erase(rooms->rows, room->id, ERASE_STEP, &more);
    if (err == YR_OK && !more && room->erasing) {
        room->erasing = false;
        room->dirty = true;
    }
    if (err == YR_OK && !room->erasing && room->purging) {
        err = yr_chat_erase(rooms->chats, room->id, ERASE_STEP, &more);
        if (err == YR_OK && !more) {
            room->purging = false;
            room->dirty = true;
        }
    }
    if (err != YR_OK || room->erasing || room->purging || room->leaving || !room->forgotten)
        return err;
    if ((err = yr_room_delete_rows(rooms, room, YR_TABLE_ROOMMEMBER)) != YR_OK ||
        (err = yr_room_delete_rows(rooms, room, YR_TABLE_ROOMFRIEND)) != YR_OK)
        return err;
    yr_rooms_remove(rooms, room);
    return YR_OK;
}

enum yr_err yr_room_clear(struct yr_rooms *rooms, struct yr_room *room)
{
    const size_t count = rooms->count;
    enum yr_err err = YR_OK;

    while (err == YR_OK && rooms->count == count &&
           (room->erasing || room->purging || room->forgotten))
        err = erase_some(rooms, room);
    return err;
}

enum yr_err yr_room_let_go(struct yr_rooms *rooms, struct yr_room *room)
{
    room->leaving = false;
    return finish(rooms, room);
}

static enum yr_err tick_room(struct yr_rooms *rooms, struct yr_room *room)
{
    enum yr_err err;

    if (room->leaving && rooms->now.mono_us >= room->gone_us &&
        (err = yr_room_let_go(rooms, room)) != YR_OK)
        return err;
    if (room->erasing || room->purging || room->forgotten) // invited again meanwhile, perhaps
        return erase_some(rooms, room);
    if (room->log == NULL || room->state == YR_ROOM_GONE)
        return YR_OK;
    if ((err = yr_room_log_tick(room->log, rooms->now)) != YR_OK)
        return err;
    if (room->removed)
        return YR_OK;
    if ((err = yr_room_says_tick(rooms, room)) != YR_OK ||
        (err = yr_room_join_tick(rooms, room)) != YR_OK ||
        (err = yr_room_keys_tick(rooms, room)) != YR_OK)
        return err;
    return yr_room_receipts_tick(rooms, room);
}

enum yr_err yr_rooms_tick(struct yr_rooms *rooms, struct yr_now now)
{
    enum yr_err err;

    rooms->now = now;
    if (!rooms->running)
        return YR_OK;
    for (size_t i = rooms->count; i > 0; i--) // one may go
        if ((err = tick_room(rooms, rooms->list[i - 1])) != YR_OK)
            return err;
    if ((err = yr_rooms_settle(rooms)) != YR_OK)
        return err;
    if ((err = yr_room_sync_tick(rooms->sync, now)) != YR_OK)
        return err;
    return yr_rooms_settle(rooms);
}

static yr_us room_deadline(const struct yr_room *room)
{
    yr_us due = YR_NEVER;

    if (room->erasing || room->purging || (room->forgotten && !room->leaving))
        return 0;
    if (room->state == YR_ROOM_GONE)
        return room->leaving ? room->gone_us : YR_NEVER;
    if (room->log == NULL)
        return YR_NEVER;
    if (yr_room_says_due(room))
        return 0;
    due = YR_MIN(yr_room_log_deadline(room->log), room->retry_us);
    if (room->state != YR_ROOM_ACTIVE && room->state != YR_ROOM_KEYLESS)
        return due; // the rest is what members do
    if (room->raise)
        return 0;
    return YR_MIN(due, YR_MIN(yr_room_keys_deadline(room), room->receipt_us));
}

yr_us yr_rooms_deadline(const struct yr_rooms *rooms)
{
    yr_us due = YR_NEVER;

    if (!rooms->running)
        return YR_NEVER;
    for (size_t i = 0; i < rooms->count; i++)
        due = YR_MIN(due, room_deadline(rooms->list[i]));
    return YR_MIN(due, yr_room_sync_deadline(rooms->sync));
}

enum yr_err yr_rooms_flush(struct yr_rooms *rooms, struct yr_now now)
{
    enum yr_err err;

    rooms->now = now;
    if (!rooms->running)
        return YR_OK;
    for (size_t i = 0; i < rooms->count; i++) {
        struct yr_room *room = rooms->list[i];
        if (room->log != NULL && (err = yr_room_log_flush(room->log)) != YR_OK)
            return err;
        if (room->mates_dirty)
            yr_room_mates_flush(rooms, room);
        if (room->heard_dirty)
            yr_room_receipts_flush(rooms, room);
        if (room->dirty)
            yr_room_store(rooms, room);
    }
    return YR_OK;
}

/* ---- the set ---- */

enum yr_err yr_rooms_new(struct yr_rooms **out, struct yr_mem *mem, struct yr_rows *rows,
                         struct yr_events *events, struct yr_chats *chats, const struct yr_rng *rng,
                         const struct yr_age *age, const struct yr_rooms_ops *ops)
{
    struct yr_rooms *rooms = yr_alloc_secret(mem, YR_MEM_ROOM, sizeof *rooms);
    struct yr_room_sync_ops sync_ops = yr_rooms_sync_ops;
    enum yr_err err;

    if (rooms == NULL)
        return YR_ENOMEM;
    rooms->mem = mem;
    rooms->rows = rows;
    rooms->events = events;
    rooms->chats = chats;
    rooms->rng = rng;
    rooms->age = age;
    rooms->ops = *ops;
    sync_ops.ctx = rooms;
    if ((err = yr_room_sync_new(&rooms->sync, mem, rng, &sync_ops)) != YR_OK) {
        yr_rooms_free(rooms);
        return err;
    }
    *out = rooms;
    return YR_OK;
}

void yr_rooms_free(struct yr_rooms *rooms)
{
    if (rooms == NULL)
        return;
    for (size_t i = 0; i < rooms->count; i++)
        free_room(rooms, rooms->list[i]);
    yr_room_sync_free(rooms->sync);
    yr_free(rooms->mem, rooms->unspread);
    yr_free_secret(rooms->mem, rooms);
}

// The sum of a counter over all logs.
static uint64_t of_logs(const struct yr_rooms *rooms, size_t i)
{
    uint64_t sum = 0;

    for (size_t k = 0; k < rooms->count; k++)
        if (rooms->list[k]->log != NULL)
            sum += yr_room_log_counter(rooms->list[k]->log, i).value;
    return sum;
}

struct yr_counter yr_rooms_counter(const struct yr_rooms *rooms, size_t i)
{
    static const char *const names[] = {
#define X(name, text) text,
        YR_ROOMS_COUNTER_MAP(X)
#undef X
    };
    static const char *const log_names[] = {
#define X(name, text) text,
        YR_ROOM_LOG_COUNTER_MAP(X)
#undef X
    };

    if (i < YR_COUNT(names))
        return (struct yr_counter){names[i], rooms->counters[i]};
    i -= YR_COUNT(names);
    if (i < YR_COUNT(log_names))
        return (struct yr_counter){log_names[i], of_logs(rooms, i)};
    return yr_room_sync_counter(rooms->sync, i - YR_COUNT(log_names));
}
