/* DKIM keys: those that were named, those that are usual, and whether there can be any. */

#include "authres/dkim_key.h"
#include "base/auto.h"
#include "check/dnscheck_state.h"

#define TXT_MAX 65536
#define STRING_MAX 255

/* What signers call their selectors, most usual first. */
static const char *const usual[] = {
	"default",     "dkim",        "mail",     "selector1", "selector2", "google",
	"s1",          "s2",          "k1",       "k2",        "k3",        "smtp",
	"email",       "key1",        "key2",     "sig1",      "fm1",       "fm2",
	"fm3",         "mx",          "pm",       "zoho",      "mandrill",  "protonmail",
	"protonmail2", "protonmail3", "20230601", "nightmail",
};
#define USUAL (sizeof(usual) / sizeof(usual[0]))

struct seen {
	size_t good, rsa; /* usable keys */
};

/* --- one key --- */

static size_t count_keys(const struct dns_answer *a, struct buf *text) {
	size_t n = 0;
	for (size_t i = 0; i < a->count; i++) {
		AUTO_BUF struct buf one = BUF_INIT(TXT_MAX);
		struct tags t;
		if (!dns_txt(a->record[i], &one))
			continue;
		bool is_key = span_starts_nocase(buf_span(&one), SPAN("v=DKIM1")) ||
			      (tags_parse(buf_span(&one), &t, NULL) == 0 &&
			       tags_find(&t, "p"));
		if (!is_key && (a->count > 1 || n > 0))
			continue;
		if (n++ == 0) {
			buf_reset(text);
			buf_add(text, buf_span(&one));
		}
	}
	return n;
}

static void check_strength(struct dnscheck *c, const char *name,
			   const struct dkim_key *k) {
	if (k->kind != CRYPTO_RSA)
		return;
	if (k->bits < DKIM_KEY_BITS_MIN)
		finding_add(c->out, "dkim.rsa_lt1024", FINDING_FAIL, name,
			    "an RSA key of %u bits", k->bits);
	else if (k->bits < DKIM_KEY_BITS_GOOD)
		finding_add(c->out, "dkim.rsa_1024", FINDING_WARN, name,
			    "an RSA key of %u bits", k->bits);
}

/* Signs something with the private key: the published one verifies it, or does not belong to
 * it. */
static bool belongs(const struct crypto_private *own, const struct dkim_key *k) {
	AUTO_BUF struct buf signature = BUF_INIT(4096);
	struct crypto_digest digest;
	return crypto_sha256(SPAN("nightmail"), &digest) &&
	       crypto_private_kind(own) == k->kind &&
	       crypto_private_sign(own, &digest, &signature, NULL) == 0 &&
	       crypto_public_verify(k->key, &digest, buf_span(&signature));
}

static void add_line(struct finding *f, const char *name, struct span record) {
	AUTO_BUF struct buf line = BUF_INIT(2 * TXT_MAX);
	for (size_t i = 0; i < record.len; i += STRING_MAX) {
		struct span part = span_head(span_from(record, i), STRING_MAX);
		buf_addf(&line, " \"%.*s\"", (int)part.len, part.p);
	}
	finding_fix(f, "%s. TXT%s", name, buf_str(&line));
}

static void add_own_record(struct finding *f, const char *name,
			   const struct crypto_private *own) {
	AUTO_BUF struct buf record = BUF_INIT(TXT_MAX);
	if (dkim_key_record(own, &record, NULL) == 0)
		add_line(f, name, buf_span(&record));
}

static void compare(struct dnscheck *c, const char *name,
		    const struct dnscheck_selector *s, const struct dkim_key *k) {
	if (!s || !s->file)
		return;
	if (!s->key)
		finding_add(c->out, "dkim.key_file", FINDING_UNKNOWN, name, "%s: %s",
			    s->file, s->why);
	else if (belongs(s->key, k))
		finding_add(c->out, "dkim.key_match", FINDING_OK, name, "belongs to %s",
			    s->file);
	else
		add_own_record(finding_add(c->out, "dkim.key_mismatch", FINDING_FAIL,
					   name, "does not belong to %s", s->file),
			       name, s->key);
}

static void check_key(struct dnscheck *c, const char *name,
		      const struct dnscheck_selector *s, const struct dkim_key *k,
		      struct seen *seen) {
	size_t before = c->out->count;
	if (k->revoked) {
		finding_add(c->out, "dkim.revoked", s ? FINDING_FAIL : FINDING_INFO, name,
			    "the key is revoked");
		return;
	}
	check_strength(c, name, k);
	if (!k->sha256)
		finding_add(c->out, "dkim.sha1_only", FINDING_FAIL, name,
			    "h= does not allow sha256");
	if (!k->email)
		finding_add(c->out, "dkim.s_not_email", FINDING_FAIL, name,
			    "s= does not allow mail");
	if (k->testing)
		finding_add(c->out, "dkim.testing", FINDING_WARN, name, "t=y: a test");
	seen->good++;
	seen->rsa += k->kind == CRYPTO_RSA;
	if (c->out->count == before)
		finding_add(c->out, "dkim.ok", FINDING_OK, name, "%s, %u bits",
			    k->kind == CRYPTO_RSA ? "RSA" : "Ed25519", k->bits);
	if (k->kind == CRYPTO_RSA && k->bits > DKIM_KEY_BITS_GOOD)
		finding_add(c->out, "dkim.rsa_gt2048", FINDING_INFO, name,
			    "an RSA key of %u bits, which takes several strings", k->bits);
	compare(c, name, s, k);
}

/* The record without what forms and editors put into it: backslashes, quotes, line breaks, blanks
 * inside of the key, and with the semicolon before p= that they lose. */
static void add_mended(struct finding *f, const char *name, struct span text) {
	AUTO_BUF struct buf clean = BUF_INIT(TXT_MAX);
	struct dkim_key k;
	for (size_t i = 0; i < text.len; i++) {
		bool p = i > 0 && span_starts(span_from(text, i), SPAN("p=")) &&
			 (text.p[i - 1] == ' ' || text.p[i - 1] == '\t');
		struct span before = p ? span_trim(buf_span(&clean)) : SPAN("");
		if (before.len > 0 && before.p[before.len - 1] != ';')
			buf_adds(&clean, "; ");
		if (!strchr("\\\"\r\n", text.p[i]))
			buf_addc(&clean, text.p[i]);
	}
	if (dkim_key_parse(buf_span(&clean), &k, NULL) != 0)
		return;
	add_line(f, name, buf_span(&clean));
	dkim_key_release(&k);
}

/* What stands at the name of a selector. s is NULL for a guessed one. */
static void check_answer(struct dnscheck *c, const struct dns_answer *a,
			 const struct dnscheck_selector *s, struct seen *seen) {
	AUTO_BUF struct buf text = BUF_INIT(TXT_MAX);
	struct err err = ERR_INIT;
	struct dkim_key k;
	size_t n = count_keys(a, &text);
	if (n > 1)
		finding_add(c->out, "dkim.multiple_txt", FINDING_FAIL, a->name,
			    "%zu key records under one selector", n);
	if (dkim_key_parse(buf_span(&text), &k, &err) != 0) {
		if (s || span_starts_nocase(buf_span(&text), SPAN("v=DKIM1"))) {
			struct finding *f = finding_add(c->out, "dkim.syntax",
							FINDING_FAIL, a->name, "%s",
							err.msg);
			finding_evidence(f, buf_span(&text));
			add_mended(f, a->name, buf_span(&text));
		}
		return;
	}
	check_key(c, a->name, s, &k, seen);
	dkim_key_release(&k);
}

/* --- selectors --- */

static const struct dns_answer *get(struct dnscheck *c, const char *selector,
				    enum dns_type type) {
	AUTO_BUF struct buf name = BUF_INIT(1024);
	buf_addf(&name, "%s._domainkey.%s", selector, c->domain);
	return dns_get(c->dns, buf_span(&name), type);
}

static void add_dangling(struct dnscheck *c, const struct dns_answer *a, const char *to) {
	finding_fix(finding_add(c->out, "dkim.cname_dangling", FINDING_FAIL, a->name,
				"an alias for %s, which has no key (%s)", to, a->why),
		    "; remove: %s. CNAME %s.", a->name, to);
}

/* False: pending. */
static bool check_named(struct dnscheck *c, const struct dnscheck_selector *s,
			struct seen *seen) {
	const struct dns_answer *a = get(c, s->name, DNS_TXT);
	if (a->status == DNS_PENDING)
		return false;
	if (dns_is_temporary(a)) {
		finding_add(c->out, "dkim.unknown", FINDING_UNKNOWN, a->name, "%s",
			    a->why);
		return true;
	}
	if (a->status == DNS_FOUND) {
		check_answer(c, a, s, seen);
		return true;
	}
	const struct dns_answer *alias = get(c, s->name, DNS_CNAME);
	char to[256] = "";
	if (alias->status == DNS_PENDING)
		return false;
	if (alias->count > 0 && dns_host(alias->record[0], to))
		add_dangling(c, a, to);
	struct finding *f = finding_add(c->out, "dkim.selector_missing", FINDING_FAIL,
					a->name, "no key is published there (%s)",
					a->why);
	if (s->key)
		add_own_record(f, a->name, s->key);
	return true;
}

static bool is_named(const struct dnscheck *c, const char *selector) {
	for (size_t i = 0; i < c->selector_count; i++)
		if (strcmp(c->selector[i].name, selector) == 0)
			return true;
	return false;
}

/* False: pending. */
static bool check_usual(struct dnscheck *c, struct seen *seen) {
	bool all = true;
	for (size_t i = 0; i < USUAL; i++) {
		if (is_named(c, usual[i]))
			continue;
		const struct dns_answer *a = get(c, usual[i], DNS_TXT);
		all = all && a->status != DNS_PENDING;
		if (a->status == DNS_FOUND)
			check_answer(c, a, NULL, seen);
		if (a->status == DNS_NXDOMAIN && a->cnames > 0)
			add_dangling(c, a, a->canonical);
	}
	return all;
}

/* No key was seen: there is none, or its name is not known. False: pending. */
static bool check_none(struct dnscheck *c) {
	const struct dns_answer *a = dnscheck_get(c, "_domainkey", c->domain, DNS_TXT);
	if (a->status == DNS_PENDING)
		return false;
	if (dns_is_temporary(a))
		finding_add(c->out, "dkim.unknown", FINDING_UNKNOWN, c->domain,
			    "_domainkey: %s", a->why);
	else if (dnscheck_is_parked(c))
		finding_add(c->out, "dkim.none_published", FINDING_NA, c->domain,
			    "the domain sends no mail");
	else if (a->status == DNS_NXDOMAIN)
		finding_fix(
			finding_add(c->out, "dkim.none_published", FINDING_WARN,
				    c->domain,
				    "no key can be published: %s does not exist",
				    a->name),
			"nightmail dkim keygen --domain %s --selector s1 --key s1.pem",
			c->domain);
	else
		finding_add(c->out, "dkim.unseen", FINDING_NOTICE, c->domain,
			    "%zu usual selectors have no key; name yours by --selector",
			    USUAL);
	return true;
}

bool dnscheck_dkim(struct dnscheck *c) {
	struct seen seen = { .good = 0 };
	bool all = true;
	/* Where every name has a TXT record, guessing proves nothing. */
	const struct dns_answer *wild = get(c, DNSCHECK_NO_SELECTOR, DNS_TXT);
	for (size_t i = 0; i < c->selector_count; i++)
		all = check_named(c, &c->selector[i], &seen) && all;
	if (wild->status == DNS_PENDING)
		all = false;
	if (wild->status == DNS_FOUND && c->selector_count == 0)
		finding_add(c->out, "dkim.unseen", FINDING_UNKNOWN, c->domain,
			    "every selector has a record; name yours by --selector");
	else if (wild->status != DNS_FOUND)
		all = check_usual(c, &seen) && all;
	if (seen.good > 0 && seen.rsa == 0)
		finding_add(c->out, "dkim.ed25519_only", FINDING_WARN, c->domain,
			    "there is no RSA key");
	if (seen.good == 0 && c->selector_count == 0 && wild->status != DNS_FOUND)
		all = check_none(c) && all;
	return all;
}
