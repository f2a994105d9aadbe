/* core/crypto/identity.h: identity, device key, device certificate, pair fingerprint (B.2, B.5). */
#ifndef YR_IDENTITY_H
#define YR_IDENTITY_H

#include "core/crypto/noise.h"

#define YR_CERT_LEN 142

/** Who we are: the identity signs device certificates only; the device key is Noise's static. */
struct yr_identity {
    uint8_t root[32];    /* the one secret everything of the identity comes from */
    uint8_t sign_sk[64]; /* Ed25519, from KDF(root, "id/ed") */
    uint8_t id[32];      /* Ed25519 public key: what friends know us by */
    struct yr_keypair device;
    uint32_t gen; /* device generation, rises with each restore */
    yr_ms created_ms;
};

/** ver 1 | gen u32 | created u64 (ms) | flags u8 | ID 32 | DEV 32 | sig 64 (B.2). */
struct yr_cert {
    uint32_t gen;
    uint64_t created_ms;
    uint8_t flags;
    uint8_t id[32], dev[32];
};

/** A new identity with device generation 1. */
void yr_identity_new(struct yr_identity *out, const struct yr_rng *rng, yr_ms now_ms);
/** Rebuild from stored secrets. */
void yr_identity_from(struct yr_identity *out, const uint8_t root[32], const uint8_t device_sk[32],
                      uint32_t gen, yr_ms created_ms);
void yr_identity_clear(struct yr_identity *identity);

/** The certificate of our present device. */
void yr_cert_make(uint8_t out[YR_CERT_LEN], const struct yr_identity *identity);
/** Check form and signature.  Errors: YR_EPROTO; YR_EVERSION; YR_EAUTH. */
YR_MUST_USE enum yr_err yr_cert_open(struct yr_cert *out, const uint8_t cert[YR_CERT_LEN]);

/** An Ed25519 key pair of a 32-byte secret seed. */
void yr_sign_keypair(uint8_t public_key[32], uint8_t sign_sk[64], const uint8_t seed[32]);
/** Sign(label, x) = Ed25519 over label || 0x00 || H(x) (B.1). */
void yr_sign(uint8_t sig[64], const uint8_t sign_sk[64], const char *label, const void *msg,
             size_t len);
YR_MUST_USE enum yr_err yr_verify(const uint8_t sig[64], const uint8_t id[32], const char *label,
                                  const void *msg, size_t len);

#define YR_FINGERPRINT_LEN 71 /* 12 groups of 5 digits, one space between */
/** What two people compare, the same on both sides; NUL-terminated. */
void yr_fingerprint(char out[YR_FINGERPRINT_LEN + 1], const uint8_t a[32], const uint8_t b[32]);

#endif
