/*
 * Between a draft and the text of a file. Text is changed line by line, so that comments,
 * order and everything that the draft does not speak of stay as somebody wrote them.
 */

#include "config/draft.h"
#include "config/ini.h"

#define NO_SECTION CONFIG_SECTION_COUNT

struct edit {
	const struct config_draft *d;
	struct buf *out;
	bool done[CONFIG_KEYS_MAX];
	enum config_section_id section; /* where we are; NO_SECTION: not one of ours */
	size_t insert_at; /* in out: behind the last line of the section that says something;
			     at the top also behind a paragraph of comments */
};

/* The relay that all mail goes to is the one a draft speaks of. */
static enum config_section_id section_of(const struct ini_item *item) {
	for (size_t i = 0; i < CONFIG_LISTEN; i++) {
		struct span name = config_sections[i].named ? SPAN("default") : SPAN("");
		if (span_eq(item->word, span_str(config_sections[i].word)) &&
		    span_eq(item->name, name))
			return (enum config_section_id)i;
	}
	return NO_SECTION;
}

void config_draft_read(struct config_draft *d, struct span text) {
	struct ini in = ini_over(text);
	struct ini_item item;
	enum config_section_id section = CONFIG_TOP;
	while (ini_next(&in, &item) != INI_END) {
		if (item.kind == INI_SECTION || item.kind == INI_BAD_SECTION)
			section = item.kind == INI_SECTION ? section_of(&item)
							   : NO_SECTION;
		else if (section != NO_SECTION && item.kind == INI_KEY &&
			 config_key_find(section, item.word) >= 0)
			config_draft_set(
				d, config_keys[config_key_find(section, item.word)].name,
				item.value, NULL);
	}
}

static void add_key(struct edit *e, size_t k, struct buf *out) {
	buf_addf(out, "%s = %s\n", config_keys[k].name, e->d->value[k]);
	e->done[k] = true;
}

static bool is_missing(const struct edit *e, size_t k, enum config_section_id section) {
	return config_keys[k].section == section && e->d->value[k] && !e->done[k];
}

static bool any_missing(const struct edit *e, enum config_section_id section) {
	for (size_t k = 0; k < config_key_count; k++)
		if (is_missing(e, k, section))
			return true;
	return false;
}

static void add_missing(struct edit *e, enum config_section_id section, struct buf *out) {
	for (size_t k = 0; k < config_key_count; k++)
		if (is_missing(e, k, section))
			add_key(e, k, out);
}

static void end_section(struct edit *e, bool more) {
	AUTO_BUF struct buf tail = BUF_INIT(e->out->max);
	if (e->section == NO_SECTION)
		return;
	if (!any_missing(e, e->section))
		return;
	buf_add(&tail, span_from(buf_span(e->out), e->insert_at));
	buf_truncate(e->out, e->insert_at);
	if (e->out->len > 0 && e->out->data[e->out->len - 1] != '\n')
		buf_addc(e->out, '\n');
	add_missing(e, e->section, e->out);
	if (e->section == CONFIG_TOP && (tail.len > 0 ? tail.data[0] != '\n' : more))
		buf_addc(e->out, '\n');
	buf_add(e->out, buf_span(&tail));
	if (buf_failed(&tail))
		e->out->failed = true;
}

/* A key line in a section of ours: true when it was dealt with. */
static bool edit_key(struct edit *e, const struct ini_item *item) {
	int k = config_key_find(e->section, item->word);
	if (k < 0)
		return false;
	if (e->d->drop[k])
		return true;
	if (!e->d->value[k])
		return false;
	bool same = item->kind == INI_KEY &&
		    span_eq(item->value, span_str(e->d->value[k]));
	if (same) {
		e->done[k] = true;
		return false;
	}
	if (!e->done[k])
		add_key(e, (size_t)k, e->out);
	return true;
}

/* The line with its end. */
static void edit_line(struct edit *e, struct span line) {
	struct ini in = ini_over(line);
	struct ini_item item;
	enum ini_kind kind = ini_next(&in, &item);
	bool is_key = kind == INI_KEY || kind == INI_UNSET;
	if (kind == INI_SECTION || kind == INI_BAD_SECTION) {
		end_section(e, true);
		e->section = kind == INI_SECTION ? section_of(&item) : NO_SECTION;
	}
	if (!(is_key && e->section != NO_SECTION && edit_key(e, &item)))
		buf_add(e->out, line);
	bool blank = span_trim(line).len == 0;
	if (kind != INI_END || (e->section == CONFIG_TOP && blank))
		e->insert_at = e->out->len;
}

static void add_section(struct edit *e, enum config_section_id section) {
	if (!any_missing(e, section))
		return;
	if (e->out->len > 0 && e->out->data[e->out->len - 1] != '\n')
		buf_addc(e->out, '\n');
	bool apart = e->out->len == 0 ||
		     (e->out->len > 1 && e->out->data[e->out->len - 2] == '\n');
	buf_addf(e->out, "%s[%s%s]\n", apart ? "" : "\n", config_sections[section].word,
		 config_sections[section].named ? " default" : "");
	add_missing(e, section, e->out);
}

int config_draft_apply(const struct config_draft *d, struct span text, struct buf *out) {
	AUTO_BUF struct buf fresh = BUF_INIT(out->max);
	struct edit e = { .d = d, .out = &fresh, .section = CONFIG_TOP };
	while (text.len) {
		struct span line = span_head(text, span_find(text, '\n') + 1);
		edit_line(&e, line);
		text = span_from(text, line.len);
	}
	end_section(&e, false);
	for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++)
		add_section(&e, (enum config_section_id)i);
	if (buf_failed(&fresh) || buf_add(out, buf_span(&fresh)) != 0)
		return -1;
	return 0;
}
