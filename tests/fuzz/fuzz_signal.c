/* What a signal of first contact says: the decoder, and that what it takes it also writes. */
#include "core/node/meet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[YR_DHT_SIGNAL_MAX * 2];
    struct yr_fc_signal s;
    size_t len;

    if (yr_fc_signal_decode(&s, data, size) != YR_OK)
        return 0;
    YR_ASSERT(s.ear_count <= YR_RV_RELAYS_MAX && s.addr_count <= YR_RV_ADDRS_MAX);
    YR_ASSERT(s.packet_len > 0 && s.packet >= data && s.packet + s.packet_len == data + size);
    if (yr_fc_signal_encode(&s, again, sizeof again, &len) == YR_OK)
        YR_ASSERT(len == size);
    return 0;
}
