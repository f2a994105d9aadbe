/* core/path/trace.h: what was tried to reach a friend, and what came of it: the answer to "why". */
#ifndef YR_TRACE_H
#define YR_TRACE_H

#include "core/limits.h"
#include "yaari/node.h"

struct yr_traces;

YR_MUST_USE enum yr_err yr_traces_new(struct yr_traces **out, struct yr_mem *mem);
void yr_traces_free(struct yr_traces *traces);
/** Forget a friend's. */
void yr_traces_forget(struct yr_traces *traces, unsigned slot);

/** Note an attempt, or its outcome: the newest attempt by the same way, address and friend becomes
 *  this one, so that TRYING turns into what came of it and repetitions are counted.  addr and via
 *  (32 bytes) may be NULL.  Without memory nothing is noted. */
void yr_path_note(struct yr_traces *traces, struct yr_now now, unsigned slot, enum yr_way way,
                  enum yr_outcome outcome, const struct yr_addr *addr, const uint8_t *via);
/** The i-th, newest first; false past the end. */
bool yr_traces_at(const struct yr_traces *traces, unsigned slot, size_t i, struct yr_try *out);

#endif
