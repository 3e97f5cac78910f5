/* The password file, pure. It is read once a session, so names are looked up one by one. */

#include "smtp/auth_users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/codec.h"

#define COUNT_MAX 1000000 /* iterations; more is a time-out, not a protection */
#define LOGIN_MAX 200
#define PASSWORD_MAX 1000

static const struct {
	struct span scheme;
	size_t key_len;
} hashes[SMTP_AUTH_HASHES] = {
	[SMTP_AUTH_SHA1] = { SPAN_INIT("{SCRAM-SHA-1}"), 20 },
	[SMTP_AUTH_SHA256] = { SPAN_INIT("{SCRAM-SHA-256}"), 32 },
};

static void wipe(char **text) {
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void smtp_auth_users_release(struct smtp_auth_users *u) {
	for (size_t i = 0; i < u->count; i++) {
		struct smtp_auth_user *user = &u->user[i];
		free(user->login);
		wipe(&user->password);
		for (size_t h = 0; h < SMTP_AUTH_HASHES; h++) {
			wipe(&user->keys[h].salt);
			wipe(&user->keys[h].stored);
			wipe(&user->keys[h].server);
		}
	}
	free(u->user);
	*u = (struct smtp_auth_users){ .count = 0 };
}

const struct smtp_auth_user *smtp_auth_users_find(const struct smtp_auth_users *u,
						  const char *login) {
	for (size_t i = 0; login && i < u->count; i++)
		if (strcmp(u->user[i].login, login) == 0)
			return &u->user[i];
	return NULL;
}

const char *smtp_auth_users_mechanisms(const struct smtp_auth_users *u) {
	bool sha1 = true, sha256 = true;
	for (size_t i = 0; i < u->count; i++) {
		bool plain = u->user[i].password != NULL;
		sha1 &= plain || u->user[i].keys[SMTP_AUTH_SHA1].count[0];
		sha256 &= plain || u->user[i].keys[SMTP_AUTH_SHA256].count[0];
	}
	if (sha256)
		return sha1 ? "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"
			    : "SCRAM-SHA-256 PLAIN LOGIN";
	return sha1 ? "SCRAM-SHA-1 PLAIN LOGIN" : "PLAIN LOGIN";
}

/* UTF-8 without control characters: what SASL can prepare. */
static bool is_text(struct span s, size_t max) {
	uint32_t c;
	if (s.len == 0 || s.len > max)
		return false;
	while (s.len > 0)
		if (!span_take_utf8(&s, &c) || c < 0x20 || (c >= 0x7f && c < 0xa0))
			return false;
	return true;
}

static int user_of(struct smtp_auth_users *u, struct span login, struct smtp_auth_user **ret,
		   struct err *err) {
	if (!is_text(login, LOGIN_MAX))
		return err_set(err, ERR_SYNTAX, "before the colon stands no login");
	for (size_t i = 0; i < u->count; i++) {
		*ret = &u->user[i];
		if (span_eq(login, span_str((*ret)->login)))
			return 0;
	}
	if (u->count == SMTP_AUTH_USERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d logins", SMTP_AUTH_USERS_MAX);
	struct smtp_auth_user *grown = reallocarray(u->user, u->count + 1, sizeof(*grown));
	if (!grown)
		return err_set(err, ERR_MEMORY, "out of memory");
	u->user = grown;
	*ret = &grown[u->count];
	**ret = (struct smtp_auth_user){ .login = span_dup(login) };
	if (!(*ret)->login)
		return err_set(err, ERR_MEMORY, "out of memory");
	u->count++;
	return 0;
}

static int set_password(struct smtp_auth_user *user, struct span password, struct err *err) {
	if (user->password)
		return err_set(err, ERR_SYNTAX, "a second password of this login");
	if (!is_text(password, PASSWORD_MAX))
		return err_set(err, ERR_SYNTAX,
			       "behind the colon stands no password (UTF-8 without control "
			       "characters)");
	user->password = span_dup(password);
	return user->password ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

/* Base64 of so many bytes, 0: of any number. */
static bool take_key(struct span text, size_t len, char **ret) {
	AUTO_BUF struct buf bytes = BUF_INIT(PASSWORD_MAX);
	bool ok = codec_base64_decode(&bytes, text) == 0 &&
		  (len ? bytes.len == len : bytes.len > 0);
	buf_wipe(&bytes);
	*ret = ok ? span_dup(text) : NULL;
	return *ret != NULL;
}

static int set_keys(struct smtp_auth_user *user, size_t hash, struct span rest,
		    struct err *err) {
	struct smtp_auth_keys *keys = &user->keys[hash];
	struct span count, salt, stored;
	uint64_t n;
	if (keys->count[0])
		return err_set(err, ERR_SYNTAX, "second keys of this login");
	if (!span_take_until(&rest, ',', &count) || !span_uint(count, COUNT_MAX, &n) || n == 0 ||
	    !span_take_until(&rest, ',', &salt) || !span_take_until(&rest, ',', &stored) ||
	    !take_key(salt, 0, &keys->salt) ||
	    !take_key(stored, hashes[hash].key_len, &keys->stored) ||
	    !take_key(rest, hashes[hash].key_len, &keys->server))
		return err_set(err, ERR_SYNTAX,
			       "behind %.*s stand COUNT,SALT,STORED,SERVER (at most %d, and "
			       "three times base64)",
			       (int)hashes[hash].scheme.len, hashes[hash].scheme.p, COUNT_MAX);
	snprintf(keys->count, sizeof(keys->count), "%u", (unsigned)n);
	return 0;
}

static int take_line(struct smtp_auth_users *u, struct span line, struct err *err) {
	struct smtp_auth_user *user = NULL;
	struct span login;
	if (!span_take_until(&line, ':', &login))
		return err_set(err, ERR_SYNTAX, "there is no colon; write login:password");
	if (user_of(u, login, &user, err) != 0)
		return -1;
	for (size_t h = 0; h < SMTP_AUTH_HASHES; h++)
		if (span_take_lit_nocase(&line, hashes[h].scheme))
			return set_keys(user, h, line, err);
	if (!span_take_lit_nocase(&line, SPAN("{PLAIN}")) && line.len > 0 && line.p[0] == '{')
		return err_set(err, ERR_SYNTAX,
			       "an unknown kind of password; there are {PLAIN}, {SCRAM-SHA-256} "
			       "and {SCRAM-SHA-1}");
	return set_password(user, line, err);
}

int smtp_auth_users_parse(struct span text, struct smtp_auth_users *ret, struct err *err) {
	struct span line;
	unsigned number = 0;
	*ret = (struct smtp_auth_users){ .count = 0 };
	while (span_take_line(&text, &line)) {
		number++;
		if (span_trim(line).len == 0 || line.p[0] == '#')
			continue;
		if (take_line(ret, line, err) != 0) {
			smtp_auth_users_release(ret);
			return err_prefix(err, "%u", number);
		}
	}
	if (ret->count > 0)
		return 0;
	return err_set(err, ERR_SYNTAX, "there is no login in it");
}
