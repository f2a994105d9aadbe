/* net/random.h: the one source of randomness: libsodium's randombytes, that is getrandom(2). */
#ifndef YR_RANDOM_H
#define YR_RANDOM_H

#include "yaari/api.h"

/** The system's generator; for as long as the process lives.  Initialises libsodium. */
const struct yr_rng *yr_rng_system(void);

#endif
