#ifndef NIGHTMAIL_NET_TLS_DANE_H
#define NIGHTMAIL_NET_TLS_DANE_H

/* A server's chain against TLSA records (RFC 6698, 7671, 7672). Inside net/ only. */

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/tls.h"

enum tls_dane {
	TLS_DANE_EE, /* DANE-EE(3): the certificate or its key is published itself */
	TLS_DANE_TA, /* DANE-TA(2): its issuer is, and name and dates are right */
	TLS_DANE_UNUSABLE, /* no record that SMTP can use (RFC 7672 section 3.1.3) */
	TLS_DANE_MISMATCH
};

/* chain: DER, leaf first. Appends to why, as a sentence goes on after "certificate of HOST ", why
 * there is no match, or why no record is usable. */
enum tls_dane tls_dane_verify(const gnutls_datum_t *chain, unsigned count,
			      const struct tls_policy *policy, const char *host,
			      struct buf *why);
/* SHA-256 of the certificate's SubjectPublicKeyInfo. */
bool tls_dane_key_hash(const gnutls_datum_t *der, uint8_t ret[TLS_HASH_SIZE]);

#endif
