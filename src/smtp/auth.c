/*
 * The client side of SASL. libgsasl asks for what a mechanism needs by a callback; the
 * password is handed out there and nowhere else, because only there the number of rounds
 * that a SCRAM server asks for is known before the work begins.
 *
 * libgsasl's own choice of a mechanism knows nothing of TLS or policy: the table below is
 * the order. The channel binding properties are never given: libgsasl 2.2.0 fails plain
 * SCRAM when it gets one.
 */

#include "smtp/auth.h"

#include <gsasl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "smtp/auth_session.h"
#include "smtp/syntax.h"

#define ITERATIONS_MAX 1000000

static const struct mechanism {
	const char *name;
	bool shows_password;
	bool client_first;
} mechanisms[] = {
	{ "SCRAM-SHA-256", false, true }, { "SCRAM-SHA-1", false, true },
	{ "CRAM-MD5", false, false },     { "PLAIN", true, true },
	{ "LOGIN", true, false },
};
#define MECHANISM_COUNT (sizeof mechanisms / sizeof mechanisms[0])

struct smtp_auth {
	Gsasl *lib;
	Gsasl_session *session;
	const struct mechanism *mechanism;
	char *login, *password, *host, *only;
	bool satisfied;    /* the last step returned GSASL_OK */
	uint64_t too_many; /* rounds the server asked for, when over ITERATIONS_MAX */
};

static const struct mechanism *find(struct span name) {
	for (size_t i = 0; i < MECHANISM_COUNT; i++)
		if (span_eq_nocase(name, span_str(mechanisms[i].name)))
			return &mechanisms[i];
	return NULL;
}

static int give_password(struct smtp_auth *a, Gsasl_session *session) {
	const char *text = gsasl_property_fast(session, GSASL_SCRAM_ITER);
	uint64_t rounds = 0;
	if (text && (!span_uint(span_str(text), UINT64_MAX, &rounds) ||
		     rounds > ITERATIONS_MAX)) {
		a->too_many = rounds ? rounds : UINT64_MAX;
		return GSASL_NO_CALLBACK;
	}
	return gsasl_property_set(session, GSASL_PASSWORD, a->password);
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
	return GSASL_NO_CALLBACK;
}

static void finish_session(struct smtp_auth *a) {
	smtp_auth_session_finish(a->session);
	a->session = NULL;
}

static int check_only(const char *only, struct err *err) {
	struct span list = span_str(only), word;
	while (span_take_word(&list, &word))
		if (!find(word))
			return err_set(err, ERR_SYNTAX, "mechanism '%.*s' is unknown",
				       (int)(word.len < 40 ? word.len : 40), word.p);
	return 0;
}

struct smtp_auth *smtp_auth_new(const char *login, struct span password, const char *only,
				const char *host, struct err *err) {
	if (span_find(password, '\0') < password.len) {
		err_set(err, ERR_SYNTAX, "the password holds a NUL byte");
		return NULL;
	}
	if (only && check_only(only, err) < 0)
		return NULL;
	struct smtp_auth *a = calloc(1, sizeof *a);
	if (!a)
		goto memory;
	a->login = strdup(login);
	a->password = span_dup(password);
	a->host = strdup(host ? host : "");
	a->only = only ? strdup(only) : NULL;
	if (!a->login || !a->password || !a->host || (only && !a->only))
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
	if (a->password)
		explicit_bzero(a->password, strlen(a->password));
	free(a->password);
	free(a->login);
	free(a->host);
	free(a->only);
	free(a);
}

static bool usable(const struct mechanism *m, const char *offered, bool tls) {
	return smtp_list_has(offered, span_str(m->name)) && (tls || !m->shows_password);
}

static const struct mechanism *pick(const struct smtp_auth *a, const char *offered,
				    bool tls) {
	struct span list = span_str(a->only), word;
	while (span_take_word(&list, &word)) {
		const struct mechanism *m = find(word);
		if (m && usable(m, offered, tls))
			return m;
	}
	for (size_t i = 0; !a->only && i < MECHANISM_COUNT; i++)
		if (usable(&mechanisms[i], offered, tls))
			return &mechanisms[i];
	return NULL;
}

static bool is_utf8(const char *text) {
	struct span s = span_str(text);
	uint32_t cp;
	while (span_take_utf8(&s, &cp))
		;
	return s.len == 0;
}

static const char *choose(void *ctx, const char *offered, bool tls, struct err *err) {
	struct smtp_auth *a = ctx;
	finish_session(a);
	a->satisfied = false;
	a->too_many = 0;
	a->mechanism = pick(a, offered, tls);
	if (!offered[0])
		err_set(err, ERR_REMOTE, "the server does not offer AUTH%s",
			tls ? "" : " without TLS");
	else if (!a->mechanism && !tls && pick(a, offered, true))
		err_set(err, ERR_DENIED,
			"the server's mechanisms (%.100s) would show the password: "
			"they need TLS",
			offered);
	else if (!a->mechanism)
		err_set(err, ERR_REMOTE, "none of the server's mechanisms (%.100s) is %s",
			offered, a->only ? "allowed here" : "known here");
	else if (!a->mechanism->shows_password &&
		 !(is_utf8(a->login) && is_utf8(a->password)))
		err_set(err, ERR_SYNTAX, "%s: login or password is not valid UTF-8",
			a->mechanism->name);
	else if (gsasl_client_start(a->lib, a->mechanism->name, &a->session) != GSASL_OK)
		err_set(err, ERR_MISSING, "libgsasl has no %s", a->mechanism->name);
	else
		return a->mechanism->name;
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

static int step(void *ctx, struct span challenge, struct buf *response, bool *ret_has,
		struct err *err) {
	struct smtp_auth *a = ctx;
	if (!challenge.p && !a->mechanism->client_first) {
		*ret_has = false;
		return 0;
	}
	if (a->satisfied)
		return err_set(err, ERR_REMOTE,
			       "%s: the server asks for more than there is",
			       a->mechanism->name);
	AUTO_FREE char *out = NULL;
	size_t len = 0;
	int code = gsasl_step(a->session, challenge.p, challenge.len, &out, &len);
	if (code != GSASL_OK && code != GSASL_NEEDS_MORE)
		return step_failed(a, code, err);
	a->satisfied = code == GSASL_OK;
	*ret_has = true;
	int r = buf_addm(response, out, len);
	if (out)
		explicit_bzero(out, len);
	return r < 0 ? err_set(err, ERR_LIMIT, "%s: response too long",
			       a->mechanism->name)
		     : 0;
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
