#ifndef NIGHTMAIL_NET_TLS_WORDS_H
#define NIGHTMAIL_NET_TLS_WORDS_H

/* Why TLS failed, in words. Inside net/ only. */

#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Appends the reasons for a verification status (gnutls_certificate_status_t) of the peer's
 * chain, as a sentence goes on after "certificate of HOST ": "expired on 2026-01-02, is
 * self-signed". Looks at the chain itself, since the library's texts name no date and no name.
 * Returns the bits of enum tls_reason.
 */
unsigned tls_words_untrusted(struct buf *out, gnutls_session_t session,
			     gnutls_certificate_credentials_t trust, unsigned status,
			     const char *host);

/* Fills err for a handshake that failed with a GnuTLS error code; client: we are the client. */
int tls_words_handshake(gnutls_session_t session, int code, bool client, struct err *err);

#endif
