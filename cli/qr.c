/* cli/qr.c: QR codes on a terminal: two modules a character, light modules drawn. */
#include <qrencode.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#define QUIET 2 /* light modules around the code */

/** Is there light at (x, y) of the code with its quiet zone? */
static bool light(const QRcode *code, int x, int y)
{
    x -= QUIET;
    y -= QUIET;
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return true;
    return (code->data[y * code->width + x] & 1) == 0;
}

static void half_blocks(struct yr_buf *page, const QRcode *code, bool invert, bool color)
{
    static const char *const glyphs[4] = {" ", "\u2584", "\u2580", "\u2588"};
    const int side = code->width + 2 * QUIET;

    for (int y = 0; y < side; y += 2) {
        if (color)
            yr_buf_adds(page, invert ? "\033[30;107m" : "\033[97;40m");
        for (int x = 0; x < side; x++) {
            const bool top = light(code, x, y) != invert;
            const bool bottom = y + 1 < side && light(code, x, y + 1) != invert;

            yr_buf_adds(page, glyphs[(top ? 2 : 0) + (bottom ? 1 : 0)]);
        }
        yr_buf_adds(page, color ? "\033[0m\n" : "\n");
    }
}

static void ascii(struct yr_buf *page, const QRcode *code)
{
    const int side = code->width + 2 * QUIET;

    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++)
            yr_buf_adds(page, light(code, x, y) ? "##" : "  ");
        yr_buf_addc(page, '\n');
    }
}

bool yr_qr_print(const struct yr_out *out, const char *payload, const char *mode)
{
    const bool as_ascii = strcmp(mode, "ascii") == 0 || (strcmp(mode, "auto") == 0 && !out->utf8);
    struct yr_buf page = {0};
    QRcode *code;
    unsigned columns, rows;
    bool fits;

    if (strcmp(mode, "no") == 0 || (strcmp(mode, "auto") == 0 && !out->err_tty))
        return true;
    code = QRcode_encodeString(payload, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
    if (code == NULL)
        return false;
    columns = (unsigned)(code->width + 2 * QUIET) * (as_ascii ? 2 : 1);
    rows = (unsigned)(code->width + 2 * QUIET + 1) / (as_ascii ? 1 : 2);
    fits = !out->err_tty || (columns <= out->columns && rows < out->rows);
    if (fits && as_ascii)
        ascii(&page, code);
    else if (fits)
        half_blocks(&page, code, strcmp(mode, "invert") == 0, out->err_color);
    fflush(stdout);
    fwrite(yr_buf_str(&page), 1, page.len, stderr);
    yr_buf_clear(&page);
    QRcode_free(code);
    return fits;
}
