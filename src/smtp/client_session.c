/*
 * The client machine up to READY: greeting, EHLO or HELO, STARTTLS, AUTH. After each success
 * go_on() looks at what is still missing, so TLS needs no state of its own: when it is up,
 * EHLO runs again and go_on() goes further.
 */

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "smtp/client_machine.h"

/* RFC 5321 section 4.5.3.1.4 without CRLF; a longer AUTH goes without initial response. */
#define AUTH_LINE_MAX 500
#define AUTH_STEPS_MAX 16

static void say_name(struct smtp_client *c, struct span verb,
		     enum smtp_command_kind kind) {
	memset(&c->ext, 0, sizeof c->ext);
	smtp_client_add(c, verb);
	smtp_client_add(c, span_str(c->params.helo));
	smtp_client_command(c, kind, NULL);
}

static void greet(struct smtp_client *c) {
	say_name(c, c->params.lmtp ? SPAN("LHLO ") : SPAN("EHLO "), SMTP_COMMAND_EHLO);
}

static void leave_local(struct smtp_client *c, enum smtp_stage stage, unsigned detail,
			const char *words) {
	struct smtp_reply r = smtp_reply_local(454, 7, detail, "%s", words);
	smtp_client_leave(c, stage, &r);
}

/* A reply that is neither the expected one nor a refusal is a server that counts wrong. */
static void refused(struct smtp_client *c, enum smtp_stage stage) {
	if (c->reply.code >= 400)
		smtp_client_leave(c, stage, &c->reply);
	else
		smtp_client_broken(c, stage, "answered %s with %d %s",
				   smtp_stage_name(stage), c->reply.code, c->reply.text);
}

void smtp_client_forget_auth(struct smtp_client *c) {
	buf_wipe(&c->auth.delayed);
	buf_release(&c->auth.delayed);
	if (c->params.auth)
		buf_wipe(&c->scratch);
}

static void respond(struct smtp_client *c, struct span raw) {
	c->secret_out = true;
	codec_base64_add(&c->out, raw);
	smtp_client_command(c, SMTP_COMMAND_AUTH, NULL);
}

/* AUTH mechanism [initial-response]; "=" is an empty one (RFC 4954 section 4). */
static void say_auth(struct smtp_client *c, bool has_initial) {
	struct smtp_client_auth *a = &c->auth;
	struct span raw = buf_span(&c->scratch), name = span_str(a->mechanism);
	smtp_client_add(c, SPAN("AUTH "));
	smtp_client_add(c, name);
	if (has_initial && name.len + raw.len / 3 * 4 + 4 > AUTH_LINE_MAX) {
		buf_add(&a->delayed, raw);
		a->has_delayed = true;
		has_initial = false;
	}
	if (has_initial)
		smtp_client_add(c, raw.len > 0 ? SPAN(" ") : SPAN(" ="));
	respond(c, has_initial ? raw : SPAN(""));
	buf_wipe(&c->scratch);
}

static void start_auth(struct smtp_client *c) {
	struct err err = ERR_INIT;
	const struct smtp_auth_ops *ops = c->params.auth;
	void *ctx = c->params.auth_ctx;
	bool has = false;
	buf_reset(&c->scratch);
	c->auth.mechanism = ops->choose(ctx, c->ext.auth, c->tls, &err);
	if (c->auth.mechanism &&
	    ops->step(ctx, (struct span){ NULL, 0 }, &c->scratch, &has, &err) == 0)
		say_auth(c, has);
	else
		leave_local(c, SMTP_STAGE_AUTH, 0, err.msg);
}

/* Takes the session one step nearer to READY. */
static enum smtp_client_event go_on(struct smtp_client *c) {
	if (!c->tls && c->params.starttls != SMTP_STARTTLS_NEVER && c->ext.starttls) {
		smtp_client_add(c, SPAN("STARTTLS"));
		smtp_client_command(c, SMTP_COMMAND_STARTTLS, NULL);
	} else if (!c->tls && c->params.starttls == SMTP_STARTTLS_REQUIRED) {
		leave_local(c, SMTP_STAGE_TLS, 4, "the server does not offer STARTTLS");
	} else if (c->params.auth && !c->auth.accepted) {
		start_auth(c);
	} else {
		c->ready = true;
		c->streams = c->params.stream && !c->params.lmtp && c->ext.pipelining &&
			     c->ext.chunking;
		return SMTP_CLIENT_READY;
	}
	return SMTP_CLIENT_NONE;
}

enum smtp_client_event smtp_client_on_greeting(struct smtp_client *c,
					       struct smtp_flight *f,
					       struct smtp_client_note *note) {
	(void)f, (void)note;
	if (c->reply.code / 100 == 2)
		greet(c);
	else
		refused(c, SMTP_STAGE_GREETING);
	return SMTP_CLIENT_NONE;
}

enum smtp_client_event smtp_client_on_ehlo(struct smtp_client *c, struct smtp_flight *f,
					   struct smtp_client_note *note) {
	(void)f, (void)note;
	bool needed = c->params.auth || c->params.lmtp ||
		      (!c->tls && c->params.starttls == SMTP_STARTTLS_REQUIRED);
	if (c->reply.code / 100 == 2) {
		c->ext.esmtp = true;
		return go_on(c);
	}
	if (c->reply.code / 100 == 5 && !needed)
		say_name(c, SPAN("HELO "), SMTP_COMMAND_HELO);
	else
		refused(c, SMTP_STAGE_EHLO);
	return SMTP_CLIENT_NONE;
}

enum smtp_client_event smtp_client_on_helo(struct smtp_client *c, struct smtp_flight *f,
					   struct smtp_client_note *note) {
	(void)f, (void)note;
	if (c->reply.code / 100 == 2)
		return go_on(c);
	refused(c, SMTP_STAGE_EHLO);
	return SMTP_CLIENT_NONE;
}

/* RFC 3207. Bytes behind the 220 in clear could be somebody else's: they would be read as
 * the server's words under TLS. */
enum smtp_client_event smtp_client_on_starttls(struct smtp_client *c,
					       struct smtp_flight *f,
					       struct smtp_client_note *note) {
	(void)f, (void)note;
	if (c->reply.code == 220) {
		c->handshake = true;
		return c->in_taken == c->in.len ? SMTP_CLIENT_WANT_TLS : SMTP_CLIENT_NONE;
	}
	if (c->reply.code < 400 || c->params.starttls == SMTP_STARTTLS_REQUIRED) {
		refused(c, SMTP_STAGE_TLS);
		return SMTP_CLIENT_NONE;
	}
	c->params.starttls = SMTP_STARTTLS_NEVER;
	return go_on(c);
}

void smtp_client_tls_done(struct smtp_client *c) {
	if (!c->handshake || c->in_taken < c->in.len)
		return;
	c->handshake = false;
	c->tls = true;
	greet(c);
}

static void cancel_auth(struct smtp_client *c, const char *words) {
	c->auth.cancelled = true;
	c->auth.why = smtp_reply_local(454, 7, 0, "%s", words);
	smtp_client_add(c, SPAN("*"));
	smtp_client_command(c, SMTP_COMMAND_AUTH, NULL);
}

/* The challenge is taken from the raw line: as a reply's text it would be cut. */
static int decode_challenge(const struct smtp_client *c, struct buf *out) {
	struct span lines = c->raw, line = { NULL, 0 };
	while (span_take_line(&lines, &line))
		;
	return codec_base64_decode(out, span_trim(span_from(line, 4)));
}

static void on_challenge(struct smtp_client *c) {
	struct smtp_client_auth *a = &c->auth;
	struct err err = ERR_INIT;
	AUTO_BUF struct buf challenge = BUF_INIT(SMTP_REPLY_LINE_MAX);
	bool has = true;
	if (a->has_delayed) {
		a->has_delayed = false;
		respond(c, buf_span(&a->delayed));
		buf_wipe(&a->delayed);
		return;
	}
	if (++a->steps > AUTH_STEPS_MAX) {
		cancel_auth(c, "the server asks on and on");
		return;
	}
	/* An empty challenge is one all the same: p must not be NULL. */
	if (!buf_room(&challenge, 1) || decode_challenge(c, &challenge) < 0) {
		cancel_auth(c, "the server's challenge is not base64");
		return;
	}
	buf_reset(&c->scratch);
	if (c->params.auth->step(c->params.auth_ctx, buf_span(&challenge), &c->scratch,
				 &has, &err) < 0)
		cancel_auth(c, err.msg);
	else
		respond(c, buf_span(&c->scratch));
	buf_wipe(&c->scratch);
}

enum smtp_client_event smtp_client_on_auth(struct smtp_client *c, struct smtp_flight *f,
					   struct smtp_client_note *note) {
	(void)f, (void)note;
	struct err err = ERR_INIT;
	if (c->auth.cancelled) {
		smtp_client_leave(c, SMTP_STAGE_AUTH, &c->auth.why);
	} else if (c->reply.code == 334) {
		on_challenge(c);
	} else if (c->reply.code != 235) {
		refused(c, SMTP_STAGE_AUTH);
	} else if (c->params.auth->finish(c->params.auth_ctx, &err) < 0) {
		leave_local(c, SMTP_STAGE_AUTH, 0, err.msg);
	} else {
		c->auth.accepted = true;
		return go_on(c);
	}
	return SMTP_CLIENT_NONE;
}
