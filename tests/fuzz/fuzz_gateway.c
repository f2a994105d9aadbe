/* What a gateway may send: answers of PCP and NAT-PMP, and what comes back of asking by UPnP. */
#include <string.h>

#include "core/base/base.h"
#include "net/pcp.h"
#include "net/upnp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yr_pcp_answer answer;
    struct yr_upnp_answer said;

    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        if (yr_pcp_decode(&answer, data + 1, size - 1) != YR_OK)
            return 0;
        YR_ASSERT(answer.kind <= YR_NATPMP_OTHER && yr_pcp_reason(&answer) != NULL);
        (void)yr_pcp_restarted(answer.epoch_s, answer.lifetime_s, answer.epoch_s);
        return 0;
    }
    yr_upnp_parse(&said, (const char *)data + 1, size - 1);
    if (said.mapped)
        YR_ASSERT(said.outside.family == 4 && said.url[0] != '\0' &&
                  memchr(said.url, '\0', sizeof said.url) != NULL);
    else
        YR_ASSERT(said.deleted || memchr(said.why, '\0', sizeof said.why) > (void *)said.why);
    return 0;
}
