#ifndef NIGHTMAIL_CLI_SUBMISSION_H
#define NIGHTMAIL_CLI_SUBMISSION_H

/*
 * From a descriptor into the queue: what send and sendmail share. Reads the message,
 * fixes its header up, writes the queue file, wakes the daemon. Memory stays small
 * however big the message is.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "cli/intake.h"
#include "config/settings.h"
#include "mail/addr.h"
#include "mail/fixup.h"
#include "queue/id.h"

struct submission {
	const struct settings *settings;
	struct fixup_recipients to; /* recipients so far; extract adds more */
	bool extract;               /* -t */
	bool from_set;              /* from is the reverse-path, empty: null */
	struct span from;
	char from_text[ADDR_MAX + 1]; /* what from points into */
	struct span full_name;        /* for a missing From; p NULL: the one of passwd */
	struct span header; /* header block instead of what is read; p NULL: none */
	struct span body;   /* with header: the body, so that nothing is read */
	/* With header: makes the body instead; it is 7bit throughout. read NULL: none. */
	struct intake_source source;
	unsigned notify; /* NOTIFY_* for every recipient */
	struct span ret; /* "FULL", "HDRS" or empty */
	struct span envid;
	struct mail_wishes wishes; /* of options; the header's come after them */
};

void submission_release(struct submission *s);
/* Adds a recipient as a person or program gives it: an address, or a list "a, b <c@d>". */
int submission_add(struct submission *s, struct span text, struct err *err);
/* Sets the reverse-path: "", "<>", an address, or "Name <address>". */
int submission_from(struct submission *s, struct span text, struct err *err);

/*
 * Queues the message on descriptor in. Returns EX_OK when it is on disk and survives a
 * power cut, *ret_id being its ID; else the exit code of sysexits.h with words, and
 * nothing queued.
 */
int submission_run(struct submission *s, int in, struct queue_id *ret_id,
		   struct err *err);

struct submission_preview {
	struct buf *
		header; /* given: gets the header in wire form, the empty line included */
	char from[ADDR_MAX + 1];
	uint64_t octets;
	bool body_8bit, smtputf8;
	struct mail_wishes wishes; /* of options and header */
};
/* Finds out what submission_run() would queue, and writes nothing; the same exit codes. */
int submission_preview(struct submission *s, int in, struct submission_preview *ret,
		       struct err *err);

#endif
