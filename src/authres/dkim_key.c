/* Key records: reading, looking up, writing. */

#include "authres/dkim_key.h"

#include "base/codec.h"
#include "base/term.h"
#include "mail/addr.h"

#define RECORD_MAX (64u << 10)
#define NAME_MAX_LEN 1024u
#define LABEL_MAX 63u

/* --- reading --- */

static int read_kind(const struct tags *t, struct dkim_key *k, struct err *err) {
	struct span kind = tags_value(t, "k");
	AUTO_BUF struct buf shown = BUF_INIT(256);
	k->kind = CRYPTO_RSA;
	if (!kind.p || span_eq_nocase(kind, SPAN("rsa")))
		return 0;
	k->kind = CRYPTO_ED25519;
	if (span_eq_nocase(kind, SPAN("ed25519")))
		return 0;
	term_safe(&shown, span_head(kind, 40));
	return err_set(err, ERR_SYNTAX, "k=%s is no kind of key that is known",
		       buf_str(&shown));
}

static int read_public(const struct tags *t, struct dkim_key *k, struct err *err) {
	AUTO_BUF struct buf bytes = BUF_INIT(RECORD_MAX);
	struct span p = tags_value(t, "p");
	if (!p.p)
		return err_set(err, ERR_SYNTAX, "the record has no p=");
	k->revoked = p.len == 0;
	if (k->revoked)
		return 0;
	if (tags_base64(p, &bytes) != 0)
		return err_set(err, ERR_SYNTAX, "p= is not base64");
	k->key = crypto_public_read(k->kind, buf_span(&bytes), err);
	if (!k->key)
		return err_prefix(err, "p=");
	k->bits = crypto_public_bits(k->key);
	return 0;
}

int dkim_key_parse(struct span record, struct dkim_key *ret, struct err *err) {
	struct tags t;
	*ret = (struct dkim_key){ .kind = CRYPTO_RSA };
	if (tags_parse(record, &t, err) != 0)
		return -1;
	struct span v = tags_value(&t, "v"), h = tags_value(&t, "h");
	struct span s = tags_value(&t, "s"), flags = tags_value(&t, "t");
	if (v.p && !span_eq(t.item[0].name, SPAN("v")))
		return err_set(err, ERR_SYNTAX, "v= does not stand first");
	if (v.p && !span_eq(v, SPAN("DKIM1")))
		return err_set(err, ERR_SYNTAX, "v= is not DKIM1");
	if (read_kind(&t, ret, err) != 0 || read_public(&t, ret, err) != 0)
		return -1;
	ret->sha256 = !h.p || tags_has_item(h, SPAN("sha256"));
	ret->email = !s.p || tags_has_item(s, SPAN("*")) ||
		     tags_has_item(s, SPAN("email"));
	ret->testing = tags_has_item(flags, SPAN("y"));
	ret->strict = tags_has_item(flags, SPAN("s"));
	return 0;
}

void dkim_key_release(struct dkim_key *k) {
	crypto_public_free(k->key);
	k->key = NULL;
}

/* --- looking up --- */

bool dkim_key_is_name(struct span s) {
	size_t label = 0;
	if (s.len == 0 || s.len > ADDR_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (c == '.' && label == 0)
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX * 4 ||
		    (c != '.' && c != '-' && c != '_' && !span_is_alnum(c) &&
		     (unsigned char)c < 0x80))
			return false;
	}
	return label > 0;
}

int dkim_key_name(struct span selector, struct span domain, struct buf *out,
		  struct err *err) {
	if (!dkim_key_is_name(selector))
		return err_set(err, ERR_SYNTAX, "the selector is no name");
	if (!dkim_key_is_name(domain))
		return err_set(err, ERR_SYNTAX, "the domain is no name");
	if (addr_domain_ascii(selector, out, err) != 0)
		return -1;
	buf_adds(out, "._domainkey.");
	return addr_domain_ascii(domain, out, err);
}

/* Of several records those are passed over that are no keys at all, such as SPF at a name with
 * a wildcard. */
static enum dkim_key_found pick(const struct dns_answer *a, struct dkim_key *ret,
				struct err *err) {
	size_t keys = 0;
	struct err first = ERR_INIT;
	for (size_t i = 0; i < a->count; i++) {
		AUTO_BUF struct buf text = BUF_INIT(RECORD_MAX);
		struct dkim_key k;
		struct err why = ERR_INIT;
		if (!dns_txt(a->record[i], &text))
			continue;
		if (dkim_key_parse(buf_span(&text), &k, &why) != 0) {
			if (first.kind == ERR_NONE)
				first = why;
			continue;
		}
		if (keys++ == 0)
			*ret = k;
		else
			dkim_key_release(&k);
	}
	if (keys == 1)
		return DKIM_KEY_FOUND;
	if (keys > 1) {
		dkim_key_release(ret);
		err_set(err, ERR_SYNTAX, "%s has %zu keys where there must be one",
			a->name, keys);
	} else {
		err_set(err, ERR_SYNTAX, "%s: %s", a->name,
			first.kind == ERR_NONE ? "the record cannot be read" : first.msg);
	}
	return DKIM_KEY_BAD;
}

enum dkim_key_found dkim_key_get(struct dns *dns, struct span selector,
				 struct span domain, struct dkim_key *ret,
				 struct err *err) {
	AUTO_BUF struct buf name = BUF_INIT(NAME_MAX_LEN);
	if (dkim_key_name(selector, domain, &name, err) != 0)
		return DKIM_KEY_BAD;
	const struct dns_answer *a = dns_get(dns, buf_span(&name), DNS_TXT);
	if (a->status == DNS_PENDING)
		return DKIM_KEY_PENDING;
	if (a->status == DNS_FOUND)
		return pick(a, ret, err);
	if (dns_is_temporary(a)) {
		err_set(err, ERR_TIMEOUT, "%s: %s", buf_str(&name), a->why);
		return DKIM_KEY_TEMPORARY;
	}
	err_set(err, ERR_MISSING, "no key is published at %s (%s)", buf_str(&name),
		dns_status_name(a->status));
	return DKIM_KEY_NONE;
}

/* --- writing --- */

int dkim_key_record(const struct crypto_private *key, struct buf *out, struct err *err) {
	AUTO_BUF struct buf public = BUF_INIT(RECORD_MAX);
	if (crypto_private_public(key, &public, err) != 0)
		return -1;
	buf_addf(out, "v=DKIM1; k=%s; p=",
		 crypto_private_kind(key) == CRYPTO_RSA ? "rsa" : "ed25519");
	codec_base64_add(out, buf_span(&public));
	return buf_failed(out) ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}
