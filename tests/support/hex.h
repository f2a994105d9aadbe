/* tests/support/hex.h: bytes as they are printed in published vectors. */
#ifndef TEST_HEX_H
#define TEST_HEX_H

#include "core/base/base.h"

/** Bytes of lower-case hex; blanks are passed over.  Returns their number; fails the test on
 * anything else or when they do not fit. */
size_t unhex(uint8_t *out, size_t cap, const char *hex);

#endif
