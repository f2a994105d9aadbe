/* What front ends ask.  Nothing here changes anything. */
#include "core/chat/state.h"

static void show(struct yr_chats *chats, const uint8_t conv_id[YR_ID_LEN],
                 const struct yr_place *place, struct yr_message *out)
{
    const struct yr_conv *conv = yr_chats_conv(chats, conv_id);
    const bool unread = conv != NULL && yr_marker_unread(conv, &chats->record, place);

    yr_record_show(&chats->record, conv_id, unread, out);
    if (out->room && out->own && out->kind != YR_MSG_SYSTEM && chats->ops->counts != NULL)
        chats->ops->counts(chats->ops->ctx, out);
}

enum yr_err yr_chat_message(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                            struct yr_message *out)
{
    struct yr_index index;
    enum yr_err err = yr_record_find(chats, id, &index, &chats->record);

    if (err == YR_OK)
        show(chats, index.conv, &index.place, out);
    return err;
}

enum yr_err yr_chat_history(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN], enum yr_seek how,
                            struct yr_place *key, struct yr_message *out)
{
    struct yr_row at = {.suffix_len = sizeof key->key};
    enum yr_err err;

    memcpy(at.suffix, key->key, sizeof key->key);
    err = yr_rows_seek(chats->rows, YR_TABLE_MESSAGE, conv, YR_ID_LEN, how, &at, chats->row,
                       sizeof chats->row);
    if (err == YR_OK)
        err = yr_record_decode(&chats->record, chats->row, at.value_len);
    if (err == YR_OK && at.suffix_len != sizeof key->key)
        err = YR_ECORRUPT;
    if (err != YR_OK)
        return err;
    memcpy(key->key, at.suffix, sizeof key->key);
    show(chats, conv, key, out);
    return YR_OK;
}

enum yr_err yr_chat_place(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                          uint8_t conv[YR_ID_LEN], struct yr_place *out)
{
    struct yr_index index;
    enum yr_err err = yr_index_get(chats, id, &index);

    if (err != YR_OK)
        return err;
    memcpy(conv, index.conv, YR_ID_LEN);
    *out = index.place;
    return YR_OK;
}

static bool begins(const uint8_t *id, const uint8_t *prefix, size_t bits)
{
    const size_t whole = bits / 8, rest = bits % 8;

    return memcmp(id, prefix, whole) == 0 &&
           (rest == 0 || (id[whole] ^ prefix[whole]) >> (8 - rest) == 0);
}

size_t yr_chat_prefix(struct yr_chats *chats, const uint8_t prefix[YR_MSG_ID_LEN], size_t bits,
                      uint8_t (*out)[YR_MSG_ID_LEN], size_t cap)
{
    struct yr_row at = {.suffix_len = YR_MSG_ID_LEN};
    const size_t whole = YR_MIN(bits, 8 * (size_t)YR_MSG_ID_LEN);
    enum yr_seek how = YR_SEEK_GE;
    size_t count = 0;

    memcpy(at.suffix, prefix, whole / 8);
    if (whole % 8 != 0)
        at.suffix[whole / 8] = (uint8_t)(prefix[whole / 8] & 0xff00U >> whole % 8);
    for (; count < cap; how = YR_SEEK_GT) {
        if (yr_rows_seek(chats->rows, YR_TABLE_INDEX, NULL, 0, how, &at, NULL, 0) != YR_OK ||
            at.suffix_len != YR_MSG_ID_LEN || !begins(at.suffix, prefix, whole))
            break;
        memcpy(out[count++], at.suffix, YR_MSG_ID_LEN);
    }
    return count;
}

static const char *const counter_names[] = {
#define X(name, text) [YR_CHAT_##name] = text,
    YR_CHAT_COUNTER_MAP(X)
#undef X
};

struct yr_counter yr_chats_counter(const struct yr_chats *chats, size_t i)
{
    if (i >= YR_CHAT_COUNTER_COUNT)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], chats->counters[i]};
}
