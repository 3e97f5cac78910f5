/*
 * Bytes and time of a session; what is answered stands in session_events.c. Each command has
 * one deadline from the reply before it on, which bytes push out only as fast as a slow line
 * sends them: a client that trickles is sent away like one that is silent
 * (RFC 5321 section 4.5.3.2.7).
 */

#include "submit/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/term.h"
#include "submit/session_state.h"

#define IDLE_COMMANDS_MAX 100
#define BYTES_A_SECOND 500
#define LAST_WORDS_MS 5000
/* What the message in hand may take once the daemon is to stop, which waits 30 s in all. */
#define STOP_MS 20000
#define READ_BYTES 65536

static volatile sig_atomic_t told_to_stop, told_to_make_room;

static void on_signal(int signo) {
	if (signo == SIGTERM)
		told_to_stop = 1;
	else
		told_to_make_room = 1;
}

/* Both come through only while we wait for the client. Once in a process, which may serve one
 * session after the other. */
static void catch_signals(void) {
	static bool done;
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t set;
	if (done)
		return;
	done = true;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
}

bool session_is_unwanted(void) {
	return told_to_stop || told_to_make_room;
}

static int64_t earlier(int64_t a, int64_t b) {
	return a < b ? a : b;
}

enum waited { READY, TOO_LATE, STOPPING, MAKE_ROOM };

/* Why there is nothing more to wait for, whatever the client does; READY: there is. */
static enum waited wait_is_over(struct session *s) {
	if (told_to_stop && s->stop_ms == 0)
		s->stop_ms = clock_boot_ms() + STOP_MS;
	if (s->stop_ms > 0 && (!s->in_hand || clock_boot_ms() > s->stop_ms))
		return STOPPING;
	return told_to_make_room && !s->in_hand ? MAKE_ROOM : READY;
}

static enum waited wait_for(struct session *s, int fd, short events) {
	struct pollfd p = { .fd = fd, .events = events };
	sigset_t none;
	sigemptyset(&none);
	for (;;) {
		enum waited over = wait_is_over(s);
		if (over != READY)
			return over;
		int64_t end = s->stop_ms > 0 ? earlier(s->stop_ms, s->deadline_ms) : s->deadline_ms;
		int64_t left = end - clock_boot_ms();
		if (left < 0)
			left = 0;
		struct timespec t = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
		int n = ppoll(&p, 1, &t, &none);
		if (n > 0)
			return READY;
		if (n == 0 && left == 0)
			return s->stop_ms > 0 && end == s->stop_ms ? STOPPING : TOO_LATE;
		if (n < 0 && errno != EINTR)
			return TOO_LATE;
	}
}

static ssize_t write_some(const struct session *s, struct span bytes) {
	const struct session_io *io = s->params->io;
	if (io)
		return io->write(io->ctx, bytes);
	ssize_t n = write(s->params->out, bytes.p, bytes.len);
	return n < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : n;
}

/* 0: nothing came. */
static ssize_t read_some(const struct session *s, char *p) {
	const struct session_io *io = s->params->io;
	if (io)
		return io->read(io->ctx, p, READ_BYTES);
	ssize_t n = read(s->params->in, p, READ_BYTES);
	if (n == 0)
		return -1;
	return n < 0 && (errno == EINTR || errno == EAGAIN) ? 0 : n;
}

static short wants(const struct session *s, short plain) {
	const struct session_io *io = s->params->io;
	return io ? io->wants(io->ctx) : plain;
}

/* A client that does not read its replies is as late as one that sends nothing. */
static bool send_all(struct session *s, struct span bytes) {
	while (bytes.len > 0) {
		ssize_t n = write_some(s, bytes);
		if (n < 0)
			return false;
		bytes = span_from(bytes, (size_t)n);
		if (n == 0 &&
		    wait_for(s, s->params->out, wants(s, POLLOUT)) != READY)
			return false;
	}
	return true;
}

void session_flush(struct session *s, size_t keep) {
	struct span out = smtp_server_output(s->smtp);
	out = span_head(out, out.len - (keep < out.len ? keep : out.len));
	if (out.len == 0)
		return;
	s->deadline_ms = clock_boot_ms() + s->params->timeout_ms;
	if (!send_all(s, out))
		s->over = true;
	smtp_server_sent(s->smtp, out.len);
}

void session_pause(struct session *s, int64_t ms) {
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	sigset_t none;
	(void)s;
	sigemptyset(&none);
	ppoll(NULL, 0, &t, &none);
}

static void send_away(struct session *s, const char *line) {
	s->deadline_ms = clock_boot_ms() + LAST_WORDS_MS;
	s->in_hand = true; /* signals do not cut the last words */
	send_all(s, span_str(line));
	s->over = true;
}

static void end_wait(struct session *s, enum waited why) {
	AUTO_BUF struct buf line = BUF_INIT(200);
	if (why == STOPPING) {
		send_away(s, "421 4.3.2 the relay is stopping\r\n");
	} else if (why == MAKE_ROOM) {
		send_away(s, "421 4.3.2 too many sessions; this one did nothing\r\n");
	} else {
		buf_adds(&line, "421 4.4.2 the time of ");
		term_duration(&line, s->params->timeout_ms);
		buf_adds(&line, " for this is over\r\n");
		send_away(s, buf_str(&line));
	}
}

static void note_idle(const struct session *s) {
	_Atomic int64_t *since = s->params->idle_since;
	if (since && s->in_hand)
		atomic_store_explicit(since, 0, memory_order_relaxed);
	else if (since && atomic_load_explicit(since, memory_order_relaxed) == 0)
		atomic_store_explicit(since, clock_boot_ms(), memory_order_relaxed);
}

/* Acts on what came. A reply begins a new deadline, bytes alone push the old one out a bit. */
static void take(struct session *s, struct span bytes) {
	struct smtp_server_note note;
	enum smtp_server_event event;
	int64_t now = clock_boot_ms();
	s->deadline_ms = earlier(s->deadline_ms + (int64_t)bytes.len * 1000 / BYTES_A_SECOND,
				 now + s->params->timeout_ms);
	if (smtp_server_input(s->smtp, bytes) < 0) {
		send_away(s, "421 4.3.0 out of memory\r\n");
		return;
	}
	while (!s->over && (event = smtp_server_next(s->smtp, &note)) != SMTP_SERVER_NONE)
		session_event(s, event, &note);
	session_flush(s, 0);
}

static void serve(struct session *s, char *bytes) {
	ssize_t n = 0;
	enum waited over = wait_is_over(s);
	if (over != READY) {
		end_wait(s, over);
		return;
	}
	note_idle(s);
	if (s->params->io)
		n = read_some(s, bytes);
	if (n == 0) {
		enum waited ready = wait_for(s, s->params->in, wants(s, POLLIN));
		if (ready != READY) {
			end_wait(s, ready);
			return;
		}
		n = read_some(s, bytes);
	}
	if (n < 0)
		s->over = true;
	if (n > (ssize_t)s->longest_read)
		s->longest_read = (size_t)n;
	if (n > 0)
		take(s, span_of(bytes, (size_t)n));
}

static struct smtp_server *new_machine(const struct session_params *p) {
	bool login = p->right == SESSION_AFTER_AUTH;
	const struct smtp_server_params machine = {
		.host = p->host->hostname,
		.size_max = p->size_limit,
		.recipients_max = p->recipients_max,
		.errors_max = p->errors_max,
		.idle_max = IDLE_COMMANDS_MAX,
		.offer_starttls = p->start_tls != NULL,
		.tls = p->tls != NULL,
		.require_tls = login && p->start_tls,
		.require_auth = login,
		.auth_tls = p->auth ? p->auth->mechanisms : NULL,
		.local_names = true,
		.pipelining = true,
		.eightbitmime = true,
		.smtputf8 = true,
		.dsn = true,
		.chunking = true,
		.requiretls = true,
		.lenient_newlines = p->lenient_newlines,
	};
	return smtp_server_new(&machine);
}

int session_run(const struct session_params *p, struct err *err) {
	struct session s = { .params = p, .host = *p->host, .smtp = new_machine(p) };
	AUTO_FREE char *bytes = malloc(READ_BYTES);
	if (!s.smtp || !bytes) {
		smtp_server_free(s.smtp);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	catch_signals();
	s.deadline_ms = clock_boot_ms() + p->timeout_ms;
	incoming_init(&s.message, &s.host, p->way);
	if (p->greeted_before) /* TLS begins with the client's EHLO */
		smtp_server_sent(s.smtp, smtp_server_output(s.smtp).len);
	session_flush(&s, 0);
	while (!s.over)
		serve(&s, bytes);
	session_forget(&s);
	incoming_release(&s.message);
	smtp_server_free(s.smtp);
	explicit_bzero(bytes, s.longest_read);
	return 0;
}
