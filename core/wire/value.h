/* core/wire/value.h: msgpack values read in place, behind one pre-scan.  docs/protocol.md B.14.
 *
 * The pre-scan walks all bytes once and refuses whatever the profile does not allow; after it a
 * cursor (yr_rd) reads values head by head.  Nothing is allocated and nothing is copied. */
#ifndef YR_VALUE_H
#define YR_VALUE_H

#include "core/base/bytes.h"
#include "core/limits.h"

#define YR_MAP_KEY_MAX 127 /* "small integer": one byte in msgpack */

enum yr_value_kind {
    YR_VALUE_NIL,
    YR_VALUE_BOOL,
    YR_VALUE_UINT,
    YR_VALUE_NEGATIVE, /* allowed by the profile; no field of ours has one */
    YR_VALUE_BIN,
    YR_VALUE_STR,
    YR_VALUE_ARRAY,
    YR_VALUE_MAP
};

/** One value; of an array or map only its head. */
struct yr_value {
    enum yr_value_kind kind;
    uint64_t number;     /* BOOL UINT: itself; ARRAY: elements; MAP: pairs */
    const uint8_t *data; /* BIN STR: lent from the source; never NULL, also when empty */
    size_t len;          /* BIN STR: bytes */
};

/** Is this exactly one value of the profile: ints, bin, str (UTF-8 without NUL), arrays, maps with
 *  distinct keys 0..YR_MAP_KEY_MAX, nil, bool; depth <= YR_MSGPACK_DEPTH, YR_MSGPACK_ITEMS values
 *  (keys count), YR_MSGPACK_MAX bytes, nothing after it?  Reads each byte once. */
bool yr_value_check(const void *src, size_t len);

/** The next value.  rd->bad is set, and NIL returned, when it is cut short or not of the profile.
 */
struct yr_value yr_value_next(struct yr_rd *rd);

/** Pass over the next value with all that is inside it. */
void yr_value_skip(struct yr_rd *rd);

#endif
