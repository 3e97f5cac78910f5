#ifndef NIGHTMAIL_CLI_TRACE_VENDOR_H
#define NIGHTMAIL_CLI_TRACE_VENDOR_H

/* What spam filters wrote into the header, in words: a table says which fields and which of
 * their parts mean what. */

#include "base/json.h"
#include "base/span.h"
#include "check/finding.h"

struct trace_vendor_note {
	const char *vendor;
	struct span field, part,
		value;     /* part: "SCL", or empty; they point into the header */
	const char *means; /* NULL: nothing is known of this value */
	bool spam;         /* the filter thinks so */
};

typedef void trace_vendor_fn(void *ctx, const struct trace_vendor_note *note);
/* Calls fn for each thing that is known, in the order of the header; at most 200. */
void trace_vendor_each(struct span header, trace_vendor_fn *fn, void *ctx);

#include "base/banned.h"

#endif
