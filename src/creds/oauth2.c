/*
 * Tokens, and how they are refreshed. What a token server says is foreign: its words
 * are made safe and cut before they get into an error, and no error holds a token.
 */

#include "creds/oauth2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/term.h"

#define ANSWER_MAX (64u << 10)
#define HTTP_MS 30000
#define LIFE_S 1800 /* of a token whose server does not say */
#define LIFE_MAX_S (366 * 86400)
#define AHEAD_S 300
#define GRANT_MAX_S (20 * 366 * (int64_t)86400)

const char *oauth2_text(const struct json_t *o, const char *key) {
	const char *text = json_string_value(json_object_get(o, key));
	return text ? text : "";
}

/* A token goes into a line of SMTP and a header of HTTP. */
static bool is_token(const char *text) {
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return n <= OAUTH2_TOKEN_MAX;
}

int oauth2_parse(struct span json, struct oauth2_tokens *ret, struct err *err) {
	json_t *o = json_loadb(json.p, json.len, JSON_REJECT_DUPLICATES, NULL);
	struct oauth2_tokens t = { .relay = NULL };
	bool whole = json_is_object(o);
	const char *key;
	char **text;
	for (size_t i = 0; whole && (text = oauth2_member(&t, i, &key)) != NULL; i++) {
		*text = strdup(oauth2_text(o, key));
		whole = *text != NULL;
	}
	t.expires = json_integer_value(json_object_get(o, "expires"));
	t.refresh_at = json_integer_value(json_object_get(o, "refresh_at"));
	t.grant_from = json_integer_value(json_object_get(o, "grant_from"));
	t.grant_until = json_integer_value(json_object_get(o, "grant_until"));
	json_decref(o);
	if (whole && t.token_url[0] && is_token(t.access) && is_token(t.refresh)) {
		*ret = t;
		return 0;
	}
	oauth2_release(&t);
	return err_set(err, ERR_SYNTAX, "these are no tokens that nightmail login has written");
}

/* --- the token server --- */

void oauth2_form_add(struct buf *out, const char *key, struct span value) {
	buf_addf(out, "%s%s=", out->len > 0 ? "&" : "", key);
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		if (span_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~')
			buf_addc(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}

int oauth2_post(const char *url, const char *ca, struct span form, int *ret_status,
		struct json_t **ret, struct err *err) {
	const struct http_request r = {
		.method = SPAN("POST"),
		.url = span_str(url),
		.header = { SPAN("Content-Type: application/x-www-form-urlencoded"),
			    SPAN("Accept: application/json") },
		.header_count = 2,
		.ca = span_str(ca ? ca : ""),
		.timeout_ms = HTTP_MS,
		.max = ANSWER_MAX,
		.body = form,
	};
	struct http_answer a;
	*ret = NULL;
	if (http_run(&r, &a, err) != 0)
		return err_prefix(err, "%.100s", url);
	if (a.status == 0) {
		err_set(err, a.error.kind, "%.100s: %s", url, a.error.msg);
		http_answer_release(&a);
		return -1;
	}
	*ret_status = a.status;
	*ret = json_loadb(a.body.p ? a.body.p : "", a.body.len, 0, NULL);
	http_answer_release(&a);
	if (json_is_object(*ret))
		return 0;
	json_decref(*ret);
	*ret = NULL;
	return err_set(err, ERR_REMOTE, "%.100s: status %d, and no answer of a token server", url,
		       *ret_status);
}

/* 0: it does not say. */
static int64_t life_of(const json_t *answer, const char *key, int64_t max) {
	const json_t *v = json_object_get(answer, key);
	uint64_t n = 0;
	if (json_is_integer(v) && json_integer_value(v) > 0)
		n = (uint64_t)json_integer_value(v);
	else if (json_is_string(v) &&
		 !span_uint(span_str(json_string_value(v)), (uint64_t)max, &n))
		n = 0;
	return n > (uint64_t)max ? max : (int64_t)n;
}

/* How long the refresh token holds, by the names that servers have for it. A new one without a
 * word holds as long as nobody knows. */
static void take_grant(struct oauth2_tokens *t, const json_t *answer, bool is_new, int64_t now) {
	int64_t life = life_of(answer, "refresh_token_expires_in", GRANT_MAX_S);
	if (life == 0)
		life = life_of(answer, "refresh_expires_in", GRANT_MAX_S);
	if (life == 0 && !is_new)
		return;
	if (is_new || t->grant_from == 0 || life == 0)
		t->grant_from = life > 0 ? now : 0;
	t->grant_until = life > 0 ? now + life : 0;
}

static int replace(char **member, const char *text, struct err *err) {
	char *copy = strdup(text);
	if (!copy)
		return err_set(err, ERR_MEMORY, "out of memory");
	oauth2_wipe(member);
	*member = copy;
	return 0;
}

int oauth2_take(struct oauth2_tokens *t, const struct json_t *answer, int64_t now,
		struct err *err) {
	const char *access = oauth2_text(answer, "access_token");
	const char *refresh = oauth2_text(answer, "refresh_token");
	int64_t life = life_of(answer, "expires_in", LIFE_MAX_S);
	bool is_new = refresh[0] && (!t->refresh || strcmp(refresh, t->refresh) != 0);
	if (!access[0] || !is_token(access) || !is_token(refresh))
		return err_set(err, ERR_REMOTE, "%.100s: the answer holds no token", t->token_url);
	if (replace(&t->access, access, err) != 0 ||
	    (is_new && replace(&t->refresh, refresh, err) != 0))
		return -1;
	if (is_new)
		t->in_keyring = false;
	take_grant(t, answer, is_new, now);
	if (life == 0)
		life = LIFE_S;
	t->expires = now + life;
	t->refresh_at = t->expires - (life / 10 < AHEAD_S ? life / 10 : AHEAD_S);
	return 0;
}

/* What RFC 6749 section 5.2 calls an error. Only a person can help where the grant or the client
 * are not good any more. */
static int refused(const struct oauth2_tokens *t, int status, const json_t *answer,
		   struct err *err) {
	static const char *const last[] = { "invalid_grant", "invalid_client",
					    "unauthorized_client", "invalid_scope" };
	AUTO_BUF struct buf words = BUF_INIT(1024);
	const char *code = oauth2_text(answer, "error");
	const char *more = oauth2_text(answer, "error_description");
	term_safe(&words, span_head(span_str(code), 60));
	if (more[0]) {
		buf_adds(&words, ": ");
		term_safe(&words, span_head(span_str(more), 150));
	}
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
		if (strcmp(code, last[i]) == 0)
			return err_set(err, ERR_DENIED,
				       "the token server gives none any more (%s); run nightmail "
				       "login %s",
				       buf_str(&words), t->relay);
	return err_set(err, ERR_REMOTE, "%.100s: status %d%s%s", t->token_url, status,
		       words.len ? ": " : "", buf_str(&words));
}

static int refresh(struct oauth2_tokens *t, struct err *err) {
	struct buf form = BUF_INIT(OAUTH2_FILE_MAX * 3);
	json_t *answer = NULL;
	int status;
	if (!t->refresh[0])
		return err_set(err, ERR_DENIED,
			       "the access token is over, and there is none to get another; run "
			       "nightmail login %s",
			       t->relay);
	oauth2_form_add(&form, "grant_type", SPAN("refresh_token"));
	oauth2_form_add(&form, "refresh_token", span_str(t->refresh));
	oauth2_form_add(&form, "client_id", span_str(t->client_id));
	if (t->client_secret[0])
		oauth2_form_add(&form, "client_secret", span_str(t->client_secret));
	int r = buf_failed(&form)
			? err_set(err, ERR_LIMIT, "the tokens are too long")
			: oauth2_post(t->token_url, t->ca, buf_span(&form), &status, &answer,
				      err);
	buf_wipe(&form);
	buf_release(&form);
	if (r != 0)
		return -1;
	r = status == 200 ? oauth2_take(t, answer, clock_wall_ms() / 1000, err)
			  : refused(t, status, answer, err);
	json_decref(answer);
	return r;
}

/* --- what is asked for --- */

/* That the file can be written is found out before the token in it is used up. */
static int renew(const char *path, struct oauth2_tokens *t, struct err *err) {
	struct err why = ERR_INIT;
	if (oauth2_recall(t, err) != 0 || oauth2_write_file(path, t, err) != 0 ||
	    refresh(t, err) != 0 || oauth2_keep(path, t, &why, err) != 0)
		return -1;
	if (t->keyring[0] && !t->in_keyring)
		log_warn("the refresh token of relay %s cannot be put into the keyring, and waits "
			 "for that in %s: %s", t->relay, path, why.msg);
	return 0;
}

static int valid(const char *path, struct oauth2_tokens *t, bool fresh, struct err *err) {
	struct err why = ERR_INIT;
	if (!fresh && t->access[0] && clock_wall_ms() / 1000 < t->refresh_at)
		return 0;
	if (renew(path, t, &why) == 0)
		return 0;
	if (!fresh && why.kind != ERR_DENIED && t->access[0] &&
	    clock_wall_ms() / 1000 < t->expires)
		return 0;
	return err_set(err, why.kind, "%s", why.msg);
}

int oauth2_fetch(const char *path, bool fresh, struct secret *ret, int64_t *ret_expires,
		 struct err *err) {
	struct oauth2_tokens t;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return oauth2_none(path, err);
	AUTO_FD int held = oauth2_lock(path, err);
	if (held < 0 || oauth2_load(path, &t, err) != 0)
		return -1;
	int r = valid(path, &t, fresh, err);
	if (r == 0) {
		*ret = (struct secret){ .p = strdup(t.access), .len = strlen(t.access) };
		*ret_expires = t.expires;
		r = ret->p ? 0 : err_set(err, ERR_MEMORY, "out of memory");
	}
	oauth2_release(&t);
	return r;
}
