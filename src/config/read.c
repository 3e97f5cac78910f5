/*
 * From files to settings: each key is checked and stored as it is read, so a later file
 * simply wins and a value that is overridden is checked all the same. Every error is told
 * and reading goes on.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/suggest.h"
#include "base/term.h"
#include "config/source.h"

/* The line may hold names of files and escapes of what was in them: it is safe to show. */
void config_complain(struct config_load *l, const struct config_origin *where,
		     const char *fmt, ...) {
	const struct config_source *source = l->s->source;
	AUTO_BUF struct buf line = BUF_INIT(CONFIG_VALUE_MAX * 2);
	unsigned file = where ? where->file : l->file;
	va_list ap;
	l->error_count++;
	if (!l->errors)
		return;
	if (file)
		buf_addf(&line, "%s:", source->label[file - 1]);
	if (where)
		buf_addf(&line, "%u:%u:", where->line, where->column);
	if (file)
		buf_addc(&line, ' ');
	va_start(ap, fmt);
	buf_vaddf(&line, fmt, ap);
	va_end(ap);
	term_safe_again(l->errors, buf_span(&line));
	buf_addc(l->errors, '\n');
}

static int parse(struct config_load *l, const struct config_key *key, void *base,
		 struct span text, size_t *ret_wrong, struct err *err) {
	struct config_value v = {
		.text = text,
		.env = l->env,
		.hostname = l->s->hostname,
		.folder = l->folder,
	};
	int r = key->type->parse(&v, key, base, err);
	*ret_wrong = v.wrong;
	return r;
}

void config_set_default(struct config_load *l, const struct config_key *key, void *base) {
	struct err err = ERR_INIT;
	size_t wrong;
	if (key->type->clear)
		key->type->clear(key, base);
	if (key->fallback &&
	    parse(l, key, base, span_str(key->fallback), &wrong, &err) != 0)
		config_complain(l, NULL, "default of %s: %s", key->name, err.msg);
}

static void unknown_key(struct config_load *l, const struct ini_item *item,
			const struct config_origin *at) {
	struct suggest near = { .word = item->word, .best = NULL };
	struct term_quoted word = term_quote(item->word);
	for (size_t i = 0; i < config_key_count; i++)
		if (config_keys[i].section == l->section->id)
			suggest_try(&near, config_keys[i].name);
	if (near.best) {
		config_complain(l, at, "unknown key %s in %s; did you mean \"%s\"?",
				word.s, l->title, near.best);
		return;
	}
	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_section_name *home =
			&config_sections[config_keys[i].section];
		if (!span_eq(item->word, span_str(config_keys[i].name)))
			continue;
		if (!home->word[0]) {
			config_complain(l, at,
					"unknown key %s in %s; it belongs before the first "
					"[section]",
					word.s, l->title);
			return;
		}
		config_complain(l, at, "unknown key %s in %s; it belongs into [%s%s]",
				word.s, l->title, home->word, home->named ? " NAME" : "");
		return;
	}
	config_complain(l, at, "unknown key %s in %s", word.s, l->title);
}

static void store(struct config_load *l, const struct ini_item *item,
		  const struct config_key *key, struct config_origin *slot) {
	struct config_origin value_at = config_here(l, item->line, item->value_column);
	struct err err = ERR_INIT;
	size_t wrong;
	if (item->kind == INI_UNSET) {
		slot->unset = true;
		config_set_default(l, key, l->base);
	} else if (item->value.len == 0) {
		slot->broken = true;
		config_complain(
			l, slot,
			"%s has no value; -%s = takes back what an earlier file set",
			key->name, key->name);
	} else if (parse(l, key, l->base, item->value, &wrong, &err) != 0) {
		slot->broken = true;
		value_at.column += (unsigned)wrong;
		config_complain(l, &value_at, "%s: %s", key->name, err.msg);
	}
}

static void set_key(struct config_load *l, const struct ini_item *item) {
	struct config_origin at = config_here(l, item->line, item->column);
	if (!l->section)
		return;
	int k = config_key_find(l->section->id, item->word);
	if (k < 0) {
		unknown_key(l, item, &at);
		return;
	}
	struct config_origin *slot = &l->section->key[k];
	if (slot->file == l->file && !l->repeated) {
		config_complain(l, &at, "%s stands twice in %s; the first is on line %u",
				config_keys[k].name, l->title, slot->line);
		return;
	}
	*slot = at;
	store(l, item, &config_keys[k], slot);
}

static void read_text(struct config_load *l, struct span text) {
	struct ini in = ini_over(text);
	struct ini_item item;
	config_open_top(l);
	while (ini_next(&in, &item) != INI_END) {
		struct config_origin at = config_here(l, item.line, item.column);
		if (item.kind == INI_SECTION) {
			config_open_section(l, &item);
		} else if (item.kind == INI_BAD_SECTION) {
			l->incomplete = true;
			l->section = NULL;
			config_complain(l, &at, "%s", item.words);
		} else if (item.kind == INI_ERROR) {
			config_complain(l, &at, "%s", item.words);
		} else {
			set_key(l, &item);
		}
	}
}

/* Returns false when there is no room for another file. */
static bool add_file(struct config_load *l, const char *path, const char *label) {
	struct config_source *source = l->s->source;
	l->file = 0;
	if (source->file_count == CONFIG_FILES_MAX) {
		config_complain(l, NULL, "%s: more than %d configuration files", label,
				CONFIG_FILES_MAX);
		return false;
	}
	char *file = strdup(path), *name = strdup(label);
	if (!file || !name) {
		free(file);
		free(name);
		config_complain(l, NULL, "%s: out of memory", label);
		return false;
	}
	source->file[source->file_count] = file;
	source->label[source->file_count++] = name;
	l->file = (unsigned)source->file_count;
	return true;
}

void config_read_file(struct config_load *l, const char *path, const char *label) {
	AUTO_BUF struct buf text = BUF_INIT(CONFIG_FILE_SIZE_MAX);
	struct err err = ERR_INIT;
	if (!add_file(l, path, label))
		return;
	if (file_read(AT_FDCWD, path, &text, &err) == 0) {
		read_text(l, buf_span(&text));
		return;
	}
	/* Without a file of the system's, saying how to write one is of use. */
	l->incomplete = l->s->mode != CONFIG_SYSTEM || err.kind != ERR_MISSING;
	const char *why = err.kind == ERR_LIMIT ? "it is larger than 1M"
			  : err.sys             ? strerror(err.sys)
						: err.msg;
	config_complain(l, NULL, "cannot read this file: %s", why);
}

static int is_snippet(const struct dirent *d) {
	struct span name = span_str(d->d_name);
	return name.len > 5 && name.p[0] != '.' &&
	       span_eq(span_from(name, name.len - 5), SPAN(".conf"));
}

/* In the order of bytes, not of the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
	return strcmp((*a)->d_name, (*b)->d_name);
}

void config_read_directory(struct config_load *l, const char *path) {
	struct dirent **names = NULL;
	int n = scandir(path, &names, is_snippet, by_name);
	if (n < 0 && errno != ENOENT) {
		l->file = 0;
		config_complain(l, NULL, "%s: cannot read this directory: %s", path,
				strerror(errno));
	}
	for (int i = 0; i < n; i++) {
		AUTO_BUF struct buf file = BUF_INIT(PATH_MAX);
		buf_addf(&file, "%s/%s", path, names[i]->d_name);
		config_read_file(l, buf_str(&file), buf_str(&file));
		free(names[i]);
	}
	free(names);
}
