/*
 * One session with the relay by the client machine that delivers mail, without a message. A
 * password is shown to a server whose certificate was verified, or not at all, as in delivery.
 */

#include "cli/setup_probe.h"

#include <errno.h>
#include <poll.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/term.h"
#include "creds/creds.h"
#include "net/conn.h"
#include "route/target.h"
#include "smtp/auth.h"
#include "smtp/client.h"

#define CONNECT_MS 30000
#define REPLY_MS 60000
#define READ_SIZE 4096

struct probe {
	const struct config_relay *relay;
	struct span password;
	struct buf *report;
	struct tls_client *trust;
	const char *host;
	struct conn *conn;
	struct smtp_auth *auth;
	struct smtp_client *client;
	bool ready, tls_failed, in_clear;
};

static const char *choose(void *ctx, const char *offered, bool tls, struct err *err) {
	struct probe *p = ctx;
	const struct tls_info *info = conn_tls_info(p->conn);
	return smtp_auth_client_ops.choose(p->auth, offered,
					   tls && info && info->verified, err);
}

static int step(void *ctx, struct span challenge, struct buf *response, bool *ret_has,
		struct err *err) {
	struct probe *p = ctx;
	return smtp_auth_client_ops.step(p->auth, challenge, response, ret_has, err);
}

static int finish(void *ctx, struct err *err) {
	struct probe *p = ctx;
	return smtp_auth_client_ops.finish(p->auth, err);
}

static int binding(void *ctx, enum smtp_auth_binding kind, struct buf *out) {
	return conn_tls_binding(ctx, kind == SMTP_AUTH_TLS_EXPORTER, out);
}

static const struct smtp_auth_ops auth_ops = { choose, step, finish };

static int connect_to(struct probe *p, struct err *err) {
	struct net_addrs addrs;
	struct net_addr peer;
	if (net_lookup(p->host, p->relay->port, &addrs, err) != 0)
		return -1;
	p->conn = conn_open_from(&addrs, p->relay->source, CONNECT_MS, &peer, err);
	if (!p->conn)
		return err_prefix(err, "%s, port %u", p->host, p->relay->port);
	buf_addf(p->report, "connected to %s, port %u, at ", p->host, p->relay->port);
	net_addr_add(p->report, &peer);
	buf_addc(p->report, '\n');
	return 0;
}

static int secure(struct probe *p, struct err *err) {
	const struct tls_policy policy = {
		.host = p->host,
		.verify = p->relay->tls != CONFIG_TLS_OPPORTUNISTIC,
	};
	if (!p->trust)
		p->trust = tls_client_new(p->relay->ca, err);
	if (!p->trust ||
	    conn_start_tls(p->conn, p->trust, &policy, CONNECT_MS, err) != 0) {
		p->tls_failed = true;
		return err_prefix(err, "%s, TLS", p->host);
	}
	const struct tls_info *info = conn_tls_info(p->conn);
	buf_addf(p->report, "encrypted by %s, ", info->version);
	if (info->verified) {
		buf_adds(p->report, "certificate verified\n");
		return 0;
	}
	buf_adds(p->report, "certificate not verified: ");
	term_safe(p->report, span_str(info->why_not));
	buf_addc(p->report, '\n');
	return 0;
}

static enum smtp_starttls starttls_of(enum config_tls tls, bool in_clear) {
	switch (tls) {
	case CONFIG_TLS_STARTTLS:
	case CONFIG_TLS_DANE:
		return SMTP_STARTTLS_REQUIRED;
	case CONFIG_TLS_OPPORTUNISTIC:
		return in_clear ? SMTP_STARTTLS_NEVER : SMTP_STARTTLS_IF_OFFERED;
	case CONFIG_TLS_IMPLICIT:
	case CONFIG_TLS_NONE:
		break;
	}
	return SMTP_STARTTLS_NEVER;
}

static int begin(struct probe *p, const char *helo, struct err *err) {
	const struct smtp_client_params params = {
		.helo = helo,
		.starttls = starttls_of(p->relay->tls, p->in_clear),
		.tls = p->relay->tls == CONFIG_TLS_IMPLICIT,
		.auth = p->relay->login ? &auth_ops : NULL,
		.auth_ctx = p,
	};
	if (params.tls && secure(p, err) != 0)
		return -1;
	if (p->relay->login) {
		p->auth = smtp_auth_new(
			&(struct smtp_auth_options){
				.login = p->relay->login,
				.secret = p->password,
				.token = p->relay->password &&
					 creds_is_token(span_str(p->relay->password)),
				.only = p->relay->auth,
				.host = p->host,
				.port = p->relay->port,
				.binding = binding,
				.binding_ctx = p->conn,
			},
			err);
		if (!p->auth)
			return -1;
	}
	p->client = smtp_client_new(&params);
	return p->client ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static void on_ready(struct probe *p) {
	const char *mechanism = smtp_client_auth_mechanism(p->client);
	p->ready = true;
	if (mechanism) {
		buf_adds(p->report, "logged in as ");
		term_safe(p->report, span_str(p->relay->login));
		buf_addf(p->report, " by %s\n", mechanism);
	} else {
		buf_adds(p->report,
			 "it lets us in without a login; whether it takes mail "
			 "from here only a mail can show\n");
	}
	smtp_client_quit(p->client);
}

/* 1: the session is over; 0: it goes on; -1: it failed. */
static int take_events(struct probe *p, struct err *err) {
	AUTO_BUF struct buf words = BUF_INIT(SMTP_REPLY_TEXT_MAX + 64);
	struct smtp_client_note note;
	for (;;) {
		switch (smtp_client_next(p->client, &note)) {
		case SMTP_CLIENT_NONE:
			return 0;
		case SMTP_CLIENT_WANT_TLS:
			if (secure(p, err) != 0)
				return -1;
			smtp_client_tls_done(p->client);
			break;
		case SMTP_CLIENT_READY:
			on_ready(p);
			break;
		case SMTP_CLIENT_CLOSED:
			if (p->ready)
				return 1;
			smtp_reply_add(&words, &note.reply);
			return err_set(err, ERR_REMOTE, "%s, %s: %s", p->host,
				       smtp_stage_name(note.stage), buf_str(&words));
		case SMTP_CLIENT_RECIPIENT:
		case SMTP_CLIENT_WANT_CONTENT:
		case SMTP_CLIENT_DONE:
		case SMTP_CLIENT_LOST:
			break;
		}
	}
}

static void write_out(struct probe *p) {
	struct err err = ERR_INIT;
	for (;;) {
		struct span out = smtp_client_output(p->client);
		ssize_t n = out.len ? conn_write(p->conn, out, &err) : 0;
		if (n < 0)
			smtp_client_eof(p->client, err.msg);
		if (n <= 0)
			return;
		smtp_client_sent(p->client, (size_t)n);
	}
}

static void read_in(struct probe *p) {
	char bytes[READ_SIZE];
	struct err err = ERR_INIT;
	ssize_t n = conn_read(p->conn, bytes, sizeof(bytes), &err);
	if (n < 0)
		smtp_client_eof(p->client, err.msg);
	else if (n > 0 && smtp_client_input(p->client, span_of(bytes, (size_t)n)) != 0)
		smtp_client_eof(p->client, "out of memory");
}

/* Until there is something to read or the time is over; the machine is then told of that. */
static void wait_for_server(struct probe *p, int64_t deadline_ms) {
	int64_t left = deadline_ms - clock_boot_ms();
	struct pollfd fd = {
		.fd = conn_fd(p->conn),
		.events = (short)(POLLIN | conn_wants(p->conn)),
	};
	if (smtp_client_output(p->client).len)
		fd.events |= POLLOUT;
	if (conn_pending(p->conn))
		return;
	if (left <= 0)
		smtp_client_eof(p->client, "no answer within 60 s");
	else if (poll(&fd, 1, (int)left) < 0 && errno != EINTR)
		smtp_client_eof(p->client, "cannot wait for the connection");
}

static int hold_session(struct probe *p, struct err *err) {
	int64_t deadline_ms = clock_boot_ms() + REPLY_MS;
	int r;
	while ((r = take_events(p, err)) == 0) {
		write_out(p);
		wait_for_server(p, deadline_ms);
		read_in(p);
	}
	return r < 0 ? -1 : 0;
}

static int try_host(struct probe *p, const char *helo, struct err *err) {
	p->ready = p->tls_failed = false;
	int r = connect_to(p, err);
	if (r == 0)
		r = begin(p, helo, err);
	if (r == 0)
		r = hold_session(p, err);
	smtp_client_free(p->client);
	smtp_auth_free(p->auth);
	conn_free(p->conn);
	p->client = NULL;
	p->auth = NULL;
	p->conn = NULL;
	return r;
}

int setup_probe(const struct config_relay *relay, const char *helo, struct span password,
		struct buf *report, struct err *err) {
	struct probe p = { .relay = relay, .password = password, .report = report };
	struct target hosts;
	int r = -1;
	if (config_way(relay, NULL) != CONFIG_WAY_HOSTS) {
		buf_adds(report, "not tried: ");
		term_safe(report, span_str(relay->host[0]));
		buf_adds(report, " names no server; 'nightmail explain' tells where mail goes\n");
		return 0;
	}
	target_list(relay->host, relay->host_count, 0, &hosts);
	for (size_t i = 0; i < hosts.count && r != 0; i++) {
		p.host = hosts.host[i].name;
		p.in_clear = false;
		r = try_host(&p, helo, err);
		if (r != 0 && p.tls_failed && relay->tls == CONFIG_TLS_OPPORTUNISTIC) {
			p.in_clear = true; /* TLS that does not work is as good as none */
			r = try_host(&p, helo, err);
		}
	}
	tls_client_free(p.trust);
	return r;
}
