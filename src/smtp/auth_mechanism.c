/*
 * The client's mechanisms, best first, and the messages of those that carry an OAuth 2.0 token:
 * one line each, key and value joined by ^A, so that libgsasl is not missed.
 */

#include "smtp/auth_mechanism.h"

#include <string.h>

static const struct auth_mechanism mechanisms[] = {
	{ "SCRAM-SHA-256-PLUS", AUTH_NEEDS_PASSWORD, false, true, true, true },
	{ "SCRAM-SHA-1-PLUS", AUTH_NEEDS_PASSWORD, false, true, true, true },
	{ "SCRAM-SHA-256", AUTH_NEEDS_PASSWORD, false, true, false, true },
	{ "SCRAM-SHA-1", AUTH_NEEDS_PASSWORD, false, true, false, true },
	{ "CRAM-MD5", AUTH_NEEDS_PASSWORD, false, false, false, true },
	{ "PLAIN", AUTH_NEEDS_PASSWORD, true, true, false, false },
	{ "LOGIN", AUTH_NEEDS_PASSWORD, true, false, false, false },
	{ "OAUTHBEARER", AUTH_NEEDS_TOKEN, true, true, false, true },
	{ "XOAUTH2", AUTH_NEEDS_TOKEN, true, true, false, true },
	{ "EXTERNAL", AUTH_NEEDS_NOTHING, false, true, false, true },
	{ "GSSAPI", AUTH_NEEDS_NOTHING, false, true, false, true },
};
#define MECHANISM_COUNT (sizeof mechanisms / sizeof mechanisms[0])

const struct auth_mechanism *auth_mechanism_at(size_t i) {
	return i < MECHANISM_COUNT ? &mechanisms[i] : NULL;
}

const struct auth_mechanism *auth_mechanism_find(struct span name) {
	for (size_t i = 0; i < MECHANISM_COUNT; i++)
		if (span_eq_nocase(name, span_str(mechanisms[i].name)))
			return &mechanisms[i];
	return NULL;
}

static bool is_xoauth2(const struct auth_mechanism *m) {
	return strcmp(m->name, "XOAUTH2") == 0;
}

/* saslname (RFC 5801 section 4): the comma and the equals sign mean something there. */
static void add_saslname(struct buf *out, const char *login) {
	for (; *login; login++) {
		if (*login == ',')
			buf_adds(out, "=2C");
		else if (*login == '=')
			buf_adds(out, "=3D");
		else
			buf_addc(out, *login);
	}
}

int auth_token_message(const struct auth_mechanism *m, const char *login, const char *token,
		       const char *host, unsigned port, struct buf *out) {
	if (is_xoauth2(m)) {
		buf_addf(out, "user=%s\1auth=Bearer ", login);
	} else {
		buf_adds(out, "n,a=");
		add_saslname(out, login);
		buf_addf(out, ",\1host=%s\1port=%u\1auth=Bearer ", host, port);
	}
	buf_adds(out, token);
	return buf_adds(out, "\1\1");
}

struct span auth_token_farewell(const struct auth_mechanism *m) {
	return is_xoauth2(m) ? SPAN("") : SPAN("\1");
}
