/*
 * TLS failures in words that say what to do. GnuTLS reports a bit mask and stock sentences;
 * the administrator wants the date, the names, the issuer. So the chain is looked at again
 * here, only after a failure. Everything taken from a certificate is untrusted text.
 *
 * "Unknown issuer" has two common causes that look alike from outside: a private CA, and a
 * server that forgot to send its intermediate. When a trusted CA is of the same organisation
 * as the issuer that is missing, it is the second; else both are named.
 */
#include "net/tls_words.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <gnutls/x509.h>

#include "base/term.h"
#include "net/addr.h"
#include "net/tls.h"

#define CHAIN_MAX 16
#define NAMES_SHOWN 3
#define NAME_MAX_SHOWN 64

struct chain {
	gnutls_x509_crt_t crt[CHAIN_MAX]; /* leaf first */
	unsigned count;
};

static void chain_release(struct chain *c) {
	for (unsigned i = 0; i < c->count; i++)
		gnutls_x509_crt_deinit(c->crt[i]);
	c->count = 0;
}

/* The chain as the peer sent it; stops at the first that cannot be read. */
static void chain_load(struct chain *c, gnutls_session_t session) {
	unsigned sent = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(session, &sent);

	c->count = 0;
	for (unsigned i = 0; der && i < sent && i < CHAIN_MAX; i++) {
		gnutls_x509_crt_t x;

		if (gnutls_x509_crt_init(&x) < 0)
			return;
		if (gnutls_x509_crt_import(x, &der[i], GNUTLS_X509_FMT_DER) < 0) {
			gnutls_x509_crt_deinit(x);
			return;
		}
		c->crt[c->count++] = x;
	}
}

static void add_date(struct buf *out, time_t t) {
	struct tm tm;

	if (t != (time_t)-1 && gmtime_r(&t, &tm))
		buf_addf(out, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday);
	else
		buf_adds(out, "an unknown date");
}

/* Untrusted text, cut. */
static void add_text(struct buf *out, const void *p, size_t len) {
	term_safe(out, span_head(span_of(p, len), NAME_MAX_SHOWN));
	if (len > NAME_MAX_SHOWN)
		buf_adds(out, "...");
}

typedef int dn_oid_fn(gnutls_x509_crt_t, const char *, unsigned, unsigned, void *,
		      size_t *);
typedef int dn_fn(gnutls_x509_crt_t, char *, size_t *);

/* "CN=Lab CA", or the whole distinguished name when it has no common name. */
static void add_dn(struct buf *out, gnutls_x509_crt_t x, dn_oid_fn *by_oid,
		   dn_fn *whole) {
	char text[512];
	size_t len = sizeof(text);

	if (by_oid(x, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &len) == 0) {
		buf_adds(out, "CN=");
		add_text(out, text, len);
		return;
	}
	len = sizeof(text);
	if (whole(x, text, &len) == 0 && len > 0)
		add_text(out, text, len);
	else
		buf_adds(out, "without a name");
}

static void add_issuer(struct buf *out, gnutls_x509_crt_t x) {
	add_dn(out, x, gnutls_x509_crt_get_issuer_dn_by_oid,
	       gnutls_x509_crt_get_issuer_dn);
}

static void add_subject(struct buf *out, gnutls_x509_crt_t x) {
	add_dn(out, x, gnutls_x509_crt_get_dn_by_oid, gnutls_x509_crt_get_dn);
}

/* "its issuer CN=Lab CA " in front of what is said of a certificate above the leaf. */
static void add_whose(struct buf *out, const struct chain *c, unsigned i) {
	if (i == 0)
		return;
	buf_adds(out, "has an issuer (");
	add_subject(out, c->crt[i]);
	buf_adds(out, ") that ");
}

static void say_expired(struct buf *out, const struct chain *c) {
	time_t now = time(NULL);

	for (unsigned i = 0; i < c->count; i++) {
		time_t end = gnutls_x509_crt_get_expiration_time(c->crt[i]);

		if (end == (time_t)-1 || end >= now)
			continue;
		add_whose(out, c, i);
		buf_adds(out, "expired on ");
		add_date(out, end);
		return;
	}
	buf_adds(out, "has an issuer that expired");
}

static void say_not_yet(struct buf *out, const struct chain *c) {
	time_t now = time(NULL);

	for (unsigned i = 0; i < c->count; i++) {
		time_t start = gnutls_x509_crt_get_activation_time(c->crt[i]);

		if (start == (time_t)-1 || start <= now)
			continue;
		add_whose(out, c, i);
		buf_adds(out, "is not valid before ");
		add_date(out, start);
		return;
	}
	buf_adds(out, "has an issuer that is not valid yet");
}

static bool is_literal(struct span name) {
	char text[INET6_ADDRSTRLEN];

	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.p);
	return name.len < sizeof(text) && net_is_literal(text);
}

/* Adds the i-th subject alternative name that a host could match. */
static int add_san(struct buf *out, gnutls_x509_crt_t leaf, unsigned i, bool show) {
	char name[256], ip[INET6_ADDRSTRLEN];
	size_t len = sizeof(name);
	int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name, &len, NULL);

	if (type < 0)
		return type == GNUTLS_E_SHORT_MEMORY_BUFFER ? 0 : -1;
	if (type == GNUTLS_SAN_DNSNAME && show) {
		add_text(out, name, len);
		if (is_literal(span_of(name, len)))
			buf_adds(out, " (as a host name)");
	} else if (type == GNUTLS_SAN_IPADDRESS && (len == 4 || len == 16) && show)
		buf_adds(out,
			 inet_ntop(len == 4 ? AF_INET : AF_INET6, name, ip, sizeof(ip)));
	return type == GNUTLS_SAN_DNSNAME || type == GNUTLS_SAN_IPADDRESS;
}

/* "a.example, b.example and 3 more"; the common name when there is no other. */
static void add_names(struct buf *out, gnutls_x509_crt_t leaf) {
	unsigned usable = 0, shown = 0;
	int r;

	for (unsigned i = 0; i < 1000 && (r = add_san(out, leaf, i, false)) >= 0; i++)
		usable += (unsigned)r;
	for (unsigned i = 0; i < 1000 && shown < usable && shown < NAMES_SHOWN; i++) {
		if (add_san(out, leaf, i, false) <= 0)
			continue;
		if (shown > 0)
			buf_adds(out, shown + 1 == usable ? " and " : ", ");
		add_san(out, leaf, i, true);
		shown++;
	}
	if (usable > shown)
		buf_addf(out, " and %u more", usable - shown);
	if (usable == 0)
		add_subject(out, leaf);
}

static void say_wrong_name(struct buf *out, const struct chain *c, const char *host) {
	buf_adds(out, "is for ");
	add_names(out, c->crt[0]);
	buf_adds(out, net_is_literal(host) ? ", not for the address " : ", not for ");
	add_text(out, host, strlen(host));
}

static bool is_self_signed(gnutls_x509_crt_t x) {
	return gnutls_x509_crt_check_issuer(x, x) != 0;
}

/* True when a trusted CA has the organisation of this certificate's issuer. */
static bool organisation_is_trusted(gnutls_x509_crt_t x,
				    gnutls_certificate_credentials_t trust) {
	char want[256], have[256];
	size_t want_len = sizeof(want);
	gnutls_x509_trust_list_t list;
	gnutls_x509_trust_list_iter_t iter = NULL;
	gnutls_x509_crt_t ca;
	bool found = false;

	if (gnutls_x509_crt_get_issuer_dn_by_oid(x, GNUTLS_OID_X520_ORGANIZATION_NAME, 0,
						 0, want, &want_len) < 0)
		return false;
	gnutls_certificate_get_trust_list(trust, &list);
	while (!found && gnutls_x509_trust_list_iter_get_ca(list, &iter, &ca) == 0) {
		size_t len = sizeof(have);

		found = gnutls_x509_crt_get_dn_by_oid(ca,
						      GNUTLS_OID_X520_ORGANIZATION_NAME,
						      0, 0, have, &len) == 0 &&
			span_eq(span_of(want, want_len), span_of(have, len));
		gnutls_x509_crt_deinit(ca);
	}
	if (iter)
		gnutls_x509_trust_list_iter_deinit(iter);
	return found;
}

static unsigned say_unknown_issuer(struct buf *out, const struct chain *c,
				   gnutls_certificate_credentials_t trust) {
	gnutls_x509_crt_t top = c->crt[c->count - 1];

	if (is_self_signed(c->crt[0])) {
		buf_adds(out, "is self-signed");
		return TLS_REASON_SELF_SIGNED;
	}
	if (is_self_signed(top)) {
		buf_adds(out, "is signed by an unknown issuer (");
		add_issuer(out, top);
		buf_adds(out, ")");
	} else if (organisation_is_trusted(top, trust)) {
		buf_adds(out, "seems to lack an intermediate certificate in its chain (");
		add_issuer(out, top);
		buf_adds(out, "), which the server must send");
		return TLS_REASON_NO_INTERMEDIATE;
	} else {
		buf_adds(out, "is signed by an unknown issuer (");
		add_issuer(out, top);
		buf_adds(out, "), which the server does not send either");
	}
	return TLS_REASON_ISSUER;
}

static unsigned say_weak(struct buf *out, const struct chain *c) {
	for (unsigned i = 0; i < c->count; i++) {
		unsigned bits = 0;
		int key = gnutls_x509_crt_get_pk_algorithm(c->crt[i], &bits);
		int sign = gnutls_x509_crt_get_signature_algorithm(c->crt[i]);

		if (key >= 0 &&
		    gnutls_pk_bits_to_sec_param(key, bits) < GNUTLS_SEC_PARAM_MEDIUM) {
			add_whose(out, c, i);
			buf_addf(out, "has a weak key (%s with %u bits)",
				 gnutls_pk_algorithm_get_name(key), bits);
			return TLS_REASON_WEAK_KEY;
		}
		if (sign > 0 && !is_self_signed(c->crt[i]) &&
		    !gnutls_sign_is_secure2(sign, GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS)) {
			add_whose(out, c, i);
			buf_addf(out, "has a weak signature (%s)",
				 gnutls_sign_get_name(sign));
			return TLS_REASON_WEAK_SIGNATURE;
		}
	}
	buf_adds(out, "uses a weak key or signature");
	return TLS_REASON_WEAK_KEY | TLS_REASON_WEAK_SIGNATURE;
}

/* May this CA sign for the leaf's names (RFC 5280 section 4.2.1.10)? */
static bool is_outside(gnutls_x509_crt_t ca, gnutls_x509_crt_t leaf) {
	gnutls_x509_name_constraints_t nc;
	unsigned critical;
	bool outside = false;

	if (gnutls_x509_name_constraints_init(&nc) < 0)
		return false;
	if (gnutls_x509_crt_get_name_constraints(ca, nc, 0, &critical) == 0)
		outside = !gnutls_x509_name_constraints_check_crt(nc, GNUTLS_SAN_DNSNAME,
								  leaf) ||
			  !gnutls_x509_name_constraints_check_crt(nc, GNUTLS_SAN_IPADDRESS,
								  leaf);
	gnutls_x509_name_constraints_deinit(nc);
	return outside;
}

/* A CA above that is none, that may have no CA below, or not these names. */
static unsigned say_constraints(struct buf *out, const struct chain *c) {
	for (unsigned i = 1; i < c->count; i++) {
		unsigned is_ca = 0;
		int below_max = -1;
		const char *what = NULL;

		if (gnutls_x509_crt_check_issuer(c->crt[i - 1], c->crt[i]) == 0)
			break;
		(void)gnutls_x509_crt_get_basic_constraints(c->crt[i], NULL, &is_ca,
							    &below_max);
		if (!is_ca)
			what = ", which is no CA";
		else if (below_max >= 0 && (unsigned)below_max < i - 1)
			what = ", which may sign no CA below it";
		if (what) {
			buf_adds(out, i == 1 ? "is signed by " : "has a signature above it by ");
			add_subject(out, c->crt[i]);
			buf_adds(out, what);
			return TLS_REASON_CONSTRAINTS;
		}
		if (is_outside(c->crt[i], c->crt[0])) {
			buf_adds(out, "has names that its issuer (");
			add_subject(out, c->crt[i]);
			buf_adds(out, ") may not sign for");
			return TLS_REASON_CONSTRAINTS;
		}
	}
	buf_adds(out, "is outside what its CA may sign");
	return TLS_REASON_CONSTRAINTS;
}

/* Reasons that need no look at the chain. */
static const struct {
	unsigned bit;
	enum tls_reason reason;
	const char *words;
} plain_reasons[] = {
	{ GNUTLS_CERT_REVOKED, TLS_REASON_REVOKED, "is revoked" },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, TLS_REASON_OTHER,
	  "has a signature that does not fit" },
	{ GNUTLS_CERT_SIGNER_NOT_CA, TLS_REASON_CONSTRAINTS,
	  "is signed by a certificate that is not a CA's" },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, TLS_REASON_PURPOSE, "is not meant for servers" },
	{ GNUTLS_CERT_MISSING_OCSP_STATUS, TLS_REASON_NO_STAPLE,
	  "requires a proof of non-revocation (OCSP staple) that the server did not send" },
	{ GNUTLS_CERT_INVALID_OCSP_STATUS, TLS_REASON_NO_STAPLE,
	  "came with a useless proof of non-revocation (OCSP)" },
	{ GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, TLS_REASON_OTHER,
	  "has critical extensions that are not understood" },
	{ GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, TLS_REASON_OTHER,
	  "came with outdated revocation data" },
	{ GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE, TLS_REASON_OTHER,
	  "came with revocation data of the future" },
};

static void comma(struct buf *out, size_t start) {
	if (out->len > start)
		buf_adds(out, ", ");
}

/* Those that need one. */
static unsigned say_from_chain(struct buf *out, const struct chain *c,
			       gnutls_certificate_credentials_t trust, unsigned status,
			       const char *host) {
	size_t start = out->len;
	unsigned reasons = 0;

	if (status & GNUTLS_CERT_EXPIRED) {
		say_expired(out, c);
		reasons |= TLS_REASON_EXPIRED;
	}
	if (status & GNUTLS_CERT_NOT_ACTIVATED) {
		comma(out, start);
		say_not_yet(out, c);
		reasons |= TLS_REASON_NOT_YET;
	}
	if (status & GNUTLS_CERT_UNEXPECTED_OWNER) {
		comma(out, start);
		say_wrong_name(out, c, host);
		reasons |= TLS_REASON_NAME;
	}
	if (status & GNUTLS_CERT_INSECURE_ALGORITHM) {
		comma(out, start);
		reasons |= say_weak(out, c);
	}
	if (status & GNUTLS_CERT_SIGNER_NOT_FOUND) {
		comma(out, start);
		reasons |= say_unknown_issuer(out, c, trust);
	}
	if (status & GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE) {
		comma(out, start);
		reasons |= say_constraints(out, c);
	}
	return reasons;
}

unsigned tls_words_untrusted(struct buf *out, gnutls_session_t session,
			     gnutls_certificate_credentials_t trust, unsigned status,
			     const char *host) {
	struct chain c;
	size_t start = out->len;

	chain_load(&c, session);
	if (c.count == 0) {
		buf_adds(out, "cannot be read");
		return TLS_REASON_OTHER;
	}
	unsigned reasons = say_from_chain(out, &c, trust, status, host);
	for (size_t i = 0; i < sizeof(plain_reasons) / sizeof(plain_reasons[0]); i++) {
		if (!(status & plain_reasons[i].bit))
			continue;
		comma(out, start);
		buf_adds(out, plain_reasons[i].words);
		reasons |= plain_reasons[i].reason;
	}
	if (out->len == start)
		buf_adds(out, "is not trusted");
	chain_release(&c);
	return reasons ? reasons : TLS_REASON_OTHER;
}

/* Handshake errors; %s is the other side. */
static const struct {
	int code;
	const char *words;
} handshake_words[] = {
	{ GNUTLS_E_UNEXPECTED_PACKET,
	  "does not speak TLS here (wrong port, or plain text until STARTTLS)" },
	{ GNUTLS_E_UNEXPECTED_PACKET_LENGTH,
	  "does not speak TLS here (wrong port, or plain text until STARTTLS)" },
	{ GNUTLS_E_RECORD_OVERFLOW,
	  "does not speak TLS here (wrong port, or plain text until STARTTLS)" },
	{ GNUTLS_E_UNSUPPORTED_VERSION_PACKET,
	  "offers no TLS version that is still safe (1.2 or newer is needed)" },
	{ GNUTLS_E_PREMATURE_TERMINATION,
	  "closed the connection during the TLS handshake" },
	{ GNUTLS_E_PULL_ERROR, "closed the connection during the TLS handshake" },
	{ GNUTLS_E_PUSH_ERROR, "closed the connection during the TLS handshake" },
	{ GNUTLS_E_NO_CIPHER_SUITES, "has no cipher suite in common with us" },
	{ GNUTLS_E_UNKNOWN_CIPHER_SUITE, "chose a cipher suite that is not safe" },
	{ GNUTLS_E_INSUFFICIENT_SECURITY,
	  "offers only keys or parameters that are too weak" },
	{ GNUTLS_E_DH_PRIME_UNACCEPTABLE,
	  "offers only Diffie-Hellman parameters that are too weak" },
	{ GNUTLS_E_SESSION_USER_ID_CHANGED, "changed its certificate in the middle" },
	{ GNUTLS_E_NO_CERTIFICATE_FOUND, "showed no certificate" },
	{ GNUTLS_E_CERTIFICATE_ERROR, "sent a certificate that cannot be read" },
	{ GNUTLS_E_KEY_USAGE_VIOLATION,
	  "showed a certificate whose key may not be used for TLS (key usage)" },
};

static int handshake_alert(gnutls_session_t session, const char *who, struct err *err) {
	gnutls_alert_description_t alert = gnutls_alert_get(session);
	const char *name = gnutls_alert_get_name(alert);

	if (alert == GNUTLS_A_PROTOCOL_VERSION)
		return err_set(
			err, ERR_REMOTE,
			"the %s offers no TLS version that is still safe (1.2 or newer is needed)",
			who);
	return err_set(err, ERR_REMOTE, "the %s refused the TLS handshake (alert %d: %s)",
		       who, (int)alert, name ? name : "unknown");
}

int tls_words_handshake(gnutls_session_t session, int code, bool client,
			struct err *err) {
	const char *who = client ? "server" : "client";

	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return handshake_alert(session, who, err);
	for (size_t i = 0; i < sizeof(handshake_words) / sizeof(handshake_words[0]);
	     i++) {
		if (handshake_words[i].code == code)
			return err_set(err, ERR_REMOTE, "the %s %s", who,
				       handshake_words[i].words);
	}
	return err_set(err, ERR_REMOTE, "the TLS handshake with the %s failed: %s", who,
		       gnutls_strerror(code));
}
