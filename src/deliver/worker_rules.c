/*
 * What a worker knows of how addresses are rewritten: the keys come with its order, the
 * aliases are read when it starts, and again when the file was replaced. While they cannot
 * be read local names wait, and all other mail goes.
 */

#include "base/log.h"
#include "deliver/aliases_file.h"
#include "deliver/worker_state.h"

#define TRY_AGAIN_MS 60000

static bool is_known(const struct worker *w, const struct stat *st) {
	const struct stat *old = &w->aliases_st;
	if (w->rules.trouble && clock_boot_ms() - w->aliases_tried_ms > TRY_AGAIN_MS)
		return false;
	return (w->rules.aliases || w->rules.trouble) && st->st_ino == old->st_ino &&
	       st->st_dev == old->st_dev && st->st_size == old->st_size &&
	       st->st_mtim.tv_sec == old->st_mtim.tv_sec &&
	       st->st_mtim.tv_nsec == old->st_mtim.tv_nsec;
}

static void log_complaints(const struct buf *complaints) {
	struct span rest = buf_span(complaints), line;
	while (span_take_line(&rest, &line))
		log_warn("%.*s", (int)line.len, line.p);
}

static void load(struct worker *w, const char *path) {
	AUTO_BUF struct buf complaints = BUF_INIT(1u << 16);
	struct err err = ERR_INIT;
	w->aliases_tried_ms = clock_boot_ms();
	aliases_release(&w->aliases);
	w->rules.aliases = NULL;
	w->rules.trouble = NULL;
	if (aliases_file_read(path, &w->aliases, &complaints, &err) == 0) {
		w->rules.aliases = &w->aliases;
		log_complaints(&complaints);
		return;
	}
	log_error("%s; mail for local names waits", err.msg);
	memcpy(w->aliases_words, err.msg, sizeof(err.msg));
	w->rules.trouble = w->aliases_words;
}

void worker_rules(struct worker *w) {
	const struct wire_worker *p = w->params;
	struct stat st = { .st_ino = 0 };
	w->rules.host = span_str(p->hostname);
	w->rules.domain = span_str(p->domain);
	w->rules.root = span_str(p->root);
	w->rules.from = span_str(p->from);
	w->rules.envelope_from = span_str(p->envelope_from);
	w->rules.masquerade = span_str(p->masquerade);
	if (!p->aliases)
		return;
	/* Looked at before it is read: a change in between is seen the next time. */
	if (stat(p->aliases, &st) != 0)
		st = (struct stat){ .st_ino = 0 };
	if (is_known(w, &st))
		return;
	load(w, p->aliases);
	w->aliases_st = st;
}

void worker_rules_release(struct worker *w) {
	aliases_release(&w->aliases);
}
