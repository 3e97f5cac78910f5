/*
 * The server side of SASL by libgsasl, for a table of users: those of the listener, or the one
 * that the sink accepts and the client's tests talk to.
 *
 * Somebody who is not in the table costs as much time as somebody who is.
 */

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/codec.h"
#include "smtp/auth.h"
#include "smtp/auth_session.h"
#include "smtp/syntax.h"

#define KEY_MAX 64

struct smtp_auth_server {
	Gsasl *lib;
	Gsasl_session *session;
	const struct smtp_auth_users *users;
	struct smtp_auth_users own; /* the one login of smtp_auth_server_new() */
	bool server_first, begun, done;
	smtp_auth_binding_fn *binding;
	void *binding_ctx;
};

void smtp_auth_server_bind(struct smtp_auth_server *a, smtp_auth_binding_fn *fn, void *ctx) {
	a->binding = fn;
	a->binding_ctx = ctx;
}

const char *smtp_auth_server_mechanisms(bool tls) {
	return tls ? "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 "
		     "PLAIN LOGIN"
		   : "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5";
}

const char *smtp_auth_server_login(const struct smtp_auth_server *a) {
	return gsasl_property_fast(a->session, GSASL_AUTHID);
}

/* Nobody may act for somebody else. NULL: nobody we know. */
static const struct smtp_auth_user *who(const struct smtp_auth_server *a,
					Gsasl_session *session) {
	const char *other = gsasl_property_fast(session, GSASL_AUTHZID);
	const char *login = gsasl_property_fast(session, GSASL_AUTHID);
	if (other && other[0] && (!login || strcmp(other, login) != 0))
		return NULL;
	return smtp_auth_users_find(a->users, login);
}

static bool same(const char *x, const char *y, size_t len) {
	unsigned char differ = 0;
	for (size_t i = 0; i < len; i++)
		differ |= (unsigned char)(x[i] ^ y[i]);
	return differ == 0;
}

/* Derives the stored key from the password, and compares. */
static bool keys_fit(const struct smtp_auth_keys *keys, size_t hash, const char *password) {
	static const Gsasl_hash which[] = { [SMTP_AUTH_SHA1] = GSASL_HASH_SHA1,
					    [SMTP_AUTH_SHA256] = GSASL_HASH_SHA256 };
	AUTO_BUF struct buf salt = BUF_INIT(1024), stored = BUF_INIT(KEY_MAX);
	char salted[KEY_MAX], client[KEY_MAX], server[KEY_MAX], derived[KEY_MAX];
	AUTO_FREE char *prepared = NULL;
	uint64_t count;
	if (!span_uint(span_str(keys->count), UINT32_MAX, &count) ||
	    codec_base64_decode(&salt, span_str(keys->salt)) != 0 ||
	    codec_base64_decode(&stored, span_str(keys->stored)) != 0 ||
	    gsasl_saslprep(password, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
		return false;
	bool fit = gsasl_scram_secrets_from_password(which[hash], prepared, (unsigned)count,
						     salt.data, salt.len, salted, client, server,
						     derived) == GSASL_OK &&
		   same(derived, stored.data, stored.len);
	explicit_bzero(prepared, strlen(prepared));
	explicit_bzero(salted, sizeof salted);
	explicit_bzero(client, sizeof client);
	explicit_bzero(server, sizeof server);
	explicit_bzero(derived, sizeof derived);
	return fit;
}

static bool password_fits(const struct smtp_auth_user *user, const char *password) {
	size_t len = strlen(password);
	if (user->password)
		return strlen(user->password) == len && same(user->password, password, len);
	size_t hash = user->keys[SMTP_AUTH_SHA256].count[0] ? SMTP_AUTH_SHA256 : SMTP_AUTH_SHA1;
	return keys_fit(&user->keys[hash], hash, password);
}

static int check_simple(const struct smtp_auth_server *a, Gsasl_session *session) {
	const struct smtp_auth_user *user = who(a, session);
	const char *password = gsasl_property_fast(session, GSASL_PASSWORD);
	if (!password || a->users->count == 0)
		return GSASL_AUTHENTICATION_ERROR;
	bool fits = password_fits(user ? user : &a->users->user[0], password);
	return user && fits ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
}

/* What SCRAM needs of a user whose password we do not have. */
static int scram_key(const struct smtp_auth_server *a, Gsasl_session *session,
		     Gsasl_property property) {
	const struct smtp_auth_user *user = who(a, session);
	bool sha1 = span_starts(span_str(gsasl_mechanism_name(session)),
				SPAN("SCRAM-SHA-1"));
	const struct smtp_auth_keys *keys =
		user ? &user->keys[sha1 ? SMTP_AUTH_SHA1 : SMTP_AUTH_SHA256] : NULL;
	if (!keys || user->password || !keys->count[0])
		return property == GSASL_SCRAM_ITER
			       ? gsasl_property_set(session, property, "4096")
			       : GSASL_NO_CALLBACK;
	const char *value = property == GSASL_SCRAM_ITER	? keys->count
			    : property == GSASL_SCRAM_SALT	? keys->salt
			    : property == GSASL_SCRAM_STOREDKEY ? keys->stored
								: keys->server;
	return gsasl_property_set(session, property, value);
}

static int on_property(Gsasl *lib, Gsasl_session *session, Gsasl_property property) {
	struct smtp_auth_server *a = gsasl_callback_hook_get(lib);
	if (property == GSASL_VALIDATE_SIMPLE)
		return check_simple(a, session);
	if (property == GSASL_PASSWORD) {
		const struct smtp_auth_user *user = who(a, session);
		if (!user || !user->password)
			return GSASL_AUTHENTICATION_ERROR;
		return gsasl_property_set(session, property, user->password);
	}
	if (property == GSASL_SCRAM_ITER || property == GSASL_SCRAM_SALT ||
	    property == GSASL_SCRAM_STOREDKEY || property == GSASL_SCRAM_SERVERKEY)
		return scram_key(a, session, property);
	if (property == GSASL_SERVICE)
		return gsasl_property_set(session, property, "smtp");
	if (property == GSASL_HOSTNAME)
		return gsasl_property_set(session, property, "localhost");
	if (span_ends_nocase(span_str(gsasl_mechanism_name(session)), SPAN("-PLUS")))
		return smtp_auth_session_bind(session, property, a->binding,
					      a->binding_ctx);
	return GSASL_NO_CALLBACK;
}

static struct smtp_auth_server *start(struct smtp_auth_server *a, const char *mechanism,
				      struct err *err) {
	if (gsasl_init(&a->lib) == GSASL_OK) {
		gsasl_callback_set(a->lib, on_property);
		gsasl_callback_hook_set(a->lib, a);
		a->server_first = smtp_list_has("LOGIN CRAM-MD5", span_str(mechanism));
		if (gsasl_server_start(a->lib, mechanism, &a->session) == GSASL_OK)
			return a;
	}
	smtp_auth_server_free(a);
	err_set(err, ERR_MEMORY, "cannot start %s", mechanism);
	return NULL;
}

struct smtp_auth_server *smtp_auth_server_for(const char *mechanism,
					      const struct smtp_auth_users *users,
					      struct err *err) {
	struct smtp_auth_server *a = calloc(1, sizeof *a);
	if (!a) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	a->users = users;
	return start(a, mechanism, err);
}

struct smtp_auth_server *smtp_auth_server_new(const char *mechanism, const char *login,
					      const char *password, struct err *err) {
	if (!smtp_list_has(smtp_auth_server_mechanisms(true), span_str(mechanism))) {
		err_set(err, ERR_MISSING, "mechanism '%.40s' is unknown", mechanism);
		return NULL;
	}
	struct smtp_auth_server *a = calloc(1, sizeof *a);
	struct smtp_auth_user *user = a ? calloc(1, sizeof *user) : NULL;
	if (user) {
		*user = (struct smtp_auth_user){ .login = strdup(login),
						 .password = strdup(password) };
		a->own = (struct smtp_auth_users){ user, 1 };
		a->users = &a->own;
		if (user->login && user->password)
			return start(a, mechanism, err);
	}
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
	smtp_auth_users_release(&a->own);
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
