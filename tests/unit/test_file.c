/* Durable file operations: what the hook sees and can do, whole files, fault injection. */

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"

#include "tap.h"

static int dir = -1;
static char dir_path[] = "/tmp/nightmail-test-file.XXXXXX";

static void is_content(const char *name, const char *want, const char *label) {
	AUTO_BUF struct buf got = BUF_INIT(1000);
	struct err err = ERR_INIT;
	int r = file_read(dir, name, &got, &err);
	is_str(r == 0 ? buf_str(&got) : err.msg, want, "%s", label);
}

static bool exists(const char *name) {
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A hook that writes down what it was asked, and answers from a list of verdicts. */
static struct {
	char log[2000];
	size_t len;
	int verdicts[8];
	size_t next;
} seen;

static int note_before(void *ctx, const struct file_event *ev) {
	static const char *const words[] = { "open",   "write",     "truncate",
					     "fsync",  "fdatasync", "link",
					     "rename", "unlink",    "mkdir" };
	is_int(*(int *)ctx, 7, "the hook gets its context");
	seen.len += (size_t)snprintf(seen.log + seen.len, sizeof(seen.log) - seen.len,
				     "%s%s%s%s%s", words[ev->op], ev->from ? " " : "",
				     ev->from ? ev->from : "", ev->name ? " " : "",
				     ev->name ? ev->name : "");
	if (ev->op == FILE_WRITE)
		seen.len += (size_t)snprintf(seen.log + seen.len,
					     sizeof(seen.log) - seen.len, " %lld+%zu",
					     (long long)ev->offset, ev->data.len);
	return seen.next < 8 ? seen.verdicts[seen.next++] : 0;
}

static void note_done(void *ctx, const struct file_event *ev, int result) {
	(void)ctx;
	(void)ev;
	seen.len += (size_t)snprintf(seen.log + seen.len, sizeof(seen.log) - seen.len,
				     "=%s;",
				     result < 0            ? strerrorname_np(-result)
				     : ev->op == FILE_OPEN ? "fd"
							   : "ok");
}

static int seven = 7;

static void start_hook(const int *verdicts, size_t n) {
	memset(&seen, 0, sizeof(seen));
	for (size_t i = 0; i < n; i++)
		seen.verdicts[i] = verdicts[i];
	file_set_hook(&(struct file_hook){ note_before, note_done, &seven });
}

static void test_hook_sees(void) {
	start_hook(NULL, 0);
	AUTO_FD int fd = file_openat(dir, "a", O_CREAT | O_EXCL | O_RDWR, 0600);
	file_pwrite_all(fd, "hello", 5, 2);
	file_fsync(fd);
	file_fdatasync(fd);
	file_truncate(fd, 4);
	file_rename(dir, "a", dir, "b");
	file_mkdir(dir, "sub", 0700);
	file_mkdir(dir, "sub", 0700);
	AUTO_FD int plain = file_openat(dir, "b", O_RDONLY, 0);
	AUTO_FD int unnamed = file_open_unnamed(dir, 0600);
	file_link_unnamed(unnamed, dir, "c");
	file_unlink(dir, "c");
	file_set_hook(NULL);
	file_unlink(dir, "sub");
	is_str(seen.log,
	       "open a=fd;write 2+5=ok;fsync=ok;fdatasync=ok;truncate=ok;rename a b=ok;"
	       "mkdir sub=ok;mkdir sub=EEXIST;open=fd;link c=ok;unlink c=ok;",
	       "the hook sees every change in order, and not the open that only reads");
	char got[8];
	is_int(file_pread_all(plain, got, sizeof(got), 0), 4,
	       "reading stops at the end of the file");
	ok(memcmp(got, "\0\0he", 4) == 0, "and gives what was written");
	unlinkat(dir, "sub", AT_REMOVEDIR);
	file_unlink(dir, "b");
}

static void test_hook_fails(void) {
	static const int verdicts[] = { 0, FILE_SHORT, FILE_SHORT, ENOSPC, EIO };
	start_hook(verdicts, 5);
	AUTO_FD int fd = file_openat(dir, "short", O_CREAT | O_RDWR, 0600);
	errno = 0;
	is_int(file_pwrite_all(fd, "0123456789", 10, 0), -1,
	       "a write that the hook forbids fails");
	is_int(errno, ENOSPC, "with the errno of the hook");
	is_int(file_fsync(fd), -1, "so does an fsync");
	is_int(errno, EIO, "with its errno");
	is_int(file_fsync(fd), 0, "and the next one is real");
	file_set_hook(NULL);
	is_str(seen.log,
	       "open short=fd;write 0+10=ok;write 5+5=ok;write 8+2=ENOSPC;fsync=EIO;fsync=ok;",
	       "a short write goes on with the rest and asks again");
	is_content("short", "01234567", "what the short writes took is in the file");
	file_unlink(dir, "short");
}

static void test_one_byte_short(void) {
	static const int verdicts[] = { FILE_SHORT, FILE_SHORT, FILE_SHORT, FILE_SHORT };
	AUTO_FD int fd = file_openat(dir, "one", O_CREAT | O_RDWR, 0600);
	start_hook(verdicts, 4);
	is_int(file_pwrite_all(fd, "xyz", 3, 0), 0,
	       "short writes for ever still come to an end");
	file_set_hook(NULL);
	is_content("one", "xyz", "with every byte");
	file_unlink(dir, "one");
}

static void test_names(void) {
	AUTO_FD int a = file_open_unnamed(dir, 0600);
	ok(a >= 0, "an unnamed file can be made here");
	is_int(file_link_unnamed(a, dir, "taken"), 0, "and gets its name");
	AUTO_FD int b = file_open_unnamed(dir, 0600);
	is_int(file_link_unnamed(b, dir, "taken"), -1, "a taken name is refused");
	is_int(errno, EEXIST, "as existing");
	is_int(file_link_unnamed(b, dir, "no/such"), -1,
	       "a name in no directory is refused");
	is_int(errno, ENOENT, "as missing");
	file_link_unnamed(b, dir, "other");
	is_int(file_rename_new(dir, "other", dir, "taken"), -1,
	       "rename_new never replaces");
	is_int(errno, EEXIST, "and says that the name is taken");
	is_int(file_rename(dir, "other", dir, "taken"), 0, "rename does replace");
	ok((fcntl(a, F_GETFD) & FD_CLOEXEC) && (fcntl(b, F_GETFD) & FD_CLOEXEC),
	   "descriptors are closed by exec");
	is_int(file_openat(dir, "taken", O_RDWR | O_TRUNC, 0), -1,
	       "truncation by opening is refused");
	is_int(file_unlink(dir, "taken"), 0, "unlink removes");
	is_int(file_unlink(dir, "taken"), -1, "once");
}

static void test_read(void) {
	AUTO_BUF struct buf out = BUF_INIT(10);
	struct err err = ERR_INIT;
	buf_adds(&out, "x");
	is_int(file_read(dir, "none", &out, &err), -1, "a missing file cannot be read");
	ok(err.kind == ERR_MISSING && strstr(err.msg, "none: "),
	   "and the error names it");
	file_replace(dir, "nine", 0600, SPAN("123456789"), NULL);
	is_int(file_read(dir, "nine", &out, &err), 0, "a file that just fits is read");
	is_str(buf_str(&out), "x123456789", "behind what was there");
	buf_truncate(&out, 2);
	is_int(file_read(dir, "nine", &out, &err), -1, "a file too large is refused");
	ok(err.kind == ERR_LIMIT && out.len == 2 && !buf_failed(&out),
	   "and adds nothing");
	int ends[2];
	if (pipe(ends) == 0) {
		char name[40];
		snprintf(name, sizeof(name), "/dev/fd/%d", ends[0]);
		ok(write(ends[1], "0123456789abc", 13) == 13 && close(ends[1]) == 0,
		   "a pipe is filled");
		is_int(file_read(AT_FDCWD, name, &out, &err), -1,
		       "a pipe past the ceiling is refused");
		ok(err.kind == ERR_LIMIT && out.len == 2, "and adds nothing");
		close(ends[0]);
	}
	is_int(file_read(dir, ".", &out, &err), -1, "a directory is no file");
	file_unlink(dir, "nine");
}

static void test_replace(void) {
	struct err err = ERR_INIT;
	struct stat st;
	umask(077);
	is_int(file_replace(dir, "conf", 0644, SPAN("one"), &err), 0,
	       "a new file is made");
	ok(fstatat(dir, "conf", &st, 0) == 0 && (st.st_mode & 07777) == 0644,
	   "with its mode in spite of the umask");
	start_hook(NULL, 0);
	file_replace(dir, "conf", 0600, SPAN("two"), &err);
	file_set_hook(NULL);
	char want[300];
	snprintf(
		want, sizeof(want),
		"open conf.new-%d=fd;write 0+3=ok;fsync=ok;rename conf.new-%d conf=ok;fsync=ok;",
		(int)getpid(), (int)getpid());
	is_str(seen.log, want,
	       "content is durable before the name, and the name at the end");
	is_content("conf", "two", "the new content stands there");

	static const int fsync_fails[] = { 0, 0, EIO };
	start_hook(fsync_fails, 3);
	is_int(file_replace(dir, "conf", 0600, SPAN("three"), &err), -1,
	       "a failed fsync is told");
	file_set_hook(NULL);
	is_content("conf", "two", "and the old content stays");
	char tmp[40];
	snprintf(tmp, sizeof(tmp), "conf.new-%d", (int)getpid());
	ok(!exists(tmp), "and nothing is left over");
	close(file_openat(dir, tmp, O_CREAT | O_WRONLY, 0600));
	is_int(file_replace(dir, "conf", 0600, SPAN("four"), &err), 0,
	       "what a dead process left under the temporary name is no obstacle");
	is_content("conf", "four", "and the content is new");
	AUTO_BUF struct buf path = BUF_INIT(200);
	buf_addf(&path, "%s/conf", dir_path);
	is_int(file_replace(AT_FDCWD, buf_str(&path), 0600, SPAN("five"), &err), 0,
	       "a name with directories works");
	is_content("conf", "five", "too");
	is_int(file_replace(dir, "no/such", 0600, SPAN(""), &err), -1,
	       "a missing directory is told");
	file_unlink(dir, "conf");
}

/* Makes three operations in a child with the variable set; returns its wait status. */
static int run_with_fault(const char *value) {
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		setenv("NIGHTMAIL_FAULT", value, 1);
		file_fault_from_env();
		int failed = 0;
		for (int i = 0; i < 3; i++)
			if (file_mkdir(dir, "made", 0700) != 0 && errno != EEXIST)
				failed |= errno == EIO ? 1 << i : 64;
		_exit(failed);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	return status;
}

static void test_fault_from_env(void) {
	int status = run_with_fault("2:exit");
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	   "2:exit kills at the second operation");
	ok(exists("made"), "after the first was made");
	status = run_with_fault("2:EIO");
	is_int(WEXITSTATUS(status), 2, "2:EIO fails the second alone");
	is_int(run_with_fault("4:exit"), 0, "the fourth of three never comes");
	is_int(run_with_fault("1:nonsense"), 0, "an unknown word does nothing");
	is_int(run_with_fault("1:EIO:some-other-program"), 0,
	       "another program is not meant");
	status = run_with_fault("1:EIO:test_file");
	is_int(WEXITSTATUS(status), 1, "this program is");
	unlinkat(dir, "made", AT_REMOVEDIR);
}

int main(void) {
	if (!mkdtemp(dir_path) || (dir = file_opendir(AT_FDCWD, dir_path)) < 0)
		return 1;
	test_hook_sees();
	test_hook_fails();
	test_one_byte_short();
	test_names();
	test_read();
	test_replace();
	test_fault_from_env();
	ok(rmdir(dir_path) == 0, "no test left a file behind");
	return done_testing();
}
