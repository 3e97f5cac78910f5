/*
 * nightmail-deliver as a program, driven over its channel as nightmaild drives it, against
 * the sink with TLS and login.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "deliver/wire.h"
#include "lib/peer.h"
#include "lib/spool.h"
#include "net/tls.h"
#include "queue/queue.h"
#include "tap.h"

#define WAIT_MS 20000
#define PATH_BYTES 4400

struct bench {
	char dir[4096], tls[PATH_BYTES], good[PATH_BYTES], wrong[PATH_BYTES],
		open[PATH_BYTES];
	struct queue *q;
	unsigned next_id;
	pid_t deliver, sink;
	int control;
	uint16_t port;
	struct buf said;    /* by nightmail-deliver */
	struct buf reports; /* by the worker */
};

static char host_ip[] = "127.0.0.1", host_name[] = "localhost", helo[] = "client.example",
	    domain[] = "example.org", relay_name[] = "default", login[] = "user";

/* The programs stand beside tests/, where this one stands. */
static void program_path(struct buf *out, const char *name) {
	char self[PATH_BYTES];
	const char *build = getenv("NIGHTMAIL_BUILD");
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
	}
	buf_addf(out, "%s/%s", build ? build : self, name);
}

static void write_file(char *path, const struct bench *b, const char *name,
		       const char *text, mode_t mode) {
	snprintf(path, PATH_BYTES, "%s/%s", b->dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) != 0)
		exit(1);
	close(fd);
}

/* Starts the sink, its words in a file; its first line tells the port. */
static void start_sink(struct bench *b, const char *const *more) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_BYTES);
	char out[PATH_BYTES], auth[2 * PATH_BYTES], line[8192] = "";
	program_path(&path, "nightmail");
	write_file(out, b, "sink.out", "", 0600);
	snprintf(auth, sizeof(auth), "%s:%s", login, b->good);
	const char *argv[16] = { buf_str(&path), "sink", "--auth", auth };
	for (size_t i = 4; more && *more && i < 15; i++)
		argv[i] = *more++;
	fflush(stdout);
	pid_t self = getpid();
	b->sink = fork();
	if (b->sink == 0) {
		int fd = open(out, O_WRONLY | O_APPEND);
		proc_die_with(self, SIGKILL);
		dup2(fd, STDOUT_FILENO);
		execv(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	for (int i = 0; i < 1000 && !strchr(line, '\n'); i++) {
		int fd = open(out, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, line, sizeof(line) - 1);
		line[n > 0 ? n : 0] = '\0';
		close(fd);
		usleep(10000);
	}
	line[strcspn(line, "\n")] = '\0';
	const char *colon = strrchr(line, ':');
	b->port = colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
}

static void end(pid_t *pid) {
	if (*pid > 0) {
		kill(*pid, SIGTERM);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

static void start_deliver(struct bench *b) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_BYTES);
	struct err err = ERR_INIT;
	int fds[2];
	program_path(&path, "nightmail-deliver");
	const char *const argv[] = { buf_str(&path), NULL };
	if (proc_channel(fds, &err) != 0)
		exit(1);
	b->control = fds[0];
	b->deliver = proc_spawn(argv, fds[1], &err);
	close(fds[1]);
	if (b->deliver < 0)
		printf("# %s\n", err.msg);
}

static void open_bench(struct bench *b) {
	*b = (struct bench){ .said = BUF_INIT(1 << 20), .reports = BUF_INIT(1 << 20) };
	snprintf(b->dir, sizeof(b->dir), "%s", spool_make());
	b->q = queue_open(b->dir, NULL);
	write_file(b->good, b, "good", "open sesame\n", 0600);
	write_file(b->wrong, b, "wrong", "abracadabra\n", 0600);
	write_file(b->open, b, "open", "open sesame\n", 0644);
	snprintf(b->tls, sizeof(b->tls), "%s/tls", b->dir);
	start_deliver(b);
}

static int close_bench(struct bench *b) {
	int status = -1;
	close(b->control);
	for (int i = 0; i < 2000 && waitpid(b->deliver, &status, WNOHANG) == 0; i++)
		usleep(5000);
	end(&b->sink);
	queue_free(b->q);
	buf_release(&b->said);
	buf_release(&b->reports);
	spool_remove(b->dir);
	return status;
}

static void receive(int fd, struct buf *into, bool *open) {
	AUTO_BUF struct buf frame = BUF_INIT(PROC_FRAME_MAX);
	int r = proc_recv(fd, &frame, NULL);
	if (r > 0)
		buf_add(into, buf_span(&frame));
	else if (r == 0)
		*open = false;
}

/* Runs one worker with one message until it has left. refs: password reference and CA file. */
static void run(struct bench *b, struct wire_worker *w, const char *password,
		const char *ca) {
	AUTO_BUF struct buf line = BUF_INIT(PROC_FRAME_MAX), message = BUF_INIT(1024);
	char ref[PATH_BYTES + 8], ca_path[PATH_BYTES];
	struct queue_id id = spool_id(b->next_id++);
	struct err err = ERR_INIT;
	int fds[2];
	bool open = true;
	spool_accept(b->q, id, 1, SPAN("Subject: x\r\n\r\nbody\r\n"));
	snprintf(ref, sizeof(ref), "file:%s", password ? password : "");
	snprintf(ca_path, sizeof(ca_path), "%s", ca ? ca : "");
	w->dir = b->dir;
	w->helo = helo;
	w->domain = domain;
	w->retry_min_ms = w->retry_max_ms = 60000;
	w->idle_ms = 200;
	w->relay.name = relay_name;
	w->relay.host_count = 1;
	w->relay.port = b->port;
	w->relay.per_connection = 1000;
	w->relay.connect_timeout_ms = w->relay.reply_timeout_ms =
		w->relay.data_timeout_ms = 10000;
	w->relay.login = password ? login : NULL;
	w->relay.password = password ? ref : NULL;
	w->relay.ca = ca ? ca_path : NULL;
	buf_reset(&b->said);
	buf_reset(&b->reports);
	if (proc_channel(fds, &err) != 0)
		exit(1);
	wire_worker_write(&line, w);
	wire_message_write(&message, &(struct wire_message){ .id = id });
	/* The message first: a worker that finds none leaves after its idle time. */
	if (proc_send(fds[0], buf_span(&message), -1) != 0 ||
	    proc_send(b->control, buf_span(&line), fds[1]) != 0)
		printf("# cannot send\n");
	close(fds[1]);
	int64_t until = clock_boot_ms() + WAIT_MS;
	bool over = false;
	while (!over && clock_boot_ms() < until) {
		struct pollfd p[] = { { .fd = open ? fds[0] : -1, .events = POLLIN },
				      { .fd = b->control, .events = POLLIN } };
		bool alive = true;
		poll(p, 2, 1000);
		if (p[0].revents)
			receive(fds[0], &b->reports, &open);
		if (p[1].revents)
			receive(b->control, &b->said, &alive);
		over = !alive || (!open && b->said.len > 0) ||
		       strncmp(buf_str(&b->said), "trouble", 7) == 0;
	}
	close(fds[0]);
}

static bool has(const struct buf *text, const char *part, const char *name) {
	bool found = ok(strstr(buf_str(text), part) != NULL, "%s", name);
	if (!found)
		printf("#   said: %s\n", buf_str(text));
	return found;
}

static void test_trouble(void) {
	struct bench b;
	struct wire_worker w = { .relay = { .host = { host_ip },
					    .tls = CONFIG_TLS_STARTTLS } };
	char missing[PATH_BYTES];
	open_bench(&b);
	snprintf(missing, sizeof(missing), "%s/missing", b.dir);
	b.port = peer_closed_port();
	run(&b, &w, b.open, b.good);
	has(&b.said, "trouble slot=0", "a CA file without a certificate is trouble");
	has(&b.said, "no%20certificate%20in%20it", "in words");
	w.relay.tls = CONFIG_TLS_NONE;
	run(&b, &w, b.open, NULL);
	has(&b.said, "trouble slot=0", "a password that others can read is trouble");
	run(&b, &w, missing, NULL);
	has(&b.said, "/missing", "a password file that is missing is named");
	ok(!strstr(buf_str(&b.said), "sesame"), "no password is in the words");
	w.slot = 200;
	run(&b, &w, NULL, NULL);
	has(&b.said, "trouble slot=200", "a slot that cannot be is refused");
	w.slot = 0;
	run(&b, &w, NULL, NULL);
	has(&b.reports, "down stage=connect", "after all that a worker can be started");
	has(&b.said, "exited slot=0 status=0", "and its end is told");
	is_int(close_bench(&b), 0, "at the end of its channel the program leaves");
}

static void test_tls(void) {
	struct bench b;
	struct wire_worker w = {
		.slot = 3, .relay = { .host = { host_ip }, .tls = CONFIG_TLS_STARTTLS }
	};
	char ca[PATH_BYTES + 16];
	open_bench(&b);
	const char *const options[] = { "--tls", b.tls, "--require-auth", NULL };
	start_sink(&b, options);
	snprintf(ca, sizeof(ca), "%s/ca.pem", b.tls);
	run(&b, &w, b.good, ca);
	has(&b.reports, "auth=SCRAM-SHA-256-PLUS verified=1",
	    "a worker logs in under verified TLS");
	has(&b.reports, "\ndone ", "and delivers");
	w.relay.host[0] = host_name;
	run(&b, &w, b.wrong, ca);
	has(&b.reports, "down stage=AUTH code=535", "a wrong password holds the relay");
	w.relay.tls = CONFIG_TLS_STARTTLS;
	run(&b, &w, b.good, "/etc/ssl/certs/ca-certificates.crt");
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0)
		has(&b.reports, "words=the%20certificate%20is%20not%20trusted",
		    "a certificate of a strange CA holds the relay");
	static char plain[] = "PLAIN LOGIN";
	w.relay.tls = CONFIG_TLS_OPPORTUNISTIC;
	w.relay.auth = plain;
	run(&b, &w, b.good, ca);
	has(&b.reports, "auth=PLAIN verified=1",
	    "opportunistic TLS that verifies may show the password");
	/* another CA: the sink's own certificate is no CA that signed it */
	AUTO_BUF struct buf cert = BUF_INIT(PATH_BYTES);
	buf_addf(&cert, "%s/other", b.dir);
	mkdir(buf_str(&cert), 0700);
	AUTO_FD int dir = open(buf_str(&cert), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *const names[] = { "elsewhere.example" };
	tls_make_test_files(dir, names, 1, 2, NULL);
	buf_adds(&cert, "/ca.pem");
	run(&b, &w, b.good, buf_str(&cert));
	has(&b.reports, "down stage=AUTH", "one that does not verify shows no password");
	has(&b.reports, "are%20left%20would%20show%20the%20password", "and says so");
	w.relay.auth = NULL;
	run(&b, &w, b.good, buf_str(&cert));
	has(&b.reports, "auth=SCRAM-SHA-256-PLUS verified=0",
	    "SCRAM shows none, and may be used");
	is_int(close_bench(&b), 0, "the program leaves");
}

static void test_no_tls_offered(void) {
	struct bench b;
	struct wire_worker w = { .relay = { .host = { host_ip },
					    .tls = CONFIG_TLS_STARTTLS } };
	char ca[PATH_BYTES + 16];
	open_bench(&b);
	mkdir(b.tls, 0700);
	AUTO_FD int dir = open(b.tls, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *const names[] = { "localhost" };
	tls_make_test_files(dir, names, 1, 2, NULL);
	snprintf(ca, sizeof(ca), "%s/ca.pem", b.tls);
	start_sink(&b, NULL);
	run(&b, &w, NULL, ca);
	has(&b.reports, "words=no%20TLS%20offered",
	    "no STARTTLS offered holds the relay");
	w.relay.tls = CONFIG_TLS_IMPLICIT;
	run(&b, &w, NULL, ca);
	has(&b.reports, "down stage=TLS", "TLS spoken to a plain port holds it too");
	w.relay.tls = CONFIG_TLS_OPPORTUNISTIC;
	run(&b, &w, NULL, ca);
	has(&b.reports, "\ndone ", "opportunistic TLS does without");
	close_bench(&b);
}

/* The bundle is loaded again when the file changes. */
static void test_new_bundle(void) {
	struct bench b;
	struct wire_worker w = { .relay = { .host = { host_ip },
					    .tls = CONFIG_TLS_IMPLICIT } };
	char ca[PATH_BYTES + 16], copy[PATH_BYTES];
	AUTO_BUF struct buf pem = BUF_INIT(1 << 20);
	open_bench(&b);
	const char *const options[] = { "--tls", b.tls, "--implicit-tls", NULL };
	start_sink(&b, options);
	snprintf(ca, sizeof(ca), "%s/other", b.dir);
	mkdir(ca, 0700);
	AUTO_FD int dir = open(ca, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *const names[] = { "localhost" };
	tls_make_test_files(dir, names, 1, 2, NULL);
	file_read(dir, "ca.pem", &pem, NULL);
	write_file(copy, &b, "bundle", buf_str(&pem), 0644);
	run(&b, &w, NULL, copy);
	has(&b.reports, "words=the%20certificate%20is%20not%20trusted",
	    "the wrong bundle does not do");
	snprintf(ca, sizeof(ca), "%s/ca.pem", b.tls);
	buf_reset(&pem);
	file_read(AT_FDCWD, ca, &pem, NULL);
	write_file(copy, &b, "bundle", buf_str(&pem), 0644);
	run(&b, &w, NULL, copy);
	has(&b.reports, "\ndone ", "a new one is used at once");
	close_bench(&b);
}

int main(void) {
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (!getenv("DELIVERY_LOG") && null >= 0)
		dup2(null, STDERR_FILENO); /* the programs' log */
	test_trouble();
	test_tls();
	test_no_tls_offered();
	test_new_bundle();
	return done_testing();
}
