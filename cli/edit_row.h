/* edit_row.h: the one row on which a text is edited: what of it is shown, and the fewest bytes that
 * turn what is there into it.  The upper half of edit.h. */
#ifndef YR_EDIT_ROW_H
#define YR_EDIT_ROW_H

#include "cli/common/buf.h"

struct yr_edit_row {
    bool utf8, visible;
    size_t columns;       /* of the terminal */
    struct yr_buf prompt; /* safe text */
    size_t offset;        /* the first byte of the text that is shown */
    struct yr_buf drawn;  /* what is on the row now, prompt and marks included */
    size_t drawn_cursor;  /* where in `drawn` the cursor stands */
};

void yr_edit_row_clear(struct yr_edit_row *row);

/** Show this text with the cursor at text[cursor], a cluster's start or the end. */
void yr_edit_row_draw(struct yr_edit_row *row, const char *text, size_t len, size_t cursor,
                      struct yr_buf *out);
/** Empty the row, the cursor at its start. */
void yr_edit_row_erase(struct yr_edit_row *row, struct yr_buf *out);

#endif
