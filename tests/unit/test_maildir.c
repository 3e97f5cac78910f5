/* Maildirs: what a file holds, that one name makes one file, and that nothing is written as root. */

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "deliver/maildir.h"
#include "lib/spool.h"
#include "tap.h"

#define SOMEBODY 65534u

static char root[64], box[80];

static unsigned count(const char *folder) {
	char path[128];
	unsigned n = 0;
	snprintf(path, sizeof(path), "%s/%s", box, folder);
	DIR *d = opendir(path);
	struct dirent *e;
	while (d && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static int keep(const char *name, const char *const pieces[], size_t n) {
	struct err err = ERR_INIT;
	struct maildir *m = maildir_begin(box, name, &err);
	for (size_t i = 0; m && i < n; i++)
		if (maildir_write(m, span_str(pieces[i]), &err) != 0) {
			maildir_abort(m);
			return -1;
		}
	return m ? maildir_commit(m, &err) : -1;
}

/* Folders that got a new name and were not synced since. */
static ino_t unsynced[8];
static size_t unsynced_count;

static void note(void *ctx, const struct file_event *ev, int result) {
	struct stat st;
	(void)ctx;
	if (result < 0)
		return;
	if (ev->op == FILE_MKDIR && unsynced_count < 8 &&
	    (ev->dirfd >= 0 ? fstat(ev->dirfd, &st) : stat(root, &st)) == 0)
		unsynced[unsynced_count++] = st.st_ino;
	for (size_t i = 0; ev->op == FILE_FSYNC && fstat(ev->fd, &st) == 0 && i < unsynced_count;)
		if (unsynced[i] == st.st_ino)
			unsynced[i] = unsynced[--unsynced_count];
		else
			i++;
}

static void check_made(void) {
	static const struct file_hook hook = { .done = note };
	struct err err = ERR_INIT;
	file_set_hook(&hook);
	is_int(maildir_make(box, &err), 0, "a maildir is made %s", err.msg);
	is_int((long)unsynced_count, 0, "its folders outlive a power cut");
	file_set_hook(NULL);
}

static void check_files(void) {
	static const char *const pieces[] = { "Subject: x\r", "\n\r\n.dot\r\nlone \r", "cr\r\n", "end\r" };
	AUTO_BUF struct buf text = BUF_INIT(1000);
	struct err err = ERR_INIT;
	char path[128];
	struct stat st;
	check_made();
	is_int(maildir_make(box, &err), 0, "and may be there already");
	is_int(keep("1.a_1.host", pieces, 4), 0, "a message is kept");
	snprintf(path, sizeof(path), "%s/new/1.a_1.host", box);
	is_int(file_read(AT_FDCWD, path, &text, &err), 0, "in new/");
	is_str(buf_str(&text), "Subject: x\n\n.dot\nlone \rcr\nend\r",
	       "lines end in LF, in whatever pieces they came; a CR alone stays");
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "for its owner alone");
	is_int(count("tmp"), 0, "nothing is left in tmp/");
	is_int(keep("1.a_1.host", pieces, 1), 0, "delivered again after a crash");
	is_int(count("new"), 1, "it is there once");
	is_int(count("tmp"), 0, "and not in tmp/ either");
	snprintf(path, sizeof(path), "%s/tmp/2.a_2.host", box);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ok(fd >= 0 && write(fd, "half", 4) == 4 && close(fd) == 0, "what a crash left in tmp/");
	is_int(keep("2.a_2.host", pieces, 1), 0, "is no obstacle");
	is_int(count("new"), 2, "and is not what is delivered");
	struct maildir *m = maildir_begin(box, "3.a_3.host", &err);
	maildir_abort(m);
	ok(m != NULL && count("tmp") == 0 && count("new") == 2, "what is given up leaves nothing");
	ok(!maildir_begin("/nowhere/at/all", "x", &err) && strstr(err.msg, "/nowhere/at/all"),
	   "no folder: said with its name");
}

/* The checks run as somebody who is not root; their number and outcome come back as text. */
static void as_somebody(void) {
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (setgid(SOMEBODY) != 0 || setuid(SOMEBODY) != 0)
			_exit(99);
		check_files();
		_exit(done_testing());
	}
	int status = 0;
	waitpid(pid, &status, 0);
	spool_remove(root);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}

int main(void) {
	struct err err = ERR_INIT;
	snprintf(root, sizeof(root), "/tmp/test_maildir.XXXXXX");
	if (!mkdtemp(root) || chmod(root, 0777) != 0)
		return 1;
	snprintf(box, sizeof(box), "%s/box", root);
	if (geteuid() == 0) {
		ok(maildir_make(box, &err) != 0 && strstr(err.msg, "not written as root"),
		   "root writes none");
		as_somebody();
	}
	check_files();
	spool_remove(root);
	return done_testing();
}
