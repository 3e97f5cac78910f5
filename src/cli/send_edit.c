/*
 * A text written in the person's editor, as git has commit messages written: a file that only
 * they can read, a line with scissors, and below it what the message is about. The file stays
 * until the message is queued.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/proc.h"
#include "cli/cli.h"
#include "cli/send.h"

#define SCISSORS "# ------------------------ >8 ------------------------\n"
#define CONTENT_MAX (2u << 20)
#define TRIES 16

static const char advice[] =
	"\n" SCISSORS
	"# Write the text above this line; it and what stands below are not sent.\n"
	"# An empty text sends nothing.\n";

const char *send_editor(void) {
	const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");
	const char *term = getenv("TERM");
	if (visual && *visual && term && strcmp(term, "dumb") != 0)
		return visual;
	return editor && *editor ? editor : NULL;
}

/* Makes a file with a new name; its path stays in t->file. */
static int make_file(struct send_text *t, struct span content, struct err *err) {
	const char *folder = getenv("TMPDIR");
	for (int i = 0; i < TRIES; i++) {
		uint64_t bits;
		if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
			return err_sys(err, "no random numbers");
		buf_reset(&t->file);
		buf_addf(&t->file, "%s/send-%016llx.txt",
			 folder && *folder ? folder : "/tmp", (unsigned long long)bits);
		AUTO_FD int fd = file_openat(AT_FDCWD, buf_str(&t->file),
					     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
					     0600);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd >= 0 && file_pwrite_all(fd, content.p, content.len, 0) == 0)
			return 0;
		err_sys(err, "%s: cannot be written", buf_str(&t->file));
		if (fd >= 0)
			file_unlink(AT_FDCWD, buf_str(&t->file));
		buf_reset(&t->file);
		return -1;
	}
	return err_set(err, ERR_LIMIT, "no name for a temporary file is free");
}

/* The value of EDITOR is a command of the shell, as everywhere. */
static void execute(const char *editor, const char *path) {
	AUTO_BUF struct buf command = BUF_INIT(CONTENT_MAX);
	buf_addf(&command, "%s \"$@\"", editor);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	execl("/bin/sh", "sh", "-c", buf_str(&command), editor, path, (char *)NULL);
	_exit(127);
}

/* Runs the editor; while it does, the keys of the terminal mean it and not us. */
static int run_editor(const char *editor, const char *path, struct err *err) {
	AUTO_BUF struct buf words = BUF_INIT(256);
	int status = 0;
	void (*on_int)(int) = signal(SIGINT, SIG_IGN);
	void (*on_quit)(int) = signal(SIGQUIT, SIG_IGN);
	pid_t pid = fork();
	if (pid == 0)
		execute(editor, path);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	signal(SIGINT, on_int);
	signal(SIGQUIT, on_quit);
	if (pid < 0)
		return err_sys(err, "%s: cannot be started", editor);
	if (status == 0)
		return 0;
	proc_status_words(status, &words);
	return err_set(err, ERR_REMOTE, "%s: %s", editor, buf_str(&words));
}

/* Drops what begins with the scissors, and the empty lines before them. */
static void cut(struct buf *text) {
	static const char scissors[] = "\n" SCISSORS;
	size_t n = text->len;
	const char *at = memmem(buf_str(text), text->len, scissors, sizeof(scissors) - 1);
	if (span_starts(buf_span(text), SPAN(SCISSORS)))
		n = 0;
	else if (at)
		n = (size_t)(at - text->data) + 1;
	while (n > 0 && strchr(" \t\r\n", text->data[n - 1]) && text->data[n - 1])
		n--;
	buf_truncate(text, n);
	if (n > 0)
		buf_addc(text, '\n');
}

int send_edit(struct send_text *t, const char *editor, struct span about,
	      uint64_t limit) {
	AUTO_BUF struct buf content = BUF_INIT(CONTENT_MAX);
	struct err err = ERR_INIT;
	buf_adds(&content, advice);
	buf_add(&content, about);
	if (make_file(t, buf_span(&content), &err) != 0)
		return cli_fail(send_program, EX_CANTCREAT, "not queued: %s", err.msg);
	if (run_editor(editor, buf_str(&t->file), &err) != 0)
		return cli_fail(send_program, EX_NOINPUT, "not queued: %s", err.msg);
	t->text.max = limit < t->text.max ? (size_t)limit + CONTENT_MAX : t->text.max;
	if (file_read(AT_FDCWD, buf_str(&t->file), &t->text, &err) != 0)
		return cli_fail(send_program,
				err.kind == ERR_LIMIT ? EX_DATAERR : EX_NOINPUT,
				"not queued: %s", err.msg);
	cut(&t->text);
	if (t->text.len > 0)
		return EX_OK;
	file_unlink(AT_FDCWD, buf_str(&t->file));
	buf_reset(&t->file);
	return cli_fail(send_program, EX_NOINPUT, "the text is empty: nothing is sent");
}
