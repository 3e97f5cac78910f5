#ifndef NIGHTMAIL_SMTP_AUTH_SESSION_H
#define NIGHTMAIL_SMTP_AUTH_SESSION_H

/* What client and server do alike with a libgsasl session. Inside of auth*.c only. */

#include <gsasl.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/codec.h"
#include "smtp/auth.h"

/* libgsasl frees its copies of the password, and of what serves instead of it, without
 * wiping them. NULL is fine. */
static inline void smtp_auth_session_finish(Gsasl_session *session) {
	static const Gsasl_property secrets[] = { GSASL_PASSWORD,
						  GSASL_SCRAM_SALTED_PASSWORD,
						  GSASL_SCRAM_SERVERKEY,
						  GSASL_SCRAM_STOREDKEY };
	if (!session)
		return;
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		const char *copy = gsasl_property_fast(session, secrets[i]);
		if (copy)
			explicit_bzero((void *)(uintptr_t)copy, strlen(copy));
	}
	gsasl_finish(session);
}

/* Answers libgsasl's question for a channel binding, in base64 as it wants it. */
static inline int smtp_auth_session_bind(Gsasl_session *session, Gsasl_property property,
					 smtp_auth_binding_fn *binding, void *ctx) {
	AUTO_BUF struct buf bytes = BUF_INIT(1024), text = BUF_INIT(2048);
	if (!binding ||
	    (property != GSASL_CB_TLS_EXPORTER && property != GSASL_CB_TLS_UNIQUE))
		return GSASL_NO_CALLBACK;
	if (binding(ctx,
		    property == GSASL_CB_TLS_EXPORTER ? SMTP_AUTH_TLS_EXPORTER
						      : SMTP_AUTH_TLS_UNIQUE,
		    &bytes) != 0 ||
	    codec_base64_add(&text, buf_span(&bytes)) != 0)
		return GSASL_NO_CALLBACK;
	return gsasl_property_set(session, property, buf_str(&text));
}

#endif
