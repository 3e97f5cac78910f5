/* A message from its parts: header text, encodings, and what an option cannot smuggle
 * in. */

#include "mail/compose.h"

#include "tap.h"

struct built {
	struct buf header, encoded;
	struct span body;
};

static void built_init(struct built *b) {
	*b = (struct built){ .body = SPAN_INIT("") };
	buf_init(&b->header, 1u << 20);
	buf_init(&b->encoded, 1u << 20);
}

static void built_release(struct built *b) {
	buf_release(&b->header);
	buf_release(&b->encoded);
}

/* Builds with one address, and compares what stands behind the "To" field's name. */
static const struct {
	const char *label, *text, *want;
} addresses[] = {
	{ "a bare address", "bob@example.org", "bob@example.org" },
	{ "a local name", "root", "root" },
	{ "brackets go", "<bob@example.org>", "bob@example.org" },
	{ "a name stays", "Bob Miller <bob@example.org>",
	  "Bob Miller <bob@example.org>" },
	{ "quotes that are not needed go", "\"Bob Miller\" <bob@example.org>",
	  "Bob Miller <bob@example.org>" },
	{ "quotes that are needed stay, once", "\"Miller, Bob\" <bob@example.org>",
	  "\"Miller, Bob\" <bob@example.org>" },
	{ "an escaped quote is kept escaped", "\"B \\\"Bob\\\" M\" <bob@example.org>",
	  "\"B \\\"Bob\\\" M\" <bob@example.org>" },
	{ "a UTF-8 name is encoded",
	  "Z\xc3\xb6"
	  "e <zoe@example.org>",
	  "=?UTF-8?Q?Z=C3=B6e?= <zoe@example.org>" },
	{ "a list", "a@x.example, B <b@x.example>", "a@x.example, B <b@x.example>" },
	{ "a quoted local part", "\"a b\"@example.org", "\"a b\"@example.org" },
	{ "only blanks for a name are none", "\" \" <a@x.example>", "a@x.example" },
};

static void test_addresses(void) {
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		struct compose c;
		compose_init(&c);
		int r = compose_address(&c, COMPOSE_TO, span_str(addresses[i].text),
					NULL);
		is_str(r == 0 ? buf_str(&c.list[COMPOSE_TO]) : "(refused)",
		       addresses[i].want, "%s", addresses[i].label);
		compose_release(&c);
	}
}

static void test_folding(void) {
	struct compose c;
	size_t longest = 0, line = 4;
	compose_init(&c);
	for (int i = 0; i < 1000; i++) {
		char text[64];
		snprintf(text, sizeof(text), "user%d@example.org", i);
		compose_address(&c, COMPOSE_TO, span_str(text), NULL);
	}
	for (const char *p = buf_str(&c.list[COMPOSE_TO]); *p; p++) {
		line = *p == '\n' ? 0 : line + 1;
		longest = line > longest ? line : longest;
	}
	ok(longest <= 78, "1000 addresses stand in lines of at most 78 (%zu)", longest);
	compose_release(&c);
}

static const struct {
	const char *label;
	struct span text;
	bool refused;
	const char *want;
} fields[] = {
	{ "a field", SPAN_INIT("X-Tool: nightly"), false, "X-Tool: nightly\n" },
	{ "without a blank behind the colon", SPAN_INIT("X-Tool:nightly"), false,
	  "X-Tool: nightly\n" },
	{ "an empty field", SPAN_INIT("X-Tool:"), false, "X-Tool: \n" },
	{ "UTF-8 is encoded",
	  SPAN_INIT("X-Tool: gr\xc3\xb6\xc3\x9f"
		    "er"),
	  false, "X-Tool: =?UTF-8?Q?gr=C3=B6=C3=9Fer?=\n" },
	{ "no colon", SPAN_INIT("X-Tool nightly"), true, NULL },
	{ "no name", SPAN_INIT(": nightly"), true, NULL },
	{ "a blank in the name", SPAN_INIT("X Tool: nightly"), true, NULL },
	{ "a byte beyond ASCII in the name", SPAN_INIT("X-\xc3\xb6: nightly"), true,
	  NULL },
	{ "a LF", SPAN_INIT("X-Tool: a\nBcc: b@example.org"), true, NULL },
	{ "a CR", SPAN_INIT("X-Tool: a\rBcc: b@example.org"), true, NULL },
	{ "a NUL", SPAN_INIT("X-Tool: a\0b"), true, NULL },
	{ "a field with an option of its own", SPAN_INIT("bcc: b@example.org"), true,
	  NULL },
	{ "a field of MIME", SPAN_INIT("CONTENT-TYPE: text/html"), true, NULL },
	{ "a Resent field", SPAN_INIT("resent-to: b@example.org"), true, NULL },
};

static void test_fields(void) {
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		struct compose c;
		struct err err = ERR_INIT;
		compose_init(&c);
		int r = compose_field(&c, fields[i].text, &err);
		if (fields[i].refused)
			ok(r != 0 && c.fields.len == 0 && err.msg[0], "refused: %s",
			   fields[i].label);
		else
			is_str(buf_str(&c.fields), fields[i].want, "%s", fields[i].label);
		compose_release(&c);
	}
	struct compose c;
	char name[200];
	compose_init(&c);
	memset(name, 'x', sizeof(name));
	memcpy(name + 150, ": y", 4);
	ok(compose_field(&c, span_str(name), NULL) != 0,
	   "refused: a name of 150 letters");
	compose_release(&c);
}

static const struct {
	const char *label;
	struct span text;
	const char *charset, *encoding;
} texts[] = {
	{ "no text", SPAN_INIT(""), "us-ascii", "7bit" },
	{ "ASCII", SPAN_INIT("abc\n"), "us-ascii", "7bit" },
	{ "UTF-8", SPAN_INIT("\xc3\xbc\n"), "utf-8", "8bit" },
	{ "four octets", SPAN_INIT("\xf0\x9f\x8c\x99\n"), "utf-8", "8bit" },
	{ "Latin-1", SPAN_INIT("\xfc\n"), "unknown-8bit", "8bit" },
	{ "a character torn at the end", SPAN_INIT("\xc3"), "unknown-8bit", "8bit" },
	{ "a surrogate", SPAN_INIT("\xed\xa0\x80"), "unknown-8bit", "8bit" },
	{ "an overlong slash", SPAN_INIT("\xc0\xaf"), "unknown-8bit", "8bit" },
};

static void test_texts(void) {
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct compose c;
		struct built b;
		char want[200];
		compose_init(&c);
		built_init(&b);
		int r = compose_finish(&c, texts[i].text, &b.header, &b.encoded, &b.body,
				       NULL);
		snprintf(want, sizeof(want),
			 "MIME-Version: 1.0\nContent-Type: text/plain; charset=%s\n"
			 "Content-Transfer-Encoding: %s\n",
			 texts[i].charset, texts[i].encoding);
		is_str(r == 0 ? buf_str(&b.header) : "(refused)", want, "%s",
		       texts[i].label);
		ok(b.body.p == texts[i].text.p && b.body.len == texts[i].text.len,
		   "and the body is the text itself");
		built_release(&b);
		compose_release(&c);
	}
}

/* The encoding of a text with one line of n octets and this line end. */
static bool is_encoded(size_t n, const char *line_end) {
	AUTO_BUF struct buf text = BUF_INIT(4096);
	struct compose c;
	struct built b;
	compose_init(&c);
	built_init(&b);
	for (size_t i = 0; i < n; i++)
		buf_addc(&text, 'x');
	buf_adds(&text, line_end);
	compose_finish(&c, buf_span(&text), &b.header, &b.encoded, &b.body, NULL);
	bool encoded = strstr(buf_str(&b.header), "quoted-printable") != NULL;
	encoded = encoded && b.body.p == b.encoded.data && b.body.len > n;
	built_release(&b);
	compose_release(&c);
	return encoded;
}

static void test_whole(void) {
	struct compose c;
	struct built b;
	compose_init(&c);
	built_init(&b);
	ok(!compose_used(&c), "nothing was set yet");
	compose_subject(&c, SPAN("first"));
	compose_subject(&c, SPAN("Hello"));
	compose_address(&c, COMPOSE_BCC, SPAN("secret@example.org"), NULL);
	compose_address(&c, COMPOSE_CC, SPAN("c@example.org"), NULL);
	compose_address(&c, COMPOSE_TO, SPAN("b@example.org"), NULL);
	compose_address(&c, COMPOSE_FROM, SPAN("a@example.org"), NULL);
	compose_address(&c, COMPOSE_REPLY_TO, SPAN("r@example.org"), NULL);
	compose_field(&c, SPAN("X-Tool: t"), NULL);
	ok(compose_used(&c), "something was set");
	compose_finish(&c, SPAN("x\n"), &b.header, &b.encoded, &b.body, NULL);
	is_str(buf_str(&b.header),
	       "From: a@example.org\nTo: b@example.org\nCc: c@example.org\nReply-To: r@example.org\n"
	       "Subject: Hello\nX-Tool: t\nMIME-Version: 1.0\n"
	       "Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n",
	       "all fields, no Bcc, the last subject");
	built_release(&b);
	built_init(&b);
	struct err err = ERR_INIT;
	int r = compose_finish(&c, SPAN("a\0b"), &b.header, &b.encoded, &b.body, &err);
	ok(r != 0 && err.kind == ERR_SYNTAX, "a NUL in the text is refused");
	ok(compose_subject(&c, SPAN("a\nBcc: b@example.org")) != 0,
	   "a LF in the subject is refused");
	ok(compose_subject(&c, SPAN("a\x1b[31m")) != 0, "and an escape");
	ok(compose_address(&c, COMPOSE_TO, SPAN("a@@b"), &err) != 0 && err.msg[0],
	   "what is no address is refused, with words");
	built_release(&b);
	compose_release(&c);
}

static const struct {
	const char *label, *first, *second, *want; /* want NULL: refused */
} ways_out[] = {
	{ "by one click", "https://x.example/u?a=%20", NULL,
	  "List-Unsubscribe: <https://x.example/u?a=%20>\n"
	  "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n" },
	{ "by mail", "mailto:u@x.example", NULL,
	  "List-Unsubscribe: <mailto:u@x.example>\n" },
	{ "by either", "mailto:u@x.example", "HTTPS://x.example/",
	  "List-Unsubscribe: <mailto:u@x.example>,\n <HTTPS://x.example/>\n"
	  "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n" },
	{ "without TLS", "http://x.example/", NULL, NULL },
	{ "nothing", "", NULL, NULL },
	{ "with a blank", "https://x.example/a b", NULL, NULL },
	{ "with a line end", "https://x.example/\nBcc: a@b.example", NULL, NULL },
	{ "with a bracket", "https://x.example/>", NULL, NULL },
	{ "beyond ASCII", "https://x.example/\xc3\xbc", NULL, NULL },
};

static void test_ways_out(void) {
	for (size_t i = 0; i < sizeof(ways_out) / sizeof(*ways_out); i++) {
		struct compose c;
		AUTO_BUF struct buf header = BUF_INIT(4096), want = BUF_INIT(4096);
		compose_init(&c);
		int r = compose_unsubscribe(&c, span_str(ways_out[i].first), NULL);
		if (r == 0 && ways_out[i].second)
			r = compose_unsubscribe(&c, span_str(ways_out[i].second), NULL);
		compose_head(&c, &header, NULL);
		if (ways_out[i].want)
			buf_adds(&want, ways_out[i].want);
		buf_adds(&want, "MIME-Version: 1.0\n");
		ok((r == 0) == (ways_out[i].want != NULL), "a way out of a list: %s",
		   ways_out[i].label);
		is_str(buf_str(&header), buf_str(&want), "and its fields");
		compose_release(&c);
	}
}

int main(void) {
	test_addresses();
	test_folding();
	test_ways_out();
	test_fields();
	test_texts();
	ok(!is_encoded(998, "\n"), "a line of 998 octets stays as it is");
	ok(!is_encoded(998, "\r\n"), "the CR of its line end does not count");
	ok(is_encoded(999, "\n"), "a line of 999 is encoded");
	ok(is_encoded(999, ""), "without a line end too");
	test_whole();
	return done_testing();
}
