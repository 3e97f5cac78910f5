/*
 * What a session of the sink does about each event of the server machine: the rules first,
 * then the usual reply. Messages are taken here.
 */
#include "cli/sink_session.h"

#include <stdio.h>

bool sink_session_closes(struct sink_session *s, enum sink_stage stage,
			 struct span address) {
	if (!sink_rule_apply(s->sink, stage, true, address))
		return false;
	sink_session_tell(s, "injected", sink_stage_name(stage), 0,
			  "closed the connection");
	if (stage != SINK_GREETING && stage != SINK_STARTTLS)
		sink_session_flush(s);
	s->over = true;
	return true;
}

/* Applies a --reply; *ret_accepted tells whether the client is to take it as a yes. */
static bool replies(struct sink_session *s, enum sink_stage stage, struct span address,
		    bool *ret_accepted) {
	const struct sink_rule *rule = sink_rule_apply(s->sink, stage, false, address);

	if (!rule)
		return false;
	sink_session_tell(s, "injected", sink_stage_name(stage), rule->code, rule->text);
	smtp_server_answer(s->smtp, rule->code, rule->text);
	*ret_accepted = rule->code < 300;
	return true;
}

/* Answers a command by rule or with the usual reply. True when it was accepted. */
static bool answer(struct sink_session *s, enum sink_stage stage, struct span address) {
	bool accepted = true;

	if (sink_session_closes(s, stage, address))
		return false;
	if (!replies(s, stage, address, &accepted))
		smtp_server_answer(s->smtp, 0, NULL);
	return accepted;
}

static void out_of_memory(struct sink_session *s) {
	smtp_server_answer(s->smtp, 421, "4.3.0 out of memory");
}

static void on_starttls(struct sink_session *s) {
	bool accepted;

	if (sink_session_closes(s, SINK_STARTTLS, SPAN("")))
		return;
	if (replies(s, SINK_STARTTLS, SPAN(""), &accepted))
		return;
	sink_session_flush(s);
	if (!s->over && sink_session_accept_tls(s))
		smtp_server_tls_done(s->smtp);
}

/* Ends an exchange; words for the event only. */
static void auth_over(struct sink_session *s, bool accepted) {
	sink_session_tell(s, "auth", NULL, accepted ? 235 : 535, s->auth_name);
	smtp_auth_server_free(s->auth);
	s->auth = NULL;
	if (accepted) {
		snprintf(s->mechanism, sizeof(s->mechanism), "%s", s->auth_name);
		s->facts.mechanism = s->mechanism;
	}
	smtp_server_auth_done(s->smtp, accepted);
}

static int binding(void *ctx, enum smtp_auth_binding kind, struct buf *out) {
	return conn_tls_binding(ctx, kind == SMTP_AUTH_TLS_EXPORTER, out);
}

/* The mechanism is named in the first event of an exchange only. */
static void on_auth(struct sink_session *s, const struct smtp_server_note *note) {
	AUTO_BUF struct buf challenge = BUF_INIT(65536);
	bool accepted;
	int r;

	if (note->text.len > 0) {
		/* A cancelled exchange ends inside the machine: what it left goes now. */
		smtp_auth_server_free(s->auth);
		s->auth = NULL;
		snprintf(s->auth_name, sizeof(s->auth_name), "%.*s", (int)note->text.len,
			 note->text.p);
		if (sink_session_closes(s, SINK_AUTH, SPAN("")) ||
		    replies(s, SINK_AUTH, SPAN(""), &accepted))
			return;
		s->auth = smtp_auth_server_new(s->auth_name, s->sink->options->login,
					       s->sink->password.p, NULL);
		if (s->auth)
			smtp_auth_server_bind(s->auth, binding, s->conn);
	}
	if (!s->auth) {
		auth_over(s, false);
		return;
	}
	r = smtp_auth_server_step(s->auth, note->data, &challenge);
	if (r == 0)
		smtp_server_auth_challenge(s->smtp, buf_span(&challenge));
	else
		auth_over(s, r > 0);
}

static void on_mail(struct sink_session *s, const struct smtp_server_note *note) {
	if (sink_message_begin(&s->message, note) < 0)
		out_of_memory(s);
	else
		answer(s, SINK_MAIL, span_str(s->message.from));
}

static void on_rcpt(struct sink_session *s, const struct smtp_server_note *note) {
	struct sink_message *m = &s->message;

	if (sink_message_recipient(m, note) < 0) {
		out_of_memory(s);
		return;
	}
	if (!answer(s, SINK_RCPT, span_str(m->to[m->to_count - 1].address)))
		sink_message_drop_last(m);
}

static void on_content(struct sink_session *s, struct span data) {
	if (!s->content_began && sink_session_closes(s, SINK_CONTENT, SPAN("")))
		return;
	s->content_began = true;
	(void)sink_message_content(&s->message, s->sink, data);
}

static const struct {
	enum smtp_server_flaw flaw;
	int code;
	const char *text;
} flaws[] = {
	{ SMTP_FLAW_BARE_NEWLINE, 550, "5.6.0 a bare CR or LF in the message" },
	{ SMTP_FLAW_NUL, 550, "5.6.0 a NUL byte in the message" },
	{ SMTP_FLAW_TOO_BIG, 552, "5.3.4 the message is larger than SIZE allows" },
};

/* Refuses what a sound client does not send. */
static bool refuses_flaw(struct sink_session *s, enum smtp_server_flaw flaw) {
	for (size_t i = 0; i < sizeof(flaws) / sizeof(flaws[0]); i++) {
		if (flaws[i].flaw != flaw)
			continue;
		sink_session_tell(s, "refused", "content", flaws[i].code, flaws[i].text);
		smtp_server_answer(s->smtp, flaws[i].code, flaws[i].text);
		return true;
	}
	return false;
}

/* Takes the message: true when it stands (or was printed) and may be acknowledged. */
static bool take_message(struct sink_session *s) {
	const struct sink_options *o = s->sink->options;
	struct err err = ERR_INIT;
	unsigned long taken = atomic_fetch_add(&s->sink->shared->messages, 1) + 1;

	if (o->max > 0 && taken > o->max) {
		smtp_server_answer(s->smtp, 421, "4.3.2 no more messages are wanted");
		return false;
	}
	s->last = taken == o->max;
	if (buf_failed(&s->message.content))
		err_set(&err, ERR_MEMORY, "out of memory");
	else if (sink_message_store(&s->message, s->sink, &s->facts,
				    s->sink->numbered + taken, &err) == 0)
		return true;
	sink_session_tell(s, "refused", "content", 451, err.msg);
	smtp_server_answer(s->smtp, 451, "4.3.0 cannot keep the message");
	return false;
}

static void on_data_end(struct sink_session *s, const struct smtp_server_note *note) {
	const struct sink_rule *rule;

	s->content_began = false;
	if (refuses_flaw(s, note->flaw)) {
		sink_message_clear(&s->message);
		return;
	}
	rule = sink_rule_apply(s->sink, SINK_CONTENT, false, SPAN(""));
	if (rule)
		sink_session_tell(s, "injected", "content", rule->code, rule->text);
	if (rule && rule->code >= 400)
		smtp_server_answer(s->smtp, rule->code, rule->text);
	else if (take_message(s) && !sink_session_closes(s, SINK_DOT, SPAN("")))
		smtp_server_answer(s->smtp, rule ? rule->code : 0,
				   rule ? rule->text : NULL);
	sink_message_clear(&s->message);
}

static void on_helo(struct sink_session *s, struct span name) {
	buf_reset(&s->helo);
	buf_add(&s->helo, name);
	s->facts.helo = buf_str(&s->helo);
	answer(s, SINK_EHLO, SPAN(""));
}

void sink_session_event(struct sink_session *s, enum smtp_server_event event,
			const struct smtp_server_note *note) {
	switch (event) {
	case SMTP_SERVER_NONE:
		break;
	case SMTP_SERVER_HELO:
		on_helo(s, note->text);
		break;
	case SMTP_SERVER_WANT_TLS:
		on_starttls(s);
		break;
	case SMTP_SERVER_AUTH:
		on_auth(s, note);
		break;
	case SMTP_SERVER_MAIL:
		on_mail(s, note);
		break;
	case SMTP_SERVER_RCPT:
		on_rcpt(s, note);
		break;
	case SMTP_SERVER_DATA:
		answer(s, SINK_DATA, SPAN(""));
		break;
	case SMTP_SERVER_CONTENT:
		on_content(s, note->data);
		break;
	case SMTP_SERVER_DATA_END:
		on_data_end(s, note);
		break;
	case SMTP_SERVER_RESET:
		sink_message_clear(&s->message);
		s->content_began = false;
		break;
	case SMTP_SERVER_QUIT:
		sink_session_flush(s);
		s->over = true;
		break;
	case SMTP_SERVER_CLOSE:
		sink_session_flush(s);
		sink_session_linger(s);
		s->over = true;
		break;
	}
}
