#ifndef NIGHTMAIL_SMTP_REPLY_H
#define NIGHTMAIL_SMTP_REPLY_H

/*
 * What a server answered, as data. Our own failures (no route to the host, time-out, an
 * untrusted certificate) are put into the same struct with local = true and the code and
 * status a server would have used, so that schedulers handle one thing.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "mail/status.h"

#define SMTP_REPLY_TEXT_MAX 480
#define SMTP_REPLY_LINE_MAX 4096 /* RFC 5321 says 512; longer ones occur */
#define SMTP_REPLY_LINES_MAX 128

struct smtp_reply {
	int code; /* 200-599 */
	struct mail_status
		status; /* from the text when its class matches the code; else klass 0 */
	bool local;     /* ours, not the server's */
	char text
		[SMTP_REPLY_TEXT_MAX]; /* lines joined by one space, status repeated in lines
	                                   taken out, cut if longer; NUL-terminated, raw bytes */
};

/* Collects one (multi-line) reply; all zero at the start. */
struct smtp_reply_parser {
	struct smtp_reply reply;
	unsigned lines;
	size_t text_len;
};

/*
 * Takes as many whole lines from *in as one reply needs (RFC 5321 section 4.2: three digits,
 * then "-" or space or the line's end; LF alone ends a line too). Returns 1: ret is a
 * complete reply and *in stands behind it; 0: more bytes are needed (whole lines were
 * taken); -1: no SMTP reply (ERR_REMOTE), or over a limit.
 */
int smtp_reply_feed(struct smtp_reply_parser *p, struct span *in, struct smtp_reply *ret,
		    struct err *err);

/* Makes a local reply; the text is cut if longer. */
struct smtp_reply smtp_reply_local(int code, unsigned subject, unsigned detail,
				   const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Appends "550 5.1.1 no such user" (local: only the text). Escaping is the caller's. */
int smtp_reply_add(struct buf *out, const struct smtp_reply *r);

/* The reply's status, or x.0.0 of the code's class when it gave none. */
struct mail_status smtp_reply_status(const struct smtp_reply *r);

#endif
