/* The reply parser: whole input against pieces, and what it promises about its result. */

#include <stdint.h>
#include <stdlib.h>

#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct smtp_reply *r) {
	if (r->code < 200 || r->code > 599 || r->local ||
	    !memchr(r->text, 0, sizeof r->text))
		abort();
	if (r->status.klass != 0 && r->status.klass != (unsigned)r->code / 100)
		abort();
	struct buf b = BUF_INIT(4096);
	if (smtp_reply_add(&b, r) < 0)
		abort();
	buf_release(&b);
}

/* Parses everything, offering at most `piece` new bytes at a time; returns a digest. */
static uint64_t parse(struct span all, size_t piece) {
	struct smtp_reply_parser p = { .lines = 0 };
	struct smtp_reply r;
	uint64_t digest = 0;
	size_t given = 0;
	struct span in = span_head(all, 0);
	for (;;) {
		struct span before = in;
		int got = smtp_reply_feed(&p, &in, &r, NULL);
		if (got < 0)
			return digest * 31 + 7;
		if (got > 0) {
			check(&r);
			digest = digest * 31 + (uint64_t)r.code + strlen(r.text);
			continue;
		}
		if (in.len > before.len || given == all.len)
			return digest;
		size_t more = all.len - given < piece ? all.len - given : piece;
		given += more;
		in.len += more;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span all = span_of(data, size);
	if (parse(all, size + 1) != parse(all, 1))
		abort();
	return 0;
}
