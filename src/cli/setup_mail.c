/*
 * The test mail is watched through its own queue file: held open, the file still tells when
 * it is gone whether its last record was a failure, which its name no longer does. For this
 * the daemon is woken only once the file is open.
 */

#include "cli/setup_mail.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/submission.h"
#include "control/control.h"
#include "mail/compose.h"
#include "queue/queue.h"

#define WATCH_MS 60000
#define STEP_US 100000
#define ANSWER_MS 10000
#define HEADER_MAX 65536u
#define JOURNAL_MAX 65536u
#define PATH_CEILING 4096u

struct watch {
	const char *program;
	const struct settings *settings;
	const char *address;
	struct queue_id id;
	int fd;
	struct queue_message message;
	bool told; /* why it waits */
};

static void control_path(const struct settings *s, struct buf *out) {
	buf_addf(out, "%s/control", s->rundir);
}

static int show_complaint(void *ctx, struct span line) {
	json_t *m = json_loadb(line.p, line.len, 0, NULL);
	const char *words = json_string_value(json_object_get(m, "complaint"));
	if (words)
		cli_fail(ctx, 0, "the daemon: %s", words);
	json_decref(m);
	return 0;
}

void setup_mail_reload(const char *program, const struct settings *settings) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	struct err err = ERR_INIT;
	char name[64];
	snprintf(name, sizeof(name), "%s", program);
	control_path(settings, &path);
	if (!control_reachable(buf_str(&path)))
		return;
	if (control_ask(buf_str(&path), SPAN("reload"), ANSWER_MS, show_complaint, name,
			&err) == 0)
		puts("the running daemon uses the new configuration");
	else
		cli_fail(program, 0, "the daemon did not take the new configuration: %s",
			 err.msg);
}

static int compose(struct submission *s, const char *address, struct buf *header,
		   struct buf *encoded, struct buf *text, struct err *err) {
	struct compose c;
	compose_init(&c);
	buf_addf(
		text,
		"This is a test of the mail relay nightmail on %s.\n"
		"It was sent by \"nightmail setup\". Mail from this machine gets through.\n",
		s->settings->hostname);
	int r = submission_add(s, span_str(address), err);
	if (r == 0)
		r = compose_address(&c, COMPOSE_TO, span_str(address), err);
	if (r == 0 && compose_subject(&c, SPAN("Test mail of nightmail")) != 0)
		r = err_set(err, ERR_MEMORY, "out of memory");
	if (r == 0)
		r = compose_finish(&c, buf_span(text), header, encoded, &s->body, err);
	s->header = buf_span(header);
	compose_release(&c);
	return r;
}

/* Queues it without waking the daemon. */
static int queue_it(struct watch *w, struct err *err) {
	AUTO_BUF struct buf header = BUF_INIT(HEADER_MAX), encoded = BUF_INIT(HEADER_MAX);
	AUTO_BUF struct buf text = BUF_INIT(HEADER_MAX);
	struct settings quiet = *w->settings;
	static char nowhere[] = "/nonexistent";
	quiet.rundir = nowhere;
	struct submission s = { .settings = &quiet };
	int status = EX_USAGE;
	if (compose(&s, w->address, &header, &encoded, &text, err) == 0)
		status = submission_run(&s, -1, &w->id, err);
	submission_release(&s);
	return status;
}

static int hold_open(struct watch *w, struct err *err) {
	struct queue *q = queue_open(w->settings->dir, err);
	if (!q)
		return -1;
	int r = queue_read(q, &w->id, false, &w->message, NULL, err);
	if (r == 0) {
		w->fd = queue_open_content(q, &w->id, false);
		if (w->fd < 0)
			r = err_sys(err, "%s", queue_id_text(&w->id).s);
	}
	queue_free(q);
	return r;
}

static void wake(const struct watch *w) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	buf_addf(&path, "%s/wake", w->settings->rundir);
	control_wake(buf_str(&path), span_str(queue_id_text(&w->id).s));
}

/* What the queue file's journal says now. */
static int read_journal(const struct watch *w, struct journal *ret) {
	AUTO_FREE char *bytes = malloc(JOURNAL_MAX);
	const struct queue_message *m = &w->message;
	if (!bytes)
		return -1;
	ssize_t n = file_pread_all(w->fd, bytes, JOURNAL_MAX,
				   (int64_t)(m->content_offset + m->content_len));
	return n < 0 ? -1
		     : journal_parse(span_of(bytes, (size_t)n), m->env.to_count,
				     &m->env.created, ret);
}

static void say(const struct watch *w, FILE *f, const char *what,
		const struct journal_result *r) {
	fprintf(f, "test mail %s to ", queue_id_text(&w->id).s);
	term_print(f, span_str(w->address));
	fprintf(f, ": %s", what);
	if (r && r->reply.len) {
		fputs(r->host.len ? "; " : ": ", f);
		term_print(f, r->host);
		fputs(r->host.len ? " said: " : "", f);
		term_print(f, r->reply);
	}
	fputc('\n', f);
}

/* -1: it is still under way. */
static int judge(struct watch *w) {
	struct journal j;
	struct stat st;
	/* First, so that what the journal says is no older. */
	bool gone = fstat(w->fd, &st) == 0 && st.st_nlink == 0;
	if (read_journal(w, &j) != 0)
		return gone ? EX_OSERR : -1;
	const struct journal_result *last = &j.to[0].last;
	int status = -1;
	if (last->state == RECIPIENT_FAILED) {
		say(w, stderr, "refused", last);
		status = EX_UNAVAILABLE;
	} else if (gone) {
		say(w, stdout, "the relay has taken it", NULL);
		status = EX_OK;
	} else if (last->state == RECIPIENT_DEFERRED && !w->told) {
		say(w, stderr, "not yet", last);
		w->told = true;
	}
	journal_release(&j);
	return status;
}

static int show_why(void *ctx, struct span line) {
	const struct watch *w = ctx;
	json_t *m = json_loadb(line.p, line.len, 0, NULL);
	const char *why = json_string_value(json_object_get(m, "why"));
	if (why)
		cli_fail(w->program, 0, "it waits: %s", why);
	json_decref(m);
	return 0;
}

static int still_there(struct watch *w) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING), request = BUF_INIT(256);
	say(w, stderr, "still in the queue after a minute; mailq shows it", NULL);
	control_path(w->settings, &path);
	buf_adds(&request, "list");
	codec_word_add(&request, "id", span_str(queue_id_text(&w->id).s));
	control_ask(buf_str(&path), buf_span(&request), ANSWER_MS, show_why, w, NULL);
	return EX_TEMPFAIL;
}

static int watch(struct watch *w) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	int64_t end_ms = clock_boot_ms() + WATCH_MS;
	control_path(w->settings, &path);
	if (!control_reachable(buf_str(&path))) {
		say(w, stderr,
		    "queued; nightmaild is not running, it leaves when that is started",
		    NULL);
		return EX_TEMPFAIL;
	}
	if (isatty(STDERR_FILENO))
		fputs("waiting for the test mail to leave, at most a minute...\n",
		      stderr);
	while (clock_boot_ms() < end_ms) {
		int status = judge(w);
		if (status >= 0)
			return status;
		usleep(STEP_US);
	}
	return still_there(w);
}

int setup_mail_test(const char *program, const struct settings *settings,
		    const char *address) {
	struct watch w = {
		.program = program,
		.settings = settings,
		.address = address,
		.fd = -1,
	};
	struct err err = ERR_INIT;
	int status = queue_it(&w, &err);
	if (status != EX_OK)
		return cli_fail(program, status, "the test mail is not queued: %s",
				err.msg);
	int r = hold_open(&w, &err);
	wake(&w);
	status = r == 0 ? watch(&w)
			: cli_fail(program, EX_OSERR,
				   "the test mail cannot be watched: %s", err.msg);
	queue_message_release(&w.message);
	if (w.fd >= 0)
		close(w.fd);
	return status;
}
