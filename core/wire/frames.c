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

/* ---- presence ---- */

#define AWAY 1U

size_t yr_presence_encode(uint8_t out[YR_PRESENCE_BODY_MAX], bool away, uint64_t active_s,
                          uint64_t since_s, const char *text, size_t text_len)
{
    struct yr_wr wr = yr_wr_init(out, YR_PRESENCE_BODY_MAX);

    yr_wr_u8(&wr, away ? AWAY : 0);
    yr_wr_u64(&wr, active_s);
    yr_wr_u64(&wr, away ? since_s : 0);
    yr_wr_bytes(&wr, text, away ? text_len : 0);
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

enum yr_err yr_presence_decode(struct yr_presence_said *out, const uint8_t *body, size_t len)
{
    struct yr_rd rd = yr_rd_init(body, len);
    struct yr_presence_said said = {.away = (yr_rd_u8(&rd) & AWAY) != 0};

    said.active_s = yr_rd_u64(&rd);
    said.since_s = yr_rd_u64(&rd);
    said.text_len = rd.bad ? 0 : yr_rd_left(&rd);
    said.text = yr_rd_bytes(&rd, said.text_len);
    if (!yr_rd_done(&rd) || said.text_len > YR_STATUS_MAX || said.active_s > YR_PRESENCE_S_MAX ||
        said.since_s > YR_PRESENCE_S_MAX ||
        (!said.away && (said.text_len > 0 || said.since_s != 0)) ||
        (said.text_len > 0 && !yr_utf8_ok(said.text, said.text_len)))
        return YR_EPROTO;
    *out = said;
    return YR_OK;
}
