/*
 * nightmail sink: listens, forks a process for each connection, ends on SIGTERM, SIGINT or
 * after --max messages. All processes share one page of counters. The sessions die with this
 * process; when it ends in order they get a moment to tell their clients.
 */
#include "cli/nightmail_sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/proc.h"
#include "base/term.h"
#include "cli/sink.h"

#define CERTIFICATE_DAYS 365
#define GRACE_MS 2000
#define BACKLOG 511

struct parent {
	struct sink sink;
	struct loop *loop;
	struct loop_watch *watch;
	int listener;
	pid_t *children; /* 0: free place */
	size_t room, running;
};

static int complain(int status, const struct err *err) {
	AUTO_BUF struct buf safe = BUF_INIT(2048);

	term_safe_again(&safe, span_str(err->msg));
	fprintf(stderr, "nightmail sink: %s\n", buf_str(&safe));
	return status;
}

static int open_dir(const char *name, struct err *err) {
	int fd;

	if (file_mkdir(AT_FDCWD, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s: cannot make the directory", name);
	fd = file_opendir(AT_FDCWD, name);
	return fd < 0 ? err_sys(err, "%s: cannot open the directory", name) : fd;
}

/* The highest N of files N.eml and N.json: a sink that is started again goes on from there. */
static unsigned long highest_number(int dirfd) {
	unsigned long highest = 0;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct span name = span_str(entry->d_name);
		uint64_t n;

		if (span_take_uint(&name, UINT32_MAX, &n) && n > highest &&
		    (span_eq(name, SPAN(".eml")) || span_eq(name, SPAN(".json"))))
			highest = n;
	}
	if (dir)
		closedir(dir);
	return highest;
}

static int load_tls_dir(struct sink *sink, struct err *err) {
	const struct sink_options *o = sink->options;
	const char *const names[] = { o->name, "localhost", "127.0.0.1", "::1" };
	/* "localhost" is the usual name: once is enough. */
	size_t skip = strcmp(o->name, "localhost") == 0;
	AUTO_BUF struct buf cert = BUF_INIT(4096), key = BUF_INIT(4096);
	AUTO_FD int dirfd = open_dir(o->tls_dir, err);

	if (dirfd < 0)
		return -1;
	if (faccessat(dirfd, "cert.pem", F_OK, 0) < 0 && errno == ENOENT &&
	    tls_make_test_files(dirfd, names + skip, 4 - skip, CERTIFICATE_DAYS, err) < 0)
		return -1;
	buf_addf(&cert, "%s/cert.pem", o->tls_dir);
	if (buf_addf(&key, "%s/key.pem", o->tls_dir) < 0 || buf_failed(&cert))
		return err_set(err, ERR_LIMIT, "%s: the path is too long", o->tls_dir);
	sink->tls = tls_server_new(buf_str(&cert), buf_str(&key), err);
	return sink->tls ? tls_server_tickets(sink->tls, err) : -1;
}

static int load_tls(struct sink *sink, struct err *err) {
	const struct sink_options *o = sink->options;

	if (o->tls_dir)
		return load_tls_dir(sink, err);
	if (!o->cert_file)
		return 0;
	sink->tls = tls_server_new(o->cert_file, o->key_file, err);
	return sink->tls ? tls_server_tickets(sink->tls, err) : -1;
}

static int load_password(struct sink *sink, struct err *err) {
	AUTO_BUF struct buf ref = BUF_INIT(4096);

	if (!sink->options->password_file)
		return 0;
	if (buf_addf(&ref, "file:%s", sink->options->password_file) < 0)
		return err_set(err, ERR_LIMIT,
			       "the path of the password file is too long");
	return creds_fetch(buf_span(&ref), &sink->password, err);
}

/* Memory and lock that every session's process shares. */
static int share(struct sink *sink, struct err *err) {
	void *p = mmap(NULL, sizeof(*sink->shared), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(err, "cannot share memory");
	sink->shared = p;
	sink->lock_fd = memfd_create("sink-lock", MFD_CLOEXEC);
	return sink->lock_fd < 0 ? err_sys(err, "cannot make a lock") : 0;
}

static int listen_at(struct net_addr *a, struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(64);
	AUTO_FD int fd = socket(a->sa.ss_family,
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	net_addr_add(&text, a);
	if (fd < 0)
		return err_sys(err, "cannot make a socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return err_sys(err, "cannot listen at %s port %u", buf_str(&text),
			       net_addr_port(a));
	if (getsockname(fd, (struct sockaddr *)&a->sa, &a->len) < 0)
		return err_sys(err, "cannot tell the port");
	return take_fd(&fd);
}

static void tell_listening(const struct sink *sink, const struct net_addr *a) {
	AUTO_BUF struct buf text = BUF_INIT(64), line = BUF_INIT(256);
	bool v6;

	net_addr_add(&text, a);
	v6 = span_find(buf_span(&text), ':') < text.len;
	if (sink->options->json) {
		struct json j = json_into(&line);

		json_object(&j, NULL);
		json_str(&j, "event", SPAN("listening"));
		json_str(&j, "address", buf_span(&text));
		json_int(&j, "port", net_addr_port(a));
		json_end(&j);
		buf_addc(&line, '\n');
	} else {
		buf_addf(&line, v6 ? "listening [%s]:%u\n" : "listening %s:%u\n",
			 buf_str(&text), net_addr_port(a));
	}
	sink_print(sink, buf_span(&line));
	if (!net_addr_is_loopback(a))
		fprintf(stderr,
			"nightmail sink: warning: %s can be reached from the network, and takes mail "
			"from everybody\n",
			buf_str(&text));
}

/* In the child: drops what is the parent's, then serves. Does not return. */
__attribute__((noreturn)) static void become_session(struct parent *p, pid_t parent,
						     int fd,
						     const struct net_addr *peer) {
	proc_die_with(parent, SIGTERM);
	loop_signals_reset();
	signal(SIGPIPE, SIG_IGN);
	loop_free(p->loop);
	close(p->listener);
	_exit(sink_session(&p->sink, fd, peer));
}

static void start_session(struct parent *p, int fd, const struct net_addr *peer) {
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		become_session(p, parent, fd, peer);
	close(fd);
	if (pid < 0) {
		fprintf(stderr, "nightmail sink: cannot fork: %s\n", strerror(errno));
		return;
	}
	for (size_t i = 0; i < p->room; i++) {
		if (p->children[i] != 0)
			continue;
		p->children[i] = pid;
		p->running++;
		break;
	}
	if (p->running == p->room)
		loop_watch_events(p->watch, 0);
}

/* Reaps; true when a session took the last message of --max. */
static bool reap(struct parent *p) {
	bool last = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < p->room; i++) {
			if (p->children[i] != pid)
				continue;
			p->children[i] = 0;
			p->running--;
		}
		last = last ||
		       (WIFEXITED(status) && WEXITSTATUS(status) == SINK_EXIT_LAST);
	}
	return last;
}

/* One connection too many, as a server with a limit words it. */
static void turn_away(const struct parent *p, int client) {
	AUTO_BUF struct buf text = BUF_INIT(512);

	if (!p->sink.options->implicit_tls) {
		buf_addf(&text, "421 4.7.0 %s Error: too many connections\r\n",
			 p->sink.options->name);
		send(client, buf_str(&text), text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	close(client);
	sink_tell(&p->sink, &(struct sink_event){ .name = "turned-away", .code = 421 });
}

static void on_connection(void *ctx, int fd, short revents) {
	struct parent *p = ctx;
	struct net_addr peer = { .len = sizeof(peer.sa) };
	int client = accept4(fd, (struct sockaddr *)&peer.sa, &peer.len, SOCK_CLOEXEC);

	(void)revents;
	if (client < 0)
		return;
	uint64_t most = p->sink.options->busy_beyond;
	if (most > 0 && reap(p))
		loop_stop(p->loop, EX_OK);
	if (most > 0 && p->running >= most)
		turn_away(p, client);
	else
		start_session(p, client, &peer);
}

static void on_child(void *ctx, int signo) {
	struct parent *p = ctx;

	(void)signo;
	if (reap(p))
		loop_stop(p->loop, EX_OK);
	else
		loop_watch_events(p->watch, POLLIN);
}

static void on_stop(void *ctx, int signo) {
	struct parent *p = ctx;

	(void)signo;
	loop_stop(p->loop, EX_OK);
}

static void signal_children(const struct parent *p, int signo) {
	for (size_t i = 0; i < p->room; i++) {
		if (p->children[i] != 0)
			kill(p->children[i], signo);
	}
}

static void end_children(struct parent *p) {
	int64_t deadline = clock_boot_ms() + GRACE_MS;

	signal_children(p, SIGTERM);
	while (p->running > 0 && clock_boot_ms() < deadline) {
		reap(p);
		if (p->running > 0)
			poll(NULL, 0, 10);
	}
	signal_children(p, SIGKILL);
	while (p->running > 0 && waitpid(-1, NULL, 0) > 0)
		p->running--;
}

static int run(struct parent *p) {
	int status = EX_OSERR;

	p->room = p->sink.options->connections_max;
	p->children = calloc(p->room, sizeof(*p->children));
	p->loop = loop_new();
	p->watch = p->loop ? loop_watch(p->loop, p->listener, POLLIN, on_connection, p)
			   : NULL;
	if (p->children && p->watch && loop_signal(p->loop, SIGCHLD, on_child, p) == 0 &&
	    loop_signal(p->loop, SIGTERM, on_stop, p) == 0 &&
	    loop_signal(p->loop, SIGINT, on_stop, p) == 0)
		status = loop_run(p->loop);
	else
		fprintf(stderr, "nightmail sink: out of memory\n");
	end_children(p);
	loop_free(p->loop);
	free(p->children);
	return status < 0 ? EX_OSERR : status;
}

/* Everything that can fail before the first connection. Returns EX_OK or says why not. */
static int prepare(struct parent *p, struct sink_options *o) {
	struct err err = ERR_INIT;

	p->sink = (struct sink){ .options = o, .dirfd = -1, .lock_fd = -1 };
	if (load_tls(&p->sink, &err) < 0 || load_password(&p->sink, &err) < 0)
		return complain(EX_NOINPUT, &err);
	if (o->dir) {
		p->sink.dirfd = open_dir(o->dir, &err);
		if (p->sink.dirfd < 0)
			return complain(EX_CANTCREAT, &err);
		p->sink.numbered = highest_number(p->sink.dirfd);
	}
	if (share(&p->sink, &err) < 0)
		return complain(EX_OSERR, &err);
	p->listener = listen_at(&o->listen, &err);
	if (p->listener < 0)
		return complain(EX_UNAVAILABLE, &err);
	return EX_OK;
}

static void release(struct parent *p) {
	tls_server_free(p->sink.tls);
	secret_release(&p->sink.password);
	if (p->sink.shared)
		munmap(p->sink.shared, sizeof(*p->sink.shared));
	auto_close(&p->sink.lock_fd);
	auto_close(&p->sink.dirfd);
	auto_close(&p->listener);
}

int nightmail_sink(int argc, char **argv) {
	struct sink_options options;
	struct parent p = { .listener = -1 };
	int status;

	if (sink_options_parse(argc, argv, &options) < 0)
		return EX_USAGE;
	if (options.help) {
		sink_options_help();
		return EX_OK;
	}
	status = prepare(&p, &options);
	if (status == EX_OK) {
		tell_listening(&p.sink, &options.listen);
		status = run(&p);
	}
	release(&p);
	return status;
}
