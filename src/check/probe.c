/*
 * A session, driven one reply at a time: what the machine would do next is written only when the
 * plan goes that far. Up to the login the machine leads; MAIL and RCPT are ours unless a message
 * is to be sent, since the machine would say DATA in the same breath.
 */
#include "check/probe.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "check/probe_state.h"

#define IN_MAX 262144
#define LINE_MAX_SHOWN 8192
#define READ_SIZE 4096

const char *probe_phase_name(enum probe_phase p) {
	static const char *const name[] = {
		[PROBE_CONNECT] = "connect",     [PROBE_BANNER] = "banner",
		[PROBE_EHLO] = "ehlo",           [PROBE_STARTTLS] = "starttls",
		[PROBE_HANDSHAKE] = "handshake", [PROBE_EHLO2] = "ehlo2",
		[PROBE_AUTH] = "auth",           [PROBE_MAIL] = "mail",
		[PROBE_RCPT] = "rcpt",           [PROBE_DATA] = "data",
		[PROBE_QUIT] = "quit",           [PROBE_TOTAL] = "total",
	};
	return name[p];
}

static void fail(struct probe *p, enum smtp_stage stage, const struct smtp_reply *reply) {
	if (p->r->failed)
		return;
	p->r->failed = true;
	p->r->stage = stage;
	p->r->reply = *reply;
}

/* --- TLS --- */

static void take_chain(struct probe *p) {
	struct span der[PROBE_CERTS_MAX];
	size_t n = conn_tls_chain(p->conn, der, PROBE_CERTS_MAX);
	for (size_t i = 0; i < n; i++)
		p->r->certs += tls_cert_read(der[i], &p->r->cert[p->r->certs]);
}

static void check_dane(struct probe *p) {
	AUTO_BUF struct buf why = BUF_INIT(PROBE_WORDS_MAX);
	if (!p->plan->dane)
		return;
	p->r->dane_matched = conn_tls_check(p->conn, p->plan->dane, p->r->dane_method,
					    &why);
	snprintf(p->r->dane_words, sizeof(p->r->dane_words), "%s", buf_str(&why));
}

static bool secure(struct probe *p) {
	struct err err = ERR_INIT;
	if (conn_start_tls(p->conn, p->plan->trust, &p->plan->policy, p->plan->timeout_ms,
			   &err) != 0) {
		struct smtp_reply why = smtp_reply_local(454, 7, 0, "%s", err.msg);
		snprintf(p->r->tls_error, sizeof(p->r->tls_error), "%s", err.msg);
		fail(p, SMTP_STAGE_TLS, &why);
		p->over = true;
		return false;
	}
	p->r->tls_done = true;
	p->r->tls = *conn_tls_info(p->conn);
	take_chain(p);
	check_dane(p);
	probe_phase_done(p, PROBE_HANDSHAKE);
	probe_say(p, "%s, %s, %s%s", p->r->tls.version, p->r->tls.cipher,
		  p->r->tls.verified ? "certificate verified"
				     : "certificate not trusted: it ",
		  p->r->tls.why_not);
	return true;
}

/* --- what a reply means here --- */

static void take_ehlo_lines(struct probe_ehlo *e, struct span lines) {
	struct span line;
	while (span_take_line(&lines, &line)) {
		size_t have = strlen(e->lines);
		line = span_from(line, line.len < 4 ? line.len : 4);
		if (have + line.len + 2 < sizeof(e->lines))
			snprintf(e->lines + have, sizeof(e->lines) - have, "%.*s\n",
				 (int)line.len, line.p);
	}
}

static void note_phase(struct probe *p, enum smtp_stage stage,
		       const struct smtp_reply *reply) {
	bool tls = conn_tls_info(p->conn) != NULL;
	if (stage == SMTP_STAGE_GREETING)
		probe_phase_done(p, PROBE_BANNER);
	else if (stage == SMTP_STAGE_EHLO)
		probe_phase_done(p, tls ? PROBE_EHLO2 : PROBE_EHLO);
	else if (stage == SMTP_STAGE_TLS)
		probe_phase_done(p, PROBE_STARTTLS);
	else if (stage == SMTP_STAGE_AUTH && reply->code != 334)
		probe_phase_done(p, PROBE_AUTH);
	else if (stage == SMTP_STAGE_CONTENT)
		probe_phase_done(p, PROBE_DATA);
}

static void note_reply(struct probe *p, enum smtp_stage stage,
		       const struct smtp_reply *reply) {
	if (stage == SMTP_STAGE_GREETING) {
		p->r->banner = *reply;
	} else if (stage == SMTP_STAGE_EHLO) {
		struct probe_ehlo *e = conn_tls_info(p->conn) ? &p->r->after
							      : &p->r->before;
		e->seen = reply->code / 100 == 2;
		e->ext = *smtp_client_extensions(p->client);
		p->r->helo_only = e->seen && !e->ext.esmtp;
	} else if (stage == SMTP_STAGE_CONTENT) {
		p->r->data = *reply;
	}
}

static void give_content(struct probe *p) {
	struct span rest = span_from(p->plan->content, p->content_given);
	p->content_given += rest.len;
	smtp_client_content(p->client, rest, true);
}

static void take_done(struct probe *p, const struct smtp_client_note *note) {
	if (note->stage == SMTP_STAGE_MAIL)
		p->r->mail = note->reply;
	if (note->reply.code / 100 != 2)
		fail(p, note->stage, &note->reply);
	smtp_client_quit(p->client);
}

static void drain_events(struct probe *p) {
	struct smtp_client_note note;
	enum smtp_client_event ev;
	while (!p->over &&
	       (ev = smtp_client_next(p->client, &note)) != SMTP_CLIENT_NONE) {
		switch (ev) {
		case SMTP_CLIENT_WANT_TLS:
			if (secure(p) && p->plan->stop != PROBE_STOP_TLS)
				smtp_client_tls_done(p->client);
			break;
		case SMTP_CLIENT_READY:
			p->ready = true;
			return;
		case SMTP_CLIENT_RECIPIENT:
			if (note.recipient < PROBE_RECIPIENTS_MAX)
				p->r->rcpt[note.recipient] = note.reply;
			break;
		case SMTP_CLIENT_WANT_CONTENT:
			give_content(p);
			break;
		case SMTP_CLIENT_DONE:
			take_done(p, &note);
			break;
		case SMTP_CLIENT_LOST:
			break;
		case SMTP_CLIENT_CLOSED:
			if (note.stage != SMTP_STAGE_QUIT)
				fail(p, note.stage, &note.reply);
			p->over = true;
			break;
		case SMTP_CLIENT_NONE:
			break;
		}
	}
}

/* Gives the machine what was read, one reply at a time. */
static void feed(struct probe *p) {
	while (p->in.len > 0 && !p->over && !p->ready) {
		struct smtp_reply reply;
		struct err err = ERR_INIT;
		struct span rest = buf_span(&p->in);
		enum smtp_stage stage = smtp_client_stage(p->client);
		int r = smtp_reply_feed(&p->parser, &rest, &reply, &err);
		struct span lines = r < 0 ? buf_span(&p->in)
					  : span_head(buf_span(&p->in),
						      p->in.len - rest.len);
		if (r == 0 && lines.len == 0)
			return;
		if (stage == SMTP_STAGE_EHLO)
			take_ehlo_lines(conn_tls_info(p->conn) ? &p->r->after
							       : &p->r->before,
					lines);
		if (stage == SMTP_STAGE_GREETING)
			for (size_t i = 0; i < lines.len; i++)
				p->r->banner_lines += lines.p[i] == '\n';
		if (r == 1)
			note_phase(p, stage, &reply);
		if (smtp_client_input(p->client, lines) != 0)
			p->over = true;
		buf_consume(&p->in, lines.len);
		drain_events(p);
		if (r == 1)
			note_reply(p, stage, &reply);
	}
}

/* True when the plan goes no further than what was answered now. */
static bool is_at_stop(const struct probe *p) {
	enum probe_stop stop = p->plan->stop;
	return (stop == PROBE_STOP_BANNER && p->r->banner.code != 0) ||
	       (stop == PROBE_STOP_FIRST_EHLO &&
		(p->r->before.seen || p->r->after.seen)) ||
	       (stop == PROBE_STOP_TLS && p->r->tls_done) ||
	       (stop == PROBE_STOP_EHLO &&
		(p->r->after.seen || (p->ready && p->r->before.seen)));
}

/* One round of the machine: writes, reads, feeds. */
static void turn(struct probe *p) {
	char bytes[READ_SIZE];
	struct err err = ERR_INIT;
	struct span out = smtp_client_output(p->client);
	p->in_auth = smtp_client_stage(p->client) == SMTP_STAGE_AUTH;
	if (out.len > 0) {
		if (!probe_write(p, out))
			smtp_client_eof(p->client, "the connection was lost");
		else
			smtp_client_sent(p->client, out.len);
		drain_events(p);
		if (p->over || p->ready)
			return;
	}
	ssize_t n = probe_read(p, bytes, sizeof(bytes), &err);
	if (n > 0)
		buf_addm(&p->in, bytes, (size_t)n);
	else if (n < 0)
		smtp_client_eof(p->client, err.msg);
	else
		smtp_client_timeout(p->client, "no answer in time");
	if (n > 0)
		feed(p);
	else
		drain_events(p);
}

static void say_quit(struct probe *p) {
	struct smtp_reply reply;
	p->in_auth = false;
	p->phase_ms = clock_boot_ms();
	p->r->rude = !probe_command(p, SPAN("QUIT"), &reply);
	if (!p->r->rude)
		probe_phase_done(p, PROBE_QUIT);
}

/* --- MAIL and RCPT without a message --- */

static void add_path(struct buf *out, const char *verb, const char *address) {
	buf_addf(out, "%s:<%s>", verb, address);
}

static void ask_envelope(struct probe *p) {
	AUTO_BUF struct buf line = BUF_INIT(2048);
	struct smtp_reply reply;
	p->in_auth = false;
	p->phase_ms = clock_boot_ms();
	add_path(&line, "MAIL FROM", p->plan->from);
	bool there = probe_command(p, buf_span(&line), &p->r->mail);
	probe_phase_done(p, PROBE_MAIL);
	if (p->r->mail.code / 100 != 2)
		fail(p, SMTP_STAGE_MAIL, &p->r->mail);
	for (size_t i = 0; i < p->plan->to_count && there && !p->r->failed &&
			   p->plan->stop > PROBE_STOP_MAIL;
	     i++) {
		buf_reset(&line);
		add_path(&line, "RCPT TO", p->plan->to[i]);
		there = probe_command(p, buf_span(&line), &p->r->rcpt[i]);
		probe_phase_done(p, PROBE_RCPT);
		if (!there)
			fail(p, SMTP_STAGE_RCPT, &p->r->rcpt[i]);
	}
	if (there && probe_command(p, SPAN("RSET"), &reply))
		say_quit(p);
	p->over = true;
}

/* A whole message: the machine goes on. */
static void send_message(struct probe *p) {
	struct smtp_recipient to[PROBE_RECIPIENTS_MAX] = { { .address = SPAN("") } };
	struct err err = ERR_INIT;
	for (size_t i = 0; i < p->plan->to_count; i++)
		to[i].address = span_str(p->plan->to[i]);
	const struct smtp_transaction t = { .from = span_str(p->plan->from),
					    .to = to,
					    .to_count = p->plan->to_count,
					    .size = p->plan->content.len };
	p->ready = false;
	if (smtp_client_begin(p->client, &t, &err) != 0) {
		struct smtp_reply why = smtp_reply_local(552, 3, 4, "%s", err.msg);
		fail(p, SMTP_STAGE_MAIL, &why);
		say_quit(p);
		return;
	}
	drain_events(p);
	while (!p->over)
		turn(p);
}

static void go_on(struct probe *p) {
	bool transaction = p->plan->from && p->plan->stop >= PROBE_STOP_MAIL;
	if (!transaction)
		say_quit(p);
	else if (p->plan->content.p && p->plan->stop == PROBE_STOP_NEVER)
		send_message(p);
	else
		ask_envelope(p);
}

/* --- beginning and end --- */

static int binding(void *ctx, enum smtp_auth_binding kind, struct buf *out) {
	return conn_tls_binding(ctx, kind == SMTP_AUTH_TLS_EXPORTER, out);
}

static bool make_machine(struct probe *p) {
	const struct probe_plan *plan = p->plan;
	struct err err = ERR_INIT;
	bool log_in = plan->auth && plan->stop >= PROBE_STOP_AUTH;
	if (log_in) {
		struct smtp_auth_options o = *plan->auth;
		o.binding = binding;
		o.binding_ctx = p->conn;
		p->auth = smtp_auth_new(&o, &err);
		if (!p->auth) {
			struct smtp_reply why = smtp_reply_local(454, 7, 0, "%s",
								 err.msg);
			fail(p, SMTP_STAGE_AUTH, &why);
			return false;
		}
	}
	const struct smtp_client_params params = {
		.helo = plan->helo,
		.starttls = !plan->trust || plan->tls == PROBE_TLS_NONE ||
					    plan->tls == PROBE_TLS_IMPLICIT
				    ? SMTP_STARTTLS_NEVER
			    : plan->tls == PROBE_TLS_STARTTLS ? SMTP_STARTTLS_REQUIRED
							      : SMTP_STARTTLS_IF_OFFERED,
		.tls = plan->tls == PROBE_TLS_IMPLICIT,
		.lmtp = plan->lmtp,
		.auth = log_in ? &smtp_auth_client_ops : NULL,
		.auth_ctx = p->auth,
	};
	p->client = smtp_client_new(&params);
	return p->client != NULL;
}

static void take_mechanism(struct probe *p) {
	const char *mechanism = smtp_client_auth_mechanism(p->client);
	snprintf(p->r->mechanism, sizeof(p->r->mechanism), "%s",
		 mechanism ? mechanism : "");
}

static void hold(struct probe *p) {
	if (p->plan->stop == PROBE_STOP_CONNECT)
		return;
	if ((p->plan->tls == PROBE_TLS_IMPLICIT && !secure(p)) || !make_machine(p))
		return;
	while (!p->over && !p->ready && !is_at_stop(p))
		turn(p);
	take_mechanism(p);
	if (is_at_stop(p) && !p->over)
		say_quit(p);
	else if (p->ready)
		go_on(p);
}

static void begin(struct probe *p, const struct probe_plan *plan,
		  struct probe_result *ret) {
	*p = (struct probe){ .plan = plan, .r = ret };
	buf_init(&p->line_in, LINE_MAX_SHOWN);
	buf_init(&p->line_out, LINE_MAX_SHOWN);
	buf_init(&p->in, IN_MAX);
	p->begun_ms = p->phase_ms = clock_boot_ms();
	*ret = (struct probe_result){ .connected = false };
	for (size_t i = 0; i < PROBE_PHASES; i++)
		ret->ms[i] = -1;
}

static void end(struct probe *p) {
	p->r->ms[PROBE_TOTAL] = clock_boot_ms() - p->begun_ms;
	smtp_client_free(p->client);
	smtp_auth_free(p->auth);
	conn_free(p->conn);
	buf_release(&p->line_in);
	buf_release(&p->line_out);
	buf_release(&p->in);
}

static void run(struct probe *p) {
	p->r->connected = true;
	probe_phase_done(p, PROBE_CONNECT);
	hold(p);
}

void probe_run(const struct probe_plan *plan, const struct net_addrs *addrs,
	       struct probe_result *ret) {
	struct probe p;
	struct net_addr peer;
	struct err err = ERR_INIT;
	begin(&p, plan, ret);
	p.conn = conn_open(addrs, NULL, plan->timeout_ms, &peer, &err);
	if (p.conn) {
		run(&p);
	} else {
		ret->timed_out = err.kind == ERR_TIMEOUT;
		ret->failed = true;
		ret->stage = SMTP_STAGE_CONNECT;
		ret->reply = smtp_reply_local(451, 4, 1, "%s", err.msg);
		snprintf(ret->connect_error, sizeof(ret->connect_error), "%s", err.msg);
	}
	end(&p);
}

void probe_run_on(const struct probe_plan *plan, int fd, struct probe_result *ret) {
	struct probe p;
	struct err err = ERR_INIT;
	begin(&p, plan, ret);
	p.conn = conn_adopt(fd, &err);
	if (p.conn)
		run(&p);
	end(&p);
}
