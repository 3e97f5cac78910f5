/*
 * Who the client is: what a session learns by HELO, TLS and AUTH, and where that is written
 * down: in the Received field, in the envelope and in the log. Logins are held up after each
 * failure and end the session after a few.
 */

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/log.h"
#include "base/term.h"
#include "submit/session_state.h"

#define CLIENT_UIDS 0x80000000u
#define FAILED_LOGINS_MAX 5
#define FAILED_LOGIN_PAUSE_MS 1000

uid_t session_client_uid(struct span name) {
	return CLIENT_UIDS | (codec_crc32c(0, name.p, name.len) & (CLIENT_UIDS / 2 - 1));
}

/* RFC 3848 */
const char *session_protocol(const struct session *s) {
	if (!s->esmtp)
		return "SMTP";
	if (s->login[0])
		return s->params->tls ? "ESMTPSA" : "ESMTPA";
	return s->params->tls ? "ESMTPS" : "ESMTP";
}

/* What cannot stand in a name becomes "-": no client may write a Received of its own. */
static void add_name(struct buf *out, struct span name) {
	for (size_t i = 0; i < name.len; i++)
		buf_addc(out, span_is_alnum(name.p[i]) || strchr("-._[]:", name.p[i])
				      ? name.p[i]
				      : '-');
}

static void set_trace(struct session *s) {
	AUTO_BUF struct buf trace = BUF_INIT(sizeof(s->trace) - 1);
	bool v6 = strchr(s->params->address, ':') != NULL;
	add_name(&trace, span_str(s->helo));
	buf_addf(&trace, " ([%s%s])", v6 ? "IPv6:" : "", s->params->address);
	snprintf(s->trace, sizeof(s->trace), "%s", buf_str(&trace));
}

void session_client_known(struct session *s) {
	const struct session_params *p = s->params;
	if (!p->address)
		return;
	set_trace(s);
	const char *known = p->host->who ? p->host->who : "no login";
	snprintf(s->who, sizeof(s->who), "%s%s%s%s", s->login[0] ? "user " : "",
		 s->login[0] ? s->login : known, p->tls ? ", " : "", p->tls ? p->tls : "");
	if (s->login[0]) {
		snprintf(s->origin, sizeof(s->origin), "user:%s", s->login);
		s->host.uid = session_client_uid(span_str(s->origin));
	} else {
		snprintf(s->origin, sizeof(s->origin), "tcp:%s", p->address);
		s->host.uid = p->host->uid;
	}
	s->host.client = s->trace;
	s->host.who = s->who;
	s->host.origin = s->origin;
	s->host.protocol = session_protocol(s);
	s->message.envelope.uid = s->host.uid;
	s->message.envelope.origin = span_str(s->origin);
}

void session_client_log(const struct session *s, struct buf *line) {
	const struct session_params *p = s->params;
	if (!p->address)
		return;
	log_field(line, "client", span_str(p->address));
	log_field(line, "helo", span_str(s->helo));
	log_field(line, "proto", span_str(session_protocol(s)));
	if (p->tls)
		log_field(line, "tls", span_str(p->tls));
	if (s->login[0])
		log_field(line, "user", span_str(s->login));
}

void session_refusal_log(const struct session *s, int code, const char *text) {
	AUTO_BUF struct buf line = BUF_INIT(4096);
	if (!s->params->address || !s->params->via)
		return;
	buf_addf(&line, "via=%s", s->params->via);
	session_client_log(s, &line);
	log_field_int(&line, "code", code);
	log_field(&line, "reply", span_str(text));
	log_field(&line, "status", SPAN("refused"));
	log_info("%s", buf_str(&line));
}

static void failed_login(struct session *s, const char *login) {
	AUTO_BUF struct buf words = BUF_INIT(1000);
	buf_adds(&words, "5.7.8 authentication failed");
	if (login)
		buf_addf(&words, " for %.200s", login);
	session_refusal_log(s, 535, buf_str(&words));
	session_pause(s, FAILED_LOGIN_PAUSE_MS);
	if (++s->failed_logins >= FAILED_LOGINS_MAX)
		smtp_server_answer(s->smtp, 421, "4.7.0 too many failed logins");
	else
		smtp_server_auth_done(s->smtp, false);
}

void session_auth_event(struct session *s, const struct smtp_server_note *note) {
	const struct session_auth *auth = s->params->auth;
	AUTO_BUF struct buf challenge = BUF_INIT(4096);
	const char *login = NULL;
	if (!auth) {
		smtp_server_auth_done(s->smtp, false);
		return;
	}
	switch (auth->step(auth->ctx, note->text, note->data, &challenge, &login)) {
	case SESSION_AUTH_GO_ON:
		smtp_server_auth_challenge(s->smtp, buf_span(&challenge));
		break;
	case SESSION_AUTH_YES:
		snprintf(s->login, sizeof(s->login), "%s", login);
		session_client_known(s);
		smtp_server_auth_done(s->smtp, true);
		break;
	case SESSION_AUTH_NO:
		failed_login(s, login);
		break;
	case SESSION_AUTH_CANNOT:
		smtp_server_answer(s->smtp, 454, "4.7.0 nobody can log in now, try later");
		break;
	}
}

/* Bytes behind the last line of the output: the 220 stays until TLS is sure to follow. */
static size_t last_line(struct span out) {
	size_t n = out.len > 0 ? out.len - 1 : 0;
	while (n > 0 && out.p[n - 1] != '\n')
		n--;
	return out.len - n;
}

void session_tls_event(struct session *s) {
	const struct session_params *p = s->params;
	struct err err = ERR_INIT;
	session_flush(s, last_line(smtp_server_output(s->smtp)));
	if (s->over)
		return;
	p->start_tls(p->start_tls_ctx, &err);
	log_error("TLS cannot be started: %s", err.msg);
	smtp_server_answer(s->smtp, 454, "4.7.0 TLS is not available now");
}
