/* core/base/bytes.h: cursors over bytes.  After one bad read or write the rest are no-ops, and
 * `done`/`ok` tells; integers are little-endian unless the name says be. */
#ifndef YR_BYTES_H
#define YR_BYTES_H

#include "core/base/base.h"

struct yr_rd {
    const uint8_t *at, *end;
    bool bad;
};

struct yr_wr {
    uint8_t *start, *at, *end;
    bool bad;
};

static inline struct yr_rd yr_rd_init(const void *src, size_t len)
{
    const uint8_t *at = src;
    return (struct yr_rd){at, len > 0 ? at + len : at, false};
}
static inline size_t yr_rd_left(const struct yr_rd *rd)
{
    return rd->bad ? 0 : (size_t)(rd->end - rd->at);
}
/** All bytes were read and none was missing. */
static inline bool yr_rd_done(const struct yr_rd *rd)
{
    return !rd->bad && rd->at == rd->end;
}
/** The next `len` bytes, lent from the source; NULL when they are not there. */
const uint8_t *yr_rd_bytes(struct yr_rd *rd, size_t len);
/** Copy the next `len` bytes; `out` is zeroed when they are not there. */
void yr_rd_copy(struct yr_rd *rd, void *out, size_t len);
uint8_t yr_rd_u8(struct yr_rd *rd);
uint16_t yr_rd_u16(struct yr_rd *rd);
uint32_t yr_rd_u32(struct yr_rd *rd);
uint64_t yr_rd_u64(struct yr_rd *rd);
uint16_t yr_rd_u16be(struct yr_rd *rd);
uint64_t yr_rd_u64be(struct yr_rd *rd);
void yr_rd_skip(struct yr_rd *rd, size_t len);

static inline struct yr_wr yr_wr_init(void *dst, size_t cap)
{
    uint8_t *at = dst;
    return (struct yr_wr){at, at, cap > 0 ? at + cap : at, false};
}
static inline size_t yr_wr_len(const struct yr_wr *wr)
{
    return (size_t)(wr->at - wr->start);
}
/** Everything fitted. */
static inline bool yr_wr_ok(const struct yr_wr *wr)
{
    return !wr->bad;
}
/** Room for `len` bytes to be filled by the caller; NULL when it does not fit. */
uint8_t *yr_wr_room(struct yr_wr *wr, size_t len);
void yr_wr_bytes(struct yr_wr *wr, const void *src, size_t len);
void yr_wr_zero(struct yr_wr *wr, size_t len);
void yr_wr_u8(struct yr_wr *wr, uint8_t v);
void yr_wr_u16(struct yr_wr *wr, uint16_t v);
void yr_wr_u32(struct yr_wr *wr, uint32_t v);
void yr_wr_u64(struct yr_wr *wr, uint64_t v);
void yr_wr_u16be(struct yr_wr *wr, uint16_t v);
void yr_wr_u64be(struct yr_wr *wr, uint64_t v);

/** A text as `len u16 | bytes`, without its NUL.  Bad when it is over 65,535 bytes. */
void yr_wr_text16(struct yr_wr *wr, const char *text);
/** Into `out` with a NUL; `cap` (>= 1) counts it.  Bad, and `out` empty, when the text is cut
 * short, does not fit, or has a NUL in it. */
void yr_rd_text16(struct yr_rd *rd, char *out, size_t cap);

/** An address as `kind u8 (4|6; bit 7: `flag`) | ip | port u16le`: 7 or 19 bytes. */
void yr_wr_addr(struct yr_wr *wr, const struct yr_addr *addr, bool flag);
/** flag may be NULL.  *addr is zeroed when the bytes are bad. */
void yr_rd_addr(struct yr_rd *rd, struct yr_addr *addr, bool *flag);

/** Is it UTF-8 (no surrogates, no overlong forms, no NUL) from end to end? */
bool yr_utf8_ok(const void *text, size_t len);

#define YR_BASE32_LEN(n) (((n)*8 + 4) / 5)
/** Crockford base32, lower case, no padding, most significant bit first (last symbol zero-filled).
 *  `out` gets YR_BASE32_LEN(len) characters and a NUL. */
void yr_base32_encode(char *out, const void *src, size_t len);
/** Any case; o reads as 0, i and l as 1.  *out_len: room in, length out.
 *  Errors: YR_EPROTO for a foreign character or set bits left over; YR_ESIZE. */
YR_MUST_USE enum yr_err yr_base32_decode(uint8_t *out, size_t *out_len, const char *text,
                                         size_t text_len);

#endif
