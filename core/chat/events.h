/* core/chat/events.h: what happened, numbered, kept and replayed.
 *
 * append -> row in the present transaction -> durable -> told once by yr_events_next; any kept
 * event can be read again by its cursor until YR_EVENTS_KEPT newer ones exist. */
#ifndef YR_EVENTS_H
#define YR_EVENTS_H

#include "core/store/rows.h"
#include "yaari/node.h"

struct yr_events;

/** Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_events_new(struct yr_events **out, struct yr_mem *mem,
                                      struct yr_rows *rows);
void yr_events_free(struct yr_events *events);
/** Read where the numbering stands.  Also after yr_rows_reset. */
YR_MUST_USE enum yr_err yr_events_start(struct yr_events *events);

/** Number and store `event` (its cursor is set) as part of the present transaction; told when that
 *  is durable.  DONE, PRESENCE and NET events are not stored: they are told when what is pending
 *  now is durable (DONE) or at once, with the cursor of the last kept event told before them.
 *  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_events_append(struct yr_events *events, struct yr_event *event);

/** The next event to tell, in order of append; false when none is durable yet. */
bool yr_events_next(struct yr_events *events, struct yr_event *out);

/** All DONE events that wait for a commit that failed now come out with err; other events that
 *  waited are forgotten.  Before yr_events_start. */
void yr_events_fail(struct yr_events *events, enum yr_err err);

/** The last kept event that was told: replay (yr_events_after) reaches up to it, what comes after
 * it will come out of yr_events_next. */
uint64_t yr_events_cursor(const struct yr_events *events);
/** See yr_node_event_after. */
YR_MUST_USE enum yr_err yr_events_after(struct yr_events *events, uint64_t cursor,
                                        struct yr_event *out, bool *gap);

#endif
