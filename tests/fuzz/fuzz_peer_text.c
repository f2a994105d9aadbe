/* Any bytes as a peer that somebody wrote: what is taken apart fits its fields. */
#include <string.h>

#include "core/base/base.h"
#include "net/peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512];
    struct yr_peer_text parts;
    const size_t len = YR_MIN(size, sizeof text - 1);

    memcpy(text, data, len);
    text[len] = '\0';
    if (yr_peer_text_parse(&parts, text) != YR_OK)
        return 0;
    YR_ASSERT(memchr(parts.host, '\0', sizeof parts.host) > (void *)parts.host);
    YR_ASSERT(memchr(parts.port, '\0', sizeof parts.port) > (void *)parts.port);
    YR_ASSERT(parts.addr.family == 0 || parts.addr.port == strtoul(parts.port, NULL, 10));
    return 0;
}
