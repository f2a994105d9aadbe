/* columns.h: where a text may be cut, and how wide it is on a terminal. */
#ifndef YR_CLI_COLUMNS_H
#define YR_CLI_COLUMNS_H

#include "yaari/api.h"

/** Take the user's locale, numbers as in C.  With no locale named at all, C.UTF-8.  Call once, from
 *  main.  true: text is UTF-8 there. */
bool yr_locale_init(void);
/** Was the locale of yr_locale_init UTF-8? */
bool yr_locale_utf8(void);

/** Where the cluster that starts at text[at] ends; at < len. */
size_t yr_cluster_end(const char *text, size_t len, size_t at);
/** Where the cluster that ends at `at` starts; 0 < at <= len. */
size_t yr_cluster_start(const char *text, size_t len, size_t at);

/** Columns of a text without \n and \t: the sum of wcwidth, as terminals count; code points newer
 *  than the C library by utf8proc's table. */
size_t yr_columns(const char *text, size_t len);
/** Columns of one code point: 0, 1 or 2. */
size_t yr_columns_of(uint32_t cp);

/** The longest prefix that ends between clusters and is at most `columns` wide, in bytes. */
size_t yr_columns_cut(const char *text, size_t len, size_t columns);

#endif
