/* core/wire/relay_frames.h: the frames that set a circuit up, and what is in front of a packet that
 * goes through one.  docs/protocol.md "Relay". */
#ifndef YR_RELAY_FRAMES_H
#define YR_RELAY_FRAMES_H

#include "core/wire/messages.h"

#define YR_RELAY_LIST  8  /* blinded friends in one list: always so many */
#define YR_RELAY_HASH  16 /* bytes of a blinded one */
#define YR_RELAY_NONCE 16

/** Why a circuit is no more.  "Not there" is said of who is no friend of the relay, has no link
 * with it, may not be carried for or does not want: who asks cannot tell. */
#define YR_RELAY_REASON_MAP(X)                                                      \
    X(DONE, "done") /* an end needs it no more */                                   \
    X(NOT_THERE, "not there")                                                       \
    X(DENIED, "not allowed") /* for who asks */                                     \
    X(FULL, "full")          /* too many circuits, or asked too often */            \
    X(SPENT, "budget spent") /* bytes of a day */                                   \
    X(HOP, "is relayed itself")                                                     \
    X(IDLE, "unused")                                                               \
    X(LOST, "link lost")   /* one of the two legs; never sent to who has lost it */ \
    X(SILENT, "no answer") /* ours: the relay has not answered */

enum yr_relay_reason {
#define X(NAME, text) YR_RELAY_##NAME,
    YR_RELAY_REASON_MAP(X)
#undef X
        YR_RELAY_REASON_COUNT
};
/** "done", ...; "?" for one that this version does not know. */
const char *yr_relay_reason_name(unsigned reason);

/** RELAY_OPEN (hash: of the friend asked for), RELAY_CALL (of who asks), RELAY_OPENED (hash and
 * nonce unused), RELAY_CLOSE. */
struct yr_relay_msg {
    uint8_t type; /* YR_FRAME_RELAY_... */
    uint16_t route;
    uint8_t nonce[YR_RELAY_NONCE], hash[YR_RELAY_HASH];
    uint8_t reason; /* any value: newer versions may have more */
};
#define YR_RELAY_MSG_MAX (2 + YR_RELAY_NONCE + YR_RELAY_HASH)
/** Length of the body written. */
size_t yr_relay_msg_encode(const struct yr_relay_msg *msg, uint8_t dst[YR_RELAY_MSG_MAX]);
/** Total; *out written only on YR_OK.  Errors: YR_EPROTO: another type, or not exactly its body. */
YR_MUST_USE enum yr_err yr_relay_msg_decode(struct yr_relay_msg *out, uint8_t type,
                                            const uint8_t *body, size_t len);

/** In front of a packet, or half of one, in a DATAGRAM. */
enum yr_relay_kind { YR_RELAY_WHOLE, YR_RELAY_FIRST, YR_RELAY_SECOND };
#define YR_RELAY_HEAD 4 /* kind u8 | route u16 | id u8 */
struct yr_relay_piece {
    enum yr_relay_kind kind;
    uint16_t route;
    uint8_t id; /* the same in both halves */
    const uint8_t *body;
    size_t len; /* 1..YR_LINK_VIA_MAX */
};
/** Write the head. */
void yr_relay_head(uint8_t dst[YR_RELAY_HEAD], enum yr_relay_kind kind, uint16_t route, uint8_t id);
/** Total; body lent.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_relay_piece_decode(struct yr_relay_piece *out, const uint8_t *src,
                                              size_t len);

#endif
