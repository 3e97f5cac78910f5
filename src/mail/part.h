#ifndef NIGHTMAIL_MAIL_PART_H
#define NIGHTMAIL_MAIL_PART_H

/*
 * A message as its parts (RFC 2045, 2046), for showing it. Nothing is refused: what is not
 * well-formed is the text or the attachment that it looks like. Pure; memory and depth are
 * bounded.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define PART_DEPTH_MAX 16u
#define PART_COUNT_MAX 1000u
#define PART_DECODED_MAX (16u << 20) /* of a message inside a message that is encoded */

enum part_encoding { PART_PLAIN, PART_QP, PART_BASE64, PART_OTHER };

struct part {
	unsigned depth;     /* 0: the message itself */
	struct span header; /* its fields */
	struct span body;   /* encoded */
	char type[128];     /* "text/plain", in lower case */
	char charset[64];   /* of text; "": not said */
	char name[256];     /* of the file, UTF-8; "": it has none */
	enum part_encoding encoding;
	bool multipart;   /* the parts in it follow, one deeper */
	bool message;     /* message/rfc822: that message follows, one deeper */
	bool attachment;  /* says so, or is nothing to read */
	bool alternative; /* one of several forms of the same */
};

/* Called for each part, depth first. The part is valid during the call. Non-zero stops. */
typedef int part_fn(void *ctx, const struct part *p);
/* Walks over a message (header and body, any line ends). Returns what fn returned, 0 at the
 * end; *ret_more (may be NULL) tells that there are more or deeper parts than are walked. */
int part_walk(struct span message, part_fn *fn, void *ctx, bool *ret_more);
/* Appends the body's bytes, decoded. -1: out is full. */
int part_bytes(const struct part *p, struct buf *out);
/* Appends the text of a part as UTF-8 with LF line ends. -1: out is full; what fits is there. */
int part_text(const struct part *p, struct buf *out);
/* Bytes of the decoded body: exact for what is not encoded, else an estimate. */
uint64_t part_size(const struct part *p);

#endif
