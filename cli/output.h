/* cli/output.h: how the client speaks: tables for people, TSV for pipes, JSON Lines for programs.
 *
 * Every string from outside goes through cli/common/text_safe on its way to people and pipes; JSON
 * has its own escapes.  Results go to stdout, all else to stderr. */
#ifndef YR_OUTPUT_H
#define YR_OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "cli/common/buf.h"
#include "cli/common/config.h"
#include "cli/common/exits.h"
#include "cli/common/times.h"

enum yr_role {
    YR_ROLE_NONE,
    YR_ROLE_NICK,
    YR_ROLE_SELF,
    YR_ROLE_SYSTEM,
    YR_ROLE_TIME,
    YR_ROLE_UNREAD,
    YR_ROLE_MENTION,
    YR_ROLE_ERROR,
    YR_ROLE_COUNT
};

struct yr_out {
    bool json, quiet, verbose;
    bool tty, err_tty; /* is stdout, stderr a terminal? */
    bool utf8;         /* may the terminal be given more than ASCII? */
    bool color, err_color;
    bool color_given;       /* by --color */
    bool paged;             /* long output may go to a pager */
    unsigned columns, rows; /* of the terminal; 80 x 24 if it does not say */
    struct yr_time_style time;
    bool time_given;               /* by --time: for pipes too */
    struct yr_buf page;            /* what waits for the pager */
    char paint[YR_ROLE_COUNT][24]; /* escape sequences; empty: no colour */
};

/** Find out about the terminal.  color: "auto", "always", "never", or NULL: the configuration's. */
void yr_out_init(struct yr_out *out, const char *color);
/** Take colours and the time format from the configuration, where no flag gave one. */
void yr_out_configure(struct yr_out *out, const struct yr_config *config);
/** Write what is left, through the pager if it is long.  YR_EXIT_IOERR if stdout could not take it.
 */
enum yr_exit yr_out_finish(struct yr_out *out);

/** Are results meant for a person at a terminal? (else TSV or JSON) */
bool yr_out_human(const struct yr_out *out);

/** Write bytes that are safe already to stdout. */
void yr_out_write(struct yr_out *out, const char *bytes, size_t len);
/** A line for people on stdout, a newline added; nothing with --json.  Arguments are safe already.
 */
void yr_out_say(struct yr_out *out, const char *format, ...) YR_PRINTF(2);
/** A line for people on stderr; nothing with --quiet or --json.  Arguments are safe already. */
void yr_out_note(struct yr_out *out, const char *format, ...) YR_PRINTF(2);
/** What to do next: as yr_out_note, on a terminal only. */
void yr_out_next(struct yr_out *out, const char *format, ...) YR_PRINTF(2);
/** One record, borrowed: a line of JSON, or a line of TSV in the order of its type's fields. */
void yr_out_record(struct yr_out *out, const json_t *record);
/** The same in TSV with its texts as they are. */
void yr_out_record_raw(struct yr_out *out, const json_t *record);
/** A value as one line of JSON, with or without --json; borrowed. */
void yr_out_json_line(struct yr_out *out, const json_t *value);
/** With --json only: one record, borrowed. */
void yr_out_json(struct yr_out *out, const json_t *record);

/** Report a failure on stderr; with --json as one error object.
 *  name: of the error; what and hint: made safe here; data: the daemon's, borrowed, may be NULL:
 *  its candidates and id are told. */
void yr_out_error(const struct yr_out *out, int exit, int code, const char *name, const char *what,
                  const char *hint, const json_t *data);

/** The fields of a record type that are TSV columns, in order; NULL: not such a type. */
const char *const *yr_record_fields(const char *type);
/** One field as TSV shows it: a Ref as its name, a room's with `#`; lists and objects as JSON. */
void yr_tsv_field(struct yr_buf *out, const json_t *value, bool raw);

/* ---- pieces of a line ---- */

/** Append a name or a text, made safe.  NULL is nothing. */
void yr_add_name(struct yr_buf *line, const char *name);
/** Append the name of a Ref: a room's with `#`, that of a member who is no friend with `~`. */
void yr_add_ref(struct yr_buf *line, const json_t *ref);
void yr_add_text(struct yr_buf *line, const char *text);
/** Append a text on one line: newlines become blanks. */
void yr_add_flat(struct yr_buf *line, const char *text);
/** Append the start or end of a role's colour; ASCII escape sequences of our own only. */
void yr_paint(const struct yr_out *out, struct yr_buf *line, enum yr_role role);
void yr_unpaint(const struct yr_out *out, struct yr_buf *line, enum yr_role role);
/** Append an RFC 3339 time of a record in the user's style; "-" for NULL. */
void yr_add_time(const struct yr_out *out, struct yr_buf *line, const char *rfc3339);
/** "14 min ago", "now", "-" for NULL. */
void yr_add_ago(struct yr_buf *line, const char *rfc3339);

/** Append 12 groups of digits as two lines of six, each indented by two. */
void yr_add_fingerprint(struct yr_buf *line, const char *groups);

/* ---- tables for people ---- */

#define YR_TABLE_COLUMNS_MAX 8
struct yr_table {
    const char *heads[YR_TABLE_COLUMNS_MAX]; /* lent; "" all: no heading line */
    size_t columns;
    char **cells; /* owned; row by row */
    enum yr_role *roles;
    size_t count, cap;
};
struct yr_table yr_table_init(size_t columns, const char *const *heads);
/** The next cell, safe already, copied. */
void yr_table_add(struct yr_table *table, enum yr_role role, const char *cell);
/** Print and clear it. */
void yr_table_print(struct yr_out *out, struct yr_table *table);

#endif
