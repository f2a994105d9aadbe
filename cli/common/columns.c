#include "cli/common/columns.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <wchar.h>

#include "cli/common/utf8.h"

static bool locale_utf8;

bool yr_locale_init(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    bool named = false;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);

        named = named || (value != NULL && value[0] != '\0');
    }
    if (setlocale(LC_ALL, named ? "" : "C.UTF-8") == NULL) // an unknown name: better than ASCII
        (void)setlocale(LC_CTYPE, "C.UTF-8");
    (void)setlocale(LC_NUMERIC, "C");
    locale_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    return locale_utf8;
}

bool yr_locale_utf8(void)
{
    return locale_utf8;
}

static uint32_t next(const char *text, size_t len, size_t *used)
{
    const uint32_t cp = yr_utf8_next(text, len, used);

    return cp == YR_UTF8_BAD ? 0xFFFD : cp;
}

size_t yr_cluster_end(const char *text, size_t len, size_t at)
{
    utf8proc_int32_t state = 0;
    size_t used;
    uint32_t last = next(text + at, len - at, &used);

    for (at += used; at < len; at += used) {
        const uint32_t cp = next(text + at, len - at, &used);

        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)last, (utf8proc_int32_t)cp, &state))
            break;
        last = cp;
    }
    return at;
}

static bool boundary(const char *text, size_t at)
{
    const unsigned char before = (unsigned char)text[at - 1], behind = (unsigned char)text[at];

    return before < 0x80 && behind < 0x80 && !(before == '\r' && behind == '\n');
}

size_t yr_cluster_start(const char *text, size_t len, size_t at)
{
    size_t start = at - 1;

    // between two ASCII characters there is always a boundary, so it is a safe place to count from
    while (start > 0 && !boundary(text, start))
        start--;
    for (;;) {
        const size_t end = yr_cluster_end(text, len, start);

        if (end >= at)
            return start;
        start = end;
    }
}

size_t yr_columns_of(uint32_t cp)
{
    int width;

    if (cp >= 0x20 && cp < 0x7F)
        return 1;
    width = wcwidth((wchar_t)cp);
    if (width < 0)
        width = utf8proc_charwidth((utf8proc_int32_t)cp);
    return width < 0 ? 0 : width > 2 ? 2 : (size_t)width;
}

size_t yr_columns(const char *text, size_t len)
{
    size_t columns = 0, used;

    for (size_t i = 0; i < len; i += used)
        columns += yr_columns_of(next(text + i, len - i, &used));
    return columns;
}

size_t yr_columns_cut(const char *text, size_t len, size_t columns)
{
    size_t at = 0, total = 0;

    while (at < len) {
        const size_t end = yr_cluster_end(text, len, at);

        total += yr_columns(text + at, end - at);
        if (total > columns)
            break;
        at = end;
    }
    return at;
}
