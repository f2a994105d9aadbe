/* utf8.h: one code point at a time, forwards. */
#ifndef YR_CLI_UTF8_H
#define YR_CLI_UTF8_H

#include "yaari/api.h"

#define YR_UTF8_BAD UINT32_MAX

/** Decode the code point at text[0..len), len > 0.  *used: its bytes, at least 1.  What is no UTF-8
 *  (stray or missing bytes, overlong, surrogate, above U+10FFFF) is YR_UTF8_BAD, *used then being
 *  the bytes of the broken sequence that belong together. */
uint32_t yr_utf8_next(const char *text, size_t len, size_t *used);

/** Is it UTF-8 from end to end?  NUL counts as bad when `nul_ok` is false. */
bool yr_utf8_valid(const char *text, size_t len, bool nul_ok);

#endif
