/*
 * The client of nightmail-secret, and the frames between the two. Every buffer that a secret
 * passes through has all of its room from the start, and is wiped.
 */

#include "creds/keyring.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/proc.h"

#define TIMEOUT_MS 30000

static const char *const acts[] = {
	[KEYRING_GET] = "get",
	[KEYRING_SET] = "set",
	[KEYRING_TEST] = "test",
	[KEYRING_DELETE] = "delete",
};

static const struct {
	enum err_kind kind;
	const char *word;
} kinds[] = {
	{ ERR_MISSING, "missing" },
	{ ERR_DENIED, "denied" },
	{ ERR_SYSTEM, "system" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int keyring_request_write(struct buf *out, enum keyring_act act, struct span entry,
			  struct span secret) {
	buf_adds(out, acts[act]);
	buf_addc(out, ' ');
	codec_percent_add(out, entry);
	if (act == KEYRING_SET) {
		buf_addc(out, ' ');
		codec_percent_add(out, secret);
	}
	return buf_failed(out) ? -1 : 0;
}

/* The next word without a value. */
static bool take(struct span *line, struct span *ret) {
	struct span value;
	return codec_word_take(line, ret, &value) && !value.p;
}

int keyring_request_parse(struct span frame, enum keyring_act *ret, struct buf *entry,
			  struct buf *secret, struct err *err) {
	struct span word, name, bytes;
	bool known = false;
	buf_reset(entry);
	buf_reset(secret);
	if (take(&frame, &word))
		for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
			if (span_eq(word, span_str(acts[i]))) {
				*ret = (enum keyring_act)i;
				known = true;
			}
	if (!known || !take(&frame, &name) || codec_percent_decode(entry, name) != 0 ||
	    (*ret == KEYRING_SET &&
	     (!take(&frame, &bytes) || codec_percent_decode(secret, bytes) != 0)) ||
	    frame.len > 0)
		return err_set(err, ERR_SYNTAX, "the request is not understood");
	return 0;
}

int keyring_answer_write(struct buf *out, struct span secret, const struct err *error) {
	const char *kind = "system";
	if (!error) {
		buf_adds(out, "ok ");
		codec_percent_add(out, secret);
		return buf_failed(out) ? -1 : 0;
	}
	for (size_t i = 0; i < KINDS; i++)
		if (error->kind == kinds[i].kind)
			kind = kinds[i].word;
	buf_addf(out, "error %s ", kind);
	codec_percent_add(out, span_str(error->msg));
	return buf_failed(out) ? -1 : 0;
}

static int parse_error(struct span frame, struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(ERR_MSG_SIZE);
	enum err_kind kind = ERR_REMOTE;
	struct span word, words;
	if (!take(&frame, &word) || !take(&frame, &words) ||
	    codec_percent_decode(&text, words) != 0)
		return err_set(err, ERR_SYNTAX, "the answer is not understood");
	for (size_t i = 0; i < KINDS; i++)
		if (span_eq(word, span_str(kinds[i].word)))
			kind = kinds[i].kind;
	return err_set(err, kind, "%s", buf_str(&text));
}

int keyring_answer_parse(struct span frame, struct secret *ret, struct err *err) {
	struct buf plain = BUF_INIT(SECRET_MAX);
	struct span word, bytes;
	if (!take(&frame, &word))
		return err_set(err, ERR_SYNTAX, "the answer is not understood");
	if (span_eq(word, SPAN("error")))
		return parse_error(frame, err);
	char *room = buf_room(&plain, SECRET_MAX);
	if (!room || !span_eq(word, SPAN("ok")) || !take(&frame, &bytes) || frame.len > 0 ||
	    codec_percent_decode(&plain, bytes) != 0) {
		if (room)
			buf_wipe(&plain);
		buf_release(&plain);
		return err_set(err, ERR_SYNTAX, "the answer is not understood");
	}
	if (ret)
		*ret = (struct secret){ .p = span_dup(buf_span(&plain)), .len = plain.len };
	buf_wipe(&plain);
	buf_release(&plain);
	return ret && !ret->p ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

static int await(int fd, struct buf *in, struct err *err) {
	int64_t end = clock_boot_ms() + TIMEOUT_MS;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_boot_ms();
		if (left <= 0)
			return err_set(err, ERR_TIMEOUT,
				       "the keyring does not answer within %d s",
				       TIMEOUT_MS / 1000);
		poll(&p, 1, (int)left);
		int r = proc_recv(fd, in, NULL);
		if (r > 0)
			return 0;
		if (r == 0)
			return err_set(err, ERR_REMOTE,
				       "nightmail-secret ended without an answer");
		if (errno != EAGAIN && errno != EINTR)
			return err_sys(err, "nightmail-secret");
	}
}

static int start(int *ret_fd, pid_t *ret_pid, struct err *err) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	int pair[2];
	if (proc_helper("nightmail-secret", &path, err) != 0) {
		err_prefix(err, "the keyring needs the package nightmail-secret");
		return -1;
	}
	if (proc_channel(pair, err) != 0)
		return -1;
	const char *const argv[] = { buf_str(&path), NULL };
	*ret_pid = proc_spawn(argv, pair[1], err);
	close(pair[1]);
	*ret_fd = pair[0];
	if (*ret_pid >= 0)
		return 0;
	close(pair[0]);
	return -1;
}

int keyring_ask(enum keyring_act act, struct span entry, struct span secret,
		struct secret *ret, struct err *err) {
	struct buf frame = BUF_INIT(KEYRING_FRAME_MAX);
	int fd, r = -1;
	pid_t pid;
	if (start(&fd, &pid, err) != 0)
		return -1;
	if (!buf_room(&frame, KEYRING_FRAME_MAX) ||
	    keyring_request_write(&frame, act, entry, secret) != 0)
		err_set(err, ERR_LIMIT, "the secret is too long");
	else if (proc_send(fd, buf_span(&frame), -1) != 0)
		err_sys(err, "nightmail-secret");
	else if (await(fd, &frame, err) == 0)
		r = keyring_answer_parse(buf_span(&frame), ret, err);
	close(fd);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	buf_wipe(&frame);
	buf_release(&frame);
	return r;
}
