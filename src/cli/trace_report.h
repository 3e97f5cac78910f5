#ifndef NIGHTMAIL_CLI_TRACE_REPORT_H
#define NIGHTMAIL_CLI_TRACE_REPORT_H

/* All that header-trace tells of a message, on one page. */

#include "base/buf.h"
#include "base/err.h"
#include "cli/trace_way.h"
#include "net/dns.h"

/* dns: NULL, then nothing is verified now. Returns the exit code (check/finding.h), or -1 with
 * err. */
int trace_report(struct span message, const struct trace_options *o, struct dns *dns,
		 bool json, struct buf *out, struct err *err);

#include "base/banned.h"

#endif
