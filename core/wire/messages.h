/* core/wire/messages.h: every message of the protocol, declared once.  docs/protocol.md "Wire".
 *
 * Two kinds: frames and packets are fixed binary (parsed before or outside authentication of a
 * person's words); plaintexts are msgpack maps with small integer keys and travel only inside
 * authenticated encryption.  From the rows expand the structs, the codecs, the names in logs, the
 * round-trip and truncation tests, the fuzzers' seeds and the tables of docs/protocol.md. */
#ifndef YR_MESSAGES_H
#define YR_MESSAGES_H

#include "core/base/bytes.h"
#include "core/limits.h"

/* ---- link frames: `type u8 | len u16le | body` on a channel ---- */

/*    X(NAME, type byte, channel, body) */
#define YR_FRAME_MAP(X)                                                                            \
    X(PING, 0x01, CONTROL, "opaque u64: answered by PONG with the same")                           \
    X(PONG, 0x02, CONTROL, "opaque u64")                                                           \
    X(ADDRS, 0x30, CONTROL, "n u8 | n x address: where the sender listens, replaces the last")     \
    X(ENV_PUT, 0x31, CHAT, "an envelope for the receiver")                                         \
    X(ENV_ACK, 0x32, CHAT, "n x (status u8 | eid 16): what became of envelopes received")

enum yr_frame {
#define X(name, type, channel, body) YR_FRAME_##name = type,
    YR_FRAME_MAP(X)
#undef X
};

enum yr_env_status {
    YR_ENV_DONE = 0,    /* committed, or had been before: forget it */
    YR_ENV_REFUSED = 1, /* will never be taken (does not open): stop sending it */
};

/* ---- direct plaintexts (B.7 as DESIGN.md 5 has it) ---- */

/*    X(NAME, type, body, meaning) */
#define YR_PLAIN_MAP(X)                                                                            \
    X(TEXT, 1, "str <= YR_TEXT_MAX", "a text; flags bit 0: an action")                             \
    X(DELIVERED, 2, "[id]", "these are on the receiver's disk")                                    \
    X(READ, 3, "[id]", "these were shown")                                                         \
    X(EDIT, 4, "{1: id, 2: str}", "new text of one's own message")                                 \
    X(DELETE, 5, "{1: id}", "one's own message is gone")                                           \
    X(REACTION, 6, "{1: id, 2: str <= 16, 3: bool on}", "a reaction set or taken back")            \
    X(PROFILE, 7, "{1: nick, 2: status}", "how the sender calls itself")                           \
    X(PREKEY, 9, "{1: pkid, 2: bin32, 3: exp}", "the sender's newest prekey for the receiver")     \
    X(NOOP, 17, "nil", "carries only the ratchet")

enum yr_plain_type {
#define X(name, type, body, meaning) YR_PLAIN_##name = type,
    YR_PLAIN_MAP(X)
#undef X
        YR_PLAIN_COUNT = 0 /* no type: never on the wire */
};

/** One decoded plaintext.  Pointers are lent from the source bytes; absent ones NULL / zero.
 *  Map keys: 1 type, 2 id bin16, 3 hlc u64, 4 body, 5 acks, 6 seq u64, 7 incarnation bin8,
 *  8 parents [bin16 <= 4], 9 reply-to bin16, 10 expires u64 s, 11 flags. */
struct yr_plain {
    uint64_t type; /* enum yr_plain_type or one that this version does not know */
    bool known;    /* type is known and its body decoded into the fields below */
    const uint8_t *id;       /* 16 bytes */
    uint64_t hlc;            /* 48-bit milliseconds, 16-bit counter */
    uint64_t seq, expires_s, flags;
    const uint8_t *incarnation; /* 8 bytes */
    const uint8_t *reply_to;    /* 16 bytes */
    const uint8_t *parents[YR_PARENTS_MAX];
    size_t parent_count;
    const uint8_t *acks[32];
    size_t ack_count;
    /* body */
    const uint8_t *target; /* EDIT DELETE REACTION: 16 bytes */
    const uint8_t *text;   /* TEXT EDIT REACTION (emoji), PROFILE (nick): UTF-8 */
    size_t text_len;
    const uint8_t *text2; /* PROFILE (status) */
    size_t text2_len;
    bool on; /* REACTION */
    const uint8_t *ids[YR_ACKS_MAX]; /* DELIVERED READ */
    size_t id_count;
    uint32_t prekey_id, prekey_exp_s;
    const uint8_t *prekey; /* PREKEY: 32 bytes */
};

/** Total decoder behind the bounding pre-scan of B.14 (ints, bin, str, arrays, maps with small
 *  integer keys, nil, bool; depth <= 8, elements <= 1,024, <= 64 KiB, no duplicate keys, UTF-8
 *  without NUL, no trailing bytes; unknown keys ignored).  *out written only on YR_OK.
 *  An unknown type is YR_OK with known = false.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_plain_decode(struct yr_plain *out, const uint8_t *src, size_t len);
/** Errors: YR_ESIZE (no room, or over a maximum); YR_EINVAL (no id). */
YR_MUST_USE enum yr_err yr_plain_encode(const struct yr_plain *plain, uint8_t *dst, size_t cap,
                                        size_t *len);

/* ---- first contact payloads (B.5): {1 cert bin142, 2 prekey {1 id, 2 bin32, 3 exp}, 3 nick,
 *      4 text, 5 caps, 6 verdict, 7 reason} ---- */

struct yr_hello {
    const uint8_t *cert; /* 142 bytes */
    uint32_t prekey_id, prekey_exp_s;
    const uint8_t *prekey; /* 32 bytes */
    const uint8_t *nick, *text;
    size_t nick_len, text_len;
    uint32_t caps;
    uint8_t verdict; /* FC_DATA: 0 refused, 1 accepted, 2 pending */
    uint8_t reason;  /* of a refusal: 1 spent, 2 revoked, 3 full */
};
YR_MUST_USE enum yr_err yr_hello_decode(struct yr_hello *out, const uint8_t *src, size_t len);
YR_MUST_USE enum yr_err yr_hello_encode(const struct yr_hello *hello, uint8_t *dst, size_t cap,
                                        size_t *len);

#endif
