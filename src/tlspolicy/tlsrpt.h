#ifndef NIGHTMAIL_TLSPOLICY_TLSRPT_H
#define NIGHTMAIL_TLSPOLICY_TLSRPT_H

/*
 * SMTP TLS reporting (RFC 8460), the sender's side: what is counted of a session, as one line, and
 * the report that is made of many such lines. Pure; a line is always the same for sessions that
 * count as the same, so that lines can be counted without being understood (base/bag.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "base/bag.h"

/* policy-type (section 4.4) */
enum tlsrpt_type { TLSRPT_NO_POLICY, TLSRPT_STS, TLSRPT_TLSA };

/* result-type (section 4.3); first what is no failure */
enum tlsrpt_result {
	TLSRPT_SUCCESS,
	TLSRPT_STARTTLS_NOT_SUPPORTED,
	TLSRPT_HOST_MISMATCH,
	TLSRPT_EXPIRED,
	TLSRPT_NOT_TRUSTED,
	TLSRPT_VALIDATION_FAILURE,
	TLSRPT_TLSA_INVALID,
	TLSRPT_DNSSEC_INVALID,
	TLSRPT_DANE_REQUIRED,
	TLSRPT_STS_FETCH_ERROR,
	TLSRPT_STS_INVALID,
	TLSRPT_STS_WEBPKI_INVALID
};

const char *tlsrpt_type_name(enum tlsrpt_type type);       /* "no-policy-found" ... */
const char *tlsrpt_result_name(enum tlsrpt_result result); /* "certificate-expired" ... */

struct tlsrpt_session {
	enum tlsrpt_type type;
	/* policy-domain: for DANE where the records stand, else the domain whose servers these are */
	struct span domain;
	/* policy-string: the lines of the MTA-STS policy, or a TLSA record a line */
	struct span policy;
	enum tlsrpt_result result;
	/* of a failure; each may be empty */
	struct span mx, sending_ip, receiving_ip, reason;
};

/* Appends its line, without LF. Texts that are too long are cut. */
int tlsrpt_line_add(struct buf *out, const struct tlsrpt_session *s);
/* Reads a line; the spans lie in storage, which is emptied first. False: it is none. */
bool tlsrpt_line_parse(struct span line, struct buf *storage, struct tlsrpt_session *ret);

/* Who reports. */
struct tlsrpt_about {
	struct span organization, contact, host;
	int64_t day; /* base/utcday.h */
};

/* Appends the report in JSON (section 4.4), with a LF at its end. Sorts the counts. ERR_LIMIT. */
int tlsrpt_report_add(struct buf *out, struct bag *counts,
		      const struct tlsrpt_about *about, struct err *err);

#include "base/banned.h"

#endif
