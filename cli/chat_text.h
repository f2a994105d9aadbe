/* chat_text.h: the words of `yaari chat`, without a terminal or a node: what a typed line means,
 * and what a message looks like. */
#ifndef YR_TALK_TEXT_H
#define YR_TALK_TEXT_H

#include "cli/output.h"

#define YR_TALK_NAME_MAX 31 /* characters of a command's name */

enum yr_talk_kind {
    YR_TALK_EMPTY,
    YR_TALK_TEXT,    /* text: what to send */
    YR_TALK_COMMAND, /* name, and text: its arguments */
    YR_TALK_GUARD    /* blanks and a slash: is it a command or a text? */
};
struct yr_talk_line {
    enum yr_talk_kind kind;
    char name[YR_TALK_NAME_MAX + 1]; /* cut if longer, which no command is */
    const char *text;                /* in the line itself */
};
/** What a line means.  "//x" is the text "/x". */
struct yr_talk_line yr_talk_read(const char *line);

enum yr_talk_subst {
    YR_TALK_SUBST_NONE,   /* the line is not s/a/b/ or s/a/b/g */
    YR_TALK_SUBST_ABSENT, /* the text has no a */
    YR_TALK_SUBST_DONE
};
/** Apply "s/a/b/" to a text: the first a becomes b, with g every one; "\/" is a slash.  Nothing
 * else is special.  *out: the new text, appended, on DONE only. */
enum yr_talk_subst yr_talk_substitute(const char *line, const char *text, struct yr_buf *out);

/** Append `lead` and then text, which is safe and may have several lines, folded between words. All
 *  rows but the first start with `indent` blanks, so that no text can look like a line of ours.
 *  lead_columns: how wide lead is (it may hold colours); columns: of the terminal, 0: no folding.
 *  No newline at the end. */
void yr_talk_fold(struct yr_buf *out, const char *lead, size_t lead_columns, const char *text,
                  size_t columns, size_t indent);

struct yr_talk_style {
    const struct yr_out *out; /* colours and times */
    size_t columns;           /* to fold at; 0: not at all */
    const char *speaker;      /* safe */
    const char *self_id;      /* who "me" is; NULL: nobody */
    const char *paint;        /* of the speaker, see yr_talk_author_paint; NULL: the role's */
    const char *reply;        /* what it answers, safe, one line; NULL: unknown or no reply */
    unsigned number;          /* shown as %N; 0: none */
};
/** Append a message record as rows without a newline at the end: "15:44 bob: did it arrive?"; of a
 *  room's own lines "-- alice added carol --". */
void yr_talk_message(struct yr_buf *out, const json_t *message, const struct yr_talk_style *style);

/** The colour of one of many who speak: the same for the same id, everywhere and always.  "": none.
 */
const char *yr_talk_author_paint(const struct yr_out *out, const char *id);

/** Append the start of a text on one line, at most `columns` wide, with dots if it was cut. */
void yr_talk_snippet(struct yr_buf *out, const char *text, size_t columns);

#endif
