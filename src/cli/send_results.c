/* The results of a table; see send_results.h. */

#include "cli/send_results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "mail/rows.h"

#define FILE_CEILING (1u << 30)
#define LINE_CEILING (8u << 20)
#define PATH_CEILING 8192u

static const char heading[] = "row,recipient,id,status\n";

static int damaged(const struct send_results *r, size_t line, struct err *err) {
	return err_set(err, ERR_SYNTAX, "%s: line %zu is not a result of this table",
		       buf_str(&r->path), line);
}

static int take_results(struct send_results *r, struct span content, struct err *err) {
	struct rows rows;
	struct row row;
	struct span number, recipient;
	uint64_t n;
	row_init(&row);
	int got = rows_open(&rows, ROWS_CSV, content, err) != 0 ? -1 : 1;
	while (got > 0 && (got = rows_next(&rows, &row, err)) > 0) {
		if (!row_get(&row, SPAN("row"), &number) ||
		    !row_get(&row, SPAN("recipient"), &recipient) ||
		    !span_uint(number, r->cap, &n) || n == 0) {
			got = damaged(r, rows.count + 1, err);
			break;
		}
		free(r->recipients[n - 1]);
		r->recipients[n - 1] = span_dup(recipient);
		if (!r->recipients[n - 1])
			got = err_set(err, ERR_MEMORY, "out of memory");
	}
	row_release(&row);
	rows_release(&rows);
	return got;
}

/* A crash may have cut the last line, or left a file without any. */
static int read_old(struct send_results *r, struct err *err) {
	AUTO_BUF struct buf content = BUF_INIT(FILE_CEILING);
	struct err why = ERR_INIT;
	if (file_read(AT_FDCWD, buf_str(&r->path), &content, &why) != 0) {
		if (why.kind == ERR_MISSING)
			return 0;
		*err = why;
		return -1;
	}
	/* Else it is a file of somebody else's making, and would be overwritten. */
	struct span names = span_trim(SPAN(heading));
	if (!span_starts(names, span_head(buf_span(&content), names.len)))
		return damaged(r, 1, err);
	size_t end = content.len;
	while (end > 0 && content.data[end - 1] != '\n')
		end--;
	r->end = (int64_t)end;
	return end > 0 ? take_results(r, span_head(buf_span(&content), end), err) : 0;
}

static int sync_folder(const struct send_results *r) {
	AUTO_BUF struct buf folder = BUF_INIT(PATH_CEILING);
	struct span path = buf_span(&r->path);
	size_t n = path.len;
	while (n > 0 && path.p[n - 1] != '/')
		n--;
	buf_add(&folder, n > 0 ? span_head(path, n) : SPAN("."));
	AUTO_FD int fd = file_opendir(AT_FDCWD, buf_str(&folder));
	return fd < 0 ? -1 : file_fsync(fd);
}

static int open_file(struct send_results *r, struct err *err) {
	/* No link: the table may stand where others may make one to any of our files. */
	r->fd = file_openat(AT_FDCWD, buf_str(&r->path),
			    O_WRONLY | O_CREAT | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (r->fd < 0)
		return err_sys(err, "%s: cannot be written", buf_str(&r->path));
	if (flock(r->fd, LOCK_EX | LOCK_NB) != 0)
		return err_set(err, ERR_DENIED,
			       "%s: another run is at work on this table",
			       buf_str(&r->path));
	return 0;
}

static int write_start(struct send_results *r, struct err *err) {
	if (file_truncate(r->fd, r->end) != 0 || sync_folder(r) != 0)
		return err_sys(err, "%s: cannot be written", buf_str(&r->path));
	if (r->end > 0)
		return 0;
	if (file_pwrite_all(r->fd, heading, sizeof(heading) - 1, 0) != 0)
		return err_sys(err, "%s: cannot be written", buf_str(&r->path));
	r->end = (int64_t)sizeof(heading) - 1;
	return 0;
}

int send_results_open(struct send_results *r, const char *data, size_t rows, bool write,
		      struct err *err) {
	*r = (struct send_results){ .fd = -1, .cap = rows };
	buf_init(&r->path, PATH_CEILING);
	buf_addf(&r->path, "%s.results", data);
	r->recipients = calloc(rows + 1, sizeof(*r->recipients));
	if (!r->recipients || buf_failed(&r->path))
		return err_set(err, ERR_MEMORY, "out of memory");
	/* The lock comes first: what is read then stays true. */
	if (write && open_file(r, err) != 0)
		return -1;
	if (read_old(r, err) != 0)
		return -1;
	return write ? write_start(r, err) : 0;
}

void send_results_release(struct send_results *r) {
	for (size_t i = 0; r->recipients && i < r->cap; i++)
		free(r->recipients[i]);
	free(r->recipients);
	if (r->fd >= 0)
		close(r->fd);
	buf_release(&r->path);
}

const char *send_results_of(const struct send_results *r, size_t row) {
	return row >= 1 && row <= r->cap ? r->recipients[row - 1] : NULL;
}

static void add_cell(struct buf *out, struct span text) {
	buf_addc(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '"')
			buf_addc(out, '"');
		buf_addc(out, text.p[i]);
	}
	buf_addc(out, '"');
}

int send_results_add(struct send_results *r, size_t row, struct span recipients,
		     struct span id, const char *status, struct err *err) {
	AUTO_BUF struct buf line = BUF_INIT(LINE_CEILING);
	buf_addf(&line, "%zu,", row);
	add_cell(&line, recipients);
	buf_addc(&line, ',');
	buf_add(&line, id);
	buf_addc(&line, ',');
	add_cell(&line, span_str(status));
	buf_addc(&line, '\n');
	if (buf_failed(&line))
		return err_set(err, ERR_MEMORY, "out of memory");
	if (file_pwrite_all(r->fd, line.data, line.len, r->end) != 0 ||
	    file_fdatasync(r->fd) != 0)
		return err_sys(err, "%s: cannot be written", buf_str(&r->path));
	r->end += (int64_t)line.len;
	return 0;
}
