/* Records of a backup: u16 length and bytes, one after the other, raw but for those that begin like
 * a first one, which are made whole so that others are met behind it. */
#include "tests/fuzz/ground.h"

#include <string.h>

#include "yaari/backup.h"

static size_t head(uint8_t *dst)
{
    static const uint8_t begin[] = {0x88, 0, 1, 1, 1, 2, 0xc4, 32};
    static const uint8_t rest[] = {3, 1, 4, 5, 5, 0xa1, 'n', 6, 0xa0, 7, 9};

    memcpy(dst, begin, sizeof begin);
    memset(dst + sizeof begin, 7, 32);
    memcpy(dst + sizeof begin + 32, rest, sizeof rest);
    return sizeof begin + 32 + sizeof rest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yr_backup_info info = {0}, before;
    uint8_t first[128];

    (void)heap;
    rng_state = 1;
    fill(NULL, &before, sizeof before);
    if (size > 0 && (data[0] & 1) != 0) {
        REQUIRE(yr_backup_check(&info, first, head(first)) == YR_OK);
        REQUIRE(info.begun && !info.ended && info.gen == 1);
    }
    for (size_t at = 1; at + 2 <= size;) {
        size_t len = data[at] | (size_t)data[at + 1] << 8;

        at += 2;
        if (len > size - at)
            len = size - at;
        before = info;
        if (yr_backup_check(&info, data + at, len) != YR_OK)
            REQUIRE(memcmp(&info, &before, sizeof info) == 0);
        REQUIRE(!before.ended || info.rows == before.rows);
        at += len;
    }
    return 0;
}
