/* What is known of the domains, for those who ask (control/control.h) and for motd. */

#include <string.h>

#include "base/auto.h"
#include "base/codec.h"
#include "deliver/state.h"

#define ANSWER_MAX (8u << 20)

static bool runs(const struct manager *m, const struct watch_domain *d) {
	return m->watches.run &&
	       strcmp(watch_run_domain(m->watches.run), d->state.domain) == 0;
}

static void add_time(struct json *j, const char *key, int64_t seconds) {
	if (seconds > 0)
		json_int(j, key, seconds);
	else
		json_null(j, key);
}

static void add_some(struct json *j, const char *key, const char *text) {
	json_str_or_null(j, key, text && text[0] ? span_str(text) : span_str(NULL));
}

/* The findings that are as bad as the verdict, the first of them in words. */
static const struct watch_item *worst(const struct watchstate *s) {
	for (size_t i = 0; i < s->finding.count; i++)
		if (s->verdict > WATCH_UNKNOWN && s->finding.at[i].level == s->verdict)
			return &s->finding.at[i];
	return NULL;
}

/* Leaves the object open. */
static void begin(struct json *j, const struct manager *m, const struct watch_domain *d) {
	const struct watchstate *s = &d->state;
	int64_t wait_ms = d->due_ms - clock_boot_ms();
	const struct watch_item *bad = worst(s);
	json_object(j, NULL);
	json_str(j, "domain", span_str(s->domain));
	json_str(j, "verdict", span_str(watch_level_name(watch_verdict(s))));
	add_time(j, "checked", s->checked.wall_ms / 1000);
	json_bool(j, "running", d->asked || runs(m, d));
	json_int(j, "next", (clock_wall_ms() + (wait_ms > 0 ? wait_ms : 0)) / 1000);
	add_some(j, "why", s->why[0] ? s->why : bad ? bad->word[WATCH_TEXT] : NULL);
}

static void add_findings(struct json *j, const struct watchstate *s) {
	json_array(j, "findings");
	for (size_t i = 0; i < s->finding.count; i++) {
		const struct watch_item *f = &s->finding.at[i];
		json_object(j, NULL);
		json_str(j, "severity", span_str(watch_level_name(f->level)));
		json_str(j, "id", span_str(f->word[WATCH_ID]));
		json_str(j, "subject", span_str(f->word[WATCH_SUBJECT]));
		json_str(j, "text", span_str(f->word[WATCH_TEXT]));
		json_end(j);
	}
	json_end(j);
}

static void add_records(struct json *j, const struct watchstate *s) {
	json_array(j, "records");
	for (size_t i = 0; i < s->record.count; i++) {
		const struct watch_item *r = &s->record.at[i];
		bool none = strcmp(r->word[WATCH_VALUE], "-") == 0;
		json_object(j, NULL);
		json_str(j, "name", span_str(r->word[WATCH_NAME]));
		json_str(j, "type", span_str(r->word[WATCH_TYPE]));
		add_some(j, "value", none ? NULL : r->word[WATCH_VALUE]);
		json_end(j);
	}
	json_end(j);
}

static void add_domain(struct buf *out, const struct manager *m,
		       const struct watch_domain *d) {
	struct json j = json_into(out);
	begin(&j, m, d);
	json_int(&j, "silent", d->state.silent);
	add_time(&j, "changed", d->state.changed_s);
	add_some(&j, "change", d->state.change);
	add_findings(&j, &d->state);
	add_records(&j, &d->state);
	json_end(&j);
	buf_addc(out, '\n');
}

/* [domain=NAME] [now=1] */
static bool understand(struct span words, struct buf *domain, bool *now) {
	struct span key, value;
	while (codec_word_take(&words, &key, &value)) {
		if (value.p && span_eq(key, SPAN("domain")) && domain->len == 0) {
			if (codec_percent_decode(domain, value) != 0)
				return false;
		} else if (value.p && span_eq(key, SPAN("now")) &&
			   span_eq(value, SPAN("1"))) {
			*now = true;
		} else {
			return false;
		}
	}
	return true;
}

void watch_request(struct manager *m, struct control_client *c, struct span words) {
	AUTO_BUF struct buf out = BUF_INIT(ANSWER_MAX), domain = BUF_INIT(255);
	struct watches *w = &m->watches;
	bool now = false, found = false;
	if (!understand(words, &domain, &now)) {
		control_end(c, "the request is not understood");
		return;
	}
	for (size_t i = 0; i < w->count; i++) {
		struct watch_domain *d = &w->at[i];
		if (domain.len > 0 &&
		    !span_eq_nocase(buf_span(&domain), span_str(d->state.domain)))
			continue;
		found = true;
		d->asked |= now && !runs(m, d);
		add_domain(&out, m, d);
	}
	if (!found) {
		control_end(c, w->count == 0
				       ? "no domain is watched: there is none in [watch]"
				       : "that domain is not in [watch]");
		return;
	}
	if (now && m->complaints.len > 0) {
		control_end(c, "the configuration has errors");
		return;
	}
	manager_kick(m);
	if (buf_failed(&out)) {
		control_end(c, "that is too much at once: ask for one domain");
		return;
	}
	control_answer(c, buf_span(&out));
	control_end(c, NULL);
}

void watch_status(struct manager *m, struct json *j) {
	json_array(j, "watch");
	for (size_t i = 0; i < m->watches.count; i++) {
		begin(j, m, &m->watches.at[i]);
		json_end(j);
	}
	json_end(j);
}

void watch_motd(const struct manager *m, struct buf *out) {
	for (size_t i = 0; i < m->watches.count; i++) {
		const struct watchstate *s = &m->watches.at[i].state;
		const struct watch_item *bad = worst(s);
		if (s->silent >= WATCH_SILENT_MAX)
			buf_addf(out, "  %s is not known to be well: %s\n", s->domain,
				 s->why);
		else if (bad && s->verdict == WATCH_FAIL)
			buf_addf(out, "  %s: %s (%s)\n", s->domain, bad->word[WATCH_TEXT],
				 bad->word[WATCH_SUBJECT]);
	}
}
