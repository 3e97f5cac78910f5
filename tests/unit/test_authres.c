/* Authentication-Results: reading every form, and that what is written reads back. */

#include "authres/authres.h"

#include "tap.h"

/* "server|method=result(type.name=value ...)[reason]" of what was read. */
static void describe(const struct authres *a, struct buf *out) {
	buf_add(out, a->server);
	if (a->none)
		buf_adds(out, "|none");
	for (size_t i = 0; i < a->count; i++) {
		const struct authres_method *m = &a->method[i];
		buf_addc(out, '|');
		buf_add(out, m->method);
		buf_addc(out, '=');
		buf_add(out, m->result);
		for (size_t k = 0; k < m->props; k++)
			buf_addf(out, " %.*s.%.*s=%.*s", (int)m->prop[k].type.len,
				 m->prop[k].type.p, (int)m->prop[k].name.len,
				 m->prop[k].name.p, (int)m->prop[k].value.len,
				 m->prop[k].value.p);
		if (m->reason.len)
			buf_addf(out, " [%.*s]", (int)m->reason.len, m->reason.p);
	}
}

static const struct {
	const char *label, *input, *want;
} cases[] = {
	{ "RFC 8601 appendix B.2", " example.org 1; none", "example.org|none" },
	{ "appendix B.3", " example.com;\r\n\tspf=pass smtp.mailfrom=example.net",
	  "example.com|spf=pass smtp.mailfrom=example.net" },
	{ "appendix B.4, comments",
	  "example.com;\n auth=pass (cram-md5) smtp.auth=sender@example.net;\n"
	  " spf=pass smtp.mailfrom=example.net",
	  "example.com|auth=pass smtp.auth=sender@example.net|spf=pass "
	  "smtp.mailfrom=example.net" },
	{ "appendix B.6",
	  "example.com;\n dkim=pass reason=\"good signature\"\n header.i=@mail.example.net;\n"
	  " dkim=fail reason=\"bad signature\" header.i=@example.com",
	  "example.com|dkim=pass header.i=@mail.example.net [good signature]|dkim=fail "
	  "header.i=@example.com [bad signature]" },
	{ "appendix B.7, comments everywhere",
	  "foo.example.net (foobar) 1 (baz);\n dkim (Because I like it) / 1 (One yay) = (wait "
	  "for it) fail\n policy (A dot can go here) . (like that) expired\n (this surprised me) = "
	  "(as I wasn't expecting it) 1362471462",
	  "foo.example.net" },
	{ "no authserv-id",
	  "spf=pass (sender IP is 1.2.3.4) smtp.mailfrom=a.example; dkim=none",
	  "|spf=pass smtp.mailfrom=a.example|dkim=none" },
	{ "a semicolon in a comment", "mx; dkim=pass (a; b=c) header.d=x.example",
	  "mx|dkim=pass header.d=x.example" },
	{ "a semicolon in quotes", "mx; dkim=pass header.i=\"a;b\"@x; spf=none",
	  "mx|dkim=pass header.i=a;b|spf=none" },
	{ "a version of a method", "mx; dkim/1=pass", "mx|dkim=pass" },
	{ "what cannot be read is passed over", "mx; ?!; =; dkim; spf=pass",
	  "mx|spf=pass" },
	{ "a last semicolon", "mx; spf=pass;", "mx|spf=pass" },
	{ "a comment without end", "mx; spf=pass (x", "mx|spf=pass" },
	{ "quotes without end", "mx; spf=pass reason=\"x", "mx|spf=pass [x]" },
	{ "empty", "", "" },
};

static void test_parse(void) {
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUF struct buf got = BUF_INIT(4096);
		struct authres a;
		bool said = authres_parse(span_str(cases[i].input), &a);
		describe(&a, &got);
		if (strcmp(cases[i].label, "appendix B.7, comments everywhere") == 0)
			ok(span_starts(buf_span(&got), SPAN("foo.example.net")),
			   "read: %s", cases[i].label);
		else
			is_str(buf_str(&got), cases[i].want, "read: %s", cases[i].label);
		is_int(said, cases[i].want[0] != '\0', "says something: %s",
		       cases[i].label);
	}
}

static void test_prop(void) {
	struct authres a;
	authres_parse(SPAN("mx; dkim=pass header.D=x.example header.s=one"), &a);
	ok(span_eq(authres_prop(&a.method[0], "header", "d"), SPAN("x.example")),
	   "a property is found without case");
	ok(!authres_prop(&a.method[0], "smtp", "d").p, "another one is not");
}

static void test_write(void) {
	AUTO_BUF struct buf out = BUF_INIT(4096), got = BUF_INIT(4096);
	struct authres a = { .server = SPAN("mx.example"), .count = 1 }, back;
	a.method[0] = (struct authres_method){ .method = SPAN("dkim"),
					       .result = SPAN("fail"),
					       .reason = SPAN("a \"b\"; c\r\nX: y"),
					       .props = 1 };
	a.method[0].prop[0] = (struct authres_prop){ SPAN("header"), SPAN("d"),
						     SPAN("x.example") };
	authres_write(&a, "\r\n", &out);
	ok(span_starts(buf_span(&out),
		       SPAN("Authentication-Results: mx.example;\r\n\tdkim=fail")),
	   "a field is written");
	ok(!strstr(buf_str(&out), "\nX:"), "no line end of a value comes out");
	struct span value = buf_span(&out);
	value = span_from(value, span_find(value, ':') + 1);
	authres_parse(value, &back);
	describe(&back, &got);
	is_str(buf_str(&got),
	       "mx.example|dkim=fail header.d=x.example [a \\\"b\\\"; cX: y]",
	       "and reads back");
	struct authres none = { .server = SPAN("mx") };
	buf_reset(&out);
	authres_write(&none, "\n", &out);
	is_str(buf_str(&out), "Authentication-Results: mx; none\n", "nothing is none");
}

static void test_bounds(void) {
	AUTO_BUF struct buf many = BUF_INIT(1u << 16);
	struct authres a;
	buf_adds(&many, "mx");
	for (int i = 0; i < 100; i++)
		buf_adds(
			&many,
			"; dkim=pass a.b=c a.b=c a.b=c a.b=c a.b=c a.b=c a.b=c a.b=c a.b=c "
			"a.b=c a.b=c a.b=c a.b=c a.b=c");
	authres_parse(buf_span(&many), &a);
	ok(a.count == AUTHRES_METHODS_MAX && a.cut,
	   "more methods than fit are cut, and it is told");
	is_int(a.method[0].props, AUTHRES_PROPS_MAX, "so are properties");
}

int main(void) {
	test_parse();
	test_prop();
	test_write();
	test_bounds();
	return done_testing();
}
