/* Replies: what servers send, in whole and in pieces, and what is no reply at all. */

#include "smtp/reply.h"

#include <jansson.h>
#include <stdlib.h>

#include "tap.h"

static const struct {
	const char *label, *input;
	int code;
	unsigned klass, subject, detail;
	const char *text;
} good[] = {
	{ "a code and a text", "250 ok\r\n", 250, 0, 0, 0, "ok" },
	{ "a code alone", "250\r\n", 250, 0, 0, 0, "" },
	{ "a code and a space", "250 \r\n", 250, 0, 0, 0, "" },
	{ "a bare LF ends a line", "354 go\n", 354, 0, 0, 0, "go" },
	{ "a status leaves the text", "550 5.1.1 no such user\r\n", 550, 5, 1, 1,
	  "no such user" },
	{ "a status alone", "250 2.0.0\r\n", 250, 2, 0, 0, "" },
	{ "a status repeated in each line",
	  "550-5.7.1 go\r\n550-5.7.1  away\r\n550 5.7.1 now\r\n", 550, 5, 7, 1,
	  "go away now" },
	{ "another status in a later line stays", "550-5.7.1 a\r\n550 5.7.2 b\r\n", 550,
	  5, 7, 1, "a 5.7.2 b" },
	{ "a status in the second line only", "451-wait\r\n451 4.7.0 please\r\n", 451, 4,
	  7, 0, "wait please" },
	{ "a status of another class is text", "550 4.7.1 hm\r\n", 550, 0, 0, 0,
	  "4.7.1 hm" },
	{ "a version number is no status", "220 2.0.0.1 server\r\n", 220, 0, 0, 0,
	  "2.0.0.1 server" },
	{ "an address is no status", "550 5.9.12.3 blocked\r\n", 550, 0, 0, 0,
	  "5.9.12.3 blocked" },
	{ "codes that differ within a class", "250-a\r\n251 b\r\n", 251, 0, 0, 0, "a b" },
	{ "empty lines inside", "250-\r\n250-a\r\n250\r\n", 250, 0, 0, 0, "a" },
	{ "a tab behind the status", "550 5.1.1\tgone\r\n", 550, 5, 1, 1, "gone" },
	{ "bytes of 0x80 and above", "550 \xc3\xbc\xff\r\n", 550, 0, 0, 0,
	  "\xc3\xbc\xff" },
	{ "a bare CR inside", "250 a\rb\r\n", 250, 0, 0, 0, "a\rb" },
};

static void check(const char *label, const struct smtp_reply *r, size_t i) {
	bool same = r->code == good[i].code && r->status.klass == good[i].klass &&
		    r->status.subject == good[i].subject &&
		    r->status.detail == good[i].detail && !r->local &&
		    strcmp(r->text, good[i].text) == 0;
	if (!ok(same, "%s: %s", label, good[i].label))
		printf("#   got %d %u.%u.%u \"%s\"\n", r->code, r->status.klass,
		       r->status.subject, r->status.detail, r->text);
}

static void test_good(void) {
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct smtp_reply_parser p = { .lines = 0 };
		struct smtp_reply r = { .code = 0 };
		struct span in = span_str(good[i].input);
		if (smtp_reply_feed(&p, &in, &r, NULL) != 1 || in.len != 0)
			r.code = 0;
		check("whole", &r, i);

		r.code = 0;
		AUTO_BUF struct buf b = BUF_INIT(4096);
		int done = 0;
		for (size_t n = 0; good[i].input[n]; n++) {
			buf_addc(&b, good[i].input[n]);
			in = buf_span(&b);
			done += smtp_reply_feed(&p, &in, &r, NULL);
			buf_consume(&b, b.len - in.len);
		}
		check(done == 1 ? "byte by byte" : "not once", &r, i);
	}
}

static void test_bad(void) {
	static const struct {
		const char *label, *input;
	} bad[] = {
		{ "no digits", "hello there\r\n" },
		{ "two digits", "25 ok\r\n" },
		{ "four digits", "2500 ok\r\n" },
		{ "an empty line", "\r\n" },
		{ "a code below 200", "150 go\r\n" },
		{ "a code above 599", "600 go\r\n" },
		{ "a leading blank", " 250 ok\r\n" },
		{ "a sign", "-50 ok\r\n" },
		{ "something else behind the code", "250_ok\r\n" },
		{ "a TLS record", "\x16\x03\x01\x02\r\n" },
		{ "an HTTP answer", "HTTP/1.1 400 Bad Request\r\n" },
		{ "lines of two classes", "250-fine\r\n550 not at all\r\n" },
		{ "garbage behind a first line", "250-fine\r\nhm\r\n" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct smtp_reply_parser p = { .lines = 0 };
		struct smtp_reply r;
		struct err err = ERR_INIT;
		struct span in = span_str(bad[i].input);
		int got = smtp_reply_feed(&p, &in, &r, &err);
		ok(got == -1 && err.kind == ERR_REMOTE && err.msg[0], "refused: %s",
		   bad[i].label);
	}
}

static void test_limits(void) {
	struct smtp_reply_parser p = { .lines = 0 };
	struct smtp_reply r;
	struct err err = ERR_INIT;
	AUTO_BUF struct buf b = BUF_INIT(1 << 20);

	buf_adds(&b, "250 ");
	while (b.len < SMTP_REPLY_LINE_MAX)
		buf_addc(&b, 'x');
	struct span in = buf_span(&b);
	is_int(smtp_reply_feed(&p, &in, &r, &err), 0,
	       "a line of the greatest length may still end");
	buf_adds(&b, "\n");
	in = buf_span(&b);
	is_int(smtp_reply_feed(&p, &in, &r, &err), 1, "and is a reply when it does");
	is_int((int64_t)strlen(r.text), SMTP_REPLY_TEXT_MAX - 1, "its text is cut");
	buf_truncate(&b, b.len - 1);
	buf_addc(&b, 'x');
	in = buf_span(&b);
	is_int(smtp_reply_feed(&p, &in, &r, &err), -1,
	       "one byte more fails before the line ends");
	is_int(err.kind, ERR_LIMIT, "as a limit");
	buf_addc(&b, '\n');
	in = buf_span(&b);
	is_int(smtp_reply_feed(&p, &in, &r, &err), -1, "and also when it has ended");

	buf_reset(&b);
	for (int i = 0; i < SMTP_REPLY_LINES_MAX; i++)
		buf_adds(&b, "250-more\r\n");
	in = buf_span(&b);
	p.lines = 0;
	is_int(smtp_reply_feed(&p, &in, &r, &err), 0, "as many lines as are allowed");
	in = SPAN("250 end\r\n");
	is_int(smtp_reply_feed(&p, &in, &r, &err), -1, "and one more fails");

	p.lines = 0;
	buf_reset(&b);
	buf_adds(&b, "250 ");
	for (int i = 0; i < 300; i++)
		buf_adds(&b, "\xc3\xbc");
	buf_adds(&b, "\r\n");
	in = buf_span(&b);
	smtp_reply_feed(&p, &in, &r, &err);
	is_int((int64_t)strlen(r.text) % 2, 0, "a cut never halves a UTF-8 character");

	in = SPAN("250 a\0b\r\n");
	smtp_reply_feed(&p, &in, &r, &err);
	is_str(r.text, "a?b", "a NUL does not end the text");
	in = SPAN("250 one\r\n250 two\r\n");
	smtp_reply_feed(&p, &in, &r, &err);
	ok(strcmp(r.text, "one") == 0 && in.len == 9,
	   "a second reply stays in the input");
	in = SPAN("250-one\r\n25");
	is_int(smtp_reply_feed(&p, &in, &r, &err), 0, "half a reply is none");
	is_int((int64_t)in.len, 2, "its whole lines were taken");
}

static void test_local(void) {
	struct smtp_reply r = smtp_reply_local(421, 4, 2, "%s: %s", "mx", "gone");
	AUTO_BUF struct buf b = BUF_INIT(4096);
	smtp_reply_add(&b, &r);
	is_str(buf_str(&b), "mx: gone", "a local reply shows its words only");
	ok(r.local && r.code == 421 && smtp_reply_status(&r).klass == 4 &&
		   smtp_reply_status(&r).detail == 2,
	   "and has the code and status given");
	AUTO_BUF struct buf long_text = BUF_INIT(4096);
	for (int i = 0; i < 1000; i++)
		buf_addc(&long_text, 'x');
	r = smtp_reply_local(451, 3, 0, "%s", buf_str(&long_text));
	is_int((int64_t)strlen(r.text), SMTP_REPLY_TEXT_MAX - 1, "long words are cut");
	r = (struct smtp_reply){ .code = 554, .text = "no" };
	ok(smtp_reply_status(&r).klass == 5 && smtp_reply_status(&r).subject == 0,
	   "a reply without status counts as x.0.0");
}

/* The class of "5.1.1 ..." at the start of a text, by another way than the parser's. */
static bool has_status(const char *text, int code) {
	int end = 0;
	unsigned klass, subject, detail;
	if (sscanf(text, "%1u.%3u.%3u%n", &klass, &subject, &detail, &end) != 3)
		return false;
	return klass == (unsigned)code / 100 && (text[end] == ' ' || !text[end]);
}

static bool conforms(const json_t *row) {
	int code = (int)json_integer_value(json_object_get(row, "code"));
	const char *text = json_string_value(json_object_get(row, "text"));
	AUTO_BUF struct buf b = BUF_INIT(65536), again = BUF_INIT(65536);
	struct smtp_reply_parser p = { .lines = 0 };
	struct smtp_reply r;
	struct span lines = span_str(text), line;
	while (span_take_line(&lines, &line)) {
		buf_addf(&b, "%d%c", code, lines.len > 0 ? '-' : ' ');
		buf_add(&b, line);
		buf_adds(&b, "\r\n");
	}
	struct span in = buf_span(&b);
	if (smtp_reply_feed(&p, &in, &r, NULL) != 1 || in.len || r.code != code)
		return false;
	if (strchr(text, '\n'))
		return true; /* joined by spaces: the texts differ */
	if ((r.status.klass != 0) != has_status(text, code))
		return false;
	smtp_reply_add(&again, &r);
	buf_adds(&again, "\r\n");
	return strcmp(buf_str(&b), buf_str(&again)) == 0;
}

static void test_conformance(void) {
	const char *shared = getenv("NIGHTMAIL_SHARED");
	AUTO_BUF struct buf path = BUF_INIT(4096);
	buf_addf(&path, "%s/conformance/smtp-replies/kumomta-replies.json",
		 shared ? shared : "../shared");
	json_t *rows = json_load_file(buf_str(&path), 0, NULL);
	if (!rows) {
		skip("replies of real servers",
		     "the shared conformance data is not here");
		return;
	}
	size_t i, bad = 0;
	json_t *row;
	json_array_foreach(rows, i, row) {
		if (conforms(row))
			continue;
		bad++;
		printf("# %zu: %s\n", i, json_string_value(json_object_get(row, "text")));
	}
	ok(i > 50 && bad == 0, "%zu replies of real servers are read and written back",
	   i);
	json_decref(rows);
}

int main(void) {
	test_good();
	test_bad();
	test_limits();
	test_local();
	test_conformance();
	return done_testing();
}
