/* The slow functions of libsodium, remembered: Diffie-Hellman by the pair of public keys, which
 * both ends share, and verified signatures.  What they return is what libsodium returns, so that a
 * run is the same with and without; linked in front of it (--wrap) into the simulator only.
 *
 * When they are faked a public key is a hash of the secret one, and what two keys share is a hash
 * of both public ones: anybody could compute it, but all takes its course as it would. */
#include "tools/sim.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BASE_SLOTS   (1U << 18)
#define DH_SLOTS     (1U << 20)
#define VERIFY_SLOTS (1U << 16)

int __real_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p);
int __real_crypto_scalarmult_base(unsigned char *q, const unsigned char *n);
int __real_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                       unsigned long long mlen, const unsigned char *pk);
int __wrap_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p);
int __wrap_crypto_scalarmult_base(unsigned char *q, const unsigned char *n);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                       unsigned long long mlen, const unsigned char *pk);

struct base {
    unsigned char sk[32], pk[32];
};

struct dh {
    unsigned char of[16], shared[32];
};

static struct base *bases;
static struct dh *dhs;
static unsigned char (*verified)[16];

static bool faked;

void sim_fake_keys(void)
{
    faked = true;
}

static size_t slot(const unsigned char *random, size_t slots)
{
    size_t at;

    memcpy(&at, random, sizeof at);
    return at & (slots - 1);
}

static int ready(void)
{
    if (bases == NULL) {
        bases = calloc(BASE_SLOTS, sizeof *bases);
        dhs = calloc(DH_SLOTS, sizeof *dhs);
        verified = calloc(VERIFY_SLOTS, sizeof *verified);
    }
    return bases != NULL && dhs != NULL && verified != NULL;
}

static void hash_both(unsigned char *out, size_t len, const unsigned char *a,
                      const unsigned char *b)
{
    const int first = memcmp(a, b, 32) < 0;
    unsigned char both[64];

    memcpy(both, first ? a : b, 32);
    memcpy(both + 32, first ? b : a, 32);
    crypto_generichash(out, len, both, sizeof both, NULL, 0);
}

int __wrap_crypto_scalarmult_base(unsigned char *q, const unsigned char *n)
{
    int err;

    if (faked)
        return crypto_generichash(q, 32, n, 32, NULL, 0);
    err = __real_crypto_scalarmult_base(q, n);
    if (err == 0 && ready()) {
        struct base *b = &bases[slot(n + 8, BASE_SLOTS)];

        memcpy(b->sk, n, 32);
        memcpy(b->pk, q, 32);
    }
    return err;
}

int __wrap_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p)
{
    const struct base *own;
    unsigned char of[32];
    struct dh *dh;
    int err;

    if (faked) {
        crypto_generichash(of, 32, n, 32, NULL, 0);
        hash_both(q, 32, of, p);
        return 0;
    }
    if (!ready() || (own = &bases[slot(n + 8, BASE_SLOTS)], memcmp(own->sk, n, 32) != 0))
        return __real_crypto_scalarmult(q, n, p);
    hash_both(of, sizeof dh->of, own->pk, p);
    dh = &dhs[slot(of, DH_SLOTS)];
    if (memcmp(dh->of, of, sizeof dh->of) == 0) {
        memcpy(q, dh->shared, 32);
        return 0;
    }
    if ((err = __real_crypto_scalarmult(q, n, p)) == 0) {
        memcpy(dh->of, of, sizeof dh->of);
        memcpy(dh->shared, q, 32);
    }
    return err;
}

int __wrap_crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                       unsigned long long mlen, const unsigned char *pk)
{
    crypto_generichash_state state;
    unsigned char of[16];
    size_t at;

    if (!ready())
        return __real_crypto_sign_verify_detached(sig, m, mlen, pk);
    crypto_generichash_init(&state, NULL, 0, sizeof of);
    crypto_generichash_update(&state, sig, crypto_sign_BYTES);
    crypto_generichash_update(&state, pk, crypto_sign_PUBLICKEYBYTES);
    crypto_generichash_update(&state, m, mlen);
    crypto_generichash_final(&state, of, sizeof of);
    at = slot(of, VERIFY_SLOTS);
    if (memcmp(verified[at], of, sizeof of) == 0)
        return 0;
    if (__real_crypto_sign_verify_detached(sig, m, mlen, pk) != 0)
        return -1;
    memcpy(verified[at], of, sizeof of);
    return 0;
}
