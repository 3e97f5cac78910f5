#ifndef NIGHTMAIL_CLI_SEND_MERGE_H
#define NIGHTMAIL_CLI_SEND_MERGE_H

/*
 * One message of --template: the template's header fields and the options take the place of a
 * person's options, with the fields of a row filled in.
 */

#include "cli/send.h"
#include "mail/rows.h"
#include "mail/template.h"

struct send_merge_template {
	struct span header, body, html; /* html.p NULL: none besides the body */
	bool body_is_html;
	bool sender_given; /* the envelope's, by an option */
};

struct send_message {
	struct buf text, html;
	bool has_html;
};

/* Takes the template apart. ERR_SYNTAX: no header, or a Content- field that cannot be kept. */
int send_merge_template_read(struct send_merge_template *ret, const struct send_call *c,
			     struct span template, struct span html, struct err *err);

void send_message_init(struct send_message *m);
void send_message_release(struct send_message *m);
/* Fills c->s, c->mail and the texts for a row. */
int send_message_make(struct send_call *c, const struct send_merge_template *t,
		      const struct row *row, struct send_message *m, struct err *err);
/* Then prepares it for submission_run(), as send_build() does. */
int send_message_build(struct send_call *c, const struct send_message *m,
		       struct send_built *b, struct err *err);

#endif
