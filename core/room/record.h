/* core/room/record.h: the signed records a room is made of, and their bodies.  B.9.1, B.9.2.
 *
 *     'Y' 'r' | ver 1 | class u8 | room_id 32 | mid 16 | seq u64 | prev 32 | ndeps u8 | deps 32
 * each | hlc u64 | incarnation 8 | blen u32 | body | sig 64
 *
 * rec_id = H(all before sig); sig = Sign("room", all before sig) by the author's key of this room.
 * An author numbers its records from 1 within (class, incarnation); prev is the one before it there
 * and zero in the first.  deps rise strictly, so that none is named twice.
 *
 * A room begins with its CREATE: control, seq 1, no prev, no deps, and room_id and mid zero, since
 * both come from it: room_id = H("yaari/1/room" || CREATE without sig), mid = H16(room_id || RS).
 * Decoding puts what they are in their place. */
#ifndef YR_ROOM_RECORD_H
#define YR_ROOM_RECORD_H

#include "core/base/bytes.h"
#include "core/crypto/kdf.h"
#include "core/limits.h"

#define YR_ROOM_ID_LEN 32
#define YR_REC_ID_LEN  32
#define YR_SIG_LEN     64

#define YR_ROOM_SIGNED_MIN (2 + 1 + 1 + 32 + 16 + 8 + 32 + 1 + 8 + 8 + 4) /* bytes before body */
#define YR_ROOM_BODY_MAX   (YR_ROOM_RECORD_MAX - YR_ROOM_SIGNED_MIN - YR_SIG_LEN)

/*    X(NAME, class, what it carries) */
#define YR_CLASS_MAP(X)                                                       \
    X(CONTROL, 1, "who is a member, with what rank; settings: kept for ever") \
    X(MESSAGE, 2, "sealed content and the keys to it")                        \
    X(STATE, 3, "only an author's newest counts")

enum yr_room_class {
#define X(name, class, meaning) YR_CLASS_##name = class,
    YR_CLASS_MAP(X)
#undef X
};

/** A record, taken apart.  What is lent is lent from the source bytes. */
struct yr_room_record {
    uint8_t class;                   /* enum yr_room_class, or one this version does not know */
    bool known;                      /* the class is known */
    bool create;                     /* the room's first record */
    uint8_t room_id[YR_ROOM_ID_LEN]; /* CREATE: computed */
    uint8_t author[YR_MID_LEN];      /* mid; CREATE: computed, zero when its body is malformed */
    uint64_t seq;
    uint8_t prev[YR_REC_ID_LEN]; /* zero: none */
    size_t dep_count;
    uint8_t deps[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN];
    uint64_t hlc;
    uint8_t incarnation[8];
    const uint8_t *body; /* lent */
    size_t body_len;
    /* only from decode */
    uint8_t id[YR_REC_ID_LEN]; /* rec_id; the first 16 bytes are a message's id */
    const uint8_t *src;        /* lent: the bytes that are signed, and the signature behind them */
    size_t signed_len;
};

/** Take any bytes apart; look at form and bounds only: signature and body are others' to check.
 *  Errors: YR_EVERSION: not version 1; YR_EPROTO.  *out written only on YR_OK. */
YR_MUST_USE enum yr_err yr_room_record_decode(struct yr_room_record *out, const uint8_t *src,
                                              size_t len);
/** Write and sign.  id, src, signed_len, known and the order of deps are not looked at; room_id and
 *  author neither if it is a CREATE.  sign_sk: the author's 64-byte Ed25519 secret key of this
 * room. Whoever wants the record's id decodes it.  Errors: YR_ESIZE: no room, or over a maximum;
 *  YR_EINVAL: decode would refuse it. */
YR_MUST_USE enum yr_err yr_room_record_encode(const struct yr_room_record *record,
                                              const uint8_t sign_sk[64], uint8_t *dst, size_t cap,
                                              size_t *len);
/** The bytes before the body of a record that is no CREATE; of the body only its length is looked
 * at. Errors: YR_ESIZE: no room, or over a maximum; YR_EINVAL: a dep is named twice. */
YR_MUST_USE enum yr_err yr_room_record_head(const struct yr_room_record *record, uint8_t *dst,
                                            size_t cap, size_t *len);
/** Is it by the holder of `sign_pk` (RS), and is that its author?  record: from decode.
 *  Errors: YR_EAUTH. */
YR_MUST_USE enum yr_err yr_room_record_verify(const struct yr_room_record *record,
                                              const uint8_t sign_pk[32]);

/** mid = H16(room_id || RS). */
void yr_room_mid(uint8_t out[YR_MID_LEN], const uint8_t room_id[YR_ROOM_ID_LEN],
                 const uint8_t sign_pk[32]);

/* ---- bodies: `kind u8 | fields` ---- */

/*    X(NAME, class, kind, meaning) */
#define YR_BODY_MAP(X)                                                                    \
    X(CREATE, CONTROL, 1, "a room and its founder")                                       \
    X(ADD, CONTROL, 2, "a new member, who asked for it, and its key to the epoch")        \
    X(REMOVE, CONTROL, 3, "a member is no longer one")                                    \
    X(ROLE, CONTROL, 4, "a member's rank")                                                \
    X(SET, CONTROL, 5, "a setting of the room")                                           \
    X(LEAVE, CONTROL, 6, "the author is no longer a member")                              \
    X(CONTENT, MESSAGE, 1, "a sealed message")                                            \
    X(REKEY, MESSAGE, 2, "a new epoch secret for every member, or a part of them")        \
    X(HIST, MESSAGE, 3, "keys of epochs from before, granted to one who joins")           \
    X(KEY, STATE, 1, "the author's new key for epoch secrets")                            \
    X(PROFILE, STATE, 2, "how the author calls itself")                                   \
    X(NEEDKEY, STATE, 3, "the author cannot open the epoch it names; asks for a new one") \
    X(RECEIPT, STATE, 4, "how far the author has each chain on disk, and has read it")

enum yr_room_kind {
#define X(name, class, kind, meaning) YR_ROOM_##name,
    YR_BODY_MAP(X)
#undef X
        YR_ROOM_KIND_COUNT
};

#define YR_RECEIPT_LEN (16 + 8 + 4 + 4) /* mid, incarnation, delivered u32, read u32 */

/*    F(body, FORM, member, min, max), in the order of the bytes
 *
 * FORM   U8 U16 U32  a number min..max
 *        BIN         exactly max bytes
 *        STR         u8 length, then min..max bytes of UTF-8 without NUL
 *        TEXT        the rest: min..max bytes of UTF-8 without NUL
 *        REST        the rest: min..max bytes
 *        LIST8       u8 count 1.., then as many elements of `min` bytes, at most `max`
 *        LIST16      the same with a u16 count */
#define YR_FIELDS_CREATE(F)                             \
    F(create, BIN, sign_pk, 32, 32)                     \
    F(create, BIN, seal_pk, 32, 32)                     \
    F(create, U8, invite_min, 1, 100)                   \
    F(create, U8, hist_days, 0, YR_ROOM_HIST_DAYS)      \
    F(create, U16, max_members, 1, YR_ROOM_MEMBERS_MAX) \
    F(create, TEXT, text, 1, YR_ROOM_NAME_MAX)
#define YR_FIELDS_ADD(F)                  \
    F(add, BIN, sign_pk, 32, 32)          \
    F(add, BIN, seal_pk, 32, 32)          \
    F(add, U8, rank, 1, 99)               \
    F(add, BIN, join_sig, 64, YR_SIG_LEN) \
    F(add, BIN, epoch, 16, 16)            \
    F(add, BIN, nonce, 16, 16)            \
    F(add, BIN, eph, 32, 32)              \
    F(add, BIN, sealed, 48, 48)           \
    F(add, TEXT, text, 0, YR_NICK_MAX)
#define YR_FIELDS_REMOVE(F) F(remove, BIN, mid, 16, YR_MID_LEN)
#define YR_FIELDS_ROLE(F)             \
    F(role, BIN, mid, 16, YR_MID_LEN) \
    F(role, U8, rank, 1, 99)
#define YR_FIELDS_SET(F)    \
    F(set, U8, key, 1, 255) \
    F(set, REST, data, 0, YR_ROOM_VALUE_MAX)
#define YR_FIELDS_LEAVE(F)
#define YR_FIELDS_CONTENT(F)                 \
    F(content, BIN, epoch, 16, 16)           \
    F(content, U32, index, 0, UINT32_MAX)    \
    F(content, BIN, commit, 32, 32)          \
    F(content, BIN, nonce, 24, YR_NONCE_LEN) \
    F(content, REST, data, YR_TAG_LEN, YR_ROOM_BODY_MAX)
#define YR_FIELDS_REKEY(F)        \
    F(rekey, BIN, nonce, 16, 16)  \
    F(rekey, BIN, commit, 32, 32) \
    F(rekey, U8, part, 0, 254)    \
    F(rekey, U8, parts, 1, 255)   \
    F(rekey, BIN, eph, 32, 32)    \
    F(rekey, LIST16, list, 4 + 48, YR_ROOM_SEALED_MAX)
#define YR_FIELDS_HIST(F)             \
    F(hist, BIN, mid, 16, YR_MID_LEN) \
    F(hist, BIN, eph, 32, 32)         \
    F(hist, LIST8, list, 16 + 48, YR_ROOM_EPOCHS_MAX)
#define YR_FIELDS_KEY(F) F(key, BIN, seal_pk, 32, 32)
#define YR_FIELDS_PROFILE(F)              \
    F(profile, STR, text, 0, YR_NICK_MAX) \
    F(profile, TEXT, note, 0, YR_STATUS_MAX)
#define YR_FIELDS_NEEDKEY(F) F(needkey, BIN, epoch, 16, 16)
#define YR_FIELDS_RECEIPT(F) F(receipt, LIST16, list, YR_RECEIPT_LEN, YR_RECEIPTS_MAX)

/** Keys of SET; others are kept and not shown. */
enum yr_room_setting { YR_SETTING_NAME = 1, YR_SETTING_TOPIC = 2, YR_SETTING_AVATAR = 3 };

/** One decoded body: the members of the rows above; the others zero.  Pointers are lent. */
struct yr_room_body {
    enum yr_room_kind kind;
    bool known;                        /* else nothing below is set */
    const uint8_t *sign_pk, *seal_pk;  /* RS, RX: 32 */
    const uint8_t *mid;                /* REMOVE ROLE: whom; HIST: for whom */
    const uint8_t *join_sig;           /* ADD */
    const uint8_t *epoch;              /* 16: ADD: the parent; CONTENT NEEDKEY */
    const uint8_t *nonce;              /* ADD REKEY: 16; CONTENT: 24 */
    const uint8_t *commit;             /* 32: REKEY: of ES; CONTENT: kc, of the message key */
    const uint8_t *eph, *sealed;       /* 32; 48 */
    const uint8_t *list;               /* REKEY: (mid4, ct 48); HIST: (epoch 16, ct 48); RECEIPT */
    const uint8_t *text, *note, *data; /* CREATE: name; ADD PROFILE: nick; SET: value; ciphertext */
    size_t text_len, note_len, data_len, list_count;
    uint32_t index;       /* CONTENT: ci */
    uint16_t max_members; /* CREATE */
    uint8_t invite_min, hist_days, rank, key, part, parts;
};

/** Take a body of `class` apart.  Total; a class or kind this version does not know is YR_OK with
 *  known = false.  Errors: YR_EPROTO.  *out written only on YR_OK. */
YR_MUST_USE enum yr_err yr_room_body_decode(struct yr_room_body *out, uint8_t class,
                                            const uint8_t *src, size_t len);
/** Errors: YR_ESIZE: no room; YR_EINVAL: decode would refuse it, or a member is missing. */
YR_MUST_USE enum yr_err yr_room_body_encode(const struct yr_room_body *body, uint8_t *dst,
                                            size_t cap, size_t *len);
/** "CREATE"; "?" when it is not known. */
const char *yr_room_kind_name(enum yr_room_kind kind);
/** The class in which a kind travels. */
enum yr_room_class yr_room_kind_class(enum yr_room_kind kind);
/** Its number there, the first byte of the body. */
uint8_t yr_room_kind_number(enum yr_room_kind kind);

/* ---- joining ---- */

/** A newcomer's word that it holds RS and wants RX, for this inviter alone:
 *  Sign("room/join", room_id || RS || RX || inviter's mid). */
void yr_room_join_sign(uint8_t sig[YR_SIG_LEN], const uint8_t sign_sk[64],
                       const uint8_t room_id[YR_ROOM_ID_LEN], const uint8_t sign_pk[32],
                       const uint8_t seal_pk[32], const uint8_t inviter[YR_MID_LEN]);
/** Errors: YR_EAUTH. */
YR_MUST_USE enum yr_err yr_room_join_verify(const uint8_t sig[YR_SIG_LEN],
                                            const uint8_t room_id[YR_ROOM_ID_LEN],
                                            const uint8_t sign_pk[32], const uint8_t seal_pk[32],
                                            const uint8_t inviter[YR_MID_LEN]);

#endif
