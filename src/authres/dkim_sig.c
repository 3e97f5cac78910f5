/* Fields that carry a signature: their tags, and what is hashed of a header. */

#include "authres/dkim_sig.h"

#include <stdlib.h>

#include "authres/dkim_key.h"
#include "base/auto.h"
#include "base/term.h"

#define SIGNATURE_MAX 4096u
#define TIME_MAX UINT64_C(999999999999) /* 12 digits, RFC 6376 section 3.5 */
#define INSTANCE_MAX 50u                /* RFC 8617 section 4.2.1 */
#define FIELD_MAX (16u << 20)

/* --- tags --- */

/* Values count as they are written (RFC 6376 section 3.2), but the words of DKIM's own tags are
 * strings of ABNF, in which case does not count; chains of ARC are validated strictly. */
static bool is_word(const struct dkim_sig *s, struct span value, struct span word) {
	return s->form == DKIM_SIG_DKIM ? span_eq_nocase(value, word) : span_eq(value, word);
}

static int read_algorithm(struct dkim_sig *s, struct err *err) {
	struct span a = tags_value(&s->tags, "a");
	AUTO_BUF struct buf shown = BUF_INIT(256);
	s->kind = CRYPTO_RSA;
	if (!a.p)
		return err_set(err, ERR_SYNTAX, "no a=");
	if (is_word(s, a, SPAN("rsa-sha256")))
		return 0;
	s->kind = CRYPTO_ED25519;
	if (is_word(s, a, SPAN("ed25519-sha256")))
		return 0;
	if (span_eq_nocase(a, SPAN("rsa-sha1")))
		return err_set(err, ERR_SYNTAX,
			       "rsa-sha1 is too weak to count (RFC 8301)");
	term_safe(&shown, span_head(a, 40));
	return err_set(err, ERR_SYNTAX, "a=%s is no algorithm that is known",
		       buf_str(&shown));
}

static bool take_canon(const struct dkim_sig *sig, struct span s, enum canon *ret) {
	*ret = is_word(sig, s, SPAN("relaxed")) ? CANON_RELAXED : CANON_SIMPLE;
	return *ret == CANON_RELAXED || is_word(sig, s, SPAN("simple"));
}

/* "relaxed" alone is for the header: the body's default is simple. */
static int read_canon(struct dkim_sig *s, struct err *err) {
	struct span c = tags_value(&s->tags, "c"), header;
	s->header = s->body = CANON_SIMPLE;
	if (!c.p)
		return 0;
	bool both = span_take_until(&c, '/', &header);
	if (!take_canon(s, both ? header : c, &s->header) ||
	    (both && !take_canon(s, c, &s->body)))
		return err_set(err, ERR_SYNTAX, "c= names no canonical form");
	return 0;
}

static int read_time(struct dkim_sig *s, const char *name, int64_t *ret,
		     struct err *err) {
	struct span value = tags_value(&s->tags, name);
	uint64_t n;
	*ret = -1;
	if (!value.p)
		return 0;
	if (!span_uint(value, TIME_MAX, &n))
		return err_set(err, ERR_SYNTAX, "%s= is no time", name);
	*ret = (int64_t)n;
	return 0;
}

static int read_numbers(struct dkim_sig *s, struct err *err) {
	struct span l = tags_value(&s->tags, "l");
	s->limit = CANON_NO_LIMIT;
	if (read_time(s, "t", &s->made_s, err) != 0 ||
	    read_time(s, "x", &s->expiry_s, err) != 0)
		return -1;
	if (s->made_s >= 0 && s->expiry_s >= 0 && s->expiry_s <= s->made_s)
		return err_set(err, ERR_SYNTAX, "x= is not later than t=");
	if (l.p && !span_uint(l, CANON_NO_LIMIT - 1, &s->limit))
		return err_set(err, ERR_SYNTAX, "l= is no number");
	return 0;
}

/* The name as a message may have it: digits alone are fine, for "1" is a selector. */
static int read_names(struct dkim_sig *s, struct err *err) {
	s->domain = tags_value(&s->tags, "d");
	s->selector = tags_value(&s->tags, "s");
	if (!dkim_key_is_name(s->domain))
		return err_set(err, ERR_SYNTAX,
			       s->domain.p ? "d= is no domain" : "no d=");
	if (!dkim_key_is_name(s->selector))
		return err_set(err, ERR_SYNTAX,
			       s->selector.p ? "s= is no selector" : "no s=");
	return 0;
}

static int read_signature(struct dkim_sig *s, struct err *err) {
	const struct tag *b = tags_find(&s->tags, "b");
	if (!b)
		return err_set(err, ERR_SYNTAX, "no b=");
	s->b = b->whole;
	if (tags_base64(b->value, &s->signature) != 0 || s->signature.len == 0)
		return err_set(err, ERR_SYNTAX, "b= is not base64");
	return 0;
}

static int read_body_hash(struct dkim_sig *s, struct err *err) {
	AUTO_BUF struct buf hash = BUF_INIT(SIGNATURE_MAX);
	struct span bh = tags_value(&s->tags, "bh");
	if (!bh.p)
		return err_set(err, ERR_SYNTAX, "no bh=");
	if (tags_base64(bh, &hash) != 0 || hash.len != CRYPTO_SHA256_SIZE)
		return err_set(err, ERR_SYNTAX, "bh= is no SHA-256 in base64");
	memcpy(s->body_hash.byte, hash.data, CRYPTO_SHA256_SIZE);
	return 0;
}

static int read_fields(struct dkim_sig *s, struct err *err) {
	struct span item, rest;
	size_t count = 0;
	s->fields = rest = tags_value(&s->tags, "h");
	if (!s->fields.p || s->fields.len == 0)
		return err_set(err, ERR_SYNTAX, "no h=");
	while (tags_take_item(&rest, &item))
		if (++count > DKIM_NAMES_MAX)
			return err_set(err, ERR_SYNTAX, "h= names more than %u fields",
				       DKIM_NAMES_MAX);
	if (s->form == DKIM_SIG_DKIM && !tags_has_item(s->fields, SPAN("from")))
		return err_set(err, ERR_SYNTAX, "h= lacks From");
	if (s->form == DKIM_SIG_AMS && tags_has_item(s->fields, SPAN("arc-seal")))
		return err_set(err, ERR_SYNTAX, "h= has ARC-Seal");
	return 0;
}

/* i=: the domain of d= or one below it. */
static int read_identity(struct dkim_sig *s, struct err *err) {
	struct span i = tags_value(&s->tags, "i");
	s->identity = i;
	if (!i.p)
		return 0;
	size_t at = i.len;
	while (at > 0 && i.p[at - 1] != '@')
		at--;
	struct span domain = span_from(i, at);
	if (at == 0 || !span_ends_nocase(domain, s->domain) ||
	    (domain.len > s->domain.len &&
	     domain.p[domain.len - s->domain.len - 1] != '.'))
		return err_set(err, ERR_SYNTAX, "i= is not in the domain of d=");
	return 0;
}

static int read_dkim(struct dkim_sig *s, struct err *err) {
	struct span v = tags_value(&s->tags, "v"), q = tags_value(&s->tags, "q");
	if (!v.p)
		return err_set(err, ERR_SYNTAX, "no v=");
	if (!span_eq(v, SPAN("1")))
		return err_set(err, ERR_SYNTAX, "v= is not 1");
	if (q.p && !tags_has_item(q, SPAN("dns/txt")) && !tags_has_item(q, SPAN("dns")))
		return err_set(err, ERR_SYNTAX, "q= names no way to the key but dns/txt");
	return read_identity(s, err);
}

static int read_instance(struct dkim_sig *s, struct err *err) {
	uint64_t n;
	if (!span_uint(tags_value(&s->tags, "i"), INSTANCE_MAX, &n) || n == 0)
		return err_set(err, ERR_SYNTAX, "i= is no instance from 1 to %u",
			       INSTANCE_MAX);
	s->instance = (unsigned)n;
	return 0;
}

int dkim_sig_parse(enum dkim_sig_form form, const struct header_field *field,
		   struct dkim_sig *ret, struct err *err) {
	*ret = (struct dkim_sig){ .form = form, .raw = field->raw };
	buf_init(&ret->signature, SIGNATURE_MAX);
	if (tags_parse(field->value, &ret->tags, err) != 0)
		return -1;
	int names = read_names(ret, err);
	if (form == DKIM_SIG_DKIM && read_dkim(ret, err) != 0)
		return -1;
	if (form != DKIM_SIG_DKIM && read_instance(ret, err) != 0)
		return -1;
	if (names != 0 || read_names(ret, err) != 0 || read_algorithm(ret, err) != 0 ||
	    read_numbers(ret, err) != 0 || read_signature(ret, err) != 0)
		return -1;
	if (form == DKIM_SIG_SEAL) {
		ret->header = ret->body = CANON_RELAXED;
		if (tags_find(&ret->tags, "h"))
			return err_set(err, ERR_SYNTAX, "an ARC-Seal has no h=");
		return 0;
	}
	if (read_canon(ret, err) != 0 || read_body_hash(ret, err) != 0)
		return -1;
	return read_fields(ret, err);
}

void dkim_sig_release(struct dkim_sig *s) {
	buf_release(&s->signature);
}

/* --- fields of the message --- */

int dkim_fields_read(struct span block, struct dkim_fields *ret, struct err *err) {
	struct header_field f;
	size_t cap = 0;
	*ret = (struct dkim_fields){ NULL, 0 };
	header_take_mbox(&block);
	while (header_take(&block, &f)) {
		if (ret->count == DKIM_FIELDS_MAX) {
			dkim_fields_release(ret);
			return err_set(err, ERR_LIMIT,
				       "the message has more than %u fields",
				       DKIM_FIELDS_MAX);
		}
		if (ret->count == cap) {
			cap = cap ? 2 * cap : 64;
			struct header_field *more = realloc(ret->item,
							    cap * sizeof(*more));
			if (!more) {
				dkim_fields_release(ret);
				return err_set(err, ERR_MEMORY, "out of memory");
			}
			ret->item = more;
		}
		ret->item[ret->count++] = f;
	}
	return 0;
}

void dkim_fields_release(struct dkim_fields *f) {
	free(f->item);
	*f = (struct dkim_fields){ NULL, 0 };
}

size_t dkim_fields_count(const struct dkim_fields *f, struct span name) {
	size_t n = 0;
	for (size_t i = 0; i < f->count; i++)
		n += span_eq_nocase(f->item[i].name, name);
	return n;
}

size_t dkim_sig_names(struct span names, struct span name) {
	struct span item;
	size_t n = 0;
	while (tags_take_item(&names, &item))
		n += span_eq_nocase(item, name);
	return n;
}

/* --- what is hashed --- */

static int hash_field(struct crypto_hash *hash, enum canon kind, struct span raw) {
	AUTO_BUF struct buf canon = BUF_INIT(FIELD_MAX);
	if (canon_field(&canon, kind, raw) != 0)
		return -1;
	crypto_hash_add(hash, buf_span(&canon));
	return 0;
}

int dkim_sig_hash_fields(struct crypto_hash *hash, enum canon kind, struct span names,
			 const struct dkim_fields *f, const char *except) {
	AUTO_FREE bool *taken = calloc(f->count + 1, sizeof(*taken));
	struct span name;
	if (!taken)
		return -1;
	for (size_t i = 0; i < f->count; i++)
		taken[i] = except && f->item[i].raw.p == except;
	while (tags_take_item(&names, &name)) {
		size_t i = f->count;
		while (i > 0 &&
		       (taken[i - 1] || !span_eq_nocase(f->item[i - 1].name, name)))
			i--;
		if (i == 0)
			continue;
		taken[i - 1] = true;
		if (hash_field(hash, kind, f->item[i - 1].raw) != 0)
			return -1;
	}
	return 0;
}

int dkim_sig_hash_self(struct crypto_hash *hash, enum canon kind, struct span raw,
		       struct span b) {
	AUTO_BUF struct buf without = BUF_INIT(FIELD_MAX), canon = BUF_INIT(FIELD_MAX);
	buf_add(&without, span_head(raw, (size_t)(b.p - raw.p)));
	buf_add(&without, span_from(raw, (size_t)(b.p + b.len - raw.p)));
	if (buf_failed(&without) || canon_field(&canon, kind, buf_span(&without)) != 0)
		return -1;
	crypto_hash_add(hash, span_head(buf_span(&canon), canon.len - 2));
	return 0;
}
