/*
 * The members of the tokens by the names they have in the file, and how they are written. Apart from
 * oauth2.c, because jansson and base/json.h share names.
 */

#include "creds/oauth2.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static const struct {
	const char *key;
	size_t offset;
} texts[] = {
	{ "relay", offsetof(struct oauth2_tokens, relay) },
	{ "client_id", offsetof(struct oauth2_tokens, client_id) },
	{ "client_secret", offsetof(struct oauth2_tokens, client_secret) },
	{ "token_url", offsetof(struct oauth2_tokens, token_url) },
	{ "scope", offsetof(struct oauth2_tokens, scope) },
	{ "ca", offsetof(struct oauth2_tokens, ca) },
	{ "access_token", offsetof(struct oauth2_tokens, access) },
	{ "refresh_token", offsetof(struct oauth2_tokens, refresh) },
	{ "keyring", offsetof(struct oauth2_tokens, keyring) },
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

char **oauth2_member(struct oauth2_tokens *t, size_t i, const char **ret_key) {
	if (i >= TEXTS)
		return NULL;
	*ret_key = texts[i].key;
	return (char **)(void *)((char *)t + texts[i].offset);
}

void oauth2_wipe(char **text) {
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void oauth2_release(struct oauth2_tokens *t) {
	const char *key;
	char **text;
	for (size_t i = 0; (text = oauth2_member(t, i, &key)) != NULL; i++)
		oauth2_wipe(text);
}

int oauth2_write(struct buf *out, const struct oauth2_tokens *t) {
	struct json j = json_into(out);
	json_object(&j, NULL);
	for (size_t i = 0; i < TEXTS; i++) {
		const char *const *text = (const void *)((const char *)t + texts[i].offset);
		json_str(&j, texts[i].key, span_str(*text ? *text : ""));
	}
	json_int(&j, "expires", t->expires);
	json_int(&j, "refresh_at", t->refresh_at);
	json_int(&j, "grant_from", t->grant_from);
	json_int(&j, "grant_until", t->grant_until);
	json_end(&j);
	return buf_addc(out, '\n');
}
