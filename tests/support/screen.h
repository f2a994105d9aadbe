/* screen.h: a small terminal: what a person would see.  It knows the sequences our own programs may
 * write and no other: anything else is remembered as a fault. */
#ifndef YR_SCREEN_H
#define YR_SCREEN_H

#include "yaari/api.h"

struct yr_screen;

/** Owned by the caller (free with yr_screen_free). */
struct yr_screen *yr_screen_new(size_t rows, size_t columns);
void yr_screen_free(struct yr_screen *screen);

void yr_screen_write(struct yr_screen *screen, const char *bytes, size_t len);
/** Another size; what does not fit is cut off, nothing is folded anew. */
void yr_screen_resize(struct yr_screen *screen, size_t columns);

/** A row without the blanks at its end; lent until the next call. */
const char *yr_screen_row(struct yr_screen *screen, size_t row);
/** All that was ever printed, rows that scrolled off first, each with a '\n', without the empty
 * rows at the end; rows that were filled to the edge and went on are joined.  Lent until the next
 * call. */
const char *yr_screen_text(struct yr_screen *screen);
size_t yr_screen_cursor_row(const struct yr_screen *screen);
size_t yr_screen_cursor_column(const struct yr_screen *screen);
/** The first thing that was not allowed, or NULL. */
const char *yr_screen_fault(const struct yr_screen *screen);

#endif
