#include "tests/support/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/buf.h"
#include "cli/common/columns.h"
#include "cli/common/utf8.h"

#define CELL_MAX 64 /* bytes of one cell: a base and its marks */

struct cell {
    char text[CELL_MAX]; // "" is blank
    bool tail;           // the right half of the wide one before
};

struct yr_screen {
    size_t rows, columns, row, column;
    bool wrap, pending; // autowrap; the cursor is behind the last column
    struct cell *cells;
    bool *joined; // the row goes on in the next one
    struct yr_buf gone, scratch, input;
    char fault[128];
};

struct yr_screen *yr_screen_new(size_t rows, size_t columns)
{
    struct yr_screen *screen = yr_xrealloc(NULL, sizeof *screen);

    memset(screen, 0, sizeof *screen);
    screen->rows = rows;
    screen->columns = columns;
    screen->wrap = true;
    screen->cells = calloc(rows * columns, sizeof *screen->cells);
    screen->joined = calloc(rows, sizeof *screen->joined);
    return screen;
}

void yr_screen_free(struct yr_screen *screen)
{
    if (screen == NULL)
        return;
    free(screen->cells);
    free(screen->joined);
    yr_buf_clear(&screen->gone);
    yr_buf_clear(&screen->scratch);
    yr_buf_clear(&screen->input);
    free(screen);
}

static struct cell *cell_at(const struct yr_screen *screen, size_t row, size_t column)
{
    return &screen->cells[row * screen->columns + column];
}

static void fault(struct yr_screen *screen, const char *what, unsigned value)
{
    if (screen->fault[0] == '\0')
        snprintf(screen->fault, sizeof screen->fault, "%s 0x%02x", what, value);
}

static void add_row(struct yr_screen *screen, size_t row, struct yr_buf *out)
{
    const size_t start = out->len;

    for (size_t i = 0; i < screen->columns; i++) {
        const struct cell *cell = cell_at(screen, row, i);

        if (!cell->tail)
            yr_buf_adds(out, cell->text[0] != '\0' ? cell->text : " ");
    }
    while (out->len > start && out->at[out->len - 1] == ' ')
        yr_buf_cut(out, out->len - 1);
    if (!screen->joined[row])
        yr_buf_addc(out, '\n');
}

static void line_feed(struct yr_screen *screen)
{
    screen->pending = false;
    if (screen->row + 1 < screen->rows) {
        screen->row++;
        return;
    }
    add_row(screen, 0, &screen->gone);
    memmove(screen->cells, screen->cells + screen->columns,
            (screen->rows - 1) * screen->columns * sizeof *screen->cells);
    memmove(screen->joined, screen->joined + 1, screen->rows - 1);
    memset(cell_at(screen, screen->rows - 1, 0), 0, screen->columns * sizeof *screen->cells);
    screen->joined[screen->rows - 1] = false;
}

static void put(struct yr_screen *screen, uint32_t cp)
{
    const size_t width = yr_columns_of(cp);
    struct yr_buf text = {0};
    struct cell *cell;

    yr_buf_addu(&text, cp);
    if (width == 0) {
        size_t column =
            screen->pending || screen->column == 0 ? screen->column : screen->column - 1;

        while (column > 0 && cell_at(screen, screen->row, column)->tail)
            column--;
        cell = cell_at(screen, screen->row, column);
        if (strlen(cell->text) + text.len < CELL_MAX)
            strcat(cell->text, text.at);
        yr_buf_clear(&text);
        return;
    }
    if (screen->wrap && (screen->pending || screen->column + width > screen->columns)) {
        screen->joined[screen->row] = true;
        line_feed(screen);
        screen->column = 0;
    }
    if (screen->column + width > screen->columns)
        screen->column = screen->columns - width; // no autowrap: the last column again
    cell = cell_at(screen, screen->row, screen->column);
    memset(cell, 0, width * sizeof *cell);
    strcpy(cell->text, text.at);
    if (width == 2)
        cell[1].tail = true;
    screen->column += width;
    screen->pending = screen->column == screen->columns;
    if (screen->pending)
        screen->column--;
    yr_buf_clear(&text);
}

static void clear_from(struct yr_screen *screen, size_t row, size_t column)
{
    memset(cell_at(screen, row, column), 0, (screen->columns - column) * sizeof(struct cell));
    screen->joined[row] = false;
}

/** ESC [ params final. */
static void sequence(struct yr_screen *screen, const char *params, char final)
{
    const size_t number = params[0] != '\0' ? strtoul(params, NULL, 10) : 1;

    if (final == 'm' && strspn(params, "0123456789;") == strlen(params))
        return;
    screen->pending = screen->pending && (final == 'h' || final == 'l' || final == 'K');
    if (final == 'D' && strspn(params, "0123456789") == strlen(params))
        screen->column = number > screen->column ? 0 : screen->column - number;
    else if (final == 'K' && params[0] == '\0')
        clear_from(screen, screen->row,
                   screen->column + (screen->pending ? 1 : 0) < screen->columns
                       ? screen->column + (screen->pending ? 1 : 0)
                       : screen->columns);
    else if (final == 'J' && params[0] == '\0')
        for (size_t i = screen->row; i < screen->rows; i++)
            clear_from(screen, i, i == screen->row ? screen->column : 0);
    else if (final == 'J' && strcmp(params, "2") == 0)
        for (size_t i = 0; i < screen->rows; i++)
            clear_from(screen, i, 0);
    else if (final == 'H' && params[0] == '\0')
        screen->row = screen->column = 0;
    else if (strcmp(params, "?7") == 0 && (final == 'h' || final == 'l'))
        screen->wrap = final == 'h';
    else if (!(strcmp(params, "?2004") == 0 && (final == 'h' || final == 'l')))
        fault(screen, "sequence ending in", (unsigned char) final);
}

static size_t escape(struct yr_screen *screen, const char *at, size_t len)
{
    char params[32] = "";
    size_t i = 2;

    if (len < 2)
        return 0;
    if (at[1] != '[') {
        fault(screen, "ESC and", (unsigned char)at[1]);
        return 2;
    }
    while (i < len && at[i] >= 0x20 && at[i] <= 0x3F)
        i++;
    if (i == len)
        return 0;
    memcpy(params, at + 2, i - 2 < 31 ? i - 2 : 31);
    sequence(screen, params, at[i]);
    return i + 1;
}

void yr_screen_write(struct yr_screen *screen, const char *bytes, size_t len)
{
    size_t at = 0, used;

    yr_buf_add(&screen->input, bytes, len);
    for (; at < screen->input.len; at += used) {
        const char *text = screen->input.at + at;
        const size_t left = screen->input.len - at;
        const uint32_t cp = yr_utf8_next(text, left, &used);

        if (cp == 0x1b) {
            used = escape(screen, text, left);
            if (used == 0)
                break;
        } else if (cp == '\r') {
            screen->column = 0;
            screen->pending = false;
        } else if (cp == '\n') {
            line_feed(screen);
        } else if (cp == YR_UTF8_BAD && used == left && left < 4) {
            break; // the rest comes with the next write
        } else if (cp == YR_UTF8_BAD || cp < 0x20 || (cp >= 0x7F && cp <= 0x9F)) {
            fault(screen, "byte", (unsigned char)text[0]);
        } else {
            put(screen, cp);
        }
    }
    yr_buf_splice(&screen->input, 0, at, NULL, 0);
}

void yr_screen_resize(struct yr_screen *screen, size_t columns)
{
    struct cell *cells = calloc(screen->rows * columns, sizeof *cells);
    const size_t kept = columns < screen->columns ? columns : screen->columns;

    for (size_t i = 0; i < screen->rows; i++)
        memcpy(cells + i * columns, cell_at(screen, i, 0), kept * sizeof *cells);
    free(screen->cells);
    screen->cells = cells;
    screen->columns = columns;
    screen->pending = false;
    if (screen->column >= columns)
        screen->column = columns - 1;
}

const char *yr_screen_row(struct yr_screen *screen, size_t row)
{
    const bool joined = screen->joined[row];

    yr_buf_cut(&screen->scratch, 0);
    screen->joined[row] = true;
    add_row(screen, row, &screen->scratch);
    screen->joined[row] = joined;
    return yr_buf_str(&screen->scratch);
}

const char *yr_screen_text(struct yr_screen *screen)
{
    yr_buf_cut(&screen->scratch, 0);
    yr_buf_add(&screen->scratch, yr_buf_str(&screen->gone), screen->gone.len);
    for (size_t i = 0; i < screen->rows; i++)
        add_row(screen, i, &screen->scratch);
    while (screen->scratch.len > 1 && screen->scratch.at[screen->scratch.len - 1] == '\n' &&
           screen->scratch.at[screen->scratch.len - 2] == '\n')
        yr_buf_cut(&screen->scratch, screen->scratch.len - 1);
    return yr_buf_str(&screen->scratch);
}

size_t yr_screen_cursor_row(const struct yr_screen *screen)
{
    return screen->row;
}

size_t yr_screen_cursor_column(const struct yr_screen *screen)
{
    return screen->column + (screen->pending ? 1 : 0);
}

const char *yr_screen_fault(const struct yr_screen *screen)
{
    return screen->fault[0] != '\0' ? screen->fault : NULL;
}
