#ifndef NIGHTMAIL_MAIL_DIGEST_H
#define NIGHTMAIL_MAIL_DIGEST_H

/*
 * The one message that tells of a storm: how many messages with the same sender and subject
 * are held, how the first and the last of them begin, and what can be done with them. Pure.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* One of the messages. */
struct digest_sample {
	struct span id;
	int64_t queued_s;
	struct span content; /* its beginning, wire form; empty: it is gone */
};

struct digest_params {
	struct span id;    /* queue ID of the digest (Message-ID) */
	struct span host;  /* who tells */
	struct span storm; /* names the storm */
	struct span to;    /* who reads it; of several the first */
	struct span from, subject; /* of the storm's messages */
	uint32_t uid;      /* who submitted them */
	int64_t held;      /* how many they are */
	unsigned limit;    /* so many may come within window_ms; 0: not known any more */
	int64_t window_ms;
	int64_t keep_ms;   /* how long they wait */
	int64_t now_s;
	struct digest_sample first, last;
};

/* Appends the whole message in wire form, 7-bit in lines that SMTP carries. -1: no memory. */
int digest_write(struct buf *out, const struct digest_params *p);

#endif
