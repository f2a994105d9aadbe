/* Any bytes as a record of a room and as a body of each class: decoding is total, and what it
 * accepts encodes to the same bytes. */
#include "core/room/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void record(const uint8_t *data, size_t size)
{
    static const uint8_t sign_sk[64];
    static uint8_t again[YR_ROOM_RECORD_MAX];
    struct yr_room_record r;
    size_t len;

    if (yr_room_record_decode(&r, data, size) != YR_OK)
        return;
    YR_ASSERT(r.signed_len + YR_SIG_LEN == size && size <= YR_ROOM_RECORD_MAX);
    YR_ASSERT(yr_room_record_encode(&r, sign_sk, again, sizeof again, &len) == YR_OK);
    YR_ASSERT(len == size && memcmp(again, data, r.signed_len) == 0);
}

static void body(uint8_t class, const uint8_t *data, size_t size)
{
    static uint8_t again[YR_ROOM_BODY_MAX];
    struct yr_room_body b;
    size_t len;

    if (yr_room_body_decode(&b, class, data, size) != YR_OK || !b.known)
        return;
    YR_ASSERT(yr_room_kind_class(b.kind) == (enum yr_room_class) class);
    YR_ASSERT(yr_room_body_encode(&b, again, sizeof again, &len) == YR_OK);
    YR_ASSERT(len == size && memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    record(data, size);
    for (uint8_t class = 0; class < 5 && size <= YR_ROOM_BODY_MAX; class ++)
        body(class, data, size);
    return 0;
}
