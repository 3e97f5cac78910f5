/*
 * The server side of SASL for one login and password, by libgsasl: what the sink accepts
 * and what the client's tests talk to.
 */

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "smtp/auth.h"
#include "smtp/auth_session.h"
#include "smtp/syntax.h"

struct smtp_auth_server {
	Gsasl *lib;
	Gsasl_session *session;
	char *login, *password;
	bool server_first, begun, done;
};

const char *smtp_auth_server_mechanisms(bool tls) {
	return tls ? "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN"
		   : "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5";
}

static bool property_is(Gsasl_session *session, Gsasl_property property,
			const char *want) {
	const char *have = gsasl_property_fast(session, property);
	return have && strcmp(have, want) == 0;
}

/* Nobody may act for somebody else. */
static bool right_login(const struct smtp_auth_server *a, Gsasl_session *session) {
	const char *other = gsasl_property_fast(session, GSASL_AUTHZID);
	if (other && other[0] && strcmp(other, a->login) != 0)
		return false;
	return property_is(session, GSASL_AUTHID, a->login);
}

static int on_property(Gsasl *lib, Gsasl_session *session, Gsasl_property property) {
	struct smtp_auth_server *a = gsasl_callback_hook_get(lib);
	if (property == GSASL_VALIDATE_SIMPLE) {
		bool ok = right_login(a, session) &&
			  property_is(session, GSASL_PASSWORD, a->password);
		return ok ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
	}
	if (property == GSASL_PASSWORD) {
		if (!right_login(a, session))
			return GSASL_AUTHENTICATION_ERROR;
		return gsasl_property_set(session, property, a->password);
	}
	if (property == GSASL_SCRAM_ITER)
		return gsasl_property_set(session, property, "4096");
	if (property == GSASL_SERVICE)
		return gsasl_property_set(session, property, "smtp");
	if (property == GSASL_HOSTNAME)
		return gsasl_property_set(session, property, "localhost");
	return GSASL_NO_CALLBACK;
}

struct smtp_auth_server *smtp_auth_server_new(const char *mechanism, const char *login,
					      const char *password, struct err *err) {
	if (!smtp_list_has(smtp_auth_server_mechanisms(true), span_str(mechanism))) {
		err_set(err, ERR_MISSING, "mechanism '%.40s' is unknown", mechanism);
		return NULL;
	}
	struct smtp_auth_server *a = calloc(1, sizeof *a);
	if (!a)
		goto memory;
	a->login = strdup(login);
	a->password = strdup(password);
	if (!a->login || !a->password || gsasl_init(&a->lib) != GSASL_OK)
		goto memory;
	gsasl_callback_set(a->lib, on_property);
	gsasl_callback_hook_set(a->lib, a);
	a->server_first = smtp_list_has("LOGIN CRAM-MD5", span_str(mechanism));
	if (gsasl_server_start(a->lib, mechanism, &a->session) == GSASL_OK)
		return a;
memory:
	smtp_auth_server_free(a);
	err_set(err, ERR_MEMORY, "cannot start %s", mechanism);
	return NULL;
}

void smtp_auth_server_free(struct smtp_auth_server *a) {
	if (!a)
		return;
	smtp_auth_session_finish(a->session);
	if (a->lib)
		gsasl_done(a->lib);
	if (a->password)
		explicit_bzero(a->password, strlen(a->password));
	free(a->password);
	free(a->login);
	free(a);
}

static int step(struct smtp_auth_server *a, struct span response, struct buf *challenge) {
	AUTO_FREE char *out = NULL;
	size_t len = 0;
	int code = gsasl_step(a->session, response.p, response.len, &out, &len);
	if (code != GSASL_OK && code != GSASL_NEEDS_MORE)
		return -1;
	if (buf_addm(challenge, out, len) < 0)
		return -1;
	a->done = code == GSASL_OK;
	/* SCRAM's proof goes to the client as one more challenge (RFC 4954 section 4). */
	return a->done && len == 0;
}

int smtp_auth_server_step(struct smtp_auth_server *a, struct span response,
			  struct buf *challenge) {
	bool first = !a->begun;
	a->begun = true;
	if (a->done)
		return response.len == 0 ? 1 : -1;
	if (first && a->server_first && response.p) {
		/* "AUTH LOGIN <login>": the answer to a prompt that need not be sent. */
		struct span none = { NULL, 0 };
		if (step(a, none, challenge) != 0)
			return -1;
		buf_reset(challenge);
	}
	return step(a, response, challenge);
}
