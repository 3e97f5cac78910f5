/*
 * What is new. A finding is the same as long as its id, its subject and, where its text begins
 * with a name and a colon or a term of SPF, that are: the days that a certificate has left may
 * change. The records of one name and type are compared as a whole.
 *
 * A name server that was silent once says nothing yet: till the next round that is unknown, and
 * so is what its silence leaves open.
 */

#include "deliver/watch_result.h"

#include <stdio.h>
#include <string.h>

#define TEXT_SHOWN 300u
#define VALUE_SHOWN 200u
#define WHY_MAX 400u

struct comparison {
	struct watchstate *old;
	struct watch_round *round;
	struct watch_items finding, record; /* what is to be kept */
	struct buf *text;
	bool outage; /* a record of the domain was not told */
	bool worse, better, changed, failed;
};

static void begin_line(struct comparison *c) {
	if (c->text->len > 0)
		buf_adds(c->text, "; ");
}

static void keep(struct comparison *c, struct watch_items *l,
		 const struct watch_item *i) {
	const struct span word[WATCH_WORDS] = { span_str(i->word[0]),
						span_str(i->word[1]),
						span_str(i->word[2]) };
	c->failed |= watch_items_add(l, i->level, word) != 0;
}

/* --- findings --- */

static bool is_id(const struct watch_item *f, const char *id) {
	return strcmp(f->word[WATCH_ID], id) == 0;
}

/* "zen.spamhaus.org:" or "include:example.org" of a text that begins so; else "". What name
 * servers differ in is the text itself. */
static struct span head_of(const struct watch_item *f) {
	struct span word, rest = span_str(f->word[WATCH_TEXT]);
	if (is_id(f, "ns.disagree"))
		return rest;
	if (!span_take_word(&rest, &word) ||
	    (span_find(word, ':') == word.len && span_find(word, '=') == word.len))
		return SPAN("");
	return word;
}

static bool is_same(const struct watch_item *a, const struct watch_item *b) {
	return strcmp(a->word[WATCH_ID], b->word[WATCH_ID]) == 0 &&
	       strcmp(a->word[WATCH_SUBJECT], b->word[WATCH_SUBJECT]) == 0 &&
	       span_eq(head_of(a), head_of(b));
}

static struct watch_item *find(const struct watch_items *l, const struct watch_item *f) {
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].level != WATCH_UNKNOWN && is_same(&l->at[i], f))
			return &l->at[i];
	return NULL;
}

static struct span area_of(const struct watch_item *f) {
	struct span id = span_str(f->word[WATCH_ID]);
	return span_head(id, span_find(id, '.'));
}

/* Found by smtp-probe? */
static bool is_of_certificate(const struct watch_item *f) {
	return span_eq(area_of(f), SPAN("tls")) ||
	       strcmp(f->word[WATCH_ID], "dane.mismatch") == 0;
}

/* Of a blocklist another one's silence says nothing. */
static bool is_of_other_list(const struct watch_item *f,
			     const struct watch_item *unknown) {
	struct span zone = head_of(f);
	if (!span_eq(area_of(f), SPAN("bl")) || zone.len == 0)
		return false;
	zone = span_head(zone, zone.len - 1);
	return !span_eq(span_str(unknown->word[WATCH_SUBJECT]), zone) &&
	       !span_starts(span_str(unknown->word[WATCH_TEXT]), zone);
}

static bool leaves_open(const struct watch_item *unknown, const struct watch_item *f) {
	struct span area = area_of(unknown);
	if (unknown->level != WATCH_UNKNOWN)
		return false;
	if (span_eq(area, SPAN("mx")) || span_eq(area, SPAN("dnssec")))
		return true; /* everything hangs on them */
	if (is_of_certificate(f) &&
	    strcmp(unknown->word[WATCH_SUBJECT], f->word[WATCH_SUBJECT]) == 0)
		return true;
	if (is_id(unknown, "ns.silent") && is_id(f, "mx.ns_disagree"))
		return true;
	return span_eq(area, area_of(f)) && !is_of_other_list(f, unknown);
}

/* Was what it is about not looked at? */
static bool is_open(const struct comparison *c, const struct watch_item *f) {
	const struct watch_items *l = &c->round->finding;
	if (c->outage || (is_of_certificate(f) && !c->round->probed))
		return true;
	for (size_t i = 0; i < l->count; i++)
		if (leaves_open(&l->at[i], f))
			return true;
	return false;
}

static bool was_silent(const struct watchstate *s, const struct watch_item *f) {
	const struct watch_items *l = &s->finding;
	for (size_t i = 0; i < l->count; i++)
		if (is_id(&l->at[i], "ns.silent") &&
		    strcmp(l->at[i].word[WATCH_SUBJECT], f->word[WATCH_SUBJECT]) == 0)
			return true;
	return false;
}

static void doubt_silence(const struct watchstate *s, struct watch_items *now) {
	for (size_t i = 0; i < now->count; i++)
		if (is_id(&now->at[i], "ns.silent") && !was_silent(s, &now->at[i]))
			now->at[i].level = WATCH_UNKNOWN;
}

static void tell_finding(struct comparison *c, const char *what,
			 const struct watch_item *f) {
	begin_line(c);
	buf_addf(c->text, "%s %s (%s", what, watch_level_name(f->level),
		 f->word[WATCH_ID]);
	if (strcmp(f->word[WATCH_SUBJECT], c->old->domain) != 0)
		buf_addf(c->text, ", %.100s", f->word[WATCH_SUBJECT]);
	buf_adds(c->text, "): ");
	buf_add(c->text, span_head(span_str(f->word[WATCH_TEXT]), TEXT_SHOWN));
}

/* Each once, as bad as it is at worst. */
static void merge(struct comparison *c) {
	const struct watch_items *now = &c->round->finding;
	for (size_t i = 0; i < now->count; i++) {
		struct watch_item *twice = now->at[i].level == WATCH_UNKNOWN
						   ? NULL
						   : find(&c->finding, &now->at[i]);
		if (!twice)
			keep(c, &c->finding, &now->at[i]);
		else if (now->at[i].level > twice->level)
			twice->level = now->at[i].level;
	}
}

static void compare_new(struct comparison *c, const struct watch_item *f) {
	const struct watch_item *before = find(&c->old->finding, f);
	if (f->level == WATCH_UNKNOWN || (before && before->level == f->level))
		return;
	tell_finding(c, !before ? "new" : "now", f);
	c->worse |= !before || f->level > before->level;
	c->better |= before && f->level < before->level;
}

static void compare_findings(struct comparison *c) {
	const struct watch_items *old = &c->old->finding;
	merge(c);
	for (size_t i = 0; i < c->finding.count; i++)
		compare_new(c, &c->finding.at[i]);
	for (size_t i = 0; i < old->count; i++) {
		const struct watch_item *f = &old->at[i];
		if (f->level == WATCH_UNKNOWN || find(&c->finding, f))
			continue;
		if (is_open(c, f)) {
			keep(c, &c->finding, f);
			continue;
		}
		tell_finding(c, "no more", f);
		c->better = true;
	}
}

/* --- records --- */

static bool is_of(const struct watch_item *r, const struct watch_item *first) {
	return strcasecmp(r->word[WATCH_NAME], first->word[WATCH_NAME]) == 0 &&
	       strcmp(r->word[WATCH_TYPE], first->word[WATCH_TYPE]) == 0;
}

/* The first record of that name and type, or NULL. */
static const struct watch_item *group(const struct watch_items *l,
				      const struct watch_item *of) {
	for (size_t i = 0; i < l->count; i++)
		if (is_of(&l->at[i], of))
			return &l->at[i];
	return NULL;
}

static bool is_silent(const struct watch_item *r) {
	return strcmp(r->word[WATCH_VALUE], "?") == 0;
}

static bool has_value(const struct watch_items *l, const struct watch_item *r) {
	for (size_t i = 0; i < l->count; i++)
		if (is_of(&l->at[i], r) &&
		    strcmp(l->at[i].word[WATCH_VALUE], r->word[WATCH_VALUE]) == 0)
			return true;
	return false;
}

/* Are all values of that group in the other list too? */
static bool is_within(const struct watch_items *l, const struct watch_items *other,
		      const struct watch_item *of) {
	for (size_t i = 0; i < l->count; i++)
		if (is_of(&l->at[i], of) && !has_value(other, &l->at[i]))
			return false;
	return true;
}

static void add_values(struct comparison *c, const struct watch_items *l,
		       const struct watch_item *of) {
	const char *between = "";
	for (size_t i = 0; i < l->count; i++) {
		const char *value = l->at[i].word[WATCH_VALUE];
		if (!is_of(&l->at[i], of))
			continue;
		bool none = strcmp(value, "-") == 0;
		buf_addf(c->text, "%s%.*s%s", between, (int)VALUE_SHOWN,
			 none ? "not there" : value,
			 strlen(value) > VALUE_SHOWN ? "..." : "");
		between = ", ";
	}
}

static void keep_group(struct comparison *c, const struct watch_items *l,
		       const struct watch_item *of) {
	for (size_t i = 0; i < l->count; i++)
		if (is_of(&l->at[i], of))
			keep(c, &c->record, &l->at[i]);
}

/* A name that nobody asked for now belonged to something that is told by itself. */
static void compare_group(struct comparison *c, const struct watch_item *old) {
	const struct watch_items *before = &c->old->record, *now = &c->round->record;
	const struct watch_item *first = group(now, old);
	if (!first || is_silent(first)) {
		if (first || c->outage)
			keep_group(c, before, old);
		return;
	}
	keep_group(c, now, first);
	if (is_within(before, now, old) && is_within(now, before, old))
		return;
	begin_line(c);
	buf_addf(c->text, "%s %s was ", old->word[WATCH_NAME], old->word[WATCH_TYPE]);
	add_values(c, before, old);
	buf_adds(c->text, ", is now ");
	add_values(c, now, old);
	c->changed = true;
}

static void compare_records(struct comparison *c) {
	const struct watch_items *before = &c->old->record, *now = &c->round->record;
	for (size_t i = 0; i < before->count; i++)
		if (group(before, &before->at[i]) == &before->at[i])
			compare_group(c, &before->at[i]);
	for (size_t i = 0; i < now->count; i++)
		if (!group(before, &now->at[i]) && !is_silent(&now->at[i]))
			keep(c, &c->record, &now->at[i]);
}

/* --- all of it --- */

static enum watch_level worst(const struct watch_items *l) {
	enum watch_level level = WATCH_OK;
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].level != WATCH_UNKNOWN && l->at[i].level > level)
			level = l->at[i].level;
	return level;
}

/* Some servers never answer a question for these. */
static bool is_optional(const struct watch_item *r) {
	static const char *const types[] = { "AAAA", "CAA", "TLSA", "CNAME" };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(r->word[WATCH_TYPE], types[i]) == 0)
			return true;
	return false;
}

/* Which records were not told that were told before, or have to be the first time; false: all
 * were. */
static bool find_silent(const struct comparison *c, struct buf *why) {
	const struct watch_items *l = &c->round->record;
	size_t n = 0;
	for (size_t i = 0; i < l->count; i++) {
		const struct watch_item *one = &l->at[i];
		if (!is_silent(one) ||
		    (c->old->known ? !group(&c->old->record, one) : is_optional(one)))
			continue;
		if (n++ == 0)
			buf_addf(why, "no answer to the question for %s of %s",
				 one->word[WATCH_TYPE], one->word[WATCH_NAME]);
	}
	if (n > 1)
		buf_addf(why, ", and to %zu more", n - 1);
	return n > 0;
}

/* Not all was told. */
static enum watch_news go_silent(struct watchstate *s, const char *why,
				 struct buf *text) {
	snprintf(s->why, sizeof(s->why), "%s", why);
	if (s->silent < 1000000)
		s->silent++;
	if (s->silent != WATCH_SILENT_MAX)
		return WATCH_NOTHING;
	if (text->len > 0)
		buf_adds(text, "; ");
	buf_addf(text, "%u checks in a row did not tell all: %s", s->silent, s->why);
	return WATCH_SILENT;
}

/* The first result is no change; what is bad in it is told all the same. */
static void begin(struct comparison *c) {
	merge(c);
	for (size_t i = 0; i < c->round->record.count; i++)
		if (!is_silent(&c->round->record.at[i]))
			keep(c, &c->record, &c->round->record.at[i]);
	for (size_t i = 0; i < c->finding.count; i++)
		if (c->finding.at[i].level == WATCH_FAIL)
			tell_finding(c, "found", &c->finding.at[i]);
	c->worse = c->text->len > 0;
}

static enum watch_news take_over(struct comparison *c, enum watch_news news) {
	struct watchstate *s = c->old;
	if (c->failed) {
		watch_items_release(&c->finding);
		watch_items_release(&c->record);
		buf_reset(c->text);
		return go_silent(s, "out of memory", c->text);
	}
	watch_items_release(&s->finding);
	watch_items_release(&s->record);
	s->finding = c->finding;
	s->record = c->record;
	s->known = true;
	s->verdict = worst(&s->finding);
	return news;
}

static enum watch_news end_silence(struct comparison *c) {
	struct watchstate *s = c->old;
	if (s->silent >= WATCH_SILENT_MAX) {
		begin_line(c);
		buf_adds(c->text, "all questions are answered again");
		c->better = true;
	}
	s->silent = 0;
	s->why[0] = '\0';
	if (c->worse)
		return WATCH_BAD;
	return c->better && worst(&c->finding) == WATCH_OK ? WATCH_GOOD
	       : c->better || c->changed                   ? WATCH_CHANGED
							   : WATCH_NOTHING;
}

enum watch_news watch_compare(struct watchstate *s, struct watch_round *r,
			      struct buf *text) {
	AUTO_BUF struct buf why = BUF_INIT(WHY_MAX);
	struct comparison c = { .old = s, .round = r, .text = text };
	if (r->failed)
		return go_silent(s, r->failed, text);
	doubt_silence(s, &r->finding);
	c.outage = find_silent(&c, &why);
	if (!s->known && c.outage)
		return go_silent(s, buf_str(&why), text);
	if (s->known) {
		compare_findings(&c);
		compare_records(&c);
	} else {
		begin(&c);
	}
	if (!c.outage)
		return take_over(&c, end_silence(&c));
	enum watch_news silence = go_silent(s, buf_str(&why), text);
	return take_over(&c, c.worse                    ? WATCH_BAD
			     : silence != WATCH_NOTHING ? silence
			     : c.better || c.changed    ? WATCH_CHANGED
							: WATCH_NOTHING);
}

enum watch_level watch_verdict(const struct watchstate *s) {
	return s->silent > 0 || !s->known ? WATCH_UNKNOWN : s->verdict;
}
