/* core/crypto/age.h: files that `age -d` opens: age-encryption.org/v1 with one scrypt recipient.
 * Specification: C2SP age.md.  Only the form; the file itself is the host's.
 *
 *     header  "age-encryption.org/v1\n-> scrypt SALT LOGN\nWRAPPED KEY\n--- MAC\n" | nonce 16
 *     chunks  AEAD_C of 64 KiB each, the last one shorter; nonce = counter 11 be | last u8
 *
 * Deriving the key takes 2^LOGN x 1 KiB of memory and, at LOGN 18, about a second: call seal_begin
 * and open_begin off the loop. */
#ifndef YR_AGE_H
#define YR_AGE_H

#include "core/base/base.h"
#include "core/limits.h"

#define YR_AGE_HEAD_MAX 192   /* bytes before the first chunk, as we write them */
#define YR_AGE_CHUNK    65536 /* plaintext of a chunk */
#define YR_AGE_OVERHEAD 16    /* bytes a chunk is longer */

/** One file, read or written from its beginning to its end.  Secret: wipe with yr_wipe. */
struct yr_age {
    uint8_t key[32];
    uint64_t counter;
    bool ended;
};

/** Begin a file.  out: YR_AGE_HEAD_MAX bytes; *len: how many of them.  log_n: 1..YR_AGE_LOGN_MAX.
 *  Errors: YR_ENOMEM: not enough for scrypt. */
YR_MUST_USE enum yr_err yr_age_seal_begin(struct yr_age *age, uint8_t out[YR_AGE_HEAD_MAX],
                                          size_t *len, const char *passphrase,
                                          size_t passphrase_len, unsigned log_n,
                                          const struct yr_rng *rng);
/** Seal the next chunk: len is YR_AGE_CHUNK, or 1 to that for the last one; 0 only if the file is
 *  empty.  dst: len + YR_AGE_OVERHEAD bytes, may be src. */
void yr_age_seal_chunk(struct yr_age *age, uint8_t *dst, const uint8_t *src, size_t len, bool last);

/** Read the beginning of a file.  *used: bytes before the first chunk.
 *  Total.  Errors: YR_EAGAIN: more bytes are needed (never more than YR_AGE_FILE_HEAD_MAX);
 * YR_EPROTO: no age file, or a damaged header; YR_EVERSION: one for other recipients than a
 * passphrase; YR_ESIZE: its work factor is over YR_AGE_LOGN_MAX; YR_EAUTH: another passphrase;
 * YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_age_open_begin(struct yr_age *age, const uint8_t *src, size_t len,
                                          size_t *used, const char *passphrase,
                                          size_t passphrase_len);
/** Open the next chunk: len is YR_AGE_CHUNK + YR_AGE_OVERHEAD, or less for the last one, after
 * which nothing may follow.  dst: len - YR_AGE_OVERHEAD bytes, may be src. Errors: YR_EAUTH: it is
 * damaged, or not the next, or the file was cut off before it; YR_EPROTO: no chunk has this length.
 */
YR_MUST_USE enum yr_err yr_age_open_chunk(struct yr_age *age, uint8_t *dst, const uint8_t *src,
                                          size_t len, bool last);

#endif
