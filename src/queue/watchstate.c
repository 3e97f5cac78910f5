/*
 * The file `watch`: checksummed lines (queue/words.h), for each domain one that begins it and
 * says how many follow.
 *
 *   domain NAME known=0|1 verdict=LEVEL silent=N findings=N records=N changed=SECONDS
 *          wall_ms= boot_ms= boot_id= why=TEXT change=TEXT
 *   finding LEVEL ID SUBJECT TEXT
 *   record ok NAME TYPE VALUE
 */

#include "queue/watchstate.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "queue/spool.h"
#include "queue/words.h"

#define FILE_MAX (16u << 20)
#define TEXT_MAX 65536u

static const char *const names[] = {
	[WATCH_OK] = "ok",
	[WATCH_UNKNOWN] = "unknown",
	[WATCH_WARN] = "warn",
	[WATCH_FAIL] = "fail",
};

const char *watch_level_name(enum watch_level level) {
	return names[level];
}

bool watch_level_parse(struct span s, enum watch_level *ret) {
	for (int i = WATCH_OK; i <= WATCH_FAIL; i++)
		if (span_eq(s, span_str(names[i]))) {
			*ret = (enum watch_level)i;
			return true;
		}
	return false;
}

/* --- lists --- */

static void item_release(struct watch_item *i) {
	for (size_t k = 0; k < WATCH_WORDS; k++)
		free(i->word[k]);
}

int watch_items_add(struct watch_items *l, enum watch_level level,
		    const struct span word[WATCH_WORDS]) {
	struct watch_item item = { .level = level };
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct watch_item *more = l->count >= WATCH_ITEMS_MAX
						  ? NULL
						  : reallocarray(l->at, cap,
								 sizeof(*more));
		if (!more)
			return -1;
		l->at = more;
		l->cap = cap;
	}
	bool good = true;
	for (size_t k = 0; k < WATCH_WORDS; k++) {
		item.word[k] = span_dup(word[k].p ? word[k] : SPAN(""));
		good &= item.word[k] != NULL;
	}
	if (!good) {
		item_release(&item);
		return -1;
	}
	l->at[l->count++] = item;
	return 0;
}

void watch_items_truncate(struct watch_items *l, size_t count) {
	while (l->count > count)
		item_release(&l->at[--l->count]);
}

void watch_items_release(struct watch_items *l) {
	watch_items_truncate(l, 0);
	free(l->at);
	*l = (struct watch_items){ .at = NULL };
}

void watchstate_release(struct watchstate *s) {
	free(s->change);
	watch_items_release(&s->finding);
	watch_items_release(&s->record);
	*s = (struct watchstate){ .change = NULL };
}

/* --- reading --- */

struct head {
	struct watchstate *s;
	uint64_t findings, records;
	unsigned seen; /* of the moment */
};

/* Decodes into an array; false when it is no encoding, too long, or holds a NUL. */
static bool read_text(struct span value, char *out, size_t size) {
	AUTO_BUF struct buf plain = BUF_INIT(size - 1);
	if (codec_percent_decode(&plain, value) != 0)
		return false;
	memcpy(out, buf_str(&plain), plain.len + 1);
	return span_find(buf_span(&plain), '\0') == plain.len;
}

static bool read_number(struct span value, uint64_t max, uint64_t *ret) {
	return span_uint(value, max, ret);
}

static bool read_change(struct span value, struct watchstate *s) {
	AUTO_BUF struct buf plain = BUF_INIT(TEXT_MAX);
	if (s->change || codec_percent_decode(&plain, value) != 0 ||
	    span_find(buf_span(&plain), '\0') < plain.len)
		return false;
	s->change = span_dup(buf_span(&plain));
	return s->change != NULL;
}

static bool read_word(struct span key, struct span value, struct head *h) {
	struct watchstate *s = h->s;
	uint64_t n;
	if (!value.p)
		return false;
	if (span_eq(key, SPAN("verdict")))
		return watch_level_parse(value, &s->verdict);
	if (span_eq(key, SPAN("why")))
		return read_text(value, s->why, sizeof(s->why));
	if (span_eq(key, SPAN("change")))
		return read_change(value, s);
	if (span_eq(key, SPAN("findings")))
		return read_number(value, WATCH_ITEMS_MAX, &h->findings);
	if (span_eq(key, SPAN("records")))
		return read_number(value, WATCH_ITEMS_MAX, &h->records);
	if (words_moment(key, value, &s->checked, &h->seen))
		return true;
	if (span_eq(key, SPAN("known")) && read_number(value, 1, &n))
		s->known = n == 1;
	else if (span_eq(key, SPAN("silent")) && read_number(value, 1000000, &n))
		s->silent = (unsigned)n;
	else if (span_eq(key, SPAN("changed")) &&
		 read_number(value, INT64_MAX / 1000, &n))
		s->changed_s = (int64_t)n;
	else
		return false;
	return true;
}

static bool read_head(struct span line, struct head *h) {
	struct span word, value;
	if (!codec_word_take(&line, &word, &value) || value.p ||
	    !span_eq(word, SPAN("domain")) || !codec_word_take(&line, &word, &value) ||
	    value.p || !read_text(word, h->s->domain, sizeof(h->s->domain)))
		return false;
	while (codec_word_take(&line, &word, &value))
		if (!read_word(word, value, h))
			return false;
	return h->seen == WORDS_MOMENT_ALL;
}

static bool read_item(struct span line, const char *kind, struct watch_items *l) {
	AUTO_BUF struct buf plain = BUF_INIT(TEXT_MAX);
	struct span word, value, part[WATCH_WORDS];
	size_t end[WATCH_WORDS];
	enum watch_level level;
	if (!codec_word_take(&line, &word, &value) || value.p ||
	    !span_eq(word, span_str(kind)) || !codec_word_take(&line, &word, &value) ||
	    value.p || !watch_level_parse(word, &level))
		return false;
	for (size_t i = 0; i < WATCH_WORDS; i++) {
		if (!codec_word_take(&line, &word, &value) || value.p ||
		    codec_percent_decode(&plain, word) != 0)
			return false;
		end[i] = plain.len;
	}
	if (line.len > 0 || span_find(buf_span(&plain), '\0') < plain.len)
		return false;
	for (size_t i = 0; i < WATCH_WORDS; i++)
		part[i] = span_from(span_head(buf_span(&plain), end[i]),
				    i ? end[i - 1] : 0);
	return watch_items_add(l, level, part) == 0;
}

static bool read_items(struct span *bytes, const char *kind, uint64_t count,
		       struct watch_items *l) {
	struct span line;
	for (uint64_t i = 0; i < count; i++)
		if (!words_record_take(bytes, &line) || !read_item(line, kind, l))
			return false;
	return true;
}

static bool read_domain(struct span *bytes, struct watchstate *ret) {
	struct head h = { .s = ret };
	struct span line;
	*ret = (struct watchstate){ .change = NULL };
	if (words_record_take(bytes, &line) && read_head(line, &h) &&
	    read_items(bytes, "finding", h.findings, &ret->finding) &&
	    read_items(bytes, "record", h.records, &ret->record))
		return true;
	watchstate_release(ret);
	return false;
}

size_t watchstate_parse(struct span bytes, struct watchstate *ret, size_t max) {
	size_t n = 0;
	while (n < max && read_domain(&bytes, &ret[n]))
		n++;
	return n;
}

size_t watchstate_read(struct queue *q, struct watchstate *ret, size_t max) {
	AUTO_BUF struct buf bytes = BUF_INIT(FILE_MAX);
	if (file_read(q->dir, SPOOL_WATCH, &bytes, NULL) != 0)
		return 0;
	return watchstate_parse(buf_span(&bytes), ret, max);
}

/* --- writing --- */

static int add_items(struct buf *out, const char *kind, const struct watch_items *l) {
	for (size_t i = 0; i < l->count; i++) {
		size_t begin = words_record_begin(out, kind);
		buf_addf(out, " %s", watch_level_name(l->at[i].level));
		for (size_t k = 0; k < WATCH_WORDS; k++) {
			buf_addc(out, ' ');
			codec_percent_add(out, span_str(l->at[i].word[k]));
		}
		if (words_record_end(out, begin) != 0)
			return -1;
	}
	return 0;
}

int watchstate_add(struct buf *out, const struct watchstate *s) {
	size_t begin = words_record_begin(out, "domain ");
	codec_percent_add(out, span_str(s->domain));
	buf_addf(out, " known=%d verdict=%s", s->known, watch_level_name(s->verdict));
	codec_word_add_int(out, "silent", s->silent);
	codec_word_add_int(out, "findings", (int64_t)s->finding.count);
	codec_word_add_int(out, "records", (int64_t)s->record.count);
	codec_word_add_int(out, "changed", s->changed_s);
	words_add_moment(out, &s->checked);
	codec_word_add(out, "why", span_str(s->why));
	if (s->change)
		codec_word_add(out, "change", span_str(s->change));
	if (words_record_end(out, begin) != 0)
		return -1;
	return add_items(out, "finding", &s->finding) == 0
		       ? add_items(out, "record", &s->record)
		       : -1;
}

int watchstate_write(struct queue *q, struct span bytes, struct err *err) {
	return file_replace(q->dir, SPOOL_WATCH, 0600, bytes, err);
}
