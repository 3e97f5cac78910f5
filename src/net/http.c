/* The lines between nightmail-fetch and those that need something fetched. */

#include "net/http.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"

#define LINES_MAX (64u << 10)

static const struct {
	enum err_kind kind;
	const char *word;
} kinds[] = {
	{ ERR_TIMEOUT, "timeout" }, { ERR_REMOTE, "remote" }, { ERR_LIMIT, "limit" },
	{ ERR_SYNTAX, "request" },  { ERR_SYSTEM, "system" }, { ERR_MEMORY, "memory" },
};

bool http_url_ok(struct span url) {
	static const char *const here[] = { "127.0.0.1", "localhost", "[::1]" };
	if (span_take_lit_nocase(&url, SPAN("https://")))
		return url.len > 0;
	if (!span_take_lit_nocase(&url, SPAN("http://")))
		return false;
	for (size_t i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
		struct span rest = url;
		if (span_take_lit_nocase(&rest, span_str(here[i])) &&
		    (rest.len == 0 || rest.p[0] == ':' || rest.p[0] == '/'))
			return true;
	}
	return false;
}

/* --- writing --- */

static void add(struct buf *out, const char *key, struct span value) {
	if (value.len == 0)
		return;
	buf_addf(out, "%s ", key);
	codec_percent_add(out, value);
	buf_addc(out, '\n');
}

static int add_body(struct buf *out, struct span body) {
	buf_addf(out, "body %zu\n", body.len);
	return buf_add(out, body);
}

int http_request_write(struct buf *out, const struct http_request *r) {
	add(out, "method", r->method);
	add(out, "url", r->url);
	for (size_t i = 0; i < r->header_count; i++)
		add(out, "header", r->header[i]);
	for (size_t i = 0; i < r->want_count; i++)
		add(out, "want", r->want[i]);
	add(out, "ca", r->ca);
	add(out, "resolve", r->resolve);
	buf_addf(out, "timeout %lld\nmax %llu\n", (long long)r->timeout_ms,
		 (unsigned long long)r->max);
	return add_body(out, r->body);
}

int http_answer_write(struct buf *out, const struct http_answer *a) {
	if (a->status == 0) {
		size_t i = 0;
		while (i + 1 < sizeof(kinds) / sizeof(kinds[0]) &&
		       kinds[i].kind != a->error.kind)
			i++;
		buf_addf(out, "error %s ", kinds[i].word);
		codec_percent_add(out, span_str(a->error.msg));
		return buf_addc(out, '\n');
	}
	buf_addf(out, "status %d\n", a->status);
	for (size_t i = 0; i < a->header_count; i++)
		add(out, "header", a->header[i]);
	return add_body(out, a->body);
}

/* --- reading --- */

/* Where values are decoded: a copy of the lines, then the body. */
struct reader {
	char *storage;
	size_t used;
	struct span rest;
	struct span body;
};

/* 0: no `body` line yet, or too few bytes behind it. */
static int find_end(struct span bytes, size_t *ret_lines, uint64_t *ret_body) {
	struct span rest = bytes, line;
	while (span_take_until(&rest, '\n', &line)) {
		if (span_starts(line, SPAN("error "))) {
			*ret_lines = bytes.len - rest.len;
			*ret_body = 0;
			return 1;
		}
		if (!span_take_lit(&line, SPAN("body ")))
			continue;
		if (!span_uint(line, HTTP_BODY_MAX, ret_body))
			return -1;
		*ret_lines = bytes.len - rest.len;
		return rest.len >= *ret_body ? 1 : 0;
	}
	return bytes.len > LINES_MAX ? -1 : 0;
}

/* 1: all of it is there, and *r has a copy. 0: more is needed. */
static int begin(struct reader *r, struct span bytes, const char *what, struct err *err) {
	size_t lines;
	uint64_t body;
	int whole = find_end(bytes, &lines, &body);
	if (whole < 0)
		return err_set(err, ERR_LIMIT, "the %s is too long", what);
	if (whole == 0)
		return 0;
	r->storage = malloc(bytes.len + 1);
	if (!r->storage)
		return err_set(err, ERR_MEMORY, "out of memory");
	memcpy(r->storage, bytes.p, lines + body);
	r->rest = span_of(r->storage, lines);
	r->body = span_of(r->storage + lines, body);
	return 1;
}

/* The next line: its key, and the value decoded in place. */
static int next_line(struct reader *r, struct span *ret_key, struct span *ret_value) {
	struct span line;
	if (!span_take_until(&r->rest, '\n', &line))
		return 0;
	if (!span_take_until(&line, ' ', ret_key))
		return -1;
	AUTO_BUF struct buf plain = BUF_INIT(LINES_MAX);
	*ret_value = line;
	if (span_eq(*ret_key, SPAN("error")))
		return 1;
	if (codec_percent_decode(&plain, line) != 0 || plain.len > line.len)
		return -1;
	if (plain.len > 0)
		memcpy(r->storage + (line.p - r->storage), buf_str(&plain), plain.len);
	*ret_value = span_of(line.p, plain.len);
	return 1;
}

static bool put(struct span *list, size_t *count, struct span value) {
	if (*count == HTTP_HEADERS_MAX)
		return false;
	list[(*count)++] = value;
	return true;
}

static bool request_line(struct http_request *q, struct span key, struct span value) {
	uint64_t n;
	if (span_eq(key, SPAN("method")))
		q->method = value;
	else if (span_eq(key, SPAN("url")))
		q->url = value;
	else if (span_eq(key, SPAN("ca")))
		q->ca = value;
	else if (span_eq(key, SPAN("resolve")))
		q->resolve = value;
	else if (span_eq(key, SPAN("header")))
		return put(q->header, &q->header_count, value);
	else if (span_eq(key, SPAN("want")))
		return put(q->want, &q->want_count, value);
	else if (span_eq(key, SPAN("timeout")) &&
		 span_uint(value, HTTP_TIMEOUT_MAX_MS, &n))
		q->timeout_ms = (int64_t)n;
	else if (span_eq(key, SPAN("max")) && span_uint(value, HTTP_BODY_MAX, &n))
		q->max = n;
	else
		return span_eq(key, SPAN("body"));
	return true;
}

static bool has_control(struct span s) {
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return true;
	return false;
}

static bool request_fine(const struct http_request *q) {
	for (size_t i = 0; i < q->header_count; i++)
		if (has_control(q->header[i]) ||
		    span_find(q->header[i], ':') == q->header[i].len)
			return false;
	return !has_control(q->url) && http_url_ok(q->url) && q->timeout_ms > 0 &&
	       !has_control(q->ca) && !has_control(q->resolve) &&
	       (span_eq(q->method, SPAN("GET")) || span_eq(q->method, SPAN("POST")));
}

int http_request_parse(struct span bytes, struct http_request *ret, struct err *err) {
	struct reader r = { .storage = NULL };
	struct http_request q = { .timeout_ms = 0 };
	struct span key, value;
	int got = begin(&r, bytes, "request", err);
	if (got <= 0)
		return got;
	while ((got = next_line(&r, &key, &value)) > 0 && request_line(&q, key, value))
		;
	if (got != 0 || !request_fine(&q)) {
		free(r.storage);
		return err_set(err, ERR_SYNTAX, "the request is not understood");
	}
	q.body = r.body;
	q.storage = r.storage;
	*ret = q;
	return 1;
}

static bool answer_line(struct http_answer *a, struct span key, struct span value) {
	struct span word;
	uint64_t n;
	if (span_eq(key, SPAN("status")) && span_uint(value, 999, &n) && n >= 100) {
		a->status = (int)n;
		return true;
	}
	if (span_eq(key, SPAN("header")))
		return put(a->header, &a->header_count, value);
	if (!span_eq(key, SPAN("error")))
		return span_eq(key, SPAN("body"));
	AUTO_BUF struct buf text = BUF_INIT(4096);
	if (!span_take_until(&value, ' ', &word) ||
	    codec_percent_decode(&text, value) != 0)
		return false;
	enum err_kind kind = ERR_REMOTE;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (span_eq(word, span_str(kinds[i].word)))
			kind = kinds[i].kind;
	err_set(&a->error, kind, "%s", buf_str(&text));
	return true;
}

int http_answer_parse(struct span bytes, struct http_answer *ret, struct err *err) {
	struct reader r = { .storage = NULL };
	struct http_answer a = { .status = 0 };
	struct span key, value;
	int got = begin(&r, bytes, "answer", err);
	if (got <= 0)
		return got;
	while ((got = next_line(&r, &key, &value)) > 0 && answer_line(&a, key, value))
		;
	if (got != 0 || (a.status == 0 && a.error.kind == ERR_NONE)) {
		free(r.storage);
		return err_set(err, ERR_SYNTAX,
			       "the answer of nightmail-fetch is not understood");
	}
	a.body = r.body;
	a.storage = r.storage;
	*ret = a;
	return 1;
}

void http_request_release(struct http_request *r) {
	free(r->storage);
	*r = (struct http_request){ .timeout_ms = 0 };
}

void http_answer_release(struct http_answer *a) {
	free(a->storage);
	*a = (struct http_answer){ .status = 0 };
}
