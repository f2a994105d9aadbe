/* core/link/channel.h: frames into a byte stream and out of it again; knows no QUIC.
 *
 *     channel u8 | type u8 | len u16le | body | type u8 | len u16le | body ...
 *
 * A sendq keeps what was queued until QUIC acknowledges it; an assembler cuts what arrives, in
 * whatever pieces, into whole frames. */
#ifndef YR_CHANNEL_H
#define YR_CHANNEL_H

#include "core/base/mem.h"
#include "core/limits.h"

#define YR_FRAME_HEAD 3 /* type, length */

/** What waits to be sent and to be acknowledged: a list of chunks that never move, because QUIC
 *  points into them.  Offsets are those of the stream. */
struct yr_sendq {
    struct yr_chunk *head, *tail; /* oldest byte not acknowledged ... newest */
    struct yr_chunk *at;          /* holds the next byte to send, once there is one */
    uint64_t acked, sent, end;
    size_t max; /* bytes kept at most */
};

/** max: bytes that may wait, to be sent or acknowledged. */
void yr_sendq_init(struct yr_sendq *q, size_t max);
void yr_sendq_clear(struct yr_sendq *q, struct yr_mem *mem);

/** Queue a copy of a frame, after the byte `channel` if it is the stream's first.
 *  Errors: YR_ESIZE; YR_EFULL; YR_ENOMEM; nothing is queued then. */
YR_MUST_USE enum yr_err yr_sendq_push(struct yr_sendq *q, struct yr_mem *mem, uint8_t channel,
                                      uint8_t type, const uint8_t *body, size_t len);

struct yr_piece {
    const uint8_t *at;
    size_t len;
};
/** What is to be sent next, in up to two pieces (len 0: none), lent until acknowledged. */
void yr_sendq_next(const struct yr_sendq *q, struct yr_piece out[2]);
/** The first `len` bytes of it went into a packet. */
void yr_sendq_sent(struct yr_sendq *q, size_t len);
/** Everything before `offset` has arrived and is given back. */
void yr_sendq_acked(struct yr_sendq *q, struct yr_mem *mem, uint64_t offset);

static inline bool yr_sendq_has(const struct yr_sendq *q)
{
    return q->sent < q->end;
}

/** Takes one whole frame; body lent for the call.  false: stop, the rest is of no interest. */
typedef bool (*yr_frame_sink)(void *ctx, uint8_t channel, uint8_t type, const uint8_t *body,
                              size_t len);

/** One incoming stream.  Holds at most one frame. */
struct yr_assembler {
    bool open; /* the channel byte has come */
    uint8_t channel;
    uint8_t head[YR_FRAME_HEAD];
    size_t head_len;
    uint8_t *body; /* of the frame under way, NULL while nothing of it has come */
    size_t have;
};

/** Feed the stream's next bytes; every frame that is whole now goes to `sink`, in order.
 *  channels: how many there are.
 *  Errors: YR_EPROTO: an unknown channel or a frame too long; YR_ENOMEM.  The stream is useless
 *  after one. */
YR_MUST_USE enum yr_err yr_assembler_feed(struct yr_assembler *in, struct yr_mem *mem,
                                          uint8_t channels, const uint8_t *src, size_t len,
                                          yr_frame_sink sink, void *ctx);
void yr_assembler_clear(struct yr_assembler *in, struct yr_mem *mem);

#endif
