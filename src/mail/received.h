#ifndef NIGHTMAIL_MAIL_RECEIVED_H
#define NIGHTMAIL_MAIL_RECEIVED_H

/*
 * Received fields (RFC 5321 section 4.4), in the many dialects that occur: every server writes
 * its own, and most of what it knows stands in comments. Nothing is refused; what is not said
 * is empty. Pure; bounded.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/inet.h"
#include "base/span.h"

struct received {
	struct buf text; /* the value, unfolded: the spans point into it */
	struct span
		from; /* behind "from", without brackets: the name, as a rule that of HELO */
	struct span helo; /* where it is said apart */
	struct span rdns; /* what the address resolves to, as that server found */
	struct span ip; /* the peer, as it is written, without brackets, zone and port */
	struct span by;
	struct span with; /* as it is written, several words */
	struct span via;
	struct span id, for_;
	struct span ident; /* who logged in, or what ident said */
	struct span local; /* the user of that machine who handed it over: "uid 1000" */
	struct span tls, cipher;
	char protocol
		[16]; /* of `with`, in its standard spelling (RFC 3848): "ESMTPS"; or "" */
	bool has_time;
	int64_t time_s;
};

/* Reads a value. Release *ret in any case. -1: no memory. */
int received_parse(struct span value, struct received *ret);
void received_release(struct received *r);
/* True when what happened there was under TLS, as far as it is said. */
bool received_is_tls(const struct received *r);

#include "base/banned.h"

#endif
