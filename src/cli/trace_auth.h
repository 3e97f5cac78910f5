#ifndef NIGHTMAIL_CLI_TRACE_AUTH_H
#define NIGHTMAIL_CLI_TRACE_AUTH_H

/*
 * Whether a message is genuine: what servers on its way found (and whether they can be
 * believed), beside what is found now.
 */

#include "cli/trace_verify.h"
#include "cli/trace_way.h"

#define TRACE_AUTH_ROWS_MAX 64u

/* One method for one domain. */
struct trace_auth_row {
	char method[16];
	char domain[256];  /* lower case */
	char selector[64]; /* of dkim, or "" */
	char recorded[16]; /* result, or "": nobody said */
	char server[256];  /* who recorded it; "": not said */
	bool believed;
	char now[16];              /* result, or "": not looked at */
	char reason[ERR_MSG_SIZE]; /* of now; safe to show */
	bool aligned;              /* with the author's domain, as DMARC relaxed has it */
};

struct trace_auth {
	struct trace_auth_row row[TRACE_AUTH_ROWS_MAX];
	size_t count;
	char author[256]; /* domain of From, or "" */
};

/* dns: NULL, then nothing is looked at now. */
int trace_auth_read(struct span message, const struct trace_way *w,
		    const struct trace_options *o, struct dns *dns,
		    struct trace_auth *ret, struct err *err);
void trace_auth_check(const struct trace_auth *a, struct findings *f);
void trace_auth_json(const struct trace_auth *a, struct json *j);
void trace_auth_print(const struct trace_auth *a, bool plain, struct buf *out);

#include "base/banned.h"

#endif
