/* Any keys: the text stays whole, the cursor stays in it, and nothing leaves the editor but text
 * and its few sequences. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/columns.h"
#include "cli/common/utf8.h"
#include "cli/edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Bytes of an allowed sequence at text[0..len), which starts with ESC; 0: not one. */
static size_t allowed(const char *text, size_t len)
{
    static const char *const whole[] = {"\x1b[K",      "\x1b[J",      "\x1b[?7h",     "\x1b[?7l",
                                        "\x1b[?2004h", "\x1b[?2004l", "\x1b[H\x1b[2J"};
    size_t digits;

    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (len >= strlen(whole[i]) && memcmp(text, whole[i], strlen(whole[i])) == 0)
            return strlen(whole[i]);
    if (len < 4 || text[1] != '[')
        return 0;
    digits = strspn(text + 2, "0123456789");
    return digits >= 1 && digits <= 5 && text[2 + digits] == 'D' ? 3 + digits : 0;
}

static void check_output(struct yr_buf *out)
{
    size_t used;

    for (size_t i = 0; i < out->len; i += used) {
        const uint32_t cp = yr_utf8_next(out->at + i, out->len - i, &used);

        if (cp == 0x1b)
            used = allowed(out->at + i, out->len - i);
        else if (cp == YR_UTF8_BAD || (cp >= 0x7F && cp <= 0x9F) ||
                 (cp < 0x20 && cp != '\r' && cp != '\n'))
            abort();
        if (used == 0)
            abort();
    }
    yr_buf_cut(out, 0);
}

static void check_text(const struct yr_edit *edit)
{
    const char *text = yr_edit_text(edit);
    const size_t len = strlen(text), cursor = yr_edit_cursor(edit);
    size_t used;

    if (len > YR_EDIT_TEXT_MAX || cursor > len)
        abort();
    for (size_t i = 0; i < len; i += used) {
        const uint32_t cp = yr_utf8_next(text + i, len - i, &used);

        if (cp == YR_UTF8_BAD || (cp < 0x20 && cp != '\n' && cp != '\t') ||
            (cp >= 0x7F && cp <= 0x9F))
            abort();
    }
    if (cursor > 0 && yr_cluster_end(text, len, yr_cluster_start(text, len, cursor)) != cursor)
        abort();
}

static void complete(void *ctx, const char *text, size_t cursor, struct yr_edit_words *words)
{
    while (words->start > 0 && text[words->start - 1] != ' ')
        words->start--;
    yr_edit_words_add(words, "bob ");
    yr_edit_words_add(words, "\u0301carol ");
    (void)ctx;
    (void)cursor;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yr_edit_opts opts = {.complete = complete};
    struct yr_edit_history history = {0};
    struct yr_buf out = {0};
    struct yr_edit *edit;
    enum yr_edit_event event;

    if (size < 2)
        return 0;
    opts.plain = (data[0] & 3) == 3;
    opts.utf8 = (data[0] & 4) == 0;
    opts.columns = data[1];
    edit = yr_edit_new(&opts);
    yr_edit_use_history(edit, &history);
    yr_edit_prompt(edit, "b\u00F6b\x1b> ", &out);
    yr_edit_show(edit, &out);
    for (size_t at = 2; at < size;) {
        // a byte says how many arrive at once, and what happens then
        const size_t wanted = data[at] & 0x1F, left = size - at - 1;
        const size_t len = wanted < left ? wanted : left;
        const unsigned then = data[at] >> 5;

        yr_edit_feed(edit, data + at + 1, len);
        at += 1 + len;
        if (then == 1 || then == 2)
            yr_edit_idle(edit);
        while ((event = yr_edit_next(edit, &out)) != YR_EDIT_MORE)
            if (event == YR_EDIT_LINE) {
                yr_edit_history_add(&history, yr_edit_line(edit));
                yr_edit_use_history(edit, &history);
            }
        if (then == 3)
            yr_edit_print(edit, "above\nit", &out);
        if (then == 4)
            yr_edit_resize(edit, data[at - 1], &out);
        if (then == 5)
            yr_edit_set_text(edit, "a\x1b\u202E\xFF text", &out);
        check_text(edit);
        check_output(&out);
    }
    yr_edit_end(edit);
    while (yr_edit_next(edit, &out) != YR_EDIT_MORE)
        ;
    yr_edit_hide(edit, &out);
    check_output(&out);
    yr_edit_free(edit);
    yr_edit_history_clear(&history);
    yr_buf_clear(&out);
    return 0;
}
