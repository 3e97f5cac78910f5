/*
 * The client side of SASL. libgsasl asks for what a mechanism needs by a callback; the
 * password is handed out there and nowhere else, because only there the number of rounds
 * that a SCRAM server asks for is known before the work begins.
 *
 * libgsasl's own choice of a mechanism knows nothing of TLS or policy: the table of
 * auth_mechanism.c is the order. The channel binding properties are given to -PLUS alone:
 * libgsasl 2.2.0 fails plain SCRAM when it gets one.
 */

#include "smtp/auth.h"

#include <gsasl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/codec.h"
#include "smtp/auth_mechanism.h"
#include "smtp/auth_session.h"
#include "smtp/syntax.h"

#define ITERATIONS_MAX 1000000

struct smtp_auth {
	Gsasl *lib;
	Gsasl_session *session; /* NULL: none, or a mechanism that is ours */
	const struct auth_mechanism *mechanism;
	char *login, *secret, *host, *only; /* secret and only may be NULL */
	bool token;
	unsigned port;
	smtp_auth_binding_fn *binding;
	void *binding_ctx;
	unsigned steps;
	bool satisfied;    /* nothing more is to be said */
	uint64_t too_many; /* rounds the server asked for, when over ITERATIONS_MAX */
};

static int give_password(struct smtp_auth *a, Gsasl_session *session) {
	const char *text = gsasl_property_fast(session, GSASL_SCRAM_ITER);
	uint64_t rounds = 0;
	if (text && (!span_uint(span_str(text), UINT64_MAX, &rounds) ||
		     rounds > ITERATIONS_MAX)) {
		a->too_many = rounds ? rounds : UINT64_MAX;
		return GSASL_NO_CALLBACK;
	}
	return a->secret ? gsasl_property_set(session, GSASL_PASSWORD, a->secret)
			 : GSASL_NO_CALLBACK;
}

static int on_property(Gsasl *lib, Gsasl_session *session, Gsasl_property property) {
	struct smtp_auth *a = gsasl_callback_hook_get(lib);
	if (property == GSASL_AUTHID)
		return gsasl_property_set(session, property, a->login);
	if (property == GSASL_PASSWORD)
		return give_password(a, session);
	if (property == GSASL_SERVICE)
		return gsasl_property_set(session, property, "smtp");
	if (property == GSASL_HOSTNAME)
		return gsasl_property_set(session, property, a->host);
	if (a->mechanism && a->mechanism->binds)
		return smtp_auth_session_bind(session, property, a->binding,
					      a->binding_ctx);
	return GSASL_NO_CALLBACK;
}

static void finish_session(struct smtp_auth *a) {
	smtp_auth_session_finish(a->session);
	a->session = NULL;
}

int smtp_auth_check_only(const char *only, struct err *err) {
	struct span list = span_str(only), word;
	while (span_take_word(&list, &word))
		if (!auth_mechanism_find(word))
			return err_set(err, ERR_SYNTAX, "mechanism '%.*s' is unknown",
				       (int)(word.len < 40 ? word.len : 40), word.p);
	return 0;
}

bool smtp_auth_needs_no_secret(struct span mechanism) {
	const struct auth_mechanism *m = auth_mechanism_find(mechanism);
	return m && m->needs == AUTH_NEEDS_NOTHING;
}

const char *smtp_auth_best(const char *offered, const char *only) {
	const struct auth_mechanism *m;
	for (size_t i = 0; (m = auth_mechanism_at(i)) != NULL; i++)
		if (m->needs == AUTH_NEEDS_PASSWORD && smtp_list_has(offered, span_str(m->name)) &&
		    (!only || smtp_list_has(only, span_str(m->name))))
			return m->name;
	return NULL;
}

static size_t rank(struct span name) {
	const struct auth_mechanism *m;
	size_t i = 0;
	while ((m = auth_mechanism_at(i)) != NULL && !span_eq_nocase(name, span_str(m->name)))
		i++;
	return i;
}

bool smtp_auth_is_weaker(struct span a, struct span b) {
	return rank(a) > rank(b);
}

struct smtp_auth *smtp_auth_new(const struct smtp_auth_options *o, struct err *err) {
	if (span_find(o->secret, '\0') < o->secret.len) {
		err_set(err, ERR_SYNTAX, "the password holds a NUL byte");
		return NULL;
	}
	if (o->only && smtp_auth_check_only(o->only, err) < 0)
		return NULL;
	struct smtp_auth *a = calloc(1, sizeof *a);
	if (!a)
		goto memory;
	a->login = strdup(o->login ? o->login : "");
	a->secret = o->secret.p ? span_dup(o->secret) : NULL;
	a->host = strdup(o->host ? o->host : "");
	a->only = o->only ? strdup(o->only) : NULL;
	a->token = o->token;
	a->port = o->port;
	a->binding = o->binding;
	a->binding_ctx = o->binding_ctx;
	if (!a->login || (o->secret.p && !a->secret) || !a->host || (o->only && !a->only))
		goto memory;
	if (gsasl_init(&a->lib) != GSASL_OK)
		goto memory;
	gsasl_callback_set(a->lib, on_property);
	gsasl_callback_hook_set(a->lib, a);
	return a;
memory:
	smtp_auth_free(a);
	err_set(err, ERR_MEMORY, "out of memory");
	return NULL;
}

void smtp_auth_free(struct smtp_auth *a) {
	if (!a)
		return;
	finish_session(a);
	if (a->lib)
		gsasl_done(a->lib);
	if (a->secret)
		explicit_bzero(a->secret, strlen(a->secret));
	free(a->secret);
	free(a->login);
	free(a->host);
	free(a->only);
	free(a);
}

/* True when what it needs is there. */
static bool fits(const struct smtp_auth *a, const struct auth_mechanism *m) {
	AUTO_BUF struct buf bytes = BUF_INIT(1024);
	if (m->binds && (!a->binding ||
			 (a->binding(a->binding_ctx, SMTP_AUTH_TLS_EXPORTER, &bytes) != 0 &&
			  a->binding(a->binding_ctx, SMTP_AUTH_TLS_UNIQUE, &bytes) != 0)))
		return false;
	switch (m->needs) {
	case AUTH_NEEDS_PASSWORD:
		return a->secret && !a->token;
	case AUTH_NEEDS_TOKEN:
		return a->secret && a->token;
	case AUTH_NEEDS_NOTHING:
		break;
	}
	return true;
}

static bool usable(const struct smtp_auth *a, const struct auth_mechanism *m,
		   const char *offered, bool tls) {
	return smtp_list_has(offered, span_str(m->name)) && (tls || !m->shows_secret) &&
	       fits(a, m);
}

static const struct auth_mechanism *pick(const struct smtp_auth *a, const char *offered,
					 bool tls) {
	struct span list = span_str(a->only), word;
	const struct auth_mechanism *m;
	while (span_take_word(&list, &word))
		if ((m = auth_mechanism_find(word)) != NULL && usable(a, m, offered, tls))
			return m;
	for (size_t i = 0; !a->only && (m = auth_mechanism_at(i)) != NULL; i++)
		if (m->needs != AUTH_NEEDS_NOTHING && usable(a, m, offered, tls))
			return m;
	return NULL;
}

static bool is_utf8(const char *text) {
	struct span s = span_str(text);
	uint32_t cp;
	while (span_take_utf8(&s, &cp))
		;
	return s.len == 0;
}

/* Why none of the offered mechanisms will do. */
static void say_none(const struct smtp_auth *a, const char *offered, bool tls,
		     struct err *err) {
	if (!offered[0])
		err_set(err, ERR_REMOTE, "the server does not offer AUTH%s",
			tls ? "" : " without TLS");
	else if (!tls && pick(a, offered, true))
		err_set(err, ERR_DENIED,
			"the server's mechanisms (%.100s) would show the %s: they need TLS",
			offered, a->token ? "token" : "password");
	else
		err_set(err, ERR_REMOTE, "none of the server's mechanisms (%.100s) %s",
			offered,
			a->only	   ? "is allowed here"
			: a->token ? "takes an OAuth 2.0 token"
				   : "is known here");
}

static const char *choose(void *ctx, const char *offered, bool tls, struct err *err) {
	struct smtp_auth *a = ctx;
	finish_session(a);
	a->satisfied = false;
	a->too_many = 0;
	a->steps = 0;
	a->mechanism = pick(a, offered, tls);
	const struct auth_mechanism *m = a->mechanism;
	if (!m)
		say_none(a, offered, tls, err);
	else if (m->utf8 && !(is_utf8(a->login) && (!a->secret || is_utf8(a->secret))))
		err_set(err, ERR_SYNTAX, "%s: login or password is not valid UTF-8", m->name);
	else if (m->needs != AUTH_NEEDS_TOKEN &&
		 gsasl_client_start(a->lib, m->name, &a->session) != GSASL_OK)
		err_set(err, ERR_MISSING, "libgsasl has no %s", m->name);
	else
		return m->name;
	return NULL;
}

/* Words for a step that failed; never the server's bytes, never the password. */
static int step_failed(const struct smtp_auth *a, int code, struct err *err) {
	const char *name = a->mechanism->name;
	if (a->too_many)
		return err_set(err, ERR_LIMIT,
			       "%s: the server asks for %" PRIu64
			       " rounds, at most %d are done",
			       name, a->too_many, ITERATIONS_MAX);
	if (code == GSASL_SASLPREP_ERROR)
		return err_set(err, ERR_SYNTAX,
			       "%s: login or password has forbidden characters", name);
	return err_set(err, ERR_REMOTE, "%s: %s", name, gsasl_strerror(code));
}

/* One message of ours; then the server may say in one challenge why not, and refuses. */
static int token_step(struct smtp_auth *a, struct buf *response, struct err *err) {
	int r = a->steps == 0 ? auth_token_message(a->mechanism, a->login, a->secret, a->host,
						   a->port, response)
			      : buf_add(response, auth_token_farewell(a->mechanism));
	if (r != 0 || a->steps > 1)
		return err_set(err, ERR_LIMIT, "%s: %s", a->mechanism->name,
			       r != 0 ? "the token is too long"
				      : "the server asks for more than there is");
	a->satisfied = a->steps++ == 0;
	return 0;
}

static int gsasl_answer(struct smtp_auth *a, struct span challenge, struct buf *response,
			struct err *err) {
	AUTO_FREE char *out = NULL;
	size_t len = 0;
	int code = gsasl_step(a->session, challenge.p, challenge.len, &out, &len);
	if (code != GSASL_OK && code != GSASL_NEEDS_MORE)
		return step_failed(a, code, err);
	a->satisfied = code == GSASL_OK;
	int r = buf_addm(response, out, len);
	if (out)
		explicit_bzero(out, len);
	return r < 0 ? err_set(err, ERR_LIMIT, "%s: response too long", a->mechanism->name)
		     : 0;
}

static int step(void *ctx, struct span challenge, struct buf *response, bool *ret_has,
		struct err *err) {
	struct smtp_auth *a = ctx;
	*ret_has = challenge.p || a->mechanism->client_first;
	if (!*ret_has)
		return 0;
	if (a->mechanism->needs == AUTH_NEEDS_TOKEN)
		return token_step(a, response, err);
	if (a->satisfied)
		return err_set(err, ERR_REMOTE,
			       "%s: the server asks for more than there is",
			       a->mechanism->name);
	return gsasl_answer(a, challenge, response, err);
}

static int finish(void *ctx, struct err *err) {
	struct smtp_auth *a = ctx;
	bool satisfied = a->satisfied;
	finish_session(a);
	if (!satisfied)
		return err_set(err, ERR_DENIED,
			       "%s: the server accepted before it proved that it "
			       "knows the password",
			       a->mechanism->name);
	return 0;
}

const struct smtp_auth_ops smtp_auth_client_ops = { choose, step, finish };
