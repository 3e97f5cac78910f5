/*
 * DKIM: tag lists, key records, and every rule by which a signature does not count, each with a
 * message that is signed correctly but for it.
 */

#include "authres/dkim_verify.h"

#include <stdlib.h>

#include "authres/dkim_body.h"
#include "authres/dkim_sign.h"
#include "base/codec.h"
#include "mail/header.h"
#include "net/dns_table.h"

#include "tap.h"

#define NOW 1700000000

static struct crypto_private *rsa, *ed, *weak;

/* --- tags --- */

static void test_tags(void) {
	static const struct {
		const char *input;
		int count; /* -1: refused */
	} cases[] = {
		{ "a=b", 1 },        { "a=b;", 1 },    { " a = b ; c = d e ", 2 },
		{ "a=;b=", 2 },      { "a=b; ", 1 },   { "a=b;;c=d", -1 },
		{ "a", -1 },         { "=b", -1 },     { "a=b; a=c", -1 },
		{ "a=b; A=c", 2 },   { "1a=b", -1 },   { "a_1=b", 1 },
		{ "a=b\r\n\tc", 1 }, { "a=\x01", -1 }, { "a=\xc3\xbc", 1 },
		{ "", -1 },          { ";", -1 },      { "a-b=c", -1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tags t;
		int r = tags_parse(span_str(cases[i].input), &t, NULL);
		is_int(r == 0 ? (int)t.count : -1, cases[i].count, "tags: %s",
		       cases[i].input);
	}
	struct tags t;
	tags_parse(SPAN("a= x y ;b=1"), &t, NULL);
	ok(span_eq(tags_value(&t, "a"), SPAN("x y")), "a value has no blanks around it");
	ok(span_eq(tags_find(&t, "a")->whole, SPAN(" x y ")), "the whole of it does");
	ok(tags_has_item(SPAN(" a : B:c"), SPAN("b")) &&
		   !tags_has_item(SPAN("ab"), SPAN("b")),
	   "lists have items");
}

/* --- keys --- */

static void test_records(void) {
	static const char ed_p[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
	static const struct {
		const char *label, *record;
		bool good;
	} cases[] = {
		{ "the shortest", "k=ed25519; p=%s", true },
		{ "with a version", "v=DKIM1; k=ed25519; p=%s", true },
		{ "the version not first", "k=ed25519; v=DKIM1; p=%s", false },
		{ "another version", "v=DKIM2; k=ed25519; p=%s", false },
		{ "the version in small letters", "v=dkim1; k=ed25519; p=%s", false },
		{ "unknown tags", "k=ed25519; n=note; zz=1; p=%s", true },
		{ "another kind of key", "k=dsa; p=%s", false },
		{ "a kind that does not fit", "k=rsa; p=%s", false },
		{ "no key", "v=DKIM1; k=ed25519; n=%s", false },
		{ "a tag twice", "k=ed25519; p=%s; p=", false },
		{ "not base64", "k=ed25519; p=!%s", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf b = BUF_INIT(4096);
		struct dkim_key k;
		struct span rest = span_str(cases[i].record), head;
		span_take_until(&rest, '%', &head);
		buf_add(&b, head);
		while (rest.len && rest.p[0] != 's')
			rest = span_from(rest, 1);
		buf_adds(&b, ed_p);
		buf_add(&b, span_from(rest, 1));
		bool good = dkim_key_parse(buf_span(&b), &k, NULL) == 0;
		is_int(good, cases[i].good, "record: %s", cases[i].label);
		dkim_key_release(&k);
	}
	struct dkim_key k;
	ok(dkim_key_parse(SPAN("v=DKIM1; p="), &k, NULL) == 0 && k.revoked && !k.key,
	   "an empty p= is a revoked key");
}

/* --- signed messages --- */

static const char body_text[] = "hello\r\nworld\r\n";

struct recipe {
	const char *label;
	const char *fields; /* of the message; NULL: `plain` */
	const char *tags;   /* between "DKIM-Signature: " and "; bh=" */
	const char *body;   /* as it arrives; NULL: as signed */
	const char
		*record; /* flags of the key's record, before "p="; NULL: not published */
	enum dkim_verdict want;
	const char *words; /* in the reason; NULL: none */
};

static const char plain[] = "From: a@example.org\r\nTo: b@example.net\r\nSubject: x\r\n";

#define TAGS "v=1; a=ed25519-sha256; d=example.org; s=sel; "
#define KEY "k=ed25519; "

static const struct recipe recipes[] = {
	{ "a plain one", NULL, TAGS "h=from:to", NULL, KEY, DKIM_PASS, NULL },
	{ "relaxed", NULL, TAGS "c=relaxed; h=from:to", NULL, KEY, DKIM_PASS, NULL },
	{ "relaxed/relaxed", NULL, TAGS "c=relaxed/relaxed; h=from", NULL, KEY, DKIM_PASS,
	  NULL },
	{ "an unknown form", NULL, TAGS "c=loose; h=from", NULL, KEY, DKIM_PERMERROR,
	  "c=" },
	{ "no version", NULL, "a=ed25519-sha256; d=example.org; s=sel; h=from", NULL, KEY,
	  DKIM_PERMERROR, "no v=" },
	{ "version 2", NULL, "v=2; a=ed25519-sha256; d=example.org; s=sel; h=from", NULL,
	  KEY, DKIM_PERMERROR, "v= is not 1" },
	{ "rsa-sha1", NULL, "v=1; a=rsa-sha1; d=example.org; s=sel; h=from", NULL, "",
	  DKIM_PERMERROR, "too weak" },
	{ "an unknown algorithm", NULL, "v=1; a=rsa-md5; d=example.org; s=sel; h=from",
	  NULL, KEY, DKIM_PERMERROR, "no algorithm" },
	{ "no algorithm", NULL, "v=1; d=example.org; s=sel; h=from", NULL, KEY,
	  DKIM_PERMERROR, "no a=" },
	{ "no domain", NULL, "v=1; a=ed25519-sha256; s=sel; h=from", NULL, KEY,
	  DKIM_PERMERROR, "no d=" },
	{ "no selector", NULL, "v=1; a=ed25519-sha256; d=example.org; h=from", NULL, KEY,
	  DKIM_PERMERROR, "no s=" },
	{ "a domain that is none", NULL,
	  "v=1; a=ed25519-sha256; d=example..org; s=sel; h=from", NULL, KEY,
	  DKIM_PERMERROR, "d=" },
	{ "From not signed", NULL, TAGS "h=to:subject", NULL, KEY, DKIM_PERMERROR,
	  "lacks From" },
	{ "no fields", NULL, "v=1; a=ed25519-sha256; d=example.org; s=sel", NULL, KEY,
	  DKIM_PERMERROR, "no h=" },
	{ "a tag twice", NULL, TAGS "h=from; s=sel", NULL, KEY, DKIM_PERMERROR, "twice" },
	{ "an unknown tag", NULL, TAGS "h=from; zz=top", NULL, KEY, DKIM_PASS, NULL },
	{ "expired", NULL, TAGS "h=from; t=1600000000; x=1600000001", NULL, KEY,
	  DKIM_PERMERROR, "expired" },
	{ "not yet expired", NULL, TAGS "h=from; x=1800000000", NULL, KEY, DKIM_PASS,
	  NULL },
	{ "expired before it was made", NULL, TAGS "h=from; t=1600000001; x=1600000000",
	  NULL, KEY, DKIM_PERMERROR, "x= is not later" },
	{ "a time that is none", NULL, TAGS "h=from; t=soon", NULL, KEY, DKIM_PERMERROR,
	  "t= is no" },
	{ "made in the future", NULL, TAGS "h=from; t=1800000000", NULL, KEY, DKIM_PASS,
	  "future" },
	{ "another way to the key", NULL, TAGS "h=from; q=http", NULL, KEY,
	  DKIM_PERMERROR, "q=" },
	{ "two ways", NULL, TAGS "h=from; q=http:dns/txt", NULL, KEY, DKIM_PASS, NULL },
	{ "an identity below the domain", NULL, TAGS "h=from; i=x@sub.example.org", NULL,
	  KEY, DKIM_PASS, NULL },
	{ "an identity elsewhere", NULL, TAGS "h=from; i=x@example.net", NULL, KEY,
	  DKIM_PERMERROR, "i=" },
	{ "an identity that ends alike", NULL, TAGS "h=from; i=x@anexample.org", NULL,
	  KEY, DKIM_PERMERROR, "i=" },
	{ "t=s and an identity below", NULL, TAGS "h=from; i=@sub.example.org", NULL,
	  KEY "t=s; ", DKIM_PERMERROR, "t=s" },
	{ "t=s and the same", NULL, TAGS "h=from; i=@example.org", NULL, KEY "t=y:s; ",
	  DKIM_PASS, NULL },
	{ "a key for something else", NULL, TAGS "h=from", NULL, KEY "s=other; ",
	  DKIM_PERMERROR, "s= lacks" },
	{ "a key for everything", NULL, TAGS "h=from", NULL, KEY "s=*; ", DKIM_PASS,
	  NULL },
	{ "a key for sha1", NULL, TAGS "h=from", NULL, KEY "h=sha1; ", DKIM_PERMERROR,
	  "h= lacks" },
	{ "no key is published", NULL, TAGS "h=from", NULL, NULL, DKIM_PERMERROR,
	  "no key" },
	{ "the body is another", NULL, TAGS "h=from", "hallo\r\nworld\r\n", KEY,
	  DKIM_FAIL, "the body is not what was signed; the header is" },
	{ "something follows what is signed", NULL, TAGS "h=from; l=14",
	  "hello\r\nworld\r\nspam\r\n", KEY, DKIM_PASS, "6 octets" },
	{ "the body is shorter", NULL, TAGS "h=from; l=14", "hello\r\n", KEY, DKIM_FAIL,
	  "body" },
	{ "nothing of the body is signed", NULL, TAGS "h=from; l=0", "spam\r\n", KEY,
	  DKIM_PASS, "6 octets" },
	{ "a second From", "From: b@evil.example\r\nFrom: a@example.org\r\n",
	  TAGS "h=from", NULL, KEY, DKIM_POLICY, "another From" },
	{ "two signed Froms", "From: b@evil.example\r\nFrom: a@example.org\r\n",
	  TAGS "h=from:from", NULL, KEY, DKIM_PASS, NULL },
	{ "a second Subject", "Subject: y\r\nFrom: a@example.org\r\nSubject: x\r\n",
	  TAGS "h=from:subject", NULL, KEY, DKIM_PASS, "another Subject" },
	{ "a short RSA key", NULL, "v=1; a=rsa-sha256; d=example.org; s=weak; h=from",
	  NULL, "", DKIM_POLICY, "fewer than 1024" },
	{ "RSA", NULL, "v=1; a=rsa-sha256; d=example.org; s=rsa; h=from", NULL, "",
	  DKIM_PASS, NULL },
	{ "a key of another kind", NULL,
	  "v=1; a=rsa-sha256; d=example.org; s=sel; h=from", NULL, KEY, DKIM_PERMERROR,
	  "another algorithm" },
};

static const struct crypto_private *key_of(const char *tags) {
	if (strstr(tags, "s=rsa"))
		return rsa;
	return strstr(tags, "s=weak") ? weak : ed;
}

/* What l= of the tags says. */
static uint64_t limit_of(const char *tags) {
	const char *l = strstr(tags, "l=");
	uint64_t n = CANON_NO_LIMIT;
	struct span s = span_str(l ? l + 2 : "");
	span_take_uint(&s, UINT32_MAX, &n);
	return n;
}

static void add_signature(struct buf *out, const char *tags, struct span fields) {
	AUTO_BUF struct buf field = BUF_INIT(8192), sig = BUF_INIT(4096);
	struct dkim_bodies bodies = { .count = 0 };
	struct dkim_fields f;
	struct crypto_digest digest;
	struct tags t;
	bool relaxed = strstr(tags, "c=relaxed") != NULL;
	int n = dkim_bodies_want(&bodies,
				 strstr(tags, "/relaxed") ? CANON_RELAXED : CANON_SIMPLE,
				 limit_of(tags));
	dkim_bodies_feed(&bodies, span_str(body_text));
	dkim_bodies_end(&bodies);
	dkim_bodies_digest(&bodies, n, &digest, NULL);
	buf_addf(&field, "DKIM-Signature: %s; bh=", tags);
	codec_base64_add(&field, span_of(digest.byte, sizeof(digest.byte)));
	buf_adds(&field, "; b=");
	if (tags_parse(span_str(tags), &t, NULL) != 0)
		t.count = 0;
	dkim_fields_read(fields, &f, NULL);
	struct crypto_hash *hash = crypto_hash_new();
	struct span raw = buf_span(&field);
	enum canon kind = relaxed ? CANON_RELAXED : CANON_SIMPLE;
	dkim_sig_hash_fields(hash, kind, tags_value(&t, "h"), &f, NULL);
	dkim_sig_hash_self(hash, kind, raw, span_from(raw, raw.len));
	crypto_hash_peek(hash, &digest);
	crypto_private_sign(key_of(tags), &digest, &sig, NULL);
	buf_add(out, raw);
	codec_base64_add(out, buf_span(&sig));
	buf_adds(out, "\r\n");
	crypto_hash_free(hash);
	dkim_fields_release(&f);
	dkim_bodies_release(&bodies);
}

static void add_record(struct buf *zone, const char *selector, const char *flags,
		       const struct crypto_private *key) {
	AUTO_BUF struct buf public = BUF_INIT(4096), text = BUF_INIT(4096);
	crypto_private_public(key, &public, NULL);
	codec_base64_add(&text, buf_span(&public));
	buf_addf(zone, "%s._domainkey.example.org TXT \"%sp=", selector, flags);
	for (struct span rest = buf_span(&text); rest.len; rest = span_from(rest, 200)) {
		struct span piece = span_head(rest, 200);
		buf_addf(zone, "%.*s%s", (int)piece.len, piece.p,
			 rest.len > 200 ? "\" \"" : "\"\n");
	}
}

static void check(const struct recipe *c) {
	AUTO_BUF struct buf zone = BUF_INIT(1u << 16), header = BUF_INIT(1u << 16);
	struct span fields = span_str(c->fields ? c->fields : plain);
	struct err err = ERR_INIT;
	if (c->record) {
		add_record(&zone, "sel", c->record, ed);
		add_record(&zone, "rsa", c->record, rsa);
		add_record(&zone, "weak", c->record, weak);
	}
	add_signature(&header, c->tags, fields);
	buf_add(&header, fields);
	struct dns *dns = dns_table_open(buf_span(&zone), &err);
	struct dkim_verify *v = dkim_verify_new(buf_span(&header), NOW, &err);
	if (!ok(dns && v, "made: %s", c->label))
		return;
	dkim_verify_feed(v, span_str(c->body ? c->body : body_text));
	dkim_verify_end(v);
	while (!dkim_verify_run(v, dns) && dns_run(dns) > 0)
		;
	const struct dkim_result *r = dkim_verify_result(v, 0);
	is_str(dkim_verdict_name(r->verdict), dkim_verdict_name(c->want), "%s", c->label);
	if (!ok(c->words ? strstr(r->reason, c->words) != NULL : r->reason[0] == '\0',
		"with words: %s", c->label))
		printf("# %s\n", r->reason);
	dkim_verify_free(v);
	dns_close(dns);
}

/* --- DNS that does not answer, or says too much --- */

static enum dkim_verdict verdict_with(const char *zone, const char **ret_reason) {
	static char reason[ERR_MSG_SIZE];
	AUTO_BUF struct buf header = BUF_INIT(1u << 16);
	add_signature(&header, TAGS "h=from", span_str(plain));
	buf_adds(&header, plain);
	struct dns *dns = dns_table_open(span_str(zone), NULL);
	struct dkim_verify *v = dkim_verify_new(buf_span(&header), NOW, NULL);
	dkim_verify_feed(v, span_str(body_text));
	dkim_verify_end(v);
	while (!dkim_verify_run(v, dns) && dns_run(dns) > 0)
		;
	enum dkim_verdict verdict = dkim_verify_result(v, 0)->verdict;
	memcpy(reason, dkim_verify_result(v, 0)->reason, sizeof(reason));
	*ret_reason = reason;
	dkim_verify_free(v);
	dns_close(dns);
	return verdict;
}

static void test_dns(void) {
	AUTO_BUF struct buf two = BUF_INIT(1u << 16);
	const char *reason;
	static const char *const temporary[] = { "!timeout", "!servfail", "!bogus" };
	for (size_t i = 0; i < 3; i++) {
		AUTO_BUF struct buf zone = BUF_INIT(4096);
		buf_addf(&zone, "sel._domainkey.example.org TXT %s\n", temporary[i]);
		is_int(verdict_with(buf_str(&zone), &reason), DKIM_TEMPERROR,
		       "%s is temporary", temporary[i]);
	}
	is_int(verdict_with("sel._domainkey.example.org A 192.0.2.1\n", &reason),
	       DKIM_PERMERROR, "no TXT is no key");
	is_int(verdict_with("sel._domainkey.example.org TXT \"v=DKIM1; p=\"\n", &reason),
	       DKIM_PERMERROR, "a revoked key is no error of the message");
	ok(strstr(reason, "revoked"), "and named so");
	is_int(verdict_with("sel._domainkey.example.org TXT \"v=spf1 -all\"\n", &reason),
	       DKIM_PERMERROR, "another record is no key");
	add_record(&two, "sel", KEY, ed);
	add_record(&two, "sel", "", rsa);
	is_int(verdict_with(buf_str(&two), &reason), DKIM_PERMERROR, "two keys are none");
	ok(strstr(reason, "2 keys"), "and counted");
	buf_reset(&two);
	add_record(&two, "sel", KEY, ed);
	buf_adds(&two, "sel._domainkey.example.org TXT \"v=spf1 -all\"\n");
	is_int(verdict_with(buf_str(&two), &reason), DKIM_PASS,
	       "what is no key is passed over");
	buf_reset(&two);
	add_record(&two, "other", KEY, ed);
	buf_adds(&two, "sel._domainkey.example.org CNAME other._domainkey.example.org\n");
	is_int(verdict_with(buf_str(&two), &reason), DKIM_PASS, "an alias is followed");
}

/* --- bounds --- */

static void test_bounds(void) {
	AUTO_BUF struct buf many = BUF_INIT(16u << 20);
	struct err err = ERR_INIT;
	for (int i = 0; i < 60; i++)
		buf_adds(&many, "DKIM-Signature: v=1\r\n");
	struct dkim_verify *v = dkim_verify_new(buf_span(&many), NOW, &err);
	is_int((int64_t)dkim_verify_count(v), DKIM_VERIFY_MAX,
	       "so many signatures are looked at");
	dkim_verify_free(v);
	for (unsigned i = 0; i < DKIM_FIELDS_MAX; i++)
		buf_adds(&many, "A: b\r\n");
	ok(!dkim_verify_new(buf_span(&many), NOW, &err) && err.kind == ERR_LIMIT,
	   "too many fields are refused");
}

static void test_signer(void) {
	AUTO_BUF struct buf out = BUF_INIT(1u << 16);
	struct err err = ERR_INIT;
	struct dkim_signing how = { .domain = SPAN("b\xc3\xbc\x63her.example"),
				    .selector = SPAN("s"),
				    .key = weak };
	ok(!dkim_signer_new(&how, 1, &err) && strstr(err.msg, "768 bits"),
	   "a short key does not sign");
	how.key = ed;
	how.valid_s = 60;
	struct dkim_signer *s = dkim_signer_new(&how, 1, &err);
	dkim_signer_feed(s, SPAN("x"));
	ok(dkim_signer_finish(s, SPAN("To: b\r\n"), NOW, "\r\n", &out, &err) != 0 &&
		   err.kind == ERR_MISSING,
	   "without From nothing is signed");
	dkim_signer_free(s);
	s = dkim_signer_new(&how, 1, &err);
	is_int(dkim_signer_finish(s, span_str(plain), NOW, "\r\n", &out, &err), 0,
	       "it signs");
	ok(strstr(buf_str(&out), "d=xn--bcher-kva.example;"), "U-labels become A-labels");
	ok(strstr(buf_str(&out), "t=1700000000; x=1700000060;"), "x= is t= and so much");
	bool folded = true;
	for (struct span rest = buf_span(&out), line; span_take_line(&rest, &line);)
		folded &= line.len <= 78;
	ok(folded, "no line is longer than 78");
	dkim_signer_free(s);
	how.domain = SPAN("not a name");
	ok(!dkim_signer_new(&how, 1, &err), "a domain that is none is refused");
}

int main(void) {
	struct err err = ERR_INIT;
	rsa = crypto_private_make(CRYPTO_RSA, 1024, &err);
	weak = crypto_private_make(CRYPTO_RSA, 768, &err);
	ed = crypto_private_make(CRYPTO_ED25519, 0, &err);
	if (!ok(rsa && weak && ed, "keys are made"))
		return done_testing();
	test_tags();
	test_records();
	for (size_t i = 0; i < sizeof(recipes) / sizeof(recipes[0]); i++)
		check(&recipes[i]);
	test_dns();
	test_bounds();
	test_signer();
	crypto_private_free(rsa);
	crypto_private_free(weak);
	crypto_private_free(ed);
	return done_testing();
}
