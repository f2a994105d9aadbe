#include "core/crypto/noise.h"

#include <sodium.h>

#include "core/base/bytes.h"
#include "core/crypto/aead.h"

#define HASH  64  /* Noise's HASHLEN for BLAKE2b */
#define BLOCK 128 /* and its BLOCKLEN */

#define MESSAGES_MAX 3

static const struct {
    const char *name; // of the whole protocol; at most HASH bytes, so it is padded, not hashed
    const char *pre;
    const char *messages[MESSAGES_MAX];
} patterns[] = {
#define X(name, text, pre, ...) \
    [YR_NOISE_##name] = {"Noise_" text "_25519_ChaChaPoly_BLAKE2b", pre, __VA_ARGS__},
    YR_NOISE_MAP(X)
#undef X
};

/* ---- hash functions (Noise 4.3) ---- */

static void hash2(uint8_t out[HASH], const void *a, size_t a_len, const void *b, size_t b_len)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, HASH);
    crypto_generichash_update(&state, a, a_len);
    crypto_generichash_update(&state, b, b_len);
    crypto_generichash_final(&state, out, HASH);
    sodium_memzero(&state, sizeof state);
}

// HMAC-BLAKE2b over a || b; every key in Noise is HASH bytes long.
static void hmac(uint8_t out[HASH], const uint8_t key[HASH], const void *a, size_t a_len,
                 const void *b, size_t b_len)
{
    crypto_generichash_state state;
    uint8_t pad[BLOCK], inner[HASH];

    memset(pad, 0x36, sizeof pad);
    for (size_t i = 0; i < HASH; i++)
        pad[i] ^= key[i];
    crypto_generichash_init(&state, NULL, 0, HASH);
    crypto_generichash_update(&state, pad, sizeof pad);
    crypto_generichash_update(&state, a, a_len);
    crypto_generichash_update(&state, b, b_len);
    crypto_generichash_final(&state, inner, HASH);
    for (size_t i = 0; i < BLOCK; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    hash2(out, pad, sizeof pad, inner, sizeof inner);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(pad, sizeof pad);
    sodium_memzero(inner, sizeof inner);
}

// out3 may be NULL; outputs may be the chaining key's own place only after it has been used.
static void hkdf(uint8_t out1[HASH], uint8_t out2[HASH], uint8_t *out3, const uint8_t ck[HASH],
                 const void *ikm, size_t ikm_len)
{
    uint8_t temp[HASH];

    hmac(temp, ck, ikm, ikm_len, NULL, 0);
    hmac(out1, temp, "\x01", 1, NULL, 0);
    hmac(out2, temp, out1, HASH, "\x02", 1);
    if (out3 != NULL)
        hmac(out3, temp, out2, HASH, "\x03", 1);
    sodium_memzero(temp, sizeof temp);
}

void yr_noise_hkdf2(uint8_t out1[64], uint8_t out2[64], const uint8_t chaining_key[64],
                    const void *ikm, size_t ikm_len)
{
    hkdf(out1, out2, NULL, chaining_key, ikm, ikm_len);
}

/* ---- DH functions (Noise 4.1) ---- */

void yr_keypair_from_seed(struct yr_keypair *pair, const uint8_t seed[32])
{
    memmove(pair->secret_key, seed, sizeof pair->secret_key);
    crypto_scalarmult_base(pair->public_key, pair->secret_key);
}

enum yr_err yr_dh(uint8_t out[32], const uint8_t secret[32], const uint8_t public_key[32])
{
    uint8_t shared[32];
    enum yr_err err = YR_EAUTH;

    if (crypto_scalarmult(shared, secret, public_key) == 0) {
        memcpy(out, shared, sizeof shared);
        err = YR_OK;
    }
    sodium_memzero(shared, sizeof shared);
    return err;
}

/* ---- symmetric state (Noise 5.2) ---- */

static void mix_hash(struct yr_noise *hs, const void *data, size_t len)
{
    hash2(hs->hash, hs->hash, sizeof hs->hash, data, len);
}

static void set_key(struct yr_noise *hs, const uint8_t key[HASH])
{
    memcpy(hs->key, key, sizeof hs->key);
    hs->nonce = 0;
    hs->has_key = true;
}

static void mix_key(struct yr_noise *hs, const uint8_t ikm[32])
{
    uint8_t key[HASH];

    hkdf(hs->chaining_key, key, NULL, hs->chaining_key, ikm, 32);
    set_key(hs, key);
    sodium_memzero(key, sizeof key);
}

static void mix_key_and_hash(struct yr_noise *hs, const uint8_t ikm[32])
{
    uint8_t temp[HASH], key[HASH];

    hkdf(hs->chaining_key, temp, key, hs->chaining_key, ikm, 32);
    mix_hash(hs, temp, sizeof temp);
    set_key(hs, key);
    sodium_memzero(temp, sizeof temp);
    sodium_memzero(key, sizeof key);
}

static void next_nonce(struct yr_noise *hs, uint8_t out[12])
{
    struct yr_wr wr = yr_wr_init(out, 12);

    yr_wr_zero(&wr, 4);
    yr_wr_u64(&wr, hs->nonce++);
}

static enum yr_err encrypt_and_hash(struct yr_noise *hs, struct yr_wr *dst, const void *src,
                                    size_t len)
{
    const size_t out_len = hs->has_key ? len + YR_TAG_LEN : len;
    uint8_t *out = yr_wr_room(dst, out_len);
    uint8_t nonce[12];

    if (out == NULL)
        return YR_ESIZE;
    if (hs->has_key) {
        next_nonce(hs, nonce);
        yr_seal_c(out, hs->key, nonce, hs->hash, sizeof hs->hash, src, len);
    } else if (len > 0) {
        memcpy(out, src, len);
    }
    mix_hash(hs, out, out_len);
    return YR_OK;
}

// *out_len receives the length of the plaintext.
static enum yr_err decrypt_and_hash(struct yr_noise *hs, const uint8_t *src, size_t len,
                                    uint8_t *out, size_t cap, size_t *out_len)
{
    const size_t tag = hs->has_key ? YR_TAG_LEN : 0;
    uint8_t nonce[12];
    enum yr_err err;

    if (len < tag)
        return YR_EAUTH;
    if (len - tag > cap)
        return YR_ESIZE;
    if (hs->has_key) {
        next_nonce(hs, nonce);
        err = yr_unseal_c(out, hs->key, nonce, hs->hash, sizeof hs->hash, src, len);
        if (err != YR_OK)
            return err;
    } else if (len > 0) {
        memcpy(out, src, len);
    }
    mix_hash(hs, src, len);
    *out_len = len - tag;
    return YR_OK;
}

/* ---- handshake state (Noise 5.3) ---- */

void yr_noise_init(struct yr_noise *hs, enum yr_noise_pattern pattern, bool initiator,
                   const struct yr_keypair *s, const uint8_t *rs, const uint8_t *psk,
                   const void *prologue, size_t prologue_len)
{
    YR_ASSERT(pattern < YR_NOISE_COUNT && s != NULL);
    memset(hs, 0, sizeof *hs);
    hs->pattern = pattern;
    hs->initiator = initiator;
    hs->s = *s;
    if (rs != NULL)
        memcpy(hs->rs, rs, sizeof hs->rs);
    hs->use_psk = strstr(patterns[pattern].name, "psk") != NULL;
    YR_ASSERT(hs->use_psk == (psk != NULL));
    if (psk != NULL)
        memcpy(hs->psk, psk, sizeof hs->psk);

    memcpy(hs->hash, patterns[pattern].name, strlen(patterns[pattern].name));
    memcpy(hs->chaining_key, hs->hash, sizeof hs->chaining_key);
    mix_hash(hs, prologue, prologue_len);
    // "is" and "rs": the initiator's and the responder's static are known beforehand
    if (strstr(patterns[pattern].pre, "is") != NULL) {
        YR_ASSERT(initiator || rs != NULL);
        mix_hash(hs, initiator ? hs->s.public_key : hs->rs, 32);
    }
    if (strstr(patterns[pattern].pre, "rs") != NULL) {
        YR_ASSERT(!initiator || rs != NULL);
        mix_hash(hs, initiator ? hs->rs : hs->s.public_key, 32);
    }
}

// One of e, s, psk, ee, es, se, ss; NULL after the last.  *at moves past it.
static const char *next_token(const char **at)
{
    const char *token = *at;

    if (*token == '\0')
        return NULL;
    *at += strcspn(token, " ");
    *at += strspn(*at, " ");
    return token;
}

static bool token_is(const char *token, const char *what)
{
    const size_t len = strlen(what);

    return strncmp(token, what, len) == 0 && (token[len] == ' ' || token[len] == '\0');
}

// ee, es, se, ss: the first letter is the initiator's key, the second the responder's.
static enum yr_err mix_dh(struct yr_noise *hs, const char *token)
{
    const char mine = hs->initiator ? token[0] : token[1];
    const char theirs = hs->initiator ? token[1] : token[0];
    uint8_t shared[32];
    enum yr_err err;

    err = yr_dh(shared, mine == 'e' ? hs->e.secret_key : hs->s.secret_key,
                theirs == 'e' ? hs->re : hs->rs);
    if (err == YR_OK)
        mix_key(hs, shared);
    sodium_memzero(shared, sizeof shared);
    return err;
}

static void mix_ephemeral(struct yr_noise *hs, const uint8_t e[32])
{
    mix_hash(hs, e, 32);
    if (hs->use_psk)
        mix_key(hs, e); // Noise 9.2
}

static enum yr_err write_token(struct yr_noise *hs, const char *token, const uint8_t e_seed[32],
                               struct yr_wr *dst)
{
    if (token_is(token, "psk")) {
        mix_key_and_hash(hs, hs->psk);
        return YR_OK;
    }
    if (token_is(token, "e")) {
        yr_keypair_from_seed(&hs->e, e_seed);
        yr_wr_bytes(dst, hs->e.public_key, 32);
        mix_ephemeral(hs, hs->e.public_key);
        return yr_wr_ok(dst) ? YR_OK : YR_ESIZE;
    }
    if (token_is(token, "s"))
        return encrypt_and_hash(hs, dst, hs->s.public_key, 32);
    return mix_dh(hs, token);
}

static enum yr_err read_token(struct yr_noise *hs, const char *token, struct yr_rd *src)
{
    const uint8_t *at;
    size_t len;

    if (token_is(token, "psk")) {
        mix_key_and_hash(hs, hs->psk);
        return YR_OK;
    }
    if (token_is(token, "e")) {
        if ((at = yr_rd_bytes(src, 32)) == NULL)
            return YR_EAUTH;
        memcpy(hs->re, at, 32);
        mix_ephemeral(hs, hs->re);
        return YR_OK;
    }
    if (token_is(token, "s")) {
        len = hs->has_key ? 32 + YR_TAG_LEN : 32;
        if ((at = yr_rd_bytes(src, len)) == NULL)
            return YR_EAUTH;
        return decrypt_and_hash(hs, at, len, hs->rs, 32, &len);
    }
    return mix_dh(hs, token);
}

static bool our_turn(const struct yr_noise *hs)
{
    return hs->initiator == (hs->step % 2 == 0);
}

enum yr_err yr_noise_write(struct yr_noise *hs, const uint8_t e_seed[32], const void *payload,
                           size_t payload_len, uint8_t *dst, size_t dst_cap, size_t *dst_len)
{
    struct yr_wr wr = yr_wr_init(dst, dst_cap);
    enum yr_err err = YR_OK;
    const char *at;

    if (hs->failed || yr_noise_done(hs) || !our_turn(hs)) {
        hs->failed = true;
        return YR_EAUTH;
    }
    at = patterns[hs->pattern].messages[hs->step];
    for (const char *token; err == YR_OK && (token = next_token(&at)) != NULL;)
        err = write_token(hs, token, e_seed, &wr);
    if (err == YR_OK)
        err = encrypt_and_hash(hs, &wr, payload, payload_len);
    if (err != YR_OK) {
        hs->failed = true;
        return err;
    }
    hs->step++;
    *dst_len = yr_wr_len(&wr);
    return YR_OK;
}

enum yr_err yr_noise_read(struct yr_noise *hs, const void *msg, size_t msg_len, uint8_t *payload,
                          size_t payload_cap, size_t *payload_len)
{
    struct yr_rd rd = yr_rd_init(msg, msg_len);
    enum yr_err err = YR_OK;
    size_t left;
    const char *at;

    if (hs->failed || yr_noise_done(hs) || our_turn(hs)) {
        hs->failed = true;
        return YR_EAUTH;
    }
    at = patterns[hs->pattern].messages[hs->step];
    for (const char *token; err == YR_OK && (token = next_token(&at)) != NULL;)
        err = read_token(hs, token, &rd);
    if (err == YR_OK) {
        left = yr_rd_left(&rd);
        err = decrypt_and_hash(hs, yr_rd_bytes(&rd, left), left, payload, payload_cap, payload_len);
    }
    if (err != YR_OK) {
        hs->failed = true;
        return err;
    }
    hs->step++;
    return YR_OK;
}

void yr_noise_prekey(struct yr_noise *hs, const struct yr_keypair *own, const uint8_t *theirs)
{
    uint8_t tag[YR_TAG_LEN];
    struct yr_wr wr = yr_wr_init(tag, sizeof tag);
    enum yr_err err;

    YR_ASSERT(hs->step == 0 && (hs->pattern == YR_NOISE_KK1 || hs->pattern == YR_NOISE_KK1PSK2));
    YR_ASSERT(hs->initiator ? own != NULL : theirs != NULL);
    if (hs->initiator)
        hs->e = *own;
    else
        memcpy(hs->re, theirs, sizeof hs->re);
    mix_ephemeral(hs, hs->initiator ? hs->e.public_key : hs->re);
    err = encrypt_and_hash(hs, &wr, NULL, 0);
    YR_ASSERT(err == YR_OK); // there is room for a tag
    hs->step++;
}

bool yr_noise_done(const struct yr_noise *hs)
{
    return !hs->failed &&
           (hs->step == MESSAGES_MAX || patterns[hs->pattern].messages[hs->step] == NULL);
}

void yr_noise_split(const struct yr_noise *hs, uint8_t i2r[32], uint8_t r2i[32],
                    uint8_t exporter[32])
{
    uint8_t out1[HASH], out2[HASH], out3[HASH];

    YR_ASSERT(yr_noise_done(hs));
    hkdf(out1, out2, out3, hs->chaining_key, NULL, 0);
    if (i2r != NULL)
        memcpy(i2r, out1, 32);
    if (r2i != NULL)
        memcpy(r2i, out2, 32);
    if (exporter != NULL)
        memcpy(exporter, out3, 32);
    sodium_memzero(out1, sizeof out1);
    sodium_memzero(out2, sizeof out2);
    sodium_memzero(out3, sizeof out3);
}

void yr_noise_clear(struct yr_noise *hs)
{
    if (hs != NULL)
        sodium_memzero(hs, sizeof *hs);
}
