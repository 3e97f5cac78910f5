/*
 * [dkim DOMAIN]: the keys that mail of a domain is signed with. The two lists run in parallel:
 * the n-th selector names the n-th key.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/term.h"
#include "config/source.h"

#define DKIM_DOMAINS_MAX 100u
#define DKIM_TEXT_MAX 24000u /* all of it must fit into one frame to a worker */

/* --- values --- */

static void clear_words(const struct config_key *key, void *base) {
	struct config_words *w = (void *)((char *)base + key->offset);
	for (size_t i = 0; i < w->count; i++)
		free(w->word[i]);
	w->count = 0;
}

static void show_words(const struct config_key *key, const void *base, struct buf *out) {
	const struct config_words *w = (const void *)((const char *)base + key->offset);
	for (size_t i = 0; i < w->count; i++)
		buf_addf(out, "%s%s", i ? " " : "", w->word[i]);
}

/* Makes a word of the list from what stands there; NULL: err says why not. */
typedef char *make_fn(struct config_value *v, struct span word, struct err *err);

static int parse_words(struct config_value *v, const struct config_key *key, void *base,
		       make_fn *make, struct err *err) {
	struct config_words *w = (void *)((char *)base + key->offset);
	struct config_words fresh = { .count = 0 };
	static const struct config_key whole = { .offset = 0 };
	struct span rest = v->text, word;
	while (config_value_word(v, &rest, &word)) {
		if (fresh.count == CONFIG_DKIM_KEYS_MAX) {
			clear_words(&whole, &fresh);
			return err_set(err, ERR_SYNTAX, "more than %d",
				       CONFIG_DKIM_KEYS_MAX);
		}
		fresh.word[fresh.count] = make(v, word, err);
		if (!fresh.word[fresh.count]) {
			clear_words(&whole, &fresh);
			return -1;
		}
		fresh.count++;
	}
	clear_words(key, base);
	*w = fresh;
	return 0;
}

static char *make_selector(struct config_value *v, struct span word, struct err *err) {
	(void)v;
	if (!config_is_hostname(word)) {
		err_set(err, ERR_SYNTAX, "%s is no selector; take letters, digits and -",
			term_quote(word).s);
		return NULL;
	}
	char *copy = span_dup(word);
	if (!copy)
		err_set(err, ERR_MEMORY, "out of memory");
	return copy;
}

static int parse_selectors(struct config_value *v, const struct config_key *key,
			   void *base, struct err *err) {
	return parse_words(v, key, base, make_selector, err);
}

const struct config_type config_type_selectors = { parse_selectors, show_words,
						   clear_words };

static char *make_path(struct config_value *v, struct span word, struct err *err) {
	static const struct config_key one = { .offset = 0 };
	struct config_value value = *v;
	char *path = NULL;
	value.text = word;
	return config_type_path.parse(&value, &one, &path, err) == 0 ? path : NULL;
}

static int parse_paths(struct config_value *v, const struct config_key *key, void *base,
		       struct err *err) {
	return parse_words(v, key, base, make_path, err);
}

const struct config_type config_type_paths = { parse_paths, show_words, clear_words };

/* --- sections --- */

static bool grow(struct settings *s) {
	size_t n = s->dkim_count + 1;
	struct config_dkim *dkim = realloc(s->dkim, n * sizeof(*dkim));
	if (dkim)
		s->dkim = dkim;
	struct config_section *section = realloc(s->source->dkim, n * sizeof(*section));
	if (section)
		s->source->dkim = section;
	return dkim && section;
}

int config_find_or_add_dkim(struct config_load *l, struct span domain,
			    const struct config_origin *at) {
	struct settings *s = l->s;
	for (size_t i = 0; i < s->dkim_count; i++)
		if (span_eq_nocase(domain, span_str(s->dkim[i].domain)))
			return (int)i;
	if (s->dkim_count == DKIM_DOMAINS_MAX) {
		config_complain(l, at, "more than %u domains to sign for",
				DKIM_DOMAINS_MAX);
		return -1;
	}
	char *copy = span_dup(domain);
	if (!copy || !grow(s)) {
		free(copy);
		config_complain(l, at, "out of memory");
		return -1;
	}
	for (char *c = copy; *c; c++)
		*c = span_lower(*c);
	size_t i = s->dkim_count++;
	s->dkim[i] = (struct config_dkim){ .domain = copy };
	s->source->dkim[i] = (struct config_section){ .id = CONFIG_DKIM };
	return (int)i;
}

void config_release_dkim(struct settings *s) {
	for (size_t i = 0; i < s->dkim_count; i++) {
		for (size_t k = 0; k < config_key_count; k++)
			if (config_keys[k].section == CONFIG_DKIM)
				config_keys[k].type->clear(&config_keys[k], &s->dkim[i]);
		free(s->dkim[i].domain);
	}
	free(s->dkim);
	s->dkim = NULL;
	s->dkim_count = 0;
	if (s->source)
		free(s->source->dkim);
}

/* --- as a whole --- */

static const struct config_origin *place(const struct settings *s, size_t i,
					 const char *key) {
	const struct config_section *section = &s->source->dkim[i];
	int k = config_key_find(CONFIG_DKIM, span_str(key));
	const struct config_origin *at = &section->key[k < 0 ? 0 : k];
	return at->file ? at : &section->opened;
}

void config_check_dkim(struct config_load *l) {
	struct settings *s = l->s;
	size_t size = 0;
	for (size_t i = 0; i < s->dkim_count; i++) {
		const struct config_dkim *d = &s->dkim[i];
		for (size_t k = 0; k < d->key.count; k++)
			size += strlen(d->domain) + strlen(d->key.word[k]) + 64;
		if (size > DKIM_TEXT_MAX) {
			config_complain(
				l, &s->source->dkim[i].opened,
				"the keys of all [dkim] sections have paths that are "
				"too long together");
			return;
		}
		if (place(s, i, "selector")->broken || place(s, i, "key")->broken ||
		    l->incomplete)
			continue;
		if (d->selector.count == 0 || d->key.count == 0)
			config_complain(l, &s->source->dkim[i].opened,
					"[dkim %s] needs selector = NAME and key = FILE",
					d->domain);
		else if (d->selector.count != d->key.count)
			config_complain(l, place(s, i, "key"),
					"[dkim %s] has %zu selectors and %zu keys: each "
					"selector has its own key",
					d->domain, d->selector.count, d->key.count);
	}
}

void config_dkim_place(const struct settings *s, size_t i, const char *key,
		       struct buf *out) {
	config_warn_at(s, place(s, i, key), out);
}

/* Mail of the domain would wait. */
void config_warn_dkim(const struct settings *s, struct buf *out) {
	for (size_t i = 0; i < s->dkim_count; i++) {
		for (size_t k = 0; k < s->dkim[i].key.count; k++) {
			const char *path = s->dkim[i].key.word[k];
			if (access(path, F_OK) == 0 || errno != ENOENT)
				continue;
			config_dkim_place(s, i, "key", out);
			buf_adds(out, "key: there is no file ");
			term_safe_again(out, span_str(path));
			buf_addf(out, ": mail from %s waits\n", s->dkim[i].domain);
		}
	}
}
