/* The file with tokens, the query a browser brings, forms, PKCE; the frames of nightmail-secret; what
 * servers have offered. */

#include <string.h>

#include <jansson.h>

#include "creds/keyring.h"
#include "creds/oauth2_login.h"
#include "deliver/offers.h"
#include "smtp/auth.h"
#include "tap.h"

static const struct {
	const char *label, *json, *access; /* access NULL: refused */
} files[] = {
	{ "a whole file", "{\"token_url\":\"https://t.example/\",\"access_token\":\"abc\"}", "abc" },
	{ "a file without a token server", "{\"access_token\":\"abc\"}", NULL },
	{ "a file that is cut off", "{\"token_url\":\"https://t.example/\",\"acc", NULL },
	{ "an array", "[]", NULL },
	{ "a token with a line end", "{\"token_url\":\"u\",\"access_token\":\"a\\nb\"}", NULL },
	{ "a token with a blank", "{\"token_url\":\"u\",\"refresh_token\":\"a b\"}", NULL },
	{ "a member twice", "{\"token_url\":\"u\",\"token_url\":\"v\"}", NULL },
};

static void test_files(void) {
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct oauth2_tokens t = { .relay = NULL };
		struct err err = ERR_INIT;
		int r = oauth2_parse(span_str(files[i].json), &t, &err);
		ok((r == 0) == (files[i].access != NULL) &&
			   (r != 0 || strcmp(t.access, files[i].access) == 0),
		   "%s", files[i].label);
		oauth2_release(&t);
	}
}

static void test_round_trip(void) {
	AUTO_BUF struct buf text = BUF_INIT(65536), again = BUF_INIT(65536);
	struct oauth2_tokens t = { .relay = NULL };
	struct err err = ERR_INIT;
	const char *json = "{\"relay\":\"w\\\"ork\",\"token_url\":\"u\",\"access_token\":\"a\","
			   "\"refresh_token\":\"r\",\"expires\":17,\"refresh_at\":16}";
	oauth2_parse(span_str(json), &t, &err);
	oauth2_write(&text, &t);
	oauth2_release(&t);
	ok(oauth2_parse(buf_span(&text), &t, &err) == 0 && t.expires == 17 && t.refresh_at == 16 &&
		   strcmp(t.relay, "w\"ork") == 0,
	   "what is written is read again");
	oauth2_write(&again, &t);
	is_str(buf_str(&again), buf_str(&text), "and is the same");
	oauth2_release(&t);
}

static const struct {
	const char *label, *answer;
	int64_t expires, from, until; /* of the access token, and of what renews it */
	bool moves;                   /* the refresh token has to be kept anew */
} answers[] = {
	{ "an answer without times", "{\"access_token\":\"b\"}", 2800, 500, 9500, false },
	{ "a time of the token", "{\"access_token\":\"b\",\"expires_in\":60}", 1060, 500, 9500, false },
	{ "a time in a text", "{\"access_token\":\"b\",\"expires_in\":\"60\"}", 1060, 500, 9500,
	  false },
	{ "the same refresh token", "{\"access_token\":\"b\",\"refresh_token\":\"r\"}", 2800, 500,
	  9500, false },
	{ "another one without a time", "{\"access_token\":\"b\",\"refresh_token\":\"s\"}", 2800, 0,
	  0, true },
	{ "another one with a time",
	  "{\"access_token\":\"b\",\"refresh_token\":\"s\",\"refresh_token_expires_in\":70}", 2800,
	  1000, 1070, true },
	{ "the other name of that",
	  "{\"access_token\":\"b\",\"refresh_token\":\"s\",\"refresh_expires_in\":70}", 2800, 1000,
	  1070, true },
	{ "what is left of the old one", "{\"access_token\":\"b\",\"refresh_expires_in\":70}", 2800,
	  500, 1070, false },
};

static void test_answers(void) {
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct oauth2_tokens t = { .relay = NULL };
		struct err err = ERR_INIT;
		struct json_t *o = json_loads(answers[i].answer, 0, NULL);
		oauth2_parse(SPAN("{\"token_url\":\"u\",\"access_token\":\"a\",\"refresh_token\":"
				  "\"r\",\"keyring\":\"k\",\"grant_from\":500,\"grant_until\":"
				  "9500}"),
			     &t, &err);
		t.in_keyring = true;
		ok(oauth2_take(&t, o, 1000, &err) == 0 && t.expires == answers[i].expires &&
			   t.grant_from == answers[i].from && t.grant_until == answers[i].until &&
			   t.in_keyring == !answers[i].moves,
		   "%s", answers[i].label);
		oauth2_release(&t);
		json_decref(o);
	}
}

static const struct {
	const char *label, *line, *want; /* NULL: none */
} queries[] = {
	{ "a code", "GET /?state=s&code=4%2Fab+c HTTP/1.1\r\n", "4/ab c" },
	{ "the code first", "GET /?code=x&state=s HTTP/1.1\r\n", "x" },
	{ "an empty code", "GET /?code= HTTP/1.1\r\n", "" },
	{ "no query", "GET / HTTP/1.1\r\n", NULL },
	{ "another key", "GET /?xcode=x HTTP/1.1\r\n", NULL },
	{ "a percent sign alone", "GET /?code=% HTTP/1.1\r\n", NULL },
	{ "a NUL", "GET /?code=a%00b HTTP/1.1\r\n", NULL },
	{ "a control character", "GET /?code=a\tb HTTP/1.1\r\n", NULL },
	{ "another method", "POST /?code=x HTTP/1.1\r\n", NULL },
	{ "half a line", "GET /?code=x", NULL },
};

static void test_queries(void) {
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		AUTO_BUF struct buf out = BUF_INIT(100);
		bool has = oauth2_query(span_str(queries[i].line), "code", &out);
		ok(has == (queries[i].want != NULL) &&
			   (!has || strcmp(buf_str(&out), queries[i].want) == 0),
		   "%s", queries[i].label);
	}
}

static void test_forms(void) {
	AUTO_BUF struct buf form = BUF_INIT(1000), challenge = BUF_INIT(100);
	oauth2_form_add(&form, "a", SPAN("x y&z=1/\xc3\xa4"));
	oauth2_form_add(&form, "b", SPAN("-._~Az09"));
	is_str(buf_str(&form), "a=x%20y%26z%3D1%2F%C3%A4&b=-._~Az09", "a form");
	oauth2_challenge(SPAN("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), &challenge);
	is_str(buf_str(&challenge), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
	       "the example of RFC 7636 appendix B");
}

static void test_keyring(void) {
	AUTO_BUF struct buf frame = BUF_INIT(KEYRING_FRAME_MAX), entry = BUF_INIT(256);
	AUTO_BUF struct buf secret = BUF_INIT(SECRET_MAX);
	enum keyring_act act;
	struct secret got = { .p = NULL };
	struct err err = ERR_INIT, error = ERR_INIT;
	keyring_request_write(&frame, KEYRING_SET, SPAN("my relay"), SPAN("p= %\xc3\xa9"));
	ok(keyring_request_parse(buf_span(&frame), &act, &entry, &secret, &err) == 0 &&
		   act == KEYRING_SET && strcmp(buf_str(&entry), "my relay") == 0 &&
		   strcmp(buf_str(&secret), "p= %\xc3\xa9") == 0,
	   "a request to the keyring is read as it was written");
	ok(keyring_request_parse(SPAN("set x"), &act, &entry, &secret, &err) != 0,
	   "set without a secret is refused");
	ok(keyring_request_parse(SPAN("get x y"), &act, &entry, &secret, &err) != 0,
	   "get with more than an entry is refused");
	buf_reset(&frame);
	keyring_answer_write(&frame, SPAN("secret"), NULL);
	ok(keyring_answer_parse(buf_span(&frame), &got, &err) == 0 && got.len == 6, "its answer");
	secret_release(&got);
	buf_reset(&frame);
	err_set(&error, ERR_DENIED, "it is locked");
	keyring_answer_write(&frame, SPAN(""), &error);
	ok(keyring_answer_parse(buf_span(&frame), &got, &err) != 0 && err.kind == ERR_DENIED &&
		   strcmp(err.msg, "it is locked") == 0,
	   "an error keeps its kind and its words");
}

static void test_offers(void) {
	char list[64] = "";
	offers_set(list, sizeof(list), SPAN("a.example"), SPAN("PLAIN"));
	offers_set(list, sizeof(list), SPAN("b.example"), SPAN("CRAM-MD5"));
	offers_set(list, sizeof(list), SPAN("A.example"), SPAN("SCRAM-SHA-1"));
	is_str(list, "A.example SCRAM-SHA-1 b.example CRAM-MD5", "each server has one entry");
	ok(span_eq(offers_find(span_str(list), SPAN("b.example")), SPAN("CRAM-MD5")),
	   "a server is found");
	ok(offers_find(span_str(list), SPAN("CRAM-MD5")).len == 0, "a mechanism is no server");
	offers_set(list, sizeof(list), SPAN("a-long-name.example"), SPAN("PLAIN"));
	ok(strlen(list) < sizeof(list) &&
		   offers_find(span_str(list), SPAN("a-long-name.example")).len > 0,
	   "where there is no room the oldest goes");
	ok(smtp_auth_is_weaker(SPAN("PLAIN"), SPAN("SCRAM-SHA-256")) &&
		   !smtp_auth_is_weaker(SPAN("SCRAM-SHA-256-PLUS"), SPAN("SCRAM-SHA-256")) &&
		   smtp_auth_is_weaker(SPAN(""), SPAN("LOGIN")) &&
		   !smtp_auth_is_weaker(SPAN(""), SPAN("")),
	   "which mechanism is weaker");
	is_str(smtp_auth_best("PLAIN XOAUTH2 CRAM-MD5 SCRAM-SHA-1", NULL), "SCRAM-SHA-1",
	       "the best of those offered");
	is_str(smtp_auth_best("PLAIN CRAM-MD5", "PLAIN LOGIN"), "PLAIN", "of those allowed");
	ok(smtp_auth_best("XOAUTH2 GSSAPI", NULL) == NULL, "tokens and tickets do not count");
}

int main(void) {
	test_files();
	test_round_trip();
	test_answers();
	test_queries();
	test_forms();
	test_keyring();
	test_offers();
	return done_testing();
}
