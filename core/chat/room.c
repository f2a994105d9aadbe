/* What is said in rooms, by us and by others.  It comes out of a log that has checked who said it
 * and has put it in its place for ever, so that nothing waits here but an operation whose target
 * could not be opened yet. */
#include "core/chat/state.h"

// One content on its way in.
struct heard {
    struct yr_now now;
    struct yr_conv *conv;
    const struct yr_chat_said *said;
    uint8_t author[YR_ID_LEN];
};

static struct heard heard_of(struct yr_now now, struct yr_conv *conv,
                             const struct yr_chat_said *said)
{
    struct heard in = {.now = now, .conv = conv, .said = said};

    memcpy(in.author, said->author, YR_MID_LEN);
    return in;
}

// ---- mentions ----

// Bytes of the character at `at`; *word: it can be part of a word.  Of what is not ASCII only
// punctuation that is met beside names is none: dashes, quotes, ellipses, those of CJK.
static size_t character(const uint8_t *at, size_t left, bool *word)
{
    const uint8_t c = *at;
    size_t len = 1;

    if (c < 0x80) {
        *word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                c == '_' || c == '-';
        return 1;
    }
    while (len < left && (at[len] & 0xc0) == 0x80)
        len++;
    *word = !(len == 3 && ((c == 0xe2 && (at[1] == 0x80 || at[1] == 0x81)) || // U+2000 - 206F
                           (c == 0xe3 && at[1] == 0x80)));                    // U+3000 - 303F
    return len;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool same_name(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

// "@nick", not within a word and not the beginning of a longer one.
static bool mentions(const uint8_t *text, size_t len, const char *nick)
{
    const size_t nick_len = strlen(nick);
    bool before = false; // the character before was part of a word

    for (size_t i = 0; nick_len > 0 && i + 1 + nick_len <= len;) {
        const size_t end = i + 1 + nick_len;
        bool after = false;

        if (text[i] == '@' && !before && same_name(text + i + 1, (const uint8_t *)nick, nick_len)) {
            if (end < len)
                (void)character(text + end, len - end, &after);
            if (!after)
                return true;
        }
        i += character(text + i, len - i, &before);
    }
    return false;
}

// ---- new messages ----

static void record_of(const struct heard *in, enum yr_msg_kind kind, const uint8_t *text,
                      size_t len, struct yr_record *out)
{
    const struct yr_chat_said *said = in->said;

    yr_record_clear(out);
    memcpy(out->id, said->id, YR_MSG_ID_LEN);
    memcpy(out->author, in->author, YR_ID_LEN);
    memcpy(out->incarnation, said->incarnation, YR_INCARNATION_LEN);
    out->room = true;
    out->own = said->own;
    out->kind = kind;
    out->state = said->own ? YR_STATE_ACCEPTED : YR_STATE_DELIVERED;
    out->hlc = said->hlc;
    out->seq = said->seq;
    out->received_ms = in->now.wall_ms;
    out->text = text;
    out->text_len = len;
}

// Is it here?  An id in a room is a hash; whatever of another conversation has the same was given
// it by a friend who wants this one not to be found, so it gives way.
static enum yr_err find(struct yr_chats *chats, const struct yr_conv *conv,
                        const uint8_t id[YR_MSG_ID_LEN], struct yr_index *out)
{
    const enum yr_err err = yr_index_get(chats, id, out);

    if (err != YR_OK || memcmp(out->conv, conv->id, YR_ID_LEN) == 0)
        return err;
    yr_chats_count(chats, YR_CHAT_FOREIGN);
    return YR_ENOENT;
}

// Store chats->record, of which nothing is here yet.
static enum yr_err add(struct yr_chats *chats, const struct heard *in)
{
    struct yr_record *record = &chats->record;
    struct yr_conv *conv = in->conv;
    struct yr_index index = {.epoch = 0};
    bool is_free = true;
    enum yr_err err;

    memcpy(index.conv, conv->id, YR_ID_LEN);
    yr_place_make(&index.place, in->said->eff, record);
    if (in->said->eff <= conv->eff_max &&
        (err = yr_place_free(chats, conv, &index.place, &is_free)) != YR_OK)
        return err;
    if (!is_free) {
        yr_chats_count(chats, YR_CHAT_CLASH);
        return YR_OK;
    }
    if ((err = yr_order_collect(chats, conv, record)) != YR_OK ||
        (err = yr_chats_tell(chats, in->now, YR_EV_MESSAGE, conv, record->id, record->state,
                             &record->cursor)) != YR_OK)
        return err;
    yr_marker_arrived(conv, record, &index.place);
    conv->eff_max = YR_MAX(conv->eff_max, in->said->eff);
    conv->dirty = true;
    if ((err = yr_record_put(chats, conv->id, &index.place, record)) != YR_OK)
        return err;
    return yr_index_put(chats, record->id, &index);
}

// A text or a line, unless it is here.
static enum yr_err take_message(struct yr_chats *chats, const struct heard *in,
                                enum yr_msg_kind kind, const uint8_t *reply_to, const uint8_t *text,
                                size_t len)
{
    struct yr_record *record = &chats->record;
    struct yr_index index;
    enum yr_err err = find(chats, in->conv, in->said->id, &index);

    if (err == YR_OK)
        yr_chats_count(chats, YR_CHAT_DUPLICATE);
    if (err != YR_ENOENT)
        return err;
    record_of(in, kind, text, len, record);
    if (reply_to != NULL)
        memcpy(record->reply_to, reply_to, YR_MSG_ID_LEN);
    record->mention = !record->own && kind != YR_MSG_SYSTEM && mentions(text, len, in->conv->nick);
    return add(chats, in);
}

static enum yr_err take_line(struct yr_chats *chats, const struct heard *in,
                             enum yr_chat_counter why, const char *text)
{
    yr_chats_count(chats, why);
    return take_message(chats, in, YR_MSG_SYSTEM, NULL, (const uint8_t *)text, strlen(text));
}

// ---- operations ----

static enum yr_err take_change(struct yr_chats *chats, const struct heard *in,
                               const struct yr_plain *plain)
{
    struct yr_change change = {.type = (enum yr_plain_type)plain->type,
                               .hlc = in->said->hlc,
                               .seq = in->said->seq,
                               .on = plain->on,
                               .text = plain->text,
                               .text_len = plain->text_len};
    struct yr_index index;
    enum yr_err err;

    memcpy(change.author, in->author, YR_ID_LEN);
    memcpy(change.incarnation, in->said->incarnation, YR_INCARNATION_LEN);
    memcpy(change.id, in->said->id, YR_MSG_ID_LEN);
    memcpy(change.target, plain->target, YR_MSG_ID_LEN);
    err = find(chats, in->conv, change.target, &index);
    if (err == YR_OK)
        err = yr_chats_apply(chats, in->now, in->conv, &index, &change);
    else if (err == YR_ENOENT)
        err = yr_order_wait(chats, in->conv, &change);
    // It waits already, there is no room for it, or it may not: then it has no effect anywhere.
    return err == YR_EEXIST || err == YR_EPROTO ? YR_OK : err;
}

// ---- forks ----

static bool is_void(const struct yr_chat_said *said)
{
    return said->fork != 0 && said->seq >= said->fork;
}

// chats->record is no message any more but a line.
static enum yr_err make_line(struct yr_chats *chats, const struct heard *in,
                             const struct yr_index *index)
{
    struct yr_record *record = &chats->record;
    const bool first = yr_marker_gone(in->conv, record, &index->place);
    enum yr_err err;

    yr_chats_count(chats, YR_CHAT_VOIDED);
    yr_record_void(record, UNREADABLE_TEXT);
    if ((err = yr_record_put(chats, in->conv->id, &index->place, record)) != YR_OK ||
        (err = yr_chats_tell(chats, in->now, YR_EV_EDIT, in->conv, record->id, record->state,
                             NULL)) != YR_OK)
        return err;
    return first ? yr_marker_refind(chats, in->conv, &index->place) : YR_OK;
}

static enum yr_err take_void(struct yr_chats *chats, const struct heard *in)
{
    const struct yr_record *record = &chats->record;
    const size_t len = sizeof UNREADABLE_TEXT - 1;
    struct yr_index index;
    enum yr_err err = find(chats, in->conv, in->said->id, &index);

    if (err == YR_ENOENT)
        return take_line(chats, in, YR_CHAT_VOIDED, UNREADABLE_TEXT);
    if (err == YR_OK)
        err = yr_record_at(chats, in->said->id, &index, &chats->record);
    if (err != YR_OK || (record->kind == YR_MSG_SYSTEM &&
                         (record->deleted || (record->text_len == len &&
                                              memcmp(record->text, UNREADABLE_TEXT, len) == 0))))
        return err;
    return make_line(chats, in, &index);
}

// ---- the way in ----

// Our clock follows; what is our own counts whole.
static void hear_clock(const struct heard *in)
{
    struct yr_conv *conv = in->conv;
    const uint64_t hlc = YR_MIN(in->said->hlc, YR_HLC_MAX);

    conv->hlc =
        in->said->own ? YR_MAX(conv->hlc, hlc) : yr_hlc_seen(conv->hlc, hlc, in->now.wall_ms);
    conv->dirty = true;
}

static struct yr_conv *open_room(struct yr_chats *chats, const uint8_t id[YR_ID_LEN])
{
    struct yr_conv *conv = yr_chats_conv(chats, id);

    return conv != NULL && conv->kind == YR_CONV_ROOM ? conv : NULL;
}

enum yr_err yr_chat_take(struct yr_chats *chats, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                         const struct yr_chat_said *said, const uint8_t *bytes, size_t len)
{
    const struct heard in = heard_of(now, open_room(chats, conv), said);
    enum yr_msg_kind kind = YR_MSG_TEXT;
    struct yr_plain plain;

    if (in.conv == NULL)
        return YR_ENOFRIEND;
    hear_clock(&in);
    if (is_void(said)) {
        const enum yr_err err = take_void(chats, &in);
        if (err != YR_OK || yr_plain_decode_room(&plain, bytes, len) != YR_OK || !plain.known ||
            plain.type != YR_PLAIN_DELETE)
            return err;
        return take_change(chats, &in, &plain);
    }
    if (yr_plain_decode_room(&plain, bytes, len) != YR_OK)
        return take_line(chats, &in, YR_CHAT_UNREADABLE, UNREADABLE_TEXT);
    if (!plain.known)
        return take_line(chats, &in, YR_CHAT_UNKNOWN, UNKNOWN_TEXT);
    if (said->fork != 0 && (plain.type == YR_PLAIN_EDIT || plain.type == YR_PLAIN_REACTION)) {
        yr_chats_count(chats, YR_CHAT_DENIED);
        return YR_OK;
    }
    if (plain.type != YR_PLAIN_TEXT)
        return take_change(chats, &in, &plain);
    if ((plain.flags & YR_PLAIN_ACTION) != 0)
        kind = YR_MSG_ACTION;
    return take_message(chats, &in, kind, plain.reply_to, plain.text, plain.text_len);
}

enum yr_err yr_chat_unreadable(struct yr_chats *chats, struct yr_now now,
                               const uint8_t conv[YR_ID_LEN], const struct yr_chat_said *said)
{
    const struct heard in = heard_of(now, open_room(chats, conv), said);

    if (in.conv == NULL)
        return YR_ENOFRIEND;
    hear_clock(&in);
    return take_line(chats, &in, YR_CHAT_UNREADABLE, UNREADABLE_TEXT);
}

enum yr_err yr_chat_void(struct yr_chats *chats, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                         const struct yr_chat_said *said)
{
    const struct heard in = heard_of(now, open_room(chats, conv), said);

    if (in.conv == NULL)
        return YR_ENOFRIEND;
    YR_ASSERT(is_void(said));
    hear_clock(&in);
    return take_void(chats, &in);
}

// One message that may have been edited, or reacted to, by a chain that forks.
static enum yr_err disown(struct yr_chats *chats, struct yr_now now, const struct yr_conv *conv,
                          const struct yr_row *at, const uint8_t author[YR_ID_LEN],
                          const uint8_t incarnation[YR_INCARNATION_LEN])
{
    struct yr_record *record = &chats->record;
    struct yr_place place;
    bool edited, reacted;
    enum yr_err err;

    if (at->suffix_len != sizeof place.key)
        return YR_ECORRUPT;
    memcpy(place.key, at->suffix, sizeof place.key);
    if ((err = yr_record_decode(record, chats->row, at->value_len)) != YR_OK ||
        !yr_record_disown(record, author, incarnation, &edited, &reacted) ||
        (err = yr_record_put(chats, conv->id, &place, record)) != YR_OK)
        return err;
    if (edited)
        err = yr_chats_tell(chats, now, YR_EV_EDIT, conv, record->id, record->state, NULL);
    if (reacted && err == YR_OK)
        err = yr_chats_tell(chats, now, YR_EV_REACTION, conv, record->id, record->state, NULL);
    return err;
}

// What waits goes first: a message that comes in between must not meet it.
enum yr_err yr_chat_disown(struct yr_chats *chats, struct yr_now now,
                           const uint8_t conv_id[YR_ID_LEN], const uint8_t mid[YR_MID_LEN],
                           const uint8_t incarnation[YR_INCARNATION_LEN], struct yr_chat_walk *walk,
                           unsigned *left)
{
    struct yr_conv *conv = open_room(chats, conv_id);
    uint8_t author[YR_ID_LEN] = {0};
    enum yr_err err;

    if (conv == NULL)
        return YR_ENOFRIEND;
    memcpy(author, mid, YR_MID_LEN);
    while (*left > 0) {
        const enum yr_seek how = walk->begun ? YR_SEEK_GT : YR_SEEK_GE;
        --*left;
        walk->begun = true;
        if (!walk->waiting_done) {
            err = yr_order_disown(chats, conv, author, incarnation, how, &walk->at);
        } else {
            err = yr_rows_seek(chats->rows, YR_TABLE_MESSAGE, conv->id, YR_ID_LEN, how, &walk->at,
                               chats->row, sizeof chats->row);
            if (err == YR_OK)
                err = disown(chats, now, conv, &walk->at, author, incarnation);
            else if (err == YR_ENOENT)
                return YR_OK;
        }
        if (err == YR_ENOENT)
            *walk = (struct yr_chat_walk){.waiting_done = true};
        else if (err != YR_OK)
            return err;
    }
    return YR_EAGAIN;
}

// ---- ours ----

enum yr_err yr_chat_raise(struct yr_chats *chats, struct yr_now now, const uint8_t id[YR_ID_LEN],
                          const uint8_t msg[YR_MSG_ID_LEN], enum yr_state state)
{
    const struct yr_conv *conv = open_room(chats, id);

    return conv != NULL ? yr_chats_raise(chats, now, conv, msg, state) : YR_ENOFRIEND;
}

enum yr_err yr_chats_say(struct yr_chats *chats, struct yr_now now, const struct yr_conv *conv,
                         const struct yr_plain *plain, uint8_t id[YR_MSG_ID_LEN])
{
    size_t len;
    enum yr_err err = yr_plain_encode_room(plain, chats->plain, sizeof chats->plain, &len);

    return err != YR_OK ? err
                        : chats->ops->say(chats->ops->ctx, now, conv->id, chats->plain, len, id);
}
