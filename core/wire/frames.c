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

enum yr_err yr_addrs_encode(const struct yr_addr *addrs, size_t count, uint8_t *dst, size_t cap,
                            size_t *len)
{
    struct yr_wr wr = yr_wr_init(dst, cap);

    if (count > YR_ADDRS_MAX)
        return YR_ESIZE;
    yr_wr_u8(&wr, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        yr_wr_addr(&wr, &addrs[i], false);
    if (!yr_wr_ok(&wr))
        return YR_ESIZE;
    *len = yr_wr_len(&wr);
    return YR_OK;
}

enum yr_err yr_addrs_decode(struct yr_addr addrs[YR_ADDRS_MAX], size_t *count, const uint8_t *body,
                            size_t len)
{
    struct yr_rd rd = yr_rd_init(body, len);
    struct yr_addr list[YR_ADDRS_MAX] = {{0}};
    const size_t n = yr_rd_u8(&rd);

    if (n > YR_ADDRS_MAX)
        return YR_EPROTO;
    for (size_t i = 0; i < n; i++) {
        bool flag; // bit 7 means nothing here

        yr_rd_addr(&rd, &list[i], &flag);
        if (list[i].port == 0)
            return YR_EPROTO;
    }
    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    memcpy(addrs, list, sizeof list);
    *count = n;
    return YR_OK;
}
