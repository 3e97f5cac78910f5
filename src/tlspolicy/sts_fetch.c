/* A GET over TLS. Blocks: it is one file of one server, for a tool that waits for it. */

#include "tlspolicy/sts_fetch.h"

#include <poll.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/term.h"
#include "tlspolicy/http_reply.h"
#include "net/conn.h"
#include "tlspolicy/sts_record.h"

#define HEAD_MAX 65536
#define ANSWER_MAX (HEAD_MAX + 4 * STS_POLICY_MAX) /* chunks may be small */
#define READ_SIZE 16384

struct fetch {
	struct conn *conn;
	int64_t until_ms;
};

static int64_t left_ms(const struct fetch *f) {
	int64_t left = f->until_ms - clock_boot_ms();
	return left > 0 ? left : 0;
}

static int wait_for(struct fetch *f, short events, struct err *err) {
	struct pollfd p = { .fd = conn_fd(f->conn),
			    .events = (short)(events | conn_wants(f->conn)) };
	int64_t left = left_ms(f);
	if (left == 0 || poll(&p, 1, (int)left) == 0)
		return err_set(err, ERR_TIMEOUT, "no answer in time");
	return 0;
}

static int write_all(struct fetch *f, struct span data, struct err *err) {
	while (data.len > 0) {
		ssize_t n = conn_write(f->conn, data, err);
		if (n < 0)
			return -1;
		data = span_from(data, (size_t)n);
		if (n == 0 && wait_for(f, POLLOUT, err) != 0)
			return -1;
	}
	return 0;
}

/* Reads to the end of the answer, or of the connection. */
static int read_answer(struct fetch *f, struct buf *answer, struct err *err) {
	while (!http_reply_is_whole(buf_span(answer))) {
		char *room = buf_room(answer, READ_SIZE);
		struct err end = ERR_INIT;
		if (!room)
			return err_set(err, ERR_LIMIT,
				       "the answer is longer than 64 KiB");
		ssize_t n = conn_read(f->conn, room, READ_SIZE, &end);
		if (n < 0 && answer->len > 0)
			return 0;
		if (n < 0)
			return err_set(err, end.kind, "%s", end.msg);
		if (n > 0)
			buf_grew(answer, (size_t)n);
		else if (!conn_pending(f->conn) && wait_for(f, POLLIN, err) != 0)
			return -1;
	}
	return 0;
}

static bool is_text_plain(struct span type) {
	struct span rest = type;
	if (!span_take_lit_nocase(&rest, SPAN("text/plain")))
		return false;
	return rest.len == 0 || strchr("; \t", rest.p[0]);
}

static int judge(struct span answer, struct buf *out, struct err *err) {
	AUTO_BUF struct buf shown = BUF_INIT(1024);
	struct http_reply reply;
	if (http_reply_parse(answer, &reply, out, err) != 0)
		return -1;
	term_safe(&shown,
		  span_head(reply.status / 100 == 3 ? reply.location : reply.type, 200));
	if (reply.status / 100 == 3)
		return err_set(err, ERR_REMOTE,
			       "a redirect (%u) to %s, which may not be followed",
			       reply.status, buf_str(&shown));
	if (reply.status != 200)
		return err_set(err, ERR_REMOTE, "status %u instead of 200", reply.status);
	if (!is_text_plain(reply.type))
		return err_set(err, ERR_REMOTE, "the type is %s instead of text/plain",
			       reply.type.p ? buf_str(&shown) : "missing");
	return 0;
}

static int ask(struct fetch *f, const char *host, struct buf *out, struct err *err) {
	AUTO_BUF struct buf request = BUF_INIT(2048), answer = BUF_INIT(ANSWER_MAX);
	buf_addf(
		&request,
		"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: %s\r\nAccept: text/plain\r\n"
		"User-Agent: nightmail/%s\r\nConnection: close\r\n\r\n",
		host, VERSION);
	if (write_all(f, buf_span(&request), err) != 0 ||
	    read_answer(f, &answer, err) != 0)
		return -1;
	return judge(buf_span(&answer), out, err);
}

int sts_fetch(const struct sts_fetch *s, struct buf *out, struct err *err) {
	struct fetch f = { .until_ms = clock_boot_ms() + s->timeout_ms };
	struct net_addr peer;
	struct span leaf;
	char host[300];
	snprintf(host, sizeof(host), "mta-sts.%s", s->domain);
	struct tls_policy policy = { .host = host, .verify = true };
	struct tls_client *own = s->trust ? NULL : tls_client_new(s->ca_file, err);
	const struct tls_client *tls = s->trust ? s->trust : own;
	int r = -1;
	if (tls)
		f.conn = conn_open(s->addrs, NULL, s->timeout_ms, &peer, err);
	if (f.conn && conn_start_tls(f.conn, tls, &policy, left_ms(&f), err) == 0) {
		if (s->ret_not_after_s)
			*s->ret_not_after_s = conn_tls_info(f.conn)->not_after_s;
		if (s->ret_cert && conn_tls_chain(f.conn, &leaf, 1) == 1)
			tls_cert_read(leaf, s->ret_cert);
		r = ask(&f, host, out, err);
	}
	conn_free(f.conn);
	tls_client_free(own);
	return r == 0 ? 0 : err_prefix(err, "https://%s/.well-known/mta-sts.txt", host);
}
