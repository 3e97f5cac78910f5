/* Signing; see dkim_sign.h. */

#include "authres/dkim_sign.h"

#include <stdlib.h>

#include "authres/dkim_body.h"
#include "authres/dkim_key.h"
#include "authres/dkim_sig.h"
#include "base/codec.h"
#include "mail/addr.h"

#define COLUMNS 76u
#define FIELD_MAX (1u << 20)

struct dkim_signer {
	struct dkim_signing how[DKIM_SIGNERS_MAX];
	char *domain[DKIM_SIGNERS_MAX], *selector[DKIM_SIGNERS_MAX]; /* A-labels */
	int body[DKIM_SIGNERS_MAX];
	size_t count;
	struct dkim_bodies bodies;
};

/* What is signed, where it is there (RFC 6376 section 5.4.1). */
static const struct {
	const char *name;
	bool absent_too; /* to be signed as absent: one that is added must break it */
} signed_fields[] = {
	{ "From", true },
	{ "To", true },
	{ "Cc", true },
	{ "Subject", true },
	{ "Date", true },
	{ "Reply-To", true },
	{ "Message-ID", true },
	{ "Sender", false },
	{ "In-Reply-To", false },
	{ "References", false },
	{ "MIME-Version", false },
	{ "Content-Type", false },
	{ "Content-Transfer-Encoding", false },
	{ "Content-Disposition", false },
	{ "List-Id", false },
	{ "List-Help", false },
	{ "List-Post", false },
	{ "List-Unsubscribe", false },
	{ "List-Unsubscribe-Post", false },
	{ "Resent-From", false },
	{ "Resent-To", false },
	{ "Resent-Cc", false },
	{ "Resent-Date", false },
	{ "Resent-Message-ID", false },
};

bool dkim_canon_parse(struct span s, enum canon *ret_header, enum canon *ret_body) {
	static const struct span names[] = { SPAN_INIT("simple"), SPAN_INIT("relaxed") };
	struct span header, body = SPAN("simple");
	if (span_take_until(&s, '/', &header))
		body = s;
	else
		header = s;
	*ret_header = span_eq(header, names[1]) ? CANON_RELAXED : CANON_SIMPLE;
	*ret_body = span_eq(body, names[1]) ? CANON_RELAXED : CANON_SIMPLE;
	return span_eq(header, names[*ret_header]) && span_eq(body, names[*ret_body]);
}

/* --- beginning --- */

static int ascii(struct span name, const char *what, char **ret, struct err *err) {
	AUTO_BUF struct buf b = BUF_INIT(1024);
	if (!dkim_key_is_name(name))
		return err_set(err, ERR_SYNTAX, "the %s is no name", what);
	if (addr_domain_ascii(name, &b, err) != 0)
		return -1;
	*ret = buf_take(&b);
	return *ret ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

static int add_key(struct dkim_signer *s, const struct dkim_signing *how,
		   struct err *err) {
	size_t i = s->count++;
	s->how[i] = *how;
	if (ascii(how->domain, "domain", &s->domain[i], err) != 0 ||
	    ascii(how->selector, "selector", &s->selector[i], err) != 0)
		return -1;
	if (crypto_private_kind(how->key) == CRYPTO_RSA &&
	    crypto_private_bits(how->key) < DKIM_KEY_BITS_MIN)
		return err_set(
			err, ERR_SYNTAX,
			"the key has %u bits; receivers take none below %u (RFC 8301)",
			crypto_private_bits(how->key), DKIM_KEY_BITS_MIN);
	s->body[i] = dkim_bodies_want(&s->bodies, how->body, CANON_NO_LIMIT);
	return s->body[i] >= 0 ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

struct dkim_signer *dkim_signer_new(const struct dkim_signing *how, size_t count,
				    struct err *err) {
	struct dkim_signer *s = calloc(1, sizeof(*s));
	if (!s || count > DKIM_SIGNERS_MAX) {
		err_set(err, s ? ERR_LIMIT : ERR_MEMORY,
			s ? "more than %u keys for one message" : "out of memory",
			DKIM_SIGNERS_MAX);
		free(s);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		if (add_key(s, &how[i], err) != 0) {
			dkim_signer_free(s);
			return NULL;
		}
	}
	return s;
}

void dkim_signer_feed(struct dkim_signer *s, struct span body) {
	dkim_bodies_feed(&s->bodies, body);
}

/* --- the field --- */

/* A field that is being written, folded at blanks and ":". */
struct writer {
	struct buf *out;
	const char *line_end;
	size_t column;
};

static void put(struct writer *w, struct span s, bool blank) {
	if (w->column + s.len + blank > COLUMNS && w->column > 1) {
		buf_adds(w->out, w->line_end);
		buf_addc(w->out, '\t');
		w->column = 1;
	} else if (blank) {
		buf_addc(w->out, ' ');
		w->column++;
	}
	buf_add(w->out, s);
	w->column += s.len;
}

__attribute__((format(printf, 3, 4))) static void putf(struct writer *w, bool blank,
						       const char *fmt, ...) {
	AUTO_BUF struct buf b = BUF_INIT(4096);
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	put(w, buf_span(&b), blank);
}

/* Base64 has no natural place for a fold: anywhere will do. */
static void put_base64(struct writer *w, struct span bytes) {
	AUTO_BUF struct buf b = BUF_INIT(8192);
	codec_base64_add(&b, bytes);
	for (struct span rest = buf_span(&b); rest.len > 0;) {
		size_t room = w->column < COLUMNS ? COLUMNS - w->column : COLUMNS - 1;
		struct span piece = span_head(rest, room);
		put(w, piece, false);
		rest = span_from(rest, piece.len);
	}
}

/* Appends the value of h= to w, and to names, where it is plain. */
static void put_fields(struct writer *w, const struct dkim_fields *f, struct buf *names) {
	bool first = true;
	for (size_t i = 0; i < sizeof(signed_fields) / sizeof(signed_fields[0]); i++) {
		const char *name = signed_fields[i].name;
		size_t n = dkim_fields_count(f, span_str(name));
		if (n == 0 && !signed_fields[i].absent_too)
			continue;
		for (size_t k = 0; k <= n; k++) {
			buf_addf(names, "%s%s", first ? "" : ":", name);
			putf(w, first, "%s%s", first ? "h=" : ":", name);
			first = false;
		}
	}
	put(w, SPAN(";"), false);
}

/* Everything up to and with "b=". */
static int put_unsigned(struct dkim_signer *s, size_t i, struct writer *w,
			const struct dkim_fields *f, int64_t now_s, struct buf *names,
			struct err *err) {
	static const char *const canon[] = { "simple", "relaxed" };
	const struct dkim_signing *how = &s->how[i];
	struct crypto_digest body;
	put(w, SPAN("DKIM-Signature: v=1;"), false);
	putf(w, true, "a=%s-sha256;",
	     crypto_private_kind(how->key) == CRYPTO_RSA ? "rsa" : "ed25519");
	putf(w, true, "c=%s/%s;", canon[how->header], canon[how->body]);
	putf(w, true, "d=%s;", s->domain[i]);
	putf(w, true, "s=%s;", s->selector[i]);
	if (how->identity.len)
		putf(w, true, "i=%.*s;", (int)how->identity.len, how->identity.p);
	putf(w, true, "t=%lld;", (long long)now_s);
	if (how->valid_s > 0)
		putf(w, true, "x=%lld;", (long long)(now_s + how->valid_s));
	put_fields(w, f, names);
	put(w, SPAN("bh="), true);
	if (!dkim_bodies_digest(&s->bodies, s->body[i], &body, NULL))
		return err_set(err, ERR_MEMORY, "out of memory");
	put_base64(w, span_of(body.byte, sizeof(body.byte)));
	put(w, SPAN(";"), false);
	put(w, SPAN("b="), true);
	return buf_failed(w->out) || buf_failed(names)
		       ? err_set(err, ERR_MEMORY, "out of memory")
		       : 0;
}

static int sign(struct dkim_signer *s, size_t i, const struct dkim_fields *f,
		int64_t now_s, const char *line_end, struct buf *out, struct err *err) {
	AUTO_BUF struct buf field = BUF_INIT(FIELD_MAX), names = BUF_INIT(FIELD_MAX);
	AUTO_BUF struct buf signature = BUF_INIT(4096);
	struct writer w = { &field, line_end, 0 };
	struct crypto_digest digest;
	if (put_unsigned(s, i, &w, f, now_s, &names, err) != 0)
		return -1;
	struct crypto_hash *hash = crypto_hash_new();
	struct span raw = buf_span(&field);
	bool made = hash &&
		    dkim_sig_hash_fields(hash, s->how[i].header, buf_span(&names), f,
					 NULL) == 0 &&
		    dkim_sig_hash_self(hash, s->how[i].header, raw,
				       span_from(raw, raw.len)) == 0 &&
		    crypto_hash_peek(hash, &digest);
	crypto_hash_free(hash);
	if (!made)
		return err_set(err, ERR_MEMORY, "out of memory");
	if (crypto_private_sign(s->how[i].key, &digest, &signature, err) != 0)
		return -1;
	put_base64(&w, buf_span(&signature));
	buf_adds(&field, line_end);
	return buf_add(out, buf_span(&field)) == 0
		       ? 0
		       : err_set(err, ERR_MEMORY, "out of memory");
}

int dkim_signer_finish(struct dkim_signer *s, struct span header, int64_t now_s,
		       const char *line_end, struct buf *out, struct err *err) {
	struct dkim_fields f;
	int r = 0;
	dkim_bodies_end(&s->bodies);
	if (dkim_fields_read(header, &f, err) != 0)
		return -1;
	if (dkim_fields_count(&f, SPAN("From")) == 0)
		r = err_set(err, ERR_MISSING,
			    "the message has no From, which must be signed");
	for (size_t i = 0; r == 0 && i < s->count; i++)
		r = sign(s, i, &f, now_s, line_end, out, err);
	dkim_fields_release(&f);
	return r;
}

void dkim_signer_free(struct dkim_signer *s) {
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		free(s->domain[i]);
		free(s->selector[i]);
	}
	dkim_bodies_release(&s->bodies);
	free(s);
}
