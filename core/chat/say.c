/* What we say: texts, lines of the node, and operations on what was said. */
#include "core/chat/state.h"

#include "core/crypto/kdf.h"

#define KEY_MAX         64
#define KEY_VERSION     1
#define KEY_LIFE_MS     (24 * 3600 * INT64_C(1000))
#define EXPIRED_AT_ONCE 64 /* texts given up in one go */
#define KEYS_LOOKED_AT  2  /* old idempotence keys looked at for each new one */

// ---- idempotence keys ----

// Old keys leave while new ones come: a few are looked at for each.
static enum yr_err purge_keys(struct yr_chats *chats, yr_ms wall_ms)
{
    for (int i = 0; i < KEYS_LOOKED_AT; i++) {
        uint8_t row[128];
        struct yr_rd rd;
        yr_ms used_ms;
        enum yr_err err = yr_rows_seek(chats->rows, YR_TABLE_SENDKEY, NULL, 0, YR_SEEK_GT,
                                       &chats->purged, row, sizeof row);

        if (err == YR_ENOENT) {
            chats->purged.suffix_len = 0; // from the beginning, the next time
            return YR_OK;
        }
        if (err != YR_OK)
            return err;
        rd = yr_rd_init(row, chats->purged.value_len);
        yr_rd_skip(&rd, 1 + YR_MSG_ID_LEN);
        used_ms = (yr_ms)yr_rd_u64(&rd);
        if ((rd.bad || wall_ms - KEY_LIFE_MS > used_ms) &&
            (err = yr_rows_del(chats->rows, YR_TABLE_SENDKEY, NULL, 0, chats->purged.suffix,
                               chats->purged.suffix_len)) != YR_OK)
            return err;
    }
    return YR_OK;
}

// YR_EEXIST: it was used less than a day ago, for *id.
static enum yr_err check_key(struct yr_chats *chats, yr_ms wall_ms, const uint8_t hash[YR_HASH16],
                             uint8_t id[YR_MSG_ID_LEN])
{
    uint8_t row[128], used_id[YR_MSG_ID_LEN];
    struct yr_rd rd;
    yr_ms used_ms;
    size_t len;
    enum yr_err err =
        yr_rows_get(chats->rows, YR_TABLE_SENDKEY, NULL, 0, hash, YR_HASH16, row, sizeof row, &len);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    if (yr_rd_u8(&rd) != KEY_VERSION)
        return YR_ECORRUPT;
    yr_rd_copy(&rd, used_id, sizeof used_id);
    used_ms = (yr_ms)yr_rd_u64(&rd);
    if (!yr_rd_done(&rd))
        return YR_ECORRUPT;
    if (wall_ms - KEY_LIFE_MS > used_ms) // a clock that went back keeps a key longer, never shorter
        return YR_OK;
    memcpy(id, used_id, sizeof used_id);
    return YR_EEXIST;
}

static enum yr_err put_key(struct yr_chats *chats, yr_ms wall_ms, const uint8_t hash[YR_HASH16],
                           const uint8_t id[YR_MSG_ID_LEN])
{
    uint8_t row[1 + YR_MSG_ID_LEN + 8];
    struct yr_wr wr = yr_wr_init(row, sizeof row);
    enum yr_err err = purge_keys(chats, wall_ms);

    if (err != YR_OK)
        return err;
    yr_wr_u8(&wr, KEY_VERSION);
    yr_wr_bytes(&wr, id, YR_MSG_ID_LEN);
    yr_wr_u64(&wr, (uint64_t)wall_ms);
    return yr_rows_put(chats->rows, YR_TABLE_SENDKEY, NULL, 0, hash, YR_HASH16, row,
                       yr_wr_len(&wr));
}

// ---- texts ----

static enum yr_err check_text(const void *text, size_t len, size_t max)
{
    if (len == 0 || len > max)
        return YR_ESIZE;
    return yr_utf8_ok(text, len) ? YR_OK : YR_EINVAL;
}

// Our heads as parents, at most YR_PARENTS_MAX: those that stand lowest.
static void cite_heads(const struct yr_conv *conv, struct yr_record *record)
{
    bool taken[YR_HEADS_MAX] = {false};

    while (record->parent_count < YR_PARENTS_MAX && record->parent_count < conv->head_count) {
        size_t best = YR_HEADS_MAX;

        for (size_t i = 0; i < conv->head_count; i++)
            if (!taken[i] && (best == YR_HEADS_MAX || conv->heads[i].eff > conv->heads[best].eff))
                best = i;
        taken[best] = true;
        memcpy(record->parents[record->parent_count++], conv->heads[best].id, YR_MSG_ID_LEN);
    }
}

// A message of ours as it leaves; what is deleted leaves as the deletion of itself.
static void plain_of(const struct yr_record *record, struct yr_plain *out)
{
    memset(out, 0, sizeof *out);
    out->type = record->deleted ? YR_PLAIN_DELETE : YR_PLAIN_TEXT;
    out->target = record->deleted ? record->id : NULL;
    out->id = record->id;
    out->hlc = record->hlc;
    out->seq = record->seq;
    out->incarnation = record->incarnation;
    for (size_t i = 0; i < record->parent_count; i++)
        out->parents[i] = record->parents[i];
    out->parent_count = record->parent_count;
    out->reply_to = yr_msg_id_ok(record->reply_to) ? record->reply_to : NULL;
    out->flags = record->kind == YR_MSG_ACTION ? YR_PLAIN_ACTION : 0;
    out->expires_s = record->deleted ? 0 : (uint64_t)record->expires_ms / 1000;
    out->text = record->text;
    out->text_len = record->text_len;
}

// The record of a new message of ours; the conversation's counters are not touched yet.
static void own_record(struct yr_chats *chats, struct yr_now now, const struct yr_conv *conv,
                       bool action, const void *text, size_t len, const uint8_t *reply_to,
                       yr_ms expires_ms, struct yr_record *out)
{
    yr_record_clear(out);
    yr_chats_fresh_id(chats, out->id);
    memcpy(out->author, chats->self, YR_ID_LEN);
    memcpy(out->incarnation, chats->incarnation, YR_INCARNATION_LEN);
    if (reply_to != NULL)
        memcpy(out->reply_to, reply_to, YR_MSG_ID_LEN);
    out->own = true;
    out->kind = action ? YR_MSG_ACTION : YR_MSG_TEXT;
    out->state = YR_STATE_ACCEPTED;
    out->hlc = yr_hlc_next(conv->hlc, now.wall_ms);
    out->seq = conv->seq + 1;
    out->received_ms = now.wall_ms;
    out->text = text;
    out->text_len = len;
    out->expires_ms = expires_ms;
    if (yr_chats_is_self(chats, conv)) { // its only reader's disk is this one
        out->state = YR_STATE_DELIVERED;
        out->delivered_ms = now.wall_ms;
    }
    cite_heads(conv, out);
}

static size_t text_max(const struct yr_conv *conv)
{
    return conv->kind == YR_CONV_ROOM ? YR_ROOM_TEXT_MAX : YR_TEXT_MAX;
}

static enum yr_err check_send(struct yr_chats *chats, const struct yr_conv *conv, const void *text,
                              size_t len, const uint8_t *reply_to, size_t key_len)
{
    struct yr_index index;
    enum yr_err err;

    if (conv == NULL)
        return YR_ENOFRIEND;
    if (key_len > KEY_MAX)
        return YR_ESIZE;
    if ((err = check_text(text, len, text_max(conv))) != YR_OK || !yr_msg_id_ok(reply_to))
        return err;
    if ((err = yr_index_get(chats, reply_to, &index)) != YR_OK)
        return err;
    return memcmp(index.conv, conv->id, YR_ID_LEN) == 0 ? YR_OK : YR_ENOENT;
}

// ---- texts with a time ----

#define EXPIRY_KEY (8 + YR_MSG_ID_LEN)

static enum yr_err put_expiry(struct yr_chats *chats, yr_ms at_ms, const uint8_t id[YR_MSG_ID_LEN])
{
    static const uint8_t version = 1;
    uint8_t key[EXPIRY_KEY];
    struct yr_wr wr = yr_wr_init(key, sizeof key);

    yr_wr_u64be(&wr, (uint64_t)at_ms);
    yr_wr_bytes(&wr, id, YR_MSG_ID_LEN);
    return yr_rows_put(chats->rows, YR_TABLE_EXPIRY, NULL, 0, key, sizeof key, &version, 1);
}

// In whole seconds, as it is told.
static enum yr_err check_expiry(struct yr_now now, const struct yr_conv *conv, yr_ms *expires_ms)
{
    const yr_ms now_ms = YR_MAX(now.wall_ms, 0);

    if (*expires_ms == 0)
        return YR_OK;
    if (conv->kind == YR_CONV_ROOM || *expires_ms < 0 ||
        *expires_ms - now_ms > YR_EXPIRY_S_MAX * INT64_C(1000))
        return YR_EINVAL;
    *expires_ms = (*expires_ms + 999) / 1000 * 1000;
    return *expires_ms > now_ms ? YR_OK : YR_EEXPIRED;
}

// A new text to a friend or to ourselves.
static enum yr_err send_direct(struct yr_chats *chats, struct yr_now now, struct yr_conv *conv,
                               bool action, const void *text, size_t len, const uint8_t *reply_to,
                               yr_ms expires_ms, uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_record *record = &chats->record;
    struct yr_weight weight;
    struct yr_place place;
    struct yr_plain plain;
    enum yr_err err;

    own_record(chats, now, conv, action, text, len, reply_to, expires_ms, record);
    if ((err = yr_order_weigh(chats, conv, record, &weight)) != YR_OK)
        return err;
    plain_of(record, &plain);
    if ((err = yr_chats_post(chats, conv, &plain)) != YR_OK)
        return err;

    conv->hlc = record->hlc;
    conv->seq = record->seq;
    conv->dirty = true;
    chats->job_count = 0; // nobody waits for an id that was just made
    yr_place_make(&place, weight.spot.eff, record);
    if ((err = yr_chats_tell(chats, now, YR_EV_MESSAGE, conv, record->id, record->state,
                             &record->cursor)) != YR_OK ||
        (err = yr_order_add(chats, conv, record, &weight, &place)) != YR_OK)
        return err;
    memcpy(id, record->id, YR_MSG_ID_LEN);
    return expires_ms == 0 || record->state != YR_STATE_ACCEPTED
               ? YR_OK
               : put_expiry(chats, expires_ms, id);
}

static enum yr_err send_to_room(struct yr_chats *chats, struct yr_now now,
                                const struct yr_conv *conv, bool action, const void *text,
                                size_t len, const uint8_t *reply_to, uint8_t id[YR_MSG_ID_LEN])
{
    const struct yr_plain plain = {.type = YR_PLAIN_TEXT,
                                   .reply_to = yr_msg_id_ok(reply_to) ? reply_to : NULL,
                                   .flags = action ? YR_PLAIN_ACTION : 0,
                                   .text = text,
                                   .text_len = len};

    return yr_chats_say(chats, now, conv, &plain, id);
}

enum yr_err yr_chat_send(struct yr_chats *chats, struct yr_now now,
                         const uint8_t conv_id[YR_ID_LEN], bool action, const void *text,
                         size_t len, const uint8_t *reply_to, const void *key, size_t key_len,
                         uint8_t id[YR_MSG_ID_LEN])
{
    return yr_chat_send_until(chats, now, conv_id, action, text, len, reply_to, key, key_len, 0,
                              id);
}

enum yr_err yr_chat_send_until(struct yr_chats *chats, struct yr_now now,
                               const uint8_t conv_id[YR_ID_LEN], bool action, const void *text,
                               size_t len, const uint8_t *reply_to, const void *key, size_t key_len,
                               yr_ms expires_ms, uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_conv *conv = yr_chats_conv(chats, conv_id);
    uint8_t hash[YR_HASH16], fresh[YR_MSG_ID_LEN];
    enum yr_err err;

    if ((err = check_send(chats, conv, text, len, reply_to, key_len)) != YR_OK)
        return err;
    if (key_len > 0) {
        yr_hash16(hash, key, key_len);
        if ((err = check_key(chats, now.wall_ms, hash, id)) != YR_OK)
            return err;
    }
    if ((err = check_expiry(now, conv, &expires_ms)) != YR_OK)
        return err;
    err = conv->kind == YR_CONV_ROOM
              ? send_to_room(chats, now, conv, action, text, len, reply_to, fresh)
              : send_direct(chats, now, conv, action, text, len, reply_to, expires_ms, fresh);
    if (err != YR_OK || (key_len > 0 && (err = put_key(chats, now.wall_ms, hash, fresh)) != YR_OK))
        return err;
    memcpy(id, fresh, YR_MSG_ID_LEN);
    return YR_OK;
}

enum yr_err yr_chats_line(struct yr_chats *chats, struct yr_now now, struct yr_conv *conv,
                          const uint8_t author[YR_ID_LEN], const char *text)
{
    struct yr_record *record = &chats->record;
    struct yr_index index = {.epoch = 0};
    const bool room = conv->kind == YR_CONV_ROOM;
    // In a room its author is zero and would stand first among equals.
    const uint64_t below = conv->eff_max + (room && conv->eff_max < UINT64_MAX ? 1 : 0);
    enum yr_err err;

    yr_record_clear(record);
    record->room = room;
    yr_chats_fresh_id(chats, record->id);
    memcpy(record->author, author, YR_ID_LEN);
    record->own = memcmp(author, chats->self, YR_ID_LEN) == 0;
    record->kind = YR_MSG_SYSTEM;
    record->state = YR_STATE_DELIVERED;
    record->hlc = conv->hlc = yr_hlc_next(conv->hlc, now.wall_ms);
    record->seq = UINT64_C(1) << 63 | ++conv->note_count; // no place another message could have
    record->received_ms = now.wall_ms;
    record->text = (const uint8_t *)text;
    record->text_len = YR_MIN(strlen(text), YR_TEXT_MAX);
    conv->dirty = true;
    memcpy(index.conv, conv->id, YR_ID_LEN);
    // At the end, as things are now.  It is nobody's parent, so it moves nothing of others.
    yr_place_make(&index.place, YR_MAX(record->hlc, below), record);
    if ((err = yr_chats_tell(chats, now, YR_EV_MESSAGE, conv, record->id, record->state,
                             &record->cursor)) != YR_OK ||
        (err = yr_record_put(chats, conv->id, &index.place, record)) != YR_OK)
        return err;
    return yr_index_put(chats, record->id, &index);
}

enum yr_err yr_chat_note(struct yr_chats *chats, struct yr_now now,
                         const uint8_t conv_id[YR_ID_LEN], const char *text)
{
    struct yr_conv *conv = yr_chats_conv(chats, conv_id);

    static const uint8_t nobody[YR_ID_LEN];

    if (conv == NULL)
        return YR_ENOFRIEND;
    return yr_chats_line(chats, now, conv, conv->kind == YR_CONV_ROOM ? nobody : chats->self, text);
}

// ---- operations of ours ----

// The message an operation of ours is about, in an open conversation.
static enum yr_err find_target(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                               struct yr_index *index, struct yr_conv **conv)
{
    enum yr_err err = yr_record_find(chats, id, index, &chats->record);

    if (err != YR_OK)
        return err;
    *conv = yr_chats_conv(chats, index->conv);
    return *conv != NULL ? YR_OK : YR_ENOFRIEND;
}

static struct yr_change own_change(struct yr_chats *chats, struct yr_now now,
                                   const struct yr_conv *conv, enum yr_plain_type type,
                                   const uint8_t target[YR_MSG_ID_LEN])
{
    struct yr_change change = {.type = type};

    yr_chats_fresh_id(chats, change.id);
    memcpy(change.target, target, YR_MSG_ID_LEN);
    memcpy(change.author, conv->self, YR_ID_LEN);
    if (conv->kind == YR_CONV_ROOM && chats->ops->incarnation != NULL) {
        const uint8_t *incarnation = chats->ops->incarnation(chats->ops->ctx, conv->id);
        if (incarnation != NULL)
            memcpy(change.incarnation, incarnation, YR_INCARNATION_LEN);
    }
    change.hlc = yr_hlc_next(conv->hlc, now.wall_ms);
    change.seq = conv->seq + 1;
    return change;
}

static enum yr_err post_change(struct yr_chats *chats, const struct yr_conv *conv,
                               const struct yr_change *change)
{
    struct yr_plain plain = {.type = change->type,
                             .id = change->id,
                             .hlc = change->hlc,
                             .seq = change->seq,
                             .incarnation = chats->incarnation,
                             .target = change->target,
                             .text = change->text,
                             .text_len = change->text_len,
                             .on = change->on};

    return yr_chats_post(chats, conv, &plain);
}

// An operation in a room comes back as everybody's does, and is applied then.
static enum yr_err say_change(struct yr_chats *chats, struct yr_now now, const struct yr_conv *conv,
                              const struct yr_change *change)
{
    const struct yr_plain plain = {.type = change->type,
                                   .target = change->target,
                                   .text = change->text,
                                   .text_len = change->text_len,
                                   .on = change->on};
    uint8_t id[YR_MSG_ID_LEN];

    return yr_chats_say(chats, now, conv, &plain, id);
}

// Post it, apply it to chats->record, store and tell.
static enum yr_err carry_out(struct yr_chats *chats, struct yr_now now, struct yr_conv *conv,
                             const struct yr_index *index, const struct yr_change *change,
                             enum yr_event_kind kind)
{
    struct yr_record *record = &chats->record;
    bool visible, stored;
    enum yr_err err;

    if (conv->kind == YR_CONV_ROOM)
        return say_change(chats, now, conv, change);
    if ((err = post_change(chats, conv, change)) != YR_OK)
        return err;
    conv->hlc = change->hlc;
    conv->seq = change->seq;
    conv->dirty = true;
    if ((err = yr_record_apply(record, change, &visible, &stored)) != YR_OK)
        return err;
    if (stored && (err = yr_record_put(chats, conv->id, &index->place, record)) != YR_OK)
        return err;
    return yr_chats_tell(chats, now, kind, conv, record->id, record->state, NULL);
}

// Take back what has not left; true: nobody else can have it.
static bool recall(struct yr_chats *chats, const struct yr_conv *conv,
                   const uint8_t id[YR_MSG_ID_LEN])
{
    return conv->kind == YR_CONV_DIRECT && yr_msg_id_ok(id) &&
           chats->ops->recall(chats->ops->ctx, conv->id, id);
}

enum yr_err yr_chat_edit(struct yr_chats *chats, struct yr_now now, const uint8_t id[YR_MSG_ID_LEN],
                         const void *text, size_t len)
{
    struct yr_record *record = &chats->record;
    uint8_t before[YR_MSG_ID_LEN];
    struct yr_change change;
    struct yr_index index;
    struct yr_conv *conv;
    enum yr_err err;

    if ((err = check_text(text, len, YR_TEXT_MAX)) != YR_OK ||
        (err = find_target(chats, id, &index, &conv)) != YR_OK ||
        (err = check_text(text, len, text_max(conv))) != YR_OK)
        return err;
    if (!record->own || record->deleted || record->kind == YR_MSG_SYSTEM ||
        record->state == YR_STATE_FAILED)
        return YR_EDENIED;
    memcpy(before, record->edit_id, sizeof before);
    change = own_change(chats, now, conv, YR_PLAIN_EDIT, id);
    if (record->room && memcmp(record->incarnation, change.incarnation, YR_INCARNATION_LEN) != 0)
        return YR_EDENIED; // nobody would take it
    change.text = text;
    change.text_len = len;
    err = carry_out(chats, now, conv, &index, &change, YR_EV_EDIT);
    if (err == YR_OK)
        (void)recall(chats, conv, before); // nobody needs the one before any more
    return err;
}

// Nobody has this text of ours: what else was said of it must not leave either.
static void recall_all(struct yr_chats *chats, const struct yr_conv *conv,
                       const struct yr_record *record)
{
    (void)recall(chats, conv, record->edit_id);
    for (size_t i = 0; i < record->mark_count; i++)
        if (memcmp(record->marks[i].author, chats->self, YR_ID_LEN) == 0)
            (void)recall(chats, conv, record->marks[i].id);
}

// Nobody has it.  Its place stays, and only that: what cites it must stand behind it everywhere.
static enum yr_err cancel(struct yr_chats *chats, struct yr_now now, struct yr_conv *conv,
                          const struct yr_index *index)
{
    struct yr_record *record = &chats->record;
    struct yr_plain plain;
    enum yr_err err;

    recall_all(chats, conv, record);
    yr_record_erase(record);
    record->state = YR_STATE_CANCELLED;
    record->kind = YR_MSG_TEXT;
    memset(record->reply_to, 0, sizeof record->reply_to);
    plain_of(record, &plain);
    if ((err = yr_chats_post(chats, conv, &plain)) != YR_OK ||
        (err = yr_record_put(chats, conv->id, &index->place, record)) != YR_OK ||
        (err = yr_chats_tell(chats, now, YR_EV_STATE, conv, record->id, record->state, NULL)) !=
            YR_OK)
        return err;
    return yr_chats_tell(chats, now, YR_EV_DELETE, conv, record->id, record->state, NULL);
}

// The time of one of our texts has come.  What nobody has is given up, and its place leaves without
// it, as of one that was cancelled; of what is sealed already word may still come.
static enum yr_err give_up(struct yr_chats *chats, struct yr_now now,
                           const uint8_t id[YR_MSG_ID_LEN], yr_ms at_ms)
{
    struct yr_record *record = &chats->record;
    struct yr_plain plain;
    struct yr_index index;
    struct yr_conv *conv;
    enum yr_err err = find_target(chats, id, &index, &conv);
    const bool last = err == YR_OK && at_ms >= record->expires_ms + YR_EXPIRY_GRACE_S * 1000;

    if (err != YR_OK) // forgotten, with its friend maybe
        return err == YR_ENOENT || err == YR_ENOFRIEND ? YR_OK : err;
    if (!record->own || record->state >= YR_STATE_DELIVERED || record->deleted)
        return YR_OK;
    if (record->state == YR_STATE_ACCEPTED && recall(chats, conv, id)) {
        recall_all(chats, conv, record);
        plain_of(record, &plain);
        plain.type = YR_PLAIN_DELETE;
        plain.target = record->id;
        plain.reply_to = NULL;
        plain.flags = plain.expires_s = 0;
        plain.text = NULL;
        plain.text_len = 0;
        err = yr_chats_post(chats, conv, &plain);
    } else if (!last) {
        return put_expiry(chats, record->expires_ms + YR_EXPIRY_GRACE_S * 1000, id);
    }
    if (err != YR_OK)
        return err;
    record->state = YR_STATE_FAILED;
    record->failed_ms = now.wall_ms;
    if ((err = yr_record_put(chats, conv->id, &index.place, record)) != YR_OK)
        return err;
    return yr_chats_tell(chats, now, YR_EV_STATE, conv, id, record->state, NULL);
}

enum yr_err yr_chats_expire(struct yr_chats *chats, struct yr_now now, yr_ms *next_ms)
{
    for (size_t i = 0;; i++) {
        struct yr_row at = {.suffix_len = 0};
        uint8_t value[64], id[YR_MSG_ID_LEN];
        struct yr_rd rd;
        yr_ms at_ms;
        enum yr_err err = yr_rows_seek(chats->rows, YR_TABLE_EXPIRY, NULL, 0, YR_SEEK_GE, &at,
                                       value, sizeof value);

        *next_ms = INT64_MAX;
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
        rd = yr_rd_init(at.suffix, at.suffix_len);
        at_ms = (yr_ms)yr_rd_u64be(&rd);
        yr_rd_copy(&rd, id, sizeof id);
        if (!yr_rd_done(&rd) || at_ms < 0)
            return YR_ECORRUPT;
        *next_ms = at_ms;
        if (at_ms > now.wall_ms || i == EXPIRED_AT_ONCE)
            return YR_OK;
        if ((err = yr_rows_del(chats->rows, YR_TABLE_EXPIRY, NULL, 0, at.suffix, at.suffix_len)) !=
                YR_OK ||
            (err = give_up(chats, now, id, at_ms)) != YR_OK)
            return err;
    }
}

enum yr_err yr_chat_delete(struct yr_chats *chats, struct yr_now now,
                           const uint8_t id[YR_MSG_ID_LEN], bool local)
{
    struct yr_record *record = &chats->record;
    struct yr_change change;
    struct yr_index index;
    struct yr_conv *conv;
    enum yr_err err = find_target(chats, id, &index, &conv);

    if (err != YR_OK)
        return err;
    if (!local && (!record->own || record->kind == YR_MSG_SYSTEM))
        return YR_EDENIED;
    if (record->deleted && (local || !record->here_only))
        return YR_OK;
    if (local) {
        yr_record_erase(record);
        record->here_only = record->own && record->kind != YR_MSG_SYSTEM;
        err = yr_record_put(chats, conv->id, &index.place, record);
        return err != YR_OK
                   ? err
                   : yr_chats_tell(chats, now, YR_EV_DELETE, conv, id, record->state, NULL);
    }
    // What was deleted here has forgotten its edits: they could not be taken back with it.
    if (record->state == YR_STATE_ACCEPTED && !record->deleted && recall(chats, conv, id))
        return cancel(chats, now, conv, &index);
    change = own_change(chats, now, conv, YR_PLAIN_DELETE, id);
    return carry_out(chats, now, conv, &index, &change, YR_EV_DELETE);
}

enum yr_err yr_chat_react(struct yr_chats *chats, struct yr_now now,
                          const uint8_t id[YR_MSG_ID_LEN], const void *emoji, size_t len,
                          bool remove)
{
    struct yr_record *trial = &chats->moving;
    uint8_t before[YR_MSG_ID_LEN] = {0};
    const uint8_t *last;
    struct yr_change change;
    struct yr_index index;
    struct yr_conv *conv;
    bool visible, stored;
    enum yr_err err;

    if ((err = check_text(emoji, len, YR_EMOJI_MAX)) != YR_OK ||
        (err = find_target(chats, id, &index, &conv)) != YR_OK)
        return err;
    if (chats->record.deleted)
        return YR_EDENIED;
    change = own_change(chats, now, conv, YR_PLAIN_REACTION, id);
    change.text = emoji;
    change.text_len = len;
    change.on = !remove;
    if (yr_record_full(&chats->record, &change))
        return remove ? YR_OK : YR_EFULL;
    if ((last = yr_record_reaction(&chats->record, &change)) != NULL)
        memcpy(before, last, sizeof before);
    *trial = chats->record; // would anything change?
    if ((err = yr_record_apply(trial, &change, &visible, &stored)) != YR_OK || !visible)
        return err;
    err = carry_out(chats, now, conv, &index, &change, YR_EV_REACTION);
    if (err == YR_OK)
        (void)recall(chats, conv, before);
    return err;
}
