/* core/room/members.c: who is in a room, as people see it: names, presence, queries. */
#include "core/room/state.h"

#include <stdio.h>

#define ROW_VERSION   1
#define ROW_MAX       256
#define SEEN_STORE_MS 60000                     /* a row is not written anew for less */
#define RECENT_MS     600000                    /* heard of: online */
#define MATES_MAX     (4 * YR_ROOM_MEMBERS_MAX) /* those who were once, too */
#define SUBTREE_MAX   64                        /* steps up from who was added by whom */

/* ---- the table ---- */

static size_t place_of(const struct yr_room *room, const uint8_t mid[YR_MID_LEN])
{
    size_t low = 0, high = room->mate_count;

    while (low < high) {
        const size_t mid_way = low + (high - low) / 2;
        if (memcmp(room->mates[mid_way].mid, mid, YR_MID_LEN) < 0)
            low = mid_way + 1;
        else
            high = mid_way;
    }
    return low;
}

struct yr_mate *yr_room_mate(struct yr_room *room, const uint8_t mid[YR_MID_LEN])
{
    const size_t at = place_of(room, mid);

    return at < room->mate_count && memcmp(room->mates[at].mid, mid, YR_MID_LEN) == 0
               ? &room->mates[at]
               : NULL;
}

// Full of those who came, wrote and went: the one who was heard of first is forgotten.
static void forget_one(struct yr_rooms *rooms, struct yr_room *room)
{
    size_t oldest = room->mate_count;

    for (size_t i = 0; i < room->mate_count; i++)
        if (room->mates[i].rank == 0 &&
            (oldest == room->mate_count || room->mates[i].seen_ms < room->mates[oldest].seen_ms))
            oldest = i;
    if (oldest == room->mate_count)
        return;
    yr_rows_del(rooms->rows, YR_TABLE_ROOMMEMBER, room->id, YR_ROOM_ID_LEN, room->mates[oldest].mid,
                YR_MID_LEN);
    room->mate_count--;
    memmove(&room->mates[oldest], &room->mates[oldest + 1],
            (room->mate_count - oldest) * sizeof *room->mates);
}

enum yr_err yr_room_mate_add(struct yr_rooms *rooms, struct yr_room *room,
                             const uint8_t mid[YR_MID_LEN], struct yr_mate **out)
{
    struct yr_mate *mate = yr_room_mate(room, mid);
    enum yr_err err;
    size_t at;

    if (mate == NULL) {
        if (room->mate_count == MATES_MAX)
            forget_one(rooms, room);
        err = yr_room_grow(rooms, &room->mates, &room->mate_cap, room->mate_count,
                           sizeof *room->mates, MATES_MAX);
        if (err != YR_OK)
            return err;
        at = place_of(room, mid);
        mate = &room->mates[at];
        memmove(mate + 1, mate, (room->mate_count - at) * sizeof *mate);
        memset(mate, 0, sizeof *mate);
        memcpy(mate->mid, mid, YR_MID_LEN);
        mate->dirty = true;
        room->mates_dirty = true;
        room->mate_count++;
        rooms->version++;
    }
    *out = mate;
    return YR_OK;
}

/* ---- rows ---- */

static void store(struct yr_rooms *rooms, const struct yr_room *room, struct yr_mate *mate)
{
    uint8_t row[ROW_MAX];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u8(&wr, (uint8_t)(mate->wrote | mate->forked << 1 | mate->profiled << 2));
    yr_wr_u8(&wr, mate->rank);
    yr_wr_bytes(&wr, mate->adder, YR_MID_LEN);
    yr_wr_text16(&wr, mate->nick);
    yr_wr_u64(&wr, (uint64_t)mate->seen_ms);
    yr_wr_u64(&wr, mate->from_seq);
    yr_wr_u64(&wr, mate->delivered);
    yr_wr_u64(&wr, mate->read);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(rooms->rows, YR_TABLE_ROOMMEMBER, room->id, YR_ROOM_ID_LEN, mate->mid, YR_MID_LEN,
                row, yr_wr_len(&wr));
    mate->dirty = false;
    mate->seen_stored_ms = mate->seen_ms;
}

static enum yr_err decode(struct yr_mate *mate, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    const uint8_t version = yr_rd_u8(&rd), flags = yr_rd_u8(&rd);

    mate->wrote = (flags & 1) != 0;
    mate->forked = (flags & 2) != 0;
    mate->profiled = (flags & 4) != 0;
    mate->rank = yr_rd_u8(&rd);
    yr_rd_copy(&rd, mate->adder, YR_MID_LEN);
    yr_rd_text16(&rd, mate->nick, sizeof mate->nick);
    mate->seen_ms = mate->seen_stored_ms = (yr_ms)yr_rd_u64(&rd);
    mate->from_seq = yr_rd_u64(&rd);
    mate->delivered = yr_rd_u64(&rd);
    mate->read = yr_rd_u64(&rd);
    mate->dirty = false;
    return yr_rd_done(&rd) && version == ROW_VERSION ? YR_OK : YR_ECORRUPT;
}

enum yr_err yr_room_mates_load(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    struct yr_mate *mate;
    uint8_t row[ROW_MAX];
    enum yr_err err;

    for (;; how = YR_SEEK_GT) {
        err = yr_rows_seek(rooms->rows, YR_TABLE_ROOMMEMBER, room->id, YR_ROOM_ID_LEN, how, &at,
                           row, sizeof row);
        if (err != YR_OK)
            break;
        if (at.suffix_len != YR_MID_LEN)
            return YR_ECORRUPT;
        if ((err = yr_room_mate_add(rooms, room, at.suffix, &mate)) != YR_OK ||
            (err = decode(mate, row, at.value_len)) != YR_OK)
            return err;
        if (mate->rank > 0)
            room->member_count++;
    }
    room->mates_dirty = false;
    return err == YR_ENOENT ? YR_OK : err;
}

void yr_room_mates_flush(struct yr_rooms *rooms, struct yr_room *room)
{
    for (size_t i = 0; i < room->mate_count; i++)
        if (room->mates[i].dirty)
            store(rooms, room, &room->mates[i]);
    room->mates_dirty = false;
}

/* ---- what is heard of them ---- */

void yr_mate_heard(struct yr_rooms *rooms, struct yr_room *room, struct yr_mate *mate, uint64_t hlc)
{
    const yr_ms said_ms = yr_hlc_time(hlc);

    if (said_ms <= mate->seen_ms || said_ms > rooms->now.wall_ms + YR_CLOCK_SKEW_MS)
        return;
    mate->seen_ms = YR_MIN(said_ms, rooms->now.wall_ms);
    if (mate->seen_ms > mate->seen_stored_ms + SEEN_STORE_MS)
        mate->dirty = room->mates_dirty = true;
}

enum yr_err yr_room_forked(struct yr_rooms *rooms, struct yr_room *room,
                           const uint8_t mid[YR_MID_LEN])
{
    struct yr_mate *mate = yr_room_mate(room, mid);
    char label[YR_ROOM_LABEL_MAX];

    if (mate == NULL || mate->forked)
        return YR_OK;
    mate->forked = mate->dirty = room->mates_dirty = true;
    yr_mate_changed(rooms, room, mid, false);
    if (memcmp(mid, room->self, YR_MID_LEN) == 0)
        return yr_room_note(rooms, room, "another copy of you has written here");
    yr_room_label(rooms, room, mid, label);
    return yr_room_note(rooms, room, "%s has signed two histories", label);
}

enum yr_err yr_room_seen(struct yr_rooms *rooms, struct yr_room *room,
                         const struct yr_room_record *record, const struct yr_room_entry *entry)
{
    struct yr_mate *mate;
    enum yr_err err = yr_room_mate_add(rooms, room, record->author, &mate);

    if (err != YR_OK)
        return err == YR_EFULL ? YR_OK : err;
    mate->wrote |= record->class == YR_CLASS_MESSAGE;
    yr_mate_heard(rooms, room, mate, record->hlc);
    return entry->forked ? yr_room_forked(rooms, room, record->author) : YR_OK;
}

enum yr_err yr_room_profile(struct yr_rooms *rooms, struct yr_room *room,
                            const struct yr_room_record *record, const struct yr_room_body *body)
{
    struct yr_mate *mate;
    enum yr_err err = yr_room_mate_add(rooms, room, record->author, &mate);

    if (err != YR_OK || body->text_len > YR_NICK_MAX)
        return err == YR_EFULL ? YR_OK : err;
    mate->profiled = true;
    mate->dirty = room->mates_dirty = true;
    if (strlen(mate->nick) == body->text_len && memcmp(mate->nick, body->text, body->text_len) == 0)
        return YR_OK;
    yr_copy(mate->nick, body->text, body->text_len);
    mate->nick[body->text_len] = '\0';
    yr_mate_changed(rooms, room, record->author, false);
    return YR_OK;
}

/* ---- names ---- */

// The friend who is this member.
static bool friend_of(struct yr_rooms *rooms, struct yr_room *room, const uint8_t mid[YR_MID_LEN],
                      struct yr_rooms_friend *out)
{
    const struct yr_guest *guest = yr_room_guest_of(room, mid);
    unsigned slot;

    return guest != NULL && rooms->ops.slot_of(rooms->ops.ctx, guest->id, &slot) &&
           rooms->ops.friend_at(rooms->ops.ctx, slot, out);
}

void yr_room_label(struct yr_rooms *rooms, struct yr_room *room, const uint8_t mid[YR_MID_LEN],
                   char out[YR_ROOM_LABEL_MAX])
{
    const struct yr_mate *mate = yr_room_mate(room, mid);
    struct yr_rooms_friend friend;
    char text[YR_BASE32_LEN(YR_MID_LEN) + 1];

    if (memcmp(mid, room->self, YR_MID_LEN) == 0) {
        snprintf(out, YR_ROOM_LABEL_MAX, "you");
    } else if (friend_of(rooms, room, mid, &friend)) {
        snprintf(out, YR_ROOM_LABEL_MAX, "%s", friend.name);
    } else if (mate != NULL && mate->nick[0] != '\0') {
        snprintf(out, YR_ROOM_LABEL_MAX, "~%s", mate->nick);
    } else {
        yr_base32_encode(text, mid, YR_MID_LEN);
        snprintf(out, YR_ROOM_LABEL_MAX, "~%.8s", text);
    }
}

enum yr_err yr_room_who(struct yr_room *room, const uint8_t who[YR_ID_LEN], uint8_t mid[YR_MID_LEN])
{
    static const uint8_t zero[YR_ID_LEN - YR_MID_LEN];
    const bool is_mid = memcmp(who + YR_MID_LEN, zero, sizeof zero) == 0;
    const struct yr_guest *guest = is_mid ? NULL : yr_room_guest(room, who);
    const struct yr_mate *mate;

    if (!is_mid && (guest == NULL || !guest->known))
        return YR_ENOENT;
    mate = yr_room_mate(room, is_mid ? who : guest->mid);
    if (mate == NULL || mate->rank == 0)
        return YR_ENOENT;
    memcpy(mid, mate->mid, YR_MID_LEN);
    return YR_OK;
}

/* ---- queries ---- */

uint64_t yr_rooms_version(const struct yr_rooms *rooms)
{
    return rooms->version;
}

static bool heard_lately(const struct yr_rooms *rooms, const struct yr_mate *mate)
{
    return mate->seen_ms != 0 && rooms->now.wall_ms - mate->seen_ms < RECENT_MS;
}

// *friend is set to him who the member is, or its id to NULL.
static bool is_online(struct yr_rooms *rooms, struct yr_room *room, const struct yr_mate *mate,
                      struct yr_rooms_friend *friend)
{
    friend->id = NULL;
    if (memcmp(mate->mid, room->self, YR_MID_LEN) == 0)
        return true;
    return friend_of(rooms, room, mate->mid, friend) ? friend->online : heard_lately(rooms, mate);
}

// The friend over whom a member who is none is reached: him who brings its records or, as long as
// there were none, him in whose part of the tree of additions it stands.
static bool reached(struct yr_rooms *rooms, struct yr_room *room, const struct yr_mate *mate,
                    struct yr_rooms_friend *out)
{
    unsigned slot;

    for (size_t i = 0; i < rooms->synced_count; i++)
        if (rooms->synced[i] == room && yr_room_sync_via(rooms->sync, i, mate->mid, &slot) &&
            rooms->ops.friend_at(rooms->ops.ctx, slot, out))
            return true;
    for (unsigned steps = 0; mate != NULL && steps < SUBTREE_MAX; steps++) {
        if (friend_of(rooms, room, mate->adder, out))
            return true;
        mate = yr_room_mate(room, mate->adder);
    }
    return false;
}

static void member_info(struct yr_rooms *rooms, struct yr_room *room, const struct yr_mate *mate,
                        struct yr_member_info *out)
{
    struct yr_rooms_friend friend;

    memset(out, 0, sizeof *out);
    memcpy(out->mid, mate->mid, YR_MID_LEN);
    memcpy(out->nick, mate->nick, sizeof out->nick);
    out->rank = mate->rank;
    out->self = memcmp(mate->mid, room->self, YR_MID_LEN) == 0;
    out->forked = mate->forked;
    out->seen_ms = mate->seen_ms;
    out->online = is_online(rooms, room, mate, &friend);
    if (out->self) {
        snprintf(out->nick, sizeof out->nick, "%s", rooms->ops.nick(rooms->ops.ctx));
        out->seen_ms = rooms->now.wall_ms;
    } else if (friend.id != NULL) {
        out->friend = true;
        memcpy(out->friend_id, friend.id, YR_ID_LEN);
    } else if (reached(rooms, room, mate, &friend)) {
        out->reached = true;
        memcpy(out->via, friend.id, YR_ID_LEN);
    }
}

static void room_info(struct yr_rooms *rooms, struct yr_room *room, struct yr_room_info *out)
{
    struct yr_rooms_friend friend;
    const struct yr_mate *self = yr_room_mate(room, room->self);

    memset(out, 0, sizeof *out);
    memcpy(out->id, room->id, YR_ROOM_ID_LEN);
    out->state = room->state;
    snprintf(out->name, sizeof out->name, "%s", room->name);
    snprintf(out->topic, sizeof out->topic, "%s", room->topic);
    if (room->inviter_count > 0)
        memcpy(out->inviter, room->inviters[0].id, YR_ID_LEN);
    out->mentions_only = room->mentions_only;
    out->created_ms = room->created_ms;
    out->muted_until_ms = room->muted_until_ms;
    if (room->state == YR_ROOM_INVITED) {
        out->members = room->invited_members;
        return;
    }
    memcpy(out->self, room->self, YR_MID_LEN);
    out->rank = self != NULL && room->state != YR_ROOM_GONE ? self->rank : 0;
    out->members = room->member_count;
    if (room->log == NULL || room->state == YR_ROOM_GONE)
        return;
    out->hist_days = yr_room_log_create(room->log)->hist_days;
    out->waiting = yr_room_log_held(room->log);
    for (size_t i = 0; i < room->mate_count; i++) {
        const struct yr_mate *mate = &room->mates[i];
        if (mate->rank > 0)
            out->online += is_online(rooms, room, mate, &friend);
    }
}

bool yr_rooms_at(struct yr_rooms *rooms, struct yr_now now, size_t i, struct yr_room_info *out)
{
    rooms->now = now;
    for (size_t k = 0; k < rooms->count; k++) {
        if (rooms->list[k]->forgotten || i-- > 0)
            continue;
        room_info(rooms, rooms->list[k], out);
        return true;
    }
    return false;
}

enum yr_err yr_rooms_info(struct yr_rooms *rooms, struct yr_now now,
                          const uint8_t id[YR_ROOM_ID_LEN], struct yr_room_info *out)
{
    struct yr_room *room = yr_rooms_find(rooms, id);

    rooms->now = now;
    if (room == NULL || room->forgotten)
        return YR_ENOENT;
    room_info(rooms, room, out);
    return YR_OK;
}

// By rank, then mid; qsort has no context, so that is where it lies.
struct shown {
    uint8_t rank;
    uint16_t at;
};

static int by_rank(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at); // the table is by mid
}

static bool sort(struct yr_rooms *rooms, struct yr_room *room, size_t *count)
{
    struct shown *shown = yr_alloc(rooms->mem, YR_MEM_ROOM, (room->mate_count + 1) * sizeof *shown);
    uint16_t *sorted =
        yr_realloc(rooms->mem, YR_MEM_ROOM, room->sorted, (room->mate_count + 1) * sizeof *sorted);

    if (sorted != NULL)
        room->sorted = sorted;
    if (shown == NULL || sorted == NULL) {
        yr_free(rooms->mem, shown);
        return false;
    }
    *count = 0;
    for (size_t i = 0; i < room->mate_count; i++)
        if (room->mates[i].rank > 0 || room->mates[i].wrote)
            shown[(*count)++] = (struct shown){room->mates[i].rank, (uint16_t)i};
    qsort(shown, *count, sizeof *shown, by_rank);
    for (size_t i = 0; i < *count; i++)
        sorted[i] = shown[i].at;
    yr_free(rooms->mem, shown);
    return true;
}

bool yr_rooms_member_at(struct yr_rooms *rooms, struct yr_now now, const uint8_t id[YR_ROOM_ID_LEN],
                        size_t i, struct yr_member_info *out)
{
    struct yr_room *room = yr_rooms_find(rooms, id);

    rooms->now = now;
    if (room == NULL || room->forgotten)
        return false;
    if (room->sorted == NULL || room->sorted_version != rooms->version) {
        if (!sort(rooms, room, &room->sorted_count))
            return false;
        room->sorted_version = rooms->version;
    }
    if (i >= room->sorted_count)
        return false;
    member_info(rooms, room, &room->mates[room->sorted[i]], out);
    return true;
}

enum yr_err yr_rooms_member(struct yr_rooms *rooms, struct yr_now now,
                            const uint8_t id[YR_ROOM_ID_LEN], const uint8_t mid[YR_MID_LEN],
                            struct yr_member_info *out)
{
    struct yr_room *room = yr_rooms_find(rooms, id);
    const struct yr_mate *mate = room != NULL ? yr_room_mate(room, mid) : NULL;

    rooms->now = now;
    if (mate == NULL)
        return YR_ENOENT;
    member_info(rooms, room, mate, out);
    return YR_OK;
}
