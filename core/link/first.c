#include "core/link/first.h"

#include "core/base/bytes.h"

// A QUIC v1 Initial packet, still protected.
struct initial {
    const uint8_t *packet;
    const uint8_t *dcid, *scid;
    size_t head_len; // up to the packet number
    size_t body_len; // packet number, payload and tag
};

static uint64_t read_varint(struct yr_rd *rd)
{
    const uint8_t first = yr_rd_u8(rd);
    uint64_t v = first & 0x3f;

    for (unsigned more = (1U << (first >> 6)) - 1; more > 0; more--)
        v = v << 8 | yr_rd_u8(rd);
    return v;
}

// Only what our own diallers send: version 1, ids of 18 and 8 bytes, no token.
static bool read_form(struct initial *out, const uint8_t *packet, size_t len)
{
    struct yr_rd rd = yr_rd_init(packet, len);
    uint64_t body_len;

    if (len < YR_LINK_FIRST_MIN || len > YR_PACKET_MAX)
        return false;
    if ((yr_rd_u8(&rd) & 0xf0) != 0xc0 || yr_rd_u16be(&rd) != 0 || yr_rd_u16be(&rd) != 1)
        return false;
    if (yr_rd_u8(&rd) != YR_CID1_LEN)
        return false;
    out->dcid = yr_rd_bytes(&rd, YR_CID1_LEN);
    if (yr_rd_u8(&rd) != YR_CID_LEN)
        return false;
    out->scid = yr_rd_bytes(&rd, YR_CID_LEN);
    if (read_varint(&rd) != 0) // token
        return false;
    body_len = read_varint(&rd);
    if (rd.bad || body_len > yr_rd_left(&rd) || body_len < 4 + 16 + YR_TAG_LEN)
        return false;
    out->packet = packet;
    out->head_len = (size_t)(rd.at - packet);
    out->body_len = (size_t)body_len;
    return true;
}

// The friend and pair generation whose hint the id carries; hint_count when nobody's.
static size_t find_hint(const struct yr_links *links, const uint8_t dcid[YR_CID1_LEN])
{
    size_t i;

    for (i = 0; i < links->hint_count; i++) {
        uint8_t hint[8];

        yr_siphash(hint, links->hints[i], dcid, YR_CID1_RAND);
        if (yr_equal(hint, dcid + YR_CID1_RAND, sizeof hint))
            break;
    }
    return i;
}

// Undo packet protection with the pair's keys.  dst: room for YR_PACKET_MAX; its length in *len.
static bool open_initial(const struct initial *in, const uint8_t init[32], uint8_t *dst,
                         size_t *len)
{
    uint8_t secrets[2][32], key[32], iv[12], hp[32], mask[5], head[64];
    size_t number_len;
    bool ok;

    YR_ASSERT(in->head_len + 4 <= sizeof head);
    yr_initial_secrets(secrets, init, in->dcid, YR_CID1_LEN);
    yr_packet_keys(secrets[0], key, iv, hp);
    yr_hp_mask(mask, hp, in->packet + in->head_len + 4);
    memcpy(head, in->packet, in->head_len + 4);
    head[0] ^= mask[0] & 0x0f;
    number_len = (head[0] & 3) + 1U;
    for (size_t i = 0; i < number_len; i++) {
        head[in->head_len + i] ^= mask[1 + i];
        iv[12 - number_len + i] ^= head[in->head_len + i];
    }
    *len = in->body_len - number_len - YR_TAG_LEN;
    ok = yr_unseal_c(dst, key, iv, head, in->head_len + number_len,
                     in->packet + in->head_len + number_len, in->body_len - number_len) == YR_OK;
    yr_wipe(secrets, sizeof secrets);
    yr_wipe(key, sizeof key);
    yr_wipe(iv, sizeof iv);
    yr_wipe(hp, sizeof hp);
    return ok;
}

// The CRYPTO bytes of an opened Initial: `len u16be | clock 12 | Noise message 1`.  ngtcp2 1.x
// sends them in several frames out of order.  false: other frames, gaps, or a wrong length.
static bool read_crypto(const uint8_t *src, size_t len, uint8_t msg[YR_LINK_CRYPTO_MAX],
                        size_t *msg_len)
{
    bool have[YR_LINK_CRYPTO_MAX] = {false};
    struct yr_rd rd = yr_rd_init(src, len);
    size_t end = 0;

    memset(msg, 0, YR_LINK_CRYPTO_MAX);
    while (yr_rd_left(&rd) > 0) {
        const uint8_t type = yr_rd_u8(&rd);
        const uint8_t *data;
        uint64_t offset, n;

        if (type <= 1) // PADDING, PING
            continue;
        if (type != 6)
            return false;
        offset = read_varint(&rd);
        n = read_varint(&rd);
        if (offset > YR_LINK_CRYPTO_MAX || n > YR_LINK_CRYPTO_MAX - offset)
            return false;
        data = yr_rd_bytes(&rd, (size_t)n);
        if (data == NULL)
            return false;
        memcpy(msg + offset, data, (size_t)n);
        memset(have + offset, true, (size_t)n);
        end = YR_MAX(end, (size_t)(offset + n));
    }
    for (size_t i = 0; i < end; i++)
        if (!have[i])
            return false;
    *msg_len = end;
    return !rd.bad && end >= 2 + 12 && end == 2U + ((size_t)msg[0] << 8 | msg[1]);
}

static bool take_token(struct yr_link *link, yr_us now)
{
    link->credit_us = YR_MIN(link->credit_us + (now - link->credit_at), YR_LINK_DIALS_BURST * YR_S);
    link->credit_at = now;
    if (link->credit_us < YR_S)
        return false;
    link->credit_us -= YR_S;
    return true;
}

// Noise message 1, and that what it says fits what its envelope said.
static bool read_noise(const struct yr_links *links, struct yr_first *out, const uint8_t *msg,
                       size_t len)
{
    yr_handshake_init(&out->noise, links, out->link, out->pair, false);
    return yr_noise_read(&out->noise, msg + 14, len - 14, out->payload, sizeof out->payload,
                         &out->payload_len) == YR_OK &&
           out->payload_len > YR_PAYLOAD_HEAD + 1 && memcmp(out->payload, msg + 2, 12) == 0 &&
           out->payload[YR_PAYLOAD_HEAD] == out->link->keys[out->pair].gen;
}

enum yr_link_drop yr_first_check(struct yr_links *links, const uint8_t *packet, size_t len,
                                 struct yr_first *out)
{
    uint8_t plain[YR_PACKET_MAX], msg[YR_LINK_CRYPTO_MAX];
    size_t plain_len, msg_len, i;
    struct yr_link *link;
    struct initial in;

    if (!read_form(&in, packet, len))
        return YR_LINK_DROP_FORM;
    if ((i = find_hint(links, in.dcid)) == links->hint_count)
        return YR_LINK_DROP_HINT;
    out->link = link = links->slots[links->hint_owners[i] / 2];
    out->pair = links->hint_owners[i] % 2;
    if (link->blocked || !links->has_self)
        return YR_LINK_DROP_POLICY;
    if (!open_initial(&in, link->keys[out->pair].init[1 - link->out], plain, &plain_len) ||
        !read_crypto(plain, plain_len, msg, &msg_len))
        return YR_LINK_DROP_AEAD;
    // Before the bucket: or old packets, replayed, would empty it and shut the friend out.
    if (memcmp(msg + 2, link->theirs.bytes, sizeof link->theirs.bytes) <= 0)
        return YR_LINK_DROP_CLOCK;
    if (!take_token(link, links->now.mono_us))
        return YR_LINK_DROP_BUCKET;
    memcpy(out->clock.bytes, msg + 2, sizeof out->clock.bytes);
    if (!read_noise(links, out, msg, msg_len)) {
        yr_first_clear(out);
        return YR_LINK_DROP_NOISE;
    }
    ngtcp2_cid_init(&out->dcid, in.dcid, YR_CID1_LEN);
    ngtcp2_cid_init(&out->scid, in.scid, YR_CID_LEN);
    return YR_LINK_DROP_NONE;
}

void yr_first_clear(struct yr_first *first)
{
    yr_noise_clear(&first->noise);
    yr_wipe(first->payload, sizeof first->payload);
}
