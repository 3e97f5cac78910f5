/*
 * A dropped file with any content: it is taken in, put aside or removed, and what comes into
 * the queue can be read there, is local, and is this user's.
 */

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "queue/drop.h"
#include "queue/spool.h"
#include "submit/pickup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];
static struct queue *queue;
static int drop;
static int null_fd, stderr_fd;
static const struct queue_id id = { .bits = { 6, 69, 108, 0, 0, 0, 0, 0, 0, 1 } };

static void require(int condition) {
	if (!condition)
		abort();
}

static void tidy(void) {
	static const char *const parts[] = { "queue", "delivered", "dead", "drop" };
	char part[80];
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(part, sizeof(part), "%s/%s", path, parts[i]);
		rmdir(part);
	}
	snprintf(part, sizeof(part), "%s/lock", path);
	unlink(part);
	rmdir(path);
}

static void start(void) {
	char part[80];
	snprintf(path, sizeof(path), "/dev/shm/nightmail-fuzz-XXXXXX");
	require(mkdtemp(path) && queue_create(path, NULL) == 0 &&
		drop_create(path, getgid(), NULL) == 0);
	snprintf(part, sizeof(part), "%s/drop", path);
	drop = file_opendir(AT_FDCWD, part);
	queue = queue_open(path, NULL);
	require(drop >= 0 && queue && queue_own(queue, NULL) == 0);
	require(atexit(tidy) == 0);
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	require(null_fd >= 0 && stderr_fd >= 0);
}

/* Half of the inputs get a first line that fits, so that the envelope is reached. */
static void write_file(int fd, struct span bytes) {
	char line[FIRST_LINE_LEN];
	size_t at = 0;
	while (at < bytes.len && !span_starts(span_from(bytes, at), SPAN("\n\n")))
		at++;
	size_t envelope = at < bytes.len ? at + 2 : bytes.len;
	struct first_line first = { .envelope_len = envelope,
				    .message_len = bytes.len - envelope,
				    .crc = codec_crc32c(0, bytes.p, bytes.len) };
	first_line_write(line, &first);
	require(file_pwrite_all(fd, line, sizeof(line), 0) == 0);
	require(file_pwrite_all(fd, bytes.p, bytes.len, sizeof(line)) == 0);
}

static void found(void *ctx, const struct queue_id *new_id) {
	struct queue_message m;
	require(*(int *)ctx == 1 && queue_id_cmp(new_id, &id) == 0);
	require(queue_read(queue, &id, false, &m, NULL, NULL) == 0);
	require(m.env.uid == geteuid() && span_eq(m.env.origin, SPAN("local")));
	require(m.env.to_count > 0 && m.content_len > 0);
	queue_message_release(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct queue_id_text name = queue_id_text(&id);
	int mark = 1;
	if (!queue)
		start();
	int fd = openat(drop, name.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	require(fd >= 0);
	if (size > 0 && data[0] == '=')
		require(file_pwrite_all(fd, data + 1, size - 1, 0) == 0);
	else
		write_file(fd, span_of(data, size));
	close(fd);
	struct pickup p = {
		.queue = queue,
		.place = { .size_limit = 1 << 20 },
		.host = { .hostname = "relay.example", .domain = "relay.example" },
		.found = found,
		.ctx = &mark,
	};
	dup2(null_fd, STDERR_FILENO); /* each one is logged */
	bool done = pickup_one(&p);
	dup2(stderr_fd, STDERR_FILENO);
	require(done);
	require(faccessat(drop, name.s, F_OK, 0) != 0);
	unlinkat(queue->queue, name.s, 0);
	queue_dead_remove(queue, &id, NULL);
	return 0;
}
