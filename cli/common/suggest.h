/* suggest.h: "did you mean": the one edit distance of all commands, keys and names. */
#ifndef YR_CLI_SUGGEST_H
#define YR_CLI_SUGGEST_H

#include "yaari/api.h"

#define YR_SUGGEST_MAX 2 /* edits */

/** Insertions, deletions, replacements and swaps of neighbouring bytes between a and b, ASCII case
 *  ignored; anything above `limit` (or words above 64 bytes) gives limit + 1. */
size_t yr_edit_distance(const char *a, const char *b, size_t limit);

/** Keeps the best of the words it is shown. */
struct yr_suggest {
    const char *word; /* borrowed */
    const char *best; /* NULL: none near enough; lent from the caller's words */
    size_t distance;
};
struct yr_suggest yr_suggest_init(const char *word);
void yr_suggest_try(struct yr_suggest *suggest, const char *candidate);

#endif
