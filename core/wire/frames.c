#include "core/wire/frames.h"

const char *yr_frame_name(uint8_t type)
{
    switch (type) {
#define X(name, byte, channel, body) \
    case byte: return #name;
        YR_FRAME_MAP(X)
#undef X
    default: return "?";
    }
}

void yr_env_ack_put(struct yr_wr *wr, enum yr_env_status status, const uint8_t eid[YR_EID_LEN])
{
    yr_wr_u8(wr, (uint8_t)status);
    yr_wr_bytes(wr, eid, YR_EID_LEN);
}

bool yr_env_ack_ok(const uint8_t *body, size_t len)
{
    return body != NULL && len > 0 && len % (1 + YR_EID_LEN) == 0 &&
           len / (1 + YR_EID_LEN) <= YR_ENV_ACK_MAX;
}

bool yr_env_ack_next(struct yr_rd *rd, uint8_t *status, const uint8_t **eid)
{
    const uint8_t s = yr_rd_u8(rd);
    const uint8_t *e = yr_rd_bytes(rd, YR_EID_LEN);

    if (rd->bad)
        return false;
    *status = s;
    *eid = e;
    return true;
}
