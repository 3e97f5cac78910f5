/*
 * The two ways of getting the first tokens. The listening socket is on 127.0.0.1, on a port that
 * the kernel chooses, and takes one answer; requests that do not carry our state are sent away
 * and the wait goes on, since any page in the browser may send some.
 */

#include "creds/oauth2_login.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/term.h"
#include "net/crypto.h"

#define FORM_MAX (64u << 10)
#define WAIT_MS 600000
#define INTERVAL_S 5
#define INTERVAL_MAX_S 60
#define REQUEST_MAX 8192
#define REQUEST_MS 5000
#define RANDOM_SIZE 32

/* base64url without padding (RFC 4648 section 5). */
static bool add_base64url(struct buf *out, struct span bytes) {
	AUTO_BUF struct buf text = BUF_INIT(256);
	if (codec_base64_add(&text, bytes) != 0)
		return false;
	for (size_t i = 0; i < text.len && text.data[i] != '='; i++)
		buf_addc(out, text.data[i] == '+'   ? '-'
			      : text.data[i] == '/' ? '_'
						    : text.data[i]);
	return !buf_failed(out);
}

bool oauth2_challenge(struct span verifier, struct buf *out) {
	struct crypto_digest digest;
	return crypto_sha256(verifier, &digest) &&
	       add_base64url(out, span_of((const char *)digest.byte, sizeof(digest.byte)));
}

static bool add_random(struct buf *out) {
	char bytes[RANDOM_SIZE];
	return getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes) &&
	       add_base64url(out, span_of(bytes, sizeof(bytes)));
}

static bool decode_query(struct span value, struct buf *out) {
	uint64_t octet;
	while (value.len > 0) {
		if (span_take_char(&value, '%')) {
			if (!span_take_hex(&value, 2, &octet) || octet == 0)
				return false;
			buf_addc(out, (char)octet);
			continue;
		}
		if (*value.p <= ' ' || *value.p > '~')
			return false;
		buf_addc(out, *value.p == '+' ? ' ' : *value.p);
		value = span_from(value, 1);
	}
	return !buf_failed(out);
}

bool oauth2_query(struct span line, const char *key, struct buf *out) {
	struct span target, path, pair, name;
	if (!span_take_lit(&line, SPAN("GET ")) || !span_take_until(&line, ' ', &target) ||
	    !span_take_until(&target, '?', &path))
		return false;
	while (target.len > 0) {
		if (!span_take_until(&target, '&', &pair)) {
			pair = target;
			target.len = 0;
		}
		if (span_take_until(&pair, '=', &name) && span_eq(name, span_str(key)))
			return decode_query(pair, out);
	}
	return false;
}

/* --- the token itself --- */

static void add_client(struct buf *form, const struct oauth2_tokens *t) {
	oauth2_form_add(form, "client_id", span_str(t->client_id));
	if (t->client_secret && t->client_secret[0])
		oauth2_form_add(form, "client_secret", span_str(t->client_secret));
}

static int say_refused(const struct json_t *answer, struct err *err) {
	AUTO_BUF struct buf words = BUF_INIT(512);
	term_safe(&words, span_head(span_str(oauth2_text(answer, "error")), 60));
	if (oauth2_text(answer, "error_description")[0]) {
		buf_adds(&words, ": ");
		term_safe(&words,
			  span_head(span_str(oauth2_text(answer, "error_description")), 200));
	}
	return err_set(err, ERR_DENIED, "the token server refuses: %s",
		       words.len ? buf_str(&words) : "it does not say why");
}

/* A first answer has to bring a refresh token, or the login would be over within an hour. */
static int take_first(struct oauth2_tokens *t, const struct json_t *answer, struct err *err) {
	if (oauth2_take(t, answer, clock_wall_ms() / 1000, err) != 0)
		return -1;
	if (t->refresh && t->refresh[0])
		return 0;
	return err_set(err, ERR_REMOTE,
		       "%.100s: it gives no refresh token; the scope may have to name "
		       "offline_access",
		       t->token_url);
}

/* --- on another device --- */

static int64_t number(const struct json_t *o, const char *key, int64_t otherwise, int64_t max) {
	int64_t n = json_integer_value(json_object_get(o, key));
	if (n <= 0)
		return otherwise;
	return n > max ? max : n;
}

/* 1: there they are; 0: not yet. */
static int poll_token(struct oauth2_tokens *t, const char *device_code, int64_t *interval_s,
		      struct err *err) {
	struct buf form = BUF_INIT(FORM_MAX);
	struct json_t *answer = NULL;
	int status, r;
	oauth2_form_add(&form, "grant_type",
			SPAN("urn:ietf:params:oauth:grant-type:device_code"));
	oauth2_form_add(&form, "device_code", span_str(device_code));
	add_client(&form, t);
	r = oauth2_post(t->token_url, t->ca, buf_span(&form), &status, &answer, err);
	buf_wipe(&form);
	buf_release(&form);
	if (r != 0)
		return -1;
	const char *code = oauth2_text(answer, "error");
	if (status == 200)
		r = take_first(t, answer, err) == 0 ? 1 : -1;
	else if (strcmp(code, "slow_down") == 0)
		*interval_s += INTERVAL_S;
	else if (strcmp(code, "authorization_pending") != 0)
		r = say_refused(answer, err);
	json_decref(answer);
	return r;
}

static int wait_for_person(struct oauth2_tokens *t, const struct json_t *begun,
			   struct err *err) {
	int64_t interval_s = number(begun, "interval", INTERVAL_S, INTERVAL_MAX_S);
	int64_t end = clock_boot_ms() + number(begun, "expires_in", WAIT_MS / 1000, 3600) * 1000;
	while (clock_boot_ms() < end) {
		const struct timespec wait = { interval_s, 0 };
		nanosleep(&wait, NULL);
		int r = poll_token(t, oauth2_text(begun, "device_code"), &interval_s, err);
		if (r != 0)
			return r > 0 ? 0 : -1;
	}
	return err_set(err, ERR_TIMEOUT, "nobody has entered the code in time");
}

/* What is shown to a person stays a URL and a code. */
static bool printable(const char *text) {
	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return text[0] && strlen(text) < 2048;
}

int oauth2_login_device(struct oauth2_tokens *t, const char *device_url, oauth2_tell_fn *tell,
			void *ctx, struct err *err) {
	AUTO_BUF struct buf form = BUF_INIT(FORM_MAX);
	struct json_t *begun = NULL;
	int status, r;
	oauth2_form_add(&form, "scope", span_str(t->scope));
	add_client(&form, t);
	if (oauth2_post(device_url, t->ca, buf_span(&form), &status, &begun, err) != 0)
		return -1;
	const char *url = oauth2_text(begun, "verification_uri");
	if (!url[0]) /* as drafts called it */
		url = oauth2_text(begun, "verification_url");
	const char *code = oauth2_text(begun, "user_code");
	if (status != 200) {
		r = say_refused(begun, err);
	} else if (!printable(url) || !printable(code)) {
		r = err_set(err, ERR_REMOTE, "%.100s: the answer holds no code to enter",
			    device_url);
	} else {
		tell(ctx, url, code);
		r = wait_for_person(t, begun, err);
	}
	json_decref(begun);
	return r;
}

/* --- in a browser of this machine --- */

static int listen_here(uint16_t *ret_port, struct err *err) {
	AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(here);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&here, sizeof(here)) != 0 ||
	    listen(fd, 8) != 0 || getsockname(fd, (struct sockaddr *)&here, &len) != 0)
		return err_sys(err, "cannot listen on the loopback");
	*ret_port = ntohs(here.sin_port);
	return take_fd(&fd);
}

/* The first line of a request, or nothing. */
static void read_line(int fd, struct buf *line) {
	int64_t end = clock_boot_ms() + REQUEST_MS;
	char piece[1024];
	while (!memchr(buf_str(line), '\n', line->len) && !buf_failed(line)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_boot_ms();
		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return;
		ssize_t n = recv(fd, piece, sizeof(piece), 0);
		if (n <= 0)
			return;
		buf_addm(line, piece, (size_t)n);
	}
}

static void reply(int fd, bool ours) {
	static const char yes[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
				  "Connection: close\r\n\r\n"
				  "nightmail has heard. This page may be closed.\n";
	static const char no[] = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n";
	const char *text = ours ? yes : no;
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* 1: code holds it; 0: somebody else's request. */
static int take_request(int fd, const char *state, struct buf *code, struct err *err) {
	AUTO_BUF struct buf line = BUF_INIT(REQUEST_MAX), seen = BUF_INIT(256);
	AUTO_BUF struct buf why = BUF_INIT(256), words = BUF_INIT(256);
	read_line(fd, &line);
	bool ours = oauth2_query(buf_span(&line), "state", &seen) &&
		    strcmp(buf_str(&seen), state) == 0;
	reply(fd, ours);
	if (!ours)
		return 0;
	if (oauth2_query(buf_span(&line), "code", code))
		return 1;
	oauth2_query(buf_span(&line), "error", &why);
	term_safe(&words, buf_span(&why));
	return err_set(err, ERR_DENIED, "the login was refused: %s",
		       words.len ? buf_str(&words) : "no code came back");
}

static int wait_for_browser(int fd, const char *state, struct buf *code, struct err *err) {
	int64_t end = clock_boot_ms() + WAIT_MS;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_boot_ms();
		if (left <= 0)
			return err_set(err, ERR_TIMEOUT,
				       "the browser did not come back within %d minutes",
				       WAIT_MS / 60000);
		poll(&p, 1, (int)left);
		AUTO_FD int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		int r = one < 0 ? 0 : take_request(one, state, code, err);
		if (r != 0)
			return r > 0 ? 0 : -1;
	}
}

struct attempt {
	struct buf verifier, state, challenge, redirect;
};

static void add_url(struct buf *out, const struct oauth2_tokens *t, const char *auth_url,
		    const struct attempt *a) {
	AUTO_BUF struct buf query = BUF_INIT(4096);
	oauth2_form_add(&query, "response_type", SPAN("code"));
	oauth2_form_add(&query, "client_id", span_str(t->client_id));
	oauth2_form_add(&query, "redirect_uri", buf_span(&a->redirect));
	oauth2_form_add(&query, "scope", span_str(t->scope));
	oauth2_form_add(&query, "state", buf_span(&a->state));
	oauth2_form_add(&query, "code_challenge", buf_span(&a->challenge));
	oauth2_form_add(&query, "code_challenge_method", SPAN("S256"));
	/* Google gives a refresh token only so. */
	oauth2_form_add(&query, "access_type", SPAN("offline"));
	oauth2_form_add(&query, "prompt", SPAN("consent"));
	buf_addf(out, "%s%c%s", auth_url, strchr(auth_url, '?') ? '&' : '?', buf_str(&query));
}

static int trade(struct oauth2_tokens *t, struct span code, const struct attempt *a,
		 struct err *err) {
	struct buf form = BUF_INIT(FORM_MAX);
	struct json_t *answer = NULL;
	int status;
	oauth2_form_add(&form, "grant_type", SPAN("authorization_code"));
	oauth2_form_add(&form, "code", code);
	oauth2_form_add(&form, "redirect_uri", buf_span(&a->redirect));
	oauth2_form_add(&form, "code_verifier", buf_span(&a->verifier));
	add_client(&form, t);
	int r = oauth2_post(t->token_url, t->ca, buf_span(&form), &status, &answer, err);
	buf_wipe(&form);
	buf_release(&form);
	if (r != 0)
		return -1;
	r = status == 200 ? take_first(t, answer, err) : say_refused(answer, err);
	json_decref(answer);
	return r;
}

int oauth2_login_browser(struct oauth2_tokens *t, const char *auth_url, oauth2_tell_fn *tell,
			 void *ctx, struct err *err) {
	struct attempt a = { BUF_INIT(128), BUF_INIT(128), BUF_INIT(128), BUF_INIT(64) };
	AUTO_BUF struct buf url = BUF_INIT(8192), code = BUF_INIT(4096);
	uint16_t port = 0;
	AUTO_FD int fd = listen_here(&port, err);
	int r = -1;
	if (fd >= 0) {
		buf_addf(&a.redirect, "http://127.0.0.1:%u", (unsigned)port);
		if (!add_random(&a.verifier) || !add_random(&a.state) ||
		    !oauth2_challenge(buf_span(&a.verifier), &a.challenge))
			err_set(err, ERR_MEMORY, "there are no random numbers");
		else
			r = 0;
	}
	if (r == 0) {
		add_url(&url, t, auth_url, &a);
		tell(ctx, buf_str(&url), NULL);
		r = wait_for_browser(fd, buf_str(&a.state), &code, err);
	}
	if (r == 0)
		r = trade(t, buf_span(&code), &a, err);
	buf_wipe(&a.verifier);
	buf_release(&a.verifier);
	buf_release(&a.state);
	buf_release(&a.challenge);
	buf_release(&a.redirect);
	return r;
}
