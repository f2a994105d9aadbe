#include "tests/support/roomies.h"

#include "core/chat/hlc.h"
#include "core/crypto/kdf.h"
#include "tests/support/test.h"

// ---- the room ----

void room_init(struct room *room, char name)
{
    memset(room, 0, sizeof *room);
    memset(room->id, name, sizeof room->id);
}

void room_clear(struct room *room)
{
    while (room->count > 0)
        free(room->records[--room->count]);
}

struct room_record *room_bytes(struct room *room, char author, yr_ms ms,
                               const struct room_record *after, const void *bytes, size_t len)
{
    struct room_record *record = calloc(1, sizeof *record);
    uint8_t seed[2] = {(uint8_t)room->count, (uint8_t)(room->count >> 8)};

    assert_non_null(record);
    assert_true(room->count < ROOM_RECORDS && len <= sizeof record->plain);
    yr_hash16(record->id, seed, sizeof seed);
    memset(record->mid, author, sizeof record->mid);
    memset(record->incarnation, author ^ 1, sizeof record->incarnation);
    record->hlc = (uint64_t)ms << 16;
    record->eff = YR_MIN(record->hlc, YR_HLC_MAX);
    if (after != NULL)
        record->eff = YR_MAX(record->eff, after->eff + 1);
    memcpy(record->plain, bytes, len);
    record->len = len;
    room->records[room->count++] = record;
    record->seq = room->count;
    return record;
}

struct room_record *room_write(struct room *room, char author, yr_ms ms,
                               const struct room_record *after, const struct yr_plain *plain)
{
    static uint8_t bytes[YR_PLAIN_MAX];
    size_t len;

    assert_int_equal(yr_plain_encode_room(plain, bytes, sizeof bytes, &len), YR_OK);
    return room_bytes(room, author, ms, after, bytes, len);
}

struct room_record *room_text(struct room *room, char author, yr_ms ms,
                              const struct room_record *after, const char *text)
{
    const struct yr_plain plain = {
        .type = YR_PLAIN_TEXT, .text = (const uint8_t *)text, .text_len = strlen(text)};

    return room_write(room, author, ms, after, &plain);
}

// ---- members ----

void roomie_author(uint8_t out[YR_ID_LEN], char name)
{
    memset(out, 0, YR_ID_LEN);
    memset(out, name, YR_MID_LEN);
}

enum yr_err roomie_take(struct roomie *r, const struct room_record *record)
{
    const struct yr_chat_said said = {record->id,
                                      record->mid,
                                      record->incarnation,
                                      record->hlc,
                                      record->seq,
                                      record->eff,
                                      record->mid[0] == (uint8_t)r->name,
                                      record->fork};

    return yr_chat_take(r->talker.chats, r->talker.now, r->room->id, &said, record->plain,
                        record->len);
}

static enum yr_err say(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                       const uint8_t *plain, size_t len, uint8_t id[YR_MSG_ID_LEN])
{
    struct roomie *r = ctx;
    struct room *room = r->room;
    const struct room_record *last = room->count > 0 ? room->records[room->count - 1] : NULL;
    struct room_record *record;
    enum yr_err err;

    assert_memory_equal(conv, room->id, YR_ID_LEN);
    if (r->talker.refuse != YR_OK)
        return r->talker.refuse;
    if (r->meanwhile != NULL) {
        assert_int_equal(roomie_take(r, r->meanwhile), YR_OK);
        assert_int_equal(yr_chat_note(r->talker.chats, now, conv, "meanwhile"), YR_OK);
        assert_int_equal(yr_chat_raise(r->talker.chats, now, conv, r->meanwhile->id, YR_STATE_READ),
                         YR_OK);
    }
    record = room_bytes(room, r->name, now.wall_ms, last, plain, len);
    record->hlc = yr_hlc_next(last != NULL ? last->hlc : 0, now.wall_ms);
    record->eff = YR_MAX(record->eff, record->hlc);
    memcpy(id, record->id, YR_MSG_ID_LEN);
    r->said++;
    err = roomie_take(r, record);
    if (err != YR_OK) // the machine's: the log forgets it, too
        free(room->records[--room->count]);
    return err;
}

// Nothing of a room goes to one friend, or could be taken back from him.
static bool recall(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t id[YR_MSG_ID_LEN])
{
    const struct roomie *r = ctx;

    (void)id;
    assert_memory_not_equal(conv, r->room->id, YR_ID_LEN);
    return false;
}

static const uint8_t *incarnation(void *ctx, const uint8_t conv[YR_ID_LEN])
{
    static uint8_t own[YR_INCARNATION_LEN];
    const struct roomie *r = ctx;

    assert_memory_equal(conv, r->room->id, YR_ID_LEN);
    memset(own, r->name ^ 1, sizeof own); // as room_bytes
    return own;
}

static void counts(void *ctx, struct yr_message *message)
{
    const struct roomie *r = ctx;

    assert_memory_equal(message->conv, r->room->id, YR_ID_LEN);
    assert_true(message->own && message->room);
    message->of = 9;
    message->delivered_to = (unsigned)message->seq;
    message->read_by = 1;
}

static void seen(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t mid[YR_MID_LEN],
                 const uint8_t incarnation[YR_INCARNATION_LEN], uint64_t seq)
{
    struct roomie *r = ctx;

    assert_memory_equal(conv, r->room->id, YR_ID_LEN);
    assert_int_equal(incarnation[0], mid[0] ^ 1);
    r->seen[mid[0]] = YR_MAX(r->seen[mid[0]], seq);
    r->seen_count++;
}

static void was_read(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                     const struct yr_place *marker)
{
    struct roomie *r = ctx;

    assert_int_equal(now.wall_ms, r->talker.now.wall_ms);
    assert_memory_equal(conv, r->room->id, YR_ID_LEN);
    r->marker = *marker;
    r->read_count++;
}

static enum yr_err enter(struct roomie *r, const char *nick)
{
    uint8_t mid[YR_MID_LEN];

    memset(mid, r->name, sizeof mid);
    return yr_chat_open_room(r->talker.chats, r->room->id, mid, nick);
}

void roomie_init(struct roomie *r, struct room *room, char name, const char *nick)
{
    memset(r, 0, sizeof *r);
    r->room = room;
    r->name = name;
    talker_init(&r->talker, name, 1);
    r->talker.ops.recall = recall;
    r->talker.ops.say = say;
    r->talker.ops.incarnation = incarnation;
    r->talker.ops.counts = counts;
    r->talker.ops.seen = seen;
    r->talker.ops.read = was_read;
    assert_int_equal(enter(r, nick), YR_OK);
}

void roomie_clear(struct roomie *r)
{
    talker_clear(&r->talker);
}

void roomie_crash(struct roomie *r, const char *nick)
{
    talker_crash(&r->talker, r->talker.out_count);
    assert_int_equal(enter(r, nick), YR_OK);
}

enum yr_err roomie_reset(struct roomie *r, const char *nick)
{
    const enum yr_err err = talker_reset(&r->talker);

    return err != YR_OK ? err : enter(r, nick);
}
