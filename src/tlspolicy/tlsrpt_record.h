#ifndef NIGHTMAIL_TLSPOLICY_TLSRPT_RECORD_H
#define NIGHTMAIL_TLSPOLICY_TLSRPT_RECORD_H

/* The record that asks for TLS reports (RFC 8460 section 3). Pure. */

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

bool tlsrpt_is_record(struct span text);

/* Called for each address: "mailto:..." or "https://...". */
typedef void tlsrpt_rua_fn(void *ctx, struct span uri);
/* Checks all of the record; fn may be NULL. ERR_SYNTAX (some addresses may have been told). */
int tlsrpt_record_parse(struct span text, tlsrpt_rua_fn *fn, void *ctx, struct err *err);

#include "base/banned.h"

#endif
