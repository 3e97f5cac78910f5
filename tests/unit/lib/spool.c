/*
 * The spool that tests of the queue work in.
 */

#include "lib/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "queue/drop.h"
#include "submit/pickup.h"

const char *spool_make(void) {
	static char path[4096];
	struct err err = ERR_INIT;
	const char *tmp = getenv("TMPDIR");
	if (!tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(path, sizeof(path), "%s/nightmail-test-XXXXXX", tmp);
	if (!mkdtemp(path) || queue_create(path, &err) != 0 ||
	    drop_create(path, getgid(), &err) != 0) {
		fprintf(stderr, "%s: %s %s\n", path, strerror(errno), err.msg);
		exit(1);
	}
	return path;
}

struct queue *spool_open(const char *dir) {
	struct err err = ERR_INIT;
	struct queue *q = queue_open(dir, &err);
	if (!q) {
		printf("Bail out! %s\n", err.msg);
		exit(1);
	}
	return q;
}

static int count_name(void *ctx, const struct queue_id *id) {
	(void)id;
	++*(int *)ctx;
	return 0;
}

int spool_count(struct queue *q) {
	int n = 0;
	queue_scan(q, false, count_name, &n, NULL);
	return n;
}

void spool_text(struct queue *q, const struct queue_id *id, char *text, size_t size) {
	struct queue_claim *c = queue_claim(q, id, NULL, NULL);
	text[0] = '\0';
	if (!c)
		return;
	size_t len = (size_t)queue_claim_message(c)->content_len;
	if (len < size && queue_claim_content(c, 0, text, len, NULL) == 0)
		text[len] = '\0';
	queue_claim_release(c);
}

struct fault {
	unsigned at, seen;
	int error;
};

static int before(void *ctx, const struct file_event *ev) {
	struct fault *f = ctx;
	(void)ev;
	if (++f->seen != f->at)
		return 0;
	if (f->error == 0)
		_exit(0);
	return f->error;
}

bool spool_with_fault(const char *dir, unsigned at, int error, spool_act_fn *act, void *ctx) {
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		struct fault f = { .at = at, .error = error };
		const struct file_hook hook = { .before = before, .ctx = &f };
		struct queue *q = spool_open(dir);
		file_set_hook(&hook);
		act(q, ctx);
		_exit(f.seen < f.at ? 1 : 0);
	}
	int status;
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status) == 0;
}

static void remove_below(int dirfd, const char *name) {
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return;
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0)
			continue;
		remove_below(fd, e->d_name);
		unlinkat(fd, e->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

void spool_remove(const char *dir) {
	remove_below(AT_FDCWD, dir);
	rmdir(dir);
}

struct queue_id spool_id(unsigned n) {
	struct queue_id id = { .bits = { 0x06, 0x45, 0x6c, 0, 0, 0, 0, 0, 0, 0 } };
	for (unsigned i = 0; i < 4; i++)
		id.bits[5 - i] = (uint8_t)(n >> 8 * i);
	id.bits[9] = (uint8_t)n;
	return id;
}

struct envelope spool_envelope(struct queue_id id, unsigned recipients) {
	static char addresses[64][32];
	struct envelope e = {
		.id = id,
		.created = { .wall_ms = 1700000000000,
			     .boot_ms = 5000,
			     .boot_id = 0xabcdef01 },
		.uid = 1000,
		.origin = SPAN("local"),
		.from = SPAN("a@example.org"),
		.to = calloc(recipients, sizeof(struct envelope_recipient)),
		.to_count = recipients,
	};
	for (unsigned i = 0; i < recipients; i++) {
		snprintf(addresses[i % 64], sizeof(addresses[0]), "rcpt%u@example.org",
			 i % 64);
		e.to[i].address = span_str(addresses[i % 64]);
	}
	return e;
}

int spool_accept(struct queue *q, struct queue_id id, unsigned recipients,
		 struct span content) {
	struct envelope e = spool_envelope(id, recipients);
	struct queue_accept *a = queue_accept_begin(q, &e, NULL);
	free(e.to);
	if (!a)
		return -1;
	if (queue_accept_write(a, content, NULL) != 0) {
		queue_accept_abort(a);
		return -1;
	}
	return queue_accept_commit(a, NULL, NULL);
}

int spool_drop(const char *dir, struct queue_id id, unsigned recipients, struct span content) {
	struct queue *drop = drop_open(dir, NULL);
	int result = drop ? spool_accept(drop, id, recipients, content) : -1;
	queue_free(drop);
	return result;
}

static void found(void *ctx, const struct queue_id *id) {
	(void)ctx;
	(void)id;
}

struct queue_claim *spool_pick_up(struct queue *q) {
	struct pickup p = {
		.queue = q,
		.place = { .size_limit = 1 << 20 },
		.host = { .hostname = "relay.example", .domain = "relay.example" },
		.found = found,
	};
	for (int i = 0; i < 10 && pickup_one(&p); i++)
		;
	return p.kept;
}
