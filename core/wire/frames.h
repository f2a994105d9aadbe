/* core/wire/frames.h: the bodies of the link frames that are more than bytes for another room.
 * docs/protocol.md "Wire"; the rows are in messages.h. */
#ifndef YR_FRAMES_H
#define YR_FRAMES_H

#include "core/wire/messages.h"

#define YR_EID_LEN 16

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
