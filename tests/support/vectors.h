/* tests/support/vectors.h: reading tests/vectors/NAME.json. */
#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

#include <jansson.h>

#include "core/base/base.h"

/** The root of a vector file; the caller's reference.  Fails the test when it cannot be read. */
json_t *vectors_load(const char *path);

/** The bytes of a hex member; their number.  Fails the test when it is absent or does not fit. */
size_t vector_bytes(uint8_t *out, size_t cap, const json_t *object, const char *key);
/** The same of an array's element. */
size_t vector_bytes_at(uint8_t *out, size_t cap, const json_t *array, size_t i);
uint64_t vector_int(const json_t *object, const char *key);

#endif
