/*
 * By nightmail-drop, which may write into drop/ because it is set-gid. It is told everything
 * on its standard input (frame.h) and nothing by arguments or environment.
 */

#include "submit/way.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/proc.h"
#include "submit/frame.h"

struct way_helper {
	struct way way;
	struct buf path;
	pid_t pid; /* 0: none */
	int fd;
};

static struct way_helper *self(struct way *w) {
	return (struct way_helper *)w;
}

static void give_up(struct way *w) {
	struct way_helper *h = self(w);
	auto_close(&h->fd);
	h->fd = -1;
	while (h->pid > 0 && waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	h->pid = 0;
}

static int spawn(struct way_helper *h, int channel) {
	static char *const environment[] = { NULL };
	char *argv[] = { h->path.data, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&files) != 0 ||
	    posix_spawnattr_init(&attr) != 0)
		return ENOMEM;
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	int r = posix_spawn_file_actions_adddup2(&files, channel, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&files, channel, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(&h->pid, argv[0], &files, &attr, argv, environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r;
}

static int start(struct way_helper *h, struct err *err) {
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, "%s: cannot start", buf_str(&h->path));
	h->fd = pair[0];
	errno = spawn(h, pair[1]);
	close(pair[1]);
	if (errno == 0)
		return 0;
	h->pid = 0;
	err_sys(err, "%s: cannot execute", buf_str(&h->path));
	give_up(&h->way);
	return -1;
}

/* Reads the answer, which ends with the helper. */
static void read_answer(struct way_helper *h, struct buf *answer) {
	ssize_t n;
	shutdown(h->fd, SHUT_WR);
	do {
		char *room = buf_room(answer, 512);
		if (!room)
			return;
		n = read(h->fd, room, 512);
		if (n > 0)
			buf_grew(answer, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
}

static enum err_kind kind_of(uint64_t code) {
	switch (code) {
	case EX_DATAERR:
		return ERR_SYNTAX;
	case EX_NOPERM:
		return ERR_DENIED;
	default:
		return ERR_REMOTE;
	}
}

/* "queued ID" or "failed CODE words=...". */
static int parse_answer(struct span line, struct queue_id *ret, struct err *err) {
	AUTO_BUF struct buf words = BUF_INIT(FRAME_ANSWER_MAX);
	struct span key, value, code;
	uint64_t n;
	line = span_head(line, span_find(line, '\n'));
	if (span_take_lit(&line, SPAN("queued ")) && queue_id_parse(line, ret))
		return 0;
	if (span_take_lit(&line, SPAN("failed ")) &&
	    codec_word_take(&line, &code, &value) && span_uint(code, 255, &n) &&
	    codec_word_take(&line, &key, &value) && value.p &&
	    codec_percent_decode(&words, value) == 0)
		return err_set(err, kind_of(n), "nightmail-drop: %s", buf_str(&words));
	return err_set(err, ERR_REMOTE, "nightmail-drop ended without an answer");
}

static int finish(struct way_helper *h, struct queue_id *ret, struct err *err) {
	AUTO_BUF struct buf answer = BUF_INIT(FRAME_ANSWER_MAX);
	read_answer(h, &answer);
	give_up(&h->way);
	return parse_answer(buf_span(&answer), ret, err);
}

static int send_all(struct way_helper *h, struct span s, struct err *err) {
	struct queue_id unused;
	while (s.len > 0) {
		ssize_t n = send(h->fd, s.p, s.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) { /* it refused, and says why */
			if (finish(h, &unused, err) == 0)
				err_set(err, ERR_REMOTE, "nightmail-drop is out of step");
			return -1;
		}
		s = span_from(s, (size_t)n);
	}
	return 0;
}

static int send_frame(struct way_helper *h, const char *kind, struct span bytes,
		      struct err *err) {
	char line[FRAME_LINE_MAX];
	int n = snprintf(line, sizeof(line), "%s %zu\n", kind, bytes.len);
	if (send_all(h, span_of(line, (size_t)n), err) != 0)
		return -1;
	return send_all(h, bytes, err);
}

static int begin(struct way *w, const struct envelope *e, uint64_t size,
		 struct err *err) {
	struct way_helper *h = self(w);
	AUTO_BUF struct buf envelope = BUF_INIT(ENVELOPE_MAX);
	(void)size;
	if (envelope_write(e, &envelope) != 0)
		return err_set(err, ERR_LIMIT, "envelope larger than %u bytes",
			       ENVELOPE_MAX);
	if (start(h, err) != 0 || send_all(h, SPAN(FRAME_MAGIC), err) != 0)
		return -1;
	return send_frame(h, "envelope", buf_span(&envelope), err);
}

static int write_some(struct way *w, struct span wire, struct err *err) {
	while (wire.len > 0) {
		struct span some = span_head(wire, FRAME_DATA_MAX);
		if (send_frame(self(w), "data", some, err) != 0)
			return -1;
		wire = span_from(wire, some.len);
	}
	return 0;
}

static int commit(struct way *w, struct queue_id *ret, struct err *err) {
	struct way_helper *h = self(w);
	if (send_all(h, SPAN("commit\n"), err) != 0)
		return -1;
	return finish(h, ret, err);
}

static void release(struct way *w) {
	give_up(w);
	buf_release(&self(w)->path);
	free(w);
}

static const struct way_ops ops = {
	.traced = true,
	.begin = begin,
	.write = write_some,
	.commit = commit,
	.abort = give_up,
	.free = release,
};

struct way *way_open_helper(struct err *err) {
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
		err_set(err, ERR_DENIED,
			"nightmail-drop gets no rights under no_new_privs");
		return NULL;
	}
	struct way_helper *h = calloc(1, sizeof(*h));
	if (!h) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	h->way.ops = &ops;
	h->fd = -1;
	buf_init(&h->path, 4096);
	if (proc_helper("nightmail-drop", &h->path, err) == 0)
		return &h->way;
	release(&h->way);
	return NULL;
}
