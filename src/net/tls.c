/*
 * TLS sessions by GnuTLS over a non-blocking socket that conn owns. The rules:
 *
 *  - TLS 1.2 and 1.3 only, keys of 112 bits of strength and more (RSA and DH 2048), whatever
 *    the system's defaults allow.
 *  - The chain is verified by hand after every handshake: the library's own hook is skipped on
 *    resumption. Only sessions that were accepted are kept for others (net/tls_cache.h). A server that shows no certificate is not verified.
 *  - Trust is what was loaded, never nothing: loading no CA at all is an error.
 *  - SNI carries names only, without the trailing dot; literals match iPAddress names.
 */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/term.h"
#include "base/codec.h"
#include "net/addr.h"
#include "net/tls_cache.h"
#include "net/tls_dane.h"
#include "net/tls_words.h"

#define CA_FILE_MAX (16u << 20)
#define SESSION_MAX 16384u
/* Non-fatal conditions (warnings, refused renegotiations) that one call lets pass. */
#define QUIRKS_MAX 16
/* Added to the system's priorities; static RSA has no forward secrecy. */
#define PRIORITY_MAX 1024
#define PRIORITY "-VERS-TLS1.0:-VERS-TLS1.1:-VERS-DTLS-ALL:-RSA:%PROFILE_MEDIUM"

struct tls_client {
	gnutls_certificate_credentials_t credentials;
	struct tls_cache *cache; /* NULL: nothing is resumed */
	uint64_t serial;         /* no other one has had it, not in a parent either */
};

struct tls_server {
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t ticket_key; /* no data: no tickets */
};

struct tls_session {
	gnutls_session_t gnutls;
	/* The client's or server's, not ours. */
	gnutls_certificate_credentials_t credentials;
	bool is_client;
	const struct tls_policy
		*policy;  /* client: the caller's, until the handshake is done */
	bool established; /* handshake done and accepted */
	bool broken;      /* a fatal error came: no goodbye */
	bool write_open;  /* GnuTLS holds bytes of an unfinished record */
	char *host;       /* client: without a trailing dot */
	struct tls_cache *cache; /* where the session is kept by this key, or NULL */
	struct tls_cache_key key;
	struct tls_info info;
};

static int no_memory(struct err *err) {
	return err_set(err, ERR_MEMORY, "out of memory");
}

static int load_system_trust(gnutls_certificate_credentials_t credentials,
			     struct err *err) {
	if (gnutls_certificate_set_x509_system_trust(credentials) > 0)
		return 0;
	return err_set(
		err, ERR_MISSING,
		"this system has no CA certificates: install the package ca-certificates, "
		"or name a file with ca =");
}

static int load_trust_file(gnutls_certificate_credentials_t credentials, const char *file,
			   struct err *err) {
	AUTO_BUF struct buf pem = BUF_INIT(CA_FILE_MAX);
	gnutls_datum_t datum;
	int n;

	if (file_read(AT_FDCWD, file, &pem, err) < 0)
		return -1;
	datum.data = (unsigned char *)pem.data;
	datum.size = (unsigned)pem.len;
	n = pem.len == 0 ? 0
			 : gnutls_certificate_set_x509_trust_mem(credentials, &datum,
								 GNUTLS_X509_FMT_PEM);
	if (n > 0)
		return 0;
	if (n == 0 || n == GNUTLS_E_NO_CERTIFICATE_FOUND ||
	    n == GNUTLS_E_BASE64_DECODING_ERROR)
		return err_set(
			err, ERR_SYNTAX,
			"%s: no certificate in it (PEM form, -----BEGIN CERTIFICATE-----, is needed)",
			file);
	return err_set(err, ERR_SYNTAX, "%s: cannot read the certificates in it: %s",
		       file, gnutls_strerror(n));
}

struct tls_client *tls_client_new(const char *ca_file, struct err *err) {
	static uint64_t serial;
	struct tls_client *t = calloc(1, sizeof(*t));

	if (!t || gnutls_certificate_allocate_credentials(&t->credentials) < 0) {
		free(t);
		no_memory(err);
		return NULL;
	}
	if ((ca_file ? load_trust_file(t->credentials, ca_file, err)
		     : load_system_trust(t->credentials, err)) < 0) {
		tls_client_free(t);
		return NULL;
	}
	t->serial = ++serial;
	return t;
}

void tls_client_resume(struct tls_client *t, struct tls_cache *cache) {
	t->cache = cache;
}

void tls_client_free(struct tls_client *t) {
	if (!t)
		return;
	gnutls_certificate_free_credentials(t->credentials);
	free(t);
}

/* GnuTLS says "Error while reading file." without the path: look first. */
static int check_readable(const char *file, struct err *err) {
	AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? err_sys(err, "%s: cannot read", file) : 0;
}

static int load_own(gnutls_certificate_credentials_t credentials, const char *cert_file,
		    const char *key_file, struct err *err) {
	if (check_readable(cert_file, err) < 0 || check_readable(key_file, err) < 0)
		return -1;
	int r = gnutls_certificate_set_x509_key_file(credentials, cert_file, key_file,
						     GNUTLS_X509_FMT_PEM);
	return r < 0 ? err_set(err, ERR_SYNTAX, "%s, %s: no usable certificate and key: %s",
			       cert_file, key_file, gnutls_strerror(r))
		     : 0;
}

int tls_client_use(struct tls_client *t, const char *cert_file, const char *key_file,
		   struct err *err) {
	return load_own(t->credentials, cert_file, key_file, err);
}

struct tls_server *tls_server_new(const char *cert_file, const char *key_file,
				  struct err *err) {
	struct tls_server *t = calloc(1, sizeof(*t));

	if (!t || gnutls_certificate_allocate_credentials(&t->credentials) < 0) {
		free(t);
		no_memory(err);
		return NULL;
	}
	if (load_own(t->credentials, cert_file, key_file, err) < 0) {
		tls_server_free(t);
		return NULL;
	}
	return t;
}

void tls_server_free(struct tls_server *t) {
	if (!t)
		return;
	gnutls_certificate_free_credentials(t->credentials);
	if (t->ticket_key.data)
		explicit_bzero(t->ticket_key.data, t->ticket_key.size);
	gnutls_free(t->ticket_key.data);
	free(t);
}

int tls_server_tickets(struct tls_server *t, struct err *err) {
	return gnutls_session_ticket_key_generate(&t->ticket_key) == 0 ? 0 : no_memory(err);
}

/* The library's defaults, our own limits, what the policy adds. */
static int set_priority(gnutls_session_t session, const struct tls_policy *p) {
	AUTO_BUF struct buf text = BUF_INIT(PRIORITY_MAX);

	buf_adds(&text, PRIORITY);
	if (p && p->min_version == 13)
		buf_adds(&text, ":-VERS-TLS1.2");
	if (p && p->priority)
		buf_addf(&text, ":%s", p->priority);
	return text.failed ? GNUTLS_E_INVALID_REQUEST
			   : gnutls_set_default_priority_append(session, buf_str(&text),
								NULL, 0);
}

int tls_priority_check(const char *priority, struct err *err) {
	const struct tls_policy p = { .priority = priority };
	gnutls_session_t session;
	int r;

	if (gnutls_init(&session, GNUTLS_CLIENT) < 0)
		return no_memory(err);
	r = set_priority(session, &p);
	gnutls_deinit(session);
	return r < 0 ? err_set(err, ERR_SYNTAX,
			       "'%.100s' is not a list of GnuTLS priorities such as "
			       "%%SAFE_RENEGOTIATION:-CIPHER-ALL:+AES-256-GCM",
			       priority)
		     : 0;
}

static struct tls_session *session_new(gnutls_certificate_credentials_t credentials,
				       const struct tls_policy *policy, unsigned flags,
				       bool tickets, int fd, struct err *err) {
	struct tls_session *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		no_memory(err);
		return NULL;
	}
	s->credentials = credentials;
	s->is_client = flags == GNUTLS_CLIENT;
	s->info.fault = TLS_FAULT_HANDSHAKE; /* until it is over */
	r = gnutls_init(&s->gnutls,
			flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
				(tickets ? 0 : GNUTLS_NO_TICKETS));
	if (r >= 0)
		r = set_priority(s->gnutls, policy);
	if (r >= 0)
		r = gnutls_credentials_set(s->gnutls, GNUTLS_CRD_CERTIFICATE,
					   credentials);
	if (r < 0) {
		err_set(err, ERR_SYSTEM, "cannot set TLS up: %s", gnutls_strerror(r));
		tls_session_free(s, false);
		return NULL;
	}
	gnutls_transport_set_int(s->gnutls, fd);
	/* The deadline is conn's; the library must not have another one. */
	gnutls_handshake_set_timeout(s->gnutls, 0);
	return s;
}

/* The session can be resumed from now on: a ticket has come with TLS 1.3, or TLS 1.2 is set up. */
static void keep_session(struct tls_session *s) {
	gnutls_datum_t bytes = { .data = NULL };

	if (gnutls_session_get_data2(s->gnutls, &bytes) != 0)
		return;
	tls_cache_put(s->cache, &s->key, span_of((char *)bytes.data, bytes.size));
	explicit_bzero(bytes.data, bytes.size);
	gnutls_free(bytes.data);
}

/* Tickets of TLS 1.3 come with what is read after the handshake. */
static int on_ticket(gnutls_session_t gnutls, unsigned type, unsigned when,
		     unsigned incoming, const gnutls_datum_t *msg) {
	struct tls_session *s = gnutls_session_get_ptr(gnutls);

	(void)type;
	(void)when;
	(void)msg;
	if (incoming && s->established &&
	    gnutls_protocol_get_version(gnutls) >= GNUTLS_TLS1_3)
		keep_session(s);
	return 0;
}

/* What does not work here costs a whole handshake, no more. */
static void resume(struct tls_session *s, const struct tls_client *t,
		   const struct tls_policy *p) {
	struct buf bytes = BUF_INIT(SESSION_MAX);

	if (!t->cache || !tls_cache_key(t->serial, p, &s->key))
		return;
	s->cache = t->cache;
	gnutls_session_set_ptr(s->gnutls, s);
	gnutls_handshake_set_hook_function(s->gnutls, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
					   GNUTLS_HOOK_POST, on_ticket);
	if (tls_cache_take(t->cache, &s->key, &bytes))
		(void)gnutls_session_set_data(s->gnutls, bytes.data, bytes.len);
	buf_wipe(&bytes);
	buf_release(&bytes);
}

struct tls_session *tls_session_client(const struct tls_client *t,
				       const struct tls_policy *p, int fd,
				       struct err *err) {
	struct tls_session *s = session_new(t->credentials, p, GNUTLS_CLIENT,
					    t->cache && p->port > 0, fd, err);
	size_t len = strlen(p->host);

	if (!s)
		return NULL;
	s->policy = p;
	if (len > 0 && p->host[len - 1] == '.')
		len--;
	s->host = span_dup(span_of(p->host, len));
	if (!s->host ||
	    (!net_is_literal(s->host) &&
	     gnutls_server_name_set(s->gnutls, GNUTLS_NAME_DNS, s->host, len) < 0)) {
		err_set(err, ERR_SYNTAX, "%s: cannot be used as a TLS server name",
			p->host);
		tls_session_free(s, false);
		return NULL;
	}
	resume(s, t, p);
	return s;
}

struct tls_session *tls_session_server(const struct tls_server *t, int fd,
				       struct err *err) {
	bool tickets = t->ticket_key.data;
	struct tls_session *s =
		session_new(t->credentials, NULL, GNUTLS_SERVER, tickets, fd, err);

	if (s && tickets &&
	    gnutls_session_ticket_enable_server(s->gnutls, &t->ticket_key) != 0) {
		tls_session_free(s, false);
		no_memory(err);
		return NULL;
	}
	return s;
}

void tls_session_free(struct tls_session *s, bool say_goodbye) {
	if (!s)
		return;
	if (say_goodbye && s->established && !s->broken)
		(void)gnutls_bye(s->gnutls, GNUTLS_SHUT_WR);
	if (s->gnutls)
		gnutls_deinit(s->gnutls);
	free(s->host);
	free(s);
}

static void fill_info(struct tls_session *s) {
	const char *version = gnutls_protocol_get_name(
		gnutls_protocol_get_version(s->gnutls));
	const char *suite = gnutls_ciphersuite_get(s->gnutls);

	snprintf(s->info.version, sizeof(s->info.version), "%s",
		 version ? version : "TLS");
	snprintf(s->info.cipher, sizeof(s->info.cipher), "%s", suite ? suite : "");
	s->info.resumed = gnutls_session_is_resumed(s->gnutls) != 0;
	if (s->is_client) {
		time_t begin = gnutls_certificate_activation_time_peers(s->gnutls);
		time_t end = gnutls_certificate_expiration_time_peers(s->gnutls);

		s->info.not_before_s = begin == (time_t)-1 ? 0 : begin;
		s->info.not_after_s = end == (time_t)-1 ? 0 : end;
	}
}

static const gnutls_datum_t *chain_of(const struct tls_session *s, unsigned *ret_count) {
	*ret_count = 0;
	return gnutls_certificate_get_peers(s->gnutls, ret_count);
}

size_t tls_session_chain(const struct tls_session *s, struct span *ret, size_t max) {
	unsigned count;
	const gnutls_datum_t *der = chain_of(s, &count);
	size_t n = 0;

	for (; der && n < count && n < max; n++)
		ret[n] = span_of((const char *)der[n].data, der[n].size);
	return n;
}

/* An issuer that nobody knows tells more of who it is than a name or a date. */
static enum tls_fault fault_of(unsigned status) {
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
		      GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_REVOKED))
		return TLS_FAULT_ISSUER;
	if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
		return TLS_FAULT_HOST;
	if (status & GNUTLS_CERT_EXPIRED)
		return TLS_FAULT_EXPIRED;
	return TLS_FAULT_OTHER;
}

/* The chain against what this machine trusts: dates, name, purpose, strength. */
static bool verify_pkix(const struct tls_session *s, const char *host,
			enum tls_fault *ret_fault, unsigned *ret_reasons, struct buf *why) {
	gnutls_typed_vdata_st data[2] = {
		{ .type = GNUTLS_DT_DNS_HOSTNAME,
		  .data = (unsigned char *)(uintptr_t)host },
		{ .type = GNUTLS_DT_KEY_PURPOSE_OID,
		  .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER },
	};
	unsigned status = 0;
	int r = gnutls_certificate_verify_peers(s->gnutls, data, 2, &status);

	if (r < 0)
		buf_addf(why, "cannot be verified: %s", gnutls_strerror(r));
	else if (status != 0)
		*ret_reasons = tls_words_untrusted(why, s->gnutls, s->credentials, status,
						   host);
	if (r == 0 && status == 0)
		return true;
	*ret_fault = r == 0 ? fault_of(status) : TLS_FAULT_OTHER;
	return false;
}

static bool verify_pin(const struct tls_session *s, const struct tls_policy *p,
		       struct buf *why) {
	unsigned count;
	const gnutls_datum_t *chain = chain_of(s, &count);
	uint8_t key[TLS_HASH_SIZE];

	if (!chain || !tls_dane_key_hash(&chain[0], key)) {
		buf_adds(why, "has no key that can be compared with the pinned ones");
		return false;
	}
	for (size_t i = 0; i < p->pins; i++)
		if (memcmp(p->pin[i], key, sizeof(key)) == 0)
			return true;
	buf_adds(why, "has a key that is not pinned: sha256:");
	codec_base64_add(why, span_of((const char *)key, sizeof(key)));
	return false;
}

/* True when the server proved who it is, or need not; *ret_method says how, and is empty when
 * it did not: then *ret_fault says why. */
static bool verify_as_told(const struct tls_session *s, const struct tls_policy *p,
			   const char *host, const char **ret_method,
			   enum tls_fault *ret_fault, unsigned *ret_reasons,
			   struct buf *why) {
	unsigned count;

	*ret_method = "";
	*ret_reasons = 0;
	*ret_fault = TLS_FAULT_NONE;
	if (p->pins > 0) {
		bool good = verify_pin(s, p, why);
		*ret_method = good ? "pin" : "";
		*ret_fault = good ? TLS_FAULT_NONE : TLS_FAULT_OTHER;
		return good;
	}
	if (p->tlsa_count > 0) {
		const gnutls_datum_t *chain = chain_of(s, &count);
		switch (tls_dane_verify(chain, count, p, host, why)) {
		case TLS_DANE_EE:
			*ret_method = "dane-ee";
			return true;
		case TLS_DANE_TA:
			*ret_method = "dane-ta";
			return true;
		case TLS_DANE_UNUSABLE:
			return true;
		case TLS_DANE_MISMATCH:
			break;
		}
		*ret_fault = TLS_FAULT_OTHER;
		return false;
	}
	bool good = verify_pkix(s, host, ret_fault, ret_reasons, why);
	*ret_method = good ? "pkix" : "";
	return good || !p->verify;
}

/* The words stay in info either way. */
static int verify_server(struct tls_session *s, struct err *err) {
	AUTO_BUF struct buf why = BUF_INIT(2048), shown = BUF_INIT(2048);
	const char *method;
	bool good = verify_as_told(s, s->policy, s->host, &method, &s->info.fault,
				   &s->info.reasons, &why);

	s->policy = NULL;
	s->info.verified = method[0] != '\0';
	snprintf(s->info.method, sizeof(s->info.method), "%s", method);
	snprintf(s->info.why_not, sizeof(s->info.why_not), "%s", buf_str(&why));
	if (good)
		return 0;
	(void)gnutls_alert_send(s->gnutls, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
	term_safe(&shown, span_str(s->host));
	return err_set(err, ERR_DENIED, "certificate of %s %s", buf_str(&shown),
		       buf_str(&why));
}

bool tls_session_check(const struct tls_session *s, const struct tls_policy *p,
		       char ret_method[TLS_METHOD_SIZE], struct buf *why) {
	const char *method = "";
	enum tls_fault fault;
	unsigned reasons;
	bool good = s->established &&
		    verify_as_told(s, p, p->host, &method, &fault, &reasons, why);

	snprintf(ret_method, TLS_METHOD_SIZE, "%s", method);
	return good;
}

int tls_session_handshake(struct tls_session *s, struct err *err) {
	int r = GNUTLS_E_AGAIN;

	for (int quirks = 0; quirks < QUIRKS_MAX; quirks++) {
		r = gnutls_handshake(s->gnutls);
		if (r == GNUTLS_E_AGAIN)
			return 0;
		if (r >= 0 || gnutls_error_is_fatal(r))
			break;
	}
	if (r < 0) {
		s->broken = true;
		tls_words_handshake(s->gnutls, r, s->is_client, err);
		(void)gnutls_alert_send_appropriate(s->gnutls, r);
		return -1;
	}
	fill_info(s);
	if (s->is_client && verify_server(s, err) < 0) {
		s->broken = true;
		return -1;
	}
	s->established = true;
	if (s->cache && gnutls_protocol_get_version(s->gnutls) < GNUTLS_TLS1_3)
		keep_session(s);
	return 1;
}

static int stream_failed(struct tls_session *s, int code, struct err *err) {
	s->broken = true;
	if (code == GNUTLS_E_PREMATURE_TERMINATION || code == 0)
		return err_set(err, ERR_REMOTE, "closed the connection");
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		const char *name = gnutls_alert_get_name(gnutls_alert_get(s->gnutls));

		return err_set(err, ERR_REMOTE, "ended TLS with an alert: %s",
			       name ? name : "unknown");
	}
	if (code == GNUTLS_E_PULL_ERROR || code == GNUTLS_E_PUSH_ERROR)
		return err_set(err, ERR_REMOTE, "%s",
			       errno == ECONNRESET ? "connection reset by peer"
						   : "closed the connection");
	return err_set(err, ERR_REMOTE, "the TLS connection broke: %s",
		       gnutls_strerror(code));
}

ssize_t tls_session_read(struct tls_session *s, void *p, size_t len, struct err *err) {
	ssize_t n = 0;

	if (s->broken)
		return err_set(err, ERR_REMOTE, "closed the connection");
	for (int quirks = 0; quirks < QUIRKS_MAX; quirks++) {
		n = gnutls_record_recv(s->gnutls, p, len);
		if (n > 0)
			return n;
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			return 0;
		if (n == 0 || gnutls_error_is_fatal((int)n))
			return stream_failed(s, (int)n, err);
		/* Renegotiation is refused, other warnings are none of ours. */
		if (n == GNUTLS_E_REHANDSHAKE && !s->is_client)
			(void)gnutls_alert_send(s->gnutls, GNUTLS_AL_WARNING,
						GNUTLS_A_NO_RENEGOTIATION);
	}
	return stream_failed(s, (int)n, err);
}

/*
 * A record that met a full socket stays in GnuTLS, which wants the call repeated without
 * data; it then counts the bytes it had taken, which the caller still holds as unwritten.
 */
ssize_t tls_session_write(struct tls_session *s, struct span data, struct err *err) {
	size_t done = 0;

	if (s->broken)
		return err_set(err, ERR_REMOTE, "closed the connection");
	while (done < data.len) {
		ssize_t n = s->write_open ? gnutls_record_send(s->gnutls, NULL, 0)
					  : gnutls_record_send(s->gnutls, data.p + done,
							       data.len - done);

		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
			s->write_open = true;
			break;
		}
		if (n < 0)
			return stream_failed(s, (int)n, err);
		s->write_open = false;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

short tls_session_wants(const struct tls_session *s) {
	return gnutls_record_get_direction(s->gnutls) == 1 ? POLLOUT : POLLIN;
}

bool tls_session_pending(const struct tls_session *s) {
	return gnutls_record_check_pending(s->gnutls) > 0;
}

/* tls-unique is safe only where the master secret depends on the whole handshake (RFC 7627);
 * TLS 1.3 has none, and there tls-exporter is the default (RFC 9266). */
int tls_session_binding(const struct tls_session *s, bool exporter, struct buf *out) {
	bool tls13 = gnutls_protocol_get_version(s->gnutls) >= GNUTLS_TLS1_3;
	gnutls_datum_t bytes = { .data = NULL };

	if (!s->established || exporter != tls13 ||
	    (!tls13 && !gnutls_session_ext_master_secret_status(s->gnutls)))
		return -1;
	if (gnutls_session_channel_binding(s->gnutls,
					   exporter ? GNUTLS_CB_TLS_EXPORTER
						    : GNUTLS_CB_TLS_UNIQUE,
					   &bytes) != 0)
		return -1;
	int r = buf_addm(out, bytes.data, bytes.size);
	gnutls_free(bytes.data);
	return r;
}

enum tls_fault tls_session_fault(const struct tls_session *s) {
	return s->info.fault;
}

const struct tls_info *tls_session_info(const struct tls_session *s) {
	return s->established ? &s->info : NULL;
}
