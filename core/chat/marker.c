/* What was read.  Everything up to the marker is, but for messages that came late and stand above
 * it (conv->above); below it nothing is, but for messages that moved there and tombstones, in which
 * there is nothing to read (record->seen). */
#include "core/chat/state.h"

// Own words and system lines are never unread.
static bool countable(const struct yr_record *record)
{
    return !record->own && record->kind != YR_MSG_SYSTEM;
}

// Which of conv->above it is; above_count: none.
static size_t find_above(const struct yr_conv *conv, const uint8_t id[YR_MSG_ID_LEN])
{
    size_t i = 0;

    while (i < conv->above_count && memcmp(conv->above[i].id, id, YR_MSG_ID_LEN) != 0)
        i++;
    return i;
}

static void drop_above(struct yr_conv *conv, size_t i)
{
    conv->above_count--;
    memmove(&conv->above[i], &conv->above[i + 1], (conv->above_count - i) * sizeof conv->above[0]);
}

bool yr_marker_unread(const struct yr_conv *conv, const struct yr_record *record,
                      const struct yr_place *place)
{
    if (!countable(record) || record->seen)
        return false;
    return yr_place_compare(place, &conv->marker) > 0 ||
           find_above(conv, record->id) < conv->above_count;
}

static void add_below(struct yr_conv *conv, const struct yr_record *record,
                      const struct yr_place *place)
{
    conv->below_mentions += record->mention ? 1 : 0;
    if (conv->below_count++ == 0 || yr_place_compare(place, &conv->first) < 0) {
        conv->first = *place;
        memcpy(conv->first_id, record->id, YR_MSG_ID_LEN);
    }
}

void yr_marker_arrived(struct yr_conv *conv, const struct yr_record *record,
                       const struct yr_place *place)
{
    if (!countable(record) || record->seen)
        return;
    conv->dirty = true;
    if (yr_place_compare(place, &conv->marker) > 0) {
        add_below(conv, record, place);
        return;
    }
    if (conv->above_count == YR_SKIPPED_READ_MAX)
        drop_above(conv, 0);
    conv->above[conv->above_count].place = *place;
    memcpy(conv->above[conv->above_count].id, record->id, YR_MSG_ID_LEN);
    conv->above[conv->above_count].mention = record->mention;
    conv->above_count++;
}

// Find the first unread message after `place`, which is below the marker.
static enum yr_err find_first(struct yr_chats *chats, struct yr_conv *conv,
                              const struct yr_place *place, struct yr_record *record)
{
    struct yr_row at = {.suffix_len = sizeof place->key};
    struct yr_place here;
    enum yr_err err;

    memcpy(at.suffix, place->key, sizeof place->key);
    for (;;) {
        err = yr_rows_seek(chats->rows, YR_TABLE_MESSAGE, conv->id, YR_ID_LEN, YR_SEEK_GT, &at,
                           chats->row, sizeof chats->row);
        if (err == YR_OK)
            err = yr_record_decode(record, chats->row, at.value_len);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_ECORRUPT : err; // the count promised one
        memcpy(here.key, at.suffix, sizeof here.key);
        if (!yr_marker_unread(conv, record, &here))
            continue;
        conv->first = here;
        memcpy(conv->first_id, record->id, YR_MSG_ID_LEN);
        return YR_OK;
    }
}

bool yr_marker_move(struct yr_conv *conv, struct yr_record *record, const struct yr_place *from,
                    const struct yr_place *to)
{
    const size_t i = find_above(conv, record->id);
    const bool above = i < conv->above_count, unread = yr_marker_unread(conv, record, from);

    if (!countable(record) || record->seen)
        return false;
    conv->dirty = true;
    if (above && yr_place_compare(to, &conv->marker) <= 0) {
        conv->above[i].place = *to;
    } else if (above) {
        drop_above(conv, i);
        add_below(conv, record, to);
    } else if (!unread) {
        record->seen = yr_place_compare(to, &conv->marker) > 0;
    }
    return !above && unread && memcmp(conv->first_id, record->id, YR_MSG_ID_LEN) == 0;
}

bool yr_marker_gone(struct yr_conv *conv, const struct yr_record *record,
                    const struct yr_place *place)
{
    const size_t i = find_above(conv, record->id);

    if (!yr_marker_unread(conv, record, place))
        return false;
    conv->dirty = true;
    if (i < conv->above_count) {
        drop_above(conv, i);
        return false;
    }
    conv->below_count--;
    conv->below_mentions -= record->mention && conv->below_mentions > 0 ? 1 : 0;
    return conv->below_count > 0 && memcmp(conv->first_id, record->id, YR_MSG_ID_LEN) == 0;
}

enum yr_err yr_marker_refind(struct yr_chats *chats, struct yr_conv *conv,
                             const struct yr_place *from)
{
    struct yr_record record;

    return find_first(chats, conv, from, &record);
}

// ---- reading ----

// Ids to tell the author of, posted whenever there are YR_ACKS_MAX.
struct batch {
    struct yr_chats *chats;
    struct yr_conv *conv;
    struct yr_now now;
    bool wanted;
    size_t count;
    uint8_t ids[YR_ACKS_MAX][YR_MSG_ID_LEN];
};

static enum yr_err post_batch(struct batch *batch)
{
    struct yr_plain plain = {.type = YR_PLAIN_READ, .id_count = batch->count};
    uint8_t id[YR_MSG_ID_LEN];
    enum yr_err err;

    if (batch->count == 0)
        return YR_OK;
    for (size_t i = 0; i < batch->count; i++)
        plain.ids[i] = batch->ids[i];
    yr_random(batch->chats->rng, id, sizeof id);
    plain.id = id;
    plain.hlc = batch->conv->hlc = yr_hlc_next(batch->conv->hlc, batch->now.wall_ms);
    err = yr_chats_post(batch->chats, batch->conv, &plain);
    batch->count = 0;
    return err;
}

static enum yr_err add_to_batch(struct batch *batch, const uint8_t id[YR_MSG_ID_LEN])
{
    if (!batch->wanted)
        return YR_OK;
    memcpy(batch->ids[batch->count++], id, YR_MSG_ID_LEN);
    return batch->count == YR_ACKS_MAX ? post_batch(batch) : YR_OK;
}

// It has been read.  In a room it is the room that tells the author.
static enum yr_err tell_author(struct batch *batch, const struct yr_record *record)
{
    const struct yr_chat_ops *ops = batch->chats->ops;

    if (batch->conv->kind != YR_CONV_ROOM)
        return add_to_batch(batch, record->id);
    ops->seen(ops->ctx, batch->conv->id, record->author, record->incarnation, record->seq);
    return YR_OK;
}

static enum yr_err read_above(struct yr_conv *conv, const struct yr_place *to, struct batch *batch)
{
    struct yr_record record;

    for (size_t i = 0; i < conv->above_count;) {
        const struct yr_place *place = &conv->above[i].place;
        enum yr_err err;

        if (yr_place_compare(place, to) > 0) {
            i++;
            continue;
        }
        if ((err = yr_record_get(batch->chats, conv->id, place, &record)) != YR_OK)
            return err == YR_ENOENT ? YR_ECORRUPT : err;
        if ((err = tell_author(batch, &record)) != YR_OK)
            return err;
        drop_above(conv, i);
    }
    return YR_OK;
}

// All unread messages from conv->first to `to`; then conv->first is the one after them.
static enum yr_err read_below(struct yr_chats *chats, struct yr_conv *conv,
                              const struct yr_place *to, struct batch *batch)
{
    struct yr_record record;
    struct yr_place here = conv->first;
    struct yr_row at = {.suffix_len = sizeof here.key};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    memcpy(at.suffix, conv->first.key, sizeof conv->first.key);
    for (; conv->below_count > 0; how = YR_SEEK_GT) {
        err = yr_rows_seek(chats->rows, YR_TABLE_MESSAGE, conv->id, YR_ID_LEN, how, &at, chats->row,
                           sizeof chats->row);
        if (err == YR_OK)
            err = yr_record_decode(&record, chats->row, at.value_len);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_ECORRUPT : err;
        memcpy(here.key, at.suffix, sizeof here.key);
        if (!countable(&record) || record.seen)
            continue;
        if (yr_place_compare(&here, to) > 0) {
            conv->first = here;
            memcpy(conv->first_id, record.id, YR_MSG_ID_LEN);
            return YR_OK;
        }
        if ((err = tell_author(batch, &record)) != YR_OK)
            return err;
        conv->below_count--;
        conv->below_mentions -= record.mention && conv->below_mentions > 0 ? 1 : 0;
    }
    return YR_OK;
}

// The last message, or the one asked for.
static enum yr_err find_target(struct yr_chats *chats, const struct yr_conv *conv,
                               const uint8_t *id, struct yr_place *place,
                               uint8_t found[YR_MSG_ID_LEN])
{
    struct yr_row at = {.suffix_len = sizeof place->key};
    struct yr_index index;
    enum yr_err err;

    if (yr_msg_id_ok(id)) {
        if ((err = yr_index_get(chats, id, &index)) != YR_OK)
            return err;
        if (memcmp(index.conv, conv->id, YR_ID_LEN) != 0)
            return YR_ENOENT;
        *place = index.place;
        memcpy(found, id, YR_MSG_ID_LEN);
        return YR_OK;
    }
    memset(at.suffix, 0xff, sizeof place->key);
    err = yr_rows_seek(chats->rows, YR_TABLE_MESSAGE, conv->id, YR_ID_LEN, YR_SEEK_LE, &at,
                       chats->row, sizeof chats->row);
    if (err == YR_OK)
        err = yr_record_decode(&chats->record, chats->row, at.value_len);
    if (err != YR_OK)
        return err;
    memcpy(place->key, at.suffix, sizeof place->key);
    memcpy(found, chats->record.id, YR_MSG_ID_LEN);
    return YR_OK;
}

enum yr_err yr_chat_read(struct yr_chats *chats, struct yr_now now,
                         const uint8_t conv_id[YR_ID_LEN], const uint8_t *id, bool receipts)
{
    struct yr_conv *conv = yr_chats_conv(chats, conv_id);
    uint8_t found[YR_MSG_ID_LEN];
    struct yr_place place;
    struct yr_conv next; // what becomes of it, unless a receipt is refused
    struct batch batch = {.chats = chats, .conv = &next, .now = now, .wanted = receipts};
    bool forward;
    enum yr_err err;

    if (conv == NULL)
        return YR_ENOFRIEND;
    if ((err = find_target(chats, conv, id, &place, found)) != YR_OK)
        return err == YR_ENOENT && !yr_msg_id_ok(id) ? YR_OK : err; // nothing to read is no error
    next = *conv;
    forward = yr_place_compare(&place, &conv->marker) > 0;
    if ((err = read_above(&next, &place, &batch)) != YR_OK ||
        (forward && (err = read_below(chats, &next, &place, &batch)) != YR_OK) ||
        (err = post_batch(&batch)) != YR_OK)
        return err;
    if (!forward && next.above_count == conv->above_count)
        return YR_OK;
    if (forward) {
        next.marker = place;
        memcpy(next.marker_id, found, YR_MSG_ID_LEN);
    }
    next.dirty = true;
    *conv = next;
    if (conv->kind == YR_CONV_ROOM)
        chats->ops->read(chats->ops->ctx, now, conv->id, &conv->marker);
    return yr_chats_tell(chats, now, YR_EV_READ, conv, conv->marker_id, YR_STATE_ACCEPTED, NULL);
}

void yr_chat_unread(struct yr_chats *chats, const uint8_t conv_id[YR_ID_LEN], struct yr_unread *out)
{
    const struct yr_conv *conv = yr_chats_conv(chats, conv_id);
    const struct yr_above *first = NULL;

    memset(out, 0, sizeof *out);
    if (conv == NULL)
        return;
    out->count = (size_t)conv->below_count + conv->above_count;
    out->mentions = (size_t)conv->below_mentions;
    memcpy(out->marker, conv->marker_id, YR_MSG_ID_LEN);
    for (size_t i = 0; i < conv->above_count; i++) {
        out->mentions += conv->above[i].mention ? 1 : 0;
        if (first == NULL || yr_place_compare(&conv->above[i].place, &first->place) < 0)
            first = &conv->above[i];
    }
    if (first != NULL)
        memcpy(out->first, first->id, YR_MSG_ID_LEN);
    else if (conv->below_count > 0)
        memcpy(out->first, conv->first_id, YR_MSG_ID_LEN);
}
