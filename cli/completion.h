/* cli/completion.h: completion scripts for three shells, written from the table. */
#ifndef YR_COMPLETION_H
#define YR_COMPLETION_H

#include "cli/commands.h"
#include "cli/common/buf.h"

/** The script for "bash", "zsh" or "fish".  false: no such shell. */
bool yr_completion_script(struct yr_buf *out, const char *shell);

/** What completes an operand or a flag's argument: a kind of the `complete` method ("target",
 *  "message", "invite", "peer", "key"), "file", a list of words ("bash|zsh|fish" gives
 *  "bash zsh fish"), or "": nothing is known.  name as in the table, without brackets and dots. */
void yr_completion_of(const char *name, char *out, size_t size);

#endif
