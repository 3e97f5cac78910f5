/*
 * Running a command for its output. Two things are awaited together: the end of its
 * output, and the end of the command itself, because a daemon that it leaves behind
 * (gpg-agent) may hold the pipe open for ever.
 */

#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/loop.h"

static bool is_kept(const char *variable) {
	static const char *const kept[] = { "PATH=", "HOME=", "LANG=", "USER=" };
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (span_starts(span_str(variable), span_str(kept[i])))
			return true;
	return false;
}

static void reduce_environment(void) {
	char **to = environ;
	for (char **from = environ; from && *from; from++)
		if (is_kept(*from))
			*to++ = *from;
	if (to)
		*to = NULL;
}

static void become(const char *const argv[], int output, pid_t parent) {
	loop_signals_reset();
	signal(SIGXFSZ, SIG_DFL);
	setpgid(0, 0);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0)
		_exit(126);
	proc_close_from(STDERR_FILENO + 1);
	proc_die_with(parent, SIGKILL);
	reduce_environment();
	/* execvp() changes neither array; its prototype is older than const. */
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* Takes what is in the pipe. Returns 1 while more may come, 0 at its end. */
static int take_output(int fd, struct buf *out, const char *name, struct err *err) {
	for (;;) {
		char beyond = 0;
		size_t left = out->max - out->len;
		ssize_t n = read(fd, left ? out->data + out->len : &beyond,
				 left ? left : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n < 0)
			return err_sys(err, "%s: cannot read its output", name);
		if (n == 0)
			return 0;
		if (left == 0)
			return err_set(err, ERR_LIMIT,
				       "%s: more than %zu bytes of output", name,
				       out->max);
		buf_grew(out, (size_t)n);
	}
}

/* Waits until the command has ended and its output is taken; what a process that outlives
 * the command might still write does not count. */
static int follow(int pidfd, int fd, int64_t timeout_ms, struct buf *out,
		  const char *name, struct err *err) {
	int64_t deadline = clock_boot_ms() + timeout_ms;
	struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN },
				{ .fd = fd, .events = POLLIN } };
	for (;;) {
		int64_t left = deadline - clock_boot_ms();
		int n = left > 0 ? poll(fds, 2, left < 60000 ? (int)left : 60000) : 0;
		if (n < 0 && errno != EINTR)
			return err_sys(err, "%s: cannot wait for it", name);
		if (n <= 0 && clock_boot_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "%s: no end after %lld s", name,
				       (long long)((timeout_ms + 999) / 1000));
		if (n <= 0)
			continue;
		bool ended = fds[0].revents != 0;
		int more = fds[1].fd >= 0 ? take_output(fd, out, name, err) : 0;
		if (more < 0)
			return -1;
		if (more == 0)
			fds[1].fd = -1;
		if (ended)
			return 0;
	}
}

static int finish(pid_t pid, const char *name, struct err *err) {
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(err, ERR_MISSING,
			       "%s: not found or not executable (exit status 127)", name);
	AUTO_BUF struct buf words = BUF_INIT(80);
	proc_status_words(status, &words);
	return err_set(err, ERR_REMOTE, "%s: %s", name, buf_str(&words));
}

int proc_capture(const char *const argv[], int64_t timeout_ms, struct buf *out,
		 struct err *err) {
	int ends[2];
	if (!buf_room(out, out->max - out->len))
		return err_set(err, ERR_MEMORY, "%s: out of memory", argv[0]);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_sys(err, "%s: cannot start", argv[0]);
	AUTO_FD int fd = ends[0];
	AUTO_FD int write_end = ends[1];
	fcntl(fd, F_SETFL, O_NONBLOCK);
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(err, "%s: cannot start", argv[0]);
	if (pid == 0)
		become(argv, write_end, parent);
	setpgid(pid, pid);
	close(take_fd(&write_end));
	AUTO_FD int pidfd = pidfd_open(pid, 0);
	int r = pidfd < 0 ? err_sys(err, "%s: cannot wait for it", argv[0])
			  : follow(pidfd, fd, timeout_ms, out, argv[0], err);
	if (r != 0) {
		kill(-pid, SIGKILL);
		finish(pid, argv[0], NULL);
		return -1;
	}
	return finish(pid, argv[0], err);
}
