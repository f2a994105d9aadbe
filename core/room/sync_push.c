#include "core/room/sync_state.h"

#define REGET_MIN_US YR_S
#define RIVAL_MAX    3 /* records a rival brings alone until he is the one */

/* ---- authors and their trees ---- */

// The author's place in the table, made if there is room; YR_SYNC_AUTHORS: there is none.
static size_t author_of(struct yr_room_sync *sync, struct yr_sync_room *room,
                        const uint8_t mid[YR_MID_LEN], bool make)
{
    const size_t cap = room->author_cap == 0 ? 16 : 2 * room->author_cap;
    struct yr_sync_author *authors;

    for (size_t i = 0; i < room->author_count; i++)
        if (memcmp(room->authors[i].mid, mid, YR_MID_LEN) == 0)
            return i;
    if (!make || room->author_count == YR_SYNC_AUTHORS)
        return YR_SYNC_AUTHORS;
    if (room->author_count == room->author_cap) {
        authors = yr_realloc(sync->mem, YR_MEM_ROOM, room->authors, cap * sizeof *authors);
        if (authors == NULL) {
            yr_sync_fail(sync, YR_ENOMEM);
            return YR_SYNC_AUTHORS;
        }
        room->authors = authors;
        room->author_cap = cap;
    }
    memcpy(room->authors[room->author_count].mid, mid, YR_MID_LEN);
    room->authors[room->author_count].via = YR_SYNC_NOBODY;
    room->authors[room->author_count].rival = YR_SYNC_NOBODY;
    return room->author_count++;
}

static bool has_bit(const uint8_t *bits, size_t author)
{
    return author < YR_SYNC_AUTHORS && (bits[author / 8] >> (author % 8) & 1) != 0;
}

static void set_bit(uint8_t *bits, size_t author, bool on)
{
    const uint8_t bit = (uint8_t)(1u << (author % 8));

    if (author < YR_SYNC_AUTHORS)
        bits[author / 8] = (uint8_t)(on ? bits[author / 8] | bit : bits[author / 8] & ~bit);
}

void yr_sync_eager(struct yr_room_sync *sync, struct yr_sync_session *s,
                   const uint8_t author[YR_MID_LEN])
{
    set_bit(s->lazy, author_of(sync, s->room, author, false), false);
}

void yr_sync_push_drop(struct yr_sync_session *s)
{
    struct yr_sync_room *room = s->room;

    memset(s->lazy, 0, sizeof s->lazy);
    memset(s->refused, 0, sizeof s->refused);
    for (size_t i = 0; i < room->author_count; i++) {
        if (room->authors[i].via == s->link->slot)
            room->authors[i].via = YR_SYNC_NOBODY;
        if (room->authors[i].rival == s->link->slot)
            room->authors[i].rival = YR_SYNC_NOBODY;
    }
}

enum yr_err yr_sync_on_prune(struct yr_room_sync *sync, struct yr_now now,
                             struct yr_sync_session *s, struct yr_rd rd)
{
    struct yr_room_view view;

    if (!yr_sync_ids_ok(&rd, YR_ROOM_TELL_MAX))
        return YR_EPROTO;
    if (!yr_sync_spend(sync, now, s->link, yr_rd_left(&rd) / YR_MID_LEN) ||
        !yr_sync_view(sync, s->room, &view))
        return YR_OK;
    while (yr_rd_left(&rd) > 0) {
        const uint8_t *mid = yr_rd_bytes(&rd, YR_MID_LEN);
        const bool member = yr_authority_rank(yr_room_log_authority(view.log), mid) > 0;

        set_bit(s->lazy, author_of(sync, s->room, mid, member), true);
    }
    return YR_OK;
}

// A new neighbour need not push what reaches us already.
static bool send_prunes(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    const struct yr_sync_room *room = s->room;
    struct yr_wr wr = yr_sync_begin(sync, s);
    size_t refused[YR_ROOM_TELL_MAX], count = 0;

    for (size_t i = room->author_count; i-- > 0 && count < YR_ROOM_TELL_MAX;)
        if (room->authors[i].via != YR_SYNC_NOBODY && room->authors[i].via != s->link->slot &&
            memcmp(room->authors[i].mid, s->mid, YR_MID_LEN) != 0) { // his own come straight
            yr_wr_bytes(&wr, room->authors[i].mid, YR_MID_LEN);
            refused[count++] = i;
        }
    if (count > 0 && !yr_sync_end(sync, now, s->link, YR_FRAME_ROOM_PRUNE, &wr))
        return false;
    for (size_t i = 0; i < count; i++)
        set_bit(s->refused, refused[i], true);
    s->prune_due = false;
    return count > 0;
}

/* ---- announcements to others ---- */

bool yr_sync_push_due(const struct yr_sync_session *s, struct yr_now now)
{
    return s->prune_due || s->tell_count == YR_ROOM_TELL_MAX ||
           (s->tell_count > 0 && now.mono_us >= s->tell_us);
}

static bool send_tell(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    struct yr_wr wr = yr_sync_begin(sync, s);

    yr_wr_bytes(&wr, s->tell, s->tell_count * YR_SYNC_ID);
    if (!yr_sync_end(sync, now, s->link, YR_FRAME_ROOM_IHAVE, &wr))
        return false;
    s->tell_count = 0;
    s->tell_us = YR_NEVER;
    return true;
}

bool yr_sync_push_step(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    if (!yr_sync_member(s) || !yr_sync_push_due(s, now))
        return false;
    if (s->prune_due && send_prunes(sync, now, s))
        return true;
    return s->tell_count > 0 && now.mono_us >= s->tell_us && send_tell(sync, now, s);
}

static void tell(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                 const uint8_t id[YR_REC_ID_LEN])
{
    if (s->tell_count == YR_ROOM_TELL_MAX && !send_tell(sync, now, s)) {
        yr_sync_count(sync, YR_SYNC_N_FULL);
        s->behind = true;
        return;
    }
    if (s->tell_count == 0)
        s->tell_us = now.mono_us + YR_ROOM_TELL_MS * YR_MS;
    memcpy(s->tell[s->tell_count++], id, YR_SYNC_ID);
    yr_sync_wake(sync, s->tell_us);
}

// He has it himself.
static void untell(struct yr_sync_session *s, const uint8_t id[YR_SYNC_ID])
{
    for (size_t i = 0; i < s->tell_count; i++)
        if (memcmp(s->tell[i], id, YR_SYNC_ID) == 0) {
            memmove(s->tell[i], s->tell[i + 1], (s->tell_count - i - 1) * YR_SYNC_ID);
            if (--s->tell_count == 0)
                s->tell_us = YR_NEVER;
            return;
        }
}

/* ---- announcements of others ---- */

static struct yr_sync_heard *heard_of(struct yr_sync_room *room, const uint8_t id[YR_SYNC_ID])
{
    for (size_t i = 0; i < room->heard_count; i++)
        if (memcmp(room->heard[i].id, id, YR_SYNC_ID) == 0)
            return &room->heard[i];
    return NULL;
}

static void forget_heard(struct yr_sync_room *room, struct yr_sync_heard *heard)
{
    if (heard != NULL)
        *heard = room->heard[--room->heard_count];
}

static bool told_by(const struct yr_sync_heard *heard, unsigned slot)
{
    for (size_t i = 0; heard != NULL && i < heard->count; i++)
        if (heard->slots[i] == slot)
            return true;
    return false;
}

// Was this friend asked for it?
static bool was_grafted(const struct yr_sync_heard *heard, unsigned slot)
{
    for (size_t i = 0; heard != NULL && i < heard->tried; i++)
        if (heard->slots[i] == slot)
            return true;
    return false;
}

static bool was_seen(const struct yr_sync_room *room, const uint8_t id[YR_SYNC_ID])
{
    for (size_t i = 0; i < YR_ROOM_SEEN_MAX; i++)
        if (memcmp(room->seen[i], id, YR_SYNC_ID) == 0)
            return true;
    return false;
}

static void see(struct yr_sync_room *room, const uint8_t id[YR_SYNC_ID])
{
    if (!was_seen(room, id))
        memcpy(room->seen[room->seen_at++ % YR_ROOM_SEEN_MAX], id, YR_SYNC_ID);
}

static void hear(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                 const uint8_t id[YR_SYNC_ID])
{
    struct yr_sync_room *room = s->room;
    struct yr_sync_heard *heard = heard_of(room, id);
    size_t his = 0;

    if (heard != NULL) {
        if (heard->count < YR_SYNC_TELLERS && !told_by(heard, s->link->slot))
            heard->slots[heard->count++] = s->link->slot;
        return;
    }
    for (size_t i = 0; i < room->heard_count; i++)
        his += room->heard[i].slots[0] == s->link->slot;
    if (his == YR_ROOM_HEARD_EACH || room->heard_count == YR_ROOM_HEARD_MAX)
        return; // found when logs are compared
    heard = &room->heard[room->heard_count++];
    memset(heard, 0, sizeof *heard);
    memcpy(heard->id, id, YR_SYNC_ID);
    heard->slots[heard->count++] = s->link->slot;
    heard->due_us = now.mono_us + YR_ROOM_GRAFT_MS * YR_MS;
    yr_sync_wake(sync, heard->due_us);
}

enum yr_err yr_sync_on_ihave(struct yr_room_sync *sync, struct yr_now now,
                             struct yr_sync_session *s, struct yr_rd rd)
{
    struct yr_room_view view;
    struct yr_room_entry entry;
    size_t len;

    if (!yr_sync_ids_ok(&rd, YR_ROOM_TELL_MAX))
        return YR_EPROTO;
    if (!yr_sync_spend(sync, now, s->link, yr_rd_left(&rd) / YR_SYNC_ID) ||
        !yr_sync_view(sync, s->room, &view))
        return YR_OK;
    while (yr_rd_left(&rd) > 0) {
        const uint8_t *id = yr_rd_bytes(&rd, YR_SYNC_ID);

        untell(s, id);
        if (!was_seen(s->room, id) && !yr_sync_has(sync, view.log, id, &len, &entry))
            hear(sync, now, s, id);
    }
    return YR_OK;
}

static bool send_id(struct yr_room_sync *sync, struct yr_now now, const struct yr_sync_session *s,
                    uint8_t type, const uint8_t id[YR_SYNC_ID])
{
    struct yr_wr wr = yr_sync_begin(sync, s);

    yr_wr_bytes(&wr, id, YR_SYNC_ID);
    return yr_sync_end(sync, now, s->link, type, &wr);
}

static bool may_be_asked(const struct yr_sync_session *s)
{
    return s != NULL && yr_sync_open(s) &&
           (s->standing == YR_STANDING_MEMBER || s->standing == YR_STANDING_UNKNOWN);
}

// Nobody sent it: ask those who announced it, one after the other.  False: all were asked.
static bool graft(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room,
                  struct yr_sync_heard *heard)
{
    while (heard->tried < heard->count) {
        const struct yr_sync_session *s = yr_sync_find(sync, room, heard->slots[heard->tried++]);

        if (may_be_asked(s) && send_id(sync, now, s, YR_FRAME_ROOM_GRAFT, heard->id)) {
            yr_sync_count(sync, YR_SYNC_N_GRAFT);
            heard->due_us = now.mono_us + YR_ROOM_REGRAFT_MS * YR_MS;
            return true;
        }
    }
    return false;
}

static void turn_heard(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room)
{
    for (size_t i = 0; i < room->heard_count;) {
        struct yr_sync_heard *heard = &room->heard[i];

        if (now.mono_us >= heard->due_us && !graft(sync, now, room, heard))
            forget_heard(room, heard);
        else {
            yr_sync_wake(sync, heard->due_us);
            i++;
        }
    }
}

/* ---- missing ancestors ---- */

static struct yr_sync_lost *lost_of(struct yr_sync_room *room, const uint8_t id[YR_SYNC_ID])
{
    for (size_t i = 0; i < room->lost_count; i++)
        if (memcmp(room->lost[i].id, id, YR_SYNC_ID) == 0)
            return &room->lost[i];
    return NULL;
}

// Keep of what was asked for only what is still missing, and add the rest.
static void take_missing(struct yr_sync_room *room, struct yr_now now, uint8_t (*ids)[YR_SYNC_ID],
                         const unsigned *slots, size_t count)
{
    struct yr_sync_lost lost[YR_ROOM_LOST_MAX];

    for (size_t i = 0; i < count; i++) {
        const struct yr_sync_lost *had = lost_of(room, ids[i]);

        if (had != NULL)
            lost[i] = *had;
        else {
            memcpy(lost[i].id, ids[i], YR_SYNC_ID);
            lost[i].slot = slots[i];
            lost[i].tries = 0;
            lost[i].due_us = now.mono_us;
        }
    }
    yr_copy(room->lost, lost, count * sizeof *lost);
    room->lost_count = count;
}

// First who sent what waits for it, then the others in turn.
static const struct yr_sync_session *next_asked(const struct yr_room_sync *sync,
                                                const struct yr_sync_room *room,
                                                const struct yr_sync_lost *lost)
{
    const unsigned start = lost->slot < YR_FRIENDS_MAX ? lost->slot : 0;

    for (unsigned i = lost->tries > 0; i <= YR_FRIENDS_MAX; i++) {
        const struct yr_sync_session *s = yr_sync_find(sync, room, (start + i) % YR_FRIENDS_MAX);

        if (may_be_asked(s))
            return s;
    }
    return NULL;
}

static void ask_lost(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room,
                     struct yr_sync_lost *lost)
{
    const struct yr_sync_session *s = next_asked(sync, room, lost);

    if (s != NULL && send_id(sync, now, s, YR_FRAME_ROOM_GET, lost->id)) {
        yr_sync_count(sync, YR_SYNC_N_MISSING);
        lost->slot = s->link->slot;
    }
    lost->due_us = now.mono_us + YR_MAX(yr_backoff(lost->tries), REGET_MIN_US);
    lost->tries++;
}

static void turn_lost(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room)
{
    uint8_t ids[YR_ROOM_LOST_MAX][YR_SYNC_ID];
    unsigned slots[YR_ROOM_LOST_MAX];
    struct yr_room_view view;
    size_t count;

    if (now.mono_us >= room->lost_us) {
        room->lost_us = YR_NEVER;
        if (!yr_sync_view(sync, room, &view))
            return;
        count = yr_room_log_missing(view.log, ids, slots, YR_ROOM_LOST_MAX);
        take_missing(room, now, ids, slots, count);
        if (room->pull != NULL && count > 0) // they may be among what is coming
            room->lost_us = now.mono_us + YR_ROOM_REGRAFT_MS * YR_MS;
        for (size_t i = 0; i < count && room->pull == NULL; i++) {
            if (now.mono_us >= room->lost[i].due_us)
                ask_lost(sync, now, room, &room->lost[i]);
            room->lost_us = YR_MIN(room->lost_us, room->lost[i].due_us);
        }
    }
    yr_sync_wake(sync, room->lost_us);
}

/* ---- when all is quiet ---- */

static void turn_quiet(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room)
{
    if (now.mono_us < room->quiet_us) {
        yr_sync_wake(sync, room->quiet_us);
        return;
    }
    room->quiet_us = YR_NEVER;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_sync_session *s = yr_sync_find(sync, room, slot);

        if (s == NULL)
            continue;
        s->have_due = true;
        if (s->late_at > 0) // what did not go then may go now
            yr_sync_pull_want(sync, s, now.mono_us);
    }
}

void yr_sync_push_turn(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room)
{
    if (room->gone)
        return;
    turn_heard(sync, now, room);
    turn_lost(sync, now, room);
    turn_quiet(sync, now, room);
}

static void active(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room)
{
    uint8_t jitter; // so that one of two speaks first, and the other need not

    yr_random(sync->rng, &jitter, 1);
    room->quiet_us = now.mono_us + YR_ROOM_QUIET_S * YR_S + jitter * (4 * YR_S / 256);
    yr_sync_wake(sync, room->quiet_us);
}

/* ---- records ---- */

static void push(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                 const struct yr_room_record *record)
{
    struct yr_wr wr = yr_sync_begin(sync, s);

    yr_wr_bytes(&wr, record->src, record->signed_len + YR_SIG_LEN);
    if (yr_sync_end(sync, now, s->link, YR_FRAME_ROOM_NEW, &wr)) {
        yr_sync_count(sync, YR_SYNC_N_PUSHED);
        return;
    }
    yr_sync_count(sync, YR_SYNC_N_FULL);
    s->behind = true;
}

// Has he been removed by what came just now, and not been judged yet?
static bool is_removed(struct yr_room_sync *sync, const struct yr_sync_session *s)
{
    struct yr_room_view view;

    return s->room->judge_due && yr_sync_view(sync, s->room, &view) &&
           yr_authority_rank(yr_room_log_authority(view.log), s->mid) == 0;
}

void yr_room_sync_spread(struct yr_room_sync *sync, struct yr_now now, size_t index,
                         const struct yr_room_record *record, unsigned from)
{
    struct yr_sync_room *room = yr_sync_room_at(sync, index);
    struct yr_sync_heard *heard;
    size_t author;

    if (room == NULL)
        return;
    if (from == YR_ROOM_OWN)
        yr_sync_wake(sync, now.mono_us); // who has asked for it waits
    author = author_of(sync, room, record->author, true);
    heard = heard_of(room, record->id);
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_sync_session *s = yr_sync_find(sync, room, slot);

        if (s != NULL && from == YR_ROOM_OWN && record->class == YR_CLASS_CONTROL)
            yr_sync_tell_again(sync, s);
        if (s == NULL || slot == from || !yr_sync_member(s) || told_by(heard, slot) ||
            is_removed(sync, s))
            continue;
        if (sync->pulled || s->behind || s->serving || s->ask_count > 0) {
            s->behind = true; // logs will be compared
            yr_sync_wake(sync, now.mono_us);
        } else if (has_bit(s->lazy, author))
            tell(sync, now, s, record->id);
        else
            push(sync, now, s, record);
    }
    forget_heard(room, heard);
    active(sync, now, room);
}

// Ask him to announce this author's records only.
static void refuse(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                   const uint8_t author[YR_MID_LEN])
{
    if (!may_be_asked(s) || !send_id(sync, now, s, YR_FRAME_ROOM_PRUNE, author))
        return;
    set_bit(s->refused, author_of(sync, s->room, author, false), true);
    yr_sync_count(sync, YR_SYNC_N_PRUNE);
}

static void choose(struct yr_sync_session *s, size_t author)
{
    struct yr_sync_author *a = &s->room->authors[author];

    a->via = s->link->slot;
    a->rival = YR_SYNC_NOBODY;
    set_bit(s->refused, author, false);
}

// Who brought an author's record first is the one whose copies we want; others need only announce.
// He stays the one: two who overtake each other would else be refused both, each for the other.
static void came_first(struct yr_room_sync *sync, struct yr_sync_session *s,
                       const uint8_t author[YR_MID_LEN], bool grafted)
{
    const unsigned slot = s->link->slot;
    const size_t i = author_of(sync, s->room, author, true);
    struct yr_sync_author *a;

    if (i == YR_SYNC_AUTHORS)
        return;
    a = &s->room->authors[i];
    if (grafted || a->via == YR_SYNC_NOBODY) {
        choose(s, i);
    } else if (a->via == slot) {
        a->rival = YR_SYNC_NOBODY;
    } else if (!has_bit(s->refused, i)) { // else it left before he heard of that
        a->rival_count = a->rival == slot ? a->rival_count + 1 : 1;
        a->rival = slot;
        if (a->rival_count == RIVAL_MAX)
            choose(s, i);
    }
}

static void came_again(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                       const uint8_t author[YR_MID_LEN])
{
    struct yr_sync_room *room = s->room;
    const bool own = room->has_self && memcmp(room->self, author, YR_MID_LEN) == 0;
    const size_t i = author_of(sync, room, author, !own);
    struct yr_sync_author *a;

    yr_sync_count(sync, YR_SYNC_N_DUPLICATE);
    if (own) {
        refuse(sync, now, s, author);
        return;
    }
    if (i == YR_SYNC_AUTHORS)
        return;
    a = &room->authors[i];
    if (a->via == YR_SYNC_NOBODY) {
        choose(s, i);
    } else if (a->via != s->link->slot) {
        refuse(sync, now, s, author);
    } else if (a->rival != YR_SYNC_NOBODY) { // the one has it as well: he goes on to be
        struct yr_sync_session *rival = yr_sync_find(sync, room, a->rival);
        a->rival = YR_SYNC_NOBODY;
        if (rival != NULL)
            refuse(sync, now, rival, author);
    }
}

// Whoever was never added takes no place in the table from those who were.
static bool is_author(struct yr_room_sync *sync, const struct yr_sync_room *room,
                      const uint8_t mid[YR_MID_LEN])
{
    struct yr_room_view view;

    return yr_sync_view(sync, room, &view) && yr_room_log_keys(view.log, mid, NULL, NULL);
}

static void judge_record(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                         const uint8_t id[YR_SYNC_ID], const uint8_t author[YR_MID_LEN],
                         bool pushed, bool before, bool grafted, enum yr_put what)
{
    switch (what) {
    case YR_PUT_HELD:
        s->room->lost_us = YR_MIN(s->room->lost_us, now.mono_us + YR_ROOM_GRAFT_MS * YR_MS);
        yr_sync_wake(sync, s->room->lost_us);
        see(s->room, id);
        pushed = pushed && is_author(sync, s->room, author);
        if (pushed && before)
            came_again(sync, now, s, author);
        else if (pushed)
            came_first(sync, s, author, grafted);
        return;
    case YR_PUT_NEW:
        if (pushed)
            came_first(sync, s, author, grafted);
        return;
    case YR_PUT_KNOWN:
        if (pushed)
            came_again(sync, now, s, author);
        else
            yr_sync_count(sync, YR_SYNC_N_TWICE);
        return;
    case YR_PUT_OLDER:
    case YR_PUT_REFUSED:
    case YR_PUT_LATE: see(s->room, id); return;
    }
}

enum yr_err yr_sync_on_record(struct yr_room_sync *sync, struct yr_now now,
                              struct yr_sync_session *s, struct yr_rd rd, bool pushed)
{
    struct yr_sync_room *room = s->room;
    const unsigned slot = s->link->slot;
    const uint8_t *bytes = rd.at;
    const size_t len = yr_rd_left(&rd);
    enum yr_put what = YR_PUT_REFUSED;
    struct yr_room_record record;
    uint8_t id[YR_SYNC_ID], author[YR_MID_LEN];
    bool forged = false, before, grafted;
    enum yr_err err = yr_room_record_decode(&record, bytes, len);

    if (err == YR_EVERSION)
        return YR_OK;
    if (err != YR_OK || memcmp(record.room_id, room->id, YR_ROOM_ID_LEN) != 0)
        return YR_EPROTO;
    yr_sync_count(sync, YR_SYNC_N_RECEIVED);
    memcpy(id, record.id, sizeof id); // `bytes` and all that is lent from them may go
    memcpy(author, record.author, sizeof author);
    before = was_seen(room, id);
    grafted = was_grafted(heard_of(room, id), slot);
    if (!yr_sync_spend(sync, now, s->link, 1)) { // too many that we could not use
        yr_sync_pull_lost(s);
        yr_sync_pull_want(sync, s, now.mono_us + YR_S);
        return YR_OK;
    }
    sync->pulled = !pushed && lost_of(room, id) == NULL;
    err = sync->ops.record(sync->ops.ctx, now, room->index, slot, bytes, len, &what, &forged);
    sync->pulled = false;
    if (err != YR_OK)
        return err;
    if (forged)
        return YR_EPROTO;
    if (what == YR_PUT_NEW)
        yr_sync_refund(s->link, 1);
    forget_heard(room, heard_of(room, id));
    if (!pushed)
        yr_sync_pull_heard(s, now, what == YR_PUT_NEW);
    judge_record(sync, now, s, id, author, pushed, before, grafted, what);
    return YR_OK;
}
