#ifndef NIGHTMAIL_CLI_MAILQ_TEXT_H
#define NIGHTMAIL_CLI_MAILQ_TEXT_H

/* The queue as text for people: from the JSON objects of a listing. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct mailq_text {
	bool color;
	unsigned columns; /* of the terminal; 0: lines are not wrapped */
	unsigned long messages;
	uint64_t bytes;
};

/* The columns of standard output: at least 40, at most 200; 0 when it is no terminal. */
unsigned mailq_text_columns(void);
/* Prints one message of the list. */
void mailq_text_message(struct mailq_text *t, struct span json_line);
/* Prints the last line: "-- N Kbytes in M Requests." or "Mail queue is empty". */
void mailq_text_end(const struct mailq_text *t);
/* Prints one message in full: envelope, recipients with their last replies, plan. */
void mailq_text_details(const struct mailq_text *t, struct span json_line);
/* Prints what a verb did to one message, from its answer line. */
void mailq_text_answer(const char *verb, bool daemon, struct span json_line);
/* Appends the bytes of a line {"content":BASE64}. 1: it is none. */
int mailq_text_content(struct span json_line, struct buf *out);
/* True when the answer line tells an error. */
bool mailq_text_failed(struct span json_line);

#endif
