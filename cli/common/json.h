/* json.h: records as one line of JSON, for stdout and for the control socket. */
#ifndef YR_CLI_JSON_H
#define YR_CLI_JSON_H

#include <jansson.h>

#include "cli/common/buf.h"

/** From here on wipe what JSON values occupied before it is given back: a passphrase in a request
 *  is copied by the reader more often than anybody could wipe by hand.  Once, before the first
 *  value is made; what json_dumps returns may still be given to free. */
void yr_json_wipe_freed(void);

/** Append `json` on one compact line, without a newline: keys in their order of insertion, text as
 *  literal UTF-8, but C0, DEL, C1, bidi controls (U+061C, U+200E/F, U+202A-E, U+2066-9) and
 * U+2028/9 always as \u escapes.  So the line is safe on a terminal and has exactly one line end.
 */
void yr_json_dump(struct yr_buf *out, const json_t *json);

/** The same and a newline, written to `file`; false after an output error. */
bool yr_json_print(const json_t *json, FILE *file);

/** Read one JSON value: strict UTF-8, no duplicate keys, nothing behind it.  NULL: not one; `why`
 *  (cap >= 80, may be NULL) then says where. */
json_t *yr_json_read(const char *text, size_t len, char *why, size_t cap);

/** Members of an object, with a fallback when absent or of another type. */
const char *yr_json_str(const json_t *object, const char *key, const char *fallback);
int64_t yr_json_int(const json_t *object, const char *key, int64_t fallback);
bool yr_json_bool(const json_t *object, const char *key, bool fallback);
/** Set a string member; text that is no UTF-8 gets U+FFFD for what is broken.  NULL text: no
 * member. */
void yr_json_put_str(json_t *object, const char *key, const char *text);
/** Set a time member, RFC 3339 in UTC with milliseconds. */
void yr_json_put_time(json_t *object, const char *key, yr_ms time_ms);

/** Append `text` as one TSV field: tab, newline and backslash as \t \n \\. */
void yr_tsv_add(struct yr_buf *out, const char *text);

#endif
