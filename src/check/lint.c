/* Which grammar goes with which kind of record; DMARC's is in lint_dmarc.c. */

#include "check/lint.h"

#include "authres/dkim_key.h"
#include "authres/spf_parse.h"
#include "base/auto.h"
#include "base/term.h"
#include "check/lint_state.h"
#include "mail/fields.h"
#include "mail/uri.h"
#include "tlspolicy/sts_record.h"
#include "tlspolicy/tlsrpt_record.h"

#define LINES_MAX (1u << 20)
#define SHOWN_MAX 100u
#define DAY_S 86400u

static void add_line(struct buf *out, struct span what, const char *why) {
	term_safe(out, span_head(what, SHOWN_MAX));
	buf_addf(out, "%s%s\n", what.len > 0 ? ": " : "", why);
}

void lint_error(struct lint *l, struct span what, const char *why) {
	add_line(&l->errors, what, why);
}

void lint_note(struct lint *l, struct span what, const char *why) {
	add_line(&l->notes, what, why);
}

/* --- SPF --- */

static void lint_spf(struct span text, struct lint *l) {
	struct spf_record r;
	struct spf_term t;
	struct err err = ERR_INIT;
	bool after_all = false;
	if (spf_record_parse(text, &r, NULL, &err) != 0) {
		lint_error(l, SPAN(""), err.msg);
		return;
	}
	for (struct span rest = r.terms; spf_take_term(&rest, &t, NULL) > 0;) {
		if (after_all && t.qualifier)
			lint_note(l, t.text, "it stands behind all and is never reached");
		if (t.kind == SPF_PTR)
			lint_note(l, t.text,
				  "ptr should not be used (RFC 7208 section 5.5)");
		if (t.kind == SPF_ALL && t.qualifier == '+')
			lint_note(l, t.text, "everybody may send");
		after_all |= t.kind == SPF_ALL;
	}
	if (r.redirect.p && r.has_all)
		lint_note(l, SPAN("redirect"), "it is ignored, because there is an all");
	if (!r.redirect.p && !r.has_all)
		lint_note(l, SPAN(""), "without all and redirect all others are neutral");
}

/* --- MTA-STS, TLS-RPT --- */

static void lint_sts_record(struct span text, struct lint *l) {
	char id[STS_ID_MAX + 1];
	struct err err = ERR_INIT;
	if (sts_record_parse(text, id, &err) != 0)
		lint_error(l, SPAN(""), err.msg);
}

static void lint_sts_policy(struct span text, struct lint *l) {
	struct sts_policy p;
	struct err err = ERR_INIT;
	if (sts_policy_parse(text, &p, &err) != 0)
		lint_error(l, SPAN(""), err.msg);
	else if (p.max_age_s < DAY_S)
		lint_note(l, SPAN("max_age"), "less than a day protects hardly anybody");
}

static void lint_tlsrpt(struct span text, struct lint *l) {
	struct err err = ERR_INIT;
	if (tlsrpt_record_parse(text, NULL, NULL, &err) != 0)
		lint_error(l, SPAN(""), err.msg);
}

/* --- DKIM --- */

static void lint_dkim_key(struct span text, struct lint *l) {
	struct dkim_key k;
	struct err err = ERR_INIT;
	if (dkim_key_parse(text, &k, &err) != 0) {
		lint_error(l, SPAN(""), err.msg);
		return;
	}
	if (k.revoked)
		lint_note(l, SPAN("p="), "the key is revoked");
	else if (k.kind == CRYPTO_RSA && k.bits < DKIM_KEY_BITS_MIN)
		lint_error(l, SPAN("p="),
			   "an RSA key of less than 1024 bits is not used (RFC 8301)");
	else if (k.kind == CRYPTO_RSA && k.bits < DKIM_KEY_BITS_GOOD)
		lint_note(l, SPAN("p="), "an RSA key should have 2048 bits");
	if (!k.sha256)
		lint_note(l, SPAN("h="), "no signature can use this key without sha256");
	if (!k.email)
		lint_note(l, SPAN("s="), "the key is not for mail");
	if (k.testing)
		lint_note(l, SPAN("t=y"), "verifiers are told that this is a test");
	dkim_key_release(&k);
}

/* --- BIMI --- */

static void bimi_location(const struct field *f, bool logo, struct lint *l) {
	if (f->value.len == 0)
		return;
	if (!uri_ok(f->value) || !uri_is_https(f->value))
		lint_error(l, f->value, "the place is not an https:// URI");
	else if (logo && !span_ends_nocase(f->value, SPAN(".svg")) &&
		 !span_ends_nocase(f->value, SPAN(".svgz")))
		lint_note(l, f->value, "a logo is an .svg file");
}

static void lint_bimi(struct span text, struct lint *l) {
	struct field f;
	bool first = true, has_logo = false;
	int r;
	while ((r = fields_take(&text, &f)) > 0) {
		if (first && (!span_eq_nocase(f.name, SPAN("v")) ||
			      !span_eq(f.value, SPAN("BIMI1"))))
			break;
		if (span_eq_nocase(f.name, SPAN("l"))) {
			has_logo = true;
			bimi_location(&f, true, l);
		} else if (span_eq_nocase(f.name, SPAN("a"))) {
			bimi_location(&f, false, l);
		} else if (span_eq_nocase(f.name, SPAN("avp")) &&
			   !span_eq_nocase(f.value, SPAN("brand")) &&
			   !span_eq_nocase(f.value, SPAN("personal"))) {
			lint_error(l, f.value, "avp is brand or personal");
		}
		first = false;
	}
	if (first)
		lint_error(l, SPAN(""), "it does not begin with v=BIMI1;");
	else if (r < 0)
		lint_error(l, text, "here is no field");
	else if (!has_logo)
		lint_error(l, SPAN(""), "it has no l=");
}

/* --- all of them --- */

static const struct {
	const char *name;
	void (*lint)(struct span text, struct lint *l);
} kinds[] = {
	[LINT_DMARC] = { "dmarc", lint_dmarc },
	[LINT_SPF] = { "spf", lint_spf },
	[LINT_MTA_STS_RECORD] = { "mta-sts-record", lint_sts_record },
	[LINT_MTA_STS_POLICY] = { "mta-sts-policy", lint_sts_policy },
	[LINT_TLSRPT] = { "tlsrpt", lint_tlsrpt },
	[LINT_DKIM_KEY] = { "dkim-key", lint_dkim_key },
	[LINT_BIMI] = { "bimi", lint_bimi },
};

bool lint_kind_parse(struct span word, enum lint_kind *ret) {
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_eq(word, span_str(kinds[i].name))) {
			*ret = (enum lint_kind)i;
			return true;
		}
	return false;
}

bool lint_record(enum lint_kind kind, struct span text, struct lint *ret) {
	buf_init(&ret->errors, LINES_MAX);
	buf_init(&ret->notes, LINES_MAX);
	kinds[kind].lint(text, ret);
	return ret->errors.len == 0 && !buf_failed(&ret->errors);
}

void lint_release(struct lint *l) {
	buf_release(&l->errors);
	buf_release(&l->notes);
}
