#include "cli/common/suggest.h"

#include <string.h>

#define WORD_MAX 64

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t yr_edit_distance(const char *a, const char *b, size_t limit)
{
    const size_t a_len = strlen(a), b_len = strlen(b);
    size_t rows[3][WORD_MAX + 1];

    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return limit + 1;
    if (a_len > b_len ? a_len - b_len > limit : b_len - a_len > limit)
        return limit + 1;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *const now = rows[i % 3], *const last = rows[(i + 2) % 3],
                      *const before = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);

            now[j] = least(least(now[j - 1], last[j]) + 1, last[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = least(now[j], before[j - 2] + 1);
        }
    }
    return least(rows[a_len % 3][b_len], limit + 1);
}

struct yr_suggest yr_suggest_init(const char *word)
{
    return (struct yr_suggest){word, NULL, YR_SUGGEST_MAX + 1};
}

void yr_suggest_try(struct yr_suggest *suggest, const char *candidate)
{
    const size_t distance = yr_edit_distance(suggest->word, candidate, YR_SUGGEST_MAX);

    // two edits turn any word of two letters into any other: no suggestion worth making
    if (distance >= suggest->distance || distance >= strlen(suggest->word))
        return;
    suggest->distance = distance;
    suggest->best = candidate;
}
