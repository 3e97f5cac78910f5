/*
 * Tokens, their file, and how they are refreshed. What a token server says is foreign: its words
 * are made safe and cut before they get into an error, and no error holds a token.
 */

#include "creds/oauth2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/term.h"

#define FILE_MAX (4 * OAUTH2_TOKEN_MAX)
#define ANSWER_MAX (64u << 10)
#define HTTP_MS 30000
#define LOCK_MS 60000
#define LOCK_LOOK_MS 50
#define LIFE_S 1800 /* of a token whose server does not say */
#define LIFE_MAX_S (366 * 86400)
#define AHEAD_S 300

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
	json_decref(o);
	if (whole && t.token_url[0] && is_token(t.access) && is_token(t.refresh)) {
		*ret = t;
		return 0;
	}
	oauth2_release(&t);
	return err_set(err, ERR_SYNTAX, "these are no tokens that nightmail login has written");
}

static int make_parent(const char *path, struct err *err) {
	AUTO_FREE char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	if (!slash)
		return err_set(err, ERR_MEMORY, "out of memory");
	*slash = '\0';
	if (file_mkdir(AT_FDCWD, dir, 0700) != 0 && errno != EEXIST)
		return err_sys(err, "%s: cannot make the directory", dir);
	return 0;
}

int oauth2_store(const char *path, const struct oauth2_tokens *t, struct err *err) {
	struct buf text = BUF_INIT(FILE_MAX);
	int r = make_parent(path, err);
	if (r == 0 && (!buf_room(&text, FILE_MAX) || oauth2_write(&text, t) != 0))
		r = err_set(err, ERR_LIMIT, "the tokens are too long");
	if (r == 0)
		r = file_replace(AT_FDCWD, path, 0600, buf_span(&text), err);
	buf_wipe(&text);
	buf_release(&text);
	return r;
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

static int64_t life_of(const json_t *answer) {
	const json_t *v = json_object_get(answer, "expires_in");
	uint64_t n = 0;
	if (json_is_integer(v) && json_integer_value(v) > 0)
		n = (uint64_t)json_integer_value(v);
	else if (json_is_string(v) &&
		 !span_uint(span_str(json_string_value(v)), LIFE_MAX_S, &n))
		n = 0;
	if (n == 0)
		return LIFE_S;
	return n > LIFE_MAX_S ? LIFE_MAX_S : (int64_t)n;
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
	int64_t life = life_of(answer);
	if (!access[0] || !is_token(access) || !is_token(refresh))
		return err_set(err, ERR_REMOTE, "%.100s: the answer holds no token", t->token_url);
	if (replace(&t->access, access, err) != 0 ||
	    (refresh[0] && replace(&t->refresh, refresh, err) != 0))
		return -1;
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
	struct buf form = BUF_INIT(FILE_MAX * 3);
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

/* --- the file --- */

/* Another process that holds it is refreshing; the lock goes with the descriptor. */
static int lock(const char *path, struct err *err) {
	AUTO_BUF struct buf name = BUF_INIT(8192);
	int64_t end = clock_boot_ms() + LOCK_MS;
	buf_addf(&name, "%s.lock", path);
	AUTO_FD int fd = file_openat(AT_FDCWD, buf_str(&name), O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return err_sys(err, "%s: cannot open", buf_str(&name));
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		const struct timespec wait = { 0, LOCK_LOOK_MS * 1000000L };
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(err, "%s: cannot lock", buf_str(&name));
		if (clock_boot_ms() > end)
			return err_set(err, ERR_TIMEOUT,
				       "%s: another process holds it for over %d s",
				       buf_str(&name), LOCK_MS / 1000);
		nanosleep(&wait, NULL);
	}
	return take_fd(&fd);
}

static int load(const char *path, struct oauth2_tokens *ret, struct err *err) {
	struct secret text = { .p = NULL };
	if (creds_read(path, FILE_MAX, &text, err) != 0)
		return -1;
	int r = oauth2_parse(span_of(text.p, text.len), ret, err);
	secret_release(&text);
	return r == 0 ? 0 : err_prefix(err, "%s", path);
}

/* The name of a relay from that of its file. */
static void name_relay(const char *path, char *out, size_t size) {
	const char *slash = strrchr(path, '/');
	struct span name = span_str(slash ? slash + 1 : path);
	if (name.len > 5)
		name.len -= 5; /* .json */
	snprintf(out, size, "%.*s", (int)name.len, name.p);
}

static int renew(const char *path, struct oauth2_tokens *t, bool must, struct err *err) {
	struct err why = ERR_INIT;
	if (refresh(t, &why) == 0)
		return oauth2_store(path, t, err);
	if (!must && why.kind != ERR_DENIED && clock_wall_ms() / 1000 < t->expires)
		return 0;
	return err_set(err, why.kind, "%s", why.msg);
}

int oauth2_fetch(const char *path, bool fresh, struct secret *ret, int64_t *ret_expires,
		 struct err *err) {
	struct oauth2_tokens t;
	char relay[80];
	name_relay(path, relay, sizeof(relay));
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return err_set(err, ERR_MISSING,
			       "relay %s has no tokens yet: run nightmail login %s", relay, relay);
	AUTO_FD int held = lock(path, err);
	if (held < 0 || load(path, &t, err) != 0)
		return -1;
	int64_t now = clock_wall_ms() / 1000;
	int r = !fresh && t.access[0] && now < t.refresh_at ? 0 : renew(path, &t, fresh, err);
	if (r == 0) {
		*ret = (struct secret){ .p = strdup(t.access), .len = strlen(t.access) };
		*ret_expires = t.expires;
		r = ret->p ? 0 : err_set(err, ERR_MEMORY, "out of memory");
	}
	oauth2_release(&t);
	return r;
}
