/* Bytes, time and the transcript of a probe. Nothing here knows SMTP but the end of a line and what a
 * secret looks like. */

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "check/probe_state.h"

/* "AUTH PLAIN xyz" keeps its mechanism; what answers a challenge is all secret. */
static struct span without_secret(struct probe *p, struct span line, struct buf *room) {
	struct span rest = line, word;
	if (!p->in_auth)
		return line;
	if (span_take_word(&rest, &word) && span_eq_nocase(word, SPAN("AUTH")) &&
	    span_take_word(&rest, &word)) {
		buf_addf(room, "AUTH %.*s%s", (int)word.len, word.p,
			 span_trim(rest).len > 0 ? " ****" : "");
		return buf_span(room);
	}
	return span_eq(line, SPAN("*")) ? line : SPAN("****");
}

void probe_said(struct probe *p, char direction, struct span bytes) {
	struct buf *part = direction == '>' ? &p->line_out : &p->line_in;
	bool tls = conn_tls_info(p->conn) != NULL;
	if (!p->plan->said)
		return;
	while (bytes.len > 0) {
		size_t end = span_find(bytes, '\n');
		AUTO_BUF struct buf room = BUF_INIT(256);
		buf_add(part, span_head(bytes, end));
		if (end == bytes.len)
			return;
		bytes = span_from(bytes, end + 1);
		struct span line = buf_span(part);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		p->plan->said(p->plan->ctx, direction, tls,
			      direction == '>' ? without_secret(p, line, &room) : line);
		buf_reset(part);
	}
}

void probe_say(struct probe *p, const char *fmt, ...) {
	char text[PROBE_WORDS_MAX];
	va_list ap;
	if (!p->plan->said)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->plan->said(p->plan->ctx, '=', false, span_str(text));
}

bool probe_wait(struct probe *p, short events, int64_t deadline_ms) {
	struct pollfd fd = { .fd = conn_fd(p->conn), .events = events };
	int64_t left = deadline_ms - clock_boot_ms();
	return poll(&fd, 1, left < 0 ? 0 : left > 600000 ? 600000 : (int)left) > 0;
}

bool probe_write(struct probe *p, struct span bytes) {
	int64_t deadline = clock_boot_ms() + p->plan->timeout_ms;
	probe_said(p, '>', bytes);
	while (bytes.len > 0) {
		ssize_t n = conn_write(p->conn, bytes, NULL);
		if (n < 0)
			return false;
		bytes = span_from(bytes, (size_t)n);
		if (bytes.len > 0 && n == 0 &&
		    !probe_wait(p, conn_wants(p->conn), deadline))
			return false;
	}
	return true;
}

ssize_t probe_read(struct probe *p, char *to, size_t size, struct err *err) {
	int64_t deadline = clock_boot_ms() + p->plan->timeout_ms;
	for (;;) {
		ssize_t n = conn_read(p->conn, to, size, err);
		if (n > 0)
			probe_said(p, '<', span_of(to, (size_t)n));
		if (n != 0)
			return n;
		if (!probe_wait(p, conn_wants(p->conn), deadline))
			return 0;
	}
}

bool probe_reply(struct probe *p, struct smtp_reply *ret) {
	struct err err = ERR_INIT;
	char bytes[4096];
	p->parser = (struct smtp_reply_parser){ .lines = 0 };
	for (;;) {
		struct span rest = buf_span(&p->in);
		int r = smtp_reply_feed(&p->parser, &rest, ret, &err);
		if (r < 0)
			*ret = smtp_reply_local(451, 5, 5, "%s", err.msg);
		buf_consume(&p->in, p->in.len - rest.len);
		if (r != 0)
			return r > 0;
		ssize_t n = probe_read(p, bytes, sizeof(bytes), &err);
		if (n <= 0)
			*ret = smtp_reply_local(451, 4, 2, "%s",
						n < 0 ? err.msg : "no answer in time");
		if (n <= 0 || buf_addm(&p->in, bytes, (size_t)n) != 0)
			return false;
	}
}

bool probe_command(struct probe *p, struct span line, struct smtp_reply *ret) {
	AUTO_BUF struct buf out = BUF_INIT(4096);
	buf_add(&out, line);
	if (buf_adds(&out, "\r\n") == 0 && probe_write(p, buf_span(&out)))
		return probe_reply(p, ret);
	*ret = smtp_reply_local(451, 4, 2, "the connection was lost");
	return false;
}

void probe_phase_done(struct probe *p, enum probe_phase phase) {
	int64_t now = clock_boot_ms();
	p->r->ms[phase] = now - p->phase_ms;
	p->phase_ms = now;
}
