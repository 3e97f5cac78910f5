#ifndef NIGHTMAIL_CLI_TRACE_HINTS_H
#define NIGHTMAIL_CLI_TRACE_HINTS_H

/* What in a header speaks for a forged or a broken message, whatever the signatures say. */

#include "base/buf.h"
#include "check/finding.h"
#include "cli/trace_way.h"

/* The domain of the first address of a field, lower case; false: there is none. */
bool trace_hints_domain(struct span header, const char *field, struct buf *out);
void trace_hints_check(struct span header, const struct trace_way *w, int64_t now_s,
		       struct findings *f);

#include "base/banned.h"

#endif
