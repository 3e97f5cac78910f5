/*
 * Bytes and time of a session; what is answered stands in session_events.c. After 5 minutes
 * without a byte the client is sent away (RFC 5321 section 4.5.3.2.7).
 */

#include "submit/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "submit/session_state.h"

#define IDLE_MS 300000
#define ERRORS_MAX 20
#define READ_BYTES 65536

static volatile sig_atomic_t told_to_stop;

static void on_term(int signo) {
	(void)signo;
	told_to_stop = 1;
}

static void catch_term(void) {
	struct sigaction action = { .sa_handler = on_term };
	sigset_t term;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Waits with SIGTERM let through: > 0 when ready, 0 after too long, -1 when told to stop. */
static int wait_for(int fd, short events) {
	struct pollfd p = { .fd = fd, .events = events };
	struct timespec t = { .tv_sec = IDLE_MS / 1000 };
	sigset_t none;
	int n;
	sigemptyset(&none);
	do
		n = ppoll(&p, 1, &t, &none);
	while (n < 0 && errno == EINTR && !told_to_stop);
	return n;
}

static bool send_all(struct session *s, struct span bytes) {
	while (bytes.len > 0) {
		if (wait_for(s->params->out, POLLOUT) <= 0)
			return false;
		ssize_t n = write(s->params->out, bytes.p, bytes.len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		bytes = span_from(bytes, n > 0 ? (size_t)n : 0);
	}
	return true;
}

static void flush(struct session *s) {
	struct span out = smtp_server_output(s->smtp);
	if (!send_all(s, out))
		s->over = true;
	smtp_server_sent(s->smtp, out.len);
}

static void send_away(struct session *s, const char *line) {
	send_all(s, span_str(line));
	s->over = true;
}

/* Reads once and acts on what the machine makes of it. */
static void serve(struct session *s, char *bytes) {
	struct smtp_server_note note;
	enum smtp_server_event event;
	int ready = told_to_stop ? -1 : wait_for(s->params->in, POLLIN);
	if (ready <= 0) {
		send_away(s, ready < 0 ? "421 4.3.2 the relay is stopping\r\n"
				       : "421 4.4.2 nothing came for 5 minutes\r\n");
		return;
	}
	ssize_t n = read(s->params->in, bytes, READ_BYTES);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		s->over = true;
		return;
	}
	if (smtp_server_input(s->smtp, span_of(bytes, (size_t)n)) < 0) {
		send_away(s, "421 4.3.0 out of memory\r\n");
		return;
	}
	while (!s->over && (event = smtp_server_next(s->smtp, &note)) != SMTP_SERVER_NONE)
		session_event(s, event, &note);
	flush(s);
}

int session_run(const struct session_params *p, struct err *err) {
	const struct smtp_server_params machine = {
		.host = p->host->hostname,
		.size_max = p->size_limit,
		.recipients_max = ENVELOPE_RECIPIENTS_MAX,
		.errors_max = ERRORS_MAX,
		.local_names = true,
		.pipelining = true,
		.eightbitmime = true,
		.smtputf8 = true,
		.dsn = true,
	};
	struct session s = { .params = p, .smtp = smtp_server_new(&machine) };
	AUTO_FREE char *bytes = malloc(READ_BYTES);
	if (!s.smtp || !bytes) {
		smtp_server_free(s.smtp);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	catch_term();
	incoming_init(&s.message, p->host, p->way);
	flush(&s);
	while (!s.over)
		serve(&s, bytes);
	session_forget(&s);
	incoming_release(&s.message);
	smtp_server_free(s.smtp);
	return 0;
}
