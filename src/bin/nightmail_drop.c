/*
 * nightmail-drop: writes one message into drop/ for an ordinary user while no daemon listens.
 * Set-gid to the group that may write there, so whoever starts it is not trusted: no option,
 * no variable, no path of theirs counts; everything comes on standard input (submit/frame.h),
 * everything is checked, and the daemon checks it all again. The file belongs to the user, by
 * which the daemon knows who submitted it; it has the one form that the queue has.
 *
 * Killed at any moment it leaves either the whole message, durable, or nothing that anybody
 * was told of: the file has no name before all of it is written.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/proc.h"
#include "config/env.h"
#include "config/settings.h"
#include "config/source.h"
#include "queue/drop.h"
#include "submit/envelope_words.h"
#include "submit/frame.h"

#define DIGITS_MAX 10

struct drop {
	struct settings settings;
	struct queue *queue;
	struct queue_accept *accept;
	struct envelope envelope;
};

static int exit_code(const struct err *e) {
	switch (e->kind) {
	case ERR_SYNTAX:
	case ERR_LIMIT:
		return EX_DATAERR;
	case ERR_DENIED:
		return EX_NOPERM;
	case ERR_NONE:
	case ERR_SYSTEM:
	case ERR_MEMORY:
	case ERR_MISSING:
	case ERR_TIMEOUT:
	case ERR_REMOTE:
		break;
	}
	return EX_TEMPFAIL;
}

/* The settings of the system alone: whoever calls has no configuration here. */
static int load(struct drop *d, struct err *err) {
	struct config_env env;
	config_env_init(&env);
	env.config = NULL;
	env.uid = 0;
	(void)config_load_env(NULL, &env, &d->settings, NULL); /* the daemon complains */
	config_env_release(&env);
	return config_usable(&d->settings)
		       ? 0
		       : err_set(err, ERR_MISSING, "the configuration names no queue");
}

/* --- the frames --- */

static int read_all(char *p, size_t len, struct err *err) {
	while (len > 0) {
		ssize_t n = read(STDIN_FILENO, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read the submission");
		if (n == 0)
			return err_set(err, ERR_REMOTE,
				       "the submission ended before its commit");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Reads a line byte by byte: lines are few, and what follows is not ours to buffer. */
static int read_line(char *line, struct span *ret, struct err *err) {
	for (size_t n = 0; n < FRAME_LINE_MAX; n++) {
		if (read_all(line + n, 1, err) != 0)
			return -1;
		if (line[n] != '\n')
			continue;
		*ret = span_of(line, n);
		return 0;
	}
	return err_set(err, ERR_SYNTAX, "the submission has a line that is too long");
}

/* Reads "KIND LEN" and as many bytes. Returns 1, 0 at "commit", -1. */
static int read_frame(struct span kind, size_t max, char *p, size_t *ret_len,
		      struct err *err) {
	char text[FRAME_LINE_MAX];
	struct span line;
	uint64_t len;
	if (read_line(text, &line, err) != 0)
		return -1;
	if (span_eq(line, SPAN("commit")))
		return 0;
	if (!span_take_lit(&line, kind) || !span_take_char(&line, ' ') ||
	    line.len > DIGITS_MAX || !span_uint(line, max, &len))
		return err_set(err, ERR_SYNTAX,
			       "the submission has a line that is none of its form");
	*ret_len = (size_t)len;
	return read_all(p, (size_t)len, err) == 0 ? 1 : -1;
}

static int read_envelope(struct drop *d, struct err *err) {
	char magic[sizeof(FRAME_MAGIC) - 1];
	AUTO_FREE char *bytes = malloc(ENVELOPE_MAX);
	size_t len;
	if (!bytes)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (read_all(magic, sizeof(magic), err) != 0)
		return -1;
	if (!span_eq(span_of(magic, sizeof(magic)), SPAN(FRAME_MAGIC)))
		return err_set(err, ERR_SYNTAX, "standard input is no submission");
	int r = read_frame(SPAN("envelope"), ENVELOPE_MAX, bytes, &len, err);
	if (r == 0)
		return err_set(err, ERR_SYNTAX, "the submission has no envelope");
	if (r < 0 || envelope_parse(span_of(bytes, len), &d->envelope, err) != 0)
		return -1;
	d->envelope.id = queue_id_new();
	d->envelope.created = clock_now();
	d->envelope.uid = getuid();
	d->envelope.origin = SPAN("local");
	return submit_envelope_check(&d->envelope, err);
}

/* --- the file --- */

static int check(struct drop *d, struct span bytes, struct err *err) {
	const struct settings *s = &d->settings;
	struct err why = ERR_INIT;
	if (queue_accept_size(d->accept) + bytes.len > s->size_limit)
		return err_set(err, ERR_LIMIT,
			       "the message is bigger than the limit of %llu bytes",
			       (unsigned long long)s->size_limit);
	if (span_find(bytes, '\0') < bytes.len)
		return err_set(err, ERR_SYNTAX, "the message has a NUL byte");
	if (queue_space(d->queue, bytes.len, s->reserve_bytes, s->reserve_inodes, &why) ==
	    0)
		return 0;
	return err_set(err, ERR_SYSTEM, "%s", why.msg);
}

static int copy_message(struct drop *d, struct err *err) {
	AUTO_FREE char *bytes = malloc(FRAME_DATA_MAX);
	size_t len;
	int r;
	if (!bytes)
		return err_set(err, ERR_MEMORY, "out of memory");
	while ((r = read_frame(SPAN("data"), FRAME_DATA_MAX, bytes, &len, err)) == 1) {
		struct span piece = span_of(bytes, len);
		if (check(d, piece, err) != 0 ||
		    queue_accept_write(d->accept, piece, err) != 0)
			return -1;
	}
	return r;
}

static int take(struct drop *d, struct err *err) {
	if (load(d, err) != 0)
		return -1;
	d->queue = drop_open(d->settings.dir, err);
	if (!d->queue || read_envelope(d, err) != 0)
		return -1;
	d->accept = queue_accept_begin(d->queue, &d->envelope, err);
	if (!d->accept || check(d, SPAN(""), err) != 0 || copy_message(d, err) != 0)
		return -1;
	struct queue_accept *whole = d->accept;
	d->accept = NULL;
	return queue_accept_commit(whole, NULL, err);
}

/* Nobody may look into this process, and what it got from its caller ends here. */
static void drop_inheritance(void) {
	proc_start();
	if (clearenv() != 0 || chdir("/") != 0)
		_exit(EX_OSERR);
	umask(0); /* every mode is given in full */
	proc_close_from(STDERR_FILENO + 1);
	prctl(PR_SET_DUMPABLE, 0);
}

int main(int argc, char **argv) {
	struct drop d = { .queue = NULL };
	struct err err = ERR_INIT;
	AUTO_BUF struct buf answer = BUF_INIT(FRAME_ANSWER_MAX);
	(void)argv;
	drop_inheritance();
	if (argc > 1) {
		fputs("usage: nightmail-drop\n"
		      "Is started by send and sendmail, and by nobody else.\n",
		      stderr);
		return EX_USAGE;
	}
	int status = take(&d, &err) == 0 ? EX_OK : exit_code(&err);
	queue_accept_abort(d.accept);
	if (status == EX_OK) {
		buf_addf(&answer, "queued %s", queue_id_text(&d.envelope.id).s);
	} else {
		buf_addf(&answer, "failed %d", status);
		codec_word_add(&answer, "words", span_str(err.msg));
	}
	envelope_release(&d.envelope);
	queue_free(d.queue);
	config_release(&d.settings);
	/* The answer lost, the message stays: it may then be submitted again. */
	return puts(buf_str(&answer)) < 0 || fflush(stdout) != 0 ? EX_IOERR : status;
}
