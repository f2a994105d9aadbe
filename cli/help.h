/* cli/help.h: everything that --help, `yaari help` and the manual say, written from the table. */
#ifndef YR_HELP_H
#define YR_HELP_H

#include "cli/commands.h"
#include "cli/common/buf.h"

/** All commands and the global flags: `yaari help`. */
void yr_help_overview(struct yr_buf *out);
/** One command: `yaari help send`, `yaari send --help`. */
void yr_help_command(struct yr_buf *out, enum yr_command_id id);
/** The subcommands of a group. */
void yr_help_group(struct yr_buf *out, enum yr_group_id group);
/** A topic: "exit-codes".  false: there is none of that name. */
bool yr_help_topic(struct yr_buf *out, const char *name);
/** The i-th topic's name; NULL past the end. */
const char *yr_help_topic_at(size_t i);
/** The sections GLOBAL FLAGS, COMMANDS and EXIT CODES of yaari(1) in scdoc's language, as
 *  `yaari __man` prints them; docs/yaari.1.scd holds a copy, which a test compares. */
void yr_help_man(struct yr_buf *out);

/** What bare `yaari` prints when there is no identity yet: four lines. */
void yr_help_welcome(struct yr_buf *out);

#endif
