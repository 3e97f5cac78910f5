/* See aliases_file.h. Only regular files are opened: a pipe would make a reader wait. */

#include "deliver/aliases_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/file.h"

static int read_regular(const char *path, struct buf *out, struct err *err) {
	struct stat st;
	if (stat(path, &st) != 0) {
		int missing = errno == ENOENT;
		err_sys(err, "%s", path);
		if (missing && err)
			err->kind = ERR_MISSING;
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_DENIED, "%s: not a regular file", path);
	return file_read(AT_FDCWD, path, out, err);
}

static int include(void *ctx, struct span path, struct buf *out, struct err *err) {
	char name[PATH_MAX];
	(void)ctx;
	if (path.len >= sizeof(name) || span_find(path, '\0') != path.len)
		return err_set(err, ERR_SYNTAX, "no file can have this name");
	memcpy(name, path.p, path.len);
	name[path.len] = '\0';
	return read_regular(name, out, err);
}

int aliases_file_read(const char *path, struct aliases *ret, struct buf *complaints,
		      struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(ALIASES_FILE_MAX);
	struct err why = ERR_INIT;
	if (read_regular(path, &text, &why) != 0 && why.kind != ERR_MISSING) {
		if (err)
			*err = why;
		return -1;
	}
	return aliases_parse(buf_span(&text), path, include, NULL, ret, complaints, err);
}
