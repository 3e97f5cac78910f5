/* The control socket, both ends: a server in a child, asked by its parent. */

#include "control/control.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"

#define LINES 20000
#define BIG (16u << 20)

static char dir[] = "/tmp/nightmail-control-XXXXXX";
static char path[64], wake[64];

struct producer {
	int next;
};

static bool produce(void *ctx, struct buf *out) {
	struct producer *p = ctx;
	for (int i = 0; i < 100 && p->next < LINES; i++)
		buf_addf(out, "{\"n\":%d}\n", p->next++);
	return p->next < LINES;
}

static struct loop *loop; /* of the server */

static void set_descriptors_max(unsigned n) {
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = n;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void feed(void *ctx) {
	(void)ctx;
	set_descriptors_max(1024);
}

static struct control_client *follower; /* in the server */
static int lefts;

static void left(void *ctx) {
	if (follower == ctx)
		follower = NULL;
	lefts++;
}

/* More than is kept for a client that does not read. */
static void stuff(struct control_client *c) {
	static const char line[1024] = "{\"n\":\"xxx\"}";
	for (unsigned i = 0; i < CONTROL_FOLLOW_MAX / sizeof(line) + 10; i++)
		control_push(c, span_of(line, sizeof(line)));
}

static void request(void *ctx, struct control_client *c, struct span line,
		    const struct control_peer *peer) {
	(void)ctx;
	if (span_eq(line, SPAN("who"))) {
		char text[64];
		snprintf(text, sizeof(text), "{\"uid\":%u,\"admin\":%s}\n",
			 (unsigned)peer->uid, peer->admin ? "true" : "false");
		control_answer(c, span_str(text));
		control_end(c, NULL);
	} else if (span_eq(line, SPAN("long"))) {
		control_stream(c, produce, free, calloc(1, sizeof(struct producer)));
	} else if (span_eq(line, SPAN("big"))) {
		AUTO_BUF struct buf out = BUF_INIT(BIG);
		char *room = buf_room(&out, BIG);
		memset(room, '\n', BIG);
		buf_grew(&out, BIG);
		control_answer(c, buf_span(&out));
		control_end(c, NULL);
	} else if (span_eq(line, SPAN("deny"))) {
		control_end(c, "not allowed: only \"others\" may\nask");
	} else if (span_eq(line, SPAN("starve"))) {
		set_descriptors_max(3);
		loop_timer(loop, 1000, feed, NULL);
		control_end(c, NULL);
	} else if (span_eq(line, SPAN("cpu"))) {
		char text[64];
		snprintf(text, sizeof(text), "%ld\n",
			 (long)(clock() / (CLOCKS_PER_SEC / 1000)));
		control_answer(c, span_str(text));
		control_end(c, NULL);
	} else if (span_eq(line, SPAN("follow")) || span_eq(line, SPAN("stuff"))) {
		control_follow(c, left, c);
		follower = span_eq(line, SPAN("follow")) ? c : NULL;
		control_push(c, SPAN("{\"n\":0}\n"));
		if (!follower)
			stuff(c);
	} else if (span_eq(line, SPAN("event"))) {
		if (follower)
			control_push(follower, SPAN("{\"n\":1}\n"));
		control_end(c, NULL);
	} else if (span_eq(line, SPAN("left"))) {
		control_end(c, lefts > 0 ? NULL : "nobody left");
	} else if (span_eq(line, SPAN("die"))) {
		_exit(0);
	} else {
		control_end(c, "not understood");
	}
}

static pid_t serve(struct control_rules rules) {
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	struct err err = ERR_INIT;
	loop = loop_new();
	alarm(60);
	if (!loop || !control_listen(loop, path, &rules, request, NULL, &err) ||
	    getppid() != parent)
		_exit(1);
	_exit(loop_run(loop));
}

struct heard {
	int lines;
	bool in_order;
	char first[128];
};

static int hear(void *ctx, struct span line) {
	struct heard *h = ctx;
	char want[32];
	snprintf(want, sizeof(want), "{\"n\":%d}", h->lines);
	h->in_order &= span_eq(line, span_str(want));
	if (h->lines++ == 0)
		snprintf(h->first, sizeof(h->first), "%.*s", (int)line.len, line.p);
	return 0;
}

static int stop_at_once(void *ctx, struct span line) {
	(void)line;
	++*(int *)ctx;
	return 1;
}

static int ask(const char *text, struct heard *h, struct err *err) {
	*h = (struct heard){ .in_order = true };
	return control_ask(path, span_str(text), 10000, hear, h, err);
}

static int connect_raw(void) {
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? fd : -1;
}

/* More clients than the server takes at a time: the last ones wait, nobody is refused. */
static void check_crowd(void) {
	int fd[CONTROL_CLIENTS_MAX];
	struct heard h;
	struct err err = ERR_INIT;
	bool open = true;
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		open &= (fd[i] = connect_raw()) >= 0;
	ok(open, "as many clients as the server takes can connect");
	pid_t pid = fork();
	if (pid == 0) {
		for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
			close(fd[i]);
		_exit(ask("who", &h, NULL) == 0 ? 0 : 1);
	}
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fd[i]);
	int status = -1;
	waitpid(pid, &status, 0);
	is_int(status, 0, "one more is served when another leaves");
	is_int(ask("who", &h, &err), 0, "and the server works as before");
}

/* A server without a free descriptor waits for one, and does not spin meanwhile. */
static void check_starved(void) {
	struct heard h;
	struct err err = ERR_INIT;
	ask("cpu", &h, &err);
	long before = strtol(h.first, NULL, 10);
	is_int(ask("starve", &h, &err), 0,
	       "the server has no descriptor left for a second");
	is_int(ask("cpu", &h, &err), 0, "who asks then waits and is served (%s)",
	       err.msg);
	long used = strtol(h.first, NULL, 10) - before;
	ok(used < 200, "the server slept meanwhile (%ld ms of processor time)", used);
}

static void check_endless_line(void) {
	char bytes[8192];
	int fd = connect_raw();
	size_t sent = 0;
	memset(bytes, 'x', sizeof(bytes));
	while (sent < 2 * CONTROL_REQUEST_MAX) {
		ssize_t n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	ssize_t n = recv(fd, bytes, sizeof(bytes) - 1, 0);
	bytes[n > 0 ? n : 0] = '\0';
	ok(strstr(bytes, "\"ok\":false") && strstr(bytes, "too long"),
	   "an endless line is refused");
	close(fd);
}

static bool read_until(int fd, const char *text) {
	static char bytes[2 * CONTROL_FOLLOW_MAX];
	size_t len = 0;
	for (;;) {
		ssize_t n = recv(fd, bytes + len, sizeof(bytes) - len, 0);
		if (n <= 0)
			return false;
		len += (size_t)n;
		if (memmem(bytes, len, text, strlen(text)))
			return true;
	}
}

static bool say(int fd, const char *line) {
	return send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line);
}

static void check_followers(void) {
	struct heard h;
	struct err err = ERR_INIT;
	int fd = connect_raw();
	ok(say(fd, "follow\n") && read_until(fd, "{\"n\":0}\n"), "who follows gets what there is");
	is_int(ask("event", &h, &err), 0, "something happens");
	ok(read_until(fd, "{\"n\":1}\n"), "and what happens later");
	close(fd);
	int gone = -1;
	for (int i = 0; i < 1000 && gone != 0; i++) {
		usleep(10000);
		gone = ask("left", &h, NULL);
	}
	is_int(gone, 0, "when it closes the server lets it go");
	fd = connect_raw();
	ok(say(fd, "stuff\n") && read_until(fd, "too slow: events were lost"),
	   "one that does not read is told so");
	char byte;
	is_int(recv(fd, &byte, 1, 0), 0, "and closed");
	close(fd);
	is_int(ask("who", &h, &err), 0, "the others are served as before");
}

/* Reads until the end. */
static bool drain(int fd) {
	static char bytes[65536];
	ssize_t n;
	size_t all = 0;
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		all += (size_t)n;
	return n == 0 && all > BIG;
}

/* A user with much that was never read gets no more of it made. 0: so it is. */
static int try_unread(void) {
	struct pollfd p = { .events = POLLIN };
	int first = connect_raw(), result;
	p.fd = connect_raw();
	result = !say(first, "big\n") || poll(&(struct pollfd){ first, POLLIN, 0 }, 1, 10000) != 1;
	result |= (!say(p.fd, "big\n") || poll(&p, 1, 300) != 0) << 1;
	result |= !drain(first) << 2;
	result |= !drain(p.fd) << 3;
	close(first);
	close(p.fd);
	return result;
}

/* Another user, as far as we may become one. */
static void check_users(void) {
	struct heard h;
	int status = -1;
	if (getuid() != 0) {
		skip("another user is no administrator", "needs root");
		return;
	}
	if (chmod(dir, 0711) != 0 || chmod(path, 0666) != 0)
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = ERR_INIT;
		int fd[CONTROL_CLIENTS_A_USER], result = 0;
		if (setgid(54321) != 0 || setuid(54321) != 0)
			_exit(100);
		if (ask("who", &h, &err) != 0 || !strstr(h.first, "\"admin\":false"))
			result |= 1;
		for (unsigned i = 0; i < CONTROL_CLIENTS_A_USER; i++)
			fd[i] = connect_raw();
		if (ask("who", &h, &err) == 0 || !strstr(err.msg, "too many things"))
			result |= 2;
		for (unsigned i = 0; i < CONTROL_CLIENTS_A_USER; i++)
			close(fd[i]);
		int again = -1;
		for (int i = 0; i < 1000 && again != 0; i++) {
			usleep(10000);
			again = ask("who", &h, &err);
		}
		_exit(result | (again != 0) << 2 | try_unread() << 3);
	}
	waitpid(pid, &status, 0);
	is_int(status, 0, "another user is no administrator, and has so many connections and answers only");
	is_int(ask("who", &h, NULL), 0, "which disturbs nobody");
}

static void check_wake(void) {
	struct err err = ERR_INIT;
	char text[32];
	size_t len = 99;
	control_wake(wake, SPAN("nobody"));
	ok(access(wake, F_OK) != 0, "waking nobody makes nothing");
	int fd = control_wake_listen(wake, &err);
	ok(fd >= 0, "the wake socket is bound (%s)", err.msg);
	ok(!control_wake_take(fd, text, sizeof(text), &len),
	   "at first nothing waits there");
	control_wake(wake, SPAN("0123456789ABCDEF"));
	control_wake(wake, SPAN(""));
	ok(control_wake_take(fd, text, sizeof(text), &len) && len == 16 &&
		   memcmp(text, "0123456789ABCDEF", 16) == 0,
	   "a wake-up carries its ID");
	ok(control_wake_take(fd, text, sizeof(text), &len) && len == 0, "or none");
	int64_t start = clock_boot_ms();
	for (int i = 0; i < 5000; i++)
		control_wake(wake, SPAN("0123456789ABCDEF"));
	ok(clock_boot_ms() - start < 10000, "a full socket blocks nobody");
	close(fd);
	fd = control_wake_listen(wake, &err);
	ok(fd >= 0, "a socket left behind is replaced");
	close(fd);
	unlink(wake);
}

int main(void) {
	struct err err = ERR_INIT;
	struct heard h;
	struct stat st;
	int calls = 0;
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/control", dir);
	snprintf(wake, sizeof(wake), "%s/wake", dir);
	is_int(ask("who", &h, &err), -1, "asking nobody fails");
	is_int(err.kind, ERR_MISSING, "and says that nobody is there");
	ok(!control_reachable(path), "nobody is reachable");
	pid_t pid = serve((struct control_rules){ 0600, CONTROL_NO_GROUP });
	for (int i = 0; i < 1000 && !control_reachable(path); i++)
		usleep(10000);
	ok(control_reachable(path), "the server is reachable");
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600,
	   "only its owner may connect");
	is_int(ask("who", &h, &err), 0, "a request is answered (%s)", err.msg);
	char want[64];
	snprintf(want, sizeof(want), "{\"uid\":%u,\"admin\":true}", (unsigned)getuid());
	is_str(h.first, want, "the handler learns who asks");
	is_int(ask("long", &h, &err), 0, "a long answer comes to its end");
	is_int(h.lines, LINES, "with all its lines");
	ok(h.in_order, "in order");
	is_int(ask("deny", &h, &err), -1, "a refusal is a failure");
	is_int(err.kind, ERR_DENIED, "of its own kind");
	is_str(err.msg, "not allowed: only \"others\" may\\x0aask",
	       "with the server's words, escaped");
	is_int(ask("nonsense", &h, &err), -1, "another error is a failure");
	is_int(err.kind, ERR_REMOTE, "of the other side");
	is_int(control_ask(path, SPAN("long"), 10000, stop_at_once, &calls, &err), 0,
	       "who asks may stop early");
	is_int(calls, 1, "and hears no more");
	check_crowd();
	check_starved();
	check_endless_line();
	check_followers();
	check_users();
	is_int(ask("die", &h, &err), -1, "an answer that breaks off is a failure");
	is_int(err.kind, ERR_REMOTE, "and told as such");
	waitpid(pid, NULL, 0);
	unlink(path);
	check_wake();
	rmdir(dir);
	return done_testing();
}
