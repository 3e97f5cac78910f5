/*
 * Start-up hygiene, and starting children. A child that cannot execute its program reports
 * the errno through a pipe that a successful exec closes, so the parent knows at once and
 * in words. Between fork and exec the descriptors are first moved out of the way (10 and
 * up), then put where the child expects them: 3 the channel, 4 the report.
 */

#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/loop.h"

#define FIRST_FREE_FD 10
#define REPORT_FD 4

void proc_start(void) {
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0) /* the lowest free one is this one */
			fd = open("/dev/null", O_RDWR);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a full file is an error like any other */
	signal(SIGCHLD, SIG_DFL);
	umask(077);
}

void proc_close_from(int from) {
	close_range((unsigned)from, ~0u, 0);
}

void proc_harden(void) {
	static const struct rlimit no_core = { 0, 0 };
#ifndef KEEP_DUMPABLE /* the leak sanitizer attaches to the process */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
}

void proc_die_with(pid_t parent, int signo) {
	prctl(PR_SET_PDEATHSIG, signo, 0, 0, 0);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
}

static bool is_program(const char *path) {
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int proc_helper(const char *name, struct buf *ret_path, struct err *err) {
	char self[PATH_MAX];
	size_t before = ret_path->len;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	while (n > 0 && self[n - 1] != '/')
		n--;
	if (n > 0) {
		buf_addm(ret_path, self, (size_t)n);
		buf_adds(ret_path, name);
		if (!buf_failed(ret_path) && is_program(ret_path->data + before))
			return 0;
		buf_truncate(ret_path, before);
	}
	buf_addf(ret_path, "%s/%s", LIBEXECDIR, name);
	if (buf_failed(ret_path))
		return err_set(err, ERR_LIMIT, "%s: path too long", name);
	if (is_program(ret_path->data + before))
		return 0;
	buf_truncate(ret_path, before);
	return err_set(err, ERR_MISSING, "%s: neither beside this program nor in %s",
		       name, LIBEXECDIR);
}

int proc_program(const char *name, struct buf *ret_path, struct err *err) {
	size_t before = ret_path->len;
	if (proc_helper(name, ret_path, NULL) == 0)
		return 0;
	buf_addf(ret_path, "%s/%s", BINDIR, name);
	if (!buf_failed(ret_path) && is_program(ret_path->data + before))
		return 0;
	buf_truncate(ret_path, before);
	return err_set(err, ERR_MISSING, "it is neither beside this program nor in %s or %s",
		       LIBEXECDIR, BINDIR);
}

/* Moves a descriptor to FIRST_FREE_FD or above, so that no dup2() below overwrites it. */
static int move_up(int fd) {
	return fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD) : -1;
}

static void report_and_exit(int fd) {
	int sys = errno;
	ssize_t n = write(fd, &sys, sizeof(sys));
	_exit(n == sizeof(sys) ? 127 : 126);
}

static void become(const char *const argv[], int channel, int output, int report, pid_t parent) {
	loop_signals_reset();
	int moved_report = move_up(report), moved_channel = move_up(channel),
	    moved_output = move_up(output);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (moved_report < 0 || (channel >= 0 && moved_channel < 0) ||
	    dup3(moved_report, REPORT_FD, O_CLOEXEC) < 0)
		report_and_exit(report);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    (output >= 0 && dup2(moved_output, STDOUT_FILENO) < 0))
		report_and_exit(REPORT_FD);
	if (channel < 0)
		close(REPORT_FD - 1);
	else if (dup2(moved_channel, REPORT_FD - 1) < 0)
		report_and_exit(REPORT_FD);
	proc_close_from(REPORT_FD + 1);
	proc_die_with(parent, SIGTERM);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	unsetenv("NOTIFY_SOCKET");
	/* execv() changes neither array; its prototype is older than const. */
	execv(argv[0], (char *const *)(uintptr_t)argv);
	report_and_exit(REPORT_FD);
}

/* Waits until the child has executed its program; the pipe then gives its end. */
static int read_report(int fd, int *ret_sys) {
	ssize_t n;
	do
		n = read(fd, ret_sys, sizeof(*ret_sys));
	while (n < 0 && errno == EINTR);
	return n == sizeof(*ret_sys) ? -1 : 0;
}

static pid_t spawn(const char *const argv[], int channel, int output, struct err *err) {
	int report[2];
	if (pipe2(report, O_CLOEXEC) != 0)
		return err_sys(err, "%s: cannot start", argv[0]);
	AUTO_FD int report_read = report[0];
	AUTO_FD int report_write = report[1];
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(err, "%s: cannot start", argv[0]);
	if (pid == 0)
		become(argv, channel, output, report_write, parent);
	close(take_fd(&report_write));
	int sys;
	if (read_report(report_read, &sys) == 0)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = sys;
	return err_sys(err, "%s: cannot execute", argv[0]);
}

pid_t proc_spawn(const char *const argv[], int channel, struct err *err) {
	return spawn(argv, channel, -1, err);
}

pid_t proc_spawn_to(const char *const argv[], int output, struct err *err) {
	return spawn(argv, -1, output, err);
}

int proc_status_words(int status, struct buf *out) {
	if (!WIFSIGNALED(status))
		return buf_addf(out, "exit status %d", WEXITSTATUS(status));
	int signo = WTERMSIG(status);
	const char *name = sigabbrev_np(signo);
	return name ? buf_addf(out, "killed by signal %d (%s)", signo, name)
		    : buf_addf(out, "killed by signal %d", signo);
}
