/*
 * What a browser sends to the port of a login, an answer of a token server, a file of tokens, an
 * answer of nightmail-secret: none of it may break the reader, and tokens that are read are written
 * and read as the same.
 */

#include "creds/keyring.h"
#include "creds/oauth2_login.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tokens(struct span s) {
	AUTO_BUF struct buf out = BUF_INIT(8u << 20);
	struct oauth2_tokens t, again;
	if (oauth2_parse(s, &t, NULL) != 0)
		return;
	if (oauth2_write(&out, &t) != 0 || oauth2_parse(buf_span(&out), &again, NULL) != 0 ||
	    strcmp(t.access, again.access) != 0 || strcmp(t.refresh, again.refresh) != 0)
		abort();
	oauth2_release(&again);
	oauth2_release(&t);
}

/* Whatever the server says of times, they are in its future and not beyond the end of time. */
static void check_answer(struct span s) {
	const int64_t now = 1000;
	struct oauth2_tokens t;
	json_t *answer = json_loadb(s.p, s.len, 0, NULL);
	AUTO_BUF struct buf out = BUF_INIT(8u << 20);
	if (oauth2_parse(SPAN("{\"token_url\":\"u\"}"), &t, NULL) != 0)
		abort();
	if (json_is_object(answer) && oauth2_take(&t, answer, now, NULL) == 0 &&
	    (t.expires <= now || t.refresh_at > t.expires || !t.access[0] ||
	     (t.grant_until != 0 && t.grant_until <= now) || t.grant_until > INT64_MAX / 2000 ||
	     oauth2_write(&out, &t) != 0))
		abort();
	oauth2_release(&t);
	json_decref(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct span s = span_of((const char *)data, size);
	AUTO_BUF struct buf value = BUF_INIT(4096), entry = BUF_INIT(256);
	struct secret secret = { .p = NULL };
	enum keyring_act act;
	check_tokens(s);
	check_answer(s);
	if (oauth2_query(s, "code", &value) && memchr(buf_str(&value), '\0', value.len))
		abort();
	if (keyring_answer_parse(s, &secret, NULL) == 0)
		secret_release(&secret);
	buf_reset(&value);
	keyring_request_parse(s, &act, &entry, &value, NULL);
	return 0;
}
