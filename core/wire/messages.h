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
#define YR_FRAME_MAP(X)                                                                        \
    X(PING, 0x01, CONTROL, "opaque u64: answered by PONG with the same")                       \
    X(PONG, 0x02, CONTROL, "opaque u64")                                                       \
    X(KEEPALIVE, 0x03, CONTROL, "seconds u16: the sender's link is never quiet for longer")    \
    X(PRESENCE, 0x04, CONTROL, "flags u8 | active u64 | since u64 | text: is the sender away") \
    X(TYPING, 0x05, CONTROL, "flags u8: the sender is writing to the receiver")                \
    X(ADDRS, 0x30, CONTROL, "an offer: where the sender is, replaces the last")                \
    X(ENV_PUT, 0x31, CHAT, "an envelope for the receiver")                                     \
    X(ENV_ACK, 0x32, CHAT, "n x (status u8 | eid 16): what became of envelopes received")      \
    X(MBX_OFFER, 0x33, CHAT, "bytes u32 | days u8: the sender keeps so much; 0: nothing")      \
    X(MBX_REG, 0x34, CHAT, "day u32 | n x tag 16: keep what carries these; replaces the day")  \
    X(MBX_LIST, 0x35, CHAT, "n x eid 16: the sender keeps these, oldest first")                \
    X(MBX_GET, 0x36, CHAT, "n x eid 16: send these")                                           \
    X(MBX_ASK, 0x37, CHAT, "n x eid 16: are these still kept?  Answered by ENV_ACK")           \
    X(ENV_FWD, 0x38, CHAT, "hop 16 | envelope: leave it with this friend of the receiver")     \
    X(ROOM_TAGS, 0x40, ROOMS, "nonce 16 | n x tag 16: the sender's rooms, and padding")        \
    X(ROOM_OPEN, 0x41, ROOMS, "tag 16 | route u16 | mid 16 | sig 64: the sender is a member")  \
    X(ROOM_HAVE, 0x42, ROOMS, "route u16 | flags u8 | count u64 | digest 32: of all chains")   \
    X(ROOM_ASK, 0x43, ROOMS, "route u16 | digest 32 | n x node u32: which chains are there")   \
    X(ROOM_VEC, 0x44, ROOMS, "route u16 | n x (node u32 | n u8 | sums or chains)")             \
    X(ROOM_WANT, 0x45, ROOMS, "route u16 | more u8 | n x (chain 8 | from u64 | to u64)")       \
    X(ROOM_REC, 0x46, ROOMS, "route u16 | a record that was asked for")                        \
    X(ROOM_NEW, 0x47, ROOMS, "route u16 | a record that is new")                               \
    X(ROOM_GET, 0x48, ROOMS, "route u16 | n x id 16: send these records")                      \
    X(ROOM_IHAVE, 0x49, ROOMS, "route u16 | n x id 16: new records, sent when asked for")      \
    X(ROOM_GRAFT, 0x4a, ROOMS, "route u16 | n x id 16: send these, and their authors' next")   \
    X(ROOM_PRUNE, 0x4b, ROOMS, "route u16 | n x mid 16: only announce what these write")       \
    X(ROOM_PAGE, 0x4c, ROOMS, "route u16 | chain 8 | from u64 | to u64: which records are it") \
    X(ROOM_IDS, 0x4d, ROOMS, "route u16 | chain 8 | from u64 | to u64 | n x id 16")            \
    X(RELAY_OPEN, 0x50, CONTROL, "route u16 | nonce 16 | hash 16: carry to this friend")       \
    X(RELAY_CALL, 0x51, CONTROL, "route u16 | nonce 16 | hash 16: this friend asks for you")   \
    X(RELAY_OPENED, 0x52, CONTROL, "route u16: packets may go through it")                     \
    X(RELAY_CLOSE, 0x53, CONTROL, "route u16 | reason u8: it is no more")

enum yr_frame {
#define X(name, type, channel, body) YR_FRAME_##name = type,
    YR_FRAME_MAP(X)
#undef X
};

enum yr_env_status {
    YR_ENV_DONE = 0,    /* committed, or had been before: forget it */
    YR_ENV_REFUSED = 1, /* will never be taken (does not open): stop sending it */
    YR_ENV_CUSTODY = 2, /* kept for the friend it is for, on disk */
    YR_ENV_FULL = 3,    /* not kept: a quota is used up */
    YR_ENV_NO_TAG = 4,  /* not kept: nobody here waits for it */
    YR_ENV_GONE = 5     /* asked for: not kept any more, or never was */
};

/* ---- direct plaintexts (docs/protocol.md "Messages") ---- */

/*    X(NAME, type, form of the body, meaning) */
#define YR_PLAIN_MAP(X)                                                   \
    X(TEXT, 1, VALUE, "a text; flags bit 0: an action")                   \
    X(DELIVERED, 2, VALUE, "these messages are on the receiver's disk")   \
    X(READ, 3, VALUE, "these were shown")                                 \
    X(EDIT, 4, MAP, "new text of one's own message")                      \
    X(DELETE, 5, MAP, "one's own message is gone")                        \
    X(REACTION, 6, MAP, "a reaction set or taken back")                   \
    X(PROFILE, 7, MAP, "how the sender calls itself")                     \
    X(RELAYS, 8, VALUE, "friends through whom the sender can be reached") \
    X(PREKEY, 9, MAP, "the sender's newest prekey for the receiver")      \
    X(ROOM_INVITE, 10, MAP, "the receiver may join this room")            \
    X(ROOM_JOIN, 11, MAP, "the sender wants to join it, with these keys") \
    X(NOOP, 17, VALUE, "carries only the ratchet")

enum yr_plain_type {
#define X(name, type, form, meaning) YR_PLAIN_##name = type,
    YR_PLAIN_MAP(X)
#undef X
        YR_PLAIN_COUNT = 0 /* no type: never on the wire */
};

#define YR_PLAIN_BODY_KEY  4
#define YR_PLAIN_ACTION    1U /* flags bit 0 of a TEXT */
#define YR_INCARNATION_LEN 8

/*    F(owner, key, member, KIND, min, max, NEED | OPT)
 *
 * KIND   UINT  a number min..max; absent: 0
 *        BOOL  absent: false
 *        BIN   exactly max bytes, lent; absent: NULL
 *        BLOB  min..max bytes, lent; `member`_len; absent: NULL, 0
 *        STR   min..max bytes of UTF-8 without NUL, lent; `member`_len; absent: NULL, 0
 *        IDS   an array of min..max message ids, lent; `member`s[], `member`_count; absent: 0
 *        NIL   nothing
 * A body of form VALUE is the one value of its only row; one of form MAP is a map of its rows. */
#define YR_PLAIN_FIELDS(F)                                    \
    F(plain, 1, type, UINT, 1, UINT64_MAX, NEED)              \
    F(plain, 2, id, BIN, 16, YR_MSG_ID_LEN, NEED)             \
    F(plain, 3, hlc, UINT, 0, UINT64_MAX, OPT)                \
    F(plain, 5, ack, IDS, 0, YR_PLAIN_ACKS_MAX, OPT)          \
    F(plain, 6, seq, UINT, 0, UINT64_MAX, OPT)                \
    F(plain, 7, incarnation, BIN, 8, YR_INCARNATION_LEN, OPT) \
    F(plain, 8, parent, IDS, 0, YR_PARENTS_MAX, OPT)          \
    YR_PLAIN_TAIL_FIELDS(F)

#define YR_PLAIN_TAIL_FIELDS(F)                        \
    F(plain, 9, reply_to, BIN, 16, YR_MSG_ID_LEN, OPT) \
    F(plain, 10, expires_s, UINT, 0, UINT64_MAX, OPT)  \
    F(plain, 11, flags, UINT, 0, UINT64_MAX, OPT)

/* In a room the record around it says who said it, when, and after what. */
#define YR_ROOM_PLAIN_FIELDS(F)                  \
    F(plain, 1, type, UINT, 1, UINT64_MAX, NEED) \
    YR_PLAIN_TAIL_FIELDS(F)

#define YR_PREKEY_FIELDS(F, owner)                    \
    F(owner, 1, prekey_id, UINT, 0, UINT32_MAX, NEED) \
    F(owner, 2, prekey, BIN, 32, 32, NEED)            \
    F(owner, 3, prekey_exp_s, UINT, 0, UINT32_MAX, NEED)

#define YR_BODY_TEXT(F)      F(plain, 0, text, STR, 1, YR_TEXT_MAX, NEED)
#define YR_BODY_DELIVERED(F) F(plain, 0, id, IDS, 0, YR_ACKS_MAX, NEED)
#define YR_BODY_READ(F)      F(plain, 0, id, IDS, 0, YR_ACKS_MAX, NEED)
#define YR_BODY_EDIT(F)                               \
    F(plain, 1, target, BIN, 16, YR_MSG_ID_LEN, NEED) \
    F(plain, 2, text, STR, 1, YR_TEXT_MAX, NEED)
#define YR_BODY_DELETE(F) F(plain, 1, target, BIN, 16, YR_MSG_ID_LEN, NEED)
#define YR_BODY_REACTION(F)                           \
    F(plain, 1, target, BIN, 16, YR_MSG_ID_LEN, NEED) \
    F(plain, 2, text, STR, 1, YR_EMOJI_MAX, NEED)     \
    F(plain, 3, on, BOOL, 0, 1, NEED)
#define YR_BODY_PROFILE(F)                       \
    F(plain, 1, text, STR, 0, YR_NICK_MAX, NEED) \
    F(plain, 2, text2, STR, 0, YR_STATUS_MAX, OPT)
#define YR_BODY_RELAYS(F) F(plain, 0, id, IDS, 8, 8, NEED)
#define YR_BODY_PREKEY(F) YR_PREKEY_FIELDS(F, plain)
#define YR_BODY_ROOM_INVITE(F)                             \
    F(plain, 1, create, BLOB, 1, YR_ROOM_CREATE_MAX, NEED) \
    F(plain, 2, mid, BIN, 16, YR_MID_LEN, NEED)            \
    F(plain, 3, text, STR, 1, YR_ROOM_NAME_MAX, NEED)      \
    F(plain, 4, members, UINT, 1, YR_ROOM_MEMBERS_MAX, NEED)
#define YR_BODY_ROOM_JOIN(F)                 \
    F(plain, 1, room, BIN, 32, 32, NEED)     \
    F(plain, 2, sign_pk, BIN, 32, 32, NEED)  \
    F(plain, 3, seal_pk, BIN, 32, 32, NEED)  \
    F(plain, 4, join_sig, BIN, 64, 64, NEED) \
    F(plain, 5, text, STR, 0, YR_NICK_MAX, NEED)
#define YR_BODY_NOOP(F) F(plain, 0, type, NIL, 0, 0, OPT)

/** One decoded plaintext: the members of the rows above.  Pointers are lent from the source bytes;
 *  absent ones NULL / zero. */
struct yr_plain {
    uint64_t type;     /* enum yr_plain_type or one that this version does not know */
    bool known;        /* type is known and its body decoded into the fields below */
    const uint8_t *id; /* 16 bytes */
    uint64_t hlc;      /* 48-bit milliseconds, 16-bit counter */
    uint64_t seq, expires_s, flags;
    const uint8_t *incarnation; /* 8 bytes */
    const uint8_t *reply_to;    /* 16 bytes */
    const uint8_t *parents[YR_PARENTS_MAX];
    size_t parent_count;
    const uint8_t *acks[YR_PLAIN_ACKS_MAX];
    size_t ack_count;
    /* body */
    const uint8_t *target; /* EDIT DELETE REACTION: 16 bytes */
    const uint8_t *text;   /* TEXT EDIT REACTION (emoji), PROFILE (nick): UTF-8 */
    size_t text_len;
    const uint8_t *text2; /* PROFILE (status) */
    size_t text2_len;
    bool on;                         /* REACTION */
    const uint8_t *ids[YR_ACKS_MAX]; /* DELIVERED READ; RELAYS: blinded friends */
    size_t id_count;
    uint32_t prekey_id, prekey_exp_s;
    const uint8_t *prekey; /* PREKEY: 32 bytes */
    const uint8_t *create; /* ROOM_INVITE: the room's CREATE record */
    size_t create_len;
    const uint8_t *mid; /* ROOM_INVITE: the sender's there; its name is `text` */
    uint32_t members;
    const uint8_t *room;              /* ROOM_JOIN: 32 bytes; the sender's nick is `text` */
    const uint8_t *sign_pk, *seal_pk; /* RS, RX: 32 */
    const uint8_t *join_sig;          /* 64 */
};

/** Total decoder behind the bounding pre-scan of B.14 (ints, bin, str, arrays, maps with small
 *  integer keys, nil, bool; depth <= 8, elements <= 1,024, <= 64 KiB, no duplicate keys, UTF-8
 *  without NUL, no trailing bytes; unknown keys ignored).  *out written only on YR_OK.
 *  An unknown type is YR_OK with known = false.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_plain_decode(struct yr_plain *out, const uint8_t *src, size_t len);
/** Absent members are left out.  Nothing that decode would refuse is ever written.
 *  Errors: YR_ESIZE (no room, or over a maximum); YR_EINVAL (no id or another member that is
 * needed, no known type, text that is not UTF-8). */
YR_MUST_USE enum yr_err yr_plain_encode(const struct yr_plain *plain, uint8_t *dst, size_t cap,
                                        size_t *len);

/** The same for what is said in a room: YR_ROOM_PLAIN_FIELDS and the body; TEXT and EDIT of at most
 *  YR_ROOM_TEXT_MAX bytes, DELETE, REACTION; other types are not known there.  decode leaves the
 *  other fields of a plaintext zero, whatever stands in the bytes, and encode does not look at
 * them. Errors: the same. */
YR_MUST_USE enum yr_err yr_plain_decode_room(struct yr_plain *out, const uint8_t *src, size_t len);
YR_MUST_USE enum yr_err yr_plain_encode_room(const struct yr_plain *plain, uint8_t *dst, size_t cap,
                                             size_t *len);
/** "TEXT"; "?" for an unknown type. */
const char *yr_plain_name(uint64_t type);

/* ---- first contact payloads (B.5) ---- */

#define YR_HELLO_PREKEY_KEY 2 /* holds a map of YR_PREKEY_FIELDS; absent: prekey NULL */

#define YR_HELLO_FIELDS(F)                          \
    F(hello, 1, cert, BIN, 142, 142, OPT)           \
    F(hello, 3, nick, STR, 0, YR_NICK_MAX, OPT)     \
    F(hello, 4, text, STR, 0, YR_GREETING_MAX, OPT) \
    F(hello, 5, caps, UINT, 0, UINT32_MAX, OPT)     \
    F(hello, 6, verdict, UINT, 0, 2, OPT)           \
    F(hello, 7, reason, UINT, 0, UINT8_MAX, OPT)

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
/** As yr_plain_decode and yr_plain_encode; what must be there depends on who asks. */
YR_MUST_USE enum yr_err yr_hello_decode(struct yr_hello *out, const uint8_t *src, size_t len);
YR_MUST_USE enum yr_err yr_hello_encode(const struct yr_hello *hello, uint8_t *dst, size_t cap,
                                        size_t *len);

#endif
