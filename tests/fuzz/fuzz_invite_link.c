/* Any text as an invite link: refused, or one that encodes to itself again. */
#include "core/contact/invite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yr_invite in, again;
    char link[YR_LINK_MAX + 1];

    if (yr_invite_decode(&in, (const char *)data, size) != YR_OK)
        return 0;
    yr_invite_encode(link, &in, false);
    YR_ASSERT(yr_invite_decode(&again, link, strlen(link)) == YR_OK);
    YR_ASSERT(memcmp(&in, &again, sizeof in) == 0);
    return 0;
}
