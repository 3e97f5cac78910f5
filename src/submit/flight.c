/*
 * See flight.h. A new connection is greeted before anything is read of it, so that one which
 * ends without a greeting took nothing. Whoever does not accept the EHLO took nothing either.
 */

#include "submit/flight.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "smtp/command.h"

#define READ_BYTES 4096 /* replies are short */
#define LEFT_MAX 65536u
#define OUT_MAX (16u << 20)

struct flying {
	const struct flight *f;
	struct buf out, in;
	size_t sent, seen, opening; /* replies seen; of them to the connection as such */
	struct smtp_reply_parser parser;
	struct smtp_reply first_refusal, last;
	bool over; /* nothing more comes */
};

static void add_envelope(struct flying *s) {
	static const struct smtp_extensions ours = {
		.size = true, .eightbitmime = true, .smtputf8 = true, .dsn = true
	};
	const struct smtp_transaction *t = s->f->t;
	if (s->f->helo)
		buf_addf(&s->out, "EHLO %s\r\n", s->f->helo);
	smtp_mail_add(&s->out, t, &ours);
	buf_adds(&s->out, "\r\n");
	for (size_t i = 0; i < t->to_count; i++) {
		smtp_rcpt_add(&s->out, &t->to[i], &ours);
		buf_adds(&s->out, "\r\n");
	}
}

static void add_content(struct flying *s) {
	buf_addf(&s->out, "BDAT %zu LAST\r\n", s->f->content.len);
	buf_add(&s->out, s->f->content);
}

static void note_reply(struct flying *s, const struct smtp_reply *r) {
	s->last = *r;
	s->seen++;
	if (r->code >= 300 && s->first_refusal.code == 0)
		s->first_refusal = *r;
	if (s->first_refusal.code != 0 && (s->seen <= s->opening || r->code == 421))
		s->over = true;
}

/* A server that left says so by the end of its replies: those are read first. */
static int send_some(struct flying *s) {
	struct span left = span_from(buf_span(&s->out), s->sent);
	ssize_t n = send(s->f->fd, left.p, left.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0)
		s->sent += (size_t)n;
	else if (errno == EPIPE || errno == ECONNRESET)
		s->sent = s->out.len;
	else if (errno != EAGAIN && errno != EINTR)
		return -1;
	return 0;
}

static int take_replies(struct flying *s, struct err *err) {
	struct span in = buf_span(&s->in);
	struct smtp_reply r;
	int got = 0;
	while (!s->over && (got = smtp_reply_feed(&s->parser, &in, &r, err)) > 0)
		note_reply(s, &r);
	buf_consume(&s->in, s->in.len - in.len);
	return got < 0 ? -1 : 0;
}

static int receive_some(struct flying *s, struct err *err) {
	char bytes[READ_BYTES];
	ssize_t n = recv(s->f->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && errno != ECONNRESET)
		return err_sys(err, "%s: the connection broke", s->f->path);
	if (n <= 0)
		s->over = true;
	else if (buf_addm(&s->in, bytes, (size_t)n) != 0)
		return err_set(err, ERR_REMOTE, "%s: replies without an end", s->f->path);
	return take_replies(s, err);
}

/* Until there are so many replies, or nothing more comes. */
static int await(struct flying *s, size_t replies, struct err *err) {
	while (!s->over && s->seen < replies) {
		bool sending = s->sent < s->out.len;
		if (sending && send_some(s) != 0)
			return err_sys(err, "%s: the connection broke", s->f->path);
		sending = s->sent < s->out.len;
		struct pollfd p = { .fd = s->f->fd, .events = POLLIN };
		if (sending)
			p.events |= POLLOUT;
		int n = poll(&p, 1, s->f->timeout_ms);
		if (n == 0)
			errno = ETIMEDOUT;
		if (n == 0 || (n < 0 && errno != EINTR))
			return err_sys(err, "%s: no answer", s->f->path);
		if (n > 0 && (p.revents & ~POLLOUT) && receive_some(s, err) != 0)
			return -1;
	}
	return 0;
}

static enum flight_end judge(struct flying *s, size_t replies, struct smtp_reply *ret,
			     struct err *err) {
	bool untaken = s->opening > 0 && s->seen <= s->opening;
	if (s->first_refusal.code != 0) {
		*ret = s->first_refusal;
		return untaken && ret->code == 421 ? FLIGHT_NOT_TAKEN : FLIGHT_REFUSED;
	}
	if (s->opening > 0 && s->seen == 0) {
		*ret = smtp_reply_local(421, 4, 2, "the daemon closed the connection");
		return FLIGHT_NOT_TAKEN;
	}
	if (s->seen == replies) {
		*ret = s->last;
		return FLIGHT_QUEUED;
	}
	err_set(err, ERR_REMOTE, "%s: the daemon closed the connection", s->f->path);
	return FLIGHT_BROKEN;
}

static enum flight_end run(struct flying *s, struct smtp_reply *ret, struct err *err) {
	bool at_once = s->f->t->to_count == 1;
	size_t envelope = s->opening + 1 + s->f->t->to_count;
	add_envelope(s);
	if (at_once)
		add_content(s);
	if (buf_failed(&s->out)) {
		err_set(err, ERR_MEMORY, "out of memory");
		return FLIGHT_BROKEN;
	}
	if (await(s, envelope + at_once, err) != 0)
		return FLIGHT_BROKEN;
	if (at_once || s->over || s->first_refusal.code != 0)
		return judge(s, envelope + 1, ret, err);
	add_content(s);
	if (buf_failed(&s->out)) {
		err_set(err, ERR_MEMORY, "out of memory");
		return FLIGHT_BROKEN;
	}
	return await(s, envelope + 1, err) != 0 ? FLIGHT_BROKEN
						: judge(s, envelope + 1, ret, err);
}

enum flight_end flight_run(const struct flight *f, struct smtp_reply *ret,
			   struct err *err) {
	struct flying s = { .f = f, .opening = f->helo ? 2 : 0 };
	if (smtp_transaction_check(f->t, err) != 0)
		return FLIGHT_BROKEN;
	buf_init(&s.out, OUT_MAX);
	buf_init(&s.in, LEFT_MAX);
	enum flight_end end = run(&s, ret, err);
	buf_release(&s.out);
	buf_release(&s.in);
	return end;
}
