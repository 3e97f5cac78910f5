/* Aliases are read when they are needed first, and again when the file was replaced. */

#include "deliver/rules.h"

#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "deliver/aliases_file.h"

#define TRY_AGAIN_MS 60000

static bool is_known(const struct rules *r, const struct stat *st) {
	const struct stat *old = &r->st;
	if (r->rewrite.trouble && clock_boot_ms() - r->tried_ms > TRY_AGAIN_MS)
		return false;
	return (r->rewrite.aliases || r->rewrite.trouble) && st->st_ino == old->st_ino &&
	       st->st_dev == old->st_dev && st->st_size == old->st_size &&
	       st->st_mtim.tv_sec == old->st_mtim.tv_sec &&
	       st->st_mtim.tv_nsec == old->st_mtim.tv_nsec;
}

static void log_complaints(const struct buf *complaints) {
	struct span rest = buf_span(complaints), line;
	while (span_take_line(&rest, &line))
		log_warn("%.*s", (int)line.len, line.p);
}

static void load(struct rules *r, const char *path, bool quiet) {
	AUTO_BUF struct buf complaints = BUF_INIT(1u << 16);
	struct err err = ERR_INIT;
	r->tried_ms = clock_boot_ms();
	aliases_release(&r->aliases);
	r->rewrite.aliases = NULL;
	r->rewrite.trouble = NULL;
	if (aliases_file_read(path, &r->aliases, &complaints, &err) == 0) {
		r->rewrite.aliases = &r->aliases;
		if (!quiet)
			log_complaints(&complaints);
		return;
	}
	if (!quiet)
		log_error("%s; mail for local names waits", err.msg);
	memcpy(r->words, err.msg, sizeof(err.msg));
	r->rewrite.trouble = r->words;
}

bool rules_refresh(struct rules *r, const char *path, bool quiet) {
	struct stat st = { .st_ino = 0 };
	if (!path) {
		aliases_release(&r->aliases);
		r->rewrite.aliases = NULL;
		r->rewrite.trouble = NULL;
		return false;
	}
	/* Looked at before it is read: a change in between is seen the next time. */
	if (stat(path, &st) != 0)
		st = (struct stat){ .st_ino = 0 };
	if (is_known(r, &st))
		return false;
	load(r, path, quiet);
	r->st = st;
	return true;
}

void rules_release(struct rules *r) {
	aliases_release(&r->aliases);
	r->rewrite.aliases = NULL;
}
