#ifndef NIGHTMAIL_DELIVER_COUNTS_H
#define NIGHTMAIL_DELIVER_COUNTS_H

/* What this daemon did since its start: totals, and the last hour by minutes and the last two
 * days by hours. Pure; the caller gives the time (wall clock, s). */

#include <stdint.h>

#include "base/json.h"

enum counts_what { COUNTS_QUEUED, COUNTS_DELIVERED, COUNTS_DEFERRED, COUNTS_BOUNCED, COUNTS };

#define COUNTS_MINUTES 60u
#define COUNTS_HOURS 48u

struct counts_slot {
	int64_t begin_s;
	uint32_t n[COUNTS];
};

struct counts {
	uint64_t total[COUNTS];
	struct counts_slot minute[COUNTS_MINUTES], hour[COUNTS_HOURS];
};

void counts_add(struct counts *c, enum counts_what what, unsigned n, int64_t now_s);
/* Adds the members "since_start", "minutes" and "hours" (control/control.h). */
void counts_json(const struct counts *c, struct json *j, int64_t now_s);

#endif
