#include "core/contact/invite.h"

#define VERSION   1
#define CHECK_LEN 4

void yr_invite_keys(struct yr_invite_keys *out, const uint8_t secret[32])
{
    uint8_t hash[YR_HASH16], off[8];
    char text[YR_BASE32_LEN(YR_HASH16) + 1];
    struct yr_rd rd;

    yr_kdf(out->psk, sizeof out->psk, secret, YR_LABEL_FC_PSK, NULL, 0);
    yr_kdf(out->mac, sizeof out->mac, secret, YR_LABEL_FC_MAC, NULL, 0);
    yr_kdf(out->hint, sizeof out->hint, secret, YR_LABEL_FC_HINT, NULL, 0);
    yr_kdf(out->rv, sizeof out->rv, secret, YR_LABEL_FC_RV, NULL, 0);
    yr_kdf(off, sizeof off, out->rv, YR_LABEL_RV_OFF, NULL, 0);
    rd = yr_rd_init(off, sizeof off);
    out->off = (uint32_t)(yr_rd_u64(&rd) % YR_RENDEZVOUS_S);
    for (uint8_t dir = 0; dir < 2; dir++)
        yr_kdf(out->signal[dir], 32, secret, YR_LABEL_FC_SIGNAL, &dir, 1);
    yr_hash16(hash, secret, 32);
    yr_base32_encode(text, hash, sizeof hash);
    memcpy(out->id, text, YR_INVITE_ID_LEN);
    out->id[YR_INVITE_ID_LEN] = '\0';
}

// The locale must not decide how a link is read: ASCII only.
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void yr_invite_encode(char out[YR_LINK_MAX + 1], const struct yr_invite *invite, bool qr)
{
    uint8_t bytes[YR_INVITE_BYTES_MAX], hash[YR_HASH_LEN];
    struct yr_wr wr = yr_wr_init(bytes, sizeof bytes);
    const unsigned hints = qr ? 0 : invite->hint_count;

    YR_ASSERT(hints <= YR_HINTS_MAX);
    yr_wr_u8(&wr, VERSION);
    yr_wr_u8(&wr, qr ? invite->flags | YR_INVITE_FLAG_QR : invite->flags);
    yr_wr_u32(&wr, invite->exp_s);
    yr_wr_bytes(&wr, invite->secret, 32);
    yr_wr_bytes(&wr, invite->id, 32);
    yr_wr_bytes(&wr, invite->dev, 32);
    yr_wr_u32(&wr, invite->gen);
    yr_wr_u8(&wr, (uint8_t)hints);
    for (unsigned i = 0; i < hints; i++)
        yr_wr_addr(&wr, &invite->hints[i], false);
    yr_hash(hash, bytes, yr_wr_len(&wr));
    yr_wr_bytes(&wr, hash, CHECK_LEN);
    YR_ASSERT(yr_wr_ok(&wr));

    memcpy(out, YR_LINK_PREFIX, sizeof YR_LINK_PREFIX);
    yr_base32_encode(out + sizeof YR_LINK_PREFIX - 1, bytes, yr_wr_len(&wr));
    for (char *c = out; qr && *c != '\0'; c++)
        *c = upper(*c);
    yr_wipe(bytes, sizeof bytes);
}

static bool has_prefix(const char *link, size_t len)
{
    const size_t n = sizeof YR_LINK_PREFIX - 1;

    if (len < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (lower(link[i]) != YR_LINK_PREFIX[i])
            return false;
    return true;
}

static enum yr_err decode_bytes(struct yr_invite *out, const uint8_t *src, size_t len)
{
    struct yr_invite in;
    uint8_t hash[YR_HASH_LEN];
    struct yr_rd rd = yr_rd_init(src, len);
    const uint8_t version = yr_rd_u8(&rd);
    const uint8_t *check;
    bool flag;

    memset(&in, 0, sizeof in);
    if (len < 1)
        return YR_EPROTO;
    if (version != VERSION)
        return YR_EVERSION;
    in.flags = yr_rd_u8(&rd);
    in.exp_s = yr_rd_u32(&rd);
    yr_rd_copy(&rd, in.secret, 32);
    yr_rd_copy(&rd, in.id, 32);
    yr_rd_copy(&rd, in.dev, 32);
    in.gen = yr_rd_u32(&rd);
    in.hint_count = yr_rd_u8(&rd);
    if (in.hint_count > YR_HINTS_MAX)
        return YR_EPROTO;
    for (unsigned i = 0; i < in.hint_count; i++)
        yr_rd_addr(&rd, &in.hints[i], &flag);
    check = yr_rd_bytes(&rd, CHECK_LEN);
    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    yr_hash(hash, src, len - CHECK_LEN);
    if (memcmp(check, hash, CHECK_LEN) != 0)
        return YR_EPROTO;
    *out = in;
    yr_wipe(&in, sizeof in);
    return YR_OK;
}

enum yr_err yr_invite_decode(struct yr_invite *out, const char *link, size_t len)
{
    uint8_t bytes[YR_INVITE_BYTES_MAX];
    size_t n = sizeof bytes;
    enum yr_err err;

    while (len > 0 && is_space(link[0]))
        link++, len--;
    while (len > 0 && is_space(link[len - 1]))
        len--;
    if (!has_prefix(link, len))
        return YR_EPROTO;
    err = yr_base32_decode(bytes, &n, link + sizeof YR_LINK_PREFIX - 1,
                           len - (sizeof YR_LINK_PREFIX - 1));
    if (err == YR_OK)
        err = decode_bytes(out, bytes, n);
    yr_wipe(bytes, sizeof bytes);
    return err;
}
