/* What others say.  Everything is decoded and checked before anything changes; after that only the
 * machine can refuse, and then the owner resets. */
#include "core/chat/state.h"

#define NOTE_EVERY_MS 60000

// One plaintext on its way in.
struct incoming {
    struct yr_now now;
    struct yr_conv *conv;
    const uint8_t *author;
    const struct yr_plain *plain;
    bool receipted;
};

static enum yr_err malformed(struct yr_chats *chats)
{
    yr_chats_count(chats, YR_CHAT_MALFORMED);
    return YR_EPROTO;
}

// A line in the conversation, not more than one a minute, whatever comes.
static enum yr_err complain(struct yr_chats *chats, const struct incoming *in, const char *text)
{
    const yr_ms wall_ms = in->now.wall_ms;

    if (in->conv->note_ms != 0 && wall_ms >= in->conv->note_ms &&
        wall_ms - in->conv->note_ms < NOTE_EVERY_MS)
        return YR_OK;
    in->conv->note_ms = wall_ms;
    return yr_chats_line(chats, in->now, in->conv, in->author, text);
}

// ---- receipts ----

enum yr_err yr_chats_raise(struct yr_chats *chats, struct yr_now now, const struct yr_conv *conv,
                           const uint8_t id[YR_MSG_ID_LEN], enum yr_state state)
{
    struct yr_record *record = &chats->record;
    struct yr_index index;
    enum yr_err err = yr_index_get(chats, id, &index);

    if (err == YR_ENOENT || (err == YR_OK && memcmp(index.conv, conv->id, YR_ID_LEN) != 0))
        return YR_OK;
    if (err == YR_OK)
        err = yr_record_at(chats, id, &index, record);
    if (err != YR_OK)
        return err;
    if (!record->own || record->kind == YR_MSG_SYSTEM)
        return YR_OK;
    if (record->state == YR_STATE_FAILED && record->expires_ms != 0 && state >= YR_STATE_DELIVERED)
        record->failed_ms = 0; // it was there in time, and word of that comes late
    else if (record->state >= state)
        return YR_OK; // states never go back; CANCELLED stays
    record->state = state;
    if (state == YR_STATE_HELD)
        record->held_ms = now.wall_ms;
    else if (record->delivered_ms == 0)
        record->delivered_ms = now.wall_ms;
    if (state == YR_STATE_READ)
        record->read_ms = now.wall_ms;
    if ((err = yr_record_put(chats, conv->id, &index.place, record)) != YR_OK)
        return err;
    return yr_chats_tell(chats, now, YR_EV_STATE, conv, id, state, NULL);
}

static enum yr_err advance_all(struct yr_chats *chats, const struct incoming *in,
                               const uint8_t *const *ids, size_t count, enum yr_state state)
{
    for (size_t i = 0; i < count; i++) {
        const enum yr_err err = yr_chats_raise(chats, in->now, in->conv, ids[i], state);

        if (err != YR_OK)
            return err;
    }
    return YR_OK;
}

enum yr_err yr_chat_held(struct yr_chats *chats, struct yr_now now,
                         const uint8_t conv_id[YR_ID_LEN], const uint8_t id[YR_MSG_ID_LEN])
{
    const struct yr_conv *conv = yr_chats_conv(chats, conv_id);

    if (conv == NULL || conv->kind != YR_CONV_DIRECT)
        return YR_ENOFRIEND;
    return yr_chats_raise(chats, now, conv, id, YR_STATE_HELD);
}

// What carried these has come.  Of one that has a time that does not say that it was shown.
static enum yr_err acknowledged(struct yr_chats *chats, const struct incoming *in)
{
    for (size_t i = 0; i < in->plain->ack_count; i++) {
        const uint8_t *id = in->plain->acks[i];
        struct yr_index index;
        enum yr_err err = yr_record_find(chats, id, &index, &chats->record);

        if (err == YR_ENOENT || (err == YR_OK && chats->record.expires_ms != 0))
            continue;
        if (err != YR_OK ||
            (err = yr_chats_raise(chats, in->now, in->conv, id, YR_STATE_DELIVERED)) != YR_OK)
            return err;
    }
    return YR_OK;
}

// Have a DELIVERED receipt sent with the next flush.
static enum yr_err acknowledge(struct yr_chats *chats, struct incoming *in)
{
    struct yr_conv *conv = in->conv;
    enum yr_err err;

    if (conv->ack_count == YR_ACKS_MAX && (err = yr_chats_post_acks(chats, in->now, conv)) != YR_OK)
        return err;
    if (conv->ack_count == conv->ack_cap) {
        const size_t cap = YR_MIN(YR_MAX(2 * conv->ack_cap, 16), YR_ACKS_MAX);
        void *acks = yr_realloc(chats->mem, YR_MEM_CHAT, conv->acks, cap * sizeof conv->acks[0]);

        if (acks == NULL)
            return YR_ENOMEM;
        conv->acks = acks;
        conv->ack_cap = cap;
    }
    memcpy(conv->acks[conv->ack_count++], in->plain->id, YR_MSG_ID_LEN);
    in->receipted = true;
    return YR_OK;
}

// ---- texts ----

// So late that it may not be shown any more, by our clock.
static bool too_late(const struct incoming *in)
{
    const uint64_t expires_s = in->plain->expires_s;

    return in->plain->type == YR_PLAIN_TEXT && in->plain->known && expires_s != 0 &&
           in->now.wall_ms > 0 && expires_s < (uint64_t)in->now.wall_ms / 1000 &&
           (uint64_t)in->now.wall_ms / 1000 - expires_s > YR_EXPIRY_GRACE_S;
}

// A text, its tombstone (taken back before anybody had it), or what a later version says in its
// place: it has a place in the order all the same.
static void record_of(const struct incoming *in, struct yr_record *out)
{
    const struct yr_plain *plain = in->plain;

    yr_record_clear(out);
    memcpy(out->id, plain->id, YR_MSG_ID_LEN);
    memcpy(out->author, in->author, YR_ID_LEN);
    memcpy(out->incarnation, plain->incarnation, YR_INCARNATION_LEN);
    if (plain->reply_to != NULL)
        memcpy(out->reply_to, plain->reply_to, YR_MSG_ID_LEN);
    for (size_t i = 0; i < plain->parent_count; i++)
        memcpy(out->parents[i], plain->parents[i], YR_MSG_ID_LEN);
    out->parent_count = plain->parent_count;
    out->state = YR_STATE_DELIVERED;
    out->hlc = plain->hlc;
    out->seq = plain->seq;
    out->received_ms = in->now.wall_ms;
    if (plain->type == YR_PLAIN_DELETE || too_late(in)) {
        yr_record_erase(out);
        out->seen = true; // there is nothing to read
        if (plain->type == YR_PLAIN_TEXT)
            out->failed_ms = in->now.wall_ms;
    } else if (plain->known) {
        out->kind = (plain->flags & YR_PLAIN_ACTION) != 0 ? YR_MSG_ACTION : YR_MSG_TEXT;
        out->text = plain->text;
        out->text_len = plain->text_len;
    } else {
        out->kind = YR_MSG_SYSTEM;
        out->text = (const uint8_t *)UNKNOWN_TEXT;
        out->text_len = sizeof UNKNOWN_TEXT - 1;
    }
}

// The id is taken: by the same message again, or by something that must not be touched.
static enum yr_err seen_before(struct yr_chats *chats, struct incoming *in,
                               const struct yr_index *index)
{
    struct yr_record *record = &chats->record;
    enum yr_err err;

    if (memcmp(index->conv, in->conv->id, YR_ID_LEN) != 0) {
        yr_chats_count(chats, YR_CHAT_FOREIGN);
        return YR_EPROTO;
    }
    if ((err = yr_record_at(chats, in->plain->id, index, record)) != YR_OK)
        return err;
    if (memcmp(record->author, in->author, YR_ID_LEN) != 0) {
        yr_chats_count(chats, YR_CHAT_FOREIGN);
        return YR_EPROTO;
    }
    if (record->failed_ms != 0) { // of which nothing was kept to compare
        yr_chats_count(chats, YR_CHAT_DUPLICATE);
        return YR_EEXIST;
    }
    if (!yr_record_same(record, in->plain)) {
        yr_chats_count(chats, YR_CHAT_CONFLICT);
        return YR_EEXIST;
    }
    yr_chats_count(chats, YR_CHAT_DUPLICATE);
    // Sent again because the receipt did not arrive, or not yet: another one does no harm.
    err = in->plain->type == YR_PLAIN_TEXT ? acknowledge(chats, in) : YR_OK;
    return err != YR_OK ? err : YR_EEXIST;
}

static enum yr_err receive_text(struct yr_chats *chats, struct incoming *in)
{
    struct yr_record *record = &chats->record;
    struct yr_conv *conv = in->conv;
    bool is_free = true;
    struct yr_weight weight;
    struct yr_index index;
    struct yr_place place;
    enum yr_err err = yr_index_get(chats, in->plain->id, &index);

    if (err != YR_ENOENT)
        return err == YR_OK ? seen_before(chats, in, &index) : err;
    record_of(in, record);
    if ((err = yr_order_weigh(chats, conv, record, &weight)) != YR_OK)
        return err;
    yr_place_make(&place, weight.spot.eff, record);
    if (weight.spot.eff <= conv->eff_max &&
        (err = yr_place_free(chats, conv, &place, &is_free)) != YR_OK)
        return err;
    if (!is_free) {
        yr_chats_count(chats, YR_CHAT_CLASH);
        return YR_EPROTO;
    }

    if ((err = yr_order_collect(chats, conv, record)) != YR_OK)
        return err;
    if (in->plain->type != YR_PLAIN_DELETE && record->failed_ms == 0 &&
        (err = yr_chats_tell(chats, in->now, YR_EV_MESSAGE, conv, record->id, record->state,
                             &record->cursor)) != YR_OK)
        return err;
    yr_marker_arrived(conv, record, &place);
    if ((err = yr_order_add(chats, conv, record, &weight, &place)) != YR_OK)
        return err;
    return in->plain->type == YR_PLAIN_TEXT && !too_late(in) ? acknowledge(chats, in) : YR_OK;
}

// ---- operations ----

static enum yr_event_kind event_of(enum yr_plain_type type)
{
    if (type == YR_PLAIN_EDIT)
        return YR_EV_EDIT;
    return type == YR_PLAIN_DELETE ? YR_EV_DELETE : YR_EV_REACTION;
}

enum yr_err yr_chats_apply(struct yr_chats *chats, struct yr_now now, const struct yr_conv *conv,
                           const struct yr_index *index, const struct yr_change *change)
{
    struct yr_record *record = &chats->record;
    bool visible, stored;
    enum yr_err err = yr_record_at(chats, change->target, index, record);

    if (err != YR_OK)
        return err;
    err = yr_record_apply(record, change, &visible, &stored);
    if (err != YR_OK) {
        yr_chats_count(chats, err == YR_EFULL ? YR_CHAT_REACTIONS_FULL : YR_CHAT_DENIED);
        return YR_EPROTO;
    }
    if (stored && (err = yr_record_put(chats, conv->id, &index->place, record)) != YR_OK)
        return err;
    return visible ? yr_chats_tell(chats, now, event_of(change->type), conv, record->id,
                                   record->state, NULL)
                   : YR_OK;
}

static enum yr_err receive_change(struct yr_chats *chats, struct incoming *in)
{
    const struct yr_plain *plain = in->plain;
    struct yr_change change = {.type = (enum yr_plain_type)plain->type,
                               .hlc = plain->hlc,
                               .seq = plain->seq,
                               .on = plain->on,
                               .text = plain->text,
                               .text_len = plain->text_len};
    struct yr_index index;
    enum yr_err err;

    memcpy(change.author, in->author, YR_ID_LEN);
    memcpy(change.id, plain->id, YR_MSG_ID_LEN);
    memcpy(change.target, plain->target, YR_MSG_ID_LEN);
    err = yr_index_get(chats, change.target, &index);
    if (err == YR_ENOENT && change.type == YR_PLAIN_DELETE &&
        memcmp(change.target, change.id, YR_MSG_ID_LEN) == 0)
        return plain->incarnation != NULL ? receive_text(chats, in) : malformed(chats);
    if (err == YR_ENOENT)
        return yr_order_wait(chats, in->conv, &change);
    if (err != YR_OK)
        return err;
    if (memcmp(index.conv, in->conv->id, YR_ID_LEN) != 0) {
        yr_chats_count(chats, YR_CHAT_FOREIGN);
        return YR_EPROTO;
    }
    return yr_chats_apply(chats, in->now, in->conv, &index, &change);
}

// ---- the way in ----

static enum yr_err receive_known(struct yr_chats *chats, struct incoming *in,
                                 struct yr_chat_aside *aside)
{
    const struct yr_plain *plain = in->plain;

    switch ((enum yr_plain_type)plain->type) {
    case YR_PLAIN_TEXT:
        return plain->incarnation != NULL ? receive_text(chats, in) : malformed(chats);
    case YR_PLAIN_EDIT:
    case YR_PLAIN_DELETE:
    case YR_PLAIN_REACTION:
        return yr_msg_id_ok(plain->target) ? receive_change(chats, in) : malformed(chats);
    case YR_PLAIN_DELIVERED:
        return advance_all(chats, in, plain->ids, plain->id_count, YR_STATE_DELIVERED);
    case YR_PLAIN_READ: return advance_all(chats, in, plain->ids, plain->id_count, YR_STATE_READ);
    case YR_PLAIN_PROFILE:
    case YR_PLAIN_RELAYS:
    case YR_PLAIN_PREKEY:
    case YR_PLAIN_ROOM_INVITE:
    case YR_PLAIN_ROOM_JOIN:
    case YR_PLAIN_NOOP:
        aside->type = (enum yr_plain_type)plain->type;
        aside->plain = *plain;
        return YR_OK;
    case YR_PLAIN_COUNT: break;
    }
    return malformed(chats);
}

static enum yr_err receive_unknown(struct yr_chats *chats, struct incoming *in)
{
    yr_chats_count(chats, YR_CHAT_UNKNOWN);
    return in->plain->incarnation != NULL ? receive_text(chats, in)
                                          : complain(chats, in, UNKNOWN_TEXT);
}

enum yr_err yr_chat_receive(struct yr_chats *chats, struct yr_now now,
                            const uint8_t conv[YR_ID_LEN], const uint8_t author[YR_ID_LEN],
                            const uint8_t *bytes, size_t len, struct yr_chat_aside *aside)
{
    struct yr_plain plain;
    struct incoming in = {now, yr_chats_conv(chats, conv), author, &plain, false};
    enum yr_err err;

    aside->type = YR_PLAIN_COUNT;
    aside->receipted = false;
    if (in.conv == NULL || in.conv->kind == YR_CONV_ROOM ||
        memcmp(author, chats->self, YR_ID_LEN) == 0)
        return malformed(chats);
    if (yr_plain_decode(&plain, bytes, len) != YR_OK) {
        yr_chats_count(chats, YR_CHAT_UNREADABLE);
        err = complain(chats, &in, UNREADABLE_TEXT);
        return err != YR_OK ? err : YR_EPROTO;
    }
    if (!yr_msg_id_ok(plain.id))
        return malformed(chats);
    in.conv->hlc = yr_hlc_seen(in.conv->hlc, plain.hlc, now.wall_ms);
    in.conv->dirty = true;
    if ((err = acknowledged(chats, &in)) != YR_OK)
        return err;
    err = plain.known ? receive_known(chats, &in, aside) : receive_unknown(chats, &in);
    aside->receipted = in.receipted;
    return err;
}
