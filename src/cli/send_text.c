/*
 * What a message says: read from standard input, from the file of --html, or written in the
 * person's editor when standard input is a terminal.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/term.h"
#include "cli/cli.h"
#include "cli/send.h"

#define READ_SIZE 65536
#define ABOUT_MAX (1u << 20)
#define PATH_CEILING 4096u

void send_text_init(struct send_text *t) {
	buf_init(&t->text, SIZE_MAX / 8);
	buf_init(&t->html, SIZE_MAX / 8);
	buf_init(&t->file, PATH_CEILING);
	t->has_html = false;
}

void send_text_release(struct send_text *t, bool queued) {
	if (t->file.len > 0 && queued) {
		file_unlink(AT_FDCWD, buf_str(&t->file));
	} else if (t->file.len > 0) {
		fprintf(stderr, "%s: the text is kept in ", send_program);
		term_print(stderr, buf_span(&t->file));
		fputc('\n', stderr);
	}
	buf_release(&t->text);
	buf_release(&t->html);
	buf_release(&t->file);
}

static int read_all(int fd, const char *what, uint64_t limit, struct buf *out,
		    struct err *err) {
	ssize_t n = 1;
	while (n != 0) {
		char *room = buf_room(out, READ_SIZE);
		if (!room)
			return err_set(err, ERR_MEMORY, "out of memory");
		if (out->len > limit)
			return err_set(err, ERR_LIMIT,
				       "%s is bigger than the limit of %llu bytes", what,
				       (unsigned long long)limit);
		n = read(fd, room, READ_SIZE);
		if (n < 0 && errno != EINTR)
			return err_sys(err, "cannot read %s", what);
		buf_grew(out, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

static int read_file(const char *path, uint64_t limit, struct buf *out, struct err *err) {
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "%s: cannot be read", path);
	return read_all(fd, path, limit, out, err);
}

static int failed(const struct err *err) {
	int status = err->kind == ERR_LIMIT    ? EX_DATAERR
		     : err->kind == ERR_SYSTEM ? EX_NOINPUT
					       : EX_TEMPFAIL;
	return cli_fail(send_program, status, "not queued: %s", err->msg);
}

/* What a person wants to see while they write. */
static void add_about(const struct send_call *c, struct buf *about) {
	for (size_t i = 0; i < c->s.to.count; i++)
		buf_addf(about, "# to %s\n", c->s.to.address[i]);
	if (c->mail.subject.len)
		buf_addf(about, "# subject %s\n", buf_str(&c->mail.subject));
	for (size_t i = 0; i < c->content.count; i++)
		buf_addf(about, "# with %s\n", buf_str(&c->content.files[i].name));
}

static int write_text(const struct send_call *c, const char *editor, uint64_t limit,
		      struct send_text *t) {
	AUTO_BUF struct buf about = BUF_INIT(ABOUT_MAX);
	add_about(c, &about);
	return send_edit(t, editor, buf_span(&about), limit);
}

int send_text_read(const struct send_call *c, uint64_t limit, struct send_text *t) {
	struct err err = ERR_INIT;
	bool from_stdin = c->html && strcmp(c->html, "-") == 0;
	t->has_html = c->html != NULL;
	if (c->html && !from_stdin && read_file(c->html, limit, &t->html, &err) != 0)
		return failed(&err);
	bool terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	if (terminal && t->has_html && !from_stdin)
		return EX_OK; /* nothing was said of a text beside it */
	const char *editor = terminal && !from_stdin ? send_editor() : NULL;
	if (editor)
		return write_text(c, editor, limit, t);
	if (terminal)
		fputs("type the text and end it with Ctrl-D on a line of its own\n",
		      stderr);
	if (read_all(STDIN_FILENO, "the text", limit, from_stdin ? &t->html : &t->text,
		     &err) != 0)
		return failed(&err);
	return EX_OK;
}
