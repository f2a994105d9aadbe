/* buf.h: a growing string of bytes, always with a NUL behind its end. */
#ifndef YR_CLI_BUF_H
#define YR_CLI_BUF_H

#include "yaari/api.h"

struct yr_buf {
    char *at;   /* owned; NULL while empty and never grown */
    size_t len; /* bytes, without the NUL */
    size_t cap;
};

/** Memory is the one thing the two programs do not survive the lack of here: growing prints
 *  "out of memory" and ends the program with 71. */
void yr_buf_add(struct yr_buf *buf, const void *bytes, size_t len);
void yr_buf_adds(struct yr_buf *buf, const char *text);
void yr_buf_addc(struct yr_buf *buf, char c);
void yr_buf_addf(struct yr_buf *buf, const char *format, ...) YR_PRINTF(2);
/** Append one code point as UTF-8. */
void yr_buf_addu(struct yr_buf *buf, uint32_t cp);
/** Replace the `cut` bytes at `at` by `len` others. */
void yr_buf_splice(struct yr_buf *buf, size_t at, size_t cut, const void *bytes, size_t len);
/** Shorten to `len` bytes. */
void yr_buf_cut(struct yr_buf *buf, size_t len);
/** The text so far, never NULL; lent until the next change. */
const char *yr_buf_str(const struct yr_buf *buf);
/** Give the text away, owned by the caller (free); the buffer is empty afterwards. */
char *yr_buf_take(struct yr_buf *buf);
void yr_buf_clear(struct yr_buf *buf);

/** A copy of `len` bytes with a NUL behind; owned by the caller; ends the program as above. */
char *yr_strndup(const char *text, size_t len);
char *yr_strdup(const char *text);
/** malloc and realloc that end the program in place of returning NULL. */
void *yr_xrealloc(void *ptr, size_t size);

#endif
