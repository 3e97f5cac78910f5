#ifndef NIGHTMAIL_CLI_SEND_H
#define NIGHTMAIL_CLI_SEND_H

/*
 * What send is made of. bin/send.c reads the command line into a struct send_call; from there
 * a message goes
 *
 *     send_check()          do the options go together?
 *     send_text_read()      what stands on standard input, or is written in an editor
 *     send_build()          header and content, ready for submission_run()
 *     send_built_release()
 *
 * or, with --template, send_merge() does that for every row. All return exit codes of
 * sysexits.h and have told why unless said otherwise.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "cli/send_content.h"
#include "cli/submission.h"
#include "config/settings.h"
#include "mail/compose.h"

struct send_call {
	const char *config;
	bool verbose, json, dry_run, yes;
	bool wait;       /* --wait: until it is delivered, */
	int64_t wait_ms; /* at most so long */
	bool queued;     /* as `id` */
	struct queue_id id;
	const char *from; /* --from */
	const char *html; /* --html */
	const char *template, *data;
	struct submission s;
	struct compose mail;
	struct send_content content;
	/* Options whose values may name fields of a row, as they were given. */
	const char **fields, **unsubscribe; /* --header, --unsubscribe */
	size_t field_count, unsubscribe_count;
	const char *reply_to;
};

/* Name before every message. */
extern const char send_program[];

/* Checks what the options say together, and applies those that were kept. Returns EX_OK or
 * EX_USAGE. */
int send_check(struct send_call *c);

/* --at, --priority, --relay: 0, or EX_USAGE. */
int send_take_at(struct send_call *c, const char *arg);
int send_take_priority(struct send_call *c, const char *arg);
int send_take_relay(struct send_call *c, const char *arg);
/* Is there such a relay? EX_USAGE: no; where no configuration can be read it is not asked. */
int send_check_relay(const struct send_call *c, const struct settings *s);

/* --- the text --- */

struct send_text {
	struct buf text, html;
	bool has_html;
	struct buf file; /* where the editor's text is kept; empty: nowhere */
};

void send_text_init(struct send_text *t);
/* Removes the editor's file when the text was queued, else says where it is. */
void send_text_release(struct send_text *t, bool queued);
/* Reads text and HTML, at most limit bytes each. */
int send_text_read(const struct send_call *c, uint64_t limit, struct send_text *t);
/* Lets the person write the text (send_edit.c). about: what they should see below it. */
int send_edit(struct send_text *t, const char *editor, struct span about, uint64_t limit);
/* The editor of this person, or NULL. */
const char *send_editor(void);

/* --- one message --- */

struct send_built {
	struct buf header, encoded;
};

/* Prepares c->s for submission_run() from parts; the built one, text and html live until it is
 * done. Returns EX_OK or a code with words in *err. */
int send_build(struct send_call *c, struct compose *mail, struct span text,
	       struct span html, struct send_built *b, struct err *err);
void send_built_release(struct send_built *b);

/* Shows what would be queued, and its way; text is that of the message, p NULL: unknown. */
int send_dry_run(struct send_call *c, struct span text);

/* --template: one message a row. */
int send_merge(struct send_call *c);

#endif
