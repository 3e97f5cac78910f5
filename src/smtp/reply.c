/*
 * Reading replies (RFC 5321 section 4.2, RFC 2034):
 *
 *     Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
 *
 * What real servers send decides what is let through: longer lines than 512 octets, a bare
 * LF as line end, any byte in the text, and lines whose codes differ within one class (the
 * last one counts). Lines of different classes contradict each other and are refused.
 */

#include "smtp/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static bool take_code(struct span *in, int *ret) {
	struct span digits = span_head(*in, 3);
	uint64_t code;
	if (digits.len != 3 || !span_uint(digits, 599, &code) || code < 200)
		return false;
	*in = span_from(*in, 3);
	*ret = (int)code;
	return true;
}

static bool same_status(struct mail_status a, struct mail_status b) {
	return a.klass == b.klass && a.subject == b.subject && a.detail == b.detail;
}

/* Takes the status at the start of a line: the first one is the reply's, the same one again
 * is a repetition. Any other stays part of the text. */
static void take_status(struct smtp_reply *r, struct span *text) {
	struct span rest = *text;
	struct mail_status s;
	if (!mail_status_take(&rest, &s) ||
	    (rest.len > 0 && rest.p[0] != ' ' && rest.p[0] != '\t'))
		return;
	if (s.klass != (unsigned)r->code / 100)
		return;
	if (r->status.klass != 0 && !same_status(s, r->status))
		return;
	r->status = s;
	*text = rest;
}

/* Appends what fits; a UTF-8 character is never cut, a NUL would end the text too early. */
static void add_text(struct smtp_reply_parser *p, struct span s) {
	char *text = p->reply.text;
	size_t room = SMTP_REPLY_TEXT_MAX - 1 - p->text_len;
	s = span_trim(s);
	if (s.len == 0 || room < 2)
		return;
	if (p->text_len > 0) {
		text[p->text_len++] = ' ';
		room--;
	}
	s = utf8_head(s, room);
	for (size_t i = 0; i < s.len; i++)
		text[p->text_len++] = s.p[i] ? s.p[i] : '?';
	text[p->text_len] = '\0';
}

/* Returns 1 when this was the last line of the reply. */
static int take_line(struct smtp_reply_parser *p, struct span line, struct err *err) {
	struct smtp_reply *r = &p->reply;
	int code;
	if (p->lines >= SMTP_REPLY_LINES_MAX)
		return err_set(err, ERR_LIMIT, "reply of more than %d lines",
			       SMTP_REPLY_LINES_MAX);
	if (!take_code(&line, &code))
		return err_set(err, ERR_REMOTE, "line %u is no SMTP reply", p->lines + 1);
	if (p->lines > 0 && code / 100 != r->code / 100)
		return err_set(err, ERR_REMOTE,
			       "reply that contradicts itself: %d, then %d", r->code,
			       code);

	if (p->lines == 0) {
		r->status = (struct mail_status){ 0, 0, 0 };
		r->local = false;
		r->text[0] = '\0';
		p->text_len = 0;
	}
	p->lines++;
	r->code = code;
	bool more = span_take_char(&line, '-');
	if (!more && line.len > 0 && !span_take_char(&line, ' '))
		return err_set(err, ERR_REMOTE, "line %u is no SMTP reply", p->lines);
	take_status(r, &line);
	add_text(p, line);
	return !more;
}

int smtp_reply_feed(struct smtp_reply_parser *p, struct span *in, struct smtp_reply *ret,
		    struct err *err) {
	for (;;) {
		size_t at = span_find(*in, '\n');
		if (at > SMTP_REPLY_LINE_MAX)
			return err_set(err, ERR_LIMIT, "reply line longer than %d bytes",
				       SMTP_REPLY_LINE_MAX);
		if (at == in->len)
			return 0;
		struct span line = span_head(*in, at);
		if (at > 0 && line.p[at - 1] == '\r')
			line.len--;
		*in = span_from(*in, at + 1);
		int r = take_line(p, line, err);
		if (r == 0)
			continue;
		if (r > 0) {
			*ret = p->reply;
			p->lines = 0;
		}
		return r;
	}
}

struct smtp_reply smtp_reply_local(int code, unsigned subject, unsigned detail,
				   const char *fmt, ...) {
	struct smtp_reply r = {
		.code = code,
		.status = { (unsigned)code / 100, subject, detail },
		.local = true,
	};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(r.text, sizeof r.text, fmt, ap);
	va_end(ap);
	return r;
}

int smtp_reply_add(struct buf *out, const struct smtp_reply *r) {
	if (r->local)
		return buf_adds(out, r->text);
	buf_addf(out, "%d", r->code);
	if (r->status.klass != 0) {
		buf_addc(out, ' ');
		mail_status_add(out, r->status);
	}
	if (r->text[0])
		buf_addf(out, " %s", r->text);
	return buf_failed(out) ? -1 : 0;
}

struct mail_status smtp_reply_status(const struct smtp_reply *r) {
	if (r->status.klass != 0)
		return r->status;
	return (struct mail_status){ (unsigned)r->code / 100, 0, 0 };
}
