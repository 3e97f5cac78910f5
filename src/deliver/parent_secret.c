/*
 * One entry a reference. The process that fetches answers with one frame: "ok TOKEN EXPIRES" and a
 * line end, then the secret's bytes; or "error" and the words. It ends itself when that takes too
 * long, and a channel that closes without an answer is an error too.
 */

#include "deliver/parent_secret.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/proc.h"

#define SECRETS_MAX 64
#define ROOM (16u << 10)
#define FRAME_MAX (ROOM + 256)
#define KEPT_MS 300000
#define AHEAD_MS 300000
#define TIME_LIMIT_S 330 /* the lock, the keyring, the token server, the keyring twice */
#define CHILD_FD 3

struct entry {
	char *ref; /* NULL: free */
	bool has, fresh, token, renewed;
	uint64_t serial; /* of what it has */
	size_t len;
	int64_t expires, until_ms;
	pid_t pid; /* of who fetches it, or 0 */
	int fd;
	struct loop_watch *watch;
	struct secrets *all;
};

struct secrets {
	struct loop *loop;
	secrets_ready_fn *fn;
	void *ctx;
	struct entry entry[SECRETS_MAX];
	char *memory; /* ROOM for each entry */
	uint64_t serial; /* the last one */
	struct buf frame;
};

static char *room_of(const struct entry *e) {
	return e->all->memory + (size_t)(e - e->all->entry) * ROOM;
}

struct secrets *secrets_new(struct loop *loop, secrets_ready_fn *fn, void *ctx) {
	struct secrets *s = calloc(1, sizeof(*s));
	const size_t size = (size_t)SECRETS_MAX * ROOM;
	if (!s)
		return NULL;
	buf_init(&s->frame, PROC_FRAME_MAX);
	s->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->memory == MAP_FAILED || madvise(s->memory, size, MADV_WIPEONFORK) != 0 ||
	    madvise(s->memory, size, MADV_DONTDUMP) != 0 ||
	    !buf_room(&s->frame, PROC_FRAME_MAX)) {
		if (s->memory != MAP_FAILED)
			munmap(s->memory, size);
		buf_release(&s->frame);
		free(s);
		return NULL;
	}
	s->loop = loop;
	s->fn = fn;
	s->ctx = ctx;
	return s;
}

static void forget(struct entry *e) {
	explicit_bzero(room_of(e), e->len);
	e->len = 0;
	e->has = false;
}

static void stop_fetching(struct entry *e) {
	loop_unwatch(e->watch);
	e->watch = NULL;
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

static void drop(struct entry *e) {
	forget(e);
	stop_fetching(e);
	free(e->ref);
	*e = (struct entry){ .ref = NULL };
}

void secrets_free(struct secrets *s) {
	if (!s)
		return;
	for (size_t i = 0; i < SECRETS_MAX; i++) {
		if (!s->entry[i].ref)
			continue;
		if (s->entry[i].pid > 0 && !creds_is_token(span_str(s->entry[i].ref)))
			kill(s->entry[i].pid, SIGKILL);
		drop(&s->entry[i]);
	}
	munmap(s->memory, (size_t)SECRETS_MAX * ROOM);
	buf_release(&s->frame);
	free(s);
}

static struct entry *find(struct secrets *s, const char *ref) {
	for (size_t i = 0; i < SECRETS_MAX; i++)
		if (s->entry[i].ref && strcmp(s->entry[i].ref, ref) == 0)
			return &s->entry[i];
	return NULL;
}

/* A free one, or one that nobody waits for. */
static struct entry *add(struct secrets *s, const char *ref) {
	struct entry *e = NULL;
	for (size_t i = 0; i < SECRETS_MAX && (!e || e->ref); i++)
		if (!s->entry[i].ref || s->entry[i].pid == 0)
			e = &s->entry[i];
	if (!e)
		return NULL;
	if (e->ref)
		drop(e);
	*e = (struct entry){ .ref = strdup(ref), .fd = -1, .all = s };
	return e->ref ? e : NULL;
}

/* --- the process that fetches --- */

static void answer(int fd, const struct creds_secret *got, const struct err *error) {
	struct buf frame = BUF_INIT(FRAME_MAX);
	if (!buf_room(&frame, FRAME_MAX))
		return;
	if (error) {
		buf_addf(&frame, "error\n%s", error->msg);
	} else {
		buf_addf(&frame, "ok %d %lld\n", got->token, (long long)got->expires);
		buf_addm(&frame, got->secret.p, got->secret.len);
	}
	if (!buf_failed(&frame))
		proc_send(fd, buf_span(&frame), -1);
	buf_wipe(&frame);
	buf_release(&frame);
}

_Noreturn static void be_fetcher(const struct entry *e, int fd, pid_t parent) {
	struct creds_secret got;
	struct err err = ERR_INIT;
	proc_die_with(parent, SIGTERM);
	loop_signals_reset();
	signal(SIGPIPE, SIG_IGN);
	closelog(); /* else syslog(3) would write to whatever gets its descriptor's number */
	if (fd != CHILD_FD && dup2(fd, CHILD_FD) < 0)
		_exit(EXIT_FAILURE);
	proc_close_from(CHILD_FD + 1);
	if (creds_is_token(span_str(e->ref)))
		signal(SIGTERM, SIG_IGN); /* a refresh that was begun has to be written down */
	alarm(TIME_LIMIT_S);
	int r = creds_get(span_str(e->ref), e->fresh, &got, &err);
	answer(CHILD_FD, &got, r == 0 ? NULL : &err);
	if (r == 0)
		secret_release(&got.secret);
	_exit(EXIT_SUCCESS);
}

/* --- the parent's end --- */

/* Before a token is over its end must not be close. */
static int64_t kept_ms(const struct entry *e) {
	int64_t left = e->expires > 0 ? e->expires * 1000 - clock_wall_ms() : KEPT_MS;
	if (e->expires > 0)
		left -= left / 10 < AHEAD_MS ? left / 10 : AHEAD_MS;
	return left > 0 ? left : 0;
}

static bool take_ok(struct entry *e, struct span frame) {
	uint64_t token, expires;
	if (!span_take_lit(&frame, SPAN("ok ")) || !span_take_uint(&frame, 1, &token) ||
	    !span_take_char(&frame, ' ') || !span_take_uint(&frame, INT64_MAX / 2000, &expires) ||
	    !span_take_char(&frame, '\n') || frame.len > ROOM)
		return false;
	memcpy(room_of(e), frame.p, frame.len);
	e->len = frame.len;
	e->token = token != 0;
	e->expires = (int64_t)expires;
	e->has = true;
	e->renewed = e->fresh;
	e->fresh = false;
	e->serial = ++e->all->serial;
	e->until_ms = clock_boot_ms() + kept_ms(e);
	return true;
}

static void on_answer(void *ctx, int fd, short revents) {
	struct entry *e = ctx;
	struct secrets *s = e->all;
	struct err err = ERR_INIT;
	(void)revents;
	int r = proc_recv(fd, &s->frame, NULL);
	if (r < 0 && errno == EAGAIN)
		return;
	struct span frame = buf_span(&s->frame);
	stop_fetching(e);
	bool fine = r > 0 && take_ok(e, frame);
	if (!fine && r > 0 && span_take_lit(&frame, SPAN("error\n")))
		err_set(&err, ERR_DENIED, "%.*s", (int)frame.len, frame.p);
	else if (!fine)
		err_set(&err, ERR_REMOTE, "the password was not to be had within %d s",
			TIME_LIMIT_S);
	buf_wipe(&s->frame);
	AUTO_FREE char *ref = strdup(e->ref);
	if (ref)
		s->fn(s->ctx, ref, fine ? NULL : &err);
}

static int begin(struct secrets *s, struct entry *e, struct err *err) {
	int pair[2];
	if (proc_channel(pair, err) != 0)
		return -1;
	pid_t self = getpid();
	if (e->pid > 0) /* it has answered, and is about to end */
		waitpid(e->pid, NULL, 0);
	e->pid = fork();
	if (e->pid == 0)
		be_fetcher(e, pair[1], self);
	close(pair[1]);
	e->fd = pair[0];
	if (e->pid > 0)
		e->watch = loop_watch(s->loop, e->fd, POLLIN, on_answer, e);
	if (e->watch)
		return 0;
	if (e->pid > 0)
		kill(e->pid, SIGKILL);
	else
		e->pid = 0;
	stop_fetching(e);
	return err_set(err, ERR_MEMORY, "cannot start what fetches the password");
}

int secrets_find(struct secrets *s, const char *ref, struct creds_secret *ret, struct err *err) {
	struct entry *e = find(s, ref);
	if (!e)
		e = add(s, ref);
	if (!e)
		return err_set(err, ERR_MEMORY, "too many passwords are fetched at once");
	if (e->watch)
		return 0;
	if (e->has && clock_boot_ms() <= e->until_ms) {
		*ret = (struct creds_secret){
			.secret = { span_dup(span_of(room_of(e), e->len)), e->len },
			.token = e->token,
			.expires = e->expires,
			.renewed = e->renewed,
			.serial = e->serial,
		};
		return ret->secret.p ? 1 : err_set(err, ERR_MEMORY, "out of memory");
	}
	forget(e);
	return begin(s, e, err);
}

void secrets_refused(struct secrets *s, const char *ref, uint64_t serial) {
	struct entry *e = find(s, ref);
	if (!e || e->watch || e->serial != serial)
		return;
	forget(e);
	e->fresh = true;
}

/* Whoever fetched has answered, or the end of its channel says that it has not. */
void secrets_reap(struct secrets *s) {
	for (size_t i = 0; i < SECRETS_MAX; i++) {
		struct entry *e = &s->entry[i];
		if (e->ref && e->pid > 0 && waitpid(e->pid, NULL, WNOHANG) == e->pid)
			e->pid = 0;
	}
}
