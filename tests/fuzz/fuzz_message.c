/* Any bytes as a plaintext, direct and in a room, and as a first-contact payload: decoding is
 * total, and what it accepts encodes to bytes that decode and encode to themselves. */
#include "core/wire/messages.h"
#include "core/wire/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plain(const uint8_t *data, size_t size)
{
    static uint8_t once[YR_MSGPACK_MAX], twice[YR_MSGPACK_MAX];
    size_t once_len, twice_len;
    struct yr_plain p, q;

    if (yr_plain_decode(&p, data, size) != YR_OK)
        return;
    YR_ASSERT(yr_value_check(data, size) && p.id != NULL && p.type != 0);
    if (!p.known)
        return;
    YR_ASSERT(yr_plain_encode(&p, once, sizeof once, &once_len) == YR_OK);
    YR_ASSERT(once_len <= YR_PLAIN_MAX);
    YR_ASSERT(yr_plain_decode(&q, once, once_len) == YR_OK && q.known);
    YR_ASSERT(yr_plain_encode(&q, twice, sizeof twice, &twice_len) == YR_OK);
    YR_ASSERT(once_len == twice_len && memcmp(once, twice, once_len) == 0);
}

static void room(const uint8_t *data, size_t size)
{
    static uint8_t once[YR_MSGPACK_MAX], twice[YR_MSGPACK_MAX];
    size_t once_len, twice_len;
    struct yr_plain p, q;

    if (yr_plain_decode_room(&p, data, size) != YR_OK)
        return;
    YR_ASSERT(p.type != 0 && p.id == NULL && p.hlc == 0 && p.parent_count == 0);
    YR_ASSERT(p.text_len <= YR_ROOM_TEXT_MAX);
    if (!p.known)
        return;
    YR_ASSERT(yr_plain_encode_room(&p, once, sizeof once, &once_len) == YR_OK);
    YR_ASSERT(yr_plain_decode_room(&q, once, once_len) == YR_OK && q.known);
    YR_ASSERT(yr_plain_encode_room(&q, twice, sizeof twice, &twice_len) == YR_OK);
    YR_ASSERT(once_len == twice_len && memcmp(once, twice, once_len) == 0);
}

static void hello(const uint8_t *data, size_t size)
{
    static uint8_t once[YR_MSGPACK_MAX], twice[YR_MSGPACK_MAX];
    size_t once_len, twice_len;
    struct yr_hello p, q;

    if (yr_hello_decode(&p, data, size) != YR_OK)
        return;
    YR_ASSERT(yr_hello_encode(&p, once, sizeof once, &once_len) == YR_OK);
    YR_ASSERT(yr_hello_decode(&q, once, once_len) == YR_OK);
    YR_ASSERT(yr_hello_encode(&q, twice, sizeof twice, &twice_len) == YR_OK);
    YR_ASSERT(once_len == twice_len && memcmp(once, twice, once_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    plain(data, size);
    room(data, size);
    hello(data, size);
    return 0;
}
