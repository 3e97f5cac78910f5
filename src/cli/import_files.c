/* Reads what the importers parse; see import_files.h. */

#include "cli/import_files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/user.h"

#define PATH_CEILING 4096u
#define STDIN_PATH "/proc/self/fd/0"

static bool is_there(const char *path) {
	struct stat st;
	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static char *below_home(const char *name) {
	AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
	struct user person;
	if (!name || geteuid() == 0 || !user_by_uid(geteuid(), &person))
		return NULL;
	buf_addf(&path, "%s/%s", person.home, name);
	return is_there(buf_str(&path)) ? buf_take(&path) : NULL;
}

char *import_files_find(const struct import_peer *peer) {
	char *path = below_home(peer->home);
	if (!path)
		path = below_home(peer->home_other);
	if (!path && is_there(peer->file[0].path))
		path = strdup(peer->file[0].path);
	return path;
}

/* The text holds passwords: one piece of memory, wiped. */
static int read_one(struct import *in, size_t i, const char *path, struct err *err) {
	struct buf text = BUF_INIT(IMPORT_FILE_SIZE_MAX);
	int r = buf_room(&text, IMPORT_FILE_SIZE_MAX) ? 0 : -1;
	if (r != 0)
		err_set(err, ERR_MEMORY, "out of memory");
	else if (strcmp(path, "-") == 0)
		r = file_read(AT_FDCWD, STDIN_PATH, &text, err);
	else
		r = file_read(AT_FDCWD, path, &text, err);
	if (r == 0)
		import_parse(in, i, strcmp(path, "-") == 0 ? "stdin" : path,
			     buf_span(&text));
	if (text.data)
		explicit_bzero(text.data, text.cap);
	buf_release(&text);
	return r;
}

static const char *last_part(const char *path) {
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void note_unread(struct import *in, const struct err *err) {
	buf_addf(&in->notes, "%s: not read: %s\n", in->peer->name, err->msg);
}

/*
 * The file in which the peer's first one says that the login stands. In `folder`, where the
 * first one is (NULL: nowhere), may be a copy of the peer's folder, so it is looked for there
 * before it is where it is said to be.
 */
static void read_login(struct import *in, struct span folder) {
	const char *said = in->named[1], *slash;
	AUTO_BUF struct buf below = BUF_INIT(PATH_CEILING), beside = BUF_INIT(PATH_CEILING);
	struct err why = ERR_INIT;
	if (in->login_place.len == 0 || in->login_lost)
		return;
	struct span home = span_str(in->peer->file[0].path), rest = span_str(said);
	home.len -= strlen(last_part(in->peer->file[0].path));
	slash = span_take_lit(&rest, home) ? rest.p : last_part(said);
	buf_add(&below, folder);
	buf_add(&beside, folder);
	buf_addf(&below, "/%s", slash);
	buf_addf(&beside, "/%s", last_part(said));
	const char *const places[] = { folder.len ? buf_str(&below) : said,
				       folder.len ? buf_str(&beside) : said, said };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		why = (struct err)ERR_INIT;
		if (read_one(in, 1, places[i], &why) == 0)
			return;
		if (why.kind != ERR_MISSING)
			break;
	}
	import_lose_login(in, why.msg);
}

static int read_usual(struct import *in, struct err *err) {
	const struct import_peer *peer = in->peer;
	AUTO_FREE char *first = import_files_find(peer);
	if (!first)
		return err_set(err, ERR_MISSING, "%s: no such file; is %s set up here?",
			       peer->file[0].path, peer->name);
	if (read_one(in, 0, first, err) != 0)
		return -1;
	read_login(in, SPAN(""));
	for (size_t i = in->login_place.len ? 2 : 1;
	     i < IMPORT_FILES_MAX && peer->file[i].path; i++) {
		const char *path = in->named[i] ? in->named[i] : peer->file[i].path;
		struct err why = ERR_INIT;
		if (read_one(in, i, path, &why) != 0 && why.kind != ERR_MISSING)
			note_unread(in, &why);
	}
	return 0;
}

/* Which of the peer's files it is: by its name, else by its place on the command line. */
static size_t role_of(const struct import_peer *peer, const char *path, size_t place) {
	for (size_t i = 0; i < IMPORT_FILES_MAX && peer->file[i].path; i++)
		if (strcmp(last_part(path), last_part(peer->file[i].path)) == 0)
			return i;
	return place;
}

/* Without the slash at its end; empty for standard input. */
static struct span folder_of(const char *path) {
	size_t n = (size_t)(last_part(path) - path);
	if (strcmp(path, "-") == 0)
		return SPAN("");
	return n > 0 ? span_of(path, n - 1) : SPAN(".");
}

static int read_given(struct import *in, char *const files[], size_t count,
		      struct err *err) {
	const struct import_peer *peer = in->peer;
	char *path[IMPORT_FILES_MAX] = { NULL };
	for (size_t k = 0; k < count; k++) {
		size_t i = role_of(peer, files[k], k);
		if (i >= IMPORT_FILES_MAX || !peer->file[i].path)
			return err_set(err, ERR_SYNTAX, "%s: %s has no such file",
				       files[k], peer->name);
		if (path[i])
			return err_set(err, ERR_SYNTAX,
				       "%s and %s are the same file of %s", path[i],
				       files[k], peer->name);
		path[i] = files[k];
	}
	for (size_t i = 0; i < IMPORT_FILES_MAX; i++) {
		if (path[i] && read_one(in, i, path[i], err) != 0)
			return -1;
		if (i == 1 && !path[1] && path[0])
			read_login(in, folder_of(path[0]));
	}
	return 0;
}

static int read_folder(struct import *in, const char *folder, struct err *err) {
	const struct import_peer *peer = in->peer;
	for (size_t i = 0; i < IMPORT_FILES_MAX && peer->file[i].path; i++) {
		AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
		struct err why = ERR_INIT;
		if (i == 1 && in->login_place.len) {
			read_login(in, span_str(folder));
			continue;
		}
		buf_addf(&path, "%s/%s", folder, last_part(peer->file[i].path));
		if (read_one(in, i, buf_str(&path), &why) == 0)
			continue;
		if (i == 0) {
			if (err)
				*err = why;
			return -1;
		}
		if (why.kind != ERR_MISSING)
			note_unread(in, &why);
	}
	return 0;
}

int import_files_read(const struct import_peer *peer, char *const files[], size_t count,
		      struct import *ret, struct err *err) {
	struct stat st;
	int r;
	import_init(ret, peer);
	if (count == 0)
		r = read_usual(ret, err);
	else if (count == 1 && stat(files[0], &st) == 0 && S_ISDIR(st.st_mode))
		r = read_folder(ret, files[0], err);
	else
		r = read_given(ret, files, count, err);
	if (r == 0)
		import_finish(ret);
	return r;
}

int import_files_refer(struct import *in, const char *password_file, struct err *err) {
	AUTO_BUF struct buf ref = BUF_INIT(PATH_CEILING);
	if (!config_draft_get(&in->draft, "login") ||
	    config_draft_get(&in->draft, "password"))
		return 0;
	buf_addf(&ref, "file:%s", password_file);
	return config_draft_set_raw(&in->draft, "password", buf_span(&ref), err);
}
