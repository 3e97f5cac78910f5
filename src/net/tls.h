#ifndef NIGHTMAIL_NET_TLS_H
#define NIGHTMAIL_NET_TLS_H

/*
 * TLS by GnuTLS: 1.2 and newer, certificates verified, fails closed. The CA bundle is
 * loaded once a process (tls_client_new) and shared by forked children.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct tls_client; /* trust anchors and defaults */
struct tls_server; /* certificate and key */

/*
 * ca_file: PEM bundle, or NULL for the system's. Errors say the file and what to do: a file
 * without a certificate and an absent system bundle (ca-certificates not installed) are
 * failures, never an empty trust.
 */
struct tls_client *tls_client_new(const char *ca_file, struct err *err);
void tls_client_free(struct tls_client *t);

struct tls_policy {
	const char *
		host; /* name (or IP literal) the certificate must match; SNI when a name */
	bool verify; /* false only for opportunistic TLS: a bad certificate is noted in info */
};

struct tls_info {
	char version[16]; /* "TLS1.3" */
	char cipher[64];  /* "TLS_AES_256_GCM_SHA384" or GnuTLS' suite name */
	bool verified;
	char why_not[160]; /* verified is false: the reason in words */
	int64_t not_after_s; /* end of the leaf certificate's validity, seconds since 1970, 0 unknown */
};

/*
 * The words for a certificate that is not trusted: every reason, most telling first, e.g.
 * "expired on 2026-01-02", "is for a.example and b.example, not for c.example", "is signed
 * by an unknown issuer (CN=Lab CA)", "is self-signed", "uses a weak key or signature",
 * "is not valid before 2027-01-01", "seems to lack an intermediate
 * certificate in its chain (CN=Lab Issuing CA), which the server must send".
 */

/* Server side: files in PEM. */
struct tls_server *tls_server_new(const char *cert_file, const char *key_file,
				  struct err *err);
void tls_server_free(struct tls_server *t);

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

#endif
