/* times.h: times, durations and sizes as people and programs write them. */
#ifndef YR_CLI_TIMES_H
#define YR_CLI_TIMES_H

#include "cli/common/buf.h"

#define YR_RFC3339_LEN 24 /* 2026-11-22T15:46:35.123Z */

/** Wall clock, milliseconds since the epoch. */
yr_ms yr_wall_ms(void);

/** UTC with milliseconds and a NUL.  Years outside 0..9999 are held at the ends. */
void yr_rfc3339(char out[YR_RFC3339_LEN + 1], yr_ms time_ms);

/** "2026-11-22T15:46:35.123Z", any offset, any number of decimals or none (cut to milliseconds).
 *  false: not one, *out untouched. */
bool yr_rfc3339_read(const char *text, yr_ms *out);

/** What a user writes for a moment: RFC 3339, "2026-11-21" (its start), "2026-11-21 15:30",
 *  "15:30[:05]" (the last one there was), "-2h", "now", "today", "yesterday" (their starts); local
 *  time.  false: not one. */
bool yr_time_read(const char *text, yr_ms now_ms, yr_ms *out);

/** "90s", "5m", "2h", "7d", "500ms", joined "1h30m", or bare seconds "90", "0.5"; result >= 0,
 *  at most 100 years.  false: not one. */
bool yr_duration_read(const char *text, int64_t *out_ms);

/** "10K", "5M", "2G" (1024 each) or bare bytes.  false: not one. */
bool yr_size_read(const char *text, uint64_t *out);

/** How to show times: --time, --utc and ui.time. */
struct yr_time_style {
    const char *format; /* "short", "iso", "unix", "rel" or "+FORMAT"; borrowed */
    bool utc;
};

/** Is it a format the above can be? */
bool yr_time_format_ok(const char *format);

/** Append `time_ms` for people.  short: "15:46" on the day of now_ms, else "2026-11-20 15:46";
 *  iso: "2026-11-22T15:46:30+05:30"; unix: seconds; rel: "14 min ago"; +FORMAT: strftime. */
void yr_time_add(struct yr_buf *out, yr_ms time_ms, yr_ms now_ms,
                 const struct yr_time_style *style);
/** Append "Sat 21 Nov 2026". */
void yr_day_add(struct yr_buf *out, yr_ms time_ms, bool utc);
/** Days since the epoch of the day a moment is in: equal numbers, same day. */
int64_t yr_day_of(yr_ms time_ms, bool utc);
/** Append "now", "40 s", "14 min", "6 h 34 min", "3 days": the two largest units at most. */
void yr_span_add(struct yr_buf *out, int64_t span_ms);

#endif
