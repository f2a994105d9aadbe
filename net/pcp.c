#include "net/pcp.h"

#include <string.h>

#include "core/base/bytes.h"

#define PCP    2 /* versions */
#define NATPMP 0
#define ANSWER 0x80 /* the bit of an answer's opcode */
#define MAP    1    /* of both protocols, where NAT-PMP's 2 is TCP */
#define UDP    17

static void put_u32be(struct yr_wr *wr, uint32_t v)
{
    yr_wr_u16be(wr, (uint16_t)(v >> 16));
    yr_wr_u16be(wr, (uint16_t)v);
}

static uint32_t get_u32be(struct yr_rd *rd)
{
    const uint32_t high = yr_rd_u16be(rd);
    return high << 16 | yr_rd_u16be(rd);
}

/** An IPv4 address as PCP writes it: ::ffff:a.b.c.d. */
static void put_mapped(struct yr_wr *wr, const uint8_t ip[4])
{
    yr_wr_zero(wr, 10);
    yr_wr_u16be(wr, 0xffff);
    yr_wr_bytes(wr, ip, 4);
}

/** false: it is no IPv4 address. */
static bool get_mapped(struct yr_rd *rd, uint8_t ip[4])
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t bytes[16];

    yr_rd_copy(rd, bytes, sizeof bytes);
    memcpy(ip, bytes + 12, 4);
    return memcmp(bytes, prefix, sizeof prefix) == 0;
}

size_t yr_pcp_map(uint8_t out[YR_PCP_REQUEST_MAX], const uint8_t ip[4],
                  const uint8_t nonce[YR_PCP_NONCE], uint16_t internal, uint16_t external,
                  const uint8_t *outside, uint32_t lifetime_s)
{
    static const uint8_t any[4];
    struct yr_wr wr = yr_wr_init(out, YR_PCP_REQUEST_MAX);

    yr_wr_u8(&wr, PCP);
    yr_wr_u8(&wr, MAP);
    yr_wr_zero(&wr, 2);
    put_u32be(&wr, lifetime_s);
    put_mapped(&wr, ip);
    yr_wr_bytes(&wr, nonce, YR_PCP_NONCE);
    yr_wr_u8(&wr, UDP);
    yr_wr_zero(&wr, 3);
    yr_wr_u16be(&wr, internal);
    yr_wr_u16be(&wr, external);
    put_mapped(&wr, outside != NULL ? outside : any);
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

size_t yr_natpmp_map(uint8_t out[YR_PCP_REQUEST_MAX], uint16_t internal, uint16_t external,
                     uint32_t lifetime_s)
{
    struct yr_wr wr = yr_wr_init(out, YR_PCP_REQUEST_MAX);

    yr_wr_u8(&wr, NATPMP);
    yr_wr_u8(&wr, MAP);
    yr_wr_zero(&wr, 2);
    yr_wr_u16be(&wr, internal);
    yr_wr_u16be(&wr, external);
    put_u32be(&wr, lifetime_s);
    return yr_wr_len(&wr);
}

size_t yr_natpmp_address(uint8_t out[YR_PCP_REQUEST_MAX])
{
    memset(out, 0, 2); // version and opcode
    return 2;
}

/** What stands behind version and opcode of PCP; false: not an answer to us. */
static bool pcp(struct yr_rd *rd, uint8_t opcode, struct yr_pcp_answer *out)
{
    yr_rd_skip(rd, 1);
    out->result = yr_rd_u8(rd);
    out->lifetime_s = get_u32be(rd);
    out->epoch_s = get_u32be(rd);
    yr_rd_skip(rd, 12);
    if (opcode == ANSWER) {
        out->kind = YR_PCP_ANNOUNCE;
        return true; // options may follow, which we did not ask for
    }
    if (opcode != (ANSWER | MAP))
        return false;
    out->kind = YR_PCP_MAP;
    yr_rd_copy(rd, out->nonce, sizeof out->nonce);
    out->udp = yr_rd_u8(rd) == UDP;
    yr_rd_skip(rd, 3);
    out->internal = yr_rd_u16be(rd);
    out->external = yr_rd_u16be(rd);
    return get_mapped(rd, out->ip) || out->result != YR_PCP_OK;
}

static bool natpmp(struct yr_rd *rd, uint8_t opcode, struct yr_pcp_answer *out)
{
    out->result = yr_rd_u16be(rd);
    out->epoch_s = get_u32be(rd);
    if (opcode == ANSWER) {
        out->kind = YR_NATPMP_ADDRESS;
        if (out->result == YR_PCP_OK) // of an error some leave it out
            yr_rd_copy(rd, out->ip, 4);
    } else if (opcode == (ANSWER | MAP)) {
        out->kind = YR_NATPMP_MAP;
        out->udp = true;
        if (out->result == YR_PCP_OK) {
            out->internal = yr_rd_u16be(rd);
            out->external = yr_rd_u16be(rd);
            out->lifetime_s = get_u32be(rd);
        }
    } else {
        out->kind = YR_NATPMP_OTHER; // whatever the opcode: it did not know it either
    }
    return out->kind != YR_NATPMP_OTHER || out->result != YR_PCP_OK;
}

enum yr_err yr_pcp_decode(struct yr_pcp_answer *out, const uint8_t *bytes, size_t len)
{
    struct yr_rd rd = yr_rd_init(bytes, len);
    const uint8_t version = yr_rd_u8(&rd), opcode = yr_rd_u8(&rd);
    struct yr_pcp_answer answer;
    bool ok = false;

    memset(&answer, 0, sizeof answer);
    if (len > YR_PCP_ANSWER_MAX || (opcode & ANSWER) == 0)
        return YR_EPROTO;
    if (version == PCP)
        ok = len % 4 == 0 && pcp(&rd, opcode, &answer);
    else if (version == NATPMP)
        ok = natpmp(&rd, opcode, &answer);
    if (!ok || rd.bad)
        return YR_EPROTO;
    *out = answer;
    return YR_OK;
}

const char *yr_pcp_reason(const struct yr_pcp_answer *answer)
{
    static const char *const pcp_reasons[] = {[1] = "the gateway does not know this version",
                                              [2] = "the gateway does not allow mappings",
                                              [3] = "the gateway found the request malformed",
                                              [4] = "the gateway cannot map ports",
                                              [7] = "the gateway has no network",
                                              [8] = "the gateway has no room for a mapping",
                                              [10] = "the gateway allows us no more mappings",
                                              [12] = "the gateway sees us at another address"};
    static const char *const natpmp_reasons[] = {[1] = "the gateway does not know this version",
                                                 [2] = "the gateway does not allow mappings",
                                                 [3] = "the gateway has no network",
                                                 [4] = "the gateway has no room for a mapping",
                                                 [5] = "the gateway cannot map ports"};
    const bool is_pcp = answer->kind == YR_PCP_MAP || answer->kind == YR_PCP_ANNOUNCE;
    const char *const *reasons = is_pcp ? pcp_reasons : natpmp_reasons;
    const size_t count = is_pcp ? YR_COUNT(pcp_reasons) : YR_COUNT(natpmp_reasons);
    const char *reason = answer->result < count ? reasons[answer->result] : NULL;

    return reason != NULL ? reason : "the gateway refuses a mapping";
}

bool yr_pcp_restarted(uint32_t before_s, uint32_t epoch_s, uint64_t elapsed_s)
{
    const uint64_t server_s = (uint64_t)epoch_s - before_s;

    if (epoch_s < before_s)
        return before_s - epoch_s > 1;
    // Clocks may differ by a sixteenth, and by two seconds of rounding.
    return elapsed_s + 2 < server_s - server_s / 16 || server_s + 2 < elapsed_s - elapsed_s / 16;
}
