/* TLS-RPT records, by the grammar of RFC 8460 section 3; URIs by RFC 3986 as far as it goes. */

#include "tlspolicy/tlsrpt_record.h"

#include "base/buf.h"
#include "base/term.h"
#include "mail/fields.h"
#include "mail/uri.h"

#define NAME_MAX_LEN 32u

static int wrong(struct err *err, struct span what, const char *why) {
	return err_set(err, ERR_SYNTAX, "%s: %s", term_quote(what).s, why);
}

bool tlsrpt_is_record(struct span text) {
	struct span rest = text;
	if (!span_take_lit(&rest, SPAN("v=TLSRPTv1")))
		return false;
	rest = fields_trim(rest);
	return rest.len == 0 || rest.p[0] == ';';
}

static int take_uris(struct span list, tlsrpt_rua_fn *fn, void *ctx, struct err *err) {
	struct span uri;
	while (fields_take_item(&list, ',', &uri)) {
		if (!uri_ok(uri) || span_find(uri, '!') < uri.len)
			return wrong(err, uri, "this is no URI");
		if (!uri_is_mailto(uri) && !uri_is_https(uri))
			return wrong(err, uri, "reports go to mailto: or https: only");
		if (fn)
			fn(ctx, uri);
	}
	return 0;
}

static bool is_extension(const struct field *f) {
	if (f->name.len > NAME_MAX_LEN || !span_is_alnum(f->name.p[0]))
		return false;
	for (size_t i = 0; i < f->value.len; i++)
		if (f->value.p[i] <= ' ' || f->value.p[i] >= 0x7f || f->value.p[i] == '=')
			return false;
	return f->value.len > 0;
}

int tlsrpt_record_parse(struct span text, tlsrpt_rua_fn *fn, void *ctx, struct err *err) {
	struct span rest = text;
	struct field f;
	bool first = true, has_rua = false;
	int r;
	if (!tlsrpt_is_record(text))
		return err_set(err, ERR_SYNTAX, "it does not begin with v=TLSRPTv1;");
	while ((r = fields_take(&rest, &f)) > 0) {
		if (first) {
			first = false;
		} else if (f.spaced) {
			return wrong(err, f.name, "no blank may stand beside the =");
		} else if (span_eq(f.name, SPAN("rua"))) {
			has_rua = true;
			if (take_uris(f.value, fn, ctx, err) != 0)
				return -1;
		} else if (!is_extension(&f)) {
			return wrong(err, f.name,
				     "a field is name=value, without blanks and '='");
		}
	}
	if (r < 0)
		return wrong(err, rest, "here is no field");
	if (!has_rua)
		return err_set(err, ERR_SYNTAX, "it has no rua=");
	return 0;
}
