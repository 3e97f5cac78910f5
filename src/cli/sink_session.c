/*
 * One connection of the sink: joins the server machine (smtp/server.h) to a conn. A process
 * of its own, so everything here may wait. SIGTERM is blocked except while waiting for the
 * client or for a delay, when nothing is half done: then the client gets a 421.
 */
#include "cli/sink_session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"

#define IDLE_MS 300000 /* RFC 5321 section 4.5.3.2.7 */
#define LINGER_MS 1000
#define HANDSHAKE_MS 30000
#define ERRORS_MAX 20
#define RECIPIENTS_MAX 1000
#define READ_BYTES 65536

static volatile sig_atomic_t told_to_stop;

static void on_term(int signo) {
	(void)signo;
	told_to_stop = 1;
}

void sink_session_tell(struct sink_session *s, const char *name, const char *stage,
		       int code, const char *words) {
	struct sink_event event = {
		.name = name,
		.connection = s->facts.connection,
		.stage = stage,
		.code = code,
		.words = span_str(words),
	};

	sink_tell(s->sink, &event);
}

/* Waits with SIGTERM let through. Returns what poll returns. */
static int wait_ms(struct sink_session *s, short events, int64_t ms) {
	struct pollfd p = { .fd = conn_fd(s->conn), .events = events };
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&p, events ? 1 : 0, &t, &none);
}

/* Sends what stands in `bytes`; false when the client is gone. */
static bool send_all(struct sink_session *s, struct span bytes) {
	while (bytes.len > 0) {
		ssize_t n = conn_write(s->conn, bytes, NULL);

		if (n < 0)
			return false;
		bytes = span_from(bytes, (size_t)n);
		if (bytes.len > 0 && wait_ms(s, conn_wants(s->conn), IDLE_MS) <= 0 &&
		    (errno != EINTR || told_to_stop))
			return false;
	}
	return true;
}

void sink_session_flush(struct sink_session *s) {
	struct span out = smtp_server_output(s->smtp);

	if (out.len == 0)
		return;
	if (s->sink->options->delay_ms > 0 && !told_to_stop)
		(void)wait_ms(s, 0, s->sink->options->delay_ms);
	if (!send_all(s, out))
		s->over = true;
	smtp_server_sent(s->smtp, out.len);
}

void sink_session_linger(struct sink_session *s) {
	int64_t deadline = clock_boot_ms() + LINGER_MS;
	char bytes[4096];

	(void)shutdown(conn_fd(s->conn), SHUT_WR);
	for (;;) {
		int64_t left = deadline - clock_boot_ms();
		ssize_t n = conn_read(s->conn, bytes, sizeof(bytes), NULL);

		if (n < 0 || left <= 0 || told_to_stop)
			return;
		if (n == 0)
			(void)wait_ms(s, POLLIN, left);
	}
}

static void say_and_end(struct sink_session *s, int code, const char *text) {
	char line[SINK_TEXT_MAX + 16];
	int n = snprintf(line, sizeof(line), "%d %s\r\n", code, text);

	s->over = true;
	if (send_all(s, span_of(line, (size_t)n)))
		sink_session_linger(s);
}

bool sink_session_accept_tls(struct sink_session *s) {
	struct err err = ERR_INIT;

	if (conn_accept_tls(s->conn, s->sink->tls, HANDSHAKE_MS, &err) < 0) {
		sink_session_tell(s, "tls-failed", NULL, 0, err.msg);
		s->over = true;
		return false;
	}
	s->facts.tls = conn_tls_info(s->conn);
	return true;
}

/* Reads once; what the machine makes of it is acted on. */
static void serve(struct sink_session *s, char *bytes) {
	struct smtp_server_note note;
	enum smtp_server_event event;
	ssize_t n = conn_read(s->conn, bytes, READ_BYTES, NULL);

	if (n < 0) {
		s->over = true;
		return;
	}
	if (n == 0) {
		int r = told_to_stop ? -1 : wait_ms(s, conn_wants(s->conn), IDLE_MS);

		if (told_to_stop)
			say_and_end(s, 421, "4.3.2 the sink is stopped");
		else if (r == 0)
			say_and_end(s, 421, "4.4.2 nothing came for 5 minutes");
		return;
	}
	if (smtp_server_input(s->smtp, span_of(bytes, (size_t)n)) < 0) {
		say_and_end(s, 421, "4.3.0 out of memory");
		return;
	}
	while (!s->over && (event = smtp_server_next(s->smtp, &note)) != SMTP_SERVER_NONE)
		sink_session_event(s, event, &note);
	if (!s->over)
		sink_session_flush(s);
	if (!s->over && s->last)
		say_and_end(s, 421, "4.3.2 that was the last message wanted");
}

static struct smtp_server *new_machine(const struct sink *sink) {
	const struct sink_options *o = sink->options;
	struct smtp_server_params params = {
		.host = o->name,
		.size_max = o->size_max,
		.recipients_max = RECIPIENTS_MAX,
		.errors_max = ERRORS_MAX,
		.offer_starttls = sink->tls && !o->implicit_tls,
		.require_tls = o->require_tls,
		.require_auth = o->require_auth,
		.auth_clear = o->login[0] ? smtp_auth_server_mechanisms(false) : NULL,
		.auth_tls = o->login[0] ? smtp_auth_server_mechanisms(true) : NULL,
		.tls = o->implicit_tls,
		.pipelining = !o->no_pipelining,
		.eightbitmime = true,
		.smtputf8 = true,
		.dsn = true,
		.chunking = o->chunking,
		.requiretls = o->requiretls,
	};

	return smtp_server_new(&params);
}

/* TLS first if so told, then the greeting, by rule or by the machine. */
static void greet(struct sink_session *s) {
	const struct sink_rule *rule;

	if (s->sink->options->implicit_tls && !sink_session_accept_tls(s))
		return;
	if (sink_session_closes(s, SINK_GREETING, SPAN("")))
		return;
	rule = sink_rule_apply(s->sink, SINK_GREETING, false, SPAN(""));
	if (!rule) {
		sink_session_flush(s);
		return;
	}
	sink_session_tell(s, "injected", "greeting", rule->code, rule->text);
	if (rule->code >= 400) {
		say_and_end(s, rule->code, rule->text);
		return;
	}
	char line[SINK_TEXT_MAX + 16];
	int n = snprintf(line, sizeof(line), "%d %s\r\n", rule->code, rule->text);
	smtp_server_sent(s->smtp, smtp_server_output(s->smtp).len);
	s->over = !send_all(s, span_of(line, (size_t)n));
}

static void catch_term(void) {
	struct sigaction action = { .sa_handler = on_term };
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int sink_session(const struct sink *sink, int fd, const struct net_addr *peer) {
	struct sink_session s = {
		.sink = sink,
		.conn = conn_adopt(fd, NULL),
		.smtp = new_machine(sink),
		.peer = BUF_INIT(64),
		.helo = BUF_INIT(1024),
	};
	AUTO_FREE char *bytes = malloc(READ_BYTES);

	catch_term();
	if (!s.conn || !s.smtp || !bytes)
		return EXIT_FAILURE;
	net_addr_add(&s.peer, peer);
	s.facts.peer = buf_str(&s.peer);
	s.facts.connection = atomic_fetch_add(&sink->shared->connections, 1) + 1;
	sink_session_tell(&s, "opened", NULL, 0, s.facts.peer);
	greet(&s);
	while (!s.over)
		serve(&s, bytes);
	sink_session_tell(&s, "closed", NULL, 0, NULL);
	conn_free(s.conn);
	smtp_auth_server_free(s.auth);
	smtp_server_free(s.smtp);
	sink_message_clear(&s.message);
	buf_release(&s.peer);
	buf_release(&s.helo);
	return s.last ? SINK_EXIT_LAST : EXIT_SUCCESS;
}
