#ifndef NIGHTMAIL_SMTP_AUTH_SESSION_H
#define NIGHTMAIL_SMTP_AUTH_SESSION_H

/* The end of a libgsasl session. Inside of auth*.c only. */

#include <gsasl.h>
#include <stdint.h>
#include <string.h>

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

#endif
