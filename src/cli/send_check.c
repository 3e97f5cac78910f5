/*
 * What of a command line goes together. Values that a row may fill in are looked at here only
 * where there are no rows.
 */

#include <string.h>

#include "cli/cli.h"
#include "cli/send.h"

/* --from is the From field, and the envelope's sender where -f does not say otherwise. */
static int apply_from(struct send_call *c) {
	struct err err = ERR_INIT;
	if (compose_address(&c->mail, COMPOSE_FROM, span_str(c->from), &err) != 0)
		return cli_usage(send_program, "--from: %s", err.msg);
	if (c->s.from_set)
		return 0;
	return submission_from(&c->s, span_str(c->from), &err) != 0
		       ? cli_usage(send_program, "--from: %s", err.msg)
		       : 0;
}

/* What take_content() kept. */
static int apply_kept(struct send_call *c) {
	struct err err = ERR_INIT;
	if (c->reply_to &&
	    compose_address(&c->mail, COMPOSE_REPLY_TO, span_str(c->reply_to), &err) != 0)
		return cli_usage(send_program, "--reply-to: %s", err.msg);
	for (size_t i = 0; i < c->field_count; i++)
		if (compose_field(&c->mail, span_str(c->fields[i]), &err) != 0)
			return cli_usage(send_program, "--header: %s", err.msg);
	for (size_t i = 0; i < c->unsubscribe_count; i++)
		if (compose_unsubscribe(&c->mail, span_str(c->unsubscribe[i]), &err) != 0)
			return cli_usage(send_program, "--unsubscribe: %s", err.msg);
	return 0;
}

static bool describes_content(const struct send_call *c) {
	return compose_used(&c->mail) || c->from || c->reply_to || c->html ||
	       c->content.count > 0 || c->field_count > 0 || c->unsubscribe_count > 0;
}

static int check_merge(const struct send_call *c) {
	if (c->wait)
		return cli_usage(send_program,
				 "--wait follows one message, and --data makes many");
	if (!c->template || !c->data)
		return cli_usage(send_program, "--template and --data go together: "
					       "send --template MESSAGE --data ROWS.csv");
	if (c->s.to.count > 0 || compose_used(&c->mail))
		return cli_usage(
			send_program,
			"recipients and subject stand in the header of the template, which "
			"begins with To: {{email}}; then: "
			"send --template MESSAGE --data ROWS.csv");
	if (c->html && strcmp(c->html, "-") == 0)
		return cli_usage(send_program, "--html - cannot go with --template");
	if (send_content_is_once(&c->content))
		return cli_usage(
			send_program,
			"a pipe is attached, which cannot be read again for every row");
	return 0;
}

static bool has_inline(const struct send_call *c) {
	for (size_t i = 0; i < c->content.count; i++)
		if (c->content.files[i].use == SEND_INLINE)
			return true;
	return false;
}

static int check_message(const struct send_call *c) {
	if (c->s.extract && (describes_content(c) || c->template || c->data))
		return cli_usage(
			send_program,
			"-t reads a whole message, so -s, -a, --to, --cc, --bcc, --from, "
			"--reply-to, --header, --html, --inline, --unsubscribe, --template "
			"and --data cannot go with it; either: "
			"send RECIPIENT -s SUBJECT < TEXT, or: send -t < MESSAGE");
	if (c->template || c->data)
		return check_merge(c);
	if (!c->s.extract && c->s.to.count == 0)
		return cli_usage(send_program,
				 "no recipient: send RECIPIENT -s SUBJECT < TEXT");
	if (has_inline(c) && !c->html)
		return cli_usage(send_program, "--inline is for what --html shows; "
					       "-a attaches a file");
	return 0;
}

int send_check(struct send_call *c) {
	int r = check_message(c);
	if (r == 0 && c->from)
		r = apply_from(c);
	return r != 0 || c->template ? r : apply_kept(c);
}
