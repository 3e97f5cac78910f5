/*
 * MTA-STS records and policies, by the grammars of RFC 8461 sections 3.1 and 3.2. Blank lines
 * at the end of a policy are let pass, because editors leave them.
 */

#include "tlspolicy/sts_record.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/term.h"
#include "mail/fields.h"

#define NAME_MAX_LEN 32u

static const char *const mode_names[] = {
	[STS_NONE] = "none",
	[STS_TESTING] = "testing",
	[STS_ENFORCE] = "enforce",
};

const char *sts_mode_name(enum sts_mode mode) {
	return mode_names[mode];
}

static int wrong(struct err *err, struct span what, const char *why) {
	return err_set(err, ERR_SYNTAX, "%s: %s", term_quote(what).s, why);
}

/* sts-ext-name and sts-policy-ext-name. */
static bool is_name(struct span s) {
	if (s.len == 0 || s.len > NAME_MAX_LEN || !span_is_alnum(s.p[0]))
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (!span_is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '-' &&
		    s.p[i] != '.')
			return false;
	return true;
}

/* sts-ext-value: visible ASCII but '=' and ';'. */
static bool is_value(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '=')
			return false;
	return s.len > 0;
}

static bool is_id(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if (!span_is_alnum(s.p[i]))
			return false;
	return s.len > 0 && s.len <= STS_ID_MAX;
}

bool sts_is_record(struct span text) {
	struct span rest = text;
	if (!span_take_lit(&rest, SPAN("v=STSv1")))
		return false;
	rest = fields_trim(rest);
	return rest.len == 0 || rest.p[0] == ';';
}

int sts_record_parse(struct span text, char ret_id[STS_ID_MAX + 1], struct err *err) {
	struct span rest = text;
	struct field f;
	bool first = true;
	int r;
	ret_id[0] = '\0';
	if (!sts_is_record(text))
		return err_set(err, ERR_SYNTAX, "it does not begin with v=STSv1;");
	while ((r = fields_take(&rest, &f)) > 0) {
		bool version = first;
		first = false;
		if (version)
			continue;
		if (f.spaced || !is_name(f.name) || !is_value(f.value))
			return wrong(err, f.name,
				     "a field is name=value, without blanks and '='");
		if (!span_eq(f.name, SPAN("id")))
			continue;
		if (ret_id[0])
			return wrong(err, f.value, "there are two ids");
		if (!is_id(f.value))
			return wrong(err, f.value,
				     "an id has 1 to 32 letters and digits");
		memcpy(ret_id, f.value.p, f.value.len);
		ret_id[f.value.len] = '\0';
	}
	if (r < 0)
		return wrong(err, rest, "here is no field");
	if (!ret_id[0])
		return err_set(err, ERR_SYNTAX, "it has no id=");
	return 0;
}

/* --- policies --- */

static bool is_label(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if (!span_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return s.len > 0 && s.len <= 63 && s.p[0] != '-' && s.p[s.len - 1] != '-';
}

/* sts-policy-mx-value: [ "*." ] Domain. */
static bool is_pattern(struct span s) {
	struct span label;
	span_take_lit(&s, SPAN("*."));
	if (s.len == 0 || s.len > 253)
		return false;
	while (s.len > 0) {
		label = span_head(s, span_find(s, '.'));
		if (!is_label(label) || (label.len < s.len && label.len + 1 == s.len))
			return false;
		s = span_from(s, label.len + 1);
	}
	return true;
}

/* A line as key and value; false: it is none. */
static bool split(struct span line, struct span *ret_key, struct span *ret_value) {
	struct span rest = line;
	if (!span_take_until(&rest, ':', ret_key))
		return false;
	*ret_key = fields_trim(*ret_key);
	*ret_value = fields_trim(rest);
	return is_name(*ret_key) && ret_value->len > 0;
}

struct seen {
	bool version, mode, max_age;
};

static int take_mode(struct span value, struct sts_policy *p, struct err *err) {
	for (size_t i = 0; i < sizeof(mode_names) / sizeof(mode_names[0]); i++)
		if (span_eq(value, span_str(mode_names[i]))) {
			p->mode = (enum sts_mode)i;
			return 0;
		}
	return wrong(err, value, "a mode is enforce, testing or none");
}

static int take_key(struct span key, struct span value, struct seen *seen,
		    struct sts_policy *p, struct err *err) {
	uint64_t number;
	if (span_eq(key, SPAN("mx"))) {
		p->mx_count++;
		return is_pattern(value)
			       ? 0
			       : wrong(err, value,
				       "this is no host and no \"*.\" with a domain");
	}
	if (span_eq(key, SPAN("version")) && !seen->version) {
		seen->version = true;
		return span_eq(value, SPAN("STSv1"))
			       ? 0
			       : wrong(err, value, "the version is not STSv1");
	}
	if (span_eq(key, SPAN("mode")) && !seen->mode) {
		seen->mode = true;
		return take_mode(value, p, err);
	}
	if (span_eq(key, SPAN("max_age")) && !seen->max_age) {
		seen->max_age = true;
		if (value.len > 10 || !span_uint(value, STS_MAX_AGE_MAX, &number))
			return wrong(err, value,
				     "max_age is a number of seconds up to 31557600");
		p->max_age_s = (uint32_t)number;
	}
	return 0;
}

int sts_policy_parse(struct span text, struct sts_policy *ret, struct err *err) {
	struct span rest = text, line, key, value, p;
	struct seen seen = { .version = false };
	uint32_t cp;
	*ret = (struct sts_policy){ .mode = STS_NONE, .text = text };
	if (text.len > STS_POLICY_MAX)
		return err_set(err, ERR_LIMIT, "the policy has more than 64 KiB");
	for (p = text; p.len > 0;)
		if (!span_take_utf8(&p, &cp) ||
		    (cp < ' ' && cp != '\t' && cp != '\r' && cp != '\n'))
			return err_set(err, ERR_SYNTAX, "the policy is not plain UTF-8");
	while (span_take_line(&rest, &line)) {
		if (fields_trim(line).len == 0 && span_trim(rest).len == 0)
			break;
		if (!split(line, &key, &value) || span_find(line, '\r') < line.len)
			return wrong(err, line, "a line is key: value");
		if (take_key(key, value, &seen, ret, err) != 0)
			return -1;
	}
	if (!seen.version || !seen.mode || !seen.max_age)
		return err_set(err, ERR_SYNTAX, "there is no %s",
			       !seen.version ? "version: STSv1"
			       : !seen.mode  ? "mode"
					     : "max_age");
	if (ret->mx_count == 0 && ret->mode != STS_NONE)
		return err_set(err, ERR_SYNTAX, "there is no mx, which mode %s needs",
			       mode_names[ret->mode]);
	return 0;
}

bool sts_policy_take_mx(struct span *rest, struct span *ret) {
	struct span line, key;
	while (span_take_line(rest, &line))
		if (split(line, &key, ret) && span_eq(key, SPAN("mx")))
			return true;
	return false;
}

bool sts_mx_matches(struct span pattern, struct span host) {
	if (host.len > 0 && host.p[host.len - 1] == '.')
		host.len--;
	if (!span_take_lit(&pattern, SPAN("*.")))
		return span_eq_nocase(pattern, host);
	size_t dot = span_find(host, '.');
	return dot > 0 && dot < host.len &&
	       span_eq_nocase(span_from(host, dot + 1), pattern);
}

bool sts_policy_covers(const struct sts_policy *p, struct span host) {
	struct span rest = p->text, pattern;
	while (sts_policy_take_mx(&rest, &pattern))
		if (sts_mx_matches(pattern, host))
			return true;
	return false;
}
