/* What a friend tells of the person in front of its node: the body of PRESENCE. */
#include "core/wire/frames.h"
#include "tests/fuzz/ground.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t body[YR_PRESENCE_BODY_MAX];
    struct yr_presence_said said, again;
    size_t len;

    (void)fill;
    (void)heap;
    if (yr_presence_decode(&said, data, size) != YR_OK)
        return 0;
    REQUIRE(size <= YR_PRESENCE_BODY_MAX && said.text_len <= YR_STATUS_MAX);
    REQUIRE(said.away || (said.text_len == 0 && said.since_s == 0));
    len = yr_presence_encode(body, said.away, said.active_s, said.since_s, (const char *)said.text,
                             said.text_len);
    REQUIRE(len == size && memcmp(body + 1, data + 1, len - 1) == 0); // but for unknown flags
    REQUIRE(yr_presence_decode(&again, body, len) == YR_OK && again.away == said.away);
    return 0;
}
