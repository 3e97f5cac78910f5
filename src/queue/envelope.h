#ifndef NIGHTMAIL_QUEUE_ENVELOPE_H
#define NIGHTMAIL_QUEUE_ENVELOPE_H

/*
 * The envelope of a queued message: who, to whom, and how the sender wants it treated. As
 * bytes it is lines of words (base/codec.h) ended by an empty line; see nightmail-queue(5).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "mail/wishes.h"
#include "queue/id.h"

#define ENVELOPE_MAX (16u << 20)      /* bytes */
#define ENVELOPE_RECIPIENTS_MAX 50000u

/* NOTIFY of RFC 3461 as bits; 0: not given. */
enum { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

struct envelope_recipient {
	struct span address; /* canonical (mail/addr.h) */
	unsigned notify;
	struct span orcpt;   /* "rfc822;bob@example.org" or empty */
};

struct envelope {
	struct queue_id id;
	struct moment created;
	uint32_t uid;         /* who submitted it */
	struct span origin;   /* "local", "bounce", ... */
	bool replaces;        /* it was edited: the message `replaced` must go first */
	struct queue_id replaced;
	struct span from;     /* reverse-path; empty: null */
	struct span ret;      /* "FULL", "HDRS" or empty */
	struct span envid;
	bool body_8bit;       /* the message has bytes >= 0x80 */
	bool smtputf8;        /* its header or an address has */
	bool requiretls;      /* RFC 8689: nowhere without verified TLS */
	bool tls_optional;    /* its "TLS-Required: No": whatever the recipient's domain publishes */
	enum mail_priority priority;
	int64_t at_ms;        /* wall time before which it does not go; 0: at once */
	struct span relay;    /* which takes it; empty: by the routes */
	struct envelope_recipient *to;
	size_t to_count;
	char *storage;        /* owns what the spans point to when parsed; else NULL */
};

/* When its lifetime begins: `created`, or later by as much as it was to wait. */
struct moment envelope_start(const struct envelope *e);
/* Appends the bytes. */
int envelope_write(const struct envelope *e, struct buf *out);
/* Parses them; *ret owns copies. ERR_SYNTAX, ERR_LIMIT, ERR_MEMORY. */
int envelope_parse(struct span bytes, struct envelope *ret, struct err *err);
void envelope_release(struct envelope *e);

#endif
