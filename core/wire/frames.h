/* core/wire/frames.h: the bodies of the link frames that are more than bytes for another room.
 * docs/protocol.md "Wire"; the rows are in messages.h. */
#ifndef YR_FRAMES_H
#define YR_FRAMES_H

#include "core/wire/messages.h"

#define YR_EID_LEN 16

#define YR_PRESENCE_BODY_MAX (1 + 8 + 8 + YR_STATUS_MAX)
#define YR_PRESENCE_S_MAX    (UINT64_C(1) << 40) /* 34,000 years: milliseconds fit 63 bits */
#define YR_TYPING_ON         1U                  /* flags of TYPING, bit 0 */

/** A PRESENCE body.  All zero: the sender tells nothing, or no more. */
struct yr_presence_said {
    bool away;
    uint64_t active_s;   /* unix time when somebody was last there; 0: not told */
    uint64_t since_s;    /* ... since when it is away; 0: it is not */
    const uint8_t *text; /* why; lent, UTF-8 without NUL */
    size_t text_len;     /* <= YR_STATUS_MAX; 0 unless away */
};
/** Returns how many bytes: text_len <= YR_STATUS_MAX and times <= YR_PRESENCE_S_MAX are the
 * caller's word. */
size_t yr_presence_encode(uint8_t out[YR_PRESENCE_BODY_MAX], bool away, uint64_t active_s,
                          uint64_t since_s, const char *text, size_t text_len);
/** Total; *out written only on YR_OK.  Flags this version does not know are ignored.
 *  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_presence_decode(struct yr_presence_said *out, const uint8_t *body,
                                           size_t len);

/** "ENV_PUT"; "?" for an unknown type. */
const char *yr_frame_name(uint8_t type);

/** Append one entry to an ENV_ACK body. */
void yr_env_ack_put(struct yr_wr *wr, enum yr_env_status status, const uint8_t eid[YR_EID_LEN]);
/** Is it a whole number of entries, at least one and at most YR_ENV_ACK_MAX? */
bool yr_env_ack_ok(const uint8_t *body, size_t len);
/** The next entry: *eid lent from the body; *status as received, maybe one this version does not
 *  know.  False at the end. */
bool yr_env_ack_next(struct yr_rd *rd, uint8_t *status, const uint8_t **eid);

#endif
