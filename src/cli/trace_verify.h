#ifndef NIGHTMAIL_CLI_TRACE_VERIFY_H
#define NIGHTMAIL_CLI_TRACE_VERIFY_H

/* The signatures of a message, verified now, and how that is told. */

#include <stdio.h>

#include "authres/arc.h"
#include "authres/dkim_verify.h"
#include "base/json.h"
#include "net/dns.h"

/* What is to be verified; NULL afterwards: it was not. */
struct trace_signatures {
	struct dkim_verify *dkim;
	struct arc *arc;
};

enum trace_want { TRACE_DKIM = 1, TRACE_ARC = 2 };

/* Verifies; want: a sum of enum trace_want. The message must stay. */
int trace_verify(struct span message, unsigned want, struct dns *dns,
		 struct trace_signatures *ret, struct err *err);
void trace_signatures_release(struct trace_signatures *s);

/* Members "dkim" and "arc" of an object. */
void trace_verify_json(struct json *j, const struct trace_signatures *s);
/* One line a signature. */
void trace_verify_print(FILE *f, const struct trace_signatures *s);
/* An Authentication-Results field, as this server would add it. */
int trace_verify_field(const struct trace_signatures *s, struct span server,
		       struct buf *out);

/* The exit codes of everything that verifies, as monitoring reads them. */
enum trace_status {
	TRACE_PASS = 0,
	TRACE_UNSURE = 1, /* no signature, or none of which anything can be said */
	TRACE_FAIL = 2,
	TRACE_UNKNOWN = 3 /* DNS did not answer */
};
enum trace_status trace_verify_status(const struct trace_signatures *s);

#include "base/banned.h"

#endif
