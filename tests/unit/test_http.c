/* The lines between nightmail-fetch and those who need something fetched. */

#include "net/http.h"

#include "tap.h"

static void test_request(void) {
	AUTO_BUF struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct http_request r = {
		.method = SPAN("POST"),
		.url = SPAN("https://example.org/a?b=c%20d"),
		.header = { SPAN("Content-Type: application/json"), SPAN("X: %") },
		.header_count = 2,
		.want = { SPAN("etag") },
		.want_count = 1,
		.ca = SPAN("/a b.pem"),
		.resolve = SPAN("192.0.2.1"),
		.timeout_ms = 5000,
		.max = 100,
		.body = SPAN("line\nbody 3\n\0end"),
	}, back = { .max = 0 };
	http_request_write(&out, &r);
	for (size_t i = 0; i < out.len; i++)
		if (http_request_parse(span_head(buf_span(&out), i), &back, &err) != 0)
			ok(false, "%zu bytes are not all", i);
	is_int(http_request_parse(buf_span(&out), &back, &err), 1,
	       "a request is read back %s", err.msg);
	ok(span_eq(back.url, r.url) && span_eq(back.body, r.body) &&
		   span_eq(back.ca, r.ca) && span_eq(back.header[1], r.header[1]) &&
		   span_eq(back.want[0], r.want[0]) && back.timeout_ms == 5000 &&
		   back.max == 100 && back.header_count == 2,
	   "as it was");
	http_request_release(&back);
}

static void test_refused(void) {
	static const struct {
		const char *label, *text;
	} rows[] = {
		{ "another scheme",
		  "method GET\nurl file:///etc/passwd\ntimeout 1\nmax 1\nbody 0\n" },
		{ "http to others",
		  "method GET\nurl http://example.org/\ntimeout 1\nmax 1\nbody 0\n" },
		{ "a name that only begins so",
		  "method GET\nurl http://localhost.example/\ntimeout 1\nmax 1\nbody 0\n" },
		{ "another method",
		  "method PUT\nurl https://a/\ntimeout 1\nmax 1\nbody 0\n" },
		{ "no time", "method GET\nurl https://a/\nmax 1\nbody 0\n" },
		{ "too long a time",
		  "method GET\nurl https://a/\ntimeout 999999999\nmax 1\nbody 0\n" },
		{ "a header of two lines",
		  "method GET\nurl https://a/\nheader A:%20b%0d%0aC:%20d\ntimeout 1\nmax 1\nbody 0\n" },
		{ "an unknown line",
		  "method GET\nurl https://a/\nproxy x\ntimeout 1\nmax 1\nbody 0\n" },
		{ "a bad encoding",
		  "method GET\nurl https://a/%2\ntimeout 1\nmax 1\nbody 0\n" },
		{ "a body past the limit",
		  "method GET\nurl https://a/\ntimeout 1\nmax 1\nbody 99999999\n" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r;
		is_int(http_request_parse(span_str(rows[i].text), &r, NULL), -1,
		       "%s is refused", rows[i].label);
	}
}

static void test_answer(void) {
	AUTO_BUF struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct http_answer a = { .status = 404,
				 .header = { SPAN("ETag: \"x y\"") },
				 .header_count = 1,
				 .body = SPAN("error 5") },
			   back;
	http_answer_write(&out, &a);
	is_int(http_answer_parse(buf_span(&out), &back, &err), 1,
	       "an answer is read back %s", err.msg);
	ok(back.status == 404 && span_eq(back.body, a.body) &&
		   back.header_count == 1 && span_eq(back.header[0], a.header[0]),
	   "as it was");
	http_answer_release(&back);
	buf_reset(&out);
	a = (struct http_answer){ .status = 0 };
	err_set(&a.error, ERR_TIMEOUT, "no answer: 100 %%");
	http_answer_write(&out, &a);
	is_int(http_answer_parse(buf_span(&out), &back, &err), 1, "so is an error");
	ok(back.status == 0 && back.error.kind == ERR_TIMEOUT, "with its kind");
	is_str(back.error.msg, "no answer: 100 %", "and its words");
	http_answer_release(&back);
	is_int(http_answer_parse(SPAN("body 0\n"), &back, &err), -1,
	       "neither is refused");
}

int main(void) {
	test_request();
	test_refused();
	test_answer();
	return done_testing();
}
