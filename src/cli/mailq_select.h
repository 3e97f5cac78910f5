#ifndef NIGHTMAIL_CLI_MAILQ_SELECT_H
#define NIGHTMAIL_CLI_MAILQ_SELECT_H

/* Which messages of a listing are meant: those that pass a filter (queue/filter.h). */

#include <stdbool.h>

#include "base/span.h"
#include "queue/filter.h"

/* True when the message of a JSON line passes. A line that cannot be read passes every filter. */
bool mailq_select(const struct filter *f, struct span json_line);

/* True when one of the filters names the state dead, and so means what is in dead/. */
bool mailq_select_dead(const struct filter *f);
/* True when the message of a JSON line is in dead/. */
bool mailq_select_is_dead(struct span json_line);

/* IDs, gathered from a listing. */
struct mailq_ids {
	const struct filter *filter;
	char **id;
	size_t count, cap;
	bool no_memory;
};
/* A control_line_fn: keeps the ID of the line if it passes; 1 when out of memory. */
int mailq_ids_take(void *ctx, struct span json_line);
void mailq_ids_release(struct mailq_ids *ids);

#endif
