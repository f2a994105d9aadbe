/* The conversations as a set, what all that is said needs, and the flush before a transaction. */
#include "core/chat/state.h"

#define SELF_SUFFIX  "chat"
#define SELF_VERSION 1

enum yr_err yr_chats_new(struct yr_chats **out, struct yr_mem *mem, struct yr_rows *rows,
                         struct yr_events *events, const struct yr_rng *rng,
                         const struct yr_chat_ops *ops)
{
    struct yr_chats *chats = yr_alloc(mem, YR_MEM_CHAT, sizeof *chats);

    if (chats == NULL)
        return YR_ENOMEM;
    chats->mem = mem;
    chats->rows = rows;
    chats->events = events;
    chats->rng = rng;
    chats->ops = ops;
    *out = chats;
    return YR_OK;
}

static void free_conv(struct yr_chats *chats, struct yr_conv *conv)
{
    if (conv != NULL)
        yr_free(chats->mem, conv->acks);
    yr_free_secret(chats->mem, conv);
}

void yr_chats_reset(struct yr_chats *chats)
{
    while (chats->conv_count > 0)
        free_conv(chats, chats->convs[--chats->conv_count]);
    memset(&chats->purged, 0, sizeof chats->purged);
}

void yr_chats_free(struct yr_chats *chats)
{
    if (chats == NULL)
        return;
    yr_chats_reset(chats);
    yr_free_secret(chats->mem, chats); // its scratch holds texts
}

void yr_chats_count(struct yr_chats *chats, enum yr_chat_counter counter)
{
    chats->counters[counter]++;
}

// ---- the set ----

// Where the conversation is in the sorted list, or would be.
static size_t slot_of(const struct yr_chats *chats, const uint8_t id[YR_ID_LEN])
{
    size_t low = 0, high = chats->conv_count;

    while (low < high) {
        const size_t mid = (low + high) / 2;

        if (memcmp(chats->convs[mid]->id, id, YR_ID_LEN) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct yr_conv *yr_chats_conv(struct yr_chats *chats, const uint8_t id[YR_ID_LEN])
{
    const size_t i = slot_of(chats, id);

    return i < chats->conv_count && memcmp(chats->convs[i]->id, id, YR_ID_LEN) == 0
               ? chats->convs[i]
               : NULL;
}

static enum yr_err load(struct yr_chats *chats, const uint8_t id[YR_ID_LEN], struct yr_conv *conv)
{
    uint8_t row[YR_CONV_MAX + 64];
    size_t len;
    enum yr_err err =
        yr_rows_get(chats->rows, YR_TABLE_CONV, NULL, 0, id, YR_ID_LEN, row, sizeof row, &len);

    if (err == YR_ENOENT)
        conv->epoch = 1;
    else if (err != YR_OK || (err = yr_conv_decode(conv, row, len)) != YR_OK)
        return err;
    memcpy(conv->id, id, YR_ID_LEN);
    return YR_OK;
}

static enum yr_err save(struct yr_chats *chats, struct yr_conv *conv)
{
    uint8_t row[YR_CONV_MAX];
    enum yr_err err;
    size_t len;

    if (!conv->dirty)
        return YR_OK;
    yr_conv_encode(conv, row, &len);
    err = yr_rows_put(chats->rows, YR_TABLE_CONV, NULL, 0, conv->id, YR_ID_LEN, row, len);
    conv->dirty = err != YR_OK;
    return err;
}

static enum yr_err open_conv(struct yr_chats *chats, const uint8_t id[YR_ID_LEN],
                             enum yr_conv_kind kind)
{
    const size_t i = slot_of(chats, id);
    struct yr_conv *conv;
    enum yr_err err;

    if (chats->conv_count == YR_COUNT(chats->convs))
        return YR_EFULL;
    if ((conv = yr_alloc(chats->mem, YR_MEM_CHAT, sizeof *conv)) == NULL)
        return YR_ENOMEM;
    if ((err = load(chats, id, conv)) != YR_OK) {
        free_conv(chats, conv);
        return err;
    }
    memmove(&chats->convs[i + 1], &chats->convs[i],
            (chats->conv_count - i) * sizeof chats->convs[0]);
    conv->kind = kind;
    memcpy(conv->self, chats->self, YR_ID_LEN);
    chats->convs[i] = conv;
    chats->conv_count++;
    return YR_OK;
}

enum yr_err yr_chat_open(struct yr_chats *chats, const uint8_t id[YR_ID_LEN])
{
    const bool self = memcmp(id, chats->self, YR_ID_LEN) == 0;

    return yr_chats_conv(chats, id) != NULL
               ? YR_OK
               : open_conv(chats, id, self ? YR_CONV_SELF : YR_CONV_DIRECT);
}

enum yr_err yr_chat_open_room(struct yr_chats *chats, const uint8_t id[YR_ID_LEN],
                              const uint8_t mid[YR_MID_LEN], const char *nick)
{
    struct yr_conv *conv = yr_chats_conv(chats, id);
    const size_t len = strnlen(nick, YR_NICK_MAX);
    enum yr_err err;

    if (conv == NULL) {
        if ((err = open_conv(chats, id, YR_CONV_ROOM)) != YR_OK)
            return err;
        conv = yr_chats_conv(chats, id);
    }
    if (conv->kind != YR_CONV_ROOM)
        return YR_EEXIST;
    memset(conv->self, 0, YR_ID_LEN);
    memcpy(conv->self, mid, YR_MID_LEN);
    memcpy(conv->nick, nick, len);
    conv->nick[len] = '\0';
    return YR_OK;
}

static enum yr_err read_self(struct yr_chats *chats)
{
    uint8_t row[128] = {0};
    size_t len;
    enum yr_err err = yr_rows_get(chats->rows, YR_TABLE_SELF, NULL, 0, SELF_SUFFIX,
                                  sizeof SELF_SUFFIX - 1, row, sizeof row, &len);

    if (err == YR_OK && (len != 1 + YR_INCARNATION_LEN || row[0] != SELF_VERSION))
        return YR_ECORRUPT;
    if (err == YR_ENOENT) {
        row[0] = SELF_VERSION;
        yr_random(chats->rng, row + 1, YR_INCARNATION_LEN);
        err = yr_rows_put(chats->rows, YR_TABLE_SELF, NULL, 0, SELF_SUFFIX, sizeof SELF_SUFFIX - 1,
                          row, 1 + YR_INCARNATION_LEN);
    }
    if (err == YR_OK)
        memcpy(chats->incarnation, row + 1, YR_INCARNATION_LEN);
    return err;
}

enum yr_err yr_chats_start(struct yr_chats *chats, struct yr_now now, const uint8_t self[YR_ID_LEN])
{
    enum yr_err err = read_self(chats);

    (void)now; // a log incarnation has no date
    memcpy(chats->self, self, YR_ID_LEN);
    return err != YR_OK ? err : yr_chat_open(chats, self);
}

// A message's place in the index, unless the id is another conversation's by now.
static enum yr_err delete_index(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN],
                                const uint8_t msg[YR_MSG_ID_LEN])
{
    struct yr_index index;
    enum yr_err err = yr_index_get(chats, msg, &index);

    if (err != YR_OK || memcmp(index.conv, conv, YR_ID_LEN) != 0)
        return err == YR_ENOENT ? YR_OK : err;
    return yr_rows_del(chats->rows, YR_TABLE_INDEX, NULL, 0, msg, YR_MSG_ID_LEN);
}

// Deletes up to *left rows of (table, owner), of messages also their index; *left: how many more.
static enum yr_err delete_rows(struct yr_chats *chats, enum yr_table table,
                               const uint8_t conv[YR_ID_LEN], size_t *left)
{
    const bool messages = table == YR_TABLE_MESSAGE;
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    for (; *left > 0; how = YR_SEEK_GT, --*left) {
        err = yr_rows_seek(chats->rows, table, conv, YR_ID_LEN, how, &at,
                           messages ? chats->row : NULL, messages ? sizeof chats->row : 0);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
        if (messages &&
            ((err = yr_record_decode(&chats->record, chats->row, at.value_len)) != YR_OK ||
             (err = delete_index(chats, conv, chats->record.id)) != YR_OK))
            return err;
        if ((err = yr_rows_del(chats->rows, table, conv, YR_ID_LEN, at.suffix, at.suffix_len)) !=
            YR_OK)
            return err;
    }
    return YR_OK;
}

static enum yr_err erase(struct yr_chats *chats, const uint8_t id[YR_ID_LEN], size_t max,
                         bool *more)
{
    size_t left = max;
    enum yr_err err;

    if ((err = delete_rows(chats, YR_TABLE_MESSAGE, id, &left)) != YR_OK ||
        (err = delete_rows(chats, YR_TABLE_ORPHAN, id, &left)) != YR_OK)
        return err;
    *more = left == 0;
    return *more ? YR_OK : yr_rows_del(chats->rows, YR_TABLE_CONV, NULL, 0, id, YR_ID_LEN);
}

enum yr_err yr_chat_erase(struct yr_chats *chats, const uint8_t id[YR_ID_LEN], size_t max,
                          bool *more)
{
    return yr_chats_conv(chats, id) != NULL ? YR_EEXIST : erase(chats, id, max, more);
}

enum yr_err yr_chat_drop(struct yr_chats *chats, const uint8_t id[YR_ID_LEN], bool history)
{
    struct yr_conv *conv = yr_chats_conv(chats, id);
    const size_t i = slot_of(chats, id);
    enum yr_err err = YR_OK;
    bool more;

    if (history)
        err = erase(chats, id, SIZE_MAX, &more);
    else if (conv != NULL)
        err = save(chats, conv);
    if (err != YR_OK)
        return err;
    if (conv != NULL) {
        free_conv(chats, conv);
        chats->conv_count--;
        memmove(&chats->convs[i], &chats->convs[i + 1],
                (chats->conv_count - i) * sizeof chats->convs[0]);
    }
    return YR_OK;
}

// ---- helpers of all that is said ----

bool yr_msg_id_ok(const uint8_t *id)
{
    static const uint8_t zero[YR_MSG_ID_LEN];

    return id != NULL && memcmp(id, zero, YR_MSG_ID_LEN) != 0;
}

enum yr_err yr_chats_tell(struct yr_chats *chats, struct yr_now now, enum yr_event_kind kind,
                          const struct yr_conv *conv, const uint8_t msg[YR_MSG_ID_LEN],
                          enum yr_state state, uint64_t *cursor)
{
    struct yr_event event;
    enum yr_err err;

    memset(&event, 0, offsetof(struct yr_event, text) + 1); // an empty text
    event.kind = kind;
    event.time_ms = now.wall_ms;
    event.state = state;
    memcpy(event.conv, conv->id, YR_ID_LEN);
    memcpy(event.msg, msg, YR_MSG_ID_LEN);
    err = yr_events_append(chats->events, &event);
    if (err == YR_OK && cursor != NULL)
        *cursor = event.cursor;
    return err;
}

bool yr_chats_is_self(const struct yr_chats *chats, const struct yr_conv *conv)
{
    (void)chats;
    return conv->kind == YR_CONV_SELF;
}

enum yr_err yr_chats_post(struct yr_chats *chats, const struct yr_conv *conv,
                          const struct yr_plain *plain)
{
    size_t len;
    enum yr_err err;

    if (yr_chats_is_self(chats, conv))
        return YR_OK;
    err = yr_plain_encode(plain, chats->plain, sizeof chats->plain, &len);
    return err != YR_OK
               ? err
               : chats->ops->deliver(chats->ops->ctx, conv->id, plain->id, chats->plain, len);
}

// Messages of one transaction begin alike, and so are neighbours in the index: at random places
// each of them would dirty a page of its own, here and at the friend's.
void yr_chats_fresh_id(struct yr_chats *chats, uint8_t id[YR_MSG_ID_LEN])
{
    do {
        yr_random(chats->rng, id, YR_MSG_ID_LEN);
        if (!chats->id_begun)
            memcpy(chats->id_head, id, sizeof chats->id_head);
        chats->id_begun = true;
        memcpy(id, chats->id_head, sizeof chats->id_head);
    } while (!yr_msg_id_ok(id));
}

// ---- the flush ----

enum yr_err yr_chats_post_acks(struct yr_chats *chats, struct yr_now now, struct yr_conv *conv)
{
    struct yr_plain plain = {.type = YR_PLAIN_DELIVERED, .id_count = conv->ack_count};
    uint8_t id[YR_MSG_ID_LEN];
    enum yr_err err;

    if (conv->ack_count == 0)
        return YR_OK;
    for (size_t i = 0; i < conv->ack_count; i++)
        plain.ids[i] = conv->acks[i];
    yr_chats_fresh_id(chats, id);
    plain.id = id;
    plain.hlc = conv->hlc = yr_hlc_next(conv->hlc, now.wall_ms);
    conv->dirty = true;
    conv->ack_count = 0;
    err = yr_chats_post(chats, conv, &plain);
    if (err == YR_OK || err == YR_ENOMEM || err == YR_EIO || err == YR_ELOCKED)
        return err;
    yr_chats_count(chats, YR_CHAT_RECEIPTS_LOST);
    return YR_OK;
}

enum yr_err yr_chats_flush(struct yr_chats *chats, struct yr_now now)
{
    chats->id_begun = false;
    for (size_t i = 0; i < chats->conv_count; i++) {
        struct yr_conv *conv = chats->convs[i];
        enum yr_err err;

        if ((err = yr_chats_post_acks(chats, now, conv)) != YR_OK ||
            (err = save(chats, conv)) != YR_OK)
            return err;
    }
    return YR_OK;
}
