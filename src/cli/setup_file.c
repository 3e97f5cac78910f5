/* See setup_file.h. */

#include "cli/setup_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"

#define PATH_CEILING 4096u
#define TEXT_MAX (1u << 20)

int setup_file_read(const char *path, struct buf *out, struct err *err) {
	struct err why = ERR_INIT;
	if (file_read(AT_FDCWD, path, out, &why) == 0 || why.kind == ERR_MISSING)
		return 0;
	if (err)
		*err = why;
	return -1;
}

int setup_file_make_folder(const char *path, struct err *err) {
	AUTO_FREE char *folder = strdup(path);
	if (!folder)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (char *slash = strchr(folder + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		/* The system's folder is read by everybody, a person's own by that person. */
		if (file_mkdir(AT_FDCWD, folder, 0700) != 0) {
			if (errno != EEXIST)
				return err_sys(err, "%s: cannot make this folder",
					       folder);
		} else if (geteuid() == 0 && chmod(folder, 0755) != 0) {
			return err_sys(err, "%s: cannot open this folder to others",
				       folder);
		}
		*slash = '/';
	}
	return 0;
}

static char *kept_path(const char *path) {
	AUTO_BUF struct buf b = BUF_INIT(PATH_CEILING);
	buf_addf(&b, "%s.before-setup", path);
	return buf_take(&b);
}

/* May hold a password: read in one piece, and wiped. */
static int copy(const char *from, const char *to, unsigned mode, bool *ret_empty,
		struct err *err) {
	struct buf text = BUF_INIT(TEXT_MAX);
	int r = buf_room(&text, TEXT_MAX) ? setup_file_read(from, &text, err)
					  : err_set(err, ERR_MEMORY, "out of memory");
	*ret_empty = text.len == 0;
	if (r == 0)
		r = file_replace(AT_FDCWD, to, mode, buf_span(&text), err);
	if (text.data)
		explicit_bzero(text.data, text.cap);
	buf_release(&text);
	return r;
}

int setup_file_keep(const char *path, unsigned mode, struct err *err) {
	AUTO_FREE char *kept = kept_path(path);
	bool empty;
	if (!kept)
		return err_set(err, ERR_LIMIT, "%s: the path is too long", path);
	return copy(path, kept, mode, &empty, err);
}

void setup_file_forget(const char *path) {
	AUTO_FREE char *kept = kept_path(path);
	if (kept)
		file_unlink(AT_FDCWD, kept);
}

int setup_file_restore(const char *path, unsigned mode, struct err *err) {
	AUTO_FREE char *kept = kept_path(path);
	struct stat st, before;
	bool empty;
	if (!kept)
		return err_set(err, ERR_LIMIT, "%s: the path is too long", path);
	if (stat(kept, &st) != 0)
		return errno == ENOENT ? 0 : err_sys(err, "%s", kept);
	bool owned = stat(path, &before) == 0;
	if (copy(kept, path, mode, &empty, err) != 0)
		return -1;
	if (empty && file_unlink(AT_FDCWD, path) != 0)
		return err_sys(err, "%s: cannot remove it", path);
	if (!empty && owned && geteuid() == 0 &&
	    chown(path, before.st_uid, before.st_gid) != 0)
		return err_sys(err, "%s: cannot give it back to its owner", path);
	if (file_unlink(AT_FDCWD, kept) != 0)
		return err_sys(err, "%s: cannot remove it", kept);
	return 1;
}
