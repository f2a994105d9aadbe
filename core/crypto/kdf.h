/* core/crypto/kdf.h: hashing and key derivation.  docs/protocol.md "Keys" (B.1, B.13).
 * Every label of the protocol is a row here and is used for one purpose only. */
#ifndef YR_KDF_H
#define YR_KDF_H

#include "core/base/base.h"

#define YR_KEY_LEN   32
#define YR_HASH_LEN  32
#define YR_HASH16    16
#define YR_NONCE_LEN 24 /* XChaCha20-Poly1305 */
#define YR_TAG_LEN   16

/*    X(NAME, label without "yaari/1/", key it is used with) */
#define YR_LABEL_MAP(X)                                                          \
    X(ID_ED, "id/ed", "identity root")                                           \
    X(PAIR, "pair", "exporter of first contact")                                 \
    X(PAIR_NEXT, "pair/next", "PAIR")                                            \
    X(LINK_PSK, "link/psk", "PAIR")                                              \
    X(LINK_INIT, "link/init", "PAIR, ctx dir")                                   \
    X(LINK_HINT, "link/hint", "PAIR, ctx dir")                                   \
    X(PATH_PROBE, "path/probe", "PAIR, ctx dir")                                 \
    X(PATH_SIGNAL, "path/signal", "probe key of the direction")                  \
    X(PATH_CERT, "path/cert", "probe key of the direction")                      \
    X(LAN, "lan", "PAIR, ctx dir")                                               \
    X(PKH_PSK, "pkh/psk", "PAIR")                                                \
    X(REL, "rel", "PAIR")                                                        \
    X(TIME, "time", "PAIR, ctx first day")                                       \
    X(RV_OFF, "rv/off", "PAIR")                                                  \
    X(RV, "rv", "T[d], ctx dir")                                                 \
    X(RV_KEY, "rv/key", "V[dir,d], ctx epoch")                                   \
    X(RV_VAL, "rv/val", "V[dir,d], ctx epoch")                                   \
    X(DHT_RPC, "dht/rpc", "DH of node keys, ctx both")                           \
    X(TIME_NEXT, "time/next", "T[d]")                                            \
    X(ENV, "env", "T[d], ctx dir")                                               \
    X(TAG, "tag", "T[d], ctx dir")                                               \
    X(TAG_VAL, "tag/val", "G[dir,d]")                                            \
    X(DR_ROOT, "dr/root", "exporter of first contact or prekey handshake")       \
    X(DR_MK, "dr/mk", "chain key")                                               \
    X(DR_CK, "dr/ck", "chain key")                                               \
    X(FC_PSK, "fc/psk", "invite secret")                                         \
    X(FC_MAC, "fc/mac", "invite secret")                                         \
    X(FC_HINT, "fc/hint", "invite secret")                                       \
    X(FC_RV, "fc/rv", "invite secret: F_rv, in place of V")                      \
    X(FC_SIGNAL, "fc/signal", "invite secret, ctx dir")                          \
    X(LINK_INITIAL, "link/initial", "L_init, ctx first connection id")           \
    X(QUIC_HS, "quic/hs", "Split key")                                           \
    X(QUIC_AP, "quic/ap", "Split key")                                           \
    X(QUIC_KEY, "quic/key", "packet secret")                                     \
    X(QUIC_IV, "quic/iv", "packet secret")                                       \
    X(QUIC_HP, "quic/hp", "packet secret")                                       \
    X(QUIC_KU, "quic/ku", "packet secret")                                       \
    X(DB_VAL, "db/val", "vault key")                                             \
    X(DB_IDX, "db/idx", "vault key, ctx table and id")                           \
    X(DB_HIDE, "db/hide", "vault key, ctx table, round and half an id")          \
    X(DB_SHRED, "db/shred", "vault key")                                         \
    X(FP, "fp", "hash of both identities, ctx group")                            \
    X(RELAY, "relay", "P_rel, ctx identity of who carries")                      \
    X(RELAY_PAD, "relay/pad", "identity root")                                   \
    X(RELAY_TO, "relay/to", "identity asked for, ctx nonce")                     \
    X(RELAY_FROM, "relay/from", "identity that asks, ctx nonce")                 \
    X(ROOM_TAG, "room/tag", "PAIR, ctx dir, nonce and room")                     \
    X(ROOM_PEER, "room/peer", "PAIR, ctx dir, room and mid")                     \
    X(ROOM_VEC, "room/vec", "PAIR, ctx room")                                    \
    X(ROOM_SEAL, "room/seal", "DH(eph, RX), ctx room, epoch, both keys, author") \
    X(ROOM_TREE, "room/tree", "ES, ctx kind of tree")                            \
    X(ROOM_NODE, "room/node", "node of a tree, ctx the next bit of a mid")       \
    X(ROOM_CK, "room/ck", "leaf of a tree of content, ctx mid")                  \
    X(ROOM_AK, "room/ak", "leaf of a tree of adds, ctx mid")                     \
    X(ROOM_NEXT, "room/next", "chain key CK or AK")                              \
    X(ROOM_MK, "room/mk", "CK")                                                  \
    X(ROOM_KC, "room/kc", "message key of a room")                               \
    X(ROOM_ES, "room/es", "AK, ctx RS, RX, adder")

enum yr_label {
#define X(name, text, key) YR_LABEL_##name,
    YR_LABEL_MAP(X)
#undef X
        YR_LABEL_COUNT
};

/** A label's text without its prefix. */
const char *yr_label_text(enum yr_label label);

/** BLAKE2b of `out_len` (1..64) bytes keyed with `key`, over
 *  u8 len(label) || label || u16le len(ctx) || ctx, label with its prefix "yaari/1/" (B.1).
 *  Outputs shorter than 16 bytes are cut from 16 (libsodium's floor). */
void yr_kdf(uint8_t *out, size_t out_len, const uint8_t key[YR_KEY_LEN], enum yr_label label,
            const void *ctx, size_t ctx_len);

/** Unkeyed BLAKE2b, 32 bytes; H of the protocol. */
void yr_hash(uint8_t out[YR_HASH_LEN], const void *src, size_t len);
/** The first 16 bytes of it; H16. */
void yr_hash16(uint8_t out[YR_HASH16], const void *src, size_t len);
/** H(a || b), to spare callers a buffer. */
void yr_hash2(uint8_t out[YR_HASH_LEN], const void *a, size_t a_len, const void *b, size_t b_len);
/** Keyed BLAKE2b of 16 bytes: the MAC of first-contact packets. */
void yr_mac16(uint8_t out[16], const uint8_t key[YR_KEY_LEN], const void *src, size_t len);
/** SipHash-2-4, 8 bytes, the hint of packets. */
void yr_siphash(uint8_t out[8], const uint8_t key[16], const void *src, size_t len);

/** Constant-time equality. */
bool yr_equal(const void *a, const void *b, size_t len);
/** A wipe that no compiler removes. */
void yr_wipe(void *ptr, size_t len);
/** Add one to a big-endian number of `len` bytes, wrapping. */
void yr_increment_be(uint8_t *number, size_t len);

#endif
