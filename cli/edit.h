/* edit.h: the line editor: bytes from the keyboard in, bytes for the screen out, nothing else.
 *
 *     feed bytes -> next, until it gives YR_EDIT_MORE -> write `out` -> wait for bytes
 *                                                        (50 ms at most while `waiting`, then idle)
 *
 * The edited text has one row, the lowest; longer text scrolls sideways in it, line ends in a draft
 * show as a mark.  So whatever arrives is printed above and can never tear what is being typed, and
 * nothing but that row is ever written twice.  Only these leave the editor beside text: CR, LF,
 * ESC[K, ESC[J, ESC[nD, ESC[?7l/h (around text whose width terminals dispute), ESC[?2004h/l
 * (paste), and ESC[H ESC[2J for Ctrl-L.
 *
 * A terminal that knows none of these, or none at all: plain mode, whole lines, no editing. */
#ifndef YR_EDIT_H
#define YR_EDIT_H

#include "cli/common/buf.h"

#define YR_EDIT_TEXT_MAX    65536 /* bytes of a draft; what can be sent is less */
#define YR_EDIT_HISTORY_MAX 200   /* lines kept for one target */
#define YR_EDIT_IDLE_MS     50    /* how long a key sequence may take */

enum yr_edit_event {
    YR_EDIT_MORE,    /* nothing: more bytes are wanted */
    YR_EDIT_LINE,    /* Enter: yr_edit_line has it; the row is empty again */
    YR_EDIT_LEAVE,   /* Ctrl-D on an empty line, or Ctrl-C twice on one */
    YR_EDIT_SUSPEND, /* Ctrl-Z */
    YR_EDIT_UNREAD,  /* Alt-a: the next unread conversation */
    YR_EDIT_EARLIER, /* Page Up: earlier lines */
    YR_EDIT_TOO_LONG /* the text would be over YR_EDIT_TEXT_MAX; the key or paste was refused */
};

/** Lines sent to one target, the oldest first.  Zero it before its first use. */
struct yr_edit_history {
    char **lines; /* owned */
    size_t count;
};
/** Remember a copy of a line; one that repeats the last is not kept twice. */
void yr_edit_history_add(struct yr_edit_history *history, const char *line);
void yr_edit_history_clear(struct yr_edit_history *history);

/** What Tab may put in place of the bytes start..cursor. */
struct yr_edit_words {
    char **words; /* owned; each a whole replacement, with the blank it wants behind it */
    size_t count, start;
};
/** Add a copy of a word, made safe. */
void yr_edit_words_add(struct yr_edit_words *words, const char *word);

/** Fills `words`; words->start is `cursor` at first.  text is NUL-terminated. */
typedef void yr_edit_complete(void *ctx, const char *text, size_t cursor,
                              struct yr_edit_words *words);

struct yr_edit;

struct yr_edit_opts {
    bool plain;                 /* no terminal, or TERM=dumb */
    bool utf8;                  /* the terminal shows UTF-8 */
    size_t columns;             /* of the terminal; 0: 80 */
    yr_edit_complete *complete; /* NULL: Tab does nothing */
    void *ctx;
};

/** Owned by the caller.  Nothing is on the screen yet. */
struct yr_edit *yr_edit_new(const struct yr_edit_opts *opts);
void yr_edit_free(struct yr_edit *edit);

/** Copy what stands before the text ("bob> "). */
void yr_edit_prompt(struct yr_edit *edit, const char *prompt, struct yr_buf *out);
/** The history for Up, Down and Ctrl-R; borrowed until changed; NULL: none. */
void yr_edit_use_history(struct yr_edit *edit, const struct yr_edit_history *history);

/** Show the row, with paste brackets on; hide it, leaving the cursor on an empty row and the
 *  terminal as it was.  Both may be called at any time. */
void yr_edit_show(struct yr_edit *edit, struct yr_buf *out);
void yr_edit_hide(struct yr_edit *edit, struct yr_buf *out);

/** Print lines above the row.  text: safe, '\n' between lines, none at the end. */
void yr_edit_print(struct yr_edit *edit, const char *text, struct yr_buf *out);
/** The terminal has another width now. */
void yr_edit_resize(struct yr_edit *edit, size_t columns, struct yr_buf *out);

/** Queue bytes from the keyboard; copied. */
void yr_edit_feed(struct yr_edit *edit, const void *bytes, size_t len);
/** No more bytes came for YR_EDIT_IDLE_MS: a lone ESC was the key, a paste is over. */
void yr_edit_idle(struct yr_edit *edit);
/** There is no more input: a last line without its end counts. */
void yr_edit_end(struct yr_edit *edit);
/** Is an unfinished sequence waiting, so that idle should be called? */
bool yr_edit_waiting(const struct yr_edit *edit);
/** Work on the queue until something happens. */
enum yr_edit_event yr_edit_next(struct yr_edit *edit, struct yr_buf *out);

/** The line that YR_EDIT_LINE announced; lent until the next call of yr_edit_next. */
const char *yr_edit_line(const struct yr_edit *edit);
/** What is being typed, and where the cursor is in it; lent until the next change. */
const char *yr_edit_text(const struct yr_edit *edit);
size_t yr_edit_cursor(const struct yr_edit *edit);
/** Put another text there, the cursor behind it: a draft, or a line that was refused.  Bytes that
 *  may not be in a text are made visible or go. */
void yr_edit_set_text(struct yr_edit *edit, const char *text, struct yr_buf *out);

#endif
