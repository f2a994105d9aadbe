/* A packet with a certificate, and the body of an envelope with one: raw, or as a friend seals it.
 * The first byte chooses. */
#include "core/seal/renewal.h"

#include <stddef.h>

#include "tests/fuzz/ground.h"

static const struct yr_rng rng = {fill, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[32] = {1}, a[32] = {1}, b[32] = {2};
    struct yr_renewal in = {0}, out;
    uint8_t packet[YR_RENEWAL_LEN], cert[YR_CERT_LEN];
    struct yr_pair ours, theirs;
    struct yr_prekey prekey;
    struct yr_cert got;

    (void)heap; // nothing here needs one
    rng_state = 1;
    if (size == 0)
        return 0;
    yr_pair_derive(&ours, 0, secret, a, b);
    yr_pair_derive(&theirs, 0, secret, b, a);
    if (data[0] % 3 == 0) {
        if (yr_renewal_is(&ours, data + 1, size - 1))
            (void)!yr_renewal_open(&out, &ours, data + 1, size - 1);
        REQUIRE(yr_renewal_open(&out, &ours, data + 1, size - 1) != YR_OK);
    } else if (data[0] % 3 == 1) {
        if (yr_renewal_body_decode(cert, &prekey, data + 1, size - 1) == YR_OK)
            (void)!yr_cert_open(&got, cert);
    } else {
        memcpy(in.cert, data + 1, YR_MIN(size - 1, sizeof in.cert));
        yr_renewal_seal(packet, &theirs, &in, &rng);
        REQUIRE(yr_renewal_is(&ours, packet, sizeof packet));
        REQUIRE(yr_renewal_open(&out, &ours, packet, sizeof packet) == YR_OK);
        REQUIRE(memcmp(out.cert, in.cert, sizeof in.cert) == 0);
        (void)!yr_cert_open(&got, out.cert);
    }
    return 0;
}
