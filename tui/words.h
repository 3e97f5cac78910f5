#ifndef NIGHTMAIL_TUI_WORDS_H
#define NIGHTMAIL_TUI_WORDS_H

/* Times and ages in columns, as all views write them. Times are seconds since 1970; NO_TIME
 * (model.h) gives "-". */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* "0:00:04", "11:48:30", from a day on "2d 03h": at most 8 columns up to 99 days. */
void words_age(struct buf *out, int64_t seconds);
/* "14:19" today, "Tue 14:19" less than six days away, else "2026-11-22". */
void words_time(struct buf *out, int64_t t, int64_t now);
/* "14:19:02" today, else as words_time(). */
void words_clock(struct buf *out, int64_t t, int64_t now);
/* When something is tried next: "now" when that time is over. */
void words_next(struct buf *out, int64_t t, int64_t now);
/* True when `part` stands in the text; ASCII letters without case. */
bool words_contain(struct span text, struct span part);

#endif
