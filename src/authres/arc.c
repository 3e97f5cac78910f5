/*
 * The chain: sets 1 to n without gap or double, whose seals say that the one before was right;
 * the newest message signature must verify, and every seal. A key that cannot be had breaks
 * the chain (RFC 8617 section 5.2).
 */

#include "authres/arc.h"

#include <stdlib.h>

#include "authres/dkim_body.h"

struct arc {
	struct dkim_fields fields;
	struct dkim_bodies bodies;
	struct arc_set set[ARC_SETS_MAX];
	size_t count;
	int body;
	bool any; /* a field of ARC is there */
	bool sealed[ARC_SETS_MAX], signature;
	enum arc_verdict verdict;
	char reason[ERR_MSG_SIZE];
};

const char *arc_verdict_name(enum arc_verdict v) {
	static const char *const names[] = {
		[ARC_PENDING] = "pending",
		[ARC_NONE] = "none",
		[ARC_PASS] = "pass",
		[ARC_FAIL] = "fail",
	};
	return names[v];
}

__attribute__((format(printf, 2, 3))) static int fail(struct arc *a, const char *fmt,
						      ...) {
	va_list ap;
	va_start(ap, fmt);
	a->verdict = ARC_FAIL;
	vsnprintf(a->reason, sizeof(a->reason), fmt, ap);
	va_end(ap);
	return -1;
}

/* --- the structure --- */

/* ARC-Authentication-Results: "i=N;" and what an Authentication-Results has. */
static bool read_results(struct span value, unsigned *ret_instance,
			 struct span *ret_found) {
	struct span first;
	uint64_t n;
	if (!span_take_until(&value, ';', &first))
		return false;
	first = span_trim(first);
	if (!span_take_char(&first, 'i'))
		return false;
	first = span_trim(first);
	if (!span_take_char(&first, '=') ||
	    !span_uint(span_trim(first), ARC_SETS_MAX, &n) || n == 0)
		return false;
	*ret_instance = (unsigned)n;
	*ret_found = value;
	return true;
}

static int take_results(struct arc *a, const struct header_field *f) {
	unsigned i;
	struct span found;
	if (!read_results(f->value, &i, &found))
		return fail(
			a,
			"an ARC-Authentication-Results does not begin with an instance");
	if (a->set[i - 1].results)
		return fail(a, "instance %u has two ARC-Authentication-Results", i);
	a->set[i - 1].results = f;
	a->set[i - 1].found = found;
	return 0;
}

static int take_sig(struct arc *a, const struct header_field *f,
		    enum dkim_sig_form form) {
	struct dkim_sig sig;
	struct err err = ERR_INIT;
	const char *what = form == DKIM_SIG_SEAL ? "ARC-Seal" : "ARC-Message-Signature";
	if (dkim_sig_parse(form, f, &sig, &err) != 0) {
		dkim_sig_release(&sig);
		return fail(a, "%s: %s", what, err.msg);
	}
	struct arc_set *set = &a->set[sig.instance - 1];
	const struct header_field **place = form == DKIM_SIG_SEAL ? &set->seal
								  : &set->message;
	if (*place) {
		fail(a, "instance %u has two %s", sig.instance, what);
		dkim_sig_release(&sig);
		return -1;
	}
	*place = f;
	*(form == DKIM_SIG_SEAL ? &set->seal_sig : &set->message_sig) = sig;
	return 0;
}

static int take_field(struct arc *a, const struct header_field *f) {
	if (span_eq_nocase(f->name, SPAN("ARC-Authentication-Results")))
		a->any = true;
	else if (span_eq_nocase(f->name, SPAN("ARC-Message-Signature")))
		a->any = true;
	else if (span_eq_nocase(f->name, SPAN("ARC-Seal")))
		a->any = true;
	else
		return 0;
	switch (f->name.len) {
	case sizeof("ARC-Seal") - 1:
		return take_sig(a, f, DKIM_SIG_SEAL);
	case sizeof("ARC-Message-Signature") - 1:
		return take_sig(a, f, DKIM_SIG_AMS);
	default:
		return take_results(a, f);
	}
}

/* Instances 1 to n are whole, and there are no others. */
static int check_sets(struct arc *a) {
	size_t n = 0;
	for (size_t i = 0; i < ARC_SETS_MAX; i++) {
		const struct arc_set *s = &a->set[i];
		if (!s->results && !s->message && !s->seal)
			continue;
		if (n != i)
			return fail(a, "instance %zu is missing", n + 1);
		if (!s->results || !s->message || !s->seal)
			return fail(a, "instance %zu lacks its %s", i + 1,
				    !s->results   ? "ARC-Authentication-Results"
				    : !s->message ? "ARC-Message-Signature"
						  : "ARC-Seal");
		n++;
	}
	a->count = n;
	return 0;
}

/* What each seal says of the chain before it. */
static int check_claims(struct arc *a) {
	for (size_t i = a->count; i-- > 0;) {
		struct span cv = tags_value(&a->set[i].seal_sig.tags, "cv");
		if (span_eq_nocase(cv, SPAN("fail")))
			return fail(a, "instance %zu found the chain broken (cv=fail)",
				    i + 1);
		if (!span_eq(cv, i == 0 ? SPAN("none") : SPAN("pass")))
			return fail(a, "ARC-Seal: cv= of instance %zu is not %s", i + 1,
				    i == 0 ? "none" : "pass");
	}
	return 0;
}

static void read_chain(struct arc *a) {
	for (size_t i = 0; i < a->fields.count; i++)
		if (take_field(a, &a->fields.item[i]) != 0)
			return;
	if (!a->any) {
		a->verdict = ARC_NONE;
		return;
	}
	if (check_sets(a) != 0 || check_claims(a) != 0)
		return;
	const struct dkim_sig *newest = &a->set[a->count - 1].message_sig;
	a->body = dkim_bodies_want(&a->bodies, newest->body, newest->limit);
	if (a->body < 0)
		fail(a, "out of memory");
}

struct arc *arc_new(struct span header, struct err *err) {
	struct arc *a = calloc(1, sizeof(*a));
	if (!a) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	if (dkim_fields_read(header, &a->fields, err) != 0) {
		free(a);
		return NULL;
	}
	read_chain(a);
	return a;
}

/* --- the body --- */

void arc_feed(struct arc *a, struct span body) {
	dkim_bodies_feed(&a->bodies, body);
}

void arc_end(struct arc *a) {
	struct crypto_digest digest;
	dkim_bodies_end(&a->bodies);
	if (a->verdict != ARC_PENDING)
		return;
	const struct dkim_sig *newest = &a->set[a->count - 1].message_sig;
	uint64_t octets;
	if (!dkim_bodies_digest(&a->bodies, a->body, &digest, &octets))
		fail(a, "out of memory");
	else if (memcmp(digest.byte, newest->body_hash.byte, sizeof(digest.byte)) != 0 ||
		 (newest->limit != CANON_NO_LIMIT && octets < newest->limit))
		fail(a, "the body is not what instance %zu signed", a->count);
}

/* --- signatures --- */

static bool hash_message(const struct arc *a, struct crypto_hash *hash) {
	const struct dkim_sig *s = &a->set[a->count - 1].message_sig;
	return dkim_sig_hash_fields(hash, s->header, s->fields, &a->fields, s->raw.p) ==
		       0 &&
	       dkim_sig_hash_self(hash, s->header, s->raw, s->b) == 0;
}

/* A seal is over all sets up to its own, its own without b= (section 5.1.1). */
static bool hash_seal(const struct arc *a, size_t i, struct crypto_hash *hash) {
	AUTO_BUF struct buf canon = BUF_INIT(3 * HEADER_BLOCK_MAX);
	for (size_t k = 0; k <= i; k++) {
		canon_field(&canon, CANON_RELAXED, a->set[k].results->raw);
		canon_field(&canon, CANON_RELAXED, a->set[k].message->raw);
		if (k < i)
			canon_field(&canon, CANON_RELAXED, a->set[k].seal->raw);
	}
	if (buf_failed(&canon))
		return false;
	crypto_hash_add(hash, buf_span(&canon));
	const struct dkim_sig *s = &a->set[i].seal_sig;
	return dkim_sig_hash_self(hash, CANON_RELAXED, s->raw, s->b) == 0;
}

/* 1: right, 0: waits for DNS, -1: the chain is broken. seal: which one, or -1 for the newest
 * message signature. */
static int verify(struct arc *a, int seal, struct dns *dns) {
	const struct dkim_sig *s = seal < 0 ? &a->set[a->count - 1].message_sig
					    : &a->set[seal].seal_sig;
	const char *what = seal < 0 ? "ARC-Message-Signature" : "ARC-Seal";
	struct dkim_key key;
	struct err err = ERR_INIT;
	enum dkim_key_found found = dkim_key_get(dns, s->selector, s->domain, &key, &err);
	if (found == DKIM_KEY_PENDING)
		return 0;
	if (found != DKIM_KEY_FOUND)
		return fail(a, "%s %u: %s", what, s->instance, err.msg);
	if (key.revoked || key.kind != s->kind || !key.sha256 ||
	    (key.kind == CRYPTO_RSA && key.bits < DKIM_KEY_BITS_MIN)) {
		fail(a, "%s %u: the key %s", what, s->instance,
		     key.revoked ? "was revoked" : "may not be used for this");
		dkim_key_release(&key);
		return -1;
	}
	struct crypto_hash *hash = crypto_hash_new();
	struct crypto_digest digest;
	bool right = hash &&
		     (seal < 0 ? hash_message(a, hash)
			       : hash_seal(a, (size_t)seal, hash)) &&
		     crypto_hash_peek(hash, &digest) &&
		     crypto_public_verify(key.key, &digest, buf_span(&s->signature));
	crypto_hash_free(hash);
	dkim_key_release(&key);
	return right ? 1 : fail(a, "%s %u does not verify", what, s->instance);
}

enum arc_verdict arc_run(struct arc *a, struct dns *dns) {
	bool all = true;
	if (a->verdict == ARC_PENDING && !a->signature)
		a->signature = verify(a, -1, dns) > 0;
	all &= a->signature;
	for (size_t i = a->count; i-- > 0 && a->verdict == ARC_PENDING;) {
		if (!a->sealed[i])
			a->sealed[i] = verify(a, (int)i, dns) > 0;
		all &= a->sealed[i];
	}
	if (a->verdict == ARC_PENDING && all)
		a->verdict = ARC_PASS;
	return a->verdict;
}

enum arc_verdict arc_verdict(const struct arc *a) {
	return a->verdict;
}

const char *arc_reason(const struct arc *a) {
	return a->reason;
}

size_t arc_count(const struct arc *a) {
	return a->count;
}

const struct arc_set *arc_set(const struct arc *a, size_t i) {
	return &a->set[i];
}

void arc_free(struct arc *a) {
	if (!a)
		return;
	for (size_t i = 0; i < ARC_SETS_MAX; i++) {
		dkim_sig_release(&a->set[i].message_sig);
		dkim_sig_release(&a->set[i].seal_sig);
	}
	dkim_bodies_release(&a->bodies);
	dkim_fields_release(&a->fields);
	free(a);
}
