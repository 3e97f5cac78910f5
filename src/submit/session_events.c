/*
 * What a session answers. A command is refused with the reason in words; a lack of room or of
 * permission now is 4xx, so that the client tries again, and only a message that can never
 * be taken is 5xx. Content that is refused is read to its end first: the reply comes then.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/term.h"
#include "control/control.h"
#include "submit/envelope_words.h"
#include "submit/session_state.h"

#define REPLY_MAX 400

struct verdict {
	int code;
	const char *status;
};

static struct verdict verdict_of(const struct err *e) {
	switch (e->kind) {
	case ERR_SYNTAX:
		return (struct verdict){ 554, "5.6.0" };
	case ERR_LIMIT:
		return (struct verdict){ 552, "5.3.4" };
	case ERR_DENIED:
		return (struct verdict){ 550, "5.7.1" };
	case ERR_SYSTEM:
		if (e->sys == ENOSPC || e->sys == EDQUOT)
			return (struct verdict){ 452, "4.3.1" };
		break;
	case ERR_NONE:
	case ERR_MEMORY:
	case ERR_MISSING:
	case ERR_TIMEOUT:
	case ERR_REMOTE:
		break;
	}
	return (struct verdict){ 451, "4.3.0" };
}

static void refuse(struct session *s, const struct err *e) {
	struct verdict v = verdict_of(e);
	char text[REPLY_MAX];
	snprintf(text, sizeof(text), "%s %s", v.status, e->msg);
	session_refusal_log(s, v.code, text);
	smtp_server_answer(s->smtp, v.code, text);
}

void session_forget(struct session *s) {
	if (s->content)
		way_abort(s->params->way);
	s->content = s->in_hand = false;
	s->declared = s->bytes = 0;
	s->trouble = (struct err)ERR_INIT;
	incoming_clear(&s->message);
}

static int may_submit(const struct session *s, uint64_t bytes, struct err *err) {
	const struct session_params *p = s->params;
	if (p->limits && limit_may(p->limits, s->host.uid, bytes, err) != 0)
		return -1;
	return way_room(p->way, bytes, err);
}

static void on_helo(struct session *s, const struct smtp_server_note *note) {
	snprintf(s->helo, sizeof(s->helo), "%.*s", (int)note->text.len, note->text.p);
	s->esmtp = note->esmtp;
	session_client_known(s);
	smtp_server_answer(s->smtp, 0, NULL);
}

static void on_mail(struct session *s, const struct smtp_server_note *note) {
	struct err err = ERR_INIT;
	struct envelope e = {
		.from = note->path,
		.ret = note->ret,
		.envid = note->envid,
		.body_8bit = note->body_8bit,
		.smtputf8 = note->smtputf8,
		.requiretls = note->requiretls,
	};
	session_forget(s);
	if (!s->host.client)
		session_client_known(s);
	s->declared = note->size;
	if (s->params->right == SESSION_MAY_NOT)
		err_set(&err, ERR_DENIED, "%s may not send mail through this relay",
			s->params->address);
	else if (incoming_sender(&s->message, &e, &err) == 0)
		may_submit(s, note->size, &err);
	if (err.kind != ERR_NONE) {
		refuse(s, &err);
		return;
	}
	s->in_hand = true;
	smtp_server_answer(s->smtp, 0, NULL);
}

static void on_rcpt(struct session *s, const struct smtp_server_note *note) {
	struct err err = ERR_INIT;
	struct envelope_recipient to = { .address = note->path, .orcpt = note->orcpt };
	if (note->notify.len > 0 && !submit_notify_parse(note->notify, &to.notify))
		err_set(&err, ERR_SYNTAX, "NOTIFY is NEVER, or SUCCESS, FAILURE, DELAY");
	else
		incoming_recipient(&s->message, &to, &err);
	if (err.kind != ERR_NONE)
		refuse(s, &err);
	else
		smtp_server_answer(s->smtp, 0, NULL);
}

static void on_data(struct session *s) {
	struct err err = ERR_INIT;
	if (may_submit(s, s->declared, &err) != 0) {
		refuse(s, &err);
		return;
	}
	s->content = true;
	smtp_server_answer(s->smtp, 0, NULL);
}

static void on_content(struct session *s, struct span bytes) {
	s->bytes += bytes.len;
	if (s->trouble.kind == ERR_NONE)
		incoming_add(&s->message, bytes, &s->trouble);
}

static void tell(const struct session *s, const struct queue_id *id) {
	const struct envelope *e = &s->message.envelope;
	AUTO_BUF struct buf line = BUF_INIT(4096);
	if (s->params->wake_path)
		control_wake_by(s->params->wake_fd, s->params->wake_path,
				span_str(queue_id_text(id).s));
	if (!s->params->via)
		return;
	buf_addf(&line, "id=%s", queue_id_text(id).s);
	log_field_addr(&line, "from", e->from);
	log_field_int(&line, "size", (int64_t)s->bytes);
	log_field_int(&line, "nrcpt", (int64_t)e->to_count);
	log_field_int(&line, "uid", (int64_t)e->uid);
	log_field(&line, "via", span_str(s->params->via));
	session_client_log(s, &line);
	log_field(&line, "status", SPAN("queued"));
	log_info("%s", buf_str(&line));
}

/* What the machine found wrong with the content as such. */
static void note_flaw(struct session *s, enum smtp_server_flaw flaw) {
	switch (flaw) {
	case SMTP_FLAW_BARE_NEWLINE:
		s->trouble = (struct err)ERR_INIT;
		err_set(&s->trouble, ERR_SYNTAX,
			"a CR or LF alone in the message; lines end in CRLF");
		break;
	case SMTP_FLAW_NUL:
		s->trouble = (struct err)ERR_INIT;
		err_set(&s->trouble, ERR_SYNTAX, "the message has a NUL byte");
		break;
	case SMTP_FLAW_TOO_BIG:
		s->trouble = (struct err)ERR_INIT;
		err_set(&s->trouble, ERR_LIMIT,
			"the message is bigger than the limit of %llu bytes",
			(unsigned long long)s->params->size_limit);
		break;
	case SMTP_FLAW_NONE:
		break;
	}
}

static void on_end(struct session *s, enum smtp_server_flaw flaw) {
	struct queue_id id;
	char text[64];
	note_flaw(s, flaw);
	/* Of a message without SIZE the length is known only now. */
	if (s->trouble.kind == ERR_NONE)
		may_submit(s, s->bytes, &s->trouble);
	if (s->trouble.kind == ERR_NONE)
		incoming_end(&s->message, &s->trouble);
	if (s->trouble.kind == ERR_NONE &&
	    way_commit(s->params->way, &id, &s->trouble) == 0) {
		s->content = false;
		if (s->params->limits)
			limit_took(s->params->limits, s->host.uid);
		tell(s, &id);
		snprintf(text, sizeof(text), "2.0.0 queued as %s", queue_id_text(&id).s);
		smtp_server_answer(s->smtp, 250, text);
	} else {
		refuse(s, &s->trouble);
	}
	session_forget(s);
}

void session_event(struct session *s, enum smtp_server_event event,
		   const struct smtp_server_note *note) {
	switch (event) {
	case SMTP_SERVER_HELO:
		on_helo(s, note);
		break;
	case SMTP_SERVER_MAIL:
		on_mail(s, note);
		break;
	case SMTP_SERVER_RCPT:
		on_rcpt(s, note);
		break;
	case SMTP_SERVER_DATA:
		on_data(s);
		break;
	case SMTP_SERVER_CONTENT:
		on_content(s, note->data);
		break;
	case SMTP_SERVER_DATA_END:
		on_end(s, note->flaw);
		break;
	case SMTP_SERVER_RESET:
		session_forget(s);
		break;
	case SMTP_SERVER_WANT_TLS:
		session_tls_event(s);
		break;
	case SMTP_SERVER_AUTH:
		session_auth_event(s, note);
		break;
	case SMTP_SERVER_QUIT:
	case SMTP_SERVER_CLOSE:
		session_flush(s, 0);
		s->over = true;
		break;
	case SMTP_SERVER_NONE:
		break;
	}
}
