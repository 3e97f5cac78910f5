#ifndef NIGHTMAIL_CHECK_LINT_H
#define NIGHTMAIL_CHECK_LINT_H

/*
 * Policy records as their grammars want them: stricter than any receiver, since a record is to
 * work with all of them, those of RFC 7489 as well as those of RFC 9989. Pure.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

enum lint_kind {
	LINT_DMARC,
	LINT_SPF,
	LINT_MTA_STS_RECORD,
	LINT_MTA_STS_POLICY,
	LINT_TLSRPT,
	LINT_DKIM_KEY,
	LINT_BIMI
};
/* "dmarc", "mta-sts-record" ... */
bool lint_kind_parse(struct span word, enum lint_kind *ret);

/* One line a complaint, safe to show. Release with lint_release(). */
struct lint {
	struct buf errors; /* the record is not valid */
	struct buf notes;  /* it is, but */
};
/* True when there is no error. */
bool lint_record(enum lint_kind kind, struct span text, struct lint *ret);
void lint_release(struct lint *l);

#include "base/banned.h"

#endif
