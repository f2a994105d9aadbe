/* net/random.h: the one source of randomness: libsodium's randombytes, that is getrandom(2).
 * What is too short to be a key (nonces, ids) comes out of a pool of each thread, which is wiped as
 * it is used and empty in a child. */
#ifndef YR_RANDOM_H
#define YR_RANDOM_H

#include "yaari/api.h"

/** The system's generator; for as long as the process lives.  Initialises libsodium. */
const struct yr_rng *yr_rng_system(void);

#endif
