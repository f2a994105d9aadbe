#include "cli/edit_row.h"

#include <string.h>

#include "cli/common/columns.h"
#include "cli/common/text_safe.h"

#define NARROW      12 /* columns below which there is no room for a prompt */
#define COLUMNS_MIN 4

void yr_edit_row_clear(struct yr_edit_row *row)
{
    yr_buf_clear(&row->prompt);
    yr_buf_clear(&row->drawn);
    *row = (struct yr_edit_row){0};
}

/** Append the cluster text[at..end) as it is shown; its columns. */
static size_t add_cluster(const struct yr_edit_row *row, const char *text, size_t at, size_t end,
                          struct yr_buf *out)
{
    const size_t start = out->len;
    struct yr_buf safe = {0};

    if (text[at] == '\n') {
        yr_buf_adds(out, row->utf8 ? "\u21B5" : "^J");
        return row->utf8 ? 1 : 2;
    }
    if (end == at + 1 && text[at] >= 0x20 && text[at] < 0x7F) {
        yr_buf_addc(out, text[at]);
        return 1;
    }
    yr_safe_line(&safe, text + at, end - at);
    if (row->utf8)
        yr_buf_add(out, yr_buf_str(&safe), safe.len);
    else
        yr_safe_ascii(out, yr_buf_str(&safe), safe.len);
    yr_buf_clear(&safe);
    return yr_columns(yr_buf_str(out) + start, out->len - start);
}

static size_t cluster_columns(const struct yr_edit_row *row, const char *text, size_t at,
                              size_t end)
{
    struct yr_buf shown = {0};
    const size_t columns = add_cluster(row, text, at, end, &shown);

    yr_buf_clear(&shown);
    return columns;
}

/** Columns from `at` to `to`, counted no further than just above `limit`. */
static size_t columns_between(const struct yr_edit_row *row, const char *text, size_t len,
                              size_t at, size_t to, size_t limit)
{
    size_t columns = 0;

    while (at < to && columns <= limit) {
        const size_t end = yr_cluster_end(text, len, at);

        columns += cluster_columns(row, text, at, end);
        at = end;
    }
    return columns;
}

/** The cluster's start that lies at most `columns` before `at`. */
static size_t back_by(const struct yr_edit_row *row, const char *text, size_t len, size_t at,
                      size_t columns)
{
    size_t total = 0;

    while (at > 0) {
        const size_t start = yr_cluster_start(text, len, at);

        total += cluster_columns(row, text, start, at);
        if (total > columns)
            break;
        at = start;
    }
    return at;
}

/** Move the window so that the cursor is in it, with a column to spare for each mark and two for
 * the cluster under the cursor. */
static void scroll(struct yr_edit_row *row, const char *text, size_t len, size_t cursor,
                   size_t room)
{
    const size_t inner = room > 4 ? room - 4 : 0;

    if (row->offset > 0 && columns_between(row, text, len, 0, len, room) < room)
        row->offset = 0;
    if (cursor < row->offset || (row->offset > 0 && cursor == row->offset))
        row->offset = back_by(row, text, len, cursor, inner / 3);
    else if (columns_between(row, text, len, row->offset, cursor, room) > inner &&
             columns_between(row, text, len, row->offset, len, room) >= room)
        row->offset = back_by(row, text, len, cursor, inner - inner / 3);
}

/** The row's content; *cursor_at: where in it the cursor is. */
static void compose(struct yr_edit_row *row, const char *text, size_t len, size_t cursor,
                    struct yr_buf *out, size_t *cursor_at)
{
    const size_t columns = (row->columns < COLUMNS_MIN ? COLUMNS_MIN : row->columns) - 1;
    size_t prompt = 0, used = 0, room, at;

    if (columns >= NARROW)
        prompt = yr_columns_cut(yr_buf_str(&row->prompt), row->prompt.len, columns / 2);
    yr_buf_add(out, yr_buf_str(&row->prompt), prompt);
    room = columns - yr_columns(yr_buf_str(&row->prompt), prompt);
    scroll(row, text, len, cursor, room);
    if (row->offset > 0) {
        yr_buf_addc(out, '<');
        used = 1;
    }
    *cursor_at = out->len;
    for (at = row->offset; at < len;) {
        const size_t end = yr_cluster_end(text, len, at), start = out->len;
        const size_t width = add_cluster(row, text, at, end, out);

        if (used + width + (end < len ? 1 : 0) > room) {
            yr_buf_cut(out, start);
            break;
        }
        used += width;
        at = end;
        if (at <= cursor)
            *cursor_at = out->len;
    }
    if (at < len)
        yr_buf_addc(out, '>');
}

static bool ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

/** Write what terminals may find wider than we do: it must not run into the next row. */
static void add_held(struct yr_buf *out, const char *text, size_t len)
{
    const bool plain = ascii(text, len);

    yr_buf_adds(out, plain ? "" : "\x1b[?7l");
    yr_buf_add(out, text, len);
    yr_buf_adds(out, plain ? "" : "\x1b[?7h");
}

static void redraw(const char *content, size_t len, size_t cursor, struct yr_buf *out)
{
    yr_buf_addc(out, '\r');
    add_held(out, content, len);
    yr_buf_adds(out, "\x1b[K");
    if (cursor == len)
        return;
    if (ascii(content + cursor, len - cursor)) {
        yr_buf_addf(out, "\x1b[%zuD", len - cursor);
        return;
    }
    // writing it again puts the cursor where the terminal, not we, thinks that it is
    yr_buf_addc(out, '\r');
    add_held(out, content, cursor);
}

void yr_edit_row_draw(struct yr_edit_row *row, const char *text, size_t len, size_t cursor,
                      struct yr_buf *out)
{
    struct yr_buf next = {0};
    const size_t old_len = row->drawn.len, old_cursor = row->drawn_cursor;
    const char *old = yr_buf_str(&row->drawn);
    size_t at;

    compose(row, text, len, cursor, &next, &at);
    if (!row->visible) {
        redraw(yr_buf_str(&next), next.len, at, out);
    } else if (next.len >= old_len && memcmp(yr_buf_str(&next), old, old_len) == 0 &&
               old_cursor == old_len && at == next.len) {
        add_held(out, yr_buf_str(&next) + old_len, next.len - old_len); // typed at the end
    } else if (next.len == old_len && memcmp(yr_buf_str(&next), old, old_len) == 0 &&
               at <= old_cursor && ascii(old + at, old_cursor - at)) {
        if (at < old_cursor)
            yr_buf_addf(out, "\x1b[%zuD", old_cursor - at); // only moved, to the left
    } else {
        redraw(yr_buf_str(&next), next.len, at, out);
    }
    yr_buf_clear(&row->drawn);
    row->drawn = next;
    row->drawn_cursor = at;
    row->visible = true;
}

void yr_edit_row_erase(struct yr_edit_row *row, struct yr_buf *out)
{
    if (row->visible)
        yr_buf_adds(out, "\r\x1b[J");
    row->visible = false;
}
