/* cli/completion.h: completion scripts for three shells, written from the table. */
#ifndef YR_COMPLETION_H
#define YR_COMPLETION_H

#include "cli/commands.h"
#include "cli/common/buf.h"

/** The script for "bash", "zsh" or "fish".  false: no such shell. */
bool yr_completion_script(struct yr_buf *out, const char *shell);

#endif
