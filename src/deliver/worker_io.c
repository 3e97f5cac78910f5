/*
 * The one place where a worker waits: for the server, for the manager, or for a time to be
 * over. SIGTERM is blocked everywhere else, so that no system call in between is cut short.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "base/term.h"
#include "deliver/worker_state.h"

#define QUIT_WAIT_MS 5000
#define READ_SIZE 16384

static volatile sig_atomic_t terminated;
static sigset_t while_waiting;

static void on_term(int signo) {
	(void)signo;
	terminated = 1;
}

void worker_signals(void) {
	struct sigaction sa = { .sa_handler = on_term };
	sigset_t term;
	sigemptyset(&sa.sa_mask);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &while_waiting);
	sigdelset(&while_waiting, SIGTERM);
	sigaction(SIGTERM, &sa, NULL);
}

void worker_may_die(bool may) {
	struct sigaction sa = { .sa_handler = may ? SIG_DFL : on_term };
	sigset_t term;
	sigemptyset(&sa.sa_mask);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	if (may)
		sigaction(SIGTERM, &sa, NULL);
	sigprocmask(may ? SIG_UNBLOCK : SIG_BLOCK, &term, NULL);
	if (!may)
		sigaction(SIGTERM, &sa, NULL);
}

/* A write, and a TLS record, take what there is: a header with its body, several messages. */
bool worker_wants_more(const struct worker *w) {
	return smtp_client_output(w->client).len < WORKER_PIECE;
}

static void write_out(struct worker *w) {
	struct err err = ERR_INIT;
	struct span out = smtp_client_output(w->client);
	while (out.len > 0) {
		ssize_t n = conn_write(w->conn, out, &err);
		if (n < 0)
			smtp_client_eof(w->client, err.msg);
		if (n <= 0)
			return;
		smtp_client_sent(w->client, (size_t)n);
		w->progress_ms = clock_boot_ms();
		out = smtp_client_output(w->client);
	}
}

static void read_in(struct worker *w) {
	static char bytes[READ_SIZE];
	struct err err = ERR_INIT;
	ssize_t n = conn_read(w->conn, bytes, sizeof(bytes), &err);
	if (n < 0)
		smtp_client_eof(w->client, err.msg);
	else if (n > 0 && smtp_client_input(w->client, span_of(bytes, (size_t)n)) != 0)
		smtp_client_eof(w->client, "out of memory");
}

static int64_t patience_ms(const struct worker *w) {
	const struct config_relay *r = &w->params->relay;
	if (w->quitting)
		return QUIT_WAIT_MS;
	return smtp_client_stage(w->client) == SMTP_STAGE_CONTENT ? r->data_timeout_ms
								  : r->reply_timeout_ms;
}

static int64_t deadline(const struct worker *w) {
	int64_t at = w->idle_since_ms > 0 ? w->idle_since_ms + w->params->idle_ms
					  : w->progress_ms + patience_ms(w);
	return w->stopping && w->stop_ms < at ? w->stop_ms : at;
}

static void time_over(struct worker *w) {
	AUTO_BUF struct buf words = BUF_INIT(128);
	if (w->idle_since_ms > 0 && !w->stopping) {
		w->quitting = true;
		w->idle_since_ms = 0;
		w->progress_ms = clock_boot_ms();
		smtp_client_quit(w->client);
		return;
	}
	if (w->stopping && !w->quitting) {
		buf_adds(&words,
			 "no answer in the time that is left before the relay stops");
	} else {
		buf_adds(&words, "no answer within ");
		term_duration(&words, patience_ms(w));
	}
	w->silent = true;
	smtp_client_timeout(w->client, buf_str(&words));
}

static int poll_timeout(const struct worker *w) {
	int64_t left = deadline(w) - clock_boot_ms();
	bool more = w->sending && worker_wants_more(w);
	int64_t most = w->reports.len > 0 && !w->channel_full ? WORKER_REPORT_EVERY_MS
							      : 60000;
	if (more || conn_pending(w->conn) || left <= 0)
		return 0;
	return (int)(left < most ? left : most);
}

static short conn_events_wanted(const struct worker *w) {
	short events = (short)(POLLIN | conn_wants(w->conn));
	return smtp_client_output(w->client).len > 0 ? (short)(events | POLLOUT) : events;
}

void worker_wait_channel(struct worker *w, int64_t most_ms) {
	struct pollfd fd = { .fd = w->channel, .events = POLLIN };
	struct timespec ts = { most_ms / 1000, most_ms % 1000 * 1000000L };
	int n = ppoll(&fd, 1, &ts, &while_waiting);
	if (terminated && !w->stopping)
		worker_stop(w);
	if (n > 0)
		worker_hear(w);
}

void worker_wait(struct worker *w) {
	write_out(w);
	struct pollfd fds[] = {
		{ .fd = conn_fd(w->conn), .events = conn_events_wanted(w) },
		{ .fd = w->channel_ended ? -1 : w->channel, .events = POLLIN },
	};
	if (w->channel_full)
		fds[1].events |= POLLOUT;
	int timeout = poll_timeout(w);
	struct timespec ts = { timeout / 1000, timeout % 1000 * 1000000L };
	int n = ppoll(fds, 2, &ts, &while_waiting);
	if (terminated && !w->stopping)
		worker_stop(w);
	if (n < 0 && errno != EINTR)
		smtp_client_eof(w->client, "cannot wait for the connection");
	if (n > 0 && (fds[1].revents & (POLLIN | POLLHUP | POLLERR)))
		worker_hear(w);
	if (n > 0 && (fds[1].revents & POLLOUT))
		worker_send_reports(w);
	if ((n > 0 && fds[0].revents) || conn_pending(w->conn))
		read_in(w);
	else if (n == 0 && clock_boot_ms() >= deadline(w))
		time_over(w);
}
