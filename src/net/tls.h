#ifndef NIGHTMAIL_NET_TLS_H
#define NIGHTMAIL_NET_TLS_H

/*
 * TLS by GnuTLS: 1.2 and newer, certificates verified, fails closed. The CA bundle is
 * loaded once a process (tls_client_new) and shared by forked children.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "net/dns.h"

struct tls_client; /* trust anchors and defaults */
struct tls_server; /* certificate and key */
struct tls_cache;  /* sessions to resume (net/tls_cache.h) */

/*
 * ca_file: PEM bundle, or NULL for the system's. Errors say the file and what to do: a file
 * without a certificate and an absent system bundle (ca-certificates not installed) are
 * failures, never an empty trust.
 */
struct tls_client *tls_client_new(const char *ca_file, struct err *err);
void tls_client_free(struct tls_client *t);
/* Shows this certificate to servers that ask for one (PEM files; may be one and the same). */
int tls_client_use(struct tls_client *t, const char *cert_file, const char *key_file,
		   struct err *err);
/* Resumes sessions that are kept there, and keeps those that can be, of policies with a port. The
 * server is verified again each time. The cache outlives the client's sessions. */
void tls_client_resume(struct tls_client *t, struct tls_cache *cache);

#define TLS_PINS_MAX 8
#define TLS_NAMES_MAX 4
#define TLS_HASH_SIZE 32u /* SHA-256 */

/* How a server must prove who it is: by the first of these that there is. */
struct tls_policy {
	/* name (or IP literal) the certificate must match; SNI when a name */
	const char *host;
	/* of the server, for resumption only; 0: a session of its own */
	uint16_t port;
	/* false only for opportunistic TLS: a bad certificate is noted in info */
	bool verify;
	/* SHA-256 of SubjectPublicKeyInfo, one of which the server's key must have; then neither
	 * issuer nor name nor dates matter */
	uint8_t pin[TLS_PINS_MAX][TLS_HASH_SIZE];
	size_t pins;
	/* DANE (RFC 7672): TLSA records that were validated by DNSSEC; unusable ones among them
	 * are passed over, and if all are, no certificate is asked for (section 2.2) */
	const struct dns_tlsa *tlsa;
	size_t tlsa_count;
	/* other names that a certificate below a DANE-TA(2) anchor may have (section 3.2.2) */
	const char *names[TLS_NAMES_MAX];
	/* appended to the priorities of the library, or NULL */
	const char *priority;
	unsigned min_version; /* 12 (also 0) or 13 */
};

/* True for a TLSA record that SMTP can use (RFC 7672 section 3.1): usage 2 or 3, selector 0 or 1,
 * matching type 0, 1 or 2, data of the right length. */
bool tls_tlsa_usable(const struct dns_tlsa *r);
/* Checks the text of `priority`. ERR_SYNTAX. */
int tls_priority_check(const char *priority, struct err *err);

#define TLS_METHOD_SIZE 12

/* Why a server was not accepted, or would not have been: the most telling of its reasons. */
enum tls_fault {
	TLS_FAULT_NONE,
	TLS_FAULT_HANDSHAKE, /* it did not come to the certificate */
	TLS_FAULT_EXPIRED,
	TLS_FAULT_HOST, /* it is for other names */
	TLS_FAULT_ISSUER,
	TLS_FAULT_OTHER /* not pinned, not what TLSA records say, weak ... */
};

/* All of the reasons why the machine's trust did not accept a chain: bits. */
enum tls_reason {
	TLS_REASON_NAME = 1 << 0,
	TLS_REASON_EXPIRED = 1 << 1,
	TLS_REASON_NOT_YET = 1 << 2,
	TLS_REASON_SELF_SIGNED = 1 << 3,
	TLS_REASON_NO_INTERMEDIATE = 1 << 4, /* the server should have sent one more */
	TLS_REASON_ISSUER = 1 << 5,          /* unknown */
	TLS_REASON_WEAK_KEY = 1 << 6,
	TLS_REASON_WEAK_SIGNATURE = 1 << 7,
	TLS_REASON_PURPOSE = 1 << 8,     /* not for servers */
	TLS_REASON_CONSTRAINTS = 1 << 9, /* its CA may not sign it */
	TLS_REASON_NO_STAPLE = 1 << 10,
	TLS_REASON_REVOKED = 1 << 11,
	TLS_REASON_OTHER = 1 << 12
};

struct tls_info {
	char version[16]; /* "TLS1.3" */
	char cipher[64];  /* "TLS_AES_256_GCM_SHA384" or GnuTLS' suite name */
	bool resumed; /* of an earlier connection */
	bool verified;
	/* by what: "pkix", "pin", "dane-ee", "dane-ta"; empty: not verified */
	char method[TLS_METHOD_SIZE];
	char why_not[320]; /* verified is false: the reason in words */
	enum tls_fault fault; /* and in short */
	unsigned reasons;     /* and all of them: of enum tls_reason; 0 unless asked by "pkix" */
	/* the leaf certificate's validity, seconds since 1970, 0 unknown */
	int64_t not_before_s, not_after_s;
};

/*
 * The words for a certificate that is not trusted: every reason, most telling first, e.g.
 * "expired on 2026-01-02", "is for a.example and b.example, not for c.example", "is signed
 * by an unknown issuer (CN=Lab CA)", "is self-signed", "uses a weak key or signature",
 * "is not valid before 2027-01-01", "seems to lack an intermediate
 * certificate in its chain (CN=Lab Issuing CA), which the server must send",
 * "has names that its issuer (CN=Lab CA) may not sign for".
 */

/* Server side: files in PEM. */
struct tls_server *tls_server_new(const char *cert_file, const char *key_file,
				  struct err *err);
void tls_server_free(struct tls_server *t);
/* Lets clients resume sessions, with tickets that hold as long as the object (and its copies in
 * forked children). */
int tls_server_tickets(struct tls_server *t, struct err *err);

/* Makes a throw-away CA and a server certificate signed by it for the names (host names and IP
 * literals), valid `days`; writes ca.pem, cert.pem, key.pem (0600) into the directory. For the
 * sink and for tests. */
int tls_make_test_files(int dirfd, const char *const names[], size_t count, unsigned days,
			struct err *err);

/* Used by conn only. A session object over a connected non-blocking socket. */
struct tls_session;
struct tls_session *tls_session_client(const struct tls_client *t,
				       const struct tls_policy *p, int fd,
				       struct err *err);
struct tls_session *tls_session_server(const struct tls_server *t, int fd,
				       struct err *err);
void tls_session_free(struct tls_session *s, bool say_goodbye);
/* 1: done; 0: wants poll (tls_session_wants); -1 failed. Verification is part of it. */
int tls_session_handshake(struct tls_session *s, struct err *err);
ssize_t tls_session_read(struct tls_session *s, void *p, size_t len, struct err *err);
ssize_t tls_session_write(struct tls_session *s, struct span data, struct err *err);
short tls_session_wants(const struct tls_session *s);
bool tls_session_pending(const struct tls_session *s);
const struct tls_info *tls_session_info(const struct tls_session *s);
/* The fault, also of a session that was not established. */
enum tls_fault tls_session_fault(const struct tls_session *s);
/* Holds the server of an established session against another policy (conn_tls_check()). */
bool tls_session_check(const struct tls_session *s, const struct tls_policy *p,
		       char ret_method[TLS_METHOD_SIZE], struct buf *why);
/* The server's certificates as it sent them (DER, leaf first), at most max. Valid as long as the
 * session. */
size_t tls_session_chain(const struct tls_session *s, struct span *ret, size_t max);
/* Appends what a login can be bound to (conn_tls_binding()). */
int tls_session_binding(const struct tls_session *s, bool exporter, struct buf *out);

#endif
