/* DMARC records, as receivers read them: whatever can be made out counts. */

#include "authres/dmarc_record.h"

#include "mail/fields.h"
#include "mail/uri.h"

static const char *const policy_names[] = {
	[DMARC_UNSET] = "",
	[DMARC_NONE] = "none",
	[DMARC_QUARANTINE] = "quarantine",
	[DMARC_REJECT] = "reject",
};

const char *dmarc_policy_name(enum dmarc_policy p) {
	return policy_names[p];
}

bool dmarc_is_record(struct span text) {
	struct field f;
	return fields_take(&text, &f) > 0 && span_eq_nocase(f.name, SPAN("v")) &&
	       span_eq(f.value, SPAN("DMARC1"));
}

static bool valid_size(struct span s) {
	uint64_t n;
	if (s.len > 1 && strchr("kmgt", span_lower(s.p[s.len - 1])))
		s.len--;
	return span_uint(s, UINT64_MAX, &n);
}

bool dmarc_take_uri(struct span *list, struct dmarc_uri *ret) {
	struct span item;
	if (!fields_take_item(list, ',', &item))
		return false;
	size_t mark = span_find(item, '!');
	*ret = (struct dmarc_uri){ .uri = span_head(item, mark) };
	if (mark < item.len)
		ret->size = span_from(item, mark + 1);
	ret->valid = uri_ok(ret->uri) && (!ret->size.p || valid_size(ret->size));
	return true;
}

static bool any_valid(struct span list) {
	struct dmarc_uri u;
	while (dmarc_take_uri(&list, &u))
		if (u.valid)
			return true;
	return false;
}

/* False: the value is none of the three. */
static bool take_policy(struct span value, enum dmarc_policy *ret) {
	for (size_t i = DMARC_NONE; i <= DMARC_REJECT; i++)
		if (span_eq_nocase(value, span_str(policy_names[i]))) {
			*ret = (enum dmarc_policy)i;
			return true;
		}
	return false;
}

static void take_reporting(const struct field *f, struct dmarc_record *r) {
	uint64_t number;
	if (span_eq_nocase(f->name, SPAN("rua"))) {
		r->rua = f->value;
		r->any_rua = any_valid(f->value);
	} else if (span_eq_nocase(f->name, SPAN("ruf"))) {
		r->ruf = f->value;
	} else if (span_eq_nocase(f->name, SPAN("pct"))) {
		r->has_pct = true;
		if (span_uint(f->value, 100, &number))
			r->pct = (uint8_t)number;
	} else if (span_eq_nocase(f->name, SPAN("rf"))) {
		r->has_rf = true;
	} else if (span_eq_nocase(f->name, SPAN("ri"))) {
		r->has_ri = true;
	}
}

static void take_field(const struct field *f, struct dmarc_record *r) {
	char c = f->value.len == 1 ? span_lower(f->value.p[0]) : 0;
	if (span_eq_nocase(f->name, SPAN("p"))) {
		r->has_p = true;
		if (!take_policy(f->value, &r->p))
			r->bad_policy = true;
	} else if (span_eq_nocase(f->name, SPAN("sp"))) {
		if (!take_policy(f->value, &r->sp))
			r->bad_policy = true;
	} else if (span_eq_nocase(f->name, SPAN("np"))) {
		if (!take_policy(f->value, &r->np))
			r->bad_policy = true;
	} else if (span_eq_nocase(f->name, SPAN("adkim"))) {
		r->adkim_strict = c == 's';
	} else if (span_eq_nocase(f->name, SPAN("aspf"))) {
		r->aspf_strict = c == 's';
	} else if (span_eq_nocase(f->name, SPAN("t"))) {
		r->testing = c == 'y';
	} else if (span_eq_nocase(f->name, SPAN("psd"))) {
		r->psd = c == 'y' || c == 'n' ? c : 'u';
	} else {
		take_reporting(f, r);
	}
}

bool dmarc_record_parse(struct span text, struct dmarc_record *ret) {
	struct span rest = text;
	struct field f;
	size_t n = 0;
	*ret = (struct dmarc_record){ .psd = 'u', .pct = 100 };
	if (!dmarc_is_record(text))
		return false;
	while (rest.len > 0) {
		if (fields_take(&rest, &f) <= 0) { /* no field: the next one may be */
			rest = span_from(rest, span_find(rest, ';') + 1);
			continue;
		}
		if (n++ == 1)
			ret->p_second = span_eq_nocase(f.name, SPAN("p"));
		take_field(&f, ret);
	}
	if (ret->p != DMARC_UNSET && !ret->bad_policy)
		return true;
	if (!ret->any_rua)
		return false;
	ret->p = DMARC_NONE;
	ret->sp = ret->np = DMARC_UNSET;
	return true;
}
