/* cli/message.h: message records as lines for people: log, tail, show. */
#ifndef YR_MESSAGE_LINE_H
#define YR_MESSAGE_LINE_H

#include "cli/output.h"

struct yr_message_style {
    bool ids;          /* show the first 6 characters of ids */
    bool targets;      /* several conversations: say which */
    size_t name_width; /* columns for names, 0: as wide as it is */
};

/** Append a message as lines, each with its newline. */
void yr_message_add(const struct yr_out *out, struct yr_buf *lines, const json_t *message,
                    const struct yr_message_style *style);
/** How wide its name is, in terminal columns. */
size_t yr_message_name_width(const struct yr_out *out, const json_t *message,
                             const struct yr_message_style *style);
/** Append a line across: "-- Sat 21 Nov 2026 --". */
void yr_rule_add(const struct yr_out *out, struct yr_buf *lines, enum yr_role role,
                 const char *text);
/** The local day a message belongs to; 0 when it has no time. */
int64_t yr_message_day(const struct yr_out *out, const json_t *message);
void yr_message_day_add(const struct yr_out *out, struct yr_buf *lines, const json_t *message);

#endif
