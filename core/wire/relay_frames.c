#include "core/wire/relay_frames.h"

const char *yr_relay_reason_name(unsigned reason)
{
    static const char *const names[] = {
#define X(NAME, text) text,
        YR_RELAY_REASON_MAP(X)
#undef X
    };

    return reason < YR_COUNT(names) ? names[reason] : "?";
}

size_t yr_relay_msg_encode(const struct yr_relay_msg *msg, uint8_t dst[YR_RELAY_MSG_MAX])
{
    struct yr_wr wr = yr_wr_init(dst, YR_RELAY_MSG_MAX);

    yr_wr_u16(&wr, msg->route);
    if (msg->type == YR_FRAME_RELAY_OPEN || msg->type == YR_FRAME_RELAY_CALL) {
        yr_wr_bytes(&wr, msg->nonce, sizeof msg->nonce);
        yr_wr_bytes(&wr, msg->hash, sizeof msg->hash);
    } else if (msg->type == YR_FRAME_RELAY_CLOSE) {
        yr_wr_u8(&wr, msg->reason);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

enum yr_err yr_relay_msg_decode(struct yr_relay_msg *out, uint8_t type, const uint8_t *body,
                                size_t len)
{
    struct yr_rd rd = yr_rd_init(body, len);
    struct yr_relay_msg msg = {.type = type};

    msg.route = yr_rd_u16(&rd);
    switch (type) {
    case YR_FRAME_RELAY_OPEN:
    case YR_FRAME_RELAY_CALL:
        yr_rd_copy(&rd, msg.nonce, sizeof msg.nonce);
        yr_rd_copy(&rd, msg.hash, sizeof msg.hash);
        break;
    case YR_FRAME_RELAY_OPENED: break;
    case YR_FRAME_RELAY_CLOSE: msg.reason = yr_rd_u8(&rd); break;
    default: return YR_EPROTO;
    }
    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    *out = msg;
    return YR_OK;
}

void yr_relay_head(uint8_t dst[YR_RELAY_HEAD], enum yr_relay_kind kind, uint16_t route, uint8_t id)
{
    dst[0] = (uint8_t)kind;
    dst[1] = (uint8_t)route;
    dst[2] = (uint8_t)(route >> 8);
    dst[3] = id;
}

enum yr_err yr_relay_piece_decode(struct yr_relay_piece *out, const uint8_t *src, size_t len)
{
    if (len <= YR_RELAY_HEAD || len > YR_RELAY_HEAD + YR_LINK_VIA_MAX || src[0] > YR_RELAY_SECOND)
        return YR_EPROTO;
    out->kind = (enum yr_relay_kind)src[0];
    out->route = (uint16_t)(src[1] | src[2] << 8);
    out->id = src[3];
    out->body = src + YR_RELAY_HEAD;
    out->len = len - YR_RELAY_HEAD;
    return YR_OK;
}
