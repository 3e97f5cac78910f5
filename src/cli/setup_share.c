/*
 * Whether an instance of one's own would take over another one's queue. Directories are
 * compared as the file system has them where they exist, else by name.
 */

#include "cli/setup_share.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/term.h"
#include "cli/setup_file.h"

#define PATH_CEILING 4096u

/* The full name of a directory as a file in the folder gives it. */
static void full_name(const struct setup *s, const char *dir, struct buf *out) {
	if (dir[0] != '/')
		buf_addf(out, "%s/", s->folder);
	buf_adds(out, dir);
}

static bool is_same(const char *a, const char *b) {
	struct stat one, two;
	if (strcmp(a, b) == 0)
		return true;
	return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev &&
	       one.st_ino == two.st_ino;
}

/* Whether the queue of that configuration is dir. */
static bool file_has(struct setup *s, const char *path, const char *dir) {
	AUTO_BUF struct buf text = BUF_INIT(SETUP_TEXT_MAX), other = BUF_INIT(PATH_CEILING);
	struct config_draft draft = {
		.env = &s->env,
		.hostname = s->hostname,
		.folder = s->folder,
	};
	if (setup_file_read(path, &text, NULL) != 0)
		return false;
	config_draft_read(&draft, buf_span(&text));
	const char *its = config_draft_get(&draft, "dir");
	if (its)
		full_name(s, its, &other);
	bool same = its && is_same(dir, buf_str(&other));
	config_draft_release(&draft);
	return same;
}

static bool neighbour_has(struct setup *s, const char *dir, struct buf *ret_with) {
	const char *own = strrchr(s->path, '/') + 1;
	const struct dirent *entry;
	bool found = false;
	DIR *folder = opendir(s->folder[0] ? s->folder : "/");
	while (folder && !found && (entry = readdir(folder))) {
		AUTO_BUF struct buf path = BUF_INIT(PATH_CEILING);
		size_t len = strlen(entry->d_name);
		if (strcmp(entry->d_name, own) == 0 || len < 6 ||
		    strcmp(entry->d_name + len - 5, ".conf") != 0)
			continue;
		buf_addf(&path, "%s/%s", s->folder, entry->d_name);
		found = file_has(s, buf_str(&path), dir);
		if (found)
			term_safe(ret_with, buf_span(&path));
	}
	if (folder)
		closedir(folder);
	return found;
}

bool setup_shares_queue(struct setup *s, struct buf *ret_with) {
	AUTO_BUF struct buf dir = BUF_INIT(PATH_CEILING);
	const char *set = config_draft_get(&s->draft, "dir");
	if (!s->own || !set)
		return false;
	full_name(s, set, &dir);
	AUTO_FREE char *user = s->env.uid ? config_env_user_dir(&s->env) : NULL;
	if (is_same(buf_str(&dir), s->env.system_state)) {
		buf_adds(ret_with, "the system's configuration");
		return true;
	}
	if (user && is_same(buf_str(&dir), user)) {
		buf_adds(ret_with, "your own configuration");
		return true;
	}
	return neighbour_has(s, buf_str(&dir), ret_with);
}
