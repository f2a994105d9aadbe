#include "core/crypto/age.h"

#include <sodium.h>
#include <stdio.h>

#include "core/base/bytes.h"
#include "core/crypto/aead.h"

#define VERSION_LINE "age-encryption.org/v1\n"
#define SCRYPT_LABEL "age-encryption.org/v1/scrypt"
#define STANZA       "-> scrypt "
#define MAC_MARK     "---"
#define FILE_KEY     16
#define SALT         16
#define NONCE        16
#define SALT_TEXT    22 /* base64 without padding */
#define BODY_TEXT    43
#define BASE64       sodium_base64_VARIANT_ORIGINAL_NO_PADDING

/* ---- keys ---- */

// HKDF-SHA-256 (RFC 5869) of one block.
static void hkdf(uint8_t out[32], const uint8_t *ikm, size_t ikm_len, const uint8_t *salt,
                 size_t salt_len, const char *info)
{
    static const uint8_t one = 1;
    crypto_auth_hmacsha256_state state;
    uint8_t prk[32];

    crypto_auth_hmacsha256_init(&state, salt, salt_len);
    crypto_auth_hmacsha256_update(&state, ikm, ikm_len);
    crypto_auth_hmacsha256_final(&state, prk);
    crypto_auth_hmacsha256_init(&state, prk, sizeof prk);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)info, strlen(info));
    crypto_auth_hmacsha256_update(&state, &one, 1);
    crypto_auth_hmacsha256_final(&state, out);
    yr_wipe(prk, sizeof prk);
    yr_wipe(&state, sizeof state);
}

static void header_mac(uint8_t mac[32], const uint8_t file_key[FILE_KEY], const void *header,
                       size_t len)
{
    static const uint8_t none[1];
    uint8_t key[32];
    crypto_auth_hmacsha256_state state;

    hkdf(key, file_key, FILE_KEY, none, 0, "header");
    crypto_auth_hmacsha256_init(&state, key, sizeof key);
    crypto_auth_hmacsha256_update(&state, header, len);
    crypto_auth_hmacsha256_final(&state, mac);
    yr_wipe(key, sizeof key);
    yr_wipe(&state, sizeof state);
}

static enum yr_err wrap_key(uint8_t key[32], const uint8_t salt[SALT], unsigned log_n,
                            const char *passphrase, size_t passphrase_len)
{
    uint8_t full[sizeof SCRYPT_LABEL - 1 + SALT];

    memcpy(full, SCRYPT_LABEL, sizeof SCRYPT_LABEL - 1);
    memcpy(full + sizeof SCRYPT_LABEL - 1, salt, SALT);
    return crypto_pwhash_scryptsalsa208sha256_ll((const uint8_t *)passphrase, passphrase_len, full,
                                                 sizeof full, (uint64_t)1 << log_n, 8, 1, key,
                                                 32) == 0
               ? YR_OK
               : YR_ENOMEM;
}

/* ---- writing ---- */

static void put_base64(struct yr_wr *wr, const uint8_t *src, size_t len)
{
    char text[BODY_TEXT + 1];

    sodium_bin2base64(text, sizeof text, src, len, BASE64);
    yr_wr_bytes(wr, text, strlen(text));
}

static void put_text(struct yr_wr *wr, const char *text)
{
    yr_wr_bytes(wr, text, strlen(text));
}

enum yr_err yr_age_seal_begin(struct yr_age *age, uint8_t out[YR_AGE_HEAD_MAX], size_t *len,
                              const char *passphrase, size_t passphrase_len, unsigned log_n,
                              const struct yr_rng *rng)
{
    static const uint8_t zeros[12];
    uint8_t drawn[FILE_KEY + SALT + NONCE], key[32], body[FILE_KEY + YR_TAG_LEN], mac[32];
    const uint8_t *file_key = drawn, *salt = drawn + FILE_KEY, *nonce = salt + SALT;
    struct yr_wr wr = yr_wr_init(out, YR_AGE_HEAD_MAX);
    char factor[8];
    enum yr_err err;

    YR_ASSERT(log_n >= 1 && log_n <= YR_AGE_LOGN_MAX);
    yr_random(rng, drawn, sizeof drawn);
    if ((err = wrap_key(key, salt, log_n, passphrase, passphrase_len)) != YR_OK) {
        yr_wipe(drawn, sizeof drawn);
        return err;
    }
    yr_seal_c(body, key, zeros, NULL, 0, file_key, FILE_KEY);
    put_text(&wr, VERSION_LINE STANZA);
    put_base64(&wr, salt, SALT);
    snprintf(factor, sizeof factor, " %u\n", log_n);
    put_text(&wr, factor);
    put_base64(&wr, body, sizeof body);
    put_text(&wr, "\n" MAC_MARK);
    header_mac(mac, file_key, out, yr_wr_len(&wr));
    put_text(&wr, " ");
    put_base64(&wr, mac, sizeof mac);
    put_text(&wr, "\n");
    yr_wr_bytes(&wr, nonce, NONCE);
    YR_ASSERT(yr_wr_ok(&wr));
    *len = yr_wr_len(&wr);
    *age = (struct yr_age){.counter = 0};
    hkdf(age->key, file_key, FILE_KEY, nonce, NONCE, "payload");
    yr_wipe(drawn, sizeof drawn);
    yr_wipe(key, sizeof key);
    return YR_OK;
}

static void chunk_nonce(uint8_t nonce[12], struct yr_age *age, bool last)
{
    struct yr_wr wr = yr_wr_init(nonce, 12);

    yr_wr_zero(&wr, 3);
    yr_wr_u64be(&wr, age->counter++);
    yr_wr_u8(&wr, last ? 1 : 0);
}

void yr_age_seal_chunk(struct yr_age *age, uint8_t *dst, const uint8_t *src, size_t len, bool last)
{
    uint8_t nonce[12];

    YR_ASSERT(!age->ended && len <= YR_AGE_CHUNK && (last || len == YR_AGE_CHUNK));
    YR_ASSERT(len > 0 || age->counter == 0);
    chunk_nonce(nonce, age, last);
    yr_seal_c(dst, age->key, nonce, NULL, 0, src, len);
    age->ended = last;
}

/* ---- reading ---- */

/* What stands in a header that is ours to open. */
struct header {
    uint8_t salt[SALT], body[FILE_KEY + YR_TAG_LEN], mac[32];
    unsigned log_n;
    size_t signed_len; // the MAC is over so many bytes
    const uint8_t *nonce;
};

static bool take(struct yr_rd *rd, const char *text)
{
    const size_t len = strlen(text);
    const uint8_t *at = yr_rd_bytes(rd, len);

    return at != NULL && memcmp(at, text, len) == 0;
}

// Canonical, or nothing.  libsodium takes 0xaf for '/'.
static bool take_base64(struct yr_rd *rd, uint8_t *out, size_t len, size_t text_len)
{
    const uint8_t *at = yr_rd_bytes(rd, text_len);
    const char *end;
    size_t got;

    for (size_t i = 0; at != NULL && i < text_len; i++)
        if (at[i] >= 0x80)
            return false;
    return at != NULL &&
           sodium_base642bin(out, len, (const char *)at, text_len, NULL, &got, &end, BASE64) == 0 &&
           got == len && end == (const char *)at + text_len;
}

// One or two digits without a leading zero, and a line end.
static bool take_factor(struct yr_rd *rd, unsigned *out)
{
    uint8_t c = yr_rd_u8(rd);

    if (c < '1' || c > '9')
        return false;
    *out = (unsigned)(c - '0');
    c = yr_rd_u8(rd);
    if (c >= '0' && c <= '9') {
        *out = 10 * *out + (unsigned)(c - '0');
        c = yr_rd_u8(rd);
    }
    return c == '\n';
}

// rd->bad afterwards: it ended too early, and was good so far.
static enum yr_err read_header(struct yr_rd *rd, const uint8_t *src, struct header *h)
{
    if (!take(rd, VERSION_LINE))
        return YR_EPROTO;
    if (!take(rd, STANZA))
        return YR_EVERSION;
    if (!take_base64(rd, h->salt, sizeof h->salt, SALT_TEXT) || !take(rd, " ") ||
        !take_factor(rd, &h->log_n) || !take_base64(rd, h->body, sizeof h->body, BODY_TEXT) ||
        !take(rd, "\n" MAC_MARK))
        return YR_EPROTO;
    h->signed_len = (size_t)(rd->at - src);
    if (!take(rd, " ") || !take_base64(rd, h->mac, sizeof h->mac, BODY_TEXT) || !take(rd, "\n"))
        return YR_EPROTO;
    h->nonce = yr_rd_bytes(rd, NONCE);
    return YR_OK;
}

enum yr_err yr_age_open_begin(struct yr_age *age, const uint8_t *src, size_t len, size_t *used,
                              const char *passphrase, size_t passphrase_len)
{
    static const uint8_t zeros[12];
    struct yr_rd rd = yr_rd_init(src, YR_MIN(len, (size_t)YR_AGE_FILE_HEAD_MAX));
    uint8_t key[32], file_key[FILE_KEY], mac[32];
    struct header h;
    enum yr_err err = read_header(&rd, src, &h);

    if (rd.bad)
        return len < YR_AGE_FILE_HEAD_MAX ? YR_EAGAIN : YR_EPROTO;
    if (err != YR_OK)
        return err;
    if (h.log_n > YR_AGE_LOGN_MAX)
        return YR_ESIZE;
    if ((err = wrap_key(key, h.salt, h.log_n, passphrase, passphrase_len)) != YR_OK)
        return err;
    err = yr_unseal_c(file_key, key, zeros, NULL, 0, h.body, sizeof h.body);
    yr_wipe(key, sizeof key);
    if (err != YR_OK)
        return err;
    header_mac(mac, file_key, src, h.signed_len);
    if (yr_equal(mac, h.mac, sizeof mac)) {
        *age = (struct yr_age){.counter = 0};
        hkdf(age->key, file_key, FILE_KEY, h.nonce, NONCE, "payload");
        *used = (size_t)(rd.at - src);
    } else {
        err = YR_EPROTO;
    }
    yr_wipe(file_key, sizeof file_key);
    return err;
}

enum yr_err yr_age_open_chunk(struct yr_age *age, uint8_t *dst, const uint8_t *src, size_t len,
                              bool last)
{
    const size_t full = YR_AGE_CHUNK + YR_AGE_OVERHEAD;
    uint8_t nonce[12];
    enum yr_err err;

    if (age->ended || len > full || len < YR_AGE_OVERHEAD || (!last && len != full) ||
        (len == YR_AGE_OVERHEAD && age->counter > 0)) // an empty last chunk of a file that is not
        return YR_EPROTO;
    chunk_nonce(nonce, age, last);
    err = yr_unseal_c(dst, age->key, nonce, NULL, 0, src, len);
    age->ended = last || err != YR_OK;
    return err;
}
