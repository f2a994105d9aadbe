/* core/room/says.c: content: what we say, what others say, what waits until it can be read.
 *
 *     content -> opens -> chat
 *             -> its epoch is not open -> waits -> the epoch opens: in order of arrival, some at a
 *                                                  time -> chat
 *                                              -> it turns out to be not for us: forgotten
 *                                              -> it is for us, and its key is lost: a line
 *             -> can never be opened -> a line that says so
 *
 * Chains of keys go one way, so nothing of an epoch is opened while earlier records of it wait.
 *
 * Where an author's chain forks nobody can read both halves.  From the lowest fork on the contents
 * of the chain are lines for everybody, when they come or when the fork becomes known; they are
 * opened all the same, since they may delete what was said before. */
#include "core/room/state.h"

#define WAITS_MAX  1024 /* epochs that content waits for ... */
#define WAITS_EACH 256  /* ... and of those, first named by one author: he may make them up */
#define WAIT_LEN   (1 + YR_MID_LEN)
#define BACK_MAX   512       /* records of a forked chain that are looked at for one */
#define STEP       64        /* records opened in one go: some milliseconds */
#define LOST_MS    YR_DAY_MS /* until an epoch that is here and does not open is given up */

/* ---- ours ---- */

static enum yr_err say(struct yr_rooms *rooms, struct yr_room *room, const uint8_t *plain,
                       size_t len, uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_room_record record;
    enum yr_err err;

    if (len > YR_CONTENT_PLAIN_MAX)
        return YR_ESIZE;
    if ((err = yr_room_keyed(rooms, room)) != YR_OK)
        return err;
    if (yr_room_log_fast(room->log, rooms->now, room->self, YR_CLASS_MESSAGE))
        return YR_EAGAIN; // before our chain of keys goes on
    yr_room_log_prepare(room->log, rooms->now, YR_CLASS_MESSAGE, room->self, room->incarnation,
                        false, &record);
    err = yr_epochs_seal(room->epochs, yr_rooms_age(rooms), &record, plain, len, rooms->body,
                         sizeof rooms->body);
    if (err != YR_OK)
        return err;
    if ((err = yr_room_put(rooms, room, &record)) != YR_OK)
        return err == YR_EAGAIN || err == YR_EDENIED ? YR_ECORRUPT : err; // the chain went on
    YR_ASSERT(rooms->unspread_count > 0);
    memcpy(id, rooms->unspread[rooms->unspread_count - 1].id, YR_MSG_ID_LEN);
    return YR_OK;
}

enum yr_err yr_rooms_say(struct yr_rooms *rooms, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                         const uint8_t *plain, size_t len, uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_room *room = NULL;
    enum yr_err err;

    rooms->now = now;
    if ((err = yr_rooms_active(rooms, conv, &room)) != YR_OK)
        return err;
    rooms->saying = plain;
    rooms->saying_len = len;
    err = say(rooms, room, plain, len, id);
    rooms->saying = NULL;
    return err == YR_OK ? yr_rooms_settle(rooms) : err;
}

/* ---- what waits ---- */

struct yr_wait *yr_room_wait_find(struct yr_room *room, const uint8_t epoch[YR_EPOCH_ID_LEN])
{
    for (size_t i = 0; i < room->wait_count; i++)
        if (memcmp(room->waits[i].epoch, epoch, YR_EPOCH_ID_LEN) == 0)
            return &room->waits[i];
    return NULL;
}

static void store_wait(struct yr_rooms *rooms, const struct yr_room *room,
                       const struct yr_wait *wait)
{
    uint8_t row[WAIT_LEN];

    row[0] = wait->counted;
    memcpy(row + 1, wait->author, YR_MID_LEN);
    yr_rows_put(rooms->rows, YR_TABLE_ROOMWAIT, room->id, YR_ROOM_ID_LEN, wait->epoch,
                YR_EPOCH_ID_LEN, row, sizeof row);
}

static void drop_wait(struct yr_rooms *rooms, struct yr_room *room, struct yr_wait *wait)
{
    yr_rows_del(rooms->rows, YR_TABLE_ROOMWAIT, room->id, YR_ROOM_ID_LEN, wait->epoch,
                YR_EPOCH_ID_LEN);
    *wait = room->waits[--room->wait_count];
}

enum yr_err yr_room_says_load(struct yr_rooms *rooms, struct yr_room *room)
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    uint8_t row[64 + WAIT_LEN];
    enum yr_err err;

    for (;; how = YR_SEEK_GT) {
        err = yr_rows_seek(rooms->rows, YR_TABLE_ROOMWAIT, room->id, YR_ROOM_ID_LEN, how, &at, row,
                           sizeof row);
        if (err != YR_OK)
            break;
        if (at.suffix_len != YR_EPOCH_ID_LEN || at.value_len != WAIT_LEN)
            return YR_ECORRUPT;
        if ((err = yr_room_grow(rooms, &room->waits, &room->wait_cap, room->wait_count,
                                sizeof *room->waits, WAITS_MAX)) != YR_OK)
            return err == YR_EFULL ? YR_ECORRUPT : err;
        struct yr_wait *wait = &room->waits[room->wait_count++];
        memset(wait, 0, sizeof *wait);
        memcpy(wait->epoch, at.suffix, YR_EPOCH_ID_LEN);
        wait->counted = row[0] != 0;
        memcpy(wait->author, row + 1, YR_MID_LEN);
    }
    return err == YR_ENOENT ? yr_room_wait_look(rooms, room) : err;
}

// Does the record stand on the operation that made us a member?
static enum yr_err knew_us(struct yr_rooms *rooms, struct yr_room *room, const uint8_t *maker,
                           const uint8_t add[YR_REC_ID_LEN], bool *out)
{
    struct yr_authority *authority = yr_room_log_authority(room->log);
    struct yr_room_record record;
    struct yr_room_entry entry;
    size_t len;
    enum yr_err err;

    *out =
        memcmp(maker, add, YR_REC_ID_LEN) == 0 || yr_authority_is_ancestor(authority, add, maker);
    if (*out)
        return YR_OK;
    err = yr_room_log_get(room->log, maker, rooms->in, sizeof rooms->in, &len, &entry);
    if (err != YR_OK || yr_room_record_decode(&record, rooms->in, len) != YR_OK) {
        *out = true; // nothing is known of it: it may be for us
        return err == YR_ENOENT ? YR_OK : err;
    }
    for (size_t i = 0; i < record.dep_count && !*out; i++)
        *out = memcmp(record.deps[i], add, YR_REC_ID_LEN) == 0 ||
               yr_authority_is_ancestor(authority, add, record.deps[i]);
    return YR_OK;
}

// Is this an epoch that is known, but made by somebody who did not know us as a member?  Its key is
// told to us by a HIST, or never.  *lost: it is for us, and has not opened since a day: keys are
// told once, so it never will.
static enum yr_err is_foreign(struct yr_rooms *rooms, struct yr_room *room,
                              const uint8_t epoch[YR_EPOCH_ID_LEN], bool *out, bool *lost)
{
    uint8_t add[YR_REC_ID_LEN];
    struct yr_epoch_info info;
    bool knew;
    enum yr_err err;

    *out = *lost = false;
    for (size_t i = 0; yr_epochs_info(room->epochs, i, &info); i++) {
        if (memcmp(info.id, epoch, YR_EPOCH_ID_LEN) != 0)
            continue;
        if (info.readable || !info.whole)
            return YR_OK;
        *lost = yr_rooms_age(rooms) - info.seen_ms >= LOST_MS;
        if (!yr_authority_adder(yr_room_log_authority(room->log), room->self, add))
            return YR_OK; // the founder is known to all
        if ((err = knew_us(rooms, room, info.maker, add, &knew)) == YR_OK)
            *out = !knew;
        *lost = *lost && !*out;
        return err;
    }
    return YR_OK;
}

static bool grants_history(struct yr_room *room)
{
    return yr_room_log_create(room->log)->hist_days > 0;
}

enum yr_err yr_room_wait_look(struct yr_rooms *rooms, struct yr_room *room)
{
    bool foreign, lost;
    enum yr_err err;

    for (size_t i = 0; i < room->wait_count; i++) {
        struct yr_wait *wait = &room->waits[i];
        if (yr_epochs_readable(room->epochs, wait->epoch)) {
            wait->what = YR_WAIT_OPENING;
            continue;
        }
        if (wait->what != YR_WAIT_IDLE || (!wait->counted && grants_history(room)))
            continue;
        if ((err = is_foreign(rooms, room, wait->epoch, &foreign, &lost)) != YR_OK)
            return err;
        wait->at = 0;
        if (foreign)
            wait->what = YR_WAIT_DROPPING;
        else if (lost)
            wait->what = YR_WAIT_LOST;
    }
    return YR_OK;
}

// How many epochs this author has named first.
static size_t named_by(const struct yr_room *room, const uint8_t author[YR_MID_LEN])
{
    size_t n = 0;

    for (size_t i = 0; i < room->wait_count; i++)
        n += memcmp(room->waits[i].author, author, YR_MID_LEN) == 0;
    return n;
}

static enum yr_err wait_for(struct yr_rooms *rooms, struct yr_room *room,
                            const struct yr_room_record *record, const uint8_t *epoch,
                            uint64_t arrival, bool foreign, bool *full)
{
    struct yr_wait *wait = yr_room_wait_find(room, epoch);
    struct yr_heard *heard;
    enum yr_err err;

    *full = false;
    if (wait == NULL && (*full = named_by(room, record->author) >= WAITS_EACH))
        return YR_OK;
    if (wait == NULL) {
        err = yr_room_grow(rooms, &room->waits, &room->wait_cap, room->wait_count,
                           sizeof *room->waits, WAITS_MAX);
        if (err != YR_OK) {
            *full = err == YR_EFULL;
            return *full ? YR_OK : err;
        }
        wait = &room->waits[room->wait_count++];
        memset(wait, 0, sizeof *wait);
        memcpy(wait->epoch, epoch, YR_EPOCH_ID_LEN);
        memcpy(wait->author, record->author, YR_MID_LEN);
        wait->counted = !foreign;
        store_wait(rooms, room, wait);
    }
    yr_rooms_count(rooms, YR_ROOMS_WAITING);
    if (wait->counted) {
        err = yr_room_heard(rooms, room, record->author, record->incarnation, &heard);
        if (err == YR_OK)
            yr_heard_waits(room, heard, record->seq);
        else if (err != YR_EFULL)
            return err;
    }
    return yr_room_log_wait(room->log, epoch, arrival);
}

/* ---- opening ---- */

struct content {
    const struct yr_room_record *record;
    const struct yr_room_body *body;
    struct yr_chat_said said;
    uint64_t arrival;
};

static void describe(struct content *c, struct yr_room *room, const struct yr_room_record *record,
                     const struct yr_room_body *body, const struct yr_room_entry *entry)
{
    struct yr_chain_key key = {.class = record->class};

    memcpy(key.mid, record->author, sizeof key.mid);
    memcpy(key.incarnation, record->incarnation, sizeof key.incarnation);
    c->record = record;
    c->body = body;
    c->arrival = entry->arrival;
    c->said = (struct yr_chat_said){.id = record->id,
                                    .author = record->author,
                                    .incarnation = record->incarnation,
                                    .hlc = record->hlc,
                                    .seq = record->seq,
                                    .eff = entry->eff,
                                    .own = memcmp(record->author, room->self, YR_MID_LEN) == 0,
                                    .fork = yr_room_log_fork(room->log, &key)};
}

// Of who has signed two chains: is this one numbered without a gap, in its epoch?  Otherwise the
// numbers of one chain could go on where those of the other end, and who gets them the other way
// round would not read what others do.
static enum yr_err is_numbered(struct yr_rooms *rooms, struct yr_room *room,
                               const struct content *c, bool *out)
{
    uint32_t index = c->body->index;
    static const uint8_t none[YR_REC_ID_LEN];
    uint8_t prev[YR_REC_ID_LEN];
    struct yr_room_record record;
    struct yr_room_entry entry;
    struct yr_room_body body;
    size_t len;
    enum yr_err err;

    *out = false;
    memcpy(prev, c->record->prev, sizeof prev);
    for (unsigned left = BACK_MAX; memcmp(prev, none, sizeof prev) != 0; left--) {
        if (left == 0)
            return YR_OK;
        err = yr_room_log_get(room->log, prev, rooms->back, sizeof rooms->back, &len, &entry);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_ECORRUPT : err;
        if (yr_room_record_decode(&record, rooms->back, len) != YR_OK)
            return YR_ECORRUPT;
        if (yr_room_body_decode(&body, record.class, record.body, record.body_len) == YR_OK &&
            body.known && body.kind == YR_ROOM_CONTENT &&
            memcmp(body.epoch, c->body->epoch, YR_EPOCH_ID_LEN) == 0 && body.index != --index)
            return YR_OK;
        memcpy(prev, record.prev, sizeof prev);
    }
    *out = index == 0;
    return YR_OK;
}

// Open, and give to the conversation.  YR_ENOENT: not yet.
static enum yr_err open_content(struct yr_rooms *rooms, struct yr_room *room,
                                const struct content *c)
{
    bool numbered = true;
    size_t len;
    enum yr_err err = YR_OK;

    if (yr_room_log_forked(room->log, c->record->author))
        err = is_numbered(rooms, room, c, &numbered);
    if (err == YR_OK)
        err = numbered ? yr_epochs_open(room->epochs, yr_rooms_age(rooms), c->record, c->body,
                                        false, rooms->plain, &len)
                       : YR_EPROTO;
    if (err == YR_OK) {
        err = yr_chat_take(rooms->chats, rooms->now, room->id, &c->said, rooms->plain, len);
        yr_wipe(rooms->plain, len);
        return err;
    }
    if (err != YR_EEXIST && err != YR_EAUTH && err != YR_EPROTO)
        return err;
    yr_rooms_count(rooms, YR_ROOMS_UNREADABLE);
    if (err == YR_EPROTO) // of nobody the epoch covers: nobody reads it
        return YR_OK;
    // Two texts under one key, in two chains perhaps, which by themselves are no fork.
    if (err == YR_EEXIST && (err = yr_room_forked(rooms, room, c->record->author)) != YR_OK)
        return err;
    return yr_chat_unreadable(rooms->chats, rooms->now, room->id, &c->said);
}

static enum yr_err take_own(struct yr_rooms *rooms, struct yr_room *room, const struct content *c)
{
    enum yr_err err;

    YR_ASSERT(rooms->saying_len <= sizeof rooms->plain);
    memcpy(rooms->plain, rooms->saying, rooms->saying_len);
    room->look = true; // the epoch is one message older
    room->raise = true;
    err =
        yr_chat_take(rooms->chats, rooms->now, room->id, &c->said, rooms->plain, rooms->saying_len);
    yr_wipe(rooms->plain, rooms->saying_len);
    return err;
}

enum yr_err yr_room_content(struct yr_rooms *rooms, struct yr_room *room,
                            const struct yr_room_record *record, const struct yr_room_body *body,
                            const struct yr_room_entry *entry)
{
    struct content c;
    bool full = false, foreign = room->state == YR_ROOM_JOINING, lost;
    enum yr_err err;

    describe(&c, room, record, body, entry);
    if (entry->slot == YR_ROOM_OWN && rooms->saying != NULL)
        return take_own(rooms, room, &c);
    yr_room_receipt_due(rooms, room);
    if (c.said.fork != 0 && c.said.seq >= c.said.fork &&
        (err = yr_chat_void(rooms->chats, rooms->now, room->id, &c.said)) != YR_OK)
        return err;
    err = yr_room_wait_find(room, body->epoch) != NULL ? YR_ENOENT : open_content(rooms, room, &c);
    if (err != YR_ENOENT)
        return err;
    if (!foreign && yr_room_wait_find(room, body->epoch) == NULL &&
        (err = is_foreign(rooms, room, body->epoch, &foreign, &lost)) != YR_OK)
        return err;
    if (foreign && !grants_history(room)) {
        yr_rooms_count(rooms, YR_ROOMS_NOT_FOR_US);
        return YR_OK;
    }
    err = wait_for(rooms, room, record, body->epoch, entry->arrival, foreign, &full);
    if (err != YR_OK || !full)
        return err;
    yr_rooms_count(rooms, YR_ROOMS_UNREADABLE);
    return yr_chat_unreadable(rooms->chats, rooms->now, room->id, &c.said);
}

// The content at an arrival number, which is in rooms->in.  Errors: YR_ENOENT: no content.
static enum yr_err content_at(struct yr_rooms *rooms, struct yr_room *room, uint64_t arrival,
                              struct yr_room_record *record, struct yr_room_body *body,
                              struct content *c)
{
    struct yr_room_entry entry;
    size_t len;
    enum yr_err err = yr_room_log_at(room->log, arrival, rooms->in, sizeof rooms->in, &len, &entry);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_ECORRUPT : err;
    if (yr_room_record_decode(record, rooms->in, len) != YR_OK ||
        yr_room_body_decode(body, record->class, record->body, record->body_len) != YR_OK)
        return YR_ECORRUPT;
    if (!body->known || body->kind != YR_ROOM_CONTENT)
        return YR_ENOENT;
    describe(c, room, record, body, &entry);
    return YR_OK;
}

// One that waited.  *stuck: it cannot be opened after all.
static enum yr_err resume(struct yr_rooms *rooms, struct yr_room *room, struct yr_wait *wait,
                          uint64_t arrival, bool *stuck)
{
    struct yr_room_record record;
    struct yr_room_body body;
    struct yr_heard *heard;
    struct content c;
    enum yr_err err = content_at(rooms, room, arrival, &record, &body, &c);

    *stuck = false;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_ECORRUPT : err;
    if (wait->what == YR_WAIT_LOST) {
        yr_rooms_count(rooms, YR_ROOMS_UNREADABLE);
        err = yr_chat_unreadable(rooms->chats, rooms->now, room->id, &c.said);
        if (err != YR_OK)
            return err;
    }
    if (wait->what == YR_WAIT_OPENING) {
        err = open_content(rooms, room, &c);
        *stuck = err == YR_ENOENT;
        if (err != YR_OK)
            return *stuck ? YR_OK : err;
    }
    if (wait->counted) {
        err = yr_room_heard(rooms, room, record.author, record.incarnation, &heard);
        if (err == YR_OK)
            yr_heard_opened(room, heard, record.seq);
        else if (err != YR_EFULL)
            return err;
        yr_room_receipt_due(rooms, room);
    }
    if (wait->what == YR_WAIT_DROPPING && grants_history(room))
        return YR_OK; // a HIST may still bring it
    return yr_room_log_waited(room->log, wait->epoch, arrival);
}

static void ended(struct yr_rooms *rooms, struct yr_room *room, struct yr_wait *wait)
{
    if (wait->what != YR_WAIT_DROPPING || !grants_history(room)) {
        drop_wait(rooms, room, wait);
        return;
    }
    wait->what = YR_WAIT_IDLE;
    wait->counted = false;
    store_wait(rooms, room, wait);
}

/* ---- forks ---- */

// Lines for the next contents of the chain.  known: from there on there are such already.  Of one
// number that many records have all but the first came when the fork was known.
static enum yr_err void_contents(struct yr_rooms *rooms, struct yr_room *room, uint64_t known,
                                 unsigned *left)
{
    const uint64_t to = known != 0 ? known - 1 : UINT64_MAX;
    uint64_t arrivals[STEP], next;
    struct yr_room_record record;
    struct yr_room_body body;
    struct content c;
    size_t count;
    enum yr_err err = yr_room_log_range(room->log, &room->voiding.key, room->voiding.next, to,
                                        arrivals, STEP, &count, &next);

    for (size_t i = 0; i < count && err == YR_OK; i++) {
        err = content_at(rooms, room, arrivals[i], &record, &body, &c);
        if (err == YR_OK)
            err = yr_chat_void(rooms->chats, rooms->now, room->id, &c.said);
        else if (err == YR_ENOENT)
            err = YR_OK; // an epoch
    }
    room->voiding.next = next;
    *left -= YR_MIN(*left, (unsigned)count);
    return err;
}

// A chain was found to fork, or to fork lower.
static enum yr_err draw_consequences(struct yr_rooms *rooms, struct yr_room *room, unsigned *left)
{
    struct yr_chain_key key;
    uint64_t fork, known;
    enum yr_err err;

    while (*left > 0 && yr_room_log_fork_due(room->log, &key, &fork, &known)) {
        if (!room->voiding.begun || room->voiding.fork != fork ||
            memcmp(&room->voiding.key, &key, sizeof key) != 0) {
            memset(&room->voiding, 0, sizeof room->voiding);
            room->voiding.begun = true;
            room->voiding.key = key;
            room->voiding.fork = room->voiding.next = fork;
        }
        if (room->voiding.next != 0) {
            if ((err = void_contents(rooms, room, known, left)) != YR_OK)
                return err;
            continue;
        }
        err = known != 0 ? YR_OK
                         : yr_chat_disown(rooms->chats, rooms->now, room->id, key.mid,
                                          key.incarnation, &room->voiding.walk, left);
        if (err != YR_OK)
            return err == YR_EAGAIN ? YR_OK : err;
        yr_room_log_fork_done(room->log, &key, fork);
        room->voiding.begun = false;
    }
    return YR_OK;
}

enum yr_err yr_room_says_tick(struct yr_rooms *rooms, struct yr_room *room)
{
    unsigned left = STEP;
    enum yr_err err;
    bool stuck;

    if ((err = draw_consequences(rooms, room, &left)) != YR_OK)
        return err;
    for (size_t i = 0; i < room->wait_count && left > 0;) {
        struct yr_wait *wait = &room->waits[i];
        uint64_t arrival = wait->what == YR_WAIT_DROPPING ? wait->at : 0;
        if (wait->what == YR_WAIT_IDLE) {
            i++;
            continue;
        }
        err = yr_room_log_waiting(room->log, wait->epoch, &arrival);
        if (err == YR_ENOENT) {
            ended(rooms, room, wait);
            continue;
        }
        if (err != YR_OK || (err = resume(rooms, room, wait, arrival, &stuck)) != YR_OK)
            return err;
        wait->at = arrival;
        if (stuck)
            wait->what = YR_WAIT_IDLE;
        left--;
    }
    return YR_OK;
}

bool yr_room_says_due(const struct yr_room *room)
{
    struct yr_chain_key key;
    uint64_t fork, known;

    if (yr_room_log_fork_due(room->log, &key, &fork, &known))
        return true;
    for (size_t i = 0; i < room->wait_count; i++)
        if (room->waits[i].what != YR_WAIT_IDLE)
            return true;
    return false;
}
