/* Any bytes through the sanitiser: the promises of text_safe.h hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/columns.h"
#include "cli/common/text_safe.h"
#include "cli/common/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef void safe_fn(struct yr_buf *out, const char *text, size_t len);

static void check(safe_fn *safe, const char *text, size_t len, bool body)
{
    struct yr_buf once = {0}, twice = {0};
    size_t used;

    safe(&once, text, len);
    if (once.len > 3 * len)
        abort();
    for (size_t i = 0; i < once.len; i += used) {
        const uint32_t cp = yr_utf8_next(once.at + i, once.len - i, &used);

        if (cp == YR_UTF8_BAD || (cp >= 0x7F && cp <= 0x9F) || (cp >= 0x202A && cp <= 0x202E) ||
            (cp < 0x20 && !(body && (cp == '\n' || cp == '\t'))))
            abort();
    }
    safe(&twice, yr_buf_str(&once), once.len);
    if (twice.len != once.len || memcmp(yr_buf_str(&twice), yr_buf_str(&once), once.len) != 0)
        abort();
    (void)yr_columns(yr_buf_str(&once), once.len);
    yr_buf_clear(&once);
    yr_buf_clear(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct yr_buf out = {0};

    check(yr_safe_body, text, size, true);
    check(yr_safe_line, text, size, false);
    check(yr_safe_name, text, size, false);
    yr_safe_name(&out, text, size);
    if (out.len > YR_SAFE_NAME_MAX)
        abort();
    yr_buf_cut(&out, 0);
    yr_name_skeleton(&out, text, size);
    yr_buf_cut(&out, 0);
    yr_safe_ascii(&out, text, size);
    for (size_t i = 0; i < out.len; i++)
        if ((unsigned char)out.at[i] >= 0x80)
            abort();
    yr_buf_clear(&out);
    for (size_t at = 0; at < size && size < 512;) {
        const size_t end = yr_cluster_end(text, size, at);

        if (end <= at || yr_cluster_start(text, size, end) != at)
            abort();
        at = end;
    }
    return 0;
}
