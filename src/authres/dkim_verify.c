/*
 * Verification. What can be told without the key is told first: the syntax, the time, the
 * body. The key is asked for all the same where the body differs, so that a message that was
 * changed and one whose key is gone are told apart.
 */

#include "authres/dkim_verify.h"

#include <stdlib.h>

#include "authres/dkim_body.h"
#include "base/auto.h"

struct check {
	struct dkim_result result;
	int body; /* of the bodies */
	bool body_differs;
};

struct dkim_verify {
	struct dkim_fields fields;
	struct dkim_bodies bodies;
	struct check check[DKIM_VERIFY_MAX];
	size_t count;
	int64_t now_s;
};

const char *dkim_verdict_name(enum dkim_verdict v) {
	static const char *const names[] = {
		[DKIM_PENDING] = "pending",     [DKIM_PASS] = "pass",
		[DKIM_FAIL] = "fail",           [DKIM_NEUTRAL] = "neutral",
		[DKIM_POLICY] = "policy",       [DKIM_PERMERROR] = "permerror",
		[DKIM_TEMPERROR] = "temperror",
	};
	return names[v];
}

__attribute__((format(printf, 3, 4))) static void settle(struct dkim_result *r,
							 enum dkim_verdict verdict,
							 const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	r->verdict = verdict;
	vsnprintf(r->reason, sizeof(r->reason), fmt, ap);
	va_end(ap);
}

/* --- before the key --- */

static void begin_check(struct dkim_verify *v, const struct header_field *f) {
	struct check *c = &v->check[v->count++];
	struct dkim_result *r = &c->result;
	struct err err = ERR_INIT;
	if (dkim_sig_parse(DKIM_SIG_DKIM, f, &r->sig, &err) != 0) {
		settle(r, DKIM_PERMERROR, "%s", err.msg);
		return;
	}
	c->body = dkim_bodies_want(&v->bodies, r->sig.body, r->sig.limit);
	if (c->body < 0)
		settle(r, DKIM_TEMPERROR, "out of memory");
}

struct dkim_verify *dkim_verify_new(struct span header, int64_t now_s, struct err *err) {
	struct dkim_verify *v = calloc(1, sizeof(*v));
	if (!v) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	v->now_s = now_s;
	if (dkim_fields_read(header, &v->fields, err) != 0) {
		free(v);
		return NULL;
	}
	for (size_t i = 0; i < v->fields.count && v->count < DKIM_VERIFY_MAX; i++)
		if (span_eq_nocase(v->fields.item[i].name, SPAN("DKIM-Signature")))
			begin_check(v, &v->fields.item[i]);
	return v;
}

void dkim_verify_feed(struct dkim_verify *v, struct span body) {
	dkim_bodies_feed(&v->bodies, body);
}

/* A body shorter than l= is one that was cut (RFC 6376 section 3.7). */
static void check_body(struct dkim_verify *v, struct check *c) {
	const struct dkim_sig *sig = &c->result.sig;
	struct crypto_digest digest;
	uint64_t octets;
	if (!dkim_bodies_digest(&v->bodies, c->body, &digest, &octets)) {
		settle(&c->result, DKIM_TEMPERROR, "out of memory");
		return;
	}
	c->body_differs = memcmp(digest.byte, sig->body_hash.byte, sizeof(digest.byte)) !=
			  0;
	if (sig->limit != CANON_NO_LIMIT && octets < sig->limit)
		c->body_differs = true;
	if (sig->limit != CANON_NO_LIMIT && octets > sig->limit)
		c->result.uncovered = octets - sig->limit;
}

void dkim_verify_end(struct dkim_verify *v) {
	dkim_bodies_end(&v->bodies);
	for (size_t i = 0; i < v->count; i++)
		if (v->check[i].result.verdict == DKIM_PENDING)
			check_body(v, &v->check[i]);
}

/* --- with the key --- */

/* The rules of RFC 6376 section 6.1.2 for a key that was found. */
static bool key_fits(struct dkim_result *r, const struct dkim_key *key) {
	const struct dkim_sig *sig = &r->sig;
	size_t at = sig->identity.len;
	if (key->revoked) {
		settle(r, DKIM_PERMERROR, "the key was revoked (p= is empty)");
		return false;
	}
	if (key->kind != sig->kind) {
		settle(r, DKIM_PERMERROR, "the key is for another algorithm than a=");
		return false;
	}
	if (!key->sha256 || !key->email) {
		settle(r, DKIM_PERMERROR, "the key may not be used for this (%s)",
		       key->email ? "h= lacks sha256" : "s= lacks email");
		return false;
	}
	while (at > 0 && sig->identity.p[at - 1] != '@')
		at--;
	if (key->strict && at > 0 &&
	    !span_eq_nocase(span_from(sig->identity, at), sig->domain)) {
		settle(r, DKIM_PERMERROR, "the key wants i= in d= itself (t=s)");
		return false;
	}
	return true;
}

/* 1: verifies, 0: does not, -1: out of memory. */
static int verify_header(const struct dkim_verify *v, const struct dkim_sig *sig,
			 const struct dkim_key *key) {
	struct crypto_hash *hash = crypto_hash_new();
	struct crypto_digest digest;
	bool made = hash &&
		    dkim_sig_hash_fields(hash, sig->header, sig->fields, &v->fields,
					 sig->raw.p) == 0 &&
		    dkim_sig_hash_self(hash, sig->header, sig->raw, sig->b) == 0 &&
		    crypto_hash_peek(hash, &digest);
	crypto_hash_free(hash);
	if (!made)
		return -1;
	return crypto_public_verify(key->key, &digest, buf_span(&sig->signature));
}

/* A field that may stand once only, and stands there once more without a signature: what a
 * person sees may be that one (RFC 6376 section 8.15). */
static const char *unsigned_twin(const struct dkim_verify *v,
				 const struct dkim_sig *sig) {
	static const char *const once[] = { "From",    "Sender", "Reply-To",   "To", "Cc",
					    "Subject", "Date",   "Message-ID", NULL };
	for (size_t i = 0; once[i]; i++) {
		struct span name = span_str(once[i]);
		size_t there = dkim_fields_count(&v->fields, name);
		size_t named = dkim_sig_names(sig->fields, name);
		if (there > 1 && named > 0 && there > named)
			return once[i];
	}
	return NULL;
}

/* The signature itself is right. */
static void weigh(struct dkim_verify *v, struct dkim_result *r) {
	const char *twin = unsigned_twin(v, &r->sig);
	if (r->sig.kind == CRYPTO_RSA && r->bits < DKIM_KEY_BITS_MIN)
		settle(r, DKIM_POLICY, "the key has %u bits, fewer than %u (RFC 8301)",
		       r->bits, DKIM_KEY_BITS_MIN);
	else if (r->sig.expiry_s >= 0 && r->sig.expiry_s < v->now_s)
		settle(r, DKIM_PERMERROR, "the signature expired (x=%lld)",
		       (long long)r->sig.expiry_s);
	else if (twin && strcmp(twin, "From") == 0)
		settle(r, DKIM_POLICY, "there is another From that is not signed");
	else if (r->uncovered)
		settle(r, DKIM_PASS, "%llu octets of the body are not signed (l=)",
		       (unsigned long long)r->uncovered);
	else if (twin)
		settle(r, DKIM_PASS, "there is another %s that is not signed", twin);
	else if (r->sig.made_s > v->now_s + 300)
		settle(r, DKIM_PASS, "it was made in the future (t=%lld)",
		       (long long)r->sig.made_s);
	else
		settle(r, DKIM_PASS, "%s", "");
}

static void judge(struct dkim_verify *v, struct check *c, const struct dkim_key *key) {
	struct dkim_result *r = &c->result;
	r->bits = key->bits;
	r->testing = key->testing;
	if (!key_fits(r, key))
		return;
	int header = verify_header(v, &r->sig, key);
	if (header < 0)
		settle(r, DKIM_TEMPERROR, "out of memory");
	else if (c->body_differs)
		settle(r, DKIM_FAIL, "the body is not what was signed%s",
		       header ? "; the header is" : ", nor is the header");
	else if (!header)
		settle(r, DKIM_FAIL, "the header is not what was signed; the body is");
	else
		weigh(v, r);
}

static void run_check(struct dkim_verify *v, struct check *c, struct dns *dns) {
	struct dkim_result *r = &c->result;
	struct dkim_key key;
	struct err err = ERR_INIT;
	switch (dkim_key_get(dns, r->sig.selector, r->sig.domain, &key, &err)) {
	case DKIM_KEY_PENDING:
		return;
	case DKIM_KEY_FOUND:
		judge(v, c, &key);
		dkim_key_release(&key);
		return;
	case DKIM_KEY_NONE:
	case DKIM_KEY_BAD:
		settle(r, DKIM_PERMERROR, "%s", err.msg);
		return;
	case DKIM_KEY_TEMPORARY:
		settle(r, DKIM_TEMPERROR, "%s", err.msg);
		return;
	}
}

bool dkim_verify_run(struct dkim_verify *v, struct dns *dns) {
	bool done = true;
	for (size_t i = 0; i < v->count; i++) {
		if (v->check[i].result.verdict == DKIM_PENDING)
			run_check(v, &v->check[i], dns);
		done &= v->check[i].result.verdict != DKIM_PENDING;
	}
	return done;
}

size_t dkim_verify_count(const struct dkim_verify *v) {
	return v->count;
}

const struct dkim_result *dkim_verify_result(const struct dkim_verify *v, size_t i) {
	return &v->check[i].result;
}

void dkim_verify_free(struct dkim_verify *v) {
	if (!v)
		return;
	for (size_t i = 0; i < v->count; i++)
		dkim_sig_release(&v->check[i].result.sig);
	dkim_bodies_release(&v->bodies);
	dkim_fields_release(&v->fields);
	free(v);
}
