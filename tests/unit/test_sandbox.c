/* What a process in the sandbox can do and cannot: each row is tried in a child of its own. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "tap.h"

static char ours[] = "/tmp/nmsandboxXXXXXX", other[] = "/tmp/nmsandboxXXXXXX";

/* A program in a directory of its own, which needs no loader. */
static char elsewhere[64];

static int try_open(const char *dir, const char *name, int flags) {
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return open(path, flags | O_CLOEXEC, 0600);
}

static bool write_ours(void) {
	return try_open(ours, "new", O_WRONLY | O_CREAT) >= 0;
}

/* As a message comes into the queue. */
static bool link_unnamed(void) {
	char link_from[64], to[4096], moved[4096];
	int fd = open(ours, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	snprintf(link_from, sizeof(link_from), "/proc/self/fd/%d", fd);
	snprintf(to, sizeof(to), "%s/a/linked", ours);
	snprintf(moved, sizeof(moved), "%s/b/moved", ours);
	return fd >= 0 && write(fd, "x", 1) == 1 &&
	       linkat(AT_FDCWD, link_from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0 &&
	       rename(to, moved) == 0 && ftruncate(fd, 0) == 0 && unlink(moved) == 0;
}

static bool read_other(void) {
	return try_open(other, "there", O_RDONLY) >= 0 &&
	       open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool write_null(void) {
	return open("/dev/null", O_RDWR | O_CLOEXEC) >= 0;
}

static bool write_other(void) {
	return try_open(other, "there", O_WRONLY) >= 0;
}

static bool create_other(void) {
	return try_open(other, "new", O_WRONLY | O_CREAT) >= 0;
}

static bool write_device(void) {
	return open("/dev/full", O_WRONLY | O_CLOEXEC) >= 0;
}

static bool give_away(void) {
	char path[4096];
	snprintf(path, sizeof(path), "%s/a", ours);
	return chown(path, getuid(), getgid()) == 0;
}

static bool remove_other(void) {
	char path[4096];
	snprintf(path, sizeof(path), "%s/there", other);
	return unlink(path) == 0;
}

static bool run_program(void) {
	execl("/bin/true", "true", (char *)NULL);
	return false;
}

static bool raise_itself(void) {
	signal(SIGUSR1, SIG_IGN);
	return raise(SIGUSR1) == 0;
}

static bool namespaces(void) {
	return unshare(CLONE_NEWUSER) == 0;
}

static bool internet(void) {
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static bool packets(void) {
	return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0 ||
	       errno != EAFNOSUPPORT;
}

static bool local(void) {
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0;
}

/* landlock: what only Landlock can deny. */
static const struct {
	const char *label;
	bool (*act)(void);
	unsigned uses;
	bool allowed, landlock;
	const char *program;
} rows[] = {
	{ "files are written in the directory that is named", write_ours, 0, true, false,
	  NULL },
	{ "a message comes into a queue there, and moves within", link_unnamed, 0, true,
	  false, NULL },
	{ "everything else can be read", read_other, 0, true, false, NULL },
	{ "/dev/null can be written", write_null, 0, true, false, NULL },
	{ "a process may signal itself", raise_itself, 0, true, false, NULL },
	{ "local sockets are there for the log", local, 0, true, false, NULL },
	{ "no file elsewhere is written", write_other, 0, false, true, NULL },
	{ "none is made", create_other, 0, false, true, NULL },
	{ "none is removed", remove_other, 0, false, true, NULL },
	{ "no other device is written", write_device, 0, false, true, NULL },
	{ "no owner is changed", give_away, 0, false, false, NULL },
	{ "no program is started", run_program, 0, false, false, NULL },
	{ "but one that is named", run_program, 0, true, false, "/bin/false" },
	{ "and none from elsewhere", run_program, 0, false, true, elsewhere },
	{ "no namespace is made", namespaces, 0, false, false, NULL },
	{ "no connection, for who needs none", internet, 0, false, false, NULL },
	{ "a connection for who does", internet, SANDBOX_CONNECT, true, false, NULL },
	{ "but no raw packets", packets, SANDBOX_CONNECT, false, false, NULL },
};

/* 1: done, 0: denied, -1: no sandbox. A program that ran ends with 0. */
static int try_in_child(const struct sandbox *s, bool (*act)(void)) {
	int status;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (sandbox_enter(s, NULL) != 0)
			_exit(3);
		_exit(act() ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return -1;
	return WEXITSTATUS(status) == 0;
}

static void make_files(void) {
	static const char script[] = "#!/bin/true\nThis file is long enough to have the "
				     "head of a program, but has none.\n";
	char path[4096];
	if (!mkdtemp(ours) || !mkdtemp(other))
		exit(1);
	for (const char *name = "ab"; *name; name++) {
		snprintf(path, sizeof(path), "%s/%c", ours, *name);
		mkdir(path, 0700);
	}
	close(try_open(other, "there", O_WRONLY | O_CREAT));
	int fd = try_open(other, "program", O_WRONLY | O_CREAT);
	if (write(fd, script, sizeof(script) - 1) != (ssize_t)sizeof(script) - 1)
		exit(1);
	close(fd);
	snprintf(elsewhere, sizeof(elsewhere), "%s/program", other);
}

static void remove_files(void) {
	static const char *const names[] = { "a", "b", "new" };
	char path[4096];
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", ours, names[i]);
		if (unlink(path) != 0)
			rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/there", other);
	unlink(path);
	snprintf(path, sizeof(path), "%s/new", other);
	unlink(path);
	unlink(elsewhere);
	rmdir(ours);
	rmdir(other);
}

int main(void) {
	const char *const writable[] = { ours };
	make_files();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_INIT;
		struct sandbox *s = sandbox_new(writable, 1, rows[i].uses,
						rows[i].program, &err);
		if (!ok(s != NULL, "a sandbox: %s", err.msg))
			continue;
		bool landlock = strstr(sandbox_words(s), "Landlock");
		if (!strstr(sandbox_words(s), "seccomp") ||
		    (rows[i].landlock && !landlock))
			skip(rows[i].label, "this kernel has it not");
		else
			is_int(try_in_child(s, rows[i].act), rows[i].allowed, "%s",
			       rows[i].label);
		sandbox_free(s);
	}
	const char *const missing[] = { "/nowhere/at/all" };
	struct err err = ERR_INIT;
	struct sandbox *s = sandbox_new(missing, 1, 0, NULL, &err);
	ok(s == NULL ? strstr(err.msg, "/nowhere/at/all") != NULL
		     : !strstr(sandbox_words(s), "Landlock"),
	   "a directory that is not there is named: %s", err.msg);
	sandbox_free(s);
	remove_files();
	return done_testing();
}
