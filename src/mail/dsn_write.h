#ifndef NIGHTMAIL_MAIL_DSN_WRITE_H
#define NIGHTMAIL_MAIL_DSN_WRITE_H

/*
 * Delivery status notifications (RFC 3464 in RFC 6522): multipart/report with words for
 * people first, then the machine's part, then the original (headers, or all of it).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "mail/status.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED };

struct dsn_recipient {
	struct span address; /* final recipient */
	struct span orcpt;   /* "rfc822;..." as given, or empty */
	enum dsn_action action;
	struct mail_status status;
	struct span remote; /* host that answered, or empty */
	struct span reply;  /* what it said, "550 5.1.1 no such user", or our own words */
	bool is_remote;     /* the reply came from that host; else it is ours */
	int64_t last_attempt_s;
	int64_t retry_until_s; /* DELAYED: when we give up, 0 unknown */
};

struct dsn_params {
	struct span id;          /* queue ID of the notice (Message-ID, boundary) */
	struct span host;        /* reporting MTA */
	struct span to;          /* reverse-path of the original */
	struct span envid;       /* or empty */
	struct span original_id; /* queue ID of the original */
	int64_t arrival_s;
	int64_t now_s;
	bool return_full;   /* RET=FULL */
	bool original_utf8; /* message/global-headers instead of text/rfc822-headers */
};

/* Appends a whole message in wire form up to where the original's bytes begin. */
int dsn_write_head(struct buf *out, const struct dsn_params *p,
		   const struct dsn_recipient *r, size_t count);
/* Appends what follows the original's bytes: the closing boundary. */
int dsn_write_tail(struct buf *out, const struct dsn_params *p);

#endif
