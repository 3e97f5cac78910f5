#ifndef NIGHTMAIL_MAIL_WISHES_H
#define NIGHTMAIL_MAIL_WISHES_H

/*
 * How a message is to be treated, as its header says: the priority in the usual fields
 * (Priority, X-Priority, X-MSMail-Priority, Importance; Precedence: bulk, list and junk are low
 * whatever the others say), and our own field, which no message keeps that leaves us:
 *
 *   X-Nightmail: priority=high at=2026-11-23T08:00:00+01:00 relay=office tls=required
 *
 * and "TLS-Required: No" (RFC 8689 section 3), which stays.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define WISHES_FIELD "X-Nightmail"
#define WISHES_RELAY_SIZE 65u

enum mail_priority { PRIORITY_NORMAL, PRIORITY_HIGH, PRIORITY_LOW };

struct mail_wishes {
	bool has_priority; /* said by our own field or an option */
	bool bulk, hinted; /* said by the usual fields */
	enum mail_priority priority;
	int64_t at_ms; /* wall time before which it does not go; 0: at once */
	char relay[WISHES_RELAY_SIZE]; /* "": by the routes */
	bool require_tls; /* over verified TLS alone, all the way (RFC 8689) */
	unsigned tls_fields;    /* fields TLS-Required, and */
	unsigned tls_fields_no; /* those of them that say No */
};

const char *priority_name(enum mail_priority p); /* "high", "normal", "low" */
bool priority_parse(struct span word, enum mail_priority *ret);
/* True for what can be the name of a relay in the configuration. */
bool wishes_is_relay(struct span name);

/* Looks at one field. 0, also for other fields; -1 (ERR_SYNTAX): our own one, not understood.
 * What was said before holds. */
int wishes_take(struct mail_wishes *w, struct span name, struct span value,
		int64_t now_ms, struct err *err);
/* True when there is exactly one TLS-Required, it says No, and nothing asks for TLS. */
bool wishes_tls_optional(const struct mail_wishes *w);
/* True when a field has to be sent along. */
bool wishes_any(const struct mail_wishes *w);
/* Appends our field as a header line, CRLF included. */
int wishes_add_field(struct buf *out, const struct mail_wishes *w);

#endif
