/*
 * The processes that tell: a command by /bin/sh with the JSON on its standard input, nightmail-fetch
 * for the webhook, and whatever there is that shows something on the desktop. One at a time of a
 * way and kind, each with an end; a webhook that does not answer is tried again for a day.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/term.h"
#include "deliver/state.h"
#include "net/http.h"

#define JOBS_MAX 200u
#define RUN_MS 60000
#define WEBHOOK_MS 30000
#define OUTPUT_MAX 8192u
#define TRIES_MAX 12u
#define RETRY_MIN_MS 60000
#define RETRY_MAX_MS (4 * 3600 * 1000LL)

struct alert_job {
	struct alert_job *next;
	struct manager *manager;
	enum alert_way way;
	enum alert_kind kind;
	struct buf json;
	char *title, *text;
	unsigned tries;
	int64_t due_ms; /* boot time; waits until then */
	pid_t pid;      /* 0: does not run */
	bool ended;
	int status;
	int fd; /* of a command; -1: closed */
	struct loop_watch *watch;
	struct loop_timer *timer;
	struct http_call *call;
	struct buf output;
};

static void run_due(struct manager *m);

static const char *const way_words[] = {
	[ALERT_COMMAND] = "command",
	[ALERT_WEBHOOK] = "webhook",
	[ALERT_DESKTOP] = "desktop",
};

/* What shows it, by what is there: the arguments are its title and its text. */
static const char desktop_script[] =
	"exec <&3 >&3 2>&1 3<&-\n"
	"if command -v notify-send >/dev/null; then\n"
	"	exec notify-send -a nightmail -- \"$1\" \"$2\"\n"
	"fi\n"
	"exec busctl --user call org.freedesktop.Notifications /org/freedesktop/Notifications \\\n"
	"	org.freedesktop.Notifications Notify 'susssasa{sv}i' \\\n"
	"	nightmail 0 '' \"$1\" \"$2\" 0 0 10000\n";

/* --- a job's end --- */

/* It is killed when its call ends; SIGCHLD says when it can be reaped. */
static void retire(struct manager *m, pid_t pid) {
	pid_t *list = m->alerts.retired;
	size_t i = 0;
	while (i < ALERT_RETIRED_MAX && list[i] > 0)
		i++;
	if (i < ALERT_RETIRED_MAX)
		list[i] = pid;
	else
		log_warn("nightmail-fetch %ld is left behind", (long)pid);
}

static void stop_watching(struct alert_job *j) {
	loop_unwatch(j->watch);
	loop_timer_free(j->timer);
	j->watch = NULL;
	j->timer = NULL;
	if (j->call)
		retire(j->manager, j->pid);
	http_end(j->call);
	j->call = NULL;
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}

static void job_free(struct alert_job *j) {
	stop_watching(j);
	buf_release(&j->json);
	buf_release(&j->output);
	free(j->title);
	free(j->text);
	free(j);
}

static void drop(struct manager *m, struct alert_job *j) {
	struct alert_job **at = &m->alerts.jobs;
	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	m->alerts.job_count--;
	job_free(j);
}

static void log_output(const struct alert_job *j) {
	struct span rest = buf_span(&j->output), line;
	while (span_take_line(&rest, &line)) {
		AUTO_BUF struct buf safe = BUF_INIT(OUTPUT_MAX * 4);
		term_safe(&safe, line);
		log_info("notify %s: %s", way_words[j->way], buf_str(&safe));
	}
}

/* The process is over and said all it had to. */
static void finish(struct alert_job *j) {
	struct manager *m = j->manager;
	AUTO_BUF struct buf words = BUF_INIT(256);
	log_output(j);
	if (j->status != 0) {
		proc_status_words(j->status, &words);
		log_warn("notify %s for %s: %s", way_words[j->way], alert_name(j->kind),
			 buf_str(&words));
	}
	drop(m, j);
	run_due(m);
}

static void again(struct alert_job *j, const char *why) {
	struct manager *m = j->manager;
	int64_t pause = RETRY_MIN_MS;
	for (unsigned i = 0; i < j->tries && pause < RETRY_MAX_MS; i++)
		pause *= 2;
	j->tries++;
	log_warn("notify webhook for %s: %s%s", alert_name(j->kind), why,
		 j->tries < TRIES_MAX ? "" : "; given up");
	stop_watching(j);
	j->pid = 0;
	j->due_ms = clock_boot_ms() + pause;
	if (j->tries >= TRIES_MAX)
		drop(m, j);
	run_due(m);
}

/* --- commands --- */

static void command_output(void *ctx, int fd, short revents) {
	struct alert_job *j = ctx;
	char piece[4096];
	ssize_t n;
	(void)revents;
	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
		if (j->output.len + (size_t)n <= OUTPUT_MAX)
			buf_add(&j->output, span_of(piece, (size_t)n));
	if (n < 0 && errno == EAGAIN)
		return;
	loop_unwatch(j->watch);
	j->watch = NULL;
	close(j->fd);
	j->fd = -1;
	if (j->ended)
		finish(j);
}

static void too_long(void *ctx) {
	struct alert_job *j = ctx;
	log_warn("notify %s for %s: not done within %d s", way_words[j->way],
		 alert_name(j->kind), RUN_MS / 1000);
	if (!j->ended) /* its number may be another's by now */
		kill(j->pid, SIGKILL);
	if (j->fd >= 0)
		shutdown(j->fd,
			 SHUT_RDWR); /* what it has started may hold the other end */
}

static int start_shell(struct alert_job *j, struct err *err) {
	AUTO_BUF struct buf script = BUF_INIT(1u << 16);
	const char *argv[] = { "/bin/sh", "-c", NULL, "sh", j->title, j->text, NULL };
	int pair[2];
	if (j->way == ALERT_COMMAND)
		buf_addf(&script, "exec <&3 >&3 2>&1 3<&-\n%s\n",
			 j->manager->settings.notify.command);
	argv[2] = j->way == ALERT_COMMAND ? buf_str(&script) : desktop_script;
	if (j->way == ALERT_COMMAND)
		argv[3] = NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, "no socket pair");
	j->pid = proc_spawn(argv, pair[1], err);
	close(pair[1]);
	j->fd = pair[0];
	fcntl(j->fd, F_SETFL, O_NONBLOCK);
	if (j->pid < 0)
		return -1;
	if (j->way == ALERT_COMMAND)
		send(j->fd, buf_str(&j->json), j->json.len, MSG_NOSIGNAL);
	shutdown(j->fd, SHUT_WR);
	j->watch = loop_watch(j->manager->loop, j->fd, POLLIN, command_output, j);
	j->timer = loop_timer(j->manager->loop, RUN_MS, too_long, j);
	return j->watch && j->timer ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

/* --- the webhook --- */

static void webhook_over(struct alert_job *j, const struct http_answer *a) {
	struct manager *m = j->manager;
	AUTO_BUF struct buf why = BUF_INIT(1024);
	if (a->status / 100 == 2) {
		j->tries = 0;
		stop_watching(j); /* the process is reaped by its pid */
		j->ended = true;
		drop(m, j);
		run_due(m);
		return;
	}
	if (a->status)
		buf_addf(&why, "the server answered with status %d", a->status);
	else
		term_safe(&why, span_str(a->error.msg));
	if (a->status / 100 == 4 && a->status != 408 && a->status != 429)
		j->tries = TRIES_MAX - 1; /* it will not take it later either */
	again(j, buf_str(&why));
}

static void webhook_event(void *ctx, int fd, short revents) {
	struct alert_job *j = ctx;
	struct http_answer a = { .status = 0 };
	struct err err = ERR_INIT;
	(void)fd;
	(void)revents;
	int r = http_continue(j->call, &a, &err);
	if (r == 0)
		loop_watch_events(j->watch, http_events(j->call));
	else if (r < 0)
		again(j, err.msg);
	else
		webhook_over(j, &a);
	http_answer_release(&a);
}

static void webhook_late(void *ctx) {
	again(ctx, "no answer");
}

static int start_webhook(struct alert_job *j, struct err *err) {
	struct http_request r = {
		.method = SPAN("POST"),
		.url = span_str(j->manager->settings.notify.webhook),
		.header = { SPAN("Content-Type: application/json") },
		.header_count = 1,
		.timeout_ms = WEBHOOK_MS,
		.max = 65536,
		.no_sandbox = j->manager->settings.sandbox == CONFIG_SANDBOX_OFF,
		.body = buf_span(&j->json),
	};
	j->call = http_begin(&r, err);
	if (!j->call)
		return -1;
	j->pid = http_pid(j->call);
	j->watch = loop_watch(j->manager->loop, http_fd(j->call), http_events(j->call),
			      webhook_event, j);
	j->timer = loop_timer(j->manager->loop, WEBHOOK_MS + 5000, webhook_late, j);
	return j->watch && j->timer ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

/* --- which runs --- */

static bool is_taken(const struct alerts *a, const struct alert_job *j) {
	for (const struct alert_job *k = a->jobs; k; k = k->next)
		if (k->pid > 0 && k->way == j->way &&
		    (k->kind == j->kind || j->way != ALERT_COMMAND))
			return true;
	return false;
}

static bool is_wanted(const struct manager *m, const struct alert_job *j) {
	const struct config_notify *n = &m->settings.notify;
	return j->way == ALERT_COMMAND   ? n->command != NULL
	       : j->way == ALERT_WEBHOOK ? n->webhook != NULL
					 : n->desktop;
}

static void start(struct alert_job *j) {
	struct err err = ERR_INIT;
	int r = j->way == ALERT_WEBHOOK ? start_webhook(j, &err) : start_shell(j, &err);
	if (r == 0)
		return;
	if (j->way == ALERT_WEBHOOK) {
		again(j, err.msg);
		return;
	}
	log_warn("notify %s: %s", way_words[j->way], err.msg);
	drop(j->manager, j);
}

/* Starts the first that may be, and asks to be called again for the rest. */
static void run_due(struct manager *m) {
	int64_t now = clock_boot_ms();
	for (struct alert_job *j = m->alerts.jobs, *next; j; j = next) {
		next = j->next;
		if (j->pid > 0 || j->due_ms > now || is_taken(&m->alerts, j))
			continue;
		if (!is_wanted(m, j)) {
			drop(m, j);
			continue;
		}
		start(j);
		manager_kick(m);
		return;
	}
}

int64_t alert_jobs_step(struct manager *m, int64_t now_ms) {
	int64_t next = NEVER_MS;
	run_due(m);
	for (const struct alert_job *j = m->alerts.jobs; j; j = j->next)
		if (j->pid == 0 && j->due_ms > now_ms && j->due_ms < next)
			next = j->due_ms;
	return next;
}

void alert_job_add(struct manager *m, enum alert_way way, enum alert_kind kind,
		   struct span json, const char *title, const char *text) {
	struct alerts *a = &m->alerts;
	struct alert_job **at = &a->jobs;
	struct alert_job *j = a->job_count < JOBS_MAX ? calloc(1, sizeof(*j)) : NULL;
	if (!j) {
		log_warn("notify %s for %s: there are too many already", way_words[way],
			 alert_name(kind));
		return;
	}
	*j = (struct alert_job){ .manager = m, .way = way, .kind = kind, .fd = -1 };
	buf_init(&j->json, 65536);
	buf_init(&j->output, OUTPUT_MAX);
	buf_add(&j->json, json);
	j->title = span_dup(span_str(title));
	j->text = span_dup(span_str(text));
	while (*at)
		at = &(*at)->next;
	*at = j;
	a->job_count++;
	manager_kick(m);
}

void alert_reap(struct manager *m) {
	for (size_t i = 0; i < ALERT_RETIRED_MAX; i++)
		if (m->alerts.retired[i] > 0 &&
		    waitpid(m->alerts.retired[i], NULL, WNOHANG) == m->alerts.retired[i])
			m->alerts.retired[i] = 0;
	for (struct alert_job *j = m->alerts.jobs, *next; j; j = next) {
		int status;
		next = j->next;
		if (j->pid <= 0 || j->ended || j->way == ALERT_WEBHOOK ||
		    waitpid(j->pid, &status, WNOHANG) != j->pid)
			continue;
		j->ended = true;
		j->status = status;
		if (j->fd < 0)
			finish(j);
	}
}

void alert_jobs_free(struct manager *m) {
	while (m->alerts.jobs) {
		struct alert_job *j = m->alerts.jobs;
		if (j->pid > 0 && !j->ended)
			kill(j->pid, SIGTERM);
		drop(m, j);
	}
}
