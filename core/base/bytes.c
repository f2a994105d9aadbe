#include "core/base/bytes.h"

const uint8_t *yr_rd_bytes(struct yr_rd *rd, size_t len)
{
    const uint8_t *at = rd->at;

    if (rd->bad || len > (size_t)(rd->end - rd->at)) {
        rd->bad = true;
        return NULL;
    }
    if (len > 0)
        rd->at += len;
    return at;
}

void yr_rd_copy(struct yr_rd *rd, void *out, size_t len)
{
    const uint8_t *at = yr_rd_bytes(rd, len);

    if (len == 0)
        return;
    if (at != NULL)
        memcpy(out, at, len);
    else
        memset(out, 0, len);
}

static uint64_t read_le(struct yr_rd *rd, size_t len)
{
    const uint8_t *at = yr_rd_bytes(rd, len);
    uint64_t v = 0;

    for (size_t i = len; at != NULL && i-- > 0;)
        v = v << 8 | at[i];
    return v;
}

static uint64_t read_be(struct yr_rd *rd, size_t len)
{
    const uint8_t *at = yr_rd_bytes(rd, len);
    uint64_t v = 0;

    for (size_t i = 0; at != NULL && i < len; i++)
        v = v << 8 | at[i];
    return v;
}

uint8_t yr_rd_u8(struct yr_rd *rd)
{
    return (uint8_t)read_le(rd, 1);
}

uint16_t yr_rd_u16(struct yr_rd *rd)
{
    return (uint16_t)read_le(rd, 2);
}

uint32_t yr_rd_u32(struct yr_rd *rd)
{
    return (uint32_t)read_le(rd, 4);
}

uint64_t yr_rd_u64(struct yr_rd *rd)
{
    return read_le(rd, 8);
}

uint16_t yr_rd_u16be(struct yr_rd *rd)
{
    return (uint16_t)read_be(rd, 2);
}

uint64_t yr_rd_u64be(struct yr_rd *rd)
{
    return read_be(rd, 8);
}

void yr_rd_skip(struct yr_rd *rd, size_t len)
{
    (void)yr_rd_bytes(rd, len);
}

uint8_t *yr_wr_room(struct yr_wr *wr, size_t len)
{
    uint8_t *at = wr->at;

    if (wr->bad || len > (size_t)(wr->end - wr->at)) {
        wr->bad = true;
        return NULL;
    }
    if (len > 0)
        wr->at += len;
    return at;
}

void yr_wr_bytes(struct yr_wr *wr, const void *src, size_t len)
{
    uint8_t *at = yr_wr_room(wr, len);

    if (at != NULL && len > 0)
        memcpy(at, src, len);
}

void yr_wr_zero(struct yr_wr *wr, size_t len)
{
    uint8_t *at = yr_wr_room(wr, len);

    if (at != NULL && len > 0)
        memset(at, 0, len);
}

static void write_le(struct yr_wr *wr, uint64_t v, size_t len)
{
    uint8_t *at = yr_wr_room(wr, len);

    for (size_t i = 0; at != NULL && i < len; i++, v >>= 8)
        at[i] = (uint8_t)v;
}

static void write_be(struct yr_wr *wr, uint64_t v, size_t len)
{
    uint8_t *at = yr_wr_room(wr, len);

    for (size_t i = len; at != NULL && i-- > 0; v >>= 8)
        at[i] = (uint8_t)v;
}

void yr_wr_u8(struct yr_wr *wr, uint8_t v)
{
    write_le(wr, v, 1);
}

void yr_wr_u16(struct yr_wr *wr, uint16_t v)
{
    write_le(wr, v, 2);
}

void yr_wr_u32(struct yr_wr *wr, uint32_t v)
{
    write_le(wr, v, 4);
}

void yr_wr_u64(struct yr_wr *wr, uint64_t v)
{
    write_le(wr, v, 8);
}

void yr_wr_u16be(struct yr_wr *wr, uint16_t v)
{
    write_be(wr, v, 2);
}

void yr_wr_u64be(struct yr_wr *wr, uint64_t v)
{
    write_be(wr, v, 8);
}

void yr_wr_text16(struct yr_wr *wr, const char *text)
{
    const size_t len = strlen(text);

    wr->bad |= len > UINT16_MAX;
    yr_wr_u16(wr, (uint16_t)len);
    yr_wr_bytes(wr, text, len);
}

void yr_rd_text16(struct yr_rd *rd, char *out, size_t cap)
{
    const size_t len = yr_rd_u16(rd);
    const uint8_t *text = yr_rd_bytes(rd, len);

    out[0] = '\0';
    if (text != NULL && (len >= cap || (len > 0 && memchr(text, '\0', len) != NULL)))
        rd->bad = true;
    if (rd->bad)
        return;
    yr_copy(out, text, len);
    out[len] = '\0';
}

#define ADDR_FLAG 0x80u

void yr_wr_addr(struct yr_wr *wr, const struct yr_addr *addr, bool flag)
{
    YR_ASSERT(addr->family == 4 || addr->family == 6);
    yr_wr_u8(wr, (uint8_t)(addr->family | (flag ? ADDR_FLAG : 0)));
    yr_wr_bytes(wr, addr->ip, addr->family == 4 ? 4 : 16);
    yr_wr_u16(wr, addr->port);
}

void yr_rd_addr(struct yr_rd *rd, struct yr_addr *addr, bool *flag)
{
    const uint8_t kind = yr_rd_u8(rd);

    memset(addr, 0, sizeof *addr);
    if (flag != NULL)
        *flag = false;
    if ((kind & ~ADDR_FLAG) != 4 && (kind & ~ADDR_FLAG) != 6)
        rd->bad = true;
    if (rd->bad)
        return;
    addr->family = (uint8_t)(kind & ~ADDR_FLAG);
    yr_rd_copy(rd, addr->ip, addr->family == 4 ? 4 : 16);
    addr->port = yr_rd_u16(rd);
    if (flag != NULL)
        *flag = !rd->bad && (kind & ADDR_FLAG) != 0;
    if (rd->bad)
        memset(addr, 0, sizeof *addr);
}

// The length of the UTF-8 sequence at `s`, 0 when it is none (Unicode 15, table 3-7).
static size_t utf8_sequence(const uint8_t *s, size_t left)
{
    uint8_t low = 0x80, high = 0xbf; // bounds of the second byte
    size_t len;

    if (s[0] < 0x80)
        return s[0] != 0;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        len = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        len = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0; // overlong below
    else if (s[0] == 0xed)
        high = 0x9f; // surrogates above
    else if (s[0] == 0xf0)
        low = 0x90; // overlong below
    else if (s[0] == 0xf4)
        high = 0x8f; // past U+10FFFF
    if (len > left || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

// Eight bytes of ASCII without NUL, which is what most text is made of.
static bool plain_ascii(const uint8_t *s)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    uint64_t word;

    memcpy(&word, s, sizeof word);
    return ((word | (word - ones)) & tops) == 0; // a top bit, or one that a zero byte borrowed
}

bool yr_utf8_ok(const void *text, size_t len)
{
    const uint8_t *s = text;

    for (size_t i = 0, n; i < len; i += n) {
        if (len - i >= 8 && plain_ascii(s + i))
            n = 8;
        else if ((n = utf8_sequence(s + i, len - i)) == 0)
            return false;
    }
    return true;
}

static const char base32_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

void yr_base32_encode(char *out, const void *src, size_t len)
{
    const uint8_t *s = src;
    uint32_t acc = 0;
    unsigned bits = 0;

    for (size_t i = 0; i < len; i++) {
        acc = (acc << 8 | s[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            *out++ = base32_digits[acc >> (bits - 5) & 31];
    }
    if (bits > 0)
        *out++ = base32_digits[acc << (5 - bits) & 31];
    *out = '\0';
}

// The value of one symbol, or -1.
static int base32_value(char c)
{
    const char *at;

    if (c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    if (c == 'o')
        c = '0';
    if (c == 'i' || c == 'l')
        c = '1';
    at = c != '\0' ? strchr(base32_digits, c) : NULL;
    return at != NULL ? (int)(at - base32_digits) : -1;
}

enum yr_err yr_base32_decode(uint8_t *out, size_t *out_len, const char *text, size_t text_len)
{
    const size_t spare = text_len % 8 * 5 % 8; // bits of the last symbol beyond the last byte
    const size_t len = text_len / 8 * 5 + text_len % 8 * 5 / 8;
    uint32_t acc = 0;
    unsigned bits = 0;

    if (spare >= 5)
        return YR_EPROTO; // a whole symbol too much
    for (size_t i = 0; i < text_len; i++)
        if (base32_value(text[i]) < 0)
            return YR_EPROTO;
    if (spare > 0 && ((unsigned)base32_value(text[text_len - 1]) & ((1u << spare) - 1)) != 0)
        return YR_EPROTO;
    if (len > *out_len)
        return YR_ESIZE;
    for (size_t i = 0; i < text_len; i++) {
        acc = (acc << 5 | (uint32_t)base32_value(text[i])) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            *out++ = (uint8_t)(acc >> bits);
        }
    }
    *out_len = len;
    return YR_OK;
}
