#include "core/room/sync_state.h"

#define WORK_ONE   1000000u
#define SETTLE_MAX 4 /* times that callbacks may ask for more of the same */

static const char *const counter_names[YR_SYNC_N_COUNT] = {
#define X(NAME, text) text,
    YR_ROOM_SYNC_COUNTER_MAP(X)
#undef X
};

/* ---- small things ---- */

void yr_sync_count(struct yr_room_sync *sync, enum yr_sync_count what)
{
    sync->counters[what]++;
}

void yr_sync_wake(struct yr_room_sync *sync, yr_us at)
{
    sync->due_us = YR_MIN(sync->due_us, at);
}

void yr_sync_fail(struct yr_room_sync *sync, enum yr_err err)
{
    if (err == YR_ENOMEM)
        yr_sync_count(sync, YR_SYNC_N_NOMEM); // what it was for will be asked for again
    else if (err == YR_EIO || err == YR_ECORRUPT)
        sync->failed = err;
    if (sync->failed != YR_OK)
        yr_sync_wake(sync, 0);
}

void yr_sync_fail_whole(struct yr_room_sync *sync)
{
    yr_sync_fail(sync, YR_ENOMEM);
    sync->failed = YR_ENOMEM;
    yr_sync_wake(sync, 0);
}

bool yr_sync_view(struct yr_room_sync *sync, const struct yr_sync_room *room,
                  struct yr_room_view *out)
{
    out->unkept = out->unkept_state = UINT64_MAX;
    return !room->gone && sync->ops.room(sync->ops.ctx, room->index, out) && out->log != NULL &&
           memcmp(yr_room_log_id(out->log), room->id, YR_ROOM_ID_LEN) == 0;
}

struct yr_sync_session *yr_sync_find(const struct yr_room_sync *sync,
                                     const struct yr_sync_room *room, unsigned slot)
{
    const struct yr_sync_link *link = slot < YR_FRIENDS_MAX ? sync->links[slot] : NULL;

    for (size_t i = 0; link != NULL && i < link->count; i++)
        if (link->sessions[i]->room == room && !link->sessions[i]->dead)
            return link->sessions[i];
    return NULL;
}

bool yr_sync_open(const struct yr_sync_session *s)
{
    return !s->dead && s->opened;
}

bool yr_sync_member(const struct yr_sync_session *s)
{
    return yr_sync_open(s) && s->standing == YR_STANDING_MEMBER;
}

struct yr_wr yr_sync_begin(struct yr_room_sync *sync, const struct yr_sync_session *s)
{
    struct yr_wr wr = yr_wr_init(sync->frame, sizeof sync->frame);

    yr_wr_u16(&wr, s->route_out);
    return wr;
}

bool yr_sync_end(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link,
                 uint8_t type, const struct yr_wr *wr)
{
    enum yr_err err;

    YR_ASSERT(yr_wr_ok(wr));
    if (link->full)
        return false;
    err = sync->ops.frame(sync->ops.ctx, link->slot, type, wr->start, yr_wr_len(wr));
    if (err == YR_OK)
        return true;
    link->full = true;
    if (err != YR_EFULL) { // nobody will call when that is over
        link->retry_us = now.mono_us + YR_S;
        yr_sync_wake(sync, link->retry_us);
        yr_sync_fail(sync, err);
    }
    return false;
}

bool yr_sync_spend(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link,
                   uint64_t cost)
{
    const yr_us passed = now.mono_us - link->work_us;
    const uint64_t max = (uint64_t)YR_ROOM_WORK_MAX * WORK_ONE;

    link->work_us = now.mono_us;
    link->work = passed >= YR_MIN_US
                     ? max
                     : YR_MIN(max, link->work + passed * YR_ROOM_WORK_RATE * WORK_ONE / YR_S);
    if (link->work < cost * WORK_ONE) {
        yr_sync_count(sync, YR_SYNC_N_WORK);
        return false;
    }
    link->work -= cost * WORK_ONE;
    return true;
}

void yr_sync_refund(struct yr_sync_link *link, uint64_t cost)
{
    link->work = YR_MIN((uint64_t)YR_ROOM_WORK_MAX * WORK_ONE, link->work + cost * WORK_ONE);
}

bool yr_sync_has(struct yr_room_sync *sync, struct yr_room_log *log, const uint8_t id[YR_SYNC_ID],
                 size_t *len, struct yr_room_entry *entry)
{
    const enum yr_err err = yr_room_log_get(log, id, sync->record, sizeof sync->record, len, entry);

    if (err != YR_OK && err != YR_ENOENT)
        yr_sync_fail(sync, err);
    return err == YR_OK;
}

bool yr_sync_ids_ok(const struct yr_rd *rd, size_t max)
{
    const size_t left = yr_rd_left(rd);

    return !rd->bad && left > 0 && left % 16 == 0 && left / 16 <= max;
}

/* ---- rooms ---- */

static void free_room(struct yr_room_sync *sync, struct yr_sync_room *room)
{
    if (room == NULL)
        return;
    yr_sync_pull_drop(sync, room, NULL);
    yr_free(sync->mem, room->authors);
    yr_free(sync->mem, room);
}

static struct yr_sync_room *new_room(struct yr_room_sync *sync, const uint8_t id[YR_ROOM_ID_LEN])
{
    struct yr_sync_room *room = yr_alloc(sync->mem, YR_MEM_ROOM, sizeof *room);

    if (room == NULL) {
        yr_sync_fail_whole(sync);
        return NULL;
    }
    memcpy(room->id, id, YR_ROOM_ID_LEN);
    room->lost_us = room->quiet_us = YR_NEVER;
    return room;
}

static struct yr_sync_room *room_of(const struct yr_room_sync *sync, const uint8_t *id)
{
    for (size_t i = 0; i < sync->room_count; i++)
        if (!sync->rooms[i]->gone && memcmp(sync->rooms[i]->id, id, YR_ROOM_ID_LEN) == 0)
            return sync->rooms[i];
    return NULL;
}

struct yr_sync_room *yr_sync_room_at(const struct yr_room_sync *sync, size_t index)
{
    for (size_t i = 0; i < sync->room_count; i++)
        if (!sync->rooms[i]->gone && sync->rooms[i]->index == index)
            return sync->rooms[i];
    return NULL;
}

// We are another member than before, or one at last: say so anew.
static void changed_self(struct yr_room_sync *sync, const struct yr_sync_room *room)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_sync_session *s = yr_sync_find(sync, room, slot);

        if (s != NULL)
            s->open_due = true;
    }
}

static void take_room(struct yr_room_sync *sync, size_t index, const struct yr_room_view *view)
{
    const uint8_t *id = yr_room_log_id(view->log);
    struct yr_sync_room *room = room_of(sync, id);
    const bool had = room != NULL && room->has_self;

    if (room == NULL) {
        if (sync->room_count == YR_COUNT(sync->rooms) || (room = new_room(sync, id)) == NULL)
            return;
        sync->rooms[sync->room_count++] = room;
    }
    room->index = index;
    room->has_self = view->self != NULL && view->sign_sk != NULL;
    if (!room->has_self)
        return;
    if (had && memcmp(room->self, view->self, YR_MID_LEN) != 0)
        changed_self(sync, room);
    memcpy(room->self, view->self, YR_MID_LEN);
}

// Numbers are new at once; what follows from it waits until nobody is in the middle of something.
static void map_rooms(struct yr_room_sync *sync)
{
    struct yr_room_view view;

    for (size_t i = 0; i < sync->room_count; i++)
        sync->rooms[i]->index = SIZE_MAX;
    for (size_t i = 0; sync->ops.room(sync->ops.ctx, i, &view); i++)
        if (view.log != NULL)
            take_room(sync, i, &view);
    for (size_t i = 0; i < sync->room_count; i++)
        if (sync->rooms[i]->index == SIZE_MAX)
            sync->rooms[i]->gone = true;
}

static void free_gone_rooms(struct yr_room_sync *sync)
{
    size_t kept = 0;

    for (size_t i = 0; i < sync->room_count; i++)
        if (sync->rooms[i]->gone)
            free_room(sync, sync->rooms[i]);
        else
            sync->rooms[kept++] = sync->rooms[i];
    sync->room_count = kept;
}

/* ---- turns ---- */

// A hash of all chains: to be compared, or as the answer to what was asked for.
static bool send_have(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    struct yr_wr wr = yr_sync_begin(sync, s);
    struct yr_room_view view;
    uint8_t digest[32];
    const bool answer = s->answer_due && !s->serving && s->get_count == 0 && s->ask_count == 0;

    if (!answer && !s->have_due)
        return false;
    if (!yr_sync_member(s) || !yr_sync_view(sync, s->room, &view))
        return s->have_due = false;
    yr_room_log_digest(view.log, digest);
    if (!answer && !s->have_must &&
        ((s->has_told && memcmp(s->told, digest, 32) == 0) ||
         (s->has_theirs && memcmp(s->theirs, digest, 32) == 0)))
        return s->have_due = false; // he knows, or needs not
    yr_wr_u8(&wr, answer);
    yr_wr_u64(&wr, yr_room_log_end(view.log));
    yr_wr_bytes(&wr, digest, sizeof digest);
    if (!yr_sync_end(sync, now, s->link, YR_FRAME_ROOM_HAVE, &wr))
        return false;
    s->have_due = s->have_must = false;
    if (answer)
        s->answer_due = false;
    s->has_told = true;
    memcpy(s->told, digest, sizeof digest);
    return true;
}

static bool step(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    if (s->dead)
        return false;
    if (s->open_due)
        return yr_sync_send_open(sync, now, s);
    if (!s->opened)
        return false;
    if (s->behind && !yr_sync_serve_due(s) && s->room->pull == NULL) {
        s->behind = false;
        s->have_due = true;
    }
    if (send_have(sync, now, s) || yr_sync_pull_step(sync, now, s) ||
        yr_sync_push_step(sync, now, s) || yr_sync_serve_step(sync, now, s))
        return true;
    return s->answer_due && send_have(sync, now, s); // nothing of what he wanted was for him
}

// Every session says one thing after the other, as long as the channel takes it.
static void pump(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link)
{
    size_t idle = 0, left = YR_ROOM_SERVE_MAX;

    link->more = false;
    if (link->full)
        return;
    if (link->tags_due && !yr_sync_send_tags(sync, now, link))
        return;
    link->tags_due = false;
    while (idle < link->count && !link->full) {
        if (left == 0) {
            link->more = true;
            yr_sync_wake(sync, now.mono_us);
            return;
        }
        if (step(sync, now, link->sessions[link->turn++ % link->count])) {
            idle = 0;
            left--;
        } else
            idle++;
    }
}

static void judge_room(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room)
{
    room->judge_due = false;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_sync_session *s = yr_sync_find(sync, room, slot);

        if (s == NULL)
            continue;
        yr_sync_judge(sync, now, s);
        if (s->futile > 0 || s->late_at > 0) { // what was refused may be good now
            memset(s->late, 0, sizeof s->late);
            s->late_at = 0;
            s->futile = 0;
            yr_sync_pull_want(sync, s, now.mono_us + YR_ROOM_CALM_MS * YR_MS);
        }
    }
}

static bool settle(struct yr_room_sync *sync, struct yr_now now)
{
    bool more = sync->rooms_due;

    if (sync->rooms_due) {
        sync->rooms_due = false;
        for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
            if (sync->links[slot] != NULL) {
                yr_sync_match(sync, now, sync->links[slot]);
                sync->links[slot]->tags_due = true;
            }
    }
    for (size_t i = 0; i < sync->room_count; i++)
        if (sync->rooms[i]->judge_due) {
            judge_room(sync, now, sync->rooms[i]);
            more = true;
        }
    return more;
}

static void enter(struct yr_room_sync *sync)
{
    sync->busy++;
}

// The outermost call does what those inside it only asked for.
static void leave(struct yr_room_sync *sync, struct yr_now now)
{
    if (sync->busy == 1) {
        for (size_t i = 0; i < SETTLE_MAX && settle(sync, now); i++)
            yr_sync_wake(sync, now.mono_us);
        for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
            if (sync->links[slot] != NULL)
                yr_sync_free_dead(sync, sync->links[slot]);
        free_gone_rooms(sync);
    }
    sync->busy--;
}

/* ---- links ---- */

static void free_link(struct yr_room_sync *sync, struct yr_now now, unsigned slot)
{
    struct yr_sync_link *link = sync->links[slot];

    if (link == NULL)
        return;
    for (size_t i = 0; i < link->count; i++)
        yr_sync_end_session(sync, now, link->sessions[i]);
    yr_sync_free_dead(sync, link);
    yr_free(sync->mem, link->tags);
    yr_free(sync->mem, link);
    sync->links[slot] = NULL;
}

void yr_room_sync_up(struct yr_room_sync *sync, struct yr_now now, unsigned slot)
{
    struct yr_sync_link *link;

    YR_ASSERT(slot < YR_FRIENDS_MAX && sync->busy == 0);
    enter(sync);
    free_link(sync, now, slot); // of an older connection
    if ((link = yr_alloc(sync->mem, YR_MEM_ROOM, sizeof *link)) != NULL) {
        link->slot = slot;
        link->tags_due = true;
        link->retry_us = YR_NEVER;
        link->work = (uint64_t)YR_ROOM_WORK_MAX * WORK_ONE;
        link->work_us = now.mono_us;
        sync->links[slot] = link;
        pump(sync, now, link);
    } else
        yr_sync_fail_whole(sync);
    leave(sync, now);
}

void yr_room_sync_down(struct yr_room_sync *sync, struct yr_now now, unsigned slot)
{
    YR_ASSERT(slot < YR_FRIENDS_MAX && sync->busy == 0);
    enter(sync);
    free_link(sync, now, slot);
    leave(sync, now);
}

void yr_room_sync_space(struct yr_room_sync *sync, struct yr_now now, unsigned slot)
{
    struct yr_sync_link *link = slot < YR_FRIENDS_MAX ? sync->links[slot] : NULL;

    if (link == NULL)
        return;
    link->full = false;
    if (sync->busy > 0) {
        yr_sync_wake(sync, now.mono_us);
        return;
    }
    enter(sync);
    pump(sync, now, link);
    leave(sync, now);
}

static struct yr_sync_session *by_route(struct yr_sync_link *link, uint16_t route)
{
    for (size_t i = 0; i < link->count; i++)
        if (link->sessions[i]->route_in == route && !link->sessions[i]->dead)
            return link->sessions[i];
    return NULL;
}

// Who may say what: a member everything; who may be one, what he knows but no questions; who was
// one, nothing but records, which speak for themselves.
static bool may_say(const struct yr_sync_session *s, uint8_t type)
{
    switch (type) {
    case YR_FRAME_ROOM_REC:
    case YR_FRAME_ROOM_NEW: return s->standing != YR_STANDING_FALSE;
    case YR_FRAME_ROOM_HAVE:
    case YR_FRAME_ROOM_VEC:
    case YR_FRAME_ROOM_IDS:
    case YR_FRAME_ROOM_IHAVE:
        return s->standing == YR_STANDING_MEMBER || s->standing == YR_STANDING_UNKNOWN;
    case YR_FRAME_ROOM_WANT:
    case YR_FRAME_ROOM_GET:
        return s->standing == YR_STANDING_MEMBER || s->standing == YR_STANDING_FORMER;
    default: return s->standing == YR_STANDING_MEMBER;
    }
}

static enum yr_err on_routed(struct yr_room_sync *sync, struct yr_now now,
                             struct yr_sync_link *link, uint8_t type, struct yr_rd rd)
{
    const uint16_t route = yr_rd_u16(&rd);
    struct yr_sync_session *s;

    if (rd.bad || route >= YR_ROOM_ROUTES_MAX)
        return YR_EPROTO;
    if ((s = by_route(link, route)) == NULL || !may_say(s, type)) {
        yr_sync_count(sync, YR_SYNC_N_ROUTE);
        return YR_OK;
    }
    switch (type) {
    case YR_FRAME_ROOM_HAVE: return yr_sync_on_have(sync, now, s, rd);
    case YR_FRAME_ROOM_ASK: return yr_sync_on_ask(sync, now, s, rd);
    case YR_FRAME_ROOM_VEC: return yr_sync_on_vec(sync, now, s, rd);
    case YR_FRAME_ROOM_WANT: return yr_sync_on_want(sync, now, s, rd);
    case YR_FRAME_ROOM_REC: return yr_sync_on_record(sync, now, s, rd, false);
    case YR_FRAME_ROOM_NEW: return yr_sync_on_record(sync, now, s, rd, true);
    case YR_FRAME_ROOM_GET: return yr_sync_on_get(sync, now, s, rd, false);
    case YR_FRAME_ROOM_GRAFT: return yr_sync_on_get(sync, now, s, rd, true);
    case YR_FRAME_ROOM_IHAVE: return yr_sync_on_ihave(sync, now, s, rd);
    case YR_FRAME_ROOM_PRUNE: return yr_sync_on_prune(sync, now, s, rd);
    case YR_FRAME_ROOM_PAGE: return yr_sync_on_page(sync, now, s, rd);
    case YR_FRAME_ROOM_IDS: return yr_sync_on_ids(sync, now, s, rd);
    default: return YR_OK;
    }
}

enum yr_err yr_room_sync_frame(struct yr_room_sync *sync, struct yr_now now, unsigned slot,
                               uint8_t type, const uint8_t *body, size_t len)
{
    struct yr_sync_link *link = slot < YR_FRIENDS_MAX ? sync->links[slot] : NULL;
    enum yr_err err;

    YR_ASSERT(sync->busy == 0);
    if (link == NULL || type < YR_FRAME_ROOM_TAGS || type > YR_FRAME_ROOM_IDS)
        return YR_OK; // of a later version
    enter(sync);
    if (type == YR_FRAME_ROOM_TAGS)
        err = yr_sync_on_tags(sync, now, link, yr_rd_init(body, len));
    else if (type == YR_FRAME_ROOM_OPEN)
        err = yr_sync_on_open(sync, now, link, yr_rd_init(body, len));
    else
        err = on_routed(sync, now, link, type, yr_rd_init(body, len));
    (void)settle(sync, now); // whoever was removed by this gets nothing more
    if (err == YR_OK)
        pump(sync, now, link);
    leave(sync, now);
    return err;
}

/* ---- what the owner says ---- */

void yr_room_sync_rooms(struct yr_room_sync *sync, struct yr_now now)
{
    enter(sync);
    map_rooms(sync);
    sync->rooms_due = true;
    yr_sync_wake(sync, now.mono_us);
    leave(sync, now);
}

void yr_room_sync_members(struct yr_room_sync *sync, struct yr_now now, size_t index)
{
    struct yr_sync_room *room = yr_sync_room_at(sync, index);

    if (room == NULL)
        return;
    enter(sync);
    room->judge_due = true;
    yr_sync_wake(sync, now.mono_us);
    leave(sync, now);
}

bool yr_room_sync_via(const struct yr_room_sync *sync, size_t index,
                      const uint8_t author[YR_MID_LEN], unsigned *slot)
{
    const struct yr_sync_room *room = yr_sync_room_at(sync, index);

    for (size_t i = 0; room != NULL && i < room->author_count; i++)
        if (memcmp(room->authors[i].mid, author, YR_MID_LEN) == 0 &&
            room->authors[i].via != YR_SYNC_NOBODY) {
            *slot = room->authors[i].via;
            return true;
        }
    return false;
}

/* ---- time ---- */

static void turn_link(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link)
{
    if (now.mono_us >= link->retry_us) {
        link->retry_us = YR_NEVER;
        link->full = false;
    }
    yr_sync_wake(sync, link->retry_us);
    pump(sync, now, link);
    for (size_t i = 0; i < link->count && !link->full; i++)
        if (yr_sync_member(link->sessions[i]))
            yr_sync_wake(sync, link->sessions[i]->tell_us);
}

enum yr_err yr_room_sync_tick(struct yr_room_sync *sync, struct yr_now now)
{
    const enum yr_err failed = sync->failed;

    if (now.mono_us < sync->due_us)
        return YR_OK;
    sync->failed = YR_OK;
    if (failed != YR_OK)
        return failed;
    enter(sync);
    sync->due_us = YR_NEVER;
    for (size_t i = 0; i < sync->room_count; i++) {
        yr_sync_push_turn(sync, now, sync->rooms[i]);
        yr_sync_pull_turn(sync, now, sync->rooms[i]);
    }
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (sync->links[slot] != NULL)
            turn_link(sync, now, sync->links[slot]);
    leave(sync, now);
    return YR_OK;
}

yr_us yr_room_sync_deadline(const struct yr_room_sync *sync)
{
    return sync->due_us;
}

/* ---- life ---- */

enum yr_err yr_room_sync_new(struct yr_room_sync **out, struct yr_mem *mem,
                             const struct yr_rng *rng, const struct yr_room_sync_ops *ops)
{
    struct yr_room_sync *sync = yr_alloc(mem, YR_MEM_ROOM, sizeof *sync);

    if (sync == NULL)
        return YR_ENOMEM;
    sync->mem = mem;
    sync->rng = rng;
    sync->ops = *ops;
    sync->due_us = YR_NEVER;
    *out = sync;
    return YR_OK;
}

void yr_room_sync_reset(struct yr_room_sync *sync)
{
    YR_ASSERT(sync->busy == 0);
    for (size_t i = 0; i < sync->room_count; i++)
        sync->rooms[i]->gone = true; // nobody is told: the owner forgets as well
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        free_link(sync, (struct yr_now){0, 0}, slot);
    free_gone_rooms(sync);
    yr_free(sync->mem, sync->spots);
    sync->spots = NULL;
    sync->spot_count = sync->spot_cap = 0;
    sync->failed = YR_OK;
    sync->due_us = YR_NEVER;
    yr_wipe(sync->frame, sizeof sync->frame);
    yr_wipe(sync->record, sizeof sync->record);
}

void yr_room_sync_free(struct yr_room_sync *sync)
{
    if (sync == NULL)
        return;
    yr_room_sync_reset(sync);
    yr_free(sync->mem, sync);
}

struct yr_counter yr_room_sync_counter(const struct yr_room_sync *sync, size_t i)
{
    if (i >= YR_SYNC_N_COUNT)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], sync->counters[i]};
}
