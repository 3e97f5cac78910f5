/* Processes: helpers, spawned children's surroundings, captured commands, channels. */

#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"

#include "tap.h"

static int wait_status(pid_t pid) {
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void test_start(void) {
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		close(STDIN_FILENO);
		close(STDERR_FILENO);
		signal(SIGCHLD, SIG_IGN);
		proc_start();
		struct sigaction pipe_action, chld_action;
		sigaction(SIGPIPE, NULL, &pipe_action);
		sigaction(SIGCHLD, NULL, &chld_action);
		int next = open("/dev/null", O_RDONLY);
		bool fine = fcntl(0, F_GETFD) == 0 && fcntl(2, F_GETFD) == 0 &&
			    next == 3 && pipe_action.sa_handler == SIG_IGN &&
			    chld_action.sa_handler == SIG_DFL && umask(0) == 077;
		_exit(fine ? 0 : 1);
	}
	/* Descriptor 3 is free in the child only if it is here. */
	is_int(wait_status(pid), 0,
	       "closed standard descriptors are opened, signals and umask set");
}

static void test_helper(void) {
	AUTO_BUF struct buf path = BUF_INIT(4096);
	struct err err = ERR_INIT;
	is_int(proc_helper("test_proc", &path, &err), 0,
	       "a helper beside the program is found");
	ok(path.len > 10 && path.data[0] == '/' &&
		   strcmp(path.data + path.len - 10, "/test_proc") == 0,
	   "by its full path");
	buf_reset(&path);
	is_int(proc_helper("no-such-helper", &path, &err), -1, "a missing one is not");
	ok(err.kind == ERR_MISSING && strstr(err.msg, "no-such-helper") && path.len == 0,
	   "and the error names it");
	AUTO_BUF struct buf small = BUF_INIT(5);
	is_int(proc_helper("test_proc", &small, &err), -1,
	       "a path past the ceiling is an error");
}

/* The child is a shell that checks what it was given and answers on descriptor 3. */
static void test_spawn(void) {
	static const char script[] =
		"test -z \"$LISTEN_FDS\" || echo LISTEN_FDS >&3\n"
		"test -z \"$NOTIFY_SOCKET\" || echo NOTIFY_SOCKET >&3\n"
		"test \"$(readlink /proc/$$/fd/0)\" = /dev/null || echo stdin >&3\n"
		"for f in /proc/$$/fd/*; do case ${f##*/} in 0|1|2|3|10|255) ;; *) test ! -e \"$f\" || echo fd $f >&3;; esac; done\n"
		"while read -r name value; do case $name$value in SigBlk:*[1-9a-f]*)"
		" echo blocked $value >&3;; esac; done </proc/$$/status\n"
		"kill -PIPE $$\n";
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct err err = ERR_INIT;
	int ends[2];
	int stray = fcntl(1, F_DUPFD, 20);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	setenv("LISTEN_FDS", "1", 1);
	setenv("NOTIFY_SOCKET", "/x", 1);
	if (proc_channel(ends, &err) != 0)
		return;
	pid_t pid = proc_spawn(argv, ends[1], &err);
	ok(pid > 0, "a program is started");
	close(ends[1]);
	int status = wait_status(pid);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE,
	   "with signals at their defaults");
	AUTO_BUF struct buf said = BUF_INIT(PROC_FRAME_MAX);
	int r = proc_recv(ends[0], &said, NULL);
	is_str(r > 0 ? buf_str(&said) : "", "",
	       "with three descriptors, the channel and a clean "
	       "environment");
	is_int(r, 0, "and the channel ends with it");
	close(ends[0]);
	close(stray);
	unsetenv("LISTEN_FDS");
	unsetenv("NOTIFY_SOCKET");
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void test_spawn_fails(void) {
	struct err err = ERR_INIT;
	const char *const missing[] = { "/nonexistent/program", NULL };
	is_int(proc_spawn(missing, -1, &err), -1, "a missing program cannot be started");
	ok(err.kind == ERR_SYSTEM && err.sys == ENOENT &&
		   strstr(err.msg, "/nonexistent/program"),
	   "and the error says which and why");
	const char *const not_searched[] = { "true", NULL };
	is_int(proc_spawn(not_searched, -1, &err), -1, "PATH is not searched");
	is_int(waitpid(-1, NULL, WNOHANG), -1, "no zombie stays");
}

static void test_low_descriptors(void) {
	const char *const argv[] = { "/bin/sh", "-c", "echo hi >&3", NULL };
	struct err err = ERR_INIT;
	for (int target = 3; target <= 4; target++) {
		int ends[2];
		fflush(stdout);
		if (proc_channel(ends, &err) != 0)
			return;
		AUTO_FD int at = fcntl(ends[1], F_DUPFD_CLOEXEC, target);
		close(ends[1]);
		pid_t pid = proc_spawn(argv, at, &err);
		close(take_fd(&at));
		wait_status(pid);
		AUTO_BUF struct buf said = BUF_INIT(100);
		proc_recv(ends[0], &said, NULL);
		is_str(buf_str(&said), "hi\n",
		       "a channel at a low descriptor arrives as 3");
		close(ends[0]);
	}
}

/* A zombie that nobody has waited for yet is dead as well: it has no command line. */
static bool dies_soon(pid_t pid) {
	int64_t deadline = clock_boot_ms() + 5000;
	for (; clock_boot_ms() < deadline; usleep(10000)) {
		char path[40], byte;
		snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
		AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, &byte, 1) <= 0)
			return true;
	}
	return false;
}

static void test_die_with(void) {
	int ends[2];
	if (pipe(ends) != 0)
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		const char *const argv[] = { "/bin/sleep", "60", NULL };
		pid_t child = proc_spawn(argv, -1, NULL);
		ssize_t n = write(ends[1], &child, sizeof(child));
		_exit(n == sizeof(child) ? 0 : 1);
	}
	wait_status(pid);
	pid_t orphan = 0;
	ok(read(ends[0], &orphan, sizeof(orphan)) == sizeof(orphan) && orphan > 0,
	   "a child's child is started");
	ok(dies_soon(orphan), "and dies with its parent");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		proc_die_with(getpid(), SIGTERM);
		_exit(0);
	}
	is_int(WEXITSTATUS(wait_status(pid)), 1,
	       "a parent that is gone already ends the child at once");
	close(ends[0]);
	close(ends[1]);
}

static void test_capture(void) {
	static const struct {
		const char *label, *script, *output, *error;
		enum err_kind kind;
	} cases[] = {
		{ "output is captured", "echo secret", "secret\n", NULL, ERR_NONE },
		{ "no output is fine", ":", "", NULL, ERR_NONE },
		{ "exactly the ceiling is fine", "printf 0123456789abcdef",
		  "0123456789abcdef", NULL, ERR_NONE },
		{ "more than the ceiling is an error", "printf 0123456789abcdefg", NULL,
		  "sh: more than 16 bytes of output", ERR_LIMIT },
		{ "endless output is an error", "while :; do echo y; done", NULL,
		  "sh: more than 16 bytes of output", ERR_LIMIT },
		{ "a failure is told", "exit 3", NULL, "sh: exit status 3", ERR_REMOTE },
		{ "a signal is told", "kill -9 $$", NULL, "sh: killed by signal 9 (KILL)",
		  ERR_REMOTE },
		{ "a time limit is kept", "sleep 60", NULL, "sh: no end after 1 s",
		  ERR_TIMEOUT },
		{ "even when output is closed", "exec >&-; sleep 60", NULL,
		  "sh: no end after 1 s", ERR_TIMEOUT },
		{ "output in pieces is joined", "printf a; sleep 0.1; printf b", "ab",
		  NULL, ERR_NONE },
		{ "stdin is empty", "cat", "", NULL, ERR_NONE },
		{ "other variables are gone", "echo \"$NIGHTMAIL_X$HOME\"", "/h\n", NULL,
		  ERR_NONE },
	};
	setenv("NIGHTMAIL_X", "leak", 1);
	setenv("HOME", "/h", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(16);
		struct err err = ERR_INIT;
		const char *const argv[] = { "sh", "-c", cases[i].script, NULL };
		int64_t limit = cases[i].kind == ERR_TIMEOUT ? 300 : 20000;
		int64_t before = clock_boot_ms();
		int r = proc_capture(argv, limit, &out, &err);
		ok(clock_boot_ms() - before < limit + 10000, "%s: in time",
		   cases[i].label);
		if (cases[i].error)
			ok(r == -1 && strcmp(err.msg, cases[i].error) == 0 &&
				   err.kind == cases[i].kind,
			   "%s (%s)", cases[i].label, err.msg);
		else
			is_str(r == 0 ? buf_str(&out) : err.msg, cases[i].output, "%s",
			       cases[i].label);
	}
	AUTO_BUF struct buf out = BUF_INIT(16);
	struct err err = ERR_INIT;
	const char *const missing[] = { "no-such-command-here", NULL };
	is_int(proc_capture(missing, 1000, &out, &err), -1, "a missing command is told");
	is_int(err.kind, ERR_MISSING, "as missing");
}

/* The command prints the pid of a process that it leaves behind. */
static pid_t captured_pid(const struct buf *out) {
	struct span s = buf_span(out);
	uint64_t pid = 0;
	return span_take_uint(&s, INT32_MAX, &pid) && pid > 1 ? (pid_t)pid : -1;
}

static void test_capture_others(void) {
	const char *const leaves[] = { "sh", "-c", "sleep 60 2>&- & echo $!", NULL };
	const char *const waits[] = { "sh", "-c", "sleep 60 2>&- & echo $!; wait", NULL };
	struct err err = ERR_INIT;
	AUTO_BUF struct buf out = BUF_INIT(16);
	is_int(proc_capture(leaves, 20000, &out, &err), 0,
	       "a daemon left behind does not delay");
	pid_t pid = captured_pid(&out);
	ok(pid > 1 && kill(pid, SIGKILL) == 0, "and lives on");
	buf_reset(&out);
	is_int(proc_capture(waits, 300, &out, &err), -1,
	       "a command that waits meets its time limit");
	pid = captured_pid(&out);
	ok(pid > 1 && dies_soon(pid), "and everything it started ends with it");
}

static void test_channel(void) {
	int ends[2], got = -1;
	struct err err = ERR_INIT;
	AUTO_BUF struct buf in = BUF_INIT(PROC_FRAME_MAX);
	if (proc_channel(ends, &err) != 0)
		return;
	is_int(proc_recv(ends[0], &in, NULL), -1, "an empty channel has nothing");
	is_int(errno, EAGAIN, "and does not wait");
	proc_send(ends[1], SPAN("one"), -1);
	proc_send(ends[1], SPAN("t\0o"), -1);
	ok(proc_recv(ends[0], &in, &got) == 1 && span_eq(buf_span(&in), SPAN("one")) &&
		   got == -1,
	   "frames stay apart");
	ok(proc_recv(ends[0], &in, NULL) == 1 && span_eq(buf_span(&in), SPAN("t\0o")),
	   "and binary");
	static char large[PROC_FRAME_MAX + 1];
	is_int(proc_send(ends[1], span_of(large, PROC_FRAME_MAX), -1), 0,
	       "the largest frame goes");
	ok(proc_recv(ends[0], &in, NULL) == 1 && in.len == PROC_FRAME_MAX, "and comes");
	ok(proc_send(ends[1], span_of(large, sizeof(large)), -1) == -1 &&
		   errno == EMSGSIZE,
	   "a larger one does not");
	ok(proc_send(ends[1], SPAN(""), -1) == -1 && errno == EMSGSIZE,
	   "nor an empty one");
	AUTO_BUF struct buf small = BUF_INIT(2);
	proc_send(ends[1], SPAN("three"), ends[0]);
	ok(proc_recv(ends[0], &small, &got) == -1 && errno == EMSGSIZE && got == -1,
	   "a frame larger than the buffer is an error, and its descriptor closed");
	int n = 0;
	while (n < 100000 && proc_send(ends[1], SPAN("fill"), -1) == 0)
		n++;
	is_int(errno, EAGAIN, "a peer that does not read slows the sender down");
	close(ends[0]);
	ok(proc_send(ends[1], SPAN("x"), -1) == -1 && errno == EPIPE,
	   "a closed peer cannot be sent to");
	close(ends[1]);
}

static void test_pass_fd(void) {
	int ends[2], pipe_ends[2], got = -1;
	AUTO_BUF struct buf in = BUF_INIT(100);
	if (proc_channel(ends, NULL) != 0 || pipe(pipe_ends) != 0)
		return;
	proc_send(ends[1], SPAN("take"), pipe_ends[1]);
	ok(proc_recv(ends[0], &in, &got) == 1 && got > pipe_ends[1],
	   "a descriptor is passed");
	char c = 0;
	ok(write(got, "y", 1) == 1 && read(pipe_ends[0], &c, 1) == 1 && c == 'y',
	   "and is the same pipe");
	ok(fcntl(got, F_GETFD) & FD_CLOEXEC, "and closed by exec");
	close(got);
	proc_send(ends[1], SPAN("take"), pipe_ends[1]);
	proc_recv(ends[0], &in, NULL);
	int next = dup(0);
	is_int(next, got, "a descriptor that nobody wants is closed");
	close(next);
	proc_send(ends[0], SPAN("unread"), -1);
	close(ends[1]);
	is_int(proc_recv(ends[0], &in, &got), 0,
	       "a peer that closed with unread frames is at its end");
	close(ends[0]);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

/* What a peer could send that does not use proc_send(). */
static ssize_t send_two_fds(int fd) {
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = &(char){ 'x' }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(&control.head), (int[]){ 0, 0 }, 2 * sizeof(int));
	return sendmsg(fd, &msg, 0);
}

static void test_pass_two_fds(void) {
	int ends[2], got = -1;
	AUTO_BUF struct buf in = BUF_INIT(100);
	if (proc_channel(ends, NULL) != 0)
		return;
	int next = dup(0);
	close(next);
	is_int(send_two_fds(ends[1]), 1, "two descriptors in one frame");
	is_int(proc_recv(ends[0], &in, &got), 1, "come as a frame");
	close(got);
	int now = dup(0);
	is_int(now, next, "and leave none open that nobody knows of");
	close(now);
	close(ends[0]);
	close(ends[1]);
}

int main(void) {
	proc_close_from(3);
	test_start();
	test_helper();
	test_spawn();
	test_spawn_fails();
	test_low_descriptors();
	test_die_with();
	test_capture();
	test_capture_others();
	test_channel();
	test_pass_fd();
	test_pass_two_fds();
	return done_testing();
}
