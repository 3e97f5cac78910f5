/*
 * DMARC records, tag by tag. An error is what makes some receiver read another record than was
 * meant: the grammar of RFC 9989 section 4.8, and of RFC 7489 section 6.4, whose receivers want
 * p right behind v and know the tags that are gone since.
 */

#include "authres/dmarc_record.h"
#include "check/lint_state.h"
#include "mail/fields.h"

#define TAGS_SEEN 64

static bool is_policy(struct span s) {
	return span_eq_nocase(s, SPAN("none")) || span_eq_nocase(s, SPAN("quarantine")) ||
	       span_eq_nocase(s, SPAN("reject"));
}

static bool is_one_of(struct span s, const char *letters) {
	char c = s.len == 1 ? span_lower(s.p[0]) : 0;
	return c && strchr(letters, c);
}

/* letters, digits and hyphens, the last no hyphen (Keyword, RFC 5321 section 4.1.2). */
static bool is_keyword(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if (!span_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return s.len > 0 && s.p[s.len - 1] != '-';
}

static void check_uris(const struct field *f, struct lint *l) {
	struct span rest = f->value;
	struct dmarc_uri u;
	while (dmarc_take_uri(&rest, &u)) {
		if (!u.valid)
			lint_error(l, u.uri, "this is no address for reports");
		else if (u.size.p)
			lint_note(l, u.uri, "a size behind ! is ignored since RFC 9990");
	}
}

/* rf=afrf:other, fo=0:1:d:s. */
static bool is_list(struct span value, bool letters) {
	struct span item;
	while (fields_take_item(&value, ':', &item))
		if (letters ? !is_one_of(item, "01ds") : !is_keyword(item))
			return false;
	return true;
}

static void check_gone(const struct field *f, struct lint *l) {
	uint64_t number;
	bool pct = span_eq_nocase(f->name, SPAN("pct"));
	if (span_eq_nocase(f->name, SPAN("rf"))) {
		if (!is_list(f->value, false))
			lint_error(l, f->value, "rf is a list of names");
	} else if (!span_uint(f->value, pct ? 100 : UINT32_MAX, &number)) {
		lint_error(l, f->name,
			   pct ? "it is a number up to 100"
			       : "it is a number of seconds");
	}
	lint_note(l, f->name, "it is gone since RFC 9989");
}

static const struct {
	const char *name;
	const char *letters;
	const char *why;
} choices[] = {
	{ "adkim", "rs", "adkim is r or s" },
	{ "aspf", "rs", "aspf is r or s" },
	{ "t", "yn", "t is y or n" },
	{ "psd", "ynu", "psd is y, n or u" },
};

static void check_tag(const struct field *f, struct lint *l) {
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (span_eq_nocase(f->name, span_str(choices[i].name)) &&
		    !is_one_of(f->value, choices[i].letters))
			lint_error(l, f->value, choices[i].why);
	if (span_eq_nocase(f->name, SPAN("p")) && !is_policy(f->value))
		lint_error(l, f->value, "p is none, quarantine or reject");
	if (span_eq_nocase(f->name, SPAN("fo")) && !is_list(f->value, true))
		lint_error(l, f->value, "fo is a list of 0, 1, d and s");
	if (span_eq_nocase(f->name, SPAN("rua")) || span_eq_nocase(f->name, SPAN("ruf")))
		check_uris(f, l);
	if (span_eq_nocase(f->name, SPAN("pct")) || span_eq_nocase(f->name, SPAN("rf")) ||
	    span_eq_nocase(f->name, SPAN("ri")))
		check_gone(f, l);
}

void lint_dmarc(struct span text, struct lint *l) {
	struct span rest = text, seen[TAGS_SEEN];
	struct dmarc_record record;
	struct field f;
	size_t count = 0;
	int r;
	if (!dmarc_is_record(text)) {
		lint_error(l, SPAN(""), "it does not begin with v=DMARC1; (case counts)");
		return;
	}
	while ((r = fields_take(&rest, &f)) > 0) {
		for (size_t i = 0; i < count; i++)
			if (span_eq_nocase(seen[i], f.name))
				lint_error(l, f.name, "it stands twice");
		if (count < TAGS_SEEN)
			seen[count++] = f.name;
		check_tag(&f, l);
	}
	if (r < 0)
		lint_error(l, rest, "here is no tag=value");
	if (!dmarc_record_parse(text, &record))
		lint_error(l, SPAN(""),
			   "without a valid p, sp and np it needs an address in rua");
	else if (record.has_p && !record.p_second)
		lint_error(l, SPAN("p"),
			   "it does not stand right behind v (RFC 7489 section 6.4)");
	else if (!record.has_p)
		lint_note(l, SPAN(""), "there is no p: it counts as p=none");
	else if (record.bad_policy)
		lint_note(l, SPAN(""),
			  "sp or np is no policy: the record counts as p=none");
}
